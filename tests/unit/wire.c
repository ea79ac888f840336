#include "include/wire.h"

#include <stdlib.h>

#include "tests/unit/unit.h"

START_TEST(numbers)
{
	static const uint8_t data[] = {1, 2, 3, 0xff, 0xfe, 0xfd, 0xfc, 9};
	struct wire_reader r = wire_reader(data, sizeof data);
	ck_assert_uint_eq(wire_u8(&r), 1);
	ck_assert_uint_eq(wire_u16(&r), 0x0203);
	ck_assert_uint_eq(wire_u32(&r), 0xfffefdfc);
	ck_assert_uint_eq(wire_left(&r), 1);
	ck_assert_ptr_eq(wire_take(&r, 1), data + 7);
	ck_assert_ptr_eq(wire_take(&r, 0), data + 8); /* nothing at the end is no error */
	ck_assert_int_eq(r.err, ERR_OK);
}
END_TEST

/* After the first error nothing moves and all is 0. */
START_TEST(first_error_stays)
{
	static const uint8_t data[] = {1, 2, 3};
	struct wire_reader r = wire_reader(data, sizeof data);
	uint8_t name[DNS_NAME_MAX];
	ck_assert_uint_eq(wire_u32(&r), 0);
	ck_assert_int_eq(r.err, ERR_RANGE);
	ck_assert_uint_eq(wire_u8(&r), 0);
	ck_assert_uint_eq(wire_u16(&r), 0);
	ck_assert_ptr_null(wire_take(&r, 0));
	ck_assert_uint_eq(wire_name(&r, name), 0);
	ck_assert_uint_eq(wire_left(&r), 3);
	ck_assert_int_eq(r.err, ERR_RANGE);

	struct wire_reader all = wire_reader(data, sizeof data);
	ck_assert_ptr_null(wire_take(&all, SIZE_MAX));
}
END_TEST

#define HEADER "\0\0\0\0\0\0\0\0\0\0\0\0"
#define D61 "a234567890123456789012345678901234567890123456789012345678901"
#define L63 "\x3f" D61 "23"
#define B(t) (const uint8_t *)t, sizeof t - 1

START_TEST(names)
{
	static const struct {
		const uint8_t *msg; /* with a header */
		size_t len, at;
		const uint8_t *want; /* NULL: ERR_FORMAT */
		size_t want_len, left;
	} row[] = {
		{B(HEADER "\7eXample\3com\0\1"), 12, B("\7eXample\3com\0"), 1},
		{B(HEADER "\0"), 12, B("\0"), 0},
		{B(HEADER "\3com\0\3www\xc0\x0c!"), 17, B("\3www\3com\0"), 1},
		{B(HEADER "\3com\0\xc0\x0c\xc0\x11"), 19, B("\3com\0"), 0},
		{B(HEADER "\1a\1b\0\1c\xc0\x0e"), 17, B("\1c\1b\0"), 0},
		{B(HEADER "\1a\1\xc0\0\xc0\x0c"), 17, B("\1a\1\xc0\0"), 0},
		/* onto a label's inside: odd, but backward, and expands */
		{B(HEADER "\3\1a\0\0\xc0\x0d"), 17, B("\1a\0"), 0},
		{B(HEADER L63 L63 L63 "\x3d" D61 "\0"), 12,
		 B(L63 L63 L63 "\x3d" D61 "\0"), 0},
		{B(HEADER L63 L63 L63 "\x3e" D61 "2\0"), 12, NULL, 0, 0},
		{B(HEADER "\x40" D61 "234\0"), 12, NULL, 0, 0}, /* old label types */
		{B(HEADER "\x80" D61 D61 "234567\0"), 12, NULL, 0, 0},
		{B(HEADER "\xc0\x0e\1a\0\xc0\x0c"), 17, NULL, 0, 0}, /* forward at last */
		{B(HEADER "\xc0\x0c"), 12, NULL, 0, 0},		     /* itself */
		{B(HEADER "\1a\xc0\x0c"), 12, NULL, 0, 0},	     /* its own start */
		{B(HEADER "\1a\xc0\x0e"), 12, NULL, 0, 0},	     /* its own pointer */
		{B(HEADER "\xc0\x0e\0"), 12, NULL, 0, 0},	     /* forward */
		{B(HEADER "\xff\xff"), 12, NULL, 0, 0},		     /* outside */
		{B(HEADER "\xc0\x0b"), 12, NULL, 0, 0},		     /* into the header */
		{B(HEADER "\xc0\x00"), 12, NULL, 0, 0},
		{B(HEADER "\1a\xc0\x0f\xc0\x0c"), 15, NULL, 0, 0}, /* loop of two */
		{B(HEADER "\3com"), 12, NULL, 0, 0},
		{B(HEADER "\3co"), 12, NULL, 0, 0},
		{B(HEADER "\xc0"), 12, NULL, 0, 0},
		{B(HEADER ""), 12, NULL, 0, 0},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		uint8_t out[DNS_NAME_MAX], *msg = malloc(row[i].len);
		memcpy(msg, row[i].msg, row[i].len);
		for (int keep = 0; keep < 2; keep++) {
			struct wire_reader r = wire_reader(msg, row[i].len);
			r.at += row[i].at;
			size_t n = wire_name(&r, keep ? out : NULL);
			ck_assert_msg(n == row[i].want_len, "row %zu gave %zu", i, n);
			ck_assert_int_eq(r.err, row[i].want ? ERR_OK : ERR_FORMAT);
			if (row[i].want)
				ck_assert_uint_eq(wire_left(&r), row[i].left);
		}
		ck_assert(!row[i].want || !memcmp(out, row[i].want, row[i].want_len));
		free(msg);
	}
}
END_TEST

/* labels times "\1a", and a pointer to before, again and again. */
static size_t chain(uint8_t *msg, int links, int labels)
{
	struct wire_writer w = wire_writer(msg, 4096);
	wire_put(&w, HEADER "\0", 13);
	unsigned before = 12;
	for (int i = 0; i < links; i++) {
		unsigned here = (unsigned)wire_written(&w);
		for (int k = 0; k < labels; k++)
			wire_put(&w, "\1a", 2);
		wire_put16(&w, 0xc000 | before);
		before = here;
	}
	ck_assert_int_eq(w.err, 0);
	return before;
}

START_TEST(hops_and_length_are_limited)
{
	static const struct {
		int links, labels;
		size_t want; /* 0: refused */
	} row[] = {
		{1, 0, 1},
		{WIRE_HOPS_MAX, 0, 1},
		{WIRE_HOPS_MAX + 1, 0, 0},
		{WIRE_HOPS_MAX, 1, 2 * WIRE_HOPS_MAX + 1},
		{1, 127, 255},
		{1, 128, 0},
		{10, 12, 241},
		{16, 8, 0}, /* 128 labels in pieces: the limit counts over all hops */
		{2, 63, 253},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		uint8_t msg[4096], out[DNS_NAME_MAX];
		size_t at = chain(msg, row[i].links, row[i].labels);
		struct wire_reader r = wire_reader(msg, sizeof msg);
		r.at += at;
		ck_assert_msg(wire_name(&r, out) == row[i].want, "row %zu", i);
		ck_assert_int_eq(r.err, row[i].want ? ERR_OK : ERR_FORMAT);
	}
}
END_TEST

/* All names of one reader together cost no more than in proportion to its bytes. */
START_TEST(work_is_limited)
{
	uint8_t msg[4096];
	size_t at = chain(msg, WIRE_HOPS_MAX, 1), read = 0;
	struct wire_reader r = wire_reader(msg, sizeof msg);
	while (r.at = msg + at, wire_name(&r, NULL))
		read++;
	ck_assert_int_eq(r.err, ERR_REFUSED);
	size_t cost = WIRE_HOPS_MAX * WIRE_HOP_COST + WIRE_HOPS_MAX + 1;
	ck_assert_uint_eq(read,
			  (sizeof msg * WIRE_WORK_PER_BYTE + WIRE_WORK_BASE) / cost);
}
END_TEST

START_TEST(writer)
{
	uint8_t buf[32];
	struct wire_writer w = wire_writer(buf, sizeof buf);
	static const uint16_t counts[4] = {1, 2, 3, 0xffff};
	wire_put_header(&w, 0x1234, DNS_QR | DNS_RD, counts);
	wire_put_name(&w, (const uint8_t *)"\1a\2bc");
	wire_put8(&w, 0x1ff);
	wire_put32(&w, 0xfffefdfc);
	wire_put(&w, NULL, 0);
	static const uint8_t want[] =
		"\x12\x34\x81\0\0\1\0\2\0\3\xff\xff\1a\2bc\0\xff\xff\xfe\xfd\xfc";
	ck_assert_uint_eq(wire_written(&w), sizeof want - 1);
	ck_assert_mem_eq(buf, want, sizeof want - 1);
	ck_assert_ptr_nonnull(wire_room(&w, sizeof buf - (sizeof want - 1)));
	ck_assert_int_eq(w.err, ERR_OK);
	wire_put(&w, NULL, 0); /* full, but nothing was asked */
	ck_assert_int_eq(w.err, ERR_OK);
}
END_TEST

START_TEST(writer_stops_at_the_end)
{
	uint8_t buf[8] = {0};
	struct wire_writer w = wire_writer(buf, 7);
	wire_put32(&w, 1);
	wire_put32(&w, 0xffffffff);
	ck_assert_int_eq(w.err, ERR_RANGE);
	wire_put8(&w, 0xff); /* would fit, but something is missing already */
	ck_assert_uint_eq(wire_written(&w), 4);
	ck_assert_mem_eq(buf, "\0\0\0\1\0\0\0", 8);
	ck_assert_ptr_null(wire_room(&w, SIZE_MAX));
}
END_TEST

UNIT_SUITE("wire", numbers, first_error_stays, names, hops_and_length_are_limited,
	   work_is_limited, writer, writer_stops_at_the_end)
