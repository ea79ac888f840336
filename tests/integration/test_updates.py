#!/usr/bin/env python3
"""P4: a change of the rules acts on the next question, for cached names too, and no question is lost by it."""
import contextlib
import itertools
import os
import signal
import subprocess
import threading
import time

import harness
from dnsmsg import Message, query, udp
from harness import SINK4, Load, check, equal, test
from lab import die_with_parent, wait_for

MILLION = 1000000


@contextlib.contextmanager
def setup(args, folder):
    with harness.lab_and_resolver(args, folder) as r:
        r.args = args
        yield r


@test("add and remove act on the very next question for a cached name, 200 times")
def next_question(r):
    name, truth = "www.beta.example", ["192.0.2.21"]
    equal(r.ask(name).data("A"), truth, "before")
    for i in range(100 if r.args.sanitized else 200):
        over = "tcp" if i % 4 == 3 else "udp"
        r.add(name)
        equal(r.ask(name, over=over).data("A"), [SINK4], "round %d, after add" % i)
        r.remove(name)
        equal(r.ask(name, over=over).data("A"), truth, "round %d, after remove" % i)


def anonymous_kib(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return int(next(line for line in f if line.startswith("Anonymous:")).split()[1])


@test("1,000 updates of one entry under load: each acts on the next question, none is lost, memory stays flat", full=True,
      sanitized=False)
def thousand(r):
    name, truth = "www.beta.example", ["192.0.2.21"]
    # The same names again and again: what grows is not the cache.
    names = itertools.cycle((("www.alpha.example", "A"), ("bot.c2.example", "A"), ("www.gamma.example", "AAAA")))
    with Load(r.server(), names, 200, (r.lab.host(harness.CLIENT), 0), 6) as load:
        for i in range(500):
            if i == 50:
                before = anonymous_kib(r.process.pid)
            r.add(name)
            equal(r.ask(name).data("A"), [SINK4], "round %d, after add" % i)
            r.remove(name)
            equal(r.ask(name).data("A"), truth, "round %d, after remove" % i)
        load.stop()
    equal(load.lost, 0, "lost of %d" % load.sent)
    after = anonymous_kib(r.process.pid)
    check(after - before < 4096, "anonymous memory grew", before, after)
    return "%d questions, %d to %d KiB anonymous" % (load.sent, before, after)


@test("the same for a cached chain whose target is listed, and on a connection that stays open")
def next_on_connection(r):
    from dnsmsg import framed, tcp_open, tcp_read
    name = "chain.alpha.example"
    with tcp_open(r.server(), 5) as s:
        def ask():
            s.sendall(framed(query(name)))
            return Message(tcp_read(s)).data("A")
        equal(ask(), ["192.0.2.31"], "before")
        for i in range(20):
            r.add("gamma.example")
            equal(ask(), [SINK4], "round %d, after add" % i)
            r.remove("gamma.example")
            equal(ask(), ["192.0.2.31"], "round %d, after remove" % i)


def million_list(r, n, first=0, zone="bench"):
    path = os.path.join(r.folder, zone + ".list")
    with open(path, "w") as f:
        f.writelines("n%d.%s.example\n" % (i, zone) for i in range(first, first + n))
    return path


def mixed_names():
    for i in itertools.count():
        yield (("www.alpha.example", "A"), ("bot%d.c2.example" % i, "A"), ("m%d.bench.delta.example" % i, "A"),
               ("www.gamma.example", "AAAA"))[i % 4]


@test("a list of a million names is imported, replaced and taken away under load: no question is lost")
def million(r):
    n = 50000 if r.args.sanitized else MILLION
    rate = 100 if r.args.sanitized else 400
    r.ask("www.delta.example")
    r.ask("www.gamma.example", "AAAA")
    figures = []
    with Load(r.server(), mixed_names(), rate, (r.lab.host(harness.CLIENT), 0), 6) as load:
        def accept(name, m):
            return m.data("A") == [SINK4] if name.endswith("c2.example") else m.rcode == "NOERROR" and SINK4 not in m.data("A")
        load.accept = accept
        for what, first, options in (("new", 0, ()), ("same again", 0, ()), ("a tenth replaced", n // 10, ()),
                                     ("emptied", None, ("--force", "--reason", "test"))):
            if first is None:
                path = os.path.join(r.folder, "few.list")
                open(path, "w").write("n0.bench.example\n")
            else:
                path = million_list(r, n, first)
            start = time.monotonic()
            r.must("sinkhole-blocklist", "import", "--list", "million", *options, path)
            figures.append("%s %.1f s" % (what, time.monotonic() - start))
            if first is not None:
                equal(r.ask("n%d.bench.example" % (first + n - 1)).data("A"), [SINK4], what + ": last name")
                equal(r.ask("x.n%d.bench.example" % first).data("A"), [SINK4], what + ": below the first name")
                check(first == 0 or not r.ask("n0.bench.example").data("A"), what + ": a name that is gone")
            else:
                check(not r.ask("n%d.bench.example" % (n - 1)).data("A"), "emptied: a name that is gone")
        load.stop()
    check(load.sent > rate and not load.wrong, "wrong answers", load.wrong[:3], load.sent)
    equal(load.lost, 0, "lost of %d" % load.sent)
    return "%d names: %s; %d questions, slowest answer %.0f ms" % (n, ", ".join(figures), load.sent, load.slowest * 1000)


@test("nobody sees half a list: whoever sees its first name sees its last")
def never_half(r):
    n = 20000 if r.args.sanitized else 200000
    first, last = "n0.bench.example", "n%d.bench.example" % (n - 1)
    r.import_text("nothing.example\n", "million", "--force", "--reason", "test")
    seen, stop = [], threading.Event()

    def look():
        while not stop.is_set():
            a = Message(udp(r.server(), query(first), 5)).data("A")
            b = Message(udp(r.server(), query(last), 5)).data("A")
            c = Message(udp(r.server(), query(first), 5)).data("A")
            seen.append((a == [SINK4], b == [SINK4], c == [SINK4]))
    t = threading.Thread(target=look)
    t.start()
    try:
        r.must("sinkhole-blocklist", "import", "--list", "million", "--force", "--reason", "test", million_list(r, n))
    finally:
        stop.set()
        t.join()
    half = [x for x in seen if (x[0] and not x[1]) or (x[1] and not x[2])]
    check(not half, "half a list was seen", half[:3])
    equal(r.ask(last).data("A"), [SINK4], "at the end")
    return "%d looks" % len(seen)


def listens(p, sig):
    """The process has a handler for the signal, or has ended: on a loaded machine a start takes a while."""
    if p.poll() is not None or sig == signal.SIGKILL:
        return True
    with open("/proc/%d/status" % p.pid) as f:
        caught = next(line for line in f if line.startswith("SigCgt:"))
    return int(caught.split()[1], 16) >> (sig - 1) & 1


@test("an import that is interrupted or killed leaves the rules as they were; the same command finishes the work")
def interrupted(r):
    n = 100000 if r.args.sanitized else 300000
    r.import_text("standing.example\n", "cut", "--force", "--reason", "test")
    path = million_list(r, n, 0, "half")
    command = [os.path.join(r.build, "sinkhole-blocklist"), "import", "--list", "cut", "--force", "--reason", "test", path,
               "-c", r.conf_file]
    start = time.monotonic()
    stopped = 0
    rounds = ((signal.SIGINT, 0.05), (signal.SIGKILL, 0.2), (signal.SIGINT, 0.4), (signal.SIGKILL, 0.5),
              (signal.SIGKILL, 0.7), (signal.SIGTERM, 0.6))
    for number, (sig, wait) in enumerate(rounds + 10 * ((signal.SIGINT, 0.02),)):
        if number >= len(rounds) and stopped:
            break  # the others are for a machine where our own signal came too late each time
        p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                             preexec_fn=die_with_parent, text=True)
        check(wait_for(lambda: listens(p, sig)), "no handler for signal %d" % sig)
        time.sleep(wait)
        p.send_signal(sig)
        out = p.communicate(timeout=60)[0]
        if p.returncode == 0:
            r.import_text("standing.example\n", "cut", "--force", "--reason", "test")
            continue  # it was quicker
        stopped += 1
        check(sig == signal.SIGKILL or p.returncode in (1, 2), "status after signal %d" % sig, p.returncode, out)
        state = [r.ask(x + ".example").data("A") == [SINK4] for x in ("standing", "n0.half", "n%d.half" % (n - 1))]
        check(state in ([True, False, False], [False, True, True]), "neither the old nor the new list after signal %d" % sig, state)
        check(sig == signal.SIGKILL or state[0], "interrupted, and it said so, but the new list stands", out)
        if not state[0]:  # killed behind the switch: that is done, not half done
            r.import_text("standing.example\n", "cut", "--force", "--reason", "test")
    check(stopped >= 1, "too quick to be interrupted", stopped)
    r.must("sinkhole-blocklist", "import", "--list", "cut", "--force", "--reason", "test", path)
    equal(r.ask("n%d.half.example" % (n - 1)).data("A"), [SINK4], "after the same command")
    check(r.ask("standing.example").data("A") != [SINK4], "the old rule is gone")
    r.must("sinkhole-blocklist", "verify")
    return "%d of %d stopped, %.1f s" % (stopped, len(rounds), time.monotonic() - start)


@test("two imports of different lists at once, and adds beside them, all take effect")
def at_once(r):
    texts = {w: "".join("%s%d.together.example\n" % (w, i) for i in range(3000)) for w in ("a", "b", "c")}
    wrong = []

    def work(w):
        try:
            r.import_text(texts[w], "together-" + w)
        except harness.Failed as e:
            wrong.append(str(e))
    threads = [threading.Thread(target=work, args=(w,)) for w in texts]
    for t in threads:
        t.start()
    for i in range(5):
        r.add("added%d.together.example" % i)
    for t in threads:
        t.join()
    check(not wrong, "imports", wrong)
    for name in ("a0", "a2999", "b0", "b2999", "c0", "c2999", "added0", "added4"):
        equal(r.ask(name + ".together.example").data("A"), [SINK4], name)


if __name__ == "__main__":
    harness.main(setup)
