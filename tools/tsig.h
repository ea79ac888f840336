/* tsig.h: transaction signatures with HMAC-SHA256.
 * Shape    one chain per exchange: a question is signed, each message of its answer is
 *          checked; or a question is checked and its answer signed
 * Units    times in seconds since 1970
 * Memory   tsig_close() frees what a chain holds; the key is the caller's
 * Threads  a chain belongs to one
 * Errors   ERR_FORMAT: not signed as RFC 8945 says; ERR_ACCESS: the signature, its key or
 *          its time is wrong, or the other side says so of ours
 * Source   RFC 8945; messages of a zone transfer: 5.3.1 */
#ifndef SINKHOLED_TOOLS_TSIG_H
#define SINKHOLED_TOOLS_TSIG_H

#include "include/wire.h"

enum {
	TSIG_MAC_LEN = 32,
	TSIG_SECRET_MAX = 128,
	TSIG_FUDGE_S = 300,	/* RFC 8945 10 */
	TSIG_UNSIGNED_MAX = 99, /* RFC 8945 5.3.1: messages between two signatures */
};

struct tsig_key {
	uint8_t name[DNS_NAME_MAX];
	uint8_t secret[TSIG_SECRET_MAX];
	size_t secret_len;
};

/* A file with one line, "[hmac-sha256:]NAME:SECRET" with the secret in base64, as dig -y
 * takes it. On failure *why is a sentence without the file's name. */
MUST_CHECK int tsig_key_load(struct tsig_key *out, const char *path, const char **why);
/* The same from memory. */
MUST_CHECK int tsig_key_parse(struct tsig_key *out, const char *text, const char **why);

struct tsig {
	const struct tsig_key *key;
	void *digest; /* of what came since the last signature */
	uint8_t mac[TSIG_MAC_LEN];
	bool have_mac;	/* of the message before this one */
	bool go_on;	/* a signed message of this answer has come */
	int unsigned_n; /* messages since the last signature */
	uint16_t error; /* what the other side's signature said */
};

MUST_CHECK int tsig_open(struct tsig *t, const struct tsig_key *key);
void tsig_close(struct tsig *t);
/* Signs the message in place; *len grows. */
MUST_CHECK int tsig_sign(struct tsig *t, uint8_t *msg, size_t *len, size_t room,
			 int64_t now);
/* Takes the signature off a message from the network, before anything else has looked at
 * it. 1: it is good; 0: there is none, which is for the caller to judge. */
MUST_CHECK int tsig_check(struct tsig *t, uint8_t *msg, size_t *len, int64_t now);

#endif
