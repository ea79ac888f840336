#include <assert.h>
#include <errno.h>
#include <ldns/ldns.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "zones/root.h"

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
	const char *path;
	char *error;
	int line;
};

static int fail(struct loader *l, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(struct loader *l, int code, const char *fmt, ...)
{
	int n = snprintf(l->error, ROOT_ERROR_MAX, "%.120s:%d: ", l->path, l->line);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(l->error + n, ROOT_ERROR_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	return code;
}

/* The wire form of a name ldns parsed, lower-cased; ldns keeps it so in one RDATA field.
 */
static int take_name(uint8_t out[DNS_NAME_MAX], const ldns_rdf *rdf)
{
	size_t n = rdf ? ldns_rdf_size(rdf) : 0;
	if (n == 0 || n > DNS_NAME_MAX)
		return ERR_FORMAT;
	memcpy(out, ldns_rdf_data(rdf), n);
	name_lower(out, n);
	return ERR_OK;
}

static struct root_server *find_server(struct root_hints *h, const uint8_t *name)
{
	for (int i = 0; i < h->server_n; i++)
		if (name_equal(h->server[i].name, name))
			return &h->server[i];
	return NULL;
}

static int add_server(struct loader *l, const uint8_t *owner, const ldns_rdf *rdf)
{
	struct root_hints *h = l->hints;
	uint8_t name[DNS_NAME_MAX];
	if (*owner)
		return fail(l, ERR_INVAL,
			    "an NS record of another name than the root; "
			    "remove it");
	if (take_name(name, rdf))
		return fail(l, ERR_FORMAT, "an NS record without a name");
	if (find_server(h, name)) /* once per address, as some tools write it */
		return ERR_OK;
	if (h->server_n == ROOT_SERVERS_MAX)
		return fail(l, ERR_INVAL, "more than %d name servers; leave the best",
			    ROOT_SERVERS_MAX);
	h->server[h->server_n++] = (struct root_server){0};
	name_copy(h->server[h->server_n - 1].name, name);
	return ERR_OK;
}

static int add_addr(struct loader *l, const uint8_t *owner, const ldns_rdf *rdf)
{
	struct root_server *s = find_server(l->hints, owner);
	size_t n = rdf ? ldns_rdf_size(rdf) : 0;
	char text[DNS_NAME_TEXT_MAX];
	struct addr a;
	if (!s)
		return fail(l, ERR_INVAL,
			    "an address of %.100s, but no NS record of the "
			    "root names that server; add one or remove this",
			    name_to_text(text, owner));
	if (n != 4 && n != 16)
		return fail(l, ERR_FORMAT, "an address record without an address");
	a = n == 4 ? addr_v4(ldns_rdf_data(rdf), 0) : addr_v6(ldns_rdf_data(rdf), 0);
	for (int i = 0; i < s->addr_n; i++)
		if (addr_equal(&s->addr[i], &a))
			return ERR_OK;
	if (s->addr_n == ROOT_ADDRS_MAX)
		return fail(l, ERR_INVAL,
			    "more than %d addresses of one server; leave "
			    "the best",
			    ROOT_ADDRS_MAX);
	s->addr[s->addr_n++] = a;
	return ERR_OK;
}

/* Two passes over the file, so that its order does not matter: servers, then addresses.
 */
enum pass { PASS_SERVERS, PASS_ADDRS };

static int add_record(struct loader *l, const ldns_rr *rr, enum pass pass)
{
	uint8_t owner[DNS_NAME_MAX];
	ldns_rr_type type = ldns_rr_get_type(rr);
	if (take_name(owner, ldns_rr_owner(rr)))
		return fail(l, ERR_FORMAT, "a record without an owner");
	if (ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN)
		return fail(l, ERR_INVAL, "a record of another class than IN; remove it");
	switch (type) {
	case LDNS_RR_TYPE_NS:
		return pass == PASS_SERVERS ? add_server(l, owner, ldns_rr_rdf(rr, 0))
					    : ERR_OK;
	case LDNS_RR_TYPE_A:
	case LDNS_RR_TYPE_AAAA:
		return pass == PASS_ADDRS ? add_addr(l, owner, ldns_rr_rdf(rr, 0))
					  : ERR_OK;
	default:
		return fail(l, ERR_INVAL,
			    "a record of type %u; only NS records of the root "
			    "and the servers' A and AAAA records belong here",
			    (unsigned)type);
	}
}

/* ldns answers empty lines, $ORIGIN and $TTL with a status of their own. */
static bool is_no_record(ldns_status s)
{
	return s == LDNS_STATUS_SYNTAX_TTL || s == LDNS_STATUS_SYNTAX_ORIGIN ||
	       s == LDNS_STATUS_SYNTAX_EMPTY;
}

static int read_pass(struct loader *l, FILE *f, enum pass pass)
{
	ldns_rdf *origin = ldns_dname_new_frm_str("."), *prev = NULL;
	uint32_t ttl = 3600;
	int err = origin ? ERR_OK : ERR_NOMEM;
	l->line = 0;
	while (!err && !feof(f)) {
		ldns_rr *rr = NULL;
		ldns_status s =
			ldns_rr_new_frm_fp_l(&rr, f, &ttl, &origin, &prev, &l->line);
		if (s == LDNS_STATUS_OK && rr)
			err = add_record(l, rr, pass);
		else if (s != LDNS_STATUS_OK && !is_no_record(s))
			err = fail(l, ERR_FORMAT, "not a record in zone format: %s",
				   ldns_get_errorstr_by_id(s));
		ldns_rr_free(rr);
	}
	ldns_rdf_deep_free(origin);
	ldns_rdf_deep_free(prev);
	return err;
}

static int check_whole(struct loader *l)
{
	const struct root_hints *h = l->hints;
	char text[DNS_NAME_TEXT_MAX];
	if (h->server_n == 0)
		return fail(l, ERR_INVAL,
			    "no NS record of the root in the file; give "
			    "lines such as: . NS a.root-servers.net.");
	for (int i = 0; i < h->server_n; i++)
		if (h->server[i].addr_n == 0)
			return fail(l, ERR_INVAL,
				    "no address of server %.100s in the "
				    "file; add its A or AAAA record",
				    name_to_text(text, h->server[i].name));
	return ERR_OK;
}

static int cannot_read(const char *path, char error[ROOT_ERROR_MAX])
{
	int e = errno;
	snprintf(error, ROOT_ERROR_MAX,
		 "%.120s: cannot be read: %s; check "
		 "recursion.root_hints",
		 path, strerror(e));
	return e == ENOENT ? ERR_NOENT : e == EACCES ? ERR_ACCESS : ERR_IO;
}

int root_hints_load(struct root_hints *out, const char *path, char error[ROOT_ERROR_MAX])
{
	struct loader l = {.hints = out, .path = path, .error = error};
	struct stat st;
	int err = ERR_OK;
	*out = (struct root_hints){0};
	error[0] = 0;
	FILE *f = fopen(path, "re");
	if (!f)
		return cannot_read(path, error);
	if (fstat(fileno(f), &st) != 0)
		err = cannot_read(path, error);
	else if (!S_ISREG(st.st_mode) || st.st_size > ROOT_FILE_MAX)
		err = fail(&l, ERR_INVAL,
			   "not a plain file of at most %d bytes; give "
			   "root hints in zone format",
			   ROOT_FILE_MAX);
	if (!err)
		err = read_pass(&l, f, PASS_SERVERS);
	rewind(f);
	if (!err)
		err = read_pass(&l, f, PASS_ADDRS);
	if (!err)
		err = check_whole(&l);
	fclose(f);
	return err;
}
