#!/usr/bin/env python3
"""run.py BUILD [options]: sinkholed beside the other resolvers and the bare kernel, in one run. Each server has one thread on
processor 0, the generator runs on processor 1; the figures are medians over rounds in turns. README.md says how to read them.

What is not installed is named and left out. --names 10000000 is for those that can hold ten million (pdns-recursor, bind9)."""
import argparse
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
import changes  # noqa: E402
import report  # noqa: E402
import scale  # noqa: E402
import stages  # noqa: E402
from bench_site import Site  # noqa: E402
from cases import Bench, say, warm  # noqa: E402
from harness import workspace  # noqa: E402
from lab import Lab  # noqa: E402
from peers import PEERS, Echo  # noqa: E402

SERVER_CPU = "0"
PARTS = ("stages", "beside", "logs", "workers", "sizes")
UNBOUND_MAX = 2000000  # names; more needs over 8 GiB in unbound and knot-resolver


class QuietLab(Lab):
    attackers = ()  # nobody who counts packets on the way

    def zone_text(self, zone):
        """Cached names stay so: all at once they would expire while one client asks for them by the thousand."""
        return super().zone_text(zone).replace("$TTL 300", "$TTL 86400")


def beside_peers(bench, site, kinds):
    peers = [k(site) for k in kinds]
    try:
        for p in peers:
            say("starting " + p.name)
            p.start()
            p.settle()
        servers = [p for p in peers if not isinstance(p, Echo)]
        for p in servers:
            bench.put("load", p.name, {"start_s": p.load_s, "rss_mib": p.anon_mib()} | ({"import_s": p.import_s} if p.ours else {}))
            warm(p)
        bench.rounds(peers, ("listed", "deep", "once", "cached", "mix"))
        bench.latencies(servers)
        bench.cold(servers)
        bench.dnsperf(servers)
        for p in servers if bench.o.replace else ():
            changes.one_entry(bench, p)
            changes.replace(bench, p)
        site.write_zone()
    finally:
        for p in peers:
            p.stop()


def with_logs(bench, site, kinds):
    peers = [k(site, log=True) for k in kinds if k.logs or k is Echo]
    try:
        for p in peers:
            say("starting %s with its log" % p.name)
            p.start()
            p.settle()
        bench.rounds(peers, ("listed",), ", log on")
    finally:
        for p in peers:
            p.stop()


def wanted(o, kind):
    if o.only and not any(w in kind.name for w in o.only):
        return False
    if o.names > UNBOUND_MAX and kind.name in ("unbound", "knot-resolver"):
        say("%s is left out: it cannot hold %d names in 8 GiB" % (kind.name, o.names))
        return False
    why = kind.missing()
    if why:
        say("left out: " + why)
    return not why


def measure(o, folder, lab):
    bench = Bench(o)
    kinds = [k for k in PEERS if wanted(o, k)]
    site = Site(o.build, os.path.join(folder, "beside"), lab, SERVER_CPU, o.names)
    say("%d names" % o.names)
    site.write_zone()
    site.write_questions(o.seconds, o.rounds)
    if "stages" in o.parts:
        stages.measure(bench, o.build)
    if "beside" in o.parts:
        beside_peers(bench, site, kinds)
    if "logs" in o.parts:
        with_logs(bench, site, kinds)
    if "workers" in o.parts:
        scale.workers(bench, site)
    shutil.rmtree(site.folder)
    if "sizes" in o.parts:
        scale.sizes(bench, o.build, folder, lab, SERVER_CPU, o.sizes)
    return bench.figures()


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("build")
    p.add_argument("--names", type=int, default=1000000)
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--only", nargs="*", help="parts of names of servers")
    p.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="sizes takes 5 GB in the temporary folder")
    p.add_argument("--sizes", nargs="+", type=int, default=(10000, 1000000, 10000000), help="lists that sinkholed is measured with, beside itself")
    p.add_argument("--replace", action=argparse.BooleanOptionalAction, default=True, help="change one entry, and the list under load")
    p.add_argument("--out", help="folder for the table, the JSON and the plot", default=None)
    return p.parse_args()


def main():
    o = options()
    if os.cpu_count() < 2:
        print("skipped: one processor cannot hold server and client")
        return
    o.load = os.getloadavg()[0]
    with workspace() as folder:
        lab = QuietLab(os.path.join(folder, "lab"))
        with lab.standing():
            figures = measure(o, folder, lab)
    report.show(figures, o, o.out or os.path.join(o.build, "bench-results"))


if __name__ == "__main__":
    main()
