#include "resolver/hit_store.h"

#include <dirent.h>
#include <errno.h>
#include <lmdb.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "include/wire.h"

/* Key space, one tree without sub-databases, integers big-endian:
 *   "m"                     magic 8, then the ten numbers of struct hit_segment
 *   "p" boot 8 worker 2     position 8, no_room 8, node 64
 *   "r" commit_us 8 n 4     count 4, check 4, packed hit
 * Rows come last and only grow, so LMDB appends and fills its pages.
 *
 * LMDB counts pages that a transaction took and gave back, but need not write them: a
 * file may soundly end before its last page. So that a truncated one can be told from it,
 * the writer makes the file as long as its map before the first row (sparse: it costs
 * nothing), and cuts it back behind the last page when it closes. Sizes are therefore
 * counted in blocks. */

enum {
	DATA_MODE = 0640,
	LOCK_MODE = 0660, /* a reader registers there */
	ROW_KEY_LEN = 13,
	KEY_MAX = ROW_KEY_LEN,
	SEGMENT_NUMBERS = 10,
	SEGMENT_LEN = 8 + SEGMENT_NUMBERS * 8,
	POSITION_LEN = 8 + 8 + HIT_NODE_MAX,
	ROW_HEAD = 8,
	BLOCK_BYTES = 512, /* of st_blocks */
	READERS_MAX = 126, /* tools at one time; LMDB's own figure */
};

static const char magic[8] = "SHHITS\0\1"; /* the last byte is the format's version */

struct hit_store {
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *txn;			  /* the open write transaction */
	struct hit_segment segment, next; /* committed; being written */
	struct hit_cursor at;		  /* of the next row */
	uint64_t now_us;
	uint64_t map_bytes;
	bool lengthened;
};

static int store_error(int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return ERR_OK;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		errno = ENOSPC;
		return ERR_RANGE;
	case MDB_VERSION_MISMATCH:
		errno = EPROTO;
		return ERR_VERSION;
	case MDB_INVALID:
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_BAD_TXN:
		errno = EBADMSG;
		return ERR_DAMAGED;
	case MDB_READERS_FULL:
		errno = EBUSY;
		return ERR_BUSY;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		errno = rc;
		return ERR_FULL;
	case ENOENT:
		errno = rc;
		return ERR_NOENT;
	case EACCES:
	case EPERM:
	case EROFS:
		errno = rc;
		return ERR_ACCESS;
	case ENOMEM:
		errno = rc;
		return ERR_NOMEM;
	default:
		errno = rc > 0 ? rc : EIO; /* MDB_PANIC: an earlier write failed */
		return ERR_IO;
	}
}

static void put64(uint8_t *p, uint64_t v)
{
	wire_set32(p, (uint32_t)(v >> 32));
	wire_set32(p + 4, (uint32_t)v);
}

static uint64_t get64(const uint8_t *p)
{
	return (uint64_t)wire_get32(p) << 32 | wire_get32(p + 4);
}

static MDB_val bytes_val(void *p, size_t n)
{
	return (MDB_val){.mv_size = n, .mv_data = p};
}

static MDB_val position_key(uint8_t key[KEY_MAX], uint64_t boot, uint16_t worker)
{
	key[0] = 'p';
	put64(key + 1, boot);
	wire_set16(key + 9, worker);
	return bytes_val(key, 11);
}

static MDB_val row_key(uint8_t key[KEY_MAX], struct hit_cursor at)
{
	key[0] = 'r';
	put64(key + 1, at.commit_us);
	wire_set32(key + 9, at.n);
	return bytes_val(key, ROW_KEY_LEN);
}

/* ---- what a segment says about itself ---- */

static int put_segment(struct hit_store *s)
{
	const struct hit_segment *g = &s->next;
	const uint64_t numbers[SEGMENT_NUMBERS] = {
		g->number,  g->last.commit_us, g->last.n, g->records, g->hits,
		g->no_room, g->min_us,	       g->max_us, g->late_us, g->early_us};
	uint8_t value[SEGMENT_LEN];
	MDB_val key = bytes_val((uint8_t[]){'m'}, 1), v = bytes_val(value, sizeof value);
	memcpy(value, magic, sizeof magic);
	for (int i = 0; i < SEGMENT_NUMBERS; i++)
		put64(value + 8 + 8 * i, numbers[i]);
	return store_error(mdb_put(s->txn, s->dbi, &key, &v, 0));
}

/* ERR_NOENT: the tree has no content, the file was made and never committed to. */
static int get_segment(MDB_txn *txn, MDB_dbi dbi, struct hit_segment *out)
{
	MDB_val key = bytes_val((uint8_t[]){'m'}, 1), v;
	MDB_stat st;
	int rc = mdb_stat(txn, dbi, &st);
	if (rc)
		return store_error(rc);
	if (st.ms_entries == 0)
		return store_error(ENOENT);
	rc = mdb_get(txn, dbi, &key, &v);
	if (rc)
		return store_error(rc == MDB_NOTFOUND ? MDB_INVALID : rc);
	const uint8_t *p = v.mv_data;
	if (v.mv_size < 8 || memcmp(p, magic, 7) != 0)
		return store_error(MDB_INVALID);
	if (p[7] != magic[7])
		return store_error(MDB_VERSION_MISMATCH);
	if (v.mv_size != SEGMENT_LEN)
		return store_error(MDB_INVALID);
	uint64_t n[SEGMENT_NUMBERS];
	for (int i = 0; i < SEGMENT_NUMBERS; i++)
		n[i] = get64(p + 8 + 8 * i);
	*out = (struct hit_segment){
		.number = n[0],
		.last = {n[1], (uint32_t)n[2]},
		.records = n[3],
		.hits = n[4],
		.no_room = n[5],
		.min_us = n[6],
		.max_us = n[7],
		.late_us = n[8],
		.early_us = n[9],
	};
	return ERR_OK;
}

/* ---- opening ---- */

/* Up to the end of the last page. */
static uint64_t used_bytes(MDB_env *env)
{
	MDB_envinfo info;
	MDB_stat tree;
	mdb_env_info(env, &info);
	mdb_env_stat(env, &tree);
	return ((uint64_t)info.me_last_pgno + 1) * tree.ms_psize;
}

/* LMDB would open a truncated file and die of SIGBUS later. */
static int check_size(MDB_env *env, const char *path)
{
	struct stat st;
	uint64_t used = used_bytes(env); /* first: the writer may be at work */
	if (stat(path, &st))
		return store_error(errno);
	return (uint64_t)st.st_size < used ? store_error(MDB_INVALID) : ERR_OK;
}

static int set_length(struct hit_store *s, uint64_t bytes)
{
	int fd, rc = mdb_env_get_fd(s->env, &fd);
	if (!rc && ftruncate(fd, (off_t)bytes))
		rc = errno;
	return store_error(rc);
}

static int lengthen(struct hit_store *s)
{
	int err = set_length(s, s->map_bytes);
	s->lengthened = !err;
	return err;
}

static int open_env(struct hit_store *s, const char *path, unsigned flags,
		    uint64_t map_bytes)
{
	int rc = mdb_env_create(&s->env);
	if (rc)
		return store_error(rc);
	mdb_env_set_maxreaders(s->env, READERS_MAX);
	if (map_bytes)
		mdb_env_set_mapsize(s->env, map_bytes);
	rc = mdb_env_open(s->env, path, flags | MDB_NOSUBDIR | MDB_NOTLS, DATA_MODE);
	if (rc)
		return store_error(rc);
	return check_size(s->env, path);
}

static int open_tree(struct hit_store *s, unsigned txn_flags)
{
	MDB_envinfo info;
	int rc = mdb_txn_begin(s->env, NULL, txn_flags, &s->txn);
	if (!rc)
		rc = mdb_dbi_open(s->txn, NULL, 0, &s->dbi);
	mdb_env_info(s->env, &info);
	s->map_bytes = info.me_mapsize;
	return store_error(rc);
}

/* The folder's group may read; umask must not decide about that. */
static int set_modes(const char *path)
{
	char lock[HIT_STORE_PATH_MAX + 8];
	snprintf(lock, sizeof lock, "%s-lock", path);
	if (chmod(path, DATA_MODE) || chmod(lock, LOCK_MODE))
		return store_error(errno);
	return ERR_OK;
}

int hit_store_create(struct hit_store **out, const char *path, uint64_t map_bytes,
		     const struct hit_segment *first,
		     const struct hit_position *positions, int n)
{
	*out = NULL;
	struct hit_store *s = calloc(1, sizeof *s);
	if (!s)
		return ERR_NOMEM;
	int err = open_env(s, path, 0, map_bytes);
	if (!err)
		err = set_modes(path);
	if (!err)
		err = open_tree(s, 0);
	if (!err)
		err = lengthen(s);
	s->next = s->segment = (struct hit_segment){
		.number = first->number,
		.last = first->last,
		.min_us = UINT64_MAX,
	};
	for (int i = 0; !err && i < n; i++)
		err = hit_store_move(s, &positions[i], 0);
	if (!err)
		err = hit_store_commit(s);
	if (err) {
		int saved = errno;
		hit_store_close(s);
		errno = saved;
		return err;
	}
	*out = s;
	return ERR_OK;
}

int hit_store_open(struct hit_store **out, const char *path, enum hit_store_mode mode)
{
	struct stat st;
	*out = NULL;
	if (stat(path, &st)) /* LMDB would make it */
		return store_error(errno);
	if (st.st_size == 0)
		return store_error(ENOENT);
	struct hit_store *s = calloc(1, sizeof *s);
	if (!s)
		return ERR_NOMEM;
	int err = open_env(s, path, mode == HIT_STORE_READ ? MDB_RDONLY : 0, 0);
	if (!err)
		err = open_tree(s, MDB_RDONLY);
	if (!err)
		err = get_segment(s->txn, s->dbi, &s->segment);
	if (s->txn) {
		int saved = errno;
		if (err)
			mdb_txn_abort(s->txn);
		else /* keeps the handle of the tree */
			err = store_error(mdb_txn_commit(s->txn));
		errno = err ? saved : errno;
		s->txn = NULL;
	}
	if (!err && mode == HIT_STORE_WRITE)
		err = lengthen(s);
	if (err) {
		int saved = errno;
		hit_store_close(s);
		errno = saved;
		return err;
	}
	*out = s;
	return ERR_OK;
}

void hit_store_close(struct hit_store *s)
{
	if (!s)
		return;
	hit_store_abort(s);
	if (s->lengthened) /* if that fails it stays long, which is sound */
		(void)!set_length(s, used_bytes(s->env));
	mdb_env_close(s->env);
	free(s);
}

void hit_store_reap(struct hit_store *s)
{
	int dead;
	(void)mdb_reader_check(s->env, &dead);
}

/* ---- writing ---- */

int hit_store_begin(struct hit_store *s, uint64_t now_us)
{
	int rc = mdb_txn_begin(s->env, NULL, 0, &s->txn);
	if (rc) {
		s->txn = NULL;
		return store_error(rc);
	}
	s->next = s->segment;
	s->now_us = now_us;
	/* Cursors only grow, whatever the clock does. */
	s->at = (struct hit_cursor){.commit_us = now_us};
	if (now_us <= s->segment.last.commit_us)
		s->at.commit_us = s->segment.last.commit_us + 1;
	return ERR_OK;
}

static void count_row(struct hit_segment *g, uint64_t commit_us, uint64_t time_us,
		      uint32_t count)
{
	g->records++;
	g->hits += count;
	g->min_us = time_us < g->min_us ? time_us : g->min_us;
	g->max_us = time_us > g->max_us ? time_us : g->max_us;
	if (commit_us > time_us && commit_us - time_us > g->late_us)
		g->late_us = commit_us - time_us;
	if (time_us > commit_us && time_us - commit_us > g->early_us)
		g->early_us = time_us - commit_us;
}

int hit_store_put(struct hit_store *s, const uint8_t *packed, size_t len, uint32_t count)
{
	uint8_t key_bytes[KEY_MAX];
	MDB_val key = row_key(key_bytes, s->at), v = {.mv_size = ROW_HEAD + len};
	int rc = mdb_put(s->txn, s->dbi, &key, &v, MDB_APPEND | MDB_RESERVE);
	if (rc)
		return store_error(rc);
	uint64_t place = (uint64_t)s->at.n << 32 | count;
	wire_set32(v.mv_data, count);
	wire_set32((uint8_t *)v.mv_data + 4,
		   hit_check(packed, len, s->at.commit_us, place));
	memcpy((uint8_t *)v.mv_data + ROW_HEAD, packed, len);
	count_row(&s->next, s->at.commit_us, hit_packed_time(packed, len), count);
	s->next.last = s->at;
	s->at.n++;
	return ERR_OK;
}

int hit_store_move(struct hit_store *s, const struct hit_position *p,
		   uint64_t no_room_more)
{
	uint8_t key_bytes[KEY_MAX], value[POSITION_LEN] = {0};
	MDB_val key = position_key(key_bytes, p->boot, p->worker);
	MDB_val v = bytes_val(value, sizeof value);
	put64(value, p->position);
	put64(value + 8, p->no_room);
	memcpy(value + 16, p->node, strnlen(p->node, HIT_NODE_MAX - 1));
	s->next.no_room += no_room_more;
	return store_error(mdb_put(s->txn, s->dbi, &key, &v, 0));
}

int hit_store_commit(struct hit_store *s)
{
	int err = put_segment(s);
	if (err) {
		hit_store_abort(s);
		return err;
	}
	int rc = mdb_txn_commit(s->txn); /* frees it in any case */
	s->txn = NULL;
	if (!rc)
		s->segment = s->next;
	return store_error(rc);
}

void hit_store_abort(struct hit_store *s)
{
	if (s->txn)
		mdb_txn_abort(s->txn);
	s->txn = NULL;
}

const struct hit_segment *hit_store_segment(const struct hit_store *s)
{
	return &s->segment;
}

bool hit_store_is_full(const struct hit_store *s)
{
	return used_bytes(s->env) * 100 > s->map_bytes * HIT_STORE_FULL_PERCENT;
}

/* ---- reading ---- */

int hit_store_position(struct hit_store *s, struct hit_position *out, uint64_t boot,
		       uint16_t worker)
{
	uint8_t key_bytes[KEY_MAX];
	MDB_val key = position_key(key_bytes, boot, worker), v;
	MDB_txn *txn;
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
	if (rc)
		return store_error(rc);
	rc = mdb_get(txn, s->dbi, &key, &v);
	if (!rc && v.mv_size != POSITION_LEN)
		rc = MDB_INVALID;
	if (!rc) {
		const uint8_t *p = v.mv_data;
		*out = (struct hit_position){
			.boot = boot,
			.worker = worker,
			.position = get64(p),
			.no_room = get64(p + 8),
		};
		memcpy(out->node, p + 16, HIT_NODE_MAX - 1);
	}
	mdb_txn_abort(txn);
	return store_error(rc == MDB_NOTFOUND ? ENOENT : rc);
}

static bool is_row_key(const MDB_val *key, struct hit_cursor from)
{
	const uint8_t *k = key->mv_data;
	if (key->mv_size != ROW_KEY_LEN || *k != 'r')
		return false;
	uint64_t commit_us = get64(k + 1);
	return commit_us > from.commit_us ||
	       (commit_us == from.commit_us && wire_get32(k + 9) >= from.n);
}

/* Copies a row into the page; false when the page has no room for it. */
static bool page_add(struct hit_page *page, size_t *used, const MDB_val *key,
		     const MDB_val *v)
{
	const uint8_t *k = key->mv_data, *p = v->mv_data;
	struct hit_cursor at = {get64(k + 1), wire_get32(k + 9)};
	size_t len = v->mv_size < ROW_HEAD ? 0 : v->mv_size - ROW_HEAD;
	if (page->n == HIT_STORE_PAGE_ROWS || len > sizeof page->bytes - *used)
		return false;
	page->next = (struct hit_cursor){at.commit_us, at.n + 1};
	if (len == 0 || len > HIT_PACKED_MAX) {
		page->bad++;
		return true;
	}
	uint8_t *copy = page->bytes + *used;
	uint32_t count = wire_get32(p), check = wire_get32(p + 4);
	memcpy(copy, p + ROW_HEAD, len);
	if (check != hit_check(copy, len, at.commit_us, (uint64_t)at.n << 32 | count)) {
		page->bad++;
		return true;
	}
	page->rows[page->n++] = (struct hit_store_row){at, count, copy, len};
	*used += len;
	return true;
}

int hit_store_page(struct hit_store *s, struct hit_page *page, struct hit_cursor from)
{
	uint8_t key_bytes[KEY_MAX];
	MDB_val key = row_key(key_bytes, from), v;
	MDB_txn *txn;
	MDB_cursor *cursor = NULL;
	size_t used = 0;
	page->n = 0;
	page->bad = 0;
	page->end = false;
	page->next = from;
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
	if (rc)
		return store_error(rc);
	int err = get_segment(txn, s->dbi, &page->segment);
	if (err)
		goto out;
	rc = mdb_cursor_open(txn, s->dbi, &cursor);
	if (!rc)
		rc = mdb_cursor_get(cursor, &key, &v, MDB_SET_RANGE);
	while (!rc) {
		/* A damaged tree may lead back to where we were. */
		if (!is_row_key(&key, page->next))
			rc = MDB_INVALID;
		else if (!page_add(page, &used, &key, &v))
			break;
		else
			rc = mdb_cursor_get(cursor, &key, &v, MDB_NEXT);
	}
	page->end = rc == MDB_NOTFOUND;
	err = page->end ? ERR_OK : store_error(rc);
out:
	if (cursor)
		mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	return err;
}

/* ---- files ---- */

uint32_t hit_store_day(uint64_t time_us)
{
	time_t t = (time_t)(time_us / 1000000);
	struct tm tm;
	gmtime_r(&t, &tm);
	return (uint32_t)((tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 +
			  tm.tm_mday);
}

void hit_store_name(char out[48], uint64_t number, uint32_t day)
{
	snprintf(out, 48, "%08llu-%08u.hits", (unsigned long long)number, day);
}

static bool parse_name(struct hit_store_file *out, const char *name)
{
	unsigned long long number;
	unsigned day;
	int end = 0;
	if (strlen(name) >= sizeof out->name ||
	    sscanf(name, "%20llu-%8u.hits%n", &number, &day, &end) != 2 || end == 0 ||
	    name[end])
		return false;
	*out = (struct hit_store_file){.number = number, .day = day};
	memcpy(out->name, name, strlen(name) + 1);
	return true;
}

static int by_number(const void *a, const void *b)
{
	const struct hit_store_file *x = a, *y = b;
	return (x->number > y->number) - (x->number < y->number);
}

int hit_store_files(struct hit_store_file **out, int *n, const char *dir)
{
	struct hit_store_file *files = NULL;
	size_t count = 0, room = 0;
	struct dirent *e;
	struct stat st;
	*out = NULL;
	*n = 0;
	DIR *d = opendir(dir);
	if (!d)
		return store_error(errno);
	while ((e = readdir(d))) {
		struct hit_store_file f;
		if (!parse_name(&f, e->d_name) || fstatat(dirfd(d), e->d_name, &st, 0))
			continue;
		f.bytes = (uint64_t)st.st_blocks * BLOCK_BYTES;
		if (count == room) {
			room = room ? 2 * room : 64;
			void *more = realloc(files, room * sizeof *files);
			if (!more) {
				free(files);
				closedir(d);
				return ERR_NOMEM;
			}
			files = more;
		}
		files[count++] = f;
	}
	closedir(d);
	if (count)
		qsort(files, count, sizeof *files, by_number);
	*out = files;
	*n = (int)count;
	return ERR_OK;
}

int hit_store_remove(const char *dir, const char *name)
{
	char path[HIT_STORE_PATH_MAX + 8];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	if (unlink(path))
		return store_error(errno);
	snprintf(path, sizeof path, "%s/%s-lock", dir, name);
	return unlink(path) && errno != ENOENT ? store_error(errno) : ERR_OK;
}
