#!/usr/bin/env python3
"""Source ports and IDs of questions to servers: a uniform draw, for each worker alike (RFC 5452, SECURITY rows 1 and 2)."""
import contextlib
import glob
import math
import os
import socket

import harness
from dnsmsg import query
from harness import Resolver, check, test
from puppet import Puppets, record, reply
from wide import PUPPETS, WideLab

PORTS = PUPPETS["ports"]
PORT_MIN, PORT_MAX = 1024, 65535
CLIENTS = 16      # sockets: the kernel gives each one's questions to one worker
SIGMAS = 5        # how far from what chance would give: once in 1.7 million
CORRELATION = 0.03


@contextlib.contextmanager
def setup(args, folder):
    with WideLab(os.path.join(folder, "lab")).standing() as lab:
        with Resolver(args.build, os.path.join(folder, "resolver"), lab).running() as r:
            yield r


def say(asked):
    return reply(asked, [record(b"\xc0\x0c", 1, socket.inet_aton("198.51.100.1"))])


def runtimes(pid):
    return {f.split("/")[4]: int(open(f).read().split()[0]) for f in glob.glob("/proc/%d/task/*/schedstat" % pid)}


def ask_from(s, label, count, at_once=32):
    """count questions from one socket, a few in flight."""
    waiting = 0
    for i in range(count):
        s.send(query("n%d.%s.ports.example" % (i, label), qid=i & 0xffff))
        waiting += 1
        while waiting >= at_once:
            s.recv(4096)
            waiting -= 1
    for _ in range(waiting):
        s.recv(4096)


def capture(r, number):
    """[(client, port, ID)] of that many questions as they came to the server, and {client: worker's thread}."""
    threads, socks = {}, []
    with contextlib.ExitStack() as stack, Puppets(r.lab, (PORTS,), say) as puppets:
        for c in range(CLIENTS):
            s = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            s.settimeout(4)
            s.connect(r.server())
            socks.append(s)
        r.ask("first.ports.example")
        share = number // CLIENTS
        for c, s in enumerate(socks):
            before = runtimes(r.process.pid)
            ask_from(s, "c%d-%d" % (c, number), share)
            after = runtimes(r.process.pid)
            threads[c] = max(after, key=lambda t: after[t] - before.get(t, 0))
        asked = [x for x in puppets.asked if x.qname.startswith("n") and x.over == "udp" and x.qname.count(".") == 3]
    rows = [(int(x.qname.split(".")[1][1:].split("-")[0]), x.peer, x.id) for x in asked]
    check(len(rows) >= share * CLIENTS, "questions at the server", len(rows))
    return rows, threads


def distinct(values, size):
    """(distinct values, what a uniform draw gives, its standard deviation)."""
    n = len(values)
    some = math.exp(-n / size)
    return len(set(values)), size * (1 - some), math.sqrt(max(1.0, size * some * (1 - (1 + n / size) * some)))


def correlation(values):
    n = len(values) - 1
    mean = sum(values) / len(values)
    return sum((a - mean) * (b - mean) for a, b in zip(values, values[1:])) / sum((v - mean) ** 2 for v in values) * (n + 1) / n


def chi_square(values, low, high, bins=32):
    """Deviation of the histogram from a flat one, in standard deviations of chi-square."""
    counts = [0] * bins
    for v in values:
        counts[(v - low) * bins // (high - low + 1)] += 1
    want = len(values) / bins
    return (sum((c - want) ** 2 for c in counts) / want - (bins - 1)) / math.sqrt(2 * (bins - 1))


def judge(what, values, low, high, bar):
    """One column of a capture; a line of figures."""
    check(low <= min(values) and max(values) <= high, what + " out of range", min(values), max(values))
    have, want, sigma = distinct(values, high - low + 1)
    # More is no fault: sockets stay open until their deadline (P1), and a port that is taken is drawn anew.
    check(have >= want - SIGMAS * sigma, "%s: %d distinct of %d, a uniform draw gives %.0f" % (what, have, len(values), want))
    flat = chi_square(values, low, high)
    check(flat <= SIGMAS + 2, "%s are not spread evenly: chi-square %.1f deviations too large" % (what, flat))
    serial = correlation(values)
    check(abs(serial) <= bar, "%s: serial correlation %.3f" % (what, serial))
    return "%s: %d distinct (uniform: %.0f), serial correlation %+.3f" % (what, have, want, serial)


def judge_all(r, number, bar):
    rows, threads = capture(r, number)
    said = [judge("ports", [x[1] for x in rows], PORT_MIN, PORT_MAX, bar), judge("IDs", [x[2] for x in rows], 0, 65535, bar)]
    workers = sorted(set(threads.values()))
    for worker in workers:
        mine = [x for x in rows if threads[x[0]] == worker]
        own = max(bar, SIGMAS / math.sqrt(len(mine)))
        judge("ports of a worker", [x[1] for x in mine], PORT_MIN, PORT_MAX, own)
        judge("IDs of a worker", [x[2] for x in mine], 0, 65535, own)
    return "%d questions by %d workers; %s" % (len(rows), len(workers), "; ".join(said)), len(workers)


@test("ports and IDs are a uniform draw without a series in it, and the same for both workers")
def uniform(r):
    number = 3200
    text, workers = judge_all(r, number, max(CORRELATION, SIGMAS / math.sqrt(number)))
    check(workers >= 2, "sixteen sockets went to one worker only", text)
    return text


@test("10,000 questions: at least 9,000 distinct ports and IDs, serial correlation within 0.03", full=True, sanitized=False)
def uniform_full(r):
    rows, _ = capture(r, 10000)  # 16 x 625
    ports, ids = [x[1] for x in rows], [x[2] for x in rows]
    check(len(set(ports)) >= 9000 and len(set(ids)) >= 9000, "distinct", len(set(ports)), len(set(ids)))
    serial = [correlation(ports), correlation(ids)]
    if max(map(abs, serial)) > CORRELATION:  # three deviations: chance does that once in 185 runs
        more, _ = capture(r, 40000)
        serial = [correlation([x[1] for x in more]), correlation([x[2] for x in more])]
    check(max(map(abs, serial)) <= CORRELATION, "serial correlation", serial)
    return "%d distinct ports, %d distinct IDs, serial correlation %+.3f and %+.3f" % (len(set(ports)), len(set(ids)), *serial)


if __name__ == "__main__":
    harness.main(setup)
