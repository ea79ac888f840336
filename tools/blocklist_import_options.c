#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/blocklist_import.h"
#include "tools/list_conf.h"

/* What import, check and diff are told: options, and the configuration beside them. */

#define FORMATS "auto, domains, hosts, csv, rpz, adblock, stix, misp, warninglist, json"
#define FORCES                                                                       \
	"shrink, growth, empty, popular, own, never-block, suffix, private-suffix, " \
	"single-label, arpa, wide, reserved, exception"
/* What --force alone lifts: every gate. An exception is no gate: it frees names. */
#define GATES                                                                \
	"shrink,growth,empty,popular,own,never-block,suffix,private-suffix," \
	"single-label,arpa,wide,reserved"

/* One word of --force: a check of the whole list, or a reason to leave lines out. */
static bool force_word(struct import_job *j, const char *word, size_t len)
{
	if (len == strlen("shrink") && !memcmp(word, "shrink", len))
		return j->force_shrink = true;
	if (len == strlen("growth") && !memcmp(word, "growth", len))
		return j->force_growth = true;
	if (len == strlen("empty") && !memcmp(word, "empty", len))
		return j->force_empty = true;
	for (int why = 0; why < FEED_SKIP_N; why++) {
		const char *key = feed_skip_key((enum feed_skip)why);
		if (!feed_skip_forcible((enum feed_skip)why) || strlen(key) != len ||
		    memcmp(word, key, len) != 0)
			continue;
		j->feed.force |= FEED_FORCE(why);
		return true;
	}
	return false;
}

static int read_force(struct import_job *j)
{
	const char *text = j->force_text;
	if (!text)
		return CLI_GO;
	if (!j->reason || !*j->reason)
		return cli_fail("--force needs --reason TEXT: it is recorded with the "
				"change");
	text = *text ? text : GATES;
	while (*text) {
		size_t len = strcspn(text, ",");
		if (!force_word(j, text, len))
			return cli_fail("--force takes " FORCES
					", with commas between, not "
					"\"%.*s\"",
					(int)len, text);
		text += len + (text[len] == ',');
	}
	return CLI_GO;
}

/* How to read a list that the configuration knows, where no option says otherwise. */
static int ask_conf(struct import_job *j)
{
	int status = cli_conf(&j->conf, &j->cli);
	if (status == CLI_GO && j->list)
		j->known = conf_list_named(j->conf, j->list);
	const struct conf_list *l = j->known;
	if (!l)
		return status;
	if (!j->format)
		j->format = feed_format_text(l->format);
	if (!j->columns && *l->columns)
		j->columns = l->columns;
	if (!j->origin && *l->zone)
		j->origin = name_to_text(j->zone, l->zone);
	if (!j->family && *l->family)
		j->family = l->family;
	j->exact |= l->exact;
	j->ports |= l->ports;
	return CLI_GO;
}

/* The configuration's settings stand above the store's, and above options. */
static int settings_of_conf(struct import_job *j)
{
	int status = list_conf_allows(j->known, &j->set);
	if (status == CLI_GO && j->known)
		list_conf_set(&j->set, j->known);
	return status;
}

/* What no table of options can tell. */
static int check_options(const struct import_job *j)
{
	uint8_t origin[DNS_NAME_MAX];
	if (j->columns && !feed_columns_good(j->columns))
		return cli_fail("--columns takes name=HEADING, and with commas between "
				"family, category, confidence, added, expires, source, "
				"reference, reason, authority and type");
	if (j->for_list && !j->list)
		return cli_fail("%s needs --list NAME", j->cli.command);
	if (j->origin && name_from_str(origin, j->origin))
		return cli_fail("--origin takes a zone's name, not \"%s\"", j->origin);
	if (j->public_text && strlen(j->public_text) >= BLOCKLIST_PUBLIC_MAX)
		return cli_fail("--public takes at most %d bytes of text",
				BLOCKLIST_PUBLIC_MAX - 1);
	if (j->lease_s > UINT32_MAX || j->lease_s == 0)
		return cli_fail("--expires takes 1s to 136y");
	if (j->never_block && j->action)
		return cli_fail("--never-block says what is done: let through; leave "
				"--action out");
	return CLI_GO;
}

/* How the input is read. */
static int fill_feed(struct import_job *j)
{
	int format = feed_format_from_text(j->format ? j->format : "auto");
	if (format < 0)
		return cli_fail("--format takes " FORMATS ", not \"%s\"", j->format);
	j->feed = (struct feed_options){
		.format = (enum feed_format)format,
		.origin = j->origin,
		.family = j->family,
		.exact = j->exact,
		.ports = j->ports,
		.columns = j->columns,
		.now = (uint32_t)time(NULL),
	};
	if (j->columns && j->feed.format == FEED_AUTO)
		j->feed.format = FEED_CSV;
	return read_force(j);
}

/* What the list is set to. */
static int fill_set(struct import_job *j)
{
	int status = tool_list_action(&j->set, j->garden,
				      j->never_block ? "passthru" : j->action);
	j->set.public_text = j->public_text;
	j->set.precedence = (int)j->precedence;
	j->set.ede = -1;
	j->set.lease_s = j->lease_s;
	j->set.serial = -1;
	j->set.max_shrink = (int)j->max_shrink;
	j->set.max_growth = (int)j->max_growth;
	return status == CLI_GO ? settings_of_conf(j) : status;
}

/* A mistyped file name must not be what makes a store. */
static int files_exist(const struct import_job *j)
{
	for (int i = 0; i < j->cli.operands_n; i++) {
		const char *path = j->cli.operands[i];
		struct stat st;
		if (strcmp(path, "-") == 0)
			continue;
		if (stat(path, &st) != 0)
			return cli_fail("cannot read %s: %m", path);
		if (S_ISDIR(st.st_mode))
			return cli_fail("%s is a folder; name the files in it", path);
		if (access(path, R_OK) != 0)
			return cli_fail("cannot read %s: %m", path);
	}
	return CLI_GO;
}

/* own first, then what all three commands take. */
static void join_options(struct cli_option out[IMPORT_OPTIONS_MAX],
			 const struct cli_option *own, struct import_job *j)
{
	const struct cli_option common[] = {
		{"format", CLI_TEXT, &j->format, "FORMAT", FORMATS, 0, 0},
		{"origin", CLI_TEXT, &j->origin, "ZONE", "RPZ: the zone's name", 0, 0},
		{"exact", CLI_FLAG, &j->exact, NULL,
		 "names do not cover what is below them", 0, 0},
		{"ports", CLI_FLAG, &j->ports, NULL,
		 "ADDRESS:PORT is a name server's address", 0, 0},
		{"columns", CLI_TEXT, &j->columns, "ROLE=HEADING,...",
		 "CSV: where name, family, ... stand", 0, 0},
		{"family", CLI_TEXT, &j->family, "NAME",
		 "malware family where none is told", 0, 0},
		{"family-from-file", CLI_FLAG, &j->family_from_file, NULL,
		 "the family is the file's name", 0, 0},
		{"force", CLI_MAYBE, &j->force_text, "WHAT",
		 FORCES "; alone: all gates, not exception", 0, 0},
		{"popular", CLI_TEXT, &j->popular, "FILE",
		 "popular names, instead of the configuration's", 0, 0},
		{0},
	};
	size_t n = 0;
	while (own->name)
		out[n++] = *own++;
	memcpy(out + n, common, sizeof common);
}

int import_parse(struct import_job *j, const struct cli_command *self,
		 const struct cli_option *own, int argc, char **argv)
{
	struct cli_option options[IMPORT_OPTIONS_MAX];
	join_options(options, own, j);
	int status = cli_parse(&j->cli, self, options, 1, -1, argc, argv);
	if (status == CLI_GO)
		status = ask_conf(j);
	if (status == CLI_GO)
		status = check_options(j);
	if (status == CLI_GO)
		status = fill_feed(j);
	if (status == CLI_GO)
		status = fill_set(j);
	return status == CLI_GO ? files_exist(j) : status;
}
