/* server.h: what is known of other name servers, by address.
 * Shape    fixed table, shared by all workers; old entries make room for new
 * Units    RTT in ms
 * Threads  any; one lock per shard
 * Source   RFC 6298 (smoothed RTT), 9520 (failures are remembered) */
#ifndef SINKHOLED_SERVER_H
#define SINKHOLED_SERVER_H

#include "include/addr.h"

enum {
	SERVER_RTT_UNKNOWN_MS =
		376, /* first time-out for a server never asked, as Unbound */
	SERVER_TIMEOUT_MIN_MS = 50,
	SERVER_TIMEOUT_MAX_MS = 1500, /* four tries fit into one question's 6 s */
};

struct server_info {
	uint32_t timeout_ms; /* to wait for an answer now */
	uint32_t srtt_ms;
	uint8_t failures; /* in a row */
	bool known;
};

struct server_table;
MUST_CHECK int server_table_open(struct server_table **out);
void server_table_close(struct server_table *t);
void server_get(struct server_table *t, struct server_info *out, const struct addr *a,
		uint64_t now_ms);
void server_replied(struct server_table *t, const struct addr *a, uint32_t rtt_ms,
		    uint64_t now_ms);
void server_failed(struct server_table *t, const struct addr *a, uint64_t now_ms);

#endif
