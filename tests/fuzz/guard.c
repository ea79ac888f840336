/* What the guard passes can be walked and expanded, says the same when written again
 * without compression, and does ldns no harm. */
#include <ldns/ldns.h>
#include <stdlib.h>

#include "resolver/rdata.h"
#include "resolver/wire_guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

static void check_names(const uint8_t *rdata, size_t len, unsigned type)
{
	uint16_t off[4];
	int n = rdata_names(off, 4, rdata, (uint16_t)len, type);
	must(n >= 0 && n <= 2); /* SOA and MINFO have most */
	for (int i = 0; i < n; i++) {
		struct wire_reader r = wire_reader(rdata, len);
		must(wire_take(&r, off[i]) && wire_name(&r, NULL));
	}
}

/* Writes the record with all names expanded, as caches and answers hold it. */
static void copy_record(struct wire_writer *out, const struct wire_rr *rr,
			const uint8_t *msg, size_t len)
{
	enum { EXPANDED_MAX = DNS_MESSAGE_MAX + 2 * DNS_NAME_MAX };
	static uint8_t rdata[EXPANDED_MAX];
	must(rr->rdata >= msg && rr->rdata + rr->rdlength <= msg + len);
	int n = rdata_expand(rdata, sizeof rdata, msg, len, rr->rdata, rr->rdlength,
			     rr->type);
	must(n >= 0);
	if (n > DNS_MESSAGE_MAX)
		return;
	uint8_t *exact = malloc((size_t)n + !n);
	memcpy(exact, rdata, (size_t)n);
	struct wire_reader r = wire_reader(exact, (size_t)n);
	must(rdata_check(&r, rr->type, (size_t)n) == ERR_OK && !wire_left(&r));
	must(rdata_expand(rdata, (size_t)n, exact, (size_t)n, exact, (uint16_t)n,
			  rr->type) == n);
	must(memcmp(rdata, exact, (size_t)n) == 0);
	check_names(exact, (size_t)n, rr->type);
	wire_put_name(out, rr->owner);
	wire_put16(out, rr->type);
	wire_put16(out, rr->class);
	wire_put32(out, rr->ttl);
	wire_put16(out, (unsigned)n);
	wire_put(out, exact, (size_t)n);
	free(exact);
}

/* Every record once, in order, to the last byte. */
static void walk(const uint8_t *msg, size_t len)
{
	static uint8_t copy[DNS_MESSAGE_MAX];
	struct wire_writer out = wire_writer(copy, sizeof copy);
	struct wire_walk w;
	struct wire_rr rr;
	uint8_t qname[DNS_NAME_MAX];
	uint16_t type, class;
	unsigned n = 0, expected = 0;
	wire_put(&out, msg, DNS_HEADER_LEN);
	for (int i = 6; i < DNS_HEADER_LEN; i += 2)
		expected += wire_get16(msg + i);
	if (wire_walk_start(&w, msg, len, qname, &type, &class)) {
		wire_put_name(&out, qname);
		wire_put16(&out, type);
		wire_put16(&out, class);
	}
	int section = WIRE_ANSWER;
	for (; wire_walk_next(&w, &rr); n++) {
		must((int)rr.section >= section);
		section = (int)rr.section;
		must(rr.ttl <= DNS_TTL_MAX || rr.type == DNS_OPT);
		copy_record(&out, &rr, msg, len);
	}
	must(n == expected && !w.r.err && !wire_left(&w.r));
	if (!out.err)
		must(guard_message(copy, wire_written(&out), GUARD_RECORDS_TCP) ==
		     ERR_OK);
}

/* What the tools do with a message: records as text. EDNS options stay bytes: libldns
 * 1.8.3 crashes over some as text (option 13 without data). */
static void ldns_reads(const uint8_t *msg, size_t len)
{
	ldns_pkt *pkt = NULL;
	if (ldns_wire2pkt(&pkt, msg, len) != LDNS_STATUS_OK)
		return;
	ldns_rr_list *all = ldns_pkt_all(pkt);
	for (size_t i = 0; i < ldns_rr_list_rr_count(all); i++)
		free(ldns_rr2str(ldns_rr_list_rr(all, i)));
	ldns_rr_list_deep_free(all);
	ldns_pkt_free(pkt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > DNS_MESSAGE_MAX)
		return 0;
	uint8_t *msg = malloc(size + !size); /* exact: a step outside is seen */
	if (size)
		memcpy(msg, data, size);
	if (guard_message(msg, size, GUARD_RECORDS_TCP) == ERR_OK) {
		walk(msg, size);
		ldns_reads(msg, size);
	}
	free(msg);
	return 0;
}
