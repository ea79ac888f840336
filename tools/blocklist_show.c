#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/blocklist_tool.h"

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
	const char *name = NULL;
	uint16_t id;
	const struct cli_option options[] = {
		{"list", CLI_TEXT, &name, "NAME", "only this list", 0, 0},
		{0},
	};
	int status = cli_parse(&c, self, options, 0, -1, argc, argv);
	if (status == CLI_GO && c.operands_n && strcmp(c.operands[0], "set") == 0)
		return tool_list_set(&c);
	if (status == CLI_GO && c.operands_n)
		status = cli_fail("list takes no operands but set NAME KEY=VALUE");
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

static void list_row(struct cli_table *table, const struct blocklist_list *l)
{
	char precedence[8], names[24], addresses[24], serial[16];
	char loaded[CLI_TIME_TEXT_MAX], lease[CLI_TIME_TEXT_MAX];
	snprintf(precedence, sizeof precedence, "%u", l->precedence);
	snprintf(names, sizeof names, "%llu", (unsigned long long)l->names);
	snprintf(addresses, sizeof addresses, "%llu", (unsigned long long)l->addresses);
	snprintf(serial, sizeof serial, "%u", l->serial);
	tool_time(loaded, l->loaded);
	tool_time(lease, l->lease);
	/* Whatever its mode: it matches nothing. */
	bool lapsed = l->lease && l->lease <= (uint32_t)time(NULL);
	const char *mode = lapsed ? "lapsed" : blocklist_mode_text(l->mode);
	cli_table_row(table,
		      (const char *const[]){l->name, precedence, mode,
					    rule_action_text((enum rule_action)l->action),
					    names, addresses, loaded, lease,
					    l->serial ? serial : "", l->public_text});
}

int tool_lists(const struct cli_command *self, int argc, char **argv)
{
	static const struct cli_column columns[] = {{"list", false},
						    {"precedence", true},
						    {"mode", false},
						    {"action", false},
						    {"names", true},
						    {"addresses", true},
						    {"imported", false},
						    {"until", false},
						    {"serial", true},
						    {"public", false},
						    {0}};
	struct cli c;
	struct tool t;
	int status = cli_parse(&c, self, NULL, 0, 0, argc, argv);
	if (status == CLI_GO)
		status = tool_open(&t, &c, BLOCKLIST_READ);
	if (status != CLI_GO)
		return status;
	struct cli_table *table = cli_table_open(columns, c.json);
	for (unsigned id = 0; table && id < BLOCKLIST_LISTS_MAX; id++) {
		const struct blocklist_list *l = blocklist_list(t.view, (uint16_t)id);
		if (l)
			list_row(table, l);
	}
	if (table)
		cli_table_close(table);
	tool_close(&t);
	return table ? CLI_DONE : cli_fail("out of memory");
}

/* ---- stats ---- */

static void print_stats(const struct blocklist_stats *s, const char *digest)
{
	char size[CLI_SIZE_TEXT_MAX], file[CLI_SIZE_TEXT_MAX];
	printf("lists       %u\n", s->lists);
	printf("names       %llu\n", (unsigned long long)s->names);
	printf("addresses   %llu\n", (unsigned long long)s->addresses);
	printf("entries     %llu\n", (unsigned long long)s->entries);
	printf("clients     %llu\n", (unsigned long long)s->clients);
	printf("generation  %llu\n", (unsigned long long)s->stamp.generation);
	printf("epoch       %016llx\n", (unsigned long long)s->stamp.epoch);
	printf("digest      %s\n", digest);
	printf("size        %s in use, file %s\n", cli_size_text(size, s->bytes_used),
	       cli_size_text(file, s->file_bytes));
}

static void json_stats(const struct blocklist_stats *s, const char *digest)
{
	char epoch[20];
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
	char digest[2 * sizeof s.digest + 1];
	for (size_t i = 0; i < sizeof s.digest; i++)
		snprintf(digest + 2 * i, 3, "%02x", s.digest[i]);
	if (c.json)
		json_stats(&s, digest);
	else
		print_stats(&s, digest);
	return CLI_DONE;
}
