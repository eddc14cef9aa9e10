#define _GNU_SOURCE
#include "cload.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

void cl_load(const struct cl_library *library, char *problem, size_t size) {
  void *handle = NULL;
  // Why, where one is there and is none (another machine's, half a file).
  char why[256] = "";
  for (const char *const *file = library->files; *file && !handle; file++) {
    handle = dlopen(*file, RTLD_NOW | RTLD_LOCAL);
    const char *error = handle ? NULL : dlerror();
    if (error && !why[0] && !strstr(error, "No such file")) snprintf(why, sizeof why, ": %s", error);
  }
  problem[0] = 0;
  if (!handle) {
    snprintf(problem, size, "%s cannot be loaded%s (Debian: apt-get install %s)", library->name, why, library->debian);
    return;
  }
  for (size_t i = 0; i < library->count; i++) {
    *library->symbols[i].slot = dlsym(handle, library->symbols[i].name);
    if (*library->symbols[i].slot) continue;
    snprintf(problem, size, "this %s lacks %s (%s or later is needed)", library->name, library->symbols[i].name, library->needed);
    return;
  }
}
