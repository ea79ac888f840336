#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "include/conf.h"
#include "include/version.h"
#include "tools/cli.h"

/* The one thing a signal handler may touch, so it cannot be anybody's argument. */
static volatile int interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

const volatile int *cli_catch_interrupt(void)
{
	/* No SA_RESTART: a read from a terminal or a pipe must come back at once. */
	struct sigaction sa = {.sa_handler = on_interrupt};
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	return &interrupted;
}

/* ---- messages ---- */

static void __attribute__((format(printf, 1, 0))) say(const char *format, va_list args)
{
	char text[2048], clean[2048];
	vsnprintf(text, sizeof text, format, args);
	fprintf(stderr, "%s: %s\n", program_invocation_short_name,
		cli_clean(clean, sizeof clean, text));
}

int cli_fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say(format, args);
	va_end(args);
	return CLI_FAULT;
}

int cli_no(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say(format, args);
	va_end(args);
	return CLI_NO;
}

int cli_fail_file(const char *path, const char *doing, int err)
{
	switch (err) {
	case ERR_NOENT:
		return cli_fail("cannot %s %s: it does not exist", doing, path);
	case ERR_ACCESS:
		return cli_fail(
			"cannot %s %s: permission denied; run this as a member of "
			"the group that owns it",
			doing, path);
	case ERR_FULL:
		return cli_fail(
			"cannot %s %s: the disk is full; nothing was changed, free "
			"space and run the same command again",
			doing, path);
	case ERR_BUSY:
		return cli_fail("cannot %s %s: another process is changing it; try again "
				"when that is done",
				doing, path);
	case ERR_IO:
		return cli_fail("cannot %s %s: %s", doing, path, strerror(errno));
	default:
		return cli_fail("cannot %s %s: %s", doing, path, err_text(err));
	}
}

/* ---- options ---- */

static const char *kind_of_value(enum cli_kind k)
{
	switch (k) {
	case CLI_SPAN:
		return "a time span such as 30d, 12h or 90 (seconds)";
	case CLI_PAST:
		return "a time such as 2h (ago), 2026-01-31 or 2026-01-31T12:00:00Z";
	case CLI_EXPIRY:
		return "a time such as 30d (from now), 2026-01-31 or never";
	default:
		return "a value";
	}
}

static int read_number(long *out, const struct cli_option *o, const char *text)
{
	char *end;
	errno = 0;
	long v = strtol(text, &end, 10);
	if (errno || end == text || *end || v < o->min || v > o->max)
		return cli_fail("--%s takes a number from %ld to %ld, not \"%s\"",
				o->name, o->min, o->max, text);
	*out = v;
	return CLI_GO;
}

/* A moment given as a span counts from now: backward or forward. */
static int read_moment(int64_t *out, const char *text, int direction)
{
	int64_t span;
	if (direction > 0 && strcmp(text, "never") == 0) {
		*out = 0;
		return ERR_OK;
	}
	if (cli_span_from_text(&span, text) != ERR_OK)
		return cli_time_from_text(out, text);
	*out = (int64_t)time(NULL) + direction * span;
	return ERR_OK;
}

static int read_value(const struct cli_option *o, const char *text)
{
	int err = ERR_OK;
	switch (o->kind) {
	case CLI_FLAG:
		*(bool *)o->to = true;
		return CLI_GO;
	case CLI_TEXT:
	case CLI_MAYBE:
		*(const char **)o->to = text;
		return CLI_GO;
	case CLI_NUMBER:
		return read_number(o->to, o, text);
	case CLI_SPAN:
		err = cli_span_from_text(o->to, text);
		break;
	case CLI_PAST:
		err = read_moment(o->to, text, -1);
		break;
	case CLI_EXPIRY:
		err = read_moment(o->to, text, 1);
		break;
	}
	if (err)
		return cli_fail("--%s takes %s, not \"%s\"", o->name,
				kind_of_value(o->kind), text);
	return CLI_GO;
}

static void print_option(const struct cli_option *o)
{
	char left[64];
	snprintf(left, sizeof left, o->kind == CLI_MAYBE ? "--%s[=%s]" : "--%s %s",
		 o->name, o->value ? o->value : "");
	printf("  %-24s %s\n", left, o->help);
}

static void print_command_help(const struct cli_command *self,
			       const struct cli_option *options,
			       const struct cli_option *common)
{
	printf("usage: %s %s [options]%s%s\n\n%s.\n\n", program_invocation_short_name,
	       self->name, *self->operands ? " " : "", self->operands, self->help);
	for (const struct cli_option *o = options; o && o->name; o++)
		print_option(o);
	printf("  %-24s %s\n", "-c, --config FILE",
	       "configuration that names the folders");
	for (const struct cli_option *o = common; o->name; o++)
		if (o->help)
			print_option(o);
	printf("  %-24s %s\n", "-h, --help", "this text");
}

static const struct cli_option *find_option(const struct cli_option *o, const char *name,
					    size_t len)
{
	for (; o && o->name; o++)
		if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

/* One "--name", "--name=value" or "--name value"; moves *at over a value taken. */
static int parse_long(const struct cli_command *self, const struct cli_option *options,
		      const struct cli_option *common, int *at, int argc, char **argv)
{
	const char *name = argv[*at] + 2, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct cli_option *o = find_option(options, name, len);
	if (!o)
		o = find_option(common, name, len);
	if (!o)
		return cli_fail("unknown option %s; see \"%s %s --help\"", argv[*at],
				program_invocation_short_name, self->name);
	if (o->kind == CLI_FLAG) {
		if (equals)
			return cli_fail("--%s takes no value", o->name);
		return read_value(o, NULL);
	}
	if (equals)
		return read_value(o, equals + 1);
	if (o->kind == CLI_MAYBE)
		return read_value(o, "");
	if (*at + 1 >= argc)
		return cli_fail("--%s needs %s", o->name, kind_of_value(o->kind));
	return read_value(o, argv[++*at]);
}

static int check_operands(const struct cli *c, const struct cli_command *self, int min,
			  int max)
{
	if (c->operands_n < min)
		return cli_fail("%s needs %s; see \"%s %s --help\"", self->name,
				self->operands, program_invocation_short_name,
				self->name);
	if (max >= 0 && c->operands_n > max)
		return cli_fail("\"%s\" is one operand too many; see \"%s %s --help\"",
				c->operands[max], program_invocation_short_name,
				self->name);
	return CLI_GO;
}

int cli_parse(struct cli *out, const struct cli_command *self,
	      const struct cli_option *options, int min, int max, int argc, char **argv)
{
	*out = (struct cli){.command = self->name, .operands = argv};
	const struct cli_option common[] = {
		{"config", CLI_TEXT, &out->conf_file, NULL, NULL, 0, 0}, /* as -c */
		{"state", CLI_TEXT, &out->state, "DIR",
		 "state folder, instead of a configuration", 0, 0},
		{"json", CLI_FLAG, &out->json, NULL,
		 "JSON for programs, instead of a table", 0, 0},
		{0},
	};
	bool only_operands = false;
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i];
		int status = CLI_GO;
		if (only_operands || a[0] != '-' || !a[1]) {
			/* Operands move to the front; i is always ahead of them. */
			argv[out->operands_n++] = argv[i];
		} else if (strcmp(a, "--") == 0) {
			only_operands = true;
		} else if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0) {
			print_command_help(self, options, common);
			return CLI_DONE;
		} else if (a[1] == '-') {
			status = parse_long(self, options, common, &i, argc, argv);
		} else if (strcmp(a, "-c") == 0 && i + 1 < argc) {
			out->conf_file = argv[++i];
		} else {
			status = strcmp(a, "-c") == 0
					 ? cli_fail("-c needs a file")
					 : cli_fail("unknown option %s; see \"%s %s "
						    "--help\"",
						    a, program_invocation_short_name,
						    self->name);
		}
		if (status != CLI_GO)
			return status;
	}
	return check_operands(out, self, min, max);
}

/* ---- programs ---- */

static void print_program_help(const struct cli_program *p)
{
	printf("usage: %s COMMAND [options] ...\n\n%s.\n\n", p->name, p->help);
	for (const struct cli_command *c = p->commands; c->name; c++)
		printf("  %-14s %s\n", c->name, c->help);
	printf("\n  %-14s %s\n  %-14s %s\n\n", "-h, --help",
	       "This text; behind a COMMAND, its options", "-V, --version",
	       "The version");
	if (p->more)
		printf("%s\n", p->more);
	puts("Exit status: 0 done, 1 no or a check failed, 2 wrong usage or a fault.");
}

static const struct cli_command *find_command(const struct cli_program *p,
					      const char *name)
{
	for (const struct cli_command *c = p->commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

/* "PROGRAM -c FILE COMMAND ..." becomes "PROGRAM COMMAND -c FILE ...". */
static void common_first(int argc, char **argv)
{
	int n = 1;
	while (n < argc && argv[n][0] == '-') {
		bool takes = strcmp(argv[n], "-c") == 0 ||
			     strcmp(argv[n], "--config") == 0 ||
			     strcmp(argv[n], "--state") == 0;
		if (!takes && strncmp(argv[n], "--config=", 9) != 0 &&
		    strncmp(argv[n], "--state=", 8) != 0 &&
		    strcmp(argv[n], "--json") != 0)
			break;
		n += takes ? 2 : 1;
	}
	if (n >= argc)
		return;
	char *command = argv[n];
	memmove(argv + 2, argv + 1, (size_t)(n - 1) * sizeof *argv);
	argv[1] = command;
}

/* A full disk behind ">" must not end in status 0. */
static int finish(int status)
{
	if (fflush(stdout) || ferror(stdout))
		return cli_fail("cannot write the output: %s", strerror(errno));
	return status;
}

int cli_main(const struct cli_program *p, int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s COMMAND ...; see \"%s --help\"\n", p->name,
			p->name);
		return CLI_FAULT;
	}
	common_first(argc, argv);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("%s %s\n", p->name, SINKHOLED_VERSION);
		return finish(CLI_DONE);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_program_help(p);
		return finish(CLI_DONE);
	}
	const struct cli_command *c = find_command(p, argv[1]);
	if (!c)
		return cli_fail("there is no command \"%s\"; see \"%s --help\"", argv[1],
				p->name);
	return finish(c->run(c, argc - 1, argv + 1));
}

/* ---- where the state is ---- */

int cli_conf(struct conf **out, const struct cli *c)
{
	struct conf_error err;
	const char *file = c->conf_file;
	/* With --state the system's own configuration is not meant. */
	if (!file && !c->state && access(CLI_CONF_FILE, F_OK) == 0)
		file = CLI_CONF_FILE;
	if (conf_load(out, file, &err) != ERR_OK)
		return cli_fail("%s", err.text);
	return CLI_GO;
}

int cli_state_path(char *out, size_t size, const struct cli *c, const char *sub)
{
	struct conf *conf = NULL;
	const char *state = c->state;
	if (!state) {
		int status = cli_conf(&conf, c);
		if (status != CLI_GO)
			return status;
		state = conf->state;
	}
	int n = snprintf(out, size, "%s%s%s", state, sub ? "/" : "", sub ? sub : "");
	int status = CLI_GO;
	if (n < 0 || (size_t)n >= size)
		status = cli_fail("the state folder's path is too long: %s", state);
	conf_free(conf);
	return status;
}
