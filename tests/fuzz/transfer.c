/* transfer.c: bytes as a primary's answers to the questions for a zone's SOA and for the
 * zone. Input: a byte of options, then messages, each a 16-bit length and as many bytes.
 * The first answers the SOA question, the rest is the transfer. With OPTION_FIT the ID is
 * made right and the question put in, with OPTION_KEY both sides have a key, and the top
 * bit of a length has the message signed. What comes out must read as a list. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "include/feed.h"
#include "tools/transfer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	OPTION_FIT = 1,
	OPTION_KEY = 2,
	OPTION_INCREMENTAL = 4,
	HELD_SERIAL = 7, /* the version that the changes begin with */
};

static const uint8_t zone[] = "\3rpz\7example";

static void must(bool good)
{
	if (!good)
		abort();
}

/* ---- the primary ---- */

struct primary {
	int fd;
	uint8_t options;
	const struct tsig_key *key;
	struct wire_reader in;
	uint8_t question[DNS_UDP_MAX], msg[65536 + DNS_UDP_MAX];
	size_t question_len;
};

/* The question as it came, its signature checked and off. */
static bool hear(struct primary *p, struct tsig *t)
{
	uint8_t len[2];
	if (recv(p->fd, len, 2, MSG_WAITALL) != 2)
		return false;
	p->question_len = wire_get16(len);
	must(p->question_len <= sizeof p->question);
	if (recv(p->fd, p->question, p->question_len, MSG_WAITALL) !=
	    (ssize_t)p->question_len)
		return false;
	if (p->key)
		must(tsig_check(t, p->question, &p->question_len, time(NULL)) == 1);
	t->go_on = false; /* what follows is the answer */
	return true;
}

/* The next message of the input, behind two bytes for its length. */
static size_t next_message(struct primary *p, bool *sign)
{
	unsigned head = wire_u16(&p->in);
	size_t len = head & 0x7fff, left = wire_left(&p->in);
	len = len < left ? len : left;
	*sign = p->key && head & 0x8000;
	const uint8_t *bytes = wire_take(&p->in, len);
	uint8_t *msg = p->msg + 2;
	size_t question = name_len(zone) + 4;
	if (!bytes)
		return 0;
	if (!(p->options & OPTION_FIT) || len < DNS_HEADER_LEN) {
		memcpy(msg, bytes, len);
		return len;
	}
	memcpy(msg, bytes, DNS_HEADER_LEN);
	memcpy(msg, p->question, 2);
	wire_set16(msg + 4, 1);
	memcpy(msg + DNS_HEADER_LEN, p->question + DNS_HEADER_LEN, question);
	memcpy(msg + DNS_HEADER_LEN + question, bytes + DNS_HEADER_LEN,
	       len - DNS_HEADER_LEN);
	return len + question;
}

/* Sends one message; false when nobody listens any more, or there is none. */
static bool tell(struct primary *p, struct tsig *t)
{
	bool sign;
	if (!wire_left(&p->in))
		return false;
	size_t len = next_message(p, &sign);
	if (sign && len >= DNS_HEADER_LEN)
		must(tsig_sign(t, p->msg + 2, &len, sizeof p->msg - 2, time(NULL)) ==
		     ERR_OK);
	wire_set16(p->msg, (unsigned)len);
	return send(p->fd, p->msg, len + 2, MSG_NOSIGNAL) == (ssize_t)len + 2;
}

static void *serve(void *arg)
{
	struct primary *p = arg;
	bool on = true;
	for (int question = 0; on && question < 2; question++) {
		struct tsig t = {.key = NULL};
		if (p->key)
			must(tsig_open(&t, p->key) == ERR_OK);
		on = hear(p, &t) && tell(p, &t);
		while (on && question == 1)
			on = tell(p, &t);
		if (p->key)
			tsig_close(&t);
	}
	shutdown(p->fd, SHUT_WR);
	return NULL;
}

/* ---- what came ---- */

static int each_item(void *arg, const struct blocklist_item *item, uint64_t line)
{
	(void)arg;
	must(item->kind < RULE_KIND_N || item->key.prefix.addr.family);
	must(line > 0);
	return 0;
}

static int each_skip(void *arg, enum feed_skip why, uint64_t line, const char *text)
{
	(void)arg;
	(void)line;
	(void)text;
	must(why != FEED_SKIP_SYNTAX && why != FEED_SKIP_OUTSIDE);
	return 0;
}

/* Whole lines, each a record that the reader of lists understands, if only to leave it
 * out. */
static void check_text(const char *text, size_t len)
{
	const struct feed_options options = {.format = FEED_RPZ, .origin = "rpz.example"};
	const struct feed_callbacks cb = {.item = each_item, .skip = each_skip};
	struct feed_result r;
	must(len == 0 || text[len - 1] == '\n');
	if (len)
		must(feed_read_memory(&r, text, len, &options, &cb) == ERR_OK);
}

static void check_zone(const struct transfer_zone *z)
{
	size_t at = 0;
	if (z->file >= 0) {
		off_t len = lseek(z->file, 0, SEEK_END);
		must(len > 0 && z->parts == 0);
		char *text = mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, z->file, 0);
		must(text != MAP_FAILED);
		check_text(text, (size_t)len);
		munmap(text, (size_t)len);
		return;
	}
	must(z->parts > 0 && z->parts % 2 == 0 && z->parts <= TRANSFER_PARTS_MAX);
	for (int i = 0; i < z->parts; at += z->part[i++].len) {
		must(z->part[i].at == at && z->part[i].add == (i % 2 == 1));
		check_text(z->text + at, z->part[i].len);
	}
	must(strlen(z->text) == at && soa_newer(z->soa.serial, HELD_SERIAL));
}

static void follow(struct transfer *t, bool incremental)
{
	static const char *const dir = "/tmp";
	struct transfer_zone z = {.file = -1};
	struct soa soa;
	t->why[0] = 0;
	int err = transfer_soa(t, &soa);
	if (!err)
		err = transfer_zone(t, &z, dir, incremental, HELD_SERIAL);
	if (!err)
		check_zone(&z);
	must((err != ERR_OK) == (t->why[0] != 0));
	must(err != ERR_BUSY && err != ERR_STOPPED && err != ERR_NOMEM);
	transfer_zone_fini(&z);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct tsig_key key = {
		.name = "\3key\7example", .secret = "0123456789abcdef", .secret_len = 16};
	static struct primary p;
	static struct transfer t;
	int fd[2];
	pthread_t thread;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
	p.fd = fd[0];
	p.in = wire_reader(data, size);
	p.options = wire_u8(&p.in);
	p.key = p.options & OPTION_KEY ? &key : NULL;
	must(fcntl(fd[1], F_SETFL, O_NONBLOCK) == 0);
	t.stream = (struct stream){.fd = fd[1], .stop_fd = -1};
	t.zone = zone;
	t.qtype = 0;
	t.tsig = (struct tsig){.key = NULL};
	if (p.key)
		must(tsig_open(&t.tsig, &key) == ERR_OK);
	must(pthread_create(&thread, NULL, serve, &p) == 0);
	follow(&t, p.options & OPTION_INCREMENTAL);
	transfer_close(&t); /* the primary hears that nobody listens */
	pthread_join(thread, NULL);
	close(p.fd);
	return 0;
}
