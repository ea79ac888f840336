/* Any bytes as the pages of a store: a search ahead ends, and reads nothing beside them.
 * The first byte says how long the name is that is looked for, and it follows. */
#include "zones/blocklist_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAGE = 128 }; /* small, so that a short input is many pages */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct blocklist_descent d[2];
	MDB_val key, value;
	if (size < 1)
		return 0;
	size_t len = *data++ % 64;
	if (--size < len + PAGE)
		return 0;
	for (int i = 0; i < 2; i++) {
		memcpy(d[i].key, data, len);
		d[i].key_len = len / (size_t)(i + 1);
	}
	size_t pages = (size - len) / PAGE;
	struct blocklist_pages p = {
		.map = malloc(pages * PAGE), .size = PAGE, .last = pages - 1};
	if (!p.map)
		return 0;
	memcpy(p.map, data + len, pages * PAGE);
	blocklist_pages_fetch(&p, d, 2);
	for (int i = 0; i < 2; i++)
		if (blocklist_descent_pair(&d[i], &key, &value)) {
			uint8_t *end = p.map + pages * PAGE, *from = key.mv_data;
			uint8_t *last = (uint8_t *)value.mv_data + value.mv_size;
			if (from < p.map || last > end ||
			    memcmp(from, d[i].key, d[i].key_len) != 0)
				abort();
		}
	free(p.map);
	return 0;
}
