/* servers.h: the fake servers of a scenario: which entry answers a packet, and the bytes
 * that it answers with.
 * Shape    a packet as it was sent in, an entry or a message out
 * Memory   no allocation but for entries that are derived, in the script's arena
 * Errors   an entry that cannot be found is NULL; a message too large is cut, with TC */
#ifndef SINKHOLED_SERVERS_H
#define SINKHOLED_SERVERS_H

#include "tests/scenarios/script.h"

enum {
	SENT_BYTES_MAX = 512,			  /* a question with OPT and cookies */
	SERVERS_MESSAGE_MAX = DNS_MESSAGE_MAX + 1 /* junk is one byte longer */
};

struct job;

/* A packet of the resolver. */
struct sent {
	struct addr to;
	struct job *job;
	uint32_t id;		     /* of the send */
	uint8_t qname[DNS_NAME_MAX]; /* lower case */
	uint16_t qtype, question_len, udp_max;
	bool tcp, edns, dnssec_ok;
	bool open;	 /* may still be answered */
	bool claimed;	 /* by a CHECK_OUT_QUERY */
	const char *how; /* it was answered, with line when by an entry */
	int line;
	uint16_t len;
	uint8_t bytes[SENT_BYTES_MAX];
};

/* Reads the question and the OPT record; false when there is no whole question. */
bool servers_read(struct sent *t, const struct step_send *s);
bool servers_match(const struct entry *e, const struct sent *t);
/* The same for a step about a packet: its address and its entry, where it has them. */
bool servers_match_step(const struct script_step *p, const struct sent *t);
/* The first entry that matches among the ranges of the step. */
struct entry *servers_find(const struct script *s, long long step, const struct sent *t);
/* As an honest server with the records of that step's ranges would answer; NULL when
 * they do not tell. */
struct entry *servers_derive(struct script *s, long long step, const struct sent *t);
/* Whatever the port. */
bool servers_same_host(const struct addr *a, const struct addr *b);
/* Whether any range is of that address, at whatever step; without ranges all are known.
 */
bool servers_know(const struct script *s, const struct addr *a);
size_t servers_build(uint8_t out[SERVERS_MESSAGE_MAX], const struct script *s,
		     const struct entry *e, const struct sent *t);
/* Makes one thing of a message wrong; returns its new length. */
size_t servers_spoil(uint8_t *msg, size_t len, unsigned junk);

#endif
