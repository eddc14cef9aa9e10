#define _GNU_SOURCE
#include "ccurl.h"
#include "cload.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct {
  CURLcode (*global_init)(long);
  curl_version_info_data *(*version_info)(CURLversion);
  CURL *(*easy_init)(void);
  void (*easy_reset)(CURL *);
  void (*easy_cleanup)(CURL *);
  CURLcode (*easy_pause)(CURL *, int);
  const char *(*easy_strerror)(CURLcode);
  CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
  CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
  CURLM *(*multi_init)(void);
  CURLMcode (*multi_cleanup)(CURLM *);
  CURLMcode (*multi_add_handle)(CURLM *, CURL *);
  CURLMcode (*multi_remove_handle)(CURLM *, CURL *);
  CURLMcode (*multi_perform)(CURLM *, int *);
  CURLMcode (*multi_poll)(CURLM *, struct curl_waitfd *, unsigned, int, int *);
  CURLMcode (*multi_wakeup)(CURLM *);
  CURLMcode (*multi_socket_action)(CURLM *, curl_socket_t, int, int *);
  CURLMcode (*multi_setopt)(CURLM *, CURLMoption, ...);
  CURLMsg *(*multi_info_read)(CURLM *, int *);
  struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
  void (*slist_free_all)(struct curl_slist *);
  CURLSH *(*share_init)(void);
  CURLSHcode (*share_setopt)(CURLSH *, CURLSHoption, ...);
  CURLSHcode (*share_cleanup)(CURLSH *);
  CURLU *(*url)(void);
  CURLUcode (*url_set)(CURLU *, CURLUPart, const char *, unsigned);
  void (*url_cleanup)(CURLU *);
} curl;

static const struct cl_symbol symbols[] = {
    {"curl_global_init", (void **)&curl.global_init},
    {"curl_version_info", (void **)&curl.version_info},
    {"curl_easy_init", (void **)&curl.easy_init},
    {"curl_easy_reset", (void **)&curl.easy_reset},
    {"curl_easy_cleanup", (void **)&curl.easy_cleanup},
    {"curl_easy_pause", (void **)&curl.easy_pause},
    {"curl_easy_strerror", (void **)&curl.easy_strerror},
    {"curl_easy_setopt", (void **)&curl.easy_setopt},
    {"curl_easy_getinfo", (void **)&curl.easy_getinfo},
    {"curl_multi_init", (void **)&curl.multi_init},
    {"curl_multi_cleanup", (void **)&curl.multi_cleanup},
    {"curl_multi_add_handle", (void **)&curl.multi_add_handle},
    {"curl_multi_remove_handle", (void **)&curl.multi_remove_handle},
    {"curl_multi_perform", (void **)&curl.multi_perform},
    {"curl_multi_poll", (void **)&curl.multi_poll},
    {"curl_multi_wakeup", (void **)&curl.multi_wakeup},
    {"curl_multi_socket_action", (void **)&curl.multi_socket_action},
    {"curl_multi_setopt", (void **)&curl.multi_setopt},
    {"curl_multi_info_read", (void **)&curl.multi_info_read},
    {"curl_slist_append", (void **)&curl.slist_append},
    {"curl_slist_free_all", (void **)&curl.slist_free_all},
    {"curl_share_init", (void **)&curl.share_init},
    {"curl_share_setopt", (void **)&curl.share_setopt},
    {"curl_share_cleanup", (void **)&curl.share_cleanup},
    {"curl_url", (void **)&curl.url},
    {"curl_url_set", (void **)&curl.url_set},
    {"curl_url_cleanup", (void **)&curl.url_cleanup},
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
// Kept, for `curl_version_info` puts its answer together anew each time.
static unsigned version;
static char problem[512];

static void load(void) {
  // The names under which Debian (both ABI names) and macOS keep it.
  static const char *const files[] = {"libcurl.so.4", "/usr/lib/libcurl.4.dylib", "libcurl.4.dylib", "libcurl-gnutls.so.4", NULL};
  static const struct cl_library library = {
      .name = "libcurl", .debian = "libcurl4", .needed = "7.68", .files = files, .symbols = symbols, .count = sizeof symbols / sizeof *symbols};
  cl_load(&library, problem, sizeof problem);
  if (problem[0]) return;
  if (curl.global_init(CURL_GLOBAL_ALL) != CURLE_OK) snprintf(problem, sizeof problem, "libcurl could not be initialised");
  version = curl.version_info(CURLVERSION_NOW)->version_num;
}

const char *cc_load(void) {
  pthread_once(&once, load);
  return problem[0] ? problem : NULL;
}

unsigned cc_version_num(void) { return version; }
const char *cc_version_text(void) { return curl.version_info(CURLVERSION_NOW)->version; }

CURL *cc_easy_init(void) { return curl.easy_init(); }
void cc_easy_reset(CURL *easy) { curl.easy_reset(easy); }
void cc_easy_cleanup(CURL *easy) { curl.easy_cleanup(easy); }
CURLcode cc_easy_pause(CURL *easy, int bitmask) { return curl.easy_pause(easy, bitmask); }
const char *cc_easy_strerror(CURLcode code) { return curl.easy_strerror(code); }
CURLcode cc_easy_set_long(CURL *easy, CURLoption option, long value) { return curl.easy_setopt(easy, option, value); }
CURLcode cc_easy_set_off(CURL *easy, CURLoption option, int64_t value) {
  return curl.easy_setopt(easy, option, (curl_off_t)value);
}
CURLcode cc_easy_set_text(CURL *easy, CURLoption option, const char *value) { return curl.easy_setopt(easy, option, value); }
CURLcode cc_easy_set_ptr(CURL *easy, CURLoption option, const void *value) { return curl.easy_setopt(easy, option, value); }
CURLcode cc_easy_set_slist(CURL *easy, CURLoption option, struct curl_slist *value) {
  return curl.easy_setopt(easy, option, value);
}
CURLcode cc_easy_set_data_callback(CURL *easy, CURLoption option, cc_data_callback callback) {
  return curl.easy_setopt(easy, option, callback);
}

static cc_socket_opened told_opened;
static cc_socket_closed told_closed;

void cc_set_socket_listeners(cc_socket_opened opened, cc_socket_closed closed) {
  told_opened = opened;
  told_closed = closed;
}

// libcurl before 8.17 opens sockets without close-on-exec: every child of the shell would inherit them.
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)purpose;
#ifdef SOCK_CLOEXEC
  int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
#else
  int fd = socket(address->family, address->socktype, address->protocol);
  if (fd >= 0) fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
#ifdef SO_NOSIGPIPE
  int on = 1;
  if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
  if (told_opened) told_opened(context, fd < 0 ? -errno : fd);
  return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int close_socket(void *context, curl_socket_t fd) {
  if (told_closed) told_closed(context, fd);
  return close(fd);
}

CURLcode cc_easy_set_open_callback(CURL *easy, void *context) {
  curl.easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  return curl.easy_setopt(easy, CURLOPT_OPENSOCKETDATA, context);
}

CURLcode cc_easy_set_close_callback(CURL *easy, void *context) {
  curl.easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
  return curl.easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, context);
}

long cc_easy_get_long(CURL *easy, CURLINFO info) {
  long value = 0;
  curl.easy_getinfo(easy, info, &value);
  return value;
}

int64_t cc_easy_get_off(CURL *easy, CURLINFO info) {
  curl_off_t value = 0;
  curl.easy_getinfo(easy, info, &value);
  return value;
}

void *cc_easy_get_ptr(CURL *easy, CURLINFO info) {
  void *value = NULL;
  curl.easy_getinfo(easy, info, &value);
  return value;
}

CURLM *cc_multi_init(void) { return curl.multi_init(); }
CURLMcode cc_multi_cleanup(CURLM *multi) { return curl.multi_cleanup(multi); }
CURLMcode cc_multi_add(CURLM *multi, CURL *easy) { return curl.multi_add_handle(multi, easy); }
CURLMcode cc_multi_remove(CURLM *multi, CURL *easy) { return curl.multi_remove_handle(multi, easy); }
CURLMcode cc_multi_perform(CURLM *multi) {
  int running;
  return curl.multi_perform(multi, &running);
}
CURLMcode cc_multi_poll(CURLM *multi, int timeout_ms) { return curl.multi_poll(multi, NULL, 0, timeout_ms, NULL); }
CURLMcode cc_multi_wakeup(CURLM *multi) { return curl.multi_wakeup(multi); }
CURLMcode cc_multi_socket_action(CURLM *multi, curl_socket_t socket, int events) {
  int running;
  return curl.multi_socket_action(multi, socket, events, &running);
}
CURLMcode cc_multi_set_long(CURLM *multi, CURLMoption option, long value) { return curl.multi_setopt(multi, option, value); }
CURLMcode cc_multi_set_callbacks(CURLM *multi, cc_socket_callback on_socket, cc_timer_callback on_timer, void *context) {
  curl.multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl.multi_setopt(multi, CURLMOPT_SOCKETDATA, context);
  curl.multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  return curl.multi_setopt(multi, CURLMOPT_TIMERDATA, context);
}
CURL *cc_multi_next_done(CURLM *multi, CURLcode *result) {
  int left;
  for (CURLMsg *message; (message = curl.multi_info_read(multi, &left));) {
    if (message->msg != CURLMSG_DONE) continue;
    *result = message->data.result;
    return message->easy_handle;
  }
  return NULL;
}

struct curl_slist *cc_slist_append(struct curl_slist *list, const char *text) { return curl.slist_append(list, text); }
void cc_slist_free(struct curl_slist *list) { curl.slist_free_all(list); }

CURLSH *cc_share_init(void) {
  CURLSH *share = curl.share_init();
  if (!share) return NULL;
  curl.share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
  curl.share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  return share;
}
void cc_share_cleanup(CURLSH *share) { curl.share_cleanup(share); }

CURLU *cc_url_parse(const char *text) {
  CURLU *url = curl.url();
  if (url && curl.url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK) return url;
  curl.url_cleanup(url);
  return NULL;
}
void cc_url_free(CURLU *url) { curl.url_cleanup(url); }

#ifdef __linux__
#include <sys/epoll.h>
#include <sys/eventfd.h>

int cc_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }
int cc_eventfd_create(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int cc_epoll_set(int epoll, int fd, int events, int known) {
  struct epoll_event event = {.data.fd = fd};
  if (events & CURL_POLL_IN) event.events |= EPOLLIN;
  if (events & CURL_POLL_OUT) event.events |= EPOLLOUT;
  if (!events) return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &event);
  return epoll_ctl(epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
}

int cc_epoll_wait(int epoll, cc_ready *ready, int capacity, int64_t timeout_ns) {
  struct epoll_event events[512];
  if (capacity > 512) capacity = 512;
  // Whole milliseconds, rounded up: epoll_pwait2 needs a newer kernel than the oldest we run on, and
  // libcurl's own timers are in milliseconds.
  int timeout = timeout_ns < 0 ? -1 : timeout_ns > 3600000000000LL ? 3600000 : (int)((timeout_ns + 999999) / 1000000);
  int count = epoll_wait(epoll, events, capacity, timeout);
  for (int i = 0; i < count; i++) {
    ready[i].fd = events[i].data.fd;
    ready[i].events = ((events[i].events & (EPOLLIN | EPOLLRDHUP)) ? CURL_CSELECT_IN : 0) |
                      ((events[i].events & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
                      ((events[i].events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR | CURL_CSELECT_IN : 0);
  }
  return count;
}
#endif
