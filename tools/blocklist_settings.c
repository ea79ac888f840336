#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "include/utf8.h"
#include "tools/blocklist_tool.h"

/* list set, promote: a list's settings. */

static const struct blocklist_list_set keep = {NULL, -1, -1, -1, -1, -1, -1, NULL, 0, 0};

static int bad_value(const char *key, const char *value, const char *takes)
{
	return cli_fail("%s takes %s, not \"%s\"", key, takes, value);
}

/* -1 for what is no number up to max. */
static long number(const char *text, long max)
{
	char *end;
	errno = 0;
	long n = strtol(text, &end, 10);
	return *text < '0' || *text > '9' || *end || errno || n > max ? -1 : n;
}

static int set_number(int *to, const char *key, const char *value)
{
	*to = (int)number(value, UINT16_MAX);
	return *to < 0 ? bad_value(key, value, "a number from 0 to 65535") : CLI_GO;
}

static int set_mode(struct blocklist_list_set *set, const char *value)
{
	for (set->mode = BLOCKLIST_LIVE; set->mode <= BLOCKLIST_OFF; set->mode++)
		if (strcmp(value, blocklist_mode_text((unsigned)set->mode)) == 0)
			return CLI_GO;
	return bad_value("mode", value, "live, monitor or disabled");
}

/* The mode has a key of its own here. */
static int set_action(struct blocklist_list_set *set, uint8_t garden[DNS_NAME_MAX],
		      const char *value)
{
	uint8_t action = RULE_GIVEN;
	int status = tool_action(&action, garden, value);
	if (status == CLI_GO && action == RULE_MONITOR)
		status = cli_fail("to watch only, set mode=monitor");
	set->action = action;
	set->garden = action == RULE_CNAME ? garden : NULL;
	return status;
}

static int set_lease(struct blocklist_list_set *set, const char *value)
{
	bool fits = cli_span_from_text(&set->lease_s, value) == ERR_OK &&
		    set->lease_s > 0 && set->lease_s <= UINT32_MAX;
	return fits ? CLI_GO : bad_value("lease", value, "a span as 30d");
}

static int set_one(struct blocklist_list_set *set, uint8_t garden[DNS_NAME_MAX],
		   char *text)
{
	char *value = strchr(text, '=');
	if (!value)
		return cli_fail("list set takes KEY=VALUE, not \"%s\"", text);
	*value++ = 0;
	if (strcmp(text, "precedence") == 0)
		return set_number(&set->precedence, text, value);
	if (strcmp(text, "ede") == 0)
		return set_number(&set->ede, text, value);
	if (strcmp(text, "mode") == 0)
		return set_mode(set, value);
	if (strcmp(text, "action") == 0)
		return set_action(set, garden, value);
	if (strcmp(text, "lease") == 0)
		return set_lease(set, value);
	if (strcmp(text, "public") == 0) {
		set->public_text = value;
		return CLI_GO;
	}
	return cli_fail(
		"there is no setting \"%s\": a list has precedence, action, mode, "
		"lease, ede and public",
		text);
}

/* Opens, changes, records, says what was done. */
static int change(const struct cli *c, const char *list,
		  const struct blocklist_list_set *set, const char *command, json_t *what)
{
	struct tool t;
	int status = tool_open(&t, c, BLOCKLIST_WRITE);
	if (status != CLI_GO) {
		json_decref(what);
		return status;
	}
	int err = blocklist_list_change(t.bl, list, set);
	if (err == ERR_RANGE)
		status = cli_fail("the public text has room for %d bytes",
				  BLOCKLIST_PUBLIC_MAX - 1);
	else if (err)
		status = tool_fail(&t, list, err);
	if (status == CLI_GO)
		status = tool_record(&t, command, json_incref(what));
	tool_close(&t);
	if (status == CLI_GO && c->json)
		cli_json(json_incref(what));
	else if (status == CLI_GO)
		printf("list %s: set\n", list);
	json_decref(what);
	return status == CLI_GO ? CLI_DONE : status;
}

int tool_list_set(const struct cli *c)
{
	struct blocklist_list_set set = keep;
	uint8_t garden[DNS_NAME_MAX];
	char clean[BLOCKLIST_PUBLIC_MAX + 8];
	json_t *texts = json_array();
	int status = c->operands_n < 3 ? cli_fail("list set needs NAME KEY=VALUE ...")
				       : CLI_GO;
	for (int i = 2; status == CLI_GO && i < c->operands_n; i++) {
		json_array_append_new(texts, cli_json_text(c->operands[i]));
		status = set_one(&set, garden, c->operands[i]);
	}
	if (status != CLI_GO) {
		json_decref(texts);
		return status;
	}
	if (set.public_text) {
		utf8_clean(clean, sizeof clean, set.public_text, strlen(set.public_text));
		set.public_text = clean;
	}
	return change(c, c->operands[1], &set, "list set",
		      json_pack("{ss so}", "list", c->operands[1], "set", texts));
}

/* ---- promote ---- */

int tool_promote(const struct cli_command *self, int argc, char **argv)
{
	struct blocklist_list_set set = keep;
	const char *reason = NULL;
	struct cli c;
	struct tool t;
	const struct cli_option options[] = {
		{"reason", CLI_TEXT, &reason, "TEXT", "recorded with the change", 0, 0},
		{0},
	};
	int status = cli_parse(&c, self, options, 1, 1, argc, argv);
	set.mode = BLOCKLIST_LIVE;
	if (status == CLI_GO)
		status = tool_need_reason(reason, "promote");
	if (status == CLI_GO)
		status = tool_open(&t, &c, BLOCKLIST_READ);
	if (status != CLI_GO)
		return status;
	const struct blocklist_list *l = blocklist_list_named(t.view, c.operands[0]);
	json_int_t names = l ? (json_int_t)l->names : 0;
	json_int_t addresses = l ? (json_int_t)l->addresses : 0;
	if (!l)
		status = tool_fail(&t, c.operands[0], ERR_NOENT);
	else if (l->mode != BLOCKLIST_MONITOR)
		status = cli_no("list %s does not only watch: it is %s already",
				c.operands[0],
				l->mode == BLOCKLIST_OFF ? "disabled" : "live");
	tool_close(&t);
	if (status != CLI_GO)
		return status;
	if (!c.json)
		printf("%lld names and %lld addresses will be acted on; \"sinkhole-hits "
		       "top "
		       "names --list %s --action monitor\" shows what they matched while "
		       "it watched\n",
		       (long long)names, (long long)addresses, c.operands[0]);
	return change(&c, c.operands[0], &set, "promote",
		      json_pack("{ss ss sI sI}", "list", c.operands[0], "reason", reason,
				"names", names, "addresses", addresses));
}
