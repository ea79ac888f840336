/* hash.h: SipHash-1-3, for hash tables that strangers fill and for the store's digest.
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

static inline uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t v[4] = {
		key->k[0] ^ 0x736f6d6570736575ULL,
		key->k[1] ^ 0x646f72616e646f6dULL,
		key->k[0] ^ 0x6c7967656e657261ULL,
		key->k[1] ^ 0x7465646279746573ULL,
	};
	uint64_t last = (uint64_t)n << 56;
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t m;
		memcpy(&m, p, 8);
		m = le64toh(m);
		v[3] ^= m;
		hash_round(v);
		v[0] ^= m;
	}
	for (size_t i = 0; i < n; i++)
		last |= (uint64_t)p[i] << (8 * i);
	v[3] ^= last;
	hash_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		hash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
