/* rule.h: what a blocklist says about one name or prefix, and what policy made of it.
 * Shape    struct rule is one list's record as found in the store; struct verdict
 *          is the decision of policy.c about one question
 * Units    times in seconds since 1970, UTC; 0 = none
 * Source   RPZ draft (actions, triggers), DESIGN.md P1 to P8 */
#ifndef SINKHOLED_RULE_H
#define SINKHOLED_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "include/addr.h"
#include "include/name.h"

/* Stored in the blocklist and in hit records: numbers never change, new ones go last. */
enum rule_action {
	RULE_GIVEN = 0, /* lists only: the entry's own action; entries: the list's */
	RULE_ADDRESS = 1,
	RULE_NXDOMAIN = 2,
	RULE_NODATA = 3,
	RULE_REFUSE = 4,
	RULE_DROP = 5,
	RULE_PASSTHRU = 6,
	RULE_TCP_ONLY = 7,
	RULE_LOCAL_DATA = 8,
	RULE_CNAME = 9,
	RULE_MONITOR = 10,  /* logged, then the search goes on */
	RULE_DISABLED = 11, /* lists only */
	RULE_ACTION_N
};

/* Which names a rule covers. Those of the first three are compared with questions and
 * with names of servers, the NS kinds with names of servers only. */
enum rule_kind {
	RULE_EXACT = 0,	   /* the name itself */
	RULE_SUBTREE = 1,  /* the name and all below it */
	RULE_WILDCARD = 2, /* all below the name, not itself (RPZ "*.x") */
	RULE_ENT = 3,	   /* empty non-terminal: ends this list's wildcards above it */
	RULE_NS_EXACT = 4, /* RPZ "x.rpz-nsdname" */
	RULE_NS_WILDCARD = 5,
	RULE_NS_ENT = 6, /* ends this list's NS_WILDCARDs above it */
	RULE_KIND_N
};

/* Stands for no rule of its own. */
static inline bool rule_kind_is_marker(unsigned k)
{
	return k == RULE_ENT || k == RULE_NS_ENT;
}

static inline bool rule_kind_is_wildcard(unsigned k)
{
	return k == RULE_WILDCARD || k == RULE_NS_WILDCARD;
}

/* For names of servers only. */
static inline bool rule_kind_is_ns(unsigned k)
{
	return k >= RULE_NS_EXACT;
}

/* What was compared with the rule. */
enum rule_trigger {
	RULE_ON_NONE = 0,
	RULE_ON_CLIENT = 1,
	RULE_ON_QNAME = 2,   /* the question, or a CNAME or DNAME target in the answer */
	RULE_ON_ANSWER = 3,  /* an address in the answer */
	RULE_ON_NS_NAME = 4, /* a name server's name */
	RULE_ON_NS_ADDR = 5, /* a name server's address */
	RULE_TRIGGER_N
};

/* Address rules say what they are compared with; bits, so that one record may
 * stand for several. */
enum {
	RULE_ADDR_CLIENT = 1,
	RULE_ADDR_ANSWER = 2,
	RULE_ADDR_SERVER = 4,
	RULE_ADDR_ALL = 7
};

/* One record of one list, copied out of the store. */
struct rule {
	uint64_t entry;	  /* id, of none else; a name and its wildcard may share it */
	uint32_t starts;  /* 0 = at once */
	uint32_t expires; /* 0 = never; only never-block rules may have that */
	uint16_t list;	  /* id, see blocklist_list() */
	uint8_t action;	  /* enum rule_action */
	uint8_t kind;	  /* enum rule_kind for names, RULE_ADDR_* bits for addresses */
	uint8_t labels;	  /* names: labels of the owner; addresses: prefix bits */
	uint16_t words;	  /* see blocklist_words_of(); 0 = look at the entry */
};

enum verdict_kind {
	VERDICT_PASS,	  /* nothing to enforce */
	VERDICT_ACT,	  /* answer with .action */
	VERDICT_PASSTHRU, /* a rule says: the truth, and no more policy */
};

struct verdict {
	enum verdict_kind kind;
	enum rule_action action;
	enum rule_trigger trigger;
	struct rule rule;	       /* the one that acts */
	uint8_t matched[DNS_NAME_MAX]; /* owner of the rule, or of the name that led to it
					*/
	struct prefix prefix;	       /* for address triggers: the rule's prefix */
	uint32_t change; /* when time alone may change this verdict; 0 = never */
};

static inline const char *rule_action_text(enum rule_action a)
{
	static const char *const text[RULE_ACTION_N] = {
		"given",    "address",	"nxdomain",   "nodata", "refuse",  "drop",
		"passthru", "tcp-only", "local-data", "cname",	"monitor", "disabled",
	};
	return (unsigned)a < RULE_ACTION_N ? text[a] : "?";
}

/* The action of that name, or -1. */
static inline int rule_action_from_text(const char *text)
{
	for (int a = 0; a < RULE_ACTION_N; a++)
		if (strcmp(text, rule_action_text((enum rule_action)a)) == 0)
			return a;
	return -1;
}

static inline const char *rule_kind_text(enum rule_kind k)
{
	static const char *const text[RULE_KIND_N] = {"exact",
						      "subtree",
						      "wildcard",
						      "empty-non-terminal",
						      "ns-exact",
						      "ns-wildcard",
						      "ns-empty-non-terminal"};
	return (unsigned)k < RULE_KIND_N ? text[k] : "?";
}

/* What an address rule is compared with, by its RULE_ADDR_* bits: "address" is what a
 * list line stands for. */
static inline const char *rule_use_text(unsigned use)
{
	static const char *const text[] = {
		"none",	  "client",	   "answer",  "client+answer",
		"server", "client+server", "address", "client+address"};
	return text[use & 7];
}

/* The bits, or 0. */
static inline uint8_t rule_use_from_text(const char *text)
{
	for (uint8_t use = 1; use < 8; use++)
		if (strcmp(text, rule_use_text(use)) == 0)
			return use;
	return 0;
}

static inline const char *rule_trigger_text(enum rule_trigger t)
{
	static const char *const text[RULE_TRIGGER_N] = {
		"none", "client", "name", "answer", "ns-name", "ns-address"};
	return (unsigned)t < RULE_TRIGGER_N ? text[t] : "?";
}

#endif
