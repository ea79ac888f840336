/* list_conf.h: what the configuration says of a list, and what the store has.
 * Shape    the configuration's word stands above the store's: import and follow write it,
 *          what would contradict it by hand is refused
 * Memory   a set borrows from the struct conf_list
 * Threads  one
 * Errors   printed here; CLI_GO or an exit status comes back */
#ifndef SINKHOLED_TOOLS_LIST_CONF_H
#define SINKHOLED_TOOLS_LIST_CONF_H

#include "include/conf.h"
#include "tools/blocklist_tool.h"
#include "tools/list_state.h"

/* Keeps everything as it is. */
extern const struct blocklist_list_set list_conf_nothing;

/* Puts into set what the configuration gives, and leaves the rest. */
void list_conf_set(struct blocklist_list_set *set, const struct conf_list *l);
/* CLI_NO where set, by hand, is otherwise than the configuration. l NULL: it is free. */
MUST_CHECK int list_conf_allows(const struct conf_list *l,
				const struct blocklist_list_set *set);
/* Brings the list's settings in the store to what the configuration says, if the list is
 * there; says and records what it does. */
MUST_CHECK int list_conf_apply(struct tool *t, const struct conf_list *l);

/* Whether the source had no good news for longer than the configuration allows. loaded:
 * of the list in the store, 0 = it is not there. */
bool list_conf_stale(const struct conf_list *l, const struct list_state *last,
		     uint32_t loaded, uint32_t now);

#endif
