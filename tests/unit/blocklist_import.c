/* Imports: differences, versions, and what is left when one is interrupted. */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/blocklist_lab.h"

static struct blocklist_import *open_import(struct blocklist *bl, const char *list)
{
	struct blocklist_import *im;
	ck_assert_int_eq(blocklist_import_open(&im, bl, list, &lab_keep), 0);
	return im;
}

/* names: words with a blank between; "-" before one: kind exact, else subtree. */
static void put_all(struct blocklist_import *im, const char *names)
{
	char copy[1024], *save, *w;
	snprintf(copy, sizeof copy, "%s", names);
	for (w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		struct blocklist_item it = strchr(w, '/') ? lab_item(w, RULE_ADDR_ANSWER)
					   : *w == '-'	  ? lab_item(w + 1, RULE_EXACT)
							  : lab_item(w, RULE_SUBTREE);
		ck_assert_int_eq(blocklist_import_put(im, &it), 0);
	}
}

static const char *counts(const struct blocklist_changes *c)
{
	static char text[128];
	snprintf(text, sizeof text, "+%lu ~%lu -%lu =%lu 2x%lu", (unsigned long)c->added,
		 (unsigned long)c->changed, (unsigned long)c->removed,
		 (unsigned long)c->unchanged, (unsigned long)c->duplicates);
	return text;
}

static const char *import_all(struct blocklist *bl, const char *list, const char *names)
{
	struct blocklist_import *im = open_import(bl, list);
	struct blocklist_changes c;
	put_all(im, names);
	ck_assert_int_eq(blocklist_import_commit(im, &c, NULL, NULL, NULL), 0);
	blocklist_import_close(im);
	return counts(&c);
}

static int show(void *arg, char how, const struct blocklist_item *item)
{
	char text[DNS_NAME_TEXT_MAX], *out = arg;
	if (item->key.prefix.addr.family)
		prefix_to_text(text, &item->key.prefix);
	else
		name_to_text(text, item->key.name);
	sprintf(out + strlen(out), "%c%s ", how, text);
	return 0;
}

START_TEST(differences)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_changes c;
	struct blocklist_item it;
	char text[1024] = "";
	ck_assert_str_eq(import_all(bl, "l", "a.test b.test 192.0.2.0/24 -a.test"),
			 "+4 ~0 -0 =0 2x0");
	lab_add(bl, "other", "b.test", RULE_SUBTREE);
	lab_verify(v);

	struct blocklist_import *im = open_import(bl, "l");
	it = lab_item("b.test", RULE_SUBTREE);
	strcpy(it.entry.family, "new");
	ck_assert_int_eq(blocklist_import_put(im, &it), 0);
	put_all(im, "a.test c.test a.test -a.test B.TEST c.test"); /* the first wins */
	ck_assert_int_eq(blocklist_import_diff(im, &c, show, text), 0);
	ck_assert_str_eq(counts(&c), "+1 ~1 -1 =2 2x3");
	ck_assert_str_eq(text, "-192.0.2.0/24 ~b.test +c.test ");
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_str_eq(lab_find(v, "c.test"), "");
	ck_assert_int_eq(blocklist_import_put(im, &it), ERR_INVAL); /* too late */
	ck_assert_int_eq(blocklist_import_commit(im, &c, NULL, NULL, NULL), 0);
	ck_assert_str_eq(counts(&c), "+1 ~1 -1 =2 2x3");
	ck_assert_int_eq(blocklist_import_commit(im, &c, NULL, NULL, NULL), ERR_INVAL);
	blocklist_import_close(im);

	lab_verify(v);
	ck_assert_str_eq(lab_find(v, "b.test"), "l:s/2 other:s/2");
	ck_assert_str_eq(lab_find(v, "c.test"), "l:s/2");
	ck_assert_str_eq(lab_find_addr(v, "192.0.2.1", RULE_ADDR_ANSWER), "");
	ck_assert_uint_eq(blocklist_list_named(v, "l")->names, 4);
	ck_assert_uint_eq(blocklist_list_named(v, "l")->addresses, 0);

	/* an import of nothing empties the list: whether that may be, the tool says */
	ck_assert_str_eq(import_all(bl, "l", ""), "+0 ~0 -4 =0 2x0");
	lab_verify(v);
	ck_assert_str_eq(lab_find(v, "b.test"), "other:s/2");
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

enum { JUDGED_MAX = 256 };

static int refuse(void *arg, const struct blocklist_list *was,
		  const struct blocklist_changes *c)
{
	snprintf(arg, JUDGED_MAX, "%s had %llu v%u, %s", was->name,
		 (unsigned long long)was->names, was->version, counts(c));
	return ERR_REFUSED;
}

/* In one transaction, and when it takes several. */
START_TEST(a_judge_decides_before_anything_is_seen)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_changes c;
	char text[JUDGED_MAX];
	import_all(bl, "l", "a.test b.test c.test");
	for (uint64_t limit = 1; limit < 100; limit += 50) {
		struct blocklist_import *im = open_import(bl, "l");
		put_all(im, "a.test d.test e.test");
		blocklist_import_limit(im, limit);
		blocklist_import_judge(im, refuse, text, true);
		ck_assert_int_eq(blocklist_import_commit(im, &c, NULL, NULL, NULL),
				 ERR_REFUSED);
		ck_assert_str_eq(text, "l had 3 v1, +2 ~0 -2 =1 2x0");
		lab_verify(v);
		ck_assert_str_eq(lab_find(v, "b.test"), "l:s/2");
		ck_assert_str_eq(lab_find(v, "d.test"), "");
		ck_assert_int_eq(lab_count(v, 0xffff), 3);
		blocklist_import_close(im);
	}
	ck_assert(!blocklist_list_named(v, "l")->forced);
	struct blocklist_import *im = open_import(bl, "l");
	put_all(im, "d.test");
	blocklist_import_judge(im, NULL, NULL, true);
	ck_assert_int_eq(blocklist_import_commit(im, &c, NULL, NULL, NULL), 0);
	blocklist_import_close(im);
	lab_verify(v);
	ck_assert(blocklist_list_named(v, "l")->forced);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* Resolvers remember until when a rule holds, and what a lapsed list let through; both
 * must end with a lease that is another one, though no record changes. */
START_TEST(a_lease_that_ends_sooner_or_is_renewed_is_a_change)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_list_set set = lab_keep;
	uint32_t now = (uint32_t)time(NULL);
	import_all(bl, "l", "a.test");
	uint64_t g = lab_generation(v);
	struct blocklist_import *im;
	struct blocklist_changes c;
	for (int by_import = 0; by_import < 2; by_import++) {
		set.lease_s = 1;
		ck_assert_int_eq(blocklist_list_change(bl, "l", &set), 0);
		ck_assert_uint_eq(lab_generation(v), ++g);
		ck_assert_uint_le(blocklist_list_named(v, "l")->lease, now + 10);
		set.lease_s = 86400;
		if (by_import) {
			ck_assert_int_eq(blocklist_import_open(&im, bl, "l", &set), 0);
			put_all(im, "a.test");
			ck_assert_int_eq(
				blocklist_import_commit(im, &c, NULL, NULL, NULL), 0);
			blocklist_import_close(im);
			ck_assert_str_eq(counts(&c), "+0 ~0 -0 =1 2x0");
		} else {
			ck_assert_int_eq(blocklist_list_change(bl, "l", &set), 0);
		}
		ck_assert_uint_eq(lab_generation(v), ++g);
	}
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* The same for a list that is only ever added to: its entries' lease. */
START_TEST(an_entry_added_again_is_a_change_after_its_lease)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_list_set set = lab_keep;
	struct blocklist_item it = lab_item("a.test", RULE_SUBTREE);
	it.expires = (uint32_t)time(NULL) + 1000;
	ck_assert_int_eq(blocklist_add(bl, "m", &it), 0);
	set.lease_s = 1;
	ck_assert_int_eq(blocklist_list_change(bl, "m", &set), 0);
	uint64_t g = lab_generation(v);
	ck_assert_int_eq(blocklist_add(bl, "m", &it), 0);
	ck_assert_uint_gt(lab_generation(v), g);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(unchanged_renews_only_the_lease)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_list_set set = lab_keep;
	struct blocklist_import *im;
	struct blocklist_changes c;
	struct blocklist_entry e;
	struct blocklist_key key = lab_key("a.test");
	uint32_t now = (uint32_t)time(NULL);
	import_all(bl, "l", "a.test b.test");
	uint64_t g = lab_generation(v);
	const struct blocklist_list *l = blocklist_list_named(v, "l");
	ck_assert_int_eq(blocklist_entry_get(v, &e, l->id, &key), 0);
	ck_assert_uint_ge(e.first_listed, now);
	ck_assert_uint_ge(l->lease, now + BLOCKLIST_LEASE_S);
	ck_assert_uint_ge(l->loaded, now);
	uint64_t id = e.id;

	set.lease_s = BLOCKLIST_LEASE_S + 100;
	set.serial = 2024;
	ck_assert_int_eq(blocklist_import_open(&im, bl, "l", &set), 0);
	put_all(im, "b.test a.test");
	ck_assert_int_eq(blocklist_import_commit(im, &c, NULL, NULL, NULL), 0);
	blocklist_import_close(im);
	ck_assert_str_eq(counts(&c), "+0 ~0 -0 =2 2x0");
	ck_assert_uint_eq(lab_generation(v), g);
	l = blocklist_list_named(v, "l");
	ck_assert_uint_eq(l->serial, 2024);
	ck_assert_uint_ge(l->lease, now + BLOCKLIST_LEASE_S + 100);
	ck_assert_int_eq(blocklist_entry_get(v, &e, l->id, &key), 0);
	ck_assert_uint_eq(e.id, id);
	lab_verify(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(one_import_at_a_time)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_import *im = open_import(bl, "l"), *second;
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_item it = lab_item("a.test", RULE_SUBTREE);
	ck_assert_int_eq(blocklist_import_open(&second, bl, "l", &lab_keep), ERR_BUSY);
	ck_assert_ptr_null(second);
	ck_assert_int_eq(blocklist_add(bl, "l", &it), ERR_BUSY);
	ck_assert_int_eq(blocklist_add(bl, "m", &it), 0); /* another list is free */
	blocklist_import_close(im);			  /* nothing committed */
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_ptr_null(blocklist_list_named(v, "l"));
	ck_assert_int_eq(blocklist_add(bl, "l", &it), 0);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(lock_ends_with_the_process)
{
	const char *path = unit_path("s");
	int ready[2], status;
	char c;
	ck_assert_int_eq(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		struct blocklist *bl = lab_open_at(path);
		open_import(bl, "l");
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	struct blocklist *bl = lab_open_at(path);
	struct blocklist_import *im;
	ck_assert_int_eq(blocklist_import_open(&im, bl, "l", &lab_keep), ERR_BUSY);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(blocklist_import_open(&im, bl, "l", &lab_keep), 0);
	blocklist_import_close(im);
	blocklist_close(bl);
}
END_TEST

/* ---- interruption ---- */

struct stopper {
	int after; /* looks */
	volatile int stop;
};

static void stop_later(void *arg, uint64_t done, uint64_t total)
{
	struct stopper *s = arg;
	ck_assert_uint_le(done, total);
	if (s->after-- == 0)
		s->stop = 1;
}

/* One of many stores of a test. */
static struct blocklist *open_numbered(int n)
{
	char name[16];
	snprintf(name, sizeof name, "s%d", n);
	return lab_open(name);
}

/* As import_all(), in transactions of two keys, stopped after some of them. */
static int import_stopped(struct blocklist *bl, const char *list, const char *names,
			  int after)
{
	struct stopper s = {.after = after};
	struct blocklist_changes c;
	struct blocklist_import *im = open_import(bl, list);
	put_all(im, names);
	blocklist_import_limit(im, 2);
	int err = blocklist_import_commit(im, &c, stop_later, &s, &s.stop);
	blocklist_import_close(im);
	return err;
}

static const char *const old_names =
	"a.test b.test c.test d.test e.test f.test 192.0.2.0/24";
static const char *const new_names =
	"-a.test b.test d.test g.test h.test i.test 192.0.3.0/24";

static void check_old(struct blocklist_view *v)
{
	lab_verify(v);
	ck_assert_int_eq(lab_count(v, UINT16_MAX), 7);
	ck_assert_str_eq(lab_find(v, "x.a.test"), "l:s/2");
	ck_assert_str_eq(lab_find(v, "f.test"), "l:s/2");
	ck_assert_str_eq(lab_find(v, "g.test"), "");
	ck_assert_str_eq(lab_find_addr(v, "192.0.3.1", 7), "");
	ck_assert_uint_eq(blocklist_list_named(v, "l")->names, 6);
}

static void check_new(struct blocklist_view *v)
{
	struct blocklist_stats st;
	lab_verify(v);
	ck_assert_int_eq(lab_count(v, UINT16_MAX), 7);
	ck_assert_str_eq(lab_find(v, "a.test"), "l:e/2");
	ck_assert_str_eq(lab_find(v, "x.a.test"), "");
	ck_assert_str_eq(lab_find(v, "f.test"), "");
	ck_assert_str_eq(lab_find(v, "i.test"), "l:s/2");
	ck_assert_str_eq(lab_find_addr(v, "192.0.3.1", 7), "l:2/24");
	/* and nothing invisible is left */
	ck_assert_int_eq(blocklist_stats_get(v, &st), 0);
	ck_assert_uint_eq(st.entries, 7);
}

/* Stopped at every point there is: as before, and the same import finishes. */
START_TEST(stopped_anywhere)
{
	int err = ERR_STOPPED;
	for (int after = 0; err == ERR_STOPPED; after++) {
		struct blocklist *bl = open_numbered(after);
		struct blocklist_view *v = lab_view(bl);
		import_all(bl, "l", old_names);
		uint64_t g = lab_generation(v);
		err = import_stopped(bl, "l", new_names, after);
		if (err == ERR_STOPPED) {
			check_old(v);
			ck_assert_uint_eq(lab_generation(v), g);
			ck_assert_str_eq(import_all(bl, "l", new_names),
					 "+5 ~0 -5 =2 2x0");
		} else { /* stopped while tidying up: the next import does it */
			ck_assert_str_eq(import_all(bl, "l", new_names),
					 "+0 ~0 -0 =7 2x0");
		}
		check_new(v);
		ck_assert_uint_eq(lab_generation(v), g + 1);
		blocklist_view_close(v);
		blocklist_close(bl);
		ck_assert_int_lt(after, 20);
		if (err == 0)
			ck_assert_int_gt(after, 5);
	}
	ck_assert_int_eq(err, 0);
}
END_TEST

START_TEST(stopped_then_something_else)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	import_all(bl, "l", old_names);
	ck_assert_int_eq(import_stopped(bl, "l", new_names, 4), ERR_STOPPED);
	check_old(v);
	/* edits show themselves and nothing else */
	lab_add(bl, "l", "z.test", RULE_SUBTREE);
	ck_assert_int_eq(lab_remove(bl, "l", "z.test"), 0);
	ck_assert_int_eq(lab_remove(bl, "l", "h.test"), ERR_NOENT); /* staged only */
	struct blocklist_list_set set = lab_keep;
	set.precedence = 3;
	ck_assert_int_eq(blocklist_list_change(bl, "l", &set), 0);
	check_old(v);
	ck_assert_int_eq(lab_remove(bl, "l", "a.test"), 0);
	lab_add(bl, "l", "a.test", RULE_SUBTREE);
	check_old(v);
	/* the old list again: nothing to see, and what was staged is gone */
	ck_assert_str_eq(import_all(bl, "l", old_names), "+0 ~0 -0 =7 2x0");
	check_old(v);
	struct blocklist_stats st;
	ck_assert_int_eq(blocklist_stats_get(v, &st), 0);
	ck_assert_uint_eq(st.entries, 7);
	/* stopped twice with different content, then a third, also staged */
	ck_assert_int_eq(import_stopped(bl, "l", "x.test y.test z.test w.test", 5),
			 ERR_STOPPED);
	check_old(v);
	ck_assert_int_eq(import_stopped(bl, "l", new_names, 99), 0);
	check_new(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* What was staged already is not written again. */
START_TEST(stopped_work_is_kept)
{
	char many[1024] = "";
	int looks[2];
	for (int i = 0; i < 40; i++)
		sprintf(many + strlen(many), "%sn%d.test", i ? " " : "", i);
	for (int stopped = 0; stopped < 2; stopped++) {
		struct blocklist *bl = lab_open(stopped ? "s" : "t");
		struct stopper s = {.after = 1000};
		struct blocklist_changes c;
		if (stopped)
			ck_assert_int_eq(import_stopped(bl, "l", many, 15), ERR_STOPPED);
		struct blocklist_import *im = open_import(bl, "l");
		put_all(im, many);
		blocklist_import_limit(im, 2);
		ck_assert_int_eq(blocklist_import_commit(im, &c, stop_later, &s, &s.stop),
				 0);
		blocklist_import_close(im);
		looks[stopped] = 1000 - s.after;
		blocklist_close(bl);
	}
	ck_assert_int_lt(looks[1], looks[0] - 5);
}
END_TEST

/* A first import that was stopped: there is no such list yet, whatever comes next. */
START_TEST(stopped_first_import)
{
	for (int next = 0; next < 4; next++) {
		struct blocklist *bl = open_numbered(next);
		struct blocklist_view *v = lab_view(bl);
		struct blocklist_stats st;
		ck_assert_int_eq(import_stopped(bl, "l", old_names, 3), ERR_STOPPED);
		lab_verify(v);
		ck_assert_ptr_null(blocklist_list_named(v, "l"));
		ck_assert_int_eq(lab_count(v, UINT16_MAX), 0);
		ck_assert_int_eq(lab_remove(bl, "l", "a.test"), ERR_NOENT);
		ck_assert_int_eq(blocklist_list_change(bl, "l", &lab_keep), ERR_NOENT);
		switch (next) {
		case 0: /* finished */
			ck_assert_str_eq(import_all(bl, "l", old_names),
					 "+7 ~0 -0 =0 2x0");
			check_old(v);
			break;
		case 1: /* an add: only that one */
			lab_add(bl, "l", "x.test", RULE_SUBTREE);
			lab_verify(v);
			ck_assert_int_eq(lab_count(v, UINT16_MAX), 1);
			break;
		case 2: /* staged, other content */
			ck_assert_int_eq(import_stopped(bl, "l", new_names, 99), 0);
			check_new(v);
			break;
		default:
			ck_assert_int_eq(blocklist_list_remove(bl, "l"), 0);
			lab_verify(v);
			ck_assert_int_eq(blocklist_stats_get(v, &st), 0);
			ck_assert_uint_eq(st.entries, 0);
		}
		blocklist_view_close(v);
		blocklist_close(bl);
	}
}
END_TEST

/* A removal of a list that was interrupted after its first step. */
START_TEST(list_half_removed)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_txn t;
	struct blocklist_row row;
	import_all(bl, "l", old_names);
	ck_assert_int_eq(blocklist_txn_begin(&t, bl, false), 0);
	ck_assert_int_eq(blocklist_row_find(&t, &row, "l"), 0);
	row.version = 0;
	row.pending = 1;
	row.names = row.addresses = 0;
	ck_assert_int_eq(blocklist_row_put(&t, &row), 0);
	ck_assert_int_eq(blocklist_txn_commit(&t), 0);
	lab_verify(v);
	ck_assert_str_eq(lab_find(v, "a.test"), "");
	lab_add(bl, "l", "x.test", RULE_SUBTREE);
	lab_verify(v);
	ck_assert_int_eq(lab_count(v, UINT16_MAX), 1);
	ck_assert_str_eq(lab_find(v, "a.test"), "");
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* ---- any order of operations against a plain set ---- */

enum { WORDS = 36, ALIKE = 3 };

struct model {
	bool listed[WORDS];
	int text[WORDS]; /* which of several entries */
	/* as the last check found them; id 0: it was not there */
	uint64_t id[WORDS];
	int was[WORDS];
	bool exists;
};

/* A name has three words: itself, its wildcard, and both with what is below. */
static struct blocklist_item model_item(int word, int text)
{
	static const int kind[ALIKE] = {RULE_EXACT, RULE_WILDCARD, RULE_SUBTREE};
	int at = word / ALIKE;
	char name[32];
	/* every third name is below the one before it */
	snprintf(name, sizeof name, at % 3 ? "w%d.test" : "x.w%d.test",
		 at - (at % 3 == 0));
	struct blocklist_item it = lab_item(name, kind[word % ALIKE]);
	snprintf(it.entry.reason, sizeof it.entry.reason, "text %d", text);
	return it;
}

/* The rule of that kind for a name; false: none of the list's own for the very name. */
static bool model_rule(struct rule *out, struct blocklist_view *v, uint16_t list,
		       const struct blocklist_item *it)
{
	struct rule r[BLOCKLIST_MATCHES_MAX];
	uint8_t below[2 + DNS_NAME_MAX] = {1, 'b'};
	name_copy(below + 2, it->key.name);
	int n = blocklist_find_name(v, r, BLOCKLIST_MATCHES_MAX, BLOCKLIST_CLASS_ALL,
				    it->kind == RULE_EXACT ? it->key.name : below);
	for (int i = 0; i < n; i++) {
		if (r[i].list != list || r[i].kind != it->kind ||
		    r[i].labels != name_labels(it->key.name))
			continue;
		*out = r[i];
		return true;
	}
	ck_assert_int_ge(n, 0);
	return false;
}

/* An id stays, but that of a name and its wildcard is one of them only when they part;
 * and it is nobody else's. */
static void model_check_ids(const struct model *m, const uint64_t *now, int w,
			    uint64_t id)
{
	int twin = w % ALIKE == 0 ? w + 1 : w % ALIKE == 1 ? w - 1 : w;
	bool part = twin != w && m->id[w] == m->id[twin] && m->listed[twin] &&
		    m->text[w] != m->text[twin];
	if (m->id[w] && (m->was[w] == m->text[w] || !part))
		ck_assert_uint_eq(m->id[w], id);
	for (int i = 0; i < w; i++)
		if (m->listed[i] && (i != twin || m->text[i] != m->text[w]))
			ck_assert_uint_ne(now[i], id);
}

/* Whatever is listed is found, with its own text and id. */
static void model_check(struct blocklist_view *v, struct model *m, const char *list)
{
	const struct blocklist_list *l = blocklist_list_named(v, list);
	uint64_t id[WORDS] = {0};
	int n = 0;
	ck_assert_int_eq(l != NULL, m->exists);
	for (int w = 0; l && w < WORDS; w++) {
		struct blocklist_item it = model_item(w, m->text[w]);
		struct blocklist_entry e;
		struct rule r;
		n += m->listed[w];
		ck_assert_int_eq(model_rule(&r, v, l->id, &it), m->listed[w]);
		if (!m->listed[w])
			continue;
		ck_assert_int_eq(blocklist_entry_of_rule(v, &e, &r, &it.key), 0);
		ck_assert_str_eq(e.reason, it.entry.reason);
		model_check_ids(m, id, w, r.entry);
		id[w] = r.entry;
	}
	memcpy(m->id, id, sizeof id);
	memcpy(m->was, m->text, sizeof m->was);
	if (l) {
		ck_assert_int_eq(lab_count(v, l->id), n);
		ck_assert_uint_eq(l->names, (unsigned)n);
	}
}

/* Also stopped or staged; the model changes only when it was done. */
static void model_import(struct blocklist *bl, struct model *m, const char *list,
			 uint64_t *seed)
{
	struct model next = {.exists = true};
	struct stopper s = {.after = (int)lab_random(seed, 12)};
	struct blocklist_changes c, d;
	struct blocklist_import *im = open_import(bl, list);
	for (int w = 0; w < WORDS; w++) {
		next.listed[w] = lab_random(seed, 3) > 0;
		next.text[w] =
			lab_random(seed, 4) ? m->text[w] : (int)lab_random(seed, 3);
		struct blocklist_item it = model_item(w, next.text[w]);
		if (next.listed[w])
			ck_assert_int_eq(blocklist_import_put(im, &it), 0);
	}
	if (lab_random(seed, 3))
		blocklist_import_limit(im, 1 + lab_random(seed, 8));
	ck_assert_int_eq(blocklist_import_diff(im, &d, NULL, NULL), 0);
	int err = blocklist_import_commit(im, &c, stop_later, &s, &s.stop);
	blocklist_import_close(im);
	if (err == ERR_STOPPED)
		return;
	ck_assert_int_eq(err, 0);
	ck_assert_mem_eq(&c, &d, sizeof c);
	memcpy(next.id, m->id, sizeof next.id);
	memcpy(next.was, m->was, sizeof next.was);
	*m = next;
}

/* All words of a name; whether one was listed. */
static bool model_remove(struct model *m, int word)
{
	bool was = false;
	int first = word - word % ALIKE;
	for (int w = first; w < first + ALIKE; w++) {
		was = was || m->listed[w];
		m->listed[w] = false;
	}
	return was;
}

static void model_step(struct blocklist *bl, struct model *m, const char *list,
		       uint64_t *seed)
{
	int w = (int)lab_random(seed, WORDS), text = (int)lab_random(seed, 3);
	struct blocklist_item it = model_item(w, text);
	switch (lab_random(seed, 8)) {
	case 0:
	case 1:
		ck_assert_int_eq(blocklist_add(bl, list, &it), 0);
		m->listed[w] = m->exists = true;
		m->text[w] = text;
		break;
	case 2:
	case 3:
		ck_assert_int_eq(blocklist_remove(bl, list, &it.key),
				 model_remove(m, w) ? 0 : ERR_NOENT);
		break;
	case 4:
		if (lab_random(seed, 3) == 0) {
			int err = blocklist_list_remove(bl, list);
			ck_assert(m->exists ? err == 0 : err == 0 || err == ERR_NOENT);
			memset(m, 0, sizeof *m);
		}
		break;
	default:
		model_import(bl, m, list, seed);
	}
}

/* ---- a name and its wildcard ---- */

/* Of a key of the only list, in the resolver's pair. */
static size_t records(struct blocklist_view *v, const char *name)
{
	uint8_t key[BLOCKLIST_KEY_MAX];
	struct blocklist_key at = lab_key(name);
	MDB_val value, k = {blocklist_key_rule(key, &at), key};
	ck_assert_int_eq(
		mdb_get(blocklist_view_txn(v), blocklist_view_store(v)->dbi, &k, &value),
		0);
	return value.mv_size / sizeof(struct blocklist_record);
}

/* Each of that family, or (NULL) not at all; stopped after so many keys, or (-1) never.
 */
static int import_pair(struct blocklist *bl, const char *exact, const char *wildcard,
		       int after)
{
	struct blocklist_import *im = open_import(bl, "l");
	const char *const family[] = {exact, wildcard, wildcard ? wildcard : "Last"};
	struct blocklist_item item[] = {lab_item("a.test", RULE_EXACT),
					lab_item("a.test", RULE_WILDCARD),
					lab_item("z.test", RULE_EXACT)};
	struct stopper s = {.after = after};
	struct blocklist_changes c;
	for (int i = 0; i < 3; i++) {
		if (!family[i])
			continue;
		item[i].entry.first_listed = 1000;
		strcpy(item[i].entry.family, family[i]);
		ck_assert_int_eq(blocklist_import_put(im, &item[i]), 0);
	}
	if (after >= 0)
		blocklist_import_limit(im, 1);
	int err = blocklist_import_commit(im, &c, after < 0 ? NULL : stop_later, &s,
					  &s.stop);
	blocklist_import_close(im);
	return err;
}

START_TEST(alike_they_are_one_record)
{
	static const struct {
		const char *exact, *wildcard;
		size_t records;
		const char *self, *below;
	} row[] = {
		{"A", "A", 1, "l:e/2", "l:w/2"},
		{"B", "B", 1, "l:e/2", "l:w/2"},
		{"B", "C", 2, "l:e/2", "l:w/2"},
		{"B", "B", 2, "l:e/2", "l:w/2"}, /* each keeps the id it has */
		{"B", NULL, 1, "l:e/2", ""},
		{NULL, "B", 1, "", "l:w/2"},
	};
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		int n = !!row[i].exact + !!row[i].wildcard + 1;
		ck_assert_int_eq(import_pair(bl, row[i].exact, row[i].wildcard, -1), 0);
		lab_verify(v);
		ck_assert_uint_eq(records(v, "a.test"), row[i].records);
		ck_assert_str_eq(lab_find(v, "a.test"), row[i].self);
		ck_assert_str_eq(lab_find(v, "b.a.test"), row[i].below);
		ck_assert_int_eq(lab_count(v, 0), n);
		ck_assert_int_eq(lab_count(v, UINT16_MAX), n);
	}
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* What a stopped import made one is not, where only the wildcard comes after all. */
START_TEST(parted_by_who_comes_next)
{
	int err = ERR_STOPPED;
	for (int after = 0; err == ERR_STOPPED; after++) {
		struct blocklist *bl = open_numbered(after);
		struct blocklist_view *v = lab_view(bl);
		struct blocklist_item a = lab_item("a.test", RULE_EXACT);
		uint8_t below[DNS_NAME_MAX];
		struct rule exact, wildcard;
		ck_assert_int_eq(name_from_str(below, "b.a.test"), 0);
		ck_assert_int_eq(import_pair(bl, "A", NULL, -1), 0);
		err = import_pair(bl, "B", "B", after);
		ck_assert_int_eq(import_pair(bl, "A", "B", 100), 0);
		lab_verify(v);
		ck_assert_int_eq(blocklist_find_name(v, &exact, 1, BLOCKLIST_CLASS_ALL,
						     a.key.name),
				 1);
		ck_assert_int_eq(
			blocklist_find_name(v, &wildcard, 1, BLOCKLIST_CLASS_ALL, below),
			1);
		ck_assert_uint_ne(exact.entry, wildcard.entry);
		blocklist_view_close(v);
		blocklist_close(bl);
		ck_assert_int_lt(after, 20);
	}
	ck_assert_int_eq(err, 0);
}
END_TEST

START_TEST(any_order)
{
	static const char *const list[2] = {"one", "two"};
	struct model m[2] = {{.exists = false}};
	uint64_t seed = (uint64_t)_i + 1;
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	for (int i = 0; i < 120; i++) {
		int k = (int)lab_random(&seed, 2);
		model_step(bl, &m[k], list[k], &seed);
		lab_verify(v);
		for (k = 0; k < 2; k++)
			model_check(v, &m[k], list[k]);
	}
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* ---- markers below the wildcards of a zone ---- */

/* "KIND NAME; ..." of what a list has, KIND as lab_find() has it and capital for names
 * of servers. */
static int tell_rule(void *arg, const struct blocklist_key *key, const struct rule *rule)
{
	static const char kinds[] = "eswnEWN";
	char text[DNS_NAME_TEXT_MAX], *out = arg;
	name_to_text(text, key->name);
	sprintf(out + strlen(out), "%s%c %s", *out ? "; " : "", kinds[rule->kind], text);
	return 0;
}

/* items: "KIND NAME; ..."; KIND h: no rule, but a name of the zone (H: of servers); with
 * "-" before it: no name of a zone. */
static const char *import_zone(struct blocklist *bl, const char *items)
{
	static const char kinds[] = "eswnEWN";
	struct blocklist_import *im = open_import(bl, "z");
	struct blocklist_changes c, d;
	char copy[4096], *save, *w;
	snprintf(copy, sizeof copy, "%s", items);
	for (w = strtok_r(copy, ";", &save); w; w = strtok_r(NULL, ";", &save)) {
		w += *w == ' ';
		bool in_zone = *w != '-';
		w += !in_zone;
		struct blocklist_item it = lab_item(w + 2, RULE_EXACT);
		it.in_zone = in_zone;
		if (*w == 'h' || *w == 'H') {
			ck_assert_int_eq(
				blocklist_import_hide(im, it.key.name, *w == 'H'), 0);
			continue;
		}
		it.kind = (uint8_t)(strchr(kinds, *w) - kinds);
		ck_assert_int_eq(blocklist_import_put(im, &it), 0);
	}
	blocklist_import_limit(im, 3);
	ck_assert_int_eq(blocklist_import_diff(im, &d, NULL, NULL), 0);
	ck_assert_int_eq(blocklist_import_commit(im, &c, NULL, NULL, NULL), 0);
	ck_assert_mem_eq(&c, &d, sizeof c);
	blocklist_import_close(im);
	return counts(&c);
}

static const char *stands(struct blocklist_view *v)
{
	static char text[8192];
	*text = 0;
	lab_verify(v);
	ck_assert_int_eq(blocklist_walk(v, UINT16_MAX, tell_rule, text), 0);
	return text;
}

START_TEST(names_of_a_zone_end_wildcards_above)
{
	static const struct {
		const char *items, *stands;
	} row[] = {
		{"w x.test; e a.b.x.test",
		 "w x.test; n b.x.test; e a.b.x.test; n a.b.x.test"},
		/* in any order, once */
		{"e a.b.x.test; e c.b.x.test; e a.b.x.test; w x.test",
		 "w x.test; n b.x.test; e a.b.x.test; n a.b.x.test; e c.b.x.test; "
		 "n c.b.x.test"},
		/* names of servers by themselves; a marker that another one's rule
		 * comes before */
		{"W x.test; E a.b.x.test; e c.x.test",
		 "W x.test; N b.x.test; E a.b.x.test; N a.b.x.test; e c.x.test"},
		{"w x.test; E a.b.x.test; e cc.b.x.test",
		 "w x.test; n b.x.test; E a.b.x.test; e cc.b.x.test; n cc.b.x.test"},
		/* a wildcard below a wildcard */
		{"w x.test; w b.x.test", "w x.test; w b.x.test; n b.x.test"},
		/* the usual pair needs none, nor does a list without wildcards */
		{"e x.test; w x.test; e a.b.c.test", "e a.b.c.test; e x.test; w x.test"},
		{"w x.test; e a.xx.test; e y.test", "w x.test; e y.test; e a.xx.test"},
		/* all below the root */
		{"w .; e a.test", "w .; n test; e a.test; n a.test"},
		/* other lists' names are no zone's */
		{"w x.test; -e a.x.test", "w x.test; e a.x.test"},
		{"-w x.test; e a.x.test", "w x.test; e a.x.test"},
		/* without a rule */
		{"w x.test; h b.x.test; e c.test", "e c.test; w x.test; n b.x.test"},
		{"w x.test; H b.x.test; h c.test", "w x.test"},
	};
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		import_zone(bl, row[i].items);
		ck_assert_str_eq(stands(v), row[i].stands);
		/* again: nothing changes */
		ck_assert_ptr_nonnull(strstr(import_zone(bl, row[i].items), "+0 ~0 -0 "));
		ck_assert_str_eq(stands(v), row[i].stands);
	}
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* Name n of a tree: its bits below the highest one are its labels above "test", the top
 * first; its parent is n / 2. */
static const char *tree_name(char out[64], unsigned n)
{
	*out = 0;
	for (; n > 1; n /= 2)
		strcat(out, n & 1 ? "1." : "0.");
	return strcat(out, "test");
}

enum { TREE = 31 };

/* The definition: a name that is there or has one below it, under a wildcard. */
static bool needs_marker(const bool has[TREE + 1], const bool wild[TREE + 1], unsigned n)
{
	bool there = false, below = false;
	for (unsigned up = n / 2; up; up /= 2)
		below = below || wild[up];
	for (unsigned d = 1; d <= TREE; d++)
		for (unsigned up = d; up; up /= 2)
			there = there || (up == n && has[d]);
	return there && below;
}

static bool has_line(const char *text, const char *line)
{
	size_t n = strlen(line);
	for (; text; text = strchr(text, ';')) {
		text += strspn(text, "; ");
		if (strncmp(text, line, n) == 0 && (!text[n] || text[n] == ';'))
			return true;
	}
	return false;
}

START_TEST(markers_as_the_definition_has_them)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	uint64_t seed = 1;
	for (int round = 0; round < 60; round++) {
		char items[4096] = "", name[64], line[80];
		bool has[2][TREE + 1] = {{false}}, wild[2][TREE + 1] = {{false}};
		for (int k = 0; k < 6; k++) {
			unsigned n = 1 + lab_random(&seed, TREE);
			bool ns = lab_random(&seed, 4) == 0, w = lab_random(&seed, 2);
			sprintf(items + strlen(items), "%s%c %s", k ? "; " : "",
				ns ? "EW"[w] : "ew"[w], tree_name(name, n));
			has[ns][n] = true;
			wild[ns][n] = wild[ns][n] || w;
		}
		import_zone(bl, items);
		const char *there = stands(v);
		for (unsigned n = 1; n <= TREE; n++)
			for (int ns = 0; ns < 2; ns++) {
				sprintf(line, "%c %s", "nN"[ns], tree_name(name, n));
				ck_assert_msg(has_line(there, line) ==
						      needs_marker(has[ns], wild[ns], n),
					      "%s: %s: %s", items, line, there);
			}
	}
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* Over the real limit, and over the sorter's memory with long texts. */
static void edit_for_ever(const char *path)
{
	struct blocklist *bl = lab_open_at(path);
	lab_add(bl, "urgent", "stays.test", RULE_SUBTREE);
	for (;;) {
		lab_add(bl, "urgent", "comes-and-goes.test", RULE_SUBTREE);
		ck_assert_int_eq(lab_remove(bl, "urgent", "comes-and-goes.test"), 0);
	}
}

struct turns {
	struct blocklist_view *v;
	uint64_t generation;
	int n; /* steps of the import since whose last one there was an edit */
};

static void count_turns(void *arg, uint64_t done, uint64_t total)
{
	struct turns *t = arg;
	uint64_t now = lab_generation(t->v);
	(void)done, (void)total;
	t->n += now != t->generation;
	t->generation = now;
}

/* Edits get in between the transactions of a long import, each of them. */
START_TEST(edits_have_their_turn)
{
	enum { STEPS = 100, STEP = 1000 };
	const char *path = unit_path("s");
	blocklist_close(lab_open_at(path));
	pid_t child = fork();
	if (child == 0)
		edit_for_ever(path);
	struct blocklist *bl = lab_open_at(path);
	struct blocklist_import *im = open_import(bl, "l");
	struct blocklist_changes c;
	blocklist_import_limit(im, STEP);
	for (int i = 0; i < STEPS * STEP; i++) {
		char name[64];
		snprintf(name, sizeof name, "n%d.example.test", i);
		struct blocklist_item it = lab_item(name, RULE_SUBTREE);
		ck_assert_int_eq(blocklist_import_put(im, &it), 0);
	}
	struct blocklist_view *v = lab_view(bl);
	while (!blocklist_list_named(v, "urgent"))
		ck_assert_int_eq(blocklist_view_renew(v), 0);
	struct turns t = {.v = v, .generation = lab_generation(v)};
	ck_assert_int_eq(blocklist_import_commit(im, &c, count_turns, &t, NULL), 0);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	ck_assert_int_gt(t.n, STEPS * 3 / 4);
	blocklist_view_close(v);
	blocklist_import_close(im);
	blocklist_close(bl);
}
END_TEST

START_TEST(large)
{
	enum { N = BLOCKLIST_TXN_CHANGES + 10000 };
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_changes c;
	struct blocklist_item it = lab_item("x.test", RULE_SUBTREE);
	memset(it.entry.reason, 'r', 250);
	memset(it.entry.reference, 'r', 250);
	for (int round = 0; round < 4; round++) {
		/* the last one comes to names that another list has */
		struct blocklist_import *im = open_import(bl, round < 3 ? "l" : "m");
		for (unsigned i = 0; i < N; i++) {
			unsigned n = round == 2 ? i : i * 7 % N;
			it.entry.family[0] = n % 1000 ? 'f' : 'g';
			it.key.name[0] = 6;
			for (int k = 0; k < 6; k++, n /= 10)
				it.key.name[6 - k] = (uint8_t)('0' + n % 10);
			memcpy(it.key.name + 7, "\4test", 6);
			it.entry.category[0] = round == 2 ? 'b' : 'a';
			ck_assert_int_eq(blocklist_import_put(im, &it), 0);
		}
		ck_assert_int_eq(blocklist_import_commit(im, &c, NULL, NULL, NULL), 0);
		blocklist_import_close(im);
		ck_assert_uint_eq(round % 3 == 0 ? c.added
				  : round == 1	 ? c.unchanged
						 : c.changed,
				  N);
		ck_assert_int_eq(blocklist_view_renew(v), 0);
		ck_assert_uint_eq(blocklist_list_named(v, "l")->names, N);
		ck_assert_uint_eq(blocklist_list_named(v, "l")->version,
				  round < 2 ? 1 : 2);
		ck_assert_str_eq(lab_find(v, "a.059999.test"),
				 round < 3 ? "l:s/2" : "l:s/2 m:s/2");
	}
	lab_verify(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *s = suite_create("blocklist_import");
	TCase *c = tcase_create("blocklist_import");
	tcase_set_timeout(c, UNIT_TIMEOUT_S);
	tcase_add_test(c, differences);
	tcase_add_test(c, a_judge_decides_before_anything_is_seen);
	tcase_add_test(c, a_lease_that_ends_sooner_or_is_renewed_is_a_change);
	tcase_add_test(c, an_entry_added_again_is_a_change_after_its_lease);
	tcase_add_test(c, unchanged_renews_only_the_lease);
	tcase_add_test(c, one_import_at_a_time);
	tcase_add_test(c, lock_ends_with_the_process);
	tcase_add_test(c, stopped_anywhere);
	tcase_add_test(c, stopped_then_something_else);
	tcase_add_test(c, stopped_work_is_kept);
	tcase_add_test(c, stopped_first_import);
	tcase_add_test(c, list_half_removed);
	tcase_add_loop_test(c, any_order, 0, 6);
	tcase_add_test(c, alike_they_are_one_record);
	tcase_add_test(c, parted_by_who_comes_next);
	tcase_add_test(c, names_of_a_zone_end_wildcards_above);
	tcase_add_test(c, markers_as_the_definition_has_them);
	tcase_add_test(c, edits_have_their_turn);
	tcase_add_test(c, large);
	suite_add_tcase(s, c);
	return s;
}
