/* Files of a container on their way out: what stat(2) says of one, and archives of a file, a directory or everything. */
#include "layer.h"
#include "tar-write.h"
#include "view.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEPTH_LIMIT = 256 };

/* Where a link leads in the end; as far as there is anything. */
static void resolve_link(const char *path, char target[PATH_MAX])
{
	char link[PATH_MAX], joined[2 * PATH_MAX], directory[PATH_MAX];
	if (realpath(path, target))
		return;
	ssize_t length = readlink(path, link, sizeof link - 1);
	*target = 0;
	if (length < 0)
		return;
	link[length] = 0;
	const char *slash = strrchr(path, '/');
	snprintf(joined, sizeof joined, "%.*s/%s", *link == '/' ? 0 : (int)(slash - path), path, link + (*link == '/'));
	char *base = strrchr(joined, '/');
	*base = 0;
	const char *above = realpath(*joined ? joined : "/", directory) ? directory : joined;
	snprintf(target, PATH_MAX, "%.*s/%.*s", PATH_MAX / 2, strcmp(above, "/") == 0 ? "" : above, PATH_MAX / 2 - 2, base + 1);
}

static void give_stat(const char *path, struct stat *st)
{
	char target[PATH_MAX] = "";
	if (lstat(path, st) < 0 && errno == ENOENT)
		exit(VIEW_NOT_FOUND);
	else if (lstat(path, st) < 0)
		view_refuse(1, "lstat %s: %s", path, strerror(errno));
	if (S_ISLNK(st->st_mode))
		resolve_link(path, target);
	printf("%o %lld %lld %ld %s%c", st->st_mode, (long long)st->st_size, (long long)st->st_mtim.tv_sec,
	       st->st_mtim.tv_nsec, target, 0);
}

void view_stat(const char *path)
{
	struct stat st;
	give_stat(path, &st);
	if (fflush(stdout) != 0)
		layer_fail("write", "");
}

static void give_any(const char *name, const char *path, const struct stat *st)
{
	char target[PATH_LIMIT];
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		tar_file(name, path, st);
		break;
	case S_IFLNK: {
		ssize_t length = readlink(path, target, sizeof target - 1);
		if (length < 0)
			return; /* it is gone meanwhile */
		target[length] = 0;
		tar_entry(name, path, '2', st, 0, target);
		break;
	}
	case S_IFDIR:
		tar_entry(name, path, '5', st, 0, NULL);
		break;
	case S_IFCHR:
		tar_entry(name, path, '3', st, 0, NULL);
		break;
	case S_IFBLK:
		tar_entry(name, path, '4', st, 0, NULL);
		break;
	case S_IFIFO:
		tar_entry(name, path, '6', st, 0, NULL);
		break;
	default: /* a socket is nothing without its process */
		break;
	}
}

/* `path` is relative to the working directory, '' itself; `name` ends with a slash, or is ''. */
static void give_directory(const char *name, const char *path, int depth)
{
	struct dirent **entries;
	errno = ELOOP;
	int count = depth > DEPTH_LIMIT ? -1 : scandir(*path ? path : ".", &entries, NULL, alphasort);
	if (count < 0 && depth && errno == ENOENT)
		return; /* it is gone meanwhile */
	if (count < 0)
		view_refuse(1, "open %s: %s", *path ? path : name, strerror(errno));
	for (int i = 0; i < count; free(entries[i++])) {
		const char *entry = entries[i]->d_name;
		char below[PATH_LIMIT], named[PATH_LIMIT];
		struct stat st;
		if (strcmp(entry, ".") == 0 || strcmp(entry, "..") == 0)
			continue;
		int length = snprintf(below, sizeof below, "%s%s%s", path, *path ? "/" : "", entry);
		errno = ENAMETOOLONG;
		/* room for the slash of a directory */
		if (length >= (int)sizeof below - 1 || snprintf(named, sizeof named - 1, "%s%s", name, entry) >= (int)sizeof named - 2)
			layer_fail("read", path);
		if (lstat(below, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			strcat(named, "/");
		give_any(named, below, &st);
		if (S_ISDIR(st.st_mode))
			give_directory(named, below, depth + 1);
	}
	free(entries);
}

void view_get(const char *path, const char *name)
{
	struct stat st;
	char named[PATH_LIMIT];
	give_stat(path, &st);
	bool is_directory = S_ISDIR(st.st_mode);
	errno = ENAMETOOLONG;
	if (snprintf(named, sizeof named, "%s%s", name, is_directory ? "/" : "") >= (int)sizeof named)
		layer_fail("read", path);
	give_any(named, path, &st);
	if (is_directory) {
		if (chdir(path) < 0)
			view_refuse(1, "open %s: %s", path, strerror(errno));
		give_directory(named, "", 0);
	}
	tar_end();
}

void view_export(void)
{
	give_directory("", "", 0);
	tar_end();
}
