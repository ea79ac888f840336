#!/usr/bin/env python3
"""The fronts: UDP and TCP as clients see them, right and wrong messages, who may ask."""
import contextlib
import os
import socket
import struct
import time

import harness
from dnsmsg import CD, QR, RA, RD, Message, framed, query, tcp_open, tcp_read, udp
from harness import check, equal, in_time, test
from lab import OUTSIDER


@contextlib.contextmanager
def setup(args, folder):
    with harness.lab_and_resolver(args, folder) as r:
        outsider = r.lab.host(OUTSIDER)
        r.stop()
        # All of the lab's loopback but the outsider: 127.x.y.0/25 and 127.x.y.192/26 leave out .128 to .191.
        r.configure(allow=[r.lab.host(0) + "/25", "127.0.0.0/24", "::1/128"])
        r.start()
        r.outsider = outsider
        yield r


def silent(r, wire, what, seconds=0.4):
    out = udp(r.server(), wire, seconds)
    check(out is None, what + " was answered", out)


def still_there(r):
    m = r.ask("www.alpha.example")
    check(m is not None and m.rcode == "NOERROR", "afterwards no answer", m)


@test("UDP and TCP, IPv4 and IPv6")
def both(r):
    for six in (False, True):
        for over in ("udp", "tcp"):
            m = r.ask("www.alpha.example", over=over, six=six)
            equal(m.data("A"), ["192.0.2.11"], "%s %s" % (over, six))


@test("allow list: others get REFUSED, no longer than the question, for listed names too, and nothing is logged")
def allow(r):
    for name in ("www.alpha.example", "bot.c2.example"):
        for over in ("udp", "tcp"):
            # Room for the Extended DNS Error is there only when the question brought as much.
            for options, ede in ((b"", []), (struct.pack("!2H", 65001, 2) + b"ab", [18])):
                m = r.ask(name, over=over, client=r.outsider, options=options)
                check(m is not None, "no answer")
                equal(m.rcode, "REFUSED", name)
                equal([e[0] for e in m.ede], ede, "EDE")
                check(len(m.wire) <= len(query(name, options=options)), "longer than the question", m)
                check(not m.answer, "answer section", m)
    equal([h for h in r.hits() if h.get("client") == r.outsider], [], "hits")


@test("answers (QR=1) and garbage are dropped without an answer")
def garbage(r):
    good = query("www.alpha.example")
    silent(r, good[:2] + struct.pack("!H", QR | RD) + good[4:], "QR=1")
    for n in (0, 1, 2, 11):
        silent(r, os.urandom(n), "%d bytes" % n, 0.15)
    for i in range(200):
        wire = bytearray(os.urandom(40 + i))
        wire[2] |= 0x80
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(r.server())
            s.send(wire)
    still_there(r)


@test("random bytes as questions: FORMERR, NOTIMP or silence, never a crash")
def random_bytes(r):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(r.server())
        s.settimeout(0.001)
        for i in range(1500):
            wire = bytearray(os.urandom(12 + i % 300))
            wire[2] &= 0x7f
            if i & 1:
                wire[2:12] = struct.pack("!5H", 0x100, 1, 0, 0, 1)
            s.send(wire)
            try:
                out = s.recv(4096)
                check(out[3] & 15 in (1, 2, 4, 5, 0, 3), "rcode", out)
            except TimeoutError:
                pass
    still_there(r)


@test("FORMERR: no question, two questions, a cut question, bytes behind the end, two OPT")
def formerr(r):
    good = query("www.alpha.example", edns=None)
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)

    def counts(wire, *c):
        return wire[:4] + struct.pack("!4H", *c) + wire[12:]
    cases = {"no question": counts(good[:12], 0, 0, 0, 0), "two questions": counts(good + good[12:], 2, 0, 0, 0),
             "a cut question": good[:-3], "bytes behind the end": good + b"xyz", "two OPT": counts(good + opt + opt, 1, 0, 0, 2),
             "OPT with an owner": counts(good + b"\1a" + opt, 1, 0, 0, 1), "answer in a question": counts(good + opt, 1, 1, 0, 0),
             "compression loop": good[:12] + b"\xc0\x0c" + good[-4:],
             "EDNS option past the end": counts(good + opt[:-2] + struct.pack("!3H", 4, 10, 9), 1, 0, 0, 1)}
    for what, wire in cases.items():
        out = udp(r.server(), wire, 2)
        check(out is not None, what + ": no answer")
        check(out[:2] == wire[:2] and out[2] & 0x80, what + ": header", out)
        equal(out[3] & 15, 1, what + ": rcode")
    still_there(r)


@test("NOTIMP for other opcodes; REFUSED for transfers; REFUSED or NOTIMP for CH")
def notimp(r):
    for opcode in (1, 2, 3, 4, 5, 6, 15):
        out = udp(r.server(), query("www.alpha.example", opcode=opcode), 2)
        check(out is not None, "opcode %d: no answer" % opcode)
        equal(out[3] & 15, 4, "opcode %d" % opcode)
        equal(out[2] >> 3 & 15, opcode, "opcode in the answer")
    for qtype in (251, 252):
        for over in ("udp", "tcp"):
            m = r.ask("alpha.example", qtype, over=over)
            check(m is not None and m.rcode == "REFUSED", "type %d" % qtype, m)
    m = r.ask("version.bind", "TXT", qclass=3)
    check(m is not None and m.rcode in ("NOTIMP", "REFUSED"), "class CH", m)


@test("BADVERS for EDNS versions above 0")
def badvers(r):
    for version in (1, 255):
        m = r.ask("www.alpha.example", version=version)
        check(m is not None, "no answer")
        equal(m.rcode, "BADVERS", "version %d" % version)
        check(m.opt is not None and not m.answer, "OPT", m)


@test("EDNS: OPT only when asked, size 1232, unknown options ignored, DO mirrored")
def edns(r):
    m = r.ask("www.alpha.example", edns=None)
    check(m.opt is None, "OPT unasked", m)
    m = r.ask("www.alpha.example", options=struct.pack("!2H", 65001, 3) + b"abc" + struct.pack("!2H", 65002, 0), do=True)
    check(m.opt is not None and m.edns_size == 1232 and m.do, "OPT", m.edns_size, m.do)
    equal(m.data("A"), ["192.0.2.11"], "answer")
    m = r.ask("www.alpha.example", edns=0)
    equal(m.data("A"), ["192.0.2.11"], "a size below 512 counts as 512")


@test("NSID: told when the key is set, to who asks, whatever the answer; never to strangers; CH tells nobody anything")
def nsid(r):
    wanted = struct.pack("!2H", 3, 0)
    told = struct.pack("!2H", 3, 6) + b"node-7"
    equal(r.ask("www.alpha.example", options=wanted).opt, b"", "without the key")
    r.stop()
    r.configure(nsid="node-7")
    r.start()
    try:
        for name in ("www.alpha.example", "new%d.wild.alpha.example" % os.getpid(), "bot.c2.example", "localhost"):
            for over in ("udp", "tcp"):
                m = r.ask(name, over=over, options=wanted)
                check(m.opt.startswith(told), "NSID with " + name, m.opt)
                check(told not in r.ask(name, over=over).opt, "unasked")
        check(told not in r.ask("www.alpha.example", client=r.outsider, options=wanted).wire, "told to a stranger")
        for name in ("version.bind", "version.server", "hostname.bind", "id.server"):
            m = r.ask(name, "TXT", qclass=3)
            equal((m.rcode, m.records(), m.opt), ("REFUSED", set(), b""), name)
    finally:
        r.stop()
        r.configure(nsid="")
        r.start()


@test("flags: RD and CD come back, RA is set, Z is not")
def flags(r):
    m = r.ask("www.alpha.example", cd=True, flags=0x40)
    check(m.flag(CD) and m.flag(RD) and m.flag(RA) and not m.flag(0x40), "flags %04x" % m.flags)
    m = r.ask("www.alpha.example", rd=False)
    check(not m.flag(RD) and m.flag(RA), "flags %04x" % m.flags)


@test("TCP: a hundred questions in one write, all answered, by their IDs")
def pipelining(r):
    names = ["p%d.wild.alpha.example" % (i % 20) for i in range(100)]
    with tcp_open(r.server(), 8) as s:
        s.sendall(b"".join(framed(query(n, qid=i)) for i, n in enumerate(names)))
        seen = {}
        for _ in names:
            out = tcp_read(s)
            check(out is not None, "connection ended after %d answers" % len(seen))
            m = Message(out)
            equal(m.question[0][0], names[m.id], "question of ID %d" % m.id)
            equal(m.data("A"), ["192.0.2.19"], "answer")
            seen[m.id] = 1
        equal(len(seen), 100, "answers")


@test("TCP: a fast answer overtakes a slow one")
def out_of_order(r):
    r.ask("www.alpha.example")
    with tcp_open(r.server(), 8) as s:
        s.sendall(framed(query("order%d.slow.example" % time.time_ns(), qid=1)) + framed(query("www.alpha.example", qid=2)))
        first, second = Message(tcp_read(s)), Message(tcp_read(s))
        equal((first.id, second.id), (2, 1), "order of answers")


@test("TCP: bytes that come one at a time, and a message cut into pieces")
def dribble(r):
    wire = framed(query("www.alpha.example"))
    with tcp_open(r.server()) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for b in wire:
            s.sendall(bytes([b]))
            time.sleep(0.002)
        check(Message(tcp_read(s)).rcode == "NOERROR", "answer")


@test("TCP: a message too short to answer closes the connection, FORMERR does not")
def tcp_bad(r):
    with tcp_open(r.server()) as s:
        s.sendall(framed(query("www.alpha.example", edns=None)[:-3]))
        out = tcp_read(s)
        check(out is not None and out[3] & 15 == 1, "FORMERR", out)
        s.sendall(framed(query("www.alpha.example")))
        check(Message(tcp_read(s)).rcode == "NOERROR", "next question")
    with tcp_open(r.server(), 3) as s:
        s.sendall(b"\0\0")
        check(tcp_read(s) is None, "length 0 was answered")
    still_there(r)


@test("TCP: an idle connection is closed in about 10 seconds", sanitized=False)
def idle(r):
    start = time.monotonic()
    with tcp_open(r.server(), 15) as s:
        check(tcp_read(s) is None, "something was sent")
    took = time.monotonic() - start
    check(8 <= took, "closed after", took)
    in_time(took <= 13, "closed after", took)


@test("TCP: clients that half-close get their answers; clients that vanish harm nobody")
def half_close(r):
    with tcp_open(r.server(), 5) as s:
        s.sendall(framed(query("www.alpha.example")) + framed(query("www.beta.example")))
        s.shutdown(socket.SHUT_WR)
        got = [tcp_read(s), tcp_read(s)]
        check(all(got), "answers after half-close", got)
    for i in range(50):
        s = tcp_open(r.server())
        s.sendall(framed(query("vanish%d.slow.example" % i)))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    still_there(r)


@test("TCP: a client that never reads is cut off and harms nobody")
def never_reads(r):
    s = tcp_open(r.server(), 2)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    wire = framed(query("big.alpha.example", "TXT")) * 64
    r.ask("big.alpha.example", "TXT", over="tcp")
    try:
        for _ in range(400):
            s.sendall(wire)
    except OSError:
        pass
    still_there(r)
    s.close()


@test("all workers answer: questions from many ports")
def workers(r):
    for i in range(64):
        check(r.ask("www.alpha.example") is not None, "question %d" % i)


if __name__ == "__main__":
    harness.main(setup)
