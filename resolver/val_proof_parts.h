/* val_proof_parts.h: what the two kinds of denial share; only val_proof*.c include it.
 * Source   RFC 4034 4.1.2, 6672 5.3.4, 6840 4 */
#ifndef SINKHOLED_VAL_PROOF_PARTS_H
#define SINKHOLED_VAL_PROOF_PARTS_H

#include "resolver/val_proof.h"

/* One response does not have more sets checked. */
enum { PROOF_SETS_MAX = VAL_SIGS_RESPONSE };

/* The only record of a set of that type, of its type's shape, or NULL. */
const uint8_t *proof_record(const struct rrset *s, uint16_t type, uint16_t *len);

/* The bitmap of a record that proof_record() gave. */
struct types {
	const uint8_t *map;
	size_t len;
};
/* NS without SOA: the parent's side of a delegation. */
bool types_cut(const struct types *t);
/* Whether the zone may deny what is below. */
bool types_lead_below(const struct types *t);
/* Whether they say that name has no such data. wildcard: they are of the wildcard that
 * stands for it, which cannot be a delegation. */
bool types_deny(const struct types *t, const uint8_t *name, uint16_t type, bool wildcard);

/* As in val_proof.h, with NSEC3 alone; name is in the zone. */
enum proof_result nsec3_nxdomain(const struct proof *p, const uint8_t *name);
enum proof_result nsec3_nodata(const struct proof *p, const uint8_t *name, uint16_t type,
			       bool *cut);
enum proof_result nsec3_wildcard(const struct proof *p, const uint8_t *name,
				 const uint8_t *encloser);

#endif
