/* START: forking the child that runs the steps, its time limit, and what becomes of its result. */
#include "init.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEPS_MS = 30000, ADOPTION_MS = 2000, REMEMBERED = 1024 };

struct start {
	void *grave;
	struct start *next;
	struct watch result_watch;
	struct timer deadline;
	pid_t pid;
	struct process *process;
	struct connection *requester;
	uint32_t id;
	bool adopts, ready;
	/* the pid of the pid file, while it is not our child yet */
	pid_t awaited;
};

static struct start *starts;
static size_t start_count, adopting_count;

/*
 * A container may end before its pid file has been read. While a START that adopts is under way, the exits of unknown
 * processes are remembered.
 */
static struct {
	pid_t pid;
	int wait_status;
} remembered[REMEMBERED];
static size_t remembered_next;

void remember_exit(pid_t pid, int wait_status)
{
	if (!adopting_count)
		return;
	remembered[remembered_next % REMEMBERED].pid = pid;
	remembered[remembered_next % REMEMBERED].wait_status = wait_status;
	remembered_next++;
}

static bool recall_exit(pid_t pid, int *wait_status)
{
	for (size_t i = 0; i < REMEMBERED; i++)
		if (remembered[i].pid == pid) {
			*wait_status = remembered[i].wait_status;
			remembered[i].pid = 0;
			return true;
		}
	return false;
}

static void start_close(struct start *s)
{
	for (struct start **at = &starts; *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	timer_cancel(&s->deadline);
	watch_close(&s->result_watch);
	start_count--;
	adopting_count -= s->adopts;
	if (!adopting_count && remembered_next) {
		memset(remembered, 0, sizeof remembered);
		remembered_next = 0;
	}
	free_later(s);
	if (s->requester && s->requester->ended)
		connection_flush(s->requester);
}

static void reply_started(struct start *s, pid_t pid)
{
	if (!s->requester)
		return;
	struct buffer *out = &s->requester->out;
	size_t frame = frame_begin(out, T_REPLY, s->id);
	frame_u32(out, ERRNO, 0);
	frame_u32(out, PID, (uint32_t)pid);
	frame_end(out, frame);
	connection_flush(s->requester);
}

static void start_failed(struct start *s, struct result *r)
{
	struct process *p = s->process;
	if (p && !r->text_size && r->exit_code >= 0 && p->outputs[1].watch.fd >= 0) {
		/* the program that should have started the container spoke on the container's standard error */
		ssize_t n = read(p->outputs[1].watch.fd, r->text, sizeof r->text);
		r->text_size = n > 0 ? (uint32_t)n : 0;
	}
	for (uint32_t i = 0; i < r->text_size; i++) /* TEXT is a string */
		r->text[i] = r->text[i] ? r->text[i] : '?';
	if (p)
		process_drop(p);
	if (s->requester) {
		struct buffer *out = &s->requester->out;
		size_t frame = frame_begin(out, T_REPLY, s->id);
		frame_u32(out, ERRNO, (uint32_t)r->error);
		frame_u32(out, STEP_INDEX, (uint32_t)r->step);
		frame_u32(out, EXIT, (uint32_t)r->exit_code);
		frame_bytes(out, TEXT, r->text, r->text_size);
		frame_end(out, frame);
		connection_flush(s->requester);
	}
	start_close(s);
}

static void start_failed_with(struct start *s, int error, const char *text)
{
	struct result r = {.what = R_FAILED, .step = -1, .error = error, .exit_code = -1};
	r.text_size = (uint32_t)strlen(text);
	memcpy(r.text, text, r.text_size);
	start_failed(s, &r);
}

static void adoption_overdue(struct timer *timer)
{
	start_failed_with(container_of(timer, struct start, deadline), ESRCH, "the pid file names no child of berth-init");
}

/*
 * crun answers a moment before its last process ends, whose child the container is until then. When that one is reaped
 * the container has become ours.
 */
static void await_child(struct start *s, pid_t pid)
{
	if (s->awaited)
		return;
	s->awaited = pid;
	watch_close(&s->result_watch);
	s->deadline.fire = adoption_overdue;
	timer_set(&s->deadline, kill(pid, 0) < 0 ? 0 : ADOPTION_MS);
}

static void adopt(struct start *s, pid_t pid)
{
	struct process *p = s->process;
	int wait_status = 0;
	siginfo_t info = {0};
	/* a child of ours that has not been reaped, or one that has been meanwhile */
	bool is_child = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
	bool ended = !is_child && recall_exit(pid, &wait_status);
	if (!is_child && !ended) {
		await_child(s, pid);
		return;
	}
	int error = p->flags & P_TERMINAL ? console_receive(p) : 0;
	if (error) {
		if (is_child)
			kill(pid, SIGKILL);
		start_failed_with(s, error, "no terminal came by the console socket");
		return;
	}
	process_running(p, pid);
	reply_started(s, pid);
	start_close(s);
	if (ended)
		process_reaped(p, wait_status);
}

/* The child's result is whole: R_DONE or R_FAILED, or end of file. */
static void start_finish(struct start *s, struct result *r)
{
	if (r->what == R_FAILED) {
		start_failed(s, r);
	} else if (r->what == R_DONE && s->adopts) {
		adopt(s, r->pid);
	} else if (r->what == R_DONE) {
		reply_started(s, 0);
		start_close(s);
	} else if (s->ready) {
		process_running(s->process, s->pid);
		reply_started(s, s->pid);
		start_close(s);
	} else {
		start_failed_with(s, EIO, "the steps were killed");
	}
}

/* True when the start is over. */
static bool read_result(struct start *s)
{
	/* messages are written whole and are at most two */
	static uint8_t raw[2 * sizeof(struct result)];
	static struct result r;
	ssize_t n = read(s->result_watch.fd, raw, sizeof raw);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	r = (struct result){0};
	for (size_t at = 0, size = n > 0 ? (size_t)n : 0; size - at >= offsetof(struct result, text);) {
		memcpy(&r, raw + at, offsetof(struct result, text));
		at += offsetof(struct result, text);
		if (r.text_size > sizeof r.text || r.text_size > size - at)
			break;
		memcpy(r.text, raw + at, r.text_size);
		at += r.text_size;
		s->ready |= r.what == R_READY;
	}
	if (n > 0 && r.what == R_READY)
		return read_result(s);
	start_finish(s, &r);
	return true;
}

static void result_ready(struct watch *watch, uint32_t events)
{
	(void)events;
	read_result(container_of(watch, struct start, result_watch));
}

/* The child may be reaped before its result has been looked at. */
bool start_reaped(pid_t pid, int wait_status)
{
	struct start *s = starts;
	while (s && s->pid != pid)
		s = s->next;
	if (!s)
		return false;
	struct process *p = s->adopts ? NULL : s->process;
	if (s->awaited) {
		s->pid = 0;
		return true;
	}
	if (!read_result(s))
		start_failed_with(s, EIO, "the steps were killed");
	else if (p && p->state == PS_RUNNING && p->pid == pid)
		process_reaped(p, wait_status);
	return true;
}

void starts_adopt(void)
{
	for (struct start *s = starts, *next; s; s = next) {
		next = s->next;
		if (s->awaited)
			adopt(s, s->awaited);
	}
}

static void kill_child(const struct start *s)
{
	if (!s->pid)
		return;
	kill(-s->pid, SIGKILL);
	kill(s->pid, SIGKILL);
}

static void start_overdue(struct timer *timer)
{
	struct start *s = container_of(timer, struct start, deadline);
	kill_child(s);
	start_failed_with(s, ETIMEDOUT, "the steps took too long");
}

int start_kill(const struct process *p)
{
	for (const struct start *s = starts; s; s = s->next)
		if (s->process == p)
			kill_child(s);
	return 0;
}

void start_forget_requester(const struct connection *c)
{
	for (struct start *s = starts; s; s = s->next)
		if (s->requester == c)
			s->requester = NULL;
}

bool start_is_awaited(const struct connection *c)
{
	const struct start *s = starts;
	while (s && s->requester != c)
		s = s->next;
	return s != NULL;
}

/* As long as its programs may take, and some time for the other steps. Namespaces that go lose their DNS. */
static uint64_t look_ahead(const struct message *m)
{
	uint64_t milliseconds = STEPS_MS;
	for (size_t i = 0; i < m->step_count; i++) {
		struct message step;
		enum step_kind kind;
		if (step_decode(&step, m->steps[i], &kind) != 0)
			continue;
		if (kind == S_EXEC)
			milliseconds += number(&step, TIMEOUT, 30000);
		if (kind == S_NETNS || kind == S_NETNS_RM)
			dns_close(step.string[PATH]);
		message_free(&step);
	}
	return milliseconds;
}

/* 0 or errno; the start is under way after 0. */
static int launch(struct connection *c, uint32_t id, const struct message *m, struct process *p)
{
	int ends[2];
	struct start *s = calloc(1, sizeof *s);
	if (!s)
		return ENOMEM;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		int pipe_error = errno;
		free(s);
		return pipe_error;
	}
	struct child_job job = {m, p ? p->flags : 0, ends[1], {-1, -1, -1}, settings.files, settings.resets_oom_score};
	for (int i = 0; i < 3 && p; i++)
		job.stdio[i] = p->child_stdio[i];
	pid_t pid = fork();
	if (pid == 0)
		run_child(&job);
	int error = pid < 0 ? errno : 0;
	close(ends[1]);
	s->result_watch = (struct watch){.fd = ends[0], .ready = result_ready};
	if (!error && (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 || !watch_for(&s->result_watch, EPOLLIN))) {
		error = EAGAIN;
		kill(pid, SIGKILL);
	}
	if (error) {
		watch_close(&s->result_watch);
		free(s);
		return error;
	}
	s->pid = pid;
	s->process = p;
	s->requester = c;
	s->id = id;
	s->adopts = p && p->flags & P_ADOPT;
	s->next = starts;
	starts = s;
	start_count++;
	adopting_count += s->adopts;
	s->deadline.fire = start_overdue;
	timer_set(&s->deadline, look_ahead(m));
	if (p)
		p->state = PS_STARTING;
	return 0;
}

void start(struct connection *c, uint32_t id, const struct message *m)
{
	struct process *p = NULL;
	int error = start_check(m);
	if (error == EBADMSG) { /* a malformed step is a malformed frame */
		connection_close(c);
		return;
	}
	if (!error && (start_count >= MAX_STARTS || is_shutting_down()))
		error = EAGAIN;
	if (!error && has(m, KEY))
		p = prepare_process(m, &error);
	if (!error && p && p->flags & P_RESERVE) {
		struct start done = {.requester = c, .id = id};
		reply_started(&done, 0);
		return;
	}
	if (!error)
		error = launch(c, id, m, p);
	if (!error)
		return;
	if (p)
		process_drop(p);
	size_t frame = frame_begin(&c->out, T_REPLY, id);
	frame_u32(&c->out, ERRNO, (uint32_t)error);
	frame_u32(&c->out, STEP_INDEX, UINT32_MAX);
	frame_u32(&c->out, EXIT, UINT32_MAX);
	frame_string(&c->out, TEXT, strerror(error));
	frame_end(&c->out, frame);
	connection_flush(c);
}
