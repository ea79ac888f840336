/* hex.h: bytes as digits, in lower case.
 * Memory   the caller's
 * Threads  any; pure functions */
#ifndef SINKHOLED_HEX_H
#define SINKHOLED_HEX_H

#include <stddef.h>
#include <stdint.h>

/* out has room for 2 * n + 1. */
static inline char *hex_put(char *out, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * n] = 0;
	return out;
}

static inline int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Returns the number of bytes; 0 when text is anything else, or there is no room. */
static inline size_t hex_get(uint8_t *out, size_t room, const char *text)
{
	size_t n = 0;
	for (; n < room && hex_digit(text[0]) >= 0 && hex_digit(text[1]) >= 0; text += 2)
		out[n++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
	return *text ? 0 : n;
}

#endif
