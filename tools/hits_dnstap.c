/* The format dnstap: Frame Streams of protobuf, to a file or to a collector.
 * A hit remembers the question and not the answer, so it is a CLIENT_QUERY: what must
 * stand in a CLIENT_RESPONSE, the response, would have to be made up. */
#include <errno.h>
#include <fstrm.h>
#include <sys/uio.h>

#include "include/version.h"
#include "include/wire.h"
#include "tools/dnstap.pb-c.h"
#include "tools/hits_format.h"
#include "tools/rpz_owner.h"

#define CONTENT_TYPE "protobuf:dnstap.Dnstap"

enum {
	QUERY_MAX = 12 + DNS_NAME_MAX + 4,
	EXTRA_MAX = 1024,     /* list, family, category, what privacy adds */
	FRAME_MAX = 8192,     /* names, addresses, EXTRA_MAX */
	QUERY_FLAGS = 0x0100, /* RD: what nearly all clients ask with */
};

/* ---- the stream ---- */

static fstrm_res nothing(void *arg)
{
	(void)arg;
	return fstrm_res_success;
}

static fstrm_res read_link(void *arg, void *data, size_t n)
{
	struct hits_out *o = arg;
	return hits_link_read(o->link, data, n) ? fstrm_res_failure : fstrm_res_success;
}

static fstrm_res write_out(void *arg, const struct iovec *iov, int n)
{
	struct hits_out *o = arg;
	bool bad = false;
	for (int i = 0; i < n && !bad; i++)
		bad = o->link ? hits_link_write(o->link, iov[i].iov_base, iov[i].iov_len)
			      : fwrite(iov[i].iov_base, 1, iov[i].iov_len, o->to) !=
					iov[i].iov_len;
	return bad ? fstrm_res_failure : fstrm_res_success;
}

static int dnstap_begin(struct hits_out *o)
{
	struct fstrm_writer_options *options = fstrm_writer_options_init();
	struct fstrm_rdwr *rdwr = fstrm_rdwr_init(o);
	(void)fstrm_writer_options_add_content_type(options, CONTENT_TYPE,
						    strlen(CONTENT_TYPE));
	fstrm_rdwr_set_open(rdwr, nothing);
	fstrm_rdwr_set_close(rdwr, nothing);
	fstrm_rdwr_set_write(rdwr, write_out);
	if (o->link) /* with answers: both ends say which content, and that it ended */
		fstrm_rdwr_set_read(rdwr, read_link);
	o->frames = fstrm_writer_init(options, &rdwr);
	fstrm_writer_options_destroy(&options);
	if (!o->frames)
		return ERR_NOMEM;
	return fstrm_writer_open(o->frames) == fstrm_res_success ? ERR_OK : ERR_IO;
}

/* Over a link the collector's FINISH says that it has all of it. */
static int dnstap_end(struct hits_out *o)
{
	if (!o->frames)
		return ERR_OK;
	fstrm_res res = fstrm_writer_close(o->frames);
	(void)fstrm_writer_destroy(&o->frames);
	return res == fstrm_res_success ? ERR_OK : ERR_IO;
}

/* ---- a hit ---- */

static ProtobufCBinaryData bytes_of(const void *data, size_t n)
{
	union {
		const void *in;
		uint8_t *out;
	} p = {data}; /* the library only reads what is packed */
	return (ProtobufCBinaryData){.len = n, .data = p.out};
}

static bool action_of(Dnstap__Policy__Action *out, enum rule_action action)
{
	switch (action) {
	case RULE_NXDOMAIN:
		*out = DNSTAP__POLICY__ACTION__NXDOMAIN;
		return true;
	case RULE_NODATA:
		*out = DNSTAP__POLICY__ACTION__NODATA;
		return true;
	case RULE_MONITOR:
		*out = DNSTAP__POLICY__ACTION__PASS;
		return true;
	case RULE_DROP:
		*out = DNSTAP__POLICY__ACTION__DROP;
		return true;
	case RULE_TCP_ONLY:
		*out = DNSTAP__POLICY__ACTION__TRUNCATE;
		return true;
	case RULE_ADDRESS:
	case RULE_LOCAL_DATA:
	case RULE_CNAME:
		*out = DNSTAP__POLICY__ACTION__LOCAL_DATA;
		return true;
	default: /* refuse: it has no word for that */
		return false;
	}
}

static const struct {
	Dnstap__Policy__Match match;
	unsigned use;
} matches[] = {
	[RULE_ON_CLIENT] = {DNSTAP__POLICY__MATCH__CLIENT_IP, RULE_ADDR_CLIENT},
	[RULE_ON_QNAME] = {DNSTAP__POLICY__MATCH__QNAME, 0},
	[RULE_ON_ANSWER] = {DNSTAP__POLICY__MATCH__RESPONSE_IP, RULE_ADDR_ANSWER},
	[RULE_ON_NS_NAME] = {DNSTAP__POLICY__MATCH__NS_NAME, 0},
	[RULE_ON_NS_ADDR] = {DNSTAP__POLICY__MATCH__NS_IP, RULE_ADDR_SERVER},
};

/* The rule's owner as a zone would have it: false where it has none, or is the client. */
static bool owner_of(uint8_t out[DNS_NAME_MAX], const struct hit *h)
{
	char text[RPZ_OWNER_MAX], name[DNS_NAME_TEXT_MAX];
	char server[DNS_NAME_TEXT_MAX + sizeof ".rpz-nsdname"];
	if (h->prefix.addr.family)
		return !name_from_str(
			out, rpz_owner(text, &h->prefix, matches[h->trigger].use));
	if (h->trigger == RULE_ON_NS_NAME) {
		snprintf(server, sizeof server, "%s.rpz-nsdname",
			 name_to_text(name, h->matched));
		return !name_from_str(out, server);
	}
	name_copy(out, h->matched);
	return h->trigger == RULE_ON_QNAME;
}

static void put_value(Dnstap__Policy *p, const struct hit *h)
{
	bool asked = h->trigger == RULE_ON_QNAME && name_within(h->qname, h->matched);
	p->has_value = true;
	if (asked)
		p->value = bytes_of(h->qname, name_len(h->qname));
	else if (h->trigger == RULE_ON_CLIENT)
		p->value = bytes_of(h->client.bytes, addr_len(&h->client));
	else if (!h->prefix.addr.family) /* an alias' target, or a server's name */
		p->value = bytes_of(h->matched, name_len(h->matched));
	else /* which address of the prefix it was is not remembered */
		p->has_value = false;
}

static void put_policy(Dnstap__Policy *p, uint8_t owner[DNS_NAME_MAX],
		       const struct hit *h)
{
	static char type[] = "RPZ";
	p->type = type;
	p->has_rule = owner_of(owner, h);
	if (p->has_rule)
		p->rule = bytes_of(owner, name_len(owner));
	p->has_action = action_of(&p->action, h->action);
	p->has_match = h->trigger > RULE_ON_NONE && h->trigger < RULE_TRIGGER_N;
	if (!p->has_match)
		return;
	p->match = matches[h->trigger].match;
	put_value(p, h);
}

/* The question as it may have come: its ID and its EDNS options are not remembered. */
static size_t put_query(uint8_t out[QUERY_MAX], const struct hit *h)
{
	struct wire_writer w = wire_writer(out, QUERY_MAX);
	wire_put_header(&w, 0, QUERY_FLAGS, (const uint16_t[4]){1, 0, 0, 0});
	wire_put_name(&w, h->qname);
	wire_put16(&w, h->qtype);
	wire_put16(&w, DNS_IN);
	return wire_written(&w);
}

/* One family stands for both ends: beside a pseudonym, which looks like IPv6, an IPv4
 * listener is written as an IPv6 address, RFC 4291 2.5.5.2. */
static void put_ends(Dnstap__Message *m, uint8_t mapped[16], const struct hit *h)
{
	bool six = h->client.family == 6;
	m->has_socket_family = m->has_socket_protocol = m->has_query_address = true;
	m->socket_family =
		six ? DNSTAP__SOCKET_FAMILY__INET6 : DNSTAP__SOCKET_FAMILY__INET;
	m->socket_protocol =
		(Dnstap__SocketProtocol)(DNSTAP__SOCKET_PROTOCOL__UDP + h->transport);
	m->query_address = bytes_of(h->client.bytes, addr_len(&h->client));
	m->has_query_port = h->client.port != 0;
	m->query_port = h->client.port;
	m->has_response_address = h->listener.family == 4 || (six && h->listener.family);
	m->response_address = bytes_of(h->listener.bytes, addr_len(&h->listener));
	if (six && h->listener.family == 4) {
		memset(mapped, 0, 10);
		memset(mapped + 10, 0xff, 2);
		memcpy(mapped + 12, h->listener.bytes, 4);
		m->response_address = bytes_of(mapped, 16);
	}
	m->has_response_port = h->listener.port != 0;
	m->response_port = h->listener.port;
}

/* What dnstap has no field for, as JSON. */
static size_t put_extra(char out[EXTRA_MAX], struct hits_out *o, const struct hit *h,
			const struct hits_texts *t)
{
	struct json_line *j = &o->json;
	j->to = fmemopen(out, EXTRA_MAX, "w");
	if (!j->to)
		return 0;
	json_line_open(j, NULL, '{');
	json_line_text(j, "uid", t->uid);
	json_line_number(j, "count", h->count);
	json_line_number(j, "entry", h->entry);
	json_line_some(j, "list", t->list);
	json_line_some(j, "family", t->family);
	json_line_some(j, "category", t->category);
	hits_format_labels(o, NULL);
	json_line_close(j, '}');
	j->more = false;
	long n = ftell(j->to);
	fclose(j->to);
	return n > 0 ? (size_t)n : 0;
}

static int dnstap_row(struct hits_out *o, const struct hit_row *row,
		      const struct hits_texts *t)
{
	static const char version[] = "sinkholed " SINKHOLED_VERSION;
	const struct hit *h = &row->hit;
	uint8_t owner[DNS_NAME_MAX], query[QUERY_MAX], mapped[16], frame[FRAME_MAX];
	char extra[EXTRA_MAX];
	Dnstap__Policy policy = DNSTAP__POLICY__INIT;
	Dnstap__Message message = DNSTAP__MESSAGE__INIT;
	Dnstap__Dnstap tap = DNSTAP__DNSTAP__INIT;
	put_policy(&policy, owner, h);
	put_ends(&message, mapped, h);
	message.has_query_time_sec = message.has_query_time_nsec = true;
	message.query_time_sec = h->time_us / 1000000;
	message.query_time_nsec = (uint32_t)(h->time_us % 1000000 * 1000);
	message.has_query_message = true;
	message.query_message = bytes_of(query, put_query(query, h));
	message.policy = &policy;
	tap.has_identity = *t->node != 0;
	tap.identity = bytes_of(t->node, strlen(t->node));
	tap.has_version = tap.has_extra = true;
	tap.version = bytes_of(version, strlen(version));
	tap.extra = bytes_of(extra, put_extra(extra, o, h, t));
	if (!tap.extra.len)
		return ERR_NOMEM;
	tap.message = &message;
	if (dnstap__dnstap__get_packed_size(&tap) > sizeof frame)
		return ERR_RANGE;
	size_t n = dnstap__dnstap__pack(&tap, frame);
	return fstrm_writer_write(o->frames, frame, n) == fstrm_res_success ? ERR_OK
									    : ERR_IO;
}

const struct hits_format hits_format_dnstap = {"dnstap", HITS_FRAMES, dnstap_begin,
					       dnstap_row, dnstap_end};
