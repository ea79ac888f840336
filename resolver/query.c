#include "resolver/query.h"

static enum query_result error(struct query *q, unsigned rcode)
{
	q->rcode = (uint16_t)rcode;
	return QUERY_ERROR;
}

/* The question's name: nothing stands before it that a pointer could mean. */
static void read_qname(struct query *q, struct wire_reader *r)
{
	const uint8_t *start = r->at;
	size_t n = 0, left = wire_left(r);
	size_t most = left < DNS_NAME_MAX ? left : DNS_NAME_MAX;
	while (n < most && start[n] && start[n] <= DNS_LABEL_MAX)
		n += start[n] + 1U;
	if (n >= most || start[n]) {
		r->err = n >= left ? ERR_RANGE : ERR_FORMAT;
		return;
	}
	q->qname_len = (uint8_t)++n;
	q->qname_raw = wire_take(r, n);
	memcpy(q->qname, start, n);
	name_lower(q->qname, n);
}

/* Options are counted and measured; of NSID only that it is there, RFC 5001 2.1. */
static bool read_options(struct query *q, const uint8_t *data, size_t len)
{
	struct wire_reader r = wire_reader(data, len);
	int n = 0;
	while (!r.err && wire_left(&r)) {
		q->wants_nsid |= wire_u16(&r) == DNS_OPTION_NSID;
		wire_take(&r, wire_u16(&r));
		n++;
	}
	return !r.err && n <= QUERY_OPTIONS_MAX;
}

/* RFC 6891 6.1.1: root owner, one only; 6.1.3: a version we lack is BADVERS. */
static unsigned read_opt(struct query *q, bool root, unsigned size, uint32_t ttl,
			 const uint8_t *data, size_t len)
{
	if (q->edns || !root || !read_options(q, data, len))
		return DNS_FORMERR;
	q->edns = true;
	q->dnssec_ok = ttl & DNS_EDNS_DO;
	if (size > DNS_UDP_PLAIN)
		q->room = (uint16_t)(size < DNS_UDP_MAX ? size : DNS_UDP_MAX);
	return ttl >> 16 & 0xff ? DNS_BADVERS : DNS_NOERROR;
}

/* Signed messages are not for a resolver's clients: refused before any key is looked at.
 */
static unsigned read_additional(struct query *q, struct wire_reader *r, unsigned n)
{
	unsigned rcode = DNS_NOERROR;
	if (n > QUERY_ADDITIONAL_MAX)
		return DNS_FORMERR;
	for (; n; n--) {
		bool root = wire_left(r) && *r->at == 0;
		if (root)
			wire_take(r, 1);
		else
			wire_name(r, NULL);
		unsigned type = wire_u16(r), class = wire_u16(r);
		uint32_t ttl = wire_u32(r);
		unsigned len = wire_u16(r);
		const uint8_t *data = wire_take(r, len);
		if (r->err)
			return DNS_FORMERR;
		unsigned bad = DNS_NOERROR;
		if (type == DNS_OPT)
			bad = read_opt(q, root, class, ttl, data, len);
		else if (type == DNS_TSIG || type == DNS_SIG || type == DNS_TKEY)
			bad = DNS_REFUSED;
		rcode = rcode ? rcode : bad;
	}
	return wire_left(r) ? DNS_FORMERR : rcode;
}

/* What a resolver can be asked at all. */
static unsigned check_question(const struct query *q)
{
	switch (q->qtype) {
	case 0:
	case DNS_OPT:
	case DNS_NXNAME: /* RFC 9824 3.5 */
		return DNS_FORMERR;
	case DNS_TKEY:
	case DNS_TSIG:
	case DNS_MAILA:
	case DNS_MAILB:
		return DNS_NOTIMP;
	case DNS_IXFR: /* we know what it is: there are no zones to be had, RFC 5936 2.2.1
			*/
	case DNS_AXFR:
		return DNS_REFUSED;
	default:
		return q->qclass == DNS_IN ? DNS_NOERROR : DNS_REFUSED;
	}
}

enum query_result query_read(struct query *q, const uint8_t *msg, size_t len)
{
	struct wire_reader r = wire_reader(msg, len);
	q->qname_len = 0;
	q->qname_raw = NULL;
	q->qtype = q->qclass = q->rcode = 0;
	q->edns = q->dnssec_ok = q->wants_nsid = false;
	q->nsid = NULL;
	q->room = DNS_UDP_PLAIN;
	q->id = wire_u16(&r);
	q->flags = wire_u16(&r);
	unsigned questions = wire_u16(&r), answers = wire_u16(&r),
		 authority = wire_u16(&r);
	unsigned additional = wire_u16(&r);
	if (r.err || q->flags & DNS_QR)
		return QUERY_DROP;
	if ((q->flags & DNS_OPCODE_MASK) != DNS_OPCODE_QUERY)
		return error(q, DNS_NOTIMP);
	if (questions != 1)
		return error(q, DNS_FORMERR);
	read_qname(q, &r);
	q->qtype = wire_u16(&r);
	q->qclass = wire_u16(&r);
	if (r.err) {
		q->qname_len = 0;
		return error(q, DNS_FORMERR);
	}
	unsigned rcode = check_question(q);
	if (answers || authority) /* IXFR brings an SOA along, RFC 1995 3 */
		return error(q, q->qtype == DNS_IXFR ? rcode : DNS_FORMERR);
	unsigned bad = read_additional(q, &r, additional);
	rcode = bad ? bad : rcode;
	return rcode ? error(q, rcode) : QUERY_OK;
}
