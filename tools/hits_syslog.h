/* hits_syslog.h: records of one line as syslog messages.
 * Shape    the format writes its line to s->line, hits_syslog_send() wraps and sends it
 * Memory   hits_syslog_fini()
 * Threads  one
 * Errors   ERR_*; what the link says
 * Source   RFC 5424; over TCP and TLS with octet counting, RFC 6587 3.4.1 and RFC 5425
 *          4.3; over UDP a datagram each, RFC 5426 */
#ifndef SINKHOLED_TOOLS_HITS_SYSLOG_H
#define SINKHOLED_TOOLS_HITS_SYSLOG_H

#include "tools/hits_format.h"

struct hits_syslog {
	FILE *line;
	char *text; /* what was written to line */
	size_t len;
	uint32_t number; /* of messages since the start: a gap shows what UDP lost */
};

MUST_CHECK int hits_syslog_init(struct hits_syslog *s);
void hits_syslog_fini(struct hits_syslog *s);
/* The line that has been written is this record. */
MUST_CHECK int hits_syslog_send(struct hits_syslog *s, struct hits_link *to,
				const struct hit_row *row, const struct hits_texts *t);

#endif
