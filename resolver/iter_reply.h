/* iter_reply.h: what a name server's message says about what it was asked.
 * Shape    bytes and the question they should answer in; one class and the records that
 *          may be believed out
 * Units    TTL in s
 * Memory   what is kept is copied into the arena; the message is borrowed for the call
 * Threads  any; pure function
 * Errors   ERR_NOMEM (arena full); a bad message is a class
 * Source   RFC 1034 5.3.3, 2181 5.4.1, 2308, 5452 (what to match), 6672, 6891, 9520
 *
 * Believed: the answer section where it belongs to the question's chain, inside the zone
 * that was asked; one SOA above the denied name; the NS records of one cut strictly
 * deeper than the zone asked, its DS, and addresses of those servers as far as the asked
 * zone may speak of them. Signatures and proofs are kept with what they are about, for
 * the validator to judge. Everything else is dropped unread. */
#ifndef SINKHOLED_ITER_REPLY_H
#define SINKHOLED_ITER_REPLY_H

#include "resolver/rrset_cache.h"

enum iter_class {
	ITER_JUNK,	/* no answer to this question: the wait goes on */
	ITER_FORGED,	/* the same with a wrong ID: somebody may be guessing */
	ITER_TRUNCATED, /* ask again over TCP */
	ITER_NO_EDNS,	/* FORMERR by a server that does not know OPT, RFC 6891 7 */
	ITER_ERROR,	/* an rcode that helps nobody, or a broken message over TCP */
	ITER_LAME,	/* not responsible for the zone, or a referral up or sideways */
	ITER_REFERRAL,
	ITER_ANSWER, /* this and those below say something of the name */
	ITER_CNAME, /* the chain ends in a name that is still to be asked for, or in none:
		     * what a DNAME makes of it is too long */
	ITER_NODATA,
	ITER_NXDOMAIN,
};

struct iter_asked {
	uint16_t id, type;
	const uint8_t *name; /* lower case */
	const uint8_t *sent; /* the same in the case that was sent */
	bool exact_case;     /* the echo must be in that case */
	bool tcp;
	uint32_t ttl_min, ttl_max; /* of the configuration; ttl_max 0 = no limits */
	bool forward;		   /* of a resolver: it need not be authoritative */
	struct origin from;	   /* zone is the cut that was asked, never NULL */
};

struct iter_reply {
	enum iter_class class;
	bool has_opt, has_aa;
	/* A resolver's word, not that of the zone: good when nobody else says more. */
	bool second_hand;
	/* CNAMEs and DNAMEs in order, then the end of the chain; for ANY all RRsets of
	 * the name. The CNAMEs that DNAMEs make are not among them. */
	struct rrset *answer[REPLY_ANSWER_MAX];
	int answer_n;
	/* NODATA, NXDOMAIN: of the last name. Without SOA and proofs it has TTL 0. */
	struct rrset *negative;
	struct delegation referral; /* also of the root itself, when its NS were asked
				     * for */
	/* What came with a referral about its DS: records, or a denial without SOA;
	 * NULL when nothing was said. */
	const struct rrset *ds;
};

MUST_CHECK int iter_reply_read(struct iter_reply *out, struct arena *arena,
			       const struct iter_asked *asked, const uint8_t *msg,
			       size_t len);

/* The name that a CNAME or DNAME RRset points to, lower case. */
void iter_reply_target(uint8_t out[DNS_NAME_MAX], const struct rrset *cname);
/* What a DNAME RRset above name makes of it; ERR_RANGE when that is no name any more. */
MUST_CHECK int iter_reply_rename(uint8_t out[DNS_NAME_MAX], const uint8_t *name,
				 const struct rrset *dname);

#endif
