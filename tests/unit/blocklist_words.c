/* Families and categories stored once: a rule's number leads to what its entry says. */
#include "tests/unit/blocklist_lab.h"

static struct blocklist_item item_of(const char *name, const char *family,
				     const char *category)
{
	struct blocklist_item i = lab_item(name, RULE_SUBTREE);
	strcpy(i.entry.family, family);
	strcpy(i.entry.category, category);
	return i;
}

static void add(struct blocklist *bl, const char *name, const char *family,
		const char *category)
{
	struct blocklist_item i = item_of(name, family, category);
	ck_assert_int_eq(blocklist_add(bl, "l", &i), 0);
}

static struct rule rule_of(struct blocklist_view *v, const char *name)
{
	struct rule r;
	struct blocklist_key k = lab_key(name);
	ck_assert_int_eq(blocklist_find_name(v, &r, 1, BLOCKLIST_CLASS_ALL, k.name), 1);
	return r;
}

/* The words by their number and those in the entry are the same. */
static uint16_t check_words(struct blocklist_view *v, const char *name,
			    const char *family, const char *category)
{
	struct blocklist_key k = lab_key(name);
	struct rule r = rule_of(v, name);
	struct blocklist_entry e;
	const struct blocklist_word_pair *w = blocklist_words_of(v, &r);
	ck_assert_int_eq(blocklist_entry_of_rule(v, &e, &r, &k), 0);
	ck_assert_str_eq(e.family, family);
	ck_assert_str_eq(e.category, category);
	ck_assert_int_eq(w != NULL, r.words != 0);
	if (w) {
		ck_assert_str_eq(w->family, family);
		ck_assert_str_eq(w->category, category);
	}
	return r.words;
}

static void sound(struct blocklist *bl)
{
	struct blocklist_view *v = lab_view(bl);
	ck_assert_int_eq(blocklist_verify(v, NULL, NULL), 0);
	blocklist_view_close(v);
}

START_TEST(one_number_a_pair)
{
	struct blocklist *bl = lab_open("words");
	add(bl, "a.test", "emotet", "c2");
	add(bl, "b.test", "", "");
	add(bl, "c.test", "emotet", "loader");
	add(bl, "d.test", "emotet", "c2");
	struct blocklist_view *v = lab_view(bl);
	uint16_t a = check_words(v, "a.test", "emotet", "c2");
	ck_assert_uint_ne(a, 0);
	ck_assert_uint_ne(check_words(v, "b.test", "", ""), a);
	ck_assert_uint_ne(check_words(v, "c.test", "emotet", "loader"), a);
	ck_assert_uint_eq(check_words(v, "d.test", "emotet", "c2"), a);
	/* a name gets other words, and a view learns new ones */
	add(bl, "a.test", "qakbot", "c2");
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	blocklist_view_reset(v);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	check_words(v, "a.test", "qakbot", "c2");
	check_words(v, "d.test", "emotet", "c2");
	sound(bl);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

static uint16_t intern(struct blocklist_interner **t, struct blocklist_txn *txn,
		       const char *family)
{
	uint8_t entry[BLOCKLIST_ENTRY_MAX];
	struct blocklist_item i = item_of("x.test", family, "c");
	uint16_t number;
	blocklist_entry_encode(entry, &i);
	ck_assert_int_eq(blocklist_intern(t, &number, txn, entry), 0);
	return number;
}

/* What was not committed has no number, and two writers see each other's. */
START_TEST(aborted_and_shared)
{
	struct blocklist *bl = lab_open("aborted");
	struct blocklist_interner *one = NULL, *two = NULL;
	struct blocklist_txn t;
	ck_assert_int_eq(blocklist_txn_begin(&t, bl, false), 0);
	ck_assert_uint_eq(intern(&one, &t, "first"), 1);
	ck_assert_uint_eq(intern(&one, &t, "lost"), 2);
	blocklist_txn_abort(&t);
	ck_assert_int_eq(blocklist_txn_begin(&t, bl, false), 0);
	ck_assert_uint_eq(intern(&one, &t, "second"), 1);
	ck_assert_uint_eq(intern(&one, &t, "first"), 2);
	ck_assert_int_eq(blocklist_txn_commit(&t), 0);
	ck_assert_int_eq(blocklist_txn_begin(&t, bl, false), 0);
	ck_assert_uint_eq(intern(&two, &t, "first"), 2);
	ck_assert_uint_eq(intern(&two, &t, "third"), 3);
	ck_assert_int_eq(blocklist_txn_commit(&t), 0);
	ck_assert_int_eq(blocklist_txn_begin(&t, bl, false), 0);
	ck_assert_uint_eq(intern(&one, &t, "fourth"), 4);
	ck_assert_uint_eq(intern(&one, &t, "third"), 3);
	ck_assert_int_eq(blocklist_txn_commit(&t), 0);
	blocklist_interner_free(one);
	blocklist_interner_free(two);
	sound(bl);
	blocklist_close(bl);
}
END_TEST

/* What an aborted transaction numbered, another writer may have numbered otherwise, so
 * that as many are known as before: a large import begins anew like that. */
START_TEST(aborted_then_others)
{
	struct blocklist *bl = lab_open("others");
	struct blocklist_interner *one = NULL, *two = NULL;
	struct blocklist_txn t;
	ck_assert_int_eq(blocklist_txn_begin(&t, bl, false), 0);
	ck_assert_uint_eq(intern(&one, &t, "first"), 1);
	ck_assert_uint_eq(intern(&one, &t, "second"), 2);
	blocklist_txn_abort(&t);
	ck_assert_int_eq(blocklist_txn_begin(&t, bl, false), 0);
	ck_assert_uint_eq(intern(&two, &t, "other"), 1);
	ck_assert_uint_eq(intern(&two, &t, "second"), 2);
	ck_assert_int_eq(blocklist_txn_commit(&t), 0);
	ck_assert_int_eq(blocklist_txn_begin(&t, bl, false), 0);
	ck_assert_uint_eq(intern(&one, &t, "first"), 3);
	ck_assert_uint_eq(intern(&one, &t, "other"), 1);
	ck_assert_int_eq(blocklist_txn_commit(&t), 0);
	blocklist_interner_free(one);
	blocklist_interner_free(two);
	sound(bl);
	blocklist_close(bl);
}
END_TEST

/* A feed with more families than there are numbers: the last ones stand in their entries
 * alone. */
START_TEST(no_number_left)
{
	enum { MORE = 10 };
	struct blocklist *bl = lab_open("full");
	struct blocklist_import *im;
	struct blocklist_changes c;
	ck_assert_int_eq(blocklist_import_open(&im, bl, "l", &lab_keep), 0);
	for (int i = 0; i < BLOCKLIST_WORDS_MAX + MORE; i++) {
		char name[32], family[32];
		snprintf(name, sizeof name, "n%04d.test", i);
		snprintf(family, sizeof family, "family %d", i);
		struct blocklist_item it = item_of(name, family, "c2");
		ck_assert_int_eq(blocklist_import_put(im, &it), 0);
	}
	ck_assert_int_eq(blocklist_import_commit(im, &c, NULL, NULL, NULL), 0);
	blocklist_import_close(im);
	struct blocklist_view *v = lab_view(bl);
	int without = 0;
	for (int i = 0; i < BLOCKLIST_WORDS_MAX + MORE; i++) {
		char name[32], family[32];
		snprintf(name, sizeof name, "n%04d.test", i);
		snprintf(family, sizeof family, "family %d", i);
		without += check_words(v, name, family, "c2") == 0;
	}
	ck_assert_int_eq(without, MORE);
	sound(bl);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* A flipped bit in a pair is found before a hit tells it. */
START_TEST(damaged_pair)
{
	struct blocklist *bl = lab_open("flipped");
	uint8_t key[BLOCKLIST_KEY_MAX];
	MDB_val v, k = {blocklist_key_list(key, BLOCKLIST_WORDS, 1), key};
	MDB_txn *txn;
	add(bl, "a.test", "emotet", "c2");
	ck_assert_int_eq(mdb_txn_begin(bl->env, NULL, 0, &txn), 0);
	ck_assert_int_eq(mdb_get(txn, bl->dbi, &k, &v), 0);
	struct blocklist_words_row row;
	memcpy(&row, v.mv_data, sizeof row);
	row.pair.family[0] ^= 1;
	v = (MDB_val){sizeof row, &row};
	ck_assert_int_eq(mdb_put(txn, bl->dbi, &k, &v, 0), 0);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
	struct blocklist_view *view;
	ck_assert_int_eq(blocklist_view_open(&view, bl), 0);
	ck_assert_int_eq(blocklist_view_renew(view), ERR_DAMAGED);
	blocklist_view_close(view);
	blocklist_close(bl);
}
END_TEST

/* Two rows that have changed places are sound by themselves: the entries tell. */
START_TEST(numbers_of_others)
{
	struct blocklist *bl = lab_open("swapped");
	uint8_t key[BLOCKLIST_KEY_MAX];
	MDB_val k = {blocklist_key_list(key, BLOCKLIST_WORDS, 1), key};
	struct blocklist_words_row row = {.pair = {"qakbot", "c2"}},
				   old = {.pair = {"emotet", "c2"}};
	MDB_val was = {sizeof old, &old}, now = {sizeof row, &row};
	struct blocklist_txn t;
	add(bl, "a.test", "emotet", "c2");
	sound(bl);
	uint64_t h = blocklist_key_hash(key, k.mv_size);
	row.check = blocklist_tail_check(h, &row, sizeof row);
	old.check = blocklist_tail_check(h, &old, sizeof old);
	ck_assert_int_eq(blocklist_txn_begin(&t, bl, false), 0);
	ck_assert_int_eq(blocklist_txn_put(&t, t.rules, &k, &was, &now), 0);
	ck_assert_int_eq(blocklist_txn_commit(&t), 0);
	struct blocklist_view *v = lab_view(bl);
	ck_assert_int_eq(blocklist_verify(v, NULL, NULL), ERR_DAMAGED);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

UNIT_SUITE("blocklist_words", one_number_a_pair, aborted_and_shared, aborted_then_others,
	   no_number_left, damaged_pair, numbers_of_others)
