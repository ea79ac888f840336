/* Text to name and back; and any bytes as a compressed name. */
#include <stdlib.h>

#include "include/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

static void from_text(const char *text, size_t len)
{
	uint8_t name[DNS_NAME_MAX], back[DNS_NAME_MAX];
	char again[DNS_NAME_TEXT_MAX];
	if (name_from_text(name, text, len))
		return;
	size_t n = name_len(name);
	must(n <= DNS_NAME_MAX && name_labels(name) <= DNS_LABELS_MAX);
	name_to_text(again, name);
	must(name_from_str(back, again) == ERR_OK && name_len(back) == n);
	must(memcmp(name, back, n) == 0 && name_equal(name, back));
	must(name_within(name, name_parent(name)) && !name_below(name, name));
}

/* The first byte says where to start. */
static void from_wire(const uint8_t *msg, size_t len)
{
	uint8_t name[DNS_NAME_MAX];
	struct wire_reader keep = wire_reader(msg, len);
	if (!wire_take(&keep, len ? msg[0] : 0))
		return;
	struct wire_reader check = keep;
	size_t n = wire_name(&keep, name);
	must(wire_name(&check, NULL) == n && check.at == keep.at);
	must(check.err == keep.err && check.work == keep.work);
	must(n ? !keep.err && name_len(name) == n : keep.err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size + !size);
	if (size)
		memcpy(exact, data, size);
	from_text((const char *)exact, size);
	from_wire(exact, size);
	free(exact);
	return 0;
}
