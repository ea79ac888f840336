/* suffix.h: public suffixes: names below which strangers register theirs.
 * Shape    one list, asked name by name
 * Memory   30 KB of list; after SUFFIX_FILTER_AFTER names 32 KB more
 * Threads  one a struct
 * Errors   ERR_NOENT: this system has no such list
 * Source   publicsuffix.org, by libpsl */
#ifndef SINKHOLED_TOOLS_SUFFIX_H
#define SINKHOLED_TOOLS_SUFFIX_H

#include <libpsl.h>
#include <stdio.h>

#include "include/name.h"

enum {
	/* So many take as long as reading the list's text: what is asked more often gets
	 * a filter before libpsl, which searches for each name from its first letter on.
	 */
	SUFFIX_FILTER_AFTER = 4096,
};

enum suffix_kind {
	SUFFIX_NONE,
	SUFFIX_REGISTRY, /* belongs to nobody: co.uk */
	SUFFIX_SHARED,	 /* has an owner, the names below it have others: github.io */
};

struct suffix {
	const psl_ctx_t *psl;
	psl_ctx_t *own; /* NULL: psl is what libpsl was built with */
	unsigned asked;
	uint8_t *filter; /* NULL: there is none (yet) */
	uint8_t last[DNS_NAME_MAX];
	enum suffix_kind last_kind;
};

MUST_CHECK int suffix_open(struct suffix *s);
void suffix_close(struct suffix *s);
/* name of two labels or more. */
enum suffix_kind suffix_of(struct suffix *s, const uint8_t *name);

/* Takes the text that the list was made of: names that no line of it is about are told
 * at once from then on. ERR_FORMAT: it is not understood, and nothing is taken. */
MUST_CHECK int suffix_filter(struct suffix *s, FILE *text);

#endif
