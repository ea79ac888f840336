/* log.h: one line on stderr per event of the service.
 * Shape    log_error(), log_warning(), log_notice(), log_info(), each printf-like;
 *          log_limited() for what may repeat
 * Units    a line of at most LOG_LINE_MAX bytes; longer ones are cut
 * Memory   none kept
 * Threads  any; a line is one write()
 * Errors   none: a log that cannot be written must not stop the service
 *
 * P3: only main, program, startup, worker, control, trust and hit modules include it, and
 * no client address and no name that was asked may be passed to it. What happened to a
 * question is a number in stats.h; what a listed name was answered is a hit. */
#ifndef SINKHOLED_LOG_H
#define SINKHOLED_LOG_H

#include <stdint.h>

enum {
	LOG_LINE_MAX = 1024,
	LOG_EVERY_MS = 60 * 1000, /* one line a minute tells as much as a thousand */
};

/* As syslog and the journal number them. */
enum log_level { LOG_ERROR = 3, LOG_WARN = 4, LOG_NOTE = 5, LOG_INFORM = 6 };

void log_line(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_notice(...) log_line(LOG_NOTE, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFORM, __VA_ARGS__)

/* For one kind of message, in its owner's memory, zero at first; one thread's. */
struct log_limit {
	uint64_t next_ms; /* quiet until then; 0 = not printed yet */
	uint64_t left_out;
};

/* Prints at most one line per LOG_EVERY_MS and tells how many it left out. now_ms is
 * the monotonic clock, as uv_now() has it. */
void log_limited(struct log_limit *limit, uint64_t now_ms, enum log_level level,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
