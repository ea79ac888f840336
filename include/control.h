/* control.h: how sinkholectl talks to a running sinkholed.
 * Shape    unix stream socket RUNTIME/control.sock; one request a connection: a JSON
 *          object and a newline, {"command": "status", ...}; one answer: a JSON object
 *          and a newline, {"ok": true, ...} or {"ok": false, "error": "..."}; then
 *          the server closes
 * Units    request at most CONTROL_REQUEST_MAX bytes; 10 s to send it
 * Threads  served by the main thread
 *
 * Commands
 *   status                      version, pid, uptime, node, blocklist stamp, hit log
 * state stats                       all counters as numbers flush [name] [subtree] forget
 * cached answers: of a name, below it, or all stop                        end as after
 * SIGTERM Later: reload, trace, explain. */
#ifndef SINKHOLED_CONTROL_H
#define SINKHOLED_CONTROL_H

enum { CONTROL_REQUEST_MAX = 4096, CONTROL_TIMEOUT_S = 10 };

#define CONTROL_SOCKET "control.sock"
#define CONTROL_BLOCKLIST_DIR "blocklist" /* below the state folder */
#define CONTROL_HITS_DIR "hits"
#define CONTROL_LOCK_FILE "sinkholed.lock"

#endif
