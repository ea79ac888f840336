#include "tools/blocklist_tool.h"

/* sinkhole-blocklist: the list operator's tool. It writes the store that a running
 * resolver reads; there is nothing to reload. */

static const struct cli_command commands[] = {
	{"import", "FILE|- [FILE ...]", "Replaces what a list holds by what files say",
	 tool_import},
	{"check", "FILE|- [FILE ...]", "Reads files and tells what an import would take",
	 tool_check},
	{"diff", "FILE|- [FILE ...]", "Shows what an import would change", tool_diff},
	{"simulate", "FILE|-", "Tells what of a log or capture would have been blocked",
	 tool_simulate},
	{"update", "[LIST ...]", "Fetches the lists of the configuration that are due",
	 tool_update},
	{"follow", "", "Keeps lists as the zones of others, by zone transfer",
	 tool_follow},
	{"add", "NAME|PREFIX", "Lists one name or prefix", tool_add},
	{"remove", "NAME|PREFIX", "Takes one name or prefix off a list", tool_remove},
	{"explain", "NAME|ADDRESS", "Tells what the resolver does with it, and why",
	 tool_explain},
	{"list", "[set NAME KEY=VALUE ...]",
	 "Shows the rules, or changes a list's settings", tool_list},
	{"promote", "NAME", "Lets a list act that only watched", tool_promote},
	{"lists", "", "Shows the lists", tool_lists},
	{"export", "", "Writes a list for import, for others, or for nft", tool_export},
	{"stats", "", "Shows counts, generation, digest and size of the store",
	 tool_stats},
	{"verify", "", "Reads the whole store and checks that nothing is damaged",
	 tool_verify},
	{"backup", "[FILE]", "Writes a copy of the store, and reads it again",
	 tool_backup},
	{"restore", "[FILE]", "Puts a copy back, while the resolver runs", tool_restore},
	{"compact", "", "Makes the store's file as small as it can be", tool_compact},
	{"client", "add PREFIX | remove PREFIX | import FILE|- | show [ADDRESS]",
	 "Says which subscribers opted out or belong to a group", tool_client},
	{"group", "set NAME | remove NAME | show",
	 "Says which lists apply to the subscribers of a group", tool_group},
	{0},
};

int main(int argc, char **argv)
{
	static const struct cli_program program = {
		.name = "sinkhole-blocklist",
		.help = "Keeps the blocklist of sinkholed",
		.commands = commands,
	};
	return cli_main(&program, argc, argv);
}
