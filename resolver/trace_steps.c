#include "resolver/trace_steps.h"

#include "include/utf8.h"
#include "resolver/cause.h"
#include "resolver/iter_reply.h"

int trace_steps_init(struct trace_steps *s, const struct policy *policy)
{
	*s = (struct trace_steps){.policy = policy, .list = json_array()};
	return s->list ? ERR_OK : ERR_NOMEM;
}

void trace_steps_fini(struct trace_steps *s)
{
	json_decref(s->list);
	s->list = NULL;
}

/* ---- one step ---- */

static json_t *begin(const struct trace_steps *s, uint32_t task, const char *what)
{
	unsigned depth = task < TRACE_QUESTIONS_MAX ? s->depth[task] : 1;
	return json_pack("{s:I, s:I, s:i, s:s}", "us", (json_int_t)s->now_us, "question",
			 (json_int_t)task, "depth", (int)depth, "step", what);
}

static void end(struct trace_steps *s, json_t *step)
{
	size_t n = json_dumpb(step, NULL, 0, JSON_COMPACT) + 1;
	if (n + s->bytes > TRACE_STEPS_BYTES || json_array_append(s->list, step))
		s->left_out++;
	else
		s->bytes += n;
	json_decref(step);
}

static void set_number(json_t *step, const char *key, uint64_t n)
{
	json_object_set_new(step, key, json_integer((json_int_t)n));
}

static void set_text(json_t *step, const char *key, const char *text)
{
	char clean[BLOCKLIST_TEXT_MAX];
	utf8_clean(clean, sizeof clean, text, strlen(text));
	json_object_set_new(step, key, json_string(clean));
}

static void set_name(json_t *step, const char *key, const uint8_t *name)
{
	char text[DNS_NAME_TEXT_MAX];
	if (name)
		json_object_set_new(step, key, json_string(name_to_text(text, name)));
}

static void set_addr(json_t *step, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	if (a && a->family)
		json_object_set_new(step, "address",
				    json_string(a->port ? addr_port_to_text(text, a)
							: addr_to_text(text, a)));
}

/* Which entry of which list, and why it is there (P8). */
static void set_rule(json_t *step, const struct trace_steps *s, const struct verdict *v)
{
	char prefix[PREFIX_TEXT_MAX];
	json_t *rule = json_object();
	struct cause why = {0};
	cause_find(&why, s->policy, v);
	set_text(rule, "list", why.list ? why.list->name : "?");
	set_number(rule, "entry", v->rule.entry);
	set_text(rule, "action", rule_action_text(v->action));
	set_text(rule, "trigger", rule_trigger_text(v->trigger));
	if (v->prefix.addr.family)
		set_text(rule, "matched", prefix_to_text(prefix, &v->prefix));
	else
		set_name(rule, "matched", v->matched);
	set_text(rule, "family", why.family);
	json_object_set_new(step, "rule", rule);
}

static void set_verdict(json_t *step, const struct trace_steps *s,
			const struct verdict *v)
{
	set_text(step, "verdict",
		 v->kind == VERDICT_PASSTHRU ? "passthru"
		 : v->kind == VERDICT_PASS   ? "pass"
		 : v->action == RULE_MONITOR ? "monitor"
					     : "act");
	if (v->kind != VERDICT_PASS)
		set_rule(step, s, v);
}

/* ---- words ---- */

static const char *class_text(enum iter_class class)
{
	switch (class) {
	case ITER_JUNK:
		return "junk";
	case ITER_FORGED:
		return "wrong id";
	case ITER_TRUNCATED:
		return "truncated";
	case ITER_NO_EDNS:
		return "no edns";
	case ITER_ERROR:
		return "error";
	case ITER_LAME:
		return "lame";
	case ITER_REFERRAL:
		return "referral";
	case ITER_ANSWER:
		return "answer";
	case ITER_CNAME:
		return "alias";
	case ITER_NODATA:
		return "nodata";
	case ITER_NXDOMAIN:
		return "nxdomain";
	}
	return "?";
}

static const char *failure_text(int why)
{
	switch ((enum send_failure)why) {
	case SEND_TIMED_OUT:
		return "timed out";
	case SEND_UNREACHABLE:
		return "unreachable";
	case SEND_CLOSED:
		return "closed";
	case SEND_FORBIDDEN:
		return "forbidden";
	case SEND_NO_RESOURCE:
		return "no resource";
	}
	return "?";
}

static const char *kind_text(uint8_t kind)
{
	return kind == RRSET_DATA ? "data" : kind == RRSET_NODATA ? "nodata" : "nxdomain";
}

static const char *place_text(enum note_place place)
{
	static const char *const text[] = {"cache", "hints", "stub", "forward"};
	return text[place];
}

static const char *asked_text(enum note_kind kind)
{
	return kind == NOTE_ASKED    ? "question"
	       : kind == NOTE_JOINED ? "joined"
				     : "not asked";
}

/* ---- questions ---- */

static void note_asked(struct trace_steps *s, const struct note *n)
{
	unsigned above = n->by < TRACE_QUESTIONS_MAX ? s->depth[n->by] : 1;
	if (n->kind == NOTE_ASKED && n->task < TRACE_QUESTIONS_MAX) {
		s->depth[n->task] = (uint8_t)(n->by ? above + 1 : 0);
		s->subject[n->task] = n->question->subject;
	}
	/* JOINED is told by who waits. */
	uint32_t teller = n->kind == NOTE_ASKED ? n->task : n->by;
	json_t *step = begin(s, teller, asked_text(n->kind));
	set_name(step, "name", n->question->qname);
	set_number(step, "type", n->question->qtype);
	if (n->kind == NOTE_ASKED && n->by)
		set_number(step, "for", n->by);
	if (n->kind == NOTE_JOINED)
		set_number(step, "other", n->task);
	end(s, step);
}

static void note_done(struct trace_steps *s, const struct note *n)
{
	const struct reply *r = n->reply;
	json_t *step = begin(s, n->task, "done");
	set_number(step, "rcode", r->rcode);
	set_number(step, "rrsets", (uint64_t)r->answer_n);
	if (r->ede >= 0)
		set_number(step, "ede", (uint64_t)r->ede);
	if (r->ede_text)
		set_text(step, "why", r->ede_text);
	if (r->verdict.kind == VERDICT_ACT) {
		set_name(step, "name", r->target);
		set_verdict(step, s, &r->verdict);
	}
	end(s, step);
	if (r->monitor.kind == VERDICT_ACT) {
		step = begin(s, n->task, "policy");
		set_verdict(step, s, &r->monitor);
		end(s, step);
	}
}

/* ---- packets ---- */

/* The type stands behind the name, whose case only differs. */
static unsigned type_sent(const struct step_send *send)
{
	return wire_get16(send->bytes + DNS_HEADER_LEN + name_len(send->qname));
}

/* The sending function says no more than that: the same question, asked again, says
 * which rule it was. */
static void set_forbidding(json_t *step, const struct trace_steps *s,
			   const struct note *n)
{
	const struct step_send *send = n->send;
	struct policy_subject subject = {0};
	struct verdict v;
	if (n->task < TRACE_QUESTIONS_MAX)
		subject = s->subject[n->task];
	subject.passthru |= send->passthru;
	subject.own |= send->own;
	if (!policy_send(&v, s->policy, &subject, send->qname, send->server, &send->to) &&
	    v.kind == VERDICT_ACT)
		set_verdict(step, s, &v);
}

static uint32_t number_of(struct trace_steps *s, const struct note *n)
{
	for (uint32_t i = s->sent_n; i > 0; i--)
		if (s->sent[i - 1].task == n->task && s->sent[i - 1].id == n->id)
			return i;
	return 0;
}

static void note_sent(struct trace_steps *s, const struct note *n)
{
	const struct step_send *send = n->send;
	bool left = n->failed == NOTE_NOT_FAILED;
	json_t *step = begin(s, n->task, left ? "send" : "not sent");
	if (left) {
		s->sends++;
		if (s->sent_n < TRACE_SENDS_MAX)
			s->sent[s->sent_n++] =
				(struct trace_send){n->task, n->id, s->now_us};
		set_number(step, "send", s->sends);
	}
	set_name(step, "server", send->server);
	set_addr(step, &send->to);
	set_text(step, "transport", send->transport == TRANSPORT_UDP ? "udp" : "tcp");
	set_name(step, "name", send->qname);
	set_number(step, "type", type_sent(send));
	set_number(step, "timeout_ms", send->timeout_ms);
	if (!left)
		set_text(step, "why", failure_text(n->failed));
	if (n->failed == SEND_FORBIDDEN)
		set_forbidding(step, s, n);
	end(s, step);
}

/* Which of the sends it is about, and how long ago that was. */
static void set_send(json_t *step, struct trace_steps *s, const struct note *n)
{
	uint32_t number = number_of(s, n);
	if (!number)
		return;
	set_number(step, "send", number);
	set_number(step, "took_us", s->now_us - s->sent[number - 1].us);
}

static void note_unanswered(struct trace_steps *s, const struct note *n)
{
	json_t *step = begin(s, n->task, "no reply");
	set_send(step, s, n);
	set_text(step, "why", failure_text(n->failed));
	end(s, step);
}

static void note_reply(struct trace_steps *s, const struct note *n)
{
	json_t *step = begin(s, n->task, "reply");
	set_send(step, s, n);
	set_text(step, "what", class_text(n->got->class));
	set_number(step, "bytes", n->len);
	if (n->len >= DNS_HEADER_LEN)
		set_number(step, "rcode", wire_get16(n->bytes + 2) & DNS_RCODE_MASK);
	if (n->got->class == ITER_REFERRAL) {
		set_name(step, "zone", n->got->referral.zone);
		set_number(step, "servers", (uint64_t)n->got->referral.servers_n);
	}
	end(s, step);
}

/* ---- what was known, what was judged ---- */

static void note_zone(struct trace_steps *s, const struct note *n)
{
	json_t *step = begin(s, n->task, "zone");
	set_name(step, "zone", n->cut->zone);
	set_text(step, "from", place_text(n->place));
	set_number(step, "servers", (uint64_t)n->cut->servers_n);
	end(s, step);
}

static void note_cached(struct trace_steps *s, const struct note *n)
{
	json_t *step = begin(s, n->task, n->kind == NOTE_CACHED ? "cache" : "denied");
	set_name(step, "name", n->rrset->owner);
	set_number(step, "type", n->rrset->type);
	set_text(step, "what", kind_text(n->rrset->kind));
	set_number(step, "records", n->rrset->rr_n);
	set_number(step, "ttl", n->rrset->ttl);
	if (n->expired)
		json_object_set_new(step, "stale", json_true());
	end(s, step);
}

static const char *security_text(uint8_t security)
{
	switch (security) {
	case SECURITY_SECURE:
		return "secure";
	case SECURITY_INSECURE:
		return "insecure";
	case SECURITY_BOGUS:
		return "bogus";
	default:
		return "unchecked";
	}
}

static void note_validated(struct trace_steps *s, const struct note *n)
{
	json_t *step = begin(s, n->task, "validation");
	set_name(step, "name", n->rrset->owner);
	set_number(step, "type", n->rrset->type);
	set_text(step, "what", kind_text(n->rrset->kind));
	set_text(step, "status", security_text(n->rrset->security));
	if (n->text)
		set_text(step, "why", n->text);
	end(s, step);
}

static void note_judged(struct trace_steps *s, const struct note *n)
{
	json_t *step = begin(s, n->task, "policy");
	if (n->kind == NOTE_SERVER) {
		set_name(step, "server", n->name);
		set_addr(step, n->addr);
	} else if (n->kind == NOTE_ADDRESSES) {
		set_name(step, "addresses_of", n->rrset->owner);
		set_number(step, "addresses", n->rrset->rr_n);
	} else {
		set_name(step, "name", n->name);
	}
	set_verdict(step, s, n->verdict);
	end(s, step);
}

void trace_steps_note(void *arg, const struct note *n)
{
	struct trace_steps *s = arg;
	switch (n->kind) {
	case NOTE_ASKED:
	case NOTE_JOINED:
	case NOTE_NOT_ASKED:
		note_asked(s, n);
		break;
	case NOTE_SENT:
		note_sent(s, n);
		break;
	case NOTE_UNANSWERED:
		note_unanswered(s, n);
		break;
	case NOTE_REPLY:
		note_reply(s, n);
		break;
	case NOTE_ZONE:
		note_zone(s, n);
		break;
	case NOTE_CACHED:
	case NOTE_DENIED:
		note_cached(s, n);
		break;
	case NOTE_VALIDATED:
		note_validated(s, n);
		break;
	case NOTE_NAME:
	case NOTE_ADDRESSES:
	case NOTE_SERVER:
		note_judged(s, n);
		break;
	case NOTE_DONE:
		note_done(s, n);
		break;
	}
}

/* ---- before there is a task ---- */

void trace_steps_client(struct trace_steps *s, const struct addr *client, bool allowed,
			const char *class)
{
	json_t *step = begin(s, 0, "client");
	set_addr(step, client);
	json_object_set_new(step, "allowed", json_boolean(allowed));
	set_text(step, "class", class);
	end(s, step);
}

void trace_steps_local(struct trace_steps *s, enum local_kind kind,
		       const struct local_answer *local, bool overridden)
{
	json_t *step = begin(s, 0, "local zone");
	set_name(step, "zone", local->zone);
	set_text(step, "what",
		 kind == LOCAL_RECORD	? "data"
		 : kind == LOCAL_NODATA ? "nodata"
					: "nxdomain");
	json_object_set_new(step, "overridden", json_boolean(overridden));
	end(s, step);
}

void trace_steps_policy(struct trace_steps *s, const uint8_t *name,
			const struct verdict *v)
{
	json_t *step = begin(s, 0, "policy");
	set_name(step, "name", name);
	set_verdict(step, s, v);
	end(s, step);
}
