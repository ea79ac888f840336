/* Writing a segment: rows, the words they share, and runs of sums. */
#include "resolver/hit_store_parts.h"

enum {
	RINGS_FIRST = 16,
	SUM_BYTES = 64, /* of a sum that waits for its run, and of its share of heads */
	DAY_BYTES = 10, /* of its share of a day's table */
};

uint32_t hit_store_check(const uint8_t *page, size_t len, const uint8_t key[HIT_KEY_LEN])
{
	size_t covered =
		key[0] == HIT_TAG_ROWS && len > HIT_ROWS_HEAD ? HIT_ROWS_HEAD : len;
	uint64_t place = (uint64_t)key[0] << 32 | wire_get32(key + 1);
	return hit_check(page + HIT_PAGE_HEAD, covered - HIT_PAGE_HEAD, place,
			 hit_get64(key + 5));
}

int hit_store_put_page(struct hit_store *s, enum hit_tag tag, uint32_t run, uint64_t id,
		       uint8_t *page, size_t len)
{
	uint8_t key_bytes[HIT_KEY_LEN];
	MDB_val key = hit_store_key(key_bytes, tag, run, id);
	MDB_val v = hit_store_val(page, len);
	wire_set32(page, hit_store_check(page, len, key_bytes));
	return hit_store_error(mdb_put(s->txn, s->dbi, &key, &v, 0));
}

/* ---- the rings that rows come from ---- */

static int add_ring(struct hit_store *s, const struct hit_ring_rows *ring)
{
	if (s->rings_n == s->rings_room) {
		int room = s->rings_room ? 2 * s->rings_room : RINGS_FIRST;
		void *more = realloc(s->rings, (size_t)room * sizeof *s->rings);
		if (!more)
			return ERR_NOMEM;
		s->rings = more;
		s->rings_room = room;
	}
	s->ring = s->rings_n++;
	s->rings[s->ring] = (struct hit_store_ring){*ring, *ring, false};
	return ERR_OK;
}

static bool is_ring(const struct hit_store *s, int at, uint64_t boot, uint16_t worker)
{
	const struct hit_position *p = &s->rings[at].next.at;
	return p->boot == boot && p->worker == worker;
}

/* Makes that ring the one of the last row, which it mostly is. */
static int find_ring(struct hit_store *s, uint64_t boot, uint16_t worker)
{
	if (s->ring < s->rings_n && is_ring(s, s->ring, boot, worker))
		return ERR_OK;
	for (int i = 0; i < s->rings_n; i++)
		if (is_ring(s, i, boot, worker)) {
			s->ring = i;
			return ERR_OK;
		}
	return add_ring(s,
			&(struct hit_ring_rows){.at = {.boot = boot, .worker = worker}});
}

static int count_sequence(struct hit_store *s, const struct hit_record *h)
{
	int err = find_ring(s, h->boot, h->worker);
	if (err)
		return err;
	struct hit_ring_rows *r = &s->rings[s->ring].next;
	r->first = r->rows ? r->first : h->sequence;
	r->last = h->sequence;
	r->rows++;
	s->rings[s->ring].changed = true;
	return ERR_OK;
}

static int put_ring(struct hit_store *s, const struct hit_ring_rows *r)
{
	uint8_t key_bytes[HIT_KEY_LEN], value[HIT_POSITION_LEN] = {0};
	MDB_val key = hit_store_ring_key(key_bytes, r->at.boot, r->at.worker);
	MDB_val v = hit_store_val(value, sizeof value);
	const uint64_t numbers[] = {r->at.position, r->at.no_room, r->first, r->last,
				    r->rows};
	for (int i = 0; i < 5; i++)
		hit_put64(value + 8 * i, numbers[i]);
	memcpy(value + 40, r->at.node, strnlen(r->at.node, HIT_NODE_MAX - 1));
	return hit_store_error(mdb_put(s->txn, s->dbi, &key, &v, 0));
}

int hit_store_move(struct hit_store *s, const struct hit_position *p,
		   uint64_t no_room_more)
{
	int err = find_ring(s, p->boot, p->worker);
	if (err)
		return err;
	s->rings[s->ring].next.at = *p;
	s->rings[s->ring].changed = true;
	s->next.no_room += no_room_more;
	return ERR_OK;
}

/* ---- words ---- */

/* As many words from *at on as fit. */
static size_t fill_page(uint8_t page[HIT_PAGE_MAX], const struct hit_words *w,
			uint32_t *at)
{
	uint8_t *p = page + HIT_PAGE_HEAD;
	for (; *at < w->n; ++*at) {
		size_t len;
		const uint8_t *word = hit_words_get(w, *at, &len);
		if (len + HIT_VARINT_MAX > (size_t)(page + HIT_PAGE_MAX - p))
			break;
		p = hit_put_varint(p, len);
		memcpy(p, word, len);
		p += len;
	}
	return (size_t)(p - page);
}

static int put_words(struct hit_store *s, enum hit_tag tag, struct hit_stored_words *w,
		     uint64_t *last_page)
{
	uint8_t page[HIT_PAGE_MAX];
	uint32_t at = (uint32_t)w->page;
	int err = ERR_OK;
	*last_page = w->page;
	while (!err && w->stored < w->all.n && at < w->all.n) {
		*last_page = at;
		size_t len = fill_page(page, &w->all, &at);
		err = hit_store_put_page(s, tag, 0, *last_page, page, len);
	}
	return err;
}

/* ---- sums ---- */

static int put_sums_page(void *arg, enum hit_tag tag, uint64_t id, uint8_t *page,
			 size_t len)
{
	struct hit_store *s = arg;
	return hit_store_put_page(s, tag, (uint32_t)s->next.runs, id, page, len);
}

static int put_run(struct hit_store *s)
{
	if (s->sums.end_row == s->sums.first_row)
		return ERR_OK;
	int err = hit_sums_write(&s->sums, put_sums_page, s);
	if (err)
		return err;
	s->next.runs++;
	s->next.sums_row = s->sums.end_row;
	s->run_written = true;
	return ERR_OK;
}

/* ---- rows ---- */

static int put_rows(struct hit_store *s)
{
	if (s->rows->n == 0)
		return ERR_OK;
	hit_rows_finish(s->rows);
	return hit_store_put_page(s, HIT_TAG_ROWS, 0, s->rows->first, s->rows->bytes,
				  s->rows->len);
}

static int add_row(struct hit_store *s, const struct hit_record *h, uint32_t rule,
		   uint32_t way)
{
	if (s->rows->n && hit_rows_add(s->rows, h, rule, way))
		return ERR_OK;
	int err = put_rows(s);
	if (err)
		return err;
	hit_rows_start(s->rows, s->next.end_row, h);
	return hit_rows_add(s->rows, h, rule, way) ? ERR_OK : ERR_FORMAT;
}

static void count_row(struct hit_segment *g, const struct hit_record *h)
{
	g->end_row++;
	g->hits += h->count;
	g->min_us = h->time_us < g->min_us ? h->time_us : g->min_us;
	g->max_us = h->time_us > g->max_us ? h->time_us : g->max_us;
}

/* A word that is new must be one: what rows refer to can be read. */
static int find_rule(struct hit_store *s, const struct hit_record *h, uint32_t hash,
		     uint32_t *out)
{
	struct hit ignored;
	bool elsewhere;
	uint32_t n = s->rules.all.n;
	int err = hit_words_put_hashed(&s->rules.all, out, hash, h->rule, h->rule_len);
	if (!err && *out == n)
		err = hit_unpack_rule(&ignored, &elsewhere, h->rule, h->rule_len);
	if (err)
		hit_words_cut(&s->rules.all, n);
	return err;
}

/* Mostly that of the row before. */
static int find_way(struct hit_store *s, const struct hit_record *h, uint32_t *out)
{
	struct hit ignored;
	uint32_t n = s->ways.all.n;
	size_t len = 0;
	const uint8_t *last =
		s->way < n ? hit_words_get(&s->ways.all, s->way, &len) : NULL;
	*out = s->way;
	if (last && len == h->way_len && memcmp(last, h->way, len) == 0)
		return ERR_OK;
	int err = hit_words_put(&s->ways.all, out, h->way, h->way_len);
	if (!err && *out == n)
		err = hit_unpack_way(&ignored, h->way, h->way_len);
	if (err)
		hit_words_cut(&s->ways.all, n);
	s->way = *out;
	return err;
}

static int put_record(struct hit_store *s, const struct hit_record *h, uint32_t rule_hash)
{
	uint32_t rule, way;
	if (s->added_n == HIT_STORE_BATCH)
		return ERR_INVAL;
	int err = find_rule(s, h, rule_hash, &rule);
	if (!err)
		err = find_way(s, h, &way);
	if (!err)
		err = add_row(s, h, rule, way);
	if (!err)
		err = count_sequence(s, h);
	if (err)
		return err;
	s->added[s->added_n++] = hit_sums_row(&h->client, h->time_us, rule, h->count);
	count_row(&s->next, h);
	return ERR_OK;
}

int hit_store_put(struct hit_store *s, struct hit_record *records, unsigned n)
{
	uint32_t hash[HIT_STORE_GROUP];
	const struct hit_words *rules = &s->rules.all;
	int err = n <= HIT_STORE_GROUP ? ERR_OK : ERR_INVAL;
	for (unsigned i = 0; !err && i < n; i++) {
		hash[i] = hit_words_hash(rules, records[i].rule, records[i].rule_len);
		hit_words_fetch_slot(rules, hash[i]);
	}
	for (unsigned i = 0; !err && i < n; i++)
		hit_words_fetch_word(rules, hash[i]);
	for (unsigned i = 0; !err && i < n; i++) {
		err = put_record(s, &records[i], hash[i]);
		if (err != ERR_FORMAT)
			continue;
		records[i].count = 0;
		err = ERR_OK;
	}
	return err;
}

int hit_store_put_hit(struct hit_store *s, const struct hit *h)
{
	uint8_t packed[HIT_PACKED_MAX];
	struct hit_record record;
	const struct hit_source source = hit_source_of(h);
	const struct hit_origin origin = {h->boot, h->sequence, h->worker};
	size_t len = hit_pack(packed, &source, &origin);
	int err = hit_record_read(&record, packed, len);
	if (err)
		return err;
	record.hash = hit_record_hash(packed, len);
	record.count = h->count;
	err = hit_store_put(s, &record, 1);
	return err || record.count ? err : ERR_FORMAT;
}

/* ---- transactions ---- */

int hit_store_begin(struct hit_store *s)
{
	int rc = mdb_txn_begin(s->env, NULL, 0, &s->txn);
	if (rc) {
		s->txn = NULL;
		return hit_store_error(rc);
	}
	s->next = s->segment;
	int err = ERR_OK;
	if (s->segment.runs - s->segment.tabled_runs >= HIT_STORE_DAY_RUNS)
		err = hit_store_put_days(s);
	if (!err && hit_sums_due(&s->sums, HIT_STORE_BATCH))
		err = put_run(s);
	return err;
}

static int finish(struct hit_store *s, uint64_t *rules_page, uint64_t *ways_page)
{
	int err = s->added_n ? put_rows(s) : ERR_OK;
	if (!err)
		err = put_words(s, HIT_TAG_RULES, &s->rules, rules_page);
	if (!err)
		err = put_words(s, HIT_TAG_WAYS, &s->ways, ways_page);
	for (int i = 0; !err && i < s->rings_n; i++)
		if (s->rings[i].changed)
			err = put_ring(s, &s->rings[i].next);
	s->next.rules = s->rules.all.n;
	s->next.ways = s->ways.all.n;
	return err ? err : hit_store_put_segment(s);
}

static void committed(struct hit_store *s)
{
	s->segment = s->next;
	s->rules.stored = s->rules.all.n;
	s->ways.stored = s->ways.all.n;
	if (s->run_written)
		hit_sums_clear(&s->sums);
	hit_sums_add(&s->sums, s->added, s->added_n);
	for (int i = 0; i < s->rings_n; i++) {
		s->rings[i].stored = s->rings[i].next;
		s->rings[i].changed = false;
	}
	if (s->added_n)
		*s->rows_stored = *s->rows;
	s->added_n = 0;
	s->run_written = false;
}

int hit_store_commit(struct hit_store *s)
{
	uint64_t rules_page, ways_page;
	int err = finish(s, &rules_page, &ways_page);
	if (err) {
		hit_store_abort(s);
		return err;
	}
	int rc = mdb_txn_commit(s->txn); /* frees it in any case */
	s->txn = NULL;
	if (rc) {
		hit_store_abort(s);
		return hit_store_error(rc);
	}
	s->rules.page = rules_page;
	s->ways.page = ways_page;
	committed(s);
	return ERR_OK;
}

void hit_store_abort(struct hit_store *s)
{
	if (s->txn)
		mdb_txn_abort(s->txn);
	s->txn = NULL;
	if (!s->ready)
		return;
	hit_words_cut(&s->rules.all, s->rules.stored);
	hit_words_cut(&s->ways.all, s->ways.stored);
	for (int i = 0; i < s->rings_n; i++) {
		s->rings[i].next = s->rings[i].stored;
		s->rings[i].changed = false;
	}
	*s->rows = *s->rows_stored;
	s->added_n = 0;
	s->run_written = false;
}

static int seal_sums(struct hit_store *s)
{
	int err = hit_store_begin(s);
	if (!err && !s->run_written)
		err = put_run(s);
	if (!err)
		return hit_store_commit(s);
	hit_store_abort(s);
	return err;
}

int hit_store_seal(struct hit_store *s)
{
	int err = s->sums.end_row > s->sums.first_row ? seal_sums(s) : ERR_OK;
	while (!err && s->segment.runs > s->segment.tabled_runs) {
		err = hit_store_begin(s);
		if (!err && s->next.tabled_runs == s->segment.tabled_runs)
			err = hit_store_put_days(s);
		if (!err)
			err = hit_store_commit(s);
		else
			hit_store_abort(s);
	}
	return err;
}

void hit_store_make_many_runs(struct hit_store *s)
{
	s->sums.max = HIT_STORE_BATCH;
}

static bool too_many(const struct hit_words *w)
{
	return w->n > HIT_STORE_WORDS_MAX || w->len > HIT_STORE_WORDS_BYTES_MAX;
}

bool hit_store_is_full(const struct hit_store *s)
{
	MDB_envinfo info;
	MDB_stat tree;
	mdb_env_info(s->env, &info);
	mdb_env_stat(s->env, &tree);
	uint64_t used = ((uint64_t)info.me_last_pgno + 1) * tree.ms_psize;
	uint64_t live =
		(tree.ms_branch_pages + tree.ms_leaf_pages + tree.ms_overflow_pages) *
		(uint64_t)tree.ms_psize;
	if (used - live > HIT_STORE_WASTE_BYTES_MAX)
		return true;
	used += (uint64_t)s->sums.n * (SUM_BYTES + DAY_BYTES);
	used += (s->segment.runs - s->segment.tabled_runs) * s->sums.max * DAY_BYTES;
	return used * 100 > s->map_bytes * HIT_STORE_FULL_PERCENT ||
	       too_many(&s->rules.all) || too_many(&s->ways.all);
}

/* ---- making ready ---- */

/* Adds the rows that no run has. */
static int collect(struct hit_store *s)
{
	uint64_t row = s->segment.sums_row;
	int got = ERR_OK;
	while (row < s->segment.end_row && !hit_sums_due(&s->sums, 1)) {
		got = hit_store_rows(s, s->rows, row, HIT_PAGE_AT);
		if (got <= 0)
			break;
		struct hit h;
		uint32_t rule;
		while ((got = hit_rows_next(s->rows, &h, &rule, &s->words, NULL)) != 0) {
			struct hit_sums_row r =
				hit_sums_row(&h.client, h.time_us, rule, h.count);
			if (s->rows->first + s->rows->at <= row)
				continue;
			row = s->rows->first + s->rows->at;
			if (got == 1)
				hit_sums_add(&s->sums, &r, 1);
			s->sums.end_row = row;
		}
		row = s->rows->first + s->rows->n;
	}
	return row >= s->segment.end_row ? ERR_OK : got < 0 ? got : ERR_DAMAGED;
}

static int load_rings(struct hit_store *s)
{
	struct hit_ring_rows r = {0};
	int got, err = ERR_OK;
	while (!err && (got = hit_store_next_ring(s, &r, r.at.boot, r.at.worker)) != 0)
		err = got < 0 ? got : add_ring(s, &r);
	return err;
}

int hit_store_ready(struct hit_store *s)
{
	int err = hit_sums_init(&s->sums, s->segment.sums_row);
	if (err)
		return err;
	s->rows = calloc(1, sizeof *s->rows);
	s->rows_stored = calloc(1, sizeof *s->rows_stored);
	s->added = malloc(HIT_STORE_BATCH * sizeof *s->added);
	if (!s->rows || !s->rows_stored || !s->added)
		return ERR_NOMEM;
	const struct hit_words *rules;
	if (!s->txn && (err = hit_store_look(s)) == ERR_OK)
		err = hit_store_load_rules(s, &rules);
	if (!s->txn && !err)
		err = load_rings(s);
	if (!err && !s->txn)
		err = collect(s);
	s->rows->n = 0; /* begins a new page, whatever room the last one has */
	s->rules.stored = s->rules.all.n;
	s->ways.stored = s->ways.all.n;
	s->ready = !err;
	return err;
}

void hit_store_unready(struct hit_store *s)
{
	hit_sums_fini(&s->sums);
	free(s->rows);
	free(s->rows_stored);
	free(s->added);
	free(s->rings);
}
