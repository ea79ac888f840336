/* Any bytes as a configuration: loaded or refused with one line of text. */
#include <stdlib.h>

#include "include/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_error err;
	struct conf *c;
	struct addr a = {.family = 4};
	int rc = conf_parse(&c, (const char *)data, size, "fuzz", &err);
	if (rc == 0 && (err.text[0] || c->workers < 1 || c->listen_n < 1))
		abort();
	if (rc != 0 &&
	    (c || strncmp(err.text, "fuzz:", 5) != 0 || strchr(err.text, '\n')))
		abort();
	if (c)
		(void)conf_nets_cover(&c->allow, &a);
	conf_free(c);
	return 0;
}
