#include <stdlib.h>

#include "include/hash.h"
#include "tools/blocklist_seen.h"

enum { SLOTS_FIRST = 1 << 12 };

static const struct hash_key fixed_key;

void seen_init(struct seen *s)
{
	*s = (struct seen){0};
}

void seen_fini(struct seen *s)
{
	free(s->slot);
	*s = (struct seen){0};
}

/* Never 0, which marks an empty slot. A crafted collision would make one line of a report
 * wrong, and nothing else: the key need not be secret. */
static uint64_t hash_item(const struct blocklist_item *item)
{
	uint8_t buf[1 + sizeof(struct prefix) + DNS_NAME_MAX];
	const struct prefix *p = &item->key.prefix;
	size_t n = 0;
	buf[n++] = item->kind;
	buf[n++] = p->addr.family;
	if (p->addr.family) {
		buf[n++] = p->bits;
		memcpy(buf + n, p->addr.bytes, sizeof p->addr.bytes);
		n += sizeof p->addr.bytes;
	} else {
		size_t len = name_len(item->key.name);
		memcpy(buf + n, item->key.name, len);
		n += len;
	}
	return hash_bytes(&fixed_key, buf, n) | 1;
}

static uint64_t *find(uint64_t *slot, size_t slots, uint64_t h)
{
	size_t at = (size_t)(h >> 8) & (slots - 1);
	while (slot[at] && slot[at] != h)
		at = (at + 1) & (slots - 1);
	return &slot[at];
}

static bool grow(struct seen *s)
{
	size_t slots = s->slots ? s->slots * 2 : SLOTS_FIRST;
	uint64_t *slot = calloc(slots, sizeof *slot);
	if (!slot)
		return false;
	for (size_t i = 0; i < s->slots; i++)
		if (s->slot[i])
			*find(slot, slots, s->slot[i]) = s->slot[i];
	free(s->slot);
	s->slot = slot;
	s->slots = slots;
	return true;
}

bool seen_before(struct seen *s, const struct blocklist_item *item)
{
	uint64_t h = hash_item(item);
	bool room = s->used < s->slots / 2 || (s->used < SEEN_MAX && grow(s));
	uint64_t *at = s->slots ? find(s->slot, s->slots, h) : NULL;
	if (at && *at)
		return true;
	if (room && at) {
		*at = h;
		s->used++;
	}
	s->distinct++;
	return false;
}
