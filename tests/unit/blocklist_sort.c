/* The sorter of imports and the stored forms of keys and entries. */
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

#include "tests/unit/blocklist_lab.h"

struct lab_pair {
	uint8_t key[BLOCKLIST_KEY_MAX], kind;
	size_t len;
	unsigned value; /* the entry's first_listed: which put it was */
};

static int by_rule(const struct lab_pair *a, const struct lab_pair *b)
{
	int c = memcmp(a->key, b->key, a->len < b->len ? a->len : b->len);
	if (c == 0)
		c = (a->len > b->len) - (a->len < b->len);
	return c ? c : a->kind - b->kind;
}

static int by_key(const void *pa, const void *pb)
{
	const struct lab_pair *a = pa, *b = pb;
	int c = by_rule(a, b);
	return c ? c : (a->value > b->value) - (a->value < b->value);
}

static void sort_and_compare(size_t memory, unsigned n, unsigned different, uint64_t seed)
{
	struct blocklist_sort *s;
	struct lab_pair *p = calloc(n + 1, sizeof *p);
	unsigned reason = 0;
	ck_assert_int_eq(blocklist_sort_open(&s, unit_dir(), memory), 0);
	for (unsigned i = 0; i < n; i++) {
		struct blocklist_item it = lab_item("test", (int)lab_random(&seed, 2));
		char text[128];
		uint8_t entry[BLOCKLIST_ENTRY_MAX];
		snprintf(text, sizeof text, "%.*s%u.example.test",
			 (int)lab_random(&seed, 40),
			 "long.label.in.front.of.it.that.goes.on.and.on.",
			 lab_random(&seed, different));
		if (strstr(text, ".."))
			strcpy(text, "a.test");
		it.key = lab_key(text);
		/* some of each kind say the same, one behind the other */
		it.entry.first_listed = i / 6;
		reason = i % 6 ? reason : lab_random(&seed, 200);
		memset(it.entry.reason, 'r', reason);
		p[i].value = i / 6;
		p[i].kind = it.kind;
		p[i].len = blocklist_key_rule(p[i].key, &it.key);
		ck_assert_int_eq(blocklist_sort_put(s, p[i].key, p[i].len, entry,
						    blocklist_entry_encode(entry, &it)),
				 0);
	}
	qsort(p, n, sizeof *p, by_key);
	for (int round = 0; round < 2; round++) {
		struct blocklist_sorted it;
		unsigned at = 0;
		int more;
		ck_assert_int_eq(blocklist_sort_rewind(s), 0);
		while ((more = blocklist_sort_next(s, &it)) > 0)
			for (int i = 0; i < it.want.n; i++) {
				struct blocklist_head h;
				ck_assert_uint_lt(at, n);
				memcpy(&h, it.want.bytes[i], sizeof h);
				ck_assert_uint_eq(it.key.mv_size, p[at].len);
				ck_assert_mem_eq(it.key.mv_data, p[at].key, p[at].len);
				ck_assert_uint_eq(h.rec.kind, p[at].kind);
				ck_assert_uint_eq(h.first_listed, p[at].value);
				unsigned first = at; /* the first one wins */
				while (at < n && by_rule(&p[at], &p[first]) == 0)
					at++;
				/* all kinds of a key come at once */
				if (i + 1 == it.want.n && at < n)
					ck_assert(p[at].len != it.key.mv_size ||
						  memcmp(p[at].key, it.key.mv_data,
							 it.key.mv_size));
			}
		ck_assert_int_eq(more, 0);
		ck_assert_uint_eq(at, n);
	}
	ck_assert_uint_eq(blocklist_sort_count(s), n);
	blocklist_sort_close(s);
	free(p);
}

START_TEST(sorts)
{
	static const struct {
		size_t memory;
		unsigned n, different;
	} cases[] = {
		{1 << 20, 0, 10},     {1 << 20, 1, 10},	    {1 << 20, 5000, 100000},
		{1 << 20, 5000, 50},  {40000, 5000, 1000},  {40000, 5000, 20},
		{3000, 1500, 100000}, {200000, 4000, 3000}, {1, 300, 100},
	};
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
		sort_and_compare(cases[i].memory, cases[i].n, cases[i].different, i + 1);
	/* nothing of it can be seen in the folder */
	DIR *d = opendir(unit_dir());
	int files = 0;
	while (readdir(d))
		files++;
	closedir(d);
	ck_assert_int_eq(files, 2);
}
END_TEST

START_TEST(more_runs_than_there_may_be)
{
	struct blocklist_sort *s;
	struct blocklist_item it = lab_item("test", RULE_EXACT);
	uint8_t key[BLOCKLIST_KEY_MAX], entry[BLOCKLIST_ENTRY_MAX];
	size_t n = blocklist_key_rule(key, &it.key),
	       len = blocklist_entry_encode(entry, &it);
	int err = 0, puts = 0;
	ck_assert_int_eq(blocklist_sort_open(&s, unit_dir(), 1), 0);
	while (!err && puts++ < 2000)
		err = blocklist_sort_put(s, key, n, entry, len);
	ck_assert_int_eq(err, ERR_FULL);
	ck_assert_int_gt(puts, 500);
	blocklist_sort_close(s);
}
END_TEST

START_TEST(disk_full_while_sorting)
{
	struct blocklist_sort *s;
	struct blocklist_item it = lab_item("test", RULE_EXACT);
	uint8_t key[BLOCKLIST_KEY_MAX], entry[BLOCKLIST_ENTRY_MAX];
	size_t n = blocklist_key_rule(key, &it.key),
	       len = blocklist_entry_encode(entry, &it);
	const struct rlimit small = {50000, 50000};
	int err = 0;
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	ck_assert_int_eq(blocklist_sort_open(&s, unit_dir(), 20000), 0);
	for (int i = 0; !err && i < 5000; i++)
		err = blocklist_sort_put(s, key, n, entry, len);
	ck_assert_int_eq(err, ERR_FULL);
	blocklist_sort_close(s);
	ck_assert_int_eq(blocklist_sort_open(&s, "/nonexistent", 1), 0);
	ck_assert_int_eq(blocklist_sort_put(s, key, n, entry, len), 0);
	ck_assert_int_eq(blocklist_sort_put(s, key, n, entry, len), ERR_NOENT);
	blocklist_sort_close(s);
}
END_TEST

START_TEST(keys_there_and_back)
{
	static const char *const text[] = {
		".",
		"test",
		"A.Test",
		"a.b.c.d.e.f.test",
		"\\000.\\255.test",
		"192.0.2.0/24",
		"0.0.0.0/0",
		"2001:db8::/32",
		"::/0",
		"::1",
		"192.0.2.1/32",
	};
	for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
		struct blocklist_key key = lab_key(text[i]), back;
		uint8_t bytes[BLOCKLIST_KEY_MAX];
		size_t n = blocklist_key_rule(bytes, &key);
		ck_assert_int_eq(blocklist_key_decode(&back, bytes, n), 0);
		ck_assert_int_eq(back.prefix.bits, key.prefix.bits);
		ck_assert(addr_equal(&back.prefix.addr, &key.prefix.addr));
		ck_assert_uint_eq(name_len(back.name), name_len(key.name));
		ck_assert_mem_eq(back.name, key.name, name_len(key.name));
		for (size_t cut = 0; cut < n; cut++) /* no shorter one is the same */
			if (blocklist_key_decode(&back, bytes, cut) == 0)
				ck_assert_uint_lt(name_len(back.name),
						  name_len(key.name));
	}
}
END_TEST

START_TEST(keys_that_are_none)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{"", 0},
		{"\6\0", 2},		  /* empty label */
		{"\6\4abc", 5},		  /* label past the end */
		{"\6\1A", 3},		  /* upper case */
		{"\6\100x", 3},		  /* label of 64 */
		{"\4\5\0\0\0\0\0", 7},	  /* family 5 */
		{"\4\4\41\0\0\0\0", 7},	  /* 33 bits */
		{"\4\4\10\1\1\0\0", 7},	  /* host bits */
		{"\4\4\40\1\1\1", 6},	  /* short address */
		{"\4\4\40\1\1\1\1\1", 8}, /* long address */
		{"\1", 1},
		{"\7\0\0\6\1a", 6},
	};
	struct blocklist_key key;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		ck_assert_int_eq(blocklist_key_decode(&key,
						      (const uint8_t *)cases[i].bytes,
						      cases[i].len),
				 ERR_DAMAGED);
	uint8_t longest[BLOCKLIST_KEY_MAX + 64] = {BLOCKLIST_NAME};
	for (size_t i = 1; i < sizeof longest; i += 2) {
		longest[i] = 1;
		longest[i + 1 < sizeof longest ? i + 1 : i] = 'x';
	}
	ck_assert_int_eq(blocklist_key_decode(&key, longest, 255), 0);
	ck_assert_int_eq(blocklist_key_decode(&key, longest, 257), ERR_DAMAGED);
}
END_TEST

START_TEST(entries_are_checked)
{
	struct blocklist_item it = lab_item("evil.test", RULE_EXACT), back;
	struct blocklist_span span[BLOCKLIST_SPANS_MAX];
	uint8_t value[2 * BLOCKLIST_ENTRY_MAX];
	struct blocklist_head h;
	const uint8_t key[] = "key";
	uint64_t hash = blocklist_key_hash(key, sizeof key);
	it.expires = 9;
	memset(&it.entry, 'x', sizeof it.entry); /* no text ends with NUL */
	it.entry.first_listed = 5;
	it.entry.data.len = 0;
	size_t n = blocklist_entry_encode(value, &it);
	ck_assert_uint_le(n, BLOCKLIST_ENTRY_MAX);
	memcpy(&h, value, sizeof h);
	h.rec.check = blocklist_entry_check(hash, value, n);
	memcpy(value, &h, sizeof h);
	memcpy(value + n, value, n);
	ck_assert_int_eq(blocklist_spans(span, key, sizeof key, value, n), 1);
	ck_assert_int_eq(blocklist_spans(span, key, sizeof key, value, 2 * n), 2);
	blocklist_entry_decode(&back, span[0].bytes);
	ck_assert_uint_eq(back.expires, 9);
	ck_assert_uint_eq(back.entry.expires, 9);
	ck_assert_uint_eq(strlen(back.entry.reason), BLOCKLIST_TEXT_MAX - 1);
	ck_assert_uint_eq(strlen(back.entry.family), BLOCKLIST_WORD_MAX - 1);
	ck_assert_int_eq(blocklist_spans(span, (const uint8_t *)"kez", 4, value, n),
			 ERR_DAMAGED);
	for (size_t cut = 1; cut < n; cut++)
		ck_assert_int_eq(blocklist_spans(span, key, sizeof key, value, cut),
				 ERR_DAMAGED);
	for (size_t at = 0; at < n; at++)
		for (int bit = 0; bit < 8; bit++) {
			value[at] ^= (uint8_t)(1 << bit);
			ck_assert_int_eq(blocklist_spans(span, key, sizeof key, value, n),
					 ERR_DAMAGED);
			value[at] ^= (uint8_t)(1 << bit);
		}
}
END_TEST

UNIT_SUITE("blocklist_sort", sorts, more_runs_than_there_may_be, disk_full_while_sorting,
	   keys_there_and_back, keys_that_are_none, entries_are_checked)
