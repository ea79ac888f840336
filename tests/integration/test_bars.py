#!/usr/bin/env python3
"""What an attacker's zone may cost: packets for one question, packets at a victim, processor time."""
import concurrent.futures
import contextlib
import glob
import json
import os
import socket
import struct
import time

import harness
from dnsmsg import name_wire
from harness import Resolver, check, in_time, test
from puppet import Puppets, record, reply
from wide import PUPPETS, WideLab

ATTACK, VICTIM, SECOND = PUPPETS["attack"], PUPPETS["victim"], PUPPETS["second"]
SENDS, AT_VICTIM = 64, 10   # packets for one client question: in all, and at one victim
CPU_MS = 5.0                # per client question
LINKS = 100                 # of the chain
CNAME, NS, A, SOA, MX = 5, 2, 1, 6, 15
ROUNDS = 40


@contextlib.contextmanager
def setup(args, folder):
    """One worker: all packets and all time are those of the question being asked."""
    with WideLab(os.path.join(folder, "lab")).standing() as lab:
        with Resolver(args.build, os.path.join(folder, "resolver"), lab, workers=1).running() as r:
            time.sleep(0.5)
            before = cpu_ms(r.process.pid)
            time.sleep(2)
            r.cpu_ms = CPU_MS * (20 if args.sanitized else 1)
            r.idle_ms_s = (cpu_ms(r.process.pid) - before) / 2  # what it takes with nothing to do
            yield r


# ---- what the attacker's server and the victim's say ----

def soa(zone):
    return record(name_wire(zone), SOA, name_wire("ns." + zone) + name_wire("lab.example") + struct.pack("!5I", 1, 3600, 600, 86400, 60))


def referral(asked, zone, targets):
    """zone is served by targets: no glue. Owner names and the targets' common end are compressed, or 1,500 would not fit."""
    at = 12 + len(name_wire(asked.qname)) - len(name_wire(zone))
    out, ends = [], {}
    size = 12 + len(asked.question)
    for label, parent in targets:
        wire = bytes([len(label)]) + label.encode()
        target = wire + (struct.pack("!H", 0xc000 | ends[parent]) if parent in ends else name_wire(parent))
        out.append(record(struct.pack("!H", 0xc000 | at), NS, target))
        ends.setdefault(parent, size + 12 + len(wire))
        size += len(out[-1])
    message = reply(asked, authority=out, aa=False)
    return message if asked.over == "tcp" or len(message) <= 1232 else reply(asked, tc=True)


def below(qname, zone):
    """The label of qname just under zone, or None."""
    return qname[:-len(zone) - 1].split(".")[-1] if qname.endswith("." + zone) else None


def nxns(asked, lab):
    """zone K-N.nxns.attack.example is served by N names of the victim's, and by others for each K."""
    zone = below(asked.qname, "nxns.attack.example")
    if asked.host == VICTIM:
        return reply(asked, authority=[soa("victim.example")], rcode=3)
    if zone is None:
        return reply(asked, authority=[soa("attack.example")])
    return referral(asked, zone + ".nxns.attack.example", [("%s-%d" % (zone, i), "victim.example") for i in range(int(zone.split("-")[1]))])


def nxns_silent(asked, lab):
    return None if asked.host == VICTIM else nxns(asked, lab)


def nxns_deep(asked, lab):
    """The server names are many labels deep in a zone that says neither yes nor no: each label is a question."""
    zone = below(asked.qname, "nxns.attack.example")
    if asked.host == VICTIM or zone is None:
        return reply(asked, authority=[soa("victim.example" if asked.host == VICTIM else "attack.example")])
    return referral(asked, zone + ".nxns.attack.example", [("%s-%d" % (zone, i), "a.b.c.d%d.e.f.victim.example" % i) for i in range(13)])


def chain(asked, lab):
    """lI.K.chain.attack.example is an alias of the next one: one link an answer; the last has an address."""
    labels = asked.qname.split(".")
    if asked.qtype != A or len(labels) != 5 or labels[0][0] != "l":
        return reply(asked, authority=[soa("attack.example")])
    number = int(labels[0][1:])
    owner = b"\xc0\x0c"
    if number == LINKS:
        return reply(asked, [record(owner, A, socket.inet_aton("198.51.100.1"))])
    return reply(asked, [record(owner, CNAME, name_wire("l%d.%s" % (number + 1, ".".join(labels[1:]))))])


def whole_chain(asked, lab):
    """The same, all links in one answer, over TCP."""
    labels = asked.qname.split(".")
    if asked.qtype != A or len(labels) != 5 or labels[0][0] != "l":
        return reply(asked, authority=[soa("attack.example")])
    if asked.over == "udp":
        return reply(asked, tc=True)
    names = ["l%d.%s" % (i, ".".join(labels[1:])) for i in range(int(labels[0][1:]), LINKS + 1)]
    links = [record(name_wire(a), CNAME, name_wire(b)) for a, b in zip(names, names[1:])]
    return reply(asked, links + [record(name_wire(names[-1]), A, socket.inet_aton("198.51.100.1"))])


def camp(asked, lab):
    """Everything at once: a zone whose thirteen servers have no glue; the names of half of them are in zones of that same
    kind, many labels deep, the others in the victim's."""
    labels = asked.qname.split(".")
    if asked.host == VICTIM:
        return reply(asked, authority=[soa("victim.example")], rcode=3)
    if len(labels) < 5:
        return reply(asked, authority=[soa("attack.example")])
    key, depth = labels[-5], int(labels[-4][1:])
    targets = [("n%d" % i, key + ".victim.example") for i in range(7)]
    targets += [("n%d" % i, "a.b.c.%s%d.k%d.camp.attack.example" % (key, i, depth + 1)) for i in range(6)]
    return reply(asked, authority=[record(name_wire(".".join(labels[-5:])), NS, name_wire("%s.%s" % t)) for t in targets], aa=False)


def relay(asked, lab):
    """www.kI.K.relay.attack.example is an alias of the same in the next zone, and each zone has twelve servers that the
    victim denies and one that works: only who finds it gets to the next one."""
    labels = asked.qname.split(".")
    if asked.host == VICTIM:
        return reply(asked, authority=[soa("victim.example")], rcode=3)
    if asked.host == SECOND and asked.qname.endswith(".second.example"):
        address = [record(b"\xc0\x0c", A, socket.inet_aton(lab.host(SECOND)))] if asked.qtype == A else []
        return reply(asked, address, [] if address else [soa("second.example")])
    if len(labels) < 5 or labels[-3] != "relay":
        return reply(asked, authority=[soa("attack.example")])
    zone, key = ".".join(labels[-5:]), "-".join(labels[-5:-3])
    if asked.host == SECOND and labels[0] == "www" and asked.qtype == A:
        return reply(asked, [record(b"\xc0\x0c", CNAME, name_wire("www.k%d.%s" % (int(labels[-5][1:]) + 1, ".".join(labels[-4:]))))])
    if asked.host == SECOND:
        return reply(asked, authority=[soa(zone)])
    targets = ["%s-%d.victim.example" % (key, i) for i in range(12)] + [key + ".second.example"]
    return reply(asked, authority=[record(name_wire(zone), NS, name_wire(t)) for t in targets], aa=False)


def large(make):
    """A whole answer that only TCP can carry."""
    def say(asked, lab):
        if not asked.qname.startswith("big"):
            return reply(asked, authority=[soa("attack.example")])
        return reply(asked, tc=True) if asked.over == "udp" else reply(asked, make())
    return say


def addresses():
    return [record(b"\xc0\x0c", A, struct.pack("!I", 0xc6330000 + i)) for i in range(4000)]


def types():
    return [record(b"\xc0\x0c", t, b"x" * 16) for t in range(1000, 3000)] + [record(b"\xc0\x0c", A, socket.inet_aton("198.51.100.1"))]


def deep_names():
    """Mail servers many labels deep, no two ends alike."""
    labels = ["%c%c" % (97 + i // 26, 97 + i % 26) for i in range(80)]
    return [record(b"\xc0\x0c", MX, struct.pack("!H", i) + name_wire(".".join(labels[i % 17:i % 17 + 60] + ["m%d" % i, "test"]))) for i in range(250)]


# ---- counting ----

def cpu_ms(pid):
    """Processor time of all threads; the first number of schedstat is in ns."""
    return sum(int(open(f).read().split()[0]) for f in glob.glob("/proc/%d/task/*/schedstat" % pid)) / 1e6


def sent(r):
    n = json.loads(r.must("sinkholectl", "stats", "--json"))["counters"]
    return n["sent_udp"] + n["sent_tcp"]


def costs(r, say, names, victim=True, qtype="A", rcode="SERVFAIL"):
    """Most packets sent for one question, most of them at the victim, processor time a question: a line, within the bars.
    victim: the attack is none if nothing at all gets there."""
    most = at_victim = 0
    spent = 0.0
    with Puppets(r.lab, (ATTACK, VICTIM, SECOND), lambda asked: say(asked, r.lab)) as puppets:
        r.must("sinkholectl", "flush")
        for name in names:
            before, seen, ms, start = sent(r), len(puppets.asked), cpu_ms(r.process.pid), time.monotonic()
            ends(r, name, qtype, rcode)
            time.sleep(0.02)
            spent += cpu_ms(r.process.pid) - ms - (time.monotonic() - start) * r.idle_ms_s
            check(len(puppets.asked) > seen, name + ": the attacker was not asked")
            most = max(most, sent(r) - before)
            at_victim = max(at_victim, sum(x.host == VICTIM for x in puppets.asked[seen:]))
        check(not puppets.faults, "server", puppets.faults)
    check(bool(at_victim) == victim, "at the victim", at_victim)
    return within_bars(r, most, at_victim, spent / len(names))


def ends(r, name, qtype="A", rcode="SERVFAIL"):
    m = r.ask(name, qtype, over="tcp", timeout=9)
    check(m is not None and m.rcode == rcode, name, m)


def within_bars(r, most, at_victim, ms):
    text = "at most %d packets, %d at the victim, %.2f ms of processor time a question" % (most, at_victim, ms)
    check(most <= SENDS and at_victim <= AT_VICTIM, "over the bars of %d and %d: %s" % (SENDS, AT_VICTIM, text))
    in_time(ms <= r.cpu_ms, "over the bar of %.1f: %s" % (r.cpu_ms, text))
    return text


@test("NXNS: a referral to 1,500 names in a victim's zone")
def nxns_huge(r):
    """More records than an RRset may have: refused whole."""
    return costs(r, nxns, ["www.d%d-1500.nxns.attack.example" % i for i in range(ROUNDS)], victim=False)


@test("NXNS: a referral to 250 names in a victim's zone, which denies them")
def nxns_denied(r):
    return costs(r, nxns, ["www.d%d-250.nxns.attack.example" % i for i in range(ROUNDS)])


@test("NXNS: the same, and the victim is silent", sanitized=False)
def nxns_dead(r):
    """All at once: one alone has its six seconds of timer ticks counted to it."""
    keys = ["s%d" % i for i in range(ROUNDS)]
    with Puppets(r.lab, (ATTACK, VICTIM), lambda asked: nxns_silent(asked, r.lab)) as puppets:
        r.must("sinkholectl", "flush")
        before, ms, start = sent(r), cpu_ms(r.process.pid), time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(ROUNDS) as pool:
            list(pool.map(lambda key: ends(r, "www.%s-250.nxns.attack.example" % key), keys))
        ms = cpu_ms(r.process.pid) - ms - (time.monotonic() - start) * r.idle_ms_s
        at_victim = max(sum(x.host == VICTIM and x.qname.startswith(key + "-") for x in puppets.asked) for key in keys)
        return within_bars(r, (sent(r) - before) // ROUNDS, at_victim, ms / ROUNDS)


@test("NXNS: server names many labels deep in the victim's zone")
def nxns_many_labels(r):
    return costs(r, nxns_deep, ["www.e%d.nxns.attack.example" % i for i in range(ROUNDS)])


@test("a chain of 100 aliases, one an answer")
def chain_by_links(r):
    return costs(r, chain, ["l0.k%d.chain.attack.example" % i for i in range(ROUNDS)], victim=False)


@test("a chain of 100 aliases in one answer")
def chain_at_once(r):
    return costs(r, whole_chain, ["l0.w%d.chain.attack.example" % i for i in range(ROUNDS)], victim=False)


@test("CAMP: server names without addresses, of the same kind again, many labels deep")
def camp_costs(r):
    return costs(r, camp, ["www.a.b.c.d.e.f%d.k0.camp.attack.example" % i for i in range(ROUNDS)])


@test("CAMP: aliases from zone to zone, twelve of thirteen servers of each denied by the victim")
def relay_costs(r):
    return costs(r, relay, ["www.k0.r%d.relay.attack.example" % i for i in range(ROUNDS)])


@test("huge RRsets: 4,000 addresses of one name")
def huge_rrset(r):
    return costs(r, large(addresses), ["big%d.attack.example" % i for i in range(ROUNDS)], victim=False)


@test("huge RRsets: 2,000 types of one name")
def many_types(r):
    return costs(r, large(types), ["big-t%d.attack.example" % i for i in range(ROUNDS)], victim=False, rcode="NOERROR")


@test("ANY: NXNS, CAMP and 2,000 types of one name cost no more than with A")
def any_costs(r):
    costs(r, nxns, ["www.d%d-250.nxns.attack.example" % (ROUNDS + i) for i in range(ROUNDS)], qtype="ANY")
    costs(r, large(types), ["big-t%d.attack.example" % (ROUNDS + i) for i in range(ROUNDS)], victim=False, qtype="ANY", rcode="NOERROR")
    return costs(r, camp, ["www.a.b.c.d.e.f%d.k0.camp.attack.example" % (ROUNDS + i) for i in range(ROUNDS)], qtype="ANY")


@test("compression: 250 names of 60 labels each in one answer")
def deep_rdata(r):
    return costs(r, large(deep_names), ["big-d%d.attack.example" % i for i in range(ROUNDS)], victim=False, qtype="MX", rcode="NOERROR")


if __name__ == "__main__":
    harness.main(setup)
