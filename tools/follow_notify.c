#include "tools/follow_notify.h"
#include "resolver/wire_guard.h"

bool follow_notify_read(uint8_t zone[DNS_NAME_MAX], const uint8_t *msg, size_t len)
{
	struct wire_reader r = wire_reader(msg, len);
	wire_take(&r, 2);
	unsigned flags = wire_u16(&r), questions = wire_u16(&r);
	wire_take(&r, 6);
	name_lower(zone, wire_name(&r, zone));
	unsigned type = wire_u16(&r), class = wire_u16(&r);
	return !r.err && questions == 1 && type == DNS_SOA && class == DNS_IN &&
	       (flags & (DNS_QR | DNS_OPCODE_MASK)) == DNS_OPCODE_NOTIFY
							       << DNS_OPCODE_SHIFT;
}

bool follow_notify_answer(const struct tsig_key *key, uint8_t *msg, size_t *len,
			  size_t room, int64_t now)
{
	struct tsig t = {.key = NULL};
	int is_signed = 0;
	if (key) {
		if (tsig_open(&t, key))
			return false;
		is_signed = tsig_check(&t, msg, len, now);
	}
	/* Without a signature it is a hint from who has the primary's address; all that
	 * comes of it is a question to the primary. */
	bool good = is_signed >= 0 && guard_message(msg, *len, GUARD_RECORDS_UDP) == 0;
	if (good) {
		const uint16_t counts[4] = {1};
		struct wire_reader r =
			wire_reader(msg + DNS_HEADER_LEN, *len - DNS_HEADER_LEN);
		struct wire_writer w = wire_writer(msg, DNS_HEADER_LEN);
		wire_put_header(&w, wire_get16(msg),
				DNS_QR | DNS_AA | DNS_OPCODE_NOTIFY << DNS_OPCODE_SHIFT,
				counts);
		wire_name(&r, NULL); /* the first name cannot be a pointer */
		*len = DNS_HEADER_LEN + (size_t)(r.at - r.base) + 4;
		t.go_on = false;
		good = !is_signed || tsig_sign(&t, msg, len, room, now) == ERR_OK;
	}
	tsig_close(&t);
	return good;
}
