/*
 * What a container has changed: its overlay's upper directory compared with the lower ones, as records of a letter
 * (A, C, D), a path and a NUL. A directory counts as changed for what changed in it; what is gone comes last in each.
 */
#include "changes.h"

#include "layer.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { DEPTH_LIMIT = 256, LOWER_LIMIT = 256 };

static const char *upper_root;
static char **lower_roots;

/* The directories above the one at work; those before `said` have been reported. */
static struct above {
	size_t length;
	bool is_reported;
} above[DEPTH_LIMIT + 2];

/* Which lower directories are merged at some place, top first. */
struct lowers {
	int count;
	int index[LOWER_LIMIT];
};

static void report(char kind, const char *path, int depth)
{
	for (int i = 1; i <= depth; i++)
		if (!above[i].is_reported) {
			above[i].is_reported = true;
			printf("C%.*s%c", (int)above[i].length, path, 0);
		}
	printf("%c%s%c", kind, path, 0);
}

static bool find(const char *root, const char *path, struct stat *st)
{
	char whole[2 * PATH_LIMIT];
	snprintf(whole, sizeof whole, "%s%s", root, path);
	return lstat(whole, st) == 0;
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static bool is_opaque(const char *root, const char *path)
{
	char whole[2 * PATH_LIMIT], value;
	snprintf(whole, sizeof whole, "%s%s", root, path);
	return lgetxattr(whole, "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

/* What was at `path` before, among the lower directories; and, when it was a directory, which are merged in it. */
static bool find_lower(const struct lowers *at, const char *path, struct stat *st, struct lowers *below)
{
	bool found = false;
	below->count = 0;
	for (int i = 0; i < at->count; i++) {
		const char *root = lower_roots[at->index[i]];
		struct stat here;
		if (!find(root, path, &here))
			continue;
		if (is_whiteout(&here))
			break;
		if (!found)
			*st = here;
		found = true;
		if (!S_ISDIR(here.st_mode))
			break;
		below->index[below->count++] = at->index[i];
		if (is_opaque(root, path))
			break;
	}
	return found;
}

static bool same_attribute(const char *path, int lower)
{
	char paths[2][2 * PATH_LIMIT], values[2][256];
	ssize_t sizes[2];
	snprintf(paths[0], sizeof paths[0], "%s%s", upper_root, path);
	snprintf(paths[1], sizeof paths[1], "%s%s", lower_roots[lower], path);
	for (int i = 0; i < 2; i++)
		sizes[i] = lgetxattr(paths[i], "security.capability", values[i], sizeof values[i]);
	return (sizes[0] < 0 && sizes[1] < 0) || (sizes[0] == sizes[1] && memcmp(values[0], values[1], (size_t)sizes[0]) == 0);
}

/* Of a directory neither time nor size counts, as in Docker. */
static bool differs(const struct stat *a, const struct stat *b)
{
	if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid || a->st_rdev != b->st_rdev)
		return true;
	return !S_ISDIR(a->st_mode) && (a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
					a->st_mtim.tv_nsec != b->st_mtim.tv_nsec);
}

static void list_directory(const char *path, const struct lowers *merged, int depth);

static int child_path(char to[PATH_LIMIT], const char *directory, const char *name)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	errno = ENAMETOOLONG;
	if (snprintf(to, PATH_LIMIT, "%s/%s", directory, name) >= PATH_LIMIT)
		layer_fail("read", directory);
	return 1;
}

static void compare(const char *path, const struct stat *st, const struct lowers *merged, int depth)
{
	struct stat before;
	struct lowers *below = malloc(sizeof *below);
	if (!below)
		layer_fail("memory", "");
	bool existed = find_lower(merged, path, &before, below);
	bool is_changed = !existed || differs(st, &before) ||
			  (below->count ? !same_attribute(path, below->index[0]) : false);
	if (is_changed)
		report(existed ? 'C' : 'A', path, depth);
	if (S_ISDIR(st->st_mode)) {
		above[depth + 1].length = strlen(path);
		above[depth + 1].is_reported = is_changed;
		if (!existed || !S_ISDIR(before.st_mode))
			below->count = 0;
		list_directory(path, below, depth + 1);
	}
	free(below);
}

/* Names that the lower directories have and an opaque upper one hides. */
static void list_hidden(const char *path, const struct lowers *merged, int depth)
{
	for (int i = 0; i < merged->count; i++) {
		char whole[2 * PATH_LIMIT], child[PATH_LIMIT];
		snprintf(whole, sizeof whole, "%s%s", lower_roots[merged->index[i]], path);
		struct dirent **entries;
		int count = scandir(whole, &entries, NULL, alphasort);
		if (count < 0)
			continue;
		for (int j = 0; j < count; free(entries[j++])) {
			struct stat st;
			if (!child_path(child, path, entries[j]->d_name) || find(upper_root, child, &st))
				continue;
			bool is_known = !find(lower_roots[merged->index[i]], child, &st) || is_whiteout(&st);
			for (int k = 0; k < i && !is_known; k++)
				is_known = find(lower_roots[merged->index[k]], child, &st);
			if (!is_known)
				report('D', child, depth);
		}
		free(entries);
	}
}

static void list_directory(const char *path, const struct lowers *merged, int depth)
{
	char whole[2 * PATH_LIMIT], child[PATH_LIMIT];
	struct dirent **entries;
	snprintf(whole, sizeof whole, "%s%s", upper_root, path);
	errno = ELOOP;
	int count = depth > DEPTH_LIMIT ? -1 : scandir(*whole ? whole : "/", &entries, NULL, alphasort);
	if (count < 0 && depth && errno == ENOENT)
		return; /* it is gone meanwhile */
	if (count < 0)
		layer_fail("open", whole);
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < count; i++) {
			struct stat st, before;
			struct lowers unused;
			if (!child_path(child, path, entries[i]->d_name) || !find(upper_root, child, &st) ||
			    is_whiteout(&st) != (pass == 1))
				continue;
			if (pass == 0)
				compare(child, &st, merged, depth);
			else if (find_lower(merged, child, &before, &unused))
				report('D', child, depth);
		}
	if (merged->count && is_opaque(upper_root, path))
		list_hidden(path, merged, depth);
	while (count > 0)
		free(entries[--count]);
	free(entries);
}

int changes_main(int argc, char **argv)
{
	if (argc < 1 || argc > LOWER_LIMIT) {
		fputs("usage: berth-init changes UPPER LOWER...\n", stderr);
		return 2;
	}
	struct lowers all = {.count = argc - 1};
	upper_root = argv[0];
	lower_roots = argv + 1;
	for (int i = 0; i < all.count; i++)
		all.index[i] = i;
	list_directory("", &all, 0);
	if (fflush(stdout) != 0)
		layer_fail("write", "");
	return 0;
}
