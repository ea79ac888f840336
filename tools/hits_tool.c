#include "tools/hits_tool.h"

#include <ldns/ldns.h>
#include <setjmp.h>
#include <signal.h>
#include <time.h>

#include "include/control.h"

enum {
	PROGRESS_EVERY_ROWS = 4096,
	SPAN_MAX_S = 1000000000, /* no log is as old; a Unix time without its @ is more */
};

int hits_parse(struct hits *h, const struct cli_command *self,
	       const struct cli_option *extra, int min, int max, int argc, char **argv)
{
	*h = (struct hits){0};
	struct cli_option options[HITS_OPTIONS_MAX] = {
		{"since", CLI_TEXT, &h->since, "TIME",
		 "hits from then on: 2h (ago), 7d, today, yesterday, or RFC 3339", 0, 0},
		{"until", CLI_TEXT, &h->until, "TIME", "hits before then", 0, 0},
		{"list", CLI_TEXT, &h->list, "NAME", "hits of this list", 0, 0},
		{"family", CLI_TEXT, &h->family, "NAME", "hits of this malware family", 0,
		 0},
		{"client", CLI_TEXT, &h->client_text, "ADDRESS|PREFIX",
		 "hits of these clients", 0, 0},
		{"name", CLI_TEXT, &h->name_text, "NAME", "questions for this name", 0,
		 0},
		{"subtree", CLI_FLAG, &h->subtree, NULL, "and for all names below it", 0,
		 0},
		{"limit", CLI_NUMBER, &h->limit, "N", "at most this many rows", 1,
		 INT32_MAX},
	};
	int n = 0;
	while (options[n].name)
		n++;
	for (; extra && extra->name && n + 1 < HITS_OPTIONS_MAX; extra++)
		options[n++] = *extra;
	return cli_parse(&h->cli, self, options, min, max, argc, argv);
}

/* "today", "yesterday", "2h" (ago), or a moment. */
static int read_time(uint64_t *out, const char *option, const char *text)
{
	int64_t t, span, now = time(NULL);
	if (strcmp(text, "now") == 0)
		t = now;
	else if (strcmp(text, "today") == 0)
		t = now / 86400 * 86400;
	else if (strcmp(text, "yesterday") == 0)
		t = now / 86400 * 86400 - 86400;
	else if (cli_span_from_text(&span, text) == ERR_OK && span >= SPAN_MAX_S)
		return cli_fail("--%s %s is more than 30 years ago; write a Unix time as "
				"@1767322800",
				option, text);
	else if (cli_span_from_text(&span, text) == ERR_OK)
		t = now - span;
	else if (cli_time_from_text(&t, text) != ERR_OK)
		return cli_fail(
			"--%s takes a time such as 2h (ago), 7d, today, yesterday, "
			"2026-01-31 or 2026-01-31T12:00:00Z, not \"%s\"",
			option, text);
	*out = t > 0 ? (uint64_t)t * 1000000 : 0;
	return CLI_GO;
}

static int read_filter(struct hits *h)
{
	int status = CLI_GO;
	if (h->since)
		status = read_time(&h->since_us, "since", h->since);
	if (status == CLI_GO && h->until) {
		status = read_time(&h->until_us, "until", h->until);
		h->until_us = h->until_us ? h->until_us : 1; /* 0 would be no end */
	}
	if (status != CLI_GO)
		return status;
	if (h->until_us && h->since_us >= h->until_us)
		return cli_fail("--until %s is not after --since %s: no hit can be "
				"between them",
				h->until, h->since);
	if (h->client_text) {
		int err = prefix_from_text(&h->client, h->client_text,
					   strlen(h->client_text));
		if (err == ERR_INVAL)
			return cli_fail("\"%s\" has bits set behind its prefix length",
					h->client_text);
		if (err)
			return cli_fail("\"%s\" is no address or prefix, such as "
					"192.0.2.1 or 2001:db8::/56",
					h->client_text);
	}
	if (h->name_text && strncmp(h->name_text, "*.", 2) == 0)
		return cli_fail("questions have no wildcards: give %s, with --subtree "
				"for the names below it",
				h->name_text + 2);
	if (h->name_text && name_from_str(h->name, h->name_text))
		return cli_fail("\"%s\" is no domain name", h->name_text);
	return CLI_GO;
}

/* A segment or rows that had to be left out: said at once, and by the exit status. */
static void on_trouble(void *arg, const char *dir, const char *segment, int err,
		       uint64_t bad)
{
	struct hits *h = arg;
	h->trouble = true;
	if (!err)
		(void)cli_no("%llu damaged records of segment %s/%s are left out",
			     (unsigned long long)bad, dir, segment);
	else if (err == ERR_VERSION)
		(void)cli_no("segment %s/%s was written by another version of sinkholed "
			     "and is left out: read it with the sinkhole-hits of that "
			     "version",
			     dir, segment);
	else if (err == ERR_ACCESS)
		(void)cli_no("cannot read segment %s/%s: permission denied; run this as "
			     "a member of the group that owns the folder (its lock file "
			     "must be writable for you)",
			     dir, segment);
	else
		(void)cli_no("segment %s/%s is %s and is left out; move it away when you "
			     "have no copy of it",
			     dir, segment, err_text(err));
}

/* Where a crash within a segment goes on; NULL outside. LMDB has no checksums: a page
 * that was damaged in a way no check sees can send it anywhere in the map. A signal
 * handler's, so it cannot be anybody's argument. */
static sigjmp_buf *volatile crash_exit;

static void on_crash(int sig)
{
	if (crash_exit)
		siglongjmp(*crash_exit, 1);
	signal(sig, SIG_DFL); /* our own fault: end as without a handler */
	raise(sig);
}

static void catch_crashes(void)
{
	/* NODEFER: the handler is left by a jump that restores no mask. */
	struct sigaction sa = {.sa_handler = on_crash, .sa_flags = SA_NODEFER};
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGABRT, &sa, NULL); /* LMDB's assertions */
}

int hits_open(struct hits *h, const char *what)
{
	int status = read_filter(h);
	if (status == CLI_GO)
		status = cli_state_path(h->dir, sizeof h->dir, &h->cli, CONTROL_HITS_DIR);
	if (status != CLI_GO)
		return status;
	struct hit_read_conf conf = {
		.dir = h->dir,
		.since_us = h->since_us,
		.until_us = h->until_us,
		.trouble = on_trouble,
		.trouble_arg = h,
	};
	int err = hit_read_open(&h->reader, &conf);
	if (err == ERR_NOENT)
		return cli_fail("there is no hit log in %s: sinkholed makes it when it "
				"starts; name its state folder with --state DIR, or its "
				"configuration with -c FILE",
				h->dir);
	if (err)
		return cli_fail_file(h->dir, "read", err);
	h->interrupted = cli_catch_interrupt();
	catch_crashes();
	cli_progress_start(&h->progress, what ? what : "");
	h->progress.on = h->progress.on && what;
	return CLI_GO;
}

static bool is_wanted(const struct hits *h, const struct hit *hit)
{
	if (h->client.addr.family && !prefix_covers(&h->client, &hit->client))
		return false;
	if (h->list && strcmp(h->list, hit->list) != 0)
		return false;
	if (h->family && strcasecmp(h->family, hit->family) != 0)
		return false;
	if (!h->name_text)
		return true;
	return h->subtree ? name_within(hit->qname, h->name)
			  : name_equal(hit->qname, h->name);
}

/* hit_read_next(), and over the rest of a segment that crashes it. */
static int read_next(struct hits *h, struct hit_row *row)
{
	sigjmp_buf here;
	if (sigsetjmp(here, 0)) {
		crash_exit = NULL;
		hit_read_abandon(h->reader);
	}
	crash_exit = &here;
	int got = hit_read_next(h->reader, row);
	crash_exit = NULL;
	return got;
}

int hits_next(struct hits *h, struct hit_row *row, int *status)
{
	while (!*h->interrupted) {
		int got = read_next(h, row);
		if (got < 0) {
			*status = cli_fail_file(h->dir, "read", got);
			return 0;
		}
		if (got == 0)
			return 0;
		if (h->rows++ % PROGRESS_EVERY_ROWS == 0)
			cli_progress_at(&h->progress, h->rows, 0);
		if (is_wanted(h, &row->hit))
			return 1;
	}
	return 0;
}

int hits_close(struct hits *h, int status)
{
	cli_progress_end(&h->progress);
	hit_read_close(h->reader);
	h->reader = NULL;
	return status == CLI_DONE && h->trouble ? CLI_NO : status;
}

char *hits_time_text(char out[HITS_TIME_TEXT_MAX], uint64_t time_us)
{
	char seconds[CLI_TIME_TEXT_MAX];
	cli_time_text(seconds, (int64_t)(time_us / 1000000));
	size_t n = strlen(seconds);
	snprintf(out, HITS_TIME_TEXT_MAX, "%.*s.%06uZ", (int)(n ? n - 1 : 0), seconds,
		 (unsigned)(time_us % 1000000));
	return out;
}

char *hits_type_text(char out[HITS_TYPE_TEXT_MAX], uint16_t type)
{
	const ldns_rr_descriptor *d = ldns_rr_descript(type);
	if (d && d->_type == type && d->_name)
		snprintf(out, HITS_TYPE_TEXT_MAX, "%s", d->_name);
	else
		snprintf(out, HITS_TYPE_TEXT_MAX, "TYPE%u", type);
	return out;
}

char *hits_rule_text(char out[DNS_NAME_TEXT_MAX], const struct hit *hit)
{
	return hit->prefix.addr.family ? prefix_to_text(out, &hit->prefix)
				       : name_to_text(out, hit->matched);
}
