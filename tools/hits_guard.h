/* hits_guard.h: going on after a crash within a damaged segment. LMDB has no checksums: a
 * page that was damaged in a way no check sees can send it anywhere in the map.
 * Shape    start once; then what reads a segment runs guarded, also within another guard
 * Memory   what fn had open is lost when it crashes
 * Threads  each has guards of its own; start before the first one
 * Errors   a crash outside of guards ends the process as if there were none */
#ifndef SINKHOLED_TOOLS_HITS_GUARD_H
#define SINKHOLED_TOOLS_HITS_GUARD_H

#include <stdbool.h>

#include "include/err.h"

void hits_guard_start(void);
/* fn(arg), or ERR_DAMAGED when that crashed. */
MUST_CHECK int hits_guard(int (*fn)(void *arg), void *arg);

#endif
