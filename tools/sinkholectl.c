/* sinkholectl: asks a running sinkholed over its control socket. One request, one answer;
 * what they hold is told in include/control.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "include/conf.h"
#include "include/control.h"
#include "resolver/stats.h"
#include "tools/cli.h"
#include "tools/ctl_anchors.h"
#include "tools/ctl_trace.h"
#include "tools/explain_text.h"

/* ---- the socket ---- */

/* --socket, else in --state, else in the configuration's runtime folder. */
static int socket_path(char *out, size_t size, const struct cli *c, const char *given)
{
	struct conf *conf = NULL;
	const char *dir = c->state;
	if (!given && !dir) {
		int status = cli_conf(&conf, c);
		if (status != CLI_GO)
			return status;
		dir = conf->runtime;
	}
	int n = given ? snprintf(out, size, "%s", given)
		      : snprintf(out, size, "%s/%s", dir, CONTROL_SOCKET);
	conf_free(conf);
	if (n < 0 || (size_t)n >= size)
		return cli_fail("the path of the socket is too long: at most %zu "
				"characters are possible",
				size - 1);
	return CLI_GO;
}

/* Not running is an answer too: CLI_NO. */
static int cannot_connect(const char *path)
{
	int e = errno;
	switch (e) {
	case ENOENT:
		return cli_no(
			"sinkholed is not running, or elsewhere: no socket %s; start "
			"it, or name its configuration with -c FILE",
			path);
	case ECONNREFUSED:
		return cli_no("sinkholed is not running: it left %s behind when it was "
			      "killed; start it again",
			      path);
	case EACCES:
	case EPERM:
		return cli_fail("no permission for %s; use sudo, or join the group that "
				"owns it",
				path);
	case EAGAIN:
		return cli_fail("sinkholed does not take connections on %s; is it "
				"stopped or overloaded?",
				path);
	default:
		return cli_fail("cannot connect to %s: %s", path, strerror(e));
	}
}

static int dial(int *out, const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = CONTROL_TIMEOUT_S};
	memcpy(sun.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return cli_fail("no socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (connect(fd, (struct sockaddr *)&sun, sizeof sun)) {
		int status = cannot_connect(path);
		close(fd);
		return status;
	}
	*out = fd;
	return CLI_GO;
}

static int send_line(int fd, const char *text)
{
	size_t n = strlen(text), at = 0;
	while (at < n) {
		ssize_t sent = send(fd, text + at, n - at, MSG_NOSIGNAL);
		if (sent < 0)
			return ERR_IO;
		at += (size_t)sent;
	}
	return ERR_OK;
}

/* Everything until the server closes; a text to free(), or NULL with errno. */
static char *read_all(int fd)
{
	char *text = malloc(CONTROL_ANSWER_MAX + 1);
	size_t n = 0;
	ssize_t got = 1;
	while (text && n < CONTROL_ANSWER_MAX && got > 0) {
		got = read(fd, text + n, CONTROL_ANSWER_MAX - n);
		if (got < 0) {
			free(text);
			return NULL;
		}
		n += (size_t)got;
	}
	if (text)
		text[n] = 0;
	return text;
}

static int no_answer(const char *path)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return cli_fail("no answer on %s within %d s; is sinkholed stopped or "
				"overloaded?",
				path, CONTROL_TIMEOUT_S);
	return cli_fail("the connection to %s broke: %s; try again", path,
			strerror(errno));
}

static int exchange(json_t **out, int fd, const char *path, const json_t *request)
{
	char *line = json_dumps(request, JSON_COMPACT), *text = NULL;
	int status = CLI_GO;
	json_t *ok;
	*out = NULL;
	if (!line)
		return cli_fail("out of memory");
	if (send_line(fd, line) || send_line(fd, "\n") || !(text = read_all(fd))) {
		status = no_answer(path);
	} else if (!*text) {
		status =
			cli_fail("sinkholed closed the connection: it is ending, or over "
				 "%d are talking to it; try again",
				 CONTROL_CONNECTIONS_MAX);
	} else if (!(*out = json_loads(text, JSON_REJECT_DUPLICATES, NULL)) ||
		   !json_is_boolean(ok = json_object_get(*out, "ok"))) {
		status = cli_fail("what answers on %s is not sinkholed", path);
	} else if (json_is_false(ok)) {
		const char *why = json_string_value(json_object_get(*out, "error"));
		status =
			cli_fail("%s", why ? why : "sinkholed refused, without a reason");
	}
	free(line);
	free(text);
	return status;
}

/* Sends request, which it frees. CLI_GO: *out is the answer, without "ok". */
static int ask(json_t **out, const struct cli *c, const char *given, json_t *request)
{
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
	int fd = -1, status = request ? CLI_GO : cli_fail("out of memory");
	*out = NULL;
	if (status == CLI_GO)
		status = socket_path(path, sizeof path, c, given);
	if (status == CLI_GO)
		status = dial(&fd, path);
	if (status == CLI_GO)
		status = exchange(out, fd, path, request);
	if (fd >= 0)
		close(fd);
	json_decref(request);
	if (status == CLI_GO) {
		json_object_del(*out, "ok");
	} else {
		json_decref(*out);
		*out = NULL;
	}
	return status;
}

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
		status = ask(&answer, &c, given, json_pack("{s:s}", "command", "status"));
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
		status = ask(&answer, &c, given, json_pack("{s:s}", "command", "stats"));
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
	status = ask(&answer, &c, given, request);
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
	status = ask(&answer, &c, given, explain_request(&o, c.operands[0]));
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
	status = ask(&answer, &c, given, request);
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
	return status == CLI_GO
		       ? ask(answer, c, given, json_pack("{s:s}", "command", self->name))
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
	status = ask(&answer, &c, given, request);
	if (status != CLI_GO)
		return status;
	return list ? ctl_anchors_print_negative(answer, c.json) : done(&c, answer);
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
