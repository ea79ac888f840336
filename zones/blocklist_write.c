/* blocklist_write.c: locks, write transactions, list rows. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "zones/blocklist_store.h"

enum {
	LOCK_STEP_MS = 10,
	TURN_MS = 1, /* enough to wake up in; a large import has 20 of them a million */
	FILE_MODE = 0660,
	DISK_FULL_BYTES = 64 * 1024, /* LMDB writes up to 64 pages at once */
	/* Pages that one transaction may add to the file. An edit touches a few dozen and
	 * the list of free ones; LMDB itself limits a transaction to 131,071. */
	ROOM_EDIT = 1024,
	ROOM_LARGE = 131072,
	/* A resolver may see a lease end before our commit does, which can take long. */
	LEASE_MARGIN_S = 3600,
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
	/* A link that a member of the group put there leads to somebody else's file. */
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		      FILE_MODE);
	if (fd < 0)
		return errno == ELOOP ? ERR_REFUSED : blocklist_error(errno);
	struct stat st;
	if (fstat(fd, &st))
		goto failed;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1) {
		close(fd);
		return ERR_REFUSED;
	}
	if (st.st_uid == geteuid() && (st.st_mode & 07777) != FILE_MODE &&
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

/* A store that was put in this one's place has writers of its own. */
static int same_file(struct blocklist *bl)
{
	struct stat open_now, there;
	int fd, rc = mdb_env_get_fd(bl->env, &fd);
	if (rc)
		return blocklist_error(rc);
	if (fstat(fd, &open_now) || stat(bl->data, &there))
		return blocklist_error(errno);
	return open_now.st_ino == there.st_ino && open_now.st_dev == there.st_dev
		       ? ERR_OK
		       : ERR_BUSY;
}

bool blocklist_replaced(struct blocklist *bl)
{
	return same_file(bl) != ERR_OK;
}

int blocklist_txn_begin(struct blocklist_txn *t, struct blocklist *bl, bool large)
{
	return blocklist_txn_begin_for(t, bl, large ? ROOM_LARGE : ROOM_EDIT);
}

int blocklist_txn_begin_for(struct blocklist_txn *t, struct blocklist *bl, size_t pages)
{
	int dead;
	bool large = pages > ROOM_EDIT;
	size_t least = large ? ROOM_LARGE : ROOM_EDIT;
	t->bl = bl;
	t->txn = NULL;
	t->behind[0] = t->behind[1] = true; /* as long as nothing else was seen */
	if (!bl->writable)
		return ERR_INVAL;
	/* A reader that was killed would keep all pages from being used again. */
	if (large && mdb_reader_check(bl->env, &dead))
		return ERR_IO;
	int err = blocklist_error(mdb_txn_begin(bl->env, NULL, 0, &t->txn));
	if (err)
		return err;
	err = same_file(bl);
	if (!err)
		err = room_ahead(bl, pages > least ? pages : least);
	if (!err)
		err = blocklist_meta_read(&t->meta, t->txn, bl->dbi);
	if (!err)
		err = blocklist_error(mdb_cursor_open(t->txn, bl->entries, &t->entries));
	if (!err)
		err = blocklist_error(mdb_cursor_open(t->txn, bl->dbi, &t->rules));
	if (err)
		blocklist_txn_abort(t);
	return err;
}

void blocklist_let_others(void)
{
	const struct timespec turn = {0, TURN_MS * 1000000L};
	nanosleep(&turn, NULL);
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

void blocklist_room_back(struct blocklist *bl)
{
	struct blocklist_txn t;
	if (blocklist_txn_begin(&t, bl, false) == ERR_OK)
		blocklist_txn_abort(&t);
}

/* The digest is a sum, so that a change costs what the pair costs, not the store. */
static void digest_add(struct blocklist_meta *m, uint64_t key_hash, const MDB_val *value,
		       bool add)
{
	uint64_t d = blocklist_pair_digest(key_hash, value);
	m->digest += add ? d : 0 - d;
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
	case BLOCKLIST_WORDS:
		m->words += (uint32_t)by;
		break;
	case BLOCKLIST_ENTRY:
		m->entries += (uint64_t)(int64_t)by;
		break;
	default:
		break;
	}
}

bool blocklist_about_clients(const MDB_val *key, const MDB_val *value)
{
	struct blocklist_record r;
	if (*(const uint8_t *)key->mv_data != BLOCKLIST_ADDR)
		return false;
	for (size_t at = 0; at + sizeof r <= value->mv_size; at += sizeof r) {
		memcpy(&r, (const uint8_t *)value->mv_data + at, sizeof r);
		if (r.kind & RULE_ADDR_CLIENT)
			return true;
	}
	return false;
}

int blocklist_txn_put(struct blocklist_txn *t, MDB_cursor *c, const MDB_val *key,
		      const MDB_val *old, const MDB_val *new_value)
{
	MDB_val k = *key, v = new_value ? *new_value : (MDB_val){0, NULL};
	uint64_t key_hash = blocklist_key_hash(key->mv_data, key->mv_size);
	if (old) {
		digest_add(&t->meta, key_hash, old, false);
		t->meta.client_rules -= blocklist_about_clients(key, old);
	}
	if (new_value) {
		digest_add(&t->meta, key_hash, new_value, true);
		t->meta.client_rules += blocklist_about_clients(key, new_value);
	}
	if (!old != !new_value)
		blocklist_meta_count(&t->meta, key, old ? -1 : 1);
	if (new_value)
		return blocklist_error(mdb_cursor_put(c, &k, &v, 0));
	int rc = mdb_cursor_get(c, &k, &v, MDB_SET_KEY);
	return blocklist_error(rc ? rc : mdb_cursor_del(c, 0));
}

int blocklist_txn_put_new(struct blocklist_txn *t, MDB_cursor *c,
			  const struct blocklist_pair *pair, MDB_val *old)
{
	MDB_val k = pair->key, v = pair->value;
	bool *behind = &t->behind[c == t->entries];
	int rc = MDB_KEYEXIST;
	if (*behind) { /* nothing has to be searched, and pages are filled to the end */
		rc = mdb_cursor_put(c, &k, &v, MDB_APPEND);
		*behind = rc != MDB_KEYEXIST;
	}
	if (rc == MDB_KEYEXIST) {
		k = pair->key;
		v = pair->value;
		rc = mdb_cursor_put(c, &k, &v, MDB_NOOVERWRITE);
	}
	if (rc == MDB_KEYEXIST)
		*old = v;
	if (rc)
		return blocklist_error(rc);
	digest_add(&t->meta, pair->key_hash, &pair->value, true);
	t->meta.client_rules += blocklist_about_clients(&pair->key, &pair->value);
	blocklist_meta_count(&t->meta, &pair->key, 1);
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

int blocklist_row_delete(struct blocklist_txn *t, const struct blocklist_row *row)
{
	uint8_t key[BLOCKLIST_KEY_MAX];
	MDB_val old, k = {blocklist_key_list(key, BLOCKLIST_LIST, row->id), key};
	int rc = mdb_get(t->txn, t->bl->dbi, &k, &old);
	t->meta.lists_revision++;
	return rc ? blocklist_error(rc) : blocklist_txn_put(t, t->rules, &k, &old, NULL);
}

int blocklist_set_check(const struct blocklist_list_set *set)
{
	/* A list has no records of its own to answer with. */
	if (set->precedence > UINT16_MAX || set->action >= RULE_ACTION_N ||
	    set->action == RULE_LOCAL_DATA ||
	    (set->action == RULE_CNAME && !set->garden) || set->mode > BLOCKLIST_OFF ||
	    set->ede > UINT16_MAX || set->lease_s > UINT32_MAX ||
	    set->serial > UINT32_MAX || set->max_shrink < 0 || set->max_shrink > 100 ||
	    set->max_growth < 0 || set->max_growth > BLOCKLIST_GROWTH_MAX)
		return ERR_INVAL;
	return set->public_text && strlen(set->public_text) >= BLOCKLIST_PUBLIC_MAX
		       ? ERR_RANGE
		       : ERR_OK;
}

/* P5: what blocks ends by itself; what lets through does not, unless it is told to. */
static void lease_by_action(struct blocklist_row *row,
			    const struct blocklist_list_set *set, unsigned was)
{
	bool frees = row->action == RULE_PASSTHRU;
	if (!frees && row->lease_s == 0)
		row->lease_s = BLOCKLIST_LEASE_S;
	else if (frees && was != RULE_PASSTHRU && set->lease_s < 0)
		row->lease_s = 0;
}

bool blocklist_row_set(struct blocklist_row *row, const struct blocklist_list_set *set)
{
	struct blocklist_row before = *row;
	if (set->public_text) {
		memset(row->public_text, 0, sizeof row->public_text);
		memcpy(row->public_text, set->public_text,
		       strnlen(set->public_text, sizeof row->public_text - 1));
	}
	if (set->garden) {
		memset(row->garden, 0, sizeof row->garden);
		name_copy(row->garden, set->garden);
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
	if (set->max_shrink)
		row->max_shrink = (uint8_t)set->max_shrink;
	if (set->max_growth) {
		row->max_growth[0] = (uint8_t)(set->max_growth >> 8);
		row->max_growth[1] = (uint8_t)set->max_growth;
	}
	lease_by_action(row, set, before.action);
	return row->precedence != before.precedence || row->action != before.action ||
	       row->mode != before.mode || row->ede != before.ede ||
	       memcmp(row->garden, before.garden, sizeof row->garden) != 0 ||
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

bool blocklist_row_renew(struct blocklist_row *row, uint32_t lease)
{
	uint32_t was = row->lease;
	row->lease = lease;
	bool earlier = lease && (!was || lease < was);
	bool later = was && (!lease || lease > was);
	return earlier || (later && was < blocklist_now() + LEASE_MARGIN_S);
}

uint32_t blocklist_now(void)
{
	time_t now = time(NULL);
	return now > 0 && now < UINT32_MAX ? (uint32_t)now : 0;
}
