#include "resolver/rebinding.h"

#include "resolver/rdata.h"

static bool is_private(const struct conf *conf, const struct addr *a)
{
	struct addr plain = addr_unmap(a);
	return conf_nets_cover(&conf->rebinding.prefixes, a) ||
	       conf_nets_cover(&conf->rebinding.prefixes, &plain);
}

static bool rdata_private(const struct conf *conf, unsigned type, const uint8_t *rdata,
			  uint16_t len)
{
	struct rdata_addrs addrs;
	struct addr a;
	rdata_addrs(&addrs, type, rdata, len);
	while (rdata_addrs_next(&addrs, &a))
		if (is_private(conf, &a))
			return true;
	return false;
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
