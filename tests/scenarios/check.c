#include "tests/scenarios/check.h"

#include <stdio.h>

enum {
	LINES_MAX = 2048,
	TTL_SLACK_S = 3, /* another product's moment of counting down */
};

/* A section as text, one record a line. */
struct lines {
	struct line {
		const char *text;
		uint32_t ttl;
	} line[LINES_MAX];
	int n;
};

static void add_line(struct lines *l, const char *text, uint32_t ttl)
{
	if (l->n < LINES_MAX)
		l->line[l->n++] = (struct line){text, ttl};
}

static int compare_lines(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	return strcmp(x->text, y->text);
}

static void sort_lines(struct lines *l)
{
	qsort(l->line, (size_t)l->n, sizeof *l->line, compare_lines);
}

/* ---- records of a reply as text ---- */

static const char *record_text(struct script *s, const uint8_t *owner, uint16_t type,
			       const uint8_t *rdata, uint16_t len)
{
	static uint8_t wire[DNS_MESSAGE_MAX * 2];
	struct wire_writer w = wire_writer(wire, sizeof wire);
	wire_put_name(&w, owner);
	wire_put16(&w, type);
	wire_put16(&w, DNS_IN);
	wire_put32(&w, 0);
	wire_put16(&w, len);
	wire_put(&w, rdata, len);
	return script_record_text(s, wire, wire_written(&w));
}

/* Signatures and proofs that were not asked for are the validator's matter. */
static bool is_counted(const struct entry *e, uint16_t type)
{
	return type == e->qtype ||
	       (type != DNS_RRSIG && type != DNS_NSEC && type != DNS_NSEC3);
}

static void add_rrset(struct lines *l, struct script *s, const struct rrset *set,
		      const uint8_t *owner, uint16_t type)
{
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	for (int i = 0; i < set->rr_n && rrset_next(set, &at, &rdata, &len); i++)
		add_line(l, record_text(s, owner, type, rdata, len), set->ttl);
}

static void add_expected(struct lines *l, const struct records *from,
			 const struct entry *e)
{
	for (const struct record *r = from->first; r; r = r->next)
		if (is_counted(e, r->type))
			add_line(l, r->text, r->ttl);
}

/* ---- sections ---- */

static bool ttl_is(const struct world *w, uint32_t want, uint32_t got)
{
	if (w->script->dialect == DIALECT_OWN)
		return want == got;
	return got <= want + 1 && got + TTL_SLACK_S >= want;
}

static bool same_lines(const struct world *w, const struct lines *want,
		       const struct lines *got, bool ttl)
{
	if (want->n != got->n)
		return false;
	for (int i = 0; i < want->n; i++)
		if (strcmp(want->line[i].text, got->line[i].text) != 0 ||
		    (ttl && !ttl_is(w, want->line[i].ttl, got->line[i].ttl)))
			return false;
	return true;
}

static void print_lines(const char *what, const struct lines *l)
{
	printf("  %s%s\n", what, l->n ? "" : " nothing");
	for (int i = 0; i < l->n; i++)
		printf("    %s (TTL %u)\n", l->line[i].text, l->line[i].ttl);
}

static void compare_section(struct world *w, const struct entry *e, const char *name,
			    struct lines *want, struct lines *got)
{
	if (w->script->dialect != DIALECT_OWN) {
		sort_lines(want);
		sort_lines(got);
	}
	if (same_lines(w, want, got, e->match & MATCH_TTL))
		return;
	world_differ(w, e->line, "%s section", name);
	print_lines("expected", want);
	print_lines("got", got);
}

static void check_answer_section(struct world *w, const struct entry *e,
				 const struct reply *r)
{
	static struct lines want, got;
	want.n = got.n = 0;
	add_expected(&want, &e->rr[WIRE_ANSWER], e);
	for (int i = 0; i < r->answer_n; i++)
		if (is_counted(e, r->answer[i]->type))
			add_rrset(&got, w->script, r->answer[i], r->answer[i]->owner,
				  r->answer[i]->type);
	compare_section(w, e, "answer", &want, &got);
}

static bool is_proof(uint16_t type)
{
	return type == DNS_NSEC || type == DNS_NSEC3;
}

static void add_proofs(struct lines *l, struct script *s, const struct rrset *set)
{
	for (int i = 0; i < set->proof_n; i++)
		add_rrset(l, s, set->proof[i], set->proof[i]->owner, set->proof[i]->type);
}

/* MATCH authority asks for the proofs, too. */
static void check_proofs(struct world *w, const struct entry *e, const struct reply *r)
{
	static struct lines want, got;
	want.n = got.n = 0;
	for (const struct record *p = e->rr[WIRE_AUTHORITY].first; p; p = p->next)
		if (is_proof(p->type))
			add_line(&want, p->text, p->ttl);
	for (int i = 0; i < r->answer_n; i++)
		add_proofs(&got, w->script, r->answer[i]);
	if (r->negative)
		add_proofs(&got, w->script, r->negative);
	compare_section(w, e, "proofs in the authority", &want, &got);
}

static void check_authority_section(struct world *w, const struct entry *e,
				    const struct reply *r)
{
	static struct lines want, got;
	want.n = got.n = 0;
	add_expected(&want, &e->rr[WIRE_AUTHORITY], e);
	if (r->negative)
		add_rrset(&got, w->script, r->negative, r->negative->soa_owner, DNS_SOA);
	compare_section(w, e, "authority", &want, &got);
	if (e->match_given && e->match & MATCH_AUTHORITY)
		check_proofs(w, e, r);
}

/* ---- what rules did ---- */

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
	char want[2048] = "pass", got[2048] = "pass", monitor[DNS_NAME_TEXT_MAX];
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
		world_differ(w, e->line, "verdict: expected %s, got %s", want, got);
	name_to_text(monitor, r->monitor.matched);
	bool has = r->monitor.kind != VERDICT_PASS;
	if (has != (e->monitor != NULL) || (has && strcmp(monitor, e->monitor) != 0))
		world_differ(w, e->line, "monitor: expected %s, got %s",
			     e->monitor ? e->monitor : "none", has ? monitor : "none");
	if (e->cacheable && is_word(e->cacheable, "yes") != r->cacheable)
		world_differ(w, e->line, "cacheable: expected %s", e->cacheable);
}

/* ---- answers ---- */

static void check_rcode(struct world *w, const struct entry *e, const struct reply *r)
{
	const char *text = r->ede_text ? r->ede_text : "no text";
	if (r->rcode != e->rcode)
		world_differ(w, e->line, "rcode: expected %u, got %u (%s)", e->rcode,
			     r->rcode, text);
	if (e->ede != -2 && e->ede != r->ede)
		world_differ(w, e->line, "EDE: expected %d, got %d (%s)", e->ede, r->ede,
			     text);
	if (e->ede_text && strcmp(e->ede_text, text) != 0)
		world_differ(w, e->line, "EDE: expected %s, got %s", e->ede_text, text);
}

/* A denial comes with its SOA and nothing else; what stands beside a positive answer is
 * the server's choice. */
static void check_denial(struct world *w, const struct entry *e, const struct reply *r)
{
	bool soa = false;
	for (const struct record *p = e->rr[WIRE_AUTHORITY].first; p; p = p->next)
		soa |= p->type == DNS_SOA;
	if (!e->rr[WIRE_ANSWER].n && soa && !r->negative)
		world_differ(w, e->line, "a denial without SOA");
}

static void check_ad(struct world *w, const struct entry *e, const struct job *j,
		     const struct reply *r)
{
	bool want = e->flags & DNS_AD;
	bool got =
		r->security == SECURITY_SECURE && (j->dnssec_ok || (j->flags & DNS_AD));
	if (want != got)
		world_differ(w, e->line, "AD: expected %d, got %d", want, got);
}

static void check_reply(struct world *w, const struct entry *e, const struct job *j)
{
	bool own = w->script->dialect == DIALECT_OWN;
	bool rcode = own || (e->match & MATCH_RCODE);
	const struct reply *r = j->reply;
	const struct reply bogus = {
		.rcode = DNS_SERVFAIL, .ede = r->ede, .ede_text = r->ede_text};
	if (reply_is_hidden(r, j->flags))
		r = &bogus;
	if (own || (e->match & MATCH_FLAGS))
		check_ad(w, e, j, r);
	if (own)
		check_verdict(w, e, r);
	if (rcode)
		check_rcode(w, e, r);
	if (own || (e->match & MATCH_ANSWER))
		check_answer_section(w, e, r);
	if (own)
		check_authority_section(w, e, r);
	else if ((e->match & MATCH_AUTHORITY) && e->rcode <= DNS_NXDOMAIN)
		check_denial(w, e, r);
}

/* The client that the entry means: by its question, else the last. */
static struct job *find_client(const struct world *w, const struct entry *e)
{
	struct job *found =
		NULL; /* jobs begin with the newest, clients are served in turn */
	for (struct job *j = w->jobs; e->has_question && j; j = j->next)
		if (j->client && !j->checked && j->q.qtype == e->qtype &&
		    name_equal(j->q.qname, e->qname))
			found = j;
	return found ? found : w->asked;
}

void check_answer(struct world *w, const struct script_step *s)
{
	struct job *j = s->entry ? find_client(w, s->entry) : NULL;
	if (!j) {
		world_differ(w, s->line, "no question, or no entry to check");
		return;
	}
	while (!j->reply && world_pass_one(w))
		continue;
	j->checked = true;
	w->asked = j;
	if (j->reply)
		check_reply(w, s->entry, j);
	else
		world_differ(w, s->line, "no answer");
}

/* ---- packets ---- */

static struct sent *find_out_query(struct world *w, const struct script_step *s)
{
	for (int i = 0; i < w->sent_n; i++) {
		struct sent *t = &w->sent[i];
		if (!t->claimed && servers_match_step(s, t))
			return t;
	}
	return NULL;
}

void check_out_query(struct world *w, const struct script_step *s)
{
	struct sent *t;
	while (!(t = find_out_query(w, s)))
		if (!world_pass_one(w)) {
			world_differ(w, s->line, "no such packet went out");
			return;
		}
	t->claimed = true;
}

static int count_sent_to(struct world *w, int line, const char *address)
{
	struct addr a = {0};
	int n = 0;
	if (addr_from_text(&a, address, strlen(address)))
		world_differ(w, line, "not an address: %s", address);
	for (int i = w->sent_from; i < w->sent_n; i++)
		n += !memcmp(w->sent[i].to.bytes, a.bytes, sizeof a.bytes);
	return n;
}

static int count_sent_about(struct world *w, int line, const char *about)
{
	uint8_t name[DNS_NAME_MAX] = {0};
	int n = 0;
	if (name_from_str(name, about))
		world_differ(w, line, "not a name: %s", about);
	for (int i = w->sent_from; i < w->sent_n; i++)
		n += name_within(w->sent[i].qname, name);
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
		world_differ(w, s->line, "%s: expected %s%lu, got %lu", what,
			     most ? "at most " : "", want, got);
}

/* SENT_TO A, SENT_TO A N, SENT_TO A at most N. */
static void check_sent_to(struct world *w, const struct script_step *s)
{
	const struct words *p = &s->words;
	int n = count_sent_to(w, s->line, p->w[1]);
	int limit = (int)strtol(p->w[p->n - 1], NULL, 10);
	if (p->n == 2 ? n == 0 : p->n == 3 ? n != limit : n > limit)
		world_differ(w, s->line, "%d packets to %s", n, p->w[1]);
}

bool check_counts(struct world *w, const struct script_step *s)
{
	const struct words *p = &s->words;
	const struct job *j = w->asked;
	int n;
	if (p->n < 2)
		return false;
	if (is_word(p->w[0], "CHECK_SENDS")) {
		check_number(w, s, "packets", (uint64_t)(w->sent_n - w->sent_from));
	} else if (is_word(p->w[0], "CHECK_TOOK") && j) {
		check_number(w, s, "ms", j->done_ms - j->asked_ms);
	} else if (is_word(p->w[0], "SENT_TO")) {
		check_sent_to(w, s);
	} else if (is_word(p->w[0], "NO_SENDS_TO")) {
		if ((n = count_sent_to(w, s->line, p->w[1])))
			world_differ(w, s->line, "%d packets to %s", n, p->w[1]);
	} else if (is_word(p->w[0], "NO_SENDS_ABOUT")) {
		if ((n = count_sent_about(w, s->line, p->w[1])))
			world_differ(w, s->line, "%d packets about %s", n, p->w[1]);
	} else {
		return false;
	}
	return true;
}

void check_mandatory(struct world *w)
{
	for (const struct range *r = w->script->ranges; r; r = r->next)
		for (const struct entry *e = r->entries; e; e = e->next)
			if (e->mandatory && !e->fired)
				world_differ(w, e->line, "nothing asked for this entry");
}
