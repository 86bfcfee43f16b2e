/* An overlay's upper directory as a layer archive: whiteouts and opaque directories get the names that archives use. */
#include "layer-entry.h"
#include "tar-write.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { DEPTH_LIMIT = 256 };

static void give_marker(const char *directory, const char *prefix, const char *name)
{
	char path[PATH_LIMIT + 300];
	struct stat st = {.st_mode = 0600};
	snprintf(path, sizeof path, "%s%s%s%s", directory, *directory ? "/" : "", prefix, name);
	tar_entry(path, NULL, '0', &st, 0, NULL);
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
			tar_file(path, path, &st);
		} else if (S_ISDIR(st.st_mode)) {
			snprintf(slashed, sizeof slashed, "%s/", path);
			tar_entry(slashed, path, '5', &st, 0, NULL);
			if (is_opaque(path))
				give_marker(path, ".wh..wh.", ".opq");
			give_directory(path, depth + 1);
		} else if (S_ISLNK(st.st_mode)) {
			ssize_t length = readlink(path, target, sizeof target - 1);
			if (length < 0)
				continue;
			target[length] = 0;
			tar_entry(path, path, '2', &st, 0, target);
		} else if (S_ISCHR(st.st_mode) && st.st_rdev == 0) {
			give_marker(directory, ".wh.", name);
		} else if (S_ISFIFO(st.st_mode)) {
			tar_entry(path, path, '6', &st, 0, NULL);
		}
	}
	free(entries);
}

void layer_pack(int split, int64_t latest)
{
	tar_limit_times(latest);
	if (split >= 0)
		record_open(split);
	give_directory("", 0);
	tar_end();
	if (split < 0)
		return;
	record_close();
	fprintf(stderr, "%" PRIu64 "\n", tar_content_size());
}
