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


if __name__ == "__main__":
    harness.main()
