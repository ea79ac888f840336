/* val_proof_nsec3.c: denial by hashed names. */
#include "resolver/val_proof_parts.h"

enum {
	NSEC3_SHA1 = 1,	      /* the only hash, RFC 5155 11 */
	NSEC3_OPT_OUT = 1,    /* the only flag */
	NSEC3_LABEL_LEN = 32, /* VAL_SHA1_LEN bytes in base32hex */
	SHA1_BLOCK = 64,
	SHA1_TAIL = 9, /* what SHA-1 adds to the data: a byte and the length */
};

static unsigned sha1_blocks(size_t len)
{
	return (unsigned)((len + SHA1_TAIL + SHA1_BLOCK - 1) / SHA1_BLOCK);
}

unsigned proof_hash_blocks(size_t name_len, unsigned iterations, uint8_t salt_len)
{
	return sha1_blocks(name_len + salt_len) +
	       iterations * sha1_blocks(VAL_SHA1_LEN + (size_t)salt_len);
}

bool proof_hash(uint8_t out[VAL_SHA1_LEN], const uint8_t *name, unsigned iterations,
		const uint8_t *salt, uint8_t salt_len, struct val_work *work)
{
	uint8_t data[DNS_NAME_MAX + UINT8_MAX];
	size_t len = name_len(name);
	unsigned blocks = proof_hash_blocks(len, iterations, salt_len);
	int32_t price = (int32_t)((blocks + PROOF_HASH_BLOCKS - 1) / PROOF_HASH_BLOCKS);
	if (work->hashes < price)
		return false;
	work->hashes -= price;
	memcpy(data, name, len);
	memcpy(data + len, salt, salt_len);
	val_sig_sha1(out, data, len + salt_len);
	memcpy(data + VAL_SHA1_LEN, salt, salt_len);
	while (iterations--) {
		memcpy(data, out, VAL_SHA1_LEN);
		val_sig_sha1(out, data, VAL_SHA1_LEN + (size_t)salt_len);
	}
	return true;
}

struct nsec3 {
	uint8_t owner[VAL_SHA1_LEN];
	const uint8_t *next;
	struct types types;
	bool opt_out;
};

struct nsec3_chain {
	const struct proof *p;
	const uint8_t *params; /* of all: iterations, salt length, salt, as in RDATA */
	int n;
	struct nsec3 r[PROOF_SETS_MAX];
};

/* RFC 4648 7, from a label in lower case. */
static bool read_hash(uint8_t out[VAL_SHA1_LEN], const uint8_t *label)
{
	unsigned bits = 0, held = 0;
	if (*label != NSEC3_LABEL_LEN)
		return false;
	for (int i = 1; i <= NSEC3_LABEL_LEN; i++) {
		uint8_t c = label[i];
		if (c >= '0' && c <= '9')
			c -= '0';
		else if (c >= 'a' && c <= 'v')
			c -= 'a' - 10;
		else
			return false;
		held = held << 5 | c;
		bits += 5;
		if (bits >= 8) {
			bits -= 8;
			*out++ = (uint8_t)(held >> bits);
		}
	}
	return true;
}

/* One record that RFC 5155 8.1 and 8.2 let us use. */
static bool nsec3_read(struct nsec3 *r, const struct rrset *s, const uint8_t *zone,
		       const uint8_t **params)
{
	uint16_t len;
	const uint8_t *rdata = proof_record(s, DNS_NSEC3, &len);
	if (!rdata || rdata[0] != NSEC3_SHA1 || rdata[1] & ~NSEC3_OPT_OUT ||
	    !read_hash(r->owner, s->owner) || !name_equal(name_parent(s->owner), zone))
		return false;
	const uint8_t *next = rdata + 5 + rdata[4]; /* behind the salt */
	if (*next != VAL_SHA1_LEN)
		return false;
	r->next = next + 1;
	r->types.map = r->next + VAL_SHA1_LEN;
	r->types.len = (size_t)(rdata + len - r->types.map);
	r->opt_out = rdata[1] & NSEC3_OPT_OUT;
	*params = rdata + 2;
	return true;
}

static bool same_params(const uint8_t *a, const uint8_t *b)
{
	return a[2] == b[2] && memcmp(a, b, 3U + a[2]) == 0;
}

/* PROOF_SECURE when there is something to work with. */
static enum proof_result nsec3_load(struct nsec3_chain *c, const struct proof *p)
{
	c->p = p;
	c->n = 0;
	for (int i = 0; i < p->n && i < PROOF_SETS_MAX; i++) {
		const uint8_t *params;
		if (!nsec3_read(&c->r[c->n], p->set[i], p->zone, &params))
			continue;
		if (c->n++ == 0)
			c->params = params;
		else if (!same_params(params, c->params))
			return PROOF_NOTHING;
	}
	if (c->n == 0)
		return PROOF_NOTHING;
	return wire_get16(c->params) > PROOF_ITERATIONS_MAX ? PROOF_INSECURE
							    : PROOF_SECURE;
}

static bool nsec3_hash(const struct nsec3_chain *c, uint8_t out[VAL_SHA1_LEN],
		       const uint8_t *name)
{
	return proof_hash(out, name, wire_get16(c->params), c->params + 3, c->params[2],
			  c->p->work);
}

static const struct nsec3 *nsec3_match(const struct nsec3_chain *c,
				       const uint8_t hash[VAL_SHA1_LEN])
{
	for (int i = 0; i < c->n; i++)
		if (memcmp(c->r[i].owner, hash, VAL_SHA1_LEN) == 0)
			return &c->r[i];
	return NULL;
}

/* The last NSEC3 of a zone leads back to the first. */
static const struct nsec3 *nsec3_cover(const struct nsec3_chain *c,
				       const uint8_t hash[VAL_SHA1_LEN])
{
	for (int i = 0; i < c->n; i++) {
		const struct nsec3 *r = &c->r[i];
		bool after = memcmp(r->owner, hash, VAL_SHA1_LEN) < 0;
		bool before = memcmp(hash, r->next, VAL_SHA1_LEN) < 0;
		bool last = memcmp(r->owner, r->next, VAL_SHA1_LEN) >= 0;
		if (last ? after || before : after && before)
			return r;
	}
	return NULL;
}

/* The closest ancestor of a name, or the name itself, that a record is for. */
struct enclosure {
	const uint8_t *name;
	const struct nsec3 *at;
	const struct nsec3 *over; /* covers the name one label longer, or NULL */
};

/* RFC 5155 8.3. Each name is hashed once. */
static enum proof_result nsec3_enclose(struct enclosure *e, const struct nsec3_chain *c,
				       const uint8_t *name)
{
	uint8_t hash[VAL_SHA1_LEN];
	for (e->name = name, e->over = NULL;; e->name = name_parent(e->name)) {
		if (!nsec3_hash(c, hash, e->name))
			return PROOF_SPENT;
		e->at = nsec3_match(c, hash);
		if (e->at)
			return PROOF_SECURE;
		if (name_equal(e->name, c->p->zone))
			return PROOF_NOTHING;
		e->over = nsec3_cover(c, hash);
	}
}

/* Whether e encloses a name that does not exist. */
static bool is_outside(const struct enclosure *e)
{
	return e->over && types_lead_below(&e->at->types);
}

static bool nsec3_hash_wildcard(const struct nsec3_chain *c, uint8_t hash[VAL_SHA1_LEN],
				const uint8_t *encloser)
{
	uint8_t wildcard[DNS_NAME_MAX];
	proof_wildcard_name(wildcard, encloser);
	return nsec3_hash(c, hash, wildcard);
}

/* In a span with opt-out there may be delegations that are not signed, RFC 5155 9.2. */
static enum proof_result nsec3_span(const struct nsec3 *over)
{
	return over->opt_out ? PROOF_INSECURE : PROOF_SECURE;
}

/* RFC 5155 8.4. */
enum proof_result nsec3_nxdomain(const struct proof *p, const uint8_t *name)
{
	uint8_t hash[VAL_SHA1_LEN];
	struct nsec3_chain c;
	struct enclosure e;
	enum proof_result got = nsec3_load(&c, p);
	if (got == PROOF_SECURE)
		got = nsec3_enclose(&e, &c, name);
	if (got != PROOF_SECURE)
		return got;
	if (!is_outside(&e))
		return PROOF_NOTHING;
	if (!nsec3_hash_wildcard(&c, hash, e.name))
		return PROOF_SPENT;
	return nsec3_cover(&c, hash) ? nsec3_span(e.over) : PROOF_NOTHING;
}

/* RFC 5155 8.5 to 8.7 and 8.9. Under opt-out an empty non-terminal above unsigned
 * delegations alone need not have a record (7.1), so 8.6 holds for all types. */
enum proof_result nsec3_nodata(const struct proof *p, const uint8_t *name, uint16_t type,
			       bool *cut)
{
	uint8_t hash[VAL_SHA1_LEN];
	struct nsec3_chain c;
	struct enclosure e;
	enum proof_result got = nsec3_load(&c, p);
	*cut = false;
	if (got == PROOF_SECURE)
		got = nsec3_enclose(&e, &c, name);
	if (got != PROOF_SECURE)
		return got;
	if (e.name == name) {
		*cut = types_cut(&e.at->types);
		return types_deny(&e.at->types, name, type, false) ? PROOF_SECURE
								   : PROOF_NOTHING;
	}
	if (!is_outside(&e))
		return PROOF_NOTHING;
	if (e.over->opt_out)
		return PROOF_INSECURE;
	if (!nsec3_hash_wildcard(&c, hash, e.name))
		return PROOF_SPENT;
	const struct nsec3 *at = nsec3_match(&c, hash);
	return at && types_deny(&at->types, name, type, true) ? PROOF_SECURE
							      : PROOF_NOTHING;
}

/* RFC 5155 8.8: that the encloser exists is known from the wildcard's signature. */
enum proof_result nsec3_wildcard(const struct proof *p, const uint8_t *name,
				 const uint8_t *encloser)
{
	uint8_t hash[VAL_SHA1_LEN];
	struct nsec3_chain c;
	enum proof_result got = nsec3_load(&c, p);
	if (got != PROOF_SECURE)
		return got;
	if (!nsec3_hash(&c, hash, name_last(name, name_labels(encloser) + 1)))
		return PROOF_SPENT;
	const struct nsec3 *over = nsec3_cover(&c, hash);
	return over ? nsec3_span(over) : PROOF_NOTHING;
}
