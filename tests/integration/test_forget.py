#!/usr/bin/env python3
"""sinkhole-hits forget beside a running resolver and beside a stopped one; killed, on a full disk, and what it leaves as it was."""
import contextlib
import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import time

import harness
from dnsmsg import query, udp
from harness import Skip, check, equal, test
from lab import CLIENT, die_with_parent
from made_log import Log, uid


@contextlib.contextmanager
def setup(args, folder):
    with harness.lab_and_resolver(args, os.path.join(folder, "live")) as r:
        r.args = args
        r.made = Log(args, folder, 6000)
        r.made.often = max({h["client"] for h in r.made.shown}, key=[h["client"] for h in r.made.shown].count)
        yield r


def ask(r, who, names):
    for name in names:
        udp(r.server(), query(name + ".c2.example"), 5, (r.lab.host(CLIENT + who), 0))


def summary(r):
    return json.loads(r.must("sinkhole-hits", "summary", "--json"))


def segments(folder):
    return sorted(x for x in os.listdir(folder) if x.endswith(".hits"))


@test("sinkholectl hits rotate ends the segment; an empty one stays")
def rotate(r):
    folder = os.path.join(r.state, "hits")
    ask(r, 1, ["rotate%d" % i for i in range(10)])
    r.wait_hits(lambda h: sum(x["qname"].startswith("rotate") for x in h) == 10)
    before = segments(folder)
    ask(r, 1, ["rotate%d" % i for i in range(10, 20)])
    r.must("sinkholectl", "hits", "rotate")
    after = segments(folder)
    equal((after[:-1], len(after)), (before, len(before) + 1), "segments")
    equal(json.loads(r.must("sinkholectl", "status", "--json"))["hits"]["segment"], after[-1], "status")
    r.must("sinkholectl", "hits", "rotate")
    equal(segments(folder), after, "rotated without a hit")
    equal(sum(h["qname"].startswith("rotate") for h in r.hits()), 20, "what was in the rings is in it")
    equal(r.run("sinkholectl", "hits", "turn")[0], 2, "another word")


@test("beside a running resolver a client is forgotten at once, in the open segment too")
def running(r):
    gone, stays = r.lab.host(CLIENT + 2), r.lab.host(CLIENT + 3)
    ask(r, 2, ["gone%d" % i for i in range(30)])
    ask(r, 3, ["stays%d" % i for i in range(30)])
    r.wait_hits(lambda h: sum(x["client"] in (gone, stays) for x in h) == 60)
    equal(r.must("sinkhole-hits", "forget", "--client", gone, "--reason", "ticket 1"), "30\n", "records")
    have = r.hits()
    check(not any(h["client"] == gone or "gone" in h["qname"] for h in have), "still there")
    equal(sum(h["client"] == stays for h in have), 30, "another client's")
    ask(r, 3, ["later%d" % i for i in range(5)])
    have = r.wait_hits(lambda h: sum("later" in x["qname"] for x in h) == 5)
    equal(sum("later" in h["qname"] for h in have), 5, "hits afterwards")
    now = summary(r)
    equal((now["missing"], now["repeated"], now["hits"]), (0, 0, sum(h["count"] for h in have)), "proof and counts")
    folder = os.path.join(r.state, "hits")
    raw = b"".join(open(os.path.join(folder, f), "rb").read() for f in os.listdir(folder) if ".hits" in f)
    check(b"gone" not in raw and b"stays" in raw, "bytes of its questions are left in a file")


@test("beside a stopped one it rewrites the newest segment, and the next start goes on in it")
def stopped(r):
    gone = r.lab.host(CLIENT + 4)
    ask(r, 4, ["stopped%d" % i for i in range(10)])
    r.stop()
    before = segments(os.path.join(r.state, "hits"))
    ring = os.path.join(r.state, "hits-0000-0.ring")
    open(ring, "w").close()
    status, out, said = r.run("sinkhole-hits", "forget", "--client", gone, "--reason", "ticket 2")
    os.unlink(ring)
    check((status, out) == (1, "10\n") and "wait in" in said, "rings of a killed resolver are told", status, out, said)
    r.start()
    ask(r, 3, ["restarted"])
    r.wait_hits(lambda h: any("restarted" in x["qname"] for x in h))
    now = summary(r)
    equal((now["missing"], now["repeated"]), (0, 0), "proof")
    check(not [h for h in r.hits() if h["client"] == gone] and segments(os.path.join(r.state, "hits"))[:len(before)] == before, "the same segments")


@test("without an answer from the resolver nothing that it writes is touched, and that is said")
def no_order(r):
    gone = r.lab.host(CLIENT + 5)
    ask(r, 5, ["silent%d" % i for i in range(3)])
    r.wait_hits(lambda h: sum(x["client"] == gone for x in h) == 3)
    status, out, said = r.run("sinkhole-hits", "forget", "--client", gone, "--reason", "x", "--socket", "/nowhere/control.sock")
    check((status, out) == (1, "0\n") and "3 records" in said, "told", status, out, said)
    equal(sum(h["client"] == gone for h in r.hits()), 3, "records")
    equal(r.must("sinkhole-hits", "forget", "--client", gone, "--reason", "x"), "3\n", "with it")


@test("after all that the log is proved whole, beside the resolver that goes on writing")
def whole(r):
    with harness.Load(r.server(), (("load%d.c2.example" % i, "A") for i in range(2000)), 1000, (r.lab.host(CLIENT + 6), 0)) as load:
        for _ in range(5):
            r.must("sinkhole-hits", "verify")
        load.stop()
    r.stop(signal.SIGKILL)
    r.start()
    r.must("sinkhole-hits", "verify")


# ---- a made log ----

def copy(r, name):
    state = os.path.join(r.made.folder, name)
    shutil.copytree(os.path.join(r.made.folder, "hits"), os.path.join(state, "hits"))
    return state


def every(log, state):
    return [json.loads(x) for x in log.run("export", "--json", "--purpose", "test", "--case", "1", "--state", state).splitlines()]


def forget(log, state, *more):
    return [log.program("sinkhole-hits"), "forget", "--client", log.often, "--reason", "ticket 17", "--state", state, *more]


def erased(log, before, after):
    """Only the client's records changed, and these as they should; how many are left."""
    equal([uid(h) for h in after], [uid(h) for h in before], "records")
    left = 0
    for h, x in zip(before, after):
        if h["client"] == log.often and x["client"] != log.often:
            h = dict(h, client="::" if ":" in log.often else "0.0.0.0", client_port=None, proxy=None, proxy_port=None, qname=h["matched"])
        equal(x, h, "a record")
        left += x["client"] == log.often
    return left


@test("killed at any moment: each record is whole, old or erased; the next run ends the work")
def killed(r):
    log, chance = r.made, random.Random(17)
    state = copy(r, "killed")
    kills, partly, begun = 0, 0, time.monotonic()
    subprocess.run(forget(log, copy(r, "timed")), check=True, stdout=subprocess.DEVNULL)
    took = time.monotonic() - begun
    for i in range(12):
        p = subprocess.Popen(forget(log, state), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        time.sleep(chance.random() * took)
        if p.poll() is None:
            p.send_signal(signal.SIGKILL)
            kills += 1
        p.wait()
        left = erased(log, log.shown, every(log, state))
        partly += 0 < left < sum(h["client"] == log.often for h in log.shown)
        if not left:
            shutil.rmtree(state)
            state = copy(r, "killed")
    status, _, said = log.ask(*forget(log, state)[1:])
    equal((status, erased(log, log.shown, every(log, state))), (0, 0), "in the end " + said)
    equal([f for f in os.listdir(os.path.join(state, "hits")) if ".new" in f], [], "left over")
    log.run("verify", "--state", state)
    equal(json.loads(log.run("summary", "--json", "--state", state))["hits"], sum(h["count"] for h in log.shown), "counts")
    return "%d kills, %d of them between two segments" % (kills, partly)


@test("an export goes on from its place in a log that was rewritten")
def places(r):
    log, state = r.made, copy(r, "places")
    at = os.path.join(state, "place")
    run = lambda *more: [json.loads(x)["sequence"] for x in log.run("export", "--json", "--key", log.key, "--place", at, "--state", state, *more).splitlines()]
    got = run("--limit", "2500")
    subprocess.run(forget(log, state), check=True, stdout=subprocess.DEVNULL)
    equal(got + run(), [h["sequence"] for h in log.shown], "records")


@test("what a case holds stays, and is told; two at a time are refused; what was done is noted")
def holds(r):
    log, state = r.made, copy(r, "holds")
    n = sum(h["client"] == log.often for h in log.shown)
    log.run("hold", "--case", "17", "--client", log.often, "--state", state)
    note = os.path.join(state, "hits", "forgotten")
    with open(note, "a") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        status, _, said = log.ask(*forget(log, state)[1:])
        check(status == 2 and "another forget" in said, "two at a time", status, said)
    status, out, said = log.ask(*forget(log, state)[1:])
    check((status, out) == (0, "%d\n" % n) and "%d records of it are held" % n in said and "held/17" in said, "told", status, out, said)
    equal(len(log.run("client", log.often, "--hits", os.path.join(state, "held", "17")).splitlines()), n, "held")
    lines = [x.split("\t") for x in open(note).read().splitlines()]
    equal([x[2:] for x in lines], [["begun", "0", "0", "ticket 17"], ["done", str(n), "0", "ticket 17"]], "noted")
    check(log.often not in open(note).read(), "noted whom")


def full_disk(args, folder):
    os.makedirs(folder)
    log = Log(args, folder, 6000)
    log.often = max({h["client"] for h in log.shown}, key=[h["client"] for h in log.shown].count)
    state = os.path.join(folder, "full")
    os.makedirs(os.path.join(state, "hits"))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", os.path.join(state, "hits")]).returncode:
        raise Skip("cannot mount a tmpfs")
    shutil.copytree(os.path.join(folder, "hits"), os.path.join(state, "hits"), dirs_exist_ok=True)
    status, out, said = log.ask(*forget(log, state)[1:])
    check((status, out) == (1, "0\n") and "full" in said, "told", status, out, said)
    equal(erased(log, log.shown, every(log, state)), sum(h["client"] == log.often for h in log.shown), "nothing changed")
    check(not [f for f in os.listdir(os.path.join(state, "hits")) if ".new" in f], "left over")


@test("without room for a segment's copy nothing is changed, and the disk is not filled")
def full(r):
    return harness.in_namespace(r.args, full_disk, os.path.join(r.made.folder, "full"), "--mount")


if __name__ == "__main__":
    harness.main(setup)
