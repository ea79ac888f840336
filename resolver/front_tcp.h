/* front_tcp.h: questions and answers over TCP.
 * Shape    front_tcp_bind() makes one listener per worker before privileges go;
 *          front_tcp_open() puts a worker's listeners on its loop; connections come from
 *          one pool and are named by slot and serial
 * Units    times in ms, memory in bytes
 * Memory   the pool is allocated at open; a question over FRONT_TCP_INLINE bytes and
 *          answers that a client does not read at once take heap memory, all of it
 *          together at most FRONT_TCP_HEAP_MAX
 * Threads  bind: the main thread; all else: one worker, on its loop
 * Errors   bind: as front_udp_bind(); a connection that misbehaves is closed
 * Source   RFC 7766, 1035 4.2.2; SECURITY.md 1A "TCP in", row 35
 *
 * A connection counts as idle while no answer is owed, or while its client does not read
 * what was sent. Bytes that make no whole question do not end that time: a slow sender is
 * an idle one. When all slots are taken the connection idle longest makes room.
 *
 * A flood over TCP must not make UDP or new clients wait: when one turn of the loop has
 * had its share of questions, connections that were heard lately wait for a later one. */
#ifndef SINKHOLED_FRONT_TCP_H
#define SINKHOLED_FRONT_TCP_H

#include <uv.h>

#include "resolver/front.h"

enum {
	FRONT_TCP_CONNS = 1024,	     /* per worker; PowerDNS has the same in all */
	FRONT_TCP_CONNS_CLIENT = 64, /* of one IPv4 address or IPv6 /64 */
	FRONT_TCP_IN_FLIGHT = 16,    /* unanswered questions before reading stops */
	FRONT_TCP_IDLE_MS = 10000,   /* with at least half of the slots free */
	FRONT_TCP_IDLE_MIN_MS = 200, /* with none free: Unbound's figure */
	FRONT_TCP_OWED_MS = 30000,   /* an answer owed so long will never come */
	FRONT_TCP_TURN = 1024, /* questions in one turn of the loop, as many as UDP has */
	FRONT_TCP_REST = 16,   /* turns after which a connection is heard all the same */
	FRONT_TCP_INLINE = 1024, /* a question with padding (RFC 8467) fits */
	FRONT_TCP_QUEUE_MAX = 2 * (65535 + 2), /* unread answers of one client */
	FRONT_TCP_HEAP_MAX = 16 << 20,
};

struct front_tcp;

/* Limits other than the above, for tests; in the order of the enum. */
struct front_tcp_limits {
	uint32_t conns, conns_client, in_flight, idle_ms, idle_min_ms, owed_ms, queue_max;
};

/* As front_udp_bind(); the sockets listen from front_tcp_open() on. */
MUST_CHECK int front_tcp_bind(int *fds, int n, const struct addr *listen);

/* fds[i] is this worker's listener for listen[i]; all are closed by
 * front_tcp_shutdown(), or at once when open fails. limits NULL = those above. */
MUST_CHECK int front_tcp_open(struct front_tcp **out, uv_loop_t *loop,
			      const struct front_hooks *hooks, const struct addr *listen,
			      const int *fds, int n,
			      const struct front_tcp_limits *limits);
/* The answer to a question that was SERVE_LATER; len 0 = there will be none. The
 * connection may be gone: then nothing happens. */
void front_tcp_send(struct front_tcp *f, const struct asker *to, const uint8_t *bytes,
		    size_t len);
/* Closes the connection that asked, instead of front_tcp_send(). */
void front_tcp_close(struct front_tcp *f, const struct asker *to);
/* Open connections. */
uint32_t front_tcp_conns(const struct front_tcp *f);
/* Starts closing all handles; free after the loop has run them. */
void front_tcp_shutdown(struct front_tcp *f);
void front_tcp_free(struct front_tcp *f);

#endif
