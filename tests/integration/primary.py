"""Primaries of response policy zones: real ones (NSD, BIND, Knot), ones that a test plays itself, and sinkhole-blocklist
follow as their secondary."""
import base64
import contextlib
import hmac
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

from dnsmsg import name_wire
from harness import Skip, check, equal
from lab import free_port

ZONE, KEY, SECRET = "rpz.example", "transfer.example", base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
SOA = "@ 60 IN SOA ns.example. op.example. %d %d %d %d 60\n@ 60 IN NS ns.example.\n"


def until(what, seconds, ready, *details):
    end = time.monotonic() + seconds
    while not ready():
        check(time.monotonic() < end, "in vain: " + what, *[d() for d in details])
        time.sleep(.02)


class Primary:
    """One of the three, with a zone that can be changed."""
    PROGRAMS = {"nsd": "/usr/sbin/nsd", "bind": "/usr/sbin/named", "knot": "/usr/sbin/knotd"}

    def __init__(self, kind, folder, notify, large=False):
        if not os.path.exists(self.PROGRAMS[kind]):
            raise Skip(self.PROGRAMS[kind] + " is not installed")
        self.kind, self.folder, self.port, self.process = kind, os.path.join(folder, kind), free_port(), None
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.say = open(os.path.join(self.folder, "log"), "w")
        values = dict(dir=self.folder, port=self.port, zone=ZONE, key=KEY, secret=SECRET, notify=notify,
                      load="whole" if large else "difference", content="changes" if large else "all")  # Knot's journal
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
    zonefile-load: %(load)s
    zonefile-sync: -1
    journal-content: %(content)s
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

    def knotc(self, *what):
        p = subprocess.run(["/usr/sbin/knotc", "-c", os.path.join(self.folder, "conf"), *what], capture_output=True, timeout=120)
        check(p.returncode == 0, "knotc " + " ".join(what), p.stdout + p.stderr)

    def __enter__(self):
        conf = os.path.join(self.folder, "conf")
        args = {"nsd": ["-d", "-c", conf], "bind": ["-g", "-n", "1", "-c", conf], "knot": ["-c", conf]}[self.kind]
        self.process = subprocess.Popen([self.PROGRAMS[self.kind]] + args, stdout=self.say, stderr=self.say)

        def up():
            check(self.process.poll() is None, "the primary ended", open(self.say.name).read()[-800:])
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
        until("start of " + self.kind, 60, up)
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
    """state: of a resolver; else a new one."""
    def __init__(self, args, folder, name, ports, secret=SECRET, state=None):
        self.tool, self.state = os.path.join(os.path.abspath(args.build), "sinkhole-blocklist"), state or os.path.join(folder, name)
        if not state:
            shutil.rmtree(self.state, ignore_errors=True)
            os.makedirs(self.state)
        self.listen, self.process, self.log = free_port(), None, os.path.join(folder, name + ".log")
        self.args = ["follow", "--state", self.state, "--list", "isac", "--zone", ZONE, "--primary",
                     ",".join("127.0.0.1@%d" % p for p in ports)]
        self.more = ["--listen", "127.0.0.1@%d" % self.listen]
        if secret:
            path = os.path.join(folder, name + ".key")
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
                f.write("hmac-sha256:%s:%s\n" % (KEY, secret))
            self.args += ["--key", path]

    def started(self, **environment):
        self.out = open(self.log, "a")
        self.process = subprocess.Popen([self.tool] + self.args + self.more, stderr=self.out, env=dict(os.environ, **environment))
        return self

    def __enter__(self):
        return self if self.process else self.started()

    def __exit__(self, *_):
        self.process.terminate()
        status = self.process.wait(10)
        self.out.close()
        self.process = None
        check(status == 0, "the follower's end", status, self.said())

    def said(self):
        with open(self.log) as f:
            return f.read()[-1500:]

    def once(self, *more, status=0, timeout=60):
        p = subprocess.run([self.tool] + self.args + ["--once", *more], capture_output=True, timeout=timeout)
        equal(p.returncode, status, "status of --once: " + p.stderr.decode()[-500:])
        return p.stderr.decode()

    def ask(self, *what):
        p = subprocess.run([self.tool, what[0], "--state", self.state, "--json", *what[1:]], capture_output=True)
        return [json.loads(x) for x in p.stdout.splitlines()]

    def rules(self):
        return {r["rule"]: r["action"] for r in self.ask("list")}

    def list(self, name="isac"):
        return next((x for x in self.ask("lists") if x["list"] == name), {})


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


class Signer:
    """Signs the answer to a question as RFC 8945 has it: question and messages without signature go into the next one."""
    def __init__(self, question, secret=SECRET, key=KEY):
        self.key, self.secret, self.mac, self.before, self.first = key, base64.b64decode(secret), question[-38:-6], b"", True

    def leave(self, wire):
        self.before += wire
        return wire

    def sign(self, wire, late=0):
        timers = struct.pack("!HIH", 0, int(time.time()) - late, 300)
        head = name_wire(self.key) + struct.pack("!HI", 255, 0) + name_wire("hmac-sha256")
        signed = struct.pack("!H", 32) + self.mac + self.before + wire + (head + timers + bytes(4) if self.first else timers)
        self.mac, self.before, self.first = hmac.digest(self.secret, signed, "sha256"), b"", False
        data = name_wire("hmac-sha256") + timers + struct.pack("!H", 32) + self.mac + wire[:2] + bytes(4)
        rr = name_wire(self.key) + struct.pack("!HHIH", 250, 255, 0, len(data)) + data
        return wire[:10] + struct.pack("!H", struct.unpack("!H", wire[10:12])[0] + 1) + wire[12:] + rr


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
