/* tlp.h: the Traffic Light Protocol's levels, and how lists carry them.
 * Shape    in an entry the mark stands before the reference: "TLP:AMBER https://..."
 * Memory   texts are constants
 * Threads  any; pure functions
 * Source   FIRST TLP 2.0; STIX 2.1 7.2.1.4 (TLP 1.0); the OASIS extension for TLP 2.0 */
#ifndef SINKHOLED_TLP_H
#define SINKHOLED_TLP_H

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* The further down, the fewer may know. */
enum tlp { TLP_NONE, TLP_CLEAR, TLP_GREEN, TLP_AMBER, TLP_AMBER_STRICT, TLP_RED, TLP_N };

/* name: as TLP 2.0 has it; stix, stix_1: what follows "marking-definition--". */
struct tlp_level {
	const char *name, *stix, *stix_1;
};

static inline const struct tlp_level *tlp_level(enum tlp t)
{
	static const struct tlp_level levels[TLP_N] = {
		[TLP_NONE] = {"", "", ""},
		[TLP_CLEAR] = {"clear", "94868c89-83c2-464b-929b-a1a8aa3c8487",
			       "613f2e26-407d-48c7-9eca-b8e91df99dc9"},
		[TLP_GREEN] = {"green", "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
			       "34098fce-860f-48ae-8e50-ebd3cc5e41da"},
		[TLP_AMBER] = {"amber", "55d920b0-5e8b-4f79-9ee9-91f868d9b421",
			       "f88d31f6-486f-44da-b317-01333bde0b82"},
		[TLP_AMBER_STRICT] = {"amber+strict",
				      "939a9414-2ddd-4d32-a0cd-375ea402b003", ""},
		[TLP_RED] = {"red", "e828b379-4e03-4974-9ac4-e53a884c97c1",
			     "5e57c739-391a-4eb3-b6be-7d15ca92d5ed"},
	};
	return &levels[t];
}

enum { TLP_MARK_MAX = 24 };

/* "TLP:AMBER"; "" for none. */
static inline char *tlp_mark(char out[TLP_MARK_MAX], enum tlp t)
{
	size_t n = 0;
	for (const char *p = t == TLP_NONE ? "" : "TLP:"; *p; p++)
		out[n++] = *p;
	for (const char *p = tlp_level(t)->name; *p; p++)
		out[n++] = (char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
	out[n] = 0;
	return out;
}

/* "tlp:amber" of any case, and TLP 1.0's "white", at the beginning of text; *len is how
 * much of it that is. TLP_NONE when there is none. */
static inline enum tlp tlp_from_text(const char *text, size_t *len)
{
	size_t n = strcspn(text, " ");
	*len = 0;
	if (n < 4 || strncasecmp(text, "tlp:", 4) != 0)
		return TLP_NONE;
	enum tlp found =
		n == 9 && strncasecmp(text + 4, "white", 5) == 0 ? TLP_CLEAR : TLP_NONE;
	for (int t = TLP_CLEAR; t < TLP_N; t++) {
		const char *name = tlp_level((enum tlp)t)->name;
		if (n == 4 + strlen(name) && strncasecmp(text + 4, name, n - 4) == 0)
			found = (enum tlp)t;
	}
	*len = found == TLP_NONE ? 0 : n;
	return found;
}

/* The level of a marking definition's id, of either version. */
static inline enum tlp tlp_from_stix(const char *id, size_t len)
{
	static const char head[] = "marking-definition--";
	size_t head_len = sizeof head - 1;
	if (len <= head_len || memcmp(id, head, head_len) != 0)
		return TLP_NONE;
	id += head_len;
	len -= head_len;
	for (int t = TLP_CLEAR; t < TLP_N; t++) {
		const struct tlp_level *l = tlp_level((enum tlp)t);
		if ((len == strlen(l->stix) && !memcmp(id, l->stix, len)) ||
		    (len == strlen(l->stix_1) && !memcmp(id, l->stix_1, len)))
			return (enum tlp)t;
	}
	return TLP_NONE;
}

#endif
