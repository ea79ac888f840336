#!/usr/bin/env python3
"""Running it: start and stop, sinkholectl, and everything that can be wrong: one clear line each, nothing lost."""
import contextlib
import ctypes
import glob
import itertools
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time

import harness
from dnsmsg import query
from harness import SINK4, Resolver, Skip, check, equal, in_time, test
from lab import CLIENT, die_with_parent, wait_for


@contextlib.contextmanager
def setup(args, folder):
    with harness.lab_and_resolver(args, folder) as r:
        r.args, r.top = args, folder
        yield r


def one_line(text, what):
    """An error for a person: one line that is no shrug."""
    lines = [x for x in text.strip().splitlines() if x]
    check(len(lines) == 1, what + ": one line is wanted", text)
    check(len(lines[0]) > 30 and "assert" not in lines[0].lower(), what + ": unclear", text)
    return lines[0]


def refuses(r, what, *words):
    """A start that must fail; all words must stand in its last line."""
    p = subprocess.run([os.path.join(r.build, "sinkholed"), "-c", r.conf_file], stdin=subprocess.DEVNULL, text=True,
                       errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=40, preexec_fn=die_with_parent)
    check(p.returncode in (1, 2), what + ": status %s" % p.returncode, p.stdout[-500:])
    last = p.stdout.strip().splitlines()[-1] if p.stdout.strip() else ""
    check(all(w.lower() in last.lower() for w in words), what + ": the message lacks one of %s" % (words,), p.stdout[-500:])
    check(len(p.stdout.strip().splitlines()) <= 3, what + ": too many lines", p.stdout)
    return last


def another(r, name, **conf):
    """A second resolver with a state folder of its own."""
    other = Resolver(r.build, os.path.join(r.top, name), r.lab, **conf)
    other.must("sinkhole-blocklist", "add", "listed.example", "--reason", "test")
    return other


# ---- the configuration ----

BROKEN = (
    ("listen: [127.0.0.1@5300", "sinkholed.yaml:"),
    ("lisen: [127.0.0.1@5300]", "sinkholed.yaml:1", "lisen", "listen"),
    ("listen: [127.0.0.1@70000]", "sinkholed.yaml:1", "listen"),
    ("listen: [localhost@53]", "sinkholed.yaml:1", "listen"),
    ("node: a\nworkers: -1", "sinkholed.yaml:2", "workers"),
    ("workers: many", "sinkholed.yaml:1", "workers"),
    ("allow: [10.0.0.1/8]", "sinkholed.yaml:1", "allow"),
    ("allow: 10.0.0.0/33", "sinkholed.yaml:1", "allow"),
    ("sinkhole:\n  action: explode", "sinkholed.yaml:2", "action"),
    ("sinkhole:\n  ipv4: '2001:db8::1'", "sinkholed.yaml:2", "ipv4"),
    ("cache: {size: 12Q}", "sinkholed.yaml:1", "size"),
    ("hits: {retention: tomorrow}", "sinkholed.yaml:1", "retention"),
    ("recursion:\n  qname_minimisation: sometimes", "sinkholed.yaml:2", "qname_minimisation"),
    ("recursion:\n  stub:\n  - {zone: x..y, servers: [192.0.2.1]}", "sinkholed.yaml:3", "zone"),
    ("node: a\nnode: b", "sinkholed.yaml:2", "node"),
    ("- a\n- b", "sinkholed.yaml:1"),
    ("a: &x [*x]", "sinkholed.yaml:1"),
    ("\x00\x01\x02", "sinkholed.yaml"),
)


@test("--check: right configurations end with 0, broken ones name file, line and key in one line")
def broken_configuration(r):
    status, out, err = r.run("sinkholed", "--check")
    equal(status, 0, "--check of a right one: %s" % (out + err))
    folder = os.path.join(r.top, "broken")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "sinkholed.yaml")
    for text, *words in BROKEN:
        open(path, "w").write(text + "\n")
        for extra in (["--check"], []):
            p = subprocess.run([os.path.join(r.build, "sinkholed"), "-c", path] + extra, stdin=subprocess.DEVNULL, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
            check(p.returncode in (1, 2), "%r: status %s" % (text, p.returncode), p.stdout)
            line = one_line(p.stdout, repr(text))
            check(all(w in line for w in words), "%r: the message lacks one of %s" % (text, words), line)
    for path, word in ((os.path.join(folder, "not-there.yaml"), "not-there.yaml"), (folder, folder)):
        p = subprocess.run([os.path.join(r.build, "sinkholed"), "-c", path, "--check"], stdin=subprocess.DEVNULL, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
        check(p.returncode in (1, 2) and word in one_line(p.stdout, path), path, p.stdout)


@test("--help, --version and --help-config of every program")
def helps(r):
    for program in ("sinkholed", "sinkholectl", "sinkhole-blocklist", "sinkhole-hits"):
        for option in ("--help", "--version"):
            p = subprocess.run([os.path.join(r.build, program), option], stdin=subprocess.DEVNULL, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=10)
            check(p.returncode == 0 and p.stdout.strip() and not p.stderr, "%s %s" % (program, option), p)
        p = subprocess.run([os.path.join(r.build, program), "--no-such-option"], stdin=subprocess.DEVNULL, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=10)
        check(p.returncode == 2 and p.stderr.strip() and not p.stdout, "%s --no-such-option" % program, p)
    p = subprocess.run([os.path.join(r.build, "sinkholed"), "--help-config"], text=True, stdout=subprocess.PIPE, timeout=10)
    check(p.returncode == 0 and "permit_private" in p.stdout, "--help-config", p.stdout[:200])


# ---- starting and stopping ----

@test("SIGTERM and SIGINT end it with status 0, with questions under way too")
def signals(r):
    other = another(r, "signals")
    for sig in (signal.SIGTERM, signal.SIGINT):
        other.start()
        for i in range(5):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.sendto(query("s%d.mute.example" % i), other.server())
        held = socket.create_connection(other.server())
        start = time.monotonic()
        equal(other.stop(sig), 0, "status after signal %d" % sig)
        in_time(time.monotonic() - start < 5, "took", time.monotonic() - start)
        held.close()


@test("a second resolver on the same state folder refuses to start, and the first one goes on")
def second(r):
    other = Resolver(r.build, os.path.join(r.top, "second"), r.lab, state=r.state)
    refuses(other, "second resolver", r.state)
    equal(r.ask("www.alpha.example").data("A"), ["192.0.2.11"], "the first one")
    equal(r.ask("still.c2.example").data("A"), [SINK4], "the first one")
    r.hits()


@test("an address in use: one line with the address")
def address_in_use(r):
    other = another(r, "in-use")
    other.configure(listen=["%s@%d" % r.server()])
    refuses(other, "address in use", r.server()[0], str(r.server()[1]), "use")
    other.configure(listen=["192.0.2.77@5300"])
    refuses(other, "address not on this machine", "192.0.2.77")


@test("a user that does not exist: one line with the name; a user that does: the process runs as that user")
def user(r):
    if os.geteuid():
        raise Skip("needs root")
    other = another(r, "user", user="no-such-user")
    refuses(other, "unknown user", "no-such-user")
    other.configure(user="nobody")
    os.chmod(r.top, 0o755)
    for path, folders, files in os.walk(other.folder):
        for f in folders + files:
            shutil.chown(os.path.join(path, f), "nobody")
    other.start()
    pid = other.process.pid
    uid = [x for x in open("/proc/%d/status" % pid) if x.startswith("Uid:")][0].split()[1:]
    check(set(uid) != {"0"} and len(set(uid)) == 1, "uids", uid)
    caps = [x for x in open("/proc/%d/status" % pid) if x.startswith("CapEff:")][0].split()[1]
    equal(int(caps, 16), 0, "capabilities left")
    equal(other.ask("listed.example").data("A"), [SINK4], "answer")
    equal(other.stop(), 0, "status")


# ---- reading the configuration again ----

@test("reload, by sinkholectl and SIGHUP: acts at once, loses no question; a broken file changes nothing")
def reload(r):
    other = another(r, "reload", sinkhole={"ipv4": "192.0.2.1"})
    other.start()
    load = harness.Load(other.server(), (("q%d.listed.example" % i, "A") for i in itertools.count()), 500, (r.lab.host(CLIENT), 0))
    with load:
        for i in range(2, 42):
            other.configure(sinkhole={"ipv4": "192.0.2.%d" % i})
            equal(other.must("sinkholectl", "reload"), "", "what it says")
            equal(other.ask("listed.example").data("A"), ["192.0.2.%d" % i], "after a reload")
        other.configure(sinkhole={"ipv4": "192.0.2.99"})
        other.process.send_signal(signal.SIGHUP)
        check(wait_for(lambda: other.ask("listed.example").data("A") == ["192.0.2.99"], 5), "after SIGHUP")
    check(load.sent > 50 and not load.lost, "%d of %d questions lost" % (load.lost, load.sent))
    equal(other.ask("www.alpha.example").data("A"), ["192.0.2.11"], "uncached")
    other.configure(allow=["192.0.2.0/24"], workers=1)
    check("need a restart: workers" in other.must("sinkholectl", "reload"), "what needs a restart is named")
    equal(other.ask("www.alpha.example").rcode, "REFUSED", "a cached answer, to who may not ask any more")
    good = open(other.conf_file).read()
    open(other.conf_file, "w").write("lisen: []\n")
    p = subprocess.run([os.path.join(r.build, "sinkholectl"), "reload", "--state", other.state], stdin=subprocess.DEVNULL, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
    check(p.returncode == 2 and "sinkholed.yaml:1: lisen" in one_line(p.stdout, "a broken file"), "status %d" % p.returncode, p.stdout)
    check("stays as it was" in other.said(), "in the log", other.said())
    open(other.conf_file, "w").write(good)
    equal(other.ask("www.alpha.example").rcode, "REFUSED", "after a broken file")
    equal(other.stop(), 0, "status")


# ---- the service manager ----

class Manager:
    """The side of systemd that NOTIFY_SOCKET leads to."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name.replace("@", "\0", 1) if name[0] == "@" else name)
        self.environment = ("env", "NOTIFY_SOCKET=" + name, "WATCHDOG_USEC=10000000")

    def heard(self, seconds, wanted=None):
        """What was said in that time, or until it was what is wanted."""
        lines, end = [], time.monotonic() + seconds
        while time.monotonic() < end and wanted not in lines:
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                lines += self.socket.recv(4096).decode().splitlines()
            except TimeoutError:
                break
        return lines


def thread_named(pid, name):
    for path in glob.glob("/proc/%d/task/*/comm" % pid):
        if open(path).read().strip() == name:
            return int(path.split("/")[4])
    raise harness.Failed("no thread %s" % name)


@contextlib.contextmanager
def held(tid):
    """That one thread stands still."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    attach, detach = 16, 17
    if libc.ptrace(attach, tid, None, None):
        raise Skip("ptrace of a child is not allowed: " + os.strerror(ctypes.get_errno()))
    os.waitpid(tid, 0x40000000)  # __WALL
    try:
        yield
    finally:
        libc.ptrace(detach, tid, None, None)


@test("systemd: READY once the blocklist is whole, WATCHDOG only while each worker moves, STOPPING")
def notify(r):
    other = another(r, "notify")
    for name in (os.path.join(other.folder, "notify"), "@sinkholed-test-%d" % os.getpid()):
        manager = Manager(name)
        other.start(manager.environment)
        said = manager.heard(20, "READY=1")
        equal(said[-1:], ["READY=1"], "at the start")
        check("has been checked: whole" in other.said(), "ready before the blocklist was checked", other.said())
        check("WATCHDOG=1" in manager.heard(5, "WATCHDOG=1"), "no watchdog")
        for worker in ("worker-0", "worker-1"):
            with held(thread_named(other.process.pid, worker)):
                manager.heard(1.5)  # the beat that was on its way
                equal(manager.heard(2.5), [], worker + " stands, and yet")
                check(wait_for(lambda: "%s does not answer" % worker.replace("-", " ") in other.said(), 5) or
                      worker == "worker-1", "it is told", other.said())
            check("WATCHDOG=1" in manager.heard(5, "WATCHDOG=1"), worker + " goes on")
        other.must("sinkholectl", "reload")
        said = [x.split("=")[0] for x in manager.heard(5, "READY=1") if x != "WATCHDOG=1"]
        equal(said, ["RELOADING", "MONOTONIC_USEC", "READY"], "a reload")
        other.stop()
        equal([x for x in manager.heard(1) if x != "WATCHDOG=1"], ["STOPPING=1"], "at the end")


# ---- the store ----

@test("a new state folder gets an empty store; one whose store has gone refuses to start and says what to do")
def missing_store(r):
    other = Resolver(r.build, os.path.join(r.top, "missing"), r.lab)
    other.start()
    equal(other.ask("www.alpha.example").data("A"), ["192.0.2.11"], "with an empty store")
    other.stop()
    shutil.rmtree(os.path.join(other.state, "blocklist"))
    refuses(other, "missing store", "blocklist")
    other.configure(state=os.path.join(other.conf_file, "nowhere"))
    refuses(other, "a state folder that cannot be made", "nowhere")


def filled(r, name):
    other = another(r, name)
    other.import_text("".join("f%d.filled.example\n" % i for i in range(5000)), "filled")
    return other, os.path.join(other.state, "blocklist", "data.mdb")


@test("a truncated store: refuses to start, never passes everything")
def truncated(r):
    other, data = filled(r, "truncated")
    good = open(data, "rb").read()
    used = json.loads(other.must("sinkhole-blocklist", "stats", "--json"))["bytes_used"]
    for cut in (used - 4096, used // 2, 4096, 100, 0):
        open(data, "wb").write(good[:cut])
        refuses(other, "cut to %d of %d bytes" % (cut, used), "blocklist")
        status, out, err = other.run("sinkhole-blocklist", "verify")
        check(status in (1, 2) and err.count("\n") <= 2, "verify of a cut store", status, out, err)
    open(data, "wb").write(good)
    other.start()
    equal(other.ask("f7.filled.example").data("A"), [SINK4], "with the good file again")
    other.stop()


@test("flipped bytes after an unclean end: refuses to start; verify finds them")
def flipped(r):
    other, data = filled(r, "flipped")
    good = open(data, "rb").read()
    other.must("sinkhole-blocklist", "verify")
    # In the middle of the text of a record: no page header is hurt, LMDB itself sees nothing.
    places = [m.start() for m in re.finditer(b"filled", good)]
    check(len(places) > 100, "no records found to damage")
    seen = 0
    for at in places[::len(places) // 12]:
        other.start()
        other.stop(signal.SIGKILL)
        bad = bytearray(good)
        bad[at + 2] ^= 0x01
        open(data, "wb").write(bad)
        status, out, err = other.run("sinkhole-blocklist", "verify")
        if status == 0:  # a page that is free: nothing of what is listed stands there
            other.start()
            other.stop()
        else:
            refuses(other, "flipped byte %d" % at, "blocklist")
            seen += 1
        open(data, "wb").write(good)
    check(seen >= 3, "damage found", seen)
    other.start()
    equal(other.ask("f7.filled.example").data("A"), [SINK4], "with the good file again")
    other.stop()
    return "%d places damaged, %d in use" % (len(places[::len(places) // 12]), seen)


@test("flipped bytes after an end in order: found beside the first service, which ends; then refuses to start")
def flipped_quietly(r):
    other, data = filled(r, "quietly")
    other.start()
    other.stop()
    bad = bytearray(open(data, "rb").read())
    places = [m.start() for m in re.finditer(b"filled", bad)]
    for at in places[10::max(1, len(places) // 20)]:
        bad[at + 2] ^= 0x01
    open(data, "wb").write(bad)
    equal(other.run("sinkhole-blocklist", "verify")[0], 1, "verify")
    other.spawn()
    equal(other.process.wait(30), 2, "status of the service that found it")
    other.process = None
    check("is damaged" in other.said(), "what it said", other.said())
    refuses(other, "damage that is known", "blocklist", "is damaged")


@test("a store that is moved away while it is served: still enforced, and told until it is back")
def moved(r):
    other = another(r, "moved")
    folder = os.path.join(other.state, "blocklist")
    other.start()
    os.rename(folder, folder + ".old")
    other.add("later.example")
    check(wait_for(lambda: "moved or replaced" in other.said(), 10), "it is told", other.said())
    check("restart" in other.must("sinkholectl", "status"), "status")
    equal(other.ask("listed.example").data("A"), [SINK4], "what was listed before")
    shutil.rmtree(folder)
    os.rename(folder + ".old", folder)
    check(wait_for(lambda: "restart" not in other.must("sinkholectl", "status"), 10), "status, after it is back")
    other.stop()


@test("a store that is something else: refuses")
def junk_store(r):
    other, data = filled(r, "junk")
    open(data, "wb").write(secrets.token_bytes(65536))
    refuses(other, "junk as a store", "blocklist")


def small_disk(args, folder):
    """Inside a mount namespace: the store's file system is small."""
    r = Resolver(args.build, os.path.join(folder, "resolver"), address="127.0.0.1")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", r.state]).returncode:
        raise Skip("cannot mount a tmpfs")
    r.import_text("standing.example\n", "first")
    path = os.path.join(folder, "large.list")
    with open(path, "w") as f:
        f.writelines("a-rather-long-name-number-%d.large.example\n" % i for i in range(200000))
    status, out, err = r.run("sinkhole-blocklist", "import", "--list", "large", path)
    check(status == 2, "import onto a full disk: status %d" % status, out, err)
    lines = [x for x in err.splitlines() if x]
    check(len(lines) == 1 and "space" in lines[0].lower(), "message", err)
    r.must("sinkhole-blocklist", "verify")
    check("standing.example" in r.must("sinkhole-blocklist", "list", "--list", "first"), "what stood before")
    r.import_text("another.example\n", "second")
    return lines[0]


@test("full disk: an import fails with one line, the store stays as it was and can be used on")
def full_disk(r):
    harness.in_namespace(r.args, small_disk, os.path.join(r.top, "small"), "--mount")


def read_only(args, folder):
    """Inside a mount namespace: the state folder is read-only."""
    r = Resolver(args.build, os.path.join(folder, "resolver"), address="127.0.0.1")
    r.import_text("standing.example\n", "first")
    subprocess.run(["mount", "--bind", r.state, r.state], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", r.state], check=True)
    status, out, err = r.run("sinkhole-blocklist", "add", "x.example", "--reason", "test")
    check(status == 2 and err.count("\n") == 1 and "read-only" in err, "add to a read-only folder", status, out, err)


@test("a read-only state folder: the tool fails with one line")
def read_only_folder(r):
    harness.in_namespace(r.args, read_only, os.path.join(r.top, "read-only"), "--mount")


# ---- without a network ----

def no_network(args, folder):
    """Inside a network namespace that has only loopback, and no route."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    r = Resolver(args.build, os.path.join(folder, "resolver"), address="127.0.0.1")
    r.add("listed.example")
    r.start()
    try:
        for over in ("udp", "tcp"):
            equal(r.ask("www.listed.example", over=over).data("A"), [SINK4], "listed")
            start = time.monotonic()
            m = r.ask("www.%s.example.com" % over, over=over)
            took = time.monotonic() - start
            check(m is not None, "no answer")
            equal(m.rcode, "SERVFAIL", "rcode")
            check(m.ede and m.ede[0][0] in (22, 23), "EDE", m)
            in_time(took < 1.0, "took %.1f s" % took)
    finally:
        equal(r.stop(), 0, "status")


@test("no network: listed names are still answered, others get SERVFAIL with the reason, at once")
def without_network(r):
    harness.in_namespace(r.args, no_network, os.path.join(r.top, "no-network"), "--net")


# ---- sinkholectl ----

@test("sinkholectl status and stats, as text and as JSON")
def status_stats(r):
    before = json.loads(r.must("sinkholectl", "stats", "--json"))
    flat = json.dumps(before)
    check("queries_udp" in flat, "stats", flat[:300])
    check("queries_udp" in r.must("sinkholectl", "stats"), "stats as text")
    s = json.loads(r.must("sinkholectl", "status", "--json"))
    equal(s.get("pid"), r.process.pid, "pid")
    equal(s.get("node"), "test-node", "node")
    check(r.must("sinkholectl", "status").strip(), "status as text")


def sent(r):
    return len(r.lab.packets(210))


@test("sinkholectl flush: one name, a subtree, everything; the next question is asked anew")
def flush(r):
    names = ("one.flush.canary.example", "two.flush.canary.example")

    def asked():
        before = sent(r)
        for n in names:
            for _ in range(6):  # both workers
                r.ask(n)
        return sent(r) - before
    asked()
    equal(asked(), 0, "questions for cached names")
    r.must("sinkholectl", "flush", names[0])
    equal(asked(), 1, "questions after flushing one name")
    r.must("sinkholectl", "flush", "flush.canary.example", "--subtree")
    # The part that both have in common is probed anew, too.
    equal(asked(), 3, "questions after flushing a subtree")
    r.must("sinkholectl", "flush")
    check(asked() >= 2, "questions after flushing everything")


@test("sinkholectl without a resolver: one line; stop ends it")
def stop(r):
    other = another(r, "ctl")
    status, out, err = other.run("sinkholectl", "status")
    check(status in (1, 2), "status %d" % status, out)
    one_line(err, "no resolver")
    other.start()
    other.must("sinkholectl", "stop")
    equal(other.process.wait(10), 0, "status")
    other.process = None


@test("the control socket takes junk and idle connections without harm")
def control_junk(r):
    path = glob.glob(os.path.join(r.state, "control.sock"))
    check(path, "no control.sock in the runtime folder")
    held = []
    for junk in (b"", b"\0" * 100, b"{" * 5000, b"[]\n", b'{"command": 7}\n', b'{"command": "no-such"}\n', os.urandom(3000)):
        s = socket.socket(socket.AF_UNIX)
        s.connect(path[0])
        s.settimeout(2)
        try:
            s.sendall(junk)
        except OSError:
            pass
        held.append(s)
    r.must("sinkholectl", "status")
    mode = os.stat(path[0]).st_mode & 0o007
    equal(mode, 0, "others' rights on control.sock")
    for s in held:
        s.close()
    equal(r.ask("www.alpha.example").data("A"), ["192.0.2.11"], "afterwards")


@test("the blocklist tool says no with status 1, and is misused with status 2, one line each")
def tool_errors(r):
    tool = "sinkhole-blocklist"
    for status, args in ((1, ("remove", "not-listed.example", "--reason", "x")), (2, ("add", "bad..name", "--reason", "x")),
                         (2, ("add", "no-reason.example")), (2, ("import", "--list", "x", "/no/such/file")),
                         (2, ("no-such-command",)), (2, ("add", "x.example", "--reason", "x", "--action", "explode")),
                         (2, ("add", "x.example", "--reason", "x", "--expires", "soon"))):
        have, out, err = r.run(tool, *args)
        equal(have, status, "%s: %s" % (" ".join(args), out + err))
        check(err.strip() and err.count("\n") <= 2, " ".join(args) + ": message", err)
    for name in ("com", "example", "."):
        have, out, err = r.run(tool, "add", name, "--reason", "x")
        check(have in (1, 2), "add %s was taken" % name, out, err)
    have, out, err = r.run(tool, "explain", "clean.alpha.example")
    equal(have, 1, "explain of a clean name: %s" % (out + err))
    have, out, err = r.run(tool, "explain", "x.c2.example")
    equal(have, 0, "explain of a listed name")
    check("lab" in out and "c2.example" in out, "explain", out)


@test("state read by the tools while the resolver runs: list, lists, export, stats, verify, check, diff")
def tool_reads(r):
    tool = "sinkhole-blocklist"
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "zones", "lab.list")
    check("c2.example" in r.must(tool, "list", "--list", "lab"), "list")
    check("lab" in r.must(tool, "lists"), "lists")
    check("c2.example" in r.must(tool, "export", "--list", "lab"), "export")
    check(r.must(tool, "stats").strip(), "stats")
    r.must(tool, "verify")
    r.must(tool, "check", path)
    other = os.path.join(r.folder, "other.list")
    open(other, "w").write("c2.example\nnew-one.example\n")
    status, out, err = r.run(tool, "diff", "--list", "lab", other)
    check("new-one.example" in out and "crimehost.example" in out, "diff", status, out, err)
    equal(r.ask("x.new-one.example").data("A"), [], "diff changes nothing")


if __name__ == "__main__":
    harness.main(setup)
