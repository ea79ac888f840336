#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "resolver/log.h"

/* JOURNAL_STREAM tells device and inode of the journal's pipe, systemd.exec(5): it
 * counts only while stderr still is that pipe. */
static int to_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;
	struct stat st;
	return stream && sscanf(stream, "%ju:%ju", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static const char *level_text(enum log_level level)
{
	switch (level) {
	case LOG_ERROR:
		return "error: ";
	case LOG_WARN:
		return "warning: ";
	default:
		return "";
	}
}

/* The journal wants a level and keeps the time itself; a person wants both in words. */
static int head(char *out, size_t size, enum log_level level)
{
	time_t now = time(NULL);
	struct tm tm;
	if (to_journal())
		return snprintf(out, size, "<%d>", (int)level);
	if (!gmtime_r(&now, &tm))
		memset(&tm, 0, sizeof tm);
	return (int)strftime(out, size, "%Y-%m-%dT%H:%M:%SZ sinkholed: ", &tm) +
	       snprintf(out + strlen(out), size - strlen(out), "%s", level_text(level));
}

static void emit(enum log_level level, uint64_t left_out, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
static void emit(enum log_level level, uint64_t left_out, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX];
	size_t begin = (size_t)head(line, sizeof line, level), n;
	vsnprintf(line + begin, sizeof line - begin, fmt, ap);
	n = strlen(line);
	if (left_out)
		snprintf(line + n, sizeof line - n, " (and %" PRIu64 " times before)",
			 left_out);
	for (n = begin; line[n]; n++) /* one event is one line, whatever is in it */
		if ((unsigned char)line[n] < 0x20 || line[n] == 0x7f)
			line[n] = '?';
	if (n > sizeof line - 2)
		n = sizeof line - 2;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* nowhere left to say so */
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	emit(level, 0, fmt, ap);
	va_end(ap);
}

void log_limited(struct log_limit *limit, uint64_t now_ms, enum log_level level,
		 const char *fmt, ...)
{
	va_list ap;
	if (limit->next_ms && now_ms < limit->next_ms) {
		limit->left_out++;
		return;
	}
	va_start(ap, fmt);
	emit(level, limit->left_out, fmt, ap);
	va_end(ap);
	limit->next_ms = now_ms + LOG_EVERY_MS;
	limit->left_out = 0;
}
