#include "resolver/trust.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "include/conf.h"
#include "tests/unit/unit.h"

enum { DAY = 86400 };

static const uint8_t zone[] = "\4test";

static struct conf conf;
static struct shared shared;
static struct trust *trust;
static const struct anchors *reader; /* the set that somebody still reads */

static bool in_use(void *arg, const struct anchors *set)
{
	(void)arg;
	return set == reader;
}

static const struct trust_hooks hooks = {.in_use = in_use};

/* ---- a zone with keys ---- */

struct key {
	ldns_key *key;
	ldns_rr *rr;
};

static struct key key_new(void)
{
	struct key k = {.key = ldns_key_new_frm_algorithm(LDNS_SIGN_ECDSAP256SHA256, 0)};
	ck_assert_ptr_nonnull(k.key);
	ldns_key_set_pubkey_owner(k.key, ldns_dname_new_frm_str("test."));
	ldns_key_set_flags(k.key, 257);
	ldns_key_set_origttl(k.key, 2 * DAY);
	k.rr = ldns_key2rr(k.key);
	ldns_rr_set_ttl(k.rr, 2 * DAY);
	ldns_key_set_keytag(k.key, ldns_calc_keytag(k.rr));
	return k;
}

static void key_free(struct key *k)
{
	ldns_key_deep_free(k->key);
	ldns_rr_free(k->rr);
}

static void take_back(struct key *k)
{
	ldns_rdf *flags = ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, 257 | 128);
	ldns_key_set_flags(k->key, 257 | 128);
	ldns_rdf_deep_free(ldns_rr_set_rdf(k->rr, flags, 0));
	ldns_key_set_keytag(k->key, ldns_calc_keytag(k->rr));
}

static size_t put_rdata(uint8_t *out, const ldns_rr *rr)
{
	size_t n = 2;
	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		const ldns_rdf *f = ldns_rr_rdf(rr, i);
		memcpy(out + n, ldns_rdf_data(f), ldns_rdf_size(f));
		n += ldns_rdf_size(f);
	}
	wire_set16(out, (unsigned)n - 2);
	return n;
}

static struct anchor_records records_of(const struct key *k)
{
	struct anchor_records r = {0};
	uint8_t rdata[256];
	size_t n = put_rdata(rdata, k->rr);
	ck_assert_int_eq(
		anchor_records_add(&r, zone, DNS_DNSKEY, rdata + 2, (uint16_t)(n - 2)),
		0);
	return r;
}

/* The zone shows n keys, of which the first signers_n sign, as a validator would tell. */
static void show(struct key *const *keys, int n, int signers_n, uint32_t now_s)
{
	uint8_t data[2048], sigs[2048];
	struct rrset s = {.owner = zone,
			  .type = DNS_DNSKEY,
			  .kind = RRSET_DATA,
			  .data = data,
			  .sigs = sigs};
	ldns_rr_list *set = ldns_rr_list_new();
	ldns_key_list *by = ldns_key_list_new();
	for (int i = 0; i < n; i++, s.rr_n++) {
		ldns_rr_list_push_rr(set, keys[i]->rr);
		s.data_len += (uint32_t)put_rdata(data + s.data_len, keys[i]->rr);
	}
	ldns_rr_list_sort(set);
	for (int i = 0; i < signers_n; i++) {
		ldns_key_set_inception(keys[i]->key, now_s - DAY);
		ldns_key_set_expiration(keys[i]->key, now_s + 14 * DAY);
		ldns_key_list_push_key(by, keys[i]->key);
	}
	ldns_rr_list *signatures = ldns_sign_public(set, by);
	ck_assert_ptr_nonnull(signatures);
	for (size_t i = 0; i < ldns_rr_list_rr_count(signatures); i++, s.sig_n++)
		s.sigs_len += (uint32_t)put_rdata(sigs + s.sigs_len,
						  ldns_rr_list_rr(signatures, i));
	ck_assert_int_eq(s.sig_n, signers_n);
	anchor_mail_seen(&shared.mail, &s);
	ldns_rr_list_deep_free(signatures);
	ldns_rr_list_free(set);
	LDNS_FREE(by->_keys); /* ldns_key_list_free() would take the keys with it */
	LDNS_FREE(by);
}

/* ---- the world around ---- */

static void begin(const struct anchor_records *given)
{
	const struct rrset_cache_conf cache = {.size_bytes = 1 << 20, .max_ttl_s = DAY};
	snprintf(conf.state, sizeof conf.state, "%s", unit_dir());
	conf.recursion.validate = true;
	shared = (struct shared){.conf = &conf};
	ck_assert_int_eq(rrset_cache_open(&shared.cache, &cache), 0);
	anchor_mail_init(&shared.mail);
	reader = NULL;
	ck_assert_int_eq(trust_open(&trust, &shared, given, &hooks), 0);
}

static void end(void)
{
	trust_close(trust);
	rrset_cache_close(shared.cache);
	anchor_mail_fini(&shared.mail);
}

/* How many keys vouch for the zone; -1: it is not validated. */
static int vouching(uint32_t now_s)
{
	const struct anchors *set = atomic_load(&shared.anchors);
	struct anchor a = anchors_find(set, zone, false, now_s);
	return a.kind == ANCHOR_TRUST ? a.ds->rr_n : -1;
}

static void put(const char *owner, uint32_t now_s)
{
	uint8_t name[DNS_NAME_MAX];
	static const uint8_t data[] = {0, 4, 192, 0, 2, 1};
	ck_assert_int_eq(name_from_str(name, owner), 0);
	struct rrset s = {.owner = name,
			  .type = DNS_A,
			  .kind = RRSET_DATA,
			  .rank = RANK_AUTH_ANSWER,
			  .ttl = 3600,
			  .rr_n = 1,
			  .data = data,
			  .data_len = sizeof data};
	rrset_cache_put(shared.cache, &s, now_s);
}

static uint64_t cached(void)
{
	struct rrset_cache_stats st;
	rrset_cache_stats(shared.cache, &st);
	return st.entries;
}

/* ---- tests ---- */

/* From the first key to the second, a day at a time, with a restart between all days. */
START_TEST(roll_over_with_restarts)
{
	struct key a = key_new(), b = key_new();
	struct key *const both[] = {&a, &b}, *const last[] = {&b};
	struct anchor_records given = records_of(&a);
	uint32_t now = 1800000000;
	for (int day = 0; day <= 31; day++, now += DAY) {
		begin(&given);
		ck_assert_int_eq(vouching(now), 1);
		show(both, 2, 1, now);
		trust_tick(trust, now);
		ck_assert_int_eq(vouching(now), day < 30 ? 1 : 2);
		if (day >= 30)
			break;
		end();
	}
	/* the old key goes at once when it says so itself */
	take_back(&a);
	show(both, 2, 2, now += DAY);
	trust_tick(trust, now);
	ck_assert_int_eq(vouching(now), 1);
	end();
	begin(&given);
	ck_assert_int_eq(vouching(now), 1);
	show(last, 1, 1, now += DAY);
	trust_tick(trust, now);
	ck_assert_int_eq(vouching(now), 1);
	end();
	anchor_records_fini(&given);
	key_free(&a);
	key_free(&b);
}
END_TEST

/* A key that only another key of the zone brought does not count, ever. */
START_TEST(strangers_bring_nothing)
{
	struct key a = key_new(), b = key_new(), c = key_new();
	struct key *const theirs[] = {&b, &a, &c}, *const ours[] = {&a};
	struct anchor_records given = records_of(&a);
	uint32_t now = 1800000000;
	begin(&given);
	show(ours, 1, 1, now);
	trust_tick(trust, now);
	for (int day = 0; day < 40; day++) {
		show(theirs, 3, 1, now += DAY);
		trust_tick(trust, now);
	}
	json_t *answer = json_object();
	ck_assert_int_eq(trust_list(trust, answer), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(answer, "anchors")), 1);
	json_decref(answer);
	ck_assert_int_eq(vouching(now), 1);
	/* nor does a revocation that the key did not sign */
	take_back(&a);
	struct key *const forged[] = {&b, &a};
	show(forged, 2, 1, now += DAY);
	trust_tick(trust, now);
	ck_assert_int_eq(vouching(now), 1);
	end();
	anchor_records_fini(&given);
	key_free(&a);
	key_free(&b);
	key_free(&c);
}
END_TEST

static int nta(const char *action, const char *name, int for_s)
{
	char error[CONTROL_ERROR_MAX];
	json_t *request = json_pack("{s:s, s:s, s:s, s:i}", "action", action, "zone",
				    name, "reason", "test", "for_s", for_s);
	int err = trust_nta(trust, request, error);
	json_decref(request);
	return err;
}

/* What changes is forgotten, and again when the last reader of the old set has gone. */
START_TEST(caches_forget)
{
	struct key a = key_new();
	struct anchor_records given = records_of(&a);
	uint32_t now = (uint32_t)time(NULL);
	begin(&given);
	reader = atomic_load(&shared.anchors);
	put("www.bad.test", now);
	put("www.good.test", now);
	ck_assert_int_eq(nta("add", "bad.test", 100), 0);
	ck_assert_uint_eq(cached(), 1);
	uint64_t flushes = atomic_load(&shared.flushes);
	ck_assert_uint_gt(flushes, 0);
	put("www.bad.test", now); /* by a question that began before */
	trust_tick(trust, now);
	ck_assert_uint_eq(cached(), 2);
	reader = NULL;
	trust_tick(trust, now);
	ck_assert_uint_eq(cached(), 1);
	ck_assert_uint_gt(atomic_load(&shared.flushes), flushes);
	/* and when it ends by itself */
	put("www.bad.test", now);
	trust_tick(trust, now + 99);
	ck_assert_uint_eq(cached(), 2);
	trust_tick(trust, now + 101);
	ck_assert_uint_eq(cached(), 1);
	end();
	anchor_records_fini(&given);
	key_free(&a);
}
END_TEST

/* While an old set is read, changes are refused rather than memory used up; nothing of a
 * refused one stays, and what ends by itself ends as soon as there is room. */
START_TEST(readers_that_stay)
{
	struct key a = key_new();
	struct anchor_records given = records_of(&a);
	uint32_t now = (uint32_t)time(NULL);
	char name[16];
	int n = 0;
	begin(&given);
	reader = atomic_load(&shared.anchors);
	for (int err = 0; !err && n < 100; n += !err) {
		snprintf(name, sizeof name, "n%d.test", n);
		err = nta("add", name, 100);
	}
	ck_assert_int_eq(n, 15);
	json_t *status = trust_status(trust);
	ck_assert_int_eq(json_integer_value(json_object_get(status, "negative")), n);
	json_decref(status);
	trust_tick(trust, now + 200);
	reader = NULL;
	trust_tick(trust, now + 200);
	const uint8_t *changed;
	struct anchors *none;
	ck_assert_int_eq(anchors_new(&none, &given, NULL, 0), 0);
	ck_assert(!anchors_next_change(atomic_load(&shared.anchors), none, (int[2]){0},
				       &changed));
	anchors_free(none);
	ck_assert_int_eq(nta("add", "again.test", 100), 0);
	end();
	anchor_records_fini(&given);
	key_free(&a);
}
END_TEST

UNIT_SUITE("trust", roll_over_with_restarts, strangers_bring_nothing, caches_forget,
	   readers_that_stay)
