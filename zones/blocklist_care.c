/* blocklist_care.c: copies, and putting them back. */
#include "include/blocklist_care.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zones/blocklist_store.h"

/* Where a new data.mdb is made, below the store's folder. */
#define MAKE_DIR "/.restore"

enum { COPY_MODE = 0640, PATH_ROOM = 4200, PAGES_MORE = 4096 };

int blocklist_copy(struct blocklist *bl, const char *file)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		      COPY_MODE);
	if (fd < 0)
		return blocklist_error(errno);
	int err = blocklist_error(mdb_env_copyfd2(bl->env, fd, MDB_CP_COMPACT));
	if (!err && fsync(fd))
		err = blocklist_error(errno);
	close(fd);
	if (err)
		(void)unlink(file);
	return err;
}

/* ---- content ---- */

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Of the content of m, in the place of what was there: whatever is remembered of either
 * must be no part of it. */
static int meta_anew(struct blocklist_meta *m, const struct blocklist_meta *was)
{
	m->generation = larger(m->generation, was->generation) + 1;
	m->lists_revision = larger(m->lists_revision, was->lists_revision) + 1;
	m->groups_revision = larger(m->groups_revision, was->groups_revision) + 1;
	m->clients_revision = larger(m->clients_revision, was->clients_revision) + 1;
	m->next_entry = larger(m->next_entry, was->next_entry);
	return getrandom(&m->epoch, sizeof m->epoch, 0) == sizeof m->epoch ? ERR_OK
									   : ERR_IO;
}

/* Behind each other, in key order: pages become full. */
static int pairs_copy(MDB_cursor *to, MDB_txn *from, MDB_dbi dbi)
{
	MDB_cursor *c;
	MDB_val k, v;
	int rc = mdb_cursor_open(from, dbi, &c);
	if (rc)
		return blocklist_error(rc);
	rc = mdb_cursor_get(c, &k, &v, MDB_FIRST);
	for (; !rc; rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		uint8_t tag = *(uint8_t *)k.mv_data;
		/* The meta pair is written at commit, and LMDB's own one, too. */
		if (tag == BLOCKLIST_META || tag == BLOCKLIST_ENTRIES)
			continue;
		rc = mdb_cursor_put(to, &k, &v, MDB_APPEND);
		if (rc)
			break;
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? ERR_OK : blocklist_error(rc);
}

static int content_copy(struct blocklist_txn *t, MDB_txn *from, struct blocklist *source)
{
	struct blocklist_meta m;
	int err = blocklist_meta_read(&m, from, source->dbi);
	if (!err)
		err = meta_anew(&m, &t->meta);
	if (!err)
		err = blocklist_error(mdb_drop(t->txn, t->bl->entries, 0));
	if (!err)
		err = blocklist_error(mdb_drop(t->txn, t->bl->dbi, 0));
	if (!err)
		err = pairs_copy(t->entries, from, source->entries);
	if (!err)
		err = pairs_copy(t->rules, from, source->dbi);
	t->meta = m;
	return err;
}

int blocklist_restore(struct blocklist *bl, struct blocklist *from)
{
	struct blocklist_txn t;
	MDB_envinfo info;
	MDB_txn *read;
	int err = blocklist_error(mdb_env_info(from->env, &info));
	if (!err)
		err = blocklist_error(mdb_txn_begin(from->env, NULL, MDB_RDONLY, &read));
	if (err)
		return err;
	/* Nothing of what is dropped can be used again before the commit, which also
	 * lists it. */
	err = blocklist_txn_begin_for(&t, bl, info.me_last_pgno + PAGES_MORE);
	if (!err)
		err = content_copy(&t, read, from);
	if (!err)
		err = blocklist_txn_commit(&t);
	blocklist_txn_abort(&t);
	mdb_txn_abort(read);
	blocklist_room_back(bl);
	return err;
}

/* ---- a new file ---- */

static int path_of(char out[PATH_ROOM], const char *dir, const char *name)
{
	int n = snprintf(out, PATH_ROOM, "%s%s", dir, name);
	return n < 0 || n >= PATH_ROOM ? ERR_RANGE : ERR_OK;
}

/* What a killed one left. A link there may lead to somebody else's store. */
static void make_dir_remove(const char *dir)
{
	static const char *const files[] = {"data.mdb", "lock.mdb", "lists.lock"};
	char path[PATH_ROOM];
	if (path_of(path, dir, MAKE_DIR))
		return;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		(void)unlinkat(fd, files[i], 0);
	close(fd);
	(void)rmdir(path);
}

static int make_store(const char *dir, struct blocklist *from)
{
	char path[PATH_ROOM];
	struct blocklist *made;
	int err = path_of(path, dir, MAKE_DIR);
	if (!err && mkdir(path, 0770)) /* what is still there is not ours */
		err = errno == EEXIST ? ERR_REFUSED : blocklist_error(errno);
	if (!err)
		err = blocklist_open(&made, path, BLOCKLIST_WRITE, NULL);
	if (err)
		return err;
	err = blocklist_restore(made, from);
	blocklist_close(made);
	return err;
}

/* At no time is there no data.mdb: a resolver that starts now finds the old or the new
 * one. The lock file holds the state of the old one. */
static int put_in_place(const char *dir)
{
	char made[PATH_ROOM], data[PATH_ROOM], old[PATH_ROOM], lock[PATH_ROOM];
	if (path_of(made, dir, MAKE_DIR "/data.mdb") || path_of(data, dir, "/data.mdb") ||
	    path_of(old, dir, "/data.mdb.old") || path_of(lock, dir, "/lock.mdb"))
		return ERR_RANGE;
	(void)unlink(old);
	if (link(data, old) && errno != ENOENT)
		return blocklist_error(errno);
	(void)unlink(lock);
	if (rename(made, data))
		return blocklist_error(errno);
	return blocklist_dir_sync(dir);
}

int blocklist_replace(const char *dir, struct blocklist *from)
{
	int lock = blocklist_lock_dir(dir, BLOCKLIST_LOCK_CREATE, 0);
	if (lock < 0)
		return lock;
	make_dir_remove(dir);
	int err = make_store(dir, from);
	if (!err)
		err = put_in_place(dir);
	make_dir_remove(dir);
	blocklist_unlock(lock);
	return err;
}

/* Writers that wait for their turn find that the file is another one by then. */
int blocklist_compact(struct blocklist *bl)
{
	struct blocklist_txn t;
	int err = blocklist_txn_begin(&t, bl, false);
	if (err)
		return err;
	char old[PATH_ROOM];
	err = blocklist_replace(bl->dir, bl);
	if (!err && !path_of(old, bl->dir, "/data.mdb.old"))
		(void)unlink(old);
	blocklist_txn_abort(&t);
	return err;
}
