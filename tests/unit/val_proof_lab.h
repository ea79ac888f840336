/* val_proof_lab.h: NSEC and NSEC3 sets for the tests of denial, as a reply holds them. */
#ifndef SINKHOLED_TEST_VAL_PROOF_LAB_H
#define SINKHOLED_TEST_VAL_PROOF_LAB_H

#include <stdio.h>

#include "include/wire.h"
#include "resolver/val_proof.h"
#include "tests/unit/unit.h"

enum { SETS = 40, TYPES = 65536 };

struct sets {
	int n;
	struct rrset set[SETS];
	const struct rrset *at[SETS];
	uint8_t owner[SETS][DNS_NAME_MAX];
	uint8_t data[SETS][1200];
};

/* Parameters of an NSEC3 and what may be wrong with a record. */
struct shape {
	unsigned alg, flags, iterations, salt_len, next_len, records;
	unsigned claim;	 /* iterations that the record names, other than hashed with */
	const char *map; /* hex */
	uint8_t salt[UINT8_MAX];
	uint8_t zone[DNS_NAME_MAX];
};

static const struct shape plain = {.alg = 1, .next_len = 20, .records = 1};

static inline void name_put(uint8_t out[DNS_NAME_MAX], const char *text)
{
	ck_assert_msg(name_from_str(out, text) == ERR_OK, "%s", text);
}

static inline size_t put_map(uint8_t *out, const bool *types)
{
	size_t n = 0;
	for (int window = 0; window < 256; window++) {
		uint8_t bits[32] = {0}, len = 0;
		for (int i = 0; i < 256; i++)
			if (types[window * 256 + i]) {
				bits[i / 8] |= (uint8_t)(0x80 >> i % 8);
				len = (uint8_t)(i / 8 + 1);
			}
		if (!len)
			continue;
		out[n++] = (uint8_t)window;
		out[n++] = len;
		memcpy(out + n, bits, len);
		n += len;
	}
	return n;
}

static inline size_t put_hex(uint8_t *out, const char *hex)
{
	size_t n = 0;
	for (unsigned v; sscanf(hex, "%2x", &v) == 1; hex += 2)
		out[n++] = (uint8_t)v;
	return n;
}

static inline void hash_label(uint8_t out[33], const uint8_t hash[20])
{
	*out++ = 32;
	for (int i = 0; i < 32; i++) {
		unsigned v = 0;
		for (int bit = i * 5; bit < i * 5 + 5; bit++)
			v = v << 1 | (hash[bit / 8] >> (7 - bit % 8) & 1);
		*out++ = (uint8_t) "0123456789abcdefghijklmnopqrstuv"[v];
	}
}

/* The record that begins with that much RDATA, then has the types. */
static inline void add(struct sets *s, uint16_t type, const uint8_t *owner,
		       const uint8_t *head, size_t len, const bool *types,
		       const struct shape *shape)
{
	ck_assert_int_lt(s->n, SETS);
	uint8_t *data = s->data[s->n];
	memcpy(data + 2, head, len);
	len += shape->map ? put_hex(data + 2 + len, shape->map)
			  : put_map(data + 2 + len, types);
	wire_set16(data, (unsigned)len);
	len += 2;
	if (shape->records == 2) {
		memcpy(data + len, data, len);
		len *= 2;
	}
	name_copy(s->owner[s->n], owner);
	s->set[s->n] = (struct rrset){.owner = s->owner[s->n],
				      .type = type,
				      .rr_n = (uint16_t)shape->records,
				      .data = data,
				      .data_len = (uint32_t)len,
				      .security = SECURITY_SECURE};
	s->at[s->n] = &s->set[s->n];
	s->n++;
}

static inline void add_nsec3(struct sets *s, const uint8_t hash[20],
			     const uint8_t next[20], const bool *types,
			     const struct shape *shape)
{
	uint8_t owner[DNS_NAME_MAX], head[600];
	struct wire_writer w = wire_writer(head, sizeof head);
	hash_label(owner, hash);
	memcpy(owner + 33, shape->zone, name_len(shape->zone));
	wire_put8(&w, shape->alg);
	wire_put8(&w, shape->flags);
	wire_put16(&w, shape->claim ? shape->claim : shape->iterations);
	wire_put8(&w, shape->salt_len);
	wire_put(&w, shape->salt, shape->salt_len);
	wire_put8(&w, shape->next_len);
	wire_put(&w, next, 20);
	if (shape->next_len > 20)
		wire_put(&w, next, shape->next_len - 20);
	add(s, DNS_NSEC3, owner, head,
	    wire_written(&w) - (shape->next_len < 20 ? 20 - shape->next_len : 0), types,
	    shape);
}

static inline void hash_of(uint8_t out[20], const uint8_t *name,
			   const struct shape *shape)
{
	struct val_work work = {.hashes = 1 << 20};
	ck_assert(proof_hash(out, name, shape->iterations, shape->salt,
			     (uint8_t)shape->salt_len, &work));
}

#endif
