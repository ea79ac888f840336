/* feed_parse.h: what feed.c and the parsers of the formats share.
 * Shape    feed.c owns the loop over lines and calls one parser for each; a parser hands
 *          out items and skips through the functions below
 * Memory   a parser's state is f->state, taken in open() and freed in close()
 * Errors   functions return 0 to go on; anything else ends the read at once */
#ifndef SINKHOLED_ZONES_FEED_PARSE_H
#define SINKHOLED_ZONES_FEED_PARSE_H

#include "include/feed.h"

struct feed {
	const struct feed_options *options;
	const struct feed_callbacks *cb;
	struct feed_result *out;
	struct blocklist_item item; /* being built; see feed_item_new() */
	uint64_t line;		    /* the one at work, or where a long record began */
	bool survey;		    /* first of two readings: nothing is handed out */
	void *state;
};

struct feed_parser {
	bool twice; /* reads the whole input once before it hands anything out */
	/* Any of these may be NULL, but line or bytes. */
	int (*open)(struct feed *f);
	int (*restart)(struct feed *f); /* between the two readings */
	int (*line)(struct feed *f, const char *text, size_t len);
	/* In place of line: all that there is, in pieces; keeps f->line. */
	int (*bytes)(struct feed *f, const char *text, size_t len);
	int (*end)(struct feed *f); /* the input is over: a record may be open */
	void (*close)(struct feed *f);
};

extern const struct feed_parser feed_parser_domains, feed_parser_hosts, feed_parser_csv,
	feed_parser_rpz, feed_parser_adblock, feed_parser_stix, feed_parser_misp,
	feed_parser_warninglist, feed_parser_rules;

/* A part of a line. */
struct feed_span {
	const char *text;
	size_t len;
};

/* An item without name, address or texts; its family is that of the options. */
struct blocklist_item *feed_item_new(struct feed *f);
/* Hands out f->item as it is. */
int feed_put(struct feed *f);
int feed_skip(struct feed *f, enum feed_skip why, const char *text, size_t len);
/* Whether what feed_word() said is no reason to leave the line out. */
bool feed_takes(const struct feed *f, int why);
/* What a file says about a rule beside its name or address. */
struct feed_told {
	bool exact;  /* a name covers only itself */
	bool ns;     /* a name is a server's */
	uint8_t use; /* RULE_ADDR_* bits of an address; 0 = the usual */
};

/* feed_word() into f->item, with what is told (may be NULL) and the options' exact and
 * force: hands it out or skips it. */
int feed_put_word(struct feed *f, const char *text, size_t len,
		  const struct feed_told *told);

/* "2024-09-01", with or without a clock behind it; 0 when it is no date. Days are enough
 * for when something was first listed, but an expiry keeps its seconds. */
uint32_t feed_time(struct feed_span s);
/* "80", "80%"; 255 when it is none. */
uint8_t feed_confidence(struct feed_span s);
/* What an export says beside a rule's name. False for what is not understood: a rule that
 * covers or does something else must not come out of it. */
bool feed_rule(struct blocklist_item *item, struct feed_told *told, struct feed_span kind,
	       struct feed_span action, struct feed_span data);
/* IPv4 dressed as IPv6 becomes IPv4. Returns FEED_WORD, or why it is no list line's
 * business: FEED_SKIP_WIDE or FEED_SKIP_RESERVED. */
int feed_prefix(struct prefix *p);

/* What the owner of a rule in a policy zone is about, once its zone's name is off: a name
 * or, below rpz-client-ip and its like, an address or a server. Returns FEED_WORD, or why
 * not; *how (may stay NULL) then says more. RPZ draft 4. */
int feed_rpz_trigger(struct blocklist_key *key, uint8_t *kind, const char **how,
		     const uint8_t *trigger);

/* Nobody's rule: an address that stands for "this machine" or for nothing. */
bool feed_addr_is_here(const struct addr *a);
/* Whether the first content line names CSV columns. */
bool feed_csv_is_heading(const char *text, size_t len);

/* What the beginning of an input looks like. ERR_FORMAT and a sentence in why when it is
 * no list of any format. */
MUST_CHECK int feed_detect(enum feed_format *out, const char **why, const char *head,
			   size_t len);

/* A record's data in wire form; rr.rdata points to rdata. */
struct feed_rr {
	struct blocklist_rr rr;
	uint8_t rdata[FEED_LINE_MAX];
};
/* Type and data as a zone file has them, RFC 3597's form for any type too; a name without
 * a dot at its end goes on with origin. The TTL is the caller's. ERR_FORMAT: malformed;
 * ERR_RANGE: longer than a line can be. */
MUST_CHECK int feed_rdata(struct feed_rr *out, struct feed_span type,
			  struct feed_span data, const uint8_t *origin);

/* "3600", "1h30m"; what is more than a TTL can be is cut. False when s is none. */
bool feed_ttl(uint32_t *out, struct feed_span s);

struct feed_span feed_trim(const char *text, size_t len);
/* The next run of characters that are no white space; len 0 at the end. */
struct feed_span feed_next_word(const char **at, const char *end);
bool feed_span_is(struct feed_span s, const char *lower); /* without regard to case */

static inline bool feed_is_space(char c)
{
	/* most characters end at the first comparison */
	return (unsigned char)c <= ' ' &&
	       (c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r');
}

#endif
