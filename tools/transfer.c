#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli.h"
#include "tools/transfer.h"

enum {
	CONNECT_MS = 5000,
	ANSWER_MS = 10000,  /* one record: who needs longer is not well, ask the next */
	MESSAGE_MS = 30000, /* for each message of a transfer, whole: a primary may have
			     * to read a large zone first */
	TRANSFER_MS = 3600000, /* a zone of 10 million names takes minutes */
	/* Who sends less on average once the first minute is over holds the list up, and
	 * hour upon hour: a tenth of a slow line. */
	RATE_FROM_MS = 60000,
	RATE_LEAST = 1024, /* bytes a second */
	RECORD_LEAST = 11, /* bytes: so many records fit into a message */
	RECORDS_MAX = 65535 / RECORD_LEAST,
};
/* 10 million names are less than a tenth of it, and an endless answer ends. */
#define BYTES_MAX (UINT64_C(8) << 30)

int transfer_fail(struct transfer *t, int err, const char *why)
{
	snprintf(t->why, sizeof t->why, "%s", why);
	return err;
}

/* ---- bytes ---- */

static int stream_failed(struct transfer *t, int err)
{
	if (err == ERR_BUSY)
		return transfer_fail(t, err, "it takes too long to answer");
	if (err == ERR_STOPPED)
		return transfer_fail(t, err, "interrupted");
	if (err == ERR_RANGE)
		return transfer_fail(t, ERR_IO, "it closed the connection too early");
	return err ? transfer_fail(t, err, strerror(errno)) : ERR_OK;
}

static int move_bytes(struct transfer *t, uint8_t *bytes, size_t len, bool out)
{
	int64_t end = t->start_ms + TRANSFER_MS;
	int64_t until = cli_now_ms() + (t->qtype == DNS_SOA ? ANSWER_MS : MESSAGE_MS);
	return stream_failed(
		t, stream_move(&t->stream, bytes, len, out, until < end ? until : end));
}

int transfer_open(struct transfer *t, const struct addr *primary, const uint8_t *zone,
		  const struct tsig_key *key, int stop_fd)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&ss, primary);
	t->stream.fd = -1;
	t->stream.stop_fd = stop_fd;
	t->zone = zone;
	t->qtype = 0;
	t->tsig = (struct tsig){.key = NULL};
	if (key && tsig_open(&t->tsig, key))
		return transfer_fail(t, ERR_NOMEM, "out of memory");
	t->stream.fd =
		socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->stream.fd < 0)
		return transfer_fail(t, ERR_IO, strerror(errno));
	if (connect(t->stream.fd, (struct sockaddr *)&ss, len) == 0)
		return ERR_OK;
	if (errno != EINPROGRESS)
		return transfer_fail(t, ERR_IO, strerror(errno));
	int code = 0, err = stream_failed(t, stream_wait(&t->stream, POLLOUT,
							 cli_now_ms() + CONNECT_MS));
	socklen_t size = sizeof code;
	if (!err && getsockopt(t->stream.fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 &&
	    code)
		err = transfer_fail(t, ERR_IO, strerror(code));
	return err;
}

void transfer_close(struct transfer *t)
{
	if (t->stream.fd >= 0)
		close(t->stream.fd);
	tsig_close(&t->tsig);
	t->stream.fd = -1;
}

/* ---- messages ---- */

/* serial: of an IXFR question, where the authority section tells what we have. */
int transfer_ask(struct transfer *t, uint16_t qtype, uint32_t serial)
{
	uint16_t counts[4] = {1, 0, qtype == DNS_IXFR, 0};
	if (getrandom(&t->id, sizeof t->id, 0) != sizeof t->id)
		return transfer_fail(t, ERR_IO, strerror(errno));
	t->qtype = qtype;
	t->bytes = 0;
	t->start_ms = cli_now_ms();
	struct wire_writer w = wire_writer(t->msg + 2, sizeof t->msg - 2);
	wire_put_header(&w, t->id, 0, counts);
	wire_put_name(&w, t->zone);
	wire_put16(&w, qtype);
	wire_put16(&w, DNS_IN);
	if (qtype == DNS_IXFR) { /* only the serial is looked at, RFC 1995 3 */
		wire_put_name(&w, t->zone);
		wire_put16(&w, DNS_SOA);
		wire_put16(&w, DNS_IN);
		wire_put32(&w, 0);
		wire_put16(&w, 2 + 5 * 4);
		wire_put16(&w, 0);
		wire_put32(&w, serial);
		for (int i = 0; i < 4; i++)
			wire_put32(&w, 0);
	}
	size_t len = wire_written(&w);
	if (t->tsig.key) {
		/* Nothing of an answer before belongs to this one. */
		const struct tsig_key *key = t->tsig.key;
		tsig_close(&t->tsig);
		if (tsig_open(&t->tsig, key) ||
		    tsig_sign(&t->tsig, t->msg + 2, &len, sizeof t->msg - 2,
			      (int64_t)time(NULL)))
			return transfer_fail(t, ERR_NOMEM, "out of memory");
	}
	wire_set16(t->msg, (unsigned)len);
	return move_bytes(t, t->msg, len + 2, true);
}

static int signature_wrong(struct transfer *t, int err)
{
	static const char *const text[] = {
		"it does not take our signature: is the secret the same on both sides?",
		"it does not know our key: is its name the same on both sides?",
		"the clocks of both sides differ too much"};
	unsigned code = t->tsig.error;
	if (err == ERR_NOMEM)
		return transfer_fail(t, err, "out of memory");
	if (code >= 16 && code <= 18)
		return transfer_fail(t, ERR_ACCESS, text[code - 16]);
	return transfer_fail(t, err,
			     err == ERR_ACCESS ? "its answer's signature is wrong"
					       : "its answer is malformed");
}

/* What an answer as a whole may take. */
static int within_limits(struct transfer *t)
{
	int64_t ms = cli_now_ms() - t->start_ms;
	if (t->bytes > BYTES_MAX)
		return transfer_fail(t, ERR_FORMAT,
				     "it sends more than any list is long");
	if (ms > RATE_FROM_MS && t->bytes < (uint64_t)ms / 1000 * RATE_LEAST)
		return transfer_fail(t, ERR_BUSY, "it sends too slowly");
	return ERR_OK;
}

int transfer_receive(struct transfer *t)
{
	uint8_t head[2];
	int err = move_bytes(t, head, 2, false);
	t->len = wire_get16(head);
	t->bytes += t->len + 2;
	if (!err)
		err = within_limits(t);
	if (!err)
		err = move_bytes(t, t->msg, t->len, false);
	if (err)
		return err;
	if (t->len < DNS_HEADER_LEN)
		return transfer_fail(t, ERR_FORMAT, "its answer is malformed");
	if (t->tsig.key) {
		int good = tsig_check(&t->tsig, t->msg, &t->len, (int64_t)time(NULL));
		if (good < 0)
			return signature_wrong(t, good);
		if (!good && !t->tsig.go_on && !(wire_get16(t->msg + 2) & DNS_RCODE_MASK))
			return transfer_fail(t, ERR_ACCESS, "its answer is not signed");
	}
	if (guard_message(t->msg, t->len, RECORDS_MAX))
		return transfer_fail(t, ERR_FORMAT, "its answer is malformed");
	return ERR_OK;
}

static int refused(struct transfer *t, unsigned rcode)
{
	static const char *const text[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
					   "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
					   "NXRRSET", "NOTAUTH", "NOTZONE"};
	snprintf(t->why, sizeof t->why, "it answers %s (%u)",
		 rcode < sizeof text / sizeof *text ? text[rcode] : "an error", rcode);
	return rcode == DNS_NOTIMP || rcode == DNS_FORMERR ? ERR_VERSION : ERR_REFUSED;
}

int transfer_read(struct transfer *t, struct wire_walk *w, bool first)
{
	uint8_t qname[DNS_NAME_MAX];
	uint16_t qtype, qclass;
	unsigned flags = wire_get16(t->msg + 2);
	bool asked = wire_walk_start(w, t->msg, t->len, qname, &qtype, &qclass);
	if (wire_get16(t->msg) != t->id || !(flags & DNS_QR) ||
	    (flags & DNS_OPCODE_MASK) || (flags & DNS_TC) ||
	    (asked &&
	     (!name_equal(qname, t->zone) || qtype != t->qtype || qclass != DNS_IN)))
		return transfer_fail(t, ERR_FORMAT, "its answer is to another question");
	if (flags & DNS_RCODE_MASK)
		return refused(t, flags & DNS_RCODE_MASK);
	if (!asked && first)
		return transfer_fail(t, ERR_FORMAT, "its answer is to another question");
	return ERR_OK;
}

bool transfer_is_soa(const struct transfer *t, const struct wire_rr *rr)
{
	return rr->type == DNS_SOA && name_equal(rr->owner, t->zone);
}

void transfer_read_soa(struct soa *out, const struct wire_rr *rr)
{
	/* The guard has seen that five numbers stand behind the names. */
	const uint8_t *p = rr->rdata + rr->rdlength - 5 * 4;
	*out = (struct soa){wire_get32(p), wire_get32(p + 4), wire_get32(p + 8),
			    wire_get32(p + 12)};
}

int transfer_soa(struct transfer *t, struct soa *out)
{
	struct wire_walk w;
	struct wire_rr rr;
	int err = transfer_ask(t, DNS_SOA, 0);
	if (!err)
		err = transfer_receive(t);
	if (!err)
		err = transfer_read(t, &w, true);
	while (!err && wire_walk_next(&w, &rr)) {
		if (rr.section != WIRE_ANSWER || !transfer_is_soa(t, &rr))
			continue;
		transfer_read_soa(out, &rr);
		return ERR_OK;
	}
	return err ? err
		   : transfer_fail(t, ERR_REFUSED,
				   "it does not have the zone: no SOA in its answer");
}
