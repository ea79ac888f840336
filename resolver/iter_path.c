#include "resolver/iter_parts.h"
#include "resolver/note.h"
#include "resolver/server.h"

enum { LEARNT_FAMILIES = 2, LEARNT_ALL }; /* of a server: IPv4, IPv6, the last resort */

/* ---- paths: the addresses of the cut's servers ---- */

static bool family_on(const struct iter_io *io, unsigned family)
{
	const struct conf *c = io->env->conf;
	return family == 4 ? c->recursion.ipv4 : c->recursion.ipv6;
}

/* One address is one path, whatever number of names it has. */
static void add_path(struct iter *it, struct iter_io *io, int server, struct addr to)
{
	if (!family_on(io, to.family) || it->path_n == ITER_PATHS_MAX)
		return;
	if (to.port == 0)
		to.port = io->env->conf->recursion.port;
	for (int i = 0; i < it->path_n; i++)
		if (addr_equal(&it->path[i].to, &to))
			return;
	it->path[it->path_n++] = (struct iter_path){
		.to = to, .server = (uint8_t)server, .one_try = it->resort};
}

static bool has_family(const struct iter *it, int server, unsigned family)
{
	for (int i = 0; i < it->path_n; i++)
		if (it->path[i].server == server && it->path[i].to.family == family)
			return true;
	return false;
}

/* Returns whether the RRset brought an address. */
static bool add_addresses(struct iter *it, struct iter_io *io, int server,
			  const struct rrset *s)
{
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	int before = it->path_n;
	while (it->path_n - before < DELEGATION_ADDRS_MAX &&
	       rrset_next(s, &at, &rdata, &len)) {
		if (s->type == DNS_A && len == 4)
			add_path(it, io, server, addr_v4(rdata, 0));
		else if (s->type == DNS_AAAA && len == 16)
			add_path(it, io, server, addr_v6(rdata, 0));
	}
	return it->path_n > before;
}

/* Returns whether there were addresses not known yet. */
static bool add_glue(struct iter *it, struct iter_io *io, int server,
		     const struct delegation_server *from)
{
	int before = it->path_n;
	for (int i = 0; i < from->addr_n; i++)
		add_path(it, io, server, from->addr[i]);
	return it->path_n > before;
}

void iter_enter_cut(struct iter *it, struct iter_io *io)
{
	it->path_n = it->sub_n = it->sub_failures = 0;
	it->resort = false;
	it->timed_out = it->unreachable = it->useless = it->forbidden = false;
	it->rested = false;
	it->spare = NULL;
	it->last_tcp = 0;
	it->blocked.kind = VERDICT_PASS;
	/* Servers of the configuration have no names to look up. */
	memset(it->families_done, it->given ? LEARNT_ALL : 0, sizeof it->families_done);
	for (int i = 0; i < it->cut.servers_n; i++)
		if (!it->cut.server[i].foreign)
			add_glue(it, io, i, &it->cut.server[i]);
}

/* ---- policy ---- */

/* ERR_*, or 1 when a rule forbids the server; name and addr may be NULL. */
static int judge_name_addr(struct iter *it, struct iter_io *io, const uint8_t *name,
			   const struct addr *addr)
{
	struct verdict v;
	int err = policy_server(&v, &io->judged->monitor, io->env->policy, io->subject,
				name, addr);
	if (err)
		return err;
	judged_note(io->judged, &v);
	if (v.kind != VERDICT_ACT)
		return 0;
	if (io->env->noter)
		note(io->env, (struct note){.kind = NOTE_SERVER,
					    .name = name,
					    .addr = addr,
					    .verdict = &v});
	/* Which server was looked at first must not tell (RPZ draft PR5 to PR7). */
	if (policy_before(io->env->policy, &v, &it->blocked))
		it->blocked = v;
	it->restricted = true;
	return 1;
}

int iter_judge_server(struct iter *it, struct iter_io *io, int server,
		      const struct addr *addr)
{
	return judge_name_addr(it, io, it->cut.server[server].name, addr);
}

int iter_judge_origin(struct iter *it, struct iter_io *io, const struct origin *from)
{
	return judge_name_addr(it, io, from->server, &from->addr);
}

void iter_block_path(struct iter_path *p)
{
	p->dead = p->blocked = true;
}

void iter_renew_paths(struct iter *it)
{
	for (int i = 0; i < it->path_n; i++) {
		it->path[i].udp_tries = 0;
		it->path[i].tcp_tried = it->path[i].silent = false;
	}
}

void iter_revive_paths(struct iter *it)
{
	iter_renew_paths(it);
	for (int i = 0; i < it->path_n; i++)
		it->path[i].dead = it->path[i].blocked;
}

/* ---- the choice ---- */

/* What decides between paths, the first difference first; less is better. */
struct merit {
	bool lame;
	uint8_t tries;
	bool family_dead;
	uint32_t timeout_ms;
};

static bool better(const struct merit *a, const struct merit *b)
{
	if (a->lame != b->lame)
		return b->lame;
	if (a->tries != b->tries)
		return a->tries < b->tries;
	if (a->family_dead != b->family_dead)
		return b->family_dead;
	return a->timeout_ms < b->timeout_ms;
}

/* False when the path is not to be asked now. */
static bool weigh(struct merit *out, struct iter *it, const struct iter_io *io,
		  const struct iter_path *p, bool explore)
{
	struct server_table *t = io->env->servers;
	struct server_info info;
	if (p->dead || p->silent)
		return false;
	server_get(t, &info, &p->to, io->env->now_ms);
	it->rested |= info.resting;
	*out = (struct merit){
		.lame = server_is_lame(t, &p->to, it->cut.zone, io->env->now_ms),
		.tries = p->udp_tries,
		.family_dead = server_family_dead(t, p->to.family),
		.timeout_ms = info.timeout_ms};
	if (explore && info.failures == 0)
		out->timeout_ms = 0;
	return !info.resting;
}

/* The fastest; now and then any, to find out whether it has become faster. */
static struct iter_path *best_path(struct iter *it, struct iter_io *io)
{
	struct iter_path *best = NULL;
	struct merit merit, best_merit = {0};
	uint32_t random;
	if (it->path_n == 0)
		return NULL;
	io->env->random(io->env->random_arg, &random, sizeof random);
	unsigned n = (unsigned)it->path_n, start = random % n;
	bool explore = random / n % ITER_EXPLORE_ONE_IN == 0;
	for (unsigned i = 0; i < n; i++) {
		struct iter_path *p = &it->path[(start + i) % n];
		if (!weigh(&merit, it, io, p, explore && i == 0))
			continue;
		if (!best || better(&merit, &best_merit)) {
			best = p;
			best_merit = merit;
		}
	}
	return best;
}

int iter_silent_path(struct iter_path **out, struct iter *it, struct iter_io *io)
{
	*out = NULL;
	for (int i = 0; i < it->path_n && it->last_tcp < ITER_LAST_TCP_MAX; i++) {
		struct iter_path *p = &it->path[i];
		if (p->dead || !p->silent || p->tcp_tried)
			continue;
		int r = iter_judge_server(it, io, p->server, &p->to);
		if (r < 0)
			return r;
		if (r == 1) {
			iter_block_path(p);
			continue;
		}
		it->last_tcp++;
		*out = p;
		return ERR_OK;
	}
	return ERR_OK;
}

int iter_allowed_path(struct iter_path **out, struct iter *it, struct iter_io *io)
{
	while ((*out = best_path(it, io))) {
		int r = iter_judge_server(it, io, (*out)->server, &(*out)->to);
		if (r <= 0)
			return r;
		iter_block_path(*out);
	}
	return ERR_OK;
}

/* ---- addresses of servers that came without ---- */

/* Whether asking for the address could ever help: not when only the cut itself could
 * tell, nor when it is the very question that waits for the answer. */
static bool worth_asking(const struct iter *it, const uint8_t *server, uint16_t type)
{
	return !name_within(server, it->cut.zone) &&
	       !(type == it->type && name_equal(server, it->name));
}

uint32_t iter_ask_own(struct iter_io *io, const uint8_t *name, uint16_t type)
{
	struct budget share;
	if (!budget_share(io->budget, &share))
		return 0;
	struct step *s = iter_add_step(io, STEP_SUB);
	s->id = ++*io->last_id;
	s->share = share;
	name_copy(s->sub.qname, name);
	s->sub.qtype = type;
	s->sub.subject = *io->subject;
	s->sub.subject.own = true;
	return s->id;
}

static bool ask_address(struct iter *it, struct iter_io *io, int server, uint16_t type)
{
	const uint8_t *name = it->cut.server[server].name;
	if (!worth_asking(it, name, type))
		return false;
	uint32_t id = iter_ask_own(io, name, type);
	if (!id) {
		it->starved = true;
		return false;
	}
	it->sub[it->sub_n].id = id;
	it->sub[it->sub_n].type = type;
	it->sub[it->sub_n++].server = (uint8_t)server;
	return true;
}

/* Looks in the cache for one family of a server's addresses, or asks. 1: paths were
 * added or a question is under way; 0: nothing to be had; or ERR_*. */
static int learn_family(struct iter *it, struct iter_io *io, int server, unsigned family)
{
	uint16_t type = family == 4 ? DNS_A : DNS_AAAA;
	struct rrset s;
	if (!family_on(io, family) || has_family(it, server, family))
		return 0;
	int r = rrset_cache_get(io->env->cache, &s, io->arena,
				it->cut.server[server].name, type, RANK_AUTHORITY,
				io->env->now_s);
	if (r < 0)
		return r;
	if (r != RRSET_CACHE_HIT)
		return ask_address(it, io, server, type);
	if (io->env->noter)
		note(io->env, (struct note){.kind = NOTE_CACHED, .rrset = &s});
	/* What a server told that is listed by now is not to lead anywhere. */
	r = iter_judge_origin(it, io, &s.from);
	if (r)
		return r < 0 ? r : 0;
	return s.kind == RRSET_DATA && add_addresses(it, io, server, &s);
}

/* The address that the parent of the server's own zone gives, when its children's is of
 * no use; then what the parent of this cut says of a name not its own. One try each, and
 * not where we only look for another server: too much time would go by. */
static int last_resort(struct iter *it, struct iter_io *io, int server)
{
	const struct delegation_server *s = &it->cut.server[server];
	struct delegation d;
	if (io->subject->own)
		return 0;
	it->resort = true;
	int r = rrset_cache_get_delegation(io->env->cache, &d, io->arena, s->name, false,
					   io->env->now_s);
	if (r < 0)
		return r;
	for (int i = 0; r == RRSET_CACHE_HIT && i < d.servers_n; i++)
		if (name_equal(d.server[i].name, s->name) &&
		    add_glue(it, io, server, &d.server[i]))
			return 1;
	return add_glue(it, io, server, s);
}

/* IPv4 first; IPv6 only when that gave nothing, to spare the other side packets. */
static int learn_server(struct iter *it, struct iter_io *io, int server, bool last)
{
	uint8_t *done = &it->families_done[server];
	while (*done < (last ? LEARNT_ALL : LEARNT_FAMILIES)) {
		int r = iter_judge_server(it, io, server, NULL);
		if (r == 1)
			*done = LEARNT_ALL;
		if (r)
			return r < 0 ? r : 0;
		int step = (*done)++;
		r = step == LEARNT_FAMILIES
			    ? last_resort(it, io, server)
			    : learn_family(it, io, server, step == 0 ? 4 : 6);
		if (r)
			return r;
	}
	return 0;
}

static bool has_path(const struct iter *it, int server)
{
	return has_family(it, server, 4) || has_family(it, server, 6);
}

int iter_learn_addresses(struct iter *it, struct iter_io *io, bool last)
{
	int paths = it->path_n;
	for (int i = 0; i < it->cut.servers_n && it->path_n == paths; i++) {
		/* Those under way may fail as well. */
		if (it->sub_n == ITER_SUBS_MAX ||
		    it->sub_n + it->sub_failures >= ITER_SUB_FAILURES_MAX)
			break;
		bool waits = !last && has_path(it, i);
		for (int k = 0; k < it->sub_n; k++)
			waits |= it->sub[k].server == i;
		int r = waits ? 0 : learn_server(it, io, i, last);
		if (r < 0)
			return r;
	}
	return ERR_OK;
}

/* The address is in the reply, a rule forbids to learn it, or it cannot be had. An alias
 * is no name of a server, RFC 2181 10.3. */
void iter_take_sub(struct iter *it, struct iter_io *io, const struct reply *reply, int at)
{
	int server = it->sub[at].server;
	uint16_t type = it->sub[at].type;
	it->sub[at] = it->sub[--it->sub_n];
	bool found = reply->verdict.kind != VERDICT_ACT && reply->answer_n > 0 &&
		     reply->answer[0]->type == type &&
		     add_addresses(it, io, server, reply->answer[0]);
	if (reply->verdict.kind == VERDICT_ACT && it->blocked.kind != VERDICT_ACT)
		it->blocked = reply->verdict;
	it->restricted |= reply->verdict.kind == VERDICT_ACT;
	judged_note(io->judged, &reply->verdict);
	it->restricted |= reply->restricted;
	it->starved |= reply->starved;
	it->sub_failures += !found;
}
