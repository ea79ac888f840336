#include "resolver/serve.h"

#include <time.h>

#include "resolver/random.h"
#include "resolver/rrset_cache.h"
#include "resolver/server.h"
#include "resolver/wire_guard.h"
#include "tests/unit/hit_sample.h"
#include "tests/unit/opt_out.h"
#include "tests/unit/unit.h"
#include "zones/root.h"

enum { RING = HIT_RING_BYTES_MIN, CACHE = 1 << 20 };

static struct serve *serve;
static struct stats stats;
static struct conf *conf;
static struct blocklist *store;
static struct random_source randomness;
static struct rrset_cache *rrsets;
static struct server_table *servers;
static const struct root_hints no_hints; /* every look-up fails at once */
static uint8_t late[DNS_MESSAGE_MAX];
static size_t late_len;
static int lates;
static const struct asker client_udp = {.client = {{127, 0, 0, 5}, 4, 0, 5353},
					.listener = {{127, 0, 0, 1}, 4, 0, 53}};
static const struct asker client_tcp = {.client = {{127, 0, 0, 5}, 4, 0, 5353},
					.listener = {{127, 0, 0, 1}, 4, 0, 53},
					.transport = HIT_TCP};
static const struct asker stranger = {.client = {{192, 0, 2, 5}, 4, 0, 5353}};

/* ---- the fake upstream: nothing leaves ---- */

int upstream_send(struct upstream *u, void *owner, uint32_t id,
		  const struct policy_subject *subject, const struct step_send *send)
{
	(void)u, (void)owner, (void)id, (void)subject, (void)send;
	ck_abort_msg("a packet without a server");
	return SEND_UNREACHABLE;
}

void upstream_cancel(struct upstream *u, void *owner, uint32_t id)
{
	(void)u, (void)owner, (void)id;
}

void upstream_cancel_all(struct upstream *u, void *owner)
{
	(void)u, (void)owner;
}

static void send_late(void *arg, const struct asker *to, const uint8_t *bytes, size_t len,
		      bool close)
{
	(void)arg, (void)to, (void)close;
	memcpy(late, bytes, len);
	late_len = len;
	lates++;
}

static void renew(void)
{
	ck_assert_int_eq(blocklist_view_renew(serve->policy.view), 0);
	serve->policy.stamp = blocklist_view_stamp(serve->policy.view);
}

static void list(const char *list, const char *name, int action)
{
	struct blocklist_item item = {.kind = RULE_SUBTREE, .action = (uint8_t)action};
	snprintf(item.entry.family, sizeof item.entry.family, "testbot");
	ck_assert_int_eq(name_from_str(item.key.name, name), 0);
	ck_assert_int_eq(blocklist_add(store, list, &item), 0);
	renew();
}

static void open_serve(void)
{
	static const char text[] =
		"allow: [127.0.0.0/8, \"2002:7f00::/32\"]\nworkers: 1\n"
		"user: \"\"\n";
	struct conf_error error;
	const char *why = "";
	struct task_conf task = {.stats = &stats};
	ck_assert_msg(!conf_parse(&conf, text, sizeof text - 1, "test", &error), "%s",
		      error.text);
	serve = calloc(1, sizeof *serve);
	const struct task_hooks hooks = {.arg = serve, .done = serve_done};
	serve->out.send = send_late;
	ck_assert_msg(!blocklist_open(&store, unit_path("store"), BLOCKLIST_WRITE, &why),
		      "%s", why);
	ck_assert_int_eq(blocklist_view_open(&serve->policy.view, store), 0);
	ck_assert_int_eq(answer_cache_open(&serve->answers, CACHE), 0);
	ck_assert_int_eq(hit_ring_create(&serve->ring, unit_dir(), 1, 0, "node", RING),
			 0);
	task.env.random = random_bytes;
	task.env.random_arg = &randomness;
	task.env.policy = &serve->policy;
	task.env.conf = conf;
	task.env.hints = &no_hints;
	const struct rrset_cache_conf cache = {CACHE, 0, 86400, 0};
	ck_assert_int_eq(rrset_cache_open(&rrsets, &cache), 0);
	ck_assert_int_eq(server_table_open(&servers), 0);
	task.env.cache = rrsets;
	task.env.servers = servers;
	ck_assert_int_eq(task_open(&serve->tasks, &task, &hooks), 0);
	serve->conf = conf;
	serve->stats = &stats;
	serve->policy.now_s = (uint32_t)time(NULL);
	serve->policy.default_action = conf->sinkhole.action;
	renew();
}

static void close_serve(void)
{
	task_close(serve->tasks);
	rrset_cache_close(rrsets);
	server_table_close(servers);
	hit_ring_close(serve->ring, true);
	answer_cache_close(serve->answers);
	blocklist_view_close(serve->policy.view);
	blocklist_close(store);
	conf_free(conf);
	free(serve);
}

static size_t question(uint8_t *msg, const char *name, unsigned type, unsigned flags)
{
	uint8_t qname[DNS_NAME_MAX];
	const uint16_t counts[4] = {1, 0, 0, 0};
	struct wire_writer w = wire_writer(msg, 512);
	ck_assert_int_eq(name_from_str(qname, name), 0);
	wire_put_header(&w, 7, flags, counts);
	wire_put_name(&w, qname);
	wire_put16(&w, type);
	wire_put16(&w, DNS_IN);
	return wire_written(&w);
}

/* "none", "close", "later", or "RCODE answers authority". */
static const char *ask_as(const struct asker *from, const char *name, unsigned type,
			  unsigned flags)
{
	static char text[64];
	static uint8_t out[DNS_MESSAGE_MAX];
	uint8_t msg[512];
	size_t len = 0, n = question(msg, name, type, flags);
	switch (serve_question(serve, from, msg, n, out, &len)) {
	case SERVE_NONE:
		return "none";
	case SERVE_CLOSE:
		return "close";
	case SERVE_LATER:
		return "later";
	case SERVE_ANSWER:
		break;
	}
	ck_assert_int_eq(guard_message(out, len, GUARD_RECORDS_UDP), 0);
	snprintf(text, sizeof text, "%u %u %u", out[3] & 15U, wire_get16(out + 6),
		 wire_get16(out + 8));
	return text;
}

static const char *ask(const char *name, unsigned type)
{
	return ask_as(&client_udp, name, type, DNS_RD);
}

/* How many hits wait in the ring, by their counts; the last one is left in *out. */
static unsigned hits(struct hit *out)
{
	uint64_t at = hit_ring_tail(serve->ring), from = at;
	struct hit_ring_item item;
	unsigned n = 0;
	while (hit_ring_take(serve->ring, &at, &item) > 0) {
		ck_assert_int_ge(hit_sample_unpack(out, item.packed, item.len), 0);
		n += item.count;
	}
	hit_ring_give_back(serve->ring, from, at);
	return n;
}

START_TEST(every_action_is_answered_and_logged)
{
	static const struct {
		const char *name;
		enum rule_action action;
		const char *want, *want_tcp;
	} cases[] = {
		{"address.example", RULE_ADDRESS, "0 1 0", "0 1 0"},
		{"given.example", RULE_GIVEN, "0 1 0", "0 1 0"},
		{"nxdomain.example", RULE_NXDOMAIN, "3 0 1", "3 0 1"},
		{"nodata.example", RULE_NODATA, "0 0 1", "0 0 1"},
		{"refuse.example", RULE_REFUSE, "5 0 0", "5 0 0"},
		{"drop.example", RULE_DROP, "close", "close"},
	};
	struct hit h;
	unsigned n = 0;
	open_serve();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		list("l", cases[i].name, (int)cases[i].action);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_str_eq(ask(cases[i].name, DNS_A), cases[i].want);
		ck_assert_uint_eq(hits(&h), ++n);
		ck_assert_str_eq(h.list, "l");
		ck_assert_str_eq(h.family, "testbot");
		ck_assert_uint_eq(h.client.port, 5353);
		ck_assert_uint_eq(h.transport, HIT_UDP);
		ck_assert_uint_eq(h.trigger, RULE_ON_QNAME);
		ck_assert_str_eq(ask_as(&client_tcp, cases[i].name, DNS_A, DNS_RD),
				 cases[i].want_tcp);
		ck_assert_uint_eq(hits(&h), ++n);
		ck_assert_uint_eq(h.transport, HIT_TCP);
	}
	/* types without a sinkhole record are NODATA; RD, DO, CD do not matter */
	ck_assert_str_eq(ask("x.address.example", DNS_HTTPS), "0 0 1");
	ck_assert_str_eq(ask("x.address.example", DNS_ANY), "0 2 0");
	ck_assert_str_eq(ask_as(&client_udp, "address.example", DNS_A, 0), "0 1 0");
	ck_assert_str_eq(ask_as(&client_udp, "address.example", DNS_A, DNS_RD | DNS_CD),
			 "0 1 0");
	close_serve();
}
END_TEST

/* RPZ draft 4: what a question asks for, and how, is no trigger (T5), nor a way around
 * (G1, G2). */
START_TEST(types_and_flags_never_matter)
{
	static const uint8_t opt[] = {0, 0, DNS_OPT, 4, 208, 0, 0, 0, 0, 0, 0};
	static const unsigned flags[] = {0, DNS_RD, DNS_RD | DNS_AD, DNS_RD | DNS_CD,
					 DNS_AD | DNS_CD};
	uint8_t msg[512], out[DNS_UDP_MAX];
	struct hit h;
	unsigned asked = 0;
	open_serve();
	list("l", "bad.example", RULE_NXDOMAIN);
	for (unsigned type = 1; type <= DNS_CAA; type++) {
		size_t len = 0,
		       n = question(msg, "x.bad.example", type,
				    flags[type % (sizeof flags / sizeof *flags)]);
		if (type != DNS_ANY && dns_type_is_meta(type))
			continue;
		wire_set16(msg + 10, type & 1);
		memcpy(msg + n, opt, sizeof opt);
		msg[n + 7] = (uint8_t)(type & 2 ? DNS_EDNS_DO >> 8 : 0);
		n += type & 1 ? sizeof opt : 0;
		ck_assert_msg(serve_question(serve, &client_udp, msg, n, out, &len) ==
				      SERVE_ANSWER,
			      "type %u", type);
		ck_assert_msg((out[3] & DNS_RCODE_MASK) == DNS_NXDOMAIN, "type %u: %u",
			      type, out[3]);
		ck_assert_msg(!(out[3] & DNS_AD) && wire_get16(out + 6) == 0 &&
				      wire_get16(out + 8) == 1,
			      "type %u", type);
		ck_assert_uint_eq(hits(&h), ++asked);
		ck_assert_uint_eq(h.qtype, type);
	}
	ck_assert_uint_eq(stats.n[STATS_TASK], 0);
	close_serve();
}
END_TEST

static struct answer_body plain_body(const uint8_t *wire, size_t len)
{
	return (struct answer_body){.wire = wire,
				    .len = (uint16_t)len,
				    .ede = DNS_EDE_NONE,
				    .countable = true};
}

static struct answer_key key_of(const uint8_t *qname, uint8_t class)
{
	size_t len = name_len(qname);
	return (struct answer_key){.qname = qname,
				   .hash = answer_cache_hash(serve->answers, qname, len),
				   .qtype = DNS_A,
				   .qname_len = (uint8_t)len,
				   .class = class};
}

static void cached_any(const struct asker *from, int records)
{
	static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0,
					 0,    9,  0, 4, 1, 2, 3, 4};
	static uint8_t wire[128];
	uint8_t qname[DNS_NAME_MAX];
	size_t n = question(wire, "clean.example", DNS_ANY, DNS_QR | DNS_RA);
	const struct query q = {.qtype = DNS_ANY};
	wire_set16(wire + 6, (unsigned)records);
	for (int i = 0; i < records; i++, n += sizeof record)
		memcpy(wire + n, record, sizeof record);
	const struct answer_body body = plain_body(wire, n);
	const struct answer_memory memory = {serve->policy.stamp, 0};
	ck_assert_int_eq(name_from_str(qname, "clean.example"), 0);
	struct answer_key key = key_of(qname, POLICY_ALL);
	key.qtype = DNS_ANY;
	key.form = answer_form(&q, from->transport == HIT_UDP);
	answer_cache_put(serve->answers, &body, &key, &memory, 600, serve->policy.now_s);
}

/* RFC 8482 4.4: cached for each way of asking; what is listed keeps its answer. */
START_TEST(any_differs_by_transport)
{
	struct hit h;
	open_serve();
	list("l", "bad.example", RULE_ADDRESS);
	cached_any(&client_udp, 1);
	ck_assert_str_eq(ask("clean.example", DNS_ANY), "0 1 0");
	ck_assert_str_eq(ask_as(&client_tcp, "clean.example", DNS_ANY, DNS_RD), "2 0 0");
	cached_any(&client_tcp, 3);
	ck_assert_str_eq(ask_as(&client_tcp, "clean.example", DNS_ANY, DNS_RD), "0 3 0");
	ck_assert_str_eq(ask("clean.example", DNS_ANY), "0 1 0");
	ck_assert_uint_eq(hits(&h), 0);
	ck_assert_str_eq(ask("bad.example", DNS_ANY), "0 2 0");
	ck_assert_uint_eq(hits(&h), 1);
	close_serve();
}
END_TEST

/* RPZ draft 3.6; the list's own action, or its mode, goes before a rule's. */
START_TEST(local_data_is_answered_and_logged)
{
	static const struct blocklist_list_set nodata = {.precedence = -1,
							 .action = RULE_NODATA,
							 .mode = -1,
							 .ede = -1,
							 .lease_s = -1,
							 .serial = -1};
	static const struct blocklist_rr a = {DNS_A, 4, 30,
					      (const uint8_t *)"\300\0\2\7"};
	static const struct blocklist_rr txt = {DNS_TXT, 2, 30, (const uint8_t *)"\1x"};
	struct blocklist_item item = {.kind = RULE_WILDCARD, .action = RULE_LOCAL_DATA};
	struct hit h;
	open_serve();
	ck_assert_int_eq(name_from_str(item.key.name, "garden.example"), 0);
	ck_assert_int_eq(blocklist_data_add(&item.entry.data, &a), 0);
	ck_assert_int_eq(blocklist_data_add(&item.entry.data, &txt), 0);
	ck_assert_int_eq(blocklist_add(store, "l", &item), 0);
	renew();
	ck_assert_str_eq(ask("x.garden.example", DNS_A), "0 1 0");
	ck_assert_uint_eq(hits(&h), 1);
	ck_assert_uint_eq(h.action, RULE_LOCAL_DATA);
	ck_assert_str_eq(h.list, "l");
	ck_assert_str_eq(ask("x.garden.example", DNS_TXT), "0 1 0");
	ck_assert_str_eq(ask("x.garden.example", DNS_AAAA), "0 0 1");
	ck_assert_str_eq(ask("x.garden.example", DNS_ANY), "0 2 0");
	ck_assert_str_eq(ask_as(&client_tcp, "x.garden.example", DNS_ANY, 0), "0 2 0");
	ck_assert_int_eq(blocklist_list_change(store, "l", &nodata), 0);
	renew();
	ck_assert_str_eq(ask("x.garden.example", DNS_A), "0 0 1");
	close_serve();
}
END_TEST

/* P2: a full ring leaves listed questions unanswered and clean ones untouched. */
START_TEST(no_room_in_the_log_no_answer)
{
	struct hit h;
	char name[64];
	unsigned answered = 0, asked = 0;
	open_serve();
	list("l", "bad.example", RULE_ADDRESS);
	for (; asked < 2000; asked++) {
		snprintf(name, sizeof name, "n%u.bad.example", asked);
		if (strcmp(ask(name, DNS_A), "none") == 0)
			break;
		answered++;
	}
	ck_assert_uint_gt(answered, 20);
	ck_assert_uint_lt(answered, 2000);
	ck_assert_uint_eq(hits(&h), answered);
	ck_assert_uint_eq(stats.n[STATS_DROP_UNLOGGED], 1);
	ck_assert_str_eq(ask("localhost", DNS_A), "0 1 0");
	/* the same again folds into what waits */
	snprintf(name, sizeof name, "n%u.bad.example", answered - 1);
	ck_assert_str_eq(ask(name, DNS_A), "0 1 0");
	ck_assert_uint_eq(hits(&h), answered + 1);
	close_serve();
}
END_TEST

START_TEST(who_may_ask_and_who_opted_out)
{
	struct hit h;
	struct prefix p;
	open_serve();
	list("l", "bad.example", RULE_ADDRESS);
	ck_assert_str_eq(ask_as(&stranger, "bad.example", DNS_A, DNS_RD), "5 0 0");
	ck_assert_uint_eq(hits(&h), 0);
	/* RD=0: what policy says is told, and what is cached */
	ck_assert_str_eq(ask_as(&client_udp, "clean.example", DNS_A, 0), "5 0 0");
	ck_assert_int_eq(prefix_from_text(&p, "127.0.0.0/24", 12), 0);
	ck_assert_int_eq(unit_opt_out(store, &p), 0);
	renew();
	ck_assert_str_eq(ask_as(&client_udp, "bad.example", DNS_A, 0), "5 0 0");
	ck_assert_uint_eq(hits(&h), 0);
	close_serve();
}
END_TEST

/* SECURITY.md row 33: whatever a stranger sends, not a byte more comes back. */
START_TEST(strangers_get_no_more_than_they_sent)
{
	static const uint8_t opt[] = {0, 0, DNS_OPT, 4, 208, 0, 0, 0, 0, 0, 0};
	static const uint8_t option[] = {0, 65, 0, 2, 1, 2};
	static const unsigned types[] = {DNS_A, DNS_ANY, DNS_AXFR, DNS_DNSKEY, 0};
	uint8_t msg[512], out[DNS_UDP_MAX];
	open_serve();
	for (size_t t = 0; t < sizeof types / sizeof *types; t++)
		for (int shape = 0; shape < 4; shape++) {
			size_t len = 0, n = question(msg, "a.example", types[t], DNS_RD);
			wire_set16(msg + 10, shape > 0); /* 0: without EDNS */
			if (shape)
				memcpy(msg + n, opt, sizeof opt);
			n += shape ? sizeof opt : 0;
			if (shape == 2) {
				wire_set16(msg + n - 2, sizeof option);
				memcpy(msg + n, option, sizeof option);
				n += sizeof option;
			}
			n -= shape == 3; /* cut */
			ck_assert_int_eq(
				serve_question(serve, &stranger, msg, n, out, &len),
				SERVE_ANSWER);
			ck_assert_uint_le(len, n);
			ck_assert_int_eq(out[3] & DNS_RCODE_MASK, DNS_REFUSED);
			/* With room for it the reason is told. */
			if (shape == 2)
				ck_assert_uint_eq(len, n);
		}
	close_serve();
}
END_TEST

/* A subscriber behind 6to4 may have opted out by either of its prefixes. */
START_TEST(opt_out_in_ipv6_dress)
{
	static const char *const prefixes[] = {"2002:7f00:5::/48", "127.0.0.5"};
	static const struct asker dressed = {
		.client = {{0x20, 0x02, 127, 0, 0, 5, [15] = 1}, 6, 0, 5353}};
	struct hit h;
	struct prefix p;
	open_serve();
	list("l", "bad.example", RULE_ADDRESS);
	ck_assert_str_eq(ask_as(&dressed, "bad.example", DNS_A, DNS_RD), "0 1 0");
	ck_assert_uint_eq(hits(&h), 1);
	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
		ck_assert_int_eq(prefix_from_text(&p, prefixes[i], strlen(prefixes[i])),
				 0);
		ck_assert_int_eq(unit_opt_out(store, &p), 0);
		renew();
		ck_assert_str_eq(ask_as(&dressed, "bad.example", DNS_A, 0), "5 0 0");
		ck_assert_uint_eq(hits(&h), 1);
		ck_assert_int_eq(blocklist_client_remove(store, &p), 0);
		renew();
	}
	close_serve();
}
END_TEST

START_TEST(local_zones_and_rules_that_override_them)
{
	struct hit h;
	open_serve();
	list("l", "example", RULE_ADDRESS);
	ck_assert_str_eq(ask("localhost", DNS_A), "0 1 0");
	ck_assert_str_eq(ask("1.0.0.10.in-addr.arpa", DNS_PTR), "3 0 1");
	ck_assert_uint_eq(hits(&h), 0);
	list("l", "c2.test", RULE_ADDRESS);
	ck_assert_str_eq(ask("c2.test", DNS_A), "0 1 0");
	ck_assert_uint_eq(hits(&h), 1);
	ck_assert_str_eq(ask("other.test", DNS_A), "3 0 1");
	close_serve();
}
END_TEST

/* A stub or forward zone inside a local one takes its names over; one above does not. */
START_TEST(local_zones_and_zones_given)
{
	open_serve();
	conf->recursion.forward = calloc(1, sizeof *conf->recursion.forward);
	conf->recursion.forward_n = 1; /* the root, without servers */
	ck_assert_str_eq(ask("1.0.0.10.in-addr.arpa", DNS_PTR), "3 0 1");
	conf->recursion.stub = calloc(1, sizeof *conf->recursion.stub);
	conf->recursion.stub_n = 1;
	ck_assert_int_eq(name_from_str(conf->recursion.stub[0].zone, "0.10.in-addr.arpa"),
			 0);
	ck_assert_str_eq(ask("1.0.0.10.in-addr.arpa", DNS_PTR), "2 0 0");
	ck_assert_str_eq(ask("1.0.1.10.in-addr.arpa", DNS_PTR), "3 0 1");
	close_serve();
}
END_TEST

/* A name that is cached and then listed is judged on the next question (P4). */
START_TEST(cached_names_are_judged_anew)
{
	uint8_t qname[DNS_NAME_MAX], wire[64];
	struct hit h;
	open_serve();
	size_t n = question(wire, "www.example.com", DNS_A, DNS_QR | DNS_RA);
	const struct answer_body body = plain_body(wire, n);
	const struct answer_memory memory = {serve->policy.stamp, 0};
	ck_assert_int_eq(name_from_str(qname, "www.example.com"), 0);
	const struct answer_key key = key_of(qname, POLICY_ALL);
	answer_cache_put(serve->answers, &body, &key, &memory, 600, serve->policy.now_s);
	ck_assert_str_eq(ask("www.example.com", DNS_A), "0 0 0");
	ck_assert_uint_eq(stats.n[STATS_CACHED], 1);
	list("l", "example.com", RULE_ADDRESS);
	ck_assert_str_eq(ask("www.example.com", DNS_A), "0 1 0");
	ck_assert_uint_eq(hits(&h), 1);
	close_serve();
}
END_TEST

static void cached_until(const char *name, uint8_t class, uint32_t ttl)
{
	static uint8_t wire[64];
	uint8_t qname[DNS_NAME_MAX];
	size_t n = question(wire, name, DNS_A, DNS_QR | DNS_RA);
	const struct answer_body body = plain_body(wire, n);
	const struct answer_memory memory = {policy_stamp(&serve->policy, class), 0};
	ck_assert_int_eq(name_from_str(qname, name), 0);
	const struct answer_key key = key_of(qname, class);
	answer_cache_put(serve->answers, &body, &key, &memory, ttl, serve->policy.now_s);
}

/* By key; never for who opted out, never what is listed. */
START_TEST(popular_names_are_looked_up_again)
{
	struct prefix p;
	struct hit h;
	open_serve();
	for (unsigned on = 0; on < 2; on++) {
		conf->cache.prefetch = on;
		cached_until("www.example.com", POLICY_ALL, 100);
		serve->policy.now_s += 89;
		ck_assert_str_eq(ask("www.example.com", DNS_A), "0 0 0");
		ck_assert_uint_eq(stats.n[STATS_TASK], 0);
		serve->policy.now_s += 1;
		ck_assert_str_eq(ask("www.example.com", DNS_A), "0 0 0");
		ck_assert_str_eq(ask("www.example.com", DNS_A), "0 0 0");
		ck_assert_uint_eq(stats.n[STATS_TASK], on);
		ck_assert_uint_eq(stats.n[STATS_TASK_REFRESH], on);
	}
	cached_until("www.example.net", POLICY_ALL, 100);
	serve->policy.now_s += 95;
	list("l", "example.net", RULE_ADDRESS);
	ck_assert_str_eq(ask("www.example.net", DNS_A), "0 1 0");
	ck_assert_uint_eq(hits(&h), 1);
	ck_assert_int_eq(prefix_from_text(&p, "127.0.0.0/24", 12), 0);
	ck_assert_int_eq(unit_opt_out(store, &p), 0);
	renew();
	cached_until("www.example.net", POLICY_NONE, 100);
	serve->policy.now_s += 95;
	ck_assert_str_eq(ask("www.example.net", DNS_A), "0 0 0");
	ck_assert_uint_eq(stats.n[STATS_TASK], 1);
	close_serve();
}
END_TEST

/* The answer to a listed question is kept with its verdict: each is a hit of its own, and
 * no change of the rules, of the client's or of the time is missed. */
START_TEST(listed_answers_are_remembered)
{
	static const enum rule_action actions[] = {RULE_ADDRESS, RULE_NXDOMAIN,
						   RULE_NODATA, RULE_REFUSE, RULE_GIVEN};
	struct blocklist_key key = {.name = ""};
	struct hit first, h;
	unsigned n = 0;
	open_serve();
	list("l", "bad.example", RULE_GIVEN);
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
		const struct blocklist_list_set set = {.precedence = -1,
						       .action = (int)actions[i],
						       .mode = -1,
						       .lease_s = -1,
						       .ede = -1,
						       .serial = -1};
		char before[64];
		ck_assert_int_eq(blocklist_list_change(store, "l", &set), 0);
		renew();
		snprintf(before, sizeof before, "%s", ask("x.bad.example", DNS_A));
		ck_assert_uint_eq(hits(&first), ++n);
		ck_assert_str_eq(ask("x.bad.example", DNS_A), before);
		ck_assert_uint_eq(hits(&h), ++n);
		ck_assert_uint_eq(h.entry, first.entry);
		ck_assert_uint_eq(h.action, first.action);
		ck_assert_uint_eq(h.trigger, RULE_ON_QNAME);
		ck_assert_uint_eq(h.sequence, first.sequence + 1);
		ck_assert_str_eq(h.list, "l");
		ck_assert_str_eq(h.family, "testbot");
		ck_assert(name_equal(h.matched, first.matched));
		ck_assert_str_eq(ask_as(&client_tcp, "x.bad.example", DNS_A, 0), before);
		ck_assert_uint_eq(hits(&h), ++n);
		ck_assert_uint_eq(h.transport, HIT_TCP);
	}
	ck_assert_uint_eq(stats.n[STATS_CACHED], 0);
	ck_assert_int_eq(name_from_str(key.name, "bad.example"), 0);
	ck_assert_int_eq(blocklist_remove(store, "l", &key), 0);
	renew();
	ck_assert_str_eq(ask_as(&client_udp, "x.bad.example", DNS_A, 0), "5 0 0");
	ck_assert_uint_eq(hits(&h), n);
	close_serve();
}
END_TEST

START_TEST(remembered_listed_answers_end_in_time)
{
	struct blocklist_item item = {.kind = RULE_SUBTREE, .action = RULE_ADDRESS};
	struct prefix p;
	struct hit h;
	open_serve();
	item.expires = serve->policy.now_s + 10;
	ck_assert_int_eq(name_from_str(item.key.name, "bad.example"), 0);
	ck_assert_int_eq(blocklist_add(store, "l", &item), 0);
	renew();
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(ask("bad.example", DNS_A), "0 1 0");
	serve->policy.now_s = item.expires;
	ck_assert_str_eq(ask_as(&client_udp, "bad.example", DNS_A, 0), "5 0 0");
	serve->policy.now_s = item.expires - 1;
	ck_assert_str_eq(ask("bad.example", DNS_A), "0 1 0");
	ck_assert_uint_eq(hits(&h), 4);
	/* Nobody tells who opted out what another client was told. */
	ck_assert_int_eq(prefix_from_text(&p, "127.0.0.0/24", 12), 0);
	ck_assert_int_eq(unit_opt_out(store, &p), 0);
	renew();
	ck_assert_str_eq(ask_as(&client_udp, "bad.example", DNS_A, 0), "5 0 0");
	ck_assert_uint_eq(hits(&h), 4);
	close_serve();
}
END_TEST

/* What depends on who asks, or how, or is told of a second rule too. */
START_TEST(only_lasting_verdicts_are_remembered)
{
	struct hit h;
	open_serve();
	list("a", "both.example", RULE_MONITOR);
	list("b", "both.example", RULE_ADDRESS);
	for (unsigned i = 1; i <= 3; i++) {
		ck_assert_str_eq(ask("both.example", DNS_A), "0 1 0");
		ck_assert_uint_eq(hits(&h), 2 * i);
	}
	list("t", "tcp.example", RULE_TCP_ONLY);
	for (int i = 0; i < 2; i++) {
		ck_assert_str_eq(ask("tcp.example", DNS_A), "0 0 0");
		ck_assert_str_eq(ask_as(&client_tcp, "tcp.example", DNS_A, 0), "5 0 0");
	}
	close_serve();
}
END_TEST

/* A batch is read before the first of it is answered; what comes otherwise than expected
 * is read anew. */
START_TEST(questions_read_ahead)
{
	static const char *const name[] = {"a.bad.example", "clean.invalid",
					   "b.bad.example", "c.bad.example"};
	uint8_t msg[4][512], out[DNS_UDP_MAX];
	size_t n[4], len = 0;
	struct hit h;
	open_serve();
	list("l", "bad.example", RULE_NODATA);
	for (int turn = 1; turn <= 3; turn++) {
		serve->ahead_n = serve->ahead_at = 0;
		for (int i = 0; i < 4; i++) {
			n[i] = question(msg[i], name[i], DNS_A, DNS_RD);
			serve_expect(serve, msg[i], n[i]);
		}
		for (int i = 0; i < 4; i++) {
			int k = turn == 2 ? 3 - i : i;
			bool bad = k != 1;
			ck_assert_int_eq(serve_question(serve, &client_udp, msg[k], n[k],
							out, &len),
					 SERVE_ANSWER);
			ck_assert_int_eq(out[3] & DNS_RCODE_MASK,
					 bad ? DNS_NOERROR : DNS_NXDOMAIN);
			ck_assert_mem_eq(out + DNS_HEADER_LEN, msg[k] + DNS_HEADER_LEN,
					 n[k] - DNS_HEADER_LEN);
		}
		ck_assert_uint_eq(hits(&h), 3U * (unsigned)turn);
	}
	close_serve();
}
END_TEST

/* Without a snapshot of the store there is no answer that could be wrong. */
START_TEST(no_view_is_servfail)
{
	open_serve();
	list("l", "bad.example", RULE_ADDRESS);
	blocklist_view_reset(serve->policy.view);
	ck_assert_str_eq(ask("bad.example", DNS_A), "2 0 0");
	ck_assert_str_eq(ask("clean.example", DNS_A), "2 0 0");
	close_serve();
}
END_TEST

START_TEST(monitor_is_logged_and_goes_on)
{
	struct hit h;
	open_serve();
	list("l", "watched.example", RULE_MONITOR);
	ck_assert_str_eq(ask_as(&client_udp, "watched.example", DNS_A, 0), "5 0 0");
	ck_assert_uint_eq(hits(&h), 1);
	ck_assert_uint_eq(h.action, RULE_MONITOR);
	/* Once a question, whatever comes back. */
	ck_assert_str_eq(ask("watched.example", DNS_A), "2 0 0");
	ck_assert_uint_eq(hits(&h), 2);
	close_serve();
}
END_TEST

/* ---- what comes back from a task, made by hand ---- */

static struct question asked;
static struct waiter waiting;

static void wait_for(const struct asker *from, const char *name)
{
	lates = 0;
	asked = (struct question){.qtype = DNS_A};
	ck_assert_int_eq(name_from_str(asked.qname, name), 0);
	waiting = (struct waiter){.from = *from};
	waiting.query.flags = DNS_RD;
	waiting.query.qtype = DNS_A;
	waiting.query.qclass = DNS_IN;
	waiting.query.room = DNS_UDP_PLAIN;
	waiting.query.qname_len = (uint8_t)name_len(asked.qname);
	name_copy(waiting.query.qname, asked.qname);
	name_copy(waiting.raw, asked.qname);
	waiting.query.qname_raw = waiting.raw;
}

/* The verdict about a name behind the question. */
static struct reply behind(const char *name, int action)
{
	static uint8_t target[DNS_NAME_MAX];
	const struct policy_subject all = {0};
	struct reply r = {.ede = DNS_EDE_NONE, .target = target};
	struct verdict none;
	ck_assert_int_eq(name_from_str(target, name), 0);
	list("l", name, action);
	ck_assert_int_eq(policy_name(action == RULE_MONITOR ? &none : &r.verdict,
				     &r.monitor, &serve->policy, &all, target),
			 0);
	return r;
}

START_TEST(a_listed_target_is_logged_with_the_time_of_the_question)
{
	struct hit h;
	open_serve();
	serve->now_us = 1700000000000000;
	serve->now_ms = 5000;
	struct reply r = behind("target.example", RULE_ADDRESS);
	wait_for(&client_udp, "www.example");
	waiting.since_ms = serve->now_ms - 1500;
	serve_done(serve, &asked, &waiting, &r);
	ck_assert_int_eq(lates, 1);
	ck_assert_uint_eq(hits(&h), 1);
	ck_assert_uint_eq(h.time_us, serve->now_us - 1500000);
	/* Too late over UDP: no answer. */
	waiting.since_ms = serve->now_ms - 2500;
	serve_done(serve, &asked, &waiting, &r);
	ck_assert_int_eq(lates, 1);
	ck_assert_uint_eq(hits(&h), 1);
	close_serve();
}
END_TEST

START_TEST(a_monitored_target_is_logged)
{
	struct hit h;
	open_serve();
	struct reply r = behind("target.example", RULE_MONITOR);
	ck_assert_int_eq(r.monitor.kind, VERDICT_ACT);
	wait_for(&client_udp, "www.example");
	serve_done(serve, &asked, &waiting, &r);
	ck_assert_uint_eq(hits(&h), 1);
	close_serve();
}
END_TEST

/* P6 for those who were waiting just then. */
START_TEST(who_opts_out_while_waiting_leaves_no_trace)
{
	struct hit h;
	struct prefix p;
	open_serve();
	struct reply r = behind("target.example", RULE_ADDRESS);
	wait_for(&client_udp, "www.example");
	ck_assert_int_eq(prefix_from_text(&p, "127.0.0.0/24", 12), 0);
	ck_assert_int_eq(unit_opt_out(store, &p), 0);
	renew();
	serve_done(serve, &asked, &waiting, &r);
	ck_assert_uint_eq(hits(&h), 0);
	ck_assert_int_eq(late[3] & DNS_RCODE_MASK, DNS_SERVFAIL);
	/* And the other way: what was found for an opted-out client is not for others. */
	ck_assert_int_eq(blocklist_client_remove(store, &p), 0);
	renew();
	asked.subject.class = POLICY_NONE;
	struct reply truth = {.ede = DNS_EDE_NONE};
	serve_done(serve, &asked, &waiting, &truth);
	ck_assert_int_eq(late[3] & DNS_RCODE_MASK, DNS_SERVFAIL);
	close_serve();
}
END_TEST

/* ---- groups ---- */

static void set_group(const char *name, const char *only)
{
	const char *missing;
	ck_assert_int_eq(blocklist_group_set(store, name, false, &only, 1, &missing), 0);
	renew();
}

static void put_in(const char *prefix, const char *group)
{
	struct blocklist_client c = {
		.group = blocklist_group_named(serve->policy.view, group)->id};
	ck_assert_int_eq(prefix_from_text(&c.prefix, prefix, strlen(prefix)), 0);
	ck_assert_int_eq(blocklist_client_put(store, &c), 0);
	renew();
}

static uint8_t class_of(const char *group)
{
	return blocklist_group_named(serve->policy.view, group)->class;
}

/* A client of a group is under its lists; a change acts on the next question and leaves
 * alone what is remembered of others. */
START_TEST(groups)
{
	static const struct asker other = {.client = {{127, 0, 9, 5}, 4, 0, 5353}};
	struct hit h;
	open_serve();
	list("a", "bad.example", RULE_ADDRESS);
	list("b", "worse.example", RULE_ADDRESS);
	set_group("x", "a");
	set_group("y", "b");
	put_in("127.0.0.0/24", "x");
	ck_assert_str_eq(ask("bad.example", DNS_A), "0 1 0");
	ck_assert_uint_eq(hits(&h), 1);
	ck_assert_str_eq(ask_as(&client_udp, "worse.example", DNS_A, 0), "5 0 0");
	ck_assert_uint_eq(hits(&h), 1);
	ck_assert_str_eq(ask_as(&other, "worse.example", DNS_A, DNS_RD), "0 1 0");
	ck_assert_uint_eq(hits(&h), 2);
	/* Answers remembered of everybody. */
	cached_until("www.example.com", POLICY_ALL, 100);
	cached_until("www.example.com", class_of("x"), 100);
	cached_until("www.example.com", class_of("y"), 100);
	uint64_t generation = serve->policy.stamp.generation;
	put_in("127.0.9.0/24", "y");
	put_in("127.0.8.0/24", "x");
	ck_assert_str_eq(ask("www.example.com", DNS_A), "0 0 0");
	ck_assert_str_eq(ask_as(&other, "www.example.com", DNS_A, DNS_RD), "0 0 0");
	ck_assert_uint_eq(stats.n[STATS_CACHED], 2);
	/* Other lists for x: what was remembered of it is judged anew, y's is not. */
	set_group("x", "b");
	ck_assert_uint_eq(class_of("x"), class_of("y"));
	set_group("y", "a");
	ck_assert_uint_eq(serve->policy.stamp.generation, generation);
	ck_assert_str_eq(ask_as(&client_udp, "bad.example", DNS_A, 0), "5 0 0");
	ck_assert_str_eq(ask("worse.example", DNS_A), "0 1 0");
	uint64_t tasks = stats.n[STATS_TASK];
	ck_assert_str_eq(ask_as(&other, "www.example.com", DNS_A, DNS_RD), "2 0 0");
	ck_assert_uint_eq(stats.n[STATS_TASK], tasks + 1);
	close_serve();
}
END_TEST

/* What was found for one group is not told to who is in another one by then. */
START_TEST(who_changes_groups_while_waiting)
{
	struct hit h;
	open_serve();
	struct reply r = behind("target.example", RULE_ADDRESS);
	list("b", "b.example", RULE_ADDRESS);
	set_group("x", "b");
	wait_for(&client_udp, "www.example");
	put_in("127.0.0.0/24", "x");
	serve_done(serve, &asked, &waiting, &r);
	ck_assert_uint_eq(hits(&h), 0);
	ck_assert_int_eq(late[3] & DNS_RCODE_MASK, DNS_SERVFAIL);
	close_serve();
}
END_TEST

/* TC over TCP would send the client in a circle. */
START_TEST(tcp_only_behind_an_alias)
{
	struct hit h;
	open_serve();
	struct reply r = behind("target.example", RULE_TCP_ONLY);
	wait_for(&client_udp, "www.example");
	serve_done(serve, &asked, &waiting, &r);
	ck_assert(late[2] & DNS_TC >> 8);
	ck_assert_uint_eq(hits(&h), 1);
	/* The truth is looked for: here that fails. */
	wait_for(&client_tcp, "www.example");
	serve_done(serve, &asked, &waiting, &r);
	ck_assert_int_eq(lates, 1);
	ck_assert(!(late[2] & DNS_TC >> 8));
	ck_assert_int_eq(late[3] & DNS_RCODE_MASK, DNS_SERVFAIL);
	ck_assert_uint_eq(hits(&h), 1);
	/* A rule on a server holds for that too. */
	wait_for(&client_tcp, "www.example");
	asked.subject.passthru = true;
	serve_done(serve, &asked, &waiting, &r);
	ck_assert_int_eq(lates, 1);
	ck_assert(!(late[2] & DNS_TC >> 8));
	ck_assert_int_eq(late[3] & DNS_RCODE_MASK, DNS_REFUSED);
	ck_assert_uint_eq(hits(&h), 2);
	ck_assert_uint_eq(h.action, RULE_REFUSE);
	close_serve();
}
END_TEST

/* A question that goes on under a new task may outlive the configuration it came under.
 */
START_TEST(what_is_told_is_the_configurations_of_now)
{
	static const char want[] = "\x00\x03\x00\x03new"; /* RFC 5001 */
	struct reply r = {.ede = DNS_EDE_NONE};
	open_serve();
	snprintf(conf->nsid, sizeof conf->nsid, "new");
	wait_for(&client_udp, "www.example");
	waiting.query.edns = waiting.query.wants_nsid = true;
	waiting.query.nsid = "that of before";
	serve_done(serve, &asked, &waiting, &r);
	ck_assert_int_eq(lates, 1);
	ck_assert_uint_ge(late_len, sizeof want - 1);
	ck_assert_mem_eq(late + late_len - (sizeof want - 1), want, sizeof want - 1);
	close_serve();
}
END_TEST

static void client_rule(const char *prefix, int action)
{
	struct blocklist_item item = {.kind = RULE_ADDR_CLIENT,
				      .action = (uint8_t)action};
	ck_assert_int_eq(prefix_from_text(&item.key.prefix, prefix, strlen(prefix)), 0);
	ck_assert_int_eq(blocklist_add(store, "clients", &item), 0);
	renew();
}

/* RPZ draft 4.1: before any name, cached or not; local zones come first all the same. */
START_TEST(rules_about_clients)
{
	static const struct asker other = {.client = {{127, 0, 0, 6}, 4, 0, 5353},
					   .transport = HIT_UDP};
	char prefix[PREFIX_TEXT_MAX];
	struct hit h;
	open_serve();
	list("l", "bad.example", RULE_NXDOMAIN);
	cached_until("www.example.com", POLICY_ALL, 100);
	ck_assert_str_eq(ask("www.example.com", DNS_A), "0 0 0");
	client_rule("127.0.0.5", RULE_REFUSE);
	cached_until("www.example.com", POLICY_ALL, 100);
	ck_assert_str_eq(ask("www.example.com", DNS_A), "5 0 0");
	ck_assert_uint_eq(hits(&h), 1);
	ck_assert_uint_eq(h.trigger, RULE_ON_CLIENT);
	ck_assert_str_eq(prefix_to_text(prefix, &h.prefix), "127.0.0.5/32");
	ck_assert_str_eq(ask_as(&other, "www.example.com", DNS_A, DNS_RD), "0 0 0");
	ck_assert_str_eq(ask("localhost", DNS_A), "0 1 0");
	/* the list "clients" is before "l" */
	ck_assert_str_eq(ask("bad.example", DNS_A), "5 0 0");
	ck_assert_uint_eq(hits(&h), 2);
	ck_assert_str_eq(ask_as(&other, "bad.example", DNS_A, DNS_RD), "3 0 1");
	ck_assert_uint_eq(hits(&h), 3);
	/* a rule that only watches is told of, and what is known is answered */
	client_rule("127.0.0.6", RULE_MONITOR);
	cached_until("www.example.com", POLICY_ALL, 100);
	ck_assert_str_eq(ask_as(&other, "www.example.com", DNS_A, DNS_RD), "0 0 0");
	ck_assert_uint_eq(hits(&h), 4);
	ck_assert_uint_eq(h.action, RULE_MONITOR);
	/* without hints a look-up fails, but it is one */
	client_rule("127.0.0.5", RULE_PASSTHRU);
	ck_assert_str_eq(ask("bad.example", DNS_A), "2 0 0");
	ck_assert_uint_eq(hits(&h), 4);
	close_serve();
}
END_TEST

UNIT_SUITE("serve", every_action_is_answered_and_logged, types_and_flags_never_matter,
	   any_differs_by_transport, local_data_is_answered_and_logged,
	   no_room_in_the_log_no_answer, who_may_ask_and_who_opted_out,
	   strangers_get_no_more_than_they_sent, opt_out_in_ipv6_dress,
	   local_zones_and_rules_that_override_them, local_zones_and_zones_given,
	   cached_names_are_judged_anew, popular_names_are_looked_up_again,
	   no_view_is_servfail, listed_answers_are_remembered,
	   remembered_listed_answers_end_in_time, only_lasting_verdicts_are_remembered,
	   questions_read_ahead, monitor_is_logged_and_goes_on,
	   a_listed_target_is_logged_with_the_time_of_the_question,
	   a_monitored_target_is_logged, who_opts_out_while_waiting_leaves_no_trace,
	   groups, who_changes_groups_while_waiting, tcp_only_behind_an_alias,
	   what_is_told_is_the_configurations_of_now, rules_about_clients)
