/* byte_ring.h: what one thread makes and another takes, in order.
 * Shape    byte_ring_start() begins a thread that writes records; the caller reads them
 *          with byte_ring_next() and ends with byte_ring_end()
 * Units    bytes
 * Memory   half a MB for what has been written and not been read yet
 * Threads  the writer's, and the one that started it
 * Errors   the writer's own, from byte_ring_end() */
#ifndef SINKHOLED_BYTE_RING_H
#define SINKHOLED_BYTE_RING_H

#include <stddef.h>
#include <stdint.h>

#include "include/err.h"

struct byte_ring;

typedef int byte_ring_write_fn(struct byte_ring *r, void *arg);
/* ERR_NOMEM: there is no room for it, or no thread to be had. */
MUST_CHECK int byte_ring_start(struct byte_ring **out, byte_ring_write_fn *write,
			       void *arg);

/* For the writer: room for a record of up to n bytes, or NULL with what
 * byte_ring_end() was told in *stop. */
uint8_t *byte_ring_room(struct byte_ring *r, size_t n, int *stop);
/* n bytes of that room are the record. */
void byte_ring_put(struct byte_ring *r, size_t n);

/* For the reader: the next record until the next call, or NULL when there is none to
 * come. */
const uint8_t *byte_ring_next(struct byte_ring *r);
/* Waits for the writer, which is told to stop (0: it has ended by itself, as
 * byte_ring_next() said). Returns stop, or else what the writer returned. */
int byte_ring_end(struct byte_ring *r, int stop);

#endif
