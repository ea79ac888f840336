/* hit_words.h: byte strings and their numbers, for what many hits share.
 * Shape    numbered from 0 in the order they came; a hash table finds the number
 * Units    bytes
 * Memory   all in memory, some 30 bytes a word beside its own; pointers live until the
 *          next add
 * Threads  one
 * Errors   ERR_NOMEM */
#ifndef SINKHOLED_HIT_WORDS_H
#define SINKHOLED_HIT_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "include/err.h"
#include "include/hash_fold.h"

/* Half of the hash stands in the slot: a word is looked at only when it is the right one,
 * but for chance. */
struct hit_words_slot {
	uint32_t number1; /* + 1, 0 = free */
	uint32_t hash;
};

struct hit_words {
	uint8_t *bytes;
	size_t len, room; /* of bytes */
	size_t *at;	  /* where each begins; at[n] is the end */
	uint32_t n, at_room;
	struct hit_words_slot *slots;
	size_t slots_n; /* a power of two */
	struct hash_key key;
};

MUST_CHECK int hit_words_init(struct hit_words *w);
void hit_words_fini(struct hit_words *w);
/* The word's number; adds it when it is new. */
MUST_CHECK int hit_words_put(struct hit_words *w, uint32_t *out, const void *word,
			     size_t len);
/* The same in steps, for who has many words to put and would wait for each on its way to
 * the processor: all hashes and all slots first, then all words, then put. */
static inline uint32_t hit_words_hash(const struct hit_words *w, const void *word,
				      size_t len)
{
	return (uint32_t)hash_fold(&w->key, word, len);
}
static inline void hit_words_fetch_slot(const struct hit_words *w, uint32_t hash)
{
	__builtin_prefetch(&w->slots[hash & (w->slots_n - 1)]);
}
void hit_words_fetch_word(const struct hit_words *w, uint32_t hash);
MUST_CHECK int hit_words_put_hashed(struct hit_words *w, uint32_t *out, uint32_t hash,
				    const void *word, size_t len);
/* Adds it unseen, even if it is there: for reading, where nothing is looked for; never
 * together with hit_words_put(). */
MUST_CHECK int hit_words_append(struct hit_words *w, const void *word, size_t len);
/* Forgets all but the first n. */
void hit_words_cut(struct hit_words *w, uint32_t n);

static inline const uint8_t *hit_words_get(const struct hit_words *w, uint32_t number,
					   size_t *len)
{
	*len = w->at[number + 1] - w->at[number];
	return w->bytes + w->at[number];
}

#endif
