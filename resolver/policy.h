/* policy.h: every decision about rules, the only file that makes one.
 * Shape    a question with its class in, one struct verdict out
 * Units    now_s in seconds since 1970, UTC, wall clock
 * Memory   no allocation; verdicts are copies
 * Threads  a struct policy belongs to one worker
 * Errors   ERR_* of the store: the caller must answer SERVFAIL and send nothing
 * Source   POLICY.md "Our decision order"; RPZ draft PR1 to PR9, deviation "no-contact"
 *
 * Order among the records that match at one moment: lists by precedence (lower number
 * first, ties by list name); within a list by trigger (client, name, answer address,
 * server name, server address); of names exact beats subtree and wildcard, more labels
 * beat fewer; of addresses more bits beat fewer, then the smaller one. Records not begun,
 * past expiry, past their list's lease, of a disabled list or with action disabled do not
 * match. A monitor record is remembered and the search goes on; the first other record
 * decides. passthru decides too: VERDICT_PASSTHRU.
 *
 * The moments: client and question together, before anything is sent; each server before
 * it is sent to; each answer with all its addresses; each target of an alias. What was
 * decided at one is final: a later one never overrules it, whatever the lists. */
#ifndef SINKHOLED_POLICY_H
#define SINKHOLED_POLICY_H

#include "include/blocklist_client.h"
#include "resolver/reply.h"

/* The set of lists that apply to a group of clients. */
enum policy_class {
	POLICY_ALL = BLOCKLIST_CLASS_ALL,   /* every list */
	POLICY_NONE = BLOCKLIST_CLASS_NONE, /* opted out: no list */
};

struct policy {
	struct blocklist_view *view;  /* renewed by the owner at each batch edge */
	struct blocklist_stamp stamp; /* of that view */
	uint32_t now_s;
	enum rule_action default_action; /* of an entry and list that name none */
};

/* On whose behalf something is asked; travels with a task. */
struct policy_subject {
	uint8_t class; /* enum policy_class, or a number from the store */
	bool passthru; /* a passthru rule freed the question: its names and servers */
	bool own;      /* our own question (name-server address): subtree rules only */
	struct addr client; /* family 0: rules about clients have been asked before */
};

/* What a verdict of that class is remembered with: the same stamp, the same verdict until
 * a time comes. */
struct blocklist_stamp policy_stamp(const struct policy *p, unsigned class);

/* The verdict about a name: the question (with the client, where the subject has one), or
 * a CNAME or DNAME target. monitor (may be NULL) gets the first monitor rule that
 * matched. */
MUST_CHECK int policy_name(struct verdict *out, struct verdict *monitor,
			   const struct policy *p, const struct policy_subject *s,
			   const uint8_t *name);

/* The verdict about a name server by name and address (family 0 or name NULL = not
 * known). VERDICT_PASSTHRU only of rules that are about servers alone. */
MUST_CHECK int policy_server(struct verdict *out, struct verdict *monitor,
			     const struct policy *p, const struct policy_subject *s,
			     const uint8_t *server, const struct addr *addr);

/* The verdict of an action that was remembered with the rule on name, which a question
 * asks for. */
void policy_remembered(struct verdict *out, const struct rule *rule,
		       enum rule_action action, const uint8_t *name);

/* The verdict about the addresses in an answer: of A and AAAA, hints of SVCB and HTTPS.
 */
MUST_CHECK int policy_answer(struct verdict *out, struct verdict *monitor,
			     const struct policy *p, const struct policy_subject *s,
			     const struct rrset *set);

/* Whether a's rule comes before b's in the order of decision; a verdict of pass comes
 * last. */
bool policy_before(const struct policy *p, const struct verdict *a,
		   const struct verdict *b);

/* Asked by the one sending function at every transmission: may a packet about qname go
 * to that server now? VERDICT_ACT = no, with the rule that forbids it. */
MUST_CHECK int policy_send(struct verdict *out, const struct policy *p,
			   const struct policy_subject *s, const uint8_t *qname,
			   const uint8_t *server, const struct addr *addr);

/* After the question was judged with its client: what a task is to know. It asks about
 * the client again only when the garden of a rule about clients is what it looks for. */
void policy_settle(struct policy_subject *s, const struct verdict *v);

/* Where an acting verdict of action RULE_CNAME sends name: with "*." in front of the
 * target, name goes there. ERR_RANGE: that is longer than a name. */
MUST_CHECK int policy_garden(uint8_t out[DNS_NAME_MAX], const struct policy *p,
			     const struct verdict *v, const uint8_t *name);

/* What `explain` asks about; any of it may be missing (name NULL, family 0). */
struct policy_asked {
	uint8_t class; /* whose lists */
	bool server;   /* name is a name server's, addr only that */
	const uint8_t *name;
	struct addr client;
	struct addr addr; /* in an answer, or of a name server */
};
enum { POLICY_REASONS_MAX = BLOCKLIST_MATCHES_MAX };
struct policy_reason {
	struct rule rule;
	enum rule_trigger trigger;
	enum rule_action action; /* if it decided */
	const char *lost;	 /* why it does not; NULL for the one that does */
};
/* All records that match, in the order of decision, then those that could not decide, and
 * the verdict that comes of it. Of more than there is room for the first are kept.
 * Returns the count, or ERR_*. */
MUST_CHECK int policy_explain(struct policy_reason out[POLICY_REASONS_MAX],
			      struct verdict *v, const struct policy *p,
			      const struct policy_asked *q);

#endif
