/* Writes a tar archive (ustar, pax where that is too narrow) to standard output, and its record where one is kept. */
#include "tar-write.h"

#include "layer-entry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static char zeros[BLOCK];
static int64_t latest_time = INT64_MAX;
static uint64_t packed;

static void give_bytes(const void *bytes, size_t size)
{
	if (size && fwrite(bytes, size, 1, stdout) != 1)
		layer_fail("write", "");
}

static void give(const void *bytes, size_t size)
{
	give_bytes(bytes, size);
	record_bytes(bytes, size);
}

static void pad(uint64_t size)
{
	give(zeros, (BLOCK - size % BLOCK) % BLOCK);
}

static void octal(char *field, size_t width, uint64_t value)
{
	char digits[32];
	snprintf(digits, sizeof digits, "%0*llo", (int)width - 1, (unsigned long long)value);
	memcpy(field, digits, width - 1);
}

static void give_header(const char *name, char type, const struct stat *st, uint64_t size, const char *target)
{
	struct header header = {.type = type, .magic = "ustar", .version = {'0', '0'}};
	memcpy(header.name, name, strnlen(name, sizeof header.name));
	if (target)
		memcpy(header.link, target, strnlen(target, sizeof header.link));
	octal(header.mode, sizeof header.mode, st->st_mode & 07777);
	octal(header.uid, sizeof header.uid, st->st_uid & 07777777);
	octal(header.gid, sizeof header.gid, st->st_gid & 07777777);
	octal(header.size, sizeof header.size, size < 077777777777 ? size : 0);
	int64_t mtime = st->st_mtime < latest_time ? st->st_mtime : latest_time;
	octal(header.mtime, sizeof header.mtime, mtime > 0 ? (uint64_t)mtime & 077777777777 : 0);
	if (type == '3' || type == '4') {
		octal(header.major, sizeof header.major, major(st->st_rdev));
		octal(header.minor, sizeof header.minor, minor(st->st_rdev));
	}
	snprintf(header.checksum, sizeof header.checksum, "%06o", header_sum(&header));
	header.checksum[7] = ' ';
	give(&header, sizeof header);
}

/* "<length> <key>=<value>\n", where the length counts itself */
static void record(FILE *pax, const char *key, const void *value, size_t size)
{
	size_t rest = strlen(key) + size + 3, total = rest + 1;
	for (;;) {
		size_t with = rest + (size_t)snprintf(NULL, 0, "%zu", total);
		if (with == total)
			break;
		total = with;
	}
	fprintf(pax, "%zu %s=", total, key);
	fwrite(value, 1, size, pax);
	fputc('\n', pax);
}

static void attributes(FILE *pax, const char *path)
{
	static char names[65536], value[65536];
	ssize_t size = llistxattr(path, names, sizeof names);
	for (char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
		bool kept = strcmp(name, "security.capability") == 0 || strncmp(name, "user.", 5) == 0;
		if (!kept || overlay_attribute(name))
			continue;
		ssize_t length = lgetxattr(path, name, value, sizeof value);
		char key[300];
		snprintf(key, sizeof key, "SCHILY.xattr.%.255s", name);
		if (length >= 0)
			record(pax, key, value, (size_t)length);
	}
}

void tar_entry(const char *name, const char *path, char type, const struct stat *st, uint64_t size, const char *target)
{
	char *text;
	size_t length;
	FILE *pax = open_memstream(&text, &length);
	if (!pax)
		layer_fail("memory", "");
	if (strlen(name) > 100)
		record(pax, "path", name, strlen(name));
	if (target && strlen(target) > 100)
		record(pax, "linkpath", target, strlen(target));
	if (size >= 077777777777) {
		char digits[24];
		record(pax, "size", digits, (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)size));
	}
	if (path && type != '1')
		attributes(pax, path);
	fclose(pax);
	if (length) {
		struct stat plain = {.st_mode = 0644};
		give_header("PaxHeaders/entry", 'x', &plain, length, NULL);
		give(text, length);
		pad(length);
	}
	free(text);
	give_header(name, type, st, size, target);
}

static void give_content(const char *path, int fd, uint64_t size)
{
	static char buffer[65536];
	record_file(path, size);
	packed += size;
	for (uint64_t left = size; left;) {
		size_t wanted = left < sizeof buffer ? (size_t)left : sizeof buffer;
		ssize_t n = read(fd, buffer, wanted);
		if (n < 0)
			layer_fail("read", path);
		if (n == 0) /* it became shorter meanwhile */
			memset(buffer, 0, (size_t)(n = (ssize_t)wanted));
		give_bytes(buffer, (size_t)n);
		left -= (uint64_t)n;
	}
	pad(size);
}

/* the first name of each file that has several */
static struct known {
	dev_t dev;
	ino_t ino;
	char *name;
} *known;
static size_t known_count;

static const char *first_name(const struct stat *st, const char *name)
{
	for (size_t i = known_count; i-- > 0;)
		if (known[i].ino == st->st_ino && known[i].dev == st->st_dev)
			return known[i].name;
	if (known_count % 64 == 0)
		known = realloc(known, (known_count + 64) * sizeof *known);
	char *copy = strdup(name);
	if (!known || !copy)
		layer_fail("memory", "");
	known[known_count++] = (struct known){st->st_dev, st->st_ino, copy};
	return NULL;
}

void tar_file(const char *name, const char *path, const struct stat *listed)
{
	struct stat st;
	const char *first = listed->st_nlink > 1 ? first_name(listed, name) : NULL;
	if (first) {
		tar_entry(name, path, '1', listed, 0, first);
		return;
	}
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ELOOP))
		return; /* it is gone meanwhile */
	if (fd < 0 || fstat(fd, &st) < 0)
		layer_fail("open", path);
	if (S_ISREG(st.st_mode)) {
		tar_entry(name, path, '0', &st, (uint64_t)st.st_size, NULL);
		give_content(path, fd, (uint64_t)st.st_size);
	}
	close(fd);
}

void tar_limit_times(int64_t latest)
{
	latest_time = latest;
}

uint64_t tar_content_size(void)
{
	return packed;
}

void tar_end(void)
{
	give(zeros, sizeof zeros);
	give(zeros, sizeof zeros);
	if (fflush(stdout) != 0)
		layer_fail("write", "");
}
