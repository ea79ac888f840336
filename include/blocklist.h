/* blocklist.h: the LMDB store of all rules, read by the resolver, written by the tool.
 * Shape    readers: blocklist > view > rules found; writers: one import or one edit
 *          at a time, under a lock per list
 * Units    times in seconds since 1970, UTC
 * Memory   a view hands out copies; nothing of the map leaves this module
 * Threads  one struct blocklist per store and process (a second one would break the
 *          first one's locks), opened after any fork; a view belongs to one thread
 *          at a time, any number of views
 * Errors   ERR_*; "nothing found" is a count of 0
 * Source   DESIGN.md "The blocklist store", SECURITY.md 3
 *
 * P4 rests on blocklist_view_renew(): whatever a writer committed before that call
 * is seen after it. Receive first, then renew, then judge. */
#ifndef SINKHOLED_BLOCKLIST_H
#define SINKHOLED_BLOCKLIST_H

#include "include/hit.h"
#include "include/rule.h"

enum {
	BLOCKLIST_LISTS_MAX = 1024, /* list ids; operators use tens */
	BLOCKLIST_MATCHES_MAX = 64, /* records that one look-up hands out; policy needs
				     * the best of each list, rarely more than 5 */
	BLOCKLIST_TXN_CHANGES =
		50000, /* more go in several transactions, see DESIGN.md */
	BLOCKLIST_PUBLIC_MAX = 128,
	BLOCKLIST_TEXT_MAX = 256,   /* reason, authority, operator, reference */
	BLOCKLIST_WORD_MAX = 48,    /* category, family */
	BLOCKLIST_PRECEDENCE = 100, /* of a list that names none */
	BLOCKLIST_LEASE_S = 30 * 86400,
	BLOCKLIST_GROWTH_MAX = 50000, /* percent */
	BLOCKLIST_DATA_MAX = 1024,    /* local data of one rule: some addresses and texts,
				       * of which any one type fits into a UDP answer */
	BLOCKLIST_RR_HEAD = 8,	      /* type, TTL and length before each RDATA */
};

enum blocklist_mode { BLOCKLIST_LIVE = 0, BLOCKLIST_MONITOR = 1, BLOCKLIST_OFF = 2 };

/* One list. precedence: the lower number wins, ties go by name. */
struct blocklist_list {
	char name[HIT_LIST_MAX];
	char public_text[BLOCKLIST_PUBLIC_MAX]; /* may be shown to clients, in the EDE */
	uint8_t garden[DNS_NAME_MAX];		/* target of action RULE_CNAME */
	uint16_t id;
	uint16_t precedence;
	uint8_t action;	  /* enum rule_action; RULE_GIVEN = each entry's own */
	uint8_t mode;	  /* enum blocklist_mode */
	uint16_t ede;	  /* code for its answers, 15 unless told */
	uint32_t lease;	  /* its rules do not match after this time; 0 = never lapses.
			   * Where nothing was ever imported (loaded 0), each
			   * blocklist_add() moves it to the latest end of its entries. */
	uint32_t lease_s; /* what each good import adds to now */
	uint32_t version; /* of the content, flips when a large import becomes visible */
	uint32_t serial;  /* SOA serial of the source, 0 = none */
	uint32_t loaded;  /* time of the last good import, or when its source said that
			   * nothing has changed since */
	uint64_t names, addresses; /* visible records */
	uint16_t max_growth; /* percent of its rules that an import may add, and take */
	uint8_t max_shrink;  /* out, without force; 0 = as the configuration says */
	bool forced;	     /* its last import had to be forced */
};

/* The records that a rule of action local-data answers with: type, TTL, length (in wire
 * order) and RDATA without compression, one behind the other. One form for one set of
 * records, so that a feed's order of lines makes no difference: ascending by type and
 * RDATA (RFC 4034 6.3), none twice, all of a type with the lowest TTL that one had. */
struct blocklist_data {
	uint16_t len;
	uint8_t bytes[BLOCKLIST_DATA_MAX];
};

struct blocklist_rr {
	uint16_t type, len;
	uint32_t ttl;
	const uint8_t *rdata;
};

/* What hits tell of an entry; zeros behind each word. */
struct blocklist_word_pair {
	char family[BLOCKLIST_WORD_MAX], category[BLOCKLIST_WORD_MAX];
};

/* One entry: why something is listed. Empty strings are unknown. */
struct blocklist_entry {
	uint64_t id;
	uint32_t first_listed, expires;
	uint8_t confidence; /* 0..100, 255 = unknown */
	char family[BLOCKLIST_WORD_MAX], category[BLOCKLIST_WORD_MAX];
	char reason[BLOCKLIST_TEXT_MAX], reference[BLOCKLIST_TEXT_MAX];
	char authority[BLOCKLIST_TEXT_MAX], operator_name[BLOCKLIST_TEXT_MAX];
	struct blocklist_data data; /* empty for every action but local-data */
};

/* What a rule is about: a name (prefix.addr.family 0) or a prefix. */
struct blocklist_key {
	uint8_t name[DNS_NAME_MAX]; /* lower case */
	struct prefix prefix;
};

/* Such a record is no rule: it ends wildcards. */
static inline bool blocklist_is_marker(const struct blocklist_key *key, unsigned kind)
{
	return !key->prefix.addr.family && rule_kind_is_marker(kind);
}

/* When the rule ends: its own expiry or its list's lease, whichever is first; 0 = never.
 */
static inline uint32_t blocklist_until(const struct rule *rule,
				       const struct blocklist_list *list)
{
	uint32_t lease = list ? list->lease : 0;
	if (!rule->expires || !lease)
		return rule->expires ? rule->expires : lease;
	return rule->expires < lease ? rule->expires : lease;
}

/* State of the store as one view sees it. */
struct blocklist_stamp {
	uint64_t epoch;	     /* new for each created or restored store */
	uint64_t generation; /* grows with each visible change of rules */
};

struct blocklist;
struct blocklist_view;

/* ---- for a person ---- */

enum { BLOCKLIST_RULE_TEXT_MAX = DNS_NAME_TEXT_MAX + 2 }; /* "*." before a name */

/* "*.name" for wildcards, "address/bits" for prefixes. */
char *blocklist_rule_text(char out[BLOCKLIST_RULE_TEXT_MAX],
			  const struct blocklist_key *key, unsigned kind);

/* "subtree", "address". */
static inline const char *blocklist_kind_text(const struct blocklist_key *key,
					      unsigned kind)
{
	return key->prefix.addr.family ? rule_use_text(kind)
				       : rule_kind_text((enum rule_kind)kind);
}

static inline const char *blocklist_mode_text(unsigned mode)
{
	static const char *const text[] = {"live", "monitor", "disabled"};
	return mode <= BLOCKLIST_OFF ? text[mode] : "?";
}

/* ---- local data ---- */

/* Whether a rule may answer with records of that type: none that only a question can
 * have, none that says something about a zone, no alias (RPZ draft 3.6). */
bool blocklist_data_servable(unsigned type);
/* Puts a record in its place. ERR_EXIST: it was there; ERR_RANGE: no room for it;
 * ERR_REFUSED: its type is not servable. */
MUST_CHECK int blocklist_data_add(struct blocklist_data *d,
				  const struct blocklist_rr *rr);
/* Makes d the one CNAME that a rule of action cname holds. ERR_FORMAT: rr is none. */
MUST_CHECK int blocklist_data_alias(struct blocklist_data *d,
				    const struct blocklist_rr *rr);
/* Whether a rule of that action may hold these bytes: local data needs records, a cname
 * its one alias, others nothing. */
bool blocklist_data_fits(unsigned action, const uint8_t *bytes, size_t len);
/* Steps through records: start with *at = 0; false at the end. */
bool blocklist_data_next(const struct blocklist_data *d, size_t *at,
			 struct blocklist_rr *out);
/* ERR_FORMAT when bytes do not have the form above. */
MUST_CHECK int blocklist_data_check(const uint8_t *bytes, size_t len);

/* ---- opening ---- */

enum blocklist_open_mode {
	BLOCKLIST_READ,	 /* the resolver and reading tools; the store must exist */
	BLOCKLIST_WRITE, /* the tool; creates the store where there is none */
};

/* dir is the folder that holds data.mdb and lock.mdb. *why (may be NULL) gets one
 * static sentence for a person that says what to do. The quick checks are made here:
 * format stamp, size against the last page, counts; the full one is
 * blocklist_verify(). Network file systems are refused (ERR_REFUSED). */
MUST_CHECK int blocklist_open(struct blocklist **out, const char *dir,
			      enum blocklist_open_mode mode, const char **why);
void blocklist_close(struct blocklist *bl);
/* Another file has taken the place of the one that is open, or none is there: open it
 * anew. */
bool blocklist_replaced(struct blocklist *bl);

/* ---- reading ---- */

/* The view starts without a snapshot: renew before the first look-up. */
MUST_CHECK int blocklist_view_open(struct blocklist_view **out, struct blocklist *bl);
void blocklist_view_close(struct blocklist_view *v);
/* Sees the newest commit from here on. A failure leaves the view without snapshot:
 * the caller must not answer listed or clean, only SERVFAIL. */
MUST_CHECK int blocklist_view_renew(struct blocklist_view *v);
/* Lets go of the snapshot, so that the writer can reuse pages. */
void blocklist_view_reset(struct blocklist_view *v);
struct blocklist_stamp blocklist_view_stamp(const struct blocklist_view *v);

/* Every visible record on the way from name up to the root, deepest first, whatever
 * its time, list mode or lease: policy decides. Records of kind exact and
 * wildcard are handed out only where they cover name (exact: name itself; wildcard: an
 * ancestor), and wildcards that an empty non-terminal of their list hides are left out.
 * class as in blocklist_client.h: only its lists are looked at.
 * Returns the count (at most max; when there are more, those of the best precedence are
 * kept) or ERR_*. */
MUST_CHECK int blocklist_find_name(struct blocklist_view *v, struct rule *out, int max,
				   unsigned class, const uint8_t *name);
/* The same for the name of a server: also those of kinds RULE_NS_*. */
MUST_CHECK int blocklist_find_server(struct blocklist_view *v, struct rule *out, int max,
				     unsigned class, const uint8_t *name);
/* A hint: these names will be looked up next, in that order, before the view is reset.
 * While one search waits for memory, the others go on. */
enum { BLOCKLIST_FETCH_MAX = 16 }; /* about what a core can wait for at once */
void blocklist_fetch_names(struct blocklist_view *v, const uint8_t *const name[], int n);
/* Whether any list may have a rule for clients' addresses: most have none. */
bool blocklist_has_client_rules(const struct blocklist_view *v);
/* Every visible record of a prefix that covers a, longest first. use is a RULE_ADDR_*
 * bit. a must have been through addr_unmap(). */
MUST_CHECK int blocklist_find_addr(struct blocklist_view *v, struct rule *out, int max,
				   unsigned class, unsigned use, const struct addr *a);
/* The list of that id, or NULL. Lives until the next renew. */
const struct blocklist_list *blocklist_list(const struct blocklist_view *v, uint16_t id);
/* The list of that name, or NULL. Lives until the next renew. */
const struct blocklist_list *blocklist_list_named(const struct blocklist_view *v,
						  const char *name);
/* Why key is on that list. ERR_NOENT when it is not. */
MUST_CHECK int blocklist_entry_get(struct blocklist_view *v, struct blocklist_entry *out,
				   uint16_t list, const struct blocklist_key *key);
/* The entry of one found rule: a list can have several kinds for one key. */
MUST_CHECK int blocklist_entry_of_rule(struct blocklist_view *v,
				       struct blocklist_entry *out,
				       const struct rule *rule,
				       const struct blocklist_key *key);
/* Family and category of a found rule's entry without reading that, or NULL: read it.
 * Valid until the view is renewed. */
const struct blocklist_word_pair *blocklist_words_of(const struct blocklist_view *v,
						     const struct rule *rule);
/* Walks all visible records in key order, names first; list 0xffff = of all lists.
 * each() returns 0 to go on, anything else ends the walk and is returned. */
typedef int blocklist_each_fn(void *arg, const struct blocklist_key *key,
			      const struct rule *rule);
MUST_CHECK int blocklist_walk(struct blocklist_view *v, uint16_t list,
			      blocklist_each_fn *each, void *arg);

struct blocklist_stats {
	struct blocklist_stamp stamp;
	uint64_t names, addresses, entries, clients;
	uint64_t bytes_used; /* of pages in use */
	uint64_t file_bytes; /* up to the last page; data.mdb may be longer, and sparse */
	uint64_t map_size;
	uint32_t lists;
	uint64_t digest;
};
MUST_CHECK int blocklist_stats_get(struct blocklist_view *v, struct blocklist_stats *out);

/* Reads everything and compares counts, record checks and the running digest.
 * ERR_DAMAGED when they differ. May crash on a damaged file: call it in a child
 * process. progress (may be NULL) is called with done and total records. */
typedef void blocklist_progress_fn(void *arg, uint64_t done, uint64_t total);
MUST_CHECK int blocklist_verify(struct blocklist_view *v, blocklist_progress_fn *progress,
				void *arg);

/* ---- writing ---- */

/* One record to be listed. entry.id is given by the store. expires 0 = with the lease. */
struct blocklist_item {
	struct blocklist_key key;
	uint8_t kind, action; /* as in struct rule */
	bool in_zone;	      /* a name of a policy zone: it ends wildcards above it */
	uint32_t starts, expires;
	struct blocklist_entry entry;
};

/* What an import keeps of an item, without what is empty: for a queue. */
enum {
	BLOCKLIST_PACKED_MAX = 64 + 2 * BLOCKLIST_WORD_MAX + 4 * BLOCKLIST_TEXT_MAX +
			       BLOCKLIST_DATA_MAX + DNS_NAME_MAX + sizeof(struct prefix),
};
/* Returns the length. */
size_t blocklist_item_pack(uint8_t out[BLOCKLIST_PACKED_MAX],
			   const struct blocklist_item *item);
void blocklist_item_unpack(struct blocklist_item *out, const uint8_t *packed);

struct blocklist_changes {
	uint64_t added, changed, removed, unchanged;
	uint64_t duplicates; /* items left out for another one of their key and kind */
	uint64_t cut; /* records of local data beyond BLOCKLIST_DATA_MAX of a rule */
};

/* Settings for a list that is made or renewed; only set fields are taken. */
struct blocklist_list_set {
	const char *public_text;	   /* NULL = keep */
	int precedence, action, mode, ede; /* -1 = keep, or the default for a new list */
	int64_t lease_s, serial;	   /* -1 = keep */
	const uint8_t *garden;	    /* NULL = keep; action RULE_CNAME must have one */
	int max_shrink, max_growth; /* percent, at most BLOCKLIST_GROWTH_MAX; 0 = keep */
};

/* An import: all items of a list, in any order, then commit or diff. Items are sorted
 * outside the store (memory is bounded; a spill file lies beside the store). Of two
 * items for one key and kind the first wins, but for local data: the records of all its
 * items are joined, and any other action stands alone (in a zone file that is a CNAME
 * beside other data, RFC 1034 3.6.2). Nothing is visible before import_commit()
 * returns 0; then all is. Abort, crash and SIGKILL leave the store as it was. */
struct blocklist_import;
MUST_CHECK int blocklist_import_open(struct blocklist_import **out, struct blocklist *bl,
				     const char *list,
				     const struct blocklist_list_set *set);
MUST_CHECK int blocklist_import_put(struct blocklist_import *im,
				    const struct blocklist_item *item);
/* Instead, of a name of a policy zone that shall have no rule: it ends wildcards all the
 * same. ns: as the name of a server. */
MUST_CHECK int blocklist_import_hide(struct blocklist_import *im, const uint8_t *name,
				     bool ns);
/* What commit would change; each item that would is shown to each(), how is '+', '-'
 * or '~'. May be called before commit; NULL each only counts. */
typedef int blocklist_diff_fn(void *arg, char how, const struct blocklist_item *item);
MUST_CHECK int blocklist_import_diff(struct blocklist_import *im,
				     struct blocklist_changes *out,
				     blocklist_diff_fn *each, void *arg);
/* Other settings than at opening, for what only reading the input tells. */
MUST_CHECK int blocklist_import_set(struct blocklist_import *im,
				    const struct blocklist_list_set *set);
/* Asked by commit when it knows what changes, before any of it is visible. was is the
 * list as it stands, version 0 when it is new. What it returns but 0 ends the commit,
 * which then has changed nothing. forced is for the list's row. */
typedef int blocklist_judge_fn(void *arg, const struct blocklist_list *was,
			       const struct blocklist_changes *changes);
void blocklist_import_judge(struct blocklist_import *im, blocklist_judge_fn *judge,
			    void *arg, bool forced);
/* *stop (may be NULL) is looked at often; non-zero ends with ERR_STOPPED. In a long
 * import a second thread works until this returns; callbacks are the caller's thread's.
 */
MUST_CHECK int blocklist_import_commit(struct blocklist_import *im,
				       struct blocklist_changes *out,
				       blocklist_progress_fn *progress, void *arg,
				       const volatile int *stop);
void blocklist_import_close(struct blocklist_import *im);

/* What the source of a list says has changed since it was last asked: any number of items
 * in or out, then commit; one transaction, which other writers wait for meanwhile.
 * Nothing put, it only says that what the list holds still stands. ERR_BUSY as below;
 * ERR_NOENT when there is no such list. */
struct blocklist_delta;
MUST_CHECK int blocklist_delta_open(struct blocklist_delta **out, struct blocklist *bl,
				    const char *list);
/* add false: out with it, for local data with those of its records. Markers (RULE_ENT)
 * are made and removed here, those put are passed over. ERR_NOENT: what goes is not
 * there as it is told; ERR_RANGE: this cannot be told from the change alone (a wildcard
 * above thousands of names, data that was cut). Unless the caller knows why: import all
 * of the list. */
MUST_CHECK int blocklist_delta_put(struct blocklist_delta *d,
				   const struct blocklist_item *item, bool add);
/* What commit would change. */
struct blocklist_changes blocklist_delta_changes(const struct blocklist_delta *d);
/* The list is as its source's at serial (0 = none), and its lease ends lease_s from
 * now. */
MUST_CHECK int blocklist_delta_commit(struct blocklist_delta *d, uint32_t serial,
				      uint32_t lease_s);
void blocklist_delta_close(struct blocklist_delta *d);

/* The following take the list's lock: ERR_BUSY when an import of it is running. */

/* One record in, at once; makes the list with defaults when it is new. */
MUST_CHECK int blocklist_add(struct blocklist *bl, const char *list,
			     const struct blocklist_item *item);
/* Removes every kind of record that the list has for key. ERR_NOENT when there is none.
 */
MUST_CHECK int blocklist_remove(struct blocklist *bl, const char *list,
				const struct blocklist_key *key);
/* Changes a list's settings; ERR_NOENT when there is no such list. */
MUST_CHECK int blocklist_list_change(struct blocklist *bl, const char *list,
				     const struct blocklist_list_set *set);
MUST_CHECK int blocklist_list_remove(struct blocklist *bl, const char *list);

#endif
