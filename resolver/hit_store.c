#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "resolver/hit_store_parts.h"

/* LMDB counts pages that a transaction took and gave back, but need not write them: a
 * file may soundly end before its last page. So that a truncated one can be told from it,
 * the writer makes the file as long as its map before the first row (sparse: it costs
 * nothing), and cuts it back behind the last page when it closes. Sizes are therefore
 * counted in blocks. */

enum {
	DATA_MODE = 0640,
	LOCK_MODE = 0660,  /* a reader registers there */
	BLOCK_BYTES = 512, /* of st_blocks */
	READERS_MAX = 126, /* tools at one time; LMDB's own figure */
};

#define HIT_SEGMENT_ROWS_MAX (1ULL << 40) /* more than any file could hold */

static const char magic[8] = HIT_FORMAT_MAGIC;

int hit_store_error(int rc)
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

/* ---- what a segment says about itself ---- */

int hit_store_put_segment(struct hit_store *s)
{
	const struct hit_segment *g = &s->next;
	const uint64_t numbers[HIT_SEGMENT_NUMBERS] = {
		g->number, g->first_row, g->end_row,	g->hits, g->no_room,
		g->min_us, g->max_us,	 g->sums_row,	g->runs, g->rules,
		g->ways,   g->tables,	 g->tabled_runs};
	uint8_t value[HIT_SEGMENT_LEN];
	MDB_val key = hit_store_val((uint8_t[]){'m'}, 1);
	MDB_val v = hit_store_val(value, sizeof value);
	memcpy(value, magic, sizeof magic);
	for (int i = 0; i < HIT_SEGMENT_NUMBERS; i++)
		hit_put64(value + 8 + 8 * i, numbers[i]);
	return hit_store_error(mdb_put(s->txn, s->dbi, &key, &v, 0));
}

/* Numbers that can be: no check covers them. */
static bool is_possible(const struct hit_segment *g)
{
	return g->first_row <= g->sums_row && g->sums_row <= g->end_row &&
	       g->runs <= g->end_row - g->first_row && g->tabled_runs <= g->runs &&
	       g->end_row - g->first_row < HIT_SEGMENT_ROWS_MAX;
}

/* ERR_NOENT: the tree has no content, the file was made and never committed to. */
int hit_store_get_segment(MDB_txn *txn, MDB_dbi dbi, struct hit_segment *out)
{
	MDB_val key = hit_store_val((uint8_t[]){'m'}, 1), v;
	MDB_stat st;
	int rc = mdb_stat(txn, dbi, &st);
	if (rc)
		return hit_store_error(rc);
	if (st.ms_entries == 0)
		return hit_store_error(ENOENT);
	rc = mdb_get(txn, dbi, &key, &v);
	if (rc)
		return hit_store_error(rc == MDB_NOTFOUND ? MDB_INVALID : rc);
	const uint8_t *p = v.mv_data;
	if (v.mv_size < 8 || memcmp(p, magic, 7) != 0)
		return hit_store_error(MDB_INVALID);
	if (p[7] != magic[7])
		return hit_store_error(MDB_VERSION_MISMATCH);
	if (v.mv_size != HIT_SEGMENT_LEN)
		return hit_store_error(MDB_INVALID);
	uint64_t n[HIT_SEGMENT_NUMBERS];
	for (int i = 0; i < HIT_SEGMENT_NUMBERS; i++)
		n[i] = hit_get64(p + 8 + 8 * i);
	*out = (struct hit_segment){
		.number = n[0],
		.first_row = n[1],
		.end_row = n[2],
		.hits = n[3],
		.no_room = n[4],
		.min_us = n[5],
		.max_us = n[6],
		.sums_row = n[7],
		.runs = n[8],
		.rules = n[9],
		.ways = n[10],
		.tables = n[11],
		.tabled_runs = n[12],
	};
	return is_possible(out) ? ERR_OK : hit_store_error(MDB_CORRUPTED);
}

const struct hit_segment *hit_store_segment(const struct hit_store *s)
{
	return &s->segment;
}

const struct hit_rows_words *hit_store_words(const struct hit_store *s)
{
	return &s->words;
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
		return hit_store_error(errno);
	return (uint64_t)st.st_size < used ? hit_store_error(MDB_INVALID) : ERR_OK;
}

static int set_length(struct hit_store *s, uint64_t bytes)
{
	int fd, rc = mdb_env_get_fd(s->env, &fd);
	if (!rc && ftruncate(fd, (off_t)bytes))
		rc = errno;
	return hit_store_error(rc);
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
		return hit_store_error(rc);
	mdb_env_set_maxreaders(s->env, READERS_MAX);
	if (map_bytes)
		mdb_env_set_mapsize(s->env, map_bytes);
	rc = mdb_env_open(s->env, path, flags | MDB_NOSUBDIR | MDB_NOTLS, DATA_MODE);
	if (rc)
		return hit_store_error(rc);
	return check_size(s->env, path);
}

static int open_tree(struct hit_store *s, unsigned txn_flags)
{
	MDB_envinfo info;
	int err = txn_flags & MDB_RDONLY
			  ? hit_store_begin_read(s, &s->txn)
			  : hit_store_error(mdb_txn_begin(s->env, NULL, 0, &s->txn));
	if (!err)
		err = hit_store_error(mdb_dbi_open(s->txn, NULL, 0, &s->dbi));
	mdb_env_info(s->env, &info);
	s->map_bytes = info.me_mapsize;
	return err;
}

/* The folder's group may read; umask must not decide about that. */
static int set_modes(const char *path)
{
	char lock[HIT_STORE_PATH_MAX + 8];
	snprintf(lock, sizeof lock, "%s-lock", path);
	if (chmod(path, DATA_MODE) || chmod(lock, LOCK_MODE))
		return hit_store_error(errno);
	return ERR_OK;
}

static struct hit_store *new_store(void)
{
	struct hit_store *s = calloc(1, sizeof *s);
	if (s && !hit_words_init(&s->rules.all) && !hit_words_init(&s->ways.all)) {
		s->words = (struct hit_rows_words){&s->ways.all, hit_store_rule, s};
		return s;
	}
	if (s)
		hit_words_fini(&s->rules.all);
	free(s);
	return NULL;
}

int hit_store_create(struct hit_store **out, const char *path, uint64_t map_bytes,
		     const struct hit_segment *first,
		     const struct hit_position *positions, int n)
{
	*out = NULL;
	struct hit_store *s = new_store();
	if (!s)
		return ERR_NOMEM;
	s->writes = true;
	int err = open_env(s, path, 0, map_bytes);
	if (!err)
		err = set_modes(path);
	if (!err)
		err = open_tree(s, 0);
	if (!err)
		err = lengthen(s);
	s->next = s->segment = (struct hit_segment){
		.number = first->number,
		.first_row = first->first_row,
		.end_row = first->first_row,
		.sums_row = first->first_row,
		.min_us = UINT64_MAX,
	};
	err = err ? err : hit_store_ready(s);
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
		return hit_store_error(errno);
	if (st.st_size == 0)
		return hit_store_error(ENOENT);
	struct hit_store *s = new_store();
	if (!s)
		return ERR_NOMEM;
	s->writes = mode == HIT_STORE_WRITE;
	int err = open_env(s, path, mode == HIT_STORE_READ ? MDB_RDONLY : 0, 0);
	if (!err)
		err = open_tree(s, MDB_RDONLY);
	if (!err)
		err = hit_store_get_segment(s->txn, s->dbi, &s->segment);
	if (s->txn) {
		int saved = errno;
		if (err)
			mdb_txn_abort(s->txn);
		else /* keeps the handle of the tree */
			err = hit_store_error(mdb_txn_commit(s->txn));
		errno = err ? saved : errno;
		s->txn = NULL;
	}
	if (!err && mode == HIT_STORE_WRITE)
		err = lengthen(s);
	if (!err && mode == HIT_STORE_WRITE)
		err = hit_store_ready(s);
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
	mdb_txn_abort(s->look);
	hit_store_unready(s);
	hit_words_fini(&s->rules.all);
	hit_words_fini(&s->ways.all);
	free(s->rules_page);
	if (s->lengthened) /* if that fails it stays long, which is sound */
		(void)!set_length(s, used_bytes(s->env));
	mdb_env_close(s->env);
	free(s);
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
		return hit_store_error(errno);
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
	static const char *const more[] = {"-lock", HIT_STORE_NEW, HIT_STORE_NEW "-lock"};
	char path[HIT_STORE_PATH_MAX + 16];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	if (unlink(path))
		return hit_store_error(errno);
	for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
		snprintf(path, sizeof path, "%s/%s%s", dir, name, more[i]);
		if (unlink(path) && errno != ENOENT)
			return hit_store_error(errno);
	}
	return ERR_OK;
}
