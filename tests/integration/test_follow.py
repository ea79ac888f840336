#!/usr/bin/env python3
"""Lists that follow zones: sinkhole-blocklist follow beside real primaries (NSD, BIND, Knot) and beside ones that lie."""
import base64
import contextlib
import itertools
import json
import os
import socket
import struct
import subprocess
import time

import harness
from dnsmsg import name_wire
from harness import Skip, check, equal, in_time, test
from primary import ZONE, Follower, Primary, Puppet, Signer, honest, message, rule_rr, soa_rr, until

OTHER = base64.b64encode(b"another secret of thirty-two byte").decode()
RULES = ["bad.example.net CNAME .", "*.bad.example.net CNAME .", "www.bad.example.net CNAME rpz-passthru.",
         "data.example.net A 192.0.2.7", "data.example.net A 192.0.2.8", "32.9.113.0.203.rpz-ip CNAME ."]


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

NOTIFY = struct.pack("!6H", 7, 0x2400, 1, 0, 0, 0) + name_wire(ZONE) + struct.pack("!HH", 6, 1)
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
        state.update(serial=5, ixfr=[[s(5), s(4), r("never.example.org"), s(5), r("d.example.org"), s(5)]], names=NAMES)
        check("asking for all of it" in f.once(), "what goes was not there")
        equal((f.list()["serial"], set(f.rules())), (5, set(NAMES)), "all of it")
        many = [r("m%d.%s.example.org" % (i, "x" * 60)) for i in range(40000)]
        state.update(serial=6, ixfr=[[s(6), s(5)]] + [many[i:i + 400] for i in range(0, len(many), 400)] + [[s(6), s(6)]],
                     names=NAMES + ["six.example.org"])
        check("too many changes" in f.once(), "more than the zone")
        equal((f.list()["serial"], len(f.rules())), (6, 11), "all of it")


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
                    "hang up": [None], "short": [b"\0\1\2"], "no bytes": [b""], "silent": [60],
                    "another question": [message(q.replace(b"\3rpz", b"\3abc"), [soa_rr(5)])],
                    "another type": [message(q, [soa_rr(5)]).replace(b"\0\6\0\1", b"\0\2\0\1", 1)],
                    "no answer": [message(q, [soa_rr(5)])[:2] + b"\0\0" + message(q, [soa_rr(5)])[4:]],
                    "cut off": [message(q, [soa_rr(5)])[:2] + b"\x86\0" + message(q, [soa_rr(5)])[4:]]}.get(how, good)
        return {"garbage": [os.urandom(300)], "dies": good[:4] + [None], "half": good[:4] + [bytearray(good[4][:20]), None],
                "another zone": good[:3] + [message(q, [name_wire("x.example.net") + struct.pack("!HHIHB", 5, 1, 60, 1, 0)])] + good[3:],
                "two versions": good[:-1] + [message(q, [soa_rr(6)])], "begins late": good[1:], "empty": good[:1] + good[-1:],
                "no bytes between": good[:2] + [b""] + good[2:],
                "another zone's question": good[:2] + [message(q.replace(b"\3rpz", b"\3abc"), [rule_rr("x")])] + good[2:],
                "another's soa": good[:-1] + [message(q, [soa_rr(5).replace(b"\3rpz", b"\3abc")])],
                "trailing": good[:-1] + [message(q, [soa_rr(5), rule_rr("x.example.org")])],
                "empty messages": good[:2] + [message(q, [])] * 2 + good[2:]}.get(how, good)
    return say


@test("primaries that lie, stop or die change nothing, and the next one is asked")
def puppets(args, folder):
    hows = ["wrong id", "no soa", "refused", "hang up", "short", "garbage", "dies", "half", "another zone", "two versions",
            "begins late", "empty", "trailing", "empty messages", "no bytes", "another question", "another type",
            "no answer", "cut off", "no bytes between", "another zone's question", "another's soa"]
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
        in_time(time.monotonic() - began < 2, "slow to end")
    state = {"serial": 1, "names": NAMES}
    with Puppet(honest(state)) as p:
        f = Follower(args, folder, "notify", [p.port], secret=None)
        with f:
            until("a first transfer", 5, lambda: f.list().get("serial") == 1, f.said)
            asked = len(p.asked)
            for source, wire, answered in (("127.0.0.9", NOTIFY, False), ("127.0.0.1", NOTIFY.replace(b"rpz", b"abc"), False),
                                           ("127.0.0.1", NOTIFY[:-1], False), ("127.0.0.1", os.urandom(64), False),
                                           ("127.0.0.1", NOTIFY, True)):
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


@test("NOTIFY over TCP a byte at a time keeps no other one waiting")
def dripping(args, folder):
    state = {"serial": 1, "names": NAMES}
    with Puppet(honest(state)) as p, contextlib.ExitStack() as stack:
        f = stack.enter_context(Follower(args, folder, "dripping", [p.port], secret=None))
        until("a first transfer", 5, lambda: f.list().get("serial") == 1, f.said)
        drips = [stack.enter_context(socket.create_connection(("127.0.0.1", f.listen))) for _ in range(3)]
        asked, over = len(p.asked), time.monotonic() + 5
        for s in drips:
            s.sendall(struct.pack("!H", len(NOTIFY)))
        with socket.create_connection(("127.0.0.1", f.listen)) as s:
            s.sendall(struct.pack("!H", len(NOTIFY)) + NOTIFY)
            s.settimeout(.05)
            answer = b""
            while not answer:
                check(time.monotonic() < over, "no answer to NOTIFY")
                for d in drips:
                    with contextlib.suppress(OSError):
                        d.send(b"x")
                with contextlib.suppress(socket.timeout):
                    answer = s.recv(512)
        until("a question after NOTIFY", 5, lambda: len(p.asked) > asked, f.said)


def signing(how):
    """As honest() at serial 5, with one rule a message, signed as how says."""
    def say(qtype, q):
        s, plain = Signer(q), honest({"serial": 5, "names": ["n%d.example.org" % i for i in range(120)]})(qtype, q)
        if qtype != 252 or len(plain) == 1:
            return [s.sign(x) for x in plain]
        if how == "all":
            return [s.sign(x) for x in plain]
        if how == "every hundredth":
            return [s.leave(x) if i % 100 and i + 1 < len(plain) else s.sign(x) for i, x in enumerate(plain)]
        if how == "too seldom":
            return [s.leave(x) if i % 101 and i + 1 < len(plain) else s.sign(x) for i, x in enumerate(plain)]
        if how == "only the first":
            return [s.leave(x) if i else s.sign(x) for i, x in enumerate(plain[:50] + plain[-1:])]
        if how == "first not":
            return [s.sign(x) if i else s.leave(x) for i, x in enumerate(plain)]
        if how == "another key between":
            return [Signer(q, key="other.example").sign(x) if i == 7 else s.sign(x) for i, x in enumerate(plain)]
        if how == "another secret between":
            return [Signer(q, OTHER).sign(x) if i == 7 else s.sign(x) for i, x in enumerate(plain)]
        if how == "one message twice":
            signed = [s.sign(x) for x in plain]
            return signed[:5] + signed[4:]
        if how == "one message gone":
            return [x for i, x in enumerate(map(s.sign, plain)) if i != 5]
        if how == "one unsigned put in":
            signed = [s.sign(x) for x in plain]
            return signed[:5] + [message(q, [rule_rr("forged.example.org")])] + signed[5:]
        return [s.sign(x, late=400) for x in plain]
    return say


@test("TSIG over a transfer: each message of it counts, from the first to the last")
def signatures(args, folder):
    good = ["all", "every hundredth"]
    for how in good + ["too seldom", "only the first", "first not", "another key between", "another secret between", "one message twice",
                       "one message gone", "one unsigned put in", "old"]:
        with Puppet(signing(how)) as p:
            f = Follower(args, folder, "signed", [p.port])
            said = f.once(status=0 if how in good else 1)
            equal(len(f.rules()), 120 if how in good else 0, how + ": " + said)


@test("of two primaries the one that has news is heard, whichever is gone or stands still")
def two_primaries(args, folder):
    a, b = {"serial": 1, "names": NAMES}, {"serial": 1, "names": NAMES}
    with contextlib.ExitStack() as stack:
        second = stack.enter_context(Puppet(honest(b)))
        with Puppet(honest(a)) as first:
            f = Follower(args, folder, "two", [first.port, second.port], secret=None)
            f.once()
            b.update(serial=2, names=NAMES + ["two.example.org"])
            f.once()
            equal((f.list()["serial"], len(f.rules())), (2, 11), "the second has news")
            check("older" in f.once(), "the first is behind")
            equal(f.list()["serial"], 2, "and does not matter")
        b.update(serial=3, names=NAMES)
        f.once()
        equal((f.list()["serial"], len(f.rules())), (3, 10), "the first is gone")
        stack.enter_context(f)
        until("a start", 5, lambda: f.list()["serial"] == 3, f.said)
        b.update(serial=4, names=NAMES + ["four.example.org"])
        notify(f)
        until("news with one primary dead", 5, lambda: f.list()["serial"] == 4, f.said)


def notify(f):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(NOTIFY, ("127.0.0.1", f.listen))


@test("what a gate refuses is told, changes nothing, and is not asked for again at once; --fresh takes it")
def refused(args, folder):
    state = {"serial": 1, "names": NAMES}
    with Puppet(honest(state)) as p, Follower(args, folder, "refused", [p.port], secret=None) as f:
        until("a first transfer", 5, lambda: f.list().get("serial") == 1, f.said)
        state.update(serial=2, names=NAMES[:1])
        notify(f)
        until("refusal", 5, lambda: "was refused" in f.said(), f.said)
        whole, soa = p.asked.count(252), p.asked.count(6)
        for _ in range(3):
            notify(f)
            time.sleep(.3)
        check(p.asked.count(6) > soa, "it asks")
        equal((p.asked.count(252), f.list()["serial"], len(f.rules())), (whole, 1, 10), "and takes nothing")
        f.once("--fresh", "--reason", "they say so")
        equal((f.list()["serial"], len(f.rules())), (2, 1), "fresh")
        state.update(serial=3, names=NAMES[:2])
        notify(f)
        until("the next serial", 5, lambda: f.list()["serial"] == 3, f.said)


@test("the gates of an import stand before changes, too; what they let pass once is recorded")
def gates(args, folder):
    state, r, s = {"serial": 1, "names": NAMES + ["co.uk"]}, rule_rr, soa_rr
    with Puppet(honest(state)) as p:
        f = Follower(args, folder, "gates", [p.port], secret=None)
        popular, conf = os.path.join(folder, "popular"), os.path.join(folder, "gates.yaml")
        with open(popular, "w") as out:
            out.write("1,popular.example.net\n")
        with open(conf, "w") as out:
            json.dump({"state": f.state, "gates": {"popular": popular, "own_names": ["own.example.net"]}, "lists": [
                {"name": "isac", "zone": ZONE, "primary": ["127.0.0.1@%d" % p.port]}]}, out)
        f.args = ["follow", "-c", conf]
        f.once()
        equal(set(f.rules()), set(NAMES), "a public suffix is left out")
        state.update(serial=2, ixfr=[[s(2), s(1), r("co.uk"), s(2), r("www.own.example.net"), r("two.example.org"), s(2)]])
        check("1 added, 0 changed, 0 removed" in f.once(), "one's own name is left out, and a suffix that was goes")
        equal(set(f.rules()), set(NAMES) | {"two.example.org"}, "rules")
        both = NAMES + ["two.example.org", "popular.example.net"]
        state.update(serial=3, names=both, ixfr=[[s(3), s(2), s(3), r("popular.example.net"), s(3)]])
        check("popular.example.net (rank 1)" in f.once(status=1), "a popular name, which is named")
        equal((f.list()["serial"], len(f.rules())), (2, 11), "as it was")
        last = json.loads(subprocess.run([f.tool, "lists", "-c", conf, "--json"], capture_output=True).stdout)
        check(last["source"] == "refused" and "popular names" in json.dumps(last), "last result", last)
        f.once("--force=popular", status=2)
        f.once("--force=popular", "--reason", "it is infected")
        equal((f.list()["serial"], len(f.rules())), (3, 12), "forced")
        last = json.loads(subprocess.run([f.tool, "lists", "-c", conf, "--json"], capture_output=True).stdout)
        equal((last["source"], last["forced"]), ("imported", "yes"), "last result")
        state.update(serial=2)
        check("older" in f.once("--force", "--reason", "test", status=1), "an older serial is no gate's")
        with open(os.path.join(f.state, "blocklist", "changes.jsonl")) as record:
            last = json.loads(record.readlines()[-1])
        check(last["forced"] and last["force"] == "popular" and "it is infected" in last["reason"], "record", last)


@test("a store that was made anew ends follow, and the next start goes on with it")
def replaced(args, folder):
    state = {"serial": 1, "names": NAMES}
    with Puppet(honest(state)) as p:
        f = Follower(args, folder, "replaced", [p.port], secret=None)
        f.started()
        until("a first transfer", 5, lambda: f.list().get("serial") == 1, f.said)
        equal(subprocess.run([f.tool, "compact", "--state", f.state], stdout=subprocess.DEVNULL).returncode, 0, "compact")
        notify(f)
        equal(f.process.wait(10), 2, "status: " + f.said())
        check("replaced" in f.said(), "why", f.said())
        f.process = None
        state.update(serial=2, names=NAMES[:9])
        f.once()
        equal(len(f.rules()), 9, "rules")


@test("serial 0 is one like any other; an SOA's expire of years is a month")
def zero(args, folder):
    state = {"serial": 0xffffffff, "names": NAMES, "expire": 2 ** 31}
    with Puppet(honest(state)) as p, Follower(args, folder, "zero", [p.port], secret=None) as f:
        until("a first transfer", 5, lambda: f.list().get("serial") == 0xffffffff, f.said)
        check(f.list()["until"] < time.strftime("%Y-%m-%d", time.gmtime(time.time() + 31 * 86400)), "end of the lease", f.list())
        state.update(serial=0, names=NAMES + ["zero.example.org"])
        notify(f)
        until("serial 0", 5, lambda: len(f.rules()) == 11, f.said)
        whole, soa = p.asked.count(252), p.asked.count(6)
        notify(f)
        until("a question", 5, lambda: p.asked.count(6) > soa, f.said)
        time.sleep(.3)
        equal(p.asked.count(252), whole, "zones taken whole")
        state.update(serial=1, names=NAMES)
        notify(f)
        until("serial 1", 5, lambda: f.list().get("serial") == 1, f.said)


@test("a flood of forged NOTIFY costs the primary a question or two a second, and true news is no later")
def flood(args, folder):
    state = {"serial": 1, "names": NAMES}
    with Puppet(honest(state)) as p, Follower(args, folder, "flood", [p.port], secret=None) as f:
        until("a first transfer", 5, lambda: f.list().get("serial") == 1, f.said)
        asked, start = len(p.asked), time.monotonic()
        while time.monotonic() < start + 4:
            notify(f)
            time.sleep(.002)
        check(len(p.asked) - asked <= 10, "questions in 4 s", len(p.asked) - asked)
        check(len(p.asked) - asked >= 3, "questions in 4 s", len(p.asked) - asked)


@test("follow without arguments keeps the configuration's lists, each at its own pace, and tells the service manager")
def configured(args, folder):
    states = [{"serial": 1, "names": NAMES}, {"serial": 7, "names": NAMES[:4]}]
    with contextlib.ExitStack() as stack:
        puppets = [stack.enter_context(Puppet(honest(x))) for x in states]
        dead = stack.enter_context(Puppet(broken("silent")))
        f = Follower(args, folder, "configured", [1], secret=None)
        conf = os.path.join(folder, "configured.yaml")
        lists = [{"name": name, "zone": ZONE, "primary": ["127.0.0.1@%d" % p.port]}
                 for name, p in zip(("one", "dead", "two"), (puppets[0], dead, puppets[1]))]
        lists[0].update(precedence=7, action="nxdomain")
        with open(conf, "w") as out:
            json.dump({"state": f.state, "lists": lists + [{"name": "other", "url": "https://lists.example.net/x"}],
                       "follow": {"listen": ["127.0.0.1@%d" % f.listen]}}, out)
        f.args, f.more = ["follow", "-c", conf], []
        manager = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        manager.bind(os.path.join(folder, "manager"))
        manager.settimeout(10)
        with f.started(NOTIFY_SOCKET=os.path.join(folder, "manager")):
            equal(manager.recv(64), b"READY=1", "to the manager")
            until("both lists", 5, lambda: (f.list("one").get("serial"), f.list("two").get("serial")) == (1, 7), f.said)
            states[1].update(serial=8, names=NAMES[:5])
            notify(f)  # which of the zones of that name it is the sender's port does not tell
            until("the change", 5, lambda: f.list("two").get("serial") == 8, f.said)
        equal(manager.recv(64), b"STOPPING=1", "to the manager")
        one = f.list("one")
        equal((one["precedence"], one["action"]), (7, "nxdomain"), "settings")
        f.once("--list", "two")
        check("no list" in f.once("--list", "other", status=2), "a list that is fetched")
        check("--primary" in f.once("--list", "two", "--zone", ZONE, status=2), "half by options")


def endless(records=500):
    """Whole zones without an end."""
    def say(qtype, q):
        if qtype == 6:
            yield message(q, [soa_rr(5)])
            return
        yield message(q, [soa_rr(5)])
        for i in itertools.count():
            yield message(q, [rule_rr("n%d.%d.example.org" % (j, i)) for j in range(records)])
    return say


def small_disk(args, folder):
    os.makedirs(folder)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", folder]).returncode:
        raise Skip("cannot mount a tmpfs")
    with Puppet(endless()) as p:
        f = Follower(args, folder, "small", [p.port], secret=None)
        check("larger than the disk has room for" in f.once(status=1), "endless")
        left = os.statvfs(folder)
        check(left.f_bavail * left.f_frsize > 28 << 20, "the disk is free again", left)


@test("a zone without an end leaves three quarters of the free disk to others")
def large(args, folder):
    return harness.in_namespace(args, small_disk, os.path.join(folder, "disk"), "--mount")


def drip(qtype, q):
    if qtype == 6:
        return [message(q, [soa_rr(5)])]
    return itertools.chain.from_iterable((x, 5) for x in endless(1)(qtype, q))


@test("a primary that sends a record every few seconds is left after a minute", full=True, sanitized=False)
def slow(args, folder):
    with Puppet(drip) as p:
        f = Follower(args, folder, "slow", [p.port], secret=None)
        start = time.monotonic()
        check("too slowly" in f.once(status=1, timeout=120), "slow")
        return "%.0f s" % (time.monotonic() - start)


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
