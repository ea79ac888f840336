/* hit_hash.h: a hash of a few instructions for 16 bytes: for tables with a key of chance,
 * and to find damage. It is no proof against who knows the key.
 * Shape    any bytes and a key in, 64 bits out, the same on every machine
 * Threads  any; pure functions
 * Source   the folded product is that of wyhash (Wang Yi) */
#ifndef SINKHOLED_HIT_HASH_H
#define SINKHOLED_HIT_HASH_H

#include "include/hash.h"

/* Digits of pi, so that words of zeros make no product of zero. */
#define HIT_HASH_1 0x243f6a8885a308d3ULL
#define HIT_HASH_2 0x13198a2e03707345ULL

static inline uint64_t hit_hash_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hit_hash_two(const struct hash_key *key, uint64_t a, uint64_t b)
{
	return hit_hash_mix(a ^ key->k[0] ^ HIT_HASH_1, b ^ key->k[1] ^ HIT_HASH_2);
}

static inline uint64_t hit_hash_load(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof v);
	return le64toh(v);
}

/* Up to 8 bytes. */
static inline uint64_t hit_hash_load_few(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

static inline uint64_t hit_hash(const struct hash_key *key, const void *data, size_t n)
{
	const uint8_t *p = data, *end = p + n;
	uint64_t k = key->k[1] ^ HIT_HASH_2;
	uint64_t h = key->k[0] ^ HIT_HASH_1 ^ n, other = ~h; /* does not wait for h */
	for (; end - p > 32; p += 32) {
		h = hit_hash_mix(hit_hash_load(p) ^ k, hit_hash_load(p + 8) ^ h);
		other = hit_hash_mix(hit_hash_load(p + 16) ^ k,
				     hit_hash_load(p + 24) ^ other);
	}
	if (end - p > 16)
		h = hit_hash_mix(hit_hash_load(p) ^ k, hit_hash_load(p + 8) ^ h);
	if (n >= 16) /* the last ones, some of them perhaps for the second time */
		h = hit_hash_mix(hit_hash_load(end - 16) ^ k, hit_hash_load(end - 8) ^ h);
	else if (n > 8)
		h = hit_hash_mix(hit_hash_load(p) ^ k,
				 hit_hash_load_few(p + 8, n - 8) ^ h);
	else
		h = hit_hash_mix(hit_hash_load_few(p, n) ^ k, h);
	return hit_hash_mix(h ^ k, other);
}

#endif
