#include "include/conf.h"
#include "resolver/front.h"
#include "resolver/upstream.h"

struct range {
	uint8_t family, bits;
	uint8_t bytes[6];
};

/* Where no public name server is: IANA's special-purpose registries (RFC 6890), all that
 * is not "globally reachable" there, and multicast. What is not assigned is global
 * unicast until it is, RFC 4291 2.4. IPv4 in IPv6 dress is judged as IPv4 before. */
static const struct range never[] = {
	{4, 8, {0}},		 /* "this network": reaches localhost on Linux */
	{4, 8, {10}},		 /* private, RFC 1918 */
	{4, 10, {100, 64}},	 /* shared by carriers, RFC 6598 */
	{4, 8, {127}},		 /* loopback */
	{4, 16, {169, 254}},	 /* link-local, RFC 3927 */
	{4, 12, {172, 16}},	 /* private */
	{4, 24, {192, 0, 0}},	 /* protocol assignments, RFC 6890 */
	{4, 24, {192, 0, 2}},	 /* documentation, RFC 5737 */
	{4, 24, {192, 88, 99}},	 /* 6to4 relays, RFC 7526 */
	{4, 16, {192, 168}},	 /* private */
	{4, 15, {198, 18}},	 /* benchmarks, RFC 2544 */
	{4, 24, {198, 51, 100}}, /* documentation */
	{4, 24, {203, 0, 113}},	 /* documentation */
	{4, 3, {224}},		 /* multicast, reserved, broadcast */
	{6, 16, {0}},		 /* ::, ::1, IPv4-compatible */
	{6, 48, {0, 0x64, 0xff, 0x9b, 0, 1}}, /* local NAT64, RFC 8215 */
	{6, 63, {0x01}},		      /* discard-only, dummy: RFC 6666, 9780 */
	{6, 32, {0x20, 0x01, 0, 0}},	      /* Teredo, RFC 4380 */
	{6, 48, {0x20, 0x01, 0, 2, 0, 0}},    /* benchmarks, RFC 5180 */
	{6, 28, {0x20, 0x01, 0, 0x10}},	      /* ORCHID, RFC 4843 */
	{6, 28, {0x20, 0x01, 0, 0x20}},	      /* ORCHIDv2, RFC 7343 */
	{6, 32, {0x20, 0x01, 0x0d, 0xb8}},    /* documentation */
	{6, 20, {0x3f, 0xff, 0x00}},	      /* documentation, RFC 9637 */
	{6, 16, {0x5f}},		      /* segment routing, RFC 9602 */
	{6, 7, {0xfc}},			      /* unique local */
	{6, 9, {0xfe, 0x80}},		      /* link-local, site-local */
	{6, 8, {0xff}},			      /* multicast */
};

static bool is_never(const struct addr *a)
{
	for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
		struct prefix p = {.addr.family = never[i].family, .bits = never[i].bits};
		memcpy(p.addr.bytes, never[i].bytes, sizeof never[i].bytes);
		if (prefix_covers(&p, a))
			return true;
	}
	return false;
}

static bool is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = {[15] = 1};
	return a->family == 4 ? a->bytes[0] == 127 : !memcmp(a->bytes, one, sizeof one);
}

/* A wildcard listener has every address of this machine: loopback is told here, the
 * others by upstream_transmit(), whose socket knows its own address. */
static bool is_own(const struct conf *conf, const struct addr *a)
{
	for (int i = 0; i < conf->listen_n; i++) {
		const struct addr *l = &conf->listen[i];
		if (l->family != a->family || l->port != a->port)
			continue;
		if (addr_equal(l, a) || (front_wildcard(l) && is_loopback(a)))
			return true;
	}
	return false;
}

static bool is_configured(const struct conf_zone *zones, int n, const struct addr *a)
{
	for (int i = 0; i < n; i++)
		for (int k = 0; k < zones[i].servers_n; k++)
			if (addr_equal(&zones[i].servers[k], a))
				return true;
	return false;
}

bool upstream_address_allowed(const struct conf *conf, const struct addr *a)
{
	struct addr plain = addr_unmap(a);
	if (!plain.family || !plain.port || is_own(conf, &plain))
		return false;
	return !is_never(&plain) ||
	       conf_nets_cover(&conf->recursion.permit_private, &plain) ||
	       is_configured(conf->recursion.stub, conf->recursion.stub_n, &plain) ||
	       is_configured(conf->recursion.forward, conf->recursion.forward_n, &plain);
}
