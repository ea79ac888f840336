#!/usr/bin/env python3
"""DNSSEC as clients see it: AD, CD, DO and errors; what a validator behind us can do with our answers; and what policy
does to signed names."""
import contextlib
import os

from signed_lab import COMMON, PUPPET, SignedLab  # first: it may hand over to another python3
from signer import Key, Zone

import harness
import puppet
import unbound
from authority import Authority
from dnsmsg import AD, CD, Message, query, udp
from harness import SINK4, Resolver, Skip, check, equal, test
from lab import find, wait_for

ZONES = ("nsec", "nsec3", "optout", "expired", "notyet", "broken", "nosig", "nosigs", "nonsec", "nokeys", "otherkey", "nozonebit",
         "unsigned", "nods", "badds", "algunknown", "kid.nsec", "bare.nsec", "kid3.nsec3", "kido.optout", "bareo.optout", "alg8", "bridge")
DOWNSTREAM = 140  # host of the validator behind us


class World:
    """The resolver, and zones at PUPPET that count what they are asked."""

    def __init__(self, r, lab, server):
        self.r, self.lab, self.server = r, lab, server
        self.asked, self.before = [], None

    def say(self, asked):
        self.asked.append(asked)
        if self.before:
            out = self.before(asked)
            if out:
                return out
        return self.server.say(asked)

    def packets(self, name):
        return [a for a in self.asked if a.qname == name or a.qname.endswith("." + name)]

    def fresh(self, **conf):
        self.r.stop()
        self.r.configure(**conf)
        self.r.start()


@contextlib.contextmanager
def setup(args, folder):
    lab = SignedLab(os.path.join(folder, "lab"), labels=ZONES)
    zones = []
    for label in ("p1", "p2", "p3", "p4", "p5"):
        text = COMMON.format(net=lab.net, other="nsec.example.").replace("%s.21" % lab.net, "%s.%d" % (lab.net, PUPPET))
        zones.append(Zone(label + ".example", text, Key(13)).sign())
        zones[-1].parent_ds = zones[-1].ds()
    lab.puppets = zones
    with lab.standing():
        r = Resolver(args.build, os.path.join(folder, "resolver"), lab)
        world = World(r, lab, Authority(zones))
        with puppet.Puppets(lab, (PUPPET,), world.say), r.running():
            yield world


def rrsigs(m):
    return [x for s in m.sections for x in s if x.type == 46]


@test("AD for who asks with DO or AD, when all is secure; without either, never")
def ad(w):
    for name, qtype, rcode, secure in (
            ("www.nsec.example", "A", "NOERROR", True), ("www.nsec.example", "MX", "NOERROR", True), ("nope.nsec.example", "A", "NXDOMAIN", True),
            ("x.wild.nsec3.example", "A", "NOERROR", True), ("x.wild.nsec3.example", "MX", "NOERROR", True), ("nope.nsec3.example", "A", "NXDOMAIN", True),
            ("nope.optout.example", "A", "NXDOMAIN", False), ("www.optout.example", "A", "NOERROR", True),
            ("www.unsigned.example", "A", "NOERROR", False), ("www.nods.example", "A", "NOERROR", False), ("www.bare.nsec.example", "A", "NOERROR", False),
            ("to-nsec.bridge.example", "A", "NOERROR", True), ("to-unsigned.bridge.example", "A", "NOERROR", False),
            ("www.d-nsec3.bridge.example", "A", "NOERROR", True), ("www.d-nods.bridge.example", "A", "NOERROR", False)):
        for do in (False, True):
            for ad_ in (False, True):
                for again in (1, 2):
                    m = w.r.ask(name, qtype, do=do, ad=ad_)
                    what = "%s %s do %d ad %d, time %d" % (name, qtype, do, ad_, again)
                    equal((m.rcode, m.flag(AD)), (rcode, secure and (do or ad_)), what)
                    equal(m.do, do, "DO of " + what)
                    if not do:
                        equal(len(rrsigs(m)), 0, "signatures without DO: " + what)
                    elif secure:
                        check(rrsigs(m), "no signatures with DO: " + what, m)


@test("bogus: SERVFAIL with an EDE that says what failed; with CD the answer as it came, without AD")
def bogus(w):
    for name, ede, word in (("www.expired.example", 7, "expired"), ("www.notyet.example", 8, "not yet"), ("www.broken.example", 6, "www.broken.example A"),
                            ("www.nosig.example", 10, "www.nosig.example A"), ("www.nosigs.example", 10, "nosigs.example"),
                            ("nope.nonsec.example", 12, "nope.nonsec.example"), ("www.nokeys.example", 10, "nokeys.example"),  # NSD takes it for unsigned
                            ("www.otherkey.example", 9, ": otherkey.example DNSKEY"), ("www.nozonebit.example", 11, ": nozonebit.example DNSKEY"),
                            ("www.badds.example", 9, ": badds.example DNSKEY"), ("to-badds.bridge.example", 9, ": badds.example DNSKEY"),
                            ("www.d-broken.bridge.example", 6, "www.broken.example A")):
        for order in ((False, True, False), (True, False, True, False)):
            w.r.must("sinkholectl", "flush")
            for cd in order:
                m = w.r.ask(name, do=True, cd=cd)
                what = "%s cd %d in %s" % (name, cd, order)
                check(not m.flag(AD), "AD: " + what)
                equal(m.flag(CD), cd, "CD: " + what)
                if cd:
                    equal(m.rcode, "NXDOMAIN" if name.startswith("nope") else "NOERROR", what)
                    check(m.answer or name.startswith("nope"), "no answer: " + what, m)
                else:
                    equal((m.rcode, len(m.answer)), ("SERVFAIL", 0), what)
                    equal([c for c, _ in m.ede], [ede], "EDE of " + what)
                    check(word in m.ede[0][1], "EDE's text of %s:" % what, m.ede)


@test("a validator behind us can check our answers, from an empty and from a full cache")
def downstream(w):
    if not find("unbound"):
        raise Skip("unbound is not installed (make deps)")
    r, folder = w.r, os.path.join(w.r.folder, "downstream")
    os.makedirs(folder, exist_ok=True)
    names = [("%s.%s.example" % (n, z), t) for z in ("nsec", "nsec3", "optout", "kid.nsec", "kid3.nsec3", "kido.optout", "bareo.optout", "unsigned", "alg8")
             for n, t in (("www", "A"), ("www", "MX"), ("nope", "A"), ("x.y.nope", "A"), ("x.wild", "A"), ("x.wild", "MX"), ("y.calias", "A"), ("b.ent", "A"),
                          ("alias", "AAAA"), ("out", "A"), ("www.dn", "A"), ("nope.dn", "A"), ("www", "DS"), ("here.wild", "A"), ("x.here.wild", "A"))]
    names += [(z + ".example", t) for z in ("nsec", "bare.nsec", "bareo.optout", "unsigned", "nods", "badds", "algunknown") for t in ("DS", "DNSKEY", "SOA", "NS", "A")]
    r.must("sinkholectl", "flush")
    for what in ("empty", "full"):
        with validator(w, folder) as server:
            wrong = []
            for name, qtype in names:
                m = udp(server, query(name, qtype, do=True, edns=4096), 8)
                m = m and Message(m)
                mine = r.ask(name, qtype, over="tcp", do=True)
                a, b = [(x.rcode, x.flag(AD)) if x else None for x in (m, mine)]
                if a != b:
                    wrong.append("%s %s: unbound behind us %s, we %s" % (name, qtype, a, b))
            check(not wrong, "%s cache: %d differ, %s" % (what, len(wrong), "; ".join(wrong[:8])))
    return "%d questions" % (2 * len(names))


def validator(w, folder):
    return unbound.running(w.lab.host(DOWNSTREAM), w.r.port, folder,
                           ["do-ip6: no", 'module-config: "validator iterator"',
                            'trust-anchor-file: "%s"' % w.lab.path("root.key"), "aggressive-nsec: no",
                            "trust-anchor-signaling: no"],
                           unbound.NO_CONTROL + 'forward-zone:\n\tname: "."\n\tforward-addr: %s@%d\n' % (w.r.address, w.r.port))


@test("a policy answer has neither AD nor signatures, also for who asks with DO, AD and CD")
def policy(w):
    r = w.r
    r.ask("www.nsec3.example", do=True)
    r.add("www.nsec3.example")
    for flags in (dict(do=True), dict(ad=True), dict(do=True, cd=True), dict(do=True, ad=True)):
        m = r.ask("www.nsec3.example", **flags)
        equal(m.data("A"), [SINK4], "answer")
        check(not m.flag(AD) and not rrsigs(m), "a sinkhole answer as if signed:", m)
        m = r.ask("alias.nsec3.example", **flags)
        equal(m.data("A"), [SINK4], "behind an alias")
        check(not m.flag(AD) and not rrsigs(m), "a sinkhole answer as if signed:", m)
    r.remove("www.nsec3.example")
    m = r.ask("www.nsec3.example", do=True)
    equal((m.data("A"), m.flag(AD)), (["192.0.2.11"], True), "after the rule has gone")


@test("policy never hides bogus: with a listed address in a bogus answer SERVFAIL stays; with CD it is the sinkhole's")
def policy_and_bogus(w):
    r = w.r
    r.add("192.0.2.11")
    try:
        for name in ("www.broken.example", "www.expired.example", "to-badds.bridge.example"):
            for order in ((False, True, False), (True, False, True)):
                r.must("sinkholectl", "flush")
                for cd in order:
                    m = r.ask(name, do=True, cd=cd)
                    if cd:
                        check(SINK4 in m.data("A") and "192.0.2.11" not in m.data("A") and not m.flag(AD), "%s with CD" % name, m)
                    else:
                        check(m.rcode == "SERVFAIL" and not m.answer and m.ede and m.ede[0][0] in (6, 7, 9), "%s without CD" % name, m)
        equal(r.ask("www.nsec.example", do=True).data("A"), [SINK4], "a secure answer with the address")
    finally:
        r.remove("192.0.2.11")


@test("what validation fetches obeys the list: a subtree rule on a zone of the chain stops it, an exact one does not")
def no_contact(w):
    r = w.r
    r.add("p1.example", "--exact")
    m = r.ask("www.p1.example", do=True)
    check(m.flag(AD) and m.data("A") == ["192.0.2.11"], "below an exact rule", m)
    check([a for a in w.packets("p1.example") if a.qtype == 48], "its keys were not asked for")
    equal(r.ask("p1.example", "DNSKEY", do=True).flag(AD), False, "the name itself")
    # A passthru frees its own question whole, keys of the listed zone too, and no other.
    r.add("p2.example")
    r.import_text("www.p2.example\n", "free", "--action", "passthru", "--format", "domains", "--precedence", "1")
    for asked in (0, 1):
        equal(bool(w.packets("p2.example")), bool(asked), "packets for a listed zone")
        before = len(w.packets("p2.example"))
        for name, qtype in (("mail.p2.example", "A"), ("p2.example", "DNSKEY"), ("p2.example", "DS"), ("p2.example", "A")):
            m = r.ask(name, qtype, do=True)
            check(not m.flag(AD) and m.data("A") == [SINK4] * (qtype == "A"), "%s %s beside a passthru" % (name, qtype), m)
        equal(len(w.packets("p2.example")), before, "packets for names beside a passthru")
        m = r.ask("www.p2.example", do=True)
        check(m.data("A") == ["192.0.2.11"] and m.flag(AD), "a name freed by passthru", m)
        check([a for a in w.packets("p2.example") if a.qtype == 48], "its keys were not asked for")
    # A server of the zone is listed once its data is cached: its keys may not be asked for.
    m = r.ask("www.p3.example", cd=True)
    check(m.data("A") == ["192.0.2.11"], "cached", m)
    r.must("sinkholectl", "flush", "p3.example")
    before = len(w.packets("p3.example"))
    r.add("p3.example")
    m = r.ask("www.p3.example", do=True)
    equal((m.data("A"), m.flag(AD)), ([SINK4], False), "below a subtree rule")
    equal(len(w.packets("p3.example")), before, "packets for a listed name")


@test("SECURITY row 25: a forged FORMERR does not take the signatures away")
def downgrade(w):
    def forger(zone, times):
        left = [times]

        def before(asked):
            if asked.qname.endswith(zone) and left[0] and asked.over == "udp":
                left[0] -= 1
                return [puppet.reply(asked, rcode=1, aa=False), w.server.say(asked)]
            return None
        return before
    w.before = forger("p4.example", 1)
    m = w.r.ask("www.p4.example", do=True)
    check(m.flag(AD) and m.data("A") == ["192.0.2.11"], "after one forged FORMERR", m)
    w.before = forger("p5.example", 1000)
    m = w.r.ask("www.p5.example", do=True)
    check(m is None or m.rcode == "SERVFAIL" or m.flag(AD), "after many: not without its signatures", m)
    w.before = None


@test("a negative trust anchor makes its zone and all below it insecure, and ends")
def negative(w):
    r = w.r
    equal(r.ask("www.badds.example", do=True).rcode, "SERVFAIL", "before")
    r.must("sinkholectl", "nta", "add", "badds.example", "--reason", "test")
    check(wait_for(lambda: r.ask("www.badds.example", do=True).rcode == "NOERROR", 3), "not believed in time", r.ask("www.badds.example", do=True))
    check(not r.ask("www.badds.example", do=True).flag(AD), "AD for what is not validated")
    check(r.ask("www.nsec.example", do=True).flag(AD), "another zone")
    r.must("sinkholectl", "nta", "remove", "badds.example")
    check(wait_for(lambda: r.ask("www.badds.example", do=True).rcode == "SERVFAIL", 3), "still not validated", r.ask("www.badds.example", do=True))


@test("no validation with trust_anchor \"\": no AD, no SERVFAIL for bogus; signatures for who wants them")
def off(w):
    w.fresh(recursion={"trust_anchor": ""})
    for name in ("www.nsec.example", "www.expired.example", "www.badds.example", "www.broken.example"):
        m = w.r.ask(name, do=True)
        check(m.rcode == "NOERROR" and m.data("A") == ["192.0.2.11"] and not m.flag(AD), name, m)
        check(rrsigs(m), "no signatures for DO: " + name, m)
    w.fresh(recursion={"trust_anchor": w.lab.path("root.key")})


if __name__ == "__main__":
    harness.main(setup)
