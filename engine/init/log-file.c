/*
 * The log file of a process. It is rotated between two lines once it has its size, as moby's loggerutils do: path.1 is
 * the youngest of the older ones, and with compression they are path.1.gz and so on. gzip(1) compresses, as a child, so
 * that nothing here waits for it; until it is done the file that is written grows on.
 */
#include "log-file.h"
#include "init.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct compression {
	struct compression *next;
	pid_t pid;
	char *path;
} *compressions;

void log_file_open(struct log_file *f)
{
	struct stat st;
	f->fd = open_regular(f->path, O_WRONLY | O_APPEND | O_CREAT, 0640);
	f->size = f->fd >= 0 && fstat(f->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

void log_file_close(struct log_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

/* The file under the log's name, if it is another than the open one: it was renamed, or its making failed. */
static void reopen(struct log_file *f)
{
	int fd = open_regular(f->path, O_WRONLY | O_APPEND | O_CREAT, 0640);
	if (fd < 0)
		return;
	close(f->fd);
	f->fd = fd;
	f->size = 0;
}

/* Follows what others do to the file, at most once a second. */
static void look_again(struct log_file *f, uint64_t now)
{
	struct stat named, open_one;
	if (now - f->checked < 1000000000)
		return;
	f->checked = now;
	if (fstat(f->fd, &open_one) < 0)
		return;
	f->size = (uint64_t)open_one.st_size;
	if (stat(f->path, &named) < 0 || named.st_ino != open_one.st_ino || named.st_dev != open_one.st_dev)
		reopen(f);
}

char *log_rotated_name(const char *path, uint32_t number, const char *ending)
{
	char *name;
	return asprintf(&name, "%s.%u%s", path, (unsigned)number, ending) < 0 ? NULL : name;
}

/* False when there was no such file. */
static bool rename_rotated(const char *path, uint32_t from, uint32_t to, const char *ending)
{
	char *old = log_rotated_name(path, from, ending), *new = log_rotated_name(path, to, ending);
	bool renamed = old && new && rename(old, new) == 0;
	free(old);
	free(new);
	return renamed;
}

static bool exists_rotated(const char *path, uint32_t number)
{
	static const char *const endings[] = {"", ".gz"};
	struct stat st;
	bool found = false;
	for (size_t i = 0; i < 2 && !found; i++) {
		char *name = log_rotated_name(path, number, endings[i]);
		found = name && lstat(name, &st) == 0;
		free(name);
	}
	return found;
}

static void remove_rotated(const char *path, uint32_t number)
{
	static const char *const endings[] = {"", ".gz"};
	for (size_t i = 0; i < 2; i++) {
		char *name = log_rotated_name(path, number, endings[i]);
		if (name)
			unlink(name);
		free(name);
	}
}

static bool is_compressing(const char *path)
{
	const struct compression *c = compressions;
	while (c && strcmp(c->path, path) != 0)
		c = c->next;
	return c != NULL;
}

static void compress_youngest(const char *path)
{
	static char program[] = "gzip", force[] = "-f", end[] = "--";
	struct compression *c = calloc(1, sizeof *c);
	char *name = log_rotated_name(path, 1, "");
	if (c && name && (c->path = strdup(path))) {
		struct child_job job = {.files = settings.files, .resets_oom_score = settings.resets_oom_score};
		char *argv[] = {program, force, end, name, NULL};
		c->pid = fork();
		if (c->pid == 0)
			run_helper(&job, argv);
	}
	free(name);
	if (c && c->pid > 0) {
		c->next = compressions;
		compressions = c;
	} else if (c) { /* it stays as it is, which can be read as well */
		free(c->path);
		free(c);
	}
}

bool log_compressor_reaped(pid_t pid)
{
	for (struct compression **at = &compressions; *at; at = &(*at)->next)
		if ((*at)->pid == pid) {
			struct compression *c = *at;
			*at = c->next;
			free(c->path);
			free(c);
			return true;
		}
	return false;
}

static void rotate(struct log_file *f)
{
	if (f->files < 2) {
		if (ftruncate(f->fd, 0) == 0)
			f->size = 0;
		return;
	}
	if (is_compressing(f->path))
		return;
	uint32_t gap = 1;
	while (gap < f->files - 1 && exists_rotated(f->path, gap))
		gap++;
	remove_rotated(f->path, gap);
	for (uint32_t to = gap; to > 1; to--) {
		rename_rotated(f->path, to - 1, to, "");
		rename_rotated(f->path, to - 1, to, ".gz");
	}
	char *youngest = log_rotated_name(f->path, 1, "");
	if (youngest && rename(f->path, youngest) == 0) {
		reopen(f);
		if (f->compresses)
			compress_youngest(f->path);
	}
	free(youngest);
}

/* On a full disk the line that does not fit is taken back whole, so that the file stays readable. */
static void write_lines(struct log_file *f, const uint8_t *data, size_t size)
{
	size_t written = 0;
	while (written < size) {
		ssize_t n = write(f->fd, data + written, size - written);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		written += (size_t)n;
	}
	size_t whole = written;
	if (written < size)
		while (whole && data[whole - 1] != '\n')
			whole--;
	f->size += whole;
	if (whole == written)
		return;
	off_t end = lseek(f->fd, 0, SEEK_CUR);
	if (end >= 0 && ftruncate(f->fd, end - (off_t)(written - whole)) < 0)
		errno = 0; /* nothing more can be done */
}

/* How much of the lines goes into a file with so much room: up to the line that fills it. */
static size_t fill(const uint8_t *lines, size_t size, uint64_t room)
{
	if (room >= size)
		return size;
	const uint8_t *newline = memchr(lines + room - 1, '\n', size - (size_t)room + 1);
	return newline ? (size_t)(newline - lines) + 1 : size;
}

void log_file_write(struct log_file *f, const uint8_t *lines, size_t size, uint64_t now)
{
	look_again(f, now);
	while (size) {
		if (f->limit && f->size >= f->limit)
			rotate(f);
		size_t part = f->limit && f->size < f->limit ? fill(lines, size, f->limit - f->size) : size;
		write_lines(f, lines, part);
		lines += part;
		size -= part;
	}
}
