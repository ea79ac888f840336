/* The command that lets hits leave: export. */
#include <errno.h>
#include <time.h>

#include "tools/hits_format.h"
#include "tools/hits_place.h"

#define FORMATS "tsv, json, ocsf, ecs, shadowserver, cef, misp or stix"

enum {
	PLACE_EVERY_ROWS = 1 << 16, /* what may come twice after a crash */
	MIN_CLIENTS = 5,	    /* in a sum that leaves */
};

struct exporting {
	struct hits h;
	struct hits_privacy privacy;
	struct hits_out out;
	const char *format_text;
	const char *place; /* NULL = not kept */
	bool follow;
	uint64_t told; /* hits */
	uint64_t lost; /* told of so far */
	uint64_t kept; /* hits read and told when the place was written */
};

static int find_format(struct exporting *x)
{
	const char *name = x->format_text  ? x->format_text
			   : x->h.cli.json ? "json"
					   : "tsv";
	x->out.format = hits_format_find(name);
	if (!x->out.format)
		return cli_fail("--format takes " FORMATS ", not \"%s\"", name);
	if (x->out.format->whole && x->follow)
		return cli_fail("a %s document has an end: run it at intervals, without "
				"--follow",
				name);
	return CLI_GO;
}

static int export_row(void *arg, const struct hit_row *row)
{
	struct exporting *x = arg;
	struct hit_row leaves = *row;
	struct hits_texts t;
	int err = hits_privacy_row(&x->privacy, &leaves);
	if (err)
		return err;
	hits_texts(&t, &leaves);
	x->told++;
	return x->out.format->row(&x->out, &leaves, &t);
}

/* Records that retention removed before this export came to them. */
static void tell_lost(struct exporting *x)
{
	uint64_t lost = 0;
	for (int i = 0; i < x->h.folders_n; i++)
		lost += hit_read_lost(x->h.folder[i].reader);
	if (lost == x->lost)
		return;
	x->lost = lost;
	x->h.trouble = true;
	(void)cli_no("%" PRIu64 " records were removed by retention before they were "
		     "exported: export more often, or keep more",
		     lost);
}

/* All that was told has left this process; only then the place moves. */
static int keep_place(struct exporting *x)
{
	if (fflush(stdout) || ferror(stdout))
		return cli_fail("cannot write the export: %s; its place stays",
				strerror(errno));
	tell_lost(x);
	uint64_t passed = x->h.rows + x->told;
	if (!x->place || x->kept == passed)
		return CLI_GO;
	x->kept = passed;
	return hits_place_write(&x->h, x->place);
}

/* Oldest first; with --follow for ever. Where it ends, the place is kept by the caller:
 * after the format's own end. */
static int stream(struct exporting *x)
{
	const struct timespec pause = {.tv_nsec = HITS_FOLLOW_EVERY_MS * 1000000L};
	struct hits *h = &x->h;
	struct hit_row row;
	uint64_t limit = h->limit ? (uint64_t)h->limit : UINT64_MAX;
	int status = CLI_DONE;
	for (;;) {
		while (x->told < limit && hits_next(h, &row, &status)) {
			if (export_row(x, &row))
				return cli_fail("out of memory");
			if (x->told % PLACE_EVERY_ROWS == 0 && !x->out.format->whole &&
			    keep_place(x) != CLI_GO)
				return CLI_FAULT;
		}
		if (!x->follow || x->told == limit || status != CLI_DONE ||
		    *h->interrupted)
			return status;
		if (keep_place(x) != CLI_GO)
			return CLI_FAULT;
		nanosleep(&pause, NULL);
	}
}

static int export_all(struct exporting *x)
{
	int status = CLI_GO;
	if (x->place)
		status = hits_place_read(&x->h, x->place, &x->out.goes_on);
	if (status != CLI_GO)
		return status;
	if (x->out.format->begin(&x->out))
		status = cli_fail("out of memory");
	else if (x->follow || x->place)
		status = stream(x);
	else
		status = hits_tell_rows(&x->h, export_row, x);
	x->out.format->end(&x->out);
	if (x->place && status == CLI_DONE && keep_place(x) != CLI_GO)
		status = CLI_FAULT;
	return status;
}

int hits_export(const struct cli_command *self, int argc, char **argv)
{
	struct exporting x = {.out.json.to = stdout, .out.privacy = &x.privacy};
	struct hits_privacy *p = &x.privacy;
	const char *sums = NULL;
	long min_clients = MIN_CLIENTS;
	const struct cli_option extra[] = {
		{"format", CLI_TEXT, &x.format_text, "FORMAT", FORMATS, 0, 0},
		{"key", CLI_TEXT, &p->key_file, "FILE",
		 "the key of the pseudonyms; default " HITS_KEY_FILE, 0, 0},
		{"purpose", CLI_TEXT, &p->purpose, "CODE",
		 "with --case: show the clients, and say why in every record", 0, 0},
		{"case", CLI_TEXT, &p->case_number, "NUMBER", "the case they are for", 0,
		 0},
		{"follow", CLI_FLAG, &x.follow, NULL, "go on with new hits until Ctrl-C",
		 0, 0},
		{"sums", CLI_TEXT, &sums, "KIND",
		 "not hits but sums: entries, families, lists, categories or actions", 0,
		 0},
		{"min-clients", CLI_NUMBER, &min_clients, "K",
		 "with --sums: withhold what fewer clients asked for; default 5", 0,
		 INT32_MAX},
		{"place", CLI_TEXT, &x.place, "FILE",
		 "keep there how far this export has come, and go on from it", 0, 0},
		{0},
	};
	int status = hits_parse(&x.h, self, extra, 0, 0, argc, argv);
	if (status == CLI_GO && sums && (x.format_text || x.place || x.follow))
		return cli_fail(
			"sums are a table or --json, and have an end: no --format, "
			"--place or --follow");
	if (status == CLI_GO && sums)
		return hits_print_top(&x.h, sums, min_clients, true);
	if (status == CLI_GO)
		status = find_format(&x);
	if (status == CLI_GO)
		status = hits_privacy_open(p);
	if (status == CLI_GO)
		status = hits_rows_open(&x.h, x.h.limit && !x.place ? "reading" : NULL);
	if (status == CLI_GO)
		status = export_all(&x);
	hits_privacy_fini(p);
	return hits_close(&x.h, status);
}
