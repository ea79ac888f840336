#!/usr/bin/env python3
"""Lists that follow zones: sinkhole-blocklist follow beside real primaries (NSD, BIND, Knot) and beside ones that lie."""
import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import harness
from dnsmsg import name_wire
from harness import Skip, check, equal, test

ZONE, KEY, SECRET = "rpz.example", "transfer.example", base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER = base64.b64encode(b"another secret of thirty-two byte").decode()
SOA = "@ 60 IN SOA ns.example. op.example. %d %d %d %d 60\n@ 60 IN NS ns.example.\n"
RULES = ["bad.example.net CNAME .", "*.bad.example.net CNAME .", "www.bad.example.net CNAME rpz-passthru.",
         "data.example.net A 192.0.2.7", "data.example.net A 192.0.2.8", "32.9.113.0.203.rpz-ip CNAME ."]


def free_port():
    with contextlib.ExitStack() as stack:  # free for both
        while True:
            tcp = stack.enter_context(socket.socket())
            tcp.bind(("127.0.0.1", 0))
            udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", tcp.getsockname()[1]))
                return tcp.getsockname()[1]


def until(what, seconds, ready, *details):
    end = time.monotonic() + seconds
    while not ready():
        check(time.monotonic() < end, "in vain: " + what, *[d() for d in details])
        time.sleep(.02)


class Primary:
    """One of the three, with a zone that can be changed."""
    PROGRAMS = {"nsd": "/usr/sbin/nsd", "bind": "/usr/sbin/named", "knot": "/usr/sbin/knotd"}

    def __init__(self, kind, folder, notify):
        if not os.path.exists(self.PROGRAMS[kind]):
            raise Skip(self.PROGRAMS[kind] + " is not installed")
        self.kind, self.folder, self.port, self.process = kind, os.path.join(folder, kind), free_port(), None
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.say = open(os.path.join(self.folder, "log"), "w")
        values = dict(dir=self.folder, port=self.port, zone=ZONE, key=KEY, secret=SECRET, notify=notify)
        with open(os.path.join(self.folder, "conf"), "w") as f:
            f.write(getattr(self, kind)() % values)

    def nsd(self):
        return """server:
  ip-address: 127.0.0.1@%(port)d
  server-count: 1
  username: ""
  pidfile: ""
  zonelistfile: "%(dir)s/zonelist"
  xfrdfile: "%(dir)s/xfrd"
  xfrdir: "%(dir)s"
  zonesdir: "%(dir)s"
  database: ""
remote-control:
  control-enable: no
key:
  name: "%(key)s"
  algorithm: hmac-sha256
  secret: "%(secret)s"
zone:
  name: %(zone)s
  zonefile: zone
  create-ixfr: yes
  store-ixfr: yes
  provide-xfr: 127.0.0.1 %(key)s
  notify: 127.0.0.1@%(notify)d %(key)s
"""

    def bind(self):
        return """options { directory "%(dir)s"; listen-on port %(port)d { 127.0.0.1; }; listen-on-v6 { none; }; recursion no;
  pid-file none; session-keyfile none; dnssec-validation no; notify-delay 0; };
controls { };
key "%(key)s" { algorithm hmac-sha256; secret "%(secret)s"; };
zone "." { type primary; file "none"; };
zone "%(zone)s" { type primary; file "zone"; ixfr-from-differences yes; allow-transfer { key "%(key)s"; };
  notify explicit; also-notify { 127.0.0.1 port %(notify)d key "%(key)s"; }; };
"""

    def knot(self):
        return """server:
    rundir: "%(dir)s"
    listen: 127.0.0.1@%(port)d
database:
    storage: "%(dir)s"
    journal-db-max-size: 20M
    kasp-db-max-size: 20M
    timer-db-max-size: 1M
    catalog-db-max-size: 20M
key:
  - id: %(key)s
    algorithm: hmac-sha256
    secret: %(secret)s
remote:
  - id: follower
    address: 127.0.0.1@%(notify)d
    key: %(key)s
acl:
  - id: transfer
    key: %(key)s
    action: transfer
zone:
  - domain: %(zone)s
    storage: "%(dir)s"
    file: zone
    zonefile-load: difference
    zonefile-sync: -1
    journal-content: all
    notify: follower
    acl: transfer
"""

    def write(self, serial, rules, refresh=3600, retry=1, expire=86400):
        path = os.path.join(self.folder, "zone")
        with open(path + ".new", "w") as f:
            f.write("$TTL 60\n$ORIGIN %s.\n" % ZONE + SOA % (serial, refresh, retry, expire))
            f.writelines(x + "\n" for x in rules)
        os.utime(path + ".new", (time.time() + serial, time.time() + serial))  # seconds count for them
        os.rename(path + ".new", path)
        with open(os.path.join(self.folder, "none"), "w") as f:
            f.write("$TTL 60\n@ SOA ns.example. op.example. 1 1 1 1 1\n@ NS ns.example.\n")
        if self.process:
            self.process.send_signal(signal.SIGHUP)

    def __enter__(self):
        conf = os.path.join(self.folder, "conf")
        args = {"nsd": ["-d", "-c", conf], "bind": ["-g", "-n", "1", "-c", conf], "knot": ["-c", conf]}[self.kind]
        self.process = subprocess.Popen([self.PROGRAMS[self.kind]] + args, stdout=self.say, stderr=self.say)

        def up():
            check(self.process.poll() is None, "the primary ended", open(self.say.name).read()[-800:])
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
        until("start of " + self.kind, 10, up)
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


class Follower:
    def __init__(self, args, folder, name, ports, secret=SECRET):
        self.tool, self.state = os.path.join(os.path.abspath(args.build), "sinkhole-blocklist"), os.path.join(folder, name)
        shutil.rmtree(self.state, ignore_errors=True)
        os.makedirs(self.state)
        self.listen, self.process, self.log = free_port(), None, os.path.join(folder, name + ".log")
        self.args = ["follow", "--state", self.state, "--list", "isac", "--zone", ZONE, "--primary",
                     ",".join("127.0.0.1@%d" % p for p in ports)]
        if secret:
            path = os.path.join(folder, name + ".key")
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
                f.write("hmac-sha256:%s:%s\n" % (KEY, secret))
            self.args += ["--key", path]

    def __enter__(self):
        self.out = open(self.log, "a")
        self.process = subprocess.Popen([self.tool] + self.args + ["--listen", "127.0.0.1@%d" % self.listen], stderr=self.out)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        status = self.process.wait(10)
        self.out.close()
        check(status == 0, "the follower's end", status, self.said())

    def said(self):
        with open(self.log) as f:
            return f.read()[-1500:]

    def once(self, *more, status=0):
        p = subprocess.run([self.tool] + self.args + ["--once", *more], capture_output=True, timeout=60)
        equal(p.returncode, status, "status of --once: " + p.stderr.decode()[-500:])
        return p.stderr.decode()

    def ask(self, *what):
        p = subprocess.run([self.tool, what[0], "--state", self.state, "--json", *what[1:]], capture_output=True)
        return [json.loads(x) for x in p.stdout.splitlines()]

    def rules(self):
        return {r["rule"]: r["action"] for r in self.ask("list")}

    def list(self):
        return next(iter(self.ask("lists")), {})


def start(kind, args, folder, name):
    """A primary that knows where to send NOTIFY to, and a follower."""
    f = Follower(args, folder, name, [0])
    p = Primary(kind, folder, f.listen)
    f.args[f.args.index("--primary") + 1] = "127.0.0.1@%d" % p.port
    return p, f


def life(kind, args, folder):
    p, f = start(kind, args, folder, "life-" + kind)
    p.write(10, RULES)
    with p, f:
        until("first transfer", 10, lambda: f.list().get("serial") == 10, f.said)
        first = f.rules()
        equal(len(first), 5, "rules")
        equal(first["www.bad.example.net"], "passthru", "an action")
        time.sleep(.3)
        p.write(11, RULES[:4] + ["new.example.net CNAME ."])
        wrote = time.monotonic()
        until("a change", 10, lambda: f.list().get("serial") == 11, f.said)
        took = time.monotonic() - wrote
        equal(set(f.rules()) ^ set(first), {"203.0.113.9/32", "new.example.net"}, "what changed")
        check(len(f.ask("list")) == 5, "one record of local data left")
        check("serial 10 to 11: 1 added, 1 changed, 1 removed" in f.said(), "by its changes alone", f.said())
    with p:
        equal(f.once(), "", "nothing new after a start")
    return "change after %.2f s" % took


@test("NSD: a zone whole, then its changes at NOTIFY, with TSIG")
def nsd(args, folder):
    return life("nsd", args, folder)


@test("BIND: a zone whole, then its changes at NOTIFY, with TSIG")
def bind(args, folder):
    return life("bind", args, folder)


@test("Knot: a zone whole, then its changes at NOTIFY, with TSIG")
def knot(args, folder):
    return life("knot", args, folder)


# ---- primaries that a test plays itself, without TSIG ----

def soa_rr(serial, expire=86400, refresh=3600, retry=1):
    data = name_wire("ns.example") + name_wire("op.example") + struct.pack("!5I", serial, refresh, retry, expire, 60)
    return name_wire(ZONE) + struct.pack("!HHIH", 6, 1, 60, len(data)) + data


def rule_rr(name):
    return name_wire(name + "." + ZONE) + struct.pack("!HHIHB", 5, 1, 60, 1, 0)


def message(question, records, rcode=0, qid=None):
    qid = struct.unpack("!H", question[:2])[0] if qid is None else qid
    return struct.pack("!6H", qid, 0x8400 | rcode, 1, len(records), 0, 0) + question_of(question) + b"".join(records)


def question_of(q):
    return q[12:12 + len(name_wire(ZONE)) + 4]


class Puppet:
    """say(qtype, question) gives the messages of an answer, or a number of seconds to be silent for, or None to hang up."""
    def __init__(self, say):
        self.say, self.asked = say, []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.talk, args=self.server.accept()[:1], daemon=True).start()

    def talk(self, s):
        with s, contextlib.suppress(OSError, struct.error):
            while True:
                n = struct.unpack("!H", s.recv(2, socket.MSG_WAITALL))[0]
                q = s.recv(n, socket.MSG_WAITALL)
                qtype = struct.unpack("!H", question_of(q)[-4:-2])[0]
                self.asked.append(qtype)
                for part in self.say(qtype, q):
                    if isinstance(part, (int, float)):
                        time.sleep(part)
                    elif part is None:
                        return
                    else:
                        s.sendall(part if isinstance(part, bytearray) else struct.pack("!H", len(part)) + part)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown(socket.SHUT_RDWR)  # ends the thread in accept()
        self.server.close()


def honest(state):
    """state: serial, names, expire; a fourth, changes: what to say to IXFR."""
    def say(qtype, q):
        soa = soa_rr(state["serial"], state.get("expire", 86400), state.get("refresh", 3600))
        if qtype == 6:
            return [message(q, [soa])]
        if qtype == 251 and "ixfr" in state:
            return [message(q, part) for part in state["ixfr"]]
        if qtype == 251:
            return [message(q, [], rcode=4)]
        return [message(q, [soa])] + [message(q, [rule_rr(n)]) for n in state["names"]] + [message(q, [soa])]
    return say


NAMES = ["n%d.example.org" % i for i in range(10)]


@test("serials that go back are refused until --fresh, and IXFR falls back to AXFR")
def serials(args, folder):
    state = {"serial": 0xfffffffe, "names": NAMES}
    with Puppet(honest(state)) as p:
        f = Follower(args, folder, "serials", [p.port], secret=None)
        f.once()
        equal((f.list()["serial"], len(f.rules())), (0xfffffffe, 10), "first")
        state.update(serial=3, names=NAMES + ["more.example.org"])  # later, by RFC 1982
        check("asking for all of it" in f.once(), "no IXFR")
        equal((f.list()["serial"], len(f.rules())), (3, 11), "second")
        state.update(serial=2, names=["other.example.org"])
        check("older" in f.once(status=1), "an old serial")
        equal(len(f.rules()), 11, "left as it was")
        f.once("--fresh", status=2)
        f.once("--fresh", "--reason", "the zone began anew")
        equal((f.list()["serial"], set(f.rules())), (2, {"other.example.org"}), "fresh")
        state.update(serial=9, names=[])
        f.once(status=1)
        equal(len(f.rules()), 1, "an empty zone is not taken")


@test("changes over several versions; changes with a gap, backwards or of too much are not applied")
def changes(args, folder):
    state = {"serial": 1, "names": NAMES}
    with Puppet(honest(state)) as p:
        f = Follower(args, folder, "changes", [p.port], secret=None)
        f.once()
        r, s = rule_rr, soa_rr
        a = [s(1), r(NAMES[0]), s(2), r("a.example.org")]
        b = [s(2), r("a.example.org"), s(3), r("b.example.org"), r("c.example.org")]
        for bad in ([s(3)] + a + [s(3)], [s(3)] + b + [s(3)], [s(3)] + a + b + [s(3), r("x.example.org")],
                    [s(3), s(1), s(0), s(3)], [s(3), s(1)] + [r(n) for n in NAMES[:9]] + [s(3), s(3)],
                    [s(3), s(1), name_wire("x.example.net") + struct.pack("!HHIHB", 5, 1, 60, 1, 0), s(3), s(3)]):
            state.update(serial=3, ixfr=[bad], names=[])
            f.once(status=1)
            equal((f.list()["serial"], len(f.rules())), (1, 10), "left as it was")
        state["ixfr"] = [[s(3)] + a[:3], a[3:] + b[:1], b[1:], [s(3)]]
        f.once()
        equal(set(f.rules()), set(NAMES[1:]) | {"b.example.org", "c.example.org"}, "after both")
        equal(f.list()["serial"], 3, "serial")
        state.update(serial=4, ixfr=[[s(4), s(3), r(NAMES[1]), s(4), r(NAMES[1]), s(4)]])
        f.once()
        equal(len(f.rules()), 11, "taken out and put in again")


@test("a list lapses with the zone's expire, and lives again when the primary does")
def expire(args, folder):
    state = {"serial": 1, "names": NAMES, "expire": 2}
    with Puppet(honest(state)) as p:
        f = Follower(args, folder, "expire", [p.port], secret=None)
        f.once()
        equal(f.list()["mode"], "live", "mode")
        until("lapse", 5, lambda: f.list()["mode"] == "lapsed")
        f.once()
        equal(f.list()["mode"], "live", "mode")


def broken(how):
    def say(qtype, q):
        good = honest({"serial": 5, "names": NAMES})(qtype, q)
        if qtype == 6:
            return {"wrong id": [message(q, [soa_rr(5)], qid=1)], "no soa": [message(q, [])], "refused": [message(q, [], 5)],
                    "hang up": [None], "short": [b"\0\1\2"], "silent": [60]}.get(how, good)
        return {"garbage": [os.urandom(300)], "dies": good[:4] + [None], "half": good[:4] + [bytearray(good[4][:20]), None],
                "another zone": good[:3] + [message(q, [name_wire("x.example.net") + struct.pack("!HHIHB", 5, 1, 60, 1, 0)])] + good[3:],
                "two versions": good[:-1] + [message(q, [soa_rr(6)])], "begins late": good[1:], "empty": good[:1] + good[-1:],
                "trailing": good[:-1] + [message(q, [soa_rr(5), rule_rr("x.example.org")])],
                "empty messages": good[:2] + [message(q, [])] * 2 + good[2:]}.get(how, good)
    return say


@test("primaries that lie, stop or die change nothing, and the next one is asked")
def puppets(args, folder):
    hows = ["wrong id", "no soa", "refused", "hang up", "short", "garbage", "dies", "half", "another zone", "two versions",
            "begins late", "empty", "trailing", "empty messages"]
    with contextlib.ExitStack() as stack:
        good = stack.enter_context(Puppet(honest({"serial": 5, "names": NAMES})))
        for how in hows:
            bad = stack.enter_context(Puppet(broken(how)))
            f = Follower(args, folder, "puppet", [bad.port], secret=None)
            said = f.once(status=1)
            check("127.0.0.1@%d: " % bad.port in said and f.list() == {}, how, said)
            f = Follower(args, folder, "puppet", [bad.port, good.port], secret=None)
            f.once()
            equal(len(f.rules()), 10, how)
    return "%d kinds" % len(hows)


@test("a silent primary does not keep the end waiting, nor does NOTIFY of others wake anybody")
def silent(args, folder):
    with Puppet(broken("silent")) as p:
        f = Follower(args, folder, "silent", [p.port], secret=None)
        with f:
            until("a question", 5, lambda: p.asked, f.said)
            began = time.monotonic()
        check(time.monotonic() - began < 2, "slow to end")
    state = {"serial": 1, "names": NAMES}
    notify = struct.pack("!6H", 7, 0x2400, 1, 0, 0, 0) + name_wire(ZONE) + struct.pack("!HH", 6, 1)
    with Puppet(honest(state)) as p:
        f = Follower(args, folder, "notify", [p.port], secret=None)
        with f:
            until("a first transfer", 5, lambda: f.list().get("serial") == 1, f.said)
            asked = len(p.asked)
            for source, wire, answered in (("127.0.0.9", notify, False), ("127.0.0.1", notify.replace(b"rpz", b"abc"), False),
                                           ("127.0.0.1", notify[:-1], False), ("127.0.0.1", os.urandom(64), False),
                                           ("127.0.0.1", notify, True)):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                    s.bind((source, 0))
                    s.settimeout(2 if answered else .2)
                    s.sendto(wire, ("127.0.0.1", f.listen))
                    try:
                        equal(s.recv(512)[:4] if answered else s.recv(512), b"\0\7\xa4\0", "answer")
                    except socket.timeout:
                        check(not answered, "no answer to NOTIFY")
                if not answered:
                    equal(len(p.asked), asked, "questions")
            until("a question after NOTIFY", 5, lambda: len(p.asked) > asked, f.said)


@test("a wrong key, and no key, take nothing; a key file that all can read is refused")
def keys(args, folder):
    p, f = start("knot", args, folder, "keys")
    p.write(1, RULES)
    with p:
        for secret in (OTHER, None):
            wrong = Follower(args, folder, "wrong", [p.port], secret=secret)
            wrong.once(status=1)
            equal(wrong.list(), {}, "lists")
        path = f.args[f.args.index("--key") + 1]
        os.chmod(path, 0o644)
        check("chmod" in f.once(status=2), "a key for all")
        os.chmod(path, 0o600)
        f.once()
        equal(len(f.rules()), 5, "rules")
    with Puppet(honest({"serial": 5, "names": NAMES})) as bare:  # does not sign, though asked to
        f.args[f.args.index("--primary") + 1] = "127.0.0.1@%d" % bare.port
        check("not signed" in f.once(status=1), "an answer without signature")


if __name__ == "__main__":
    harness.main()
