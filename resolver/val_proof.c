/* val_proof.c: the order of names, the rules both kinds of denial share, NSEC, and the
 * questions. One kind alone serves a proof: a gap in one is not closed by the other. */
#include "resolver/val_proof_parts.h"

#include "resolver/rdata.h"

static unsigned label_starts(uint8_t at[DNS_LABELS_MAX], const uint8_t *name)
{
	unsigned n = 0;
	for (const uint8_t *p = name; *p; p += *p + 1)
		at[n++] = (uint8_t)(p - name);
	return n;
}

/* *shared: how many last labels both have. */
static int compare(const uint8_t *a, const uint8_t *b, unsigned *shared)
{
	uint8_t a_at[DNS_LABELS_MAX], b_at[DNS_LABELS_MAX];
	unsigned a_n = label_starts(a_at, a), b_n = label_starts(b_at, b);
	for (*shared = 0; *shared < a_n && *shared < b_n; ++*shared) {
		const uint8_t *x = a + a_at[a_n - *shared - 1];
		const uint8_t *y = b + b_at[b_n - *shared - 1];
		int c = memcmp(x + 1, y + 1, *x < *y ? *x : *y);
		if (!c)
			c = *x - *y;
		if (c)
			return c;
	}
	return (int)a_n - (int)b_n;
}

int proof_order(const uint8_t *a, const uint8_t *b)
{
	unsigned shared;
	return compare(a, b, &shared);
}

void proof_wildcard_name(uint8_t out[DNS_NAME_MAX], const uint8_t *encloser)
{
	out[0] = 1;
	out[1] = '*';
	memcpy(out + 2, encloser, name_len(encloser));
}

const uint8_t *proof_record(const struct rrset *s, uint16_t type, uint16_t *len)
{
	const uint8_t *rdata;
	uint32_t at = 0;
	if (s->type != type || s->kind != RRSET_DATA || s->rr_n != 1 ||
	    !rrset_next(s, &at, &rdata, len))
		return NULL;
	struct wire_reader r = wire_reader(rdata, *len);
	return rdata_check(&r, type, *len) == ERR_OK ? rdata : NULL;
}

static bool has(const struct types *t, unsigned type)
{
	for (size_t at = 0; at < t->len; at += 2U + t->map[at + 1]) {
		unsigned byte = type % 256 / 8;
		if (t->map[at] == type / 256)
			return byte < t->map[at + 1] &&
			       t->map[at + 2 + byte] & 0x80 >> type % 8;
	}
	return false;
}

/* Nothing but what denies: an empty non-terminal, or RFC 9824's name that is not. */
static bool is_bare(const struct types *t)
{
	int n = 0;
	for (size_t at = 0; at < t->len; at += 2U + t->map[at + 1])
		for (unsigned i = 0; i < t->map[at + 1]; i++)
			n += __builtin_popcount(t->map[at + 2 + i]);
	return n == has(t, DNS_RRSIG) + has(t, DNS_NSEC) + has(t, DNS_NXNAME);
}

bool types_cut(const struct types *t)
{
	return has(t, DNS_NS) && !has(t, DNS_SOA);
}

/* What is below is this zone's to deny, RFC 6840 4.1, 6672 5.3.4. */
bool types_lead_below(const struct types *t)
{
	return !types_cut(t) && !has(t, DNS_DNAME);
}

/* RFC 6840 4.1: of a delegation the parent's side speaks for DS alone, the child's for
 * all but DS; the root has no parent. 4.2 for ANY, 4.3 for CNAME. */
bool types_deny(const struct types *t, const uint8_t *name, uint16_t type, bool wildcard)
{
	if (has(t, type) || has(t, DNS_CNAME))
		return false;
	if (types_cut(t) && (wildcard || type != DNS_DS))
		return false;
	if (type == DNS_DS)
		return !has(t, DNS_SOA) || !*name;
	return type != DNS_ANY || is_bare(t);
}

struct nsec {
	const uint8_t *owner;
	uint8_t next[DNS_NAME_MAX];
	struct types types;
};

/* Those of a zone: owner and next name are in it. */
struct nsec_chain {
	const uint8_t *zone;
	int n;
	struct nsec r[PROOF_SETS_MAX];
};

static void nsec_load(struct nsec_chain *c, const struct proof *p)
{
	c->zone = p->zone;
	c->n = 0;
	for (int i = 0; i < p->n && i < PROOF_SETS_MAX; i++) {
		struct nsec *r = &c->r[c->n];
		uint16_t len;
		const uint8_t *rdata = proof_record(p->set[i], DNS_NSEC, &len);
		if (!rdata || !name_within(p->set[i]->owner, c->zone) ||
		    !name_within(rdata, c->zone))
			continue;
		size_t next_len = name_len(rdata);
		r->owner = p->set[i]->owner;
		memcpy(r->next, rdata, next_len);
		name_lower(r->next, next_len);
		r->types = (struct types){rdata + next_len, len - next_len};
		c->n++;
	}
}

static const struct nsec *nsec_match(const struct nsec_chain *c, const uint8_t *name)
{
	for (int i = 0; i < c->n; i++)
		if (name_equal(c->r[i].owner, name))
			return &c->r[i];
	return NULL;
}

/* The last NSEC of a zone, and no other, leads back to the apex. */
static const struct nsec *nsec_cover(const struct nsec_chain *c, const uint8_t *name)
{
	for (int i = 0; i < c->n; i++) {
		const struct nsec *r = &c->r[i];
		if (proof_order(r->owner, name) < 0 &&
		    (proof_order(name, r->next) < 0 || name_equal(r->next, c->zone)) &&
		    (!name_below(name, r->owner) || types_lead_below(&r->types)))
			return r;
	}
	return NULL;
}

/* A name between owner and next name has no records of its own; with the next name below
 * it, it exists all the same, RFC 4592 2.2.2. */
static bool is_empty(const struct nsec *over, const uint8_t *name)
{
	return name_below(over->next, name);
}

/* The closest ancestor of name that exists: it has one of the covering record's names at
 * or below it. Of a name that is not empty it is a proper ancestor. */
static const uint8_t *nsec_encloser(const struct nsec *over, const uint8_t *name)
{
	unsigned owner, next;
	compare(name, over->owner, &owner);
	compare(name, over->next, &next);
	return name_last(name, owner > next ? owner : next);
}

/* RFC 4035 5.4. */
static bool nsec_nxdomain(const struct nsec_chain *c, const uint8_t *name)
{
	uint8_t wildcard[DNS_NAME_MAX];
	const struct nsec *over = nsec_cover(c, name);
	if (!over || is_empty(over, name))
		return false;
	proof_wildcard_name(wildcard, nsec_encloser(over, name));
	over = nsec_cover(c, wildcard);
	return over && !is_empty(over, wildcard);
}

/* RFC 4035 5.4; a wildcard may be an empty non-terminal, too. */
static bool nsec_nodata(const struct nsec_chain *c, const uint8_t *name, uint16_t type,
			bool *cut)
{
	uint8_t wildcard[DNS_NAME_MAX];
	const struct nsec *at = nsec_match(c, name);
	if (at) {
		*cut = types_cut(&at->types);
		return types_deny(&at->types, name, type, false);
	}
	const struct nsec *over = nsec_cover(c, name);
	if (!over || is_empty(over, name))
		return over;
	proof_wildcard_name(wildcard, nsec_encloser(over, name));
	at = nsec_match(c, wildcard);
	if (at)
		return types_deny(&at->types, name, type, true);
	over = nsec_cover(c, wildcard);
	return over && is_empty(over, wildcard);
}

/* RFC 4035 5.3.4; an empty name is its own closest one. */
static bool nsec_wildcard(const struct nsec_chain *c, const uint8_t *name,
			  const uint8_t *encloser)
{
	const struct nsec *over = nsec_cover(c, name);
	return over && name_equal(nsec_encloser(over, name), encloser);
}

enum proof_result proof_nxdomain(const struct proof *p, const uint8_t *name)
{
	struct nsec_chain c;
	if (!name_within(name, p->zone))
		return PROOF_NOTHING;
	nsec_load(&c, p);
	return nsec_nxdomain(&c, name) ? PROOF_SECURE : nsec3_nxdomain(p, name);
}

enum proof_result proof_nodata(const struct proof *p, const uint8_t *name, uint16_t type,
			       bool *cut)
{
	struct nsec_chain c;
	*cut = false;
	if (!name_within(name, p->zone))
		return PROOF_NOTHING;
	nsec_load(&c, p);
	return nsec_nodata(&c, name, type, cut) ? PROOF_SECURE
						: nsec3_nodata(p, name, type, cut);
}

enum proof_result proof_wildcard(const struct proof *p, const uint8_t *name,
				 const uint8_t *encloser)
{
	struct nsec_chain c;
	if (!name_below(name, encloser) || !name_within(encloser, p->zone))
		return PROOF_NOTHING;
	nsec_load(&c, p);
	return nsec_wildcard(&c, name, encloser) ? PROOF_SECURE
						 : nsec3_wildcard(p, name, encloser);
}
