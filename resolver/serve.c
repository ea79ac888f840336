#include "resolver/serve.h"

#include "resolver/cause.h"
#include "resolver/client.h"
#include "resolver/iter.h"

/* One question on its way through, and where its answer goes. */
struct call {
	struct serve *s;
	const struct asker *from;
	const struct query *q;
	uint64_t hash;	   /* of its name */
	uint64_t asked_us; /* wall clock */
	uint8_t *out;
	size_t room, len;
};

static struct answer_form form_for(const struct asker *from, const struct query *q)
{
	return answer_form(q, from->transport == HIT_UDP);
}

static struct answer_key key_for(const struct call *c, uint8_t class)
{
	const struct query *q = c->q;
	return (struct answer_key){
		.qname = q->qname,
		.hash = c->hash,
		.qtype = q->qtype,
		.qname_len = q->qname_len,
		.class = class,
		.form = form_for(c->from, q),
	};
}

static size_t room_for(const struct asker *from, const struct query *q)
{
	return from->transport == HIT_UDP ? q->room : DNS_MESSAGE_MAX;
}

/* Counts what the written answer says. */
static enum serve_result answered(struct call *c, size_t len)
{
	unsigned flags = wire_get16(c->out + 2);
	stats_count(c->s->stats, stats_of_rcode(flags & DNS_RCODE_MASK));
	if (flags & DNS_TC)
		stats_count(c->s->stats, STATS_TRUNCATED);
	c->len = len;
	return SERVE_ANSWER;
}

static enum serve_result say_error(struct call *c, unsigned rcode, int ede,
				   const char *text)
{
	return answered(c, answer_error(c->out, c->room, c->q, rcode, ede, text));
}

/* The address may be forged: no more goes there than came from it. */
static enum serve_result refuse_stranger(struct call *c, size_t msg_len)
{
	size_t len = answer_error(c->out, c->room, c->q, DNS_REFUSED, DNS_EDE_PROHIBITED,
				  NULL);
	if (len > msg_len)
		len = answer_error(c->out, c->room, c->q, DNS_REFUSED, DNS_EDE_NONE,
				   NULL);
	return answered(c, len);
}

static enum serve_result store_failed(struct call *c)
{
	return say_error(c, DNS_SERVFAIL, DNS_EDE_NOT_READY,
			 "the blocklist cannot be read");
}

/* ---- a verdict: the hit first, then the answer ---- */

/* Over TCP a tcp-only rule gives the truth; where no contact forbids that (a listed
 * server), it is to be told plainly: TC would send the client here again. */
static enum rule_action action_of(const struct call *c, const struct verdict *v)
{
	if (v->action == RULE_TCP_ONLY && c->from->transport != HIT_UDP)
		return RULE_REFUSE;
	return v->action;
}

/* Whether the hit is where a SIGKILL cannot lose it. */
static bool put_hit(const struct call *c, const struct verdict *v,
		    enum rule_action action, const struct cause *why)
{
	const struct hit_source h = {
		.time_us = c->asked_us,
		.entry = v->rule.entry,
		.generation = c->s->policy.stamp.generation,
		.qtype = c->q->qtype,
		.transport = c->from->transport,
		.trigger = (uint8_t)v->trigger,
		.action = (uint8_t)action,
		.clock_synced = c->s->clock_synced,
		.qname_len = c->q->qname_len,
		.client = &c->from->client,
		.listener = &c->from->listener,
		.prefix = &v->prefix,
		.qname = c->q->qname,
		.matched = v->matched,
		.list = why->list ? why->list->name : "",
		.family = why->family,
		.category = why->category,
	};
	if (hit_ring_put(c->s->ring, &h) == HIT_NO_ROOM) {
		stats_count(c->s->stats, STATS_DROP_UNLOGGED);
		return false;
	}
	stats_count(c->s->stats, stats_of_action(action));
	return true;
}

/* Until its stamp is another, or its time comes. */
static void remember_listed(const struct call *c, const struct verdict *v,
			    const struct answer_body *body, const struct answer_key *key)
{
	const struct answer_listed listed = {v->rule, v->action};
	const struct policy *p = &c->s->policy;
	const struct answer_memory memory = {policy_stamp(p, key->class), v->change};
	struct answer_body kept = *body;
	kept.listed = &listed;
	answer_cache_put(c->s->answers, &kept, key, &memory, DNS_TTL_MAX, p->now_s);
}

/* key: whom the same answer may be told again; NULL = nobody. */
static enum serve_result act(struct call *c, const struct verdict *v,
			     const struct reply *chain, const struct answer_key *key)
{
	char text[ANSWER_EDE_TEXT_MAX];
	struct answer_body body;
	struct cause why;
	enum rule_action action = action_of(c, v);
	cause_find(&why, &c->s->policy, v);
	if (!put_hit(c, v, action, &why))
		return SERVE_NONE;
	if (action == RULE_DROP)
		return SERVE_CLOSE;
	struct answer_policy how = {
		.verdict = v, .action = action, .conf = c->s->conf, .chain = chain};
	cause_tell(&how, text, &why, &c->s->policy);
	answer_verdict(&body, c->s->body, sizeof c->s->body, c->q, &how);
	if (key)
		remember_listed(c, v, &body, key);
	return answered(c, answer_finish(c->out, c->room, c->q, &body, 0));
}

static enum serve_result act_again(struct call *c, const struct answer_body *body)
{
	struct verdict v;
	struct cause why;
	policy_remembered(&v, &body->listed->rule, body->listed->action, c->q->qname);
	cause_find(&why, &c->s->policy, &v);
	if (!put_hit(c, &v, v.action, &why))
		return SERVE_NONE;
	return answered(c, answer_finish(c->out, c->room, c->q, body, 0));
}

/* A monitor rule never hides anything: without room in the log the question goes on. */
static void note_monitor(const struct call *c, const struct verdict *monitor)
{
	struct cause why;
	if (monitor->kind != VERDICT_ACT)
		return;
	cause_find(&why, &c->s->policy, monitor);
	put_hit(c, monitor, RULE_MONITOR, &why);
}

/* ---- the stages ---- */

static enum serve_result from_local(struct call *c, enum local_kind kind,
				    const struct local_answer *local)
{
	stats_count(c->s->stats, STATS_LOCAL);
	return answered(c, answer_local(c->out, c->room, c->q, kind, local));
}

/* Behind the answer. Not for who opted out: what nobody asked for just now must not lead
 * to a listed server. */
static void look_up_again(struct serve *s, const struct query *q, uint8_t class,
			  uint32_t left_s)
{
	struct question again = {
		.qtype = q->qtype, .refresh_s = left_s + 1, .subject = {.class = class}};
	name_copy(again.qname, q->qname);
	if (class != POLICY_NONE)
		task_refresh(s->tasks, &again);
}

static enum serve_result from_cache(struct call *c, const struct answer_body *body,
				    const struct answer_age *age, uint8_t class)
{
	stats_count(c->s->stats, STATS_CACHED);
	size_t len = answer_finish(c->out, c->room, c->q, body, age->age_s);
	/* A name that is asked for shortly before it expires will be again. Only now:
	 * what that brings at once may take the body's place. */
	if (age->due && (c->q->flags & DNS_RD) && c->s->conf->cache.prefetch)
		look_up_again(c->s, c->q, class, age->left_s);
	return answered(c, len);
}

static enum serve_result from_task(struct call *c, const struct policy_subject *subject)
{
	struct serve *s = c->s;
	s->current_out = c->out;
	s->current_len = 0;
	s->current_result = SERVE_LATER;
	s->current_expired = false;
	enum task_result asked = task_ask(s->tasks, c->q, subject, c->from, &s->current);
	s->current = NULL;
	if (asked != TASK_ASKED) {
		stats_count(s->stats, STATS_DROP_OVERLOAD);
		return say_error(c, DNS_SERVFAIL, DNS_EDE_OTHER,
				 "too many questions at once");
	}
	c->len = s->current_len;
	/* RFC 8767 5; with RD the task that told it goes on. */
	if (s->current_expired && !(c->q->flags & DNS_RD))
		look_up_again(s, c->q, subject->class, 0);
	return s->current_result;
}

/* What is known, and was judged for all of the class. */
static bool known(struct call *c, const struct answer_key *key, enum serve_result *result)
{
	struct answer_body body;
	struct answer_age age;
	if (!answer_cache_get(c->s->answers, &body, &age, key, &c->s->policy))
		return false;
	*result = body.listed ? act_again(c, &body)
			      : from_cache(c, &body, &age, key->class);
	return true;
}

/* Answered at once: over TCP a tcp-only rule gives the truth (RPZ draft 4.5), and what a
 * walled garden answers is to be looked for. */
static bool answers_at_once(const struct call *c, const struct verdict *v)
{
	bool truth = v->action == RULE_TCP_ONLY && c->from->transport != HIT_UDP;
	return v->kind == VERDICT_ACT && !truth && v->action != RULE_CNAME;
}

/* Whether the next one who asks would be told just the same, whoever and however it is.
 */
static bool is_lasting(const struct verdict *v, const struct verdict *monitor)
{
	return v->trigger == RULE_ON_QNAME && v->action != RULE_TCP_ONLY &&
	       monitor->kind == VERDICT_PASS;
}

/* Local zones first, then policy, then what is known, then a look-up. */
static enum serve_result decide(struct call *c, uint8_t class)
{
	struct serve *s = c->s;
	const struct query *q = c->q;
	struct policy_subject subject = {.class = class};
	enum serve_result result;
	struct verdict v, monitor = {0};
	struct local_answer local;
	enum local_kind kind = iter_local(&local, s->conf, q->qname, q->qtype);
	const struct answer_key key = key_for(c, class);
	/* The entry remembers its verdict: no look-up while that holds, but for rules
	 * about clients. */
	bool by_client = blocklist_has_client_rules(s->policy.view);
	if (by_client)
		subject.client = c->from->client, subject.client.port = 0;
	else if (kind == LOCAL_NONE && known(c, &key, &result))
		return result;
	if (policy_name(&v, &monitor, &s->policy, &subject, q->qname))
		return store_failed(c);
	if (kind != LOCAL_NONE && !cause_overrides(&v, &local))
		return from_local(c, kind, &local);
	note_monitor(c, &monitor);
	if (answers_at_once(c, &v)) {
		bool lasting = kind == LOCAL_NONE && !by_client;
		return act(c, &v, NULL,
			   lasting && is_lasting(&v, &monitor) ? &key : NULL);
	}
	policy_settle(&subject, &v);
	if (v.kind == VERDICT_ACT && v.action == RULE_CNAME)
		return from_task(c, &subject);
	subject.passthru |= v.kind == VERDICT_ACT;
	if (by_client && !subject.passthru && known(c, &key, &result))
		return result;
	return from_task(c, &subject);
}

/* RFC 5001 */
static const char *nsid_for(const struct serve *s, const struct query *q)
{
	return q->wants_nsid && *s->conf->nsid ? s->conf->nsid : NULL;
}

static void count_query(const struct serve *s, const struct asker *from)
{
	stats_count(s->stats,
		    from->transport == HIT_UDP ? STATS_QUERY_UDP : STATS_QUERY_TCP);
}

void serve_expect(void *arg, const uint8_t *msg, size_t msg_len)
{
	struct serve *s = arg;
	if (s->ahead_n == SERVE_AHEAD)
		return;
	struct serve_ahead *a = &s->ahead[s->ahead_n++];
	struct query *q = &a->query;
	a->msg = msg;
	a->read = query_read(q, msg, msg_len);
	if (a->read != QUERY_OK)
		return;
	a->hash = answer_cache_hash(s->answers, q->qname, q->qname_len);
	answer_cache_fetch_index(s->answers, a->hash, q->qtype);
}

/* Of the next questions what is remembered, or what the look-ups will read. */
static void fetch(const struct serve *s)
{
	const uint8_t *name[BLOCKLIST_FETCH_MAX];
	int names = 0;
	unsigned end = s->ahead_at + BLOCKLIST_FETCH_MAX;
	for (unsigned i = s->ahead_at; i < s->ahead_n && i < end; i++) {
		const struct serve_ahead *a = &s->ahead[i];
		if (a->read == QUERY_OK &&
		    !answer_cache_fetch_entry(s->answers, a->hash, a->query.qtype))
			name[names++] = a->query.qname;
	}
	if (names > 1)
		blocklist_fetch_names(s->policy.view, name, names);
}

/* What was read ahead, or is now. */
static struct serve_ahead *take(struct serve *s, const uint8_t *msg, size_t msg_len)
{
	if (s->ahead_at == s->ahead_n || s->ahead[s->ahead_at].msg != msg) {
		s->ahead_n = s->ahead_at = 0;
		serve_expect(s, msg, msg_len);
	} else if (s->ahead_at % BLOCKLIST_FETCH_MAX == 0) {
		fetch(s);
	}
	return &s->ahead[s->ahead_at++];
}

enum serve_result serve_question(void *arg, const struct asker *from, const uint8_t *msg,
				 size_t msg_len, uint8_t *out, size_t *len)
{
	struct serve *s = arg;
	struct serve_ahead *a = take(s, msg, msg_len);
	struct query *q = &a->query;
	struct call c = {.s = s,
			 .from = from,
			 .q = q,
			 .hash = a->hash,
			 .asked_us = s->now_us,
			 .out = out};
	enum serve_result result;
	uint8_t class;
	c.room = room_for(from, q);
	if (a->read == QUERY_DROP) {
		bool response = msg_len >= DNS_HEADER_LEN;
		stats_count(s->stats,
			    response ? STATS_DROP_RESPONSE : STATS_DROP_MALFORMED);
		return SERVE_NONE;
	}
	if (!client_allowed(s->conf, &from->client)) {
		stats_count(s->stats, STATS_NOT_ALLOWED);
		result = refuse_stranger(&c, msg_len);
	} else if (a->read == QUERY_ERROR) {
		result = say_error(&c, q->rcode, DNS_EDE_NONE, NULL);
	} else {
		count_query(s, from);
		q->nsid = nsid_for(s, q);
		result = client_class(&class, s->policy.view, &from->client)
				 ? store_failed(&c)
				 : decide(&c, class);
	}
	*len = c.len;
	return result;
}

/* ---- what comes back from a task ---- */

/* The shortest life among an answer's parts. */
static uint32_t reply_ttl(const struct reply *r)
{
	uint32_t ttl = DNS_TTL_MAX;
	for (int i = 0; i < r->answer_n; i++)
		ttl = r->answer[i]->ttl < ttl ? r->answer[i]->ttl : ttl;
	if (r->negative && r->negative->ttl < ttl)
		ttl = r->negative->ttl;
	return r->answer_n || r->negative ? ttl : 0;
}

static void remember(struct serve *s, const struct question *q, const struct reply *reply,
		     const struct answer_body *body, struct answer_form form)
{
	const struct answer_memory memory = {policy_stamp(&s->policy, q->subject.class),
					     reply->change};
	uint8_t len = (uint8_t)name_len(q->qname);
	const struct answer_key key = {
		.qname = q->qname,
		.hash = answer_cache_hash(s->answers, q->qname, len),
		.qtype = q->qtype,
		.qname_len = len,
		.class = q->subject.class,
		.form = form,
	};
	if (reply->cacheable && !q->subject.passthru)
		answer_cache_put(s->answers, body, &key, &memory, reply_ttl(reply),
				 s->policy.now_s);
}

/* What is told to everybody who is to have one question's answer in one form. */
struct finished {
	const struct question *q;
	const struct reply *reply;
	const struct answer_body *body;
	bool monitored; /* by a rule that decide() has not logged */
};

/* RPZ draft 4.5 again, for what the answer leads to. False: there is no task left. */
static bool ask_again(struct serve *s, const struct waiter *w, const struct question *q)
{
	struct policy_subject subject = q->subject;
	const struct waiter *again;
	bool here = w == s->current;
	subject.passthru = true;
	if (task_ask(s->tasks, &w->query, &subject, &w->from, &again) != TASK_ASKED)
		return false;
	if (here)
		s->current = again;
	return true;
}

static bool wants_truth(const struct call *c, const struct finished *f)
{
	return f->reply->verdict.kind == VERDICT_ACT &&
	       f->reply->verdict.action == RULE_TCP_ONLY &&
	       c->from->transport != HIT_UDP && !f->q->subject.passthru;
}

/* A client that opted out, or in, while it waited: what was found is not for it. */
static bool class_changed(const struct call *c, const struct finished *f)
{
	uint8_t class;
	return client_class(&class, c->s->policy.view, &c->from->client) ||
	       class != f->q->subject.class;
}

static enum serve_result finish_call(struct call *c, const struct finished *f)
{
	const struct reply *reply = f->reply;
	if (class_changed(c, f))
		return say_error(c, DNS_SERVFAIL, DNS_EDE_OTHER,
				 "the rules for this client have changed: ask again");
	if (f->monitored)
		note_monitor(c, &reply->monitor);
	if (reply->starved && !(c->q->flags & DNS_RD))
		return say_error(c, DNS_REFUSED, DNS_EDE_OTHER, "RD=0: not in the cache");
	if (reply_is_hidden(reply, c->q->flags))
		return say_error(c, DNS_SERVFAIL, reply->ede, reply->ede_text);
	if (reply->verdict.kind == VERDICT_ACT)
		return act(c, &reply->verdict, reply, NULL);
	if (reply->expired)
		stats_count(c->s->stats, STATS_STALE);
	return answered(c, answer_finish(c->out, c->room, c->q, f->body, 0));
}

/* A late answer over UDP may be part of an attack (DNSBomb) and helps nobody. */
static bool too_late(const struct serve *s, const struct waiter *w)
{
	uint32_t max = s->conf->answers.max_wait_ms;
	return max && w->from.transport == HIT_UDP && s->now_ms - w->since_ms > max;
}

static void deliver(struct serve *s, const struct waiter *w, const struct finished *f)
{
	bool here = w == s->current;
	struct query q = w->query;
	struct call c = {.s = s, .from = &w->from, .q = &q};
	/* The configuration may be another by now, and the old one gone. */
	q.nsid = nsid_for(s, &q);
	c.asked_us = s->now_us - (s->now_ms - w->since_ms) * 1000;
	c.out = here ? s->current_out : s->late_out;
	c.room = room_for(&w->from, &w->query);
	if (too_late(s, w)) {
		stats_count(s->stats, STATS_DROP_LATE);
		return;
	}
	if (wants_truth(&c, f) && ask_again(s, w, f->q))
		return;
	enum serve_result result = finish_call(&c, f);
	if (here) {
		s->current_result = result;
		s->current_len = c.len;
		s->current_expired = f->reply->expired;
	} else {
		s->out.send(s->out.arg, &w->from, c.out, c.len, result == SERVE_CLOSE);
	}
}

/* What the question itself matches was logged when it came. */
static bool monitored_behind(const struct serve *s, const struct question *q,
			     const struct reply *reply)
{
	struct verdict v, at_once = {0};
	if (reply->monitor.kind != VERDICT_ACT)
		return false;
	return policy_name(&v, &at_once, &s->policy, &q->subject, q->qname) ||
	       at_once.kind != VERDICT_ACT ||
	       at_once.rule.entry != reply->monitor.rule.entry;
}

static bool wants(const struct waiter *w, struct answer_form form)
{
	const struct answer_form f = form_for(&w->from, &w->query);
	return f.dnssec == form.dnssec && f.one == form.one;
}

static bool anybody(const struct waiter *list, struct answer_form form)
{
	for (; list; list = list->next)
		if (wants(list, form))
			return true;
	return false;
}

static void tell(struct serve *s, const struct question *q, const struct waiter *list,
		 const struct reply *reply, struct answer_form form)
{
	struct answer_body body = {0};
	static const struct reply too_long = {
		.rcode = DNS_SERVFAIL,
		.ede = DNS_EDE_INVALID_DATA,
		.ede_text = "the answer is longer than a message can be",
	};
	if (reply->verdict.kind != VERDICT_ACT) {
		if (answer_body(&body, s->body, sizeof s->body, s->ttl_at, q->qname,
				q->qtype, reply, form)) {
			reply = &too_long;
			if (answer_body(&body, s->body, sizeof s->body, s->ttl_at,
					q->qname, q->qtype, reply, form))
				return;
		}
		remember(s, q, reply, &body, form);
	}
	const struct finished f = {q, reply, &body, monitored_behind(s, q, reply)};
	for (const struct waiter *w = list; w; w = w->next)
		if (wants(w, form))
			deliver(s, w, &f);
}

void serve_done(void *arg, const struct question *q, const struct waiter *list,
		const struct reply *reply)
{
	/* Nobody waits for what was looked up anew: anybody may ask. */
	for (int one = false; one <= (q->qtype == DNS_ANY); one++)
		for (int dnssec = false; dnssec <= true; dnssec++) {
			const struct answer_form form = {dnssec, one};
			if (!list || anybody(list, form))
				tell(arg, q, list, reply, form);
		}
}
