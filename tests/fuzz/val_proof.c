/* Any NSEC and NSEC3 sets, a zone and a name. The input is a name, how many of its last
 * labels are the zone, an encloser likewise, a type, then records; names may point back,
 * so that they have to do with each other. The index of denials gets them, too. */
#include <stdlib.h>

#include "resolver/denial.h"
#include "resolver/val_proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SETS = 20, RDATA_MAX = 1024 };

struct sets {
	int n;
	struct rrset set[SETS];
	const struct rrset *at[SETS];
	uint8_t owner[SETS][DNS_NAME_MAX];
};

static void must(bool good)
{
	if (!good)
		abort();
}

static const uint8_t *last_labels(const uint8_t *name, unsigned keep)
{
	for (unsigned n = name_labels(name); n > keep; n--)
		name = name_parent(name);
	return name;
}

static size_t read_name(struct wire_reader *r, uint8_t out[DNS_NAME_MAX])
{
	size_t n = wire_name(r, out);
	name_lower(out, n);
	return n;
}

/* The label of an ancestor's hash, by the RDATA's own parameters. */
static void hash_label(uint8_t out[33], const uint8_t *name, const uint8_t *rdata,
		       size_t len)
{
	static const char digit[] = "0123456789abcdefghijklmnopqrstuv";
	struct val_work work = {.hashes = VAL_HASHES_MAX};
	uint8_t hash[VAL_SHA1_LEN] = {0};
	if (len >= 5U && len >= 5U + rdata[4])
		proof_hash(hash, name, wire_get16(rdata + 2), rdata + 5, rdata[4], &work);
	out[0] = 32;
	for (unsigned i = 0; i < 32; i++) {
		unsigned next = i < 31 ? hash[i * 5 / 8 + 1] : 0;
		unsigned two = (unsigned)hash[i * 5 / 8] << 8 | next;
		out[i + 1] = (uint8_t)digit[two >> (11 - i * 5 % 8) & 31];
	}
}

/* In a block of its own size: a step outside is seen. */
static void keep(struct rrset *s, const uint8_t *rdata, size_t len)
{
	uint8_t *copy = malloc(len + 2);
	must(copy != NULL);
	wire_set16(copy, (unsigned)len);
	if (len)
		memcpy(copy + 2, rdata, len);
	s->data = copy;
	s->data_len = (uint32_t)len + 2;
	s->rr_n = 1;
}

static bool read_set(struct sets *sets, struct wire_reader *r, const uint8_t *name,
		     const uint8_t *zone)
{
	struct rrset *s = &sets->set[sets->n];
	uint8_t rdata[DNS_NAME_MAX + RDATA_MAX], *owner = sets->owner[sets->n];
	size_t len = 0;
	unsigned how = wire_u8(r);
	*s = (struct rrset){.owner = owner, .type = how & 1 ? DNS_NSEC3 : DNS_NSEC};
	if (how & 2)
		owner[33] = 0;
	else
		read_name(r, owner);
	if (s->type == DNS_NSEC && how & 4)
		len = wire_name(r, rdata);
	size_t more = wire_u16(r) % RDATA_MAX;
	const uint8_t *rest = wire_take(r, more);
	if (!rest)
		return false;
	memcpy(rdata + len, rest, more);
	len += more;
	if (how & 2 && name_len(zone) + 33 <= DNS_NAME_MAX) {
		hash_label(owner, last_labels(name, how >> 3), rdata, len);
		memcpy(owner + 33, zone, name_len(zone));
	} else if (how & 2) {
		memcpy(owner, zone, name_len(zone));
	}
	keep(s, rdata, len);
	sets->at[sets->n++] = s;
	return true;
}

/* Spends no more than there is, and says the same twice. */
static void check(const struct proof *p, const uint8_t *name, const uint8_t *encloser,
		  uint16_t type, int32_t hashes)
{
	enum proof_result got[2][3];
	for (int i = 0; i < 2; i++) {
		bool cut;
		p->work->hashes = hashes;
		got[i][0] = proof_nxdomain(p, name);
		must(p->work->hashes >= 0 && p->work->hashes <= hashes);
		p->work->hashes = hashes;
		got[i][1] = proof_nodata(p, name, type, &cut);
		must(p->work->hashes >= 0 && p->work->hashes <= hashes);
		must(got[i][1] != PROOF_SECURE || !cut || type == DNS_DS);
		p->work->hashes = hashes;
		got[i][2] = proof_wildcard(p, name, encloser);
		must(p->work->hashes >= 0 && p->work->hashes <= hashes);
	}
	must(memcmp(got[0], got[1], sizeof got[0]) == 0);
	if (p->n <= 1) /* one record cannot say both */
		must(got[0][0] != PROOF_SECURE || got[0][1] != PROOF_SECURE);
	if (!name_within(name, p->zone))
		must(!got[0][0] && !got[0][1] && !got[0][2]);
}

/* The same sets, kept for names nobody asked for: what is said of one stands by itself.
 */
static void check_index(const struct sets *sets, const uint8_t *zone, const uint8_t *name,
			uint16_t type)
{
	enum { NOW = 1800000000, TTL = 300 };
	static struct denial *index; /* one for all inputs */
	struct val_work work = {.hashes = INT32_MAX};
	struct arena arena;
	struct rrset got;
	bool cut;
	if (!index)
		must(denial_open(&index, DENIAL_SIZE_MIN, TTL) == ERR_OK);
	arena_init(&arena, 16384, 1 << 20);
	denial_flush(index, NULL, false);
	for (int i = 0; i < sets->n; i++)
		denial_put(index, zone, &sets->set[i], TTL, NOW);
	int found = denial_get(index, &got, &arena, name, type, (const uint8_t *)"", NOW);
	must(found >= 0);
	if (found == DENIAL_HIT) {
		const struct proof p = {
			.zone = zone, .set = got.proof, .n = got.proof_n, .work = &work};
		must(got.ttl == TTL && got.proof_n);
		must((got.kind == RRSET_NXDOMAIN
			      ? proof_nxdomain(&p, name)
			      : proof_nodata(&p, name, type, &cut)) == PROOF_SECURE);
	}
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t name[DNS_NAME_MAX], other[DNS_NAME_MAX];
	struct sets sets = {0};
	struct val_work work = {0};
	struct wire_reader r = wire_reader(data, size);
	if (size < DNS_HEADER_LEN)
		return 0;
	uint16_t type = wire_u16(&r);
	unsigned zone_labels = wire_u8(&r), encloser_labels = wire_u8(&r);
	int32_t hashes = wire_u8(&r) % (VAL_HASHES_MAX + 1);
	r.at = data + DNS_HEADER_LEN; /* where names may point to */
	if (!read_name(&r, name) || !read_name(&r, other))
		return 0;
	const uint8_t *zone =
		last_labels(zone_labels & 128 ? other : name, zone_labels & 127);
	while (sets.n < SETS && read_set(&sets, &r, name, zone))
		;
	struct proof p = {.zone = zone, .set = sets.at, .n = sets.n, .work = &work};
	check_index(&sets, zone, name, type);
	check(&p, name, last_labels(other, encloser_labels), type, hashes);
	int order = proof_order(name, other);
	must((order == 0) == name_equal(name, other));
	must((order < 0) == (proof_order(other, name) > 0));
	for (int i = 0; i < sets.n; i++)
		free((void *)(uintptr_t)sets.set[i].data);
	return 0;
}
