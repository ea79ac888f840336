#include "resolver/crowd.h"

enum {
	CLIENT_LEN_4 = 4, /* bytes of an address that tell clients apart */
	CLIENT_LEN_6 = 8,
	PREFIX_LEN_4 = 3,
	PREFIX_LEN_6 = 7,
};

struct places {
	uint16_t *client[2], *prefix[2];
};

static void find_two(uint16_t *out[2], uint16_t rows[2][CROWD_SLOTS],
		     const struct hash_key *key, const struct addr *a, size_t len)
{
	uint64_t h = hash_bytes(key, a->bytes, len);
	out[0] = &rows[0][h % CROWD_SLOTS];
	out[1] = &rows[1][(h >> 32) % CROWD_SLOTS];
}

/* The lengths differ by family, and so do the hashes. */
static struct places find(struct crowd *c, const struct addr *a)
{
	struct places p;
	bool v4 = a->family == 4;
	find_two(p.client, c->client, &c->key, a, v4 ? CLIENT_LEN_4 : CLIENT_LEN_6);
	find_two(p.prefix, c->prefix, &c->key, a, v4 ? PREFIX_LEN_4 : PREFIX_LEN_6);
	return p;
}

static bool below(uint16_t *const n[2], unsigned max)
{
	return *n[0] < max || *n[1] < max;
}

bool crowd_enter(struct crowd *c, const struct addr *client)
{
	struct places p = find(c, client);
	if (!below(p.client, CROWD_CLIENT_MAX) || !below(p.prefix, CROWD_PREFIX_MAX))
		return false;
	for (int i = 0; i < 2; i++) {
		++*p.client[i];
		++*p.prefix[i];
	}
	return true;
}

void crowd_leave(struct crowd *c, const struct addr *client)
{
	struct places p = find(c, client);
	for (int i = 0; i < 2; i++) {
		--*p.client[i];
		--*p.prefix[i];
	}
}
