/* Unit tests of the pure parts: frames, START's checks, log lines, the replay ring. Exits 0 and says how many checks held. */
#include "../init.h"

#include <errno.h>
#include <stdio.h>

static unsigned checks, failures;

#define CHECK(condition) check((condition), #condition, __LINE__)

static void check(bool holds, const char *text, int line)
{
	checks++;
	if (holds)
		return;
	failures++;
	fprintf(stderr, "unit.c:%d: %s\n", line, text);
}

static struct span span_of(const struct buffer *b)
{
	return (struct span){buffer_head(b), buffer_size(b)};
}

static struct span text_span(const char *text)
{
	return (struct span){(const uint8_t *)text, strlen(text)};
}

static void test_frames(void)
{
	struct buffer b = {0};
	size_t frame = frame_begin(&b, T_REPLY, 0x01020304);
	frame_u32(&b, ERRNO, 7);
	frame_string(&b, TEXT, "no");
	frame_end(&b, frame);
	struct span whole = span_of(&b);
	CHECK(frame_length(whole) == (long)whole.size);
	for (size_t i = 0; i < whole.size; i++)
		CHECK(frame_length((struct span){whole.data, i}) == 0);
	CHECK(whole.data[4] == T_REPLY && read_u32(whole.data + 5) == 0x01020304);
	struct message m;
	CHECK(message_decode(&m, (struct span){whole.data + 9, whole.size - 9}, false) == 0);
	CHECK(m.number[ERRNO] == 7 && strcmp(m.string[TEXT], "no") == 0 && !has(&m, KEY));
	message_free(&m);
	buffer_free(&b);
	CHECK(frame_length((struct span){(const uint8_t *)"\4\0\0\0", 4}) == -1);
	CHECK(frame_length((struct span){(const uint8_t *)"\1\0\100\0", 4}) == -1);
	CHECK(frame_length((struct span){(const uint8_t *)"\377\377\377\377", 4}) == -1);
}

static int decode(const void *fields, size_t size)
{
	/* an exact allocation, so that AddressSanitizer sees a byte too far */
	uint8_t *copy = malloc(size ? size : 1);
	struct message m;
	memcpy(copy, fields, size);
	int error = message_decode(&m, (struct span){copy, size}, false);
	if (!error)
		message_free(&m);
	free(copy);
	return error;
}

static void test_malformed_fields(void)
{
	CHECK(decode("", 0) == 0);
	CHECK(decode("\2\1\0\0\0", 5) == EBADMSG);             /* past the end */
	CHECK(decode("\2\1\0\0", 4) == EBADMSG);               /* cut in the length */
	CHECK(decode("\2\377\377\377\377x", 6) == EBADMSG);    /* length near 2^32 */
	CHECK(decode("\2\2\0\0\0a\0", 7) == EBADMSG);          /* NUL in a string */
	CHECK(decode("\3\2\0\0\0\1\0", 7) == EBADMSG);         /* a number of two bytes */
	CHECK(decode("\310\2\0\0\0\1\0", 7) == 0);             /* an unknown tag is skipped */
	CHECK(decode("\0\0\0\0\0", 5) == 0);
	CHECK(decode("\46\4\0\0\0\1\0\0\0", 9) == EBADMSG);    /* LIMIT takes eight bytes */
}

static void test_lists(void)
{
	struct buffer b = {0};
	frame_string(&b, ARG, "sh");
	frame_string(&b, ENV, "A=1");
	frame_string(&b, ARG, "-c");
	frame_u32(&b, GROUP, 5);
	frame_u32(&b, GROUP, 6);
	frame_string(&b, KEY, "first");
	frame_string(&b, KEY, "last");
	struct message m;
	CHECK(message_decode(&m, span_of(&b), false) == 0);
	CHECK(m.arg_count == 2 && !strcmp(m.args[0], "sh") && !strcmp(m.args[1], "-c") && !m.args[2]);
	CHECK(m.env_count == 1 && !strcmp(m.env[0], "A=1") && !m.env[1]);
	CHECK(m.group_count == 2 && m.groups[1] == 6 && !strcmp(m.string[KEY], "last"));
	message_free(&m);
	buffer_free(&b);
}

static int check_start(struct buffer *b)
{
	struct message m;
	int error = message_decode(&m, span_of(b), false);
	if (!error) {
		error = start_check(&m);
		message_free(&m);
	}
	buffer_free(b);
	return error;
}

static void test_start_checks(void)
{
	struct buffer b = {0};
	CHECK(check_start(&b) == 0);
	frame_bytes(&b, STEP, "", 0);
	CHECK(check_start(&b) == EBADMSG);
	frame_bytes(&b, STEP, "\143", 1);
	CHECK(check_start(&b) == EINVAL); /* an unknown kind */
	frame_bytes(&b, STEP, "\1", 1);
	CHECK(check_start(&b) == EINVAL); /* MKDIR without PATH */
	frame_bytes(&b, STEP, "\1\24\2\0\0\0/x", 8);
	CHECK(check_start(&b) == 0);
	frame_bytes(&b, STEP, "\1\24\3\0\0\0/x", 8);
	CHECK(check_start(&b) == EBADMSG);
	const char *const bad_keys[] = {"", "a b", "a/b", "ä"};
	for (size_t i = 0; i < 4; i++) {
		frame_string(&b, KEY, bad_keys[i]);
		frame_string(&b, ARG, "true");
		CHECK(check_start(&b) == EINVAL);
	}
	char key[82];
	memset(key, 'k', sizeof key);
	key[81] = 0;
	frame_string(&b, KEY, key);
	frame_string(&b, ARG, "true");
	CHECK(check_start(&b) == EINVAL);
	frame_string(&b, KEY, key + 1);
	frame_string(&b, ARG, "true");
	CHECK(check_start(&b) == 0);
	frame_string(&b, KEY, "x"); /* adopting needs an EXEC as the last step */
	frame_u32(&b, FLAGS, P_ADOPT);
	frame_string(&b, PIDFILE, "/p");
	CHECK(check_start(&b) == EINVAL);
}

static struct log_stream stream;

static const char *logged(const void *data, size_t size, bool at_end)
{
	static struct buffer out;
	buffer_free(&out);
	if (size)
		log_format(&stream, "stdout", 1700000000123456000, data, size, &out);
	if (at_end)
		log_finish(&stream, "stdout", 1700000000000000000, &out);
	buffer_append(&out, "", 1);
	return (const char *)buffer_head(&out);
}

#define LINE(text) "{\"log\":\"" text "\",\"stream\":\"stdout\",\"time\":\"2023-11-14T22:13:20.123456Z\"}\n"

static void test_log(void)
{
	stream.attrs = "{\"a\":\"b\"}";
	CHECK(!strcmp(logged("hi\n", 3, false), "{\"log\":\"hi\\n\",\"stream\":\"stdout\",\"attrs\":{\"a\":\"b\"},"
		      "\"time\":\"2023-11-14T22:13:20.123456Z\"}\n"));
	stream.attrs = NULL;
	CHECK(!strcmp(logged("hi\n", 3, false), LINE("hi\\n")));
	CHECK(!strcmp(logged("a\nb", 3, false), LINE("a\\n")));
	CHECK(!strcmp(logged("c\n", 2, false), LINE("bc\\n")));
	CHECK(!strcmp(logged("\n", 1, false), LINE("\\n")));
	CHECK(!strcmp(logged("\"\\\r\t\b\x7f<&>\x01\n", 11, false),
		      LINE("\\\"\\\\\\r\\u0009\\u0008\x7f\\u003c\\u0026\\u003e\\u0001\\n")));
	CHECK(!strcmp(logged("\0\n", 2, false), LINE("\\u0000\\n")));
	CHECK(!strcmp(logged("\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\xc3\xa9\n", 12, false),
		      LINE("\\u2028\\u2029\xe2\x80\xaa\xc3\xa9\\n")));
	/* each byte that is no UTF-8 on its own: lone, overlong, surrogate, past U+10FFFF, cut off */
	CHECK(!strcmp(logged("\xff\n", 2, false), LINE("\\ufffd\\n")));
	CHECK(!strcmp(logged("\xc0\xaf\n", 3, false), LINE("\\ufffd\\ufffd\\n")));
	CHECK(!strcmp(logged("\xed\xa0\x80\n", 4, false), LINE("\\ufffd\\ufffd\\ufffd\\n")));
	CHECK(!strcmp(logged("\xf4\x90\x80\x80\n", 5, false), LINE("\\ufffd\\ufffd\\ufffd\\ufffd\\n")));
	CHECK(!strcmp(logged("\xf0\x9f\x98\n", 4, false), LINE("\\ufffd\\ufffd\\ufffd\\n")));
	CHECK(!strcmp(logged("\xf0\x9f\x98\x80\n", 5, false), LINE("\xf0\x9f\x98\x80\\n")));
	/* a sequence that arrives in two reads is one character */
	CHECK(!strcmp(logged("\xc3", 1, false), ""));
	CHECK(!strcmp(logged("\xa9\n", 2, false), LINE("\xc3\xa9\\n")));
	CHECK(!strcmp(logged("no newline", 10, true),
		      "{\"log\":\"no newline\",\"stream\":\"stdout\",\"time\":\"2023-11-14T22:13:20Z\"}\n"));
	CHECK(!strcmp(logged("", 0, true), ""));
}

static void test_long_lines(void)
{
	enum { SIZE = LOG_PART + 10 };
	char *line = malloc(SIZE + 1), *expected = malloc(2 * SIZE + 400);
	memset(line, 'x', SIZE);
	line[SIZE] = '\n';
	sprintf(expected, LINE("%.*s") LINE("xxxxxxxxxx\\n"), LOG_PART, line);
	CHECK(!strcmp(logged(line, SIZE + 1, false), expected));
	line[LOG_PART] = '\n'; /* exactly a part: the newline is a record of its own, as Docker writes it */
	sprintf(expected, LINE("%.*s") LINE("\\n"), LOG_PART, line);
	CHECK(!strcmp(logged(line, LOG_PART + 1, false), expected));
	line[LOG_PART - 1] = '\n';
	sprintf(expected, LINE("%.*s\\n"), LOG_PART - 1, line);
	CHECK(!strcmp(logged(line, LOG_PART, false), expected));
	free(line);
	free(expected);
}

static void test_times(void)
{
	static const struct { uint64_t ns; const char *text; } cases[] = {
		{0, "1970-01-01T00:00:00Z"},
		{1, "1970-01-01T00:00:00.000000001Z"},
		{951782400000000000, "2000-02-29T00:00:00Z"},
		{1709164800100000000, "2024-02-29T00:00:00.1Z"},
		{4107542399999999999, "2100-02-28T23:59:59.999999999Z"},
		{4107542400000000000, "2100-03-01T00:00:00Z"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buffer out = {0};
		struct log_stream s = {0};
		char expected[200];
		sprintf(expected, "{\"log\":\"\\n\",\"stream\":\"stderr\",\"time\":\"%s\"}\n", cases[i].text);
		log_format(&s, "stderr", cases[i].ns, (const uint8_t *)"\n", 1, &out);
		CHECK(buffer_size(&out) == strlen(expected) && !memcmp(buffer_head(&out), expected, buffer_size(&out)));
		buffer_free(&out);
	}
}

static bool ring_is(const struct ring *ring, const char *expected)
{
	struct span spans[2];
	char text[5000];
	size_t size = ring_spans(ring, spans);
	if (spans[0].size)
		memcpy(text, spans[0].data, spans[0].size);
	if (spans[1].size)
		memcpy(text + spans[0].size, spans[1].data, spans[1].size);
	return size == strlen(expected) && !memcmp(text, expected, size);
}

static void test_ring(void)
{
	struct ring ring = {.limit = 8};
	CHECK(ring_is(&ring, ""));
	ring_write(&ring, text_span("abc").data, 3);
	CHECK(ring_is(&ring, "abc"));
	ring_write(&ring, text_span("defgh").data, 5);
	CHECK(ring_is(&ring, "abcdefgh"));
	ring_write(&ring, text_span("ij").data, 2);
	CHECK(ring_is(&ring, "cdefghij"));
	ring_write(&ring, text_span("0123456789xyz").data, 13);
	CHECK(ring_is(&ring, "56789xyz"));
	ring_write(&ring, text_span("\nnew").data, 4);
	CHECK(ring_is(&ring, "new")); /* what an overwritten beginning left of a line is skipped */
	free(ring.data);
	struct ring big = {.limit = 5000};
	for (int i = 0; i < 3000; i++)
		ring_write(&big, text_span("ab").data, 2);
	CHECK(big.size == 5000 && big.capacity == 5000);
	free(big.data);
	struct ring none = {0};
	ring_write(&none, text_span("abc").data, 3);
	CHECK(ring_is(&none, ""));
}

int main(void)
{
	test_frames();
	test_malformed_fields();
	test_lists();
	test_start_checks();
	test_log();
	test_long_lines();
	test_times();
	test_ring();
	printf("%u checks, %u failures\n", checks, failures);
	return failures != 0;
}
