/* Prints the content of small files, of cgroups and of /proc: each as its length in decimal, a newline and its bytes; -1 when it cannot be read. */
#include "read.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { READ_LIMIT = 65536 };

int read_main(int argc, char **argv)
{
	static char bytes[READ_LIMIT];
	for (int i = 0; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		ssize_t size = fd < 0 ? -1 : 0;
		for (ssize_t n = 1; fd >= 0 && n > 0 && size < READ_LIMIT; size += n)
			if ((n = read(fd, bytes + size, (size_t)(READ_LIMIT - size))) < 0)
				break;
		if (fd >= 0)
			close(fd);
		printf("%zd\n", size);
		if (size > 0)
			fwrite(bytes, 1, (size_t)size, stdout);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
