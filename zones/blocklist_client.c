/* blocklist_client.c: what holds for a client, as a view sees it.
 *
 * A look-up asks for each prefix length there is, because a short opt-out beats a long
 * group. That is up to 33 or 129 seeks for a client, so a view remembers the class of
 * addresses; a change of clients or groups makes it forget all of them at once. */
#include "zones/blocklist_store.h"

enum {
	/* Clients that ask one worker within the time between two changes; 24 bytes each.
	 * One that is not remembered costs a look-up, no more. */
	MEMO_BITS = 14,
};

struct blocklist_memo {
	uint64_t addr[2];
	uint32_t round;
	uint8_t family, class;
};

/* ---- loading ---- */

void blocklist_lengths_from(struct blocklist_lengths *out,
			    const uint32_t count[BLOCKLIST_BITS])
{
	out->n = 0;
	for (int b = BLOCKLIST_BITS - 1; b >= 0; b--)
		if (count[b])
			out->bits[out->n++] = (uint8_t)b;
}

int blocklist_group_read(struct blocklist_group_row *out, const MDB_val *key,
			 const MDB_val *value)
{
	const uint8_t *k = key->mv_data;
	if (key->mv_size != 3 || value->mv_size != sizeof *out)
		return ERR_DAMAGED;
	memcpy(out, value->mv_data, sizeof *out);
	uint64_t h = blocklist_key_hash(k, key->mv_size);
	bool good = out->check == blocklist_tail_check(h, out, sizeof *out) &&
		    out->id == (k[1] << 8 | k[2]) && out->id < BLOCKLIST_GROUPS_MAX &&
		    out->class < BLOCKLIST_CLASSES && memchr(out->name, 0, HIT_LIST_MAX);
	return good ? ERR_OK : ERR_DAMAGED;
}

static int group_take(void *arg, const MDB_val *key, const MDB_val *value)
{
	struct blocklist_classes *c = arg;
	struct blocklist_group_row row;
	int err = blocklist_group_read(&row, key, value);
	if (err)
		return err;
	if (row.id < c->group_n) /* keys out of order */
		return ERR_DAMAGED;
	if (row.id >= c->group_room) {
		uint32_t room = 2U * row.id + 8;
		struct blocklist_group *more = realloc(c->group, room * sizeof *more);
		if (!more)
			return ERR_NOMEM;
		c->group = more;
		c->group_room = room;
	}
	for (; c->group_n <= row.id; c->group_n++) /* ids are given lowest first */
		c->group[c->group_n].name[0] = 0;
	struct blocklist_group *g = &c->group[row.id];
	*g = (struct blocklist_group){.since = row.since,
				      .id = row.id,
				      .class = row.class,
				      .except = row.except};
	memcpy(g->name, row.name, sizeof g->name);
	memcpy(g->lists, row.lists, sizeof g->lists);
	if (row.class >= BLOCKLIST_CLASS_GROUPS)
		c->group_of[row.class] = (uint16_t)(row.id + 1);
	return ERR_OK;
}

static int groups_load(struct blocklist_classes *c, MDB_txn *txn, MDB_dbi dbi)
{
	c->group_n = 0;
	memset(c->group_of, 0, sizeof c->group_of);
	return blocklist_walk_tag(txn, dbi, BLOCKLIST_GROUP, group_take, c);
}

int blocklist_classes_load(struct blocklist_classes *c, const struct blocklist_meta *m,
			   MDB_txn *txn, MDB_dbi dbi)
{
	if (c->epoch == m->epoch && c->clients_revision == m->clients_revision)
		return ERR_OK;
	bool groups = c->epoch != m->epoch || c->groups_revision != m->groups_revision;
	c->clients_revision = 0; /* should anything below fail */
	c->memo_round++;
	for (int f = 0; f < 2; f++)
		blocklist_lengths_from(&c->bits[f], m->client_bits[f]);
	if (m->clients && !c->memo)
		c->memo = calloc((size_t)1 << MEMO_BITS, sizeof *c->memo);
	int err = m->clients && !c->memo ? ERR_NOMEM
		  : groups		 ? groups_load(c, txn, dbi)
					 : ERR_OK;
	if (err)
		return err;
	c->epoch = m->epoch;
	c->groups_revision = m->groups_revision;
	c->clients_revision = m->clients_revision;
	return ERR_OK;
}

void blocklist_classes_close(struct blocklist_classes *c)
{
	if (!c)
		return;
	free(c->group);
	free(c->memo);
	free(c);
}

/* ---- groups and classes ---- */

const struct blocklist_group *blocklist_group(const struct blocklist_view *v, uint16_t id)
{
	const struct blocklist_classes *c = blocklist_view_classes(v);
	return id < c->group_n && c->group[id].name[0] ? &c->group[id] : NULL;
}

const struct blocklist_group *blocklist_group_named(const struct blocklist_view *v,
						    const char *name)
{
	const struct blocklist_classes *c = blocklist_view_classes(v);
	for (uint32_t i = 0; *name && i < c->group_n; i++)
		if (strcmp(c->group[i].name, name) == 0)
			return &c->group[i];
	return NULL;
}

static const struct blocklist_group *class_group(const struct blocklist_view *v,
						 unsigned class)
{
	const struct blocklist_classes *c = blocklist_view_classes(v);
	unsigned at = class < BLOCKLIST_CLASSES ? c->group_of[class] : 0;
	return at ? &c->group[at - 1] : NULL;
}

bool blocklist_class_has(const struct blocklist_view *v, unsigned class, uint16_t list)
{
	if (class == BLOCKLIST_CLASS_ALL || class == BLOCKLIST_CLASS_NONE)
		return class == BLOCKLIST_CLASS_ALL;
	const struct blocklist_group *g = class_group(v, class);
	return !g || (g->lists[list / 64] >> list % 64 & 1) != g->except;
}

uint64_t blocklist_class_since(const struct blocklist_view *v, unsigned class)
{
	const struct blocklist_group *g =
		class < BLOCKLIST_CLASS_GROUPS ? NULL : class_group(v, class);
	return g ? g->since : 0;
}

/* ---- clients ---- */

int blocklist_client_read(struct blocklist_client *out, const MDB_val *key,
			  const MDB_val *value)
{
	struct blocklist_client_head h;
	struct blocklist_key k;
	uint32_t check;
	int err = blocklist_key_decode(&k, key->mv_data, key->mv_size);
	if (err || value->mv_size < sizeof h + sizeof check)
		return ERR_DAMAGED;
	const uint8_t *p = value->mv_data;
	size_t n = value->mv_size;
	memcpy(&h, p, sizeof h);
	memcpy(&check, p + n - sizeof check, sizeof check);
	uint64_t hash = blocklist_key_hash(key->mv_data, key->mv_size);
	if (n != sizeof h + h.reason_len + sizeof check ||
	    check != blocklist_tail_check(hash, p, n))
		return ERR_DAMAGED;
	*out = (struct blocklist_client){.prefix = k.prefix,
					 .opt_out = h.opt_out,
					 .group = h.group,
					 .since = h.since};
	memcpy(out->reason, p + sizeof h, h.reason_len);
	return ERR_OK;
}

int blocklist_client_find(struct blocklist_view *v, struct blocklist_client *out,
			  const struct addr *client)
{
	const struct blocklist_lengths *l =
		&blocklist_view_classes(v)->bits[client->family == 6];
	MDB_txn *txn = blocklist_view_txn(v);
	int found = 0;
	if (!txn)
		return ERR_INVAL;
	for (unsigned i = 0; i < l->n; i++) {
		struct blocklist_client c;
		uint8_t key[BLOCKLIST_KEY_MAX];
		MDB_val value, k = {blocklist_key_prefix(key, BLOCKLIST_CLIENT, client,
							 l->bits[i]),
				    key};
		int rc = mdb_get(txn, blocklist_view_store(v)->dbi, &k, &value);
		if (rc == MDB_NOTFOUND)
			continue;
		int err =
			rc ? blocklist_error(rc) : blocklist_client_read(&c, &k, &value);
		if (err)
			return err;
		if (!found || c.opt_out)
			*out = c;
		found = 1;
		if (c.opt_out)
			break;
	}
	return found;
}

static int class_look_up(struct blocklist_view *v, uint8_t *class,
			 const struct addr *client)
{
	struct blocklist_client c;
	int found = blocklist_client_find(v, &c, client);
	*class = BLOCKLIST_CLASS_ALL;
	if (found <= 0)
		return found;
	if (c.opt_out) {
		*class = BLOCKLIST_CLASS_NONE;
		return ERR_OK;
	}
	const struct blocklist_group *g = blocklist_group(v, c.group);
	if (!g)
		return ERR_DAMAGED;
	*class = g->class;
	return ERR_OK;
}

static struct blocklist_memo *memo_at(const struct blocklist_classes *c,
				      const uint64_t addr[2])
{
	/* Who makes places collide costs himself and a neighbour their look-ups. */
	uint64_t h = (addr[0] ^ addr[1] * 0xff51afd7ed558ccdULL) * 0x9e3779b97f4a7c15ULL;
	return &c->memo[h >> (64 - MEMO_BITS)];
}

int blocklist_class_of(struct blocklist_view *v, uint8_t *class,
		       const struct addr *client)
{
	struct blocklist_classes *c = blocklist_view_classes(v);
	uint64_t addr[2];
	if (!blocklist_view_txn(v))
		return ERR_INVAL;
	*class = BLOCKLIST_CLASS_ALL;
	if (!c->bits[client->family == 6].n)
		return ERR_OK;
	memcpy(addr, client->bytes, sizeof addr);
	struct blocklist_memo *m = memo_at(c, addr);
	if (m->round == c->memo_round && m->family == client->family &&
	    m->addr[0] == addr[0] && m->addr[1] == addr[1]) {
		*class = m->class;
		return ERR_OK;
	}
	int err = class_look_up(v, class, client);
	if (!err)
		*m = (struct blocklist_memo){
			{addr[0], addr[1]}, c->memo_round, client->family, *class};
	return err;
}

struct walk {
	blocklist_client_fn *each;
	void *arg;
};

static int walk_client(void *arg, const MDB_val *key, const MDB_val *value)
{
	struct walk *w = arg;
	struct blocklist_client c;
	int err = blocklist_client_read(&c, key, value);
	return err ? err : w->each(w->arg, &c);
}

int blocklist_walk_clients(struct blocklist_view *v, blocklist_client_fn *each, void *arg)
{
	struct walk w = {each, arg};
	MDB_txn *txn = blocklist_view_txn(v);
	return txn ? blocklist_walk_tag(txn, blocklist_view_store(v)->dbi,
					BLOCKLIST_CLIENT, walk_client, &w)
		   : ERR_INVAL;
}
