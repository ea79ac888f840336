/* feed.h: list files of any supported format, read as a stream of items.
 * Shape    options and callbacks: one call for each rule, one for each line left out
 * Units    lines from 1
 * Memory   flat, whatever the file's size; pointers live for the callback
 * Threads  one per read; no state is shared
 * Errors   a bad line is never an error of the file; ERR_* is: cannot read, is
 *          another format, or a callback said stop
 * Source   DESIGN.md "The blocklist store"; RPZ draft sections 3 to 5; RFC 4180 (CSV);
 *          hosts(5); STIX 2.1; MISP core format; UTS 46 (names that are not ASCII)
 *
 * What a line becomes
 *   domains  NAME, .NAME: the name and all below it (with exact: only itself);
 *            *.NAME: all below it, not itself; ADDRESS, PREFIX: an address rule for
 *            answers and name servers
 *   hosts    each name behind 0.0.0.0, :: or a loopback address: exactly that name
 *   csv      as domains, from the column with the names
 *   adblock  ||NAME^: as in domains; NAME alone: exactly that name; @@||NAME^, an
 *            exception, only with force: let through
 *   stix     each name and address of an indicator's pattern, as in domains; LIKE
 *            '%.NAME': all below it
 *   misp     attributes that are names and addresses, as in domains
 *   warninglist  names and addresses to let through: never-block
 *   json     an export of ours, see below: the same rules again
 *   rpz      NAME CNAME action: exactly that name; *.NAME: all below it. Any other record
 *            is local data: an item for each, which the store joins to one rule a NAME */
#ifndef SINKHOLED_FEED_H
#define SINKHOLED_FEED_H

#include "include/blocklist.h"

enum feed_format {
	FEED_AUTO,
	FEED_DOMAINS,
	FEED_HOSTS,
	FEED_CSV,
	FEED_RPZ,
	FEED_ADBLOCK,
	FEED_STIX,
	FEED_MISP,
	FEED_WARNINGLIST,
	FEED_JSON,
	FEED_FORMAT_N
};

/* Why a line, or a word of it, became no rule. Never guessed into one. */
enum feed_skip {
	FEED_SKIP_SYNTAX,    /* no domain name and no address */
	FEED_SKIP_URL,	     /* a URL or path: the host may be shared by many */
	FEED_SKIP_PORT,	     /* address:port or name:port */
	FEED_SKIP_NAME_LONG, /* over 63 or 255 octets */
	FEED_SKIP_SINGLE,    /* one label, or the root: a TLD is never one list line's
				business */
	FEED_SKIP_DUPLICATE, /* counted by the importer */
	FEED_SKIP_RESERVED,  /* localhost and such; loopback, private and other addresses
				that are nobody's on the Internet */
	FEED_SKIP_TRIGGER,   /* RPZ trigger that is not supported */
	FEED_SKIP_ACTION, /* RPZ action that is not supported, a hosts line that maps to a
			     real address */
	FEED_SKIP_OUTSIDE,   /* RPZ owner outside the zone */
	FEED_SKIP_TOO_LONG,  /* line over FEED_LINE_MAX, data over BLOCKLIST_DATA_MAX */
	FEED_SKIP_IDN,	     /* other characters than ASCII, and no name by UTS 46 */
	FEED_SKIP_ARPA,	     /* below .arpa: reverse look-ups, special use */
	FEED_SKIP_WIDE,	     /* a prefix shorter than FEED_WIDE_4 or FEED_WIDE_6 */
	FEED_SKIP_TYPE,	     /* RPZ record of a type that no rule answers with */
	FEED_SKIP_BESIDE,    /* local data beside a CNAME; counted by the importer */
	FEED_SKIP_EXCEPTION, /* it would free a name from all later lists too */
	FEED_SKIP_PART,	   /* about a part of what a name serves: a filter for browsers */
	FEED_SKIP_THING,   /* about something else: a hash, a file, a mail address */
	FEED_SKIP_EXPIRED, /* ended before it was read */
	FEED_SKIP_REVOKED, /* its source took it back */
	FEED_SKIP_PATTERN, /* a condition that names and addresses cannot express */
	FEED_SKIP_NOT_IDS, /* its source says that it is context, not an indicator */
	FEED_SKIP_ENCODING, /* RPZ address trigger that is written wrongly; the text says
			       how */
	/* Of what a reader takes, the gate leaves out; see tools/blocklist_gate.h. */
	FEED_SKIP_SUFFIX,  /* a public suffix: co.uk */
	FEED_SKIP_PRIVATE, /* a suffix below which strangers have names: github.io */
	FEED_SKIP_OWN,	   /* the operator's, or what resolution itself needs */
	FEED_SKIP_NEVER,   /* a never-block list lets it through */
	FEED_SKIP_POPULAR, /* would block a popular name: a reason to refuse all */
	FEED_SKIP_N
};

enum {
	FEED_LINE_MAX = 8192, /* a longer line is no list line */
	FEED_TEXT_MAX = 160,  /* of a skipped line, as much as a person wants to see */
	FEED_WIDE_4 = 9,      /* a /8 of IPv4 is hundreds of networks', or a country's */
	FEED_WIDE_6 = 19,     /* the largest IPv6 allocations are /19 */
};

#define FEED_FORCE(why) (1U << (why))

struct feed_options {
	enum feed_format format;
	const char *origin;  /* RPZ: zone name when the file does not say it, or NULL */
	const char *family;  /* for items without one, or NULL */
	bool exact;	     /* domains and CSV: rules cover only the name itself */
	unsigned force;	     /* take what is left out for these reasons: bits
			      * FEED_FORCE(why) of which feed_skip_forcible() is true */
	bool ports;	     /* ADDRESS:PORT: a rule for name servers at that address */
	const char *columns; /* CSV: "ROLE=HEADING,...", see feed_columns_good(); NULL */
	uint32_t now;	     /* leave out what ended before this time; 0 = keep all */
};

/* An export of ours as JSON: an object a rule, one behind the other or in an array, of
 * one list. Keys, in any order; null or not there is unknown: rule          "NAME",
 * "*.NAME", "ADDRESS/BITS"; the one that must be there kind          exact, subtree,
 * wildcard, ns-exact, ns-wildcard; of addresses rule_use_text()'s: "address", "server",
 * "client" ... action        as rule_action_text() has it; without: the list's data of
 * local-data and cname: records "TYPE TTL DATA" as in a zone file with absolute names, or
 * as RFC 3597 has them; semicolons between starts, expires, first_listed
 * "2026-01-02T03:04:05Z" confidence    0 to 100 family, category, reason, reference,
 * authority   texts list          of one name in all objects, but not compared with the
 * importer's Others, such as "until", which is told of the lease too, are passed over. A
 * rule with a value that is not understood is left out. */

/* What an export of ours adds to a STIX indicator: rule_kind, rule_action, rule_data and
 * family. */
#define FEED_STIX_EXTENSION "extension-definition--2b1c0c58-4f5e-4f0b-9b0a-6d1f2c7f4e53"

/* Whether each ROLE is one of name, family, category, confidence, added, expires, source,
 * reference, reason, authority and type. */
bool feed_columns_good(const char *columns);

/* Where the reader is, for progress bars. total_bytes 0 = unknown (a pipe). */
struct feed_position {
	uint64_t line, bytes, total_bytes;
};

struct feed_callbacks {
	/* 0 to go on; else the read ends and returns it. */
	int (*item)(void *arg, const struct blocklist_item *item, uint64_t line);
	int (*skip)(void *arg, enum feed_skip why, uint64_t line, const char *text);
	/* About every 4,096 lines and when a signal came; may be NULL. */
	int (*progress)(void *arg, const struct feed_position *at);
	void *arg;
};

struct feed_result {
	enum feed_format format; /* what AUTO found */
	uint32_t serial;	 /* RPZ: of the SOA */
	uint64_t lines, items;
	uint64_t ignored; /* lines without a rule: empty, comments, headings */
	uint64_t skipped[FEED_SKIP_N];
	char error[512]; /* one sentence, with the line where there is one */
};

/* path "-" reads standard input. */
MUST_CHECK int feed_read(struct feed_result *out, const char *path,
			 const struct feed_options *options,
			 const struct feed_callbacks *cb);
/* The same over bytes in memory, for tests and fuzzing. */
MUST_CHECK int feed_read_memory(struct feed_result *out, const char *data, size_t len,
				const struct feed_options *options,
				const struct feed_callbacks *cb);

/* One word of a list or of a command line: a name (kind RULE_SUBTREE, or RULE_WILDCARD
 * for "*.NAME") or a prefix (kind RULE_ADDR_ANSWER | RULE_ADDR_SERVER). Returns
 * FEED_WORD, or why not as enum feed_skip; where that is forcible, key and kind are
 * filled anyway, and for ADDRESS:PORT with kind RULE_ADDR_SERVER. */
enum { FEED_WORD = -1 };
MUST_CHECK int feed_word(struct blocklist_key *key, uint8_t *kind, const char *text,
			 size_t len);
/* Whether text, "TYPE TTL DATA", is read as exactly that record, also among others. */
bool feed_reads_as(const char *text, const struct blocklist_rr *rr);
/* Left out for safety, not because it is malformed. */
bool feed_skip_forcible(enum feed_skip s);

const char *feed_format_text(enum feed_format f);
int feed_format_from_text(const char *text);  /* -1 when unknown */
const char *feed_skip_text(enum feed_skip s); /* for a person: "URL or path" */
const char *feed_skip_key(enum feed_skip s);  /* for JSON: "url" */

#endif
