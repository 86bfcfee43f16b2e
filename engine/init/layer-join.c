/* The archive of a layer again, byte for byte: what was between the contents of its files was kept when it was unpacked. */
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void take(FILE *from, void *bytes, size_t size)
{
	errno = 0;
	if (size && fread(bytes, size, 1, from) != 1)
		layer_fail("the layer's record ends early", "");
}

static void give(const void *bytes, size_t size)
{
	if (size && fwrite(bytes, size, 1, stdout) != 1)
		layer_fail("write", "");
}

static void give_file(const char *path, uint64_t size)
{
	static char buffer[65536];
	struct stat st;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		layer_fail("open", path);
	errno = 0;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		layer_fail("not the layer's file any more:", path);
	while (size) {
		ssize_t n = read(fd, buffer, size < sizeof buffer ? (size_t)size : sizeof buffer);
		if (n <= 0)
			layer_fail("read", path);
		give(buffer, (size_t)n);
		size -= (uint64_t)n;
	}
	close(fd);
}

void layer_join(int split)
{
	FILE *from = fdopen(split, "r");
	if (!from)
		layer_fail("open", "");
	char path[PATH_LIMIT], bytes[4096];
	uint32_t length;
	uint64_t size;
	for (int kind; (kind = getc(from)) != EOF;) {
		take(from, &length, sizeof length);
		if (kind == 'F') {
			take(from, &size, sizeof size);
			if (length >= sizeof path)
				layer_fail("the layer's record is damaged", "");
			take(from, path, length);
			path[length] = 0;
			give_file(path, size);
			continue;
		}
		if (kind != 'R' && kind != 'Z')
			layer_fail("the layer's record is damaged", "");
		memset(bytes, 0, sizeof bytes);
		for (size_t part; length; length -= (uint32_t)part) {
			part = length < sizeof bytes ? length : sizeof bytes;
			if (kind == 'R')
				take(from, bytes, part);
			give(bytes, part);
		}
	}
	if (fflush(stdout) != 0)
		layer_fail("write", "");
}
