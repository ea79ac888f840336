#include "resolver/anchor_track.h"

#include <stdio.h>

#include "resolver/anchor_mail.h"
#include "tests/unit/unit.h"

enum { DAY = 86400, START = 1700000000 };

static const uint8_t root[] = "";

/* Keys 'a', 'b', ...: DS records told apart by their tag and digest. */
static void ds_of(uint8_t ds[VAL_DS_LEN], char key)
{
	memset(ds, key, VAL_DS_LEN);
	ds[2] = 8;
	ds[3] = 2;
}

static void give(struct track *t, const char *keys)
{
	struct anchor_records r = {0};
	for (; *keys; keys++) {
		uint8_t ds[VAL_DS_LEN];
		ds_of(ds, *keys);
		ck_assert_int_eq(anchor_records_add(&r, root, DNS_DS, ds, sizeof ds), 0);
	}
	ck_assert_int_eq(track_give(t, &r), 0);
	anchor_records_fini(&r);
}

/* A valid set; capital letters are keys that revoke themselves. */
static bool see(struct track *t, const char *keys, uint32_t now_s)
{
	struct track_seen s = {.ttl_s = 2 * DAY, .life_s = 14 * DAY};
	for (; *keys; keys++) {
		bool revoked = *keys < 'a';
		ds_of(s.key[s.key_n].ds, (char)(revoked ? *keys | 0x20 : *keys));
		s.key[s.key_n++].revoked = revoked;
	}
	return track_take(t, root, &s, now_s);
}

/* "aV bN": each key with the first letter of its state; then those in force. */
static const char *look(const struct track *t)
{
	static const char letters[] = "NVMRX";
	static char out[256];
	struct anchor_records r = {0};
	size_t n = 0;
	for (int i = 0; t->n && i < t->zone[0].key_n; i++)
		n += (size_t)snprintf(out + n, sizeof out - n, "%c%c ",
				      t->zone[0].key[i].ds[4],
				      letters[t->zone[0].key[i].state]);
	ck_assert_int_eq(track_records(t, &r), 0);
	n += (size_t)snprintf(out + n, sizeof out - n, "=");
	for (int i = 0; i < r.n; i++)
		n += (size_t)snprintf(out + n, sizeof out - n, "%c",
				      r.record[i].rdata[4]);
	anchor_records_fini(&r);
	return out;
}

/* The whole roll of RFC 5011 6.3, a set a day. */
START_TEST(roll_over)
{
	struct track t = {0};
	uint32_t now = START;
	give(&t, "a");
	ck_assert_str_eq(look(&t), "aV =a");
	ck_assert(!see(&t, "a", now));
	ck_assert(see(&t, "ab", now += DAY));
	ck_assert_str_eq(look(&t), "aV bN =a");
	for (int i = 1; i < 30; i++)
		ck_assert(!see(&t, "ab", now += DAY));
	ck_assert(see(&t, "ab", now += DAY));
	ck_assert_str_eq(look(&t), "aV bV =ab");
	ck_assert(see(&t, "Ab", now += DAY));
	ck_assert_str_eq(look(&t), "aR bV =b");
	for (int i = 1; i < 30; i++)
		ck_assert(!see(&t, "b", now += DAY));
	ck_assert(see(&t, "b", now += DAY));
	/* kept, for it was given */
	ck_assert_str_eq(look(&t), "aX bV =b");
	give(&t, "a");
	ck_assert(!see(&t, "ab", now += DAY));
	ck_assert_str_eq(look(&t), "aX bV =b");
	track_fini(&t);
}
END_TEST

START_TEST(a_new_key_that_goes_begins_anew)
{
	struct track t = {0};
	uint32_t now = START;
	give(&t, "a");
	for (int i = 0; i <= 29; i++)
		see(&t, "ab", now += DAY);
	ck_assert(see(&t, "a", now += DAY));
	ck_assert_str_eq(look(&t), "aV =a");
	for (int i = 0; i <= 29; i++)
		see(&t, "ab", now += DAY);
	ck_assert_str_eq(look(&t), "aV bN =a");
	/* one that is revoked before it counted is forgotten too */
	ck_assert(see(&t, "aB", now += DAY));
	ck_assert_str_eq(look(&t), "aV =a");
	track_fini(&t);
}
END_TEST

START_TEST(missing_keys_vouch)
{
	struct track t = {0};
	give(&t, "ab");
	ck_assert(see(&t, "a", START));
	ck_assert_str_eq(look(&t), "aV bM =ab");
	ck_assert(!see(&t, "a", START + 400 * DAY));
	ck_assert_str_eq(look(&t), "aV bM =ab");
	ck_assert(see(&t, "ab", START + 401 * DAY));
	ck_assert_str_eq(look(&t), "aV bV =ab");
	ck_assert(see(&t, "a", START + 402 * DAY));
	ck_assert(see(&t, "aB", START + 403 * DAY));
	ck_assert_str_eq(look(&t), "aV bR =a");
	/* and does not come back */
	ck_assert(!see(&t, "ab", START + 404 * DAY));
	ck_assert_str_eq(look(&t), "aV bR =a");
	track_fini(&t);
}
END_TEST

/* RFC 5011 5: all keys revoked, and the zone has no anchor any more. */
START_TEST(all_revoked)
{
	struct track t = {0};
	give(&t, "a");
	ck_assert_ptr_nonnull(track_due(&t, START));
	ck_assert(see(&t, "A", START));
	ck_assert_str_eq(look(&t), "aR =");
	ck_assert_ptr_null(track_due(&t, START + 20 * DAY));
	track_fini(&t);
}
END_TEST

START_TEST(clocks_that_jump)
{
	struct track t = {0};
	uint32_t now = START;
	give(&t, "a");
	see(&t, "ab", now);
	/* a year ahead: two intervals count */
	ck_assert(!see(&t, "ab", now += 365 * DAY));
	ck_assert_str_eq(look(&t), "aV bN =a");
	ck_assert_int_eq(t.zone[0].key[1].held_s, 2 * DAY);
	/* and back: nothing counts, nothing is lost, questions go on */
	ck_assert(!see(&t, "ab", now -= 700 * DAY));
	ck_assert_int_eq(t.zone[0].key[1].held_s, 2 * DAY);
	ck_assert_ptr_null(track_due(&t, now));
	ck_assert_ptr_nonnull(track_due(&t, now - 400 * DAY));
	for (int i = 1; i < 28; i++)
		see(&t, "ab", now += DAY);
	ck_assert_str_eq(look(&t), "aV bN =a");
	ck_assert(see(&t, "ab", now += DAY));
	ck_assert_str_eq(look(&t), "aV bV =ab");
	track_fini(&t);
}
END_TEST

/* RFC 5011 2.4.1: where the TTL is longer than 30 days, it is the time to hold. */
START_TEST(long_ttl)
{
	struct track t = {0};
	struct track_seen s = {.ttl_s = 60 * DAY, .life_s = 60 * DAY, .key_n = 2};
	uint32_t now = START;
	give(&t, "a");
	ds_of(s.key[0].ds, 'a');
	ds_of(s.key[1].ds, 'b');
	track_take(&t, root, &s, now);
	for (int i = 0; i < 59; i++)
		track_take(&t, root, &s, now += DAY);
	ck_assert_str_eq(look(&t), "aV bN =a");
	track_take(&t, root, &s, now += DAY);
	ck_assert_str_eq(look(&t), "aV bV =ab");
	track_fini(&t);
}
END_TEST

START_TEST(when_to_ask)
{
	static const struct {
		uint32_t ttl_s, life_s, interval_s, retry_s;
	} plan[] = {
		{2 * DAY, 14 * DAY, DAY, 17280},
		{2 * DAY, DAY, DAY / 2, 8640},
		{60, 14 * DAY, 3600, 3600},
		{90 * DAY, 90 * DAY, 15 * DAY, DAY},
		{0, 0, 3600, 3600},
	};
	for (size_t i = 0; i < sizeof plan / sizeof *plan; i++) {
		struct track t = {0};
		struct track_seen s = {
			.ttl_s = plan[i].ttl_s, .life_s = plan[i].life_s, .key_n = 1};
		ds_of(s.key[0].ds, 'a');
		give(&t, "a");
		/* at once, then each hour as long as nothing is known */
		ck_assert_ptr_nonnull(track_due(&t, START));
		ck_assert_ptr_null(track_due(&t, START + 3599));
		ck_assert_ptr_nonnull(track_due(&t, START + 3600));
		track_take(&t, root, &s, START);
		ck_assert_ptr_null(track_due(&t, START + plan[i].interval_s - 1));
		ck_assert_ptr_nonnull(track_due(&t, START + plan[i].interval_s));
		ck_assert_int_eq(t.zone[0].next_s,
				 START + plan[i].interval_s + plan[i].retry_s);
		track_fini(&t);
	}
}
END_TEST

START_TEST(what_the_operator_takes_out_begins_anew)
{
	struct track t = {0};
	uint32_t now = START;
	give(&t, "a");
	for (int i = 0; i <= 31; i++)
		see(&t, "ab", now += DAY);
	ck_assert_str_eq(look(&t), "aV bV =ab");
	give(&t, "ab");
	ck_assert_str_eq(look(&t), "aV bV =ab");
	give(&t, "abc");
	ck_assert_str_eq(look(&t), "aV bV cV =abc");
	give(&t, "c");
	ck_assert_str_eq(look(&t), "cV =c");
	give(&t, "");
	ck_assert_str_eq(look(&t), "=");
	track_fini(&t);
}
END_TEST

/* A new key that the operator gives need not wait. */
START_TEST(given_while_new)
{
	struct track t = {0};
	give(&t, "a");
	see(&t, "ab", START);
	give(&t, "ab");
	ck_assert_str_eq(look(&t), "aV bV =ab");
	track_fini(&t);
}
END_TEST

/* Another digest of a key is used, until the key is revoked. */
START_TEST(other_digests)
{
	struct anchor_records r = {0};
	struct track t = {0};
	uint8_t ds[52];
	ds_of(ds, 'a');
	ck_assert_int_eq(anchor_records_add(&r, root, DNS_DS, ds, VAL_DS_LEN), 0);
	memset(ds + 4, 'z', sizeof ds - 4);
	ds[3] = 4;
	ck_assert_int_eq(anchor_records_add(&r, root, DNS_DS, ds, sizeof ds), 0);
	ck_assert_int_eq(track_give(&t, &r), 0);
	ck_assert_str_eq(look(&t), "aV =za");
	see(&t, "Ab", START);
	ck_assert_str_eq(look(&t), "aR bN =");
	anchor_records_fini(&r);
	track_fini(&t);
}
END_TEST

START_TEST(too_many_keys)
{
	struct track t = {0};
	give(&t, "abcdefghijklmnopqrs");
	ck_assert_int_eq(t.zone[0].key_n, TRACK_KEYS_MAX);
	ck_assert_str_eq(strchr(look(&t), '='), "=qrsabcdefghijklmnop");
	ck_assert(!see(&t, "abcdefghijklmnop", START));
	ck_assert(see(&t, "tuv", START + DAY));
	ck_assert_int_eq(t.zone[0].key_n, TRACK_KEYS_MAX);
	track_fini(&t);
}
END_TEST

START_TEST(text_and_back)
{
	static char text[TRACK_TEXT_MAX], again[TRACK_TEXT_MAX];
	struct track t = {0}, u = {0};
	uint8_t ds[VAL_DS_LEN];
	int line;
	give(&t, "abc");
	see(&t, "aBd", START);
	see(&t, "abd", START + DAY);
	ds_of(ds, 'k');
	struct anchor_records r = {0};
	ck_assert_int_eq(anchor_records_add(&r, (const uint8_t *)"\3a b\7example", DNS_DS,
					    ds, sizeof ds),
			 0);
	ck_assert_int_eq(track_give(&t, &r), 0);
	size_t len = track_print(text, &t);
	ck_assert_int_eq(track_parse(&u, text, len, &line), 0);
	ck_assert_uint_eq(track_print(again, &u), len);
	ck_assert_str_eq(text, again);
	anchor_records_fini(&r);
	track_fini(&t);
	track_fini(&u);
}
END_TEST

/* Only zone keys that are entry points count; one that says it is revoked, without having
 * signed that, is not there. */
START_TEST(what_a_set_shows)
{
	static const struct {
		uint16_t flags;
		bool counts;
	} keys[] = {{257, true}, {256, false}, {1, false}, {385, false}, {257, true}};
	uint8_t data[64], sigs[2 * 21], ds[VAL_DS_LEN];
	struct rrset s = {.owner = root, .type = DNS_DNSKEY, .kind = RRSET_DATA};
	struct wire_writer w = wire_writer(data, sizeof data);
	struct wire_writer g = wire_writer(sigs, sizeof sigs);
	struct track_seen seen;
	int n = 0;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++, s.rr_n++) {
		wire_put16(&w, 6);
		wire_put16(&w, keys[i].flags);
		wire_put(&w, "\3\10", 2);
		wire_put16(&w, (unsigned)i);
	}
	for (uint32_t i = 0; i < 2; i++, s.sig_n++) {
		wire_put16(&g, 19);
		wire_put16(&g, DNS_DNSKEY);
		wire_put(&g, "\10\0", 2);
		wire_put32(&g, 2 * DAY);
		wire_put32(&g, START + (i ? 3 : 7) * DAY);
		wire_put32(&g, START - DAY);
		wire_put(&g, "\0\1", 3); /* tag, root */
	}
	ck_assert_int_eq(w.err | g.err, 0);
	s.data = data;
	s.data_len = (uint32_t)wire_written(&w);
	s.sigs = sigs;
	s.sigs_len = (uint32_t)wire_written(&g);
	track_read(&seen, &s, START);
	ck_assert_int_eq(seen.key_n, 2);
	ck_assert_int_eq(seen.ttl_s, 2 * DAY);
	ck_assert_int_eq(seen.life_s, 3 * DAY);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (!keys[i].counts)
			continue;
		val_sig_ds(ds, root, data + 8 * i + 2, 6);
		ck_assert_mem_eq(seen.key[n].ds, ds, sizeof ds);
		ck_assert(!seen.key[n++].revoked);
	}
}
END_TEST

START_TEST(mail)
{
	static struct anchor_mail m;
	static struct anchor_letter out;
	uint8_t data[] = {0, 1, 0}, sigs[] = {0, 1, 9}, zone[DNS_NAME_MAX];
	struct rrset s = {.owner = (const uint8_t *)"\4test",
			  .type = DNS_DNSKEY,
			  .rr_n = 1,
			  .sig_n = 1,
			  .data = data,
			  .sigs = sigs,
			  .data_len = sizeof data,
			  .sigs_len = sizeof sigs};
	anchor_mail_init(&m);
	anchor_mail_seen(NULL, &s);
	ck_assert(!anchor_mail_take(&m, &out));
	for (uint8_t i = 0; i <= ANCHOR_MAIL_SETS; i++) {
		data[2] = i;
		anchor_mail_seen(&m, &s);
	}
	for (uint8_t i = 0; i < ANCHOR_MAIL_SETS; i++) {
		ck_assert(anchor_mail_take(&m, &out));
		ck_assert_int_eq(out.keys.data[2], i);
		ck_assert(out.keys.data == out.data && out.keys.sigs[2] == 9);
		ck_assert(name_equal(out.keys.owner, s.owner));
	}
	ck_assert(!anchor_mail_take(&m, &out));
	s.data_len = ANCHOR_MAIL_BYTES + 1;
	anchor_mail_seen(&m, &s);
	ck_assert(!anchor_mail_take(&m, &out));
	ck_assert(!anchor_mail_wanted(&m, zone));
	anchor_mail_want(&m, s.owner);
	ck_assert(anchor_mail_wanted(&m, zone));
	ck_assert(name_equal(zone, s.owner));
	ck_assert(!anchor_mail_wanted(&m, zone));
	anchor_mail_fini(&m);
}
END_TEST

#define DIGEST "6161616161616161616161616161616161616161616161616161616161616161"
#define OK_HEAD "sinkholed anchors 1\nzone . 1 2 3600 3600\n"

START_TEST(bad_texts)
{
	static const struct {
		const char *text;
		int line;
	} bad[] = {
		{"", 0},
		{"sinkholed anchors 2\n", 1},
		{"sinkholed anchors 1\nnonsense\n", 2},
		{"sinkholed anchors 1\nzone . 1 2 3600\n", 2},
		{"sinkholed anchors 1\nzone . 1 2 3600 9999999\n", 2},
		{"sinkholed anchors 1\nzone a..b 1 2 3600 3600\n", 2},
		{"sinkholed anchors 1\nzone . 1 -2 3600 3600\n", 2},
		{"sinkholed anchors 1\nkey 1 8 2 " DIGEST " valid given 1 0\n", 2},
		{OK_HEAD "zone . 1 2 3600 3600\n", 3},
		{OK_HEAD "key 1 8 2 " DIGEST " valid given 1\n", 3},
		{OK_HEAD "key 1 8 2 " DIGEST " valid given 1 0 0\n", 3},
		{OK_HEAD "key 1 8 2 " DIGEST " fine given 1 0\n", 3},
		{OK_HEAD "key 1 8 2 " DIGEST " valid gven 1 0\n", 3},
		{OK_HEAD "key 1 8 4 " DIGEST " valid given 1 0\n", 3},
		{OK_HEAD "key 65536 8 2 " DIGEST " valid given 1 0\n", 3},
		{OK_HEAD "key 1 8 2 61 valid given 1 0\n", 3},
		{OK_HEAD "key 1 8 2 " DIGEST " valid given 1 0\nkey 1 8 2 " DIGEST
			 " valid given 1 0\n",
		 4},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct track t = {0};
		int line = -1;
		int err = track_parse(&t, bad[i].text, strlen(bad[i].text), &line);
		ck_assert_msg(err == ERR_FORMAT && line == bad[i].line,
			      "case %zu: %d, %d", i, err, line);
		ck_assert(t.n == 0 && !t.zone);
	}
}
END_TEST

UNIT_SUITE("anchor_track", roll_over, a_new_key_that_goes_begins_anew, missing_keys_vouch,
	   all_revoked, clocks_that_jump, long_ttl, when_to_ask,
	   what_the_operator_takes_out_begins_anew, given_while_new, other_digests,
	   too_many_keys, what_a_set_shows, mail, text_and_back, bad_texts)
