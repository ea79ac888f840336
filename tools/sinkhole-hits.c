/* sinkhole-hits: what an analyst asks the hit log. */
#include "tools/hits_tool.h"

static const struct cli_command commands[] = {
	{"summary", "", "The log in a dozen numbers", hits_summary},
	{"top", "[entries|clients|families|names|lists]", "What was hit most", hits_top},
	{"client", "ADDRESS|PREFIX", "Hits of a client or of all clients in a prefix",
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
		.help = "Shows who asked for listed names",
		.commands = commands,
		.more = "Each takes --since and --until (2h, 7d, today, yesterday,\n"
			"2026-01-31T12:00:00Z), --limit, --list, --family, --client and "
			"--name.\nTimes are UTC.",
	};
	return cli_main(&program, argc, argv);
}
