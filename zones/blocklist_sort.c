/* blocklist_sort.c: external merge sort of what an import puts.
 *
 * Items are collected in one buffer. A full one is sorted and written as a run to a file
 * that has no name, so that nothing is left of it however the process ends. At the end
 * the runs are merged through one small buffer each. A short input never
 * touches the disk. Most entries say what the one before of their kind says: in the
 * buffer they are one. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "zones/blocklist_store.h"

enum {
	RUNS_MAX = 512,		/* over 500 million names */
	RUN_BUFFER = 64 * 1024, /* of each run while merging: many times an item */
	FIRST_BUFFER = 1 << 20,
	SLACK = sizeof(uint64_t), /* behind the last key, see prefix_at() */
	LOOK_AHEAD = 8,		  /* items that are on their way from memory */
	FILE_MODE = 0600,
};

/* How an item lies in a buffer or run, the key behind it. */
struct item_head {
	uint32_t entry; /* where it is: in the buffer; in a run it is behind the key */
	uint16_t key_len;
	uint8_t kind, zero;
};

/* Sorting compares these first: the key's first bytes as numbers. */
struct ref {
	uint64_t prefix[2];
	uint32_t at; /* in the buffer; also the order of arrival */
};

struct run {
	uint64_t at, end; /* in the file, of what is not in the buffer yet */
	uint8_t *buffer;
	size_t used, filled;
};

/* An item where it lies. */
struct item {
	const uint8_t *key, *entry;
	size_t key_len;
	int kind;
};

struct blocklist_sort {
	char dir[4096];
	size_t memory;
	uint8_t *buffer;
	size_t used, room;
	uint32_t last[BLOCKLIST_KINDS]; /* where the last entry of each kind is, or 0 */
	struct ref *refs;
	size_t refs_n, refs_room, refs_at;
	uint64_t count;
	uint64_t replaced, cut; /* since the last rewind */
	int fd;			/* -1: nothing spilled */
	uint64_t file_end;
	struct run run[RUNS_MAX];
	uint64_t run_begin[RUNS_MAX];
	unsigned runs_n, heap_n;
	unsigned heap[RUNS_MAX]; /* runs, the one with the first item on top */
	bool reading, ahead_valid;
	struct item ahead;
	/* what was handed out last */
	uint8_t key[BLOCKLIST_KEY_MAX], entry[BLOCKLIST_KINDS][BLOCKLIST_ENTRY_MAX];
};

static struct item item_in_run(const uint8_t *p)
{
	struct item_head h;
	memcpy(&h, p, sizeof h);
	p += sizeof h;
	return (struct item){
		.key = p, .entry = p + h.key_len, .key_len = h.key_len, .kind = h.kind};
}

static struct item item_in_buffer(const uint8_t *buffer, uint32_t at)
{
	struct item_head h;
	memcpy(&h, buffer + at, sizeof h);
	return (struct item){.key = buffer + at + sizeof h,
			     .entry = buffer + h.entry,
			     .key_len = h.key_len,
			     .kind = h.kind};
}

/* In a run. */
static size_t item_size(const struct item *i)
{
	return sizeof(struct item_head) + i->key_len + blocklist_entry_len(i->entry);
}

static int item_compare(const struct item *a, const struct item *b)
{
	size_t n = a->key_len < b->key_len ? a->key_len : b->key_len;
	int c = memcmp(a->key, b->key, n);
	if (c == 0 && a->key_len != b->key_len)
		c = a->key_len < b->key_len ? -1 : 1;
	return c ? c : a->kind - b->kind;
}

/* Of two that arrived in this order. */
static bool in_order(const struct ref *a, const struct ref *b, const uint8_t *buffer)
{
	for (int i = 0; i < 2; i++)
		if (a->prefix[i] != b->prefix[i])
			return a->prefix[i] < b->prefix[i];
	struct item x = item_in_buffer(buffer, a->at), y = item_in_buffer(buffer, b->at);
	return item_compare(&x, &y) <= 0;
}

int blocklist_sort_open(struct blocklist_sort **out, const char *dir, size_t memory)
{
	struct blocklist_sort *s = calloc(1, sizeof *s);
	*out = s;
	if (!s)
		return ERR_NOMEM;
	s->fd = -1;
	s->memory = memory;
	memcpy(s->dir, dir, strnlen(dir, sizeof s->dir - 1));
	return ERR_OK;
}

void blocklist_sort_close(struct blocklist_sort *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->runs_n; i++)
		free(s->run[i].buffer);
	if (s->fd >= 0)
		close(s->fd);
	free(s->refs);
	free(s->buffer);
	free(s);
}

static int spill_open(struct blocklist_sort *s)
{
	char path[4200];
	s->fd = open(s->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, FILE_MODE);
	if (s->fd >= 0)
		return ERR_OK;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)
		return blocklist_error(errno);
	/* File systems that cannot: the name stands for a moment. */
	int n = snprintf(path, sizeof path, "%s/.import-XXXXXX", s->dir);
	if (n < 0 || (size_t)n >= sizeof path)
		return ERR_RANGE;
	s->fd = mkostemp(path, O_CLOEXEC);
	if (s->fd < 0)
		return blocklist_error(errno);
	return unlink(path) ? blocklist_error(errno) : ERR_OK;
}

static int write_all(int fd, const uint8_t *p, size_t n, uint64_t at)
{
	while (n) {
		ssize_t w = pwrite(fd, p, n, (off_t)at);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return blocklist_error(w ? errno : ENOSPC);
		p += w;
		n -= (size_t)w;
		at += (size_t)w;
	}
	return ERR_OK;
}

/* Both halves of r are in order; spare has room for one. */
static void merge_halves(struct ref *r, size_t n, struct ref *spare,
			 const uint8_t *buffer)
{
	size_t half = n / 2, a = 0, b = half, to = 0;
	if (in_order(&r[half - 1], &r[half], buffer))
		return;
	memcpy(spare, r, half * sizeof *r);
	while (a < half && b < n)
		r[to++] = in_order(&spare[a], &r[b], buffer) ? spare[a++] : r[b++];
	memcpy(r + to, spare + a, (half - a) * sizeof *r);
}

/* Merge sort, which has little to do where a feed is in order, and is as deep as the
 * logarithm of n. */
static void sort_part(struct ref *r, size_t n, struct ref *spare, const uint8_t *buffer)
{
	if (n < 2)
		return;
	sort_part(r, n / 2, spare, buffer);
	sort_part(r + n / 2, n - n / 2, spare, buffer);
	merge_halves(r, n, spare, buffer);
}

static int refs_sort(struct blocklist_sort *s)
{
	struct ref *spare = malloc((s->refs_n / 2 + 1) * sizeof *spare);
	if (!spare)
		return ERR_NOMEM;
	sort_part(s->refs, s->refs_n, spare, s->buffer);
	free(spare);
	return ERR_OK;
}

/* As item_in_run() reads it. */
static void put_in_run(uint8_t *p, const struct item *i)
{
	const struct item_head h = {.key_len = (uint16_t)i->key_len,
				    .kind = (uint8_t)i->kind};
	memcpy(p, &h, sizeof h);
	memcpy(p + sizeof h, i->key, i->key_len);
	memcpy(p + sizeof h + i->key_len, i->entry, blocklist_entry_len(i->entry));
}

/* Writes the buffer's items in order through a buffer of the run's size. */
static int spill(struct blocklist_sort *s)
{
	if (s->runs_n == RUNS_MAX)
		return ERR_FULL;
	int err = s->fd < 0 ? spill_open(s) : ERR_OK;
	uint8_t *out = err ? NULL : malloc(RUN_BUFFER);
	size_t n = 0;
	if (!err && !out)
		err = ERR_NOMEM;
	s->run_begin[s->runs_n] = s->file_end;
	if (!err)
		err = refs_sort(s);
	for (size_t i = 0; !err && i < s->refs_n; i++) {
		struct item it = item_in_buffer(s->buffer, s->refs[i].at);
		size_t size = item_size(&it);
		if (n + size > RUN_BUFFER) {
			err = write_all(s->fd, out, n, s->file_end);
			s->file_end += n;
			n = 0;
		}
		put_in_run(out + n, &it);
		n += size;
	}
	if (!err)
		err = write_all(s->fd, out, n, s->file_end);
	free(out);
	if (err)
		return err;
	s->file_end += n;
	s->runs_n++;
	s->used = s->refs_n = 0;
	memset(s->last, 0, sizeof s->last);
	return ERR_OK;
}

static int grow(void **p, size_t *room, size_t need, size_t unit, size_t first)
{
	if (need <= *room)
		return ERR_OK;
	size_t n = *room ? *room : first;
	while (n < need)
		n *= 2;
	void *more = realloc(*p, n * unit);
	if (!more)
		return ERR_NOMEM;
	*p = more;
	*room = n;
	return ERR_OK;
}

/* Of a key in the buffer, where eight bytes can be read. */
static uint64_t prefix_at(const uint8_t *key, size_t len, size_t at)
{
	uint64_t v;
	if (at >= len)
		return 0;
	memcpy(&v, key + at, sizeof v);
	v = be64toh(v);
	return len - at >= 8 ? v : v & ~(UINT64_MAX >> 8 * (len - at));
}

int blocklist_sort_put(struct blocklist_sort *s, const uint8_t *key, size_t key_len,
		       const uint8_t *entry, size_t entry_len)
{
	struct item_head h = {.key_len = (uint16_t)key_len,
			      .kind = (uint8_t)blocklist_kind_of(entry)};
	size_t size = sizeof h + key_len + entry_len;
	int err = s->reading || h.kind >= BLOCKLIST_KINDS ? ERR_INVAL : ERR_OK;
	if (!err && s->used + size + (s->refs_n + 1) * sizeof *s->refs > s->memory &&
	    s->refs_n)
		err = spill(s);
	if (!err)
		err = grow((void **)&s->buffer, &s->room, s->used + size + SLACK, 1,
			   FIRST_BUFFER);
	if (!err)
		err = grow((void **)&s->refs, &s->refs_room, s->refs_n + 1,
			   sizeof *s->refs, FIRST_BUFFER / 64);
	if (err)
		return err;
	uint32_t at = (uint32_t)s->used, *last = &s->last[h.kind];
	uint8_t *p = s->buffer + at + sizeof h;
	memcpy(p, key, key_len);
	s->used += sizeof h + key_len;
	if (!*last || blocklist_entry_len(s->buffer + *last) != entry_len ||
	    memcmp(s->buffer + *last, entry, entry_len) != 0) {
		*last = (uint32_t)s->used;
		memcpy(s->buffer + s->used, entry, entry_len);
		s->used += entry_len;
	}
	h.entry = *last;
	memcpy(s->buffer + at, &h, sizeof h);
	s->refs[s->refs_n++] =
		(struct ref){{prefix_at(p, key_len, 0), prefix_at(p, key_len, 8)}, at};
	s->count++;
	return ERR_OK;
}

uint64_t blocklist_sort_count(const struct blocklist_sort *s)
{
	return s->count;
}

void blocklist_sort_lost(const struct blocklist_sort *s, struct blocklist_changes *out)
{
	out->duplicates = s->replaced;
	out->cut = s->cut;
}

/* ---- reading ---- */

/* Makes sure that a whole item is in the buffer; false in *more at the run's end. */
static int run_fill(struct blocklist_sort *s, struct run *r, bool *more)
{
	struct item_head h;
	size_t left = r->filled - r->used;
	*more = left > 0 || r->at < r->end;
	if (left >= sizeof h) {
		memcpy(&h, r->buffer + r->used, sizeof h);
		size_t entry = sizeof h + h.key_len;
		if (left >= entry + sizeof(struct blocklist_head) &&
		    left >= entry + blocklist_entry_len(r->buffer + r->used + entry))
			return ERR_OK;
	}
	memmove(r->buffer, r->buffer + r->used, left);
	r->used = 0;
	r->filled = left;
	while (r->at < r->end && r->filled < RUN_BUFFER) {
		size_t want = RUN_BUFFER - r->filled;
		if (want > r->end - r->at)
			want = r->end - r->at;
		ssize_t n = pread(s->fd, r->buffer + r->filled, want, (off_t)r->at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_IO;
		r->filled += (size_t)n;
		r->at += (size_t)n;
	}
	return ERR_OK;
}

static bool run_before(const struct blocklist_sort *s, unsigned a, unsigned b)
{
	struct item x = item_in_run(s->run[a].buffer + s->run[a].used);
	struct item y = item_in_run(s->run[b].buffer + s->run[b].used);
	int c = item_compare(&x, &y);
	return c ? c < 0 : a < b; /* equal ones in order of arrival */
}

static void heap_sink(struct blocklist_sort *s, unsigned i)
{
	for (;;) {
		unsigned first = i, left = 2 * i + 1;
		for (unsigned c = left; c < left + 2 && c < s->heap_n; c++)
			if (run_before(s, s->heap[c], s->heap[first]))
				first = c;
		if (first == i)
			return;
		unsigned t = s->heap[i];
		s->heap[i] = s->heap[first];
		s->heap[first] = t;
		i = first;
	}
}

static int runs_start(struct blocklist_sort *s)
{
	s->heap_n = 0;
	for (unsigned i = 0; i < s->runs_n; i++) {
		struct run *r = &s->run[i];
		bool more;
		r->at = s->run_begin[i];
		r->end = i + 1 < s->runs_n ? s->run_begin[i + 1] : s->file_end;
		r->used = r->filled = 0;
		if (!r->buffer && !(r->buffer = malloc(RUN_BUFFER)))
			return ERR_NOMEM;
		int err = run_fill(s, r, &more);
		if (err)
			return err;
		s->heap[s->heap_n++] = i;
	}
	for (unsigned i = s->heap_n; i-- > 0;)
		heap_sink(s, i);
	return ERR_OK;
}

/* The next item, duplicates and all, valid until the next call. */
static int raw_next(struct blocklist_sort *s)
{
	s->ahead_valid = false;
	if (s->runs_n == 0) {
		if (s->refs_at == s->refs_n)
			return ERR_OK;
		s->ahead = item_in_buffer(s->buffer, s->refs[s->refs_at++].at);
		if (s->refs_n - s->refs_at > LOOK_AHEAD)
			__builtin_prefetch(s->buffer +
					   s->refs[s->refs_at + LOOK_AHEAD].at);
		s->ahead_valid = true;
		return ERR_OK;
	}
	if (s->heap_n == 0)
		return ERR_OK;
	struct run *r = &s->run[s->heap[0]];
	bool more;
	/* The item handed out last is still at the front. */
	if (s->ahead.key) {
		r->used += item_size(&s->ahead);
		int err = run_fill(s, r, &more);
		if (err)
			return err;
		if (!more)
			s->heap[0] = s->heap[--s->heap_n];
		heap_sink(s, 0);
		if (s->heap_n == 0)
			return ERR_OK;
		r = &s->run[s->heap[0]];
	}
	s->ahead = item_in_run(r->buffer + r->used);
	s->ahead_valid = true;
	return ERR_OK;
}

int blocklist_sort_rewind(struct blocklist_sort *s)
{
	int err = ERR_OK;
	if (!s->reading && s->runs_n && s->refs_n)
		err = spill(s);
	else if (!s->reading && s->refs_n)
		err = refs_sort(s);
	if (err)
		return err;
	if (s->runs_n && !s->reading) { /* the memory is for the runs' buffers now */
		free(s->buffer);
		free(s->refs);
		s->buffer = NULL;
		s->refs = NULL;
	}
	s->reading = true;
	s->replaced = s->cut = 0;
	s->refs_at = 0;
	s->ahead = (struct item){0};
	if (s->runs_n)
		err = runs_start(s);
	return err ? err : raw_next(s);
}

/* What is ahead is for the same key and kind as entry. */
static void take_same(struct blocklist_sort *s, uint8_t entry[BLOCKLIST_ENTRY_MAX])
{
	enum blocklist_join how = blocklist_entry_join(entry, s->ahead.entry);
	s->replaced += how == BLOCKLIST_REPLACED;
	s->cut += how == BLOCKLIST_CUT;
}

static bool ahead_is_of(const struct blocklist_sort *s, const struct blocklist_sorted *of)
{
	return s->ahead_valid && s->ahead.key_len == of->key.mv_size &&
	       memcmp(s->ahead.key, of->key.mv_data, of->key.mv_size) == 0;
}

static const uint8_t *entry_copy(uint8_t out[BLOCKLIST_ENTRY_MAX], const uint8_t *entry)
{
	return memcpy(out, entry, blocklist_entry_len(entry));
}

int blocklist_sort_next(struct blocklist_sort *s, struct blocklist_sorted *out)
{
	int kind = -1, err = ERR_OK;
	if (!s->reading)
		return ERR_INVAL;
	if (!s->ahead_valid)
		return 0;
	/* Items of a run are overwritten by the next ones. */
	bool stays = s->runs_n == 0;
	memcpy(s->key, s->ahead.key, s->ahead.key_len);
	out->key = (MDB_val){s->ahead.key_len, s->key};
	out->want.n = 0;
	do {
		int n = out->want.n;
		if (s->ahead.kind == kind) {
			if (out->want.bytes[n - 1] != s->entry[n - 1])
				out->want.bytes[n - 1] = entry_copy(
					s->entry[n - 1], out->want.bytes[n - 1]);
			take_same(s, s->entry[n - 1]);
		} else if (n < BLOCKLIST_KINDS) {
			kind = s->ahead.kind;
			blocklist_want_add(
				&out->want,
				stays ? s->ahead.entry
				      : entry_copy(s->entry[n], s->ahead.entry),
				(unsigned)kind);
		} else { /* kinds are checked: cannot be */
			return ERR_INVAL;
		}
		err = raw_next(s);
	} while (!err && ahead_is_of(s, out));
	return err ? err : 1;
}
