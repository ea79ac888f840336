#include "tools/question_line.h"

#include "tests/unit/unit.h"
#include "tools/most.h"

static const char *line(const char *text)
{
	static char out[DNS_NAME_TEXT_MAX + ADDR_TEXT_MAX + 2];
	char name[DNS_NAME_TEXT_MAX], client[ADDR_TEXT_MAX];
	struct question_line q;
	switch (question_line_read(&q, text, strlen(text))) {
	case QUESTION_LINE_NOTHING:
		return "nothing";
	case QUESTION_LINE_BAD:
		return "bad";
	default:
		snprintf(out, sizeof out, "%s %s", name_to_text(name, q.name),
			 q.client.family ? addr_to_text(client, &q.client) : "-");
		return out;
	}
}

START_TEST(lines)
{
	static const struct {
		const char *text, *want;
	} row[] = {
		{"example.com", "example.com -"},
		{"Example.COM.\r", "example.com -"},
		{"example.com 192.0.2.1", "example.com 192.0.2.1"},
		{"example.com,2001:db8::1,2026-01-01T00:00:00Z",
		 "example.com 2001:db8::1"},
		{"example.com;A;2026-01-01;192.0.2.1#4711", "example.com 192.0.2.1"},
		{"\"example.com\",\"192.0.2.1\"", "example.com 192.0.2.1"},
		{"example.com A", "example.com -"},
		{"{\"qname\":\"A.test.\",\"client\":\"192.0.2.1\"}", "a.test 192.0.2.1"},
		{" {\"query\": \"a.test\", \"src_ip\": 7}", "a.test -"},
		{"{\"dns.question.name\":\"a.test\"}", "a.test -"},
		{"", "nothing"},
		{" \t", "nothing"},
		{"# example.com", "nothing"},
		{"a..b", "bad"},
		{"{\"qname\":7}", "bad"},
		{"{\"qname\":\"a.test\"", "bad"},
		{"[]{}", "[]{} -"},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		ck_assert_msg(strcmp(line(row[i].text), row[i].want) == 0,
			      "\"%s\": %s, not %s", row[i].text, line(row[i].text),
			      row[i].want);
}
END_TEST

/* Whatever comes between, what is frequent is found, and no count is too low. */
START_TEST(most_of_many)
{
	enum { OFTEN = 5, TIMES = 2000, OTHERS = 300000 };
	const struct most_item *top[OFTEN + 1];
	struct most m;
	char text[32];
	ck_assert_int_eq(most_init(&m), 0);
	for (int i = 0; i < OTHERS; i++) {
		snprintf(text, sizeof text, "other%d", i);
		most_count(&m, text, 1, 0);
		if (i == 1000)
			ck_assert(!m.full && m.distinct == 1001 + OFTEN);
		snprintf(text, sizeof text, "often%d", i % OFTEN);
		if (i / OFTEN < TIMES)
			most_count(&m, text, 2, 7);
	}
	ck_assert(m.full);
	ck_assert_uint_ge(m.distinct, MOST_PLACES * 9 / 10);
	ck_assert_int_eq(most_top(&m, top, OFTEN + 1), OFTEN + 1);
	for (int i = 0; i < OFTEN; i++) {
		ck_assert_uint_ge(top[i]->count, TIMES);
		ck_assert_uint_le(top[i]->count - top[i]->over, TIMES);
		ck_assert_uint_eq(top[i]->list, 2);
		ck_assert_uint_eq(top[i]->rank, 7);
	}
	ck_assert_uint_lt(top[OFTEN]->count, TIMES);
	most_fini(&m);
	/* the same text of two lists is two */
	ck_assert_int_eq(most_init(&m), 0);
	most_count(&m, "a", 1, 0);
	most_count(&m, "a", 2, 0);
	ck_assert_int_eq(most_top(&m, top, OFTEN), 2);
	most_fini(&m);
}
END_TEST

UNIT_SUITE("question_line", lines, most_of_many)
