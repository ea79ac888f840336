#include "tools/hits_pick.h"

#include <stdlib.h>

#include "resolver/hit_walk.h"
#include "tools/hits_log.h"

enum {
	PICK_SHARE = 8, /* more than 1/8 of a run's rows: read all of them */
	PICK_GAP = 100, /* rows: reading on is cheaper than seeking */
};

struct picking {
	struct hit_range *ranges;
	size_t n, room;
};

static int add_range(struct picking *p, uint64_t from, uint64_t to)
{
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 256;
		void *more = realloc(p->ranges, room * sizeof *p->ranges);
		if (!more)
			return ERR_NOMEM;
		p->ranges = more;
		p->room = room;
	}
	p->ranges[p->n++] = (struct hit_range){from, to};
	return ERR_OK;
}

/* Rows between the first and the last are of that sum only when there are more. */
static int add_sum(struct picking *p, const struct hit_sum *s)
{
	if (s->hits > 2)
		return add_range(p, s->row, s->row_last + 1);
	int err = add_range(p, s->row, s->row + 1);
	return err ? err : add_range(p, s->row_last, s->row_last + 1);
}

static int by_from(const void *a, const void *b)
{
	const struct hit_range *x = a, *y = b;
	return (x->from > y->from) - (x->from < y->from);
}

/* In order, those that nearly touch made one. */
static void join_ranges(struct picking *p)
{
	size_t n = 0;
	if (p->n)
		qsort(p->ranges, p->n, sizeof *p->ranges, by_from);
	for (size_t i = 0; i < p->n; i++) {
		const struct hit_range *r = &p->ranges[i];
		if (n &&
		    (r->from < PICK_GAP || r->from - PICK_GAP <= p->ranges[n - 1].to)) {
			if (r->to > p->ranges[n - 1].to)
				p->ranges[n - 1].to = r->to;
		} else {
			p->ranges[n++] = *r;
		}
	}
	p->n = n;
}

/* One that cannot be read is: its rows will tell. */
static bool rule_is_wanted(struct hit_store *s, const struct hits_filter *f,
			   uint32_t rule)
{
	struct hit h;
	bool elsewhere;
	size_t len;
	const struct hit_rows_words *words = hit_store_words(s);
	const uint8_t *word = words->rule(words->arg, rule, &len);
	return !word || hit_unpack_rule(&h, &elsewhere, word, len) ||
	       hits_rule_wanted(f, &h, elsewhere);
}

static int pick_in_run(struct picking *p, const struct hits_filter *f,
		       struct hit_store *s, uint32_t number, const struct hit_run *run,
		       struct hit_walk *heads, struct hit_walk_sums *sums)
{
	bool by_client = f->client.addr.family, rules = hits_filter_has_rules(f);
	uint64_t from = 0, to = UINT64_MAX, rows = 0;
	struct hit_head head;
	struct hit_sum sum;
	int got = 0, err;
	hits_filter_clients(f, &from, &to);
	err = hit_walk_open(heads, s,
			    by_client ? HIT_TAG_CLIENT_HEADS : HIT_TAG_RULE_HEADS, number,
			    run, from, to);
	hit_walk_sums_init(sums, s, by_client ? HIT_TAG_CLIENT_SUMS : HIT_TAG_RULE_SUMS,
			   number, run);
	while (!err && (got = hit_walk_next(heads, &head)) == 1) {
		if (!by_client && !rule_is_wanted(s, f, (uint32_t)head.id))
			continue;
		rows += head.sums;
		if (rows > (run->end_row - run->first_row) / PICK_SHARE)
			return add_range(p, run->first_row, run->end_row);
		err = hit_walk_sums_open(sums, &head);
		while (!err && (got = hit_walk_sums_next(sums, &sum)) == 1)
			if (!by_client || !rules || rule_is_wanted(s, f, sum.rule))
				err = add_sum(p, &sum);
		err = err ? err : got;
	}
	return err ? err : got;
}

int hits_pick(void *arg, struct hit_store *s, uint64_t end, struct hit_range **ranges,
	      size_t *n)
{
	const struct hits_filter *f = arg;
	const struct hit_segment *g = hit_store_segment(s);
	struct picking p = {0};
	struct hit_walk heads;
	struct hit_walk_sums sums;
	uint64_t row = g->first_row;
	int err = ERR_OK;
	*ranges = NULL;
	*n = 0;
	if (!f->client.addr.family && !hits_filter_has_rules(f))
		return 0;
	for (uint32_t number = 0; !err && number < g->runs; number++) {
		struct hit_run run;
		err = hit_walk_run(&run, s, number);
		if (err || run.end_row > end)
			break;
		err = pick_in_run(&p, f, s, number, &run, &heads, &sums);
		row = err ? row : run.end_row;
	}
	if (!err || err == ERR_DAMAGED) /* the rest is read as it is */
		err = add_range(&p, row, UINT64_MAX);
	join_ranges(&p);
	*ranges = p.ranges;
	*n = p.n;
	if (err) {
		free(p.ranges);
		*ranges = NULL;
		return err;
	}
	return 1;
}
