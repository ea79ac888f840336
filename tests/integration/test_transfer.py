#!/usr/bin/env python3
"""A large zone by transfer, beside a resolver that is asked meanwhile: no question is lost, and one changed record acts at once.
make check has a zone of 50,000 records, make check-full one of a million: python3 tests/integration/test_transfer.py BUILD --full"""
import contextlib
import glob
import itertools
import os
import shutil
import threading
import time

import harness
from dnsmsg import Message, query, udp
from harness import Load, check, equal, test
from primary import Follower, Primary, until

FEW, MILLION = 50000, 1000000
ACTS_S = 1.0            # from the change at the primary to the resolver's next answer
ANONYMOUS_KIB = 256000  # of follow, or of the import that it starts
GROWTH_KIB = 16384      # of the resolver, meanwhile
CACHED = "www.beta.example"


@contextlib.contextmanager
def setup(args, folder):
    with harness.lab_and_resolver(args, folder) as r:
        r.args = args
        yield r


def anonymous_kib(pid):
    with contextlib.suppress(OSError, StopIteration), open("/proc/%d/smaps_rollup" % pid) as f:
        return int(next(line for line in f if line.startswith("Anonymous:")).split()[1])
    return 0


class Memory:
    """The most that a process, or one that it started, had."""
    def __init__(self, pid):
        self.pid, self.most, self.over = pid, 0, threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self):
        while not self.over.wait(.05):
            children = ""
            with contextlib.suppress(OSError):
                children = " ".join(open(f).read() for f in glob.glob("/proc/%d/task/*/children" % self.pid))
            self.most = max(self.most, *map(anonymous_kib, [self.pid, *map(int, children.split())]))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def rules(first, n):
    return ("n%d.bench.example CNAME ." % i for i in range(first, first + n))


def asked():
    return itertools.cycle(((CACHED, "A"), ("bot.c2.example", "A"), ("www.gamma.example", "AAAA"), ("www.alpha.example", "A")))


def acts(r, p, what, wanted):
    """Seconds until a change that Knot commits is in the next answer."""
    p.knotc("zone-begin", "rpz.example")
    p.knotc(what, "rpz.example", CACHED, *(["60"] if wanted else []), "CNAME", ".")
    start = time.monotonic()
    p.knotc("zone-commit", "rpz.example")
    until(what, 20, lambda: (Message(udp(r.server(), query(CACHED), 5)).rcode == "NXDOMAIN") == wanted)
    return time.monotonic() - start


def anew(p, serial, records):
    """The primary starts again without a journal: it has no changes to tell. When it was told to."""
    p.__exit__()
    shutil.rmtree(os.path.join(p.folder, "journal"))
    p.write(serial, records)
    start = time.monotonic()
    p.__enter__()
    return start


@test("a large zone comes whole, and once more with a tenth new, under load: no question is lost; one record acts within a second", sanitized=False)
def large(r):
    n = MILLION if r.args.full else FEW
    f = Follower(r.args, r.folder, "large", [0], state=r.state)
    p = Primary("knot", r.folder, f.listen, large=True)
    f.args[f.args.index("--primary") + 1] = "127.0.0.1@%d" % p.port
    p.write(10, rules(0, n))
    said = []
    r.ask(CACHED)
    with contextlib.ExitStack() as stack:
        stack.enter_context(p)
        load = stack.enter_context(Load(r.server(), asked(), 400, (r.lab.host(harness.CLIENT), 0), 6))
        time.sleep(1)
        before = anonymous_kib(r.process.pid)
        start = time.monotonic()
        stack.enter_context(f)
        memory = stack.enter_context(Memory(f.process.pid))
        until("the whole zone", 240, lambda: f.list().get("serial") == 10, f.said)
        said.append("%d records in %.1f s" % (n, time.monotonic() - start))
        equal(r.ask("n%d.bench.example" % (n - 1)).rcode, "NXDOMAIN", "the last name")
        took = [acts(r, p, what, what == "zone-set") for what in ("zone-set", "zone-unset") * 5]
        said.append("one record after %.2f to %.2f s" % (min(took), max(took)))
        start = anew(p, 100, rules(n // 10, n))
        until("another whole zone", 240, lambda: f.list().get("serial") == 100, f.said)
        said.append("a tenth new in %.1f s" % (time.monotonic() - start))
        until("word of it", 10, lambda: "serial 100 taken whole" in f.said(), f.said)
        equal(r.ask("n%d.bench.example" % (n + n // 10 - 1)).rcode, "NXDOMAIN", "the last name")
        load.stop()
        said.append("%d questions, slowest answer %.0f ms" % (load.sent, load.slowest * 1000))
        after = anonymous_kib(r.process.pid)
        said.append("resolver %d to %d KiB, follow and import at most %d KiB" % (before, after, memory.most))
    check(max(took) < ACTS_S * (1 if r.args.full else 5), "one record", took)  # make check may run on a busy machine
    check(after - before < GROWTH_KIB and memory.most < ANONYMOUS_KIB, "memory", said)
    equal(load.lost, 0, "lost of %d" % load.sent)
    return "; ".join(said)


if __name__ == "__main__":
    harness.main(setup)
