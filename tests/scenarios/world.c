#include "tests/scenarios/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "resolver/denial.h"
#include "resolver/rrset_cache.h"
#include "resolver/server.h"

enum { HEARD_MS = 3000 }; /* a UDP socket stays open so long, as UPSTREAM_QUIET_MS */

struct due { /* an event that will come */
	struct due *next;
	uint64_t at_ms;
	struct job *job;
	struct event ev;
	uint8_t bytes[]; /* of a reply */
};

void world_differ(struct world *w, int line, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	printf("%s:%d: ", w->script->file, line);
	if (w->step)
		printf("step %lld: ", w->step);
	vprintf(format, ap);
	printf("\n");
	va_end(ap);
	w->failures++;
}

static void must(int err, const char *what)
{
	if (err == 0)
		return;
	printf("%s: %s\n0 passed, 1 failed, 0 skipped\n", what, err_text(err));
	exit(1);
}

static void *must_zero(size_t n)
{
	void *p = calloc(1, n);
	if (!p)
		abort();
	return p;
}

/* ---- clock, randomness, store ---- */

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

void world_set_clock(struct world *w, uint64_t ms)
{
	w->env.now_ms = ms;
	w->env.now_s = w->policy.now_s = w->start_s + (uint32_t)(ms / 1000);
}

static void renew(struct world *w)
{
	must(blocklist_view_renew(w->policy.view), "the store");
	w->policy.stamp = blocklist_view_stamp(w->policy.view);
}

static bool read_rule_key(struct world *w, struct blocklist_key *key, const char *kind,
			  const char *text)
{
	*key = (struct blocklist_key){.name = {0}};
	int err = is_word(kind, "name")
			  ? name_from_str(key->name, text)
			  : prefix_from_text(&key->prefix, text, strlen(text));
	if (err)
		world_differ(w, w->line, "not a %s: %s", kind, text);
	return !err;
}

/* "cname=NAME": that, and the target in data; else the action's own word. -1: neither. */
static int read_action(struct blocklist_data *data, const char *word)
{
	static const char cname[] = "cname=";
	uint8_t target[DNS_NAME_MAX];
	struct blocklist_rr rr = {DNS_CNAME, 0, 30, target};
	if (strncmp(word, cname, sizeof cname - 1) != 0)
		return rule_action_from_text(word);
	if (name_from_str(target, word + sizeof cname - 1))
		return -1;
	rr.len = (uint16_t)name_len(target);
	return blocklist_data_alias(data, &rr) ? -1 : RULE_CNAME;
}

void world_add_rule(struct world *w, const struct words *words)
{
	struct blocklist_item item = {.starts = 0};
	int action =
		words->n < 5 ? ERR_INVAL : read_action(&item.entry.data, words->w[4]);
	if (action < 0) {
		world_differ(w, w->line, "a rule has five words, the last an action");
		return;
	}
	if (!read_rule_key(w, &item.key, words->w[1], words->w[2]))
		return;
	const char *use = words->w[3];
	item.kind = is_word(use, "exact")      ? RULE_EXACT
		    : is_word(use, "subtree")  ? RULE_SUBTREE
		    : is_word(use, "ns-exact") ? RULE_NS_EXACT
		    : is_word(use, "server")   ? RULE_ADDR_SERVER
					       : RULE_ADDR_ANSWER;
	item.action = (uint8_t)action;
	if (words->n == 7)
		item.expires = w->env.now_s + (uint32_t)strtoul(words->w[6], NULL, 10);
	item.entry.confidence = 255;
	snprintf(item.entry.reason, sizeof item.entry.reason, "scenario");
	must(blocklist_add(w->store, words->w[4], &item), "adding a rule");
}

void world_remove_rule(struct world *w, const struct words *words)
{
	struct blocklist_key key;
	if (words->n < 3 || !read_rule_key(w, &key, words->w[1], words->w[2]))
		return;
	for (int a = 0; a < RULE_ACTION_N; a++)
		if (blocklist_remove(w->store, rule_action_text((enum rule_action)a),
				     &key) == 0)
			return;
	world_differ(w, w->line, "no such rule: %s", words->w[2]);
}

void world_open(struct world *w, struct script *s)
{
	const char *why = NULL;
	*w = (struct world){.script = s, .random = 0x9e3779b97f4a7c15ULL};
	snprintf(w->dir, sizeof w->dir, "/tmp/sinkholed-scenario-XXXXXX");
	must(mkdtemp(w->dir) ? 0 : ERR_IO, "a temporary folder");
	must(blocklist_open(&w->store, w->dir, BLOCKLIST_WRITE, &why),
	     why ? why : "the store");
	must(blocklist_view_open(&w->policy.view, w->store), "a view");
	/* lists' leases are dated by the wall clock */
	w->start_s = s->start_s ? s->start_s : (uint32_t)time(NULL);
	w->policy.default_action = RULE_NXDOMAIN;
	w->env = (struct resolve_env){.policy = &w->policy,
				      .hints = &s->hints,
				      .conf = &s->conf,
				      .random = fake_random,
				      .random_arg = &w->random};
	must(anchors_new(&w->anchors, &s->trusted, s->insecure, s->insecure_n),
	     "trust anchors");
	w->env.anchors = w->anchors;
	s->conf.recursion.validate = s->trusted.n > 0;
	struct rrset_cache_conf cache = {4 << 20, s->conf.cache.min_ttl_s,
					 s->conf.cache.max_ttl_s, 0};
	if (s->conf.serve_stale.enabled)
		cache.stale_s = s->conf.serve_stale.max_age_s;
	must(rrset_cache_open(&w->env.cache, &cache), "a cache");
	if (s->conf.recursion.aggressive_nsec)
		must(denial_open(&w->env.denial, 1 << 20, s->conf.cache.max_ttl_s),
		     "an index of denials");
	must(server_table_open(&w->env.servers), "a server table");
	world_set_clock(w, 1000);
	for (int i = 0; i < s->rule_n; i++)
		world_add_rule(w, &s->rule[i]);
}

/* ---- what is due ---- */

/* Of one send, or with id NULL of the whole job. */
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
	for (int i = 0; i < w->sent_n; i++)
		if (w->sent[i].job == j && (!id || w->sent[i].id == *id))
			w->sent[i].open = false;
}

void world_close(struct world *w)
{
	static const char *const files[] = {"data.mdb", "lock.mdb"};
	char path[128];
	while (w->jobs) {
		struct job *j = w->jobs;
		w->jobs = j->next;
		drop_due(w, j, NULL);
		arena_fini(&j->arena);
		free(j);
	}
	anchors_free(w->anchors);
	rrset_cache_close(w->env.cache);
	denial_close(w->env.denial);
	server_table_close(w->env.servers);
	blocklist_view_close(w->policy.view);
	blocklist_close(w->store);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", w->dir, files[i]);
		unlink(path);
	}
	snprintf(path, sizeof path, "rm -rf '%s'", w->dir);
	if (rmdir(w->dir) && system(path))
		printf("%s is left\n", w->dir);
}

static struct due *add_due(struct world *w, struct job *j, uint64_t at_ms,
			   const struct event *ev)
{
	struct due *d = must_zero(sizeof *d + ev->len), **p = &w->due;
	while (*p && (*p)->at_ms <= at_ms)
		p = &(*p)->next;
	d->next = *p;
	*p = d;
	d->at_ms = at_ms;
	d->job = j;
	d->ev = *ev;
	if (ev->len) {
		memcpy(d->bytes, ev->bytes, ev->len);
		d->ev.bytes = d->bytes;
	}
	return d;
}

static void add_reply_due(struct world *w, const struct sent *t, uint64_t at_ms,
			  const uint8_t *msg, size_t len)
{
	const struct event ev = {
		.kind = EVENT_REPLY, .id = t->id, .bytes = msg, .len = len};
	add_due(w, t->job, at_ms, &ev);
}

static void add_timeout_due(struct world *w, const struct sent *t, uint64_t at_ms,
			    enum send_failure why)
{
	add_due(w, t->job, at_ms,
		&(struct event){.kind = EVENT_TIMEOUT, .id = t->id, .why = why});
}

/* ---- servers ---- */

void world_reply(struct world *w, struct sent *t, struct entry *e)
{
	static uint8_t msg[SERVERS_MESSAGE_MAX], bad[SERVERS_MESSAGE_MAX];
	uint64_t at = w->env.now_ms + e->sleep_ms;
	e->fired++;
	t->line = e->line;
	t->open = false;
	if (e->silent)
		return;
	if (e->fails) {
		drop_due(w, t->job, &t->id);
		add_timeout_due(w, t, at, e->why);
		return;
	}
	size_t len = servers_build(msg, w->script, e, t);
	for (unsigned junk = 0; junk < JUNK_N; junk++) {
		if (!(e->junk >> junk & 1))
			continue;
		memcpy(bad, msg, len);
		add_reply_due(w, t, at, bad, servers_spoil(bad, len, junk));
	}
	add_reply_due(w, t, at, msg, len);
}

void world_fail(struct world *w, struct sent *t, enum send_failure why)
{
	drop_due(w, t->job, &t->id);
	t->how = "ended by a step";
	add_timeout_due(w, t, w->env.now_ms, why);
	world_pass(w, w->env.now_ms);
}

/* Unbound's files: a step to come answers, fails or wants to see this packet. */
static bool is_wanted_later(const struct world *w, const struct sent *t)
{
	static const char *const kinds[] = {"REPLY", "CHECK_OUT_QUERY", "TIMEOUT",
					    "ERROR"};
	const struct script_step *p = w->script->steps;
	for (; w->script->dialect == DIALECT_UNBOUND && p; p = p->next)
		for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
			if (p->number >= w->step && is_word(p->words.w[0], kinds[i]) &&
			    servers_match_step(p, t))
				return true;
	return false;
}

/* A file for another product has no entry for what only ours asks: an honest server
 * answers from the records in the file, one that has none says SERVFAIL, and a server
 * that the file does not know is dead. Our own files say all there is. */
static void serve_unknown(struct world *w, struct sent *t)
{
	static const struct entry servfail = {.flags = DNS_QR,
					      .rcode = DNS_SERVFAIL,
					      .copy_id = true,
					      .copy_query = true};
	t->how = "no answer";
	if (w->script->dialect == DIALECT_OWN || is_wanted_later(w, t) ||
	    !servers_know(w->script, &t->to))
		return;
	struct entry *e = servers_derive(w->script, w->step, t);
	t->how = e ? "derived" : "no entry, SERVFAIL";
	if (!e) {
		e = script_zero(w->script, sizeof *e);
		*e = servfail;
	}
	world_reply(w, t, e);
}

static void serve(struct world *w, struct sent *t, uint32_t timeout_ms)
{
	struct entry *e = servers_find(w->script, w->step, t);
	uint32_t heard_ms = t->tcp ? timeout_ms : HEARD_MS;
	add_timeout_due(w, t, w->env.now_ms + timeout_ms, SEND_TIMED_OUT);
	if (!e)
		serve_unknown(w, t);
	else if (e->sleep_ms < heard_ms || e->fails)
		world_reply(w, t, e);
}

/* ---- jobs ---- */

static void run(struct world *w, struct job *j, const struct event *ev);

/* P1: the sending function asks policy at each transmission; here it must never have to
 * refuse, for the machine has judged at this very event. */
static void judge_send(struct world *w, const struct job *j, const struct step_send *s)
{
	struct policy_subject subject = j->q.subject;
	struct verdict v;
	char name[DNS_NAME_TEXT_MAX], addr[ADDR_TEXT_MAX];
	subject.passthru |= s->passthru;
	subject.own |= s->own;
	must(policy_send(&v, &w->policy, &subject, s->qname, s->server, &s->to),
	     "policy");
	if (v.kind == VERDICT_ACT)
		world_differ(w, w->line, "a packet about %s to %s, which a rule forbids",
			     name_to_text(name, s->qname), addr_to_text(addr, &s->to));
}

static void send_packet(struct world *w, struct job *j, const struct step *s)
{
	struct sent t;
	judge_send(w, j, &s->send);
	if (!servers_read(&t, &s->send)) {
		world_differ(w, w->line, "a packet without a whole question");
		return;
	}
	if (w->sent_n == WORLD_SENT_MAX) {
		world_differ(w, w->line, "more than %d packets", WORLD_SENT_MAX);
		return;
	}
	t.job = j;
	t.id = s->id;
	w->sent[w->sent_n] = t;
	serve(w, &w->sent[w->sent_n++], s->send.timeout_ms);
}

static struct job *add_job(struct world *w, const struct question *q,
			   const struct budget *budget, struct job *parent, uint32_t id)
{
	struct job *j = must_zero(sizeof *j);
	j->q = *q;
	j->parent = parent;
	j->parent_id = id;
	j->asked_ms = w->env.now_ms;
	arena_init(&j->arena, 16384, 1 << 20);
	j->resolve = resolve_open(&j->arena, &j->q, budget);
	if (!j->resolve)
		abort();
	j->next = w->jobs;
	w->jobs = j;
	return j;
}

static void tell(const struct world *w, struct job *j, const struct reply *reply)
{
	if (j->reply)
		return;
	j->reply = reply;
	j->done_ms = w->env.now_ms;
}

static void finish(struct world *w, struct job *j, const struct reply *reply)
{
	tell(w, j, reply);
	j->ended = true;
	drop_due(w, j, NULL);
	for (struct job *k = w->jobs; k; k = k->next)
		if (k->parent == j)
			k->parent = NULL;
	if (!j->parent)
		return;
	struct event ev = {.kind = EVENT_SUB_DONE, .id = j->parent_id, .reply = reply};
	ev.left = resolve_budget(j->resolve);
	run(w, j->parent, &ev);
}

static void carry_out(struct world *w, struct job *j, const struct step *s)
{
	switch (s->kind) {
	case STEP_SEND:
		send_packet(w, j, s);
		break;
	case STEP_CANCEL:
		drop_due(w, j, &s->id);
		break;
	case STEP_SUB:
		add_due(w, add_job(w, &s->sub, &s->share, j, s->id), w->env.now_ms,
			&(struct event){.kind = EVENT_START});
		break;
	case STEP_YIELD:
		add_due(w, j, w->env.now_ms, &(struct event){.kind = EVENT_RESUME});
		break;
	case STEP_TELL:
		tell(w, j, s->reply);
		break;
	case STEP_DONE:
		finish(w, j, s->reply);
		break;
	}
}

static void run(struct world *w, struct job *j, const struct event *ev)
{
	struct steps steps;
	if (++w->events > WORLD_EVENTS_MAX) {
		if (w->events == WORLD_EVENTS_MAX + 1)
			world_differ(w, w->line, "no end of events");
		return;
	}
	renew(w);
	resolve_step(j->resolve, &steps, ev, &w->env);
	for (int i = 0; i < steps.n && !j->ended; i++)
		carry_out(w, j, &steps.step[i]);
}

void world_pass(struct world *w, uint64_t until_ms)
{
	while (w->due && w->due->at_ms <= until_ms)
		world_pass_one(w);
}

bool world_pass_one(struct world *w)
{
	struct due *d = w->due;
	if (!d)
		return false;
	w->due = d->next;
	if (d->at_ms > w->env.now_ms)
		world_set_clock(w, d->at_ms);
	/* One that timed out may still be answered. */
	if (d->ev.kind == EVENT_TIMEOUT && d->ev.why != SEND_TIMED_OUT)
		drop_due(w, d->job, &d->ev.id);
	run(w, d->job, &d->ev);
	free(d);
	return true;
}

void world_ask(struct world *w, const struct entry *question, bool optout)
{
	struct question q = {.qtype = question->qtype};
	struct budget b = {BUDGET_SENDS, BUDGET_BYTES, w->env.now_ms + BUDGET_MS,
			   BUDGET_DEPTH};
	name_copy(q.qname, question->qname);
	if (optout)
		q.subject.class = POLICY_NONE;
	w->sent_from = w->sent_n;
	w->asked = add_job(w, &q, &b, NULL, 0);
	w->asked->client = true;
	w->asked->flags = question->flags;
	w->asked->dnssec_ok = question->dnssec_ok;
	run(w, w->asked, &(struct event){.kind = EVENT_START});
	if (w->script->conf.serve_stale.enabled && !w->asked->ended)
		add_due(w, w->asked,
			w->env.now_ms + w->script->conf.serve_stale.client_timeout_ms,
			&(struct event){.kind = EVENT_LATE});
	world_pass(w, w->env.now_ms);
}

/* ---- report ---- */

void world_print_sent(const struct world *w)
{
	enum { SHOWN_MAX = 80 };
	char name[DNS_NAME_TEXT_MAX], addr[ADDR_TEXT_MAX];
	for (int i = w->sent_from; i < w->sent_n && i < w->sent_from + SHOWN_MAX; i++) {
		const struct sent *t = &w->sent[i];
		printf("  sent %s about %s type %u%s: ", addr_to_text(addr, &t->to),
		       name_to_text(name, t->qname), t->qtype, t->tcp ? " over TCP" : "");
		if (t->line && !t->how)
			printf("entry at line %d\n", t->line);
		else
			printf("%s\n", t->how ? t->how : "no answer in time");
	}
	if (w->sent_n > w->sent_from + SHOWN_MAX)
		printf("  and %d more\n", w->sent_n - w->sent_from - SHOWN_MAX);
}
