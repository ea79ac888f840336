#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/blocklist_export.h"

/* export: the choice of format and of rules, and the formats of one line a rule. */

/* ---- csv ---- */

static void csv_field(const char *text, char end)
{
	char clean[1100];
	cli_clean(clean, sizeof clean, text);
	size_t n = strlen(clean);
	bool blank = *clean == ' ' || (n && clean[n - 1] == ' ');
	if (!strpbrk(clean, "\",") && !blank && *clean != '#') {
		printf("%s%c", clean, end);
		return;
	}
	putchar('"');
	for (const char *p = clean; *p; p++)
		printf(*p == '"' ? "\"\"" : "%c", *p);
	printf("\"%c", end);
}

static int csv_begin(struct export *x)
{
	(void)x;
	printf("domain,rule_kind,rule_action,family,category,confidence,first_listed,"
	       "expires,reference,reason,authority,rule_data\n");
	return ERR_OK;
}

/* Every column is read again by import, so that a list can be carried over whole. */
static int csv_rule(struct export *x, const struct export_rule *r)
{
	const struct blocklist_entry *e = &r->entry;
	char rule[BLOCKLIST_RULE_TEXT_MAX], time[CLI_TIME_TEXT_MAX];
	char confidence[8] = "", data[TOOL_DATA_TEXT_MAX];
	(void)x;
	if (e->confidence <= 100)
		snprintf(confidence, sizeof confidence, "%u", e->confidence);
	csv_field(blocklist_rule_text(rule, r->key, r->rule->kind), ',');
	csv_field(blocklist_kind_text(r->key, r->rule->kind), ',');
	csv_field(rule_action_text((enum rule_action)r->rule->action), ',');
	csv_field(e->family, ',');
	csv_field(e->category, ',');
	csv_field(confidence, ',');
	csv_field(tool_time(time, e->first_listed), ',');
	csv_field(tool_time(time, r->rule->expires), ',');
	csv_field(e->reference, ',');
	csv_field(e->reason, ',');
	csv_field(e->authority, ',');
	printf("%s\n", tool_data_text(data, &e->data, true));
	return ERR_OK;
}

/* ---- plain ---- */

/* What is exact, or about one trigger alone, would come back as a rule that covers more.
 */
static int plain_rule(struct export *x, const struct export_rule *r)
{
	char rule[BLOCKLIST_RULE_TEXT_MAX];
	uint8_t kind = r->rule->kind;
	if (r->key->prefix.addr.family ? kind != (RULE_ADDR_ANSWER | RULE_ADDR_SERVER)
				       : kind != RULE_SUBTREE && kind != RULE_WILDCARD) {
		x->lost[EXPORT_EXACT]++;
		return ERR_OK;
	}
	printf("%s\n", blocklist_rule_text(rule, r->key, r->rule->kind));
	return ERR_OK;
}

/* ---- json ---- */

static json_t *json_time(uint32_t t)
{
	char text[CLI_TIME_TEXT_MAX];
	return cli_json_text_or_null(tool_time(text, t));
}

static int json_rule(struct export *x, const struct export_rule *r)
{
	const struct blocklist_entry *e = &r->entry;
	char rule[BLOCKLIST_RULE_TEXT_MAX], data[TOOL_DATA_TEXT_MAX];
	(void)x;
	cli_json(json_pack(
		"{ss so ss ss so so so so so so so so so so so}", "list", r->list->name,
		"rule", cli_json_text(blocklist_rule_text(rule, r->key, r->rule->kind)),
		"kind", blocklist_kind_text(r->key, r->rule->kind), "action",
		rule_action_text((enum rule_action)r->rule->action), "starts",
		json_time(r->rule->starts), "expires", json_time(r->rule->expires),
		"until", json_time(blocklist_until(r->rule, r->list)), "first_listed",
		json_time(e->first_listed), "confidence",
		e->confidence <= 100 ? json_integer(e->confidence) : json_null(),
		"family", cli_json_text_or_null(e->family), "category",
		cli_json_text_or_null(e->category), "reason",
		cli_json_text_or_null(e->reason), "reference",
		cli_json_text_or_null(e->reference), "authority",
		cli_json_text_or_null(e->authority), "data",
		cli_json_text_or_null(tool_data_text(data, &e->data, false))));
	return ERR_OK;
}

/* ---- which rules ---- */

static const struct export_format formats[] = {
	{.name = "csv", .begin = csv_begin, .rule = csv_rule},
	{.name = "plain", .in_force = true, .blocks = true, .rule = plain_rule},
	/* as import calls it */
	{.name = "domains", .in_force = true, .blocks = true, .rule = plain_rule},
	{.name = "json", .every = true, .rule = json_rule},
};

static const struct export_format *const others[] = {&export_rpz, &export_stix,
						     &export_nft};

static const struct export_format *format_named(const char *name)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (strcmp(others[i]->name, name) == 0)
			return others[i];
	return NULL;
}

static bool blocks(enum rule_action a)
{
	return a != RULE_PASSTHRU && a != RULE_MONITOR && a != RULE_TCP_ONLY &&
	       a != RULE_DISABLED;
}

static bool in_force(const struct export_rule *r, uint32_t now)
{
	uint32_t until = blocklist_until(r->rule, r->list);
	return r->rule->starts <= now && (!until || until > now);
}

struct walk {
	struct export x;
	const struct export_format *format;
	struct export_rule r;
};

static int each_rule(void *arg, const struct blocklist_key *key, const struct rule *rule)
{
	struct walk *w = arg;
	struct export_rule *r = &w->r;
	bool marker = blocklist_is_marker(key, rule->kind);
	r->key = key;
	r->rule = rule;
	r->list = blocklist_list(w->x.tool->view, rule->list);
	if (!r->list || (marker && !w->format->markers) ||
	    (w->format->addresses && !key->prefix.addr.family))
		return ERR_OK;
	r->action = (enum rule_action)(r->list->action != RULE_GIVEN ? r->list->action
								     : rule->action);
	if (w->format->in_force && !marker && !in_force(r, w->x.now)) {
		w->x.lost[EXPORT_OVER]++;
		return ERR_OK;
	}
	if (w->format->blocks && !blocks(r->action)) {
		w->x.lost[EXPORT_HARMLESS]++;
		return ERR_OK;
	}
	if (blocklist_entry_of_rule(w->x.tool->view, &r->entry, rule, key) != ERR_OK)
		memset(&r->entry, 0, sizeof r->entry);
	int err = w->format->rule(&w->x, r);
	w->x.written++;
	return !err && ferror(stdout) ? ERR_IO : err;
}

/* ---- the command ---- */

static int tell_lost(const uint64_t lost[EXPORT_LOST_N])
{
	static const char *const why[EXPORT_LOST_N] = {
		[EXPORT_EXACT] =
			"for single names or triggers, which this format cannot say",
		[EXPORT_OVER] = "not in force, and this format has no times",
		[EXPORT_HARMLESS] =
			"that do not block, which others would take for blocks",
		[EXPORT_LONG] = "for names too long to stand in a zone",
	};
	char text[400] = "";
	for (int i = 0; i < EXPORT_LOST_N; i++) {
		size_t n = strlen(text);
		if (lost[i])
			snprintf(text + n, sizeof text - n, "%s%llu %s", n ? "; " : "",
				 (unsigned long long)lost[i], why[i]);
	}
	if (*text)
		cli_no("rules were left out: %s; --format csv has all", text);
	/* What others must not have is nothing that is missing. */
	return lost[EXPORT_EXACT] || lost[EXPORT_LONG] ? CLI_NO : CLI_DONE;
}

static int export_as(struct walk *w, uint16_t id)
{
	const struct export_format *f = w->format;
	int err = f->begin ? f->begin(&w->x) : ERR_OK;
	if (!err)
		err = blocklist_walk(w->x.tool->view, id, each_rule, w);
	if (!err && f->end)
		err = f->end(&w->x);
	free(w->x.state);
	if (err && err != ERR_IO)
		return cli_fail("cannot export: %s", err_text(err));
	return tell_lost(w->x.lost);
}

#define EXPORTS "csv, json, plain, rpz, stix or nft"

int tool_export(const struct cli_command *self, int argc, char **argv)
{
	struct cli c;
	struct tool t;
	struct walk w = {.x = {.tool = &t, .now = (uint32_t)time(NULL)}};
	const char *format = NULL;
	uint16_t id;
	const struct cli_option options[] = {
		{"list", CLI_TEXT, &w.x.list, "NAME",
		 "list to write; json and nft can do without", 0, 0},
		{"format", CLI_TEXT, &format, "FORMAT", EXPORTS, 0, 0},
		{0},
	};
	int status = cli_parse(&c, self, options, 0, 0, argc, argv);
	if (status != CLI_GO)
		return status;
	if (!format)
		format = c.json ? "json" : "csv";
	w.format = format_named(format);
	if (!w.format)
		return cli_fail("--format takes " EXPORTS ", not \"%s\"", format);
	if (!w.x.list && !w.format->every)
		return cli_fail("export needs --list NAME");
	status = tool_open(&t, &c, BLOCKLIST_READ);
	if (status != CLI_GO)
		return status;
	status = tool_list_id(&id, &t, w.x.list);
	if (status == CLI_GO)
		status = export_as(&w, id);
	tool_close(&t);
	return status;
}
