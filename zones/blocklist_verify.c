/* blocklist_verify.c: reads all of the store and compares it with what it says of itself.
 *
 * The digest shows that every pair is what was written. That each pair is also found by
 * its key, through the upper pages of the tree, is tried for each. Records and entries
 * are compared with each other, which shows mistakes of the writer. */
#include "zones/blocklist_store.h"

enum { PROGRESS_EVERY = 4096 };

struct verify {
	MDB_txn *txn;
	MDB_dbi dbi, entries;
	struct blocklist_meta sum;	 /* counted afresh */
	uint64_t records, entry_records; /* one of BOTH is two */
	uint64_t done, total;
	blocklist_progress_fn *progress;
	void *arg;
	uint32_t version[BLOCKLIST_LISTS_MAX];
	uint64_t names[BLOCKLIST_LISTS_MAX], addresses[BLOCKLIST_LISTS_MAX];
	struct blocklist_row row[BLOCKLIST_LISTS_MAX]; /* id taken: name not empty */
	bool group[BLOCKLIST_GROUPS_MAX];
	struct blocklist_words words;
};

static int verify_row(struct verify *f, const MDB_val *k, const MDB_val *v)
{
	struct blocklist_row row;
	int err = blocklist_row_read(&row, k, v);
	if (err)
		return err;
	f->row[row.id] = row;
	f->version[row.id] = row.version;
	return ERR_OK;
}

static int verify_rules(struct verify *f, const MDB_val *k, const MDB_val *v)
{
	struct blocklist_key key;
	uint64_t h = blocklist_key_hash(k->mv_data, k->mv_size);
	int err = blocklist_key_decode(&key, k->mv_data, k->mv_size);
	if (err || !v->mv_size || v->mv_size % sizeof(struct blocklist_record))
		return ERR_DAMAGED;
	for (size_t at = 0; at < v->mv_size; at += sizeof(struct blocklist_record)) {
		struct blocklist_record r;
		memcpy(&r, (const uint8_t *)v->mv_data + at, sizeof r);
		if (r.check != blocklist_record_check(h, &r) || r.words > f->sum.words ||
		    r.list >= BLOCKLIST_LISTS_MAX || !f->row[r.list].name[0])
			return ERR_DAMAGED;
		bool name = !key.prefix.addr.family;
		unsigned n = blocklist_is_both(k->mv_data, r.kind) ? 2 : 1;
		f->records += n;
		if (blocklist_visible(&r, f->version[r.list]))
			(name ? f->names : f->addresses)[r.list] += n;
	}
	return ERR_OK;
}

static int verify_group(struct verify *f, const MDB_val *k, const MDB_val *v)
{
	struct blocklist_group_row row;
	int err = blocklist_group_read(&row, k, v);
	if (!err)
		f->group[row.id] = true;
	return err;
}

/* Groups come before clients in key order. */
static int verify_client(const struct verify *f, const MDB_val *k, const MDB_val *v)
{
	struct blocklist_client c;
	int err = blocklist_client_read(&c, k, v);
	if (err)
		return err;
	bool known = c.opt_out ? c.group == BLOCKLIST_NO_GROUP
			       : c.group < BLOCKLIST_GROUPS_MAX && f->group[c.group];
	return known ? ERR_OK : ERR_DAMAGED;
}

/* Whether a NAME or ADDR value has the record that an entry begins with. */
static bool rules_have(const MDB_val *v, uint64_t key_hash, const uint8_t *entry)
{
	struct blocklist_record want;
	memcpy(&want, entry, sizeof want);
	want.check = blocklist_record_check(key_hash, &want);
	for (size_t at = 0; at + sizeof want <= v->mv_size; at += sizeof want)
		if (memcmp((const uint8_t *)v->mv_data + at, &want, sizeof want) == 0)
			return true;
	return false;
}

static int verify_entry(struct verify *f, const MDB_val *k, const MDB_val *v)
{
	struct blocklist_span span[BLOCKLIST_SPANS_MAX];
	const uint8_t *p = k->mv_data;
	if (k->mv_size <= 3)
		return ERR_DAMAGED;
	MDB_val found, rule = {k->mv_size - 3, (uint8_t *)k->mv_data + 3};
	uint64_t h = blocklist_key_hash(rule.mv_data, rule.mv_size);
	int n = blocklist_spans(span, p, k->mv_size, v->mv_data, v->mv_size);
	int rc = n <= 0 ? 0 : mdb_get(f->txn, f->dbi, &rule, &found);
	if (n <= 0 || rc)
		return n <= 0 || rc == MDB_NOTFOUND ? ERR_DAMAGED : blocklist_error(rc);
	for (int i = 0; i < n; i++)
		if (span[i].head.rec.list != (p[1] << 8 | p[2]) ||
		    !blocklist_words_match(&f->words, span[i].bytes) ||
		    !rules_have(&found, h, span[i].bytes))
			return ERR_DAMAGED;
	f->entry_records += (uint64_t)n;
	return ERR_OK;
}

static int verify_pair(struct verify *f, MDB_dbi dbi, const MDB_val *k, const MDB_val *v)
{
	MDB_val again, key = *k;
	struct blocklist_words_row words;
	uint8_t tag = *(uint8_t *)k->mv_data;
	if (tag == BLOCKLIST_ENTRIES) /* LMDB's; its other database is read next */
		return k->mv_size == 1 && dbi == f->dbi ? ERR_OK : ERR_DAMAGED;
	int rc = mdb_get(f->txn, dbi, &key, &again);
	if ((tag == BLOCKLIST_ENTRY) != (dbi == f->entries))
		return ERR_DAMAGED;
	if (rc || again.mv_data != v->mv_data)
		return rc && rc != MDB_NOTFOUND ? blocklist_error(rc) : ERR_DAMAGED;
	if (tag != BLOCKLIST_META) {
		blocklist_meta_count(&f->sum, k, 1);
		f->sum.client_rules += blocklist_about_clients(k, v);
		f->sum.digest += blocklist_pair_digest(
			blocklist_key_hash(k->mv_data, k->mv_size), v);
	}
	switch (tag) {
	case BLOCKLIST_META:
		return k->mv_size == 1 ? ERR_OK : ERR_DAMAGED;
	case BLOCKLIST_LIST:
		return verify_row(f, k, v);
	case BLOCKLIST_NAME:
	case BLOCKLIST_ADDR:
		return verify_rules(f, k, v);
	case BLOCKLIST_CLIENT:
		return verify_client(f, k, v);
	case BLOCKLIST_GROUP:
		return verify_group(f, k, v);
	case BLOCKLIST_WORDS:
		return blocklist_words_read(&words, k, v);
	case BLOCKLIST_ENTRY:
		return verify_entry(f, k, v);
	default:
		return ERR_DAMAGED;
	}
}

static int key_order(const MDB_val *k, uint8_t last[BLOCKLIST_KEY_MAX], size_t *last_n)
{
	size_t n = k->mv_size < *last_n ? k->mv_size : *last_n;
	if (k->mv_size == 0 || k->mv_size > BLOCKLIST_KEY_MAX)
		return ERR_DAMAGED;
	int c = memcmp(last, k->mv_data, n);
	if (c > 0 || (c == 0 && *last_n >= k->mv_size))
		return ERR_DAMAGED;
	memcpy(last, k->mv_data, k->mv_size);
	*last_n = k->mv_size;
	return ERR_OK;
}

static int verify_walk(struct verify *f, MDB_dbi dbi)
{
	uint8_t last[BLOCKLIST_KEY_MAX];
	size_t last_n = 0;
	MDB_cursor *c;
	MDB_val k, v;
	int err = blocklist_error(mdb_cursor_open(f->txn, dbi, &c));
	if (err)
		return err;
	int rc = mdb_cursor_get(c, &k, &v, MDB_FIRST);
	while (!err && !rc) {
		err = key_order(&k, last, &last_n);
		if (!err)
			err = verify_pair(f, dbi, &k, &v);
		if (++f->done % PROGRESS_EVERY == 0 && f->progress)
			f->progress(f->arg, f->done, f->total);
		if (!err)
			rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	return err || rc == MDB_NOTFOUND ? err : blocklist_error(rc);
}

/* What was counted against what the store says. */
static int verify_sums(struct verify *f, const struct blocklist_meta *m)
{
	struct blocklist_meta *s = &f->sum;
	bool same = s->pairs == m->pairs && s->names == m->names &&
		    s->addresses == m->addresses && s->clients == m->clients &&
		    s->entries == m->entries && s->words == m->words &&
		    f->records == f->entry_records &&
		    s->client_rules == m->client_rules && s->digest == m->digest &&
		    !memcmp(s->depth, m->depth, sizeof s->depth) &&
		    !memcmp(s->addr_bits, m->addr_bits, sizeof s->addr_bits) &&
		    !memcmp(s->client_bits, m->client_bits, sizeof s->client_bits);
	for (int i = 0; i < BLOCKLIST_LISTS_MAX; i++)
		same = same && f->row[i].names == f->names[i] &&
		       f->row[i].addresses == f->addresses[i];
	return same ? ERR_OK : ERR_DAMAGED;
}

int blocklist_verify(struct blocklist_view *v, blocklist_progress_fn *progress, void *arg)
{
	struct blocklist_meta m;
	struct verify *f = calloc(1, sizeof *f);
	if (!f)
		return ERR_NOMEM;
	f->txn = blocklist_view_txn(v);
	f->dbi = blocklist_view_store(v)->dbi;
	f->entries = blocklist_view_store(v)->entries;
	f->progress = progress;
	f->arg = arg;
	int err = f->txn ? blocklist_meta_read(&m, f->txn, f->dbi) : ERR_INVAL;
	f->total = err ? 0 : m.pairs + 2;
	if (!err)
		err = blocklist_words_load(&f->words, &m, f->txn, f->dbi);
	if (!err)
		err = verify_walk(f, f->dbi);
	if (!err)
		err = verify_walk(f, f->entries);
	if (!err)
		err = verify_sums(f, &m);
	if (!err && progress)
		progress(arg, f->total, f->total);
	free(f->words.pair);
	free(f);
	return err == ERR_NOENT ? ERR_DAMAGED : err;
}
