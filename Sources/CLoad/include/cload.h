// Loads a C library when it is needed, over a table of function pointers: linked, libcurl and libedit with what they bring cost every
// start, and a program that lacks one would not start at all.
#ifndef PROMPTSH_CLOAD_H
#define PROMPTSH_CLOAD_H

#include <stddef.h>

struct cl_symbol {
  const char *name;
  void **slot;
};

struct cl_library {
  /// As errors call it: `libcurl`; the package that brings it, and the version that has every symbol.
  const char *name, *debian, *needed;
  /// The names of its file, the likeliest first; NULL after the last.
  const char *const *files;
  const struct cl_symbol *symbols;
  size_t count;
};

/// Fills every slot. `problem` is what is wrong, in words, or empty.
void cl_load(const struct cl_library *library, char *problem, size_t size);

#endif
