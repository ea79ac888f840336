/* blocklist_delta.c: what a source says has changed since a list was last read, as an
 * incremental zone transfer tells it.
 *
 * An import sees all names of a list and knows which of them hide a wildcard above them.
 * Here the store is asked instead: a name that comes marks itself and its ancestors where
 * a wildcard of the list stands above; one that goes takes along the markers that nothing
 * at or below them needs. A marker without a wildcard above it does nothing. */
#include "zones/blocklist_store.h"

enum {
	DELTA_WAIT_MS = 5000, /* an import of a large list takes longer, an edit less */
	/* Keys looked at below a name: until one is found that is no marker, or to mark
	 * them. All of a large list are an import's work. */
	BELOW_MAX = 4096,
	LIST_LEN = 3, /* of a key's beginning, which names the list */
};

struct blocklist_delta {
	struct blocklist *bl;
	struct blocklist_merge merge;
	struct blocklist_row row;
	int lock;
	uint8_t old[BLOCKLIST_VALUE_MAX]; /* copy: writing moves the page it is on */
};

int blocklist_delta_open(struct blocklist_delta **out, struct blocklist *bl,
			 const char *list)
{
	*out = NULL;
	int err = blocklist_name_check(list);
	struct blocklist_delta *d = err ? NULL : calloc(1, sizeof *d);
	if (!d)
		return err ? err : ERR_NOMEM;
	struct blocklist_merge *m = &d->merge;
	d->bl = bl;
	d->lock = blocklist_lock(bl, list, DELTA_WAIT_MS);
	err = d->lock < 0 ? d->lock : blocklist_txn_begin(&m->txn, bl, true);
	if (!err)
		err = blocklist_row_find(&m->txn, &d->row, list);
	if (!err && !d->row.version)
		err = ERR_NOENT;
	m->list = d->row.id;
	m->version = m->next = d->row.version;
	m->now = blocklist_now();
	if (err)
		blocklist_delta_close(d);
	else
		*out = d;
	return err;
}

void blocklist_delta_close(struct blocklist_delta *d)
{
	if (!d)
		return;
	blocklist_txn_abort(&d->merge.txn);
	if (d->lock >= 0) {
		blocklist_room_back(d->bl);
		blocklist_unlock(d->lock);
	}
	blocklist_merge_fini(&d->merge);
	free(d);
}

/* ---- one key ---- */

/* A key of the list and what stands there. */
struct place {
	MDB_val rule, key, old;
	uint8_t rule_bytes[BLOCKLIST_KEY_MAX], key_bytes[BLOCKLIST_KEY_MAX + 3];
	struct blocklist_want want;
};

static int look(struct blocklist_delta *d, struct place *p,
		const struct blocklist_key *key)
{
	struct blocklist_merge *m = &d->merge;
	size_t n = blocklist_key_list(p->key_bytes, BLOCKLIST_ENTRY, m->list);
	p->rule = (MDB_val){blocklist_key_rule(p->rule_bytes, key), p->rule_bytes};
	memcpy(p->key_bytes + n, p->rule_bytes, p->rule.mv_size);
	p->key = (MDB_val){n + p->rule.mv_size, p->key_bytes};
	p->old = (MDB_val){0, NULL};
	p->want.n = 0;
	MDB_val k = p->key, v;
	int rc = mdb_get(m->txn.txn, m->txn.bl->entries, &k, &v);
	if (rc)
		return rc == MDB_NOTFOUND ? ERR_OK : blocklist_error(rc);
	if (v.mv_size > sizeof d->old)
		return ERR_DAMAGED;
	memcpy(d->old, v.mv_data, v.mv_size);
	p->old = (MDB_val){v.mv_size, d->old};
	return blocklist_want_visible(&p->want, &p->key, &p->old, m->version, -1);
}

/* Makes entry (NULL: nothing) what stands there for a kind. */
static int put_kind(struct blocklist_delta *d, struct place *p, unsigned kind,
		    const uint8_t *entry)
{
	struct blocklist_changes *c = &d->merge.changes;
	uint64_t before = c->added - c->removed;
	blocklist_want_drop(&p->want, kind);
	if (entry && !blocklist_want_add(&p->want, entry, kind))
		return ERR_DAMAGED;
	int err = blocklist_merge_key(&d->merge, &p->rule, &p->old, &p->want);
	bool name = p->rule_bytes[0] == BLOCKLIST_NAME;
	*(name ? &d->row.names : &d->row.addresses) += c->added - c->removed - before;
	return err;
}

/* ---- what stands around a name ---- */

/* Keys of the list at and below a place, in order. */
struct below {
	size_t len; /* of the least key that may come next; 0: the place's own */
	int n;
	bool rule; /* the one at hand has a rule (no marker) for names of that sort */
	uint8_t bytes[BLOCKLIST_KEY_MAX + 4];
};

static bool has_rule(const struct blocklist_want *want, bool ns)
{
	for (int i = 0; i < want->n; i++) {
		unsigned kind = want->kind[i];
		if (!rule_kind_is_marker(kind) && rule_kind_is_ns(kind) == ns)
			return true;
	}
	return false;
}

/* 1: there is one, 0: there are no more. The tree may change between two calls. */
static int below_next(struct blocklist_delta *d, struct below *b, const struct place *p,
		      bool ns)
{
	struct blocklist_want want;
	MDB_val v, k = b->len ? (MDB_val){b->len, b->bytes} : p->key;
	int rc = mdb_cursor_get(d->merge.txn.entries, &k, &v, MDB_SET_RANGE);
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : blocklist_error(rc);
	if (k.mv_size < p->key.mv_size ||
	    memcmp(k.mv_data, p->key_bytes, p->key.mv_size) != 0)
		return 0;
	if (k.mv_size >= sizeof b->bytes)
		return ERR_DAMAGED;
	if (b->n++ == BELOW_MAX)
		return ERR_RANGE;
	memcpy(b->bytes, k.mv_data, k.mv_size);
	b->bytes[k.mv_size] = 0;
	b->len = k.mv_size + 1;
	int err = blocklist_want_visible(&want, &k, &v, d->merge.version, -1);
	b->rule = !err && has_rule(&want, ns);
	return err ? err : 1;
}

/* Marks name and those above it, as far as a wildcard stands above them. */
static int mark(struct blocklist_delta *d, const uint8_t *name, bool ns)
{
	const uint8_t *up[DNS_LABELS_MAX + 1];
	uint8_t entry[BLOCKLIST_ENTRY_MAX];
	struct place p;
	int n = 0, err = ERR_OK;
	bool below = false;
	for (const uint8_t *at = name;; at = name_parent(at)) {
		up[n++] = at;
		if (!*at)
			break;
	}
	while (!err && n-- > 0) {
		struct blocklist_item item = {.kind = (uint8_t)blocklist_marker_of(ns)};
		item.entry.confidence = 255;
		name_copy(item.key.name, up[n]);
		err = look(d, &p, &item.key);
		bool wildcard = !err && blocklist_want_kind(&p.want, ns ? RULE_NS_WILDCARD
									: RULE_WILDCARD);
		if (!err && below && !blocklist_want_kind(&p.want, item.kind)) {
			blocklist_entry_encode(entry, &item);
			err = put_kind(d, &p, item.kind, entry);
		}
		below = below || wildcard;
	}
	return err;
}

/* A wildcard has come to p: marks what stands below it. */
static int mark_below(struct blocklist_delta *d, const struct place *p, bool ns)
{
	struct below b = {.len = 0};
	int more;
	while ((more = below_next(d, &b, p, ns)) > 0) {
		struct blocklist_key key;
		int err = !b.rule ? ERR_OK
				  : blocklist_key_decode(&key, b.bytes + LIST_LEN,
							 b.len - 1 - LIST_LEN);
		if (!err && b.rule)
			err = mark(d, key.name, ns);
		if (err)
			return err;
	}
	return more;
}

/* Takes away the markers that a rule at name, now gone, was the last to need. */
static int unmark(struct blocklist_delta *d, const uint8_t *name, bool ns)
{
	struct place p;
	for (; *name; name = name_parent(name)) {
		struct blocklist_key key = {.name = {0}};
		struct below b = {.len = 0};
		name_copy(key.name, name);
		int err = look(d, &p, &key), more = 0;
		while (!err && (more = below_next(d, &b, &p, ns)) > 0 && !b.rule)
			;
		if (err || more)
			return err ? err : more < 0 ? more : ERR_OK;
		if (blocklist_want_kind(&p.want, blocklist_marker_of(ns)))
			err = put_kind(d, &p, blocklist_marker_of(ns), NULL);
		if (err)
			return err;
	}
	return ERR_OK;
}

/* ---- items ---- */

static int add(struct blocklist_delta *d, struct place *p,
	       const struct blocklist_item *item)
{
	uint8_t entry[BLOCKLIST_ENTRY_MAX], newer[BLOCKLIST_ENTRY_MAX];
	bool name = !item->key.prefix.addr.family, ns = rule_kind_is_ns(item->kind);
	const uint8_t *was = blocklist_want_kind(&p->want, item->kind);
	blocklist_entry_encode(was ? newer : entry, item);
	if (was) {
		struct blocklist_head h;
		memcpy(&h, was, sizeof h);
		memcpy(entry, was, h.len);
		if (blocklist_entry_join(entry, newer) == BLOCKLIST_CUT)
			return ERR_RANGE;
	}
	int err = put_kind(d, p, item->kind, entry);
	if (!err && name && !was && rule_kind_is_wildcard(item->kind))
		err = mark_below(d, p, ns);
	return err || !name ? err : mark(d, item->key.name, ns);
}

/* What stays of local data without some of its records; false: not all of these are
 * there. */
static bool data_without(struct blocklist_data *out, const struct blocklist_data *all,
			 const struct blocklist_data *gone)
{
	struct blocklist_rr rr, other;
	size_t lost = 0;
	out->len = 0;
	for (size_t at = 0; blocklist_data_next(all, &at, &rr);) {
		bool stays = true;
		for (size_t i = 0; stays && blocklist_data_next(gone, &i, &other);)
			stays = rr.type != other.type || rr.len != other.len ||
				memcmp(rr.rdata, other.rdata, rr.len) != 0;
		if (stays) /* there was room for all of them */
			(void)!blocklist_data_add(out, &rr);
		else
			lost += (size_t)BLOCKLIST_RR_HEAD + rr.len;
	}
	return lost == gone->len;
}

static int take_out(struct blocklist_delta *d, struct place *p,
		    const struct blocklist_item *item)
{
	const uint8_t *was = blocklist_want_kind(&p->want, item->kind);
	uint8_t entry[BLOCKLIST_ENTRY_MAX];
	struct blocklist_item stands;
	if (!was) /* the list is not what its source takes it for */
		return ERR_NOENT;
	blocklist_entry_decode(&stands, was);
	stands.key = item->key;
	stands.kind = item->kind;
	if (stands.action != item->action)
		return ERR_NOENT;
	if (stands.action == RULE_LOCAL_DATA) {
		struct blocklist_data all = stands.entry.data;
		if (!data_without(&stands.entry.data, &all, &item->entry.data))
			return ERR_NOENT;
		if (stands.entry.data.len) {
			blocklist_entry_encode(entry, &stands);
			return put_kind(d, p, item->kind, entry);
		}
	}
	int err = put_kind(d, p, item->kind, NULL);
	if (err || item->key.prefix.addr.family)
		return err;
	return unmark(d, item->key.name, rule_kind_is_ns(item->kind));
}

int blocklist_delta_put(struct blocklist_delta *d, const struct blocklist_item *item,
			bool in)
{
	struct place p;
	int err = blocklist_item_check(item);
	if (err || blocklist_is_marker(&item->key, item->kind))
		return err;
	err = look(d, &p, &item->key);
	if (err)
		return err;
	return in ? add(d, &p, item) : take_out(d, &p, item);
}

struct blocklist_changes blocklist_delta_changes(const struct blocklist_delta *d)
{
	return d->merge.changes;
}

int blocklist_delta_commit(struct blocklist_delta *d, uint32_t serial, uint32_t lease_s)
{
	struct blocklist_merge *m = &d->merge;
	const struct blocklist_changes *c = &m->changes;
	d->row.serial = serial;
	d->row.loaded = m->now;
	d->row.lease_s = lease_s;
	bool again = blocklist_row_renew(&d->row, blocklist_lease_end(m->now, lease_s));
	m->txn.meta.generation += again || c->added || c->changed || c->removed;
	int err = blocklist_row_put(&m->txn, &d->row);
	return err ? err : blocklist_txn_commit(&m->txn);
}
