/* stix_id.h: ids of STIX objects: type--UUID, the UUID made of a name (version 5).
 * Shape    the same space, type and name give the same id
 * Memory   the caller's
 * Threads  any
 * Source   STIX 2.1 section 2.9, RFC 9562 section 5.5 */
#ifndef SINKHOLED_TOOLS_STIX_ID_H
#define SINKHOLED_TOOLS_STIX_ID_H

#include <stdint.h>

enum { STIX_ID_TEXT = 64 };

char *stix_id(char out[STIX_ID_TEXT], const uint8_t space[16], const char *type,
	      const char *name);

#endif
