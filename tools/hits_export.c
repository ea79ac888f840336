/* The command that lets hits leave: export. */
#include <time.h>

#include "tools/hits_format.h"

struct exporting {
	struct hits h;
	struct hits_privacy privacy;
	struct hits_out out;
	const char *format_text;
	bool follow;
};

static int find_format(struct exporting *x)
{
	const char *name = x->format_text  ? x->format_text
			   : x->h.cli.json ? "json"
					   : "tsv";
	for (const struct hits_format *f = hits_formats; f->name; f++)
		if (strcmp(f->name, name) == 0)
			x->out.format = f;
	if (!x->out.format)
		return cli_fail("--format takes tsv, json, ocsf, ecs, shadowserver, cef "
				"or misp, not \"%s\"",
				name);
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
	return x->out.format->row(&x->out, &leaves, &t);
}

static int follow(struct exporting *x)
{
	const struct timespec pause = {.tv_nsec = HITS_FOLLOW_EVERY_MS * 1000000L};
	struct hits *h = &x->h;
	struct hit_row row;
	int status = CLI_DONE;
	while (status == CLI_DONE && !*h->interrupted && !ferror(stdout)) {
		while (hits_next(h, &row, &status))
			if (export_row(x, &row))
				return cli_fail("out of memory");
		fflush(stdout);
		nanosleep(&pause, NULL);
	}
	return status;
}

int hits_export(const struct cli_command *self, int argc, char **argv)
{
	struct exporting x = {.out.json.to = stdout, .out.privacy = &x.privacy};
	struct hits_privacy *p = &x.privacy;
	const struct cli_option extra[] = {
		{"format", CLI_TEXT, &x.format_text, "FORMAT",
		 "tsv, json, ocsf, ecs, shadowserver, cef or misp", 0, 0},
		{"key", CLI_TEXT, &p->key_file, "FILE",
		 "the key of the pseudonyms; default " HITS_KEY_FILE, 0, 0},
		{"purpose", CLI_TEXT, &p->purpose, "CODE",
		 "with --case: show the clients, and say why in every record", 0, 0},
		{"case", CLI_TEXT, &p->case_number, "NUMBER", "the case they are for", 0,
		 0},
		{"follow", CLI_FLAG, &x.follow, NULL, "go on with new hits until Ctrl-C",
		 0, 0},
		{0},
	};
	int status = hits_parse(&x.h, self, extra, 0, 0, argc, argv);
	if (status == CLI_GO)
		status = find_format(&x);
	if (status == CLI_GO)
		status = hits_privacy_open(p);
	if (status == CLI_GO)
		status = hits_rows_open(&x.h, x.h.limit ? "reading" : NULL);
	if (status == CLI_GO && x.out.format->begin(&x.out))
		status = cli_fail("out of memory");
	if (status == CLI_GO) {
		status = x.follow ? follow(&x) : hits_tell_rows(&x.h, export_row, &x);
		x.out.format->end(&x.out);
	}
	hits_privacy_fini(p);
	return hits_close(&x.h, status);
}
