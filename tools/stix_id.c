#include "tools/stix_id.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "include/wire.h"

enum { NAME_MAX_LEN = 1008 }; /* longer than any rule with its list */

char *stix_id(char out[STIX_ID_TEXT], const uint8_t space[16], const char *type,
	      const char *name)
{
	uint8_t in[16 + NAME_MAX_LEN], h[EVP_MAX_MD_SIZE] = {0};
	size_t n = strlen(name);
	n = n < NAME_MAX_LEN ? n : NAME_MAX_LEN;
	memcpy(in, space, 16);
	memcpy(in + 16, name, n);
	(void)EVP_Digest(in, 16 + n, h, NULL, EVP_sha1(), NULL);
	h[6] = (uint8_t)((h[6] & 0x0f) | 0x50);
	h[8] = (uint8_t)((h[8] & 0x3f) | 0x80);
	snprintf(out, STIX_ID_TEXT, "%s--%08x-%04x-%04x-%04x-%04x%08x", type,
		 wire_get32(h), wire_get16(h + 4), wire_get16(h + 6), wire_get16(h + 8),
		 wire_get16(h + 10), wire_get32(h + 12));
	return out;
}
