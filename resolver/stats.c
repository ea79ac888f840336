#include "resolver/stats.h"

_Static_assert(STATS_NOERROR + DNS_REFUSED == (int)STATS_REFUSED,
	       "stats_of_rcode() counts on the order of the codes");

static const struct {
	const char *name, *help;
} counters[STATS_N] = {
#define STATS_ROW(word, name, help) {name, help},
	STATS_COUNTERS(STATS_ROW)
#undef STATS_ROW
};

enum stats_counter stats_of_action(enum rule_action action)
{
	switch (action) {
	case RULE_ADDRESS:
		return STATS_HIT_ADDRESS;
	case RULE_NXDOMAIN:
		return STATS_HIT_NXDOMAIN;
	case RULE_NODATA:
		return STATS_HIT_NODATA;
	case RULE_REFUSE:
		return STATS_HIT_REFUSE;
	case RULE_DROP:
		return STATS_HIT_DROP;
	case RULE_MONITOR:
		return STATS_HIT_MONITOR;
	default:
		return STATS_HIT_OTHER;
	}
}

void stats_sum(uint64_t sums[STATS_N], const struct stats *s)
{
	for (int c = 0; c < STATS_N; c++)
		sums[c] += atomic_load_explicit(&s->n[c], memory_order_relaxed);
}

const char *stats_name(enum stats_counter c)
{
	return (unsigned)c < STATS_N ? counters[c].name : "?";
}

const char *stats_help(enum stats_counter c)
{
	return (unsigned)c < STATS_N ? counters[c].help : "?";
}
