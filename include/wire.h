/* wire.h: reading and writing numbers, names and records in DNS messages.
 * Shape    a cursor over the caller's bytes; the first error stays inside it, so
 *          ten reads need one check
 * Units    integers in host order on this side
 * Memory   the caller's; readers hand out pointers into the message
 * Errors   ERR_RANGE past the end, ERR_FORMAT for a bad name, ERR_REFUSED for names
 *          that cost too much together; after an error reads give 0 or NULL and
 *          writes do nothing
 * Source   RFC 1035 4.1, RFC 9267 (what goes wrong with compression) */
#ifndef SINKHOLED_WIRE_H
#define SINKHOLED_WIRE_H

#include "include/name.h"

enum {
	WIRE_HOPS_MAX = 16, /* pointers in one name; real messages need 3 */
	/* What all names read through one reader may cost together, so that a message
	 * full of pointers to long names stays O(bytes): a label costs 1, a pointer 4.
	 * Records of 34 labels (IPv6 reverse names) need 2.2 a byte; 8 would be 127
	 * labels in each of the smallest address records. */
	WIRE_WORK_PER_BYTE = 4,
	WIRE_WORK_BASE = 4096, /* room for 127-label names in messages up to 1,232 */
	WIRE_HOP_COST = 4,     /* so pointers in all are about one per byte at most */
};

struct wire_reader {
	const uint8_t *base, *at, *end;
	size_t work; /* left for names */
	int err;
};

static inline struct wire_reader wire_reader(const uint8_t *data, size_t len)
{
	return (struct wire_reader){.base = data,
				    .at = data,
				    .end = data + len,
				    .work = len * WIRE_WORK_PER_BYTE + WIRE_WORK_BASE};
}

static inline size_t wire_left(const struct wire_reader *r)
{
	return (size_t)(r->end - r->at);
}

/* n bytes in place, or NULL. */
static inline const uint8_t *wire_take(struct wire_reader *r, size_t n)
{
	if (r->err || n > wire_left(r)) {
		r->err = r->err ? r->err : ERR_RANGE;
		return NULL;
	}
	r->at += n;
	return r->at - n;
}

static inline uint8_t wire_u8(struct wire_reader *r)
{
	const uint8_t *p = wire_take(r, 1);
	return p ? *p : 0;
}

static inline uint16_t wire_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t wire_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint16_t wire_u16(struct wire_reader *r)
{
	const uint8_t *p = wire_take(r, 2);
	return p ? wire_get16(p) : 0;
}

static inline uint32_t wire_u32(struct wire_reader *r)
{
	const uint8_t *p = wire_take(r, 4);
	return p ? wire_get32(p) : 0;
}

/* Takes cost off the reader's work; false when that was too much. */
static inline bool wire_work(struct wire_reader *r, size_t cost)
{
	if (cost > r->work)
		r->err = ERR_REFUSED;
	else
		r->work -= cost;
	return !r->err;
}

/* Expands a possibly compressed name into out, case kept, or with out NULL checks it
 * only; returns its length expanded, 0 on error. Pointers must go strictly backward and
 * stay behind the header. */
static inline size_t wire_name(struct wire_reader *r, uint8_t *out)
{
	const uint8_t *p = r->at, *limit = r->at; /* pointers must land before limit */
	const uint8_t *after = NULL;
	size_t n = 0;
	int hops = 0;
	while (!r->err) {
		if (p >= r->end)
			goto bad;
		uint8_t len = *p;
		if ((len & 0xc0) == 0xc0) {
			if (r->end - p < 2 || ++hops > WIRE_HOPS_MAX)
				goto bad;
			size_t to = wire_get16(p) & 0x3fff;
			if (to >= (size_t)(limit - r->base) || to < DNS_HEADER_LEN)
				goto bad;
			if (!wire_work(r, WIRE_HOP_COST))
				return 0;
			after = after ? after : p + 2;
			p = limit = r->base + to;
			continue;
		}
		if (len > DNS_LABEL_MAX || r->end - p <= len ||
		    n + len + 1U > DNS_NAME_MAX)
			goto bad;
		if (!wire_work(r, 1))
			return 0;
		if (out)
			memcpy(out + n, p, len + 1U);
		n += len + 1U;
		p += len + 1U;
		if (len == 0) {
			r->at = after ? after : p;
			return n;
		}
	}
	return 0;
bad:
	r->err = ERR_FORMAT;
	return 0;
}

struct wire_writer {
	uint8_t *base, *at, *end;
	int err;
};

static inline struct wire_writer wire_writer(uint8_t *data, size_t len)
{
	return (struct wire_writer){.base = data, .at = data, .end = data + len};
}

static inline size_t wire_written(const struct wire_writer *w)
{
	return (size_t)(w->at - w->base);
}

/* Room for n bytes that the caller fills, or NULL. */
static inline uint8_t *wire_room(struct wire_writer *w, size_t n)
{
	if (w->err || n > (size_t)(w->end - w->at)) {
		w->err = w->err ? w->err : ERR_RANGE;
		return NULL;
	}
	w->at += n;
	return w->at - n;
}

static inline void wire_put(struct wire_writer *w, const void *data, size_t n)
{
	uint8_t *p = wire_room(w, n);
	if (p && n)
		memcpy(p, data, n);
}

static inline void wire_set16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void wire_set32(uint8_t *p, uint32_t v)
{
	wire_set16(p, v >> 16);
	wire_set16(p + 2, v & 0xffff);
}

static inline void wire_put8(struct wire_writer *w, unsigned v)
{
	uint8_t *p = wire_room(w, 1);
	if (p)
		*p = (uint8_t)v;
}

static inline void wire_put16(struct wire_writer *w, unsigned v)
{
	uint8_t *p = wire_room(w, 2);
	if (p)
		wire_set16(p, v);
}

static inline void wire_put32(struct wire_writer *w, uint32_t v)
{
	uint8_t *p = wire_room(w, 4);
	if (p)
		wire_set32(p, v);
}

/* Uncompressed. */
static inline void wire_put_name(struct wire_writer *w, const uint8_t *name)
{
	wire_put(w, name, name_len(name));
}

static inline void wire_put_header(struct wire_writer *w, uint16_t id, unsigned flags,
				   const uint16_t counts[4])
{
	wire_put16(w, id);
	wire_put16(w, flags);
	for (int i = 0; i < 4; i++)
		wire_put16(w, counts[i]);
}

#endif
