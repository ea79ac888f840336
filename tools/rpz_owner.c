#include "tools/rpz_owner.h"

#include <stdio.h>

static size_t ipv6_owner(char *out, size_t size, const struct prefix *p)
{
	unsigned word[8], zeros_at = 8, zeros = 1, run = 0;
	size_t n = (size_t)snprintf(out, size, "%u", p->bits);
	for (unsigned i = 0; i < 8; i++) { /* from the last word on */
		const uint8_t *b = p->addr.bytes + 2 * (7 - i);
		word[i] = b[0] * 256U + b[1];
		run = word[i] ? 0 : run + 1;
		if (run > 1 && run >= zeros) /* of equal ones the last here */
			zeros = run, zeros_at = i + 1 - run;
	}
	for (unsigned i = 0; i < 8 && n < size; i++) {
		if (i == zeros_at) {
			n += (size_t)snprintf(out + n, size - n, ".zz");
			i += zeros - 1;
		} else {
			n += (size_t)snprintf(out + n, size - n, ".%x", word[i]);
		}
	}
	return n;
}

char *rpz_owner(char out[RPZ_OWNER_MAX], const struct prefix *p, unsigned use)
{
	const uint8_t *b = p->addr.bytes;
	size_t n = p->addr.family == 6
			   ? ipv6_owner(out, RPZ_OWNER_MAX, p)
			   : (size_t)snprintf(out, RPZ_OWNER_MAX, "%u.%u.%u.%u.%u",
					      p->bits, b[3], b[2], b[1], b[0]);
	snprintf(out + n, RPZ_OWNER_MAX - n, ".%s",
		 use == RULE_ADDR_CLIENT   ? "rpz-client-ip"
		 : use == RULE_ADDR_SERVER ? "rpz-nsip"
					   : "rpz-ip");
	return out;
}
