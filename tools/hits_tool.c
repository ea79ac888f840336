#include "tools/hits_tool.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "include/control.h"
#include "tools/hits_guard.h"
#include "tools/hits_pick.h"

enum {
	PROGRESS_EVERY_ROWS = 4096,
	/* Of processor time; who takes more lets the resolver go first. */
	WORK_MAX_S = 1,
	SPAN_MAX_S = 1000000000, /* no log is as old; a Unix time without its @ is more */
};

int hits_parse(struct hits *h, const struct cli_command *self,
	       const struct cli_option *extra, int min, int max, int argc, char **argv)
{
	memset(h, 0, sizeof *h);
	h->filter.action = h->filter.trigger = -1;
	struct cli_option options[HITS_OPTIONS_MAX] = {
		{"since", CLI_TEXT, &h->since, "TIME",
		 "hits from then on: 2h (ago), 7d, today, yesterday, or RFC 3339", 0, 0},
		{"until", CLI_TEXT, &h->until, "TIME", "hits before then", 0, 0},
		{"list", CLI_TEXT, &h->filter.list, "NAME", "hits of this list", 0, 0},
		{"family", CLI_TEXT, &h->filter.family, "NAME",
		 "hits of this malware family", 0, 0},
		{"category", CLI_TEXT, &h->filter.category, "NAME",
		 "hits of this category", 0, 0},
		{"entry", CLI_TEXT, &h->entry_text, "NAME|PREFIX|ID",
		 "hits of this entry of the blocklist", 0, 0},
		{"action", CLI_TEXT, &h->action_text, "ACTION",
		 "hits that were answered so: address, nxdomain, monitor, ...", 0, 0},
		{"trigger", CLI_TEXT, &h->trigger_text, "WHAT",
		 "client, name, answer, ns-name or ns-address", 0, 0},
		{"client", CLI_TEXT, &h->client_text, "ADDR|PREFIX",
		 "hits of these clients", 0, 0},
		{"name", CLI_TEXT, &h->name_text, "NAME", "questions for this name", 0,
		 0},
		{"subtree", CLI_FLAG, &h->filter.subtree, NULL,
		 "and for all names below it", 0, 0},
		{"limit", CLI_NUMBER, &h->limit, "N", "at most this many rows", 1,
		 INT32_MAX},
		{"hits", CLI_TEXT, &h->folders_text, "DIR[,DIR...]",
		 "hits folders, of any number of nodes, instead of the state folder's", 0,
		 0},
	};
	int n = 0;
	while (options[n].name)
		n++;
	for (; extra && extra->name && n + 1 < HITS_OPTIONS_MAX; extra++)
		options[n++] = *extra;
	return cli_parse(&h->cli, self, options, min, max, argc, argv);
}

/* "today", "yesterday", "2h" (ago), or a moment. */
int hits_time(uint64_t *out, const char *option, const char *text)
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

int hits_client_text(struct prefix *out, const char *text)
{
	int err = prefix_from_text(out, text, strlen(text));
	if (err == ERR_INVAL)
		return cli_fail("\"%s\" has bits set behind its prefix length", text);
	if (err)
		return cli_fail("\"%s\" is no address or prefix, such as "
				"192.0.2.1 or 2001:db8::/56",
				text);
	return CLI_GO;
}

/* A number, a prefix, or a name. */
static int read_entry(struct hits *h)
{
	const char *text = h->entry_text;
	char *end;
	h->filter.entry = strtoull(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && h->filter.entry)
		return CLI_GO;
	h->filter.entry = 0;
	if (prefix_from_text(&h->filter.rule_prefix, text, strlen(text)) == ERR_OK)
		return CLI_GO;
	h->filter.rule_prefix = (struct prefix){0};
	if (name_from_str(h->matched, text))
		return cli_fail("\"%s\" is no name, prefix or number of an entry", text);
	h->filter.matched = h->matched;
	return CLI_GO;
}

static int read_trigger(struct hits *h)
{
	for (int t = RULE_ON_CLIENT; t < RULE_TRIGGER_N; t++)
		if (strcmp(h->trigger_text, rule_trigger_text((enum rule_trigger)t)) == 0)
			h->filter.trigger = t;
	if (h->filter.trigger < 0)
		return cli_fail("--trigger takes client, name, answer, ns-name or "
				"ns-address, not \"%s\"",
				h->trigger_text);
	return CLI_GO;
}

static int read_name(struct hits *h)
{
	if (strncmp(h->name_text, "*.", 2) == 0)
		return cli_fail("questions have no wildcards: give %s, with --subtree "
				"for the names below it",
				h->name_text + 2);
	if (name_from_str(h->name, h->name_text))
		return cli_fail("\"%s\" is no domain name", h->name_text);
	h->filter.name = h->name;
	return CLI_GO;
}

static int read_filter(struct hits *h)
{
	int status = CLI_GO;
	if (h->since)
		status = hits_time(&h->since_us, "since", h->since);
	if (status == CLI_GO && h->until) {
		status = hits_time(&h->until_us, "until", h->until);
		h->until_us = h->until_us ? h->until_us : 1; /* 0 would be no end */
	}
	if (status != CLI_GO)
		return status;
	if (h->until_us && h->since_us >= h->until_us)
		return cli_fail("--until %s is not after --since %s: no hit can be "
				"between them",
				h->until, h->since);
	if (h->client_text)
		status = hits_client_text(&h->filter.client, h->client_text);
	if (status == CLI_GO && h->entry_text)
		status = read_entry(h);
	if (status == CLI_GO && h->action_text &&
	    (h->filter.action = rule_action_from_text(h->action_text)) < 0)
		status = cli_fail("--action takes address, nxdomain, nodata, refuse, "
				  "drop, tcp-only, local-data, cname or monitor, not "
				  "\"%s\"",
				  h->action_text);
	if (status == CLI_GO && h->trigger_text)
		status = read_trigger(h);
	if (status == CLI_GO && h->name_text)
		status = read_name(h);
	return status;
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

/* From here on a thread takes only the processor time that nobody else wants, unless it
 * was started under a policy of its own. */
static void only_idle_time(pid_t thread)
{
	const struct sched_param none = {0};
	if (sched_getscheduler(thread) == SCHED_OTHER)
		(void)sched_setscheduler(thread, SCHED_IDLE, &none);
}

/* The main thread's number is the process's. */
static void give_way(int sig)
{
	(void)sig;
	only_idle_time(0);
	only_idle_time(getpid());
}

/* Of two threads the second one takes the signal, for both. */
static void mask_give_way(int how)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGPROF);
	pthread_sigmask(how, &signals, NULL);
}

/* Long work beside a resolver must not slow its commits. */
static void give_way_later(void)
{
	struct sigaction sa = {.sa_handler = give_way, .sa_flags = SA_RESTART};
	const struct itimerval once = {.it_value = {.tv_sec = WORK_MAX_S}};
	sigaction(SIGPROF, &sa, NULL);
	setitimer(ITIMER_PROF, &once, NULL);
}

/* The folders that --hits names, else the state's. */
static int find_folders(struct hits *h)
{
	if (!h->folders_text) {
		h->dir[0] = h->folders;
		h->folders_n = 1;
		return cli_state_path(h->folders, HITS_PATH_MAX, &h->cli,
				      CONTROL_HITS_DIR);
	}
	if (strlen(h->folders_text) >= sizeof h->folders)
		return cli_fail("--hits names too many folders");
	char *p = strcpy(h->folders, h->folders_text), *next;
	for (; p; p = next) {
		next = strchr(p, ',');
		if (next)
			*next++ = 0;
		if (!*p)
			continue;
		if (h->folders_n == HITS_FOLDERS_MAX)
			return cli_fail("--hits takes at most %d folders",
					HITS_FOLDERS_MAX);
		h->dir[h->folders_n++] = p;
	}
	return h->folders_n ? CLI_GO : cli_fail("--hits names no folder");
}

static int begin(struct hits *h)
{
	int status = read_filter(h);
	if (status == CLI_GO)
		status = find_folders(h);
	h->interrupted = cli_catch_interrupt();
	hits_guard_start();
	give_way_later();
	return status;
}

static int cannot_open(const char *dir, int err)
{
	if (err == ERR_NOENT)
		return cli_fail("there is no hit log in %s: sinkholed makes it when it "
				"starts; name its state folder with --state DIR, or its "
				"configuration with -c FILE",
				dir);
	return cli_fail_file(dir, "read", err);
}

static int open_folder(struct hits *h, int i)
{
	struct hit_read_conf conf = {
		.dir = h->dir[i],
		.since_us = h->since_us,
		.until_us = h->until_us,
		.guard = hits_guard,
		.trouble = on_trouble,
		.trouble_arg = h,
		.client = h->filter.client.addr.family ? &h->filter.client : NULL,
		.pick = hits_pick,
		.pick_arg = &h->filter,
	};
	int err = hit_read_open(&h->folder[i].reader, &conf);
	return err ? cannot_open(h->dir[i], err) : CLI_GO;
}

int hits_rows_open(struct hits *h, const char *what)
{
	int status = begin(h);
	for (int i = 0; status == CLI_GO && i < h->folders_n; i++)
		status = open_folder(h, i);
	cli_progress_start(&h->progress, what ? what : "");
	h->progress.on = h->progress.on && what;
	return status;
}

void hits_rows_after(struct hits *h, int folder, struct hit_cursor at)
{
	h->folder[folder].passed = at;
	hit_read_after(h->folder[folder].reader, at);
}

int hits_rows_again(struct hits *h, const struct hit_cursor *after)
{
	int status = CLI_GO;
	for (int i = 0; status == CLI_GO && i < h->folders_n; i++) {
		hit_read_close(h->folder[i].reader);
		h->folder[i] = (struct hits_folder){0};
		status = open_folder(h, i);
		if (status == CLI_GO)
			hits_rows_after(h, i, after[i]);
	}
	return status;
}

static bool is_wanted(const struct hits *h, const struct hit *hit)
{
	const struct hits_filter *f = &h->filter;
	if (f->client.addr.family && !prefix_covers(&f->client, &hit->client))
		return false;
	if (!hits_rule_wanted(f, hit, true))
		return false;
	if (!f->name)
		return true;
	return f->subtree ? name_within(hit->qname, f->name)
			  : name_equal(hit->qname, f->name);
}

bool hits_is_filtered(const struct hits *h)
{
	const struct hits_filter *f = &h->filter;
	return h->since || h->until || f->list || f->family || f->category ||
	       h->entry_text || h->action_text || h->trigger_text || h->name_text ||
	       h->limit;
}

struct reading {
	struct hit_reader *reader;
	struct hit_row *row;
	int got;
};

static int read_it(void *arg)
{
	struct reading *r = arg;
	r->got = hit_read_next(r->reader, r->row);
	return ERR_OK;
}

/* hit_read_next(), and over the rest of a segment that crashes it. */
static int read_next(struct hit_reader *reader, struct hit_row *row)
{
	struct reading r = {reader, row, 0};
	while (hits_guard(read_it, &r))
		hit_read_abandon(reader);
	return r.got;
}

/* The folder's next wanted row: 1, 0, or an error. */
static int fill(struct hits *h, struct hits_folder *f)
{
	while (!f->has && !*h->interrupted) {
		int got = read_next(f->reader, &f->row);
		if (got <= 0)
			return got;
		if (h->rows++ % PROGRESS_EVERY_ROWS == 0)
			cli_progress_at(&h->progress, h->rows, 0);
		f->has = is_wanted(h, &f->row.hit);
		if (!f->has)
			f->passed = f->row.at;
	}
	return 1;
}

int hits_next(struct hits *h, struct hit_row *row, int *status)
{
	struct hits_folder *first = NULL;
	for (int i = 0; i < h->folders_n; i++) {
		struct hits_folder *f = &h->folder[i];
		int got = fill(h, f);
		if (got < 0) {
			*status = cli_fail_file(h->dir[i], "read", got);
			return 0;
		}
		if (f->has && (!first || f->row.hit.time_us < first->row.hit.time_us))
			first = f;
	}
	if (!first || *h->interrupted)
		return 0;
	*row = first->row;
	first->has = false;
	first->passed = row->at;
	return 1;
}

int hits_sums_open(struct hits *h, uint64_t since_us)
{
	int status = begin(h);
	if (status != CLI_GO)
		return status;
	for (int i = 0; i < h->folders_n; i++)
		if (access(h->dir[i], R_OK | X_OK))
			return cannot_open(h->dir[i],
					   errno == ENOENT ? ERR_NOENT : ERR_ACCESS);
	since_us = since_us < h->since_us ? since_us : h->since_us;
	int err = hits_log_open(&h->log, h->dir, &h->filter, since_us, on_trouble, h);
	return err ? cli_fail_file(h->dir[0], "read", err) : CLI_GO;
}

/* ---- adding up, by two threads ---- */

/* What a thread does to segments of the queue. */
typedef int adding_fn(struct hits_log *log, const struct hits_scan *scan,
		      struct hits_queue *queue, bool from_end);

struct adding_up {
	struct hits_log *log;
	struct hits_scan scan;
	adding_fn *fn;
	struct hits_queue *queue;
	bool late; /* the second thread, which takes segments from the end */
	int err;
};

static void work(struct adding_up *a)
{
	a->err = a->fn(a->log, &a->scan, a->queue, a->late);
}

static void *work_late(void *arg)
{
	mask_give_way(SIG_UNBLOCK);
	work(arg);
	return NULL;
}

/* By two threads, or one when that is all there is. */
static bool work_on(struct adding_up *a, struct adding_up *late, adding_fn *fn)
{
	struct hits_queue queue = {.lock = PTHREAD_MUTEX_INITIALIZER,
				   .end = a->log->segments};
	pthread_t thread;
	a->fn = late->fn = fn;
	a->queue = late->queue = &queue;
	mask_give_way(SIG_BLOCK);
	bool two = late->scan.arg && a->log->segments > 1 &&
		   pthread_create(&thread, NULL, work_late, late) == 0;
	work(a);
	if (two)
		pthread_join(thread, NULL);
	mask_give_way(SIG_UNBLOCK);
	a->err = a->err ? a->err : late->err;
	return !a->err;
}

int hits_add_up(struct hits *h, struct hits_scan *scan)
{
	scan->interrupted = h->interrupted;
	struct adding_up a = {.log = &h->log, .scan = *scan};
	struct adding_up late = a;
	late.late = true;
	late.scan.arg = scan->arg_late;
	int err = ERR_OK;
	if (work_on(&a, &late, hits_scan_load))
		err = hits_scan_map(&h->log, scan);
	if (!a.err && !err && scan->ready)
		err = scan->ready(scan->arg);
	if (!a.err && !err)
		(void)work_on(&a, &late, hits_scan);
	err = err ? err : a.err;
	if (err == ERR_STOPPED)
		return cli_fail("interrupted");
	if (err == ERR_NOMEM)
		return cli_fail("out of memory: narrow it with --since and --until");
	return err ? cli_fail_file(h->dir[0], "read", err) : CLI_GO;
}

int hits_close(struct hits *h, int status)
{
	cli_progress_end(&h->progress);
	for (int i = 0; i < h->folders_n; i++)
		hit_read_close(h->folder[i].reader);
	hits_log_close(&h->log);
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

char *hits_rule_text(char out[DNS_NAME_TEXT_MAX], const struct hit *hit)
{
	return hit->prefix.addr.family ? prefix_to_text(out, &hit->prefix)
				       : name_to_text(out, hit->matched);
}

char *hits_client_name(char out[PREFIX_TEXT_MAX], uint64_t client)
{
	struct prefix p = hit_client_prefix(client);
	return p.addr.family == 4 ? addr_to_text(out, &p.addr) : prefix_to_text(out, &p);
}

char *hits_number(char out[HITS_NUMBER_TEXT_MAX], uint64_t v)
{
	snprintf(out, HITS_NUMBER_TEXT_MAX, "%llu", (unsigned long long)v);
	return out;
}

struct cli_table *hits_table(struct hits_headings *used, const struct hits *h,
			     const struct cli_column *columns)
{
	static const char *const utc[][2] = {
		{"time", "time (UTC)"}, {"first", "first (UTC)"}, {"last", "last (UTC)"}};
	int n = 0;
	for (; n < CLI_COLUMNS_MAX && columns[n].name; n++) {
		used->column[n] = columns[n];
		for (size_t i = 0; i < 3 && !h->cli.json; i++)
			if (strcmp(used->column[n].name, utc[i][0]) == 0)
				used->column[n].name = utc[i][1];
	}
	used->column[n].name = NULL;
	return cli_table_open(used->column, h->cli.json);
}

void hits_note(const struct hits *h, const char *format, ...)
{
	va_list args;
	if (h->cli.json || !isatty(STDERR_FILENO))
		return;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
}
