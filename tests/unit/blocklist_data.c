/* Local data: its one form, how items of an import are joined, its way through the store.
 */
#include "include/wire.h"
#include "tests/unit/blocklist_lab.h"

static struct blocklist_rr rr(unsigned type, uint32_t ttl, const char *rdata)
{
	return (struct blocklist_rr){(uint16_t)type, (uint16_t)strlen(rdata), ttl,
				     (const uint8_t *)rdata};
}

/* "TYPE TTL RDATA ..." */
static const char *show(const struct blocklist_data *d)
{
	static char out[2][8192];
	static int turn;
	char *p = out[turn = !turn];
	struct blocklist_rr r;
	size_t n = 0;
	*p = 0;
	for (size_t at = 0; blocklist_data_next(d, &at, &r);)
		n += (size_t)sprintf(p + n, "%s%u %u %.*s", n ? " " : "", r.type, r.ttl,
				     r.len, (const char *)r.rdata);
	return p;
}

START_TEST(one_form_whatever_the_order)
{
	static const struct {
		unsigned type, ttl;
		const char *rdata;
	} all[] = {
		{16, 60, "b"}, {1, 30, "aaaa"}, {16, 90, "ab"}, {1, 20, "aaab"},
		{16, 70, "a"}, {1, 30, "aaaa"}, {28, 5, ""},	{16, 80, "b"},
	};
	enum { N = sizeof all / sizeof *all };
	uint64_t seed = 1;
	for (int round = 0; round < 200; round++) {
		struct blocklist_data d = {0};
		unsigned at[N];
		for (unsigned i = 0; i < N; i++) {
			unsigned k = lab_random(&seed, i + 1);
			at[i] = at[k];
			at[k] = i;
		}
		for (unsigned i = 0; i < N; i++) {
			struct blocklist_rr r =
				rr(all[at[i]].type, all[at[i]].ttl, all[at[i]].rdata);
			int err = blocklist_data_add(&d, &r);
			ck_assert(err == ERR_OK || err == ERR_EXIST);
			ck_assert_int_eq(blocklist_data_check(d.bytes, d.len), 0);
		}
		ck_assert_str_eq(show(&d), "1 20 aaaa 1 20 aaab 16 60 a 16 60 ab 16 60 b "
					   "28 5 ");
	}
}
END_TEST

START_TEST(types_that_are_never_served)
{
	static const uint16_t never[] = {0,  2,	 5,  6,	  24,  25,  30, 39,
					 41, 43, 46, 47,  48,  50,  51, 59,
					 60, 62, 63, 128, 249, 252, 255};
	static const uint16_t served[] = {1, 12, 15, 16, 28, 33, 64, 65, 256, 257, 65280};
	struct blocklist_data d = {0};
	for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
		struct blocklist_rr r = rr(never[i], 1, "x");
		ck_assert_int_eq(blocklist_data_add(&d, &r), ERR_REFUSED);
	}
	ck_assert_uint_eq(d.len, 0);
	for (size_t i = 0; i < sizeof served / sizeof *served; i++)
		ck_assert(blocklist_data_servable(served[i]));
	ck_assert(!blocklist_data_servable(65537));
}
END_TEST

START_TEST(room_ends)
{
	struct blocklist_data d = {0};
	char text[BLOCKLIST_DATA_MAX];
	struct blocklist_rr r = rr(16, 1, "");
	memset(text, 'x', sizeof text);
	r.rdata = (const uint8_t *)text;
	r.len = BLOCKLIST_DATA_MAX - BLOCKLIST_RR_HEAD + 1;
	ck_assert_int_eq(blocklist_data_add(&d, &r), ERR_RANGE);
	r.len--;
	ck_assert_int_eq(blocklist_data_add(&d, &r), ERR_OK);
	ck_assert_uint_eq(d.len, BLOCKLIST_DATA_MAX);
	ck_assert_int_eq(blocklist_data_add(&d, &r), ERR_EXIST);
	r = rr(1, 1, "");
	ck_assert_int_eq(blocklist_data_add(&d, &r), ERR_RANGE);
	ck_assert_int_eq(blocklist_data_check(d.bytes, d.len), 0);
}
END_TEST

START_TEST(what_is_no_data)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{"\0\1\0\0\0\36\0", 7},			       /* no length */
		{"\0\1\0\0\0\36\0\4abc", 11},		       /* past the end */
		{"\0\1\0\0\0\36\0\1ab", 10},		       /* a rest */
		{"\0\2\0\0\0\36\0\1a", 9},		       /* NS */
		{"\0\1\x80\0\0\36\0\1a", 9},		       /* TTL */
		{"\0\1\0\0\0\36\0\1a\0\1\0\0\0\36\0\1a", 18},  /* twice */
		{"\0\1\0\0\0\36\0\1b\0\1\0\0\0\36\0\1a", 18},  /* order of data */
		{"\0\34\0\0\0\36\0\1a\0\1\0\0\0\36\0\1a", 18}, /* order of types */
		{"\0\1\0\0\0\36\0\1a\0\1\0\0\0\37\0\1b", 18},  /* two TTLs */
		{"\0\1\0\0\0\36\0\1aa\0\1\0\0\0\36\0\1b", 19}, /* shifted */
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		ck_assert_int_eq(blocklist_data_check((const uint8_t *)cases[i].bytes,
						      cases[i].len),
				 ERR_FORMAT);
	ck_assert_int_eq(blocklist_data_check(NULL, 0), 0);
}
END_TEST

/* ---- through the store ---- */

/* "NAME=TYPE:TTL:RDATA" is an item of local data, "NAME" one of nxdomain. */
static void put_all(struct blocklist_import *im, const char *items)
{
	char copy[4096], *save, *w;
	snprintf(copy, sizeof copy, "%s", items);
	for (w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *data = strchr(w, '=');
		if (data)
			*data++ = 0;
		struct blocklist_item it = lab_item(w, RULE_EXACT);
		it.action = data ? RULE_LOCAL_DATA : RULE_NXDOMAIN;
		if (data) {
			unsigned type, ttl;
			char text[256] = "";
			ck_assert_int_ge(sscanf(data, "%u:%u:%255s", &type, &ttl, text),
					 2);
			struct blocklist_rr r = rr(type, ttl, text);
			ck_assert_int_eq(blocklist_data_add(&it.entry.data, &r), 0);
		}
		ck_assert_int_eq(blocklist_import_put(im, &it), 0);
	}
}

/* "+ADDED ~CHANGED -REMOVED =UNCHANGED 2xDUPLICATES cutCUT"; limit 0: the usual one. */
static const char *import(struct blocklist *bl, const char *items, uint64_t limit)
{
	static char text[128];
	struct blocklist_import *im;
	struct blocklist_changes c, would;
	ck_assert_int_eq(blocklist_import_open(&im, bl, "l", &lab_keep), 0);
	if (limit)
		blocklist_import_limit(im, limit);
	put_all(im, items);
	ck_assert_int_eq(blocklist_import_diff(im, &would, NULL, NULL), 0);
	ck_assert_int_eq(blocklist_import_commit(im, &c, NULL, NULL, NULL), 0);
	ck_assert_mem_eq(&c, &would, sizeof c);
	blocklist_import_close(im);
	sprintf(text, "+%d ~%d -%d =%d 2x%d cut%d", (int)c.added, (int)c.changed,
		(int)c.removed, (int)c.unchanged, (int)c.duplicates, (int)c.cut);
	return text;
}

static const char *data_of(struct blocklist_view *v, const char *name)
{
	static struct blocklist_entry e;
	struct blocklist_key key = lab_key(name);
	struct rule r[4];
	memset(&e, 'x', sizeof e); /* what stood there before does not shine through */
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_int_eq(blocklist_find_name(v, r, 4, BLOCKLIST_CLASS_ALL, key.name), 1);
	ck_assert_int_eq(blocklist_entry_of_rule(v, &e, &r[0], &key), 0);
	ck_assert_str_eq(e.reason, "");
	ck_assert((r[0].action == RULE_LOCAL_DATA) == (e.data.len > 0));
	return e.data.len ? show(&e.data) : rule_action_text(r[0].action);
}

START_TEST(items_of_one_rule_are_joined)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	for (int limit = 0; limit < 2; limit++) { /* in place, then staged */
		ck_assert_str_eq(
			import(bl,
			       "a.test=1:30:x b.test c.test=28:1:y a.test=16:9:t "
			       "a.test=1:20:w a.test=1:30:x",
			       (uint64_t)limit),
			limit ? "+0 ~2 -0 =1 2x0 cut0" : "+3 ~0 -0 =0 2x0 cut0");
		ck_assert_str_eq(data_of(v, "a.test"), "1 20 w 1 20 x 16 9 t");
		ck_assert_str_eq(data_of(v, "b.test"), "nxdomain");
		ck_assert_str_eq(data_of(v, "c.test"), "28 1 y");
		lab_verify(v);
		uint64_t g = lab_generation(v);
		/* other order, the same rules */
		ck_assert_str_eq(
			import(bl,
			       "a.test=1:20:w c.test=28:1:y a.test=16:9:t b.test "
			       "a.test=1:30:x",
			       (uint64_t)limit),
			"+0 ~0 -0 =3 2x0 cut0");
		ck_assert_uint_eq(lab_generation(v), g);
		/* a record less, a TTL less */
		ck_assert_str_eq(
			import(bl, "a.test=1:20:w c.test=28:0:y b.test", (uint64_t)limit),
			"+0 ~2 -0 =1 2x0 cut0");
		ck_assert_str_eq(data_of(v, "a.test"), "1 20 w");
		ck_assert_str_eq(data_of(v, "c.test"), "28 0 y");
		lab_verify(v);
	}
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* RFC 1034 3.6.2: nothing stands beside a CNAME. The action stands, whatever the order.
 */
START_TEST(other_actions_stand_alone)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	ck_assert_str_eq(import(bl, "a.test a.test=1:30:x b.test=1:30:x b.test", 0),
			 "+2 ~0 -0 =0 2x2 cut0");
	ck_assert_str_eq(data_of(v, "a.test"), "nxdomain");
	ck_assert_str_eq(data_of(v, "b.test"), "nxdomain");
	ck_assert_str_eq(import(bl, "a.test=1:30:x a.test a.test=16:1:t b.test", 0),
			 "+0 ~0 -0 =2 2x2 cut0");
	/* from an action to data and back */
	ck_assert_str_eq(import(bl, "a.test=1:30:x b.test", 0), "+0 ~1 -0 =1 2x0 cut0");
	ck_assert_str_eq(data_of(v, "a.test"), "1 30 x");
	ck_assert_str_eq(import(bl, "a.test b.test", 0), "+0 ~1 -0 =1 2x0 cut0");
	ck_assert_str_eq(data_of(v, "a.test"), "nxdomain");
	lab_verify(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(more_than_a_rule_holds)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	char items[4096], *p = items;
	for (int i = 0; i < 12; i++)
		p += sprintf(p, "a.test=16:1:%0100d ", i);
	ck_assert_str_eq(import(bl, items, 0), "+1 ~0 -0 =0 2x0 cut3");
	ck_assert_str_eq(import(bl, items, 0), "+0 ~0 -0 =1 2x0 cut3");
	ck_assert_uint_eq(strlen(data_of(v, "a.test")), 9 * 106 - 1);
	lab_verify(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(only_local_data_has_data)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_item it = lab_item("a.test", RULE_EXACT);
	struct blocklist_rr r = rr(1, 30, "x");
	struct blocklist_list_set set = lab_keep;
	it.action = RULE_LOCAL_DATA;
	ck_assert_int_eq(blocklist_add(bl, "l", &it), ERR_INVAL);
	ck_assert_int_eq(blocklist_data_add(&it.entry.data, &r), 0);
	it.action = RULE_NODATA;
	ck_assert_int_eq(blocklist_add(bl, "l", &it), ERR_INVAL);
	it.action = RULE_LOCAL_DATA;
	ck_assert_int_eq(blocklist_add(bl, "l", &it), 0);
	it.entry.data.bytes[1] = 2; /* NS */
	ck_assert_int_eq(blocklist_add(bl, "l", &it), ERR_INVAL);
	it.entry.data.len = BLOCKLIST_DATA_MAX + 1;
	ck_assert_int_eq(blocklist_add(bl, "l", &it), ERR_INVAL);
	set.action = RULE_LOCAL_DATA;
	ck_assert_int_eq(blocklist_list_change(bl, "l", &set), ERR_INVAL);
	blocklist_close(bl);
}
END_TEST

/* Each bit of a stored entry, its check too; and with the check made right, the form. */
START_TEST(damage_is_found)
{
	struct blocklist_item it = lab_item("a.test", RULE_EXACT);
	struct blocklist_span span[BLOCKLIST_SPANS_MAX];
	struct blocklist_rr r = rr(1, 30, "abcd");
	uint8_t value[BLOCKLIST_ENTRY_MAX];
	struct blocklist_head h;
	uint64_t hash = blocklist_key_hash("key", 3);
	it.action = RULE_LOCAL_DATA;
	ck_assert_int_eq(blocklist_data_add(&it.entry.data, &r), 0);
	size_t n = blocklist_entry_encode(value, &it);
	ck_assert_uint_eq(n, sizeof h + BLOCKLIST_RR_HEAD + 4);
	memcpy(&h, value, sizeof h);
	h.rec.check = blocklist_entry_check(hash, value, n);
	memcpy(value, &h, sizeof h);
	const uint8_t *key = (const uint8_t *)"key";
	ck_assert_int_eq(blocklist_spans(span, key, 3, value, n), 1);
	for (size_t at = 0; at < n; at++) {
		value[at] ^= 0x20;
		ck_assert_int_eq(blocklist_spans(span, key, 3, value, n), ERR_DAMAGED);
		value[at] ^= 0x20;
	}
	const struct {
		size_t at;
		uint8_t value;
	} forged[] = {
		{sizeof h + 1, DNS_NS},
		{sizeof h + 7, 5},
		{offsetof(struct blocklist_record, action), RULE_NODATA},
		{offsetof(struct blocklist_head, data_len), 0},
	};
	for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
		uint8_t copy[BLOCKLIST_ENTRY_MAX];
		memcpy(copy, value, n);
		copy[forged[i].at] = forged[i].value;
		memcpy(&h, copy, sizeof h);
		h.rec.check = blocklist_entry_check(hash, copy, n);
		memcpy(copy, &h, sizeof h);
		ck_assert_int_eq(blocklist_spans(span, key, 3, copy, n), ERR_DAMAGED);
	}
}
END_TEST

/* A store from before there was local data: told apart from a damaged one. */
START_TEST(the_format_before)
{
	const char *path = unit_path("s"), *why;
	struct blocklist *bl = lab_open_at(path);
	struct blocklist_txn t;
	ck_assert_int_eq(blocklist_txn_begin(&t, bl, false), 0);
	t.meta.format = 1;
	ck_assert_int_eq(blocklist_txn_commit(&t), 0);
	blocklist_close(bl);
	for (int mode = 0; mode < 2; mode++) {
		ck_assert_int_eq(blocklist_open(&bl, path,
						mode ? BLOCKLIST_WRITE : BLOCKLIST_READ,
						&why),
				 ERR_VERSION);
		ck_assert_ptr_nonnull(strstr(why, "import the lists again"));
	}
}
END_TEST

UNIT_SUITE("blocklist_data", one_form_whatever_the_order, types_that_are_never_served,
	   room_ends, what_is_no_data, items_of_one_rule_are_joined,
	   other_actions_stand_alone, more_than_a_rule_holds, only_local_data_has_data,
	   damage_is_found, the_format_before)
