#include "resolver/anchor_mail.h"

void anchor_mail_init(struct anchor_mail *m)
{
	pthread_mutex_init(&m->lock, NULL);
	m->n = 0;
	m->wanted = false;
}

void anchor_mail_fini(struct anchor_mail *m)
{
	pthread_mutex_destroy(&m->lock);
}

/* The parts of the RRset that count, in the letter's own memory. */
static void fill(struct anchor_letter *to, const struct rrset *keys)
{
	name_copy(to->zone, keys->owner);
	memcpy(to->data, keys->data, keys->data_len);
	memcpy(to->sigs, keys->sigs, keys->sigs_len);
	to->keys = (struct rrset){.owner = to->zone,
				  .type = keys->type,
				  .kind = keys->kind,
				  .security = keys->security,
				  .ttl = keys->ttl,
				  .rr_n = keys->rr_n,
				  .sig_n = keys->sig_n,
				  .data = to->data,
				  .sigs = to->sigs,
				  .data_len = keys->data_len,
				  .sigs_len = keys->sigs_len};
}

void anchor_mail_seen(struct anchor_mail *m, const struct rrset *keys)
{
	if (!m || !keys->data_len || keys->data_len > ANCHOR_MAIL_BYTES ||
	    !keys->sigs_len || keys->sigs_len > ANCHOR_MAIL_BYTES)
		return;
	pthread_mutex_lock(&m->lock);
	if (m->n < ANCHOR_MAIL_SETS)
		fill(&m->letter[m->n++], keys);
	pthread_mutex_unlock(&m->lock);
}

/* The oldest first: a key that came and went must be seen to have gone. */
bool anchor_mail_take(struct anchor_mail *m, struct anchor_letter *out)
{
	pthread_mutex_lock(&m->lock);
	bool any = m->n > 0;
	if (any) {
		fill(out, &m->letter[0].keys);
		m->n--;
	}
	for (int i = 0; any && i < m->n; i++)
		fill(&m->letter[i], &m->letter[i + 1].keys);
	pthread_mutex_unlock(&m->lock);
	return any;
}

void anchor_mail_want(struct anchor_mail *m, const uint8_t *zone)
{
	pthread_mutex_lock(&m->lock);
	m->wanted = true;
	name_copy(m->zone, zone);
	pthread_mutex_unlock(&m->lock);
}

bool anchor_mail_wanted(struct anchor_mail *m, uint8_t zone[DNS_NAME_MAX])
{
	pthread_mutex_lock(&m->lock);
	bool wanted = m->wanted;
	m->wanted = false;
	if (wanted)
		name_copy(zone, m->zone);
	pthread_mutex_unlock(&m->lock);
	return wanted;
}
