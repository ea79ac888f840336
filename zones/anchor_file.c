#include "zones/anchor_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "include/wire.h"

enum {
	DS_FIXED = 4,	  /* tag, algorithm, digest type */
	DIGEST_MAX = 64,  /* of a type that we do not know */
	DNSKEY_FIXED = 4, /* flags, protocol, algorithm */
	DNSKEY_ZONE = 0x0100,
	DNSKEY_REVOKE = 0x0080,
	DNSKEY_PROTOCOL = 3,
};

/* KSK-2017 and KSK-2024. */
static const struct {
	uint16_t tag;
	uint8_t algorithm, digest_type, digest[32];
} builtin[] = {
	{20326, 8, 2, {0xe0, 0x6d, 0x44, 0xb8, 0x0b, 0x8f, 0x1d, 0x39, 0xa9, 0x5c, 0x0b,
		       0x0d, 0x7c, 0x65, 0xd0, 0x84, 0x58, 0xe8, 0x80, 0x40, 0x9b, 0xbc,
		       0x68, 0x34, 0x57, 0x10, 0x42, 0x37, 0xc7, 0xf8, 0xec, 0x8d}},
	{38696, 8, 2, {0x68, 0x3d, 0x2d, 0x0a, 0xcb, 0x8c, 0x9b, 0x71, 0x2a, 0x19, 0x48,
		       0xb2, 0x7f, 0x74, 0x12, 0x19, 0x29, 0x8d, 0x0a, 0x45, 0x0d, 0x61,
		       0x2c, 0x48, 0x3a, 0xf4, 0x44, 0xa4, 0xc0, 0xfb, 0x2b, 0x16}},
};

int anchor_records_add(struct anchor_records *to, const uint8_t *zone, uint16_t type,
		       const uint8_t *rdata, uint16_t len)
{
	if (to->n == ANCHOR_RECORDS_MAX || len > ANCHOR_RDATA_MAX)
		return ERR_FULL;
	if ((to->n & (to->n - 1)) == 0) { /* it doubles */
		size_t n = to->n ? 2 * (size_t)to->n : 1;
		void *larger = realloc(to->record, n * sizeof *to->record);
		if (!larger)
			return ERR_NOMEM;
		to->record = larger;
	}
	struct anchor_record *r = &to->record[to->n++];
	*r = (struct anchor_record){.type = type, .len = len};
	name_copy(r->zone, zone);
	memcpy(r->rdata, rdata, len);
	return ERR_OK;
}

void anchor_records_fini(struct anchor_records *a)
{
	free(a->record);
	*a = (struct anchor_records){0};
}

int anchor_records_builtin(struct anchor_records *out)
{
	static const uint8_t root[1] = {0};
	*out = (struct anchor_records){0};
	int err = ERR_OK;
	for (size_t i = 0; i < sizeof builtin / sizeof *builtin && !err; i++) {
		uint8_t ds[DS_FIXED + 32];
		wire_set16(ds, builtin[i].tag);
		ds[2] = builtin[i].algorithm;
		ds[3] = builtin[i].digest_type;
		memcpy(ds + DS_FIXED, builtin[i].digest, 32);
		err = anchor_records_add(out, root, DNS_DS, ds, sizeof ds);
	}
	if (err)
		anchor_records_fini(out);
	return err;
}

/* ---- a file ---- */

/* A line that was cut while being copied is the usual mistake. */
static int check_ds(struct zone_file *f, const struct zone_record *r)
{
	static const uint8_t digest_len[] = {[1] = 20, [2] = 32, [4] = 48};
	unsigned type = r->len >= DS_FIXED ? r->rdata[3] : 0;
	unsigned want = type < sizeof digest_len ? digest_len[type] : 0;
	if (r->len <= DS_FIXED)
		return zone_file_fail(
			f, ERR_FORMAT,
			"a DS record without a digest; copy the whole line");
	if (want && r->len - DS_FIXED != (int)want)
		return zone_file_fail(f, ERR_FORMAT,
				      "a digest of %d bytes, but one of type %u has %u; "
				      "copy the whole line",
				      r->len - DS_FIXED, type, want);
	if (r->len - DS_FIXED > DIGEST_MAX)
		return zone_file_fail(f, ERR_FORMAT,
				      "a digest of %d bytes; there is none above %d",
				      r->len - DS_FIXED, DIGEST_MAX);
	return ERR_OK;
}

static int check_dnskey(struct zone_file *f, const struct zone_record *r)
{
	if (r->len <= DNSKEY_FIXED)
		return zone_file_fail(
			f, ERR_FORMAT,
			"a DNSKEY record without a key; copy the whole line");
	unsigned flags = wire_get16(r->rdata);
	if (r->rdata[2] != DNSKEY_PROTOCOL || !(flags & DNSKEY_ZONE))
		return zone_file_fail(f, ERR_INVAL,
				      "not a zone's key: it begins with %u %u; give one "
				      "that begins with 257 3",
				      flags, r->rdata[2]);
	if (flags & DNSKEY_REVOKE)
		return zone_file_fail(f, ERR_INVAL,
				      "a revoked key (flags %u) vouches for nothing; "
				      "remove it",
				      flags);
	return ERR_OK;
}

static int check_record(struct zone_file *f, const struct zone_record *r)
{
	if (r->class != DNS_IN)
		return zone_file_fail(f, ERR_INVAL,
				      "a record of another class than IN; remove it");
	if (r->len > ANCHOR_RDATA_MAX)
		return zone_file_fail(f, ERR_INVAL, "a key of %d bytes; at most %d",
				      r->len, ANCHOR_RDATA_MAX);
	switch (r->type) {
	case DNS_DS:
		return check_ds(f, r);
	case DNS_DNSKEY:
		return check_dnskey(f, r);
	default:
		return zone_file_fail(f, ERR_INVAL,
				      "a record of type %u; only DS and DNSKEY records "
				      "belong here, such as: . DS 20326 8 2 E06D44B8...",
				      (unsigned)r->type);
	}
}

static int read_all(struct anchor_records *out, struct zone_file *f)
{
	struct zone_record r;
	int err = ERR_OK, more = ZONE_FILE_RECORD;
	while (!err && (more = zone_file_next(f, &r)) == ZONE_FILE_RECORD) {
		err = check_record(f, &r);
		if (!err)
			err = anchor_records_add(out, r.owner, r.type, r.rdata, r.len);
		if (err == ERR_FULL)
			zone_file_fail(f, err, "more than %d records; leave the best",
				       ANCHOR_RECORDS_MAX);
		else if (err == ERR_NOMEM)
			zone_file_fail(f, err, "out of memory");
	}
	if (!err && !more && out->n == 0)
		return zone_file_fail(f, ERR_INVAL,
				      "no trust anchor in the file; give DS or DNSKEY "
				      "lines, or set recursion.trust_anchor: \"\" for no "
				      "validation");
	return err ? err : more;
}

/* Takes f over. */
static int finish(struct anchor_records *out, struct zone_file *f)
{
	int err = read_all(out, f);
	zone_file_close(f);
	if (err)
		anchor_records_fini(out);
	return err;
}

int anchor_records_load(struct anchor_records *out, const char *path,
			char error[ZONE_FILE_ERROR_MAX])
{
	struct zone_file *f;
	*out = (struct anchor_records){0};
	int err = zone_file_open(&f, path, "recursion.trust_anchor", error);
	return err ? err : finish(out, f);
}

int anchor_records_parse(struct anchor_records *out, const char *name, const char *text,
			 size_t len, char error[ZONE_FILE_ERROR_MAX])
{
	struct zone_file *f;
	*out = (struct anchor_records){0};
	int err = zone_file_open_text(&f, name, text, len, error);
	return err ? err : finish(out, f);
}
