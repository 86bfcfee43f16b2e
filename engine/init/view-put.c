/* An archive on its way into a container: its members below one directory, by docker cp's rules. Nothing in it is trusted. */
#include "layer-entry.h"
#include "steps.h"
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { ENTRY_LIMIT = 1000000 };

/* The directory that everything goes to: absolute, without links; "" is the root. */
static char into[PATH_MAX];

/* Drops empty and `.` parts and resolves `..` by the name alone; false when it leads above where it begins. */
static bool clean(char *to, const char *from)
{
	char *at = to;
	while (*from) {
		size_t length = strcspn(from, "/");
		bool is_parent = length == 2 && memcmp(from, "..", 2) == 0;
		if (is_parent && at == to)
			return false;
		if (is_parent) {
			while (at > to && *--at != '/')
				;
		} else if (length && !(length == 1 && *from == '.')) {
			if (at != to)
				*at++ = '/';
			memmove(at, from, length);
			at += length;
		}
		from += length;
		from += *from == '/';
	}
	*at = 0;
	return true;
}

static bool is_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);
	return strncmp(path, directory, length) == 0 && (path[length] == '/' || !path[length] || length == 1);
}

/* The deepest mount that the directory is in says whether it may be written to, else the root. */
static void refuse_read_only(const struct view_request *request, const char *directory)
{
	const struct view_mount *inner = NULL;
	for (int i = 0; i < request->mount_count; i++) {
		const struct view_mount *mount = &request->mounts[i];
		if (is_below(directory, mount->target) && (!inner || strlen(mount->target) > strlen(inner->target)))
			inner = mount;
	}
	if (inner && inner->read_only)
		view_refuse(1, "mounted volume is marked read-only");
	if (!inner && request->root_is_read_only)
		view_refuse(1, "container rootfs is marked read-only");
}

static void enter(const struct view_request *request)
{
	struct stat st;
	if (stat(request->path, &st) < 0 && errno == ENOENT)
		exit(VIEW_NOT_FOUND);
	else if (stat(request->path, &st) < 0)
		view_refuse(1, "lstat %s: %s", request->path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		view_refuse(1, "extraction point is not a directory");
	if (chdir(request->path) < 0 || !getcwd(into, sizeof into))
		layer_fail("open", request->path);
	refuse_read_only(request, into);
	if (strcmp(into, "/") == 0)
		*into = 0;
}

static void make_parents(char *path)
{
	struct stat st;
	for (char *slash = path; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		if (stat(path, &st) < 0 && mkdir(path, 0755) < 0 && errno != EEXIST)
			layer_fail("mkdir", path);
		*slash = '/';
	}
}

/* What is there gives way, but directories are merged, and kinds are kept when that is asked for. */
static void make_room(const struct view_request *request, const struct entry *entry)
{
	struct stat st;
	char absolute[2 * PATH_MAX];
	bool is_directory = entry->type == '5';
	if (lstat(entry->path, &st) < 0)
		return;
	const char *shown = *into ? into : "/";
	if (request->keeps_kinds && S_ISDIR(st.st_mode) && !is_directory)
		view_refuse(1, "cannot overwrite directory \"%s/%s\" with non-directory \"%s\"", into, entry->path, shown);
	if (request->keeps_kinds && !S_ISDIR(st.st_mode) && is_directory)
		view_refuse(1, "cannot overwrite non-directory \"%s/%s\" with directory \"%s\"", into, entry->path, shown);
	if (S_ISDIR(st.st_mode) && is_directory)
		return;
	snprintf(absolute, sizeof absolute, "%s/%s", into, entry->path);
	if (remove_tree(absolute) < 0)
		layer_fail("unlinkat", absolute);
}

static void make_link(struct entry *entry)
{
	char target[PATH_LIMIT];
	if (!clean(target, entry->link))
		view_refuse(1, "invalid hardlink \"%s/%s\" -> \"%s\"", into, entry->path, entry->link);
	if (strcmp(target, entry->path) != 0 && linkat(AT_FDCWD, target, AT_FDCWD, entry->path, 0) < 0)
		layer_fail("link", entry->path);
}

/* A link may not lead above the directory, as in Docker; an absolute one is taken to begin at it. */
static void make_symlink_of(const struct entry *entry)
{
	char joined[2 * PATH_LIMIT], target[2 * PATH_LIMIT];
	const char *slash = strrchr(entry->path, '/');
	snprintf(joined, sizeof joined, "%.*s/%s", slash ? (int)(slash - entry->path) : 0, entry->path, entry->link);
	if (*into && !clean(target, joined))
		view_refuse(1, "invalid symlink \"%s/%s\" -> \"%s\"", into, entry->path, entry->link);
	if (symlink(entry->link, entry->path) < 0)
		layer_fail("symlink", entry->path);
	entry_properties(entry, entry->path);
}

static void make_directory_of(const struct entry *entry)
{
	const char *path = *entry->path ? entry->path : ".";
	if (*entry->path && mkdir(path, 0755) < 0 && errno != EEXIST)
		layer_fail("mkdir", path);
	if (!*entry->path)
		return; /* the directory itself stays as it is */
	entry_properties(entry, path);
	entry_date_later(path, entry->mtime);
}

static void skip(const struct entry *entry)
{
	skip_bytes(entry->size + (BLOCK - entry->size % BLOCK) % BLOCK);
}

static void put(const struct view_request *request, struct entry *entry)
{
	char whole[PATH_LIMIT];
	memcpy(whole, entry->path, sizeof whole);
	if (!clean(entry->path, whole))
		view_refuse(1, "\"%s\" is outside of \"%s\"", whole, *into ? into : "/");
	errno = 0;
	if (entry->type == 'S')
		layer_fail("sparse files in archives are not supported:", whole);
	if (!strchr("01256", entry->type) || (!*entry->path && entry->type != '5')) {
		/* devices become nothing: a sandbox may not have any */
		if (!strchr("34", entry->type))
			skip(entry);
		return;
	}
	if (request->sets_owner)
		entry->uid = request->uid, entry->gid = request->gid;
	make_parents(entry->path);
	if (*entry->path)
		make_room(request, entry);
	switch (entry->type) {
	case '0':
		entry_file(entry);
		return;
	case '5':
		make_directory_of(entry);
		break;
	case '2':
		make_symlink_of(entry);
		break;
	case '1':
		make_link(entry);
		break;
	default:
		if (mkfifo(entry->path, 0600) < 0)
			layer_fail("mkfifo", entry->path);
		entry_properties(entry, entry->path);
	}
}

void view_put(const struct view_request *request)
{
	static struct entry entry;
	size_t entries = 0;
	enter(request);
	while (next_entry(&entry)) {
		errno = 0;
		if (++entries > ENTRY_LIMIT)
			layer_fail("the archive has too many entries", "");
		put(request, &entry);
	}
	skip_rest();
	entry_date_all();
}
