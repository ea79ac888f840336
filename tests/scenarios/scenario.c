/* scenario.c [-u] FILE...: replays scenarios over resolve_step() with a fake clock and
 * fake servers. Of a file that fails, the first step that differs is told, with the
 * difference and the packets since its question; the last line counts the files. -u also
 * plays files that need validation, as far as they go without. */
#include <stdio.h>

#include "tests/scenarios/check.h"

static struct script script;
static struct world world;

static void time_passes(struct world *w, const struct script_step *s)
{
	const struct words *p = &s->words;
	double elapse =
		p->n == 3 && is_word(p->w[1], "ELAPSE") ? strtod(p->w[2], NULL) : -1;
	if (!(elapse >= 0 && elapse < 1e9)) {
		world_differ(w, s->line, "TIME_PASSES ELAPSE SECONDS");
		return;
	}
	uint64_t to = w->env.now_ms + (uint64_t)(elapse * 1000);
	world_pass(w, to);
	world_set_clock(w, to);
}

/* The packet that a REPLY, TIMEOUT or ERROR step is about. */
static struct sent *find_open(struct world *w, const struct script_step *s)
{
	for (int i = 0; i < w->sent_n; i++) {
		struct sent *t = &w->sent[i];
		if (t->open && servers_match_step(s, t))
			return t;
	}
	return NULL;
}

/* Steps about a packet that no range answers. */
static void settle_packet(struct world *w, const struct script_step *s)
{
	bool reply = is_word(s->words.w[0], "REPLY");
	struct sent *t;
	while (!(t = find_open(w, s)) && world_pass_one(w))
		continue;
	if (!t) /* asked elsewhere, or not at all: the answers will tell */
		return;
	if (!reply) {
		world_fail(w, t,
			   is_word(s->words.w[0], "ERROR") ? SEND_UNREACHABLE
							   : SEND_TIMED_OUT);
	} else if (s->entry) {
		t->how = NULL;
		world_reply(w, t, s->entry);
		world_pass(w, w->env.now_ms);
	}
}

/* Unbound's clock of steps stands at the next one when packets go out; in Deckard the
 * step of a question ends with its answer. */
static void query(struct world *w, const struct script_step *s)
{
	const struct words *p = &s->words;
	if (!s->entry || !s->entry->has_question) {
		world_differ(w, s->line, "QUERY needs an entry with a question");
		return;
	}
	if (w->script->dialect == DIALECT_UNBOUND && s->next)
		w->step = s->next->number;
	world_ask(w, s->entry, p->n > 1 && is_word(p->w[1], "optout"));
	while (w->script->dialect == DIALECT_DECKARD && !w->asked->reply &&
	       world_pass_one(w))
		continue;
}

/* Deckard's steps about packets are no demands: replies were in store when a packet was
 * sent. */
static bool is_deckards(const struct world *w, const char *kind)
{
	static const char *const packets[] = {"REPLY", "CHECK_OUT_QUERY", "TIMEOUT",
					      "ERROR", "TRAFFIC",	  "NOTHING"};
	if (w->script->dialect != DIALECT_DECKARD)
		return false;
	for (size_t i = 0; i < sizeof packets / sizeof *packets; i++)
		if (is_word(kind, packets[i]))
			return true;
	return false;
}

static void take_step(struct world *w, const struct script_step *s)
{
	const char *kind = s->words.w[0];
	w->step = s->number;
	w->line = s->line;
	if (is_deckards(w, kind))
		return;
	if (is_word(kind, "QUERY"))
		query(w, s);
	else if (is_word(kind, "CHECK_ANSWER") || is_word(kind, "ANSWER"))
		check_answer(w, s);
	else if (is_word(kind, "TIME_PASSES"))
		time_passes(w, s);
	else if (is_word(kind, "CHECK_OUT_QUERY"))
		check_out_query(w, s);
	else if (is_word(kind, "REPLY") || is_word(kind, "TIMEOUT") ||
		 is_word(kind, "ERROR"))
		settle_packet(w, s);
	else if (is_word(kind, "TRAFFIC"))
		world_pass(w, w->env.now_ms);
	else if (is_word(kind, "RULE"))
		world_add_rule(w, &s->words);
	else if (is_word(kind, "UNRULE"))
		world_remove_rule(w, &s->words);
	else if (!is_word(kind, "NOTHING") && !check_counts(w, s))
		world_differ(w, s->line, "unknown STEP %s", kind);
}

/* True when all was as the file says. */
static bool play(struct world *w, struct script *s)
{
	world_open(w, s);
	for (const struct script_step *p = s->steps; p && !w->failures; p = p->next)
		take_step(w, p);
	if (w->failures)
		world_print_sent(w);
	else
		check_mandatory(w);
	world_close(w);
	printf("%s: %s: %s\n", w->failures ? "FAILED" : "ok", s->file, s->title);
	return !w->failures;
}

int main(int argc, char **argv)
{
	bool unchecked = argc > 1 && is_word(argv[1], "-u");
	int passed = 0, failed = 0, skipped = 0;
	for (int i = 1 + unchecked; i < argc; i++) {
		bool ok = script_read(&script, argv[i], unchecked);
		if (!ok) {
			printf("%s\nFAILED: %s: cannot be read\n", script.error, argv[i]);
			failed++;
		} else if (script.skip[0]) {
			printf("skipped - %s: %s\n", argv[i], script.skip);
			skipped++;
		} else {
			ok = play(&world, &script);
			passed += ok;
			failed += !ok;
		}
		script_free(&script);
	}
	printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
	return failed ? 1 : passed ? 0 : 77;
}
