/* Look-ups made ahead: the pair that LMDB would hand out, or none. */
#include "tests/unit/blocklist_lab.h"

enum {
	NAMES = 12000, /* three levels of pages, at least */
	ROUNDS = 1000,
	SHARED = 5, /* that other lists have too */
};

static struct blocklist *fill(const char *path, int lists)
{
	struct blocklist *bl = lab_open(path);
	for (int l = 0; l < lists; l++) {
		struct blocklist_import *im;
		struct blocklist_changes c;
		char list[16];
		snprintf(list, sizeof list, "l%d", l);
		ck_assert_int_eq(blocklist_import_open(&im, bl, list, &lab_keep), 0);
		for (int i = 0; i < NAMES; i += l ? NAMES / SHARED : 1) {
			char name[64];
			snprintf(name, sizeof name, "%s%d.%d.test",
				 i % 3 ? "w" : "longer-", i, i % 7);
			for (int kind = 0; kind < RULE_KIND_N; kind += l ? 1 : NAMES) {
				struct blocklist_item it = lab_item(name, kind);
				ck_assert_int_eq(blocklist_import_put(im, &it), 0);
			}
		}
		ck_assert_int_eq(blocklist_import_commit(im, &c, NULL, NULL, NULL), 0);
		blocklist_import_close(im);
	}
	return bl;
}

struct group {
	struct blocklist_pages pages;
	struct blocklist_descent d[BLOCKLIST_FETCH_MAX];
	MDB_val value[BLOCKLIST_FETCH_MAX];
	int n, all, missed;
};

static void search(struct group *g)
{
	blocklist_pages_fetch(&g->pages, g->d, g->n);
	for (int i = 0; i < g->n; i++) {
		MDB_val k, value;
		if (!blocklist_descent_pair(&g->d[i], &k, &value)) {
			g->missed++;
			continue;
		}
		ck_assert_mem_eq(k.mv_data, g->d[i].key, g->d[i].key_len);
		ck_assert_ptr_eq(value.mv_data, g->value[i].mv_data);
		ck_assert_uint_eq(value.mv_size, g->value[i].mv_size);
	}
	g->all += g->n;
	g->n = 0;
}

static int search_pair(void *arg, const MDB_val *key, const MDB_val *value)
{
	struct group *g = arg;
	struct blocklist_descent *d = &g->d[g->n];
	memcpy(d->key, key->mv_data, key->mv_size);
	d->key_len = key->mv_size;
	g->value[g->n++] = *value;
	if (g->n == BLOCKLIST_FETCH_MAX)
		search(g);
	return 0;
}

/* How many of all names of the view's snapshot were not found. */
static int search_all(struct group *g, struct blocklist *bl, MDB_txn *txn)
{
	*g = (struct group){.n = 0};
	blocklist_pages_find(&g->pages, bl, txn);
	ck_assert_uint_ne(g->pages.root, 0);
	ck_assert_int_eq(blocklist_walk_tag(txn, bl->dbi, BLOCKLIST_NAME, search_pair, g),
			 0);
	search(g);
	return g->missed;
}

START_TEST(every_pair)
{
	static struct group g;
	struct blocklist *bl = fill("s", 1);
	struct blocklist_view *v = lab_view(bl);
	ck_assert_int_eq(search_all(&g, bl, blocklist_view_txn(v)), 0);
	ck_assert_int_eq(g.all, NAMES);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* Keys beside those that are there: before the first, behind the last, cut, extended. */
START_TEST(no_pair)
{
	static struct group g;
	static const char *const name[] = {
		".",	     "test",	       "0.test", "w.0.test", "x.w1.1.test",
		"w1.2.test", "w1000.6.test.a", "zz.zz",	 "a",	     "w11999x.1.test",
	};
	struct blocklist *bl = fill("s", 1);
	struct blocklist_view *v = lab_view(bl);
	uint16_t ends[BLOCKLIST_DEPTHS];
	blocklist_pages_find(&g.pages, bl, blocklist_view_txn(v));
	for (int i = 0; i < 10; i++) {
		struct blocklist_key k = lab_key(name[i]);
		struct blocklist_descent *d = &g.d[g.n++];
		d->key_len = ends[blocklist_key_name(d->key, ends, k.name)];
	}
	search(&g);
	ck_assert_int_eq(g.missed, 10);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* With so many records a name has pages of its own. */
START_TEST(large_value)
{
	static struct group g;
	struct blocklist *bl = fill("s", 12);
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_key k = lab_key("longer-0.0.test");
	const uint8_t *name[] = {k.name, k.name};
	char alone[4096];
	ck_assert_int_eq(search_all(&g, bl, blocklist_view_txn(v)), SHARED);
	snprintf(alone, sizeof alone, "%s", lab_find(v, "longer-0.0.test"));
	ck_assert_uint_gt(strlen(alone), 12 * 5);
	blocklist_fetch_names(v, name, 2);
	ck_assert_str_eq(lab_find(v, "longer-0.0.test"), alone);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* What LMDB would not hand out as it stands, and what would lead out of the page. */
START_TEST(odd_nodes)
{
	/* value's length, flags, key's length, key, value */
	uint8_t node[] = {2, 0, 0, 0, 0, 0, 3, 0, 7, 1, 'a', 'v', 'w'};
	struct blocklist_descent d = {.pair = node, .room = sizeof node, .key_len = 3};
	MDB_val k, value;
	memcpy(d.key, node + 8, 3);
	ck_assert(blocklist_descent_pair(&d, &k, &value));
	ck_assert_ptr_eq(value.mv_data, node + 11);
	ck_assert_uint_eq(value.mv_size, 2);
	for (int i = 0; i < 11; i++) {
		node[i] ^= 1; /* length 3; 258; flags; another key */
		bool odd = !blocklist_descent_pair(&d, &k, &value);
		ck_assert_msg(odd, "byte %d", i);
		node[i] ^= 1;
	}
}
END_TEST

/* The header page of a snapshot that is not the last one may be written just now. */
START_TEST(old_snapshot)
{
	struct blocklist *bl = fill("s", 1);
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_pages pages;
	for (int i = 0; i < 3; i++) {
		blocklist_pages_find(&pages, bl, blocklist_view_txn(v));
		ck_assert_int_eq(pages.root != 0, i == 0);
		lab_add(bl, "l0", "new.test", i);
	}
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	blocklist_pages_find(&pages, bl, blocklist_view_txn(v));
	ck_assert_uint_ne(pages.root, 0);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* A view sees its own snapshot, whatever is written beside it; a page is not written
 * again before the view lets go. */
START_TEST(snapshots)
{
	static struct group g;
	struct blocklist *bl = fill("s", 1);
	struct blocklist_view *v = lab_view(bl), *w;
	struct blocklist_key k = lab_key("w1.1.test");
	const uint8_t *name[] = {k.name, k.name, k.name};
	for (int i = 0; i < 20; i++) {
		lab_add(bl, "l0", "new.test", RULE_SUBTREE);
		ck_assert_int_eq(lab_remove(bl, "l0", i ? "new.test" : "w1.1.test"), 0);
		blocklist_fetch_names(v, name, 3);
		ck_assert_str_eq(lab_find(v, "w1.1.test"), "l0:e/3");
		ck_assert_str_eq(lab_find(v, "new.test"), "");
		w = lab_view(bl);
		blocklist_fetch_names(w, name, 3);
		ck_assert_str_eq(lab_find(w, "w1.1.test"), "");
		ck_assert_int_eq(search_all(&g, bl, blocklist_view_txn(w)), 0);
		blocklist_view_close(w);
	}
	/* what was looked up ahead is forgotten with the snapshot */
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_str_eq(lab_find(v, "w1.1.test"), "");
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

static void random_name(char out[64], uint64_t *seed)
{
	static const char *const label[] = {"a", "b", "w1", "w2", "longer-0", "x-y", "0"};
	size_t n = 0;
	for (unsigned labels = lab_random(seed, 4); labels > 0; labels--)
		n += (size_t)snprintf(out + n, 64 - n, "%s.", label[lab_random(seed, 7)]);
	snprintf(out + n, 64 - n, "%u.test", lab_random(seed, 9));
}

static void random_change(struct blocklist *bl, uint64_t *seed)
{
	static const char *const list[] = {"l0", "m", "n"};
	char name[64];
	random_name(name, seed);
	const char *l = list[lab_random(seed, 3)];
	if (lab_random(seed, 3))
		lab_add(bl, l, name, (int)lab_random(seed, RULE_KIND_N));
	else
		(void)!lab_remove(bl, l, name);
}

/* Not as bytes: there are some between the fields. */
static bool same_rule(const struct rule *a, const struct rule *b)
{
	return a->entry == b->entry && a->starts == b->starts &&
	       a->expires == b->expires && a->list == b->list && a->action == b->action &&
	       a->kind == b->kind && a->labels == b->labels && a->words == b->words;
}

/* Two views of one snapshot, one of them after fetching, while others write. */
START_TEST(as_without)
{
	uint64_t seed = 11;
	struct blocklist *bl = fill("s", 1);
	struct blocklist_view *with = lab_view(bl), *without = lab_view(bl);
	for (int round = 0; round < ROUNDS; round++) {
		struct blocklist_key k[BLOCKLIST_FETCH_MAX];
		const uint8_t *name[BLOCKLIST_FETCH_MAX];
		int n = 1 + (int)lab_random(&seed, BLOCKLIST_FETCH_MAX);
		for (int i = 0; i < n; i++) {
			char text[64];
			random_name(text, &seed);
			k[i] = lab_key(text);
			name[i] = k[lab_random(&seed, (unsigned)i + 1)].name;
		}
		if (lab_random(&seed, 2)) {
			blocklist_view_reset(with);
			blocklist_view_reset(without);
			ck_assert_int_eq(blocklist_view_renew(with), 0);
			ck_assert_int_eq(blocklist_view_renew(without), 0);
		}
		if (round % 2)
			blocklist_fetch_names(with, name, n);
		for (int i = 0; i < n; i++) {
			struct rule r[2][BLOCKLIST_MATCHES_MAX];
			int found[2];
			const uint8_t *q = name[lab_random(&seed, (unsigned)n)];
			if (lab_random(&seed, 8) == 0)
				random_change(bl, &seed);
			for (int v = 0; v < 2; v++)
				found[v] = (i % 3 ? blocklist_find_name
						  : blocklist_find_server)(
					v ? without : with, r[v], BLOCKLIST_MATCHES_MAX,
					BLOCKLIST_CLASS_ALL, i % 2 ? q : name[i]);
			ck_assert_int_ge(found[0], 0);
			ck_assert_int_eq(found[0], found[1]);
			for (int m = 0; m < found[0]; m++)
				ck_assert(same_rule(&r[0][m], &r[1][m]));
		}
	}
	blocklist_view_close(with);
	blocklist_view_close(without);
	blocklist_close(bl);
}
END_TEST

UNIT_SUITE("blocklist_ahead", every_pair, no_pair, large_value, odd_nodes, old_snapshot,
	   snapshots, as_without)
