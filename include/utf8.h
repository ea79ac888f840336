/* utf8.h: making text of strangers safe to store and to show.
 * Shape    bytes in, UTF-8 without control characters out
 * Memory   the caller's
 * Threads  any; pure functions
 * Source   RFC 3629, Unicode TR 36 (direction marks) */
#ifndef SINKHOLED_UTF8_H
#define SINKHOLED_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes of the character at p (left bytes remain); 0 when it is broken, overlong, a
 * surrogate, a control character, or a mark that turns the direction of text around. */
static inline size_t utf8_len(const uint8_t *p, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f;
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	uint32_t c = p[0] & (0xffU >> (n + 1));
	if (p[0] < 0xc2 || p[0] > 0xf4 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	if (c < 0xa0 || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return 0;
	return n;
}

/* Copies len bytes into out with NUL at the end, each bad byte as '?', cut at a whole
 * character to fit. Returns the length of what was written. */
static inline size_t utf8_clean(char *out, size_t size, const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t at = 0;
	for (size_t i = 0; i < len;) {
		size_t n = utf8_len(p + i, len - i), step = n ? n : 1;
		if (at + step >= size)
			break;
		if (n)
			memcpy(out + at, p + i, n);
		else
			out[at] = '?';
		at += step;
		i += step;
	}
	out[at] = 0;
	return at;
}

#endif
