/* script.h: a scenario as text, in the .rpl language of Unbound's testbound and of
 * Deckard, and as structs.
 * Shape    configuration, ranges of fake servers' entries, steps
 * Memory   all of it lies in the script's arena, until script_free()
 * Errors   the first one stays in .error with file and line; .skip says why a script
 *          that was read cannot be played
 *
 * The language. Everything from ';' to the end of a line is a comment.
 *   the configuration, up to CONFIG_END, in one of three dialects, see script_conf.c
 *   SCENARIO_BEGIN what it shows
 *   RANGE_BEGIN FROM TO [ADDRESS]        the servers while the step's number is in it
 *     ADDRESS A                          one or more; none: every server
 *     ENTRY_BEGIN                        the first entry that matches is the answer
 *       MATCH opcode qname qtype question all subdomain UDP TCP noedns
 *       ADJUST copy_id copy_query sleep=TIME do_not_answer
 *       REPLY QR AA TC RA RD RCODE       and SECTION QUESTION|ANSWER|AUTHORITY|ADDITIONAL
 *       HEX_ANSWER_BEGIN, RAW            bytes instead
 *     ENTRY_END
 *   RANGE_END
 *   STEP N QUERY                         with an entry: its question
 *   STEP N CHECK_ANSWER                  lets time pass until the answer is there
 *   STEP N TIME_PASSES ELAPSE SECONDS
 *   STEP N CHECK_OUT_QUERY               a packet that went out
 *   STEP N REPLY|TIMEOUT|ERROR           what becomes of one that no range answers
 *   STEP N NOTHING|TRAFFIC
 *   SCENARIO_END
 *
 * Of our own, for packets that must not be sent and rules that change. In a file with
 * CONFIG_BEGIN an ID and a question are always copied, sleep is in ms, a question without
 * an entry gets no answer, and answers are compared wholly, records in order.
 *     in entries of servers
 *       ADJUST lower_case; REPLY NOEDNS NOQUESTION
 *       FAIL unreachable|forbidden|closed|no-resource  instead of an answer
 *       JUNK id question response opcode case questions guard header
 *                                        sent first, each with that one thing wrong
 *     in CHECK_ANSWER
 *       MATCH ttl authority (the latter: NSEC and NSEC3 there, too)
 *       EDE N [text]; VERDICT pass|passthru|ACTION TRIGGER NAME|PREFIX;
 *       MONITOR NAME; CACHEABLE yes|no
 *   STEP N QUERY [optout]
 *   STEP N RULE ... | UNRULE name NAME|address PREFIX
 *   STEP N CHECK_SENDS [at most] N       packets since the last QUERY
 *   STEP N CHECK_TOOK [at most] MS       from QUERY to answer
 *   STEP N SENT_TO A [[at most] N] | NO_SENDS_TO A | NO_SENDS_ABOUT NAME */
#ifndef SINKHOLED_SCRIPT_H
#define SINKHOLED_SCRIPT_H

#include "include/arena.h"
#include "include/conf.h"
#include "include/wire.h"
#include "resolver/anchor.h"
#include "resolver/resolve.h"
#include "resolver/wire_guard.h"
#include "zones/root.h"

enum {
	SCRIPT_FILE_MAX = 4 << 20, /* the largest public ones have 600 KB */
	SCRIPT_MEMORY_MAX = 256 << 20,
	SCRIPT_WORDS_MAX = 24,
	SCRIPT_RULES_MAX = 64,
	SCRIPT_ZONES_MAX = 8,
};

/* What MATCH names: of a question, or of an answer that is checked. */
enum {
	MATCH_OPCODE = 1 << 0,
	MATCH_QNAME = 1 << 1,
	MATCH_QTYPE = 1 << 2,
	MATCH_SUBDOMAIN = 1 << 3,
	MATCH_UDP = 1 << 4,
	MATCH_TCP = 1 << 5,
	MATCH_NOEDNS = 1 << 6,
	MATCH_DO = 1 << 7,
	MATCH_RCODE = 1 << 8,
	MATCH_FLAGS = 1 << 9,
	MATCH_ANSWER = 1 << 10,
	MATCH_AUTHORITY = 1 << 11,
	MATCH_ADDITIONAL = 1 << 12,
	MATCH_TTL = 1 << 13,
	MATCH_QUESTION = MATCH_QNAME | MATCH_QTYPE,
	MATCH_ALL = MATCH_OPCODE | MATCH_QUESTION | MATCH_RCODE | MATCH_FLAGS |
		    MATCH_ANSWER | MATCH_AUTHORITY | MATCH_ADDITIONAL,
};

/* What can be wrong with junk, as bits of entry.junk. */
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

enum script_dialect {
	DIALECT_DECKARD, /* also whatever has no configuration */
	DIALECT_UNBOUND,
	DIALECT_OWN,
};

struct words {
	char *w[SCRIPT_WORDS_MAX];
	int n;
};

struct record {
	struct record *next;
	const uint8_t *owner; /* lower case */
	uint16_t type;
	uint32_t ttl;
	const uint8_t *wire; /* all of it, letters as written */
	size_t wire_len;
	const char *text; /* canonical, without TTL */
};

struct records {
	struct record *first, *last;
	int n;
};
void records_add(struct records *to, struct record *r);

struct entry {
	struct entry *next;
	int line;
	unsigned match, junk;
	bool match_given;
	bool copy_id, copy_query, silent, lower_case;
	bool mandatory;
	int fired; /* how often it was the answer */
	bool fails;
	enum send_failure why;
	uint32_t sleep_ms;
	unsigned flags, rcode, opcode;
	bool no_edns, no_question, dnssec_ok;
	bool has_question;
	uint8_t qname[DNS_NAME_MAX];
	uint16_t qtype;
	struct records rr[3]; /* answer, authority, additional */
	const uint8_t *raw;   /* NULL = none */
	size_t raw_len;
	int ede;	      /* expected; -2 = not checked */
	const char *ede_text; /* expected; NULL = not checked */
	struct words verdict; /* expected; n 0 = pass */
	const char *monitor, *cacheable;
};

struct range {
	struct range *next;
	long long from, to;
	struct range_addr {
		struct range_addr *next;
		struct addr addr;
	} * addrs;
	struct entry *entries, **entries_end;
};

struct script_step {
	struct script_step *next;
	long long number;
	int line;
	struct words words; /* from the step's kind on */
	struct addr addr;   /* family 0 = none */
	struct entry *entry;
};

struct script {
	const char *file;
	char title[256], error[512], skip[128];
	enum script_dialect dialect;
	bool unchecked; /* plays what needs validation without it */
	struct anchor_records trusted;
	struct anchor_negative insecure[SCRIPT_ZONES_MAX];
	int insecure_n;
	struct root_hints hints;
	struct conf conf;
	struct conf_zone stub[SCRIPT_ZONES_MAX], forward[SCRIPT_ZONES_MAX];
	uint32_t start_s; /* the clock at the first step; 0 = now */
	struct words rule[SCRIPT_RULES_MAX];
	int rule_n;
	struct range *ranges, **ranges_end;
	struct script_step *steps;
	/* while reading */
	struct arena arena;
	char *at; /* the rest of the file; NULL at its end */
	int line;
	struct words words;    /* of this line */
	const char *line_text; /* this line without its comment */
	const char *origin;
	uint32_t ttl;
};

/* False when there is an .error; with a .skip the rest may be missing. */
bool script_read(struct script *s, const char *file, bool unchecked);
void script_free(struct script *s);

/* ---- for the files of the parser, and for words that are read late ---- */

bool is_word(const char *a, const char *b);
void script_fail(struct script *s, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void script_skip(struct script *s, const char *why);
void *script_zero(struct script *s, size_t n);
char *script_copy(struct script *s, const char *text);
void *script_copy_bytes(struct script *s, const void *bytes, size_t n);
/* The next line with something on it, cut into words; false at the end or after an
 * error. script_raw_line() gives one as it stands, or NULL. */
bool script_line(struct script *s);
char *script_raw_line(struct script *s);
void script_name(struct script *s, uint8_t out[DNS_NAME_MAX], const char *text);
struct addr script_addr(struct script *s, const char *text);
/* script_conf.c: up to CONFIG_END. */
void script_read_conf(struct script *s);
/* Adds a word of hexadecimal digits, two a byte, to the n bytes in out. */
bool script_hex(uint8_t *out, size_t room, size_t *n, const char *word);
/* script_record.c: the line as a question or a record; NULL with an error or a skip. */
void script_read_question(struct script *s, struct entry *e);
struct record *script_read_record(struct script *s);
/* A record in wire form, canonical, without its TTL. */
const char *script_record_text(struct script *s, const uint8_t *wire, size_t len);
/* script_entry.c: up to ENTRY_END. */
struct entry *script_read_entry(struct script *s);

#endif
