#!/usr/bin/env python3
"""Lists that follow zones: sinkhole-blocklist follow beside real primaries (NSD, BIND, Knot) and beside ones that lie."""
import base64
import contextlib
import os
import socket
import struct
import time

import harness
from dnsmsg import name_wire
from harness import check, equal, test
from primary import ZONE, Follower, Primary, Puppet, honest, message, rule_rr, soa_rr, until

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
