#include "tools/packet.h"

#include "resolver/query.h"

/* LINKTYPE_ numbers, which are the same everywhere; DLT_RAW is 12 on Linux. */
enum {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_RAW_HERE = 12,
	LINK_RAW = 101,
	LINK_LOOP = 108,
	LINK_COOKED = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_COOKED_2 = 276,
};

enum {
	TYPE_IPV4 = 0x0800,
	TYPE_IPV6 = 0x86dd,
	TYPE_VLAN = 0x8100,
	TYPE_VLAN_OUTER = 0x88a8,
	VLANS_MAX = 2,
	IPV4_MIN = 20,
	IPV6_EXTENSIONS_MAX = 8, /* honest packets have one or two */
	NEXT_HOP_BY_HOP = 0,
	NEXT_TCP = 6,
	NEXT_UDP = 17,
	NEXT_ROUTING = 43,
	NEXT_FRAGMENT = 44,
	NEXT_DESTINATION = 60,
};

struct finding {
	struct packet_question *out;
	int n;
	uint16_t port;
	struct addr client;
};

/* ---- link layers: at the network layer's first byte ---- */

static bool is_vlan(unsigned type)
{
	return type == TYPE_VLAN || type == TYPE_VLAN_OUTER;
}

static void skip_link(struct wire_reader *r, int link)
{
	unsigned type;
	switch (link) {
	case LINK_ETHERNET:
		wire_take(r, 12);
		type = wire_u16(r);
		for (int i = 0; i < VLANS_MAX && is_vlan(type); i++) {
			wire_take(r, 2);
			type = wire_u16(r);
		}
		break;
	case LINK_COOKED:
		wire_take(r, 14);
		type = wire_u16(r);
		break;
	case LINK_COOKED_2:
		type = wire_u16(r);
		wire_take(r, 18);
		break;
	case LINK_NULL: /* a family, in the byte order and of the system that it was on */
	case LINK_LOOP:
		wire_take(r, 4);
		return;
	default:
		return;
	}
	if (type != TYPE_IPV4 && type != TYPE_IPV6)
		r->err = ERR_FORMAT;
}

bool packet_link_known(int link)
{
	return link == LINK_NULL || link == LINK_ETHERNET || link == LINK_RAW_HERE ||
	       link == LINK_RAW || link == LINK_LOOP || link == LINK_COOKED ||
	       link == LINK_IPV4 || link == LINK_IPV6 || link == LINK_COOKED_2;
}

/* ---- messages ---- */

static void put_message(struct finding *f, const uint8_t *msg, size_t len)
{
	struct query q;
	if (f->n == PACKET_QUESTIONS_MAX || query_read(&q, msg, len) != QUERY_OK ||
	    q.qclass != DNS_IN)
		return;
	struct packet_question *out = &f->out[f->n++];
	out->client = f->client;
	out->qtype = q.qtype;
	name_copy(out->name, q.qname);
}

static void read_udp(struct finding *f, struct wire_reader *r)
{
	wire_u16(r); /* source */
	unsigned port = wire_u16(r);
	size_t len = wire_u16(r);
	wire_u16(r); /* checksum */
	enum { HEAD = 8 };
	if (r->err || port != f->port || len < HEAD || len - HEAD > wire_left(r))
		return;
	put_message(f, wire_take(r, len - HEAD), len - HEAD);
}

static void read_tcp(struct finding *f, struct wire_reader *r)
{
	enum { HEAD = 20 };
	wire_u16(r);
	unsigned port = wire_u16(r);
	wire_take(r, 8); /* sequence, acknowledgement */
	unsigned head = (unsigned)(wire_u8(r) >> 4) * 4;
	wire_take(r, 7);
	if (r->err || port != f->port || head < HEAD)
		return;
	wire_take(r, head - HEAD);
	while (!r->err && wire_left(r) > 2) {
		size_t len = wire_u16(r);
		const uint8_t *msg = wire_take(r, len);
		if (!r->err)
			put_message(f, msg, len);
	}
}

/* ---- network layer ---- */

static void read_transport(struct finding *f, struct wire_reader *r, unsigned next)
{
	if (next == NEXT_UDP)
		read_udp(f, r);
	else if (next == NEXT_TCP)
		read_tcp(f, r);
}

/* What is behind the packet in a frame is padding. */
static void cut_to(struct wire_reader *r, size_t len)
{
	*r = wire_reader(r->at, len < wire_left(r) ? len : wire_left(r));
}

static void read_ipv4(struct finding *f, struct wire_reader *r)
{
	size_t head = (size_t)(wire_u8(r) & 0xf) * 4;
	wire_u8(r);
	size_t len = wire_u16(r);
	wire_u16(r);
	unsigned fragment = wire_u16(r);
	wire_u8(r);
	unsigned next = wire_u8(r);
	wire_u16(r);
	const uint8_t *from = wire_take(r, 4);
	wire_take(r, 4);
	/* The first fragment of a question has all of it, or it is cut. */
	if (r->err || head < IPV4_MIN || len < head || fragment & 0x1fff)
		return;
	f->client = addr_v4(from, 0);
	wire_take(r, head - IPV4_MIN);
	if (r->err)
		return;
	cut_to(r, len - head);
	read_transport(f, r, next);
}

static void read_ipv6(struct finding *f, struct wire_reader *r)
{
	wire_u32(r);
	size_t len = wire_u16(r);
	unsigned next = wire_u8(r);
	wire_u8(r);
	const uint8_t *from = wire_take(r, 16);
	wire_take(r, 16);
	if (r->err)
		return;
	f->client = (struct addr){.family = 6};
	memcpy(f->client.bytes, from, 16);
	f->client = addr_unmap(&f->client);
	cut_to(r, len);
	for (int i = 0; i < IPV6_EXTENSIONS_MAX && !r->err; i++) {
		if (next != NEXT_HOP_BY_HOP && next != NEXT_ROUTING &&
		    next != NEXT_FRAGMENT && next != NEXT_DESTINATION)
			break;
		unsigned this = next;
		next = wire_u8(r);
		unsigned words = wire_u8(r);
		if (this == NEXT_FRAGMENT && wire_u16(r) & 0xfff8)
			return;
		wire_take(r, this == NEXT_FRAGMENT ? 4 : 8 * words + 6);
	}
	if (!r->err)
		read_transport(f, r, next);
}

int packet_read(struct packet_question out[PACKET_QUESTIONS_MAX], int link, uint16_t port,
		const uint8_t *frame, size_t len)
{
	struct finding f = {.out = out, .port = port};
	struct wire_reader r = wire_reader(frame, len);
	skip_link(&r, link);
	if (r.err || !wire_left(&r))
		return 0;
	unsigned version = *r.at >> 4;
	if (version == 4)
		read_ipv4(&f, &r);
	else if (version == 6)
		read_ipv6(&f, &r);
	return f.n;
}
