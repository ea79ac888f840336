/* blocklist_client_edit.c: changes of clients and groups, each one transaction.
 *
 * Which number a class gets is decided here, so that everybody who reads the store means
 * the same set of lists by it. A number that comes to stand for another set says so by
 * its "since", which what is remembered of the class is compared with. */
#include "zones/blocklist_store.h"

/* ---- groups ---- */

struct groups {
	struct blocklist_group_row row[BLOCKLIST_GROUPS_MAX];
	int n; /* in order of ids */
};

static int groups_add(void *arg, const MDB_val *key, const MDB_val *value)
{
	struct groups *g = arg;
	if (g->n == BLOCKLIST_GROUPS_MAX)
		return ERR_DAMAGED;
	return blocklist_group_read(&g->row[g->n++], key, value);
}

static int groups_read(struct groups *g, struct blocklist_txn *t)
{
	g->n = 0;
	return blocklist_walk_tag(t->txn, t->bl->dbi, BLOCKLIST_GROUP, groups_add, g);
}

static struct blocklist_group_row *groups_named(struct groups *g, const char *name)
{
	for (int i = 0; i < g->n; i++)
		if (strcmp(g->row[i].name, name) == 0)
			return &g->row[i];
	return NULL;
}

/* Puts the row, or (gone) takes it away. */
static int group_write(struct blocklist_txn *t, struct blocklist_group_row *row,
		       bool gone)
{
	uint8_t key[BLOCKLIST_KEY_MAX];
	MDB_val k = {blocklist_key_list(key, BLOCKLIST_GROUP, row->id), key};
	MDB_val old, v = {sizeof *row, row};
	int rc = mdb_get(t->txn, t->bl->dbi, &k, &old);
	if (rc && rc != MDB_NOTFOUND)
		return blocklist_error(rc);
	row->check = blocklist_tail_check(blocklist_key_hash(key, k.mv_size), row,
					  sizeof *row);
	t->meta.groups_revision++;
	t->meta.clients_revision++;
	return blocklist_txn_put(t, t->rules, &k, rc ? NULL : &old, gone ? NULL : &v);
}

static bool same_set(const struct blocklist_group_row *a,
		     const struct blocklist_group_row *b)
{
	return a->except == b->except && !memcmp(a->lists, b->lists, sizeof a->lists);
}

/* The class for the row's set of lists: that of a group with the same; else its own
 * number, when no other group has it; else a free one. */
static int class_choose(struct blocklist_group_row *row, const struct groups *g,
			const struct blocklist_meta *m)
{
	bool taken[BLOCKLIST_CLASSES] = {true, true};
	static const struct blocklist_group_row none = {.except = 0};
	static const struct blocklist_group_row all = {.except = 1};
	row->since = 0;
	if (same_set(row, &none) || same_set(row, &all)) {
		row->class = row->except ? BLOCKLIST_CLASS_ALL : BLOCKLIST_CLASS_NONE;
		return ERR_OK;
	}
	for (int i = 0; i < g->n; i++) {
		const struct blocklist_group_row *other = &g->row[i];
		if (other->id == row->id)
			continue;
		taken[other->class] = true;
		if (other->class >= BLOCKLIST_CLASS_GROUPS && same_set(other, row)) {
			row->class = other->class;
			row->since = other->since;
			return ERR_OK;
		}
	}
	for (unsigned c = 0; c < BLOCKLIST_CLASSES && taken[row->class]; c++)
		if (!taken[c])
			row->class = (uint8_t)c;
	row->since = m->groups_revision + 1;
	return taken[row->class] ? ERR_FULL : ERR_OK;
}

static int lists_take(struct blocklist_group_row *row, struct blocklist_txn *t,
		      const char *const *lists, int n, const char **missing)
{
	memset(row->lists, 0, sizeof row->lists);
	for (int i = 0; i < n; i++) {
		struct blocklist_row list;
		int err = blocklist_row_find(t, &list, lists[i]);
		if (!err && !list.version)
			err = ERR_NOENT;
		*missing = lists[i];
		if (err)
			return err;
		row->lists[list.id / 64] |= 1ULL << list.id % 64;
	}
	return ERR_OK;
}

/* The row as it stands, or a new one with the lowest id that is free. */
static int group_make(struct blocklist_group_row *out, struct groups *g, const char *name)
{
	const struct blocklist_group_row *old = groups_named(g, name);
	if (old) {
		*out = *old;
		return ERR_OK;
	}
	if (g->n == BLOCKLIST_GROUPS_MAX)
		return ERR_FULL;
	*out = (struct blocklist_group_row){.class = BLOCKLIST_CLASS_ALL};
	memcpy(out->name, name, strnlen(name, HIT_LIST_MAX - 1));
	while (out->id < g->n && g->row[out->id].id == out->id)
		out->id++;
	return ERR_OK;
}

int blocklist_group_set(struct blocklist *bl, const char *group, bool except,
			const char *const *lists, int n, const char **missing)
{
	struct blocklist_group_row row;
	struct blocklist_txn t;
	struct groups *g = malloc(sizeof *g);
	int err = g ? blocklist_name_check(group) : ERR_NOMEM;
	if (!err)
		err = blocklist_txn_begin(&t, bl, false);
	if (err) {
		free(g);
		return err;
	}
	err = groups_read(g, &t);
	if (!err)
		err = group_make(&row, g, group);
	if (!err)
		err = lists_take(&row, &t, lists, n, missing);
	if (!err) {
		const struct blocklist_group_row *old = groups_named(g, group);
		row.except = except;
		if (!old || !same_set(old, &row)) {
			err = class_choose(&row, g, &t.meta);
			if (!err)
				err = group_write(&t, &row, false);
			if (!err)
				err = blocklist_txn_commit(&t);
		}
	}
	blocklist_txn_abort(&t);
	free(g);
	return err;
}

static int client_is_in(void *arg, const MDB_val *key, const MDB_val *value)
{
	struct blocklist_client c;
	int err = blocklist_client_read(&c, key, value);
	return err ? err : c.group == *(const uint16_t *)arg ? ERR_EXIST : ERR_OK;
}

int blocklist_group_remove(struct blocklist *bl, const char *group)
{
	struct blocklist_group_row *row = NULL;
	struct blocklist_txn t;
	struct groups *g = malloc(sizeof *g);
	int err = g ? blocklist_txn_begin(&t, bl, false) : ERR_NOMEM;
	if (err) {
		free(g);
		return err;
	}
	err = groups_read(g, &t);
	if (!err && !(row = groups_named(g, group)))
		err = ERR_NOENT;
	if (!err)
		err = blocklist_walk_tag(t.txn, bl->dbi, BLOCKLIST_CLIENT, client_is_in,
					 &row->id);
	if (!err)
		err = group_write(&t, row, true);
	if (!err)
		err = blocklist_txn_commit(&t);
	blocklist_txn_abort(&t);
	free(g);
	return err;
}

/* The list is not visible any more, so that no class means another set by this. */
int blocklist_groups_forget(struct blocklist_txn *t, uint16_t list)
{
	struct groups *g = malloc(sizeof *g);
	int err = g ? groups_read(g, t) : ERR_NOMEM;
	for (int i = 0; !err && i < g->n; i++) {
		uint64_t bit = 1ULL << list % 64, *word = &g->row[i].lists[list / 64];
		if (!(*word & bit))
			continue;
		*word &= ~bit;
		err = group_write(t, &g->row[i], false);
	}
	free(g);
	return err;
}

/* ---- clients ---- */

static size_t client_encode(uint8_t out[BLOCKLIST_CLIENT_MAX], const MDB_val *key,
			    const struct blocklist_client_item *c, uint32_t since)
{
	struct blocklist_client_head h = {.since = since,
					  .group = c->opt_out ? BLOCKLIST_NO_GROUP
							      : c->group,
					  .opt_out = c->opt_out};
	h.reason_len =
		(uint8_t)(c->reason ? strnlen(c->reason, BLOCKLIST_TEXT_MAX - 1) : 0);
	size_t n = sizeof h + h.reason_len + sizeof(uint32_t);
	memcpy(out, &h, sizeof h);
	if (h.reason_len)
		memcpy(out + sizeof h, c->reason, h.reason_len);
	uint64_t hash = blocklist_key_hash(key->mv_data, key->mv_size);
	uint32_t check = blocklist_tail_check(hash, out, n);
	memcpy(out + n - sizeof check, &check, sizeof check);
	return n;
}

static bool prefix_good(const struct prefix *p)
{
	return (p->addr.family == 4 || p->addr.family == 6) &&
	       p->bits <= 8 * addr_len(&p->addr);
}

static int group_known(struct blocklist_txn *t, uint16_t id)
{
	uint8_t key[BLOCKLIST_KEY_MAX];
	MDB_val v, k = {blocklist_key_list(key, BLOCKLIST_GROUP, id), key};
	return blocklist_error(mdb_get(t->txn, t->bl->dbi, &k, &v));
}

/* since stays as long as the same holds. */
static int client_write(struct blocklist_txn *t, const struct blocklist_client_item *c,
			uint32_t now, struct blocklist_changes *changes)
{
	uint8_t key[BLOCKLIST_KEY_MAX], bytes[BLOCKLIST_CLIENT_MAX];
	struct blocklist_client was;
	MDB_val old, k = {blocklist_key_prefix(key, BLOCKLIST_CLIENT, &c->prefix.addr,
					       c->prefix.bits),
			  key};
	int rc = mdb_get(t->txn, t->bl->dbi, &k, &old);
	if (rc && rc != MDB_NOTFOUND)
		return blocklist_error(rc);
	int err = rc ? ERR_OK : blocklist_client_read(&was, &k, &old);
	if (err)
		return err;
	bool same =
		!rc && was.opt_out == c->opt_out && (c->opt_out || was.group == c->group);
	MDB_val v = {client_encode(bytes, &k, c, same ? was.since : now), bytes};
	if (!rc && old.mv_size == v.mv_size && !memcmp(old.mv_data, bytes, v.mv_size)) {
		changes->unchanged++;
		return ERR_OK;
	}
	if (rc)
		changes->added++;
	else
		changes->changed++;
	t->meta.clients_revision++;
	return blocklist_txn_put(t, t->rules, &k, rc ? NULL : &old, &v);
}

int blocklist_client_put(struct blocklist *bl, const struct blocklist_client *client)
{
	struct blocklist_client_item one = {.prefix = client->prefix,
					    .opt_out = client->opt_out,
					    .group = client->group,
					    .reason = client->reason};
	struct blocklist_changes changes;
	return blocklist_clients_import(bl, &one, 1, false, &changes);
}

int blocklist_client_remove(struct blocklist *bl, const struct prefix *p)
{
	struct blocklist_txn t;
	uint8_t key[BLOCKLIST_KEY_MAX];
	if (!prefix_good(p))
		return ERR_INVAL;
	MDB_val old,
		k = {blocklist_key_prefix(key, BLOCKLIST_CLIENT, &p->addr, p->bits), key};
	int err = blocklist_txn_begin(&t, bl, false);
	if (err)
		return err;
	err = blocklist_error(mdb_get(t.txn, bl->dbi, &k, &old));
	if (!err) {
		t.meta.clients_revision++;
		err = blocklist_txn_put(&t, t.rules, &k, &old, NULL);
	}
	if (!err)
		err = blocklist_txn_commit(&t);
	blocklist_txn_abort(&t);
	return err;
}

/* ---- import ---- */

/* As CLIENT keys are ordered. */
static int item_key_order(const struct blocklist_client_item *a,
			  const struct blocklist_client_item *b)
{
	if (a->prefix.addr.family != b->prefix.addr.family)
		return a->prefix.addr.family - b->prefix.addr.family;
	if (a->prefix.bits != b->prefix.bits)
		return a->prefix.bits - b->prefix.bits;
	return memcmp(a->prefix.addr.bytes, b->prefix.addr.bytes, 16);
}

static int item_order(const void *left, const void *right)
{
	const struct blocklist_client_item *a = left, *b = right;
	int c = item_key_order(a, b);
	return c ? c : (a->order > b->order) - (a->order < b->order);
}

static int item_find_order(const void *left, const void *right)
{
	return item_key_order(left, right);
}

/* Sorts; of several for one prefix the last stays. Returns how many are left. */
static size_t items_sort(struct blocklist_client_item *item, size_t n,
			 struct blocklist_changes *out)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++)
		item[i].order = (uint32_t)i;
	qsort(item, n, sizeof *item, item_order);
	for (size_t i = 0; i < n; i++) {
		if (kept && item_key_order(&item[kept - 1], &item[i]) == 0) {
			item[kept - 1] = item[i];
			out->duplicates++;
		} else {
			item[kept++] = item[i];
		}
	}
	return kept;
}

/* What the items are about. */
struct scope {
	bool opt_out;
	uint64_t groups[BLOCKLIST_GROUPS_MAX / 64];
};

static int items_check(struct scope *scope, struct blocklist_txn *t,
		       const struct blocklist_client_item *item, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint16_t g = item[i].group;
		if (!prefix_good(&item[i].prefix))
			return ERR_INVAL;
		if (item[i].opt_out) {
			scope->opt_out = true;
			continue;
		}
		if (g >= BLOCKLIST_GROUPS_MAX)
			return ERR_NOENT;
		if (scope->groups[g / 64] >> g % 64 & 1)
			continue;
		int err = group_known(t, g);
		if (err)
			return err;
		scope->groups[g / 64] |= 1ULL << g % 64;
	}
	return ERR_OK;
}

static bool scope_has(const struct scope *s, const struct blocklist_client *c)
{
	if (c->opt_out || c->group >= BLOCKLIST_GROUPS_MAX)
		return c->opt_out && s->opt_out;
	return s->groups[c->group / 64] >> c->group % 64 & 1;
}

/* Takes away what is in scope and not among the items. */
static int clients_sweep(struct blocklist_txn *t, const struct scope *scope,
			 const struct blocklist_client_item *item, size_t n,
			 struct blocklist_changes *out)
{
	uint8_t tag = BLOCKLIST_CLIENT;
	MDB_val v, k = {1, &tag};
	int err = ERR_OK, rc = mdb_cursor_get(t->rules, &k, &v, MDB_SET_RANGE);
	while (!err && !rc && *(uint8_t *)k.mv_data == BLOCKLIST_CLIENT) {
		struct blocklist_client c;
		err = blocklist_client_read(&c, &k, &v);
		const struct blocklist_client_item want = {.prefix = c.prefix};
		if (!err && scope_has(scope, &c) &&
		    !bsearch(&want, item, n, sizeof *item, item_find_order)) {
			out->removed++;
			t->meta.clients_revision++;
			err = blocklist_txn_put(t, t->rules, &k, &v, NULL);
		}
		if (!err)
			rc = mdb_cursor_get(t->rules, &k, &v, MDB_NEXT);
	}
	return err || rc == MDB_NOTFOUND ? err : blocklist_error(rc);
}

int blocklist_clients_import(struct blocklist *bl, struct blocklist_client_item *item,
			     size_t n, bool replace, struct blocklist_changes *out)
{
	struct blocklist_txn t;
	struct scope scope = {.opt_out = false};
	uint32_t now = blocklist_now();
	bool large = n > 1 || replace;
	*out = (struct blocklist_changes){0};
	if (n > BLOCKLIST_CLIENTS_IMPORT)
		return ERR_RANGE;
	n = items_sort(item, n, out);
	int err = blocklist_txn_begin(&t, bl, large);
	if (err)
		return err;
	err = items_check(&scope, &t, item, n);
	if (!err && replace)
		err = clients_sweep(&t, &scope, item, n, out);
	for (size_t i = 0; !err && i < n; i++)
		err = client_write(&t, &item[i], now, out);
	if (!err && (out->added || out->changed || out->removed))
		err = blocklist_txn_commit(&t);
	blocklist_txn_abort(&t);
	if (large)
		blocklist_room_back(bl);
	return err;
}
