#include "tools/packet.h"

#include "include/dns.h"
#include "include/wire.h"
#include "tests/unit/unit.h"

enum { ETHERNET = 1, RAW = 101, COOKED = 113, COOKED_2 = 276, LOOP = 108 };

struct frame {
	uint8_t bytes[1024];
	size_t len;
};

static void put(struct frame *f, const void *data, size_t n)
{
	ck_assert_uint_le(f->len + n, sizeof f->bytes);
	memcpy(f->bytes + f->len, data, n);
	f->len += n;
}

static void put16(struct frame *f, unsigned v)
{
	put(f, (const uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static void put_zero(struct frame *f, size_t n)
{
	static const uint8_t zero[64];
	put(f, zero, n);
}

static struct frame message(const char *name, unsigned flags)
{
	struct frame f = {.len = 0};
	uint8_t wire[DNS_NAME_MAX];
	ck_assert_int_eq(name_from_str(wire, name), 0);
	put16(&f, 4711);
	put16(&f, flags);
	put16(&f, 1);
	put_zero(&f, 6);
	put(&f, wire, name_len(wire));
	put16(&f, DNS_AAAA);
	put16(&f, DNS_IN);
	return f;
}

static struct frame udp(const struct frame *payload, unsigned port)
{
	struct frame f = {.len = 0};
	put16(&f, 40000);
	put16(&f, port);
	put16(&f, (unsigned)payload->len + 8);
	put16(&f, 0);
	put(&f, payload->bytes, payload->len);
	return f;
}

static struct frame tcp(const struct frame *one, const struct frame *two)
{
	struct frame f = {.len = 0};
	put16(&f, 40000);
	put16(&f, 53);
	put_zero(&f, 8);
	put(&f, "\x80", 1); /* three words of options */
	put_zero(&f, 7 + 12);
	put16(&f, (unsigned)one->len);
	put(&f, one->bytes, one->len);
	put16(&f, (unsigned)two->len);
	put(&f, two->bytes, two->len);
	return f;
}

static struct frame ipv4(const struct frame *payload, unsigned next, unsigned fragment)
{
	struct frame f = {.len = 0};
	put(&f, "\x46\0", 2); /* one word of options */
	put16(&f, (unsigned)payload->len + 24);
	put16(&f, 0);
	put16(&f, fragment);
	put(&f, (const uint8_t[]){64, (uint8_t)next, 0, 0, 192, 0, 2, 7, 192, 0, 2, 53},
	    12);
	put_zero(&f, 4);
	put(&f, payload->bytes, payload->len);
	return f;
}

static struct frame ipv6(const struct frame *payload, unsigned next)
{
	struct frame f = {.len = 0};
	put(&f, "\x60\0\0\0", 4);
	put16(&f, (unsigned)payload->len + 8);
	put(&f, (const uint8_t[]){60, 64}, 2);
	put(&f, (const uint8_t[]){0x20, 1, 0xd, 0xb8}, 4);
	put_zero(&f, 11);
	put(&f, "\1", 1);
	put_zero(&f, 16);
	put(&f, (const uint8_t[]){(uint8_t)next, 0, 1, 4, 0, 0, 0, 0}, 8); /* options */
	put(&f, payload->bytes, payload->len);
	return f;
}

static struct frame on_link(int link, const struct frame *ip)
{
	struct frame f = {.len = 0};
	unsigned type = ip->bytes[0] >> 4 == 4 ? 0x0800 : 0x86dd;
	if (link == ETHERNET) {
		put_zero(&f, 12);
		put16(&f, 0x8100);
		put16(&f, 7);
		put16(&f, type);
	} else if (link == COOKED) {
		put_zero(&f, 14);
		put16(&f, type);
	} else if (link == COOKED_2) {
		put16(&f, type);
		put_zero(&f, 18);
	} else if (link == LOOP) {
		put_zero(&f, 4);
	}
	put(&f, ip->bytes, ip->len);
	put_zero(&f, 6); /* padding */
	return f;
}

static const char *read_frame(int link, const struct frame *f)
{
	static char out[2048];
	struct packet_question q[PACKET_QUESTIONS_MAX];
	char client[ADDR_TEXT_MAX], name[DNS_NAME_TEXT_MAX];
	size_t at = 0;
	int n = packet_read(q, link, 53, f->bytes, f->len);
	out[0] = 0;
	for (int i = 0; i < n; i++)
		at += (size_t)snprintf(out + at, sizeof out - at, "%s %s %u;",
				       addr_to_text(client, &q[i].client),
				       name_to_text(name, q[i].name), q[i].qtype);
	return out;
}

START_TEST(links_and_layers)
{
	static const int links[] = {ETHERNET, RAW, COOKED, COOKED_2, LOOP};
	struct frame m = message("WWW.example.com", 0x0100), m2 = message("b.test", 0);
	struct frame u = udp(&m, 53), t = tcp(&m, &m2);
	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		struct frame ip = ipv4(&u, 17, 0), f = on_link(links[i], &ip);
		ck_assert(packet_link_known(links[i]));
		ck_assert_str_eq(read_frame(links[i], &f),
				 "192.0.2.7 www.example.com 28;");
		ip = ipv6(&u, 17);
		f = on_link(links[i], &ip);
		ck_assert_str_eq(read_frame(links[i], &f),
				 "2001:db8::1 www.example.com 28;");
		ip = ipv4(&t, 6, 0);
		f = on_link(links[i], &ip);
		ck_assert_str_eq(read_frame(links[i], &f),
				 "192.0.2.7 www.example.com 28;192.0.2.7 b.test 28;");
	}
	ck_assert(!packet_link_known(105)); /* Wi-Fi */
}
END_TEST

START_TEST(what_is_no_question)
{
	struct frame answer = message("a.test", 0x8180), m = message("a.test", 0x0100);
	struct frame notify = message("a.test", 0x2000), u = udp(&answer, 53), ip;
	ip = ipv4(&u, 17, 0);
	ck_assert_str_eq(read_frame(RAW, &ip), "");
	u = udp(&notify, 53);
	ip = ipv4(&u, 17, 0);
	ck_assert_str_eq(read_frame(RAW, &ip), "");
	u = udp(&m, 5353); /* not where the resolver is */
	ip = ipv4(&u, 17, 0);
	ck_assert_str_eq(read_frame(RAW, &ip), "");
	u = udp(&m, 53);
	ip = ipv4(&u, 17, 0x20); /* a later fragment */
	ck_assert_str_eq(read_frame(RAW, &ip), "");
	ip = ipv4(&u, 1, 0);
	ck_assert_str_eq(read_frame(RAW, &ip), "");
	ip = ipv4(&u, 17, 0);
	for (size_t n = 0; n < ip.len; n++) { /* cut off anywhere */
		struct frame f = ip;
		f.len = n;
		ck_assert_str_eq(read_frame(RAW, &f), "");
	}
}
END_TEST

UNIT_SUITE("packet", links_and_layers, what_is_no_question)
