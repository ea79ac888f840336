"""Questions at servers, in turns: what a question costs, how fast, how late."""
import json
import os
import statistics
import subprocess
import sys

from bench_site import CACHED, CLEAN4, COLD_QPS, LISTED_UNDER
from dnsmsg import Message, query, udp
from harness import check
from lab import find
from peers import Echo

LATENCY_QPS = 20000
CLIENT_CPU = "1"


def say(text):
    print(text, file=sys.stderr, flush=True)


def warm(peer):
    for i in range(CACHED):
        m = udp(peer.server(), query("m%d.%s" % (i, LISTED_UNDER)), 3)
        check(m is not None and Message(m).data("A") == [CLEAN4], "warming up " + peer.name, m and Message(m))


def ask(peer, kind, seconds, rate=None):
    """One run of the generator: its figures, and the server's processor time an answer."""
    questions = peer.site.questions(kind + (".echo" if isinstance(peer, Echo) else ".q"))
    before = peer.cpu_ns()
    out = subprocess.run(["taskset", "-c", CLIENT_CPU, os.path.join(peer.site.build, "bench", "ask"), peer.at(), questions,
                          str(seconds)] + ([str(rate)] if rate else []), stdout=subprocess.PIPE, text=True)
    check(out.returncode in (0, 1), "ask", out)
    row = json.loads(out.stdout)
    row["cpu_us"] = (peer.cpu_ns() - before) / 1000 / max(row["answered"], 1)
    return row


class Bench:
    def __init__(self, options):
        self.o = options
        self.rows = {}  # (case, server) -> [figures of a round]

    def put(self, case, name, row):
        self.rows.setdefault((case, name), []).append(row)
        say("  %-16s %-32s %s" % (case, name, ", ".join("%s %.4g" % x for x in row.items() if x[0] in SHOWN)))

    def rounds(self, peers, kinds, suffix="", rate=lambda peer: None):
        for turn in range(self.o.rounds):
            say("round %d of %d%s" % (turn + 1, self.o.rounds, suffix))
            for kind in kinds:
                for peer in peers:
                    if not (isinstance(peer, Echo) and kind not in ("listed", "deep")):
                        self.put(kind + suffix, peer.name, ask(peer, kind, self.o.seconds, rate(peer)))

    def latencies(self, peers):
        for _ in range(self.o.rounds):
            for peer in peers:
                self.put("latency", peer.name, ask(peer, "mix", self.o.seconds, LATENCY_QPS))

    def cold(self, peers):
        """Names that nobody has asked for, in each round others."""
        for turn in range(self.o.rounds):
            for peer in peers:
                self.put("cold", peer.name, ask(peer, "cold%d" % turn, self.o.seconds, COLD_QPS))

    def dnsperf(self, peers):
        if not find("dnsperf"):
            return say("dnsperf is not installed: apt-get install dnsperf")
        for peer in peers:
            for kind in ("listed", "cached"):
                out = subprocess.run(["taskset", "-c", CLIENT_CPU, "dnsperf", "-s", peer.address, "-p", str(peer.port), "-d",
                                      peer.site.questions(kind + ".dnsperf"), "-l", str(self.o.seconds), "-c", "8", "-T", "1",
                                      "-q", "200", "-O", "suppress=timeout"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
                rate = [x for x in out.splitlines() if "Queries per second" in x]
                check(rate, "dnsperf said: " + out)
                self.put("dnsperf " + kind, peer.name, {"qps": float(rate[0].split(":")[1])})

    def figures(self):
        """{case: {server: {figure: median}}}; spread is how far apart the rounds' first figures lay, by the median."""
        out = {}
        for (case, name), rows in self.rows.items():
            row = {k: statistics.median(r[k] for r in rows) for k in rows[0]}
            first = next(k for k in SHOWN if k in row)
            if len(rows) > 1 and row[first]:
                row["spread"] = (max(r[first] for r in rows) - min(r[first] for r in rows)) / row[first]
            out.setdefault(case, {})[name] = row
        return out


SHOWN = ("cpu_us", "ns", "took_s", "in_ms", "start_s", "killed_s", "import_s", "again_s", "in_max_ms", "commit_ms", "unblocked", "rss_mib", "gap_ms",
         "quiet_gap_ms", "qps", "p50_us", "p99_us", "lost", "wrong", "instructions")
