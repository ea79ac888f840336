/* server.h: what is known of other name servers, by address.
 * Shape    fixed table, shared by all workers; old entries make room for new
 * Units    RTT in ms
 * Threads  any; one lock per shard
 * Source   RFC 6298 (smoothed RTT), 9520 (failures are remembered)
 *
 * What is held against a server ends by itself: it is never more than a reason to ask
 * others first, to ask it differently, or to let it rest. */
#ifndef SINKHOLED_SERVER_H
#define SINKHOLED_SERVER_H

#include "include/addr.h"
#include "include/name.h"

enum {
	SERVER_RTT_UNKNOWN_MS =
		376, /* first time-out for a server never asked, as Unbound */
	SERVER_TIMEOUT_MIN_MS = 50,
	SERVER_TIMEOUT_MAX_MS = 1500, /* four tries fit into one question's 6 s */
	/* Failures in a row before a server is let rest. On a line that loses half of
	 * all exchanges a living server gets there once in 256 times. */
	SERVER_DEAD = 8,
	SERVER_REST_MIN_MS = 1000, /* doubled by each failed probe */
	SERVER_REST_MAX_MS = 16000,
};

struct server_info {
	uint32_t timeout_ms; /* what it costs to ask: the wait, more after failures */
	uint32_t rto_ms;     /* by then most of its answers have come */
	uint32_t srtt_ms;
	uint8_t failures; /* in a row */
	bool known;
	bool resting;	/* it never answers: not to be asked just now */
	bool no_edns;	/* has shown more than once that it knows no EDNS */
	bool tcp_works; /* where UDP was silent, TCP was not */
	bool tcp_only;	/* that has been so more than once */
};

struct server_table;
MUST_CHECK int server_table_open(struct server_table **out);
void server_table_close(struct server_table *t);
void server_get(struct server_table *t, struct server_info *out, const struct addr *a,
		uint64_t now_ms);
/* How long to wait after so many failures. */
uint32_t server_patience(uint32_t rto_ms, unsigned failures);
void server_replied(struct server_table *t, const struct addr *a, uint32_t rtt_ms,
		    uint64_t now_ms);
/* No reply to what was sent then. Questions that were under way together fail together:
 * that brings a server no nearer to its rest than one failure. */
void server_failed(struct server_table *t, const struct addr *a, uint64_t sent_ms,
		   uint64_t now_ms);
/* One that has failed for long is being asked: nobody else is to try until then. */
void server_probed(struct server_table *t, const struct addr *a, uint64_t until_ms);

/* An answer without EDNS where there was none with it; an answer with EDNS takes all
 * that back. */
void server_lacks_edns(struct server_table *t, const struct addr *a, uint64_t now_ms);
void server_has_edns(struct server_table *t, const struct addr *a, uint64_t now_ms);
/* An answer over TCP where UDP was silent. */
void server_needs_tcp(struct server_table *t, const struct addr *a, uint64_t now_ms);
/* Not responsible for that zone, or no use for it: the last such zone is remembered. */
void server_lame(struct server_table *t, const struct addr *a, const uint8_t *zone,
		 uint64_t now_ms);
bool server_is_lame(struct server_table *t, const struct addr *a, const uint8_t *zone,
		    uint64_t now_ms);
/* Nothing has come from any address of that family for long, but from the other. */
bool server_family_dead(struct server_table *t, unsigned family);

#endif
