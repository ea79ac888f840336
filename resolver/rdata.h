/* rdata.h: the layout of each record type's data.
 * Shape    one table of types and layouts; everything else of the project asks it
 * Units    lengths in bytes
 * Errors   ERR_FORMAT when the data does not have its type's shape, ERR_REFUSED when it
 *          has, but holds more than we take (GUARD_STRINGS, GUARD_OPTIONS)
 * Threads  any; pure functions
 * Source   RFC 1035 3.3 and each type's own RFC; 3597 4 (which names may be compressed)
 */
#ifndef SINKHOLED_RDATA_H
#define SINKHOLED_RDATA_H

#include "include/addr.h"
#include "include/wire.h"

/* Whether the len bytes at r->at, inside the message of r, are RDATA of that type,
 * to the last byte. r is left behind them. A type that is not in the table is opaque. */
MUST_CHECK int rdata_check(struct wire_reader *r, unsigned type, size_t len);

/* Copies RDATA that rdata_check() has passed, its names uncompressed and in their case
 * as received. Returns the new length or ERR_RANGE. */
MUST_CHECK int rdata_expand(uint8_t *out, size_t room, const uint8_t *msg, size_t msg_len,
			    const uint8_t *rdata, uint16_t rdlength, unsigned type);

/* Calls each name of uncompressed RDATA that may be compressed on writing (RFC 3597 4):
 * off is where it starts. Returns how many were given, at most max. */
int rdata_names(uint16_t *off, int max, const uint8_t *rdata, uint16_t len,
		unsigned type);

/* Lower-cases in place the names that are lower case in canonical form: those of the
 * types of RFC 4034 6.2 but NSEC, RFC 6840 5.1. ERR_FORMAT when the fields up to the last
 * of them are not there. RRSIG and SIG do not come here: nothing signs them. */
MUST_CHECK int rdata_canonical(uint8_t *rdata, uint16_t len, unsigned type);

/* Steps through the addresses that uncompressed RDATA leads a client to: those of A and
 * AAAA, the hints of SVCB and HTTPS (RFC 9460 7.3). */
struct rdata_addrs {
	struct wire_reader params;
	const uint8_t *at;
	size_t left, each;
};
bool rdata_has_addrs(unsigned type);
void rdata_addrs(struct rdata_addrs *it, unsigned type, const uint8_t *rdata,
		 uint16_t len);
bool rdata_addrs_next(struct rdata_addrs *it, struct addr *out);

#endif
