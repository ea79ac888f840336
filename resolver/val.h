/* val.h: whether an answer is what its zone's owner signed: the chain of trust.
 * Shape    RRsets in; a status each out, or what has to be fetched first, unvalidated.
 *          Called again with everything fetched so far, it goes on where it waited.
 * Units    s, wall clock
 * Memory   struct val is the caller's, what it keeps lies in the arena of val_start()
 * Threads  one owner; the cache is shared
 * Errors   ERR_NOMEM; what cannot be fetched or costs too much is INDETERMINATE
 * Source   RFC 4033 to 4035, 5155, 6840, 7646, 8914; SECURITY.md 1A, 1B rows 16 to 22
 *
 * Bottom up where there are signatures: the signer's name says which zone's keys are
 * wanted, its DS RRset's signer which come before those, up to a trust anchor. Names that
 * come from outside only say what to fetch; nothing is believed before its keys are.
 * Without signatures the parents must prove that the zone is not signed. Each status goes
 * into the cache with its RRset. */
#ifndef SINKHOLED_VAL_H
#define SINKHOLED_VAL_H

#include "resolver/resolve.h"
#include "resolver/val_sig.h"

enum {
	VAL_SETS_MAX = 48,  /* DS and DNSKEY sets for one question: 11 links of 4 zones */
	VAL_WANTS_MAX = 3,  /* under way at a time, like servers' addresses */
	VAL_DEPTH_MAX = 20, /* zones above each other; ip6.arpa has 34 labels, few cuts */
	VAL_SLICE = 8,	    /* signature checks, about 1 ms, before others get a turn */
	VAL_HASHES_PER_CHECK = 4, /* as many may take two thirds of a check */
	VAL_BOGUS_TTL_S = 60,	  /* what failed may be mended soon; as Unbound */
	VAL_TEXT_MAX = DNS_NAME_TEXT_MAX + 80,
};

enum val_result {
	VAL_DONE,    /* every set has its status */
	VAL_WAITS,   /* for .want */
	VAL_YIELDS,  /* worked long enough: call again soon */
	VAL_BLOCKED, /* a rule stopped a fetch: .blocked */
	VAL_NO_ROOM, /* the arena is full */
};

/* A DS or DNSKEY set on the way to a trust anchor. */
struct val_set {
	const uint8_t *name;
	uint16_t type;
	/* MISSING: not in the cache, and not needed yet. */
	enum { VAL_MISSING, VAL_WANTED, VAL_ASKED, VAL_HERE, VAL_UNKNOWN } state;
	struct rrset set; /* HERE */
};

struct val {
	struct arena *arena;
	const struct resolve_env *env; /* of this call */
	struct val_set *sets[VAL_SETS_MAX];
	int sets_n, asked_n;
	struct val_work work;
	int32_t slice;
	bool yields, no_room;
	bool fresh; /* what the answer says is bogus, or keys that were not known to be */
	bool known; /* keys were known to be */
	bool again; /* what is known to be does not count */
	struct verdict blocked;
	/* Of the first set that is not secure: why, and its name and type. */
	int16_t ede;
	const char *text;
	const uint8_t *failed;
	uint16_t failed_type;
};

/* One RRset of an answer, and the name it was used for: its own or one below. */
struct val_part {
	struct rrset *set;
	const uint8_t *name;
};

void val_start(struct val *v, struct arena *arena);
/* Judges sets; DONE when each is SECURE or INSECURE, or one is not: their .security says
 * what came out. What several of them wait for is wanted at once. */
enum val_result val_check(struct val *v, const struct resolve_env *env,
			  const struct val_part *parts, int n);
/* What was bogus is wanted anew, from others than who told it. False when that has been
 * tried lately. What was spent is spent, the reason that was found stays. */
bool val_again(struct val *v);
/* The next set to ask for, NULL when there is none; it counts as asked. */
struct val_set *val_want(struct val *v);
/* What came of it; reply is borrowed. It could not even be asked for: NULL. */
void val_take(struct val *v, struct val_set *want, const struct reply *reply);

#endif
