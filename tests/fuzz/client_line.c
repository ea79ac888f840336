/* A line of a file of prefixes: what is taken from it is in form, and says the same when
 * it is read again. */
#include <stdlib.h>

#include "zones/client_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client_line l, again;
	char text[PREFIX_TEXT_MAX + HIT_LIST_MAX + 1];
	if (client_line_read(&l, (const char *)data, size) != CLIENT_LINE_GOOD)
		return 0;
	if (strlen(l.group) >= HIT_LIST_MAX || strlen(l.reason) >= BLOCKLIST_TEXT_MAX)
		abort();
	char *end = prefix_to_text(text, &l.prefix);
	size_t n = strlen(end);
	if (strpbrk(l.group, "\","))
		return 0;
	n += (size_t)snprintf(text + n, sizeof text - n, ",%s", l.group);
	if (client_line_read(&again, text, n) != CLIENT_LINE_GOOD ||
	    strcmp(l.group, again.group) != 0 ||
	    memcmp(&l.prefix, &again.prefix, sizeof l.prefix) != 0)
		abort();
	return 0;
}
