/* The things that berth-init holds (connections, processes) and what their parts may ask of each other. */
#ifndef BERTH_INIT_H
#define BERTH_INIT_H

#include "frame.h"
#include "log-file.h"
#include "log.h"
#include "loop.h"

#include <sys/resource.h>
#include <sys/types.h>

enum {
	/* back-pressure begins when this much waits for a reader */
	QUEUE_LIMIT = 65536,
	/* a control connection that has this much unread is dropped; the engine connects again and gets the list */
	EVENTS_LIMIT = 2 << 20,
	MAX_CONNECTIONS = 2048,
	MAX_PROCESSES = 4096,
	MAX_STARTS = 256,
	SCRATCH = 65536,
};

struct process;
struct file;
struct dial;

enum mode { M_REQUESTS, M_ATTACH, M_FILE, M_DIAL };

struct connection {
	void *grave; /* free_later's */
	struct watch watch;
	struct connection *next;
	enum mode mode;
	struct buffer in, out;
	/* `ended`: nothing more comes in; `finishing`: close once `out` is written */
	bool closed, ended, finishing;
	/* M_ATTACH */
	struct process *process;
	struct connection *next_attached;
	uint32_t flags;
	/* M_FILE, M_DIAL */
	struct file *file;
	struct dial *dial;
};

enum process_state { PS_RESERVED, PS_STARTING, PS_RUNNING, PS_REAPED, PS_ENDED };

/* One output of a process: a pipe's reading end or a terminal's master. */
struct output {
	struct watch watch;
	struct process *process;
	enum frame_type type;
	bool ended;
	struct log_stream log;
};

struct ring {
	uint8_t *data;
	size_t capacity, limit, head, size;
};

struct process {
	void *grave;
	struct process *next;
	char key[81];
	enum process_state state;
	uint32_t flags;
	pid_t pid;
	int32_t status;
	bool oom, input_closing;
	uint64_t started, finished;
	struct output outputs[2];
	struct watch input;
	struct buffer input_queue;
	struct ring ring;
	struct connection *attached;
	struct log_file log;
	char *cgroup, *console;
	int console_fd;
	uint16_t rows, cols;
	struct timer drain;
	/* the ends that the child gets; open from the reservation until the start */
	int child_stdio[3];
};

/* main.c */
struct settings {
	bool is_pid1;
	struct rlimit files;
	/* our oom_score_adj is not the default, children get 0 */
	bool resets_oom_score;
};
extern struct settings settings;
/* For what is read and handed on before anyone else reads; what reads the engine's frames has its own. */
extern uint8_t scratch[SCRATCH];
void shutdown_begin(uint64_t timeout_ms);
bool is_shutting_down(void);

/* connection.c */
extern struct connection *control;
extern struct connection *connections;
bool connection_has_room(void);
/* Takes over an accepted socket; false when memory is short. */
bool connection_open(int fd);
void connection_close(struct connection *c);
/* Sets what the loop waits for by what the connection can do now. */
void connection_update(struct connection *c);
bool connection_send(struct connection *c, const void *head, size_t head_size, const void *data, size_t size);
void connection_send_raw(struct connection *c, enum frame_type type, const void *data, size_t size);
/* Handles input that waited for room. */
void connection_resume(struct connection *c);
/* Closes it once everything is written. */
void connection_finish(struct connection *c);
/* Frames written to c->out are sent by this. */
void connection_flush(struct connection *c);
void reply(struct connection *c, uint32_t id, int error, const char *text);

/* listener.c */
void listen_on(int fd);
/* A connection has gone: accept again if it was for want of room that we stopped. */
void listener_has_room(void);

/* process.c */
struct process *process_find(const char *key);
struct process *process_new(const char *key);
void process_drop(struct process *p);
void process_running(struct process *p, pid_t pid);
void process_reaped(struct process *p, int wait_status);
void process_settle(struct process *p);
void send_process(enum frame_type type, const struct process *p);
void send_all_processes(void);
/* False when there may be more: others get their turn first. */
bool reap_children(void);
int process_signal(const char *key, uint32_t signal_number, bool group);
int process_forget(const char *key);
void signal_all(int signal_number);

/* start.c */
void start(struct connection *c, uint32_t id, const struct message *m);
bool start_reaped(pid_t pid, int wait_status);
/* Looks again at the adoptions whose process was not our child yet. */
void starts_adopt(void);
void remember_exit(pid_t pid, int wait_status);
void start_forget_requester(const struct connection *c);
bool start_is_awaited(const struct connection *c);
int start_kill(const struct process *p);

/* prepare.c: the process of a START, new or reserved before; NULL with `error` */
struct process *prepare_process(const struct message *m, int *error);

/* stdio.c */
void outputs_update(struct process *p);
void outputs_drain(struct process *p);
void outputs_end(struct process *p);
bool outputs_ended(const struct process *p);
bool outputs_are_read(const struct process *p);
void attach(struct connection *c, uint32_t id, const struct message *m);
void detach(struct connection *c);
void attachments_settle(struct process *p);
void input_write(struct connection *c, const uint8_t *data, size_t size);
bool input_is_full(const struct process *p);
void input_close(struct process *p);

/* terminal.c: 0 or errno */
int terminal_open(struct process *p);
int console_listen(struct process *p);
int console_receive(struct process *p);
void console_close(struct process *p);
void terminal_resize(struct process *p);

/* ring.c */
void ring_write(struct ring *ring, const uint8_t *data, size_t size);
size_t ring_spans(const struct ring *ring, struct span spans[2]);

/* file.c */
void file_open(struct connection *c, uint32_t id, const struct message *m);
void file_pump(struct connection *c);
bool file_has_more(const struct connection *c);
void file_close(struct connection *c);
void files_wake(const char *key);

/* dial.c */
void dial_open(struct connection *c, uint32_t id, const struct message *m);
void dial_input(struct connection *c, const uint8_t *data, size_t size);
void dial_input_ended(struct connection *c);
void dial_hung_up(struct connection *c);
bool dial_is_full(const struct connection *c);
void dial_output_sent(struct connection *c);
void dial_close(struct connection *c);

/* dns.c */
int dns_listen(const char *netns);
int dns_close(const char *netns);
void dns_answer(uint32_t query, struct span answer);

#endif
