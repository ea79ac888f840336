/* blocklist_lab.h: short ways to fill and ask a store, for the blocklist tests. */
#ifndef SINKHOLED_TEST_BLOCKLIST_LAB_H
#define SINKHOLED_TEST_BLOCKLIST_LAB_H

#include <stdio.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "zones/blocklist_store.h"

static const struct blocklist_list_set lab_keep = {NULL, -1, -1,   -1, -1,
						   -1,	 -1, NULL, 0,  0};

static inline struct blocklist *lab_open_at(const char *path)
{
	struct blocklist *bl;
	const char *why;
	int err = blocklist_open(&bl, path, BLOCKLIST_WRITE, &why);
	ck_assert_msg(err == 0, "%s: %s", err_text(err), why);
	/* No test cuts the power, and the disk would take most of the time. */
	ck_assert_int_eq(mdb_env_set_flags(bl->env, MDB_NOSYNC, 1), 0);
	return bl;
}

/* Of this process: a child that forks takes the path with it. */
static inline struct blocklist *lab_open(const char *name)
{
	return lab_open_at(unit_path(name));
}

static inline struct blocklist_view *lab_view(struct blocklist *bl)
{
	struct blocklist_view *v;
	ck_assert_int_eq(blocklist_view_open(&v, bl), 0);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	return v;
}

/* A name, or with a slash or colon in it a prefix. */
static inline struct blocklist_key lab_key(const char *text)
{
	struct blocklist_key k = {.name = {0}};
	if (strchr(text, '/') || strchr(text, ':'))
		ck_assert_int_eq(prefix_from_text(&k.prefix, text, strlen(text)), 0);
	else
		ck_assert_int_eq(name_from_str(k.name, text), 0);
	return k;
}

static inline struct blocklist_item lab_item(const char *text, int kind)
{
	struct blocklist_item i = {.key = lab_key(text), .kind = (uint8_t)kind};
	i.entry.confidence = 255;
	return i;
}

static inline void lab_add(struct blocklist *bl, const char *list, const char *text,
			   int kind)
{
	struct blocklist_item i = lab_item(text, kind);
	ck_assert_int_eq(blocklist_add(bl, list, &i), 0);
}

static inline int lab_remove(struct blocklist *bl, const char *list, const char *text)
{
	struct blocklist_key k = lab_key(text);
	return blocklist_remove(bl, list, &k);
}

/* The rules found, as text: "list:kind/labels ..." in the order given. */
static inline const char *lab_find(struct blocklist_view *v, const char *text)
{
	static char out[4096];
	struct rule r[BLOCKLIST_MATCHES_MAX];
	uint8_t name[DNS_NAME_MAX];
	size_t n = 0;
	ck_assert_int_eq(name_from_str(name, text), 0);
	int found = blocklist_find_name(v, r, BLOCKLIST_MATCHES_MAX, BLOCKLIST_CLASS_ALL,
					name);
	ck_assert_msg(found >= 0, "%s: %s", text, err_text(found));
	out[0] = 0;
	for (int i = 0; i < found; i++)
		n += (size_t)snprintf(out + n, sizeof out - n, "%s%s:%c/%d", i ? " " : "",
				      blocklist_list(v, r[i].list)->name,
				      "eswn"[r[i].kind], r[i].labels);
	return out;
}

static inline const char *lab_find_addr(struct blocklist_view *v, const char *text,
					unsigned use)
{
	static char out[4096];
	struct rule r[BLOCKLIST_MATCHES_MAX];
	struct addr a;
	size_t n = 0;
	ck_assert_int_eq(addr_from_text(&a, text, strlen(text)), 0);
	int found = blocklist_find_addr(v, r, BLOCKLIST_MATCHES_MAX, BLOCKLIST_CLASS_ALL,
					use, &a);
	ck_assert_msg(found >= 0, "%s: %s", text, err_text(found));
	out[0] = 0;
	for (int i = 0; i < found; i++)
		n += (size_t)snprintf(out + n, sizeof out - n, "%s%s:%d/%d", i ? " " : "",
				      blocklist_list(v, r[i].list)->name, r[i].kind,
				      r[i].labels);
	return out;
}

static inline int lab_count_one(void *arg, const struct blocklist_key *key,
				const struct rule *rule)
{
	(void)key, (void)rule;
	++*(int *)arg;
	return 0;
}

static inline int lab_count(struct blocklist_view *v, uint16_t list)
{
	int n = 0;
	ck_assert_int_eq(blocklist_walk(v, list, lab_count_one, &n), 0);
	return n;
}

static inline uint64_t lab_generation(struct blocklist_view *v)
{
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	return blocklist_view_stamp(v).generation;
}

static inline void lab_verify(struct blocklist_view *v)
{
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_int_eq(blocklist_verify(v, NULL, NULL), 0);
}

/* Repeatable numbers below n. */
static inline unsigned lab_random(uint64_t *state, unsigned n)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(*state >> 33) % n;
}

#endif
