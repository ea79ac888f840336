#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "include/blocklist_care.h"
#include "include/conf.h"
#include "include/control.h"
#include "include/feed.h"
#include "resolver/cause.h"
#include "resolver/client.h"
#include "resolver/iter.h"
#include "tools/blocklist_tool.h"
#include "tools/most.h"
#include "tools/packet.h"
#include "tools/popular.h"
#include "tools/question_line.h"

/* simulate: questions that were asked, put to the resolver's own policy with the store as
 * it is, or with a list that is not in it yet. Nothing is written but a store of its own,
 * which goes with it. Clients are counted; their addresses are shown only on demand. */

#define CANDIDATE "candidate" /* what a list is called that has no name yet */

enum {
	TOP_ROWS = 10,
	TOP_ROWS_MAX = 1000,
	LINE_MAX_BYTES = 8192, /* a longer line is no question */
	RENEW_EVERY = 4096,    /* an old view keeps pages from being used again */
	PORT = 53,
	DIR_MAX = 256,
};

struct simulate {
	struct cli cli;
	/* options */
	const char *candidate, *format, *origin, *list, *action, *popular_file;
	long top, port;
	bool clients, pcap;
	/* what judges */
	struct conf *conf;
	struct tool tool;
	struct policy policy;
	struct popular *popular;
	char dir[DIR_MAX]; /* of the store of its own; "" = none */
	/* what comes of it */
	uint64_t questions, blocked, let_through, watched, local, unreadable;
	uint64_t popular_blocked;
	uint64_t action_n[RULE_ACTION_N], list_n[BLOCKLIST_LISTS_MAX];
	struct most rules, hit_clients, names;
	/* progress */
	struct cli_progress progress;
	const volatile int *stop;
	uint64_t bytes_all;
};

/* ---- one question ---- */

static void count_rule(struct simulate *s, const struct verdict *v)
{
	struct blocklist_key key = {.prefix = v->prefix};
	char text[BLOCKLIST_RULE_TEXT_MAX];
	if (!v->prefix.addr.family)
		name_copy(key.name, v->matched);
	most_count(&s->rules, blocklist_rule_text(text, &key, v->rule.kind), v->rule.list,
		   (uint32_t)v->action);
	s->action_n[v->action]++;
	if (v->rule.list < BLOCKLIST_LISTS_MAX)
		s->list_n[v->rule.list]++;
}

static void count_popular(struct simulate *s, const uint8_t *name)
{
	char text[DNS_NAME_TEXT_MAX];
	uint32_t rank;
	if (!s->popular || !popular_is(s->popular, &rank, name))
		return;
	s->popular_blocked++;
	most_count(&s->names, name_to_text(text, name), 0, rank);
}

static void count_client(struct simulate *s, const struct addr *client)
{
	char text[ADDR_TEXT_MAX];
	if (client->family) /* a log may not tell */
		most_count(&s->hit_clients, addr_to_text(text, client), 0, 0);
}

static void count(struct simulate *s, const struct verdict *v,
		  const struct verdict *monitor, const uint8_t *name, uint16_t qtype,
		  const struct addr *client)
{
	struct local_answer a;
	s->watched += monitor->kind != VERDICT_PASS;
	if (iter_local(&a, s->conf, name, qtype) != LOCAL_NONE &&
	    !cause_overrides(v, &a)) {
		s->local++;
	} else if (v->kind == VERDICT_PASSTHRU) {
		s->let_through++;
	} else if (v->kind == VERDICT_ACT) {
		s->blocked++;
		count_rule(s, v);
		count_popular(s, name);
		count_client(s, client);
	}
}

static int put_question(struct simulate *s, const uint8_t *name, uint16_t qtype,
			const struct addr *client)
{
	struct verdict v, monitor = {.kind = VERDICT_PASS};
	struct policy_subject subject = {.class = POLICY_ALL, .client = *client};
	int err = ERR_OK;
	if (s->questions++ % RENEW_EVERY == 0) {
		err = blocklist_view_renew(s->tool.view);
		s->policy.stamp = blocklist_view_stamp(s->tool.view);
	}
	if (!err && client->family)
		err = client_class(&subject.class, s->tool.view, client);
	if (!err)
		err = policy_name(&v, &monitor, &s->policy, &subject, name);
	if (!err)
		count(s, &v, &monitor, name, qtype, client);
	return err;
}

static bool look_around(struct simulate *s, FILE *f)
{
	off_t at = s->bytes_all ? ftello(f) : 0;
	if (s->questions % RENEW_EVERY == 0)
		cli_progress_at(&s->progress, s->bytes_all ? (uint64_t)at : s->questions,
				s->bytes_all);
	return !*s->stop;
}

/* ---- the two kinds of input ---- */

static int read_lines(struct simulate *s, FILE *f)
{
	char line[LINE_MAX_BYTES];
	struct question_line q;
	int err = ERR_OK;
	while (!err && look_around(s, f) && fgets(line, sizeof line, f)) {
		size_t n = strcspn(line, "\n");
		/* What does not fit is dropped with its end. */
		bool cut = n == sizeof line - 1;
		for (int c = 0; cut && c != '\n' && c != EOF;)
			c = getc(f);
		enum question_line_is is =
			cut ? QUESTION_LINE_BAD : question_line_read(&q, line, n);
		s->unreadable += is == QUESTION_LINE_BAD;
		if (is == QUESTION_LINE_GOOD)
			err = put_question(s, q.name, DNS_A, &q.client);
	}
	return err;
}

/* Only questions are looked at, and only their names and who asked. */
static int read_packets(struct simulate *s, FILE *f)
{
	char why[PCAP_ERRBUF_SIZE];
	struct packet_question q[PACKET_QUESTIONS_MAX];
	struct pcap_pkthdr *head;
	const u_char *frame;
	int got, err = ERR_OK;
	pcap_t *p = pcap_fopen_offline(f, why);
	if (!p) {
		fclose(f);
		return cli_fail("%s: %s", s->cli.operands[0], why);
	}
	int link = pcap_datalink(p);
	if (!packet_link_known(link)) {
		pcap_close(p);
		return cli_fail("%s: captured on a link of type %d, which is not read; "
				"Ethernet, Linux cooked and raw IP are",
				s->cli.operands[0], link);
	}
	while (!err && look_around(s, f) && (got = pcap_next_ex(p, &head, &frame)) == 1) {
		int n = packet_read(q, link, (uint16_t)s->port, frame, head->caplen);
		for (int i = 0; !err && i < n; i++)
			err = put_question(s, q[i].name, q[i].qtype, &q[i].client);
	}
	if (!err && !*s->stop && got != PCAP_ERROR_BREAK)
		cli_no("%s: %s; what stands before that was read", s->cli.operands[0],
		       pcap_geterr(p));
	pcap_close(p); /* and f */
	return err;
}

/* The first bytes of a capture of libpcap's, in either byte order, or of a pcapng. */
static bool is_capture(FILE *f)
{
	static const uint8_t magic[][4] = {{0xd4, 0xc3, 0xb2, 0xa1},
					   {0xa1, 0xb2, 0xc3, 0xd4},
					   {0x4d, 0x3c, 0xb2, 0xa1},
					   {0xa1, 0xb2, 0x3c, 0x4d},
					   {0x0a, 0x0d, 0x0d, 0x0a}};
	uint8_t head[4];
	bool is = false;
	if (fseeko(f, 0, SEEK_CUR) || fread(head, 1, sizeof head, f) != sizeof head) {
		rewind(f);
		return false;
	}
	for (size_t i = 0; i < sizeof magic / sizeof *magic; i++)
		is = is || memcmp(head, magic[i], sizeof head) == 0;
	rewind(f);
	return is;
}

static int read_input(struct simulate *s)
{
	const char *path = s->cli.operands[0];
	struct stat st;
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (!f || fstat(fileno(f), &st))
		return cli_fail("cannot read %s: %m", path);
	if (S_ISDIR(st.st_mode)) {
		fclose(f);
		return cli_fail("%s is a folder", path);
	}
	s->bytes_all = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	bool capture = s->pcap || (S_ISREG(st.st_mode) && is_capture(f));
	cli_progress_start(&s->progress, "asking");
	int err = capture ? read_packets(s, f) : read_lines(s, f);
	bool broken = !capture && ferror(f);
	cli_progress_end(&s->progress);
	if (!capture)
		fclose(f);
	if (err > 0)
		return err;
	if (err)
		return cli_fail("cannot read the store: %s", err_text(err));
	return broken ? cli_fail("cannot read %s to its end", path) : CLI_GO;
}

/* ---- the store to ask ---- */

static int make_dir(struct simulate *s)
{
	const char *tmp = getenv("TMPDIR");
	char sub[DIR_MAX + 16];
	int n = snprintf(s->dir, sizeof s->dir, "%s/sinkhole-simulate-XXXXXX",
			 tmp && *tmp ? tmp : "/var/tmp");
	if (n < 0 || (size_t)n >= sizeof s->dir || !mkdtemp(s->dir)) {
		s->dir[0] = 0;
		return cli_fail("cannot make a temporary folder: %m");
	}
	snprintf(sub, sizeof sub, "%s/" CONTROL_BLOCKLIST_DIR, s->dir);
	return mkdir(sub, 0700) ? cli_fail("cannot make %s: %m", sub) : CLI_GO;
}

static void remove_dir(struct simulate *s)
{
	static const char *const files[] = {"data.mdb", "lock.mdb", "lists.lock",
					    "changes.jsonl", "popular.index"};
	char path[DIR_MAX + 64];
	if (!*s->dir)
		return;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "%s/" CONTROL_BLOCKLIST_DIR "/%s", s->dir,
			 files[i]);
		unlink(path);
	}
	snprintf(path, sizeof path, "%s/" CONTROL_BLOCKLIST_DIR, s->dir);
	rmdir(path);
	rmdir(s->dir);
}

/* The lists that stand, so that the candidate is judged among them. */
static int copy_store(struct simulate *s)
{
	char file[DIR_MAX + 64];
	struct tool now;
	int status = tool_open(&now, &s->cli, BLOCKLIST_READ);
	if (status != CLI_GO)
		return status;
	snprintf(file, sizeof file, "%s/" CONTROL_BLOCKLIST_DIR "/data.mdb", s->dir);
	int err = blocklist_copy(now.bl, file);
	tool_close(&now);
	return err ? cli_fail_file(file, "write", err) : CLI_GO;
}

/* As the list would be imported; what an import would refuse is what is to be seen. */
static int import_candidate(struct simulate *s)
{
	extern char **environ;
	posix_spawn_file_actions_t actions;
	const char *argv[24] = {
		program_invocation_name,	 "import",   "--state",	 s->dir,
		"--force=shrink,growth,popular", "--reason", "simulate", "--list",
		s->list ? s->list : CANDIDATE};
	int n = 9, code, status;
	const char *const pairs[][2] = {{"--format", s->format},
					{"--origin", s->origin},
					{"--action", s->action},
					{"-c", s->cli.conf_file}};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (pairs[i][1])
			argv[n++] = pairs[i][0], argv[n++] = pairs[i][1];
	argv[n++] = s->candidate;
	pid_t pid;
	if (posix_spawn_file_actions_init(&actions))
		return cli_fail("out of memory");
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY,
					 0);
	code = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, (void *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (code)
		return cli_fail("cannot start the import: %s", strerror(code));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return cli_fail("the import was lost: %m");
	if (WIFEXITED(status) && WEXITSTATUS(status) == CLI_DONE)
		return CLI_GO;
	return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAULT;
}

static int open_store(struct simulate *s)
{
	struct cli own = s->cli;
	if (!s->candidate)
		return tool_open(&s->tool, &s->cli, BLOCKLIST_READ);
	int status = make_dir(s);
	if (status == CLI_GO && s->list)
		status = copy_store(s);
	if (status == CLI_GO)
		status = import_candidate(s);
	own.state = s->dir;
	return status == CLI_GO ? tool_open(&s->tool, &own, BLOCKLIST_READ) : status;
}

static int open_popular(struct simulate *s)
{
	char error[POPULAR_ERROR_MAX];
	const char *file = s->popular_file ? s->popular_file : s->conf->gates.popular;
	if (!*file)
		return CLI_GO;
	return popular_open(&s->popular, file, s->tool.dir, error) ? cli_fail("%s", error)
								   : CLI_GO;
}

/* ---- what came of it ---- */

static double share(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static const char *list_name(const struct simulate *s, uint32_t id)
{
	const struct blocklist_list *l = blocklist_list(s->tool.view, (uint16_t)id);
	return l ? l->name : "?";
}

static json_t *top_json(struct simulate *s, struct most *m, const char *what, bool rules,
			bool ranks)
{
	const struct most_item *top[TOP_ROWS_MAX];
	int n = most_top(m, top, (int)s->top);
	json_t *all = json_array();
	for (int i = 0; i < n; i++) {
		json_t *o = json_pack("{so sI}", what, cli_json_text(top[i]->text),
				      "hits", (json_int_t)top[i]->count);
		if (top[i]->over)
			json_object_set_new(o, "too_many_at_most",
					    json_integer((json_int_t)top[i]->over));
		if (rules) {
			json_object_set_new(o, "list",
					    json_string(list_name(s, top[i]->list)));
			json_object_set_new(o, "action",
					    json_string(rule_action_text(
						    (enum rule_action)top[i]->rank)));
		}
		if (ranks)
			json_object_set_new(o, "rank",
					    top[i]->rank ? json_integer(top[i]->rank)
							 : json_null());
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *sums_json(const struct simulate *s, bool by_list)
{
	json_t *o = json_object();
	for (unsigned i = 0; by_list && i < BLOCKLIST_LISTS_MAX; i++)
		if (s->list_n[i])
			json_object_set_new(o, list_name(s, i),
					    json_integer((json_int_t)s->list_n[i]));
	for (unsigned i = 0; !by_list && i < RULE_ACTION_N; i++)
		if (s->action_n[i])
			json_object_set_new(o, rule_action_text((enum rule_action)i),
					    json_integer((json_int_t)s->action_n[i]));
	return o;
}

static void print_json(struct simulate *s)
{
	json_t *o = json_pack(
		"{sI sI sf sI sI sI sI sI sb sI sb}", "questions",
		(json_int_t)s->questions, "blocked", (json_int_t)s->blocked, "percent",
		share(s->blocked, s->questions), "passthru", (json_int_t)s->let_through,
		"monitored", (json_int_t)s->watched, "local", (json_int_t)s->local,
		"unreadable", (json_int_t)s->unreadable, "clients",
		(json_int_t)s->hit_clients.distinct, "clients_more", s->hit_clients.full,
		"rules", (json_int_t)s->rules.distinct, "rules_more", s->rules.full);
	json_object_set_new(o, "by_action", sums_json(s, false));
	json_object_set_new(o, "by_list", sums_json(s, true));
	json_object_set_new(o, "top_rules", top_json(s, &s->rules, "rule", true, false));
	json_object_set_new(o, "popular", json_integer((json_int_t)s->popular_blocked));
	json_object_set_new(o, "top_popular",
			    top_json(s, &s->names, "name", false, true));
	if (s->clients)
		json_object_set_new(o, "top_clients",
				    top_json(s, &s->hit_clients, "client", false, false));
	cli_json(o);
}

static void print_count(const char *what, uint64_t n)
{
	char text[CLI_COUNT_TEXT_MAX];
	printf("  %-28s %12s\n", what, cli_count_text(text, n));
}

static void print_top(struct simulate *s, struct most *m, const char *heading, bool rules)
{
	const struct most_item *top[TOP_ROWS_MAX];
	char text[MOST_TEXT_MAX], number[CLI_COUNT_TEXT_MAX];
	int n = most_top(m, top, (int)s->top);
	if (n)
		printf("%s\n", heading);
	for (int i = 0; i < n; i++) {
		printf("  %-40s %12s", cli_clean(text, sizeof text, top[i]->text),
		       cli_count_text(number, top[i]->count));
		if (rules)
			printf("  %s, %s", list_name(s, top[i]->list),
			       rule_action_text((enum rule_action)top[i]->rank));
		else if (top[i]->rank)
			printf("  rank %u", top[i]->rank);
		printf("\n");
	}
}

static void print_text(struct simulate *s)
{
	char number[CLI_COUNT_TEXT_MAX];
	printf("%s questions\n", cli_count_text(number, s->questions));
	print_count("blocked", s->blocked);
	printf("  %-28s %11.4f %%\n", "of all", share(s->blocked, s->questions));
	print_count(s->hit_clients.full ? "clients, at least" : "clients",
		    s->hit_clients.distinct);
	print_count(s->rules.full ? "rules, at least" : "rules", s->rules.distinct);
	if (s->popular)
		print_count("of popular names", s->popular_blocked);
	print_count("let through by a rule", s->let_through);
	print_count("watched by a rule", s->watched);
	print_count("local names", s->local);
	if (s->unreadable)
		print_count("lines that are no question", s->unreadable);
	for (unsigned i = 0; i < BLOCKLIST_LISTS_MAX; i++)
		if (s->list_n[i])
			printf("  list %-23s %12s\n", list_name(s, i),
			       cli_count_text(number, s->list_n[i]));
	print_top(s, &s->rules, "rules that block most", true);
	print_top(s, &s->names, "popular names among what is blocked", false);
	if (s->clients)
		print_top(s, &s->hit_clients, "clients that are blocked most", false);
}

/* ---- the command ---- */

static int run(struct simulate *s)
{
	int status = cli_conf(&s->conf, &s->cli);
	if (status == CLI_GO &&
	    (most_init(&s->rules) || most_init(&s->hit_clients) || most_init(&s->names)))
		status = cli_fail("out of memory");
	if (status == CLI_GO)
		status = open_store(s);
	if (status != CLI_GO)
		return status;
	s->policy = (struct policy){.view = s->tool.view,
				    .now_s = (uint32_t)time(NULL),
				    .default_action = s->conf->sinkhole.action};
	status = open_popular(s);
	if (status == CLI_GO)
		status = read_input(s);
	if (status != CLI_GO)
		return status;
	if (*s->stop)
		cli_no("interrupted: this is what was read until then");
	if (s->cli.json)
		print_json(s);
	else
		print_text(s);
	return *s->stop ? CLI_NO : CLI_DONE;
}

int tool_simulate(const struct cli_command *self, int argc, char **argv)
{
	struct simulate *s = calloc(1, sizeof *s);
	if (!s)
		return cli_fail("out of memory");
	s->top = TOP_ROWS;
	s->port = PORT;
	s->tool.record_fd = -1;
	const struct cli_option options[] = {
		{"candidate", CLI_TEXT, &s->candidate, "FILE",
		 "a list to judge by, instead of the store", 0, 0},
		{"list", CLI_TEXT, &s->list, "NAME",
		 "with a candidate: beside the store's lists, in place of that one", 0,
		 0},
		{"format", CLI_TEXT, &s->format, "FORMAT", "of the candidate", 0, 0},
		{"origin", CLI_TEXT, &s->origin, "ZONE", "of the candidate", 0, 0},
		{"action", CLI_TEXT, &s->action, "ACTION", "of the candidate", 0, 0},
		{"popular", CLI_TEXT, &s->popular_file, "FILE",
		 "popular names, instead of the configuration's", 0, 0},
		{"top", CLI_NUMBER, &s->top, "N", "rows of each kind (10)", 1,
		 TOP_ROWS_MAX},
		{"clients", CLI_FLAG, &s->clients, NULL,
		 "show the addresses that are blocked most", 0, 0},
		{"pcap", CLI_FLAG, &s->pcap, NULL, "a capture comes from a pipe", 0, 0},
		{"port", CLI_NUMBER, &s->port, "N", "where the resolver was asked (53)",
		 1, UINT16_MAX},
		{0},
	};
	int status = cli_parse(&s->cli, self, options, 1, 1, argc, argv);
	if (status == CLI_GO && !s->candidate &&
	    (s->list || s->format || s->origin || s->action))
		status = cli_fail("--list, --format, --origin and --action are about a "
				  "--candidate FILE");
	s->stop = cli_catch_interrupt();
	if (status == CLI_GO)
		status = run(s);
	tool_close(&s->tool);
	remove_dir(s);
	popular_close(s->popular);
	most_fini(&s->rules);
	most_fini(&s->hit_clients);
	most_fini(&s->names);
	conf_free(s->conf);
	free(s);
	return status;
}
