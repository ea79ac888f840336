#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "resolver/rrset_cache.h"
#include "tests/unit/unit.h"

#ifndef __has_feature
#define __has_feature(x) 0 /* clang's word */
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ || \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

enum { NOW = 1000000, MIB = 1 << 20 };

static struct rrset_cache *cache;
static struct arena arena;

static void open_cache_stale(uint64_t bytes, uint32_t stale_s)
{
	struct rrset_cache_conf conf = {bytes, 0, 86400, stale_s};
	ck_assert_int_eq(rrset_cache_open(&cache, &conf), 0);
	arena_init(&arena, 65536, 64 * MIB);
}

static void open_cache(uint64_t bytes)
{
	open_cache_stale(bytes, 0);
}

static void close_cache(void)
{
	rrset_cache_close(cache);
	arena_fini(&arena);
}

static const uint8_t *name(const char *text)
{
	static uint8_t names[8][DNS_NAME_MAX];
	static unsigned at;
	uint8_t *n = names[at++ % 8];
	ck_assert_int_eq(name_from_str(n, text), 0);
	return n;
}

/* One A record whose last byte is mark. */
static struct rrset a_record(const char *owner, uint8_t mark, uint32_t ttl, uint8_t rank)
{
	static uint8_t data[8][6];
	static unsigned at;
	uint8_t *d = data[at++ % 8];
	memcpy(d, (uint8_t[]){0, 4, 192, 0, 2, mark}, 6);
	return (struct rrset){.owner = name(owner),
			      .type = DNS_A,
			      .rank = rank,
			      .rr_n = 1,
			      .ttl = ttl,
			      .data_len = 6,
			      .data = d};
}

static void put_a(const char *owner, uint8_t mark, uint32_t ttl, uint8_t rank)
{
	struct rrset s = a_record(owner, mark, ttl, rank);
	rrset_cache_put(cache, &s, NOW);
}

static int get(struct rrset *out, const char *owner, uint16_t type, uint32_t now)
{
	return rrset_cache_get(cache, out, &arena, name(owner), type, RANK_ADDITIONAL,
			       now);
}

/* The mark of the cached A record, 0 when there is none. */
static int mark(const char *owner, uint32_t now)
{
	struct rrset s;
	int r = get(&s, owner, DNS_A, now);
	ck_assert_int_ge(r, 0);
	return r == RRSET_CACHE_HIT && s.kind == RRSET_DATA ? s.data[5] : 0;
}

START_TEST(keeps_all_of_an_rrset)
{
	open_cache(4 * MIB);
	struct rrset s = a_record("www.example.com", 7, 300, RANK_AUTH_ANSWER), got;
	s.from.zone = name("example.com");
	s.from.server = name("ns1.example.net");
	ck_assert_int_eq(addr_from_text(&s.from.addr, "2001:db8::1", 11), 0);
	s.from.addr.port = 53;
	rrset_cache_put(cache, &s, NOW);
	ck_assert_int_eq(get(&got, "www.example.com", DNS_A, NOW + 10), RRSET_CACHE_HIT);
	ck_assert(name_equal(got.owner, s.owner));
	ck_assert_int_eq(got.type, DNS_A);
	ck_assert_int_eq(got.rank, RANK_AUTH_ANSWER);
	ck_assert_int_eq(got.ttl, 290);
	ck_assert_int_eq(got.rr_n, 1);
	ck_assert_mem_eq(got.data, s.data, 6);
	ck_assert(name_equal(got.from.zone, s.from.zone));
	ck_assert(name_equal(got.from.server, s.from.server));
	ck_assert(addr_equal(&got.from.addr, &s.from.addr));
	ck_assert_int_eq(get(&got, "www.example.com", DNS_AAAA, NOW), RRSET_CACHE_MISS);
	ck_assert_int_eq(get(&got, "example.com", DNS_A, NOW), RRSET_CACHE_MISS);
	close_cache();
}
END_TEST

/* A denial with a SOA's signature and two proofs, one without signatures. */
START_TEST(signatures_and_proofs_stay_with_it)
{
	static const uint8_t soa[] = "\0\3soa", sig[] = "\0\4sigs", rdata[] = "\0\2xy";
	struct rrset got, proof[2] = {
				  {.owner = name("a.example"),
				   .type = DNS_NSEC,
				   .rr_n = 1,
				   .sig_n = 1,
				   .ttl = 40,
				   .data = rdata,
				   .data_len = 4,
				   .sigs = sig,
				   .sigs_len = 6},
				  {.owner = name("example"),
				   .type = DNS_NSEC3,
				   .rr_n = 1,
				   .ttl = 9999,
				   .data = rdata,
				   .data_len = 4},
			  };
	const struct rrset *const list[] = {&proof[0], &proof[1]};
	struct rrset s = {.owner = name("b.example"),
			  .type = DNS_MX,
			  .kind = RRSET_NODATA,
			  .rank = RANK_AUTHORITY,
			  .security = SECURITY_BOGUS,
			  .why = 7,
			  .rr_n = 1,
			  .sig_n = 1,
			  .ttl = 60,
			  .data = soa,
			  .data_len = 5,
			  .sigs = sig,
			  .sigs_len = 6,
			  .proof = list,
			  .proof_n = 2};
	open_cache(4 * MIB);
	s.soa_owner = name("example");
	s.from.server = name("ns.example.net");
	rrset_cache_put(cache, &s, NOW);
	ck_assert_int_eq(get(&got, "b.example", DNS_MX, NOW), RRSET_CACHE_HIT);
	ck_assert_int_eq(got.security, SECURITY_BOGUS);
	ck_assert_int_eq(got.why, 7);
	ck_assert_int_eq(got.sig_n, 1);
	ck_assert_uint_eq(got.sigs_len, 6);
	ck_assert_mem_eq(got.sigs, sig, 6);
	ck_assert(name_equal(got.soa_owner, s.soa_owner));
	ck_assert(name_equal(got.from.server, s.from.server));
	ck_assert_int_eq(got.proof_n, 2);
	for (int i = 0; i < 2; i++) {
		const struct rrset *p = got.proof[i];
		ck_assert(name_equal(p->owner, proof[i].owner));
		ck_assert_int_eq(p->type, proof[i].type);
		ck_assert_uint_eq(p->ttl, i ? 60 : 40); /* no longer than the denial */
		ck_assert_int_eq(p->sig_n, proof[i].sig_n);
		ck_assert_uint_eq(p->sigs_len, proof[i].sigs_len);
		ck_assert_mem_eq(p->data, rdata, 4);
	}
	ck_assert_mem_eq(got.proof[0]->sigs, sig, 6);
	close_cache();
}
END_TEST

/* Row 22 of the attacks: a forged denial that CD=1 let in, or forged records. */
START_TEST(secure_gives_way_to_secure_only)
{
	static const struct {
		uint8_t old, new, kind;
		int mark; /* of the A record found then */
	} t[] = {
		{SECURITY_UNCHECKED, SECURITY_UNCHECKED, RRSET_DATA, 2},
		{SECURITY_BOGUS, SECURITY_UNCHECKED, RRSET_DATA, 2},
		{SECURITY_INSECURE, SECURITY_UNCHECKED, RRSET_DATA, 2},
		{SECURITY_SECURE, SECURITY_UNCHECKED, RRSET_DATA, 1},
		{SECURITY_SECURE, SECURITY_BOGUS, RRSET_DATA, 1},
		{SECURITY_SECURE, SECURITY_SECURE, RRSET_DATA, 2},
		{SECURITY_UNCHECKED, SECURITY_UNCHECKED, RRSET_NXDOMAIN, 0},
		{SECURITY_SECURE, SECURITY_UNCHECKED, RRSET_NXDOMAIN, 1},
		{SECURITY_SECURE, SECURITY_SECURE, RRSET_NXDOMAIN, 0},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		open_cache(4 * MIB);
		struct rrset s = a_record("www.example", 1, 60, RANK_AUTH_ANSWER);
		s.security = t[i].old;
		rrset_cache_put(cache, &s, NOW);
		s = a_record("www.example", 2, 60, RANK_AUTH_ANSWER);
		s.security = t[i].new;
		s.kind = t[i].kind;
		s.soa_owner = s.kind == RRSET_DATA ? NULL : s.owner;
		rrset_cache_put(cache, &s, NOW);
		ck_assert_msg(mark("www.example", NOW) == t[i].mark, "row %zu", i);
		/* The other way round: records after a denial. */
		if (s.kind == RRSET_NXDOMAIN && t[i].old == SECURITY_UNCHECKED) {
			s.security = SECURITY_SECURE;
			rrset_cache_put(cache, &s, NOW);
			put_a("www.example", 3, 60, RANK_AUTH_ANSWER);
			ck_assert_int_eq(mark("www.example", NOW), 0);
		}
		close_cache();
	}
}
END_TEST

START_TEST(ttl_is_clipped_and_ends)
{
	static const struct {
		uint32_t min, max, ttl, at, left; /* left 0 = gone */
	} t[] = {
		{0, 86400, 60, 0, 60},
		{0, 86400, 60, 59, 1},
		{0, 86400, 60, 60, 0},
		{0, 86400, 60, 61, 0},
		{0, 86400, 0, 0, 0},
		{5, 86400, 0, 0, 5},
		{0, 100, 7 * 86400, 0, 100},
		{0, 86400, 60, (uint32_t)-5, 60},
		{0, 86400, DNS_TTL_MAX, 0, 86400},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct rrset_cache_conf conf = {4 * MIB, t[i].min, t[i].max, 0};
		struct rrset got;
		ck_assert_int_eq(rrset_cache_open(&cache, &conf), 0);
		arena_init(&arena, 65536, MIB);
		put_a("a.example", 1, t[i].ttl, RANK_ANSWER);
		int r = get(&got, "a.example", DNS_A, NOW + t[i].at);
		ck_assert_msg(r == (t[i].left ? RRSET_CACHE_HIT : RRSET_CACHE_MISS),
			      "row %zu", i);
		if (t[i].left)
			ck_assert_int_eq(got.ttl, t[i].left);
		close_cache();
	}
}
END_TEST

START_TEST(validated_data_is_not_prolonged)
{
	static const struct {
		uint8_t security;
		uint32_t ttl;
	} t[] = {{SECURITY_UNCHECKED, 60},
		 {SECURITY_INSECURE, 60},
		 {SECURITY_SECURE, 7},
		 {SECURITY_BOGUS, 7}};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct rrset_cache_conf conf = {
			.size_bytes = 4 * MIB, .min_ttl_s = 60, .max_ttl_s = 86400};
		struct rrset got, s = a_record("a.example", 1, 7, RANK_ANSWER);
		ck_assert_int_eq(rrset_cache_open(&cache, &conf), 0);
		arena_init(&arena, 65536, MIB);
		s.security = t[i].security;
		rrset_cache_put(cache, &s, NOW);
		ck_assert_int_eq(get(&got, "a.example", DNS_A, NOW), RRSET_CACHE_HIT);
		ck_assert_uint_eq(got.ttl, t[i].ttl);
		close_cache();
	}
}
END_TEST

START_TEST(time_wraps_round)
{
	open_cache(4 * MIB);
	struct rrset s = a_record("a.example", 1, 100, RANK_ANSWER);
	rrset_cache_put(cache, &s, 0xffffffe0U);
	ck_assert_int_eq(mark("a.example", 0xfffffff0U), 1);
	ck_assert_int_eq(mark("a.example", 50), 1);
	ck_assert_int_eq(mark("a.example", 100), 0);
	close_cache();
}
END_TEST

START_TEST(lower_rank_never_replaces_higher)
{
	open_cache(4 * MIB);
	put_a("a.example", 1, 100, RANK_AUTH_ANSWER);
	put_a("a.example", 2, 100, RANK_ADDITIONAL);
	ck_assert_int_eq(mark("a.example", NOW), 1);
	put_a("a.example", 3, 100, RANK_AUTH_ANSWER);
	ck_assert_int_eq(mark("a.example", NOW), 3);
	struct rrset s = a_record("a.example", 4, 100, RANK_ADDITIONAL);
	rrset_cache_put(cache, &s, NOW + 100); /* the better one has expired */
	ck_assert_int_eq(mark("a.example", NOW + 101), 4);
	ck_assert_int_eq(rrset_cache_get(cache, &s, &arena, name("a.example"), DNS_A,
					 RANK_ANSWER, NOW + 101),
			 RRSET_CACHE_MISS);
	close_cache();
}
END_TEST

static struct rrset denial(const char *owner, uint8_t kind, const char *zone)
{
	static const uint8_t soa[] = {0, 22, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1,
				      0, 0,  0, 1, 0, 0, 0, 1, 0, 0, 0, 60};
	return (struct rrset){.owner = name(owner),
			      .type = DNS_A,
			      .kind = kind,
			      .rank = RANK_AUTHORITY,
			      .rr_n = 1,
			      .ttl = 60,
			      .data_len = sizeof soa,
			      .data = soa,
			      .soa_owner = name(zone)};
}

START_TEST(nxdomain_answers_every_type)
{
	struct rrset got, nx, nodata;
	open_cache(4 * MIB);
	nx = denial("gone.example", RRSET_NXDOMAIN, "example");
	rrset_cache_put(cache, &nx, NOW);
	ck_assert_int_eq(get(&got, "gone.example", DNS_MX, NOW), RRSET_CACHE_HIT);
	ck_assert_int_eq(got.kind, RRSET_NXDOMAIN);
	ck_assert_int_eq(got.type, DNS_MX);
	ck_assert(name_equal(got.soa_owner, name("example")));
	/* Glue does not bring a name to life, data does, a new denial ends it again. */
	put_a("gone.example", 1, 50, RANK_ADDITIONAL);
	ck_assert_int_eq(get(&got, "gone.example", DNS_MX, NOW), RRSET_CACHE_HIT);
	put_a("gone.example", 2, 50, RANK_AUTH_ANSWER);
	ck_assert_int_eq(get(&got, "gone.example", DNS_MX, NOW), RRSET_CACHE_MISS);
	ck_assert_int_eq(mark("gone.example", NOW), 2);
	rrset_cache_put(cache, &nx, NOW);
	ck_assert_int_eq(mark("gone.example", NOW), 0);
	nodata = denial("a.example", RRSET_NODATA, "example");
	rrset_cache_put(cache, &nodata, NOW);
	ck_assert_int_eq(get(&got, "a.example", DNS_A, NOW), RRSET_CACHE_HIT);
	ck_assert_int_eq(got.kind, RRSET_NODATA);
	ck_assert_int_eq(get(&got, "a.example", DNS_AAAA, NOW), RRSET_CACHE_MISS);
	nodata = denial("b.example", RRSET_NODATA, "test");
	rrset_cache_put(cache, &nodata, NOW);
	ck_assert_int_eq(get(&got, "b.example", DNS_A, NOW), RRSET_CACHE_MISS);
	close_cache();
}
END_TEST

START_TEST(odd_types_and_sizes_stay_out)
{
	static const uint16_t odd[] = {0, DNS_ANY, DNS_OPT, DNS_AXFR, 65535};
	struct rrset s, got;
	open_cache(4 * MIB);
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		s = a_record("a.example", 1, 60, RANK_AUTH_ANSWER);
		s.type = odd[i];
		rrset_cache_put(cache, &s, NOW);
		ck_assert_int_eq(get(&got, "a.example", odd[i], NOW), RRSET_CACHE_MISS);
	}
	static uint8_t big[RRSET_ENTRY_MAX + 1];
	s = a_record("big.example", 1, 60, RANK_AUTH_ANSWER);
	s.data = big;
	s.data_len = RRSET_ENTRY_MAX;
	rrset_cache_put(cache, &s, NOW);
	ck_assert_int_eq(get(&got, "big.example", DNS_A, NOW), RRSET_CACHE_HIT);
	ck_assert_int_eq(got.data_len, RRSET_ENTRY_MAX);
	s.owner = name("bigger.example");
	s.data_len = RRSET_ENTRY_MAX + 1;
	rrset_cache_put(cache, &s, NOW);
	ck_assert_int_eq(get(&got, "bigger.example", DNS_A, NOW), RRSET_CACHE_MISS);
	close_cache();
}
END_TEST

static struct delegation cut(const char *zone, const char *server, const char *glue)
{
	struct delegation d = {.zone = name(zone), .servers_n = 2, .ttl = 3600};
	d.server[0].name = name(server);
	d.server[0].addr_n = 2;
	ck_assert_int_eq(addr_from_text(&d.server[0].addr[0], glue, strlen(glue)), 0);
	ck_assert_int_eq(addr_from_text(&d.server[0].addr[1], "2001:db8::53", 12), 0);
	d.server[1].name = name("ns2.example.net");
	return d;
}

START_TEST(deepest_living_cut_is_found)
{
	struct delegation d = cut("com", "a.example.net", "192.0.2.1"), got;
	open_cache(4 * MIB);
	rrset_cache_put_delegation(cache, &d, NOW);
	d = cut("example.com", "ns1.example.com", "192.0.2.2");
	d.ttl = 60;
	rrset_cache_put_delegation(cache, &d, NOW);
	ck_assert_int_eq(rrset_cache_get_delegation(cache, &got, &arena,
						    name("x.example.com"), false, NOW),
			 RRSET_CACHE_HIT);
	ck_assert_int_eq(got.servers_n, 2);
	ck_assert(name_equal(got.server[0].name, name("ns1.example.com")));
	ck_assert_int_eq(got.server[0].addr_n, 2);
	ck_assert_int_eq(got.server[0].addr[0].bytes[3], 2);
	ck_assert_int_eq(got.server[0].addr[1].family, 6);
	ck_assert_int_eq(got.server[1].addr_n, 0);
	static const struct {
		const char *name;
		bool above;
		uint32_t at;
		const char *zone; /* NULL = none */
	} t[] = {
		{"www.example.com", false, 0, "example.com"},
		{"example.com", false, 0, "example.com"},
		{"example.com", true, 0, "com"},
		{"www.example.com", true, 0, "example.com"},
		{"example.com", false, 60, "com"},
		{"com", true, 0, NULL},
		{"example.org", false, 0, NULL},
		{".", true, 0, NULL},
		{".", false, 0, NULL},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		int r = rrset_cache_get_delegation(cache, &got, &arena, name(t[i].name),
						   t[i].above, NOW + t[i].at);
		ck_assert_msg(r == (t[i].zone ? RRSET_CACHE_HIT : RRSET_CACHE_MISS),
			      "row %zu", i);
		if (t[i].zone)
			ck_assert_msg(name_equal(got.zone, name(t[i].zone)), "row %zu",
				      i);
	}
	close_cache();
}
END_TEST

/* Ghost domains: what the child says may not renew the parent's word. */
START_TEST(living_cut_is_not_renewed)
{
	struct delegation d = cut("example.com", "ns1.example.com", "192.0.2.1"), got;
	open_cache(4 * MIB);
	d.ttl = 60;
	rrset_cache_put_delegation(cache, &d, NOW);
	d = cut("example.com", "ns.evil.test", "192.0.2.66");
	d.ttl = 86400;
	rrset_cache_put_delegation(cache, &d, NOW + 30);
	ck_assert_int_eq(rrset_cache_get_delegation(cache, &got, &arena,
						    name("example.com"), false, NOW + 59),
			 RRSET_CACHE_HIT);
	ck_assert(name_equal(got.server[0].name, name("ns1.example.com")));
	ck_assert_int_eq(got.ttl, 1);
	ck_assert_int_eq(rrset_cache_get_delegation(cache, &got, &arena,
						    name("example.com"), false, NOW + 60),
			 RRSET_CACHE_MISS);
	close_cache();
}
END_TEST

START_TEST(flush_forgets_what_it_says)
{
	static const struct {
		const char *name;
		bool subtree;
		int left[4]; /* of the four names below */
		uint64_t n;
	} t[] = {
		{"example.com", false, {0, 1, 1, 1}, 2},
		{"example.com", true, {0, 0, 1, 1}, 3},
		{"com", true, {0, 0, 0, 1}, 4},
		{"b.example.com", true, {1, 1, 1, 1}, 0},
		{NULL, false, {0, 0, 0, 0}, 5},
	};
	static const char *const names[] = {"example.com", "a.example.com",
					    "bexample.com", "example.org"};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		open_cache(4 * MIB);
		for (int k = 0; k < 4; k++)
			put_a(names[k], 1, 600, RANK_ANSWER);
		struct delegation d = cut("example.com", "ns.example.com", "192.0.2.1");
		rrset_cache_put_delegation(cache, &d, NOW);
		const uint8_t *n = t[i].name ? name(t[i].name) : NULL;
		ck_assert_uint_eq(rrset_cache_flush(cache, n, t[i].subtree), t[i].n);
		for (int k = 0; k < 4; k++)
			ck_assert_msg(mark(names[k], NOW) == t[i].left[k],
				      "row %zu name %d", i, k);
		close_cache();
	}
}
END_TEST

static uint32_t fails_behind(uint32_t first_s, uint32_t now)
{
	struct failure f = {.name = name("www.example.com"),
			    .type = DNS_A,
			    .rules = 7,
			    .least_s = first_s,
			    .text = "why"};
	uint32_t t = now;
	rrset_cache_put_failure(cache, &f, now);
	while (rrset_cache_get_failure(cache, &f, &arena, t) == RRSET_CACHE_HIT) {
		ck_assert_str_eq(f.text, "why");
		t++;
	}
	return t - now;
}

static uint32_t fails_until(uint32_t now)
{
	return fails_behind(0, now);
}

START_TEST(failures_last_longer_each_time)
{
	static const uint32_t want[] = {5, 10, 20, 40, 80, 160, 300, 300};
	uint32_t now = NOW;
	struct failure f = {
		.name = name("www.example.com"), .type = DNS_AAAA, .rules = 7};
	struct rrset got;
	open_cache(4 * MIB);
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		uint32_t lasts = fails_until(now);
		ck_assert_msg(lasts == want[i], "%zu: %u", i, lasts);
		now += lasts;
	}
	ck_assert_int_eq(get(&got, "www.example.com", DNS_A, now), RRSET_CACHE_MISS);
	ck_assert_int_eq(rrset_cache_get_failure(cache, &f, &arena, now - 1),
			 RRSET_CACHE_MISS);
	now += 301; /* long past: anew */
	ck_assert_uint_eq(fails_until(now), 5);
	rrset_cache_forgive(cache, name("www.example.com"), DNS_A);
	ck_assert_uint_eq(fails_until(now + 5), 5);
	ck_assert_uint_eq(rrset_cache_flush(cache, name("example.com"), true), 1);
	ck_assert_uint_eq(fails_until(now + 10), 5);
	close_cache();
}
END_TEST

/* Another rule may lead to an answer, and some begin or end by themselves. */
START_TEST(failures_hold_under_their_rules)
{
	struct failure f = {.name = name("www.example.com"),
			    .type = DNS_A,
			    .rules = 7,
			    .until_s = NOW + 2,
			    .text = "why"};
	open_cache(4 * MIB);
	rrset_cache_put_failure(cache, &f, NOW);
	f.rules = 8;
	ck_assert_int_eq(rrset_cache_get_failure(cache, &f, &arena, NOW),
			 RRSET_CACHE_MISS);
	f.rules = 7;
	ck_assert_int_eq(rrset_cache_get_failure(cache, &f, &arena, NOW + 1),
			 RRSET_CACHE_HIT);
	ck_assert_int_eq(rrset_cache_get_failure(cache, &f, &arena, NOW + 2),
			 RRSET_CACHE_MISS);
	close_cache();
}
END_TEST

START_TEST(failures_behind_stale_data_last_longer)
{
	open_cache(4 * MIB);
	ck_assert_uint_eq(fails_behind(FAILURE_TTL_STALE_S, NOW), 30);
	ck_assert_uint_eq(fails_behind(FAILURE_TTL_STALE_S, NOW + 30), 60);
	rrset_cache_forgive(cache, name("www.example.com"), DNS_A);
	ck_assert_uint_eq(fails_until(NOW + 90), 5);
	ck_assert_uint_eq(fails_behind(FAILURE_TTL_STALE_S, NOW + 95), 30);
	close_cache();
}
END_TEST

/* Told twice at the same time, by two workers: no doubling. */
START_TEST(failure_told_twice)
{
	open_cache(4 * MIB);
	ck_assert_uint_eq(fails_until(NOW), 5);
	ck_assert_uint_eq(fails_until(NOW + 1), 5);
	close_cache();
}
END_TEST

/* For 100 s an answer of 10 s, that was given at NOW, can be asked for. */
START_TEST(expired_is_kept_for_who_asks)
{
	static const struct {
		uint32_t stale_s, now, back;
		bool found;
	} t[] = {
		{100, NOW + 9, 0, true},      {100, NOW + 10, 0, false},
		{100, NOW + 10, 100, true},   {100, NOW + 109, 100, true},
		{100, NOW + 110, 100, false}, {0, NOW + 10, 0, false},
		{0, NOW + 10, 100, false},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct rrset got,
			a = a_record("www.example.com", 1, 10, RANK_AUTH_ANSWER);
		open_cache_stale(4 * MIB, t[i].stale_s);
		rrset_cache_put(cache, &a, NOW);
		/* A look-up for what is fresh takes nothing away. */
		bool fresh = get(&got, "www.example.com", DNS_A, t[i].now);
		ck_assert_msg(fresh == (t[i].now < NOW + 10), "row %zu", i);
		bool found = get(&got, "www.example.com", DNS_A, t[i].now - t[i].back);
		ck_assert_msg(found == t[i].found, "row %zu", i);
		ck_assert(!found || got.stored_s == NOW);
		close_cache();
	}
}
END_TEST

/* An answer that cannot be kept does not leave the old one to be told again. */
START_TEST(expired_goes_before_what_lives_no_time)
{
	struct rrset got, nx = denial("www.example.com", RRSET_NODATA, "example.com");
	open_cache_stale(4 * MIB, 86400);
	nx.ttl = 10;
	rrset_cache_put(cache, &nx, NOW);
	put_a("www.example.com", 1, 0, RANK_AUTH_ANSWER);
	ck_assert_int_eq(get(&got, "www.example.com", DNS_A, NOW), RRSET_CACHE_HIT);
	struct rrset a = a_record("www.example.com", 1, 0, RANK_AUTH_ANSWER);
	rrset_cache_put(cache, &a, NOW + 20);
	ck_assert_int_eq(get(&got, "www.example.com", DNS_A, NOW + 20 - 86400),
			 RRSET_CACHE_MISS);
	close_cache();
}
END_TEST

/* What was denied, then given, does not come back denied when both have expired. */
START_TEST(expired_denial_gives_way)
{
	struct rrset got, nx = denial("www.example.com", RRSET_NXDOMAIN, "example.com");
	open_cache_stale(4 * MIB, 86400);
	nx.ttl = 10;
	rrset_cache_put(cache, &nx, NOW);
	put_a("www.example.com", 1, 10, RANK_AUTH_ANSWER);
	struct rrset a = a_record("www.example.com", 1, 10, RANK_AUTH_ANSWER);
	rrset_cache_put(cache, &a, NOW + 20);
	ck_assert_int_eq(get(&got, "www.example.com", DNS_AAAA, NOW + 25 - 86400),
			 RRSET_CACHE_MISS);
	ck_assert_int_eq(get(&got, "www.example.com", DNS_A, NOW + 40), RRSET_CACHE_MISS);
	ck_assert_int_eq(get(&got, "www.example.com", DNS_A, NOW + 40 - 86400),
			 RRSET_CACHE_HIT);
	ck_assert_int_eq(got.kind, RRSET_DATA);
	close_cache();
}
END_TEST

/* It takes the place of the denial that it was before anybody looked. */
START_TEST(a_bogus_denial_is_of_one_type)
{
	struct rrset got, nx;
	open_cache(4 * MIB);
	nx = denial("www.example.com", RRSET_NXDOMAIN, "example.com");
	nx.type = DNS_A;
	rrset_cache_put(cache, &nx, NOW);
	ck_assert_int_eq(get(&got, "www.example.com", DNS_DS, NOW), RRSET_CACHE_HIT);
	nx.security = SECURITY_BOGUS;
	rrset_cache_put(cache, &nx, NOW);
	ck_assert_int_eq(get(&got, "www.example.com", DNS_DS, NOW), RRSET_CACHE_MISS);
	ck_assert_int_eq(get(&got, "www.example.com", DNS_A, NOW), RRSET_CACHE_HIT);
	ck_assert_int_eq(got.kind, RRSET_NXDOMAIN);
	ck_assert_int_eq(got.security, SECURITY_BOGUS);
	/* What is said later, and not bogus, counts again. */
	nx.security = SECURITY_SECURE;
	rrset_cache_put(cache, &nx, NOW);
	ck_assert_int_eq(get(&got, "www.example.com", DNS_A, NOW), RRSET_CACHE_HIT);
	ck_assert_int_eq(got.security, SECURITY_SECURE);
	close_cache();
}
END_TEST

START_TEST(names_above_speak_for_those_below)
{
	struct rrset got, nx, dname;
	uint8_t data[] = "\0\0\3net";
	open_cache(4 * MIB);
	data[1] = 5;
	nx = denial("gone.example.com", RRSET_NXDOMAIN, "example.com");
	rrset_cache_put(cache, &nx, NOW);
	dname = a_record("old.example.com", 1, 600, RANK_AUTH_ANSWER);
	dname.type = DNS_DNAME;
	dname.data = data;
	dname.data_len = 7;
	rrset_cache_put(cache, &dname, NOW);
	nx = denial("forged.example.com", RRSET_NXDOMAIN, "example.com");
	nx.security = SECURITY_BOGUS;
	rrset_cache_put(cache, &nx, NOW);
	static const struct {
		const char *name;
		int kind; /* -1: nothing is said */
	} t[] = {
		{"a.gone.example.com", RRSET_NXDOMAIN},
		{"c.b.a.gone.example.com", RRSET_NXDOMAIN},
		{"gone.example.com", -1},
		{"gonegone.example.com", -1},
		{"a.old.example.com", RRSET_DATA},
		{"old.example.com", -1},
		{"a.forged.example.com", -1},
		{".", -1},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		int r = rrset_cache_get_above(cache, &got, &arena, name(t[i].name),
					      name("."), NOW);
		ck_assert_msg(r == (t[i].kind >= 0), "%s: %d", t[i].name, r);
		if (r == RRSET_CACHE_HIT)
			ck_assert_int_eq(got.kind, t[i].kind);
	}
	ck_assert_int_eq(rrset_cache_get_above(cache, &got, &arena,
					       name("b.a.gone.example.com"),
					       name("gone.example.com"), NOW),
			 RRSET_CACHE_HIT);
	ck_assert_int_eq(rrset_cache_get_above(cache, &got, &arena,
					       name("b.a.gone.example.com"),
					       name("a.gone.example.com"), NOW),
			 RRSET_CACHE_MISS);
	ck_assert_int_eq(rrset_cache_get_above(cache, &got, &arena,
					       name("a.gone.example.com"), name("."),
					       NOW + 100000),
			 RRSET_CACHE_MISS);
	close_cache();
}
END_TEST

START_TEST(future_is_dropped)
{
	open_cache(4 * MIB);
	struct rrset s = a_record("old.example", 1, 600, RANK_ANSWER);
	rrset_cache_put(cache, &s, NOW - 100);
	put_a("new.example", 1, 600, RANK_ANSWER);
	ck_assert_uint_eq(rrset_cache_drop_future(cache, NOW - 50), 1);
	ck_assert_int_eq(mark("old.example", NOW - 50), 1);
	ck_assert_int_eq(mark("new.example", NOW - 50), 0);
	close_cache();
}
END_TEST

static uint64_t rss_bytes(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%*u %lu", &pages), 1);
	fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Names asked once, a hundred times the cache, do not drive out the ones asked often;
 * and memory stays below the limit. */
START_TEST(flood_of_names_asked_once)
{
	enum { LIMIT = 8 * MIB, HOT = 2000, FLOOD = 400000 };
	char text[64];
	struct rrset_cache_stats st;
	uint64_t before = rss_bytes();
	open_cache(LIMIT);
	int hits = 0, asked = 0;
	for (int i = 0; i < FLOOD; i++) {
		snprintf(text, sizeof text, "flood-%d.attack.test", i);
		put_a(text, 1, 600, RANK_AUTH_ANSWER);
		snprintf(text, sizeof text, "hot-%d.example", i % HOT);
		int m = mark(text, NOW);
		if (i >= FLOOD / 2) {
			asked++;
			hits += m != 0;
		}
		if (!m)
			put_a(text, 1, 600, RANK_AUTH_ANSWER);
		arena_reset(&arena);
	}
	rrset_cache_stats(cache, &st);
	ck_assert_uint_le(st.bytes, LIMIT + LIMIT / 100);
	ck_assert_uint_gt(st.bytes, LIMIT / 2);
	ck_assert_uint_gt(st.evicted, FLOOD / 2);
	ck_assert_msg(hits > asked * 99 / 100, "%d of %d hits", hits, asked);
	if (!SANITIZED) /* shadow memory counts too */
		ck_assert_uint_le(rss_bytes() - before, LIMIT + LIMIT / 4);
	close_cache();
}
END_TEST

/* Every size of entry through small rings, against a plain table of what was put last:
 * a hit is always the last value. */
START_TEST(random_work_is_never_wrong)
{
	enum { NAMES = 500, ROUNDS = 200000 };
	static uint8_t data[RRSET_ENTRY_MAX];
	static uint32_t last_len[NAMES];
	uint64_t x = 88172645463325252ULL;
	char text[64];
	open_cache(MIB);
	for (int i = 0; i < ROUNDS; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		unsigned n = (unsigned)(x >> 8) % NAMES;
		snprintf(text, sizeof text, "%u.example", n);
		struct rrset s;
		if (x % 3) {
			if (get(&s, text, DNS_TXT, NOW) != RRSET_CACHE_HIT)
				continue;
			ck_assert_uint_eq(s.data_len, last_len[n]);
			ck_assert_uint_eq(s.data[0], n & 0xff);
			ck_assert_uint_eq(s.data[s.data_len - 1], n & 0xff);
			arena_reset(&arena);
			continue;
		}
		s = a_record(text, 1, 600, RANK_ANSWER);
		s.type = DNS_TXT;
		s.data = data;
		s.data_len = last_len[n] = 1 + (uint32_t)(x >> 32) % 3000;
		memset(data, (int)(n & 0xff), s.data_len);
		rrset_cache_put(cache, &s, NOW);
	}
	close_cache();
}
END_TEST

static void *hammer(void *arg)
{
	struct arena own;
	struct rrset got;
	char text[64];
	uint8_t n[DNS_NAME_MAX];
	arena_init(&own, 65536, MIB);
	for (int i = 0; i < 20000; i++) {
		uint8_t data[6] = {0, 4, 192, 0, 2, (uint8_t)i};
		snprintf(text, sizeof text, "%d.example", i % 97);
		if (name_from_str(n, text))
			return NULL;
		struct rrset s = {.owner = n,
				  .type = DNS_A,
				  .rank = RANK_ANSWER,
				  .rr_n = 1,
				  .ttl = 60,
				  .data_len = 6,
				  .data = data};
		rrset_cache_put(cache, &s, NOW);
		if (rrset_cache_get(cache, &got, &own, n, DNS_A, RANK_ANSWER, NOW) < 0)
			return NULL;
		if (i % 1000 == 0)
			rrset_cache_flush(cache, n, true);
		arena_reset(&own);
	}
	arena_fini(&own);
	return arg;
}

START_TEST(threads_share_it)
{
	pthread_t t[4];
	void *ok;
	open_cache(MIB);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, hammer, cache), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(t[i], &ok), 0);
		ck_assert_ptr_nonnull(ok);
	}
	close_cache();
}
END_TEST

UNIT_SUITE("rrset_cache", keeps_all_of_an_rrset, signatures_and_proofs_stay_with_it,
	   secure_gives_way_to_secure_only, failures_last_longer_each_time,
	   failures_hold_under_their_rules, failures_behind_stale_data_last_longer,
	   expired_is_kept_for_who_asks, expired_goes_before_what_lives_no_time,
	   expired_denial_gives_way, failure_told_twice, a_bogus_denial_is_of_one_type,
	   names_above_speak_for_those_below, ttl_is_clipped_and_ends,
	   validated_data_is_not_prolonged, time_wraps_round,
	   lower_rank_never_replaces_higher, nxdomain_answers_every_type,
	   odd_types_and_sizes_stay_out, deepest_living_cut_is_found,
	   living_cut_is_not_renewed, flush_forgets_what_it_says, future_is_dropped,
	   flood_of_names_asked_once, random_work_is_never_wrong, threads_share_it)
