/* trust_control.c: commands about trust anchors, and what is told of them. */
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "resolver/trust_parts.h"

static int refuse(char error[CONTROL_ERROR_MAX], int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int refuse(char error[CONTROL_ERROR_MAX], int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(error, CONTROL_ERROR_MAX, fmt, ap);
	va_end(ap);
	return code;
}

static int add_negative(struct trust *t, const json_t *request, const uint8_t *zone,
			char error[CONTROL_ERROR_MAX])
{
	json_t *span = json_object_get(request, "for_s");
	json_int_t for_s = span ? json_integer_value(span) : NTA_FOR_S;
	const char *reason = json_string_value(json_object_get(request, "reason"));
	if (for_s < 1 || for_s > NTA_FOR_MAX_S)
		return refuse(error, ERR_INVAL,
			      "for_s: 1 to %d seconds are possible, 7 days; set it again "
			      "when it is still needed",
			      NTA_FOR_MAX_S);
	if (!reason || !*reason)
		return refuse(error, ERR_INVAL, "reason: say why the zone is broken");
	if (nta_add(&t->nta, zone, (uint32_t)(time(NULL) + for_s), reason,
		    strlen(reason)))
		return refuse(error, ERR_FULL,
			      "there are %d already; remove one that is not needed",
			      NTA_MAX);
	return ERR_OK;
}

static int remove_negative(struct trust *t, const uint8_t *zone,
			   char error[CONTROL_ERROR_MAX])
{
	const struct conf *conf = t->shared->conf;
	if (nta_remove(&t->nta, zone))
		return ERR_OK;
	for (int i = 0; i < conf->recursion.negative_trust_anchors_n; i++)
		if (name_equal(conf->recursion.negative_trust_anchors[i], zone))
			return refuse(error, ERR_INVAL,
				      "it stands in recursion.negative_trust_anchors; "
				      "remove it there and restart");
	return refuse(error, ERR_NOENT, "there is no negative trust anchor of that zone");
}

int trust_nta(struct trust *t, const json_t *request, char error[CONTROL_ERROR_MAX])
{
	const char *action = json_string_value(json_object_get(request, "action"));
	const char *text = json_string_value(json_object_get(request, "zone"));
	struct nta_list *before;
	uint8_t zone[DNS_NAME_MAX];
	bool add = action && !strcmp(action, "add");
	if (!add && (!action || strcmp(action, "remove") != 0))
		return refuse(error, ERR_INVAL, "action: give add or remove");
	if (!text || name_from_str(zone, text))
		return refuse(error, ERR_FORMAT, "zone: not a domain name");
	if (!t->shared->conf->recursion.validate)
		return refuse(error, ERR_INVAL,
			      "nothing is validated: recursion.trust_anchor is \"\"");
	before = malloc(sizeof *before);
	if (!before)
		return ERR_NOMEM;
	*before = t->nta;
	int err = add ? add_negative(t, request, zone, error)
		      : remove_negative(t, zone, error);
	if (!err)
		err = trust_settle(t, before, error);
	free(before);
	return err;
}

/* ---- what is told ---- */

static json_t *key_json(const char *zone, const struct track_zone *z,
			const struct track_key *k)
{
	json_t *j =
		json_pack("{s:s, s:i, s:i, s:i, s:s, s:b, s:I, s:I, s:I}", "zone", zone,
			  "tag", wire_get16(k->ds), "algorithm", k->ds[2], "digest_type",
			  k->ds[3], "state", track_state_text((enum track_state)k->state),
			  "given", k->given, "since", (json_int_t)k->since_s, "seen",
			  (json_int_t)z->seen_s, "next", (json_int_t)z->next_s);
	if (k->state == TRACK_NEW)
		json_object_set_new(j, "left_s",
				    json_integer(k->held_s < TRACK_HOLD_S
							 ? TRACK_HOLD_S - k->held_s
							 : 0));
	return j;
}

static void list_keys(const struct trust *t, json_t *list)
{
	char zone[DNS_NAME_TEXT_MAX];
	for (int i = 0; i < t->track.n; i++)
		for (int k = 0; k < t->track.zone[i].key_n; k++)
			json_array_append_new(
				list,
				key_json(name_to_text(zone, t->track.zone[i].zone),
					 &t->track.zone[i], &t->track.zone[i].key[k]));
}

static void list_negative(const struct trust *t, json_t *list)
{
	const struct conf *conf = t->shared->conf;
	char zone[DNS_NAME_TEXT_MAX];
	for (int i = 0; i < conf->recursion.negative_trust_anchors_n; i++)
		json_array_append_new(
			list,
			json_pack("{s:s, s:I, s:s}", "zone",
				  name_to_text(zone,
					       conf->recursion.negative_trust_anchors[i]),
				  "until", (json_int_t)0, "reason",
				  "recursion.negative_trust_anchors"));
	for (int i = 0; i < t->nta.n; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:I, s:s}", "zone",
						name_to_text(zone, t->nta.at[i].zone),
						"until", (json_int_t)t->nta.at[i].until_s,
						"reason", t->nta.reason[i]));
}

int trust_list(struct trust *t, json_t *answer)
{
	json_t *keys = json_array(), *negative = json_array();
	list_keys(t, keys);
	list_negative(t, negative);
	json_object_set_new(answer, "anchors", keys);
	json_object_set_new(answer, "negative", negative);
	return ERR_OK;
}

json_t *trust_status(const struct trust *t)
{
	const struct conf *conf = t->shared->conf;
	struct anchor a;
	int zones = 0, at = 0;
	while (anchors_next(t->set[t->set_n - 1], &at, &a))
		zones++;
	return json_pack("{s:s, s:i, s:i}", "validation",
			 conf->recursion.validate ? "on" : "off", "zones", zones,
			 "negative", conf->recursion.negative_trust_anchors_n + t->nta.n);
}
