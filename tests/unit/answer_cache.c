#include "resolver/answer_cache.h"

#include "tests/unit/unit.h"

enum { CACHE_BYTES = 256 * 1024, NOW = 1000000, STALE_GENERATION = 8 };

static struct policy policy = {.stamp = {.epoch = 5, .generation = 7}, .now_s = NOW};
static const struct answer_memory memory = {.stamp = {5, 7}};

/* An answer body of len bytes whose question is name and whose one TTL stands at the end.
 */
static struct answer_body body_of(uint8_t *wire, uint16_t *ttl_at, const char *name,
				  uint16_t len, uint8_t *qname)
{
	ck_assert_int_eq(name_from_str(qname, name), 0);
	memset(wire, 0xab, len);
	name_copy(wire + DNS_HEADER_LEN, qname);
	ttl_at[0] = (uint16_t)(len - 4);
	wire_set32(wire + len - 4, 60);
	return (struct answer_body){.wire = wire,
				    .ttl_at = ttl_at,
				    .len = len,
				    .ttl_n = 1,
				    .ede = DNS_EDE_NONE,
				    .countable = true};
}

static struct answer_key key_of(const struct answer_cache *c, const uint8_t *qname,
				uint16_t type, uint8_t class)
{
	size_t len = name_len(qname);
	return (struct answer_key){.qname = qname,
				   .hash = answer_cache_hash(c, qname, len),
				   .qtype = type,
				   .qname_len = (uint8_t)len,
				   .class = class};
}

static struct answer_cache *open_cache(void)
{
	struct answer_cache *c;
	policy.now_s = NOW;
	ck_assert_int_eq(answer_cache_open(&c, CACHE_BYTES), 0);
	return c;
}

static void put(struct answer_cache *c, const char *name, uint16_t len, uint8_t class)
{
	uint8_t wire[8192], qname[DNS_NAME_MAX];
	uint16_t ttl_at[1];
	struct answer_body b = body_of(wire, ttl_at, name, len, qname);
	const struct answer_key key = key_of(c, qname, DNS_A, class);
	answer_cache_put(c, &b, &key, &memory, 60, policy.now_s);
}

static bool get(struct answer_cache *c, const char *name, uint16_t type, uint8_t class,
		struct answer_body *out, struct answer_age *age)
{
	uint8_t qname[DNS_NAME_MAX];
	ck_assert_int_eq(name_from_str(qname, name), 0);
	const struct answer_key key = key_of(c, qname, type, class);
	return answer_cache_get(c, out, age, &key, &policy);
}

START_TEST(keeps_what_was_put)
{
	struct answer_cache *c = open_cache();
	struct answer_body b;
	struct answer_age age;
	put(c, "www.example.com", 100, POLICY_ALL);
	policy.now_s += 9;
	ck_assert(get(c, "www.example.com", DNS_A, POLICY_ALL, &b, &age));
	ck_assert_uint_eq(age.age_s, 9);
	ck_assert_uint_eq(age.left_s, 51);
	ck_assert_uint_eq(b.len, 100);
	ck_assert_uint_eq(b.ttl_n, 1);
	ck_assert_uint_eq(wire_get32(b.wire + b.ttl_at[0]), 60);
	ck_assert(!get(c, "www.example.com", DNS_AAAA, POLICY_ALL, &b, &age));
	ck_assert(!get(c, "www.example.com", DNS_A, POLICY_NONE, &b, &age));
	ck_assert(!get(c, "example.com", DNS_A, POLICY_ALL, &b, &age));
	answer_cache_flush(c);
	ck_assert(!get(c, "www.example.com", DNS_A, POLICY_ALL, &b, &age));
	answer_cache_close(c);
}
END_TEST

/* One hit in the last tenth of an entry's life is told that it is due. */
START_TEST(due_once)
{
	struct answer_cache *c = open_cache();
	struct answer_body b;
	struct answer_age age;
	put(c, "www.example.com", 100, POLICY_ALL); /* 60 s */
	static const struct {
		uint32_t at;
		bool due;
	} hits[] = {{0, false}, {53, false}, {54, true}, {54, false}, {59, false}};
	for (size_t i = 0; i < sizeof hits / sizeof *hits; i++) {
		policy.now_s = NOW + hits[i].at;
		ck_assert(get(c, "www.example.com", DNS_A, POLICY_ALL, &b, &age));
		ck_assert_msg(age.due == hits[i].due, "hit %zu", i);
	}
	/* What is put anew is due anew. */
	put(c, "www.example.com", 100, POLICY_ALL);
	ck_assert(get(c, "www.example.com", DNS_A, POLICY_ALL, &b, &age));
	ck_assert(!age.due);
	policy.now_s += 55;
	ck_assert(get(c, "www.example.com", DNS_A, POLICY_ALL, &b, &age));
	ck_assert(age.due);
	answer_cache_close(c);
}
END_TEST

/* Each change of rules or time that could turn the verdict makes the entry unusable. */
START_TEST(forgets_with_its_verdict)
{
	static const struct {
		struct blocklist_stamp stamp;
		uint32_t now, change;
		bool found;
	} cases[] = {
		{{5, 7}, NOW, 0, true},
		{{5, STALE_GENERATION}, NOW, 0, false},
		{{6, 7}, NOW, 0, false},
		{{0, 0}, NOW, 0, false}, /* no view */
		{{5, 7}, NOW + 59, 0, true},
		{{5, 7}, NOW + 60, 0, false}, /* TTL */
		{{5, 7}, NOW - 1, 0, false},  /* clock set back */
		{{5, 7}, NOW + 10, NOW + 11, true},
		{{5, 7}, NOW + 10, NOW + 10, false}, /* a rule begins or ends */
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct answer_cache *c = open_cache();
		uint8_t wire[100], qname[DNS_NAME_MAX];
		uint16_t ttl_at[1];
		struct answer_age age;
		struct answer_body b = body_of(wire, ttl_at, "a.example", 100, qname);
		struct answer_memory m = {{5, 7}, cases[i].change};
		const struct answer_key key = key_of(c, qname, DNS_A, POLICY_ALL);
		answer_cache_put(c, &b, &key, &m, 60, NOW);
		struct policy p = {.stamp = cases[i].stamp, .now_s = cases[i].now};
		ck_assert_msg(answer_cache_get(c, &b, &age, &key, &p) == cases[i].found,
			      "case %zu", i);
		answer_cache_close(c);
	}
}
END_TEST

/* From the second time on, with what it matched and its text; and however many there are,
 * clean ones stay. */
START_TEST(listed_answers_have_their_own_room)
{
	struct answer_cache *c = open_cache();
	struct answer_listed listed = {{.entry = 77, .labels = 2}, RULE_NXDOMAIN};
	struct answer_body b;
	struct answer_age age;
	uint8_t wire[300], qname[DNS_NAME_MAX];
	uint16_t ttl_at[1];
	char name[64];
	put(c, "clean.example", 100, POLICY_ALL);
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof name, "x%d.bad.example", i);
		b = body_of(wire, ttl_at, name, sizeof wire, qname);
		const struct answer_key key = key_of(c, qname, DNS_A, POLICY_ALL);
		listed.rule.entry++;
		b.listed = &listed;
		b.text = "list, entry";
		b.text_len = 11;
		const struct answer_body again = b;
		answer_cache_put(c, &b, &key, &memory, 60, NOW);
		ck_assert(!get(c, name, DNS_A, POLICY_ALL, &b, &age));
		answer_cache_put(c, &again, &key, &memory, 60, NOW);
	}
	ck_assert(get(c, name, DNS_A, POLICY_ALL, &b, &age));
	ck_assert(b.listed && b.listed->rule.entry == 5077 &&
		  b.listed->rule.labels == 2 && b.listed->action == RULE_NXDOMAIN);
	ck_assert_uint_eq(b.text_len, 11);
	ck_assert_mem_eq(b.text, "list, entry", 11);
	ck_assert_uint_eq(wire_get32(b.wire + b.ttl_at[0]), 60);
	ck_assert(!get(c, "x0.bad.example", DNS_A, POLICY_ALL, &b, &age));
	ck_assert(get(c, "clean.example", DNS_A, POLICY_ALL, &b, &age));
	ck_assert_ptr_null(b.listed);
	ck_assert_uint_eq(b.text_len, 0);
	answer_cache_close(c);
}
END_TEST

static void put_listed(struct answer_cache *c, const char *name)
{
	static const struct answer_listed listed = {{.entry = 1}, RULE_NXDOMAIN};
	uint8_t wire[100], qname[DNS_NAME_MAX];
	uint16_t ttl_at[1];
	struct answer_body b = body_of(wire, ttl_at, name, sizeof wire, qname);
	const struct answer_key key = key_of(c, qname, DNS_A, POLICY_ALL);
	b.listed = &listed;
	answer_cache_put(c, &b, &key, &memory, 60, NOW);
}

/* Those of CACHE_BYTES are 256: of 128 names 3 in 5 are still known the second time. */
START_TEST(listed_names_seen_once_are_known_in_every_slot)
{
	enum { NAMES = 128, LEAST = 45 };
	struct answer_cache *c = open_cache();
	struct answer_body b;
	struct answer_age age;
	char name[64];
	int found = 0;
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < NAMES; i++) {
			snprintf(name, sizeof name, "n%d.bad.example", i);
			put_listed(c, name);
		}
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof name, "n%d.bad.example", i);
		found += get(c, name, DNS_A, POLICY_ALL, &b, &age);
	}
	ck_assert_int_gt(found, LEAST);
	answer_cache_close(c);
}
END_TEST

START_TEST(refuses_what_cannot_age)
{
	struct answer_cache *c = open_cache();
	struct answer_body b;
	uint8_t wire[100], qname[DNS_NAME_MAX];
	uint16_t ttl_at[1];
	struct answer_age age;
	put(c, "large.example", ANSWER_CACHE_ENTRY_MAX, POLICY_ALL);
	ck_assert(!get(c, "large.example", DNS_A, POLICY_ALL, &b, &age));
	b = body_of(wire, ttl_at, "b.example", 100, qname);
	const struct answer_key key = key_of(c, qname, DNS_A, POLICY_ALL);
	answer_cache_put(c, &b, &key, &memory, 0, NOW);
	b.countable = false;
	answer_cache_put(c, &b, &key, &memory, 60, NOW);
	ck_assert(!get(c, "b.example", DNS_A, POLICY_ALL, &b, &age));
	answer_cache_close(c);
}
END_TEST

/* Many times the cache's size through it: what is found is whole, the newest is found. */
START_TEST(overwrites_the_oldest)
{
	struct answer_cache *c = open_cache();
	int found = 0;
	for (int i = 0; i < 20000; i++) {
		char name[64];
		struct answer_body b;
		struct answer_age age;
		snprintf(name, sizeof name, "n%d.example.com", i);
		put(c, name, (uint16_t)(100 + i * 37 % 3000), POLICY_ALL);
		ck_assert(get(c, name, DNS_A, POLICY_ALL, &b, &age));
		ck_assert_uint_eq(b.len, (unsigned)(100 + i * 37 % 3000));
		ck_assert_uint_eq(wire_get32(b.wire + b.ttl_at[0]), 60);
		snprintf(name, sizeof name, "n%d.example.com", i - 20);
		found += get(c, name, DNS_A, POLICY_ALL, &b, &age);
	}
	ck_assert_int_gt(found, 18000);
	answer_cache_close(c);
}
END_TEST

START_TEST(replaces_the_same_question)
{
	struct answer_cache *c = open_cache();
	struct answer_body b;
	struct answer_age age;
	for (uint16_t i = 0; i < 50; i++)
		put(c, "same.example", (uint16_t)(100 + i), POLICY_ALL);
	ck_assert(get(c, "same.example", DNS_A, POLICY_ALL, &b, &age));
	ck_assert_uint_eq(b.len, 149);
	answer_cache_close(c);
}
END_TEST

UNIT_SUITE("answer_cache", keeps_what_was_put, due_once, forgets_with_its_verdict,
	   refuses_what_cannot_age, listed_answers_have_their_own_room,
	   listed_names_seen_once_are_known_in_every_slot, overwrites_the_oldest,
	   replaces_the_same_question)
