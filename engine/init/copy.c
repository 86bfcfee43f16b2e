/* berth-init copy TARGET [SOURCE…]: the file operations of a build step, told on standard input, all in one process. */
#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is told: fields that end with a NUL each. */
static char *field(void)
{
	static char *buffers[16];
	static size_t sizes[16], next;
	size_t at = next++ % 16;
	ssize_t length = getdelim(&buffers[at], &sizes[at], 0, stdin);
	if (length < 0)
		return NULL;
	return buffers[at];
}

static char *needed(void)
{
	char *text = field();
	if (!text) {
		errno = 0;
		layer_fail("unexpected EOF", "");
	}
	return text;
}

static long whole_number(void)
{
	return strtol(needed(), NULL, 10);
}

static struct change read_change(void)
{
	struct change change = {.uid = -1, .gid = -1};
	char *mode = strdup(needed()), *user = strdup(needed()), *group = strdup(needed());
	if (!mode || !user || !group)
		layer_fail("memory", "");
	change.mode = mode;
	find_owner(user, group, &change);
	free(user);
	free(group);
	return change;
}

static void add_file(const char *path)
{
	static uint8_t buffer[65536];
	struct change change = read_change();
	long size = whole_number();
	make_parents_of(path, &change);
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		layer_fail("create", path);
	while (size > 0) {
		size_t part = size < (long)sizeof buffer ? (size_t)size : sizeof buffer;
		errno = 0;
		if (fread(buffer, part, 1, stdin) != 1 || write_all(fd, buffer, part) < 0)
			layer_fail("write", path);
		size -= (long)part;
	}
	apply_change(fd, path, &change, 0644);
	close(fd);
}

static void add_directory(const char *path)
{
	struct change change = read_change();
	struct stat st;
	if (stat(path, &st) == 0) {
		errno = ENOTDIR;
		if (!S_ISDIR(st.st_mode))
			layer_fail("mkdir", path);
		return;
	}
	make_parents_of(path, &change);
	if (mkdir(path, 0755) < 0)
		layer_fail("mkdir", path);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		layer_fail("open", path);
	apply_change(fd, path, &change, 0755);
	close(fd);
}

static void read_copy(const int *sources, int count)
{
	struct copy copy = {0};
	long from = whole_number();
	char *source = strdup(needed()), *to = resolved_path(needed());
	copy.flags = whole_number();
	copy.change = read_change();
	copy.skip_count = (size_t)whole_number();
	errno = EINVAL;
	if (from < 0 || from >= count || copy.skip_count > 1000000 || !source || !to)
		layer_fail("copy", "");
	copy.skips = calloc(copy.skip_count + 1, sizeof *copy.skips);
	for (size_t i = 0; i < copy.skip_count; i++)
		copy.skips[i] = strdup(needed());
	copy.root = sources[from];
	copy.source = source;
	copy.target = to;
	copy_all(&copy);
}

int copy_main(int argc, char **argv)
{
	int sources[256], count = argc - 1;
	if (argc < 1 || count > 256) {
		fputs("usage: berth-init copy TARGET [SOURCE…]\n", stderr);
		return 2;
	}
	umask(0);
	for (int i = 0; i < count; i++)
		if ((sources[i] = open(argv[i + 1], O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
			layer_fail("open", argv[i + 1]);
	copy_remember_root();
	/* from here on every path is one of the target's, whatever links there are in it */
	if (chdir(argv[0]) < 0 || chroot(".") < 0 || chdir("/") < 0)
		layer_fail("enter", argv[0]);
	for (char *verb; (verb = field());) {
		if (strcmp(verb, "copy") == 0) {
			read_copy(sources, count);
			continue;
		}
		char *path = resolved_path(needed());
		if (strcmp(verb, "file") == 0)
			add_file(path);
		else if (strcmp(verb, "directory") == 0)
			add_directory(path);
		else
			layer_fail("an operation that is not known:", verb);
		free(path);
	}
	return 0;
}
