/* The commands that show single hits: client, name, follow. */
#include <time.h>
#include <unistd.h>

#include "tools/hits_format.h"

/* ---- one hit as texts, as JSON, as a row ---- */

void hits_texts(struct hits_texts *out, const struct hit_row *row)
{
	const struct hit *h = &row->hit;
	out->proxy[0] = out->listener[0] = 0;
	hits_time_text(out->time, h->time_us);
	dns_type_text(out->type, h->qtype);
	addr_to_text(out->client, &h->client);
	if (h->proxy.family)
		addr_to_text(out->proxy, &h->proxy);
	if (h->listener.family)
		addr_to_text(out->listener, &h->listener);
	name_to_text(out->qname, h->qname);
	hits_rule_text(out->rule, h);
	cli_clean(out->list, sizeof out->list, h->list);
	cli_clean(out->family, sizeof out->family, h->family);
	cli_clean(out->category, sizeof out->category, h->category);
	cli_clean(out->node, sizeof out->node, row->node);
	snprintf(out->uid, sizeof out->uid, "%016llx-%u-%llu",
		 (unsigned long long)h->boot, h->worker, (unsigned long long)h->sequence);
}

static void json_addr(struct json_line *j, const char *key, const char *port_key,
		      const char *text, uint16_t port)
{
	json_line_text(j, key, text);
	if (port)
		json_line_number(j, port_key, port);
	else
		json_line_text(j, port_key, "");
}

void hits_record_json(struct json_line *j, const struct hit_row *row,
		      const struct hits_texts *t)
{
	const struct hit *h = &row->hit;
	char text[DNS_NAME_TEXT_MAX];
	json_line_open(j, NULL, '{');
	json_line_text(j, "time", t->time);
	json_line_bool(j, "clock_synced", h->clock_synced);
	json_line_text(j, "node", t->node);
	snprintf(text, sizeof text, "%016llx", (unsigned long long)h->boot);
	json_line_text(j, "boot", text);
	json_line_number(j, "worker", h->worker);
	json_line_number(j, "sequence", h->sequence);
	json_addr(j, "client", "client_port", t->client, h->client.port);
	json_addr(j, "proxy", "proxy_port", t->proxy, h->proxy.port);
	json_addr(j, "listener", "listener_port", t->listener, h->listener.port);
	json_line_text(j, "transport", hit_transport_text(h->transport));
	json_line_text(j, "qname", t->qname);
	json_line_text(j, "qtype", t->type);
	json_line_text(j, "trigger", rule_trigger_text(h->trigger));
	json_line_text(j, "matched", name_to_text(text, h->matched));
	json_line_text(j, "prefix",
		       h->prefix.addr.family ? prefix_to_text(text, &h->prefix) : "");
	json_line_text(j, "list", t->list);
	json_line_number(j, "entry", h->entry);
	json_line_text(j, "family", t->family);
	json_line_text(j, "category", t->category);
	json_line_text(j, "action", rule_action_text(h->action));
	json_line_number(j, "generation", h->generation);
	json_line_number(j, "count", h->count);
}

static void print_json(const struct hit_row *row)
{
	struct json_line j = {.to = stdout};
	struct hits_texts t;
	hits_texts(&t, row);
	hits_record_json(&j, row, &t);
	json_line_end(&j);
}

/* On a terminal the heading says which clock it is; in a pipe there is none. */
const struct cli_column hits_row_columns[] = {
	{"time (UTC)", false}, {"client", false}, {"port", true},    {"over", false},
	{"type", false},       {"name", false},	  {"action", false}, {"list", false},
	{"entry", false},      {"family", false}, {"node", false},   {"count", true},
	{NULL, false},
};

void hits_cells(struct hits_cells *out, const struct hit_row *row,
		const struct hits_texts *t)
{
	const struct hit *h = &row->hit;
	out->port[0] = 0;
	if (h->client.port)
		snprintf(out->port, sizeof out->port, "%u", h->client.port);
	snprintf(out->count, sizeof out->count, "%u", h->count);
	const char *cell[HITS_COLUMNS] = {
		t->time,
		t->client,
		out->port,
		hit_transport_text(h->transport),
		t->type,
		t->qname,
		rule_action_text(h->action),
		t->list,
		t->rule,
		t->family,
		t->node,
		out->count,
	};
	memcpy(out->cell, cell, sizeof cell);
}

static int print_row(void *table, const struct hit_row *row)
{
	struct hits_texts t;
	struct hits_cells c;
	if (!table) {
		print_json(row);
		return ERR_OK;
	}
	hits_texts(&t, row);
	hits_cells(&c, row, &t);
	cli_table_row(table, c.cell);
	return ERR_OK;
}

/* The newest rows, when only so many are wanted: kept until all have been read. */
struct newest {
	struct hit_row *rows;
	size_t n, room, next;
};

static int keep_newest(struct newest *k, const struct hit_row *row, size_t limit)
{
	if (k->n == k->room && k->n < limit) {
		size_t room = k->room ? 2 * k->room : 64;
		room = room < limit ? room : limit;
		void *more = realloc(k->rows, room * sizeof *k->rows);
		if (!more)
			return ERR_NOMEM;
		k->rows = more;
		k->room = room;
	}
	k->rows[k->next] = *row;
	k->next = (k->next + 1) % limit;
	k->n += k->n < limit;
	return ERR_OK;
}

static int tell_newest(struct hits *h, hits_row_fn *fn, void *arg, uint64_t *told)
{
	struct newest k = {0};
	struct hit_row row;
	int status = CLI_DONE;
	size_t limit = (size_t)h->limit;
	while (hits_next(h, &row, &status))
		if (keep_newest(&k, &row, limit)) {
			free(k.rows);
			return cli_fail("out of memory: take a smaller --limit");
		}
	cli_progress_end(&h->progress);
	for (size_t i = 0; i < k.n; i++)
		if (fn(arg, &k.rows[k.n < limit ? i : (k.next + i) % limit]))
			status = cli_fail("out of memory");
	*told = k.n;
	free(k.rows);
	return status;
}

int hits_tell_rows(struct hits *h, hits_row_fn *fn, void *arg)
{
	struct hit_row row;
	uint64_t told = 0;
	int status = CLI_DONE;
	if (h->limit)
		status = tell_newest(h, fn, arg, &told);
	else
		for (; hits_next(h, &row, &status); told++)
			if (fn(arg, &row))
				return cli_fail("out of memory");
	if (!told)
		hits_note(h, "no hits\n");
	return status;
}

int hits_print_rows(struct hits *h)
{
	int status = hits_rows_open(h, h->limit ? "reading" : NULL);
	if (status != CLI_GO)
		return status;
	struct cli_table *t =
		h->cli.json ? NULL : cli_table_open(hits_row_columns, false);
	if (!t && !h->cli.json)
		return hits_close(h, cli_fail("out of memory"));
	status = hits_tell_rows(h, print_row, t);
	if (t)
		cli_table_close(t);
	return hits_close(h, status);
}

int hits_name(const struct cli_command *self, int argc, char **argv)
{
	struct hits h;
	int status = hits_parse(&h, self, NULL, 1, 1, argc, argv);
	if (status != CLI_GO)
		return status;
	h.name_text = h.cli.operands[0];
	return hits_print_rows(&h);
}

/* ---- follow ---- */

/* Widths cannot be measured ahead here: room for what is usual, the rest just shifts. */
static void print_live(const struct hit_row *row, bool tty)
{
	struct hits_texts t;
	struct hits_cells c;
	hits_texts(&t, row);
	hits_cells(&c, row, &t);
	if (!tty) {
		for (int i = 0; i < HITS_COLUMNS; i++)
			printf("%s%c", *c.cell[i] ? c.cell[i] : "-",
			       i + 1 < HITS_COLUMNS ? '\t' : '\n');
		return;
	}
	printf("%.19sZ  %-15s %5s  %-5s %-40s %-10s %-16s %-16s %s\n", t.time, t.client,
	       c.port, t.type, t.qname, rule_action_text(row->hit.action), t.list,
	       t.family, c.count);
}

int hits_follow(const struct cli_command *self, int argc, char **argv)
{
	struct hits h;
	struct hit_row row;
	const struct timespec pause = {.tv_nsec = HITS_FOLLOW_EVERY_MS * 1000000L};
	bool tty = isatty(STDOUT_FILENO);
	long left;
	int err, status = hits_parse(&h, self, NULL, 0, 0, argc, argv);
	if (status == CLI_GO)
		status = hits_rows_open(&h, NULL);
	if (status != CLI_GO)
		return status;
	status = CLI_DONE;
	for (int i = 0; !h.since && i < h.folders_n; i++)
		if ((err = hit_read_to_end(h.folder[i].reader)) < 0)
			return hits_close(&h, cli_fail_file(h.dir[i], "read", err));
	if (tty && !h.cli.json)
		printf("%-20s  %-15s %5s  %-5s %-40s %-10s %-16s %-16s %s\n",
		       "time (UTC)", "client", "port", "type", "name", "action", "list",
		       "family", "count");
	left = h.limit;
	while (!*h.interrupted && !ferror(stdout)) {
		while (hits_next(&h, &row, &status)) {
			if (h.cli.json)
				print_json(&row);
			else
				print_live(&row, tty);
			if (h.limit && --left == 0) /* for scripts: wait for N hits */
				return hits_close(&h, status);
		}
		fflush(stdout);
		if (status != CLI_DONE)
			break;
		nanosleep(&pause, NULL);
	}
	return hits_close(&h, status);
}
