#include "tools/ipcrypt.h"

#include <openssl/evp.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

struct ipcrypt {
	EVP_CIPHER_CTX *hide, *reveal;
};

/* One block, and no padding behind it. */
static EVP_CIPHER_CTX *open_one(const uint8_t *key, int encrypt)
{
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	if (x && EVP_CipherInit_ex(x, EVP_aes_128_ecb(), NULL, key, NULL, encrypt) == 1 &&
	    EVP_CIPHER_CTX_set_padding(x, 0) == 1)
		return x;
	EVP_CIPHER_CTX_free(x);
	return NULL;
}

int ipcrypt_open(struct ipcrypt **out, const uint8_t key[IPCRYPT_KEY_LEN])
{
	struct ipcrypt *c = calloc(1, sizeof *c);
	*out = c;
	if (!c)
		return ERR_NOMEM;
	c->hide = open_one(key, 1);
	c->reveal = open_one(key, 0);
	if (c->hide && c->reveal)
		return ERR_OK;
	ipcrypt_close(c);
	*out = NULL;
	return ERR_NOMEM;
}

void ipcrypt_close(struct ipcrypt *c)
{
	if (!c)
		return;
	EVP_CIPHER_CTX_free(c->hide); /* wipes the key */
	EVP_CIPHER_CTX_free(c->reveal);
	free(c);
}

static int turn(EVP_CIPHER_CTX *x, uint8_t block[16])
{
	uint8_t out[32];
	int n;
	if (EVP_CipherUpdate(x, out, &n, block, 16) != 1 || n != 16)
		return ERR_NOMEM;
	memcpy(block, out, 16);
	return ERR_OK;
}

int ipcrypt_hide(struct ipcrypt *c, struct addr *a)
{
	uint8_t block[16];
	if (a->family == 4) {
		memcpy(block, mapped, sizeof mapped);
		memcpy(block + sizeof mapped, a->bytes, 4);
	} else {
		memcpy(block, a->bytes, sizeof block);
	}
	int err = turn(c->hide, block);
	*a = addr_v6(block, 0);
	return err;
}

int ipcrypt_reveal(struct ipcrypt *c, struct addr *a)
{
	uint8_t block[16];
	memcpy(block, a->bytes, sizeof block);
	int err = turn(c->reveal, block);
	*a = memcmp(block, mapped, sizeof mapped) ? addr_v6(block, 0)
						  : addr_v4(block + sizeof mapped, 0);
	return err;
}
