/* ADD of an archive: what is in it goes to the target. */
#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int lab_root = -1;

void copy_remember_root(void)
{
	if ((lab_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		layer_fail("open", "/");
}

static const uint8_t MAGIC[][7] = {{2, 0x1f, 0x8b}, {3, 'B', 'Z', 'h'}, {5, 0xfd, '7', 'z', 'X', 'Z'}, {4, 0x28, 0xb5, 0x2f, 0xfd}};
static const char *const PROGRAM[] = {"gzip", "bzip2", "xz", "zstd"};

static bool is_tar(int fd)
{
	struct header header;
	return pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header && memcmp(header.magic, "ustar", 5) == 0;
}

/* What a program of the lab host makes of a file, in a file without a name. */
static int decompressed(int from, const char *program)
{
	if (lab_root < 0)
		return -1;
	int plain = openat(lab_root, "var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (plain < 0)
		layer_fail("unpack", program);
	pid_t child = fork();
	if (child == 0) {
		/* back out of the target: its own programs are not run */
		if (fchdir(lab_root) < 0 || chroot(".") < 0 || dup2(from, 0) < 0 || dup2(plain, 1) < 0)
			_exit(126);
		execlp(program, program, "-dc", (char *)NULL);
		_exit(127);
	}
	int status;
	errno = 0;
	if (child < 0 || waitpid(child, &status, 0) < 0)
		layer_fail("unpack", program);
	if (status == 0)
		return plain;
	close(plain);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		layer_fail("the lab host has no program to unpack with:", program);
	return -1;
}


bool copy_unpacked(const struct copy *copy, int from)
{
	uint8_t start[6] = {0};
	struct header header;
	int kind = -1;
	if (pread(from, start, sizeof start, 0) < 4)
		return false;
	for (int i = 0; i < 4; i++)
		if (memcmp(start, MAGIC[i] + 1, MAGIC[i][0]) == 0)
			kind = i;
	if (kind < 0 && !is_tar(from))
		return false;
	int plain = kind < 0 ? dup(from) : decompressed(from, PROGRAM[kind]);
	if (plain < 0)
		return false;
	if (kind >= 0 && (pread(plain, &header, sizeof header, 0) != (ssize_t)sizeof header || memcmp(header.magic, "ustar", 5) != 0)) {
		close(plain);
		return false;
	}
	make_parents_of(copy->target, &copy->change);
	if (mkdir(copy->target, 0755) < 0 && errno != EEXIST)
		layer_fail("mkdir", copy->target);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		if (lseek(plain, 0, SEEK_SET) < 0 || dup2(plain, 0) < 0 || chdir(copy->target) < 0 || chroot(".") < 0)
			layer_fail("unpack", copy->target);
		stdin = fdopen(0, "r");
		layer_receive();
		exit(0);
	}
	int status;
	errno = 0;
	if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
		exit(1);
	close(plain);
	return true;
}
