/* hits_format.h: a hit as other programs take it.
 * Shape    a format is a row of a table: what stands first, each hit, what stands last
 * Units    as each format wants; times are UTC
 * Memory   an output's own, freed by its end
 * Threads  one
 * Errors   ERR_*; those of writing are the stream's
 * Source   OCSF 1.3 DNS Activity (4003); Elastic Common Schema 8.11; Shadowserver's
 *          Sinkhole DNS report; ArcSight CEF 26; STIX 2.1; MISP's /sightings/add;
 *          dnstap in Frame Streams */
#ifndef SINKHOLED_TOOLS_HITS_FORMAT_H
#define SINKHOLED_TOOLS_HITS_FORMAT_H

#include "include/dns_text.h"
#include "tools/hits_link.h"
#include "tools/hits_privacy.h"
#include "tools/json_line.h"

enum { HITS_UID_MAX = 48, HITS_COLUMNS = 12 };

/* The texts of a hit: printable, safe in a terminal and in JSON. */
struct hits_texts {
	char time[HITS_TIME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
	char client[ADDR_TEXT_MAX], proxy[ADDR_TEXT_MAX], listener[ADDR_TEXT_MAX];
	char qname[DNS_NAME_TEXT_MAX], rule[DNS_NAME_TEXT_MAX];
	char list[HIT_LIST_MAX], family[HIT_FAMILY_MAX], category[HIT_FAMILY_MAX];
	char node[HIT_NODE_MAX];
	char uid[HITS_UID_MAX]; /* boot, worker, sequence: the same hit, the same uid */
};
void hits_texts(struct hits_texts *out, const struct hit_row *row);

/* The cells of a table of hits, and their columns. */
struct hits_cells {
	char port[8], count[16];
	const char *cell[HITS_COLUMNS + 2]; /* the last one: a remark, or not there */
};
extern const struct cli_column hits_row_columns[];
void hits_cells(struct hits_cells *out, const struct hit_row *row,
		const struct hits_texts *t);
/* Every field of the record; the object stays open. */
void hits_record_json(struct json_line *j, const struct hit_row *row,
		      const struct hits_texts *t);

struct hits_stix;
struct fstrm_writer;

struct hits_out {
	const struct hits_format *format;
	const struct hits_privacy *privacy;
	FILE *to;		/* where text goes; json's is the same */
	struct hits_link *link; /* NULL: standard output */
	bool goes_on;		/* behind what an earlier run wrote: no heading */
	struct json_line json;
	struct cli_table *table;
	struct cli_column columns[HITS_COLUMNS + 2]; /* the table's */
	struct hits_stix *stix;
	struct fstrm_writer *frames;
};

enum hits_shape {
	HITS_LINES,    /* a line each: can be messages of syslog */
	HITS_TABLE,    /* lines below a heading */
	HITS_DOCUMENT, /* has an end, which --follow has not */
	HITS_FRAMES,   /* Frame Streams: can go to a collector */
};

struct hits_format {
	const char *name;
	enum hits_shape shape;
	int (*begin)(struct hits_out *o);
	int (*row)(struct hits_out *o, const struct hit_row *row,
		   const struct hits_texts *t);
	/* Also after a begin or a row that failed. */
	int (*end)(struct hits_out *o);
};

/* NULL: there is none of that name. */
const struct hits_format *hits_format_find(const char *name);
extern const struct hits_format hits_format_stix, hits_format_dnstap;
/* The event formats of log collectors: one JSON object a line. */
int hits_format_ocsf(struct hits_out *o, const struct hit_row *row,
		     const struct hits_texts *t);
int hits_format_ecs(struct hits_out *o, const struct hit_row *row,
		    const struct hits_texts *t);
/* Who took the answer for what it was: evidence, and key or purpose and case. */
void hits_format_labels(struct hits_out *o, const char *key);

#endif
