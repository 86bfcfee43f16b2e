/*
 * The commands of `berth-init volume`. Names come from users and from files that containers wrote, so every one of them is
 * looked up by the kernel below a directory that it cannot leave (openat2).
 */
#include "volume.h"

#include "steps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where the image is looked at: in a mount namespace of the command's own, so that nobody else sees the mount. */
static const char view[] = "/run/docker";

enum { OPEN_FILES = 64 };

_Noreturn void volume_fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static int open_below(int root, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve | RESOLVE_NO_MAGICLINKS};
	return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

/* In Docker's words when it is not there, or a link leads out of the volume. */
static int open_in_volume(int volume, const char *root, const char *subpath, uint64_t flags)
{
	int fd = open_below(volume, subpath, flags, RESOLVE_BENEATH);
	if (fd < 0 && errno == EXDEV)
		volume_fail("path concatenation escapes the base directory, base: %s, subpath: %s", root, subpath);
	if (fd < 0)
		volume_fail("cannot access path %s/%s: lstat %s/%s: %s", root, subpath, root, subpath, strerror(errno));
	return fd;
}

static bool is_empty(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = copy < 0 ? NULL : fdopendir(copy);
	bool empty = directory != NULL;
	for (struct dirent *entry; empty && (entry = readdir(directory));)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	if (directory)
		closedir(directory);
	return empty;
}

static void fill_one(int image, const char *destination, int volume)
{
	int from = open_below(image, destination, O_RDONLY | O_DIRECTORY | O_NONBLOCK, RESOLVE_IN_ROOT);
	if (from < 0 && (errno == ENOENT || errno == ELOOP))
		return; /* the image has nothing there */
	if (from < 0 && errno == ENOTDIR)
		volume_fail("source %s is not directory", destination);
	if (from < 0)
		volume_fail("open %s: %s", destination, strerror(errno));
	if (is_empty(volume) && copy_files(from, volume) < 0) {
		int error = errno;
		empty_tree(volume); /* half a copy would be taken for a volume that was filled */
		volume_fail("failed to copy %s to the volume: %s", destination, strerror(error));
	}
	close(from);
}

/* Volumes that are empty get what the image has where they are mounted: (destination, volume, path in the volume)… */
static void fill(const char *lowers, int count, char **argv)
{
	char *options;
	int *volumes = calloc((size_t)count, sizeof *volumes);
	if (!volumes || asprintf(&options, "lowerdir=%s,userxattr", lowers) < 0)
		volume_fail("memory: %s", strerror(errno));
	for (int i = 0; i < count; i++) {
		const char *root = argv[3 * i + 1], *subpath = argv[3 * i + 2];
		int volume = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (volume < 0)
			volume_fail("open %s: %s", root, strerror(errno));
		volumes[i] = open_in_volume(volume, root, *subpath ? subpath : ".", O_RDONLY | O_NONBLOCK);
		close(volume);
	}
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("overlay", view, "overlay", MS_RDONLY | MS_NOSUID | MS_NODEV, options) < 0)
		volume_fail("mount the image: %s", strerror(errno));
	int image = open(view, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (image < 0)
		volume_fail("open the image: %s", strerror(errno));
	for (int i = 0; i < count; i++)
		fill_one(image, argv[3 * i], volumes[i]);
}

/* Binds a file or directory of a volume to a path of its own, so that what is mounted later is what was looked up. */
static void pin(const char *root_path, const char *subpath, const char *target)
{
	struct stat st;
	int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		volume_fail("cannot access path %s: %s", root_path, strerror(errno));
	int fd = open_in_volume(root, root_path, subpath, O_PATH);
	if (fstat(fd, &st) < 0)
		volume_fail("cannot access path %s/%s: %s", root_path, subpath, strerror(errno));
	int made = S_ISDIR(st.st_mode) ? mkdir(target, 0700) : mknod(target, S_IFREG | 0600, 0);
	int tree = made < 0 ? -1 : (int)syscall(SYS_open_tree, fd, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		volume_fail("bind %s/%s: %s", root_path, subpath, strerror(errno));
}

/* files with several names that were counted already */
static struct counted {
	dev_t dev;
	ino_t ino;
} *counted;
static size_t counted_size, counted_used;
static uint64_t total;

static bool is_first(struct counted *table, size_t size, struct counted file)
{
	size_t at = (size_t)(file.ino * 0x9e3779b97f4a7c15u) & (size - 1);
	for (; table[at].ino; at = (at + 1) & (size - 1))
		if (table[at].ino == file.ino && table[at].dev == file.dev)
			return false;
	table[at] = file;
	return true;
}

static bool count_links(const struct stat *st)
{
	if (2 * counted_used >= counted_size) {
		size_t size = counted_size ? 2 * counted_size : 1024;
		struct counted *table = calloc(size, sizeof *table);
		if (!table)
			volume_fail("memory: %s", strerror(errno));
		for (size_t i = 0; i < counted_size; i++)
			if (counted[i].ino)
				is_first(table, size, counted[i]);
		free(counted);
		counted = table, counted_size = size;
	}
	bool first = is_first(counted, counted_size, (struct counted){st->st_dev, st->st_ino});
	counted_used += first;
	return first;
}

static int count(const char *path, const struct stat *st, int kind, struct FTW *position)
{
	(void)path, (void)position;
	if ((kind == FTW_F || kind == FTW_SL) && (st->st_nlink < 2 || count_links(st)))
		total += (uint64_t)st->st_size;
	return 0;
}

static void size(int directories, char **paths)
{
	for (int i = 0; i < directories; i++) {
		total = 0;
		nftw(paths[i], count, OPEN_FILES, FTW_PHYS | FTW_MOUNT);
		printf("%llu\n", (unsigned long long)total);
	}
	if (fflush(stdout) != 0)
		volume_fail("write: %s", strerror(errno));
}

int volume_main(int argc, char **argv)
{
	umask(0);
	if (argc >= 5 && argc % 3 == 2 && strcmp(argv[0], "fill") == 0)
		fill(argv[1], (argc - 2) / 3, argv + 2);
	else if (argc == 4 && strcmp(argv[0], "pin") == 0)
		pin(argv[1], argv[2], argv[3]);
	else if (argc >= 2 && strcmp(argv[0], "size") == 0)
		size(argc - 1, argv + 1);
	else {
		fputs("usage: berth-init volume fill LOWERS DESTINATION VOLUME SUBPATH ... | pin ROOT SUBPATH TARGET | size DIRECTORY ...\n", stderr);
		return 2;
	}
	return 0;
}
