#include "resolver/nta.h"

#include <stdio.h>

#include "include/utf8.h"
#include "resolver/state_file.h"

#define HEAD "sinkholed negative anchors 1"

static int find(const struct nta_list *l, const uint8_t *zone)
{
	int i = 0;
	while (i < l->n && !name_equal(l->at[i].zone, zone))
		i++;
	return i;
}

int nta_add(struct nta_list *l, const uint8_t *zone, uint32_t until_s, const char *reason,
	    size_t reason_len)
{
	int i = find(l, zone);
	if (i == NTA_MAX)
		return ERR_FULL;
	if (i == l->n)
		l->n++;
	l->at[i] = (struct anchor_negative){.until_s = until_s};
	name_copy(l->at[i].zone, zone);
	utf8_clean(l->reason[i], NTA_REASON_MAX, reason, reason_len);
	return ERR_OK;
}

static void drop(struct nta_list *l, int i)
{
	size_t behind = (size_t)(--l->n - i);
	memmove(&l->at[i], &l->at[i + 1], behind * sizeof l->at[0]);
	memmove(&l->reason[i], &l->reason[i + 1], behind * sizeof l->reason[0]);
}

bool nta_remove(struct nta_list *l, const uint8_t *zone)
{
	int i = find(l, zone);
	if (i == l->n)
		return false;
	drop(l, i);
	return true;
}

bool nta_expire(struct nta_list *l, uint32_t now_s, uint8_t zone[DNS_NAME_MAX])
{
	for (int i = 0; i < l->n; i++) {
		if (now_s < l->at[i].until_s)
			continue;
		name_copy(zone, l->at[i].zone);
		drop(l, i);
		return true;
	}
	return false;
}

size_t nta_print(char out[NTA_TEXT_MAX], const struct nta_list *l)
{
	char zone[DNS_NAME_TEXT_MAX];
	int n = snprintf(out, NTA_TEXT_MAX, HEAD "\n");
	for (int i = 0; i < l->n; i++)
		n += snprintf(out + n, NTA_TEXT_MAX - (size_t)n, "%s %u %s\n",
			      name_to_text(zone, l->at[i].zone), l->at[i].until_s,
			      l->reason[i]);
	return (size_t)n;
}

static int parse_line(struct nta_list *l, struct state_word line)
{
	uint8_t zone[DNS_NAME_MAX];
	uint32_t until_s;
	struct state_word name = state_word(&line);
	if (name_from_text(zone, name.text, name.len) ||
	    !state_number(&until_s, state_word(&line)) || until_s == 0 || !line.len)
		return ERR_FORMAT;
	return nta_add(l, zone, until_s, line.text + 1, line.len - 1);
}

int nta_parse(struct nta_list *l, const char *text, size_t len, int *line)
{
	struct state_text t = state_text(text, len);
	struct state_word words;
	int err = state_line(&t, &words) && state_word_is(words, HEAD) ? ERR_OK
								       : ERR_FORMAT;
	l->n = 0;
	while (!err && state_line(&t, &words))
		err = parse_line(l, words);
	*line = t.line;
	return err;
}
