/* question.h: the question that all programs here ask: A of a name, with EDNS. */
#ifndef SINKHOLED_BENCH_QUESTION_H
#define SINKHOLED_BENCH_QUESTION_H

#include "include/wire.h"

/* Its length, with ID 0; 0: text is no name, or there is no room. */
static inline size_t question_make(uint8_t *out, size_t room, const char *text)
{
	static const uint8_t opt[DNS_OPT_LEN] = {0, 0, DNS_OPT, 4, 208};
	uint8_t name[DNS_NAME_MAX];
	struct wire_writer w = wire_writer(out, room);
	if (name_from_str(name, text))
		return 0;
	wire_put_header(&w, 0, DNS_RD, (const uint16_t[]){1, 0, 0, 1});
	wire_put_name(&w, name);
	wire_put16(&w, DNS_A);
	wire_put16(&w, DNS_IN);
	wire_put(&w, opt, sizeof opt);
	return w.err ? 0 : wire_written(&w);
}

#endif
