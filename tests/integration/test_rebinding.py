#!/usr/bin/env python3
"""Public names that point into private networks, SECURITY.md 1B row 38."""
import contextlib
import os
import socket
import struct

import harness
from dnsmsg import name_wire, type_number
from harness import Resolver, check, equal, test
from puppet import Puppets, record, reply
from wide import PUPPETS, WideLab

ZONE = "attack.example"
A, CNAME, AAAA, DNAME, SVCB, HTTPS = 1, 5, 28, 39, 64, 65


def a(text, owner=b"\xc0\x0c"):
    return record(owner, A, socket.inet_aton(text))


def aaaa(text, owner=b"\xc0\x0c"):
    return record(owner, AAAA, socket.inet_pton(socket.AF_INET6, text))


def hints(rtype, *keys):
    """Priority 1, the name itself, and keys (number, value)."""
    return record(b"\xc0\x0c", rtype, struct.pack("!HB", 1, 0) + b"".join(struct.pack("!2H", k, len(v)) + v for k, v in keys))


def alias(target, owner=b"\xc0\x0c"):
    return record(owner, CNAME, name_wire(target))


V4, PUBLIC4 = socket.inet_aton, socket.inet_aton("203.0.113.1")
V6 = lambda text: socket.inet_pton(socket.AF_INET6, text)  # noqa: E731
# Label: question type, records. All of them are answers with something private in it.
SHAPES = {
    "ten": ("A", [a("10.0.0.1")]),
    "router": ("A", [a("192.168.1.1")]),
    "twelve": ("A", [a("172.31.255.255")]),
    "loopback": ("A", [a("127.0.0.53")]),
    "nought": ("A", [a("0.0.0.0")]),
    "link": ("A", [a("169.254.169.254")]),
    "carrier": ("A", [a("100.64.0.1")]),
    "among": ("A", [a("203.0.113.1"), a("203.0.113.2"), a("10.0.0.1")]),
    "six-loopback": ("AAAA", [aaaa("::1")]),
    "six-nought": ("AAAA", [aaaa("::")]),
    "local": ("AAAA", [aaaa("fd00::1")]),
    "link-local": ("AAAA", [aaaa("fe80::1")]),
    "mapped": ("AAAA", [aaaa("::ffff:10.0.0.1")]),
    "nat64": ("AAAA", [aaaa("64:ff9b::192.168.1.1")]),
    "sixtofour": ("AAAA", [aaaa("2002:c0a8:101::1")]),
    "https4": ("HTTPS", [hints(HTTPS, (1, b"\2h2"), (4, PUBLIC4 + V4("192.168.1.1")))]),
    "https6": ("HTTPS", [hints(HTTPS, (6, V6("fd00::1")))]),
    "svcb": ("SVCB", [hints(SVCB, (4, V4("10.0.0.1")))]),
    "alias": ("A", [alias("ten." + ZONE), a("10.0.0.1", name_wire("ten." + ZONE))]),
    "alias-alone": ("A", [alias("router." + ZONE)]),
    "to-exempt": ("A", [alias("host.inside." + ZONE)]),
    "below.tree": ("A", [record(name_wire("tree." + ZONE), DNAME, name_wire("inside." + ZONE))]),
    "among-hints": ("HTTPS", [hints(HTTPS, (4, PUBLIC4)), hints(HTTPS, (1, b"\2h3"), (4, PUBLIC4), (6, V6("fe80::1")))]),
}
INSIDE = ("host", "below")  # of the zone that may have such addresses


def say(asked):
    label = asked.qname[:-len(ZONE) - 1]
    if label.endswith("inside"):
        return reply(asked, [a("10.0.0.9")] if asked.qtype == A and label.split(".")[0] in INSIDE else [])
    if label == "clean":
        return reply(asked, [a("203.0.113.1")])
    qtype, records = SHAPES.get(label, ("A", []))
    return reply(asked, records if asked.qtype == type_number(qtype) else [])


@contextlib.contextmanager
def setup(args, folder):
    with WideLab(os.path.join(folder, "lab")).standing() as lab, contextlib.ExitStack() as all_of:
        all_of.enter_context(Puppets(lab, (PUPPETS["attack"],), say))
        yield [all_of.enter_context(Resolver(args.build, os.path.join(folder, name), lab, workers=1,
                                             rebinding={"enabled": on, "exempt": ["inside." + ZONE]}).running())
               for name, on in (("on", True), ("off", False))]


@test("row 38: private addresses in A, AAAA, hints and behind aliases: none passes when on, all do when off")
def row_38(resolvers):
    on, off = resolvers
    check(len(SHAPES) >= 20, "too few shapes")
    for again in ("first", "cached"):
        for label, (qtype, _) in SHAPES.items():
            name = "%s.%s" % (label, ZONE)
            m = on.ask(name, qtype, over="tcp")
            equal((m.rcode, len(m.answer)), ("REFUSED", 0), "%s, %s" % (label, again))
            equal(m.ede[0][0], 15, "%s: EDE" % label)
            m = off.ask(name, qtype, over="tcp")
            check(m.rcode == "NOERROR" and m.answer, "%s passes when off" % label, m)


@test("rebinding: public addresses, and the zones that are exempt, are answered as ever")
def honest(resolvers):
    for r in resolvers:
        for name, address in (("clean", "203.0.113.1"), ("host.inside", "10.0.0.9")):
            m = r.ask("%s.%s" % (name, ZONE))
            equal((m.rcode, m.data("A")), ("NOERROR", [address]), name)


if __name__ == "__main__":
    harness.main(setup)
