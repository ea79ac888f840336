/* blocklist_hits.h: what the hit log says of lists and their entries, for who keeps the
 * lists: sums, no clients.
 * Shape    opened once for a span; hits of lists, or the most hit entries of one
 * Units    seconds since 1970
 * Memory   of the sums: as hits_scan.h
 * Threads  one
 * Errors   printed here; a log that is not there, or not for who asks, is none */
#ifndef SINKHOLED_TOOLS_BLOCKLIST_HITS_H
#define SINKHOLED_TOOLS_BLOCKLIST_HITS_H

#include "tools/hits_adding.h"

struct blocklist_hits {
	struct hits log;
	struct hits_adding by;
	bool there; /* the log can be read */
};

/* Adds up what was hit since then: by list, with list NULL; else that list's entries, of
 * hits that were answered by that action. CLI_GO, also when there is no log. */
MUST_CHECK int blocklist_hits_open(struct blocklist_hits *h, const struct cli *c,
				   const char *list, int action, int64_t since_s);
void blocklist_hits_close(struct blocklist_hits *h);

/* By list. */
uint64_t blocklist_hits_of(const struct blocklist_hits *h, const char *list);
/* By entry: all of them together, and how many different clients asked. */
MUST_CHECK int blocklist_hits_total(struct blocklist_hits *h, uint64_t *hits,
				    size_t *clients);
/* The n most hit entries, as JSON: entry, hits, clients. NULL after saying why. */
json_t *blocklist_hits_entries(struct blocklist_hits *h, size_t n);

#endif
