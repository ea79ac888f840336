#include "tools/suffix.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "include/feed.h"
#include "include/hash_fold.h"

enum {
	LABELS_MAX = 8,		 /* the longest public suffixes have 5 */
	FILTER_BITS = 1 << 18,	 /* for 10,000 suffixes: 1 name in 200 is asked about */
	HASH_NAME = 1,		 /* a suffix */
	HASH_WILD = 2,		 /* all names one label longer are */
	ONE_TIME = 24 * 60 * 60, /* seconds between files that one package has made */
};

int suffix_open(struct suffix *s)
{
	*s = (struct suffix){.own = psl_latest(NULL)};
	s->psl = s->own ? s->own : psl_builtin();
	return s->psl ? ERR_OK : ERR_NOENT;
}

void suffix_close(struct suffix *s)
{
	psl_free(s->own);
	free(s->filter);
	*s = (struct suffix){0};
}

/* ---- the filter ---- */

/* Two bits of the filter; both are set for what it has. */
struct bits {
	uint32_t at[2];
};

static struct bits bits_of(const uint8_t *name, unsigned what)
{
	uint64_t h = hash_fold(&(struct hash_key){{what}}, name, name_len(name));
	return (struct bits){{h % FILTER_BITS, (h >> 32) % FILTER_BITS}};
}

static bool has(const uint8_t *filter, const uint8_t *name, unsigned what)
{
	struct bits b = bits_of(name, what);
	return filter[b.at[0] / 8] & 1U << b.at[0] % 8 &&
	       filter[b.at[1] / 8] & 1U << b.at[1] % 8;
}

static void set(uint8_t *filter, const uint8_t *name, unsigned what)
{
	struct bits b = bits_of(name, what);
	for (int i = 0; i < 2; i++)
		filter[b.at[i] / 8] |= (uint8_t)(1U << b.at[i] % 8);
}

/* A line ends at the first blank; "//" is a comment, "!" takes a name out. */
static bool take_line(uint8_t *filter, const char *line)
{
	struct blocklist_key key;
	uint8_t kind;
	size_t len = strcspn(line, " \t\r\n");
	if (!len || *line == '!' || strncmp(line, "//", 2) == 0)
		return true;
	int why = feed_word(&key, &kind, line, len);
	if ((why != FEED_WORD && !feed_skip_forcible((enum feed_skip)why)) ||
	    key.prefix.addr.family)
		return false;
	set(filter, key.name, HASH_NAME);
	if (kind == RULE_WILDCARD)
		set(filter, key.name, HASH_WILD);
	return true;
}

int suffix_filter(struct suffix *s, FILE *text)
{
	uint8_t *filter = calloc(1, FILTER_BITS / 8);
	char *line = NULL;
	size_t room = 0;
	bool good = filter != NULL;
	while (good && getline(&line, &room, text) >= 0)
		good = take_line(filter, line);
	free(line);
	if (!good || ferror(text)) {
		free(filter);
		return filter ? ERR_FORMAT : ERR_NOMEM;
	}
	free(s->filter);
	s->filter = filter;
	return ERR_OK;
}

/* The text stands beside what libpsl reads. One of another day may be another list: then
 * there is no filter, and libpsl is asked about each name. */
static void find_filter(struct suffix *s)
{
	static const char made[] = ".dafsa", from[] = ".dat";
	const char *list = psl_dist_filename();
	struct stat a, b;
	char path[512];
	size_t n = list ? strlen(list) : 0, cut = sizeof made - 1;
	if (!s->own || s->own == psl_builtin() || n < cut || n >= sizeof path ||
	    strcmp(list + n - cut, made) != 0)
		return;
	memcpy(path, list, n + 1);
	memcpy(path + n - cut, from, sizeof from);
	FILE *f = fopen(path, "re");
	if (f && fstat(fileno(f), &b) == 0 && stat(list, &a) == 0 &&
	    llabs((long long)a.st_mtime - (long long)b.st_mtime) < ONE_TIME)
		(void)!suffix_filter(s, f); /* it is only faster */
	if (f)
		fclose(f);
}

/* ---- one name ---- */

static enum suffix_kind ask(const struct suffix *s, const uint8_t *name)
{
	char text[DNS_NAME_TEXT_MAX];
	name_to_text(text, name);
	if (!psl_is_public_suffix2(s->psl, text, PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE))
		return SUFFIX_NONE;
	return psl_is_public_suffix2(s->psl, text, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE)
		       ? SUFFIX_REGISTRY
		       : SUFFIX_SHARED;
}

enum suffix_kind suffix_of(struct suffix *s, const uint8_t *name)
{
	if (++s->asked == SUFFIX_FILTER_AFTER)
		find_filter(s);
	if (s->filter && !has(s->filter, name, HASH_NAME) &&
	    !has(s->filter, name_parent(name), HASH_WILD))
		return SUFFIX_NONE;
	/* A zone file has a name and what is below it in two lines. */
	if (s->last[0] && name_equal(name, s->last))
		return s->last_kind;
	if (name_labels(name) > LABELS_MAX)
		return SUFFIX_NONE;
	s->last_kind = ask(s, name);
	name_copy(s->last, name);
	return s->last_kind;
}
