/* Reading a segment, page by page. Each call holds a read transaction for microseconds,
 * so no reader makes the file grow; but one that is stopped or killed within a call:
 * until it goes on or the segment ends, pages are not used again. That may waste
 * HIT_STORE_WASTE_BYTES_MAX, then the writer takes another segment. */
#include <errno.h>

#include "resolver/hit_store_parts.h"

enum { LOOK_UPS_MAX = 1000 }; /* some 3 ms: as long as loading them all */

/* Takes a reader's slot, under a lock that readers share: one may be stopped while it
 * holds it. So the writer takes none but at start, and does not free those of the dead.
 */
int hit_store_begin_read(struct hit_store *s, MDB_txn **out)
{
	int dead, rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, out);
	if (rc == MDB_READERS_FULL && !mdb_reader_check(s->env, &dead) && dead)
		rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, out);
	return hit_store_error(rc);
}

/* Within a write transaction that one is read. */
static int look_begin(struct hit_store *s, MDB_txn **txn)
{
	*txn = s->txn;
	if (s->txn)
		return ERR_OK;
	int rc = s->look ? mdb_txn_renew(s->look) : MDB_BAD_RSLOT;
	if (rc == MDB_BAD_RSLOT) { /* none yet, or freed while we seemed dead */
		mdb_txn_abort(s->look);
		s->look = NULL;
		int err = hit_store_begin_read(s, &s->look);
		if (err)
			return err;
		rc = MDB_SUCCESS;
	}
	*txn = s->look;
	return hit_store_error(rc);
}

static void look_end(struct hit_store *s, MDB_txn *txn)
{
	if (txn != s->txn)
		mdb_txn_reset(txn);
}

int hit_store_hold(struct hit_store *s)
{
	MDB_txn *txn;
	return look_begin(s, &txn);
}

void hit_store_let_go(struct hit_store *s)
{
	look_end(s, s->look);
}

/* ---- pages ---- */

static bool is_of(const MDB_val *key, const uint8_t *wanted)
{
	return key->mv_size == HIT_KEY_LEN && memcmp(key->mv_data, wanted, 5) == 0;
}

/* Moves to that page's key: 0 or LMDB's number. */
static int seek(MDB_cursor *cursor, const uint8_t *wanted, MDB_val *v,
		enum hit_page_which which, MDB_val *key)
{
	uint8_t copy[HIT_KEY_LEN];
	memcpy(copy, wanted, sizeof copy);
	*key = hit_store_val(copy, sizeof copy);
	int rc = mdb_cursor_get(cursor, key, v, MDB_SET_RANGE);
	bool there = !rc && key->mv_size == HIT_KEY_LEN &&
		     memcmp(key->mv_data, wanted, HIT_KEY_LEN) == 0;
	if (which == HIT_PAGE_AFTER)
		return there ? mdb_cursor_get(cursor, key, v, MDB_NEXT) : rc;
	if (there || (rc && rc != MDB_NOTFOUND))
		return rc;
	return mdb_cursor_get(cursor, key, v, rc ? MDB_LAST : MDB_PREV);
}

static int copy_page(struct hit_page *page, const MDB_val *key, const MDB_val *v)
{
	const uint8_t *k = key->mv_data;
	page->id = hit_get64(k + 5);
	page->len = v->mv_size;
	if (v->mv_size <= HIT_PAGE_HEAD || v->mv_size > HIT_PAGE_MAX)
		return hit_store_error(MDB_CORRUPTED);
	memcpy(page->bytes, v->mv_data, v->mv_size);
	if (wire_get32(page->bytes) != hit_store_check(page->bytes, page->len, k))
		return hit_store_error(MDB_CORRUPTED);
	return 1;
}

int hit_store_page(struct hit_store *s, struct hit_page *page, enum hit_tag tag,
		   uint32_t run, uint64_t id, enum hit_page_which which)
{
	uint8_t wanted[HIT_KEY_LEN];
	MDB_cursor *cursor;
	MDB_txn *txn;
	MDB_val key, v;
	hit_store_key(wanted, tag, run, id);
	page->id = HIT_PAGE_LOST;
	int err = look_begin(s, &txn);
	if (err)
		return err;
	int rc = mdb_cursor_open(txn, s->dbi, &cursor);
	if (!rc) {
		rc = seek(cursor, wanted, &v, which, &key);
		/* A damaged tree may lead anywhere, but not past this. */
		if (!rc && is_of(&key, wanted))
			err = copy_page(page, &key, &v);
		else
			err = rc == MDB_NOTFOUND ? 0 : hit_store_error(rc);
		mdb_cursor_close(cursor);
	} else {
		err = hit_store_error(rc);
	}
	look_end(s, txn);
	if (err != 1)
		return err;
	if (which == HIT_PAGE_AT ? page->id <= id : page->id > id)
		return 1;
	page->id = HIT_PAGE_LOST;
	return hit_store_error(MDB_CORRUPTED);
}

int hit_store_rows(struct hit_store *s, struct hit_rows *page, uint64_t row,
		   enum hit_page_which which)
{
	struct hit_page p;
	p.len = 0;
	int got = hit_store_page(s, &p, HIT_TAG_ROWS, 0, row, which);
	if (got != 1 && got != ERR_DAMAGED)
		return got;
	page->first = p.id;
	page->n = 0;
	if (got == ERR_DAMAGED)
		return got;
	memcpy(page->bytes, p.bytes, p.len);
	page->len = p.len;
	int err = hit_rows_open(page, p.id);
	return err ? err : 1;
}

/* ---- words ---- */

static int add_words(struct hit_stored_words *w, const struct hit_page *page, bool put)
{
	const uint8_t *p = page->bytes + HIT_PAGE_HEAD, *end = page->bytes + page->len;
	uint32_t number, id = (uint32_t)page->id;
	while (p < end) {
		uint64_t len;
		p = hit_get_varint(p, end, &len);
		if (!p || len > (size_t)(end - p))
			return hit_store_error(MDB_CORRUPTED);
		if (id >= w->all.n) {
			int err = put ? hit_words_put(&w->all, &number, p, len)
				      : hit_words_append(&w->all, p, len);
			if (err || w->all.n != id + 1)
				return err ? err : hit_store_error(MDB_CORRUPTED);
		}
		p += len;
		id++;
	}
	return ERR_OK;
}

static int load_words(struct hit_store *s, enum hit_tag tag, struct hit_stored_words *w,
		      uint64_t n)
{
	struct hit_page page;
	enum hit_page_which which = HIT_PAGE_AT;
	while (w->all.n < n) {
		int got = hit_store_page(s, &page, tag, 0, w->page, which);
		int err = got == 1 ? add_words(w, &page, s->writes) : got;
		if (err || got == 0)
			return err ? err : hit_store_error(MDB_CORRUPTED);
		w->page = page.id;
		which = HIT_PAGE_AFTER;
	}
	return ERR_OK;
}

int hit_store_look(struct hit_store *s)
{
	MDB_txn *txn;
	int err = look_begin(s, &txn);
	if (err)
		return err;
	err = hit_store_get_segment(txn, s->dbi, &s->segment);
	look_end(s, txn);
	return err ? err : load_words(s, HIT_TAG_WAYS, &s->ways, s->segment.ways);
}

int hit_store_load_rules(struct hit_store *s, const struct hit_words **out)
{
	*out = &s->rules.all;
	return load_words(s, HIT_TAG_RULES, &s->rules, s->segment.rules);
}

/* Finds a word in its page; the page has room for it all. */
static const uint8_t *word_in(const struct hit_page *page, uint32_t number, size_t *len)
{
	const uint8_t *p = page->bytes + HIT_PAGE_HEAD, *end = page->bytes + page->len;
	uint64_t n = 0;
	for (uint64_t id = page->id; p && p < end; id++, p += n) {
		p = hit_get_varint(p, end, &n);
		if (!p || n > (size_t)(end - p))
			return NULL;
		*len = n;
		if (id == number)
			return p;
	}
	return NULL;
}

const uint8_t *hit_store_rule(void *store, uint32_t number, size_t *len)
{
	struct hit_store *s = store;
	if (number >= s->rules.all.n && ++s->looked_up > LOOK_UPS_MAX)
		(void)!load_words(s, HIT_TAG_RULES, &s->rules, (uint64_t)number + 1);
	if (number < s->rules.all.n)
		return hit_words_get(&s->rules.all, number, len);
	if (!s->rules_page)
		s->rules_page = calloc(1, sizeof *s->rules_page);
	const uint8_t *word = s->rules_page ? word_in(s->rules_page, number, len) : NULL;
	if (!word && s->rules_page &&
	    hit_store_page(s, s->rules_page, HIT_TAG_RULES, 0, number, HIT_PAGE_AT) == 1)
		word = word_in(s->rules_page, number, len);
	return word;
}

/* ---- rings ---- */

static int read_ring(struct hit_ring_rows *out, const MDB_val *key, const MDB_val *v)
{
	const uint8_t *k = key->mv_data, *p = v->mv_data;
	if (key->mv_size != 11 || v->mv_size != HIT_POSITION_LEN)
		return hit_store_error(MDB_CORRUPTED);
	*out = (struct hit_ring_rows){
		.at = {.boot = hit_get64(k + 1),
		       .worker = wire_get16(k + 9),
		       .position = hit_get64(p),
		       .no_room = hit_get64(p + 8)},
		.first = hit_get64(p + 16),
		.last = hit_get64(p + 24),
		.rows = hit_get64(p + 32),
	};
	memcpy(out->at.node, p + 40, HIT_NODE_MAX - 1);
	return ERR_OK;
}

int hit_store_position(struct hit_store *s, struct hit_position *out, uint64_t boot,
		       uint16_t worker)
{
	uint8_t key_bytes[HIT_KEY_LEN];
	MDB_val key = hit_store_ring_key(key_bytes, boot, worker), v;
	struct hit_ring_rows r;
	MDB_txn *txn;
	int err = look_begin(s, &txn);
	if (err)
		return err;
	int rc = mdb_get(txn, s->dbi, &key, &v);
	err = rc ? hit_store_error(rc == MDB_NOTFOUND ? ENOENT : rc)
		 : read_ring(&r, &key, &v);
	if (!err)
		*out = r.at;
	look_end(s, txn);
	return err;
}

/* A damaged tree may lead back. */
static bool is_behind(const struct hit_position *p, uint64_t boot, uint16_t worker)
{
	return p->boot != boot ? p->boot > boot
			       : p->worker > worker || (!boot && !worker);
}

int hit_store_next_ring(struct hit_store *s, struct hit_ring_rows *out, uint64_t boot,
			uint16_t worker)
{
	uint8_t wanted[HIT_KEY_LEN];
	MDB_val from = hit_store_ring_key(wanted, boot, worker), key = from, v;
	MDB_cursor *cursor;
	MDB_txn *txn;
	int err = look_begin(s, &txn);
	if (err)
		return err;
	int rc = mdb_cursor_open(txn, s->dbi, &cursor);
	if (!rc) {
		rc = mdb_cursor_get(cursor, &key, &v, MDB_SET_RANGE);
		if (!rc && (boot || worker) && key.mv_size == from.mv_size &&
		    memcmp(key.mv_data, wanted, from.mv_size) == 0)
			rc = mdb_cursor_get(cursor, &key, &v, MDB_NEXT);
		bool none = rc == MDB_NOTFOUND || (!rc && *(uint8_t *)key.mv_data != 'p');
		err = none ? 0 : rc ? hit_store_error(rc) : read_ring(out, &key, &v);
		if (!none && !err)
			err = is_behind(&out->at, boot, worker) ? 1 : ERR_DAMAGED;
		mdb_cursor_close(cursor);
	} else {
		err = hit_store_error(rc);
	}
	look_end(s, txn);
	return err;
}
