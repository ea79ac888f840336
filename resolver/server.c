#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "include/hash.h"
#include "resolver/server.h"

enum {
	SHARDS = 16,
	SETS = 128, /* per shard; 16 * 128 * 8 = 16,384 servers in about 1 MB */
	WAYS = 8,
	/* After this long nothing is known any more, as Unbound's infra-host-ttl. */
	FORGET_MS = 900 * 1000,
	/* Times the wait, per failure: a server a second away, not known yet, is heard on
	 * the second try, before a UDP client's 1.9 s are over; doubling would be late.
	 */
	PATIENCE = 3,
	FAILURES_MAX = 8, /* more adds nothing: the wait has long reached its limit */
};

struct server {
	struct addr addr; /* family 0: free */
	uint32_t srtt_ms, var_ms;
	uint64_t heard_ms; /* last reply or failure */
	uint8_t failures;
};

struct shard {
	pthread_mutex_t lock;
	struct server set[SETS][WAYS];
} __attribute__((aligned(64)));

struct server_table {
	struct hash_key key;
	struct shard shard[SHARDS];
};

int server_table_open(struct server_table **out)
{
	struct server_table *t = aligned_alloc(64, sizeof *t);
	*out = NULL;
	if (!t)
		return ERR_NOMEM;
	memset(t, 0, sizeof *t);
	if (getrandom(&t->key, sizeof t->key, 0) != sizeof t->key) {
		free(t);
		return ERR_IO;
	}
	for (int i = 0; i < SHARDS; i++)
		pthread_mutex_init(&t->shard[i].lock, NULL);
	*out = t;
	return ERR_OK;
}

void server_table_close(struct server_table *t)
{
	for (int i = 0; t && i < SHARDS; i++)
		pthread_mutex_destroy(&t->shard[i].lock);
	free(t);
}

static struct server *set_of(struct server_table *t, const struct addr *a,
			     struct shard **shard)
{
	uint8_t bytes[sizeof a->bytes + 3];
	memcpy(bytes, a->bytes, sizeof a->bytes);
	bytes[16] = a->family;
	bytes[17] = (uint8_t)(a->port >> 8);
	bytes[18] = (uint8_t)a->port;
	uint64_t h = hash_bytes(&t->key, bytes, sizeof bytes);
	*shard = &t->shard[h % SHARDS];
	return (*shard)->set[h / SHARDS % SETS];
}

static struct server *find(struct server *set, const struct addr *a, uint64_t now_ms)
{
	for (int i = 0; i < WAYS; i++)
		if (set[i].addr.family && addr_equal(&set[i].addr, a))
			return now_ms - set[i].heard_ms < FORGET_MS ? &set[i] : NULL;
	return NULL;
}

/* The place for a: its own, else the one heard of longest ago. */
static struct server *place(struct server *set, const struct addr *a, uint64_t now_ms)
{
	struct server *oldest = set, *known = find(set, a, now_ms);
	if (known)
		return known;
	for (int i = 0; i < WAYS; i++) {
		if (addr_equal(&set[i].addr, a)) {
			oldest = &set[i];
			break;
		}
		if (set[i].heard_ms < oldest->heard_ms)
			oldest = &set[i];
	}
	*oldest = (struct server){.addr = *a, .srtt_ms = SERVER_RTT_UNKNOWN_MS};
	return oldest;
}

static uint32_t timeout_of(const struct server *s)
{
	/* RFC 6298 2.3: srtt + 4 var */
	uint64_t t = s->srtt_ms + 4ULL * s->var_ms;
	t = t < SERVER_TIMEOUT_MIN_MS ? SERVER_TIMEOUT_MIN_MS : t;
	for (int i = 0; i < s->failures; i++)
		t *= PATIENCE;
	return t > SERVER_TIMEOUT_MAX_MS ? SERVER_TIMEOUT_MAX_MS : (uint32_t)t;
}

void server_get(struct server_table *t, struct server_info *out, const struct addr *a,
		uint64_t now_ms)
{
	struct shard *sh;
	struct server *set = set_of(t, a, &sh);
	*out = (struct server_info){.timeout_ms = SERVER_RTT_UNKNOWN_MS,
				    .srtt_ms = SERVER_RTT_UNKNOWN_MS};
	pthread_mutex_lock(&sh->lock);
	const struct server *s = find(set, a, now_ms);
	if (s)
		*out = (struct server_info){timeout_of(s), s->srtt_ms, s->failures, true};
	pthread_mutex_unlock(&sh->lock);
}

void server_replied(struct server_table *t, const struct addr *a, uint32_t rtt_ms,
		    uint64_t now_ms)
{
	struct shard *sh;
	struct server *set = set_of(t, a, &sh);
	pthread_mutex_lock(&sh->lock);
	bool first = !find(set, a, now_ms);
	struct server *s = place(set, a, now_ms);
	/* A server that had only failed until now has no measured time either. */
	if (first || (s->srtt_ms == SERVER_RTT_UNKNOWN_MS && s->var_ms == 0)) {
		s->srtt_ms = rtt_ms;
		s->var_ms = rtt_ms / 2;
	} else {
		uint32_t off =
			s->srtt_ms > rtt_ms ? s->srtt_ms - rtt_ms : rtt_ms - s->srtt_ms;
		s->var_ms = (3 * s->var_ms + off) / 4;
		s->srtt_ms = (7 * s->srtt_ms + rtt_ms) / 8;
	}
	s->failures = 0;
	s->heard_ms = now_ms;
	pthread_mutex_unlock(&sh->lock);
}

void server_failed(struct server_table *t, const struct addr *a, uint64_t now_ms)
{
	struct shard *sh;
	struct server *set = set_of(t, a, &sh);
	pthread_mutex_lock(&sh->lock);
	struct server *s = place(set, a, now_ms);
	if (s->failures < FAILURES_MAX)
		s->failures++;
	s->heard_ms = now_ms;
	pthread_mutex_unlock(&sh->lock);
}
