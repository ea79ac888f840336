/* val_sig.h: signatures over RRsets and keys; the only file that calls ldns's crypto.
 * Shape    an RRset, its RRSIGs and a zone's keys in; a status, why, how long it holds
 * Units    s, wall clock; work in signature checks
 * Memory   nothing is kept; pointers in the result point into what came in
 * Threads  any
 * Errors   none: what cannot be checked is not secure
 * Source   RFC 4034, 4035 5.3, 4509, 5702, 6605, 6840, 8080, 8624, 9905; SECURITY.md
 *          "ldns" L10 to L16, L23
 *
 * Everything about a signature or key that ldns does not look at is looked at here before
 * it is called: owner, signer, labels, class, ZONE and REVOKE flags, protocol, key shape,
 * duplicates. One RRset never costs more than VAL_FAILURES_MAX failed checks.
 * sha1, in all of them: algorithms 5 and 7 count as known, RFC 9905. */
#ifndef SINKHOLED_VAL_SIG_H
#define SINKHOLED_VAL_SIG_H

#include "resolver/reply.h"

enum {
	/* What one client question may cost in signature checks, SECURITY.md 1A, in units
	 * of 0.1 ms: most cost one, Ed25519 2, Ed448 4, P-384 8. */
	VAL_SIGS_QUESTION = 64,
	VAL_SIGS_RESPONSE = 16, /* checks for one response, whatever they cost */
	VAL_FAILURES_MAX = 2,	/* per RRset: key tags that collide are that rare */
	VAL_HASHES_MAX = 64,	/* NSEC3 hash blocks for one answer */
};

/* What may still be spent. */
struct val_work {
	int32_t question; /* units of VAL_SIGS_QUESTION */
	int32_t response; /* checks for the response at hand */
	int32_t hashes;
};

struct val_sig {
	uint8_t security; /* SECURE, BOGUS, or INDETERMINATE: no work or memory is left */
	int16_t ede;	  /* why it is not secure */
	uint32_t ttl_max; /* the signature's original TTL and what is left of its life */
	/* The data was made from the wildcard *.encloser: an end of the owner; else NULL.
	 * That nothing closer exists is to be proved, RFC 4035 5.3.4. */
	const uint8_t *encloser;
};

/* The signer's name of the deepest RRSIG that may speak for s (at or above its owner; for
 * DS strictly above), of a type that covers s->type; NULL when there is none. Points into
 * s->sigs; its case is as the signer wrote it. */
const uint8_t *val_sig_signer(const struct rrset *s);

/* Whether one of keys, the trusted DNSKEY RRset of zone, signed s (kind RRSET_DATA). */
void val_sig_check(struct val_sig *out, const struct rrset *s, const uint8_t *zone,
		   const struct rrset *keys, bool sha1, struct val_work *work,
		   uint32_t now_s);

/* Whether keys, the DNSKEY RRset of its owner, is signed by a key that one of ds vouches
 * for. ds is trusted. */
void val_sig_check_keys(struct val_sig *out, const struct rrset *keys,
			const struct rrset *ds, bool sha1, struct val_work *work,
			uint32_t now_s);

/* Whether keys, the DNSKEY RRset of its owner, is signed by that one of them, which has
 * the REVOKE flag: so it is taken back, RFC 5011 2.1. */
bool val_sig_revoked(const struct rrset *keys, const uint8_t *dnskey, uint16_t len,
		     struct val_work *work, uint32_t now_s);

/* Whether any DS record of the set has an algorithm and a digest that we know; when not,
 * the zone counts as unsigned, RFC 4035 5.2, and *ede says what is unknown. A set that is
 * empty or damaged is usable, so that it ends as bogus. */
bool val_sig_usable(const struct rrset *ds, bool sha1, int16_t *ede);

/* RFC 4034 Appendix B. */
uint16_t val_sig_key_tag(const uint8_t *dnskey, uint16_t len);
/* The DS RDATA, digest type 2, of a DNSKEY of owner, which has at least the 4 bytes of
 * its fixed part. */
enum { VAL_DS_LEN = 4 + 32 };
void val_sig_ds(uint8_t out[VAL_DS_LEN], const uint8_t *owner, const uint8_t *dnskey,
		uint16_t len);

/* For NSEC3, RFC 5155 5. */
enum { VAL_SHA1_LEN = 20 };
void val_sig_sha1(uint8_t out[VAL_SHA1_LEN], const uint8_t *data, size_t len);

#endif
