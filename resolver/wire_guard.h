/* wire_guard.h: the scanner that every message passes before anything else reads it.
 * Shape    bytes in, yes or no out; one pass, no allocation, O(length)
 * Errors   ERR_FORMAT: a byte is wrong; ERR_REFUSED: well-formed, but more than we take
 * Threads  any; pure functions
 * Source   RFC 1035 4.1, 6891, 9267, 9619 (one question); SECURITY.md 2
 *
 * What holds after guard_message() said 0: one question at most; every name expands
 * within 255 octets by pointers that go strictly backward; all names together cost work
 * in proportion to the bytes (wire.h); every record's RDATA has the shape of its type
 * and ends where its length says; at most one OPT, with root owner, in the additional
 * section; no TSIG, SIG(0) or TKEY; no bytes behind the last record. */
#ifndef SINKHOLED_WIRE_GUARD_H
#define SINKHOLED_WIRE_GUARD_H

#include "include/wire.h"

enum {
	GUARD_RECORDS_UDP = 512,  /* 1,232 bytes hold no more than 110 of 11 bytes */
	GUARD_RECORDS_TCP = 4096, /* 64 KiB of small records; more is a bomb */
	GUARD_OPTIONS = 16,	  /* EDNS options; common messages have 0 to 4 */
	GUARD_STRINGS = 512,	  /* character-strings in one record */
};

/* max_records: one of GUARD_RECORDS_*. */
MUST_CHECK int guard_message(const uint8_t *msg, size_t len, unsigned max_records);

enum wire_section { WIRE_ANSWER = 0, WIRE_AUTHORITY = 1, WIRE_ADDITIONAL = 2 };

/* One record of a guarded message. */
struct wire_rr {
	uint8_t owner[DNS_NAME_MAX]; /* lower case */
	enum wire_section section;
	uint16_t type, class;
	uint32_t ttl; /* over DNS_TTL_MAX reads as 0, RFC 2181 8; OPT's flags as they are
		       */
	uint16_t rdlength;
	const uint8_t *rdata; /* in the message: its names may be compressed */
};

/* Walks the records of a message that guard_message() has passed. */
struct wire_walk {
	struct wire_reader r;
	uint16_t left[3]; /* records still to come, per section */
};
/* Header and question; qname is lower-cased, records are left to wire_walk_next().
 * Returns false when there is no question: then qname is the root and the numbers 0. */
bool wire_walk_start(struct wire_walk *w, const uint8_t *msg, size_t len,
		     uint8_t qname[DNS_NAME_MAX], uint16_t *qtype, uint16_t *qclass);
bool wire_walk_next(struct wire_walk *w, struct wire_rr *out);

#endif
