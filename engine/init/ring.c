/* The last output of a terminal, kept for replay: memory is taken as it fills, then the oldest is overwritten. */
#include "init.h"

static bool ring_grow(struct ring *ring, size_t wanted)
{
	size_t capacity = ring->capacity ? ring->capacity : 1024;
	while (capacity < wanted && capacity < ring->limit)
		capacity *= 2;
	capacity = capacity < ring->limit ? capacity : ring->limit;
	if (capacity <= ring->capacity)
		return true;
	uint8_t *data = realloc(ring->data, capacity); /* it grows only before it wraps, so head is 0 */
	if (!data)
		return false;
	ring->data = data;
	ring->capacity = capacity;
	return true;
}

void ring_write(struct ring *ring, const uint8_t *data, size_t size)
{
	if (!ring->limit || (ring->head == 0 && !ring_grow(ring, ring->size + size)) || !ring->capacity)
		return;
	if (size > ring->capacity) {
		data += size - ring->capacity;
		size = ring->capacity;
	}
	size_t at = (ring->head + ring->size) % ring->capacity, first = ring->capacity - at;
	first = first < size ? first : size;
	memcpy(ring->data + at, data, first);
	memcpy(ring->data, data + first, size - first);
	ring->size += size;
	if (ring->size > ring->capacity) {
		ring->head = (ring->head + ring->size - ring->capacity) % ring->capacity;
		ring->size = ring->capacity;
	}
}

/* The content in order, in two pieces. What an overwritten beginning left of a line is skipped. */
size_t ring_spans(const struct ring *ring, struct span spans[2])
{
	size_t head = ring->head, size = ring->size;
	for (size_t i = 0; ring->capacity && ring->size == ring->limit && i < 1024 && i < ring->size; i++)
		if (ring->data[(ring->head + i) % ring->capacity] == '\n') {
			head = (ring->head + i + 1) % ring->capacity;
			size = ring->size - i - 1;
			break;
		}
	size_t first = ring->capacity - head < size ? ring->capacity - head : size;
	spans[0] = (struct span){ring->data ? ring->data + head : NULL, first};
	spans[1] = (struct span){ring->data, size - first};
	return size;
}
