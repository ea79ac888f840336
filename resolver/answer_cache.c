/* answer_cache.c: two logs, each with a set-associative index.
 *
 * A log is a ring of bytes. pos counts bytes ever written and only grows; an entry at
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
	FETCH_LINES = 4,  /* of a small answer's entry */
	DUE_PART = 10,	  /* of its life; as Unbound's prefetch */
	LISTED_SHARE = 4, /* infected clients ask for the same names again and again */
	LOG_MIN = 16 * ANSWER_CACHE_ENTRY_MAX,
};

struct slot {
	uint64_t pos; /* +1, 0 = never used */
	uint32_t tag;
	uint32_t seen; /* tag of a listed name that was to be stored once */
};

struct entry {
	struct answer_memory memory;
	uint32_t stored, expires;
	uint16_t qtype, len, ttl_n, variant;
	int16_t ede;
	uint8_t name_len, text_len;
	bool told_due, secure, listed;
	uint8_t pad[5];
	/* then: struct answer_listed if listed; uint16_t ttl_at[ttl_n]; the wire, whose
	 * question holds the name; the text */
};

struct part {
	struct slot *slot;
	uint8_t *log;
	uint64_t head, size;
	size_t sets; /* a power of two */
};

struct answer_cache {
	struct part clean, listed;
	struct hash_key key;
};

static int part_open(struct part *p, size_t bytes)
{
	size_t sets = 1, log = 0;
	while (sets * 2 * SET_WAYS * (sizeof(struct slot) + BYTES_PER_SLOT) <= bytes)
		sets *= 2;
	if (bytes > sets * SET_WAYS * sizeof(struct slot))
		log = (bytes - sets * SET_WAYS * sizeof(struct slot)) / ALIGN * ALIGN;
	p->sets = sets;
	p->size = log > LOG_MIN ? log : LOG_MIN;
	p->log = malloc(p->size);
	p->slot = aligned_alloc(CACHE_LINE, sets * SET_WAYS * sizeof(struct slot));
	return p->log && p->slot ? ERR_OK : ERR_NOMEM;
}

static void part_flush(struct part *p)
{
	memset(p->slot, 0, p->sets * SET_WAYS * sizeof *p->slot);
	p->head = 0;
}

int answer_cache_open(struct answer_cache **out, size_t bytes)
{
	struct answer_cache *c = calloc(1, sizeof *c);
	if (!c)
		return ERR_NOMEM;
	if (part_open(&c->listed, bytes / LISTED_SHARE) ||
	    part_open(&c->clean, bytes - bytes / LISTED_SHARE) ||
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
	free(c->clean.log);
	free(c->clean.slot);
	free(c->listed.log);
	free(c->listed.slot);
	free(c);
}

void answer_cache_flush(struct answer_cache *c)
{
	part_flush(&c->clean);
	part_flush(&c->listed);
}

/* Of the answers to one question: whose policy, and in which form. */
static uint16_t variant_of(const struct answer_key *k)
{
	return (uint16_t)(k->class << 2 | k->form.one << 1 | k->form.dnssec);
}

uint64_t answer_cache_hash(const struct answer_cache *c, const uint8_t *qname,
			   size_t qname_len)
{
	return hash_bytes(&c->key, qname, qname_len);
}

static struct slot *set_of(const struct part *p, uint64_t hash, unsigned qtype)
{
	return p->slot + ((hash ^ qtype) & (p->sets - 1)) * SET_WAYS;
}

static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32);
}

/* The entry of a slot, or NULL when it has been overwritten. */
static struct entry *live(const struct part *p, const struct slot *s)
{
	if (!s->pos || p->head - (s->pos - 1) > p->size)
		return NULL;
	return (struct entry *)(void *)(p->log + (s->pos - 1) % p->size);
}

static const uint16_t *ttls(const struct entry *e)
{
	const struct answer_listed *listed = (const void *)(e + 1);
	return (const uint16_t *)(const void *)(listed + e->listed);
}

static const uint8_t *wire(const struct entry *e)
{
	return (const uint8_t *)(ttls(e) + e->ttl_n);
}

static bool matches(const struct entry *e, const struct answer_key *k, unsigned variant)
{
	return e->qtype == k->qtype && e->variant == variant &&
	       e->name_len == k->qname_len &&
	       memcmp(wire(e) + DNS_HEADER_LEN, k->qname, k->qname_len) == 0;
}

/* The entry of key, however old. */
static struct entry *find(const struct part *p, const struct answer_key *k,
			  unsigned variant)
{
	const struct slot *s = set_of(p, k->hash, k->qtype);
	for (int i = 0; i < SET_WAYS; i++) {
		struct entry *e = s[i].tag == tag_of(k->hash) ? live(p, &s[i]) : NULL;
		if (e && matches(e, k, variant))
			return e;
	}
	return NULL;
}

void answer_cache_fetch_index(const struct answer_cache *c, uint64_t hash, uint16_t qtype)
{
	__builtin_prefetch(set_of(&c->clean, hash, qtype));
	__builtin_prefetch(set_of(&c->listed, hash, qtype));
}

static bool fetch_entry(const struct part *p, uint64_t hash, unsigned qtype)
{
	const struct slot *s = set_of(p, hash, qtype);
	bool some = false;
	for (int i = 0; i < SET_WAYS; i++) {
		const uint8_t *e =
			s[i].tag == tag_of(hash) ? (const void *)live(p, &s[i]) : NULL;
		for (int line = 0; e && line < FETCH_LINES; line++)
			__builtin_prefetch(e + line * CACHE_LINE);
		some |= e != NULL;
	}
	return some;
}

bool answer_cache_fetch_entry(const struct answer_cache *c, uint64_t hash, uint16_t qtype)
{
	bool clean = fetch_entry(&c->clean, hash, qtype); /* both are on their way then */
	bool listed = fetch_entry(&c->listed, hash, qtype);
	return clean || listed;
}

/* A clock set back makes stored > now: not to be trusted either. */
static bool holds(const struct entry *e, const struct policy *p,
		  const struct blocklist_stamp *stamp)
{
	return p->now_s < e->expires && p->now_s >= e->stored &&
	       e->memory.stamp.epoch == stamp->epoch &&
	       e->memory.stamp.generation == stamp->generation &&
	       (!e->memory.change || p->now_s < e->memory.change);
}

static struct answer_age age_of(struct entry *e, uint32_t now_s)
{
	struct answer_age a = {.age_s = now_s - e->stored, .left_s = e->expires - now_s};
	a.due = !e->told_due && a.left_s <= (e->expires - e->stored) / DUE_PART;
	e->told_due |= a.due;
	return a;
}

bool answer_cache_get(struct answer_cache *c, struct answer_body *out,
		      struct answer_age *age, const struct answer_key *key,
		      const struct policy *p)
{
	const struct blocklist_stamp stamp = policy_stamp(p, key->class);
	unsigned variant = variant_of(key);
	struct entry *e = find(&c->clean, key, variant);
	if (!e || !holds(e, p, &stamp))
		e = find(&c->listed, key, variant);
	if (!e || !holds(e, p, &stamp))
		return false;
	*age = age_of(e, p->now_s);
	*out = (struct answer_body){
		.wire = wire(e),
		.ttl_at = ttls(e),
		.listed = e->listed ? (const void *)(e + 1) : NULL,
		.text = (const char *)wire(e) + e->len,
		.len = e->len,
		.ttl_n = e->ttl_n,
		.ede = e->ede,
		.text_len = e->text_len,
		.countable = true,
		.secure = e->secure,
	};
	return true;
}

/* Room for n bytes in one piece; what lived there is gone. */
static struct entry *append(struct part *p, size_t n, uint64_t *pos)
{
	uint64_t left = p->size - p->head % p->size;
	if (n > left)
		p->head += left;
	*pos = p->head;
	p->head += (n + ALIGN - 1) / ALIGN * ALIGN;
	return (struct entry *)(void *)(p->log + *pos % p->size);
}

/* The slot for a new entry: its own old one, a free one, or the oldest. */
static struct slot *choose(const struct part *p, const struct answer_key *k,
			   unsigned variant)
{
	struct slot *s = set_of(p, k->hash, k->qtype), *best = s;
	for (int i = 0; i < SET_WAYS; i++) {
		const struct entry *e =
			s[i].tag == tag_of(k->hash) ? live(p, &s[i]) : NULL;
		if (e && matches(e, k, variant))
			return &s[i];
		if (s[i].pos < best->pos)
			best = &s[i];
	}
	return best;
}

/* Whether it was to be stored before, lately; from now on it was. The way is the tag's:
 * the hash's low bits are the same in all of a set. */
static bool seen(const struct part *p, const struct answer_key *k)
{
	uint32_t tag = tag_of(k->hash);
	struct slot *s = set_of(p, k->hash, k->qtype) + tag % SET_WAYS;
	bool before = s->seen == tag;
	s->seen = tag;
	return before;
}

static uint8_t *put_bytes(uint8_t *p, const void *data, size_t n)
{
	if (n)
		memcpy(p, data, n);
	return p + n;
}

void answer_cache_put(struct answer_cache *c, const struct answer_body *body,
		      const struct answer_key *key, const struct answer_memory *memory,
		      uint32_t ttl_s, uint32_t now_s)
{
	struct part *p = body->listed ? &c->listed : &c->clean;
	size_t listed_len = body->listed ? sizeof *body->listed : 0;
	size_t ttl_len = body->ttl_n * sizeof *body->ttl_at;
	size_t n =
		sizeof(struct entry) + listed_len + ttl_len + body->len + body->text_len;
	unsigned variant = variant_of(key);
	uint64_t pos;
	if (!body->countable || n > ANSWER_CACHE_ENTRY_MAX || ttl_s == 0)
		return;
	/* Names made by chance below a listed one are asked for once. */
	if (body->listed && !seen(p, key))
		return;
	struct slot *s = choose(p, key, variant);
	struct entry *e = append(p, n, &pos);
	*e = (struct entry){
		.memory = *memory,
		.stored = now_s,
		.expires = now_s + ttl_s,
		.qtype = key->qtype,
		.variant = (uint16_t)variant,
		.len = body->len,
		.ttl_n = body->ttl_n,
		.name_len = key->qname_len,
		.text_len = body->text_len,
		.ede = body->ede,
		.secure = body->secure,
		.listed = body->listed,
	};
	uint8_t *at = put_bytes((uint8_t *)(e + 1), body->listed, listed_len);
	at = put_bytes(at, body->ttl_at, ttl_len);
	at = put_bytes(at, body->wire, body->len);
	put_bytes(at, body->text, body->text_len);
	s->pos = pos + 1;
	s->tag = tag_of(key->hash);
}
