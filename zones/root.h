/* root.h: where a resolution begins: names and addresses of the root servers.
 * Shape    a flat table, built in or read from a file in zone format; nothing of one
 *          is mixed with the other
 * Units    addresses have port 0: recursion.port is the caller's
 * Memory   the caller's struct; built-in hints are constant
 * Threads  any, read only
 * Errors   ERR_NOENT, ERR_ACCESS, ERR_IO, ERR_FORMAT, ERR_INVAL, with a text
 * Source   https://www.internic.net/domain/named.root, RFC 8109 (priming), 9609 */
#ifndef SINKHOLED_ROOT_H
#define SINKHOLED_ROOT_H

#include "include/addr.h"
#include "zones/zone_file.h"

enum {
	ROOT_SERVERS_MAX = 13, /* as many as ever were, SECURITY.md 1A */
	ROOT_ADDRS_MAX = 6,    /* per server, the same */
};

struct root_server {
	uint8_t name[DNS_NAME_MAX]; /* lower case */
	struct addr addr[ROOT_ADDRS_MAX];
	int addr_n; /* at least 1 */
};

struct root_hints {
	struct root_server server[ROOT_SERVERS_MAX];
	int server_n; /* at least 1 */
};

enum { ROOT_ERROR_MAX = ZONE_FILE_ERROR_MAX };

void root_hints_builtin(struct root_hints *out);
/* NS records of the root, and A and AAAA records of these servers; anything else is an
 * error that names the line. */
MUST_CHECK int root_hints_load(struct root_hints *out, const char *path,
			       char error[ROOT_ERROR_MAX]);

#endif
