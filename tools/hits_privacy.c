/* The key of pseudonyms, and the command that makes it: key. */
#include "tools/hits_privacy.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "resolver/state_file.h"

enum { KEY_AT = sizeof HITS_KEY_WORD - 1 };

int hits_key_parse(uint8_t key[IPCRYPT_KEY_LEN], const char *line)
{
	if (strncmp(line, HITS_KEY_WORD, KEY_AT))
		return ERR_FORMAT;
	const char *hex = line + KEY_AT;
	if (strspn(hex, "0123456789abcdef") != 2 * IPCRYPT_KEY_LEN ||
	    strcmp(hex + 2 * IPCRYPT_KEY_LEN, "\n"))
		return ERR_FORMAT;
	for (int i = 0; i < IPCRYPT_KEY_LEN; i++) {
		const char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
		key[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return ERR_OK;
}

void hits_key_print(char line[HITS_KEY_LINE_LEN + 1], const uint8_t key[IPCRYPT_KEY_LEN])
{
	memcpy(line, HITS_KEY_WORD, KEY_AT);
	for (size_t i = 0; i < IPCRYPT_KEY_LEN; i++)
		snprintf(line + KEY_AT + 2 * i, 4, "%02x\n", key[i]);
}

static int no_key(const char *path)
{
	return cli_fail("there is no key for pseudonyms in %s: make it with "
			"\"sinkhole-hits key new --key FILE\" as the user that exports, "
			"or say --purpose CODE --case NUMBER to export addresses",
			path);
}

/* Whoever else can read the key can read the clients. */
static int key_read(uint8_t key[IPCRYPT_KEY_LEN], const char *path)
{
	char line[HITS_KEY_LINE_LEN + 2] = "";
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return no_key(path);
	if (fd < 0)
		return cli_fail("cannot read %s: %s; only the user that exports may",
				path, strerror(errno));
	ssize_t n = fstat(fd, &st) ? -1 : read(fd, line, sizeof line - 1);
	close(fd);
	if (n < 0)
		return cli_fail("cannot read %s: %s", path, strerror(errno));
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return cli_fail("others can read %s: give it mode 0600, and a new key "
				"with \"sinkhole-hits key rotate\" if they might have",
				path);
	int err = hits_key_parse(key, line);
	OPENSSL_cleanse(line, sizeof line);
	return err ? cli_fail("%s holds no key: one line, \"" HITS_KEY_WORD
			      "\" and 32 hexadecimal digits",
			      path)
		   : CLI_GO;
}

/* Names a key and tells nothing of it. */
static int key_id(char id[HITS_KEY_ID_LEN + 1], const uint8_t key[IPCRYPT_KEY_LEN])
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	if (EVP_Digest(key, IPCRYPT_KEY_LEN, hash, NULL, EVP_sha256(), NULL) != 1)
		return cli_fail("out of memory");
	for (size_t i = 0; i < HITS_KEY_ID_LEN / 2; i++)
		snprintf(id + 2 * i, 3, "%02x", hash[i]);
	return CLI_GO;
}

static int key_open(struct hits_privacy *p)
{
	uint8_t key[IPCRYPT_KEY_LEN];
	int status = key_read(key, p->key_file ? p->key_file : HITS_KEY_FILE);
	if (status == CLI_GO)
		status = key_id(p->key_id, key);
	if (status == CLI_GO && ipcrypt_open(&p->pseudonyms, key))
		status = cli_fail("out of memory");
	OPENSSL_cleanse(key, sizeof key);
	return status;
}

int hits_privacy_word(const char *option, const char *text)
{
	size_t n = strlen(text);
	if (n && n < HITS_WORD_MAX &&
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789-_./:#") == n)
		return CLI_GO;
	return cli_fail("--%s takes up to %d letters, digits and -_./:#", option,
			HITS_WORD_MAX - 1);
}

int hits_privacy_open(struct hits_privacy *p)
{
	int status = CLI_GO;
	if (!p->purpose != !p->case_number)
		return cli_fail("clients are shown only with both --purpose CODE and "
				"--case NUMBER");
	if (p->purpose && p->key_file)
		return cli_fail("--key makes pseudonyms, --purpose and --case show the "
				"clients: give one of them");
	if (!p->purpose)
		status = key_open(p);
	else if ((status = hits_privacy_word("purpose", p->purpose)) == CLI_GO)
		status = hits_privacy_word("case", p->case_number);
	if (status != CLI_GO)
		return status;
	if (p->purpose)
		snprintf(p->remark, sizeof p->remark,
			 "evidence=" HITS_EVIDENCE " purpose=%s case=%s", p->purpose,
			 p->case_number);
	else
		snprintf(p->remark, sizeof p->remark, "evidence=" HITS_EVIDENCE " key=%s",
			 p->key_id);
	return CLI_GO;
}

void hits_privacy_fini(struct hits_privacy *p)
{
	ipcrypt_close(p->pseudonyms);
	p->pseudonyms = NULL;
}

int hits_privacy_row(const struct hits_privacy *p, struct hit_row *row)
{
	struct hit *h = &row->hit;
	if (!p->pseudonyms)
		return ERR_OK;
	if (h->trigger == RULE_ON_CLIENT) /* the rule's prefix is the client's */
		h->prefix = (struct prefix){0};
	return ipcrypt_hide(p->pseudonyms, &h->client);
}

/* ---- the command ---- */

static int key_write(const char *path, bool replace)
{
	uint8_t key[IPCRYPT_KEY_LEN];
	char line[HITS_KEY_LINE_LEN + 1], id[HITS_KEY_ID_LEN + 1];
	char dir[HITS_PATH_MAX], name[HITS_PATH_MAX];
	if (strlen(path) >= sizeof dir)
		return cli_fail("the name of the key file is too long");
	if (!replace && access(path, F_OK) == 0)
		return cli_fail("there is a key in %s already; \"key rotate\" replaces "
				"it, and then nobody can tell who was behind the old "
				"pseudonyms",
				path);
	if (replace && access(path, F_OK))
		return no_key(path);
	if (getrandom(key, sizeof key, 0) != sizeof key)
		return cli_fail("no random numbers: %s", strerror(errno));
	hits_key_print(line, key);
	umask(S_IRWXG | S_IRWXO);
	int err = state_file_write(dirname(strcpy(dir, path)),
				   basename(strcpy(name, path)), line, HITS_KEY_LINE_LEN);
	OPENSSL_cleanse(line, sizeof line);
	int status = err ? cli_fail_file(path, "write", err) : key_id(id, key);
	OPENSSL_cleanse(key, sizeof key);
	if (status != CLI_GO)
		return status;
	printf("%s\n", id);
	return CLI_DONE;
}

static int key_reveal(const char *path, const char *pseudonym)
{
	struct hits_privacy p = {.key_file = path};
	struct addr a;
	char text[ADDR_TEXT_MAX];
	if (addr_from_text(&a, pseudonym, strlen(pseudonym)) || a.family != 6)
		return cli_fail("\"%s\" is no pseudonym: they look like IPv6 addresses",
				pseudonym);
	int status = key_open(&p);
	if (status == CLI_GO && ipcrypt_reveal(p.pseudonyms, &a))
		status = cli_fail("out of memory");
	hits_privacy_fini(&p);
	if (status == CLI_GO)
		printf("%s\n", addr_to_text(text, &a));
	return status == CLI_GO ? CLI_DONE : status;
}

int hits_key(const struct cli_command *self, int argc, char **argv)
{
	struct cli cli;
	const char *path = HITS_KEY_FILE;
	const struct cli_option options[] = {
		{"key", CLI_TEXT, &path, "FILE", "the key file; default " HITS_KEY_FILE,
		 0, 0},
		{0},
	};
	int status = cli_parse(&cli, self, options, 1, 2, argc, argv);
	if (status != CLI_GO)
		return status;
	const char *what = cli.operands[0];
	if (cli.operands_n == 1 && (!strcmp(what, "new") || !strcmp(what, "rotate")))
		return key_write(path, *what == 'r');
	if (cli.operands_n == 2 && !strcmp(what, "reveal"))
		return key_reveal(path, cli.operands[1]);
	return cli_fail("key takes %s", self->operands);
}
