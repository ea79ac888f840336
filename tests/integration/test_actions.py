#!/usr/bin/env python3
"""What listed questions are answered with: every action, over every kind of question."""
import contextlib
import itertools
import json
import time

import harness
from dnsmsg import AA, AD, CD, RA, RD, TC, framed, query, tcp_open, tcp_read
from harness import SINK4, SINK6, check, equal, in_time, test
from lab import OPTED_OUT

ACTIONS = ("address", "nxdomain", "nodata", "refuse", "drop", "passthru")
TYPES = ("A", "AAAA", "TXT", "MX", "HTTPS", "SVCB", "NS", "SOA", "DNSKEY", "ANY", 1234)


@contextlib.contextmanager
def setup(args, folder):
    def prepare(r):
        for a in ACTIONS:
            r.import_text("%s-list.example\n" % a, "by-list-" + a, "--action", a)
            r.add(a + "-entry.example", "--action", a)
        r.add("sub.c2.example", "--exact")
    with harness.lab_and_resolver(args, folder, prepare) as r:
        yield r


def names(action):
    return (action + "-list.example", "www." + action + "-entry.example")


def ask_all(r, action, judge):
    """Every type, transport and flag of a question; judge(message, name, type)."""
    for name, qtype in itertools.product(names(action), TYPES):
        for over, do, cd, ad, rd in (("udp", 0, 0, 0, 1), ("tcp", 0, 0, 0, 1), ("udp", 1, 0, 0, 1), ("udp", 0, 1, 0, 1),
                                     ("udp", 0, 0, 1, 1), ("udp", 1, 1, 1, 1), ("tcp", 1, 1, 0, 1), ("udp", 0, 0, 0, 0),
                                     ("tcp", 1, 0, 0, 0)):
            m = r.ask(name, qtype, over=over, do=bool(do), cd=bool(cd), ad=bool(ad), rd=bool(rd))
            what = "%s %s over %s do %d cd %d ad %d rd %d" % (name, qtype, over, do, cd, ad, rd)
            check(m is not None, what + ": no answer")
            check(not m.flag(AA) and not m.flag(AD) and m.flag(RA) and not m.flag(TC), what + ": flags %04x" % m.flags)
            equal((m.flag(RD), m.flag(CD)), (bool(rd), bool(cd)), what + ": RD, CD")
            judge(m, name, qtype, what)


def has_soa(m, section, what):
    soa = [x for x in getattr(m, section) if x.type == 6]
    check(len(soa) == 1, what + ": policy SOA", m)
    check(soa[0].ttl <= 30, what + ": TTL of the SOA", soa[0].ttl)


@test("address: A and AAAA have the sinkhole's, ANY both, every other type is NODATA")
def address(r):
    def judge(m, name, qtype, what):
        equal(m.rcode, "NOERROR", what)
        want = {"A": {"A " + SINK4}, "AAAA": {"AAAA " + SINK6}, "ANY": {"A " + SINK4, "AAAA " + SINK6}}.get(qtype, set())
        equal(m.records(), {"%s %s" % (name, x) for x in want}, what)
        check(all(x.ttl == 30 for x in m.answer), what + ": TTL", m)
        if not want:
            has_soa(m, "authority", what)
        equal([e[0] for e in m.ede], [15], what + ": EDE")
    ask_all(r, "address", judge)


@test("nxdomain: every type, with the policy SOA")
def nxdomain(r):
    def judge(m, name, qtype, what):
        equal((m.rcode, m.records()), ("NXDOMAIN", set()), what)
        has_soa(m, "authority", what)
        equal([e[0] for e in m.ede], [15], what + ": EDE")
    ask_all(r, "nxdomain", judge)


@test("nodata: every type, with the policy SOA")
def nodata(r):
    def judge(m, name, qtype, what):
        equal((m.rcode, m.records()), ("NOERROR", set()), what)
        has_soa(m, "authority", what)
    ask_all(r, "nodata", judge)


@test("refuse: every type")
def refuse(r):
    def judge(m, name, qtype, what):
        equal((m.rcode, m.records()), ("REFUSED", set()), what)
        equal([e[0] for e in m.ede], [15], what + ": EDE")
    ask_all(r, "refuse", judge)


@test("drop: nothing over UDP; over TCP the connection closes, at once")
def drop(r):
    for name in names("drop"):
        check(r.ask(name, timeout=0.5) is None, name + " was answered over UDP")
        check(r.ask(name, timeout=0.5, do=True, cd=True, rd=False) is None, name + " was answered over UDP")
        start = time.monotonic()
        with tcp_open(r.server(), 5) as s:
            s.sendall(framed(query(name)))
            check(tcp_read(s) is None, name + " was answered over TCP")
        in_time(time.monotonic() - start < 2, "connection was closed after", time.monotonic() - start)


@test("passthru: the truth (here: there is no such name), without EDE, and no hit")
def passthru(r):
    for name in names("passthru"):
        m = r.ask(name)
        equal((m.rcode, m.ede), ("NXDOMAIN", []), name)
        check(any(x.name == "example" for x in m.authority), "the zone's own SOA", m)


@test("mixed case, escapes and long names below a listed one")
def spelling(r):
    label = "x" * 63
    for name in ("BOT.C2.EXAMPLE", "b\\111t.c\\050.example", "%s.%s.%s.c2.example" % (label, label, label),
                 "\\000.c2.example", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.c2.example", "c2.example.", "xn--n3h.c2.example",
                 "*.c2.example", "_dmarc.c2.example", "\\255\\254.c2.example", "a\\.b.c2.example"):
        for over in ("udp", "tcp"):
            m = r.ask(name, over=over)
            check(m is not None, name + ": no answer")
            equal(m.data("A"), [SINK4], name)
    for name in ("c2.example.example", "xc2.example", "c2.examples", "example", "c2.example.alpha.example"):
        m = r.ask(name)
        check(m is None or SINK4 not in m.data("A"), name + " is not listed", m)


@test("the longest name that fits, 255 octets, below a listed one")
def longest(r):
    tail = "c2.example"
    room = 255 - 1 - (len(tail) + 1)  # without the root and the tail in wire form
    labels = []
    while room > 64:
        labels.append("y" * 63)
        room -= 64
    labels.append("z" * (room - 1))
    name = ".".join(labels + [tail])
    m = r.ask(name)
    check(m is not None and m.data("A") == [SINK4], "255 octets", m)


@test("local data of an RPZ: the type that is asked for, ANY all of it, other types NODATA; behind an alias too")
def local_data(r):
    zone = "$TTL 1h\n$ORIGIN rpz.test.\n@ SOA ns. host. 3 1 1 1 1\n"
    lines = ["garden.example A 192.0.2.81", "*.garden.example 20 TXT \"see\" \"help.example\"", "garden.example AAAA 2001:db8::81",
             "garden.example A 192.0.2.82", "*.garden.example A 192.0.2.83", "garden.example TXT told", "nowhere.beta.example A 192.0.2.84"]

    def load(order):
        return json.loads(r.import_text(zone + "".join(x + "\n" for x in order), "rpz", "--format", "rpz", "--json"))
    equal(load(lines)["added"], 3, "rules")
    a, aaaa, txt = {"A 192.0.2.81", "A 192.0.2.82"}, {"AAAA 2001:db8::81"}, {"TXT told"}
    for over, (qtype, want) in itertools.product(("udp", "tcp"), {"A": a, "AAAA": aaaa, "TXT": txt, "ANY": a | aaaa | txt,
                                                                   "MX": set(), "CNAME": set(), "HTTPS": set()}.items()):
        m = r.ask("garden.example", qtype, over=over)
        equal((m.rcode, m.records()), ("NOERROR", {"garden.example " + x for x in want}), qtype)
        check(all(x.ttl == 60 for x in m.answer), qtype + ": TTL", m)
        if not want:
            has_soa(m, "authority", qtype)
        equal([e[0] for e in m.ede], [15], qtype + ": EDE")
    equal(r.ask("a.b.garden.example", "TXT").records(), {"a.b.garden.example TXT see help.example"}, "wildcard")
    equal({x.ttl for x in r.ask("a.garden.example", "ANY").answer}, {60, 20}, "a short TTL stays")
    m = r.ask("dangling.alpha.example")
    equal(m.records(), {"dangling.alpha.example CNAME nowhere.beta.example", "nowhere.beta.example A 192.0.2.84"}, "behind an alias")
    m = r.ask("dangling.alpha.example", "AAAA")
    equal(m.records(), {"dangling.alpha.example CNAME nowhere.beta.example"}, "behind an alias, another type")
    has_soa(m, "authority", "behind an alias")
    hits = r.wait_hits(lambda h: any(x["matched"] == "nowhere.beta.example" for x in h))
    equal({x["action"] for x in hits if x["list"] == "rpz"}, {"local-data"}, "action in the log")

    def stored():
        s = json.loads(r.must("sinkhole-blocklist", "stats", "--json"))
        return s["generation"], s["epoch"]
    before = stored()
    again = load(reversed(lines))
    equal((again["unchanged"], again["added"], again["changed"], again["removed"]), (3, 0, 0, 0), "other order of lines")
    equal(stored(), before, "an import that changes nothing")
    load(lines[:-1] + ["garden.example A 192.0.2.99", "other.example CNAME ."])
    equal(r.ask("garden.example").data("A"), ["192.0.2.81", "192.0.2.82", "192.0.2.99"], "a record more, at once")
    equal(r.ask("dangling.alpha.example").ede, [], "a rule less, at once")


@test("EDE text tells list and entry, and nothing that is not public")
def ede_text(r):
    r.add("told.example", "--list", "told", reason="TLP:RED secret source")
    m = r.ask("x.told.example")
    equal(m.ede[0][0], 15, "code")
    check("secret" not in m.ede[0][1] and "TLP" not in m.ede[0][1], "text", m.ede)
    check("told" in m.ede[0][1], "list or entry in the text", m.ede)
    m = r.ask("x.told.example", edns=None)
    check(m.opt is None, "OPT unasked", m)


@test("the policy SOA's serial moves when the rules change")
def serial(r):
    def now():
        m = r.ask("nxdomain-list.example")
        return int([x for x in m.authority if x.type == 6][0].data.split()[2])
    first = now()
    r.add("serial-test.example")
    check(now() > first, "serial", first, now())


@test("exact entries: the name only; its zone's other names still resolve")
def exact(r):
    r.add("www.beta.example", "--exact")
    equal(r.ask("www.beta.example").data("A"), [SINK4], "exact")
    m = r.ask("www.www.beta.example", "TXT")
    check(m is not None and SINK4 not in m.data("A") and not m.ede, "below an exact entry", m)
    equal(r.ask("mail.beta.example").data("A"), ["192.0.2.22"], "beside an exact entry")
    r.add("gamma.example", "--exact")
    equal(r.ask("gamma.example").data("A"), [SINK4], "exact at a zone's top")
    equal(r.ask("www.gamma.example").data("A"), ["192.0.2.31"], "a name in that zone")
    r.remove("gamma.example")
    r.remove("www.beta.example")


@test("precedence: the lower number wins, whatever is longer; ties by list name")
def precedence(r):
    r.import_text("prec.example\n", "p-weak", "--action", "nxdomain", "--precedence", "200")
    r.import_text("prec.example\n", "p-strong", "--action", "nodata", "--precedence", "50")
    r.import_text("long.prec.example\n", "p-long", "--action", "refuse", "--precedence", "60")
    equal(r.ask("prec.example").rcode, "NOERROR", "stronger list")
    equal(r.ask("long.prec.example").rcode, "NOERROR", "stronger list beats a longer name")
    r.import_text("tie.example\n", "t-b", "--action", "nxdomain", "--precedence", "70")
    r.import_text("tie.example\n", "t-a", "--action", "refuse", "--precedence", "70")
    equal(r.ask("tie.example").rcode, "REFUSED", "tie")


@test("passthru of a stronger list frees a name that a weaker one blocks")
def allow_list(r):
    r.import_text("delta.example\n", "weak")
    r.import_text("www.delta.example\n", "allowed", "--action", "passthru", "--precedence", "1")
    m = r.ask("www.delta.example")
    equal((m.data("A"), m.ede), (["192.0.2.41"], []), "freed")
    equal(r.ask("not-free.delta.example").data("A"), [SINK4], "its neighbour")
    r.remove("www.delta.example", "--list", "allowed")
    equal(r.ask("www.delta.example").data("A"), [SINK4], "no longer freed")
    r.remove("delta.example", "--list", "weak")


@test("monitor: the truth for the client, a hit in the log, and it hides no enforcing rule")
def monitor(r):
    r.import_text("www.gamma.example\nc2.example\n", "watch", "--action", "monitor", "--precedence", "10")
    m = r.ask("www.gamma.example")
    equal((m.data("A"), m.ede), (["192.0.2.31"], []), "monitored name")
    equal(r.ask("watched.c2.example").data("A"), [SINK4], "monitored and listed")
    hits = r.wait_hits(lambda h: any(x["qname"] == "www.gamma.example" for x in h))
    equal({x["action"] for x in hits if x["qname"] == "www.gamma.example"}, {"monitor"}, "action in the log")
    m = r.ask("www.gamma.example")
    equal(m.data("A"), ["192.0.2.31"], "from the cache")
    hits = r.wait_hits(lambda h: sum(x["count"] for x in h if x["qname"] == "www.gamma.example") >= 2)
    check(sum(x["count"] for x in hits if x["qname"] == "www.gamma.example") >= 2, "the cached one is logged too")
    r.remove("www.gamma.example", "--list", "watch")
    r.remove("c2.example", "--list", "watch")


@test("promote: what a list matched while it watched, without clients; then it acts; lists tell hits")
def promote(r):
    r.import_text("www.epsilon.example\nquiet.epsilon.example\n", "trial", "--action", "monitor")
    for client in ("127.0.0.1", "127.0.0.2", "127.0.0.2"):
        r.ask("www.epsilon.example", client=client)
    r.wait_hits(lambda h: sum(x["count"] for x in h if x["list"] == "trial") >= 3)
    report = json.loads(r.must("sinkhole-blocklist", "promote", "trial", "--dry-run", "--json"))
    equal((report["names"], report["log"], report["hits"], report["clients"]), (2, True, 3, 2), "what it would have blocked")
    equal(report["entries"], [{"entry": "www.epsilon.example", "hits": 3, "clients": 2}], "by entry")
    lists = {x["list"]: x for x in map(json.loads, r.must("sinkhole-blocklist", "lists", "--json").splitlines())}
    equal((lists["trial"]["mode"], lists["trial"]["hits_24h"], lists["trial"]["age"]), ("monitor", 3, "0m"), "lists")
    check(r.ask("www.epsilon.example", client="127.0.0.1").ede == [], "a dry run changes nothing")
    r.wait_hits(lambda h: sum(x["count"] for x in h if x["list"] == "trial") >= 4)
    out = r.must("sinkhole-blocklist", "promote", "trial", "--reason", "watched long enough")
    check("4 questions of 2 clients" in out and "127.0.0" not in out, "the report", out)
    equal(r.ask("www.epsilon.example").data("A"), [SINK4], "it acts")
    r.remove("www.epsilon.example", "--list", "trial")


@test("addresses in answers: A and AAAA, fresh and cached")
def answer_address(r):
    r.ask("bad-address6.alpha.example", "AAAA")
    for name, qtype, prefix, sink in (("bad-address.alpha.example", "A", "192.0.2.66/32", SINK4),
                                      ("bad-address6.alpha.example", "AAAA", "2001:db8:bad::/48", SINK6)):
        r.add(prefix, "--action", "address")
        for _ in range(2):
            m = r.ask(name, qtype)
            equal((m.rcode, m.data(qtype)), ("NOERROR", [sink]), name)
            equal([e[0] for e in m.ede], [15], name + ": EDE")
        r.remove(prefix)
        check(r.ask(name, qtype).data(qtype) != [sink], name + " after remove")


@test("expiry: an entry ends by itself at its second")
def expiry(r):
    start = time.monotonic()
    r.add("brief.example", "--expires", "2s")
    m = r.ask("brief.example")
    in_time(time.monotonic() - start < 1, "added and asked after", time.monotonic() - start)
    equal(m.data("A"), [SINK4], "before")
    time.sleep(3.1)
    m = r.ask("brief.example")
    equal((m.rcode, m.data("A")), ("NXDOMAIN", []), "after")


@test("lease: a list that is not renewed stops matching by itself; an import renews it")
def lease(r):
    start = time.monotonic()
    r.import_text("leased.example\n", "leased", "--expires", "3s")
    m = r.ask("leased.example")
    time.sleep(1.2)
    again = time.monotonic()
    r.import_text("leased.example\n", "leased", "--expires", "4s")
    in_time(time.monotonic() - start < 2, "renewed after", time.monotonic() - start)
    equal(m.data("A"), [SINK4], "before")
    time.sleep(2)
    m = r.ask("leased.example")
    in_time(time.monotonic() - again < 3, "asked after", time.monotonic() - again)
    equal(m.data("A"), [SINK4], "renewed")
    time.sleep(3.1)
    equal(r.ask("leased.example").rcode, "NXDOMAIN", "after")


@test("an opted-out client is neither blocked nor logged (P6)")
def opt_out(r):
    client = r.lab.host(OPTED_OUT)
    before = r.ask("opted.c2.example", client=client)
    equal(before.data("A"), [SINK4], "before opting out")
    r.must("sinkhole-blocklist", "client", "add", client + "/32", "--opt-out")
    hits = len(r.wait_hits(lambda h: any(x["qname"] == "opted.c2.example" for x in h)))
    for over in ("udp", "tcp"):
        m = r.ask("other-opted.c2.example", client=client, over=over)
        equal((m.data("A"), m.ede), ([harness.STOLEN], []), "opted out: the truth")
    # What the opted-out client brought into the cache is not for the others, and the other way round.
    equal(r.ask("other-opted.c2.example").data("A"), [SINK4], "another client, same name")
    equal(r.ask("other-opted.c2.example", client=client).data("A"), [harness.STOLEN], "opted out again")
    time.sleep(0.3)
    mine = [h for h in r.hits() if h["qname"] == "other-opted.c2.example" and h["client"] == client]
    equal(mine, [], "hits of the opted-out client")
    check(len(r.hits()) == hits + 1, "hits", hits, len(r.hits()))
    r.must("sinkhole-blocklist", "client", "remove", client + "/32")
    equal(r.ask("other-opted.c2.example", client=client).data("A"), [SINK4], "after opting in again")


if __name__ == "__main__":
    harness.main(setup)
