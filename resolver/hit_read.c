#include "resolver/hit_read.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct hit_reader {
	struct hit_read_conf conf;
	char dir[HIT_STORE_PATH_MAX];
	uint64_t number;		 /* of the segment, or of the last one */
	struct hit_read_segment segment; /* store NULL = before the first, or between */
	bool last_look;		  /* a newer segment exists: what is read now is all */
	uint64_t row;		  /* the next one wanted */
	struct hit_range *ranges; /* NULL = all */
	size_t ranges_n, range;
	struct hit_rows page;
	char node[HIT_NODE_MAX];
	uint64_t node_boot;	 /* whose node that is */
	int node_worker;	 /* -1 = nobody's */
	struct hit_cursor after; /* where an earlier reader ended; segment 0 = nowhere */
	uint64_t lost;
};

static void trouble(const struct hit_read_conf *c, const char *segment, int err,
		    uint64_t bad)
{
	if (c->trouble)
		c->trouble(c->trouble_arg, c->dir, segment, err, bad);
}

/* ---- segments ---- */

static int guarded(const struct hit_read_conf *c, int (*fn)(void *arg), void *arg)
{
	return c->guard ? c->guard(fn, arg) : fn(arg);
}

struct opening {
	char path[HIT_STORE_PATH_MAX];
	struct hit_store *store;
};

static int open_it(void *arg)
{
	struct opening *o = arg;
	return hit_store_open(&o->store, o->path, HIT_STORE_READ);
}

static int open_file(struct hit_store **out, const struct hit_read_conf *c,
		     const char *name)
{
	struct opening o = {0};
	int n = snprintf(o.path, sizeof o.path, "%s/%s", c->dir, name);
	int err = n < (int)sizeof o.path ? guarded(c, open_it, &o) : ERR_RANGE;
	*out = err ? NULL : o.store;
	return err;
}

static int look_at(void *store)
{
	return hit_store_look(store);
}

/* The first segments after number, two at most. */
static int next_files(const char *dir, uint64_t number, struct hit_store_file out[2])
{
	struct hit_store_file *files;
	int n, i = 0, found = 0;
	int err = hit_store_files(&files, &n, dir);
	if (err)
		return err;
	while (i < n && files[i].number <= number)
		i++;
	for (; i < n && found < 2; i++)
		out[found++] = files[i];
	free(files);
	return found;
}

/* Where rows of g end, when that segment follows: a commit that failed may have written
 * some that the next one has too. */
static uint64_t end_before(const struct hit_segment *g, struct hit_store *next)
{
	uint64_t first = next ? hit_store_segment(next)->first_row : 0;
	return first > g->first_row && first < g->end_row ? first : g->end_row;
}

/* The file of that number: opened before, or now. */
static int take_file(struct hit_read_segment *out, const struct hit_read_conf *conf,
		     const struct hit_store_file *file)
{
	struct hit_store *next = out->next;
	bool same = next && out->next_file.number == file->number;
	*out = (struct hit_read_segment){.file = *file};
	if (same) {
		out->store = next;
		return ERR_OK;
	}
	hit_store_close(next);
	return open_file(&out->store, conf, file->name);
}

int hit_read_segment(struct hit_read_segment *out, const struct hit_read_conf *conf,
		     uint64_t number)
{
	struct hit_store_file files[2];
	int found;
	while ((found = next_files(conf->dir, number, files)) > 0) {
		number = files[0].number;
		int err = take_file(out, conf, &files[0]);
		out->newest = found == 1;
		if (err == ERR_NOENT && out->newest) /* being made just now */
			return 0;
		if (err == ERR_NOENT) /* retired meanwhile */
			continue;
		if (!err)
			err = guarded(conf, look_at, out->store);
		if (err) {
			trouble(conf, files[0].name, err, 0);
			hit_store_close(out->store);
			out->store = NULL;
			continue;
		}
		if (found == 2 && !open_file(&out->next, conf, files[1].name))
			out->next_file = files[1];
		out->end = end_before(hit_store_segment(out->store), out->next);
		return 1;
	}
	return found;
}

static void close_segment(struct hit_reader *r)
{
	hit_store_close(r->segment.store);
	r->segment.store = NULL;
	free(r->ranges);
	r->ranges = NULL;
	r->ranges_n = r->range = 0;
	r->page.n = r->page.at = 0;
}

static bool is_in_span(const struct hit_read_conf *c, uint64_t min_us, uint64_t max_us)
{
	return max_us >= c->since_us && (!c->until_us || min_us < c->until_us);
}

/* In the segment of the row that was read last, or in the first one after it: what
 * that one holds, even of rows that have been read, is right. */
static void go_on_after(struct hit_reader *r)
{
	if (!r->after.segment)
		return;
	uint64_t next = r->after.row + 1;
	if (r->number != r->after.segment && r->row > next)
		r->lost = r->row - next;
	else if (r->number == r->after.segment && r->row < next)
		r->row = next;
	r->after.segment = 0;
}

/* Opens the segment after the one that was read. 0: there is none yet. */
static int open_next(struct hit_reader *r)
{
	for (;;) {
		int got = hit_read_segment(&r->segment, &r->conf, r->number);
		if (got <= 0)
			return got;
		r->number = r->segment.file.number;
		const struct hit_segment *g = hit_store_segment(r->segment.store);
		r->last_look = !r->segment.newest;
		r->row = g->first_row;
		go_on_after(r);
		r->node_worker = -1;
		/* The newest one may still get rows of any time. */
		if (!r->segment.newest && !is_in_span(&r->conf, g->min_us, g->max_us)) {
			close_segment(r);
			continue;
		}
		if (r->conf.pick)
			got = r->conf.pick(r->conf.pick_arg, r->segment.store,
					   r->segment.end, &r->ranges, &r->ranges_n);
		if (got >= 0)
			return 1;
		trouble(&r->conf, r->segment.file.name, got, 0);
		close_segment(r);
	}
}

/* ---- rows ---- */

/* The next row that is wanted is row or a later one; false: none is. */
static bool next_wanted(struct hit_reader *r)
{
	if (!r->ranges)
		return true;
	while (r->range < r->ranges_n && r->ranges[r->range].to <= r->row)
		r->range++;
	if (r->range == r->ranges_n)
		return false;
	if (r->ranges[r->range].from > r->row)
		r->row = r->ranges[r->range].from;
	return true;
}

/* Rows before it have been committed. */
static uint64_t known_end(const struct hit_reader *r)
{
	return r->segment.newest ? hit_store_segment(r->segment.store)->end_row
				 : r->segment.end;
}

/* Over a page that cannot be read, or is not there: to the one behind it. */
static int pass_bad_page(struct hit_reader *r, uint64_t bad)
{
	uint64_t end = known_end(r);
	if (r->row >= end)
		return ERR_DAMAGED; /* and nothing behind it */
	int got = hit_store_rows(r->segment.store, &r->page, bad, HIT_PAGE_AFTER);
	uint64_t next = got == 1 || got == ERR_DAMAGED ? r->page.first : end;
	next = next < end ? next : end; /* or HIT_PAGE_LOST */
	trouble(&r->conf, r->segment.file.name, ERR_OK,
		next > r->row ? next - r->row : 1);
	r->row = next > r->row ? next : end;
	r->page.n = r->page.at = 0;
	return got < 0 && got != ERR_DAMAGED ? got : 1;
}

/* The page that holds r->row: 1, or 0 when there is none (for now). */
static int read_page(struct hit_reader *r)
{
	r->page.n = r->page.at = 0;
	if (!next_wanted(r) || (!r->segment.newest && r->row >= r->segment.end))
		return 0;
	int got = hit_store_rows(r->segment.store, &r->page, r->row, HIT_PAGE_AT);
	if (got == ERR_DAMAGED)
		return pass_bad_page(r, r->page.first);
	if (got == 1 && r->page.first + r->page.n <= r->row)
		got = 0;
	if (got == 0 && r->row < known_end(r))
		return pass_bad_page(r, r->row);
	if (got == 1 && r->segment.newest) /* its words may be newer than ours */
		got = hit_store_look(r->segment.store) ? ERR_DAMAGED : 1;
	if (got == 1 && !is_in_span(&r->conf, r->page.min_us, r->page.max_us)) {
		r->row = r->page.first + r->page.n;
		r->page.n = r->page.at = 0;
	}
	if (got <= 0)
		r->page.n = r->page.at = 0;
	return got;
}

/* No more rows in the segment: the next one, or 0. */
static int leave_segment(struct hit_reader *r)
{
	struct hit_store_file files[2];
	if (!r->last_look) {
		int found = next_files(r->dir, r->number, files);
		if (found <= 0)
			return found;
		/* Rows may have come before the new one was made. */
		r->last_look = true;
		int err = hit_store_look(r->segment.store);
		if (!err && !open_file(&r->segment.next, &r->conf, files[0].name))
			r->segment.next_file = files[0];
		r->segment.newest = false;
		r->segment.end = err ? r->row
				     : end_before(hit_store_segment(r->segment.store),
						  r->segment.next);
		return 1;
	}
	close_segment(r);
	return 1;
}

static void find_node(struct hit_reader *r, struct hit_row *out)
{
	struct hit_position p;
	const struct hit *h = &out->hit;
	if (r->node_worker != h->worker || r->node_boot != h->boot) {
		int err = hit_store_position(r->segment.store, &p, h->boot, h->worker);
		memcpy(r->node, err ? "" : p.node, err ? 1 : sizeof r->node);
		r->node_boot = h->boot;
		r->node_worker = h->worker;
	}
	memcpy(out->node, r->node, sizeof out->node);
}

/* The next wanted row of the page: 1, or 0. */
static int next_in_page(struct hit_reader *r, struct hit_row *out)
{
	const struct hit_read_conf *c = &r->conf;
	const struct hit_rows_words *words = hit_store_words(r->segment.store);
	uint32_t rule;
	for (;;) {
		unsigned before = r->page.at;
		int got = hit_rows_next(&r->page, &out->hit, &rule, words, c->client);
		uint64_t row = got == 1 ? r->page.first + r->page.at - 1
					: r->page.first + before;
		if (got == 0 && r->row < r->page.first + r->page.n)
			r->row = r->page.first + r->page.n; /* the rest was not for us */
		if (got == 0 || !next_wanted(r) ||
		    (!r->segment.newest && row >= r->segment.end))
			break;
		if (got == 1 && row < r->row)
			continue;
		r->row = r->page.first + r->page.at;
		if (got < 0) {
			trouble(c, r->segment.file.name, ERR_OK, r->page.at - before);
			continue;
		}
		if (out->hit.time_us < c->since_us ||
		    (c->until_us && out->hit.time_us >= c->until_us))
			continue;
		out->at = (struct hit_cursor){r->segment.file.number, row};
		find_node(r, out);
		return 1;
	}
	r->page.n = r->page.at = 0;
	return 0;
}

int hit_read_next(struct hit_reader *r, struct hit_row *out)
{
	for (;;) {
		if (r->segment.store && next_in_page(r, out))
			return 1;
		int got = r->segment.store ? read_page(r) : open_next(r);
		if (got < 0 && r->segment.store) {
			trouble(&r->conf, r->segment.file.name, got, 0);
			close_segment(r);
			continue;
		}
		if (got == 0 && r->segment.store)
			got = leave_segment(r);
		if (got <= 0)
			return got;
	}
}

int hit_read_to_end(struct hit_reader *r)
{
	struct hit_store_file *files;
	int n, err = hit_store_files(&files, &n, r->dir);
	if (err)
		return err;
	if (n > 1)
		r->number = files[n - 2].number;
	free(files);
	err = open_next(r);
	if (err == 1)
		r->row = hit_store_segment(r->segment.store)->end_row;
	return err;
}

void hit_read_after(struct hit_reader *r, struct hit_cursor at)
{
	r->after = at;
	r->number = at.segment ? at.segment - 1 : 0;
}

uint64_t hit_read_lost(const struct hit_reader *r)
{
	return r->lost;
}

int hit_read_open(struct hit_reader **out, const struct hit_read_conf *conf)
{
	*out = NULL;
	if (access(conf->dir, R_OK | X_OK))
		return errno == ENOENT ? ERR_NOENT : ERR_ACCESS;
	struct hit_reader *r = calloc(1, sizeof *r);
	if (!r)
		return ERR_NOMEM;
	int n = snprintf(r->dir, sizeof r->dir, "%s", conf->dir);
	if (n >= (int)sizeof r->dir) {
		free(r);
		return ERR_RANGE;
	}
	r->conf = *conf;
	r->conf.dir = r->dir;
	r->node_worker = -1;
	*out = r;
	return ERR_OK;
}

void hit_read_abandon(struct hit_reader *r)
{
	trouble(&r->conf, r->segment.file.name, ERR_DAMAGED, 0);
	close_segment(r); /* looks at no page */
}

void hit_read_close(struct hit_reader *r)
{
	if (!r)
		return;
	close_segment(r);
	hit_store_close(r->segment.next);
	free(r);
}

/* ---- totals ---- */

/* Hits in the rows from first on, which a later segment has too. */
static uint64_t hits_from(struct hit_store *s, uint64_t first)
{
	struct hit_rows page;
	struct hit h;
	uint32_t rule;
	uint64_t hits = 0;
	int got = hit_store_rows(s, &page, first, HIT_PAGE_AT);
	while (got == 1) {
		while ((got = hit_rows_next(&page, &h, &rule, hit_store_words(s),
					    NULL)) != 0)
			if (got == 1 && page.first + page.at > first)
				hits += h.count;
		got = hit_store_rows(s, &page, page.first, HIT_PAGE_AFTER);
	}
	return hits;
}

/* Sequence numbers that lie between a ring's first and last record here without one. */
static uint64_t missing_in(struct hit_store *s)
{
	struct hit_ring_rows r = {0};
	uint64_t missing = 0;
	while (hit_store_next_ring(s, &r, r.at.boot, r.at.worker) == 1)
		if (r.rows)
			missing += r.last - r.first + 1 - r.rows;
	return missing;
}

struct adding {
	struct hit_read_totals *out;
	const struct hit_read_segment *seg;
};

static int add_totals(void *arg)
{
	struct hit_read_totals *out = ((struct adding *)arg)->out;
	const struct hit_read_segment *seg = ((struct adding *)arg)->seg;
	const struct hit_segment *g = hit_store_segment(seg->store);
	uint64_t repeated = g->end_row - seg->end, rows = seg->end - g->first_row;
	out->segments++;
	out->bytes += seg->file.bytes;
	out->records += rows;
	out->hits += g->hits - (repeated ? hits_from(seg->store, seg->end) : 0);
	out->no_room += g->no_room;
	out->repeated += repeated;
	out->missing += missing_in(seg->store);
	if (rows) {
		out->min_us = g->min_us < out->min_us ? g->min_us : out->min_us;
		out->max_us = g->max_us > out->max_us ? g->max_us : out->max_us;
	}
	return ERR_OK;
}

int hit_read_totals(struct hit_read_totals *out, const struct hit_read_conf *conf)
{
	struct hit_read_segment seg = {0};
	uint64_t number = 0;
	int got;
	*out = (struct hit_read_totals){.min_us = UINT64_MAX};
	while ((got = hit_read_segment(&seg, conf, number)) == 1) {
		int err = guarded(conf, add_totals, &(struct adding){out, &seg});
		number = seg.file.number;
		if (err)
			trouble(conf, seg.file.name, err, 0);
		hit_store_close(seg.store);
	}
	hit_store_close(seg.next);
	if (!out->records)
		out->min_us = 0;
	return got;
}
