/* sinkhole-hits: what an analyst asks the hit log. */
#include <signal.h>
#include <unistd.h>

#include "tools/hits_tool.h"

/* A page of a segment that was damaged in a way no check sees can crash its reader. */
static void on_crash(int sig)
{
	static const char text[] =
		"sinkhole-hits: a segment is damaged beyond reading: move the files of "
		"the "
		"hits folder away one by one, or narrow --since and --until, until this "
		"works\n";
	(void)sig;
	(void)!write(STDERR_FILENO, text, sizeof text - 1);
	_exit(CLI_FAULT);
}

static void catch_crashes(void)
{
	struct sigaction sa = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
}

static const struct cli_command commands[] = {
	{"summary", "", "The log in a dozen numbers", hits_summary},
	{"top", "[entries|clients|families|names|lists]", "What was hit most", hits_top},
	{"client", "ADDR|PREFIX", "Hits of a client or of all clients in a prefix",
	 hits_client},
	{"name", "NAME", "Hits on a name; with --subtree also below it", hits_name},
	{"timeline", "", "Hits and clients by hour or day", hits_timeline},
	{"follow", "", "Hits as they are stored, until Ctrl-C", hits_follow},
	{"export", "", "All hits; with --json every field, one object a line",
	 hits_export},
	{0},
};

int main(int argc, char **argv)
{
	static const struct cli_program program = {
		.name = "sinkhole-hits",
		.help = "Review who asked for listed names",
		.commands = commands,
		.more = "Each takes --since and --until (2h, 7d, today, yesterday, "
			"2026-01-31T12:00:00Z), --limit, --json,\n--list, --family, "
			"--client, --name. Times are UTC.",
	};
	catch_crashes();
	return cli_main(&program, argc, argv);
}
