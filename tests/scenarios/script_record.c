#include "tests/scenarios/script.h"

#include <ctype.h>
#include <ldns/ldns.h> /* after stdbool.h, or it makes its own bool */

/* A line cut as far as ldns needs help: it wants TTL before class, and a type. */
struct cut {
	char owner[DNS_NAME_TEXT_MAX + 1], class[32], type[32];
	uint32_t ttl;
	const char *rest;
};

void records_add(struct records *to, struct record *r)
{
	r->next = NULL;
	if (to->last)
		to->last->next = r;
	else
		to->first = r;
	to->last = r;
	to->n++;
}

static const char *take_word(char *out, size_t room, const char *p)
{
	size_t n = strcspn(p, " \t\r");
	snprintf(out, room, "%.*s", (int)(n < room ? n : room - 1), p);
	p += n;
	return p + strspn(p, " \t\r");
}

/* "300" or "5m". */
static bool is_ttl(const char *w, uint32_t *ttl)
{
	static const char unit[] = "smhdw";
	static const uint32_t seconds[] = {1, 60, 3600, 86400, 604800};
	char *end;
	if (!isdigit((unsigned char)*w))
		return false;
	unsigned long n = strtoul(w, &end, 10);
	const char *u = *end ? strchr(unit, tolower((unsigned char)*end)) : unit;
	if (!u || (*end && end[1]))
		return false;
	*ttl = (uint32_t)n * seconds[u - unit];
	return true;
}

static bool is_class(const char *w)
{
	static const char *const classes[] = {"IN", "CH", "HS", "ANY", "NONE"};
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (is_word(w, classes[i]))
			return true;
	return false;
}

/* A class at the end of a question is the type ANY. */
static bool cut_line(struct script *s, struct cut *c)
{
	char w[32];
	*c = (struct cut){.ttl = s->ttl, .class = "IN"};
	const char *p = take_word(c->owner, sizeof c->owner, s->line_text);
	for (int i = 0; i < 2; i++) {
		const char *next = take_word(w, sizeof w, p);
		if (is_class(w) && *next)
			memcpy(c->class, w, sizeof w);
		else if (!is_ttl(w, &c->ttl))
			break;
		p = next;
	}
	c->rest = take_word(c->type, sizeof c->type, p);
	return c->type[0] != 0;
}

bool script_hex(uint8_t *out, size_t room, size_t *n, const char *word)
{
	for (; *word; word += 2) {
		unsigned byte;
		if (!isxdigit((unsigned char)word[0]) ||
		    !isxdigit((unsigned char)word[1]) || *n == room ||
		    sscanf(word, "%2x", &byte) != 1)
			return false;
		out[(*n)++] = (uint8_t)byte;
	}
	return true;
}

void script_read_question(struct script *s, struct entry *e)
{
	struct cut c;
	if (!cut_line(s, &c)) {
		script_fail(s, s->line, "not a question: %s", s->line_text);
		return;
	}
	if (!is_word(c.class, "IN"))
		script_skip(s, "asks in another class: not this layer's");
	script_name(s, e->qname, c.owner);
	e->qtype = (uint16_t)ldns_get_rr_type_by_name(c.type);
	e->has_question = true;
	if (!e->qtype)
		script_fail(s, s->line, "not a type: %s", c.type);
}

const char *script_record_text(struct script *s, const uint8_t *wire, size_t len)
{
	ldns_rr *rr = NULL;
	size_t pos = 0;
	if (ldns_wire2rr(&rr, wire, len, &pos, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK)
		return "a record that cannot be read";
	ldns_rr2canonical(rr); /* lower case */
	char *text = ldns_rr2str(rr);
	ldns_rr_free(rr);
	char *out = script_copy(s, text ? text : "?");
	free(text);
	out[strcspn(out, "\n")] = 0;
	/* the TTL is the second word */
	char *ttl = strchr(out, '\t'), *after = ttl ? strchr(ttl + 1, '\t') : NULL;
	if (after)
		memmove(ttl, after, strlen(after) + 1);
	return out;
}

/* Without data, or with data of the form \# LENGTH HEX: servers send such things,
 * and an honest reader survives them. */
static bool fill_opaque(struct script *s, struct record *r, const struct cut *c)
{
	uint8_t wire[DNS_NAME_MAX + 1024], name[DNS_NAME_MAX], data[1024];
	struct wire_writer w = wire_writer(wire, sizeof wire);
	char word[256];
	size_t n = 0;
	const char *p = c->rest;
	for (int i = 0; *p; i++) {
		p = take_word(word, sizeof word, p);
		if (i > 1 && !script_hex(data, sizeof data, &n, word))
			return false;
	}
	script_name(s, name, c->owner);
	wire_put_name(&w, name);
	wire_put16(&w, (unsigned)ldns_get_rr_type_by_name(c->type));
	wire_put16(&w, (unsigned)ldns_get_rr_class_by_name(c->class));
	wire_put32(&w, c->ttl);
	wire_put16(&w, (unsigned)n);
	wire_put(&w, data, n);
	r->wire_len = wire_written(&w);
	r->wire = script_copy_bytes(s, wire, r->wire_len);
	return !w.err;
}

static bool fill(struct script *s, struct record *r, const struct cut *c)
{
	ldns_rdf *origin = s->origin ? ldns_dname_new_frm_str(s->origin) : NULL;
	ldns_rr *rr = NULL;
	uint8_t *wire = NULL;
	char *text = NULL;
	bool ok =
		asprintf(&text, "%s %u %s %s %s", c->owner, c->ttl, c->class, c->type,
			 c->rest) > 0 &&
		ldns_rr_new_frm_str(&rr, text, c->ttl, origin, NULL) == LDNS_STATUS_OK &&
		ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &r->wire_len) ==
			LDNS_STATUS_OK;
	if (ok)
		r->wire = script_copy_bytes(s, wire, r->wire_len);
	free(text);
	free(wire);
	ldns_rr_free(rr);
	ldns_rdf_deep_free(origin);
	return ok;
}

struct record *script_read_record(struct script *s)
{
	struct record *r = script_zero(s, sizeof *r);
	struct cut c;
	bool ok = cut_line(s, &c);
	if (ok && (!*c.rest || strncmp(c.rest, "\\#", 2) == 0))
		ok = fill_opaque(s, r, &c);
	else
		ok = ok && fill(s, r, &c);
	if (!ok && s->dialect != DIALECT_OWN)
		script_skip(s, "has a record that cannot be read");
	if (!ok || s->error[0]) {
		if (s->skip[0])
			return NULL;
		script_fail(s, s->line, "not a record: %s", s->line_text);
		return NULL;
	}
	size_t n = name_len(r->wire);
	uint8_t *owner = script_copy_bytes(s, r->wire, n);
	name_lower(owner, n);
	r->owner = owner;
	r->type = wire_get16(r->wire + n);
	r->ttl = c.ttl;
	r->text = script_record_text(s, r->wire, r->wire_len);
	return r;
}
