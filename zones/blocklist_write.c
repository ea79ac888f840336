/* blocklist_write.c: write transactions, list rows, locks, and edits of single keys. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "zones/blocklist_store.h"

enum {
	EDIT_WAIT_MS = 1000, /* another edit takes milliseconds, an import longer */
	LOCK_STEP_MS = 10,
	FILE_MODE = 0660,
	DISK_FULL_BYTES = 64 * 1024, /* LMDB writes up to 64 pages at once */
	/* Pages that one transaction may add to the file. An edit touches a few dozen and
	 * the list of free ones; LMDB itself limits a transaction to 131,071. */
	ROOM_EDIT = 1024,
	ROOM_LARGE = 131072,
};

/* ---- locks ---- */

int blocklist_lock_dir(const char *dir, const char *list, unsigned wait_ms)
{
	char path[4200];
	/* One byte of a file without content for each list; two lists share it by
	 * chance once in 2^62. The lock belongs to the descriptor, so it also keeps two
	 * imports of one process apart, and ends with the process. */
	struct flock range = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)(blocklist_key_hash(list, strlen(list)) >> 2),
		.l_len = 1};
	int n = snprintf(path, sizeof path, "%s/lists.lock", dir);
	if (n < 0 || (size_t)n >= sizeof path)
		return ERR_RANGE;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return blocklist_error(errno);
	struct stat st;
	if (!fstat(fd, &st) && st.st_uid == geteuid() &&
	    (st.st_mode & 07777) != FILE_MODE &&
	    fchmod(fd, FILE_MODE)) /* against the umask */
		goto failed;
	for (unsigned waited = 0; fcntl(fd, F_OFD_SETLK, &range);
	     waited += LOCK_STEP_MS) {
		const struct timespec step = {0, LOCK_STEP_MS * 1000000L};
		if ((errno != EAGAIN && errno != EACCES) || waited >= wait_ms) {
			if (errno == EACCES)
				errno = EAGAIN;
			goto failed;
		}
		nanosleep(&step, NULL);
	}
	return fd;
failed:;
	int err = blocklist_error(errno);
	close(fd);
	return err;
}

int blocklist_lock(struct blocklist *bl, const char *list, unsigned wait_ms)
{
	return blocklist_lock_dir(bl->dir, list, wait_ms);
}

void blocklist_unlock(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* ---- transactions ---- */

/* LMDB counts pages that a transaction took and gave back, but need not write them: the
 * file may end before its last page. So that a reader can tell a truncated file from a
 * sound one, the file is made longer (and sparse) before anything is written, by the
 * most that this transaction can add. No other writer is there, so that it may also be
 * cut back to what later edits need. */
static int room_ahead(struct blocklist *bl, size_t pages)
{
	MDB_envinfo info;
	struct stat st;
	int fd, rc = mdb_env_info(bl->env, &info);
	if (!rc)
		rc = mdb_env_get_fd(bl->env, &fd);
	if (rc)
		return blocklist_error(rc);
	if (fstat(fd, &st))
		return ERR_IO;
	size_t have = (size_t)st.st_size / bl->page_size, used = info.me_last_pgno + 1;
	if (have >= used + pages && (pages != ROOM_EDIT || have <= used + 2 * ROOM_EDIT))
		return ERR_OK;
	/* Twice the least for edits, so that most find nothing to do. */
	size_t want = used + (pages == ROOM_EDIT ? 2 * pages : pages);
	return ftruncate(fd, (off_t)(want * bl->page_size)) ? blocklist_error(errno)
							    : ERR_OK;
}

int blocklist_txn_begin(struct blocklist_txn *t, struct blocklist *bl, bool large)
{
	int dead;
	t->bl = bl;
	t->txn = NULL;
	if (!bl->writable)
		return ERR_INVAL;
	/* A reader that was killed would keep all pages from being used again. */
	if (large && mdb_reader_check(bl->env, &dead))
		return ERR_IO;
	int err = blocklist_error(mdb_txn_begin(bl->env, NULL, 0, &t->txn));
	if (err)
		return err;
	err = room_ahead(bl, large ? ROOM_LARGE : ROOM_EDIT);
	if (!err)
		err = blocklist_meta_read(&t->meta, t->txn, bl->dbi);
	if (!err)
		err = blocklist_error(mdb_cursor_open(t->txn, bl->dbi, &t->entries));
	if (!err)
		err = blocklist_error(mdb_cursor_open(t->txn, bl->dbi, &t->rules));
	if (err)
		blocklist_txn_abort(t);
	return err;
}

/* A write that the disk cut short comes out of LMDB as EIO. */
static int write_error(const struct blocklist *bl, int rc)
{
	struct statvfs v;
	if (rc == EIO && statvfs(bl->dir, &v) == 0 &&
	    (uint64_t)v.f_bavail * v.f_frsize < DISK_FULL_BYTES)
		return ERR_FULL;
	int err = blocklist_error(rc);
	errno = rc > 0 ? rc : EIO; /* for whoever tells a person about ERR_IO */
	return err;
}

/* LMDB closes the cursors of a write transaction with it. */
int blocklist_txn_commit(struct blocklist_txn *t)
{
	int err = blocklist_meta_write(&t->meta, t->txn, t->bl->dbi);
	if (err) {
		blocklist_txn_abort(t);
		return err;
	}
	err = write_error(t->bl, mdb_txn_commit(t->txn));
	t->txn = NULL;
	return err;
}

void blocklist_txn_abort(struct blocklist_txn *t)
{
	if (t->txn)
		mdb_txn_abort(t->txn);
	t->txn = NULL;
}

/* The digest is a sum, so that a change costs what the pair costs, not the store. */
static void digest_add(struct blocklist_meta *m, const MDB_val *key, const MDB_val *value,
		       bool add)
{
	uint64_t d[2];
	blocklist_pair_digest(d, key, value);
	for (int i = 0; i < 2; i++)
		m->digest[i] += add ? d[i] : 0 - d[i];
}

void blocklist_meta_count(struct blocklist_meta *m, const MDB_val *key, int by)
{
	const uint8_t *k = key->mv_data;
	unsigned family = key->mv_size > 2 && k[1] == 6,
		 bits = key->mv_size > 2 ? k[2] : 0;
	bits = bits < BLOCKLIST_BITS ? bits : BLOCKLIST_BITS - 1;
	m->pairs += (uint64_t)(int64_t)by;
	switch (k[0]) {
	case BLOCKLIST_NAME: {
		unsigned d = 0;
		for (size_t i = 1; i < key->mv_size && d < DNS_LABELS_MAX; i += k[i] + 1U)
			d++;
		m->names += (uint64_t)(int64_t)by;
		m->depth[d] += (uint32_t)by;
		break;
	}
	case BLOCKLIST_ADDR:
		m->addresses += (uint64_t)(int64_t)by;
		m->addr_bits[family][bits] += (uint32_t)by;
		break;
	case BLOCKLIST_CLIENT:
		m->clients += (uint64_t)(int64_t)by;
		m->client_bits[family][bits] += (uint32_t)by;
		break;
	case BLOCKLIST_ENTRY:
		m->entries += (uint64_t)(int64_t)by;
		break;
	default:
		break;
	}
}

int blocklist_txn_put(struct blocklist_txn *t, MDB_cursor *c, const MDB_val *key,
		      const MDB_val *old, const MDB_val *new_value)
{
	MDB_val k = *key, v = new_value ? *new_value : (MDB_val){0, NULL};
	if (old)
		digest_add(&t->meta, key, old, false);
	if (new_value)
		digest_add(&t->meta, key, new_value, true);
	if (!old != !new_value)
		blocklist_meta_count(&t->meta, key, old ? -1 : 1);
	if (new_value)
		return blocklist_error(mdb_cursor_put(c, &k, &v, 0));
	int rc = mdb_cursor_get(c, &k, &v, MDB_SET_KEY);
	return blocklist_error(rc ? rc : mdb_cursor_del(c, 0));
}

int blocklist_txn_put_new(struct blocklist_txn *t, MDB_cursor *c, const MDB_val *key,
			  const MDB_val *new_value, MDB_val *old)
{
	MDB_val k = *key, v = *new_value;
	int rc = mdb_cursor_put(c, &k, &v, MDB_NOOVERWRITE);
	if (rc == MDB_KEYEXIST)
		*old = v;
	if (rc)
		return blocklist_error(rc);
	digest_add(&t->meta, key, new_value, true);
	blocklist_meta_count(&t->meta, key, 1);
	return ERR_OK;
}

/* ---- list rows ---- */

/* Looks through all rows; *free_id gets the lowest id that is not taken. */
static int row_scan(struct blocklist_txn *t, struct blocklist_row *out, const char *list,
		    unsigned *free_id)
{
	uint8_t tag = BLOCKLIST_LIST;
	MDB_val k = {1, &tag}, v;
	*free_id = 0;
	int rc = mdb_cursor_get(t->rules, &k, &v, MDB_SET_RANGE);
	while (!rc && *(uint8_t *)k.mv_data == BLOCKLIST_LIST) {
		int err = blocklist_row_read(out, &k, &v);
		if (err)
			return err;
		if (strcmp(out->name, list) == 0)
			return ERR_OK;
		*free_id += out->id == *free_id;
		rc = mdb_cursor_get(t->rules, &k, &v, MDB_NEXT);
	}
	return rc && rc != MDB_NOTFOUND ? blocklist_error(rc) : ERR_NOENT;
}

int blocklist_row_find(struct blocklist_txn *t, struct blocklist_row *out,
		       const char *list)
{
	unsigned free_id;
	return row_scan(t, out, list, &free_id);
}

int blocklist_row_make(struct blocklist_txn *t, struct blocklist_row *out,
		       const char *list)
{
	unsigned id;
	int err = row_scan(t, out, list, &id);
	if (err != ERR_NOENT)
		return err;
	if (id >= BLOCKLIST_LISTS_MAX)
		return ERR_FULL;
	*out = (struct blocklist_row){
		.id = (uint16_t)id,
		.precedence = BLOCKLIST_PRECEDENCE,
		.action = RULE_GIVEN,
		.mode = BLOCKLIST_LIVE,
		.ede = DNS_EDE_BLOCKED,
		.lease_s = BLOCKLIST_LEASE_S,
	};
	memcpy(out->name, list, strnlen(list, HIT_LIST_MAX - 1));
	return ERR_OK;
}

int blocklist_row_put(struct blocklist_txn *t, struct blocklist_row *row)
{
	uint8_t key[BLOCKLIST_KEY_MAX];
	MDB_val k = {blocklist_key_list(key, BLOCKLIST_LIST, row->id), key};
	MDB_val old, v = {sizeof *row, row};
	int rc = mdb_get(t->txn, t->bl->dbi, &k, &old);
	if (rc && rc != MDB_NOTFOUND)
		return blocklist_error(rc);
	row->check = blocklist_tail_check(blocklist_key_hash(key, k.mv_size), row,
					  sizeof *row);
	t->meta.lists_revision++;
	return blocklist_txn_put(t, t->rules, &k, rc ? NULL : &old, &v);
}

static int row_delete(struct blocklist_txn *t, const struct blocklist_row *row)
{
	uint8_t key[BLOCKLIST_KEY_MAX];
	MDB_val old, k = {blocklist_key_list(key, BLOCKLIST_LIST, row->id), key};
	int rc = mdb_get(t->txn, t->bl->dbi, &k, &old);
	t->meta.lists_revision++;
	return rc ? blocklist_error(rc) : blocklist_txn_put(t, t->rules, &k, &old, NULL);
}

int blocklist_set_check(const struct blocklist_list_set *set)
{
	if (set->precedence > UINT16_MAX || set->action >= RULE_ACTION_N ||
	    set->mode > BLOCKLIST_OFF || set->ede > UINT16_MAX ||
	    set->lease_s > UINT32_MAX || set->serial > UINT32_MAX)
		return ERR_INVAL;
	return set->public_text && strlen(set->public_text) >= BLOCKLIST_PUBLIC_MAX
		       ? ERR_RANGE
		       : ERR_OK;
}

bool blocklist_row_set(struct blocklist_row *row, const struct blocklist_list_set *set)
{
	struct blocklist_row before = *row;
	if (set->public_text) {
		memset(row->public_text, 0, sizeof row->public_text);
		memcpy(row->public_text, set->public_text,
		       strnlen(set->public_text, sizeof row->public_text - 1));
	}
	if (set->precedence >= 0)
		row->precedence = (uint16_t)set->precedence;
	if (set->action >= 0)
		row->action = (uint8_t)set->action;
	if (set->mode >= 0)
		row->mode = (uint8_t)set->mode;
	if (set->ede >= 0)
		row->ede = (uint16_t)set->ede;
	if (set->lease_s >= 0)
		row->lease_s = (uint32_t)set->lease_s;
	if (set->serial >= 0)
		row->serial = (uint32_t)set->serial;
	return row->precedence != before.precedence || row->action != before.action ||
	       row->mode != before.mode || row->ede != before.ede ||
	       memcmp(row->public_text, before.public_text, sizeof row->public_text) != 0;
}

/* The end of a lease that begins at a time; the clock may be anywhere in a lab. */
uint32_t blocklist_lease_end(uint32_t from, uint32_t lease_s)
{
	uint64_t end = (uint64_t)from + lease_s;
	if (lease_s == 0)
		return 0;
	return end < UINT32_MAX ? (uint32_t)end : UINT32_MAX;
}

uint32_t blocklist_now(void)
{
	time_t now = time(NULL);
	return now > 0 && now < UINT32_MAX ? (uint32_t)now : 0;
}

/* ---- edits ---- */

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
	int rc = mdb_get(m->txn.txn, m->txn.bl->dbi, &k, &v);
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
		if (want.n == BLOCKLIST_KINDS) {
			err = ERR_DAMAGED;
		} else {
			blocklist_entry_encode(entry, item);
			want.bytes[want.n++] = entry;
		}
	}
	if (!err)
		err = blocklist_merge_key(m, &rule, &old, item ? &want : &none);
	free(copy);
	return err;
}

static int edit_finish(struct blocklist_merge *m, struct blocklist_row *row,
		       const struct blocklist_item *item, bool is_name)
{
	const struct blocklist_changes *c = &m->changes;
	uint64_t *count = is_name ? &row->names : &row->addresses;
	bool is_new = !row->version;
	*count += c->added - c->removed;
	row->version = m->next;
	/* A list that is only ever added to has no import that renews its lease: it lasts
	 * as long as the longest of its entries. */
	if (item && !row->loaded && row->lease_s) {
		uint32_t end = item->expires ? item->expires
					     : blocklist_lease_end(m->now, row->lease_s);
		row->lease = end > row->lease ? end : row->lease;
	}
	m->txn.meta.generation += is_new || c->added || c->changed || c->removed;
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
	if (item->action >= RULE_ACTION_N || item->action == RULE_DISABLED)
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
			t.meta.generation += blocklist_row_set(&row, set);
			if (set->lease_s >= 0)
				row.lease = blocklist_lease_end(
					row.loaded ? row.loaded : blocklist_now(),
					row.lease_s);
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
		err = row_delete(&t, &row);
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

/* Clients do not raise the generation: what is cached is true for all of them. */
int blocklist_client_set(struct blocklist *bl, const struct prefix *p, bool opt_out)
{
	struct blocklist_client c = {.opt_out = 1, .since = blocklist_now()};
	struct blocklist_txn t;
	uint8_t key[BLOCKLIST_KEY_MAX];
	if ((p->addr.family != 4 && p->addr.family != 6) ||
	    p->bits > 8 * addr_len(&p->addr))
		return ERR_INVAL;
	MDB_val old, v = {sizeof c, &c};
	MDB_val k = {blocklist_key_prefix(key, BLOCKLIST_CLIENT, &p->addr, p->bits), key};
	c.check = blocklist_tail_check(blocklist_key_hash(key, k.mv_size), &c, sizeof c);
	int err = blocklist_txn_begin(&t, bl, false);
	if (err)
		return err;
	int rc = mdb_get(t.txn, bl->dbi, &k, &old);
	if (rc && rc != MDB_NOTFOUND)
		err = blocklist_error(rc);
	else if (rc && !opt_out)
		err = ERR_NOENT;
	else if (rc || !opt_out) /* opting out again keeps the day of the first time */
		err = blocklist_txn_put(&t, t.rules, &k, rc ? NULL : &old,
					opt_out ? &v : NULL);
	if (!err)
		err = blocklist_txn_commit(&t);
	blocklist_txn_abort(&t);
	return err;
}
