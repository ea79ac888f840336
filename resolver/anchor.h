/* anchor.h: which names are validated, and who vouches for the first key.
 * Shape    an immutable set of trust anchors and negative trust anchors
 * Units    s, wall clock
 * Memory   anchors_new() makes one, anchors_free() ends it; results point into it
 * Threads  any, read only; whoever replaces a set waits until nobody reads the old one
 * Errors   ERR_NOMEM
 * Source   RFC 4033 2 (trust anchor), 4035 5, 5011, 7646 (negative), IANA
 * root-anchors.xml
 *
 * A trust anchor is kept as the DS RRset that vouches for its zone, whether it was given
 * as DS or as DNSKEY: the chain begins with it as with any DS. A NULL set is one without
 * entries: nothing is validated. */
#ifndef SINKHOLED_ANCHOR_H
#define SINKHOLED_ANCHOR_H

#include "resolver/reply.h"
#include "zones/anchor_file.h"

enum anchor_kind {
	ANCHOR_NONE,	 /* nothing vouches for the name: it is not validated */
	ANCHOR_TRUST,	 /* zone and ds are set */
	ANCHOR_NEGATIVE, /* the operator says it is broken: not validated */
};

struct anchor {
	enum anchor_kind kind;
	const uint8_t *zone;	/* lower case */
	const struct rrset *ds; /* SECURE, TTL 0 */
};

/* A zone that the operator says is broken. */
struct anchor_negative {
	uint8_t zone[DNS_NAME_MAX]; /* lower case */
	uint32_t until_s;	    /* 0: by the configuration, until that changes */
};

struct anchors;

MUST_CHECK int anchors_new(struct anchors **out, const struct anchor_records *trusted,
			   const struct anchor_negative *negative, int negative_n);
void anchors_free(struct anchors *a);

/* What decides about name: the deepest anchor at or above it; a negative one wins over a
 * trust anchor of the same name. above: strictly above, for what a parent says (DS). */
struct anchor anchors_find(const struct anchors *a, const uint8_t *name, bool above,
			   uint32_t now_s);

/* The zones of which two sets say different things, in turn: start with at = {0, 0};
 * false at the end. */
bool anchors_next_change(const struct anchors *a, const struct anchors *b, int at[2],
			 const uint8_t **zone);

/* Each zone's DS RRset in turn: start with *at = 0; false at the end. */
bool anchors_next(const struct anchors *a, int *at, struct anchor *out);

#endif
