/* anchor_mail.h: between the validators in the workers and who follows the anchors, main.
 * Shape    valid DNSKEY RRsets of anchors' zones one way, a zone that is to be asked for
 *          its keys the other
 * Memory   the caller's struct; sets are copied in and out
 * Threads  any; one lock, held for a copy
 * Errors   none: what finds no room is left out, and seen again at the next question */
#ifndef SINKHOLED_ANCHOR_MAIL_H
#define SINKHOLED_ANCHOR_MAIL_H

#include <pthread.h>

#include "resolver/reply.h"

enum {
	ANCHOR_MAIL_SETS = 4, /* main looks each second; a set comes once a TTL */
	ANCHOR_MAIL_BYTES =
		8192, /* of records, and of signatures; the root's have 2,000 */
};

struct anchor_letter {
	struct rrset keys; /* points into the letter */
	uint8_t zone[DNS_NAME_MAX];
	uint8_t data[ANCHOR_MAIL_BYTES], sigs[ANCHOR_MAIL_BYTES];
};

struct anchor_mail {
	pthread_mutex_t lock;
	struct anchor_letter letter[ANCHOR_MAIL_SETS];
	int n;
	bool wanted;
	uint8_t zone[DNS_NAME_MAX]; /* the wanted one */
};

void anchor_mail_init(struct anchor_mail *m);
void anchor_mail_fini(struct anchor_mail *m);

/* For the validator: keys is a DNSKEY RRset, with its signatures, of an anchor's zone,
 * found secure just now. That the anchor itself signed it is for main to see. m may be
 * NULL. */
void anchor_mail_seen(struct anchor_mail *m, const struct rrset *keys);
/* The next one for main; false when there is none. */
bool anchor_mail_take(struct anchor_mail *m, struct anchor_letter *out);

/* A worker is to ask that zone for its keys; the last wish counts. */
void anchor_mail_want(struct anchor_mail *m, const uint8_t *zone);
bool anchor_mail_wanted(struct anchor_mail *m, uint8_t zone[DNS_NAME_MAX]);

#endif
