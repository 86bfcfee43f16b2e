/* Docker's json-file log lines. Pure: bytes in, lines out. */
#ifndef BERTH_LOG_H
#define BERTH_LOG_H

#include "buffer.h"

enum { LOG_PART = 16384 };

/* One stream of a process on its way into the log: the line that has not ended yet. */
struct log_stream {
	struct buffer partial;
	/* parts of the current line are already in the log; they share its time */
	bool continued;
	uint64_t time;
	/* a JSON object that every line has as "attrs", or NULL */
	const char *attrs;
};

/* Appends to `out` the log lines that `data` completes; the rest waits in the stream. False when memory is short. */
bool log_format(struct log_stream *stream, const char *name, uint64_t now, const uint8_t *data, size_t size,
		struct buffer *out);

/* The output is at its end: what is left becomes a last line, without a newline. */
bool log_finish(struct log_stream *stream, const char *name, uint64_t now, struct buffer *out);

#endif
