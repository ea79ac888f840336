#!/usr/bin/env python3
"""The hit log on a disk that gives EIO, or takes 500 ms to sync: what is answered is logged once, clean questions are
not slowed, and the program says what happens."""
import contextlib
import os
import statistics
import time

import harness
from harness import SINK4, Load, check, equal, test, wait_for
from lab import CLIENT

RATE = 300  # questions a second


@contextlib.contextmanager
def setup(args, folder):
    with harness.Lab(os.path.join(folder, "lab")).standing() as lab:
        r = harness.Resolver(args.build, os.path.join(folder, "resolver"), lab)
        r.add("c2.example")
        r.faults_dir = os.path.join(folder, "faults")
        os.makedirs(r.faults_dir)
        preload = os.path.join(os.path.abspath(args.build), "integration", "disk_fault.so")
        r.start(("env", "LD_PRELOAD=" + preload, "DISK_FAULT=" + r.faults_dir))
        try:
            yield r
        finally:
            r.stop()


@contextlib.contextmanager
def fault(r, name):
    path = os.path.join(r.faults_dir, name)
    open(path, "w").close()
    try:
        yield
    finally:
        os.remove(path)


def clean_delays(r, n):
    delays = []
    for i in range(n):
        start = time.monotonic()
        equal(r.ask("www.alpha.example").data("A"), ["192.0.2.11"], "a clean name")
        delays.append(time.monotonic() - start)
        time.sleep(0.01)
    return delays


def under_fault(r, name, said, questions):
    """Listed and clean questions while the disk is so; returns the listed names that were answered, and the median
    delays of clean ones before and meanwhile."""
    equal(r.ask("before-%s.c2.example" % name).data("A"), [SINK4], "before")
    before = statistics.median(clean_delays(r, 50))
    names = (("%s%d.c2.example" % (name, i), "A") for i in range(questions))
    with fault(r, name), Load(r.server(), names, RATE, (r.lab.host(CLIENT), 0)) as load:
        meanwhile = statistics.median(clean_delays(r, 100))
        check(wait_for(lambda: said in r.said(), 20), "does not say \"%s\"" % said, r.said())
        while not load.stopping:
            time.sleep(0.05)
        load.stop()
    equal(len(load.answers), questions, "answers")
    check(not r.lab.attacker_packets(), "packets to the attacker", r.lab.attacker_packets()[:3])
    return set(load.answers), before, meanwhile


def logged_once(r, answered):
    have = r.wait_hits(lambda h: answered <= {x["qname"] for x in h}, 20)
    times = {}
    for h in have:
        times[h["qname"]] = times.get(h["qname"], 0) + h["count"]
    equal({n for n in answered if times.get(n) != 1}, set(), "answered names that are not logged once")
    summary = dict(line.split("\t") for line in r.must("sinkhole-hits", "summary").splitlines())
    equal((summary["missing"], summary["unanswered"]), ("0", "0"), "missing and unanswered")


@test("EIO: clean questions go on, what is answered waits and is logged once when the disk works again", sanitized=False)
def eio(r):
    answered, before, meanwhile = under_fault(r, "eio", "Input/output error; hits wait in the rings, see to the disk", 900)
    logged_once(r, answered)
    check(wait_for(lambda: "stores again" in r.said(), 10), "does not say that it is over", r.said())
    return "%d answered and logged; clean questions %.1f ms, before %.1f ms" % (len(answered), meanwhile * 1e3, before * 1e3)


@test("500 ms to sync: nothing is lost, clean questions do not wait for the disk, a warning says so", sanitized=False)
def slow(r):
    answered, before, meanwhile = under_fault(r, "slow", "is slow: storing takes", 2400)
    logged_once(r, answered)
    r.ask("after-slow.c2.example")
    check(wait_for(lambda: "quick again" in r.said(), 10), "does not say that it is over", r.said())
    # Behind a sync the median would be 250 ms; below that it is this machine's other work.
    check(meanwhile < 0.1, "clean questions wait for the disk", "%.1f ms" % (meanwhile * 1e3))
    return "%d answered and logged; clean questions %.1f ms, before %.1f ms" % (len(answered), meanwhile * 1e3, before * 1e3)


if __name__ == "__main__":
    harness.main(setup)
