/* Frames and fields of PROTOCOL.md: reading them from hostile bytes, and writing them. Pure: no system calls. */
#ifndef BERTH_FRAME_H
#define BERTH_FRAME_H

#include "buffer.h"

enum { FRAME_MAX = 4 << 20, FRAME_HEADER = 9, RAW_MAX = 65536 };

enum frame_type {
	T_HELLO = 1, T_START, T_SIGNAL, T_RESIZE, T_ATTACH, T_FILE, T_DIAL, T_FORGET, T_DNS_LISTEN, T_DNS_CLOSE,
	T_DNS_ANSWER, T_SHUTDOWN,
	T_REPLY = 0x40, T_PROCESS, T_EXIT, T_DNS_QUERY,
	T_STDIN = 0x50, T_STDOUT, T_STDERR, T_DATA, T_END,
};

enum tag {
	VERSION = 1, KEY, SIGNO, ROWS, COLS, FLAGS, ARG, ENV, CWD, UID, GID, GROUP, CONSOLE, QUERY, PIDFILE, LOG, RING,
	CGROUP, STEP, PATH, MODE, BYTES, NETNS, ADDR, PORT, ERRNO, TEXT, STEP_INDEX, TARGET, SOURCE, FSTYPE, DATA,
	TIMEOUT, OOM, BOOT, GROUP_SIGNAL, TAIL, LIMIT, OFFSET, SIZE, MTIME, EXIT, PID, STATE, STATUS, STARTED, FINISHED,
	LOG_SIZE, LOG_FILES, LOG_ATTRS, INODE,
	TAG_COUNT,
};

enum step_kind {
	S_MKDIR = 1, S_WRITE, S_SYMLINK, S_MOUNT, S_UMOUNT, S_RMTREE, S_RMCGROUP, S_NETNS, S_EXEC, S_CHDIR, S_NETNS_RM,
	S_COUNT,
};

struct span {
	const uint8_t *data;
	size_t size;
};

/* The fields of a frame or a step. Strings and lists are terminated copies in `arena`; spans point into the frame. */
struct message {
	uint64_t seen;
	uint64_t number[TAG_COUNT];
	char *string[TAG_COUNT];
	struct span bytes;
	char **args, **env;
	struct span *steps;
	uint32_t *groups;
	size_t arg_count, env_count, step_count, group_count;
	void *arena;
};

static inline bool has(const struct message *m, enum tag tag)
{
	return m->seen >> tag & 1;
}

/* The number of a field, or what it is when the field is absent. */
static inline uint64_t number(const struct message *m, enum tag tag, uint64_t absent)
{
	return has(m, tag) ? m->number[tag] : absent;
}

uint32_t read_u32(const uint8_t *at);

/* Length of the first whole frame in `in`: 0 when more bytes are needed, -1 when it is malformed. */
long frame_length(struct span in);

/* 0, EBADMSG when malformed, ENOMEM. On 0 the caller owns the message (message_free). MOUNT's FLAGS are wide: u64. */
int message_decode(struct message *m, struct span fields, bool wide_flags);
void message_free(struct message *m);

/* A step's kind and fields; EBADMSG when malformed, EINVAL when its kind is unknown or a required field is missing. */
int step_decode(struct message *m, struct span step, enum step_kind *kind);

/* Checks all steps and the process's fields of a START; as step_decode. */
int start_check(const struct message *m);

/* Writing: frame_begin, then fields, then frame_end with what frame_begin returned. */
size_t frame_begin(struct buffer *out, enum frame_type type, uint32_t id);
void frame_u32(struct buffer *out, enum tag tag, uint32_t value);
void frame_u64(struct buffer *out, enum tag tag, uint64_t value);
void frame_bytes(struct buffer *out, enum tag tag, const void *data, size_t size);
void frame_string(struct buffer *out, enum tag tag, const char *text);
void frame_end(struct buffer *out, size_t begin);
void frame_raw_header(uint8_t header[FRAME_HEADER], enum frame_type type, size_t size);

/* START's FLAGS for its process */
enum { P_TERMINAL = 1, P_STDIN = 2, P_STDIN_ONCE = 4, P_ADOPT = 8, P_DISCARD = 16, P_RESERVE = 32, P_LOG_COMPRESS = 64 };
/* ATTACH's FLAGS */
enum { A_STDIN = 1, A_STDOUT = 2, A_STDERR = 4, A_REPLAY = 8, A_STDIN_ONCE = 16 };

#endif
