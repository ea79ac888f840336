/* ipcrypt.h: pseudonyms of addresses: ipcrypt-deterministic, one AES-128 block.
 * Shape    the 16 bytes of an address, IPv4 as ::ffff:0:0/96, are encrypted; what comes
 *          out looks like an IPv6 address and says nothing of the prefix it came from
 * Units    keys of 16 bytes
 * Memory   ipcrypt_close() wipes and frees
 * Threads  one per struct
 * Errors   ERR_NOMEM
 * Source   draft-denis-ipcrypt, "ipcrypt-deterministic"; FIPS 197 */
#ifndef SINKHOLED_TOOLS_IPCRYPT_H
#define SINKHOLED_TOOLS_IPCRYPT_H

#include "include/addr.h"

enum { IPCRYPT_KEY_LEN = 16 };

struct ipcrypt;

MUST_CHECK int ipcrypt_open(struct ipcrypt **out, const uint8_t key[IPCRYPT_KEY_LEN]);
void ipcrypt_close(struct ipcrypt *c);
/* The same address has the same pseudonym as long as the key lives; ports become 0:
 * behind a carrier's NAT a port finds the subscriber. */
MUST_CHECK int ipcrypt_hide(struct ipcrypt *c, struct addr *a);
/* The address behind a pseudonym. */
MUST_CHECK int ipcrypt_reveal(struct ipcrypt *c, struct addr *a);

#endif
