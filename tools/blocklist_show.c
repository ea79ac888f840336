#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/blocklist_hits.h"
#include "tools/list_conf.h"

/* list, lists, stats: what there is. */

enum { ALL_LISTS = 0xffff }; /* of blocklist_walk() */

int tool_list_id(uint16_t *out, const struct tool *t, const char *name)
{
	*out = ALL_LISTS;
	if (!name)
		return CLI_GO;
	const struct blocklist_list *l = blocklist_list_named(t->view, name);
	if (!l)
		return tool_fail(t, name, ERR_NOENT);
	*out = l->id;
	return CLI_GO;
}

/* ---- list ---- */

struct walk {
	const struct tool *tool;
	struct cli_table *table;
};

static int each_listed(void *arg, const struct blocklist_key *key, const struct rule *r)
{
	struct walk *w = arg;
	const struct blocklist_list *l = blocklist_list(w->tool->view, r->list);
	struct blocklist_entry e;
	char rule[BLOCKLIST_RULE_TEXT_MAX], until[CLI_TIME_TEXT_MAX],
		data[TOOL_DATA_TEXT_MAX];
	/* Markers are the store's business. */
	if (blocklist_is_marker(key, r->kind))
		return 0;
	if (blocklist_entry_of_rule(w->tool->view, &e, r, key) != ERR_OK)
		memset(&e, 0, sizeof e);
	tool_time(until, blocklist_until(r, l));
	cli_table_row(w->table,
		      (const char *const[]){blocklist_rule_text(rule, key, r->kind),
					    blocklist_kind_text(key, r->kind),
					    l ? l->name : "?",
					    rule_action_text((enum rule_action)r->action),
					    until, e.family, e.reason, e.reference,
					    tool_data_text(data, &e.data, false)});
	return ferror(stdout) ? ERR_IO : 0;
}

int tool_list(const struct cli_command *self, int argc, char **argv)
{
	static const struct cli_column columns[] = {
		{"rule", false},   {"kind", false},
		{"list", false},   {"action", false},
		{"until", false},  {"family", false},
		{"reason", false}, {"reference", false},
		{"data", false},   {0}};
	struct cli c;
	struct tool t;
	struct walk w = {.tool = &t};
	const char *name = NULL, *reason = NULL;
	uint16_t id;
	const struct cli_option options[] = {
		{"list", CLI_TEXT, &name, "NAME", "only this list", 0, 0},
		{"reason", CLI_TEXT, &reason, "TEXT", "remove: recorded with the change",
		 0, 0},
		{0},
	};
	int status = cli_parse(&c, self, options, 0, -1, argc, argv);
	if (status == CLI_GO && c.operands_n && strcmp(c.operands[0], "set") == 0)
		return tool_list_set(&c);
	if (status == CLI_GO && c.operands_n && strcmp(c.operands[0], "remove") == 0)
		return tool_list_remove(&c, reason);
	if (status == CLI_GO && c.operands_n)
		status = cli_fail("list takes no operands but set NAME KEY=VALUE "
				  "and remove NAME");
	if (status == CLI_GO)
		status = tool_open(&t, &c, BLOCKLIST_READ);
	if (status != CLI_GO)
		return status;
	status = tool_list_id(&id, &t, name);
	if (status == CLI_GO) {
		w.table = cli_table_open(columns, c.json);
		int err =
			w.table ? blocklist_walk(t.view, id, each_listed, &w) : ERR_NOMEM;
		if (w.table)
			cli_table_close(w.table);
		status = err && err != ERR_IO
				 ? cli_fail("cannot read the store: %s", err_text(err))
				 : CLI_DONE;
	}
	tool_close(&t);
	return status;
}

/* ---- lists ---- */

/* "5m", "3h", "12d": since then; "" for never. */
static char *age_text(char out[CLI_SIZE_TEXT_MAX], uint32_t then, uint32_t now)
{
	uint32_t s = now > then ? now - then : 0;
	*out = 0;
	if (then)
		snprintf(out, CLI_SIZE_TEXT_MAX, "%u%c",
			 s < 3600    ? s / 60
			 : s < 86400 ? s / 3600
				     : s / 86400,
			 s < 3600    ? 'm'
			 : s < 86400 ? 'h'
				     : 'd');
	return out;
}

static char *number_text(char out[24], uint64_t n)
{
	snprintf(out, 24, "%llu", (unsigned long long)n);
	return out;
}

/* What lists needs besides the store. */
struct lists {
	struct cli cli;
	struct conf *conf;
	char feeds[TOOL_PATH_MAX];
	struct blocklist_hits hits;
	struct cli_table *table;
	uint32_t now;
	int stale; /* lists that are */
};

/* What came of asking a configured list's source. */
static const char *source_text(struct lists *s, struct list_state *last, const char *name,
			       uint32_t loaded)
{
	const struct conf_list *l = conf_list_named(s->conf, name);
	memset(last, 0, sizeof *last);
	if (!l)
		return "";
	/* Without the right to read it the rest is shown nevertheless. */
	if (list_state_read(last, s->feeds, name) != ERR_OK)
		snprintf(last->text, sizeof last->text, "%.200s cannot be read",
			 s->feeds);
	if (!list_conf_stale(l, last, loaded, s->now))
		return list_result_text(last->result);
	s->stale++;
	return "stale";
}

static void list_row(struct lists *s, const struct blocklist_list *l)
{
	const struct blocklist_hits *hits = &s->hits;
	const uint32_t now = s->now;
	struct list_state last;
	const char *result = source_text(s, &last, l->name, l->loaded);
	char precedence[24], names[24], addresses[24], serial[24], hit[24];
	char loaded[CLI_TIME_TEXT_MAX], lease[CLI_TIME_TEXT_MAX], age[CLI_SIZE_TEXT_MAX];
	/* Whatever its mode: it matches nothing. */
	bool lapsed = l->lease && l->lease <= now;
	cli_table_row(s->table,
		      (const char *const[]){
			      l->name, number_text(precedence, l->precedence),
			      lapsed ? "lapsed" : blocklist_mode_text(l->mode),
			      rule_action_text((enum rule_action)l->action),
			      number_text(names, l->names),
			      number_text(addresses, l->addresses),
			      hits->there
				      ? number_text(hit, blocklist_hits_of(hits, l->name))
				      : "",
			      tool_time(loaded, l->loaded), age_text(age, l->loaded, now),
			      tool_time(lease, l->lease),
			      l->serial ? number_text(serial, l->serial) : "",
			      l->forced ? "yes" : "", l->public_text, result, last.text});
}

/* Lists of the configuration that the store does not have. */
static void absent_rows(struct lists *s, const struct blocklist_view *v)
{
	for (int i = 0; i < s->conf->lists_n; i++) {
		const char *name = s->conf->lists[i].name;
		struct list_state last;
		if (blocklist_list_named(v, name))
			continue;
		const char *result = source_text(s, &last, name, 0);
		cli_table_row(s->table, (const char *const[]){name, "", "absent", "", "",
							      "", "", "", "", "", "", "",
							      "", result, last.text});
	}
}

/* From the full hour on, whose hits are added up already. */
static int64_t day_ago(int64_t now)
{
	return (now - 86400) / 3600 * 3600;
}

int tool_lists(const struct cli_command *self, int argc, char **argv)
{
	static const struct cli_column columns[] = {
		{"list", false},    {"precedence", true},
		{"mode", false},    {"action", false},
		{"names", true},    {"addresses", true},
		{"hits_24h", true}, {"imported", false},
		{"age", false},	    {"until", false},
		{"serial", true},   {"forced", false},
		{"public", false},  {"source", false},
		{"why", false},	    {0}};
	time_t now = time(NULL);
	struct lists s = {.now = (uint32_t)now};
	struct tool t;
	int status = cli_parse(&s.cli, self, NULL, 0, 0, argc, argv);
	if (status == CLI_GO)
		status = cli_conf(&s.conf, &s.cli);
	if (status == CLI_GO)
		status = cli_state_path(s.feeds, sizeof s.feeds, &s.cli, LIST_STATE_DIR);
	if (status == CLI_GO)
		status = tool_open(&t, &s.cli, BLOCKLIST_READ);
	if (status != CLI_GO) {
		conf_free(s.conf);
		return status;
	}
	/* Lists are shown without hits rather than not at all; why has been told. */
	if (blocklist_hits_open(&s.hits, &s.cli, NULL, -1, day_ago(now)) != CLI_GO)
		s.hits.there = false;
	s.table = cli_table_open(columns, s.cli.json);
	status = s.table ? CLI_DONE : cli_fail("out of memory");
	for (unsigned id = 0; s.table && id < BLOCKLIST_LISTS_MAX; id++) {
		const struct blocklist_list *l = blocklist_list(t.view, (uint16_t)id);
		if (l)
			list_row(&s, l);
	}
	if (s.table) {
		absent_rows(&s, t.view);
		cli_table_close(s.table);
	}
	if (s.stale)
		status = cli_no("%d lists are stale: their sources had no good news for "
				"longer than stale_after",
				s.stale);
	blocklist_hits_close(&s.hits);
	tool_close(&t);
	conf_free(s.conf);
	return status;
}

/* ---- stats ---- */

static void print_stats(const struct blocklist_stats *s)
{
	char size[CLI_SIZE_TEXT_MAX], file[CLI_SIZE_TEXT_MAX];
	printf("lists       %u\n", s->lists);
	printf("names       %llu\n", (unsigned long long)s->names);
	printf("addresses   %llu\n", (unsigned long long)s->addresses);
	printf("entries     %llu\n", (unsigned long long)s->entries);
	printf("clients     %llu\n", (unsigned long long)s->clients);
	printf("generation  %llu\n", (unsigned long long)s->stamp.generation);
	printf("epoch       %016llx\n", (unsigned long long)s->stamp.epoch);
	printf("digest      %016llx\n", (unsigned long long)s->digest);
	printf("size        %s in use, file %s\n", cli_size_text(size, s->bytes_used),
	       cli_size_text(file, s->file_bytes));
}

static void json_stats(const struct blocklist_stats *s)
{
	char epoch[20], digest[20];
	snprintf(digest, sizeof digest, "%016llx", (unsigned long long)s->digest);
	snprintf(epoch, sizeof epoch, "%016llx", (unsigned long long)s->stamp.epoch);
	cli_json(json_pack(
		"{sI sI sI sI sI sI ss ss sI sI sI}", "lists", (json_int_t)s->lists,
		"names", (json_int_t)s->names, "addresses", (json_int_t)s->addresses,
		"entries", (json_int_t)s->entries, "clients", (json_int_t)s->clients,
		"generation", (json_int_t)s->stamp.generation, "epoch", epoch, "digest",
		digest, "bytes_used", (json_int_t)s->bytes_used, "file_bytes",
		(json_int_t)s->file_bytes, "map_bytes", (json_int_t)s->map_size));
}

int tool_stats(const struct cli_command *self, int argc, char **argv)
{
	struct cli c;
	struct tool t;
	struct blocklist_stats s;
	int status = cli_parse(&c, self, NULL, 0, 0, argc, argv);
	if (status == CLI_GO)
		status = tool_open(&t, &c, BLOCKLIST_READ);
	if (status != CLI_GO)
		return status;
	int err = blocklist_stats_get(t.view, &s);
	tool_close(&t);
	if (err)
		return cli_fail("cannot read the store: %s", err_text(err));
	if (c.json)
		json_stats(&s);
	else
		print_stats(&s);
	return CLI_DONE;
}
