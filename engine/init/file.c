/* FILE: sending a regular file, from a place counted in bytes or in last lines, and following a process's log. */
#include "init.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	int fd;
	char *path, *follow;
	uint64_t offset, left;
	/* going backwards to find the last lines: how many newlines are still wanted, and where the unread part ends */
	bool seeking;
	uint64_t newlines, seek_end;
	/* at the end of file, until the process writes or ends */
	bool waits;
};

static uint64_t modified_ns(const struct stat *st)
{
	return (uint64_t)st->st_mtim.tv_sec * 1000000000 + (uint64_t)st->st_mtim.tv_nsec;
}

static void reply_opened(struct connection *c, uint32_t id, const struct stat *st)
{
	size_t frame = frame_begin(&c->out, T_REPLY, id);
	frame_u32(&c->out, ERRNO, 0);
	frame_u64(&c->out, SIZE, (uint64_t)st->st_size);
	frame_u32(&c->out, MODE, st->st_mode);
	frame_u64(&c->out, MTIME, modified_ns(st));
	frame_u32(&c->out, UID, st->st_uid);
	frame_u32(&c->out, GID, st->st_gid);
	frame_u64(&c->out, INODE, st->st_ino);
	frame_end(&c->out, frame);
	connection_flush(c);
}

void file_open(struct connection *c, uint32_t id, const struct message *m)
{
	struct stat st;
	struct file *f = c == control ? NULL : calloc(1, sizeof *f);
	if (!f) {
		reply(c, id, c == control ? EINVAL : ENOMEM, NULL);
		return;
	}
	int error = 0;
	f->fd = open_regular(m->string[PATH], O_RDONLY, 0);
	if (f->fd < 0 || fstat(f->fd, &st) < 0)
		error = errno;
	else if (!(f->path = strdup(m->string[PATH])) || (has(m, KEY) && !(f->follow = strdup(m->string[KEY]))))
		error = ENOMEM;
	f->offset = number(m, OFFSET, 0);
	f->left = number(m, LIMIT, UINT64_MAX);
	c->file = f;
	if (error || f->offset > INT64_MAX) {
		file_close(c);
		reply(c, id, error ? error : EINVAL, NULL);
		return;
	}
	if (has(m, TAIL)) {
		f->seeking = true;
		f->newlines = m->number[TAIL];
		f->seek_end = (uint64_t)st.st_size;
	}
	c->mode = M_FILE;
	reply_opened(c, id, &st);
}

void file_close(struct connection *c)
{
	struct file *f = c->file;
	c->file = NULL;
	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	free(f->follow);
	free(f);
}

bool file_has_more(const struct connection *c)
{
	return !c->file->waits && !c->finishing;
}

/* One block backwards; a newline at the very end of the file ends the last line and is not counted. */
static void seek_lines(struct file *f, bool at_end)
{
	uint64_t start = f->seek_end > SCRATCH ? f->seek_end - SCRATCH : 0;
	ssize_t n = pread(f->fd, scratch, f->seek_end - start, (off_t)start);
	bool last_byte = at_end;
	if (f->newlines == 0 || n <= 0) {
		f->offset = f->seek_end > f->offset ? f->seek_end : f->offset;
		f->seeking = false;
		return;
	}
	for (ssize_t i = n - 1; i >= 0; i--, last_byte = false) {
		if (scratch[i] != '\n' || last_byte || --f->newlines)
			continue;
		uint64_t found = start + (uint64_t)i + 1;
		f->offset = found > f->offset ? found : f->offset;
		f->seeking = false;
		return;
	}
	f->seek_end = start;
	f->seeking = start > f->offset;
}

/* The file that followed a rotated one: the next younger, or the one that is written now. -1 when there is none. */
static int open_successor(const char *path, ino_t inode)
{
	struct stat st;
	for (uint32_t i = 1; i < LOG_FILES_MAX; i++) {
		char *name = log_rotated_name(path, i, "");
		bool there = name && stat(name, &st) == 0;
		free(name);
		if (!there)
			break; /* compressed: what lies between cannot be told */
		if (st.st_ino != inode)
			continue;
		if (i == 1)
			continue;
		char *next = log_rotated_name(path, i - 1, "");
		int fd = next ? open_regular(next, O_RDONLY, 0) : -1;
		free(next);
		if (fd >= 0)
			return fd;
		break;
	}
	return open_regular(path, O_RDONLY, 0);
}

/* Follows a rotated or truncated file. True when there may be more to read. */
static bool find_successor(struct file *f)
{
	struct stat open_one, named;
	if (fstat(f->fd, &open_one) < 0)
		return false;
	if ((uint64_t)open_one.st_size < f->offset) {
		f->offset = 0;
		return open_one.st_size > 0;
	}
	if (stat(f->path, &named) < 0 || (named.st_ino == open_one.st_ino && named.st_dev == open_one.st_dev))
		return false;
	int fd = open_successor(f->path, open_one.st_ino);
	if (fd < 0)
		return false;
	close(f->fd);
	f->fd = fd;
	f->offset = 0;
	return true;
}

static bool process_goes_on(const char *key)
{
	const struct process *p = key ? process_find(key) : NULL;
	return p && p->state != PS_ENDED;
}

static void finish(struct connection *c)
{
	frame_end(&c->out, frame_begin(&c->out, T_END, 0));
	connection_finish(c);
}

void file_pump(struct connection *c)
{
	struct file *f = c->file;
	if (c->finishing || buffer_size(&c->out) > QUEUE_LIMIT)
		return;
	if (f->seeking) {
		struct stat st;
		seek_lines(f, fstat(f->fd, &st) == 0 && (uint64_t)st.st_size == f->seek_end);
		return;
	}
	/* asked before reading, so that what was written before the end is read */
	bool goes_on = process_goes_on(f->follow);
	size_t want = f->left < SCRATCH ? (size_t)f->left : SCRATCH;
	ssize_t n = want ? pread(f->fd, scratch, want, (off_t)f->offset) : 0;
	if (n > 0) {
		f->offset += (uint64_t)n;
		f->left -= (uint64_t)n;
		connection_send_raw(c, T_DATA, scratch, (size_t)n);
	} else if (!want || n < 0) {
		finish(c);
	} else if (f->follow && find_successor(f)) {
		return; /* the loop comes back */
	} else if (goes_on) {
		f->waits = true;
		connection_update(c);
	} else {
		finish(c);
	}
}

/* The process with this key wrote to its log, or ended. */
void files_wake(const char *key)
{
	for (struct connection *c = connections, *next; c; c = next) {
		next = c->next;
		if (c->file && c->file->waits && c->file->follow && strcmp(c->file->follow, key) == 0) {
			c->file->waits = false;
			connection_update(c);
		}
	}
}
