#!/usr/bin/env python3
"""DNSSEC: every zone of the signed lab, asked of the resolver and of Debian's unbound with the same trust anchor. Status
(secure, insecure, bogus) and rcode must be the same, but for what EXPLAINED says."""
import collections
import os
import select
import socket
import struct
import subprocess
import time

from signed_lab import NAMES, TARGETS, ZONES, SignedLab  # first: it may hand over to another python3

import harness
import unbound
from dnsmsg import AD, TC, Message, query, tcp
from harness import Resolver, Skip, check, in_namespace, test
from lab import find

OURS, THEIRS = 100, 101
APEX_TYPES = ("A", "AAAA", "TXT", "DS", "DNSKEY", "SOA", "NS", "MX", "TYPE51", "TYPE65280")
NAME_TYPES = ("A", "TXT", "DS")
MORE_TYPES = ("AAAA", "NS", "SOA", "DNSKEY", "CNAME", "MX")
WINDOW = 60  # questions at a time

# (zone, name or "*", ours, theirs): why. Status is as status() has it.
EXPLAINED = [
    ("alg5", "*", "insecure", "secure", "RFC 9905: SHA-1 signatures are as none; recursion.validate_sha1"),
    ("alg7", "*", "insecure", "secure", "the same"),
    ("it51", "*", "insecure", "secure", "RFC 9276 3.2: insecure above 50 iterations, as BIND and Knot Resolver; unbound 150"),
    ("dsbadsha2", "*", "bogus", "secure", "RFC 4509 3: SHA-1 says nothing beside a better digest; unbound takes it"),
    ("revoked", "*", "bogus", "secure", "RFC 5011 2.1: a revoked key vouches for nothing, whatever the DS says; unbound takes it"),
]


def status(m):
    if m is None:
        return "silence"
    if m.rcode == "SERVFAIL":
        return "bogus"
    return "%s %s%s" % ("secure" if m.flags & AD else "insecure", m.rcode, "" if m.answer else " empty")


def questions(full):
    """[(zone, owner, type)]"""
    rows = []
    for label in ZONES:
        zone = label + ".example"
        rows += [(label, zone, t) for t in APEX_TYPES]
        for n in NAMES[1:]:
            for t in NAME_TYPES + (MORE_TYPES if full else ()):
                rows.append((label, "%s.%s" % (n, zone), t))
    for label in ("bridge", "bridge2"):
        for t in TARGETS:
            for n in ("to-" + t, "no-" + t, "www.d-" + t, "x.wild.d-" + t, "nope.d-" + t, "to-%s.d-%s" % (t, label)):
                rows += [(label, "%s.%s.example" % (n, label), q) for q in ("A", "TXT")]
        rows += [(label, "%s.%s.example" % (n, label), "A") for n in ("hop", "hop2", "hop3")]
    rows += [("example", n, t) for n in ("example", "nope.example", "x.nope.example", "ns.nope.example") for t in APEX_TYPES]
    rows += [(".", n, t) for n in (".", "nope", "a.root.example") for t in APEX_TYPES]
    return rows


def ask_all(server, source, rows):
    """A Message or None for each; WINDOW at a time over UDP, again over TCP what did not fit."""
    answers = [None] * len(rows)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.bind(source)
        s.connect(server)
        s.setblocking(False)
        waiting, n = {}, 0
        while n < len(rows) or waiting:
            while n < len(rows) and len(waiting) < WINDOW:
                _, owner, t = rows[n]
                waiting[n] = time.monotonic()
                s.send(query(owner, t, qid=n, do=True, edns=4096))
                n += 1
            if select.select([s], [], [], 0.5)[0]:
                data = s.recv(65535)
                qid = struct.unpack_from("!H", data)[0]
                if waiting.pop(qid, None):
                    answers[qid] = Message(data)
            old = time.monotonic() - 15
            for qid in [q for q, at in waiting.items() if at < old]:
                del waiting[qid]
    for i, (_, owner, t) in enumerate(rows):
        if answers[i] is not None and answers[i].flags & TC:
            answers[i] = Message(tcp(server, query(owner, t, do=True), 8, source) or answers[i].wire)
    return answers


def start_unbound(lab, folder, port):
    return unbound.running(lab.host(THEIRS), port, folder,
                           ["outgoing-interface: " + lab.host(THEIRS), "do-ip6: no", 'module-config: "validator iterator"',
                            'trust-anchor-file: "%s"' % lab.path("root.key"), "qname-minimisation: yes",
                            "aggressive-nsec: no", "prefetch: no", "ede: yes", 'root-hints: "%s"' % lab.path("root.hints")])


def compare(args, folder):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    lab = SignedLab(os.path.join(folder, "lab"), "127.77.2", 53)
    lab.up()
    r = Resolver(args.build, os.path.join(folder, "resolver"), lab)
    r.configure(recursion={"source": [lab.host(OURS)], "ipv6": False})
    try:
        r.start()
        rows = questions(args.full)
        with start_unbound(lab, folder, r.port) as other:
            ours = ask_all(r.server(), (lab.host(harness.CLIENT), 0), rows)
            theirs = ask_all(other, (lab.host(harness.CLIENT), 0), rows)
        return judge(args, rows, ours, theirs)
    finally:
        r.stop()
        lab.down()


def explained(zone, owner, ours, theirs):
    for i, (z, n, o, t, _) in enumerate(EXPLAINED):
        if z == zone and n in ("*", owner) and (ours.split(" ")[0], theirs.split(" ")[0]) == (o, t):
            return i
    return None


def judge(args, rows, ours, theirs):
    bad, counts, used = [], collections.Counter(), set()
    for (zone, owner, t), a, b in zip(rows, ours, theirs):
        x, y = status(a), status(b)
        counts[x.split(" ")[0]] += 1
        if x == y:
            continue
        why = explained(zone, owner, x, y)
        if why is None:
            bad.append("%s %s: %s, unbound %s (%s)" % (owner, t, x, y, a.ede if a else None))
        else:
            used.add(why)
    for line in bad:
        print(line)
    check(not bad, "%d of %d differ from unbound" % (len(bad), len(rows)))
    idle = [EXPLAINED[i] for i in range(len(EXPLAINED)) if i not in used]
    check(not idle, "explained, but does not differ:", idle)
    return "%d questions: %s" % (len(rows), ", ".join("%d %s" % (n, k) for k, n in counts.most_common()))


@test("every zone has the status that unbound gives it", sanitized=False)
def same_as_unbound(args, folder):
    for program in ("unbound", "ip"):
        if not find(program):
            raise Skip("%s is not installed (make deps)" % program)
    return in_namespace(args, compare, folder, "--net")


if __name__ == "__main__":
    harness.main()
