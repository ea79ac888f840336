/* anchor_track.h: trust anchors that follow their zones' new keys, RFC 5011.
 * Shape    given anchors and validated key sets in; the anchors in force out; no clock,
 *          socket or file
 * Units    s; wall clock where it says now
 * Memory   track_fini() frees what the struct holds
 * Threads  one
 * Errors   ERR_NOMEM, ERR_FORMAT
 * Source   RFC 5011 2 to 4; 8145 signalling is left out
 *
 * A key is known by its DS record of SHA-256. Given DS records of other digests are used
 * and not followed; they fall with a revoked key of their tag and algorithm.
 *
 *   NEW      seen, and to be seen in every valid set for HOLD_S: one set without it, and
 *            it begins anew
 *   VALID    vouches
 *   MISSING  vouches, but the zone does not have it now
 *   REVOKED  the zone took it back; for HOLD_S, then
 *   REMOVED  kept only where it was given, so that it does not come back at a restart
 *
 * Time counts for a new key only between two sets that are no more than two intervals
 * apart: a clock that jumps, or a month switched off, makes no key older. What is taken
 * out of the given anchors makes its zone begin anew from what is given.
 *
 * The text. "sinkholed anchors 1", then for each zone
 *   zone ZONE SEEN NEXT INTERVAL RETRY
 *   key TAG ALGORITHM DIGEST-TYPE DIGEST STATE given|found SINCE HELD   for each */
#ifndef SINKHOLED_ANCHOR_TRACK_H
#define SINKHOLED_ANCHOR_TRACK_H

#include "resolver/val_sig.h"
#include "zones/anchor_file.h"

enum {
	TRACK_HOLD_S = 30 * 86400, /* RFC 5011 2.4.1, 2.4.2 */
	TRACK_INTERVAL_MIN_S = 3600,
	TRACK_INTERVAL_MAX_S = 15 * 86400,
	TRACK_RETRY_MAX_S = 86400,
	TRACK_KEYS_MAX = 16, /* of a zone; RFC 5011 6 wants no more than a few */
	TRACK_TEXT_MAX = 1 << 20,
};

enum track_state {
	TRACK_NEW,
	TRACK_VALID,
	TRACK_MISSING,
	TRACK_REVOKED,
	TRACK_REMOVED,
	TRACK_STATES
};
const char *track_state_text(enum track_state s);

struct track_key {
	uint8_t ds[VAL_DS_LEN];
	uint8_t state;
	bool given;
	uint32_t since_s; /* when it came into its state; 0 = from the beginning */
	uint32_t held_s;  /* NEW: time that counts */
};

struct track_zone {
	uint8_t zone[DNS_NAME_MAX]; /* lower case */
	struct track_key key[TRACK_KEYS_MAX];
	int key_n;
	uint32_t seen_s;	      /* the last valid set; 0 = none yet */
	uint32_t next_s;	      /* when to ask */
	uint32_t interval_s, retry_s; /* 0 = not known yet */
};

struct track {
	struct track_zone *zone;
	int n;
	struct anchor_records given;
};

/* What a valid DNSKEY RRset shows: its keys that are secure entry points. */
struct track_seen {
	struct {
		uint8_t ds[VAL_DS_LEN]; /* of the key without its REVOKE flag */
		bool revoked;		/* it says so itself, with its own signature */
	} key[TRACK_KEYS_MAX];
	int key_n;
	uint32_t ttl_s;	 /* original */
	uint32_t life_s; /* until its first signature expires */
};

/* What a DNSKEY RRset shows that the validator found secure. */
void track_read(struct track_seen *out, const struct rrset *keys, uint32_t now_s);

/* The given anchors from here on, copied. */
MUST_CHECK int track_give(struct track *t, const struct anchor_records *given);
void track_fini(struct track *t);

/* A valid set of that zone. True when another key is in a state than before. */
bool track_take(struct track *t, const uint8_t *zone, const struct track_seen *seen,
		uint32_t now_s);
/* A zone that is to be asked for its keys now, or NULL; it is not told again before its
 * retry interval is over. */
const uint8_t *track_due(struct track *t, uint32_t now_s);

/* Adds the anchors in force. */
MUST_CHECK int track_records(const struct track *t, struct anchor_records *out);

/* Returns the length of the text. */
size_t track_print(char out[TRACK_TEXT_MAX], const struct track *t);
/* Into an empty struct, before track_give(). On failure *line is the bad one. */
MUST_CHECK int track_parse(struct track *t, const char *text, size_t len, int *line);

#endif
