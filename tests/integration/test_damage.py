#!/usr/bin/env python3
"""A damaged store: never serves as if nothing were listed, and a copy put back makes it serve again; copies while it runs."""
import contextlib
import json
import os
import random
import signal
import time

import harness
from dnsmsg import Message, query, udp
from harness import SINK4, Load, Resolver, check, equal, test

NAMES = 4000
WHOLE, FIRST = "checked: whole", "checking the blocklist first"  # beside the first minutes of service, or before it
MARK = "running"  # in the state folder: the last end was not in order, and what was known then


@contextlib.contextmanager
def setup(args, folder):
    with harness.lab_and_resolver(args, folder) as r:
        r.args, r.top = args, folder
        yield r


def listed(i):
    return "h%d.canary.example" % i


def filled(r, name):
    """Its own resolver and store; each listed name would lead to the attacker."""
    other = Resolver(r.build, os.path.join(r.top, name), r.lab, workers=1, cache={"size": "16M"})
    other.import_text("".join(listed(i) + "\n" for i in range(NAMES)), "many")
    other.must("sinkhole-blocklist", "group", "set", "all-of-it", "--lists", "many")
    other.must("sinkhole-blocklist", "client", "add", "192.0.2.0/24", "--group", "all-of-it")
    other.must("sinkhole-blocklist", "backup")
    return other, os.path.join(other.state, "blocklist", "data.mdb")


def mark_of_killed(r):
    """What a process that was killed leaves; the next one answers at once."""
    mark = os.path.join(r.state, MARK)
    r.start()
    r.stop(signal.SIGKILL)
    left = open(mark).read()
    r.start()
    equal(r.ask(listed(0)).data("A"), [SINK4], "after a SIGKILL")
    check(FIRST not in r.said(), "the check came first after a SIGKILL", r.said())
    r.stop()
    check(not os.path.exists(mark), "an end in order leaves its mark")
    return left


def set_mark(r, text):
    mark = os.path.join(r.state, MARK)
    with contextlib.suppress(FileNotFoundError):
        os.remove(mark)
    if text is not None:
        open(mark, "w").write(text)


def asks(r, rng):
    """What is wrong with what a listed name gets; nothing is right, and so is a failure."""
    name = listed(rng.randrange(NAMES))
    try:
        out = udp(r.server(), query(name), 0.05)
    except OSError:
        out = None
    if out is None:
        return None
    m = Message(out)
    right = m.data("A") == [SINK4] or m.rcode in ("SERVFAIL", "REFUSED")
    return None if right else "%s: %s %s" % (name, m.rcode, m.data("A"))


def trial(r, rng):
    """Starts it and asks from the first moment until the store is known to be whole, or it has ended."""
    open(r.log, "w").close()
    r.spawn()
    wrong, end = None, time.monotonic() + 30
    while not wrong and r.process.poll() is None and time.monotonic() < end:
        said = r.said()
        known = WHOLE in said or (FIRST in said and "is ready" in said)
        wrong = asks(r, rng)
        if known:
            break
    if r.process.poll() is None:
        served = True
        r.stop()
    else:
        served = False
        check(r.process.returncode in (1, 2) or r.process.returncode < 0, "status", r.process.returncode)
        check(r.process.returncode < 0 or "restore" in r.said() or "put back" in r.said(), "does not say what to do", r.said())
        r.process = None
    return wrong, served


def damage(r, name, flips, cuts, seed):
    other, data = filled(r, name)
    killed = mark_of_killed(other)
    ends = (None, killed, killed.replace("boot ", "boot not-"))  # in order, killed, the machine went down
    rng = random.Random(seed)
    good = open(data, "rb").read()
    used = json.loads(other.must("sinkhole-blocklist", "stats", "--json"))["file_bytes"]
    served = refused = crashed = restored = 0
    wrongs = []
    for i in range(flips + cuts):
        bad = bytearray(good)
        if i < flips:
            at = rng.randrange(used)
            bad[at] ^= 1 << rng.randrange(8)
            what = "byte %d" % at
        else:
            del bad[rng.randrange(used):]
            what = "cut to %d" % len(bad)
        open(data, "wb").write(bad)
        set_mark(other, ends[i % len(ends)])
        wrong, serves = trial(other, rng)
        check((FIRST in other.said()) == (i % len(ends) == 2) or "cannot be used" in other.said(), "how the last run ended", i, other.said())
        if wrong:
            wrongs.append("seed %d, %s: %s" % (seed, what, wrong))
        served += serves
        refused += not serves
        crashed += not serves and "is damaged" not in other.said() and "cannot be used" not in other.said()
        if serves or i % 5:
            open(data, "wb").write(good)
            continue
        # It must not be dead for good: the last good copy makes it serve.
        other.must("sinkhole-blocklist", "restore", "--reason", what)
        restored += 1
        wrong, serves = trial(other, rng)
        check(serves and not wrong, what + ": does not serve what was put back", wrong, other.said())
        other.must("sinkhole-blocklist", "verify")
        open(data, "wb").write(good)
    check(not wrongs, "listed names resolved, %d of %d" % (len(wrongs), flips + cuts), wrongs[:5])
    check(not other.faults, "stop", other.faults[:3])
    return "%d flips, %d cuts: %d refused (%d of them crashed), %d served whole, %d restored" % (
        flips, cuts, refused, crashed, served, restored)


@test("bytes flipped and ends cut off: no listed name resolves, and a copy put back serves", sanitized=False)
def damaged(r):
    return damage(r, "damaged", 40, 10, 1)


@test("the same, 1,000 flips and 100 cuts", full=True, sanitized=False)
def damaged_often(r):
    return damage(r, "often", 1000, 100, 2)


@test("a restore acts on the next question while it serves; no question is lost")
def living(r):
    path = os.path.join(r.top, "copy.mdb")
    name, truth = "www.beta.example", ["192.0.2.21"]
    equal(r.ask(name).data("A"), truth, "before")
    r.must("sinkhole-blocklist", "backup", path)
    r.add(name)
    listed_too = os.path.join(r.top, "listed.mdb")
    r.must("sinkhole-blocklist", "backup", listed_too)
    with Load(r.server(), iter(lambda: ("www.alpha.example", "A"), None), 200, (r.lab.host(harness.CLIENT), 0), 6) as load:
        for i in range(5):
            r.must("sinkhole-blocklist", "restore", path)
            equal(r.ask(name).data("A"), truth, "round %d, without it" % i)
            r.must("sinkhole-blocklist", "restore", listed_too)
            equal(r.ask(name).data("A"), [SINK4], "round %d, with it" % i)
        load.stop()
    equal(load.lost, 0, "lost of %d" % load.sent)
    r.must("sinkhole-blocklist", "restore", path)
    r.must("sinkhole-blocklist", "verify")
    status, _, err = r.run("sinkhole-blocklist", "compact")
    check(status == 1 and "running" in err, "compact while it serves", status, err)
    return "%d questions" % load.sent


@test("copies: a damaged one is refused, a damaged store keeps the older copy, --if-damaged, compact")
def copies(r):
    other, data = filled(r, "copies")
    last = os.path.join(other.state, "blocklist", "last-good.mdb")
    copy = open(last, "rb").read()
    equal(other.run("sinkhole-blocklist", "restore", "--if-damaged")[1].strip(), "the store is good: nothing was changed", "good")
    good = open(data, "rb").read()
    at = good.find(b"canary")
    check(at > 0, "no record found")
    bad = good.replace(b"canary", b"cbnary")
    open(data, "wb").write(bad)
    status, _, err = other.run("sinkhole-blocklist", "backup")
    check(status == 1 and "damaged" in err and open(last, "rb").read() == copy, "backup of a damaged store", status, err)
    other.must("sinkhole-blocklist", "restore", "--if-damaged")
    other.must("sinkhole-blocklist", "verify")
    open(last, "wb").write(copy.replace(b"canary", b"cbnary"))
    status, _, err = other.run("sinkhole-blocklist", "restore")
    check(status == 1 and "nothing was changed" in err, "a damaged copy", status, err)
    other.import_text("one.example\n", "many", "--force", "--reason", "test")
    other.import_text("old.example\n", "old")
    other.must("sinkhole-blocklist", "list", "set", "old", "lease=1s")
    time.sleep(1.1)
    other.must("sinkhole-blocklist", "backup")
    status, _, err = other.run("sinkhole-blocklist", "restore")
    check(status == 0 and "list old lapsed" in err and "many" not in err, "a lapsed list in a copy", status, err)
    before = os.stat(data).st_size
    said = other.must("sinkhole-blocklist", "compact")
    check(" instead of " in said, "what it gained", said)
    other.must("sinkhole-blocklist", "verify")
    check(os.stat(data).st_size < before, "not smaller", before, os.stat(data).st_size)
    other.start()
    equal(other.ask("one.example").data("A"), [SINK4], "after compact")
    other.stop()
    return "%d KiB to %d KiB" % (before // 1024, os.stat(data).st_size // 1024)


if __name__ == "__main__":
    harness.main(setup)
