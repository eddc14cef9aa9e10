// libcurl as Swift can call it: typed wrappers of its variadic calls, over a table of function pointers
// that is filled by dlopen on first use. Linking libcurl would add 7-8 ms to every start of the shell.
#ifndef PROMPTSH_CCURL_H
#define PROMPTSH_CCURL_H

#define CURL_DISABLE_TYPECHECK 1
#include <curl/curl.h>
#include <stddef.h>
#include <stdint.h>

/// Loads libcurl once; later calls return the first answer. NULL when it is there, else what is wrong. Thread-safe.
const char *cc_load(void);
/// libcurl's version as 0xXXYYZZ, e.g. 0x075801 for 7.88.1; and as text.
unsigned cc_version_num(void);
const char *cc_version_text(void);

CURL *cc_easy_init(void);
void cc_easy_reset(CURL *easy);
void cc_easy_cleanup(CURL *easy);
CURLcode cc_easy_pause(CURL *easy, int bitmask);
const char *cc_easy_strerror(CURLcode code);
CURLcode cc_easy_set_long(CURL *easy, CURLoption option, long value);
CURLcode cc_easy_set_off(CURL *easy, CURLoption option, int64_t value);
CURLcode cc_easy_set_text(CURL *easy, CURLoption option, const char *value);
CURLcode cc_easy_set_ptr(CURL *easy, CURLoption option, const void *value);
CURLcode cc_easy_set_slist(CURL *easy, CURLoption option, struct curl_slist *value);

typedef size_t (*cc_data_callback)(char *bytes, size_t size, size_t count, void *context);
CURLcode cc_easy_set_data_callback(CURL *easy, CURLoption option, cc_data_callback callback);
/// Told of every socket opened (fd ≥ 0, close-on-exec already set) and closed, with the context set below.
typedef void (*cc_socket_opened)(void *context, int fd);
CURLcode cc_easy_set_open_callback(CURL *easy, void *context);
typedef void (*cc_socket_closed)(void *context, int fd);
CURLcode cc_easy_set_close_callback(CURL *easy, void *context);
/// One close listener for the process's loops; the context given above is handed to it.
void cc_set_socket_listeners(cc_socket_opened opened, cc_socket_closed closed);

long cc_easy_get_long(CURL *easy, CURLINFO info);
int64_t cc_easy_get_off(CURL *easy, CURLINFO info);
void *cc_easy_get_ptr(CURL *easy, CURLINFO info);

CURLM *cc_multi_init(void);
CURLMcode cc_multi_cleanup(CURLM *multi);
CURLMcode cc_multi_add(CURLM *multi, CURL *easy);
CURLMcode cc_multi_remove(CURLM *multi, CURL *easy);
CURLMcode cc_multi_perform(CURLM *multi);
CURLMcode cc_multi_poll(CURLM *multi, int timeout_ms);
CURLMcode cc_multi_wakeup(CURLM *multi);
CURLMcode cc_multi_socket_action(CURLM *multi, curl_socket_t socket, int events);
CURLMcode cc_multi_set_long(CURLM *multi, CURLMoption option, long value);
typedef int (*cc_socket_callback)(CURL *easy, curl_socket_t socket, int what, void *context, void *assigned);
typedef int (*cc_timer_callback)(CURLM *multi, long timeout_ms, void *context);
CURLMcode cc_multi_set_callbacks(CURLM *multi, cc_socket_callback on_socket, cc_timer_callback on_timer, void *context);
/// The next finished transfer: its easy handle and result, or NULL when there is none.
CURL *cc_multi_next_done(CURLM *multi, CURLcode *result);

struct curl_slist *cc_slist_append(struct curl_slist *list, const char *text);
void cc_slist_free(struct curl_slist *list);

/// A share of the DNS cache and TLS sessions (not of connections), for handles of one thread.
CURLSH *cc_share_init(void);
void cc_share_cleanup(CURLSH *share);

/// A URL taken apart by libcurl, for CURLOPT_CURLU; NULL where it cannot make anything of it.
CURLU *cc_url_parse(const char *text);
void cc_url_free(CURLU *url);

#ifdef __linux__
// epoll and eventfd: their C types (a packed union) do not import well.
int cc_epoll_create(void);
int cc_eventfd_create(void);
/// events: CURL_POLL_IN 1, CURL_POLL_OUT 2, both 3; 0 forgets the descriptor.
int cc_epoll_set(int epoll, int fd, int events, int known);
typedef struct {
  int fd;
  int events;  // CURL_CSELECT_* bits
} cc_ready;
/// timeout_ns < 0 waits for ever. Returns the number of ready descriptors, or -1 with errno.
int cc_epoll_wait(int epoll, cc_ready *ready, int capacity, int64_t timeout_ns);
#endif

#endif
