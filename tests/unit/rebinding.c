#include "resolver/rebinding.h"

#include "tests/unit/unit.h"

static struct conf *conf_of(const char *text)
{
	struct conf *c;
	struct conf_error err;
	ck_assert_msg(conf_parse(&c, text, strlen(text), "test", &err) == ERR_OK, "%s",
		      err.text);
	return c;
}

/* One record of that type as the answer to www.example.com. */
static bool forbids(const struct conf *c, unsigned type, const char *rdata, size_t len)
{
	uint8_t data[128], qname[DNS_NAME_MAX];
	struct rrset s = {.type = (uint16_t)type, .data = data, .rr_n = 1};
	struct reply reply = {.answer = {&s}, .answer_n = 1};
	wire_set16(data, (unsigned)len);
	memcpy(data + 2, rdata, len);
	s.data_len = (uint32_t)(2 + len);
	ck_assert_int_eq(name_from_str(qname, "www.example.com"), 0);
	return rebinding_forbids(c, qname, &reply);
}

#define FORBIDS(c, type, rdata) forbids(c, type, rdata, sizeof rdata - 1)
#define ROUTER "\300\250\1\1"
#define PUBLIC "\313\0\161\1"

START_TEST(only_when_on_and_not_exempt)
{
	static const char *const off[] = {
		"{}", "rebinding: {enabled: true, exempt: [example.com]}",
		"rebinding: {enabled: true, prefixes: [10.0.0.0/8]}"};
	for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
		struct conf *c = conf_of(off[i]);
		ck_assert(!FORBIDS(c, DNS_A, ROUTER));
		conf_free(c);
	}
	struct conf *c = conf_of("rebinding: {enabled: true, exempt: [other.example]}");
	ck_assert(FORBIDS(c, DNS_A, ROUTER));
	ck_assert(!FORBIDS(c, DNS_A, PUBLIC));
	ck_assert(!FORBIDS(c, DNS_TXT, "\4" ROUTER));
	conf_free(c);
}
END_TEST

/* A prefix of IPv6 covers what is dressed as IPv6 too. */
START_TEST(dressed_addresses)
{
	static const char nat64[] = "\0\144\377\233\0\0\0\0\0\0\0\0" PUBLIC;
	struct conf *c = conf_of("rebinding: {enabled: true}");
	ck_assert(!FORBIDS(c, DNS_AAAA, nat64));
	conf_free(c);
	c = conf_of("rebinding: {enabled: true, prefixes: [\"64:ff9b::/96\"]}");
	ck_assert(FORBIDS(c, DNS_AAAA, nat64));
	conf_free(c);
}
END_TEST

/* What is cut or of no whole length is walked as far as it goes. */
START_TEST(hints)
{
	struct conf *c = conf_of("rebinding: {enabled: true}");
	ck_assert(FORBIDS(c, DNS_HTTPS, "\0\1\0\0\4\0\4" ROUTER));
	ck_assert(FORBIDS(c, DNS_SVCB, "\0\1\0\0\1\0\3\2h2\0\4\0\10" PUBLIC ROUTER));
	ck_assert(!FORBIDS(c, DNS_HTTPS, "\0\1\0\0\4\0\4" PUBLIC));
	ck_assert(!FORBIDS(c, DNS_HTTPS, "\0\1\0\0\5\0\4" ROUTER)); /* ech */
	ck_assert(!FORBIDS(c, DNS_HTTPS, "\0\1\0\0\4\0\5" ROUTER));
	ck_assert(!FORBIDS(c, DNS_HTTPS, "\0\1\0\0\4\0\3\300\250\1"));
	ck_assert(!FORBIDS(c, DNS_HTTPS, "\0\1\3ww"));
	conf_free(c);
}
END_TEST

UNIT_SUITE("rebinding", only_when_on_and_not_exempt, dressed_addresses, hints)
