#include "tools/most.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/hash.h"

int most_init(struct most *m)
{
	*m = (struct most){0};
	m->item = calloc(MOST_PLACES, sizeof *m->item);
	return m->item ? ERR_OK : ERR_NOMEM;
}

void most_fini(struct most *m)
{
	free(m->item);
	*m = (struct most){0};
}

void most_count(struct most *m, const char *text, uint32_t list, uint32_t rank)
{
	const struct hash_key key = {{list, 0}};
	uint64_t h = hash_bytes(&key, text, strlen(text));
	struct most_item *set = &m->item[(h % MOST_SETS) * MOST_WAYS], *least = set;
	for (int i = 0; i < MOST_WAYS; i++) {
		if (set[i].count && set[i].hash == h) {
			set[i].count++;
			return;
		}
		if (set[i].count < least->count)
			least = &set[i];
	}
	m->full = m->full || least->count;
	m->distinct += !least->count;
	least->hash = h;
	least->over = least->count;
	least->count++;
	least->list = list;
	least->rank = rank;
	snprintf(least->text, sizeof least->text, "%s", text);
}

static int by_count(const void *a, const void *b)
{
	const struct most_item *x = a, *y = b;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->text, y->text);
}

int most_top(struct most *m, const struct most_item **out, int n)
{
	int k = 0;
	qsort(m->item, MOST_PLACES, sizeof *m->item, by_count);
	while (k < n && k < MOST_PLACES && m->item[k].count) {
		out[k] = &m->item[k];
		k++;
	}
	return k;
}
