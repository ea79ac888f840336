#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "tools/cli.h"

START_TEST(spans)
{
	static const struct {
		const char *text;
		int err;
		int64_t s;
	} rows[] = {
		{"0", ERR_OK, 0},	 {"90", ERR_OK, 90},
		{"45s", ERR_OK, 45},	 {"15m", ERR_OK, 900},
		{"2h", ERR_OK, 7200},	 {"30d", ERR_OK, 2592000},
		{"8w", ERR_OK, 4838400}, {"1y", ERR_OK, 31536000},
		{"", ERR_FORMAT, 0},	 {"d", ERR_FORMAT, 0},
		{"-3d", ERR_FORMAT, 0},	 {"3 d", ERR_FORMAT, 0},
		{"3dd", ERR_FORMAT, 0},	 {"3x", ERR_FORMAT, 0},
		{"1001y", ERR_RANGE, 0}, {"99999999999999999999d", ERR_RANGE, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t s = -1;
		ck_assert_msg(cli_span_from_text(&s, rows[i].text) == rows[i].err, "%s",
			      rows[i].text);
		if (!rows[i].err)
			ck_assert_int_eq(s, rows[i].s);
	}
}
END_TEST

START_TEST(times)
{
	static const struct {
		const char *text;
		int64_t t; /* -1: refused */
	} rows[] = {
		{"1970-01-01", 0},
		{"2024-02-29", 1709164800},
		{"2023-02-29", -1},
		{"2024-13-01", -1},
		{"2024-00-01", -1},
		{"2024-04-31", -1},
		{"2026-01-02T03:04:05Z", 1767323045},
		{"2026-01-02 03:04:05 UTC", 1767323045},
		{"2026-01-02 03:04:05", 1767323045},
		{"2026-01-02t03:04:05.678z", 1767323045},
		{"2026-01-02T12:04:05+09:00", 1767323045},
		{"2026-01-01T22:04:05-0500", 1767323045},
		{"2026-01-02 03:04", 1767323040},
		{"2026-01-02T25:04:05Z", -1},
		{"2026-01-02T03:60:05Z", -1},
		{"2026-01-02T03", -1},
		{"2026-01-02x", -1},
		{"2026-1-2", -1},
		{"@1767323045", 1767323045},
		{"@", -1},
		{"@-5", -1},
		{"@99999999999", -1},
		{"yesterday", -1},
		{"", -1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t t = -1;
		int err = cli_time_from_text(&t, rows[i].text);
		ck_assert_msg((err == ERR_OK) == (rows[i].t >= 0), "%s", rows[i].text);
		if (!err)
			ck_assert_msg(t == rows[i].t, "%s: %lld", rows[i].text,
				      (long long)t);
	}
	char text[CLI_TIME_TEXT_MAX];
	ck_assert_str_eq(cli_time_text(text, 1767323045), "2026-01-02T03:04:05Z");
}
END_TEST

START_TEST(sizes)
{
	char text[CLI_SIZE_TEXT_MAX];
	ck_assert_str_eq(cli_size_text(text, 0), "0 B");
	ck_assert_str_eq(cli_size_text(text, 1023), "1023 B");
	ck_assert_str_eq(cli_size_text(text, 1536), "1.5 KiB");
	ck_assert_str_eq(cli_size_text(text, UINT64_MAX), "16.0 EiB");
	char count[CLI_COUNT_TEXT_MAX];
	ck_assert_str_eq(cli_count_text(count, 0), "0");
	ck_assert_str_eq(cli_count_text(count, 999), "999");
	ck_assert_str_eq(cli_count_text(count, 1430379), "1,430,379");
	ck_assert_str_eq(cli_count_text(count, UINT64_MAX), "18,446,744,073,709,551,615");
}
END_TEST

START_TEST(cleaning)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"plain", "plain"},
		{"a\tb\nc\x1b[31m\x7f", "a?b?c?[31m?"},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"\xe6\x9d\xb1\xe4\xba\xac", "\xe6\x9d\xb1\xe4\xba\xac"},
		{"\xf0\x9f\x90\x9b", "\xf0\x9f\x90\x9b"},
		{"cut \xe6\x9d", "cut ??"},
		{"\xff\xc0\x80", "???"},		/* overlong */
		{"\xe0\x80\x80\xed\xa0\x80", "??????"}, /* overlong, surrogate */
		{"\xf4\x90\x80\x80", "????"},		/* over 10FFFF */
		{"\xc2\x9b", "??"},			/* C1 control */
		{"\xe2\x80\xae"
		 "exe",
		 "???exe"}, /* right-to-left override */
	};
	char out[64];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ck_assert_str_eq(cli_clean(out, sizeof out, rows[i].in), rows[i].out);
	/* Cut at a whole character. */
	ck_assert_str_eq(cli_clean(out, 4, "ab\xc3\xbc"), "ab");
	ck_assert_str_eq(cli_clean(out, 5, "ab\xc3\xbc"), "ab\xc3\xbc");
	ck_assert_str_eq(cli_clean(out, 1, "abc"), "");
}
END_TEST

/* What a command was given, read back by the tests. */
static struct {
	struct cli cli;
	bool force;
	const char *reason, *maybe;
	long precedence;
	int64_t expires_s, since, until;
	int runs;
} got;

static int run_probe(const struct cli_command *self, int argc, char **argv)
{
	const struct cli_option options[] = {
		{"force", CLI_FLAG, &got.force, NULL, "go on", 0, 0},
		{"reason", CLI_TEXT, &got.reason, "TEXT", "why", 0, 0},
		{"maybe", CLI_MAYBE, &got.maybe, "WHAT", "what", 0, 0},
		{"precedence", CLI_NUMBER, &got.precedence, "N", "order", 0, 65535},
		{"expires", CLI_SPAN, &got.expires_s, "SPAN", "lease", 0, 0},
		{"since", CLI_PAST, &got.since, "TIME", "from", 0, 0},
		{"until", CLI_EXPIRY, &got.until, "TIME", "to", 0, 0},
		{0},
	};
	got.runs++;
	int status = cli_parse(&got.cli, self, options, 1, 2, argc, argv);
	return status == CLI_GO ? 0 : status;
}

static const struct cli_command commands[] = {
	{"probe", "FILE [FILE]", "Reads options", run_probe},
	{0},
};
static const struct cli_program program = {"tester", "Tests options", commands, NULL};

/* Splits line at spaces; a cell "_" stands for the empty string. */
static int run_line(const char *line)
{
	static char buf[512], empty[1], *argv[32];
	char *save = NULL;
	int argc = 0;
	snprintf(buf, sizeof buf, "%s", line);
	for (char *t = strtok_r(buf, " ", &save); t; t = strtok_r(NULL, " ", &save))
		argv[argc++] = strcmp(t, "_") ? t : empty;
	argv[argc] = NULL;
	memset(&got, 0, sizeof got);
	return cli_main(&program, argc, argv);
}

START_TEST(options_statuses)
{
	static const struct {
		const char *line;
		int status;
	} rows[] = {
		{"tester probe a", 0},
		{"tester probe -", 0},
		{"tester probe -- --force", 0},
		{"tester probe --reason _ a", 0},
		{"tester --version", 0},
		{"tester --help", 0},
		{"tester help", 0},
		{"tester probe --help", 0},
		{"tester probe", 2},
		{"tester probe a b c", 2},
		{"tester", 2},
		{"tester prob", 2},
		{"tester probe --unknown a", 2},
		{"tester probe --force=yes a", 2},
		{"tester probe a --reason", 2},
		{"tester probe a -c", 2},
		{"tester probe a -x", 2},
		{"tester probe a --precedence 70000", 2},
		{"tester probe a --precedence x", 2},
		{"tester probe a --precedence _", 2},
		{"tester probe a --expires soon", 2},
		{"tester probe a --since 2026-02-30", 2},
		{"tester probe a --since never", 2},
		{"tester probe a --until never", 0},
		{"tester --state /tmp/s probe a", 0},
		{"tester --state /tmp/s --version", 0},
		{"tester -c", 2},
		{"tester --state /tmp/s", 2},
		{"tester --force probe a", 2},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ck_assert_msg(run_line(rows[i].line) == rows[i].status, "%s",
			      rows[i].line);
}
END_TEST

START_TEST(options_values)
{
	/* The value only behind "=": what follows is an operand. */
	ck_assert_int_eq(run_line("tester probe --maybe a"), 0);
	ck_assert_str_eq(got.maybe, "");
	ck_assert_int_eq(got.cli.operands_n, 1);
	ck_assert_int_eq(run_line("tester probe --maybe=b,c a"), 0);
	ck_assert_str_eq(got.maybe, "b,c");
	ck_assert_int_eq(run_line("tester probe a"), 0);
	ck_assert_ptr_null(got.maybe);
	ck_assert_int_eq(run_line("tester probe a --force --reason=because -c conf.yaml "
				  "--precedence 7 b --expires 2d --state /tmp/s --json"),
			 0);
	ck_assert(got.force && got.cli.json);
	ck_assert_str_eq(got.reason, "because");
	ck_assert_str_eq(got.cli.conf_file, "conf.yaml");
	ck_assert_str_eq(got.cli.state, "/tmp/s");
	ck_assert_int_eq(got.precedence, 7);
	ck_assert_int_eq(got.expires_s, 172800);
	ck_assert_int_eq(got.cli.operands_n, 2);
	ck_assert_str_eq(got.cli.operands[0], "a");
	ck_assert_str_eq(got.cli.operands[1], "b");

	/* the common ones also before the command */
	ck_assert_int_eq(run_line("tester -c conf.yaml --json --state=/tmp/s probe a b"),
			 0);
	ck_assert(got.cli.json);
	ck_assert_str_eq(got.cli.conf_file, "conf.yaml");
	ck_assert_str_eq(got.cli.state, "/tmp/s");
	ck_assert_str_eq(got.cli.operands[1], "b");

	int64_t now = time(NULL);
	ck_assert_int_eq(run_line("tester probe x --since 1h --until 1h"), 0);
	ck_assert_int_le(llabs(got.since - (now - 3600)), 5);
	ck_assert_int_le(llabs(got.until - (now + 3600)), 5);
}
END_TEST

/* What was printed, from a file that stands for a pipe. */
static const char *printed(void)
{
	static char text[4096];
	fflush(stdout);
	FILE *f = fopen(unit_path("out"), "r");
	ck_assert_ptr_nonnull(f);
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	fclose(f);
	return text;
}

static void table_rows(bool json)
{
	static const struct cli_column columns[] = {
		{"name", false}, {"count", true}, {0}};
	ck_assert_ptr_nonnull(freopen(unit_path("out"), "w", stdout));
	struct cli_table *t = cli_table_open(columns, json);
	ck_assert_ptr_nonnull(t);
	cli_table_row(t, (const char *const[]){"a\tb", "12"});
	cli_table_row(t, (const char *const[]){"", "3"});
	cli_table_close(t);
}

START_TEST(table_in_a_pipe)
{
	table_rows(false);
	ck_assert_str_eq(printed(), "a?b\t12\n-\t3\n");
}
END_TEST

START_TEST(table_as_json)
{
	table_rows(true);
	ck_assert_str_eq(printed(), "{\"name\":\"a?b\",\"count\":12}\n"
				    "{\"name\":null,\"count\":3}\n");
}
END_TEST

START_TEST(full_output_fails)
{
	ck_assert_ptr_nonnull(freopen("/dev/full", "w", stdout));
	ck_assert_int_eq(run_line("tester --help"), CLI_FAULT);
}
END_TEST

START_TEST(progress_is_silent_in_a_pipe)
{
	struct cli_progress p;
	ck_assert_ptr_nonnull(freopen(unit_path("err"), "w", stderr));
	cli_progress_start(&p, "reading");
	for (int i = 0; i < 100; i++)
		cli_progress_at(&p, (uint64_t)i, 100);
	cli_progress_end(&p);
	ck_assert_int_eq(ftell(stderr), 0);
}
END_TEST

START_TEST(interrupt_is_only_noted)
{
	const volatile int *stop = cli_catch_interrupt();
	ck_assert_int_eq(*stop, 0);
	raise(SIGINT);
	ck_assert_int_eq(*stop, 1);
}
END_TEST

START_TEST(state_folder)
{
	char path[256], small[8];
	struct cli c = {.state = "/srv/state"};
	ck_assert_int_eq(cli_state_path(path, sizeof path, &c, "blocklist"), CLI_GO);
	ck_assert_str_eq(path, "/srv/state/blocklist");
	ck_assert_int_eq(cli_state_path(path, sizeof path, &c, NULL), CLI_GO);
	ck_assert_str_eq(path, "/srv/state");
	ck_assert_int_eq(cli_state_path(small, sizeof small, &c, NULL), CLI_FAULT);

	FILE *f = fopen(unit_path("conf.yaml"), "w");
	fputs("state: /srv/other\n", f);
	fclose(f);
	c = (struct cli){.conf_file = unit_path("conf.yaml")};
	ck_assert_int_eq(cli_state_path(path, sizeof path, &c, "hits"), CLI_GO);
	ck_assert_str_eq(path, "/srv/other/hits");
	c.conf_file = unit_path("absent.yaml");
	ck_assert_int_eq(cli_state_path(path, sizeof path, &c, NULL), CLI_FAULT);
}
END_TEST

UNIT_SUITE("cli", spans, times, sizes, cleaning, options_statuses, options_values,
	   table_in_a_pipe, table_as_json, full_output_fails,
	   progress_is_silent_in_a_pipe, interrupt_is_only_noted, state_folder)
