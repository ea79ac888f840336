#!/usr/bin/env python3
"""sinkhole-hits export --to: syslog over UDP, TCP and TLS, dnstap over Frame Streams; collectors that lie, die and come back."""
import contextlib
import datetime
import ipaddress
import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
import warnings

import harness
from harness import Skip, check, equal, test
from lab import die_with_parent, free_port, wait_for
from made_log import setup, uid

SESSION_ROWS = 1 << 14  # tools/hits_export.c: what may come twice after a broken connection


# ---- certificates ----

class Authority:
    """Makes certificates; one that nobody trusts is another Authority."""

    def __init__(self, folder, name):
        try:
            from cryptography import x509
            from cryptography.hazmat.primitives import hashes, serialization
            from cryptography.hazmat.primitives.asymmetric import ec
        except ImportError:
            raise Skip("no python3-cryptography")
        self.x509, self.hashes, self.serialization, self.ec = x509, hashes, serialization, ec
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.cert = self.sign(name, self.key.public_key(), authority=True)
        self.file = os.path.join(folder, name + ".ca.pem")
        open(self.file, "wb").write(self.cert.public_bytes(serialization.Encoding.PEM))

    def sign(self, name, public, alt=(), authority=False, days=10):
        x509, now = self.x509, datetime.datetime.utcnow()
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        issuer = subject if authority else self.cert.subject
        b = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
             .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=20))
             .not_valid_after(now + datetime.timedelta(days=days))
             .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True))
        if alt:
            b = b.add_extension(x509.SubjectAlternativeName(list(alt)), critical=False)
        return b.sign(self.key, self.hashes.SHA256())

    def server(self, name, days=10):
        """A file with a certificate for that name or address, and its key."""
        key, x509, s = self.ec.generate_private_key(self.ec.SECP256R1()), self.x509, self.serialization
        try:
            alt = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            alt = x509.DNSName(name)
        cert = self.sign(name, key.public_key(), [alt], days=days)
        path = os.path.join(self.folder, "%s-%s-%d.pem" % (self.name, name, days))
        with open(path, "wb") as f:
            f.write(cert.public_bytes(s.Encoding.PEM))
            f.write(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.TraditionalOpenSSL, s.NoEncryption()))
        return path


# ---- collectors ----

class Collector:
    """Takes TCP connections, over TLS with a certificate, and keeps what each one sent. break_at: the first connections end
    with a reset after so many bytes."""

    def __init__(self, cert=None, break_at=(), clients=None, port=0, bye=True):
        self.break_at, self.bye = list(break_at), bye
        self.streams, self.errors = [], []
        self.tls = None
        if cert:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(cert)
            if clients:
                self.tls.verify_mode = ssl.CERT_REQUIRED
                self.tls.load_verify_locations(clients)
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(8)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)

    def work(self):
        while True:
            try:
                c = self.listener.accept()[0]
            except OSError:
                return
            c.settimeout(20)
            try:
                self.take(c)
            except (OSError, ValueError) as e:
                self.errors.append(e)
            finally:
                c.close()

    def take(self, c):
        end = self.break_at.pop(0) if self.break_at else None
        if self.tls:
            c = self.tls.wrap_socket(c, server_side=True)
        data = bytearray()
        self.streams.append(data)
        while end is None or len(data) < end:
            got = c.recv(65536)
            if not got:
                if self.tls and self.bye:
                    c.unwrap()
                c.close()
                return
            data += got
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.close()

    def messages(self):
        """Of all connections, those that came whole."""
        return [m for s in self.streams for m in counted(bytes(s))]


def counted(data):
    """Octet counting, RFC 6587."""
    at, count = 0, re.compile(rb"([1-9]\d*) ")
    while at < len(data):
        m = count.match(data, at)
        if not m:
            check(len(data) - at < 8 and data[at:].isdigit(), "framing", data[at:at + 80])
            return
        at = m.end() + int(m.group(1))
        if at <= len(data):
            yield data[m.end():at]


SYSLOG = re.compile(r"<133>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([!-~]{1,255}) sinkholed - hit "
                    r'\[timeQuality tzKnown="1" isSynced="([01])"\]\[meta sequenceId="(\d+)"\] (.*)', re.S)


def opened(message):
    """time, node, number and what was sent, of an RFC 5424 message."""
    m = SYSLOG.fullmatch(message.decode())
    check(m and "\n" not in m.group(5), "RFC 5424", message)
    return m.group(1), m.group(2), int(m.group(4)), m.group(5)


def ids(messages):
    return [re.search(r"externalId=(\S+)", opened(m)[3]).group(1) for m in messages]


def send(log, where, *more, name="cef"):
    return log.ask("export", "--format", name, "--key", log.key, "--to", where, *log.hits, *more)


@contextlib.contextmanager
def following(log, *argv):
    p = subprocess.Popen([log.program("sinkhole-hits"), "export", "--follow", "--key", log.key, *argv], stderr=subprocess.PIPE,
                         text=True, preexec_fn=die_with_parent)
    try:
        yield p
    finally:
        if p.poll() is None:
            p.send_signal(signal.SIGINT)
        p.said = p.communicate(timeout=30)[1]


# ---- syslog ----

@test("CEF over syslog by UDP: a datagram each, numbered")
def udp(log):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        s.settimeout(5)
        equal(send(log, "udp:127.0.0.1@%d" % s.getsockname()[1], "--limit", "100")[0], 0, "status")
        got = [opened(s.recv(65536)) for _ in range(100)]
    equal([g[2] for g in got], list(range(1, 101)), "numbers")
    for h, (at, node, _, text) in zip(log.shown, got):
        equal((at, node), (h["time"], h["node"]), "heading")
        check(text.startswith("CEF:0|") and "evidence\\=dns-only" in text and "dhost=" + h["qname"] in text, "CEF", text)


@test("over TCP with octet counting: all of it, and only then the place moves")
def tcp(log):
    at = os.path.join(log.folder, "place-tcp")
    with Collector() as c:
        for name in ("cef", "json", "ocsf", "ecs", "misp"):
            del c.streams[:]
            equal(send(log, "tcp:127.0.0.1@%d" % c.port, name=name)[0], 0, name)
            equal(len(c.messages()), len(log.shown), name)
            check(all(b"dns-only" in m for m in c.messages()), "evidence in " + name)
            if name == "json":
                equal([uid(json.loads(opened(m)[3])) for m in c.messages()], [uid(h) for h in log.shown], "records")
        del c.streams[:]
        where = "tcp:localhost@%d" % c.port
        for n in (700, 1, 5000):
            equal(send(log, where, "--place", at, "--limit", str(n))[0], 0, "with a place")
        equal(ids(c.messages()), [uid(h) for h in log.shown], "nothing twice")
    status, _, said = send(log, where)
    check(status == 2 and "cannot connect" in said and "0 records" in said, "nobody there", status, said)


@test("over TLS 1.2 and 1.3 to who has a certificate of that authority and that name")
def tls(log):
    ca = Authority(log.folder, "good")
    for bye in (True, False):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with Collector(ca.server("127.0.0.1"), bye=bye) as c:
                c.tls.minimum_version = c.tls.maximum_version = version
                status, _, said = send(log, "tls:127.0.0.1@%d" % c.port, "--ca", ca.file)
                equal((status, said), (0, ""), "%s, bye %s" % (version.name, bye))
                equal(ids(c.messages()), [uid(h) for h in log.shown], "records")
    with Collector(ca.server("collector.example")) as c:
        equal(send(log, "tls:127.0.0.1@%d" % c.port, "--ca", ca.file, "--tls-name", "collector.example", "--limit", "3")[0], 0, "by name")
        equal(len(c.messages()), 3, "records")
    with Collector(ca.server("127.0.0.1"), clients=ca.file) as c:
        where = "tls:127.0.0.1@%d" % c.port, "--ca", ca.file, "--limit", "3"
        check(send(log, *where)[0] == 2 and not c.messages(), "a collector that wants to know us", c.messages())
        equal(send(log, *where, "--cert", ca.server("node.example"))[0], 0, "who we are")
        equal(len(c.messages()), 3, "records")


@test("a wrong certificate is refused before a byte of any record leaves")
def refused(log):
    ca, other = Authority(log.folder, "right"), Authority(log.folder, "wrong")
    wrong = {"another authority": other.server("127.0.0.1"), "another name": ca.server("192.0.2.1"),
             "a name for an address": ca.server("collector.example"), "expired": ca.server("127.0.0.1", days=-1)}
    for what, cert in wrong.items():
        with Collector(cert) as c:
            status, _, said = send(log, "tls:127.0.0.1@%d" % c.port, "--ca", ca.file)
            check(status == 2 and "cannot trust" in said, what, status, said)
        equal(b"".join(c.streams), b"", what)
    with Collector(ca.server("127.0.0.1")) as c:
        check(send(log, "tls:127.0.0.1@%d" % c.port)[0] == 2 and not b"".join(c.streams), "the system's authorities")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            c.tls.maximum_version = c.tls.minimum_version = ssl.TLSVersion.TLSv1_1
        c.tls.set_ciphers("ALL:@SECLEVEL=0")
        check(send(log, "tls:127.0.0.1@%d" % c.port, "--ca", ca.file)[0] == 2 and not b"".join(c.streams), "TLS 1.1")


@test("a collector that dies and comes back: nothing lost, what comes twice has the same id")
def comes_back(log):
    ca, at = Authority(log.folder, "again"), os.path.join(log.folder, "place-again")
    for cert in (None, ca.server("127.0.0.1")):
        with contextlib.suppress(OSError):
            os.unlink(at)
        with Collector(cert, break_at=[1000, 300000]) as c:
            where = "tls:127.0.0.1@%d" % c.port if cert else "tcp:127.0.0.1@%d" % c.port
            more = ["--ca", ca.file] if cert else []
            with following(log, "--format", "cef", "--to", where, "--place", at, *more, *log.hits) as p:
                check(wait_for(lambda: os.path.exists(at), 30), "a settled place")
        check("trying again" in p.said and "takes records again" in p.said, "said", p.said)
        equal(p.returncode, 0, "status " + p.said)
        all_ids, wanted = ids(c.messages()), [uid(h) for h in log.shown]
        equal(sorted(set(all_ids)), sorted(wanted), "every record")
        equal(ids(counted(bytes(c.streams[-1]))), wanted, "the last connection has all since the last settled record")
        twice = len(all_ids) - len(wanted)
        check(0 < twice <= 2 * len(wanted), "some came twice", twice)


@test("more than a session holds: what comes twice is bounded by it")
def bounded(log):
    folder = os.path.join(log.folder, "large")
    log.make(folder, 3 * SESSION_ROWS)
    hits = os.path.join(folder, "hits")
    with Collector() as c:
        c.break_at = [1 << 40, 1 << 20]  # the second connection breaks after some 2,000 records
        with following(log, "--format", "cef", "--to", "tcp:127.0.0.1@%d" % c.port, "--limit", str(3 * SESSION_ROWS), "--hits", hits) as p:
            equal(p.wait(60), 0, "status")
    sizes = [len(list(counted(bytes(s)))) for s in c.streams]
    all_ids = ids(c.messages())
    equal(sizes[0], SESSION_ROWS, "the first session")
    equal(len(set(all_ids)), 3 * SESSION_ROWS, "every record")
    equal(len(all_ids) - len(set(all_ids)), sizes[1], "twice: what the broken connection had taken")
    return "%d of %d came twice" % (sizes[1], 3 * SESSION_ROWS)


@test("a collector that takes nothing holds up the export, which ends all the same when it is told to")
def stalled(log):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(1)
        with following(log, "--format", "cef", "--to", "tcp:127.0.0.1@%d" % s.getsockname()[1], *log.hits) as p:
            c = s.accept()[0]
            time.sleep(0.5)
            check(p.poll() is None, "still there")
            p.send_signal(signal.SIGINT)
            status = p.wait(30)
            c.close()
        equal(status, 0, "status")


@test("what --to cannot be is told")
def wrong(log):
    for where in ("127.0.0.1@514", "tcp:127.0.0.1", "tcp:@1", "udp:127.0.0.1@0", "tls:h@65536", "unix:", "unix:" + "x" * 200):
        equal(send(log, where)[0], 2, where)
    for name in ("tsv", "shadowserver", "stix"):
        equal(send(log, "tcp:127.0.0.1@9", name=name)[0], 2, name)
    equal(send(log, "udp:127.0.0.1@9", name="dnstap")[0], 2, "dnstap over UDP")
    equal(send(log, "tcp:127.0.0.1@9", "--ca", "/dev/null")[0], 2, "--ca without tls:")
    equal(send(log, "tls:127.0.0.1@9", "--ca", "/dev/null")[0], 2, "no authorities")
    equal(log.ask("export", "--key", log.key, "--ca", "x", *log.hits)[0], 2, "--ca without --to")


# ---- dnstap ----

def fields(data):
    """A protobuf message as {number: value}: varints, fixed32 and bytes."""
    out, at = {}, 0

    def varint():
        nonlocal at
        v = shift = 0
        while True:
            b = data[at]
            at += 1
            v |= (b & 0x7f) << shift
            shift += 7
            if b < 0x80:
                return v
    while at < len(data):
        key = varint()
        check(key >> 3 not in out, "field twice", key >> 3)
        if key & 7 == 0:
            value = varint()
        elif key & 7 == 5:
            value, at = struct.unpack_from("<I", data, at)[0], at + 4
        else:
            equal(key & 7, 2, "wire type")
            n = varint()
            value, at = data[at:at + n], at + n
            equal(len(value), n, "length")
        out[key >> 3] = value
    return out


def frames(data):
    """Data frames of a Frame Streams file that begins and ends as it should."""
    at, out, control = 0, [], []
    while at < len(data):
        n, at = struct.unpack_from(">I", data, at)[0], at + 4
        if n:
            out.append(data[at:at + n])
        else:
            n, at = struct.unpack_from(">I", data, at)[0], at + 4
            control.append(data[at:at + n])
        at += n
    content = b"protobuf:dnstap.Dnstap"
    equal(control, [struct.pack(">III", 2, 1, len(content)) + content, struct.pack(">I", 3)], "START and STOP")
    return out


def wire(name):
    return b"".join(bytes([len(x)]) + x.encode() for x in name.rstrip(".").split(".") if x) + b"\0"


def dnstap_file(log, *more):
    path = os.path.join(log.folder, "hits.dnstap")
    with open(path, "wb") as f:
        subprocess.run([log.program("sinkhole-hits"), "export", "--format", "dnstap", *more, *log.hits], stdout=f, check=True, timeout=60)
    return path


@test("dnstap: every field of every hit, the policy's among them; numbers as dnstap.proto has them")
def dnstap_fields(log):
    ends = ["--purpose", "abuse", "--case", "17"], ["--key", log.key]
    hidden = [h["client"] for h in log.lines("json")]
    for shown, more in zip((True, False), ends):
        got = frames(open(dnstap_file(log, *more), "rb").read())
        equal(len(got), len(log.shown), "frames")
        for h, pseudonym, frame in zip(log.shown, hidden, got):
            tap = fields(frame)
            equal((tap[15], tap[1].decode(), tap[2].split()[0]), (1, h["node"], b"sinkholed"), "type, identity, version")
            extra = json.loads(tap[3])
            equal((extra["evidence"], extra["uid"], extra["count"], extra.get("case")), ("dns-only", uid(h), h["count"], "17" if shown else None), "extra")
            m = fields(tap[14])
            client = ipaddress.ip_address(h["client"] if shown else pseudonym)
            listener = ipaddress.ip_address(h["listener"])
            if client.version == 6 and listener.version == 4:
                listener = ipaddress.ip_address("::ffff:" + h["listener"])
            second, part = int(datetime.datetime.fromisoformat(h["time"][:19] + "+00:00").timestamp()), int(h["time"][20:26]) * 1000
            query = struct.pack(">6H", 0, 0x100, 1, 0, 0, 0) + wire(h["qname"]) + struct.pack(">2H", {"A": 1, "AAAA": 28}[h["qtype"]], 1)
            want = {1: 5, 2: 1 if client.version == 4 else 2, 3: 1 if h["transport"] == "udp" else 2, 4: client.packed, 5: listener.packed,
                    7: h["listener_port"], 8: second, 9: part, 10: query}
            if shown:
                want[6] = h["client_port"]
            policy = fields(m.pop(15))
            equal(m, want, "message")
            action = {"nxdomain": 1, "nodata": 2, "monitor": 3, "drop": 4, "tcp-only": 5}.get(h["action"], 6)
            equal(policy, {1: b"RPZ", 2: wire(h["matched"]), 3: action, 4: 1, 5: wire(h["qname"])}, "policy")


@test("real readers of dnstap take the file: fstrm_dump, dnstap-read, dnstap-ldns")
def dnstap_readers(log):
    path = dnstap_file(log, "--purpose", "abuse", "--case", "17")
    have = [x for x in ("fstrm_dump", "dnstap-read", "dnstap-ldns") if shutil.which(x)]
    read = lambda x: subprocess.run([x, *(["-r"] if x == "dnstap-ldns" else []), path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True, timeout=60)
    out = {x: read(x).stdout for x in have}
    if "fstrm_dump" in out:
        equal(out["fstrm_dump"].count(b"Data frame ("), len(log.shown), "fstrm_dump")
    if "dnstap-read" in out:
        lines = out["dnstap-read"].decode().splitlines()
        equal(len(lines), len(log.shown), "dnstap-read")
        for h, line in zip(log.shown, lines):
            check("CQ %s:%d -> " % (h["client"], h["client_port"]) in line and line.endswith("%s/IN/%s" % (h["qname"], h["qtype"])), "dnstap-read", h, line)
    if "dnstap-ldns" in out:
        equal([x.split()[6].strip('".') for x in out["dnstap-ldns"].decode().splitlines()], [h["qname"] for h in log.shown], "dnstap-ldns")
    if len(have) < 3:
        raise Skip("only %s installed" % (", ".join(have) or "none of them"))


@contextlib.contextmanager
def fstrm_capture(*argv):
    if not shutil.which("fstrm_capture"):
        raise Skip("no fstrm_capture")
    p = subprocess.Popen(["fstrm_capture", "-t", "protobuf:dnstap.Dnstap", *argv], stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
    try:
        yield p
    finally:
        p.terminate()
        p.wait(20)


def taken(path):
    return [json.loads(fields(x)[3])["uid"] for x in frames(open(path, "rb").read())]


@test("dnstap to fstrm_capture, over a unix socket and TCP: the place moves when it has said FINISH")
def capture(log):
    sock, at = os.path.join(log.folder, "dnstap.sock"), os.path.join(log.folder, "place-dnstap")
    out = os.path.join(log.folder, "captured")
    with fstrm_capture("-u", sock, "-w", out + ".1"):
        check(wait_for(lambda: os.path.exists(sock), 10), "fstrm_capture")
        with following(log, "--format", "dnstap", "--to", "unix:" + sock, "--place", at, "--limit", "700", *log.hits) as p:
            equal(p.wait(30), 0, "status")
    equal(taken(out + ".1"), [uid(h) for h in log.shown[:700]], "the first")
    with following(log, "--format", "dnstap", "--to", "unix:" + sock, "--place", at, *log.hits) as p:
        before = open(at).read()
        time.sleep(0.5)  # nobody listens
        equal(open(at).read(), before, "the place")
        os.unlink(sock)
        with fstrm_capture("-u", sock, "-w", out + ".2"):
            check(wait_for(lambda: open(at).read() != before, 30), "the rest")
    check("trying again" in p.said, "said", p.said)
    equal(taken(out + ".2"), [uid(h) for h in log.shown[700:]], "the rest")
    port = free_port()
    with fstrm_capture("-a", "127.0.0.1", "-p", str(port), "-w", out + ".3"):
        check(wait_for(lambda: send(log, "tcp:127.0.0.1@%d" % port, name="dnstap")[0] == 0, 15), "an export by TCP")
    equal(taken(out + ".3"), [uid(h) for h in log.shown], "by TCP")


if __name__ == "__main__":
    harness.main(setup)
