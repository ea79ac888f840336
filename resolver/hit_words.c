#include "resolver/hit_words.h"

#include <stdlib.h>
#include <sys/random.h>

enum { SLOTS_FIRST = 256, WORDS_FIRST = 128, BYTES_FIRST = 4096 };

int hit_words_init(struct hit_words *w)
{
	*w = (struct hit_words){
		.room = BYTES_FIRST, .at_room = WORDS_FIRST, .slots_n = SLOTS_FIRST};
	w->bytes = malloc(w->room);
	w->at = calloc(w->at_room + 1, sizeof *w->at);
	w->slots = calloc(w->slots_n, sizeof *w->slots);
	if (!w->bytes || !w->at || !w->slots) {
		hit_words_fini(w);
		return ERR_NOMEM;
	}
	/* Strangers choose names; without chance the table is slower, not wrong. */
	(void)!getrandom(&w->key, sizeof w->key, GRND_NONBLOCK);
	return ERR_OK;
}

void hit_words_fini(struct hit_words *w)
{
	free(w->bytes);
	free(w->at);
	free(w->slots);
	*w = (struct hit_words){0};
}

/* The slot of that word: its own, or the free one where it belongs. */
static struct hit_words_slot *find_slot(const struct hit_words *w, uint32_t hash,
					const void *word, size_t len)
{
	size_t at = hash & (w->slots_n - 1);
	for (;; at = (at + 1) & (w->slots_n - 1)) {
		struct hit_words_slot *slot = &w->slots[at];
		size_t have_n;
		if (!slot->number1)
			return slot;
		if (slot->hash != hash)
			continue;
		const uint8_t *have = hit_words_get(w, slot->number1 - 1, &have_n);
		if (have_n == len && memcmp(have, word, len) == 0)
			return slot;
	}
}

static void fill_slot(struct hit_words *w, uint32_t number, uint32_t hash,
		      const void *word, size_t len)
{
	*find_slot(w, hash, word, len) = (struct hit_words_slot){number + 1, hash};
}

static void fill_slots(struct hit_words *w)
{
	size_t len;
	memset(w->slots, 0, w->slots_n * sizeof *w->slots);
	for (uint32_t i = 0; i < w->n; i++) {
		const uint8_t *word = hit_words_get(w, i, &len);
		fill_slot(w, i, hit_words_hash(w, word, len), word, len);
	}
}

static int make_room(struct hit_words *w, size_t len)
{
	if (w->len + len > w->room) {
		size_t room = 2 * w->room + len;
		void *more = realloc(w->bytes, room);
		if (!more)
			return ERR_NOMEM;
		w->bytes = more;
		w->room = room;
	}
	if (w->n == w->at_room) {
		void *more = realloc(w->at, (2 * w->at_room + 1) * sizeof *w->at);
		if (!more)
			return ERR_NOMEM;
		w->at = more;
		w->at_room *= 2;
	}
	return ERR_OK;
}

static int make_slots(struct hit_words *w)
{
	if (2 * (size_t)w->n >= w->slots_n) {
		void *more = realloc(w->slots, 2 * w->slots_n * sizeof *w->slots);
		if (!more)
			return ERR_NOMEM;
		w->slots = more;
		w->slots_n *= 2;
		fill_slots(w);
	}
	return ERR_OK;
}

int hit_words_put(struct hit_words *w, uint32_t *out, const void *word, size_t len)
{
	return hit_words_put_hashed(w, out, hit_words_hash(w, word, len), word, len);
}

void hit_words_fetch_word(const struct hit_words *w, uint32_t hash)
{
	const struct hit_words_slot *slot = &w->slots[hash & (w->slots_n - 1)];
	if (slot->number1)
		__builtin_prefetch(w->bytes + w->at[slot->number1 - 1]);
}

int hit_words_put_hashed(struct hit_words *w, uint32_t *out, uint32_t hash,
			 const void *word, size_t len)
{
	const struct hit_words_slot *slot = find_slot(w, hash, word, len);
	if (slot->number1) {
		*out = slot->number1 - 1;
		return ERR_OK;
	}
	int err = make_slots(w);
	err = err ? err : hit_words_append(w, word, len);
	if (err)
		return err;
	*out = w->n - 1;
	fill_slot(w, *out, hash, word, len);
	return ERR_OK;
}

int hit_words_append(struct hit_words *w, const void *word, size_t len)
{
	int err = make_room(w, len);
	if (err)
		return err;
	memcpy(w->bytes + w->len, word, len);
	w->len += len;
	w->at[++w->n] = w->len;
	return ERR_OK;
}

void hit_words_cut(struct hit_words *w, uint32_t n)
{
	if (n >= w->n)
		return;
	w->n = n;
	w->len = w->at[n];
	fill_slots(w);
}
