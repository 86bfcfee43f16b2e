/*
 * Docker's json-file log lines, as moby's jsonlog and its copier write them: escapes that are safe in HTML, invalid
 * UTF-8 as \ufffd, RFC 3339 times in UTC without trailing zeros, lines over 16 KiB in parts that lack the newline.
 */
#include "log.h"

#include <stdio.h>

/* Length of the valid UTF-8 sequence at `s`, or 0. */
static size_t utf8_length(const uint8_t *s, size_t size)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	if (length < 2)
		return length;
	if (length > size)
		return 0;
	uint32_t code = s[0] & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	bool surrogate = code >= 0xd800 && code <= 0xdfff;
	return code < smallest[length] || surrogate || code > 0x10ffff ? 0 : length;
}

static size_t escape_ascii(char *to, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";
	to[0] = '\\';
	if (c == '\\' || c == '"' || c == '\n' || c == '\r') {
		to[1] = c == '\n' ? 'n' : c == '\r' ? 'r' : (char)c;
		return 2;
	}
	memcpy(to + 1, "u00", 3);
	to[4] = hex[c >> 4];
	to[5] = hex[c & 15];
	return 6;
}

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x80 && c != '\\' && c != '"' && c != '<' && c != '>' && c != '&';
}

/* Writes `s` as the inside of a JSON string; `to` has room for six times its size. */
static size_t escape(char *to, const uint8_t *s, size_t size)
{
	char *start = to;
	for (size_t i = 0; i < size;) {
		if (is_plain(s[i])) {
			*to++ = (char)s[i++];
			continue;
		}
		if (s[i] < 0x80) {
			to += escape_ascii(to, s[i++]);
			continue;
		}
		size_t length = utf8_length(s + i, size - i);
		if (length == 3 && s[i] == 0xe2 && s[i + 1] == 0x80 && (s[i + 2] | 1) == 0xa9) {
			memcpy(to, s[i + 2] == 0xa8 ? "\\u2028" : "\\u2029", 6); /* line separators break JavaScript */
			to += 6;
		} else if (length) {
			memcpy(to, s + i, length);
			to += length;
		} else {
			memcpy(to, "\\ufffd", 6);
			to += 6;
		}
		i += length ? length : 1;
	}
	return (size_t)(to - start);
}

/* Days since 1970 to a date (proleptic Gregorian); gmtime(3) would read /etc/localtime, which is the student's. */
static void civil_date(uint64_t days, unsigned *year, unsigned *month, unsigned *day)
{
	uint64_t z = days + 719468; /* days since 0000-03-01 */
	uint64_t era = z / 146097, day_of_era = z % 146097;
	uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t m = (5 * day_of_year + 2) / 153;
	*day = (unsigned)(day_of_year - (153 * m + 2) / 5 + 1);
	*month = (unsigned)(m < 10 ? m + 3 : m - 9);
	*year = (unsigned)(year_of_era + era * 400 + (*month <= 2));
}

/* All lines of one read have the same time, so the last text is kept. */
static const char *format_time(uint64_t ns, size_t *length)
{
	static uint64_t cached = UINT64_MAX;
	static char text[64];
	static size_t cached_length;
	if (ns != cached) {
		unsigned year, month, day, clock = (unsigned)(ns / 1000000000 % 86400);
		civil_date(ns / 1000000000 / 86400, &year, &month, &day);
		int n = snprintf(text, sizeof text, "%04u-%02u-%02uT%02u:%02u:%02u.%09u", year, month, day, clock / 3600,
				 clock / 60 % 60, clock % 60, (unsigned)(ns % 1000000000));
		cached_length = (size_t)n;
		while (text[cached_length - 1] == '0')
			cached_length--;
		if (text[cached_length - 1] == '.')
			cached_length--;
		text[cached_length++] = 'Z';
		cached = ns;
	}
	*length = cached_length;
	return text;
}

static char *put_text(char *to, const char *text, size_t length)
{
	memcpy(to, text, length);
	return to + length;
}

/* One record of the log: what waited in the stream, then `b`, and a newline when the line is whole. */
static bool write_record(struct buffer *out, const char *name, const struct log_stream *stream, const uint8_t *b,
			 size_t b_size, bool whole)
{
	const uint8_t *a = buffer_head(&stream->partial);
	size_t a_size = buffer_size(&stream->partial), attrs_size = stream->attrs ? strlen(stream->attrs) : 0;
	char *start = (char *)buffer_reserve(out, 6 * (a_size + b_size) + attrs_size + 128), *to = start;
	if (!start)
		return false;
	to = put_text(to, "{\"log\":\"", 8);
	if (a_size) {
		/* a sequence may be cut between the two */
		uint8_t joined[LOG_PART];
		memcpy(joined, a, a_size);
		if (b_size)
			memcpy(joined + a_size, b, b_size);
		to += escape(to, joined, a_size + b_size);
	} else {
		to += escape(to, b, b_size);
	}
	if (whole)
		to = put_text(to, "\\n", 2);
	size_t time_length;
	const char *time_text = format_time(stream->time, &time_length);
	to = put_text(to, "\",\"stream\":\"", 12);
	to = put_text(to, name, strlen(name));
	if (attrs_size) {
		to = put_text(to, "\",\"attrs\":", 10);
		to = put_text(to, stream->attrs, attrs_size);
		to = put_text(to, ",\"time\":\"", 9);
	} else {
		to = put_text(to, "\",\"time\":\"", 10);
	}
	to = put_text(to, time_text, time_length);
	to = put_text(to, "\"}\n", 3);
	out->tail += (size_t)(to - start);
	return true;
}

static bool end_part(struct log_stream *stream, const char *name, uint64_t now, const uint8_t *data, size_t size,
		     bool whole, struct buffer *out)
{
	if (!stream->continued)
		stream->time = now;
	bool written = write_record(out, name, stream, data, size, whole);
	buffer_free(&stream->partial);
	stream->continued = !whole;
	return written;
}

bool log_format(struct log_stream *stream, const char *name, uint64_t now, const uint8_t *data, size_t size,
		struct buffer *out)
{
	bool written = true;
	while (size) {
		size_t room = LOG_PART - buffer_size(&stream->partial), limit = size < room ? size : room;
		const uint8_t *newline = memchr(data, '\n', limit);
		size_t take = newline ? (size_t)(newline - data) : limit;
		if (newline)
			written &= end_part(stream, name, now, data, take, true, out);
		else if (limit == room)
			written &= end_part(stream, name, now, data, take, false, out);
		else
			written &= buffer_append(&stream->partial, data, take);
		data += take + (newline != NULL);
		size -= take + (newline != NULL);
	}
	return written;
}

bool log_finish(struct log_stream *stream, const char *name, uint64_t now, struct buffer *out)
{
	bool written = true;
	if (buffer_size(&stream->partial))
		written = end_part(stream, name, now, NULL, 0, false, out);
	*stream = (struct log_stream){.attrs = stream->attrs};
	return written;
}
