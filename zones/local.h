/* local.h: names that never leave this machine: RFC 6303 zones and special-use names.
 * Shape    a question in, a kind and at most one record out
 * Units    TTL in s
 * Memory   nothing is allocated; zone and rdata point into qname or into constants
 * Threads  any; a pure function
 * Source   RFC 6303 (reverse zones, empty zones), 6598 and 7793 (100.64/10), 6761
 *          (localhost, invalid, test), 6762 22.1 (local), 7686 (onion), 8375
 *          (home.arpa), 8482 (ANY), 9462 6.4 (resolver.arpa), 9637 (3fff::/20), 9665
 *          (service.arpa)
 *
 * `example` and example.com are not here: they are looked up, RFC 6761 6.5. Neither is
 * ipv4only.arpa, which only a DNS64 resolver may answer itself, RFC 8880 7.1. */
#ifndef SINKHOLED_LOCAL_H
#define SINKHOLED_LOCAL_H

#include "include/name.h"

enum local_kind {
	LOCAL_NONE,	/* not ours: look it up */
	LOCAL_RECORD,	/* NOERROR with one record, owned by qname */
	LOCAL_NODATA,	/* NOERROR with zone's SOA */
	LOCAL_NXDOMAIN, /* NXDOMAIN with zone's SOA */
};

enum { LOCAL_TTL_S = 10800 }; /* RFC 6303 3 */

struct local_answer {
	const uint8_t *zone; /* apex; the SOA's owner in a negative answer */
	uint16_t type;	     /* of the record: qtype, or one of several for ANY */
	uint16_t rdata_len;
	const uint8_t *rdata;
	uint32_t ttl;
};

/* qname is lower case. Class IN; out is filled unless LOCAL_NONE. */
enum local_kind local_find(struct local_answer *out, const uint8_t *qname,
			   uint16_t qtype);

#endif
