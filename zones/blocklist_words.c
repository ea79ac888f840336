/* blocklist_words.c: family and category of entries, each pair of words stored once.
 *
 * A record has the number of its entry's pair, so that a hit needs no look-up in the
 * entries. Pairs are numbered from 1 and never taken away; an entry whose pair came when
 * there was no number left has 0, and is looked up. */
#include "include/hash.h"
#include "zones/blocklist_store.h"

enum { SLOTS = 2 * BLOCKLIST_WORDS_MAX }; /* half of them free: short probes */

struct blocklist_interner {
	struct blocklist_words words;
	size_t txn; /* LMDB's number of the transaction that they were seen in */
	uint64_t epoch;
	uint16_t last;	      /* asked for: a list's entries are mostly about the same */
	uint16_t slot[SLOTS]; /* number of a pair, 0 = free */
};

static MDB_val words_key(uint8_t out[BLOCKLIST_KEY_MAX], unsigned number)
{
	return (MDB_val){blocklist_key_list(out, BLOCKLIST_WORDS, (uint16_t)number), out};
}

static bool ends(const char word[BLOCKLIST_WORD_MAX])
{
	return memchr(word, 0, BLOCKLIST_WORD_MAX) != NULL;
}

int blocklist_words_read(struct blocklist_words_row *out, const MDB_val *key,
			 const MDB_val *value)
{
	uint64_t h = blocklist_key_hash(key->mv_data, key->mv_size);
	if (key->mv_size != 3 || value->mv_size != sizeof *out)
		return ERR_DAMAGED;
	memcpy(out, value->mv_data, sizeof *out);
	return out->check == blocklist_tail_check(h, out, sizeof *out) &&
			       ends(out->pair.family) && ends(out->pair.category)
		       ? ERR_OK
		       : ERR_DAMAGED;
}

static int words_room(struct blocklist_words *w, uint32_t n)
{
	if (n <= w->room)
		return ERR_OK;
	uint32_t room = n < 8 ? 8 : 2 * n;
	struct blocklist_word_pair *more = realloc(w->pair, room * sizeof *more);
	if (!more)
		return ERR_NOMEM;
	w->pair = more;
	w->room = room;
	return ERR_OK;
}

int blocklist_words_load(struct blocklist_words *w, const struct blocklist_meta *m,
			 MDB_txn *txn, MDB_dbi dbi)
{
	if (m->words > BLOCKLIST_WORDS_MAX)
		return ERR_DAMAGED;
	int err = words_room(w, m->words);
	while (!err && w->n < m->words) {
		struct blocklist_words_row row;
		uint8_t key[BLOCKLIST_KEY_MAX];
		MDB_val v, k = words_key(key, w->n + 1U);
		int rc = mdb_get(txn, dbi, &k, &v);
		err = rc == MDB_NOTFOUND ? ERR_DAMAGED : blocklist_error(rc);
		if (!err)
			err = blocklist_words_read(&row, &k, &v);
		if (!err)
			w->pair[w->n++] = row.pair;
	}
	return err;
}

static void take_word(char out[BLOCKLIST_WORD_MAX], const uint8_t *text, size_t len)
{
	memcpy(out, text, len < BLOCKLIST_WORD_MAX ? len : BLOCKLIST_WORD_MAX - 1);
}

/* The first two texts behind the head. */
void blocklist_words_pair(struct blocklist_word_pair *out, const uint8_t *entry)
{
	struct blocklist_head h;
	memcpy(&h, entry, sizeof h);
	*out = (struct blocklist_word_pair){{0}, {0}};
	take_word(out->family, entry + sizeof h, h.text_len[0]);
	take_word(out->category, entry + sizeof h + h.text_len[0], h.text_len[1]);
}

static bool is_word(const char word[BLOCKLIST_WORD_MAX], const uint8_t *text, size_t len)
{
	return len < BLOCKLIST_WORD_MAX && !word[len] && memcmp(word, text, len) == 0;
}

bool blocklist_words_are(const struct blocklist_word_pair *pair, const uint8_t *entry)
{
	struct blocklist_head h;
	memcpy(&h, entry, sizeof h);
	return is_word(pair->family, entry + sizeof h, h.text_len[0]) &&
	       is_word(pair->category, entry + sizeof h + h.text_len[0], h.text_len[1]);
}

bool blocklist_words_match(const struct blocklist_words *w, const uint8_t *entry)
{
	struct blocklist_head h;
	struct blocklist_word_pair pair;
	memcpy(&h, entry, sizeof h);
	blocklist_words_pair(&pair, entry);
	unsigned number = h.rec.words;
	return !number ||
	       (number <= w->n && memcmp(&w->pair[number - 1], &pair, sizeof pair) == 0);
}

/* ---- giving numbers ---- */

/* Where the pair stands, or would. */
static uint16_t *slot_of(struct blocklist_interner *t,
			 const struct blocklist_word_pair *pair)
{
	struct hash_key k = {{t->epoch, 0}}; /* feeds do not know it */
	size_t at = hash_bytes(&k, pair, sizeof *pair) % SLOTS;
	while (t->slot[at] &&
	       memcmp(&t->words.pair[t->slot[at] - 1], pair, sizeof *pair) != 0)
		at = (at + 1) % SLOTS;
	return &t->slot[at];
}

/* What another writer added. What was seen in an earlier transaction, that may have been
 * aborted, and others have since given the same numbers to other pairs. */
static int catch_up(struct blocklist_interner *t, const struct blocklist_txn *txn)
{
	size_t now = mdb_txn_id(txn->txn);
	if (t->words.n > txn->meta.words || t->txn != now) {
		t->words.n = 0;
		memset(t->slot, 0, sizeof t->slot);
	}
	uint32_t had = t->words.n;
	t->txn = now;
	t->epoch = txn->meta.epoch;
	int err = blocklist_words_load(&t->words, &txn->meta, txn->txn, txn->bl->dbi);
	for (; !err && had < t->words.n; had++)
		*slot_of(t, &t->words.pair[had]) = (uint16_t)(had + 1);
	return err;
}

static int add(struct blocklist_interner *t, struct blocklist_txn *txn,
	       const struct blocklist_word_pair *pair)
{
	struct blocklist_words_row row = {.pair = *pair};
	uint8_t key[BLOCKLIST_KEY_MAX];
	MDB_val k = words_key(key, t->words.n + 1U), v = {sizeof row, &row};
	row.check = blocklist_tail_check(blocklist_key_hash(key, k.mv_size), &row,
					 sizeof row);
	return blocklist_txn_put(txn, txn->rules, &k, NULL, &v);
}

int blocklist_intern(struct blocklist_interner **table, uint16_t *number,
		     struct blocklist_txn *txn, const uint8_t *entry)
{
	struct blocklist_interner *t = *table;
	struct blocklist_word_pair pair;
	*number = 0;
	if (!t)
		t = *table = calloc(1, sizeof *t);
	if (!t)
		return ERR_NOMEM;
	if (t->txn == mdb_txn_id(txn->txn) && t->words.n == txn->meta.words && t->last &&
	    t->last <= t->words.n &&
	    blocklist_words_are(&t->words.pair[t->last - 1], entry)) {
		*number = t->last;
		return ERR_OK;
	}
	int err = catch_up(t, txn);
	if (err)
		return err;
	blocklist_words_pair(&pair, entry);
	uint16_t *slot = slot_of(t, &pair);
	if (!*slot && t->words.n < BLOCKLIST_WORDS_MAX) {
		err = add(t, txn, &pair);
		if (!err)
			err = catch_up(t, txn);
	}
	*number = t->last = *slot;
	return err;
}

void blocklist_interner_free(struct blocklist_interner *t)
{
	if (t)
		free(t->words.pair);
	free(t);
}
