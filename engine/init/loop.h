/* The event loop: descriptors, timers, and memory that must outlive the current round. One thread, one epoll. */
#ifndef BERTH_LOOP_H
#define BERTH_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#define container_of(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

/* A descriptor in the loop. Zero-initialize with fd = -1, set `ready`, then watch_for. */
struct watch {
	int fd;
	bool registered;
	uint32_t events;
	void (*ready)(struct watch *watch, uint32_t events);
};

struct timer {
	uint64_t due;
	void (*fire)(struct timer *timer);
	struct timer *next;
	bool armed;
};

void loop_open(void);
/* Waits for something to happen and handles it. */
void loop_round(void);

/* Asks for these events; with 0 only a hang-up or an error is reported. False when the kernel refuses. */
bool watch_for(struct watch *watch, uint32_t events);
/* Not even a hang-up is reported, until watch_for. */
void watch_pause(struct watch *watch);
void watch_close(struct watch *watch);

void timer_set(struct timer *timer, uint64_t milliseconds);
void timer_cancel(struct timer *timer);

/* free(3) once nobody up the stack can hold the pointer any more. */
void free_later(void *memory);

/* CLOCK_MONOTONIC milliseconds, CLOCK_REALTIME nanoseconds */
uint64_t now_ms(void);
uint64_t now_ns(void);

#endif
