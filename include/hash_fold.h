/* hash_fold.h: a hash of a few instructions for 16 bytes: for tables with a key of
 * chance, and to find damage. It is no proof against who knows the key.
 *
 * Shape    any bytes and a key in, 64 bits out, the same on every machine
 * Threads  any; pure functions
 * Source   the folded product is that of wyhash (Wang Yi)
 */
#ifndef SINKHOLED_HASH_FOLD_H
#define SINKHOLED_HASH_FOLD_H

#include "include/hash.h"

/* Digits of pi, so that words of zeros make no product of zero. */
#define HASH_FOLD_1 0x243f6a8885a308d3ULL
#define HASH_FOLD_2 0x13198a2e03707345ULL

static inline uint64_t hash_fold_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_fold_two(const struct hash_key *key, uint64_t a, uint64_t b)
{
	return hash_fold_mix(a ^ key->k[0] ^ HASH_FOLD_1, b ^ key->k[1] ^ HASH_FOLD_2);
}

/* Up to 8 bytes. */
static inline uint64_t hash_fold_load_few(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

static inline uint64_t hash_fold(const struct hash_key *key, const void *data, size_t n)
{
	const uint8_t *p = data, *end = p + n;
	uint64_t k = key->k[1] ^ HASH_FOLD_2;
	uint64_t h = key->k[0] ^ HASH_FOLD_1 ^ n, other = ~h; /* does not wait for h */
	for (; end - p > 32; p += 32) {
		h = hash_fold_mix(hash_word(p) ^ k, hash_word(p + 8) ^ h);
		other = hash_fold_mix(hash_word(p + 16) ^ k, hash_word(p + 24) ^ other);
	}
	if (end - p > 16)
		h = hash_fold_mix(hash_word(p) ^ k, hash_word(p + 8) ^ h);
	if (n >= 16) /* the last ones, some of them perhaps for the second time */
		h = hash_fold_mix(hash_word(end - 16) ^ k, hash_word(end - 8) ^ h);
	else if (n > 8)
		h = hash_fold_mix(hash_word(p) ^ k, hash_fold_load_few(p + 8, n - 8) ^ h);
	else
		h = hash_fold_mix(hash_fold_load_few(p, n) ^ k, h);
	return hash_fold_mix(h ^ k, other);
}

#endif
