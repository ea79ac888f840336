/* sinkholectl: asks a running sinkholed over its control socket. One request, one answer;
 * what they hold is told in include/control.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "include/control.h"
#include "resolver/stats.h"
#include "tools/cli.h"
#include "tools/ctl_anchors.h"
#include "tools/ctl_ask.h"
#include "tools/ctl_trace.h"
#include "tools/explain_text.h"

/* ---- commands ---- */

#define OPTION_SOCKET                                                              \
	{                                                                          \
		.name = "socket", .kind = CLI_TEXT, .to = &given, .value = "PATH", \
		.help = "the control socket itself"                                \
	}

enum { KEY_MAX = 128, VALUE_MAX = 512 };

static void value_text(char out[VALUE_MAX], const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_STRING:
		cli_clean(out, VALUE_MAX, json_string_value(v));
		break;
	case JSON_INTEGER:
		snprintf(out, VALUE_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		break;
	case JSON_REAL:
		snprintf(out, VALUE_MAX, "%g", json_real_value(v));
		break;
	case JSON_TRUE:
		strcpy(out, "yes");
		break;
	case JSON_FALSE:
		strcpy(out, "no");
		break;
	default:
		out[0] = 0;
	}
}

static void rows(struct cli_table *t, const char *key, json_t *v);

static void row_below(struct cli_table *t, const char *above, const char *name, json_t *v)
{
	char key[KEY_MAX];
	snprintf(key, sizeof key, "%s%s%s", above, *above ? "." : "", name);
	rows(t, key, v);
}

/* Objects become dotted keys, list elements numbered ones. */
static void rows(struct cli_table *t, const char *key, json_t *v)
{
	char value[VALUE_MAX], clean[KEY_MAX];
	if (json_is_object(v)) {
		void *i = json_object_iter(v);
		for (; i; i = json_object_iter_next(v, i))
			row_below(t, key, json_object_iter_key(i),
				  json_object_iter_value(i));
	} else if (json_is_array(v)) {
		for (size_t i = 0; i < json_array_size(v); i++) {
			char number[24];
			snprintf(number, sizeof number, "%zu", i + 1);
			row_below(t, key, number, json_array_get(v, i));
		}
	} else {
		value_text(value, v);
		cli_table_row(t, (const char *const[]){
					 cli_clean(clean, sizeof clean, key), value});
	}
}

static int status_command(const struct cli_command *self, int argc, char **argv)
{
	static const struct cli_column columns[] = {
		{"what", false}, {"value", false}, {NULL, false}};
	const char *given = NULL;
	const struct cli_option options[] = {OPTION_SOCKET, {.name = NULL}};
	struct cli c;
	json_t *answer;
	int status = cli_parse(&c, self, options, 0, 0, argc, argv);
	if (status == CLI_GO)
		status = ctl_ask(&answer, &c, given,
				 json_pack("{s:s}", "command", "status"));
	if (status != CLI_GO)
		return status;
	if (c.json) {
		cli_json(answer);
		return CLI_DONE;
	}
	struct cli_table *t = cli_table_open(columns, false);
	if (t) {
		rows(t, "", answer);
		cli_table_close(t);
	}
	json_decref(answer);
	return t ? CLI_DONE : cli_fail("out of memory");
}

static const char *counter_help(const char *name)
{
	for (int i = 0; i < STATS_N; i++)
		if (!strcmp(name, stats_name((enum stats_counter)i)))
			return stats_help((enum stats_counter)i);
	return "";
}

/* A person gets the meaning beside each counter, a pipe just names and numbers. */
static int print_counters(json_t *counters)
{
	static const struct cli_column with_help[] = {
		{"counter", false}, {"value", true}, {"what", false}, {NULL, false}};
	static const struct cli_column plain[] = {
		{"counter", false}, {"value", true}, {NULL, false}};
	struct cli_table *t =
		cli_table_open(isatty(STDOUT_FILENO) ? with_help : plain, false);
	if (!t)
		return cli_fail("out of memory");
	void *i = json_object_iter(counters);
	for (; i; i = json_object_iter_next(counters, i)) {
		char value[VALUE_MAX], name[KEY_MAX];
		cli_clean(name, sizeof name, json_object_iter_key(i));
		value_text(value, json_object_iter_value(i));
		cli_table_row(t, (const char *const[]){name, value, counter_help(name)});
	}
	cli_table_close(t);
	return CLI_DONE;
}

static int stats_command(const struct cli_command *self, int argc, char **argv)
{
	const char *given = NULL;
	const struct cli_option options[] = {OPTION_SOCKET, {.name = NULL}};
	struct cli c;
	json_t *answer;
	int status = cli_parse(&c, self, options, 0, 0, argc, argv);
	if (status == CLI_GO)
		status = ctl_ask(&answer, &c, given,
				 json_pack("{s:s}", "command", "stats"));
	if (status != CLI_GO)
		return status;
	if (c.json) {
		cli_json(answer);
		return CLI_DONE;
	}
	status = print_counters(json_object_get(answer, "counters"));
	json_decref(answer);
	return status;
}

static int print_flushed(const struct cli *c, json_t *answer)
{
	json_int_t n = json_integer_value(json_object_get(answer, "removed"));
	if (c->json) {
		cli_json(answer);
		return CLI_DONE;
	}
	printf("%" JSON_INTEGER_FORMAT " cached entries forgotten\n", n);
	json_decref(answer);
	return CLI_DONE;
}

static int flush_command(const struct cli_command *self, int argc, char **argv)
{
	const char *given = NULL;
	bool subtree = false;
	const struct cli_option options[] = {OPTION_SOCKET,
					     {.name = "subtree",
					      .kind = CLI_FLAG,
					      .to = &subtree,
					      .help = "and all names below it"},
					     {.name = NULL}};
	uint8_t name[DNS_NAME_MAX];
	char text[DNS_NAME_TEXT_MAX];
	struct cli c;
	json_t *request, *answer;
	int status = cli_parse(&c, self, options, 0, 1, argc, argv);
	if (status != CLI_GO)
		return status;
	if (c.operands_n == 0 && subtree)
		return cli_fail("--subtree goes with a NAME; without both, everything is "
				"forgotten");
	request = json_pack("{s:s, s:b}", "command", "flush", "subtree", subtree);
	if (c.operands_n > 0) {
		if (name_from_str(name, c.operands[0])) {
			json_decref(request);
			return cli_fail("'%s' is no domain name", c.operands[0]);
		}
		json_object_set_new(request, "name",
				    json_string(name_to_text(text, name)));
	}
	status = ctl_ask(&answer, &c, given, request);
	return status == CLI_GO ? print_flushed(&c, answer) : status;
}

static int explain_command(const struct cli_command *self, int argc, char **argv)
{
	const char *given = NULL;
	struct explain_options o = {0};
	const struct cli_option options[] = {
		OPTION_SOCKET, EXPLAIN_OPTIONS(o), {.name = NULL}};
	struct cli c;
	json_t *answer;
	int status = cli_parse(&c, self, options, 1, 1, argc, argv);
	if (status != CLI_GO)
		return status;
	status = ctl_ask(&answer, &c, given, explain_request(&o, c.operands[0]));
	return status == CLI_GO ? explain_print(&c, answer) : status;
}

/* NULL after printing what is wrong. */
static json_t *trace_request(char **operands, int n, const char *client)
{
	uint8_t name[DNS_NAME_MAX];
	char text[DNS_NAME_TEXT_MAX];
	uint16_t type = DNS_A;
	struct addr a;
	if (name_from_str(name, operands[0])) {
		cli_fail("'%s' is no domain name", operands[0]);
		return NULL;
	}
	if (n > 1 && !ctl_trace_type(&type, operands[1])) {
		cli_fail("'%s' is no type; such as A, AAAA, MX or TYPE65", operands[1]);
		return NULL;
	}
	if (client && addr_from_text(&a, client, strlen(client))) {
		cli_fail("--client: '%s' is no address", client);
		return NULL;
	}
	return json_pack("{s:s, s:s, s:i, s:s*}", "command", "trace", "name",
			 name_to_text(text, name), "type", type, "client", client);
}

static int trace_command(const struct cli_command *self, int argc, char **argv)
{
	const char *given = NULL, *client = NULL;
	const struct cli_option options[] = {
		OPTION_SOCKET,
		{.name = "client",
		 .kind = CLI_TEXT,
		 .to = &client,
		 .value = "ADDRESS",
		 .help = "as for the client at this address"},
		{.name = NULL}};
	struct cli c;
	json_t *answer;
	int status = cli_parse(&c, self, options, 1, 2, argc, argv);
	if (status != CLI_GO)
		return status;
	json_t *request = trace_request(c.operands, c.operands_n, client);
	if (!request)
		return CLI_FAULT;
	status = ctl_ask(&answer, &c, given, request);
	return status == CLI_GO ? ctl_trace_print(answer, c.json) : status;
}

/* Silent when it is done, but for --json. */
static int done(const struct cli *c, json_t *answer)
{
	if (c->json)
		cli_json(json_incref(answer));
	json_decref(answer);
	return CLI_DONE;
}

/* Commands that are their name. */
static int plain(json_t **answer, struct cli *c, const struct cli_command *self, int argc,
		 char **argv)
{
	const char *given = NULL;
	const struct cli_option options[] = {OPTION_SOCKET, {.name = NULL}};
	int status = cli_parse(c, self, options, 0, 0, argc, argv);
	return status == CLI_GO ? ctl_ask(answer, c, given,
					  json_pack("{s:s}", "command", self->name))
				: status;
}

static int plain_command(const struct cli_command *self, int argc, char **argv)
{
	struct cli c;
	json_t *answer;
	int status = plain(&answer, &c, self, argc, argv);
	return status == CLI_GO ? done(&c, answer) : status;
}

static int reload_command(const struct cli_command *self, int argc, char **argv)
{
	struct cli c;
	json_t *answer;
	int status = plain(&answer, &c, self, argc, argv);
	if (status != CLI_GO)
		return status;
	const char *kept = json_string_value(json_object_get(answer, "need_restart"));
	if (!c.json && kept && *kept)
		printf("these keys have changed and need a restart: %s\n", kept);
	return done(&c, answer);
}

static int anchors_command(const struct cli_command *self, int argc, char **argv)
{
	struct cli c;
	json_t *answer;
	int status = plain(&answer, &c, self, argc, argv);
	return status == CLI_GO ? ctl_anchors_print(answer, c.json) : status;
}

static int nta_command(const struct cli_command *self, int argc, char **argv)
{
	const char *given = NULL;
	struct ctl_nta more = {0};
	const struct cli_option options[] = {OPTION_SOCKET,
					     {.name = "for",
					      .kind = CLI_SPAN,
					      .to = &more.for_s,
					      .value = "SPAN",
					      .help = "how long; default 1h, at most 7d"},
					     {.name = "reason",
					      .kind = CLI_TEXT,
					      .to = &more.reason,
					      .value = "TEXT",
					      .help = "why; add needs one"},
					     {.name = NULL}};
	struct cli c;
	json_t *answer, *request;
	int status = cli_parse(&c, self, options, 1, 2, argc, argv);
	if (status != CLI_GO)
		return status;
	bool list = !strcmp(c.operands[0], "list") && c.operands_n == 1;
	request = list ? json_pack("{s:s}", "command", "anchors")
		       : ctl_anchors_nta(c.operands[0],
					 c.operands_n > 1 ? c.operands[1] : NULL, &more);
	if (!request)
		return CLI_FAULT;
	status = ctl_ask(&answer, &c, given, request);
	if (status != CLI_GO)
		return status;
	return list ? ctl_anchors_print_negative(answer, c.json) : done(&c, answer);
}

/* How many times segments have ended by request, as status tells. */
static int rotations(json_int_t *out, const struct cli *c, const char *given)
{
	json_t *answer;
	int status = ctl_ask(&answer, c, given, json_pack("{s:s}", "command", "status"));
	if (status != CLI_GO)
		return status;
	*out = json_integer_value(
		json_object_get(json_object_get(answer, "hits"), "rotations"));
	json_decref(answer);
	return CLI_GO;
}

/* Asks, and waits until it is done. */
static int hits_command(const struct cli_command *self, int argc, char **argv)
{
	const struct timespec pause = {.tv_nsec = 50 * 1000000L};
	const char *given = NULL;
	const struct cli_option options[] = {OPTION_SOCKET, {.name = NULL}};
	struct cli c;
	json_t *answer;
	int status = cli_parse(&c, self, options, 1, 1, argc, argv);
	if (status != CLI_GO)
		return status;
	if (strcmp(c.operands[0], "rotate"))
		return cli_fail("hits takes rotate, not '%s'", c.operands[0]);
	status = ctl_ask(&answer, &c, given, json_pack("{s:s}", "command", "rotate"));
	if (status != CLI_GO)
		return status;
	json_int_t wanted = json_integer_value(json_object_get(answer, "rotation")),
		   have = 0;
	json_decref(answer);
	int64_t end = cli_now_ms() + CONTROL_TIMEOUT_S * 1000;
	while ((status = rotations(&have, &c, given)) == CLI_GO && have < wanted) {
		if (cli_now_ms() > end)
			return cli_no("the segment is not ended yet: see \"hits\" in "
				      "\"sinkholectl status\"");
		nanosleep(&pause, NULL);
	}
	return status == CLI_GO ? CLI_DONE : status;
}

static const struct cli_command commands[] = {
	{"status", "", "What is running, and how it does", status_command},
	{"stats", "", "All counters since the start", stats_command},
	{"flush", "[NAME]", "Forgets what is cached: of a name, or everything",
	 flush_command},
	{"reload", "", "Reads configuration and trust anchors again", reload_command},
	{"trace", "NAME [TYPE]", "Resolves a name now and shows each step",
	 trace_command},
	{"explain", "NAME|ADDRESS", "What its rules make of it, and why",
	 explain_command},
	{"anchors", "", "DNSSEC trust anchors, and what becomes of them",
	 anchors_command},
	{"nta", "add|remove ZONE | list",
	 "Negative trust anchors: zones not validated for a while", nta_command},
	{"hits", "rotate", "Ends the hit log's segment and begins another", hits_command},
	{"stop", "", "Ends sinkholed as SIGTERM does", plain_command},
	{NULL, NULL, NULL, NULL},
};

static const struct cli_program program = {
	.name = "sinkholectl",
	.help = "Talks to a running sinkholed",
	.commands = commands,
	.more = "The socket is control.sock in the runtime folder of the configuration:\n"
		"of -c FILE, else of " CLI_CONF_FILE ".\n"
		"With --state DIR it is looked for there.",
};

int main(int argc, char **argv)
{
	return cli_main(&program, argc, argv);
}
