/* The command that erases clients: forget.
 * A segment that is no longer written is written anew, row by row, and put in place of
 * the old one. A forgotten row keeps its number, sequence, time and rule, so that counts
 * and the proof that nothing is missing hold; its client is 0.0.0.0 or ::, its question
 * the rule's name. */
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/hits_copy.h"
#include "tools/hits_tool.h"

#define FORGOTTEN_FILE "forgotten" /* in the hits folder */

enum {
	REASON_MAX = 512,
	RINGS_MAX = 4096,	/* of one segment: workers times starts in a day */
	SPARE_BYTES = 64 << 20, /* a new file may be packed a little worse */
};

struct forgetting {
	struct hits h;
	const struct prefix *client;
	uint64_t rows, left; /* erased; not yet, because they may still be written to */
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
	uint64_t n;
};

static int count_row(void *arg, struct hit *h)
{
	struct counting *c = arg;
	c->n += prefix_covers(c->client, &h->client);
	return ERR_OK;
}

struct rewriting {
	const struct prefix *client;
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

static int write_anew(struct hit_read_segment *of, const char *path,
		      const struct prefix *client)
{
	struct rewriting r = {.client = client};
	struct hit_segment first = *hit_store_segment(of->store);
	struct hit_position *rings;
	uint64_t rows = of->end - first.first_row;
	int n = rings_of(of->store, &rings);
	int err = n < 0 ? n
			: hits_copy_open(&r.copy, path, 2 * of->file.bytes + SPARE_BYTES,
					 &first, rings, n);
	if (!err && n > 0 && first.no_room)
		err = hits_copy_no_room(&r.copy, &rings[0], first.no_room);
	free(rings);
	if (!err)
		err = each_row(of, copy_row, &r);
	if (!err && r.copy.rows != rows)
		err = ERR_DAMAGED; /* rows would change their numbers */
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
		snprintf(fresh, sizeof fresh, "%s/%s.new%s", dir, name, part[i]);
		if (stat(old, &st) == 0 && chown(fresh, st.st_uid, st.st_gid))
			return ERR_IO;
		if (rename(fresh, old))
			return ERR_IO;
	}
	return ERR_OK;
}

static int forget_in(struct forgetting *x, struct hit_read_segment *of, const char *dir)
{
	struct counting c = {x->client, 0};
	char name[64], path[HITS_PATH_MAX];
	int err = each_row(of, count_row, &c);
	if (err || !c.n)
		return err;
	if (of->newest) {
		x->left += c.n;
		return ERR_OK;
	}
	snprintf(name, sizeof name, "%s.new", of->file.name);
	(void)hit_store_remove(dir, name);
	snprintf(path, sizeof path, "%s/%s", dir, name);
	err = write_anew(of, path, x->client);
	if (!err)
		err = put_in_place(dir, of->file.name);
	if (err)
		(void)hit_store_remove(dir, name);
	else
		x->rows += c.n;
	return err;
}

static void on_trouble(void *arg, const char *dir, const char *segment, int err,
		       uint64_t bad)
{
	struct forgetting *x = arg;
	(void)bad;
	x->h.trouble = true;
	(void)cli_no("segment %s/%s is %s: nothing in it is forgotten", dir, segment,
		     err_text(err));
}

static int forget_folder(struct forgetting *x, const char *dir)
{
	struct hit_read_conf conf = {.dir = dir, .trouble = on_trouble, .trouble_arg = x};
	struct hit_read_segment of = {0};
	uint64_t number = 0;
	int got;
	while (!*x->h.interrupted && (got = hit_read_segment(&of, &conf, number)) == 1) {
		number = of.file.number;
		int err = forget_in(x, &of, dir);
		hit_store_close(of.store);
		if (err)
			on_trouble(x, dir, of.file.name, err, 0);
	}
	hit_store_close(of.next);
	return got < 0 ? cli_fail_file(dir, "read", got) : CLI_GO;
}

/* That it was done, when, by whom and why; not about whom. */
static int note_down(const struct forgetting *x, const char *dir, const char *reason,
		     uint64_t rows)
{
	char path[HITS_PATH_MAX], now[CLI_TIME_TEXT_MAX], clean[REASON_MAX];
	snprintf(path, sizeof path, "%s/" FORGOTTEN_FILE, dir);
	FILE *f = fopen(path, "a");
	if (!f)
		return cli_fail_file(path, "write", ERR_IO);
	fprintf(f, "%s\t%u\t%llu\t%llu\t%s\n", cli_time_text(now, time(NULL)),
		(unsigned)getuid(), (unsigned long long)rows, (unsigned long long)x->left,
		cli_clean(clean, sizeof clean, reason));
	bool bad = ferror(f) || fflush(f) || fsync(fileno(f));
	if (fclose(f) || bad)
		return cli_fail_file(path, "write", ERR_IO);
	return CLI_GO;
}

static int forget_all(struct forgetting *x, const char *reason)
{
	int status = CLI_GO;
	for (int i = 0; status == CLI_GO && i < x->h.folders_n; i++) {
		uint64_t before = x->rows;
		status = forget_folder(x, x->h.dir[i]);
		if (status == CLI_GO)
			status = note_down(x, x->h.dir[i], reason, x->rows - before);
	}
	if (status != CLI_GO)
		return status;
	printf("%llu\n", (unsigned long long)x->rows);
	if (x->left)
		return cli_no("%llu records are in the segment that is still written to "
			      "and remain: run this again after midnight UTC",
			      (unsigned long long)x->left);
	return *x->h.interrupted ? cli_fail("interrupted: run it again") : CLI_DONE;
}

int hits_forget(const struct cli_command *self, int argc, char **argv)
{
	struct forgetting x = {0};
	const char *reason = NULL;
	const struct cli_option extra[] = {
		{"reason", CLI_TEXT, &reason, "TEXT", "why; it is noted down", 0, 0},
		{0}};
	int status = hits_parse(&x.h, self, extra, 0, 0, argc, argv);
	if (status != CLI_GO)
		return status;
	if (!x.h.client_text || !reason || !*reason)
		return cli_fail("say whom and why: --client PREFIX --reason TEXT");
	const struct hits_filter *f = &x.h.filter;
	if (x.h.since || x.h.until || f->list || f->family || f->category ||
	    x.h.entry_text || x.h.action_text || x.h.trigger_text || x.h.name_text ||
	    x.h.limit)
		return cli_fail("forget takes no filter but --client: what is left of a "
				"client would still tell of it");
	status = hits_rows_open(&x.h, NULL);
	x.client = &x.h.filter.client;
	if (status == CLI_GO)
		status = forget_all(&x, reason);
	return hits_close(&x.h, status);
}
