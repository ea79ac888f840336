/* cache_shard.h: one shard of a cache: byte strings by key within a fixed block of
 * memory. Shape    open-addressed index of offsets into two byte rings, small and main
 * (S3-FIFO): what is new enters small; what was read there moves on to main, the rest
 *          falls out and leaves a tag behind; a tag that comes again goes to main
 * Units    sizes in bytes; inside, ring positions in units of 16 bytes
 * Memory   all of it mapped at open, touched as it fills, never more: no fragmentation
 * Threads  one at a time: the owner holds a lock
 * Errors   ERR_NOMEM from open; an entry that is too large is NULL
 * Source   Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023
 *
 * A flood of names asked once passes through small only, an eighth of the memory. */
#ifndef SINKHOLED_CACHE_SHARD_H
#define SINKHOLED_CACHE_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/err.h"

enum {
	CACHE_UNIT = 16,
	CACHE_ENTRY_MAX = 16384, /* header, value and key; lengths are 16-bit numbers */
	CACHE_SHARD_MIN = 65536, /* below, the small ring holds no useful entry */
};

struct cache_entry {
	uint32_t tag;
	uint16_t units; /* whole entry; fillers at the end of a ring have only this */
	uint16_t key_len, value_len;
	uint8_t live; /* the index points here */
	uint8_t reads;
	uint32_t pad;
	uint8_t bytes[]; /* value, then key */
};

struct cache_ring {
	uint8_t *base;
	uint32_t size, head, tail, used; /* units; entries lie from tail to head */
};

struct cache_slot {
	uint32_t tag;
	uint32_t at; /* position + 1: small ring first, then main; 0 = free */
};

struct cache_shard {
	uint8_t *memory;
	size_t memory_len;
	struct cache_slot *slot;
	uint32_t slots; /* power of two */
	uint32_t *ghost;
	uint32_t ghosts; /* power of two */
	struct cache_ring small, main;
	size_t entry_max; /* bytes of the largest entry */
	uint64_t entries, evicted;
};

MUST_CHECK int cache_shard_open(struct cache_shard *s, size_t bytes);
void cache_shard_close(struct cache_shard *s);

/* The entry of that key, or NULL. tag is any 32-bit hash of the key. Valid until the
 * next put. cache_shard_read() counts as a use; cache_shard_find() does not. */
struct cache_entry *cache_shard_find(struct cache_shard *s, uint32_t tag, const void *key,
				     size_t key_len);
static inline void cache_entry_read(struct cache_entry *e)
{
	if (e->reads < 3)
		e->reads++;
}
/* Room for value_len bytes under key, 8-aligned, for the caller to fill; an older entry
 * of that key is gone. NULL when it does not fit a shard of this size. */
void *cache_shard_put(struct cache_shard *s, uint32_t tag, const void *key,
		      size_t key_len, size_t value_len);
void cache_shard_remove(struct cache_shard *s, struct cache_entry *e);
/* Removes each entry that drop() says true to; returns how many. */
typedef bool cache_drop_fn(void *arg, const struct cache_entry *e);
uint64_t cache_shard_sweep(struct cache_shard *s, cache_drop_fn *drop, void *arg);
/* Bytes of tables and of ring space in use. */
uint64_t cache_shard_bytes(const struct cache_shard *s);

static inline const uint8_t *cache_entry_key(const struct cache_entry *e)
{
	return e->bytes + e->value_len;
}

#endif
