/* The commands of `berth-init layer`. Each works in a root of its own, so that no name in an archive leads out of it. */
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Noreturn void layer_fail(const char *what, const char *path)
{
	int error = errno;
	fprintf(stderr, "%s%s%s%s%s\n", what, *path ? " " : "", path, error ? ": " : "", error ? strerror(error) : "");
	exit(1);
}

unsigned header_sum(const struct header *header)
{
	const uint8_t *bytes = (const uint8_t *)header;
	unsigned sum = 0;
	for (size_t i = 0; i < BLOCK; i++) {
		bool is_checksum =
			i >= offsetof(struct header, checksum) && i < offsetof(struct header, checksum) + sizeof header->checksum;
		sum += is_checksum ? ' ' : bytes[i];
	}
	return sum;
}

bool overlay_attribute(const char *name)
{
	return strncmp(name, "user.overlay.", 13) == 0;
}

static void enter(const char *directory)
{
	if (chdir(directory) < 0 || chroot(".") < 0 || chdir("/") < 0)
		layer_fail("enter", directory);
}

static int open_split(const char *path, bool writes)
{
	int flags = writes ? O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC : O_RDONLY | O_CLOEXEC;
	int split = open(path, flags | O_NOFOLLOW, 0600);
	if (split < 0)
		layer_fail("open", path);
	return split;
}

static int usage(void)
{
	fputs("usage: berth-init layer unpack DIR SPLIT | join DIR SPLIT | pack DIR [SPLIT|- LATEST] | receive DIR\n", stderr);
	return 2;
}

int layer_main(int argc, char **argv)
{
	if (argc < 2)
		return usage();
	umask(0);
	const char *verb = argv[0], *directory = argv[1];
	if (strcmp(verb, "pack") == 0) {
		int record = argc > 3 && strcmp(argv[2], "-") != 0 ? open_split(argv[2], true) : -1;
		enter(directory);
		layer_pack(record, argc > 3 ? strtoll(argv[3], NULL, 10) : INT64_MAX);
		return 0;
	}
	if (strcmp(verb, "receive") == 0) {
		enter(directory);
		layer_receive();
		return 0;
	}
	if (argc < 3)
		return usage();
	bool unpacks = strcmp(verb, "unpack") == 0;
	if (!unpacks && strcmp(verb, "join") != 0)
		return usage();
	int split = open_split(argv[2], unpacks);
	enter(directory);
	if (unpacks)
		layer_unpack(split);
	else
		layer_join(split);
	return 0;
}
