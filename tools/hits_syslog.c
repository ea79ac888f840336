#include "tools/hits_syslog.h"

enum {
	LOCAL0 = 16,
	NOTICE = 5,
	HEAD_MAX = 256,
	NUMBER_MAX = INT32_MAX, /* of RFC 5424's sequenceId */
};

int hits_syslog_init(struct hits_syslog *s)
{
	*s = (struct hits_syslog){0};
	s->line = open_memstream(&s->text, &s->len);
	return s->line ? ERR_OK : ERR_NOMEM;
}

void hits_syslog_fini(struct hits_syslog *s)
{
	if (s->line)
		fclose(s->line);
	free(s->text);
	*s = (struct hits_syslog){0};
}

/* A host name is printable ASCII without blanks there, or "-". */
static const char *host(const struct hits_texts *t)
{
	for (const char *c = t->node; *c; c++)
		if (*c < '!' || *c > '~')
			return "-";
	return *t->node ? t->node : "-";
}

static size_t put_head(char out[HEAD_MAX], uint32_t number, const struct hit_row *row,
		       const struct hits_texts *t)
{
	int n = snprintf(out, HEAD_MAX,
			 "<%d>1 %s %s sinkholed - hit [timeQuality tzKnown=\"1\" "
			 "isSynced=\"%d\"][meta sequenceId=\"%u\"] ",
			 LOCAL0 * 8 + NOTICE, t->time, host(t), row->hit.clock_synced,
			 number);
	return (size_t)n;
}

int hits_syslog_send(struct hits_syslog *s, struct hits_link *to,
		     const struct hit_row *row, const struct hits_texts *t)
{
	char head[HEAD_MAX], count[HITS_NUMBER_TEXT_MAX + 1] = "";
	s->number = s->number % NUMBER_MAX + 1;
	size_t n = put_head(head, s->number, row, t);
	if (fflush(s->line))
		return ERR_NOMEM;
	size_t len = s->len - (s->len && s->text[s->len - 1] == '\n');
	if (hits_link_kind(to) != HITS_LINK_UDP)
		snprintf(count, sizeof count, "%zu ", n + len);
	size_t counted = strlen(count);
	char *message = malloc(counted + n + len);
	if (!message)
		return ERR_NOMEM;
	memcpy(message, count, counted);
	memcpy(message + counted, head, n);
	memcpy(message + counted + n, s->text, len);
	int err = hits_link_write(to, message, counted + n + len);
	free(message);
	rewind(s->line);
	return err;
}
