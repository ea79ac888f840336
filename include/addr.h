/* addr.h: IP addresses, ports and prefixes.
 * Shape    16 bytes; IPv4 sits in the first four, the rest is zero
 * Units    port in host order, prefix length in bits of its own family
 * Errors   text that is no address is ERR_FORMAT
 * Source   RFC 4291, 6052 (64:ff9b::/96), 3056 (2002::/16) */
#ifndef SINKHOLED_ADDR_H
#define SINKHOLED_ADDR_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "include/err.h"

struct addr {
	uint8_t bytes[16];
	uint8_t family; /* 4 or 6; 0 = none */
	uint8_t pad;
	uint16_t port; /* 0 = any */
};

struct prefix {
	struct addr addr; /* host bits and port are zero */
	uint8_t bits;	  /* 0..32 or 0..128 */
};

enum {
	ADDR_TEXT_MAX = INET6_ADDRSTRLEN + 8, /* address@port and NUL */
	PREFIX_TEXT_MAX = ADDR_TEXT_MAX + 4,  /* address/bits and NUL */
};

static inline size_t addr_len(const struct addr *a)
{
	return a->family == 4 ? 4 : 16;
}

/* Same address and port. */
static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && a->port == b->port &&
	       memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static inline struct addr addr_v4(const uint8_t bytes[4], uint16_t port)
{
	struct addr a = {.family = 4, .port = port};
	memcpy(a.bytes, bytes, 4);
	return a;
}

static inline struct addr addr_v6(const uint8_t bytes[16], uint16_t port)
{
	struct addr a = {.family = 6, .port = port};
	memcpy(a.bytes, bytes, 16);
	return a;
}

/* An IPv4 address dressed as IPv6 (mapped, NAT64, 6to4) becomes the IPv4 one;
 * any other address comes back as it is. */
static inline struct addr addr_unmap(const struct addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
	if (a->family == 6 &&
	    (!memcmp(a->bytes, mapped, 12) || !memcmp(a->bytes, nat64, 12)))
		return addr_v4(a->bytes + 12, a->port);
	if (a->family == 6 && a->bytes[0] == 0x20 && a->bytes[1] == 0x02)
		return addr_v4(a->bytes + 2, a->port);
	return *a;
}

static inline bool prefix_covers(const struct prefix *p, const struct addr *a)
{
	unsigned whole = p->bits / 8, rest = p->bits % 8;
	if (p->addr.family != a->family || memcmp(p->addr.bytes, a->bytes, whole) != 0)
		return false;
	return !rest || !((p->addr.bytes[whole] ^ a->bytes[whole]) >> (8 - rest));
}

/* Whether any address is in both. */
static inline bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	return a->bits < b->bits ? prefix_covers(a, &b->addr)
				 : prefix_covers(b, &a->addr);
}

/* a's first bits, the rest cleared. */
static inline struct prefix prefix_of(const struct addr *a, unsigned bits)
{
	struct prefix p = {.addr = *a, .bits = (uint8_t)bits};
	p.addr.port = 0;
	for (unsigned i = bits; i < 128; i++)
		p.addr.bytes[i / 8] &= (uint8_t) ~(0x80U >> i % 8);
	return p;
}

/* "192.0.2.1" or "2001:db8::1", len characters, nothing around it; port is 0. */
static inline MUST_CHECK int addr_from_text(struct addr *out, const char *text,
					    size_t len)
{
	char buf[INET6_ADDRSTRLEN];
	*out = (struct addr){0};
	if (len == 0 || len >= sizeof buf || memchr(text, 0, len))
		return ERR_FORMAT;
	memcpy(buf, text, len);
	buf[len] = 0;
	if (inet_pton(AF_INET, buf, out->bytes) == 1)
		out->family = 4;
	else if (inet_pton(AF_INET6, buf, out->bytes) == 1)
		out->family = 6;
	return out->family ? ERR_OK : ERR_FORMAT;
}

/* Digits only, up to max, nothing around them; -1 for anything else. */
static inline long addr_number(const char *text, size_t len, long max)
{
	long v = 0;
	if (len == 0 || len > 5)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		v = v * 10 + (text[i] - '0');
	}
	return v > max ? -1 : v;
}

/* "ADDRESS" or "ADDRESS@PORT", the form of the configuration's keys. */
static inline MUST_CHECK int addr_port_from_text(struct addr *out, const char *text,
						 uint16_t default_port)
{
	const char *at = strchr(text, '@');
	int err = addr_from_text(out, text, at ? (size_t)(at - text) : strlen(text));
	long port = at ? addr_number(at + 1, strlen(at + 1), 65535) : default_port;
	if (err || port < 0)
		return ERR_FORMAT;
	out->port = (uint16_t)port;
	return ERR_OK;
}

/* "ADDRESS/BITS", or one address as its own prefix. Host bits that are set are
 * ERR_INVAL: a slip of the writer must not widen a rule in silence. */
static inline MUST_CHECK int prefix_from_text(struct prefix *out, const char *text,
					      size_t len)
{
	const char *slash = memchr(text, '/', len);
	struct addr a;
	int err = addr_from_text(&a, text, slash ? (size_t)(slash - text) : len);
	if (err)
		return err;
	long max = a.family == 4 ? 32 : 128;
	long bits = slash ? addr_number(slash + 1, (size_t)(text + len - slash - 1), max)
			  : max;
	if (bits < 0)
		return ERR_FORMAT;
	*out = prefix_of(&a, (unsigned)bits);
	return memcmp(out->addr.bytes, a.bytes, sizeof a.bytes) ? ERR_INVAL : ERR_OK;
}

static inline char *addr_to_text(char out[ADDR_TEXT_MAX], const struct addr *a)
{
	if (!inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, out, ADDR_TEXT_MAX))
		out[0] = 0;
	return out;
}

static inline char *addr_port_to_text(char out[ADDR_TEXT_MAX], const struct addr *a)
{
	size_t n = strlen(addr_to_text(out, a));
	snprintf(out + n, ADDR_TEXT_MAX - n, "@%u", a->port);
	return out;
}

static inline char *prefix_to_text(char out[PREFIX_TEXT_MAX], const struct prefix *p)
{
	char text[ADDR_TEXT_MAX];
	snprintf(out, PREFIX_TEXT_MAX, "%s/%u", addr_to_text(text, &p->addr), p->bits);
	return out;
}

/* Fills a socket address and returns its length. */
static inline socklen_t addr_to_sockaddr(struct sockaddr_storage *out,
					 const struct addr *a)
{
	memset(out, 0, sizeof *out);
	if (a->family == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;
		in->sin_family = AF_INET;
		in->sin_port = htons(a->port);
		memcpy(&in->sin_addr, a->bytes, 4);
		return sizeof *in;
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(a->port);
	memcpy(&in6->sin6_addr, a->bytes, 16);
	return sizeof *in6;
}

/* A family that is neither gives family 0. */
static inline struct addr addr_from_sockaddr(const struct sockaddr *sa)
{
	struct addr a = {0};
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in =
			(const struct sockaddr_in *)(const void *)sa;
		a.family = 4;
		a.port = ntohs(in->sin_port);
		memcpy(a.bytes, &in->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 =
			(const struct sockaddr_in6 *)(const void *)sa;
		a.family = 6;
		a.port = ntohs(in6->sin6_port);
		memcpy(a.bytes, &in6->sin6_addr, 16);
	}
	return a;
}

#endif
