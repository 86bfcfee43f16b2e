/* Copies files and directories with what belongs to them, out of a source that nothing leads out of. */
#include "copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { DEPTH_LIMIT = 256, MATCH_LIMIT = 100000 };

/* Opens below a root; symbolic links lead nowhere else. */
static int open_in(int root, const char *path, int flags)
{
	struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC), .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	return (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);
}

static _Noreturn void not_found(const char *path)
{
	fprintf(stderr, "\"/%s\": not found\n", path + strspn(path, "/"));
	exit(3);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_skipped(const struct copy *copy, const char *path)
{
	return copy->skip_count && bsearch(&path, copy->skips, copy->skip_count, sizeof *copy->skips, by_name);
}

static void copy_attributes(int from, int to)
{
	static char names[65536], value[65536];
	ssize_t size = flistxattr(from, names, sizeof names);
	for (char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
		bool kept = strcmp(name, "security.capability") == 0 || strncmp(name, "user.", 5) == 0;
		ssize_t length = kept && !overlay_attribute(name) ? fgetxattr(from, name, value, sizeof value) : -1;
		if (length >= 0)
			fsetxattr(to, name, value, (size_t)length, 0);
	}
}

static void copy_bytes(int from, int to, const char *path)
{
	static uint8_t buffer[1 << 17];
	ssize_t n;
	while ((n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0)) > 0)
		;
	if (n == 0)
		return;
	while ((n = read(from, buffer, sizeof buffer)) > 0)
		if (write_all(to, buffer, (size_t)n) < 0)
			layer_fail("write", path);
	if (n < 0)
		layer_fail("read", path);
}

/* Owner, mode, attributes and times of what was copied. */
static void finish(const struct copy *copy, int from, int to, const char *path, const struct stat *st)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	struct change change = copy->change;
	if (change.uid < 0) {
		change.uid = st->st_uid;
		change.gid = st->st_gid;
	}
	apply_change(to, path, &change, st->st_mode);
	copy_attributes(from, to);
	futimens(to, times);
}

/* Takes away what is at a name of the target that something else is to have. */
static void make_room_for(const char *path, bool for_directory)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return;
	errno = for_directory ? ENOTDIR : EISDIR;
	if (for_directory != S_ISDIR(st.st_mode))
		layer_fail(for_directory ? "cannot copy to non-directory:" : "cannot replace to directory", path);
	if (!for_directory && unlink(path) < 0)
		layer_fail("unlink", path);
}

/* Files of the source that have several names, and what each became: of one copy, since owners may differ in the next. */
static struct twin {
	dev_t dev;
	ino_t ino;
	char *path;
	struct twin *next;
} *twins[1024];

static void forget_twins(void)
{
	for (size_t i = 0; i < sizeof twins / sizeof *twins; i++)
		for (struct twin *twin; (twin = twins[i]); free(twin)) {
			twins[i] = twin->next;
			free(twin->path);
		}
}

/* Makes another name of what was copied before; false when it was not. */
static bool link_twin(const struct stat *st, const char *to)
{
	struct twin **chain = &twins[st->st_ino % (sizeof twins / sizeof *twins)];
	for (struct twin *twin = *chain; twin; twin = twin->next)
		if (twin->ino == st->st_ino && twin->dev == st->st_dev)
			return link(twin->path, to) == 0;
	struct twin *twin = malloc(sizeof *twin);
	char *path = strdup(to);
	if (!twin || !path)
		layer_fail("memory", "");
	*twin = (struct twin){st->st_dev, st->st_ino, path, *chain};
	*chain = twin;
	return false;
}

static void copy_file(const struct copy *copy, int from, const char *to, const struct stat *st)
{
	make_room_for(to, false);
	if (st->st_nlink > 1 && link_twin(st, to))
		return;
	int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		layer_fail("create", to);
	copy_bytes(from, fd, to);
	finish(copy, from, fd, to, st);
	close(fd);
}

static void copy_link(const struct copy *copy, int directory, const char *name, const char *to, const struct stat *st)
{
	char target[PATH_LIMIT];
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	ssize_t length = readlinkat(directory, name, target, sizeof target - 1);
	if (length < 0)
		layer_fail("readlink", to);
	target[length] = 0;
	make_room_for(to, false);
	bool is_given = copy->change.uid >= 0;
	if (symlink(target, to) < 0 || lchown(to, is_given ? (uid_t)copy->change.uid : st->st_uid,
					       is_given ? (gid_t)copy->change.gid : st->st_gid) < 0)
		layer_fail("symlink", to);
	utimensat(AT_FDCWD, to, times, AT_SYMLINK_NOFOLLOW);
}

static void copy_directory(const struct copy *copy, int from, const char *path, const char *to, bool keeps_target,
			   int depth);

/* One entry of a directory, `path` being its name in the source and `to` its name in the target. */
static void copy_entry(const struct copy *copy, int directory, const char *name, const char *path, const char *to, int depth)
{
	struct stat st;
	if (is_skipped(copy, path))
		return;
	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		layer_fail("stat", path);
	if (S_ISLNK(st.st_mode)) {
		copy_link(copy, directory, name, to, &st);
		return;
	}
	if (S_ISFIFO(st.st_mode)) {
		make_room_for(to, false);
		if (mkfifo(to, st.st_mode & 07777) < 0 || lchown(to, st.st_uid, st.st_gid) < 0)
			layer_fail("mkfifo", to);
		return;
	}
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return; /* sockets are left out, and a lab host has no devices */
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		layer_fail("open", path);
	if (S_ISDIR(st.st_mode))
		copy_directory(copy, fd, path, to, false, depth + 1);
	else
		copy_file(copy, fd, to, &st);
	close(fd);
}

static void join(char *to, const char *directory, const char *name)
{
	size_t length = strlen(directory);
	bool has_slash = length == 0 || directory[length - 1] == '/';
	errno = ENAMETOOLONG;
	if (snprintf(to, PATH_LIMIT, "%s%s%s", directory, has_slash ? "" : "/", name) >= PATH_LIMIT)
		layer_fail("copy", directory);
}

/* `keeps_target`: a directory that is there already keeps its owner and mode. */
static void copy_directory(const struct copy *copy, int from, const char *path, const char *to, bool keeps_target, int depth)
{
	struct stat st, there;
	struct dirent **entries;
	errno = ELOOP;
	if (depth > DEPTH_LIMIT || fstat(from, &st) < 0)
		layer_fail("copy", path);
	bool exists = (keeps_target ? stat(to, &there) : lstat(to, &there)) == 0;
	if (exists && !S_ISDIR(there.st_mode))
		make_room_for(to, true);
	if (!exists && mkdir(to, 0700) < 0)
		layer_fail("mkdir", to);
	int count = scandirat(from, ".", &entries, NULL, alphasort);
	if (count < 0)
		layer_fail("list", path);
	for (int i = 0; i < count; free(entries[i++])) {
		const char *name = entries[i]->d_name;
		char below[PATH_LIMIT], target[PATH_LIMIT];
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		join(below, path, name);
		join(target, to, name);
		copy_entry(copy, from, name, below, target, depth);
	}
	free(entries);
	if (exists && keeps_target)
		return;
	int fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		layer_fail("open", to);
	finish(copy, from, fd, to, &st);
	close(fd);
}

static bool is_directory(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool ends_with_slash(const char *path)
{
	size_t length = strlen(path);
	return length && path[length - 1] == '/';
}

/* Where a source goes: into the target when that is a directory, or is written as one. */
static void choose_target(char *to, const struct copy *copy, const char *source, bool is_contents)
{
	const char *pivot = strstr(source, "/./"), *slash = strrchr(source, '/');
	const char *base = slash ? slash + 1 : source;
	if (copy->flags & COPY_PARENTS)
		join(to, copy->target, pivot ? pivot + 3 : source + strspn(source, "/"));
	else if (!is_contents && (ends_with_slash(copy->target) || is_directory(copy->target)))
		join(to, copy->target, base);
	else
		join(to, copy->target, "");
	for (size_t length = strlen(to); length > 1 && to[length - 1] == '/'; length--)
		to[length - 1] = 0;
}

static void copy_one(const struct copy *copy, const char *source)
{
	char to[PATH_LIMIT], parent[PATH_LIMIT];
	struct stat st;
	const char *plain = source + strspn(source, "/");
	while (plain[0] == '.' && (plain[1] == '/' || !plain[1]))
		plain += plain[1] ? 2 : 1;
	plain += strspn(plain, "/");
	int follow = copy->flags & COPY_FOLLOW ? 0 : O_NOFOLLOW;
	int handle = open_in(copy->root, plain, O_PATH | follow);
	if (handle < 0 || fstat(handle, &st) < 0)
		not_found(source);
	bool is_contents = S_ISDIR(st.st_mode) && copy->flags & COPY_CONTENTS && !(copy->flags & COPY_PARENTS);
	int fd = S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? open_in(copy->root, plain, O_RDONLY | O_NONBLOCK) : -1;
	if (fd >= 0 && S_ISREG(st.st_mode) && copy->flags & COPY_UNPACK && copy_unpacked(copy, fd)) {
		close(fd);
		close(handle);
		return;
	}
	choose_target(to, copy, source, is_contents);
	make_parents_of(to, &copy->change);
	if (S_ISDIR(st.st_mode) && fd >= 0) {
		copy_directory(copy, fd, plain, to, is_contents || is_directory(to), 0);
	} else if (S_ISREG(st.st_mode) && fd >= 0) {
		copy_file(copy, fd, to, &st);
	} else {
		const char *slash = strrchr(plain, '/');
		snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - plain) : 0, plain);
		int directory = open_in(copy->root, parent, O_RDONLY | O_DIRECTORY);
		if (directory < 0)
			not_found(source);
		copy_entry(copy, directory, slash ? slash + 1 : plain, plain, to, 0);
		close(directory);
	}
	if (fd >= 0)
		close(fd);
	close(handle);
}

static char *matches[MATCH_LIMIT];
static size_t match_count;

/* Every path that fits, `done` being what has been matched of it. */
static void match(const struct copy *copy, const char *done, const char *rest)
{
	char pattern[PATH_LIMIT], path[PATH_LIMIT];
	rest += strspn(rest, "/");
	size_t length = strcspn(rest, "/");
	errno = E2BIG;
	if (!*rest) {
		if (match_count == MATCH_LIMIT || !(matches[match_count++] = strdup(done)))
			layer_fail("copy", copy->source);
		return;
	}
	snprintf(pattern, sizeof pattern, "%.*s", (int)length, rest);
	if (!strpbrk(pattern, "*?[\\")) {
		join(path, *done ? done : "", pattern);
		int fd = open_in(copy->root, path, O_PATH | (rest[length] ? 0 : O_NOFOLLOW));
		if (fd < 0)
			return;
		close(fd);
		match(copy, path, rest + length);
		return;
	}
	struct dirent **entries;
	int fd = open_in(copy->root, done, O_RDONLY | O_DIRECTORY);
	int count = fd < 0 ? 0 : scandirat(fd, ".", &entries, NULL, alphasort);
	for (int i = 0; i < count; free(entries[i++])) {
		const char *name = entries[i]->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || fnmatch(pattern, name, 0) != 0)
			continue;
		join(path, done, name);
		match(copy, path, rest + length);
	}
	if (fd >= 0) {
		free(entries);
		close(fd);
	}
}

void copy_all(const struct copy *copy)
{
	forget_twins();
	if (!(copy->flags & COPY_WILDCARD) || !strpbrk(copy->source, "*?[\\")) {
		copy_one(copy, copy->source);
		return;
	}
	match_count = 0;
	match(copy, "", copy->source);
	if (match_count == 0 && !(copy->flags & COPY_EMPTY))
		not_found(copy->source);
	for (size_t i = 0; i < match_count; i++) {
		if (!is_skipped(copy, matches[i]))
			copy_one(copy, matches[i]);
		free(matches[i]);
	}
}
