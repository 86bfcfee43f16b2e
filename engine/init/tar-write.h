/* An archive on standard output, member by member. Each ends the program when it fails. */
#pragma once

#include <stdint.h>
#include <sys/stat.h>

/** A member without content, or the head of one whose `size` bytes follow; attributes are those of `path` when there is one. */
void tar_entry(const char *name, const char *path, char type, const struct stat *st, uint64_t size, const char *target);
/** A regular file, or a link to the member that was the same file; one that is gone meanwhile is left out. */
void tar_file(const char *name, const char *path, const struct stat *listed);
/** No time is later than this, in seconds since the epoch; for the members that follow. */
void tar_limit_times(int64_t latest);
/** Bytes of the files so far. */
uint64_t tar_content_size(void);
/** What follows the last member. */
void tar_end(void);
