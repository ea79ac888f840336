#include "resolver/client.h"

bool client_allowed(const struct conf *conf, const struct addr *client)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct addr plain = *client;
	if (client->family == 6 && !memcmp(client->bytes, mapped, sizeof mapped))
		plain = addr_unmap(client);
	return conf_nets_cover(&conf->allow, &plain);
}

int client_class(uint8_t *class, struct blocklist_view *view, const struct addr *client)
{
	struct addr plain = addr_unmap(client);
	int out = blocklist_client_opted_out(view, &plain);
	if (out == 0 && plain.family != client->family)
		out = blocklist_client_opted_out(view, client);
	*class = out > 0 ? POLICY_NONE : POLICY_ALL;
	return out < 0 ? out : ERR_OK;
}
