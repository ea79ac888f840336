#include "resolver/wire_guard.h"

#include "resolver/rdata.h"

enum { SIG_COVERED_LEN = 2 }; /* SIG begins with the type it covers */

/* Transaction signatures cost work before anybody is known; nothing here takes them. A
 * SIG that covers no type is SIG(0), RFC 2931 3. */
static bool is_transaction_auth(const struct wire_reader *r, unsigned type, size_t len)
{
	if (type == DNS_SIG && len >= SIG_COVERED_LEN && wire_left(r) >= SIG_COVERED_LEN)
		return wire_get16(r->at) == 0;
	return type == DNS_TSIG || type == DNS_TKEY;
}

static int guard_record(struct wire_reader *r, enum wire_section section, bool *opt)
{
	size_t owner_len = wire_name(r, NULL);
	unsigned type = wire_u16(r);
	wire_take(r, 6); /* class, TTL */
	size_t len = wire_u16(r);
	if (r->err)
		return r->err;
	if (type == DNS_OPT) { /* RFC 6891 6.1.1 */
		if (*opt || section != WIRE_ADDITIONAL || owner_len != 1)
			return ERR_FORMAT;
		*opt = true;
	}
	if (is_transaction_auth(r, type, len))
		return ERR_REFUSED;
	return rdata_check(r, type, len);
}

int guard_message(const uint8_t *msg, size_t len, unsigned max_records)
{
	struct wire_reader r = wire_reader(msg, len);
	bool opt = false;
	wire_take(&r, 4); /* ID, flags */
	unsigned questions = wire_u16(&r);
	unsigned count[3];
	for (int s = WIRE_ANSWER; s <= WIRE_ADDITIONAL; s++)
		count[s] = wire_u16(&r);
	if (r.err || questions > 1) /* RFC 9619 */
		return ERR_FORMAT;
	if (count[0] + count[1] + count[2] > max_records)
		return ERR_REFUSED;
	if (questions) {
		wire_name(&r, NULL);
		wire_take(&r, 4); /* type, class */
	}
	int err = r.err;
	for (int s = WIRE_ANSWER; s <= WIRE_ADDITIONAL; s++)
		for (unsigned i = 0; i < count[s] && !err; i++)
			err = guard_record(&r, (enum wire_section)s, &opt);
	if (err == ERR_RANGE || (!err && wire_left(&r)))
		err = ERR_FORMAT;
	return err;
}

bool wire_walk_start(struct wire_walk *w, const uint8_t *msg, size_t len,
		     uint8_t qname[DNS_NAME_MAX], uint16_t *qtype, uint16_t *qclass)
{
	w->r = wire_reader(msg, len);
	wire_take(&w->r, 4); /* ID, flags */
	unsigned questions = wire_u16(&w->r);
	for (int s = WIRE_ANSWER; s <= WIRE_ADDITIONAL; s++)
		w->left[s] = wire_u16(&w->r);
	qname[0] = 0;
	*qtype = *qclass = 0;
	if (!questions)
		return false;
	name_lower(qname, wire_name(&w->r, qname));
	*qtype = wire_u16(&w->r);
	*qclass = wire_u16(&w->r);
	return !w->r.err;
}

bool wire_walk_next(struct wire_walk *w, struct wire_rr *out)
{
	int s = WIRE_ANSWER;
	while (s <= WIRE_ADDITIONAL && !w->left[s])
		s++;
	if (s > WIRE_ADDITIONAL)
		return false;
	w->left[s]--;
	out->section = (enum wire_section)s;
	name_lower(out->owner, wire_name(&w->r, out->owner));
	out->type = wire_u16(&w->r);
	out->class = wire_u16(&w->r);
	out->ttl = wire_u32(&w->r);
	if (out->ttl > DNS_TTL_MAX && out->type != DNS_OPT)
		out->ttl = 0;
	out->rdlength = wire_u16(&w->r);
	out->rdata = wire_take(&w->r, out->rdlength);
	return !w->r.err;
}
