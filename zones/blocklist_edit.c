/* blocklist_edit.c: changes of single keys, of a list's settings; removal of a whole
 * list. Each is one transaction, a removal as many as it takes. */
#include "zones/blocklist_store.h"

enum { EDIT_WAIT_MS = 1000 }; /* another edit takes milliseconds, an import longer */

/* A list that is not visible may have records that would appear with its first version:
 * of an interrupted first import, or of a removal that did not end. */
static int edit_begin(struct blocklist_merge *m, struct blocklist *bl,
		      struct blocklist_row *row, const char *list, bool make)
{
	for (bool swept = false;; swept = true) {
		int err = blocklist_txn_begin(&m->txn, bl, false);
		if (err)
			return err;
		err = make ? blocklist_row_make(&m->txn, row, list)
			   : blocklist_row_find(&m->txn, row, list);
		if (!err && !make && !row->version)
			err = ERR_NOENT;
		if (!err && (row->version || !row->pending || swept))
			return ERR_OK;
		blocklist_txn_abort(&m->txn);
		if (!err)
			err = blocklist_sweep(bl, list, NULL);
		if (err)
			return err;
	}
}

static int edit_old(struct blocklist_merge *m, const MDB_val *rule, uint8_t *key,
		    MDB_val *key_out, MDB_val *old)
{
	size_t n = blocklist_key_list(key, BLOCKLIST_ENTRY, m->list);
	memcpy(key + n, rule->mv_data, rule->mv_size);
	*key_out = (MDB_val){n + rule->mv_size, key};
	*old = (MDB_val){0, NULL};
	MDB_val k = *key_out, v;
	int rc = mdb_get(m->txn.txn, m->txn.bl->entries, &k, &v);
	if (!rc)
		*old = v;
	return rc == MDB_NOTFOUND ? ERR_OK : blocklist_error(rc);
}

/* Puts item in, or (NULL) takes everything of that key out. */
static int edit_key(struct blocklist_merge *m, struct blocklist_row *row,
		    const struct blocklist_key *at, const struct blocklist_item *item)
{
	uint8_t rule_bytes[BLOCKLIST_KEY_MAX], key[BLOCKLIST_KEY_MAX + 3];
	uint8_t *copy = NULL, entry[BLOCKLIST_ENTRY_MAX];
	struct blocklist_want want, none = {.n = 0};
	MDB_val old, k, rule = {blocklist_key_rule(rule_bytes, at), rule_bytes};
	m->list = row->id;
	m->version = row->version;
	m->next = row->version ? row->version : 1;
	m->now = blocklist_now();
	int err = edit_old(m, &rule, key, &k, &old);
	if (!err && old.mv_size) { /* writing moves the page it is on */
		copy = malloc(old.mv_size);
		if (!copy)
			return ERR_NOMEM;
		memcpy(copy, old.mv_data, old.mv_size);
		old.mv_data = copy;
	}
	if (!err)
		err = blocklist_want_visible(&want, &k, &old, m->version,
					     item ? item->kind : -1);
	if (!err && !item && !want.n)
		err = ERR_NOENT;
	if (!err && item) {
		blocklist_entry_encode(entry, item);
		if (!blocklist_want_add(&want, entry, item->kind))
			err = ERR_DAMAGED;
	}
	if (!err)
		err = blocklist_merge_key(m, &rule, &old, item ? &want : &none);
	free(copy);
	return err;
}

static bool lets_through(const struct blocklist_row *row,
			 const struct blocklist_item *item)
{
	return (row->action != RULE_GIVEN ? row->action : item->action) == RULE_PASSTHRU;
}

static int edit_finish(struct blocklist_merge *m, struct blocklist_row *row,
		       const struct blocklist_item *item, bool is_name)
{
	const struct blocklist_changes *c = &m->changes;
	uint64_t *count = is_name ? &row->names : &row->addresses;
	bool again = false, is_new = !row->version;
	*count += c->added - c->removed;
	row->version = m->next;
	/* A list that is only ever added to has no import that renews its lease: it lasts
	 * as long as the longest of its entries: for ever, with one that lets through
	 * and does not end (P5). */
	if (item && !row->loaded && row->lease_s && (is_new || row->lease)) {
		bool ends = item->expires || !lets_through(row, item);
		uint32_t end = item->expires ? item->expires
			       : ends	     ? blocklist_lease_end(m->now, row->lease_s)
					     : 0;
		again = (!end || end > row->lease) && blocklist_row_renew(row, end);
	}
	m->txn.meta.generation += is_new || again || c->added || c->changed || c->removed;
	int err = blocklist_row_put(&m->txn, row);
	return err ? err : blocklist_txn_commit(&m->txn);
}

static int edit(struct blocklist *bl, const char *list, const struct blocklist_key *at,
		const struct blocklist_item *item)
{
	struct blocklist_row row;
	struct blocklist_merge *m = calloc(1, sizeof *m);
	if (!m)
		return ERR_NOMEM;
	int err, lock = blocklist_lock(bl, list, EDIT_WAIT_MS);
	if (lock < 0) {
		free(m);
		return lock;
	}
	err = edit_begin(m, bl, &row, list, item != NULL);
	if (!err) {
		err = edit_key(m, &row, at, item);
		if (!err)
			err = edit_finish(m, &row, item, !at->prefix.addr.family);
		blocklist_txn_abort(&m->txn);
	}
	blocklist_unlock(lock);
	blocklist_merge_fini(m);
	free(m);
	return err;
}

int blocklist_item_check(const struct blocklist_item *item)
{
	const struct prefix *p = &item->key.prefix;
	unsigned use = RULE_ADDR_CLIENT | RULE_ADDR_ANSWER | RULE_ADDR_SERVER;
	const struct blocklist_data *d = &item->entry.data;
	if (item->action >= RULE_ACTION_N || item->action == RULE_DISABLED ||
	    d->len > sizeof d->bytes ||
	    !blocklist_data_fits(item->action, d->bytes, d->len))
		return ERR_INVAL;
	if (!p->addr.family)
		return item->kind < RULE_KIND_N ? ERR_OK : ERR_INVAL;
	if ((p->addr.family != 4 && p->addr.family != 6) ||
	    p->bits > 8 * addr_len(&p->addr))
		return ERR_INVAL;
	return item->kind && !(item->kind & ~use) ? ERR_OK : ERR_INVAL;
}

int blocklist_add(struct blocklist *bl, const char *list,
		  const struct blocklist_item *item)
{
	int err = blocklist_name_check(list);
	if (!err)
		err = blocklist_item_check(item);
	return err ? err : edit(bl, list, &item->key, item);
}

int blocklist_remove(struct blocklist *bl, const char *list,
		     const struct blocklist_key *key)
{
	int err = blocklist_name_check(list);
	return err ? err : edit(bl, list, key, NULL);
}

int blocklist_list_change(struct blocklist *bl, const char *list,
			  const struct blocklist_list_set *set)
{
	struct blocklist_row row;
	struct blocklist_txn t;
	int lock, err = blocklist_name_check(list);
	if (!err)
		err = blocklist_set_check(set);
	if (err)
		return err;
	lock = blocklist_lock(bl, list, EDIT_WAIT_MS);
	if (lock < 0)
		return lock;
	err = blocklist_txn_begin(&t, bl, false);
	if (!err) {
		err = blocklist_row_find(&t, &row, list);
		if (!err && !row.version)
			err = ERR_NOENT;
		if (!err) {
			uint32_t lease_s = row.lease_s;
			bool change = blocklist_row_set(&row, set);
			uint32_t from = row.loaded ? row.loaded : blocklist_now();
			if (set->lease_s >= 0 || row.lease_s != lease_s)
				change |= blocklist_row_renew(
					&row, blocklist_lease_end(from, row.lease_s));
			t.meta.generation += change;
			err = blocklist_row_put(&t, &row);
		}
		if (!err)
			err = blocklist_txn_commit(&t);
		blocklist_txn_abort(&t);
	}
	blocklist_unlock(lock);
	return err;
}

/* First nothing of it is visible, then its records go, then its name. */
static int list_hide(struct blocklist *bl, const char *list)
{
	struct blocklist_row row;
	struct blocklist_txn t;
	int err = blocklist_txn_begin(&t, bl, false);
	if (err)
		return err;
	err = blocklist_row_find(&t, &row, list);
	if (!err) {
		t.meta.generation += row.version != 0;
		row.version = 0;
		row.names = row.addresses = 0;
		row.pending = 1;
		err = blocklist_row_put(&t, &row);
	}
	if (!err)
		err = blocklist_txn_commit(&t);
	blocklist_txn_abort(&t);
	return err;
}

static int list_forget(struct blocklist *bl, const char *list)
{
	struct blocklist_row row;
	struct blocklist_txn t;
	int err = blocklist_txn_begin(&t, bl, false);
	if (err)
		return err;
	err = blocklist_row_find(&t, &row, list);
	if (!err)
		err = blocklist_groups_forget(&t, row.id);
	if (!err)
		err = blocklist_row_delete(&t, &row);
	if (!err)
		err = blocklist_txn_commit(&t);
	blocklist_txn_abort(&t);
	return err;
}

int blocklist_list_remove(struct blocklist *bl, const char *list)
{
	int lock, err = blocklist_name_check(list);
	if (err)
		return err;
	lock = blocklist_lock(bl, list, EDIT_WAIT_MS);
	if (lock < 0)
		return lock;
	err = list_hide(bl, list);
	if (!err)
		err = blocklist_sweep(bl, list, NULL);
	if (!err)
		err = list_forget(bl, list);
	blocklist_unlock(lock);
	return err;
}
