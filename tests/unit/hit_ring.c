/* The ring: order over many wraps, folding that counts exactly, room that ends, what a
 * killed or cut-off process leaves. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "resolver/hit_ring.h"
#include "tests/unit/hit_sample.h"
#include "tests/unit/unit.h"

enum { BOOT = 0x1122, SMALL = HIT_RING_BYTES_MIN };

static struct hit_ring *new_ring(uint16_t worker, size_t bytes)
{
	struct hit_ring *r;
	ck_assert_int_eq(hit_ring_create(&r, unit_dir(), BOOT, worker, "node-1", bytes),
			 ERR_OK);
	return r;
}

static enum hit_put_result put(struct hit_ring *r, unsigned number)
{
	struct hit h;
	hit_sample(&h, number);
	const struct hit_source source = hit_source_of(&h);
	return hit_ring_put(r, &source);
}

/* Takes one record; its number, or -1. */
static long take(struct hit_ring *r, uint64_t *position, uint32_t *count)
{
	struct hit_ring_item item;
	struct hit h;
	if (hit_ring_take(r, position, &item) != 1)
		return -1;
	ck_assert_int_eq(hit_sample_unpack(&h, item.packed, item.len), ERR_OK);
	*count = item.count;
	return (long)(h.time_us - HIT_SAMPLE_TIME_S * 1000000ULL);
}

START_TEST(keeps_order_over_wraps)
{
	struct hit_ring *r = new_ring(0, SMALL);
	uint64_t position = 0;
	uint32_t count;
	unsigned in = 0, out = 0;
	for (int round = 0; round < 500; round++) {
		for (unsigned i = 0; i < 1 + in % 40; i++)
			ck_assert_int_eq(put(r, in++), HIT_STORED);
		while (out < in) {
			ck_assert_int_eq(take(r, &position, &count), out++);
			ck_assert_uint_eq(count, 1);
		}
		ck_assert_int_eq(take(r, &position, &count), -1);
		hit_ring_advance(r, position);
		ck_assert_uint_eq(hit_ring_used(r), 0);
	}
	ck_assert_uint_gt(position, 20 * SMALL);
	ck_assert_uint_eq(hit_ring_counts(r).stored, in);
	ck_assert_uint_eq(hit_ring_counts(r).damaged, 0);
	hit_ring_close(r, true);
}
END_TEST

/* Fills it with different hits; how many went in. */
static unsigned fill(struct hit_ring *r, unsigned first)
{
	unsigned n = 0;
	while (put(r, first + n) == HIT_STORED)
		n++;
	return n;
}

START_TEST(says_when_there_is_no_room)
{
	struct hit_ring *r = new_ring(0, SMALL);
	uint64_t position = 0;
	uint32_t count;
	unsigned n = fill(r, 0);
	ck_assert_uint_gt(n, SMALL / 200);
	ck_assert_int_eq(put(r, 70000), HIT_NO_ROOM);
	ck_assert_uint_eq(hit_ring_counts(r).no_room, 2);
	/* The last ones fold, the ones below half do not. */
	ck_assert_int_eq(put(r, n - 1), HIT_FOLDED);
	ck_assert_int_eq(put(r, 0), HIT_NO_ROOM);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_int_eq(take(r, &position, &count), i);
		ck_assert_uint_eq(count, i == n - 1 ? 2 : 1);
	}
	/* Taken, not yet stored: still no room, and nothing folds. */
	ck_assert_int_eq(put(r, n - 1), HIT_NO_ROOM);
	hit_ring_advance(r, position);
	ck_assert_int_eq(put(r, n - 1), HIT_STORED);
	ck_assert_int_eq(take(r, &position, &count), n - 1);
	ck_assert_uint_eq(count, 1);
	hit_ring_close(r, true);
}
END_TEST

START_TEST(folds_again_after_a_failed_commit)
{
	struct hit_ring *r = new_ring(0, SMALL);
	uint64_t position = 0;
	uint32_t count = 0;
	unsigned n = fill(r, 0), last = n - 1;
	ck_assert_int_eq(put(r, last), HIT_FOLDED);
	for (unsigned i = 0; i < n; i++)
		take(r, &position, &count);
	ck_assert_uint_eq(count, 2);
	ck_assert_int_eq(put(r, last), HIT_NO_ROOM);
	hit_ring_give_back(r, 0, position);
	ck_assert_int_eq(put(r, last), HIT_FOLDED);
	position = 0;
	for (unsigned i = 0; i < n; i++)
		take(r, &position, &count);
	ck_assert_uint_eq(count, 3);
	hit_ring_close(r, true);
}
END_TEST

START_TEST(sequence_has_no_gaps)
{
	struct hit_ring *r = new_ring(7, SMALL);
	struct hit_ring_item item;
	struct hit h;
	uint64_t position = 0, expected = 1;
	unsigned n = fill(r, 0);
	put(r, n - 1);
	put(r, 99999);
	while (hit_ring_take(r, &position, &item) == 1) {
		ck_assert_int_eq(hit_sample_unpack(&h, item.packed, item.len), ERR_OK);
		ck_assert_uint_eq(h.sequence, expected++);
		ck_assert_uint_eq(h.boot, BOOT);
		ck_assert_uint_eq(h.worker, 7);
	}
	ck_assert_uint_eq(expected, n + 1);
	hit_ring_close(r, true);
}
END_TEST

/* ---- a writer that drains, fails and drains again, while the worker folds ---- */

enum { RACE_PUTS = 300000, RACE_NAMES = 64 };

struct race {
	struct hit_ring *ring;
	_Atomic bool done;
	uint64_t put[RACE_NAMES], got[RACE_NAMES];
	uint64_t folded;
};

static void *race_worker(void *arg)
{
	struct race *race = arg;
	struct hit h;
	for (unsigned i = 0; i < RACE_PUTS; i++) {
		unsigned name = i * 2654435761U % RACE_NAMES;
		hit_sample(&h, name);
		const struct hit_source source = hit_source_of(&h);
		enum hit_put_result result = hit_ring_put(race->ring, &source);
		race->put[name] += result != HIT_NO_ROOM;
		race->folded += result == HIT_FOLDED;
	}
	atomic_store(&race->done, true);
	return NULL;
}

START_TEST(folding_is_exact_against_a_draining_writer)
{
	static struct race race;
	pthread_t thread;
	uint64_t from = 0, rounds = 0, total = 0;
	race.ring = new_ring(0, SMALL);
	ck_assert_int_eq(pthread_create(&thread, NULL, race_worker, &race), 0);
	for (bool last = false; !last;) {
		uint64_t batch[RACE_NAMES] = {0}, position = from;
		uint32_t count;
		last = atomic_load(&race.done);
		for (long name; (name = take(race.ring, &position, &count)) >= 0;)
			batch[name] += count;
		if (++rounds % 3 == 0 && !last) { /* this commit failed */
			hit_ring_give_back(race.ring, from, position);
			continue;
		}
		for (int i = 0; i < RACE_NAMES; i++)
			race.got[i] += batch[i];
		from = position;
		hit_ring_advance(race.ring, position);
	}
	pthread_join(thread, NULL);
	for (int i = 0; i < RACE_NAMES; i++) {
		ck_assert_uint_eq(race.put[i], race.got[i]);
		total += race.got[i];
	}
	struct hit_ring_counts c = hit_ring_counts(race.ring);
	ck_assert_uint_eq(c.stored + c.folded, total);
	ck_assert_uint_eq(c.folded, race.folded);
	ck_assert_uint_eq(c.damaged, 0);
	ck_assert_uint_eq(c.stored + c.folded + c.no_room, RACE_PUTS);
	hit_ring_close(race.ring, true);
}
END_TEST

/* ---- what is left behind ---- */

START_TEST(survives_its_process)
{
	int status;
	uint32_t count;
	unsigned in = 40;
	uint64_t position = 0;
	struct hit_ring *r;
	char path[256];
	snprintf(path, sizeof path, "%s/hits-%016x-0.ring", unit_dir(), BOOT);
	const char *dir = unit_dir();
	pid_t pid = fork();
	if (pid == 0) {
		if (hit_ring_create(&r, dir, BOOT, 0, "node-1", SMALL))
			_exit(1);
		for (unsigned i = 0; i < in; i++)
			put(r, i);
		for (unsigned i = 0; i < in / 2; i++) /* taken, never stored */
			take(r, &position, &count);
		raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(hit_ring_open(&r, path), ERR_OK);
	ck_assert_str_eq(hit_ring_node(r), "node-1");
	ck_assert_uint_eq(hit_ring_tail(r), 0);
	for (unsigned i = 0; i < in; i++) {
		ck_assert_int_eq(take(r, &position, &count), i);
		ck_assert_uint_eq(count, 1);
	}
	ck_assert_int_eq(take(r, &position, &count), -1);
	hit_ring_close(r, true);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(a_living_process_keeps_its_ring)
{
	struct hit_ring *r = new_ring(0, SMALL), *other;
	char path[1200];
	int status;
	snprintf(path, sizeof path, "%s", hit_ring_path(r));
	pid_t pid = fork();
	if (pid == 0)
		_exit(hit_ring_open(&other, path) == ERR_BUSY ? 0 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	hit_ring_close(r, true);
}
END_TEST

/* A flipped byte costs its own record, not those behind it. */
START_TEST(damage_is_passed_over)
{
	struct hit_ring *r = new_ring(0, SMALL);
	char path[1200];
	uint32_t count;
	snprintf(path, sizeof path, "%s", hit_ring_path(r));
	for (unsigned i = 0; i < 20; i++)
		put(r, i);
	uint64_t position = 0;
	for (int i = 0; i < 5; i++)
		take(r, &position, &count);
	uint64_t sixth = position;
	hit_ring_close(r, false);
	int fd = open(path, O_RDWR);
	uint8_t byte;
	for (int where = 0; where < 2; where++) { /* its check; the length of the next */
		off_t at = (off_t)(4096 + sixth + (where ? 136 : 4));
		ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
		byte ^= 0x55;
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	}
	close(fd);
	ck_assert_int_eq(hit_ring_open(&r, path), ERR_OK);
	position = 0;
	unsigned n = 0;
	long last = -1, number;
	while ((number = take(r, &position, &count)) >= 0) {
		ck_assert_int_gt(number, last);
		last = number;
		n++;
	}
	ck_assert_uint_ge(n, 18);
	ck_assert_int_eq(last, 19);
	ck_assert_uint_gt(hit_ring_counts(r).damaged, 0);
	hit_ring_close(r, true);
}
END_TEST

/* Any bytes instead of a ring: an error or an end, never more. */
START_TEST(rubbish_is_refused)
{
	const char *path = unit_path("hits-rubbish.ring");
	struct hit_ring *r;
	uint32_t seed = 1;
	ck_assert_int_eq(hit_ring_open(&r, unit_path("none.ring")), ERR_NOENT);
	for (int round = 0; round < 60; round++) {
		struct hit_ring *good = new_ring(0, SMALL);
		for (unsigned i = 0; i < 30; i++)
			put(good, i);
		rename(hit_ring_path(good), path);
		hit_ring_close(good, false);
		int fd = open(path, O_RDWR);
		for (int i = 0; i < 40; i++) {
			seed = seed * 1664525 + 1013904223;
			uint8_t byte = (uint8_t)(seed >> 24);
			off_t at = seed % (round % 2 ? 300 : SMALL + 4096);
			ck_assert_int_eq(
				pwrite(fd, &byte, 1, round % 3 ? at : 64 + at % 200), 1);
		}
		close(fd);
		if (hit_ring_open(&r, path) == ERR_OK) {
			uint64_t position = hit_ring_tail(r);
			struct hit_ring_item item;
			struct hit h;
			int n = 0;
			while (hit_ring_take(r, &position, &item) == 1 && n < 1000)
				n += hit_sample_unpack(&h, item.packed, item.len) ==
				     ERR_OK;
			ck_assert_int_le(n, 30);
			hit_ring_give_back(r, hit_ring_tail(r), position);
			hit_ring_close(r, false);
		}
		unlink(path);
	}
}
END_TEST

START_TEST(unfinished_files)
{
	const char *path = unit_path("hits-short.ring");
	struct hit_ring *r;
	static const char zeros[4096 + SMALL];
	const size_t sizes[] = {0, 8, 4096, sizeof zeros};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
		ck_assert_int_eq(write(fd, zeros, sizes[i]), (ssize_t)sizes[i]);
		close(fd);
		ck_assert_int_eq(hit_ring_open(&r, path), ERR_NOENT);
	}
	int fd = open(path, O_RDWR);
	ck_assert_int_eq(pwrite(fd, "SHRING9", 8, 0), 8);
	close(fd);
	ck_assert_int_eq(hit_ring_open(&r, path), ERR_VERSION);
	ck_assert_int_eq(hit_ring_create(&r, unit_dir(), 1, 0, "n", 12345), ERR_INVAL);
	ck_assert_int_eq(hit_ring_create(&r, unit_path("no-dir"), 1, 0, "n", SMALL),
			 ERR_NOENT);
}
END_TEST

UNIT_SUITE("hit_ring", keeps_order_over_wraps, says_when_there_is_no_room,
	   folds_again_after_a_failed_commit, sequence_has_no_gaps,
	   folding_is_exact_against_a_draining_writer, survives_its_process,
	   a_living_process_keeps_its_ring, damage_is_passed_over, rubbish_is_refused,
	   unfinished_files)
