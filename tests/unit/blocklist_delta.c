#include "include/feed.h"
#include "tests/unit/blocklist_lab.h"

enum { NAMES = 14, ROUNDS = 200 };

/* A zone of rules for all names of one to three labels from a and b. */
struct zone {
	bool exact[NAMES], wildcard[NAMES];
};

static const char *name_at(int i)
{
	static const char *const names[NAMES] = {
		"a",	 "b",	  "a.a",   "b.a",   "a.b",   "b.b",   "a.a.a",
		"b.a.a", "a.b.a", "b.b.a", "a.a.b", "b.a.b", "a.b.b", "b.b.b"};
	return names[i];
}

struct putting {
	struct blocklist_import *im;
	struct blocklist_delta *d;
	bool add;
};

static int on_item(void *arg, const struct blocklist_item *item, uint64_t line)
{
	struct putting *p = arg;
	(void)line;
	return p->im ? blocklist_import_put(p->im, item)
		     : blocklist_delta_put(p->d, item, p->add);
}

static int on_skip(void *arg, enum feed_skip why, uint64_t line, const char *text)
{
	(void)arg, (void)line;
	ck_abort_msg("%s: %s", feed_skip_text(why), text);
	return 0;
}

static int put_text(struct putting *p, const char *text)
{
	const struct feed_options options = {.format = FEED_RPZ,
					     .origin = "zone.example"};
	const struct feed_callbacks cb = {on_item, on_skip, NULL, p};
	struct feed_result r;
	return *text ? feed_read_memory(&r, text, strlen(text), &options, &cb) : 0;
}

/* Rules of z that are not in but. */
static const char *zone_text(const struct zone *z, const struct zone *but)
{
	static char out[8192];
	size_t n = 0;
	out[0] = 0;
	for (int i = 0; i < NAMES; i++)
		for (int w = 0; w < 2; w++)
			if ((w ? z->wildcard : z->exact)[i] &&
			    !(but && (w ? but->wildcard : but->exact)[i]))
				n += (size_t)snprintf(
					out + n, sizeof out - n,
					"%s%s.test.zone.example. 60 IN CNAME .\n",
					w ? "*." : "", name_at(i));
	return out;
}

static void import(struct blocklist *bl, const struct zone *z)
{
	struct blocklist_changes ch;
	struct putting p = {NULL, NULL, true};
	ck_assert_int_eq(blocklist_import_open(&p.im, bl, "l", &lab_keep), 0);
	ck_assert_int_eq(put_text(&p, zone_text(z, NULL)), 0);
	ck_assert_int_eq(blocklist_import_commit(p.im, &ch, NULL, NULL, NULL), 0);
	blocklist_import_close(p.im);
}

static int change(struct blocklist *bl, const struct zone *from, const struct zone *to,
		  uint32_t serial)
{
	struct putting p = {NULL, NULL, false};
	ck_assert_int_eq(blocklist_delta_open(&p.d, bl, "l"), 0);
	int err = put_text(&p, zone_text(from, to));
	p.add = true;
	if (!err)
		err = put_text(&p, zone_text(to, from));
	if (!err)
		err = blocklist_delta_commit(p.d, serial, 3600);
	blocklist_delta_close(p.d);
	return err;
}

static void same(struct blocklist_view *a, struct blocklist_view *b, int round)
{
	char text[64], first[4096];
	ck_assert_int_eq(blocklist_view_renew(a), 0);
	ck_assert_int_eq(blocklist_view_renew(b), 0);
	for (int i = 0; i < NAMES; i++)
		for (int below = 0; below < 2; below++) {
			snprintf(text, sizeof text, "%s%s.test", below ? "x." : "",
				 name_at(i));
			snprintf(first, sizeof first, "%s", lab_find(a, text));
			ck_assert_msg(strcmp(first, lab_find(b, text)) == 0,
				      "round %d, %s: %s, and imported: %s", round, text,
				      first, lab_find(b, text));
		}
}

/* What changes leave is what an import of the whole makes. */
START_TEST(as_an_import)
{
	struct blocklist *a = lab_open("delta"), *b = lab_open("whole");
	struct blocklist_view *va = lab_view(a), *vb = lab_view(b);
	uint64_t seed = 7;
	struct zone z = {.exact = {true}};
	import(a, &z);
	for (int round = 0; round < ROUNDS; round++) {
		struct zone next = z;
		for (unsigned n = 1 + lab_random(&seed, 3); n; n--) {
			unsigned i = lab_random(&seed, NAMES);
			bool *at =
				lab_random(&seed, 3) ? &next.exact[i] : &next.wildcard[i];
			*at = !*at;
		}
		next.exact[0] = true; /* an empty zone has no text */
		ck_assert_int_eq(change(a, &z, &next, (uint32_t)round + 1), 0);
		z = next;
		import(b, &z);
		same(va, vb, round);
	}
	lab_verify(va);
	blocklist_view_close(va);
	blocklist_view_close(vb);
	blocklist_close(a);
	blocklist_close(b);
}
END_TEST

START_TEST(records_come_and_go)
{
	struct blocklist *bl = lab_open("records");
	struct blocklist_view *v = lab_view(bl);
	struct putting p = {NULL, NULL, true};
	struct blocklist_changes ch;
	struct blocklist_entry e;
	struct blocklist_key key = lab_key("a.test");
	ck_assert_int_eq(blocklist_delta_open(&p.d, bl, "l"), ERR_NOENT);
	ck_assert_int_eq(blocklist_import_open(&p.im, bl, "l", &lab_keep), 0);
	ck_assert_int_eq(put_text(&p, "a.test A 192.0.2.1\na.test A 192.0.2.2\n"), 0);
	ck_assert_int_eq(blocklist_import_commit(p.im, &ch, NULL, NULL, NULL), 0);
	blocklist_import_close(p.im);
	p = (struct putting){NULL, NULL, false};
	ck_assert_int_eq(blocklist_delta_open(&p.d, bl, "l"), 0);
	ck_assert_int_eq(put_text(&p, "a.test A 192.0.2.1\n"), 0);
	p.add = true;
	ck_assert_int_eq(put_text(&p, "a.test AAAA 2001:db8::1\n"), 0);
	ck_assert_int_eq(blocklist_delta_commit(p.d, 9, 3600), 0);
	blocklist_delta_close(p.d);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	const struct blocklist_list *l = blocklist_list_named(v, "l");
	ck_assert_uint_eq(l->serial, 9);
	ck_assert_uint_eq(l->lease_s, 3600);
	ck_assert_uint_eq(l->names, 1);
	ck_assert_int_eq(blocklist_entry_get(v, &e, l->id, &key), 0);
	ck_assert_uint_eq(e.data.len, 2 * BLOCKLIST_RR_HEAD + 4 + 16);
	/* Nothing put: it stands, and nobody has to forget anything. */
	uint64_t before = lab_generation(v);
	ck_assert_int_eq(blocklist_delta_open(&p.d, bl, "l"), 0);
	ck_assert_int_eq(blocklist_delta_commit(p.d, 10, 3600), 0);
	blocklist_delta_close(p.d);
	ck_assert_uint_eq(lab_generation(v), before);
	lab_verify(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* What is not there cannot go: the list is another one than its source has. */
START_TEST(gone_before)
{
	static const char *const gone[] = {
		"b.test CNAME .\n",	"a.test CNAME *.\n",
		"*.a.test CNAME .\n",	"a.test A 192.0.2.1\n",
		"d.test A 192.0.2.3\n", "32.9.2.0.192.rpz-ip CNAME .\n"};
	struct blocklist *bl = lab_open("gone");
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_changes ch;
	struct putting p = {NULL, NULL, true};
	ck_assert_int_eq(blocklist_import_open(&p.im, bl, "l", &lab_keep), 0);
	ck_assert_int_eq(put_text(&p, "a.test CNAME .\nd.test A 192.0.2.1\n"), 0);
	ck_assert_int_eq(blocklist_import_commit(p.im, &ch, NULL, NULL, NULL), 0);
	blocklist_import_close(p.im);
	for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
		p = (struct putting){NULL, NULL, false};
		ck_assert_int_eq(blocklist_delta_open(&p.d, bl, "l"), 0);
		ck_assert_int_eq(put_text(&p, gone[i]), ERR_NOENT);
		blocklist_delta_close(p.d);
	}
	lab_verify(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

UNIT_SUITE("blocklist_delta", gone_before, as_an_import, records_come_and_go)
