/* question_line.h: one line of a log of questions.
 * Shape    NAME, and behind it in any order a client's address and other fields, which
 * are passed over: a time, a type; parted by blanks, commas or semicolons. Or a JSON
 *          object that has them under one of their usual names
 * Memory   the caller's
 * Threads  any; a pure function
 * Errors   what is no question is QUESTION_LINE_BAD */
#ifndef SINKHOLED_TOOLS_QUESTION_LINE_H
#define SINKHOLED_TOOLS_QUESTION_LINE_H

#include "include/addr.h"
#include "include/name.h"

struct question_line {
	uint8_t name[DNS_NAME_MAX]; /* lower case */
	struct addr client;	    /* family 0: not told */
};

enum question_line_is {
	QUESTION_LINE_GOOD,
	QUESTION_LINE_NOTHING, /* empty, or a comment */
	QUESTION_LINE_BAD,
};

enum question_line_is question_line_read(struct question_line *out, const char *line,
					 size_t len);

#endif
