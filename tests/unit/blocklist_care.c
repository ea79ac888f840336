/* Copies of the store, put back while it is open, and in the place of a damaged one. */
#include "include/blocklist_care.h"

#include <sys/stat.h>

#include "tests/unit/blocklist_lab.h"
#include "tests/unit/opt_out.h"

static uint64_t file_size(const char *path)
{
	struct stat st;
	ck_assert_int_eq(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

static void fill(struct blocklist *bl, const char *list, int n, uint64_t limit)
{
	struct blocklist_import *im;
	struct blocklist_changes c;
	ck_assert_int_eq(blocklist_import_open(&im, bl, list, &lab_keep), 0);
	blocklist_import_limit(im, limit);
	for (int i = 0; i < n; i++) {
		char text[64];
		snprintf(text, sizeof text, "n%d.%s.example", i, list);
		struct blocklist_item it = lab_item(text, RULE_SUBTREE);
		strcpy(it.entry.reason, "reason");
		ck_assert_int_eq(blocklist_import_put(im, &it), 0);
	}
	ck_assert_int_eq(blocklist_import_commit(im, &c, NULL, NULL, NULL), 0);
	blocklist_import_close(im);
}

static void group_of_one(struct blocklist *bl, const char *list)
{
	const char *missing;
	ck_assert_int_eq(blocklist_group_set(bl, "g", false, &list, 1, &missing), 0);
}

static struct blocklist *open_copy(const char *path)
{
	struct blocklist *bl;
	const char *why = NULL;
	int err = blocklist_copy_open(&bl, path, &why);
	ck_assert_msg(!err, "%s: %s", err_text(err), why);
	return bl;
}

START_TEST(what_is_put_back_is_what_was_there)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct prefix p = lab_key("192.0.2.0/24").prefix;
	struct blocklist_stats was, now;
	char found[256];
	fill(bl, "a", 3000, 100);
	lab_add(bl, "b", "198.51.100.0/24", RULE_ADDR_ANSWER);
	group_of_one(bl, "a");
	ck_assert_int_eq(unit_opt_out(bl, &p), 0);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_int_eq(blocklist_stats_get(v, &was), 0);
	snprintf(found, sizeof found, "%s", lab_find(v, "www.n77.a.example"));
	const char *copy = unit_path("copy");
	ck_assert_int_eq(blocklist_copy(bl, copy), 0);
	ck_assert_int_eq(blocklist_copy(bl, copy), ERR_EXIST);
	/* Everything becomes different. */
	ck_assert_int_eq(blocklist_list_remove(bl, "a"), 0);
	fill(bl, "c", 5000, 100);
	ck_assert_int_eq(blocklist_client_remove(bl, &p), 0);
	group_of_one(bl, "c");
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	struct blocklist_stamp other = blocklist_view_stamp(v);
	uint64_t since = blocklist_class_since(v, blocklist_group_named(v, "g")->class);
	struct blocklist *from = open_copy(copy);
	ck_assert_int_eq(blocklist_restore(bl, from), 0);
	ck_assert_str_eq(lab_find(v, "www.n77.c.example"), "c:s/3"); /* not renewed yet */
	lab_verify(v);
	ck_assert_int_eq(blocklist_stats_get(v, &now), 0);
	ck_assert_str_eq(lab_find(v, "www.n77.a.example"), found);
	ck_assert_str_eq(lab_find(v, "www.n77.c.example"), "");
	ck_assert_uint_eq(now.names, was.names);
	ck_assert_uint_eq(now.clients, was.clients);
	ck_assert_uint_eq(now.digest, was.digest);
	/* Nothing remembered of before is taken for what holds now. */
	ck_assert_uint_ne(now.stamp.epoch, other.epoch);
	ck_assert_uint_ne(now.stamp.epoch, was.stamp.epoch);
	ck_assert_uint_gt(now.stamp.generation, other.generation);
	struct addr a = {.bytes = {192, 0, 2, 1}, .family = 4};
	uint8_t class;
	ck_assert_int_eq(blocklist_class_of(v, &class, &a), 0);
	ck_assert_uint_eq(class, BLOCKLIST_CLASS_NONE);
	const struct blocklist_group *g = blocklist_group_named(v, "g");
	uint16_t list = blocklist_list_named(v, "a")->id;
	ck_assert(blocklist_class_has(v, g->class, list));
	/* From here on all goes on as ever. */
	group_of_one(bl, "b");
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_uint_gt(blocklist_class_since(v, g->class), since);
	fill(bl, "a", 2000, 100);
	lab_verify(v);
	ck_assert_int_eq(lab_count(v, blocklist_list_named(v, "a")->id), 2000);
	blocklist_close(from);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* More pages than LMDB keeps of a transaction in memory would be better, but takes
 * minutes; this many fill a tree of three levels. */
START_TEST(many)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	fill(bl, "a", 60000, 50000);
	ck_assert_int_eq(blocklist_copy(bl, unit_path("copy")), 0);
	struct blocklist *from = open_copy(unit_path("copy"));
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(blocklist_restore(bl, from), 0);
	lab_verify(v);
	ck_assert_int_eq(lab_count(v, 0), 60000);
	blocklist_close(from);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

static void restore_now(void *arg, uint64_t done, uint64_t total)
{
	struct blocklist *bl = arg;
	(void)total;
	if (done < 500)
		return;
	struct blocklist *from = open_copy(unit_path("copy"));
	/* Its own turn must be over: between two transactions it is. */
	if (blocklist_restore(bl, from))
		abort();
	blocklist_close(from);
}

struct between {
	struct blocklist *bl;
	bool done;
	int looks;
};

static void between(void *arg, uint64_t done, uint64_t total)
{
	struct between *b = arg;
	/* The first look is in the try in one transaction; later ones alternate. */
	if (!b->done && done > 1000 && b->looks++) {
		b->done = true;
		restore_now(b->bl, done, total);
	}
}

/* An import that works in several transactions ends when another store is put below
 * it, and what it began is not seen. */
START_TEST(an_import_under_way)
{
	enum { N = 6000 };
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_import *im;
	struct blocklist_changes c;
	fill(bl, "a", 10, 100);
	ck_assert_int_eq(blocklist_copy(bl, unit_path("copy")), 0);
	fill(bl, "b", 500, 100);
	ck_assert_int_eq(blocklist_import_open(&im, bl, "a", &lab_keep), 0);
	blocklist_import_limit(im, 1024);
	for (int i = 0; i < N; i++) {
		char text[64];
		snprintf(text, sizeof text, "m%d.example", i);
		struct blocklist_item it = lab_item(text, RULE_SUBTREE);
		ck_assert_int_eq(blocklist_import_put(im, &it), 0);
	}
	struct between b = {.bl = bl};
	ck_assert_int_eq(blocklist_import_commit(im, &c, between, &b, NULL), ERR_BUSY);
	ck_assert(b.done);
	lab_verify(v);
	ck_assert_int_eq(lab_count(v, 0xffff), 10);
	blocklist_import_close(im);
	fill(bl, "a", 20, 100);
	lab_verify(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(in_the_place_of_a_damaged_one)
{
	struct blocklist *bl = lab_open("s"), *from;
	fill(bl, "a", 1000, 100);
	ck_assert_int_eq(blocklist_copy(bl, unit_path("copy")), 0);
	blocklist_close(bl);
	ck_assert_int_eq(truncate(unit_path("s/data.mdb"), 20000), 0);
	ck_assert_int_eq(blocklist_open(&bl, unit_path("s"), BLOCKLIST_WRITE, NULL),
			 ERR_DAMAGED);
	from = open_copy(unit_path("copy"));
	ck_assert_int_eq(blocklist_replace(unit_path("s"), from), 0);
	ck_assert_uint_eq(file_size(unit_path("s/data.mdb.old")), 20000);
	ck_assert_int_ne(access(unit_path("s/.restore"), F_OK), 0);
	bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	lab_verify(v);
	ck_assert_int_eq(lab_count(v, 0), 1000);
	blocklist_view_close(v);
	blocklist_close(bl);
	blocklist_close(from);
}
END_TEST

START_TEST(links_are_refused)
{
	struct blocklist *bl = lab_open("s"), *other = lab_open("other");
	ck_assert_int_eq(symlink(unit_path("other"), unit_path("s/.restore")), 0);
	ck_assert_int_eq(blocklist_replace(unit_path("s"), bl), ERR_REFUSED);
	ck_assert_int_eq(unlink(unit_path("s/.restore")), 0);
	lab_add(other, "a", "a.example", RULE_SUBTREE); /* is still a store */
	blocklist_close(other);
	blocklist_close(bl);
}
END_TEST

START_TEST(compact)
{
	struct blocklist *bl = lab_open("s"), *writer;
	fill(bl, "a", 20000, 50000);
	fill(bl, "a", 100, 50000);
	uint64_t large = file_size(unit_path("s/data.mdb"));
	writer = lab_open("s");
	ck_assert_int_eq(blocklist_compact(bl), 0);
	ck_assert_uint_lt(file_size(unit_path("s/data.mdb")), large);
	ck_assert_int_ne(access(unit_path("s/data.mdb.old"), F_OK), 0);
	/* Who had it open before cannot write into what nobody reads any more. */
	struct blocklist_item it = lab_item("late.example", RULE_SUBTREE);
	ck_assert_int_eq(blocklist_add(writer, "a", &it), ERR_BUSY);
	blocklist_close(writer);
	blocklist_close(bl);
	bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	lab_verify(v);
	ck_assert_int_eq(lab_count(v, 0), 100);
	lab_add(bl, "a", "late.example", RULE_SUBTREE);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(copies_that_are_none)
{
	struct blocklist *bl = lab_open("s"), *copy;
	const char *why;
	fill(bl, "a", 1000, 100);
	ck_assert_int_eq(blocklist_copy(bl, unit_path("copy")), 0);
	ck_assert_int_eq(blocklist_copy(bl, unit_path("no/copy")), ERR_NOENT);
	blocklist_close(bl);
	ck_assert_int_eq(blocklist_copy_open(&copy, unit_path("no"), &why), ERR_NOENT);
	ck_assert_int_eq(truncate(unit_path("copy"), 30000), 0);
	ck_assert_int_eq(blocklist_copy_open(&copy, unit_path("copy"), &why),
			 ERR_DAMAGED);
	ck_assert_ptr_nonnull(strstr(why, "shorter"));
	FILE *f = fopen(unit_path("text"), "w");
	for (int i = 0; i < 5000; i++)
		fputs("no store\n", f);
	fclose(f);
	ck_assert_int_eq(blocklist_copy_open(&copy, unit_path("text"), &why),
			 ERR_DAMAGED);
}
END_TEST

UNIT_SUITE("blocklist_care", what_is_put_back_is_what_was_there, many,
	   an_import_under_way, in_the_place_of_a_damaged_one, links_are_refused, compact,
	   copies_that_are_none)
