/* dns_text.h: types of records as a person reads them.
 * Memory   the caller's
 * Threads  any
 * Source   IANA "DNS Parameters", RFC 3597 5 */
#ifndef SINKHOLED_DNS_TEXT_H
#define SINKHOLED_DNS_TEXT_H

#include <stdint.h>
#include <stdio.h>

#include "include/dns.h"

enum { DNS_TYPE_TEXT_MAX = 16 };

/* "AAAA"; "TYPE65280" for what has no name here. */
static inline char *dns_type_text(char out[DNS_TYPE_TEXT_MAX], unsigned type)
{
	static const struct {
		uint16_t type;
		const char *text;
	} known[] = {
		{DNS_A, "A"},
		{DNS_NS, "NS"},
		{DNS_MD, "MD"},
		{DNS_MF, "MF"},
		{DNS_CNAME, "CNAME"},
		{DNS_SOA, "SOA"},
		{DNS_MB, "MB"},
		{DNS_MG, "MG"},
		{DNS_MR, "MR"},
		{DNS_NULL, "NULL"},
		{DNS_WKS, "WKS"},
		{DNS_PTR, "PTR"},
		{DNS_HINFO, "HINFO"},
		{DNS_MINFO, "MINFO"},
		{DNS_MX, "MX"},
		{DNS_TXT, "TXT"},
		{DNS_RP, "RP"},
		{DNS_AFSDB, "AFSDB"},
		{DNS_X25, "X25"},
		{DNS_ISDN, "ISDN"},
		{DNS_RT, "RT"},
		{DNS_NSAP, "NSAP"},
		{DNS_NSAP_PTR, "NSAP-PTR"},
		{DNS_SIG, "SIG"},
		{DNS_KEY, "KEY"},
		{DNS_PX, "PX"},
		{DNS_GPOS, "GPOS"},
		{DNS_AAAA, "AAAA"},
		{DNS_LOC, "LOC"},
		{DNS_NXT, "NXT"},
		{DNS_SRV, "SRV"},
		{DNS_NAPTR, "NAPTR"},
		{DNS_KX, "KX"},
		{DNS_CERT, "CERT"},
		{DNS_DNAME, "DNAME"},
		{DNS_OPT, "OPT"},
		{DNS_APL, "APL"},
		{DNS_DS, "DS"},
		{DNS_SSHFP, "SSHFP"},
		{DNS_IPSECKEY, "IPSECKEY"},
		{DNS_RRSIG, "RRSIG"},
		{DNS_NSEC, "NSEC"},
		{DNS_DNSKEY, "DNSKEY"},
		{DNS_DHCID, "DHCID"},
		{DNS_NSEC3, "NSEC3"},
		{DNS_NSEC3PARAM, "NSEC3PARAM"},
		{DNS_TLSA, "TLSA"},
		{DNS_SMIMEA, "SMIMEA"},
		{DNS_HIP, "HIP"},
		{DNS_NINFO, "NINFO"},
		{DNS_RKEY, "RKEY"},
		{DNS_TALINK, "TALINK"},
		{DNS_CDS, "CDS"},
		{DNS_CDNSKEY, "CDNSKEY"},
		{DNS_OPENPGPKEY, "OPENPGPKEY"},
		{DNS_CSYNC, "CSYNC"},
		{DNS_ZONEMD, "ZONEMD"},
		{DNS_SVCB, "SVCB"},
		{DNS_HTTPS, "HTTPS"},
		{DNS_DSYNC, "DSYNC"},
		{DNS_SPF, "SPF"},
		{DNS_NID, "NID"},
		{DNS_L32, "L32"},
		{DNS_L64, "L64"},
		{DNS_LP, "LP"},
		{DNS_EUI48, "EUI48"},
		{DNS_EUI64, "EUI64"},
		{DNS_NXNAME, "NXNAME"},
		{DNS_TKEY, "TKEY"},
		{DNS_TSIG, "TSIG"},
		{DNS_IXFR, "IXFR"},
		{DNS_AXFR, "AXFR"},
		{DNS_MAILB, "MAILB"},
		{DNS_MAILA, "MAILA"},
		{DNS_ANY, "ANY"},
		{DNS_URI, "URI"},
		{DNS_CAA, "CAA"},
		{DNS_AVC, "AVC"},
		{DNS_AMTRELAY, "AMTRELAY"},
		{DNS_RESINFO, "RESINFO"},
		{DNS_WALLET, "WALLET"},
		{DNS_CLA, "CLA"},
		{DNS_IPN, "IPN"},
		{DNS_TA, "TA"},
		{DNS_DLV, "DLV"},
	};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].type == type) {
			snprintf(out, DNS_TYPE_TEXT_MAX, "%s", known[i].text);
			return out;
		}
	snprintf(out, DNS_TYPE_TEXT_MAX, "TYPE%u", type);
	return out;
}

#endif
