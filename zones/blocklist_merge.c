/* blocklist_merge.c: bringing the records of one list and key from what stands to what
 * is wanted. Import, add, remove and the sweep all go through blocklist_merge_key(),
 * so what is true of a key after a write is decided here once:
 *
 * in place  exactly what is wanted, standing for ever; nothing else of this list
 * staged    what was visible is still visible, and ends with the next version where
 *           it is not wanted; what is wanted is or will be visible from then on;
 *           nothing else of this list
 *
 * Both hold whatever an interrupted import left behind. */
#include "zones/blocklist_store.h"

/* Of one kind: the record that is visible now, and the one staged for the next version.
 */
struct pair {
	const struct blocklist_span *now, *next;
};

static struct pair pair_of(const struct blocklist_merge *m,
			   const struct blocklist_span *span, int n, int kind)
{
	struct pair p = {NULL, NULL};
	for (int i = 0; i < n; i++) {
		const struct blocklist_record *r = &span[i].head.rec;
		if (r->kind != kind)
			continue;
		if (blocklist_visible(r, m->version))
			p.now = &span[i];
		else if (r->from == m->next && r->to == BLOCKLIST_FOREVER)
			p.next = &span[i];
	}
	return p;
}

bool blocklist_entry_same(const uint8_t *entry, const uint8_t *other)
{
	struct blocklist_head a, b;
	memcpy(&a, entry, sizeof a);
	memcpy(&b, other, sizeof b);
	return a.len == b.len && a.data_len == b.data_len &&
	       a.rec.action == b.rec.action && a.rec.starts == b.rec.starts &&
	       a.rec.expires == b.rec.expires && a.confidence == b.confidence &&
	       memcmp(a.text_len, b.text_len, sizeof a.text_len) == 0 &&
	       memcmp(entry + sizeof a, other + sizeof b, b.len - sizeof b) == 0;
}

/* Whether wildcard says of what is below a name what exact says of the name, and is as
 * old: an id that was given is in hits, and stays. */
static bool are_twins(const uint8_t *exact, const uint8_t *wildcard,
		      const struct blocklist_head *w)
{
	struct blocklist_head e;
	memcpy(&e, exact, sizeof e);
	return e.rec.kind == RULE_EXACT && w->rec.kind == RULE_WILDCARD &&
	       e.rec.from == w->rec.from && e.rec.to == w->rec.to &&
	       (!w->rec.entry || e.rec.entry == w->rec.entry) &&
	       e.rec.words == w->rec.words && e.first_listed == w->first_listed &&
	       blocklist_entry_same(exact, wildcard);
}

/* Puts an entry into the record of its twin; false: it has none. */
static bool joined(struct blocklist_merge *m, const uint8_t *bytes,
		   const struct blocklist_head *h)
{
	for (size_t at = 0; at < m->value_len; at += blocklist_entry_len(m->value + at)) {
		if (!are_twins(m->value + at, bytes, h))
			continue;
		m->value[at + offsetof(struct blocklist_head, rec.kind)] = BLOCKLIST_BOTH;
		return true;
	}
	return false;
}

/* Appends an entry to the new value with its span of versions, and (its id is 0) the next
 * id. */
static void emit(struct blocklist_merge *m, const uint8_t *bytes,
		 const struct blocklist_head *head, uint32_t from, uint32_t to)
{
	struct blocklist_head h = *head;
	uint8_t *p = m->value + m->value_len;
	h.rec.from = from;
	h.rec.to = to;
	h.rec.list = m->list;
	if (h.rec.kind == RULE_WILDCARD && joined(m, bytes, &h))
		return;
	if (!h.rec.entry)
		h.rec.entry = m->txn.meta.next_entry++ & BLOCKLIST_ENTRY_ID_MAX;
	memcpy(p, &h, sizeof h);
	memcpy(p + sizeof h, bytes + sizeof h, h.len - sizeof h);
	m->value_len += h.len;
}

static void emit_kept(struct blocklist_merge *m, const struct blocklist_span *s,
		      uint32_t to)
{
	emit(m, s->bytes, &s->head, s->head.rec.from, to);
}

/* Of one record with its twin. */
static bool is_joint(const struct blocklist_span *s)
{
	return s->head.rec.kind != blocklist_kind_of(s->bytes);
}

static void emit_new(struct blocklist_merge *m, const uint8_t *want, int kind,
		     uint16_t words, const struct blocklist_span *before)
{
	struct blocklist_head h;
	memcpy(&h, want, sizeof h);
	h.rec.kind = (uint8_t)kind;
	h.rec.words = words;
	h.in_zone = 0;
	h.rec.entry =
		before && !(m->parting && is_joint(before)) ? before->head.rec.entry : 0;
	if (before)
		h.first_listed = before->head.first_listed;
	else if (!h.first_listed)
		h.first_listed = m->now;
	emit(m, want, &h, m->next, BLOCKLIST_FOREVER);
}

static int emit_wanted(struct blocklist_merge *m, const uint8_t *want, int kind,
		       const struct blocklist_span *before)
{
	uint16_t words;
	int err = blocklist_intern(&m->words, &words, &m->txn, want);
	if (!err)
		emit_new(m, want, kind, words, before);
	return err;
}

/* Once all is there. Returns the number of records. */
static unsigned write_checks(struct blocklist_merge *m, uint64_t key_hash)
{
	unsigned n = 0;
	for (size_t at = 0, len; at < m->value_len; at += len, n++) {
		uint8_t *p = m->value + at;
		len = blocklist_entry_len(p);
		uint32_t check = blocklist_entry_check(key_hash, p, len);
		memcpy(p + offsetof(struct blocklist_head, rec.check), &check,
		       sizeof check);
	}
	return n;
}

static int merge_kind(struct blocklist_merge *m, int kind, struct pair stands,
		      const uint8_t *want)
{
	const struct blocklist_span *now = stands.now, *next = stands.next;
	if (now && want && blocklist_entry_same(now->bytes, want)) {
		m->changes.unchanged++;
		emit_kept(m, now, BLOCKLIST_FOREVER);
		return ERR_OK;
	}
	if (now && m->staged)
		emit_kept(m, now, m->next);
	if (!want) {
		m->changes.removed += now != NULL;
		return ERR_OK;
	}
	if (now)
		m->changes.changed++;
	else
		m->changes.added++;
	bool again = m->staged && next && blocklist_entry_same(next->bytes, want) &&
		     !(m->parting && is_joint(next));
	if (!again)
		return emit_wanted(m, want, kind, now);
	emit_kept(m, next, BLOCKLIST_FOREVER);
	return ERR_OK;
}

const uint8_t *blocklist_want_kind(const struct blocklist_want *want, unsigned kind)
{
	for (int i = 0; i < want->n; i++)
		if (want->kind[i] == kind)
			return want->bytes[i];
	return NULL;
}

void blocklist_want_drop(struct blocklist_want *w, unsigned kind)
{
	const struct blocklist_want all = *w;
	w->n = 0;
	for (int i = 0; i < all.n; i++)
		if (all.kind[i] != kind)
			blocklist_want_add(w, all.bytes[i], all.kind[i]);
}

static int rules_room(struct blocklist_merge *m, size_t n)
{
	if (n <= m->rules_room)
		return ERR_OK;
	n += n / 2;
	uint8_t *more = realloc(m->rules, n);
	if (!more)
		return ERR_NOMEM;
	m->rules = more;
	m->rules_room = n;
	return ERR_OK;
}

/* The records of the new ENTRY value in the form of NAME and ADDR pairs. */
static size_t own_records(const struct blocklist_merge *m, uint64_t key_hash,
			  uint8_t *out)
{
	size_t n = 0;
	for (size_t at = 0; at < m->value_len;) {
		struct blocklist_head h;
		memcpy(&h, m->value + at, sizeof h);
		h.rec.check = blocklist_record_check(key_hash, &h.rec);
		memcpy(out + n, &h.rec, sizeof h.rec);
		n += sizeof h.rec;
		at += h.len;
	}
	return n;
}

/* Copies the records of other lists in order and puts this list's between them. */
static size_t mix_records(uint8_t *out, const struct blocklist_merge *m,
			  const MDB_val *old, const uint8_t *own, size_t own_n)
{
	const uint8_t *from = old->mv_data;
	size_t n = 0;
	bool placed = false;
	for (size_t at = 0; at < old->mv_size; at += sizeof(struct blocklist_record)) {
		struct blocklist_record r;
		memcpy(&r, from + at, sizeof r);
		if (r.list == m->list)
			continue;
		if (r.list > m->list && !placed) {
			memcpy(out + n, own, own_n);
			n += own_n;
			placed = true;
		}
		memcpy(out + n, from + at, sizeof r);
		n += sizeof r;
	}
	if (!placed) {
		memcpy(out + n, own, own_n);
		n += own_n;
	}
	return n;
}

/* Most names are on one list only: then nothing has to be read first. */
static int rules_put(struct blocklist_merge *m, const struct blocklist_pair *own,
		     bool was_there)
{
	struct blocklist_txn *t = &m->txn;
	MDB_val k = own->key, old = {0, NULL};
	if (!was_there) {
		int err = blocklist_txn_put_new(t, t->rules, own, &old);
		if (err != ERR_EXIST)
			return err;
	} else {
		int rc = mdb_cursor_get(t->rules, &k, &old, MDB_SET_KEY);
		if (rc) /* ENTRY pairs have their rules, always */
			return rc == MDB_NOTFOUND ? ERR_DAMAGED : blocklist_error(rc);
	}
	if (old.mv_size % sizeof(struct blocklist_record))
		return ERR_DAMAGED;
	int err = rules_room(m, old.mv_size + own->value.mv_size);
	if (err)
		return err;
	MDB_val mixed = {
		mix_records(m->rules, m, &old, own->value.mv_data, own->value.mv_size),
		m->rules};
	return blocklist_txn_put(t, t->rules, &own->key, &old,
				 mixed.mv_size ? &mixed : NULL);
}

static int rules_write(struct blocklist_merge *m, const MDB_val *rule, bool was_there)
{
	uint8_t own[BLOCKLIST_SPANS_MAX * sizeof(struct blocklist_record)];
	uint64_t key_hash = blocklist_key_hash(rule->mv_data, rule->mv_size);
	const struct blocklist_pair pair = {
		*rule, {own_records(m, key_hash, own), own}, key_hash};
	return rules_put(m, &pair, was_there);
}

static int entry_write(struct blocklist_merge *m, const MDB_val *key, uint64_t key_hash,
		       const MDB_val *old)
{
	const struct blocklist_pair pair = {*key, {m->value_len, m->value}, key_hash};
	MDB_val there;
	if (old->mv_size)
		return blocklist_txn_put(&m->txn, m->txn.entries, key, old,
					 m->value_len ? &pair.value : NULL);
	int err = blocklist_txn_put_new(&m->txn, m->txn.entries, &pair, &there);
	return err == ERR_EXIST ? ERR_DAMAGED : err;
}

static void by_kind(const uint8_t *out[BLOCKLIST_KINDS],
		    const struct blocklist_want *want)
{
	for (int kind = 0; kind < BLOCKLIST_KINDS; kind++)
		out[kind] = NULL;
	for (int i = want->n; i-- > 0;)
		out[want->kind[i]] = want->bytes[i];
}

/* What stands, and what is wanted, kind by kind. */
static int merge_kinds(struct blocklist_merge *m, uint64_t key_hash,
		       const struct blocklist_span *span, int spans,
		       const struct blocklist_want *want)
{
	const uint8_t *wanted[BLOCKLIST_KINDS];
	int err = ERR_OK;
	m->value_len = 0;
	by_kind(wanted, want);
	const uint8_t *exact = wanted[RULE_EXACT], *wildcard = wanted[RULE_WILDCARD];
	m->parting = exact && wildcard && !blocklist_entry_same(exact, wildcard);
	for (int kind = 0; kind < BLOCKLIST_KINDS && !err; kind++)
		if (wanted[kind] || spans)
			err = merge_kind(m, kind, pair_of(m, span, spans, kind),
					 wanted[kind]);
	write_checks(m, key_hash);
	return err;
}

static MDB_val entry_key(uint8_t out[BLOCKLIST_KEY_MAX + 3], uint16_t list,
			 const MDB_val *rule)
{
	size_t n = blocklist_key_list(out, BLOCKLIST_ENTRY, list);
	memcpy(out + n, rule->mv_data, rule->mv_size);
	return (MDB_val){n + rule->mv_size, out};
}

static void count(struct blocklist_merge *m, const MDB_val *rule, int wanted)
{
	bool name = *(const uint8_t *)rule->mv_data == BLOCKLIST_NAME;
	*(name ? &m->names : &m->addresses) += (uint64_t)wanted;
}

int blocklist_merge_key(struct blocklist_merge *m, const MDB_val *rule,
			const MDB_val *old, const struct blocklist_want *want)
{
	uint8_t key[BLOCKLIST_KEY_MAX + 3];
	struct blocklist_span span[BLOCKLIST_SPANS_MAX];
	MDB_val k = entry_key(key, m->list, rule);
	int spans = !old->mv_size ? 0
				  : blocklist_spans(span, key, k.mv_size, old->mv_data,
						    old->mv_size);
	if (spans < 0)
		return spans;
	uint64_t key_hash = blocklist_key_hash(key, k.mv_size);
	int err = merge_kinds(m, key_hash, span, spans, want);
	if (err)
		return err;
	count(m, rule, want->n);
	if (m->value_len == old->mv_size &&
	    (!old->mv_size || memcmp(m->value, old->mv_data, old->mv_size) == 0))
		return ERR_OK;
	m->written++;
	err = rules_write(m, rule, spans > 0);
	return err ? err : entry_write(m, &k, key_hash, old);
}

/* ---- keys where the list has nothing ---- */

size_t blocklist_ready_size(const MDB_val *rule, const struct blocklist_want *want)
{
	size_t n = sizeof(struct blocklist_ready) + rule->mv_size;
	for (int i = 0; i < want->n; i++)
		n += blocklist_entry_len(want->bytes[i]) +
		     sizeof(struct blocklist_record);
	return n;
}

size_t blocklist_ready_make(uint8_t *out, struct blocklist_getting_ready *g,
			    const MDB_val *rule, const struct blocklist_want *want)
{
	struct blocklist_merge *m = &g->merge;
	const uint8_t *wanted[BLOCKLIST_KINDS];
	uint8_t key[BLOCKLIST_KEY_MAX + 3], *p = out + sizeof(struct blocklist_ready);
	MDB_val k = entry_key(key, m->list, rule);
	struct blocklist_ready r = {
		.rule_hash = blocklist_key_hash(rule->mv_data, rule->mv_size),
		.entry_hash = blocklist_key_hash(key, k.mv_size),
		.key_len = (uint16_t)rule->mv_size,
		.good = true,
	};
	by_kind(wanted, want);
	m->value_len = 0;
	for (int kind = 0; kind < BLOCKLIST_KINDS; kind++) {
		if (!wanted[kind])
			continue;
		r.good = r.good && blocklist_words_are(&g->pair, wanted[kind]);
		emit_new(m, wanted[kind], kind, g->words, NULL);
	}
	r.records = (uint16_t)write_checks(m, r.entry_hash);
	r.value_len = (uint32_t)m->value_len;
	memcpy(out, &r, sizeof r);
	memcpy(p, rule->mv_data, rule->mv_size);
	p += rule->mv_size;
	memcpy(p, m->value, m->value_len);
	p += m->value_len;
	return (size_t)(p - out) + own_records(m, r.rule_hash, p);
}

void blocklist_ready_want(struct blocklist_sorted *out, const uint8_t *ready)
{
	struct blocklist_ready r;
	memcpy(&r, ready, sizeof r);
	ready += sizeof r;
	out->key = (MDB_val){r.key_len, (void *)(uintptr_t)ready};
	ready += r.key_len;
	out->want.n = 0;
	for (int i = 0; i < r.records; i++, ready += blocklist_entry_len(ready)) {
		unsigned kind = (unsigned)blocklist_kind_of(ready);
		bool both = blocklist_is_both(out->key.mv_data, kind);
		blocklist_want_add(&out->want, ready, both ? RULE_EXACT : kind);
		if (both)
			blocklist_want_add(&out->want, ready, RULE_WILDCARD);
	}
}

int blocklist_merge_ready(struct blocklist_merge *m, const uint8_t *ready)
{
	struct blocklist_ready r;
	struct blocklist_sorted at;
	uint8_t key[BLOCKLIST_KEY_MAX + 3];
	MDB_val there;
	memcpy(&r, ready, sizeof r);
	blocklist_ready_want(&at, ready);
	uint8_t *value = (uint8_t *)at.key.mv_data + r.key_len;
	const struct blocklist_pair own = {
		at.key,
		{r.records * sizeof(struct blocklist_record), value + r.value_len},
		r.rule_hash};
	const struct blocklist_pair entry = {
		entry_key(key, m->list, &at.key), {r.value_len, value}, r.entry_hash};
	m->changes.added += (uint64_t)at.want.n;
	m->written++;
	count(m, &at.key, at.want.n);
	int err = rules_put(m, &own, false);
	if (!err)
		err = blocklist_txn_put_new(&m->txn, m->txn.entries, &entry, &there);
	return err == ERR_EXIST ? ERR_DAMAGED : err;
}

void blocklist_merge_fini(struct blocklist_merge *m)
{
	blocklist_interner_free(m->words);
	free(m->rules);
	m->words = NULL;
	m->rules = NULL;
	m->rules_room = 0;
}

int blocklist_want_visible(struct blocklist_want *out, const MDB_val *key,
			   const MDB_val *old, uint32_t version, int but_kind)
{
	struct blocklist_span span[BLOCKLIST_SPANS_MAX];
	int n = blocklist_spans(span, key->mv_data, key->mv_size, old->mv_data,
				old->mv_size);
	out->n = 0;
	for (int i = 0; i < n; i++) {
		const struct blocklist_record *r = &span[i].head.rec;
		if (blocklist_visible(r, version) && r->kind != but_kind &&
		    !blocklist_want_add(out, span[i].bytes, r->kind))
			return ERR_DAMAGED;
	}
	return n < 0 ? n : ERR_OK;
}

/* ---- walking one list ---- */

static int scan_take(struct blocklist_scan *s, int rc, const MDB_val *k, const MDB_val *v)
{
	uint8_t prefix[BLOCKLIST_KEY_MAX];
	size_t n = blocklist_key_list(prefix, BLOCKLIST_ENTRY, s->list);
	if (rc && rc != MDB_NOTFOUND)
		return blocklist_error(rc);
	s->end = rc || k->mv_size <= n || memcmp(k->mv_data, prefix, n) != 0;
	if (s->end)
		return ERR_OK;
	if (k->mv_size > BLOCKLIST_KEY_MAX || v->mv_size > BLOCKLIST_VALUE_MAX)
		return ERR_DAMAGED;
	memcpy(s->key_bytes, k->mv_data, k->mv_size);
	memcpy(s->value_bytes, v->mv_data, v->mv_size);
	s->key = (MDB_val){k->mv_size, s->key_bytes};
	s->value = (MDB_val){v->mv_size, s->value_bytes};
	return ERR_OK;
}

int blocklist_scan_start(struct blocklist_scan *s, MDB_cursor *c, uint16_t list, int tag)
{
	s->cursor = c;
	s->list = list;
	MDB_val v, k = {blocklist_key_list(s->key_bytes, BLOCKLIST_ENTRY, list),
			s->key_bytes};
	s->key_bytes[k.mv_size++] = (uint8_t)tag;
	int rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	return scan_take(s, rc, &k, &v);
}

int blocklist_scan_next(struct blocklist_scan *s, bool moved)
{
	MDB_val v, k = s->key;
	int rc;
	if (moved) { /* the next key that there can be */
		s->key_bytes[k.mv_size++] = 0;
		rc = mdb_cursor_get(s->cursor, &k, &v, MDB_SET_RANGE);
	} else {
		rc = mdb_cursor_get(s->cursor, &k, &v, MDB_NEXT);
	}
	return scan_take(s, rc, &k, &v);
}

int blocklist_scan_resume(struct blocklist_scan *s, MDB_cursor *c)
{
	MDB_val v, k = s->key;
	s->cursor = c;
	if (s->end)
		return ERR_OK;
	int rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	return scan_take(s, rc, &k, &v);
}

/* One bounded transaction of a sweep; true in *done when it came to the end. */
static int sweep_step(struct blocklist_merge *m, struct blocklist_scan *s,
		      const volatile int *stop, bool *done)
{
	while (!s->end && m->written < BLOCKLIST_TXN_CHANGES && !(stop && *stop)) {
		struct blocklist_want want;
		MDB_val rule = blocklist_scan_rule(s);
		uint64_t before = m->written;
		int err =
			blocklist_want_visible(&want, &s->key, &s->value, m->version, -1);
		if (!err)
			err = blocklist_merge_key(m, &rule, &s->value, &want);
		if (!err)
			err = blocklist_scan_next(s, m->written != before);
		if (err)
			return err;
	}
	*done = s->end;
	return ERR_OK;
}

static int sweep_txn(struct blocklist_merge *m, struct blocklist_scan *s,
		     const char *list, const volatile int *stop, bool *done,
		     uint64_t *epoch)
{
	struct blocklist_row row = {0};
	int err = blocklist_txn_begin(&m->txn, m->txn.bl, true);
	if (err)
		return err;
	if (s->cursor && m->txn.meta.epoch != *epoch) /* restored meanwhile */
		err = ERR_BUSY;
	*epoch = m->txn.meta.epoch;
	if (!err)
		err = blocklist_row_find(&m->txn, &row, list);
	if (!err) {
		m->list = row.id;
		m->version = row.version;
		m->next = row.version ? row.version : 1;
		m->written = 0;
		err = s->cursor ? blocklist_scan_resume(s, m->txn.entries)
				: blocklist_scan_start(s, m->txn.entries, row.id, 0);
	}
	if (!err)
		err = sweep_step(m, s, stop, done);
	if (!err && *done) {
		row.pending = 0;
		err = blocklist_row_put(&m->txn, &row);
	}
	if (!err)
		return blocklist_txn_commit(&m->txn);
	blocklist_txn_abort(&m->txn);
	return err;
}

int blocklist_sweep(struct blocklist *bl, const char *list, const volatile int *stop)
{
	struct blocklist_merge *m = calloc(1, sizeof *m);
	struct blocklist_scan *s = calloc(1, sizeof *s);
	bool done = false;
	uint64_t epoch = 0;
	int err = m && s ? ERR_OK : ERR_NOMEM;
	if (!err)
		m->txn.bl = bl;
	while (!err && !done && !(stop && *stop)) {
		err = sweep_txn(m, s, list, stop, &done, &epoch);
		if (!err && !done)
			blocklist_let_others();
	}
	if (m)
		blocklist_merge_fini(m);
	free(m);
	free(s);
	return err;
}
