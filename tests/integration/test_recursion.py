#!/usr/bin/env python3
"""Recursion against the lab: what each question must be answered with."""
import contextlib
import math
import socket
import time

import harness
from dnsmsg import AA, AD, RA, RD, TC, Message, query
from harness import check, equal, in_time, test

# qname, qtype -> rcode, answer section as a set ("" = empty). Owners in lower case.
TABLE = """
www.alpha.example A NOERROR www.alpha.example A 192.0.2.11
www.alpha.example AAAA NOERROR www.alpha.example AAAA 2001:db8::11
www.alpha.example TXT NOERROR www.alpha.example TXT an ordinary name
www.alpha.example MX NOERROR
v4only.alpha.example ANY NOERROR v4only.alpha.example A 192.0.2.17
nothing.alpha.example ANY NXDOMAIN
alpha.example A NOERROR alpha.example A 192.0.2.10
alpha.example MX NOERROR alpha.example MX 10 mail.alpha.example; alpha.example MX 20 mail.beta.example
multi.alpha.example A NOERROR multi.alpha.example A 192.0.2.13; multi.alpha.example A 192.0.2.14; multi.alpha.example A 192.0.2.15
v4only.alpha.example AAAA NOERROR
nothing.alpha.example A NXDOMAIN
a.b.c.nothing.alpha.example TXT NXDOMAIN
deep.er.names.alpha.example A NOERROR deep.er.names.alpha.example A 192.0.2.18
er.names.alpha.example A NOERROR
names.alpha.example A NOERROR
any.thing.wild.alpha.example A NOERROR any.thing.wild.alpha.example A 192.0.2.19
one.wild.alpha.example TXT NOERROR one.wild.alpha.example TXT made from a wildcard
one.wild.alpha.example AAAA NOERROR
wild.alpha.example A NOERROR
x.wildalias.alpha.example A NOERROR x.wildalias.alpha.example CNAME www.beta.example; www.beta.example A 192.0.2.21
alias.alpha.example A NOERROR alias.alpha.example CNAME www.alpha.example; www.alpha.example A 192.0.2.11
alias.alpha.example CNAME NOERROR alias.alpha.example CNAME www.alpha.example
alias.alpha.example MX NOERROR alias.alpha.example CNAME www.alpha.example
chain.alpha.example A NOERROR chain.alpha.example CNAME chain.beta.example; chain.beta.example CNAME www.gamma.example; www.gamma.example A 192.0.2.31
chain.alpha.example AAAA NOERROR chain.alpha.example CNAME chain.beta.example; chain.beta.example CNAME www.gamma.example; www.gamma.example AAAA 2001:db8::31
dangling.alpha.example A NOERROR dangling.alpha.example CNAME nowhere.beta.example
_sip._udp.alpha.example SRV NOERROR _sip._udp.alpha.example SRV 1 2 5060 www.alpha.example
www.beta.example A NOERROR www.beta.example A 192.0.2.21
other.beta.example A NOERROR
other.beta.example TXT NOERROR other.beta.example TXT beta has a wildcard at its top
www.gamma.example A NOERROR www.gamma.example A 192.0.2.31
nothing.gamma.example A NXDOMAIN
www.delta.example A NOERROR www.delta.example A 192.0.2.41
www.half.example A NOERROR www.half.example A 192.0.2.51
nothing.example A NXDOMAIN
example SOA NOERROR example SOA a.nic.example lab.example 1 3600 600 86400 300
nothing A NXDOMAIN
ns1.alpha.example A NOERROR ns1.alpha.example A @NET@.21
www.canary.example A NOERROR www.canary.example A 203.0.113.99
www.lame.example A SERVFAIL
www.nobody.example A SERVFAIL
www.loop1.example A SERVFAIL
"""


def rows(net):
    for line in TABLE.replace("@NET@", net).strip().splitlines():
        qname, qtype, rcode, *rest = line.split(" ")
        text = " ".join(rest)
        yield qname, qtype, rcode, {x.strip() for x in text.split(";") if x.strip()}


@contextlib.contextmanager
def setup(args, folder):
    with harness.lab_and_resolver(args, folder) as r:
        yield r


def ask_table(r, **how):
    wrong = []
    for qname, qtype, rcode, answer in rows(r.lab.net):
        m = r.ask(qname, qtype, **how)
        if m is None:
            wrong.append("%s %s: no answer" % (qname, qtype))
        elif m.rcode != rcode or m.records() != answer:
            wrong.append("%s %s: have %s %s, want %s %s" % (qname, qtype, m.rcode, m.records(), rcode, answer))
        elif m.flag(AA) or not m.flag(RA) or not m.flag(RD) or m.flag(AD):
            wrong.append("%s %s: flags %04x" % (qname, qtype, m.flags))
    check(not wrong, "; ".join(wrong))


@test("every row of the table, first time")
def fresh(r):
    ask_table(r)


@test("every row of the table, from the cache, over TCP")
def cached(r):
    ask_table(r, over="tcp")


@test("every row of the table with DO and CD")
def with_do(r):
    ask_table(r, do=True, cd=True)


@test("every row of the table without EDNS, over IPv6")
def plain(r):
    ask_table(r, edns=None, six=True)


@test("negative answers carry the zone's SOA with the TTL of RFC 2308")
def negative(r):
    for name, qtype, owner, most in (("neg1.alpha.example", "A", "alpha.example", 120),
                                     ("www.gamma.example", "TXT", "gamma.example", 60),
                                     ("dangling.alpha.example", "TXT", "", 0)):
        m = r.ask(name, qtype)
        if not owner:
            check(m.rcode == "NOERROR", "beta's wildcard has TXT", m)
            continue
        soa = [x for x in m.authority if x.type == 6]
        check(len(soa) == 1 and soa[0].name == owner, "SOA of " + owner, m)
        check(0 < soa[0].ttl <= most, "TTL of the SOA", soa[0].ttl)


@test("ANY: one RRset over UDP (RFC 8482 4.1), as much as the zone's server gives over TCP")
def any_type(r):
    for over, most in (("udp", 1), ("tcp", 3), ("udp", 1), ("tcp", 3)):
        m = r.ask("www.alpha.example", "ANY", over=over)
        types = {x.type for x in m.answer}
        check(m.rcode == "NOERROR" and types and types <= {1, 28, 16} and len(types) <= most, over, m)


@test("the case of the question comes back, and both cases are one name")
def case(r):
    m = r.ask("WwW.aLpHa.ExAmPlE")
    equal(m.question[0][0], "WwW.aLpHa.ExAmPlE", "question")
    equal(m.data("A"), ["192.0.2.11"], "answer")
    equal(m.answer[0].name, "WwW.aLpHa.ExAmPlE", "owner")


@test("TTLs count down in the cache, and what has run out is asked again")
def ttl(r):
    start = time.monotonic()
    first = r.ask("short.alpha.example").answer[0].ttl
    time.sleep(2.1)
    second = r.ask("short.alpha.example").answer[0].ttl
    check(first == 5 and 5 - math.ceil(time.monotonic() - start) <= second <= 3, "TTL", first, second)
    time.sleep(3.5)
    check(r.ask("short.alpha.example").answer[0].ttl == 5, "TTL after it ran out")


@test("an answer over 1232 bytes: TC over UDP, whole over TCP, fetched over TCP")
def large(r):
    m = r.ask("big.alpha.example", "TXT", edns=4096)
    check(m.flag(TC) and not m.answer and len(m.wire) <= 1232, "truncated", m)
    m = r.ask("big.alpha.example", "TXT", over="tcp")
    check(not m.flag(TC) and len(m.data("TXT")) == 1 and len(m.wire) > 2900, "whole over TCP", len(m.wire))
    m = r.ask("medium.alpha.example", "TXT", edns=4096)
    check(m.flag(TC), "1,400 bytes do not go over UDP", m)
    m = r.ask("small.alpha.example", "TXT", edns=None)
    check(m.flag(TC) and len(m.wire) <= 512 and m.opt is None, "without EDNS 512 bytes", m)
    m = r.ask("small.alpha.example", "TXT", edns=800)
    check(not m.flag(TC) and len(m.wire) <= 800, "small fits into 800", m)
    m = r.ask("small.alpha.example", "TXT", edns=600)
    check(m.flag(TC) and len(m.wire) <= 600, "small does not fit into 600", m)


@test("servers that are dead, silent or lame are got around, quickly on the second time")
def around(r):
    for i in range(12):
        name = "a%d.wild.alpha.example" % i
        m = r.ask(name, timeout=6)
        check(m and m.data("A") == ["192.0.2.19"], name, m)
    start = time.monotonic()
    for i in range(12, 24):
        check(r.ask("a%d.wild.alpha.example" % i), "no answer")
    in_time(time.monotonic() - start < 6, "twelve names took", time.monotonic() - start)


@test("SERVFAIL says why in its EDE")
def servfail_ede(r):
    for name in ("x.nobody.example", "x.lame.example", "x.loop1.example"):
        m = r.ask(name)
        check(m is not None, name + ": no answer")
        equal(m.rcode, "SERVFAIL", name)
        check(m.ede, name + ": no EDE", m)
    m = r.ask("x.nobody.example", edns=None)
    check(m.opt is None, "OPT without being asked for", m)


@test("a zone with only a silent server: SERVFAIL over TCP within the time limit, nothing late over UDP")
def mute(r):
    start = time.monotonic()
    m = r.ask("www.mute.example", over="tcp", timeout=12)
    check(m is not None and m.rcode == "SERVFAIL", "TCP", m)
    in_time(time.monotonic() - start < 8, "took", time.monotonic() - start)
    for i in range(3):
        start = time.monotonic()
        m = r.ask("late%d-%d.mute.example" % (i, time.time_ns()), timeout=7)  # answers.max_wait is 1.9 s
        in_time(m is None or time.monotonic() - start < 2.1, "a late answer over UDP after", time.monotonic() - start, m)


@test("CNAME loops end")
def loops(r):
    for name in ("selfloop.alpha.example", "ping.alpha.example"):
        m = r.ask(name)
        check(m is not None and m.rcode in ("SERVFAIL", "NOERROR") and not m.data("A"), name, m)


@test("the same question from many at once goes out once")
def joined(r):
    socks = []
    for i in range(40):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(5)
        s.connect(r.server())
        socks.append(s)
    wires = [query("joined.slow.example", cd=bool(i & 1)) for i in range(40)]
    for s, w in zip(socks, wires):
        s.send(w)
    for s, w in zip(socks, wires):
        m = Message(s.recv(4096))
        check(m.id == int.from_bytes(w[:2], "big") and m.data("A") == [harness.STOLEN], "answer", m)
        s.close()
    asked = [p for p in r.lab.packets(208) if p[2] == "joined.slow.example"]
    # Two workers, and each asks again once or twice before the answer comes after a second.
    check(len(asked) <= 6, "slow.example's server was asked %d times for 40 questions" % len(asked))




@test("minimal answers: nothing in additional but OPT")
def minimal(r):
    m = r.ask("www.alpha.example")
    check(not m.additional and not m.authority, "sections", m)


@test("RD=0: nobody is asked; what is cached is told")
def no_recursion(r):
    before = len(r.lab.packets(210))
    m = r.ask("rd0.canary.example", rd=False)
    check(m is not None and m.rcode == "REFUSED" and not m.answer, "unknown name with RD=0", m)
    equal(len(r.lab.packets(210)), before, "packets to canary's server")
    r.ask("rd0.canary.example")
    before = len(r.lab.packets(210))
    m = r.ask("rd0.canary.example", rd=False)
    check(m.rcode == "NOERROR" and m.answer, "cached name with RD=0", m)
    equal(len(r.lab.packets(210)), before, "packets to canary's server")


@test("local zones are answered here")
def local(r):
    for name, qtype, rcode, data in (("localhost", "A", "NOERROR", ["127.0.0.1"]), ("localhost", "AAAA", "NOERROR", ["::1"]),
                                     ("x.invalid", "A", "NXDOMAIN", []), ("1.0.168.192.in-addr.arpa", "PTR", "NXDOMAIN", []),
                                     ("x.onion", "A", "NXDOMAIN", [])):
        m = r.ask(name, qtype)
        check(m and m.rcode == rcode and m.data(qtype) == data, "%s %s" % (name, qtype), m)


@test("what is not asked about is not believed: referral to listed servers with glue is not followed")
def referral_glue(r):
    m = r.ask("x.sub.canary.example")
    check(m is not None and not m.data("A") or m.data("A") == [harness.SINK4], "answer", m)
    check(not r.lab.packets(201), "packets to the listed server", r.lab.packets(201))


if __name__ == "__main__":
    harness.main(setup)
