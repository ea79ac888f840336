/* anchor.h: which names are validated, and who vouches for the first key.
 * Shape    an immutable set of trust anchors and negative trust anchors
 * Units    s, wall clock
 * Memory   anchors_new() makes one, anchors_free() ends it; results point into it
 * Threads  any, read only; whoever replaces a set waits until nobody reads the old one
 * Errors   ERR_NOENT, ERR_ACCESS, ERR_FORMAT, ERR_NOMEM, with a text that names the line
 * Source   RFC 4033 2 (trust anchor), 4035 5, 5011, 7646 (negative), IANA
 * root-anchors.xml
 *
 * A trust anchor is kept as the DS RRset that vouches for its zone, whether it was given
 * as DS or as DNSKEY: the chain begins with it as with any DS. */
#ifndef SINKHOLED_ANCHOR_H
#define SINKHOLED_ANCHOR_H

#include "resolver/reply.h"

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

struct anchors;

/* What decides about name: the deepest anchor at or above it; a negative one wins over a
 * trust anchor of the same name. above: strictly above, for what a parent says (DS). */
struct anchor anchors_find(const struct anchors *a, const uint8_t *name, bool above,
			   uint32_t now_s);

#endif
