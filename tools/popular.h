/* popular.h: the names that most people use, to see whether a rule would hit one.
 * Shape    a hash table in a file, made anew when the list it was made of has changed;
 *          each name, and each name above one, is found in one look
 * Memory   the file is mapped: only what is looked at is read
 * Threads  any may look
 * Errors   ERR_*; text for a person in the error
 * Source   Tranco and others: RANK,NAME lines; names alone; MISP lists, a name a line */
#ifndef SINKHOLED_TOOLS_POPULAR_H
#define SINKHOLED_TOOLS_POPULAR_H

#include <stdbool.h>

#include "include/err.h"
#include "include/rule.h"

enum {
	POPULAR_NAMES_MAX = 16 << 20, /* the longest published ones have 10 million */
	POPULAR_ERROR_MAX = 512,
};

struct popular;

/* list is the file of names; the table is kept in folder, or (NULL, or no right to write
 * there) only for as long as it is open. */
MUST_CHECK int popular_open(struct popular **out, const char *list, const char *folder,
			    char error[POPULAR_ERROR_MAX]);
void popular_close(struct popular *p);
uint64_t popular_count(const struct popular *p);

/* Whether a rule of that kind about name covers a popular name. *rank gets that of the
 * best one, 0 when the list tells none. */
bool popular_hit(const struct popular *p, uint32_t *rank, const uint8_t *name,
		 enum rule_kind kind);
/* Whether the name itself is popular. */
bool popular_is(const struct popular *p, uint32_t *rank, const uint8_t *name);

/* The name in a line, rank 0 when there is none before it. False for headings, comments
 * and anything else. */
bool popular_line(uint8_t name[DNS_NAME_MAX], uint32_t *rank, const char *text,
		  size_t len);

#endif
