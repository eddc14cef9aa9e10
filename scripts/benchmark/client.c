// The yardstick: the same work as `map`, in C on libcurl's multi interface (curl_multi_poll), nothing around it.
//   client URL width count stream|whole [parsed]
// `parsed` gives libcurl the address taken apart (CURLOPT_CURLU), instead of letting it do that for every request.
// Sends `count` chat requests, `width` at once, reads each answer's content, prints: seconds cpu_seconds content_bytes chunks rss_kb
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct {
  CURL *easy;
  char body[512];
  char *buffer;
  size_t length, capacity;
} Transfer;

static long content, chunks;

static void scan(const char *start, const char *end) {
  static const char mark[] = "\"content\":\"";
  for (const char *p = start; (p = memmem(p, end - p, mark, sizeof mark - 1));) {
    p += sizeof mark - 1;
    const char *from = p;
    while (p < end && *p != '"') p += *p == '\\' ? 2 : 1;
    content += p - from;
    chunks++;
  }
}

static size_t receive(char *bytes, size_t size, size_t count, void *context) {
  Transfer *t = context;
  size_t n = size * count;
  if (t->length + n + 1 > t->capacity) t->buffer = realloc(t->buffer, t->capacity = 2 * (t->length + n + 1));
  memcpy(t->buffer + t->length, bytes, n);
  t->length += n;
  // Whole lines are read and dropped, as a client that shows tokens has to.
  char *end = t->buffer + t->length, *last = memrchr(t->buffer, '\n', t->length);
  if (last) {
    scan(t->buffer, last);
    t->length = end - (last + 1);
    memmove(t->buffer, last + 1, t->length);
  }
  return n;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc != 5 && argc != 6) return 2;
  int width = atoi(argv[2]), total = atoi(argv[3]), stream = !strcmp(argv[4], "stream");
  curl_global_init(CURL_GLOBAL_ALL);
  CURLU *address = NULL;
  if (argc == 6) curl_url_set(address = curl_url(), CURLUPART_URL, argv[1], 0);
  CURLM *multi = curl_multi_init();
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)width + 16);
  struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
  headers = curl_slist_append(headers, "Authorization: Bearer none");
  Transfer *all = calloc(width, sizeof *all);
  int started = 0, done = 0, failed = 0, running;
  double start = now();
  for (int i = 0; i < width && i < total; i++) {
    Transfer *t = &all[i];
    t->easy = curl_easy_init();
    if (address) curl_easy_setopt(t->easy, CURLOPT_CURLU, address);
    else curl_easy_setopt(t->easy, CURLOPT_URL, argv[1]);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    int n = snprintf(t->body, sizeof t->body, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"fact %d\"}]%s}", started++,
                     stream ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" : "");
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE, (long)n);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->body);
    curl_multi_add_handle(multi, t->easy);
  }
  while (done < total) {
    curl_multi_perform(multi, &running);
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi, &left))) {
      Transfer *t;
      CURL *easy = message->easy_handle;
      curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
      if (message->data.result != CURLE_OK) failed++;
      if (t->length) scan(t->buffer, t->buffer + t->length);
      t->length = 0;
      done++;
      curl_multi_remove_handle(multi, easy);
      if (started < total) {
        int n = snprintf(t->body, sizeof t->body, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"fact %d\"}]%s}", started++,
                         stream ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" : "");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)n);
        curl_multi_add_handle(multi, easy);
      }
    }
    if (done < total) curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
  double seconds = now() - start;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  double cpu = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  printf("%.4f %.4f %ld %ld %ld %d\n", seconds, cpu, content, chunks, usage.ru_maxrss, failed);
  return failed != 0;
}
