/* The file that a process's output is logged to: appended to by whole lines, and rotated as Docker does it. */
#ifndef BERTH_LOG_FILE_H
#define BERTH_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Each rotation renames every file. */
enum { LOG_FILES_MAX = 1000 };

struct log_file {
	char *path;
	/* "attrs" of every line: a JSON object */
	char *attrs;
	/* -1 when there is no log, or when its process does not run */
	int fd;
	/* 0: never rotated */
	uint64_t limit;
	/* with the one that is written; 1 is emptied instead of renamed */
	uint32_t files;
	bool compresses;
	uint64_t size, checked;
};

void log_file_open(struct log_file *f);
void log_file_close(struct log_file *f);
/* Appends whole lines. */
void log_file_write(struct log_file *f, const uint8_t *lines, size_t size, uint64_t now);

/* A child of ours has ended: true when it was one that compressed a log. */
bool log_compressor_reaped(pid_t pid);

/* The name of a rotated file, 1 being the youngest, or NULL when memory is short; the caller frees it. */
char *log_rotated_name(const char *path, uint32_t number, const char *ending);

#endif
