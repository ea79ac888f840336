/* answer_cache.c: a log and a set-associative index.
 *
 * The log is a ring of bytes. pos counts bytes ever written and only grows; an entry at
 * pos stands at pos % size and lives while head - pos <= size. No entry crosses the
 * ring's end: what is left there is skipped. The index has sets of SET_WAYS slots, one
 * cache line each; a slot whose entry has been overwritten is free. So nothing is ever
 * removed, and memory is exactly what was taken at open. */
#include "resolver/answer_cache.h"

#include <sys/random.h>

#include "include/hash.h"

enum {
	SET_WAYS = 4,
	ALIGN = 8,
	BYTES_PER_SLOT = 128, /* of log: about half of a small answer's entry */
	CACHE_LINE = 64,
	DUE_PART = 10, /* of its life; as Unbound's prefetch */
	LOG_MIN = 16 * ANSWER_CACHE_ENTRY_MAX,
};

struct slot {
	uint64_t pos; /* +1, 0 = never used */
	uint32_t tag;
	uint32_t pad;
};

struct entry {
	struct answer_memory memory;
	uint32_t stored, expires;
	uint16_t qtype, len, ttl_n, name_len, variant;
	int16_t ede;
	bool told_due, secure;
	uint8_t pad[2];
	/* then: uint16_t ttl_at[ttl_n]; the wire, whose question holds the name */
};

struct answer_cache {
	struct slot *slot;
	uint8_t *log;
	uint64_t head, size;
	size_t sets; /* a power of two */
	struct hash_key key;
};

int answer_cache_open(struct answer_cache **out, size_t bytes)
{
	struct answer_cache *c = calloc(1, sizeof *c);
	size_t sets = 1, log = 0;
	if (!c)
		return ERR_NOMEM;
	while (sets * 2 * SET_WAYS * (sizeof(struct slot) + BYTES_PER_SLOT) <= bytes)
		sets *= 2;
	if (bytes > sets * SET_WAYS * sizeof(struct slot))
		log = (bytes - sets * SET_WAYS * sizeof(struct slot)) / ALIGN * ALIGN;
	c->sets = sets;
	c->size = log > LOG_MIN ? log : LOG_MIN;
	c->log = malloc(c->size);
	c->slot = aligned_alloc(CACHE_LINE, sets * SET_WAYS * sizeof(struct slot));
	if (!c->log || !c->slot ||
	    getrandom(&c->key, sizeof c->key, 0) != sizeof c->key) {
		answer_cache_close(c);
		return ERR_NOMEM;
	}
	answer_cache_flush(c);
	*out = c;
	return ERR_OK;
}

void answer_cache_close(struct answer_cache *c)
{
	if (!c)
		return;
	free(c->log);
	free(c->slot);
	free(c);
}

void answer_cache_flush(struct answer_cache *c)
{
	memset(c->slot, 0, c->sets * SET_WAYS * sizeof *c->slot);
	c->head = 0;
}

/* Of the answers to one question: whose policy, and in which form. */
static uint16_t variant_of(uint8_t class, struct answer_form form)
{
	return (uint16_t)(class << 2 | form.one << 1 | form.dnssec);
}

static uint64_t hash(const struct answer_cache *c, const uint8_t *qname, size_t len,
		     unsigned qtype, unsigned variant)
{
	uint64_t h = hash_bytes(&c->key, qname, len);
	return h ^ (qtype * 0x9e3779b97f4a7c15ULL) ^ ((uint64_t)variant << 48);
}

static struct slot *set_of(const struct answer_cache *c, uint64_t h)
{
	return c->slot + (h & (c->sets - 1)) * SET_WAYS;
}

/* The entry of a slot, or NULL when it has been overwritten. */
static struct entry *live(const struct answer_cache *c, const struct slot *s)
{
	if (!s->pos || c->head - (s->pos - 1) > c->size)
		return NULL;
	return (struct entry *)(void *)(c->log + (s->pos - 1) % c->size);
}

static const uint16_t *ttls(const struct entry *e)
{
	return (const uint16_t *)(const void *)(e + 1);
}

static const uint8_t *wire(const struct entry *e)
{
	return (const uint8_t *)(ttls(e) + e->ttl_n);
}

static bool matches(const struct entry *e, const uint8_t *qname, size_t len,
		    unsigned qtype, unsigned variant)
{
	return e->qtype == qtype && e->variant == variant && e->name_len == len &&
	       memcmp(wire(e) + DNS_HEADER_LEN, qname, len) == 0;
}

static struct answer_age age_of(struct entry *e, uint32_t now_s)
{
	struct answer_age a = {.age_s = now_s - e->stored, .left_s = e->expires - now_s};
	a.due = !e->told_due && a.left_s <= (e->expires - e->stored) / DUE_PART;
	e->told_due |= a.due;
	return a;
}

bool answer_cache_get(struct answer_cache *c, struct answer_body *out,
		      struct answer_age *age, const uint8_t *qname, size_t qname_len,
		      uint16_t qtype, uint8_t class, struct answer_form form,
		      const struct policy *p)
{
	uint16_t variant = variant_of(class, form);
	uint64_t h = hash(c, qname, qname_len, qtype, variant);
	struct slot *s = set_of(c, h);
	const struct blocklist_stamp stamp = policy_stamp(p, class);
	for (int i = 0; i < SET_WAYS; i++) {
		struct entry *e = live(c, &s[i]);
		if (!e || s[i].tag != h >> 32 ||
		    !matches(e, qname, qname_len, qtype, variant))
			continue;
		/* A clock set back makes stored > now: not to be trusted either. */
		if (p->now_s >= e->expires || p->now_s < e->stored ||
		    e->memory.stamp.epoch != stamp.epoch ||
		    e->memory.stamp.generation != stamp.generation ||
		    (e->memory.change && p->now_s >= e->memory.change))
			return false;
		*age = age_of(e, p->now_s);
		*out = (struct answer_body){wire(e), ttls(e), e->len,	e->ttl_n,
					    e->ede,  true,    e->secure};
		return true;
	}
	return false;
}

/* Room for n bytes in one piece; what lived there is gone. */
static struct entry *append(struct answer_cache *c, size_t n, uint64_t *pos)
{
	uint64_t left = c->size - c->head % c->size;
	if (n > left)
		c->head += left;
	*pos = c->head;
	c->head += (n + ALIGN - 1) / ALIGN * ALIGN;
	return (struct entry *)(void *)(c->log + *pos % c->size);
}

/* The slot for a new entry: its own old one, a free one, or the oldest. */
static struct slot *choose(const struct answer_cache *c, uint64_t h, const uint8_t *qname,
			   size_t len, unsigned qtype, unsigned variant)
{
	struct slot *s = set_of(c, h), *best = s;
	for (int i = 0; i < SET_WAYS; i++) {
		const struct entry *e = live(c, &s[i]);
		if (e && s[i].tag == h >> 32 && matches(e, qname, len, qtype, variant))
			return &s[i];
		if (s[i].pos < best->pos)
			best = &s[i];
	}
	return best;
}

void answer_cache_put(struct answer_cache *c, const struct answer_body *body,
		      const uint8_t *qname, uint16_t qtype, uint8_t class,
		      struct answer_form form, const struct answer_memory *memory,
		      uint32_t ttl_s, uint32_t now_s)
{
	uint16_t variant = variant_of(class, form);
	size_t name = name_len(qname), ttl_len = body->ttl_n * sizeof *body->ttl_at;
	size_t n = sizeof(struct entry) + ttl_len + body->len;
	uint64_t pos, h = hash(c, qname, name, qtype, variant);
	if (!body->countable || n > ANSWER_CACHE_ENTRY_MAX || ttl_s == 0)
		return;
	struct slot *s = choose(c, h, qname, name, qtype, variant);
	struct entry *e = append(c, n, &pos);
	*e = (struct entry){
		.memory = *memory,
		.stored = now_s,
		.expires = now_s + ttl_s,
		.qtype = qtype,
		.variant = variant,
		.len = body->len,
		.ttl_n = body->ttl_n,
		.name_len = (uint16_t)name,
		.ede = body->ede,
		.secure = body->secure,
	};
	memcpy(e + 1, body->ttl_at, ttl_len);
	memcpy((uint8_t *)(e + 1) + ttl_len, body->wire, body->len);
	*s = (struct slot){.pos = pos + 1, .tag = (uint32_t)(h >> 32)};
}
