#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "resolver/log.h"
#include "tests/unit/unit.h"

static char text[8192];

/* From here on stderr is a file. */
static void redirect(void)
{
	int fd = open(unit_path("log"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
}

static const char *logged(void)
{
	ssize_t n = pread(STDERR_FILENO, text, sizeof text - 1, 0);
	ck_assert_int_ge(n, 0);
	text[n] = 0;
	return text;
}

static int lines(void)
{
	int n = 0;
	for (const char *p = logged(); *p; p++)
		n += *p == '\n';
	return n;
}

START_TEST(plain)
{
	redirect();
	unsetenv("JOURNAL_STREAM");
	log_warning("disk %s is %d %% full", "/x", 91);
	log_info("ready");
	logged();
	ck_assert_uint_eq(strcspn(text, "Z"), strlen("2026-01-02T03:04:05"));
	ck_assert_ptr_nonnull(
		strstr(text, "Z sinkholed: warning: disk /x is 91 % full\n"));
	ck_assert_ptr_nonnull(strstr(text, "Z sinkholed: ready\n"));
}
END_TEST

/* Only while stderr really is the journal's stream. */
START_TEST(journal)
{
	struct stat st;
	char stream[64];
	redirect();
	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_error("one");
	ck_assert_str_eq(logged(), "<3>one\n");
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_error("two");
	ck_assert_ptr_nonnull(strstr(logged(), "Z sinkholed: error: two\n"));
}
END_TEST

START_TEST(one_line)
{
	char longer[3 * LOG_LINE_MAX];
	redirect();
	log_error("a\nb\033[2J");
	ck_assert_ptr_nonnull(strstr(logged(), "error: a?b?[2J\n"));
	memset(longer, 'x', sizeof longer);
	longer[sizeof longer - 1] = 0;
	log_error("%s", longer);
	ck_assert_int_eq(lines(), 2);
	ck_assert_uint_le(strlen(strchr(logged(), '\n') + 1), LOG_LINE_MAX);
}
END_TEST

START_TEST(limited)
{
	struct log_limit limit = {0};
	redirect();
	for (uint64_t ms = 0; ms < LOG_EVERY_MS; ms += 10)
		log_limited(&limit, ms, LOG_ERROR, "disk full");
	ck_assert_int_eq(lines(), 1);
	log_limited(&limit, LOG_EVERY_MS, LOG_ERROR, "disk full");
	ck_assert_int_eq(lines(), 2);
	ck_assert_ptr_nonnull(strstr(logged(), "disk full (and 5999 times before)\n"));
	log_limited(&limit, 3 * LOG_EVERY_MS, LOG_ERROR, "again");
	ck_assert_ptr_nonnull(strstr(logged(), "again\n"));
}
END_TEST

UNIT_SUITE("log", plain, journal, one_line, limited)
