/* rdata.c: one row per type, one function per kind of field.
 *
 * A layout is a string of fields:
 *   1 2 4 6 8   that many bytes                 q  16 bytes
 *   n  name of an RFC 1035 type: compressed on reading and writing
 *   r  name that only readers expect compressed, RFC 3597 4: the sender was too early
 *   N  name that is never compressed: a pointer is an error
 *   D  the same, but lower case in canonical form as n and r are, RFC 4034 6.2
 *   s  character-string    o  one or none       S  one or more, to the end
 *   h  length byte and that many bytes          H  the same, at least one
 *   b  type bitmap, may be empty                B  the same, not empty
 *   x  any bytes to the end                     X  the same, at least one
 * and the shapes of single types: a APL, e EDNS options, g IPSECKEY gateway, i HIP,
 * l LOC, m AMTRELAY relay, p SVCB parameters. */
#include "resolver/rdata.h"

#include "resolver/wire_guard.h"

/* By type; NULL is opaque. */
static const char *const layouts[] = {
	[DNS_A] = "4",
	[DNS_NS] = "n",
	[DNS_MD] = "n",
	[DNS_MF] = "n",
	[DNS_CNAME] = "n",
	[DNS_SOA] = "nn44444",
	[DNS_MB] = "n",
	[DNS_MG] = "n",
	[DNS_MR] = "n",
	[DNS_WKS] = "41x",
	[DNS_PTR] = "n",
	[DNS_HINFO] = "ss",
	[DNS_MINFO] = "nn",
	[DNS_MX] = "2n",
	[DNS_TXT] = "S",
	[DNS_RP] = "rr",
	[DNS_AFSDB] = "2r",
	[DNS_X25] = "s",
	[DNS_ISDN] = "so",
	[DNS_RT] = "2r",
	[DNS_NSAP] = "X",
	[DNS_NSAP_PTR] = "N",
	[DNS_SIG] = "2114442rX",
	[DNS_KEY] = "211x",
	[DNS_PX] = "2rr",
	[DNS_GPOS] = "sss",
	[DNS_AAAA] = "q",
	[DNS_LOC] = "l",
	[DNS_NXT] = "rx",
	[DNS_SRV] = "222r",
	[DNS_NAPTR] = "22sssr",
	[DNS_KX] = "2D",
	[DNS_CERT] = "221X",
	[DNS_DNAME] = "D",
	[DNS_OPT] = "e",
	[DNS_APL] = "a",
	[DNS_DS] = "211X",
	[DNS_SSHFP] = "11X",
	[DNS_IPSECKEY] = "1gx",
	[DNS_RRSIG] = "2114442NX",
	[DNS_NSEC] = "NB",
	[DNS_DNSKEY] = "211X",
	[DNS_DHCID] = "X",
	[DNS_NSEC3] = "112hHb",
	[DNS_NSEC3PARAM] = "112h",
	[DNS_TLSA] = "111X",
	[DNS_SMIMEA] = "111X",
	[DNS_HIP] = "i",
	[DNS_NINFO] = "S",
	[DNS_RKEY] = "211X",
	[DNS_TALINK] = "NN",
	[DNS_CDS] = "211X",
	[DNS_CDNSKEY] = "211X",
	[DNS_OPENPGPKEY] = "X",
	[DNS_CSYNC] = "42b",
	[DNS_ZONEMD] = "411X",
	[DNS_SVCB] = "2Np",
	[DNS_HTTPS] = "2Np",
	[DNS_DSYNC] = "212N",
	[DNS_SPF] = "S",
	[DNS_NID] = "28",
	[DNS_L32] = "24",
	[DNS_L64] = "28",
	[DNS_LP] = "2N",
	[DNS_EUI48] = "6",
	[DNS_EUI64] = "8",
	[DNS_URI] = "22X",
	[DNS_CAA] = "1Hx",
	[DNS_AVC] = "S",
	[DNS_AMTRELAY] = "1m",
	[DNS_RESINFO] = "S",
	[DNS_WALLET] = "S",
	[DNS_CLA] = "S",
	[DNS_IPN] = "8",
};

static const char *layout_of(unsigned type)
{
	if (type == DNS_TA || type == DNS_DLV) /* twins of DS, far behind the others */
		return layouts[DNS_DS];
	return type < sizeof layouts / sizeof *layouts ? layouts[type] : NULL;
}

/* Each field function moves r over the field or sets r->err; the reader f ends where the
 * RDATA ends. Names alone are read through the message's reader: their pointers reach
 * out of the RDATA, but what stands here must not. */

static void format(struct wire_reader *f, bool good)
{
	if (!good && !f->err)
		f->err = ERR_FORMAT;
}

static void field_name(struct wire_reader *f, const uint8_t *msg_end, bool plain)
{
	const uint8_t *start = f->at, *end = f->end;
	f->end = msg_end;
	size_t n = wire_name(f, NULL);
	f->end = end;
	format(f, f->at <= end);
	/* A pointer's two bytes stand for one or for three and more, never for two: the
	 * lengths agree only without one. */
	format(f, !plain || n == (size_t)(f->at - start));
}

static void field_string(struct wire_reader *f, bool filled)
{
	size_t n = wire_u8(f);
	format(f, n || !filled);
	wire_take(f, n);
}

static void field_strings(struct wire_reader *f)
{
	int n = 0;
	do {
		field_string(f, false);
		if (++n > GUARD_STRINGS && !f->err)
			f->err = ERR_REFUSED;
	} while (!f->err && wire_left(f));
}

/* RFC 4034 4.1.2: windows ascend, none is empty, no trailing zero bytes. */
static void field_bitmap(struct wire_reader *f, bool filled)
{
	int last = -1;
	format(f, wire_left(f) || !filled);
	while (!f->err && wire_left(f)) {
		int window = wire_u8(f);
		size_t n = wire_u8(f);
		const uint8_t *bits = wire_take(f, n);
		format(f, window > last && n >= 1 && n <= 32 && bits && bits[n - 1]);
		last = window;
	}
}

/* RFC 6891 6.1.2. */
static void field_options(struct wire_reader *f)
{
	for (int n = 1; !f->err && wire_left(f); n++) {
		wire_u16(f);
		wire_take(f, wire_u16(f));
		if (n > GUARD_OPTIONS && !f->err)
			f->err = ERR_REFUSED;
	}
}

/* RFC 9460 2.2: keys strictly ascending. */
static void field_params(struct wire_reader *f)
{
	int last = -1;
	while (!f->err && wire_left(f)) {
		int key = wire_u16(f);
		wire_take(f, wire_u16(f));
		format(f, key > last);
		last = key;
	}
}

/* RFC 3123 4: address parts end before their family's length. */
static void field_apl(struct wire_reader *f)
{
	while (!f->err && wire_left(f)) {
		unsigned family = wire_u16(f), bits = wire_u8(f), n = wire_u8(f) & 0x7f;
		wire_take(f, n);
		if (family == 1)
			format(f, bits <= 32 && n <= 4);
		else if (family == 2)
			format(f, bits <= 128 && n <= 16);
	}
}

static void field_rest(struct wire_reader *f, bool filled)
{
	format(f, wire_left(f) || !filled);
	wire_take(f, wire_left(f));
}

/* RFC 4025 2.3 and 8777 4.2.3; of an unknown kind only the writer knows the length. */
static void field_gateway(struct wire_reader *f, const uint8_t *msg_end, unsigned kind)
{
	if (kind == 1)
		wire_take(f, 4);
	else if (kind == 2)
		wire_take(f, 16);
	else if (kind == 3)
		field_name(f, msg_end, true);
	else if (kind)
		field_rest(f, false);
}

/* RFC 8005 5: identity tag, key, then rendezvous servers. */
static void field_hip(struct wire_reader *f, const uint8_t *msg_end)
{
	size_t hit_len = wire_u8(f);
	wire_u8(f);
	size_t key_len = wire_u16(f);
	format(f, hit_len && key_len);
	wire_take(f, hit_len);
	wire_take(f, key_len);
	while (!f->err && wire_left(f))
		field_name(f, msg_end, true);
}

/* RFC 1876 2: nothing may be assumed of a version other than 0. */
static void field_loc(struct wire_reader *f)
{
	unsigned version = wire_u8(f);
	if (version == 0)
		wire_take(f, 15);
	else
		field_rest(f, false);
}

static void field(struct wire_reader *f, char code, const uint8_t *msg_end)
{
	switch (code) {
	case '1':
	case '2':
	case '4':
	case '6':
	case '8':
		wire_take(f, (size_t)(code - '0'));
		break;
	case 'q':
		wire_take(f, 16);
		break;
	case 'n':
	case 'r':
		field_name(f, msg_end, false);
		break;
	case 'N':
	case 'D':
		field_name(f, msg_end, true);
		break;
	case 's':
	case 'h':
		field_string(f, false);
		break;
	case 'H':
		field_string(f, true);
		break;
	case 'o':
		if (wire_left(f))
			field_string(f, false);
		break;
	case 'S':
		field_strings(f);
		break;
	case 'b':
		field_bitmap(f, false);
		break;
	case 'B':
		field_bitmap(f, true);
		break;
	case 'x':
		field_rest(f, false);
		break;
	case 'X':
		field_rest(f, true);
		break;
	case 'a':
		field_apl(f);
		break;
	case 'e':
		field_options(f);
		break;
	case 'g': {
		unsigned kind = wire_u8(f);
		wire_u8(f); /* algorithm */
		field_gateway(f, msg_end, kind);
		break;
	}
	case 'm':
		field_gateway(f, msg_end, wire_u8(f) & 0x7f);
		break;
	case 'i':
		field_hip(f, msg_end);
		break;
	case 'l':
		field_loc(f);
		break;
	default: /* 'p' */
		field_params(f);
		break;
	}
}

int rdata_check(struct wire_reader *r, unsigned type, size_t len)
{
	const char *layout = layout_of(type);
	if (!layout || r->err || len > wire_left(r)) {
		wire_take(r, len);
		return r->err == ERR_RANGE ? ERR_FORMAT : r->err;
	}
	struct wire_reader f = *r;
	f.end = f.at + len;
	for (; *layout && !f.err; layout++)
		field(&f, *layout, r->end);
	format(&f, f.at == f.end);
	r->at = f.end;
	r->work = f.work;
	r->err = f.err == ERR_RANGE ? ERR_FORMAT : f.err;
	return r->err;
}

int rdata_expand(uint8_t *out, size_t room, const uint8_t *msg, size_t msg_len,
		 const uint8_t *rdata, uint16_t rdlength, unsigned type)
{
	const char *layout = layout_of(type);
	struct wire_writer w = wire_writer(out, room);
	struct wire_reader f = wire_reader(msg, msg_len);
	const uint8_t *end = rdata + rdlength;
	f.at = rdata;
	for (; layout && strpbrk(layout, "nr") && !f.err; layout++) {
		const uint8_t *start = f.at;
		uint8_t name[DNS_NAME_MAX];
		if (*layout == 'n' || *layout == 'r') {
			wire_put(&w, name, wire_name(&f, name));
			format(&f, f.at <= end);
			continue;
		}
		f.end = end;
		field(&f, *layout, msg + msg_len);
		f.end = msg + msg_len;
		wire_put(&w, start, (size_t)(f.at - start));
	}
	/* What is left has no compressed names. */
	wire_put(&w, f.at, (size_t)(end - f.at));
	if (f.err || w.err)
		return ERR_RANGE;
	return (int)wire_written(&w);
}

int rdata_names(uint16_t *off, int max, const uint8_t *rdata, uint16_t len, unsigned type)
{
	const char *layout = layout_of(type);
	struct wire_reader f = wire_reader(rdata, len);
	int n = 0;
	for (; layout && strchr(layout, 'n') && n < max; layout++) {
		uint16_t at = (uint16_t)(f.at - f.base);
		field(&f, *layout, f.end);
		if (f.err)
			break;
		if (*layout == 'n')
			off[n++] = at;
	}
	return n;
}

int rdata_canonical(uint8_t *rdata, uint16_t len, unsigned type)
{
	const char *layout = layout_of(type);
	struct wire_reader f = wire_reader(rdata, len);
	for (; layout && strpbrk(layout, "nrD") && !f.err; layout++) {
		uint8_t *start = rdata + (f.at - f.base);
		if (strchr("nrD", *layout)) {
			field_name(&f, f.end, true);
			name_lower(start, (size_t)(f.at - start));
		} else {
			field(&f, *layout, f.end);
		}
	}
	return f.err ? ERR_FORMAT : ERR_OK;
}

/* ---- addresses ---- */

bool rdata_has_addrs(unsigned type)
{
	return type == DNS_A || type == DNS_AAAA || type == DNS_SVCB || type == DNS_HTTPS;
}

void rdata_addrs(struct rdata_addrs *it, unsigned type, const uint8_t *rdata,
		 uint16_t len)
{
	uint8_t target[DNS_NAME_MAX];
	*it = (struct rdata_addrs){.at = rdata};
	if (type == DNS_A || type == DNS_AAAA) {
		it->left = len;
		it->each = type == DNS_A ? 4 : 16;
	} else if (rdata_has_addrs(type)) {
		/* Priority, target, then keys with their values: RFC 9460 2.2. */
		it->params = wire_reader(rdata, len);
		wire_u16(&it->params);
		wire_name(&it->params, target);
	}
}

bool rdata_addrs_next(struct rdata_addrs *it, struct addr *out)
{
	enum { IPV4HINT = 4, IPV6HINT = 6 }; /* RFC 9460 14.3.2 */
	while (!it->each || it->left < it->each) {
		if (it->params.err || !wire_left(&it->params))
			return false;
		unsigned key = wire_u16(&it->params);
		it->left = wire_u16(&it->params);
		it->at = wire_take(&it->params, it->left);
		it->each = key == IPV4HINT ? 4 : key == IPV6HINT ? 16 : 0;
		if (it->params.err)
			return false;
	}
	*out = it->each == 4 ? addr_v4(it->at, 0) : addr_v6(it->at, 0);
	it->at += it->each;
	it->left -= it->each;
	return true;
}
