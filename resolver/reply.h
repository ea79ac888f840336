/* reply.h: RRsets and finished replies, the same from cache, iterator and validator.
 * Shape    flat structs; RDATA as uncompressed wire blobs
 * Units    TTL in s, as left at the moment the struct was made
 * Memory   an arena's, with all they point to; valid until it is reset
 * Source   RFC 2181 5 (RRsets, ranks), 2308 (negative answers), 9499 (words) */
#ifndef SINKHOLED_REPLY_H
#define SINKHOLED_REPLY_H

#include "include/arena.h"
#include "include/rule.h"
#include "include/wire.h"

/* How much a source is to be believed, RFC 2181 5.4.1; more replaces less. */
enum rrset_rank {
	RANK_NONE = 0,
	RANK_ADDITIONAL =
		1,	    /* glue and other additional data: for finding servers only */
	RANK_REFERRAL = 2,  /* NS in the authority section of a referral */
	RANK_AUTHORITY = 3, /* authority section of an authoritative answer */
	RANK_ANSWER = 4,    /* answer section, not authoritative */
	RANK_AUTH_ANSWER = 5, /* answer section, authoritative */
};

/* RFC 4035 4.3; everything is UNCHECKED while validation is off. */
enum rrset_security {
	SECURITY_UNCHECKED = 0,
	SECURITY_BOGUS,
	SECURITY_INDETERMINATE,
	SECURITY_INSECURE,
	SECURITY_SECURE
};

enum rrset_kind {
	RRSET_DATA,	/* records */
	RRSET_NODATA,	/* the name has no such type: data is the zone's SOA */
	RRSET_NXDOMAIN, /* there is no such name: data is the zone's SOA */
};

/* Where an RRset came from; a rule on any of these acts on what is cached (P1). */
struct origin {
	const uint8_t *zone;   /* the zone cut that was asked; NULL = unknown */
	const uint8_t *server; /* name of its server; NULL = unknown */
	struct addr addr;
};

struct rrset {
	const uint8_t *owner; /* lower case */
	uint16_t type;	      /* the type asked for; negative kinds too */
	uint8_t kind, rank, security;
	bool cut;    /* SECURE denial of a DS: there is a delegation */
	int16_t why; /* BOGUS: enum dns_ede, and what set it is about */
	uint16_t why_type;
	uint16_t rr_n, sig_n;
	uint32_t ttl;
	uint32_t stored_s; /* when it came into the cache it is from, wall clock */
	uint32_t data_len, sigs_len;
	const uint8_t *data; /* rr_n times: 16-bit length, RDATA without compression */
	const uint8_t *sigs; /* the RRSIGs over data, sig_n times the same */
	const uint8_t *why_name;  /* an end of owner; NULL = the set itself */
	const uint8_t *soa_owner; /* negative kinds with an SOA (rr_n 1), else NULL */
	/* NSEC or NSEC3 sets that came with a denial, with a wildcard's data, or with the
	 * last set of an answer, until that has been validated. */
	const struct rrset *const *proof;
	uint8_t proof_n;
	struct origin from;
};

/* Steps through records or signatures: start with *at = 0; false at the end, or where
 * the lengths do not fit: then *at is not data_len. */
static inline bool rdata_next(const uint8_t *data, uint32_t data_len, uint32_t *at,
			      const uint8_t **rdata, uint16_t *len)
{
	if (data_len - *at < 2)
		return false;
	*len = wire_get16(data + *at);
	if (*len > data_len - *at - 2)
		return false;
	*rdata = data + *at + 2;
	*at += 2U + *len;
	return true;
}

static inline bool rrset_next(const struct rrset *s, uint32_t *at, const uint8_t **rdata,
			      uint16_t *len)
{
	return rdata_next(s->data, s->data_len, at, rdata, len);
}

static inline bool rrset_next_sig(const struct rrset *s, uint32_t *at,
				  const uint8_t **rdata, uint16_t *len)
{
	return rdata_next(s->sigs, s->sigs_len, at, rdata, len);
}

/* A deep copy into the arena; ERR_NOMEM. */
MUST_CHECK int rrset_copy(struct rrset *out, const struct rrset *s, struct arena *arena);

enum {
	RRSET_SIGS_MAX = 8,   /* kept per RRset, as Unbound */
	RRSET_PROOF_MAX = 16, /* sets kept of one message; a denial needs up to 3 */
	REPLY_CHAIN_MAX = 11, /* CNAMEs followed for one question; Unbound and BIND: 11 */
	REPLY_ANSWER_MAX =
		REPLY_CHAIN_MAX + 21, /* the chain, then RRsets of an ANY answer */
};

struct reply {
	uint16_t rcode;
	/* The worst of its parts. BOGUS: who does not say CD gets SERVFAIL with .ede; for
	 * who does, everything else here is as if nobody had looked. */
	uint8_t security;
	int16_t ede;	      /* enum dns_ede */
	const char *ede_text; /* static or in the arena; NULL = none */
	const struct rrset *answer[REPLY_ANSWER_MAX]; /* chain in order, then the end */
	int answer_n;
	const struct rrset
		*negative; /* its SOA goes into the authority section, or NULL */
	/* What policy said of the chain. With VERDICT_ACT the answer is the chain up to
	 * target and then the action under the name target. */
	struct verdict verdict;
	struct verdict monitor; /* kind VERDICT_ACT when a monitor rule is to be logged */
	const uint8_t *target;
	/* SERVFAIL that says little about the name: rules kept servers from being asked,
	 * or a sub-question's small budget or questions under way did. */
	bool restricted, starved;
	bool expired;	 /* parts of it have, RFC 8767 */
	bool denied;	 /* its end was not asked for: spans prove it, RFC 8198 */
	uint32_t change; /* when time alone may change the verdict, 0 = never */
	bool cacheable; /* may stand in the answer cache, under the stamp it was judged by
			 */
};

/* Bogus is for those alone who want to judge for themselves. */
static inline bool reply_is_hidden(const struct reply *r, unsigned client_flags)
{
	return r->security == SECURITY_BOGUS && !(client_flags & DNS_CD);
}

#endif
