#!/usr/bin/env python3
"""sinkholectl trace: shows what a client's question would do, does no more than that, and leaves nothing behind."""
import contextlib
import json
import os
import socket
import threading
import time

import harness
from harness import SINK4, STOLEN, check, equal, in_time, test
from lab import OPTED_OUT, wait_for


@contextlib.contextmanager
def setup(args, folder):
    def prepare(r):
        r.add(r.lab.host(205) + "/32")
    with harness.lab_and_resolver(args, folder, prepare) as r:
        yield r


def trace(r, *args):
    return json.loads(r.must("sinkholectl", "trace", *args, "--json"))


def steps(t, kind, **members):
    return [s for s in t["steps"] if s["step"] == kind and all(s.get(k) == v for k, v in members.items())]


@contextlib.contextmanager
def silent(r, contact=False):
    """No packet to an attacker and no hit inside; counters and log are looked at afterwards."""
    packets, hits = len(r.lab.attacker_packets()), len(r.hits())
    yield
    time.sleep(0.3)  # the hit log's writer, thrice
    if not contact:
        new = r.lab.attacker_packets()[packets:]
        check(not new, "%d packets reached an attacker" % len(new), new[:5])
    equal(len(r.hits()), hits, "hits after a trace")


@test("a clean name through a delegation without glue: each send, each reply, sub-questions below")
def clean(r):
    with silent(r):
        t = trace(r, "www.delta.example")
    equal(t["message"]["answer"], ["www.delta.example. 300 IN A 192.0.2.41"], "answer")
    equal((t["message"]["rcode"], t["outcome"], t["type"]), ("NOERROR", "answer", "A"), "end")
    sends, replies = steps(t, "send"), steps(t, "reply")
    equal(len(sends), t["sends"], "sends")
    check(len(sends) >= 5, "from the root on", sends)
    check(all(s["server"] and s["address"] and s["transport"] == "udp" for s in sends), "sends", sends)
    equal([s["zone"] for s in replies if s["what"] == "referral" and not s["depth"]], ["example", "delta.example"], "referrals")
    sub = steps(t, "question", name="ns.dns.gamma.example", type="A")
    check(len(sub) == 1 and sub[0]["depth"] == 1 and sub[0]["for"] == 1, "the server's address is looked up", sub)
    deeper = steps(t, "question", name="ns-gamma.beta.example", type="A")
    check(len(deeper) == 1 and deeper[0]["depth"] == 2, "and that server's", deeper)
    check(steps(t, "policy", name="www.delta.example", verdict="pass"), "the name is judged")
    check(steps(t, "policy", addresses_of="www.delta.example", addresses=1, verdict="pass"), "the address is judged")
    times = [s["us"] for s in t["steps"]]
    check(times == sorted(times) and times[-1] <= t["us"], "times", times)
    before = len(r.lab.wire() or [])
    again = trace(r, "www.delta.example")
    equal((again["sends"], again["message"]["answer"][0].split(" ")[-1]), (0, "192.0.2.41"), "from the cache")
    check(steps(again, "cache", name="www.delta.example", type="A", what="data"), "cache step", again)
    equal(len(r.lab.wire() or []), before, "packets")


@test("explain: what the running resolver's rules decide, and why the others lost; nothing is sent or logged")
def explained(r):
    with silent(r):
        e = json.loads(r.must("sinkholectl", "explain", "bot.c2.example", "--json"))
        out = r.run("sinkholectl", "explain", "www.delta.example")
        later = r.run("sinkholectl", "explain", "bot.c2.example", "--at", "9000d")
        mine = json.loads(r.must("sinkholectl", "explain", "bot.c2.example", "--client", "127.0.0.1", "--json"))
        tool = json.loads(r.must("sinkhole-blocklist", "explain", "bot.c2.example", "--client", "127.0.0.1", "--json"))
        wrong = r.run("sinkholectl", "explain", "a..b")
    equal((e["verdict"], e["action"], len(e["rules"])), ("act", "address", 1), "verdict")
    rule = e["rules"][0]
    equal((rule["rule"], rule["list"], rule["kind"], rule["lost"]), ("c2.example", "lab", "subtree", None), "rule")
    equal((out[0], out[1].strip()), (1, "www.delta.example: resolved as it is; it is on no list"), "a clean name")
    equal((mine, mine["client"]["lists"]), (tool, "all lists"), "the resolver and the list operators' tool")
    check(wrong[0] == 2 and "no domain name" in wrong[2], "no name", wrong)
    check(later[0] == 1 and ("expired" in later[1] or "lapsed" in later[1]), "expiry", later)


@test("a listed name: the verdict with list and entry, the sinkhole answer, no packet, no hit")
def listed(r):
    with silent(r):
        t = trace(r, "bot.c2.example")
    equal([s["step"] for s in t["steps"]], ["policy"], "steps")
    rule = t["steps"][0]["rule"]
    equal((rule["list"], rule["matched"], rule["action"], rule["trigger"]), ("lab", "c2.example", "address", "name"), "rule")
    equal((t["sends"], t["message"]["answer"]), (0, ["bot.c2.example. 30 IN A " + SINK4]), "answer")
    equal((t["message"]["ede"], t["message"]["ede_text"]), (15, "lab, entry %d" % rule["entry"]), "EDE")


@test("the answer is what a client gets: code, records, EDE")
def same_answer(r):
    before = len(r.hits())
    for name, qtype in (("www.alpha.example", "A"), ("bot.c2.example", "A"), ("to-c2.alpha.example", "AAAA"), ("www.hosted.example", "A"),
                        ("nothing.alpha.example", "A"), ("localhost", "AAAA")):
        m, t = r.ask(name, qtype), trace(r, name, qtype)["message"]
        equal(t["rcode"], m.rcode, name)
        have = sorted(x.split(" ")[4] for x in t["answer"])
        want = sorted(x.data.rstrip(".") if isinstance(x.data, str) else str(x.data) for x in m.answer)
        equal([x.rstrip(".") for x in have], want, name)
        equal(t.get("ede"), m.ede[0][0] if m.ede else None, name + ": EDE")
    equal(len(r.wait_hits(lambda hits: len(hits) >= before + 3)), before + 3, "hits, of the client's questions alone")


@test("an alias of a listed name: the rule on the target, no question for it")
def alias(r):
    wire = len(r.lab.wire() or [])
    with silent(r):
        t = trace(r, "to-c2-deep.alpha.example")
    check(steps(t, "policy", name="to-c2.beta.example", verdict="pass"), "the clean target on the way", t)
    end = steps(t, "done", question=1)[0]
    equal((end["name"], end["verdict"], end["rule"]["matched"]), ("deep.under.c2.example", "act", "c2.example"), "the listed target")
    asked = [w for w in (r.lab.wire() or [])[wire:] if w[3].endswith("c2.example")]
    equal(asked, [], "questions for it")
    equal([s for s in steps(t, "send") if s["name"].endswith("c2.example")], [], "sends for it")
    equal(t["message"]["answer"][-1], "deep.under.c2.example. 30 IN A " + SINK4, "answer")


@test("listed name servers, by name and by address: each refusal with its rule")
def servers(r):
    with silent(r):
        t = trace(r, "www.hosted.example")
        refused = steps(t, "policy", verdict="act", server="ns.crimehost.example")
        check(refused and refused[0]["rule"]["trigger"] == "ns-name", "by name", t)
        t = trace(r, "www.byaddr.example")
        refused = [s for s in steps(t, "policy", verdict="act") if s.get("address", "").startswith(r.lab.host(205) + "@")]
        check(refused and refused[0]["rule"]["matched"] == r.lab.host(205) + "/32", "by address", t)
        equal(t["message"]["answer"], ["www.byaddr.example. 30 IN A " + SINK4], "answer")
        for i in range(10):
            t = trace(r, "p%d.partner.example" % i)
            equal(t["message"]["answer"], ["p%d.partner.example. 300 IN A 192.0.2.62" % i], "the clean one of two")


@test("--client: an opted-out subscriber's question does reach the server, a stranger's is refused; no hit in either case")
def client(r):
    address = r.lab.host(OPTED_OUT)
    r.must("sinkhole-blocklist", "client", "add", address + "/32", "--opt-out")
    with silent(r, contact=True):
        t = trace(r, "traced.c2.example", "--client", address)
        equal(steps(t, "client")[0]["class"], "opted out", "class")
        equal(t["message"]["answer"][0].split(" ")[-1], STOLEN, "answer")
    with silent(r):
        equal(trace(r, "traced.c2.example")["message"]["answer"][0].split(" ")[-1], SINK4, "all lists")
        t = trace(r, "www.alpha.example", "--client", "192.0.2.77")
        equal((t["message"]["rcode"], t["sends"]), ("REFUSED", 0), "a stranger")
    r.must("sinkhole-blocklist", "client", "remove", address + "/32")


@test("text for a person: indented, with rule, sends and time")
def text(r):
    r.must("sinkholectl", "flush")
    out = r.must("sinkholectl", "trace", "www.gamma.example", "AAAA")
    check("\t    question " in out and "referral to gamma.example" in out, "look-ups below", out)
    check("answer: www.gamma.example. 300 IN AAAA 2001:db8::31" in out, "answer", out)
    check("refused by rule c2.example, list lab, entry" in r.must("sinkholectl", "trace", "x.c2.example"), "rule")
    for args, word in ((("no..name",), "no..name"), (("x.example", "NONSENSE"), "NONSENSE"), (("x.example", "AXFR"), "type"),
                       (("x.example", "--client", "nobody"), "nobody")):
        status, out, err = r.run("sinkholectl", "trace", *args)
        check(status == 2 and err.count("\n") == 1 and word in err, "trace %s" % (args,), status, out, err)


@test("replies that never come, over UDP and TCP, are told; others are served meanwhile, a second trace is not")
def slow(r):
    out = []
    t = threading.Thread(target=lambda: out.append(trace(r, "traced.mute.example")))
    t.start()
    check(wait_for(lambda: "traced.mute.example" in [p[2] for p in r.lab.packets(24)], 5), "no question arrived")
    r.must("sinkholectl", "status")
    equal(r.ask("www.alpha.example").data("A"), ["192.0.2.11"], "a client")
    status, _, err = r.run("sinkholectl", "trace", "www.alpha.example")
    check(status == 2 and "another trace" in err, "a second trace", status, err)
    t.join(12)
    equal(out[0]["message"]["rcode"], "SERVFAIL", "answer")
    check(out[0]["late"], "later than max_wait")
    quiet = steps(out[0], "no reply", why="timed out")
    check(len(quiet) >= 3 and quiet[0]["took_us"] > 10000, "time-outs", quiet)
    check("tcp" in [s["transport"] for s in steps(out[0], "send")], "TCP", out[0])


@test("listed while it is being traced: refused in the middle, the answer not believed")
def meanwhile(r):
    out = []
    r.ask("warm.slow.example")
    t = threading.Thread(target=lambda: out.append(trace(r, "traced.slow.example")))
    t.start()
    check(wait_for(lambda: "traced.slow.example" in [p[2] for p in r.lab.packets(208)], 5), "no question arrived")
    r.add(r.lab.host(208) + "/32")
    try:
        with silent(r):
            t.join(12)
        equal(out[0]["message"]["answer"], ["traced.slow.example. 30 IN A " + SINK4], "answer")
        check(steps(out[0], "policy", verdict="act"), "the refusal", out[0])
    finally:
        r.remove(r.lab.host(208) + "/32")


@test("stopped during a trace: it ends in order, and who asked is told")
def stopped(r):
    other = harness.Resolver(r.build, os.path.join(r.folder, "stopped"), r.lab)
    other.start()
    s = socket.socket(socket.AF_UNIX)
    s.connect(os.path.join(other.state, "control.sock"))
    s.sendall(b'{"command": "trace", "name": "stopped.mute.example"}\n')
    check(wait_for(lambda: "stopped.mute.example" in [p[2] for p in r.lab.packets(24)], 5), "no question arrived")
    start = time.monotonic()
    equal(other.stop(), 0, "status")
    in_time(time.monotonic() - start < 3, "took", time.monotonic() - start)
    answer = b""
    while not answer.endswith(b"\n"):
        more = s.recv(65536)
        check(more, "closed without an answer")
        answer += more
    equal(json.loads(answer)["outcome"], "sinkholed is stopping", "outcome")


@test("name and client stand in no file and no log afterwards")
def nothing_left(r):
    marks = (b"unmistakable-clean", b"unmistakable-sink", b"127.0.0.213")
    with silent(r):
        trace(r, "unmistakable-clean.alpha.example", "--client", "127.0.0.213")
        trace(r, "unmistakable-sink.c2.example", "--client", "127.0.0.213")
        r.run("sinkholectl", "trace", "unmistakable-clean.alpha.example", "AXFR")
    found = []
    for path, _, files in os.walk(r.folder):
        for f in files:
            if os.path.isfile(os.path.join(path, f)):
                data = open(os.path.join(path, f), "rb").read()
                found += [(f, m) for m in marks if m in data]
    equal(found, [], "left behind")
    check("control: trace, asked for by uid" in open(r.log).read(), "who asked is logged")


if __name__ == "__main__":
    harness.main(setup)
