/* name.h: domain names in wire form, uncompressed.
 * Shape    length byte and label, repeated, ended by the root's zero byte
 * Units    lengths in bytes with that zero: 1 (the root) to 255
 * Memory   the caller's; a parent is a pointer into its child
 * Errors   only text can be wrong: name_from_text() says ERR_FORMAT or ERR_RANGE
 * Source   RFC 1035 3.1 and 5.1, RFC 4343 (case), RFC 9499 (words)
 * A name passed in has been checked before, by the wire guard or by
 * name_from_text(); these functions trust it. */
#ifndef SINKHOLED_NAME_H
#define SINKHOLED_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "include/dns.h"
#include "include/err.h"

static inline size_t name_len(const uint8_t *name)
{
	size_t n = 0;
	while (name[n])
		n += name[n] + 1U;
	return n + 1;
}

/* Labels without the root: 0 for ".", 2 for "example.com". */
static inline unsigned name_labels(const uint8_t *name)
{
	unsigned n = 0;
	for (; *name; name += *name + 1)
		n++;
	return n;
}

/* The name without its first label; the root's parent is the root. */
static inline const uint8_t *name_parent(const uint8_t *name)
{
	return *name ? name + *name + 1 : name;
}

/* The end of name that has n labels; name itself when that has no more. */
static inline const uint8_t *name_last(const uint8_t *name, unsigned n)
{
	for (unsigned have = name_labels(name); have > n; have--)
		name = name_parent(name);
	return name;
}

static inline uint8_t name_lower_byte(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* Eight bytes at a time: the top bit of each byte of from_a says 'A' or more, that of
 * past_z more than 'Z'; bytes above 127 are no letters. */
static inline uint64_t name_lower_word(uint64_t w)
{
	const uint64_t each = 0x0101010101010101, low = w & 0x7f * each;
	uint64_t from_a = low + (0x80 - 'A') * each, past_z = low + (0x7f - 'Z') * each;
	return w | ((from_a & ~past_z & ~w & 0x80 * each) >> 2);
}

static inline uint64_t name_word(const uint8_t *p)
{
	uint64_t w;
	memcpy(&w, p, sizeof w);
	return w;
}

/* Length bytes are at most 63, so below 'A': the whole name can be mapped as bytes. */
static inline void name_lower(uint8_t *name, size_t len)
{
	size_t i = 0;
	for (; i + 8 <= len; i += 8) {
		uint64_t w = name_lower_word(name_word(name + i));
		memcpy(name + i, &w, sizeof w);
	}
	for (; i < len; i++)
		name[i] = name_lower_byte(name[i]);
}

/* Without regard to case. */
static inline bool name_equal(const uint8_t *a, const uint8_t *b)
{
	size_t n = name_len(a), i = 0;
	/* b may be shorter: at its end it differs, and nothing behind that is read */
	for (; i < n && name_lower_byte(a[i]) == name_lower_byte(b[i]); i++)
		;
	return i == n;
}

/* name is zone itself or below it. */
static inline bool name_within(const uint8_t *name, const uint8_t *zone)
{
	return name_equal(name_last(name, name_labels(zone)), zone);
}

/* name is below zone and not zone itself. */
static inline bool name_below(const uint8_t *name, const uint8_t *zone)
{
	return *name && name_within(name_parent(name), zone);
}

static inline void name_copy(uint8_t dst[DNS_NAME_MAX], const uint8_t *src)
{
	memcpy(dst, src, name_len(src));
}

/* One byte of a label given as text at *p; moves *p behind it. */
static inline int name_text_byte(const char **p, const char *end)
{
	const char *s = *p;
	if (*s != '\\') {
		*p = s + 1;
		return (unsigned char)*s;
	}
	if (end - s < 2)
		return -1;
	if (s[1] < '0' || s[1] > '9') {
		*p = s + 2;
		return (unsigned char)s[1];
	}
	if (end - s < 4 || s[2] < '0' || s[2] > '9' || s[3] < '0' || s[3] > '9')
		return -1;
	int v = (s[1] - '0') * 100 + (s[2] - '0') * 10 + (s[3] - '0');
	*p = s + 4;
	return v > 255 ? -1 : v;
}

/* Text without escapes that fits in any case. */
static inline bool name_text_is_plain(const char *text, size_t len)
{
	return len <= DNS_NAME_MAX - 2 && !memchr(text, '\\', len);
}

/* All of it is copied, and the dots become lengths. */
static inline MUST_CHECK int name_from_plain_text(uint8_t out[DNS_NAME_MAX],
						  const char *text, size_t len)
{
	size_t at = 0; /* the open label's length byte */
	memcpy(out + 1, text, len);
	name_lower(out + 1, len);
	if (out[len] != '.')
		out[++len] = '.';
	while (at < len) {
		const uint8_t *dot = memchr(out + at + 1, '.', len - at);
		size_t n = (size_t)(dot - out) - at - 1;
		if (n == 0 || n > DNS_LABEL_MAX)
			return n ? ERR_RANGE : ERR_FORMAT;
		out[at] = (uint8_t)n;
		at += n + 1;
	}
	out[at] = 0;
	return ERR_OK;
}

/* Reads len characters of presentation form, final dot or not, into lower case.
 * "." is the root; the empty string, an empty label and a bad escape are
 * ERR_FORMAT; a label over 63 or a name over 255 is ERR_RANGE. */
static inline MUST_CHECK int name_from_text(uint8_t out[DNS_NAME_MAX], const char *text,
					    size_t len)
{
	size_t at = 0, n = 1; /* at: the open label's length byte; n: next free byte */
	if (len == 0)
		return ERR_FORMAT;
	if (len == 1 && *text == '.') {
		out[0] = 0;
		return ERR_OK;
	}
	if (name_text_is_plain(text, len))
		return name_from_plain_text(out, text, len);
	const char *p = text, *end = text + len;
	while (p < end) {
		if (*p == '.') {
			if (n == at + 1)
				return ERR_FORMAT;
			out[at] = (uint8_t)(n - at - 1);
			at = n++;
			p++;
			continue;
		}
		int c = name_text_byte(&p, end);
		if (c < 0)
			return ERR_FORMAT;
		if (n - at - 1 == DNS_LABEL_MAX || n >= DNS_NAME_MAX - 1)
			return ERR_RANGE;
		out[n++] = name_lower_byte((uint8_t)c);
	}
	if (n > at + 1) {
		out[at] = (uint8_t)(n - at - 1);
		at = n;
	}
	if (at >= DNS_NAME_MAX)
		return ERR_RANGE;
	out[at] = 0;
	return ERR_OK;
}

static inline MUST_CHECK int name_from_str(uint8_t out[DNS_NAME_MAX], const char *text)
{
	return name_from_text(out, text, strlen(text));
}

/* Presentation form without the final dot (but "." for the root), NUL at the
 * end; dots, backslashes and bytes that do not print are escaped. */
static inline char *name_to_text(char out[DNS_NAME_TEXT_MAX], const uint8_t *name)
{
	char *p = out;
	if (!*name)
		*p++ = '.';
	for (; *name; name += *name + 1) {
		if (p != out)
			*p++ = '.';
		for (unsigned i = 1; i <= *name; i++) {
			uint8_t c = name[i];
			if (c > 0x20 && c < 0x7f) {
				if (strchr(".\\\";()@$", c))
					*p++ = '\\';
				*p++ = (char)c;
			} else {
				*p++ = '\\';
				*p++ = (char)('0' + c / 100);
				*p++ = (char)('0' + c / 10 % 10);
				*p++ = (char)('0' + c % 10);
			}
		}
	}
	*p = 0;
	return out;
}

#endif
