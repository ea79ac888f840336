/* blocklist_store.h: what the files of the store share: key space, stored forms, write
 * transactions. Nothing outside zones/blocklist*.c and its tests includes it.
 * Shape    two LMDB databases, keys told apart by a tag byte
 * Units    stored integers in the machine's own order, as LMDB's are; the format
 *          number in the meta pair would read differently on another machine
 * Memory   stored bytes are at odd addresses: copied out before they are read
 * Threads  a transaction belongs to one thread
 * Errors   ERR_*; blocklist_error() translates LMDB's */
#ifndef SINKHOLED_BLOCKLIST_STORE_H
#define SINKHOLED_BLOCKLIST_STORE_H

#include <lmdb.h>

#include "include/blocklist_client.h"
#include "include/hash.h"

/* The key space, in key order. RULE stands for the bytes of a NAME or ADDR key.
 *
 * in the unnamed database, which a renewed reader needs no look-up to find:
 *   00 group                 GROUP   struct blocklist_group_row
 *   01                       META    struct blocklist_meta
 *   02 list                  LIST    struct blocklist_row
 *   03                       LMDB's record of the other database, whose name this is
 *   04 number                WORDS   struct blocklist_words_row
 *   05 family bits address   ADDR    struct blocklist_record, one or more
 *   06 family bits address   CLIENT  struct blocklist_client_head, reason, check
 *   07 labels                NAME    struct blocklist_record, one or more
 * in the other one:
 *   08 list RULE             ENTRY   struct blocklist_head with texts, one or more
 *
 * LMDB fills pages to the end only where keys are put behind all others of their
 * database, and half in between: so the two large kinds are the last of one each.
 *
 * list      two bytes, big endian; group and number too
 * labels    lower case, from the root down, each behind its length byte: the keys below
 *           a name are exactly those that begin with its key, and the root is 07 alone
 * family    4 or 6, then the prefix length, then 4 or 16 bytes
 *
 * A record and its entry are written together. NAME and ADDR are for the resolver: all
 * lists of a name in one read. ENTRY is for writers and for "why": all names of a list
 * in one range, so that an import reads only its own list.
 *
 * Versions. A record is visible when from <= version of its list < to. A list whose
 * version is 0 is not visible at all: records begin at version 1. An import that fits in
 * one transaction changes records in place. A larger one writes new records with
 * from = version + 1, ends old ones at to = version + 1, in as many transactions as it
 * takes, and the last of them sets the list's version. What an interrupted one left
 * is therefore invisible: every key of a list that is written again is first put into
 * order (blocklist_merge.c), and no list's version moves before all its keys are. */
enum blocklist_tag {
	BLOCKLIST_GROUP = 0,
	BLOCKLIST_META = 1,
	BLOCKLIST_LIST = 2,
	BLOCKLIST_ENTRIES = 3,
	BLOCKLIST_WORDS = 4,
	BLOCKLIST_ADDR = 5,
	BLOCKLIST_CLIENT = 6,
	BLOCKLIST_NAME = 7,
	BLOCKLIST_ENTRY = 8,
};

/* Name of the other database: BLOCKLIST_ENTRIES as a string. */
#define BLOCKLIST_ENTRIES_NAME "\003"

enum {
	BLOCKLIST_FORMAT = 7, /* 1: no local data, 2: no groups, 3: no gardens, 4: no
			       * words, 5: SipHash for checks and digest, 6: no BOTH */
	BLOCKLIST_KEY_MAX = 3 + DNS_NAME_MAX, /* LMDB allows 511 */
	BLOCKLIST_KINDS = 8, /* per list and key: 7 kinds of name, 7 of address */
	/* A stored kind of name: RULE_EXACT and RULE_WILDCARD that say the same. Zones
	 * have most names twice so, and a record less is a third of all bytes. */
	BLOCKLIST_BOTH = RULE_KIND_N,
	BLOCKLIST_TEXTS = 6,
	BLOCKLIST_DEPTHS = DNS_LABELS_MAX + 1,
	BLOCKLIST_BITS = 129, /* prefix lengths 0 to 128 */
};

#define BLOCKLIST_ENTRY_ID_MAX 0xffffffffffffULL /* a million a day for 700,000 years */
#define BLOCKLIST_FOREVER UINT32_MAX /* "to" of a record that nothing has ended */

/* No implicit padding in what follows: every byte is hashed. */
struct blocklist_record {
	/* entry: of both kinds, if they are one record; words: see blocklist_words.c */
	uint64_t entry : 48, words : 16;
	uint32_t from, to, starts, expires;
	uint16_t list;
	uint8_t kind, action;
	uint32_t check; /* of key and all other bytes, as in all that follow */
};

/* An entry: the record again, so that an import can compare without reading NAME and
 * ADDR pairs; behind the head the texts, without NUL, in the order of blocklist_key.c's
 * table, and then local data as struct blocklist_data has it. */
struct blocklist_head {
	struct blocklist_record rec; /* its check covers head and texts */
	uint32_t first_listed;
	uint16_t len; /* of all of it */
	uint8_t confidence;
	uint8_t text_len[BLOCKLIST_TEXTS];
	uint8_t in_zone;   /* an item's, while an import sorts it; 0 in the store */
	uint16_t data_len; /* see blocklist_data_fits() */
};

/* Of an encoded entry. */
static inline int blocklist_kind_of(const uint8_t *entry)
{
	return entry[offsetof(struct blocklist_head, rec.kind)];
}

static inline size_t blocklist_entry_len(const uint8_t *entry)
{
	uint16_t len;
	memcpy(&len, entry + offsetof(struct blocklist_head, len), sizeof len);
	return len;
}

/* Whether a stored kind stands for two: under a NAME key, for the bits of an address are
   a number. */
static inline bool blocklist_is_both(const void *rule_key, unsigned kind)
{
	return kind == BLOCKLIST_BOTH && *(const uint8_t *)rule_key == BLOCKLIST_NAME;
}

static inline bool blocklist_in_zone(const uint8_t *entry)
{
	return entry[offsetof(struct blocklist_head, in_zone)];
}

static inline unsigned blocklist_marker_of(bool ns)
{
	return ns ? RULE_NS_ENT : RULE_ENT;
}

enum {
	BLOCKLIST_ENTRY_MAX = sizeof(struct blocklist_head) + 2 * BLOCKLIST_WORD_MAX +
			      4 * BLOCKLIST_TEXT_MAX + BLOCKLIST_DATA_MAX,
	/* of each kind the visible record and the one of the next version */
	BLOCKLIST_SPANS_MAX = 2 * BLOCKLIST_KINDS,
	BLOCKLIST_VALUE_MAX = BLOCKLIST_SPANS_MAX * BLOCKLIST_ENTRY_MAX,
};

struct blocklist_row {
	char name[HIT_LIST_MAX];
	char public_text[BLOCKLIST_PUBLIC_MAX];
	uint8_t garden[DNS_NAME_MAX + 1];
	uint64_t names, addresses;
	uint32_t lease, lease_s, version, serial, loaded;
	uint16_t id, precedence, ede;
	uint8_t action, mode;
	uint8_t pending;		   /* there may be records that are not visible */
	uint8_t forced;			   /* the last import was */
	uint8_t max_shrink, max_growth[2]; /* see struct blocklist_list; big endian */
	uint8_t zero[3];
	uint32_t check;
};

struct blocklist_group_row {
	char name[HIT_LIST_MAX];
	uint64_t lists[BLOCKLIST_LISTS_MAX / 64];
	uint64_t since;
	uint16_t id;
	uint8_t class, except;
	uint32_t check;
};

struct blocklist_words_row {
	struct blocklist_word_pair pair; /* zeros behind each word */
	uint32_t check;
};

/* Behind it the reason without NUL, then the check. */
struct blocklist_client_head {
	uint32_t since;
	uint16_t group;
	uint8_t opt_out, reason_len;
};

enum {
	BLOCKLIST_CLIENT_MAX = sizeof(struct blocklist_client_head) + BLOCKLIST_TEXT_MAX +
			       sizeof(uint32_t)
};

struct blocklist_meta {
	char magic[16];
	uint32_t format, size;
	uint64_t epoch, generation;
	/* Each grows with each change of a LIST, GROUP, or (clients) CLIENT or GROUP
	 * pair. */
	uint64_t lists_revision, groups_revision, clients_revision;
	uint64_t next_entry;
	uint64_t digest; /* sum of the hashes of all pairs but this one */
	uint64_t pairs;	 /* all but this one */
	uint64_t names, entries, clients, addresses; /* pairs of each tag */
	/* Pairs per label count and prefix length: a look-up asks only for those there
	 * are. [0] is IPv4, [1] IPv6. */
	uint32_t depth[BLOCKLIST_DEPTHS];
	uint32_t addr_bits[2][BLOCKLIST_BITS], client_bits[2][BLOCKLIST_BITS];
	uint32_t client_rules; /* ADDR pairs with a record about clients */
	uint32_t words;	       /* WORDS pairs: numbers 1 to that one are given */
	uint32_t zero;
	uint32_t check;
};

_Static_assert(sizeof(struct blocklist_record) == 32, "stored form");
_Static_assert(sizeof(struct blocklist_head) == 48, "stored form");
_Static_assert(sizeof(struct blocklist_row) == 504, "stored form");
_Static_assert(sizeof(struct blocklist_group_row) == 208, "stored form");
_Static_assert(sizeof(struct blocklist_client_head) == 8, "stored form");
_Static_assert(sizeof(struct blocklist_words_row) == 100, "stored form");
_Static_assert(sizeof(struct blocklist_meta) == 120 + 4 * (128 + 4 * 129) + 16,
	       "stored form");

struct blocklist {
	MDB_env *env;
	MDB_dbi dbi, entries;
	bool writable;
	size_t page_size;
	char dir[4096];
	char data[4200]; /* path of data.mdb, or of a copy */
};

/* ---- blocklist.c ---- */

int blocklist_error(int mdb_error);
/* Whether a file system of that statfs type is one where LMDB's locks cannot work. */
bool blocklist_fs_remote(unsigned long fs_type);
MUST_CHECK int blocklist_dir_sync(const char *dir);

/* ---- blocklist_key.c ---- */

/* Writes name's key; ends[d] is the key length of its ancestor of d labels. Returns the
 * number of labels. */
unsigned blocklist_key_name(uint8_t out[BLOCKLIST_KEY_MAX],
			    uint16_t ends[BLOCKLIST_DEPTHS], const uint8_t *name);
/* Returns the length. */
size_t blocklist_key_prefix(uint8_t out[BLOCKLIST_KEY_MAX], enum blocklist_tag tag,
			    const struct addr *a, unsigned bits);
size_t blocklist_key_rule(uint8_t out[BLOCKLIST_KEY_MAX],
			  const struct blocklist_key *key);
size_t blocklist_key_list(uint8_t out[BLOCKLIST_KEY_MAX], enum blocklist_tag tag,
			  uint16_t list);
/* How many of the first len bytes two keys share; that many they are known to. */
static inline size_t blocklist_key_shared(const uint8_t *a, const uint8_t *b, size_t same,
					  size_t len)
{
	while (same + 8 <= len || (same < len && len >= 8)) {
		size_t at = same + 8 <= len ? same : len - 8;
		uint64_t differs = hash_word(a + at) ^ hash_word(b + at);
		if (differs)
			return at + (size_t)__builtin_ctzll(differs) / 8;
		same = at + 8;
	}
	while (same < len && a[same] == b[same])
		same++;
	return same;
}

/* The way back, of a NAME, ADDR or CLIENT key; ERR_DAMAGED when it is none. */
MUST_CHECK int blocklist_key_decode(struct blocklist_key *out, const uint8_t *key,
				    size_t len);

uint64_t blocklist_key_hash(const void *key, size_t len);
uint32_t blocklist_record_check(uint64_t key_hash, const struct blocklist_record *r);
/* entry points at a head and what is behind it; head.len bytes are read. */
uint32_t blocklist_entry_check(uint64_t key_hash, const uint8_t *entry, size_t len);
/* Of rows, clients and the meta pair, whose last field is the check. */
uint32_t blocklist_tail_check(uint64_t key_hash, const void *value, size_t len);

/* What a pair adds to the digest. */
uint64_t blocklist_pair_digest(uint64_t key_hash, const MDB_val *value);

/* Writes head, texts and data; ids, versions and check are 0. Returns the length. */
size_t blocklist_entry_encode(uint8_t out[BLOCKLIST_ENTRY_MAX],
			      const struct blocklist_item *item);
/* Fills all of out but its key. */
void blocklist_entry_decode(struct blocklist_item *out, const uint8_t *entry);
/* Only what is known of it is written: for the resolver, at each hit. */
void blocklist_entry_read(struct blocklist_entry *out, const uint8_t *entry);

/* One record of an ENTRY pair. */
struct blocklist_span {
	const uint8_t *bytes; /* head, texts, data */
	struct blocklist_head head;
};
/* Takes an ENTRY pair's value apart, checks included: one of BLOCKLIST_BOTH comes as two,
 * whose heads say which. Returns the count, or ERR_DAMAGED. */
MUST_CHECK int blocklist_spans(struct blocklist_span out[BLOCKLIST_SPANS_MAX],
			       const uint8_t *key, size_t key_len, const uint8_t *value,
			       size_t len);

static inline bool blocklist_visible(const struct blocklist_record *r, uint32_t version)
{
	return r->from <= version && version < r->to;
}

/* A list's name must be there, fit, and be printable ASCII without blanks. */
MUST_CHECK int blocklist_name_check(const char *list);

void blocklist_list_from_row(struct blocklist_list *out, const struct blocklist_row *row);
MUST_CHECK int blocklist_row_read(struct blocklist_row *out, const MDB_val *key,
				  const MDB_val *value);
/* ERR_VERSION: not a store of ours, or of another format. */
MUST_CHECK int blocklist_meta_read(struct blocklist_meta *out, MDB_txn *txn, MDB_dbi dbi);
/* Of an empty store. */
void blocklist_meta_init(struct blocklist_meta *out, uint64_t epoch);
MUST_CHECK int blocklist_meta_write(struct blocklist_meta *m, MDB_txn *txn, MDB_dbi dbi);

/* ---- blocklist_data.c ---- */

/* Whether bytes are a name in lower case, to the last one. */
bool blocklist_data_is_name(const uint8_t *bytes, size_t len);

/* What an import makes of two items for one key and kind; see import_put(). */
enum blocklist_join {
	BLOCKLIST_REPLACED, /* one stands, the other is left out */
	BLOCKLIST_JOINED,   /* the records of both stand */
	BLOCKLIST_CUT,	    /* as many of them as there is room for */
};
/* Makes entry what stands after newer came. */
enum blocklist_join blocklist_entry_join(uint8_t entry[BLOCKLIST_ENTRY_MAX],
					 const uint8_t *newer);

/* ---- blocklist_client.c ---- */

/* Prefix lengths in use, longest first. */
struct blocklist_lengths {
	uint8_t bits[BLOCKLIST_BITS];
	uint8_t n;
};
void blocklist_lengths_from(struct blocklist_lengths *out,
			    const uint32_t count[BLOCKLIST_BITS]);

/* What a view knows of clients. */
struct blocklist_classes {
	uint64_t epoch, clients_revision, groups_revision; /* of what stands below */
	struct blocklist_lengths bits[2];		   /* IPv4, IPv6 */
	struct blocklist_group *group; /* by id; name empty: none of that id */
	uint32_t group_n, group_room;
	/* Of the class's groups one: its id + 1; 0 = it has none. */
	uint16_t group_of[BLOCKLIST_CLASSES];
	struct blocklist_memo *memo; /* NULL as long as there are no clients */
	uint32_t memo_round;	     /* older places are free */
};
MUST_CHECK int blocklist_classes_load(struct blocklist_classes *c,
				      const struct blocklist_meta *m, MDB_txn *txn,
				      MDB_dbi dbi);
void blocklist_classes_close(struct blocklist_classes *c);
MUST_CHECK int blocklist_group_read(struct blocklist_group_row *out, const MDB_val *key,
				    const MDB_val *value);
/* Fills all of out, from a CLIENT pair. */
MUST_CHECK int blocklist_client_read(struct blocklist_client *out, const MDB_val *key,
				     const MDB_val *value);

/* ---- blocklist_ahead.c ---- */

/* Where a snapshot's names are. */
struct blocklist_pages {
	uint8_t *map;
	size_t size;	     /* of a page */
	uint64_t root, last; /* numbers of pages; root 0: not known */
};
void blocklist_pages_find(struct blocklist_pages *out, const struct blocklist *bl,
			  MDB_txn *txn);

/* One search on its way down; the caller sets key and key_len. */
struct blocklist_descent {
	uint8_t *page;		    /* NULL: it is at its end */
	int low, middle, high;	    /* the nodes of it that are left */
	const uint8_t *next;	    /* the middle one */
	size_t same_low, same_high; /* bytes that their neighbours share with key */
	uint8_t *pair;		    /* what it came to, with so much behind it */
	size_t room;
	size_t key_len;
	uint8_t key[BLOCKLIST_KEY_MAX];
};
/* Of n keys, while the snapshot lives; root is not 0. */
void blocklist_pages_fetch(const struct blocklist_pages *p, struct blocklist_descent *d,
			   int n);
/* The pair of the very key; false: there is none, or LMDB must be asked. */
bool blocklist_descent_pair(const struct blocklist_descent *d, MDB_val *key,
			    MDB_val *value);

/* ---- blocklist_view.c ---- */

struct blocklist_classes *blocklist_view_classes(const struct blocklist_view *v);
/* Pairs of one tag of the unnamed database, in key order, until pair() returns
 * something other than 0. */
typedef int blocklist_pair_fn(void *arg, const MDB_val *key, const MDB_val *value);
MUST_CHECK int blocklist_walk_tag(MDB_txn *txn, MDB_dbi dbi, enum blocklist_tag tag,
				  blocklist_pair_fn *pair, void *arg);

/* The snapshot, or NULL. */
MDB_txn *blocklist_view_txn(const struct blocklist_view *v);
struct blocklist *blocklist_view_store(const struct blocklist_view *v);

/* ---- blocklist_words.c ---- */

enum { BLOCKLIST_WORDS_MAX = 4096 }; /* there are about 3,000 named families */

struct blocklist_words {
	struct blocklist_word_pair *pair; /* of number 1 first */
	uint32_t n, room;
};
/* Reads those that are not there yet. */
MUST_CHECK int blocklist_words_load(struct blocklist_words *w,
				    const struct blocklist_meta *m, MDB_txn *txn,
				    MDB_dbi dbi);
/* Of an encoded entry. */
void blocklist_words_pair(struct blocklist_word_pair *out, const uint8_t *entry);
/* Whether that is what blocklist_words_pair() would say. */
bool blocklist_words_are(const struct blocklist_word_pair *pair, const uint8_t *entry);
/* Whether an encoded entry's number, if it has one, is that of its own words. */
bool blocklist_words_match(const struct blocklist_words *w, const uint8_t *entry);
MUST_CHECK int blocklist_words_read(struct blocklist_words_row *out, const MDB_val *key,
				    const MDB_val *value);

/* ---- blocklist_write.c ---- */

struct blocklist_txn {
	struct blocklist *bl;
	MDB_txn *txn;
	MDB_cursor *entries, *rules; /* of the other and the unnamed database */
	bool behind[2];		     /* of each: new keys have come behind all others */
	struct blocklist_meta meta;  /* written back by commit */
};

/* Numbers of a store's pairs of words, for many transactions; made at the first use. */
struct blocklist_interner;
/* The number of an encoded entry's pair, a new one if need be; 0: there is none left. */
MUST_CHECK int blocklist_intern(struct blocklist_interner **table, uint16_t *number,
				struct blocklist_txn *txn, const uint8_t *entry);
void blocklist_interner_free(struct blocklist_interner *t);

/* large: up to BLOCKLIST_TXN_CHANGES keys are going to change. */
MUST_CHECK int blocklist_txn_begin(struct blocklist_txn *t, struct blocklist *bl,
				   bool large);
/* One that may add that many pages to the file. ERR_BUSY: another file has taken the
 * place of the one that is open. */
MUST_CHECK int blocklist_txn_begin_for(struct blocklist_txn *t, struct blocklist *bl,
				       size_t pages);
MUST_CHECK int blocklist_txn_commit(struct blocklist_txn *t);
void blocklist_txn_abort(struct blocklist_txn *t);
/* Between two transactions of one work: LMDB's lock goes to who asks first, and that
 * would be ourselves again before the next in line has woken up. */
void blocklist_let_others(void);
/* The only function that changes a pair: keeps digest and counts. old is what stands
 * now (NULL: nothing), new what shall (NULL: nothing). */
MUST_CHECK int blocklist_txn_put(struct blocklist_txn *t, MDB_cursor *c,
				 const MDB_val *key, const MDB_val *old,
				 const MDB_val *new_value);
/* What shall stand under a key, whose blocklist_key_hash() the caller knows. */
struct blocklist_pair {
	MDB_val key, value;
	uint64_t key_hash;
};
/* Puts a pair that must be new; many are best put in key order. ERR_EXIST with *old
 * filled: there is one. */
MUST_CHECK int blocklist_txn_put_new(struct blocklist_txn *t, MDB_cursor *c,
				     const struct blocklist_pair *pair, MDB_val *old);
/* The row of that name, visible or not; ERR_NOENT. */
MUST_CHECK int blocklist_row_find(struct blocklist_txn *t, struct blocklist_row *out,
				  const char *list);
/* That row, or a new one with defaults, not yet visible and not yet put. */
MUST_CHECK int blocklist_row_make(struct blocklist_txn *t, struct blocklist_row *out,
				  const char *list);
MUST_CHECK int blocklist_row_put(struct blocklist_txn *t, struct blocklist_row *row);
MUST_CHECK int blocklist_row_delete(struct blocklist_txn *t,
				    const struct blocklist_row *row);
MUST_CHECK int blocklist_set_check(const struct blocklist_list_set *set);
/* Returns whether something that decides answers has changed. */
bool blocklist_row_set(struct blocklist_row *row, const struct blocklist_list_set *set);

uint32_t blocklist_lease_end(uint32_t from, uint32_t lease_s);
/* Sets the end of the lease. True when what resolvers remember must be forgotten, as for
 * any visible change: rules end sooner than was told with them, or may come back to life,
 * where the time without them is remembered. */
bool blocklist_row_renew(struct blocklist_row *row, uint32_t lease);
uint32_t blocklist_now(void);
/* Counts a pair in the meta pair: by 1 or -1. */
void blocklist_meta_count(struct blocklist_meta *m, const MDB_val *key, int by);
/* Whether a pair is an ADDR pair with a record about clients. */
bool blocklist_about_clients(const MDB_val *key, const MDB_val *value);

/* Holds a list against other writers until unlocked or the process ends. Returns a file
 * descriptor, or ERR_BUSY after wait_ms. */
MUST_CHECK int blocklist_lock(struct blocklist *bl, const char *list, unsigned wait_ms);
void blocklist_unlock(int fd);
/* The lock that is held while a store is made; list names are never empty. */
#define BLOCKLIST_LOCK_CREATE ""
MUST_CHECK int blocklist_lock_dir(const char *dir, const char *list, unsigned wait_ms);

/* Gives back what a large transaction asked for at the file's end: on a full disk also
 * what a failed one has written there. */
void blocklist_room_back(struct blocklist *bl);

/* ---- blocklist_client_edit.c ---- */

/* Of a list that goes: its id will be another list's. */
MUST_CHECK int blocklist_groups_forget(struct blocklist_txn *t, uint16_t list);

/* ---- blocklist_edit.c ---- */

MUST_CHECK int blocklist_item_check(const struct blocklist_item *item);

/* ---- blocklist_merge.c ---- */

/* What a list shall hold under one key: encoded entries, of which one that is stored
 * does not say the kind. */
struct blocklist_want {
	const uint8_t *bytes[BLOCKLIST_KINDS];
	uint8_t kind[BLOCKLIST_KINDS];
	int n;
};
/* There is room, or nothing is done and false said. */
static inline bool blocklist_want_add(struct blocklist_want *w, const uint8_t *bytes,
				      unsigned kind)
{
	if (w->n == BLOCKLIST_KINDS)
		return false;
	w->bytes[w->n] = bytes;
	w->kind[w->n++] = (uint8_t)kind;
	return true;
}
/* Takes a kind out. */
void blocklist_want_drop(struct blocklist_want *w, unsigned kind);

/* All that a feed has for one key, in the order of kinds. */
struct blocklist_sorted {
	MDB_val key;
	struct blocklist_want want;
};

/* Brings keys of one list from what stands to what is wanted. */
struct blocklist_merge {
	struct blocklist_txn txn;
	struct blocklist_interner *words;
	uint16_t list;
	uint32_t version; /* of the list: decides what is visible now */
	uint32_t next;	  /* version that new records begin with */
	bool staged;	  /* leave what is visible now alone until version = next */
	bool parting;	  /* a name's wildcard will not say what the name says */
	uint32_t now;
	uint64_t written;	   /* keys changed in this transaction */
	uint64_t names, addresses; /* wanted so far */
	struct blocklist_changes changes;
	uint8_t *rules; /* scratch for a NAME or ADDR value, grows */
	size_t rules_room;
	size_t value_len;
	uint8_t value[BLOCKLIST_VALUE_MAX]; /* scratch for an ENTRY value */
};

/* rule is a NAME or ADDR key, old the ENTRY value that stands (size 0: none), a copy. */
MUST_CHECK int blocklist_merge_key(struct blocklist_merge *m, const MDB_val *rule,
				   const MDB_val *old, const struct blocklist_want *want);
/* What a key gets where the list has nothing, made before its turn comes and with no
 * store at hand: many are made by one thread and put by another. */
struct blocklist_ready { /* behind it the rule's key, the ENTRY value, the records */
	uint64_t rule_hash, entry_hash;
	uint32_t value_len;
	uint16_t key_len, records;
	bool good; /* false: it has other words, and only tells what is wanted */
};
/* Who makes them. Of merge only list, next, now, and in txn.meta.next_entry the first of
 * the numbers that nobody else gives away; words is the number of that pair. */
struct blocklist_getting_ready {
	struct blocklist_merge merge;
	struct blocklist_word_pair pair;
	uint16_t words;
};
/* The most bytes that it takes. */
size_t blocklist_ready_size(const MDB_val *rule, const struct blocklist_want *want);
/* Returns how many it took. */
size_t blocklist_ready_make(uint8_t *out, struct blocklist_getting_ready *g,
			    const MDB_val *rule, const struct blocklist_want *want);
/* What was wanted, pointing into it. */
void blocklist_ready_want(struct blocklist_sorted *out, const uint8_t *ready);
/* As blocklist_merge_key() where the list has nothing. */
MUST_CHECK int blocklist_merge_ready(struct blocklist_merge *m, const uint8_t *ready);
void blocklist_merge_fini(struct blocklist_merge *m);
/* What is visible under one key, wanted again; kind (or -1) is left out. */
MUST_CHECK int blocklist_want_visible(struct blocklist_want *out, const MDB_val *key,
				      const MDB_val *old, uint32_t version, int but_kind);

/* The one of a kind, or NULL. */
const uint8_t *blocklist_want_kind(const struct blocklist_want *want, unsigned kind);
/* Whether two encoded entries of one kind say the same; id, versions and the day it was
 * first listed belong to the store. */
bool blocklist_entry_same(const uint8_t *entry, const uint8_t *other);

/* Walks the ENTRY pairs of one list while they are being changed. */
struct blocklist_scan {
	MDB_cursor *cursor;
	uint16_t list;
	bool end;
	MDB_val key, value; /* of the pair at hand, copies */
	uint8_t key_bytes[BLOCKLIST_KEY_MAX + 1];
	uint8_t value_bytes[BLOCKLIST_VALUE_MAX];
};
/* At the first pair whose RULE has that tag or a later one; 0: the first of all. */
MUST_CHECK int blocklist_scan_start(struct blocklist_scan *s, MDB_cursor *c,
				    uint16_t list, int tag);
/* moved: the tree was changed since the last call. */
MUST_CHECK int blocklist_scan_next(struct blocklist_scan *s, bool moved);
/* At the same pair in a new transaction. */
MUST_CHECK int blocklist_scan_resume(struct blocklist_scan *s, MDB_cursor *c);
/* The NAME or ADDR key within the ENTRY key at hand. */
static inline MDB_val blocklist_scan_rule(const struct blocklist_scan *s)
{
	return (MDB_val){s->key.mv_size - 3, (uint8_t *)s->key.mv_data + 3};
}

/* Removes all records of a list that are not visible, in bounded transactions, and
 * makes visible ones stand for ever. *stop may end it early: the rest stays
 * invisible. */
MUST_CHECK int blocklist_sweep(struct blocklist *bl, const char *list,
			       const volatile int *stop);

/* ---- blocklist_import.c ---- */

/* Other than BLOCKLIST_TXN_CHANGES: for tests of what a large import does. */
void blocklist_import_limit(struct blocklist_import *im, uint64_t changes);

/* ---- blocklist_sort.c ---- */

/* Sorts any number of (key, entry) pairs in bounded memory, the rest in a file without a
 * name beside the store. Several for one key and kind come out as one: see
 * blocklist_entry_join(). */
struct blocklist_sort;
MUST_CHECK int blocklist_sort_open(struct blocklist_sort **out, const char *dir,
				   size_t memory);
void blocklist_sort_close(struct blocklist_sort *s);
MUST_CHECK int blocklist_sort_put(struct blocklist_sort *s, const uint8_t *key,
				  size_t key_len, const uint8_t *entry, size_t entry_len);
/* Ends putting; or starts reading again. */
MUST_CHECK int blocklist_sort_rewind(struct blocklist_sort *s);
/* 1 with *out filled until the next call, 0 at the end, or ERR_*. */
MUST_CHECK int blocklist_sort_next(struct blocklist_sort *s,
				   struct blocklist_sorted *out);
uint64_t blocklist_sort_count(const struct blocklist_sort *s);
/* Of the entries handed out since the last rewind: how many others were replaced by them,
 * and how many were cut. */
void blocklist_sort_lost(const struct blocklist_sort *s, struct blocklist_changes *out);

/* ---- blocklist_marks.c ---- */

/* Puts the markers that the items need; marks is to be rewound then, as are items. */
MUST_CHECK int blocklist_marks_make(struct blocklist_sort *marks,
				    struct blocklist_sort *items);

#endif
