/* berth-init layer …: archives of image layers, unpacked, packed and put together again inside the sandbox. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PATH_LIMIT = 4096, BLOCK = 512 };

/** The fields of a ustar header. */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6], version[2],
		user[32], group[32], major[8], minor[8], prefix[155], unused[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

int layer_main(int argc, char **argv);

/** Unpacks the archive on standard input below the current root; what is not content of files goes to `split`. */
void layer_unpack(int split);
/** Brings the files below the current root up to what standard input says: an archive of files as they are, in which
 *  a member of type `R` is a file or directory to take away. */
void layer_receive(void);
/** Writes the archive that `split` was made of to standard output, with the files below the current root. */
void layer_join(int split);
/** Writes an overlay's upper directory, the current root, to standard output as a layer; with `split` (else -1) the files
 *  become that layer themselves: it is what layer_join needs. No time is later than `latest`. Says the size of the files on standard error. */
void layer_pack(int split, int64_t latest);

/** Says what is wrong with which file, and ends the program. */
_Noreturn void layer_fail(const char *what, const char *path);

unsigned header_sum(const struct header *header);
bool overlay_attribute(const char *name);
