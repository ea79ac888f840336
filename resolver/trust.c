/* trust.c: the set of anchors in force, what keeps it over a restart, and what changes
 * it. */
#include "resolver/trust_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "resolver/state_file.h"

enum {
	FLUSHES_MAX = 8 /* zones that are forgotten one by one; beyond, everything is */
};
_Static_assert((int)NTA_TEXT_MAX <= (int)STATE_FILE_MAX &&
		       (int)TRACK_TEXT_MAX <= (int)STATE_FILE_MAX,
	       "what is written can be read");

static uint64_t monotonic_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- what is given ---- */

int trust_given(struct anchor_records *out, const struct conf *conf)
{
	char error[ZONE_FILE_ERROR_MAX] = "out of memory";
	const char *path = conf->recursion.trust_anchor;
	int err = ERR_OK;
	*out = (struct anchor_records){0};
	if (conf->recursion.validate)
		err = *path ? anchor_records_load(out, path, error)
			    : anchor_records_builtin(out);
	if (err)
		log_error("recursion.trust_anchor: %s", error);
	return err;
}

static void warn_unusable(const struct anchors *set, bool sha1)
{
	char zone[DNS_NAME_TEXT_MAX];
	struct anchor a;
	int16_t ede;
	for (int at = 0; anchors_next(set, &at, &a);)
		if (!val_sig_usable(a.ds, sha1, &ede))
			log_warning("recursion.trust_anchor: no anchor of %s has an "
				    "algorithm and a digest that we know: its names are "
				    "not validated",
				    name_to_text(zone, a.zone));
}

/* ---- the set in force ---- */

static void forget_changed(struct trust *t, const struct anchors *a,
			   const struct anchors *b)
{
	const uint8_t *zone;
	int n = 0;
	for (int at[2] = {0, 0}; anchors_next_change(a, b, at, &zone);)
		n++;
	if (n > FLUSHES_MAX)
		shared_flush(t->shared, NULL, false);
	for (int at[2] = {0, 0};
	     n <= FLUSHES_MAX && anchors_next_change(a, b, at, &zone);)
		shared_flush(t->shared, zone, true);
}

static int make_set(struct anchors **out, const struct trust *t)
{
	const struct conf *conf = t->shared->conf;
	int given = conf->recursion.negative_trust_anchors_n, n = given + t->nta.n;
	struct anchor_records trusted = {0};
	struct anchor_negative *negative = calloc((size_t)n + 1, sizeof *negative);
	int err = negative ? track_records(&t->track, &trusted) : ERR_NOMEM;
	for (int i = 0; i < given && !err; i++)
		name_copy(negative[i].zone, conf->recursion.negative_trust_anchors[i]);
	if (!err)
		memcpy(negative + given, t->nta.at, (size_t)t->nta.n * sizeof *negative);
	if (!err)
		err = anchors_new(out, &trusted, negative, n);
	anchor_records_fini(&trusted);
	free(negative);
	return err;
}

static int publish(struct trust *t)
{
	struct anchors *set;
	if (t->set_n == TRUST_SETS_MAX)
		return ERR_BUSY;
	int err = make_set(&set, t);
	if (err)
		return err;
	struct anchors *old = t->set_n ? t->set[t->set_n - 1] : NULL;
	const uint8_t *zone;
	if (old && !anchors_next_change(old, set, (int[2]){0}, &zone)) {
		anchors_free(set);
		return ERR_OK;
	}
	t->set[t->set_n++] = set;
	atomic_store_explicit(&t->shared->anchors, set, memory_order_release);
	if (old)
		forget_changed(t, old, set);
	return ERR_OK;
}

/* Old sets go in their order: who reads one may read all that came after. */
static void reclaim(struct trust *t)
{
	while (t->set_n > 1 && !t->hooks.in_use(t->hooks.arg, t->set[0])) {
		forget_changed(t, t->set[0], t->set[1]);
		anchors_free(t->set[0]);
		memmove(t->set, t->set + 1, (size_t)--t->set_n * sizeof *t->set);
	}
}

/* ---- the state folder ---- */

/* A damaged text is of no use to us, but perhaps to a person. */
static void damaged(const struct trust *t, const char *file, int line)
{
	const char *dir = t->shared->conf->state;
	if (state_file_set_aside(dir, file))
		line = 0;
	log_error("state: %s/%s is damaged in line %d: set aside as %s.damaged, and not "
		  "used",
		  dir, file, line, file);
}

static int load(struct trust *t, const char *file,
		int (*parse)(struct trust *t, const char *text, size_t len, int *line))
{
	size_t len;
	char *text;
	int line = 0, err = state_file_read(&text, &len, t->shared->conf->state, file);
	if (err == ERR_NOENT)
		return ERR_OK;
	if (!err)
		err = parse(t, text, len, &line);
	free(text);
	if (err == ERR_FORMAT || err == ERR_FULL) {
		damaged(t, file, line);
		return ERR_OK;
	}
	if (err)
		log_error("state: cannot read %s/%s: %s", t->shared->conf->state, file,
			  err == ERR_IO ? strerror(errno) : err_text(err));
	return err;
}

static int parse_track(struct trust *t, const char *text, size_t len, int *line)
{
	return track_parse(&t->track, text, len, line);
}

static int parse_negative(struct trust *t, const char *text, size_t len, int *line)
{
	int err = nta_parse(&t->nta, text, len, line);
	if (err)
		t->nta.n = 0;
	return err;
}

static void save_track(struct trust *t)
{
	const char *dir = t->shared->conf->state;
	char *text = malloc(TRACK_TEXT_MAX);
	t->unsaved = !text || state_file_write(dir, TRUST_STATE_FILE, text,
					       track_print(text, &t->track));
	free(text);
	if (t->unsaved)
		log_limited(&t->save_limit, monotonic_ms(), LOG_ERROR,
			    "state: cannot write %s/" TRUST_STATE_FILE
			    ": %s; what the trust anchors' zones told of their keys "
			    "would be forgotten at a restart",
			    dir, strerror(errno));
}

static int save_negative(struct trust *t, char error[CONTROL_ERROR_MAX])
{
	const char *dir = t->shared->conf->state;
	char *text = malloc(NTA_TEXT_MAX);
	int err = text ? state_file_write(dir, TRUST_NEGATIVE_FILE, text,
					  nta_print(text, &t->nta))
		       : ERR_NOMEM;
	free(text);
	if (err)
		snprintf(error, CONTROL_ERROR_MAX,
			 "cannot write %.120s/" TRUST_NEGATIVE_FILE
			 ": %s; nothing was changed",
			 dir, strerror(errno));
	return err;
}

/* ---- life ---- */

static int prepare(struct trust *t, const struct anchor_records *given)
{
	int err = load(t, TRUST_STATE_FILE, parse_track);
	if (!err)
		err = track_give(&t->track, given);
	if (!err)
		err = load(t, TRUST_NEGATIVE_FILE, parse_negative);
	if (!err)
		err = publish(t);
	if (!err)
		warn_unusable(t->set[0], t->shared->conf->recursion.validate_sha1);
	return err;
}

int trust_open(struct trust **out, struct shared *shared,
	       const struct anchor_records *given, const struct trust_hooks *hooks)
{
	struct trust *t = calloc(1, sizeof *t);
	int err = t ? ERR_OK : ERR_NOMEM;
	if (t) {
		t->shared = shared;
		t->hooks = *hooks;
		err = prepare(t, given);
	}
	if (err)
		log_error("the trust anchors cannot be used: %s", err_text(err));
	if (err)
		trust_close(t);
	*out = err ? NULL : t;
	return err;
}

void trust_close(struct trust *t)
{
	if (!t)
		return;
	for (int i = 0; i < t->set_n; i++)
		anchors_free(t->set[i]);
	track_fini(&t->track);
	free(t);
}

/* ---- each second ---- */

static void log_keys(const struct trust *t, const uint8_t *zone)
{
	char name[DNS_NAME_TEXT_MAX], keys[512] = "";
	int vouching = 0;
	name_to_text(name, zone);
	for (int i = 0; i < t->track.n; i++) {
		const struct track_zone *z = &t->track.zone[i];
		for (int k = 0; k < z->key_n && name_equal(z->zone, zone); k++) {
			size_t n = strlen(keys);
			vouching += z->key[k].state == TRACK_VALID ||
				    z->key[k].state == TRACK_MISSING;
			snprintf(keys + n, sizeof keys - n, "%s%u %s", n ? ", " : "",
				 wire_get16(z->key[k].ds),
				 track_state_text((enum track_state)z->key[k].state));
		}
	}
	log_notice("the keys of %s have changed: %s", name, keys);
	if (!vouching)
		log_error("all trust anchors of %s are revoked: its names are not "
			  "validated any more; give new ones (recursion.trust_anchor)",
			  name);
}

/* RFC 5011 2.2: only who is trusted already may bring another key; another key of the
 * zone that has signed the set will not do. */
static bool is_vouched_for(const struct trust *t, const struct rrset *keys, uint32_t now)
{
	struct anchor a = anchors_find(t->set[t->set_n - 1], keys->owner, false, now);
	struct val_work work = {VAL_SIGS_QUESTION, VAL_SIGS_RESPONSE, 0};
	struct val_sig sig;
	if (a.kind != ANCHOR_TRUST || !name_equal(a.zone, keys->owner))
		return false;
	val_sig_check_keys(&sig, keys, a.ds, t->shared->conf->recursion.validate_sha1,
			   &work, now);
	return sig.security == SECURITY_SECURE;
}

static bool read_mail(struct trust *t, uint32_t now)
{
	bool changed = false;
	while (anchor_mail_take(&t->shared->mail, &t->letter)) {
		struct track_seen seen;
		if (!is_vouched_for(t, &t->letter.keys, now))
			continue;
		track_read(&seen, &t->letter.keys, now);
		t->unsaved = true;
		if (!track_take(&t->track, t->letter.zone, &seen, now))
			continue;
		changed = true;
		log_keys(t, t->letter.zone);
	}
	return changed;
}

static bool end_negative(struct trust *t, uint32_t now)
{
	char name[DNS_NAME_TEXT_MAX], error[CONTROL_ERROR_MAX];
	uint8_t zone[DNS_NAME_MAX];
	bool changed = false;
	while (nta_expire(&t->nta, now, zone)) {
		changed = true;
		log_notice("the negative trust anchor of %s has ended",
			   name_to_text(name, zone));
	}
	/* What cannot be saved has ended all the same. */
	if (changed && save_negative(t, error))
		log_error("%s", error);
	return changed;
}

void trust_tick(struct trust *t, uint32_t now)
{
	const uint8_t *zone = track_due(&t->track, now);
	if (zone)
		anchor_mail_want(&t->shared->mail, zone);
	bool keys = read_mail(t, now), negative = end_negative(t, now);
	if (t->unsaved)
		save_track(t);
	reclaim(t);
	if (keys || negative || t->unpublished)
		t->unpublished = publish(t) != 0;
}

/* ---- what the operator changes ---- */

static int too_many(char error[CONTROL_ERROR_MAX])
{
	snprintf(error, CONTROL_ERROR_MAX,
		 "too many changes within a few seconds; try again");
	return ERR_BUSY;
}

int trust_settle(struct trust *t, const struct nta_list *before,
		 char error[CONTROL_ERROR_MAX])
{
	int err = save_negative(t, error);
	if (err) {
		t->nta = *before;
		return err;
	}
	err = publish(t);
	if (!err)
		return ERR_OK;
	t->nta = *before;
	if (save_negative(t, error))
		return ERR_IO;
	if (err == ERR_BUSY)
		return too_many(error);
	snprintf(error, CONTROL_ERROR_MAX, "%s", err_text(err));
	return err;
}

int trust_reload(struct trust *t, char error[CONTROL_ERROR_MAX])
{
	const struct conf *conf = t->shared->conf;
	struct anchor_records given = {0};
	int err = ERR_OK;
	if (!conf->recursion.validate)
		return ERR_OK;
	if (t->set_n == TRUST_SETS_MAX)
		return too_many(error);
	if (conf->recursion.trust_anchor[0]) {
		err = anchor_records_load(&given, conf->recursion.trust_anchor, error);
		if (!err)
			err = track_give(&t->track, &given);
		anchor_records_fini(&given);
	}
	if (err)
		return err;
	/* Also for the negative ones, which are the configuration's. */
	err = publish(t);
	t->unpublished = err != 0; /* it is, with the next tick */
	if (err)
		return err;
	warn_unusable(t->set[t->set_n - 1], conf->recursion.validate_sha1);
	save_track(t);
	return ERR_OK;
}
_Static_assert((int)ZONE_FILE_ERROR_MAX <= (int)CONTROL_ERROR_MAX,
	       "an error of the file fits");
