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
 *   status   version, pid, uptime, node, store, hit log: nested objects with
 *            texts and numbers, as `sinkholectl status` prints them
 *   stats    {"counters": {name: number}}, all of resolver/stats.h
 *   flush    optional "name" and "subtree": forgets cached answers of that name, of all
 *            below it too, or everything; {"removed": number}
 *   explain  "name" (or an address), optional "client" (an address), "at" (a time, s) and
 *            "server" (true: it is a name server's): "query", "verdict" (pass, act,
 *            passthru), "action", "trigger", "list", "ede" and "ede_text" of the answer,
 *            "local" (a local zone answers before any list), "opted_out", "client"
 *            (address and lists), and "rules", all that match, in the order of
 *            decision, then those that could not decide: "decides", "lost" (why it does
 *            not), "rule", "kind", "trigger", "action", "entry", its list's "list",
 *            "precedence", "mode" and "garden", "starts", "until" and "first_listed"
 *            (times since 1970), "data" (as stored, in hex; tools unfold it),
 *            "confidence", "family", "category", "reason", "reference", "authority",
 *            "operator"; null is not known
 *   trace    "name", optional "type" (a number, else 1) and "client" (an address: its
 *            rules and rights; else all lists): resolves it now, as for a client over
 *            UDP, but without a hit. Answers within 8 s, one trace at a time:
 *              name, type   the question
 *              steps        a list in order; each has "step", "us" since the beginning,
 *                           "question" (1 is the one asked, 0 is before it, others are
 *                           sub-questions) and "depth"; the others by step, below
 *              left_out     steps there was no room for
 *              sends, us    packets to servers, and time, in all
 *              late         whether answers.max_wait forbids that answer over UDP
 *              outcome      "answer", "dropped" (as the rule says), or what ended it
 *              message      the answer as bytes, in hex; sinkholectl unfolds it
 *            client        address, allowed, class
 *            local zone    zone, what, overridden (by a rule)
 *            policy        name, or addresses_of and addresses, or server and address;
 *                          verdict: pass, act, passthru, monitor; but for pass, rule:
 *                          list, entry, action, trigger, matched, family
 *            question      name, type, for (the question that wants it)
 *            joined        name, type, other (the question that looks for it already)
 *            not asked     name, type
 *            zone          zone, from (cache, hints, stub, forward), servers
 *            cache         name, type, what (data, nodata, nxdomain), records, ttl;
 *                          stale when it has expired and stands in, RFC 8767
 *            validation    name, type, what (as in cache), status (secure, insecure,
 *                          bogus), why
 *            send          send (number), server, address, transport, name, type,
 *                          timeout_ms
 *            not sent      the same without number; why, and verdict and rule when one
 *                          forbids it
 *            reply         send, took_us, what (answer, alias, referral, nodata,
 *                          nxdomain, lame, error, truncated, no edns, junk, wrong id),
 *                          bytes, rcode; for a referral zone and servers
 *            no reply      send, took_us, why
 *            done          rcode, rrsets, ede, why; name, verdict, rule when one acts
 *   anchors  "anchors": a list of the keys that are followed, each with zone, tag,
 *            algorithm, digest_type, state, given (else found), since, seen, next (when
 *            the zone is asked again) and for a new one left_s; times since 1970
 *            "negative": a list, each with zone, until (0: as the configuration) and
 *            reason
 *   nta      "action" add or remove, "zone"; with add "reason" and optional "for_s"
 *   reload   reads the configuration and the file of trust anchors again; "anchors": as
 *            in status; "need_restart": "listen, workers", keys that have changed and
 *            keep their old value
 *   rotate   ends the hit log's segment, with all that is in the rings by now, and begins
 *            another; soon: "rotation" is its number, done when status has as many
 *            "rotations" in "hits"
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
