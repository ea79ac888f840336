/* hits_privacy.h: what of a hit may leave, and under which name.
 * Shape    by default clients are pseudonyms under the key of the export user; with a
 *          purpose and a case number they are shown, and every record says why
 * Memory   hits_privacy_fini() wipes the key
 * Threads  one
 * Errors   as hits_tool.h: printed, an exit status comes back */
#ifndef SINKHOLED_TOOLS_HITS_PRIVACY_H
#define SINKHOLED_TOOLS_HITS_PRIVACY_H

#include "tools/hits_tool.h"
#include "tools/ipcrypt.h"

#define HITS_KEY_FILE "/etc/sinkholed/export.key"

/* A key file is this word and the key in hexadecimal digits: one line. */
#define HITS_KEY_WORD "ipcrypt-deterministic "

enum {
	HITS_KEY_LINE_LEN = sizeof HITS_KEY_WORD - 1 + 2 * IPCRYPT_KEY_LEN + 1,
	HITS_KEY_ID_LEN = 8, /* hexadecimal digits: enough to tell a key from the last */
	HITS_WORD_MAX = 64,  /* of a purpose and of a case number */
	HITS_REMARK_MAX = 2 * HITS_WORD_MAX + 64,
};

struct hits_privacy {
	const char *key_file, *purpose, *case_number; /* as given, or NULL */
	struct ipcrypt *pseudonyms;		      /* NULL: clients are shown */
	char key_id[HITS_KEY_ID_LEN + 1];
	char remark[HITS_REMARK_MAX]; /* "evidence=dns-only key=0a1b2c3d" */
};

MUST_CHECK int hits_key_parse(uint8_t key[IPCRYPT_KEY_LEN], const char *line);
void hits_key_print(char line[HITS_KEY_LINE_LEN + 1], const uint8_t key[IPCRYPT_KEY_LEN]);

/* The options' texts have been read: --key, --purpose, --case. CLI_GO or an exit status.
 */
MUST_CHECK int hits_privacy_open(struct hits_privacy *p);
void hits_privacy_fini(struct hits_privacy *p);
/* A purpose or a case number, which stands in records of many formats. */
MUST_CHECK int hits_privacy_word(const char *option, const char *text);
/* Makes the row one that may leave. */
MUST_CHECK int hits_privacy_row(const struct hits_privacy *p, struct hit_row *row);

#endif
