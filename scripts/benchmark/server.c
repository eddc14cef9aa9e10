// A chat server that is never the bottleneck: one epoll thread, answers made beforehand.
//   server port
// POST /v1/chat/completions              one document, or one event stream at once, as `"stream":true` asks
// POST /paced/N/GAP_MS/v1/chat/…         a stream of N chunks, one every GAP_MS; "created" and the content are the send time in µs (CLOCK_MONOTONIC)
// POST /delay/MS/v1/chat/…               one document after MS
// POST /tail/MS/v1/chat/…                likewise, but every hundredth after twenty times as long
// GET  /most                             how many of those three were under way at once, at most, since this was last asked
// POST /bucket/RATE/BURST/MS/v1/chat/…   a document at once from a bucket of RATE a second; else 429 that asks for MS, whatever is left
// POST /window/COUNT/MS/v1/chat/…        COUNT documents in each window of MS; else 429 that asks for its rest
// GET  /refused                          how many were, since this was last asked; both begin anew
// GET  /cpu                              the server's CPU seconds so far
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MAXFD 65536
typedef struct {
  char buffer[8192];
  int length, left, gap_us;
  long long due;
  int keepalive_stream;
} Connection;
static Connection *connections[MAXFD];
// Connections with something to send later, in a binary heap by time.
static int heap[MAXFD], heap_count;
static int waiting, most_waiting, tail_count;
static int refused;
static double tokens = -1;
static long long tokens_at, window_number = -1, window_used;

static long long now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void put(int fd, const char *text, int n) {
  while (n > 0) {
    int k = send(fd, text, n, MSG_NOSIGNAL);
    if (k < 0) return;
    text += k;
    n -= k;
  }
}

static void push(int fd) {
  int i = heap_count++;
  while (i && connections[heap[(i - 1) / 2]]->due > connections[fd]->due) { heap[i] = heap[(i - 1) / 2]; i = (i - 1) / 2; }
  heap[i] = fd;
}

static void pop_at(int at) {
  int last = heap[--heap_count];
  if (at == heap_count) return;
  int i = at;
  while (i && connections[heap[(i - 1) / 2]]->due > connections[last]->due) { heap[i] = heap[(i - 1) / 2]; i = (i - 1) / 2; }
  for (int child; (child = 2 * i + 1) < heap_count; i = child) {
    if (child + 1 < heap_count && connections[heap[child + 1]]->due < connections[heap[child]]->due) child++;
    if (connections[last]->due <= connections[heap[child]]->due) break;
    heap[i] = heap[child];
  }
  heap[i] = last;
}

static const char document[] =
    "{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
    "\"The number is known to those who count, and to nobody else; that is all there is.\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,"
    "\"completion_tokens\":18,\"total_tokens\":27},\"system_fingerprint\":\"fp_1\"}";
static char whole[2048], flood[8192];
static int whole_length, flood_length;

static void prepare(void) {
  whole_length = sprintf(whole, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", sizeof document - 1, document);
  char body[6000];
  int n = 0;
  static const char *words[] = {"The", " number", " is", " known", " to", " those", " who", " count", "."};
  for (int i = 0; i < 9; i++)
    n += sprintf(body + n, "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"finish_reason\":null}]}\n\n", words[i]);
  n += sprintf(body + n, "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":9,\"total_tokens\":18}}\n\ndata: [DONE]\n\n");
  flood_length = sprintf(flood, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n%s", n, body);
}

static void refuse(int fd, int milliseconds) {
  static const char body[] = "{\"error\":{\"message\":\"slow down\"}}";
  char reply[256];
  refused++;
  put(fd, reply, sprintf(reply, "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nretry-after-ms: %d\r\nContent-Length: %zu\r\n\r\n%s", milliseconds, sizeof body - 1, body));
}

static void number(int fd, int value) {
  char text[32], reply[128];
  int k = sprintf(text, "%d", value);
  put(fd, reply, sprintf(reply, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", k, text));
}

static void answer(int fd, Connection *c) {
  int n = 0, gap = 0, rest = 0;
  if (!strncmp(c->buffer, "GET /cpu", 8)) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    char text[128], reply[256];
    int k = sprintf(text, "%.3f", u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
    put(fd, reply, sprintf(reply, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", k, text));
  } else if (!strncmp(c->buffer, "GET /most", 9)) {
    number(fd, most_waiting);
    most_waiting = waiting;
  } else if (!strncmp(c->buffer, "GET /refused", 12)) {
    number(fd, refused);
    refused = 0;
    tokens = window_number = -1;
  } else if (sscanf(c->buffer, "POST /bucket/%d/%d/%d/", &n, &gap, &rest) == 3) {
    long long now = now_us();
    tokens = tokens < 0 ? gap : tokens + (now - tokens_at) / 1e6 * n;
    if (tokens > gap) tokens = gap;
    tokens_at = now;
    if (tokens < 1) { refuse(fd, rest); return; }
    tokens--;
    put(fd, whole, whole_length);
  } else if (sscanf(c->buffer, "POST /window/%d/%d/", &n, &gap) == 2) {
    long long now = now_us(), current = now / (gap * 1000LL);
    if (current != window_number) { window_number = current; window_used = 0; }
    if (window_used >= n) { refuse(fd, 1 + ((current + 1) * gap * 1000LL - now) / 1000); return; }
    window_used++;
    put(fd, whole, whole_length);
  } else if (sscanf(c->buffer, "POST /paced/%d/%d/", &n, &gap) == 2) {
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    put(fd, head, sizeof head - 1);
    c->left = n;
    c->gap_us = gap * 1000;
    c->keepalive_stream = 1;
    c->due = now_us() + c->gap_us;
    if (++waiting > most_waiting) most_waiting = waiting;
    push(fd);
  } else if (sscanf(c->buffer, "POST /delay/%d/", &gap) == 1 || sscanf(c->buffer, "POST /tail/%d/", &gap) == 1) {
    c->left = 1;
    c->keepalive_stream = 0;
    int slow = c->buffer[6] == 't' && ++tail_count % 100 == 50;
    c->due = now_us() + gap * 1000 * (slow ? 20 : 1);
    if (++waiting > most_waiting) most_waiting = waiting;
    push(fd);
  } else if (strstr(c->buffer, "\"stream\":true")) {
    put(fd, flood, flood_length);
  } else {
    put(fd, whole, whole_length);
  }
}

static void tick(int fd) {
  Connection *c = connections[fd];
  if (!c->keepalive_stream) {
    c->left = 0;
    waiting--;
    put(fd, whole, whole_length);
    return;
  }
  char event[400], chunk[440];
  int last = --c->left == 0;
  int n = last ? sprintf(event, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":200,\"total_tokens\":209}}\n\ndata: [DONE]\n\n")
               : sprintf(event, "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":%lld,\"model\":\"m\",\"system_fingerprint\":\"fp_1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" %lld\"},\"finish_reason\":null}]}\n\n", now_us(), now_us());
  int k = sprintf(chunk, "%x\r\n", n);
  memcpy(chunk + k, event, n);
  k += n;
  k += sprintf(chunk + k, "\r\n%s", last ? "0\r\n\r\n" : "");
  put(fd, chunk, k);
  if (last) {
    waiting--;
    return;
  }
  c->due += c->gap_us;
  push(fd);
}

static void drop(int fd) {
  for (int i = 0; i < heap_count; i++)
    if (heap[i] == fd) {
      waiting--;
      pop_at(i);
      break;
    }
  free(connections[fd]);
  connections[fd] = NULL;
  close(fd);
}

int main(int argc, char **argv) {
  int port = argc > 1 ? atoi(argv[1]) : 0;
  signal(SIGPIPE, SIG_IGN);
  prepare();
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096)) { perror("server"); return 1; }
  socklen_t size = sizeof address;
  getsockname(listener, (void *)&address, &size);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  int poll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[512];
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
  while (1) {
    long long now = now_us();
    int timeout = -1;
    while (heap_count) {
      int fd = heap[0];
      long long due = connections[fd]->due;
      if (due > now) { timeout = (due - now + 999) / 1000; break; }
      pop_at(0);
      tick(fd);
    }
    int count = epoll_wait(poll, events, 512, timeout);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        int client;
        while ((client = accept4(listener, NULL, NULL, 0)) >= 0) {
          if (client >= MAXFD) { close(client); continue; }
          setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          connections[client] = calloc(1, sizeof(Connection));
          struct epoll_event e = {.events = EPOLLIN, .data.fd = client};
          epoll_ctl(poll, EPOLL_CTL_ADD, client, &e);
        }
        continue;
      }
      Connection *c = connections[fd];
      int n = recv(fd, c->buffer + c->length, sizeof c->buffer - 1 - c->length, MSG_DONTWAIT);
      if (n <= 0) {
        if (n == 0 || errno != EAGAIN) drop(fd);
        continue;
      }
      c->length += n;
      c->buffer[c->length] = 0;
      char *body = strstr(c->buffer, "\r\n\r\n");
      if (!body) continue;
      body += 4;
      char *header = strcasestr(c->buffer, "content-length:");
      int want = header && header < body ? atoi(header + 15) : 0;
      if (c->buffer + c->length < body + want) continue;
      answer(fd, c);
      c->length = 0;
    }
  }
}
