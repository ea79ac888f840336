#include <ldns/ldns.h>

#include "include/hex.h"
#include "include/wire.h"
#include "tools/blocklist_tool.h"

/* Local data as text: for a person as zone files have it, where that is read as the same
 * again; for import in RFC 3597's form, which no version reads otherwise. */

/* "DATA" of a record, by ldns; false when it does not know the form. */
static bool zone_text(char *out, size_t size, const struct blocklist_rr *rr)
{
	uint8_t wire[11 + BLOCKLIST_DATA_MAX]; /* the root as owner */
	struct wire_writer w = wire_writer(wire, sizeof wire);
	ldns_rr *parsed = NULL;
	size_t at = 0, n = 0;
	wire_put8(&w, 0);
	wire_put16(&w, rr->type);
	wire_put16(&w, DNS_IN);
	wire_put32(&w, rr->ttl);
	wire_put16(&w, rr->len);
	wire_put(&w, rr->rdata, rr->len);
	if (w.err || ldns_wire2rr(&parsed, wire, wire_written(&w), &at,
				  LDNS_SECTION_ANSWER) != LDNS_STATUS_OK)
		return false;
	for (size_t i = 0; i < ldns_rr_rd_count(parsed) && n < size; i++) {
		char *field = ldns_rdf2str(ldns_rr_rdf(parsed, i));
		n += (size_t)snprintf(out + n, size - n, "%s%s", i ? " " : "",
				      field ? field : "?");
		free(field);
	}
	ldns_rr_free(parsed);
	return n < size;
}

static size_t generic_text(char *out, size_t size, const struct blocklist_rr *rr)
{
	size_t n = (size_t)snprintf(out, size, "\\# %u%s", rr->len, rr->len ? " " : "");
	if (n + 2 * rr->len < size)
		hex_put(out + n, rr->rdata, rr->len);
	return n + 2 * rr->len;
}

char *tool_rr_text(char out[TOOL_DATA_TEXT_MAX], const struct blocklist_rr *rr)
{
	char *type = ldns_rr_type2str((ldns_rr_type)rr->type);
	size_t n = (size_t)snprintf(out, TOOL_DATA_TEXT_MAX, "%s %u ", type ? type : "?",
				    rr->ttl);
	free(type);
	if (!zone_text(out + n, TOOL_DATA_TEXT_MAX - n, rr) || !feed_reads_as(out, rr))
		generic_text(out + n, TOOL_DATA_TEXT_MAX - n, rr);
	return out;
}

char *tool_data_text(char out[TOOL_DATA_TEXT_MAX], const struct blocklist_data *d,
		     bool generic)
{
	char one[TOOL_DATA_TEXT_MAX];
	struct blocklist_rr rr;
	size_t n = 0;
	out[0] = 0;
	for (size_t at = 0; blocklist_data_next(d, &at, &rr) && n < TOOL_DATA_TEXT_MAX;) {
		const char *gap = n ? "; " : "";
		if (generic)
			generic_text(one, sizeof one, &rr);
		else
			tool_rr_text(one, &rr);
		if (generic)
			n += (size_t)snprintf(out + n, TOOL_DATA_TEXT_MAX - n,
					      "%sTYPE%u %u %s", gap, rr.type, rr.ttl,
					      one);
		else
			n += (size_t)snprintf(out + n, TOOL_DATA_TEXT_MAX - n, "%s%s",
					      gap, one);
	}
	return out;
}
