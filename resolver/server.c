#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "include/hash.h"
#include "resolver/server.h"

enum {
	SHARDS = 16,
	SETS = 128, /* per shard; 16 * 128 * 8 = 16,384 servers in about 1.6 MB */
	WAYS = 8,
	/* After this long nothing is known any more, as Unbound's infra-host-ttl. */
	FORGET_MS = 900 * 1000,
	/* Times the wait, per failure: a server a second away, not known yet, is heard on
	 * the second try, before a UDP client's 1.9 s are over; doubling would be late.
	 */
	PATIENCE = 3,
	FAILURES_MAX = 8, /* more adds nothing: the wait has long reached its limit */
	STREAK_MAX = SERVER_DEAD + 5, /* the same for the rest */
	/* One proof may be a forger's or a lost packet's; SECURITY.md 1B row 25. */
	PROOFS = 2,
	BELIEVED_MS = 900 * 1000, /* then the proofs are wanted again */
	LAME_MS = 300 * 1000,
	/* Exchanges in a row without a reply: no five servers are all dead by chance. */
	FAMILY_DEAD = 16,
};

struct server {
	struct addr addr; /* family 0: free */
	uint32_t srtt_ms, var_ms;
	uint64_t heard_ms;  /* last reply or failure */
	uint64_t failed_ms; /* the last failure that counted */
	uint64_t rest_until_ms, edns_until_ms, tcp_until_ms, lame_until_ms;
	uint32_t lame_zone; /* hash */
	uint8_t failures, streak, edns_proofs, tcp_proofs;
};

struct shard {
	pthread_mutex_t lock;
	struct server set[SETS][WAYS];
} __attribute__((aligned(64)));

struct server_table {
	struct hash_key key;
	_Atomic uint32_t silent[2]; /* exchanges since the last reply, IPv4 and IPv6 */
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

/* RFC 6298 2.3: srtt + 4 var */
static uint32_t rto_of(const struct server *s)
{
	uint64_t t = s->srtt_ms + 4ULL * s->var_ms;
	t = t < SERVER_TIMEOUT_MIN_MS ? SERVER_TIMEOUT_MIN_MS : t;
	return t > SERVER_TIMEOUT_MAX_MS ? SERVER_TIMEOUT_MAX_MS : (uint32_t)t;
}

uint32_t server_patience(uint32_t rto_ms, unsigned failures)
{
	uint64_t t = rto_ms;
	for (unsigned i = 0; i < failures && t < SERVER_TIMEOUT_MAX_MS; i++)
		t *= PATIENCE;
	return t > SERVER_TIMEOUT_MAX_MS ? SERVER_TIMEOUT_MAX_MS : (uint32_t)t;
}

/* The place of a with its shard locked; unlock() ends that. */
static struct server *lock(struct server_table *t, const struct addr *a, uint64_t now_ms,
			   struct shard **sh)
{
	struct server *set = set_of(t, a, sh);
	pthread_mutex_lock(&(*sh)->lock);
	struct server *s = place(set, a, now_ms);
	s->heard_ms = now_ms;
	return s;
}

static void unlock(struct shard *sh)
{
	pthread_mutex_unlock(&sh->lock);
}

void server_get(struct server_table *t, struct server_info *out, const struct addr *a,
		uint64_t now_ms)
{
	struct shard *sh;
	struct server *set = set_of(t, a, &sh);
	*out = (struct server_info){.timeout_ms = SERVER_RTT_UNKNOWN_MS,
				    .rto_ms = SERVER_RTT_UNKNOWN_MS,
				    .srtt_ms = SERVER_RTT_UNKNOWN_MS};
	pthread_mutex_lock(&sh->lock);
	const struct server *s = find(set, a, now_ms);
	if (s)
		*out = (struct server_info){
			.timeout_ms = server_patience(rto_of(s), s->failures),
			.rto_ms = rto_of(s),
			.srtt_ms = s->srtt_ms,
			.failures = s->failures,
			.known = true,
			.resting = s->rest_until_ms > now_ms,
			.no_edns = s->edns_proofs >= PROOFS && s->edns_until_ms > now_ms,
			.tcp_works = s->tcp_proofs > 0,
			.tcp_only = s->tcp_proofs >= PROOFS && s->tcp_until_ms > now_ms};
	unlock(sh);
}

static _Atomic uint32_t *silent_of(struct server_table *t, const struct addr *a)
{
	return &t->silent[a->family == 6];
}

bool server_family_dead(struct server_table *t, unsigned family)
{
	bool six = family == 6;
	return atomic_load_explicit(&t->silent[six], memory_order_relaxed) >=
		       FAMILY_DEAD &&
	       atomic_load_explicit(&t->silent[!six], memory_order_relaxed) < FAMILY_DEAD;
}

void server_replied(struct server_table *t, const struct addr *a, uint32_t rtt_ms,
		    uint64_t now_ms)
{
	struct shard *sh;
	struct server *s = lock(t, a, now_ms, &sh);
	/* A server that had only failed until now has no measured time either. */
	if (s->srtt_ms == SERVER_RTT_UNKNOWN_MS && s->var_ms == 0) {
		s->srtt_ms = rtt_ms;
		s->var_ms = rtt_ms / 2;
	} else {
		uint32_t off =
			s->srtt_ms > rtt_ms ? s->srtt_ms - rtt_ms : rtt_ms - s->srtt_ms;
		s->var_ms = (3 * s->var_ms + off) / 4;
		s->srtt_ms = (7 * s->srtt_ms + rtt_ms) / 8;
	}
	s->failures = s->streak = s->tcp_proofs = 0;
	s->rest_until_ms = 0;
	unlock(sh);
	atomic_store_explicit(silent_of(t, a), 0, memory_order_relaxed);
}

void server_failed(struct server_table *t, const struct addr *a, uint64_t sent_ms,
		   uint64_t now_ms)
{
	struct shard *sh;
	struct server *s = lock(t, a, now_ms, &sh);
	bool counts = s->streak == 0 || sent_ms >= s->failed_ms;
	s->failures = (uint8_t)(s->failures + (s->failures < FAILURES_MAX));
	if (counts) {
		s->failed_ms = now_ms;
		s->streak = (uint8_t)(s->streak + (s->streak < STREAK_MAX));
	}
	if (counts && s->streak >= SERVER_DEAD) {
		uint64_t rest = (uint64_t)SERVER_REST_MIN_MS << (s->streak - SERVER_DEAD);
		s->rest_until_ms =
			now_ms + (rest < SERVER_REST_MAX_MS ? rest : SERVER_REST_MAX_MS);
	}
	unlock(sh);
	if (counts)
		atomic_fetch_add_explicit(silent_of(t, a), 1, memory_order_relaxed);
}

void server_probed(struct server_table *t, const struct addr *a, uint64_t until_ms)
{
	struct shard *sh;
	struct server *set = set_of(t, a, &sh);
	pthread_mutex_lock(&sh->lock);
	struct server *s = find(set, a, until_ms);
	if (s && s->streak >= SERVER_DEAD)
		s->rest_until_ms = until_ms;
	unlock(sh);
}

void server_lacks_edns(struct server_table *t, const struct addr *a, uint64_t now_ms)
{
	struct shard *sh;
	struct server *s = lock(t, a, now_ms, &sh);
	if (s->edns_proofs >= PROOFS && s->edns_until_ms <= now_ms)
		s->edns_proofs = 0;
	if (s->edns_proofs < PROOFS && ++s->edns_proofs == PROOFS)
		s->edns_until_ms = now_ms + BELIEVED_MS;
	unlock(sh);
}

void server_has_edns(struct server_table *t, const struct addr *a, uint64_t now_ms)
{
	struct shard *sh;
	struct server *s = lock(t, a, now_ms, &sh);
	s->edns_proofs = 0;
	unlock(sh);
}

void server_needs_tcp(struct server_table *t, const struct addr *a, uint64_t now_ms)
{
	struct shard *sh;
	struct server *s = lock(t, a, now_ms, &sh);
	if (s->tcp_proofs >= PROOFS && s->tcp_until_ms <= now_ms)
		s->tcp_proofs = 0;
	if (s->tcp_proofs < PROOFS && ++s->tcp_proofs == PROOFS)
		s->tcp_until_ms = now_ms + BELIEVED_MS;
	s->rest_until_ms = 0;
	unlock(sh);
}

static uint32_t hash_zone(const struct server_table *t, const uint8_t *zone)
{
	return (uint32_t)hash_bytes(&t->key, zone, name_len(zone));
}

void server_lame(struct server_table *t, const struct addr *a, const uint8_t *zone,
		 uint64_t now_ms)
{
	struct shard *sh;
	struct server *s = lock(t, a, now_ms, &sh);
	s->lame_zone = hash_zone(t, zone);
	s->lame_until_ms = now_ms + LAME_MS;
	unlock(sh);
}

bool server_is_lame(struct server_table *t, const struct addr *a, const uint8_t *zone,
		    uint64_t now_ms)
{
	struct shard *sh;
	struct server *set = set_of(t, a, &sh);
	pthread_mutex_lock(&sh->lock);
	const struct server *s = find(set, a, now_ms);
	bool lame = s && s->lame_until_ms > now_ms && s->lame_zone == hash_zone(t, zone);
	unlock(sh);
	return lame;
}
