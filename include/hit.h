/* hit.h: one hit: a client asked for something that is listed.
 * Shape    flat struct, the closed list of what may be remembered (P3); strings end
 *          with NUL and are cut to fit
 * Units    time in microseconds since 1970, UTC; ports in host order
 * Memory   no pointers: a hit is copied into the ring, the segment and the tools; only
 *          the used part of a string is read, so nothing needs clearing beforehand
 * Source   RFC 6302 (the port is logged), DESIGN.md "The hit log" */
#ifndef SINKHOLED_HIT_H
#define SINKHOLED_HIT_H

#include "include/rule.h"

enum {
	HIT_NODE_MAX = 64,   /* node name, as long as a Linux host name */
	HIT_LIST_MAX = 64,   /* list name and NUL */
	HIT_FAMILY_MAX = 48, /* malware family and NUL; category the same */
};

enum hit_transport { HIT_UDP = 0, HIT_TCP = 1, HIT_TLS = 2, HIT_HTTPS = 3 };

struct hit {
	uint64_t time_us;
	uint64_t boot;	     /* one start of sinkholed; given by the ring */
	uint64_t sequence;   /* per boot and worker, from 1, no gaps; given by the ring */
	uint64_t entry;	     /* rule.entry */
	uint64_t generation; /* of the blocklist that decided */
	uint32_t count;	 /* this many identical questions; 1 unless folded; the ring's */
	uint16_t worker; /* given by the ring */
	uint16_t qtype;
	uint8_t transport;    /* enum hit_transport */
	uint8_t trigger;      /* enum rule_trigger */
	uint8_t action;	      /* enum rule_action that was taken */
	uint8_t clock_synced; /* the kernel said so at that moment */
	struct addr client;   /* address and port */
	struct addr proxy;    /* the balancer when PROXYv2 was used, else family 0 */
	struct addr listener; /* the address it asked */
	struct prefix prefix; /* of the rule, for address triggers, else family 0 */
	uint8_t qname[DNS_NAME_MAX];   /* lower case */
	uint8_t matched[DNS_NAME_MAX]; /* the rule's owner; root when none */
	char list[HIT_LIST_MAX];
	char family[HIT_FAMILY_MAX], category[HIT_FAMILY_MAX];
};

static inline const char *hit_transport_text(enum hit_transport t)
{
	static const char *const text[] = {"udp", "tcp", "tls", "https"};
	return (unsigned)t <= HIT_HTTPS ? text[t] : "?";
}

#endif
