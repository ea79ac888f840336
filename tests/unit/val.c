#include "resolver/val.h"

#include <ldns/ldns.h>

#include "resolver/rrset_cache.h"
#include "resolver/server.h"
#include "tests/unit/unit.h"
#include "zones/anchor_file.h"

/* A small signed Internet: the root and test. are signed; secure.test. has a DS,
 * plain.test. has none, lost.test. has one and no key to go with it. Sets are made from
 * text when they are wanted. */

enum { NOW = 1800000000, DAY = 86400, SETS = 64 };

static struct arena arena;
static struct conf conf;
static struct policy policy;
static struct resolve_env env;
static struct val val;
static int fetched;

static const uint8_t *name(const char *text)
{
	uint8_t out[DNS_NAME_MAX];
	ck_assert_msg(name_from_str(out, text) == ERR_OK, "%s", text);
	return arena_copy(&arena, out, name_len(out));
}

/* ---- zones and their keys ---- */

static struct zone {
	const char *name;
	ldns_key *key;
} zones[] = {{".", NULL},
	     {"test", NULL},
	     {"secure.test", NULL},
	     {"other.test", NULL},
	     {"isle.plain.test", NULL}};

static const struct zone *zone_of(const char *zone)
{
	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
		if (!strcmp(zones[i].name, zone))
			return &zones[i];
	ck_abort_msg("no zone %s", zone);
}

static void make_keys(void)
{
	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
		ldns_key *k = ldns_key_new_frm_algorithm(LDNS_SIGN_ECDSAP256SHA256, 0);
		ldns_key_set_pubkey_owner(k, ldns_dname_new_frm_str(zones[i].name));
		ldns_key_set_flags(k, 257);
		ldns_key_set_inception(k, NOW - DAY);
		ldns_key_set_expiration(k, NOW + 20 * DAY);
		ldns_rr *rr = ldns_key2rr(k);
		ldns_key_set_keytag(k, ldns_calc_keytag(rr));
		ldns_rr_free(rr);
		zones[i].key = k;
	}
}

/* ---- sets from text ---- */

static void put_rdata(struct wire_writer *w, const ldns_rr *rr)
{
	ldns_buffer *b = ldns_buffer_new(1024);
	ck_assert_int_eq(ldns_rr_rdata2buffer_wire(b, rr), LDNS_STATUS_OK);
	wire_put16(w, (unsigned)ldns_buffer_position(b));
	wire_put(w, ldns_buffer_begin(b), ldns_buffer_position(b));
	ldns_buffer_free(b);
}

static const uint8_t *wire_of(const ldns_rr_list *list, uint32_t *len, uint16_t *n)
{
	uint8_t bytes[8192];
	struct wire_writer w = wire_writer(bytes, sizeof bytes);
	*n = (uint16_t)ldns_rr_list_rr_count(list);
	for (size_t i = 0; i < *n; i++)
		put_rdata(&w, ldns_rr_list_rr(list, i));
	ck_assert_int_eq(w.err, 0);
	*len = (uint32_t)wire_written(&w);
	return arena_copy(&arena, bytes, *len);
}

static struct rrset *set_of(ldns_rr_list *rrs, const char *owner, const char *signer)
{
	struct rrset *s = arena_zero(&arena, sizeof *s);
	*s = (struct rrset){.owner = name(owner),
			    .type = (uint16_t)ldns_rr_get_type(ldns_rr_list_rr(rrs, 0)),
			    .rank = RANK_AUTH_ANSWER,
			    .ttl = 300,
			    .from.zone = name(".")};
	s->data = wire_of(rrs, &s->data_len, &s->rr_n);
	if (signer) {
		ldns_key_list *keys = ldns_key_list_new();
		ldns_key_list_push_key(keys, zone_of(signer)->key);
		ldns_rr_list *sigs = ldns_sign_public(rrs, keys);
		ck_assert_ptr_nonnull(sigs);
		s->sigs = wire_of(sigs, &s->sigs_len, &s->sig_n);
		ldns_rr_list_deep_free(sigs);
		free(keys->_keys); /* ldns_key_list_free() takes the key along */
		free(keys);
	}
	return s;
}

/* One record; signer NULL: without signature. */
static struct rrset *record(const char *signer, const char *owner, const char *rest)
{
	char text[600];
	ldns_rr *rr = NULL;
	snprintf(text, sizeof text, "%s 300 IN %s", owner, rest);
	ck_assert_msg(ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL) == LDNS_STATUS_OK,
		      "%s", text);
	ldns_rr_list *list = ldns_rr_list_new();
	ldns_rr_list_push_rr(list, rr);
	struct rrset *s = set_of(list, owner, signer);
	ldns_rr_list_deep_free(list);
	return s;
}

static struct rrset *keys_of(const char *zone, const char *signer)
{
	ldns_rr_list *list = ldns_rr_list_new();
	ldns_rr_list_push_rr(list, ldns_key2rr(zone_of(zone)->key));
	struct rrset *s = set_of(list, zone, signer);
	ldns_rr_list_deep_free(list);
	return s;
}

static char *ds_text(const char *zone)
{
	ldns_rr *key = ldns_key2rr(zone_of(zone)->key);
	ldns_rr *ds = ldns_key_rr2ds(key, LDNS_SHA256);
	char *text = ldns_rr2str(ds);
	ldns_rr_free(key);
	ldns_rr_free(ds);
	return text;
}

/* The DS of zone, said of owner. */
static struct rrset *ds_of(const char *zone, const char *owner, const char *signer)
{
	char *text = ds_text(zone);
	struct rrset *s = record(signer, owner, strstr(text, "DS"));
	free(text);
	return s;
}

/* A denial that the NSEC at owner proves, if it does. */
static struct rrset *denial(const char *signer, const char *denied, uint16_t type,
			    uint8_t kind, const char *owner, const char *nsec)
{
	struct rrset *s = arena_zero(&arena, sizeof *s);
	const struct rrset **proof = arena_get(&arena, sizeof *proof);
	*proof = record(signer, owner, nsec);
	*s = (struct rrset){.owner = name(denied),
			    .type = type,
			    .kind = kind,
			    .rank = RANK_AUTHORITY,
			    .ttl = 300,
			    .proof = proof,
			    .proof_n = 1,
			    .from.zone = name("test")};
	return s;
}

/* ---- what the validator asks for ---- */

static struct rrset *answer_to(const struct val_set *want)
{
	char text[DNS_NAME_TEXT_MAX];
	name_to_text(text, want->name);
	if (want->type == DNS_DNSKEY)
		return !strcmp(text, "lost.test") ? NULL : keys_of(text, text);
	if (!strcmp(text, "test"))
		return ds_of("test", "test", ".");
	if (!strcmp(text, "isle.plain.test") || !strcmp(text, "dark.test"))
		return NULL; /* servers that fail */
	if (!strcmp(text, "secure.test"))
		return ds_of("secure.test", text, "test");
	if (!strcmp(text, "lost.test"))
		return ds_of("other.test", text, "test");
	if (!strcmp(text, "alias.secure.test"))
		return record(NULL, text, "CNAME www.secure.test.");
	if (!strcmp(text, "odd.test")) /* an algorithm that nobody knows */
		return record("test", text, "DS 1 200 2 00");
	if (!strcmp(text, "plain.test"))
		return denial("test", text, DNS_DS, RRSET_NODATA, text,
			      "NSEC z.test NS RRSIG NSEC");
	return denial("test", text, DNS_DS, RRSET_NODATA, text, "NSEC z.test A");
}

static void open_world(void)
{
	struct anchor_records trusted = {0};
	struct anchors *set;
	struct rrset_cache *cache;
	struct server_table *servers;
	char error[ZONE_FILE_ERROR_MAX], *ds;
	struct rrset_cache_conf cc = {.size_bytes = 4 << 20, .max_ttl_s = 86400};
	arena_init(&arena, 65536, 64 << 20);
	make_keys();
	ds = ds_text(".");
	ck_assert_msg(!anchor_records_parse(&trusted, "test", ds, strlen(ds), error),
		      "%s", error);
	ck_assert_int_eq(anchors_new(&set, &trusted, NULL, 0), 0);
	ck_assert_int_eq(rrset_cache_open(&cache, &cc), 0);
	ck_assert_int_eq(server_table_open(&servers), 0);
	anchor_records_fini(&trusted);
	free(ds);
	env = (struct resolve_env){.now_s = NOW,
				   .policy = &policy,
				   .cache = cache,
				   .servers = servers,
				   .conf = &conf,
				   .anchors = set};
	fetched = 0;
	val_start(&val, &arena);
}

static void close_world(void)
{
	anchors_free((struct anchors *)(uintptr_t)env.anchors);
	rrset_cache_close(env.cache);
	server_table_close(env.servers);
	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
		ldns_key_deep_free(zones[i].key);
	arena_fini(&arena);
}

static enum val_result check(struct rrset *s)
{
	return val_check(&val, &env, &(struct val_part){s, s->owner}, 1);
}

/* All the way, everything it wants is fetched. */
static uint8_t status_of(struct rrset *s)
{
	enum val_result r;
	struct val_set *want;
	for (int i = 0; i < SETS; i++) {
		while ((r = check(s)) == VAL_YIELDS)
			continue;
		if (r != VAL_WAITS)
			break;
		while ((want = val_want(&val))) {
			struct reply reply = {.ede = DNS_EDE_NONE};
			struct rrset *got = answer_to(want);
			fetched++;
			if (!got)
				reply.rcode = DNS_SERVFAIL;
			else if (got->kind == RRSET_DATA)
				reply.answer[reply.answer_n++] = got;
			else
				reply.negative = got;
			val_take(&val, want, &reply);
		}
	}
	ck_assert_int_eq(r, VAL_DONE);
	return s->security;
}

/* ---- tests ---- */

#define A "A 192.0.2.1"

START_TEST(what_is_secure)
{
	struct row {
		const char *what, *signer, *owner, *rest, *from;
		uint8_t status;
		int16_t ede;
	};
	static const struct row t[] = {
		{"signed by its zone", "secure.test", "www.secure.test", A, "secure.test",
		 SECURITY_SECURE, DNS_EDE_NONE},
		{"at the apex of a zone", "test", "test", "SOA a. b. 1 2 3 4 5", "test",
		 SECURITY_SECURE, DNS_EDE_NONE},
		{"signed by the parent", "test", "www.secure.test", A, "secure.test",
		 SECURITY_SECURE, DNS_EDE_NONE},
		{"signed by a sibling", "other.test", "www.secure.test", A, "secure.test",
		 SECURITY_BOGUS, DNS_EDE_RRSIGS_MISSING},
		{"not signed in a signed zone", NULL, "www.secure.test", A, "secure.test",
		 SECURITY_BOGUS, DNS_EDE_RRSIGS_MISSING},
		{"an alias that is not signed", NULL, "alias.secure.test",
		 "CNAME www.secure.test.", "secure.test", SECURITY_BOGUS,
		 DNS_EDE_RRSIGS_MISSING},
		{"not signed, got from above", NULL, "www.secure.test", A, ".",
		 SECURITY_BOGUS, DNS_EDE_RRSIGS_MISSING},
		{"no DS at the cut", NULL, "www.plain.test", A, "plain.test",
		 SECURITY_INSECURE, DNS_EDE_NONE},
		{"no DS at a cut on the same server", NULL, "www.plain.test", A, "test",
		 SECURITY_INSECURE, DNS_EDE_NONE},
		{"a cut that the parent does not have", NULL, "www.made.test", A,
		 "made.test", SECURITY_BOGUS, DNS_EDE_RRSIGS_MISSING},
		{"a DS for another key", "other.test", "www.other.test", A, "other.test",
		 SECURITY_BOGUS, DNS_EDE_DNSKEY_MISSING},
		{"keys that cannot be had", NULL, "www.lost.test", A, "lost.test",
		 SECURITY_BOGUS, DNS_EDE_RRSIGS_MISSING},
		{"a DS that cannot be had, below a cut without", "isle.plain.test",
		 "www.isle.plain.test", A, "isle.plain.test", SECURITY_INSECURE,
		 DNS_EDE_NONE},
		{"a DS that cannot be had", NULL, "www.dark.test", A, "dark.test",
		 SECURITY_UNCHECKED, DNS_EDE_NONE},
		{"an algorithm that nobody knows", NULL, "www.odd.test", A, "odd.test",
		 SECURITY_INSECURE, DNS_EDE_NONE},
		{"signatures asked for by name", NULL, "www.secure.test",
		 "RRSIG A 13 3 300 20270101000000 20260101000000 1 secure.test. AAAA",
		 "secure.test", SECURITY_INSECURE, DNS_EDE_NONE},
		{"a DS by its own zone", "secure.test", "secure.test", "DS 1 13 2 00",
		 "test", SECURITY_BOGUS, DNS_EDE_RRSIGS_MISSING},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		open_world();
		struct rrset *s = record(t[i].signer, t[i].owner, t[i].rest);
		s->from.zone = name(t[i].from);
		uint8_t got = status_of(s);
		ck_assert_msg(got == t[i].status, "%s: %d, %s", t[i].what, got,
			      val.text ? val.text : "");
		ck_assert_msg(got != SECURITY_BOGUS || s->why == t[i].ede, "%s: EDE %d",
			      t[i].what, s->why);
		ck_assert(got != SECURITY_BOGUS || s->ttl <= VAL_BOGUS_TTL_S);
		close_world();
	}
}
END_TEST

START_TEST(denials)
{
	static const struct {
		const char *what, *signer, *denied;
		uint16_t type;
		uint8_t kind;
		const char *owner, *nsec;
		uint8_t status;
		const char *from;
	} t[] = {
		{"no such type", "test", "www.test", DNS_A, RRSET_NODATA, "www.test",
		 "NSEC z.test TXT", SECURITY_SECURE, "test"},
		{"there is such a type", "test", "www.test", DNS_A, RRSET_NODATA,
		 "www.test", "NSEC z.test A TXT", SECURITY_BOGUS, "test"},
		{"no such name", "test", "b.test", DNS_A, RRSET_NXDOMAIN, "test",
		 "NSEC c.test SOA NS", SECURITY_SECURE, "test"},
		{"there is such a name", "test", "c.test", DNS_A, RRSET_NXDOMAIN, "test",
		 "NSEC c.test SOA NS", SECURITY_BOGUS, "test"},
		{"not signed", NULL, "b.test", DNS_A, RRSET_NXDOMAIN, "test",
		 "NSEC c.test SOA NS", SECURITY_BOGUS, "test"},
		{"not signed, below a cut without DS", NULL, "b.plain.test", DNS_A,
		 RRSET_NXDOMAIN, "plain.test", "NSEC c.plain.test SOA NS",
		 SECURITY_INSECURE, "test"},
		{"a child's own word about its DS", "secure.test", "secure.test", DNS_DS,
		 RRSET_NODATA, "secure.test", "NSEC a.secure.test SOA NS", SECURITY_BOGUS,
		 "test"},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		open_world();
		struct rrset *s = denial(t[i].signer, t[i].denied, t[i].type, t[i].kind,
					 t[i].owner, t[i].nsec);
		s->from.zone = name(t[i].from);
		uint8_t got = status_of(s);
		ck_assert_msg(got == t[i].status, "%s: %d, %s", t[i].what, got,
			      val.text ? val.text : "");
		close_world();
	}
}
END_TEST

/* The second question of a zone fetches nothing; statuses come with cached sets. */
START_TEST(what_is_known_is_not_fetched)
{
	struct rrset cached;
	open_world();
	struct rrset *s = record("secure.test", "www.secure.test", A);
	ck_assert_int_eq(status_of(s), SECURITY_SECURE);
	ck_assert_int_eq(fetched, 5); /* three times DNSKEY, twice DS */
	ck_assert_int_eq(rrset_cache_get(env.cache, &cached, &arena, s->owner, DNS_A,
					 RANK_ANSWER, NOW),
			 RRSET_CACHE_HIT);
	ck_assert_int_eq(cached.security, SECURITY_SECURE);
	val_start(&val, &arena);
	ck_assert_int_eq(status_of(record("secure.test", "ftp.secure.test", A)),
			 SECURITY_SECURE);
	ck_assert_int_eq(status_of(&cached), SECURITY_SECURE);
	ck_assert_int_eq(fetched, 5);
	/* A signature's work is that of the client's question, whatever the sets. */
	val.work.question = 0;
	ck_assert_int_eq(status_of(record("secure.test", "mail.secure.test", A)),
			 SECURITY_UNCHECKED);
	ck_assert_int_eq(val.ede, DNS_EDE_INDETERMINATE);
	close_world();
}
END_TEST

/* What is delegated by a zone without DS needs no DS of its own to be looked for. */
START_TEST(below_an_unsigned_zone)
{
	struct delegation d = {.servers_n = 1, .ttl = 300};
	open_world();
	d.zone = name("deep.plain.test");
	d.server[0].name = name("ns.deep.plain.test");
	d.from.zone = name("plain.test");
	rrset_cache_put_delegation(env.cache, &d, NOW);
	struct rrset *s = record(NULL, "www.deep.plain.test", A);
	s->from.zone = d.zone;
	ck_assert_int_eq(status_of(s), SECURITY_INSECURE);
	/* The keys of the root and of test., their DS and that of plain.test. */
	ck_assert_int_eq(fetched, 4);
	close_world();
}
END_TEST

/* Keys and the DS of the zone above are asked for side by side. */
START_TEST(wants_at_once)
{
	open_world();
	struct rrset *ds = ds_of("test", "test", ".");
	rrset_cache_put(env.cache, ds, NOW);
	struct rrset *s = record("test", "www.test", A);
	ck_assert_int_eq(check(s), VAL_WAITS);
	ck_assert_ptr_nonnull(val_want(&val)); /* the root's keys */
	ck_assert_ptr_nonnull(val_want(&val)); /* those of test. */
	ck_assert_ptr_null(val_want(&val));
	close_world();
}
END_TEST

START_TEST(a_rule_on_the_way)
{
	struct rrset *s;
	open_world();
	s = record("secure.test", "www.secure.test", A);
	ck_assert_int_eq(check(s), VAL_WAITS);
	struct reply reply = {.verdict = {.kind = VERDICT_ACT, .action = RULE_NXDOMAIN}};
	val_take(&val, val_want(&val), &reply);
	ck_assert_int_eq(check(s), VAL_BLOCKED);
	ck_assert_int_eq(val.blocked.action, RULE_NXDOMAIN);
	ck_assert_int_eq(s->security, SECURITY_UNCHECKED);
	close_world();
}
END_TEST

/* What could not be fetched says nothing for good. */
START_TEST(not_to_be_had)
{
	struct rrset *s, cached;
	open_world();
	s = record("secure.test", "www.secure.test", A);
	rrset_cache_put(env.cache, s, NOW);
	for (int i = 0; i < 2; i++) { /* the DS, then that of the zone above */
		ck_assert_int_eq(check(s), VAL_WAITS);
		val_take(&val, val_want(&val), NULL);
	}
	ck_assert_int_eq(check(s), VAL_DONE);
	ck_assert_int_eq(s->security, SECURITY_UNCHECKED);
	ck_assert_int_eq(val.ede, DNS_EDE_INDETERMINATE);
	ck_assert_int_eq(rrset_cache_get(env.cache, &cached, &arena, s->owner, DNS_A,
					 RANK_ANSWER, NOW),
			 RRSET_CACHE_HIT);
	ck_assert_int_eq(cached.security, SECURITY_UNCHECKED);
	close_world();
}
END_TEST

/* Who leads through its own zones first, and so uses up the work, makes nobody's denials
 * bogus for all who ask later. */
START_TEST(work_that_is_used_up_makes_nothing_bogus)
{
	open_world();
	ck_assert_int_eq(status_of(record("test", "www.test", A)), SECURITY_SECURE);
	val_start(&val, &arena);
	val.work.question = 0;
	struct rrset *s = denial("test", "b.test", DNS_A, RRSET_NXDOMAIN, "test",
				 "NSEC c.test SOA NS");
	ck_assert_int_eq(status_of(s), SECURITY_UNCHECKED);
	ck_assert_int_eq(val.ede, DNS_EDE_INDETERMINATE);
	close_world();
}
END_TEST

/* Keys that fit no DS are not believed, nor kept for as long as they claim: who forged
 * them once would have closed the zone for a day. */
START_TEST(bad_keys_are_soon_forgotten)
{
	struct rrset cached;
	open_world();
	struct rrset *keys = keys_of("secure.test", "other.test");
	keys->ttl = DAY;
	rrset_cache_put(env.cache, keys, NOW);
	for (int i = 0; i < 2; i++) {
		val_start(&val, &arena);
		ck_assert_int_eq(status_of(record("secure.test", "www.secure.test", A)),
				 SECURITY_BOGUS);
		ck_assert_int_eq(rrset_cache_get(env.cache, &cached, &arena, keys->owner,
						 DNS_DNSKEY, RANK_ANSWER, env.now_s),
				 RRSET_CACHE_HIT);
		ck_assert_int_eq(cached.security, SECURITY_BOGUS);
		ck_assert_uint_le(cached.ttl, VAL_BOGUS_TTL_S);
		env.now_s += VAL_BOGUS_TTL_S / 2;
	}
	val_start(&val, &arena);
	ck_assert_int_eq(status_of(record("secure.test", "www.secure.test", A)),
			 SECURITY_SECURE);
	close_world();
}
END_TEST

/* One question that leads to n denials, each as dear as one may be. */
struct dear {
	const char *denied;
	int n;
};

static double dear_ms(void *arg)
{
	const struct dear *d = arg;
	double ms = 0;
	val_start(&val, &arena);
	for (int i = 0; i < d->n; i++) {
		struct rrset *s = denial("test", d->denied, DNS_A, RRSET_NXDOMAIN,
					 "0123456789abcdefghijklmnopqrstuv.test",
					 "NSEC3 1 0 50 - "
					 "1123456789abcdefghijklmnopqrstuv A RRSIG");
		double from = unit_cpu_ms();
		uint8_t got = status_of(s);
		ms += unit_cpu_ms() - from;
		ck_assert_int_ne(got, SECURITY_SECURE);
	}
	return ms;
}

/* 1B row 18: many denials take hardly longer than those that a question's work pays for.
 * Unpaid hashes would take as long each as the first. */
START_TEST(hashes_are_paid_for)
{
	enum {
		LABELS = 60,
		DEAR_CHECKS = 1 + VAL_HASHES_MAX / VAL_HASHES_PER_CHECK,
		PAID = 1 + VAL_SIGS_QUESTION / DEAR_CHECKS,
		MANY = VAL_SIGS_QUESTION / 2,
	};
	char deep[2 * LABELS + 8] = "";
	open_world();
	for (int i = 0; i < LABELS; i++)
		strcat(deep, "a.");
	strcat(deep, "test");
	ck_assert_int_eq(status_of(record("test", "www.test", A)), SECURITY_SECURE);
	double one_ms = unit_least(dear_ms, &(struct dear){deep, 1}, 0);
	ck_assert_int_eq(val.work.question, VAL_SIGS_QUESTION - DEAR_CHECKS);
	const double bar_ms = 3 * PAID * one_ms;
	double ms = unit_least(dear_ms, &(struct dear){deep, MANY}, bar_ms);
	ck_assert_int_le(val.work.question, 0);
	ck_assert_msg(ms <= bar_ms, "%.3f ms, a denial takes %.3f", ms, one_ms);
	close_world();
}
END_TEST

UNIT_SUITE("val", what_is_secure, denials, what_is_known_is_not_fetched,
	   below_an_unsigned_zone, wants_at_once, a_rule_on_the_way, not_to_be_had,
	   work_that_is_used_up_makes_nothing_bogus, hashes_are_paid_for,
	   bad_keys_are_soon_forgotten)
