/* The commands that compare times: timeline, new, cleaned, compare. */
#include <time.h>
#include <unistd.h>

#include "tools/hits_adding.h"

enum {
	HOUR_S = 3600,
	DAY_S = 86400,
	HOURS_UP_TO_S = 3 * DAY_S, /* longer spans are shown by day */
	BUCKETS_MAX = 100000,	   /* eleven years of hours */
	BAR_MAX = 40,
	BEFORE_DAYS = 30, /* new and cleaned look back so far */
};

/* For all of them: numbers about few persons are about persons. */
#define OPTION_MIN_CLIENTS(to)                                                        \
	{                                                                             \
		"min-clients", CLI_NUMBER, to, "K",                                   \
			"for others: withhold numbers of fewer clients", 0, INT32_MAX \
	}

/* ---- timeline ---- */

static const struct cli_column timeline_columns[] = {
	{"time", false}, {"hits", true}, {"clients", true}, {NULL, false}};
static const struct cli_column timeline_chart[] = {{"time", false},
						   {"hits", true},
						   {"clients", true},
						   {"chart", false},
						   {NULL, false}};
static const struct cli_column timeline_leaves[] = {{"time", false},
						    {"hits", true},
						    {"clients", true},
						    {"evidence", false},
						    {NULL, false}};

struct bucket {
	uint64_t at, hits; /* at: in widths since 1970 */
	struct hits_set clients;
};

struct timeline {
	uint32_t width_s;
	struct bucket *bucket; /* by at, without those between that are empty */
	size_t n, room, last;
	size_t min_clients; /* 0 = an analyst's own */
};

/* The bucket of that time; hits come nearly in order. */
static struct bucket *bucket_at(struct timeline *t, uint64_t at)
{
	if (t->last < t->n && t->bucket[t->last].at == at)
		return &t->bucket[t->last];
	size_t i = t->n;
	while (i > 0 && t->bucket[i - 1].at > at)
		i--;
	if (i > 0 && t->bucket[i - 1].at == at) {
		t->last = i - 1;
		return &t->bucket[i - 1];
	}
	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 64;
		void *more = realloc(t->bucket, room * sizeof *t->bucket);
		if (!more)
			return NULL;
		t->bucket = more;
		t->room = room;
	}
	memmove(&t->bucket[i + 1], &t->bucket[i], (t->n - i) * sizeof *t->bucket);
	t->bucket[i] = (struct bucket){.at = at};
	t->n++;
	t->last = i;
	return &t->bucket[i];
}

static int add_to_bucket(void *arg, const struct hits_item *i)
{
	struct timeline *t = arg;
	struct bucket *b = bucket_at(t, i->first_s / t->width_s);
	if (!b)
		return ERR_NOMEM;
	b->hits += i->hits;
	int got = hits_set_add(&b->clients, i->client);
	return got < 0 ? got : ERR_OK;
}

static void print_bucket(struct cli_table *out, uint64_t at_s, uint64_t hits,
			 uint64_t clients, uint64_t most)
{
	char n[HITS_NUMBER_TEXT_MAX], c[HITS_NUMBER_TEXT_MAX], time[CLI_TIME_TEXT_MAX];
	char bar[BAR_MAX + 1];
	size_t len = most ? (size_t)((double)hits / (double)most * BAR_MAX + 0.5) : 0;
	len = hits && !len ? 1 : len;
	memset(bar, '#', len);
	bar[len] = 0;
	cli_time_text(time, (int64_t)at_s);
	/* An empty bar is a space: "" would be shown as "-". */
	cli_table_row(out, (const char *[]){time, hits_number(n, hits),
					    hits_number(c, clients), len ? bar : " "});
}

/* Instead of numbers of few clients nothing; that there are none is no secret. */
static void print_leaving(struct cli_table *out, uint64_t at_s, const struct bucket *b,
			  size_t min_clients)
{
	char n[HITS_NUMBER_TEXT_MAX], c[HITS_NUMBER_TEXT_MAX], time[CLI_TIME_TEXT_MAX];
	bool few = b->clients.n && b->clients.n < min_clients;
	cli_table_row(out, (const char *[]){cli_time_text(time, (int64_t)at_s),
					    few ? "" : hits_number(n, b->hits),
					    few ? "" : hits_number(c, b->clients.n),
					    HITS_EVIDENCE});
}

static int print_timeline(struct hits *h, const struct timeline *t)
{
	const struct bucket none = {0};
	bool chart = isatty(STDOUT_FILENO) && !h->cli.json;
	struct hits_headings used;
	uint64_t most = 0;
	size_t next = 0;
	struct cli_table *out = hits_table(&used, h,
					   t->min_clients ? timeline_leaves
					   : chart	  ? timeline_chart
							  : timeline_columns);
	if (!out)
		return cli_fail("out of memory");
	for (size_t i = 0; i < t->n; i++)
		most = t->bucket[i].hits > most ? t->bucket[i].hits : most;
	uint64_t last = t->n ? t->bucket[t->n - 1].at : 0;
	uint64_t at = t->n ? t->bucket[0].at : 1;
	if (last > BUCKETS_MAX && last - BUCKETS_MAX > at)
		at = last - BUCKETS_MAX;
	for (; at <= last; at++) {
		while (t->bucket[next].at < at)
			next++;
		const struct bucket *b = &t->bucket[next];
		b = b->at == at ? b : &none;
		if (t->min_clients)
			print_leaving(out, at * t->width_s, b, t->min_clients);
		else
			print_bucket(out, at * t->width_s, b->hits, b->clients.n, most);
	}
	cli_table_close(out);
	if (!t->n)
		hits_note(h, "no hits\n");
	return CLI_DONE;
}

/* Hours for short spans, days for long ones. */
static int choose_width(uint32_t *width_s, const struct hits *h, const char *by)
{
	uint64_t min_us = UINT64_MAX, max_us = 0;
	if (by && strcmp(by, "hour") != 0 && strcmp(by, "day") != 0)
		return cli_fail("--by takes hour or day, not \"%s\"", by);
	for (uint32_t i = 0; i < h->log.segments; i++) {
		const struct hit_segment *g =
			hit_store_segment(h->log.segment[i].of.store);
		min_us = g->min_us < min_us ? g->min_us : min_us;
		max_us = g->max_us > max_us ? g->max_us : max_us;
	}
	uint64_t from = h->since_us > min_us ? h->since_us : min_us;
	uint64_t to = h->until_us && h->until_us < max_us ? h->until_us : max_us;
	bool hours = by ? *by == 'h'
			: to < from || to - from <= (uint64_t)HOURS_UP_TO_S * 1000000;
	*width_s = hours ? HOUR_S : DAY_S;
	return CLI_GO;
}

int hits_timeline(const struct cli_command *self, int argc, char **argv)
{
	struct hits h;
	struct timeline t = {0};
	const char *by = NULL;
	long min_clients = 0;
	const struct cli_option extra[] = {
		{"by", CLI_TEXT, &by, "hour|day", "width of a row", 0, 0},
		OPTION_MIN_CLIENTS(&min_clients),
		{0}};
	int status = hits_parse(&h, self, extra, 0, 0, argc, argv);
	t.min_clients = (size_t)min_clients;
	if (status == CLI_GO)
		status = hits_sums_open(&h, UINT64_MAX);
	if (status == CLI_GO)
		status = choose_width(&t.width_s, &h, by);
	struct hits_scan scan = {.since_us = h.since_us,
				 .until_us = h.until_us,
				 .by = HITS_BY_CLIENT | HITS_UNTIMED,
				 .width_s = t.width_s,
				 .item = add_to_bucket,
				 .arg = &t};
	if (status == CLI_GO)
		status = hits_add_up(&h, &scan);
	if (status == CLI_GO)
		status = print_timeline(&h, &t);
	for (size_t i = 0; i < t.n; i++)
		hits_set_fini(&t.bucket[i].clients);
	free(t.bucket);
	return hits_close(&h, status);
}

/* ---- two spans of time ---- */

#define WITHHELD UINT64_MAX /* for a number of hits */

struct spans {
	struct hits h;
	struct hits_adding before, now;
	uint64_t before_us, since_us; /* before..since, since..until */
	long min_clients;
};

/* What is shown, and where its span begins. */
static int spans_read(struct spans *s, const struct cli_command *self,
		      const char *usual_since)
{
	const char *what = s->h.cli.operands_n ? s->h.cli.operands[0] : "clients";
	int kind = hits_kind_from_text(what);
	if (kind < 0 || kind == HITS_NAMES)
		return cli_fail("%s shows %s, not \"%s\"", self->name, self->operands,
				what);
	if (s->min_clients && kind == HITS_CLIENTS)
		return cli_fail("%s of clients tells who they are: with --min-clients "
				"take families, entries, lists or categories",
				self->name);
	if (!s->h.since)
		s->h.since = usual_since;
	int status = hits_time(&s->since_us, "since", s->h.since);
	if (status == CLI_GO)
		status = hits_adding_init(&s->before, &s->h, (enum hits_kind)kind);
	if (status == CLI_GO)
		status = hits_adding_init(&s->now, &s->h, (enum hits_kind)kind);
	return status;
}

static int spans_add(struct spans *s)
{
	int status = hits_sums_open(&s->h, s->before_us);
	if (status == CLI_GO)
		status = hits_adding_scan(&s->before, s->before_us, s->since_us);
	/* The rules know their keys by now: both have the same. */
	struct hit_words empty = s->now.keys;
	s->now.keys = s->before.keys;
	s->before.keys = empty;
	return status == CLI_GO ? hits_adding_scan(&s->now, s->since_us, s->h.until_us)
				: status;
}

/* That long before since, but not before 1970. */
static uint64_t back_from(uint64_t since_us, uint64_t span_us)
{
	return since_us > span_us ? since_us - span_us : 0;
}

/* Groups of fewer clients than may be told have no hits from now on. */
static int withhold(struct spans *s, struct hits_adding *of, uint64_t since_us,
		    uint64_t until_us)
{
	struct hits_adding a = *of;
	size_t *distinct = calloc(a.groups.n + 1, sizeof *distinct);
	if (!distinct)
		return cli_fail("out of memory");
	a.keys = s->now.keys; /* both have the same */
	int status = hits_adding_distinct(&a, distinct, a.groups.n, since_us, until_us);
	for (size_t i = 0; i < a.groups.n; i++)
		if (distinct[i] < (size_t)s->min_clients)
			a.groups.group[i].hits = WITHHELD;
	free(distinct);
	return status;
}

static int spans_withhold(struct spans *s)
{
	if (!s->min_clients)
		return CLI_GO;
	int status = withhold(s, &s->before, s->before_us, s->since_us);
	return status == CLI_GO ? withhold(s, &s->now, s->since_us, s->h.until_us)
				: status;
}

/* These columns, and evidence when it is for others. */
static struct cli_table *spans_table(struct hits_headings *used, const struct spans *s,
				     const struct cli_column *columns)
{
	struct cli_column column[CLI_COLUMNS_MAX];
	int n = 0;
	for (; columns[n].name; n++)
		column[n] = columns[n];
	if (s->min_clients)
		column[n++] = (struct cli_column){"evidence", false};
	column[n].name = NULL;
	return hits_table(used, &s->h, column);
}

/* Which spans these are, as the options and their defaults made them. */
static void note_spans(const struct spans *s)
{
	char before[CLI_TIME_TEXT_MAX], since[CLI_TIME_TEXT_MAX];
	char until[CLI_TIME_TEXT_MAX] = "now";
	if (s->h.until_us)
		cli_time_text(until, (int64_t)(s->h.until_us / 1000000));
	cli_time_text(since, (int64_t)(s->since_us / 1000000));
	hits_note(&s->h, "before: from %s; now: from %s until %s\n",
		  s->before_us ? cli_time_text(before, (int64_t)(s->before_us / 1000000))
			       : "the beginning",
		  since, until);
}

static int spans_close(struct spans *s, int status)
{
	hits_adding_fini(&s->before);
	hits_adding_fini(&s->now);
	return hits_close(&s->h, status);
}

static const struct cli_column change_columns[HITS_KIND_N][7] = {
	[HITS_ENTRIES] = {{"entry", false},
			  {"hits", true},
			  {"first", false},
			  {"last", false},
			  {"list", false},
			  {"family", false},
			  {NULL, false}},
	[HITS_CLIENTS] = {{"client", false},
			  {"hits", true},
			  {"first", false},
			  {"last", false},
			  {NULL, false}},
	[HITS_FAMILIES] = {{"family", false},
			   {"hits", true},
			   {"first", false},
			   {"last", false},
			   {NULL, false}},
	[HITS_LISTS] = {{"list", false},
			{"hits", true},
			{"first", false},
			{"last", false},
			{NULL, false}},
	[HITS_CATEGORIES] = {{"category", false},
			     {"hits", true},
			     {"first", false},
			     {"last", false},
			     {NULL, false}},
	[HITS_ACTIONS] = {{"action", false},
			  {"hits", true},
			  {"first", false},
			  {"last", false},
			  {NULL, false}},
};

static void print_changed(struct spans *s, struct hits_adding *a, struct cli_table *out,
			  const struct hits_group *g)
{
	char hits[HITS_NUMBER_TEXT_MAX];
	char first[CLI_TIME_TEXT_MAX], last[CLI_TIME_TEXT_MAX];
	struct hits_label label;
	bool entry = a->kind == HITS_ENTRIES;
	hits_adding_label(&s->now, &label, g);
	cli_table_row(out, (const char *[]){label.text, hits_number(hits, g->hits),
					    hits_adding_time(a, first, &g->first),
					    hits_adding_time(a, last, &g->last),
					    entry ? label.list : HITS_EVIDENCE,
					    label.family, HITS_EVIDENCE});
}

static void note_withheld(const struct spans *s, size_t rows)
{
	if (rows)
		hits_note(&s->h, "%zu rows of fewer than %ld clients are withheld\n",
			  rows, s->min_clients);
}

/* The groups of a that b does not have; labels from keys. */
static int print_difference(struct spans *s, struct hits_adding *a,
			    const struct hits_groups *b)
{
	struct hits_headings used;
	struct cli_table *out = spans_table(&used, s, change_columns[a->kind]);
	size_t limit = s->h.limit ? (size_t)s->h.limit : SIZE_MAX;
	size_t n = 0, withheld = 0;
	if (!out)
		return cli_fail("out of memory");
	hits_groups_sort(&a->groups);
	for (size_t i = 0; i < a->groups.n; i++) {
		const struct hits_group *g = &a->groups.group[i];
		if (hits_groups_find(b, g->id))
			continue;
		if (g->hits == WITHHELD) {
			withheld++;
			continue;
		}
		if (n++ < limit)
			print_changed(s, a, out, g);
	}
	cli_table_close(out);
	hits_adding_note(a, n < limit ? n : limit, n);
	note_withheld(s, withheld);
	note_spans(s);
	if (!n && !withheld)
		hits_note(&s->h, "none\n");
	return CLI_DONE;
}

static int change(const struct cli_command *self, int argc, char **argv,
		  const char *usual_since, bool is_new)
{
	struct spans s = {0};
	long days = BEFORE_DAYS;
	const struct cli_option extra[] = {{"days", CLI_NUMBER, &days, "N",
					    "look so many days back before --since", 1,
					    10000},
					   OPTION_MIN_CLIENTS(&s.min_clients),
					   {0}};
	int status = hits_parse(&s.h, self, extra, 0, 1, argc, argv);
	if (status == CLI_GO)
		status = spans_read(&s, self, usual_since);
	s.before_us = back_from(s.since_us, (uint64_t)days * DAY_S * 1000000);
	if (status == CLI_GO)
		status = spans_add(&s);
	if (status == CLI_GO)
		status = spans_withhold(&s);
	if (status == CLI_GO)
		status = is_new ? print_difference(&s, &s.now, &s.before.groups)
				: print_difference(&s, &s.before, &s.now.groups);
	return spans_close(&s, status);
}

int hits_new(const struct cli_command *self, int argc, char **argv)
{
	return change(self, argc, argv, "1d", true);
}

int hits_cleaned(const struct cli_command *self, int argc, char **argv)
{
	return change(self, argc, argv, "7d", false);
}

/* ---- compare ---- */

static const struct cli_column compare_columns[] = {
	{"what", false}, {"before", true},  {"now", true}, {"change", true},
	{"list", false}, {"family", false}, {NULL, false}};

struct change {
	uint64_t id, before, now;
};

static uint64_t distance(const struct change *c)
{
	return c->now > c->before ? c->now - c->before : c->before - c->now;
}

static int by_distance(const void *a, const void *b)
{
	uint64_t x = distance(a), y = distance(b);
	return (x < y) - (x > y);
}

/* Without rows where a side is withheld. */
static size_t pair_up(struct change *out, const struct spans *s, size_t *withheld)
{
	size_t n = 0;
	for (size_t i = 0; i < s->now.groups.n; i++) {
		const struct hits_group *g = &s->now.groups.group[i];
		const struct hits_group *b = hits_groups_find(&s->before.groups, g->id);
		out[n++] = (struct change){g->id, b ? b->hits : 0, g->hits};
	}
	for (size_t i = 0; i < s->before.groups.n; i++) {
		const struct hits_group *g = &s->before.groups.group[i];
		if (!hits_groups_find(&s->now.groups, g->id))
			out[n++] = (struct change){g->id, g->hits, 0};
	}
	size_t kept = 0;
	for (size_t i = 0; i < n; i++)
		if (out[i].before != WITHHELD && out[i].now != WITHHELD)
			out[kept++] = out[i];
	*withheld = n - kept;
	qsort(out, kept, sizeof *out, by_distance);
	return kept;
}

static int print_compared(struct spans *s)
{
	struct hits_headings used;
	size_t room = s->now.groups.n + s->before.groups.n + 1;
	struct change *changes = calloc(room, sizeof *changes);
	struct cli_table *out = spans_table(&used, s, compare_columns);
	if (!changes || !out) {
		free(changes);
		return cli_fail("out of memory");
	}
	size_t withheld, all = pair_up(changes, s, &withheld), n = all;
	if (s->h.limit && n > (size_t)s->h.limit)
		n = (size_t)s->h.limit;
	for (size_t i = 0; i < n; i++) {
		const struct change *c = &changes[i];
		const struct hits_group g = {.id = c->id};
		char before[HITS_NUMBER_TEXT_MAX], now[HITS_NUMBER_TEXT_MAX];
		char by[HITS_NUMBER_TEXT_MAX];
		struct hits_label label;
		hits_adding_label(&s->now, &label, &g);
		snprintf(by, sizeof by, "%lld", (long long)(c->now - c->before));
		cli_table_row(out,
			      (const char *[]){label.text, hits_number(before, c->before),
					       hits_number(now, c->now), by, label.list,
					       label.family, HITS_EVIDENCE});
	}
	cli_table_close(out);
	free(changes);
	hits_adding_note(&s->now, n, all);
	note_withheld(s, withheld);
	note_spans(s);
	return CLI_DONE;
}

int hits_compare(const struct cli_command *self, int argc, char **argv)
{
	struct spans s = {0};
	const char *before = NULL;
	const struct cli_option extra[] = {
		{"before", CLI_TEXT, &before, "TIME",
		 "the span before begins then; usually both are equally long", 0, 0},
		OPTION_MIN_CLIENTS(&s.min_clients),
		{0}};
	int status = hits_parse(&s.h, self, extra, 0, 1, argc, argv);
	if (status == CLI_GO)
		status = spans_read(&s, self, "1d");
	uint64_t until_us = (uint64_t)time(NULL) * 1000000;
	if (status == CLI_GO && s.h.until)
		status = hits_time(&until_us, "until", s.h.until);
	s.before_us =
		back_from(s.since_us, until_us > s.since_us ? until_us - s.since_us : 0);
	if (status == CLI_GO && before)
		status = hits_time(&s.before_us, "before", before);
	if (status == CLI_GO)
		status = spans_add(&s);
	if (status == CLI_GO)
		status = spans_withhold(&s);
	if (status == CLI_GO)
		status = print_compared(&s);
	return spans_close(&s, status);
}
