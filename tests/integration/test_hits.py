#!/usr/bin/env python3
"""The hit log: answered means logged (P2), and nothing but hits (P3)."""
import contextlib
import glob
import ipaddress
import json
import os
import secrets
import signal
import subprocess
import time

import harness
from dnsmsg import query, udp
from harness import SINK4, Load, Skip, check, equal, test
from lab import CLIENT, die_with_parent


@contextlib.contextmanager
def setup(args, folder):
    with harness.lab_and_resolver(args, folder) as r:
        r.args = args
        yield r


@test("a hit tells client, port, transport, name, type, list, entry, action and time")
def fields(r):
    client, port = r.lab.host(CLIENT + 1), 23456
    start = time.time()
    udp(r.server(), query("Fields.C2.example", "AAAA"), 3, (client, port))
    r.ask("fields-tcp.c2.example", over="tcp", client=client)
    r.ask("fields6.c2.example", six=True)
    hits = {h["qname"]: h for h in r.wait_hits(lambda h: sum("fields" in x["qname"] for x in h) == 3)}
    check(set(hits) >= {"fields.c2.example", "fields-tcp.c2.example", "fields6.c2.example"}, "names", list(hits))
    h = hits["fields.c2.example"]
    want = dict(client=client, client_port=port, transport="udp", qtype="AAAA", list="lab", action="address", count=1, node="test-node")
    have = {k: h.get(k) for k in want}
    equal(have, want, "fields of %r" % h)
    check("c2.example" in json.dumps(h) and h.get("matched") == "c2.example", "matched", h)
    check(abs(time.mktime(time.strptime(h["time"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - start) < 5, "time", h["time"])
    equal(hits["fields-tcp.c2.example"]["transport"], "tcp", "transport")
    equal(hits["fields6.c2.example"]["client"], "::1", "IPv6 client")


@test("every answered question is one hit; answers without a hit, hits without a question: none")
def exact_count(r):
    names = ["count%d.c2.example" % i for i in range(500)]
    with Load(r.server(), ((n, "A") for n in names), 1000, (r.lab.host(CLIENT), 0)) as load:
        while not load.stopping:
            time.sleep(0.05)
        load.stop()
    equal((load.sent, load.lost), (500, 0), "questions")
    hits = r.wait_hits(lambda h: sum(x["count"] for x in h if x["qname"].startswith("count")) >= 500)
    seen = {}
    for h in hits:
        if h["qname"].startswith("count"):
            seen[h["qname"]] = seen.get(h["qname"], 0) + h["count"]
    equal(sum(seen.values()), 500, "hits")
    equal(set(seen), set(names), "names")


@test("the tools agree with the export: top, client, name, timeline, since and until")
def tools(r):
    client = r.lab.host(CLIENT + 2)
    for i in range(7):
        r.ask("tool%d.c2.example" % (i % 2), client=client)
    r.wait_hits(lambda h: sum(x["count"] for x in h if x["client"] == client) >= 7)
    out = r.must("sinkhole-hits", "client", client, "--json")
    rows = [json.loads(x) for x in out.splitlines()]
    check(rows and "tool0.c2.example" in out, "client", out)
    check("tool1.c2.example" in r.must("sinkhole-hits", "name", "tool1.c2.example"), "name")
    for what in ("entries", "clients", "families"):
        for more in ((), ("--json",), ("--since", "1h"), ("--until", "1h")):
            out = r.must("sinkhole-hits", "top", what, *more)
            check(bool(out.strip()) == ("--until" not in more), "top %s %s" % (what, more), out)
    check(client in r.must("sinkhole-hits", "top", "clients"), "top clients")
    check(r.must("sinkhole-hits", "timeline").strip(), "timeline")
    equal(r.hits("--until", "1h"), [], "export until an hour ago")
    status, out, err = r.run("sinkhole-hits", "client", "not-an-address")
    check(status == 2 and err.count("\n") == 1, "bad address", status, err)


@test("follow shows a hit as it happens")
def follow(r):
    p = subprocess.Popen([os.path.join(r.build, "sinkhole-hits"), "follow", "--json", "-c", r.conf_file],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
    try:
        time.sleep(1.0)
        os.set_blocking(p.stdout.fileno(), False)
        r.ask("followed.c2.example")
        got, end = b"", time.monotonic() + 5
        while b"followed.c2.example" not in got and time.monotonic() < end:
            got += p.stdout.read() or b""
            time.sleep(0.05)
        check(b"followed.c2.example" in got, "follow printed", got)
    finally:
        p.send_signal(signal.SIGINT)
        p.wait(10)


@test("20 SIGKILLs under load, names never used twice: everything that was answered is logged")
def kills(r):
    rounds = 6 if r.args.sanitized else 20
    answered, sent = set(), 0
    for i in range(rounds):
        if not r.process:
            r.start()
        tag = secrets.token_hex(4)
        names = (("k%d-%d-%s.c2.example" % (i, k, tag), "A") for k in range(100000))
        with Load(r.server(), names, 2000 if not r.args.sanitized else 200, (r.lab.host(CLIENT), 0), 0.3) as load:
            time.sleep(0.15 + 0.02 * i)
            r.stop(signal.SIGKILL)
            load.stop()
        answered |= set(load.answers)
        sent += load.sent
    r.start()
    check(len(answered) > 10 * rounds, "answers", len(answered))
    hits = r.wait_hits(lambda h: answered <= {x["qname"] for x in h}, 10)
    counts = {}
    for h in hits:
        if h["qname"].startswith("k"):
            counts[h["qname"]] = counts.get(h["qname"], 0) + h["count"]
    missing = answered - set(counts)
    check(not missing, "%d of %d answered are not logged:" % (len(missing), len(answered)), sorted(missing)[:5])
    return "%d sent, %d answered, answered minus logged 0, logged twice %d" % (
        sent, len(answered), sum(c > 1 for c in counts.values()))


def files_below(*folders):
    for folder in folders:
        for path, _, files in os.walk(folder):
            for f in files:
                if os.path.isfile(os.path.join(path, f)):
                    yield os.path.join(path, f)


def traces(folders, needles):
    """Files that hold one of the needles, whatever the letters' case."""
    found = []
    for f in files_below(*folders):
        data = open(f, "rb").read().lower()
        found += ["%s in %s" % (n, f) for n in needles if n.lower() in data]
    return found


@test("clean questions leave no trace of name or client in any file, log or counter (P3)")
def only_hits(r):
    tag = "p3" + secrets.token_hex(8)
    client = r.lab.host(177)
    for name, qtype in (("%s.wild.alpha.example", "A"), ("%s.alpha.example", "A"), ("www.%s.lame.example", "A"),
                        ("%s.example", "TXT"), ("%s.localhost", "A"), ("%s.canary.example", "A")):
        for over in ("udp", "tcp"):
            r.ask(name % tag, qtype, over=over, client=client)
    for wire in (query(tag + ".alpha.example", opcode=2), query(tag + ".alpha.example")[:-2], b"\0" * 12 + tag.encode()):
        udp(r.server(), wire, 0.3, (client, 0))
    status = r.must("sinkholectl", "status") + r.must("sinkholectl", "stats")
    r.must("sinkholectl", "flush")
    time.sleep(0.3)
    folders = [r.folder]
    packed = ipaddress.ip_address(client).packed
    check(tag not in status, "name in sinkholectl's output")
    for when in ("running", "stopped"):
        found = traces(folders, [tag.encode(), tag[::-1].encode(), client.encode()])
        # As four raw bytes an address may occur by chance in large files, so only hits and rings are searched for it.
        found += traces(glob.glob(os.path.join(r.state, "hits")), [packed])
        check(not found, when + ": traces", found[:5])
        if when == "running":
            r.stop()
    r.start()
    # The same search finds a hit: it is able to.
    r.ask(tag + ".c2.example", client=client)
    r.wait_hits(lambda h: any(tag in x["qname"] for x in h))
    check(traces(folders, [tag.encode()]), "a hit was not found by the same search")


@test("a second start reads the same log: hits of before are still there")
def persistent(r):
    before = len(r.hits())
    r.stop()
    equal(len(r.hits()), before, "hits with the resolver stopped")
    r.start()
    equal(len(r.hits()), before, "hits after another start")


def full_disk(args, folder):
    """Inside a mount namespace: the hit log lies on a file system that is full."""
    lab = harness.Lab(os.path.join(folder, "lab"))
    lab.up()
    r = harness.Resolver(args.build, os.path.join(folder, "resolver"), lab)
    r.add("c2.example")
    hits = os.path.join(r.state, "hits")
    os.makedirs(hits, exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", hits]).returncode:
        raise Skip("cannot mount a tmpfs")
    r.start()
    try:
        equal(r.ask("before.c2.example").data("A"), [SINK4], "before")
        time.sleep(0.5)
        with open(os.path.join(hits, "filler"), "wb") as f:
            try:
                while True:
                    f.write(b"x" * 65536)
                    f.flush()
            except OSError:
                pass
        names = (("full%d.c2.example" % i, "A") for i in range(3000))
        with Load(r.server(), names, 1500, (lab.host(CLIENT), 0)) as load:
            while not load.stopping:
                time.sleep(0.05)
            load.stop()
        answered = {n for n, rcode in load.answers.items() if rcode == "NOERROR"}
        equal(r.ask("www.alpha.example").data("A"), ["192.0.2.11"], "a clean name with the disk full")
        check(not lab.attacker_packets(), "packets to the attacker", lab.attacker_packets()[:3])
        status = r.must("sinkholectl", "status")
        check("space" in (status + r.said()).lower() or "full" in (status + r.said()).lower(), "nothing tells that the disk is full", status)
        os.remove(os.path.join(hits, "filler"))
        have = r.wait_hits(lambda h: answered <= {x["qname"] for x in h}, 15)
        missing = answered - {x["qname"] for x in have}
        check(not missing, "%d of %d answered are not logged once there is space" % (len(missing), len(answered)))
        return "%d of 3000 answered while full, all logged afterwards" % len(answered)
    finally:
        r.stop()
        lab.down()


@test("disk full: clean questions go on, what is answered waits and is logged once there is space")
def disk_full(r):
    return harness.in_namespace(r.args, full_disk, os.path.join(r.folder, "full"), "--mount")


if __name__ == "__main__":
    harness.main(setup)
