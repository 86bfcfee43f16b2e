/* Frames and fields of PROTOCOL.md. Everything read here is treated as hostile; see test/fuzz.c. */
#include "frame.h"
#include "log-file.h"

#include <errno.h>

enum kind { K_UNKNOWN, K_U32, K_U64, K_STRING, K_BYTES, K_ARG, K_ENV, K_GROUP, K_STEP };

static const uint8_t KINDS[TAG_COUNT] = {
	[VERSION] = K_U32, [KEY] = K_STRING, [SIGNO] = K_U32, [ROWS] = K_U32, [COLS] = K_U32, [FLAGS] = K_U32,
	[ARG] = K_ARG, [ENV] = K_ENV, [CWD] = K_STRING, [UID] = K_U32, [GID] = K_U32, [GROUP] = K_GROUP,
	[CONSOLE] = K_STRING, [QUERY] = K_U32, [PIDFILE] = K_STRING, [LOG] = K_STRING, [RING] = K_U32,
	[CGROUP] = K_STRING, [STEP] = K_STEP, [PATH] = K_STRING, [MODE] = K_U32, [BYTES] = K_BYTES,
	[NETNS] = K_STRING, [ADDR] = K_STRING, [PORT] = K_U32, [ERRNO] = K_U32, [TEXT] = K_STRING,
	[STEP_INDEX] = K_U32, [TARGET] = K_STRING, [SOURCE] = K_STRING, [FSTYPE] = K_STRING, [DATA] = K_STRING,
	[TIMEOUT] = K_U32, [OOM] = K_U32, [BOOT] = K_STRING, [GROUP_SIGNAL] = K_U32, [TAIL] = K_U32,
	[LIMIT] = K_U64, [OFFSET] = K_U64, [SIZE] = K_U64, [MTIME] = K_U64, [EXIT] = K_U32, [PID] = K_U32,
	[STATE] = K_U32, [STATUS] = K_U32, [STARTED] = K_U64, [FINISHED] = K_U64,
	[LOG_SIZE] = K_U64, [LOG_FILES] = K_U32, [LOG_ATTRS] = K_STRING, [INODE] = K_U64,
};

#define BIT(tag) (UINT64_C(1) << (tag))

static const uint64_t REQUIRED[S_COUNT] = {
	[S_MKDIR] = BIT(PATH), [S_WRITE] = BIT(PATH) | BIT(BYTES), [S_SYMLINK] = BIT(TARGET) | BIT(PATH),
	[S_MOUNT] = BIT(SOURCE) | BIT(PATH) | BIT(FSTYPE), [S_UMOUNT] = BIT(PATH), [S_RMTREE] = BIT(PATH),
	[S_RMCGROUP] = BIT(PATH), [S_NETNS] = BIT(PATH), [S_EXEC] = BIT(ARG), [S_CHDIR] = BIT(PATH),
	[S_NETNS_RM] = BIT(PATH),
};

uint32_t read_u32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t read_u64(const uint8_t *at)
{
	return (uint64_t)read_u32(at) | (uint64_t)read_u32(at + 4) << 32;
}

long frame_length(struct span in)
{
	if (in.size < 4)
		return 0;
	uint32_t length = read_u32(in.data);
	if (length < FRAME_HEADER - 4 || length > FRAME_MAX)
		return -1;
	return in.size - 4 < length ? 0 : (long)length + 4;
}

/* Takes the next field off `in`. False when it reaches past the end. */
static bool next_field(struct span *in, uint8_t *tag, struct span *value)
{
	if (in->size < 5)
		return false;
	*tag = in->data[0];
	*value = (struct span){in->data + 5, read_u32(in->data + 1)};
	if (value->size > in->size - 5)
		return false;
	*in = (struct span){value->data + value->size, in->size - 5 - value->size};
	return true;
}

static enum kind kind_of(uint8_t tag, bool wide_flags)
{
	if (tag == FLAGS && wide_flags)
		return K_U64;
	return tag < TAG_COUNT ? (enum kind)KINDS[tag] : K_UNKNOWN;
}

/* First pass: every field is well formed; counts lists and the bytes that the copies of strings take. */
static int measure(struct message *m, struct span in, bool wide_flags, size_t *text)
{
	while (in.size) {
		uint8_t tag;
		struct span value;
		if (!next_field(&in, &tag, &value))
			return EBADMSG;
		enum kind kind = kind_of(tag, wide_flags);
		if ((kind == K_U32 || kind == K_GROUP) && value.size != 4)
			return EBADMSG;
		if (kind == K_U64 && value.size != 8)
			return EBADMSG;
		if (kind == K_STRING || kind == K_ARG || kind == K_ENV) {
			if (memchr(value.data, 0, value.size))
				return EBADMSG;
			*text += value.size + 1;
		}
		m->arg_count += kind == K_ARG;
		m->env_count += kind == K_ENV;
		m->group_count += kind == K_GROUP;
		m->step_count += kind == K_STEP;
	}
	return 0;
}

static char *copy_text(char **text, struct span value)
{
	char *copy = *text;
	memcpy(copy, value.data, value.size);
	copy[value.size] = 0;
	*text += value.size + 1;
	return copy;
}

int message_decode(struct message *m, struct span fields, bool wide_flags)
{
	size_t text_size = 0;
	*m = (struct message){0};
	int error = measure(m, fields, wide_flags, &text_size);
	if (error)
		return error;
	size_t pointers = m->arg_count + m->env_count + 2;
	m->arena = malloc(m->step_count * sizeof *m->steps + pointers * sizeof(char *) +
			  m->group_count * sizeof *m->groups + text_size);
	if (!m->arena)
		return ENOMEM;
	m->steps = m->arena;
	m->args = (char **)(void *)(m->steps + m->step_count);
	m->env = m->args + m->arg_count + 1;
	m->groups = (uint32_t *)(void *)(m->env + m->env_count + 1);
	char *text = (char *)(m->groups + m->group_count);
	m->args[m->arg_count] = m->env[m->env_count] = NULL;
	size_t args = 0, env = 0, groups = 0, steps = 0;
	uint8_t tag;
	struct span value;
	while (fields.size && next_field(&fields, &tag, &value)) {
		switch (kind_of(tag, wide_flags)) {
		case K_UNKNOWN: continue;
		case K_U32: m->number[tag] = read_u32(value.data); break;
		case K_U64: m->number[tag] = read_u64(value.data); break;
		case K_STRING: m->string[tag] = copy_text(&text, value); break;
		case K_BYTES: m->bytes = value; break;
		case K_ARG: m->args[args++] = copy_text(&text, value); break;
		case K_ENV: m->env[env++] = copy_text(&text, value); break;
		case K_GROUP: m->groups[groups++] = read_u32(value.data); break;
		case K_STEP: m->steps[steps++] = value; break;
		}
		m->seen |= BIT(tag);
	}
	return 0;
}

void message_free(struct message *m)
{
	free(m->arena);
	m->arena = NULL;
}

int step_decode(struct message *m, struct span step, enum step_kind *kind)
{
	*m = (struct message){0};
	if (!step.size)
		return EBADMSG;
	uint8_t byte = step.data[0];
	int error = message_decode(m, (struct span){step.data + 1, step.size - 1}, byte == S_MOUNT);
	if (error)
		return error;
	if (byte == 0 || byte >= S_COUNT || (m->seen & REQUIRED[byte]) != REQUIRED[byte]) {
		message_free(m);
		return EINVAL;
	}
	*kind = (enum step_kind)byte;
	return 0;
}

static bool key_is_valid(const char *key)
{
	size_t length = strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");
	return length >= 1 && length <= 80 && !key[length];
}

static int check_process(const struct message *m, enum step_kind last)
{
	uint64_t flags = number(m, FLAGS, 0);
	if (!has(m, KEY))
		return 0;
	if (!key_is_valid(m->string[KEY]) || number(m, RING, 0) > 1 << 20 || number(m, LOG_FILES, 1) > LOG_FILES_MAX)
		return EINVAL;
	if (flags & P_RESERVE)
		return 0;
	if (!(flags & P_ADOPT))
		return has(m, ARG) ? 0 : EINVAL;
	bool whole = has(m, PIDFILE) && last == S_EXEC && (!(flags & P_TERMINAL) || has(m, CONSOLE));
	return whole ? 0 : EINVAL;
}

int start_check(const struct message *m)
{
	enum step_kind kind = S_COUNT;
	for (size_t i = 0; i < m->step_count; i++) {
		struct message step;
		int error = step_decode(&step, m->steps[i], &kind);
		if (error)
			return error;
		message_free(&step);
	}
	return check_process(m, kind);
}

static void put(uint8_t *at, uint64_t value, int size)
{
	for (int i = 0; i < size; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

size_t frame_begin(struct buffer *out, enum frame_type type, uint32_t id)
{
	uint8_t header[FRAME_HEADER] = {0};
	size_t begin = buffer_size(out);
	header[4] = (uint8_t)type;
	put(header + 5, id, 4);
	buffer_append(out, header, sizeof header);
	return begin;
}

void frame_bytes(struct buffer *out, enum tag tag, const void *data, size_t size)
{
	uint8_t header[5] = {(uint8_t)tag};
	put(header + 1, size, 4);
	buffer_append(out, header, sizeof header);
	buffer_append(out, data, size);
}

void frame_u32(struct buffer *out, enum tag tag, uint32_t value)
{
	uint8_t bytes[4];
	put(bytes, value, 4);
	frame_bytes(out, tag, bytes, sizeof bytes);
}

void frame_u64(struct buffer *out, enum tag tag, uint64_t value)
{
	uint8_t bytes[8];
	put(bytes, value, 8);
	frame_bytes(out, tag, bytes, sizeof bytes);
}

void frame_string(struct buffer *out, enum tag tag, const char *text)
{
	frame_bytes(out, tag, text, strlen(text));
}

void frame_end(struct buffer *out, size_t begin)
{
	if (buffer_size(out) >= begin + FRAME_HEADER)
		put(buffer_head(out) + begin, buffer_size(out) - begin - 4, 4);
}

void frame_raw_header(uint8_t header[FRAME_HEADER], enum frame_type type, size_t size)
{
	put(header, size + FRAME_HEADER - 4, 4);
	header[4] = (uint8_t)type;
	put(header + 5, 0, 4);
}
