#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "resolver/rdata.h"
#include "resolver/wire_guard.h"
#include "tools/cli.h"
#include "tools/transfer.h"

enum {
	CONNECT_MS = 5000,
	MESSAGE_MS = 30000,	   /* for each message of an answer, whole */
	TRANSFER_MS = 4 * 3600000, /* a zone of 10 million names takes minutes */
	RECORD_LEAST = 11,	   /* bytes: so many records fit into a message */
	RECORDS_MAX = 65535 / RECORD_LEAST,
	OWNER_AND_HEAD = DNS_NAME_TEXT_MAX + 64,
	HEX_MAX = 2 * 65535,
};
#define BYTES_MAX (UINT64_C(16) << 30) /* as of a list file */

static int fail(struct transfer *t, int err, const char *why)
{
	snprintf(t->why, sizeof t->why, "%s", why);
	return err;
}

/* ---- bytes ---- */

/* Until fd is ready for events. */
static int wait_for(struct transfer *t, short events, int64_t until_ms)
{
	struct pollfd p[2] = {{t->fd, events, 0}, {t->stop_fd, POLLIN, 0}};
	for (;;) {
		int64_t left = until_ms - cli_now_ms();
		if (left <= 0)
			return fail(t, ERR_BUSY, "it takes too long to answer");
		int n = poll(p, 2, left > 1000 ? 1000 : (int)left);
		if (n > 0 && p[1].revents)
			return fail(t, ERR_STOPPED, "interrupted");
		if (n > 0 && p[0].revents)
			return ERR_OK;
		if (n < 0 && errno != EINTR)
			return fail(t, ERR_IO, strerror(errno));
	}
}

static int move_bytes(struct transfer *t, uint8_t *bytes, size_t len, bool out)
{
	int64_t until = cli_now_ms() + MESSAGE_MS;
	until = until < t->end_ms ? until : t->end_ms;
	while (len) {
		ssize_t n = out ? send(t->fd, bytes, len, MSG_NOSIGNAL)
				: recv(t->fd, bytes, len, 0);
		if (n == 0)
			return fail(t, ERR_IO, "it closed the connection too early");
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return fail(t, ERR_IO, strerror(errno));
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
			continue;
		}
		int err = wait_for(t, out ? POLLOUT : POLLIN, until);
		if (err)
			return err;
	}
	return ERR_OK;
}

int transfer_open(struct transfer *t, const struct addr *primary, const uint8_t *zone,
		  const struct tsig_key *key, int stop_fd)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&ss, primary);
	t->fd = -1;
	t->stop_fd = stop_fd;
	t->zone = zone;
	t->bytes = 0;
	t->end_ms = cli_now_ms() + TRANSFER_MS;
	t->tsig = (struct tsig){.key = NULL};
	if (key && tsig_open(&t->tsig, key))
		return fail(t, ERR_NOMEM, "out of memory");
	t->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd < 0)
		return fail(t, ERR_IO, strerror(errno));
	if (connect(t->fd, (struct sockaddr *)&ss, len) == 0)
		return ERR_OK;
	if (errno != EINPROGRESS)
		return fail(t, ERR_IO, strerror(errno));
	int code = 0, err = wait_for(t, POLLOUT, cli_now_ms() + CONNECT_MS);
	socklen_t size = sizeof code;
	if (!err && getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 && code)
		err = fail(t, ERR_IO, strerror(code));
	return err;
}

void transfer_close(struct transfer *t)
{
	if (t->fd >= 0)
		close(t->fd);
	tsig_close(&t->tsig);
	t->fd = -1;
}

/* ---- messages ---- */

/* serial: of an IXFR question, where the authority section tells what we have. */
static int ask(struct transfer *t, uint16_t qtype, uint32_t serial)
{
	uint16_t counts[4] = {1, 0, qtype == DNS_IXFR, 0};
	if (getrandom(&t->id, sizeof t->id, 0) != sizeof t->id)
		return fail(t, ERR_IO, strerror(errno));
	t->qtype = qtype;
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
			return fail(t, ERR_NOMEM, "out of memory");
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
		return fail(t, err, "out of memory");
	if (code >= 16 && code <= 18)
		return fail(t, ERR_ACCESS, text[code - 16]);
	return fail(t, err,
		    err == ERR_ACCESS ? "its answer's signature is wrong"
				      : "its answer is malformed");
}

/* The next message of the answer, its signature checked and off. */
static int receive(struct transfer *t)
{
	uint8_t head[2];
	int err = move_bytes(t, head, 2, false);
	t->len = wire_get16(head);
	t->bytes += t->len + 2;
	if (!err && t->bytes > BYTES_MAX)
		return fail(t, ERR_FORMAT, "it sends more than any list is long");
	if (!err)
		err = move_bytes(t, t->msg, t->len, false);
	if (err)
		return err;
	if (t->len < DNS_HEADER_LEN)
		return fail(t, ERR_FORMAT, "its answer is malformed");
	if (t->tsig.key) {
		int good = tsig_check(&t->tsig, t->msg, &t->len, (int64_t)time(NULL));
		if (good < 0)
			return signature_wrong(t, good);
		if (!good && !t->tsig.go_on && !(wire_get16(t->msg + 2) & DNS_RCODE_MASK))
			return fail(t, ERR_ACCESS, "its answer is not signed");
	}
	if (guard_message(t->msg, t->len, RECORDS_MAX))
		return fail(t, ERR_FORMAT, "its answer is malformed");
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

/* Header and question; later messages of a transfer need no question. */
static int begin_reading(struct transfer *t, struct wire_walk *w, bool first)
{
	uint8_t qname[DNS_NAME_MAX];
	uint16_t qtype, qclass;
	unsigned flags = wire_get16(t->msg + 2);
	bool asked = wire_walk_start(w, t->msg, t->len, qname, &qtype, &qclass);
	if (wire_get16(t->msg) != t->id || !(flags & DNS_QR) ||
	    (flags & DNS_OPCODE_MASK) || (flags & DNS_TC) ||
	    (asked &&
	     (!name_equal(qname, t->zone) || qtype != t->qtype || qclass != DNS_IN)))
		return fail(t, ERR_FORMAT, "its answer is to another question");
	if (flags & DNS_RCODE_MASK)
		return refused(t, flags & DNS_RCODE_MASK);
	if (!asked && first)
		return fail(t, ERR_FORMAT, "its answer is to another question");
	return ERR_OK;
}

static bool is_soa(const struct transfer *t, const struct wire_rr *rr)
{
	return rr->type == DNS_SOA && name_equal(rr->owner, t->zone);
}

static void read_soa(struct soa *out, const struct wire_rr *rr)
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
	int err = ask(t, DNS_SOA, 0);
	if (!err)
		err = receive(t);
	if (!err)
		err = begin_reading(t, &w, true);
	while (!err && wire_walk_next(&w, &rr)) {
		if (rr.section != WIRE_ANSWER || !is_soa(t, &rr))
			continue;
		read_soa(out, &rr);
		return ERR_OK;
	}
	return err ? err
		   : fail(t, ERR_REFUSED,
			  "it does not have the zone: no SOA in its answer");
}

/* ---- records as text ---- */

struct reading {
	struct transfer *t;
	struct transfer_zone *out;
	const char *dir;
	FILE *text;
	size_t text_len;
	enum { AT_SOA, AT_FIRST, WHOLE, REMOVED, ADDED, OVER } at;
	uint32_t from, to; /* of the changes at hand */
	uint8_t rdata[65535];
	char hex[HEX_MAX + 1];
};

/* Names come in the form of their type, everything else in RFC 3597's. */
static int write_record(struct reading *r, const struct wire_rr *rr)
{
	static const char digits[] = "0123456789abcdef";
	char owner[DNS_NAME_TEXT_MAX], target[DNS_NAME_TEXT_MAX];
	int n = rdata_expand(r->rdata, sizeof r->rdata, r->t->msg, r->t->len, rr->rdata,
			     rr->rdlength, rr->type);
	if (n < 0)
		return fail(r->t, ERR_FORMAT, "a record of the zone is malformed");
	name_to_text(owner, rr->owner);
	fprintf(r->text, "%s. %u IN ", owner, rr->ttl);
	if (rr->type == DNS_CNAME) {
		name_to_text(target, r->rdata);
		fprintf(r->text, "CNAME %s%s\n", target, *r->rdata ? "." : "");
		return ERR_OK;
	}
	for (int i = 0; i < n; i++) {
		r->hex[2 * i] = digits[r->rdata[i] >> 4];
		r->hex[2 * i + 1] = digits[r->rdata[i] & 15];
	}
	r->hex[2 * n] = 0;
	fprintf(r->text, "TYPE%u \\# %d %s\n", rr->type, n, r->hex);
	return ERR_OK;
}

static int begin_whole(struct reading *r)
{
	int fd = open(r->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	r->out->file = fd;
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	r->text = copy < 0 ? NULL : fdopen(copy, "w");
	if (r->text)
		return ERR_OK;
	if (copy >= 0)
		close(copy);
	return fail(r->t, ERR_IO, strerror(errno));
}

static int begin_part(struct reading *r, bool add)
{
	struct transfer_zone *z = r->out;
	if (!r->text)
		r->text = open_memstream(&z->text, &r->text_len);
	if (!z->part)
		z->part = calloc(TRANSFER_PARTS_MAX, sizeof *z->part);
	if (!r->text || !z->part)
		return fail(r->t, ERR_NOMEM, "out of memory");
	if (z->parts == TRANSFER_PARTS_MAX)
		return fail(r->t, ERR_RANGE, "too many changes");
	z->part[z->parts++] = (struct transfer_part){(size_t)ftell(r->text), 0, add};
	return ERR_OK;
}

static void end_part(struct reading *r)
{
	struct transfer_zone *z = r->out;
	if (z->parts)
		z->part[z->parts - 1].len =
			(size_t)ftell(r->text) - z->part[z->parts - 1].at;
}

/* ---- the order of records ---- */

/* An SOA among the changes: the next part begins, or all is over. RFC 1995 4. */
static int soa_of_changes(struct reading *r, const struct soa *soa)
{
	end_part(r);
	if (r->at == REMOVED) {
		if (!soa_newer(soa->serial, r->from))
			return fail(r->t, ERR_FORMAT, "its changes go back in time");
		r->to = soa->serial;
		r->at = ADDED;
		return begin_part(r, true);
	}
	if (soa->serial != r->to)
		return fail(r->t, ERR_FORMAT, "a version is missing among its changes");
	if (soa->serial == r->out->soa.serial) {
		r->at = OVER;
		return ERR_OK;
	}
	r->from = soa->serial;
	r->at = REMOVED;
	return begin_part(r, false);
}

/* The record behind the first SOA says what the answer is. */
static int first_record(struct reading *r, const struct wire_rr *rr,
			const struct soa *soa)
{
	if (soa && r->t->qtype == DNS_IXFR && soa->serial == r->from &&
	    soa->serial != r->out->soa.serial) {
		r->at = REMOVED;
		return begin_part(r, false);
	}
	if (soa)
		return fail(r->t, ERR_FORMAT, "the zone that it sends is empty");
	int err = begin_whole(r);
	r->at = WHOLE;
	return err ? err : write_record(r, rr);
}

static int take_record(struct reading *r, const struct wire_rr *rr)
{
	struct soa soa;
	bool is = is_soa(r->t, rr);
	if (is)
		read_soa(&soa, rr);
	if (rr->class != DNS_IN || !name_within(rr->owner, r->t->zone))
		return fail(r->t, ERR_FORMAT, "it sends records of another zone");
	switch (r->at) {
	case AT_SOA:
		if (!is)
			return fail(r->t, ERR_FORMAT, "its answer begins without SOA");
		r->out->soa = soa;
		r->at = AT_FIRST;
		return ERR_OK;
	case AT_FIRST:
		return first_record(r, rr, is ? &soa : NULL);
	case WHOLE:
		if (is && soa.serial != r->out->soa.serial)
			return fail(r->t, ERR_FORMAT, "the zone changed on the way");
		r->at = is ? OVER : WHOLE;
		return write_record(r, rr); /* the SOA tells an import the serial */
	case REMOVED:
	case ADDED:
		if (is)
			return soa_of_changes(r, &soa);
		if (ftell(r->text) > TRANSFER_DELTA_MAX)
			return fail(r->t, ERR_RANGE, "too many changes");
		return write_record(r, rr);
	default:
		return fail(r->t, ERR_FORMAT, "it sends records behind the end");
	}
}

static int read_message(struct reading *r, bool first)
{
	struct wire_walk w;
	struct wire_rr rr;
	int err = begin_reading(r->t, &w, first), n = 0;
	while (!err && wire_walk_next(&w, &rr))
		if (rr.section == WIRE_ANSWER) {
			err = take_record(r, &rr);
			n++;
		}
	if (!err && n == 0)
		err = fail(r->t, ERR_FORMAT, "it sends an empty message");
	return err;
}

static int read_all(struct reading *r)
{
	int err = ERR_OK;
	for (bool first = true; !err && r->at != OVER; first = false) {
		err = receive(r->t);
		if (!err)
			err = read_message(r, first);
		/* Nothing but its SOA: it has no changes to tell, RFC 1995 4. */
		if (!err && first && r->at == AT_FIRST && r->t->qtype == DNS_IXFR)
			return fail(r->t, ERR_VERSION, "it does not tell what changed");
	}
	if (!err && r->t->tsig.key && r->t->tsig.unsigned_n)
		err = fail(r->t, ERR_ACCESS, "the end of its answer is not signed");
	return err;
}

int transfer_zone(struct transfer *t, struct transfer_zone *out, const char *dir,
		  bool incremental, uint32_t serial)
{
	*out = (struct transfer_zone){.file = -1};
	struct reading *r = calloc(1, sizeof *r);
	if (!r)
		return fail(t, ERR_NOMEM, "out of memory");
	r->t = t;
	r->out = out;
	r->dir = dir;
	r->from = serial;
	int err = ask(t, incremental ? DNS_IXFR : DNS_AXFR, serial);
	if (!err)
		err = read_all(r);
	if (r->text && (fflush(r->text) != 0 || ferror(r->text)) && !err)
		err = fail(t, ERR_IO, strerror(errno));
	if (r->text)
		fclose(r->text);
	if (!err && out->file >= 0 && lseek(out->file, 0, SEEK_SET) != 0)
		err = fail(t, ERR_IO, strerror(errno));
	free(r);
	return err;
}

void transfer_zone_fini(struct transfer_zone *z)
{
	if (z->file >= 0)
		close(z->file);
	free(z->text);
	free(z->part);
	*z = (struct transfer_zone){.file = -1};
}
