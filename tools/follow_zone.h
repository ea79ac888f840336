/* follow_zone.h: one list that follows a zone of others.
 * Shape    a struct follow_zone is filled by its owner, then follow_refresh() is called
 *          whenever it is time, and says when the next time is
 * Units    times in milliseconds
 * Memory   of the owner
 * Threads  one per zone; follow and the store are shared
 * Errors   told on stderr with the zone's name; the result says whether it went well
 * Source   RFC 1034 4.3.5, 1982, 1995, 1996 */
#ifndef SINKHOLED_TOOLS_FOLLOW_ZONE_H
#define SINKHOLED_TOOLS_FOLLOW_ZONE_H

#include <stdatomic.h>

#include "include/conf.h"
#include "tools/blocklist_tool.h"
#include "tools/transfer.h"

struct follow_zone {
	/* the owner's */
	const struct cli *cli;
	const struct conf *conf;
	struct tool *tool;
	const char *list, *reason;
	const char *feeds; /* folder of what is remembered of lists, or NULL */
	const char *
		force; /* what an import's gates let pass once, as its --force; or NULL */
	uint8_t zone[DNS_NAME_MAX];
	struct addr primary[CONF_SERVERS_MAX];
	int primaries;
	long precedence; /* -1: as it is */
	struct tsig_key key;
	bool signed_;
	bool fresh;	  /* take it whole, whatever it is; reset once that is done */
	int stop_fd;	  /* readable: end */
	atomic_int first; /* the primary to begin with: the one that last did well, or
			   * that told of a change */
	/* follow_zone.c's */
	struct soa soa;
	bool changed;	   /* the last round brought something new */
	bool replaced;	   /* the store: it has to be opened anew, by the owner */
	bool zero;	   /* the list stands at serial 0, which is "none" in the store */
	unsigned failures; /* rounds in a row */
	uint32_t refused;  /* a gate did not let this serial pass, and it is not asked */
	int64_t refused_ms;		 /* for again before then; 0: none */
	uint64_t said[CONF_SERVERS_MAX]; /* of each primary: a hash of what went wrong */
	bool refusing; /* in this round what was offered was not taken */
	char why[256]; /* of the last failure */
	char text[DNS_NAME_TEXT_MAX];
};

/* Asks the primaries until one has told what is new, and brings the list to that. One
 * that knows of nothing new does not end the round: it may be cut off itself. True when
 * one of them has answered. */
bool follow_refresh(struct follow_zone *z);
/* How long to wait after the last one: the SOA's refresh, or after failures its retry,
 * doubled each time. */
int64_t follow_wait_ms(const struct follow_zone *z);

#endif
