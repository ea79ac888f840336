/* blocklist_view.c: read views and look-ups, what the resolver does with the store.
 *
 * The unchanged case is the frequent one: a renew then compares one number. A look-up
 * asks only for label counts and prefix lengths that are in the store, so that a name
 * that is not listed costs one or two seeks. */
#include <errno.h>

#include "zones/blocklist_store.h"

struct blocklist_view {
	struct blocklist *bl;
	MDB_txn *txn;
	MDB_cursor *cursor;
	bool live;     /* holds a snapshot */
	size_t txn_id; /* of the snapshot that the fields below were read from */
	struct blocklist_stamp stamp;
	uint64_t lists_revision;
	uint64_t depths[2];		  /* bit d: there are names of d labels */
	struct blocklist_lengths addr[2]; /* IPv4, IPv6 */
	struct blocklist_classes *classes;
	bool client_rules;
	struct blocklist_list *lists; /* by id; version 0: none of that id */
	uint32_t lists_n, lists_room;
	struct blocklist_words words;
	struct blocklist_pages pages;
	/* Of this snapshot; those before ahead_at were asked for. */
	struct blocklist_descent ahead[BLOCKLIST_FETCH_MAX];
	int ahead_n, ahead_at;
};

int blocklist_view_open(struct blocklist_view **out, struct blocklist *bl)
{
	int dead, rc;
	*out = NULL;
	struct blocklist_view *v = calloc(1, sizeof *v);
	if (!v)
		return ERR_NOMEM;
	v->bl = bl;
	v->classes = calloc(1, sizeof *v->classes);
	rc = v->classes ? mdb_txn_begin(bl->env, NULL, MDB_RDONLY, &v->txn) : ENOMEM;
	if (rc == MDB_READERS_FULL && !mdb_reader_check(bl->env, &dead) && dead)
		rc = mdb_txn_begin(bl->env, NULL, MDB_RDONLY, &v->txn);
	if (!rc)
		rc = mdb_cursor_open(v->txn, bl->dbi, &v->cursor);
	if (rc) {
		blocklist_view_close(v);
		return blocklist_error(rc);
	}
	mdb_txn_reset(v->txn);
	*out = v;
	return ERR_OK;
}

void blocklist_view_close(struct blocklist_view *v)
{
	if (!v)
		return;
	if (v->cursor)
		mdb_cursor_close(v->cursor);
	if (v->txn)
		mdb_txn_abort(v->txn);
	blocklist_classes_close(v->classes);
	free(v->lists);
	free(v->words.pair);
	free(v);
}

static int lists_room(struct blocklist_view *v, uint32_t n)
{
	if (n > v->lists_room) {
		struct blocklist_list *more = realloc(v->lists, n * sizeof *more);
		if (!more)
			return ERR_NOMEM;
		v->lists = more;
		v->lists_room = n;
	}
	memset(v->lists + v->lists_n, 0, (n - v->lists_n) * sizeof *v->lists);
	v->lists_n = n;
	return ERR_OK;
}

/* Ids are given lowest first, so that the table has as many places as there are lists,
 * about. */
static int lists_read(struct blocklist_view *v)
{
	uint8_t tag = BLOCKLIST_LIST;
	MDB_val k = {1, &tag}, value;
	v->lists_n = 0;
	int rc = mdb_cursor_get(v->cursor, &k, &value, MDB_SET_RANGE);
	while (!rc && *(uint8_t *)k.mv_data == BLOCKLIST_LIST) {
		struct blocklist_row row;
		int err = blocklist_row_read(&row, &k, &value);
		if (!err && row.id < v->lists_n) /* keys out of order */
			err = ERR_DAMAGED;
		if (!err && row.version) {
			err = lists_room(v, row.id + 1U);
			if (!err)
				blocklist_list_from_row(&v->lists[row.id], &row);
		}
		if (err)
			return err;
		rc = mdb_cursor_get(v->cursor, &k, &value, MDB_NEXT);
	}
	return rc == MDB_NOTFOUND ? ERR_OK : blocklist_error(rc);
}

/* What the view keeps of a snapshot that is new to it. */
static int view_load(struct blocklist_view *v)
{
	struct blocklist_meta m;
	int err = blocklist_meta_read(&m, v->txn, v->bl->dbi);
	if (err)
		return err;
	v->depths[0] = v->depths[1] = 0;
	for (unsigned d = 0; d < BLOCKLIST_DEPTHS; d++)
		v->depths[d / 64] |= (uint64_t)(m.depth[d] > 0) << d % 64;
	for (int f = 0; f < 2; f++)
		blocklist_lengths_from(&v->addr[f], m.addr_bits[f]);
	err = blocklist_classes_load(v->classes, &m, v->txn, v->bl->dbi);
	if (err)
		return err;
	v->client_rules = m.client_rules > 0;
	if (m.epoch != v->stamp.epoch || m.words < v->words.n)
		v->words.n = 0;
	err = blocklist_words_load(&v->words, &m, v->txn, v->bl->dbi);
	if (err)
		return err;
	if (m.lists_revision != v->lists_revision) {
		v->lists_revision = 0;
		err = lists_read(v);
		if (err)
			return err;
	}
	v->lists_revision = m.lists_revision;
	blocklist_pages_find(&v->pages, v->bl, v->txn);
	v->stamp = (struct blocklist_stamp){m.epoch, m.generation};
	return ERR_OK;
}

int blocklist_view_renew(struct blocklist_view *v)
{
	if (v->live) {
		MDB_envinfo info;
		if (!mdb_env_info(v->bl->env, &info) && info.me_last_txnid == v->txn_id)
			return ERR_OK;
		blocklist_view_reset(v);
	}
	int err = blocklist_error(mdb_txn_renew(v->txn));
	if (err)
		return err;
	err = blocklist_error(mdb_cursor_renew(v->txn, v->cursor));
	if (!err && mdb_txn_id(v->txn) != v->txn_id) {
		v->txn_id = 0;
		err = view_load(v);
	}
	if (err) {
		mdb_txn_reset(v->txn);
		return err;
	}
	v->txn_id = mdb_txn_id(v->txn);
	v->live = true;
	return ERR_OK;
}

void blocklist_view_reset(struct blocklist_view *v)
{
	if (v->live)
		mdb_txn_reset(v->txn);
	v->live = false;
	v->ahead_n = v->ahead_at = 0;
}

struct blocklist_stamp blocklist_view_stamp(const struct blocklist_view *v)
{
	return v->stamp;
}

const struct blocklist_list *blocklist_list(const struct blocklist_view *v, uint16_t id)
{
	return id < v->lists_n && v->lists[id].version ? &v->lists[id] : NULL;
}

const struct blocklist_list *blocklist_list_named(const struct blocklist_view *v,
						  const char *name)
{
	for (uint32_t i = 0; i < v->lists_n; i++)
		if (v->lists[i].version && strcmp(v->lists[i].name, name) == 0)
			return &v->lists[i];
	return NULL;
}

const struct blocklist_word_pair *blocklist_words_of(const struct blocklist_view *v,
						     const struct rule *r)
{
	return r->words && r->words <= v->words.n ? &v->words.pair[r->words - 1] : NULL;
}

/* ---- collecting rules ---- */

/* Lists whose wildcards above end here. */
struct hidden {
	uint64_t lists[BLOCKLIST_LISTS_MAX / 64];
};

struct found {
	const struct blocklist_view *v;
	unsigned class;
	struct rule *out;
	int n, max;
	struct hidden wildcards;
	struct hidden *ns_wildcards; /* NULL: NS kinds do not count */
};

/* Better precedence first; ties by name. */
static bool list_before(const struct blocklist_list *a, const struct blocklist_list *b)
{
	if (a->precedence != b->precedence)
		return a->precedence < b->precedence;
	return strcmp(a->name, b->name) < 0;
}

/* When out is full, the last one of the worst precedence gives way to a better one. */
static void found_add(struct found *f, const struct rule *r)
{
	if (f->n == f->max) {
		int worst = -1;
		const struct blocklist_list *w = &f->v->lists[r->list];
		for (int i = 0; i < f->n; i++) {
			const struct blocklist_list *l = &f->v->lists[f->out[i].list];
			if (list_before(w, l) || (worst >= 0 && l == w)) {
				worst = i;
				w = l;
			}
		}
		if (worst < 0)
			return;
		f->n--;
		memmove(f->out + worst, f->out + worst + 1,
			(size_t)(f->n - worst) * sizeof *f->out);
	}
	f->out[f->n++] = *r;
}

static void hide(struct hidden *h, uint16_t list)
{
	h->lists[list / 64] |= 1ULL << list % 64;
}

static bool is_hidden(const struct hidden *h, uint16_t list)
{
	return h->lists[list / 64] >> list % 64 & 1;
}

static struct rule rule_of(const struct blocklist_record *r, unsigned labels)
{
	return (struct rule){
		.entry = r->entry,
		.words = r->words,
		.starts = r->starts,
		.expires = r->expires,
		.list = r->list,
		.action = r->action,
		.kind = r->kind,
		.labels = (uint8_t)labels,
	};
}

/* The next record of a value; false at its end. Each is checked, also those that are
 * not visible: a flipped version must not become a silent miss. */
static int record_next(struct blocklist_record *out, const MDB_val *value, size_t *at,
		       uint64_t key_hash)
{
	if (*at == value->mv_size)
		return 0;
	if (value->mv_size - *at < sizeof *out)
		return ERR_DAMAGED;
	memcpy(out, (const uint8_t *)value->mv_data + *at, sizeof *out);
	*at += sizeof *out;
	if (out->check != blocklist_record_check(key_hash, out) ||
	    out->list >= BLOCKLIST_LISTS_MAX || out->kind >= BLOCKLIST_KINDS ||
	    out->action >= RULE_ACTION_N)
		return ERR_DAMAGED;
	return 1;
}

static bool record_visible(const struct blocklist_view *v,
			   const struct blocklist_record *r)
{
	return r->list < v->lists_n && blocklist_visible(r, v->lists[r->list].version);
}

/* Visible to who asks. */
static bool found_counts(const struct found *f, const struct blocklist_record *r)
{
	return record_visible(f->v, r) && blocklist_class_has(f->v, f->class, r->list);
}

/* What a record of a listed name is to the name itself (self), or to one below it. */
static uint8_t kind_for(const struct blocklist_record *r, bool self)
{
	return r->kind != BLOCKLIST_BOTH ? r->kind : self ? RULE_EXACT : RULE_WILDCARD;
}

/* Whether a record of a listed name covers the name asked about, or (self) is its own. */
static bool covers(const struct found *f, const struct blocklist_record *r, bool self)
{
	switch (r->kind) {
	case RULE_SUBTREE:
		return true;
	case RULE_EXACT:
		return self;
	case RULE_WILDCARD:
		return !self && !is_hidden(&f->wildcards, r->list);
	case RULE_NS_EXACT:
		return f->ns_wildcards && self;
	case RULE_NS_WILDCARD:
		return f->ns_wildcards && !self && !is_hidden(f->ns_wildcards, r->list);
	default:
		return false;
	}
}

/* One listed name on the way up. A node of a list ends the wildcards that the same list
 * has above it (RFC 4592 closest encloser, RPZ draft 2): all kinds that RPZ knows do, for
 * questions and for servers each by themselves; subtree, which is ours, covers what is
 * below and so hides nothing. */
static int found_node(struct found *f, const MDB_val *key, const MDB_val *value,
		      unsigned labels, bool self)
{
	struct blocklist_record r;
	uint64_t key_hash = blocklist_key_hash(key->mv_data, key->mv_size);
	size_t at = 0;
	int more;
	while ((more = record_next(&r, value, &at, key_hash)) > 0) {
		r.kind = kind_for(&r, self);
		struct rule rule = rule_of(&r, labels);
		if (covers(f, &r, self) && found_counts(f, &r))
			found_add(f, &rule);
	}
	for (at = 0; !more && at < value->mv_size; at += sizeof r) {
		memcpy(&r, (const uint8_t *)value->mv_data + at, sizeof r);
		r.kind = kind_for(&r, self);
		struct hidden *h =
			rule_kind_is_ns(r.kind) ? f->ns_wildcards : &f->wildcards;
		if (h && r.kind != RULE_SUBTREE && record_visible(f->v, &r))
			hide(h, r.list);
	}
	return more;
}

/* ---- names ---- */

/* The largest label count in the store that is at most d; -1: none. */
static int depth_at_most(const struct blocklist_view *v, unsigned d)
{
	for (int w = (int)(d / 64); w >= 0; w--) {
		unsigned top = w == (int)(d / 64) ? d % 64 : 63;
		uint64_t bits = v->depths[w] & (UINT64_MAX >> (63 - top));
		if (bits)
			return w * 64 + 63 - __builtin_clzll(bits);
	}
	return -1;
}

/* The last pair whose key is at most key. MDB_NOTFOUND: none. */
static int seek_at_most(MDB_cursor *c, const MDB_val *key, MDB_val *k, MDB_val *value)
{
	*k = *key;
	int rc = mdb_cursor_get(c, k, value, MDB_SET_RANGE);
	if (rc == MDB_NOTFOUND)
		return mdb_cursor_get(c, k, value, MDB_LAST);
	if (rc || (k->mv_size == key->mv_size &&
		   memcmp(k->mv_data, key->mv_data, key->mv_size) == 0))
		return rc;
	return mdb_cursor_get(c, k, value, MDB_PREV);
}

/* The same where it was looked for ahead, and found. */
static bool found_ahead(struct blocklist_view *v, const MDB_val *key, MDB_val *k,
			MDB_val *value)
{
	for (int i = v->ahead_at; i < v->ahead_n; i++) {
		const struct blocklist_descent *d = &v->ahead[i];
		if (d->key_len == key->mv_size &&
		    memcmp(d->key, key->mv_data, d->key_len) == 0) {
			v->ahead_at = i + 1;
			return blocklist_descent_pair(d, k, value);
		}
	}
	return false;
}

/* Labels from the root down that k has in common with a name of d labels. */
static unsigned labels_shared(const MDB_val *k, const uint8_t *name_key,
			      const uint16_t ends[BLOCKLIST_DEPTHS], unsigned d)
{
	size_t n = k->mv_size < ends[d] ? k->mv_size : ends[d];
	size_t same = blocklist_key_shared(k->mv_data, name_key, 0, n);
	while (ends[d] > same)
		d--;
	return d;
}

/* What is listed on the way from a name to the root, without a seek for each label: of
 * the keys at or before the name's, the last one either is an ancestor, or shares with
 * the name all labels that any listed ancestor can have. */
static int find_name(struct blocklist_view *v, struct rule *out, int max, unsigned class,
		     const uint8_t *name, struct hidden *ns_wildcards)
{
	uint8_t key[BLOCKLIST_KEY_MAX];
	uint16_t ends[BLOCKLIST_DEPTHS];
	struct found f = {.v = v,
			  .class = class,
			  .out = out,
			  .max = max,
			  .ns_wildcards = ns_wildcards};
	if (!v->live)
		return ERR_INVAL;
	unsigned labels = blocklist_key_name(key, ends, name);
	int d = depth_at_most(v, labels);
	while (d >= 0) {
		MDB_val want = {ends[d], key}, k, value;
		int rc = found_ahead(v, &want, &k, &value)
				 ? 0
				 : seek_at_most(v->cursor, &want, &k, &value);
		if (rc)
			return rc == MDB_NOTFOUND ? ERR_DAMAGED : blocklist_error(rc);
		if (*(uint8_t *)k.mv_data != BLOCKLIST_NAME)
			break;
		unsigned shared = labels_shared(&k, key, ends, (unsigned)d);
		if (k.mv_size != ends[shared]) {
			if (shared >= (unsigned)d) /* a key before its own beginning */
				return ERR_DAMAGED;
			d = depth_at_most(v, shared);
			continue;
		}
		int err = found_node(&f, &k, &value, shared, shared == labels);
		if (err)
			return err;
		d = shared ? depth_at_most(v, shared - 1) : -1;
	}
	return f.n;
}

void blocklist_fetch_names(struct blocklist_view *v, const uint8_t *const name[], int n)
{
	uint16_t ends[BLOCKLIST_DEPTHS];
	v->ahead_n = v->ahead_at = 0;
	if (!v->live || !v->pages.root)
		return;
	for (int i = 0; i < n && i < BLOCKLIST_FETCH_MAX; i++) {
		struct blocklist_descent *d = &v->ahead[v->ahead_n];
		int depth = depth_at_most(v, blocklist_key_name(d->key, ends, name[i]));
		if (depth >= 0) {
			d->key_len = ends[depth];
			v->ahead_n++;
		}
	}
	blocklist_pages_fetch(&v->pages, v->ahead, v->ahead_n);
}

int blocklist_find_name(struct blocklist_view *v, struct rule *out, int max,
			unsigned class, const uint8_t *name)
{
	return find_name(v, out, max, class, name, NULL);
}

int blocklist_find_server(struct blocklist_view *v, struct rule *out, int max,
			  unsigned class, const uint8_t *name)
{
	struct hidden ns_wildcards = {{0}};
	return find_name(v, out, max, class, name, &ns_wildcards);
}

/* ---- addresses ---- */

bool blocklist_has_client_rules(const struct blocklist_view *v)
{
	return v->client_rules;
}

int blocklist_find_addr(struct blocklist_view *v, struct rule *out, int max,
			unsigned class, unsigned use, const struct addr *a)
{
	struct found f = {.v = v, .class = class, .out = out, .max = max};
	if (!v->live)
		return ERR_INVAL;
	const struct blocklist_lengths *l = &v->addr[a->family == 6];
	for (unsigned i = 0; i < l->n; i++) {
		uint8_t key[BLOCKLIST_KEY_MAX];
		MDB_val value,
			k = {blocklist_key_prefix(key, BLOCKLIST_ADDR, a, l->bits[i]),
			     key};
		int more, rc = mdb_get(v->txn, v->bl->dbi, &k, &value);
		if (rc == MDB_NOTFOUND)
			continue;
		if (rc)
			return blocklist_error(rc);
		struct blocklist_record r;
		size_t at = 0;
		uint64_t key_hash = blocklist_key_hash(key, k.mv_size);
		while ((more = record_next(&r, &value, &at, key_hash)) > 0) {
			struct rule rule = rule_of(&r, l->bits[i]);
			if ((r.kind & use) && found_counts(&f, &r))
				found_add(&f, &rule);
		}
		if (more < 0)
			return more;
	}
	return f.n;
}

/* ---- entries and walks ---- */

/* The visible entry of that id, or (id 0) the first of those there are. */
static int entry_find(struct blocklist_view *v, struct blocklist_entry *out,
		      uint16_t list, const struct blocklist_key *key, uint64_t id)
{
	struct blocklist_span span[BLOCKLIST_SPANS_MAX];
	uint8_t bytes[BLOCKLIST_KEY_MAX + 3];
	size_t n = blocklist_key_list(bytes, BLOCKLIST_ENTRY, list);
	MDB_val value, k = {n + blocklist_key_rule(bytes + n, key), bytes};
	if (!v->live)
		return ERR_INVAL;
	if (!blocklist_list(v, list))
		return ERR_NOENT;
	int rc = mdb_get(v->txn, v->bl->entries, &k, &value);
	if (rc)
		return blocklist_error(rc);
	int spans = blocklist_spans(span, bytes, k.mv_size, value.mv_data, value.mv_size);
	for (int i = 0; i < spans; i++) {
		struct blocklist_record *r = &span[i].head.rec;
		if (blocklist_visible(r, v->lists[list].version) &&
		    (!id || id == r->entry)) {
			blocklist_entry_read(out, span[i].bytes);
			return ERR_OK;
		}
	}
	return spans < 0 ? spans : ERR_NOENT;
}

int blocklist_entry_get(struct blocklist_view *v, struct blocklist_entry *out,
			uint16_t list, const struct blocklist_key *key)
{
	return entry_find(v, out, list, key, 0);
}

int blocklist_entry_of_rule(struct blocklist_view *v, struct blocklist_entry *out,
			    const struct rule *rule, const struct blocklist_key *key)
{
	return entry_find(v, out, rule->list, key, rule->entry);
}

static unsigned key_labels(const struct blocklist_key *key)
{
	return key->prefix.addr.family ? key->prefix.bits : name_labels(key->name);
}

static int walk_list_key(struct blocklist_view *v, const struct blocklist_scan *s,
			 blocklist_each_fn *each, void *arg)
{
	struct blocklist_span span[BLOCKLIST_SPANS_MAX];
	struct blocklist_key key;
	MDB_val rule_key = blocklist_scan_rule(s);
	int n = blocklist_spans(span, s->key.mv_data, s->key.mv_size, s->value.mv_data,
				s->value.mv_size);
	int err = n < 0 ? n
			: blocklist_key_decode(&key, rule_key.mv_data, rule_key.mv_size);
	for (int i = 0; !err && i < n; i++) {
		struct rule r = rule_of(&span[i].head.rec, key_labels(&key));
		if (blocklist_visible(&span[i].head.rec, v->lists[s->list].version))
			err = each(arg, &key, &r);
	}
	return err;
}

static int walk_list(struct blocklist_view *v, uint16_t list, blocklist_each_fn *each,
		     void *arg)
{
	MDB_cursor *c; /* not the view's: each() may look things up */
	struct blocklist_scan *s = malloc(sizeof *s);
	if (!s)
		return ERR_NOMEM;
	int err = blocklist_error(mdb_cursor_open(v->txn, v->bl->entries, &c));
	if (err) {
		free(s);
		return err;
	}
	/* names first */
	for (int tag = BLOCKLIST_NAME; !err && tag;
	     tag = tag == BLOCKLIST_NAME ? BLOCKLIST_ADDR : 0) {
		err = blocklist_scan_start(s, c, list, tag);
		while (!err && !s->end &&
		       *(uint8_t *)blocklist_scan_rule(s).mv_data == tag) {
			err = walk_list_key(v, s, each, arg);
			if (!err)
				err = blocklist_scan_next(s, false);
		}
	}
	mdb_cursor_close(c);
	free(s);
	return err;
}

int blocklist_walk_tag(MDB_txn *txn, MDB_dbi dbi, enum blocklist_tag tag,
		       blocklist_pair_fn *pair, void *arg)
{
	MDB_cursor *c;
	uint8_t first = (uint8_t)tag;
	MDB_val k = {1, &first}, value;
	int err = ERR_OK, rc = mdb_cursor_open(txn, dbi, &c);
	if (rc)
		return blocklist_error(rc);
	rc = mdb_cursor_get(c, &k, &value, MDB_SET_RANGE);
	while (!err && !rc && *(uint8_t *)k.mv_data == tag) {
		err = pair(arg, &k, &value);
		if (!err)
			rc = mdb_cursor_get(c, &k, &value, MDB_NEXT);
	}
	mdb_cursor_close(c);
	return err || rc == MDB_NOTFOUND ? err : blocklist_error(rc);
}

struct walk {
	struct blocklist_view *v;
	blocklist_each_fn *each;
	void *arg;
};

static int walk_key(void *arg, const MDB_val *k, const MDB_val *value)
{
	struct walk *w = arg;
	struct blocklist_record r;
	struct blocklist_key key;
	size_t at = 0;
	uint64_t key_hash = blocklist_key_hash(k->mv_data, k->mv_size);
	int more, err = blocklist_key_decode(&key, k->mv_data, k->mv_size);
	while (!err && (more = record_next(&r, value, &at, key_hash)) != 0) {
		if (more < 0)
			return more;
		if (!record_visible(w->v, &r))
			continue;
		struct rule rule = rule_of(&r, key_labels(&key));
		if (blocklist_is_both(k->mv_data, r.kind)) {
			rule.kind = RULE_EXACT;
			err = w->each(w->arg, &key, &rule);
			rule.kind = RULE_WILDCARD;
		}
		if (!err)
			err = w->each(w->arg, &key, &rule);
	}
	return err;
}

int blocklist_walk(struct blocklist_view *v, uint16_t list, blocklist_each_fn *each,
		   void *arg)
{
	struct walk w = {.v = v, .each = each, .arg = arg};
	if (!v->live)
		return ERR_INVAL;
	if (list != UINT16_MAX)
		return blocklist_list(v, list) ? walk_list(v, list, each, arg)
					       : ERR_NOENT;
	int err = blocklist_walk_tag(v->txn, v->bl->dbi, BLOCKLIST_NAME, walk_key, &w);
	return err ? err
		   : blocklist_walk_tag(v->txn, v->bl->dbi, BLOCKLIST_ADDR, walk_key, &w);
}

static uint64_t pages_of(const MDB_stat *s)
{
	return s->ms_branch_pages + s->ms_leaf_pages + s->ms_overflow_pages;
}

int blocklist_stats_get(struct blocklist_view *v, struct blocklist_stats *out)
{
	struct blocklist_meta m;
	MDB_envinfo info;
	MDB_stat st, entries;
	if (!v->live)
		return ERR_INVAL;
	int err = blocklist_meta_read(&m, v->txn, v->bl->dbi);
	if (err)
		return err;
	int rc = mdb_stat(v->txn, v->bl->dbi, &st);
	if (!rc)
		rc = mdb_stat(v->txn, v->bl->entries, &entries);
	if (!rc)
		rc = mdb_env_info(v->bl->env, &info);
	if (rc)
		return blocklist_error(rc);
	*out = (struct blocklist_stats){
		.stamp = v->stamp,
		.entries = m.entries,
		.clients = m.clients,
		.digest = m.digest,
		.map_size = info.me_mapsize,
		.bytes_used = (pages_of(&st) + pages_of(&entries)) * st.ms_psize,
		.file_bytes = (info.me_last_pgno + 1) * st.ms_psize,
	};
	for (uint32_t i = 0; i < v->lists_n; i++) {
		out->lists += v->lists[i].version > 0;
		out->names += v->lists[i].names;
		out->addresses += v->lists[i].addresses;
	}
	return ERR_OK;
}

MDB_txn *blocklist_view_txn(const struct blocklist_view *v)
{
	return v->live ? v->txn : NULL;
}

struct blocklist *blocklist_view_store(const struct blocklist_view *v)
{
	return v->bl;
}

struct blocklist_classes *blocklist_view_classes(const struct blocklist_view *v)
{
	return v->classes;
}
