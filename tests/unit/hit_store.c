/* A segment: rows come back as they were put, sums are the sums of the rows, an aborted
 * transaction leaves nothing, rows of a failed commit count once. */
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "resolver/hit_read.h"
#include "resolver/hit_walk.h"
#include "tests/unit/hit_sample.h"
#include "tests/unit/unit.h"

enum { MAP = 64 << 20, ROWS = 20000, CLIENTS = 300, RULES = 40, HOURS = 20 };

static struct hit_store *make(unsigned number, uint64_t first_row)
{
	struct hit_store *s;
	const struct hit_segment first = {.number = number, .first_row = first_row};
	char name[48], path[200];
	(void)mkdir(unit_path("hits"), 0700);
	hit_store_name(name, number, 20260102);
	snprintf(path, sizeof path, "%s/%s", unit_path("hits"), name);
	ck_assert_int_eq(hit_store_create(&s, path, MAP, &first, NULL, 0), ERR_OK);
	return s;
}

static uint64_t bytes_of_all(void)
{
	struct hit_store_file *files;
	uint64_t bytes = 0;
	int n;
	ck_assert_int_eq(hit_store_files(&files, &n, unit_path("hits")), ERR_OK);
	for (int i = 0; i < n; i++)
		bytes += files[i].bytes;
	free(files);
	return bytes;
}

/* Everything differs now and then; i alone decides. */
static void vary(struct hit *h, unsigned i)
{
	unsigned client = i * 7919 % CLIENTS, rule = i * 31 % RULES;
	hit_sample(h, rule);
	h->entry = rule;
	h->time_us = HIT_SAMPLE_TIME_S * 1000000ULL + i * 104729ULL % HOURS * 3600000000 +
		     i * 13ULL % 3600000 * 1000;
	h->generation = i / 500 % 3;
	h->qtype = i % 5 ? 1 : 28;
	h->transport = i % 11 ? HIT_UDP : HIT_TCP;
	h->client = client % 4 ? addr_v4((uint8_t[4]){192, 0, 2, (uint8_t)client},
					 (uint16_t)i)
			       : addr_v6((uint8_t[16]){0x20, 1, 0xd, 0xb8, 0, 0,
						       (uint8_t)client, (uint8_t)i},
					 (uint16_t)i);
	if (i % 13 == 0)
		h->proxy = addr_v4((uint8_t[4]){198, 51, 100, 1}, (uint16_t)(i * 3));
	if (i % 3 == 0)
		name_copy(h->qname, h->matched);
	if (i % 17 == 0) { /* an answer led to the rule: another rule to the sums */
		h->entry += RULES;
		ck_assert_int_eq(name_from_str(h->qname, "alias.example"), ERR_OK);
	}
}

static uint32_t count_of(unsigned i)
{
	return i % 19 ? 1 : i % 1000 + 1;
}

static void put(struct hit_store *s, unsigned i)
{
	struct hit h;
	vary(&h, i);
	/* More rings than a page remembers; one of them skips numbers. */
	h.boot = 5 + i % 20;
	h.sequence = i / 20 * (i % 20 == 3 ? 2 : 1) + 1;
	h.worker = (uint16_t)(i % 2);
	h.count = count_of(i);
	ck_assert_int_eq(hit_store_put_hit(s, &h), ERR_OK);
}

static void put_all(struct hit_store *s, unsigned from, unsigned to, unsigned each)
{
	for (unsigned i = from; i < to;) {
		ck_assert_int_eq(hit_store_begin(s), ERR_OK);
		for (unsigned k = 0; k < each && i < to; k++)
			put(s, i++);
		ck_assert_int_eq(hit_store_commit(s), ERR_OK);
	}
}

static void no_trouble(void *arg, const char *dir, const char *segment, int err,
		       uint64_t bad)
{
	(void)arg, (void)dir;
	ck_abort_msg("%s: %s, %llu bad", segment, err_text(err), (unsigned long long)bad);
}

static const struct hit_read_conf *conf(void)
{
	static struct hit_read_conf c;
	c = (struct hit_read_conf){.dir = unit_path("hits"), .trouble = no_trouble};
	return &c;
}

/* Every row from first on, in order; returns how many. */
static unsigned check_rows(void)
{
	struct hit_reader *r;
	struct hit_row row;
	struct hit h;
	unsigned i = 0;
	int got;
	ck_assert_int_eq(hit_read_open(&r, conf()), ERR_OK);
	for (; (got = hit_read_next(r, &row)) == 1; i++) {
		vary(&h, i);
		ck_assert_uint_eq(row.at.row, i);
		ck_assert_uint_eq(row.hit.time_us, h.time_us);
		ck_assert_uint_eq(row.hit.count, count_of(i));
		ck_assert_uint_eq(row.hit.sequence, i / 20 * (i % 20 == 3 ? 2 : 1) + 1);
		ck_assert_uint_eq(row.hit.boot, 5 + i % 20);
		ck_assert_uint_eq(row.hit.generation, h.generation);
		ck_assert(addr_equal(&row.hit.client, &h.client));
		ck_assert(addr_equal(&row.hit.proxy, &h.proxy));
		ck_assert(name_equal(row.hit.qname, h.qname));
		ck_assert(name_equal(row.hit.matched, h.matched));
		ck_assert_str_eq(row.hit.category, "c2");
	}
	ck_assert_int_eq(got, 0);
	hit_read_close(r);
	return i;
}

START_TEST(rows_come_back)
{
	struct hit_store *s = make(1, 0);
	put_all(s, 0, 50, 1); /* one a commit: pages are filled all the same */
	put_all(s, 50, ROWS, 7000);
	hit_store_close(s);
	ck_assert_uint_eq(check_rows(), ROWS);
}
END_TEST

/* Small commits use pages again, unless a snapshot of before them is held: then the
 * segment says soon that it is full. The next one is not held by it. */
START_TEST(a_stopped_reader_wastes_little)
{
	struct hit_store *s = make(1, 0), *next;
	unsigned commits = 0;
	ck_assert_int_eq(hit_store_hold(s), ERR_OK);
	for (; commits < ROWS && !hit_store_is_full(s); commits++)
		put_all(s, commits, commits + 1, 1);
	ck_assert_uint_gt(commits, 100);
	ck_assert_uint_gt(bytes_of_all(), HIT_STORE_WASTE_BYTES_MAX);
	ck_assert_uint_lt(bytes_of_all(), HIT_STORE_WASTE_BYTES_MAX * 5 / 4);
	uint64_t wasted = bytes_of_all();
	next = make(2, commits);
	put_all(next, commits, 2 * commits, 1);
	ck_assert(!hit_store_is_full(next));
	ck_assert_uint_lt(bytes_of_all() - wasted, HIT_STORE_WASTE_BYTES_MAX / 10);
	hit_store_close(next);
	hit_store_close(s);
	ck_assert_uint_eq(check_rows(), 2 * commits);
}
END_TEST

/* More readers than there are slots end within a call. */
START_TEST(readers_die)
{
	int status;
	struct hit_store *writer = make(1, 0);
	const char *path = unit_path("hits/00000001-20260102.hits");
	for (int i = 0; i < 150; i++) {
		struct hit_store *s;
		pid_t pid = fork();
		if (pid == 0) {
			int err = hit_store_open(&s, path, HIT_STORE_READ);
			_exit(err || hit_store_hold(s) ? 1 : 0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
	}
	hit_store_close(writer);
}
END_TEST

START_TEST(aborted_leaves_nothing)
{
	struct hit_store *s = make(1, 0);
	put_all(s, 0, 100, 9);
	for (int round = 0; round < 3; round++) {
		ck_assert_int_eq(hit_store_begin(s), ERR_OK);
		for (unsigned i = 500; i < 900; i++)
			put(s, i);
		hit_store_abort(s);
	}
	put_all(s, 100, 300, 50);
	ck_assert_uint_eq(hit_store_segment(s)->end_row, 300);
	hit_store_close(s);
	ck_assert_uint_eq(check_rows(), 300);
}
END_TEST

/* ---- sums ---- */

static struct hit_sum want[2 * RULES][CLIENTS][HOURS];
static uint64_t base_hour;

static void want_all(unsigned from, unsigned to)
{
	memset(want, 0, sizeof want);
	base_hour = HIT_SAMPLE_TIME_S / 3600;
	for (unsigned i = from; i < to; i++) {
		struct hit h;
		vary(&h, i);
		unsigned client = i * 7919 % CLIENTS;
		uint64_t ms = h.time_us / 1000;
		struct hit_sum *w = &want[h.entry][client][ms / 3600000 - base_hour];
		uint32_t in_hour = (uint32_t)(ms % 3600000);
		if (w->hits == 0)
			*w = (struct hit_sum){.first_ms = UINT32_MAX, .row = i};
		w->client = hit_client_id(&h.client);
		w->hits += count_of(i);
		w->row_last = i;
		if (in_hour < w->first_ms) {
			w->first_ms = in_hour;
			w->port = h.client.port;
		}
		w->last_ms = in_hour > w->last_ms ? in_hour : w->last_ms;
	}
}

static uint32_t entry_of(struct hit_store *s, uint32_t rule)
{
	struct hit h;
	bool elsewhere;
	size_t len;
	const struct hit_words *rules;
	ck_assert_int_eq(hit_store_load_rules(s, &rules), ERR_OK);
	const uint8_t *word = hit_words_get(rules, rule, &len);
	ck_assert_int_eq(hit_unpack_rule(&h, &elsewhere, word, len), ERR_OK);
	return (uint32_t)h.entry;
}

static unsigned client_number(uint64_t id)
{
	return (unsigned)(id & 0xff);
}

/* IPv4 clients n and n + 256 share an address, as do IPv6 ones: add them up. */
static void fold_wanted(void)
{
	for (unsigned r = 0; r < 2 * RULES; r++)
		for (unsigned c = 256; c < CLIENTS; c++)
			for (unsigned t = 0; t < HOURS; t++) {
				struct hit_sum *a = &want[r][c - 256][t],
					       *b = &want[r][c][t];
				if (b->hits == 0)
					continue;
				if (a->hits == 0) {
					*a = *b;
					continue;
				}
				a->hits += b->hits;
				a->row = b->row < a->row ? b->row : a->row;
				a->row_last = b->row_last > a->row_last ? b->row_last
									: a->row_last;
				a->port = b->first_ms < a->first_ms ? b->port : a->port;
				a->first_ms = b->first_ms < a->first_ms ? b->first_ms
									: a->first_ms;
				a->last_ms =
					b->last_ms > a->last_ms ? b->last_ms : a->last_ms;
			}
}

static void check_sum(struct hit_store *s, const struct hit_sum *sum, bool by_client)
{
	unsigned client = client_number(sum->client);
	struct hit_sum *w = &want[entry_of(s, sum->rule)][client][sum->hour - base_hour];
	ck_assert_uint_eq(sum->client, w->client);
	ck_assert_uint_eq(sum->hits, w->hits);
	ck_assert_uint_eq(sum->row, w->row);
	ck_assert_uint_eq(sum->row_last, w->row_last);
	if (!by_client)
		return;
	ck_assert_uint_eq(sum->first_ms, w->first_ms);
	ck_assert_uint_eq(sum->last_ms, w->last_ms);
	ck_assert_uint_eq(sum->port, w->port);
}

/* The sums of one head, page after page; returns their hits. */
static uint64_t check_head(struct hit_store *s, uint32_t run_number,
			   const struct hit_run *run, const struct hit_head *head,
			   bool by_client)
{
	struct hit_page page;
	uint64_t left = head->sums, hits = 0, number = head->page;
	size_t offset = head->offset;
	while (left) {
		struct hit_sum sum = {.client = head->id, .rule = (uint32_t)head->id};
		ck_assert_int_eq(hit_store_page(s, &page,
						by_client ? HIT_TAG_CLIENT_SUMS
							  : HIT_TAG_RULE_SUMS,
						run_number, number, HIT_PAGE_AT),
				 1);
		ck_assert_uint_eq(page.id, number++);
		struct hit_sums_at at = hit_sums_at(page.bytes, page.len, offset);
		for (; left && hit_sums_next(&at, &sum, run, by_client) == 1; left--) {
			check_sum(s, &sum, by_client);
			hits += sum.hits;
		}
		offset = HIT_PAGE_HEAD;
	}
	return hits;
}

static void check_table(struct hit_store *s, uint32_t number, const struct hit_run *run,
			bool by_client)
{
	enum hit_tag tag = by_client ? HIT_TAG_CLIENT_HEADS : HIT_TAG_RULE_HEADS;
	struct hit_page page;
	struct hit_head head;
	uint64_t sums = 0, hits = 0, id = 0;
	enum hit_page_which which = HIT_PAGE_AT;
	int got = hit_store_page(s, &page, tag, number, 0, HIT_PAGE_AT);
	if (got == 0)
		got = hit_store_page(s, &page, tag, number, 0, HIT_PAGE_AFTER);
	for (; got == 1; got = hit_store_page(s, &page, tag, number, id, which)) {
		struct hit_sums_at at = hit_sums_at(page.bytes, page.len, HIT_PAGE_HEAD);
		uint32_t first = 0;
		which = HIT_PAGE_AFTER;
		id = page.id;
		while (hit_heads_next(&at, &head, run, &first) == 1) {
			ck_assert_uint_eq(check_head(s, number, run, &head, by_client),
					  head.hits);
			sums += head.sums;
			hits += head.hits;
		}
	}
	ck_assert_int_eq(got, 0);
	ck_assert_uint_eq(sums, run->sums);
	ck_assert_uint_eq(hits, run->hits);
}

static struct hit_store *open_segment(unsigned number, enum hit_store_mode mode)
{
	struct hit_store *s;
	char name[48], path[200];
	hit_store_name(name, number, 20260102);
	snprintf(path, sizeof path, "%s/%s", unit_path("hits"), name);
	ck_assert_int_eq(hit_store_open(&s, path, mode), ERR_OK);
	ck_assert_int_eq(hit_store_look(s), ERR_OK);
	return s;
}

START_TEST(sums_are_those_of_the_rows)
{
	struct hit_page page;
	struct hit_run run;
	struct hit_store *s = make(1, 0);
	put_all(s, 0, 3000, 100);
	hit_store_close(s); /* opened again, what has no sums is collected anew */
	s = open_segment(1, HIT_STORE_WRITE);
	put_all(s, 3000, ROWS, 5000);
	ck_assert_int_eq(hit_store_seal(s), ERR_OK);
	ck_assert_int_eq(hit_store_seal(s), ERR_OK); /* nothing more to do */
	ck_assert_uint_eq(hit_store_segment(s)->runs, 1);
	ck_assert_uint_eq(hit_store_segment(s)->sums_row, ROWS);
	hit_store_close(s);
	s = open_segment(1, HIT_STORE_READ);
	ck_assert_int_eq(hit_store_page(s, &page, HIT_TAG_RUN, 0, 0, HIT_PAGE_AT), 1);
	ck_assert_int_eq(hit_run_read(&run, page.bytes, page.len), ERR_OK);
	ck_assert_uint_eq(run.first_row, 0);
	ck_assert_uint_eq(run.end_row, ROWS);
	ck_assert_uint_eq(run.hits, hit_store_segment(s)->hits);
	want_all(0, ROWS);
	fold_wanted();
	check_table(s, 0, &run, false);
	check_table(s, 0, &run, true);
	hit_store_close(s);
}
END_TEST

/* ---- tables of days ---- */

static struct {
	uint64_t hits[HOURS], pairs[2 * RULES];
	uint32_t first_s, last_s;
} told[256];
static uint64_t told_rule[2 * RULES];

static void tell_clients(struct hit_store *s, uint32_t number, const struct hit_run *run)
{
	static struct hit_walk walk;
	struct hit_day_client c;
	uint64_t hits = 0, before = 0;
	ck_assert_int_eq(
		hit_walk_open(&walk, s, HIT_TAG_DAY_CLIENTS, number, run, 0, UINT64_MAX),
		ERR_OK);
	for (; hit_walk_next_client(&walk, &c) == 1; before = c.id + 1) {
		ck_assert_uint_ge(c.id, before);
		unsigned n = client_number(c.id);
		for (unsigned h = 0; h < HIT_DAY_HOURS; h++)
			if (c.hours >> h & 1)
				told[n].hits[run->base_hour + h - base_hour] +=
					c.in_hour[h];
		if (!told[n].first_s || c.first_s < told[n].first_s)
			told[n].first_s = c.first_s;
		told[n].last_s = c.last_s > told[n].last_s ? c.last_s : told[n].last_s;
		hits += c.hits;
	}
	ck_assert_uint_eq(hits, run->hits);
}

static void tell_rules(struct hit_store *s, uint32_t number, const struct hit_run *run)
{
	static struct hit_walk walk;
	static struct hit_walk_sums sums;
	struct hit_head head;
	uint64_t client, hits;
	ck_assert_int_eq(
		hit_walk_open(&walk, s, HIT_TAG_DAY_RULES, number, run, 0, UINT64_MAX),
		ERR_OK);
	hit_walk_sums_init(&sums, s, HIT_TAG_DAY_PAIRS, number, run);
	while (hit_walk_next(&walk, &head) == 1) {
		uint32_t entry = entry_of(s, (uint32_t)head.id);
		told_rule[entry] += head.hits;
		ck_assert_uint_ge(head.first_s / HIT_DAY_S,
				  run->base_hour / HIT_DAY_HOURS);
		ck_assert_uint_le(head.last_s / HIT_HOUR_S, run->last_hour);
		ck_assert_int_eq(hit_walk_sums_open(&sums, &head), ERR_OK);
		while (hit_walk_pairs_next(&sums, &client, &hits) == 1)
			told[client_number(client)].pairs[entry] += hits;
	}
}

/* Whatever the tables tell is in the rows. */
static void check_told(void)
{
	for (unsigned c = 0; c < 256; c++) {
		uint32_t first = UINT32_MAX, last = 0;
		for (unsigned t = 0; t < HOURS; t++) {
			uint64_t begin_s = (base_hour + t) * 3600;
			for (unsigned r = 0; r < 2 * RULES; r++) {
				const struct hit_sum *w = &want[r][c][t];
				if (!w->hits)
					continue;
				uint32_t from = (uint32_t)(begin_s + w->first_ms / 1000);
				uint32_t to = (uint32_t)(begin_s + w->last_ms / 1000);
				first = from < first ? from : first;
				last = to > last ? to : last;
				told[c].hits[t] -= w->hits;
				told[c].pairs[r] -= w->hits;
				told_rule[r] -= w->hits;
			}
			ck_assert_uint_eq(told[c].hits[t], 0);
		}
		if (last)
			ck_assert_uint_eq(told[c].first_s, first);
		ck_assert_uint_eq(told[c].last_s, last);
		for (unsigned r = 0; r < 2 * RULES; r++)
			ck_assert_uint_eq(told[c].pairs[r], 0);
	}
	for (unsigned r = 0; r < 2 * RULES; r++)
		ck_assert_uint_eq(told_rule[r], 0);
}

START_TEST(tables_are_those_of_the_rows)
{
	struct hit_day day;
	struct hit_store *s = make(1, 0);
	uint32_t runs = 0;
	hit_store_make_many_runs(s);
	put_all(s, 0, ROWS, 1500);
	ck_assert_uint_gt(hit_store_segment(s)->tables, 0);
	ck_assert_int_eq(hit_store_begin(s), ERR_OK); /* in vain */
	hit_store_abort(s);
	ck_assert_int_eq(hit_store_seal(s), ERR_OK);
	hit_store_close(s);
	s = open_segment(1, HIT_STORE_READ);
	ck_assert_uint_gt(hit_store_segment(s)->runs, HIT_STORE_DAY_RUNS);
	ck_assert_uint_eq(hit_store_segment(s)->tabled_runs, hit_store_segment(s)->runs);
	want_all(0, ROWS);
	fold_wanted();
	memset(told, 0, sizeof told);
	memset(told_rule, 0, sizeof told_rule);
	for (uint32_t i = 0; i < hit_store_segment(s)->tables; i++) {
		ck_assert_int_eq(hit_walk_day(&day, s, i), ERR_OK);
		ck_assert(day.first_run == runs || day.end_run == runs);
		runs = day.end_run;
		const struct hit_run run = hit_walk_day_run(&day);
		tell_clients(s, i, &run);
		tell_rules(s, i, &run);
	}
	ck_assert_uint_eq(runs, hit_store_segment(s)->runs);
	check_told();
	hit_store_close(s);
}
END_TEST

/* ---- rows that two segments hold ---- */

START_TEST(a_failed_commit_counts_once)
{
	struct hit_read_totals t;
	struct hit_store *s = make(1, 0);
	put_all(s, 0, 1000,
		100); /* the last 100 "failed": all was written all the same */
	hit_store_close(s);
	s = make(2, 900);
	put_all(s, 900, 1500, 100);
	hit_store_close(s);
	ck_assert_uint_eq(check_rows(), 1500);
	ck_assert_int_eq(hit_read_totals(&t, conf()), ERR_OK);
	ck_assert_uint_eq(t.records, 1500);
	ck_assert_uint_eq(t.repeated, 100);
	uint64_t hits = 0;
	for (unsigned i = 0; i < 1500; i++)
		hits += count_of(i);
	ck_assert_uint_eq(t.hits, hits);
	/* One of twenty rings took every second number. */
	ck_assert_uint_eq(t.missing, 49 + 29);
}
END_TEST

/* The way and the rule of a record that passed its check are bytes like any other: what
 * cannot be read again is left out, and what stands beside it is stored. */
START_TEST(words_that_are_none_are_left_out)
{
	enum { N = HIT_STORE_GROUP };
	static uint8_t packed[N][HIT_PACKED_MAX];
	struct hit_record records[N];
	struct hit_store *s = make(1, 0);
	unsigned good = 0;
	for (unsigned i = 0; i < N; i++) {
		struct hit h;
		vary(&h, i);
		const struct hit_source source = hit_source_of(&h);
		const struct hit_origin origin = {.boot = 5, .sequence = i + 1};
		size_t len = hit_pack(packed[i], &source, &origin);
		ck_assert_int_eq(hit_record_read(&records[i], packed[i], len), ERR_OK);
		uint8_t *way = packed[i] + (records[i].way - packed[i]);
		uint8_t *rule = packed[i] + (records[i].rule - packed[i]);
		if (i % 5 == 1) /* text of the category is longer than that */
			rule[records[i].rule_len - 3]++;
		if (i % 5 == 2) /* an address of family 5 */
			way[records[i].way_len - 1] = 5;
		records[i].hash = hit_record_hash(packed[i], len);
		records[i].count = 1;
	}
	ck_assert_int_eq(hit_store_begin(s), ERR_OK);
	ck_assert_int_eq(hit_store_put(s, records, N), ERR_OK);
	ck_assert_int_eq(hit_store_commit(s), ERR_OK);
	for (unsigned i = 0; i < N; i++) {
		ck_assert_uint_eq(records[i].count, i % 5 != 1 && i % 5 != 2);
		good += records[i].count;
	}
	ck_assert_uint_eq(hit_store_segment(s)->end_row, good);
	hit_store_close(s);
	struct hit_reader *r;
	struct hit_row row;
	ck_assert_int_eq(hit_read_open(&r, conf()), ERR_OK);
	while (hit_read_next(r, &row) == 1)
		good--;
	ck_assert_uint_eq(good, 0);
	hit_read_close(r);
}
END_TEST

UNIT_SUITE("hit_store", rows_come_back, a_stopped_reader_wastes_little, readers_die,
	   aborted_leaves_nothing, sums_are_those_of_the_rows,
	   tables_are_those_of_the_rows, a_failed_commit_counts_once,
	   words_that_are_none_are_left_out)
