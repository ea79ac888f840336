/* blocklist_import.c: replacing what a list holds by what a feed says.
 *
 * Both sides come in key order, the feed's from the sorter, the store's from the list's
 * ENTRY range; each key is then merged on its own. First all is tried in one
 * transaction. When more than BLOCKLIST_TXN_CHANGES keys change, that one is dropped and
 * the changes are staged in several: see the versions in blocklist_store.h. Then a second
 * thread has the feed and makes what new keys get; only the first one touches the store.
 */
#include "zones/blocklist_store.h"
#include "zones/byte_ring.h"

enum {
	SORT_MEMORY = 104 << 20, /* two million names before the disk is used */
	MARKS_MEMORY = 8 << 20,	 /* most zones need none */
	LOOK_EVERY = 1024,	 /* keys between two looks at *stop */
	OPEN_WAIT_MS = 500,	 /* an edit of the list that is just ending */
};

struct blocklist_import {
	struct blocklist *bl;
	struct blocklist_sort *sort;
	struct blocklist_sort *marks; /* NULL: not made yet, or none are needed */
	bool zone_wildcards;
	int lock;
	bool done;
	struct blocklist_list_set set;
	char list[HIT_LIST_MAX], public_text[BLOCKLIST_PUBLIC_MAX];
	uint64_t limit;		   /* changed keys in one transaction */
	blocklist_judge_fn *judge; /* NULL: nobody has to be asked */
	void *judge_arg;
	bool forced;
};

int blocklist_import_open(struct blocklist_import **out, struct blocklist *bl,
			  const char *list, const struct blocklist_list_set *set)
{
	*out = NULL;
	int err = blocklist_name_check(list);
	if (err || !bl->writable)
		return err ? err : ERR_INVAL;
	struct blocklist_import *im = calloc(1, sizeof *im);
	if (!im)
		return ERR_NOMEM;
	im->bl = bl;
	im->lock = -1;
	im->limit = BLOCKLIST_TXN_CHANGES;
	memcpy(im->list, list, strlen(list));
	err = blocklist_import_set(im, set);
	if (!err)
		im->lock = blocklist_lock(bl, list, OPEN_WAIT_MS);
	if (!err)
		err = im->lock < 0 ? im->lock
				   : blocklist_sort_open(&im->sort, bl->dir, SORT_MEMORY);
	if (err)
		blocklist_import_close(im);
	else
		*out = im;
	return err;
}

int blocklist_import_set(struct blocklist_import *im,
			 const struct blocklist_list_set *set)
{
	int err = blocklist_set_check(set);
	if (err)
		return err;
	im->set = *set;
	if (set->public_text) {
		strcpy(im->public_text, set->public_text);
		im->set.public_text = im->public_text;
	}
	return ERR_OK;
}

void blocklist_import_judge(struct blocklist_import *im, blocklist_judge_fn *judge,
			    void *arg, bool forced)
{
	im->judge = judge;
	im->judge_arg = arg;
	im->forced = forced;
}

void blocklist_import_close(struct blocklist_import *im)
{
	if (!im)
		return;
	blocklist_sort_close(im->marks);
	blocklist_sort_close(im->sort);
	blocklist_unlock(im->lock);
	free(im);
}

void blocklist_import_limit(struct blocklist_import *im, uint64_t changes)
{
	im->limit = changes;
}

int blocklist_import_put(struct blocklist_import *im, const struct blocklist_item *item)
{
	uint8_t key[BLOCKLIST_KEY_MAX], entry[BLOCKLIST_ENTRY_MAX];
	int err = blocklist_item_check(item);
	if (err)
		return err;
	size_t key_len = blocklist_key_rule(key, &item->key);
	im->zone_wildcards |= item->in_zone && rule_kind_is_wildcard(item->kind);
	return blocklist_sort_put(im->sort, key, key_len, entry,
				  blocklist_entry_encode(entry, item));
}

int blocklist_import_hide(struct blocklist_import *im, const uint8_t *name, bool ns)
{
	struct blocklist_item item = {.kind = (uint8_t)blocklist_marker_of(ns),
				      .in_zone = true};
	name_copy(item.key.name, name);
	return blocklist_import_put(im, &item);
}

/* ---- both sides, key by key ---- */

/* Items, or markers. */
struct feed_side {
	struct blocklist_sort *sort; /* NULL: there are none */
	struct blocklist_sorted head;
	bool more, taken; /* there is a head; the key at hand has it */
};

struct feed_key {
	bool end;
	const struct blocklist_sorted *at; /* until the next step */
	uint64_t items;
	struct feed_side item, mark;
	struct blocklist_sorted both; /* of one key */
};

/* Those of blocklist_import_hide() are here for their markers only. */
static void drop_hidden(struct blocklist_want *want)
{
	const struct blocklist_want all = *want;
	want->n = 0;
	for (int i = 0; i < all.n; i++)
		if (!blocklist_in_zone(all.bytes[i]) || !rule_kind_is_marker(all.kind[i]))
			blocklist_want_add(want, all.bytes[i], all.kind[i]);
}

static int side_next(struct feed_side *s)
{
	int more;
	do {
		more = blocklist_sort_next(s->sort, &s->head);
		if (more > 0)
			drop_hidden(&s->head.want);
	} while (more > 0 && !s->head.want.n);
	s->more = more > 0;
	return more < 0 ? more : ERR_OK;
}

static int side_start(struct feed_side *s, struct blocklist_sort *sort)
{
	*s = (struct feed_side){.sort = sort};
	int err = sort ? blocklist_sort_rewind(sort) : ERR_OK;
	return err || !sort ? err : side_next(s);
}

/* As memcmp(). */
static int key_compare(const MDB_val *a, const MDB_val *b)
{
	size_t n = a->mv_size < b->mv_size ? a->mv_size : b->mv_size;
	int c = memcmp(a->mv_data, b->mv_data, n);
	return c || a->mv_size == b->mv_size ? c : a->mv_size < b->mv_size ? -1 : 1;
}

static const struct blocklist_sorted *feed_both(struct feed_key *f)
{
	f->both = f->item.head;
	const struct blocklist_want *marks = &f->mark.head.want;
	for (int i = 0; i < marks->n; i++)
		blocklist_want_add(&f->both.want, marks->bytes[i], marks->kind[i]);
	return &f->both;
}

/* The least key of both sides. */
static void feed_take(struct feed_key *f)
{
	int c = !f->mark.more	? -1
		: !f->item.more ? 1
				: key_compare(&f->item.head.key, &f->mark.head.key);
	f->end = !f->item.more && !f->mark.more;
	f->item.taken = f->item.more && c <= 0;
	f->mark.taken = f->mark.more && c >= 0;
	f->at = c < 0 ? &f->item.head : c > 0 ? &f->mark.head : feed_both(f);
	f->items += f->item.taken ? (uint64_t)f->item.head.want.n : 0;
}

static int feed_next(struct feed_key *f)
{
	int err = f->item.taken ? side_next(&f->item) : ERR_OK;
	if (!err && f->mark.taken)
		err = side_next(&f->mark);
	feed_take(f);
	return err;
}

static int feed_start(struct feed_key *f, struct blocklist_import *im)
{
	int err = ERR_OK;
	f->items = 0;
	if (im->zone_wildcards && !im->marks) {
		err = blocklist_sort_open(&im->marks, im->bl->dir, MARKS_MEMORY);
		if (!err)
			err = blocklist_marks_make(im->marks, im->sort);
		if (err) { /* half of them would be worse than none */
			blocklist_sort_close(im->marks);
			im->marks = NULL;
		}
	}
	if (!err)
		err = side_start(&f->item, im->sort);
	if (!err)
		err = side_start(&f->mark, im->marks);
	feed_take(f);
	return err;
}

/* Which side has the smaller key: -1 the feed alone, 1 the store alone, 0 both. */
static int sides(const struct feed_key *f, const struct blocklist_scan *s, MDB_val *key)
{
	MDB_val old = s->end ? (MDB_val){0, NULL} : blocklist_scan_rule(s);
	int c = s->end ? -1 : f->end ? 1 : 0;
	if (!f->end && !s->end)
		c = key_compare(&f->at->key, &old);
	*key = c > 0 ? old : f->at->key;
	return c;
}

/* ---- diff ---- */

static int diff_show(blocklist_diff_fn *each, void *arg, char how, const MDB_val *key,
		     unsigned kind, const uint8_t *entry)
{
	struct blocklist_item item;
	if (!each)
		return ERR_OK;
	int err = blocklist_key_decode(&item.key, key->mv_data, key->mv_size);
	if (err)
		return err;
	blocklist_entry_decode(&item, entry);
	item.kind = (uint8_t)kind;
	return each(arg, how, &item);
}

static int diff_key(struct blocklist_changes *out, blocklist_diff_fn *each, void *arg,
		    const MDB_val *key, const struct blocklist_want *was,
		    const struct blocklist_want *will)
{
	int err = ERR_OK;
	for (unsigned kind = 0; !err && kind < BLOCKLIST_KINDS; kind++) {
		const uint8_t *a = blocklist_want_kind(was, kind);
		const uint8_t *b = blocklist_want_kind(will, kind);
		if (a && b && blocklist_entry_same(a, b)) {
			out->unchanged++;
		} else if (a && b) {
			out->changed++;
			err = diff_show(each, arg, '~', key, kind, b);
		} else if (a) {
			out->removed++;
			err = diff_show(each, arg, '-', key, kind, a);
		} else if (b) {
			out->added++;
			err = diff_show(each, arg, '+', key, kind, b);
		}
	}
	return err;
}

struct diff_state {
	struct feed_key feed;
	struct blocklist_scan scan;
};

static int diff_walk(struct blocklist_import *im, struct diff_state *d, uint32_t version,
		     struct blocklist_changes *out, blocklist_diff_fn *each, void *arg)
{
	int err = feed_start(&d->feed, im);
	while (!err && !(d->feed.end && d->scan.end)) {
		struct blocklist_want was = {.n = 0}, none = {.n = 0};
		MDB_val key;
		int side = sides(&d->feed, &d->scan, &key);
		if (side >= 0)
			err = blocklist_want_visible(&was, &d->scan.key, &d->scan.value,
						     version, -1);
		if (!err)
			err = diff_key(out, each, arg, &key, &was,
				       side <= 0 ? &d->feed.at->want : &none);
		if (!err && side >= 0)
			err = blocklist_scan_next(&d->scan, false);
		if (!err && side <= 0)
			err = feed_next(&d->feed);
	}
	return err;
}

static int diff_in_view(struct blocklist_import *im, struct blocklist_view *v,
			struct diff_state *d, struct blocklist_changes *out,
			blocklist_diff_fn *each, void *arg)
{
	MDB_cursor *c = NULL;
	int err = blocklist_view_renew(v);
	if (err)
		return err;
	const struct blocklist_list *list = blocklist_list_named(v, im->list);
	d->scan.end = true;
	if (list) {
		int rc = mdb_cursor_open(blocklist_view_txn(v), im->bl->entries, &c);
		err = rc ? blocklist_error(rc)
			 : blocklist_scan_start(&d->scan, c, list->id, 0);
	}
	if (!err)
		err = diff_walk(im, d, list ? list->version : 0, out, each, arg);
	if (c)
		mdb_cursor_close(c);
	return err;
}

int blocklist_import_diff(struct blocklist_import *im, struct blocklist_changes *out,
			  blocklist_diff_fn *each, void *arg)
{
	struct blocklist_view *v = NULL;
	struct diff_state *d = calloc(1, sizeof *d);
	*out = (struct blocklist_changes){0};
	int err = !d ? ERR_NOMEM : im->done ? ERR_INVAL : blocklist_view_open(&v, im->bl);
	if (!err)
		err = diff_in_view(im, v, d, out, each, arg);
	if (!err)
		blocklist_sort_lost(im->sort, out);
	blocklist_view_close(v);
	free(d);
	return err;
}

/* ---- commit ---- */

struct commit {
	struct blocklist_import *im;
	struct blocklist_merge merge;
	struct blocklist_scan scan;
	struct feed_key feed;
	/* A long list: a thread has the feed, and here is what it has made of it. */
	struct byte_ring *ring; /* NULL: there is none */
	struct blocklist_getting_ready *getting;
	struct feed_key made;
	struct blocklist_sorted made_at;
	const uint8_t *ready; /* the same as it came */
	struct blocklist_row row;
	blocklist_progress_fn *progress;
	void *arg;
	const volatile int *stop;
	uint64_t keys;	/* done */
	uint64_t epoch; /* of the store as it was at the beginning */
	bool moved;	/* something was written since the scan took its pair */
};

static const struct feed_key *front(const struct commit *c)
{
	return c->getting ? &c->made : &c->feed;
}

/* ---- the feed in a thread of its own ---- */

/* A record is how many items came so far, and a blocklist_ready. */
static int get_ready(struct byte_ring *r, void *arg)
{
	struct commit *c = arg;
	struct feed_key *f = &c->feed;
	int err = ERR_OK;
	while (!err && !f->end) {
		const MDB_val *key = &f->at->key;
		const struct blocklist_want *want = &f->at->want;
		size_t head = sizeof f->items;
		uint8_t *p =
			byte_ring_room(r, head + blocklist_ready_size(key, want), &err);
		if (!p)
			return err;
		memcpy(p, &f->items, head);
		byte_ring_put(
			r, head + blocklist_ready_make(p + head, c->getting, key, want));
		err = feed_next(f);
	}
	return err;
}

static int made_next(struct commit *c)
{
	const uint8_t *p = byte_ring_next(c->ring);
	c->made.end = !p;
	if (!p) {
		int err = byte_ring_end(c->ring, 0);
		c->ring = NULL;
		return err;
	}
	memcpy(&c->made.items, p, sizeof c->made.items);
	c->ready = p + sizeof c->made.items;
	blocklist_ready_want(&c->made_at, c->ready);
	c->made.at = &c->made_at;
	return ERR_OK;
}

/* Ids are set aside for all that may come: there are enough of them. */
static int ready_start(struct commit *c)
{
	struct blocklist_merge *m = &c->merge;
	struct blocklist_getting_ready *g = calloc(1, sizeof *g);
	if (!g)
		return ERR_NOMEM;
	g->merge.list = m->list;
	g->merge.next = m->next;
	g->merge.now = m->now;
	g->merge.txn.meta.next_entry = m->txn.meta.next_entry;
	m->txn.meta.next_entry += blocklist_sort_count(c->im->sort);
	if (c->im->marks)
		m->txn.meta.next_entry += blocklist_sort_count(c->im->marks);
	const uint8_t *first = c->feed.at->want.bytes[0];
	blocklist_words_pair(&g->pair, first);
	int err = blocklist_intern(&m->words, &g->words, &m->txn, first);
	c->getting = g;
	if (!err && byte_ring_start(&c->ring, get_ready, c) == ERR_OK)
		return made_next(c);
	free(g); /* no thread: it goes without */
	c->getting = NULL;
	return err;
}

static void ready_end(struct commit *c)
{
	if (c->ring)
		(void)!byte_ring_end(c->ring, ERR_STOPPED);
	c->ring = NULL;
	free(c->getting);
	c->getting = NULL;
}

static bool is_ready(const struct commit *c)
{
	struct blocklist_ready r;
	if (!c->getting)
		return false;
	memcpy(&r, c->ready, sizeof r);
	return r.good;
}

/* ---- writing ---- */

static int look_around(struct commit *c)
{
	if (c->progress)
		c->progress(c->arg, front(c)->items, blocklist_sort_count(c->im->sort));
	return c->stop && *c->stop ? ERR_STOPPED : ERR_OK;
}

static int commit_key(struct commit *c)
{
	const struct blocklist_want none = {.n = 0};
	const MDB_val nothing = {0, NULL};
	MDB_val key;
	uint64_t before = c->merge.written;
	int side = sides(front(c), &c->scan, &key);
	int err = side < 0 && is_ready(c)
			  ? blocklist_merge_ready(&c->merge, c->ready)
			  : blocklist_merge_key(&c->merge, &key,
						side >= 0 ? &c->scan.value : &nothing,
						side <= 0 ? &front(c)->at->want : &none);
	c->moved = c->moved || c->merge.written != before;
	if (!err && side >= 0) {
		err = blocklist_scan_next(&c->scan, c->moved);
		c->moved = false;
	}
	if (!err && side <= 0)
		err = c->getting ? made_next(c) : feed_next(&c->feed);
	return err;
}

static bool commit_ended(const struct commit *c)
{
	return front(c)->end && c->scan.end;
}

/* Merges keys until all are done or limit of them have changed. */
static int commit_keys(struct commit *c, uint64_t limit)
{
	int err = ERR_OK;
	while (!err && !commit_ended(c) && c->merge.written < limit) {
		if (c->keys++ % LOOK_EVERY == 0)
			err = look_around(c);
		if (!err)
			err = commit_key(c);
	}
	return err;
}

/* Other writers wait for a transaction: the feed is sorted before it begins. */
static int commit_start(struct commit *c, bool staged)
{
	struct blocklist_merge *m = &c->merge;
	int err = feed_start(&c->feed, c->im);
	if (!err)
		err = blocklist_txn_begin(&m->txn, c->im->bl, true);
	if (err)
		return err;
	c->epoch = m->txn.meta.epoch;
	err = blocklist_row_make(&m->txn, &c->row, c->im->list);
	m->list = c->row.id;
	m->version = c->row.version;
	m->staged = staged;
	m->next = staged ? c->row.version + 1 : c->row.version ? c->row.version : 1;
	m->now = blocklist_now();
	m->written = m->names = m->addresses = 0;
	m->changes = (struct blocklist_changes){0};
	c->keys = 0;
	c->moved = false;
	if (!err)
		err = blocklist_scan_start(&c->scan, m->txn.entries, m->list, 0);
	return err;
}

static int ask_judge(const struct commit *c)
{
	const struct blocklist_import *im = c->im;
	struct blocklist_changes changes = c->merge.changes;
	struct blocklist_list was;
	if (!im->judge)
		return ERR_OK;
	blocklist_sort_lost(im->sort, &changes);
	blocklist_list_from_row(&was, &c->row);
	return im->judge(im->judge_arg, &was, &changes);
}

/* The list as it stands after this transaction. */
static int commit_last(struct commit *c)
{
	struct blocklist_merge *m = &c->merge;
	const struct blocklist_changes *ch = &m->changes;
	int err = ask_judge(c);
	if (err)
		return err;
	bool set = blocklist_row_set(&c->row, &c->im->set), is_new = !c->row.version;
	bool again =
		blocklist_row_renew(&c->row, blocklist_lease_end(m->now, c->row.lease_s));
	c->row.version = m->next;
	c->row.names = m->names;
	c->row.addresses = m->addresses;
	c->row.loaded = m->now;
	c->row.forced = c->im->forced;
	c->row.pending = m->staged && (ch->removed || ch->changed);
	m->txn.meta.generation +=
		set || is_new || again || ch->added || ch->changed || ch->removed;
	err = blocklist_row_put(&m->txn, &c->row);
	return err ? err : blocklist_txn_commit(&m->txn);
}

/* One transaction, or *large when it would be too large: then nothing is written. */
static int commit_in_place(struct commit *c, bool *large)
{
	uint64_t limit = c->im->limit;
	int err = commit_start(c, false);
	/* Of a new list nearly all items are changes: no need to try. */
	*large = !err && !c->row.version && blocklist_sort_count(c->im->sort) > limit;
	if (!err && !*large) {
		err = commit_keys(c, limit + 1);
		*large = !err && c->merge.written > limit;
	}
	if (!err && !*large)
		err = commit_last(c);
	blocklist_txn_abort(&c->merge.txn);
	return err;
}

static int commit_staged(struct commit *c)
{
	struct blocklist_merge *m = &c->merge;
	int err = commit_start(c, true);
	if (!err && !c->row.pending) { /* from here on, this list has what is not seen */
		c->row.pending = 1;
		err = blocklist_row_put(&m->txn, &c->row);
	}
	if (!err && !c->feed.end)
		err = ready_start(c);
	if (!err)
		err = commit_keys(c, c->im->limit);
	while (!err && !commit_ended(c)) {
		err = blocklist_txn_commit(&m->txn);
		if (!err) {
			blocklist_let_others();
			err = look_around(c);
		}
		if (!err)
			err = blocklist_txn_begin(&m->txn, c->im->bl, true);
		if (!err && m->txn.meta.epoch != c->epoch) /* restored meanwhile */
			err = ERR_BUSY;
		if (!err)
			err = blocklist_scan_resume(&c->scan, m->txn.entries);
		c->moved = false;
		m->written = 0;
		if (!err)
			err = commit_keys(c, c->im->limit);
	}
	if (!err)
		err = commit_last(c);
	blocklist_txn_abort(&m->txn);
	ready_end(c);
	return err;
}

int blocklist_import_commit(struct blocklist_import *im, struct blocklist_changes *out,
			    blocklist_progress_fn *progress, void *arg,
			    const volatile int *stop)
{
	bool large = false;
	struct commit *c = calloc(1, sizeof *c);
	*out = (struct blocklist_changes){0};
	if (!c || im->done) {
		free(c);
		return im->done ? ERR_INVAL : ERR_NOMEM;
	}
	c->im = im;
	c->progress = progress;
	c->arg = arg;
	c->stop = stop;
	int err = commit_in_place(c, &large);
	if (!err && large)
		err = commit_staged(c);
	if (!err) {
		im->done = true;
		*out = c->merge.changes;
		blocklist_sort_lost(im->sort, out);
		if (progress)
			progress(arg, blocklist_sort_count(im->sort),
				 blocklist_sort_count(im->sort));
		/* What was replaced goes at once. Should that fail, the import is done
		 * nevertheless, and the next one does it. */
		if (c->row.pending && blocklist_sweep(im->bl, im->list, stop) == ERR_OK)
			c->row.pending = 0;
	} else if (large && err != ERR_STOPPED) {
		/* What was refused would take room until the next import. */
		(void)!blocklist_sweep(im->bl, im->list, stop);
	}
	blocklist_room_back(im->bl);
	blocklist_merge_fini(&c->merge);
	free(c);
	return err;
}
