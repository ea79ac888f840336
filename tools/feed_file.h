/* feed_file.h: what is fetched, on its way to disk.
 * Shape    bytes in; a file without gzip around it, its size and its SHA-256 out
 * Units    bytes
 * Memory   flat; feed_file_close() frees all
 * Threads  one per file
 * Errors   ERR_RANGE (larger than allowed), ERR_FORMAT (no list: an archive, a web page,
 *          broken gzip), ERR_FULL, ERR_IO, ERR_NOMEM; why has a sentence's end
 * Source   RFC 1952 (gzip); FIPS 180-4 (SHA-256), by libcrypto */
#ifndef SINKHOLED_TOOLS_FEED_FILE_H
#define SINKHOLED_TOOLS_FEED_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/err.h"

enum {
	FEED_FILE_SHA_MAX = 65,	 /* hexadecimal and NUL */
	FEED_FILE_HEAD_MAX = 16, /* bytes that tell what it is */
	FEED_FILE_WHY_MAX = 160,
	FEED_FILE_MODE = 0640,
};

struct feed_file {
	int fd; /* to read from, once it is done */
	uint64_t bytes, max;
	char packed[FEED_FILE_SHA_MAX]; /* SHA-256 of what came */
	char plain[FEED_FILE_SHA_MAX];	/* of what it is without gzip */
	char why[FEED_FILE_WHY_MAX];
	uint8_t head[FEED_FILE_HEAD_MAX];
	size_t head_n;
	bool begun; /* the head has been looked at */
	struct feed_file_parts *parts;
};

/* Makes the file name in folder anew; a file of that name goes, a link too. */
MUST_CHECK int feed_file_open(struct feed_file *out, int folder, const char *name,
			      uint64_t max);
/* The same into fd, which feed_file_close() closes. */
MUST_CHECK int feed_file_start(struct feed_file *out, int fd, uint64_t max);
MUST_CHECK int feed_file_put(struct feed_file *f, const void *bytes, size_t n);
/* All of it has come: it is on disk, the sums are made, fd stands at its beginning. */
MUST_CHECK int feed_file_done(struct feed_file *f);
void feed_file_close(struct feed_file *f);

/* The SHA-256 of what fd holds, from its beginning; fd stands there again. */
MUST_CHECK int feed_file_sum(char out[FEED_FILE_SHA_MAX], int fd);
/* Finds the sum in what sha256sum prints: the one of that file's name, or the only one.
 */
bool feed_file_find_sum(char out[FEED_FILE_SHA_MAX], const char *text, size_t len,
			const char *name);

#endif
