/* hit_format.h: what is in a segment of the hit log, byte for byte.
 * Shape    one LMDB tree of pages; below
 * Units    as said; integers big-endian, "varint" 7 bits a byte, lowest first, the top
 *          bit says that more follow, "signed" a varint of zigzag
 * Source   DESIGN.md "The hit log"
 *
 * Key      tag 1, run 4, id 8 (but "m" and "p"). A value is a page: check 4, then a body,
 *          together at most HIT_PAGE_MAX bytes: exactly one page of the file. The check
 *          is bound to its key; it covers the body, of "r" only the header.
 *   m                 magic 8, the numbers of struct hit_segment
 *   p boot 8 worker 2 a ring: drain position 8, no_room 8, first and last sequence here
 *                     8 8, records here 8, node 64
 *   n o  id: a word   words: length (varint) and bytes, numbered from id on. n: rules
 *                     (hit_record.h), o: ways (the same)
 *   r    id: a row    hits in the order of their commits, numbered from id on; numbers go
 *                     on from segment to segment. Of two segments that hold the same row
 *                     (a commit that failed after all was written) the later one is right
 *     header          rows 2, least and greatest time 8 8, time and generation before
 *                     the first row 8 8
 *     row             length of what follows (varint); flags 1; rule, way (varints); time
 *                     since the row before (signed, us); client 4 or 16, its port 2;
 *                     then by flags: proxy's port 2; count (varint); sequence since that
 *                     ring's row before in this page, 0 if none (signed), else 1;
 *                     generation since the row before (signed), else 0; the question:
 *                     labels before the matched name, or a whole name, to the end - 4;
 *                     check 4 of the whole hit, as hit_pack() packs it, with its row
 *                     and count
 *
 * A run is the sums of some 260,000 rows, written at once in the transaction of later
 * rows; rows behind the last run have no sums yet. Hours are since 1970; a run's base is
 * its first hour. A sum is (rule, client, hour): IPv6 clients by /56, see
 * hit_client_id(). A client in x is told since the sum before, within head and page.
 *   a    run, 0       first row 8, row behind the last 8, base 4, last hour 4, sums 4,
 *                     hits 8
 *   t    run, number  hours: since the one before (varint; first since base), hits, sums
 *   w    id: a rule   heads by rule, and
 *   c    id: a client heads by client: id since the one before in this page (varint;
 *                     first since 0), hits, sums, first second since base, seconds to the
 *                     last, page of its sums since the head before's (first since 0):
 *                     varints; offset there 2
 *   x    run, number  sums by rule: client, hour since base, hits, row since the run's
 *                     first; when hits > 1 rows to the last one: varints
 *   d    run, number  sums by client: rule, the same, first time in its hour (ms), when
 *                     hits > 1 ms to the last: varints; port of the first 2
 *
 * A table is all that some runs, one after the other, know of a day; "run" is its number.
 * Every day of these runs has one, or none has. Seconds are since the day began.
 *   u    table, 0      day since 1970 4, first run 4, run behind the last 4, hits 8
 *   y    id: a client  clients: id since the one before in this page (varint; first since
 *                      0), hits (varint); when hits is 1 its second 3; else a bit for
 *                      each hour with hits 3; seconds in the first and in the last of
 *                      these hours, 12 bits each; hits of each of them but the last:
 *                      varints
 *   v    id: a rule    heads by rule, as w
 *   z    table, number clients of a rule: id since the one before, within head and page,
 *                      and hits: varints */
#ifndef SINKHOLED_HIT_FORMAT_H
#define SINKHOLED_HIT_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "include/hit.h"

#define HIT_FORMAT_MAGIC "SHHITS\0\4" /* the last byte is the version */

enum {
	HIT_PAGE_MAX = 4080, /* LMDB keeps 16 bytes of its 4,096 */
	HIT_PAGE_HEAD = 4,   /* the check */
	HIT_HOUR_S = 3600,
	HIT_HOUR_MS = 3600000,
	HIT_VARINT_MAX = 10,
};

enum hit_tag {
	HIT_TAG_RULES = 'n',
	HIT_TAG_WAYS = 'o',
	HIT_TAG_ROWS = 'r',
	HIT_TAG_RUN = 'a',
	HIT_TAG_HOURS = 't',
	HIT_TAG_RULE_HEADS = 'w',
	HIT_TAG_CLIENT_HEADS = 'c',
	HIT_TAG_RULE_SUMS = 'x',
	HIT_TAG_CLIENT_SUMS = 'd',
	HIT_TAG_DAY = 'u',
	HIT_TAG_DAY_CLIENTS = 'y',
	HIT_TAG_DAY_RULES = 'v',
	HIT_TAG_DAY_PAIRS = 'z',
};

static inline uint8_t *hit_put_varint(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

/* The byte behind it, or NULL: cut off or too long. p may be NULL. */
static inline const uint8_t *hit_get_varint(const uint8_t *p, const uint8_t *end,
					    uint64_t *v)
{
	*v = 0;
	for (unsigned shift = 0; p && p < end && shift < 64; shift += 7) {
		*v |= (uint64_t)(*p & 0x7f) << shift;
		if (!(*p++ & 0x80))
			return p;
	}
	return NULL;
}

static inline uint64_t hit_zigzag(uint64_t difference)
{
	return difference << 1 ^ (0 - (difference >> 63));
}

static inline uint64_t hit_unzigzag(uint64_t v)
{
	return v >> 1 ^ (0 - (v & 1));
}

/* A client as a number; they sort by family and address. IPv6 by its first 56 bits: what
 * a subscriber has, who changes the rest at will. */
static inline uint64_t hit_client_id(const struct addr *a)
{
	uint64_t v = 0;
	for (int i = 0; i < (a->family == 4 ? 4 : 7); i++)
		v = v << 8 | a->bytes[i];
	return a->family == 4 ? v : 1ULL << 56 | v;
}

static inline struct prefix hit_client_prefix(uint64_t id)
{
	struct prefix p = {.addr.family = id >> 56 ? 6 : 4, .bits = id >> 56 ? 56 : 32};
	int n = p.bits / 8;
	for (int i = 0; i < n; i++)
		p.addr.bytes[i] = (uint8_t)(id >> 8 * (n - 1 - i));
	return p;
}

#endif
