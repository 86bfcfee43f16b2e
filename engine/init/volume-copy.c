/* A directory's files copied into another, as `docker` fills a volume from an image. Nothing is followed on either side. */
#include "volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { DEPTH_LIMIT = 200, LINK_LIMIT = 4096, CHUNK = 1 << 20 };

/* the first copy of each file that has several names, by its path below the volume */
static struct copied {
	dev_t dev;
	ino_t ino;
	char *path;
} *copied;
static size_t copied_count;

static int copy_directory(int from, int to, int root, const char *path, int depth);

/* Attributes that the volume's file system or a user namespace does not take are no reason to fail. */
static void copy_attributes(int from, int to)
{
	static char names[65536], value[65536];
	ssize_t size = flistxattr(from, names, sizeof names);
	for (char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
		if (strcmp(name, "security.capability") != 0 && strncmp(name, "user.", 5) != 0 &&
		    strncmp(name, "system.posix_acl_", 17) != 0)
			continue;
		ssize_t length = strncmp(name, "user.overlay.", 13) == 0 ? -1 : fgetxattr(from, name, value, sizeof value);
		if (length >= 0 && fsetxattr(to, name, value, (size_t)length, 0) < 0)
			errno = 0;
	}
}

/* The owner first: it takes away set-user-id bits and capabilities. */
static int copy_metadata(int from, int to, const struct stat *st)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
		return -1;
	copy_attributes(from, to);
	return futimens(to, times);
}

static int write_whole(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t n = write(fd, bytes, size);
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			bytes += n, size -= (size_t)n;
	}
	return 0;
}

static int copy_content(int from, int to)
{
	static char buffer[65536];
	for (ssize_t n; (n = copy_file_range(from, NULL, to, NULL, CHUNK, 0)) != 0;)
		if (n < 0)
			break; /* not between these file systems: read goes on where it stopped, and tells what is really wrong */
	for (ssize_t n; (n = read(from, buffer, sizeof buffer)) != 0;)
		if (n < 0 || write_whole(to, buffer, (size_t)n) < 0)
			return -1;
	return 0;
}

static const char *first_copy(const struct stat *st)
{
	for (size_t i = copied_count; i-- > 0;)
		if (copied[i].ino == st->st_ino && copied[i].dev == st->st_dev)
			return copied[i].path;
	return NULL;
}

static void remember_copy(const struct stat *st, const char *path)
{
	struct copied *table = copied_count % 64 ? copied : realloc(copied, (copied_count + 64) * sizeof *copied);
	char *name = strdup(path);
	if (table)
		copied = table;
	if (table && name && copied_count < LINK_LIMIT) /* beyond it, names become files of their own */
		copied[copied_count++] = (struct copied){st->st_dev, st->st_ino, name};
	else
		free(name);
}

static int copy_file(int from_directory, int to_directory, const char *name, int root, const char *path)
{
	struct stat st;
	int from = openat(from_directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (from < 0 || fstat(from, &st) < 0)
		return -1;
	const char *first = st.st_nlink > 1 ? first_copy(&st) : NULL;
	if (first) {
		close(from);
		return linkat(root, first, to_directory, name, 0);
	}
	int to = openat(to_directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int status = to < 0 || copy_content(from, to) < 0 || copy_metadata(from, to, &st) < 0 ? -1 : 0;
	if (status == 0 && st.st_nlink > 1)
		remember_copy(&st, path);
	int error = errno;
	close(from);
	if (to >= 0)
		close(to);
	errno = error;
	return status;
}

static int copy_symlink(int from, int to, const char *name, const struct stat *st)
{
	char target[4096];
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	ssize_t length = readlinkat(from, name, target, sizeof target - 1);
	if (length < 0)
		return -1;
	target[length] = 0;
	if (symlinkat(target, to, name) < 0 || fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	return utimensat(to, name, times, AT_SYMLINK_NOFOLLOW);
}

static int copy_subdirectory(int from_directory, int to_directory, const char *name, int root, const char *path, int depth)
{
	struct stat st;
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int from = openat(from_directory, name, flags), to = -1, status = -1;
	if (from >= 0 && fstat(from, &st) == 0 && mkdirat(to_directory, name, 0700) == 0 &&
	    (to = openat(to_directory, name, flags)) >= 0 && copy_directory(from, to, root, path, depth + 1) == 0)
		status = copy_metadata(from, to, &st);
	int error = errno;
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	errno = error;
	return status;
}

static int copy_entry(int from, int to, const char *name, int root, const char *path, int depth)
{
	struct stat st;
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	switch (st.st_mode & S_IFMT) {
	case S_IFREG: return copy_file(from, to, name, root, path);
	case S_IFLNK: return copy_symlink(from, to, name, &st);
	case S_IFDIR: return copy_subdirectory(from, to, name, root, path, depth);
	case S_IFIFO:
		return mknodat(to, name, S_IFIFO | (st.st_mode & 07777), 0) < 0
			       ? -1
			       : fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW);
	default: return 0; /* no image of a lab host has devices, and a socket means nothing without its owner */
	}
}

static int copy_directory(int from, int to, int root, const char *path, int depth)
{
	if (depth > DEPTH_LIMIT) {
		errno = ELOOP;
		return -1;
	}
	int copy = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), status = 0;
	DIR *directory = copy < 0 ? NULL : fdopendir(copy);
	if (!directory)
		return -1;
	for (struct dirent *entry; status == 0 && (entry = readdir(directory));) {
		char below[4096];
		const char *name = entry->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (snprintf(below, sizeof below, "%s%s%s", path, *path ? "/" : "", name) >= (int)sizeof below) {
			errno = ENAMETOOLONG;
			status = -1;
		} else {
			status = copy_entry(from, to, name, root, below, depth);
		}
	}
	int error = errno;
	closedir(directory);
	errno = error;
	return status;
}

int copy_files(int from, int to)
{
	struct stat st;
	copied_count = 0; /* of another volume */
	if (fstat(from, &st) < 0 || copy_directory(from, to, to, "", 0) < 0)
		return -1;
	return copy_metadata(from, to, &st);
}
