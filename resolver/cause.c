#include "resolver/cause.h"

static void read_entry(struct cause *out, const struct policy *p, const struct verdict *v)
{
	struct blocklist_key key = {.prefix = v->prefix};
	if (!v->prefix.addr.family)
		name_copy(key.name, v->matched);
	if (blocklist_entry_of_rule(p->view, &out->entry, &v->rule, &key))
		return;
	out->family = out->entry.family;
	out->category = out->entry.category;
	out->data = &out->entry.data;
}

void cause_find(struct cause *out, const struct policy *p, const struct verdict *v)
{
	const struct blocklist_word_pair *words = blocklist_words_of(p->view, &v->rule);
	out->list = blocklist_list(p->view, v->rule.list);
	out->family = words ? words->family : "";
	out->category = words ? words->category : "";
	out->data = NULL;
	if (!words)
		read_entry(out, p, v);
}

/* Behind the text at out; the end of it. */
static char *put_text(char *out, const char *end, const char *text)
{
	while (*text && out < end)
		*out++ = *text++;
	return out;
}

static char *put_number(char *out, const char *end, uint64_t n)
{
	char digit[21], *at = digit + sizeof digit - 1;
	*at = 0;
	do {
		*--at = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	return put_text(out, end, at);
}

/* At every hit: snprintf() took a tenth of its time. */
void cause_tell(struct answer_policy *out, char text[ANSWER_EDE_TEXT_MAX],
		struct cause *why, const struct policy *p)
{
	if (out->action == RULE_LOCAL_DATA && !why->data)
		read_entry(why, p, out->verdict);
	const char *list = !why->list		     ? "?"
			   : *why->list->public_text ? why->list->public_text
						     : why->list->name;
	const char *end = text + ANSWER_EDE_TEXT_MAX - 1;
	char *at = put_text(put_text(text, end, list), end, ", entry ");
	*put_number(at, end, out->verdict->rule.entry) = 0;
	out->generation = p->stamp.generation;
	out->ede = (int16_t)(why->list ? why->list->ede : DNS_EDE_BLOCKED);
	out->text = text;
	out->data = why->data;
}
