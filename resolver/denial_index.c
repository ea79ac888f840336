#include "resolver/denial_index.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "include/hash.h"
#include "resolver/rdata.h"
#include "resolver/rrset_cache.h"
#include "resolver/val_proof.h"

enum {
	SHARDS = 8,
	/* Per shard: an insertion moves half of their order, 16 kB, on average. */
	PLACES_MAX = 8192,
	ZONE_SHARE = 2, /* a zone fills a half of its shard at most */
	KEEP_MAX = 64,	/* records given another round by one put: bounds its time */
	READS_MAX = 3,
	NOT_THERE = PLACES_MAX, /* no index */
};

/* A record in its place: this, then owner, record, signatures and the server's name.
 * The zone is an end of the owner. */
struct span {
	uint64_t zone_hash;
	uint32_t stored_s, expires_s;
	uint16_t type, data_len, sigs_len, sig_n, port;
	uint8_t reads, zone_at, server_len, family;
	uint8_t addr[16];
	uint8_t bytes[];
};

/* order[0] to order[n - 1] are places in use, in order; the others are free. */
struct denial_shard {
	pthread_mutex_t lock;
	uint32_t *order;
	uint8_t *places;
	uint32_t n, places_n;
	uint32_t hand; /* in order: where evicting goes on */
	uint64_t evicted;
} __attribute__((aligned(64)));

struct denial {
	struct hash_key key;
	uint64_t size_bytes;
	uint32_t max_ttl_s;
	struct denial_shard shard[SHARDS];
};

/* ---- opening ---- */

static int open_shard(struct denial_shard *sh, uint64_t bytes)
{
	uint64_t n = bytes / (DENIAL_SPAN_MAX + sizeof *sh->order);
	pthread_mutex_init(&sh->lock, NULL);
	sh->places_n = (uint32_t)(n < PLACES_MAX ? n : PLACES_MAX);
	sh->order = calloc(sh->places_n, sizeof *sh->order);
	sh->places = calloc(sh->places_n, DENIAL_SPAN_MAX);
	for (uint32_t i = 0; sh->order && i < sh->places_n; i++)
		sh->order[i] = i;
	return sh->order && sh->places ? ERR_OK : ERR_NOMEM;
}

int denial_open(struct denial **out, uint64_t size_bytes, uint32_t max_ttl_s)
{
	int err = size_bytes < DENIAL_SIZE_MIN ? ERR_INVAL : ERR_OK;
	struct denial *d = err ? NULL : aligned_alloc(64, sizeof *d);
	*out = NULL;
	if (!d)
		return err ? err : ERR_NOMEM;
	memset(d, 0, sizeof *d);
	d->size_bytes = size_bytes;
	d->max_ttl_s =
		max_ttl_s < RRSET_NEGATIVE_TTL_MAX ? max_ttl_s : RRSET_NEGATIVE_TTL_MAX;
	if (getrandom(&d->key, sizeof d->key, 0) != sizeof d->key)
		err = ERR_IO;
	for (int i = 0; i < SHARDS; i++)
		err = open_shard(&d->shard[i], size_bytes / SHARDS) ? ERR_NOMEM : err;
	if (err)
		denial_close(d);
	else
		*out = d;
	return err;
}

void denial_close(struct denial *d)
{
	for (int i = 0; d && i < SHARDS; i++) {
		free(d->shard[i].order);
		free(d->shard[i].places);
		pthread_mutex_destroy(&d->shard[i].lock);
	}
	free(d);
}

/* ---- order ---- */

struct key {
	const struct denial_zone *zone;
	uint16_t type;
	const uint8_t *owner; /* NULL: behind all others of the type */
};

static struct span *span_at(const struct denial_shard *sh, uint32_t i)
{
	size_t at = (size_t)sh->order[i] * DENIAL_SPAN_MAX;
	return (struct span *)(void *)(sh->places + at);
}

static const uint8_t *zone_of(const struct span *s)
{
	return s->bytes + s->zone_at;
}

static int compare_zone(const struct denial_zone *z, const struct span *s)
{
	if (z->hash != s->zone_hash)
		return z->hash < s->zone_hash ? -1 : 1;
	return proof_order(z->name, zone_of(s));
}

/* 0: s is of that type of the zone. */
static int compare_piece(const struct key *k, const struct span *s)
{
	int c = compare_zone(k->zone, s);
	return c ? c : (int)k->type - s->type;
}

static int compare(const struct key *k, const struct span *s)
{
	int c = compare_piece(k, s);
	if (c || !k->owner)
		return c ? c : 1;
	return proof_order(k->owner, s->bytes);
}

/* How many stand at or before k. */
static uint32_t upto(const struct denial_shard *sh, const struct key *k)
{
	uint32_t low = 0, high = sh->n;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (compare(k, span_at(sh, middle)) < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* The piece of the order with these types of the zone: from *first to before *end. */
static void piece(const struct denial_shard *sh, const struct denial_zone *z,
		  uint16_t least, uint16_t most, uint32_t *first, uint32_t *end)
{
	*first = upto(sh, &(struct key){z, (uint16_t)(least - 1), NULL});
	*end = upto(sh, &(struct key){z, most, NULL});
}

static void remove_at(struct denial_shard *sh, uint32_t i)
{
	uint32_t place = sh->order[i];
	sh->n--;
	memmove(sh->order + i, sh->order + i + 1, (sh->n - i) * sizeof *sh->order);
	sh->order[sh->n] = place;
	sh->hand -= i < sh->hand;
}

static void insert_at(struct denial_shard *sh, uint32_t i)
{
	uint32_t place = sh->order[sh->n];
	memmove(sh->order + i + 1, sh->order + i, (sh->n - i) * sizeof *sh->order);
	sh->order[i] = place;
	sh->n++;
	sh->hand += i < sh->hand;
}

static bool is_live(const struct span *s, uint32_t now_s)
{
	return (int32_t)(s->expires_s - now_s) > 0;
}

/* CLOCK: what was read since the hand came by last stays. */
static void evict(struct denial_shard *sh, uint32_t first, uint32_t end, uint32_t now_s)
{
	for (int keep = KEEP_MAX;; keep--, sh->hand++) {
		if (sh->hand < first || sh->hand >= end)
			sh->hand = first;
		struct span *s = span_at(sh, sh->hand);
		if (!s->reads || keep == 0 || !is_live(s, now_s))
			break;
		s->reads--;
	}
	remove_at(sh, sh->hand);
	sh->evicted++;
}

/* ---- zones ---- */

struct denial_zone denial_zone(struct denial *d, const uint8_t *zone)
{
	struct denial_zone z = {.name = zone,
				.hash = hash_bytes(&d->key, zone, name_len(zone))};
	z.shard = &d->shard[z.hash % SHARDS];
	return z;
}

bool denial_zone_known(const struct denial_zone *z)
{
	struct denial_shard *sh = z->shard;
	pthread_mutex_lock(&sh->lock);
	uint32_t end = upto(sh, &(struct key){z, DNS_NSEC3, NULL});
	bool known = end && compare_zone(z, span_at(sh, end - 1)) == 0;
	pthread_mutex_unlock(&sh->lock);
	return known;
}

/* ---- writing ---- */

/* RFC 4470 and 9824: the record was made for the one name that was asked for. */
static bool is_for_one_name(const uint8_t *owner, const uint8_t *next)
{
	return next[0] == 1 && next[1] == 0 && name_equal(next + 2, owner);
}

/* RFC 5155 3.2: whether a name of usual length is hashed with few blocks. */
static bool is_cheap(const uint8_t *rdata)
{
	return proof_hash_blocks(0, wire_get16(rdata + 2), rdata[4]) <= DENIAL_BLOCKS_MAX;
}

/* The one record of s, if it may be kept. */
static const uint8_t *record(const struct rrset *s, const uint8_t *zone)
{
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	if (s->kind != RRSET_DATA || !name_within(s->owner, zone) ||
	    !rrset_next(s, &at, &rdata, &len) || at != s->data_len)
		return NULL;
	struct wire_reader r = wire_reader(rdata, len);
	if (rdata_check(&r, s->type, len))
		return NULL;
	switch (s->type) {
	case DNS_SOA:
		return name_equal(s->owner, zone) ? rdata : NULL;
	case DNS_NSEC:
		return is_for_one_name(s->owner, rdata) ? NULL : rdata;
	case DNS_NSEC3:
		return is_cheap(rdata) ? rdata : NULL;
	default:
		return NULL;
	}
}

/* Iterations, salt's length and salt, RFC 5155 3.2. */
static bool same_params(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a + 2, b + 2, 3U + a[4]) == 0;
}

static const uint8_t *rdata_of(const struct span *s)
{
	return s->bytes + name_len(s->bytes) + 2;
}

/* A zone that has changed its parameters has another order of hashes. */
static void drop_other_params(struct denial_shard *sh, const struct denial_zone *z,
			      const uint8_t *rdata)
{
	uint32_t first, end;
	piece(sh, z, DNS_NSEC3, DNS_NSEC3, &first, &end);
	if (first == end || same_params(rdata, rdata_of(span_at(sh, first))))
		return;
	while (end-- > first)
		remove_at(sh, end);
}

static void make_room(struct denial_shard *sh, const struct denial_zone *z,
		      uint32_t now_s)
{
	uint32_t first, end;
	piece(sh, z, DNS_SOA, DNS_NSEC3, &first, &end);
	if (end - first >= sh->places_n / ZONE_SHARE)
		evict(sh, first, end, now_s);
	else if (sh->n == sh->places_n)
		evict(sh, 0, sh->n, now_s);
}

/* The place for k, whose record it may hold already. */
static struct span *place(struct denial_shard *sh, const struct key *k, uint32_t now_s)
{
	uint32_t i = upto(sh, k);
	if (i > 0 && compare(k, span_at(sh, i - 1)) == 0)
		return span_at(sh, i - 1);
	make_room(sh, k->zone, now_s);
	i = upto(sh, k);
	insert_at(sh, i);
	span_at(sh, i)->reads = 0;
	return span_at(sh, i);
}

static void write_span(struct span *to, const struct span *head, const struct rrset *s)
{
	struct wire_writer w = wire_writer(to->bytes, DENIAL_SPAN_MAX - sizeof *to);
	uint8_t reads = to->reads;
	*to = *head;
	to->reads = reads;
	wire_put_name(&w, s->owner);
	wire_put(&w, s->data, s->data_len);
	wire_put(&w, s->sigs, s->sigs_len);
	wire_put(&w, s->from.server, head->server_len);
}

void denial_put(struct denial *d, const uint8_t *zone, const struct rrset *s,
		uint32_t ttl_s, uint32_t now_s)
{
	const uint8_t *rdata = record(s, zone);
	size_t owner_len = name_len(s->owner);
	size_t server_len = s->from.server ? name_len(s->from.server) : 0;
	ttl_s = ttl_s < d->max_ttl_s ? ttl_s : d->max_ttl_s;
	if (!rdata || ttl_s == 0 ||
	    sizeof(struct span) + owner_len + s->data_len + s->sigs_len + server_len >
		    DENIAL_SPAN_MAX)
		return;
	const struct denial_zone z = denial_zone(d, zone);
	struct span head = {.zone_hash = z.hash,
			    .stored_s = now_s,
			    .expires_s = now_s + ttl_s,
			    .type = s->type,
			    .data_len = (uint16_t)s->data_len,
			    .sigs_len = (uint16_t)s->sigs_len,
			    .sig_n = s->sig_n,
			    .port = s->from.addr.port,
			    .zone_at = (uint8_t)(owner_len - name_len(zone)),
			    .server_len = (uint8_t)server_len,
			    .family = s->from.addr.family};
	memcpy(head.addr, s->from.addr.bytes, sizeof head.addr);
	pthread_mutex_lock(&z.shard->lock);
	if (s->type == DNS_NSEC3)
		drop_other_params(z.shard, &z, rdata);
	write_span(place(z.shard, &(struct key){&z, s->type, s->owner}, now_s), &head, s);
	pthread_mutex_unlock(&z.shard->lock);
}

/* ---- reading ---- */

static const struct rrset *copy_out(const struct span *s, struct arena *arena,
				    uint32_t now_s)
{
	/* now before stored: the clock went back a little; never longer than was given */
	uint32_t given = s->expires_s - s->stored_s, left = s->expires_s - now_s;
	size_t owner_len = name_len(s->bytes);
	size_t len = owner_len + s->data_len + s->sigs_len + s->server_len;
	struct rrset *out = arena_get(arena, sizeof *out);
	uint8_t *p = arena_copy(arena, s->bytes, len);
	if (!out || !p)
		return NULL;
	*out = (struct rrset){.owner = p,
			      .type = s->type,
			      .rank = RANK_AUTHORITY,
			      .security = SECURITY_SECURE,
			      .rr_n = 1,
			      .sig_n = s->sig_n,
			      .ttl = left < given ? left : given,
			      .data_len = s->data_len,
			      .sigs_len = s->sigs_len,
			      .data = p + owner_len,
			      .sigs = p + owner_len + s->data_len};
	out->from.zone = p + s->zone_at;
	if (s->server_len)
		out->from.server = out->sigs + s->sigs_len;
	out->from.addr = (struct addr){.family = s->family, .port = s->port};
	memcpy(out->from.addr.bytes, s->addr, sizeof s->addr);
	return out;
}

static uint32_t find_at(const struct denial_shard *sh, const struct key *k)
{
	const struct key last = {k->zone, k->type, NULL};
	uint32_t end = upto(sh, k);
	if (!end || compare_piece(k, span_at(sh, end - 1)))
		end = upto(sh, &last);
	return !end || compare_piece(k, span_at(sh, end - 1)) ? NOT_THERE : end - 1;
}

int denial_find(const struct rrset **out, const struct denial_zone *z, uint16_t type,
		const uint8_t *owner, struct arena *arena, uint32_t now_s)
{
	struct denial_shard *sh = z->shard;
	int err = ERR_OK;
	*out = NULL;
	pthread_mutex_lock(&sh->lock);
	uint32_t i = find_at(sh, &(struct key){z, type, owner});
	struct span *s = i == NOT_THERE ? NULL : span_at(sh, i);
	if (s && is_live(s, now_s)) {
		s->reads = (uint8_t)(s->reads + (s->reads < READS_MAX));
		*out = copy_out(s, arena, now_s);
		err = *out ? ERR_OK : ERR_NOMEM;
	} else if (s) {
		remove_at(sh, i);
	}
	pthread_mutex_unlock(&sh->lock);
	return err;
}

/* ---- forgetting ---- */

typedef bool drop_fn(const void *arg, const struct span *s);

static uint64_t sweep(struct denial *d, drop_fn *drop, const void *arg)
{
	uint64_t n = 0;
	for (int k = 0; k < SHARDS; k++) {
		struct denial_shard *sh = &d->shard[k];
		pthread_mutex_lock(&sh->lock);
		for (uint32_t i = sh->n; i-- > 0;)
			if (drop(arg, span_at(sh, i))) {
				remove_at(sh, i);
				n++;
			}
		pthread_mutex_unlock(&sh->lock);
	}
	return n;
}

struct flush {
	const uint8_t *name;
	bool subtree;
};

static bool drop_named(const void *arg, const struct span *s)
{
	const struct flush *f = arg;
	return !f->name || name_within(f->name, zone_of(s)) ||
	       (f->subtree && name_within(zone_of(s), f->name));
}

static bool drop_dated_after(const void *arg, const struct span *s)
{
	return (int32_t)(s->stored_s - *(const uint32_t *)arg) > 0;
}

uint64_t denial_flush(struct denial *d, const uint8_t *name, bool subtree)
{
	return sweep(d, drop_named, &(struct flush){name, subtree});
}

uint64_t denial_drop_future(struct denial *d, uint32_t now_s)
{
	return sweep(d, drop_dated_after, &now_s);
}

void denial_stats(struct denial *d, struct denial_stats *out)
{
	*out = (struct denial_stats){.limit = d->size_bytes, .bytes = sizeof *d};
	for (int i = 0; i < SHARDS; i++) {
		struct denial_shard *sh = &d->shard[i];
		pthread_mutex_lock(&sh->lock);
		out->bytes += sh->places_n * sizeof *sh->order +
			      (uint64_t)sh->n * DENIAL_SPAN_MAX;
		out->spans += sh->n;
		out->evicted += sh->evicted;
		pthread_mutex_unlock(&sh->lock);
	}
}
