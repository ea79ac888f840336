/* follow_notify.h: a primary tells that a zone has changed.
 * Shape    read whom it is for, then make the answer in place of it
 * Units    times in seconds since 1970
 * Memory   the caller's
 * Threads  any
 * Errors   false: it is none, or not one to answer
 * Source   RFC 1996 */
#ifndef SINKHOLED_TOOLS_FOLLOW_NOTIFY_H
#define SINKHOLED_TOOLS_FOLLOW_NOTIFY_H

#include "tools/tsig.h"

/* Only header and question of a message that nothing has checked yet. */
bool follow_notify_read(uint8_t zone[DNS_NAME_MAX], const uint8_t *msg, size_t len);
/* Of a message that follow_notify_read() took. With a key, a signature has to be right,
 * and the answer is signed if there was one. Without, it is a hint from who has the
 * primary's address: all that comes of it is a question to the primary. */
bool follow_notify_answer(const struct tsig_key *key, uint8_t *msg, size_t *len,
			  size_t room, int64_t now);

#endif
