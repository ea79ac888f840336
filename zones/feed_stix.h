/* feed_stix.h: STIX patterns, as far as they are lists of names and addresses.
 * Shape    a pattern is a list of terms, any one of which is enough: [a OR b] OR [c]
 * Memory   a term's value is a copy that lives for the callback
 * Errors   FEED_WORD, or why the whole pattern can be no rules, as enum feed_skip
 * Source   STIX 2.1 9 (patterning) */
#ifndef SINKHOLED_ZONES_FEED_STIX_H
#define SINKHOLED_ZONES_FEED_STIX_H

#include "zones/feed_parse.h"

enum { STIX_VALUE_MAX = DNS_NAME_TEXT_MAX }; /* of a term; nothing longer is a name */

/* DOMAIN-NAME:VALUE OPERATOR 'VALUE'. */
struct stix_term {
	struct feed_span object; /* "domain-name:value" */
	struct feed_span op;	/* "=", "LIKE", "IN" (once for each of its values), ... */
	struct feed_span value; /* without quotes and escapes */
};

typedef int stix_term_fn(void *arg, const struct stix_term *term);

/* Hands out nothing of a pattern that is not all such terms. *stop is what each()
 * returned, which ends the walk when it is not 0. */
int feed_stix_pattern(struct feed_span pattern, stix_term_fn *each, void *arg, int *stop);

#endif
