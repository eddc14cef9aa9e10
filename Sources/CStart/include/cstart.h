#pragma once

/// What the program was started with, as the C library hands it over: bytes, which need not be UTF-8, and there also where `/proc` is
/// not (Swift's own `CommandLine.arguments` reads it from there, and is empty without it).
int cs_argument_count(void);
const char *_Nullable cs_argument(int index);

/// From now on all threads take memory from one place: glibc keeps 128 MiB of addresses ready for each thread otherwise. To be called
/// before there are threads.
void cs_save_memory(void);
