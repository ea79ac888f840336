/* script.h: a scenario as text, in the language of Unbound's .rpl files, and as structs.
 * Shape    configuration, ranges of a fake server's entries, steps
 * Memory   one struct script holds all of it until the process ends
 * Errors   a line that is not understood ends the program with its number
 *
 * The language. Everything from ';' to the end of a line is a comment.
 *   CONFIG_BEGIN                         optional; one key a line
 *     root NAME ADDRESS...               a root server; there must be one
 *     ipv4|ipv6|case yes|no              conf's recursion keys; default yes, no, yes
 *     qmin off|relaxed|strict            default off
 *     stub|forward ZONE ADDRESS...
 *     rule name NAME exact|subtree ACTION [expires SECONDS]
 *     rule address PREFIX server|answer ACTION
 *   CONFIG_END
 *   SCENARIO_BEGIN what it shows
 *   RANGE_BEGIN FROM TO                  the servers while the step's number is in it
 *     ADDRESS A                          one or more
 *     ENTRY_BEGIN                        the first entry that matches is the answer;
 *       MATCH opcode qname qtype subdomain UDP TCP noedns  nothing matches: no answer
 *       ADJUST copy_id sleep=MS lower_case  (copy_id is always done)
 *       FAIL unreachable|forbidden|closed|no-resource  instead of an answer
 *       JUNK id question response opcode case questions guard header
 *                                        sent first, each with that one thing wrong
 *       REPLY QR AA TC RA RD NOEDNS NOQUESTION RCODE
 *       SECTION QUESTION|ANSWER|AUTHORITY|ADDITIONAL and records; the question is "in
 *       the query" for qname and qtype, and is copied
 *     ENTRY_END
 *   RANGE_END
 *   STEP N QUERY [optout]                with an entry: its question; sends what can be
 *                                        sent without waiting
 *   STEP N CHECK_ANSWER                  lets time pass until the answer is there;
 *       MATCH ttl; REPLY RCODE; EDE N [text]; VERDICT pass|passthru|ACTION TRIGGER
 * NAME|PREFIX; MONITOR NAME; CACHEABLE yes|no   and sections ANSWER, AUTHORITY in order
 *   STEP N TIME_PASSES ELAPSE SECONDS
 *   STEP N RULE ... | UNRULE name NAME|address PREFIX
 *   STEP N CHECK_SENDS [at most] N       packets since the last QUERY
 *   STEP N CHECK_TOOK [at most] MS       from QUERY to answer
 *   STEP N SENT_TO A [[at most] N] | NO_SENDS_TO A | NO_SENDS_ABOUT NAME
 *   SCENARIO_END */
#ifndef SINKHOLED_SCRIPT_H
#define SINKHOLED_SCRIPT_H

#include <ctype.h>
#include <ldns/ldns.h>
#include <stdarg.h>

#include "resolver/resolve.h"
#include "zones/root.h"

enum { RRS_MAX = 400, WORDS_MAX = 24, ADDRESSES_MAX = 8, ZONES_MAX = 8 };
enum {
	MATCH_QNAME = 1,
	MATCH_QTYPE = 2,
	MATCH_SUBDOMAIN = 4,
	MATCH_UDP = 8,
	MATCH_TCP = 16,
	MATCH_TTL = 32,
	MATCH_NOEDNS = 64
};
enum {
	JUNK_ID,
	JUNK_QUESTION,
	JUNK_RESPONSE,
	JUNK_OPCODE,
	JUNK_CASE,
	JUNK_QUESTIONS,
	JUNK_GUARD,
	JUNK_HEADER,
	JUNK_N
};

struct words {
	char *w[WORDS_MAX];
	int n;
};

struct entry {
	struct entry *next;
	int line;
	unsigned match, junk;
	bool fails;
	enum send_failure why;
	uint32_t sleep_ms;
	unsigned flags, rcode;
	bool no_edns, no_question, lower_case;
	uint8_t qname[DNS_NAME_MAX];
	uint16_t qtype;
	ldns_rr *rr[3][RRS_MAX];
	int rr_n[3];
	int ede;	      /* expected; -2 = not checked */
	char ede_text[256];   /* expected; empty = not checked */
	struct words verdict; /* expected; n 0 = pass or passthru */
	const char *monitor, *cacheable;
};

struct range {
	struct range *next;
	int from, to;
	struct addr addr[ADDRESSES_MAX];
	int addr_n;
	struct entry *entries, **end;
};

struct script_step {
	struct script_step *next;
	int number, line;
	struct words words; /* from the step's kind on */
	struct entry *entry;
};

/* A line kept for the words that point into it. */
struct script_text {
	struct script_text *next;
	char text[];
};

struct script {
	const char *file;
	char title[256];
	struct root_hints hints;
	bool ipv4, ipv6, case_randomisation;
	int qmin;
	struct conf_zone stub[ZONES_MAX], forward[ZONES_MAX];
	int stub_n, forward_n;
	struct words rule[64];
	int rule_n;
	struct range *ranges, **ranges_end;
	struct script_step *steps, **steps_end;
	/* while reading */
	struct script_text *texts;
	FILE *in;
	int line;
	struct words words;
};

static void script_fail(const struct script *s, int line, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
static void script_fail(const struct script *s, int line, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	printf("%s:%d: ", s->file, line);
	vprintf(format, ap);
	printf("\n0 passed, 1 failed, 0 skipped\n");
	va_end(ap);
	exit(1);
}

static void *script_zero(size_t n)
{
	void *p = calloc(1, n);
	if (!p)
		abort();
	return p;
}

static bool is_word(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}

static char *script_keep(struct script *s, const char *text)
{
	struct script_text *t = script_zero(sizeof *t + strlen(text) + 1);
	t->next = s->texts;
	s->texts = t;
	return strcpy(t->text, text);
}

/* The next line with something on it, cut into words; false at the end of the file. The
 * whole of it stays in *whole for records until the next call. */
static bool script_line(struct script *s, char **whole)
{
	static char text[8192];
	*whole = text;
	while (fgets(text, sizeof text, s->in)) {
		s->line++;
		text[strcspn(text, ";\n")] = 0;
		char *save = NULL;
		s->words.n = 0;
		for (char *w = strtok_r(script_keep(s, text), " \t", &save); w;
		     w = strtok_r(NULL, " \t", &save))
			if (s->words.n < WORDS_MAX)
				s->words.w[s->words.n++] = w;
		if (s->words.n)
			return true;
	}
	return false;
}

static void script_name(const struct script *s, uint8_t out[DNS_NAME_MAX],
			const char *text)
{
	if (name_from_str(out, text))
		script_fail(s, s->line, "not a name: %s", text);
}

static struct addr script_addr(const struct script *s, const char *text)
{
	struct addr a;
	if (addr_from_text(&a, text, strlen(text)))
		script_fail(s, s->line, "not an address: %s", text);
	return a;
}

/* stub or forward: a zone and the addresses to ask about it. */
static void read_zone(struct script *s, struct conf_zone *z, int *n)
{
	const struct words *w = &s->words;
	if (*n == ZONES_MAX || w->n < 3)
		script_fail(s, s->line, "a zone and its servers, at most %d", ZONES_MAX);
	z += (*n)++;
	script_name(s, z->zone, w->w[1]);
	for (int i = 2; i < w->n && z->servers_n < CONF_SERVERS_MAX; i++) {
		z->servers[z->servers_n] = script_addr(s, w->w[i]);
		z->servers[z->servers_n++].port = DNS_PORT;
	}
}

static void read_config(struct script *s)
{
	char *whole;
	while (script_line(s, &whole)) {
		const struct words *w = &s->words;
		bool yes = w->n == 2 && is_word(w->w[1], "yes");
		if (is_word(w->w[0], "CONFIG_END"))
			return;
		if (is_word(w->w[0], "root") && w->n > 2) {
			struct root_server *r = &s->hints.server[s->hints.server_n++];
			script_name(s, r->name, w->w[1]);
			for (int i = 2; i < w->n; i++)
				r->addr[r->addr_n++] = script_addr(s, w->w[i]);
		} else if (is_word(w->w[0], "ipv4")) {
			s->ipv4 = yes;
		} else if (is_word(w->w[0], "ipv6")) {
			s->ipv6 = yes;
		} else if (is_word(w->w[0], "case")) {
			s->case_randomisation = yes;
		} else if (is_word(w->w[0], "qmin")) {
			s->qmin = CONF_QMIN_OFF;
			if (w->n == 2 && is_word(w->w[1], "relaxed"))
				s->qmin = CONF_QMIN_RELAXED;
			else if (w->n == 2 && is_word(w->w[1], "strict"))
				s->qmin = CONF_QMIN_STRICT;
		} else if (is_word(w->w[0], "stub")) {
			read_zone(s, s->stub, &s->stub_n);
		} else if (is_word(w->w[0], "forward")) {
			read_zone(s, s->forward, &s->forward_n);
		} else if (is_word(w->w[0], "rule")) {
			s->rule[s->rule_n++] = *w;
		} else {
			script_fail(s, s->line, "unknown key %s", w->w[0]);
		}
	}
	script_fail(s, s->line, "CONFIG_END is missing");
}

static void read_record(struct script *s, struct entry *e, int section, const char *text)
{
	ldns_rr *rr = NULL;
	bool question = section < 0;
	text += strspn(text, " \t");
	ldns_status st = question ? ldns_rr_new_question_frm_str(&rr, text, NULL, NULL)
				  : ldns_rr_new_frm_str(&rr, text, 3600, NULL, NULL);
	if (st != LDNS_STATUS_OK)
		script_fail(s, s->line, "not a record: %s", text);
	if (question) {
		memcpy(e->qname, ldns_rdf_data(ldns_rr_owner(rr)),
		       ldns_rdf_size(ldns_rr_owner(rr)));
		name_lower(e->qname, name_len(e->qname));
		e->qtype = (uint16_t)ldns_rr_get_type(rr);
		ldns_rr_free(rr);
	} else if (e->rr_n[section] < RRS_MAX) {
		e->rr[section][e->rr_n[section]++] = rr;
	}
}

static void read_match(struct script *s, struct entry *e, const char *w)
{
	static const char *const word[] = {"qname", "qtype", "subdomain", "UDP",
					   "TCP",   "ttl",   "noedns"};
	for (unsigned i = 0; i < sizeof word / sizeof *word; i++)
		if (is_word(w, word[i])) {
			e->match |= 1U << i;
			return;
		}
	if (!is_word(w, "opcode") && !is_word(w, "all"))
		script_fail(s, s->line, "unknown MATCH %s", w);
}

static void read_junk(struct script *s, struct entry *e, const char *w)
{
	static const char *const word[JUNK_N] = {"id",	   "question", "response",
						 "opcode", "case",     "questions",
						 "guard",  "header"};
	for (unsigned i = 0; i < JUNK_N; i++)
		if (is_word(w, word[i])) {
			e->junk |= 1U << i;
			return;
		}
	script_fail(s, s->line, "unknown JUNK %s", w);
}

static void read_reply(struct script *s, struct entry *e, const char *w)
{
	static const struct {
		const char *word;
		unsigned flag;
	} flags[] = {{"QR", DNS_QR}, {"AA", DNS_AA}, {"TC", DNS_TC}, {"RA", DNS_RA},
		     {"RD", DNS_RD}, {"AD", DNS_AD}, {"CD", DNS_CD}};
	static const char *const rcodes[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
					     "NOTIMP",	"REFUSED", "YXDOMAIN"};
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (is_word(w, flags[i].word)) {
			e->flags |= flags[i].flag;
			return;
		}
	for (unsigned i = 0; i < sizeof rcodes / sizeof *rcodes; i++)
		if (is_word(w, rcodes[i])) {
			e->rcode = i;
			return;
		}
	if (is_word(w, "NOEDNS"))
		e->no_edns = true;
	else if (is_word(w, "NOQUESTION"))
		e->no_question = true;
	else
		script_fail(s, s->line, "unknown REPLY %s", w);
}

static void read_failure(struct script *s, struct entry *e, const char *w)
{
	static const char *const word[] = {"timeout", "unreachable", "closed",
					   "forbidden", "no-resource"};
	for (unsigned i = 0; i < sizeof word / sizeof *word; i++)
		if (is_word(w, word[i])) {
			e->fails = true;
			e->why = (enum send_failure)i;
			return;
		}
	script_fail(s, s->line, "unknown FAIL %s", w);
}

static int read_section(const struct script *s, const char *w)
{
	static const char *const word[] = {"QUESTION", "ANSWER", "AUTHORITY",
					   "ADDITIONAL"};
	for (int i = 0; i < 4; i++)
		if (is_word(w, word[i]))
			return i - 1;
	script_fail(s, s->line, "unknown SECTION %s", w);
}

static void read_words(struct script *s, struct entry *e,
		       void (*read)(struct script *, struct entry *, const char *))
{
	for (int i = 1; i < s->words.n; i++)
		read(s, e, s->words.w[i]);
}

static void read_adjust(struct script *s, struct entry *e, const char *w)
{
	if (strncmp(w, "sleep=", 6) == 0)
		e->sleep_ms = (uint32_t)strtoul(w + 6, NULL, 10);
	else if (is_word(w, "lower_case"))
		e->lower_case = true;
	else if (!is_word(w, "copy_id") && !is_word(w, "copy_query"))
		script_fail(s, s->line, "unknown ADJUST %s", w);
}

/* EDE N, or EDE N and the text that must come with it. */
static void read_ede(struct entry *e, const char *line)
{
	char *end;
	line += strspn(line, " \t") + strlen("EDE");
	e->ede = (int)strtol(line, &end, 10);
	end += strspn(end, " ");
	snprintf(e->ede_text, sizeof e->ede_text, "%s", end);
}

/* One line of an entry that is no record; false when it might be one. */
static bool read_entry_line(struct script *s, struct entry *e, int *section,
			    const char *whole)
{
	const struct words *w = &s->words;
	if (is_word(w->w[0], "MATCH"))
		read_words(s, e, read_match);
	else if (is_word(w->w[0], "ADJUST"))
		read_words(s, e, read_adjust);
	else if (is_word(w->w[0], "REPLY"))
		read_words(s, e, read_reply);
	else if (is_word(w->w[0], "JUNK"))
		read_words(s, e, read_junk);
	else if (is_word(w->w[0], "FAIL"))
		read_words(s, e, read_failure);
	else if (is_word(w->w[0], "SECTION") && w->n == 2)
		*section = read_section(s, w->w[1]);
	else if (is_word(w->w[0], "EDE") && w->n >= 2)
		read_ede(e, whole);
	else if (is_word(w->w[0], "VERDICT"))
		e->verdict = *w;
	else if (is_word(w->w[0], "MONITOR") && w->n == 2)
		e->monitor = w->w[1];
	else if (is_word(w->w[0], "CACHEABLE") && w->n == 2)
		e->cacheable = w->w[1];
	else
		return false;
	return true;
}

static struct entry *read_entry(struct script *s)
{
	struct entry *e = script_zero(sizeof *e);
	int section = 0;
	char *whole;
	e->line = s->line;
	e->ede = -2;
	while (script_line(s, &whole)) {
		if (is_word(s->words.w[0], "ENTRY_END"))
			return e;
		if (!read_entry_line(s, e, &section, whole))
			read_record(s, e, section, whole);
	}
	script_fail(s, s->line, "ENTRY_END is missing");
}

static void read_range(struct script *s)
{
	struct range *r = script_zero(sizeof *r);
	char *whole;
	if (s->words.n != 3)
		script_fail(s, s->line, "RANGE_BEGIN FROM TO");
	r->from = atoi(s->words.w[1]);
	r->to = atoi(s->words.w[2]);
	r->end = &r->entries;
	*s->ranges_end = r;
	s->ranges_end = &r->next;
	while (script_line(s, &whole)) {
		if (is_word(s->words.w[0], "RANGE_END"))
			return;
		if (is_word(s->words.w[0], "ADDRESS") && r->addr_n < ADDRESSES_MAX) {
			r->addr[r->addr_n++] = script_addr(s, s->words.w[1]);
		} else if (is_word(s->words.w[0], "ENTRY_BEGIN")) {
			*r->end = read_entry(s);
			r->end = &(*r->end)->next;
		} else {
			script_fail(s, s->line, "ADDRESS, ENTRY_BEGIN or RANGE_END");
		}
	}
	script_fail(s, s->line, "RANGE_END is missing");
}

static void read_step(struct script *s)
{
	struct script_step *p = script_zero(sizeof *p);
	char *whole;
	if (s->words.n < 3)
		script_fail(s, s->line, "STEP N KIND");
	p->number = atoi(s->words.w[1]);
	p->line = s->line;
	p->words.n = s->words.n - 2;
	memcpy(p->words.w, s->words.w + 2, (size_t)p->words.n * sizeof *p->words.w);
	*s->steps_end = p;
	s->steps_end = &p->next;
	if (!is_word(p->words.w[0], "QUERY") && !is_word(p->words.w[0], "CHECK_ANSWER"))
		return;
	if (!script_line(s, &whole) || !is_word(s->words.w[0], "ENTRY_BEGIN"))
		script_fail(s, s->line, "%s needs an entry", p->words.w[0]);
	p->entry = read_entry(s);
}

static void script_read(struct script *s, const char *file)
{
	char *whole;
	*s = (struct script){.file = file, .ipv4 = true, .case_randomisation = true};
	s->ranges_end = &s->ranges;
	s->steps_end = &s->steps;
	s->in = fopen(file, "r");
	if (!s->in)
		script_fail(s, 0, "cannot be read");
	while (script_line(s, &whole)) {
		const char *w = s->words.w[0];
		if (is_word(w, "CONFIG_BEGIN"))
			read_config(s);
		else if (is_word(w, "SCENARIO_BEGIN"))
			snprintf(s->title, sizeof s->title, "%s", whole + strlen(w) + 1);
		else if (is_word(w, "RANGE_BEGIN"))
			read_range(s);
		else if (is_word(w, "STEP"))
			read_step(s);
		else if (is_word(w, "SCENARIO_END"))
			break;
		else
			script_fail(s, s->line, "unknown word %s", w);
	}
	fclose(s->in);
	if (!s->hints.server_n && !s->forward_n)
		script_fail(s, s->line, "no root server");
}

#endif
