#include "tools/blocklist_import.h"

/* The safety gate over an import as a whole; single rules it has met while reading. */

static int refuse(struct import_job *j, const char *gate, const char *why)
{
	j->refused = gate;
	return cli_no("%s: it was left as it was; \"diff\" shows the changes; when this "
		      "is right, add --force=%s --reason TEXT",
		      why, gate);
}

/* Of so much at once. */
int import_judge_changes(void *arg, const struct blocklist_list *was,
			 const struct blocklist_changes *changes)
{
	struct import_job *j = arg;
	char why[GATE_WHY_MAX];
	enum gate_share s = gate_share(&j->gate, why, was, changes);
	bool emptied = !j->accepted && j->force_empty;
	if (s == GATE_SHRINKS && !j->force_shrink && !emptied)
		refuse(j, "shrink", why);
	else if (s == GATE_GROWS && !j->force_growth)
		refuse(j, "growth", why);
	return j->refused ? ERR_REFUSED : ERR_OK;
}

/* What the numbers tell before anything is compared: a broken file is refused early.
 * Those of a list of zones have the markers, too. */
static int judge_early(struct import_job *j)
{
	struct blocklist_changes c = {0};
	if (j->found == FEED_RPZ || j->mixed)
		return CLI_GO;
	if (blocklist_view_renew(j->tool.view) != ERR_OK)
		return CLI_GO;
	const struct blocklist_list *l = blocklist_list_named(j->tool.view, j->list);
	uint64_t was = l ? l->names + l->addresses : 0, then = j->seen.distinct;
	c.removed = then < was ? was - then : 0;
	c.added = then > was ? then - was : 0;
	bool refused = l && import_judge_changes(j, l, &c) != ERR_OK;
	/* A snapshot held through a long import would keep pages from being used again.
	 */
	blocklist_view_reset(j->tool.view);
	return refused ? CLI_NO : CLI_GO;
}

int import_judge(struct import_job *j)
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
