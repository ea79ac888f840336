/* anchor_file.h: the DS and DNSKEY records that an operator trusts without a parent.
 * Shape    a list; built in, or read from a file in zone format
 * Memory   anchor_records_fini() frees the list
 * Threads  one
 * Errors   as zone_file.h, with a text that names file and line; nothing is taken of a
 *          file with an error
 * Source   https://data.iana.org/root-anchors/root-anchors.xml, RFC 4034 2 and 5, 5011 3
 *
 * Any zone, several records of each. That somebody can use them, their algorithms, is not
 * looked at here. */
#ifndef SINKHOLED_ANCHOR_FILE_H
#define SINKHOLED_ANCHOR_FILE_H

#include "zones/zone_file.h"

enum {
	ANCHOR_RECORDS_MAX = 256,
	ANCHOR_RDATA_MAX = 1040, /* an RSA key of 8,192 bits */
};

struct anchor_record {
	uint8_t zone[DNS_NAME_MAX]; /* lower case */
	uint16_t type;		    /* DNS_DS or DNS_DNSKEY */
	uint16_t len;
	uint8_t rdata[ANCHOR_RDATA_MAX];
};

struct anchor_records {
	struct anchor_record *record;
	int n;
};

/* The root's, as in zones/root.anchors, which a test compares. */
MUST_CHECK int anchor_records_builtin(struct anchor_records *out);
/* A file without any record is an error: validation is switched off by
 * recursion.trust_anchor: "". */
MUST_CHECK int anchor_records_load(struct anchor_records *out, const char *path,
				   char error[ZONE_FILE_ERROR_MAX]);
/* The same from memory; name stands for the file. */
MUST_CHECK int anchor_records_parse(struct anchor_records *out, const char *name,
				    const char *text, size_t len,
				    char error[ZONE_FILE_ERROR_MAX]);
/* Appends one; ERR_NOMEM, ERR_FULL. */
MUST_CHECK int anchor_records_add(struct anchor_records *to, const uint8_t *zone,
				  uint16_t type, const uint8_t *rdata, uint16_t len);
void anchor_records_fini(struct anchor_records *a);

#endif
