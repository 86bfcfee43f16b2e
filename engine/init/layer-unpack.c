/* Makes the files of a layer from its archive, in the overlay's form: whiteouts and opaque directories as userxattr has them. */
#include "layer-entry.h"
#include "steps.h"

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

enum { ENTRY_LIMIT = 1000000 };

static uint64_t unpacked;

/* Times of directories are set last, since making a file in one changes them. */
static struct dated {
	char *path;
	int64_t mtime;
} *dated;
static size_t dated_count;

/* The name below the root: no leading slash, no empty or `.` components; `..` is refused. `to` may be `from`. */
static void clean(char *to, const char *from)
{
	const char *whole = from;
	char *at = to;
	while (*from) {
		size_t length = strcspn(from, "/");
		errno = 0;
		if (length == 2 && memcmp(from, "..", 2) == 0)
			layer_fail("breakout: a name leads out of the layer:", whole);
		if (length && !(length == 1 && *from == '.')) {
			if (at != to)
				*at++ = '/';
			memmove(at, from, length);
			at += length;
			from += length;
		} else {
			from += length;
		}
		from += *from == '/';
	}
	*at = 0;
}

static void make_parents(char *path)
{
	for (char *slash = path; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			layer_fail("mkdir", path);
		*slash = '/';
	}
}

/* What is below `path` goes, but the archive has it, and has to be put together again. */
static void keep_contents(const char *path)
{
	struct stat st;
	struct dirent **entries;
	if (lstat(path, &st) < 0)
		layer_fail("keep", path);
	if (S_ISREG(st.st_mode))
		record_replaced(path);
	if (!S_ISDIR(st.st_mode))
		return;
	int count = scandir(path, &entries, NULL, NULL);
	if (count < 0)
		layer_fail("list", path);
	for (int i = 0; i < count; free(entries[i++])) {
		char below[PATH_LIMIT];
		const char *name = entries[i]->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		errno = ENAMETOOLONG;
		if (snprintf(below, sizeof below, "%s/%s", path, name) >= (int)sizeof below)
			layer_fail("keep", path);
		keep_contents(below);
	}
	free(entries);
}

/* An entry takes the place of what an earlier one made, except that directories are merged. */
static void make_room(const char *path, bool for_directory)
{
	char absolute[PATH_LIMIT + 1];
	struct stat st;
	if (lstat(path, &st) < 0 || (for_directory && S_ISDIR(st.st_mode)))
		return;
	keep_contents(path);
	snprintf(absolute, sizeof absolute, "/%s", path);
	if (remove_tree(absolute) < 0)
		layer_fail("replace", path);
}

static void set_attributes(const struct entry *entry, const char *path)
{
	for (size_t i = 0; i < entry->attribute_count; i++) {
		const struct attribute *a = &entry->attributes[i];
		bool kept = strcmp(a->name, "security.capability") == 0 || strncmp(a->name, "user.", 5) == 0;
		if (!kept || overlay_attribute(a->name))
			continue;
		if (lsetxattr(path, a->name, a->value, a->size, 0) < 0 && errno != ENOTSUP && errno != EPERM)
			layer_fail("setxattr", path);
	}
}

static void set_time(const char *path, int64_t mtime)
{
	struct timespec times[2] = {{.tv_sec = mtime}, {.tv_sec = mtime}};
	utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

void entry_properties(const struct entry *entry, const char *path)
{
	if (lchown(path, (uid_t)entry->uid, (gid_t)entry->gid) < 0)
		layer_fail("lchown", path);
	if (entry->type != '2' && chmod(path, entry->mode) < 0)
		layer_fail("chmod", path);
	set_attributes(entry, path);
	set_time(path, entry->mtime);
}

void entry_file(const struct entry *entry)
{
	static char buffer[65536];
	int fd = open(entry->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		layer_fail("open", entry->path);
	record_file(entry->path, entry->size);
	for (uint64_t left = entry->size; left;) {
		size_t part = left < sizeof buffer ? (size_t)left : sizeof buffer;
		take_content(buffer, part);
		if (write_all(fd, (const uint8_t *)buffer, part) < 0)
			layer_fail("write", entry->path);
		left -= part;
	}
	close(fd);
	unpacked += entry->size;
	entry_properties(entry, entry->path);
	skip_bytes((BLOCK - entry->size % BLOCK) % BLOCK);
}

static void unpack_directory(const struct entry *entry)
{
	const char *path = *entry->path ? entry->path : ".";
	if (*entry->path && mkdir(path, 0755) < 0 && errno != EEXIST)
		layer_fail("mkdir", path);
	entry_properties(entry, path);
	entry_date_later(path, entry->mtime);
}

void entry_date_later(const char *path, int64_t mtime)
{
	if (dated_count % 256 == 0)
		dated = realloc(dated, (dated_count + 256) * sizeof *dated);
	char *copy = strdup(path);
	if (!dated || !copy)
		layer_fail("memory", "");
	dated[dated_count++] = (struct dated){copy, mtime};
}

/* A `.wh.` name: true when the entry was one. */
static bool unpack_whiteout(struct entry *entry)
{
	char *slash = strrchr(entry->path, '/');
	char *base = slash ? slash + 1 : entry->path;
	if (strncmp(base, ".wh.", 4) != 0)
		return false;
	if (strcmp(base, ".wh..wh..opq") == 0) {
		*base = 0;
		if (setxattr(*entry->path ? entry->path : ".", "user.overlay.opaque", "y", 1, 0) < 0)
			layer_fail("setxattr", entry->path);
		return true;
	}
	const char *name = base + 4;
	if (strncmp(name, ".wh.", 4) == 0)
		return true; /* aufs's own files */
	errno = 0;
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		layer_fail("breakout: a whiteout of no name:", entry->path);
	memmove(base, name, strlen(name) + 1);
	make_room(entry->path, false);
	if (mknod(entry->path, S_IFCHR, makedev(0, 0)) < 0)
		layer_fail("whiteout", entry->path);
	return true;
}

static void unpack_entry(struct entry *entry, bool is_layer)
{
	clean(entry->path, entry->path);
	make_parents(entry->path);
	bool is_whiteout = is_layer && unpack_whiteout(entry);
	if (!is_layer && entry->type == 'R' && *entry->path) {
		make_room(entry->path, false);
	} else if (is_whiteout || (!*entry->path && entry->type != '5')) {
		/* nothing more than its name */
	} else if (entry->type == '0') {
		make_room(entry->path, false);
		entry_file(entry);
		return;
	} else if (entry->type == '5') {
		make_room(entry->path, true);
		unpack_directory(entry);
	} else if (entry->type == '2') {
		make_room(entry->path, false);
		if (symlink(entry->link, entry->path) < 0)
			layer_fail("symlink", entry->path);
		entry_properties(entry, entry->path);
	} else if (entry->type == '1') {
		clean(entry->link, entry->link);
		if (strcmp(entry->link, entry->path) != 0) {
			make_room(entry->path, false);
			if (linkat(AT_FDCWD, entry->link, AT_FDCWD, entry->path, 0) < 0)
				layer_fail("link", entry->path);
		}
	} else if (entry->type == '6') {
		make_room(entry->path, false);
		if (mkfifo(entry->path, 0600) < 0)
			layer_fail("mkfifo", entry->path);
		entry_properties(entry, entry->path);
	} else if (entry->type == 'S') {
		errno = 0;
		layer_fail("sparse files in archives are not supported:", entry->path);
	}
	/* devices become nothing: a sandbox may not have any */
	bool has_content = is_whiteout || entry->type == '0' || !strchr("123456", entry->type);
	if (has_content)
		skip_bytes(entry->size + (BLOCK - entry->size % BLOCK) % BLOCK);
}

void entry_date_all(void)
{
	while (dated_count) {
		dated_count--;
		set_time(dated[dated_count].path, dated[dated_count].mtime);
	}
}

static void unpack_all(bool is_layer)
{
	static struct entry entry;
	size_t entries = 0;
	while (next_entry(&entry)) {
		errno = 0;
		if (++entries > ENTRY_LIMIT)
			layer_fail("the archive has too many entries", "");
		unpack_entry(&entry, is_layer);
	}
	skip_rest();
	entry_date_all();
}

void layer_unpack(int split)
{
	record_open(split);
	unpack_all(true);
	record_close();
	printf("%" PRIu64 "\n", unpacked);
	if (fflush(stdout) != 0)
		layer_fail("write", "");
}

void layer_receive(void)
{
	unpack_all(false);
}
