#!/usr/bin/env python3
"""A flood of names never asked before (SECURITY rows 31 and 39): what it does to those who ask for ordinary names, to the
cache's popular names, and to memory."""
import contextlib
import itertools
import os
import random
import socket
import struct
import subprocess
import time

import harness
from dnsmsg import name_wire
from harness import Failed, Load, Resolver, Skip, check, test
from lab import CLIENT, die_with_parent, find
from puppet import Puppets, record, reply
from wide import PUPPETS, ZONES, WideLab, cold_names, zone_name

POPULAR_NAMES, POPULAR_RATE = 300, 300
COLD_RATE = 20
FLOODERS = ("127.201.1.7", "127.202.2.7", "127.203.3.7")  # three prefixes: no cap of one client does all the work
FLOOD_RATE = 1000                                         # of each
HIT_POINTS, CACHED, COLD, MEMORY = 5.0, 99.0, 95.0, 1.25  # the bars: at most, at least, at least, at most
SLOW_S = 0.5


@contextlib.contextmanager
def setup(args, folder):
    if not find("dnsperf"):
        raise Skip("dnsperf is not installed (make deps)")
    with WideLab(os.path.join(folder, "lab")).standing() as lab:
        yield args, folder, lab


def running(args, folder, lab, **conf):
    return Resolver(args.build, folder, lab, **conf).running()


def anonymous_mib(r):
    fields = dict(x.split(":", 1) for x in open("/proc/%d/status" % r.process.pid).read().splitlines())
    return int(fields["RssAnon"].split()[0]) / 1024


@contextlib.contextmanager
def flood(r, folder, name, lines, source, rate=0, seconds=0):
    """dnsperf asks the lines, once through the file or so long. Ends with the block."""
    path = os.path.join(folder, name + ".q")
    with open(path, "w") as f:
        f.writelines(lines)
    p = subprocess.Popen(["dnsperf", "-s", r.address, "-p", str(r.port), "-d", path, "-a", source, "-c", "8", "-T", "1", "-t", "2", "-q", "2000",
                          "-O", "suppress=timeout"] + (["-Q", str(rate)] if rate else []) + (["-l", str(seconds)] if seconds else ["-n", "1"]),
                         preexec_fn=die_with_parent, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield p
    finally:
        p.kill()
        p.wait()


def say(asked):
    """popular: an address; slow: there is no such name, after a while; silent: nothing. Nobody listens for dead."""
    if asked.host == PUPPETS["popular"]:
        return reply(asked, [record(b"\xc0\x0c", 1, socket.inet_aton("198.51.100.1"), 3600)])
    if asked.host == PUPPETS["silent"]:
        return None
    soa = name_wire("ns.slow.example") + name_wire("lab.example") + struct.pack("!5I", 1, 3600, 600, 86400, 300)
    return SLOW_S, reply(asked, authority=[record(name_wire("slow.example"), 6, soa)], rcode=3)


def popular_names(seed):
    """For ever; the first ones more often, as people ask."""
    pick = random.Random(seed)
    while True:
        yield "p%d.popular.example" % min(int(pick.paretovariate(0.5)), POPULAR_NAMES), "A"


def phase(r, lab, puppets, cold, seconds):
    """{popular: sent, answered, asked upstream; cold: sent, right} of that many seconds."""
    before = sum(x.host == PUPPETS["popular"] for x in list(puppets.asked))
    names = Load(r.server(), popular_names(1), POPULAR_RATE, (lab.host(CLIENT), 0))
    others = Load(r.server(), cold, COLD_RATE, (lab.host(CLIENT + 1), 0))
    names.accept = others.accept = lambda name, m: m.rcode != "SERVFAIL"
    with names, others:
        time.sleep(seconds)
    upstream = sum(x.host == PUPPETS["popular"] for x in list(puppets.asked)) - before
    return dict(sent=names.sent, good=names.answered - len(names.wrong), hit=100 * (1 - upstream / names.sent), slowest=names.slowest,
                cold=others.sent, cold_good=others.answered - len(others.wrong))


def flood_run(args, folder, lab, seconds):
    with running(args, folder, lab) as r, Puppets(lab, [PUPPETS[x] for x in ("popular", "slow", "silent")], say) as puppets:
        for i in range(1, POPULAR_NAMES + 1):
            check(r.ask("p%d.popular.example" % i), "warming up")
        cold = iter([(x[1], x[2]) for x in cold_names()])
        calm = phase(r, lab, puppets, cold, 2)
        with contextlib.ExitStack() as stack:
            for n, source in enumerate(FLOODERS):
                lines = ("f%d-%d.%s.example A\n" % (n, i, z) for i in range((seconds + 5) * FLOOD_RATE) for z in ("dead", "slow", "silent"))
                stack.enter_context(flood(r, folder, "flood%d" % n, lines, source, FLOOD_RATE, seconds + 5))
            time.sleep(0.5)
            under = phase(r, lab, puppets, cold, seconds)
        flooded = sum(x.host != PUPPETS["popular"] for x in puppets.asked)
        text = ("hit ratio %.1f %% before, %.1f %% under it; %d of %d cached names answered, the slowest after %d ms; %d of %d uncached; "
                "%d questions to slow and silent servers; anonymous memory %d MiB" %
                (calm["hit"], under["hit"], under["good"], under["sent"], under["slowest"] * 1000, under["cold_good"], under["cold"],
                 flooded, anonymous_mib(r)))
    check(flooded > 100, "the flood did not reach the servers", text)
    check(calm["hit"] - under["hit"] < HIT_POINTS and under["good"] >= under["sent"] * CACHED / 100 and
          under["cold_good"] >= under["cold"] * COLD / 100, "over the bars: " + text)
    return text


@test("under a flood of names of dead and slow zones popular names stay cached and answered", sanitized=False)
def flooded(args, folder, lab):
    return flood_run(args, os.path.join(folder, "r1"), lab, 5)


@test("the same for half a minute", full=True, sanitized=False)
def flooded_long(args, folder, lab):
    return flood_run(args, os.path.join(folder, "r2"), lab, 30)


def memory_run(args, folder, lab, mib, names, line):
    """The cache is asked to hold more than it may: names of which each question is made by line."""
    with running(args, folder, lab, cache={"size": "%dM" % mib}) as r, Puppets(lab, [PUPPETS["popular"]], say) as puppets:
        for i in range(1, POPULAR_NAMES + 1):
            for _ in range(3):
                check(r.ask("p%d.popular.example" % i), "warming up")
        idle = anonymous_mib(r)
        full = idle
        for start in range(0, 3 * names, names):  # a busy machine loses some: then more of them
            lines = (line % (i, zone_name(i % ZONES)) for i in range(start, start + names))
            with flood(r, folder, "fill", lines, FLOODERS[0]) as p:
                try:
                    p.wait(120)
                except subprocess.TimeoutExpired:
                    raise Failed("the flood did not end") from None
            full = anonymous_mib(r)
            if full >= mib / 2:
                break
        seen = len(puppets.asked)
        for name, _ in itertools.islice(popular_names(2), 300):
            check(r.ask(name), "popular name")
        hit = 100 * (1 - (len(puppets.asked) - seen) / 300)
        text = "cache.size %d MiB, %d names: anonymous memory %.1f MiB (%.1f before), %.2f of cache.size; hit ratio of popular names %.1f %%" % (
            mib, names, full, idle, full / mib, hit)
    check(full <= mib * MEMORY and hit >= 100 - HIT_POINTS, "over the bars: " + text)
    check(full >= mib / 2, "the cache was not filled: " + text)
    return text


@test("a cache asked to hold twice its size: memory and popular names", sanitized=False)
def memory(args, folder, lab):
    return memory_run(args, os.path.join(folder, "r3"), lab, 128, 240000, "m%d.fill.%s TXT\n")


@test("the smallest cache that two workers may have, asked to hold four times its size", sanitized=False)
def memory_smallest(args, folder, lab):
    return memory_run(args, os.path.join(folder, "r6"), lab, 16, 60000, "m%d.fill.%s TXT\n")


@test("the default cache asked to hold three times its size", full=True, sanitized=False)
def memory_default(args, folder, lab):
    return memory_run(args, os.path.join(folder, "r4"), lab, 256, 700000, "m%d.fill.%s TXT\n")


@test("the same with names that do not exist", full=True, sanitized=False)
def memory_negative(args, folder, lab):
    return memory_run(args, os.path.join(folder, "r5"), lab, 128, 900000, "never%d.%s A\n")


if __name__ == "__main__":
    harness.main(setup)
