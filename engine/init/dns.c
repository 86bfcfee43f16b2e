/* DNS: 127.0.0.11:53 inside network namespaces; questions go to the engine as events, answers come back as requests. */
#include "init.h"
#include "netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MAX_LISTENERS = 256, MAX_QUERIES = 128, MAX_CLIENTS = 16,
	QUERY_MS = 10000, MAX_QUERY = 4096, DNS_HEADER = 12,
};

/* A question on its way; `client` 0 is UDP. */
struct query {
	uint32_t number;
	uint64_t expires;
	uint32_t client;
	struct sockaddr_in from;
};

struct listener;

/* A TCP connection in a namespace. */
struct client {
	struct watch watch;
	struct listener *listener;
	struct timer idle;
	uint32_t number;
	struct buffer in, out;
};

struct listener {
	void *grave;
	struct listener *next;
	char *netns;
	struct watch udp, tcp;
	struct timer accept_again;
	struct query *queries;
	struct client clients[MAX_CLIENTS];
};

static struct listener *listeners;
static size_t listener_count;
static uint32_t last_query, last_client;
static void client_close(struct client *c)
{
	timer_cancel(&c->idle);
	watch_close(&c->watch);
	buffer_free(&c->in);
	buffer_free(&c->out);
	c->number = 0;
	watch_for(&c->listener->tcp, EPOLLIN);
}

/* Hands a question to the engine. A flood must not cost the engine its connection: what is too much is dropped. */
static void ask(struct listener *l, const uint8_t *data, size_t size, uint32_t client, const struct sockaddr_in *from)
{
	uint64_t now = now_ms();
	if (!control || size < DNS_HEADER || buffer_size(&control->out) > QUEUE_LIMIT)
		return;
	if (!l->queries && !(l->queries = calloc(MAX_QUERIES, sizeof *l->queries)))
		return;
	struct query *q = l->queries;
	while (q < l->queries + MAX_QUERIES && q->number && q->expires > now)
		q++;
	if (q == l->queries + MAX_QUERIES)
		return;
	last_query += last_query == UINT32_MAX ? 2 : 1;
	*q = (struct query){.number = last_query, .expires = now + QUERY_MS, .client = client};
	if (from)
		q->from = *from;
	size_t frame = frame_begin(&control->out, T_DNS_QUERY, 0);
	frame_string(&control->out, NETNS, l->netns);
	frame_u32(&control->out, QUERY, q->number);
	frame_bytes(&control->out, BYTES, data, size);
	frame_end(&control->out, frame);
	connection_flush(control);
}

static void udp_ready(struct watch *watch, uint32_t events)
{
	struct listener *l = container_of(watch, struct listener, udp);
	struct sockaddr_in from;
	socklen_t size = sizeof from;
	(void)events;
	ssize_t n = recvfrom(watch->fd, scratch, MAX_QUERY, MSG_TRUNC, (struct sockaddr *)&from, &size);
	if (n > 0 && n <= MAX_QUERY && size == sizeof from)
		ask(l, scratch, (size_t)n, 0, &from);
}

static void client_update(struct client *c)
{
	if (!watch_for(&c->watch, buffer_size(&c->out) ? EPOLLIN | EPOLLOUT : EPOLLIN))
		client_close(c);
}

static void client_flush(struct client *c)
{
	ssize_t n = send(c->watch.fd, buffer_head(&c->out), buffer_size(&c->out), MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		client_close(c);
		return;
	}
	buffer_consume(&c->out, n > 0 ? (size_t)n : 0);
	client_update(c);
}

static void client_ready(struct watch *watch, uint32_t events)
{
	struct client *c = container_of(watch, struct client, watch);
	if (events & EPOLLOUT && buffer_size(&c->out))
		client_flush(c);
	if (!c->number || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	ssize_t n = recv(watch->fd, scratch, MAX_QUERY, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || !buffer_append(&c->in, scratch, (size_t)n)) {
		client_close(c);
		return;
	}
	timer_set(&c->idle, QUERY_MS);
	while (buffer_size(&c->in) >= 2) {
		const uint8_t *data = buffer_head(&c->in);
		size_t size = (size_t)data[0] << 8 | data[1];
		if (size > MAX_QUERY) {
			client_close(c);
			return;
		}
		if (buffer_size(&c->in) < size + 2)
			break;
		ask(c->listener, data + 2, size, c->number, NULL);
		buffer_consume(&c->in, size + 2);
	}
}

static void client_idle(struct timer *timer)
{
	client_close(container_of(timer, struct client, idle));
}

static void accept_resume(struct timer *timer)
{
	watch_for(&container_of(timer, struct listener, accept_again)->tcp, EPOLLIN);
}

static void tcp_ready(struct watch *watch, uint32_t events)
{
	struct listener *l = container_of(watch, struct listener, tcp);
	struct client *c = l->clients;
	(void)events;
	while (c < l->clients + MAX_CLIENTS && c->number)
		c++;
	if (c == l->clients + MAX_CLIENTS) {
		watch_pause(watch); /* until a client goes */
		return;
	}
	int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
			watch_pause(watch); /* out of descriptors */
			timer_set(&l->accept_again, 100);
		}
		return;
	}
	last_client += last_client == UINT32_MAX ? 2 : 1;
	*c = (struct client){.watch = {.fd = fd, .ready = client_ready}, .listener = l, .number = last_client};
	c->idle.fire = client_idle;
	timer_set(&c->idle, QUERY_MS);
	client_update(c);
}

static void listener_close(struct listener *l)
{
	for (struct client *c = l->clients; c < l->clients + MAX_CLIENTS; c++)
		if (c->number)
			client_close(c);
	timer_cancel(&l->accept_again);
	watch_close(&l->udp);
	watch_close(&l->tcp);
	free(l->netns);
	free(l->queries);
	free_later(l);
}

static int bind_in(const char *netns, int type, struct watch *watch)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};
	int one = 1;
	address.sin_addr.s_addr = htonl(0x7f00000b); /* 127.0.0.11, as Docker's embedded server */
	watch->fd = netns_socket(netns, AF_INET, type);
	if (watch->fd < 0)
		return errno;
	setsockopt(watch->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(watch->fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    (type == SOCK_STREAM && listen(watch->fd, MAX_CLIENTS) < 0) || !watch_for(watch, EPOLLIN))
		return errno;
	return 0;
}

int dns_close(const char *netns)
{
	for (struct listener **at = &listeners; *at; at = &(*at)->next) {
		struct listener *l = *at;
		if (strcmp(l->netns, netns) != 0)
			continue;
		*at = l->next;
		listener_count--;
		listener_close(l);
		return 0;
	}
	return ENOENT;
}

int dns_listen(const char *netns)
{
	dns_close(netns); /* an engine that was restarted asks again, or the namespace is another one by now */
	if (listener_count >= MAX_LISTENERS)
		return EAGAIN;
	struct listener *l = calloc(1, sizeof *l);
	if (!l)
		return ENOMEM;
	l->udp = (struct watch){.fd = -1, .ready = udp_ready};
	l->tcp = (struct watch){.fd = -1, .ready = tcp_ready};
	l->accept_again.fire = accept_resume;
	l->netns = strdup(netns);
	int error = l->netns ? bind_in(netns, SOCK_DGRAM, &l->udp) : ENOMEM;
	if (!error)
		error = bind_in(netns, SOCK_STREAM, &l->tcp);
	if (error) {
		listener_close(l);
		return error;
	}
	l->next = listeners;
	listeners = l;
	listener_count++;
	return 0;
}

static void answer_client(struct listener *l, uint32_t number, struct span answer)
{
	struct client *c = l->clients;
	uint8_t length[2] = {(uint8_t)(answer.size >> 8), (uint8_t)answer.size};
	while (c < l->clients + MAX_CLIENTS && c->number != number)
		c++;
	if (c == l->clients + MAX_CLIENTS)
		return; /* it went away */
	/* one that asks and does not read */
	bool kept = buffer_size(&c->out) <= QUEUE_LIMIT && buffer_append(&c->out, length, 2) &&
		    buffer_append(&c->out, answer.data, answer.size);
	if (kept)
		client_flush(c);
	else
		client_close(c);
}

void dns_answer(uint32_t number, struct span answer)
{
	if (answer.size < DNS_HEADER || answer.size > 65535)
		return;
	for (struct listener *l = listeners; l; l = l->next)
		for (struct query *q = l->queries; q && q < l->queries + MAX_QUERIES; q++) {
			if (q->number != number)
				continue;
			struct query found = *q;
			*q = (struct query){0};
			if (found.client)
				answer_client(l, found.client, answer);
			else if (sendto(l->udp.fd, answer.data, answer.size, MSG_DONTWAIT | MSG_NOSIGNAL,
					(struct sockaddr *)&found.from, sizeof found.from) < 0)
				return; /* as lost as any datagram may be */
			return;
		}
}
