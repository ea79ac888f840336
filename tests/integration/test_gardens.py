#!/usr/bin/env python3
"""Walled gardens and groups of clients as an attacker, a careless list and a busy operator meet them: loops, dead ends,
rules that change under a cached answer, clients that change groups, and verdicts that must not leak between them."""
import contextlib
import time

import harness
from dnsmsg import AA, AD
from harness import SINK4, check, equal, in_time, test
from lab import OPTED_OUT

WWW, MAIL, BETA = "192.0.2.11", "192.0.2.12", "192.0.2.21"


@contextlib.contextmanager
def setup(args, folder):
    with harness.lab_and_resolver(args, folder) as r:
        yield r


@contextlib.contextmanager
def garden(r, name, target, *more):
    r.add(name, "--action", "cname=" + target, *more)
    yield
    r.remove(name, *more)


def chain(m):
    return [(x.name, x.data) for x in m.answer if x.type == 5]


def walled(r, name, target, want, **how):
    m = r.ask(name, **how)
    check(m is not None, name + ": no answer")
    equal((m.rcode, chain(m), m.data("A")), ("NOERROR", [(name, target)], want), name)
    check(not m.flag(AA) and not m.flag(AD), "flags of a garden's answer", m)
    check(not [x for x in m.answer + m.authority if x.type == 46], "signatures over what policy made", m)
    check(chain(m) and m.answer[0].ttl <= 30, "TTL of the alias", m)
    return m


@test("a garden's answer over UDP and TCP, with DO, CD and RD=0; each is a hit")
def shapes(r):
    with garden(r, "trap.beta.example", "www.alpha.example"):
        for over in ("udp", "tcp"):
            for flags in ({}, {"do": True}, {"cd": True}, {"do": True, "cd": True, "ad": True}):
                walled(r, "trap.beta.example", "www.alpha.example", [WWW], over=over, **flags)
        m = r.ask("trap.beta.example", rd=False)
        check(m.rcode == "NOERROR" and chain(m) == [("trap.beta.example", "www.alpha.example")], "RD=0", m)
        m = r.ask("trap.beta.example", "MX")
        equal((m.rcode, chain(m), len(m.answer)), ("NOERROR", [("trap.beta.example", "www.alpha.example")], 1), "a type it has not")
        check([x for x in m.authority if x.type == 6], "a denial without SOA", m)
        m = r.ask("trap.beta.example", "CNAME")
        equal([x.data for x in m.answer], ["www.alpha.example"], "the alias itself")
        hits = r.wait_hits(lambda h: sum(x["count"] for x in h if x["qname"] == "trap.beta.example") >= 11)
        equal(sum(x["count"] for x in hits if x["qname"] == "trap.beta.example"), 11, "hits")
        equal({x["action"] for x in hits if x["qname"] == "trap.beta.example"}, {"cname"}, "action")
    check(SINK4 not in r.ask("www.alpha.example").data("A"), "a garden's own name is no hit")


@test("another garden, no garden, no rule: each acts on the next question, though the answer before was cached")
def changes(r):
    for _ in range(3):
        with garden(r, "www.beta.example", "www.alpha.example"):
            walled(r, "www.beta.example", "www.alpha.example", [WWW])
            walled(r, "www.beta.example", "www.alpha.example", [WWW])
        with garden(r, "www.beta.example", "mail.alpha.example"):
            walled(r, "www.beta.example", "mail.alpha.example", [MAIL])
        m = r.ask("www.beta.example")
        equal((chain(m), m.data("A"), m.ede), ([], [BETA], []), "without a rule")


@test("loops, dead ends and gardens that are listed come to an end at once")
def loops(r):
    with garden(r, "one.loop.example", "two.loop.example"), garden(r, "two.loop.example", "one.loop.example"):
        start = time.monotonic()
        for name in ("one.loop.example", "two.loop.example"):
            m = r.ask(name)
            check(m is not None and m.rcode in ("NXDOMAIN", "SERVFAIL") and len(chain(m)) == 1, name, m)
        in_time(time.monotonic() - start < 5, "a loop takes time", time.monotonic() - start)
    with garden(r, "self.alpha.example", "*.self.alpha.example"):
        m = r.ask("self.alpha.example")
        check(m is not None and len(chain(m)) == 1, "within itself", m)
    with garden(r, "to.alpha.example", "selfloop.alpha.example"), garden(r, "ball.alpha.example", "ping.alpha.example"):
        for name in ("to.alpha.example", "ball.alpha.example"):
            m = r.ask(name)
            check(m is not None and m.rcode in ("NOERROR", "SERVFAIL") and not m.data("A"), name, m)
    with garden(r, "gone.alpha.example", "no-such-name.alpha.example"):
        m = r.ask("gone.alpha.example")
        equal((m.rcode, chain(m)), ("NXDOMAIN", [("gone.alpha.example", "no-such-name.alpha.example")]), "a garden that is not there")
    with garden(r, "local.alpha.example", "localhost"):
        m = r.ask("local.alpha.example")
        equal((m.rcode, m.data("A")), ("NOERROR", ["127.0.0.1"]), "localhost is answered here")


@test("two groups, two gardens, one name: each client gets its own, cached or not, over UDP and TCP, and after a change")
def classes(r):
    one, two = r.lab.host(OPTED_OUT), r.lab.host(OPTED_OUT + 1)
    block = lambda *args: r.must("sinkhole-blocklist", *args)
    r.add("www.beta.example", "--list", "green", "--action", "cname=www.alpha.example")
    r.add("www.beta.example", "--list", "red", "--action", "cname=mail.alpha.example")
    block("group", "set", "greens", "--lists", "green")
    block("group", "set", "reds", "--lists", "red")
    block("client", "add", one + "/32", "--group", "greens")
    block("client", "add", two + "/32", "--group", "reds")
    for over in ("udp", "tcp", "udp"):
        walled(r, "www.beta.example", "www.alpha.example", [WWW], client=one, over=over)
        walled(r, "www.beta.example", "mail.alpha.example", [MAIL], client=two, over=over)
    # They change places: the groups' lists, then the clients.
    block("group", "set", "greens", "--lists", "red")
    walled(r, "www.beta.example", "mail.alpha.example", [MAIL], client=one)
    block("group", "set", "reds", "--lists", "green")
    walled(r, "www.beta.example", "www.alpha.example", [WWW], client=two)
    block("client", "add", one + "/32", "--group", "reds")
    walled(r, "www.beta.example", "www.alpha.example", [WWW], client=one)
    # A clean name is cached for each class; a rule for one of them alone is not seen by the other.
    for client in (one, two):
        equal(r.ask("www.gamma.example", client=client).data("A"), ["192.0.2.31"], "a clean name")
    block("client", "add", two + "/32", "--group", "greens")
    r.add("www.gamma.example", "--list", "red")
    equal(r.ask("www.gamma.example", client=two).data("A"), [SINK4], "whose list it is on")
    equal(r.ask("www.gamma.example", client=one).data("A"), ["192.0.2.31"], "whose it is not")
    # An opt-out wins over the longer prefix of a group, and takes nothing else with it.
    net = ".".join(one.split(".")[:3])
    block("client", "add", net + ".0/24", "--opt-out", "--reason", "test")
    m = r.ask("www.beta.example", client=one)
    equal((chain(m), m.data("A")), ([], [BETA]), "an opt-out by a shorter prefix")
    equal(r.ask("www.gamma.example", client=two).data("A"), ["192.0.2.31"], "and of its neighbour")
    block("client", "remove", net + ".0/24")
    walled(r, "www.beta.example", "www.alpha.example", [WWW], client=one)
    equal(r.ask("www.gamma.example", client=two).data("A"), [SINK4], "opted in again")
    # A group that goes, and another that takes its number.
    block("client", "remove", one + "/32")
    block("client", "remove", two + "/32")
    block("group", "remove", "reds")
    block("group", "set", "blues", "--except", "green,red")
    block("client", "add", one + "/32", "--group", "blues")
    equal(r.ask("www.beta.example", client=one).data("A"), [BETA], "the new group's lists")
    block("client", "remove", one + "/32")
    r.remove("www.beta.example", "--list", "green")
    r.remove("www.beta.example", "--list", "red")
    r.remove("www.gamma.example", "--list", "red")


if __name__ == "__main__":
    harness.main(setup)
