#!/usr/bin/env python3
"""P1, no contact: every way in which a packet could reach listed infrastructure, one case each. The
attackers' servers count every packet; where a raw socket may be opened, no question for a listed name may go to anybody."""
import contextlib
import os
import threading
import time

import harness
from dnsmsg import query, udp
from harness import SINK4, STOLEN, Resolver, check, equal, test
from lab import OPTED_OUT, wait_for

LISTED = ("c2.example", "crimehost.example", "evil6.example")


@contextlib.contextmanager
def setup(args, folder):
    def prepare(r):
        r.add(r.lab.host(205) + "/32")
    with harness.lab_and_resolver(args, folder, prepare) as r:
        r.args, r.top = args, folder
        yield r


def within(name, zone):
    return name == zone or name.endswith("." + zone)


@contextlib.contextmanager
def quiet(r, listed=LISTED):
    """No packet to an attacker inside, and no question for a listed name to anybody."""
    time.sleep(0.1)  # the capture writes a moment after the packet
    before, wire = len(r.lab.attacker_packets()), len(r.lab.wire() or [])
    yield
    time.sleep(0.1)
    new = r.lab.attacker_packets()[before:]
    check(not new, "%d packets reached an attacker:" % len(new), new[:5])
    asked = [w for w in (r.lab.wire() or [])[wire:] if any(within(w[3], z) for z in listed)]
    check(not asked, "questions for listed names left:", asked[:5])


def sunk(r, name, qtype="A", **how):
    m = r.ask(name, qtype, **how)
    check(m is not None, "%s %s: no answer" % (name, qtype))
    check(m.rcode == "NOERROR" and STOLEN not in m.data("A"), "%s %s" % (name, qtype), m)
    if qtype == "A":
        check(m.data("A") == [SINK4], "%s: no sinkhole answer" % name, m)
    return m


@test("the counters count: an attacker that nobody listed is contacted")
def canary(r):
    equal(r.ask("www.canary.example").data("A"), [STOLEN], "answer")
    check(len(r.lab.packets(210)) > 0, "no packet was counted")


@test("a leak would succeed: without the rule the same names are contacted")
def would_succeed(r):
    before = len(r.lab.attacker_packets())
    for zone, name in (("c2.example", "plain.c2.example"), ("crimehost.example", "plain.hosted.example"),
                       (r.lab.host(205) + "/32", "plain.byaddr.example"), (r.lab.host(205) + "/32", "plain.looked-up.example"),
                       (r.lab.host(205) + "/32", "plain.own-child.alpha.example"), ("c2.example", "plain.child.alpha.example"),
                       ("evil6.example", "plain.evil6.example"), ("crimehost.example", "plain.crossing.example")):
        more = () if "/" in zone else ("--list", "lab")
        r.remove(zone, *more)
        m = r.ask(name)
        r.add(zone, *more)
        check(m is not None and m.data("A") == [STOLEN], name, m)
        now = len(r.lab.attacker_packets())
        check(now > before, name + ": answered, but no packet was counted")
        before = now


@test("listed name, and names below it: all types, transports and flags")
def qname(r):
    with quiet(r):
        for i, qtype in enumerate(("A", "AAAA", "TXT", "MX", "NS", "SOA", "DS", "DNSKEY", "HTTPS", "ANY", "CNAME", 9999)):
            for name in ("c2.example", "q%d.c2.example" % i, "ns1.c2.example", "a.b.c%d.d.c2.example" % i, "C2.eXaMpLe"):
                for over, do, cd, rd in (("udp", 0, 0, 1), ("tcp", 0, 0, 1), ("udp", 1, 1, 1), ("udp", 1, 0, 0), ("tcp", 0, 1, 0)):
                    m = r.ask(name, qtype, over=over, do=bool(do), cd=bool(cd), rd=bool(rd), ad=True)
                    check(m is not None and STOLEN not in m.data("A"), "%s %s" % (name, qtype), m)


@test("CNAME target listed: fresh, from the cache, and at the end of a chain over zones")
def cname(r):
    with quiet(r):
        for name in ("to-c2.alpha.example", "to-c2-deep.alpha.example", "to-c2.beta.example"):
            for _ in range(2):
                m = sunk(r, name)
                check(any(x.type == 5 for x in m.answer), "the chain up to the listed name", m)
            sunk(r, name, over="tcp", do=True, cd=True)
            sunk(r, name, "AAAA")
            sunk(r, name, "TXT")


@test("CNAME target listed while the chain stands in the cache")
def cname_cached(r):
    equal(r.ask("chain.alpha.example").data("A"), ["192.0.2.31"], "before")
    r.add("www.gamma.example")
    wire = len(r.lab.wire() or [])
    for _ in range(2):
        sunk(r, "chain.alpha.example")
    equal([w for w in (r.lab.wire() or [])[wire:] if w[3] == "www.gamma.example"], [], "questions for it")
    r.remove("www.gamma.example")
    equal(r.ask("chain.alpha.example").data("A"), ["192.0.2.31"], "after")


@test("the listed target's address comes along in the answer of a clean server")
def in_answer(r):
    with quiet(r):
        for _ in range(2):
            sunk(r, "in-answer.canary.example")


@test("name server's name listed: its zones' clean names are not asked for there, nor is its address looked up")
def ns_name(r):
    with quiet(r):
        for i in range(5):
            sunk(r, "n%d.hosted.example" % i)
        sunk(r, "to-crimehost.alpha.example")
        m = r.ask("hosted.example", "NS")
        check(m is not None, "NS question: no answer")
        for i in range(3):
            sunk(r, "n%d.hosted.example" % i, over="tcp", do=True, cd=True)


@test("a child zone of a clean zone, delegated to a listed server name")
def child(r):
    with quiet(r):
        sunk(r, "www.child.alpha.example")


@test("one listed and one clean server: only the clean one is used, and the name resolves")
def partner(r):
    with quiet(r):
        for i in range(30):
            m = r.ask("p%d.partner.example" % i)
            check(m is not None and m.data("A") == ["192.0.2.62"], "partner", m)


@test("server address listed: as glue, found by look-up, below a clean zone, in IPv6 dress")
def ns_address(r):
    with quiet(r):
        for name in ("byaddr.example", "looked-up.example", "own-child.alpha.example", "mapped.example"):
            for i in range(3):
                m = r.ask("a%d.%s" % (i, name))
                check(m is not None and STOLEN not in m.data("A"), name, m)
                if name != "mapped.example":  # an IPv6 dress may also be no address at all
                    check(m.data("A") == [SINK4], name, m)


@test("a server over IPv6, listed by name and by address")
def ipv6(r):
    with quiet(r):
        sunk(r, "www.evil6.example")
    r.remove("evil6.example", "--list", "lab")
    r.add("::1/128", "--force")  # no list lists our own address
    try:
        with quiet(r, ()):
            sunk(r, "by-address.evil6.example")
    finally:
        r.remove("::1/128")
        r.add("evil6.example", "--list", "lab")


@test("a clean server name whose own path crosses listed servers")
def crossing(r):
    with quiet(r):
        for i in range(3):
            m = r.ask("c%d.crossing.example" % i)
            check(m is not None and STOLEN not in m.data("A"), "crossing", m)


@test("zone cached with its servers, then its name server's name or address is listed")
def listed_later(r):
    host = r.lab.host(207)
    for what in ("ns1.tcp.example", host + "/32"):
        m = r.ask("before%d.tcp.example" % len(what), timeout=8)
        equal(m and m.data("A"), [STOLEN], "before")
        r.add(what)
        try:
            with quiet(r, ()):
                for i in range(3):
                    sunk(r, "later%d.tcp.example" % i)
                    # What stands in the cache came from the listed server.
                    sunk(r, "before%d.tcp.example" % len(what))
        finally:
            r.remove(what)


def in_background(r, name, answers):
    t = threading.Thread(target=lambda: answers.append(r.ask(name, timeout=9, over="tcp")))
    t.start()
    return t


def times(r, host):
    rows = [x.split(" ") for x in open(r.lab.path("packets.log")).read().splitlines()]
    return [float(x[0]) for x in rows if x[1] == r.lab.host(host)]


@test("the answer truncated, the server listed meanwhile: no TCP connection follows")
def tcp_fallback(r):
    answers = []
    r.ask("warm.tcp.example")
    t = in_background(r, "fallback.tcp.example", answers)
    check(wait_for(lambda: ("fallback.tcp.example" in [p[2] for p in r.lab.packets(207)]), 5), "no question arrived")
    r.add(r.lab.host(207) + "/32")
    try:
        with quiet(r, ()):
            t.join(10)
            check(answers and answers[0] is not None and STOLEN not in answers[0].data("A"), "answer", answers)
    finally:
        r.remove(r.lab.host(207) + "/32")


@test("the question out, the name listed meanwhile: the late answer is neither served nor kept")
def in_flight_name(r):
    answers = []
    r.ask("warm.slow.example")
    t = in_background(r, "flight.slow.example", answers)
    check(wait_for(lambda: ("flight.slow.example" in [p[2] for p in r.lab.packets(208)]), 5), "no question arrived")
    r.add("flight.slow.example")
    with quiet(r, ()):
        t.join(10)
        check(answers and answers[0] is not None and STOLEN not in answers[0].data("A"), "answer", answers)
        sunk(r, "flight.slow.example")
    r.remove("flight.slow.example")


@test("the question out, its server listed meanwhile: the late answer is neither served nor kept")
def in_flight_server(r):
    answers = []
    t = in_background(r, "server.slow.example", answers)
    check(wait_for(lambda: ("server.slow.example" in [p[2] for p in r.lab.packets(208)]), 5), "no question arrived")
    r.add(r.lab.host(208) + "/32")
    try:
        with quiet(r, ()):
            t.join(10)
            check(answers and answers[0] is not None and STOLEN not in answers[0].data("A"), "answer", answers)
            sunk(r, "server.slow.example")
    finally:
        r.remove(r.lab.host(208) + "/32")


@test("retransmissions: a silent server is listed while it is being asked")
def retransmit(r):
    answers = []
    name = "rt.mute.example"
    t = in_background(r, name, answers)
    check(wait_for(lambda: (name in [p[2] for p in r.lab.packets(24)]), 5), "no question arrived")
    r.add(r.lab.host(24) + "/32")
    when = time.time()
    t.join(12)
    r.remove(r.lab.host(24) + "/32")
    late = [x for x in times(r, 24) if x > when]
    check(not late, "%d packets after it was listed" % len(late))
    check(answers and answers[0] is not None, "no answer")


@test("the other server: the first one is silent, the second gets listed meanwhile")
def other_server(r):
    for i in range(4):
        answers, name = [], "o%d.retry.example" % i
        t = in_background(r, name, answers)
        time.sleep(0.05)
        r.add(r.lab.host(206) + "/32")
        when = time.time()
        t.join(12)
        r.remove(r.lab.host(206) + "/32")
        late = [x for x in times(r, 206) if x > when]
        check(not late, "%d packets after it was listed" % len(late))


@test("records that point to listed names (MX, SRV, HTTPS) start no look-up of their own")
def pointers(r):
    with quiet(r):
        equal(r.ask("mx-to-c2.alpha.example", "MX").data("MX"), ["10 mail.c2.example"], "MX")


@test("a broken import leaves the rules standing")
def broken_import(r):
    path = os.path.join(r.folder, "broken")
    open(path, "wb").write(os.urandom(5000))
    status, _, err = r.run("sinkhole-blocklist", "import", "--list", "lab", path)
    check(status != 0, "an import of junk succeeded")
    status, _, err = r.run("sinkhole-blocklist", "import", "--list", "lab", path + "-not-there")
    check(status != 0 and err.count("\n") == 1, "missing file", err)
    open(path, "w").close()
    status, _, err = r.run("sinkhole-blocklist", "import", "--list", "lab", path)
    with quiet(r):
        sunk(r, "after-broken.c2.example")


@test("exceptions are exactly these: an opted-out client and a passthru question do reach the server")
def exceptions(r):
    client = r.lab.host(OPTED_OUT)
    r.must("sinkhole-blocklist", "client", "add", client + "/32", "--opt-out")
    before = len(r.lab.packets(201)) + len(r.lab.packets(202))
    equal(r.ask("opted.c2.example", client=client).data("A"), [STOLEN], "opted out")
    check(len(r.lab.packets(201)) + len(r.lab.packets(202)) > before, "no packet")
    with quiet(r):
        sunk(r, "opted.c2.example")
    r.must("sinkhole-blocklist", "client", "remove", client + "/32")
    # A passthru frees the question: its name and the listed servers it needs.
    r.add("canary.example", "--list", "weak")
    r.import_text("free.canary.example\n", "free", "--action", "passthru", "--precedence", "1")
    equal(r.ask("free.canary.example").data("A"), [STOLEN], "passthru")
    before = len(r.lab.packets(210))
    sunk(r, "not-free.canary.example")
    equal(len(r.lab.packets(210)), before, "packets for its neighbour")
    r.remove("canary.example", "--list", "weak")


@test("a group without the list reaches the server; what it made the cache hold leads nobody else there")
def groups(r):
    free, bound = r.lab.host(OPTED_OUT), r.lab.host(OPTED_OUT + 1)
    r.must("sinkhole-blocklist", "add", "nothing.example", "--list", "other", "--reason", "test")
    r.must("sinkhole-blocklist", "group", "set", "free", "--lists", "other")
    r.must("sinkhole-blocklist", "group", "set", "bound", "--except", "other")
    r.must("sinkhole-blocklist", "client", "add", free + "/32", "--group", "free")
    r.must("sinkhole-blocklist", "client", "add", bound + "/32", "--group", "bound")
    equal(r.ask("grouped.c2.example", client=free).data("A"), [STOLEN], "free")
    with quiet(r):
        sunk(r, "grouped.c2.example")
        sunk(r, "grouped.c2.example", client=bound)
    # Open questions of both at once, where the listed server does not answer soon.
    with quiet(r):
        r.must("sinkhole-blocklist", "group", "set", "free", "--except", "other")
        sunk(r, "grouped.c2.example", client=free)
    for client in (free, bound):
        r.must("sinkhole-blocklist", "client", "remove", client + "/32")


@test("the first question after start: no packet, however early it comes")
def start(r):
    other = Resolver(r.args.build, os.path.join(r.top, "start"), r.lab)
    other.must("sinkhole-blocklist", "import", "--list", "lab", os.path.join(os.path.dirname(os.path.abspath(__file__)), "zones", "lab.list"))
    with quiet(r):
        for _ in range(3):
            other.spawn()
            end = time.monotonic() + 20
            m = None
            while m is None and time.monotonic() < end:
                m = udp(other.server(), query("early%d.c2.example" % time.time_ns()), 0.02)
            check(m is not None, "no answer", other.said())
            other.stop()
    check(not other.faults, "stop", other.faults)


@test("root hints, stub and forward servers that are listed are not asked")
def configured_servers(r):
    bad = r.lab.host(205)
    other = Resolver(r.args.build, os.path.join(r.top, "hints"), r.lab)
    hints = os.path.join(other.folder, "hints")
    open(hints, "w").write(". 3600 IN NS bad.root.example.\nbad.root.example. 3600 IN A %s\n" % bad)
    other.add(bad + "/32")
    for change in ({"root_hints": hints}, {"root_hints": r.lab.path("root.hints"), "stub": [{"zone": "stubbed.example",
                   "servers": ["%s@%d" % (bad, r.lab.port)]}]}, {"stub": [], "forward": [{"zone": ".", "servers": ["%s@%d" % (bad, r.lab.port)]}]}):
        other.configure(recursion=change)
        other.start()
        try:
            with quiet(r):
                m = other.ask("www.stubbed.example", timeout=8)
                check(m is not None and STOLEN not in m.data("A"), "answer", m)
        finally:
            other.stop()
    check(not other.faults, "stop", other.faults)


if __name__ == "__main__":
    harness.main(setup)
