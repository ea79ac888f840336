#!/usr/bin/env python3
"""packets.py BUILD: packets sent to name servers for names never asked before, sinkholed beside Debian's unbound. Both ask the
same servers (tests/integration/wide.py) on port 53 with the same settings, in network namespaces of their own without a
way out; a raw socket counts what leaves each one's address. Without validation, then over signed zones (wide_signed.py)
with validation in both. Exit status 0 when sinkholed sends no more in any table."""
import collections
import os
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
from wide_signed import SignedWideLab  # noqa: E402, first: it may hand over to another python3

import unbound  # noqa: E402
from dnsmsg import Message, query, udp  # noqa: E402
from harness import Resolver, workspace  # noqa: E402
from lab import find  # noqa: E402
from wide import WideLab, cold_names  # noqa: E402

OURS, THEIRS = 100, 101  # hosts of the lab's /24
SEEDS = (1, 2, 3)        # orders of the questions: each choice of a server is a throw of dice
# Name, IPv6 upstream, target-fetch-policy of unbound ("0 0 0 0 0": no address is looked up before it is needed).
TABLES = {WideLab: (("IPv4 only, unbound's defaults", False, None),
                    ("IPv4 only, unbound looking up no address ahead", False, "0 0 0 0 0"),
                    ("IPv4 and IPv6, unbound's defaults", True, None),
                    ("IPv4 and IPv6, unbound looking up no address ahead", True, "0 0 0 0 0")),
          SignedWideLab: (("validation, IPv4 only, unbound's defaults", False, None),
                          ("validation, IPv4 only, unbound looking up no address ahead", False, "0 0 0 0 0"))}

class Counter:
    """Packets on lo by their source address: UDP datagrams to port 53, and all of TCP to it."""

    def __init__(self, addresses):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind(("lo", 0x0800))
        self.socket.settimeout(0.1)
        self.numbers = {socket.inet_aton(a): a for a in addresses}
        self.n = collections.Counter()
        self.stopping = False
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        while not self.stopping:
            try:
                p, address = self.socket.recvfrom(65535)
            except TimeoutError:
                continue
            if address[2] == 4 or len(p) < 28 or p[12:16] not in self.numbers:  # 4: comes again, incoming
                continue
            port, = struct.unpack_from("!H", p, (p[0] & 15) * 4 + 2)
            if port == 53 and p[9] in (6, 17):
                self.n[self.numbers[p[12:16]], "udp" if p[9] == 17 else "tcp"] += 1

    def sent(self, address):
        return self.n[address, "udp"] + self.n[address, "tcp"]

    def settled(self, address):
        """The count once nothing more has come for a while."""
        last = -1
        while last != self.sent(address):
            last = self.sent(address)
            time.sleep(0.3)
        return last

    def stop(self):
        self.stopping = True
        self.thread.join()
        self.socket.close()


def ask_all(server, rows, counter, address):
    """{class: (questions, packets)}, wrong answers, all packets. One question at a time; what a resolver still sends
    after its answer counts with the next question."""
    table, wrong = collections.defaultdict(lambda: [0, 0]), []
    counter.settled(address)
    before = begin = counter.sent(address)
    for name_class, qname, qtype, rcode, data in rows:
        wire = udp(server, query(qname, qtype), 8)
        m = Message(wire) if wire else None
        if m is None or m.rcode != rcode or m.data(qtype) != data:
            wrong.append("%s %s: %s" % (qname, qtype, m))
        time.sleep(0.001)
        now = counter.sent(address)
        table[name_class][0] += 1
        table[name_class][1] += now - before
        before = now
    return table, wrong, counter.settled(address) - begin


def one_run(build, folder, lab, ipv6, fetch, seed):
    """{who: ask_all()} with empty caches on both sides."""
    ours = Resolver(build, os.path.join(folder, "sinkholed"), lab, workers=1)
    ours.configure(recursion=dict(lab.recursion(), source=[lab.host(OURS)], ipv6=ipv6, qname_minimisation="relaxed"))
    server = ["outgoing-interface: " + lab.host(THEIRS), "do-ip6: " + ("yes" if ipv6 else "no"), "qname-minimisation: yes",
              "qname-minimisation-strict: no", "prefetch: no", 'root-hints: "%s"' % lab.path("root.hints")]
    if fetch:
        server += ['target-fetch-policy: "%s"' % fetch]
    anchor = lab.recursion()["trust_anchor"]
    server += ['module-config: "%s"' % ("validator iterator" if anchor else "iterator")]
    if anchor:  # sinkholed does not tell the root which anchors it has
        server += ['trust-anchor-file: "%s"' % anchor, "trust-anchor-signaling: no"]
    rows = cold_names(seed)
    with unbound.running(lab.host(THEIRS), ours.port, folder, server) as theirs:
        counter = Counter([lab.host(OURS), lab.host(THEIRS)])
        try:
            ours.start()
            return {"sinkholed": ask_all(ours.server(), rows, counter, lab.host(OURS)),
                    "unbound": ask_all(theirs, rows, counter, lab.host(THEIRS))}
        finally:
            ours.stop()
            counter.stop()


def show(title, runs):
    """Prints one table; True when sinkholed sent no more than unbound."""
    print("\n%s" % title)
    print("%-10s %10s %12s %12s %8s" % ("", "questions", "sinkholed", "unbound", "ratio"))
    for name_class in sorted(runs[0]["sinkholed"][0]):
        asked = sum(r["sinkholed"][0][name_class][0] for r in runs)
        mine, theirs = (sum(r[who][0][name_class][1] for r in runs) for who in ("sinkholed", "unbound"))
        print("%-10s %10d %12d %12d %8.2f" % (name_class, asked, mine, theirs, mine / theirs))
    mine, theirs = (sum(r[who][2] for r in runs) for who in ("sinkholed", "unbound"))
    asked = sum(n for r in runs for n, _ in r["sinkholed"][0].values())
    print("%-10s %10d %12d %12d %8.2f   %s" % ("all", asked, mine, theirs, mine / theirs, "ok" if mine <= theirs else "NOT MET"))
    for who in ("sinkholed", "unbound"):
        wrong = [x for r in runs for x in r[who][1]]
        if wrong:
            print("%s answered %d questions otherwise than the zones say, first: %s" % (who, len(wrong), wrong[0][:300]))
    return mine <= theirs and not any(r["sinkholed"][1] for r in runs)


def inside(build):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    met = True
    version = subprocess.run([find("unbound"), "-V"], stdout=subprocess.PIPE, text=True).stdout.split("\n")[0]
    print("packets to name servers, %d names a run, %d runs (%s)" % (len(cold_names()), len(SEEDS), version))
    for kind, tables in TABLES.items():
        with workspace() as folder:
            lab = kind(os.path.join(folder, "lab"), "127.77.1", 53)
            lab.up()
            try:
                for i, (title, ipv6, fetch) in enumerate(tables):
                    met = show(title, [one_run(build, os.path.join(folder, "%d%d" % (i, s)), lab, ipv6, fetch, s) for s in SEEDS]) and met
            finally:
                lab.down()
    return 0 if met else 1


def main():
    if len(sys.argv) == 3 and sys.argv[2] == "--inside":
        sys.exit(inside(sys.argv[1]))
    for program in ("unbound", "unshare", "ip"):
        if not find(program):
            print("skipped: %s is not installed (make deps)" % program)
            sys.exit(77)
    unshare = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    if subprocess.run(unshare + ["true"], stderr=subprocess.DEVNULL).returncode:
        print("skipped: this user may not make network namespaces")
        sys.exit(77)
    sys.exit(subprocess.run(unshare + [sys.executable, "-B", os.path.abspath(__file__), sys.argv[1], "--inside"]).returncode)


if __name__ == "__main__":
    main()
