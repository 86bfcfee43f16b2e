/* The steps that touch files: directories, files, links, mounts. They run in the forked child. */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

int open_regular(const char *path, int flags, unsigned mode)
{
	struct stat st;
	int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, mode);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

int make_directory(const struct message *s, char *path)
{
	/* most often only the last part is missing, or none */
	int made = mkdir(path, 0755);
	for (char *slash = path; made < 0 && errno == ENOENT && (slash = strchr(slash + 1, '/'));) {
		*slash = 0;
		int parent = mkdir(path, 0755);
		*slash = '/';
		if (parent < 0 && errno != EEXIST)
			return -1;
		errno = ENOENT;
	}
	if (made < 0 && errno == ENOENT)
		made = mkdir(path, 0755);
	struct stat st;
	if (made < 0 && errno == EEXIST && stat(path, &st) == 0) {
		errno = ENOTDIR;
		return S_ISDIR(st.st_mode) ? 0 : -1;
	}
	if (made < 0)
		return -1;
	if (has(s, MODE) && chmod(path, (mode_t)s->number[MODE] & 07777) < 0)
		return -1;
	if (!has(s, UID) && !has(s, GID))
		return 0;
	return lchown(path, (uid_t)number(s, UID, UINT32_MAX), (gid_t)number(s, GID, UINT32_MAX));
}

int write_all(int fd, const uint8_t *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

int close_keeping_errno(int fd, int value)
{
	int error = errno;
	close(fd);
	errno = error;
	return value;
}

int write_file(const struct message *s, const char *path)
{
	bool plain = number(s, FLAGS, 0) & 1;
	if (plain) {
		int fd = open(path, O_WRONLY | O_TRUNC | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		return fd < 0 ? -1 : close_keeping_errno(fd, write_all(fd, s->bytes.data, s->bytes.size));
	}
	char *temporary;
	if (asprintf(&temporary, "%s.berth-%d", path, getpid()) < 0)
		return -1;
	mode_t mode = (mode_t)number(s, MODE, 0644) & 07777;
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -1;
	int status = write_all(fd, s->bytes.data, s->bytes.size);
	if (status == 0)
		status = fchmod(fd, mode);
	close_keeping_errno(fd, 0);
	if (status == 0)
		status = rename(temporary, path);
	int error = errno;
	if (status < 0)
		unlink(temporary);
	free(temporary);
	errno = error;
	return status;
}

int make_symlink(const char *target, const char *path)
{
	if (symlink(target, path) == 0)
		return 0;
	struct stat st;
	if (errno != EEXIST || lstat(path, &st) < 0)
		return -1;
	if (!S_ISLNK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	return unlink(path) < 0 ? -1 : symlink(target, path);
}

int mount_at(const struct message *s, const char *path)
{
	const char *data = has(s, DATA) && *s->string[DATA] ? s->string[DATA] : NULL;
	return mount(s->string[SOURCE], path, s->string[FSTYPE], number(s, FLAGS, 0), data);
}

int unmount(const char *path)
{
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		return 0;
	return errno == EINVAL || errno == ENOENT ? 0 : -1; /* not mounted */
}
