#!/usr/bin/env python3
"""RFC 8767: what has expired, while the servers are dead, and only where no rule is against it."""
import contextlib
import json
import os
import signal
import time

import harness
from harness import SINK4, check, equal, in_time, test
from lab import wait_for

LIFE_S, MAX_AGE_S, PATIENCE_S = 2, 20, 0.5
NAME, TRUTH = "www.beta.example", ["192.0.2.21"]


@contextlib.contextmanager
def setup(args, folder):
    # One worker: whoever asks later joins the question that is being looked up.
    with harness.lab_and_resolver(args, folder, workers=1, cache={"max_ttl": LIFE_S}, serve_stale={
            "enabled": True, "client_timeout": "%dms" % (PATIENCE_S * 1000), "max_age": MAX_AGE_S}) as r:
        yield r


def family(pid):
    """The process and all below it."""
    below = open("/proc/%d/task/%d/children" % (pid, pid)).read().split()
    return [pid] + [p for child in below for p in family(int(child))]


@contextlib.contextmanager
def dead(r):
    """The servers of beta.example say nothing."""
    pids = family(r.lab.processes[list(r.lab.servers).index("beta")].pid)
    for p in pids:
        os.kill(p, signal.SIGSTOP)
    try:
        yield
    finally:
        for p in pids:
            os.kill(p, signal.SIGCONT)


def stale(r, name, truth):
    """Asks, and wants what was known before; returns how long it took."""
    start = time.monotonic()
    m = r.ask(name)
    took = time.monotonic() - start
    check(m is not None and m.data("A") == truth, "%s: expected what is stale" % name, m)
    equal(m.ede[0][0], 3, "EDE")
    equal({a.ttl for a in m.answer}, {30}, "TTL")
    return took


@test("1B row 41, serve-stale abuse: the upstream is dead, a name is listed, the rule wins; TTL 30; not past max_age")
def row_41(r):
    r.must("sinkholectl", "flush")
    equal(r.ask(NAME).data("A"), TRUTH, "before")
    equal(r.ask("mail.beta.example").data("A"), ["192.0.2.22"], "before")
    expired = time.monotonic() + LIFE_S
    with dead(r):
        time.sleep(LIFE_S + 0.2)
        took = stale(r, NAME, TRUTH)
        check(PATIENCE_S <= took, "an answer after %.2f s" % took)
        in_time(took < PATIENCE_S + 0.4, "an answer after %.2f s" % took)
        in_time(stale(r, NAME, TRUTH) < 0.4, "who comes later waits again")
        for over in ("udp", "tcp"):
            r.add(NAME)
            m = r.ask(NAME, over=over)
            check(m.data("A") == [SINK4] and not any(e == 3 for e, _ in m.ede), "a listed name", m)
            r.remove(NAME)
            stale(r, NAME, TRUTH)
        r.add("ns1.beta.example", "--exact")
        m = r.ask("mail.beta.example")
        check(m.data("A") == [SINK4] and m.answer[-1].data == SINK4, "the server that told it is listed", m)
        r.remove("ns1.beta.example")
        hits = r.wait_hits(lambda h: len(h) >= 3)
        equal([h["trigger"] for h in hits], ["name", "name", "ns-name"], "hits")
        stats = json.loads(r.must("sinkholectl", "stats", "--json"))["counters"]
        check(stats["answers_stale"] >= 4, "counted", stats["answers_stale"])
        time.sleep(max(0.0, expired + MAX_AGE_S + 0.2 - time.monotonic()))
        m = r.ask(NAME)
        check(m is None or m.rcode == "SERVFAIL", "past max_age", m)
    return "stale after %.2f s" % took


@test("the look-up goes on behind a stale answer: what comes then is fresh for the next")
def refreshed(r):
    r.must("sinkholectl", "flush")
    equal(r.ask(NAME).data("A"), TRUTH, "before")
    with dead(r):
        time.sleep(LIFE_S + 0.2)
        stale(r, NAME, TRUTH)
    wait_for(lambda: not r.ask(NAME).ede, 5)
    m = r.ask(NAME)
    check(m.data("A") == TRUTH and not m.ede and m.answer[0].ttl <= LIFE_S, "the next answer", m)


@test("RD=0: what is stale is told, and looked up behind the answer")
def refreshed_without_rd(r):
    r.must("sinkholectl", "flush")
    equal(r.ask(NAME).data("A"), TRUTH, "before")
    time.sleep(LIFE_S + 0.2)
    asked = time.monotonic()
    m = r.ask(NAME, rd=False)
    check(m.data("A") == TRUTH and m.ede[0][0] == 3, "stale at once", m)
    wait_for(lambda: not r.ask(NAME, rd=False).ede, 1)
    m = r.ask(NAME, rd=False)
    in_time(time.monotonic() - asked < LIFE_S, "asked again after", time.monotonic() - asked)
    check(m.data("A") == TRUTH and not m.ede, "the next answer", m)


if __name__ == "__main__":
    harness.main(setup)
