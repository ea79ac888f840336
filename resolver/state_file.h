/* state_file.h: small texts below the state folder, each replaced whole.
 * Shape    lines of words; a killed process leaves the old text or the new one
 * Memory   state_file_read() allocates, free() it; words point into the text
 * Threads  one per file
 * Errors   ERR_NOENT, ERR_IO (errno tells), ERR_FULL (too large), ERR_NOMEM */
#ifndef SINKHOLED_STATE_FILE_H
#define SINKHOLED_STATE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/err.h"

enum { STATE_FILE_MAX = 1 << 20 }; /* bytes of one text; the largest has 400 KB */

/* With a NUL behind its *len bytes. */
MUST_CHECK int state_file_read(char **text, size_t *len, const char *dir,
			       const char *name);
/* The new text and its name are on disk when this returns 0. */
MUST_CHECK int state_file_write(const char *dir, const char *name, const char *text,
				size_t len);
/* Moves it to NAME.damaged, for a person to look at. */
MUST_CHECK int state_file_set_aside(const char *dir, const char *name);

/* ---- reading the lines ---- */

struct state_text {
	const char *at, *end;
	int line; /* the current one, from 1 */
};

struct state_word {
	const char *text;
	size_t len;
};

static inline struct state_text state_text(const char *text, size_t len)
{
	return (struct state_text){.at = text, .end = text + len};
}

/* Takes the next line off the text; false at the end. */
bool state_line(struct state_text *t, struct state_word *line);
/* Takes the next word off a line; empty at its end. */
struct state_word state_word(struct state_word *line);
bool state_word_is(struct state_word w, const char *text);
/* A number without sign and blanks; false when it is none, or too large. */
bool state_number(uint32_t *out, struct state_word w);

#endif
