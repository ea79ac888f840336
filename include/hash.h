/* hash.h: SipHash-1-3, for hash tables that strangers fill.
 * Shape    16-byte key, any bytes in, 64 bits out
 * Threads  any; pure functions
 * Source   Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012 */
#ifndef SINKHOLED_HASH_H
#define SINKHOLED_HASH_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct hash_key {
	uint64_t k[2];
};

static inline uint64_t hash_rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static inline void hash_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = hash_rotl(v[1], 13) ^ v[0];
	v[0] = hash_rotl(v[0], 32);
	v[2] += v[3];
	v[3] = hash_rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = hash_rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = hash_rotl(v[1], 17) ^ v[2];
	v[2] = hash_rotl(v[2], 32);
}

static inline void hash_start(uint64_t v[4], const struct hash_key *key)
{
	v[0] = key->k[0] ^ 0x736f6d6570736575ULL;
	v[1] = key->k[1] ^ 0x646f72616e646f6dULL;
	v[2] = key->k[0] ^ 0x6c7967656e657261ULL;
	v[3] = key->k[1] ^ 0x7465646279746573ULL;
}

static inline void hash_take(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	hash_round(v);
	v[0] ^= m;
}

static inline uint64_t hash_end(uint64_t v[4])
{
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		hash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static inline uint64_t hash_word(const uint8_t *p)
{
	uint64_t m;
	memcpy(&m, p, sizeof m);
	return le64toh(m);
}

/* What the whole words have left of n bytes at data, and the length's low byte. */
static inline uint64_t hash_rest(const uint8_t *data, size_t n)
{
	size_t left = n % 8;
	uint64_t m = (uint64_t)n << 56;
	if (left && n >= 8) /* the last eight bytes, without those that had their turn */
		return m | hash_word(data + n - 8) >> (64 - 8 * left);
	for (size_t i = 0; i < left; i++)
		m |= (uint64_t)data[n - left + i] << (8 * i);
	return m;
}

static inline uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t v[4];
	hash_start(v, key);
	for (size_t i = 0; i + 8 <= n; i += 8)
		hash_take(v, hash_word(p + i));
	hash_take(v, hash_rest(p, n));
	return hash_end(v);
}

#endif
