#include "zones/root.h"

#include <assert.h>
#include <stdio.h>

/* As in zones/root.hints, which a test compares with this table. */
static const struct {
	char letter;
	const char *ipv4, *ipv6;
} builtin[ROOT_SERVERS_MAX] = {
	{'a', "198.41.0.4", "2001:503:ba3e::2:30"},
	{'b', "170.247.170.2", "2801:1b8:10::b"},
	{'c', "192.33.4.12", "2001:500:2::c"},
	{'d', "199.7.91.13", "2001:500:2d::d"},
	{'e', "192.203.230.10", "2001:500:a8::e"},
	{'f', "192.5.5.241", "2001:500:2f::f"},
	{'g', "192.112.36.4", "2001:500:12::d0d"},
	{'h', "198.97.190.53", "2001:500:1::53"},
	{'i', "192.36.148.17", "2001:7fe::53"},
	{'j', "192.58.128.30", "2001:503:c27::2:30"},
	{'k', "193.0.14.129", "2001:7fd::1"},
	{'l', "199.7.83.42", "2001:500:9f::42"},
	{'m', "202.12.27.33", "2001:dc3::35"},
};

void root_hints_builtin(struct root_hints *out)
{
	*out = (struct root_hints){.server_n = ROOT_SERVERS_MAX};
	for (int i = 0; i < ROOT_SERVERS_MAX; i++) {
		struct root_server *s = &out->server[i];
		char name[] = "?.root-servers.net";
		name[0] = builtin[i].letter;
		s->addr_n = 2;
		int err = name_from_str(s->name, name);
		err |= addr_port_from_text(&s->addr[0], builtin[i].ipv4, 0);
		err |= addr_port_from_text(&s->addr[1], builtin[i].ipv6, 0);
		assert(err == ERR_OK);
	}
}

/* ---- a file in zone format ---- */

struct loader {
	struct root_hints *hints;
	struct zone_file *file;
};

static struct root_server *find_server(struct root_hints *h, const uint8_t *name)
{
	for (int i = 0; i < h->server_n; i++)
		if (name_equal(h->server[i].name, name))
			return &h->server[i];
	return NULL;
}

static int add_server(struct loader *l, struct zone_record *r)
{
	struct root_hints *h = l->hints;
	if (*r->owner)
		return zone_file_fail(l->file, ERR_INVAL,
				      "an NS record of another name than the root; "
				      "remove it");
	if (r->len == 0 || r->len > DNS_NAME_MAX)
		return zone_file_fail(l->file, ERR_FORMAT, "an NS record without a name");
	name_lower(r->rdata, r->len);
	if (find_server(h, r->rdata)) /* once per address, as some tools write it */
		return ERR_OK;
	if (h->server_n == ROOT_SERVERS_MAX)
		return zone_file_fail(l->file, ERR_INVAL,
				      "more than %d name servers; leave the best",
				      ROOT_SERVERS_MAX);
	h->server[h->server_n++] = (struct root_server){0};
	name_copy(h->server[h->server_n - 1].name, r->rdata);
	return ERR_OK;
}

static int add_addr(struct loader *l, const struct zone_record *r)
{
	struct root_server *s = find_server(l->hints, r->owner);
	char text[DNS_NAME_TEXT_MAX];
	struct addr a;
	if (!s)
		return zone_file_fail(l->file, ERR_INVAL,
				      "an address of %.100s, but no NS record of the "
				      "root names that server; add one or remove this",
				      name_to_text(text, r->owner));
	if (r->len != 4 && r->len != 16)
		return zone_file_fail(l->file, ERR_FORMAT,
				      "an address record without an address");
	a = r->len == 4 ? addr_v4(r->rdata, 0) : addr_v6(r->rdata, 0);
	for (int i = 0; i < s->addr_n; i++)
		if (addr_equal(&s->addr[i], &a))
			return ERR_OK;
	if (s->addr_n == ROOT_ADDRS_MAX)
		return zone_file_fail(l->file, ERR_INVAL,
				      "more than %d addresses of one server; leave "
				      "the best",
				      ROOT_ADDRS_MAX);
	s->addr[s->addr_n++] = a;
	return ERR_OK;
}

/* Two passes over the file, so that its order does not matter: servers, then addresses.
 */
enum pass { PASS_SERVERS, PASS_ADDRS };

static int add_record(struct loader *l, struct zone_record *r, enum pass pass)
{
	if (r->class != DNS_IN)
		return zone_file_fail(l->file, ERR_INVAL,
				      "a record of another class than IN; remove it");
	switch (r->type) {
	case DNS_NS:
		return pass == PASS_SERVERS ? add_server(l, r) : ERR_OK;
	case DNS_A:
	case DNS_AAAA:
		return pass == PASS_ADDRS ? add_addr(l, r) : ERR_OK;
	default:
		return zone_file_fail(l->file, ERR_INVAL,
				      "a record of type %u; only NS records of the root "
				      "and the servers' A and AAAA records belong here",
				      (unsigned)r->type);
	}
}

static int read_pass(struct loader *l, enum pass pass)
{
	struct zone_record r;
	int err = ERR_OK, more = ZONE_FILE_RECORD;
	zone_file_again(l->file);
	while (!err && (more = zone_file_next(l->file, &r)) == ZONE_FILE_RECORD)
		err = add_record(l, &r, pass);
	return err ? err : more;
}

static int check_whole(struct loader *l)
{
	const struct root_hints *h = l->hints;
	char text[DNS_NAME_TEXT_MAX];
	if (h->server_n == 0)
		return zone_file_fail(l->file, ERR_INVAL,
				      "no NS record of the root in the file; give "
				      "lines such as: . NS a.root-servers.net.");
	for (int i = 0; i < h->server_n; i++)
		if (h->server[i].addr_n == 0)
			return zone_file_fail(l->file, ERR_INVAL,
					      "no address of server %.100s in the "
					      "file; add its A or AAAA record",
					      name_to_text(text, h->server[i].name));
	return ERR_OK;
}

int root_hints_load(struct root_hints *out, const char *path, char error[ROOT_ERROR_MAX])
{
	struct loader l = {.hints = out};
	*out = (struct root_hints){0};
	int err = zone_file_open(&l.file, path, "recursion.root_hints", error);
	if (err)
		return err;
	err = read_pass(&l, PASS_SERVERS);
	if (!err)
		err = read_pass(&l, PASS_ADDRS);
	if (!err)
		err = check_whole(&l);
	zone_file_close(l.file);
	return err;
}
