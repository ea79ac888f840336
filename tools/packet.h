/* packet.h: the questions in a captured frame.
 * Shape    bytes of one frame in, questions of clients out: Ethernet (also with VLAN
 * tags), Linux cooked, loopback, raw IP; IPv4 and IPv6; UDP, and TCP where a message is
 *          whole in one segment
 * Memory   no allocation
 * Threads  any; a pure function
 * Errors   what is no question, or cut off, is none
 * Source   tcpdump.org/linktypes.html; RFC 791, 8200, 9293; RFC 1035 4.2
 *
 * Only what is sent to the port is looked at, and of that only the question. */
#ifndef SINKHOLED_TOOLS_PACKET_H
#define SINKHOLED_TOOLS_PACKET_H

#include <stdbool.h>

#include "include/addr.h"
#include "include/name.h"

enum { PACKET_QUESTIONS_MAX = 16 }; /* in one segment: who pipelines sends a few */

struct packet_question {
	struct addr client;
	uint8_t name[DNS_NAME_MAX]; /* lower case */
	uint16_t qtype;
};

/* link is libpcap's LINKTYPE_ number. */
bool packet_link_known(int link);
/* Returns how many there are. */
int packet_read(struct packet_question out[PACKET_QUESTIONS_MAX], int link, uint16_t port,
		const uint8_t *frame, size_t len);

#endif
