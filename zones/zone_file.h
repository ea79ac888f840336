/* zone_file.h: the records of a text in zone format, one at a time.
 * Shape    open, next until the end, close; again starts over
 * Units    line: of the file, from 1; of a record in brackets the last
 * Memory   open allocates; the error text is the caller's
 * Threads  one
 * Errors   ERR_NOENT, ERR_ACCESS, ERR_IO, ERR_INVAL, ERR_FORMAT, ERR_NOMEM, with a text
 *          "FILE:LINE: what is wrong; what to do"
 * Source   RFC 1035 5; ldns reads the lines
 *
 * For small files of an operator's: root hints, trust anchors. $INCLUDE is refused. */
#ifndef SINKHOLED_ZONE_FILE_H
#define SINKHOLED_ZONE_FILE_H

#include "include/name.h"

enum {
	ZONE_FILE_MAX = 256 * 1024, /* bytes; named.root is 3 KB */
	ZONE_FILE_ERROR_MAX = 256,
	ZONE_FILE_RDATA_MAX = 4096, /* ldns takes lines of 10,230 characters */
};

struct zone_record {
	uint8_t owner[DNS_NAME_MAX]; /* lower case */
	uint16_t type, class, len;
	uint8_t rdata[ZONE_FILE_RDATA_MAX]; /* wire form; names as written */
};

struct zone_file;

/* key: of the configuration, named when the file cannot be read. */
MUST_CHECK int zone_file_open(struct zone_file **out, const char *path, const char *key,
			      char error[ZONE_FILE_ERROR_MAX]);
/* The same from memory, which stays until close; name stands for the file. */
MUST_CHECK int zone_file_open_text(struct zone_file **out, const char *name,
				   const char *text, size_t len,
				   char error[ZONE_FILE_ERROR_MAX]);
void zone_file_close(struct zone_file *z);

enum { ZONE_FILE_END = 0, ZONE_FILE_RECORD = 1 };
/* ZONE_FILE_*, or an error. */
MUST_CHECK int zone_file_next(struct zone_file *z, struct zone_record *r);
void zone_file_again(struct zone_file *z);
/* Says what is wrong with the record read last; returns code. */
int zone_file_fail(struct zone_file *z, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
