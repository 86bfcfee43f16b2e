/*
 * Fuzzes what reads hostile bytes: frames, fields, START's steps, log lines. With clang it is a libFuzzer target; with
 * -DSTANDALONE it mutates the corpus by itself: fuzz SECONDS FILE...
 */
#include "../frame.h"
#include "../log.h"

#include <stdio.h>
#include <time.h>

static void read_message(const struct message *m)
{
	volatile size_t sum = 0; /* touch all that was decoded, so that the sanitizers look at it */
	for (int tag = 0; tag < TAG_COUNT; tag++)
		if (m->string[tag])
			sum += strlen(m->string[tag]);
	for (size_t i = 0; i < m->arg_count; i++)
		sum += strlen(m->args[i]);
	for (size_t i = 0; i < m->env_count; i++)
		sum += strlen(m->env[i]);
	for (size_t i = 0; i < m->group_count; i++)
		sum += m->groups[i];
	for (size_t i = 0; i < m->bytes.size; i++)
		sum += m->bytes.data[i];
	(void)sum;
}

static void read_frames(struct span in)
{
	for (long length; (length = frame_length(in)) > 0;) {
		struct message m, step;
		enum step_kind kind;
		struct span body = {in.data + FRAME_HEADER, (size_t)length - FRAME_HEADER};
		if (message_decode(&m, body, in.data[4] & 1) == 0) {
			read_message(&m);
			for (size_t i = 0; i < m.step_count; i++)
				if (step_decode(&step, m.steps[i], &kind) == 0) {
					read_message(&step);
					message_free(&step);
				}
			start_check(&m);
			message_free(&m);
		}
		in = (struct span){in.data + length, in.size - (size_t)length};
	}
}

static void write_log(struct span in)
{
	struct log_stream stream = {0};
	struct buffer out = {0};
	size_t half = in.size / 2;
	log_format(&stream, "stdout", 1, in.data, half, &out);
	log_format(&stream, "stdout", 1, in.data + half, in.size - half, &out);
	log_finish(&stream, "stdout", 1, &out);
	for (size_t i = buffer_size(&out); i; i--)
		if (buffer_head(&out)[i - 1] < 0x20 && buffer_head(&out)[i - 1] != '\n')
			abort(); /* never a control character in a log line */
	buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_frames((struct span){data, size});
	if (size)
		write_log((struct span){data, size});
	return 0;
}

#ifdef STANDALONE
static uint64_t state = 88172645463325252ULL;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static void mutate(uint8_t *data, size_t *size, size_t capacity)
{
	static const uint8_t edges[] = {0, 1, 4, 5, 8, 0x7f, 0x80, 0xff};
	for (uint64_t changes = 1 + next_random() % 8; changes; changes--) {
		size_t at = *size ? next_random() % *size : 0;
		switch (next_random() % 5) {
		case 0: data[at] = (uint8_t)next_random(); break;
		case 1: data[at] = edges[next_random() % sizeof edges]; break;
		case 2: *size = at; break;
		case 3:
			if (*size < capacity)
				data[(*size)++] = (uint8_t)next_random();
			break;
		default:
			if (*size * 2 <= capacity) {
				memcpy(data + *size, data, *size);
				*size *= 2;
			}
		}
	}
}

int main(int argc, char **argv)
{
	enum { CAPACITY = 65536 };
	static uint8_t seed[CAPACITY];
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 1);
	unsigned long runs = 0;
	while (time(NULL) < end)
		for (int i = 2; i < argc; i++, runs++) {
			FILE *file = fopen(argv[i], "rb");
			size_t size = file ? fread(seed, 1, CAPACITY, file) : 0;
			if (file)
				fclose(file);
			if (runs >= (unsigned long)argc)
				mutate(seed, &size, CAPACITY);
			uint8_t *data = malloc(size ? size : 1);
			memcpy(data, seed, size);
			LLVMFuzzerTestOneInput(data, size);
			free(data);
		}
	printf("%lu runs\n", runs);
	return 0;
}
#endif
