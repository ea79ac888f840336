#include "tools/hits_adding.h"

#include <stdlib.h>

enum { KEY_MAX = DNS_NAME_TEXT_MAX + HIT_LIST_MAX + HIT_FAMILY_MAX };

static const char *const kinds[HITS_KIND_N] = {
	"entries", "clients", "families", "lists", "categories", "actions", "names"};

int hits_kind_from_text(const char *text)
{
	for (int i = 0; i < HITS_KIND_N; i++)
		if (strcmp(kinds[i], text) == 0)
			return i;
	return -1;
}

int hits_adding_init(struct hits_adding *a, struct hits *h, enum hits_kind kind)
{
	*a = (struct hits_adding){.h = h, .kind = kind};
	if (hit_words_init(&a->keys))
		return cli_fail("out of memory");
	return CLI_GO;
}

void hits_adding_fini(struct hits_adding *a)
{
	hit_words_fini(&a->keys);
	hits_groups_fini(&a->groups);
}

/* ---- which group ---- */

/* Text and NUL; what else is to be shown follows, and is part of the key. */
static size_t put_key(char *out, size_t at, const char *text)
{
	size_t n = strlen(text) + 1;
	memcpy(out + at, text, n);
	return at + n;
}

static size_t make_key(char out[KEY_MAX], enum hits_kind kind, const struct hit *hit)
{
	char text[DNS_NAME_TEXT_MAX];
	size_t n;
	switch (kind) {
	case HITS_FAMILIES:
		return put_key(out, 0, hit->family);
	case HITS_LISTS:
		return put_key(out, 0, hit->list);
	case HITS_CATEGORIES:
		return put_key(out, 0, hit->category);
	case HITS_ACTIONS:
		return put_key(out, 0, rule_action_text(hit->action));
	case HITS_NAMES:
		n = put_key(out, 0, name_to_text(text, hit->qname));
		break;
	default:
		n = put_key(out, 0, hits_rule_text(text, hit));
	}
	n = put_key(out, n, hit->list);
	return put_key(out, n, hit->family);
}

static int find_key(struct hits_adding *a, uint32_t rule)
{
	char key[KEY_MAX];
	struct hit hit;
	int err = hits_log_rule(&a->h->log, &hit, NULL, rule);
	return err ? err
		   : hit_words_put(&a->keys, &a->h->log.rule[rule].group, key,
				   make_key(key, a->kind, &hit));
}

/* ---- adding ---- */

static void add_to_group(const struct hits_adding *a, struct hits_group *g,
			 const struct hits_item *i)
{
	bool row = a->rows || i->hour;
	const struct hits_moment first = {row ? i->row : UINT64_MAX, i->segment,
					  i->first_s};
	const struct hits_moment last = {row ? i->row_last : UINT64_MAX, i->segment,
					 i->last_s};
	hits_group_add(g, i->hits, &first, &last);
}

/* What one thread adds up. */
struct thread_groups {
	struct hits_adding *a;
	struct hits_groups *groups;
};

/* Of all rules before the scan, whose threads only read them. */
static int find_keys(void *arg)
{
	const struct thread_groups *t = arg;
	const struct hits_log *log = &t->a->h->log;
	int err = ERR_OK;
	for (uint32_t i = 0; !err && t->a->kind != HITS_CLIENTS && i < log->rules; i++)
		if (log->rule[i].wanted && log->rule[i].group == UINT32_MAX)
			err = find_key(t->a, i);
	return err;
}

static int add_item(void *arg, const struct hits_item *i)
{
	const struct thread_groups *t = arg;
	uint64_t id =
		t->a->kind == HITS_CLIENTS ? i->client : t->a->h->log.rule[i->rule].group;
	struct hits_group *g = hits_groups_get(t->groups, id);
	if (!g)
		return ERR_NOMEM;
	add_to_group(t->a, g, i);
	return ERR_OK;
}

/* Tens of thousands of groups do not fit into the caches near the processor. */
static void fetch_group(void *arg, uint32_t rule)
{
	const struct thread_groups *t = arg;
	uint32_t group = t->a->h->log.rule[rule].group;
	if (group >= t->groups->n)
		return;
	const struct hits_group *g = &t->groups->group[group];
	__builtin_prefetch(&g->id, 1);
	__builtin_prefetch(&g->last.at_s, 1);
}

/* Questions: from the rows. */
static int add_names(struct hits_adding *a)
{
	struct hit_row row;
	char key[KEY_MAX];
	int status = CLI_GO;
	while (hits_next(a->h, &row, &status)) {
		struct hits_item i = {.hits = row.hit.count,
				      .first_s = (uint32_t)(row.hit.time_us / 1000000)};
		uint32_t id;
		struct hits_group *g = NULL;
		i.last_s = i.first_s;
		if (hit_words_put(&a->keys, &id, key,
				  make_key(key, HITS_NAMES, &row.hit)) == ERR_OK)
			g = hits_groups_get(&a->groups, id);
		if (!g)
			return cli_fail("out of memory: narrow it with --since and "
					"--until");
		add_to_group(a, g, &i);
	}
	cli_progress_end(&a->h->progress);
	return status;
}

static int add_sums(struct hits_adding *a, uint64_t since_us, uint64_t until_us)
{
	bool clients = a->kind == HITS_CLIENTS;
	struct hits_groups late = {0};
	struct thread_groups both[] = {{a, &a->groups}, {a, &late}};
	struct hits_scan scan = {.since_us = since_us,
				 .until_us = until_us,
				 .by = (clients ? HITS_BY_CLIENT : HITS_BY_RULE) |
				       (a->rows ? HITS_BY_SUM : 0),
				 .ready = find_keys,
				 .item = add_item,
				 .soon = clients ? NULL : fetch_group,
				 .arg = &both[0],
				 .arg_late = &both[1]};
	int status = hits_add_up(a->h, &scan);
	if (status == CLI_GO && hits_groups_unite(&a->groups, &late))
		status = cli_fail("out of memory: narrow it with --since and --until");
	hits_groups_fini(&late);
	return status;
}

int hits_adding_scan(struct hits_adding *a, uint64_t since_us, uint64_t until_us)
{
	return a->kind == HITS_NAMES ? add_names(a) : add_sums(a, since_us, until_us);
}

/* ---- different clients, or entries ---- */

struct counting {
	struct hits_adding *a;
	const uint32_t *shown; /* a key's place among the groups; UINT32_MAX = none */
	struct hits_set *sets;
	size_t n;
	struct hits_set rules; /* of the client at work, that have been looked at */
};

static int count_client(void *arg, const struct hits_item *i)
{
	struct counting *c = arg;
	uint32_t at = c->shown[c->a->h->log.rule[i->rule].group];
	int got = hits_set_add(&c->sets[at], i->client);
	return got < 0 ? got : ERR_OK;
}

/* Only rules of the groups that are shown are wanted meanwhile. */
static int count_clients(struct counting *c, struct hits_scan *scan)
{
	struct hits_log *log = &c->a->h->log;
	struct counting late = *c;
	uint32_t *shown = malloc((c->a->keys.n + 1) * sizeof *shown);
	late.sets = calloc(c->n + 1, sizeof *late.sets);
	if (!shown || !late.sets) {
		free(shown);
		free(late.sets);
		return cli_fail("out of memory");
	}
	for (uint32_t i = 0; i < c->a->keys.n; i++)
		shown[i] = UINT32_MAX;
	for (size_t i = 0; i < c->n; i++)
		shown[c->a->groups.group[i].id] = (uint32_t)i;
	c->shown = late.shown = shown;
	scan->arg_late = &late;
	scan->by = HITS_BY_RULE | HITS_BY_CLIENT | HITS_UNTIMED;
	scan->item = count_client;
	scan->chosen = true;
	for (uint32_t i = 0; i < log->rules; i++) {
		struct hits_rule *r = &log->rule[i];
		r->wanted = r->wanted && r->group != UINT32_MAX &&
			    shown[r->group] != UINT32_MAX;
	}
	int status = hits_add_up(c->a->h, scan);
	scan->arg_late = NULL;
	hits_log_filter(log);
	free(shown);
	for (size_t i = 0; i < c->n; i++) {
		if (status == CLI_GO && hits_set_unite(&c->sets[i], &late.sets[i]))
			status = cli_fail("out of memory");
		hits_set_fini(&late.sets[i]);
	}
	free(late.sets);
	return status;
}

static int count_entry(void *arg, const struct hits_item *i)
{
	struct counting *c = arg;
	struct hit hit;
	int is_new = hits_set_add(&c->rules, i->rule);
	if (is_new <= 0)
		return is_new;
	int err = hits_log_rule(&c->a->h->log, &hit, NULL, i->rule);
	int got = err ? err : hits_set_add(&c->sets[c->n], hit.entry);
	return got < 0 ? got : ERR_OK;
}

/* One client after the other. */
static int count_entries(struct counting *c, struct hits_scan *scan)
{
	struct hits_log *log = &c->a->h->log;
	struct prefix before = log->filter.client;
	size_t n = c->n;
	int status = CLI_GO;
	scan->by = HITS_BY_RULE | HITS_BY_CLIENT | HITS_UNTIMED;
	scan->item = count_entry;
	for (c->n = 0; status == CLI_GO && c->n < n; c->n++) {
		if (before.bits <= 56 || before.addr.family == 4)
			log->filter.client =
				hit_client_prefix(c->a->groups.group[c->n].id);
		status = hits_add_up(c->a->h, scan);
		hits_set_fini(&c->rules);
	}
	c->n = n;
	log->filter.client = before;
	return status;
}

int hits_adding_distinct(struct hits_adding *a, size_t *distinct, size_t n,
			 uint64_t since_us, uint64_t until_us)
{
	struct hits_scan scan = {.since_us = since_us, .until_us = until_us};
	struct counting c = {.a = a, .n = n};
	scan.arg = &c;
	c.sets = calloc(n + 1, sizeof *c.sets);
	if (!c.sets)
		return cli_fail("out of memory");
	int status = a->kind == HITS_CLIENTS ? count_entries(&c, &scan)
					     : count_clients(&c, &scan);
	for (size_t i = 0; i < n; i++) {
		distinct[i] = c.sets[i].n;
		hits_set_fini(&c.sets[i]);
	}
	free(c.sets);
	return status;
}

/* ---- showing ---- */

void hits_adding_label(const struct hits_adding *a, struct hits_label *out,
		       const struct hits_group *g)
{
	size_t len;
	out->list = out->family = "";
	if (a->kind == HITS_CLIENTS) {
		hits_client_name(out->text, g->id);
		return;
	}
	const char *key = (const char *)hit_words_get(&a->keys, (uint32_t)g->id, &len);
	const char *end = key + len;
	size_t n = strlen(key) + 1;
	memcpy(out->text, key, n);
	if (key + n < end) {
		out->list = key + n;
		out->family = out->list + strlen(out->list) + 1;
	}
}

void hits_adding_note(const struct hits_adding *a, size_t shown, size_t all)
{
	if (shown < all)
		hits_note(a->h, "%zu of %zu %s; --limit N shows more\n", shown, all,
			  kinds[a->kind]);
}

char *hits_adding_time(struct hits_adding *a, char out[CLI_TIME_TEXT_MAX],
		       const struct hits_moment *m)
{
	struct hit hit;
	int64_t at_s = m->at_s;
	if (m->row != UINT64_MAX &&
	    hits_log_row(&a->h->log, &hit, m->segment, m->row) == ERR_OK)
		at_s = (int64_t)(hit.time_us / 1000000);
	return cli_time_text(out, at_s);
}
