/* A store against a plain table of what its lists hold: random edits, changes and
 * imports, some of them stopped, with so few texts that kinds of one name often say the
 * same. */
#include "tests/unit/blocklist_lab.h"

enum {
	LISTS = 2,
	PLACES = 6,
	PREFIX = PLACES - 1,
	TEXTS = 2,
	MADE = 9,
	STEPS = 800,
	IDS = 1 << 17
};

static const char *const place_text[PLACES] = {
	"test", "a.test", "b.a.test", "c.b.a.test", "b.test", "192.0.2.0/24",
};
static const char *const list_text[LISTS] = {"l", "m"};

struct cell {
	bool is, seen;
	bool anew; /* gone and come in one step */
	uint8_t text;
	uint32_t first;
	uint64_t id;
};

struct model {
	struct cell cell[LISTS][PLACES][BLOCKLIST_KINDS],
		before[LISTS][PLACES][BLOCKLIST_KINDS];
	struct blocklist *bl;
	struct blocklist_view *v;
	uint64_t seed;
	int step;
	uint16_t owner[IDS]; /* of an id: list and place, plus 1 */
};

static bool is_kind(int place, int kind)
{
	return place == PREFIX ? kind > 0 : kind < RULE_KIND_N;
}

static struct blocklist_item item_of(int place, int kind, const struct cell *c)
{
	struct blocklist_item it = lab_item(place_text[place], kind);
	if (c->text == MADE)
		return it;
	it.action = RULE_NXDOMAIN;
	it.entry.first_listed = c->first;
	snprintf(it.entry.reason, sizeof it.entry.reason, "text %d", c->text);
	snprintf(it.entry.family, sizeof it.entry.family, "family %d", c->text);
	return it;
}

static struct cell any_cell(struct model *m)
{
	return (struct cell){.is = true,
			     .text = (uint8_t)lab_random(&m->seed, TEXTS),
			     .first = lab_random(&m->seed, 4) ? 1000 : 2000};
}

static void put(struct cell *c, struct cell to)
{
	if (c->is) /* the day it was first listed stays */
		to.first = c->first, to.id = c->id;
	*c = to;
}

static void step_add(struct model *m, int l)
{
	int place = (int)lab_random(&m->seed, PLACES), kind;
	do
		kind = (int)lab_random(&m->seed, BLOCKLIST_KINDS);
	while (!is_kind(place, kind));
	struct cell c = any_cell(m);
	struct blocklist_item it = item_of(place, kind, &c);
	ck_assert_int_eq(blocklist_add(m->bl, list_text[l], &it), 0);
	put(&m->cell[l][place][kind], c);
}

static void step_remove(struct model *m, int l)
{
	int place = (int)lab_random(&m->seed, PLACES);
	bool any = false;
	for (int k = 0; k < BLOCKLIST_KINDS; k++) {
		any |= m->cell[l][place][k].is;
		m->cell[l][place][k].is = false;
	}
	ck_assert_int_eq(lab_remove(m->bl, list_text[l], place_text[place]),
			 any ? 0 : ERR_NOENT);
}

struct stopper {
	int after;
	volatile int stop;
};

static void stop_later(void *arg, uint64_t done, uint64_t total)
{
	struct stopper *s = arg;
	(void)done, (void)total;
	if (s->after-- == 0)
		s->stop = 1;
}

static void same_changes(const struct blocklist_changes *a,
			 const struct blocklist_changes *b)
{
	ck_assert_uint_eq(a->added, b->added);
	ck_assert_uint_eq(a->changed, b->changed);
	ck_assert_uint_eq(a->removed, b->removed);
	ck_assert_uint_eq(a->unchanged, b->unchanged);
}

static void step_import(struct model *m, int l)
{
	struct blocklist_import *im;
	struct blocklist_changes want = {0}, c;
	struct cell to[PLACES][BLOCKLIST_KINDS];
	struct stopper s = {
		.after = lab_random(&m->seed, 2) ? 1000 : (int)lab_random(&m->seed, 6)};
	unsigned keep = lab_random(&m->seed, 5);
	memcpy(to, m->cell[l], sizeof to);
	ck_assert_int_eq(blocklist_import_open(&im, m->bl, list_text[l], &lab_keep), 0);
	for (int p = 0; p < PLACES; p++)
		for (int k = 0; k < BLOCKLIST_KINDS; k++) {
			struct cell *t = &to[p][k], new = any_cell(m);
			bool was = t->is;
			uint8_t text = t->text;
			if (!is_kind(p, k))
				continue;
			if (lab_random(&m->seed, 5) >= keep) {
				if (lab_random(&m->seed, 3))
					put(t, new);
				else
					t->is = false;
			}
			want.added += !was && t->is;
			want.removed += was && !t->is;
			want.unchanged += was && t->is && text == t->text;
			want.changed += was && t->is && text != t->text;
			struct blocklist_item it = item_of(p, k, t);
			if (t->is)
				ck_assert_int_eq(blocklist_import_put(im, &it), 0);
		}
	if (lab_random(&m->seed, 2))
		blocklist_import_limit(im, 1 + lab_random(&m->seed, 4));
	ck_assert_int_eq(blocklist_import_diff(im, &c, NULL, NULL), 0);
	same_changes(&c, &want);
	int err = blocklist_import_commit(im, &c, stop_later, &s, &s.stop);
	blocklist_import_close(im);
	if (err == 0) {
		same_changes(&c, &want);
		memcpy(m->cell[l], to, sizeof to);
	} else {
		ck_assert_int_eq(err, ERR_STOPPED);
	}
}

static void step_delta(struct model *m, int l)
{
	struct blocklist_delta *d;
	if (!blocklist_list_named(m->v, list_text[l]))
		return;
	ck_assert_int_eq(blocklist_delta_open(&d, m->bl, list_text[l]), 0);
	for (int i = 0; i < 8; i++) {
		int p = (int)lab_random(&m->seed, PLACES),
		    k = (int)lab_random(&m->seed, BLOCKLIST_KINDS);
		struct cell *t = &m->cell[l][p][k], c = t->is ? *t : any_cell(m);
		if (!is_kind(p, k) || (p != PREFIX && rule_kind_is_marker((unsigned)k)))
			continue;
		struct blocklist_item it = item_of(p, k, &c);
		ck_assert_int_eq(blocklist_delta_put(d, &it, !t->is), 0);
		if (t->is)
			t->is = false;
		else
			*t = c, t->anew = true;
	}
	ck_assert_int_eq(blocklist_delta_commit(d, 7, 3600), 0);
	blocklist_delta_close(d);
	/* Markers are made and taken away: tests of changes look at them. */
	ck_assert_int_eq(blocklist_view_renew(m->v), 0);
}

/* ---- what there is ---- */

static struct cell *cell_of(struct model *m, const struct blocklist_key *key,
			    const struct rule *r, int *l, int *p)
{
	*l = strcmp(blocklist_list(m->v, r->list)->name, "l") != 0;
	for (*p = 0; *p < PLACES; ++*p) {
		struct blocklist_key k = lab_key(place_text[*p]);
		if (name_equal(k.name, key->name) &&
		    k.prefix.addr.family == key->prefix.addr.family)
			return &m->cell[*l][*p][r->kind];
	}
	ck_abort_msg("a name from nowhere");
	return NULL;
}

struct looking {
	struct model *m;
	bool markers; /* those are as the store says */
	int n;
};

/* Of a name's own rule its wildcard's, and the other way round; NULL: of no other. */
static const struct cell *twin(struct cell all[LISTS][PLACES][BLOCKLIST_KINDS], int l,
			       int p, int kind)
{
	return kind == RULE_EXACT      ? &all[l][p][RULE_WILDCARD]
	       : kind == RULE_WILDCARD ? &all[l][p][RULE_EXACT]
				       : NULL;
}

/* Whether it shared its id with its twin, and says something else than that one now. */
static bool parts(struct model *m, int l, int p, int kind)
{
	const struct cell *was = twin(m->before, l, p, kind),
			  *is = twin(m->cell, l, p, kind);
	const struct cell *b = &m->before[l][p][kind], *c = &m->cell[l][p][kind];
	return p != PREFIX && was && was->id == b->id && is->is && is->text != c->text &&
	       b->text != c->text;
}

static int look(void *arg, const struct blocklist_key *key, const struct rule *r)
{
	struct looking *k = arg;
	struct model *m = k->m;
	struct blocklist_entry e;
	char text[32];
	int l, p;
	ck_assert_uint_lt(r->kind, BLOCKLIST_KINDS);
	struct cell *c = cell_of(m, key, r, &l, &p);
	k->n++;
	ck_assert(is_kind(p, r->kind));
	if (k->markers && p != PREFIX && rule_kind_is_marker(r->kind)) {
		ck_assert_int_eq(blocklist_entry_of_rule(m->v, &e, r, key), 0);
		if (!c->is)
			*c = (struct cell){.is = true,
					   .first = e.first_listed,
					   .text = e.reason[0]
							   ? (uint8_t)(e.reason[5] - '0')
							   : MADE};
		c->seen = true;
		return 0;
	}
	ck_assert_msg(c->is && !c->seen, "step %d: %s %s %d %s", m->step, list_text[l],
		      place_text[p], r->kind, c->is ? "twice" : "is there");
	c->seen = true;
	ck_assert_int_eq(blocklist_entry_of_rule(m->v, &e, r, key), 0);
	ck_assert_uint_eq(e.id, r->entry);
	snprintf(text, sizeof text, "text %d", c->text);
	if (c->text == MADE)
		text[0] = 0;
	ck_assert_msg(strcmp(e.reason, text) == 0,
		      "step %d: %s %s kind %d id %llu says %s, not %s", m->step,
		      list_text[l], place_text[p], r->kind, (unsigned long long)r->entry,
		      e.reason, text);
	const struct blocklist_word_pair *w = blocklist_words_of(m->v, r);
	if (w && c->text != MADE)
		ck_assert_int_eq(w->family[7], '0' + c->text);
	const struct cell *b = &m->before[l][p][r->kind];
	if (b->is && b->id && !c->anew) {
		ck_assert_msg(b->id == r->entry || parts(m, l, p, r->kind),
			      "step %d: %s %s kind %d was %llu, is %llu", m->step,
			      list_text[l], place_text[p], r->kind,
			      (unsigned long long)b->id, (unsigned long long)r->entry);
		ck_assert_uint_eq(b->first, e.first_listed);
	}
	c->id = r->entry;
	c->first = e.first_listed;
	ck_assert_uint_lt(r->entry, IDS);
	uint16_t owner = (uint16_t)(l * PLACES + p + 1);
	ck_assert(!m->owner[r->entry] || m->owner[r->entry] == owner);
	const struct cell *t = p == PREFIX ? NULL : twin(m->cell, l, p, r->kind);
	ck_assert(!t || !t->seen || t->id != r->entry || t->text == c->text);
	m->owner[r->entry] = owner;
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

typedef char found_text[16];

static int model_find(struct model *m, found_text *out, const uint8_t *name, bool server)
{
	int n = 0;
	bool hidden[LISTS][2] = {{false}};
	for (const uint8_t *at = name;; at = name_parent(at)) {
		bool self = at == name;
		for (int p = 0; p < PREFIX; p++) {
			struct blocklist_key key = lab_key(place_text[p]);
			if (!name_equal(key.name, at))
				continue;
			for (int l = 0; l < LISTS; l++) {
				const struct cell *c = m->cell[l][p];
				bool is[RULE_KIND_N] = {
					[RULE_EXACT] = self,
					[RULE_SUBTREE] = true,
					[RULE_WILDCARD] = !self && !hidden[l][0],
					[RULE_NS_EXACT] = self && server,
					[RULE_NS_WILDCARD] =
						!self && server && !hidden[l][1]};
				for (int k = 0; k < RULE_KIND_N; k++)
					if (c[k].is && is[k])
						snprintf(out[n++], sizeof *out,
							 "%d:%d/%d", l, k,
							 (int)name_labels(at));
				for (int k = 0; k < RULE_KIND_N; k++)
					if (c[k].is && k != RULE_SUBTREE)
						hidden[l][rule_kind_is_ns((unsigned)k)] =
							true;
			}
		}
		if (!*at)
			return n;
	}
}

static void check_name(struct model *m, const char *text, bool server)
{
	found_text a[64], b[64];
	struct rule r[64];
	uint8_t name[DNS_NAME_MAX];
	ck_assert_int_eq(name_from_str(name, text), 0);
	int want = model_find(m, a, name, server);
	int n = (server ? blocklist_find_server
			: blocklist_find_name)(m->v, r, 64, BLOCKLIST_CLASS_ALL, name);
	ck_assert_msg(n == want, "step %d: %s: %d rules, not %d", m->step, text, n, want);
	for (int i = 0; i < n; i++)
		snprintf(b[i], sizeof *b, "%d:%d/%d",
			 strcmp(blocklist_list(m->v, r[i].list)->name, "l") != 0,
			 r[i].kind, r[i].labels);
	qsort(a, (size_t)n, sizeof *a, by_text);
	qsort(b, (size_t)n, sizeof *b, by_text);
	for (int i = 0; i < n; i++)
		ck_assert_msg(strcmp(a[i], b[i]) == 0, "step %d: %s: %s, not %s", m->step,
			      text, b[i], a[i]);
}

static void check_finds(struct model *m)
{
	static const char *const front[] = {"", "x.", "y.x."};
	for (int p = 0; p < PREFIX; p++)
		for (int f = 0; f < 3; f++) {
			char text[64];
			snprintf(text, sizeof text, "%s%s", front[f], place_text[p]);
			check_name(m, text, false);
			check_name(m, text, true);
		}
	for (unsigned use = 1; use < 8; use <<= 1) {
		struct rule r[64];
		struct addr a;
		int want = 0;
		ck_assert_int_eq(addr_from_text(&a, "192.0.2.9", 9), 0);
		for (int l = 0; l < LISTS; l++)
			for (unsigned k = 1; k < 8; k++)
				want += m->cell[l][PREFIX][k].is && (k & use);
		ck_assert_int_eq(
			blocklist_find_addr(m->v, r, 64, BLOCKLIST_CLASS_ALL, use, &a),
			want);
	}
}

static void check(struct model *m, bool markers)
{
	lab_verify(m->v);
	if (markers)
		for (int l = 0; l < LISTS; l++)
			for (int p = 0; p < PREFIX; p++)
				m->cell[l][p][RULE_ENT].is =
					m->cell[l][p][RULE_NS_ENT].is = false;
	for (int each = 0; each < 2; each++) {
		struct looking k = {.m = m, .markers = markers};
		if (each == 0) {
			ck_assert_int_eq(blocklist_walk(m->v, UINT16_MAX, look, &k), 0);
		} else {
			for (int l = 0; l < LISTS; l++) {
				const struct blocklist_list *at =
					blocklist_list_named(m->v, list_text[l]);
				if (at)
					ck_assert_int_eq(
						blocklist_walk(m->v, at->id, look, &k),
						0);
			}
		}
		for (int l = 0; l < LISTS; l++) {
			const struct blocklist_list *at =
				blocklist_list_named(m->v, list_text[l]);
			uint64_t names = 0, addresses = 0;
			for (int p = 0; p < PLACES; p++)
				for (int i = 0; i < BLOCKLIST_KINDS; i++) {
					struct cell *c = &m->cell[l][p][i];
					ck_assert_msg(c->is == c->seen,
						      "step %d: %s %s kind %d", m->step,
						      list_text[l], place_text[p], i);
					*(p == PREFIX ? &addresses : &names) += c->is;
					c->seen = false;
				}
			ck_assert_uint_eq(at ? at->names : 0, names);
			ck_assert_uint_eq(at ? at->addresses : 0, addresses);
		}
	}
	check_finds(m);
	for (int l = 0; l < LISTS; l++)
		for (int p = 0; p < PLACES; p++)
			for (int i = 0; i < BLOCKLIST_KINDS; i++)
				m->cell[l][p][i].anew = false;
}

START_TEST(as_a_table)
{
	struct model *m = calloc(1, sizeof *m);
	m->bl = lab_open("model");
	m->v = lab_view(m->bl);
	m->seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : 1;
	for (m->step = 0; m->step < STEPS / UNIT_SLOWER; m->step++) {
		int l = (int)lab_random(&m->seed, LISTS);
		unsigned how = lab_random(&m->seed, 20);
		memcpy(m->before, m->cell, sizeof m->before);
		if (how < 6)
			step_add(m, l);
		else if (how < 8)
			step_remove(m, l);
		else if (how < 14)
			step_import(m, l);
		else
			step_delta(m, l);
		check(m, how >= 14);
	}
	blocklist_view_close(m->v);
	blocklist_close(m->bl);
	free(m);
}
END_TEST

UNIT_SUITE("blocklist_model", as_a_table)
