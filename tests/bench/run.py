#!/usr/bin/env python3
"""run.py BUILD [options]: sinkholed beside the other resolvers and the bare kernel, in one run. Each server has one thread on
processor 0, the generator runs on processor 1; the figures are medians over rounds in turns. README.md says how to read them.

What is not installed is named and left out. --names 10000000 is for those that can hold ten million (pdns-recursor, bind9)."""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
import report  # noqa: E402
from dnsmsg import Message, query, udp  # noqa: E402
from harness import SINK4, check, workspace  # noqa: E402
from lab import Lab, find, wait_for  # noqa: E402
from peers import LISTED_UNDER, PEERS, PROBE, START_S, Echo, Site  # noqa: E402

CLEAN4 = "192.0.2.42"
QUESTIONS, CACHED = 20000, 1000
COLD_QPS = 400  # below the share of recursion that one client gets
LATENCY_QPS, REPLACE_QPS = 20000, 20000
SERVER_CPU, CLIENT_CPU = "0", "1"
UNBOUND_MAX = 2000000  # names; more needs over 8 GiB in unbound and knot-resolver


# ---- what is asked ----

class QuietLab(Lab):
    attackers = ()  # nobody who counts packets on the way


def write_zone(path, names, serial=1):
    """Two records a name, and one of their kind whose answer says which list this is."""
    with open(path, "w") as f:
        f.write("$TTL 30\n@ SOA localhost. root.localhost. %d 3600 600 86400 30\n@ NS localhost.\n" % serial)
        f.write("probe%d.%s A %s\n" % (serial - 1, LISTED_UNDER, SINK4))
        f.writelines("n%d.%s CNAME .\n*.n%d.%s CNAME .\n" % (i, LISTED_UNDER, i, LISTED_UNDER) for i in range(names))


def write_questions(folder, names, seconds):
    pick = random.Random(1)
    listed = [pick.randrange(names) for _ in range(QUESTIONS)]
    lines = {
        "listed": ["n%d.%s NXDOMAIN" % (i, LISTED_UNDER) for i in listed],
        "deep": ["a.b.c.d.e.n%d.%s NXDOMAIN" % (i, LISTED_UNDER) for i in listed],
        "cached": ["m%d.%s %s" % (i, LISTED_UNDER, CLEAN4) for i in range(CACHED)],
        "cold": ["x%d.%s %s" % (i, LISTED_UNDER, CLEAN4) for i in range(int(COLD_QPS * seconds) + 1)],
    }
    lines["mix"] = [lines["listed"][i % QUESTIONS] if i % 100 == 0 else lines["cached"][i % CACHED] for i in range(QUESTIONS)]
    for kind, text in lines.items():
        open(os.path.join(folder, kind + ".q"), "w").write("\n".join(text) + "\n")
        open(os.path.join(folder, kind + ".echo"), "w").writelines(x.split()[0] + " -\n" for x in text)
        open(os.path.join(folder, kind + ".dnsperf"), "w").writelines(x.split()[0] + " A\n" for x in text)


# ---- one measurement ----

class Bench:
    def __init__(self, options, site):
        self.o, self.site = options, site
        self.rows = {}  # (case, server) -> [figures of a round]

    def ask(self, peer, kind, seconds, rate=None):
        questions = os.path.join(self.site.folder, kind + (".echo" if isinstance(peer, Echo) else ".q"))
        before = peer.cpu_ns()
        out = subprocess.run(["taskset", "-c", CLIENT_CPU, os.path.join(self.site.build, "bench", "ask"), peer.at(), questions,
                              str(seconds)] + ([str(rate)] if rate else []), stdout=subprocess.PIPE, text=True)
        check(out.returncode in (0, 1), "ask", out)
        row = json.loads(out.stdout)
        row["cpu_us"] = (peer.cpu_ns() - before) / 1000 / max(row["answered"], 1)
        return row

    def put(self, case, peer, row):
        self.rows.setdefault((case, peer.name), []).append(row)
        say("  %-14s %-32s %6.2f us CPU, %7.0f q/s, p50 %d us, %d lost, %d wrong" % (
            case, peer.name, row["cpu_us"], row["qps"], row["p50_us"], row["lost"], row["wrong"]))

    def rounds(self, peers, kinds, suffix=""):
        for turn in range(self.o.rounds):
            say("round %d of %d%s" % (turn + 1, self.o.rounds, suffix))
            for kind in kinds:
                for peer in peers:
                    if not (isinstance(peer, Echo) and kind not in ("listed", "deep")):
                        self.put(kind + suffix, peer, self.ask(peer, kind, self.o.seconds))

    def latencies(self, peers):
        for _ in range(self.o.rounds):
            for peer in peers:
                self.put("latency", peer, self.ask(peer, "mix", self.o.seconds, LATENCY_QPS))

    def cold(self, peers):
        for peer in peers:
            self.put("cold", peer, self.ask(peer, "cold", self.o.seconds, COLD_QPS))

    def dnsperf(self, peers):
        if not find("dnsperf"):
            return say("dnsperf is not installed: apt-get install dnsperf")
        for peer in peers:
            for kind in ("listed", "cached"):
                out = subprocess.run(["taskset", "-c", CLIENT_CPU, "dnsperf", "-s", peer.address, "-p", str(peer.port), "-d",
                                      os.path.join(self.site.folder, kind + ".dnsperf"), "-l", str(self.o.seconds), "-c", "8", "-T", "1",
                                      "-q", "200", "-O", "suppress=timeout"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
                rate = [x for x in out.splitlines() if "Queries per second" in x]
                check(rate, "dnsperf said: " + out)
                self.rows.setdefault(("dnsperf " + kind, peer.name), []).append({"qps": float(rate[0].split(":")[1])})

    def memory(self, peers):
        for peer in peers:
            row = {"rss_mib": peer.anon_mib(), "start_s": peer.load_s}
            if peer.ours:
                row["import_s"] = peer.import_s
            self.rows[("load", peer.name)] = [row]
            say("  load           %-32s %s" % (peer.name, row))

    def replace(self, peer):
        """The whole list anew, with one name changed, while questions come: longest gap, lost ones, until it counts."""
        if not self.o.replace:
            return
        seconds, got = max(self.o.seconds, 2 * peer.load_s + 3), {}
        quiet = self.ask(peer, "mix", self.o.seconds, REPLACE_QPS)
        write_zone(self.site.zone, self.o.names, serial=2)
        thread = threading.Thread(target=lambda: got.update(self.ask(peer, "mix", seconds, REPLACE_QPS)))
        thread.start()
        time.sleep(1)
        begin = time.monotonic()
        able = peer.reload() and wait_for(lambda: peer.blocks_name(PROBE.replace("0", "1", 1)), START_S)
        took = time.monotonic() - begin
        thread.join()
        write_zone(self.site.zone, self.o.names)
        if able:
            row = {"took_s": took, "gap_ms": got["gap_ms"], "quiet_gap_ms": quiet["gap_ms"], "lost": got["lost"],
                   "quiet_lost": quiet["lost"], "wrong": got["wrong"]}
            self.rows[("replace", peer.name)] = [row]
            say("  replace        %-32s %s" % (peer.name, row))

    def figures(self):
        """{case: {server: {figure: median}}}"""
        out = {}
        for (case, name), rows in self.rows.items():
            keys = rows[0].keys()
            out.setdefault(case, {})[name] = {k: statistics.median(r[k] for r in rows) for k in keys}
        return out


def say(text):
    print(text, file=sys.stderr, flush=True)


def warm(peer):
    for i in range(CACHED):
        m = udp(peer.server(), query("m%d.%s" % (i, LISTED_UNDER)), 3)
        check(m is not None and Message(m).data("A") == [CLEAN4], "warming up " + peer.name, m and Message(m))


def measure(o, site):
    say("%d names" % o.names)
    site.names, site.zone = o.names, os.path.join(site.folder, "list.zone")
    write_zone(site.zone, o.names)
    write_questions(site.folder, o.names, o.seconds)
    bench = Bench(o, site)
    kinds = [k for k in PEERS if wanted(o, k)]
    for log in (False, True):
        peers = [k(site, log) for k in kinds if not log or k.logs or k is Echo]
        try:
            for p in peers:
                say("starting %s%s" % (p.name, " with its log" if log else ""))
                p.start()
            servers = [p for p in peers if not isinstance(p, Echo)]
            if log:
                bench.rounds([p for p in peers if not p.packet_cache or p.logs], ("listed",), ", log on")
                continue
            bench.memory(servers)
            for p in servers:
                warm(p)
            bench.rounds(peers, ("listed", "deep", "cached", "mix"))
            bench.latencies(servers)
            bench.cold(servers)
            bench.dnsperf(servers)
            for p in servers:
                bench.replace(p)
        finally:
            for p in peers:
                p.stop()
    return bench.figures()


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


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("build")
    p.add_argument("--names", type=int, default=1000000)
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--only", nargs="*", help="parts of names of servers")
    p.add_argument("--replace", action=argparse.BooleanOptionalAction, default=True, help="replace the list under load")
    p.add_argument("--out", help="folder for the table, the JSON and the plot", default=None)
    o = p.parse_args()
    if os.cpu_count() < 2:
        print("skipped: one processor cannot hold server and client")
        return
    with workspace() as folder:
        lab = QuietLab(os.path.join(folder, "lab"))
        with lab.standing():
            site = Site(os.path.abspath(o.build), folder, lab, SERVER_CPU)
            figures = measure(o, site)
    report.show(figures, o, o.out or os.path.join(o.build, "bench-results"))


if __name__ == "__main__":
    main()
