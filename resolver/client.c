#include "resolver/client.h"

bool client_allowed(const struct conf *conf, const struct addr *client)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct addr plain = *client;
	if (client->family == 6 && !memcmp(client->bytes, mapped, sizeof mapped))
		plain = addr_unmap(client);
	return conf_nets_cover(&conf->allow, &plain);
}

/* Looks for both addresses of IPv4 in IPv6 dress; an opt-out wins, then the plain one. */
int client_find(struct blocklist_view *view, struct blocklist_client *out,
		const struct addr *client)
{
	struct blocklist_client dressed;
	struct addr plain = addr_unmap(client);
	int found = blocklist_client_find(view, out, &plain);
	if (found < 0 || (found && out->opt_out) || plain.family == client->family)
		return found;
	int more = blocklist_client_find(view, &dressed, client);
	if (more > 0 && (!found || dressed.opt_out))
		*out = dressed;
	return more < 0 ? more : found || more;
}

int client_class(uint8_t *class, struct blocklist_view *view, const struct addr *client)
{
	struct addr plain = addr_unmap(client);
	uint8_t dressed;
	int err = blocklist_class_of(view, class, &plain);
	if (err || *class == POLICY_NONE || plain.family == client->family)
		return err;
	err = blocklist_class_of(view, &dressed, client);
	if (dressed == POLICY_NONE || *class == POLICY_ALL)
		*class = dressed;
	return err;
}

char *client_text(char out[CLIENT_TEXT_MAX], struct blocklist_view *view,
		  const struct addr *client)
{
	struct blocklist_client c;
	const struct blocklist_group *g;
	if (client_find(view, &c, client) <= 0)
		snprintf(out, CLIENT_TEXT_MAX, "all lists");
	else if (c.opt_out || !(g = blocklist_group(view, c.group)))
		snprintf(out, CLIENT_TEXT_MAX, "opted out");
	else
		snprintf(out, CLIENT_TEXT_MAX, "group %s", g->name);
	return out;
}
