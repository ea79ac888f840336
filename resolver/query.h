/* query.h: a client's message, read in place.
 * Shape    bytes in, one flat struct query out
 * Memory   no allocation; qname_raw points into the message
 * Threads  any; pure function
 * Errors   outcomes, not errors: what is wrong with the message is its rcode
 * Source   RFC 1035 4.1, 5001, 6891, 7766, 8906, 9619 */
#ifndef SINKHOLED_QUERY_H
#define SINKHOLED_QUERY_H

#include "include/wire.h"

enum {
	QUERY_ADDITIONAL_MAX = 4, /* records; honest questions have the OPT alone */
	QUERY_OPTIONS_MAX = 16,	  /* EDNS options; common messages have 0 to 4 */
};

struct query {
	uint16_t id, flags; /* as received, host order */
	uint16_t qtype, qclass;
	uint8_t qname[DNS_NAME_MAX]; /* lower case; valid when qname_len > 0 */
	uint8_t qname_len;
	const uint8_t *qname_raw; /* in the case the client wrote it */
	bool edns, dnssec_ok;
	bool wants_nsid;  /* RFC 5001 */
	const char *nsid; /* what to tell, for who answers to set; NULL = nothing */
	uint16_t room;	  /* bytes that an answer over UDP may have */
	uint16_t rcode;	  /* QUERY_ERROR: what to answer; BADVERS needs the OPT */
};

enum query_result {
	QUERY_OK,
	QUERY_DROP,  /* no answer: too short, or an answer itself (no reply loops) */
	QUERY_ERROR, /* answer with rcode */
};

enum query_result query_read(struct query *q, const uint8_t *msg, size_t len);

#endif
