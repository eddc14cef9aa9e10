#include "cstart.h"

#include <stddef.h>
#ifdef __linux__
#include <malloc.h>
#endif

static int argument_count;
static char **argument_vector;

// glibc and dyld call constructors with the arguments of `main`.
__attribute__((constructor)) static void keep_arguments(int count, char **vector) {
  argument_count = count;
  argument_vector = vector;
}

int cs_argument_count(void) { return argument_count; }

const char *cs_argument(int index) {
  return index >= 0 && index < argument_count && argument_vector ? argument_vector[index] : NULL;
}

void cs_save_memory(void) {
#ifdef M_ARENA_MAX
  mallopt(M_ARENA_MAX, 1);
#endif
}
