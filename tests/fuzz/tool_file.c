/* tool_file.c: any bytes as each of the small files that the tools keep or are given: the
 * place of an export, the key of pseudonyms, a key for transactions. Refused, or read to
 * something that prints, and reads back, as the same. */
#include <stdlib.h>

#include "tools/hits_place.h"
#include "tools/hits_privacy.h"
#include "tools/tsig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

/* Two folders, and one whose name needs care. */
static struct hits *folders(void)
{
	static const char *const dir[] = {"/var/lib/sinkholed", "a b", "7 7"};
	struct hits *h = calloc(1, sizeof *h);
	must(h);
	for (; h->folders_n < 3; h->folders_n++)
		h->dir[h->folders_n] = dir[h->folders_n];
	return h;
}

static void place(char *text)
{
	static char one[HITS_PLACE_TEXT_MAX], copy[HITS_PLACE_TEXT_MAX];
	struct hits *h = folders(), *again = folders();
	if (hits_place_parse(h, text) == 0) {
		size_t len = hits_place_print(one, h);
		must(len < sizeof one);
		memcpy(copy, one, len + 1);
		must(len == 0 || hits_place_parse(again, copy) == 0);
		must(hits_place_print(copy, again) == len && memcmp(one, copy, len) == 0);
	}
	free(h);
	free(again);
}

static void pseudonym_key(const char *text)
{
	uint8_t key[IPCRYPT_KEY_LEN];
	char line[HITS_KEY_LINE_LEN + 1];
	if (hits_key_parse(key, text))
		return;
	hits_key_print(line, key);
	must(strcmp(line, text) == 0);
}

static void transaction_key(const char *text)
{
	struct tsig_key key;
	const char *why = NULL;
	int err = tsig_key_parse(&key, text, &why);
	must(why && *why);
	if (err)
		return;
	must(name_len(key.name) <= DNS_NAME_MAX);
	must(key.secret_len >= 16 && key.secret_len <= TSIG_SECRET_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1);
	must(text);
	if (size)
		memcpy(text, data, size);
	pseudonym_key(text);
	transaction_key(text);
	place(text);
	free(text);
	return 0;
}
