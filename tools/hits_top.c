/* The commands that add up and show the most: top, entry, family; and summary. */
#include <unistd.h>

#include "tools/hits_adding.h"
#include "tools/hits_guard.h"

enum { TOP_ROWS = 20 }; /* of top, unless --limit says otherwise: one screen */

static int out_of_memory(void)
{
	return cli_fail("out of memory");
}

/* ---- top ---- */

static const struct cli_column top_columns[HITS_KIND_N][8] = {
	[HITS_ENTRIES] = {{"entry", false},
			  {"hits", true},
			  {"clients", true},
			  {"first", false},
			  {"last", false},
			  {"list", false},
			  {"family", false},
			  {NULL, false}},
	[HITS_CLIENTS] = {{"client", false},
			  {"hits", true},
			  {"entries", true},
			  {"first", false},
			  {"last", false},
			  {NULL, false}},
	[HITS_FAMILIES] = {{"family", false},
			   {"hits", true},
			   {"clients", true},
			   {"first", false},
			   {"last", false},
			   {NULL, false}},
	[HITS_LISTS] = {{"list", false},
			{"hits", true},
			{"clients", true},
			{"first", false},
			{"last", false},
			{NULL, false}},
	[HITS_CATEGORIES] = {{"category", false},
			     {"hits", true},
			     {"clients", true},
			     {"first", false},
			     {"last", false},
			     {NULL, false}},
	[HITS_ACTIONS] = {{"action", false},
			  {"hits", true},
			  {"clients", true},
			  {"first", false},
			  {"last", false},
			  {NULL, false}},
	[HITS_NAMES] = {{"name", false},
			{"hits", true},
			{"first", false},
			{"last", false},
			{"list", false},
			{"family", false},
			{NULL, false}},
};

struct top {
	struct hits_adding a;
	size_t min_clients;
	bool leaves; /* is an export */
};

static struct cli_table *open_top(struct hits_headings *used, const struct top *t)
{
	struct cli_column column[CLI_COLUMNS_MAX];
	int n = 0;
	for (; top_columns[t->a.kind][n].name; n++)
		column[n] = top_columns[t->a.kind][n];
	if (t->leaves || t->min_clients)
		column[n++] = (struct cli_column){"evidence", false};
	column[n].name = NULL;
	return hits_table(used, t->a.h, column);
}

static void print_group(struct top *t, struct cli_table *out, const struct hits_group *g,
			size_t distinct)
{
	struct hits_adding *a = &t->a;
	char hits[HITS_NUMBER_TEXT_MAX], others[HITS_NUMBER_TEXT_MAX];
	char first[CLI_TIME_TEXT_MAX], last[CLI_TIME_TEXT_MAX];
	const char *cell[CLI_COLUMNS_MAX];
	struct hits_label label;
	int n = 0;
	hits_adding_label(a, &label, g);
	cell[n++] = label.text;
	cell[n++] = hits_number(hits, g->hits);
	if (a->kind != HITS_NAMES)
		cell[n++] = hits_number(others, distinct);
	cell[n++] = hits_adding_time(a, first, &g->first);
	cell[n++] = hits_adding_time(a, last, &g->last);
	if (a->kind == HITS_ENTRIES || a->kind == HITS_NAMES) {
		cell[n++] = label.list;
		cell[n++] = label.family;
	}
	cell[n] = HITS_EVIDENCE; /* a column only of what leaves */
	cli_table_row(out, cell);
}

/* Of fewer than min_clients clients nothing is shown: it would be about persons. */
static void print_groups(struct top *t, struct cli_table *out, const size_t *distinct,
			 size_t n)
{
	size_t withheld = 0;
	for (size_t i = 0; i < n; i++)
		if (distinct[i] < t->min_clients)
			withheld++;
		else
			print_group(t, out, &t->a.groups.group[i], distinct[i]);
	if (withheld)
		hits_note(t->a.h, "%zu rows of fewer than %zu clients are withheld\n",
			  withheld, t->min_clients);
}

static int print_top(struct top *t)
{
	struct hits_adding *a = &t->a;
	struct hits *h = a->h;
	struct hits_headings used;
	size_t limit = h->limit ? (size_t)h->limit : t->leaves ? SIZE_MAX : TOP_ROWS;
	hits_groups_sort(&a->groups);
	size_t n = a->groups.n < limit ? a->groups.n : limit;
	size_t *distinct = calloc(n + 1, sizeof *distinct);
	int status = distinct ? CLI_GO : out_of_memory();
	if (status == CLI_GO && a->kind != HITS_NAMES)
		status = hits_adding_distinct(a, distinct, n, h->since_us, h->until_us);
	struct cli_table *out = status == CLI_GO ? open_top(&used, t) : NULL;
	if (status == CLI_GO && !out)
		status = out_of_memory();
	if (out) {
		print_groups(t, out, distinct, n);
		cli_table_close(out);
	}
	free(distinct);
	if (!n)
		hits_note(h, "no hits\n");
	hits_adding_note(a, n, a->groups.n);
	return status == CLI_GO ? CLI_DONE : status;
}

int hits_print_top(struct hits *h, const char *what, long min_clients, bool leaves)
{
	struct top t = {.min_clients = (size_t)min_clients, .leaves = leaves};
	int kind = hits_kind_from_text(what);
	if (kind < 0)
		return cli_fail("there are sums of entries, clients, families, lists, "
				"categories, actions and names, not of \"%s\"",
				what);
	if ((min_clients || leaves) && (kind == HITS_CLIENTS || kind == HITS_NAMES))
		return cli_fail("sums of %s do not count clients, so none can be "
				"withheld",
				what);
	int status = hits_adding_init(&t.a, h, (enum hits_kind)kind);
	if (status == CLI_GO)
		status = kind == HITS_NAMES ? hits_rows_open(h, "reading hits")
					    : hits_sums_open(h, UINT64_MAX);
	if (status == CLI_GO)
		status = hits_adding_scan(&t.a, h->since_us, h->until_us);
	if (status == CLI_GO)
		status = print_top(&t);
	hits_adding_fini(&t.a);
	return hits_close(h, status);
}

int hits_top(const struct cli_command *self, int argc, char **argv)
{
	struct hits h;
	long min_clients = 0;
	const struct cli_option extra[] = {
		{"min-clients", CLI_NUMBER, &min_clients, "K",
		 "withhold what fewer clients asked for; default 0", 0, INT32_MAX},
		{0}};
	int status = hits_parse(&h, self, extra, 0, 1, argc, argv);
	if (status != CLI_GO)
		return status;
	return hits_print_top(&h, h.cli.operands_n ? h.cli.operands[0] : "entries",
			      min_clients, false);
}

/* ---- who asked for an entry, for a family; what a client asked for ---- */

static const struct cli_column clients_columns[] = {
	{"client", false}, {"hits", true},     {"first", false},
	{"last", false},   {"address", false}, {"port", true},
	{"time", false},   {"name", false},    {NULL, false}};
static const struct cli_column entries_columns[] = {
	{"entry", false}, {"hits", true},    {"first", false}, {"last", false},
	{"list", false},  {"family", false}, {NULL, false}};

/* With one whole hit as a sample: behind a carrier's NAT only address, port and exact
 * time together find a subscriber. */
static void print_client(struct hits_adding *a, struct cli_table *out,
			 const struct hits_group *g)
{
	char hits[HITS_NUMBER_TEXT_MAX], port[HITS_NUMBER_TEXT_MAX] = "";
	char first[CLI_TIME_TEXT_MAX], last[CLI_TIME_TEXT_MAX];
	char address[ADDR_TEXT_MAX] = "", time[HITS_TIME_TEXT_MAX] = "";
	char name[DNS_NAME_TEXT_MAX] = "";
	struct hits_label label;
	struct hit hit;
	hits_adding_label(a, &label, g);
	if (g->last.row != UINT64_MAX &&
	    hits_log_row(&a->h->log, &hit, g->last.segment, g->last.row) == ERR_OK) {
		addr_to_text(address, &hit.client);
		hits_number(port, hit.client.port);
		hits_time_text(time, hit.time_us);
		name_to_text(name, hit.qname);
	}
	cli_table_row(out, (const char *[]){label.text, hits_number(hits, g->hits),
					    hits_adding_time(a, first, &g->first),
					    hits_adding_time(a, last, &g->last), address,
					    port, time, name});
}

static void print_entry(struct hits_adding *a, struct cli_table *out,
			const struct hits_group *g)
{
	char hits[HITS_NUMBER_TEXT_MAX];
	char first[CLI_TIME_TEXT_MAX], last[CLI_TIME_TEXT_MAX];
	struct hits_label label;
	hits_adding_label(a, &label, g);
	cli_table_row(out, (const char *[]){label.text, hits_number(hits, g->hits),
					    hits_adding_time(a, first, &g->first),
					    hits_adding_time(a, last, &g->last),
					    label.list, label.family});
}

/* All groups of that kind, or the first of them. */
static int print_all(struct hits *h, enum hits_kind kind)
{
	struct hits_adding a;
	struct hits_headings used;
	int status = hits_adding_init(&a, h, kind);
	a.rows = kind == HITS_CLIENTS;
	if (status == CLI_GO)
		status = hits_sums_open(h, UINT64_MAX);
	if (status == CLI_GO)
		status = hits_adding_scan(&a, h->since_us, h->until_us);
	struct cli_table *out =
		status != CLI_GO ? NULL
				 : hits_table(&used, h,
					      kind == HITS_CLIENTS ? clients_columns
								   : entries_columns);
	if (status == CLI_GO)
		status = out ? CLI_DONE : out_of_memory();
	hits_groups_sort(&a.groups);
	for (size_t i = 0; out && i < a.groups.n; i++) {
		if (h->limit && i == (size_t)h->limit)
			break;
		if (kind == HITS_CLIENTS)
			print_client(&a, out, &a.groups.group[i]);
		else
			print_entry(&a, out, &a.groups.group[i]);
	}
	if (out)
		cli_table_close(out);
	if (status == CLI_DONE && !a.groups.n)
		hits_note(h, "no hits\n");
	hits_adding_fini(&a);
	return hits_close(h, status);
}

int hits_entry(const struct cli_command *self, int argc, char **argv)
{
	struct hits h;
	int status = hits_parse(&h, self, NULL, 1, 1, argc, argv);
	if (status != CLI_GO)
		return status;
	h.entry_text = h.cli.operands[0];
	return print_all(&h, HITS_CLIENTS);
}

int hits_family(const struct cli_command *self, int argc, char **argv)
{
	struct hits h;
	int status = hits_parse(&h, self, NULL, 1, 1, argc, argv);
	if (status != CLI_GO)
		return status;
	h.filter.family = h.cli.operands[0];
	return print_all(&h, HITS_CLIENTS);
}

int hits_client(const struct cli_command *self, int argc, char **argv)
{
	struct hits h;
	bool sum = false;
	const struct cli_option extra[] = {{"sum", CLI_FLAG, &sum, NULL,
					    "one line for each entry, not each hit", 0,
					    0},
					   {0}};
	int status = hits_parse(&h, self, extra, 1, 1, argc, argv);
	if (status != CLI_GO)
		return status;
	h.client_text = h.cli.operands[0];
	return sum ? print_all(&h, HITS_ENTRIES) : hits_print_rows(&h);
}

/* ---- summary ---- */

struct sums {
	uint64_t hits;
	uint32_t first_s, last_s;
	struct hits_set clients;
};

static int add_client(void *arg, const struct hits_item *i)
{
	struct sums *s = arg;
	int got = hits_set_add(&s->clients, i->client);
	s->hits += i->hits;
	s->first_s = i->first_s < s->first_s ? i->first_s : s->first_s;
	s->last_s = i->last_s > s->last_s ? i->last_s : s->last_s;
	return got < 0 ? got : ERR_OK;
}

static int unite_sums(struct sums *s, const struct sums *more)
{
	s->hits += more->hits;
	s->first_s = more->first_s < s->first_s ? more->first_s : s->first_s;
	s->last_s = more->last_s > s->last_s ? more->last_s : s->last_s;
	return hits_set_unite(&s->clients, &more->clients);
}

/* Lines of a name for a person, and a key for programs. */
struct line {
	const char *key, *name;
	uint64_t v;
	const char *text;
};

static void print_lines(const struct hits *h, const struct line *lines, size_t n)
{
	json_t *o = h->cli.json ? json_object() : NULL;
	for (size_t i = 0; i < n; i++) {
		char v[HITS_NUMBER_TEXT_MAX];
		const char *text =
			lines[i].text ? lines[i].text : hits_number(v, lines[i].v);
		if (o)
			json_object_set_new(
				o, lines[i].key,
				lines[i].text ? cli_json_text_or_null(text)
					      : json_integer((json_int_t)lines[i].v));
		else if (isatty(STDOUT_FILENO))
			printf("%-26s %s\n", lines[i].name, *text ? text : "-");
		else
			printf("%s\t%s\n", lines[i].key, *text ? text : "-");
	}
	if (o)
		cli_json(o);
}

static void add_totals(struct hit_read_totals *sum, const struct hit_read_totals *t)
{
	sum->segments += t->segments;
	sum->bytes += t->bytes;
	sum->records += t->records;
	sum->no_room += t->no_room;
	sum->missing += t->missing;
	sum->repeated += t->repeated;
}

static int print_summary(struct hits *h, const struct sums *s, const size_t n[])
{
	char first[CLI_TIME_TEXT_MAX] = "", last[CLI_TIME_TEXT_MAX] = "";
	char size[CLI_SIZE_TEXT_MAX];
	struct hit_read_totals t = {0}, one;
	for (int i = 0; i < h->folders_n; i++) {
		struct hit_read_conf conf = {.dir = h->dir[i], .guard = hits_guard};
		if (!h->trouble) { /* or it was told before */
			conf.trouble = h->log.trouble;
			conf.trouble_arg = h->log.trouble_arg;
		}
		int err = hit_read_totals(&one, &conf);
		if (err)
			return cli_fail_file(h->dir[i], "read", err);
		add_totals(&t, &one);
	}
	if (s->hits) {
		cli_time_text(first, s->first_s);
		cli_time_text(last, s->last_s);
	}
	const struct line lines[] = {
		{"hits", "hits", s->hits, NULL},
		{"clients", "different clients", s->clients.n, NULL},
		{"entries", "entries that were hit", n[HITS_ENTRIES], NULL},
		{"lists", "lists", n[HITS_LISTS], NULL},
		{"families", "malware families", n[HITS_FAMILIES], NULL},
		{"first", "first (UTC)", 0, first},
		{"last", "last (UTC)", 0, last},
		{"records", "records in the log", t.records, NULL},
		{"missing", "records that are missing", t.missing, NULL},
		{"repeated", "records stored twice", t.repeated, NULL},
		{"unanswered", "unanswered: log was full", t.no_room, NULL},
		{"segments", "segments", t.segments, NULL},
		{"bytes", "size of the log", t.bytes,
		 h->cli.json || !isatty(STDOUT_FILENO) ? NULL
						       : cli_size_text(size, t.bytes)},
	};
	print_lines(h, lines, sizeof lines / sizeof *lines);
	return CLI_DONE;
}

static int count_groups(struct hits *h, enum hits_kind kind, size_t *n)
{
	struct hits_adding a;
	int status = hits_adding_init(&a, h, kind);
	for (uint32_t i = 0; i < h->log.rules; i++)
		h->log.rule[i].group = UINT32_MAX; /* the keys of another kind */
	if (status == CLI_GO)
		status = hits_adding_scan(&a, h->since_us, h->until_us);
	*n = a.groups.n;
	hits_adding_fini(&a);
	return status;
}

int hits_summary(const struct cli_command *self, int argc, char **argv)
{
	static const enum hits_kind kinds[] = {HITS_ENTRIES, HITS_LISTS, HITS_FAMILIES};
	struct hits h;
	struct sums s = {.first_s = UINT32_MAX}, late = s;
	size_t n[HITS_KIND_N] = {0};
	int status = hits_parse(&h, self, NULL, 0, 0, argc, argv);
	if (status == CLI_GO)
		status = hits_sums_open(&h, UINT64_MAX);
	struct hits_scan scan = {.since_us = h.since_us,
				 .until_us = h.until_us,
				 .by = HITS_BY_CLIENT,
				 .item = add_client,
				 .arg = &s,
				 .arg_late = &late};
	if (status == CLI_GO)
		status = hits_add_up(&h, &scan);
	if (status == CLI_GO && unite_sums(&s, &late))
		status = out_of_memory();
	for (size_t i = 0; status == CLI_GO && i < sizeof kinds / sizeof *kinds; i++)
		status = count_groups(&h, kinds[i], &n[kinds[i]]);
	if (status == CLI_GO)
		status = print_summary(&h, &s, n);
	hits_set_fini(&s.clients);
	hits_set_fini(&late.clients);
	return hits_close(&h, status);
}
