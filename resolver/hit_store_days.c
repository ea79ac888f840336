/* Merging runs into tables of days, inside the write transaction of later rows. */
#include "resolver/hit_store_parts.h"
#include "resolver/hit_walk.h"

/* Days that a few runs may know of: one, a second around midnight, some more after a long
 * outage. Others are told by their runs alone. */
enum { DAYS_MAX = 16 };

/* A run's clients, one after the other. */
struct merged_run {
	uint32_t number;
	struct hit_run run;
	struct hit_walk heads;
	struct hit_walk_sums sums;
	struct hit_head head;
	bool has; /* head is one */
};

struct merging {
	struct hit_store *s;
	struct merged_run in[HIT_STORE_DAY_RUNS];
	uint32_t runs; /* of in */
	struct {
		uint32_t day, sums;
	} days[DAYS_MAX];
	unsigned days_n;
	struct hit_day_writer out;
};

static int put_day_page(void *arg, enum hit_tag tag, uint64_t id, uint8_t *page,
			size_t len)
{
	struct hit_store *s = arg;
	return hit_store_put_page(s, tag, (uint32_t)s->next.tables, id, page, len);
}

/* ---- which days ---- */

static int add_day(struct merging *m, uint32_t day, uint64_t sums)
{
	unsigned i = 0;
	while (i < m->days_n && m->days[i].day != day)
		i++;
	if (i == DAYS_MAX)
		return ERR_RANGE;
	if (i == m->days_n) {
		m->days[i].day = day;
		m->days[m->days_n++].sums = 0;
	}
	m->days[i].sums += (uint32_t)sums;
	return ERR_OK;
}

static int add_days_of(struct merging *m, const struct merged_run *r)
{
	struct hit_page page;
	struct hit_run_hour hour;
	uint64_t id = 0;
	int got = hit_store_page(m->s, &page, HIT_TAG_HOURS, r->number, 0, HIT_PAGE_AT);
	uint64_t before = r->run.base_hour;
	while (got == 1) {
		struct hit_sums_at at = hit_sums_at(page.bytes, page.len, HIT_PAGE_HEAD);
		at.before = before;
		while ((got = hit_hours_next(&at, &hour)) == 1)
			if (add_day(m, hour.hour / HIT_DAY_HOURS, hour.sums))
				return ERR_RANGE;
		before = at.before;
		id = page.id;
		got = got ? got
			  : hit_store_page(m->s, &page, HIT_TAG_HOURS, r->number, id,
					   HIT_PAGE_AFTER);
	}
	return got;
}

/* ---- one day ---- */

static bool has_day(const struct hit_run *run, uint32_t day)
{
	return run->base_hour / HIT_DAY_HOURS <= day &&
	       run->last_hour / HIT_DAY_HOURS >= day;
}

static int next_head(struct merged_run *r)
{
	int got = hit_walk_next(&r->heads, &r->head);
	r->has = got == 1;
	return got < 0 ? got : ERR_OK;
}

static int open_runs(struct merging *m, uint32_t day)
{
	int err = ERR_OK;
	for (uint32_t i = 0; !err && i < m->runs; i++) {
		struct merged_run *r = &m->in[i];
		r->has = false;
		if (!has_day(&r->run, day))
			continue;
		err = hit_walk_open(&r->heads, m->s, HIT_TAG_CLIENT_HEADS, r->number,
				    &r->run, 0, UINT64_MAX);
		hit_walk_sums_init(&r->sums, m->s, HIT_TAG_CLIENT_SUMS, r->number,
				   &r->run);
		err = err ? err : next_head(r);
	}
	return err;
}

/* The sums of the head that belong to the day; and on to the next head. */
static int add_head(struct merging *m, struct merged_run *r)
{
	uint32_t day = m->out.day.day;
	struct hit_sum sum;
	int got = 0, err = ERR_OK;
	if (r->head.first_s / HIT_DAY_S <= day && r->head.last_s / HIT_DAY_S >= day)
		err = hit_walk_sums_open(&r->sums, &r->head);
	else
		r->sums.left = 0;
	while (!err && (got = hit_walk_sums_next(&r->sums, &sum)) == 1)
		if (sum.hour / HIT_DAY_HOURS == day)
			err = hit_day_add(&m->out, &sum);
	err = err ? err : got;
	return err ? err : next_head(r);
}

/* Client after client, from all runs that have it. */
static int merge_clients(struct merging *m)
{
	int err = ERR_OK;
	for (;;) {
		struct merged_run *least = NULL;
		for (uint32_t i = 0; i < m->runs; i++)
			if (m->in[i].has && (!least || m->in[i].head.id < least->head.id))
				least = &m->in[i];
		if (!least)
			return ERR_OK;
		err = add_head(m, least);
		if (err)
			return err;
	}
}

static int put_day(struct merging *m, unsigned i)
{
	const struct hit_day day = {.day = m->days[i].day,
				    .first_run = m->in[0].number,
				    .end_run = m->in[0].number + m->runs};
	hit_day_begin(&m->out, &day);
	int err = open_runs(m, day.day);
	err = err ? err : merge_clients(m);
	err = err ? err : hit_day_end(&m->out);
	m->s->next.tables++;
	return err;
}

/* ERR_RANGE, ERR_NOMEM: these runs cannot be merged; nothing was written then. */
static int prepare(struct merging *m, uint32_t runs)
{
	uint32_t most = 0;
	int err = ERR_OK;
	for (m->runs = 0; !err && m->runs < runs; m->runs++) {
		struct merged_run *r = &m->in[m->runs];
		r->number = (uint32_t)m->s->segment.tabled_runs + m->runs;
		err = hit_walk_run(&r->run, m->s, r->number);
		err = err ? err : add_days_of(m, r);
	}
	for (unsigned i = 0; i < m->days_n; i++)
		most = m->days[i].sums > most ? m->days[i].sums : most;
	return err ? err
		   : hit_day_init(&m->out, m->s->rules.all.n, most, put_day_page, m->s);
}

int hit_store_put_days(struct hit_store *s)
{
	uint64_t runs = s->segment.runs - s->segment.tabled_runs;
	runs = runs < HIT_STORE_DAY_RUNS ? runs : HIT_STORE_DAY_RUNS;
	s->next.tabled_runs += runs;
	struct merging *m = calloc(1, sizeof *m);
	if (!m)
		return ERR_OK; /* without tables: the runs know it all */
	m->s = s;
	int err = prepare(m, (uint32_t)runs);
	bool can = err != ERR_RANGE && err != ERR_NOMEM;
	for (unsigned i = 0; !err && i < m->days_n; i++)
		err = put_day(m, i);
	hit_day_fini(&m->out);
	free(m);
	return can ? err : ERR_OK;
}
