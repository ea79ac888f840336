/* Packing: every field comes back, and no byte string is trusted. */
#include "resolver/hit_record.h"
#include "tests/unit/hit_sample.h"
#include "tests/unit/unit.h"

static const struct hit_origin origin = {.boot = 77, .sequence = 9, .worker = 3};

static void same_hit(const struct hit *a, const struct hit *b)
{
	ck_assert_uint_eq(a->time_us, b->time_us);
	ck_assert_uint_eq(a->entry, b->entry);
	ck_assert_uint_eq(a->generation, b->generation);
	ck_assert_uint_eq(a->qtype, b->qtype);
	ck_assert_uint_eq(a->transport, b->transport);
	ck_assert_uint_eq(a->trigger, b->trigger);
	ck_assert_uint_eq(a->action, b->action);
	ck_assert_uint_eq(a->clock_synced, b->clock_synced);
	ck_assert(addr_equal(&a->client, &b->client));
	ck_assert(addr_equal(&a->proxy, &b->proxy));
	ck_assert(addr_equal(&a->listener, &b->listener));
	ck_assert(addr_equal(&a->prefix.addr, &b->prefix.addr));
	ck_assert_uint_eq(a->prefix.bits, b->prefix.bits);
	ck_assert(name_equal(a->qname, b->qname));
	ck_assert(name_equal(a->matched, b->matched));
	ck_assert_str_eq(a->list, b->list);
	ck_assert_str_eq(a->family, b->family);
	ck_assert_str_eq(a->category, b->category);
}

static void round_trip(const struct hit *h)
{
	uint8_t packed[HIT_PACKED_MAX];
	const struct hit_source source = hit_source_of(h);
	size_t len = hit_pack(packed, &source, &origin);
	struct hit back;
	memset(&back, 0x5a, sizeof back); /* what is not set shows */
	ck_assert_uint_le(len, sizeof packed);
	ck_assert_int_eq(hit_sample_unpack(&back, packed, len), ERR_OK);
	same_hit(h, &back);
	ck_assert_uint_eq(back.boot, origin.boot);
	ck_assert_uint_eq(back.sequence, origin.sequence);
	ck_assert_uint_eq(back.worker, origin.worker);
	ck_assert_uint_eq(back.count, 1);
	/* Cut within the question it may still be one, but never a longer one. */
	for (size_t cut = 0; cut < len; cut++)
		ck_assert(hit_sample_unpack(&back, packed, cut) == ERR_FORMAT ||
			  name_len(back.qname) < name_len(h->qname));
}

START_TEST(every_field_comes_back)
{
	struct hit h;
	hit_sample(&h, 1);
	round_trip(&h);
	h.client = addr_v6((const uint8_t[16]){0x20, 1, 0xd, 0xb8, [15] = 1}, 65535);
	h.proxy = addr_v4((const uint8_t[4]){198, 51, 100, 7}, 1);
	h.prefix = prefix_of(&h.client, 48);
	round_trip(&h);
	ck_assert_int_eq(name_from_str(h.matched, "other.test"), ERR_OK);
	round_trip(&h);
	h.matched[0] = 0;
	h.list[0] = h.family[0] = h.category[0] = 0;
	round_trip(&h);
}
END_TEST

START_TEST(largest_fits)
{
	struct hit h;
	hit_sample(&h, 2);
	char name[DNS_NAME_TEXT_MAX];
	size_t n = 0;
	for (int label = 0; label < 4; label++) { /* 63+1 three times, 61+1, root: 255 */
		size_t len = label < 3 ? 63 : 61;
		memset(name + n, 'a' + label, len);
		n += len;
		name[n++] = '.';
	}
	ck_assert_int_eq(name_from_text(h.qname, name, n), ERR_OK);
	ck_assert_uint_eq(name_len(h.qname), DNS_NAME_MAX);
	name[0] = 'z';
	ck_assert_int_eq(name_from_text(h.matched, name, n), ERR_OK);
	memset(h.list, 'l', sizeof h.list - 1);
	memset(h.family, 'f', sizeof h.family - 1);
	memset(h.category, 'c', sizeof h.category - 1);
	h.list[sizeof h.list - 1] = h.family[sizeof h.family - 1] = 0;
	h.category[sizeof h.category - 1] = 0;
	h.client = h.proxy = h.listener =
		addr_v6((const uint8_t[16]){0x20, 1, 0xd, 0xb8}, 53);
	h.prefix = prefix_of(&h.client, 128);
	uint8_t packed[HIT_PACKED_MAX];
	const struct hit_source source = hit_source_of(&h);
	ck_assert_uint_eq(hit_pack(packed, &source, &origin), HIT_PACKED_MAX);
	round_trip(&h);
}
END_TEST

/* What a ring compares: all but the record's own numbers. */
static bool identical(const struct hit *a, const struct hit *b)
{
	uint8_t pa[HIT_PACKED_MAX], pb[HIT_PACKED_MAX];
	const struct hit_source sa = hit_source_of(a), sb = hit_source_of(b);
	const struct hit_origin next = {origin.boot, origin.sequence + 1, origin.worker};
	size_t na = hit_pack(pa, &sa, &origin), nb = hit_pack(pb, &sb, &next);
	return na == nb &&
	       memcmp(pa + HIT_RECORD_OWN, pb + HIT_RECORD_OWN, na - HIT_RECORD_OWN) == 0;
}

START_TEST(identity_is_what_folds)
{
	struct hit a, b;
	hit_sample(&a, 5);
	hit_sample(&b, 5);
	b.client.port ^= 1;
	b.time_us++;
	b.generation++;
	ck_assert(identical(&a, &b));
	struct {
		const char *what;
		size_t at;
	} fields[] = {{"qtype", offsetof(struct hit, qtype)},
		      {"entry", offsetof(struct hit, entry)},
		      {"action", offsetof(struct hit, action)},
		      {"transport", offsetof(struct hit, transport)},
		      {"client", offsetof(struct hit, client.bytes)},
		      {"listener", offsetof(struct hit, listener.bytes)},
		      {"list", offsetof(struct hit, list)},
		      {"qname", offsetof(struct hit, qname) + 1}};
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		b = a;
		((uint8_t *)&b)[fields[i].at] ^= 1;
		ck_assert_msg(!identical(&a, &b), "%s", fields[i].what);
	}
}
END_TEST

/* Bytes of a label that look like the matched name are not it: the question comes back
 * whole. */
START_TEST(a_name_ends_at_a_label)
{
	struct hit h;
	hit_sample(&h, 3);
	ck_assert_int_eq(name_from_str(h.matched, "bad.example"), ERR_OK);
	ck_assert_int_eq(name_from_str(h.qname, "x\\003bad.example"), ERR_OK);
	size_t n = name_len(h.matched);
	ck_assert_mem_eq(h.qname + name_len(h.qname) - n, h.matched, n);
	round_trip(&h);
}
END_TEST

/* Each is a record but for one thing. */
START_TEST(what_is_no_record)
{
	uint8_t good[HIT_PACKED_MAX], bad[HIT_PACKED_MAX];
	struct hit h;
	hit_sample(&h, 4);
	const struct hit_source source = hit_source_of(&h);
	size_t len = hit_pack(good, &source, &origin);
	struct hit_record r;
	ck_assert_int_eq(hit_record_read(&r, good, len), ERR_OK);
	const struct {
		const char *what;
		size_t at;
		uint8_t byte;
	} cases[] = {
		{"family", HIT_RECORD_OWN, 5},
		{"no way", HIT_RECORD_OWN + 1, 0},
		{"long way", HIT_RECORD_OWN + 1, 255},
		{"long rule", HIT_RECORD_OWN + 2, 255},
		{"short rule", HIT_RECORD_OWN + 3, HIT_RULE_ELSEWHERE},
		{"label past the end", (size_t)(r.question - good), 63},
		{"long label", (size_t)(r.question - good), 64},
		{"no whole name", (size_t)(r.rule - good) + HIT_RULE_ELSEWHERE, 1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		memcpy(bad, good, len);
		bad[cases[i].at] = cases[i].byte;
		ck_assert_msg(hit_record_read(&r, bad, len) == ERR_FORMAT, "%s",
			      cases[i].what);
	}
	memcpy(bad, good, len);
	memset(bad + len, 1, sizeof bad - len); /* labels "\001" without end */
	ck_assert_int_eq(hit_record_read(&r, bad, len + 255 - 1), ERR_FORMAT);
}
END_TEST

START_TEST(check_is_bound_to_its_place)
{
	uint8_t bytes[64] = {1, 2, 3};
	uint32_t c = hit_check(bytes, sizeof bytes, 1, 8);
	ck_assert_uint_ne(c, hit_check(bytes, sizeof bytes, 1, 16));
	ck_assert_uint_ne(c, hit_check(bytes, sizeof bytes, 2, 8));
	ck_assert_uint_ne(c, hit_check(bytes, sizeof bytes - 1, 1, 8));
}
END_TEST

/* Of every length, among zeros too. */
START_TEST(check_finds_every_flipped_bit)
{
	uint8_t bytes[200];
	for (unsigned fill = 0; fill < 2; fill++)
		for (size_t n = 0; n < sizeof bytes; n++) {
			memset(bytes, fill ? 0xa5 : 0, sizeof bytes);
			uint32_t c = hit_check(bytes, n, 7, 4096);
			for (size_t bit = 0; bit < 8 * n; bit++) {
				bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
				ck_assert_uint_ne(c, hit_check(bytes, n, 7, 4096));
				bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
			}
		}
}
END_TEST

UNIT_SUITE("hit_record", every_field_comes_back, largest_fits, identity_is_what_folds,
	   a_name_ends_at_a_label, what_is_no_record, check_is_bound_to_its_place,
	   check_finds_every_flipped_bit)
