/* The command that lets hits leave: export.
 * What leaves by a link is sent in sessions: dial, records, settle. Only what a session
 * has settled counts as taken; when one breaks, the next begins behind the last settled
 * record, so that nothing is lost and a record that comes twice has the same uid. */
#include <errno.h>
#include <time.h>

#include "tools/hits_format.h"
#include "tools/hits_place.h"
#include "tools/hits_syslog.h"

#define FORMATS "tsv, json, ocsf, ecs, shadowserver, cef, misp, stix or dnstap"

enum {
	PLACE_EVERY_ROWS = 1 << 16, /* what may come twice after a crash */
	SESSION_ROWS = 1 << 14,	    /* and after a broken connection */
	SESSION_MS = 5000,	    /* or what was sent in so long */
	RETRY_S = 1,
	RETRY_MAX_S = 60, /* doubles from one to the other */
	MIN_CLIENTS = 5,  /* in a sum that leaves */
};

/* What is known to have left. */
struct settled {
	struct hit_cursor at[HITS_FOLDERS_MAX];
	uint64_t told;
};

struct exporting {
	struct hits h;
	struct hits_privacy privacy;
	struct hits_out out;
	struct hits_link_conf to;
	struct hits_syslog syslog;
	const char *format_text;
	const char *place; /* NULL = not kept */
	bool follow;
	bool open;	    /* a session, or for standard output the export */
	int64_t session_ms; /* when it began */
	uint64_t told;	    /* hits */
	uint64_t lost;	    /* told of so far */
	uint64_t kept;	    /* hits read and told when the place was written */
	struct settled settled;
	unsigned retry_s; /* 0: the last session was good */
};

/* What a step ends with beside CLI_GO and an exit status. */
enum {
	BROKEN = -2, /* the session */
	MORE = -3,   /* there may be more at once */
};

static int find_format(struct exporting *x)
{
	const char *name = x->format_text  ? x->format_text
			   : x->h.cli.json ? "json"
					   : "tsv";
	const struct hits_format *f = x->out.format = hits_format_find(name);
	if (!f)
		return cli_fail("--format takes " FORMATS ", not \"%s\"", name);
	if (f->shape == HITS_DOCUMENT && x->follow)
		return cli_fail("a %s document has an end: run it at intervals, without "
				"--follow",
				name);
	if (x->to.to && f->shape != HITS_LINES && f->shape != HITS_FRAMES)
		return cli_fail("%s is for a file, not for --to: that takes json, ocsf, "
				"ecs, cef and misp, as syslog, and dnstap",
				name);
	return CLI_GO;
}

static int open_link(struct exporting *x)
{
	if (!x->to.to) {
		if (x->to.ca || x->to.name || x->to.cert)
			return cli_fail("--ca, --tls-name and --cert go with --to");
		return CLI_GO;
	}
	int status = hits_link_new(&x->out.link, &x->to);
	if (status != CLI_GO)
		return status;
	if (x->out.format->shape == HITS_FRAMES)
		return hits_link_kind(x->out.link) == HITS_LINK_UDP
			       ? cli_fail("dnstap takes a connection: tcp:, tls: or "
					  "unix:")
			       : CLI_GO;
	if (hits_syslog_init(&x->syslog))
		return cli_fail("out of memory");
	x->out.to = x->out.json.to = x->syslog.line;
	return CLI_GO;
}

/* ---- sessions ---- */

static int broken(struct exporting *x, int err)
{
	if (!x->out.link || err == ERR_NOMEM)
		return err == ERR_NOMEM
			       ? cli_fail("out of memory")
			       : cli_fail("cannot write the export: %s", strerror(errno));
	return BROKEN;
}

static int begin_session(struct exporting *x)
{
	int err = ERR_OK;
	if (x->open)
		return CLI_GO;
	if (x->out.link)
		err = hits_link_dial(x->out.link);
	x->open = true; /* its begin may have taken memory when it fails */
	x->session_ms = cli_now_ms();
	if (!err)
		err = x->out.format->begin(&x->out);
	return err ? broken(x, err) : CLI_GO;
}

/* All that was told has been taken by whoever it was for. */
static int end_session(struct exporting *x)
{
	if (!x->open)
		return CLI_GO;
	x->open = false;
	int err = x->out.format->end(&x->out);
	if (!err && x->out.link && x->out.format->shape == HITS_LINES)
		err = hits_link_settle(x->out.link);
	if (x->out.link)
		hits_link_hang_up(x->out.link);
	if (err)
		return broken(x, err);
	if (x->retry_s)
		(void)cli_no("%s takes records again", x->to.to);
	x->retry_s = 0;
	return CLI_GO;
}

static void drop_session(struct exporting *x)
{
	if (!x->open)
		return;
	if (x->out.link)
		hits_link_hang_up(x->out.link);
	(void)x->out.format->end(&x->out);
	x->open = false;
}

/* Records that retention removed before this export came to them. */
static void tell_lost(struct exporting *x)
{
	uint64_t lost = 0;
	for (int i = 0; i < x->h.folders_n; i++)
		lost += hit_read_lost(x->h.folder[i].reader);
	if (lost <= x->lost)
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
	struct settled *s = &x->settled;
	if (fflush(stdout) || ferror(stdout))
		return cli_fail("cannot write the export: %s; its place stays",
				strerror(errno));
	tell_lost(x);
	for (int i = 0; i < x->h.folders_n; i++)
		s->at[i] = x->h.folder[i].passed;
	s->told = x->told;
	uint64_t passed = x->h.rows + x->told;
	if (!x->place || x->kept == passed)
		return CLI_GO;
	x->kept = passed;
	return hits_place_write(&x->h, x->place);
}

static int settle(struct exporting *x)
{
	int status = x->out.link ? end_session(x) : CLI_GO;
	return status == CLI_GO ? keep_place(x) : status;
}

/* The collector is away: told once. Waits, and goes back to what is settled. */
static int go_back(struct exporting *x)
{
	const struct timespec tick = {.tv_nsec = HITS_FOLLOW_EVERY_MS * 1000000L};
	drop_session(x);
	if (!x->follow)
		return cli_fail("%s; %" PRIu64 " records were taken before that%s",
				hits_link_why(x->out.link), x->settled.told,
				x->place ? ", and the place is behind them" : "");
	if (!x->retry_s)
		(void)cli_no("%s; trying again until it works",
			     hits_link_why(x->out.link));
	x->retry_s = !x->retry_s		    ? RETRY_S
		     : x->retry_s < RETRY_MAX_S / 2 ? 2 * x->retry_s
						    : RETRY_MAX_S;
	int64_t until = cli_now_ms() + (int64_t)x->retry_s * 1000;
	while (cli_now_ms() < until && !*x->h.interrupted)
		nanosleep(&tick, NULL);
	x->told = x->settled.told;
	x->lost = 0;
	int status = hits_rows_again(&x->h, x->settled.at);
	return status == CLI_GO ? MORE : status;
}

/* ---- records ---- */

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
	err = x->out.format->row(&x->out, &leaves, &t);
	if (!err && x->out.link && x->out.format->shape == HITS_LINES)
		err = hits_syslog_send(&x->syslog, x->out.link, &leaves, &t);
	return err;
}

static uint64_t limit_of(const struct exporting *x)
{
	return x->h.limit ? (uint64_t)x->h.limit : UINT64_MAX;
}

/* No more is wanted, beside what there is now. */
static bool is_over(const struct exporting *x)
{
	return !x->follow || x->told == limit_of(x) || *x->h.interrupted;
}

/* All there is for now, as far as a session may hold it. */
static int some_rows(struct exporting *x)
{
	struct hit_row row;
	int status = CLI_DONE;
	uint64_t end = x->settled.told + (x->out.link ? SESSION_ROWS : PLACE_EVERY_ROWS);
	while (x->told < limit_of(x) && x->told < end &&
	       hits_next(&x->h, &row, &status)) {
		int began = begin_session(x);
		if (began != CLI_GO)
			return began;
		int err = export_row(x, &row);
		if (err)
			return broken(x, err);
	}
	return status != CLI_DONE ? status : x->told == end ? MORE : CLI_GO;
}

/* The end of standard output, and of a document, is the caller's. */
static bool is_to_settle(const struct exporting *x, int status)
{
	bool last = status == CLI_GO && is_over(x);
	if (!x->out.link)
		return !last && x->out.format->shape != HITS_DOCUMENT;
	return status == MORE || last || cli_now_ms() - x->session_ms >= SESSION_MS;
}

/* Oldest first; with --follow for ever. */
static int stream(struct exporting *x)
{
	const struct timespec pause = {.tv_nsec = HITS_FOLLOW_EVERY_MS * 1000000L};
	for (;;) {
		int status = some_rows(x), settled = CLI_GO;
		if ((status == MORE || status == CLI_GO) && is_to_settle(x, status))
			settled = settle(x);
		status = settled == CLI_GO ? status : settled;
		if (status == CLI_GO && is_over(x))
			return CLI_DONE;
		if (status == BROKEN)
			status = go_back(x);
		if (status >= CLI_DONE)
			return status;
		if (status == CLI_GO)
			nanosleep(&pause, NULL);
	}
}

static int export_all(struct exporting *x)
{
	int status = CLI_GO;
	if (x->place)
		status = hits_place_read(&x->h, x->place, &x->out.goes_on);
	for (int i = 0; i < x->h.folders_n; i++)
		x->settled.at[i] = x->h.folder[i].passed;
	if (status == CLI_GO && !x->out.link)
		status = begin_session(x);
	if (status != CLI_GO)
		return status;
	if (x->follow || x->place || x->out.link)
		status = stream(x);
	else
		status = hits_tell_rows(&x->h, export_row, x);
	if (x->out.link || status != CLI_DONE) {
		drop_session(x);
		return status;
	}
	status = end_session(x);
	if (status == CLI_GO && x->place)
		status = keep_place(x);
	return status == CLI_GO ? CLI_DONE : status;
}

static int export_rows(struct exporting *x)
{
	int status = find_format(x);
	if (status == CLI_GO)
		status = hits_privacy_open(&x->privacy);
	if (status == CLI_GO)
		status = open_link(x);
	if (status == CLI_GO)
		status =
			hits_rows_open(&x->h, x->h.limit && !x->place ? "reading" : NULL);
	if (status == CLI_GO)
		status = export_all(x);
	hits_privacy_fini(&x->privacy);
	hits_syslog_fini(&x->syslog);
	hits_link_free(x->out.link);
	return hits_close(&x->h, status);
}

int hits_export(const struct cli_command *self, int argc, char **argv)
{
	struct exporting x = {.out = {.to = stdout, .json.to = stdout}};
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
		{"to", CLI_TEXT, &x.to.to, "WHERE",
		 "tls:HOST@PORT, tcp:HOST@PORT, udp:HOST@PORT or unix:PATH: syslog, or "
		 "Frame Streams for dnstap",
		 0, 0},
		{"ca", CLI_TEXT, &x.to.ca, "FILE",
		 "authorities of the collector's certificate; default the system's", 0,
		 0},
		{"tls-name", CLI_TEXT, &x.to.name, "NAME",
		 "that this certificate must have; default HOST", 0, 0},
		{"cert", CLI_TEXT, &x.to.cert, "FILE",
		 "our own certificate and its key, when the collector asks", 0, 0},
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
	if (status != CLI_GO)
		return status;
	x.out.privacy = p;
	if (!sums)
		return export_rows(&x);
	if (x.format_text || x.place || x.follow || x.to.to)
		return cli_fail("sums are a table or --json, and have an end: no "
				"--format, --place, --follow or --to");
	return hits_print_top(&x.h, sums, min_clients, true);
}
