#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "include/utf8.h"
#include "resolver/client.h"
#include "tools/blocklist_tool.h"
#include "zones/client_line.h"

/* client and group: to whom which lists apply.
 *
 * Whose prefix it is stays out of the record of changes: opting out leaves no trace
 * (P6), and who is in which group is nobody's business there either. */

enum { BAD_LINES_SHOWN = 20 };

struct options {
	struct cli cli;
	struct tool tool;
	const char *group, *reason, *lists, *except;
	bool opt_out, replace, force;
};

/* A slip such as 0.0.0.0/0 would end all protection, and say nothing of it. */
static bool opts_out_too_many(const struct options *o, const struct prefix *p)
{
	return !o->force && p->bits < (p->addr.family == 4 ? FEED_WIDE_4 : FEED_WIDE_6);
}

static const char *holds_text(char out[CLIENT_TEXT_MAX], const struct tool *t,
			      const struct blocklist_client *c)
{
	const struct blocklist_group *g = blocklist_group(t->view, c->group);
	if (c->opt_out)
		return "opted out";
	snprintf(out, CLIENT_TEXT_MAX, "group %s", g ? g->name : "?");
	return out;
}

/* ---- which lists ---- */

/* "all lists", "no list", "a, b", "all lists but a, b". */
static char *lists_text(char *out, size_t size, const struct tool *t,
			const struct blocklist_group *g)
{
	size_t n = 0;
	int named = 0;
	*out = 0;
	for (uint16_t id = 0; g && id < BLOCKLIST_LISTS_MAX && n < size; id++) {
		const struct blocklist_list *l = blocklist_list(t->view, id);
		if (!l || !(g->lists[id / 64] >> id % 64 & 1))
			continue;
		const char *lead = named++ ? ", " : g->except ? "all lists but " : "";
		n += (size_t)snprintf(out + n, size - n, "%s%s", lead, l->name);
	}
	if (!named)
		snprintf(out, size, "%s", !g || g->except ? "all lists" : "no list");
	return out;
}

static int group_missing(const char *name)
{
	return cli_no("there is no group \"%s\"; \"%s group show\" lists them, \"group "
		      "set %s --lists NAMES\" makes it",
		      name, program_invocation_short_name, name);
}

/* ---- group ---- */

struct count {
	uint64_t of[BLOCKLIST_GROUPS_MAX];
};

static int count_client(void *arg, const struct blocklist_client *c)
{
	struct count *n = arg;
	if (!c->opt_out && c->group < BLOCKLIST_GROUPS_MAX)
		n->of[c->group]++;
	return 0;
}

static int group_show(struct options *o)
{
	static const struct cli_column columns[] = {{"group", false},
						    {"class", true},
						    {"prefixes", true},
						    {"lists", false},
						    {0}};
	static struct count n;
	int status = tool_open(&o->tool, &o->cli, BLOCKLIST_READ);
	if (status != CLI_GO)
		return status;
	struct cli_table *table = cli_table_open(columns, o->cli.json);
	int err = table ? blocklist_walk_clients(o->tool.view, count_client, &n)
			: ERR_NOMEM;
	for (uint16_t id = 0; !err && id < BLOCKLIST_GROUPS_MAX; id++) {
		const struct blocklist_group *g = blocklist_group(o->tool.view, id);
		char class[8], prefixes[24], lists[1024];
		if (!g)
			continue;
		snprintf(class, sizeof class, "%u", g->class);
		snprintf(prefixes, sizeof prefixes, "%llu", (unsigned long long)n.of[id]);
		lists_text(lists, sizeof lists, &o->tool, g);
		cli_table_row(table,
			      (const char *const[]){g->name, class, prefixes, lists});
	}
	if (table)
		cli_table_close(table);
	tool_close(&o->tool);
	return err ? cli_fail("cannot read the groups: %s", err_text(err)) : CLI_DONE;
}

/* Cuts "a,b" apart in place; "" is none. Returns the count or -1. */
static int cut_names(const char *out[BLOCKLIST_LISTS_MAX], char *text)
{
	int n = 0;
	char *rest = NULL;
	for (char *p = strtok_r(text, ", ", &rest); p; p = strtok_r(NULL, ", ", &rest)) {
		if (n == BLOCKLIST_LISTS_MAX)
			return -1;
		out[n++] = p;
	}
	return n;
}

static int group_fail(const struct options *o, const char *name, int err,
		      const char *missing)
{
	switch (err) {
	case ERR_NOENT:
		return cli_no("there is no list \"%s\": import or add to it first; "
			      "\"%s lists\" shows what there is",
			      missing, program_invocation_short_name);
	case ERR_FULL:
		return cli_fail("there can be %d groups with %d different sets of lists "
				"among them: remove groups, or give some the same lists",
				BLOCKLIST_GROUPS_MAX,
				BLOCKLIST_CLASSES - BLOCKLIST_CLASS_GROUPS);
	case ERR_INVAL:
	case ERR_RANGE:
		return cli_fail("\"%s\" cannot be the name of a group: up to %d letters, "
				"digits and signs, no blanks",
				name, HIT_LIST_MAX - 1);
	default:
		return cli_fail_file(o->tool.dir, "change", err);
	}
}

static int group_set(struct options *o, const char *name)
{
	const char *names[BLOCKLIST_LISTS_MAX], *missing = "";
	const char *text = o->lists ? o->lists : o->except;
	if (!o->lists == !o->except)
		return cli_fail("group set needs either --lists NAME,NAME or --except "
				"NAME,NAME; --lists \"\" is no list");
	if (strcmp(name, CLIENT_LINE_OPT_OUT) == 0)
		return cli_fail("\"%s\" has a meaning of its own where groups are named",
				name);
	char *copy = strdup(text);
	int n = copy ? cut_names(names, copy) : -1;
	int status = n < 0 ? cli_fail("too many lists")
			   : tool_open(&o->tool, &o->cli, BLOCKLIST_WRITE);
	if (status != CLI_GO) {
		free(copy);
		return status;
	}
	int err = blocklist_group_set(o->tool.bl, name, o->except != NULL, names, n,
				      &missing);
	if (err)
		status = group_fail(o, name, err, missing);
	else
		status = tool_record(
			&o->tool, "group",
			json_pack("{ss so so}", "group", name,
				  o->except ? "except" : "lists", cli_json_text(text),
				  "reason",
				  cli_json_text_or_null(o->reason ? o->reason : "")));
	free(copy);
	tool_close(&o->tool);
	if (status != CLI_GO)
		return status;
	if (!o->cli.json)
		printf("group %s: set\n", name);
	return CLI_DONE;
}

static int group_remove(struct options *o, const char *name)
{
	int status = tool_open(&o->tool, &o->cli, BLOCKLIST_WRITE);
	if (status != CLI_GO)
		return status;
	int err = blocklist_group_remove(o->tool.bl, name);
	if (err == ERR_NOENT)
		status = group_missing(name);
	else if (err == ERR_EXIST)
		status = cli_no("there are prefixes in group %s: move them to another "
				"one, or remove them, first",
				name);
	else if (err)
		status = cli_fail_file(o->tool.dir, "change", err);
	else
		status = tool_record(&o->tool, "group remove",
				     json_pack("{ss}", "group", name));
	tool_close(&o->tool);
	if (status != CLI_GO)
		return status;
	if (!o->cli.json)
		printf("group %s: removed\n", name);
	return CLI_DONE;
}

int tool_group(const struct cli_command *self, int argc, char **argv)
{
	struct options o = {.group = NULL};
	const struct cli_option options[] = {
		{"lists", CLI_TEXT, &o.lists, "NAMES", "these lists apply, and no other",
		 0, 0},
		{"except", CLI_TEXT, &o.except, "NAMES",
		 "all lists apply but these, also lists that come later", 0, 0},
		{"reason", CLI_TEXT, &o.reason, "TEXT", "recorded with the change", 0, 0},
		{0},
	};
	int status = cli_parse(&o.cli, self, options, 1, 2, argc, argv);
	if (status != CLI_GO)
		return status;
	const char *word = o.cli.operands[0];
	if (o.cli.operands_n == 1 && strcmp(word, "show") == 0)
		return group_show(&o);
	if (o.cli.operands_n == 2 && strcmp(word, "set") == 0)
		return group_set(&o, o.cli.operands[1]);
	if (o.cli.operands_n == 2 && strcmp(word, "remove") == 0)
		return group_remove(&o, o.cli.operands[1]);
	return cli_fail("group needs set NAME, remove NAME or show; see \"%s group "
			"--help\"",
			program_invocation_short_name);
}

/* ---- client show ---- */

struct show {
	const struct tool *tool;
	struct cli_table *table;
};

static int show_client(void *arg, const struct blocklist_client *c)
{
	struct show *s = arg;
	char text[PREFIX_TEXT_MAX], since[CLI_TIME_TEXT_MAX], holds[CLIENT_TEXT_MAX];
	cli_table_row(s->table,
		      (const char *const[]){prefix_to_text(text, &c->prefix),
					    holds_text(holds, s->tool, c),
					    tool_time(since, c->since), c->reason});
	return ferror(stdout) ? ERR_IO : 0;
}

static int show_all(struct options *o)
{
	static const struct cli_column columns[] = {{"prefix", false},
						    {"holds", false},
						    {"since", false},
						    {"reason", false},
						    {0}};
	struct show s = {&o->tool, cli_table_open(columns, o->cli.json)};
	int err = s.table ? blocklist_walk_clients(o->tool.view, show_client, &s)
			  : ERR_NOMEM;
	if (s.table)
		cli_table_close(s.table);
	return err && err != ERR_IO
		       ? cli_fail("cannot read the clients: %s", err_text(err))
		       : CLI_DONE;
}

static void print_one(const struct options *o, const char *address,
		      const struct blocklist_client *c)
{
	char holds[CLIENT_TEXT_MAX], lists[1024] = "no list",
				     prefix[PREFIX_TEXT_MAX] = "";
	char since[CLI_TIME_TEXT_MAX] = "";
	const struct blocklist_group *g =
		c ? blocklist_group(o->tool.view, c->group) : NULL;
	const char *what = c ? holds_text(holds, &o->tool, c) : "nothing is said of it";
	if (!c || !c->opt_out)
		lists_text(lists, sizeof lists, &o->tool, g);
	if (c) {
		prefix_to_text(prefix, &c->prefix);
		tool_time(since, c->since);
	}
	if (o->cli.json) {
		cli_json(json_pack("{ss ss so so so ss}", "client", address, "holds",
				   what, "prefix", cli_json_text_or_null(prefix), "since",
				   cli_json_text_or_null(since), "reason",
				   cli_json_text_or_null(c ? c->reason : ""), "lists",
				   lists));
		return;
	}
	printf("%s: %s", address, what);
	if (c)
		printf(", by %s, since %s%s%s", prefix, since, *c->reason ? ": " : "",
		       c->reason);
	printf("\nlists that apply: %s\n", lists);
}

static int show_one(struct options *o, const char *text)
{
	struct blocklist_client c;
	struct addr a;
	if (addr_from_text(&a, text, strlen(text)) != ERR_OK)
		return cli_fail("client show takes an address, not \"%s\"", text);
	int found = client_find(o->tool.view, &c, &a);
	if (found < 0)
		return cli_fail("cannot read the store: %s", err_text(found));
	print_one(o, text, found ? &c : NULL);
	return CLI_DONE;
}

static int client_show(struct options *o)
{
	int status = tool_open(&o->tool, &o->cli, BLOCKLIST_READ);
	if (status != CLI_GO)
		return status;
	status = o->cli.operands_n == 1 ? show_all(o) : show_one(o, o->cli.operands[1]);
	tool_close(&o->tool);
	return status;
}

/* ---- client add, remove ---- */

static int read_prefix(struct prefix *out, const char *text)
{
	int err = prefix_from_text(out, text, strlen(text));
	if (err == ERR_INVAL)
		return tool_host_bits(text, out);
	return err ? cli_fail("\"%s\" is no address or prefix", text) : CLI_GO;
}

/* --opt-out or --group, one of them; the group's id. */
static int read_what(uint16_t *group, const struct options *o)
{
	*group = BLOCKLIST_NO_GROUP;
	if (o->opt_out == (o->group != NULL))
		return cli_fail("client %s needs --opt-out or --group NAME, one of them",
				o->cli.operands[0]);
	if (o->opt_out)
		return CLI_GO;
	const struct blocklist_group *g = blocklist_group_named(o->tool.view, o->group);
	if (!g)
		return group_missing(o->group);
	*group = g->id;
	return CLI_GO;
}

static json_t *record_of(const struct options *o)
{
	return json_pack("{so sb so}", "group",
			 cli_json_text_or_null(o->group ? o->group : ""), "opt_out",
			 o->opt_out, "reason",
			 cli_json_text_or_null(o->reason ? o->reason : ""));
}

static int client_add(struct options *o)
{
	struct blocklist_client c = {.opt_out = o->opt_out};
	char holds[CLIENT_TEXT_MAX];
	const char *text = o->cli.operands[1];
	int status = read_prefix(&c.prefix, text);
	if (status == CLI_GO && o->opt_out && opts_out_too_many(o, &c.prefix))
		status = cli_no("%s opts out more than any one subscriber has: nothing "
				"was changed; with --force it holds nevertheless",
				text);
	if (status == CLI_GO)
		status = tool_open(&o->tool, &o->cli, BLOCKLIST_WRITE);
	if (status != CLI_GO)
		return status;
	status = read_what(&c.group, o);
	if (o->reason)
		utf8_clean(c.reason, sizeof c.reason, o->reason, strlen(o->reason));
	int err = status == CLI_GO ? blocklist_client_put(o->tool.bl, &c) : ERR_OK;
	if (err)
		status = cli_fail_file(o->tool.dir, "change", err);
	else if (status == CLI_GO)
		status = tool_record(&o->tool, "client add", record_of(o));
	if (status == CLI_GO && o->cli.json)
		cli_json(json_pack("{ss ss}", "client", text, "holds",
				   holds_text(holds, &o->tool, &c)));
	else if (status == CLI_GO)
		printf("%s: %s%s\n", text, holds_text(holds, &o->tool, &c),
		       c.opt_out ? ", no list applies to it" : "");
	tool_close(&o->tool);
	return status == CLI_GO ? CLI_DONE : status;
}

static int client_remove(struct options *o)
{
	struct prefix p;
	const char *text = o->cli.operands[1];
	int status = read_prefix(&p, text);
	if (status == CLI_GO)
		status = tool_open(&o->tool, &o->cli, BLOCKLIST_WRITE);
	if (status != CLI_GO)
		return status;
	int err = blocklist_client_remove(o->tool.bl, &p);
	if (err == ERR_NOENT)
		status = cli_no("nothing is said of %s as one prefix; \"client show "
				"ADDRESS\" tells which prefix decides about an address",
				text);
	else if (err)
		status = cli_fail_file(o->tool.dir, "change", err);
	else
		status = tool_record(&o->tool, "client remove", record_of(o));
	tool_close(&o->tool);
	if (status != CLI_GO)
		return status;
	if (o->cli.json)
		cli_json(json_pack("{ss sb}", "client", text, "removed", true));
	else
		printf("%s: removed\n", text);
	return CLI_DONE;
}

/* ---- client import ---- */

struct reading {
	struct options *o;
	const char *file;
	struct blocklist_client_item *item;
	size_t n, room;
	char *last_reason; /* most files have the same one in many lines */
	char **reasons;	   /* all of them, to be freed */
	size_t reasons_n, reasons_room;
	uint64_t line, bad;
	uint16_t group; /* of the command line */
};

static void bad_line(struct reading *r, const char *text, const char *why)
{
	char clean[64];
	if (r->bad++ < BAD_LINES_SHOWN)
		fprintf(stderr, "%s:%llu: %s: %s\n", r->file, (unsigned long long)r->line,
			cli_clean(clean, sizeof clean, text), why);
}

/* Makes room for one more of size bytes; NULL: out of memory. */
static void *grown(void *array, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return array;
	size_t more = *room ? 2 * *room : 1024;
	void *p = reallocarray(array, more, size);
	if (p)
		*room = more;
	return p;
}

static int keep_reason(struct reading *r, const char **out, const char *text)
{
	*out = r->o->reason;
	if (!*text)
		return ERR_OK;
	if (!r->last_reason || strcmp(r->last_reason, text) != 0) {
		char **more = grown(r->reasons, r->reasons_n, &r->reasons_room,
				    sizeof *r->reasons);
		if (!more)
			return ERR_NOMEM;
		r->reasons = more;
		r->last_reason = strdup(text);
		if (!r->last_reason)
			return ERR_NOMEM;
		r->reasons[r->reasons_n++] = r->last_reason;
	}
	*out = r->last_reason;
	return ERR_OK;
}

/* What the line says goes before what the command line says. NULL, or what is wrong. */
static const char *line_group(struct blocklist_client_item *item, const struct reading *r,
			      const struct client_line *l)
{
	item->group = r->group;
	item->opt_out = r->o->opt_out;
	if (!*l->group)
		return r->o->opt_out || r->o->group
			       ? NULL
			       : "no group in the line, and neither --opt-out nor "
				 "--group given";
	item->opt_out = strcmp(l->group, CLIENT_LINE_OPT_OUT) == 0;
	item->group = BLOCKLIST_NO_GROUP;
	if (item->opt_out)
		return NULL;
	const struct blocklist_group *g =
		blocklist_group_named(r->o->tool.view, l->group);
	item->group = g ? g->id : BLOCKLIST_NO_GROUP;
	return g ? NULL : "there is no such group: make it with \"group set\" first";
}

static int take_line(struct reading *r, const char *text, size_t len)
{
	static const char *const why[] = {
		[CLIENT_LINE_PREFIX] = "no address or prefix",
		[CLIENT_LINE_HOST_BITS] = "bits set behind the prefix length",
		[CLIENT_LINE_GROUP] = "this cannot be a group's name",
		[CLIENT_LINE_FIELDS] = "more fields than PREFIX,GROUP,REASON, or a quote "
				       "without end",
	};
	struct client_line l;
	struct blocklist_client_item item = {.group = BLOCKLIST_NO_GROUP};
	enum client_line_error e = client_line_read(&l, text, len);
	if (e == CLIENT_LINE_NOTHING)
		return ERR_OK;
	const char *wrong = e ? why[e] : line_group(&item, r, &l);
	if (!wrong && item.opt_out && opts_out_too_many(r->o, &l.prefix))
		wrong = "opts out more than any one subscriber has; --force takes it";
	if (wrong) {
		bad_line(r, text, wrong);
		return ERR_OK;
	}
	if (r->n == BLOCKLIST_CLIENTS_IMPORT)
		return ERR_RANGE;
	struct blocklist_client_item *more =
		grown(r->item, r->n, &r->room, sizeof *r->item);
	if (!more)
		return ERR_NOMEM;
	r->item = more;
	item.prefix = l.prefix;
	int err = keep_reason(r, &item.reason, l.reason);
	if (!err)
		r->item[r->n++] = item;
	return err;
}

static int read_lines(struct reading *r, FILE *f)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t len;
	int err = ERR_OK;
	while (!err && (len = getline(&text, &room, f)) > 0) {
		r->line++;
		text[strcspn(text, "\r\n")] = 0;
		err = take_line(r, text, strlen(text));
	}
	free(text);
	if (err == ERR_RANGE)
		return cli_fail("%s has more than %d prefixes: cut it into parts",
				r->file, BLOCKLIST_CLIENTS_IMPORT);
	if (err || ferror(f))
		return cli_fail("cannot read %s: %s", r->file,
				err ? err_text(err) : strerror(errno));
	return CLI_GO;
}

static int read_file(struct reading *r)
{
	bool in = strcmp(r->file, "-") == 0;
	FILE *f = in ? stdin : fopen(r->file, "re");
	if (!f)
		return cli_fail("cannot open %s: %s", r->file, strerror(errno));
	int status = read_lines(r, f);
	if (!in)
		fclose(f);
	return status;
}

static int say_import(const struct reading *r, const struct blocklist_changes *c)
{
	if (r->o->cli.json)
		cli_json(json_pack(
			"{sI sI sI sI sI sI}", "added", (json_int_t)c->added, "changed",
			(json_int_t)c->changed, "removed", (json_int_t)c->removed,
			"unchanged", (json_int_t)c->unchanged, "duplicates",
			(json_int_t)c->duplicates, "bad_lines", (json_int_t)r->bad));
	else
		printf("%llu added, %llu changed, %llu removed, %llu unchanged\n",
		       (unsigned long long)c->added, (unsigned long long)c->changed,
		       (unsigned long long)c->removed, (unsigned long long)c->unchanged);
	if (r->bad)
		return cli_no("%llu lines were left out, the others hold",
			      (unsigned long long)r->bad);
	return CLI_DONE;
}

/* A file that is cut, or of another kind, must not take everybody's opt-out away. */
static int import_check(const struct reading *r)
{
	if (!r->n)
		return cli_no("%s has no prefix: nothing was changed", r->file);
	if (r->o->replace && r->bad)
		return cli_no("%llu lines cannot be read; with --replace that might "
			      "remove what they meant, so nothing was changed",
			      (unsigned long long)r->bad);
	return CLI_GO;
}

static int client_import(struct options *o)
{
	struct reading r = {.o = o, .file = o->cli.operands[1]};
	struct blocklist_changes changes;
	r.group = BLOCKLIST_NO_GROUP;
	int status = tool_open(&o->tool, &o->cli, BLOCKLIST_WRITE);
	if (status != CLI_GO)
		return status;
	if (o->opt_out || o->group)
		status = read_what(&r.group, o);
	if (status == CLI_GO)
		status = read_file(&r);
	if (status == CLI_GO)
		status = import_check(&r);
	if (status == CLI_GO) {
		int err = blocklist_clients_import(o->tool.bl, r.item, r.n, o->replace,
						   &changes);
		status = err ? cli_fail_file(o->tool.dir, "change", err)
			     : tool_record(&o->tool, "client import", record_of(o));
	}
	if (status == CLI_GO)
		status = say_import(&r, &changes);
	for (size_t i = 0; i < r.reasons_n; i++)
		free(r.reasons[i]);
	free(r.reasons);
	free(r.item);
	tool_close(&o->tool);
	return status;
}

int tool_client(const struct cli_command *self, int argc, char **argv)
{
	struct options o = {.group = NULL};
	const struct cli_option options[] = {
		{"opt-out", CLI_FLAG, &o.opt_out, NULL,
		 "no list applies, nothing is logged", 0, 0},
		{"group", CLI_TEXT, &o.group, "NAME", "the lists of that group apply", 0,
		 0},
		{"reason", CLI_TEXT, &o.reason, "TEXT", "kept with the prefix", 0, 0},
		{"force", CLI_FLAG, &o.force, NULL,
		 "opt out prefixes wider than /8, or /19 of IPv6", 0, 0},
		{"replace", CLI_FLAG, &o.replace, NULL,
		 "import: who is not in the file leaves its groups or opt-outs", 0, 0},
		{0},
	};
	int status = cli_parse(&o.cli, self, options, 1, 2, argc, argv);
	if (status != CLI_GO)
		return status;
	const char *word = o.cli.operands[0];
	if (strcmp(word, "show") == 0)
		return client_show(&o);
	if (o.cli.operands_n == 1 && strcmp(word, "groups") == 0)
		return group_show(&o);
	if (o.cli.operands_n == 2 && strcmp(word, "add") == 0)
		return client_add(&o);
	if (o.cli.operands_n == 2 && strcmp(word, "remove") == 0)
		return client_remove(&o);
	if (o.cli.operands_n == 2 && strcmp(word, "import") == 0)
		return client_import(&o);
	return cli_fail("client needs add PREFIX, remove PREFIX, import FILE, show or "
			"groups; see \"%s client --help\"",
			program_invocation_short_name);
}
