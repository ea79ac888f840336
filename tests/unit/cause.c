#include "resolver/cause.h"
#include "tests/unit/unit.h"

/* What is told of an entry, when the list is known by name and text. */
static const char *told(char text[ANSWER_EDE_TEXT_MAX], const struct blocklist_list *list,
			uint64_t entry)
{
	const struct verdict v = {.rule.entry = entry};
	struct cause why = {.list = list};
	const struct policy p = {.stamp.generation = 9};
	struct answer_policy how = {.verdict = &v};
	cause_tell(&how, text, &why, &p);
	ck_assert_ptr_eq(how.text, text);
	ck_assert_uint_eq(how.generation, 9);
	ck_assert_int_eq(how.ede, list ? list->ede : DNS_EDE_BLOCKED);
	return text;
}

START_TEST(text_of_an_entry)
{
	char text[ANSWER_EDE_TEXT_MAX];
	struct blocklist_list list = {.name = "isac", .ede = DNS_EDE_CENSORED};
	ck_assert_str_eq(told(text, &list, 0), "isac, entry 0");
	ck_assert_str_eq(told(text, &list, 1234567890), "isac, entry 1234567890");
	ck_assert_str_eq(told(text, &list, UINT64_MAX),
			 "isac, entry 18446744073709551615");
	ck_assert_str_eq(told(text, NULL, 7), "?, entry 7");
	strcpy(list.public_text, "by court order");
	ck_assert_str_eq(told(text, &list, 7), "by court order, entry 7");
}
END_TEST

/* The longest of both fits or ends at the room there is. */
START_TEST(longest_text)
{
	char text[ANSWER_EDE_TEXT_MAX], want[BLOCKLIST_PUBLIC_MAX + 64];
	struct blocklist_list list = {.ede = DNS_EDE_BLOCKED};
	memset(list.public_text, 'x', sizeof list.public_text - 1);
	snprintf(want, sizeof want, "%s, entry %llu", list.public_text,
		 (unsigned long long)UINT64_MAX);
	want[ANSWER_EDE_TEXT_MAX - 1] = 0;
	ck_assert_str_eq(told(text, &list, UINT64_MAX), want);
}
END_TEST

UNIT_SUITE("cause", text_of_an_entry, longest_text)
