/* random.h: unpredictable bytes for IDs, ports and case, bought from the kernel by the
 * page. Shape    a buffer of getrandom() output, handed out once and cleared behind
 * Threads  one worker; made after the last fork, so no two processes share bytes
 * Errors   none: without randomness the process must not go on (abort)
 * Source   RFC 5452 9.2 */
#ifndef SINKHOLED_RANDOM_H
#define SINKHOLED_RANDOM_H

#include <stddef.h>
#include <stdint.h>

enum { RANDOM_BUFFER = 4096 }; /* about 300 questions for one system call */

struct random_source {
	size_t left;
	uint8_t buffer[RANDOM_BUFFER];
};

/* arg is a struct random_source, zero at first. n is at most RANDOM_BUFFER. */
void random_bytes(void *arg, void *out, size_t n);

#endif
