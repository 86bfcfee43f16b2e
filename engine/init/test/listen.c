/* Binds a Unix socket, makes it descriptor 3 and runs a program with it: listen PATH PROGRAM ARG... */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (argc < 3 || strlen(argv[1]) >= sizeof address.sun_path)
		return 64;
	strcpy(address.sun_path, argv[1]);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, SOMAXCONN) < 0) {
		perror(argv[1]);
		return 1;
	}
	if (fd != 3) {
		dup2(fd, 3);
		close(fd);
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
