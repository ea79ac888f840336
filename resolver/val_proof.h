/* val_proof.h: what NSEC and NSEC3 records prove not to exist.
 * Shape    records whose signatures of one zone have been checked in; yes, no, or "the
 *          zone does not say" out
 * Units    work->hashes: PROOF_HASH_BLOCKS SHA-1 blocks each, at least one a name
 * Memory   nothing is kept
 * Threads  any; pure functions
 * Errors   none: what does not prove is PROOF_NOTHING
 * Source   RFC 4035 5.4, 5155 8, 6672 5.3.4 (DNAME), 6840 4 (ancestor delegations, ANY,
 *          CNAME), 7129, 9276 (iterations), 9824 (NXNAME); SECURITY.md L6 to L11, 1B rows
 *          17, 18, 20, 21 */
#ifndef SINKHOLED_VAL_PROOF_H
#define SINKHOLED_VAL_PROOF_H

#include "resolver/val_sig.h"

enum proof_result {
	PROOF_NOTHING,	/* not proved: bogus */
	PROOF_SECURE,	/* proved */
	PROOF_INSECURE, /* opt-out, or more iterations than we hash: may exist unsigned */
	PROOF_SPENT,	/* the work is used up */
};

/* NSEC and NSEC3 sets; those that are not of this zone (owner, next name) are not looked
 * at, nor more than VAL_SIGS_RESPONSE. Names are lower case.
 *
 * Each set's signature has been checked with a key of zone, and its owner is the name
 * that was signed: a set that val_sig_check() gave an encloser for is left out. The NSEC
 * of a wildcard, asked for under another name, would otherwise say that this name exists
 * and so hide the wildcard from those beside it (CVE-2017-15105). */
struct proof {
	const uint8_t *zone;
	const struct rrset *const *set;
	int n;
	struct val_work *work;
};

enum {
	PROOF_ITERATIONS_MAX = 50, /* more is insecure without hashing, as BIND */
	/* SHA-1 blocks of 64 bytes in one of work->hashes: a name at 50 iterations and a
	 * salt up to 35 bytes is one, with 255 bytes it is four or five. The 64 of an
	 * answer are 4,096 blocks, under 1 ms. */
	PROOF_HASH_BLOCKS = 64,
};

/* That name does not exist, nor a wildcard for it. */
enum proof_result proof_nxdomain(const struct proof *p, const uint8_t *name);

/* That name, or the wildcard that stands for it, exists without type and CNAME, or is an
 * empty non-terminal. RFC 9824's name that does not exist is proved so, too. *cut, when
 * PROOF_SECURE: name is a delegation (NS without SOA), so that type was DS and the child
 * zone is insecure; without it name is no zone of its own. */
enum proof_result proof_nodata(const struct proof *p, const uint8_t *name, uint16_t type,
			       bool *cut);

/* That *.encloser may stand for name: no name between them exists. */
enum proof_result proof_wildcard(const struct proof *p, const uint8_t *name,
				 const uint8_t *encloser);

/* The order of names in lower case, RFC 4034 6.1: below, equal to or above 0. */
int proof_order(const uint8_t *a, const uint8_t *b);
/* *.encloser; encloser is a proper ancestor of some name, so there is room. */
void proof_wildcard_name(uint8_t out[DNS_NAME_MAX], const uint8_t *encloser);
/* SHA-1 blocks that hashing a name of that length takes. */
unsigned proof_hash_blocks(size_t name_len, unsigned iterations, uint8_t salt_len);
/* RFC 5155 5: the hash of name; false when the work does not reach. */
bool proof_hash(uint8_t out[VAL_SHA1_LEN], const uint8_t *name, unsigned iterations,
		const uint8_t *salt, uint8_t salt_len, struct val_work *work);

#endif
