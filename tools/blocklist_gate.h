/* blocklist_gate.h: what no list may have, and how much of a list may change at once.
 * Shape    one gate for an import or an edit: each rule is put to it, then the whole
 * Memory   the caller's struct; what suffix.h says; popular names are mapped
 * Threads  one
 * Errors   printed; CLI_GO or an exit status
 * Source   POLICY.md V15; publicsuffix.org
 *
 * Public suffixes of registries (co.uk) belong to nobody. Those of the list's private
 * section (github.io, duckdns.org) have an owner, but names below them are strangers': a
 * feed that has one means one of these. They are left out as well, and lifted by a word
 * of their own, as to block all of a dynamic DNS provider can be meant. A rule for such a
 * name alone, without what is below, is taken. */
#ifndef SINKHOLED_TOOLS_BLOCKLIST_GATE_H
#define SINKHOLED_TOOLS_BLOCKLIST_GATE_H

#include "include/conf.h"
#include "include/feed.h"
#include "tools/blocklist_tool.h"
#include "tools/popular.h"
#include "tools/suffix.h"
#include "zones/root.h"

enum {
	/* Where this share of this many rules is replaced, it is another list. Of shorter
	 * ones only the balance counts: they are replaced by hand, and can be read. */
	GATE_REPLACED_FROM = 1000,
	GATE_GROWTH_FROM = 100,	 /* a list that begins grows */
	GATE_OWN_BITS = 1 << 14, /* own names are tens, with those above them */
};

/* A filter before the comparison with each name of one's own: most rules are about none.
 */
struct gate_own {
	uint64_t within,
		above; /* by number of labels: there is a name, one above a name */
	uint8_t bits[GATE_OWN_BITS / 8];
};

struct gate {
	const struct conf *conf;
	struct suffix suffix;
	struct popular *popular; /* NULL: none are configured */
	struct root_hints root;
	struct gate_own own;
	struct blocklist_view *view; /* NULL: without a store */
	bool never;		     /* there are never-block lists */
	bool frees;		     /* all rules of the list let through */
	const char *list;
	unsigned precedence;		 /* of the list */
	unsigned max_shrink, max_growth; /* percent */
	unsigned asked;			 /* so that the view is renewed now and then */
	/* of the last refusal, for a person */
	char why[DNS_NAME_TEXT_MAX + 16];
};

struct gate_options {
	const struct conf *conf;     /* lives as long as the gate */
	struct blocklist_view *view; /* NULL: without a store */
	const char *folder;	     /* of the store, or NULL */
	const char *list;	     /* that is going to be changed */
	int action, precedence;	     /* as set for this change, or -1 */
	const char *popular;	     /* NULL: the configuration's file */
};

MUST_CHECK int gate_open(struct gate *g, const struct gate_options *o);
void gate_close(struct gate *g);

/* FEED_WORD, or why item may not be listed, with a few words in g->why. force: bits
 * FEED_FORCE() of what is lifted. */
MUST_CHECK int gate_item(struct gate *g, const struct blocklist_item *item,
			 unsigned force);

/* Whether so much of a list may change at once; else with a sentence in why. */
enum gate_share { GATE_FITS, GATE_SHRINKS, GATE_GROWS };
enum { GATE_WHY_MAX = 400 };
enum gate_share gate_share(const struct gate *g, char why[GATE_WHY_MAX],
			   const struct blocklist_list *was,
			   const struct blocklist_changes *changes);

#endif
