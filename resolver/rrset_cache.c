#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "include/hash.h"
#include "resolver/cache_shard.h"
#include "resolver/rrset_cache.h"

/* Key of an entry: the name in lower case, then a 16-bit type; one byte more for a
 * failure to answer. Two type numbers that no RRset has (RFC 6895 3.1) stand for what is
 * known of the name as a whole. The tag comes from the name alone but for its last step,
 * so a name has one shard. */
enum {
	TYPE_DELEGATION = 0,
	TYPE_NXDOMAIN = 65535,
	KEY_MAX = DNS_NAME_MAX + 3,
	SHARDS_MAX = 64,
	SHARDS_MIN = 16,
	SHARD_WANTED = 1 << 20, /* bytes; fewer shards while they would be smaller */
	NOT_WITHIN = 255,	/* offset of a name that is no end of the owner */
};

/* What stands before the data in a value; then data, signatures, the server's name, and
 * the proofs. zone_at and soa_at are offsets into the owner, whose ends those names are.
 */
struct stored {
	uint32_t stored_s, expires_s;
	uint32_t sequence; /* tells which of NXDOMAIN and data is newer */
	uint16_t rr_n, sig_n, data_len, sigs_len, proofs_len, port;
	int16_t why;
	uint16_t why_type;
	uint8_t kind, rank, security, proof_n;
	bool cut, brief; /* brief: it came with TTL 0 */
	uint8_t zone_at, soa_at, why_at;
	uint8_t server_len, family;
	uint8_t addr[16];
};

struct shard {
	pthread_mutex_t lock;
	struct cache_shard store;
	uint64_t hits, misses;
	uint32_t sequence;
} __attribute__((aligned(64)));

struct rrset_cache {
	struct hash_key key;
	struct rrset_cache_conf conf;
	unsigned shards;
	struct shard shard[SHARDS_MAX];
};

/* ---- opening ---- */

int rrset_cache_open(struct rrset_cache **out, const struct rrset_cache_conf *conf)
{
	struct rrset_cache *c = aligned_alloc(64, sizeof *c);
	*out = NULL;
	if (!c)
		return ERR_NOMEM;
	memset(c, 0, sizeof *c);
	c->conf = *conf;
	int err = getrandom(&c->key, sizeof c->key, 0) == sizeof c->key ? 0 : ERR_IO;
	unsigned want = SHARDS_MAX;
	while (want > SHARDS_MIN && conf->size_bytes / want < SHARD_WANTED)
		want /= 2;
	for (; !err && c->shards < want; c->shards += !err) {
		struct shard *s = &c->shard[c->shards];
		pthread_mutex_init(&s->lock, NULL);
		err = cache_shard_open(&s->store, conf->size_bytes / want);
	}
	if (err)
		rrset_cache_close(c);
	else
		*out = c;
	return err;
}

void rrset_cache_close(struct rrset_cache *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->shards; i++) {
		cache_shard_close(&c->shard[i].store);
		pthread_mutex_destroy(&c->shard[i].lock);
	}
	free(c);
}

/* ---- keys ---- */

struct key {
	uint8_t bytes[KEY_MAX];
	size_t len; /* with the type */
	uint64_t hash;
	struct shard *shard;
	uint32_t stale_s;
};

static void key_name(struct rrset_cache *c, struct key *k, const uint8_t *name)
{
	k->len = name_len(name) + 2;
	memcpy(k->bytes, name, k->len - 2);
	k->hash = hash_bytes(&c->key, k->bytes, k->len - 2);
	k->shard = &c->shard[(k->hash >> 32) % c->shards];
	k->stale_s = c->conf.stale_s;
}

static uint32_t key_type(struct key *k, uint16_t type)
{
	wire_set16(k->bytes + k->len - 2, type);
	return (uint32_t)k->hash + type * 0x9e3779b1U; /* odd: types do not collide */
}

static struct cache_entry *find(struct key *k, uint16_t type)
{
	uint32_t tag = key_type(k, type);
	return cache_shard_find(&k->shard->store, tag, k->bytes, k->len);
}

static struct stored *entry_stored(struct cache_entry *e)
{
	return (struct stored *)(void *)e->bytes;
}

static bool is_live(const struct stored *s, uint32_t now_s)
{
	return (int32_t)(s->expires_s - now_s) > 0;
}

/* The living entry; one that is of no more use goes at once. */
static struct cache_entry *find_live(struct key *k, uint16_t type, uint32_t now_s)
{
	struct cache_entry *e = find(k, type);
	if (!e || is_live(entry_stored(e), now_s))
		return e;
	if (!is_live(entry_stored(e), now_s - k->stale_s))
		cache_shard_remove(&k->shard->store, e);
	return NULL;
}

/* ---- writing ---- */

/* Where in owner the name end begins, when it is an end of owner. */
static uint8_t offset_within(const uint8_t *owner, const uint8_t *end)
{
	if (!end || !name_within(owner, end))
		return NOT_WITHIN;
	return (uint8_t)(name_len(owner) - name_len(end));
}

static void fill_origin(struct stored *st, const uint8_t *owner,
			const struct origin *from)
{
	st->zone_at = offset_within(owner, from->zone);
	st->server_len = (uint8_t)(from->server ? name_len(from->server) : 0);
	st->family = from->addr.family;
	st->port = from->addr.port;
	memcpy(st->addr, from->addr.bytes, sizeof st->addr);
}

/* What has been validated lives no longer than its signatures, or than bogus may. */
static uint32_t least_ttl(const struct rrset_cache *c, const struct rrset *s)
{
	return s->security == SECURITY_SECURE || s->security == SECURITY_BOGUS
		       ? 0
		       : c->conf.min_ttl_s;
}

static uint32_t clip_ttl(const struct rrset_cache *c, uint32_t ttl, uint32_t least_s,
			 bool negative)
{
	if (ttl < least_s)
		ttl = least_s;
	if (ttl > c->conf.max_ttl_s)
		ttl = c->conf.max_ttl_s;
	return negative && ttl > RRSET_NEGATIVE_TTL_MAX ? RRSET_NEGATIVE_TTL_MAX : ttl;
}

/* A proof in a value: this, then its owner, records and signatures. */
struct stored_proof {
	uint32_t ttl;
	uint16_t type, rr_n, sig_n, data_len, sigs_len;
};

static size_t proofs_len(const struct rrset *s)
{
	size_t n = 0;
	for (int i = 0; i < s->proof_n; i++)
		n += sizeof(struct stored_proof) + name_len(s->proof[i]->owner) +
		     s->proof[i]->data_len + s->proof[i]->sigs_len;
	return n;
}

static void write_proofs(struct wire_writer *w, const struct rrset *s)
{
	for (int i = 0; i < s->proof_n; i++) {
		const struct rrset *p = s->proof[i];
		const struct stored_proof st = {.ttl = p->ttl,
						.type = p->type,
						.rr_n = p->rr_n,
						.sig_n = p->sig_n,
						.data_len = (uint16_t)p->data_len,
						.sigs_len = (uint16_t)p->sigs_len};
		wire_put(w, &st, sizeof st);
		wire_put_name(w, p->owner);
		wire_put(w, p->data, p->data_len);
		wire_put(w, p->sigs, p->sigs_len);
	}
}

/* Puts one value in under the key; the lock is held. s has data, signatures, server and
 * proofs as long as st says. */
static void write_entry(struct key *k, uint16_t type, const struct stored *st,
			const struct rrset *s)
{
	size_t len = sizeof *st + st->data_len + st->sigs_len + st->server_len +
		     st->proofs_len;
	uint32_t tag = key_type(k, type);
	uint8_t *p = cache_shard_put(&k->shard->store, tag, k->bytes, k->len, len);
	if (!p)
		return;
	struct wire_writer w = wire_writer(p, len);
	wire_put(&w, st, sizeof *st);
	wire_put(&w, s->data, st->data_len);
	wire_put(&w, s->sigs, st->sigs_len);
	wire_put(&w, s->from.server, st->server_len);
	write_proofs(&w, s);
}

/* What has been validated gives way only to what has been validated too. */
static bool is_secure(const struct stored *st)
{
	return st->security == SECURITY_SECURE;
}

static bool may_replace(const struct stored *old, const struct stored *st)
{
	return old->rank <= st->rank && (is_secure(st) || !is_secure(old));
}

/* A denial of the name and records of it cannot both stand, nor come back when the
 * records have expired as well. Glue proves nothing. */
static void drop_denial(struct key *k, const struct stored *st, uint32_t now_s)
{
	struct cache_entry *e = find(k, TYPE_NXDOMAIN);
	if (!e || st->rank < RANK_AUTHORITY)
		return;
	if (!is_live(entry_stored(e), now_s) || may_replace(entry_stored(e), st))
		cache_shard_remove(&k->shard->store, e);
}

/* What was known before is not told again, though what came now cannot be kept. */
static void drop_expired(struct rrset_cache *c, const uint8_t *name, uint16_t type,
			 uint32_t now_s)
{
	const uint16_t types[] = {type, TYPE_NXDOMAIN};
	struct key k;
	if (!c->conf.stale_s)
		return;
	key_name(c, &k, name);
	pthread_mutex_lock(&k.shard->lock);
	for (int i = 0; i < 2; i++) {
		struct cache_entry *e = find(&k, types[i]);
		if (e && !is_live(entry_stored(e), now_s))
			cache_shard_remove(&k.shard->store, e);
	}
	pthread_mutex_unlock(&k.shard->lock);
}

/* There is no such name, so none of its types. Who forged that is not to close them all,
 * the DS of a zone among them, for what was asked. */
static bool is_of_whole_name(const struct rrset *s)
{
	return s->kind == RRSET_NXDOMAIN && s->security != SECURITY_BOGUS;
}

void rrset_cache_put(struct rrset_cache *c, const struct rrset *s, uint32_t now_s)
{
	bool negative = s->kind != RRSET_DATA, whole = is_of_whole_name(s);
	uint32_t ttl = clip_ttl(c, s->ttl, least_ttl(c, s), negative);
	uint16_t type = whole ? TYPE_NXDOMAIN : s->type;
	size_t proofs = proofs_len(s);
	if (!whole && (type == TYPE_NXDOMAIN || type == 0 || dns_type_is_meta(type)))
		return;
	bool brief = ttl == 0 && s->type == DNS_DNAME && !negative;
	if (brief)
		ttl = RRSET_DNAME_LIFE_S;
	if (ttl == 0 || s->data_len + s->sigs_len + proofs > RRSET_ENTRY_MAX ||
	    s->rr_n > RRSET_RECORDS_MAX) {
		drop_expired(c, s->owner, type, now_s);
		return;
	}
	struct stored st = {.stored_s = now_s,
			    .expires_s = now_s + ttl,
			    .rr_n = s->rr_n,
			    .sig_n = s->sig_n,
			    .data_len = (uint16_t)s->data_len,
			    .sigs_len = (uint16_t)s->sigs_len,
			    .proofs_len = (uint16_t)proofs,
			    .kind = s->kind,
			    .rank = s->rank,
			    .security = s->security,
			    .why = s->why,
			    .why_type = s->why_type,
			    .why_at = offset_within(s->owner, s->why_name),
			    .cut = s->cut,
			    .brief = brief,
			    .proof_n = s->proof_n,
			    .soa_at = offset_within(s->owner, s->soa_owner)};
	/* A SOA from elsewhere proves nothing about this name, RFC 2308 5; without one
	 * or a proof nobody says how long. */
	if (negative && (s->rr_n ? st.soa_at == NOT_WITHIN : !s->proof_n))
		return;
	fill_origin(&st, s->owner, &s->from);
	struct key k;
	key_name(c, &k, s->owner);
	pthread_mutex_lock(&k.shard->lock);
	struct cache_entry *old = find_live(&k, type, now_s);
	if (!old || may_replace(entry_stored(old), &st)) {
		st.sequence = ++k.shard->sequence;
		if (!whole)
			drop_denial(&k, &st, now_s);
		write_entry(&k, type, &st, s);
	}
	pthread_mutex_unlock(&k.shard->lock);
}

/* ---- reading ---- */

/* The proofs in the len bytes at bytes, which live as long as s. */
static int read_proofs(struct rrset *s, struct arena *arena, const uint8_t *bytes,
		       size_t len)
{
	struct rrset *set = arena_zero(arena, s->proof_n * sizeof *set);
	const struct rrset **list = arena_get(arena, s->proof_n * sizeof *list);
	struct wire_reader r = wire_reader(bytes, len);
	if (!set || !list)
		return ERR_NOMEM;
	for (int i = 0; i < s->proof_n; i++) {
		struct stored_proof st;
		memcpy(&st, wire_take(&r, sizeof st), sizeof st);
		set[i] = (struct rrset){.owner = r.at,
					.type = st.type,
					.rank = s->rank,
					.security = s->security,
					.rr_n = st.rr_n,
					.sig_n = st.sig_n,
					.ttl = st.ttl < s->ttl ? st.ttl : s->ttl,
					.data_len = st.data_len,
					.sigs_len = st.sigs_len,
					.from = s->from};
		(void)wire_take(&r, name_len(r.at));
		set[i].data = wire_take(&r, st.data_len);
		set[i].sigs = wire_take(&r, st.sigs_len);
		list[i] = &set[i];
	}
	s->proof = list;
	return ERR_OK;
}

/* Copies owner, data, signatures, server's name and proofs into one piece of the arena.
 */
static int copy_out(struct rrset *out, struct arena *arena, const struct cache_entry *e,
		    uint32_t now_s)
{
	const struct stored *st = (const struct stored *)(const void *)e->bytes;
	size_t owner_len = e->key_len - 2U;
	size_t rest_len =
		(size_t)st->data_len + st->sigs_len + st->server_len + st->proofs_len;
	uint8_t *p = arena_get(arena, owner_len + rest_len);
	if (!p)
		return ERR_NOMEM;
	memcpy(p, cache_entry_key(e), owner_len);
	memcpy(p + owner_len, e->bytes + sizeof *st, rest_len);
	/* now before stored: the clock went back a little; never longer than was given */
	uint32_t given = st->expires_s - st->stored_s, left = st->expires_s - now_s;
	*out = (struct rrset){.owner = p,
			      .kind = st->kind,
			      .rank = st->rank,
			      .security = st->security,
			      .why = st->why,
			      .why_type = st->why_type,
			      .cut = st->cut,
			      .rr_n = st->rr_n,
			      .sig_n = st->sig_n,
			      .proof_n = st->proof_n,
			      .ttl = st->brief	    ? 0
				     : left > given ? given
						    : left,
			      .stored_s = st->stored_s,
			      .data_len = st->data_len,
			      .sigs_len = st->sigs_len,
			      .data = p + owner_len};
	const uint8_t *server = out->data + st->data_len + st->sigs_len;
	out->sigs = out->data + st->data_len;
	if (st->soa_at != NOT_WITHIN)
		out->soa_owner = p + st->soa_at;
	if (st->why_at != NOT_WITHIN)
		out->why_name = p + st->why_at;
	if (st->zone_at != NOT_WITHIN)
		out->from.zone = p + st->zone_at;
	if (st->server_len)
		out->from.server = server;
	out->from.addr = (struct addr){.family = st->family, .port = st->port};
	memcpy(out->from.addr.bytes, st->addr, sizeof st->addr);
	return st->proof_n
		       ? read_proofs(out, arena, server + st->server_len, st->proofs_len)
		       : ERR_OK;
}

/* The newer one of what is known of the type and of the whole name. */
static struct cache_entry *find_best(struct key *k, uint16_t type, unsigned least,
				     uint32_t now_s)
{
	struct cache_entry *e = find_live(k, type, now_s);
	struct cache_entry *nx = find_live(k, TYPE_NXDOMAIN, now_s);
	e = e && entry_stored(e)->rank >= least ? e : NULL;
	nx = nx && entry_stored(nx)->rank >= least ? nx : NULL;
	if (!e || !nx)
		return e ? e : nx;
	if (is_secure(entry_stored(e)) != is_secure(entry_stored(nx)))
		return is_secure(entry_stored(e)) ? e : nx;
	int32_t newer = (int32_t)(entry_stored(nx)->sequence - entry_stored(e)->sequence);
	return newer > 0 ? nx : e;
}

/* Copies the better of both out. */
static int get(struct rrset_cache *c, struct rrset *out, struct arena *arena,
	       const uint8_t *name, uint16_t type, unsigned least, uint32_t now_s)
{
	int r = RRSET_CACHE_MISS;
	struct key k;
	key_name(c, &k, name);
	pthread_mutex_lock(&k.shard->lock);
	struct cache_entry *e = find_best(&k, type, least, now_s);
	if (e) {
		cache_entry_read(e);
		r = copy_out(out, arena, e, now_s);
		out->type = type;
		r = r ? r : RRSET_CACHE_HIT;
	}
	k.shard->hits += e != NULL;
	k.shard->misses += e == NULL;
	pthread_mutex_unlock(&k.shard->lock);
	return r;
}

int rrset_cache_get(struct rrset_cache *c, struct rrset *out, struct arena *arena,
		    const uint8_t *name, uint16_t type, enum rrset_rank least,
		    uint32_t now_s)
{
	if (type == TYPE_DELEGATION || type == TYPE_NXDOMAIN)
		return RRSET_CACHE_MISS;
	return get(c, out, arena, name, type, least, now_s);
}

/* That a name does not exist was forged, or its proof lost: those below are asked for. */
static bool speaks_below(const struct rrset *s)
{
	return s->kind == RRSET_DATA ||
	       (s->kind == RRSET_NXDOMAIN && s->security != SECURITY_BOGUS);
}

int rrset_cache_get_above(struct rrset_cache *c, struct rrset *out, struct arena *arena,
			  const uint8_t *name, const uint8_t *zone, uint32_t now_s)
{
	for (unsigned n = name_labels(name), last = name_labels(zone); n > last; n--) {
		name = name_parent(name);
		int r = get(c, out, arena, name, DNS_DNAME, RANK_AUTHORITY, now_s);
		if (r < 0 || (r == RRSET_CACHE_HIT && speaks_below(out)))
			return r;
	}
	return RRSET_CACHE_MISS;
}

/* ---- delegations ---- */

enum {
	FOREIGN = 0x80, /* beside the count of addresses */
	DELEGATION_MAX =
		DELEGATION_SERVERS_MAX * (DNS_NAME_MAX + 1 + DELEGATION_ADDRS_MAX * 17)
};
_Static_assert((int)DELEGATION_MAX <= (int)RRSET_ENTRY_MAX,
	       "every delegation fits one entry");

/* Data of a delegation: per server its name, a count, and per address family and bytes.
 */
static size_t pack_delegation(uint8_t data[DELEGATION_MAX], const struct delegation *d)
{
	struct wire_writer w = wire_writer(data, DELEGATION_MAX);
	for (int i = 0; i < d->servers_n; i++) {
		const struct delegation_server *s = &d->server[i];
		wire_put_name(&w, s->name);
		wire_put8(&w, (unsigned)s->addr_n | (s->foreign ? FOREIGN : 0));
		for (int k = 0; k < s->addr_n; k++) {
			wire_put8(&w, s->addr[k].family);
			wire_put(&w, s->addr[k].bytes, addr_len(&s->addr[k]));
		}
	}
	return wire_written(&w);
}

static void unpack_delegation(struct delegation *out, const struct rrset *s)
{
	struct wire_reader r = wire_reader(s->data, s->data_len);
	*out = (struct delegation){.zone = s->owner, .ttl = s->ttl, .from = s->from};
	while (wire_left(&r)) {
		struct delegation_server *d = &out->server[out->servers_n++];
		d->name = r.at;
		(void)wire_take(&r, name_len(r.at));
		unsigned n = wire_u8(&r);
		d->foreign = n & FOREIGN;
		d->addr_n = (int)(n & ~(unsigned)FOREIGN);
		for (int k = 0; k < d->addr_n; k++) {
			d->addr[k].family = wire_u8(&r);
			size_t len = addr_len(&d->addr[k]);
			memcpy(d->addr[k].bytes, wire_take(&r, len), len);
		}
	}
}

static void put_cut(struct rrset_cache *c, const struct delegation *d, uint32_t now_s,
		    bool replace)
{
	uint8_t data[DELEGATION_MAX];
	uint32_t ttl = clip_ttl(c, d->ttl, c->conf.min_ttl_s, false);
	struct key k;
	if (ttl == 0 || d->servers_n == 0)
		return;
	struct stored st = {.stored_s = now_s,
			    .expires_s = now_s + ttl,
			    .rr_n = (uint16_t)d->servers_n,
			    .data_len = (uint16_t)pack_delegation(data, d),
			    .rank = RANK_REFERRAL,
			    .soa_at = NOT_WITHIN,
			    .why_at = NOT_WITHIN};
	fill_origin(&st, d->zone, &d->from);
	key_name(c, &k, d->zone);
	pthread_mutex_lock(&k.shard->lock);
	struct cache_entry *old = find_live(&k, TYPE_DELEGATION, now_s);
	if (old && (int32_t)(entry_stored(old)->expires_s - st.expires_s) < 0)
		st.expires_s = entry_stored(old)->expires_s;
	if (!old || replace)
		write_entry(&k, TYPE_DELEGATION, &st,
			    &(struct rrset){.data = data, .from = d->from});
	pthread_mutex_unlock(&k.shard->lock);
}

void rrset_cache_put_delegation(struct rrset_cache *c, const struct delegation *d,
				uint32_t now_s)
{
	put_cut(c, d, now_s, false);
}

void rrset_cache_replace_delegation(struct rrset_cache *c, const struct delegation *d,
				    uint32_t now_s)
{
	put_cut(c, d, now_s, true);
}

/* The cut at exactly that name. */
static int get_cut(struct rrset_cache *c, struct delegation *out, struct arena *arena,
		   const uint8_t *zone, uint32_t now_s)
{
	int r = RRSET_CACHE_MISS;
	struct rrset s;
	struct key k;
	key_name(c, &k, zone);
	pthread_mutex_lock(&k.shard->lock);
	struct cache_entry *e = find_live(&k, TYPE_DELEGATION, now_s);
	if (e) {
		cache_entry_read(e);
		r = copy_out(&s, arena, e, now_s);
		r = r ? r : RRSET_CACHE_HIT;
	}
	pthread_mutex_unlock(&k.shard->lock);
	if (r == RRSET_CACHE_HIT)
		unpack_delegation(out, &s);
	return r;
}

int rrset_cache_get_delegation(struct rrset_cache *c, struct delegation *out,
			       struct arena *arena, const uint8_t *name,
			       bool strictly_above, uint32_t now_s)
{
	if (strictly_above && *name == 0)
		return RRSET_CACHE_MISS;
	for (name = strictly_above ? name_parent(name) : name;;
	     name = name_parent(name)) {
		int r = get_cut(c, out, arena, name, now_s);
		if (r != RRSET_CACHE_MISS || *name == 0)
			return r;
	}
}

/* ---- failures ---- */

static void key_failure(struct rrset_cache *c, struct key *k, const uint8_t *name)
{
	key_name(c, k, name);
	k->bytes[k->len++ - 2] = 'F'; /* where a name ends: no other key is like that */
}

/* A failure found out again while the last one is not long past doubles its time. */
static uint32_t failure_ttl(struct key *k, const struct failure *f, uint32_t now_s)
{
	struct cache_entry *e = find(k, f->type);
	uint32_t first_s = f->least_s ? f->least_s : FAILURE_TTL_MIN_S;
	if (!e)
		return first_s;
	const struct stored *st = entry_stored(e);
	uint32_t ttl = st->expires_s - st->stored_s;
	if (now_s - st->stored_s > 2 * ttl)
		return first_s;
	/* Another worker was told so just now. */
	if (!is_live(st, now_s))
		ttl = ttl > FAILURE_TTL_MAX_S / 2 ? FAILURE_TTL_MAX_S : 2 * ttl;
	return ttl > first_s ? ttl : first_s;
}

/* The rules stand before the text. */
void rrset_cache_put_failure(struct rrset_cache *c, const struct failure *f,
			     uint32_t now_s)
{
	enum { RULES = sizeof f->rules };
	uint8_t data[RULES + FAILURE_TEXT_MAX];
	size_t len = strnlen(f->text, FAILURE_TEXT_MAX);
	struct key k;
	memcpy(data, &f->rules, RULES);
	memcpy(data + RULES, f->text, len);
	key_failure(c, &k, f->name);
	pthread_mutex_lock(&k.shard->lock);
	struct stored st = {.stored_s = now_s,
			    .expires_s = now_s + failure_ttl(&k, f, now_s),
			    .data_len = (uint16_t)(RULES + len)};
	if (f->until_s && f->until_s < st.expires_s)
		st.expires_s = f->until_s;
	write_entry(&k, f->type, &st, &(struct rrset){.data = data});
	pthread_mutex_unlock(&k.shard->lock);
}

int rrset_cache_get_failure(struct rrset_cache *c, struct failure *f, struct arena *arena,
			    uint32_t now_s)
{
	enum { RULES = sizeof f->rules };
	int r = RRSET_CACHE_MISS;
	struct key k;
	key_failure(c, &k, f->name);
	pthread_mutex_lock(&k.shard->lock);
	struct cache_entry *e = find(&k, f->type);
	const uint8_t *data = e ? e->bytes + sizeof(struct stored) : NULL;
	/* What has expired stays, so that its time can be doubled. */
	if (e && is_live(entry_stored(e), now_s) && !memcmp(data, &f->rules, RULES)) {
		size_t len = entry_stored(e)->data_len - (size_t)RULES;
		char *text = arena_zero(arena, len + 1);
		r = text ? RRSET_CACHE_HIT : ERR_NOMEM;
		if (text)
			memcpy(text, data + RULES, len);
		f->text = text;
	}
	pthread_mutex_unlock(&k.shard->lock);
	return r;
}

void rrset_cache_forgive(struct rrset_cache *c, const uint8_t *name, uint16_t type)
{
	struct key k;
	key_failure(c, &k, name);
	pthread_mutex_lock(&k.shard->lock);
	struct cache_entry *e = find(&k, type);
	if (e)
		cache_shard_remove(&k.shard->store, e);
	pthread_mutex_unlock(&k.shard->lock);
}

/* ---- forgetting ---- */

struct flush {
	const uint8_t *name;
	bool subtree;
};

static bool drop_named(void *arg, const struct cache_entry *e)
{
	const struct flush *f = arg;
	const uint8_t *owner = cache_entry_key(e);
	if (!f->name)
		return true;
	return f->subtree ? name_within(owner, f->name) : name_equal(owner, f->name);
}

static bool drop_dated_after(void *arg, const struct cache_entry *e)
{
	const struct stored *st = (const struct stored *)(const void *)e->bytes;
	return (int32_t)(st->stored_s - *(const uint32_t *)arg) > 0;
}

static uint64_t sweep(struct rrset_cache *c, cache_drop_fn *drop, void *arg)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < c->shards; i++) {
		pthread_mutex_lock(&c->shard[i].lock);
		n += cache_shard_sweep(&c->shard[i].store, drop, arg);
		pthread_mutex_unlock(&c->shard[i].lock);
	}
	return n;
}

uint64_t rrset_cache_flush(struct rrset_cache *c, const uint8_t *name, bool subtree)
{
	struct flush f = {name, subtree};
	return sweep(c, drop_named, &f);
}

uint64_t rrset_cache_drop_future(struct rrset_cache *c, uint32_t now_s)
{
	return sweep(c, drop_dated_after, &now_s);
}

void rrset_cache_stats(struct rrset_cache *c, struct rrset_cache_stats *out)
{
	*out = (struct rrset_cache_stats){.limit = c->conf.size_bytes};
	out->bytes = sizeof *c;
	for (unsigned i = 0; i < c->shards; i++) {
		struct shard *s = &c->shard[i];
		pthread_mutex_lock(&s->lock);
		out->bytes += cache_shard_bytes(&s->store);
		out->entries += s->store.entries;
		out->evicted += s->store.evicted;
		out->hits += s->hits;
		out->misses += s->misses;
		pthread_mutex_unlock(&s->lock);
	}
}
