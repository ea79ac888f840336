/* conf_keys.h: the table of configuration keys, private to the conf modules: conf_keys.c
 * (the table), conf_lists.c (that of lists), conf_text.c (what a table tells people,
 * numbers with units), conf_value.c (text to field), conf_complete.c (after the file),
 * conf.c (YAML).
 * Shape    one row per key; parsing, range checks, --help-config, the sample file and
 *          the man page all read it, so a new key is one row; the keys of an element
 *          of lists are a table of their own
 * Units    min, max: of the stored value; for texts their length
 * Memory   constant
 * Threads  any */
#ifndef SINKHOLED_CONF_KEYS_H
#define SINKHOLED_CONF_KEYS_H

#include <stddef.h>

#include "include/conf.h"

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)
enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR, YEAR = 365 * DAY }; /* seconds */

enum conf_type {
	CONF_BOOL,
	CONF_NUMBER,
	CONF_SIZE,    /* bytes; 256M */
	CONF_SECONDS, /* 90d */
	CONF_MS,      /* 1900ms */
	CONF_TEXT,
	CONF_CHOICE, /* one of .words */
	CONF_ACTION, /* of a list: struct conf_action */
	CONF_IPV4,
	CONF_IPV6,
	CONF_NAME,    /* ZONE */
	CONF_LISTEN,  /* [ADDRESS@PORT, {address:, proxy:}] */
	CONF_SOURCES, /* [ADDRESS], one of each family */
	CONF_NETS,    /* [PREFIX] */
	CONF_NAMES,   /* [ZONE] */
	CONF_ZONES,   /* [{zone:, servers: [ADDRESS@PORT]}] */
	CONF_SERVERS, /* [ADDRESS@PORT] */
	CONF_LISTS,   /* [{name:, url: ...}], keys of conf_of_list */
};

struct conf_word {
	const char *text;
	unsigned value;
};

struct conf_key {
	const char *path;
	enum conf_type type;
	size_t at, size; /* of the field in struct conf, or struct conf_list */
	size_t count_at; /* of the int that counts a list's elements */
	uint64_t min, max;
	const char *def;	       /* as YAML; NULL: worked out, as def_note says */
	const char *def_note;	       /* for a person, where def alone does not tell */
	const struct conf_word *words; /* ended by a NULL text */
	const char *with;	       /* has a meaning beside that key only */
	bool restart;		       /* a running sinkholed cannot take a new value */
	const char *help;
};

struct conf_table {
	const struct conf_key *key;
	int n;
};

extern const struct conf_key conf_keys[];
extern const int conf_keys_n;
extern const struct conf_table conf_whole, conf_of_list;
enum { CONF_KEYS_MAX = 64 }; /* above the keys of each table */

/* Its place in the table, or -1. */
int conf_find_in(const struct conf_table *t, const char *path);
int conf_find(const char *path); /* in conf_whole */

/* Text of one scalar to its value in number-like types; ERR_FORMAT (no such value),
 * ERR_RANGE (above 2^64 or not a whole number of the key's unit). Range is not
 * checked here. */
MUST_CHECK int conf_number(uint64_t *out, const struct conf_key *k, const char *text);
/* What a value of this key looks like, for errors and help: "a size such as 256M". */
void conf_describe(char *out, size_t size, const struct conf_key *k);
/* "1M to 1T"; empty where there is no range to tell. */
void conf_range(char *out, size_t size, const struct conf_key *k);
/* The known key or group that path was probably meant to be, or NULL. */
const char *conf_nearest(char *out, size_t size, const struct conf_table *t,
			 const char *path);

/* Sets the field of a key that takes a single value; to is the struct that it is in. On
 * failure why says what is wrong and what to do, without file, line and key. */
MUST_CHECK int conf_value(void *to, const struct conf_key *k, const char *text, char *why,
			  size_t size);
/* "'TEXT' is not right here; give a size such as 256M" */
void conf_wrong(char *why, size_t size, const struct conf_key *k, const char *text);
/* Sorts, and drops what lies inside another: conf_nets_cover() counts on both. */
void conf_nets_settle(struct conf_nets *nets);

/* Works out what was not given, checks what belongs together, notes what is not built
 * yet. lines: by key, where it was given, 0 = not. On failure *key is the one to blame.
 */
MUST_CHECK int conf_complete(struct conf *c, const int *lines, int *key, char *why,
			     size_t size);
/* The same for the last element of lists, *key counting in conf_of_list. */
MUST_CHECK int conf_list_complete(const struct conf *c, const int *lines, int *key,
				  char *why, size_t size);

#endif
