#include "resolver/denial.h"

#include <pthread.h>
#include <stdlib.h>

#include "resolver/denial_index.h"
#include "tests/unit/val_proof_lab.h"

enum { NOW = 1800000000, TTL = 300, SIZE = 1 << 20, NAMES_MAX = 12 };

static struct denial *denial;
static struct arena arena;

static void setup(void)
{
	ck_assert_int_eq(denial_open(&denial, SIZE, 86400), ERR_OK);
	arena_init(&arena, 16384, 1 << 20);
}

static void teardown(void)
{
	denial_close(denial);
	arena_fini(&arena);
}

static const uint8_t *name(const char *text)
{
	static uint8_t ring[16][DNS_NAME_MAX];
	static int at;
	uint8_t *out = ring[at++ % 16];
	name_put(out, text);
	return out;
}

/* In the last answer to ask(). */
static struct rrset got;

static int ask_at(const uint8_t *qname, uint16_t type, uint32_t now_s)
{
	arena_reset(&arena);
	return denial_get(denial, &got, &arena, qname, type, (const uint8_t *)"", now_s);
}

static int ask(const char *qname, uint16_t type)
{
	return ask_at(name(qname), type, NOW);
}

/* ---- records ---- */

static bool *types(uint16_t a, uint16_t b, uint16_t c)
{
	static bool map[TYPES];
	memset(map, 0, sizeof map);
	map[a] = map[b] = map[c] = map[DNS_RRSIG] = true;
	return map;
}

static void add_nsec(struct sets *s, const uint8_t *owner, const uint8_t *next,
		     const bool *map)
{
	add(s, DNS_NSEC, owner, next, name_len(next), map, &plain);
}

/* A, RRSIG and NSEC, as a map. */
static const struct shape with_a = {.records = 1, .map = "0006400000000003"};
static const bool no_types[TYPES]; /* the map is given */

static void put_nsec_for(const char *zone, const char *owner, const char *next,
			 uint32_t ttl, uint32_t now)
{
	static struct sets s;
	s.n = 0;
	add(&s, DNS_NSEC, name(owner), name(next), name_len(name(next)), no_types,
	    &with_a);
	denial_put(denial, name(zone), &s.set[0], ttl, now);
}

static void put_nsec(const char *zone, const char *owner, const char *next)
{
	put_nsec_for(zone, owner, next, TTL, NOW);
}

static void put_soa(const char *zone, const char *owner, uint32_t ttl)
{
	uint8_t data[2 + 2 + 20] = {0, 22};
	struct rrset s = {.owner = name(owner),
			  .type = DNS_SOA,
			  .rr_n = 1,
			  .data = data,
			  .data_len = sizeof data};
	denial_put(denial, name(zone), &s, ttl, NOW);
}

/* ---- against all records at once ---- */

static unsigned seed = 1;

static unsigned dice(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % n;
}

/* One to three labels of few letters, so that empty names and wildcards come up. */
static void random_name(uint8_t out[DNS_NAME_MAX], const uint8_t *zone)
{
	static const char letters[] = "ab*c";
	uint8_t *p = out;
	for (unsigned n = 1 + dice(3); n; n--) {
		*p++ = 1;
		*p++ = (uint8_t)letters[dice(4)];
	}
	memcpy(p, zone, name_len(zone));
}

static int by_order(const void *a, const void *b)
{
	return proof_order(a, b);
}

struct zone {
	int n;
	uint8_t at[4 * NAMES_MAX][DNS_NAME_MAX];
};

static void add_name(struct zone *z, const uint8_t *n)
{
	for (int i = 0; i < z->n; i++)
		if (name_equal(z->at[i], n))
			return;
	name_copy(z->at[z->n++], n);
}

static void random_zone(struct zone *z, const uint8_t *apex)
{
	uint8_t n[DNS_NAME_MAX];
	z->n = 0;
	add_name(z, apex);
	for (unsigned k = 1 + dice(NAMES_MAX - 1); k; k--) {
		random_name(n, apex);
		add_name(z, n);
	}
	qsort(z->at, (size_t)z->n, sizeof *z->at, by_order);
}

static const bool *random_types(bool apex)
{
	if (apex)
		return types(DNS_SOA, DNS_NS, DNS_NSEC);
	return dice(4)	 ? types(DNS_A, DNS_NSEC, DNS_NSEC)
	       : dice(2) ? types(DNS_NS, dice(2) ? (uint16_t)DNS_DS : DNS_NS, DNS_NSEC)
			 : types(dice(2) ? (uint16_t)DNS_CNAME : DNS_DNAME, DNS_NSEC,
				 DNS_NSEC);
}

static void nsec_chain(struct sets *s, const struct zone *z)
{
	for (int i = 0; i < z->n; i++)
		if (dice(4))
			add_nsec(s, z->at[i], z->at[(i + 1) % z->n],
				 random_types(i == 0));
}

static int by_hash(const void *a, const void *b)
{
	return memcmp(a, b, VAL_SHA1_LEN);
}

static void nsec3_chain(struct sets *s, const struct zone *z, const uint8_t *apex)
{
	static struct zone all;
	uint8_t hash[4 * NAMES_MAX][VAL_SHA1_LEN];
	struct shape shape = plain;
	all.n = 0;
	for (int i = 0; i < z->n; i++)
		for (const uint8_t *n = z->at[i];; n = name_parent(n)) {
			add_name(&all, n);
			if (name_equal(n, apex))
				break;
		}
	shape.iterations = dice(3);
	shape.salt_len = dice(4);
	memset(shape.salt, 0xab, sizeof shape.salt);
	name_copy(shape.zone, apex);
	uint8_t top[VAL_SHA1_LEN];
	hash_of(top, apex, &shape);
	for (int i = 0; i < all.n; i++)
		hash_of(hash[i], all.at[i], &shape);
	qsort(hash, (size_t)all.n, sizeof *hash, by_hash);
	for (int i = 0; i < all.n && s->n < VAL_SIGS_RESPONSE; i++) {
		shape.flags = dice(8) == 0;
		if (dice(4))
			add_nsec3(s, hash[i], hash[(i + 1) % all.n],
				  random_types(!memcmp(hash[i], top, sizeof top)),
				  &shape);
	}
}

/* All that is known, laid before the same judge. */
static int expect(const struct sets *s, const uint8_t *apex, const uint8_t *qname,
		  uint16_t type, uint8_t *kind, bool *cut)
{
	struct val_work work = {.hashes = 1 << 20};
	const struct proof p = {.zone = apex, .set = s->at, .n = s->n, .work = &work};
	*kind = RRSET_NXDOMAIN;
	*cut = false;
	if (proof_nxdomain(&p, qname) == PROOF_SECURE)
		return DENIAL_HIT;
	*kind = RRSET_NODATA;
	return proof_nodata(&p, qname, type, cut) == PROOF_SECURE ? DENIAL_HIT
								  : DENIAL_MISS;
}

static enum proof_result judge(const struct proof *p, uint16_t type)
{
	bool cut;
	return got.kind == RRSET_NXDOMAIN ? proof_nxdomain(p, got.owner)
					  : proof_nodata(p, got.owner, type, &cut);
}

/* What came out must stand by itself, and have nothing that is not needed. */
static void check_proof(const uint8_t *apex, uint16_t type)
{
	struct val_work work = {.hashes = 1 << 20};
	const struct proof p = {
		.zone = apex, .set = got.proof, .n = got.proof_n, .work = &work};
	ck_assert_int_eq(judge(&p, type), PROOF_SECURE);
	for (int i = 0; i < got.proof_n; i++) {
		const struct rrset *fewer[3];
		struct proof less = p;
		less.set = fewer;
		less.n = 0;
		for (int k = 0; k < p.n; k++)
			if (k != i)
				fewer[less.n++] = p.set[k];
		ck_assert_int_ne(judge(&less, type), PROOF_SECURE);
	}
}

static void compare_zone(bool nsec3, int *hits)
{
	static const uint16_t asked[] = {DNS_A, DNS_DS, DNS_TXT, DNS_ANY, DNS_NS};
	static struct sets s;
	static struct zone z;
	const uint8_t *apex = name(dice(2) ? "example.com" : ".");
	uint8_t qname[DNS_NAME_MAX], kind;
	bool cut;
	s.n = 0;
	random_zone(&z, apex);
	if (nsec3)
		nsec3_chain(&s, &z, apex);
	else
		nsec_chain(&s, &z);
	denial_flush(denial, NULL, false);
	for (int i = 0; i < s.n; i++)
		denial_put(denial, apex, &s.set[i], TTL, NOW);
	for (int i = 0; i < 60; i++) {
		uint16_t type = asked[dice(5)];
		random_name(qname, apex);
		int want = expect(&s, apex, qname, type, &kind, &cut);
		ck_assert_int_eq(ask_at(qname, type, NOW), want);
		if (want != DENIAL_HIT)
			continue;
		++*hits;
		ck_assert_int_eq(got.kind, kind);
		ck_assert_int_eq(got.cut, cut);
		ck_assert_int_eq(got.security, SECURITY_SECURE);
		check_proof(apex, type);
	}
}

START_TEST(finds_what_all_records_together_prove)
{
	int hits = 0;
	for (int i = 0; i < 100 / UNIT_SLOWER + 20; i++)
		compare_zone(_i, &hits);
	ck_assert_int_gt(hits, 500);
}
END_TEST

/* ---- what is kept ---- */

START_TEST(what_may_not_be_kept)
{
	static struct sets s;
	struct shape two = plain;
	uint8_t hash[20] = {0}, next[20] = {1};
	two.records = 2;
	s.n = 0;
	name_copy(two.zone, name("example.com"));
	add(&s, DNS_NSEC, name("example.com"), name("z.example.com"), 15,
	    types(DNS_A, DNS_NSEC, DNS_NSEC), &two);
	/* of another zone; for one name; not of its type's shape; no denial */
	add_nsec(&s, name("example.net"), name("z.example.com"), types(1, 47, 47));
	add_nsec(&s, name("a.example.com"), (const uint8_t *)"\1\0\1a\7example\3com",
		 types(1, 47, 47));
	add(&s, DNS_NSEC, name("b.example.com"), name("z.example.com"), 9,
	    types(1, 47, 47), &plain);
	add(&s, DNS_TXT, name("example.com"), (const uint8_t *)"", 1, types(1, 47, 47),
	    &plain);
	add_nsec(&s, name("c.example.com"), name("z.example.com"), types(1, 47, 47));
	s.set[5].kind = RRSET_NODATA;
	add_nsec3(&s, hash, next, types(1, 47, 47), &two);
	/* too large for a place */
	add_nsec(&s, name("d.example.com"), name("z.example.com"), types(1, 47, 47));
	s.set[7].sigs = s.data[0];
	s.set[7].sigs_len = DENIAL_SPAN_MAX;
	for (int i = 0; i < s.n; i++)
		denial_put(denial, name("example.com"), &s.set[i], TTL, NOW);
	put_nsec_for("example.com", "e.example.com", "z.example.com", 0, NOW);
	put_soa("example.com", "a.example.com", TTL);
	struct denial_stats st;
	denial_stats(denial, &st);
	ck_assert_uint_eq(st.spans, 0);
}
END_TEST

START_TEST(the_newer_record_of_a_name_counts)
{
	put_nsec("example.com", "example.com", "m.example.com");
	ck_assert_int_eq(ask("d.example.com", DNS_A), DENIAL_HIT);
	put_nsec("example.com", "example.com", "b.example.com");
	ck_assert_int_eq(ask("d.example.com", DNS_A), DENIAL_MISS);
	ck_assert_int_eq(ask("a.example.com", DNS_A), DENIAL_HIT);
}
END_TEST

START_TEST(other_parameters_end_a_chain)
{
	static struct sets s;
	struct denial_stats st;
	uint8_t hash[20] = {0}, next[20] = {1};
	struct shape shape = plain;
	name_copy(shape.zone, name("example.com"));
	s.n = 0;
	add_nsec3(&s, hash, next, types(1, 1, 1), &shape);
	add_nsec3(&s, next, hash, types(1, 1, 1), &shape);
	shape.iterations = 1;
	add_nsec3(&s, next, hash, types(1, 1, 1), &shape);
	for (unsigned i = 0; i < 3; i++) {
		denial_put(denial, shape.zone, &s.set[i], TTL, NOW);
		denial_stats(denial, &st);
		ck_assert_uint_eq(st.spans, i == 1 ? 2 : 1);
	}
}
END_TEST

START_TEST(the_deepest_zone_answers_for_its_own)
{
	put_nsec("com", "com", "z.com");
	put_nsec("example.com", "example.com", "b.example.com");
	ck_assert_int_eq(ask("c.example.com", DNS_A), DENIAL_MISS);
	ck_assert_int_eq(ask("c.com", DNS_A), DENIAL_HIT);
	/* a DS is the parent's, and the child's apex speaks of all else */
	ck_assert_int_eq(ask("example.com", DNS_DS), DENIAL_HIT);
	ck_assert(name_equal(got.from.zone, name("com")));
	ck_assert_int_eq(ask("example.com", DNS_TXT), DENIAL_HIT);
	ck_assert(name_equal(got.from.zone, name("example.com")));
	ck_assert_int_eq(denial_get(denial, &got, &arena, name("c.com"), DNS_A,
				    name("c.com"), NOW),
			 DENIAL_MISS);
	/* the parent is above top */
	ck_assert_int_eq(denial_get(denial, &got, &arena, name("example.com"), DNS_DS,
				    name("example.com"), NOW),
			 DENIAL_MISS);
}
END_TEST

/* ---- time ---- */

START_TEST(no_longer_than_any_part)
{
	put_nsec_for("example.com", "example.com", "b.example.com", 100, NOW);
	put_nsec_for("example.com", "k.example.com", "example.com", 50, NOW);
	ck_assert_int_eq(ask("m.example.com", DNS_A), DENIAL_HIT);
	ck_assert_ptr_null(got.soa_owner);
	ck_assert_uint_eq(got.rr_n, 0);
	ck_assert_uint_eq(got.ttl, 50);
	put_soa("example.com", "example.com", 20);
	ck_assert_int_eq(ask("m.example.com", DNS_A), DENIAL_HIT);
	ck_assert(name_equal(got.soa_owner, name("example.com")));
	ck_assert_uint_eq(got.ttl, 20);
	ck_assert_int_eq(ask_at(name("m.example.com"), DNS_A, NOW + 49), DENIAL_HIT);
	ck_assert_uint_eq(got.ttl, 1);
	ck_assert_ptr_null(got.soa_owner);
	ck_assert_int_eq(ask_at(name("m.example.com"), DNS_A, NOW + 50), DENIAL_MISS);
	ck_assert_int_eq(ask_at(name("a.example.com"), DNS_A, NOW + 99), DENIAL_HIT);
	/* the clock went back a little */
	ck_assert_int_eq(ask_at(name("a.example.com"), DNS_A, NOW - 5), DENIAL_HIT);
	ck_assert_uint_eq(got.ttl, 100);
	ck_assert_int_eq(ask_at(name("a.example.com"), DNS_A, NOW + 100), DENIAL_MISS);
}
END_TEST

START_TEST(never_longer_than_a_few_hours)
{
	put_nsec_for("example.com", "example.com", "b.example.com", 86400, NOW);
	ck_assert_int_eq(ask("a.example.com", DNS_A), DENIAL_HIT);
	ck_assert_uint_eq(got.ttl, 3 * 3600);
}
END_TEST

START_TEST(a_clock_set_back)
{
	put_nsec_for("example.com", "example.com", "b.example.com", TTL, NOW);
	put_nsec_for("example.net", "example.net", "b.example.net", TTL, NOW - 100);
	ck_assert_uint_eq(denial_drop_future(denial, NOW - 50), 1);
	ck_assert_int_eq(ask("a.example.com", DNS_A), DENIAL_MISS);
	ck_assert_int_eq(ask("a.example.net", DNS_A), DENIAL_HIT);
}
END_TEST

START_TEST(flushed)
{
	static const struct {
		const char *name;
		bool subtree;
		unsigned gone;
	} t[] = {{"com", false, 1},
		 {"com", true, 3},
		 {"new.example.com", false, 2},
		 {"new.example.com", true, 2},
		 {"sub.example.com", true, 3},
		 {"org", true, 0}};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		denial_flush(denial, NULL, false);
		put_nsec("com", "com", "z.com");
		put_nsec("example.com", "example.com", "z.example.com");
		put_nsec("sub.example.com", "sub.example.com", "z.sub.example.com");
		put_nsec("net", "net", "z.net");
		ck_assert_uint_eq(denial_flush(denial, name(t[i].name), t[i].subtree),
				  t[i].gone);
	}
	ck_assert_uint_eq(denial_flush(denial, NULL, false), 4);
}
END_TEST

/* ---- room ---- */

static void put_many(const char *zone, int n)
{
	char owner[64], next[64];
	for (int i = 0; i < n; i++) {
		snprintf(owner, sizeof owner, "n%06d.%s", i, zone);
		snprintf(next, sizeof next, "n%06dx.%s", i, zone);
		put_nsec(zone, owner, next);
	}
}

START_TEST(one_zone_fills_half_of_a_shard)
{
	struct denial_stats st;
	uint64_t places = SIZE / 8 / (DENIAL_SPAN_MAX + sizeof(uint32_t));
	put_nsec("example.com", "example.com", "b.example.com");
	for (int i = 0; i < 16; i++) {
		char zone[16];
		snprintf(zone, sizeof zone, "z%d.test", i);
		put_nsec(zone, zone, "b.test");
		put_many(zone, 400);
		denial_stats(denial, &st);
		ck_assert_uint_le(st.bytes, st.limit);
		ck_assert_uint_le(st.spans, 8 * places);
		ck_assert_int_eq(ask("a.example.com", DNS_A), DENIAL_HIT);
	}
	ck_assert_uint_gt(st.evicted, 16 * 200);
	denial_flush(denial, NULL, false);
	put_many("test", 4000);
	denial_stats(denial, &st);
	ck_assert_uint_eq(st.spans, places / 2);
}
END_TEST

/* Zones are cheap: a new one for each record. What is used stays. */
START_TEST(a_flood_of_zones_leaves_what_is_used)
{
	char zone[32], next[40];
	int lost = 0;
	put_nsec("example.com", "example.com", "b.example.com");
	for (int i = 0; i < 20000; i++) {
		snprintf(zone, sizeof zone, "z%06d.test", i);
		snprintf(next, sizeof next, "b.%s", zone);
		put_nsec(zone, zone, next);
		if (i % 100 == 0 && ask("a.example.com", DNS_A) != DENIAL_HIT)
			lost++;
	}
	ck_assert_int_eq(lost, 0);
}
END_TEST

START_TEST(an_arena_that_is_full)
{
	struct arena small;
	put_nsec("example.com", "example.com", "b.example.com");
	put_soa("example.com", "example.com", TTL);
	for (size_t room = 64; room < 1024; room += 64) {
		arena_init(&small, room, room);
		int r = denial_get(denial, &got, &small, name("a.example.com"), DNS_A,
				   (const uint8_t *)"", NOW);
		ck_assert(r == ERR_NOMEM || r == DENIAL_HIT);
		arena_fini(&small);
	}
	struct denial *none;
	ck_assert_int_eq(denial_open(&none, DENIAL_SIZE_MIN - 1, 1), ERR_INVAL);
}
END_TEST

/* ---- threads, costs ---- */

static void *hammer(void *arg)
{
	unsigned *state = arg;
	struct arena mine;
	struct rrset s;
	char zone[16], owner[40], next[40];
	arena_init(&mine, 16384, 1 << 20);
	for (int i = 0; i < 3000; i++) {
		static struct sets none;
		struct sets *one = malloc(sizeof none);
		unsigned k = (unsigned)rand_r(state);
		one->n = 0;
		snprintf(zone, sizeof zone, "z%u.test", k % 5);
		snprintf(owner, sizeof owner, "n%03u.%s", k % 300, zone);
		snprintf(next, sizeof next, "n%03ux.%s", k % 300, zone);
		uint8_t z[DNS_NAME_MAX], o[DNS_NAME_MAX], n[DNS_NAME_MAX];
		name_put(z, zone);
		name_put(o, owner);
		name_put(n, next);
		add(one, DNS_NSEC, o, n, name_len(n), no_types, &with_a);
		denial_put(denial, z, &one->set[0], TTL, NOW + k % 400);
		int r = denial_get(denial, &s, &mine, n, DNS_A, z, NOW + 100);
		ck_assert_int_ge(r, 0);
		if (k % 64 == 0)
			denial_flush(denial, z, false);
		if (k % 128 == 1)
			denial_drop_future(denial, NOW + 100);
		arena_reset(&mine);
		free(one);
	}
	arena_fini(&mine);
	return NULL;
}

START_TEST(many_threads)
{
	pthread_t thread[4];
	unsigned state[4] = {1, 2, 3, 4};
	struct denial_stats st;
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, hammer, &state[i]);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	denial_stats(denial, &st);
	ck_assert_uint_le(st.bytes, st.limit);
}
END_TEST

START_TEST(a_look_up_costs_microseconds)
{
	enum { N = 20000 / UNIT_SLOWER };
	static struct sets s;
	uint8_t top[VAL_SHA1_LEN], next[VAL_SHA1_LEN];
	struct shape shape = plain;
	denial_close(denial);
	ck_assert_int_eq(denial_open(&denial, 32 << 20, 86400), ERR_OK);
	put_nsec("test", "test", "b.test");
	put_many("test", 3000);
	put_soa("test", "test", TTL);
	double from = unit_cpu_ms();
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(ask("n001500a.test", DNS_A), DENIAL_HIT);
	double nsec_us = (unit_cpu_ms() - from) * 1000 / N;
	name_copy(shape.zone, name("example.com"));
	shape.iterations = DENIAL_BLOCKS_MAX - 1;
	s.n = 0;
	hash_of(top, shape.zone, &shape);
	memcpy(next, top, sizeof next);
	next[19]++;
	add_nsec3(&s, top, next, types(DNS_SOA, DNS_NS, DNS_NS), &shape);
	add_nsec3(&s, next, top, types(DNS_A, DNS_A, DNS_A), &shape);
	denial_put(denial, shape.zone, &s.set[0], TTL, NOW);
	denial_put(denial, shape.zone, &s.set[1], TTL, NOW);
	from = unit_cpu_ms();
	for (int i = 0; i < N / 10; i++)
		ck_assert_int_eq(ask("a.example.com", DNS_A), DENIAL_HIT);
	double nsec3_us = (unit_cpu_ms() - from) * 10000 / N;
	ck_assert_double_lt(nsec_us, 30 * UNIT_SLOWER);
	ck_assert_double_lt(nsec3_us, 300 * UNIT_SLOWER);
	if (getenv("UNIT_SHOW"))
		printf("NSEC %.1f us, NSEC3 with 19 iterations %.1f us\n", nsec_us,
		       nsec3_us);
}
END_TEST

/* A zone whose apex is all there is. */
static void only_record(struct sets *s, const struct shape *shape)
{
	uint8_t top[VAL_SHA1_LEN];
	s->n = 0;
	hash_of(top, shape->zone, shape);
	add_nsec3(s, top, top, types(DNS_SOA, DNS_NS, DNS_NS), shape);
	denial_put(denial, shape->zone, &s->set[0], TTL, NOW);
}

/* 120 labels, each of which could be hashed. */
START_TEST(hashing_is_bounded)
{
	static struct sets s;
	uint8_t deep[DNS_NAME_MAX];
	struct shape shape = plain;
	name_copy(shape.zone, name("test"));
	shape.iterations = DENIAL_BLOCKS_MAX;
	only_record(&s, &shape);
	ck_assert_int_eq(ask("a.test", DNS_A), DENIAL_MISS);
	shape.iterations = DENIAL_BLOCKS_MAX / 3 + 1; /* three blocks each */
	shape.salt_len = 100;
	only_record(&s, &shape);
	ck_assert_int_eq(ask("a.test", DNS_A), DENIAL_MISS);
	shape.iterations--;
	only_record(&s, &shape);
	for (int i = 0; i < 120; i++)
		memcpy(deep + 2 * i, "\1a", 2);
	memcpy(deep + 240, shape.zone, name_len(shape.zone));
	double from = unit_cpu_ms();
	ck_assert_int_eq(ask_at(deep, DNS_A, NOW), DENIAL_MISS);
	ck_assert_double_lt(unit_cpu_ms() - from, 1 * UNIT_SLOWER);
	ck_assert_int_eq(ask("a.test", DNS_A), DENIAL_HIT);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *s = suite_create("denial");
	TCase *c = tcase_create("denial");
	const TTest *const tests[] = {what_may_not_be_kept,
				      the_newer_record_of_a_name_counts,
				      other_parameters_end_a_chain,
				      the_deepest_zone_answers_for_its_own,
				      no_longer_than_any_part,
				      never_longer_than_a_few_hours,
				      a_clock_set_back,
				      flushed,
				      one_zone_fills_half_of_a_shard,
				      a_flood_of_zones_leaves_what_is_used,
				      an_arena_that_is_full,
				      many_threads,
				      a_look_up_costs_microseconds,
				      hashing_is_bounded};
	tcase_set_timeout(c, UNIT_TIMEOUT_S);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, finds_what_all_records_together_prove, false, true + 1);
	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		tcase_add_test(c, tests[i]);
	suite_add_tcase(s, c);
	return s;
}
