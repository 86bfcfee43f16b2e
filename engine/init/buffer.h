/* A byte queue that grows on demand and gives its memory back when it is empty. */
#ifndef BERTH_BUFFER_H
#define BERTH_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct buffer {
	uint8_t *data;
	size_t head, tail, capacity;
};

static inline size_t buffer_size(const struct buffer *b)
{
	return b->tail - b->head;
}

static inline uint8_t *buffer_head(const struct buffer *b)
{
	return b->head ? b->data + b->head : b->data; /* data may be NULL then */
}

static inline void buffer_free(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){0};
}

/* Room for `size` more bytes at data + tail; NULL when there is no memory. */
static inline uint8_t *buffer_reserve(struct buffer *b, size_t size)
{
	if (b->capacity - b->tail >= size && b->data)
		return b->data + b->tail;
	if (b->head) {
		memmove(b->data, b->data + b->head, buffer_size(b));
		b->tail -= b->head;
		b->head = 0;
	}
	if (b->capacity - b->tail < size || !b->data) {
		size_t capacity = b->capacity ? b->capacity : 256;
		while (capacity - b->tail < size)
			capacity *= 2;
		uint8_t *data = realloc(b->data, capacity);
		if (!data)
			return NULL;
		b->data = data;
		b->capacity = capacity;
	}
	return b->data + b->tail;
}

static inline bool buffer_append(struct buffer *b, const void *data, size_t size)
{
	uint8_t *room = size ? buffer_reserve(b, size) : NULL;
	if (!room)
		return size == 0;
	memcpy(room, data, size);
	b->tail += size;
	return true;
}

static inline void buffer_consume(struct buffer *b, size_t size)
{
	b->head += size;
	if (b->head == b->tail)
		buffer_free(b);
}

#endif
