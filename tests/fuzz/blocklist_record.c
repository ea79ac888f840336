/* Stored forms as a damaged file may have them: keys, entries, rows. The first byte
 * chooses; the checks of entries are made right first, so that what is behind them is
 * reached, too. */
#include "zones/blocklist_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_key(const uint8_t *data, size_t size)
{
	struct blocklist_key key;
	uint8_t again[BLOCKLIST_KEY_MAX];
	if (size == 0 || size > BLOCKLIST_KEY_MAX ||
	    blocklist_key_decode(&key, data, size) != ERR_OK ||
	    data[0] == BLOCKLIST_CLIENT)
		return;
	size_t n = blocklist_key_rule(again, &key);
	if (n != size || memcmp(again, data, n) != 0)
		abort();
}

static void fuzz_entry(const uint8_t *data, size_t size)
{
	struct blocklist_span span[BLOCKLIST_SPANS_MAX];
	struct blocklist_item item;
	uint8_t value[BLOCKLIST_VALUE_MAX];
	struct blocklist_head h;
	uint64_t key_hash = blocklist_key_hash("key", 3);
	if (size > sizeof value)
		return;
	memcpy(value, data, size);
	for (size_t at = 0; at + sizeof h <= size; at += h.len) {
		memcpy(&h, value + at, sizeof h);
		if (h.len < sizeof h || h.len > size - at)
			break;
		h.rec.check = blocklist_entry_check(key_hash, value + at, h.len);
		memcpy(value + at, &h, sizeof h);
	}
	int n = blocklist_spans(span, (const uint8_t *)"key", 3, value, size);
	for (int i = 0; i < n; i++) {
		uint8_t again[BLOCKLIST_ENTRY_MAX];
		blocklist_entry_decode(&item, span[i].bytes);
		size_t len = blocklist_entry_encode(again, &item);
		if (len > span[i].head.len)
			abort();
	}
}

static void fuzz_row(const uint8_t *data, size_t size)
{
	struct blocklist_row row;
	struct blocklist_list list;
	uint8_t key[BLOCKLIST_KEY_MAX], value[sizeof row];
	if (size < 3 || size - 3 > sizeof value)
		return;
	memcpy(key, data, 3);
	memcpy(value, data + 3, size - 3);
	MDB_val k = {3, key}, v = {size - 3, value};
	if (v.mv_size == sizeof row) {
		memcpy(&row, value, sizeof row);
		row.check = blocklist_tail_check(blocklist_key_hash(key, 3), &row,
						 sizeof row);
		memcpy(value, &row, sizeof row);
	}
	if (blocklist_row_read(&row, &k, &v) != ERR_OK)
		return;
	blocklist_list_from_row(&list, &row);
	if (strlen(list.name) >= sizeof list.name)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 3) {
	case 0:
		fuzz_key(data + 1, size - 1);
		break;
	case 1:
		fuzz_entry(data + 1, size - 1);
		break;
	default:
		fuzz_row(data + 1, size - 1);
	}
	return 0;
}
