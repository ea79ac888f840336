#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "resolver/conf_keys.h"
#include "tests/unit/unit.h"

static struct conf *good(const char *text)
{
	struct conf_error err;
	struct conf *c;
	int rc = conf_parse(&c, text, strlen(text), "t.yaml", &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	return c;
}

/* ---- values ---- */

START_TEST(defaults)
{
	struct conf_error err;
	struct conf *c;
	char text[ADDR_TEXT_MAX], host[CONF_NODE_MAX] = "";
	ck_assert_int_eq(conf_load(&c, NULL, &err), 0);
	ck_assert_int_eq(c->listen_n, 2);
	ck_assert_str_eq(addr_port_to_text(text, &c->listen[0]), "127.0.0.1@5300");
	ck_assert_str_eq(addr_port_to_text(text, &c->listen[1]), "::1@5300");
	ck_assert_int_ge(c->workers, 1);
	ck_assert_int_eq(c->allow.n, 2);
	ck_assert_str_eq(c->state, "/var/lib/sinkholed");
	ck_assert_str_eq(c->runtime, c->state);
	ck_assert_str_eq(c->user, "sinkholed");
	gethostname(host, sizeof host - 1);
	ck_assert_str_eq(c->node, host);
	ck_assert_int_eq(c->sinkhole.action, RULE_ADDRESS);
	ck_assert_str_eq(addr_to_text(text, &c->sinkhole.ipv4), "192.0.2.1");
	ck_assert_str_eq(addr_to_text(text, &c->sinkhole.ipv6), "2001:db8::1");
	ck_assert_uint_eq(c->sinkhole.ttl_s, 30);
	ck_assert_str_eq(c->recursion.root_hints, "");
	ck_assert(c->recursion.validate);
	ck_assert_uint_eq(c->recursion.port, 53);
	ck_assert(c->recursion.ipv4 && c->recursion.ipv6);
	ck_assert_uint_eq(c->recursion.source4.family, 0);
	ck_assert_int_eq(c->recursion.qname_minimisation, CONF_QMIN_RELAXED);
	ck_assert(c->recursion.case_randomisation && c->recursion.local_zones);
	ck_assert_int_eq(c->recursion.permit_private.n, 0);
	ck_assert_int_eq(c->recursion.stub_n + c->recursion.forward_n, 0);
	ck_assert(c->answers.minimal);
	ck_assert_uint_eq(c->answers.max_wait_ms, 1900);
	ck_assert(!c->rebinding.enabled);
	ck_assert_int_eq(c->rebinding.prefixes.n, 10);
	ck_assert_int_eq(c->rebinding.exempt_n, 0);
	ck_assert(!c->serve_stale.enabled);
	ck_assert_uint_eq(c->serve_stale.client_timeout_ms, 1800);
	ck_assert_uint_eq(c->serve_stale.ttl_s, 30);
	ck_assert_uint_eq(c->serve_stale.max_age_s, 86400);
	ck_assert_uint_ge(c->cache.size_bytes, 256U << 20); /* more on many processors */
	ck_assert_uint_eq(c->cache.min_ttl_s, 0);
	ck_assert_uint_eq(c->cache.max_ttl_s, 86400);
	ck_assert_uint_eq(c->hits.retention_s, 90 * 86400);
	ck_assert_uint_eq(c->hits.max_size_bytes, UINT64_C(20) << 30);
	conf_free(c);
}
END_TEST

static const char whole[] =
	"listen: [192.0.2.7, {address: \"2001:db8::7@5353\", proxy: no}]\n"
	"workers: 3\n"
	"allow: [10.0.0.0/8, 10.1.0.0/16, \"2001:db8::/32\", 192.0.2.9]\n"
	"state: build/run # relative is fine\n"
	"runtime: /run/x\n"
	"user: \"\"\n"
	"node: tokyo-1\n"
	"nsid: ns7\n"
	"sinkhole: {action: nxdomain, ipv4: 198.51.100.1, ipv6: \"::2\", ttl: 1m}\n"
	"recursion:\n"
	"  root_hints: lab/root.hints\n"
	"  trust_anchor: lab/anchors\n"
	"  negative_trust_anchors: [corp.example, a.TEST.]\n"
	"  port: 5301\n"
	"  ipv4: off\n"
	"  ipv6: True\n"
	"  source: [192.0.2.8, \"2001:db8::8\"]\n"
	"  qname_minimisation: strict\n"
	"  case_randomisation: false\n"
	"  permit_private: [127.0.0.0/8]\n"
	"  local_zones: false\n"
	"  stub:\n"
	"  - zone: corp.example\n"
	"    servers: [192.0.2.53, \"::1@5353\"]\n"
	"  - {servers: [192.0.2.54], zone: b.example}\n"
	"  - {servers: [192.0.2.55], zone: c.example}\n"
	"  forward: [{zone: ., first: yes, servers: [192.0.2.1@53]}]\n"
	"answers: {minimal: false, max_wait: 0}\n"
	"serve_stale: {enabled: true, client_timeout: 2s, ttl: 5, max_age: 1d}\n"
	"cache: {size: 20M, min_ttl: 5, max_ttl: 2h, prefetch: on}\n"
	"hits: {retention: 8w, max_size: 1073741824}\n"
	"lists:\n"
	"- name: isac\n"
	"  url: https://lists.example.net/isac.csv\n"
	"  interval: 15m\n"
	"  max_size: 2M\n"
	"  format: csv\n"
	"  columns: name=domain\n"
	"  precedence: 10\n"
	"  mode: monitor\n"
	"  action: cname=garden.example.net\n"
	"  lease: 2d\n"
	"- {name: rpz.9, primary: [192.0.2.53, \"::1@5353\"], zone: rpz.example}\n"
	"- {name: b, url: \"file:///b\", stale_after: 1d, keep_copy: no}\n";

static void check_lists(const struct conf *c)
{
	char text[ADDR_TEXT_MAX], name[DNS_NAME_TEXT_MAX];
	ck_assert_int_eq(c->lists_n, 3);
	const struct conf_list *l = conf_list_named(c, "isac");
	ck_assert_str_eq(l->url, "https://lists.example.net/isac.csv");
	ck_assert_uint_eq(l->interval_s, 900);
	ck_assert_uint_eq(l->stale_after_s, 2700);
	ck_assert_uint_eq(l->max_size_bytes, 2 << 20);
	ck_assert_int_eq(l->format, FEED_CSV);
	ck_assert_str_eq(l->columns, "name=domain");
	ck_assert_int_eq(l->precedence, 10);
	ck_assert_int_eq(l->mode, BLOCKLIST_MONITOR);
	ck_assert_int_eq(l->action.action, RULE_CNAME);
	ck_assert_str_eq(name_to_text(name, l->action.garden), "garden.example.net");
	ck_assert_int_eq(l->lease_s, 2 * 86400);
	ck_assert_int_eq(l->ede, -1);
	ck_assert(l->keep_copy);
	l = conf_list_named(c, "rpz.9");
	ck_assert_int_eq(l->primary_n, 2);
	ck_assert_str_eq(addr_port_to_text(text, &l->primary[0]), "192.0.2.53@53");
	ck_assert_str_eq(addr_port_to_text(text, &l->primary[1]), "::1@5353");
	ck_assert_str_eq(name_to_text(name, l->zone), "rpz.example");
	ck_assert_uint_eq(l->stale_after_s, 0);
	l = conf_list_named(c, "b");
	ck_assert_uint_eq(l->stale_after_s, 86400);
	ck_assert_int_eq(l->precedence, -1);
	ck_assert_int_eq(l->mode, -1);
	ck_assert_int_eq(l->action.action, -1);
	ck_assert_int_eq(l->lease_s, -1);
	ck_assert_int_eq(l->format, FEED_AUTO);
	ck_assert(!l->keep_copy);
	ck_assert_ptr_null(conf_list_named(c, "c"));
}

static void check_whole(const struct conf *c)
{
	char text[ADDR_TEXT_MAX], name[DNS_NAME_TEXT_MAX];
	ck_assert_int_eq(c->listen_n, 2);
	ck_assert_str_eq(addr_port_to_text(text, &c->listen[0]), "192.0.2.7@53");
	ck_assert_str_eq(addr_port_to_text(text, &c->listen[1]), "2001:db8::7@5353");
	ck_assert(!c->listen_proxy[1]);
	ck_assert_int_eq(c->workers, 3);
	ck_assert_int_eq(c->allow.n, 3); /* 10.1/16 lies in 10/8 */
	ck_assert_str_eq(c->state, "build/run");
	ck_assert_str_eq(c->runtime, "/run/x");
	ck_assert_str_eq(c->user, "");
	ck_assert_str_eq(c->node, "tokyo-1");
	ck_assert_str_eq(c->nsid, "ns7");
	ck_assert(c->cache.prefetch);
	ck_assert_int_eq(c->sinkhole.action, RULE_NXDOMAIN);
	ck_assert_uint_eq(c->sinkhole.ttl_s, 60);
	ck_assert_str_eq(c->recursion.root_hints, "lab/root.hints");
	ck_assert(c->recursion.validate);
	ck_assert_str_eq(c->recursion.trust_anchor, "lab/anchors");
	ck_assert_int_eq(c->recursion.negative_trust_anchors_n, 2);
	ck_assert_str_eq(name_to_text(name, c->recursion.negative_trust_anchors[1]),
			 "a.test");
	ck_assert_uint_eq(c->recursion.port, 5301);
	ck_assert(!c->recursion.ipv4 && c->recursion.ipv6);
	ck_assert_str_eq(addr_to_text(text, &c->recursion.source4), "192.0.2.8");
	ck_assert_str_eq(addr_to_text(text, &c->recursion.source6), "2001:db8::8");
	ck_assert_int_eq(c->recursion.qname_minimisation, CONF_QMIN_STRICT);
	ck_assert_int_eq(c->recursion.stub_n, 3);
	ck_assert_int_eq(c->recursion.stub[0].servers_n, 2);
	ck_assert_str_eq(addr_port_to_text(text, &c->recursion.stub[0].servers[1]),
			 "::1@5353");
	ck_assert_str_eq(name_to_text(name, c->recursion.stub[2].zone), "c.example");
	ck_assert_int_eq(c->recursion.stub[2].servers_n, 1);
	ck_assert(!c->recursion.stub[2].first);
	ck_assert_int_eq(c->recursion.forward_n, 1);
	ck_assert_int_eq(c->recursion.forward[0].servers_n, 1);
	ck_assert(c->recursion.forward[0].first);
	ck_assert_str_eq(name_to_text(name, c->recursion.forward[0].zone), ".");
	ck_assert_uint_eq(c->answers.max_wait_ms, 0);
	ck_assert(c->serve_stale.enabled);
	ck_assert_uint_eq(c->serve_stale.client_timeout_ms, 2000);
	ck_assert_uint_eq(c->serve_stale.max_age_s, 86400);
	ck_assert_uint_eq(c->cache.size_bytes, 20U << 20);
	ck_assert_uint_eq(c->cache.min_ttl_s, 5);
	ck_assert_uint_eq(c->cache.max_ttl_s, 7200);
	ck_assert_uint_eq(c->hits.retention_s, 56 * 86400);
	ck_assert_uint_eq(c->hits.max_size_bytes, 1U << 30);
	check_lists(c);
}

START_TEST(every_key)
{
	struct conf *c = good(whole);
	check_whole(c);
	conf_free(c);
}
END_TEST

/* YAML contains JSON; minified, and with the escapes JSON writers use. */
START_TEST(json)
{
	struct conf *c = good(
		"{\"workers\":3,\"allow\":[\"0.0.0.0/0\",\"::/0\"],"
		"\"state\":\"\\/tmp\\u002fx\",\"user\":\"\",\n"
		"\t\"recursion\":{\"trust_anchor\":\"\",\"port\":5301,\"ipv6\":false,"
		"\"stub\":[{\"zone\":\"a.test\",\"servers\":[\"::1\"]}]},"
		"\"answers\":{\"max_wait\":\"0ms\"},\"cache\":{\"size\":\"20M\"}}\n");
	ck_assert_int_eq(c->workers, 3);
	ck_assert_str_eq(c->state, "/tmp/x");
	ck_assert_str_eq(c->runtime, "/tmp/x");
	ck_assert(!c->recursion.validate);
	ck_assert(!c->recursion.ipv6);
	ck_assert_int_eq(c->recursion.stub_n, 1);
	ck_assert_uint_eq(c->cache.size_bytes, 20U << 20);
	conf_free(c);
}
END_TEST

START_TEST(nothing_given)
{
	static const char *const texts[] = {"",	     "\n",     "# only a comment\n",
					    "---\n", "null\n", "recursion:\ncache:\n"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct conf *c = good(texts[i]);
		ck_assert_int_eq(c->listen_n, 2);
		conf_free(c);
	}
}
END_TEST

START_TEST(validation_is_switched_off)
{
	struct conf *c = good("recursion: {trust_anchor: \"\"}");
	ck_assert(!c->recursion.validate);
	conf_free(c);
	c = good(whole);
	ck_assert(c->recursion.validate);
	conf_free(c);
}
END_TEST

/* ---- errors ---- */

static const struct {
	const char *text;
	int err;
	const char *says; /* how the message begins */
} bad[] = {
	{"wrokers: 2", ERR_FORMAT,
	 "t.yaml:1: wrokers: unknown key; did you mean workers?"},
	{"a: 1\nworkers: 2", ERR_FORMAT, "t.yaml:1: a: unknown key; sinkholed --help"},
	{"recursion:\n  prot: 53", ERR_FORMAT,
	 "t.yaml:2: recursion.prot: unknown key; did you mean recursion.port?"},
	{"recusion: {}", ERR_FORMAT,
	 "t.yaml:1: recusion: unknown key; did you mean recursion?"},
	{"max_wait: 1s", ERR_FORMAT,
	 "t.yaml:1: max_wait: unknown key; did you mean answers.max_wait?"},
	{"cache.size: 1G", ERR_FORMAT,
	 "t.yaml:1: cache.size: unknown key; a key has no dots"},
	{"workers: 2\n\nworkers: 2", ERR_FORMAT,
	 "t.yaml:3: workers: given twice, first in line 1"},
	{"cache: {size: 1G}\ncache: {min_ttl: 1}", ERR_FORMAT,
	 "t.yaml:2: cache: given twice, first in line 1"},
	{"workers: 0", ERR_INVAL,
	 "t.yaml:1: workers: '0' is out of range; give 1 to 256"},
	{"workers: 257", ERR_INVAL, "t.yaml:1: workers: '257' is out of range"},
	{"workers: 99999999999999999999", ERR_INVAL, "t.yaml:1: workers: '9999"},
	{"workers: -1", ERR_FORMAT,
	 "t.yaml:1: workers: '-1' is not right here; give a whole"},
	{"workers: 2s", ERR_FORMAT, "t.yaml:1: workers: '2s' is not right"},
	{"workers: two", ERR_FORMAT, "t.yaml:1: workers: 'two' is not right"},
	{"workers:", ERR_FORMAT, "t.yaml:1: workers: the value is missing"},
	{"workers: null", ERR_FORMAT, "t.yaml:1: workers: the value is missing"},
	{"workers: [2]", ERR_FORMAT,
	 "t.yaml:1: workers: here stands a list; give a whole"},
	{"workers: {a: 2}", ERR_FORMAT, "t.yaml:1: workers: here stands a mapping"},
	{"cache: 256M", ERR_FORMAT,
	 "t.yaml:1: cache: here stands a single value; give keys"},
	{"- workers: 2", ERR_FORMAT, "t.yaml:1: here stands a list; give keys"},
	{"workers", ERR_FORMAT, "t.yaml:1: here stands a single value; give keys"},
	{"[a]: 2", ERR_FORMAT, "t.yaml:1: here stands a list; give keys"},
	{"cache: {size: 1023K}", ERR_INVAL,
	 "t.yaml:1: cache.size: '1023K' is out of range; "
	 "give 12M to 1T"},
	{"workers: 3\ncache: {size: 19M}", ERR_INVAL,
	 "t.yaml:2: cache.size: too little for 3 workers, whose tables are counted; "
	 "give at least 20M, or set workers lower"},
	{"cache: {size: 256m}", ERR_FORMAT,
	 "t.yaml:1: cache.size: '256m' is not right here"},
	{"cache: {size: 99999999999T}", ERR_INVAL,
	 "t.yaml:1: cache.size: '99999999999T' is"},
	{"cache: {max_ttl: 1500ms}", ERR_INVAL,
	 "t.yaml:1: cache.max_ttl: '1500ms' is out"},
	{"cache: {max_ttl: 1.5h}", ERR_FORMAT, "t.yaml:1: cache.max_ttl: '1.5h' is not"},
	{"cache: {min_ttl: 1h, max_ttl: 10}", ERR_INVAL,
	 "t.yaml:1: cache.min_ttl: min_ttl is above max_ttl; lower min_ttl to at most "
	 "10s"},
	{"serve_stale: {enabled: true, client_timeout: 1900ms}", ERR_INVAL,
	 "t.yaml:1: serve_stale.client_timeout: stale answers would be too late for "
	 "answers.max_wait; set serve_stale.client_timeout below 1900ms"},
	{"answers: {minimal: maybe}", ERR_FORMAT,
	 "t.yaml:1: answers.minimal: 'maybe' is not "
	 "right here; give true or false"},
	{"sinkhole: {action: passthru}", ERR_FORMAT,
	 "t.yaml:1: sinkhole.action: 'passthru' is not right here; give one of address,"},
	{"sinkhole: {ipv4: \"::1\"}", ERR_FORMAT,
	 "t.yaml:1: sinkhole.ipv4: '::1' is not"},
	{"sinkhole: {ipv6: 192.0.2.1}", ERR_FORMAT,
	 "t.yaml:1: sinkhole.ipv6: '192.0.2.1'"},
	{"listen: []", ERR_INVAL, "t.yaml:1: listen: the list is empty"},
	{"listen: 127.0.0.1", ERR_FORMAT,
	 "t.yaml:1: listen: here stands a single value; give a "
	 "list"},
	{"listen: [127.0.0.1:53]", ERR_FORMAT,
	 "t.yaml:1: listen[0]: '127.0.0.1:53' is not"},
	{"listen: [127.0.0.1@0]", ERR_FORMAT,
	 "t.yaml:1: listen[0]: '127.0.0.1@0' is not"},
	{"listen: [127.0.0.1@65536]", ERR_FORMAT,
	 "t.yaml:1: listen[0]: '127.0.0.1@65536'"},
	{"listen:\n- 127.0.0.1@53\n- 127.0.0.1", ERR_INVAL,
	 "t.yaml:3: listen[1]: the address stands in the list twice"},
	{"listen: [{address: 127.0.0.1, proxy: true}]", ERR_INVAL,
	 "t.yaml:1: listen[0].proxy: PROXYv2 is not supported yet in this version"},
	{"listen: [{proxy: false}]", ERR_FORMAT,
	 "t.yaml:1: listen[0]: the address is missing"},
	{"listen: [{port: 53}]", ERR_FORMAT,
	 "t.yaml:1: listen[0].port: unknown key; known are"},
	{"listen: [{address: 127.0.0.1, address: 127.0.0.2}]", ERR_FORMAT,
	 "t.yaml:1: listen[0].address: given twice"},
	{"allow: [10.0.0.1/8]", ERR_INVAL,
	 "t.yaml:1: allow[0]: '10.0.0.1/8' has bits set behind "
	 "its length; give 10.0.0.0/8"},
	{"allow: [10.0.0.0/33]", ERR_FORMAT, "t.yaml:1: allow[0]: '10.0.0.0/33' is not"},
	{"allow: [localnet]", ERR_FORMAT,
	 "t.yaml:1: allow[0]: 'localnet' is not right here"},
	{"allow: [[10.0.0.0/8]]", ERR_FORMAT, "t.yaml:1: allow[0]: here stands a list"},
	{"allow:\n- 10.0.0.0/8\n- nonsense", ERR_FORMAT,
	 "t.yaml:3: allow[1]: 'nonsense'"},
	{"recursion: {ipv4: no, ipv6: no}", ERR_INVAL,
	 "t.yaml:1: recursion.ipv6: IPv4 and IPv6 are both switched off"},
	{"recursion: {source: [192.0.2.1, 192.0.2.2]}", ERR_INVAL,
	 "t.yaml:1: recursion.source[1]: a second IPv4 address"},
	{"recursion: {port: 65536}", ERR_INVAL,
	 "t.yaml:1: recursion.port: '65536' is out of"},
	{"recursion: {stub: [corp.example]}", ERR_FORMAT,
	 "t.yaml:1: recursion.stub[0]: here stands a single value; give a list of zones"},
	{"recursion: {stub: [{zone: a.test}]}", ERR_FORMAT,
	 "t.yaml:1: recursion.stub[0]: servers is missing"},
	{"recursion: {stub: [{servers: [\"::1\"]}]}", ERR_FORMAT,
	 "t.yaml:1: recursion.stub[0]: zone is missing"},
	{"recursion: {stub: [{zone: a.test, servers: []}]}", ERR_INVAL,
	 "t.yaml:1: recursion.stub[0].servers: the list is empty"},
	{"recursion: {stub: [{zone: a..test, servers: [\"::1\"]}]}", ERR_FORMAT,
	 "t.yaml:1: recursion.stub[0].zone: 'a..test' is not right"},
	{"recursion: {stub: [{zone: a.test, first: 2, servers: [\"::1\"]}]}", ERR_FORMAT,
	 "t.yaml:1: recursion.stub[0].first: '2' is not right here; give true or false"},
	{"recursion: {stub: [{zone: a.test, zone: b.test}]}", ERR_FORMAT,
	 "t.yaml:1: recursion.stub[0].zone: given twice"},
	{"recursion: {stub: [{zone: a.test, frst: true}]}", ERR_FORMAT,
	 "t.yaml:1: recursion.stub[0].frst: unknown key; did you mean first"},
	{"recursion: {stub: [{zone: a.test, servers: [\"::1\", x]}]}", ERR_FORMAT,
	 "t.yaml:1: recursion.stub[0].servers[1]: 'x' is not right"},
	{"recursion: {forward: [{zone: a.test, servers: [\"::1\"]}, {zone: A.test., "
	 "servers: "
	 "[\"::1\"]}]}",
	 ERR_INVAL, "t.yaml:1: recursion.forward[1]: the zone stands in the list twice"},
	{"state: \"\"", ERR_INVAL, "t.yaml:1: state: the value is empty"},
	{"state: \"a\\0b\"", ERR_FORMAT, "t.yaml:1: state: a NUL byte"},
	{"state: \"a\\nb\"", ERR_FORMAT, "t.yaml:1: state: a control character"},
	{"workers: 1\n---\nworkers: 2\n", ERR_FORMAT,
	 "t.yaml:2: a second document begins here"},
	{"workers: &a 1\n", ERR_FORMAT, "t.yaml:1: workers: anchors and aliases"},
	{"allow: &a [10.0.0.0/8]\nrecursion: {permit_private: *a}\n", ERR_FORMAT,
	 "t.yaml:1: allow: anchors and aliases"},
	{"workers: *a\n", ERR_FORMAT, "t.yaml:1: workers: anchors and aliases"},
	{"workers: !!int 1\n", ERR_FORMAT, "t.yaml:1: workers: tags"},
	{"<<: {workers: 1}\n", ERR_FORMAT, "t.yaml:1: <<: unknown key"},
	{"workers: 1\n\tuser: x\n", ERR_FORMAT, "t.yaml:2: this is not YAML: "},
	{"listen: [127.0.0.1", ERR_FORMAT,
	 "t.yaml:2: this is not YAML: did not find expected ',' or ']' at column 1, "
	 "while "
	 "parsing a flow sequence in line 1"},
	{"\xff\xfe", ERR_OK, ""}, /* an empty UTF-16 file */
	{"lists: [{url: \"file:///a\"}]", ERR_INVAL,
	 "t.yaml:1: lists[0].name: the list has no name"},
	{"lists: [{name: a/b, url: \"file:///a\"}]", ERR_INVAL,
	 "t.yaml:1: lists[0].name: a list's name has letters"},
	{"lists: [{name: .a, url: \"file:///a\"}]", ERR_INVAL,
	 "t.yaml:1: lists[0].name: a list's name has letters"},
	{"lists:\n- {name: a, url: \"file:///a\"}\n- {name: a, url: \"file:///b\"}\n",
	 ERR_INVAL, "t.yaml:3: lists[1].name: two lists have this name"},
	{"lists: [{name: a}]", ERR_INVAL,
	 "t.yaml:1: lists[0].url: where the list comes from"},
	{"lists: [{name: a, url: \"file:///a\", primary: [192.0.2.1]}]", ERR_INVAL,
	 "t.yaml:1: lists[0].primary: a list has a url or a primary"},
	{"lists: [{name: a, primary: [192.0.2.1]}]", ERR_INVAL,
	 "t.yaml:1: lists[0].zone: which zone"},
	{"lists: [{name: a, url: \"ftp://a.example/\"}]", ERR_INVAL,
	 "t.yaml:1: lists[0].url: a list's URL begins"},
	{"lists: [{name: a, zone: b, primary: [192.0.2.1], interval: 1h}]", ERR_INVAL,
	 "t.yaml:1: lists[0].interval: this is for lists with url"},
	{"lists: [{name: a, url: \"file:///a\", tsig: f}]", ERR_INVAL,
	 "t.yaml:1: lists[0].tsig: this is for lists with primary"},
	{"lists: [{name: a, url: \"file:///a\", intervall: 1h}]", ERR_FORMAT,
	 "t.yaml:1: lists[0].intervall: unknown key; did you mean interval?"},
	{"lists: [{name: a, name: b}]", ERR_FORMAT,
	 "t.yaml:1: lists[0].name: given twice"},
	{"lists: [{name: a, url: \"file:///a\", sha256: 00}]", ERR_INVAL,
	 "t.yaml:1: lists[0].sha256: the value is too short"},
	{"lists: [{name: a, url: \"file:///a\", action: monitor}]", ERR_INVAL,
	 "t.yaml:1: lists[0].action: that is a mode; give mode: monitor"},
	{"lists: [{name: a, url: \"file:///a\", action: local-data}]", ERR_FORMAT,
	 "t.yaml:1: lists[0].action: 'local-data' is not right"},
	{"lists: [{name: a, url: \"file:///a\", action: cname=}]", ERR_FORMAT,
	 "t.yaml:1: lists[0].action: 'cname=' is not right"},
	{"lists: [{name: a, url: \"file:///a\", zone: a..b}]", ERR_FORMAT,
	 "t.yaml:1: lists[0].zone: 'a..b' is not right"},
	{"lists: [x]", ERR_FORMAT, "t.yaml:1: lists[0]: here stands a single value"},
	{"lists: {name: a}", ERR_FORMAT, "t.yaml:1: lists: here stands a mapping"},
	{"user: \xc3\x28\n", ERR_FORMAT, "t.yaml:1: this is not YAML: "},
	{"workers: \"\\u001b[2J\"\n", ERR_FORMAT,
	 "t.yaml:1: workers: '?[2J' is not right"},
};

START_TEST(bad_files)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct conf_error err;
		struct conf *c;
		int rc = conf_parse(&c, bad[i].text, strlen(bad[i].text), "t.yaml", &err);
		ck_assert_msg(rc == bad[i].err && !strncmp(err.text, bad[i].says,
							   strlen(bad[i].says)),
			      "%s\ngave %d %s", bad[i].text, rc, err.text);
		ck_assert(rc == 0 || c == NULL);
		conf_free(c);
	}
}
END_TEST

/* Deep, long and many: refused with one line, at once. */
START_TEST(too_much)
{
	struct conf_error err;
	struct conf *c;
	size_t size = CONF_FILE_MAX + 1;
	char *text = malloc(size + 1);
	memset(text, '[', size);
	memcpy(text, "allow: ", 7);
	ck_assert_int_eq(conf_parse(&c, text, size - 1, "t", &err), ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "allow[0]: here stands a list"));
	memset(text, '#', size);
	ck_assert_int_eq(conf_parse(&c, text, size, "t", &err), ERR_INVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "larger than"));
	size_t n = (size_t)sprintf(text, "recursion: {permit_private: [");
	for (int i = 0; i <= CONF_NET_MAX; i++)
		n += (size_t)sprintf(text + n, "10.%d.%d.0/24,", i / 256, i % 256);
	ck_assert_int_eq(conf_parse(&c, text, n, "t", &err), ERR_INVAL);
	ck_assert_ptr_nonnull(
		strstr(err.text, "permit_private[4096]: too many elements"));
	n = (size_t)sprintf(text, "state: /");
	memset(text + n, 'x', CONF_PATH_MAX);
	ck_assert_int_eq(conf_parse(&c, text, n + CONF_PATH_MAX, "t", &err), ERR_INVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "too many; give at most 1023"));
	ck_assert_int_eq(conf_parse(&c, text, n + 100, "t", &err), ERR_INVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "state: the path is too long for the "
					       "control socket"));
	free(text);
}
END_TEST

START_TEST(files)
{
	struct conf_error err;
	struct conf *c;
	const char *path = unit_path("c.yaml");
	ck_assert_int_eq(conf_load(&c, path, &err), ERR_NOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "c.yaml: cannot be read: No such file"));
	ck_assert_int_eq(conf_load(&c, unit_dir(), &err), ERR_IO);
	unit_file("c.yaml", "workers: 7\n");
	ck_assert_int_eq(conf_load(&c, path, &err), 0);
	ck_assert_int_eq(c->workers, 7);
	conf_free(c);
	ck_assert_int_eq(conf_load(&c, "/dev/zero", &err), ERR_INVAL);
	ck_assert_ptr_null(c);
}
END_TEST

/* ---- sets of prefixes ---- */

static bool covers(const struct conf *c, const char *text)
{
	struct addr a;
	ck_assert_int_eq(addr_from_text(&a, text, strlen(text)), 0);
	a.port = 4242; /* does not matter */
	return conf_nets_cover(&c->allow, &a);
}

START_TEST(nets)
{
	struct conf *c =
		good("allow: [10.1.0.0/16, 10.0.0.0/8, 10.255.255.255, 10.0.0.0/8, "
		     "192.0.2.128/25, \"2001:db8::/33\", \"::/128\", 11.0.0.0/32]");
	ck_assert_int_eq(c->allow.n, 5);
	ck_assert(covers(c, "10.0.0.0") && covers(c, "10.255.255.255"));
	ck_assert(!covers(c, "9.255.255.255") && covers(c, "11.0.0.0"));
	ck_assert(!covers(c, "11.0.0.1"));
	ck_assert(!covers(c, "192.0.2.127") && covers(c, "192.0.2.128"));
	ck_assert(covers(c, "192.0.2.255") && !covers(c, "192.0.3.0"));
	ck_assert(covers(c, "2001:db8:7fff::1") && !covers(c, "2001:db8:8000::1"));
	ck_assert(covers(c, "::") && !covers(c, "::1") && !covers(c, "a00::"));
	conf_free(c);
	c = good("allow: []");
	ck_assert(!covers(c, "127.0.0.1"));
	conf_free(c);
	c = good("allow: [0.0.0.0/0, \"::/0\"]");
	ck_assert(covers(c, "0.0.0.0") && covers(c, "255.255.255.255"));
	ck_assert(covers(c, "ffff::1"));
	conf_free(c);
}
END_TEST

/* ---- help, sample file and man page come from the table ---- */

static char *help(void (*print)(FILE *))
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	print(f);
	fclose(f);
	return text;
}

static char *slurp(const char *path)
{
	char *text = calloc(1, 65536);
	FILE *f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s: run this from the top of the tree", path);
	ck_assert_uint_lt(fread(text, 1, 65535, f), 65535);
	fclose(f);
	return text;
}

START_TEST(help_is_a_file)
{
	char *text = help(conf_help);
	struct conf *c = good(text);
	ck_assert_int_eq(c->allow.n, 2);
	for (int i = 0; i < conf_keys_n; i++) {
		const char *dot = strrchr(conf_keys[i].path, '.');
		char line[80];
		snprintf(line, sizeof line, "%s:", dot ? dot + 1 : conf_keys[i].path);
		ck_assert_ptr_nonnull(strstr(text, line));
	}
	for (int i = 0; i < conf_of_list.n; i++)
		ck_assert_ptr_nonnull(strstr(text, conf_of_list.key[i].path));
	conf_free(c);
	free(text);
}
END_TEST

/* The sample differs from --help-config only in what it comments out or in. */
START_TEST(sample_is_current)
{
	char *text = help(conf_help), *sample = slurp("tools/packaging/sinkholed.yaml");
	struct conf *c = good(sample);
	conf_free(c);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char *value = strstr(line, ": ");
		if (!strstr(line, "# ") && value) /* a key: its value may differ */
			value[1] = 0;
		line += strspn(line, " #");
		ck_assert_msg(strstr(sample, line), "missing in the sample: %s", line);
	}
	free(text);
	free(sample);
}
END_TEST

START_TEST(man_page_is_current)
{
	char *text = help(conf_help_mdoc), *page = slurp("tools/sinkholed.yaml.5");
	ck_assert_msg(strstr(page, text),
		      "tools/sinkholed.yaml.5: its list of keys is not "
		      "what conf_help_mdoc() prints");
	free(text);
	free(page);
}
END_TEST

static void check_table(const struct conf_table *t, size_t size)
{
	for (int i = 0; i < t->n; i++) {
		const struct conf_key *k = &t->key[i];
		ck_assert_msg(k->help && (k->def || k->def_note), "%s", k->path);
		ck_assert_uint_le(k->at + k->size, size);
		ck_assert(!k->with || conf_find_in(t, k->with) >= 0);
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(k->path, t->key[j].path);
	}
}

START_TEST(table_is_sound)
{
	check_table(&conf_whole, sizeof(struct conf));
	check_table(&conf_of_list, sizeof(struct conf_list));
}
END_TEST

/* What needs a restart stays, whatever the file says by now. */
START_TEST(read_again)
{
	static const char before[] =
		"listen: [192.0.2.1@53, 192.0.2.2@53]\nworkers: 2\nnode: a-long-name\n"
		"allow: [192.0.2.0/24]\nsinkhole: {ttl: 10}\n";
	static const char after[] =
		"listen: [192.0.2.3@53]\nworkers: 3\nnode: b\ncache: {size: 300M}\n"
		"allow: [198.51.100.0/24]\nsinkhole: {ttl: 20}\n"
		"recursion: {trust_anchor: \"\"}\n";
	char kept[CONF_KEPT_MAX];
	struct conf *old = good(before), *now = good(after), *same = good(before);
	struct addr client;
	ck_assert_int_eq(addr_from_text(&client, "198.51.100.7", 12), 0);
	conf_keep(now, old, kept);
	ck_assert_str_eq(kept,
			 "listen, workers, node, recursion.trust_anchor, cache.size");
	ck_assert_int_eq(now->listen_n, 2);
	ck_assert(addr_equal(&now->listen[0], &old->listen[0]));
	ck_assert_int_eq(now->workers, 2);
	ck_assert_str_eq(now->node, "a-long-name");
	ck_assert_uint_eq(now->cache.size_bytes, old->cache.size_bytes);
	ck_assert(now->recursion.validate);
	ck_assert(conf_nets_cover(&now->allow, &client));
	ck_assert_uint_eq(now->sinkhole.ttl_s, 20);
	conf_keep(same, old, kept);
	ck_assert_str_eq(kept, "");
	conf_free(old);
	conf_free(now);
	conf_free(same);
}
END_TEST

UNIT_SUITE("conf", defaults, every_key, json, nothing_given, validation_is_switched_off,
	   bad_files, too_much, files, nets, help_is_a_file, sample_is_current,
	   man_page_is_current, table_is_sound, read_again)
