#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "include/utf8.h"
#include "zones/feed_parse.h"

enum {
	BYTES_MAX_GIB = 64, /* no list is larger; an endless pipe is none */
	TIME_MAX_S = 3600,  /* whatever hangs so long holds up the next import */
	CHUNK = 65536,	    /* read at a time; also what feed_detect() looks at */
	PROGRESS_LINES = 4096,
};

static const struct {
	const char *name;
	const struct feed_parser *parser;
} formats[FEED_FORMAT_N] = {
	[FEED_AUTO] = {"auto", NULL},
	[FEED_DOMAINS] = {"domains", &feed_parser_domains},
	[FEED_HOSTS] = {"hosts", &feed_parser_hosts},
	[FEED_CSV] = {"csv", &feed_parser_csv},
	[FEED_RPZ] = {"rpz", &feed_parser_rpz},
	[FEED_ADBLOCK] = {"adblock", &feed_parser_adblock},
	[FEED_STIX] = {"stix", &feed_parser_stix},
	[FEED_MISP] = {"misp", &feed_parser_misp},
	[FEED_WARNINGLIST] = {"warninglist", &feed_parser_warninglist},
	[FEED_JSON] = {"json", &feed_parser_rules},
};

static const struct {
	const char *key, *text;
} skips[FEED_SKIP_N] = {
	[FEED_SKIP_SYNTAX] = {"syntax", "no name or address"},
	[FEED_SKIP_URL] = {"url", "URL or path"},
	[FEED_SKIP_PORT] = {"port", "with a port"},
	[FEED_SKIP_NAME_LONG] = {"name-too-long", "name too long"},
	[FEED_SKIP_SINGLE] = {"single-label", "single label or root"},
	[FEED_SKIP_DUPLICATE] = {"duplicate", "duplicate"},
	[FEED_SKIP_RESERVED] = {"reserved", "local or reserved"},
	[FEED_SKIP_TRIGGER] = {"rpz-trigger", "RPZ trigger not supported"},
	[FEED_SKIP_ACTION] = {"action", "action not supported"},
	[FEED_SKIP_OUTSIDE] = {"outside", "outside the zone"},
	[FEED_SKIP_TOO_LONG] = {"line-too-long", "line or data too long"},
	[FEED_SKIP_IDN] = {"idn", "not ASCII, and no name"},
	[FEED_SKIP_ARPA] = {"arpa", "below .arpa"},
	[FEED_SKIP_WIDE] = {"wide", "prefix too wide"},
	[FEED_SKIP_TYPE] = {"rpz-type", "type is never local data"},
	[FEED_SKIP_BESIDE] = {"cname-and-data", "local data beside CNAME"},
	[FEED_SKIP_EXCEPTION] = {"exception", "exception for a name"},
	[FEED_SKIP_PART] = {"part", "filter for a part of pages"},
	[FEED_SKIP_THING] = {"other-thing", "about something else"},
	[FEED_SKIP_EXPIRED] = {"expired", "ended already"},
	[FEED_SKIP_REVOKED] = {"revoked", "revoked or deleted"},
	[FEED_SKIP_PATTERN] = {"pattern", "pattern that no rule can say"},
	[FEED_SKIP_NOT_IDS] = {"not-ids", "not meant for detection"},
	[FEED_SKIP_ENCODING] = {"rpz-address", "no address as RPZ writes it"},
	[FEED_SKIP_SUFFIX] = {"suffix", "public suffix"},
	[FEED_SKIP_PRIVATE] = {"private-suffix", "suffix that many share"},
	[FEED_SKIP_OWN] = {"own", "your own, or root servers"},
	[FEED_SKIP_NEVER] = {"never-block", "on a never-block list"},
	[FEED_SKIP_POPULAR] = {"popular", "would block a popular name"},
};

const char *feed_format_text(enum feed_format f)
{
	return (unsigned)f < FEED_FORMAT_N ? formats[f].name : "?";
}

static bool feed_format_is_json(enum feed_format f)
{
	return f == FEED_STIX || f == FEED_MISP || f == FEED_WARNINGLIST ||
	       f == FEED_JSON;
}

int feed_format_from_text(const char *text)
{
	for (int i = 0; i < FEED_FORMAT_N; i++)
		if (strcmp(text, formats[i].name) == 0)
			return i;
	return -1;
}

const char *feed_skip_text(enum feed_skip s)
{
	return (unsigned)s < FEED_SKIP_N ? skips[s].text : "?";
}

const char *feed_skip_key(enum feed_skip s)
{
	return (unsigned)s < FEED_SKIP_N ? skips[s].key : "?";
}

/* ---- what parsers call ---- */

struct blocklist_item *feed_item_new(struct feed *f)
{
	struct blocklist_item *i = &f->item;
	struct blocklist_entry *e = &i->entry;
	/* Field by field: clearing the whole item would write 2.5 kB a line. */
	i->key.name[0] = 0;
	memset(&i->key.prefix, 0, sizeof i->key.prefix);
	i->kind = RULE_SUBTREE;
	i->action = RULE_GIVEN;
	i->in_zone = false;
	i->starts = i->expires = 0;
	e->id = 0;
	e->first_listed = e->expires = 0;
	e->confidence = 255;
	e->category[0] = e->reason[0] = e->reference[0] = 0;
	e->authority[0] = e->operator_name[0] = 0;
	e->data.len = 0;
	const char *family = f->options->family ? f->options->family : "";
	utf8_clean(e->family, sizeof e->family, family, strlen(family));
	return i;
}

int feed_skip(struct feed *f, enum feed_skip why, const char *text, size_t len)
{
	char shown[FEED_TEXT_MAX];
	if (f->survey)
		return 0;
	f->out->skipped[why]++;
	if (!f->cb->skip)
		return 0;
	utf8_clean(shown, sizeof shown, text, len);
	return f->cb->skip(f->cb->arg, why, f->line, shown);
}

/* Of an item that has all that a rule needs. */
static int feed_skip_item(struct feed *f, enum feed_skip why)
{
	char text[PREFIX_TEXT_MAX + DNS_NAME_TEXT_MAX];
	const struct blocklist_key *k = &f->item.key;
	if (k->prefix.addr.family)
		prefix_to_text(text, &k->prefix);
	else
		name_to_text(text, k->name);
	return feed_skip(f, why, text, strlen(text));
}

int feed_put(struct feed *f)
{
	uint32_t end = f->item.expires;
	if (f->survey)
		return 0;
	if (end && end <= f->options->now)
		return feed_skip_item(f, FEED_SKIP_EXPIRED);
	f->out->items++;
	return f->cb->item ? f->cb->item(f->cb->arg, &f->item, f->line) : 0;
}

bool feed_takes(const struct feed *f, int why)
{
	return why == FEED_WORD || (feed_skip_forcible((enum feed_skip)why) &&
				    (f->options->force & FEED_FORCE(why)));
}

/* False when it cannot be that. */
static bool take_told(struct blocklist_item *item, const struct feed_told *told)
{
	bool wildcard = rule_kind_is_wildcard(item->kind);
	if (item->key.prefix.addr.family) {
		item->kind = told->use ? told->use : item->kind;
		return !told->ns;
	}
	if (told->ns)
		item->kind = wildcard ? RULE_NS_WILDCARD : RULE_NS_EXACT;
	else if (told->exact && !wildcard)
		item->kind = RULE_EXACT;
	return !told->ns || told->exact != wildcard;
}

int feed_put_word(struct feed *f, const char *text, size_t len,
		  const struct feed_told *told)
{
	struct blocklist_item *item = &f->item;
	int why = feed_word(&item->key, &item->kind, text, len);
	bool name = !item->key.prefix.addr.family;
	bool port = why == FEED_SKIP_PORT && f->options->ports && !name;
	if (!port && !feed_takes(f, why))
		return feed_skip(f, (enum feed_skip)why, text, len);
	if (told && !take_told(item, told))
		return feed_skip(f, FEED_SKIP_SYNTAX, text, len);
	if (f->options->exact && name && item->kind == RULE_SUBTREE)
		item->kind = RULE_EXACT;
	return feed_put(f);
}

/* ---- bytes ---- */

/* A file, or bytes in memory (fd -1). Lines are cut out of buf, which always holds the
 * beginning of the line at work. */
struct source {
	int fd;
	const char *mem;
	size_t mem_len, mem_at;
	char *buf;
	size_t start, end; /* unread bytes of buf */
	bool eof;
	bool unended;	     /* the end of the line at work is not in buf */
	uint64_t taken;	     /* bytes in this reading */
	int64_t deadline_ms; /* monotonic */
	off_t first;	     /* where a file's list begins: it may have been read from */
	struct feed_position at;
	int (*progress)(void *arg, const struct feed_position *at);
	void *arg;
};

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* As read(2); ETIMEDOUT when nothing has come in time. */
static ssize_t read_before(int fd, char *to, size_t room, int64_t deadline_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t left = deadline_ms - now_ms();
	int ready = left > 0 ? poll(&p, 1, (int)left) : 0;
	if (ready == 0)
		errno = ETIMEDOUT;
	return ready > 0 ? read(fd, to, room) : -1;
}

static ssize_t source_read(struct source *s, char *to, size_t room)
{
	if (s->fd < 0) {
		size_t n = s->mem_len - s->mem_at;
		n = n < room ? n : room;
		if (n)
			memcpy(to, s->mem + s->mem_at, n);
		s->mem_at += n;
		return (ssize_t)n;
	}
	for (;;) {
		ssize_t n = read_before(s->fd, to, room, s->deadline_ms);
		if (n >= 0 || errno != EINTR)
			return n;
		/* A signal: the caller may want to stop rather than wait for more. */
		int stop = s->progress ? s->progress(s->arg, &s->at) : 0;
		if (stop) {
			errno = EINTR;
			return -1;
		}
	}
}

/* Moves what is unread to the front and reads until buf is full or the input is over. */
static int source_fill(struct source *s)
{
	memmove(s->buf, s->buf + s->start, s->end - s->start);
	s->end -= s->start;
	s->start = 0;
	while (!s->eof && s->end < CHUNK) {
		if (s->taken >> 30 >= BYTES_MAX_GIB)
			return ERR_RANGE;
		ssize_t n = source_read(s, s->buf + s->end, CHUNK - s->end);
		if (n < 0)
			return errno == EINTR	    ? ERR_STOPPED
			       : errno == ETIMEDOUT ? ERR_BUSY
						    : ERR_IO;
		s->eof = n == 0;
		s->end += (size_t)n;
		s->taken += (size_t)n;
	}
	return ERR_OK;
}

static void skip_bom(struct source *s)
{
	if (s->end - s->start >= 3 && memcmp(s->buf + s->start, "\xef\xbb\xbf", 3) == 0)
		s->start += 3;
}

static int source_begin(struct source *s)
{
	int err = source_fill(s);
	if (!err)
		skip_bom(s);
	return err;
}

/* To the first byte again; only files and memory can. */
static int source_rewind(struct source *s)
{
	s->mem_at = s->start = s->end = 0;
	s->taken = 0;
	s->eof = false;
	if (s->fd >= 0 && lseek(s->fd, s->first, SEEK_SET) < 0)
		return ERR_IO;
	return source_begin(s);
}

/* The bytes of one line without its end: 1, or 0 at the end of the input, or ERR_*.
 * *cut is set when it was too long; out is then its beginning. */
static int source_line(struct source *s, struct feed_span *out, bool *cut)
{
	char *nl = memchr(s->buf + s->start, '\n', s->end - s->start);
	*cut = false;
	if (!nl && !s->eof) {
		int err = source_fill(s);
		if (err)
			return err;
		nl = memchr(s->buf, '\n', s->end);
	}
	if (!nl && s->start == s->end)
		return 0;
	out->text = s->buf + s->start;
	size_t taken = nl ? (size_t)(nl - out->text) + 1 : s->end - s->start;
	out->len = taken - (nl != NULL);
	s->start += taken;
	s->at.bytes += taken;
	s->at.line++;
	*cut = out->len > FEED_LINE_MAX;
	s->unended = !nl && !s->eof;
	if (out->len && out->text[out->len - 1] == '\r')
		out->len--;
	return 1;
}

/* The rest of a line that did not fit into buf. */
static int source_drop_line(struct source *s)
{
	while (!s->eof || s->start < s->end) {
		char *nl = memchr(s->buf + s->start, '\n', s->end - s->start);
		size_t taken =
			nl ? (size_t)(nl - s->buf) + 1 - s->start : s->end - s->start;
		s->start += taken;
		s->at.bytes += taken;
		if (nl)
			break;
		int err = source_fill(s);
		if (err)
			return err;
	}
	return ERR_OK;
}

/* ---- the loop ---- */

static int long_line(struct feed *f, struct source *s, struct feed_span line)
{
	int err = feed_skip(f, FEED_SKIP_TOO_LONG, line.text, FEED_TEXT_MAX);
	return err || !s->unended ? err : source_drop_line(s);
}

static int read_lines(struct feed *f, struct source *s, const struct feed_parser *p)
{
	struct feed_span line = {0};
	bool cut;
	int got;
	while ((got = source_line(s, &line, &cut)) > 0) {
		f->line = s->at.line;
		f->out->lines += !f->survey;
		int err = cut ? long_line(f, s, line) : p->line(f, line.text, line.len);
		if (!err && s->at.line % PROGRESS_LINES == 0 && s->progress)
			err = s->progress(s->arg, &s->at);
		if (err)
			return err;
	}
	if (got == 0 && p->end)
		got = p->end(f);
	return got;
}

static int read_bytes(struct feed *f, struct source *s, const struct feed_parser *p)
{
	int err = ERR_OK;
	while (!err && s->start < s->end) {
		err = p->bytes(f, s->buf + s->start, s->end - s->start);
		s->at.bytes += s->end - s->start;
		s->start = s->end;
		s->at.line = f->line;
		if (!err && s->progress)
			err = s->progress(s->arg, &s->at);
		if (!err)
			err = source_fill(s);
	}
	f->out->lines = f->line;
	return err ? err : p->end(f);
}

static int read_once(struct feed *f, struct source *s, const struct feed_parser *p)
{
	return p->bytes ? read_bytes(f, s, p) : read_lines(f, s, p);
}

static int read_twice(struct feed *f, struct source *s, const struct feed_parser *p)
{
	f->survey = true;
	int err = read_once(f, s, p);
	if (!err)
		err = source_rewind(s);
	if (err)
		return err;
	memset(f->out->skipped, 0, sizeof f->out->skipped);
	f->out->ignored = 0;
	f->survey = false;
	s->at.line = 0;
	if (p->restart && (err = p->restart(f)) != ERR_OK)
		return err;
	return read_once(f, s, p);
}

static void tell(struct feed_result *out, const char *name, uint64_t line,
		 const char *what)
{
	char text[400];
	snprintf(text, sizeof text, "%s", what);
	if (line)
		snprintf(out->error, sizeof out->error, "%.80s:%llu: %s", name,
			 (unsigned long long)line, text);
	else
		snprintf(out->error, sizeof out->error, "%.80s: %s", name, text);
}

static int choose_format(struct feed_result *out, const struct source *s,
			 enum feed_format asked, const char *name)
{
	const char *why;
	int err = feed_detect(&out->format, &why, s->buf + s->start, s->end - s->start);
	if (err)
		tell(out, name, 0, why);
	if (err || asked == FEED_AUTO)
		return err;
	if (feed_format_is_json(asked) != feed_format_is_json(out->format)) {
		tell(out, name, 0,
		     feed_format_is_json(asked)
			     ? "this is no JSON, or JSON of no kind that is known"
			     : "this is JSON: leave --format out, or name one of stix, "
			       "misp, warninglist and json");
		return ERR_FORMAT;
	}
	out->format = asked;
	return ERR_OK;
}

/* Everything after opening; s is at its first byte. */
static int read_source(struct feed_result *out, struct source *s, const char *name,
		       const struct feed_options *options,
		       const struct feed_callbacks *cb)
{
	struct feed f = {.options = options, .cb = cb, .out = out};
	s->progress = cb->progress;
	s->arg = cb->arg;
	int err = choose_format(out, s, options->format, name);
	if (err)
		return err;
	const struct feed_parser *p = formats[out->format].parser;
	if (p->open && (err = p->open(&f)) != ERR_OK)
		goto out;
	if (p->twice && s->at.total_bytes)
		s->at.total_bytes *= 2;
	err = p->twice ? read_twice(&f, s, p) : read_once(&f, s, p);
out:
	if (err == ERR_IO)
		tell(out, name, f.line, strerror(errno));
	else if (err == ERR_RANGE)
		tell(out, name, f.line, "this is too large for a list");
	else if (err == ERR_BUSY)
		tell(out, name, f.line, "reading this took too long");
	else if (err == ERR_FORMAT && out->error[0])
		tell(out, name, f.line, out->error);
	if (p->close && f.state)
		p->close(&f);
	return err;
}

int feed_read_memory(struct feed_result *out, const char *data, size_t len,
		     const struct feed_options *options, const struct feed_callbacks *cb)
{
	struct source s = {.fd = -1, .mem = data, .mem_len = len};
	memset(out, 0, sizeof *out);
	s.at.total_bytes = len;
	s.buf = malloc(CHUNK);
	if (!s.buf)
		return ERR_NOMEM;
	int err = source_begin(&s);
	if (!err)
		err = read_source(out, &s, "input", options, cb);
	free(s.buf);
	return err;
}

/* ---- files ---- */

static int open_error(struct feed_result *out, const char *path)
{
	int err = errno == ENOENT    ? ERR_NOENT
		  : errno == ENOTDIR ? ERR_NOENT
		  : errno == EACCES  ? ERR_ACCESS
				     : ERR_IO;
	tell(out, path, 0, strerror(errno));
	return err;
}

/* A pipe cannot be read twice: its bytes go to a file without a name first. */
static int spool(struct source *s, struct feed_result *out, const char *name)
{
	FILE *tmp = tmpfile();
	int fd = tmp ? dup(fileno(tmp)) : -1;
	int err = fd < 0 ? ERR_IO : ERR_OK;
	while (!err && s->end > 0) {
		if (fwrite(s->buf, 1, s->end, tmp) != s->end)
			err = ERR_IO;
		s->at.bytes += s->end;
		s->start = s->end;
		if (!err)
			err = source_fill(s);
		if (!err && s->progress)
			err = s->progress(s->arg, &s->at);
	}
	if (!err && fflush(tmp) != 0)
		err = ERR_IO;
	if (err == ERR_IO) {
		char why[128];
		snprintf(why, sizeof why,
			 "cannot keep a copy in the temporary folder: %s",
			 strerror(errno));
		tell(out, name, 0, why);
	}
	if (tmp)
		fclose(tmp);
	if (err) {
		if (fd >= 0)
			close(fd);
		return err;
	}
	s->at = (struct feed_position){.total_bytes = s->at.bytes};
	s->fd = fd;
	s->first = 0;
	return source_rewind(s);
}

static bool needs_spool(const struct source *s, enum feed_format asked)
{
	enum feed_format found;
	const char *why;
	if (s->first >= 0)
		return false;
	if (asked == FEED_AUTO &&
	    feed_detect(&found, &why, s->buf + s->start, s->end - s->start) == ERR_OK)
		asked = found;
	return asked != FEED_AUTO && formats[asked].parser->twice;
}

static int read_fd(struct feed_result *out, int fd, const char *name,
		   const struct feed_options *options, const struct feed_callbacks *cb)
{
	struct source s = {.fd = fd,
			   .progress = cb->progress,
			   .arg = cb->arg,
			   .deadline_ms = now_ms() + TIME_MAX_S * 1000LL};
	struct stat st;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		s.at.total_bytes = (uint64_t)st.st_size;
	s.first = lseek(fd, 0, SEEK_CUR);
	s.buf = malloc(CHUNK);
	if (!s.buf)
		return ERR_NOMEM;
	int err = source_begin(&s);
	if (err == ERR_IO)
		err = open_error(out, name);
	if (!err && needs_spool(&s, options->format))
		err = spool(&s, out, name);
	if (!err)
		err = read_source(out, &s, name, options, cb);
	if (s.fd != fd)
		close(s.fd);
	free(s.buf);
	return err;
}

int feed_read(struct feed_result *out, const char *path,
	      const struct feed_options *options, const struct feed_callbacks *cb)
{
	memset(out, 0, sizeof *out);
	if (strcmp(path, "-") == 0)
		return read_fd(out, STDIN_FILENO, "standard input", options, cb);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return open_error(out, path);
	int err = read_fd(out, fd, path, options, cb);
	close(fd);
	return err;
}
