#include "resolver/front_udp.h"

#include <errno.h>
#include <unistd.h>

#include "include/conf.h"
#include "include/dns.h"
#include "resolver/stats.h"

/* Room for the one control message that names the local address. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct udp_socket {
	uv_poll_t poll;
	struct front_udp *front;
	struct addr listen;
	int fd;
	bool wildcard;
};

/* Buffers for one batch; each socket's turn ends before the next one's begins. */
struct batch {
	struct mmsghdr in[FRONT_UDP_BATCH], out[FRONT_UDP_BATCH];
	struct iovec in_vec[FRONT_UDP_BATCH], out_vec[FRONT_UDP_BATCH];
	struct sockaddr_storage peer[FRONT_UDP_BATCH];
	struct asker from[FRONT_UDP_BATCH];
	union control in_control[FRONT_UDP_BATCH], out_control[FRONT_UDP_BATCH];
	uint8_t in_bytes[FRONT_UDP_BATCH][DNS_UDP_MAX];
	uint8_t out_bytes[FRONT_UDP_BATCH][DNS_UDP_MAX];
	int used; /* of in: so many have to be prepared again */
};

struct front_udp {
	struct front_hooks hooks;
	bool orphan; /* open failed: nobody else will free it */
	int n, handles;
	struct udp_socket sockets[CONF_LISTEN_MAX];
	struct batch batch;
};

int front_udp_bind(int *fds, int n, const struct addr *listen)
{
	return front_bind(fds, n, SOCK_DGRAM, listen);
}

/* ---- local addresses of wildcard sockets ---- */

static void read_local(struct addr *local, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof info);
			memcpy(local->bytes, &info.ipi_spec_dst, 4);
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
			   c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof info);
			memcpy(local->bytes, &info.ipi6_addr, 16);
		}
	}
}

/* The answer leaves from local; which interface is for routing to find out. */
static void write_local(struct msghdr *m, union control *control,
			const struct addr *local)
{
	memset(control, 0, sizeof *control);
	m->msg_control = control->bytes;
	if (local->family == 4) {
		struct in_pktinfo info = {0};
		m->msg_controllen = CMSG_SPACE(sizeof info);
		memcpy(&info.ipi_spec_dst, local->bytes, 4);
		control->align.cmsg_level = IPPROTO_IP;
		control->align.cmsg_type = IP_PKTINFO;
		control->align.cmsg_len = CMSG_LEN(sizeof info);
		memcpy(CMSG_DATA(&control->align), &info, sizeof info);
	} else {
		struct in6_pktinfo info = {0};
		m->msg_controllen = CMSG_SPACE(sizeof info);
		memcpy(&info.ipi6_addr, local->bytes, 16);
		control->align.cmsg_level = IPPROTO_IPV6;
		control->align.cmsg_type = IPV6_PKTINFO;
		control->align.cmsg_len = CMSG_LEN(sizeof info);
		memcpy(CMSG_DATA(&control->align), &info, sizeof info);
	}
}

/* ---- one batch ---- */

/* Only what the last batch used is prepared again: most are far from full. */
static int receive(struct batch *b, int fd)
{
	while (b->used > 0) {
		int i = --b->used;
		b->in_vec[i] = (struct iovec){b->in_bytes[i], DNS_UDP_MAX};
		b->in[i].msg_hdr = (struct msghdr){
			.msg_name = &b->peer[i],
			.msg_namelen = sizeof b->peer[i],
			.msg_iov = &b->in_vec[i],
			.msg_iovlen = 1,
			.msg_control = &b->in_control[i],
			.msg_controllen = sizeof b->in_control[i],
		};
	}
	int got = recvmmsg(fd, b->in, FRONT_UDP_BATCH, MSG_DONTWAIT, NULL);
	b->used = got > 0 ? got : 0; /* an error leaves them as they are */
	return got;
}

/* Services that answer whatever they get would play ping-pong with our FORMERR: echo,
 * daytime, qotd, chargen, time, kpasswd (BIND drops the same). 53 is no such port: name
 * servers that forward from a fixed port are clients like others. */
static bool is_answering_port(uint16_t port)
{
	return port == 0 || port == 7 || port == 13 || port == 17 || port == 19 ||
	       port == 37 || port == 464;
}

/* Who sent datagram i; false when nobody can be answered or must be. */
static bool read_asker(struct asker *from, const struct udp_socket *s, struct batch *b,
		       int i)
{
	const struct sockaddr_storage *peer = &b->peer[i];
	struct msghdr *m = &b->in[i].msg_hdr;
	*from = (struct asker){
		.client = addr_from_sockaddr((const struct sockaddr *)peer),
		.listener = s->listen,
		.transport = HIT_UDP,
		.slot = (uint32_t)(s - s->front->sockets),
	};
	if (m->msg_flags & MSG_TRUNC || is_answering_port(from->client.port))
		return false;
	if (from->client.family == 6)
		from->serial = ((const struct sockaddr_in6 *)peer)->sin6_scope_id;
	if (s->wildcard)
		read_local(&from->listener, m);
	for (int k = 0; k < s->front->n; k++)
		if (addr_equal(&from->client, &s->front->sockets[k].listen))
			return false;
	return !addr_equal(&from->client, &from->listener);
}

static void send_batch(struct front_udp *f, int fd, unsigned n)
{
	struct mmsghdr *out = f->batch.out;
	unsigned at = 0;
	while (at < n) {
		int sent = sendmmsg(fd, out + at, n - at, MSG_DONTWAIT);
		if (sent > 0) {
			at += (unsigned)sent;
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			stats_add(f->hooks.stats, STATS_DROP_SEND, n - at);
			return;
		} else { /* only this one cannot leave, no route back for instance */
			stats_count(f->hooks.stats, STATS_DROP_SEND);
			at++;
		}
	}
}

/* Leaves in wanted which of the datagrams are to be served; returns how many. */
static int read_askers(struct udp_socket *s, int got, uint8_t wanted[FRONT_UDP_BATCH])
{
	struct front_udp *f = s->front;
	struct batch *b = &f->batch;
	int n = 0;
	for (int i = 0; i < got; i++) {
		if (!read_asker(&b->from[i], s, b, i)) {
			stats_count(f->hooks.stats, STATS_DROP_MALFORMED);
			continue;
		}
		wanted[n++] = (uint8_t)i;
		if (f->hooks.expect)
			f->hooks.expect(f->hooks.arg, b->in_bytes[i], b->in[i].msg_len);
	}
	return n;
}

/* Answers datagram i; *n_out counts the answers that stand in b->out. */
static void serve_one(struct udp_socket *s, int i, unsigned *n_out)
{
	struct front_udp *f = s->front;
	struct batch *b = &f->batch;
	unsigned k = *n_out;
	size_t len = 0;
	if (f->hooks.serve(f->hooks.arg, &b->from[i], b->in_bytes[i], b->in[i].msg_len,
			   b->out_bytes[k], &len) != SERVE_ANSWER)
		return;
	b->out_vec[k] = (struct iovec){b->out_bytes[k], len};
	b->out[k].msg_hdr = (struct msghdr){
		.msg_name = &b->peer[i],
		.msg_namelen = b->in[i].msg_hdr.msg_namelen,
		.msg_iov = &b->out_vec[k],
		.msg_iovlen = 1,
	};
	if (s->wildcard)
		write_local(&b->out[k].msg_hdr, &b->out_control[k], &b->from[i].listener);
	*n_out = k + 1;
}

/* One batch; how many there were, 0 for none. */
static int take_batch(struct udp_socket *s)
{
	struct front_udp *f = s->front;
	uint8_t wanted[FRONT_UDP_BATCH];
	unsigned n_out = 0;
	int got = receive(&f->batch, s->fd);
	if (got <= 0)
		return 0;
	f->hooks.begin(f->hooks.arg);
	int n = read_askers(s, got, wanted);
	for (int k = 0; k < n; k++)
		serve_one(s, wanted[k], &n_out);
	send_batch(f, s->fd, n_out);
	f->hooks.end(f->hooks.arg);
	return got;
}

/* Whether there was another batch before busy_us had gone by. */
static bool wait_busily(struct udp_socket *s, int *got)
{
	uint64_t until = uv_hrtime() + (uint64_t)s->front->hooks.busy_us * 1000;
	do {
		*got = take_batch(s);
	} while (!*got && uv_hrtime() < until);
	return *got;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct udp_socket *s = poll->data;
	int busy_us = s->front->hooks.busy_us, got = take_batch(s);
	(void)events;
	for (int i = 1; i < FRONT_UDP_BATCHES && got; i++) {
		if (uv_is_closing((uv_handle_t *)poll))
			return;
		if (got == FRONT_UDP_BATCH)
			got = take_batch(s);
		else if (!busy_us || !wait_busily(s, &got))
			break;
	}
	if (uv_is_closing((uv_handle_t *)poll))
		return;
	/* libuv stops a handle whose socket had an error pending; reading took it. */
	if (status < 0)
		(void)uv_poll_start(poll, UV_READABLE, on_readable);
}

/* ---- late answers ---- */

void front_udp_send(struct front_udp *f, const struct asker *to, const uint8_t *bytes,
		    size_t len)
{
	struct sockaddr_storage peer;
	union control control;
	if (!len || to->slot >= (uint32_t)f->n || f->sockets[to->slot].fd < 0)
		return;
	const struct udp_socket *s = &f->sockets[to->slot];
	/* sendmsg() only reads it. */
	struct iovec vec = {(void *)(uintptr_t)bytes, len};
	struct msghdr m = {
		.msg_name = &peer,
		.msg_namelen = addr_to_sockaddr(&peer, &to->client),
		.msg_iov = &vec,
		.msg_iovlen = 1,
	};
	if (to->client.family == 6)
		((struct sockaddr_in6 *)&peer)->sin6_scope_id = (uint32_t)to->serial;
	if (s->wildcard)
		write_local(&m, &control, &to->listener);
	if (sendmsg(s->fd, &m, MSG_DONTWAIT) < 0)
		stats_count(f->hooks.stats, STATS_DROP_SEND);
}

/* ---- opening and closing ---- */

static void on_closed(uv_handle_t *handle)
{
	struct udp_socket *s = handle->data;
	struct front_udp *f = s->front;
	if (--f->handles == 0 && f->orphan)
		free(f);
}

void front_udp_shutdown(struct front_udp *f)
{
	if (!f)
		return;
	for (int i = 0; i < f->n; i++) {
		struct udp_socket *s = &f->sockets[i];
		if (s->fd < 0)
			continue;
		if (i < f->handles)
			uv_close((uv_handle_t *)&s->poll, on_closed);
		close(s->fd);
		s->fd = -1;
	}
}

void front_udp_free(struct front_udp *f)
{
	free(f);
}

static int start(struct udp_socket *s, uv_loop_t *loop)
{
	if (uv_poll_init(loop, &s->poll, s->fd))
		return ERR_IO;
	s->front->handles++;
	s->poll.data = s;
	return uv_poll_start(&s->poll, UV_READABLE, on_readable) ? ERR_IO : ERR_OK;
}

int front_udp_open(struct front_udp **out, uv_loop_t *loop,
		   const struct front_hooks *hooks, const struct addr *listen,
		   const int *fds, int n)
{
	struct front_udp *f = n > CONF_LISTEN_MAX ? NULL : calloc(1, sizeof *f);
	int err = ERR_OK;
	*out = NULL;
	if (!f) {
		for (int i = 0; i < n; i++)
			close(fds[i]);
		return ERR_NOMEM;
	}
	f->hooks = *hooks;
	f->n = n;
	f->batch.used = FRONT_UDP_BATCH;
	for (int i = 0; i < n; i++)
		f->sockets[i] = (struct udp_socket){
			.front = f,
			.listen = listen[i],
			.fd = fds[i],
			.wildcard = front_wildcard(&listen[i]),
		};
	for (int i = 0; i < n && !err; i++)
		err = start(&f->sockets[i], loop);
	if (!err) {
		*out = f;
		return ERR_OK;
	}
	f->orphan = true;
	bool none = f->handles == 0;
	front_udp_shutdown(f);
	if (none)
		free(f);
	return err;
}
