/* program.h: sinkholed as a whole, for main().
 * Shape    read a configuration, then check it or serve with it
 * Memory   the configuration given is taken
 * Threads  one calls; serving starts its workers
 * Errors   on the log; an exit status comes back */
#ifndef SINKHOLED_PROGRAM_H
#define SINKHOLED_PROGRAM_H

#include "include/conf.h"

enum {
	PROGRAM_NO = 1,	   /* a check failed */
	PROGRAM_FAULT = 2, /* usage, or it cannot serve */
};

/* path: of conf, to read it again; NULL = the defaults. */
int program_serve(struct conf *conf, const char *path);
/* Whether it could serve with conf, as far as that can be seen without doing it. */
int program_check(struct conf *conf, const char *path);

#endif
