/* The command that erases clients: forget.
 * A segment that is no longer written is written anew, row by row, and put in place of
 * the old one; the resolver is asked to end the one it writes. A forgotten row keeps its
 * number, sequence, time and rule, so that counts, the places of exports and the proof
 * that nothing is missing hold; its client is 0.0.0.0 or ::, its question the rule's
 * name. Killed at any moment, each segment is the old one or the new one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "include/conf.h"
#include "include/control.h"
#include "tools/ctl_ask.h"
#include "tools/hits_copy.h"
#include "tools/hits_guard.h"
#include "tools/hits_tool.h"

#define FORGOTTEN_FILE "forgotten" /* in the hits folder */

enum {
	REASON_MAX = 512,
	RINGS_MAX = 4096,	/* of one segment: workers times starts in a day */
	SPARE_BYTES = 64 << 20, /* a new file may be packed a little worse */
	ROTATE_WAIT_MS = 10000, /* it takes a commit */
};

struct forgetting {
	struct hits h;
	const struct prefix *client;
	const char *socket, *reason;
	/* of the folder */
	const char *dir;
	int note;      /* its file FORGOTTEN_FILE, locked */
	uint64_t rows; /* erased */
	bool ordered;  /* the resolver was asked to end its segment */
	/* of all */
	uint64_t all_rows, left; /* erased; not yet */
};

static void erase(struct hit *h)
{
	h->client = (struct addr){.family = h->client.family};
	h->proxy = (struct addr){0};
	if (h->trigger == RULE_ON_CLIENT)
		h->prefix = (struct prefix){.addr.family = h->prefix.addr.family};
	name_copy(h->qname, h->matched);
}

/* Tells every row to fn. */
typedef int row_fn(void *arg, struct hit *h);

static int each_row(struct hit_read_segment *of, row_fn *fn, void *arg)
{
	struct hit_rows page;
	struct hit h;
	uint32_t rule;
	uint64_t at = hit_store_segment(of->store)->first_row;
	enum hit_page_which which = HIT_PAGE_AT;
	int got, err = ERR_OK;
	while (!err && at < of->end &&
	       (got = hit_store_rows(of->store, &page, at, which)) != 0) {
		if (got < 0)
			return got;
		at = page.first;
		which = HIT_PAGE_AFTER;
		while (!err && (got = hit_rows_next(&page, &h, &rule,
						    hit_store_words(of->store), NULL))) {
			if (page.first + page.at - 1 >= of->end)
				break;
			err = got < 0 ? got : fn(arg, &h);
		}
	}
	return err;
}

struct counting {
	const struct prefix *client;
	struct hit_read_segment *of;
	uint64_t n;
};

static int count_row(void *arg, struct hit *h)
{
	struct counting *c = arg;
	c->n += prefix_covers(c->client, &h->client);
	return ERR_OK;
}

static int count_rows(void *arg)
{
	struct counting *c = arg;
	return each_row(c->of, count_row, c);
}

struct rewriting {
	const struct prefix *client;
	struct hit_read_segment *of;
	const char *path; /* of the new file */
	struct hits_copy copy;
};

static int copy_row(void *arg, struct hit *h)
{
	struct rewriting *r = arg;
	if (prefix_covers(r->client, &h->client))
		erase(h);
	return hits_copy_put(&r->copy, h, NULL);
}

static int rings_of(struct hit_store *s, struct hit_position **out)
{
	struct hit_ring_rows r = {0};
	int n = 0;
	*out = calloc(RINGS_MAX, sizeof **out);
	if (!*out)
		return ERR_NOMEM;
	while (hit_store_next_ring(s, &r, r.at.boot, r.at.worker) == 1) {
		if (n == RINGS_MAX)
			return ERR_RANGE;
		(*out)[n++] = r.at;
	}
	return n;
}

static int copy_rows(void *arg)
{
	struct rewriting *r = arg;
	struct hit_segment first = *hit_store_segment(r->of->store);
	struct hit_position *rings;
	uint64_t rows = r->of->end - first.first_row;
	int n = rings_of(r->of->store, &rings);
	int err = n < 0 ? n
			: hits_copy_open(&r->copy, r->path,
					 2 * r->of->file.bytes + SPARE_BYTES, &first,
					 rings, n);
	if (!err && n > 0 && first.no_room)
		err = hits_copy_no_room(&r->copy, &rings[0], first.no_room);
	free(rings);
	if (!err)
		err = each_row(r->of, copy_row, r);
	if (!err && r->copy.rows != rows)
		err = ERR_DAMAGED; /* rows would change their numbers */
	return err;
}

static int write_anew(struct hit_read_segment *of, const char *path,
		      const struct prefix *client)
{
	struct rewriting r = {.client = client, .of = of, .path = path};
	int err = hits_guard(copy_rows, &r);
	int end = hits_copy_close(&r.copy, !err);
	return err ? err : end;
}

static int put_in_place(const char *dir, const char *name)
{
	char old[HITS_PATH_MAX], fresh[HITS_PATH_MAX + 8];
	struct stat st;
	static const char *const part[] = {"", "-lock"};
	for (int i = 1; i >= 0; i--) {
		snprintf(old, sizeof old, "%s/%s%s", dir, name, part[i]);
		snprintf(fresh, sizeof fresh, "%s/%s" HIT_STORE_NEW "%s", dir, name,
			 part[i]);
		if (stat(old, &st) == 0 && chown(fresh, st.st_uid, st.st_gid))
			return ERR_IO;
		if (rename(fresh, old))
			return ERR_IO;
	}
	return hits_sync_folder(dir);
}

/* A full disk would hold up the resolver, too. */
static bool has_room(const char *dir, uint64_t bytes)
{
	struct statvfs v;
	return statvfs(dir, &v) ||
	       (uint64_t)v.f_bavail * v.f_frsize > bytes + SPARE_BYTES;
}

static int replace(struct forgetting *x, struct hit_read_segment *of, uint64_t rows)
{
	char name[64], path[HITS_PATH_MAX];
	if (!has_room(x->dir, of->file.bytes))
		return ERR_FULL;
	snprintf(name, sizeof name, "%s" HIT_STORE_NEW, of->file.name);
	(void)hit_store_remove(x->dir, name);
	snprintf(path, sizeof path, "%s/%s", x->dir, name);
	int err = write_anew(of, path, x->client);
	if (!err)
		err = put_in_place(x->dir, of->file.name);
	if (err)
		(void)hit_store_remove(x->dir, name);
	else
		x->rows += rows;
	return err;
}

/* ---- the segment that is written to ---- */

/* Nobody writes, and nobody begins to until the file is closed: it, or -1. A folder that
 * was copied has no such file, and nobody who would write. */
static int lock_writer(const char *dir, bool *free)
{
	char path[HITS_PATH_MAX];
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	snprintf(path, sizeof path, "%s/lock", dir);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	*free = fd < 0 ? errno == ENOENT : fcntl(fd, F_SETLK, &l) == 0;
	return fd;
}

static bool has_later(const char *dir, uint64_t number)
{
	struct hit_store_file *files;
	int n, err = hit_store_files(&files, &n, dir);
	bool later = !err && n && files[n - 1].number > number;
	free(files);
	return later;
}

/* The resolver ends it: true when it is no longer the newest. */
static bool rotated(struct forgetting *x, uint64_t number)
{
	const struct timespec pause = {.tv_nsec = 20 * 1000000L};
	json_t *answer;
	x->ordered = true;
	if (ctl_ask(&answer, &x->h.cli, x->socket,
		    json_pack("{s:s}", "command", "rotate")) != CLI_GO)
		return false;
	json_decref(answer);
	int64_t end = cli_now_ms() + ROTATE_WAIT_MS;
	while (!has_later(x->dir, number) && cli_now_ms() < end && !*x->h.interrupted)
		nanosleep(&pause, NULL);
	return has_later(x->dir, number);
}

/* Hits that a killed resolver left will be stored when it starts. */
static void warn_of_rings(struct forgetting *x)
{
	char pattern[HITS_PATH_MAX];
	struct conf *conf = NULL;
	glob_t found;
	if (!x->h.cli.state && cli_conf(&conf, &x->h.cli) != CLI_GO)
		return;
	snprintf(pattern, sizeof pattern, "%s/hits-*.ring",
		 conf ? conf->runtime : x->h.cli.state);
	conf_free(conf);
	if (glob(pattern, 0, NULL, &found) == 0) {
		x->h.trouble = true;
		(void)cli_no("hits of a resolver that was killed wait in %s: start it, "
			     "and run this again",
			     found.gl_pathv[0]);
		globfree(&found);
	}
}

/* *again: it has ended, and is to be looked through anew. */
static int forget_in_newest(struct forgetting *x, struct hit_read_segment *of,
			    uint64_t rows, bool *again)
{
	bool idle;
	int err = ERR_OK, fd = lock_writer(x->dir, &idle);
	if (idle) {
		warn_of_rings(x);
		err = replace(x, of, rows);
	} else if (x->ordered || !(*again = rotated(x, of->file.number))) {
		x->left += rows;
	}
	if (fd >= 0)
		close(fd);
	return err;
}

static int forget_in(struct forgetting *x, struct hit_read_segment *of, bool *again)
{
	struct counting c = {x->client, of, 0};
	int err = hits_guard(count_rows, &c);
	*again = false;
	if (err || !c.n)
		return err;
	return of->newest ? forget_in_newest(x, of, c.n, again) : replace(x, of, c.n);
}

/* ---- folders ---- */

static void on_trouble(void *arg, const char *dir, const char *segment, int err,
		       uint64_t bad)
{
	struct forgetting *x = arg;
	(void)bad;
	x->h.trouble = true;
	(void)cli_no("segment %s/%s is %s: nothing in it is forgotten", dir, segment,
		     err_text(err));
}

static int forget_segments(struct forgetting *x)
{
	struct hit_read_conf conf = {.dir = x->dir,
				     .guard = hits_guard,
				     .trouble = on_trouble,
				     .trouble_arg = x};
	struct hit_read_segment of = {0};
	uint64_t number = 0;
	int got = 0;
	bool again;
	while (!*x->h.interrupted && (got = hit_read_segment(&of, &conf, number)) == 1) {
		int err = forget_in(x, &of, &again);
		hit_store_close(of.store);
		if (err)
			on_trouble(x, x->dir, of.file.name, err, 0);
		number = again ? of.file.number - 1 : of.file.number;
	}
	hit_store_close(of.next);
	return got < 0 ? cli_fail_file(x->dir, "read", got) : CLI_GO;
}

/* That it is done, when, by whom and why; not about whom. */
static int note_down(const struct forgetting *x, const char *what)
{
	char now[CLI_TIME_TEXT_MAX], clean[REASON_MAX];
	int n = dprintf(x->note, "%s\t%u\t%s\t%llu\t%llu\t%s\n",
			cli_time_text(now, time(NULL)), (unsigned)getuid(), what,
			(unsigned long long)x->rows, (unsigned long long)x->left,
			cli_clean(clean, sizeof clean, x->reason));
	return n < 0 || fsync(x->note)
		       ? cli_fail_file(x->dir, "write \"" FORGOTTEN_FILE "\" in", ERR_IO)
		       : CLI_GO;
}

/* One at a time: two would write the same new file. */
static int open_note(struct forgetting *x)
{
	char path[HITS_PATH_MAX];
	snprintf(path, sizeof path, "%s/" FORGOTTEN_FILE, x->dir);
	x->note = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (x->note < 0)
		return cli_fail("cannot write %s: %s; run this as the resolver's user",
				path, strerror(errno));
	if (flock(x->note, LOCK_EX | LOCK_NB))
		return cli_fail("another forget is at work in %s: wait for it", x->dir);
	return CLI_GO;
}

static int forget_folder(struct forgetting *x, const char *dir)
{
	x->dir = dir;
	x->rows = 0;
	x->ordered = false;
	int status = open_note(x);
	if (status == CLI_GO)
		status = note_down(x, "begun");
	if (status == CLI_GO)
		status = forget_segments(x);
	if (status == CLI_GO)
		status = note_down(x, *x->h.interrupted ? "interrupted" : "done");
	if (x->note >= 0)
		close(x->note);
	x->all_rows += x->rows;
	return status;
}

/* ---- cases that are held ---- */

static uint64_t rows_in(const struct forgetting *x, const char *dir)
{
	struct hit_read_conf conf = {.dir = dir, .guard = hits_guard};
	struct hit_read_segment of = {0};
	struct counting c = {x->client, &of, 0};
	uint64_t number = 0;
	while (hit_read_segment(&of, &conf, number) == 1) {
		(void)!hits_guard(count_rows, &c);
		number = of.file.number;
		hit_store_close(of.store);
	}
	hit_store_close(of.next);
	return c.n;
}

/* They stay, and whoever asked to be forgotten should hear of it. */
static void tell_held(const struct forgetting *x)
{
	char held[HITS_PATH_MAX], dir[HITS_PATH_MAX + NAME_MAX + 2];
	struct dirent *e;
	if (x->h.folders_text ||
	    cli_state_path(held, sizeof held, &x->h.cli, HITS_HELD_DIR) != CLI_GO)
		return;
	DIR *d = opendir(held);
	while (d && (e = readdir(d))) {
		if (*e->d_name == '.')
			continue;
		snprintf(dir, sizeof dir, "%s/%s", held, e->d_name);
		uint64_t n = rows_in(x, dir);
		if (n)
			(void)cli_no("%llu records of it are held for a case and stay, "
				     "until %s is removed",
				     (unsigned long long)n, dir);
	}
	if (d)
		closedir(d);
}

static int forget_all(struct forgetting *x)
{
	int status = CLI_GO;
	for (int i = 0; status == CLI_GO && i < x->h.folders_n; i++)
		status = forget_folder(x, x->h.dir[i]);
	if (status != CLI_GO)
		return status;
	tell_held(x);
	printf(isatty(STDOUT_FILENO) ? "%llu records were erased\n" : "%llu\n",
	       (unsigned long long)x->all_rows);
	if (*x->h.interrupted)
		return cli_fail("interrupted: run it again");
	if (x->left)
		return cli_no("%llu records are in the segment that is written to and "
			      "remain: it did not end, or the client is asking on; run "
			      "this again",
			      (unsigned long long)x->left);
	return CLI_DONE;
}

int hits_forget(const struct cli_command *self, int argc, char **argv)
{
	struct forgetting x = {.note = -1};
	const struct cli_option extra[] = {
		{"reason", CLI_TEXT, &x.reason, "TEXT", "why; it is noted down", 0, 0},
		{"socket", CLI_TEXT, &x.socket, "PATH",
		 "the control socket of the resolver that writes there", 0, 0},
		{0}};
	int status = hits_parse(&x.h, self, extra, 0, 0, argc, argv);
	if (status != CLI_GO)
		return status;
	if (!x.h.client_text || !x.reason || !*x.reason)
		return cli_fail("say whom and why: --client PREFIX --reason TEXT");
	if (hits_is_filtered(&x.h))
		return cli_fail("forget takes no filter but --client: what is left of a "
				"client would still tell of it");
	status = hits_rows_open(&x.h, NULL);
	x.client = &x.h.filter.client;
	if (status == CLI_GO)
		status = forget_all(&x);
	return hits_close(&x.h, status);
}
