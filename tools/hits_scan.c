#include "tools/hits_scan.h"

#include <stdlib.h>

#include "resolver/hit_walk.h"
#include "tools/hits_guard.h"
#include "tools/hits_pick.h"

enum { HEADS_AT_ONCE = 16 };

/* ---- a scan ---- */

struct scanning {
	struct hits_log *log;
	const struct hits_scan *scan;
	struct hits_segment *seg;
	uint32_t segment;
	bool rules, name;	     /* the filter asks for rules; for a question */
	uint64_t from, to;	     /* clients, as numbers */
	uint64_t hour_from, hour_to; /* whole hours of the span */
	struct hit_walk heads;
	struct hit_walk_sums sums;
};

static bool sums_can_tell(const struct scanning *s)
{
	const struct prefix *p = &s->log->filter.client;
	return !s->name && (p->addr.family != 6 || p->bits <= 56);
}

static bool is_wanted(const struct scanning *s, uint32_t rule)
{
	return !s->rules ||
	       (rule < s->seg->rules_n && s->log->rule[s->seg->rules[rule]].wanted);
}

static int tell(struct scanning *s, struct hits_item *item)
{
	item->segment = s->segment;
	if (s->scan->by & HITS_BY_RULE) {
		if (item->rule >= s->seg->rules_n)
			return ERR_DAMAGED;
		item->rule = s->seg->rules[item->rule];
	}
	return s->scan->item(s->scan->arg, item);
}

/* The whole of it lies in whole hours of the span and in one stretch of width_s. */
static bool is_inside(const struct scanning *s, uint32_t first_s, uint32_t last_s)
{
	uint32_t width = s->scan->width_s;
	return first_s / HIT_HOUR_S >= s->hour_from && last_s / HIT_HOUR_S < s->hour_to &&
	       (!width || first_s / width == last_s / width);
}

static int tell_sum(struct scanning *s, const struct hit_sum *sum, bool timed)
{
	if (sum->hour < s->hour_from || sum->hour >= s->hour_to ||
	    sum->client < s->from || sum->client > s->to || !is_wanted(s, sum->rule))
		return 0;
	uint32_t begin_s = sum->hour * HIT_HOUR_S;
	struct hits_item item = {
		.rule = sum->rule,
		.client = sum->client,
		.hits = sum->hits,
		.first_s = timed ? begin_s + sum->first_ms / 1000 : begin_s,
		.last_s =
			timed ? begin_s + sum->last_ms / 1000 : begin_s + HIT_HOUR_S - 1,
		.hour = !timed,
		.row = sum->row,
		.row_last = sum->row_last,
	};
	return tell(s, &item);
}

static int scan_sums(struct scanning *s, const struct hit_head *head, bool by_client)
{
	struct hit_sum sum;
	int got, err = hit_walk_sums_open(&s->sums, head);
	while (!err && (got = hit_walk_sums_next(&s->sums, &sum)) != 0)
		err = got < 0 ? got : tell_sum(s, &sum, by_client);
	return err;
}

/* Whether the head alone says all that is asked. */
static bool head_is_enough(const struct scanning *s, const struct hit_head *h,
			   bool by_client)
{
	bool filtered = by_client ? s->rules : s->from != 0 || s->to != UINT64_MAX;
	int more = by_client ? HITS_BY_RULE : HITS_BY_CLIENT;
	return !filtered && !(s->scan->by & (more | HITS_BY_SUM)) &&
	       is_inside(s, h->first_s, h->last_s);
}

static int tell_head(struct scanning *s, const struct hit_head *h, bool by_client)
{
	struct hits_item item = {
		.rule = by_client ? 0 : (uint32_t)h->id,
		.client = by_client ? h->id : 0,
		.hits = h->hits,
		.first_s = h->first_s,
		.last_s = h->last_s,
		.row = UINT64_MAX,
		.row_last = UINT64_MAX,
	};
	return tell(s, &item);
}

/* By client when that is asked and rules are not, or when clients are few. */
static bool take_clients(const struct scanning *s)
{
	if (s->from != 0 || s->to != UINT64_MAX)
		return true;
	return s->scan->by & HITS_BY_CLIENT && !s->rules && !(s->scan->by & HITS_BY_RULE);
}

static int scan_run(struct scanning *s, uint32_t number)
{
	const struct hit_run *run = &s->seg->run[number];
	struct hit_head head;
	bool by_client = take_clients(s);
	int got = 0;
	if (run->base_hour >= s->hour_to || run->last_hour < s->hour_from)
		return ERR_OK;
	int err = hit_walk_open(&s->heads, s->seg->of.store,
				by_client ? HIT_TAG_CLIENT_HEADS : HIT_TAG_RULE_HEADS,
				number, run, by_client ? s->from : 0,
				by_client ? s->to : UINT64_MAX);
	hit_walk_sums_init(&s->sums, s->seg->of.store,
			   by_client ? HIT_TAG_CLIENT_SUMS : HIT_TAG_RULE_SUMS, number,
			   run);
	while (!err && (got = hit_walk_next(&s->heads, &head)) == 1) {
		if (head.first_s / HIT_HOUR_S >= s->hour_to ||
		    head.last_s / HIT_HOUR_S < s->hour_from ||
		    (!by_client && !is_wanted(s, (uint32_t)head.id)))
			continue;
		err = head_is_enough(s, &head, by_client)
			      ? tell_head(s, &head, by_client)
			      : scan_sums(s, &head, by_client);
	}
	err = err ? err : got;
	return !err && *s->scan->interrupted ? ERR_STOPPED : err;
}

/* ---- tables of days ---- */

enum day_use {
	DAY_NOT,     /* its runs must tell */
	DAY_RULES,   /* hits of each rule */
	DAY_CLIENTS, /* hits of each client */
	DAY_HOURS,   /* of each client and hour */
	DAY_PAIRS,   /* of each rule and client */
};

static enum day_use use_of_day(const struct scanning *s, uint32_t hour)
{
	int by = s->scan->by;
	bool whole = hour >= s->hour_from && hour + HIT_DAY_HOURS <= s->hour_to;
	bool untimed = by & HITS_UNTIMED;
	bool hours = s->scan->width_s % HIT_DAY_S != 0;
	bool all_clients = s->from == 0 && s->to == UINT64_MAX;
	if (by & HITS_BY_SUM)
		return DAY_NOT;
	if ((by & HITS_BY_CLIENT) && !(by & HITS_BY_RULE) && !s->rules)
		return whole && !hours ? DAY_CLIENTS : untimed ? DAY_HOURS : DAY_NOT;
	if (!whole || hours || !all_clients)
		return DAY_NOT;
	return !(by & HITS_BY_CLIENT) ? DAY_RULES : untimed ? DAY_PAIRS : DAY_NOT;
}

static int tell_hours(struct scanning *s, const struct hit_day_client *c, uint32_t hour)
{
	int err = ERR_OK;
	for (uint32_t bits = c->hours; !err && bits; bits &= bits - 1) {
		unsigned i = (unsigned)__builtin_ctz(bits);
		if (hour + i < s->hour_from || hour + i >= s->hour_to)
			continue;
		struct hits_item item = {
			.client = c->id,
			.hits = c->in_hour[i],
			.first_s = (hour + i) * HIT_HOUR_S,
			.last_s = (hour + i) * HIT_HOUR_S,
			.row = UINT64_MAX,
			.row_last = UINT64_MAX,
		};
		err = tell(s, &item);
	}
	return err;
}

static int tell_client(struct scanning *s, const struct hit_day_client *c)
{
	struct hits_item item = {
		.client = c->id,
		.hits = c->hits,
		.first_s = c->first_s,
		.last_s = c->last_s,
		.row = UINT64_MAX,
		.row_last = UINT64_MAX,
	};
	return tell(s, &item);
}

static int scan_day_clients(struct scanning *s, uint32_t number,
			    const struct hit_run *run, bool hours)
{
	struct hit_day_client c;
	int got = 0, err = hit_walk_open(&s->heads, s->seg->of.store, HIT_TAG_DAY_CLIENTS,
					 number, run, s->from, s->to);
	while (!err && (got = hit_walk_next_client(&s->heads, &c)) == 1)
		err = hours ? tell_hours(s, &c, run->base_hour) : tell_client(s, &c);
	return err ? err : got;
}

static int tell_pairs(struct scanning *s, const struct hit_head *head)
{
	struct hits_item item = {
		.first_s = head->first_s,
		.last_s = head->first_s,
		.row = UINT64_MAX,
		.row_last = UINT64_MAX,
	};
	int got = 0, err = hit_walk_sums_open(&s->sums, head);
	while (!err &&
	       (got = hit_walk_pairs_next(&s->sums, &item.client, &item.hits)) == 1) {
		item.rule = (uint32_t)head->id;
		err = tell(s, &item);
	}
	return err ? err : got;
}

/* The next wanted heads, n of HEADS_AT_ONCE; fewer at the end. */
static int read_heads(struct scanning *s, struct hit_head *heads, unsigned *n)
{
	int got = 1;
	for (*n = 0; *n < HEADS_AT_ONCE; ++*n) {
		do
			got = hit_walk_next(&s->heads, &heads[*n]);
		while (got == 1 && !is_wanted(s, (uint32_t)heads[*n].id));
		if (got != 1)
			return got;
		if (s->scan->soon && heads[*n].id < s->seg->rules_n)
			s->scan->soon(s->scan->arg, s->seg->rules[heads[*n].id]);
	}
	return 1;
}

static int scan_day_rules(struct scanning *s, uint32_t number, const struct hit_run *run,
			  bool pairs)
{
	struct hit_head heads[HEADS_AT_ONCE];
	unsigned n;
	int got, err = hit_walk_open(&s->heads, s->seg->of.store, HIT_TAG_DAY_RULES,
				     number, run, 0, UINT64_MAX);
	hit_walk_sums_init(&s->sums, s->seg->of.store, HIT_TAG_DAY_PAIRS, number, run);
	for (got = 1; !err && got == 1;) {
		got = read_heads(s, heads, &n);
		for (unsigned i = 0; !err && i < n; i++)
			err = pairs ? tell_pairs(s, &heads[i])
				    : tell_head(s, &heads[i], false);
	}
	return err ? err : got;
}

/* What the runs of a table know of its day. */
static int scan_runs_of_day(struct scanning *s, const struct hit_day *day, uint32_t hour)
{
	uint64_t from = s->hour_from, to = s->hour_to;
	int err = ERR_OK;
	s->hour_from = hour > from ? hour : from;
	s->hour_to = hour + HIT_DAY_HOURS < to ? hour + HIT_DAY_HOURS : to;
	for (uint32_t i = day->first_run; !err && i < day->end_run; i++)
		err = scan_run(s, i);
	s->hour_from = from;
	s->hour_to = to;
	return err;
}

static int scan_day(struct scanning *s, uint32_t number)
{
	const struct hit_day *day = &s->seg->table[number];
	const struct hit_run run = hit_walk_day_run(day);
	uint32_t hour = run.base_hour;
	if (hour >= s->hour_to || hour + HIT_DAY_HOURS <= s->hour_from)
		return ERR_OK;
	enum day_use use = use_of_day(s, hour);
	int err = use == DAY_NOT ? scan_runs_of_day(s, day, hour)
		  : use == DAY_RULES || use == DAY_PAIRS
			  ? scan_day_rules(s, number, &run, use == DAY_PAIRS)
			  : scan_day_clients(s, number, &run, use == DAY_HOURS);
	return !err && *s->scan->interrupted ? ERR_STOPPED : err;
}

/* All runs, by their tables where they have some. */
static int scan_runs(struct scanning *s)
{
	const struct hits_segment *seg = s->seg;
	uint32_t run = 0, table = 0;
	int err = ERR_OK;
	while (!err && run < seg->runs) {
		uint32_t end = run + 1;
		if (table == seg->tables || seg->table[table].first_run != run)
			err = scan_run(s, run);
		for (; !err && table < seg->tables && seg->table[table].first_run == run;
		     table++) {
			end = seg->table[table].end_run;
			err = scan_day(s, table);
		}
		run = end;
	}
	return err;
}

/* ---- rows ---- */

static bool is_question(const struct hits_filter *f, const struct hit *h)
{
	if (!f->name)
		return true;
	return f->subtree ? name_within(h->qname, f->name)
			  : name_equal(h->qname, f->name);
}

static int tell_row(struct scanning *s, const struct hit *h, uint32_t rule, uint64_t row)
{
	uint32_t at_s = (uint32_t)(h->time_us / 1000000);
	struct hits_item item = {
		.rule = rule,
		.client = hit_client_id(&h->client),
		.hits = h->count,
		.first_s = at_s,
		.last_s = at_s,
		.row = row,
		.row_last = row,
	};
	return tell(s, &item);
}

static void tell_bad(const struct scanning *s, uint64_t rows)
{
	s->log->trouble(s->log->trouble_arg, s->seg->dir, s->seg->of.file.name, ERR_OK,
			rows);
}

/* Rows from..to in a stretch of time; until 0 = no end. */
static int scan_page(struct scanning *s, struct hit_rows *page, uint64_t from,
		     uint64_t to, uint64_t since_us, uint64_t until_us)
{
	const struct hits_filter *f = &s->log->filter;
	const struct hit_rows_words *words = hit_store_words(s->seg->of.store);
	const struct prefix *only = f->client.addr.family ? &f->client : NULL;
	struct hit h;
	uint32_t rule;
	int got, err = ERR_OK;
	while (!err && (got = hit_rows_next(page, &h, &rule, words, only)) != 0) {
		uint64_t row = page->first + page->at - 1;
		if (row >= to)
			break;
		if (row < from)
			continue;
		if (got < 0)
			tell_bad(s, 1);
		else if (h.time_us >= since_us && (!until_us || h.time_us < until_us) &&
			 is_wanted(s, rule) && is_question(f, &h))
			err = tell_row(s, &h, rule, row);
	}
	return err;
}

static int scan_rows(struct scanning *s, uint64_t from, uint64_t to, uint64_t since_us,
		     uint64_t until_us)
{
	struct hit_rows page;
	uint64_t at = from, next = from;
	enum hit_page_which which = HIT_PAGE_AT;
	int err = ERR_OK;
	while (!err && next < to) {
		int got = hit_store_rows(s->seg->of.store, &page, at, which);
		if (got < 0 && got != ERR_DAMAGED)
			return got;
		at = got ? page.first : HIT_PAGE_LOST;
		which = HIT_PAGE_AFTER;
		if (at > next) /* the page that held them cannot be read, or found */
			tell_bad(s, (at < to ? at : to) - next);
		uint64_t end = got == 1 ? at + page.n : at;
		next = end > next ? end : next;
		if (got != 1 || at >= to)
			continue;
		if (page.max_us >= since_us && (!until_us || page.min_us < until_us))
			err = scan_page(s, &page, from, to, since_us, until_us);
		if (*s->scan->interrupted)
			return ERR_STOPPED;
	}
	return err;
}

static bool reaches(const struct scanning *s, uint64_t since_us, uint64_t until_us)
{
	const struct hit_segment *g = hit_store_segment(s->seg->of.store);
	return since_us < until_us && g->max_us >= since_us && g->min_us < until_us;
}

/* Rows of all runs that reach into that stretch. */
static int scan_rows_of_runs(struct scanning *s, uint64_t since_us, uint64_t until_us)
{
	const uint64_t hour_us = HIT_HOUR_S * 1000000ULL;
	int err = ERR_OK;
	for (uint32_t i = 0; !err && i < s->seg->runs; i++) {
		const struct hit_run *run = &s->seg->run[i];
		if (run->base_hour * hour_us < until_us &&
		    (run->last_hour + 1) * hour_us > since_us)
			err = scan_rows(s, run->first_row, run->end_row, since_us,
					until_us);
	}
	return err;
}

/* What the sums cannot tell of the rows that have them: hours that the span cuts. */
static int scan_cut_hours(struct scanning *s)
{
	const uint64_t hour_us = HIT_HOUR_S * 1000000ULL;
	uint64_t since = s->scan->since_us;
	uint64_t until = s->scan->until_us ? s->scan->until_us : UINT64_MAX;
	uint64_t from_us = s->hour_from * hour_us, to_us = s->hour_to * hour_us;
	int err = ERR_OK;
	if (s->hour_from >= s->hour_to)
		return reaches(s, since, until) ? scan_rows_of_runs(s, since, until)
						: ERR_OK;
	if (reaches(s, since, from_us))
		err = scan_rows_of_runs(s, since, from_us);
	if (!err && s->scan->until_us && reaches(s, to_us, until))
		err = scan_rows_of_runs(s, to_us, until);
	return err;
}

static int scan_picked(struct scanning *s)
{
	struct hit_range *ranges = NULL;
	size_t n = 0;
	int err, got = hits_pick(&s->log->filter, s->seg->of.store, s->seg->of.end,
				 &ranges, &n);
	if (got == 0)
		return scan_rows(s, hit_store_segment(s->seg->of.store)->first_row,
				 s->seg->of.end, s->scan->since_us, s->scan->until_us);
	err = got < 0 ? got : ERR_OK;
	for (size_t i = 0; !err && i < n; i++)
		err = scan_rows(s, ranges[i].from,
				ranges[i].to < s->seg->of.end ? ranges[i].to
							      : s->seg->of.end,
				s->scan->since_us, s->scan->until_us);
	free(ranges);
	return err;
}

static bool needs_rules(const struct scanning *s)
{
	return s->rules || s->scan->by & HITS_BY_RULE;
}

static int scan_segment(void *arg)
{
	struct scanning *s = arg;
	int err = ERR_OK;
	if (needs_rules(s))
		err = hits_log_map(s->log, s->seg);
	if (!err && !sums_can_tell(s))
		return scan_picked(s);
	if (!err)
		err = scan_runs(s);
	if (!err)
		err = scan_cut_hours(s);
	if (!err)
		err = scan_rows(s, s->seg->sums_end, s->seg->of.end, s->scan->since_us,
				s->scan->until_us);
	return err;
}

static struct scanning scanning_of(struct hits_log *log, const struct hits_scan *scan)
{
	const uint64_t hour_us = HIT_HOUR_S * 1000000ULL;
	struct scanning s = {
		.log = log,
		.scan = scan,
		.rules = scan->chosen || hits_filter_has_rules(&log->filter),
		.name = log->filter.name,
		.hour_from = (scan->since_us + hour_us - 1) / hour_us,
		.hour_to =
			scan->until_us ? scan->until_us / hour_us : UINT64_MAX / hour_us,
	};
	hits_filter_clients(&log->filter, &s.from, &s.to);
	return s;
}

/* Makes it the one at work; false: the span does not reach it. */
static bool take_segment(struct scanning *s, uint32_t number)
{
	s->segment = number;
	s->seg = &s->log->segment[number];
	return s->seg->of.store && !s->seg->left_out &&
	       reaches(s, s->scan->since_us,
		       s->scan->until_us ? s->scan->until_us : UINT64_MAX);
}

static bool take_from(struct hits_queue *q, bool from_end, uint32_t *out)
{
	pthread_mutex_lock(&q->lock);
	bool any = q->first < q->end;
	if (any)
		*out = from_end ? --q->end : q->first++;
	pthread_mutex_unlock(&q->lock);
	return any;
}

/* What is done with the one at work; it is left out from then on when it is damaged. */
static int do_with_segment(struct scanning *s, int (*fn)(void *arg))
{
	int err = hits_guard(fn, s);
	if (err != ERR_DAMAGED)
		return err;
	hit_store_let_go(s->seg->of.store);
	s->seg->left_out = true;
	s->log->trouble(s->log->trouble_arg, s->seg->dir, s->seg->of.file.name, err, 0);
	return ERR_OK;
}

static int load_rules(void *arg)
{
	struct scanning *s = arg;
	const struct hit_words *words;
	return hit_store_load_rules(s->seg->of.store, &words);
}

static int map_rules(void *arg)
{
	struct scanning *s = arg;
	return hits_log_map(s->log, s->seg);
}

int hits_scan_load(struct hits_log *log, const struct hits_scan *scan,
		   struct hits_queue *queue, bool from_end)
{
	struct scanning s = scanning_of(log, scan);
	uint32_t number;
	int err = ERR_OK;
	while (!err && needs_rules(&s) && take_from(queue, from_end, &number))
		if (take_segment(&s, number))
			err = do_with_segment(&s, load_rules);
	return err;
}

int hits_scan_map(struct hits_log *log, const struct hits_scan *scan)
{
	struct scanning s = scanning_of(log, scan);
	int err = ERR_OK;
	for (uint32_t i = 0; !err && needs_rules(&s) && i < log->segments; i++)
		if (take_segment(&s, i))
			err = do_with_segment(&s, map_rules);
	return err;
}

int hits_scan(struct hits_log *log, const struct hits_scan *scan,
	      struct hits_queue *queue, bool from_end)
{
	struct scanning s = scanning_of(log, scan);
	uint32_t number;
	int err = ERR_OK;
	while (!err && take_from(queue, from_end, &number))
		if (take_segment(&s, number))
			err = do_with_segment(&s, scan_segment);
	return err;
}
