/* Pseudo terminals: our own, and those that crun hands over by its console socket. */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int take_master(struct process *p, int master)
{
	int copy = fcntl(master, F_DUPFD_CLOEXEC, 3);
	if (copy < 0 || fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) < 0) {
		int error = errno;
		if (copy >= 0)
			close(copy);
		close(master);
		return error;
	}
	/* a descriptor each for reading and writing, so that each has its own place in the loop */
	p->outputs[0].watch.fd = master;
	p->outputs[0].ended = false;
	p->input.fd = copy;
	return 0;
}

int terminal_open(struct process *p)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), unlocked = 0;
	if (master < 0)
		master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (master < 0)
		return errno;
	/* TIOCGPTPEER needs no path, which the student could have put something else at */
	int slave = ioctl(master, TIOCSPTLCK, &unlocked) < 0 ? -1 : ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0) {
		int error = errno;
		close(master);
		return error;
	}
	for (int i = 0; i < 3; i++)
		p->child_stdio[i] = slave;
	int error = take_master(p, master);
	if (!error)
		terminal_resize(p);
	return error;
}

void terminal_resize(struct process *p)
{
	struct winsize size = {.ws_row = p->rows, .ws_col = p->cols};
	if (p->flags & P_TERMINAL && p->input.fd >= 0 && (p->rows || p->cols))
		ioctl(p->input.fd, TIOCSWINSZ, &size);
}

int console_listen(struct process *p)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(p->console) >= sizeof address.sun_path)
		return ENAMETOOLONG;
	strcpy(address.sun_path, p->console);
	unlink(p->console);
	p->console_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->console_fd < 0 || bind(p->console_fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(p->console_fd, 4) < 0)
		return errno;
	return 0;
}

void console_close(struct process *p)
{
	if (p->console_fd >= 0) {
		close(p->console_fd);
		unlink(p->console);
	}
	p->console_fd = -1;
	free(p->console);
	p->console = NULL;
}

/* Takes the one descriptor that came with the message, if it is a terminal's master. */
static int receive_master(int connection)
{
	char data[4096];
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control_data;
	struct iovec part = {data, sizeof data};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control_data,
			   .msg_controllen = sizeof control_data};
	if (recvmsg(connection, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0)
		return -1;
	int master = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
			int fd, number;
			memcpy(&fd, (char *)c + at, sizeof fd);
			if (master < 0 && ioctl(fd, TIOCGPTN, &number) == 0)
				master = fd;
			else
				close(fd);
		}
	}
	return master;
}

/* The program that starts the container sends the terminal before it ends, so by now it is here or never comes. */
int console_receive(struct process *p)
{
	int master = -1;
	while (master < 0) {
		int connection = accept4(p->console_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (connection < 0)
			break;
		master = receive_master(connection);
		close(connection);
	}
	console_close(p);
	return master < 0 ? EPROTO : take_master(p, master);
}
