/* The process of a START before it runs: known by its key, with its streams open on both ends. */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int make_pipe(int *ours, int *theirs, bool we_write)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	*ours = ends[we_write];
	*theirs = ends[!we_write];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 ? errno : 0;
}

static int open_pipes(struct process *p)
{
	int error = 0;
	if (p->flags & P_STDIN)
		error = make_pipe(&p->input.fd, &p->child_stdio[0], true);
	else if ((p->child_stdio[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
		error = errno;
	for (int i = 0; i < 2 && !error; i++) {
		error = make_pipe(&p->outputs[i].watch.fd, &p->child_stdio[i + 1], false);
		p->outputs[i].ended = error != 0;
	}
	return error;
}

/* Takes over the process's fields of a START or a reservation. */
static int configure(struct process *p, const struct message *m)
{
	p->flags = (uint32_t)number(m, FLAGS, 0);
	p->rows = (uint16_t)number(m, ROWS, p->rows);
	p->cols = (uint16_t)number(m, COLS, p->cols);
	p->ring.limit = p->flags & P_TERMINAL ? (size_t)number(m, RING, 131072) : 0;
	p->log.limit = number(m, LOG_SIZE, 0);
	p->log.files = (uint32_t)number(m, LOG_FILES, 1);
	p->log.compresses = p->flags & P_LOG_COMPRESS;
	struct { enum tag tag; char **to; } texts[] = {{LOG, &p->log.path}, {LOG_ATTRS, &p->log.attrs}, {CGROUP, &p->cgroup}, {CONSOLE, &p->console}};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		free(*texts[i].to);
		*texts[i].to = NULL;
		if (has(m, texts[i].tag) && !(*texts[i].to = strdup(m->string[texts[i].tag])))
			return ENOMEM;
	}
	return 0;
}

struct process *prepare_process(const struct message *m, int *error)
{
	uint32_t flags = (uint32_t)number(m, FLAGS, 0), kept = P_TERMINAL | P_STDIN;
	struct process *p = process_find(m->string[KEY]);
	if (p && (p->state != PS_RESERVED || flags & P_RESERVE))
		*error = EEXIST;
	else if (p && (p->flags & kept) != (flags & kept))
		*error = EINVAL;
	if (*error)
		return NULL;
	bool is_new = !p;
	if (is_new && !(p = process_new(m->string[KEY]))) {
		*error = EAGAIN;
		return NULL;
	}
	*error = configure(p, m);
	if (!*error && is_new && !(flags & P_TERMINAL))
		*error = open_pipes(p);
	if (!*error && flags & P_TERMINAL && !(flags & P_RESERVE))
		*error = flags & P_ADOPT ? console_listen(p) : terminal_open(p);
	if (!*error)
		return p;
	process_drop(p);
	return NULL;
}
