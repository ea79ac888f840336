/* val_parts.h: the sets on the way to a trust anchor, for the chain; only val*.c include
 * it. Memory   a set lies in the arena of val_start(), as long as that does */
#ifndef SINKHOLED_VAL_PARTS_H
#define SINKHOLED_VAL_PARTS_H

#include "resolver/val.h"

/* NULL when nobody wanted it so far. */
struct val_set *val_fetch_find(const struct val *v, const uint8_t *name, uint16_t type);
/* From the cache, or MISSING. NULL when there are more than any honest chain has. */
struct val_set *val_fetch_get(struct val *v, const uint8_t *name, uint16_t type);
/* Whether s is here; if not it is asked for. */
bool val_fetch_need(struct val_set *s);

#endif
