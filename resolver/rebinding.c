#include "resolver/rebinding.h"

static bool is_private(const struct conf *conf, const struct addr *a)
{
	struct addr plain = addr_unmap(a);
	return conf_nets_cover(&conf->rebinding.prefixes, a) ||
	       conf_nets_cover(&conf->rebinding.prefixes, &plain);
}

static bool any_private(const struct conf *conf, const uint8_t *data, size_t len,
			size_t each)
{
	for (size_t at = 0; at + each <= len; at += each) {
		struct addr a = each == 4 ? addr_v4(data + at, 0) : addr_v6(data + at, 0);
		if (is_private(conf, &a))
			return true;
	}
	return false;
}

/* Priority, target, then keys with their values: RFC 9460 2.2. */
static bool hints_private(const struct conf *conf, const uint8_t *rdata, uint16_t len)
{
	enum { IPV4HINT = 4, IPV6HINT = 6 }; /* 14.3.2 */
	struct wire_reader r = wire_reader(rdata, len);
	uint8_t target[DNS_NAME_MAX];
	wire_u16(&r);
	wire_name(&r, target);
	while (!r.err && wire_left(&r)) {
		unsigned key = wire_u16(&r), n = wire_u16(&r);
		const uint8_t *value = wire_take(&r, n);
		if (r.err)
			break;
		if ((key == IPV4HINT && any_private(conf, value, n, 4)) ||
		    (key == IPV6HINT && any_private(conf, value, n, 16)))
			return true;
	}
	return false;
}

static bool rdata_private(const struct conf *conf, unsigned type, const uint8_t *rdata,
			  uint16_t len)
{
	switch (type) {
	case DNS_A:
		return any_private(conf, rdata, len, 4);
	case DNS_AAAA:
		return any_private(conf, rdata, len, 16);
	case DNS_SVCB:
	case DNS_HTTPS:
		return hints_private(conf, rdata, len);
	default:
		return false;
	}
}

static bool is_exempt(const struct conf *conf, const uint8_t *qname)
{
	for (int i = 0; i < conf->rebinding.exempt_n; i++)
		if (name_within(qname, conf->rebinding.exempt[i]))
			return true;
	return false;
}

bool rebinding_forbids(const struct conf *conf, const uint8_t *qname,
		       const struct reply *reply)
{
	const uint8_t *rdata;
	uint16_t len;
	if (!conf->rebinding.enabled || is_exempt(conf, qname))
		return false;
	for (int i = 0; i < reply->answer_n; i++) {
		uint32_t at = 0;
		while (rrset_next(reply->answer[i], &at, &rdata, &len))
			if (rdata_private(conf, reply->answer[i]->type, rdata, len))
				return true;
	}
	return false;
}
