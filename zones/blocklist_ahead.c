/* blocklist_ahead.c: the look-ups of a batch, all at once.
 *
 * In a store larger than the processor's caches each step of a search waits for memory, a
 * dozen times a name. Here the searches of several names go on in turns, a step of each:
 * while one waits, the lines of the others are on their way.
 *
 * That takes LMDB's page layout (0.9, data version 1, as its mdb.c describes it). A pair
 * with the very key that was looked for, in a page of the snapshot, needs no second
 * search. All else does: that there is no such key is for LMDB to say, who then finds
 * near what it reads. No number in a page is taken for true that would lead out of the
 * file. */
#include <stdatomic.h>
#include <unistd.h>

#include "zones/blocklist_store.h"

#define LMDB_MAGIC 0xBEEFC0DEU
enum {
	LMDB_DATA_VERSION = 1,
	PAGE_BRANCH = 1, /* a flag */
	LEVELS_MAX = 32, /* as LMDB's own cursors allow */
	CACHE_LINE = 64,
	PAGE_LINES = 2, /* head and the numbers of the first nodes */
	NODE_LINES = 3, /* a leaf's: a key and two records */
};

struct page {
	uint64_t number;
	uint16_t pad, flags;
	uint16_t lower, upper; /* between them there is room */
	uint16_t node[];       /* where each begins */
};

struct node {
	uint16_t low, high; /* branch: of a page's number; leaf: of the value's length */
	uint16_t top; /* branch: of the page's number; leaf: flags, 0 = a plain value */
	uint16_t key_len;
	uint8_t key[];
};

struct tree {
	uint32_t pad;
	uint16_t flags, depth;
	uint64_t branches, leaves, overflows, entries, root;
};

/* Behind the heads of the first two pages, in turns. */
struct meta {
	uint32_t magic, version;
	uint64_t address, map_size;
	struct tree tree[2]; /* free pages; the unnamed database */
	uint64_t last, txn_id;
};

/* Where the map begins: a page says which one it is. LMDB never asks it, and lives with a
 * wrong number; so nothing is read there before the file has the same in that place. */
static uint8_t *map_of(const MDB_val *meta, const struct blocklist *bl)
{
	uint8_t there[sizeof(struct blocklist_meta)];
	uintptr_t value = (uintptr_t)meta->mv_data, in_page = value % bl->page_size;
	uint64_t number;
	int fd;
	memcpy(&number, (const uint8_t *)meta->mv_data - in_page, sizeof number);
	off_t at = (off_t)(number * bl->page_size + in_page);
	if (meta->mv_size != sizeof there || mdb_env_get_fd(bl->env, &fd) || at < 0 ||
	    pread(fd, there, sizeof there, at) != sizeof there ||
	    memcmp(there, meta->mv_data, sizeof there) != 0)
		return NULL;
	return (uint8_t *)meta->mv_data - at;
}

void blocklist_pages_find(struct blocklist_pages *out, const struct blocklist *bl,
			  MDB_txn *txn)
{
	uint8_t tag = BLOCKLIST_META;
	MDB_val value, k = {1, &tag};
	size_t id = mdb_txn_id(txn);
	MDB_envinfo info;
	struct meta m;
	*out = (struct blocklist_pages){.size = bl->page_size};
	if (mdb_get(txn, bl->dbi, &k, &value))
		return;
	out->map = map_of(&value, bl);
	if (!out->map)
		return;
	memcpy(&m, out->map + id % 2 * out->size + sizeof(struct page), sizeof m);
	/* The commit after the next writes there again: half of it may be that one's,
	 * unless even the next had not been made by now. */
	atomic_thread_fence(memory_order_acquire);
	if (m.magic == LMDB_MAGIC && m.version == LMDB_DATA_VERSION && m.txn_id == id &&
	    !mdb_env_info(bl->env, &info) && info.me_last_txnid == id) {
		out->last = m.last;
		out->root = m.tree[1].root;
	}
}

static void fetch(const void *from, int lines)
{
	for (int i = 0; i < lines; i++)
		__builtin_prefetch((const uint8_t *)from + i * CACHE_LINE);
}

static void go_to(struct blocklist_descent *d, const struct blocklist_pages *p,
		  uint64_t number)
{
	d->page = number <= p->last ? p->map + number * p->size : NULL;
	if (d->page)
		fetch(d->page, PAGE_LINES);
}

static uint8_t *node_of(const struct blocklist_descent *d,
			const struct blocklist_pages *p, int i)
{
	size_t at = ((const struct page *)(const void *)d->page)->node[i];
	bool sound = at % 2 == 0 && at + sizeof(struct node) <= p->size;
	return sound ? d->page + at : NULL;
}

/* The node in the middle of those that are left will be compared next. */
static bool fetch_next(struct blocklist_descent *d, const struct blocklist_pages *p)
{
	d->middle = (d->low + d->high) / 2;
	d->next = d->low <= d->high ? node_of(d, p, d->middle) : NULL;
	if (d->next)
		__builtin_prefetch(d->next);
	return d->next;
}

/* Begins the search in a page whose first lines were fetched. */
static bool enter(struct blocklist_descent *d, const struct blocklist_pages *p)
{
	const struct page *page = (const void *)d->page;
	if (!page)
		return false;
	size_t lower = page->lower;
	if (lower < sizeof *page || lower > p->size)
		lower = sizeof *page;
	d->low = page->flags & PAGE_BRANCH ? 1 : 0; /* a branch's first key is empty */
	d->high = (int)((lower - sizeof *page) / sizeof *page->node) - 1;
	return fetch_next(d, p);
}

/* Whether ours is not before the node's key, of which len bytes are in the page. What a
 * name shares with the keys on both sides of it, it shares with all in between. */
static bool is_behind(struct blocklist_descent *d, const struct node *n, size_t len)
{
	size_t same = d->same_low < d->same_high ? d->same_low : d->same_high;
	if (len > d->key_len)
		len = d->key_len;
	same = blocklist_key_shared(d->key, n->key, same, len);
	bool behind = same < len ? d->key[same] > n->key[same] : d->key_len >= n->key_len;
	*(behind ? &d->same_low : &d->same_high) = same;
	return behind;
}

/* In the end high is the last node whose key is not behind ours. */
static bool step(struct blocklist_descent *d, const struct blocklist_pages *p)
{
	const struct node *n = (const void *)d->next;
	size_t room = p->size - (size_t)(n->key - d->page);
	if (is_behind(d, n, n->key_len < room ? n->key_len : room))
		d->low = d->middle + 1;
	else
		d->high = d->middle - 1;
	return fetch_next(d, p);
}

/* To the next level. At the last one the pair is fetched that will be read. */
static void leave(struct blocklist_descent *d, const struct blocklist_pages *p)
{
	uint8_t *at = d->page && d->high >= 0 ? node_of(d, p, d->high) : NULL;
	const struct page *page = (const void *)d->page;
	const struct node *n = (const void *)at;
	if (n && page->flags & PAGE_BRANCH) {
		go_to(d, p, n->low | (uint64_t)n->high << 16 | (uint64_t)n->top << 32);
		return;
	}
	if (n) {
		fetch(n, NODE_LINES);
		d->pair = at;
		d->room = p->size - (size_t)(at - d->page);
	}
	d->page = NULL;
}

void blocklist_pages_fetch(const struct blocklist_pages *p, struct blocklist_descent *d,
			   int n)
{
	bool more = true;
	for (int i = 0; i < n; i++) {
		d[i].same_low = d[i].same_high = 0;
		d[i].pair = NULL;
		d[i].next = NULL;
		go_to(&d[i], p, p->root);
	}
	for (int level = 0; level < LEVELS_MAX && more; level++) {
		more = false;
		for (int i = 0; i < n; i++)
			more |= enter(&d[i], p);
		for (bool left = more; left;) {
			left = false;
			for (int i = 0; i < n; i++)
				left |= d[i].next && step(&d[i], p);
		}
		for (int i = 0; i < n; i++)
			leave(&d[i], p);
	}
}

bool blocklist_descent_pair(const struct blocklist_descent *d, MDB_val *key,
			    MDB_val *value)
{
	struct node n;
	if (!d->pair)
		return false;
	memcpy(&n, d->pair, sizeof n);
	uint8_t *bytes = d->pair + sizeof n;
	size_t len = n.low | (size_t)n.high << 16;
	if (n.top || n.key_len != d->key_len || sizeof n + n.key_len + len > d->room ||
	    memcmp(bytes, d->key, d->key_len) != 0)
		return false;
	*key = (MDB_val){d->key_len, bytes};
	*value = (MDB_val){len, bytes + d->key_len};
	return true;
}
