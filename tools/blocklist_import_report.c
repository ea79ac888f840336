#include "tools/blocklist_import.h"

/* What came of reading the input and of the import, for a person and for a program. */

double import_seconds(const struct import_job *j)
{
	return (double)(cli_now_ms() - j->start_ms) / 1000;
}

/* ---- for a person ---- */

static const char *format_text(const struct import_job *j)
{
	return j->mixed ? "several formats" : feed_format_text(j->found);
}

static void print_count(const char *what, uint64_t n)
{
	char count[CLI_COUNT_TEXT_MAX];
	printf("  %-28s %12s\n", what, cli_count_text(count, n));
}

static void print_example(const struct import_job *j, const struct import_example *e)
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

static void print_skipped(const struct import_job *j, enum feed_skip why)
{
	const struct import_skipped *s = &j->skipped[why];
	uint64_t shown = feed_skip_forcible(why) ? IMPORT_EXAMPLES_GATE : IMPORT_EXAMPLES;
	if (!s->count)
		return;
	print_count(feed_skip_text(why), s->count);
	if (feed_skip_forcible(why))
		printf("      --force=%s takes them nevertheless\n", feed_skip_key(why));
	for (uint64_t i = 0; i < s->examples && i < shown; i++)
		print_example(j, &s->example[i]);
	if (s->count > shown && feed_skip_forcible(why))
		printf("      and more; --json names %d\n", IMPORT_EXAMPLES_JSON);
}

void import_print_read(const struct import_job *j)
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

void import_print_changes(const struct import_job *j)
{
	printf("list %s\n", j->list);
	print_count("added", j->changes.added);
	print_count("changed", j->changes.changed);
	print_count("removed", j->changes.removed);
	print_count("unchanged", j->changes.unchanged);
	if (j->changes.cut)
		print_count("local data over 1,024 bytes", j->changes.cut);
	printf("done in %.1f s\n", import_seconds(j));
}

/* ---- for a program ---- */

static json_t *example_json(const struct import_example *e)
{
	json_t *o = json_pack("{so sI so}", "file", cli_json_text(e->file), "line",
			      (json_int_t)e->line, "text", cli_json_text(e->text));
	if (*e->why)
		json_object_set_new(o, "why", cli_json_text(e->why));
	return o;
}

static json_t *skips_json(const struct import_job *j)
{
	json_t *all = json_object();
	for (int why = 0; why < FEED_SKIP_N; why++) {
		const struct import_skipped *s = &j->skipped[why];
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

json_t *import_changes_json(const struct import_job *j)
{
	return json_pack("{sI sI sI sI sI}", "cut", (json_int_t)j->changes.cut, "added",
			 (json_int_t)j->changes.added, "changed",
			 (json_int_t)j->changes.changed, "removed",
			 (json_int_t)j->changes.removed, "unchanged",
			 (json_int_t)j->changes.unchanged);
}

json_t *import_json(const struct import_job *j)
{
	json_t *o = json_pack("{ss sI sI sI sI so so}", "format",
			      j->mixed ? "several" : feed_format_text(j->found), "lines",
			      (json_int_t)j->lines, "accepted", (json_int_t)j->accepted,
			      "local_data", (json_int_t)j->data, "ignored",
			      (json_int_t)j->ignored, "skipped", skips_json(j), "refused",
			      cli_json_text_or_null(j->refused ? j->refused : ""));
	if (j->im)
		json_object_update_new(o, import_changes_json(j));
	return o;
}
