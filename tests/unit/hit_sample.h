/* hit_sample.h: hits for tests; number decides what differs. */
#ifndef SINKHOLED_HIT_SAMPLE_H
#define SINKHOLED_HIT_SAMPLE_H

#include "resolver/hit_record.h"

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

/* A whole record as the hit it is. */
static inline int hit_sample_unpack(struct hit *out, const uint8_t *packed, size_t len)
{
	struct hit_record r;
	bool elsewhere;
	int err = hit_record_read(&r, packed, len);
	if (!err)
		err = hit_unpack_way(out, r.way, r.way_len);
	if (!err)
		err = hit_unpack_rule(out, &elsewhere, r.rule, r.rule_len);
	if (!err)
		err = hit_unpack_question(out, elsewhere, r.question, r.question_len);
	out->time_us = r.time_us;
	out->sequence = r.sequence;
	out->generation = r.generation;
	out->client = r.client;
	out->proxy.port = out->proxy.family ? r.proxy_port : 0;
	out->count = 1;
	return err;
}

#endif
