/* upstream_exchange.h: what the files of upstream share; nobody else includes it.
 * Shape    exchange: one socket, one question; a pool of them, found by owner and id, and
 *          a timer wheel of 10 ms ticks
 *
 *   FREE -> LIVE -> QUIET -> SPARE -> CLOSING -> FREE      UDP
 *   FREE -> LIVE -> LATE --> SPARE -> CLOSING -> FREE      UDP that timed out
 *   FREE -> LIVE -------------------> CLOSING -> FREE      TCP
 *
 *   LIVE     the owner waits for events; in the table
 *   LATE     the deadline has passed, the owner would still read a reply; in the table
 *   QUIET    the owner does not; the deadline is to come, the socket unread
 *   SPARE    both; it and LATE may be closed early when sockets run short */
#ifndef SINKHOLED_UPSTREAM_EXCHANGE_H
#define SINKHOLED_UPSTREAM_EXCHANGE_H

#include <sys/queue.h>

#include "include/pool.h"
#include "resolver/upstream.h"

enum {
	TICK_MS = 10,
	WHEEL_SLOTS = 1024, /* 10.24 s: longer than any deadline */
	BUCKETS = 4096,	    /* owners at work on one loop: 2048 */
};
_Static_assert(UPSTREAM_TIMEOUT_MAX_MS < TICK_MS * (WHEEL_SLOTS - 1), "wheel too short");

enum exchange_state {
	EXCHANGE_FREE,
	EXCHANGE_LIVE,
	EXCHANGE_LATE,
	EXCHANGE_QUIET,
	EXCHANGE_SPARE,
	EXCHANGE_CLOSING
};

struct tcp_exchange;

struct exchange {
	uv_poll_t poll;
	struct upstream *u;
	enum exchange_state state;
	int fd;
	void *owner;
	uint32_t id;
	struct addr to;
	uint64_t sent_ms, deadline_ms, due_ms;
	bool timed;		  /* in the wheel, for due_ms */
	bool stream;		  /* TCP */
	struct tcp_exchange *tcp; /* NULL = UDP, or handed over */
	LIST_ENTRY(exchange) timer, bucket;
	TAILQ_ENTRY(exchange) spare; /* LATE too */
};
static inline bool exchange_in_table(const struct exchange *e)
{
	return e->state == EXCHANGE_LIVE || e->state == EXCHANGE_LATE;
}
LIST_HEAD(exchange_list, exchange);
TAILQ_HEAD(exchange_queue, exchange);

enum tcp_state { TCP_CONNECTING, TCP_WRITING, TCP_READING };

/* A TCP question is sent in several steps, each of which asks policy: so it keeps all
 * that policy wants to know. */
struct tcp_exchange {
	LIST_ENTRY(tcp_exchange) used;
	struct exchange *exchange;
	enum tcp_state state;
	bool refused; /* mark of upstream_tcp_rejudge() */
	struct policy_subject subject;
	bool has_server;
	uint8_t qname[DNS_NAME_MAX], server[DNS_NAME_MAX];
	size_t out_at, out_n;
	uint8_t out[2 + UPSTREAM_MESSAGE_MAX];
	size_t in_have, in_n; /* in_n = 0: the length is not known yet */
	uint8_t in_length[2];
	uint8_t *in;
};
LIST_HEAD(tcp_list, tcp_exchange);

struct upstream {
	uv_loop_t *loop;
	struct upstream_conf conf;
	struct upstream_hooks hooks;
	uv_timer_t tick; /* runs while there is an exchange */
	bool down;
	uint32_t live, sockets; /* sockets: UDP ones that are open */
	uint64_t ticks, rejudge_ms;
	struct exchange_list wheel[WHEEL_SLOTS];
	struct exchange_list table[BUCKETS];
	struct exchange_queue spare;
	struct tcp_list tcp_used;
	struct pool exchanges, tcp_exchanges;
	uint8_t in[DNS_UDP_MAX + 1]; /* a datagram; one more to see what is too long */
};

/* ---- upstream.c ---- */

/* What is about to leave for a name server. */
struct transmission {
	enum { TRANSMIT_DATAGRAM, TRANSMIT_CONNECT, TRANSMIT_STREAM } how;
	int fd;
	const struct addr *to;
	struct policy_subject subject;
	const uint8_t *qname, *server; /* server may be NULL */
	const uint8_t *bytes;	       /* not for CONNECT */
	size_t len;
};
/* May it leave now? The one that forbids is counted. */
bool upstream_guard(struct upstream *u, const struct transmission *t);
/* The one sending function. Returns the bytes taken, 0 = try later; or -1 and *why. */
ssize_t upstream_transmit(struct upstream *u, enum send_failure *why,
			  const struct transmission *t);
enum send_failure upstream_failure(int saved_errno);
/* A socket bound to a random port (UDP) of a source address of the configuration; -1 and
 * *why. */
int upstream_socket(struct upstream *u, enum send_failure *why, int type,
		    const struct addr *to);

/* ---- upstream_pool.c ---- */

MUST_CHECK int upstream_pool_open(struct upstream *u);
void upstream_pool_free(struct upstream *u);
/* A free exchange on fd, with its poll handle; NULL when there is none. fd is taken
 * over only on success. */
struct exchange *exchange_open(struct upstream *u, int fd, bool tcp);
/* Makes room: the socket that has been past its deadline longest goes, with no event. */
bool exchange_close_spare(struct upstream *u);
/* Gives it to its owner and starts its deadline. */
void exchange_live(struct exchange *e, void *owner, uint32_t id, uint32_t timeout_ms);
/* to takes from's place: owner, deadline, TCP state; from is closed. */
void exchange_hand_over(struct exchange *to, struct exchange *from);
/* The socket goes now. */
void exchange_close(struct exchange *e);
/* No more events: UDP falls quiet, TCP closes. */
void exchange_end(struct exchange *e);
/* Ends it, then tells the owner, unless that has been told. Between begin and end. */
void exchange_fail(struct exchange *e, enum send_failure why);
/* The wheel calls back at when_ms or up to a tick later. */
void exchange_timer(struct exchange *e, uint64_t when_ms);
struct exchange *exchange_find(struct upstream *u, const void *owner, uint32_t id);
struct exchange_list *exchange_bucket(struct upstream *u, const void *owner);

/* ---- upstream_tcp.c ---- */

int upstream_tcp_start(struct upstream *u, void *owner, uint32_t id,
		       const struct transmission *t, uint32_t timeout_ms);
/* Gives tcp back to its pool. */
void upstream_tcp_release(struct exchange *e);
/* The timer of a live TCP exchange before its deadline: the connect is repeated. */
void upstream_tcp_retry(struct exchange *e);
/* Ends the connections whose servers have been listed since. Between begin and end. */
void upstream_tcp_rejudge(struct upstream *u);

#endif
