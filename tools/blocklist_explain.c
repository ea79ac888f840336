#include "include/conf.h"
#include "resolver/explain.h"
#include "tools/blocklist_tool.h"
#include "tools/explain_text.h"

/* explain: what the resolver would do, asked of its own code, with the store alone: it
 * need not run. */

int tool_explain(const struct cli_command *self, int argc, char **argv)
{
	struct explain_options o = {0};
	const struct cli_option options[] = {EXPLAIN_OPTIONS(o), {0}};
	char error[CONTROL_ERROR_MAX];
	struct conf *conf = NULL;
	struct cli c;
	struct tool t;
	int status = cli_parse(&c, self, options, 1, 1, argc, argv);
	if (status == CLI_GO)
		status = cli_conf(&conf, &c);
	if (status != CLI_GO)
		return status;
	status = tool_open(&t, &c, BLOCKLIST_READ);
	if (status == CLI_GO) {
		json_t *answer = json_object();
		json_t *request = explain_request(&o, c.operands[0]);
		if (explain(answer, request, t.view, conf, error)) {
			json_decref(answer);
			status = cli_fail("%s", error);
		} else {
			status = explain_print(&c, answer);
		}
		json_decref(request);
		tool_close(&t);
	}
	conf_free(conf);
	return status;
}
