"""DNS messages for the tests: enough to ask anything and to read what comes back. Standard
library only, and apart from the resolver's own code on purpose: it must not share its mistakes."""
import ipaddress
import os
import socket
import struct

TYPES = dict(A=1, NS=2, CNAME=5, SOA=6, PTR=12, MX=15, TXT=16, AAAA=28, SRV=33, DNAME=39, OPT=41, DS=43,
             RRSIG=46, NSEC=47, DNSKEY=48, SVCB=64, HTTPS=65, AXFR=252, ANY=255)
TYPE_NAMES = {v: k for k, v in TYPES.items()}
RCODES = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN"]
RCODE_NAMES = dict(enumerate(RCODES)) | {16: "BADVERS"}
QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x400, 0x200, 0x100, 0x80, 0x20, 0x10


def type_number(t):
    if isinstance(t, int):
        return t
    return TYPES[t] if t in TYPES else int(t[4:])


def type_name(n):
    return TYPE_NAMES.get(n, "TYPE%d" % n)


def name_wire(text):
    """Presentation form, "\\DDD" escapes too, to wire form; bytes are taken as wire already."""
    if isinstance(text, bytes):
        return text
    labels, label, i = [], bytearray(), 0
    if text not in (".", ""):
        text = text if text.endswith(".") else text + "."
        while i < len(text):
            if text[i] == "\\" and text[i + 1:i + 4].isdigit():
                label.append(int(text[i + 1:i + 4]))
                i += 4
            elif text[i] == "\\":
                label.append(ord(text[i + 1]))
                i += 2
            elif text[i] == ".":
                labels.append(bytes(label))
                label = bytearray()
                i += 1
            else:
                label += text[i].encode()
                i += 1
    return b"".join(bytes([len(x)]) + x for x in labels) + b"\0"


def name_text(wire, at):
    """The name at wire[at:] as text (case kept, no final dot but for the root) and the offset behind it."""
    labels, after, hops = [], None, 0
    while True:
        n = wire[at]
        if n & 0xc0 == 0xc0:
            after = after or at + 2
            at = struct.unpack_from("!H", wire, at)[0] & 0x3fff
            hops += 1
            if hops > 64:
                raise ValueError("compression loop")
            continue
        at += 1
        if n == 0:
            break
        label = wire[at:at + n]
        labels.append("".join(chr(c) if 33 <= c < 127 and chr(c) not in '.\\"' else "\\%03d" % c for c in label))
        at += n
    return ".".join(labels) or ".", after or at


def query(name, qtype="A", *, qid=None, rd=True, cd=False, ad=False, do=False, edns=1232, version=0, options=b"",
          opcode=0, qclass=1, flags=0):
    """One question. edns None: without an OPT record."""
    qid = int.from_bytes(os.urandom(2), "big") if qid is None else qid
    flags |= (RD if rd else 0) | (CD if cd else 0) | (AD if ad else 0) | opcode << 11
    m = struct.pack("!6H", qid, flags, 1, 0, 0, 0 if edns is None else 1)
    m += name_wire(name) + struct.pack("!2H", type_number(qtype), qclass)
    if edns is not None:
        m += b"\0" + struct.pack("!HHIH", 41, edns, version << 16 | (0x8000 if do else 0), len(options)) + options
    return m


class RR:
    def __init__(self, name, rtype, rclass, ttl, data):
        self.name, self.type, self.rclass, self.ttl, self.data = name, rtype, rclass, ttl, data

    def __repr__(self):
        return "%s %s %s" % (self.name, type_name(self.type), self.data)


def rdata_text(wire, at, n, rtype):
    raw = wire[at:at + n]
    if rtype == 1:
        return socket.inet_ntop(socket.AF_INET, raw)
    if rtype == 28:
        return socket.inet_ntop(socket.AF_INET6, raw)
    if rtype in (2, 5, 12, 39):
        return name_text(wire, at)[0]
    if rtype == 15:
        return "%d %s" % (struct.unpack_from("!H", raw)[0], name_text(wire, at + 2)[0])
    if rtype == 33:
        return "%d %d %d %s" % (*struct.unpack_from("!3H", raw), name_text(wire, at + 6)[0])
    if rtype == 6:
        mname, p = name_text(wire, at)
        rname, p = name_text(wire, p)
        return "%s %s %d %d %d %d %d" % (mname, rname, *struct.unpack_from("!5I", wire, p))
    if rtype == 16:
        out, i = [], 0
        while i < n:
            out.append(raw[i + 1:i + 1 + raw[i]].decode("latin-1"))
            i += 1 + raw[i]
        return " ".join(out)
    return raw.hex()


class Message:
    def __init__(self, wire):
        self.wire = wire
        self.id, self.flags, qd, an, ns, ar = struct.unpack_from("!6H", wire)
        self.rcode_number = self.flags & 15
        self.question, self.sections, self.opt, self.ede, self.edns_size, self.do = [], [], None, [], None, False
        at = 12
        for _ in range(qd):
            n, at = name_text(wire, at)
            t, c = struct.unpack_from("!2H", wire, at)
            at += 4
            self.question.append((n, t, c))
        for count in (an, ns, ar):
            rrs = []
            for _ in range(count):
                n, at = name_text(wire, at)
                t, c, ttl, length = struct.unpack_from("!HHIH", wire, at)
                at += 10
                if at + length > len(wire):
                    raise ValueError("RDATA past the end")
                if t == 41:
                    self._read_opt(c, ttl, wire[at:at + length])
                else:
                    rrs.append(RR(n, t, c, ttl, rdata_text(wire, at, length, t)))
                at += length
            self.sections.append(rrs)
        if at != len(wire):
            raise ValueError("%d bytes too many" % (len(wire) - at))
        self.answer, self.authority, self.additional = self.sections

    def _read_opt(self, size, ttl, data):
        if self.opt is not None:
            raise ValueError("two OPT records")
        self.opt, self.edns_size, self.do = data, size, bool(ttl & 0x8000)
        self.rcode_number |= ttl >> 24 << 4
        i = 0
        while i < len(data):
            code, n = struct.unpack_from("!2H", data, i)
            if code == 15:
                self.ede.append((struct.unpack_from("!H", data, i + 4)[0], data[i + 6:i + 4 + n].decode("utf-8", "replace")))
            i += 4 + n

    @property
    def rcode(self):
        return RCODE_NAMES.get(self.rcode_number, str(self.rcode_number))

    def flag(self, bit):
        return bool(self.flags & bit)

    def records(self, section="answer"):
        """{"name TYPE data"}, names in lower case."""
        return {"%s %s %s" % (r.name.lower(), type_name(r.type), r.data) for r in getattr(self, section)}

    def data(self, rtype):
        return sorted(r.data for r in self.answer if r.type == type_number(rtype))

    def __repr__(self):
        return "%s flags %04x %s | %s | %s ede %s" % (self.rcode, self.flags, self.answer, self.authority,
                                                     self.additional, self.ede)


def family(address):
    return socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET


def udp(server, wire, timeout=3.0, source=None):
    """Sends one datagram; the bytes of the first answer, or None."""
    with socket.socket(family(server[0]), socket.SOCK_DGRAM) as s:
        if source:
            s.bind(source)
        s.settimeout(timeout)
        s.connect(server)
        s.send(wire)
        try:
            return s.recv(65535)
        except (TimeoutError, ConnectionRefusedError):
            return None


def tcp_open(server, timeout=3.0, source=None):
    s = socket.socket(family(server[0]), socket.SOCK_STREAM)
    s.settimeout(timeout)
    if source:
        s.bind(source)
    s.connect(server)
    return s


def tcp_read(s):
    """One message, or None when the peer closed or nothing came in time."""
    buf = b""
    want = 2
    while len(buf) < want:
        try:
            got = s.recv(want - len(buf))
        except (TimeoutError, ConnectionResetError):
            return None
        if not got:
            return None
        buf += got
        if len(buf) == 2 and want == 2:
            want = 2 + struct.unpack("!H", buf)[0]
    return buf[2:]


def framed(wire):
    return struct.pack("!H", len(wire)) + wire


def received(c, state):
    """What has come over a TCP connection behind the bytes in state: its whole messages, and whether more may come."""
    try:
        got = c.recv(65535)
    except OSError:
        got = b""
    state += got
    messages = []
    while len(state) >= 2 and len(state) >= 2 + struct.unpack_from("!H", state)[0]:
        n = struct.unpack_from("!H", state)[0]
        messages.append(bytes(state[2:2 + n]))
        del state[:2 + n]
    return messages, bool(got)


def tcp(server, wire, timeout=3.0, source=None):
    try:
        with tcp_open(server, timeout, source) as s:
            s.sendall(framed(wire))
            return tcp_read(s)
    except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError, TimeoutError):
        return None
