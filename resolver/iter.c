#include "resolver/iter.h"

#include <assert.h>

#include "resolver/server.h"
#include "zones/root.h"

enum { EDE_TEXT_MAX = DNS_NAME_TEXT_MAX + 64 };

void judged_note(struct judged *j, const struct verdict *v)
{
	if (v->change && (!j->change || v->change < j->change))
		j->change = v->change;
}

/* ---- ends ---- */

/* The zone whose servers were asked ends the text. */
static enum iter_result fail(struct iter *it, struct iter_io *io, int16_t ede,
			     const char *before)
{
	char zone[DNS_NAME_TEXT_MAX], text[EDE_TEXT_MAX];
	int n = snprintf(text, sizeof text, "%s%s", before,
			 name_to_text(zone, it->cut.zone ? it->cut.zone : it->name));
	it->ede = ede;
	it->ede_text = arena_copy(io->arena, text, (size_t)n + 1);
	return ITER_FAILED;
}

static enum iter_result fail_memory(struct iter *it)
{
	it->ede = DNS_EDE_OTHER;
	it->ede_text = "answers too large to hold";
	return ITER_FAILED;
}

static enum iter_result fail_policy(struct iter *it)
{
	it->ede = DNS_EDE_NOT_READY;
	it->ede_text = "the blocklist cannot be read";
	return ITER_FAILED;
}

static bool is_spent(const struct iter_io *io)
{
	return io->env->now_ms >= io->budget->deadline_ms || io->budget->sends <= 0 ||
	       io->budget->bytes <= 0;
}

static enum iter_result fail_budget(struct iter *it, struct iter_io *io)
{
	if (io->env->now_ms >= io->budget->deadline_ms)
		return fail(it, io, DNS_EDE_NO_REACHABLE_AUTHORITY,
			    "time is up while asking the servers of ");
	return fail(it, io, DNS_EDE_OTHER,
		    "too much work for one question, ended at the servers of ");
}

/* No server is left and nothing is under way. Rules are the reason when no server that
 * they allow has been asked. */
static enum iter_result give_up(struct iter *it, struct iter_io *io)
{
	bool asked = false;
	for (int i = 0; i < it->path_n; i++)
		asked |= !it->path[i].blocked &&
			 (it->path[i].udp_tries || it->path[i].tcp_tried);
	if (it->blocked.kind == VERDICT_ACT && !asked)
		return ITER_BLOCKED;
	if (it->timed_out)
		return fail(it, io, DNS_EDE_NO_REACHABLE_AUTHORITY,
			    "no answer in time from the servers of ");
	if (it->unreachable)
		return fail(it, io, DNS_EDE_NETWORK_ERROR, "no route to the servers of ");
	if (it->useless)
		return fail(it, io, DNS_EDE_NO_REACHABLE_AUTHORITY,
			    "no usable answer from the servers of ");
	if (it->forbidden)
		return fail(it, io, DNS_EDE_NO_REACHABLE_AUTHORITY,
			    "only addresses that are never asked for the servers of ");
	return fail(it, io, DNS_EDE_NO_REACHABLE_AUTHORITY,
		    "no address for the servers of ");
}

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
	to.port = io->env->conf->recursion.port;
	for (int i = 0; i < it->path_n; i++)
		if (addr_equal(&it->path[i].to, &to))
			return;
	it->path[it->path_n++] = (struct iter_path){.to = to, .server = (uint8_t)server};
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

/* it->cut is new: nothing of the old one counts. Look-ups under way for it end unheard.
 */
static void enter_cut(struct iter *it, struct iter_io *io)
{
	it->path_n = it->sub_n = it->sub_failures = 0;
	it->timed_out = it->unreachable = it->useless = it->forbidden = false;
	it->blocked.kind = VERDICT_PASS;
	memset(it->families_done, 0, sizeof it->families_done);
	for (int i = 0; i < it->cut.servers_n; i++)
		for (int k = 0; k < it->cut.server[i].addr_n; k++)
			add_path(it, io, i, it->cut.server[i].addr[k]);
}

static void root_cut(struct delegation *out, const struct root_hints *hints)
{
	static const uint8_t root[1] = {0};
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
	if (it->blocked.kind != VERDICT_ACT)
		it->blocked = v;
	return 1;
}

static int judge_server(struct iter *it, struct iter_io *io, int server,
			const struct addr *addr)
{
	return judge_name_addr(it, io, it->cut.server[server].name, addr);
}

static void block_path(struct iter_path *p)
{
	p->dead = p->blocked = true;
}

/* ---- sending ---- */

/* a is to be tried before b: fewer tries, then the shorter time. */
static bool path_before(const struct iter_io *io, const struct iter_path *a,
			const struct iter_path *b)
{
	struct server_info x, y;
	if (a->udp_tries != b->udp_tries)
		return a->udp_tries < b->udp_tries;
	server_get(io->env->servers, &x, &a->to, io->env->now_ms);
	server_get(io->env->servers, &y, &b->to, io->env->now_ms);
	return x.timeout_ms < y.timeout_ms;
}

static struct iter_path *best_path(struct iter *it, struct iter_io *io)
{
	struct iter_path *best = NULL;
	uint32_t start;
	if (it->path_n == 0)
		return NULL;
	io->env->random(io->env->random_arg, &start, sizeof start);
	for (int i = 0; i < it->path_n; i++) {
		struct iter_path *p =
			&it->path[(start + (unsigned)i) % (unsigned)it->path_n];
		if (!p->dead && (!best || path_before(io, p, best)))
			best = p;
	}
	return best;
}

/* The best path that no rule forbids; NULL when there is none. */
static int allowed_path(struct iter_path **out, struct iter *it, struct iter_io *io)
{
	while ((*out = best_path(it, io))) {
		int r = judge_server(it, io, (*out)->server, &(*out)->to);
		if (r <= 0)
			return r;
		block_path(*out);
	}
	return ERR_OK;
}

/* Letters in random case: bits that an off-path forger has to guess as well. */
static void mix_case(uint8_t *name, struct iter_io *io)
{
	uint8_t bits[(DNS_NAME_MAX + 7) / 8];
	io->env->random(io->env->random_arg, bits, sizeof bits);
	for (size_t i = 0; i < DNS_NAME_MAX && (name[i] || i == 0); i += name[i] + 1U)
		for (size_t k = i + 1; k <= i + name[i]; k++)
			if (name[k] >= 'a' && name[k] <= 'z' &&
			    (bits[k / 8] >> k % 8 & 1))
				name[k] &= (uint8_t)~0x20U;
}

/* Header, question, OPT: no RD, RFC 1034 4.3.1; no DO until there is a validator. */
static size_t write_question(struct iter *it, uint8_t *out, size_t room, bool edns)
{
	const uint16_t counts[4] = {1, 0, 0, edns};
	struct wire_writer w = wire_writer(out, room);
	wire_put_header(&w, it->message_id, 0, counts);
	wire_put_name(&w, it->sent_name);
	wire_put16(&w, it->type);
	wire_put16(&w, DNS_IN);
	if (edns) {
		wire_put8(&w, 0);
		wire_put16(&w, DNS_OPT);
		wire_put16(&w, DNS_UDP_MAX);
		wire_put32(&w, 0);
		wire_put16(&w, 0);
	}
	return wire_written(&w);
}

static struct step *add_step(struct iter_io *io, enum step_kind kind)
{
	assert(io->out->n < RESOLVE_STEPS_MAX);
	struct step *s = &io->out->step[io->out->n++];
	*s = (struct step){.kind = kind};
	return s;
}

static uint32_t wait_ms(const struct iter_io *io, const struct server_info *info,
			bool tcp)
{
	/* TCP takes two round trips; a slow start is no reason to give up. */
	uint64_t wait = tcp ? SERVER_TIMEOUT_MAX_MS : info->timeout_ms;
	if (io->env->now_ms + wait > io->budget->deadline_ms)
		wait = io->budget->deadline_ms - io->env->now_ms;
	return (uint32_t)wait;
}

static enum iter_result ask(struct iter *it, struct iter_io *io, struct iter_path *p,
			    bool tcp)
{
	size_t room = DNS_HEADER_LEN + name_len(it->name) + 4 + DNS_OPT_LEN;
	uint8_t *bytes = arena_get(io->arena, room);
	struct server_info info;
	if (!bytes)
		return fail_memory(it);
	if (is_spent(io))
		return fail_budget(it, io);
	server_get(io->env->servers, &info, &p->to, io->env->now_ms);
	it->known_silent = info.failures >= ITER_KNOWN_SILENT;
	it->asked = p;
	it->tcp = tcp;
	it->exact_case =
		io->env->conf->recursion.case_randomisation && !tcp && !p->plain_case;
	it->sent_ms = io->env->now_ms;
	it->send_id = ++*io->last_id;
	name_copy(it->sent_name, it->name);
	if (it->exact_case)
		mix_case(it->sent_name, io);
	io->env->random(io->env->random_arg, &it->message_id, sizeof it->message_id);
	p->udp_tries = (uint8_t)(p->udp_tries + !tcp);
	p->tcp_tried |= tcp;
	io->budget->sends--;
	struct step *s = add_step(io, STEP_SEND);
	s->id = it->send_id;
	s->send = (struct step_send){
		.to = p->to,
		.transport = tcp ? TRANSPORT_TCP : TRANSPORT_UDP,
		.timeout_ms = wait_ms(io, &info, tcp),
		.server = it->cut.server[p->server].name,
		.qname = it->name,
		.own = io->subject->own,
		.passthru = io->subject->passthru,
		.bytes = bytes,
		.len = (uint16_t)write_question(it, bytes, room, !p->no_edns)};
	return ITER_WAITS;
}

/* ---- addresses of servers that came without ---- */

/* Takes a sub-question's part out of the own budget; false when there is too little.
 * Asking costs one packet, even if it then needs none: loops of names end by that. */
static bool take_share(struct budget *own, struct budget *share)
{
	int32_t sends = (own->sends - 1) / 2;
	if (own->depth == 0 || sends < ITER_SUB_SENDS_MIN)
		return false;
	*share = *own;
	share->depth--;
	share->sends = sends < ITER_SUB_SENDS_MAX ? sends : ITER_SUB_SENDS_MAX;
	share->bytes = own->bytes / 2;
	own->sends -= share->sends + 1;
	own->bytes -= share->bytes;
	return true;
}

/* Whether asking for the address could ever help: not when only the cut itself could
 * tell, nor when it is the very question that waits for the answer. */
static bool worth_asking(const struct iter *it, const uint8_t *server, uint16_t type)
{
	return !name_within(server, it->cut.zone) &&
	       !(type == it->type && name_equal(server, it->name));
}

static bool ask_address(struct iter *it, struct iter_io *io, int server, uint16_t type)
{
	const uint8_t *name = it->cut.server[server].name;
	struct budget share;
	if (!worth_asking(it, name, type) || !take_share(io->budget, &share))
		return false;
	struct step *s = add_step(io, STEP_SUB);
	s->id = ++*io->last_id;
	s->share = share;
	name_copy(s->sub.qname, name);
	s->sub.qtype = type;
	s->sub.subject = *io->subject;
	s->sub.subject.own = true;
	it->sub[it->sub_n].id = s->id;
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
	/* What a server told that is listed by now is not to lead anywhere. */
	r = judge_name_addr(it, io, s.from.server, &s.from.addr);
	if (r)
		return r < 0 ? r : 0;
	return s.kind == RRSET_DATA && add_addresses(it, io, server, &s);
}

/* IPv4 first; IPv6 only when that gave nothing, to spare the other side packets. */
static int learn_server(struct iter *it, struct iter_io *io, int server)
{
	static const uint8_t families[2] = {4, 6};
	uint8_t *done = &it->families_done[server];
	while (*done < 2) {
		int r = judge_server(it, io, server, NULL);
		if (r == 1)
			*done = 2;
		if (r)
			return r < 0 ? r : 0;
		r = learn_family(it, io, server, families[(*done)++]);
		if (r)
			return r;
	}
	return 0;
}

/* Starts as many look-ups as are allowed. ERR_* only. */
static int learn_addresses(struct iter *it, struct iter_io *io)
{
	int paths = it->path_n;
	for (int i = 0; i < it->cut.servers_n && it->path_n == paths; i++) {
		if (it->sub_n == ITER_SUBS_MAX ||
		    it->sub_failures >= ITER_SUB_FAILURES_MAX)
			break;
		bool waits = false;
		for (int k = 0; k < it->sub_n; k++)
			waits |= it->sub[k].server == i;
		int r = waits ? 0 : learn_server(it, io, i);
		if (r < 0)
			return r;
	}
	return ERR_OK;
}

/* ---- the walk ---- */

/* Nothing is under way: asks the next server, or for an address, or waits, or ends. */
static enum iter_result go_on(struct iter *it, struct iter_io *io)
{
	struct iter_path *p;
	it->send_id = 0;
	if (is_spent(io))
		return fail_budget(it, io);
	if (allowed_path(&p, it, io))
		return fail_policy(it);
	if (!p) {
		int err = learn_addresses(it, io);
		if (err == ERR_NOMEM)
			return fail_memory(it);
		if (err || allowed_path(&p, it, io))
			return fail_policy(it);
	}
	if (p)
		return ask(it, io, p, false);
	return it->sub_n ? ITER_WAITS : give_up(it, io);
}

enum iter_result iter_start(struct iter *it, struct iter_io *io, const uint8_t *name,
			    uint16_t type)
{
	it->name = name;
	it->type = type;
	/* DS lies above the cut, RFC 4035 3.1.4.1. */
	int r = rrset_cache_get_delegation(io->env->cache, &it->cut, io->arena, name,
					   type == DNS_DS, io->env->now_s);
	if (r == ERR_NOMEM)
		return fail_memory(it);
	if (r != RRSET_CACHE_HIT)
		root_cut(&it->cut, io->env->hints);
	enter_cut(it, io);
	return go_on(it, io);
}

/* ---- replies ---- */

static void cancel(struct iter *it, struct iter_io *io)
{
	add_step(io, STEP_CANCEL)->id = it->send_id;
}

static void note_reply(struct iter *it, struct iter_io *io)
{
	uint64_t rtt = io->env->now_ms - it->sent_ms;
	if (!it->tcp)
		server_replied(io->env->servers, &it->asked->to, (uint32_t)rtt,
			       io->env->now_ms);
}

static void store(struct iter *it, struct iter_io *io)
{
	for (int i = 0; i < it->reply.answer_n; i++)
		rrset_cache_put(io->env->cache, it->reply.answer[i], io->env->now_s);
	if (it->reply.negative)
		rrset_cache_put(io->env->cache, it->reply.negative, io->env->now_s);
}

static enum iter_result take_reply(struct iter *it, struct iter_io *io)
{
	struct iter_path *p = it->asked;
	switch (it->reply.class) {
	case ITER_JUNK:
		return is_spent(io) ? fail_budget(it, io) : ITER_WAITS;
	case ITER_TRUNCATED:
		if (!p->tcp_tried)
			return ask(it, io, p, true);
		break;
	case ITER_NO_EDNS:
		if (!p->no_edns) {
			p->no_edns = true;
			return ask(it, io, p, it->tcp);
		}
		break;
	case ITER_REFERRAL:
		rrset_cache_put_delegation(io->env->cache, &it->reply.referral,
					   io->env->now_s);
		it->cut = it->reply.referral;
		enter_cut(it, io);
		return go_on(it, io);
	case ITER_ANSWER:
	case ITER_CNAME:
	case ITER_NODATA:
	case ITER_NXDOMAIN:
		store(it, io);
		it->send_id = 0;
		return ITER_DONE;
	case ITER_ERROR:
	case ITER_LAME:
		break;
	}
	it->useless = true;
	p->dead = true;
	return go_on(it, io);
}

static enum iter_result on_reply(struct iter *it, struct iter_io *io,
				 const struct event *ev)
{
	struct iter_path *p = it->asked;
	int r = judge_server(it, io, p->server, &p->to);
	if (r < 0)
		return fail_policy(it);
	/* Listed while the question was under way: too late to be believed. */
	if (r == 1) {
		cancel(it, io);
		block_path(p);
		return go_on(it, io);
	}
	const struct iter_asked asked = {
		.id = it->message_id,
		.type = it->type,
		.name = it->name,
		.sent = it->sent_name,
		.exact_case = it->exact_case,
		.tcp = it->tcp,
		.from = {it->cut.zone, it->cut.server[p->server].name, p->to}};
	if (iter_reply_read(&it->reply, io->arena, &asked, ev->bytes, ev->len))
		return fail_memory(it);
	if (it->reply.class != ITER_JUNK) {
		cancel(it, io);
		note_reply(it, io);
	}
	return take_reply(it, io);
}

/* ---- other events ---- */

/* Nothing has left this machine: the try does not count. */
static void untry(struct iter *it, struct iter_io *io)
{
	struct iter_path *p = it->asked;
	io->budget->sends++;
	p->udp_tries = (uint8_t)(p->udp_tries - !it->tcp);
	p->tcp_tried &= !it->tcp;
}

/* It may have been the random case of the question: not again. */
static void note_silence(struct iter *it, struct iter_io *io)
{
	struct iter_path *p = it->asked;
	int tries = io->subject->own ? ITER_UDP_TRIES_OWN : ITER_UDP_TRIES;
	server_failed(io->env->servers, &p->to, io->env->now_ms);
	it->timed_out = true;
	p->plain_case = true;
	p->dead |= it->tcp || p->udp_tries >= tries || it->known_silent;
}

static enum iter_result on_timeout(struct iter *it, struct iter_io *io,
				   const struct event *ev)
{
	struct iter_path *p = it->asked;
	switch (ev->why) {
	case SEND_TIMED_OUT:
		note_silence(it, io);
		break;
	case SEND_UNREACHABLE:
	case SEND_CLOSED:
	case SEND_NO_RESOURCE:
		it->unreachable = true;
		p->dead = true;
		break;
	case SEND_FORBIDDEN: {
		untry(it, io);
		int r = judge_server(it, io, p->server, &p->to);
		if (r < 0)
			return fail_policy(it);
		p->blocked = r == 1;
		it->forbidden |= r == 0;
		p->dead = true;
		break;
	}
	}
	return go_on(it, io);
}

/* The address is in the reply, a rule forbids to learn it, or it cannot be had. An alias
 * is no name of a server, RFC 2181 10.3. */
static enum iter_result on_sub_done(struct iter *it, struct iter_io *io,
				    const struct event *ev, int at)
{
	int server = it->sub[at].server;
	uint16_t type = it->sub[at].type;
	const struct reply *reply = ev->reply;
	it->sub[at] = it->sub[--it->sub_n];
	bool found = reply->verdict.kind != VERDICT_ACT && reply->answer_n > 0 &&
		     reply->answer[0]->type == type &&
		     add_addresses(it, io, server, reply->answer[0]);
	if (reply->verdict.kind == VERDICT_ACT && it->blocked.kind != VERDICT_ACT)
		it->blocked = reply->verdict;
	judged_note(io->judged, &reply->verdict);
	it->sub_failures += !found;
	return it->send_id ? ITER_WAITS : go_on(it, io);
}

enum iter_result iter_event(struct iter *it, struct iter_io *io, const struct event *ev)
{
	switch (ev->kind) {
	case EVENT_REPLY:
		return it->send_id && ev->id == it->send_id ? on_reply(it, io, ev)
							    : ITER_WAITS;
	case EVENT_TIMEOUT:
		return it->send_id && ev->id == it->send_id ? on_timeout(it, io, ev)
							    : ITER_WAITS;
	case EVENT_SUB_DONE:
		for (int i = 0; i < it->sub_n; i++)
			if (it->sub[i].id == ev->id)
				return on_sub_done(it, io, ev, i);
		return ITER_WAITS;
	case EVENT_START:
	case EVENT_RESUME:
		break;
	}
	return ITER_WAITS;
}
