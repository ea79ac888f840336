/* conf.h: the configuration as the programs use it.
 * Shape    one flat struct, filled from YAML by the table of keys in
 *          resolver/conf_keys.c that also prints --help-config; immutable once loaded
 * Units    in each field's name
 * Memory   conf_free() frees all of it; strings are never NULL
 * Threads  read by all
 * Errors   ERR_FORMAT, ERR_INVAL, ERR_NOENT, ERR_ACCESS, ERR_IO, ERR_NOMEM;
 *          conf_error tells file, line, key and what to do */
#ifndef SINKHOLED_CONF_H
#define SINKHOLED_CONF_H

#include <stdio.h>

#include "include/addr.h"
#include "include/feed.h"

enum {
	CONF_LISTEN_MAX = 64,
	CONF_WORKERS_MAX = 256,
	/* Timers, TCP and name servers' replies can wait for so long, times half of
	 * FRONT_UDP_BATCHES, for each listening address. */
	CONF_BUSY_POLL_MAX_US = 1000,
	CONF_NET_MAX = 4096,   /* allow, permit_private: an ISP's prefixes are hundreds */
	CONF_ZONES_MAX = 256,  /* stub, forward, negative_trust_anchors */
	CONF_SERVERS_MAX = 13, /* per stub or forward zone, as for a delegation */
	CONF_LISTS_MAX = 256,  /* lists: operators use tens */
	CONF_PATH_MAX = 1024,
	CONF_NODE_MAX = 64,	 /* as HIT_NODE_MAX */
	CONF_NSID_MAX = 65,	 /* it stands in every answer to who asks */
	CONF_FILE_MAX = 1 << 20, /* 4096 prefixes are 200 KB */
	/* What cache.size pays for before it holds anything: tables of the process, and
	 * of each worker. As measured, with what a lively hour adds to them. */
	CONF_OWN_MIB = 4,
	CONF_OWN_WORKER_MIB = 2,
	CONF_KEPT_MAX = 1024, /* above the names of all keys */
	CONF_SHA256_LEN = 64, /* hexadecimal */
	CONF_COLUMNS_MAX = 256,
};

struct conf_zone {
	uint8_t zone[DNS_NAME_MAX];
	struct addr servers[CONF_SERVERS_MAX]; /* port set: 53 unless told */
	int servers_n;
	bool first; /* when these servers fail, the zone counts as not given */
};

/* Sorted, none inside another; ask with conf_nets_cover(). */
struct conf_nets {
	struct prefix *net;
	int n;
};

/* A list that a tool keeps: sinkhole-blocklist update fetches url, follow transfers zone
 * from primary; exactly one of the two is given. What is a setting of the list in the
 * store is -1 or "" where the file does not say: the store's stands. */
struct conf_list {
	char name[HIT_LIST_MAX]; /* letters, digits, "._-": good as a file's name */
	char url[CONF_PATH_MAX]; /* http, https or file; "" = transferred */
	uint32_t interval_s, timeout_s;
	uint64_t max_size_bytes;
	char sha256[CONF_SHA256_LEN + 1], sha256_url[CONF_PATH_MAX];
	char headers[CONF_PATH_MAX], proxy[CONF_PATH_MAX], ca[CONF_PATH_MAX];
	bool keep_copy;
	enum feed_format format;
	char columns[CONF_COLUMNS_MAX], family[BLOCKLIST_WORD_MAX];
	bool exact, ports;
	uint8_t zone[DNS_NAME_MAX]; /* the root: not told */
	struct addr primary[CONF_SERVERS_MAX];
	int primary_n;
	char tsig[CONF_PATH_MAX];
	uint32_t stale_after_s; /* 0 = no limit */
	int precedence, mode, ede, max_shrink, max_growth;
	int64_t lease_s;
	struct conf_action {
		int action; /* enum rule_action */
		uint8_t garden[DNS_NAME_MAX];
	} action;
	char public_text[BLOCKLIST_PUBLIC_MAX];
};

struct conf {
	struct addr listen[CONF_LISTEN_MAX];
	bool listen_proxy[CONF_LISTEN_MAX];
	int listen_n;
	int workers; /* at least 1 */
	int busy_poll_us;
	struct conf_nets allow;
	char state[CONF_PATH_MAX], runtime[CONF_PATH_MAX];
	char user[64], node[CONF_NODE_MAX];
	char nsid[CONF_NSID_MAX]; /* "" = not told */
	struct {
		enum rule_action action;
		struct addr ipv4, ipv6; /* port 0 */
		uint32_t ttl_s;
	} sinkhole;
	struct {
		char root_hints[CONF_PATH_MAX];	  /* "" = built in */
		char trust_anchor[CONF_PATH_MAX]; /* "" = built in, if validate */
		bool validate; /* false: trust_anchor was given as "" */
		bool validate_sha1;
		bool aggressive_nsec;
		uint8_t (*negative_trust_anchors)[DNS_NAME_MAX];
		int negative_trust_anchors_n;
		uint16_t port;
		bool ipv4, ipv6;
		struct addr source4, source6; /* family 0 = any; port 0 */
		enum {
			CONF_QMIN_OFF,
			CONF_QMIN_RELAXED,
			CONF_QMIN_STRICT
		} qname_minimisation;
		bool case_randomisation;
		struct conf_nets permit_private;
		bool local_zones;
		struct conf_zone *stub, *forward;
		int stub_n, forward_n;
	} recursion;
	struct {
		bool minimal;
		uint32_t max_wait_ms; /* 0 = any */
	} answers;
	struct {
		bool enabled;
		struct conf_nets prefixes;
		uint8_t (*exempt)[DNS_NAME_MAX];
		int exempt_n;
	} rebinding;
	struct {
		bool enabled;
		uint32_t client_timeout_ms, ttl_s, max_age_s;
	} serve_stale;
	struct {
		uint64_t size_bytes;
		uint32_t min_ttl_s, max_ttl_s;
		bool prefetch;
	} cache;
	struct {
		uint32_t retention_s;
		uint64_t max_size_bytes;
	} hits;
	struct {
		struct addr listen[CONF_LISTEN_MAX];
		int listen_n;
	} follow;
	struct {
		uint8_t (*own_names)[DNS_NAME_MAX];
		int own_names_n;
		struct conf_nets own_nets;
		char popular[CONF_PATH_MAX];	 /* "" = none */
		uint16_t max_shrink, max_growth; /* percent */
	} gates;
	struct conf_list *lists;
	int lists_n;
};

struct conf_error {
	char text[512]; /* "FILE:LINE: key: what is wrong; what to do" */
};

/* Reads path, or gives the defaults when path is NULL. On failure *out is NULL and *err
 * is filled. Nothing but that one file is opened: that other files, folders, users and
 * addresses exist is for the caller to find out. */
MUST_CHECK int conf_load(struct conf **out, const char *path, struct conf_error *err);
/* The same from memory; name stands for the file in errors. */
MUST_CHECK int conf_parse(struct conf **out, const char *text, size_t len,
			  const char *name, struct conf_error *err);
void conf_free(struct conf *c);
/* The list of that name, or NULL. */
const struct conf_list *conf_list_named(const struct conf *c, const char *name);
/* Gives c, which was read again, the values that old has of the keys that need a restart.
 * kept: the names of those that differed, with ", " between. */
void conf_keep(struct conf *c, const struct conf *old, char kept[CONF_KEPT_MAX]);
/* Every key with type, range, default and help, as a configuration file with comments:
 * what --help-config prints. */
void conf_help(FILE *out);
/* The same as the list of the man page, in mdoc. */
void conf_help_mdoc(FILE *out);

static inline uint64_t conf_own_bytes(int workers)
{
	return (uint64_t)(CONF_OWN_MIB + CONF_OWN_WORKER_MIB * workers) << 20;
}
/* The least cache.size: twice that, so that a quarter of it at least holds RRsets. */
static inline uint64_t conf_cache_least(int workers)
{
	return 2 * conf_own_bytes(workers);
}

/* a is taken as it is: unmap it first where that matters. */
bool conf_nets_cover(const struct conf_nets *nets, const struct addr *a);

#endif
