/* berth-init: PID 1 of a sandbox. Its protocol is PROTOCOL.md; this file is its start, its signals and its end. */
#include "changes.h"
#include "copy.h"
#include "init.h"
#include "layer.h"
#include "netns.h"
#include "read.h"
#include "view.h"
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LISTEN_FD = 3 };

struct settings settings;
uint8_t scratch[SCRATCH];
static struct watch signals;
static struct timer shutdown_timer, reap_again;
static bool shutting_down;

bool is_shutting_down(void)
{
	return shutting_down;
}

static void signal_everything(int signal_number)
{
	if (settings.is_pid1)
		kill(-1, signal_number);
	else
		signal_all(signal_number);
}

/* Ends when the last child is gone. */
static void exit_when_alone(void)
{
	siginfo_t info;
	if (shutting_down && waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD) {
		if (control)
			connection_flush(control);
		exit(0);
	}
}

static void shutdown_overdue(struct timer *timer)
{
	signal_everything(SIGKILL);
	timer_set(timer, 100); /* until nothing is left, or the kernel ends it all with us */
	static int rounds;
	if (++rounds > 50)
		exit(0);
}

void shutdown_begin(uint64_t timeout_ms)
{
	if (shutting_down)
		return;
	shutting_down = true;
	shutdown_timer.fire = shutdown_overdue;
	timer_set(&shutdown_timer, timeout_ms);
	signal_everything(SIGTERM);
	signal_everything(SIGCONT); /* a stopped process could not end */
}

static void reap(struct timer *timer)
{
	if (!reap_children())
		timer_set(timer, 0);
}

static void signals_ready(struct watch *watch, uint32_t events)
{
	struct signalfd_siginfo info;
	(void)events;
	while (read(watch->fd, &info, sizeof info) == (ssize_t)sizeof info)
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			shutdown_begin(10000);
	/* one SIGCHLD may stand for many */
	reap(&reap_again);
}

static void open_signals(void)
{
	sigset_t mask;
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	reap_again.fire = reap;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signals = (struct watch){.fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK), .ready = signals_ready};
	if (!watch_for(&signals, EPOLLIN))
		abort();
}

/* Programs that we start must find descriptors 0 to 2 taken, and no other inherited. */
static void open_standard_streams(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			dup2(open("/dev/null", O_RDWR), fd);
	close_range(LISTEN_FD, ~0U, CLOSE_RANGE_CLOEXEC);
	fcntl(LISTEN_FD, F_SETFL, fcntl(LISTEN_FD, F_GETFL) | O_NONBLOCK);
}

static void read_settings(int argc, char **argv)
{
	char text[16] = "";
	settings.is_pid1 = getpid() == 1;
	if (argc > 1 && strcmp(argv[1], "--not-pid1") == 0 && !settings.is_pid1)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	else if (!settings.is_pid1) {
		fputs("berth-init is the first process of a sandbox; to try it elsewhere: berth-init --not-pid1\n", stderr);
		exit(64);
	}
	getrlimit(RLIMIT_NOFILE, &settings.files);
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){settings.files.rlim_max, settings.files.rlim_max});
	int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		settings.resets_oom_score = read(fd, text, sizeof text - 1) > 0 && strcmp(text, "0\n") != 0;
		close(fd);
	}
}

/* What the engine runs as processes of the sandbox, beside PID 1. */
static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} tools[] = {
	{"layer", layer_main}, {"copy", copy_main}, {"volume", volume_main}, {"view", view_main}, {"changes", changes_main}, {"read", read_main},
};

int main(int argc, char **argv)
{
	int listening = 0;
	socklen_t size = sizeof listening;
	for (size_t i = 0; argc > 2 && getpid() != 1 && i < sizeof tools / sizeof *tools; i++)
		if (strcmp(argv[1], tools[i].name) == 0)
			return tools[i].run(argc - 2, argv + 2);
	read_settings(argc, argv);
	if (getsockopt(LISTEN_FD, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 || !listening) {
		fputs("berth-init: descriptor 3 is not a listening socket\n", stderr);
		return 64;
	}
	/* give memory back soon: the process lives long and is mostly idle */
	mallopt(M_MMAP_THRESHOLD, 32768);
	mallopt(M_TRIM_THRESHOLD, 32768);
	open_standard_streams();
	loop_open();
	open_signals();
	netns_open_own();
	listen_on(LISTEN_FD);
	for (;;) {
		loop_round();
		exit_when_alone();
	}
}
