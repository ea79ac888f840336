"""Ours beside itself: two workers and one, lists of several sizes."""
import os

import changes
from bench_site import Site
from cases import say, warm
from peers import Sinkholed

WORKER_QPS = 25000  # two of them leave a processor room


def workers(bench, site):
    """Both on the same one processor, and the generator has its own: as fast as they can, and with the same rate for each
    worker, which makes their batches alike."""
    peers = [Sinkholed(site, label="%d worker%s" % (n, "s"[:n - 1]), workers=n) for n in (1, 2)]
    try:
        for p in peers:
            p.start()
            p.settle()
            warm(p)
        bench.rounds(peers, ("fresh", "cached"), ", full")
        bench.rounds(peers, ("fresh", "cached"), ", at a rate", lambda p: WORKER_QPS * p.workers)
    finally:
        for p in peers:
            p.stop()


def text_of(names):
    return "%d M" % (names // 1000000) if names % 1000000 == 0 else "%d k" % (names // 1000) if names % 1000 == 0 else str(names)


def sizes(bench, build, folder, lab, cpu, counts):
    peers = []
    try:
        for n in counts:
            say("%d names" % n)
            site = Site(build, os.path.join(folder, "size%d" % n), lab, cpu, n)
            site.write_zone()
            site.write_questions(bench.o.seconds, 0)
            peers.append(Sinkholed(site, label=text_of(n) + " names"))
            peers[-1].start()
            changes.starts(bench, peers[-1])
        bench.rounds(peers, ("listed", "fresh"), ", by size")
        for p in peers:
            bench.put("memory", p.name, {"rss_mib": p.anon_mib()})
    finally:
        for p in peers:
            p.stop()
