#include "tools/ctl_anchors.h"

#include <string.h>

#include "include/name.h"
#include "tools/cli.h"

enum { CELL = 512 };

static void text_cell(char out[CELL], const json_t *j, const char *key)
{
	const char *text = json_string_value(json_object_get(j, key));
	cli_clean(out, CELL, text ? text : "");
}

static void time_cell(char out[CELL], const json_t *j, const char *key)
{
	int64_t t = json_integer_value(json_object_get(j, key));
	out[0] = 0;
	if (t)
		cli_time_text(out, t);
}

static void number_cell(char out[CELL], const json_t *j, const char *key)
{
	snprintf(out, CELL, "%" JSON_INTEGER_FORMAT,
		 json_integer_value(json_object_get(j, key)));
}

static void key_row(struct cli_table *t, const json_t *j)
{
	char zone[CELL], tag[CELL], algorithm[CELL], state[CELL], since[CELL], next[CELL];
	const char *origin =
		json_is_true(json_object_get(j, "given")) ? "given" : "found";
	text_cell(zone, j, "zone");
	number_cell(tag, j, "tag");
	number_cell(algorithm, j, "algorithm");
	text_cell(state, j, "state");
	time_cell(since, j, "since");
	time_cell(next, j, "next");
	cli_table_row(t, (const char *const[]){zone, tag, algorithm, state, origin, since,
					       next});
}

static void negative_row(struct cli_table *t, const json_t *j)
{
	char zone[CELL], until[CELL], reason[CELL];
	text_cell(zone, j, "zone");
	time_cell(until, j, "until");
	text_cell(reason, j, "reason");
	cli_table_row(t, (const char *const[]){zone, until, reason});
}

static int print(json_t *answer, const char *list, const struct cli_column *columns,
		 void (*row)(struct cli_table *t, const json_t *j), bool json)
{
	const json_t *rows = json_object_get(answer, list);
	if (json) {
		cli_json(json_incref(json_object_get(answer, list)));
		json_decref(answer);
		return CLI_DONE;
	}
	struct cli_table *t = cli_table_open(columns, false);
	for (size_t i = 0; t && i < json_array_size(rows); i++)
		row(t, json_array_get(rows, i));
	if (t)
		cli_table_close(t);
	json_decref(answer);
	return t ? CLI_DONE : cli_fail("out of memory");
}

int ctl_anchors_print(json_t *answer, bool json)
{
	static const struct cli_column columns[] = {
		{"zone", false},       {"tag", true},	{"algorithm", true},
		{"state", false},      {"from", false}, {"since", false},
		{"asked next", false}, {NULL, false}};
	return print(answer, "anchors", columns, key_row, json);
}

int ctl_anchors_print_negative(json_t *answer, bool json)
{
	static const struct cli_column columns[] = {
		{"zone", false}, {"until", false}, {"reason", false}, {NULL, false}};
	return print(answer, "negative", columns, negative_row, json);
}

json_t *ctl_anchors_nta(const char *action, const char *zone, const struct ctl_nta *more)
{
	uint8_t name[DNS_NAME_MAX];
	char text[DNS_NAME_TEXT_MAX];
	bool add = !strcmp(action, "add");
	if (!add && strcmp(action, "remove") != 0) {
		cli_fail("'%s' is no action; give add, remove or list", action);
		return NULL;
	}
	if (!zone || name_from_str(name, zone)) {
		cli_fail(zone ? "'%s' is no zone's name" : "%s which zone?",
			 zone ? zone : action);
		return NULL;
	}
	if (add && !more->reason) {
		cli_fail("--reason TEXT is missing: say why the zone is broken");
		return NULL;
	}
	json_t *r = json_pack("{s:s, s:s, s:s}", "command", "nta", "action", action,
			      "zone", name_to_text(text, name));
	if (add)
		json_object_set_new(r, "reason", cli_json_text(more->reason));
	if (add && more->for_s)
		json_object_set_new(r, "for_s", json_integer(more->for_s));
	return r;
}
