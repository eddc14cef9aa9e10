// libdispatch looks once a second which of its threads run, in /proc/THREAD/stat, and ends the program where it cannot open that: where
// all files are in use that may be open, or where there is no /proc. It minds nothing else: a file that cannot be read is passed over
// (`_dispatch_workq_count_runnable_workers` in src/event/workqueue.c of swift-corelibs-libdispatch). So this `open`, which takes the
// place of the C library's, gives it a descriptor that is none. Everything else is opened as ever, but for one thing: the C library's
// `open` is a point where a thread may be cancelled (pthread_cancel), and this one is none. Nothing here cancels threads.
//
// It works because the standard library and libdispatch are linked statically (scripts/build): their calls of `open` are then bound to
// this one as the program is linked. A shared libdispatch may still go to the C library's.
//
// The sanitizers put their own in the same place.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif

#if defined(__linux__) && !defined(IS_SANITIZED)

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/// /proc/NUMBER/stat
static bool is_state_of_thread(const char *path) {
  if (strncmp(path, "/proc/", 6) != 0) return false;
  const char *digit = path + 6;
  while (*digit >= '0' && *digit <= '9') digit++;
  return digit > path + 6 && strcmp(digit, "/stat") == 0;
}

int open(const char *path, int flags, ...) {
  mode_t mode = 0;
  if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  int descriptor = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  if (descriptor >= 0) return descriptor;
  int error = errno;
  if (flags == (O_RDONLY | O_NONBLOCK) && is_state_of_thread(path)) return INT_MAX;
  errno = error;
  return -1;
}

#endif
