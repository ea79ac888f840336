#include "tools/hits_scan.h"

#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>

#include "tools/hits_heads.h"

enum {
	SEGMENTS_FIRST = 64,
	RULES_FIRST = 1024,
	PICK_SHARE = 8, /* more than 1/8 of a run's rows: read all of them */
	PICK_GAP = 100, /* rows: reading on is cheaper than seeking */
};

/* ---- rules ---- */

bool hits_rule_wanted(const struct hits_filter *f, const struct hit *r, bool elsewhere)
{
	if ((f->list && strcmp(f->list, r->list) != 0) ||
	    (f->family && strcasecmp(f->family, r->family) != 0) ||
	    (f->category && strcasecmp(f->category, r->category) != 0))
		return false;
	if ((f->action >= 0 && f->action != r->action) ||
	    (f->trigger >= 0 && f->trigger != r->trigger) ||
	    (f->entry && f->entry != r->entry))
		return false;
	if (f->matched && (r->prefix.addr.family || !name_equal(f->matched, r->matched)))
		return false;
	if (f->rule_prefix.addr.family &&
	    (!addr_equal(&f->rule_prefix.addr, &r->prefix.addr) ||
	     f->rule_prefix.bits != r->prefix.bits))
		return false;
	if (!f->name || elsewhere)
		return true;
	return name_within(f->name, r->matched) ||
	       (f->subtree && name_within(r->matched, f->name));
}

static bool is_rule_filter(const struct hits_filter *f)
{
	return f->list || f->family || f->category || f->action >= 0 || f->trigger >= 0 ||
	       f->entry || f->matched || f->rule_prefix.addr.family || f->name;
}

int hits_log_rule(const struct hits_log *log, struct hit *out, bool *elsewhere,
		  uint32_t rule)
{
	bool ignored;
	size_t len;
	const uint8_t *word = hit_words_get(&log->words, rule, &len);
	return hit_unpack_rule(out, elsewhere ? elsewhere : &ignored, word, len);
}

static bool wanted_now(const struct hits_log *log, uint32_t rule)
{
	struct hit h;
	bool elsewhere;
	return hits_log_rule(log, &h, &elsewhere, rule) == ERR_OK &&
	       hits_rule_wanted(&log->filter, &h, elsewhere);
}

void hits_log_filter(struct hits_log *log)
{
	for (uint32_t i = 0; i < log->rules; i++)
		log->rule[i].wanted = wanted_now(log, i);
}

static struct hits_rule_slot *find_slot(const struct hits_log *log, uint64_t hash)
{
	size_t at = hash & (log->slots_n - 1);
	while (log->slots[at].number && log->slots[at].hash != hash)
		at = (at + 1) & (log->slots_n - 1);
	return &log->slots[at];
}

static int grow_rules(struct hits_log *log)
{
	uint32_t room = log->rules_room ? 2 * log->rules_room : RULES_FIRST;
	struct hits_rule_slot *old = log->slots;
	size_t old_n = log->slots_n;
	void *more = realloc(log->rule, room * sizeof *log->rule);
	if (!more)
		return ERR_NOMEM;
	log->rule = more;
	more = calloc(4 * (size_t)room, sizeof *log->slots);
	if (!more)
		return ERR_NOMEM;
	log->rules_room = room;
	log->slots = more;
	log->slots_n = 4 * (size_t)room;
	for (size_t i = 0; i < old_n; i++)
		if (old[i].number)
			*find_slot(log, old[i].hash) = old[i];
	free(old);
	return ERR_OK;
}

/* Our number of that word. */
static int add_rule(struct hits_log *log, uint32_t *out, const uint8_t *word, size_t len)
{
	uint64_t hash = hash_bytes(&log->key, word, len);
	struct hits_rule_slot *slot = log->slots_n ? find_slot(log, hash) : NULL;
	if (slot && slot->number) {
		*out = slot->number - 1;
		return ERR_OK;
	}
	int err = log->rules == log->rules_room ? grow_rules(log) : ERR_OK;
	if (!err)
		err = hit_words_append(&log->words, word, len);
	if (err)
		return err;
	*out = log->rules++;
	*find_slot(log, hash) = (struct hits_rule_slot){hash, log->rules};
	log->rule[*out] = (struct hits_rule){UINT32_MAX, wanted_now(log, *out)};
	return ERR_OK;
}

static int map_rules(struct hits_log *log, struct hits_segment *seg)
{
	const struct hit_words *words;
	int err = hit_store_load_rules(seg->of.store, &words);
	if (err || seg->rules_n >= words->n)
		return err;
	void *more = realloc(seg->rules, words->n * sizeof *seg->rules);
	if (!more)
		return ERR_NOMEM;
	seg->rules = more;
	for (; !err && seg->rules_n < words->n; seg->rules_n++) {
		size_t len;
		const uint8_t *word = hit_words_get(words, seg->rules_n, &len);
		err = add_rule(log, &seg->rules[seg->rules_n], word, len);
	}
	return err;
}

/* ---- segments ---- */

static int find_runs(struct hits_segment *seg)
{
	const struct hit_segment *g = hit_store_segment(seg->of.store);
	struct hit_run run;
	int err = ERR_OK;
	seg->sums_end = g->first_row;
	for (seg->runs = 0; seg->runs < g->runs; seg->runs++) {
		err = hits_run(&run, seg->of.store, seg->runs);
		if (err || run.end_row > seg->of.end)
			break; /* rows of a failed commit are in it */
		seg->sums_end = run.end_row;
	}
	return err;
}

static int add_segment(struct hits_log *log, const struct hit_read_segment *of,
		       const char *dir)
{
	if (log->segments % SEGMENTS_FIRST == 0) {
		size_t room = log->segments + SEGMENTS_FIRST;
		void *more = realloc(log->segment, room * sizeof *log->segment);
		if (!more)
			return ERR_NOMEM;
		log->segment = more;
	}
	struct hits_segment *seg = &log->segment[log->segments++];
	*seg = (struct hits_segment){.of = *of, .dir = dir};
	seg->of.next = NULL;
	int err = find_runs(seg);
	if (err)
		log->trouble(log->trouble_arg, dir, of->file.name, err, 0);
	return ERR_OK; /* the rows tell what the sums cannot */
}

static int add_folder(struct hits_log *log, const char *dir, uint64_t since_us)
{
	const struct hit_read_conf conf = {
		.dir = dir, .trouble = log->trouble, .trouble_arg = log->trouble_arg};
	struct hit_read_segment of = {0};
	uint64_t number = 0;
	int got, err = ERR_OK;
	while (!err && (got = hit_read_segment(&of, &conf, number)) != 0) {
		if (got < 0) {
			err = got;
			break;
		}
		number = of.file.number;
		const struct hit_segment *g = hit_store_segment(of.store);
		if (g->end_row == g->first_row || g->max_us < since_us)
			hit_store_close(of.store);
		else
			err = add_segment(log, &of, dir);
	}
	hit_store_close(of.next);
	return err;
}

int hits_log_open(struct hits_log *log, const char *const *dirs,
		  const struct hits_filter *filter, uint64_t since_us,
		  hit_read_trouble_fn *trouble, void *trouble_arg)
{
	*log = (struct hits_log){
		.filter = *filter, .trouble = trouble, .trouble_arg = trouble_arg};
	int err = hit_words_init(&log->words);
	if (!err && getrandom(&log->key, sizeof log->key, 0) != sizeof log->key)
		err = ERR_IO;
	for (; !err && *dirs; dirs++)
		err = add_folder(log, *dirs, since_us);
	return err;
}

void hits_log_close(struct hits_log *log)
{
	for (uint32_t i = 0; i < log->segments; i++) {
		hit_store_close(log->segment[i].of.store);
		free(log->segment[i].rules);
	}
	hit_words_fini(&log->words);
	free(log->segment);
	free(log->rule);
	free(log->slots);
	*log = (struct hits_log){0};
}

/* ---- a scan ---- */

struct scanning {
	struct hits_log *log;
	const struct hits_scan *scan;
	struct hits_segment *seg;
	uint32_t segment;
	bool rules, name;	     /* the filter asks for rules; for a question */
	uint64_t from, to;	     /* clients, as numbers */
	uint64_t hour_from, hour_to; /* whole hours of the span */
};

static void client_range(uint64_t *from, uint64_t *to, const struct prefix *p)
{
	struct addr last = p->addr;
	*from = 0;
	*to = UINT64_MAX;
	if (!p->addr.family)
		return;
	for (unsigned i = p->bits; i < 8 * addr_len(&p->addr); i++)
		last.bytes[i / 8] |= (uint8_t)(0x80U >> i % 8);
	*from = hit_client_id(&p->addr);
	*to = hit_client_id(&last);
}

/* Sums know clients by /56 and no questions. */
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

static int scan_sums(struct scanning *s, struct hits_heads_sums *sums,
		     const struct hit_head *head, bool by_client)
{
	struct hit_sum sum;
	int got, err = hits_heads_sums_open(sums, head);
	while (!err && (got = hits_heads_sums_next(sums, &sum)) != 0)
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

static int scan_run(struct scanning *s, uint32_t number, struct hits_heads *heads,
		    struct hits_heads_sums *sums)
{
	struct hit_run run;
	struct hit_head head;
	bool by_client = take_clients(s);
	int got = 0, err = hits_run(&run, s->seg->of.store, number);
	if (!err && run.base_hour >= s->hour_to)
		return ERR_OK;
	if (!err)
		err = hits_heads_open(heads, s->seg->of.store, number, &run, by_client,
				      by_client ? s->from : 0,
				      by_client ? s->to : UINT64_MAX);
	hits_heads_sums_init(sums, s->seg->of.store, number, &run, by_client);
	while (!err && (got = hits_heads_next(heads, &head)) == 1) {
		if (head.first_s / HIT_HOUR_S >= s->hour_to ||
		    head.last_s / HIT_HOUR_S < s->hour_from ||
		    (!by_client && !is_wanted(s, (uint32_t)head.id)))
			continue;
		err = head_is_enough(s, &head, by_client)
			      ? tell_head(s, &head, by_client)
			      : scan_sums(s, sums, &head, by_client);
	}
	return err ? err : got;
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
			s->log->trouble(s->log->trouble_arg, s->seg->dir,
					s->seg->of.file.name, ERR_OK, 1);
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
	uint64_t at = from;
	enum hit_page_which which = HIT_PAGE_AT;
	int err = ERR_OK;
	while (!err && at < to) {
		int got = hit_store_rows(s->seg->of.store, &page, at, which);
		if (got == 0 || (got < 0 && got != ERR_DAMAGED))
			return got;
		if (page.first >= to)
			return ERR_OK;
		at = page.first;
		which = HIT_PAGE_AFTER;
		if (got == ERR_DAMAGED)
			s->log->trouble(s->log->trouble_arg, s->seg->dir,
					s->seg->of.file.name, got, 0);
		else if (page.max_us >= since_us && (!until_us || page.min_us < until_us))
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

/* What the sums cannot tell of the rows that have them: hours that the span cuts. */
static int scan_cut_hours(struct scanning *s)
{
	const uint64_t hour_us = HIT_HOUR_S * 1000000ULL;
	uint64_t first = hit_store_segment(s->seg->of.store)->first_row;
	uint64_t since = s->scan->since_us, until = s->scan->until_us;
	uint64_t from_us = s->hour_from * hour_us, to_us = s->hour_to * hour_us;
	int err = ERR_OK;
	if (s->hour_from >= s->hour_to)
		return reaches(s, since, until ? until : UINT64_MAX)
			       ? scan_rows(s, first, s->seg->sums_end, since, until)
			       : ERR_OK;
	if (reaches(s, since, from_us))
		err = scan_rows(s, first, s->seg->sums_end, since, from_us);
	if (!err && until && reaches(s, to_us, until))
		err = scan_rows(s, first, s->seg->sums_end, to_us, until);
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

static int scan_segment(struct scanning *s)
{
	struct hits_heads heads;
	struct hits_heads_sums sums;
	int err = ERR_OK;
	if (s->rules || s->scan->by & HITS_BY_RULE)
		err = map_rules(s->log, s->seg);
	if (!err && !sums_can_tell(s))
		return scan_picked(s);
	for (uint32_t run = 0; !err && run < s->seg->runs; run++) {
		err = scan_run(s, run, &heads, &sums);
		if (!err && *s->scan->interrupted)
			err = ERR_STOPPED;
	}
	if (!err)
		err = scan_cut_hours(s);
	if (!err)
		err = scan_rows(s, s->seg->sums_end, s->seg->of.end, s->scan->since_us,
				s->scan->until_us);
	return err;
}

int hits_scan(struct hits_log *log, const struct hits_scan *scan)
{
	const uint64_t hour_us = HIT_HOUR_S * 1000000ULL;
	struct scanning s = {
		.log = log,
		.scan = scan,
		.rules = scan->chosen || is_rule_filter(&log->filter),
		.name = log->filter.name,
		.hour_from = (scan->since_us + hour_us - 1) / hour_us,
		.hour_to =
			scan->until_us ? scan->until_us / hour_us : UINT64_MAX / hour_us,
	};
	int err = ERR_OK;
	client_range(&s.from, &s.to, &log->filter.client);
	for (s.segment = 0; !err && s.segment < log->segments; s.segment++) {
		s.seg = &log->segment[s.segment];
		if (!s.seg->of.store ||
		    !reaches(&s, scan->since_us,
			     scan->until_us ? scan->until_us : UINT64_MAX))
			continue;
		err = scan_segment(&s);
		if (err == ERR_DAMAGED) {
			log->trouble(log->trouble_arg, s.seg->dir, s.seg->of.file.name,
				     err, 0);
			err = ERR_OK;
		}
	}
	return err;
}

/* ---- which rows ---- */

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

static bool rule_is_wanted(struct hit_store *s, const struct hits_filter *f,
			   uint32_t rule)
{
	struct hit h;
	bool elsewhere;
	size_t len;
	const struct hit_rows_words *words = hit_store_words(s);
	const uint8_t *word = words->rule(words->arg, rule, &len);
	return word && !hit_unpack_rule(&h, &elsewhere, word, len) &&
	       hits_rule_wanted(f, &h, elsewhere);
}

static int pick_in_run(struct picking *p, const struct hits_filter *f,
		       struct hit_store *s, uint32_t number, const struct hit_run *run,
		       struct hits_heads *heads, struct hits_heads_sums *sums)
{
	bool by_client = f->client.addr.family, rules = is_rule_filter(f);
	uint64_t from = 0, to = UINT64_MAX, rows = 0;
	struct hit_head head;
	struct hit_sum sum;
	int got = 0, err;
	client_range(&from, &to, &f->client);
	err = hits_heads_open(heads, s, number, run, by_client, from, to);
	hits_heads_sums_init(sums, s, number, run, by_client);
	while (!err && (got = hits_heads_next(heads, &head)) == 1) {
		if (!by_client && !rule_is_wanted(s, f, (uint32_t)head.id))
			continue;
		rows += head.sums;
		if (rows > (run->end_row - run->first_row) / PICK_SHARE)
			return add_range(p, run->first_row, run->end_row);
		err = hits_heads_sums_open(sums, &head);
		while (!err && (got = hits_heads_sums_next(sums, &sum)) == 1)
			if (!by_client || !rules || rule_is_wanted(s, f, sum.rule))
				err = add_range(p, sum.row, sum.row_last + 1);
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
	struct hits_heads heads;
	struct hits_heads_sums sums;
	uint64_t row = g->first_row;
	int err = ERR_OK;
	*ranges = NULL;
	*n = 0;
	if (!f->client.addr.family && !is_rule_filter(f))
		return 0;
	for (uint32_t number = 0; !err && number < g->runs; number++) {
		struct hit_run run;
		err = hits_run(&run, s, number);
		if (err || run.end_row > end)
			break;
		err = pick_in_run(&p, f, s, number, &run, &heads, &sums);
		row = run.end_row;
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

int hits_log_row(struct hits_log *log, struct hit *out, uint32_t segment, uint64_t row)
{
	struct hit_store *s = log->segment[segment].of.store;
	struct hit_rows page;
	uint32_t rule;
	int got = hit_store_rows(s, &page, row, HIT_PAGE_AT);
	while (got == 1) {
		got = hit_rows_next(&page, out, &rule, hit_store_words(s), NULL);
		if (got == 1 && page.first + page.at - 1 == row)
			return ERR_OK;
	}
	return got < 0 ? got : ERR_NOENT;
}
