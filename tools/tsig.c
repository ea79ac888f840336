#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/tsig.h"

static const uint8_t algorithm[] = "\x0bhmac-sha256";

enum {
	FIXED_LEN = 6 + 2 + 2, /* time, fudge, MAC length */
	TAIL_LEN = 2 + 2 + 2,  /* original ID, error, other length */
	TIMERS_LEN = 6 + 2,    /* time, fudge */
	KEY_FILE_MAX = 1024,   /* a name and a secret */
	SECRET_MIN = 16,       /* 128 bits: RFC 8945 8 */
	ARCOUNT_AT = 10,       /* in the header */
};

/* ---- keys ---- */

static int secret_from_text(struct tsig_key *out, const char *text)
{
	uint8_t bytes[KEY_FILE_MAX];
	size_t len = strlen(text);
	if (len == 0 || len % 4 || len / 4 * 3 > sizeof out->secret + 2)
		return ERR_FORMAT;
	int n = EVP_DecodeBlock(bytes, (const uint8_t *)text, (int)len);
	n -= (text[len - 1] == '=') + (text[len - 2] == '=');
	if (n < SECRET_MIN || n > (int)sizeof out->secret)
		return ERR_FORMAT;
	memcpy(out->secret, bytes, (size_t)n);
	out->secret_len = (size_t)n;
	OPENSSL_cleanse(bytes, sizeof bytes);
	return ERR_OK;
}

int tsig_key_parse(struct tsig_key *out, const char *text, const char **why)
{
	static const char prefix[] = "hmac-sha256:";
	char line[KEY_FILE_MAX];
	*why = "give one line, hmac-sha256:NAME:SECRET, the secret of at least 16 bytes "
	       "in base64";
	snprintf(line, sizeof line, "%.*s", (int)strcspn(text, " \t\r\n"), text);
	char *name = line;
	if (strncmp(line, prefix, strlen(prefix)) == 0)
		name += strlen(prefix);
	char *secret = strchr(name, ':');
	if (!secret)
		return ERR_FORMAT;
	*secret++ = 0;
	int err = name_from_str(out->name, name) ? ERR_FORMAT
						 : secret_from_text(out, secret);
	OPENSSL_cleanse(line, sizeof line);
	return err;
}

int tsig_key_load(struct tsig_key *out, const char *path, const char **why)
{
	char text[KEY_FILE_MAX];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		*why = strerror(errno);
		if (fd >= 0)
			close(fd);
		return ERR_IO;
	}
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	*why = "everybody can read it: chmod o-rwx it, and give the primary a new key";
	if (st.st_mode & S_IRWXO)
		return ERR_REFUSED;
	text[n > 0 ? n : 0] = 0;
	int err = tsig_key_parse(out, text, why);
	OPENSSL_cleanse(text, sizeof text);
	return err;
}

/* ---- digests ---- */

static bool add(struct tsig *t, const void *bytes, size_t len)
{
	return EVP_MAC_update(t->digest, bytes, len) == 1;
}

/* A new digest, which begins with the signature before this one. */
static bool begin(struct tsig *t)
{
	uint8_t len[2] = {0, TSIG_MAC_LEN};
	return EVP_MAC_init(t->digest, t->key->secret, t->key->secret_len, NULL) == 1 &&
	       (!t->have_mac || (add(t, len, 2) && add(t, t->mac, TSIG_MAC_LEN)));
}

static bool end(struct tsig *t, uint8_t mac[TSIG_MAC_LEN])
{
	size_t n = 0;
	return EVP_MAC_final(t->digest, mac, &n, TSIG_MAC_LEN) == 1 && n == TSIG_MAC_LEN;
}

int tsig_open(struct tsig *t, const struct tsig_key *key)
{
	char sha256[] = "SHA256";
	*t = (struct tsig){.key = key};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *digest = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	EVP_MAC_free(hmac);
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
		OSSL_PARAM_construct_end()};
	t->digest = digest;
	if (digest && EVP_MAC_CTX_set_params(digest, params) == 1 && begin(t))
		return ERR_OK;
	tsig_close(t);
	return ERR_NOMEM;
}

void tsig_close(struct tsig *t)
{
	EVP_MAC_CTX_free(t->digest);
	t->digest = NULL;
}

/* Key, class, TTL, algorithm: what a first signature covers before the timers. */
static bool add_head(struct tsig *t)
{
	static const uint8_t class_ttl[6] = {0, DNS_CLASS_ANY};
	return add(t, t->key->name, name_len(t->key->name)) && add(t, class_ttl, 6) &&
	       add(t, algorithm, sizeof algorithm);
}

/* ---- signing ---- */

int tsig_sign(struct tsig *t, uint8_t *msg, size_t *len, size_t room, int64_t now)
{
	uint8_t timers[TIMERS_LEN], none[4] = {0};
	wire_set16(timers, (unsigned)(now >> 32) & 0xffff);
	wire_set32(timers + 2, (uint32_t)now);
	wire_set16(timers + 6, TSIG_FUDGE_S);
	if (!add(t, msg, *len) || !add_head(t) || !add(t, timers, sizeof timers) ||
	    !add(t, none, sizeof none) || !end(t, t->mac))
		return ERR_NOMEM;
	struct wire_writer w = wire_writer(msg + *len, room - *len);
	wire_put_name(&w, t->key->name);
	wire_put16(&w, DNS_TSIG);
	wire_put16(&w, DNS_CLASS_ANY);
	wire_put32(&w, 0);
	wire_put16(&w, sizeof algorithm + FIXED_LEN + TSIG_MAC_LEN + TAIL_LEN);
	wire_put_name(&w, algorithm);
	wire_put(&w, timers, sizeof timers);
	wire_put16(&w, TSIG_MAC_LEN);
	wire_put(&w, t->mac, TSIG_MAC_LEN);
	wire_put(&w, msg, 2);
	wire_put(&w, none, sizeof none);
	if (w.err)
		return w.err;
	wire_set16(msg + ARCOUNT_AT, wire_get16(msg + ARCOUNT_AT) + 1U);
	*len += wire_written(&w);
	t->have_mac = true;
	t->go_on = false;
	return begin(t) ? ERR_OK : ERR_NOMEM;
}

/* ---- checking ---- */

/* The last record of a message, when it is a signature. */
struct found {
	size_t at; /* in the message */
	uint8_t key[DNS_NAME_MAX], algorithm[DNS_NAME_MAX];
	const uint8_t *timers, *mac, *tail, *other;
	size_t mac_len, other_len;
};

static size_t read_name(struct wire_reader *r, uint8_t *out)
{
	size_t n = wire_name(r, out);
	name_lower(out, n);
	return n;
}

/* The record at the reader, a signature or not. */
static void read_record(struct wire_reader *r, struct found *f, uint16_t *type)
{
	f->at = (size_t)(r->at - r->base);
	read_name(r, f->key);
	*type = wire_u16(r);
	uint16_t class = wire_u16(r);
	uint32_t ttl = wire_u32(r);
	uint16_t len = wire_u16(r);
	if (*type != DNS_TSIG) {
		wire_take(r, len);
		return;
	}
	const uint8_t *start = r->at;
	read_name(r, f->algorithm);
	f->timers = wire_take(r, TIMERS_LEN);
	f->mac_len = wire_u16(r);
	f->mac = wire_take(r, f->mac_len);
	f->tail = wire_take(r, 4);
	f->other_len = wire_u16(r);
	f->other = wire_take(r, f->other_len);
	if (!r->err && (class != DNS_CLASS_ANY || ttl || r->at != start + len))
		r->err = ERR_FORMAT;
}

/* 1 with f filled, 0 when there is no signature. Anywhere but at the end is wrong. */
static int find(struct found *f, const uint8_t *msg, size_t len)
{
	struct wire_reader r = wire_reader(msg, len);
	uint16_t type = 0;
	wire_take(&r, 4);
	unsigned questions = wire_u16(&r), records = 0;
	for (int i = 0; i < 3; i++)
		records += wire_u16(&r);
	for (unsigned i = 0; i < questions && !r.err; i++) {
		wire_name(&r, NULL);
		wire_take(&r, 4);
	}
	for (unsigned i = 0; i < records && !r.err; i++) {
		if (type == DNS_TSIG)
			return ERR_FORMAT;
		read_record(&r, f, &type);
	}
	if (r.err || wire_left(&r))
		return ERR_FORMAT;
	return type == DNS_TSIG && wire_get16(msg + ARCOUNT_AT) > 0;
}

static int check(struct tsig *t, const struct found *f, const uint8_t *msg, int64_t now)
{
	uint8_t mac[TSIG_MAC_LEN], len[2];
	int64_t time = (int64_t)wire_get16(f->timers) << 32 | wire_get32(f->timers + 2);
	t->error = wire_get16(f->tail + 2);
	if (!name_equal(f->key, t->key->name) || !name_equal(f->algorithm, algorithm) ||
	    f->mac_len != TSIG_MAC_LEN)
		return ERR_ACCESS;
	bool good = add(t, msg, f->at);
	if (!t->go_on) {
		wire_set16(len, (unsigned)f->other_len);
		good = good && add_head(t) && add(t, f->timers, TIMERS_LEN) &&
		       add(t, f->tail + 2, 2) && add(t, len, 2) &&
		       add(t, f->other, f->other_len);
	} else {
		good = good && add(t, f->timers, TIMERS_LEN);
	}
	if (!good || !end(t, mac))
		return ERR_NOMEM;
	if (CRYPTO_memcmp(mac, f->mac, TSIG_MAC_LEN) != 0)
		return ERR_ACCESS;
	if (t->error || time > now + wire_get16(f->timers + 6) ||
	    time < now - wire_get16(f->timers + 6))
		return ERR_ACCESS;
	memcpy(t->mac, mac, sizeof mac);
	t->have_mac = t->go_on = true;
	t->unsigned_n = 0;
	return begin(t) ? 1 : ERR_NOMEM;
}

int tsig_check(struct tsig *t, uint8_t *msg, size_t *len, int64_t now)
{
	struct found f;
	int got = find(&f, msg, *len);
	if (got < 0)
		return got;
	if (!got)
		return ++t->unsigned_n > TSIG_UNSIGNED_MAX ? ERR_ACCESS
		       : add(t, msg, *len)		   ? 0
							   : ERR_NOMEM;
	uint8_t id[2] = {msg[0], msg[1]};
	memcpy(msg, f.tail, 2); /* as it was signed */
	wire_set16(msg + ARCOUNT_AT, wire_get16(msg + ARCOUNT_AT) - 1U);
	got = check(t, &f, msg, now);
	memcpy(msg, id, 2);
	*len = f.at;
	return got;
}
