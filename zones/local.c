#include <assert.h>

#include "zones/local.h"

/* A name as an array of pointers to its labels, last label first: label[0] is the
 * top-level domain. */
struct labels {
	const uint8_t *label[DNS_LABELS_MAX];
	unsigned n;
};

static void split(struct labels *out, const uint8_t *name)
{
	unsigned at = out->n = name_labels(name);
	assert(at <= DNS_LABELS_MAX);
	for (; at > 0; name = name_parent(name))
		out->label[--at] = name;
}

static const uint8_t *last_label(const uint8_t *name)
{
	const uint8_t *last = name;
	for (; *name; name = name_parent(name))
		last = name;
	return last;
}

/* text: as on the wire, behind its length. */
static bool label_is(const uint8_t *label, const char *text)
{
	return *label == (uint8_t)*text && !memcmp(label + 1, text + 1, *label);
}

/* What a zone answers below and at its apex. */
enum zone_kind {
	ZONE_EMPTY,	/* SOA and NS at the apex, NXDOMAIN below */
	ZONE_LOOPBACK,	/* localhost: A and AAAA, at and below the apex */
	ZONE_LOOPBACK4, /* empty, but for the PTR of 127.0.0.1 */
	ZONE_LOOPBACK6, /* empty, but for a PTR at the apex */
	ZONE_NODATA,	/* every name exists and has nothing */
};

/* A zone found: its kind and how many of the name's labels are its own. */
struct found {
	enum zone_kind kind;
	unsigned labels;
	bool delegated; /* in the public tree: its DS is the parent's to answer */
};

static const struct {
	const char *tld;
	enum zone_kind kind;
} tlds[] = {
	{"\11localhost", ZONE_LOOPBACK}, /* RFC 6761 6.3 */
	{"\7invalid", ZONE_EMPTY},	 /* 6.4 */
	{"\4test", ZONE_EMPTY},		 /* 6.2 */
	{"\5onion", ZONE_EMPTY},	 /* RFC 7686 2 */
	{"\5local", ZONE_EMPTY},	 /* RFC 6762 22.1 */
};

static const struct {
	const char *label; /* below arpa */
	enum zone_kind kind;
} arpas[] = {
	{"\4home", ZONE_EMPTY}, /* RFC 8375 4 */
	/* RFC 9462 6.4: designated resolvers are not built */
	{"\10resolver", ZONE_NODATA},
	{"\7service", ZONE_EMPTY}, /* RFC 9665 */
};

/* 4-byte prefixes: octets in address order, the last of them anything in lo..hi. */
static const struct {
	uint8_t octets, octet[3], lo, hi;
	enum zone_kind kind;
} reverse4[] = {
	{1, {0}, 10, 10, ZONE_EMPTY},	  /* RFC 1918 */
	{2, {172}, 16, 31, ZONE_EMPTY},	  /* RFC 1918 */
	{2, {192}, 168, 168, ZONE_EMPTY}, /* RFC 1918 */
	{2, {100}, 64, 127, ZONE_EMPTY},  /* RFC 7793 */
	{1, {0}, 0, 0, ZONE_EMPTY},	  /* RFC 6303 4.2, down to the end */
	{1, {0}, 127, 127, ZONE_LOOPBACK4},  {2, {169}, 254, 254, ZONE_EMPTY},
	{3, {192, 0}, 2, 2, ZONE_EMPTY},     {3, {198, 51}, 100, 100, ZONE_EMPTY},
	{3, {203, 0}, 113, 113, ZONE_EMPTY}, {4, {255, 255, 255}, 255, 255, ZONE_EMPTY},
};

/* 16-byte prefixes: nibbles in address order. */
static const struct {
	const char *nibbles;
	enum zone_kind kind;
} reverse6[] = {
	{"00000000000000000000000000000000", ZONE_EMPTY}, /* RFC 6303 4.3 */
	{"00000000000000000000000000000001", ZONE_LOOPBACK6},
	{"fd", ZONE_EMPTY},  /* 4.4 */
	{"fe8", ZONE_EMPTY}, /* 4.5 */
	{"fe9", ZONE_EMPTY},
	{"fea", ZONE_EMPTY},
	{"feb", ZONE_EMPTY},
	{"20010db8", ZONE_EMPTY}, /* 4.6 */
	{"3fff0", ZONE_EMPTY},	  /* RFC 9637 */
};

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* An octet as in-addr.arpa has it, RFC 1035 3.5: no leading zeros; -1 for others. */
static int octet_of(const uint8_t *label)
{
	int v = 0;
	if (*label == 0 || *label > 3 || (label[1] == '0' && *label > 1))
		return -1;
	for (unsigned i = 1; i <= *label; i++) {
		if (label[i] < '0' || label[i] > '9')
			return -1;
		v = v * 10 + label[i] - '0';
	}
	return v <= 255 ? v : -1;
}

static bool find_reverse4(struct found *out, const struct labels *l)
{
	int octet[4];
	unsigned n = 0;
	for (; n < 4 && n + 2 < l->n; n++)
		octet[n] = octet_of(l->label[n + 2]);
	for (size_t i = 0; i < LENGTH(reverse4); i++) {
		unsigned k = 0, last = reverse4[i].octets - 1U;
		while (k < n && k < last && octet[k] == reverse4[i].octet[k])
			k++;
		if (k == last && k < n && octet[k] >= reverse4[i].lo &&
		    octet[k] <= reverse4[i].hi) {
			*out = (struct found){reverse4[i].kind, last + 3, true};
			return true;
		}
	}
	return false;
}

static bool find_reverse6(struct found *out, const struct labels *l)
{
	for (size_t i = 0; i < LENGTH(reverse6); i++) {
		const char *p = reverse6[i].nibbles;
		unsigned n = 2;
		while (*p && n < l->n && l->label[n][0] == 1 &&
		       l->label[n][1] == (uint8_t)*p) {
			p++;
			n++;
		}
		if (!*p) {
			*out = (struct found){reverse6[i].kind, n, true};
			return true;
		}
	}
	return false;
}

/* Most questions end at the first comparisons: their top-level domain is none of ours. */
static bool find_zone(struct found *out, struct labels *l, const uint8_t *name)
{
	const uint8_t *tld = last_label(name);
	for (size_t i = 0; i < LENGTH(tlds); i++) {
		if (label_is(tld, tlds[i].tld)) {
			split(l, name);
			*out = (struct found){tlds[i].kind, 1, false};
			return true;
		}
	}
	if (!label_is(tld, "\4arpa"))
		return false;
	split(l, name);
	if (l->n < 2)
		return false;
	if (label_is(l->label[1], "\7in-addr"))
		return find_reverse4(out, l);
	if (label_is(l->label[1], "\3ip6"))
		return find_reverse6(out, l);
	for (size_t i = 0; i < LENGTH(arpas); i++) {
		if (label_is(l->label[1], arpas[i].label)) {
			*out = (struct found){arpas[i].kind, 2, true};
			return true;
		}
	}
	return false;
}

/* ---- records ---- */

static const uint8_t localhost[] = "\x09localhost";
static const uint8_t ptr_owner[] = "\x01"
				   "1\x01"
				   "0\x01"
				   "0\x03"
				   "127\x07in-addr\x04"
				   "arpa";
static const uint8_t loopback4[4] = {127, 0, 0, 1};
static const uint8_t loopback6[16] = {[15] = 1};

/* localhost. nobody.invalid. 1 3600 1200 604800 10800, RFC 6303 3: constant for every
 * zone, as MNAME only matters to UPDATE, which is refused anyway. */
static const uint8_t soa[] = "\x09localhost\x00\x06nobody\x07invalid\x00"
			     "\x00\x00\x00\x01\x00\x00\x0e\x10\x00\x00\x04\xb0"
			     "\x00\x09\x3a\x80\x00\x00\x2a\x30";

static enum local_kind record(struct local_answer *out, uint16_t type, const void *rdata,
			      size_t len)
{
	out->type = type;
	out->rdata = rdata;
	out->rdata_len = (uint16_t)len;
	return LOCAL_RECORD;
}

/* SOA and NS, and one of them for ANY (RFC 8482). The NS is the zone's own name. */
static enum local_kind at_apex(struct local_answer *out, uint16_t qtype)
{
	if (qtype == DNS_SOA || qtype == DNS_ANY)
		return record(out, DNS_SOA, soa, sizeof soa - 1);
	if (qtype == DNS_NS)
		return record(out, DNS_NS, out->zone, name_len(out->zone));
	return LOCAL_NODATA;
}

static enum local_kind in_localhost(struct local_answer *out, uint16_t qtype, bool apex)
{
	if (qtype == DNS_A || qtype == DNS_ANY)
		return record(out, DNS_A, loopback4, sizeof loopback4);
	if (qtype == DNS_AAAA)
		return record(out, DNS_AAAA, loopback6, sizeof loopback6);
	return apex ? at_apex(out, qtype) : LOCAL_NODATA;
}

static enum local_kind pointer(struct local_answer *out, uint16_t qtype)
{
	if (qtype == DNS_PTR || qtype == DNS_ANY)
		return record(out, DNS_PTR, localhost, sizeof localhost);
	return LOCAL_NODATA;
}

/* 1.0.0.127.in-addr.arpa exists, so the names between it and the apex do, RFC 8020. */
static enum local_kind in_loopback4(struct local_answer *out, const uint8_t *qname,
				    uint16_t qtype)
{
	if (name_equal(qname, ptr_owner))
		return pointer(out, qtype);
	return name_below(ptr_owner, qname) ? LOCAL_NODATA : LOCAL_NXDOMAIN;
}

enum local_kind local_find(struct local_answer *out, const uint8_t *qname, uint16_t qtype)
{
	struct labels l;
	struct found f;
	if (!find_zone(&f, &l, qname))
		return LOCAL_NONE;
	bool apex = f.labels == l.n;
	/* A validator behind us needs the parent's proof that the zone is not signed:
	 * RFC 8375 4. */
	if (qtype == DNS_DS && apex && f.delegated)
		return LOCAL_NONE;
	*out = (struct local_answer){.zone = l.label[f.labels - 1], .ttl = LOCAL_TTL_S};
	if (f.kind == ZONE_LOOPBACK)
		return in_localhost(out, qtype, apex);
	if (f.kind == ZONE_LOOPBACK6 && apex && qtype == DNS_PTR)
		return pointer(out, qtype);
	if (apex)
		return at_apex(out, qtype);
	if (f.kind == ZONE_LOOPBACK4)
		return in_loopback4(out, qname, qtype);
	return f.kind == ZONE_NODATA ? LOCAL_NODATA : LOCAL_NXDOMAIN;
}
