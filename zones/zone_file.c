#include "zones/zone_file.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <stdarg.h>
#include <sys/stat.h>

struct zone_file {
	FILE *f;
	const char *path;
	char *error;
	ldns_rdf *origin, *prev;
	uint32_t ttl;
	int line;    /* ldns counts ends of lines */
	bool ragged; /* the last line has none */
};

int zone_file_fail(struct zone_file *z, int code, const char *fmt, ...)
{
	int n = snprintf(z->error, ZONE_FILE_ERROR_MAX, "%.120s:%d: ", z->path,
			 z->line + (z->ragged && feof(z->f)));
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(z->error + n, ZONE_FILE_ERROR_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	return code;
}

static int cannot_read(const char *path, const char *key, char error[ZONE_FILE_ERROR_MAX])
{
	int e = errno;
	snprintf(error, ZONE_FILE_ERROR_MAX, "%.120s: cannot be read: %s; check %s", path,
		 strerror(e), key);
	return e == ENOENT ? ERR_NOENT : e == EACCES ? ERR_ACCESS : ERR_IO;
}

static void forget_context(struct zone_file *z)
{
	ldns_rdf_deep_free(z->origin);
	ldns_rdf_deep_free(z->prev);
	z->origin = z->prev = NULL;
}

/* Takes f over, also when it fails. */
static int open_stream(struct zone_file **out, FILE *f, const char *path,
		       char error[ZONE_FILE_ERROR_MAX])
{
	struct zone_file *z = f ? calloc(1, sizeof *z) : NULL;
	*out = z;
	if (!z) {
		snprintf(error, ZONE_FILE_ERROR_MAX, "out of memory");
		if (f)
			fclose(f);
		return ERR_NOMEM;
	}
	*z = (struct zone_file){.f = f, .path = path, .error = error};
	z->ragged = fseek(f, -1, SEEK_END) == 0 && getc(f) != '\n';
	zone_file_again(z);
	return ERR_OK;
}

int zone_file_open(struct zone_file **out, const char *path, const char *key,
		   char error[ZONE_FILE_ERROR_MAX])
{
	struct stat st;
	FILE *f = fopen(path, "re");
	*out = NULL;
	error[0] = 0;
	if (!f)
		return cannot_read(path, key, error);
	if (fstat(fileno(f), &st) != 0) {
		int err = cannot_read(path, key, error);
		fclose(f);
		return err;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > ZONE_FILE_MAX) {
		snprintf(error, ZONE_FILE_ERROR_MAX,
			 "%.120s: not a plain file of at most %d bytes; check %s", path,
			 ZONE_FILE_MAX, key);
		fclose(f);
		return ERR_INVAL;
	}
	return open_stream(out, f, path, error);
}

int zone_file_open_text(struct zone_file **out, const char *name, const char *text,
			size_t len, char error[ZONE_FILE_ERROR_MAX])
{
	FILE *f = len ? fmemopen((void *)(uintptr_t)text, len, "r")
		      : fopen("/dev/null", "re");
	error[0] = 0;
	return open_stream(out, f, name, error);
}

void zone_file_close(struct zone_file *z)
{
	if (!z)
		return;
	forget_context(z);
	fclose(z->f);
	free(z);
}

void zone_file_again(struct zone_file *z)
{
	rewind(z->f);
	forget_context(z);
	z->ttl = 3600; /* nobody uses it, ldns wants one */
	z->line = 0;
}

/* The wire form of a name ldns parsed, lower-cased; ldns keeps it so in one RDATA field.
 */
static int take_owner(struct zone_file *z, uint8_t out[DNS_NAME_MAX], const ldns_rdf *rdf)
{
	size_t n = rdf ? ldns_rdf_size(rdf) : 0;
	if (n == 0 || n > DNS_NAME_MAX)
		return zone_file_fail(z, ERR_FORMAT, "a record without an owner");
	memcpy(out, ldns_rdf_data(rdf), n);
	name_lower(out, n);
	return ERR_OK;
}

static int take_record(struct zone_file *z, struct zone_record *r, const ldns_rr *rr)
{
	size_t fields = ldns_rr_rd_count(rr);
	r->type = (uint16_t)ldns_rr_get_type(rr);
	r->class = (uint16_t)ldns_rr_get_class(rr);
	r->len = 0;
	for (size_t i = 0; i < fields; i++) {
		const ldns_rdf *rdf = ldns_rr_rdf(rr, i);
		size_t n = rdf ? ldns_rdf_size(rdf) : 0;
		if (n > (size_t)(ZONE_FILE_RDATA_MAX - r->len))
			return zone_file_fail(z, ERR_FORMAT,
					      "a record of more than %d bytes",
					      ZONE_FILE_RDATA_MAX);
		if (n)
			memcpy(r->rdata + r->len, ldns_rdf_data(rdf), n);
		r->len = (uint16_t)(r->len + n);
	}
	return take_owner(z, r->owner, ldns_rr_owner(rr));
}

/* ldns answers empty lines, $ORIGIN and $TTL with a status of their own. */
static bool is_no_record(ldns_status s)
{
	return s == LDNS_STATUS_SYNTAX_TTL || s == LDNS_STATUS_SYNTAX_ORIGIN ||
	       s == LDNS_STATUS_SYNTAX_EMPTY;
}

int zone_file_next(struct zone_file *z, struct zone_record *r)
{
	if (!z->origin && !(z->origin = ldns_dname_new_frm_str(".")))
		return zone_file_fail(z, ERR_NOMEM, "out of memory");
	while (!feof(z->f)) {
		ldns_rr *rr = NULL;
		ldns_status s = ldns_rr_new_frm_fp_l(&rr, z->f, &z->ttl, &z->origin,
						     &z->prev, &z->line);
		if (s == LDNS_STATUS_OK && rr) {
			int err = take_record(z, r, rr);
			ldns_rr_free(rr);
			return err ? err : ZONE_FILE_RECORD;
		}
		ldns_rr_free(rr);
		if (s != LDNS_STATUS_OK && !is_no_record(s))
			return zone_file_fail(z, ERR_FORMAT,
					      "not a record in zone format: %s",
					      ldns_get_errorstr_by_id(s));
	}
	return ZONE_FILE_END;
}
