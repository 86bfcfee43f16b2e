/* One member of an archive as it is read: its header, with what longer headers before it say. */
#pragma once

#include "layer.h"

/** An extended attribute; it points into the text of the entry's pax header. */
struct attribute {
	const char *name;
	const char *value;
	size_t size;
};

enum { ATTRIBUTE_LIMIT = 64 };

struct entry {
	char type;
	char path[PATH_LIMIT], link[PATH_LIMIT];
	mode_t mode;
	uint64_t uid, gid, size;
	int64_t mtime;
	struct attribute attributes[ATTRIBUTE_LIMIT];
	size_t attribute_count;
};

/** Reads the next header into `entry`; false at the end of the archive. Ends the program when it is not an archive. */
bool next_entry(struct entry *entry);
/** Reads content of the current member: exactly `size` bytes. */
void take_content(void *bytes, size_t size);
/** Skips `size` bytes of the archive, which go to its record. */
void skip_bytes(uint64_t size);
/** Skips what follows the end of the archive. */
void skip_rest(void);
/** Notes in the record that the content of `path` follows. */
void record_file(const char *path, uint64_t size);
/** Keeps the content of a file that a later entry of the archive takes the place of. */
void record_replaced(const char *path);
/** Keeps bytes of the archive that are not content. */
void record_bytes(const uint8_t *bytes, size_t size);
void record_open(int fd);
void record_close(void);

/** Owner, mode, attributes and time of what was made for an entry. */
void entry_properties(const struct entry *entry, const char *path);
/** Makes a regular file, which must not be there, with the content that follows. */
void entry_file(const struct entry *entry);
/** Making files in a directory changes its time, so it is set at the end, by entry_date_all. */
void entry_date_later(const char *path, int64_t mtime);
void entry_date_all(void);
