#!/usr/bin/env python3
"""What a signed zone has proved about some names denies others without a packet (RFC 8198): a flood of random names in
such a zone (SECURITY row 31), what a trace and the counters tell, and what a flush forgets.

The zones nsec.zone and nsec3.zone were signed once, for 60 years, as their key's trust anchors below say."""
import contextlib
import json
import os
import random
import select
import socket
import time

import harness
from dnsmsg import Message, query, udp
from harness import Resolver, check, equal, test
from lab import CLIENT, SERVERS, Lab

ANCHORS = """nsec.example. DS 64537 13 2 1203b51e9e1cdf10459b80f9401918700340676af0f659b69e58aa1ac4448099
nsec3.example. DS 28440 13 2 9e94be1d1c78577edba8b74298aa6b17a3793394ba1a8a79f9da331910e7ddd0
"""
HOST, AD = 61, 0x20
SPANS = {"nsec": 10, "nsec3": 11}  # as many as the zone has


class SignedLab(Lab):
    servers = {"root": SERVERS["root"], "signed": ((HOST,), tuple(z + ".example" for z in SPANS))}
    attackers = ()


@contextlib.contextmanager
def setup(args, folder):
    lab = SignedLab(os.path.join(folder, "lab"))
    with lab.standing():
        r = Resolver(args.build, os.path.join(folder, "resolver"), lab)
        anchors = os.path.join(folder, "anchors")
        with open(anchors, "w") as f:
            f.write(ANCHORS)
        server = ["%s@%d" % (lab.host(HOST), lab.port)]
        r.configure(recursion={"trust_anchor": anchors, "stub": [{"zone": z + ".example", "servers": server} for z in SPANS]})
        with r.running():
            yield r


def counters(r):
    return json.loads(r.must("sinkholectl", "stats", "--json"))["counters"]


def random_names(zone, n):
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    return ["%s.%s.example" % ("".join(random.choices(letters, k=random.randrange(8, 16))), zone) for _ in range(n)]


def ask_all(r, names, at_once=50):
    """All rcodes, and how long it took."""
    codes, start = [], time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((r.lab.host(CLIENT), 0))
        s.connect(r.server())
        for first in range(0, len(names), at_once):
            some = names[first:first + at_once]
            for i, name in enumerate(some):
                s.send(query(name, qid=i))
            for _ in some:
                check(select.select([s], [], [], 5)[0], "an answer for each of", some[:3])
                codes.append(Message(s.recv(65535)).rcode)
    return codes, time.monotonic() - start


def flood(r, zone):
    n = 4000
    r.must("sinkholectl", "flush")
    first = counters(r)
    ask_all(r, random_names(zone, 400), at_once=1)
    before = counters(r)
    codes, seconds = ask_all(r, random_names(zone, n))
    after = counters(r)
    learning = before["sent_udp"] + before["sent_tcp"] - first["sent_udp"] - first["sent_tcp"]
    sent = after["sent_udp"] + after["sent_tcp"] - before["sent_udp"] - before["sent_tcp"]
    equal(set(codes), {"NXDOMAIN"}, "codes")
    check(learning + sent <= SPANS[zone] + 2, "packets for all names", learning, sent)
    check(after["recursions_denied"] - before["recursions_denied"] >= n * 0.95, "counted", after)
    return "%d packets for 400 names, %d for %d more, %.0f us each" % (learning, sent, n, seconds * 1e6 / n)


@test("random names in a zone with NSEC: a packet for each span, no more", sanitized=False)
def flood_nsec(r):
    return flood(r, "nsec")


@test("random names in a zone with NSEC3: the same", sanitized=False)
def flood_nsec3(r):
    return flood(r, "nsec3")


@test("what exists is found, though everything beside it is denied")
def existing(r):
    for zone in SPANS:
        ask_all(r, random_names(zone, 100))
        for owner, rtype, want in (("kiwi", "A", ["192.0.2.4"]), ("a.b.fig", "A", ["192.0.2.3"]), ("x.mango", "A", ["192.0.2.5"])):
            name = "%s.%s.example" % (owner, zone)
            got = r.ask(name, rtype)
            check(got.rcode == "NOERROR" and got.data(rtype) == want, name, got)
        for owner in ("fig", "b.fig"):
            got = r.ask("%s.%s.example" % (owner, zone))
            check(got.rcode == "NOERROR" and not got.data("A"), "an empty name", got)


@test("who validates gets the records that the zone's own server gives, with their signatures")
def whole(r):
    for zone in SPANS:
        ask_all(r, random_names(zone, 200), at_once=1)
        for name in random_names(zone, 20):
            got, own = r.ask(name, do=True), Message(udp((r.lab.host(HOST), r.lab.port), query(name, do=True)))
            equal(*({(x.name.lower(), x.type, x.data) for x in m.authority} for m in (got, own)), name)
            check(got.flags & AD, "authentic", got)


@test("a trace tells what was proved before, and a flush of a name forgets what denies it")
def told(r):
    def steps(name):
        return [s["step"] for s in json.loads(r.must("sinkholectl", "trace", name, "--json"))["steps"]]
    for zone in SPANS:
        ask_all(r, random_names(zone, 200), at_once=1)
        name = random_names(zone, 1)[0]
        have = steps(name)
        check("denied" in have and "send" not in have, name, have)
        check("proved before: %s A: nxdomain" % name in r.must("sinkholectl", "trace", name), "in words")
        r.must("sinkholectl", "flush", name)
        have = steps(name)
        check("denied" not in have and "send" in have, "after a flush", have)
    status = json.loads(r.must("sinkholectl", "status", "--json"))["cache"]
    check(0 < status["denials"] <= sum(SPANS.values()) + 2, "in the status", status)


if __name__ == "__main__":
    harness.main(setup)
