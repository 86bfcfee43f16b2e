/* An overlay's upper directory as a layer archive: whiteouts and opaque directories get the names that archives use. */
#include "layer-entry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { DEPTH_LIMIT = 256 };

static char zeros[BLOCK];
static int64_t latest_time;
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
	if (type == '3') {
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

static void give_entry(const char *name, const char *path, char type, const struct stat *st, uint64_t size, const char *target)
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
	char *path;
} *known;
static size_t known_count;

static const char *first_name(const struct stat *st, const char *path)
{
	for (size_t i = known_count; i-- > 0;)
		if (known[i].ino == st->st_ino && known[i].dev == st->st_dev)
			return known[i].path;
	if (known_count % 64 == 0)
		known = realloc(known, (known_count + 64) * sizeof *known);
	char *copy = strdup(path);
	if (!known || !copy)
		layer_fail("memory", "");
	known[known_count++] = (struct known){st->st_dev, st->st_ino, copy};
	return NULL;
}

static void give_file(const char *path, const struct stat *listed)
{
	struct stat st;
	const char *first = listed->st_nlink > 1 ? first_name(listed, path) : NULL;
	if (first) {
		give_entry(path, path, '1', listed, 0, first);
		return;
	}
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ELOOP))
		return; /* it is gone meanwhile */
	if (fd < 0 || fstat(fd, &st) < 0)
		layer_fail("open", path);
	if (S_ISREG(st.st_mode)) {
		give_entry(path, path, '0', &st, (uint64_t)st.st_size, NULL);
		give_content(path, fd, (uint64_t)st.st_size);
	}
	close(fd);
}

static void give_marker(const char *directory, const char *prefix, const char *name)
{
	char path[PATH_LIMIT + 300];
	struct stat st = {.st_mode = 0600};
	snprintf(path, sizeof path, "%s%s%s%s", directory, *directory ? "/" : "", prefix, name);
	give_entry(path, NULL, '0', &st, 0, NULL);
}

static bool is_opaque(const char *path)
{
	char value;
	return lgetxattr(path, "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

static void give_directory(const char *directory, int depth)
{
	errno = ELOOP;
	if (depth > DEPTH_LIMIT)
		layer_fail("list", directory);
	struct dirent **entries;
	int count = scandir(*directory ? directory : ".", &entries, NULL, alphasort);
	if (count < 0)
		layer_fail("list", directory);
	for (int i = 0; i < count; free(entries[i++])) {
		const char *name = entries[i]->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		char path[PATH_LIMIT], target[PATH_LIMIT], slashed[PATH_LIMIT + 1];
		struct stat st;
		errno = ENAMETOOLONG;
		if (snprintf(path, sizeof path, "%s%s%s", directory, *directory ? "/" : "", name) >= (int)sizeof path)
			layer_fail("read", directory);
		if (lstat(path, &st) < 0)
			continue; /* it is gone meanwhile */
		if (S_ISREG(st.st_mode)) {
			give_file(path, &st);
		} else if (S_ISDIR(st.st_mode)) {
			snprintf(slashed, sizeof slashed, "%s/", path);
			give_entry(slashed, path, '5', &st, 0, NULL);
			if (is_opaque(path))
				give_marker(path, ".wh..wh.", ".opq");
			give_directory(path, depth + 1);
		} else if (S_ISLNK(st.st_mode)) {
			ssize_t length = readlink(path, target, sizeof target - 1);
			if (length < 0)
				continue;
			target[length] = 0;
			give_entry(path, path, '2', &st, 0, target);
		} else if (S_ISCHR(st.st_mode) && st.st_rdev == 0) {
			give_marker(directory, ".wh.", name);
		} else if (S_ISFIFO(st.st_mode)) {
			give_entry(path, path, '6', &st, 0, NULL);
		}
	}
	free(entries);
}

void layer_pack(int split, int64_t latest)
{
	latest_time = latest;
	if (split >= 0)
		record_open(split);
	give_directory("", 0);
	give(zeros, sizeof zeros);
	give(zeros, sizeof zeros);
	if (fflush(stdout) != 0)
		layer_fail("write", "");
	if (split < 0)
		return;
	record_close();
	fprintf(stderr, "%" PRIu64 "\n", packed);
}
