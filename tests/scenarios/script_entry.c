#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "tests/scenarios/script.h"

struct word_value {
	const char *word;
	unsigned value;
};
#define COUNT(table) (sizeof(table) / sizeof *(table))

static const struct word_value *find_word(const struct word_value *table, size_t n,
					  const char *w)
{
	for (size_t i = 0; i < n; i++)
		if (is_word(w, table[i].word))
			return &table[i];
	return NULL;
}

static void read_match(struct script *s, struct entry *e, const char *w)
{
	static const struct word_value words[] = {{"opcode", MATCH_OPCODE},
						  {"qname", MATCH_QNAME},
						  {"qtype", MATCH_QTYPE},
						  {"question", MATCH_QUESTION},
						  {"all", MATCH_ALL},
						  {"all_noedns", MATCH_ALL},
						  {"subdomain", MATCH_SUBDOMAIN},
						  {"UDP", MATCH_UDP},
						  {"TCP", MATCH_TCP},
						  {"noedns", MATCH_NOEDNS},
						  {"DO", MATCH_DO},
						  {"rcode", MATCH_RCODE},
						  {"flags", MATCH_FLAGS},
						  {"answer", MATCH_ANSWER},
						  {"authority", MATCH_AUTHORITY},
						  {"additional", MATCH_ADDITIONAL},
						  {"ttl", MATCH_TTL}};
	const struct word_value *v = find_word(words, COUNT(words), w);
	e->match_given = true;
	if (v)
		e->match |= v->value;
	else if (is_word(w, "qcase") || is_word(w, "ednsdata") ||
		 strncmp(w, "serial=", 7) == 0)
		script_skip(s, "matches letter case, EDNS options or zone transfers");
	/* EDEs differ between products: EDE N checks ours */
	else if (strncmp(w, "ede=", 4) != 0)
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
	static const struct word_value flags[] = {
		{"QR", DNS_QR}, {"AA", DNS_AA}, {"TC", DNS_TC}, {"RD", DNS_RD},
		{"RA", DNS_RA}, {"AD", DNS_AD}, {"CD", DNS_CD}};
	static const struct word_value opcodes[] = {
		{"QUERY", 0}, {"IQUERY", 1}, {"STATUS", 2}, {"NOTIFY", 4}, {"UPDATE", 5}};
	static const struct word_value rcodes[] = {
		{"NOERROR", 0},	 {"FORMERR", 1},   {"SERVFAIL", 2}, {"NXDOMAIN", 3},
		{"NOTIMP", 4},	 {"NOTIMPL", 4},   {"REFUSED", 5},  {"YXDOMAIN", 6},
		{"YXRRSET", 7},	 {"NXRRSET", 8},   {"NOTAUTH", 9},  {"NOTZONE", 10},
		{"BADVERS", 16}, {"BADCOOKIE", 23}};
	static const char *const no_matter[] = {"CO", "DE"};
	const struct word_value *v;
	for (size_t i = 0; i < COUNT(no_matter); i++)
		if (is_word(w, no_matter[i]))
			return;
	if ((v = find_word(flags, COUNT(flags), w)))
		e->flags |= v->value;
	else if ((v = find_word(rcodes, COUNT(rcodes), w)))
		e->rcode = v->value;
	else if ((v = find_word(opcodes, COUNT(opcodes), w)))
		e->opcode = v->value;
	else if (strncasecmp(w, "RCODE", 5) == 0 && isdigit((unsigned char)w[5]))
		e->rcode = (unsigned)strtoul(w + 5, NULL, 10);
	else if (is_word(w, "DO"))
		e->dnssec_ok = true;
	else if (is_word(w, "NOEDNS"))
		e->no_edns = true;
	else if (is_word(w, "NOQUESTION"))
		e->no_question = true;
	else
		script_fail(s, s->line, "unknown REPLY %s", w);
}

static void read_failure(struct script *s, struct entry *e, const char *w)
{
	static const struct word_value words[] = {{"timeout", SEND_TIMED_OUT},
						  {"unreachable", SEND_UNREACHABLE},
						  {"closed", SEND_CLOSED},
						  {"forbidden", SEND_FORBIDDEN},
						  {"no-resource", SEND_NO_RESOURCE}};
	const struct word_value *v = find_word(words, COUNT(words), w);
	if (!v) {
		script_fail(s, s->line, "unknown FAIL %s", w);
		return;
	}
	e->fails = true;
	e->why = (enum send_failure)v->value;
}

/* Seconds, in our own files milliseconds. */
static uint32_t read_time(const struct script *s, const char *w)
{
	double t = strtod(w, NULL) * (s->dialect == DIALECT_OWN ? 1 : 1000);
	return t > 0 && t < 1e6 ? (uint32_t)t : 0;
}

static void read_adjust(struct script *s, struct entry *e, const char *w)
{
	if (strncmp(w, "sleep=", 6) == 0)
		e->sleep_ms = read_time(s, w + 6);
	else if (strncmp(w, "packet_sleep=", 13) == 0)
		e->sleep_ms = read_time(s, w + 13);
	else if (is_word(w, "lower_case"))
		e->lower_case = true;
	else if (is_word(w, "copy_id") || is_word(w, "raw_id"))
		e->copy_id = true;
	else if (is_word(w, "copy_query"))
		e->copy_query = true;
	else if (is_word(w, "do_not_answer"))
		e->silent = true;
	else if (is_word(w, "copy_ednsdata_assume_clientsubnet") ||
		 is_word(w, "increment_ecs_scope"))
		script_skip(s, "needs client subnet options, which are never sent");
	else
		script_fail(s, s->line, "unknown ADJUST %s", w);
}

static void read_words(struct script *s, struct entry *e,
		       void (*read)(struct script *, struct entry *, const char *))
{
	for (int i = 1; i < s->words.n; i++)
		read(s, e, s->words.w[i]);
}

/* -1 is the question. */
static int read_section(struct script *s, const char *w)
{
	static const char *const word[] = {"QUESTION", "ANSWER", "AUTHORITY",
					   "ADDITIONAL"};
	for (int i = 0; i < 4; i++)
		if (is_word(w, word[i]))
			return i - 1;
	script_fail(s, s->line, "unknown SECTION %s", w);
	return 0;
}

/* EDE N, or EDE N and the text that must come with it. */
static void read_ede(struct script *s, struct entry *e)
{
	char *end;
	e->ede = (int)strtol(s->line_text + strlen("EDE"), &end, 10);
	end += strspn(end, " \t");
	if (*end)
		e->ede_text = script_copy(s, end);
}

/* ---- bytes ---- */

/* Hexadecimal lines up to the one that begins with end; "NULL" is no bytes. */
static void read_hex(struct script *s, struct entry *e, const char *end)
{
	static uint8_t bytes[DNS_MESSAGE_MAX];
	size_t n = 0;
	while (script_line(s)) {
		if (is_word(s->words.w[0], end)) {
			e->raw = script_copy_bytes(s, bytes, n);
			e->raw_len = n;
			return;
		}
		for (int i = 0; i < s->words.n; i++)
			if (!is_word(s->words.w[i], "NULL") &&
			    !script_hex(bytes, sizeof bytes, &n, s->words.w[i]))
				script_fail(s, s->line, "not hexadecimal, or too long");
	}
	script_fail(s, s->line, "%s is missing", end);
}

/* ---- the entry ---- */

/* Words of our own, for what must come of rules. */
static bool read_expectation(struct script *s, struct entry *e)
{
	const struct words *w = &s->words;
	if (is_word(w->w[0], "EDE") && w->n >= 2)
		read_ede(s, e);
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

/* Packets of several messages, signed ones, and options of product tests. */
static bool read_unplayable(struct script *s)
{
	static const char *const words[] = {"EXTRA_PACKET", "TSIG", "HEX_EDNSDATA_BEGIN"};
	for (size_t i = 0; i < COUNT(words); i++)
		if (is_word(s->words.w[0], words[i])) {
			script_skip(s, "has zone transfers, TSIG or EDNS options");
			return true;
		}
	return false;
}

static bool read_entry_line(struct script *s, struct entry *e, int *section)
{
	const struct words *w = &s->words;
	if (is_word(w->w[0], "MATCH"))
		read_words(s, e, read_match);
	else if (is_word(w->w[0], "ADJUST"))
		read_words(s, e, read_adjust);
	else if (is_word(w->w[0], "REPLY") || is_word(w->w[0], "FLAGS"))
		read_words(s, e, read_reply);
	else if (is_word(w->w[0], "JUNK"))
		read_words(s, e, read_junk);
	else if (is_word(w->w[0], "FAIL"))
		read_words(s, e, read_failure);
	else if (is_word(w->w[0], "SECTION") && w->n == 2)
		*section = read_section(s, w->w[1]);
	else if (is_word(w->w[0], "MANDATORY"))
		e->mandatory = true;
	else if (is_word(w->w[0], "HEX_ANSWER_BEGIN"))
		read_hex(s, e, "HEX_ANSWER_END");
	else if (is_word(w->w[0], "$ORIGIN") && w->n == 2)
		s->origin = w->w[1];
	else
		return read_expectation(s, e) || read_unplayable(s);
	return true;
}

struct entry *script_read_entry(struct script *s)
{
	struct entry *e = script_zero(s, sizeof *e);
	bool own = s->dialect == DIALECT_OWN;
	int section = 0;
	e->line = s->line;
	e->ede = -2;
	e->copy_id = e->copy_query = own;
	while (script_line(s)) {
		if (is_word(s->words.w[0], "ENTRY_END"))
			return e;
		if (is_word(s->words.w[0], "RAW")) {
			read_hex(s, e, "ENTRY_END");
			return e;
		}
		if (read_entry_line(s, e, &section) || s->skip[0])
			continue;
		if (section < 0) {
			script_read_question(s, e);
		} else {
			struct record *r = script_read_record(s);
			if (r)
				records_add(&e->rr[section], r);
		}
	}
	script_fail(s, s->line, "ENTRY_END is missing");
	return e;
}
