/* Any bytes as a client's message; what is wrong with it gets a clean error answer. */
#include <stdlib.h>

#include "resolver/answer.h"
#include "resolver/wire_guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

static void check_name(const struct query *q, const uint8_t *msg)
{
	uint8_t lower[DNS_NAME_MAX];
	if (!q->qname_len)
		return;
	must(q->qname_raw == msg + DNS_HEADER_LEN);
	must(name_len(q->qname) == q->qname_len && name_equal(q->qname, q->qname_raw));
	memcpy(lower, q->qname, q->qname_len);
	name_lower(lower, q->qname_len);
	must(memcmp(lower, q->qname, q->qname_len) == 0);
}

/* The answer fits, can be read, belongs to the question and repeats it. */
static void check_error(const struct query *q, const uint8_t *msg)
{
	uint8_t *out = malloc(q->room), qname[DNS_NAME_MAX];
	struct wire_walk w;
	uint16_t qtype, qclass;
	size_t len = answer_error(out, q->room, q, q->rcode, DNS_EDE_NONE, NULL);
	must(len >= DNS_HEADER_LEN && len <= q->room);
	must(guard_message(out, len, GUARD_RECORDS_UDP) == ERR_OK);
	must(memcmp(out, msg, 2) == 0 && wire_get16(out + 2) & DNS_QR);
	must((wire_get16(out + 2) & DNS_RCODE_MASK) == (q->rcode & DNS_RCODE_MASK));
	must((wire_get16(out + 2) & DNS_OPCODE_MASK) == (q->flags & DNS_OPCODE_MASK));
	must(wire_walk_start(&w, out, len, qname, &qtype, &qclass) ==
	     (q->qname_len != 0));
	if (q->qname_len)
		must(qtype == q->qtype && qclass == q->qclass &&
		     memcmp(out + DNS_HEADER_LEN, q->qname_raw, q->qname_len) == 0);
	must(w.left[WIRE_ADDITIONAL] == q->edns);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > DNS_MESSAGE_MAX)
		return 0;
	uint8_t *msg = malloc(size + !size); /* exact: a step outside is seen */
	if (size)
		memcpy(msg, data, size);
	struct query q;
	enum query_result result = query_read(&q, msg, size);
	if (result != QUERY_DROP) {
		must((result == QUERY_ERROR) == (q.rcode != DNS_NOERROR));
		must(q.room >= DNS_UDP_PLAIN && q.room <= DNS_UDP_MAX);
		must(q.edns || !q.dnssec_ok);
		must(result == QUERY_ERROR || q.qname_len);
		check_name(&q, msg);
		if (result == QUERY_ERROR)
			check_error(&q, msg);
	}
	free(msg);
	return 0;
}
