/* Any bytes as a page of a segment: refused or read, never past its end. The first byte
 * says what kind of page. */
#include "resolver/hit_days.h"
#include "resolver/hit_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *only_rule(void *arg, uint32_t number, size_t *len)
{
	*len = 0;
	return number ? NULL : hit_words_get(arg, 0, len);
}

static void read_rows(const uint8_t *data, size_t size)
{
	/* entry 7, action 1, trigger 2, not elsewhere, no prefix, matched "a.", list,
	 * family, category
	 */
	static const uint8_t rule[] = {0, 0, 0,	  0, 0, 0,   0, 7,   1, 2,  0,
				       3, 1, 'a', 0, 1, 'l', 1, 'f', 1, 'c'};
	/* boot 1, worker 2, type 1, UDP, clock; no listener; proxy 192.0.2.1 */
	static const uint8_t way[] = {0, 0, 0, 0, 0, 0, 0,   1, 0, 2,
				      0, 1, 0, 1, 0, 4, 192, 0, 2, 1};
	struct hit_words rules, ways;
	struct hit_rows page;
	struct hit h;
	uint32_t number;
	const struct hit_rows_words words = {&ways, only_rule, &rules};
	if (hit_words_init(&rules))
		return;
	if (hit_words_init(&ways) == ERR_OK) {
		memcpy(page.bytes, data, size);
		page.len = size;
		if (hit_words_put(&rules, &number, rule, sizeof rule) == ERR_OK &&
		    hit_words_put(&ways, &number, way, sizeof way) == ERR_OK &&
		    hit_rows_open(&page, 1) == ERR_OK)
			while (hit_rows_next(&page, &h, &number, &words, NULL) != 0)
				;
		hit_words_fini(&ways);
	}
	hit_words_fini(&rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hit_run run = {.base_hour = 490000};
	struct hit_run_hour hour;
	struct hit_head head;
	struct hit_sum sum;
	struct hit_day day;
	struct hit_day_client client;
	uint64_t id, hits;
	uint32_t page = 0;
	if (size < 2 || size > HIT_PAGE_MAX)
		return 0;
	uint8_t kind = *data++;
	struct hit_sums_at at = hit_sums_at(data, --size, 0);
	switch (kind % 9) {
	case 0:
		read_rows(data, size);
		break;
	case 1:
		while (hit_hours_next(&at, &hour) == 1)
			;
		break;
	case 2:
		while (hit_heads_next(&at, &head, &run, &page) == 1)
			;
		break;
	case 3:
	case 4:
		while (hit_sums_next(&at, &sum, &run, kind % 9 == 3) == 1)
			;
		break;
	case 6:
		while (hit_day_clients_next(&at, &client, 20000) == 1)
			;
		break;
	case 7:
		while (hit_day_pairs_next(&at, &id, &hits) == 1)
			;
		break;
	case 8:
		(void)!hit_day_read(&day, data, size);
		break;
	default:
		(void)!hit_run_read(&run, data, size);
	}
	return 0;
}
