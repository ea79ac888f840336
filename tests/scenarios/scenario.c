/* scenario.c FILE...: replays scenarios over resolve_step() with a fake clock and fake
 * servers. Prints each difference; the last line counts the files. Every packet is also
 * held against policy_send(), as the sending function would: one that it forbids fails
 * the scenario whatever its steps say. */
#include <unistd.h>

#include "resolver/rrset_cache.h"
#include "resolver/server.h"
#include "resolver/wire_guard.h"
#include "tests/scenarios/script.h"

enum { SENDS_MAX = 1024, EVENTS_MAX = 200000, TEXT_MAX = 65536 };

struct job { /* a question being resolved, as a task is in the resolver */
	struct job *next, *parent;
	uint32_t parent_id;
	struct arena arena;
	struct question q;
	struct resolve *resolve;
	const struct reply *reply;
};

struct due { /* an event that will come */
	struct due *next;
	uint64_t at_ms;
	struct job *job;
	struct event ev;
	uint8_t bytes[DNS_MESSAGE_MAX + 1];
};

struct sent {
	struct addr to;
	uint8_t qname[DNS_NAME_MAX];
	bool tcp;
};

struct world {
	struct script *script;
	struct resolve_env env;
	struct policy policy;
	struct conf conf;
	struct blocklist *store;
	char dir[64];
	struct job *jobs, *asked;
	struct due *due;
	struct sent sent[SENDS_MAX];
	int sent_n, step, failures;
	uint64_t random, asked_ms, done_ms;
	uint32_t start_s;
	long events;
};

static struct script script;
static struct world world;

static void differ(struct world *w, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void differ(struct world *w, int line, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	printf("%s:%d: ", w->script->file, line);
	vprintf(format, ap);
	printf("\n");
	va_end(ap);
	w->failures++;
}

static void must(const struct world *w, int err, const char *what)
{
	if (err < 0)
		script_fail(w->script, w->script->line, "%s: %s", what, err_text(err));
}

/* ---- the world: clock, randomness, store ---- */

static void fake_random(void *arg, void *out, size_t n)
{
	uint64_t *x = arg;
	for (size_t i = 0; i < n; i++) {
		*x ^= *x << 13;
		*x ^= *x >> 7;
		*x ^= *x << 17;
		((uint8_t *)out)[i] = (uint8_t)(*x >> 24);
	}
}

static void set_clock(struct world *w, uint64_t ms)
{
	w->env.now_ms = ms;
	w->env.now_s = w->policy.now_s = w->start_s + (uint32_t)(ms / 1000);
}

static void renew(struct world *w)
{
	must(w, blocklist_view_renew(w->policy.view), "the store");
	w->policy.stamp = blocklist_view_stamp(w->policy.view);
}

static void read_rule_key(const struct world *w, struct blocklist_key *key,
			  const char *kind, const char *text)
{
	*key = (struct blocklist_key){.name = {0}};
	if (is_word(kind, "name"))
		script_name(w->script, key->name, text);
	else
		must(w, prefix_from_text(&key->prefix, text, strlen(text)), text);
}

/* rule name NAME exact|subtree ACTION [expires S], rule address PREFIX server|answer
 * ACTION; each action has a list of its own, as an operator would have it. */
static void add_rule(struct world *w, const struct words *words)
{
	struct blocklist_item item = {.starts = 0};
	if (words->n < 5)
		script_fail(w->script, w->script->line, "a rule has five words");
	read_rule_key(w, &item.key, words->w[1], words->w[2]);
	const char *use = words->w[3];
	item.kind = is_word(use, "exact")     ? RULE_EXACT
		    : is_word(use, "subtree") ? RULE_SUBTREE
		    : is_word(use, "server")  ? RULE_ADDR_SERVER
					      : RULE_ADDR_ANSWER;
	int action = rule_action_from_text(words->w[4]);
	must(w, action, words->w[4]);
	item.action = (uint8_t)action;
	if (words->n == 7)
		item.expires = w->env.now_s + (uint32_t)atoi(words->w[6]);
	item.entry.confidence = 255;
	snprintf(item.entry.reason, sizeof item.entry.reason, "scenario");
	must(w, blocklist_add(w->store, words->w[4], &item), "adding a rule");
}

static void remove_rule(struct world *w, const struct words *words)
{
	struct blocklist_key key;
	read_rule_key(w, &key, words->w[1], words->w[2]);
	for (int a = 0; a < RULE_ACTION_N; a++)
		if (blocklist_remove(w->store, rule_action_text((enum rule_action)a),
				     &key) == 0)
			return;
	script_fail(w->script, w->script->line, "no such rule: %s", words->w[2]);
}

static void open_world(struct world *w, struct script *s)
{
	const char *why = NULL;
	*w = (struct world){.script = s, .random = 0x9e3779b97f4a7c15ULL};
	snprintf(w->dir, sizeof w->dir, "/tmp/sinkholed-scenario-XXXXXX");
	if (!mkdtemp(w->dir))
		script_fail(s, 0, "no temporary folder");
	if (blocklist_open(&w->store, w->dir, BLOCKLIST_WRITE, &why))
		script_fail(s, 0, "%s", why ? why : "the store cannot be made");
	must(w, blocklist_view_open(&w->policy.view, w->store), "a view");
	w->start_s = (uint32_t)time(NULL); /* lists' leases are dated by the wall clock */
	w->policy.default_action = RULE_NXDOMAIN;
	w->conf.recursion.port = DNS_PORT;
	w->conf.recursion.ipv4 = s->ipv4;
	w->conf.recursion.ipv6 = s->ipv6;
	w->conf.recursion.case_randomisation = s->case_randomisation;
	w->conf.recursion.qname_minimisation = s->qmin;
	w->conf.recursion.stub = s->stub;
	w->conf.recursion.stub_n = s->stub_n;
	w->conf.recursion.forward = s->forward;
	w->conf.recursion.forward_n = s->forward_n;
	w->env = (struct resolve_env){.policy = &w->policy,
				      .hints = &s->hints,
				      .conf = &w->conf,
				      .random = fake_random,
				      .random_arg = &w->random};
	struct rrset_cache_conf cache = {4 << 20, 0, 86400};
	must(w, rrset_cache_open(&w->env.cache, &cache), "a cache");
	must(w, server_table_open(&w->env.servers), "a server table");
	set_clock(w, 1000);
	for (int i = 0; i < s->rule_n; i++)
		add_rule(w, &s->rule[i]);
}

static void drop_due(struct world *w, const struct job *j, const uint32_t *id)
{
	for (struct due **p = &w->due; *p;) {
		struct due *d = *p;
		if (d->job != j || (id && d->ev.id != *id)) {
			p = &d->next;
			continue;
		}
		*p = d->next;
		free(d);
	}
}

static void close_world(struct world *w)
{
	char path[128];
	while (w->jobs) {
		struct job *j = w->jobs;
		w->jobs = j->next;
		drop_due(w, j, NULL);
		arena_fini(&j->arena);
		free(j);
	}
	rrset_cache_close(w->env.cache);
	server_table_close(w->env.servers);
	blocklist_view_close(w->policy.view);
	blocklist_close(w->store);
	static const char *const files[] = {"data.mdb", "lock.mdb"};
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", w->dir, files[i]);
		unlink(path);
	}
	snprintf(path, sizeof path, "rm -rf '%s'", w->dir);
	if (rmdir(w->dir) && system(path))
		printf("%s is left\n", w->dir);
}

/* ---- fake servers ---- */

static bool has_opt(const struct step_send *s)
{
	return wire_get16(s->bytes + 10) != 0;
}

static bool entry_matches(const struct entry *e, const uint8_t *qname, uint16_t qtype,
			  const struct step_send *s)
{
	bool tcp = s->transport == TRANSPORT_TCP;
	if ((e->match & MATCH_NOEDNS) && has_opt(s))
		return false;
	if ((e->match & MATCH_QNAME) && !name_equal(e->qname, qname))
		return false;
	if ((e->match & MATCH_SUBDOMAIN) && !name_within(qname, e->qname))
		return false;
	if ((e->match & MATCH_QTYPE) && e->qtype != qtype)
		return false;
	return !((e->match & MATCH_UDP) && tcp) && !((e->match & MATCH_TCP) && !tcp);
}

static bool range_has(const struct range *r, int step, const struct addr *a)
{
	for (int i = 0; i < r->addr_n && step >= r->from && step <= r->to; i++)
		if (r->addr[i].family == a->family &&
		    !memcmp(r->addr[i].bytes, a->bytes, sizeof a->bytes))
			return true;
	return false;
}

static const struct entry *find_entry(const struct world *w, const struct step_send *s)
{
	struct wire_reader r = wire_reader(s->bytes, s->len);
	uint8_t qname[DNS_NAME_MAX];
	wire_take(&r, DNS_HEADER_LEN);
	wire_name(&r, qname);
	uint16_t qtype = wire_u16(&r);
	for (const struct range *g = w->script->ranges; g; g = g->next)
		for (const struct entry *e = g->entries;
		     e && range_has(g, w->step, &s->to); e = e->next)
			if (entry_matches(e, qname, qtype, s))
				return e;
	return NULL;
}

static void put_section(struct wire_writer *w, const struct entry *e, int section)
{
	for (int i = 0; i < e->rr_n[section]; i++) {
		uint8_t *wire = NULL;
		size_t len = 0;
		if (ldns_rr2wire(&wire, e->rr[section][i], LDNS_SECTION_ANSWER, &len) ==
		    LDNS_STATUS_OK)
			wire_put(w, wire, len);
		free(wire);
	}
}

/* The server's message for a question, which ends with its OPT record or without one. */
static size_t build_reply(uint8_t out[DNS_MESSAGE_MAX], const struct entry *e,
			  const struct step_send *s)
{
	struct wire_writer w = wire_writer(out, DNS_MESSAGE_MAX);
	bool edns = has_opt(s) && !e->no_edns;
	size_t question =
		(size_t)s->len - DNS_HEADER_LEN - (has_opt(s) ? DNS_OPT_LEN : 0);
	const uint16_t counts[4] = {!e->no_question, (uint16_t)e->rr_n[0],
				    (uint16_t)e->rr_n[1], (uint16_t)(e->rr_n[2] + edns)};
	wire_put_header(&w, wire_get16(s->bytes), e->flags | e->rcode, counts);
	if (!e->no_question)
		wire_put(&w, s->bytes + DNS_HEADER_LEN, question);
	if (e->lower_case)
		name_lower(out + DNS_HEADER_LEN, question - 4);
	for (int section = 0; section < 3; section++)
		put_section(&w, e, section);
	if (edns)
		wire_put(&w, s->bytes + s->len - DNS_OPT_LEN, DNS_OPT_LEN);
	return wire_written(&w);
}

static struct due *add_due(struct world *w, struct job *j, uint64_t at_ms)
{
	struct due *d = script_zero(sizeof *d), **p = &w->due;
	while (*p && (*p)->at_ms <= at_ms)
		p = &(*p)->next;
	d->next = *p;
	*p = d;
	d->at_ms = at_ms;
	d->job = j;
	return d;
}

static void add_reply_due(struct world *w, struct job *j, uint32_t id, uint64_t at_ms,
			  const uint8_t *msg, size_t len)
{
	struct due *d = add_due(w, j, at_ms);
	memcpy(d->bytes, msg, len);
	d->ev = (struct event){EVENT_REPLY, id, 0, d->bytes, len, NULL, {0}};
}

/* The message with one thing wrong. */
static size_t spoil(uint8_t *msg, size_t len, unsigned junk)
{
	switch (junk) {
	case JUNK_ID:
		msg[1] ^= 1;
		break;
	case JUNK_QUESTION:
		msg[DNS_HEADER_LEN + 1] ^= 1;
		break;
	case JUNK_RESPONSE:
		msg[2] &= 0x7f;
		break;
	case JUNK_OPCODE:
		msg[2] |= 5 << 3;
		break;
	case JUNK_CASE:
		for (unsigned i = 1; i <= msg[DNS_HEADER_LEN]; i++)
			msg[DNS_HEADER_LEN + i] ^= 0x20;
		break;
	case JUNK_QUESTIONS:
		msg[5] = 2;
		break;
	case JUNK_GUARD:
		msg[len++] = 0;
		break;
	case JUNK_HEADER:
		return DNS_HEADER_LEN - 1;
	}
	return len;
}

static void serve(struct world *w, struct job *j, uint32_t id, const struct step_send *s)
{
	static uint8_t msg[DNS_MESSAGE_MAX + 1], bad[DNS_MESSAGE_MAX + 1];
	const struct entry *e = find_entry(w, s);
	uint64_t at = w->env.now_ms + (e ? e->sleep_ms : 0);
	struct due *d;
	if (e && e->fails) {
		d = add_due(w, j, at);
		d->ev = (struct event){EVENT_TIMEOUT, id, e->why, NULL, 0, NULL, {0}};
		return;
	}
	d = add_due(w, j, w->env.now_ms + s->timeout_ms);
	d->ev = (struct event){EVENT_TIMEOUT, id, SEND_TIMED_OUT, NULL, 0, NULL, {0}};
	if (!e || at >= w->env.now_ms + s->timeout_ms)
		return;
	size_t len = build_reply(msg, e, s);
	for (unsigned junk = 0; junk < JUNK_N; junk++) {
		if (!(e->junk >> junk & 1))
			continue;
		memcpy(bad, msg, len);
		add_reply_due(w, j, id, at, bad, spoil(bad, len, junk));
	}
	add_reply_due(w, j, id, at, msg, len);
}

/* ---- carrying out steps ---- */

static void run(struct world *w, struct job *j, const struct event *ev);

/* P1: the sending function asks policy at each transmission; here it must never have to
 * refuse, for the machine has judged at this very event. */
static void send_packet(struct world *w, struct job *j, const struct step *s)
{
	struct policy_subject subject = j->q.subject;
	struct verdict v;
	subject.passthru |= s->send.passthru;
	subject.own |= s->send.own;
	must(w,
	     policy_send(&v, &w->policy, &subject, s->send.qname, s->send.server,
			 &s->send.to),
	     "policy");
	if (v.kind == VERDICT_ACT) {
		char name[DNS_NAME_TEXT_MAX], addr[ADDR_TEXT_MAX];
		differ(w, w->script->line,
		       "a packet about %s to %s, which a rule forbids",
		       name_to_text(name, s->send.qname),
		       addr_to_text(addr, &s->send.to));
	}
	if (w->sent_n < SENDS_MAX) {
		struct sent *t = &w->sent[w->sent_n++];
		*t = (struct sent){.to = s->send.to,
				   .tcp = s->send.transport == TRANSPORT_TCP};
		name_copy(t->qname, s->send.qname);
	}
	serve(w, j, s->id, &s->send);
}

static struct job *add_job(struct world *w, const struct question *q,
			   const struct budget *budget, struct job *parent, uint32_t id)
{
	struct job *j = script_zero(sizeof *j);
	j->q = *q;
	j->parent = parent;
	j->parent_id = id;
	arena_init(&j->arena, 16384, 1 << 20);
	j->resolve = resolve_open(&j->arena, &j->q, budget);
	if (!j->resolve)
		abort();
	j->next = w->jobs;
	w->jobs = j;
	return j;
}

static void finish(struct world *w, struct job *j, const struct reply *reply)
{
	j->reply = reply;
	drop_due(w, j, NULL);
	for (struct job *k = w->jobs; k; k = k->next)
		if (k->parent == j)
			k->parent = NULL;
	if (j == w->asked)
		w->done_ms = w->env.now_ms;
	if (!j->parent)
		return;
	struct event ev = {.kind = EVENT_SUB_DONE, .id = j->parent_id, .reply = reply};
	ev.left = resolve_budget(j->resolve);
	run(w, j->parent, &ev);
}

static void run(struct world *w, struct job *j, const struct event *ev)
{
	struct steps steps;
	if (++w->events > EVENTS_MAX)
		script_fail(w->script, w->script->line, "no end of events");
	renew(w);
	resolve_step(j->resolve, &steps, ev, &w->env);
	for (int i = 0; i < steps.n && !j->reply; i++) {
		const struct step *s = &steps.step[i];
		switch (s->kind) {
		case STEP_SEND:
			send_packet(w, j, s);
			break;
		case STEP_CANCEL:
			drop_due(w, j, &s->id);
			break;
		case STEP_SUB: {
			struct job *k = add_job(w, &s->sub, &s->share, j, s->id);
			add_due(w, k, w->env.now_ms)->ev.kind = EVENT_START;
			break;
		}
		case STEP_YIELD:
			add_due(w, j, w->env.now_ms)->ev.kind = EVENT_RESUME;
			break;
		case STEP_DONE:
			finish(w, j, s->reply);
			break;
		}
	}
}

/* Everything due until then happens; the clock stands at the last event. */
static void pass(struct world *w, uint64_t until_ms)
{
	while (w->due && w->due->at_ms <= until_ms) {
		struct due *d = w->due;
		w->due = d->next;
		if (d->at_ms > w->env.now_ms)
			set_clock(w, d->at_ms);
		if (d->ev.kind == EVENT_TIMEOUT)
			drop_due(w, d->job, &d->ev.id);
		run(w, d->job, &d->ev);
		free(d);
	}
}

/* ---- steps ---- */

static void query(struct world *w, const struct script_step *s)
{
	struct question q = {.qtype = s->entry->qtype};
	struct budget b = {BUDGET_SENDS, BUDGET_BYTES, w->env.now_ms + BUDGET_MS,
			   BUDGET_DEPTH};
	name_copy(q.qname, s->entry->qname);
	if (s->words.n > 1 && is_word(s->words.w[1], "optout"))
		q.subject.class = POLICY_NONE;
	w->sent_n = 0;
	w->asked_ms = w->env.now_ms;
	w->asked = add_job(w, &q, &b, NULL, 0);
	run(w, w->asked, &(struct event){.kind = EVENT_START});
	pass(w, w->env.now_ms);
}

static void put_text(char *out, ldns_rr *rr, bool ttl)
{
	size_t n = strlen(out);
	if (!ttl)
		ldns_rr_set_ttl(rr, 0);
	ldns_rr2canonical(rr); /* lower case */
	char *text = ldns_rr2str(rr);
	snprintf(out + n, TEXT_MAX - n, "%s", text ? text : "?\n");
	free(text);
}

static void put_rrset(char *out, const struct rrset *s, const uint8_t *owner,
		      uint16_t type, bool ttl)
{
	static uint8_t wire[DNS_MESSAGE_MAX * 2];
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	while (rrset_next(s, &at, &rdata, &len)) {
		struct wire_writer w = wire_writer(wire, sizeof wire);
		ldns_rr *rr = NULL;
		size_t pos = 0;
		wire_put_name(&w, owner);
		wire_put16(&w, type);
		wire_put16(&w, DNS_IN);
		wire_put32(&w, s->ttl);
		wire_put16(&w, len);
		wire_put(&w, rdata, len);
		if (ldns_wire2rr(&rr, wire, wire_written(&w), &pos,
				 LDNS_SECTION_ANSWER) == LDNS_STATUS_OK)
			put_text(out, rr, ttl);
		ldns_rr_free(rr);
	}
}

static void put_expected(char *out, const struct entry *e, int section, bool ttl)
{
	for (int i = 0; i < e->rr_n[section]; i++) {
		ldns_rr *rr = ldns_rr_clone(e->rr[section][i]);
		put_text(out, rr, ttl);
		ldns_rr_free(rr);
	}
}

static void check_records(struct world *w, const struct entry *e, const struct reply *r)
{
	static char want[TEXT_MAX], got[TEXT_MAX];
	bool ttl = e->match & MATCH_TTL;
	want[0] = got[0] = 0;
	put_expected(want, e, WIRE_ANSWER, ttl);
	for (int i = 0; i < r->answer_n; i++)
		put_rrset(got, r->answer[i], r->answer[i]->owner, r->answer[i]->type,
			  ttl);
	if (strcmp(want, got) != 0)
		differ(w, e->line, "answer section:\nexpected\n%sgot\n%s", want, got);
	want[0] = got[0] = 0;
	put_expected(want, e, WIRE_AUTHORITY, ttl);
	if (r->negative)
		put_rrset(got, r->negative, r->negative->soa_owner, DNS_SOA, ttl);
	if (strcmp(want, got) != 0)
		differ(w, e->line, "authority section:\nexpected\n%sgot\n%s", want, got);
}

static void put_verdict(char out[2048], const struct verdict *v)
{
	char text[DNS_NAME_TEXT_MAX];
	if (v->prefix.addr.family)
		prefix_to_text(text, &v->prefix);
	else
		name_to_text(text, v->matched);
	snprintf(out, 2048, "%s %s %s", rule_action_text(v->action),
		 rule_trigger_text(v->trigger), text);
}

static void check_verdict(struct world *w, const struct entry *e, const struct reply *r)
{
	char want[2048] = "pass", got[2048] = "pass", monitor[2048];
	if (r->verdict.kind != VERDICT_PASS)
		put_verdict(got, &r->verdict);
	if (r->verdict.kind == VERDICT_PASSTHRU)
		snprintf(got, sizeof got, "passthru");
	if (e->verdict.n == 2)
		snprintf(want, sizeof want, "%s", e->verdict.w[1]);
	else if (e->verdict.n == 4)
		snprintf(want, sizeof want, "%s %s %s", e->verdict.w[1], e->verdict.w[2],
			 e->verdict.w[3]);
	if (strcmp(want, got) != 0)
		differ(w, e->line, "verdict: expected %s, got %s", want, got);
	name_to_text(monitor, r->monitor.matched);
	bool has = r->monitor.kind != VERDICT_PASS;
	if (has != (e->monitor != NULL) || (has && strcmp(monitor, e->monitor) != 0))
		differ(w, e->line, "monitor: expected %s, got %s",
		       e->monitor ? e->monitor : "none", has ? monitor : "none");
	if (e->cacheable && is_word(e->cacheable, "yes") != r->cacheable)
		differ(w, e->line, "cacheable: expected %s", e->cacheable);
}

static void check_answer(struct world *w, const struct script_step *s)
{
	const struct entry *e = s->entry;
	while (w->asked && !w->asked->reply && w->due)
		pass(w, w->due->at_ms);
	const struct reply *r = w->asked ? w->asked->reply : NULL;
	if (!r) {
		differ(w, s->line, "no answer");
		return;
	}
	check_verdict(w, e, r);
	if (r->rcode != e->rcode)
		differ(w, e->line, "rcode: expected %u, got %u (%s)", e->rcode, r->rcode,
		       r->ede_text ? r->ede_text : "no text");
	if (e->ede != -2 && e->ede != r->ede)
		differ(w, e->line, "EDE: expected %d, got %d (%s)", e->ede, r->ede,
		       r->ede_text ? r->ede_text : "no text");
	if (e->ede_text[0] && (!r->ede_text || strcmp(r->ede_text, e->ede_text) != 0))
		differ(w, e->line, "EDE: got %s", r->ede_text ? r->ede_text : "no text");
	check_records(w, e, r);
}

static int count_sent(const struct world *w, const char *address, const char *about)
{
	uint8_t name[DNS_NAME_MAX];
	struct addr a = {0};
	int n = 0;
	if (address)
		a = script_addr(w->script, address);
	else
		script_name(w->script, name, about);
	for (int i = 0; i < w->sent_n; i++)
		n += address ? !memcmp(w->sent[i].to.bytes, a.bytes, sizeof a.bytes)
			     : name_within(w->sent[i].qname, name);
	return n;
}

/* "N" is exact, "at most N" is not. */
static void check_number(struct world *w, const struct script_step *s, const char *what,
			 uint64_t got)
{
	const struct words *p = &s->words;
	bool most = p->n == 4 && is_word(p->w[1], "at");
	uint64_t want = strtoull(p->w[p->n - 1], NULL, 10);
	if (most ? got > want : got != want)
		differ(w, s->line, "%s: expected %s%lu, got %lu", what,
		       most ? "at most " : "", want, got);
}

static void print_sent(const struct world *w)
{
	char name[DNS_NAME_TEXT_MAX], addr[ADDR_TEXT_MAX];
	for (int i = 0; i < w->sent_n && i < 80; i++)
		printf("  sent %s about %s%s\n", addr_to_text(addr, &w->sent[i].to),
		       name_to_text(name, w->sent[i].qname),
		       w->sent[i].tcp ? " over TCP" : "");
}

/* Steps about what was sent; false when the word is none of them. */
static bool check_sent(struct world *w, const struct script_step *s)
{
	const struct words *p = &s->words;
	if (is_word(p->w[0], "CHECK_SENDS")) {
		check_number(w, s, "packets", (uint64_t)w->sent_n);
	} else if (is_word(p->w[0], "CHECK_TOOK")) {
		check_number(w, s, "ms", w->done_ms - w->asked_ms);
	} else if (is_word(p->w[0], "SENT_TO")) {
		int n = count_sent(w, p->w[1], NULL), last = p->n - 1;
		if (p->n == 2	? n == 0
		    : p->n == 3 ? n != atoi(p->w[2])
				: n > atoi(p->w[last]))
			differ(w, s->line, "%d packets to %s", n, p->w[1]);
	} else if (is_word(p->w[0], "NO_SENDS_TO")) {
		int n = count_sent(w, p->w[1], NULL);
		if (n)
			differ(w, s->line, "%d packets to %s", n, p->w[1]);
	} else if (is_word(p->w[0], "NO_SENDS_ABOUT")) {
		int n = count_sent(w, NULL, p->w[1]);
		if (n)
			differ(w, s->line, "%d packets about %s", n, p->w[1]);
	} else {
		return false;
	}
	return true;
}

static void take_step(struct world *w, const struct script_step *s)
{
	const char *kind = s->words.w[0];
	int before = w->failures;
	w->step = s->number;
	w->script->line = s->line;
	if (is_word(kind, "QUERY")) {
		query(w, s);
	} else if (is_word(kind, "CHECK_ANSWER")) {
		check_answer(w, s);
	} else if (is_word(kind, "TIME_PASSES") && s->words.n == 3) {
		uint64_t to = w->env.now_ms + strtoull(s->words.w[2], NULL, 10) * 1000;
		pass(w, to);
		set_clock(w, to);
	} else if (is_word(kind, "RULE")) {
		add_rule(w, &s->words);
	} else if (is_word(kind, "UNRULE")) {
		remove_rule(w, &s->words);
	} else if (!check_sent(w, s)) {
		script_fail(w->script, s->line, "unknown STEP %s", kind);
	}
	if (w->failures > before)
		print_sent(w);
}

int main(int argc, char **argv)
{
	int passed = 0, failed = 0;
	for (int i = 1; i < argc; i++) {
		script_read(&script, argv[i]);
		open_world(&world, &script);
		for (const struct script_step *s = script.steps; s; s = s->next)
			take_step(&world, s);
		close_world(&world);
		printf("%s: %s: %s\n", world.failures ? "FAILED" : "ok", script.file,
		       script.title);
		failed += world.failures != 0;
		passed += world.failures == 0;
	}
	printf("%d passed, %d failed, 0 skipped\n", passed, failed);
	return failed != 0;
}
