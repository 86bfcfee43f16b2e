/*
 * The forked child of a START: runs the steps one after the other, then becomes the process or finds the adopted one.
 * It may block on what the student controls; berth-init itself does not, and kills it when it takes too long.
 */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct result result;
static const struct child_job *job;

static _Noreturn void send_result(void)
{
	size_t size = offsetof(struct result, text) + result.text_size;
	ssize_t written = write(job->result_fd, &result, size);
	_exit(written == (ssize_t)size && result.what == R_DONE ? 0 : 1);
}

static _Noreturn void fail(int error, const char *what, const char *subject)
{
	result.what = R_FAILED;
	result.error = error ? error : EIO;
	if (what) {
		int n = snprintf(result.text, sizeof result.text, "%s %s: %s", what, subject, strerror(result.error));
		result.text_size = n < 0 ? 0 : (uint32_t)n < sizeof result.text ? (uint32_t)n : sizeof result.text - 1;
	}
	send_result();
}

/* Everything that berth-init changed for itself is put back before another program runs. */
static void reset_process(void)
{
	sigset_t none;
	for (int signal_number = 1; signal_number < NSIG; signal_number++)
		signal(signal_number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setrlimit(RLIMIT_NOFILE, &job->files);
	int fd = job->resets_oom_score ? open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC) : -1;
	if (fd >= 0)
		close_keeping_errno(fd, write_all(fd, (const uint8_t *)"0", 1));
}

static void become_program(char **argv, char **env)
{
	static char default_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	static char *default_env[] = {default_path, NULL};
	environ = env && *env ? env : default_env;
	execvp(argv[0], argv);
}

/* An unlinked file with the program's standard input, so that nobody has to feed it; /dev/null when there is none. */
static int input_of(const struct message *s)
{
	if (!has(s, BYTES) || !s->bytes.size)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("stdin", MFD_CLOEXEC);
	if (fd >= 0 && (write_all(fd, s->bytes.data, s->bytes.size) < 0 || lseek(fd, 0, SEEK_SET) < 0))
		return close_keeping_errno(fd, -1);
	return fd;
}

struct program {
	const struct message *step;
	int stdio[3];
	/* where the child is that failed, seen by the parent since vfork shares memory */
	volatile int error;
	const char *volatile doing;
};

static pid_t start_program(struct program *p)
{
	/* vfork: only system calls between here and execve, and nothing that changes the parent's memory but *p */
	pid_t pid = vfork();
	if (pid != 0)
		return pid;
	p->doing = "enter network namespace of";
	if (has(p->step, NETNS) && enter_netns(p->step->string[NETNS]) < 0)
		goto failed;
	p->doing = "exec";
	for (int fd = 0; fd < 3; fd++)
		if (dup2(p->stdio[fd], fd) < 0)
			goto failed;
	become_program(p->step->args, p->step->env);
failed:
	p->error = errno;
	_exit(127);
}

/* Keeps the first of what the program says on its standard error; reads on so that it never blocks. */
static void collect_text(int fd, bool *open)
{
	char rest[4096];
	size_t room = sizeof result.text - result.text_size;
	ssize_t n = read(fd, room ? result.text + result.text_size : rest, room ? room : sizeof rest);
	if (n > 0 && room)
		result.text_size += (uint32_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		*open = false;
}

static long monotonic_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits for the program, not for what it leaves behind holding its standard error. 0 when it took too long. */
static int wait_for_program(pid_t pid, int text_fd, long timeout, int *status)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	long deadline = monotonic_ms() + timeout;
	bool ended = false, open = text_fd >= 0;
	while (pidfd >= 0 && !ended) {
		struct pollfd fds[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = open ? text_fd : -1, .events = POLLIN}};
		long left = deadline - monotonic_ms();
		if (left <= 0 || (poll(fds, 2, (int)left) < 0 && errno != EINTR))
			break;
		if (fds[1].revents)
			collect_text(text_fd, &open);
		ended = fds[0].revents != 0;
	}
	if (!ended && pidfd >= 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	for (struct pollfd last = {.fd = text_fd, .events = POLLIN}; open && poll(&last, 1, 0) > 0;)
		collect_text(text_fd, &open);
	if (pidfd >= 0)
		close(pidfd);
	return ended || pidfd < 0;
}

static void run_program(const struct message *s, bool adopted)
{
	struct program p = {.step = s};
	int text[2] = {-1, -1}, status = 0;
	/* the program that starts the container hands its own streams on to it */
	bool passes_stdio = adopted && job->stdio[1] >= 0;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	p.stdio[0] = passes_stdio ? job->stdio[0] : input_of(s);
	if (null < 0 || p.stdio[0] < 0 || (!passes_stdio && pipe2(text, O_CLOEXEC) < 0))
		fail(errno, "prepare", s->args[0]);
	p.stdio[1] = passes_stdio ? job->stdio[1] : null;
	p.stdio[2] = passes_stdio ? job->stdio[2] : text[1];
	pid_t pid = start_program(&p);
	if (pid < 0)
		fail(errno, "fork for", s->args[0]);
	if (text[1] >= 0)
		close(text[1]);
	int in_time = wait_for_program(pid, text[0], (long)number(s, TIMEOUT, 30000), &status);
	if (p.error) {
		result.text_size = 0;
		fail(p.error, p.doing, s->args[0]);
	}
	if (!in_time) {
		result.exit_code = 128 + SIGKILL;
		if (!result.text_size)
			fail(ETIMEDOUT, "run", s->args[0]);
		fail(ETIMEDOUT, NULL, NULL);
	}
	result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (result.exit_code != 0)
		fail(EIO, NULL, NULL);
	result.text_size = 0;
	result.exit_code = -1;
	close(null);
	if (text[0] >= 0)
		close(text[0]);
	if (!passes_stdio)
		close(p.stdio[0]);
}

static void check(int status, const char *what, const char *subject)
{
	if (status < 0)
		fail(errno, what, subject);
}

static void run_step(enum step_kind kind, const struct message *s, bool adopted)
{
	char *path = s->string[PATH];
	switch (kind) {
	case S_MKDIR: check(make_directory(s, path), "mkdir", path); break;
	case S_WRITE: check(write_file(s, path), "write", path); break;
	case S_SYMLINK: check(make_symlink(s->string[TARGET], path), "symlink", path); break;
	case S_MOUNT: check(mount_at(s, path), "mount", path); break;
	case S_UMOUNT: check(unmount(path), "umount", path); break;
	case S_RMTREE: check(remove_tree(path), "remove", path); break;
	case S_RMCGROUP: check(remove_cgroup(path), "remove cgroup", path); break;
	case S_NETNS: check(make_netns(path), "make network namespace", path); break;
	case S_EXEC: run_program(s, adopted); break;
	case S_CHDIR: check(chdir(path), "chdir", path); break;
	case S_NETNS_RM: check(remove_netns(path), "remove network namespace", path); break;
	case S_COUNT: break;
	}
}

/* A log that cannot be written must be known before the process has done anything. */
static void check_log(void)
{
	if (!has(job->start, LOG))
		return;
	result.step = -1;
	int fd = open_regular(job->start->string[LOG], O_WRONLY | O_APPEND | O_CREAT, 0640);
	check(fd, "open log", job->start->string[LOG]);
	close(fd);
}

static _Noreturn void find_adopted(void)
{
	char text[32], *end;
	const char *path = job->start->string[PIDFILE];
	int fd = open_regular(path, O_RDONLY, 0);
	check(fd, "open pid file", path);
	ssize_t n = read(fd, text, sizeof text - 1);
	text[n > 0 ? n : 0] = 0;
	long pid = strtol(text, &end, 10);
	if (end == text || pid < 2 || pid > INT32_MAX)
		fail(EINVAL, "read pid file", path);
	unlink(path);
	result.pid = (int32_t)pid;
	result.what = R_DONE;
	send_result();
}

/* Streams that a user other than root gets must be his to open again by /dev/stdout. */
static void own_streams(uid_t uid)
{
	struct stat st;
	for (int fd = 0; fd < 3; fd++)
		if (uid != 0 && fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || isatty(fd)) && fchown(fd, uid, (gid_t)-1) < 0)
			errno = 0; /* it only misses the convenience */
}

static _Noreturn void become_process(void)
{
	const struct message *m = job->start;
	uid_t uid = (uid_t)number(m, UID, 0);
	bool changes_user = has(m, UID) || has(m, GID) || m->group_count;
	result.step = -1;
	for (int fd = 0; fd < 3; fd++)
		check(dup2(job->stdio[fd], fd), "dup", "stdio");
	if (job->flags & P_TERMINAL)
		check(ioctl(0, TIOCSCTTY, 0), "take", "terminal");
	own_streams(uid);
	if (changes_user) {
		check(setgroups(m->group_count, m->groups), "setgroups", "");
		check(setgid((gid_t)number(m, GID, 0)), "setgid", "");
		check(setuid(uid), "setuid", "");
	}
	const char *directory = has(m, CWD) ? m->string[CWD] : "/";
	check(chdir(directory), "chdir", directory);
	result.what = R_READY;
	if (write(job->result_fd, &result, offsetof(struct result, text)) < 0)
		_exit(1);
	become_program(m->args, m->env);
	fail(errno, "exec", m->args[0]);
}

_Noreturn void run_child(const struct child_job *the_job)
{
	job = the_job;
	result.exit_code = -1;
	reset_process();
	setsid();
	umask(022);
	bool adopts = has(job->start, KEY) && job->flags & P_ADOPT;
	for (size_t i = 0; i < job->start->step_count; i++) {
		struct message step;
		enum step_kind kind;
		bool last = i + 1 == job->start->step_count;
		if (adopts && last)
			check_log();
		result.step = (int32_t)i;
		int error = step_decode(&step, job->start->steps[i], &kind);
		if (error)
			fail(error, "decode", "step");
		run_step(kind, &step, adopts && last);
		message_free(&step);
	}
	result.step = -1;
	if (adopts)
		find_adopted();
	if (!has(job->start, KEY)) {
		result.what = R_DONE;
		send_result();
	}
	check_log();
	become_process();
}

_Noreturn void run_helper(const struct child_job *the_job, char **argv)
{
	job = the_job;
	reset_process();
	setsid();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			_exit(127);
	become_program(argv, NULL);
	_exit(127);
}
