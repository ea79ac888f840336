"""Servers that a test plays itself, on addresses of the lab, in one thread: say(question) gives the reply's bytes, or a list
of several, or None for silence, or (seconds, bytes) for a late one; every question is kept in .asked, in the order of arrival."""
import collections
import heapq
import selectors
import socket
import struct
import threading
import time

from dnsmsg import name_text, received

# source, peer: the resolver's address and port; over: "udp" or "tcp"; question: the question section as it came; rest: what
# stood behind it, an OPT record.
Asked = collections.namedtuple("Asked", "host source peer id qname qtype over question rest")


def record(owner, rtype, data, ttl=300):
    return owner + struct.pack("!HHIH", rtype, 1, ttl, len(data)) + data


def reply(asked, answer=(), authority=(), additional=(), rcode=0, aa=True, tc=False):
    """A message; records as record() makes them."""
    flags = 0x8000 | (0x400 if aa else 0) | (0x200 if tc else 0) | rcode
    head = struct.pack("!6H", asked.id, flags, 1, len(answer), len(authority), len(additional))
    return head + asked.question + b"".join([*answer, *authority, *additional])


class Puppets:
    def __init__(self, lab, hosts, say):
        self.say, self.asked, self.faults, self.late, self.number = say, [], [], [], 0
        self.sel = selectors.DefaultSelector()
        for host in hosts:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                s = socket.socket(socket.AF_INET, kind)
                if kind == socket.SOCK_STREAM:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                else:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
                s.bind((lab.host(host), lab.port))
                s.setblocking(False)
                if kind == socket.SOCK_STREAM:
                    s.listen(64)
                    self.sel.register(s, selectors.EVENT_READ, lambda s=s, h=host: self.accept(s, h))
                else:
                    self.sel.register(s, selectors.EVENT_READ, lambda s=s, h=host: self.datagrams(s, h))
        self.stopping = False
        self.thread = threading.Thread(target=self.work, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join(5)
        for key in list(self.sel.get_map().values()):
            key.fileobj.close()

    def work(self):
        while not self.stopping:
            for key, _ in self.sel.select(0.02):
                try:
                    key.data()
                except OSError as e:
                    self.faults.append(str(e))
            while self.late and self.late[0][0] <= time.monotonic():
                self.send(*heapq.heappop(self.late)[2:])

    def send(self, how, message):
        try:
            how(message)
        except OSError as e:
            self.faults.append(str(e))

    def message(self, wire, host, peer, over, how):
        qname, at = name_text(wire, 12)
        asked = Asked(host, *peer, struct.unpack_from("!H", wire)[0], qname.lower(), struct.unpack_from("!H", wire, at)[0], over,
                      wire[12:at + 4], wire[at + 4:])
        self.asked.append(asked)
        said = self.say(asked)
        if isinstance(said, tuple):
            self.number += 1  # two of one moment: functions have no order
            heapq.heappush(self.late, (time.monotonic() + said[0], self.number, how, said[1]))
        else:
            for out in said if isinstance(said, list) else [said] if said else []:
                self.send(how, out)

    def datagrams(self, s, host):
        for _ in range(64):
            try:
                wire, peer = s.recvfrom(65535)
            except BlockingIOError:
                return
            self.message(wire, host, peer, "udp", lambda out, peer=peer: s.sendto(out, peer))

    def accept(self, s, host):
        c, peer = s.accept()
        c.settimeout(2)  # large answers to one that reads slowly
        state = bytearray()
        self.sel.register(c, selectors.EVENT_READ, lambda: self.stream(c, state, host, peer))

    def stream(self, c, state, host, peer):
        messages, more = received(c, state)
        for wire in messages:
            self.message(wire, host, peer, "tcp", lambda out: c.sendall(struct.pack("!H", len(out)) + out))
        if not more:
            self.sel.unregister(c)
            c.close()
