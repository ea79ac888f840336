/* crowd.h: how many questions of each client, and of its neighbourhood, are waiting.
 * Shape    a client is an IPv4 address or an IPv6 /64, which is one subscriber's network
 *          with as many addresses as it likes; a neighbourhood is a /24 or a /56
 * Memory   fixed: two counters for each, at places that a secret key gives. The smaller
 *          one counts: it is never too low, and too high only where both places are
 *          shared with crowds, which nobody can aim at
 * Threads  one owner
 * Source   SECURITY.md 1A "Simultaneous recursion", 1B row 23 (DNSBomb) */
#ifndef SINKHOLED_CROWD_H
#define SINKHOLED_CROWD_H

#include "include/addr.h"
#include "include/hash.h"

enum {
	CROWD_CLIENT_MAX = 200,	 /* a busy household waits for some dozens */
	CROWD_PREFIX_MAX = 1000, /* as Unbound's wait-limit */
	CROWD_SLOTS = 16384,	 /* twice the clients that can wait at once */
};

struct crowd {
	struct hash_key key; /* random, set by the owner; the rest begins as zero */
	uint16_t client[2][CROWD_SLOTS], prefix[2][CROWD_SLOTS];
};

/* Counts one question more; false, and nothing counted, when it is one too many. */
bool crowd_enter(struct crowd *c, const struct addr *client);
/* A question that entered has its answer. */
void crowd_leave(struct crowd *c, const struct addr *client);

#endif
