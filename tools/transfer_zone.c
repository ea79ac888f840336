#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "resolver/rdata.h"
#include "tools/transfer.h"

/* A zone's records as text, whole or by what has changed. */

enum {
	HEX_MAX = 2 * 65535,
	/* Five times the largest list that all else is measured with. */
	ZONE_RECORDS_MAX = 50000000,
	/* The text of a zone may take a quarter of what is free on the disk: the import
	 * needs as much again, and hits may be on it, too. */
	DISK_SHARE = 4,
};

/* ---- records as text ---- */

struct reading {
	struct transfer *t;
	struct transfer_zone *out;
	const char *dir;
	FILE *text;
	size_t memory_len;
	uint64_t text_len, text_max, records;
	enum { AT_SOA, AT_FIRST, WHOLE, REMOVED, ADDED, OVER } at;
	uint32_t from, to; /* of the changes at hand */
	uint8_t rdata[65535];
	char hex[HEX_MAX + 1];
};

static int too_much(struct reading *r)
{
	if (r->out->file < 0)
		return transfer_fail(r->t, ERR_RANGE, "too many changes");
	return transfer_fail(r->t, ERR_FULL,
			     "the zone is larger than the disk has room for");
}

/* Names come in the form of their type, everything else in RFC 3597's. */
static int write_record(struct reading *r, const struct wire_rr *rr)
{
	static const char digits[] = "0123456789abcdef";
	char owner[DNS_NAME_TEXT_MAX], target[DNS_NAME_TEXT_MAX];
	int wrote, n = rdata_expand(r->rdata, sizeof r->rdata, r->t->msg, r->t->len,
				    rr->rdata, rr->rdlength, rr->type);
	if (n < 0)
		return transfer_fail(r->t, ERR_FORMAT,
				     "a record of the zone is malformed");
	if (r->records++ == ZONE_RECORDS_MAX)
		return transfer_fail(r->t, ERR_FORMAT, "it sends more than any list has");
	r->out->empty = r->out->empty && (rr->type == DNS_NS || rr->type == DNS_SOA);
	name_to_text(owner, rr->owner);
	if (rr->type == DNS_CNAME) {
		name_to_text(target, r->rdata);
		wrote = fprintf(r->text, "%s. %u IN CNAME %s%s\n", owner, rr->ttl, target,
				*r->rdata ? "." : "");
	} else {
		for (int i = 0; i < n; i++) {
			r->hex[2 * i] = digits[r->rdata[i] >> 4];
			r->hex[2 * i + 1] = digits[r->rdata[i] & 15];
		}
		r->hex[2 * n] = 0;
		wrote = fprintf(r->text, "%s. %u IN TYPE%u \\# %d %s\n", owner, rr->ttl,
				rr->type, n, r->hex);
	}
	if (wrote < 0)
		return transfer_fail(r->t, ERR_IO, strerror(errno));
	r->text_len += (uint64_t)wrote;
	return r->text_len > r->text_max ? too_much(r) : ERR_OK;
}

/* What begins with a comment is no other format's, whatever the first name looks like. */
static int begin_text(struct reading *r)
{
	static const char comment[] = ";\n";
	if (fputs(comment, r->text) < 0)
		return transfer_fail(r->t, ERR_IO, strerror(errno));
	r->text_len += sizeof comment - 1;
	return ERR_OK;
}

static int begin_whole(struct reading *r)
{
	struct statvfs disk;
	int fd = open(r->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	r->out->file = fd;
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	r->text = copy < 0 || fstatvfs(fd, &disk) ? NULL : fdopen(copy, "w");
	if (r->text) {
		r->text_max = (uint64_t)disk.f_bavail * disk.f_frsize / DISK_SHARE;
		return begin_text(r);
	}
	if (copy >= 0)
		close(copy);
	return transfer_fail(r->t, ERR_IO, strerror(errno));
}

static int begin_part(struct reading *r, bool add)
{
	struct transfer_zone *z = r->out;
	if (!r->text)
		r->text = open_memstream(&z->text, &r->memory_len);
	r->text_max = TRANSFER_DELTA_MAX;
	if (!z->part)
		z->part = calloc(TRANSFER_PARTS_MAX, sizeof *z->part);
	if (!r->text || !z->part)
		return transfer_fail(r->t, ERR_NOMEM, "out of memory");
	if (z->parts == TRANSFER_PARTS_MAX)
		return too_much(r);
	z->part[z->parts++] = (struct transfer_part){r->text_len, 0, add};
	return begin_text(r);
}

static void end_part(struct reading *r)
{
	struct transfer_zone *z = r->out;
	if (z->parts)
		z->part[z->parts - 1].len = r->text_len - z->part[z->parts - 1].at;
}

/* ---- the order of records ---- */

/* An SOA among the changes: the next part begins, or all is over. RFC 1995 4. */
static int soa_of_changes(struct reading *r, const struct soa *soa)
{
	end_part(r);
	if (r->at == REMOVED) {
		if (!soa_newer(soa->serial, r->from))
			return transfer_fail(r->t, ERR_FORMAT,
					     "its changes go back in time");
		r->to = soa->serial;
		r->at = ADDED;
		return begin_part(r, true);
	}
	if (soa->serial != r->to)
		return transfer_fail(r->t, ERR_FORMAT,
				     "a version is missing among its changes");
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
		return transfer_fail(r->t, ERR_FORMAT, "the zone that it sends is empty");
	int err = begin_whole(r);
	r->out->empty = true;
	r->at = WHOLE;
	return err ? err : write_record(r, rr);
}

static int take_record(struct reading *r, const struct wire_rr *rr)
{
	struct soa soa;
	bool is = transfer_is_soa(r->t, rr);
	if (is)
		transfer_read_soa(&soa, rr);
	if (rr->class != DNS_IN || !name_within(rr->owner, r->t->zone))
		return transfer_fail(r->t, ERR_FORMAT,
				     "it sends records of another zone");
	switch (r->at) {
	case AT_SOA:
		if (!is)
			return transfer_fail(r->t, ERR_FORMAT,
					     "its answer begins without SOA");
		r->out->soa = soa;
		r->at = AT_FIRST;
		return ERR_OK;
	case AT_FIRST:
		return first_record(r, rr, is ? &soa : NULL);
	case WHOLE:
		if (is && soa.serial != r->out->soa.serial)
			return transfer_fail(r->t, ERR_FORMAT,
					     "the zone changed on the way");
		r->at = is ? OVER : WHOLE;
		return write_record(r, rr); /* the SOA tells an import the serial */
	case REMOVED:
	case ADDED:
		if (is)
			return soa_of_changes(r, &soa);
		return write_record(r, rr);
	default:
		return transfer_fail(r->t, ERR_FORMAT, "it sends records behind the end");
	}
}

static int read_message(struct reading *r, bool first)
{
	struct wire_walk w;
	struct wire_rr rr;
	int err = transfer_read(r->t, &w, first), n = 0;
	while (!err && wire_walk_next(&w, &rr))
		if (rr.section == WIRE_ANSWER) {
			err = take_record(r, &rr);
			n++;
		}
	if (!err && n == 0)
		err = transfer_fail(r->t, ERR_FORMAT, "it sends an empty message");
	return err;
}

static int read_all(struct reading *r)
{
	int err = ERR_OK;
	for (bool first = true; !err && r->at != OVER; first = false) {
		err = transfer_receive(r->t);
		if (!err)
			err = read_message(r, first);
		/* Nothing but its SOA: it has no changes to tell, RFC 1995 4. */
		if (!err && first && r->at == AT_FIRST && r->t->qtype == DNS_IXFR)
			return transfer_fail(r->t, ERR_VERSION,
					     "it does not tell what changed");
	}
	if (!err && r->t->tsig.key && r->t->tsig.unsigned_n)
		err = transfer_fail(r->t, ERR_ACCESS,
				    "the end of its answer is not signed");
	return err;
}

int transfer_zone(struct transfer *t, struct transfer_zone *out, const char *dir,
		  bool incremental, uint32_t serial)
{
	*out = (struct transfer_zone){.file = -1};
	struct reading *r = calloc(1, sizeof *r);
	if (!r)
		return transfer_fail(t, ERR_NOMEM, "out of memory");
	r->t = t;
	r->out = out;
	r->dir = dir;
	r->from = serial;
	int err = transfer_ask(t, incremental ? DNS_IXFR : DNS_AXFR, serial);
	if (!err)
		err = read_all(r);
	if (r->text && (fflush(r->text) != 0 || ferror(r->text)) && !err)
		err = transfer_fail(t, ERR_IO, strerror(errno));
	if (r->text)
		fclose(r->text);
	if (!err && out->file >= 0 && lseek(out->file, 0, SEEK_SET) != 0)
		err = transfer_fail(t, ERR_IO, strerror(errno));
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
