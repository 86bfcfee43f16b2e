/* berth-init volume …: what the engine asks of volumes' files. Each command runs inside the sandbox, as its root. */
#pragma once

#include <stdint.h>

/** `fill LOWERS DESTINATION VOLUME SUBPATH…`, `pin ROOT SUBPATH TARGET`, `size DIRECTORY…`: what `docker` does by itself. */
int volume_main(int argc, char **argv);

/** Copies the files below one directory to another, which is empty, with owners, modes, times, links and attributes. */
int copy_files(int from, int to);

_Noreturn void volume_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
