#include "resolver/hit_read.h"

#include <errno.h>
#include <unistd.h>

struct hit_reader {
	struct hit_read_conf conf;
	char dir[HIT_STORE_PATH_MAX];
	struct hit_store *store; /* NULL = before the first, or between two */
	struct hit_store_file file;
	bool last_look; /* a newer segment exists: what is read now is all */
	bool past_until;
	struct hit_page *page;
	int row; /* next in page */
	char node[HIT_NODE_MAX];
	uint64_t node_boot; /* whose node that is */
	int node_worker;    /* -1 = nobody's */
};

static void trouble(const struct hit_read_conf *c, const char *segment, int err,
		    uint64_t bad)
{
	if (c->trouble)
		c->trouble(c->trouble_arg, segment, err, bad);
}

static int open_file(struct hit_store **out, const char *dir, const char *name)
{
	char path[HIT_STORE_PATH_MAX];
	int n = snprintf(path, sizeof path, "%s/%s", dir, name);
	*out = NULL;
	return n < (int)sizeof path ? hit_store_open(out, path, HIT_STORE_READ)
				    : ERR_RANGE;
}

/* The first segment after number; false when there is none. */
static int next_file(const char *dir, uint64_t number, struct hit_store_file *out,
		     bool *newest)
{
	struct hit_store_file *files;
	int n, i = 0;
	int err = hit_store_files(&files, &n, dir);
	if (err)
		return err;
	while (i < n && files[i].number <= number)
		i++;
	if (i < n) {
		*out = files[i];
		*newest = i == n - 1;
	}
	free(files);
	return i < n ? 1 : 0;
}

/* A cursor before everything that was recorded since conf.since_us. */
static struct hit_cursor first_cursor(const struct hit_reader *r)
{
	uint64_t early = hit_store_segment(r->store)->early_us;
	uint64_t since = r->conf.since_us;
	return (struct hit_cursor){.commit_us = since > early ? since - early : 0};
}

static bool is_in_span(const struct hit_reader *r, const struct hit_segment *g)
{
	return g->records == 0 || (g->max_us >= r->conf.since_us &&
				   (!r->conf.until_us || g->min_us < r->conf.until_us));
}

/* Opens the segment after the one that was read. 0: there is none yet. */
static int open_next(struct hit_reader *r)
{
	for (;;) {
		struct hit_store_file file;
		bool newest;
		int found = next_file(r->dir, r->file.number, &file, &newest);
		if (found <= 0)
			return found;
		struct hit_store_file before = r->file;
		r->file = file;
		int err = open_file(&r->store, r->dir, file.name);
		if (err == ERR_NOENT && newest) { /* being made just now */
			r->file = before;
			return 0;
		}
		if (err == ERR_NOENT) /* retired meanwhile */
			continue;
		if (err) {
			trouble(&r->conf, file.name, err, 0);
			continue;
		}
		/* The newest one may still get rows of any time. */
		if (!newest && !is_in_span(r, hit_store_segment(r->store))) {
			hit_store_close(r->store);
			r->store = NULL;
			continue;
		}
		r->last_look = r->past_until = false;
		r->node_worker = -1;
		r->page->n = r->row = 0;
		r->page->next = first_cursor(r);
		return 1;
	}
}

/* The next rows of the open segment; none ends it or, when it is the newest, waits. */
static int read_page(struct hit_reader *r)
{
	struct hit_store_file file;
	bool newest;
	r->row = 0;
	int err = hit_store_page(r->store, r->page, r->page->next);
	if (!err && r->page->bad)
		trouble(&r->conf, r->file.name, ERR_OK, r->page->bad);
	if (!err && r->page->n > 0)
		return 1;
	if (!err && !r->page->end && !r->page->bad)
		err = ERR_DAMAGED; /* a row that no page can hold */
	if (!err && !r->page->end)
		return 1;
	if (err)
		trouble(&r->conf, r->file.name, err, 0);
	if (!err && !r->last_look) {
		int found = next_file(r->dir, r->file.number, &file, &newest);
		if (found <= 0)
			return found;
		r->last_look = true; /* rows may have come before the new one was made */
		return 1;
	}
	hit_store_close(r->store);
	r->store = NULL;
	r->page->n = 0;
	return 1;
}

static bool saturated_greater(uint64_t a, uint64_t b, uint64_t c)
{
	return b <= UINT64_MAX - c && a > b + c;
}

static void find_node(struct hit_reader *r, struct hit_row *out)
{
	struct hit_position p;
	const struct hit *h = &out->hit;
	if (r->node_worker != h->worker || r->node_boot != h->boot) {
		int err = hit_store_position(r->store, &p, h->boot, h->worker);
		memcpy(r->node, err ? "" : p.node, err ? 1 : sizeof r->node);
		r->node_boot = h->boot;
		r->node_worker = h->worker;
	}
	memcpy(out->node, r->node, sizeof out->node);
}

/* Whether the row is wanted; copies it. */
static bool take_row(struct hit_reader *r, const struct hit_store_row *row,
		     struct hit_row *out)
{
	const struct hit_segment *g = &r->page->segment;
	uint64_t until = r->conf.until_us, time = hit_packed_time(row->packed, row->len);
	if (until && saturated_greater(row->at.commit_us, until, g->late_us))
		r->past_until = true; /* nothing later can be of that span */
	if (r->past_until || time < r->conf.since_us || (until && time >= until))
		return false;
	if (hit_unpack(&out->hit, row->packed, row->len)) {
		trouble(&r->conf, r->file.name, ERR_OK, 1);
		return false;
	}
	out->hit.count = row->count;
	out->at = row->at;
	find_node(r, out);
	return true;
}

int hit_read_next(struct hit_reader *r, struct hit_row *out)
{
	for (;;) {
		while (r->store && !r->past_until && r->row < r->page->n)
			if (take_row(r, &r->page->rows[r->row++], out))
				return 1;
		if (r->past_until) {
			hit_store_close(r->store);
			r->store = NULL;
			r->past_until = false;
		}
		int more = r->store ? read_page(r) : open_next(r);
		if (more <= 0)
			return more;
	}
}

int hit_read_to_end(struct hit_reader *r)
{
	struct hit_store_file *files;
	int n, err = hit_store_files(&files, &n, r->dir);
	if (err)
		return err;
	if (n > 1)
		r->file = files[n - 2];
	free(files);
	struct hit_row row;
	err = open_next(r);
	if (err <= 0)
		return err;
	/* Behind the newest row there is now. */
	r->page->next = hit_store_segment(r->store)->last;
	r->page->next.n++;
	while ((err = hit_read_next(r, &row)) == 1)
		;
	return err;
}

int hit_read_open(struct hit_reader **out, const struct hit_read_conf *conf)
{
	*out = NULL;
	if (access(conf->dir, R_OK | X_OK))
		return errno == ENOENT ? ERR_NOENT : ERR_ACCESS;
	struct hit_reader *r = calloc(1, sizeof *r);
	if (!r)
		return ERR_NOMEM;
	r->conf = *conf;
	r->node_worker = -1;
	r->page = calloc(1, sizeof *r->page);
	int n = snprintf(r->dir, sizeof r->dir, "%s", conf->dir);
	if (!r->page || n >= (int)sizeof r->dir) {
		hit_read_close(r);
		return n >= (int)sizeof r->dir ? ERR_RANGE : ERR_NOMEM;
	}
	*out = r;
	return ERR_OK;
}

void hit_read_abandon(struct hit_reader *r)
{
	trouble(&r->conf, r->file.name, ERR_DAMAGED, 0);
	r->store = NULL; /* LMDB was inside it: closing might crash again */
	r->page->n = r->row = 0;
	r->past_until = false;
}

void hit_read_close(struct hit_reader *r)
{
	if (!r)
		return;
	hit_store_close(r->store);
	free(r->page);
	free(r);
}

int hit_read_totals(struct hit_read_totals *out, const struct hit_read_conf *conf)
{
	struct hit_store_file *files;
	int n, err = hit_store_files(&files, &n, conf->dir);
	*out = (struct hit_read_totals){.min_us = UINT64_MAX};
	if (err)
		return err;
	for (int i = 0; i < n; i++) {
		struct hit_store *s;
		err = open_file(&s, conf->dir, files[i].name);
		if (err && err != ERR_NOENT)
			trouble(conf, files[i].name, err, 0);
		if (err)
			continue;
		const struct hit_segment *g = hit_store_segment(s);
		out->segments++;
		out->bytes += files[i].bytes;
		out->records += g->records;
		out->hits += g->hits;
		out->no_room += g->no_room;
		out->min_us =
			g->records && g->min_us < out->min_us ? g->min_us : out->min_us;
		out->max_us = g->max_us > out->max_us ? g->max_us : out->max_us;
		hit_store_close(s);
	}
	free(files);
	if (!out->records)
		out->min_us = 0;
	return ERR_OK;
}
