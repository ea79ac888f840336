/* transfer.h: asking a primary for a zone's SOA and for the zone, over one TCP
 * connection. Shape    open, then transfer_soa(), then perhaps transfer_zone(), close
 * Units    times in milliseconds unless the name says otherwise
 * Memory   flat: a whole zone goes to a file without a name, changes (up to
 *          TRANSFER_DELTA_MAX) to memory
 * Threads  one per transfer; it waits, but never longer than its time limits, and not
 *          at all once stop_fd is readable (ERR_STOPPED)
 * Errors   why says what happened, without the zone's name. ERR_RANGE: more changes than
 *          are taken one by one, ask for the whole zone
 * Source   RFC 1034 4.3.5, 1995, 5936, 7766, 8945 */
#ifndef SINKHOLED_TOOLS_TRANSFER_H
#define SINKHOLED_TOOLS_TRANSFER_H

#include "include/addr.h"
#include "resolver/wire_guard.h"
#include "tools/stream.h"
#include "tools/tsig.h"

enum {
	TRANSFER_DELTA_MAX = 4 << 20, /* bytes of text, about 60,000 records: beyond it a
				       * whole transfer costs little more */
	TRANSFER_PARTS_MAX = 4096,    /* half as many versions of the zone */
};

struct soa {
	uint32_t serial, refresh, retry, expire; /* times in seconds */
};

/* RFC 1982: whether a comes after b. */
static inline bool soa_newer(uint32_t a, uint32_t b)
{
	return a != b && a - b < 0x80000000U;
}

struct transfer {
	struct stream stream;
	const uint8_t *zone;
	struct tsig tsig; /* key NULL: unsigned */
	/* of the question at hand */
	uint16_t id, qtype;
	uint64_t bytes; /* of its answer */
	int64_t start_ms;
	char why[160];
	size_t len;
	uint8_t msg[65536];
};

/* What changed, in order: text of records, as in a zone file, with absolute names. */
struct transfer_part {
	size_t at, len; /* of text */
	bool add;
};

struct transfer_zone {
	int file; /* the whole zone, at its first byte; -1: it came as changes */
	char *text;
	struct transfer_part *part;
	int parts;
	bool empty; /* a whole zone, with nothing but SOA and NS */
	struct soa soa;
};

MUST_CHECK int transfer_open(struct transfer *t, const struct addr *primary,
			     const uint8_t *zone, const struct tsig_key *key,
			     int stop_fd);
void transfer_close(struct transfer *t);
MUST_CHECK int transfer_soa(struct transfer *t, struct soa *out);
/* The whole zone, or with incremental what changed since the serial; dir is where its
 * file lies meanwhile. transfer_zone_fini() frees out, also after an error. */
MUST_CHECK int transfer_zone(struct transfer *t, struct transfer_zone *out,
			     const char *dir, bool incremental, uint32_t serial);
void transfer_zone_fini(struct transfer_zone *z);

/* ---- for transfer_zone.c ---- */

/* Says why; returns err. */
int transfer_fail(struct transfer *t, int err, const char *why);
/* serial is for IXFR: the one that is there. */
MUST_CHECK int transfer_ask(struct transfer *t, uint16_t qtype, uint32_t serial);
/* The next message of the answer, its signature checked and off. */
MUST_CHECK int transfer_receive(struct transfer *t);
/* Its header and question; those behind the first need no question. */
MUST_CHECK int transfer_read(struct transfer *t, struct wire_walk *w, bool first);
bool transfer_is_soa(const struct transfer *t, const struct wire_rr *rr);
void transfer_read_soa(struct soa *out, const struct wire_rr *rr);

#endif
