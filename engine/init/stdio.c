/* The standard streams of processes: their outputs to log, ring and attached connections; these to their input. */
#include "init.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* the most that a pipe can hold without privilege (fs.pipe-max-size); read whole when its process has ended */
enum { DRAIN_LIMIT = 1 << 20 };

bool outputs_ended(const struct process *p)
{
	return p->outputs[0].ended && p->outputs[1].ended;
}

bool outputs_are_read(const struct process *p)
{
	if (p->log.fd >= 0 || p->flags & (P_TERMINAL | P_DISCARD))
		return true;
	for (const struct connection *c = p->attached; c; c = c->next_attached)
		if (c->flags & (A_STDOUT | A_STDERR))
			return true;
	return false;
}

static bool someone_is_slow(const struct process *p)
{
	for (const struct connection *c = p->attached; c; c = c->next_attached)
		if (buffer_size(&c->out) > QUEUE_LIMIT)
			return true;
	return false;
}

static void output_ready(struct watch *watch, uint32_t events);

void outputs_update(struct process *p)
{
	bool reads = p->state >= PS_RUNNING && outputs_are_read(p) && !someone_is_slow(p);
	for (int i = 0; i < 2; i++) {
		struct output *o = &p->outputs[i];
		o->watch.ready = output_ready;
		if (reads && !o->ended)
			watch_for(&o->watch, EPOLLIN);
		else
			watch_pause(&o->watch);
	}
}

static void log_output(struct output *o, const uint8_t *data, size_t size)
{
	static struct buffer lines;
	struct process *p = o->process;
	const char *name = o->type == T_STDERR ? "stderr" : "stdout";
	uint64_t now = now_ns();
	if (p->log.fd < 0)
		return;
	o->log.attrs = p->log.attrs;
	if (data)
		log_format(&o->log, name, now, data, size, &lines);
	else
		log_finish(&o->log, name, now, &lines);
	if (!buffer_size(&lines))
		return;
	log_file_write(&p->log, buffer_head(&lines), buffer_size(&lines), now);
	if (lines.capacity > SCRATCH)
		buffer_free(&lines);
	lines.head = lines.tail = 0;
	files_wake(p->key);
}

static void deliver(struct output *o, const uint8_t *data, size_t size)
{
	struct process *p = o->process;
	uint32_t wanted = o->type == T_STDERR ? A_STDERR : A_STDOUT;
	log_output(o, data, size);
	ring_write(&p->ring, data, size);
	for (struct connection *c = p->attached, *next; c; c = next) {
		next = c->next_attached;
		if (c->flags & wanted && !c->closed)
			connection_send_raw(c, o->type, data, size);
	}
}

static void end_output(struct output *o)
{
	struct process *p = o->process;
	if (!o->ended)
		log_output(o, NULL, 0);
	buffer_free(&o->log.partial);
	o->ended = true;
	/* a terminal whose last user closed it may be opened again while its process lives */
	if (p->flags & P_TERMINAL && p->state == PS_RUNNING)
		watch_pause(&o->watch);
	else
		watch_close(&o->watch);
}

/* Reads once. False when there is nothing more now, or ever. */
static bool read_output(struct output *o, size_t *count)
{
	ssize_t n = read(o->watch.fd, scratch, SCRATCH);
	if (n > 0) {
		*count += (size_t)n;
		deliver(o, scratch, (size_t)n);
		return true;
	}
	if (n < 0 && errno == EINTR)
		return true;
	if (n == 0 || errno != EAGAIN)
		end_output(o); /* a terminal says EIO when its last user is gone */
	return false;
}

static void output_ready(struct watch *watch, uint32_t events)
{
	struct output *o = container_of(watch, struct output, watch);
	size_t count = 0;
	(void)events;
	read_output(o, &count);
	if (!o->ended)
		outputs_update(o->process);
	else
		process_settle(o->process);
}

/* The process has ended: whoever is slow, what it has written is read now, so that its log is whole. */
void outputs_drain(struct process *p)
{
	if (!outputs_are_read(p))
		return;
	for (int i = 0; i < 2; i++) {
		size_t count = 0;
		while (!p->outputs[i].ended && count < DRAIN_LIMIT && read_output(&p->outputs[i], &count))
			;
		if (p->outputs[i].ended)
			watch_close(&p->outputs[i].watch);
	}
}

void outputs_end(struct process *p)
{
	for (int i = 0; i < 2; i++) {
		end_output(&p->outputs[i]);
		watch_close(&p->outputs[i].watch);
	}
}

static void send_in_frames(struct connection *c, enum frame_type type, struct span data)
{
	while (data.size && !c->closed) {
		size_t size = data.size < RAW_MAX ? data.size : RAW_MAX;
		connection_send_raw(c, type, data.data, size);
		data = (struct span){data.data + size, data.size - size};
	}
}

void attach(struct connection *c, uint32_t id, const struct message *m)
{
	struct process *p = process_find(m->string[KEY]);
	if (!p || c == control) {
		reply(c, id, p ? EINVAL : ESRCH, NULL);
		return;
	}
	c->mode = M_ATTACH;
	c->flags = (uint32_t)m->number[FLAGS];
	c->process = p;
	c->next_attached = p->attached;
	p->attached = c;
	reply(c, id, 0, NULL);
	struct span spans[2];
	if (c->flags & A_REPLAY && c->flags & A_STDOUT && ring_spans(&p->ring, spans))
		for (int i = 0; i < 2; i++)
			send_in_frames(c, T_STDOUT, spans[i]);
	if (p->state == PS_ENDED && !outputs_ended(p)) {
		/* it ended unread */
		outputs_drain(p);
		timer_set(&p->drain, 500);
	}
	outputs_update(p);
	attachments_settle(p);
}

static void end_input_of(struct connection *c, struct process *p)
{
	bool closes = c->flags & A_STDIN && (c->flags & A_STDIN_ONCE || p->flags & P_STDIN_ONCE);
	if (!closes || p->flags & P_TERMINAL)
		return;
	p->input_closing = true;
	if (!buffer_size(&p->input_queue))
		input_close(p);
}

void detach(struct connection *c)
{
	struct process *p = c->process;
	/* c->next_attached stays: someone up the stack may be walking the list */
	for (struct connection **at = &p->attached; *at; at = &(*at)->next_attached)
		if (*at == c) {
			*at = c->next_attached;
			break;
		}
	c->process = NULL;
	end_input_of(c, p);
	outputs_update(p);
	process_settle(p);
}

void attachments_settle(struct process *p)
{
	if (p->state != PS_ENDED || !outputs_ended(p))
		return;
	for (struct connection *c = p->attached, *next; c; c = next) {
		next = c->next_attached;
		if (c->closed || c->finishing)
			continue;
		frame_end(&c->out, frame_begin(&c->out, T_END, 0));
		connection_finish(c);
	}
}

bool input_is_full(const struct process *p)
{
	return buffer_size(&p->input_queue) > QUEUE_LIMIT;
}

static void resume_attached(struct process *p)
{
	for (struct connection *c = p->attached, *next; c; c = next) {
		next = c->next_attached;
		connection_resume(c);
	}
}

void input_close(struct process *p)
{
	bool was_full = input_is_full(p);
	p->input_closing = true;
	watch_close(&p->input);
	buffer_free(&p->input_queue);
	if (was_full)
		resume_attached(p);
}

static void input_ready(struct watch *watch, uint32_t events)
{
	struct process *p = container_of(watch, struct process, input);
	bool was_full = input_is_full(p);
	(void)events;
	while (buffer_size(&p->input_queue)) {
		ssize_t n = write(watch->fd, buffer_head(&p->input_queue), buffer_size(&p->input_queue));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			input_close(p); /* nobody reads it any more */
			return;
		}
		if (n < 0)
			break;
		buffer_consume(&p->input_queue, (size_t)n);
	}
	if (!buffer_size(&p->input_queue)) {
		watch_pause(watch);
		if (p->input_closing)
			input_close(p);
	}
	if (was_full && !input_is_full(p))
		resume_attached(p);
}

void input_write(struct connection *c, const uint8_t *data, size_t size)
{
	struct process *p = c->process;
	if (!p || !(c->flags & A_STDIN))
		return;
	if (!size) {
		end_input_of(c, p);
		return;
	}
	/* a terminal that comes by the console socket is not there yet; without one or a pipe input goes nowhere */
	bool comes = p->flags & P_TERMINAL && p->state < PS_RUNNING;
	if (p->input_closing || (p->input.fd < 0 && !comes) || !buffer_append(&p->input_queue, data, size))
		return;
	p->input.ready = input_ready;
	if (p->input.fd >= 0)
		input_ready(&p->input, EPOLLOUT);
	if (buffer_size(&p->input_queue) && p->input.fd >= 0)
		watch_for(&p->input, EPOLLOUT);
}
