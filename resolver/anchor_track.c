#include "resolver/anchor_track.h"

#include <stdio.h>
#include <stdlib.h>

#include "resolver/state_file.h"

#define HEAD "sinkholed anchors 1"

enum {
	TAG_AND_ALGORITHM = 3, /* the first bytes of a DS record */
	SIG_FIXED = 18,	       /* of an RRSIG, before its signer's name */
	KEY_FIXED = 4,
	KEY_ZONE = 0x0100,
	KEY_REVOKE = 0x0080,
	KEY_SEP = 0x0001,
};

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static const char *const state_words[TRACK_STATES] = {
	[TRACK_NEW] = "new",	     [TRACK_VALID] = "valid",
	[TRACK_MISSING] = "missing", [TRACK_REVOKED] = "revoked",
	[TRACK_REMOVED] = "removed",
};

const char *track_state_text(enum track_state s)
{
	return state_words[s];
}

static struct track_zone *find_zone(const struct track *t, const uint8_t *zone)
{
	for (int i = 0; i < t->n; i++)
		if (name_equal(t->zone[i].zone, zone))
			return &t->zone[i];
	return NULL;
}

static struct track_key *find_key(struct track_zone *z, const uint8_t ds[VAL_DS_LEN])
{
	for (int i = 0; i < z->key_n; i++)
		if (!memcmp(z->key[i].ds, ds, VAL_DS_LEN))
			return &z->key[i];
	return NULL;
}

static struct track_zone *add_zone(struct track *t, const uint8_t *zone)
{
	void *larger = realloc(t->zone, (size_t)(t->n + 1) * sizeof *t->zone);
	if (!larger)
		return NULL;
	t->zone = larger;
	struct track_zone *z = &t->zone[t->n++];
	*z = (struct track_zone){.seen_s = 0};
	name_copy(z->zone, zone);
	return z;
}

/* NULL when there is no room. */
static struct track_key *add_key(struct track_zone *z, const uint8_t ds[VAL_DS_LEN],
				 enum track_state state, uint32_t now_s)
{
	if (z->key_n == TRACK_KEYS_MAX)
		return NULL;
	struct track_key *k = &z->key[z->key_n++];
	*k = (struct track_key){.state = (uint8_t)state, .since_s = now_s};
	memcpy(k->ds, ds, VAL_DS_LEN);
	return k;
}

static void turn(struct track_key *k, enum track_state state, uint32_t now_s)
{
	k->state = (uint8_t)state;
	k->since_s = now_s;
	k->held_s = 0;
}

static bool vouches(const struct track_key *k)
{
	return k->state == TRACK_VALID || k->state == TRACK_MISSING;
}

/* ---- what is given ---- */

/* False when it is a DS record that cannot be followed. */
static bool as_ds(uint8_t ds[VAL_DS_LEN], const struct anchor_record *r)
{
	if (r->type == DNS_DNSKEY)
		val_sig_ds(ds, r->zone, r->rdata, r->len);
	else if (r->len == VAL_DS_LEN && r->rdata[3] == 2)
		memcpy(ds, r->rdata, VAL_DS_LEN);
	else
		return false;
	return true;
}

static bool is_given(const struct anchor_records *given, const uint8_t *zone,
		     const uint8_t want[VAL_DS_LEN])
{
	uint8_t ds[VAL_DS_LEN];
	for (int i = 0; i < given->n; i++)
		if (name_equal(given->record[i].zone, zone) &&
		    as_ds(ds, &given->record[i]) && !memcmp(ds, want, VAL_DS_LEN))
			return true;
	return false;
}

/* Whether the operator took a key back that the zone's others hang on. */
static bool lost_a_given(const struct track_zone *z, const struct anchor_records *given)
{
	for (int i = 0; i < z->key_n; i++)
		if (z->key[i].given && !is_given(given, z->zone, z->key[i].ds))
			return true;
	return false;
}

static void drop_zone(struct track *t, struct track_zone *z)
{
	*z = t->zone[--t->n];
}

/* A revoked key stays so, whoever gives it. */
static int give_one(struct track *t, const struct anchor_record *r)
{
	uint8_t ds[VAL_DS_LEN];
	struct track_zone *z = find_zone(t, r->zone);
	if (!as_ds(ds, r))
		return ERR_OK;
	if (!z && !(z = add_zone(t, r->zone)))
		return ERR_NOMEM;
	struct track_key *k = find_key(z, ds);
	if (!k)
		k = add_key(z, ds, TRACK_VALID, 0);
	if (!k) /* used as it was given, without being followed */
		return ERR_OK;
	k->given = true;
	if (k->state == TRACK_NEW)
		turn(k, TRACK_VALID, 0);
	return ERR_OK;
}

int track_give(struct track *t, const struct anchor_records *given)
{
	struct anchor_records copy = {0};
	int err = ERR_OK;
	for (int i = 0; i < given->n && !err; i++)
		err = anchor_records_add(&copy, given->record[i].zone,
					 given->record[i].type, given->record[i].rdata,
					 given->record[i].len);
	if (err) {
		anchor_records_fini(&copy);
		return err;
	}
	anchor_records_fini(&t->given);
	t->given = copy;
	for (int i = t->n - 1; i >= 0; i--)
		if (lost_a_given(&t->zone[i], given))
			drop_zone(t, &t->zone[i]);
	for (int i = 0; i < given->n && !err; i++)
		err = give_one(t, &given->record[i]);
	return err;
}

void track_fini(struct track *t)
{
	anchor_records_fini(&t->given);
	free(t->zone);
	*t = (struct track){0};
}

/* ---- what is seen ---- */

/* The zone's signatures over its keys: what they say of time. */
static void read_times(struct track_seen *out, const struct rrset *keys, uint32_t now_s)
{
	const uint8_t *sig;
	uint16_t len;
	out->ttl_s = keys->ttl;
	out->life_s = UINT32_MAX;
	for (uint32_t at = 0; rrset_next_sig(keys, &at, &sig, &len);) {
		if (len < SIG_FIXED || wire_get16(sig) != DNS_DNSKEY)
			continue;
		int32_t left = (int32_t)(wire_get32(sig + 8) - now_s); /* RFC 1982 */
		out->ttl_s = wire_get32(sig + 4);
		out->life_s = least(out->life_s, left > 0 ? (uint32_t)left : 0);
	}
}

void track_read(struct track_seen *out, const struct rrset *keys, uint32_t now_s)
{
	struct val_work work = {VAL_SIGS_QUESTION, VAL_SIGS_QUESTION, 0};
	const uint8_t *rdata;
	uint16_t len;
	*out = (struct track_seen){.key_n = 0};
	read_times(out, keys, now_s);
	for (uint32_t at = 0;
	     out->key_n < TRACK_KEYS_MAX && rrset_next(keys, &at, &rdata, &len);) {
		uint8_t plain[ANCHOR_RDATA_MAX];
		unsigned flags = len > KEY_FIXED ? wire_get16(rdata) : 0;
		if (len > sizeof plain ||
		    (flags & (KEY_ZONE | KEY_SEP)) != (KEY_ZONE | KEY_SEP))
			continue;
		bool flagged = flags & KEY_REVOKE;
		/* What does not say so with its own signature is not there at all. */
		if (flagged && !val_sig_revoked(keys, rdata, len, &work, now_s))
			continue;
		memcpy(plain, rdata, len);
		wire_set16(plain, flags & ~(unsigned)KEY_REVOKE);
		val_sig_ds(out->key[out->key_n].ds, keys->owner, plain, len);
		out->key[out->key_n++].revoked = flagged;
	}
}

enum presence { ABSENT, PRESENT, TAKEN_BACK };

static enum presence look_for(const struct track_seen *s, const uint8_t ds[VAL_DS_LEN])
{
	enum presence p = ABSENT;
	for (int i = 0; i < s->key_n; i++)
		if (!memcmp(s->key[i].ds, ds, VAL_DS_LEN)) {
			if (s->key[i].revoked)
				return TAKEN_BACK;
			p = PRESENT;
		}
	return p;
}

static bool is_over(const struct track_key *k, uint32_t now_s)
{
	return now_s > k->since_s && now_s - k->since_s >= TRACK_HOLD_S;
}

/* One key's turn of RFC 5011 4.1; false when it is to be forgotten. counted: time since
 * the last set; hold: how long a new key must stand. */
static bool step(struct track_key *k, enum presence p, uint32_t counted, uint32_t hold,
		 uint32_t now_s)
{
	switch ((enum track_state)k->state) {
	case TRACK_NEW:
		if (p != PRESENT)
			return false;
		k->held_s += counted;
		if (k->held_s >= hold)
			turn(k, TRACK_VALID, now_s);
		return true;
	case TRACK_VALID:
	case TRACK_MISSING:
		if (p == TAKEN_BACK)
			turn(k, TRACK_REVOKED, now_s);
		else if ((p == PRESENT) != (k->state == TRACK_VALID))
			turn(k, p == PRESENT ? TRACK_VALID : TRACK_MISSING, now_s);
		return true;
	case TRACK_REVOKED:
		if (is_over(k, now_s))
			turn(k, TRACK_REMOVED, now_s);
		return k->state == TRACK_REVOKED || k->given;
	default: /* REMOVED */
		return k->given;
	}
}

static uint32_t clamp(uint32_t v, uint32_t max)
{
	return v < TRACK_INTERVAL_MIN_S ? TRACK_INTERVAL_MIN_S : v > max ? max : v;
}

/* RFC 5011 2.3 */
static void plan(struct track_zone *z, const struct track_seen *s, uint32_t now_s)
{
	uint32_t shorter = least(s->ttl_s, s->life_s);
	z->interval_s = clamp(shorter / 2, TRACK_INTERVAL_MAX_S);
	z->retry_s = clamp(shorter / 10, TRACK_RETRY_MAX_S);
	z->seen_s = now_s;
	z->next_s = now_s + z->interval_s;
}

static bool add_new(struct track_zone *z, const struct track_seen *s, uint32_t now_s)
{
	bool changed = false;
	for (int i = 0; i < s->key_n; i++)
		if (!s->key[i].revoked && !find_key(z, s->key[i].ds))
			changed |= add_key(z, s->key[i].ds, TRACK_NEW, now_s) != NULL;
	return changed;
}

bool track_take(struct track *t, const uint8_t *zone, const struct track_seen *s,
		uint32_t now_s)
{
	struct track_zone *z = find_zone(t, zone);
	bool changed = false;
	int kept = 0;
	if (!z)
		return false;
	uint32_t gap = z->seen_s && now_s > z->seen_s ? now_s - z->seen_s : 0;
	uint32_t counted = least(gap, 2 * z->interval_s);
	uint32_t hold = s->ttl_s > TRACK_HOLD_S ? s->ttl_s : TRACK_HOLD_S;
	for (int i = 0; i < z->key_n; i++) {
		struct track_key *k = &z->key[i];
		uint8_t before = k->state;
		bool stays = step(k, look_for(s, k->ds), counted, hold, now_s);
		changed |= !stays || k->state != before;
		if (stays)
			z->key[kept++] = *k;
	}
	z->key_n = kept;
	changed |= add_new(z, s, now_s);
	plan(z, s, now_s);
	return changed;
}

static bool is_followed(const struct track_zone *z)
{
	for (int i = 0; i < z->key_n; i++)
		if (vouches(&z->key[i]))
			return true;
	return false;
}

const uint8_t *track_due(struct track *t, uint32_t now_s)
{
	for (int i = 0; i < t->n; i++) {
		struct track_zone *z = &t->zone[i];
		/* A clock that was set back must not stop it. */
		bool far = z->next_s > now_s && z->next_s - now_s > TRACK_INTERVAL_MAX_S;
		if ((now_s < z->next_s && !far) || !is_followed(z))
			continue;
		z->next_s = now_s + (z->retry_s ? z->retry_s : TRACK_INTERVAL_MIN_S);
		return z->zone;
	}
	return NULL;
}

/* ---- what is in force ---- */

/* A given record that is not followed, and no other form of a key that was revoked. */
static bool stands_alone(const struct track *t, const struct anchor_record *r)
{
	uint8_t ds[VAL_DS_LEN];
	struct track_zone *z = find_zone(t, r->zone);
	if (as_ds(ds, r))
		return !z || !find_key(z, ds);
	for (int i = 0; z && i < z->key_n; i++)
		if (z->key[i].state >= TRACK_REVOKED &&
		    !memcmp(z->key[i].ds, r->rdata, TAG_AND_ALGORITHM))
			return false;
	return true;
}

int track_records(const struct track *t, struct anchor_records *out)
{
	int err = ERR_OK;
	for (int i = 0; i < t->given.n && !err; i++) {
		const struct anchor_record *r = &t->given.record[i];
		if (stands_alone(t, r))
			err = anchor_records_add(out, r->zone, r->type, r->rdata, r->len);
	}
	for (int i = 0; i < t->n; i++)
		for (int k = 0; k < t->zone[i].key_n && !err; k++)
			if (vouches(&t->zone[i].key[k]))
				err = anchor_records_add(out, t->zone[i].zone, DNS_DS,
							 t->zone[i].key[k].ds,
							 VAL_DS_LEN);
	return err;
}

/* ---- the text ---- */

static int print_key(char *out, size_t size, const struct track_key *k)
{
	char digest[2 * (VAL_DS_LEN - 4) + 1];
	for (int i = 4; i < VAL_DS_LEN; i++)
		snprintf(digest + 2 * (i - 4), 3, "%02X", k->ds[i]);
	return snprintf(out, size, "key %u %u %u %s %s %s %u %u\n", wire_get16(k->ds),
			k->ds[2], k->ds[3], digest, state_words[k->state],
			k->given ? "given" : "found", k->since_s, k->held_s);
}

size_t track_print(char out[TRACK_TEXT_MAX], const struct track *t)
{
	char name[DNS_NAME_TEXT_MAX];
	int n = snprintf(out, TRACK_TEXT_MAX, HEAD "\n");
	for (int i = 0; i < t->n; i++) {
		const struct track_zone *z = &t->zone[i];
		n += snprintf(out + n, TRACK_TEXT_MAX - (size_t)n,
			      "zone %s %u %u %u %u\n", name_to_text(name, z->zone),
			      z->seen_s, z->next_s, z->interval_s, z->retry_s);
		for (int k = 0; k < z->key_n; k++)
			n += print_key(out + n, TRACK_TEXT_MAX - (size_t)n, &z->key[k]);
	}
	return (size_t)n;
}
_Static_assert(ANCHOR_RECORDS_MAX *(DNS_NAME_TEXT_MAX + 64 + TRACK_KEYS_MAX * 160) + 64 <=
		       TRACK_TEXT_MAX,
	       "the largest text fits");

static int parse_zone(struct track *t, struct state_word words)
{
	uint8_t zone[DNS_NAME_MAX];
	struct state_word name = state_word(&words);
	if (name_from_text(zone, name.text, name.len) || find_zone(t, zone) ||
	    t->n == ANCHOR_RECORDS_MAX)
		return ERR_FORMAT;
	struct track_zone *z = add_zone(t, zone);
	if (!z)
		return ERR_NOMEM;
	bool good = state_number(&z->seen_s, state_word(&words)) &&
		    state_number(&z->next_s, state_word(&words)) &&
		    state_number(&z->interval_s, state_word(&words)) &&
		    state_number(&z->retry_s, state_word(&words)) && !words.len;
	return good && z->interval_s <= TRACK_INTERVAL_MAX_S &&
			       z->retry_s <= TRACK_RETRY_MAX_S
		       ? ERR_OK
		       : ERR_FORMAT;
}

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse_ds(uint8_t ds[VAL_DS_LEN], struct state_word *words)
{
	uint32_t tag = 0, algorithm = 0, digest_type = 0;
	if (!state_number(&tag, state_word(words)) || tag > UINT16_MAX ||
	    !state_number(&algorithm, state_word(words)) || algorithm > UINT8_MAX ||
	    !state_number(&digest_type, state_word(words)) || digest_type != 2)
		return false;
	wire_set16(ds, tag);
	ds[2] = (uint8_t)algorithm;
	ds[3] = (uint8_t)digest_type;
	struct state_word hex = state_word(words);
	if (hex.len != 2 * (VAL_DS_LEN - 4))
		return false;
	for (size_t i = 0; i < VAL_DS_LEN - 4; i++) {
		int high = nibble(hex.text[2 * i]), low = nibble(hex.text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		ds[4 + i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static int parse_key(struct track *t, struct state_word words)
{
	uint8_t ds[VAL_DS_LEN];
	struct track_zone *z = t->n ? &t->zone[t->n - 1] : NULL;
	unsigned state = 0;
	if (!z || !parse_ds(ds, &words) || find_key(z, ds))
		return ERR_FORMAT;
	struct state_word word = state_word(&words), origin = state_word(&words);
	while (state < TRACK_STATES && !state_word_is(word, state_words[state]))
		state++;
	struct track_key *k = add_key(z, ds, (enum track_state)state, 0);
	if (state == TRACK_STATES || !k)
		return ERR_FORMAT;
	k->given = state_word_is(origin, "given");
	bool good = (k->given || state_word_is(origin, "found")) &&
		    state_number(&k->since_s, state_word(&words)) &&
		    state_number(&k->held_s, state_word(&words)) && !words.len;
	return good ? ERR_OK : ERR_FORMAT;
}

int track_parse(struct track *t, const char *text, size_t len, int *line)
{
	struct state_text rest = state_text(text, len);
	struct state_word words;
	int err = state_line(&rest, &words) && state_word_is(words, HEAD) ? ERR_OK
									  : ERR_FORMAT;
	while (!err && state_line(&rest, &words)) {
		struct state_word kind = state_word(&words);
		err = state_word_is(kind, "zone")  ? parse_zone(t, words)
		      : state_word_is(kind, "key") ? parse_key(t, words)
						   : ERR_FORMAT;
	}
	*line = rest.line;
	if (err)
		track_fini(t);
	return err;
}
