#include "resolver/iter_parts.h"
#include "resolver/note.h"
#include "resolver/server.h"

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

static enum iter_result fail_error(struct iter *it, int err)
{
	return err == ERR_NOMEM ? fail_memory(it) : fail_policy(it);
}

static bool is_spent(const struct iter_io *io)
{
	return io->env->now_ms >= io->budget->deadline_ms || io->budget->sends <= 0 ||
	       io->budget->bytes <= 0;
}

static enum iter_result fail_budget(struct iter *it, struct iter_io *io)
{
	it->starved = true;
	if (io->env->now_ms >= io->budget->deadline_ms)
		return fail(it, io, DNS_EDE_NO_REACHABLE_AUTHORITY,
			    "time is up while asking the servers of ");
	return fail(it, io, DNS_EDE_OTHER,
		    "too much work for one question, ended at the servers of ");
}

static void store(struct iter *it, struct iter_io *io)
{
	struct rrset *negative = it->reply.negative;
	if (it->reply.referral.servers_n)
		iter_take_prime(it, io);
	for (int i = 0; i < it->reply.answer_n; i++)
		rrset_cache_put(io->env->cache, it->reply.answer[i], io->env->now_s);
	if (negative && it->second && negative->ttl > ITER_SECOND_DENIAL_S)
		negative->ttl = ITER_SECOND_DENIAL_S;
	if (negative)
		rrset_cache_put(io->env->cache, negative, io->env->now_s);
}

static enum iter_result finish(struct iter *it, struct iter_io *io)
{
	store(it, io);
	it->now.id = 0;
	return ITER_DONE;
}

/* No server says more than this. */
static enum iter_result take_spare(struct iter *it, struct iter_io *io)
{
	it->reply = *it->spare;
	return finish(it, io);
}

static bool has_asked(const struct iter *it)
{
	for (int i = 0; i < it->path_n; i++)
		if (!it->path[i].blocked &&
		    (it->path[i].udp_tries || it->path[i].tcp_tried))
			return true;
	return false;
}

/* Rules are the reason when no server that they allow has been asked. */
static bool is_blocked(const struct iter *it)
{
	return it->blocked.kind == VERDICT_ACT && !has_asked(it);
}

/* No server is left and nothing is under way. */
static enum iter_result give_up(struct iter *it, struct iter_io *io)
{
	if (it->spare)
		return take_spare(it, io);
	if (is_blocked(it))
		return ITER_BLOCKED;
	if (it->rested && !has_asked(it)) {
		it->starved = true; /* nothing was found out */
		return fail(it, io, DNS_EDE_NO_REACHABLE_AUTHORITY,
			    "no answer for some time from the servers of ");
	}
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

/* ---- sending ---- */

/* Letters in random case: bits that an off-path forger has to guess as well. */
static void mix_case(uint8_t *name, struct iter_io *io)
{
	uint8_t bits[(DNS_NAME_MAX + 7) / 8];
	io->env->random(io->env->random_arg, bits, sizeof bits);
	for (size_t i = 0; name[i]; i += name[i] + 1U)
		for (size_t k = i + 1; k <= i + name[i]; k++)
			if (name[k] >= 'a' && name[k] <= 'z' &&
			    (bits[k / 8] >> k % 8 & 1))
				name[k] &= (uint8_t)~0x20U;
}

/* RD only for resolvers, RFC 1034 4.3.1, and then CD, RFC 6840 5.9: what they find bogus
 * is for us to judge, who may know other anchors. */
static unsigned question_flags(const struct iter *it, const struct iter_io *io)
{
	unsigned cd = io->env->conf->recursion.validate ? DNS_CD : 0;
	return it->forward ? DNS_RD | cd : 0;
}

/* Header, question, OPT with DO: signatures are for us or for a client that validates. */
static size_t write_question(const struct iter *it, struct iter_io *io, uint8_t *out,
			     size_t room)
{
	const uint16_t counts[4] = {1, 0, 0, it->now.edns};
	struct wire_writer w = wire_writer(out, room);
	uint16_t id;
	io->env->random(io->env->random_arg, &id, sizeof id);
	wire_put_header(&w, id, question_flags(it, io), counts);
	wire_put_name(&w, it->ask);
	if (it->now.exact_case)
		mix_case(out + DNS_HEADER_LEN, io);
	wire_put16(&w, it->ask_type);
	wire_put16(&w, DNS_IN);
	if (it->now.edns) {
		wire_put8(&w, 0);
		wire_put16(&w, DNS_OPT);
		wire_put16(&w, DNS_UDP_MAX);
		wire_put32(&w, DNS_EDNS_DO);
		wire_put16(&w, 0);
	}
	return wire_written(&w);
}

static int tries_of(const struct iter_io *io)
{
	return io->subject->own ? ITER_UDP_TRIES_OWN : ITER_UDP_TRIES;
}

/* The last try goes without EDNS: there are servers and paths that drop it. */
static bool with_edns(const struct iter_io *io, const struct iter_path *p,
		      const struct server_info *info, bool tcp)
{
	bool last = !tcp && p->udp_tries >= tries_of(io);
	return !p->no_edns && !info->no_edns && !last;
}

/* Most answers are there by then; later ones are heard while another is asked. So what
 * others' questions lost does not make this one wait, but for the only try at a server
 * that may be dead. */
static uint32_t wait_ms(const struct iter *it, const struct iter_io *io,
			const struct iter_path *p, const struct server_info *info,
			bool tcp)
{
	uint64_t wait, now_ms = io->env->now_ms, end_ms = io->budget->deadline_ms;
	if (iter_has_second_cut(it) && it->first_until_ms > now_ms &&
	    it->first_until_ms < end_ms)
		end_ms = it->first_until_ms;
	if (tcp) /* takes two round trips; a slow start is no reason to give up */
		wait = SERVER_TIMEOUT_MAX_MS;
	else if (info->failures >= ITER_KNOWN_SILENT)
		wait = info->timeout_ms;
	else
		wait = server_patience(info->rto_ms, p->udp_tries - 1U);
	return (uint32_t)(now_ms + wait > end_ms ? end_ms - now_ms : wait);
}

static bool is_lame(const struct iter *it, const struct iter_io *io,
		    const struct iter_path *p)
{
	return server_is_lame(io->env->servers, &p->to, it->cut.zone, io->env->now_ms);
}

static enum iter_result ask(struct iter *it, struct iter_io *io, struct iter_path *p,
			    bool tcp)
{
	size_t room = DNS_HEADER_LEN + name_len(it->ask) + 4 + DNS_OPT_LEN;
	uint8_t *bytes = arena_get(io->arena, room);
	struct server_info info;
	if (!bytes)
		return fail_memory(it);
	if (is_spent(io))
		return fail_budget(it, io);
	server_get(io->env->servers, &info, &p->to, io->env->now_ms);
	p->udp_tries = (uint8_t)(p->udp_tries + !tcp);
	p->tcp_tried |= tcp;
	it->now = (struct iter_send){
		.id = ++*io->last_id,
		.to = p,
		.bytes = bytes,
		.sent_ms = io->env->now_ms,
		.tcp = tcp,
		.edns = with_edns(io, p, &info, tcp),
		.exact_case = io->env->conf->recursion.case_randomisation && !tcp &&
			      !p->plain_case,
		.known_silent = info.failures >= ITER_KNOWN_SILENT,
		.tcp_works = info.tcp_works,
		.lame = is_lame(it, io, p)};
	io->budget->sends--;
	server_probed(io->env->servers, &p->to,
		      io->env->now_ms + wait_ms(it, io, p, &info, tcp));
	struct step *s = iter_add_step(io, STEP_SEND);
	s->id = it->now.id;
	s->send =
		(struct step_send){.to = p->to,
				   .transport = tcp ? TRANSPORT_TCP : TRANSPORT_UDP,
				   .timeout_ms = wait_ms(it, io, p, &info, tcp),
				   .server = it->cut.server[p->server].name,
				   .qname = it->ask,
				   .own = io->subject->own || iter_qmin_probes(it),
				   .passthru = io->subject->passthru,
				   .bytes = bytes,
				   .len = (uint16_t)write_question(it, io, bytes, room)};
	return ITER_WAITS;
}

/* ---- the walk ---- */

/* Over UDP, unless that is known to be in vain or somebody is forging. */
static enum iter_result ask_path(struct iter *it, struct iter_io *io, struct iter_path *p)
{
	struct server_info info;
	server_get(io->env->servers, &info, &p->to, io->env->now_ms);
	return ask(it, io, p, (it->forged || info.tcp_only) && !p->tcp_tried);
}

static enum iter_result go_on(struct iter *it, struct iter_io *io);
static enum iter_result begin_zone(struct iter *it, struct iter_io *io);
static void cancel_late(struct iter *it, struct iter_io *io);

/* From given servers that fail to those there are without them, or ends. What rules have
 * done is no failure. */
static enum iter_result turn_away(struct iter *it, struct iter_io *io)
{
	int r = it->spare || is_blocked(it) ? 0 : iter_find_second_cut(it, io);
	if (r < 0)
		return fail_error(it, r);
	if (r == 0)
		return give_up(it, io);
	cancel_late(it, io);
	return begin_zone(it, io);
}

/* No server is left for UDP: waits for look-ups, tries TCP, asks for the whole name,
 * goes another way, or ends. */
static enum iter_result go_on_without(struct iter *it, struct iter_io *io)
{
	struct iter_path *p = NULL;
	if (it->sub_n)
		return ITER_WAITS;
	if (!io->subject->own && iter_silent_path(&p, it, io))
		return fail_policy(it);
	if (p)
		return ask(it, io, p, true);
	if (!iter_qmin_give_up(it))
		return turn_away(it, io);
	iter_revive_paths(it);
	return go_on(it, io);
}

/* To this question, or to several before. */
static bool was_silent(const struct iter_io *io, const struct iter_path *p)
{
	struct server_info info;
	server_get(io->env->servers, &info, &p->to, io->env->now_ms);
	return p->udp_tries || info.failures >= ITER_KNOWN_SILENT;
}

/* The path to ask next, NULL = none. Addresses found in the cache may be of no use: then
 * the next server's are looked for. While a silent server is tried again, another's may
 * be found; before a lame one is, all others'. ERR_*. */
static int find_path(struct iter_path **p, struct iter *it, struct iter_io *io)
{
	int err = iter_allowed_path(p, it, io);
	bool lame = !err && *p && is_lame(it, io, *p);
	if (err || (*p && !lame && (io->subject->own || !was_silent(io, *p))))
		return err;
	bool last = !*p;
	int paths;
	do {
		paths = it->path_n;
		err = iter_learn_addresses(it, io, last);
		if (!err)
			err = iter_allowed_path(p, it, io);
		lame = !err && *p && is_lame(it, io, *p);
	} while (!err && (!*p || lame) && it->path_n > paths);
	if (lame && it->sub_n)
		*p = NULL;
	return err;
}

/* Nothing is under way: asks the next server, or for an address, or waits, or ends. */
static enum iter_result go_on(struct iter *it, struct iter_io *io)
{
	struct iter_path *p;
	it->now.id = 0;
	if (is_spent(io))
		return it->spare ? take_spare(it, io) : fail_budget(it, io);
	if (iter_has_second_cut(it) && io->env->now_ms >= it->first_until_ms)
		return turn_away(it, io);
	int err = find_path(&p, it, io);
	if (err)
		return fail_error(it, err);
	return p ? ask_path(it, io, p) : go_on_without(it, io);
}

/* it->cut is new. */
static enum iter_result begin_cut(struct iter *it, struct iter_io *io)
{
	iter_enter_cut(it, io);
	return iter_qmin_begin(it, io) ? fail_memory(it) : go_on(it, io);
}

static void note_zone(const struct iter *it, const struct iter_io *io)
{
	enum note_place place = it->forward	    ? NOTE_FROM_FORWARD
				: it->given	    ? NOTE_FROM_STUB
				: it->cut.from.zone ? NOTE_FROM_CACHE
						    : NOTE_FROM_HINTS;
	note(io->env, (struct note){.kind = NOTE_ZONE, .cut = &it->cut, .place = place});
}

static enum iter_result begin_zone(struct iter *it, struct iter_io *io)
{
	if (io->env->noter)
		note_zone(it, io);
	return begin_cut(it, io);
}

enum iter_result iter_start(struct iter *it, struct iter_io *io, const uint8_t *name,
			    uint16_t type)
{
	it->name = name;
	it->type = type;
	it->qmin_steps = 0;
	it->forged = false;
	it->now.id = 0;
	it->late_n = 0;
	it->restricted = it->starved = false;
	int err = iter_find_cut(it, io);
	return err ? fail_error(it, err) : begin_zone(it, io);
}

/* ---- replies ---- */

static void cancel(struct iter_io *io, const struct iter_send *s)
{
	iter_add_step(io, STEP_CANCEL)->id = s->id;
}

/* It has had its time: another may be asked, but an answer is welcome all the same. */
static void keep_late(struct iter *it, struct iter_io *io)
{
	if (it->late_n == ITER_LATE_MAX) {
		cancel(io, &it->late[0]);
		it->late_n--;
		memmove(it->late, it->late + 1, sizeof it->late - sizeof *it->late);
	}
	it->late[it->late_n++] = it->now;
	it->now.id = 0;
}

static void cancel_late(struct iter *it, struct iter_io *io)
{
	while (it->late_n)
		cancel(io, &it->late[--it->late_n]);
}

/* The answer to s ends all. */
static void settle(struct iter *it, struct iter_io *io, const struct iter_send *s)
{
	struct iter_send winner = *s;
	if (it->now.id)
		cancel(io, &it->now);
	cancel_late(it, io);
	it->now = winner;
}

/* s is of no use any more. */
static enum iter_result give_up_send(struct iter *it, struct iter_io *io,
				     struct iter_send *s)
{
	cancel(io, s);
	if (s == &it->now)
		return go_on(it, io);
	*s = it->late[--it->late_n];
	return ITER_WAITS;
}

/* What the reply to s tells about the server that sent it. */
static void note_reply(struct iter *it, struct iter_io *io, const struct iter_send *s)
{
	struct server_table *t = io->env->servers;
	const struct addr *a = &s->to->to;
	uint64_t now_ms = io->env->now_ms;
	bool useless = iter_is_useless(it);
	/* One that has no use for a part may know the whole name. */
	if (useless && !iter_qmin_probes(it))
		server_lame(t, a, it->cut.zone, now_ms);
	if (it->reply.has_opt)
		server_has_edns(t, a, now_ms);
	else if (!s->edns && !useless && it->reply.class != ITER_TRUNCATED)
		server_lacks_edns(t, a, now_ms);
	if (s->tcp && s->to->silent)
		server_needs_tcp(t, a, now_ms);
	if (!s->tcp)
		server_replied(t, a, (uint32_t)(now_ms - s->sent_ms), now_ms);
}

/* A minimised question has its reply: goes on to the next name. */
static enum iter_result take_probe(struct iter *it, struct iter_io *io, int result)
{
	if (result < 0)
		return fail_memory(it);
	iter_renew_paths(it);
	if (result == ITER_QMIN_AGAIN)
		return ask_path(it, io, it->now.to);
	store(it, io);
	return go_on(it, io);
}

static enum iter_result take_final(struct iter *it, struct iter_io *io)
{
	struct iter_path *p = it->now.to;
	int result = iter_qmin_reply(it, io);
	if (result != ITER_QMIN_TAKE)
		return take_probe(it, io, result);
	/* Who is known to be lame is asked when nobody better is left. */
	bool spare = it->reply.second_hand && !iter_qmin_probes(it);
	if (!iter_is_useless(it) || (spare && it->now.lame))
		return finish(it, io);
	if (spare && !it->spare) {
		it->spare = arena_copy(io->arena, &it->reply, sizeof it->reply);
		if (!it->spare)
			return fail_memory(it);
	}
	it->useless = true;
	p->dead = true;
	return go_on(it, io);
}

/* A cut ends with the one above it, or servers that were revoked would live on in cuts
 * of their own making (phoenix domains). The root and given zones are not revoked. */
static void limit_life(struct delegation *d, const struct iter *it)
{
	if (*it->cut.zone && !it->given && d->ttl > it->cut.ttl)
		d->ttl = it->cut.ttl;
}

static enum iter_result take_reply(struct iter *it, struct iter_io *io)
{
	struct iter_path *p = it->now.to;
	int err;
	switch (it->reply.class) {
	case ITER_FORGED:
		it->forged = true;
		if (!p->tcp_tried)
			return ask(it, io, p, true);
		break;
	case ITER_TRUNCATED:
		if (!p->tcp_tried)
			return ask(it, io, p, true);
		break;
	case ITER_NO_EDNS:
		if (!p->no_edns) {
			p->no_edns = true;
			return ask(it, io, p, it->now.tcp);
		}
		break;
	case ITER_REFERRAL:
		limit_life(&it->reply.referral, it);
		err = iter_keep_cut(it, io);
		if (err)
			return fail_error(it, err);
		if (it->reply.ds)
			rrset_cache_put(io->env->cache, it->reply.ds, io->env->now_s);
		it->cut = it->reply.referral;
		it->given = false;
		return begin_cut(it, io);
	case ITER_ANSWER:
	case ITER_CNAME:
	case ITER_NODATA:
	case ITER_NXDOMAIN:
	case ITER_ERROR:
	case ITER_LAME:
		return take_final(it, io);
	case ITER_JUNK:
		break;
	}
	it->useless = true;
	p->dead = true;
	return go_on(it, io);
}

static int read_reply(struct iter *it, struct iter_io *io, const struct event *ev,
		      const struct iter_send *s)
{
	const struct iter_asked asked = {
		.id = (uint16_t)wire_get16(s->bytes),
		.type = it->ask_type,
		.name = it->ask,
		.sent = s->bytes + DNS_HEADER_LEN,
		.exact_case = s->exact_case,
		.tcp = s->tcp,
		.forward = it->forward,
		.ttl_min = io->env->conf->cache.min_ttl_s,
		.ttl_max = io->env->conf->cache.max_ttl_s,
		.from = {it->cut.zone, it->cut.server[s->to->server].name, s->to->to}};
	if (iter_reply_read(&it->reply, io->arena, &asked, ev->bytes, ev->len))
		return ERR_NOMEM;
	if (io->env->noter)
		note(io->env, (struct note){.kind = NOTE_REPLY,
					    .id = ev->id,
					    .got = &it->reply,
					    .bytes = ev->bytes,
					    .len = ev->len});
	return ERR_OK;
}

/* What a server says too late does not end the wait for another, unless it helps. */
static bool is_too_late(const struct iter *it, const struct iter_send *s)
{
	return s != &it->now && (iter_is_useless(it) || it->reply.class == ITER_NO_EDNS);
}

static enum iter_result on_reply(struct iter *it, struct iter_io *io,
				 const struct event *ev, struct iter_send *s)
{
	int r = iter_judge_server(it, io, s->to->server, &s->to->to);
	if (r < 0)
		return fail_policy(it);
	/* Listed while the question was under way: too late to be believed. */
	if (r == 1) {
		iter_block_path(s->to);
		return give_up_send(it, io, s);
	}
	if (read_reply(it, io, ev, s))
		return fail_memory(it);
	if (it->reply.class == ITER_JUNK)
		return is_spent(io) ? fail_budget(it, io) : ITER_WAITS;
	if (it->reply.class != ITER_FORGED)
		note_reply(it, io, s);
	if (is_too_late(it, s))
		return give_up_send(it, io, s);
	settle(it, io, s);
	return take_reply(it, io);
}

/* ---- other events ---- */

/* Nothing has left this machine: the try does not count. */
static void untry(struct iter *it, struct iter_io *io)
{
	struct iter_path *p = it->now.to;
	io->budget->sends++;
	p->udp_tries = (uint8_t)(p->udp_tries - !it->now.tcp);
	p->tcp_tried &= !it->now.tcp;
}

static void on_silence(struct iter *it, struct iter_io *io)
{
	const struct iter_send *s = &it->now;
	struct iter_path *p = s->to;
	const uint8_t *ask = it->ask;
	server_failed(io->env->servers, &p->to, s->sent_ms, io->env->now_ms);
	it->timed_out = true;
	/* It may have been the random case of the question: not again. */
	p->plain_case = true;
	bool one_try = s->known_silent && p->udp_tries == 1;
	p->dead |= s->tcp || p->one_try || (one_try && !s->tcp_works);
	p->silent |= one_try || p->udp_tries >= tries_of(io);
	if (!s->tcp)
		keep_late(it, io);
	iter_qmin_timeout(it, io);
	if (it->ask != ask)
		cancel_late(it, io);
}

static enum iter_result on_timeout(struct iter *it, struct iter_io *io,
				   const struct event *ev)
{
	struct iter_path *p = it->now.to;
	switch (ev->why) {
	case SEND_TIMED_OUT:
		on_silence(it, io);
		break;
	case SEND_UNREACHABLE:
		server_failed(io->env->servers, &p->to, it->now.sent_ms, io->env->now_ms);
		it->unreachable = true;
		p->dead = true;
		break;
	case SEND_CLOSED:
	case SEND_NO_RESOURCE:
		it->unreachable = true;
		p->dead = true;
		break;
	case SEND_FORBIDDEN: {
		untry(it, io);
		int r = iter_judge_server(it, io, p->server, &p->to);
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

static struct iter_send *find_send(struct iter *it, uint32_t id)
{
	if (it->now.id == id)
		return &it->now;
	for (int i = 0; i < it->late_n; i++)
		if (it->late[i].id == id)
			return &it->late[i];
	return NULL;
}

/* A new address is worth more than a server that was silent before. */
static enum iter_result on_sub_done(struct iter *it, struct iter_io *io,
				    const struct event *ev, int at)
{
	int paths = it->path_n;
	iter_take_sub(it, io, ev->reply, at);
	if (!it->now.id)
		return go_on(it, io);
	bool hopeful = it->now.to->udp_tries < 2 && !it->now.known_silent;
	if (it->path_n == paths || it->now.tcp || hopeful)
		return ITER_WAITS;
	keep_late(it, io);
	return go_on(it, io);
}

enum iter_result iter_event(struct iter *it, struct iter_io *io, const struct event *ev)
{
	struct iter_send *s = find_send(it, ev->id);
	switch (ev->kind) {
	case EVENT_REPLY:
		return s ? on_reply(it, io, ev, s) : ITER_WAITS;
	case EVENT_TIMEOUT:
		return s == &it->now ? on_timeout(it, io, ev) : ITER_WAITS;
	case EVENT_SUB_DONE:
		for (int i = 0; i < it->sub_n; i++)
			if (it->sub[i].id == ev->id)
				return on_sub_done(it, io, ev, i);
		break;
	case EVENT_START:
	case EVENT_RESUME:
	case EVENT_LATE:
		break;
	}
	return ITER_WAITS;
}
