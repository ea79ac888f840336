/* The command that proves the log whole: verify.
 * Every page and record is read and passes its check; rows and sequence numbers go on
 * without a gap from segment to segment and from start to start; sums say what the rows
 * say. What is not so is a row of the table. */
#include "resolver/hit_walk.h"
#include "tools/hits_guard.h"
#include "tools/hits_tool.h"

enum { RINGS_FIRST = 16 };

/* Records of one worker of one start, so far. */
struct ring {
	uint64_t boot, last;
	uint16_t worker;
	bool older; /* its first records may have gone by retention */
};

struct verifying {
	struct hits h;
	struct cli_table *table;
	const volatile int *interrupted;
	bool held; /* a case's: gaps are no fault */
	uint64_t records, segments, faults;
	/* the folder */
	struct ring *ring;
	size_t rings, rings_room;
	uint64_t end_row; /* behind the segment before */
	/* the segment */
	struct hit_read_segment of;
	const char *dir;
	uint32_t run; /* that the next row is of */
	struct hit_run sums;
	uint64_t run_hits; /* of its rows so far */
};

/* ---- the table ---- */

static const struct cli_column columns[] = {
	{"fault", false}, {"segment", false}, {"boot", false}, {"worker", true},
	{"first", true},  {"last", true},     {NULL, false}};

/* r NULL: rows or pages, not sequences. */
static void fault(struct verifying *v, const char *what, const struct ring *r,
		  uint64_t first, uint64_t last)
{
	char path[HITS_PATH_MAX + 64], boot[HITS_NUMBER_TEXT_MAX] = "", worker[8] = "";
	char from[HITS_NUMBER_TEXT_MAX], to[HITS_NUMBER_TEXT_MAX];
	snprintf(path, sizeof path, "%s/%s", v->dir, v->of.file.name);
	if (r) {
		snprintf(boot, sizeof boot, "%016llx", (unsigned long long)r->boot);
		snprintf(worker, sizeof worker, "%u", r->worker);
	}
	cli_table_row(v->table, (const char *const[]){what, path, boot, worker,
						      hits_number(from, first),
						      hits_number(to, last)});
	v->faults++;
}

static void on_trouble(void *arg, const char *dir, const char *segment, int err,
		       uint64_t bad)
{
	struct verifying *v = arg;
	char path[HITS_PATH_MAX + 64];
	(void)bad;
	snprintf(path, sizeof path, "%s/%s", dir, segment);
	cli_table_row(v->table,
		      (const char *const[]){err_text(err), path, "", "", "", ""});
	v->faults++;
}

/* ---- sequences ---- */

static struct ring *find_ring(struct verifying *v, uint64_t boot, uint16_t worker)
{
	for (size_t i = v->rings; i--;) /* the last ones are at work */
		if (v->ring[i].boot == boot && v->ring[i].worker == worker)
			return &v->ring[i];
	if (v->rings == v->rings_room) {
		size_t room = v->rings_room ? 2 * v->rings_room : RINGS_FIRST;
		void *more = realloc(v->ring, room * sizeof *v->ring);
		if (!more)
			return NULL;
		v->ring = more;
		v->rings_room = room;
	}
	v->ring[v->rings] = (struct ring){.boot = boot, .worker = worker};
	return &v->ring[v->rings++];
}

/* Segments before the first one have gone: the rings it knows may have begun there. */
static int note_older(struct verifying *v)
{
	struct hit_ring_rows old = {0};
	int got;
	while ((got = hit_store_next_ring(v->of.store, &old, old.at.boot,
					  old.at.worker)) == 1) {
		struct ring *r = find_ring(v, old.at.boot, old.at.worker);
		if (!r)
			return ERR_NOMEM;
		r->older = true;
	}
	return got;
}

static int check_sequence(struct verifying *v, const struct hit *h)
{
	struct ring *r = find_ring(v, h->boot, h->worker);
	if (!r)
		return ERR_NOMEM;
	if (h->sequence <= r->last)
		fault(v, "repeated", r, h->sequence, h->sequence);
	else if (h->sequence > r->last + 1 && !v->held && (r->last || !r->older))
		fault(v, "missing", r, r->last + 1, h->sequence - 1);
	r->last = h->sequence > r->last ? h->sequence : r->last;
	return ERR_OK;
}

/* ---- sums ---- */

/* What the heads of one kind say together. */
static uint64_t hits_of_heads(struct verifying *v, enum hit_tag tag)
{
	struct hit_walk walk;
	struct hit_head head;
	uint64_t hits = 0;
	if (hit_walk_open(&walk, v->of.store, tag, v->run, &v->sums, 0, UINT64_MAX))
		return UINT64_MAX;
	while (hit_walk_next(&walk, &head) == 1)
		hits += head.hits;
	return hits;
}

/* The rows of a run have been read. */
static void end_run(struct verifying *v)
{
	if (v->sums.hits != v->run_hits ||
	    hits_of_heads(v, HIT_TAG_RULE_HEADS) != v->run_hits ||
	    hits_of_heads(v, HIT_TAG_CLIENT_HEADS) != v->run_hits)
		fault(v, "sums differ", NULL, v->sums.first_row, v->sums.end_row - 1);
	v->run++;
	v->run_hits = 0;
}

static bool open_run(struct verifying *v)
{
	return v->run < hit_store_segment(v->of.store)->runs &&
	       hit_walk_run(&v->sums, v->of.store, v->run) == ERR_OK;
}

static void add_to_run(struct verifying *v, uint64_t row, const struct hit *h)
{
	if (!v->sums.end_row || row < v->sums.first_row)
		return;
	v->run_hits += h->count;
	if (row + 1 < v->sums.end_row)
		return;
	end_run(v);
	if (!open_run(v))
		v->sums.end_row = 0;
}

/* Every page of that kind passes its check. */
static void check_pages(struct verifying *v, enum hit_tag tag, uint32_t number)
{
	struct hit_page page = {0};
	enum hit_page_which which = HIT_PAGE_AT;
	int got;
	while ((got = hit_store_page(v->of.store, &page, tag, number, page.id, which)) ||
	       which == HIT_PAGE_AT) {
		which = HIT_PAGE_AFTER;
		if (got == ERR_DAMAGED)
			fault(v, "damaged sums", NULL, number, number);
		if (got < 0 && (got != ERR_DAMAGED || page.id == HIT_PAGE_LOST))
			return;
	}
}

static void check_sums(struct verifying *v)
{
	static const enum hit_tag of_run[] = {HIT_TAG_RUN,	  HIT_TAG_HOURS,
					      HIT_TAG_RULE_HEADS, HIT_TAG_CLIENT_HEADS,
					      HIT_TAG_RULE_SUMS,  HIT_TAG_CLIENT_SUMS};
	static const enum hit_tag of_day[] = {HIT_TAG_DAY, HIT_TAG_DAY_CLIENTS,
					      HIT_TAG_DAY_RULES, HIT_TAG_DAY_PAIRS};
	const struct hit_segment g = *hit_store_segment(v->of.store);
	for (uint32_t n = 0; n < g.runs && !*v->interrupted; n++)
		for (size_t i = 0; i < sizeof of_run / sizeof *of_run; i++)
			check_pages(v, of_run[i], n);
	for (uint32_t n = 0; n < g.tables && !*v->interrupted; n++)
		for (size_t i = 0; i < sizeof of_day / sizeof *of_day; i++)
			check_pages(v, of_day[i], n);
}

/* ---- rows ---- */

static int check_page(struct verifying *v, struct hit_rows *page)
{
	const struct hit_rows_words *words = hit_store_words(v->of.store);
	struct hit h;
	uint32_t rule;
	int got, err = ERR_OK;
	while (!err) {
		uint64_t row = page->first + page->at;
		if (row >= v->of.end) /* the next segment's, or newer than this look */
			break;
		got = hit_rows_next(page, &h, &rule, words, NULL);
		if (got == 0)
			break;
		if (got < 0) {
			fault(v, "damaged", NULL, row, page->first + page->at - 1);
			continue;
		}
		v->records++;
		add_to_run(v, row, &h);
		err = check_sequence(v, &h);
	}
	return err;
}

static int check_rows(struct verifying *v)
{
	struct hit_rows page;
	uint64_t next = hit_store_segment(v->of.store)->first_row, at = next;
	enum hit_page_which which = HIT_PAGE_AT;
	int got, err = ERR_OK;
	while (!err && next < v->of.end && !*v->interrupted &&
	       (got = hit_store_rows(v->of.store, &page, at, which))) {
		if (got < 0 && got != ERR_DAMAGED)
			return got;
		at = page.first < v->of.end ? page.first : v->of.end;
		which = HIT_PAGE_AFTER;
		if (at > next) /* a damaged page is behind us, or one is not there */
			fault(v, "rows missing", NULL, next, at - 1);
		next = at;
		if (got == 1) {
			next = at + page.n;
			err = check_page(v, &page);
		}
	}
	if (!err && next < v->of.end && !*v->interrupted)
		fault(v, "rows missing", NULL, next, v->of.end - 1);
	return err;
}

/* ---- segments ---- */

static int check_segment(void *arg)
{
	struct verifying *v = arg;
	const struct hit_segment *g = hit_store_segment(v->of.store);
	int err = ERR_OK;
	if (v->segments++ == 0)
		err = g->first_row ? note_older(v) : ERR_OK;
	else if (g->first_row > v->end_row)
		fault(v, "rows missing", NULL, v->end_row, g->first_row - 1);
	v->end_row = v->of.end;
	v->run = 0;
	v->run_hits = 0;
	if (!open_run(v))
		v->sums.end_row = 0;
	if (!err)
		err = check_rows(v);
	if (!err)
		check_sums(v);
	return err;
}

static int check_folder(struct verifying *v, const char *dir)
{
	struct hit_read_conf conf = {
		.dir = dir, .guard = hits_guard, .trouble = on_trouble, .trouble_arg = v};
	uint64_t number = 0;
	int got = 0;
	v->dir = dir;
	v->rings = 0;
	v->of = (struct hit_read_segment){0};
	uint64_t before = v->segments;
	v->segments = 0;
	while (!*v->interrupted && (got = hit_read_segment(&v->of, &conf, number)) == 1) {
		number = v->of.file.number;
		int err = hits_guard(check_segment, v);
		hit_store_close(v->of.store);
		if (err == ERR_NOMEM)
			return cli_fail("out of memory");
		if (err)
			on_trouble(v, dir, v->of.file.name, err, 0);
	}
	hit_store_close(v->of.next);
	v->segments += before;
	return got < 0 ? cli_fail_file(dir, "read", got) : CLI_GO;
}

static int verify(struct verifying *v)
{
	int status = CLI_GO;
	v->table = cli_table_open(columns, v->h.cli.json);
	if (!v->table)
		return cli_fail("out of memory");
	for (int i = 0; status == CLI_GO && i < v->h.folders_n; i++)
		status = check_folder(v, v->h.dir[i]);
	cli_table_close(v->table);
	free(v->ring);
	if (status != CLI_GO)
		return status;
	if (*v->interrupted)
		return cli_fail("interrupted");
	if (v->faults)
		return cli_no("%llu faults in %llu records of %llu segments",
			      (unsigned long long)v->faults,
			      (unsigned long long)v->records,
			      (unsigned long long)v->segments);
	hits_note(&v->h, "%llu records in %llu segments, each whole, none missing\n",
		  (unsigned long long)v->records, (unsigned long long)v->segments);
	return CLI_DONE;
}

int hits_verify(const struct cli_command *self, int argc, char **argv)
{
	struct verifying v = {0};
	const struct cli_option extra[] = {
		{"held", CLI_FLAG, &v.held, NULL,
		 "a case's records: what lies between them is not missed", 0, 0},
		{0}};
	int status = hits_parse(&v.h, self, extra, 0, 0, argc, argv);
	if (status != CLI_GO)
		return status;
	if (hits_is_filtered(&v.h) || v.h.client_text)
		return cli_fail("verify takes the whole log, no filter");
	status = hits_rows_open(&v.h, NULL);
	v.interrupted = v.h.interrupted;
	if (status == CLI_GO)
		status = verify(&v);
	return hits_close(&v.h, status);
}
