/* Accepting connections, and not spinning when there can be no more for now. */
#include "init.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPT_BATCH = 64 };

static struct watch listener;
static struct timer accept_again;

static void accept_pause(void)
{
	watch_pause(&listener);
	timer_set(&accept_again, 100);
}

/* Takes the next connection out of the backlog. False when there is none, or no room. */
static bool accept_one(int listening)
{
	if (!connection_has_room()) {
		accept_pause();
		return false;
	}
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		/* out of descriptors or memory: the connection stays in the backlog, and must not spin us */
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			accept_pause();
		return false;
	}
	if (connection_open(fd))
		return true;
	close(fd);
	accept_pause();
	return false;
}

static void accept_ready(struct watch *watch, uint32_t events)
{
	(void)events;
	/* a backlog that is full refuses clients with EAGAIN, so it is emptied quickly */
	for (int i = 0; i < ACCEPT_BATCH && accept_one(watch->fd); i++)
		;
}

static void accept_resume(struct timer *timer)
{
	(void)timer;
	watch_for(&listener, EPOLLIN);
}

void listener_has_room(void)
{
	if (accept_again.armed)
		timer_set(&accept_again, 0);
}

void listen_on(int fd)
{
	listener = (struct watch){.fd = fd, .ready = accept_ready};
	accept_again.fire = accept_resume;
	watch_for(&listener, EPOLLIN);
}
