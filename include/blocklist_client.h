/* blocklist_client.h: which lists apply to which subscribers.
 * Shape    prefixes that opted out or belong to a group; groups, which name lists;
 * classes, the different sets of lists that groups have Units    times in seconds since
 * 1970, UTC Memory   no allocation in look-ups; a group lives until the view's next renew
 * Threads  as blocklist.h
 * Errors   ERR_*
 * Source   DESIGN.md P6, "policy class"; POLICY.md "Our decision order" 1
 *
 * An opt-out that covers an address beats every group, whatever the prefix lengths; of
 * groups the longest prefix decides; whom no prefix covers, all lists apply to.
 * None of this raises the generation of the rules: caches hold truth and verdicts of a
 * class, and a class keeps its number as long as its set of lists is the same. */
#ifndef SINKHOLED_BLOCKLIST_CLIENT_H
#define SINKHOLED_BLOCKLIST_CLIENT_H

#include "include/blocklist.h"

/* Classes are numbered in the store, so that all workers mean the same. */
enum {
	BLOCKLIST_CLASS_ALL = 0,  /* every list */
	BLOCKLIST_CLASS_NONE = 1, /* opted out: no list */
	BLOCKLIST_CLASS_GROUPS = 2,
	BLOCKLIST_CLASSES = 127,     /* each has answers of its own in the cache */
	BLOCKLIST_GROUPS_MAX = 1024, /* groups with the same lists share a class */
	BLOCKLIST_NO_GROUP = 0xffff,
	/* In one import, which is one transaction: pages that are half full have room for
	 * three times as many in the 131,071 that LMDB can change at once. */
	BLOCKLIST_CLIENTS_IMPORT = 2000000,
};

/* The lists of a group: those named, or with except all but those. */
struct blocklist_group {
	char name[HIT_LIST_MAX];
	uint64_t lists[BLOCKLIST_LISTS_MAX / 64]; /* bit: list id */
	uint64_t since; /* changes when the class stands for another set */
	uint16_t id;
	uint8_t class;
	bool except;
};

/* What holds for a prefix: an opt-out, or a group. */
struct blocklist_client {
	struct prefix prefix;
	bool opt_out;
	uint16_t group; /* id; BLOCKLIST_NO_GROUP with opt_out */
	uint32_t since; /* given by the store: when it was said first */
	char reason[BLOCKLIST_TEXT_MAX];
};

/* ---- reading ---- */

/* The class of a client; remembered per address until a client or group changes. */
MUST_CHECK int blocklist_class_of(struct blocklist_view *v, uint8_t *class,
				  const struct addr *client);
/* Whether that list applies to the class. Of a class that no group has any more: all. */
bool blocklist_class_has(const struct blocklist_view *v, unsigned class, uint16_t list);
/* What changes when a class number comes to stand for another set of lists. */
uint64_t blocklist_class_since(const struct blocklist_view *v, unsigned class);

/* The prefix that decides about a client: 1 with *out, or 0. */
MUST_CHECK int blocklist_client_find(struct blocklist_view *v,
				     struct blocklist_client *out,
				     const struct addr *client);
/* All prefixes, IPv4 first, short ones first; each() as blocklist_each_fn. */
typedef int blocklist_client_fn(void *arg, const struct blocklist_client *client);
MUST_CHECK int blocklist_walk_clients(struct blocklist_view *v, blocklist_client_fn *each,
				      void *arg);

/* The group of that id, or NULL; ids are below BLOCKLIST_GROUPS_MAX. */
const struct blocklist_group *blocklist_group(const struct blocklist_view *v,
					      uint16_t id);
const struct blocklist_group *blocklist_group_named(const struct blocklist_view *v,
						    const char *name);

/* ---- writing ---- */

/* One prefix; what held for the very same prefix before is replaced. ERR_NOENT: there is
 * no such group. */
MUST_CHECK int blocklist_client_put(struct blocklist *bl,
				    const struct blocklist_client *client);
/* ERR_NOENT: nothing is said of that very prefix. */
MUST_CHECK int blocklist_client_remove(struct blocklist *bl, const struct prefix *p);

/* Many at once, in any order, of two for one prefix the last one. With replace, prefixes
 * that are not among them and were in a group that some of them are in (opted out, when
 * some of them are) go. Visible as a whole or not at all. ERR_RANGE: more than
 * BLOCKLIST_CLIENTS_IMPORT. each item's reason is a text that lives through the call. */
struct blocklist_client_item {
	struct prefix prefix;
	bool opt_out;
	uint16_t group;
	uint32_t order;	    /* for the import's own use */
	const char *reason; /* NULL = none */
};
MUST_CHECK int blocklist_clients_import(struct blocklist *bl,
					struct blocklist_client_item *item, size_t n,
					bool replace, struct blocklist_changes *out);

/* Makes a group, or gives it other lists. ERR_NOENT: *missing is no list;
 * ERR_FULL: the store has no class left for another set of lists. */
MUST_CHECK int blocklist_group_set(struct blocklist *bl, const char *group, bool except,
				   const char *const *lists, int n, const char **missing);
/* ERR_EXIST: there are clients in it. */
MUST_CHECK int blocklist_group_remove(struct blocklist *bl, const char *group);

#endif
