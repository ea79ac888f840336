/* val_sig.c: bytes as a zone's DNSKEY, DS and RRSIG records over some RRset.
 * Input: option byte, type, owner and zone by index, then records: a byte that says
 * which list, a 16-bit length, the bytes. By option the fixed parts are made to fit, so
 * that shapes, canonical form and crypto are reached. Nobody can sign here: nothing may
 * become secure. */
#include <stdlib.h>

#include "resolver/val_sig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1800000000, LISTS = 4, ROOM = 1 << 17 };

enum option {
	FIT_SIGS = 1, /* covered type, times, signer, labels */
	FIT_KEYS = 2, /* flags and protocol */
	FIT_TAGS = 4, /* the signature's tag is the last key's, so is the DS's */
	COUNT_WRONG = 8,
	SHA1 = 16,
};

enum which { RECORDS, SIGS, KEYS, DS };

struct list {
	uint8_t *data; /* exact: a step outside is seen */
	uint32_t len;
	uint16_t n;
};

static void must(bool good)
{
	if (!good)
		abort();
}

static void add(struct list *l, const uint8_t *rdata, uint16_t len)
{
	if (l->len + 2U + len > ROOM)
		return;
	l->data = realloc(l->data, l->len + 2U + len);
	must(l->data);
	wire_set16(l->data + l->len, len);
	memcpy(l->data + l->len + 2, rdata, len);
	l->len += 2U + len;
	l->n++;
}

struct zone {
	const uint8_t *owner, *name;
	uint16_t type, tag;
	uint8_t options, algorithm;
	struct list list[LISTS];
};

/* Puts right what the options say of one record; its new length. */
static uint16_t fit(struct zone *z, enum which which, uint8_t *rdata, uint16_t len)
{
	size_t signer = name_len(z->name);
	if (which == KEYS && len > 4) {
		if (z->options & FIT_KEYS) {
			wire_set16(rdata, 0x0101);
			rdata[2] = 3;
		}
		z->tag = val_sig_key_tag(rdata, len);
		z->algorithm = rdata[3];
	} else if (which == SIGS && len >= 18 + signer && z->options & FIT_SIGS) {
		wire_set16(rdata, z->type);
		wire_set32(rdata + 8, NOW + 1000);
		wire_set32(rdata + 12, NOW - 1000);
		rdata[3] = (uint8_t)(name_labels(z->name) + rdata[3] % 3);
		memcpy(rdata + 18, z->name, signer);
	}
	if (z->options & FIT_TAGS && z->algorithm) {
		if (which == SIGS && len >= 18) {
			rdata[2] = z->algorithm;
			wire_set16(rdata + 16, z->tag);
		} else if (which == DS && len >= 4) {
			wire_set16(rdata, z->tag);
			rdata[2] = z->algorithm;
		}
	}
	return len;
}

static void read_records(struct zone *z, struct wire_reader *in)
{
	while (!in->err && wire_left(in)) {
		enum which which = wire_u8(in) % LISTS;
		size_t len = wire_u16(in);
		len = len < wire_left(in) ? len : wire_left(in);
		const uint8_t *bytes = wire_take(in, len);
		if (!bytes || in->err)
			break;
		uint8_t *copy = malloc(len + !len);
		must(copy != NULL);
		memcpy(copy, bytes, len);
		add(&z->list[which], copy, fit(z, which, copy, (uint16_t)len));
		free(copy);
	}
}

static struct rrset rrset(const struct zone *z, const uint8_t *owner, uint16_t type,
			  enum which which)
{
	const struct list *l = &z->list[which], *sigs = &z->list[SIGS];
	return (struct rrset){.owner = owner,
			      .type = type,
			      .kind = RRSET_DATA,
			      .rr_n = (uint16_t)(l->n + !!(z->options & COUNT_WRONG)),
			      .data = l->data,
			      .data_len = l->len,
			      .sig_n = sigs->n,
			      .sigs = sigs->data,
			      .sigs_len = sigs->len};
}

static void check(const struct zone *z, const struct val_sig *out,
		  const struct val_work *work)
{
	int spent = VAL_SIGS_RESPONSE - work->response;
	must(out->security == SECURITY_BOGUS);
	must(out->ede >= DNS_EDE_DNSKEY_ALGORITHM && out->ede <= DNS_EDE_NO_ZONE_KEY_BIT);
	must(spent >= 0 && spent <= VAL_FAILURES_MAX);
	must(work->question >= 0 && work->question <= VAL_SIGS_QUESTION - spent);
	must(!out->encloser && z->name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = {DNS_A,	   DNS_NS,  DNS_SOA,   DNS_MX,
					 DNS_RP,   DNS_SRV, DNS_NAPTR, DNS_DNAME,
					 DNS_NSEC, DNS_DS,  DNS_NSEC3, DNS_TXT,
					 DNS_SVCB, DNS_KX,  65280,     DNS_DNSKEY};
	static const uint8_t *const names[] = {
		(const uint8_t *)"\3www\7example\3com", (const uint8_t *)"\7example\3com",
		(const uint8_t *)"\1*\7example\3com", (const uint8_t *)"\3com",
		(const uint8_t *)""};
	struct wire_reader in = wire_reader(data, size);
	struct zone z = {.options = wire_u8(&in)};
	z.type = types[wire_u8(&in) % (sizeof types / sizeof *types)];
	uint8_t pair = wire_u8(&in);
	z.owner = names[pair % 5];
	z.name = names[pair / 5 % 5];
	read_records(&z, &in);
	bool sha1 = z.options & SHA1;
	struct rrset s = rrset(&z, z.owner, z.type, RECORDS),
		     keys = rrset(&z, z.name, DNS_DNSKEY, KEYS),
		     ds = rrset(&z, z.name, DNS_DS, DS);
	struct val_work work = {VAL_SIGS_QUESTION, VAL_SIGS_RESPONSE, 0};
	struct val_sig out;
	int16_t ede;
	const uint8_t *signer = val_sig_signer(&s);
	must(!signer || name_within(z.owner, signer));
	val_sig_check(&out, &s, z.name, &keys, sha1, &work, NOW);
	check(&z, &out, &work);
	work = (struct val_work){VAL_SIGS_QUESTION, VAL_SIGS_RESPONSE, 0};
	val_sig_check_keys(&out, &keys, &ds, sha1, &work, NOW);
	check(&z, &out, &work);
	must(val_sig_usable(&ds, sha1, &ede) || ds.data_len);
	for (int i = 0; i < LISTS; i++)
		free(z.list[i].data);
	return 0;
}
