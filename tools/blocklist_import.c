#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "include/control.h"
#include "tools/blocklist_gate.h"
#include "tools/blocklist_seen.h"
#include "tools/blocklist_tool.h"
#include "tools/list_conf.h"

/* import, check and diff: one reading of the input, three things to do with it. */

#define FORMATS "auto, domains, hosts, csv, rpz, adblock, stix, misp, warninglist"
#define FORCES                                                                       \
	"shrink, growth, empty, popular, own, never-block, suffix, private-suffix, " \
	"single-label, arpa, wide, reserved, exception"
/* What --force alone lifts: every gate. An exception is no gate: it frees names. */
#define GATES                                                                \
	"shrink,growth,empty,popular,own,never-block,suffix,private-suffix," \
	"single-label,arpa,wide,reserved"

/* Lines shown for each reason: of mistakes enough to see what is meant, of what the gate
 * says no to as many as a person reads, and a program takes. */
enum {
	EXAMPLES = 3,
	EXAMPLES_GATE = 20,
	EXAMPLES_JSON = 1000,
};

struct example {
	const char *file;
	uint64_t line;
	char text[FEED_TEXT_MAX], why[FEED_TEXT_MAX]; /* why may be empty */
};

struct skipped {
	uint64_t count;
	struct example *example;
	uint64_t examples;
};

struct job {
	struct cli cli;
	const char *list;
	/* options */
	const char *format, *action, *origin, *family, *reason, *public_text, *columns;
	const char *popular;
	long precedence, max_shrink, max_growth;
	int64_t lease_s;
	const char *force_text; /* NULL: not given */
	bool exact, ports, family_from_file, never_block, summary;
	bool force_shrink, force_growth, force_empty;
	struct feed_options feed;
	struct blocklist_list_set set;
	uint8_t garden[DNS_NAME_MAX]; /* of set */
	struct conf *conf;
	const struct conf_list *known; /* the list as the configuration has it, or NULL */
	char zone[DNS_NAME_TEXT_MAX];  /* of it */
	/* what is going on */
	struct tool tool;
	struct blocklist_import *im; /* NULL in check */
	struct gate gate;
	bool gated;  /* gate is open */
	int put_err; /* what the store said to an item */
	struct seen seen;
	const char *file;			      /* being read */
	uint64_t file_bytes, bytes_before, bytes_all; /* bytes_all 0: there is a pipe */
	const volatile int *stop;
	struct cli_progress progress;
	int64_t start_ms;
	/* what came of it */
	enum feed_format found;
	bool mixed; /* files of several formats */
	uint32_t serial;
	uint64_t lines, ignored, accepted, data; /* data: of the accepted, local data */
	struct skipped skipped[FEED_SKIP_N];
	struct blocklist_changes changes;
	const char *refused; /* the gate that said no, as --force calls it */
};

/* ---- reading ---- */

/* A report without a line is better than no import: out of memory is no fault here. */
static struct example *next_example(struct skipped *s, enum feed_skip why)
{
	uint64_t room = feed_skip_forcible(why) ? EXAMPLES_JSON : EXAMPLES;
	if (s->examples >= room)
		return NULL;
	if (!(s->examples & (s->examples - 1))) { /* grows at powers of two */
		size_t n = s->examples ? 2 * (size_t)s->examples : 1;
		struct example *more = realloc(s->example, n * sizeof *more);
		if (!more)
			return NULL;
		s->example = more;
	}
	return &s->example[s->examples++];
}

static void note_skip(struct job *j, enum feed_skip why, uint64_t line, const char *text,
		      const char *more)
{
	struct skipped *s = &j->skipped[why];
	struct example *e = next_example(s, why);
	s->count++;
	if (!e)
		return;
	e->file = j->file;
	e->line = line;
	snprintf(e->text, sizeof e->text, "%s", text);
	snprintf(e->why, sizeof e->why, "%s", more);
}

/* Whether the rule is left out. One that is popular is not: all of the import is. */
static bool stopped_at_gate(struct job *j, const struct blocklist_item *item,
			    uint64_t line)
{
	char text[BLOCKLIST_RULE_TEXT_MAX];
	int why = j->gated ? gate_item(&j->gate, item, j->feed.force) : FEED_WORD;
	if (why == FEED_WORD)
		return false;
	note_skip(j, (enum feed_skip)why, line,
		  blocklist_rule_text(text, &item->key, item->kind), j->gate.why);
	return why != FEED_SKIP_POPULAR;
}

static int on_item(void *arg, const struct blocklist_item *item, uint64_t line)
{
	struct job *j = arg;
	if (*j->stop)
		return ERR_STOPPED;
	if (stopped_at_gate(j, item, line))
		return 0;
	bool marker = blocklist_is_marker(&item->key, item->kind);
	enum seen_as as = seen_put(&j->seen, item);
	bool left_out = as == SEEN_DUPLICATE || as == SEEN_BESIDE;
	if (left_out && !marker) {
		char text[BLOCKLIST_RULE_TEXT_MAX];
		note_skip(j, as == SEEN_BESIDE ? FEED_SKIP_BESIDE : FEED_SKIP_DUPLICATE,
			  line, blocklist_rule_text(text, &item->key, item->kind), "");
	}
	j->accepted += !left_out && !marker;
	j->data += !left_out && item->action == RULE_LOCAL_DATA;
	if (j->im)
		j->put_err = blocklist_import_put(j->im, item);
	return j->put_err;
}

static int on_skip(void *arg, enum feed_skip why, uint64_t line, const char *text)
{
	struct job *j = arg;
	note_skip(j, why, line, text, "");
	return *j->stop ? ERR_STOPPED : 0;
}

/* Over all files; a file's own position may count it twice, so only its share is used. */
static int on_position(void *arg, const struct feed_position *at)
{
	struct job *j = arg;
	if (j->bytes_all && at->total_bytes) {
		double share = (double)at->bytes / (double)at->total_bytes;
		cli_progress_at(&j->progress,
				j->bytes_before +
					(uint64_t)(share * (double)j->file_bytes),
				j->bytes_all);
	} else {
		cli_progress_at(&j->progress, j->lines + at->line, 0);
	}
	return *j->stop ? ERR_STOPPED : 0;
}

static uint64_t size_of(const char *path)
{
	struct stat st;
	bool file = strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
	return file ? (uint64_t)st.st_size : 0;
}

static void size_all(struct job *j)
{
	for (int i = 0; i < j->cli.operands_n; i++) {
		uint64_t n = size_of(j->cli.operands[i]);
		if (!n && strcmp(j->cli.operands[i], "-") == 0) {
			j->bytes_all = 0;
			return;
		}
		j->bytes_all += n;
	}
}

/* "lists/emotet.txt" is about emotet. */
static const char *family_of(const char *path, char *out, size_t size)
{
	const char *base = strrchr(path, '/');
	base = base ? base + 1 : path;
	const char *dot = strrchr(base, '.');
	size_t n = dot && dot != base ? (size_t)(dot - base) : strlen(base);
	snprintf(out, size, "%.*s", (int)n, base);
	return out;
}

static int read_failed(struct job *j, const struct feed_result *r, int err)
{
	if (err == ERR_STOPPED)
		return cli_no("interrupted: nothing was changed; the same command does "
			      "the whole work");
	if (j->put_err)
		return tool_fail(&j->tool, j->list, j->put_err);
	const char *text = r->error[0] ? r->error : err_text(err);
	return cli_fail("%s%s", text, j->im ? "; nothing was changed" : "");
}

static int read_file(struct job *j, const char *path, bool first)
{
	const struct feed_callbacks cb = {on_item, on_skip, on_position, j};
	struct feed_result r;
	char family[BLOCKLIST_WORD_MAX];
	struct feed_options options = j->feed;
	j->file = path;
	j->file_bytes = size_of(path);
	if (j->family_from_file && strcmp(path, "-") != 0)
		options.family = family_of(path, family, sizeof family);
	int err = feed_read(&r, path, &options, &cb);
	j->bytes_before += j->file_bytes;
	j->lines += r.lines;
	j->ignored += r.ignored;
	j->serial = r.serial ? r.serial : j->serial;
	j->mixed = j->mixed || (!first && r.format != j->found);
	j->found = r.format;
	if (!err)
		return CLI_GO;
	cli_progress_end(&j->progress);
	return read_failed(j, &r, err);
}

static int read_files(struct job *j)
{
	int status = CLI_GO;
	size_all(j);
	cli_progress_start(&j->progress, "reading");
	for (int i = 0; i < j->cli.operands_n && status == CLI_GO; i++)
		status = read_file(j, j->cli.operands[i], i == 0);
	cli_progress_end(&j->progress);
	return status;
}

/* ---- the summary ---- */

static double seconds(const struct job *j)
{
	return (double)(cli_now_ms() - j->start_ms) / 1000;
}

static const char *format_text(const struct job *j)
{
	return j->mixed ? "several formats" : feed_format_text(j->found);
}

static void print_count(const char *what, uint64_t n)
{
	char count[CLI_COUNT_TEXT_MAX];
	printf("  %-28s %12s\n", what, cli_count_text(count, n));
}

static void print_example(const struct job *j, const struct example *e)
{
	char text[FEED_TEXT_MAX];
	cli_clean(text, sizeof text, e->text);
	if (j->cli.operands_n > 1)
		printf("      %s:", e->file);
	else
		printf("      line ");
	printf("%llu: %s", (unsigned long long)e->line, text);
	printf(*e->why ? " (%s)\n" : "\n", e->why);
}

static void print_skipped(const struct job *j, enum feed_skip why)
{
	const struct skipped *s = &j->skipped[why];
	uint64_t shown = feed_skip_forcible(why) ? EXAMPLES_GATE : EXAMPLES;
	if (!s->count)
		return;
	print_count(feed_skip_text(why), s->count);
	if (feed_skip_forcible(why))
		printf("      --force=%s takes them nevertheless\n", feed_skip_key(why));
	for (uint64_t i = 0; i < s->examples && i < shown; i++)
		print_example(j, &s->example[i]);
	if (s->count > shown && feed_skip_forcible(why))
		printf("      and more; --json names %d\n", EXAMPLES_JSON);
}

static void print_summary(const struct job *j)
{
	char count[CLI_COUNT_TEXT_MAX];
	uint64_t left_out = 0;
	for (int why = 0; why < FEED_SKIP_POPULAR; why++)
		left_out += j->skipped[why].count;
	printf("%s lines read as %s\n", cli_count_text(count, j->lines), format_text(j));
	print_count("accepted", j->accepted);
	if (j->data)
		print_count("  of these, local data", j->data);
	print_count("comments and empty lines", j->ignored);
	if (left_out)
		printf("left out, or listed before\n");
	for (int why = 0; why < FEED_SKIP_POPULAR; why++)
		print_skipped(j, (enum feed_skip)why);
	if (j->skipped[FEED_SKIP_POPULAR].count)
		printf("not to be imported\n");
	print_skipped(j, FEED_SKIP_POPULAR);
}

static void print_changes(const struct job *j)
{
	printf("list %s\n", j->list);
	print_count("added", j->changes.added);
	print_count("changed", j->changes.changed);
	print_count("removed", j->changes.removed);
	print_count("unchanged", j->changes.unchanged);
	if (j->changes.cut)
		print_count("local data over 1,024 bytes", j->changes.cut);
	printf("done in %.1f s\n", seconds(j));
}

static json_t *example_json(const struct example *e)
{
	json_t *o = json_pack("{so sI so}", "file", cli_json_text(e->file), "line",
			      (json_int_t)e->line, "text", cli_json_text(e->text));
	if (*e->why)
		json_object_set_new(o, "why", cli_json_text(e->why));
	return o;
}

static json_t *skips_json(const struct job *j)
{
	json_t *all = json_object();
	for (int why = 0; why < FEED_SKIP_N; why++) {
		const struct skipped *s = &j->skipped[why];
		if (!s->count)
			continue;
		json_t *examples = json_array();
		for (uint64_t i = 0; i < s->examples; i++)
			json_array_append_new(examples, example_json(&s->example[i]));
		json_object_set_new(all, feed_skip_key((enum feed_skip)why),
				    json_pack("{sI so}", "count", (json_int_t)s->count,
					      "examples", examples));
	}
	return all;
}

static json_t *changes_json(const struct job *j)
{
	return json_pack("{sI sI sI sI sI}", "cut", (json_int_t)j->changes.cut, "added",
			 (json_int_t)j->changes.added, "changed",
			 (json_int_t)j->changes.changed, "removed",
			 (json_int_t)j->changes.removed, "unchanged",
			 (json_int_t)j->changes.unchanged);
}

static json_t *summary_json(const struct job *j)
{
	return json_pack("{ss sI sI sI sI so so}", "format",
			 j->mixed ? "several" : feed_format_text(j->found), "lines",
			 (json_int_t)j->lines, "accepted", (json_int_t)j->accepted,
			 "local_data", (json_int_t)j->data, "ignored",
			 (json_int_t)j->ignored, "skipped", skips_json(j), "refused",
			 cli_json_text_or_null(j->refused ? j->refused : ""));
}

/* ---- the safety gate ---- */

static int refuse(struct job *j, const char *gate, const char *why)
{
	j->refused = gate;
	return cli_no("%s: it was left as it was; \"diff\" shows the changes; when this "
		      "is right, add --force=%s --reason TEXT",
		      why, gate);
}

/* Of so much at once. */
static int judge(void *arg, const struct blocklist_list *was,
		 const struct blocklist_changes *changes)
{
	struct job *j = arg;
	char why[GATE_WHY_MAX];
	enum gate_share s = gate_share(&j->gate, why, was, changes);
	bool emptied = !j->accepted && j->force_empty;
	if (s == GATE_SHRINKS && !j->force_shrink && !emptied)
		refuse(j, "shrink", why);
	else if (s == GATE_GROWS && !j->force_growth)
		refuse(j, "growth", why);
	return j->refused ? ERR_REFUSED : ERR_OK;
}

/* What the numbers tell before anything is compared: a broken file is refused early. */
static int judge_early(struct job *j)
{
	struct blocklist_changes c = {0};
	if (blocklist_view_renew(j->tool.view) != ERR_OK)
		return CLI_GO;
	const struct blocklist_list *l = blocklist_list_named(j->tool.view, j->list);
	uint64_t was = l ? l->names + l->addresses : 0, then = j->seen.distinct;
	c.removed = then < was ? was - then : 0;
	c.added = then > was ? then - was : 0;
	bool refused = l && judge(j, l, &c) != ERR_OK;
	/* A snapshot held through a long import would keep pages from being used again.
	 */
	blocklist_view_reset(j->tool.view);
	return refused ? CLI_NO : CLI_GO;
}

static int gate(struct job *j)
{
	uint64_t popular = j->skipped[FEED_SKIP_POPULAR].count;
	char why[GATE_WHY_MAX], count[CLI_COUNT_TEXT_MAX];
	if (popular) {
		snprintf(why, sizeof why,
			 "%s rules for list %s would block popular names",
			 cli_count_text(count, popular), j->list);
		return refuse(j, "popular", why);
	}
	if (j->accepted)
		return judge_early(j);
	if (j->force_empty)
		return CLI_GO;
	j->refused = "empty";
	return cli_no("nothing in the input can be listed: list %s was left as it was; "
		      "is this the right file, and the right --format? To empty the "
		      "list, add --force=empty --reason TEXT",
		      j->list);
}

/* ---- options ---- */

/* One word of --force: a check of the whole list, or a reason to leave lines out. */
static bool force_word(struct job *j, const char *word, size_t len)
{
	if (len == strlen("shrink") && !memcmp(word, "shrink", len))
		return j->force_shrink = true;
	if (len == strlen("growth") && !memcmp(word, "growth", len))
		return j->force_growth = true;
	if (len == strlen("empty") && !memcmp(word, "empty", len))
		return j->force_empty = true;
	for (int why = 0; why < FEED_SKIP_N; why++) {
		const char *key = feed_skip_key((enum feed_skip)why);
		if (!feed_skip_forcible((enum feed_skip)why) || strlen(key) != len ||
		    memcmp(word, key, len) != 0)
			continue;
		j->feed.force |= FEED_FORCE(why);
		return true;
	}
	return false;
}

static int read_force(struct job *j)
{
	const char *text = j->force_text;
	if (!text)
		return CLI_GO;
	if (!j->reason || !*j->reason)
		return cli_fail("--force needs --reason TEXT: it is recorded with the "
				"change");
	text = *text ? text : GATES;
	while (*text) {
		size_t len = strcspn(text, ",");
		if (!force_word(j, text, len))
			return cli_fail("--force takes " FORCES
					", with commas between, not "
					"\"%.*s\"",
					(int)len, text);
		text += len + (text[len] == ',');
	}
	return CLI_GO;
}

/* How to read a list that the configuration knows, where no option says otherwise. */
static int ask_conf(struct job *j)
{
	int status = cli_conf(&j->conf, &j->cli);
	if (status == CLI_GO && j->list)
		j->known = conf_list_named(j->conf, j->list);
	const struct conf_list *l = j->known;
	if (!l)
		return status;
	if (!j->format)
		j->format = feed_format_text(l->format);
	if (!j->columns && *l->columns)
		j->columns = l->columns;
	if (!j->origin && *l->zone)
		j->origin = name_to_text(j->zone, l->zone);
	if (!j->family && *l->family)
		j->family = l->family;
	j->exact |= l->exact;
	j->ports |= l->ports;
	return CLI_GO;
}

/* The configuration's settings stand above the store's, and above options. */
static int settings_of_conf(struct job *j)
{
	int status = list_conf_allows(j->known, &j->set);
	if (status == CLI_GO && j->known)
		list_conf_set(&j->set, j->known);
	return status;
}

static int check_options(struct job *j, bool need_list)
{
	int status = ask_conf(j);
	if (status != CLI_GO)
		return status;
	int format = feed_format_from_text(j->format ? j->format : "auto");
	uint8_t origin[DNS_NAME_MAX];
	if (format < 0)
		return cli_fail("--format takes " FORMATS ", not \"%s\"", j->format);
	if (j->columns && !feed_columns_good(j->columns))
		return cli_fail("--columns takes name=HEADING, and with commas between "
				"family, category, confidence, added, expires, source, "
				"reference, reason, authority and type");
	if (need_list && !j->list)
		return cli_fail("%s needs --list NAME", j->cli.command);
	if (j->origin && name_from_str(origin, j->origin))
		return cli_fail("--origin takes a zone's name, not \"%s\"", j->origin);
	if (j->public_text && strlen(j->public_text) >= BLOCKLIST_PUBLIC_MAX)
		return cli_fail("--public takes at most %d bytes of text",
				BLOCKLIST_PUBLIC_MAX - 1);
	if (j->lease_s > UINT32_MAX || j->lease_s == 0)
		return cli_fail("--expires takes 1s to 136y");
	j->feed = (struct feed_options){
		.format = (enum feed_format)format,
		.origin = j->origin,
		.family = j->family,
		.exact = j->exact,
		.ports = j->ports,
		.columns = j->columns,
		.now = (uint32_t)time(NULL),
	};
	if (j->columns && j->feed.format == FEED_AUTO)
		j->feed.format = FEED_CSV;
	if (j->never_block && j->action)
		return cli_fail("--never-block says what is done: let through; leave "
				"--action out");
	status = read_force(j);
	if (status == CLI_GO)
		status = tool_list_action(&j->set, j->garden,
					  j->never_block ? "passthru" : j->action);
	j->set.public_text = j->public_text;
	j->set.precedence = (int)j->precedence;
	j->set.ede = -1;
	j->set.lease_s = j->lease_s;
	j->set.serial = -1;
	j->set.max_shrink = (int)j->max_shrink;
	j->set.max_growth = (int)j->max_growth;
	return status == CLI_GO ? settings_of_conf(j) : status;
}

#define GATE_OPTIONS                                                          \
	{                                                                     \
		"popular", CLI_TEXT, &j->popular, "FILE",                     \
			"popular names, instead of the configuration's", 0, 0 \
	}

#define PARSE_OPTIONS                                                                   \
	{"format", CLI_TEXT, &j->format, "FORMAT", FORMATS, 0, 0},                      \
		{"origin", CLI_TEXT, &j->origin, "ZONE", "RPZ: the zone's name", 0, 0}, \
		{"exact",                                                               \
		 CLI_FLAG,                                                              \
		 &j->exact,                                                             \
		 NULL,                                                                  \
		 "names do not cover what is below them",                               \
		 0,                                                                     \
		 0},                                                                    \
		{"ports",                                                               \
		 CLI_FLAG,                                                              \
		 &j->ports,                                                             \
		 NULL,                                                                  \
		 "ADDRESS:PORT is a name server's address",                             \
		 0,                                                                     \
		 0},                                                                    \
		{"columns",                                                             \
		 CLI_TEXT,                                                              \
		 &j->columns,                                                           \
		 "ROLE=HEADING,...",                                                    \
		 "CSV: where name, family, ... stand",                                  \
		 0,                                                                     \
		 0},                                                                    \
		{"family",                                                              \
		 CLI_TEXT,                                                              \
		 &j->family,                                                            \
		 "NAME",                                                                \
		 "malware family where none is told",                                   \
		 0,                                                                     \
		 0},                                                                    \
		{"family-from-file",                                                    \
		 CLI_FLAG,                                                              \
		 &j->family_from_file,                                                  \
		 NULL,                                                                  \
		 "the family is the file's name",                                       \
		 0,                                                                     \
		 0},                                                                    \
	{                                                                               \
		"force", CLI_MAYBE, &j->force_text, "WHAT",                             \
			FORCES "; alone: all gates, not exception", 0, 0                \
	}

static struct job *job_new(void)
{
	struct job *j = calloc(1, sizeof *j);
	if (!j) {
		cli_fail("out of memory");
		return NULL;
	}
	j->precedence = -1;
	j->lease_s = -1;
	j->tool.record_fd = -1;
	j->start_ms = cli_now_ms();
	j->stop = cli_catch_interrupt();
	seen_init(&j->seen);
	return j;
}

static int job_end(struct job *j, int status)
{
	cli_progress_end(&j->progress);
	blocklist_import_close(j->im);
	if (j->gated)
		gate_close(&j->gate);
	tool_close(&j->tool);
	conf_free(j->conf);
	seen_fini(&j->seen);
	for (int why = 0; why < FEED_SKIP_N; why++)
		free(j->skipped[why].example);
	free(j);
	return status;
}

/* A mistyped file name must not be what makes a store. */
static int files_exist(const struct job *j)
{
	for (int i = 0; i < j->cli.operands_n; i++) {
		const char *path = j->cli.operands[i];
		struct stat st;
		if (strcmp(path, "-") == 0)
			continue;
		if (stat(path, &st) != 0)
			return cli_fail("cannot read %s: %m", path);
		if (S_ISDIR(st.st_mode))
			return cli_fail("%s is a folder; name the files in it", path);
		if (access(path, R_OK) != 0)
			return cli_fail("cannot read %s: %m", path);
	}
	return CLI_GO;
}

static int start_gate(struct job *j)
{
	const struct gate_options o = {.conf = j->conf,
				       .view = j->tool.view,
				       .folder = j->tool.view ? j->tool.dir : NULL,
				       .list = j->list,
				       .action = j->set.action,
				       .precedence = j->set.precedence,
				       .popular = j->popular};
	int status = gate_open(&j->gate, &o);
	j->gated = status == CLI_GO;
	return status;
}

/* ---- check ---- */

int tool_check(const struct cli_command *self, int argc, char **argv)
{
	struct job *j = job_new();
	if (!j)
		return CLI_FAULT;
	const struct cli_option options[] = {PARSE_OPTIONS, GATE_OPTIONS, {0}};
	j->reason = "only a check";
	int status = cli_parse(&j->cli, self, options, 1, -1, argc, argv);
	if (status == CLI_GO)
		status = check_options(j, false);
	if (status == CLI_GO)
		status = files_exist(j);
	if (status == CLI_GO)
		status = start_gate(j);
	if (status == CLI_GO)
		status = read_files(j);
	if (status != CLI_GO)
		return job_end(j, status);
	if (j->cli.json)
		cli_json(summary_json(j));
	else
		print_summary(j);
	status = CLI_DONE;
	if (j->accepted == 0)
		status = cli_no(
			"nothing in the input can be listed; is this the right file, "
			"and the right --format?");
	else if (j->skipped[FEED_SKIP_POPULAR].count)
		status = cli_no("it would block popular names: an import is refused");
	return job_end(j, status);
}

/* ---- import ---- */

static void on_commit(void *arg, uint64_t done, uint64_t total)
{
	struct job *j = arg;
	cli_progress_at(&j->progress, done, total);
}

static int start_import(struct job *j)
{
	int status = tool_open(&j->tool, &j->cli, BLOCKLIST_WRITE);
	if (status == CLI_GO)
		status = start_gate(j);
	if (status != CLI_GO)
		return status;
	blocklist_view_reset(j->tool.view);
	int err = blocklist_import_open(&j->im, j->tool.bl, j->list, &j->set);
	return err ? tool_fail(&j->tool, j->list, err) : CLI_GO;
}

/* What is known only after reading: the serial, and that all of it lets through. */
static int settle(struct job *j)
{
	bool never = j->never_block || (j->found == FEED_WARNINGLIST && !j->mixed &&
					!j->action && j->accepted);
	if (blocklist_view_renew(j->tool.view) != ERR_OK)
		return CLI_GO;
	bool is_new = !blocklist_list_named(j->tool.view, j->list);
	blocklist_view_reset(j->tool.view);
	j->set.serial = j->serial ? (int64_t)j->serial : -1;
	if (never)
		j->set.action = RULE_PASSTHRU;
	if (never && is_new && j->set.precedence < 0)
		j->set.precedence = 0; /* before all others */
	blocklist_import_judge(j->im, judge, j, j->force_text != NULL);
	int err = blocklist_import_set(j->im, &j->set);
	return err ? tool_fail(&j->tool, j->list, err) : CLI_GO;
}

static int commit(struct job *j)
{
	int status = settle(j);
	if (status != CLI_GO)
		return status;
	cli_progress_start(&j->progress, "writing");
	int err = blocklist_import_commit(j->im, &j->changes, on_commit, j, j->stop);
	cli_progress_end(&j->progress);
	if (err)
		return j->refused ? CLI_NO : tool_fail(&j->tool, j->list, err);
	json_t *what = changes_json(j);
	json_object_set_new(what, "list", json_string(j->list));
	json_object_set_new(what, "file", cli_json_text(j->cli.operands[0]));
	json_object_set_new(what, "forced", json_boolean(j->force_text));
	if (j->force_text && *j->force_text)
		json_object_set_new(what, "force", cli_json_text(j->force_text));
	json_object_set_new(what, "reason",
			    cli_json_text_or_null(j->reason ? j->reason : ""));
	return tool_record(&j->tool, "import", what);
}

static void print_import(struct job *j)
{
	if (!j->cli.json) {
		print_summary(j);
		if (!j->refused)
			print_changes(j);
		return;
	}
	json_t *o = summary_json(j), *changes = changes_json(j);
	json_object_set_new(o, "list", json_string(j->list));
	json_object_update(o, changes);
	json_decref(changes);
	json_object_set_new(o, "seconds", json_real(seconds(j)));
	cli_json(o);
}

int tool_import(const struct cli_command *self, int argc, char **argv)
{
	struct job *j = job_new();
	if (!j)
		return CLI_FAULT;
	const struct cli_option options[] = {
		{"list", CLI_TEXT, &j->list, "NAME", "list that the input replaces", 0,
		 0},
		PARSE_OPTIONS,
		GATE_OPTIONS,
		{"reason", CLI_TEXT, &j->reason, "TEXT",
		 "why; must be given with --force", 0, 0},
		{"precedence", CLI_NUMBER, &j->precedence, "N",
		 "the lower number wins (new lists: 100)", 0, UINT16_MAX},
		{"action", CLI_TEXT, &j->action, "ACTION",
		 "given, address, nxdomain, nodata, refuse, drop, passthru, tcp-only, "
		 "monitor, disabled",
		 0, 0},
		{"expires", CLI_SPAN, &j->lease_s, "SPAN",
		 "lease that each import renews (new lists: 30d)", 0, 0},
		{"public", CLI_TEXT, &j->public_text, "TEXT",
		 "what clients may be told about the list", 0, 0},
		{"never-block", CLI_FLAG, &j->never_block, NULL,
		 "what the list has is let through, before other lists, for ever", 0, 0},
		{"max-shrink", CLI_NUMBER, &j->max_shrink, "PERCENT",
		 "of the list's rules that an import may take out", 1, 100},
		{"max-growth", CLI_NUMBER, &j->max_growth, "PERCENT",
		 "of the list's rules that an import may add", 1, BLOCKLIST_GROWTH_MAX},
		{0},
	};
	int status = cli_parse(&j->cli, self, options, 1, -1, argc, argv);
	if (status == CLI_GO)
		status = check_options(j, true);
	if (status == CLI_GO)
		status = files_exist(j);
	if (status == CLI_GO)
		status = start_import(j);
	if (status == CLI_GO)
		status = read_files(j);
	if (status == CLI_GO)
		status = gate(j);
	if (status == CLI_GO)
		status = commit(j);
	if (status == CLI_GO || j->refused)
		print_import(j);
	return job_end(j, status == CLI_GO ? CLI_DONE : status);
}

/* ---- diff ---- */

static int on_difference(void *arg, char how, const struct blocklist_item *item)
{
	char rule[BLOCKLIST_RULE_TEXT_MAX], data[TOOL_DATA_TEXT_MAX];
	const char *cells[] = {(const char[]){how, 0},
			       blocklist_rule_text(rule, &item->key, item->kind),
			       blocklist_kind_text(&item->key, item->kind),
			       rule_action_text((enum rule_action)item->action),
			       item->entry.family,
			       tool_data_text(data, &item->entry.data, false)};
	cli_table_row(arg, cells);
	return 0;
}

/* What an import would say to these changes. */
static int judge_all(struct job *j)
{
	int status = gate(j);
	if (status != CLI_GO || blocklist_view_renew(j->tool.view))
		return status;
	const struct blocklist_list *l = blocklist_list_named(j->tool.view, j->list);
	return l && judge(j, l, &j->changes) ? CLI_NO : CLI_DONE;
}

static int show_counts(struct job *j)
{
	const struct blocklist_changes *c = &j->changes;
	int status = judge_all(j);
	if (j->summary && j->cli.json) {
		json_t *o = summary_json(j), *changes = changes_json(j);
		json_object_update(o, changes);
		json_decref(changes);
		cli_json(o);
	} else if (j->summary || (isatty(STDOUT_FILENO) && !j->cli.json)) {
		printf("%llu to add (+), %llu to change (~), %llu to remove (-), %llu as "
		       "they are\n",
		       (unsigned long long)c->added, (unsigned long long)c->changed,
		       (unsigned long long)c->removed, (unsigned long long)c->unchanged);
	}
	return status;
}

static int show_differences(struct job *j)
{
	static const struct cli_column columns[] = {{"change", false},
						    {"rule", false},
						    {"kind", false},
						    {"action", false},
						    {"family", false},
						    {"data", false},
						    {0}};
	struct cli_table *t = j->summary ? NULL : cli_table_open(columns, j->cli.json);
	if (!t && !j->summary)
		return cli_fail("out of memory");
	int err = blocklist_import_diff(j->im, &j->changes, t ? on_difference : NULL, t);
	if (t)
		cli_table_close(t);
	return err ? tool_fail(&j->tool, j->list, err) : show_counts(j);
}

/* Nothing is written, so nothing may be made either. */
static int store_exists(const struct job *j)
{
	char dir[TOOL_PATH_MAX], path[TOOL_PATH_MAX + 16];
	int status = cli_state_path(dir, sizeof dir, &j->cli, CONTROL_BLOCKLIST_DIR);
	if (status != CLI_GO)
		return status;
	snprintf(path, sizeof path, "%s/data.mdb", dir);
	if (access(path, F_OK) == 0)
		return CLI_GO;
	return cli_fail("there is no blocklist store in %s: the first import makes one",
			dir);
}

int tool_diff(const struct cli_command *self, int argc, char **argv)
{
	struct job *j = job_new();
	if (!j)
		return CLI_FAULT;
	const struct cli_option options[] = {
		{"list", CLI_TEXT, &j->list, "NAME", "list to compare with", 0, 0},
		{"summary", CLI_FLAG, &j->summary, NULL, "only how many", 0, 0},
		PARSE_OPTIONS,
		GATE_OPTIONS,
		{0},
	};
	j->reason = "only a comparison";
	int status = cli_parse(&j->cli, self, options, 1, -1, argc, argv);
	if (status == CLI_GO)
		status = check_options(j, true);
	if (status == CLI_GO)
		status = files_exist(j);
	if (status == CLI_GO)
		status = store_exists(j);
	if (status == CLI_GO)
		status = start_import(j);
	if (status == CLI_GO)
		status = read_files(j);
	if (status == CLI_GO)
		status = show_differences(j);
	return job_end(j, status);
}
