/* answer.h: answers to clients, written as wire bytes.
 * Shape    either at once into the send buffer (errors, local zones), or as a body that
 *          serves every client with the same question and is finished for each
 * Units    TTL and age in s
 * Memory   the caller's buffers; no allocation
 * Threads  any; pure functions
 * Errors   an answer that does not fit becomes an empty one with TC; a room below 512
 *          is a caller's defect
 * Source   RFC 1035 4.1.4 (compression), 2181 9 (TC), 5001, 6891, 8914 (EDE), 8482, 2308
 * 3 */
#ifndef SINKHOLED_ANSWER_H
#define SINKHOLED_ANSWER_H

#include "include/blocklist.h"
#include "include/conf.h"
#include "resolver/query.h"
#include "resolver/reply.h"
#include "zones/local.h"

enum {
	ANSWER_TTLS_MAX = 1024,	     /* records of an answer that can be cached */
	ANSWER_COMPRESS_TRIES = 120, /* look-ups per message, then names go uncompressed:
				      * RFC 9267; the same figure as Unbound */
	ANSWER_EDE_TEXT_MAX = 160,   /* keeps a sinkhole answer far below 512 bytes */
	ANSWER_DATA_TTL_MAX_S = 60,  /* of local data, whatever its feed says: a wrong
				      * rule must not outlive its removal in clients */
};

/* As what one reply is written. */
struct answer_form {
	bool dnssec; /* with signatures and proofs, for DO */
	bool one;    /* of the RRsets that a name has, the smallest */
};

/* ANY draws no more over UDP, where its sender may be forged, than any other type; TCP
 * gets all there is: RFC 8482 4.1, 4.4. */
static inline struct answer_form answer_form(const struct query *q, bool udp)
{
	return (struct answer_form){q->dnssec_ok, udp && q->qtype == DNS_ANY};
}

/* What a listed question matched by its name. */
struct answer_listed {
	struct rule rule;
	enum rule_action action;
};

/* A whole answer without OPT, ID and the client's flags. */
struct answer_body {
	const uint8_t *wire;
	const uint16_t *ttl_at;		    /* where the TTLs stand */
	const struct answer_listed *listed; /* the truth: NULL */
	const char *text;		    /* EXTRA-TEXT; no NUL at its end */
	uint16_t len, ttl_n;
	int16_t ede; /* enum dns_ede */
	uint8_t text_len;
	bool countable; /* ttl_at has them all: the body may be kept and grow older */
	bool secure;	/* AD for who wants to know, RFC 6840 5.8 */
};

/* What an answer by policy needs to know beside the verdict. */
struct answer_policy {
	const struct verdict *verdict;
	enum rule_action action;	   /* to take; never RULE_GIVEN or RULE_DROP */
	const struct conf *conf;	   /* sinkhole addresses and TTL */
	uint64_t generation;		   /* serial of the policy SOA */
	int16_t ede;			   /* code */
	const char *text;		   /* EXTRA-TEXT */
	const struct reply *chain;	   /* answer up to .target, or NULL */
	const struct blocklist_data *data; /* for RULE_LOCAL_DATA */
};

/* Writes the answer for a finished reply (VERDICT_PASS or _PASSTHRU) into buf. ttl_at has
 * room for ANSWER_TTLS_MAX. ERR_RANGE: it is longer than buf. */
MUST_CHECK int answer_body(struct answer_body *out, uint8_t *buf, size_t room,
			   uint16_t *ttl_at, const uint8_t *qname, uint16_t qtype,
			   const struct reply *reply, struct answer_form form);

/* Copies a body into out as the answer to q, TTLs lowered by age_s. room: q->room over
 * UDP, DNS_MESSAGE_MAX over TCP. Returns the length. */
size_t answer_finish(uint8_t *out, size_t room, const struct query *q,
		     const struct answer_body *body, uint32_t age_s);

/* Header, question when it could be read, OPT. Returns the length. */
size_t answer_error(uint8_t *out, size_t room, const struct query *q, unsigned rcode,
		    int ede, const char *text);

/* Writes the sinkhole answer into buf: an empty one with TC when it is longer. Its text
 * is how's. */
void answer_verdict(struct answer_body *out, uint8_t *buf, size_t room,
		    const struct query *q, const struct answer_policy *how);

/* A local zone's answer: the record, or the zone's SOA (RFC 6303 3). */
size_t answer_local(uint8_t *out, size_t room, const struct query *q,
		    enum local_kind kind, const struct local_answer *local);

#endif
