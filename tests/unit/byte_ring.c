#include "zones/byte_ring.h"

#include <stdbool.h>
#include <string.h>

#include "tests/unit/unit.h"

/* Short records and some that are longer than all batches. */
enum { N = 200000, LONG = 100000 };

struct writer {
	unsigned written, end_at;
	int end;
};

static size_t len_of(unsigned i)
{
	return i % 50000 == 49999 ? LONG : i % 200;
}

static int write_records(struct byte_ring *r, void *arg)
{
	struct writer *w = arg;
	int stop = 0;
	for (unsigned i = 0; i < w->end_at; i++) {
		size_t n = sizeof i + len_of(i);
		uint8_t *p = byte_ring_room(r, n + i % 3, &stop); /* more than is used */
		if (!p)
			return stop;
		memcpy(p, &i, sizeof i);
		memset(p + sizeof i, (int)(i % 256), len_of(i));
		byte_ring_put(r, n);
		w->written++;
	}
	return w->end;
}

static bool is_record(const uint8_t *p, unsigned i)
{
	unsigned number;
	size_t len = len_of(i);
	memcpy(&number, p, sizeof number);
	p += sizeof number;
	return number == i && (!len || (p[0] == i % 256 && p[len - 1] == i % 256));
}

START_TEST(all_in_order)
{
	static const int ends[] = {0, ERR_IO};
	for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
		struct writer w = {.end_at = N, .end = ends[k]};
		struct byte_ring *r;
		const uint8_t *p;
		unsigned n = 0;
		ck_assert_int_eq(byte_ring_start(&r, write_records, &w), 0);
		while ((p = byte_ring_next(r)) && is_record(p, n))
			n++;
		ck_assert_uint_eq(n, N);
		ck_assert_int_eq(byte_ring_end(r, 0), ends[k]);
	}
}
END_TEST

START_TEST(stopped)
{
	static const unsigned at[] = {0, 1, 160, 50000, N - 1, N};
	for (size_t k = 0; k < sizeof at / sizeof *at; k++) {
		struct writer w = {.end_at = N};
		struct byte_ring *r;
		ck_assert_int_eq(byte_ring_start(&r, write_records, &w), 0);
		for (unsigned i = 0; i < at[k]; i++)
			if (!byte_ring_next(r))
				ck_abort();
		ck_assert_int_eq(byte_ring_end(r, ERR_REFUSED), ERR_REFUSED);
		ck_assert_uint_ge(w.written, at[k]);
	}
}
END_TEST

/* Nothing is written. */
START_TEST(empty)
{
	struct writer w = {.end = ERR_FORMAT};
	struct byte_ring *r;
	ck_assert_int_eq(byte_ring_start(&r, write_records, &w), 0);
	ck_assert_ptr_null(byte_ring_next(r));
	ck_assert_ptr_null(byte_ring_next(r));
	ck_assert_int_eq(byte_ring_end(r, 0), ERR_FORMAT);
}
END_TEST

UNIT_SUITE("byte_ring", all_in_order, stopped, empty)
