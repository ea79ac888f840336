/* The commands that add hits up: summary, top, timeline. */
#include <time.h>
#include <unistd.h>

#include "tools/hits_groups.h"
#include "tools/hits_tool.h"

enum {
	TOP_ROWS = 20, /* of top, unless --limit says otherwise: one screen */
	KEY_MAX = DNS_NAME_TEXT_MAX + HIT_LIST_MAX,
	HOUR_S = 3600,
	DAY_S = 86400,
	HOURS_UP_TO_S = 3 * DAY_S, /* longer spans are shown by day */
	BUCKETS_MAX = 100000,	   /* eleven years of hours */
	BAR_MAX = 40,
	NUMBER_TEXT = 24,
};

static char *number(char out[NUMBER_TEXT], uint64_t v)
{
	snprintf(out, NUMBER_TEXT, "%llu", (unsigned long long)v);
	return out;
}

struct headings {
	struct cli_column column[CLI_COLUMNS_MAX + 1]; /* lives as long as the table */
};

/* On a terminal the heading says which clock it is; in JSON the name is a key. */
static struct cli_table *open_table(struct headings *used, const struct hits *h,
				    const struct cli_column *columns)
{
	static const char *const utc[][2] = {
		{"time", "time (UTC)"}, {"first", "first (UTC)"}, {"last", "last (UTC)"}};
	int n = 0;
	for (; n < CLI_COLUMNS_MAX && columns[n].name; n++) {
		used->column[n] = columns[n];
		for (size_t i = 0; i < 3 && !h->cli.json; i++)
			if (strcmp(used->column[n].name, utc[i][0]) == 0)
				used->column[n].name = utc[i][1];
	}
	used->column[n].name = NULL;
	return cli_table_open(used->column, h->cli.json);
}

/* ---- top ---- */

/* What is grouped: the key is what is shown; other is what is counted within. */
struct top_kind {
	const char *name;
	size_t (*key)(char *out, const struct hit *hit);
	bool counts_names; /* distinct questions, else distinct clients */
	const struct cli_column *columns;
};

static size_t entry_key(char *out, const struct hit *hit)
{
	hits_rule_text(out, hit);
	size_t n = strlen(out) + 1;
	memcpy(out + n, hit->list, sizeof hit->list);
	return n + strlen(hit->list);
}

static size_t client_key(char *out, const struct hit *hit)
{
	return strlen(addr_to_text(out, &hit->client));
}

static size_t family_key(char *out, const struct hit *hit)
{
	memcpy(out, hit->family, sizeof hit->family);
	return strlen(out);
}

static size_t name_key(char *out, const struct hit *hit)
{
	return strlen(name_to_text(out, hit->qname));
}

static size_t list_key(char *out, const struct hit *hit)
{
	memcpy(out, hit->list, sizeof hit->list);
	return strlen(out);
}

static const struct cli_column entry_columns[] = {
	{"entry", false}, {"hits", true},  {"clients", true}, {"first", false},
	{"last", false},  {"list", false}, {"family", false}, {NULL, false}};
static const struct cli_column client_columns[] = {{"client", false}, {"hits", true},
						   {"names", true},   {"first", false},
						   {"last", false},   {NULL, false}};
static const struct cli_column family_columns[] = {{"family", false}, {"hits", true},
						   {"clients", true}, {"first", false},
						   {"last", false},   {NULL, false}};
static const struct cli_column name_columns[] = {
	{"name", false}, {"hits", true},  {"clients", true}, {"first", false},
	{"last", false}, {"list", false}, {"family", false}, {NULL, false}};
static const struct cli_column list_columns[] = {{"list", false},   {"hits", true},
						 {"clients", true}, {"first", false},
						 {"last", false},   {NULL, false}};

static const struct top_kind top_kinds[] = {
	{"entries", entry_key, false, entry_columns},
	{"clients", client_key, true, client_columns},
	{"families", family_key, false, family_columns},
	{"names", name_key, false, name_columns},
	{"lists", list_key, false, list_columns},
};

static int add_hit(struct hits_groups *t, const struct top_kind *kind,
		   const struct hit *hit)
{
	char key[KEY_MAX];
	size_t n = kind->key(key, hit);
	if (kind->counts_names)
		return hits_groups_add(t, key, n, hit, hit->qname, name_len(hit->qname));
	return hits_groups_add(t, key, n, hit, hit->client.bytes, addr_len(&hit->client));
}

static void print_top(struct cli_table *out, const struct hits_group *g)
{
	char name[KEY_MAX + 1], hits[NUMBER_TEXT], distinct[NUMBER_TEXT];
	char first[CLI_TIME_TEXT_MAX], last[CLI_TIME_TEXT_MAX];
	memcpy(name, g->key, g->key_len);
	name[g->key_len] = 0; /* an entry's key goes on behind the first NUL */
	cli_table_row(out, (const char *[]){
				   name,
				   number(hits, g->hits),
				   number(distinct, g->distinct),
				   cli_time_text(first, (int64_t)(g->first_us / 1000000)),
				   cli_time_text(last, (int64_t)(g->last_us / 1000000)),
				   g->list,
				   g->family,
			   });
}

static int print_groups(struct hits *h, struct hits_groups *t,
			const struct top_kind *kind)
{
	struct headings used;
	struct cli_table *out = open_table(&used, h, kind->columns);
	if (!out)
		return cli_fail("out of memory");
	size_t limit = h->limit ? (size_t)h->limit : TOP_ROWS;
	hits_groups_sort(t);
	for (size_t i = 0; i < t->n && i < limit; i++)
		print_top(out, &t->group[i]);
	cli_table_close(out);
	if (!h->cli.json && isatty(STDERR_FILENO)) {
		if (!t->n)
			fprintf(stderr, "no hits\n");
		else if (t->n > limit)
			fprintf(stderr, "%zu of %zu %s; --limit N shows more\n", limit,
				t->n, kind->name);
	}
	return CLI_DONE;
}

int hits_top(const struct cli_command *self, int argc, char **argv)
{
	struct hits h;
	struct hit_row row;
	const struct top_kind *kind = NULL;
	struct hits_groups t;
	int status = hits_parse(&h, self, NULL, 0, 1, argc, argv);
	if (status != CLI_GO)
		return status;
	const char *what = h.cli.operands_n ? h.cli.operands[0] : top_kinds[0].name;
	for (size_t i = 0; i < sizeof top_kinds / sizeof *top_kinds; i++)
		if (strcmp(what, top_kinds[i].name) == 0)
			kind = &top_kinds[i];
	if (!kind)
		return cli_fail("top shows %s, not \"%s\"", self->operands, what);
	status = hits_open(&h, "reading hits");
	if (status != CLI_GO)
		return status;
	status = CLI_DONE;
	int err = hits_groups_init(&t);
	while (!err && hits_next(&h, &row, &status))
		err = add_hit(&t, kind, &row.hit);
	cli_progress_end(&h.progress);
	if (err)
		status = cli_fail("out of memory: narrow it with --since and --until");
	if (status == CLI_DONE)
		status = print_groups(&h, &t, kind);
	hits_groups_fini(&t);
	return hits_close(&h, status);
}

/* ---- timeline ---- */

static const struct cli_column timeline_columns[] = {
	{"time", false}, {"hits", true}, {"clients", true}, {NULL, false}, {NULL, false}};
static const struct cli_column timeline_chart[] = {{"time", false},
						   {"hits", true},
						   {"clients", true},
						   {"chart", false},
						   {NULL, false}};

static int by_key(const void *a, const void *b)
{
	const struct hits_group *x = a, *y = b;
	uint64_t p, q;
	memcpy(&p, x->key, sizeof p);
	memcpy(&q, y->key, sizeof q);
	return (p > q) - (p < q);
}

static void print_bucket(struct cli_table *out, uint64_t at_s, const struct hits_group *g,
			 uint64_t most)
{
	char hits[NUMBER_TEXT], clients[NUMBER_TEXT], time[CLI_TIME_TEXT_MAX];
	char bar[BAR_MAX + 1];
	uint64_t n = g ? g->hits : 0;
	size_t len = most ? (size_t)((double)n / (double)most * BAR_MAX + 0.5) : 0;
	len = n && !len ? 1 : len;
	memset(bar, '#', len);
	bar[len] = 0;
	cli_time_text(time, (int64_t)at_s);
	/* An empty bar is a space: "" would be shown as "-". */
	cli_table_row(out, (const char *[]){time, number(hits, n),
					    number(clients, g ? g->distinct : 0),
					    len ? bar : " "});
}

static int print_timeline(struct hits *h, struct hits_groups *t, uint64_t width_s)
{
	bool chart = isatty(STDOUT_FILENO) && !h->cli.json;
	uint64_t most = 0, first, last;
	size_t next = 0;
	struct headings used;
	struct cli_table *out =
		open_table(&used, h, chart ? timeline_chart : timeline_columns);
	if (!out)
		return cli_fail("out of memory");
	if (t->n) {
		qsort(t->group, t->n, sizeof *t->group, by_key);
		memcpy(&first, t->group[0].key, sizeof first);
		memcpy(&last, t->group[t->n - 1].key, sizeof last);
		if (last - first > BUCKETS_MAX)
			first = last - BUCKETS_MAX;
		for (size_t i = 0; i < t->n; i++)
			most = t->group[i].hits > most ? t->group[i].hits : most;
		for (uint64_t at = first; at <= last; at++) {
			const struct hits_group *g = NULL;
			uint64_t key = 0;
			while (next < t->n && !g) {
				memcpy(&key, t->group[next].key, sizeof key);
				if (key > at)
					break;
				g = key == at ? &t->group[next] : NULL;
				next++;
			}
			print_bucket(out, at * width_s, g, most);
		}
	} else if (!h->cli.json && isatty(STDERR_FILENO)) {
		fprintf(stderr, "no hits\n");
	}
	cli_table_close(out);
	return CLI_DONE;
}

/* Hours for short spans, days for long ones. */
static int choose_width(uint64_t *width_s, const struct hits *h, const char *by)
{
	struct hit_read_totals totals;
	struct hit_read_conf conf = {.dir = h->dir};
	if (by && strcmp(by, "hour") != 0 && strcmp(by, "day") != 0)
		return cli_fail("--by takes hour or day, not \"%s\"", by);
	if (by) {
		*width_s = *by == 'h' ? HOUR_S : DAY_S;
		return CLI_GO;
	}
	int err = hit_read_totals(&totals, &conf);
	if (err)
		return cli_fail_file(h->dir, "read", err);
	uint64_t from = h->since_us > totals.min_us ? h->since_us : totals.min_us;
	uint64_t to =
		h->until_us && h->until_us < totals.max_us ? h->until_us : totals.max_us;
	bool hours = to < from || to - from <= (uint64_t)HOURS_UP_TO_S * 1000000;
	*width_s = hours ? HOUR_S : DAY_S;
	return CLI_GO;
}

int hits_timeline(const struct cli_command *self, int argc, char **argv)
{
	struct hits h;
	struct hit_row row;
	struct hits_groups t;
	uint64_t width_s = HOUR_S;
	const char *by = NULL;
	const struct cli_option extra[] = {
		{"by", CLI_TEXT, &by, "hour|day", "width of a row", 0, 0}, {0}};
	int status = hits_parse(&h, self, extra, 0, 0, argc, argv);
	if (status == CLI_GO)
		status = hits_open(&h, "reading hits");
	if (status != CLI_GO)
		return status;
	status = choose_width(&width_s, &h, by);
	if (status != CLI_GO)
		return hits_close(&h, status);
	status = CLI_DONE;
	int err = hits_groups_init(&t);
	while (!err && hits_next(&h, &row, &status)) {
		uint64_t bucket = row.hit.time_us / 1000000 / width_s;
		err = hits_groups_add(&t, &bucket, sizeof bucket, &row.hit,
				      row.hit.client.bytes, addr_len(&row.hit.client));
	}
	cli_progress_end(&h.progress);
	if (err)
		status = cli_fail("out of memory: narrow it with --since and --until");
	if (status == CLI_DONE)
		status = print_timeline(&h, &t, width_s);
	hits_groups_fini(&t);
	return hits_close(&h, status);
}

/* ---- summary ---- */

struct sums {
	uint64_t records, hits, first_us, last_us;
	struct hits_groups clients, names, entries, lists, families;
};

static int sums_add(struct sums *s, const struct hit *hit)
{
	static const struct top_kind *const kinds[] = {&top_kinds[0], &top_kinds[1],
						       &top_kinds[2], &top_kinds[3],
						       &top_kinds[4]};
	struct hits_groups *groups[] = {&s->entries, &s->clients, &s->families, &s->names,
					&s->lists};
	char key[KEY_MAX];
	s->records++;
	s->hits += hit->count;
	s->first_us = s->records == 1 || hit->time_us < s->first_us ? hit->time_us
								    : s->first_us;
	s->last_us = hit->time_us > s->last_us ? hit->time_us : s->last_us;
	for (int i = 0; i < 5; i++) {
		size_t n = kinds[i]->key(key, hit);
		int err = n ? hits_groups_add(groups[i], key, n, hit, NULL, 0) : ERR_OK;
		if (err)
			return err;
	}
	return ERR_OK;
}

static void print_summary(const struct hits *h, const struct sums *s,
			  const struct hit_read_totals *totals)
{
	char first[CLI_TIME_TEXT_MAX] = "", last[CLI_TIME_TEXT_MAX] = "";
	char size[CLI_SIZE_TEXT_MAX];
	if (s->records) {
		cli_time_text(first, (int64_t)(s->first_us / 1000000));
		cli_time_text(last, (int64_t)(s->last_us / 1000000));
	}
	const struct {
		const char *key, *name;
		uint64_t v;
		const char *text;
	} lines[] = {
		{"hits", "hits", s->hits, NULL},
		{"records", "records", s->records, NULL},
		{"clients", "different clients", s->clients.n, NULL},
		{"names", "different names", s->names.n, NULL},
		{"entries", "entries that were hit", s->entries.n, NULL},
		{"lists", "lists", s->lists.n, NULL},
		{"families", "malware families", s->families.n, NULL},
		{"first", "first (UTC)", 0, first},
		{"last", "last (UTC)", 0, last},
		{"unanswered", "unanswered: log was full", totals->no_room, NULL},
		{"segments", "segments", totals->segments, NULL},
		{"bytes", "size of the log", totals->bytes,
		 h->cli.json || !isatty(STDOUT_FILENO)
			 ? NULL
			 : cli_size_text(size, totals->bytes)},
	};
	json_t *o = h->cli.json ? json_object() : NULL;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		char v[NUMBER_TEXT];
		const char *text = lines[i].text ? lines[i].text : number(v, lines[i].v);
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

int hits_summary(const struct cli_command *self, int argc, char **argv)
{
	struct hits h;
	struct hit_row row;
	struct sums s = {0};
	struct hits_groups *all[] = {&s.clients, &s.names, &s.entries, &s.lists,
				     &s.families};
	struct hit_read_totals totals;
	int err = ERR_OK, status = hits_parse(&h, self, NULL, 0, 0, argc, argv);
	if (status == CLI_GO)
		status = hits_open(&h, "reading hits");
	if (status != CLI_GO)
		return status;
	status = CLI_DONE;
	for (int i = 0; i < 5 && !err; i++)
		err = hits_groups_init(all[i]);
	while (!err && hits_next(&h, &row, &status))
		err = sums_add(&s, &row.hit);
	cli_progress_end(&h.progress);
	if (err)
		status = cli_fail("out of memory: narrow it with --since and --until");
	struct hit_read_conf conf = {.dir = h.dir}; /* troubles were told before */
	if (status == CLI_DONE && (err = hit_read_totals(&totals, &conf)))
		status = cli_fail_file(h.dir, "read", err);
	if (status == CLI_DONE)
		print_summary(&h, &s, &totals);
	for (int i = 0; i < 5; i++)
		hits_groups_fini(all[i]);
	return hits_close(&h, status);
}
