/* Any bytes as a packed hit: refused, or a hit that packs and reads the same again. */
#include <stdlib.h>

#include "tests/unit/hit_sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hit a, b;
	uint8_t packed[HIT_PACKED_MAX];
	if (hit_sample_unpack(&a, data, size))
		return 0;
	const struct hit_source source = hit_source_of(&a);
	const struct hit_origin origin = {a.boot, a.sequence, a.worker};
	size_t len = hit_pack(packed, &source, &origin);
	need(len <= sizeof packed);
	/* Not always the same bytes: a question may be given whole that ends in the
	 * matched name. */
	need(hit_sample_unpack(&b, packed, len) == ERR_OK);
	need(a.time_us == b.time_us && a.entry == b.entry && a.boot == b.boot &&
	     a.sequence == b.sequence && a.generation == b.generation &&
	     a.worker == b.worker && a.qtype == b.qtype && a.action == b.action &&
	     a.trigger == b.trigger && a.transport == b.transport);
	need(addr_equal(&a.client, &b.client) && addr_equal(&a.proxy, &b.proxy) &&
	     addr_equal(&a.listener, &b.listener));
	need(a.prefix.bits == b.prefix.bits &&
	     addr_equal(&a.prefix.addr, &b.prefix.addr));
	need(memcmp(a.qname, b.qname, name_len(a.qname)) == 0 &&
	     memcmp(a.matched, b.matched, name_len(a.matched)) == 0);
	need(strcmp(a.list, b.list) == 0 && strcmp(a.family, b.family) == 0 &&
	     strcmp(a.category, b.category) == 0);
	return 0;
}
