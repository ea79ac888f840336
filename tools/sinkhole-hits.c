/* sinkhole-hits: what an analyst asks the hit log. */
#include "tools/hits_tool.h"

static const struct cli_command commands[] = {
	{"summary", "", "The log in a dozen numbers", hits_summary},
	{"top", "[entries|clients|families|lists|categories|actions|names]",
	 "What was hit most", hits_top},
	{"client", "ADDR|PREFIX", "Hits of a client or of all clients in a prefix",
	 hits_client},
	{"name", "NAME", "Hits on a name; with --subtree also below it", hits_name},
	{"entry", "NAME|PREFIX|ID", "Clients that asked for an entry, with a sample hit",
	 hits_entry},
	{"family", "NAME", "Clients infected with a malware family, with a sample hit",
	 hits_family},
	{"timeline", "", "Hits and clients by hour or day", hits_timeline},
	{"new", "[clients|families|entries|lists|categories]",
	 "What has not been seen in the days before", hits_new},
	{"cleaned", "[clients|families|entries|lists|categories]",
	 "What has been silent since", hits_cleaned},
	{"compare", "[clients|families|entries|lists|categories|actions]",
	 "Hits now beside those of the span before", hits_compare},
	{"follow", "", "Hits as they are stored, until Ctrl-C", hits_follow},
	{"export", "", "Hits for others: pseudonyms, many formats", hits_export},
	{"verify", "", "Whether every record is whole and none is missing", hits_verify},
	{"hold", "", "Keeps the hits of a case from retention and from forget",
	 hits_hold},
	{"forget", "", "Erases a client", hits_forget},
	{"key", "new|rotate|reveal PSEUDONYM", "The key of exported pseudonyms",
	 hits_key},
	{0},
};

int main(int argc, char **argv)
{
	static const struct cli_program program = {
		.name = "sinkhole-hits",
		.help = "Shows who asked for listed names",
		.commands = commands,
		.more = "Each takes --since and --until (2h, 7d, today, yesterday, "
			"2026-01-31T12:00:00Z), --limit, --json,\n--list, --family, "
			"--category, --entry, --action, --trigger, --client, --name, and "
			"--hits DIR,DIR\nfor the logs of several nodes. Times are UTC.",
	};
	return cli_main(&program, argc, argv);
}
