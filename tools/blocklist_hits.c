#include "tools/blocklist_hits.h"

#include <stdlib.h>
#include <unistd.h>

#include "include/control.h"

int blocklist_hits_open(struct blocklist_hits *h, const struct cli *c, const char *list,
			int action, int64_t since_s)
{
	char dir[HITS_PATH_MAX];
	*h = (struct blocklist_hits){
		.log = {.cli = *c,
			.since_us = since_s > 0 ? (uint64_t)since_s * 1000000 : 0,
			.filter = {.list = list, .action = action, .trigger = -1}}};
	int status = cli_state_path(dir, sizeof dir, c, CONTROL_HITS_DIR);
	h->there = status == CLI_GO && access(dir, R_OK | X_OK) == 0;
	if (!h->there)
		return status;
	status = hits_adding_init(&h->by, &h->log, list ? HITS_ENTRIES : HITS_LISTS);
	if (status == CLI_GO)
		status = hits_sums_open(&h->log, UINT64_MAX);
	if (status == CLI_GO)
		status = hits_adding_scan(&h->by, h->log.since_us, 0);
	hits_groups_sort(&h->by.groups);
	if (status != CLI_GO)
		blocklist_hits_close(h);
	return status;
}

void blocklist_hits_close(struct blocklist_hits *h)
{
	if (!h->there)
		return;
	hits_adding_fini(&h->by);
	(void)hits_close(&h->log, CLI_DONE); /* trouble has been told */
	h->there = false;
}

uint64_t blocklist_hits_of(const struct blocklist_hits *h, const char *list)
{
	struct hits_label label;
	for (size_t i = 0; h->there && i < h->by.groups.n; i++) {
		hits_adding_label(&h->by, &label, &h->by.groups.group[i]);
		if (strcmp(label.text, list) == 0)
			return h->by.groups.group[i].hits;
	}
	return 0;
}

int blocklist_hits_total(struct blocklist_hits *h, uint64_t *hits, size_t *clients)
{
	struct hits_adding all;
	*hits = *clients = 0;
	if (!h->there)
		return CLI_GO;
	int status = hits_adding_init(&all, &h->log, HITS_CLIENTS);
	if (status == CLI_GO)
		status = hits_adding_scan(&all, h->log.since_us, 0);
	*clients = all.groups.n;
	for (size_t i = 0; i < h->by.groups.n; i++)
		*hits += h->by.groups.group[i].hits;
	hits_adding_fini(&all);
	return status;
}

json_t *blocklist_hits_entries(struct blocklist_hits *h, size_t n)
{
	json_t *out = json_array();
	struct hits_label label;
	if (!h->there)
		return out;
	n = n < h->by.groups.n ? n : h->by.groups.n;
	size_t *clients = calloc(n + 1, sizeof *clients);
	int status =
		clients ? hits_adding_distinct(&h->by, clients, n, h->log.since_us, 0)
			: cli_fail("out of memory");
	for (size_t i = 0; status == CLI_GO && i < n; i++) {
		hits_adding_label(&h->by, &label, &h->by.groups.group[i]);
		json_array_append_new(out,
				      json_pack("{s:o s:I s:I}", "entry",
						cli_json_text(label.text), "hits",
						(json_int_t)h->by.groups.group[i].hits,
						"clients", (json_int_t)clients[i]));
	}
	free(clients);
	if (status == CLI_GO)
		return out;
	json_decref(out);
	return NULL;
}
