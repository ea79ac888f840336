#!/usr/bin/env python3
"""Who forges answers, off the path: what he can learn, how often he may guess, and what a right guess is worth."""
import contextlib
import os
import random
import select
import socket
import struct
import time

import harness
from dnsmsg import Message, query
from harness import Resolver, check, equal, in_time, test
from puppet import Puppets, record, reply
from wide import PUPPETS, WideLab

SERVER, SILENT = PUPPETS["ports"], PUPPETS["silent"]
TRUTH, FORGED = "198.51.100.1", "203.0.113.99"
A, TXT = 1, 16
EDNS_MAX = 1232
STRANGER = 99  # a host of the lab that nobody has asked anything


@contextlib.contextmanager
def setup(args, folder):
    with WideLab(os.path.join(folder, "lab")).standing() as lab:
        with Resolver(args.build, os.path.join(folder, "resolver"), lab).running() as r:
            yield r


def address(asked, data):
    return reply(asked, [record(b"\xc0\x0c", A, socket.inet_aton(data))])


# ---- SECURITY row 4 ----

def refused(source, port, to):
    """Whether the datagram to that port drew an ICMP error."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((source, port))
        s.connect(to)
        s.settimeout(0.2)
        try:
            s.send(b"x" * 12)
            s.recv(512)
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            return False
    return False


@test("SAD DNS: a port with an open question and a closed one look alike, from a stranger's address and from the server's")
def port_scan(r):
    with Puppets(r.lab, (SILENT,), lambda asked: None) as puppets, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(r.server())
        for i in range(20):
            client.send(query("scan%d.silent.example" % i))
        time.sleep(0.1)  # the shortest time-out is longer
        asked = [x for x in puppets.asked if x.over == "udp" and x.host == SILENT and x.qname.startswith("scan")]
        check(len(asked) >= 20, "open questions", len(asked))
        seen = set()
        for x in asked[:20]:
            closed = random.choice([p for p in range(20000, 20100) if p not in [y.peer for y in asked]])
            for source in (r.lab.host(STRANGER), r.lab.host(SILENT)):
                seen.add((refused(source, 0, (x.source, x.peer)), refused(source, 0, (x.source, closed))))
    equal(seen, {(True, True)}, "(ICMP from an open port, from a closed one)")


# ---- SECURITY row 5 ----

def spray(first, rng, asked):
    """Wrong IDs first, a right one among what follows: all of it before the truth can come."""
    if asked.over == "tcp":
        return address(asked, TRUTH)
    window = [i & 0xffff for i in range(first, first + 64) if i & 0xffff != asked.id]
    out = [address(asked._replace(id=i), FORGED) for i in window]
    out.insert(rng.randrange(1, len(out)), address(asked, FORGED))
    return out


@test("wrong-ID spray: in 1,000 rounds, all 65,536 IDs and a right one in each, nothing forged is believed; each goes to TCP")
def wrong_ids(r):
    rng, rounds = random.Random(1), 1000
    with Puppets(r.lab, (SERVER,), lambda x: spray(int(x.qname[1:].split(".")[0]) * 64, rng, x) if x.qname[0] == "s" else
                 address(x, TRUTH)) as puppets:
        r.must("sinkholectl", "flush")
        r.ask("first.ports.example")
        start = time.monotonic()
        answers = [r.ask("s%d.ports.example" % i) for i in range(rounds)]
        took = time.monotonic() - start
        check(not puppets.faults, "server", puppets.faults)
        asked = [x for x in puppets.asked if x.qname[0] == "s"]
    equal(sum(m is not None and FORGED in m.data("A") for m in answers), 0, "forged answers believed")
    equal(sum(m is not None and m.data("A") == [TRUTH] for m in answers), rounds, "right answers")
    udp, tcp = sum(x.over == "udp" for x in asked), sum(x.over == "tcp" for x in asked)
    check(tcp >= rounds, "questions over TCP", tcp)
    in_time(udp <= rounds * 1.01, "questions over UDP", udp)
    return "%d over UDP, %d over TCP, %.1f ms a round" % (udp, tcp, took * 1000 / rounds)


# ---- SECURITY row 6 ----

def options(asked):
    """Codes of the EDNS options of the question."""
    out, at = [], 11
    while at + 4 <= len(asked.rest):
        code, n = struct.unpack_from("!HH", asked.rest, at)
        out.append(code)
        at += 4 + n
    return out


def birthday_query(i):
    """The same question in many dresses: flags, case, client subnet, cookie, size."""
    name = "".join(c.upper() if i >> k & 1 else c for k, c in enumerate("birthday.ports.example"))
    subnet = struct.pack("!HHHBB3s", 8, 7, 1, 24, 0, bytes([198, 51, i & 0xff]))
    cookie = struct.pack("!HH", 10, 8) + os.urandom(8)
    return query(name, qid=i, do=bool(i & 1), cd=bool(i & 2), ad=bool(i & 4), edns=None if i % 7 == 0 else 512 + i,
                 options=(subnet if i & 8 else b"") + (cookie if i & 16 else b""))


@test("birthday, RebirthDay: the same question of 1,000 clients is open once a worker, whatever its flags, case, subnet and "
      "cookie; no client subnet leaves")
def birthday(r):
    late, socks, good = 0.25, [], 0
    with contextlib.ExitStack() as stack, \
            Puppets(r.lab, (SERVER,), lambda x: (late, address(x, TRUTH))) as puppets:
        r.must("sinkholectl", "flush")
        for i in range(6):  # both workers learn how slow the server is, or they would ask again before it answers
            r.ask("slow%d.ports.example" % i)
        for i in range(50):  # neighbourhoods of their own: no cap answers for the others
            s = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            s.bind(("127.%d.%d.1" % (60 + i % 2, i), 0))
            s.connect(r.server())
            socks.append(s)
        for i in range(1000):
            socks[i % len(socks)].send(birthday_query(i))
            if i % 100 == 99:
                time.sleep(0.003)
        time.sleep(late / 2)
        first = [x for x in puppets.asked if x.qname == "birthday.ports.example"]
        end = time.monotonic() + 8
        while good < 1000 and time.monotonic() < end:
            for s in select.select(socks, [], [], 0.1)[0]:
                good += Message(s.recv(4096)).data("A") == [TRUTH]
        sent = [x for x in puppets.asked if x.qname == "birthday.ports.example"]
    equal(good, 1000, "answers")
    in_time(1 <= len(first) <= 2, "open at once, two workers", len(first))
    equal({o for x in sent for o in options(x)} & {8}, set(), "client subnets sent on")
    return "%d open at once, %d sent in all" % (len(first), len(sent))


# ---- SECURITY row 7 ----

def large(asked):
    """4 KiB over UDP, as if the size asked for did not count; a fragment of it could be anybody's."""
    text = FORGED if asked.over == "udp" else TRUTH
    strings = b"".join(bytes([len(s)]) + s for s in [text.encode()] + [b"x" * 250] * 16)
    return reply(asked, [record(b"\xc0\x0c", TXT, strings)])


@test("fragments: no more than 1,232 bytes are asked for over UDP, and more than that is not taken: TCP is asked")
def fragments(r):
    with Puppets(r.lab, (SERVER,), large) as puppets:
        m = r.ask("large.ports.example", "TXT", over="tcp")
        asked = [x for x in puppets.asked if x.qname == "large.ports.example" and x.qtype == TXT]
    check(m is not None and TRUTH.encode() in m.wire and FORGED.encode() not in m.wire, "the answer over TCP", m)
    equal([x.over for x in asked][-1], "tcp", "asked last over")
    sizes = {struct.unpack_from("!H", x.rest, 3)[0] for x in asked if len(x.rest) >= 11}
    check(sizes and max(sizes) <= EDNS_MAX, "sizes asked for", sizes)


if __name__ == "__main__":
    harness.main(setup)
