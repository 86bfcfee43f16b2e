/* Removing what the student may still be writing to: directory trees and cgroups. */
#include "steps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_DEPTH = 64, MAX_PASSES = 1000 };

static void sleep_ms(long milliseconds)
{
	nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000}, NULL);
}

/* The mount that a file is in: unlike st_dev it also tells a bind mount of the same file system. */
static bool mount_of(int directory, const char *name, uint64_t *id)
{
	struct statx st;
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH);
	if (statx(directory, name, flags, STATX_MNT_ID, &st) < 0)
		return false;
	*id = st.stx_mnt_id;
	return true;
}

struct removal {
	int root;
	uint64_t mount;
	unsigned moved;
};

static int open_directory(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

static int empty_directory(struct removal *r, int fd, int depth);

static int remove_entry(struct removal *r, int parent, const char *name, int depth)
{
	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -1;
	if (depth >= MAX_DEPTH) {
		/* no path is too deep: bring it up under the root, whose next pass meets it there */
		char flat[40];
		snprintf(flat, sizeof flat, ".berth-removing.%u", r->moved++);
		return renameat(parent, name, r->root, flat);
	}
	int fd = open_directory(parent, name);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	int result = empty_directory(r, fd, depth + 1), error = errno;
	close(fd);
	if (result == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT && errno != ENOTEMPTY)
		return -1;
	errno = error;
	return result;
}

/* Goes on past what cannot be removed, and reports the first such thing. */
static int empty_directory(struct removal *r, int fd, int depth)
{
	uint64_t mount;
	if (!mount_of(fd, "", &mount) || mount != r->mount) {
		errno = EBUSY;
		return -1;
	}
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3), error = 0;
	DIR *directory = copy < 0 ? NULL : fdopendir(copy);
	if (!directory) {
		error = errno;
		if (copy >= 0)
			close(copy);
		errno = error;
		return -1;
	}
	for (struct dirent *entry; (entry = readdir(directory));) {
		bool dots = entry->d_name[0] == '.' && (!entry->d_name[1] || (entry->d_name[1] == '.' && !entry->d_name[2]));
		if (!dots && remove_entry(r, fd, entry->d_name, depth) < 0 && !error)
			error = errno;
	}
	closedir(directory);
	errno = error;
	return error ? -1 : 0;
}

static int parent_mount(const char *path, uint64_t *id)
{
	char parent[PATH_MAX];
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/')
		length--;
	while (length && path[length - 1] != '/')
		length--;
	if (length >= sizeof parent) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(parent, length ? path : ".", length ? length : 1);
	parent[length ? length : 1] = 0;
	return mount_of(AT_FDCWD, parent, id) ? 0 : -1;
}

int remove_tree(const char *path)
{
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	struct removal r = {.root = open_directory(AT_FDCWD, path)};
	if (r.root < 0)
		return errno == ENOENT ? 0 : -1;
	int result = parent_mount(path, &r.mount);
	for (int pass = 0; result == 0 && pass < MAX_PASSES; pass++) {
		lseek(r.root, 0, SEEK_SET);
		result = empty_directory(&r, r.root, 0);
		if (result == 0 && (rmdir(path) == 0 || errno == ENOENT))
			break;
		if (result == 0 && errno != ENOTEMPTY)
			result = -1;
		if (result == 0 && pass + 1 == MAX_PASSES)
			result = -1; /* someone keeps writing to it */
	}
	int error = errno;
	close(r.root);
	errno = error;
	return result;
}

int empty_tree(int directory)
{
	struct removal r = {.root = directory};
	if (!mount_of(directory, "", &r.mount))
		return -1;
	/* what is very deep comes up, and goes in a later pass */
	for (int pass = 0; pass < MAX_PASSES; pass++) {
		unsigned before = r.moved;
		lseek(directory, 0, SEEK_SET);
		if (empty_directory(&r, directory, 0) < 0)
			return -1;
		if (r.moved == before)
			return 0;
	}
	errno = ENOTEMPTY;
	return -1;
}

static void put_file(int directory, const char *name, const char *text)
{
	int fd = openat(directory, name, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		errno = 0; /* best effort: rmdir tells whether it worked */
	close(fd);
}

static void kill_members(int directory)
{
	char text[4096];
	int fd = openat(directory, "cgroup.procs", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	long pid = 0;
	for (ssize_t n; (n = read(fd, text, sizeof text)) > 0;)
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = pid < INT_MAX / 10 ? pid * 10 + (text[i] - '0') : INT_MAX;
				continue;
			}
			if (pid > 1 && pid != getpid() && pid != getppid())
				kill((pid_t)pid, SIGKILL);
			pid = 0;
		}
	close(fd);
}

/* Kills and removes the cgroups below `fd`, deepest first. 0 when all are gone. */
static int remove_children(int fd, int depth)
{
	/* v2 has one switch for all; in v1 a frozen task dies only once it is thawed */
	if (depth == 0)
		put_file(fd, "cgroup.kill", "1");
	put_file(fd, "freezer.state", "THAWED");
	kill_members(fd);
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3), result = 0;
	DIR *directory = copy < 0 ? NULL : fdopendir(copy);
	if (!directory)
		return -1;
	rewinddir(directory);
	for (struct dirent *entry; (entry = readdir(directory));) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || depth >= MAX_DEPTH)
			continue;
		int child = open_directory(fd, entry->d_name);
		if (child < 0)
			continue;
		result |= remove_children(child, depth + 1);
		close(child);
		if (unlinkat(fd, entry->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			result = -1;
	}
	closedir(directory);
	return result;
}

int remove_cgroup(const char *path)
{
	if (rmdir(path) == 0 || errno == ENOENT)
		return 0;
	int fd = open_directory(AT_FDCWD, path);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	int result = -1, error = EBUSY;
	long waited = 0;
	for (long pause = 1; waited < 1000; waited += pause, pause = pause < 20 ? pause * 2 : 20) {
		remove_children(fd, 0);
		result = rmdir(path) < 0 && errno != ENOENT ? -1 : 0;
		error = errno;
		if (result == 0)
			break;
		sleep_ms(pause);
	}
	close(fd);
	errno = error;
	return result;
}
