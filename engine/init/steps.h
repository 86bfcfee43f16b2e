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
/* For a child that is only this program, found on the usual PATH, with nothing on its streams. */
_Noreturn void run_helper(const struct child_job *job, char **argv);


/* files.c; all 0, or -1 with errno. open_regular: a descriptor, EINVAL for what is not a regular file; never blocks. */
int open_regular(const char *path, int flags, unsigned mode);
int write_all(int fd, const uint8_t *data, size_t size);
/* Closes fd and returns value, errno as it was. */
int close_keeping_errno(int fd, int value);
int make_directory(const struct message *step, char *path);
int write_file(const struct message *step, const char *path);
int make_symlink(const char *target, const char *path);
int mount_at(const struct message *step, const char *path);
int unmount(const char *path);

/* trees.c: RMTREE and RMCGROUP; 0 or -1 with errno */
int remove_tree(const char *path);
/* What is in an open directory, not the directory */
int empty_tree(int directory);
int remove_cgroup(const char *path);
/* netns.c; 0 or -1 with errno */
int enter_netns(const char *path);
int make_netns(const char *path);
int remove_netns(const char *path);

#endif
