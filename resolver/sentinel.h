/* sentinel.h: names that ask whether the resolver trusts a root key.
 * Shape    pure function
 * Source   RFC 8509 */
#ifndef SINKHOLED_SENTINEL_H
#define SINKHOLED_SENTINEL_H

#include "resolver/anchor.h"

/* Whether the secure answer to that question is to be withheld: its first label says
 * that a key is trusted which is not, or is not trusted which is. */
bool sentinel_hides(const struct anchors *anchors, const uint8_t *qname, uint16_t qtype,
		    uint32_t now_s);

#endif
