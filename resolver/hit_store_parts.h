/* hit_store_parts.h: what the files of hit_store share; nobody else includes it.
 * Shape    hit_store.c opens and makes segments, hit_store_put.c writes rows, sums and
 *          words, hit_store_days.c tables of days, hit_store_get.c reads
 * Errors   LMDB's and the system's numbers become ERR_* in one place */
#ifndef SINKHOLED_HIT_STORE_PARTS_H
#define SINKHOLED_HIT_STORE_PARTS_H

#include <lmdb.h>

#include "include/wire.h"
#include "resolver/hit_store.h"

enum {
	HIT_KEY_LEN = 13, /* tag, run, id; of a ring 11, of the segment itself 1 */
	HIT_SEGMENT_NUMBERS = 13,
	HIT_SEGMENT_LEN = 8 + HIT_SEGMENT_NUMBERS * 8,
	HIT_POSITION_LEN = 5 * 8 + HIT_NODE_MAX,
};

/* Words in memory, and how far they are stored. */
struct hit_stored_words {
	struct hit_words all;
	uint32_t stored;
	uint64_t page; /* first word of the last page, which has room for more */
};

struct hit_store_ring {
	struct hit_ring_rows stored, next;
	bool changed; /* by the open transaction */
};

struct hit_store {
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *txn;			  /* the open write transaction */
	MDB_txn *look;			  /* a reader's, reset between calls */
	struct hit_segment segment, next; /* committed; being written */
	uint64_t map_bytes;
	bool lengthened, writes, ready;
	struct hit_stored_words rules, ways;
	uint32_t way; /* of the last row */
	struct hit_rows_words words;
	struct hit_page *rules_page; /* of the last rule that was looked up */
	unsigned looked_up;
	/* writing */
	struct hit_rows *rows, *rows_stored; /* the last page, now and as committed */
	struct hit_sums sums;		     /* of rows from segment.sums_row on */
	struct hit_sums_row *added;	     /* rows of the open transaction */
	uint32_t added_n;
	bool run_written; /* in the open transaction */
	struct hit_store_ring *rings;
	int rings_n, rings_room, ring; /* ring: of the last row */
};

/* 0 or ERR_*; sets errno. */
int hit_store_error(int rc);

static inline uint64_t hit_get64(const uint8_t *p)
{
	return (uint64_t)wire_get32(p) << 32 | wire_get32(p + 4);
}

static inline void hit_put64(uint8_t *p, uint64_t v)
{
	wire_set32(p, (uint32_t)(v >> 32));
	wire_set32(p + 4, (uint32_t)v);
}

static inline MDB_val hit_store_val(void *p, size_t n)
{
	return (MDB_val){.mv_size = n, .mv_data = p};
}

static inline MDB_val hit_store_key(uint8_t key[HIT_KEY_LEN], enum hit_tag tag,
				    uint32_t run, uint64_t id)
{
	key[0] = (uint8_t)tag;
	wire_set32(key + 1, run);
	hit_put64(key + 5, id);
	return hit_store_val(key, HIT_KEY_LEN);
}

static inline MDB_val hit_store_ring_key(uint8_t key[HIT_KEY_LEN], uint64_t boot,
					 uint16_t worker)
{
	key[0] = 'p';
	hit_put64(key + 1, boot);
	wire_set16(key + 9, worker);
	return hit_store_val(key, 11);
}

/* What stands in front of a page. */
uint32_t hit_store_check(const uint8_t *page, size_t len, const uint8_t key[HIT_KEY_LEN]);
MUST_CHECK int hit_store_begin_read(struct hit_store *s, MDB_txn **out);
MUST_CHECK int hit_store_get_segment(MDB_txn *txn, MDB_dbi dbi, struct hit_segment *out);
MUST_CHECK int hit_store_put_segment(struct hit_store *s);
/* The page's check is filled in. */
MUST_CHECK int hit_store_put_page(struct hit_store *s, enum hit_tag tag, uint32_t run,
				  uint64_t id, uint8_t *page, size_t len);
/* Tables of the first runs that have none, HIT_STORE_DAY_RUNS at most. */
MUST_CHECK int hit_store_put_days(struct hit_store *s);
/* The rule of that number, or NULL. */
const uint8_t *hit_store_rule(void *store, uint32_t number, size_t *len);
/* Makes what writing needs, and collects anew what has no sums yet. */
MUST_CHECK int hit_store_ready(struct hit_store *s);
void hit_store_unready(struct hit_store *s);

#endif
