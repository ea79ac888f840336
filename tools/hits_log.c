#include "tools/hits_log.h"

#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>

#include "resolver/hit_walk.h"
#include "tools/hits_guard.h"

enum {
	SEGMENTS_FIRST = 64,
	RULES_FIRST = 1024,
	MAPPED_AT_ONCE = 32,
};

/* ---- the filter ---- */

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

bool hits_filter_has_rules(const struct hits_filter *f)
{
	return f->list || f->family || f->category || f->action >= 0 || f->trigger >= 0 ||
	       f->entry || f->matched || f->rule_prefix.addr.family || f->name;
}

void hits_filter_clients(const struct hits_filter *f, uint64_t *from, uint64_t *to)
{
	const struct prefix *p = &f->client;
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

/* ---- rules ---- */

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
	return !hits_filter_has_rules(&log->filter) ||
	       (hits_log_rule(log, &h, &elsewhere, rule) == ERR_OK &&
		hits_rule_wanted(&log->filter, &h, elsewhere));
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
	more = calloc(2 * (size_t)room, sizeof *log->slots);
	if (!more)
		return ERR_NOMEM;
	log->rules_room = room;
	log->slots = more;
	log->slots_n = 2 * (size_t)room;
	for (size_t i = 0; i < old_n; i++)
		if (old[i].number)
			*find_slot(log, old[i].hash) = old[i];
	free(old);
	return ERR_OK;
}

/* Our number of that word. */
static int add_rule(struct hits_log *log, uint32_t *out, const uint8_t *word, size_t len,
		    uint64_t hash)
{
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

/* The next ones. All are hashed first: their slots come from memory meanwhile. */
static int map_some(struct hits_log *log, struct hits_segment *seg,
		    const struct hit_words *words)
{
	uint64_t hash[MAPPED_AT_ONCE];
	uint32_t n = words->n - seg->rules_n;
	size_t len;
	int err = ERR_OK;
	n = n < MAPPED_AT_ONCE ? n : MAPPED_AT_ONCE;
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *word = hit_words_get(words, seg->rules_n + i, &len);
		hash[i] = hash_bytes(&log->key, word, len);
		if (log->slots_n)
			__builtin_prefetch(&log->slots[hash[i] & (log->slots_n - 1)]);
	}
	for (uint32_t i = 0; !err && i < n; i++, seg->rules_n++) {
		const uint8_t *word = hit_words_get(words, seg->rules_n, &len);
		err = add_rule(log, &seg->rules[seg->rules_n], word, len, hash[i]);
	}
	return err;
}

int hits_log_map(struct hits_log *log, struct hits_segment *seg)
{
	const struct hit_words *words;
	int err = hit_store_load_rules(seg->of.store, &words);
	if (err || seg->rules_n >= words->n)
		return err;
	void *more = realloc(seg->rules, words->n * sizeof *seg->rules);
	if (!more)
		return ERR_NOMEM;
	seg->rules = more;
	while (!err && seg->rules_n < words->n)
		err = map_some(log, seg, words);
	return err;
}

/* ---- segments ---- */

static int find_runs(struct hits_segment *seg)
{
	const struct hit_segment *g = hit_store_segment(seg->of.store);
	int err = ERR_OK;
	seg->sums_end = g->first_row;
	seg->run = malloc((g->runs + 1) * sizeof *seg->run);
	if (!seg->run)
		return ERR_NOMEM;
	for (seg->runs = 0; seg->runs < g->runs; seg->runs++) {
		struct hit_run *run = &seg->run[seg->runs];
		err = hit_walk_run(run, seg->of.store, seg->runs);
		if (err || run->end_row > seg->of.end)
			break; /* rows of a failed commit are in it */
		seg->sums_end = run->end_row;
	}
	return err;
}

/* Of the runs that can be used. All of them or none: a day that lacks its table would not
 * be missed. */
static int find_tables(struct hits_segment *seg)
{
	const struct hit_segment *g = hit_store_segment(seg->of.store);
	seg->table = malloc((g->tables + 1) * sizeof *seg->table);
	if (!seg->table)
		return ERR_NOMEM;
	for (seg->tables = 0; seg->tables < g->tables; seg->tables++) {
		struct hit_day *day = &seg->table[seg->tables];
		int err = hit_walk_day(day, seg->of.store, seg->tables);
		if (err)
			seg->tables = 0;
		if (err || day->end_run > seg->runs)
			return err;
	}
	return ERR_OK;
}

static int find_sums(void *arg)
{
	struct hits_segment *seg = arg;
	int err = find_runs(seg);
	return err ? err : find_tables(seg);
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
	int err = hits_guard(find_sums, seg);
	if (err) { /* the rows tell what the sums cannot */
		hit_store_let_go(seg->of.store);
		seg->tables = 0;
		log->trouble(log->trouble_arg, dir, of->file.name, err, 0);
	}
	return ERR_OK;
}

static int add_folder(struct hits_log *log, const char *dir, uint64_t since_us)
{
	const struct hit_read_conf conf = {.dir = dir,
					   .guard = hits_guard,
					   .trouble = log->trouble,
					   .trouble_arg = log->trouble_arg};
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
		free(log->segment[i].run);
		free(log->segment[i].table);
	}
	hit_words_fini(&log->words);
	free(log->segment);
	free(log->rule);
	free(log->slots);
	*log = (struct hits_log){0};
}

/* ---- rows ---- */

struct looking_up {
	struct hit_store *store;
	struct hit *out;
	uint64_t row;
};

static int look_up(void *arg)
{
	struct looking_up *l = arg;
	struct hit_rows page;
	uint32_t rule;
	int got = hit_store_rows(l->store, &page, l->row, HIT_PAGE_AT);
	while (got == 1) {
		got = hit_rows_next(&page, l->out, &rule, hit_store_words(l->store),
				    NULL);
		if (got == 1 && page.first + page.at - 1 == l->row)
			return ERR_OK;
	}
	return got < 0 ? got : ERR_NOENT;
}

int hits_log_row(struct hits_log *log, struct hit *out, uint32_t segment, uint64_t row)
{
	struct hits_segment *seg = &log->segment[segment];
	struct looking_up l = {seg->of.store, out, row};
	int err = hits_guard(look_up, &l);
	if (err) {
		hit_store_let_go(l.store);
		if (!seg->told)
			log->trouble(log->trouble_arg, seg->dir, seg->of.file.name,
				     ERR_OK, 1);
		seg->told = true;
	}
	return err;
}
