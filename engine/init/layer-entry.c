/* Reads the headers of a tar archive (ustar, pax, GNU long names) from standard input. Nothing in it is trusted. */
#include "layer-entry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONG_LIMIT = 1 << 20, ZERO_RUN = 16 };

static FILE *split;     /* NULL: nothing is recorded */
static char *pax;       /* the text that the current entry's attributes point into */

void record_open(int fd)
{
	if (!(split = fdopen(fd, "w")))
		layer_fail("open", "");
}

void record_close(void)
{
	if (fclose(split) != 0)
		layer_fail("write", "");
}

static void note(char kind, size_t length, const void *bytes, size_t size)
{
	uint32_t number = (uint32_t)length;
	if (!length || !split)
		return;
	if (putc(kind, split) == EOF || fwrite(&number, sizeof number, 1, split) != 1 ||
	    (size && fwrite(bytes, size, 1, split) != 1))
		layer_fail("write", "");
}

/* Keeps bytes of the archive; a header is mostly zeros. */
void record_bytes(const uint8_t *bytes, size_t size)
{
	size_t begin = 0;
	if (!split)
		return;
	for (size_t i = 0; i < size;) {
		size_t end = i;
		while (end < size && !bytes[end])
			end++;
		if (end - i >= ZERO_RUN) {
			note('R', i - begin, bytes + begin, i - begin);
			note('Z', end - i, NULL, 0);
			begin = end;
		}
		i = end > i ? end : i + 1;
	}
	note('R', size - begin, bytes + begin, size - begin);
}

static void note_file(char kind, const char *path, uint64_t size)
{
	uint8_t bytes[sizeof size + PATH_LIMIT];
	size_t length = strlen(path);
	memcpy(bytes, &size, sizeof size);
	memcpy(bytes + sizeof size, path, length);
	note(kind, length, bytes, sizeof size + length);
}

void record_file(const char *path, uint64_t size)
{
	note_file('F', path, size);
}

void record_replaced(const char *path)
{
	static char buffer[65536];
	struct stat st;
	if (!split)
		return;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		layer_fail("open", path);
	uint64_t left = (uint64_t)st.st_size;
	note_file('O', path, left);
	while (left) {
		ssize_t n = read(fd, buffer, left < sizeof buffer ? (size_t)left : sizeof buffer);
		if (n <= 0 || fwrite(buffer, (size_t)n, 1, split) != 1)
			layer_fail("keep", path);
		left -= (uint64_t)n;
	}
	close(fd);
}

void take_content(void *bytes, size_t size)
{
	errno = 0;
	if (size && fread(bytes, size, 1, stdin) != 1)
		layer_fail("unexpected EOF", "");
}

static void take(void *bytes, size_t size)
{
	take_content(bytes, size);
	record_bytes(bytes, size);
}

void skip_bytes(uint64_t size)
{
	static uint8_t buffer[65536];
	while (size) {
		size_t part = size < sizeof buffer ? (size_t)size : sizeof buffer;
		take(buffer, part);
		size -= part;
	}
}

void skip_rest(void)
{
	static uint8_t buffer[65536];
	for (size_t n; (n = fread(buffer, 1, sizeof buffer, stdin)) > 0;)
		record_bytes(buffer, n);
}

static uint64_t number(const char *field, size_t width)
{
	uint64_t value = 0;
	if (*field & 0x80) { /* GNU's form for large numbers */
		for (size_t i = 0; i < width; i++) {
			if (value >> 55)
				layer_fail("archive/tar: invalid tar header", "");
			value = value << 8 | (uint8_t)(i ? field[i] : field[i] & 0x7f);
		}
		return value;
	}
	size_t i = 0;
	while (i < width && (field[i] == ' ' || field[i] == 0))
		i++;
	for (; i < width && field[i] >= '0' && field[i] <= '7'; i++)
		value = value << 3 | (uint64_t)(field[i] - '0');
	return value;
}

static void copy_name(char *to, const char *from, size_t size)
{
	errno = 0;
	if (size >= PATH_LIMIT || memchr(from, 0, size))
		layer_fail("a name in the archive is too long or has a NUL", "");
	memcpy(to, from, size);
	to[size] = 0;
}

/* The body of a header for the next header, NUL-terminated. */
static char *take_text(uint64_t size)
{
	errno = 0;
	if (size > LONG_LIMIT)
		layer_fail("a header of the archive is too long", "");
	char *text = malloc((size_t)size + 1);
	if (!text)
		layer_fail("memory", "");
	take(text, (size_t)size);
	text[size] = 0;
	skip_bytes((BLOCK - size % BLOCK) % BLOCK);
	return text;
}

struct overrides {
	char path[PATH_LIMIT], link[PATH_LIMIT];
	bool has_size, has_uid, has_gid, has_mtime;
	uint64_t size, uid, gid;
	int64_t mtime;
};

static bool is(const char *key, size_t length, const char *name)
{
	return strlen(name) == length && memcmp(key, name, length) == 0;
}

static void apply(struct entry *entry, struct overrides *o, char *key, size_t length, char *value, size_t size)
{
	static const char xattr[] = "SCHILY.xattr.";
	if (is(key, length, "path")) {
		copy_name(o->path, value, size);
	} else if (is(key, length, "linkpath")) {
		copy_name(o->link, value, size);
	} else if (is(key, length, "size")) {
		o->has_size = true, o->size = strtoull(value, NULL, 10);
	} else if (is(key, length, "uid")) {
		o->has_uid = true, o->uid = strtoull(value, NULL, 10);
	} else if (is(key, length, "gid")) {
		o->has_gid = true, o->gid = strtoull(value, NULL, 10);
	} else if (is(key, length, "mtime")) {
		o->has_mtime = true, o->mtime = strtoll(value, NULL, 10);
	} else if (length > 11 && memcmp(key, "GNU.sparse.", 11) == 0) {
		layer_fail("sparse files in archives are not supported", "");
	} else if (length > sizeof xattr - 1 && memcmp(key, xattr, sizeof xattr - 1) == 0 &&
		   entry->attribute_count < ATTRIBUTE_LIMIT) {
		key[length] = 0;
		entry->attributes[entry->attribute_count++] =
			(struct attribute){key + sizeof xattr - 1, value, size};
	}
}

static void parse_pax(struct entry *entry, struct overrides *o, char *text, size_t size)
{
	errno = 0;
	for (char *at = text, *end = text + size; at < end && *at;) {
		char *after;
		unsigned long length = strtoul(at, &after, 10);
		if (*after != ' ' || length > (size_t)(end - at) || length < (size_t)(after - at) + 4 || at[length - 1] != '\n')
			layer_fail("archive/tar: invalid tar header", "");
		char *key = after + 1, *last = at + length - 1;
		char *equals = memchr(key, '=', (size_t)(last - key));
		if (!equals)
			layer_fail("archive/tar: invalid tar header", "");
		*last = 0;
		apply(entry, o, key, (size_t)(equals - key), equals + 1, (size_t)(last - equals - 1));
		at = last + 1;
	}
}

static void fill(struct entry *entry, const struct header *h, const struct overrides *o)
{
	char name[sizeof h->prefix + sizeof h->name + 2];
	bool has_prefix = memcmp(h->magic, "ustar\0", 6) == 0 && *h->prefix;
	snprintf(name, sizeof name, "%.*s%s%.*s", has_prefix ? (int)sizeof h->prefix : 0, h->prefix, has_prefix ? "/" : "",
		 (int)sizeof h->name, h->name);
	strcpy(entry->path, *o->path ? o->path : name);
	snprintf(name, sizeof name, "%.*s", (int)sizeof h->link, h->link);
	strcpy(entry->link, *o->link ? o->link : name);
	size_t length = strlen(entry->path);
	bool is_old_directory = (h->type == 0 || h->type == '0') && length && entry->path[length - 1] == '/';
	entry->type = h->type == 0 || h->type == '7' ? '0' : h->type;
	if (is_old_directory)
		entry->type = '5';
	entry->mode = (mode_t)number(h->mode, sizeof h->mode) & 07777;
	entry->uid = o->has_uid ? o->uid : number(h->uid, sizeof h->uid);
	entry->gid = o->has_gid ? o->gid : number(h->gid, sizeof h->gid);
	entry->size = o->has_size ? o->size : number(h->size, sizeof h->size);
	entry->mtime = o->has_mtime ? o->mtime : (int64_t)number(h->mtime, sizeof h->mtime);
	errno = 0;
	if (entry->size > INT64_MAX || entry->uid > UINT32_MAX - 1 || entry->gid > UINT32_MAX - 1)
		layer_fail("archive/tar: invalid tar header", "");
}

/* A block, or false at the end of the input where a block might begin. */
static bool take_header(struct header *header)
{
	int first = getc(stdin);
	if (first == EOF)
		return false;
	ungetc(first, stdin);
	take(header, sizeof *header);
	return true;
}

bool next_entry(struct entry *entry)
{
	static struct header header;
	static const struct header zero;
	struct overrides overrides = {.path = ""};
	free(pax);
	pax = NULL;
	entry->attribute_count = 0;
	for (;;) {
		if (!take_header(&header) || memcmp(&header, &zero, sizeof zero) == 0)
			return false;
		errno = 0;
		if (number(header.checksum, sizeof header.checksum) != header_sum(&header))
			layer_fail("archive/tar: invalid tar header", "");
		uint64_t size = number(header.size, sizeof header.size);
		if (header.type == 'x') {
			free(pax);
			entry->attribute_count = 0;
			pax = take_text(size);
			parse_pax(entry, &overrides, pax, (size_t)size);
		} else if (header.type == 'L' || header.type == 'K') {
			char *text = take_text(size);
			copy_name(header.type == 'L' ? overrides.path : overrides.link, text, strlen(text));
			free(text);
		} else if (header.type == 'g') {
			free(take_text(size));
		} else {
			fill(entry, &header, &overrides);
			return true;
		}
	}
}
