#include "resolver/val_sig.h"

#include <ldns/ldns.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/unit.h"

/* The signed bytes are written here a second time, and without a sort: records are given
 * in canonical order. What ldns signs itself is checked in agrees_with_ldns. */

enum { NOW = 1800000000, DAY = 86400, ROOM = 1 << 17, RSA_BITS = 1024 };

#define B(t) t, sizeof t - 1
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* A growing list of records or signatures. */
struct list {
	uint8_t data[ROOM];
	uint32_t len;
	uint16_t n;
};

static void add(struct list *l, const void *rdata, size_t len)
{
	ck_assert_uint_le(l->len + 2 + len, ROOM);
	wire_set16(l->data + l->len, (unsigned)len);
	memcpy(l->data + l->len + 2, rdata, len);
	l->len += 2 + (uint32_t)len;
	l->n++;
}

static void clear(struct list *l)
{
	l->len = 0;
	l->n = 0;
}

static const uint8_t *name(const char *text)
{
	static uint8_t ring[16][DNS_NAME_MAX];
	static int at;
	uint8_t *out = ring[at++ % 16];
	ck_assert_int_eq(name_from_str(out, text), ERR_OK);
	return out;
}

static struct rrset rrset(const uint8_t *owner, uint16_t type, const struct list *data,
			  const struct list *sigs)
{
	struct rrset s = {.owner = owner, .type = type, .kind = RRSET_DATA, .ttl = 300};
	s.data = data->data;
	s.data_len = data->len;
	s.rr_n = data->n;
	if (sigs) {
		s.sigs = sigs->data;
		s.sigs_len = sigs->len;
		s.sig_n = sigs->n;
	}
	return s;
}

/* ---- keys and signatures ---- */

struct keypair {
	ldns_key *key;
	uint8_t algorithm;
	uint8_t dnskey[600];
	uint16_t len;
};

static struct keypair *keypair_new(uint8_t algorithm)
{
	struct keypair *k = calloc(1, sizeof *k);
	k->algorithm = algorithm;
	k->key = ldns_key_new_frm_algorithm((ldns_signing_algorithm)algorithm, RSA_BITS);
	ck_assert_ptr_nonnull(k->key);
	ldns_key_set_pubkey_owner(k->key, ldns_dname_new_frm_str("example.com."));
	ldns_rr *rr = ldns_key2rr(k->key);
	ldns_rdf *material = ldns_rr_dnskey_key(rr);
	wire_set16(k->dnskey, 0x0101);
	k->dnskey[2] = 3;
	k->dnskey[3] = algorithm;
	k->len = (uint16_t)(4 + ldns_rdf_size(material));
	memcpy(k->dnskey + 4, ldns_rdf_data(material), k->len - 4U);
	ldns_rr_free(rr);
	return k;
}

static void keypair_free(struct keypair *k)
{
	ldns_key_deep_free(k->key);
	free(k);
}

/* What is to be signed, and how; zero is the usual. Times are from NOW. */
struct recipe {
	const char *signer;	  /* example.com */
	const char *signed_owner; /* what the signature says: the owner */
	int labels;		  /* the owner's; -1: 0 */
	int inception, expiration;
	uint16_t covered, class, tag;
	uint8_t algorithm;
	uint32_t ttl;
};

static void sign(struct list *sigs, const struct recipe *r, const struct keypair *k,
		 const uint8_t *owner, uint16_t type, const struct list *records)
{
	static uint8_t blob[2 * ROOM];
	uint8_t rrsig[800];
	const uint8_t *signer = name(r->signer ? r->signer : "example.com");
	const uint8_t *signed_owner = r->signed_owner ? name(r->signed_owner) : owner;
	struct wire_writer w = wire_writer(blob, sizeof blob);
	wire_put16(&w, r->covered ? r->covered : type);
	wire_put8(&w, r->algorithm ? r->algorithm : k->algorithm);
	wire_put8(&w, r->labels > 0 ? (unsigned)r->labels
		      : r->labels   ? 0
				    : name_labels(owner));
	wire_put32(&w, r->ttl ? r->ttl : 3600);
	wire_put32(&w, NOW + (uint32_t)(r->expiration ? r->expiration : 20 * DAY));
	wire_put32(&w, NOW + (uint32_t)(r->inception ? r->inception : -10 * DAY));
	wire_put16(&w, r->tag ? r->tag : val_sig_key_tag(k->dnskey, k->len));
	wire_put_name(&w, signer);
	size_t head = wire_written(&w);
	const uint8_t *rdata;
	uint16_t len;
	for (uint32_t at = 0;
	     rdata_next(records->data, records->len, &at, &rdata, &len);) {
		wire_put_name(&w, signed_owner);
		wire_put16(&w, type);
		wire_put16(&w, r->class ? r->class : DNS_IN);
		wire_put32(&w, r->ttl ? r->ttl : 3600);
		wire_put16(&w, len);
		wire_put(&w, rdata, len);
	}
	ck_assert_int_eq(w.err, 0);
	ldns_buffer buf = {._position = wire_written(&w),
			   ._limit = sizeof blob,
			   ._capacity = sizeof blob,
			   ._data = blob,
			   ._fixed = 1};
	ldns_rdf *signature = ldns_sign_public_buffer(&buf, k->key);
	ck_assert_ptr_nonnull(signature);
	memcpy(rrsig, blob, head);
	memcpy(rrsig + head, ldns_rdf_data(signature), ldns_rdf_size(signature));
	add(sigs, rrsig, head + ldns_rdf_size(signature));
	ldns_rdf_deep_free(signature);
}

/* ---- one zone with one key, one RRset ---- */

struct world {
	struct keypair *key;
	struct list keys, data, sigs;
	const uint8_t *owner, *zone;
	uint16_t type;
	struct val_work work;
	struct val_sig out;
};

static void world_init(struct world *w, uint8_t algorithm)
{
	memset(w, 0, sizeof *w);
	w->key = keypair_new(algorithm);
	w->owner = name("www.example.com");
	w->zone = name("example.com");
	w->type = DNS_A;
	add(&w->keys, w->key->dnskey, w->key->len);
	add(&w->data, B("\300\0\2\1"));
	add(&w->data, B("\300\0\2\2"));
}

static void world_fini(struct world *w)
{
	keypair_free(w->key);
	free(w);
}

static struct world *world_new(uint8_t algorithm)
{
	struct world *w = malloc(sizeof *w);
	world_init(w, algorithm);
	return w;
}

static void world_sign(struct world *w, const struct recipe *r)
{
	sign(&w->sigs, r, w->key, w->owner, w->type, &w->data);
}

static void check_at(struct world *w, bool sha1, uint32_t now_s)
{
	struct rrset s = rrset(w->owner, w->type, &w->data, &w->sigs);
	struct rrset keys = rrset(w->zone, DNS_DNSKEY, &w->keys, NULL);
	w->work = (struct val_work){VAL_SIGS_QUESTION, VAL_SIGS_RESPONSE, VAL_HASHES_MAX};
	val_sig_check(&w->out, &s, w->zone, &keys, sha1, &w->work, now_s);
}

static int spent(const struct world *w)
{
	return VAL_SIGS_RESPONSE - w->work.response;
}

static void expect(struct world *w, int security, int ede, const char *what)
{
	check_at(w, false, NOW);
	ck_assert_msg(w->out.security == security && w->out.ede == ede,
		      "%s: security %d, EDE %d", what, w->out.security, w->out.ede);
}

static const uint8_t algorithms[] = {5, 7, 8, 10, 13, 14, 15, 16};
static const int costs[] = {1, 1, 1, 1, 1, 8, 2, 4};

START_TEST(every_algorithm)
{
	for (size_t i = 0; i < COUNT(algorithms); i++) {
		struct world *w = world_new(algorithms[i]);
		world_sign(w, &(struct recipe){0});
		check_at(w, true, NOW);
		ck_assert_msg(w->out.security == SECURITY_SECURE, "%d", algorithms[i]);
		ck_assert_int_eq(w->out.ede, DNS_EDE_NONE);
		ck_assert_uint_eq(w->out.ttl_max, 3600);
		ck_assert_ptr_null(w->out.encloser);
		ck_assert_int_eq(spent(w), 1);
		ck_assert_int_eq(w->work.question, VAL_SIGS_QUESTION - costs[i]);
		struct rrset s = rrset(w->owner, w->type, &w->data, &w->sigs);
		struct rrset keys = rrset(w->zone, DNS_DNSKEY, &w->keys, NULL);
		for (int have = costs[i] - 1; have <= costs[i]; have++) {
			w->work.question = have;
			val_sig_check(&w->out, &s, w->zone, &keys, true, &w->work, NOW);
			ck_assert_int_eq(w->out.security, have < costs[i]
								  ? SECURITY_INDETERMINATE
								  : SECURITY_SECURE);
		}
		bool old = algorithms[i] <= 7;
		expect(w, old ? SECURITY_BOGUS : SECURITY_SECURE,
		       old ? DNS_EDE_DNSKEY_ALGORITHM : DNS_EDE_NONE, "without SHA-1");
		/* one bit of the signature's first and last byte, key, data */
		uint8_t *bytes[] = {w->sigs.data + w->sigs.len - 1,
				    w->sigs.data + 2 + 18 + name_len(w->zone),
				    w->keys.data + w->keys.len - 2, w->data.data + 2};
		for (size_t k = 0; k < COUNT(bytes); k++) {
			*bytes[k] ^= 2;
			check_at(w, true, NOW);
			ck_assert_int_eq(w->out.security, SECURITY_BOGUS);
			*bytes[k] ^= 2;
		}
		world_fini(w);
	}
}
END_TEST

/* r and s of ECDSA signatures that begin with zeros, or with the top bit set, make DER
 * numbers of other lengths. */
START_TEST(ecdsa_numbers_of_all_lengths)
{
	struct world *w = world_new(13);
	bool high = false, zero = false;
	for (int i = 0; i < 2000 && !(high && zero); i++) {
		clear(&w->sigs);
		world_sign(w, &(struct recipe){.ttl = 1000 + (uint32_t)i});
		uint8_t first = w->sigs.data[w->sigs.len - 64];
		bool wanted = (first & 0x80 && !high) || (!first && !zero);
		high |= first & 0x80;
		zero |= !first;
		if (wanted)
			expect(w, SECURITY_SECURE, DNS_EDE_NONE, "number");
	}
	ck_assert(high && zero);
	memset(w->sigs.data + w->sigs.len - 64, 0, 64);
	expect(w, SECURITY_BOGUS, DNS_EDE_BOGUS, "zeros");
	world_fini(w);
}
END_TEST

#define GOOD SECURITY_SECURE, DNS_EDE_NONE
#define BAD SECURITY_BOGUS, DNS_EDE_BOGUS
#define BAD_EDE(ede) SECURITY_BOGUS, DNS_EDE_##ede

/* Each row's signature is right for the bytes that the row describes: only our own checks
 * stand between it and SECURE. */
static const struct row {
	const char *what;
	struct recipe sign;
	struct {
		int security, ede;
	} want;
	const char *owner, *zone;
	uint16_t type, flags;
	uint8_t protocol;
	const char *encloser;
} rows[] = {
	{"as it should be", {0}, .want = {GOOD}},
	{"zone's own name", {.labels = 2}, .want = {GOOD}, "example.com"},
	{"signer above the zone", {.signer = "com"}, .want = {BAD}},
	{"signer the root", {.signer = "."}, .want = {BAD}},
	{"signer below the owner", {.signer = "a.www.example.com"}, .want = {BAD}},
	{"signer is the owner", {.signer = "www.example.com"}, .want = {BAD}},
	{"signer a sibling", {.signer = "example.net"}, .want = {BAD}},
	{"owner outside",
	 {.signer = "example.net"},
	 .want = {BAD},
	 .zone = "example.net"},
	{"owner a suffix, not below", {.labels = 2}, .want = {BAD}, "badexample.com"},
	{"evil for www.bank (L12)",
	 {.signer = "evil"},
	 .want = {BAD},
	 "www.bank",
	 "evil"},
	{"DS from the parent", {0}, .want = {GOOD}, "a.example.com", .type = DNS_DS},
	{"DS by the child itself", {0}, .want = {BAD}, "example.com", .type = DNS_DS},
	{"DS of the root",
	 {.signer = ".", .labels = -1},
	 .want = {BAD},
	 ".",
	 ".",
	 DNS_DS},
	{"root", {.signer = ".", .labels = -1}, .want = {GOOD}, ".", ".", DNS_NS},
	{"labels too many", {.labels = 4}, .want = {BAD}},
	{"labels too many, signed for a wildcard below",
	 {.labels = 4, .signed_owner = "*.www.example.com"},
	 .want = {BAD}},
	{"labels far too many", {.labels = 255}, .want = {BAD}},
	{"labels fewer than the signer's",
	 {.labels = 1, .signed_owner = "*.com"},
	 .want = {BAD}},
	{"labels none", {.labels = -1, .signed_owner = "*"}, .want = {BAD}},
	{"from the wildcard",
	 {.labels = 2, .signed_owner = "*.example.com"},
	 .want = {GOOD},
	 .encloser = "example.com"},
	{"deep from the wildcard",
	 {.labels = 3, .signed_owner = "*.w.example.com"},
	 .want = {GOOD},
	 "a.b.w.example.com",
	 .encloser = "w.example.com"},
	{"from the root's wildcard",
	 {.signer = ".", .labels = -1, .signed_owner = "*"},
	 .want = {GOOD},
	 "a.test",
	 ".",
	 .encloser = "."},
	{"fewer labels, signed for the owner itself", {.labels = 2}, .want = {BAD}},
	{"more labels than the wildcard it is from",
	 {.labels = 3, .signed_owner = "*.example.com"},
	 .want = {BAD}},
	{"the wildcard itself", {.labels = 2}, .want = {GOOD}, "*.example.com"},
	{"wildcard: the star counted", {.labels = 3}, .want = {BAD}, "*.example.com"},
	{"the question's star from a higher wildcard",
	 {.labels = 2, .signed_owner = "*.example.com"},
	 .want = {GOOD},
	 "*.w.example.com",
	 .encloser = "example.com"},
	{"other algorithm on the signature",
	 {.algorithm = 8},
	 .want = {BAD_EDE(DNSKEY_MISSING)}},
	{"unknown algorithm", {.algorithm = 17}, .want = {BAD_EDE(DNSKEY_ALGORITHM)}},
	{"RSAMD5", {.algorithm = 1}, .want = {BAD_EDE(DNSKEY_ALGORITHM)}},
	{"DSA", {.algorithm = 3}, .want = {BAD_EDE(DNSKEY_ALGORITHM)}},
	{"private algorithm", {.algorithm = 253}, .want = {BAD_EDE(DNSKEY_ALGORITHM)}},
	{"covers another type", {.covered = DNS_AAAA}, .want = {BAD_EDE(RRSIGS_MISSING)}},
	{"wrong tag", {.tag = 1}, .want = {BAD_EDE(DNSKEY_MISSING)}},
	{"class CH", {.class = DNS_CH}, .want = {BAD}},
	{"class ANY", {.class = DNS_CLASS_ANY}, .want = {BAD}},
	{"no ZONE flag", {0}, .want = {BAD_EDE(NO_ZONE_KEY_BIT)}, .flags = 0x0001},
	{"no flags at all", {0}, .want = {BAD_EDE(NO_ZONE_KEY_BIT)}, .flags = 0x8000},
	{"REVOKE", {0}, .want = {BAD_EDE(DNSKEY_MISSING)}, .flags = 0x0181},
	{"without SEP", {0}, .want = {GOOD}, .flags = 0x0100},
	{"unknown flags", {0}, .want = {GOOD}, .flags = 0x8101},
	{"protocol 2", {0}, .want = {BAD_EDE(DNSKEY_MISSING)}, .protocol = 2},
	{"protocol 255", {0}, .want = {BAD_EDE(DNSKEY_MISSING)}, .protocol = 255},
	/* life of 10 days: the skew is a day */
	{"expired by a day",
	 {.inception = -11 * DAY, .expiration = -DAY},
	 .want = {GOOD}},
	{"expired by a day and 1 s",
	 {.inception = -11 * DAY - 1, .expiration = -DAY - 1},
	 .want = {BAD_EDE(SIGNATURE_EXPIRED)}},
	{"starts in a day", {.inception = DAY, .expiration = 11 * DAY}, .want = {GOOD}},
	{"starts in a day and 1 s",
	 {.inception = DAY + 1, .expiration = 11 * DAY},
	 .want = {BAD_EDE(SIGNATURE_NOT_YET_VALID)}},
	/* of 20 hours: two hours */
	{"expired by 2 h", {.inception = -79200, .expiration = -7200}, .want = {GOOD}},
	{"expired by 2 h and 1 s",
	 {.inception = -79201, .expiration = -7201},
	 .want = {BAD_EDE(SIGNATURE_EXPIRED)}},
	/* of 10 minutes: an hour */
	{"expired by 1 h", {.inception = -4200, .expiration = -3600}, .want = {GOOD}},
	{"expired by 1 h and 1 s",
	 {.inception = -4201, .expiration = -3601},
	 .want = {BAD_EDE(SIGNATURE_EXPIRED)}},
	/* of 300 days: a day */
	{"long life, expired by 2 days",
	 {.inception = -302 * DAY, .expiration = -2 * DAY},
	 .want = {BAD_EDE(SIGNATURE_EXPIRED)}},
	{"ends before it starts", {.inception = 10, .expiration = -10}, .want = {BAD}},
	{"half a circle away",
	 {.inception = -DAY, .expiration = INT32_MAX},
	 .want = {BAD}},
};

static void row_keys(struct world *w, const struct row *r)
{
	uint8_t *dnskey = w->keys.data + 2;
	wire_set16(dnskey, r->flags ? r->flags & 0x7fffU : 0x0101);
	if (r->flags == 0x8101)
		dnskey[0] |= 0x80;
	dnskey[2] = r->protocol ? r->protocol : 3;
	memcpy(w->key->dnskey, dnskey, 4); /* so that tags agree */
}

START_TEST(nothing_wrong_is_secure)
{
	struct world *w = world_new(13);
	struct list plain = w->data;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *r = &rows[i];
		w->owner = name(r->owner ? r->owner : "www.example.com");
		w->zone = name(r->zone ? r->zone : "example.com");
		w->type = r->type ? r->type : DNS_A;
		w->data = plain;
		if (w->type != DNS_A) {
			clear(&w->data);
			add(&w->data, B("\2ns\0\1\1a\0"));
			w->data.n = 1;
			if (w->type == DNS_NS) {
				w->data.len = 2 + 4;
				wire_set16(w->data.data, 4);
			}
		}
		clear(&w->sigs);
		row_keys(w, r);
		world_sign(w, &r->sign);
		expect(w, r->want.security, r->want.ede, r->what);
		ck_assert_msg(!w->out.encloser == !r->encloser, "%s", r->what);
		if (r->encloser)
			ck_assert(name_equal(w->out.encloser, name(r->encloser)));
		/* the same for DNSKEYs of another owner */
		struct rrset s = rrset(w->owner, w->type, &w->data, &w->sigs);
		struct rrset keys = rrset(name("other.test"), DNS_DNSKEY, &w->keys, NULL);
		val_sig_check(&w->out, &s, w->zone, &keys, true, &w->work, NOW);
		ck_assert_int_eq(w->out.security, SECURITY_BOGUS);
		keys = rrset(w->zone, DNS_CDNSKEY, &w->keys, NULL);
		val_sig_check(&w->out, &s, w->zone, &keys, true, &w->work, NOW);
		ck_assert_int_eq(w->out.security, SECURITY_BOGUS);
		s.kind = RRSET_NODATA;
		keys.type = DNS_DNSKEY;
		val_sig_check(&w->out, &s, w->zone, &keys, true, &w->work, NOW);
		ck_assert_int_eq(w->out.security, SECURITY_BOGUS);
	}
	world_fini(w);
}
END_TEST

/* The clock passes 2^32 in 2106. */
START_TEST(times_wrap)
{
	struct world *w = world_new(13);
	int to_wrap = (int)(0U - NOW - 100); /* inception 100 s before it */
	uint32_t zero = 0;
	world_sign(w, &(struct recipe){.inception = INT32_MIN + 10 * DAY,
				       .expiration = INT32_MIN + 40 * DAY});
	uint32_t start = NOW + (uint32_t)INT32_MIN + 10 * DAY;
	check_at(w, false, start + DAY);
	ck_assert_int_eq(w->out.security, SECURITY_SECURE);
	check_at(w, false, start + 32 * DAY);
	ck_assert_int_eq(w->out.ede, DNS_EDE_SIGNATURE_EXPIRED);
	clear(&w->sigs);
	ck_assert_int_lt(to_wrap, 0); /* farther than 2^31: as an offset it is negative */
	world_sign(w,
		   &(struct recipe){.inception = to_wrap, .expiration = to_wrap + 5000});
	check_at(w, false, zero - 50);
	ck_assert_int_eq(w->out.security, SECURITY_SECURE);
	check_at(w, false, 50);
	ck_assert_int_eq(w->out.security, SECURITY_SECURE);
	check_at(w, false, 4900 + 3601);
	ck_assert_int_eq(w->out.ede, DNS_EDE_SIGNATURE_EXPIRED);
	world_fini(w);
}
END_TEST

START_TEST(time_to_live)
{
	static const struct {
		int expiration;
		uint32_t ttl, max;
	} lives[] = {
		{20 * DAY, 3600, 3600},	   {600, 3600, 600}, {600, 30, 30},
		{-600, 999999, DAY - 600}, /* what the skew leaves of a life of 10 days */
		{20 * DAY, 1, 1},
	};
	struct world *w = world_new(13);
	for (size_t i = 0; i < COUNT(lives); i++) {
		clear(&w->sigs);
		world_sign(w, &(struct recipe){.expiration = lives[i].expiration,
					       .inception = -10 * DAY - 600,
					       .ttl = lives[i].ttl});
		check_at(w, false, NOW);
		ck_assert_int_eq(w->out.security, SECURITY_SECURE);
		ck_assert_uint_eq(w->out.ttl_max, lives[i].ttl < lives[i].max
							  ? lives[i].ttl
							  : lives[i].max);
	}
	world_fini(w);
}
END_TEST

/* ---- the canonical form ---- */

START_TEST(order_case_and_duplicates)
{
	struct world *w = world_new(13);
	w->type = DNS_NS;
	clear(&w->data);
	add(&w->data, B("\1a\0"));
	add(&w->data, B("\2ab\0"));
	add(&w->data, B("\2ab\4test\0"));
	world_sign(w, &(struct recipe){0});
	expect(w, SECURITY_SECURE, DNS_EDE_NONE, "as signed");
	clear(&w->data);
	add(&w->data, B("\2aB\4TEST\0"));
	add(&w->data, B("\1A\0"));
	add(&w->data, B("\2ab\4Test\0")); /* twice, but for its case */
	add(&w->data, B("\2AB\0"));
	add(&w->data, B("\1A\0"));
	expect(w, SECURITY_SECURE, DNS_EDE_NONE, "mixed");
	struct list good = w->data;
	add(&w->data, B("\1b\0"));
	expect(w, SECURITY_BOGUS, DNS_EDE_BOGUS, "one more");
	w->data = good;
	w->data.len -= 3 + 2;
	w->data.n--;
	expect(w, SECURITY_SECURE, DNS_EDE_NONE, "without the double");
	w->data.len -= 4 + 2;
	w->data.n--;
	expect(w, SECURITY_BOGUS, DNS_EDE_BOGUS, "one less");
	w->data = good;
	w->data.n++;
	expect(w, SECURITY_BOGUS, DNS_EDE_BOGUS, "fewer than counted");
	w->data = good;
	w->data.n--;
	expect(w, SECURITY_BOGUS, DNS_EDE_BOGUS, "more than counted");
	w->data = good;
	w->data.len--;
	expect(w, SECURITY_BOGUS, DNS_EDE_BOGUS, "the last one cut");
	clear(&w->data);
	expect(w, SECURITY_BOGUS, DNS_EDE_BOGUS, "none");
	/* of two that begin alike the shorter comes first */
	w->type = 65280;
	add(&w->data, B("ab"));
	add(&w->data, B("abc"));
	clear(&w->sigs);
	world_sign(w, &(struct recipe){0});
	clear(&w->data);
	add(&w->data, B("abc"));
	add(&w->data, B("ab"));
	expect(w, SECURITY_SECURE, DNS_EDE_NONE, "one the beginning of the other");
	world_fini(w);
}
END_TEST

/* Upper case on the wire for every name that stands in RDATA; signed by ldns, which has a
 * canonical form of its own. */
static const char *const texts[] = {
	"A 192.0.2.1",
	"NS NS.Example.Com.",
	"CNAME Www.Example.Com.",
	"SOA Ns.Example.Com. Host.Example.Com. 1 2 3 4 5",
	"PTR Www.Example.Com.",
	"HINFO \"Cpu\" \"Os\"",
	"MINFO A.Example.Com. B.Example.Com.",
	"MX 10 Mail.Example.Com.",
	"TXT \"Some Text\" \"\"",
	"RP A.Example.Com. B.Example.Com.",
	"AFSDB 1 A.Example.Com.",
	"RT 1 A.Example.Com.",
	"PX 1 A.Example.Com. B.Example.Com.",
	"AAAA 2001:db8::1",
	"SRV 1 2 3 A.Example.Com.",
	"NAPTR 1 2 \"S\" \"SIP+D2U\" \"!a!B!\" A.Example.Com.",
	"KX 1 A.Example.Com.",
	"DNAME A.Example.Com.",
	"NSEC A.Example.Com. A NS RRSIG NSEC",
	"CAA 0 issue \"CA.Example.Net\"",
	"TLSA 3 1 1 00112233445566778899aabbccddeeff",
	"SVCB 1 A.Example.Com. alpn=h2",
	"HTTPS 0 A.Example.Com.",
	"DS 1 13 2 0011",
	"TYPE65280 \\# 4 41424344",
};

START_TEST(agrees_with_ldns)
{
	struct world *w = world_new(13);
	ldns_key_list *list = ldns_key_list_new();
	ldns_key_set_inception(w->key->key, NOW - DAY);
	ldns_key_set_expiration(w->key->key, NOW + DAY);
	ldns_key_set_keytag(w->key->key, val_sig_key_tag(w->key->dnskey, w->key->len));
	ldns_key_list_push_key(list, w->key->key);
	for (size_t i = 0; i < COUNT(texts); i++) {
		char text[200];
		ldns_rr *rr;
		uint8_t *wire;
		size_t len;
		snprintf(text, sizeof text, "www.example.com. 300 IN %s", texts[i]);
		ck_assert_msg(!ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL), "%s", text);
		w->type = (uint16_t)ldns_rr_get_type(rr);
		clear(&w->data);
		clear(&w->sigs);
		ck_assert(!ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &len));
		add(&w->data, wire + name_len(wire) + 10, len - name_len(wire) - 10);
		free(wire);
		ldns_rr_list *set = ldns_rr_list_new();
		ldns_rr_list_push_rr(set, rr);
		ldns_rr_list *sigs = ldns_sign_public(set, list);
		ck_assert(!ldns_rr2wire(&wire, ldns_rr_list_rr(sigs, 0),
					LDNS_SECTION_ANSWER, &len));
		add(&w->sigs, wire + name_len(wire) + 10, len - name_len(wire) - 10);
		free(wire);
		expect(w, SECURITY_SECURE, DNS_EDE_NONE, text);
		w->data.data[w->data.len - 1] ^= 0x01;
		check_at(w, false, NOW);
		ck_assert_msg(w->out.security == SECURITY_BOGUS, "%s", text);
		ldns_rr_list_deep_free(set);
		ldns_rr_list_deep_free(sigs);
	}
	ldns_key_list_free(list); /* and the key with it */
	free(w->key);
	free(w);
}
END_TEST

/* A full message of short records passes, more is refused before memory is taken. */
START_TEST(large_sets)
{
	static const struct {
		uint16_t n, len;
		int security, spent;
	} sets[] = {{4000, 4, SECURITY_SECURE, 1},
		    {1, 65000, SECURITY_SECURE, 1},
		    {6000, 4, SECURITY_BOGUS, 0}};
	struct world *w = world_new(13);
	uint8_t rdata[65000] = {0};
	w->type = 65280;
	for (size_t i = 0; i < COUNT(sets); i++) {
		clear(&w->data);
		clear(&w->sigs);
		for (uint32_t k = 0; k < sets[i].n; k++) {
			wire_set32(rdata, k);
			add(&w->data, rdata, sets[i].len);
		}
		world_sign(w, &(struct recipe){0});
		check_at(w, false, NOW);
		ck_assert_int_eq(w->out.security, sets[i].security);
		ck_assert_int_eq(spent(w), sets[i].spent);
	}
	world_fini(w);
}
END_TEST

/* ---- what is damaged or odd costs no crypto ---- */

START_TEST(damaged_signatures)
{
	struct world *w = world_new(13);
	world_sign(w, &(struct recipe){0});
	uint16_t whole = (uint16_t)(w->sigs.len - 2);
	for (uint16_t len = 0; len < whole; len++) {
		wire_set16(w->sigs.data, len);
		w->sigs.len = 2U + len;
		check_at(w, false, NOW);
		ck_assert_int_eq(w->out.security, SECURITY_BOGUS);
		ck_assert_int_eq(spent(w), 0);
	}
	wire_set16(w->sigs.data, whole + 1U); /* one byte more */
	w->sigs.len = whole + 3U;
	expect(w, SECURITY_BOGUS, DNS_EDE_DNSKEY_MISSING, "longer");
	ck_assert_int_eq(spent(w), 0);
	w->sigs.len = whole + 2U; /* its length points behind the end */
	expect(w, SECURITY_BOGUS, DNS_EDE_RRSIGS_MISSING, "beyond");
	w->sigs.len = 0;
	expect(w, SECURITY_BOGUS, DNS_EDE_RRSIGS_MISSING, "no signature");
	world_fini(w);
}
END_TEST

/* exponent with its length, length of the modulus, its first and last byte */
static const struct shape {
	const char *exponent;
	size_t exponent_len, modulus_len;
	uint8_t first, last;
	bool good;
} shapes[] = {
	{B("\3\1\0\1"), 128, 0x80, 1, true},
	{B("\1\3"), 256, 0x01, 1, true},
	{B("\4\377\377\377\377"), 512, 0xff, 1, true},
	{B("\5\1\0\0\0\1"), 256, 0x80, 1, true},  /* 2^32+1: is in use */
	{B("\5\2\0\0\0\1"), 256, 0x80, 1, false}, /* 34 bits */
	{B("\6\1\0\0\0\0\1"), 256, 0x80, 1, false},
	{B("\3\1\0\1"), 128, 0x7f, 1, false}, /* 1023 bits */
	{B("\3\1\0\1"), 127, 0xff, 1, false},
	{B("\3\1\0\1"), 513, 0x01, 1, false},
	{B("\3\1\0\1"), 2048, 0x80, 1, false}, /* 16,384 bits */
	{B("\3\1\0\1"), 256, 0x00, 1, false},
	{B("\3\1\0\1"), 256, 0x80, 2, false}, /* even */
	{B("\3\1\0\1"), 0, 0, 0, false},
	{B("\1\1"), 256, 0x80, 1, false},
	{B("\1\2"), 256, 0x80, 1, false},
	{B("\1\0"), 256, 0x80, 1, false},
	{B("\2\0\3"), 256, 0x80, 1, false},
	{B("\0\0\3\1\0\1"), 256, 0x80, 1, false}, /* long form of a short length */
	{B("\0\1\200"), 768, 0x80, 1, false},	  /* as long as the modulus */
	{B("\0\377\377"), 300, 0x80, 1, false},
	{B("\0\1"), 0, 0, 0, false},
	{B("\0"), 0, 0, 0, false},
	{B("\377"), 256, 0x80, 1, false},
	{B(""), 0, 0, 0, false},
};

START_TEST(odd_rsa_keys_cost_nothing)
{
	static const uint8_t rsa[] = {5, 7, 8, 10};
	struct world *w = world_new(13);
	for (size_t i = 0; i < 4 * COUNT(shapes); i++) {
		const struct shape *s = &shapes[i / 4];
		uint8_t key[4 + 10 + 2048] = {1, 1, 3, rsa[i % 4]};
		size_t n = 4 + s->exponent_len;
		memcpy(key + 4, s->exponent, s->exponent_len);
		if (s->modulus_len) {
			memset(key + n, 0x55, s->modulus_len);
			key[n] = s->first;
			key[n + s->modulus_len - 1] = s->last;
			n += s->modulus_len;
		}
		uint8_t sig[18 + 13 + 2048 + 2] = {0, 1, rsa[i % 4], 3};
		wire_set32(sig + 8, NOW + DAY);
		wire_set32(sig + 12, NOW - DAY);
		wire_set16(sig + 16, val_sig_key_tag(key, (uint16_t)n));
		name_copy(sig + 18, w->zone);
		sig[31] = 0x01;
		clear(&w->keys);
		clear(&w->sigs);
		add(&w->keys, key, n);
		add(&w->sigs, sig, 18 + 13 + (s->modulus_len ? s->modulus_len : 1));
		check_at(w, true, NOW);
		ck_assert_msg(w->out.security == SECURITY_BOGUS && spent(w) == s->good,
			      "shape %zu, spent %d", i / 4, spent(w));
		ck_assert_int_eq(w->out.ede,
				 s->good ? DNS_EDE_BOGUS : DNS_EDE_DNSKEY_MISSING);
		/* a signature of another length than the modulus */
		clear(&w->sigs);
		add(&w->sigs, sig, 18 + 13 + s->modulus_len + 2);
		check_at(w, true, NOW);
		ck_assert_int_eq(spent(w), 0);
	}
	world_fini(w);
}
END_TEST

START_TEST(curve_keys_of_other_lengths)
{
	for (size_t i = 4; i < COUNT(algorithms); i++) {
		struct world *w = world_new(algorithms[i]);
		world_sign(w, &(struct recipe){0});
		struct list key = w->keys;
		for (int more = -1; more <= 1; more += 2) {
			/* the zero added leaves the tag as it is or the pair has none */
			w->keys = key;
			w->keys.len = (uint32_t)((int)w->keys.len + more);
			wire_set16(w->keys.data, (unsigned)(w->keys.len - 2));
			wire_set16(w->sigs.data + 2 + 16,
				   val_sig_key_tag(w->keys.data + 2,
						   (uint16_t)(w->keys.len - 2)));
			expect(w, SECURITY_BOGUS, DNS_EDE_DNSKEY_MISSING, "length");
			ck_assert_int_eq(spent(w), 0);
		}
		world_fini(w);
	}
}
END_TEST

/* ---- budgets ---- */

/* The key with a bit of its middle changed and another changed back: the same tag. */
static void twin_key(uint8_t *out, const struct keypair *k, unsigned i)
{
	memcpy(out, k->dnskey, k->len);
	uint8_t *a = out + 40, *b = out + 80;
	wire_set16(a, (unsigned)(wire_get16(a) + i) & 0xffff);
	wire_set16(b, (unsigned)(wire_get16(b) - i) & 0xffff);
}

START_TEST(budget)
{
	struct world *w = world_new(8);
	world_sign(w, &(struct recipe){0});
	uint8_t twin[600];
	struct list one = w->keys;
	for (unsigned bad = 0; bad < 4; bad++) {
		clear(&w->keys);
		for (unsigned i = 1; i <= bad; i++) {
			unsigned n = i;
			do
				twin_key(twin, w->key, n++ << 4);
			while (val_sig_key_tag(twin, w->key->len) !=
			       val_sig_key_tag(w->key->dnskey, w->key->len));
			add(&w->keys, twin, w->key->len);
		}
		add(&w->keys, w->key->dnskey, w->key->len);
		check_at(w, false, NOW);
		ck_assert_int_eq(w->out.security, bad < VAL_FAILURES_MAX
							  ? SECURITY_SECURE
							  : SECURITY_BOGUS);
		ck_assert_int_eq(spent(w), bad < VAL_FAILURES_MAX ? (int)bad + 1
								  : VAL_FAILURES_MAX);
	}
	w->keys = one;
	struct rrset s = rrset(w->owner, w->type, &w->data, &w->sigs);
	struct rrset keys = rrset(w->zone, DNS_DNSKEY, &w->keys, NULL);
	struct val_work none[] = {{0, 5, 5}, {5, 0, 5}, {1, 1, 0}};
	for (size_t i = 0; i < COUNT(none); i++) {
		val_sig_check(&w->out, &s, w->zone, &keys, false, &none[i], NOW);
		ck_assert_int_eq(w->out.security,
				 i < 2 ? SECURITY_INDETERMINATE : SECURITY_SECURE);
		ck_assert_int_eq(w->out.ede,
				 i < 2 ? DNS_EDE_INDETERMINATE : DNS_EDE_NONE);
	}
	ck_assert(none[2].question == 0 && none[2].response == 0);
	world_fini(w);
}
END_TEST

/* DNSKEY records and the DS records that should vouch for them. */
struct vouched {
	const struct rrset *keys, *ds;
};

static double vouched_ms(void *arg)
{
	const struct vouched *v = arg;
	struct val_work work = {VAL_SIGS_QUESTION, VAL_SIGS_RESPONSE, 0};
	struct val_sig out;
	double from = unit_cpu_ms();
	val_sig_check_keys(&out, v->keys, v->ds, false, &work, NOW);
	double ms = unit_cpu_ms() - from;
	ck_assert_int_eq(out.security, SECURITY_BOGUS);
	ck_assert_int_eq(out.ede, DNS_EDE_DNSKEY_MISSING);
	return ms;
}

static double checked_ms(void *arg)
{
	struct world *w = arg;
	double from = unit_cpu_ms();
	check_at(w, false, NOW);
	double ms = unit_cpu_ms() - from;
	ck_assert_int_eq(w->out.security, SECURITY_BOGUS);
	ck_assert_int_eq(spent(w), VAL_FAILURES_MAX);
	return ms;
}

/* KeyTrap: as many keys and signatures of one tag as fit. */
START_TEST(key_trap)
{
	enum { MANY = 500, MS_MAX = 8 * UNIT_SLOWER };
	struct world *w = world_new(8);
	uint8_t twin[600];
	clear(&w->keys);
	for (unsigned i = 1; w->keys.n < MANY; i++) {
		twin_key(twin, w->key, i);
		if (val_sig_key_tag(twin, w->key->len) ==
		    val_sig_key_tag(w->key->dnskey, w->key->len))
			add(&w->keys, twin, w->key->len);
	}
	world_sign(w, &(struct recipe){0});
	struct list one = w->sigs;
	clear(&w->sigs);
	for (int i = 0; i < MANY; i++) {
		one.data[one.len - 1 - (unsigned)i % 100] ^= 1;
		add(&w->sigs, one.data + 2, one.len - 2);
	}
	double ms = unit_least(checked_ms, w, MS_MAX);
	printf("key_trap: %d keys, %d signatures: %.2f ms\n", MANY, MANY, ms);
	/* and as the DNSKEY RRset itself, with as many DS */
	struct list *ds = calloc(1, sizeof *ds);
	uint8_t rdata[VAL_DS_LEN];
	val_sig_ds(rdata, w->zone, w->key->dnskey, w->key->len);
	for (int i = 0; i < MANY; i++) {
		rdata[10]++;
		add(ds, rdata, sizeof rdata);
	}
	for (uint32_t at = 0; at < w->sigs.len; at += one.len) {
		wire_set16(w->sigs.data + at + 2, DNS_DNSKEY);
		w->sigs.data[at + 5] = 2;
	}
	struct rrset keys = rrset(w->zone, DNS_DNSKEY, &w->keys, &w->sigs);
	struct rrset vouch = rrset(w->zone, DNS_DS, ds, NULL);
	struct vouched v = {&keys, &vouch};
	double ds_ms = unit_least(vouched_ms, &v, MS_MAX);
	printf("key_trap: and %d DS: %.2f ms\n", MANY, ds_ms);
	ck_assert_double_le(ms, MS_MAX);
	ck_assert_double_le(ds_ms, MS_MAX);
	free(ds);
	world_fini(w);
}
END_TEST

/* A key as long as a message, and DS records of its tag: of no use, so it is not hashed
 * for each of them. 16 digests of it take 2 ms. */
START_TEST(huge_keys_cost_nothing)
{
	enum { LEN = 60000, DS = 16, DS_LEN = 4 + 48 };
	static uint8_t data[2 + LEN], ds_data[DS * (2 + DS_LEN)];
	static const uint8_t zone[] = "\4test";
	uint8_t sig_data[2 + 18 + sizeof zone + 64] = {0, 18 + sizeof zone + 64}, *key;
	uint8_t *sig = sig_data + 2;
	wire_set16(data, LEN);
	key = data + 2;
	memcpy(key, (uint8_t[]){1, 1, 3, 13}, 4);
	wire_set16(sig, DNS_DNSKEY);
	memcpy(sig + 2, (uint8_t[]){13, 1}, 2);
	wire_set32(sig + 8, NOW + DAY);
	wire_set32(sig + 12, NOW - DAY);
	wire_set16(sig + 16, val_sig_key_tag(key, LEN));
	memcpy(sig + 18, zone, sizeof zone);
	for (unsigned i = 0; i < DS; i++) {
		uint8_t *ds = ds_data + i * (2 + DS_LEN);
		wire_set16(ds, DS_LEN);
		wire_set16(ds + 2, val_sig_key_tag(key, LEN));
		memcpy(ds + 4, (uint8_t[]){13, 4, (uint8_t)i}, 3);
	}
	struct rrset keys = {.owner = zone,
			     .type = DNS_DNSKEY,
			     .rr_n = 1,
			     .sig_n = 1,
			     .data = data,
			     .data_len = sizeof data,
			     .sigs = sig_data,
			     .sigs_len = sizeof sig_data};
	struct rrset vouch = {.owner = zone,
			      .type = DNS_DS,
			      .rr_n = DS,
			      .data = ds_data,
			      .data_len = sizeof ds_data};
	struct vouched v = {&keys, &vouch};
	const double bar_ms = 0.5 * UNIT_SLOWER;
	ck_assert_double_le(unit_least(vouched_ms, &v, bar_ms), bar_ms);
}
END_TEST

/* ---- DNSKEY RRsets and their DS ---- */

/* ZSK and KSK of example.com; the KSK signs. */
struct apex {
	struct keypair *ksk, *zsk;
	struct list keys, sigs, ds;
	struct val_work work;
	struct val_sig out;
};

static struct apex *apex_new(uint8_t algorithm)
{
	struct apex *a = calloc(1, sizeof *a);
	a->ksk = keypair_new(algorithm);
	a->zsk = keypair_new(algorithm);
	wire_set16(a->zsk->dnskey, 0x0100);
	add(&a->keys, a->zsk->dnskey, a->zsk->len);
	add(&a->keys, a->ksk->dnskey, a->ksk->len);
	return a;
}

static void apex_free(struct apex *a)
{
	keypair_free(a->ksk);
	keypair_free(a->zsk);
	free(a);
}

static void apex_sign(struct apex *a, const struct keypair *by)
{
	struct list *sorted = calloc(1, sizeof *sorted);
	const uint8_t *z = a->zsk->dnskey, *k = a->ksk->dnskey;
	bool first = memcmp(z, k, a->zsk->len) < 0;
	add(sorted, first ? z : k, a->zsk->len);
	add(sorted, first ? k : z, a->zsk->len);
	clear(&a->sigs);
	sign(&a->sigs, &(struct recipe){0}, by, name("example.com"), DNS_DNSKEY, sorted);
	free(sorted);
}

static void add_ds(struct apex *a, const struct keypair *k, uint8_t type)
{
	uint8_t in[DNS_NAME_MAX + 600], rdata[4 + 48];
	const uint8_t *owner = name("example.com");
	size_t n = name_len(owner);
	memcpy(in, owner, n);
	memcpy(in + n, k->dnskey, k->len);
	n += k->len;
	wire_set16(rdata, val_sig_key_tag(k->dnskey, k->len));
	rdata[2] = k->algorithm;
	rdata[3] = type;
	memset(rdata + 4, 0, 48);
	if (type == 1)
		ldns_sha1(in, (unsigned)n, rdata + 4);
	else if (type == 4)
		ldns_sha384(in, (unsigned)n, rdata + 4);
	else
		ldns_sha256(in, (unsigned)n, rdata + 4);
	add(&a->ds, rdata, 4 + (type == 1 ? 20U : type == 4 ? 48U : 32U));
}

static void expect_keys(struct apex *a, int security, int ede, const char *what)
{
	struct rrset keys = rrset(name("example.com"), DNS_DNSKEY, &a->keys, &a->sigs);
	struct rrset ds = rrset(keys.owner, DNS_DS, &a->ds, NULL);
	a->work = (struct val_work){VAL_SIGS_QUESTION, VAL_SIGS_RESPONSE, 0};
	val_sig_check_keys(&a->out, &keys, &ds, false, &a->work, NOW);
	ck_assert_msg(a->out.security == security && a->out.ede == ede,
		      "%s: security %d, EDE %d", what, a->out.security, a->out.ede);
}

START_TEST(keys_by_ds)
{
	static const uint8_t types[] = {1, 2, 4};
	struct apex *a = apex_new(13);
	apex_sign(a, a->ksk);
	for (size_t i = 0; i < COUNT(types); i++) {
		clear(&a->ds);
		add_ds(a, a->ksk, types[i]);
		expect_keys(a, GOOD, "one DS");
		for (uint32_t at = 2; at < a->ds.len; at++) {
			a->ds.data[at] ^= 0x40; /* each byte of the DS counts */
			struct rrset keys = rrset(name("example.com"), DNS_DNSKEY,
						  &a->keys, &a->sigs);
			struct rrset ds = rrset(keys.owner, DNS_DS, &a->ds, NULL);
			val_sig_check_keys(&a->out, &keys, &ds, true, &a->work, NOW);
			ck_assert_int_eq(a->out.security, SECURITY_BOGUS);
			a->ds.data[at] ^= 0x40;
		}
	}
	apex_free(a);
}
END_TEST

START_TEST(keys_not_vouched_for)
{
	struct apex *a = apex_new(13);
	apex_sign(a, a->ksk);
	expect_keys(a, BAD_EDE(DNSKEY_MISSING), "no DS");
	add_ds(a, a->zsk, 2);
	expect_keys(a, BAD_EDE(DNSKEY_MISSING), "DS of the other key");
	add_ds(a, a->ksk, 2);
	expect_keys(a, GOOD, "DS of both");
	apex_sign(a, a->zsk);
	expect_keys(a, GOOD, "DS of both, signed by the other");
	clear(&a->ds);
	add_ds(a, a->ksk, 2);
	expect_keys(a, BAD_EDE(DNSKEY_MISSING), "signed by a key without DS");
	a->ds.data[2 + 2] = 8;
	apex_sign(a, a->ksk);
	expect_keys(a, BAD_EDE(DNSKEY_MISSING), "right digest, other algorithm");
	a->ds.data[2 + 2] = 13;
	/* a DS of unknown algorithm or digest beside it changes nothing */
	apex_sign(a, a->ksk);
	add(&a->ds, B("\0\1\xc8\2 01234567890123456789012345678901"));
	add(&a->ds, B("\0\1\x0d\x63"
		      "01234567890123456789012345678901"));
	add(&a->ds, B("\0\1\x0d"));
	expect_keys(a, GOOD, "unknown DS beside");
	/* SHA-1 beside a better digest says nothing, whatever it says */
	clear(&a->ds);
	add_ds(a, a->ksk, 1);
	add_ds(a, a->ksk, 2);
	expect_keys(a, GOOD, "SHA-1 and SHA-256");
	a->ds.data[a->ds.len - 1] ^= 1;
	expect_keys(a, BAD_EDE(DNSKEY_MISSING), "SHA-1 beside a wrong SHA-256");
	clear(&a->ds);
	add_ds(a, a->zsk, 4);
	for (int i = 0; i < 20; i++)
		add_ds(a, a->ksk, 1);
	expect_keys(a, BAD_EDE(DNSKEY_MISSING), "many SHA-1 beside a wrong SHA-384");
	clear(&a->ds);
	for (int i = 0; i < 20; i++)
		add_ds(a, a->zsk, 1);
	add_ds(a, a->ksk, 2);
	expect_keys(a, GOOD, "many SHA-1 before the good one");
	/* RFC 4035 5.2 */
	clear(&a->sigs);
	expect_keys(a, BAD_EDE(RRSIGS_MISSING), "not signed");
	apex_free(a);
}
END_TEST

START_TEST(keys_that_must_not_vouch)
{
	static const struct {
		uint16_t flags;
		uint8_t protocol;
		int security, ede;
	} bad[] = {{0x0101, 3, GOOD},
		   {0x0100, 3, GOOD},
		   {0x0001, 3, BAD_EDE(NO_ZONE_KEY_BIT)},
		   {0x0181, 3, BAD_EDE(DNSKEY_MISSING)},
		   {0x0101, 1, BAD_EDE(DNSKEY_MISSING)}};
	struct apex *a = apex_new(15);
	for (size_t i = 0; i < COUNT(bad); i++) {
		wire_set16(a->ksk->dnskey, bad[i].flags);
		a->ksk->dnskey[2] = bad[i].protocol;
		clear(&a->keys);
		add(&a->keys, a->ksk->dnskey, a->ksk->len);
		add(&a->keys, a->zsk->dnskey, a->zsk->len);
		clear(&a->ds);
		add_ds(a, a->ksk, 2);
		apex_sign(a, a->ksk);
		expect_keys(a, bad[i].security, bad[i].ede, "flags");
	}
	apex_free(a);
}
END_TEST

/* RFC 5011 2.1: a key takes itself back with its own signature and no other. */
START_TEST(revoked_keys)
{
	static const uint8_t kinds[] = {8, 13};
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct apex *a = apex_new(kinds[i]);
		struct val_work work = {64, 64, 0};
		uint8_t *flags = a->ksk->dnskey;
		wire_set16(flags, 0x0181);
		for (int who = 0; who < 2; who++) {
			apex_sign(a, who ? a->ksk : a->zsk);
			clear(&a->keys);
			add(&a->keys, a->zsk->dnskey, a->zsk->len);
			add(&a->keys, a->ksk->dnskey, a->ksk->len);
			struct rrset s = rrset(name("example.com"), DNS_DNSKEY, &a->keys,
					       &a->sigs);
			ck_assert(val_sig_revoked(&s, a->ksk->dnskey, a->ksk->len, &work,
						  NOW) == who);
			ck_assert(!val_sig_revoked(&s, a->zsk->dnskey, a->zsk->len, &work,
						   NOW));
			ck_assert(!val_sig_revoked(&s, a->ksk->dnskey, a->ksk->len, &work,
						   NOW + 60 * DAY));
		}
		apex_free(a);
	}
}
END_TEST

START_TEST(known_and_unknown_ds)
{
	static const struct {
		const char *ds; /* algorithm and digest type in turn */
		size_t len;
		bool plain, sha1;
		int ede;
	} sets[] = {
		{B("\x0d\2"), true, true, 0},
		{B("\x08\1"), true, true, 0},
		{B("\x10\4"), true, true, 0},
		{B("\5\2"), false, true, DNS_EDE_DNSKEY_ALGORITHM},
		{B("\7\2"), false, true, DNS_EDE_DNSKEY_ALGORITHM},
		{B("\1\2"), false, false, DNS_EDE_DNSKEY_ALGORITHM},
		{B("\3\2"), false, false, DNS_EDE_DNSKEY_ALGORITHM},
		{B("\6\2"), false, false, DNS_EDE_DNSKEY_ALGORITHM},
		{B("\x0c\2"), false, false, DNS_EDE_DNSKEY_ALGORITHM},
		{B("\x11\2"), false, false, DNS_EDE_DNSKEY_ALGORITHM},
		{B("\x0d\3"), false, false, DNS_EDE_DS_DIGEST},
		{B("\x0d\5"), false, false, DNS_EDE_DS_DIGEST},
		{B("\x0d\0"), false, false, DNS_EDE_DS_DIGEST},
		{B("\x0d\3\x11\2"), false, false, DNS_EDE_DS_DIGEST},
		{B("\x11\2\x0d\2"), true, true, 0},
		{B("\x0d\x63\x08\2"), true, true, 0},
	};
	struct list *l = calloc(1, sizeof *l);
	int16_t ede;
	for (size_t i = 0; i < COUNT(sets); i++) {
		clear(l);
		for (size_t k = 0; k < sets[i].len; k += 2) {
			uint8_t ds[36] = {0, 1};
			memcpy(ds + 2, sets[i].ds + k, 2);
			add(l, ds, sizeof ds);
		}
		struct rrset s = rrset(name("example.com"), DNS_DS, l, NULL);
		ck_assert_msg(val_sig_usable(&s, true, &ede) == sets[i].sha1, "%zu", i);
		ck_assert_msg(val_sig_usable(&s, false, &ede) == sets[i].plain, "%zu", i);
		if (!sets[i].plain)
			ck_assert_int_eq(ede, sets[i].ede);
		s.data_len--; /* a damaged set must not make a zone insecure */
		ck_assert(val_sig_usable(&s, false, &ede));
	}
	struct rrset none = {.type = DNS_DS};
	ck_assert(val_sig_usable(&none, false, &ede));
	free(l);
}
END_TEST

/* ---- the small ones ---- */

START_TEST(deepest_signer)
{
	struct world *w = world_new(15);
	struct rrset s = rrset(w->owner, w->type, &w->data, &w->sigs);
	ck_assert_ptr_null(val_sig_signer(&s));
	static const char *const order[] = {"a.www.example.com", "example.net", "com",
					    "example.com", "."};
	for (size_t i = 0; i < COUNT(order); i++) {
		world_sign(w, &(struct recipe){.signer = order[i]});
		s = rrset(w->owner, w->type, &w->data, &w->sigs);
		const uint8_t *got = val_sig_signer(&s);
		const char *want = i < 2 ? NULL : i == 2 ? "com" : "example.com";
		ck_assert(want ? got && name_equal(got, name(want)) : !got);
	}
	world_sign(w, &(struct recipe){.signer = "www.example.com", .covered = DNS_AAAA});
	s = rrset(w->owner, w->type, &w->data, &w->sigs);
	ck_assert(name_equal(val_sig_signer(&s), name("example.com")));
	s.type = DNS_AAAA;
	ck_assert(name_equal(val_sig_signer(&s), name("www.example.com")));
	/* DS: the owner itself may not */
	clear(&w->sigs);
	w->type = DNS_DS;
	world_sign(w, &(struct recipe){.signer = "www.example.com"});
	s = rrset(w->owner, w->type, &w->data, &w->sigs);
	ck_assert_ptr_null(val_sig_signer(&s));
	world_sign(w, &(struct recipe){.signer = "example.com"});
	s = rrset(w->owner, w->type, &w->data, &w->sigs);
	ck_assert(name_equal(val_sig_signer(&s), name("example.com")));
	world_fini(w);
}
END_TEST

/* The key of RFC 4034 5.4 and its digest in RFC 4509 2.3. */
START_TEST(published_vectors)
{
	static const char key[] =
		"AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZ"
		"DRD99WYwYqUSdjMmmAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9Xzc"
		"nOf+EPbtG9DMBmADjFDc2w/rljwvFw==";
	static const uint8_t want[VAL_DS_LEN] = {
		0xec, 0x45, 0x05, 0x02, 0xd4, 0xb7, 0xd5, 0x20, 0xe7, 0xbb, 0x5f, 0x0f,
		0x67, 0x67, 0x4a, 0x0c, 0xce, 0xb1, 0xe3, 0xe0, 0x61, 0x4b, 0x93, 0xc4,
		0xf9, 0xe9, 0x9b, 0x83, 0x83, 0xf6, 0xa1, 0xe4, 0x46, 0x9d, 0xa5, 0x0a};
	static const uint8_t sha1[VAL_SHA1_LEN] = {
		0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e,
		0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
	uint8_t dnskey[4 + 200] = {1, 0, 3, 5}, out[VAL_DS_LEN], hash[VAL_SHA1_LEN];
	ldns_rdf *material;
	ck_assert(!ldns_str2rdf_b64(&material, key));
	size_t n = ldns_rdf_size(material);
	ck_assert_uint_le(n, sizeof dnskey - 4);
	memcpy(dnskey + 4, ldns_rdf_data(material), n);
	ldns_rdf_deep_free(material);
	ck_assert_uint_eq(val_sig_key_tag(dnskey, (uint16_t)(4 + n)), 60485);
	val_sig_ds(out, (const uint8_t *)"\5DSKEY\7example\3COM", dnskey,
		   (uint16_t)(4 + n));
	ck_assert_mem_eq(out, want, sizeof want);
	val_sig_sha1(hash, (const uint8_t *)"abc", 3); /* FIPS 180-4 */
	ck_assert_mem_eq(hash, sha1, sizeof sha1);
}
END_TEST

UNIT_SUITE("val_sig", every_algorithm, ecdsa_numbers_of_all_lengths,
	   nothing_wrong_is_secure, times_wrap, time_to_live, order_case_and_duplicates,
	   agrees_with_ldns, large_sets, damaged_signatures, odd_rsa_keys_cost_nothing,
	   curve_keys_of_other_lengths, budget, key_trap, huge_keys_cost_nothing,
	   keys_by_ds, keys_not_vouched_for, keys_that_must_not_vouch, revoked_keys,
	   known_and_unknown_ds, deepest_signer, published_vectors)
