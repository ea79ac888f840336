#include "resolver/denial.h"

#include "resolver/denial_index.h"
#include "resolver/val_proof.h"

/* A denial takes three records at most; the same one may serve twice. */
enum { PROOFS_MAX = 3, HASH_DIGITS = VAL_SHA1_LEN * 8 / 5 };

/* What may prove it, from one zone. */
struct gather {
	struct denial_zone zone;
	struct arena *arena;
	uint32_t now_s;
	int err;
	struct val_work work;
	int n;
	const struct rrset *set[PROOFS_MAX];
};

/* ---- choosing records ---- */

static const struct rrset *find(struct gather *g, uint16_t type, const uint8_t *owner)
{
	const struct rrset *s;
	int err = denial_find(&s, &g->zone, type, owner, g->arena, g->now_s);
	g->err = err ? err : g->err;
	return s;
}

static void add(struct gather *g, const struct rrset *s)
{
	for (int i = 0; s && i < g->n; i++)
		if (name_equal(g->set[i]->owner, s->owner))
			return;
	if (s)
		g->set[g->n++] = s;
}

/* The record at name, or the one before it and that before the wildcard of its closest
 * encloser: nothing lies between owner and next name, so one of them is below that. A
 * next name below name makes it empty, and there is no wildcard to it. */
static void gather_nsec(struct gather *g, const uint8_t *name)
{
	uint8_t wildcard[DNS_NAME_MAX];
	const struct rrset *at = find(g, DNS_NSEC, name);
	add(g, at);
	if (!at || name_equal(at->owner, name) || name_below(at->data + 2, name))
		return;
	const uint8_t *encloser = name_parent(name);
	while (!name_within(at->owner, encloser) && !name_within(at->data + 2, encloser))
		encloser = name_parent(encloser);
	proof_wildcard_name(wildcard, encloser);
	add(g, find(g, DNS_NSEC, wildcard));
}

/* RFC 4648 7, in lower case. */
static void put_hash(uint8_t out[DNS_NAME_MAX], const uint8_t hash[VAL_SHA1_LEN])
{
	unsigned bits = 0, held = 0;
	*out++ = HASH_DIGITS;
	for (int i = 0; i < HASH_DIGITS; i++) {
		if (bits < 5) {
			held = held << 8 | *hash++;
			bits += 8;
		}
		bits -= 5;
		*out++ = (uint8_t) "0123456789abcdefghijklmnopqrstuv"[held >> bits & 31];
	}
}

/* The record at or before name's hash; params is any of the zone's. *at: it is at it. */
static const struct rrset *find_hash(struct gather *g, const struct rrset *params,
				     const uint8_t *name, bool *at)
{
	const uint8_t *rdata = params->data + 2;
	uint8_t hash[VAL_SHA1_LEN], owner[DNS_NAME_MAX];
	if (!proof_hash(hash, name, wire_get16(rdata + 2), rdata + 5, rdata[4], &g->work))
		return NULL;
	put_hash(owner, hash);
	memcpy(owner + 1 + owner[0], g->zone.name, name_len(g->zone.name));
	const struct rrset *s = find(g, DNS_NSEC3, owner);
	*at = s && name_equal(s->owner, owner);
	return s;
}

/* Any NSEC3 record of the zone; NULL when there is none. */
static const struct rrset *hash_params(struct gather *g)
{
	bool fits = name_len(g->zone.name) + 1 + HASH_DIGITS <= DNS_NAME_MAX;
	return fits ? find(g, DNS_NSEC3, NULL) : NULL;
}

/* RFC 5155 8.3: the record at the closest encloser, the one that covers the name a label
 * longer, and the wildcard's. */
static void gather_nsec3(struct gather *g, const uint8_t *name)
{
	uint8_t wildcard[DNS_NAME_MAX];
	const struct rrset *params = hash_params(g), *s, *over = NULL;
	bool at;
	if (!params)
		return;
	for (;; name = name_parent(name), over = s) {
		s = find_hash(g, params, name, &at);
		if (!s || at || name_equal(name, g->zone.name))
			break;
	}
	if (!s || !at)
		return;
	add(g, s);
	if (!over)
		return;
	add(g, over);
	proof_wildcard_name(wildcard, name);
	add(g, find_hash(g, params, wildcard, &at));
}

/* ---- the denial ---- */

static struct proof proof_of(struct gather *g)
{
	return (struct proof){
		.zone = g->zone.name, .set = g->set, .n = g->n, .work = &g->work};
}

static bool prove(struct gather *g, struct rrset *out, const uint8_t *name, uint16_t type)
{
	const struct proof p = proof_of(g);
	*out = (struct rrset){.owner = name,
			      .type = type,
			      .rank = RANK_AUTHORITY,
			      .security = SECURITY_SECURE};
	if (g->n == 0 || g->err)
		return false;
	out->kind = RRSET_NXDOMAIN;
	if (proof_nxdomain(&p, name) == PROOF_SECURE)
		return true;
	out->kind = RRSET_NODATA;
	return proof_nodata(&p, name, type, &out->cut) == PROOF_SECURE;
}

/* No longer than any part of it, RFC 8198 5.4. */
static void attach(struct gather *g, struct rrset *out)
{
	const struct rrset **list = arena_copy(g->arena, g->set, sizeof g->set);
	g->err = list ? g->err : ERR_NOMEM;
	out->proof = list;
	out->proof_n = (uint8_t)g->n;
	for (int i = 0; i < g->n; i++)
		out->ttl = g->set[i]->ttl < out->ttl ? g->set[i]->ttl : out->ttl;
}

static void complete(struct gather *g, struct rrset *out)
{
	const struct rrset *soa = find(g, DNS_SOA, g->zone.name);
	out->from = g->set[0]->from;
	out->ttl = soa ? soa->ttl : UINT32_MAX;
	attach(g, out);
	if (!soa)
		return;
	out->soa_owner = soa->owner;
	out->rr_n = 1;
	out->sig_n = soa->sig_n;
	out->data = soa->data;
	out->data_len = soa->data_len;
	out->sigs = soa->sigs;
	out->sigs_len = soa->sigs_len;
	out->from = soa->from;
}

/* False when no zone from top to name is known. */
static bool find_zone(struct denial_zone *out, struct denial *d, const uint8_t *name,
		      const uint8_t *top)
{
	for (;; name = name_parent(name)) {
		*out = denial_zone(d, name);
		if (denial_zone_known(out))
			return true;
		if (name_equal(name, top))
			return false;
	}
}

int denial_get(struct denial *d, struct rrset *out, struct arena *arena,
	       const uint8_t *name, uint16_t type, const uint8_t *top, uint32_t now_s)
{
	struct gather g = {
		.arena = arena, .now_s = now_s, .work = {.hashes = DENIAL_HASHES_MAX}};
	/* A DS is its parent's. */
	const uint8_t *lowest = type == DNS_DS ? name_parent(name) : name;
	if (!name_within(lowest, top) || !find_zone(&g.zone, d, lowest, top))
		return DENIAL_MISS;
	gather_nsec(&g, name);
	bool proved = prove(&g, out, name, type);
	if (!proved) {
		g.n = 0;
		gather_nsec3(&g, name);
		proved = prove(&g, out, name, type);
	}
	if (proved)
		complete(&g, out);
	return g.err ? g.err : proved ? DENIAL_HIT : DENIAL_MISS;
}

const uint8_t *denial_zone_of(struct denial *d, const uint8_t *name, const uint8_t *top)
{
	struct denial_zone z;
	return name_within(name, top) && find_zone(&z, d, name, top) ? z.name : NULL;
}

/* One record does: it covers the name a label longer than the wildcard's encloser. */
static bool prove_wildcard(struct gather *g, const uint8_t *name, const uint8_t *encloser,
			   const struct rrset *over)
{
	g->n = 0;
	add(g, over);
	const struct proof p = proof_of(g);
	return over && proof_wildcard(&p, name, encloser) == PROOF_SECURE;
}

int denial_expand(struct denial *d, struct rrset *s, struct arena *arena,
		  const uint8_t *name, const uint8_t *zone, uint32_t now_s)
{
	struct gather g = {.zone = denial_zone(d, zone),
			   .arena = arena,
			   .now_s = now_s,
			   .work = {.hashes = DENIAL_HASHES_MAX}};
	const uint8_t *encloser = name_parent(s->owner), *signer = val_sig_signer(s);
	if (!signer || !name_equal(signer, zone))
		return DENIAL_MISS;
	bool at, proved = prove_wildcard(&g, name, encloser, find(&g, DNS_NSEC, name));
	const struct rrset *params = proved ? NULL : hash_params(&g);
	if (params)
		proved = prove_wildcard(
			&g, name, encloser,
			find_hash(&g, params, name_last(name, name_labels(encloser) + 1),
				  &at));
	if (proved) {
		s->owner = name;
		attach(&g, s);
	}
	return g.err ? g.err : proved ? DENIAL_HIT : DENIAL_MISS;
}
