/* What the forked child of a START does: the steps, then becoming the process or finding the adopted one. */
#ifndef BERTH_STEPS_H
#define BERTH_STEPS_H

#include "frame.h"

#include <sys/resource.h>
#include <sys/types.h>

enum { RESULT_TEXT = 4000 };

/* What the child tells its parent over a pipe, in one atomic write (below PIPE_BUF). */
struct result {
	/* R_READY: the steps are done and execve is next; end of file after it means that it worked */
	enum { R_READY = 1, R_DONE, R_FAILED } what;
	int32_t step;
	int32_t error;
	int32_t exit_code;
	int32_t pid;
	uint32_t text_size;
	char text[RESULT_TEXT];
};

struct child_job {
	const struct message *start;
	uint64_t flags;
	int result_fd;
	/* the process's standard streams; -1 when there is no process or its terminal comes by the console socket */
	int stdio[3];
	/* soft and hard limit of descriptors that berth-init was started with */
	struct rlimit files;
	bool resets_oom_score;
};

/* Never returns. */
_Noreturn void run_child(const struct child_job *job);

/* The kernel's words for a subject: enter a network namespace given by path or descriptor. 0 or -1 with errno. */
int enter_netns(const char *path);
int open_regular(const char *path, int flags, unsigned mode);

/* trees.c: RMTREE and RMCGROUP; 0 or -1 with errno */
int remove_tree(const char *path);
int remove_cgroup(const char *path);
/* netns.c; 0 or -1 with errno */
int make_netns(const char *path);
int remove_netns(const char *path);

#endif
