/* front_conn.h: one TCP connection of a client; front_tcp.c and front_conn.c share it.
 * Shape    FREE -> OPEN -> CLOSING -> FREE; conn_settle() ends every event and says what
 *          the connection waits for: questions, room for answers, or an answer owed
 * Memory   see front_tcp.h
 * Threads  one worker */
#ifndef SINKHOLED_FRONT_CONN_H
#define SINKHOLED_FRONT_CONN_H

#include <sys/queue.h>

#include "include/conf.h"
#include "include/pool.h"
#include "include/wire.h"
#include "resolver/front_tcp.h"

enum {
	LENGTH_LEN = 2,
	FRAME_MAX = LENGTH_LEN + DNS_MESSAGE_MAX,
	STAGE_MAX = 2 * FRAME_MAX,
};

enum conn_state { CONN_FREE, CONN_OPEN, CONN_CLOSING };

struct conn {
	uv_poll_t poll;
	struct front_tcp *front;
	TAILQ_ENTRY(conn) link; /* by age */
	enum conn_state state;
	int fd;
	uint32_t slot;
	uint64_t serial;
	struct addr client, local;
	uint64_t since_ms;   /* accepted, last whole question or last answer */
	uint64_t turn;	     /* of the loop, when it was heard last */
	uint32_t in_flight;  /* questions that are owed an answer */
	int events;	     /* what poll waits for */
	bool eof;	     /* the client sends no more; it may still read */
	bool again;	     /* has whole questions and may go on, see on_again() */
	uint8_t *in;	     /* in_inline, or heap for a longer question */
	size_t have, in_cap; /* bytes in in, and room */
	uint8_t *queue;	     /* what the kernel had no room for */
	size_t queue_at, queue_n, queue_cap;
	uint8_t in_inline[FRONT_TCP_INLINE];
};

TAILQ_HEAD(conns, conn);

struct listener {
	uv_poll_t poll;
	struct front_tcp *front;
	struct addr listen;
	int fd;
};

struct front_tcp {
	struct front_hooks hooks;
	struct front_tcp_limits limit;
	uv_loop_t *loop;
	uv_timer_t tick;   /* runs while there are connections, or accepting rests */
	uv_idle_t again;   /* runs once when a connection may go on */
	uv_prepare_t next; /* begins a turn */
	uint64_t turn;
	int turn_left;	   /* questions that this turn still has */
	bool orphan;	   /* open failed: nobody else will free it */
	bool down;	   /* shutdown has begun */
	bool accept_rests; /* no descriptor was left: until the next tick */
	int handles;	   /* that libuv still knows */
	int n;
	struct listener listeners[CONF_LISTEN_MAX];
	uint64_t serial;
	uint32_t open;
	size_t heap;	     /* bytes of all connections' in and queue */
	struct conns by_age; /* open ones, longest without progress first */
	struct pool conns;
	uint64_t *client_keys; /* by slot: what conns_client counts, 0 = no connection */
	size_t stage_n;
	uint8_t stage[STAGE_MAX]; /* answers of the running turn */
	uint8_t late[FRAME_MAX];  /* the one of front_tcp_send() */
};

/* c is OPEN, with its poll handle, and waits for questions. */
void conn_start(struct conn *c);
/* The slot is used again only after libuv let go of the handle; until then callers up the
 * stack may still look at c->state and at the question they are serving. */
void conn_close(struct conn *c);
/* Something was done for it just now. */
void conn_touch(struct conn *c);
/* Nothing is owed to it, or it does not take what it is owed. */
bool conn_idle(const struct conn *c);
/* Whether it is heard in this turn of the loop, or others have to be first. */
bool conn_has_turn(struct conn *c);
/* The whole questions that are there. Not within somebody's begin and end. */
void conn_serve(struct conn *c);
/* After every change: what the connection waits for now. */
void conn_settle(struct conn *c);
/* Hands frames to the kernel and queues what it does not take. A client that lets more
 * than the queue pile up is closed. */
void conn_write(struct conn *c, const uint8_t *bytes, size_t n);
/* A handle of the front is closed; the last one frees a front that open gave up. */
void front_tcp_handle_gone(struct front_tcp *f);
/* Lets on_again() of the front run once. */
void front_tcp_again(struct front_tcp *f);

#endif
