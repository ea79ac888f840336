/* blocklist_export.h: writing lists in the formats of others.
 * Shape    a format is a table of functions that are called in the order of a walk:
 * begin, each rule (names in key order, then prefixes), end Memory   flat: nothing of a
 * rule is kept but on the way down to it (RPZ) Threads  one; writes to stdout Errors   0
 * to go on, else ERR_*, of which ERR_IO is found again when stdout is closed
 *
 * Formats that have no place for an end hold only what is in force, and no text about an
 * entry: references may be marked (TLP) as not for everybody. */
#ifndef SINKHOLED_TOOLS_BLOCKLIST_EXPORT_H
#define SINKHOLED_TOOLS_BLOCKLIST_EXPORT_H

#include "tools/blocklist_tool.h"

enum export_lost {
	EXPORT_EXACT,	 /* the format cannot say: only this name */
	EXPORT_OVER,	 /* ended, or not begun, and the format has no times */
	EXPORT_HARMLESS, /* does not block, and others would take it for a block */
	EXPORT_LONG,	 /* no room for the zone's own name */
	EXPORT_LOST_N
};

struct export
{
	const struct tool *tool;
	const char *list; /* its name; NULL = all */
	uint32_t now;
	uint64_t written; /* rules */
	uint64_t lost[EXPORT_LOST_N];
	void *state; /* of the format, freed by free() */
};

/* A rule and all that is known of it. */
struct export_rule {
	const struct blocklist_key *key;
	const struct rule *rule;
	const struct blocklist_list *list;
	enum rule_action action; /* the list's, where that has one */
	struct blocklist_entry entry;
};

struct export_format {
	const char *name;
	bool every;	/* can do without --list */
	bool in_force;	/* leave out what is over */
	bool blocks;	/* leave out what does not block */
	bool markers;	/* also hand out markers */
	bool addresses; /* has no place for names */
	int (*begin)(struct export *x);
	int (*rule)(struct export *x, const struct export_rule *r);
	int (*end)(struct export *x);
};

extern const struct export_format export_rpz, export_stix, export_nft;

#endif
