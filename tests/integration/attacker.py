#!/usr/bin/env python3
"""attacker.py NET PORT DIR: the attackers' name servers of the lab, on NET.201 and up, and the silent
server on NET.24. They answer properly, so that a leak would succeed, and write one line for each datagram,
each TCP connection and each message on one to DIR/packets.log:  TIME SERVER udp|tcp|message QNAME QTYPE

Where a raw socket may be opened (root), DIR/wire.log gets one line for every packet that anybody sends to
the lab's name servers, whatever port or protocol:  TIME SERVER udp|tcp|PROTOCOL PORT QNAME
QNAME is "-" where the packet holds none. DIR/ready is made when all sockets stand."""
import ctypes
import os
import selectors
import socket
import struct
import sys
import time

from dnsmsg import name_text, name_wire, received

# What each zone's servers say. Any other name in the zone has the address STOLEN.
STOLEN = "203.0.113.99"
ZONES = {
    "c2.example": {"ns1": ("A", 201), "ns2": ("A", 202), "": ("NS", "ns1", "ns2")},
    "crimehost.example": {"ns": ("A", 203), "": ("NS", "ns")},
    "hosted.example": {"ns": ("A", 203)}, "partner.example": {}, "looked-up.example": {}, "child.alpha.example": {},
    "mapped.example": {}, "crossing.example": {},
    "byaddr.example": {"ns1": ("A", 205)}, "own-child.alpha.example": {},
    "retry.example": {"ns2": ("A", 206)}, "tcp.example": {"ns1": ("A", 207)}, "slow.example": {"ns1": ("A", 208)},
    "evil6.example": {},
    "canary.example": {"ns1": ("A", 210), "": ("NS", "ns1")},
}
SERVERS = (201, 202, 203, 205, 206, 207, 208, 210)
SILENT, TRUNCATES, SLOW = 24, 207, 208


def record(owner, rtype, data):
    return owner + struct.pack("!HHIH", rtype, 1, 300, len(data)) + data


def answer(msg, net, host, over_tcp):
    """The reply to msg, or None for what is no question."""
    if len(msg) < 17 or msg[2] & 0x80:
        return None
    qname, at = name_text(msg, 12)
    qtype, = struct.unpack_from("!H", msg, at)
    question, owner, name = msg[12:at + 4], msg[12:at], qname.lower()
    if host == TRUNCATES and not over_tcp:
        return msg[:2] + struct.pack("!5H", 0x8600, 1, 0, 0, 0) + question
    zone = max((z for z in ZONES if name == z or name.endswith("." + z)), key=len, default=None)
    if zone is None:
        return msg[:2] + struct.pack("!5H", 0x8005, 1, 0, 0, 0) + question
    rest = name[:-len(zone)].rstrip(".")
    what = ZONES[zone].get(rest)
    answers, authority, extra = [], [], []
    if name == "in-answer.canary.example":  # the listed target's address comes along unasked
        target = name_wire("www.c2.example")
        answers = [record(owner, 5, target), record(target, 1, socket.inet_aton(STOLEN))]
    elif name.endswith("sub.canary.example"):  # a referral to listed servers, with glue
        target = name_wire("ns1.c2.example")
        authority = [record(name_wire("sub.canary.example"), 2, target)]
        extra = [record(target, 1, socket.inet_aton("%s.201" % net))]
    elif what and what[0] == "NS" and qtype == 2:
        answers = [record(owner, 2, name_wire(x + "." + zone)) for x in what[1:]]
    elif what and what[0] == "A" and qtype == 1:
        answers = [record(owner, 1, socket.inet_aton("%s.%d" % (net, what[1])))]
    elif qtype == 1 and not what:
        answers = [record(owner, 1, socket.inet_aton(STOLEN))]
    elif qtype == 28 and zone == "evil6.example" and rest == "ns1":
        answers = [record(owner, 28, socket.inet_pton(socket.AF_INET6, "::1"))]
    elif qtype == 16:
        answers = [record(owner, 16, b"\6stolen")]
    if not answers and not authority:
        soa = name_wire("ns1." + zone) + name_wire("lab.example") + struct.pack("!5I", 1, 3600, 600, 86400, 60)
        authority = [record(name_wire(zone), 6, soa)]
    flags = 0x8000 if extra else 0x8400
    counts = struct.pack("!5H", flags | msg[2] & 1 << 8, 1, len(answers), len(authority), len(extra))
    return msg[:2] + counts + question + b"".join(answers + authority + extra)


class Attacker:
    def __init__(self, net, port, folder):
        self.net, self.port = net, port
        self.log = open(os.path.join(folder, "packets.log"), "a", buffering=1)
        self.sel = selectors.DefaultSelector()
        self.later = []  # (time, function)
        for host in SERVERS + (SILENT,):
            self.listen(socket.AF_INET, "%s.%d" % (net, host), host)
        if socket.has_ipv6:
            try:
                self.listen(socket.AF_INET6, "::1", 6)
            except OSError as e:
                print("no server on ::1: %s" % e, file=sys.stderr)

    def listen(self, family, address, host):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            s = socket.socket(family, kind)
            if kind == socket.SOCK_STREAM:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((address, self.port))
            s.setblocking(False)
            if kind == socket.SOCK_STREAM:
                s.listen(64)
                self.sel.register(s, selectors.EVENT_READ, lambda s=s: self.accept(s, address, host))
            else:
                self.sel.register(s, selectors.EVENT_READ, lambda s=s: self.datagram(s, address, host))

    def note(self, address, transport, msg):
        self.log.write("%.6f %s %s %s\n" % (time.time(), address, transport, question_text(msg)))

    def datagram(self, s, address, host):
        msg, peer = s.recvfrom(65535)
        self.note(address, "udp", msg)
        self.reply(host, msg, False, lambda out: s.sendto(out, peer))

    def reply(self, host, msg, over_tcp, send):
        try:
            out = None if host == SILENT else answer(msg, self.net, host, over_tcp)
        except (IndexError, ValueError, struct.error):
            out = None
        if out is None:
            return
        if host == SLOW or host == TRUNCATES and not over_tcp:
            self.later.append((time.monotonic() + (1.0 if host == SLOW else 0.5), lambda: send(out)))
        else:
            send(out)

    def accept(self, s, address, host):
        c, _ = s.accept()
        c.setblocking(False)
        self.note(address, "tcp", b"")
        state = bytearray()
        self.sel.register(c, selectors.EVENT_READ, lambda: self.stream(c, state, address, host))

    def stream(self, c, state, address, host):
        messages, more = received(c, state)
        for msg in messages:
            self.note(address, "message", msg)
            self.reply(host, msg, True, lambda out: c.sendall(struct.pack("!H", len(out)) + out))
        if not more:
            self.sel.unregister(c)
            c.close()

    def run_later(self):
        now = time.monotonic()
        due = [f for t, f in self.later if t <= now]
        self.later = [x for x in self.later if x[0] > now]
        for f in due:
            try:
                f()
            except OSError:
                pass
        return 0.05 if self.later else None

    def run(self, wire):
        if wire:
            self.sel.register(wire.socket, selectors.EVENT_READ, wire.packet)
        while True:
            for key, _ in self.sel.select(self.run_later()):
                try:
                    key.data()
                except OSError as e:
                    print("attacker: %s" % e, file=sys.stderr)


def question_text(msg):
    try:
        name, at = name_text(msg, 12)
        return "%s %d" % (name.lower(), struct.unpack_from("!H", msg, at)[0])
    except (IndexError, ValueError, struct.error):
        return "- 0"


class Wire:
    """Sees every packet to the lab's name servers, as the kernel hands it to them."""

    def __init__(self, net, port, folder):
        self.port = port
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        # Only IPv4 packets to NET.0/24 (classic BPF): load on other loopback addresses is not ours.
        number = struct.unpack("!I", socket.inet_aton(net + ".0"))[0]
        code = [(0x20, 0, 0, 16), (0x54, 0, 0, 0xffffff00), (0x15, 0, 1, number), (0x6, 0, 0, 0xffff), (0x6, 0, 0, 0)]
        insns = b"".join(struct.pack("HBBI", *c) for c in code)
        buf = ctypes.create_string_buffer(insns)
        program = struct.pack("HL", len(code), ctypes.addressof(buf))
        self.socket.setsockopt(socket.SOL_SOCKET, 26, program)  # SO_ATTACH_FILTER
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("lo", 0x0800))
        self.log = open(os.path.join(folder, "wire.log"), "a", buffering=1)

    def packet(self):
        p, address = self.socket.recvfrom(65535)
        if address[2] == 4 or len(p) < 20:  # PACKET_OUTGOING: the same packet comes again, incoming
            return
        head = (p[0] & 15) * 4
        server, protocol = socket.inet_ntoa(p[16:20]), p[9]
        host = int(server.rsplit(".", 1)[1])
        if protocol not in (6, 17) or len(p) < head + 8:
            self.log.write("%.6f %s %d 0 -\n" % (time.time(), server, protocol))
            return
        source, port = struct.unpack_from("!2H", p, head)
        if 100 <= host < 200 or host in SERVERS and port != self.port and source == self.port:
            return  # the resolver and its clients; a server's own answer to itself
        body = p[head + 8:] if protocol == 17 else p[head + (p[head + 12] >> 4) * 4 + 2:]
        self.log.write("%.6f %s %s %d %s\n" % (time.time(), server, "udp" if protocol == 17 else "tcp", port,
                                               question_text(body).split()[0]))


def main():
    net, port, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    try:
        attacker = Attacker(net, port, folder)
    except OSError as e:
        sys.exit("attacker: cannot listen on %s.x port %d: %s" % (net, port, e.strerror))
    try:
        wire = Wire(net, port, folder)
    except OSError:
        wire = None
    open(os.path.join(folder, "ready"), "w").close()
    attacker.run(wire)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
