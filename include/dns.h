/* dns.h: the protocol's numbers, each with the RFC that gives it.
 * Source   IANA "Domain Name System (DNS) Parameters" */
#ifndef SINKHOLED_DNS_H
#define SINKHOLED_DNS_H

enum {
	DNS_HEADER_LEN = 12, /* RFC 1035 4.1.1 */
	DNS_UDP_PLAIN = 512, /* RFC 1035 4.2.1, without EDNS */
	DNS_UDP_MAX = 1232,  /* what we send or take over UDP: no fragments, RFC 9715 */
	DNS_MESSAGE_MAX = 65535,  /* RFC 1035 4.2.2 */
	DNS_LABEL_MAX = 63,	  /* RFC 1035 2.3.4 */
	DNS_NAME_MAX = 255,	  /* RFC 1035 2.3.4, wire form with the root's zero */
	DNS_LABELS_MAX = 127,	  /* follows from 255 */
	DNS_NAME_TEXT_MAX = 1009, /* every octet as \DDD, dots, final NUL */
	DNS_TTL_MAX = 0x7fffffff, /* RFC 2181 8 */
	DNS_PORT = 53,
	DNS_OPT_LEN = 11, /* an OPT record without options, RFC 6891 6.1.2 */
};

/* Header flags as one 16-bit number, RFC 1035 4.1.1 and 2535 6.7. */
enum {
	DNS_QR = 0x8000,
	DNS_OPCODE_MASK = 0x7800,
	DNS_OPCODE_SHIFT = 11,
	DNS_AA = 0x0400,
	DNS_TC = 0x0200,
	DNS_RD = 0x0100,
	DNS_RA = 0x0080,
	DNS_Z = 0x0040,
	DNS_AD = 0x0020,
	DNS_CD = 0x0010,
	DNS_RCODE_MASK = 0x000f,
};

enum { DNS_EDNS_DO = 0x8000 }; /* in the OPT record's TTL, RFC 3225 */

enum dns_opcode { DNS_OPCODE_QUERY = 0, DNS_OPCODE_NOTIFY = 4, DNS_OPCODE_UPDATE = 5 };

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_YXDOMAIN = 6, /* RFC 2136 */
	DNS_BADVERS = 16, /* RFC 6891 9, needs OPT */
};

enum dns_class { DNS_IN = 1, DNS_CH = 3, DNS_CLASS_NONE = 254, DNS_CLASS_ANY = 255 };

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_MD = 3,
	DNS_MF = 4,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_MB = 7,
	DNS_MG = 8,
	DNS_MR = 9,
	DNS_NULL = 10,
	DNS_WKS = 11,
	DNS_PTR = 12,
	DNS_HINFO = 13,
	DNS_MINFO = 14,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_RP = 17, /* RFC 1183 */
	DNS_AFSDB = 18,
	DNS_X25 = 19,
	DNS_ISDN = 20,
	DNS_RT = 21,
	DNS_NSAP = 22, /* RFC 1706 */
	DNS_NSAP_PTR = 23,
	DNS_SIG = 24, /* RFC 2931 */
	DNS_KEY = 25,
	DNS_PX = 26,	   /* RFC 2163 */
	DNS_GPOS = 27,	   /* RFC 1712 */
	DNS_AAAA = 28,	   /* RFC 3596 */
	DNS_LOC = 29,	   /* RFC 1876 */
	DNS_NXT = 30,	   /* RFC 2535 */
	DNS_SRV = 33,	   /* RFC 2782 */
	DNS_NAPTR = 35,	   /* RFC 3403 */
	DNS_KX = 36,	   /* RFC 2230 */
	DNS_CERT = 37,	   /* RFC 4398 */
	DNS_DNAME = 39,	   /* RFC 6672 */
	DNS_OPT = 41,	   /* RFC 6891 */
	DNS_APL = 42,	   /* RFC 3123 */
	DNS_DS = 43,	   /* RFC 4034 */
	DNS_SSHFP = 44,	   /* RFC 4255 */
	DNS_IPSECKEY = 45, /* RFC 4025 */
	DNS_RRSIG = 46,
	DNS_NSEC = 47,
	DNS_DNSKEY = 48,
	DNS_DHCID = 49, /* RFC 4701 */
	DNS_NSEC3 = 50, /* RFC 5155 */
	DNS_NSEC3PARAM = 51,
	DNS_TLSA = 52,	 /* RFC 6698 */
	DNS_SMIMEA = 53, /* RFC 8162 */
	DNS_HIP = 55,	 /* RFC 8005 */
	DNS_NINFO = 56,
	DNS_RKEY = 57,
	DNS_TALINK = 58,
	DNS_CDS = 59, /* RFC 7344 */
	DNS_CDNSKEY = 60,
	DNS_OPENPGPKEY = 61, /* RFC 7929 */
	DNS_CSYNC = 62,	     /* RFC 7477 */
	DNS_ZONEMD = 63,     /* RFC 8976 */
	DNS_SVCB = 64,	     /* RFC 9460 */
	DNS_HTTPS = 65,
	DNS_DSYNC = 66, /* RFC 9859 */
	DNS_SPF = 99,	/* RFC 7208 */
	DNS_NID = 104,	/* RFC 6742 */
	DNS_L32 = 105,
	DNS_L64 = 106,
	DNS_LP = 107,
	DNS_EUI48 = 108, /* RFC 7043 */
	DNS_EUI64 = 109,
	DNS_NXNAME = 128, /* RFC 9824 */
	DNS_TKEY = 249,	  /* RFC 2930 */
	DNS_TSIG = 250,	  /* RFC 8945 */
	DNS_IXFR = 251,
	DNS_AXFR = 252,
	DNS_MAILB = 253,
	DNS_MAILA = 254,
	DNS_ANY = 255,
	DNS_URI = 256, /* RFC 7553 */
	DNS_CAA = 257, /* RFC 8659 */
	DNS_AVC = 258,
	DNS_AMTRELAY = 260, /* RFC 8777 */
	DNS_RESINFO = 261,  /* RFC 9606 */
	DNS_WALLET = 262,
	DNS_CLA = 263,
	DNS_IPN = 264,
	DNS_TA = 32768,
	DNS_DLV = 32769, /* RFC 4431 */
};

/* EDNS options, RFC 6891 6.1.2. */
enum dns_option { DNS_OPTION_NSID = 3, DNS_OPTION_COOKIE = 10, DNS_OPTION_EDE = 15 };

/* Extended DNS Errors, RFC 8914 4. */
enum dns_ede {
	DNS_EDE_NONE = -1,
	DNS_EDE_OTHER = 0,
	DNS_EDE_DNSKEY_ALGORITHM = 1,
	DNS_EDE_DS_DIGEST = 2,
	DNS_EDE_STALE = 3,
	DNS_EDE_INDETERMINATE = 5,
	DNS_EDE_BOGUS = 6,
	DNS_EDE_SIGNATURE_EXPIRED = 7,
	DNS_EDE_SIGNATURE_NOT_YET_VALID = 8,
	DNS_EDE_DNSKEY_MISSING = 9,
	DNS_EDE_RRSIGS_MISSING = 10,
	DNS_EDE_NO_ZONE_KEY_BIT = 11,
	DNS_EDE_NSEC_MISSING = 12,
	DNS_EDE_CACHED_ERROR = 13,
	DNS_EDE_BLOCKED = 15,
	DNS_EDE_CENSORED = 16,
	DNS_EDE_FILTERED = 17,
	DNS_EDE_PROHIBITED = 18,
	DNS_EDE_STALE_NXDOMAIN = 19,
	DNS_EDE_NOT_READY = 14,
	DNS_EDE_NOT_SUPPORTED = 21,
	DNS_EDE_NO_REACHABLE_AUTHORITY = 22,
	DNS_EDE_NETWORK_ERROR = 23,
	DNS_EDE_INVALID_DATA = 24,
	DNS_EDE_NSEC3_ITERATIONS = 27,
};

/* Types that only a question can have, RFC 6895 3.1: never data in a zone or cache. */
static inline int dns_type_is_meta(unsigned type)
{
	return type == DNS_OPT || (type >= 128 && type <= 255);
}

#endif
