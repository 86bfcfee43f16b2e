/* Where a path of the target leads: through links too that lead to nothing, as BuildKit sees it (continuity's fs.RootPath). */
#include "copy.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINK_LIMIT = 255 };

/* Takes the last component off a path; "" is the root. */
static void go_up(char *path)
{
	char *slash = strrchr(path, '/');
	if (slash)
		*slash = 0;
}

char *resolved_path(const char *path)
{
	static char done[PATH_MAX], rest[PATH_MAX], link[PATH_MAX], next[2 * PATH_MAX];
	size_t length = strlen(path);
	bool is_directory = length && path[length - 1] == '/';
	errno = ENAMETOOLONG;
	if (length >= sizeof rest - 1)
		layer_fail("copy", path);
	memcpy(rest, path, length + 1);
	*done = 0;
	for (int links = 0; *rest;) {
		char name[NAME_MAX + 1];
		size_t start = strspn(rest, "/"), size = strcspn(rest + start, "/"), used = strlen(done);
		errno = ENAMETOOLONG;
		if (size > NAME_MAX || used + size + 2 > sizeof done)
			layer_fail("copy", path);
		memcpy(name, rest + start, size);
		name[size] = 0;
		memmove(rest, rest + start + size, strlen(rest + start + size) + 1);
		if (!size || strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			go_up(done);
			continue;
		}
		snprintf(done + used, sizeof done - used, "/%s", name);
		ssize_t n = readlink(done, link, sizeof link - 1);
		if (n < 0)
			continue; /* no link, or not there */
		link[n] = 0;
		errno = ELOOP;
		if (++links > LINK_LIMIT)
			layer_fail("copy", path);
		done[*link == '/' ? 0 : used] = 0;
		errno = ENAMETOOLONG;
		if ((size_t)snprintf(next, sizeof next, "%s/%s", link, rest) >= sizeof rest)
			layer_fail("copy", path);
		memcpy(rest, next, strlen(next) + 1);
	}
	char *result;
	if (asprintf(&result, "%s%s", done, is_directory || !*done ? "/" : "") < 0)
		layer_fail("memory", "");
	return result;
}
