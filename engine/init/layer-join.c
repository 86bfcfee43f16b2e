/* The archive of a layer again, byte for byte: what was between the contents of its files was kept when it was unpacked. */
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void take(FILE *from, void *bytes, size_t size)
{
	errno = 0;
	if (size && fread(bytes, size, 1, from) != 1)
		layer_fail("the layer's record ends early", "");
}

static void give(const void *bytes, size_t size)
{
	if (size && fwrite(bytes, size, 1, stdout) != 1)
		layer_fail("write", "");
}

/* A file that a later entry took the place of: where the record of that begins, and where its content lies. */
static struct replaced {
	char *path;
	off_t record, content;
	uint64_t size;
} *replaced;
static size_t replaced_count;

static int compare(const void *a, const void *b)
{
	const struct replaced *x = a, *y = b;
	int order = strcmp(x->path, y->path);
	return order ? order : (x->record > y->record) - (x->record < y->record);
}

static void take_path(FILE *from, char path[PATH_LIMIT], uint32_t length)
{
	errno = 0;
	if (length >= PATH_LIMIT)
		layer_fail("the layer's record is damaged", "");
	take(from, path, length);
	path[length] = 0;
}

static void skip(FILE *from, uint64_t size)
{
	if (size > INT64_MAX || fseeko(from, (off_t)size, SEEK_CUR) < 0)
		layer_fail("the layer's record is damaged", "");
}

/* Goes through the record once, for what was replaced. */
static void find_replaced(FILE *from)
{
	char path[PATH_LIMIT];
	uint32_t length;
	uint64_t size;
	for (int kind; (kind = getc(from)) != EOF;) {
		off_t record = ftello(from);
		take(from, &length, sizeof length);
		if (kind == 'R')
			skip(from, length);
		if (kind != 'F' && kind != 'O')
			continue;
		take(from, &size, sizeof size);
		take_path(from, path, length);
		if (kind == 'F')
			continue;
		if (replaced_count % 64 == 0)
			replaced = realloc(replaced, (replaced_count + 64) * sizeof *replaced);
		char *copy = strdup(path);
		if (!replaced || !copy)
			layer_fail("memory", "");
		replaced[replaced_count++] = (struct replaced){copy, record, ftello(from), size};
		skip(from, size);
	}
	if (replaced_count)
		qsort(replaced, replaced_count, sizeof *replaced, compare);
	rewind(from);
}

/* The first replacing of a path after a place in the record. */
static const struct replaced *next_replaced(const char *path, off_t record)
{
	size_t low = 0, high = replaced_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(replaced[middle].path, path);
		if (order < 0 || (order == 0 && replaced[middle].record < record))
			low = middle + 1;
		else
			high = middle;
	}
	return low < replaced_count && strcmp(replaced[low].path, path) == 0 ? &replaced[low] : NULL;
}

static void give_replaced(int split, const struct replaced *r, uint64_t size)
{
	static char buffer[65536];
	errno = 0;
	if (r->size != size)
		layer_fail("not the layer's file any more:", r->path);
	for (uint64_t done = 0; done < size;) {
		size_t part = size - done < sizeof buffer ? (size_t)(size - done) : sizeof buffer;
		ssize_t n = pread(split, buffer, part, r->content + (off_t)done);
		if (n <= 0)
			layer_fail("read", r->path);
		give(buffer, (size_t)n);
		done += (uint64_t)n;
	}
}

static void give_file(const char *path, uint64_t size)
{
	static char buffer[65536];
	struct stat st;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		layer_fail("open", path);
	errno = 0;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		layer_fail("not the layer's file any more:", path);
	while (size) {
		ssize_t n = read(fd, buffer, size < sizeof buffer ? (size_t)size : sizeof buffer);
		if (n <= 0)
			layer_fail("read", path);
		give(buffer, (size_t)n);
		size -= (uint64_t)n;
	}
	close(fd);
}

void layer_join(int split)
{
	FILE *from = fdopen(split, "r");
	if (!from)
		layer_fail("open", "");
	char path[PATH_LIMIT], bytes[4096];
	uint32_t length;
	uint64_t size;
	find_replaced(from);
	for (int kind; (kind = getc(from)) != EOF;) {
		off_t record = ftello(from);
		take(from, &length, sizeof length);
		if (kind == 'F' || kind == 'O') {
			take(from, &size, sizeof size);
			take_path(from, path, length);
			const struct replaced *r = kind == 'F' ? next_replaced(path, record) : NULL;
			if (r)
				give_replaced(split, r, size);
			else if (kind == 'F')
				give_file(path, size);
			else
				skip(from, size);
			continue;
		}
		if (kind != 'R' && kind != 'Z')
			layer_fail("the layer's record is damaged", "");
		memset(bytes, 0, sizeof bytes);
		for (size_t part; length; length -= (uint32_t)part) {
			part = length < sizeof bytes ? length : sizeof bytes;
			if (kind == 'R')
				take(from, bytes, part);
			give(bytes, part);
		}
	}
	if (fflush(stdout) != 0)
		layer_fail("write", "");
}
