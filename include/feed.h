/* feed.h: list files of any supported format, read as a stream of items.
 * Shape    options and two callbacks: one for each rule, one for each line left out
 * Units    lines from 1
 * Memory   flat, whatever the file's size; pointers live for the callback
 * Errors   a bad line is never an error of the file; ERR_* is: cannot read, is
 *          another format, or a callback said stop
 * Source   DESIGN.md "The blocklist store", RPZ draft sections 3 to 5 */
#ifndef SINKHOLED_FEED_H
#define SINKHOLED_FEED_H

#include "include/blocklist.h"

enum feed_format {
	FEED_AUTO,
	FEED_DOMAINS,
	FEED_HOSTS,
	FEED_CSV,
	FEED_RPZ,
	FEED_FORMAT_N
};

/* Why a line became no rule. Never guessed into one. */
enum feed_skip {
	FEED_SKIP_SYNTAX,    /* no domain name and no address */
	FEED_SKIP_URL,	     /* a URL or path: the host may be shared by many */
	FEED_SKIP_PORT,	     /* address:port or name:port */
	FEED_SKIP_NAME_LONG, /* over 63 or 255 octets */
	FEED_SKIP_SINGLE,    /* one label, or the root: a TLD is never one list line's
				business */
	FEED_SKIP_DUPLICATE, /* counted by the importer */
	FEED_SKIP_RESERVED,  /* hosts file's own names (localhost and such), loopback,
				0.0.0.0 */
	FEED_SKIP_TRIGGER,   /* RPZ trigger that is not supported */
	FEED_SKIP_ACTION,    /* RPZ action that is not supported */
	FEED_SKIP_OUTSIDE,   /* RPZ owner outside the zone */
	FEED_SKIP_TOO_LONG,  /* line over FEED_LINE_MAX */
	FEED_SKIP_N
};

enum { FEED_LINE_MAX = 8192 }; /* a longer line is no list line */

struct feed_options {
	enum feed_format format;
	const char *origin; /* RPZ: zone name when the file does not say it, or NULL */
	const char *family; /* for items without one, or NULL */
	bool exact;	    /* domains and CSV: rules cover only the name itself */
};

/* Where the reader is, for progress bars. total_bytes 0 = unknown (a pipe). */
struct feed_position {
	uint64_t line, bytes, total_bytes;
};

struct feed_callbacks {
	/* 0 to go on; else the read ends and returns it. */
	int (*item)(void *arg, const struct blocklist_item *item, uint64_t line);
	int (*skip)(void *arg, enum feed_skip why, uint64_t line, const char *text);
	/* About every 4,096 lines; may be NULL. */
	int (*progress)(void *arg, const struct feed_position *at);
	void *arg;
};

struct feed_result {
	enum feed_format format; /* what AUTO found */
	uint32_t serial;	 /* RPZ: of the SOA */
	uint64_t lines, items, skipped[FEED_SKIP_N];
	char error[256]; /* one sentence with the line when feed_read() fails */
};

/* path "-" reads standard input. */
MUST_CHECK int feed_read(struct feed_result *out, const char *path,
			 const struct feed_options *options,
			 const struct feed_callbacks *cb);
/* The same over bytes in memory, for tests and fuzzing. */
MUST_CHECK int feed_read_memory(struct feed_result *out, const char *data, size_t len,
				const struct feed_options *options,
				const struct feed_callbacks *cb);

const char *feed_format_text(enum feed_format f);
int feed_format_from_text(const char *text);  /* -1 when unknown */
const char *feed_skip_text(enum feed_skip s); /* for a person: "URL or path" */

#endif
