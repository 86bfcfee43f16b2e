/* The event loop; see loop.h. */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64 };

struct grave {
	struct grave *next;
};

static int epoll_fd = -1;
static struct epoll_event batch[BATCH];
static int batch_size;
static struct timer *timers;
static struct grave *graves;

uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void loop_open(void)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		abort();
}

bool watch_for(struct watch *watch, uint32_t events)
{
	if (watch->fd < 0 || (watch->registered && watch->events == events))
		return watch->fd >= 0;
	struct epoll_event event = {.events = events, .data.ptr = watch};
	if (epoll_ctl(epoll_fd, watch->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd, &event) < 0)
		return false;
	watch->registered = true;
	watch->events = events;
	return true;
}

void watch_pause(struct watch *watch)
{
	if (!watch->registered)
		return;
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->registered = false;
	/* what is already in this round's batch must not reach a watch that may be gone by then */
	for (int i = 0; i < batch_size; i++)
		if (batch[i].data.ptr == watch)
			batch[i].data.ptr = NULL;
}

void watch_close(struct watch *watch)
{
	watch_pause(watch);
	if (watch->fd >= 0)
		close(watch->fd);
	watch->fd = -1;
}

void timer_set(struct timer *timer, uint64_t milliseconds)
{
	timer_cancel(timer);
	timer->due = now_ms() + milliseconds;
	timer->armed = true;
	timer->next = timers;
	timers = timer;
}

void timer_cancel(struct timer *timer)
{
	if (!timer->armed)
		return;
	for (struct timer **at = &timers; *at; at = &(*at)->next)
		if (*at == timer) {
			*at = timer->next;
			break;
		}
	timer->armed = false;
}

void free_later(void *memory)
{
	struct grave *grave = memory;
	if (!grave)
		return;
	grave->next = graves;
	graves = grave;
}

static int next_timeout(void)
{
	uint64_t now = now_ms(), wait = UINT64_MAX;
	for (struct timer *t = timers; t; t = t->next) {
		uint64_t left = t->due > now ? t->due - now : 0;
		wait = left < wait ? left : wait;
	}
	return wait == UINT64_MAX ? -1 : wait > 60000 ? 60000 : (int)wait;
}

static void fire_timers(void)
{
	uint64_t now = now_ms();
	for (struct timer *t = timers; t;) {
		if (t->due > now) {
			t = t->next;
			continue;
		}
		timer_cancel(t);
		t->fire(t);
		t = timers; /* anything may have changed */
	}
}

void loop_round(void)
{
	batch_size = epoll_wait(epoll_fd, batch, BATCH, timers ? next_timeout() : -1);
	for (int i = 0; i < batch_size; i++) {
		struct watch *watch = batch[i].data.ptr;
		if (watch)
			watch->ready(watch, batch[i].events);
	}
	batch_size = 0;
	if (timers)
		fire_timers();
	while (graves) {
		struct grave *grave = graves;
		graves = grave->next;
		free(grave);
	}
}
