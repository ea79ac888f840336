/* iter_message.h: a name server's message as records by owner, type and section.
 * Shape    bytes that passed the guard in; an index of records, RRsets by name out
 * Memory   the index and RRsets lie in the arena, owners and RDATA in the message
 * Threads  any
 * Errors   ERR_NOMEM (arena full), ERR_FORMAT (an RRset that breaks a limit)
 * Source   RFC 1035 4.1, 2181 5, 5452 9.1 (what to match) */
#ifndef SINKHOLED_ITER_MESSAGE_H
#define SINKHOLED_ITER_MESSAGE_H

#include "resolver/iter_reply.h"
#include "resolver/wire_guard.h"

/* One record of the message; its owner stays compressed until it is needed. */
struct iter_record {
	uint64_t owner_hash;
	const uint8_t *owner, *rdata;
	uint32_t ttl;
	uint16_t type, rdlength;
	uint8_t section;
};

struct iter_message {
	struct arena *arena;
	const struct iter_asked *asked;
	const uint8_t *bytes;
	size_t len;
	uint16_t flags;
	unsigned rcode;
	bool has_opt;
	struct iter_record *record;
	int n;
	/* The NSEC and NSEC3 sets of the authority section. */
	const struct rrset **proof;
	uint8_t proof_n;
};

/* ITER_ANSWER: an answer to that question, guarded and worth reading; else what it is. */
enum iter_class iter_message_match(const struct iter_asked *a, const uint8_t *msg,
				   size_t len);
/* A TTL as clients may see it. */
uint32_t iter_message_ttl(const struct iter_asked *a, uint32_t ttl);
/* Fills m->record. */
MUST_CHECK int iter_message_index(struct iter_message *m);
/* Fills m->proof. */
MUST_CHECK int iter_message_proofs(struct iter_message *m);
uint64_t iter_message_hash(const uint8_t *name);
void iter_message_owner(uint8_t out[DNS_NAME_MAX], const struct iter_message *m,
			const struct iter_record *r);
bool iter_message_is_owner(const struct iter_message *m, const struct iter_record *r,
			   const uint8_t *name, uint64_t hash);
/* The next record from *at on of that section, type and owner; moves *at behind it. */
const struct iter_record *iter_message_next(const struct iter_message *m, int *at,
					    enum wire_section section, uint16_t type,
					    const uint8_t *owner, uint64_t hash);
/* The RRset of that name and type in a section, with its signatures; *out is NULL when
 * there is none. An RRset that breaks a limit is ERR_FORMAT: half of one would be a lie.
 */
MUST_CHECK int iter_message_rrset(struct rrset **out, const struct iter_message *m,
				  enum wire_section section, uint16_t type,
				  const uint8_t *owner);

#endif
