/* stream.h: whole messages over a connection that may stall, for a limited time.
 * Shape    all bytes or none
 * Units    times in milliseconds of cli_now_ms()
 * Memory   the caller's
 * Threads  one per connection; it waits, but not at all once stop_fd is readable
 * Errors   ERR_BUSY: the time is over; ERR_STOPPED; ERR_RANGE: the other side has closed;
 *          ERR_IO with errno */
#ifndef SINKHOLED_TOOLS_STREAM_H
#define SINKHOLED_TOOLS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/err.h"

struct stream {
	int fd; /* does not block */
	int stop_fd;
};

/* Until fd is ready for events, as poll() has them. */
MUST_CHECK int stream_wait(const struct stream *s, short events, int64_t until_ms);
/* Reads or, out, writes them. */
MUST_CHECK int stream_move(const struct stream *s, uint8_t *bytes, size_t len, bool out,
			   int64_t until_ms);

#endif
