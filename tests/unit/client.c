/* Who may ask. The policy class of a client is in tests/unit/serve.c. */
#include "resolver/client.h"
#include "tests/unit/unit.h"

START_TEST(allow_list)
{
	static const char text[] = "allow: [127.0.0.0/8, 192.0.2.0/24, \"64:ff9b::/96\", "
				   "\"2001:db8::/32\"]\n";
	static const struct {
		const char *client;
		bool allowed;
	} t[] = {
		{"127.0.0.1", true},	      {"192.0.2.9", true},
		{"192.0.3.9", false},	      {"2001:db8::1", true},
		{"::ffff:192.0.2.9", true},   {"::ffff:192.0.3.9", false},
		{"2002:7f00:1::1", false},   /* 6to4 of 127.0.0.1: anybody can be that */
		{"2002:c000:209::1", false}, /* of 192.0.2.9 */
		{"64:ff9b::192.0.3.9", true},
	};
	struct conf *conf;
	struct conf_error error;
	ck_assert_msg(!conf_parse(&conf, text, sizeof text - 1, "t.yaml", &error), "%s",
		      error.text);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct addr a;
		ck_assert_int_eq(addr_from_text(&a, t[i].client, strlen(t[i].client)), 0);
		ck_assert_msg(client_allowed(conf, &a) == t[i].allowed, "%s",
			      t[i].client);
	}
	conf_free(conf);
}
END_TEST

UNIT_SUITE("client", allow_list)
