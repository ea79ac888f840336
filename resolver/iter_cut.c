#include "resolver/iter_parts.h"
#include "zones/root.h"

static const uint8_t root[1] = {0};

/* ---- stub and forward zones ---- */

enum { ANY_RANK = 2 * DNS_NAME_MAX }; /* above those of all zones */

/* A search for the zone that name lies in. The deeper one ranks the higher; a stub above
 * a forward zone of the same name. */
struct given {
	const uint8_t *name;
	bool strictly;		      /* below the zone, not at it */
	unsigned before;	      /* of lesser rank than this */
	const struct conf_zone *zone; /* what was found; NULL = none */
	unsigned rank;
	bool forward;
};

static bool covers(const struct conf_zone *z, const struct given *g)
{
	return g->strictly ? name_below(g->name, z->zone) : name_within(g->name, z->zone);
}

static void look_through(struct given *g, const struct conf_zone *zone, int n,
			 bool forward)
{
	for (int i = 0; i < n; i++) {
		if (!covers(&zone[i], g))
			continue;
		unsigned rank = 2 * name_labels(zone[i].zone) + !forward;
		if (rank >= g->before || (g->zone && rank < g->rank))
			continue;
		g->zone = &zone[i];
		g->rank = rank;
		g->forward = forward;
	}
}

static void find_given(struct given *g, const struct conf *c)
{
	look_through(g, c->recursion.stub, c->recursion.stub_n, false);
	look_through(g, c->recursion.forward, c->recursion.forward_n, true);
}

static const uint8_t *given_zone(const struct conf *c, const uint8_t *name,
				 unsigned before)
{
	struct given g = {.name = name, .before = before};
	find_given(&g, c);
	return g.zone ? g.zone->zone : root;
}

const uint8_t *iter_given_zone(const struct conf *conf, const uint8_t *name)
{
	return given_zone(conf, name, ANY_RANK);
}

static enum local_kind find_local(struct local_answer *out, const struct conf *conf,
				  const uint8_t *name, uint16_t type, unsigned before)
{
	enum local_kind kind =
		conf->recursion.local_zones ? local_find(out, name, type) : LOCAL_NONE;
	if (kind != LOCAL_NONE && name_within(given_zone(conf, name, before), out->zone))
		return LOCAL_NONE;
	return kind;
}

enum local_kind iter_local(struct local_answer *out, const struct conf *conf,
			   const uint8_t *name, uint16_t type)
{
	return find_local(out, conf, name, type, ANY_RANK);
}

/* Not where nobody would be asked without the zone: it lies in a local one. */
static bool allows_second(const struct iter *it, const struct iter_io *io,
			  const struct given *g)
{
	struct local_answer local;
	return g->zone->first && find_local(&local, io->env->conf, it->name, it->type,
					    g->rank) == LOCAL_NONE;
}

static int given_cut(struct iter *it, struct iter_io *io, const struct given *g)
{
	const struct conf_zone *z = g->zone;
	const uint8_t *zone = arena_copy(io->arena, z->zone, name_len(z->zone));
	if (!zone)
		return ERR_NOMEM;
	it->cut = (struct delegation){.zone = zone, .servers_n = z->servers_n};
	for (int i = 0; i < z->servers_n; i++) {
		it->cut.server[i].addr[0] = z->servers[i];
		it->cut.server[i].addr_n = 1;
	}
	it->given = true;
	it->first = allows_second(it, io, g);
	it->rank = g->rank;
	it->first_until_ms = io->env->now_ms + ITER_FIRST_MS;
	return ERR_OK;
}
_Static_assert((int)CONF_SERVERS_MAX <= (int)DELEGATION_SERVERS_MAX,
	       "a given zone is a delegation");

/* ---- the root ---- */

static void hints_cut(struct delegation *out, const struct root_hints *hints)
{
	*out = (struct delegation){.zone = root, .servers_n = hints->server_n};
	for (int i = 0; i < hints->server_n; i++) {
		const struct root_server *from = &hints->server[i];
		out->server[i].name = from->name;
		out->server[i].addr_n = from->addr_n;
		memcpy(out->server[i].addr, from->addr, sizeof from->addr);
	}
}
_Static_assert((int)ROOT_SERVERS_MAX == (int)DELEGATION_SERVERS_MAX &&
		       (int)ROOT_ADDRS_MAX == (int)DELEGATION_ADDRS_MAX,
	       "hints are a delegation");

/* Nobody waits for it: the hints do for this time. Many questions join in one. */
static void prime(struct iter *it, struct iter_io *io)
{
	bool is_it = it->type == DNS_NS && *it->name == 0;
	struct budget *own = io->budget;
	if (!io->env->prime || is_it || own->depth == 0 ||
	    own->sends < 2 * ITER_PRIME_SENDS)
		return;
	struct step *s = iter_add_step(io, STEP_SUB);
	s->id = ++*io->last_id;
	s->share = *own;
	s->share.depth--;
	s->share.sends = ITER_PRIME_SENDS;
	s->share.bytes = own->bytes / 4;
	own->sends -= s->share.sends;
	own->bytes -= s->share.bytes;
	name_copy(s->sub.qname, root);
	s->sub.qtype = DNS_NS;
	s->sub.subject = *io->subject;
	s->sub.subject.own = true;
}

/* A server whose address did not fit into the answer keeps that of the hints. */
static void add_hint(struct delegation_server *to, const struct root_hints *hints)
{
	for (int i = 0; i < hints->server_n && to->addr_n == 0; i++)
		if (name_equal(hints->server[i].name, to->name)) {
			to->addr_n = hints->server[i].addr_n;
			memcpy(to->addr, hints->server[i].addr, sizeof to->addr);
		}
}

void iter_take_prime(struct iter *it, struct iter_io *io)
{
	struct delegation *d = &it->reply.referral;
	int kept = 0;
	for (int i = 0; i < d->servers_n; i++) {
		add_hint(&d->server[i], io->env->hints);
		/* Nobody but the root could tell where it is. */
		if (d->server[i].addr_n)
			d->server[kept++] = d->server[i];
	}
	d->servers_n = kept;
	rrset_cache_put_delegation(io->env->cache, d, io->env->now_s);
}

/* ---- the beginning ---- */

/* The deepest cut below given (NULL = anywhere) that the cache knows from servers no rule
 * forbids, and all cuts above it too: what a server told that is listed by now is not to
 * lead anywhere. RRSET_CACHE_*, or ERR_*. */
static int cached_cut(struct iter *it, struct iter_io *io, bool strictly,
		      const struct conf_zone *given)
{
	const uint8_t *name = it->name;
	int found = RRSET_CACHE_MISS;
	struct delegation d;
	for (;;) {
		int r = rrset_cache_get_delegation(io->env->cache, &d, io->arena, name,
						   strictly, io->env->now_s);
		if (r != RRSET_CACHE_HIT || (given && !name_below(d.zone, given->zone)))
			return r < 0 ? r : found;
		r = iter_judge_origin(it, io, &d.from);
		if (r < 0)
			return r;
		if (r == 1) {
			found = RRSET_CACHE_MISS;
			it->barred = true;
		} else if (found == RRSET_CACHE_MISS) {
			it->cut = d;
			found = RRSET_CACHE_HIT;
		}
		name = d.zone;
		strictly = true;
	}
}

int iter_keep_cut(struct iter *it, struct iter_io *io)
{
	struct rrset_cache *cache = io->env->cache;
	const struct delegation *now = &it->reply.referral;
	struct delegation known;
	int r = it->barred ? rrset_cache_get_delegation(cache, &known, io->arena,
							now->zone, false, io->env->now_s)
			   : RRSET_CACHE_MISS;
	if (r == RRSET_CACHE_HIT)
		r = name_equal(known.zone, now->zone)
			    ? iter_judge_origin(it, io, &known.from)
			    : 0;
	if (r < 0)
		return r;
	if (r == 1)
		rrset_cache_replace_delegation(cache, now, io->env->now_s);
	else
		rrset_cache_put_delegation(cache, now, io->env->now_s);
	return ERR_OK;
}

/* The deepest zone that the configuration gives and that has not failed, what the cache
 * knows below it, or the root. */
static int find_cut(struct iter *it, struct iter_io *io, unsigned before)
{
	struct given g = {
		.name = it->name,
		/* DS lies above the cut, RFC 4035 3.1.4.1 */
		.strictly = it->type == DNS_DS,
		.before = before,
	};
	find_given(&g, io->env->conf);
	it->given = it->barred = false;
	it->forward = g.forward;
	/* Below a forward zone there are no cuts for us. */
	if (g.forward)
		return given_cut(it, io, &g);
	int r = cached_cut(it, io, g.strictly, g.zone);
	if (r < 0)
		return r;
	if (r == RRSET_CACHE_HIT)
		return ERR_OK;
	if (g.zone)
		return given_cut(it, io, &g);
	hints_cut(&it->cut, io->env->hints);
	prime(it, io);
	return ERR_OK;
}

int iter_find_cut(struct iter *it, struct iter_io *io)
{
	it->second = false;
	return find_cut(it, io, ANY_RANK);
}

int iter_find_second_cut(struct iter *it, struct iter_io *io)
{
	if (!iter_has_second_cut(it))
		return 0;
	it->second = true;
	int err = find_cut(it, io, it->rank);
	return err ? err : 1;
}
