/* dnstap's policy field, for each trigger and action; what a made log has not. */
#include "tests/unit/hit_sample.h"
#include "tests/unit/unit.h"
#include "tools/dnstap.pb-c.h"
#include "tools/hits_format.h"

/* The first data frame: behind START, which is an escape, a length and that. */
static Dnstap__Dnstap *first_frame(const uint8_t *data, size_t len)
{
	ck_assert_uint_gt(len, 12);
	size_t at = 8 + (size_t)(data[6] << 8 | data[7]);
	size_t n = (size_t)(data[at + 2] << 8 | data[at + 3]);
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_le(at + 4 + n, len);
	return dnstap__dnstap__unpack(NULL, n, data + at + 4);
}

static Dnstap__Dnstap *exported(const struct hit *h)
{
	struct hits_privacy privacy = {.purpose = "test", .case_number = "1"};
	struct hits_out o = {.format = hits_format_find("dnstap"), .privacy = &privacy};
	struct hit_row row = {.hit = *h, .node = "n"};
	struct hits_texts t;
	char *data;
	size_t len;
	o.to = open_memstream(&data, &len);
	row.hit.boot = 1, row.hit.worker = 2, row.hit.sequence = 3, row.hit.count = 4;
	hits_texts(&t, &row);
	ck_assert_int_eq(o.format->begin(&o), ERR_OK);
	ck_assert_int_eq(o.format->row(&o, &row, &t), ERR_OK);
	ck_assert_int_eq(o.format->end(&o), ERR_OK);
	fclose(o.to);
	Dnstap__Dnstap *tap = first_frame((const uint8_t *)data, len);
	ck_assert_ptr_nonnull(tap);
	free(data);
	return tap;
}

static void has_name(ProtobufCBinaryData have, const char *want)
{
	uint8_t name[DNS_NAME_MAX];
	ck_assert_int_eq(name_from_str(name, want), ERR_OK);
	ck_assert_mem_eq(have.data, name, name_len(name));
	ck_assert_uint_eq(have.len, name_len(name));
}

START_TEST(test_triggers)
{
	static const struct {
		enum rule_trigger trigger;
		const char *prefix, *rule, *value; /* value NULL: none */
		Dnstap__Policy__Match match;
	} rows[] = {
		{RULE_ON_QNAME, NULL, "bad.example", "h5.bad.example",
		 DNSTAP__POLICY__MATCH__QNAME},
		{RULE_ON_NS_NAME, NULL, "bad.example.rpz-nsdname", "bad.example",
		 DNSTAP__POLICY__MATCH__NS_NAME},
		{RULE_ON_ANSWER, "203.0.113.0/24", "24.0.113.0.203.rpz-ip", NULL,
		 DNSTAP__POLICY__MATCH__RESPONSE_IP},
		{RULE_ON_NS_ADDR, "2001:db8::/48", "48.zz.db8.2001.rpz-nsip", NULL,
		 DNSTAP__POLICY__MATCH__NS_IP},
		{RULE_ON_CLIENT, "192.0.0.0/16", "16.0.0.0.192.rpz-client-ip", NULL,
		 DNSTAP__POLICY__MATCH__CLIENT_IP},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct hit h;
		hit_sample(&h, 5);
		h.trigger = (uint8_t)rows[i].trigger;
		if (rows[i].prefix)
			ck_assert_int_eq(prefix_from_text(&h.prefix, rows[i].prefix,
							  strlen(rows[i].prefix)),
					 ERR_OK);
		Dnstap__Dnstap *tap = exported(&h);
		const Dnstap__Policy *p = tap->message->policy;
		ck_assert_str_eq(p->type, "RPZ");
		ck_assert(p->has_rule && p->has_match);
		ck_assert_int_eq(p->match, rows[i].match);
		has_name(p->rule, rows[i].rule);
		if (rows[i].value)
			has_name(p->value, rows[i].value);
		else if (rows[i].trigger == RULE_ON_CLIENT)
			ck_assert_mem_eq(p->value.data, h.client.bytes, 4);
		else
			ck_assert(!p->has_value);
		dnstap__dnstap__free_unpacked(tap, NULL);
	}
}
END_TEST

START_TEST(test_an_alias_target)
{
	struct hit h;
	hit_sample(&h, 5);
	ck_assert_int_eq(name_from_str(h.qname, "www.example.com"), ERR_OK);
	Dnstap__Dnstap *tap = exported(&h);
	has_name(tap->message->policy->value, "bad.example");
	dnstap__dnstap__free_unpacked(tap, NULL);
}
END_TEST

START_TEST(test_actions)
{
	static const struct {
		enum rule_action action;
		int want; /* 0: none */
	} rows[] = {
		{RULE_ADDRESS, DNSTAP__POLICY__ACTION__LOCAL_DATA},
		{RULE_NXDOMAIN, DNSTAP__POLICY__ACTION__NXDOMAIN},
		{RULE_NODATA, DNSTAP__POLICY__ACTION__NODATA},
		{RULE_REFUSE, 0},
		{RULE_DROP, DNSTAP__POLICY__ACTION__DROP},
		{RULE_TCP_ONLY, DNSTAP__POLICY__ACTION__TRUNCATE},
		{RULE_LOCAL_DATA, DNSTAP__POLICY__ACTION__LOCAL_DATA},
		{RULE_CNAME, DNSTAP__POLICY__ACTION__LOCAL_DATA},
		{RULE_MONITOR, DNSTAP__POLICY__ACTION__PASS},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct hit h;
		hit_sample(&h, 5);
		h.action = (uint8_t)rows[i].action;
		Dnstap__Dnstap *tap = exported(&h);
		const Dnstap__Policy *p = tap->message->policy;
		ck_assert_int_eq(p->has_action, rows[i].want != 0);
		if (rows[i].want)
			ck_assert_int_eq((int)p->action, rows[i].want);
		dnstap__dnstap__free_unpacked(tap, NULL);
	}
}
END_TEST

START_TEST(test_transports_and_families)
{
	static const Dnstap__SocketProtocol want[] = {
		DNSTAP__SOCKET_PROTOCOL__UDP, DNSTAP__SOCKET_PROTOCOL__TCP,
		DNSTAP__SOCKET_PROTOCOL__DOT, DNSTAP__SOCKET_PROTOCOL__DOH};
	for (uint8_t i = HIT_UDP; i <= HIT_HTTPS; i++) {
		struct hit h;
		hit_sample(&h, 5);
		h.transport = i;
		if (i == HIT_TLS) /* no way to write both ends */
			h.listener = addr_v6((const uint8_t[16]){0x20, 1}, 53);
		Dnstap__Dnstap *tap = exported(&h);
		const Dnstap__Message *m = tap->message;
		ck_assert_int_eq(m->socket_protocol, want[i]);
		ck_assert_int_eq(m->socket_family, DNSTAP__SOCKET_FAMILY__INET);
		ck_assert_uint_eq(m->query_address.len, 4);
		ck_assert_int_eq(m->has_response_address, i != HIT_TLS);
		dnstap__dnstap__free_unpacked(tap, NULL);
	}
}
END_TEST

UNIT_SUITE("hits_dnstap", test_triggers, test_an_alias_target, test_actions,
	   test_transports_and_families)
