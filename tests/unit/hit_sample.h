/* hit_sample.h: hits for tests; number decides what differs. */
#ifndef SINKHOLED_HIT_SAMPLE_H
#define SINKHOLED_HIT_SAMPLE_H

#include "include/hit.h"

enum { HIT_SAMPLE_TIME_S = 1767322800 }; /* 2026-01-02T03:00:00Z */

/* Client 192.0.x.y, question hN.bad.example, both from number. */
static inline void hit_sample(struct hit *h, unsigned number)
{
	char text[64];
	memset(h, 0xee, sizeof *h); /* nothing may depend on cleared memory */
	h->time_us = HIT_SAMPLE_TIME_S * 1000000ULL + number;
	h->entry = number % 7;
	h->generation = 42;
	h->qtype = 1;
	h->transport = HIT_UDP;
	h->trigger = RULE_ON_QNAME;
	h->action = RULE_ADDRESS;
	h->clock_synced = 1;
	h->client = addr_v4(
		(const uint8_t[4]){192, 0, (uint8_t)(number >> 8), (uint8_t)number},
		(uint16_t)(1024 + number % 60000));
	h->proxy.family = 0;
	h->proxy.port = 0;
	memset(h->proxy.bytes, 0, sizeof h->proxy.bytes);
	h->listener = addr_v4((const uint8_t[4]){127, 0, 0, 1}, 5300);
	h->prefix = (struct prefix){0};
	int n = snprintf(text, sizeof text, "h%u.bad.example", number);
	if (name_from_text(h->qname, text, (size_t)n) ||
	    name_from_str(h->matched, "bad.example"))
		abort(); /* no Check here: children of a test use it too */
	strcpy(h->list, "manual");
	strcpy(h->family, "SampleBot");
	strcpy(h->category, "c2");
}

#endif
