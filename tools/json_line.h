/* json_line.h: JSON written field by field, not through a tree: exports run to millions
 * of lines.
 * Shape    keys are literals, key NULL stands in a list; texts are printable UTF-8, as
 *          cli_clean() leaves them
 * Memory   none
 * Threads  one
 * Errors   the stream's own, ferror() */
#ifndef SINKHOLED_TOOLS_JSON_LINE_H
#define SINKHOLED_TOOLS_JSON_LINE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_line {
	FILE *to;
	bool more; /* something stands before: part it with a comma */
};

static inline void json_line_string(struct json_line *j, const char *text)
{
	putc_unlocked('"', j->to);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc_unlocked('\\', j->to);
		putc_unlocked(*text, j->to);
	}
	putc_unlocked('"', j->to);
}

static inline void json_line_key(struct json_line *j, const char *key)
{
	if (j->more)
		putc_unlocked(',', j->to);
	if (key)
		fprintf(j->to, "\"%s\":", key);
	j->more = true;
}

/* { or [, and the end of either. */
static inline void json_line_open(struct json_line *j, const char *key, char bracket)
{
	json_line_key(j, key);
	putc_unlocked(bracket, j->to);
	j->more = false;
}

static inline void json_line_close(struct json_line *j, char bracket)
{
	putc_unlocked(bracket, j->to);
	j->more = true;
}

/* The end of a line; another may begin. */
static inline void json_line_end(struct json_line *j)
{
	fputs("}\n", j->to);
	j->more = false;
}

/* "" is null. */
static inline void json_line_text(struct json_line *j, const char *key, const char *text)
{
	json_line_key(j, key);
	if (*text)
		json_line_string(j, text);
	else
		fputs("null", j->to);
}

/* "" is nothing at all. */
static inline void json_line_some(struct json_line *j, const char *key, const char *text)
{
	if (*text)
		json_line_text(j, key, text);
}

static inline void json_line_number(struct json_line *j, const char *key, uint64_t v)
{
	json_line_key(j, key);
	fprintf(j->to, "%" PRIu64, v);
}

static inline void json_line_bool(struct json_line *j, const char *key, bool v)
{
	json_line_key(j, key);
	fputs(v ? "true" : "false", j->to);
}

#endif
