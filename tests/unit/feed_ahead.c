#include "tools/feed_ahead.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "include/hash.h"
#include "tests/unit/unit.h"

/* What came, in its order, as one number. */
struct transcript {
	uint64_t sum, items, skips, positions, stop_at;
};

static void add(struct transcript *t, const void *bytes, size_t n)
{
	const struct hash_key key = {{t->sum, 0}};
	t->sum = hash_bytes(&key, bytes, n);
}

static int on_item(void *arg, const struct blocklist_item *item, uint64_t line)
{
	struct transcript *t = arg;
	const struct blocklist_entry *e = &item->entry;
	const char *const texts[] = {e->family,	   e->category,	 e->reason,
				     e->reference, e->authority, e->operator_name};
	const uint64_t numbers[] = {line,	   item->kind,	 item->action,
				    item->in_zone, item->starts, item->expires,
				    e->confidence, e->expires,	 e->first_listed,
				    e->id,	   e->data.len,	 item->key.prefix.bits};
	add(t, numbers, sizeof numbers);
	add(t, item->key.name, name_len(item->key.name));
	add(t, item->key.prefix.addr.bytes, sizeof item->key.prefix.addr.bytes);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		add(t, texts[i], strlen(texts[i]));
	add(t, e->data.bytes, e->data.len);
	return ++t->items == t->stop_at ? ERR_REFUSED : 0;
}

static int on_skip(void *arg, enum feed_skip why, uint64_t line, const char *text)
{
	struct transcript *t = arg;
	const uint64_t numbers[] = {line, why};
	add(t, numbers, sizeof numbers);
	add(t, text, strlen(text));
	t->skips++;
	return 0;
}

static int on_position(void *arg, const struct feed_position *at)
{
	struct transcript *t = arg;
	add(t, at, sizeof *at);
	t->positions++;
	return 0;
}

typedef int read_fn(struct feed_result *out, const char *path,
		    const struct feed_options *options, const struct feed_callbacks *cb);

static int read_with(read_fn *read, struct transcript *t, struct feed_result *r,
		     const char *path, uint64_t stop_at)
{
	const struct feed_options options = {.family = "Sample"};
	const struct feed_callbacks cb = {on_item, on_skip, on_position, t};
	*t = (struct transcript){.stop_at = stop_at};
	return read(r, path, &options, &cb);
}

/* Long enough for a thread, and for the ring to be full more than once. */
static const char *long_file(void)
{
	enum { LINES = 60000, LINE_MAX_LEN = 80 };
	char *text = malloc((size_t)LINES * LINE_MAX_LEN), *p = text;
	p += sprintf(p, "domain,confidence,description,added\n");
	for (int i = 0; i < LINES; i++)
		p += i % 7 == 3 ? sprintf(p, "no name %d,1,2,3\n", i)
		     : i % 5	? sprintf(p, "n%d.example.test,%d,why %d,2024-01-01\n", i,
					  i % 101, i)
				: sprintf(p, "192.0.2.%d,,,\n", i % 256);
	const char *path = unit_file("long.csv", text);
	ck_assert_int_ge(p - text, FEED_AHEAD_FROM);
	free(text);
	return path;
}

START_TEST(same_as_without)
{
	struct feed_result a, b;
	struct transcript x, y;
	const char *path = long_file();
	ck_assert_int_eq(read_with(feed_read, &x, &a, path, 0), 0);
	ck_assert_int_eq(read_with(feed_ahead_read, &y, &b, path, 0), 0);
	ck_assert_mem_eq(&x, &y, sizeof x);
	ck_assert_mem_eq(&a, &b, sizeof a);
	ck_assert_uint_gt(x.items, 50000 - 10000);
	ck_assert_uint_gt(x.skips, 1000);
	ck_assert_uint_gt(x.positions, 10);
	/* short ones, and none at all */
	path = unit_file("short", "a.example.test\nnot this one!\n");
	ck_assert_int_eq(read_with(feed_read, &x, &a, path, 0), 0);
	ck_assert_int_eq(read_with(feed_ahead_read, &y, &b, path, 0), 0);
	ck_assert_mem_eq(&x, &y, sizeof x);
	ck_assert_int_eq(read_with(feed_ahead_read, &y, &b, unit_path("absent"), 0),
			 ERR_NOENT);
}
END_TEST

/* Nothing is told after a callback has said stop, and what it said comes back. */
START_TEST(stopped)
{
	static const uint64_t at[] = {1, 63, 64, 65, 2048, 2049, 30000};
	struct feed_result r;
	struct transcript t;
	const char *path = long_file();
	for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
		ck_assert_int_eq(read_with(feed_ahead_read, &t, &r, path, at[i]),
				 ERR_REFUSED);
		ck_assert_uint_eq(t.items, at[i]);
	}
}
END_TEST

/* What is long goes on when nobody else wants the processor, from standard input too;
 * what is short, and who asked for another policy, as before. */
START_TEST(gives_way)
{
	const struct sched_param none = {0};
	struct feed_result r;
	struct transcript t, u;
	const char *path = long_file();
	int in = open(path, O_RDONLY);
	ck_assert_int_ge(in, 0);
	const char *small = unit_file("short", "a.example.test\n");
	ck_assert_int_eq(read_with(feed_ahead_read, &t, &r, small, 0), 0);
	ck_assert_int_eq(sched_getscheduler(0), SCHED_OTHER);
	ck_assert_int_eq(sched_setscheduler(0, SCHED_BATCH, &none), 0);
	ck_assert_int_eq(read_with(feed_ahead_read, &t, &r, path, 0), 0);
	ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), 0);
	if (sched_setscheduler(0, SCHED_OTHER, &none) == 0) {
		ck_assert_int_eq(dup2(in, STDIN_FILENO), STDIN_FILENO);
		ck_assert_int_eq(read_with(feed_ahead_read, &u, &r, "-", 0), 0);
		ck_assert_mem_eq(&t, &u, sizeof t);
		ck_assert_int_eq(sched_getscheduler(0), SCHED_BATCH);
		ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), 10);
	}
	close(in);
}
END_TEST

UNIT_SUITE("feed_ahead", same_as_without, stopped, gives_way)
