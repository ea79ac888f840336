/* feed_ahead.h: a list file read by a thread of its own.
 * Shape    feed_read() there, its callbacks here, in their order
 * Memory   half a MB for what has been read and not been taken yet
 * Threads  the callbacks are called by the thread that calls feed_ahead_read(); what they
 *          say ends the read a little later
 * Errors   as feed_read() */
#ifndef SINKHOLED_TOOLS_FEED_AHEAD_H
#define SINKHOLED_TOOLS_FEED_AHEAD_H

#include "include/feed.h"

enum { FEED_AHEAD_FROM = 1 << 20 }; /* bytes: less is read before a thread has begun */

/* A plain file of at least FEED_AHEAD_FROM bytes, and from there on the program gives way
 * to others; all else, which may have to be waited for, is left to feed_read(). */
MUST_CHECK int feed_ahead_read(struct feed_result *out, const char *path,
			       const struct feed_options *options,
			       const struct feed_callbacks *cb);

#endif
