/* DIAL: a TCP connection inside the sandbox or one of its network namespaces, joined to the engine's connection. */
#include "init.h"
#include "netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

struct dial {
	void *grave;
	struct watch watch;
	struct connection *connection;
	uint32_t id;
	/* `deserted`: the engine's side is gone, only what it sent is still delivered */
	bool connecting, read_ended, write_shut, deserted;
	struct buffer out;
};

/* Sets what the loop waits for on the TCP side; passes on half-closes; ends the whole when both directions have. */
static void dial_update(struct dial *d)
{
	struct connection *c = d->connection;
	if (c->ended && !d->write_shut && !buffer_size(&d->out) && !buffer_size(&c->in)) {
		shutdown(d->watch.fd, SHUT_WR);
		d->write_shut = true;
	}
	if (d->deserted && d->write_shut) {
		connection_close(c);
		return;
	}
	if (d->read_ended && !buffer_size(&c->out)) {
		shutdown(c->watch.fd, SHUT_WR);
		if (d->write_shut) {
			connection_close(c);
			return;
		}
	}
	uint32_t events = buffer_size(&d->out) ? EPOLLOUT : 0;
	if (!d->read_ended && !d->deserted && buffer_size(&c->out) <= QUEUE_LIMIT)
		events |= EPOLLIN;
	/* with nothing wanted, a hang-up that was seen already must not be reported again and again */
	if (!events)
		watch_pause(&d->watch);
	else if (!watch_for(&d->watch, events))
		connection_close(c);
}

static void write_out(struct dial *d)
{
	while (buffer_size(&d->out)) {
		ssize_t n = send(d->watch.fd, buffer_head(&d->out), buffer_size(&d->out), MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			connection_close(d->connection);
			return;
		}
		if (n < 0)
			return;
		buffer_consume(&d->out, (size_t)n);
	}
}

static void connected(struct dial *d)
{
	struct connection *c = d->connection;
	int error = 0;
	socklen_t size = sizeof error;
	if (getsockopt(d->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error) {
		reply(c, d->id, error, NULL);
		if (!c->closed)
			connection_finish(c);
		return;
	}
	d->connecting = false;
	reply(c, d->id, 0, NULL);
	if (c->closed)
		return;
	connection_resume(c); /* what the engine sent in the meantime */
	if (!c->closed)
		dial_update(d);
}

static void dial_ready(struct watch *watch, uint32_t events)
{
	struct dial *d = container_of(watch, struct dial, watch);
	struct connection *c = d->connection;
	if (d->connecting) {
		connected(d);
		return;
	}
	if (events & EPOLLOUT) {
		write_out(d);
		connection_resume(c);
	}
	if (!c->closed && !d->read_ended && !d->deserted && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		ssize_t n = recv(d->watch.fd, scratch, SCRATCH, 0);
		if (n > 0) {
			connection_send(c, NULL, 0, scratch, (size_t)n);
		} else if (n == 0) {
			d->read_ended = true;
		} else if (errno != EAGAIN && errno != EINTR) {
			connection_close(c); /* reset */
		}
	}
	if (!c->closed)
		dial_update(d);
}

static int parse_address(const char *text, uint64_t port, struct sockaddr_storage *address, socklen_t *size)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)address;
	*address = (struct sockaddr_storage){0};
	if (port < 1 || port > 65535)
		return EINVAL;
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		*size = sizeof *v4;
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
		return EINVAL;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	*size = sizeof *v6;
	return 0;
}

void dial_open(struct connection *c, uint32_t id, const struct message *m)
{
	struct sockaddr_storage address;
	socklen_t size = 0;
	int one = 1, error = c == control ? EINVAL : parse_address(m->string[ADDR], m->number[PORT], &address, &size);
	int fd = error ? -1 : netns_socket(m->string[NETNS], address.ss_family, SOCK_STREAM);
	if (!error && fd < 0)
		error = errno;
	struct dial *d = error ? NULL : calloc(1, sizeof *d);
	if (!error && !d)
		error = ENOMEM;
	if (!error && connect(fd, (struct sockaddr *)&address, size) < 0 && errno != EINPROGRESS)
		error = errno;
	if (error) {
		if (fd >= 0)
			close(fd);
		free(d);
		reply(c, id, error, NULL);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	*d = (struct dial){.watch = {.fd = fd, .ready = dial_ready}, .connection = c, .id = id, .connecting = true};
	c->dial = d;
	c->mode = M_DIAL;
	if (!watch_for(&d->watch, EPOLLOUT))
		connection_close(c);
}

bool dial_is_full(const struct connection *c)
{
	return c->dial && (c->dial->connecting || buffer_size(&c->dial->out) > QUEUE_LIMIT);
}

void dial_input(struct connection *c, const uint8_t *data, size_t size)
{
	struct dial *d = c->dial;
	if (d->write_shut || !buffer_append(&d->out, data, size))
		return;
	write_out(d);
	if (!c->closed)
		dial_update(d);
}

void dial_input_ended(struct connection *c)
{
	if (!c->dial->connecting)
		dial_update(c->dial);
}

void dial_hung_up(struct connection *c)
{
	struct dial *d = c->dial;
	if (d->connecting) {
		connection_close(c);
		return;
	}
	d->deserted = true;
	watch_pause(&c->watch); /* it would say so again and again; dial_ready goes on reading when there is room */
	dial_update(d);
}

/* The engine's side took something. */
void dial_output_sent(struct connection *c)
{
	if (!c->dial->connecting)
		dial_update(c->dial);
}

void dial_close(struct connection *c)
{
	struct dial *d = c->dial;
	c->dial = NULL;
	if (!d)
		return;
	watch_close(&d->watch);
	buffer_free(&d->out);
	free_later(d);
}
