/* A captured frame: the first byte chooses the link, the rest is the frame. What comes
 * out are names in form; and the lines of logs and of popular names, which are as
 * hostile. */
#include <stdlib.h>

#include "tools/packet.h"
#include "tools/popular.h"
#include "tools/question_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const uint8_t *name)
{
	size_t at = 0;
	while (name[at]) {
		if (name[at] > DNS_LABEL_MAX || at + name[at] + 1U >= DNS_NAME_MAX)
			abort();
		at += name[at] + 1U;
	}
}

static void check_client(const struct addr *a, bool must)
{
	if (a->family ? a->family != 4 && a->family != 6 : must)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int links[] = {0, 1, 12, 101, 108, 113, 228, 229, 276};
	struct packet_question q[PACKET_QUESTIONS_MAX];
	struct question_line line;
	uint8_t name[DNS_NAME_MAX];
	uint32_t rank;
	if (!size)
		return 0;
	int n = packet_read(q, links[data[0] % (sizeof links / sizeof *links)], 53,
			    data + 1, size - 1);
	if (n < 0 || n > PACKET_QUESTIONS_MAX)
		abort();
	for (int i = 0; i < n; i++) {
		check_name(q[i].name);
		check_client(&q[i].client, true);
	}
	const char *text = (const char *)data + 1;
	if (question_line_read(&line, text, size - 1) == QUESTION_LINE_GOOD) {
		check_name(line.name);
		check_client(&line.client, false);
	}
	if (popular_line(name, &rank, text, size - 1))
		check_name(name);
	return 0;
}
