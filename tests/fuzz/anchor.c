/* Any bytes as a file of trust anchors: read, or refused with one line of text. */
#include <stdlib.h>

#include "zones/anchor_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct anchor_record *r)
{
	if (name_len(r->zone) > DNS_NAME_MAX || r->len < 5 || r->len > ANCHOR_RDATA_MAX ||
	    (r->type != DNS_DS && r->type != DNS_DNSKEY))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct anchor_records a;
	char error[ZONE_FILE_ERROR_MAX];
	int err = anchor_records_parse(&a, "fuzz", (const char *)data, size, error);
	if (err ? a.n || a.record || strncmp(error, "fuzz:", 5) || strchr(error, '\n')
		: a.n < 1 || a.n > ANCHOR_RECORDS_MAX)
		abort();
	for (int i = 0; i < a.n; i++)
		check(&a.record[i]);
	anchor_records_fini(&a);
	return 0;
}
