#!/usr/bin/env python3
"""A line that loses 30 % of all answers, doubles some and lets some come late: names never asked before are resolved all the
same, within three tries of the client."""
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import harness
from dnsmsg import Message, query
from harness import Resolver, check, test
from lab import CLIENT, LabError, die_with_parent, port_free, wait_for
from wide import WideLab, cold_names

DROP, DOUBLE, LATE = 0.3, 0.1, 0.1
TRIES, TRY_S = 3, 2.0  # answers.max_wait is 1.9 s; a stub's first time-outs are 2 to 5 s
NEVER = 0.01           # share that may stay unresolved
AT_ONCE = 40           # questions in flight
SEED = 20


@contextlib.contextmanager
def setup(args, folder):
    yield args, folder


@contextlib.contextmanager
def bad_line(lab, seed, **share):
    """The port of a bad line to all servers of the lab; read .counts behind it."""
    port = next(p for p in range(lab.port + 1, 60000) if all(port_free(lab.host(h), p) for hosts, _ in lab.servers.values() for h in hosts))
    ready = lab.path("lossy.ready")
    addresses = [lab.host(h) for hosts, _ in lab.servers.values() for h in hosts]
    p = subprocess.Popen(
        [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lossy.py"), str(port), str(lab.port), str(seed),
         str(share["drop"]), str(share["double"]), str(share["late"]), ready, *addresses],
        preexec_fn=die_with_parent, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=open(lab.path("lossy.err"), "w"), text=True)
    try:
        if not wait_for(lambda: os.path.exists(ready)):
            raise LabError("lossy.py did not start: see " + lab.path("lossy.err"))
        said = {}
        yield port, said
        p.send_signal(signal.SIGTERM)
        words = p.communicate(timeout=10)[0].split()
        said.update(zip(words[::2], map(int, words[1::2])))
        os.remove(ready)
    finally:
        p.kill()
        p.wait()


class Client:
    """Asks rows, at most AT_ONCE at a time, each up to TRIES times: a SERVFAIL or silence is a try that failed. The next one
    begins when the time of the last is over, as a stub's does."""

    def __init__(self, server, source, rows):
        self.server, self.source, self.rows = server, source, iter(enumerate(rows))
        self.wrong, self.never, self.open, self.at_try, self.begun = [], [], {}, [0] * (TRIES + 1), 0

    def run(self):
        """at_try[n]: questions that the n-th try resolved; [0]: never."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(self.source)
            s.connect(self.server)
            s.setblocking(False)
            while self.begin(s) or self.open:
                self.read(s)
                self.again(s)
                time.sleep(0.002)
        return self.at_try

    def begin(self, s):
        while len(self.open) < AT_ONCE:
            number, row = next(self.rows, (None, None))
            if row is None:
                return False
            self.open[number] = [row, 1, time.monotonic() + TRY_S, "silence"]
            self.begun += 1
            s.send(query(row[1], row[2], qid=number))
        return True

    def read(self, s):
        while True:
            try:
                m = Message(s.recv(4096))
            except BlockingIOError:
                return
            if m.id not in self.open:
                continue
            (_, qname, qtype, rcode, data), tries, _, _ = self.open[m.id]
            if m.rcode == "SERVFAIL":
                self.open[m.id][3] = "SERVFAIL %s" % m.ede
                continue
            if m.rcode != rcode or m.data(qtype) != data:
                self.wrong.append("%s %s: %r" % (qname, qtype, m))
            self.at_try[tries] += 1
            del self.open[m.id]

    def again(self, s):
        now = time.monotonic()
        for number, one in list(self.open.items()):
            if one[2] > now:
                continue
            if one[1] == TRIES:
                self.at_try[0] += 1
                self.never.append("%s %s: %s" % (one[0][1], one[0][2], one[3]))
                del self.open[number]
                continue
            one[1:3] = one[1] + 1, now + TRY_S
            s.send(query(one[0][1], one[0][2], qid=number))


def lossy_run(args, folder, seed, rows):
    lab = WideLab(os.path.join(folder, "lab%d" % seed))
    lab.up()
    try:
        with bad_line(lab, seed, drop=DROP, double=DOUBLE, late=LATE) as (port, said):
            r = Resolver(args.build, os.path.join(folder, "resolver%d" % seed), lab)
            r.configure(recursion={"port": port})
            r.start()
            client = Client(r.server(), (lab.host(CLIENT), 0), rows)
            start = time.monotonic()
            at_try = client.run()
            seconds = time.monotonic() - start
            r.stop()
            check(not r.faults, "; ".join(r.faults))
    finally:
        lab.down()
    figures = "%d names in %.1f s: %s at the first, second and third try, %d never; of %d answers %d were lost" % (
        client.begun, seconds, ", ".join(map(str, at_try[1:])), at_try[0], said["answers"], said["dropped"])
    check(not client.wrong, "wrong answers", client.wrong[:3])
    check(0.25 < said["dropped"] / said["answers"] < 0.35, "the line does not lose what it should", said)
    if client.never:
        figures += " (%s)" % ", ".join(client.never[:4])
    return figures, client.begun, at_try[0]


def within_bar(runs):
    """runs: a generator of lossy_run(). The bar holds over all of them: one alone has a handful of failures by chance."""
    said, begun, never = "", 0, 0
    for figures, names, failed in runs:
        said, begun, never = said + "; " * bool(said) + figures, begun + names, never + failed
        if never <= begun * NEVER:
            return said
    raise harness.Failed("%d of %d not resolved: %s" % (never, begun, said))


@test("30 % of answers lost, some doubled, some late: 99 % of cold names resolved within three tries", sanitized=False)
def losses(args, folder):
    return within_bar(lossy_run(args, folder, seed, cold_names(seed)) for seed in range(SEED, SEED + 3))


@test("the same, four times", full=True, sanitized=False)
def losses_full(args, folder):
    runs = [lossy_run(args, folder, seed, cold_names(seed)) for seed in range(SEED + 10, SEED + 14)]
    return within_bar([("; ".join(r[0] for r in runs), sum(r[1] for r in runs), sum(r[2] for r in runs))])


if __name__ == "__main__":
    harness.main(setup)
