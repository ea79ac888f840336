#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/blocklist_import.h"
#include "tools/feed_ahead.h"

/* The input's rules, one by one: through the gate, into the store's import, counted. */

/* A report without a line is better than no import: out of memory is no fault here. */
static struct import_example *next_example(struct import_skipped *s, enum feed_skip why)
{
	uint64_t room = feed_skip_forcible(why) ? IMPORT_EXAMPLES_JSON : IMPORT_EXAMPLES;
	if (s->examples >= room)
		return NULL;
	if (!(s->examples & (s->examples - 1))) { /* grows at powers of two */
		size_t n = s->examples ? 2 * (size_t)s->examples : 1;
		struct import_example *more = realloc(s->example, n * sizeof *more);
		if (!more)
			return NULL;
		s->example = more;
	}
	return &s->example[s->examples++];
}

static void note_skip(struct import_job *j, enum feed_skip why, uint64_t line,
		      const char *text, const char *more)
{
	struct import_skipped *s = &j->skipped[why];
	struct import_example *e = next_example(s, why);
	s->count++;
	if (!e)
		return;
	e->file = j->file;
	e->line = line;
	snprintf(e->text, sizeof e->text, "%s", text);
	snprintf(e->why, sizeof e->why, "%s", more);
}

/* Whether the rule is left out. One that is popular is not: all of the import is. */
static bool stopped_at_gate(struct import_job *j, const struct blocklist_item *item,
			    uint64_t line)
{
	char text[BLOCKLIST_RULE_TEXT_MAX];
	int why = j->gated ? gate_item(&j->gate, item, j->feed.force) : FEED_WORD;
	if (why == FEED_WORD)
		return false;
	note_skip(j, (enum feed_skip)why, line,
		  blocklist_rule_text(text, &item->key, item->kind), j->gate.why);
	return why != FEED_SKIP_POPULAR;
}

/* What a zone says of a name below one of its wildcards counts even without the rule. */
static int put_stopped(struct import_job *j, const struct blocklist_item *item)
{
	if (j->im && item->in_zone)
		j->put_err = blocklist_import_hide(j->im, item->key.name,
						   rule_kind_is_ns(item->kind));
	return j->put_err;
}

static int on_item(void *arg, const struct blocklist_item *item, uint64_t line)
{
	struct import_job *j = arg;
	if (*j->stop)
		return ERR_STOPPED;
	uint64_t hash = seen_hash(&j->seen, item);
	if (stopped_at_gate(j, item, line))
		return put_stopped(j, item);
	if (j->im)
		j->put_err = blocklist_import_put(j->im, item);
	enum seen_as as = seen_put(&j->seen, item, hash);
	bool left_out = as == SEEN_DUPLICATE || as == SEEN_BESIDE;
	if (left_out) {
		char text[BLOCKLIST_RULE_TEXT_MAX];
		note_skip(j, as == SEEN_BESIDE ? FEED_SKIP_BESIDE : FEED_SKIP_DUPLICATE,
			  line, blocklist_rule_text(text, &item->key, item->kind), "");
	}
	j->accepted += !left_out;
	j->data += !left_out && item->action == RULE_LOCAL_DATA;
	return j->put_err;
}

static int on_skip(void *arg, enum feed_skip why, uint64_t line, const char *text)
{
	struct import_job *j = arg;
	note_skip(j, why, line, text, "");
	return *j->stop ? ERR_STOPPED : 0;
}

/* Over all files; a file's own position may count it twice, so only its share is used. */
static int on_position(void *arg, const struct feed_position *at)
{
	struct import_job *j = arg;
	if (j->bytes_all && at->total_bytes) {
		double share = (double)at->bytes / (double)at->total_bytes;
		uint64_t done =
			j->bytes_before + (uint64_t)(share * (double)j->file_bytes);
		cli_progress_at(&j->progress, done, j->bytes_all);
		if (done)
			seen_expect(&j->seen,
				    (uint64_t)((double)j->seen.used / (double)done *
					       (double)j->bytes_all));
	} else {
		cli_progress_at(&j->progress, j->lines + at->line, 0);
	}
	return *j->stop ? ERR_STOPPED : 0;
}

static uint64_t size_of(const char *path)
{
	struct stat st;
	bool file = strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
	return file ? (uint64_t)st.st_size : 0;
}

static void size_all(struct import_job *j)
{
	for (int i = 0; i < j->cli.operands_n; i++) {
		uint64_t n = size_of(j->cli.operands[i]);
		if (!n && strcmp(j->cli.operands[i], "-") == 0) {
			j->bytes_all = 0;
			return;
		}
		j->bytes_all += n;
	}
}

/* "lists/emotet.txt" is about emotet. */
static const char *family_of(const char *path, char *out, size_t size)
{
	const char *base = strrchr(path, '/');
	base = base ? base + 1 : path;
	const char *dot = strrchr(base, '.');
	size_t n = dot && dot != base ? (size_t)(dot - base) : strlen(base);
	snprintf(out, size, "%.*s", (int)n, base);
	return out;
}

static int read_failed(struct import_job *j, const struct feed_result *r, int err)
{
	if (err == ERR_STOPPED)
		return cli_no("interrupted: nothing was changed; the same command does "
			      "the whole work");
	if (j->put_err)
		return tool_fail(&j->tool, j->list, j->put_err);
	const char *text = r->error[0] ? r->error : err_text(err);
	return cli_fail("%s%s", text, j->im ? "; nothing was changed" : "");
}

static int read_file(struct import_job *j, const char *path, bool first)
{
	const struct feed_callbacks cb = {on_item, on_skip, on_position, j};
	struct feed_result r;
	char family[BLOCKLIST_WORD_MAX];
	struct feed_options options = j->feed;
	j->file = path;
	j->file_bytes = size_of(path);
	if (j->family_from_file && strcmp(path, "-") != 0)
		options.family = family_of(path, family, sizeof family);
	int err = feed_ahead_read(&r, path, &options, &cb);
	j->bytes_before += j->file_bytes;
	j->lines += r.lines;
	j->ignored += r.ignored;
	j->serial = r.serial ? r.serial : j->serial;
	j->mixed = j->mixed || (!first && r.format != j->found);
	j->found = r.format;
	if (!err)
		return CLI_GO;
	cli_progress_end(&j->progress);
	return read_failed(j, &r, err);
}

int import_read(struct import_job *j)
{
	int status = CLI_GO;
	size_all(j);
	cli_progress_start(&j->progress, "reading");
	for (int i = 0; i < j->cli.operands_n && status == CLI_GO; i++)
		status = read_file(j, j->cli.operands[i], i == 0);
	cli_progress_end(&j->progress);
	return status;
}
