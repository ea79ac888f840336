/* control.h: how sinkholectl talks to a running sinkholed.
 * Shape    unix stream socket RUNTIME/control.sock, one request a connection: a JSON
 *          object and a newline; one answer, the same; then the server closes
 * Units    bytes and seconds as named
 * Threads  served by the main thread
 * Errors   {"ok": false, "error": "what is wrong; what to do"}
 *
 * Request  {"command": "status"}
 * Answer   {"ok": true, ...} with the command's own members beside ok
 *
 * Commands of this version
 *   status   version, pid, uptime, node, store, hit log, warnings: nested objects with
 *            texts and numbers, as `sinkholectl status` prints them
 *   stats    {"counters": {name: number}}, all of resolver/stats.h
 *   flush    optional "name" and "subtree": forgets cached answers of that name, of all
 *            below it too, or everything; {"removed": number}
 *   stop     ends as SIGTERM does; the answer comes before
 * Whoever may write to the socket may do all of it: mode 0660, group of the process. */
#ifndef SINKHOLED_CONTROL_H
#define SINKHOLED_CONTROL_H

enum {
	CONTROL_REQUEST_MAX = 4096, /* a name of 1009 characters, in JSON's escapes */
	CONTROL_ANSWER_MAX = 1 << 20,
	CONTROL_TIMEOUT_S = 10, /* from connect to close */
	CONTROL_CONNECTIONS_MAX = 16,
	CONTROL_ERROR_MAX = 256,
};

#define CONTROL_SOCKET "control.sock"
#define CONTROL_BLOCKLIST_DIR "blocklist" /* below the state folder */
#define CONTROL_HITS_DIR "hits"
#define CONTROL_LOCK_FILE "sinkholed.lock"

#endif
