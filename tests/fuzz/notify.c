/* Any bytes as a notification, to a zone with a key and to one without; what is answered
 * is an answer to it. */
#include <stdlib.h>

#include "resolver/wire_guard.h"
#include "tools/follow_notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	ROOM = 4096,	  /* as follow has */
	NOW = 1790000000, /* when the signed seed was */
};

static void must(bool good)
{
	if (!good)
		abort();
}

static void answer(const struct tsig_key *key, const uint8_t *zone, const uint8_t *data,
		   size_t size)
{
	uint8_t msg[ROOM], qname[DNS_NAME_MAX];
	uint16_t qtype, qclass;
	struct wire_walk w;
	size_t len = size;
	memcpy(msg, data, size);
	if (!follow_notify_answer(key, msg, &len, sizeof msg, NOW))
		return;
	must(len >= DNS_HEADER_LEN && len <= sizeof msg && msg[0] == data[0] &&
	     msg[1] == data[1]);
	/* A signature is for tsig_check(), the guard does not know it. */
	must(wire_get16(msg + 10) ||
	     guard_message(msg, len, GUARD_RECORDS_UDP) == ERR_OK);
	must(wire_walk_start(&w, msg, len, qname, &qtype, &qclass));
	must(wire_get16(msg + 2) ==
	     (DNS_QR | DNS_AA | DNS_OPCODE_NOTIFY << DNS_OPCODE_SHIFT));
	must(name_equal(qname, zone) && qtype == DNS_SOA && qclass == DNS_IN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct tsig_key key = {
		.name = "\3key\7example", .secret = "0123456789abcdef", .secret_len = 16};
	uint8_t zone[DNS_NAME_MAX];
	if (size > ROOM || !follow_notify_read(zone, data, size))
		return 0;
	answer(NULL, zone, data, size);
	answer(&key, zone, data, size);
	return 0;
}
