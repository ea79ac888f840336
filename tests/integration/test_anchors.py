#!/usr/bin/env python3
"""Trust anchors in a running sinkholed: given ones, negative ones for a while, what survives a kill, what is wrong in a
file. Nothing here is validated; no question leaves the lab."""
import contextlib
import itertools
import json
import os
import signal
import time

import harness
from harness import check, equal, test
from lab import CLIENT, wait_for

DIGEST = "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
ZONE = "signed.invalid"


@contextlib.contextmanager
def setup(args, folder):
    with harness.lab_and_resolver(args, folder) as r:
        r.anchor_file = os.path.join(folder, "trust.anchors")
        give(r, "%s. DS 1 8 2 %s" % (ZONE, DIGEST))
        r.stop()
        r.configure(recursion={"trust_anchor": r.anchor_file, "negative_trust_anchors": ["given.example"]})
        r.start()
        yield r


def give(r, *lines):
    with open(r.anchor_file, "w") as f:
        f.write("".join(x + "\n" for x in lines))


def show(r, *command):
    return json.loads(r.must("sinkholectl", *command, "--json"))


def tags(r):
    return [(x["zone"], x["tag"], x["state"]) for x in show(r, "anchors")]


def negative(r):
    return [x["zone"] for x in show(r, "nta", "list")]


def refused(r, words, *command):
    status, out, err = r.run("sinkholectl", *command)
    check(status == 2 and words in err and len(err.splitlines()) == 1, "%s: %d" % (command, status), out, err)


@test("given anchors are shown, and their zones are asked for their keys at once")
def given(r):
    equal(tags(r), [(ZONE, 1, "valid")], "anchors")
    equal(show(r, "status")["anchors"], {"validation": "on", "zones": 1, "negative": 1}, "status")
    check(wait_for(lambda: show(r, "stats")["counters"]["prefetches"] == 1, 5), "a question for the keys")
    time.sleep(2.5)
    equal(show(r, "stats")["counters"]["prefetches"], 1, "questions for the keys")


@test("negative anchors: added, shown, replaced, removed; those of the configuration stay")
def negatives(r):
    r.must("sinkholectl", "nta", "add", "Broken.Example", "--reason", "their roll-over\tfailed")
    r.must("sinkholectl", "nta", "add", "other.example.", "--for", "2d", "--reason", "ticket 7")
    have = {x["zone"]: x for x in show(r, "nta", "list")}
    equal(sorted(have), ["broken.example", "given.example", "other.example"], "zones")
    equal(have["given.example"]["until"], 0, "end")
    equal(have["broken.example"]["reason"], "their roll-over?failed", "reason")
    check(abs(have["broken.example"]["until"] - time.time() - 3600) < 60, "an hour", have)
    check(abs(have["other.example"]["until"] - time.time() - 2 * 86400) < 60, "two days", have)
    r.must("sinkholectl", "nta", "add", "other.example", "--for", "1h", "--reason", "ticket 8")
    have = {x["zone"]: x for x in show(r, "nta", "list")}
    check(have["other.example"]["reason"] == "ticket 8" and have["other.example"]["until"] < time.time() + 3700, "replaced", have)
    for zone in ("broken.example", "other.example"):
        r.must("sinkholectl", "nta", "remove", zone)
    equal(negative(r), ["given.example"], "the rest")


@test("what is wrong with a negative anchor is said in one line")
def wrong(r):
    refused(r, "--reason TEXT is missing", "nta", "add", "broken.example")
    refused(r, "no zone's name", "nta", "add", "a..b", "--reason", "x")
    refused(r, "which zone?", "nta", "remove")
    refused(r, "give add, remove or list", "nta", "frobnicate", "a.example")
    refused(r, "7 days", "nta", "add", "broken.example", "--for", "8d", "--reason", "x")
    refused(r, "there is no negative trust anchor", "nta", "remove", "broken.example")
    refused(r, "recursion.negative_trust_anchors", "nta", "remove", "given.example")
    equal(negative(r), ["given.example"], "the rest")


@test("negative anchors survive a kill, and end by themselves, also while nobody runs")
def kept(r):
    r.must("sinkholectl", "nta", "add", "long.example", "--for", "1d", "--reason", "x")
    r.must("sinkholectl", "nta", "add", "short.example", "--for", "4s", "--reason", "x")
    r.must("sinkholectl", "nta", "add", "shorter.example", "--for", "1s", "--reason", "x")
    r.stop(signal.SIGKILL)
    r.start()
    check("long.example" in negative(r), "after a kill", negative(r))
    check(wait_for(lambda: negative(r) == ["given.example", "long.example"], 8), "ended", negative(r))
    check("short.example has ended" in r.said(), "the log tells", r.said())
    r.stop()
    r.start()
    equal(negative(r), ["given.example", "long.example"], "after an end in order")
    r.must("sinkholectl", "nta", "remove", "long.example")


@test("more changes than sets that may wait at a time: each acts, none is lost, old sets go")
def many(r):
    for i in range(60):
        status, _, err = r.run("sinkholectl", "nta", "add", "n%d.example" % i, "--reason", "x")
        if status:
            check("try again" in err, "only for a moment", err)
            time.sleep(2)
            r.must("sinkholectl", "nta", "add", "n%d.example" % i, "--reason", "x")
    equal(len(negative(r)), 61, "in force")
    r.stop()
    os.unlink(os.path.join(r.state, "negative-anchors"))
    r.start()


@test("no question is lost while sets change under load")
def load(r):
    names = ((("www.alpha.example", "www.delta.example", "n%d.alpha.example" % i, "n%d.signed.invalid" % i)[i % 4], "A")
             for i in itertools.count())
    source = (r.lab.host(CLIENT), 0)
    with harness.Load(r.server(), names, rate=200, source=source, wait_s=8.0) as asked:
        for i in range(12):
            r.must("sinkholectl", "nta", "add", ("alpha.example", ZONE)[i % 2], "--reason", "x")
            time.sleep(0.2)
            r.must("sinkholectl", "nta", "remove", ("alpha.example", ZONE)[i % 2])
            time.sleep(0.2)
    equal(asked.answered, asked.sent, "answers")
    check(asked.sent > 100, "questions", asked.sent)
    return "%d questions, %d changes" % (asked.sent, 24)


@test("reload: other anchors from the file; a broken one is told by file and line, and the old ones hold")
def reload(r):
    give(r, "%s. DS 1 8 2 %s" % (ZONE, DIGEST), "%s. DS 2 8 2 %s" % (ZONE, DIGEST), "example.invalid. DS 3 250 2 " + DIGEST)
    r.must("sinkholectl", "reload")
    equal(tags(r), [(ZONE, 1, "valid"), (ZONE, 2, "valid"), ("example.invalid", 3, "valid")], "more")
    check("no anchor of example.invalid has" in r.said(), "what nobody can use is told", r.said())
    give(r, "%s. DS 1 8 2 %s" % (ZONE, DIGEST), "garbage")
    refused(r, "trust.anchors:2: not a record", "reload")
    equal(len(tags(r)), 3, "as before")
    give(r, "%s. DS 2 8 2 %s" % (ZONE, DIGEST))
    r.must("sinkholectl", "reload")
    equal(tags(r), [(ZONE, 2, "valid")], "less")
    r.stop()
    r.start()
    equal(tags(r), [(ZONE, 2, "valid")], "after a restart")


@test("a start with a broken file of anchors is refused; a damaged state of them is set aside")
def damage(r):
    give(r, ". DS 20326 8 2 E06D")
    r.stop()
    status, out, err = r.run("sinkholed", "--check")
    check(status == 1 and "trust.anchors:1: a digest of 2 bytes" in out + err, "--check: %d" % status, out, err)
    status, out, err = r.run("sinkholed")
    check(status == 2 and "trust.anchors:1: a digest of 2 bytes" in out + err, "start: %d" % status, out, err)
    give(r, "%s. DS 1 8 2 %s" % (ZONE, DIGEST))
    for name in ("anchors", "negative-anchors"):
        with open(os.path.join(r.state, name), "w") as f:
            f.write("nonsense\n")
    r.start()
    equal(tags(r), [(ZONE, 1, "valid")], "as given")
    for name in ("anchors", "negative-anchors"):
        check(os.path.exists(os.path.join(r.state, name + ".damaged")), name + " is kept for a person")
        check("%s is damaged in line 1" % name in r.said(), "the log tells", r.said())


@test("without validation there is nothing to except from it")
def off(r):
    r.stop()
    r.configure(recursion={"trust_anchor": ""})
    r.start()
    equal(show(r, "status")["anchors"]["validation"], "off", "status")
    equal(tags(r), [], "anchors")
    refused(r, "nothing is validated", "nta", "add", "a.example", "--reason", "x")
    time.sleep(1.5)
    equal(show(r, "stats")["counters"]["prefetches"], 0, "questions for keys")


if __name__ == "__main__":
    harness.main(setup)
