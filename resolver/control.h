/* control.h: the server side of the control socket, see include/control.h.
 * Shape    a table of commands given by program_control.c, a socket on main's loop
 * Memory   control_open() allocates; control_close() frees once libuv let go
 * Threads  the loop's; handlers run on it and must not block for long; the process
 *          ignores SIGPIPE, which libuv does not keep away
 * Errors   ERR_*, with a text that says what to do */
#ifndef SINKHOLED_RESOLVER_CONTROL_H
#define SINKHOLED_RESOLVER_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "include/control.h"
#include "include/err.h"

/* Adds members to answer. CONTROL_LATER: it has kept a reference of answer, and
 * control_finish() follows. ERR_*: the command failed and error holds why, in words for
 * the person who gave it. */
enum { CONTROL_LATER = 1 };
typedef int control_fn(void *arg, const json_t *request, json_t *answer,
		       char error[CONTROL_ERROR_MAX]);

struct control_command {
	const char *name; /* NULL ends the table */
	control_fn *run;
	bool logged; /* who asked for it goes to the log, and not a word of the request */
};

struct control;

/* Listens on dir/control.sock. commands and arg live as long as the control. A socket
 * that stands there already is replaced, so the caller must hold the state folder's
 * lock: only then is it certain that nobody serves it. */
MUST_CHECK int control_open(struct control **out, uv_loop_t *loop, const char *dir,
			    const struct control_command *commands, void *arg,
			    char error[CONTROL_ERROR_MAX]);
/* Removes the socket and ends. May be called by a command, whose answer still goes out.
 * Once; the loop must run on until nothing is left in it. */
void control_close(struct control *c);

/* The answer of a command that said CONTROL_LATER; takes its reference. Who asked may be
 * gone by then. Before control_close(). */
void control_finish(struct control *c, json_t *answer);

/* The answer to one request of len bytes without its newline, to free(): what the socket
 * does, without the socket. uid: who asked, for the log. NULL: out of memory, or *later
 * is what control_finish() will be given, not to be looked at before. */
char *control_answer(const struct control_command *commands, void *arg,
		     const char *request, size_t len, long uid, const json_t **later);

#endif
