#include "resolver/cause.h"

#include <stdio.h>

void cause_find(struct cause *out, const struct policy *p, const struct verdict *v)
{
	struct blocklist_key key = {.prefix = v->prefix};
	out->list = blocklist_list(p->view, v->rule.list);
	if (!v->prefix.addr.family)
		name_copy(key.name, v->matched);
	if (blocklist_entry_of_rule(p->view, &out->entry, &v->rule, &key))
		out->entry.family[0] = out->entry.category[0] = 0,
		out->entry.data.len = 0;
}

void cause_tell(struct answer_policy *out, char text[ANSWER_EDE_TEXT_MAX],
		const struct cause *why, const struct policy *p)
{
	const char *list = !why->list		     ? "?"
			   : *why->list->public_text ? why->list->public_text
						     : why->list->name;
	snprintf(text, ANSWER_EDE_TEXT_MAX, "%s, entry %llu", list,
		 (unsigned long long)out->verdict->rule.entry);
	out->generation = p->stamp.generation;
	out->ede = (int16_t)(why->list ? why->list->ede : DNS_EDE_BLOCKED);
	out->text = text;
	out->data = &why->entry.data;
}
