/* The command that keeps a case's hits: hold. */
#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/hits_copy.h"
#include "tools/hits_privacy.h"

enum {
	FOLDER_MODE = 02750,
	SEGMENT_BYTES = 1 << 30, /* room, of which only what is used takes disk */
};

struct holding {
	struct hits h;
	char held[HITS_PATH_MAX], dir[HITS_PATH_MAX], fresh[HITS_PATH_MAX + 8];
	struct hits_copy copy;
	struct hit_segment last; /* the segment before */
	uint64_t rows;
};

static int next_segment(struct holding *x)
{
	char name[48], path[HIT_STORE_PATH_MAX];
	struct hit_segment first = {.number = x->last.number + 1,
				    .first_row = x->last.end_row};
	hit_store_name(name, first.number, hit_store_day((uint64_t)time(NULL) * 1000000));
	snprintf(path, sizeof path, "%s/%s", x->fresh, name);
	return hits_copy_open(&x->copy, path, SEGMENT_BYTES, &first, NULL, 0);
}

static int end_segment(struct holding *x)
{
	if (!x->copy.store)
		return ERR_OK;
	uint64_t end = x->last.end_row + x->copy.rows;
	int err = hits_copy_close(&x->copy, true);
	x->last.end_row = end;
	x->last.number++;
	return err;
}

static int hold_row(void *arg, const struct hit_row *row)
{
	struct holding *x = arg;
	struct hit_position ring = {.boot = row->hit.boot, .worker = row->hit.worker};
	int err = ERR_OK;
	memcpy(ring.node, row->node, sizeof ring.node);
	if (x->copy.store && !x->copy.pending && hit_store_is_full(x->copy.store))
		err = end_segment(x);
	if (!err && !x->copy.store)
		err = next_segment(x);
	if (!err)
		err = hits_copy_put(&x->copy, &row->hit, &ring);
	x->rows += !err;
	return err;
}

static void remove_fresh(struct holding *x)
{
	struct hit_store_file *files;
	int n;
	if (hit_store_files(&files, &n, x->fresh))
		return;
	for (int i = 0; i < n; i++)
		(void)hit_store_remove(x->fresh, files[i].name);
	free(files);
	(void)rmdir(x->fresh);
}

/* DIR/held/CASE.new, which gets its name when all is in it. */
static int make_folder(struct holding *x, const char *case_number)
{
	char *held = x->held;
	int status = cli_state_path(held, sizeof x->held, &x->h.cli, HITS_HELD_DIR);
	if (status != CLI_GO)
		return status;
	if (snprintf(x->dir, sizeof x->dir, "%s/%s", held, case_number) >=
	    (int)sizeof x->dir)
		return cli_fail("the state folder's path is too long: %s", held);
	snprintf(x->fresh, sizeof x->fresh, "%s.new", x->dir);
	if (access(x->dir, F_OK) == 0)
		return cli_fail("%s is there already: give what is to be added a "
				"number of its own, such as %s-2",
				x->dir, case_number);
	remove_fresh(x); /* of a process that was killed */
	if ((mkdir(held, FOLDER_MODE) && errno != EEXIST) || mkdir(x->fresh, FOLDER_MODE))
		return cli_fail_file(x->fresh, "make", ERR_IO);
	return CLI_GO;
}

static int hold_all(struct holding *x)
{
	struct hit_row row;
	int err = ERR_OK, status = CLI_DONE;
	while (!err && hits_next(&x->h, &row, &status))
		err = hold_row(x, &row);
	int end = err ? hits_copy_close(&x->copy, false) : end_segment(x);
	err = err ? err : end;
	if (err)
		return cli_fail_file(x->fresh, "write", err);
	if (*x->h.interrupted)
		return cli_fail("interrupted: nothing is held");
	if (status == CLI_DONE && !x->rows)
		return cli_no("no hits: nothing is held");
	if (status == CLI_DONE && (hits_sync_folder(x->fresh) ||
				   rename(x->fresh, x->dir) || hits_sync_folder(x->held)))
		return cli_fail_file(x->dir, "make", ERR_IO);
	if (status == CLI_DONE)
		printf(isatty(STDOUT_FILENO) ? "%llu records are held in %s\n"
					     : "%llu\t%s\n",
		       (unsigned long long)x->rows, x->dir);
	return status;
}

int hits_hold(const struct cli_command *self, int argc, char **argv)
{
	struct holding x = {0};
	const char *number = NULL;
	const struct cli_option extra[] = {
		{"case", CLI_TEXT, &number, "NUMBER", "the case they are for", 0, 0},
		{0}};
	int status = hits_parse(&x.h, self, extra, 0, 0, argc, argv);
	if (status != CLI_GO)
		return status;
	if (!number)
		return cli_fail("say which case: --case NUMBER");
	status = hits_privacy_word("case", number);
	if (status == CLI_GO && (strchr(number, '/') || *number == '.'))
		status = cli_fail("the case becomes the name of a folder: no / in it, "
				  "and no dot in front");
	if (status == CLI_GO)
		status = hits_rows_open(&x.h, "reading");
	if (status == CLI_GO)
		status = make_folder(&x, number);
	if (status == CLI_GO) {
		status = hold_all(&x);
		if (status != CLI_DONE)
			remove_fresh(&x);
	}
	return hits_close(&x.h, status);
}
