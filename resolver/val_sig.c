/* val_sig.c: gates first, crypto last.
 *
 * A check gathers the few RRSIGs that pass every test which needs no key, then walks the
 * keys once; only a pair that agrees in all it can agree in is given to ldns. So the cost
 * without crypto is signatures + keys, not their product, and crypto is what the budget
 * and VAL_FAILURES_MAX allow. */
#include "resolver/val_sig.h"

#include <ldns/ldns.h>
#include <stdlib.h>

#include "resolver/rdata.h"

enum {
	SIG_FIXED = 18, /* RFC 4034 3.1: the RRSIG up to the signer's name */
	KEY_FIXED = 4,	/* 2.1: flags, protocol, algorithm */
	DS_FIXED = 4,	/* 5.1: tag, algorithm, digest type */
	KEY_ZONE = 0x0100,
	KEY_REVOKE = 0x0080, /* RFC 5011 2.1 */
	KEY_PROTOCOL = 3,
	/* Good RRSIGs of one RRset that are looked at: one per key that signs, so two,
	 * and four in a roll-over of algorithms. Unbound 8. */
	SIGS_MAX = 16,
	REVOKED_MAX = 1040, /* an RSA key of 8,192 bits */
	DS_MAX = 16,	    /* known DS records that are looked at; PowerDNS 8 */
	DIGESTS_MAX = 64, /* DNSKEYs hashed for one DS set: tags that collide are rare */
	/* The signed bytes of one RRset. A full message of address records makes 90 KiB;
	 * hashing this much takes 0.1 to 0.3 ms. */
	BLOB_MAX = 128 * 1024,
	RSA_BYTES_MIN = 1024 / 8,
	RSA_BYTES_MAX = 4096 / 8,
	/* 33 bits: dnssec-keygen -e makes 2^32+1. Each bit costs a squaring: an exponent
	 * as long as the modulus takes 200 times as long. */
	RSA_EXPONENT_BYTES = 5,
	RSA_EXPONENT_TOP = 0x01,
	KEY_MATERIAL_MAX = 1 + RSA_EXPONENT_BYTES + RSA_BYTES_MAX,
	SIGNATURE_MAX = RSA_BYTES_MAX,
	DIGEST_MAX = LDNS_SHA384_DIGEST_LENGTH,
	/* As Unbound's val-sig-skew: a tenth of the signature's life between these. */
	SKEW_MIN_S = 3600,
	SKEW_MAX_S = 86400,
};

enum algorithm {
	RSASHA1 = 5,
	RSASHA1_NSEC3 = 7,
	RSASHA256 = 8,
	RSASHA512 = 10,
	ECDSAP256 = 13,
	ECDSAP384 = 14,
	ED25519 = 15,
	ED448 = 16,
};

enum digest { DIGEST_SHA1 = 1, DIGEST_SHA256 = 2, DIGEST_SHA384 = 4 };

/* How far the best signature came, and so what is to be said of a failure. */
enum reached {
	REACHED_NOTHING,
	REACHED_FORM, /* not of the shape, the zone or the labels it has to be */
	REACHED_ALGORITHM,
	REACHED_EARLY,
	REACHED_LATE,
	REACHED_TIME, /* all is well with the signature, but no key fits */
	REACHED_NO_ZONE_KEY,
	REACHED_CRYPTO,
};

static const int16_t ede_of[] = {
	[REACHED_NOTHING] = DNS_EDE_RRSIGS_MISSING,
	[REACHED_FORM] = DNS_EDE_BOGUS,
	[REACHED_ALGORITHM] = DNS_EDE_DNSKEY_ALGORITHM,
	[REACHED_EARLY] = DNS_EDE_SIGNATURE_NOT_YET_VALID,
	[REACHED_LATE] = DNS_EDE_SIGNATURE_EXPIRED,
	[REACHED_TIME] = DNS_EDE_DNSKEY_MISSING,
	[REACHED_NO_ZONE_KEY] = DNS_EDE_NO_ZONE_KEY_BIT,
	[REACHED_CRYPTO] = DNS_EDE_BOGUS,
};

struct sig {
	const uint8_t *rdata; /* the fixed part */
	const uint8_t *signer, *signature;
	uint16_t signature_len;
	uint8_t algorithm, labels;
	uint16_t type, tag;
	uint32_t ttl, expiration, inception;
};

struct key {
	const uint8_t *rdata;
	uint16_t len, flags, tag;
	uint8_t protocol, algorithm;
	uint16_t signature_len; /* of its signatures; 0: its shape is not one we use */
};

struct ds {
	const uint8_t *digest;
	uint16_t digest_len, tag;
	uint8_t algorithm, type;
};

struct check {
	struct val_sig *out;
	const struct rrset *s;
	const uint8_t *zone;
	struct val_work *work;
	uint32_t now_s;
	bool sha1, revoked; /* revoked: by such a key, and no other */
	enum reached reached;
	struct sig sig[SIGS_MAX];
	int sig_n;
	const struct rrset *ds_set; /* NULL: every key is trusted */
	struct ds ds[DS_MAX];
	int ds_n, digests, failures;
	/* The canonical RRset, made when first needed: records as length and RDATA. */
	void *memory;
	const uint8_t **record;
	int record_n;
	uint8_t *blob;
	size_t blob_room;
};

static void reach(struct check *c, enum reached where)
{
	if (where > c->reached)
		c->reached = where;
}

/* ---- algorithms, keys, digests ---- */

static bool algorithm_known(unsigned algorithm, bool sha1)
{
	switch (algorithm) {
	case RSASHA1:
	case RSASHA1_NSEC3:
		return sha1;
	case RSASHA256:
	case RSASHA512:
	case ECDSAP256:
	case ECDSAP384:
	case ED25519:
	case ED448:
		return true;
	default:
		return false;
	}
}

/* What a check costs, in checks of P-256 or the largest RSA (0.1 ms), as measured with
 * OpenSSL 3.0, which has fast code for P-256 alone. */
static int32_t cost_of(unsigned algorithm)
{
	switch (algorithm) {
	case ED25519:
		return 2;
	case ED448:
		return 4;
	case ECDSAP384:
		return 8;
	default:
		return 1;
	}
}

/* RFC 3110 2: exponent's length, exponent, modulus, neither with leading zeros. The long
 * form of the length is for exponents that are refused anyway. */
static uint16_t rsa_signature_len(const uint8_t *key, size_t len)
{
	size_t e_len = len ? key[0] : 0;
	if (e_len < 1 || e_len > RSA_EXPONENT_BYTES || len < 1 + e_len + RSA_BYTES_MIN)
		return 0;
	const uint8_t *e = key + 1, *n = e + e_len;
	size_t n_len = len - 1 - e_len;
	if (e[0] == 0 || !(e[e_len - 1] & 1) || (e_len == 1 && e[0] == 1) ||
	    (e_len == RSA_EXPONENT_BYTES && e[0] > RSA_EXPONENT_TOP))
		return 0;
	if (n_len > RSA_BYTES_MAX || n[0] == 0 || !(n[n_len - 1] & 1) ||
	    (n_len == RSA_BYTES_MIN && n[0] < 0x80))
		return 0;
	return (uint16_t)n_len;
}

/* How long the signatures of this key are; 0 when the key is not to be used. */
static uint16_t signature_len(unsigned algorithm, const uint8_t *key, size_t len)
{
	switch (algorithm) {
	case RSASHA1:
	case RSASHA1_NSEC3:
	case RSASHA256:
	case RSASHA512:
		return rsa_signature_len(key, len);
	case ECDSAP256:
		return len == 64 ? 64 : 0;
	case ECDSAP384:
		return len == 96 ? 96 : 0;
	case ED25519:
		return len == 32 ? 64 : 0;
	case ED448:
		return len == 57 ? 114 : 0;
	default:
		return 0;
	}
}

uint16_t val_sig_key_tag(const uint8_t *dnskey, uint16_t len)
{
	return ldns_calc_keytag_raw(dnskey, len);
}

static bool key_read(struct key *k, const uint8_t *rdata, uint16_t len)
{
	if (len <= KEY_FIXED)
		return false;
	*k = (struct key){.rdata = rdata,
			  .len = len,
			  .flags = wire_get16(rdata),
			  .tag = val_sig_key_tag(rdata, len),
			  .protocol = rdata[2],
			  .algorithm = rdata[3]};
	k->signature_len =
		signature_len(k->algorithm, rdata + KEY_FIXED, len - KEY_FIXED);
	return true;
}

/* The digest of owner and DNSKEY, RFC 4034 5.1.4; its length, 0 for an unknown type. */
static uint16_t key_digest(uint8_t out[DIGEST_MAX], unsigned type, const uint8_t *owner,
			   const uint8_t *dnskey, uint16_t len)
{
	uint8_t name[DNS_NAME_MAX];
	size_t n = name_len(owner);
	union {
		ldns_sha1_ctx sha1;
		ldns_sha256_CTX sha256;
		ldns_sha384_CTX sha384;
	} h;
	memcpy(name, owner, n);
	name_lower(name, n);
	switch (type) {
	case DIGEST_SHA1:
		ldns_sha1_init(&h.sha1);
		ldns_sha1_update(&h.sha1, name, (unsigned)n);
		ldns_sha1_update(&h.sha1, dnskey, len);
		ldns_sha1_final(out, &h.sha1);
		return LDNS_SHA1_DIGEST_LENGTH;
	case DIGEST_SHA256:
		ldns_sha256_init(&h.sha256);
		ldns_sha256_update(&h.sha256, name, n);
		ldns_sha256_update(&h.sha256, dnskey, len);
		ldns_sha256_final(out, &h.sha256);
		return LDNS_SHA256_DIGEST_LENGTH;
	case DIGEST_SHA384:
		ldns_sha384_init(&h.sha384);
		ldns_sha384_update(&h.sha384, name, n);
		ldns_sha384_update(&h.sha384, dnskey, len);
		ldns_sha384_final(out, &h.sha384);
		return LDNS_SHA384_DIGEST_LENGTH;
	default:
		return 0;
	}
}

void val_sig_ds(uint8_t out[VAL_DS_LEN], const uint8_t *owner, const uint8_t *dnskey,
		uint16_t len)
{
	uint8_t digest[DIGEST_MAX];
	wire_set16(out, val_sig_key_tag(dnskey, len));
	out[2] = dnskey[3];
	out[3] = DIGEST_SHA256;
	memcpy(out + DS_FIXED, digest,
	       key_digest(digest, DIGEST_SHA256, owner, dnskey, len));
}

void val_sig_sha1(uint8_t out[VAL_SHA1_LEN], const uint8_t *data, size_t len)
{
	ldns_sha1(data, (unsigned)len, out);
}

/* ---- one RRSIG, without a key ---- */

static bool sig_read(struct sig *g, const uint8_t *rdata, uint16_t len)
{
	struct wire_reader r = wire_reader(rdata, len);
	if (rdata_check(&r, DNS_RRSIG, len))
		return false;
	size_t head = SIG_FIXED + name_len(rdata + SIG_FIXED);
	*g = (struct sig){.rdata = rdata,
			  .type = wire_get16(rdata),
			  .algorithm = rdata[2],
			  .labels = rdata[3],
			  .ttl = wire_get32(rdata + 4),
			  .expiration = wire_get32(rdata + 8),
			  .inception = wire_get32(rdata + 12),
			  .tag = wire_get16(rdata + 16),
			  .signer = rdata + SIG_FIXED,
			  .signature = rdata + head,
			  .signature_len = (uint16_t)(len - head)};
	return true;
}

/* What a DS record says is the parent's, RFC 4035 5.3.1 and 2.4. */
static bool may_sign(const uint8_t *signer, const struct rrset *s)
{
	return s->type == DNS_DS ? name_below(s->owner, signer)
				 : name_within(s->owner, signer);
}

static bool is_wildcard(const uint8_t *name)
{
	return name[0] == 1 && name[1] == '*';
}

/* RFC 4034 3.1.3: the root and a leading "*" do not count. */
static unsigned labels_of(const uint8_t *name)
{
	return name_labels(name) - is_wildcard(name);
}

static int32_t skew(const struct sig *g)
{
	uint32_t s = (g->expiration - g->inception) / 10;
	return (int32_t)(s < SKEW_MIN_S ? SKEW_MIN_S : s > SKEW_MAX_S ? SKEW_MAX_S : s);
}

/* a - b in the order of RFC 1982. */
static int32_t after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

/* How far a signature gets that covers the type. */
static enum reached sig_examine(const struct check *c, const struct sig *g)
{
	if (!name_equal(g->signer, c->zone) || !may_sign(g->signer, c->s))
		return REACHED_FORM;
	if (g->labels > labels_of(c->s->owner) || g->labels < name_labels(g->signer))
		return REACHED_FORM;
	if (after(g->expiration, g->inception) < 0)
		return REACHED_FORM;
	if (!algorithm_known(g->algorithm, c->sha1))
		return REACHED_ALGORITHM;
	if (after(g->inception, c->now_s) > skew(g))
		return REACHED_EARLY;
	if (after(c->now_s, g->expiration) > skew(g))
		return REACHED_LATE;
	return REACHED_TIME;
}

static void gather_sigs(struct check *c)
{
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	while (c->sig_n < SIGS_MAX && rrset_next_sig(c->s, &at, &rdata, &len)) {
		struct sig *g = &c->sig[c->sig_n];
		if (!sig_read(g, rdata, len)) {
			reach(c, REACHED_FORM);
		} else if (g->type == c->s->type) {
			enum reached where = sig_examine(c, g);
			reach(c, where);
			c->sig_n += where == REACHED_TIME;
		}
	}
}

const uint8_t *val_sig_signer(const struct rrset *s)
{
	const uint8_t *best = NULL, *rdata;
	uint16_t len;
	uint32_t at = 0;
	struct sig g;
	while (rrset_next_sig(s, &at, &rdata, &len))
		if (sig_read(&g, rdata, len) && g.type == s->type &&
		    may_sign(g.signer, s) &&
		    (!best || name_labels(g.signer) > name_labels(best)))
			best = g.signer;
	return best;
}

/* ---- the bytes that are signed, RFC 4034 3.1.8.1 and 6 ---- */

static int by_rdata(const void *va, const void *vb)
{
	const uint8_t *a = *(const uint8_t *const *)va, *b = *(const uint8_t *const *)vb;
	unsigned a_len = wire_get16(a), b_len = wire_get16(b);
	int order = memcmp(a + 2, b + 2, a_len < b_len ? a_len : b_len);
	return order ? order : (int)a_len - (int)b_len;
}

/* Fills record with the canonical form of data, a copy of the set's, each record once. */
static bool canonical_records(struct check *c, uint8_t *data)
{
	const struct rrset *s = c->s;
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	int n = 0;
	while (n < s->rr_n && rdata_next(data, s->data_len, &at, &rdata, &len)) {
		uint8_t *mine = data + at - len;
		if (rdata_canonical(mine, len, s->type))
			return false;
		c->record[n++] = mine - 2;
	}
	if (n != s->rr_n || at != s->data_len)
		return false;
	qsort(c->record, (size_t)n, sizeof *c->record, by_rdata);
	for (int i = 0; i < n; i++)
		if (i == 0 || by_rdata(&c->record[i], &c->record[c->record_n - 1]))
			c->record[c->record_n++] = c->record[i];
	return true;
}

/* Room for all, and the records. False when the set cannot be checked. */
static bool canonical(struct check *c)
{
	const struct rrset *s = c->s;
	size_t index = s->rr_n * sizeof *c->record;
	c->blob_room = SIG_FIXED + DNS_NAME_MAX + s->data_len +
		       s->rr_n * (name_len(s->owner) + 2 + 2 + 4);
	if (s->data_len == 0 || c->blob_room > BLOB_MAX)
		return false;
	c->memory = malloc(index + s->data_len + c->blob_room);
	if (!c->memory) {
		c->out->security = SECURITY_INDETERMINATE;
		return false;
	}
	c->record = c->memory;
	uint8_t *data = (uint8_t *)c->memory + index;
	c->blob = data + s->data_len;
	memcpy(data, s->data, s->data_len);
	return canonical_records(c, data);
}

/* The end of the owner that has as many labels as the signature says, when that is not
 * all of it. */
static const uint8_t *encloser_of(const uint8_t *owner, const struct sig *g)
{
	return g->labels == labels_of(owner) ? NULL : name_last(owner, g->labels);
}

static void put_lower(struct wire_writer *w, const uint8_t *name)
{
	size_t n = name_len(name);
	uint8_t *p = wire_room(w, n);
	if (p) {
		memcpy(p, name, n);
		name_lower(p, n);
	}
}

/* Fills blob with what g signs; its length, 0 when it does not fit. */
static size_t signed_bytes(struct check *c, const struct sig *g)
{
	static const uint8_t star[] = {1, '*'};
	const uint8_t *encloser = encloser_of(c->s->owner, g);
	struct wire_writer w = wire_writer(c->blob, c->blob_room);
	wire_put(&w, g->rdata, SIG_FIXED);
	put_lower(&w, g->signer);
	for (int i = 0; i < c->record_n; i++) {
		if (encloser)
			wire_put(&w, star, sizeof star);
		put_lower(&w, encloser ? encloser : c->s->owner);
		wire_put16(&w, c->s->type);
		wire_put16(&w, DNS_IN);
		wire_put32(&w, g->ttl);
		wire_put(&w, c->record[i], 2U + wire_get16(c->record[i]));
	}
	return w.err ? 0 : wire_written(&w);
}

/* ---- crypto ---- */

/* An unsigned number of len bytes as an ASN.1 INTEGER. */
static void put_integer(struct wire_writer *w, const uint8_t *number, size_t len)
{
	for (; len > 1 && !number[0]; len--)
		number++;
	bool pad = number[0] & 0x80;
	wire_put8(w, 0x02);
	wire_put8(w, (unsigned)len + pad);
	if (pad)
		wire_put8(w, 0);
	wire_put(w, number, len);
}

/* ldns takes ECDSA signatures in DER only (L23). Lengths stay below 128, one byte. */
static size_t ecdsa_to_der(uint8_t *out, size_t room, const uint8_t *signature,
			   size_t len)
{
	struct wire_writer w = wire_writer(out, room);
	wire_put8(&w, 0x30);
	wire_put8(&w, 0);
	put_integer(&w, signature, len / 2);
	put_integer(&w, signature + len / 2, len / 2);
	out[1] = (uint8_t)(wire_written(&w) - 2);
	return wire_written(&w);
}

static bool verified(const struct check *c, const struct key *k, const struct sig *g,
		     size_t blob_len)
{
	uint8_t signature[SIGNATURE_MAX], key[KEY_MATERIAL_MAX];
	size_t len = g->signature_len, key_len = (size_t)k->len - KEY_FIXED;
	if (g->algorithm == ECDSAP256 || g->algorithm == ECDSAP384)
		len = ecdsa_to_der(signature, sizeof signature, g->signature, len);
	else
		memcpy(signature, g->signature, len);
	memcpy(key, k->rdata + KEY_FIXED, key_len);
	ldns_buffer blob = {._position = blob_len,
			    ._limit = blob_len,
			    ._capacity = blob_len,
			    ._data = c->blob,
			    ._fixed = 1};
	return ldns_verify_rrsig_buffers_raw(signature, len, &blob, key, key_len,
					     g->algorithm) == LDNS_STATUS_OK;
}

/* What is left of the signature's life; in the time that only skew allows, of that. */
static uint32_t life(const struct check *c, const struct sig *g)
{
	int32_t left = after(g->expiration, c->now_s);
	return (uint32_t)(left > 0 ? left : left + skew(g));
}

static void succeed(struct check *c, const struct sig *g)
{
	uint32_t left = life(c, g);
	c->out->security = SECURITY_SECURE;
	c->out->ede = DNS_EDE_NONE;
	c->out->ttl_max = g->ttl < left ? g->ttl : left;
	c->out->encloser = encloser_of(c->s->owner, g);
}

/* True: the RRset is decided. */
static bool try_pair(struct check *c, const struct key *k, const struct sig *g)
{
	reach(c, REACHED_CRYPTO);
	if (!c->memory && !canonical(c))
		return true;
	int32_t cost = cost_of(g->algorithm);
	if (c->work->question < cost || c->work->response < 1) {
		c->out->security = SECURITY_INDETERMINATE;
		return true;
	}
	c->work->question -= cost;
	c->work->response--;
	size_t n = signed_bytes(c, g);
	if (n && verified(c, k, g, n)) {
		succeed(c, g);
		return true;
	}
	return ++c->failures >= VAL_FAILURES_MAX;
}

/* ---- which keys ---- */

static bool vouched_for(struct check *c, const struct key *k)
{
	uint8_t digest[DIGEST_MAX];
	if (!c->ds_set)
		return true;
	for (int i = 0; i < c->ds_n && c->digests < DIGESTS_MAX; i++) {
		const struct ds *d = &c->ds[i];
		if (d->tag != k->tag || d->algorithm != k->algorithm)
			continue;
		c->digests++;
		if (d->digest_len ==
			    key_digest(digest, d->type, c->zone, k->rdata, k->len) &&
		    memcmp(d->digest, digest, d->digest_len) == 0)
			return true;
	}
	return false;
}

/* RFC 4034 2.1.1 and 2.1.2, RFC 5011 2.1. */
static bool key_may_sign(struct check *c, const struct key *k)
{
	if (!(k->flags & KEY_ZONE)) {
		reach(c, REACHED_NO_ZONE_KEY);
		return false;
	}
	return !(k->flags & KEY_REVOKE) == !c->revoked && k->protocol == KEY_PROTOCOL;
}

/* True: the RRset is decided. */
static bool try_key(struct check *c, const struct key *k)
{
	bool trusted = false;
	for (int i = 0; i < c->sig_n; i++) {
		const struct sig *g = &c->sig[i];
		if (g->tag != k->tag || g->algorithm != k->algorithm)
			continue;
		if (!trusted &&
		    (!key_may_sign(c, k) || !k->signature_len || !vouched_for(c, k)))
			return false;
		trusted = true;
		if (g->signature_len == k->signature_len && try_pair(c, k, g))
			return true;
	}
	return false;
}

static void run(struct check *c, const struct rrset *keys)
{
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	struct key k;
	*c->out = (struct val_sig){.security = SECURITY_BOGUS};
	if (c->s->kind == RRSET_DATA && keys->kind == RRSET_DATA &&
	    keys->type == DNS_DNSKEY && name_equal(keys->owner, c->zone))
		gather_sigs(c);
	while (c->sig_n && rrset_next(keys, &at, &rdata, &len))
		if (key_read(&k, rdata, len) && try_key(c, &k))
			break;
	free(c->memory);
	if (c->out->security == SECURITY_BOGUS)
		c->out->ede = ede_of[c->reached];
	else if (c->out->security == SECURITY_INDETERMINATE)
		c->out->ede = DNS_EDE_INDETERMINATE;
}

void val_sig_check(struct val_sig *out, const struct rrset *s, const uint8_t *zone,
		   const struct rrset *keys, bool sha1, struct val_work *work,
		   uint32_t now_s)
{
	struct check c = {.out = out,
			  .s = s,
			  .zone = zone,
			  .work = work,
			  .now_s = now_s,
			  .sha1 = sha1};
	run(&c, keys);
}

/* ---- DS ---- */

static bool digest_known(unsigned type)
{
	return type == DIGEST_SHA1 || type == DIGEST_SHA256 || type == DIGEST_SHA384;
}

/* RFC 4509 3: SHA-1 says nothing beside a better digest of an algorithm we know. */
static void gather_ds(struct check *c, const struct rrset *set)
{
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	bool better = false;
	while (rrset_next(set, &at, &rdata, &len)) {
		if (len <= DS_FIXED || !algorithm_known(rdata[2], c->sha1) ||
		    !digest_known(rdata[3]) || (better && rdata[3] == DIGEST_SHA1))
			continue;
		if (!better && rdata[3] != DIGEST_SHA1) {
			better = true;
			c->ds_n = 0;
		}
		if (c->ds_n == DS_MAX)
			continue;
		c->ds[c->ds_n++] = (struct ds){.digest = rdata + DS_FIXED,
					       .digest_len = (uint16_t)(len - DS_FIXED),
					       .tag = wire_get16(rdata),
					       .algorithm = rdata[2],
					       .type = rdata[3]};
	}
}

void val_sig_check_keys(struct val_sig *out, const struct rrset *keys,
			const struct rrset *ds, bool sha1, struct val_work *work,
			uint32_t now_s)
{
	struct check c = {.out = out,
			  .s = keys,
			  .zone = keys->owner,
			  .work = work,
			  .now_s = now_s,
			  .sha1 = sha1,
			  .ds_set = ds};
	gather_ds(&c, ds);
	run(&c, keys);
}

bool val_sig_revoked(const struct rrset *keys, const uint8_t *dnskey, uint16_t len,
		     struct val_work *work, uint32_t now_s)
{
	uint8_t data[2 + REVOKED_MAX];
	struct rrset one = *keys;
	struct val_sig result;
	struct check c = {.out = &result,
			  .s = keys,
			  .zone = keys->owner,
			  .work = work,
			  .now_s = now_s,
			  .sha1 = true,
			  .revoked = true};
	if (len > REVOKED_MAX)
		return false;
	wire_set16(data, len);
	memcpy(data + 2, dnskey, len);
	one.data = data;
	one.data_len = 2U + len;
	one.rr_n = 1;
	run(&c, &one);
	return result.security == SECURITY_SECURE;
}

bool val_sig_usable(const struct rrset *ds, bool sha1, int16_t *ede)
{
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	*ede = DNS_EDE_DNSKEY_ALGORITHM;
	while (rrset_next(ds, &at, &rdata, &len)) {
		if (len <= DS_FIXED)
			return true;
		bool algorithm = algorithm_known(rdata[2], sha1);
		if (algorithm && digest_known(rdata[3]))
			return true;
		if (algorithm)
			*ede = DNS_EDE_DS_DIGEST;
	}
	return at == 0 || at != ds->data_len;
}
