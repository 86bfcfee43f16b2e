/* The processes that berth-init knows: their states, their end, and what the engine is told of them. */
#include "init.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DRAIN_MS = 500, REAP_BATCH = 500 };

static struct process *processes;
static size_t process_count;

struct process *process_find(const char *key)
{
	for (struct process *p = processes; p; p = p->next)
		if (strcmp(p->key, key) == 0)
			return p;
	return NULL;
}

static void drain_ended(struct timer *timer)
{
	struct process *p = container_of(timer, struct process, drain);
	outputs_end(p);
	process_settle(p);
}

struct process *process_new(const char *key)
{
	struct process *p = process_count < MAX_PROCESSES ? calloc(1, sizeof *p) : NULL;
	if (!p)
		return NULL;
	strcpy(p->key, key); /* at most 80 characters: start_check */
	p->state = PS_RESERVED;
	p->input.fd = p->log.fd = p->console_fd = -1;
	p->drain.fire = drain_ended;
	for (int i = 0; i < 3; i++)
		p->child_stdio[i] = -1;
	for (int i = 0; i < 2; i++) {
		p->outputs[i].watch.fd = -1;
		p->outputs[i].process = p;
		p->outputs[i].type = i ? T_STDERR : T_STDOUT;
		p->outputs[i].ended = true;
	}
	p->next = processes;
	processes = p;
	process_count++;
	return p;
}

static void close_child_stdio(struct process *p)
{
	for (int i = 0; i < 3; i++) {
		if (p->child_stdio[i] >= 0 && (i == 0 || p->child_stdio[i] != p->child_stdio[i - 1]))
			close(p->child_stdio[i]);
		if (i)
			p->child_stdio[i - 1] = -1;
	}
	p->child_stdio[2] = -1;
}

void process_drop(struct process *p)
{
	timer_cancel(&p->drain);
	outputs_end(p);
	p->state = PS_ENDED;
	attachments_settle(p);
	for (struct connection *c = p->attached, *next; c; c = next) {
		next = c->next_attached;
		c->process = NULL; /* it only has its END to write */
	}
	for (struct process **at = &processes; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	process_count--;
	files_wake(p->key);
	input_close(p);
	close_child_stdio(p);
	console_close(p);
	log_file_close(&p->log);
	free(p->ring.data);
	free(p->log.path);
	free(p->log.attrs);
	free(p->cgroup);
	free_later(p);
}

void send_process(enum frame_type type, const struct process *p)
{
	if (!control)
		return;
	struct buffer *out = &control->out;
	size_t frame = frame_begin(out, type, 0);
	frame_string(out, KEY, p->key);
	frame_u32(out, PID, (uint32_t)p->pid);
	frame_u32(out, STATE, p->state == PS_ENDED ? 2 : 1);
	frame_u32(out, STATUS, (uint32_t)p->status);
	frame_u64(out, STARTED, p->started);
	frame_u64(out, FINISHED, p->finished);
	frame_u32(out, OOM, p->oom);
	frame_end(out, frame);
}

void send_all_processes(void)
{
	for (struct process *p = processes, *next; p; p = next) {
		next = p->next;
		/* a reservation that nobody is attached to was made by an engine that is gone */
		if (p->state == PS_RESERVED && !p->attached)
			process_drop(p);
		else if (p->state >= PS_RUNNING)
			send_process(T_PROCESS, p);
	}
}

void process_running(struct process *p, pid_t pid)
{
	p->state = PS_RUNNING;
	p->pid = pid;
	p->started = now_ns();
	close_child_stdio(p);
	if (p->log.path) {
		log_file_open(&p->log);
		if (p->log.fd < 0) /* the child could open it a moment ago; the program must not block for it now */
			p->flags |= P_DISCARD;
	}
	terminal_resize(p);
	send_process(T_PROCESS, p);
	if (control)
		connection_flush(control);
	if (buffer_size(&p->input_queue))
		watch_for(&p->input, EPOLLOUT);
	else if (p->input_closing)
		input_close(p);
	outputs_update(p);
}

/* Has the kernel killed a process of the cgroup for want of memory? */
static bool had_oom_kill(const char *cgroup)
{
	static const char *const files[] = {"memory.events", "memory.oom_control"}; /* v2, v1 */
	char path[4096 + 32], text[1024];
	for (size_t i = 0; i < 2; i++) {
		if ((size_t)snprintf(path, sizeof path, "%s/%s", cgroup, files[i]) >= sizeof path)
			return false;
		int fd = open_regular(path, O_RDONLY, 0);
		if (fd < 0)
			continue;
		ssize_t n = read(fd, text, sizeof text - 1);
		close(fd);
		text[n > 0 ? n : 0] = 0;
		const char *count = strstr(text, "oom_kill ");
		return count && strtoul(count + 9, NULL, 10) > 0;
	}
	return false;
}

void process_reaped(struct process *p, int wait_status)
{
	p->state = PS_REAPED;
	p->finished = now_ns();
	p->status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
	p->oom = p->cgroup && had_oom_kill(p->cgroup);
	input_close(p);
	timer_set(&p->drain, DRAIN_MS);
	outputs_drain(p);
	process_settle(p);
}

/* Whether the process is at its end has to be looked at again. */
void process_settle(struct process *p)
{
	if (p->state == PS_REAPED && (outputs_ended(p) || !outputs_are_read(p))) {
		p->state = PS_ENDED;
		timer_cancel(&p->drain);
		log_file_close(&p->log);
		send_process(T_EXIT, p);
		if (control)
			connection_flush(control);
		files_wake(p->key);
	}
	attachments_settle(p);
}

bool reap_children(void)
{
	int count = 0;
	for (; count < REAP_BATCH; count++) {
		int wait_status;
		pid_t pid = waitpid(-1, &wait_status, WNOHANG);
		if (pid <= 0)
			break;
		if (start_reaped(pid, wait_status))
			continue;
		struct process *p = processes;
		while (p && (p->pid != pid || p->state != PS_RUNNING))
			p = p->next;
		if (p)
			process_reaped(p, wait_status);
		else if (!log_compressor_reaped(pid))
			remember_exit(pid, wait_status);
	}
	if (count)
		starts_adopt();
	return count < REAP_BATCH;
}

int process_signal(const char *key, uint32_t signal_number, bool group)
{
	struct process *p = process_find(key);
	if (!p)
		return ESRCH;
	if (signal_number >= NSIG)
		return EINVAL;
	if (p->state == PS_STARTING)
		return signal_number == SIGKILL ? start_kill(p) : EAGAIN;
	if (p->state != PS_RUNNING)
		return ESRCH;
	/* not reaped yet, so the pid is still its own */
	pid_t leader = group ? getpgid(p->pid) : 0;
	if (group && (leader <= 1 || leader == getpgrp())) /* kill(2) takes -1 for everyone, 0 for us */
		return ESRCH;
	return kill(group ? -leader : p->pid, (int)signal_number) < 0 ? errno : 0;
}

int process_forget(const char *key)
{
	struct process *p = process_find(key);
	if (!p)
		return ESRCH;
	if (p->state != PS_ENDED && p->state != PS_RESERVED)
		return EBUSY;
	process_drop(p);
	return 0;
}

/* For where kill(-1) would reach more than what is ours. */
void signal_all(int signal_number)
{
	for (struct process *p = processes; p; p = p->next)
		if (p->state == PS_RUNNING) {
			kill(-p->pid, signal_number);
			kill(p->pid, signal_number);
		}
}
