/* main.c: sinkholed's options. */
#include <getopt.h>
#include <signal.h>

#include "include/version.h"
#include "resolver/log.h"
#include "resolver/program.h"

static const char usage[] =
	"usage: sinkholed [-c FILE]\n"
	"       sinkholed [-c FILE] --check\n"
	"       sinkholed --help-config | --help | --version\n"
	"\n"
	"A recursive DNS resolver that answers listed names with a sinkhole answer and "
	"logs\n"
	"who asked. It stays in the foreground and logs to stderr.\n"
	"\n"
	"  -c, --config FILE  configuration (YAML); without it the defaults hold\n"
	"      --check        check the configuration and end: 0 good, 1 not\n"
	"      --help-config  every key with its default, as a configuration file\n"
	"  -h, --help         this text\n"
	"  -V, --version      the version\n"
	"\n"
	"SIGHUP reads the configuration again; SIGTERM and SIGINT end it in order.\n"
	"See sinkholed(8), sinkholed.yaml(5).\n"
	"Exit status: 0 done, 1 no or a check failed, 2 wrong usage or a fault.\n";

int main(int argc, char **argv)
{
	enum { OPT_CHECK = 256, OPT_HELP_CONFIG };
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, OPT_CHECK},
		{"help-config", no_argument, NULL, OPT_HELP_CONFIG},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	const char *path = NULL;
	bool only_check = false;
	struct conf_error error;
	struct conf *conf;
	int c;
	while ((c = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			path = optarg;
			break;
		case OPT_CHECK:
			only_check = true;
			break;
		case OPT_HELP_CONFIG:
			conf_help(stdout);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			puts("sinkholed " SINKHOLED_VERSION);
			return 0;
		default:
			fputs("try sinkholed --help\n", stderr);
			return PROGRAM_FAULT;
		}
	}
	if (optind < argc) {
		fprintf(stderr,
			"sinkholed: '%s' is not an option; try sinkholed --help\n",
			argv[optind]);
		return PROGRAM_FAULT;
	}
	signal(SIGPIPE, SIG_IGN);
	if (conf_load(&conf, path, &error)) {
		log_error("%s", error.text);
		return only_check ? PROGRAM_NO : PROGRAM_FAULT;
	}
	return only_check ? program_check(conf, path) : program_serve(conf, path);
}
