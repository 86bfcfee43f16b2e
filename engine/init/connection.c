/* Connections of the engine: reading frames, handing requests on, sending within bounds. */
#include "init.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct connection *control;
struct connection *connections;
static size_t connection_count;

void connection_close(struct connection *c)
{
	if (c->closed)
		return;
	c->closed = true;
	if (control == c)
		control = NULL;
	watch_close(&c->watch);
	start_forget_requester(c);
	if (c->process)
		detach(c);
	file_close(c);
	dial_close(c);
	buffer_free(&c->in);
	buffer_free(&c->out);
	for (struct connection **at = &connections; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	connection_count--;
	free_later(c);
	listener_has_room();
}

/* Does something of ours keep us from reading more of this connection? */
static bool is_held_back(const struct connection *c)
{
	switch (c->mode) {
	case M_REQUESTS: return c != control && buffer_size(&c->out) > QUEUE_LIMIT;
	case M_ATTACH: return c->process && input_is_full(c->process);
	case M_FILE: return false;
	case M_DIAL: return dial_is_full(c);
	}
	return false;
}

void connection_update(struct connection *c)
{
	if (c->closed)
		return;
	uint32_t events = 0;
	if (!c->ended && !is_held_back(c))
		events |= EPOLLIN;
	if (buffer_size(&c->out) || (c->file && file_has_more(c)))
		events |= EPOLLOUT;
	if (!watch_for(&c->watch, events))
		connection_close(c);
}

void connection_flush(struct connection *c)
{
	while (!c->closed && buffer_size(&c->out)) {
		ssize_t n = send(c->watch.fd, buffer_head(&c->out), buffer_size(&c->out), MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			connection_close(c);
			return;
		}
		if (n < 0)
			break;
		buffer_consume(&c->out, (size_t)n);
	}
	if (c->closed)
		return;
	if (c == control && buffer_size(&c->out) > EVENTS_LIMIT) {
		connection_close(c);
		return;
	}
	/* nothing more comes, and everything that came is answered */
	if (c->ended && c->mode == M_REQUESTS && !start_is_awaited(c))
		c->finishing = true;
	if (c->finishing && !buffer_size(&c->out)) {
		connection_close(c);
		return;
	}
	connection_update(c);
}

/* Sends head and data, keeping what the socket does not take. False when the connection is gone. */
bool connection_send(struct connection *c, const void *head, size_t head_size, const void *data, size_t size)
{
	size_t sent = 0;
	if (c->closed)
		return false;
	if (!buffer_size(&c->out)) {
		struct iovec parts[2] = {{(void *)(uintptr_t)head, head_size}, {(void *)(uintptr_t)data, size}};
		struct msghdr m = {.msg_iov = head_size ? parts : parts + 1, .msg_iovlen = head_size ? 2 : 1};
		ssize_t n = sendmsg(c->watch.fd, &m, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			connection_close(c);
			return false;
		}
		sent = n < 0 ? 0 : (size_t)n;
	}
	bool kept = true;
	if (sent < head_size)
		kept = buffer_append(&c->out, (const uint8_t *)head + sent, head_size - sent);
	size_t skip = sent > head_size ? sent - head_size : 0;
	if (kept && skip < size)
		kept = buffer_append(&c->out, (const uint8_t *)data + skip, size - skip);
	if (!kept) {
		connection_close(c);
		return false;
	}
	connection_update(c);
	return !c->closed;
}

void connection_send_raw(struct connection *c, enum frame_type type, const void *data, size_t size)
{
	uint8_t header[FRAME_HEADER];
	frame_raw_header(header, type, size);
	connection_send(c, header, sizeof header, data, size);
}

void connection_finish(struct connection *c)
{
	c->finishing = true;
	connection_flush(c);
}

void reply(struct connection *c, uint32_t id, int error, const char *text)
{
	size_t frame = frame_begin(&c->out, T_REPLY, id);
	frame_u32(&c->out, ERRNO, (uint32_t)error);
	if (error)
		frame_string(&c->out, TEXT, text ? text : strerror(error));
	frame_end(&c->out, frame);
	connection_flush(c);
}

static void hello(struct connection *c, uint32_t id, const struct message *m)
{
	static char boot[33];
	if (!has(m, VERSION) || m->number[VERSION] != 1) {
		reply(c, id, EINVAL, "this berth-init speaks protocol version 1");
		return;
	}
	if (!*boot) {
		uint8_t random[16] = {0};
		if (getrandom(random, sizeof random, GRND_NONBLOCK) < 0)
			memcpy(random, &(uint64_t[2]){now_ns(), now_ms()}, sizeof random);
		for (size_t i = 0; i < sizeof random; i++)
			sprintf(boot + 2 * i, "%02x", random[i]);
	}
	control = c;
	send_all_processes();
	size_t frame = frame_begin(&c->out, T_REPLY, id);
	frame_u32(&c->out, ERRNO, 0);
	frame_u32(&c->out, VERSION, 1);
	frame_string(&c->out, BOOT, boot);
	frame_end(&c->out, frame);
	connection_flush(c);
}

static int resize(const struct message *m)
{
	struct process *p = process_find(m->string[KEY]);
	if (!p || p->state == PS_ENDED)
		return ESRCH;
	if (!(p->flags & P_TERMINAL))
		return ENOTTY;
	p->rows = (uint16_t)m->number[ROWS];
	p->cols = (uint16_t)m->number[COLS];
	terminal_resize(p);
	return 0;
}

#define NEEDS(tag) (UINT64_C(1) << (tag))

static const uint64_t REQUIRED[T_SHUTDOWN + 1] = {
	[T_HELLO] = NEEDS(VERSION), [T_SIGNAL] = NEEDS(KEY) | NEEDS(SIGNO),
	[T_RESIZE] = NEEDS(KEY) | NEEDS(ROWS) | NEEDS(COLS), [T_ATTACH] = NEEDS(KEY) | NEEDS(FLAGS),
	[T_FILE] = NEEDS(PATH), [T_DIAL] = NEEDS(ADDR) | NEEDS(PORT), [T_FORGET] = NEEDS(KEY),
	[T_DNS_LISTEN] = NEEDS(NETNS), [T_DNS_CLOSE] = NEEDS(NETNS), [T_DNS_ANSWER] = NEEDS(QUERY) | NEEDS(BYTES),
};

static void handle_request(struct connection *c, uint8_t type, uint32_t id, const struct message *m)
{
	if (type == 0 || type > T_SHUTDOWN) {
		reply(c, id, ENOSYS, "unknown frame type");
		return;
	}
	if ((m->seen & REQUIRED[type]) != REQUIRED[type]) {
		if (type != T_DNS_ANSWER)
			reply(c, id, EINVAL, "a required field is missing");
		return;
	}
	switch (type) {
	case T_HELLO: hello(c, id, m); break;
	case T_START: start(c, id, m); break;
	case T_SIGNAL:
		reply(c, id, process_signal(m->string[KEY], (uint32_t)m->number[SIGNO], number(m, GROUP_SIGNAL, 0)), NULL);
		break;
	case T_RESIZE: reply(c, id, resize(m), NULL); break;
	case T_ATTACH: attach(c, id, m); break;
	case T_FILE: file_open(c, id, m); break;
	case T_DIAL: dial_open(c, id, m); break;
	case T_FORGET: reply(c, id, process_forget(m->string[KEY]), NULL); break;
	case T_DNS_LISTEN: reply(c, id, dns_listen(m->string[NETNS]), NULL); break;
	case T_DNS_CLOSE: reply(c, id, dns_close(m->string[NETNS]), NULL); break;
	case T_DNS_ANSWER: dns_answer((uint32_t)m->number[QUERY], m->bytes); break;
	case T_SHUTDOWN:
		reply(c, id, 0, NULL);
		shutdown_begin(number(m, TIMEOUT, 10000));
		break;
	default: break;
	}
}

/* One whole frame. False when the peer does not speak the protocol. */
static bool handle_frame(struct connection *c, struct span frame)
{
	uint8_t type = frame.data[4];
	uint32_t id = read_u32(frame.data + 5);
	struct span body = {frame.data + FRAME_HEADER, frame.size - FRAME_HEADER};
	if (c->mode == M_ATTACH) {
		if (type != T_STDIN || body.size > RAW_MAX)
			return false;
		input_write(c, body.data, body.size);
		return true;
	}
	if (c->mode != M_REQUESTS || type == T_STDIN)
		return false;
	struct message m;
	int error = message_decode(&m, body, false);
	if (error == EBADMSG)
		return false;
	if (error)
		reply(c, id, error, NULL);
	else
		handle_request(c, type, id, &m);
	message_free(&m);
	return true;
}

/* Handles what is whole in `in`; returns how many bytes that was. */
static size_t handle_input(struct connection *c, struct span in)
{
	size_t used = 0;
	while (!c->closed && !is_held_back(c)) {
		struct span rest = {in.data + used, in.size - used};
		if (c->mode == M_DIAL) {
			if (rest.size)
				dial_input(c, rest.data, rest.size);
			return in.size;
		}
		long length = frame_length(rest);
		if (length == 0)
			break;
		if (length < 0 || !handle_frame(c, (struct span){rest.data, (size_t)length})) {
			connection_close(c);
			break;
		}
		used += (size_t)length;
	}
	return used;
}

/* Input that waited for room goes on. */
static void resume_input(struct connection *c)
{
	if (c->closed || !buffer_size(&c->in) || is_held_back(c))
		return;
	/* handlers may close the connection, which frees c->in: work on a copy of the descriptor that we own */
	struct buffer in = c->in;
	c->in = (struct buffer){0};
	size_t used = handle_input(c, (struct span){buffer_head(&in), buffer_size(&in)});
	buffer_consume(&in, used);
	if (c->closed)
		buffer_free(&in);
	else
		c->in = in;
}

void connection_resume(struct connection *c)
{
	resume_input(c);
	connection_update(c);
}

static void read_input(struct connection *c)
{
	static uint8_t received[SCRATCH];
	ssize_t n = recv(c->watch.fd, received, sizeof received, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		connection_close(c);
		return;
	}
	if (n == 0) {
		c->ended = true;
		if (c->mode == M_DIAL)
			dial_input_ended(c);
		else if (c->mode == M_ATTACH)
			input_write(c, NULL, 0);
		else
			connection_flush(c);
		return;
	}
	size_t size = (size_t)n, used = 0;
	if (!buffer_size(&c->in))
		used = handle_input(c, (struct span){received, size});
	if (c->closed)
		return;
	if (used < size && !buffer_append(&c->in, received + used, size - used)) {
		connection_close(c);
		return;
	}
	resume_input(c);
}

/* The peer is gone for good, but what it sent before has to arrive. */
static void hung_up(struct connection *c)
{
	while (!c->closed && !c->ended && !is_held_back(c) && c->mode != M_REQUESTS)
		read_input(c);
	if (!c->closed && c->mode == M_DIAL)
		dial_hung_up(c);
	else
		connection_close(c);
}

static void connection_ready(struct watch *watch, uint32_t events)
{
	struct connection *c = container_of(watch, struct connection, watch);
	if (events & EPOLLIN)
		read_input(c);
	if (!c->closed && events & EPOLLOUT) {
		connection_flush(c);
		if (!c->closed && c->file)
			file_pump(c);
		if (!c->closed && c->process && buffer_size(&c->out) <= QUEUE_LIMIT / 2)
			outputs_update(c->process);
		if (!c->closed && c->dial)
			dial_output_sent(c);
	}
	if (!c->closed)
		resume_input(c);
	if (!c->closed && events & (EPOLLHUP | EPOLLERR))
		hung_up(c);
	else
		connection_update(c);
}

bool connection_has_room(void)
{
	return connection_count < MAX_CONNECTIONS;
}

bool connection_open(int fd)
{
	struct connection *c = calloc(1, sizeof *c);
	if (!c)
		return false;
	c->watch = (struct watch){.fd = fd, .ready = connection_ready};
	c->next = connections;
	connections = c;
	connection_count++;
	connection_update(c);
	return true;
}
