"""What the integration tests share: test cases, the resolver as a process, the tools.

A test file imports this, marks its functions with @test("what must hold") and ends with main(). Each
test prints `ok - NAME`, `not ok - NAME: why` or `skipped - NAME: why`; the last line counts them. A text that
a test returns is printed behind its name: figures it saw.
    python3 tests/integration/test_NAME.py BUILD [--full] [--sanitized] [-k WORD]"""
import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from dnsmsg import Message, query, tcp, udp
from lab import CLIENT, RESOLVER, Lab, LabError, die_with_parent, port_free, wait_for

tests = []
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SINK4, SINK6, STOLEN = "192.0.2.1", "2001:db8::1", "203.0.113.99"


class Skip(Exception):
    pass


TRIES = 3  # of a test that in_time() ended


class Failed(Exception):
    pass


class TooSlow(Failed):
    """The code's fault if it is so each time, the machine's if not."""


def test(what, full=False, sanitized=True):
    """full: only in check-full. sanitized: also makes sense (and is quick enough) under a sanitizer."""
    def mark(f):
        tests.append((what, f, full, sanitized))
        return f
    return mark


def check(condition, message, *details):
    if not condition:
        raise Failed(" ".join([message] + [repr(d) for d in details]))


def in_time(condition, message, *details):
    """As check(), for what a busy machine can spoil: the test is tried again, so it has to be one that can be."""
    if not condition:
        raise TooSlow(" ".join([message] + [repr(d) for d in details]))


def equal(have, want, what):
    check(have == want, "%s: have %r, want %r" % (what, have, want))


# ---- the resolver ----

class Resolver:
    """One state folder and the configuration of sinkholed on it; start() and stop() as often as wanted."""

    def __init__(self, build, folder, lab=None, address="127.0.0.1", **conf):
        self.build, self.folder, self.lab = os.path.abspath(build), folder, lab
        self.address = lab.host(RESOLVER) if lab else address
        self.port = self.free_port()
        self.process, self.faults = None, []
        os.makedirs(folder, exist_ok=True)
        self.state = os.path.join(folder, "state")
        os.makedirs(self.state, exist_ok=True)
        self.conf_file = os.path.join(folder, "sinkholed.yaml")
        self.log = os.path.join(folder, "sinkholed.log")
        self.conf = {"listen": ["%s@%d" % (self.address, self.port), "::1@%d" % self.port], "workers": 2,
                     "allow": ["127.0.0.0/8", "::1/128"], "state": self.state, "user": "", "node": "test-node",
                     "recursion": lab.recursion() if lab else {"trust_anchor": ""}}
        self.configure(**conf)

    def free_port(self):
        for port in range(5300 + os.getpid() % 500, 32000, 7):
            if port_free(self.address, port) and port_free("::1", port):
                return port
        raise LabError("no free port")

    def configure(self, **conf):
        for key, value in conf.items():
            if isinstance(value, dict):
                self.conf[key] = dict(self.conf.get(key, {}), **value)
            else:
                self.conf[key] = value
        with open(self.conf_file, "w") as f:
            json.dump(self.conf, f, indent=1)  # JSON is YAML

    @contextlib.contextmanager
    def running(self):
        """Started; at the end it must end cleanly, and no sanitizer may have complained."""
        try:
            self.start()
            yield self
            self.stop()
            said = self.said()
            check(not self.faults, "; ".join(self.faults))
            check("Sanitizer" not in said and "runtime error:" not in said, "a sanitizer complained: " + said)
        finally:
            if self.process:
                self.process.kill()
                self.process.wait()

    def start(self, wrapper=()):
        self.spawn(wrapper)
        if not wait_for(self.accepts, 30):
            raise Failed("sinkholed does not accept connections; it said: " + self.said())
        return self

    def spawn(self, wrapper=()):
        self.process = subprocess.Popen(
            list(wrapper) + [os.path.join(self.build, "sinkholed"), "-c", self.conf_file], stdin=subprocess.DEVNULL,
            stdout=open(self.log, "a"), stderr=subprocess.STDOUT, preexec_fn=die_with_parent)

    def accepts(self):
        if self.process.poll() is not None:
            raise Failed("sinkholed ended with %s: %s" % (self.process.returncode, self.said()))
        with socket.socket() as s:
            s.settimeout(1)
            return s.connect_ex((self.address, self.port)) == 0

    def said(self):
        try:
            return open(self.log, errors="replace").read()[-2000:].strip()
        except FileNotFoundError:
            return ""

    def stop(self, sig=signal.SIGTERM):
        """Ends it; returns the exit status."""
        if not self.process:
            return None
        self.process.send_signal(sig)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
            self.faults.append("did not end within 30 s of signal %d" % sig)
        self.process = None
        if sig == signal.SIGTERM and status:
            self.faults.append("ended with %s: %s" % (status, self.said()))
        return status

    # ---- asking ----

    def server(self, six=False):
        return ("::1" if six else self.address, self.port)

    def ask(self, name, qtype="A", over="udp", client=None, six=False, timeout=8.0, **flags):
        """The answer as a Message, or None when there is none in time."""
        source = None
        if client:
            source = (client, 0)
        elif self.lab and not six:
            source = (self.lab.host(CLIENT), 0)
        wire = query(name, qtype, **flags)
        out = (tcp if over == "tcp" else udp)(self.server(six), wire, timeout, source)
        if out is None:
            return None
        m = Message(out)
        check(out[:2] == wire[:2], "answer has another ID")
        return m

    # ---- tools ----

    def run(self, program, *args, stdin=None, timeout=600):
        """(status, stdout, stderr) of one of the tools with this configuration."""
        r = subprocess.run([os.path.join(self.build, program), *args, "-c", self.conf_file], input=stdin, text=True,
                           errors="replace", stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                           preexec_fn=die_with_parent, **({} if stdin is not None else {"stdin": subprocess.DEVNULL}))
        return r.returncode, r.stdout, r.stderr

    def must(self, program, *args, **more):
        status, out, err = self.run(program, *args, **more)
        check(status == 0, "%s %s: status %d: %s" % (program, " ".join(args), status, (out + err).strip()[-400:]))
        return out

    def add(self, what, *more, reason="test"):
        self.must("sinkhole-blocklist", "add", what, "--reason", reason, *more)

    def remove(self, what, *more):
        self.must("sinkhole-blocklist", "remove", what, "--reason", "test", *more)

    def import_text(self, text, name="test", *more, **options):
        path = os.path.join(self.folder, name + ".list")
        open(path, "w").write(text)
        return self.must("sinkhole-blocklist", "import", "--list", name, *more, path, **options)

    def hits(self, *more):
        """All hits as dictionaries."""
        return [json.loads(x) for x in self.must("sinkhole-hits", "export", "--json", "--purpose", "test", "--case", "1", *more).splitlines()]

    def wait_hits(self, wanted, seconds=5.0):
        """The hits once wanted(hits) is true; the writer drains at most every 100 ms."""
        end = time.monotonic() + seconds
        while True:
            have = self.hits()
            if wanted(have) or time.monotonic() > end:
                return have
            time.sleep(0.1)


@contextlib.contextmanager
def workspace():
    """A new folder that goes away, unless a test failed and KEEP is set."""
    folder = tempfile.mkdtemp(prefix="sinkholed-test-")
    os.chmod(folder, 0o755)
    try:
        yield folder
    finally:
        if not os.environ.get("KEEP"):
            shutil.rmtree(folder, ignore_errors=True)


class Load:
    """Asks names at a modest rate from a thread of its own and counts: sent, answered, and per-question delay. names is an
    iterator of (name, qtype); each question waits for its answer at most wait_s on the same socket."""

    def __init__(self, server, names, rate=500, source=None, wait_s=2.0):
        self.server, self.names, self.rate, self.source, self.wait_s = server, iter(names), rate, source, wait_s
        self.sent, self.answered, self.slowest, self.wrong = 0, 0, 0.0, []
        self.answers = {}  # name -> rcode
        self.accept = lambda name, message: True
        self.stopping = False
        self.thread = threading.Thread(target=self.work, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping = True
        self.thread.join(self.wait_s + 5)

    def work(self):
        from dnsmsg import family
        s = socket.socket(family(self.server[0]), socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        if self.source:
            s.bind(self.source)
        s.setblocking(False)
        waiting, start, last = {}, time.monotonic(), 0.0
        while True:
            now = time.monotonic()
            due = int((now - start) * self.rate) - self.sent
            if self.stopping and (not waiting or now - last > self.wait_s):
                break
            if not self.stopping:
                for _ in range(min(due, 20)):
                    try:
                        name, qtype = next(self.names)
                    except StopIteration:
                        self.stopping = True
                        break
                    qid = self.sent & 0xffff
                    try:
                        s.sendto(query(name, qtype, qid=qid), self.server)
                    except OSError:
                        pass  # ICMP error of an earlier datagram, or the server is not there just now
                    waiting[qid] = (name, now)
                    self.sent += 1
                    last = now
            self.read(s, waiting)
            time.sleep(0.001)
        s.close()

    def read(self, s, waiting):
        while True:
            try:
                data = s.recv(65535)
            except BlockingIOError:
                return
            except OSError:
                continue
            qid = int.from_bytes(data[:2], "big")
            if qid not in waiting:
                continue
            name, when = waiting.pop(qid)
            self.answered += 1
            self.slowest = max(self.slowest, time.monotonic() - when)
            message = Message(data)
            self.answers[name] = message.rcode
            if not self.accept(name, message):
                self.wrong.append((name, repr(message)))

    @property
    def lost(self):
        return self.sent - self.answered


# ---- namespaces ----

def in_namespace(args, function, folder, *flags):
    """Runs function(args, folder) of the calling test file in a process of its own inside new namespaces (flags of
    unshare); skips where that is not allowed."""
    command = ["unshare", *flags] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    if subprocess.run(command + ["true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        raise Skip("this user may not make namespaces (unshare %s)" % " ".join(flags))
    r = subprocess.run(command + [sys.executable, os.path.abspath(sys.argv[0]), args.build, "--inside", function.__name__, folder],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    if r.returncode == 77:
        raise Skip(r.stdout.strip())
    check(r.returncode == 0, r.stdout.strip())
    return r.stdout.strip()


def run_inside(args, module):
    name, folder = args.inside
    try:
        print(in_some_try(getattr(module, name), (args, folder)) or "")
    except Skip as e:
        print(e)
        sys.exit(77)
    except (Failed, LabError) as e:
        print(e)
        sys.exit(1)
    sys.exit(0)


# ---- running ----

def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("build")
    p.add_argument("--full", action="store_true", help="the long tests too")
    p.add_argument("--sanitized", action="store_true", help="leave out what a sanitizer's slowness would spoil")
    p.add_argument("--inside", nargs=2, metavar=("FUNCTION", "FOLDER"), help="used by in_namespace()")
    p.add_argument("-k", default="", metavar="WORD", help="only tests with this word in their name")
    return p.parse_args()


def main(setup=None):
    """Runs the file's tests in order. setup(args, folder) is a context manager that gives what each test is called
    with; without it tests are called with (args, folder)."""
    args = arguments()
    if args.inside:
        run_inside(args, sys.modules["__main__"])
    counts = dict(passed=0, failed=0, skipped=0)
    sys.stdout.reconfigure(line_buffering=True)

    def report(kind, word, what, why=""):
        counts[kind] += 1
        print("%s - %s%s" % (word, what, ": " + why if why else ""))

    with workspace() as folder:
        try:
            with (setup(args, folder) if setup else contextlib.nullcontext((args, folder))) as world:
                for what, function, full, sanitized in tests:
                    if args.k and args.k not in what and args.k not in function.__name__:
                        continue
                    run_one(args, what, function, full, sanitized, world, report)
        except Skip as e:
            report("skipped", "skipped", "all of " + os.path.basename(sys.argv[0]), str(e))
        except (Failed, LabError, OSError, subprocess.SubprocessError) as e:
            report("failed", "not ok", "set-up or end of " + os.path.basename(sys.argv[0]), str(e))
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % counts)
    sys.exit(1 if counts["failed"] else 0)


def in_some_try(function, world):
    for left in reversed(range(TRIES)):
        try:
            return function(*world)
        except TooSlow as e:
            if not left:
                raise
            print("  once more, this was too slow: %s" % e)


def run_one(args, what, function, full, sanitized, world, report):
    if full and not args.full:
        report("skipped", "skipped", what, "only in make check-full")
        return
    if args.sanitized and not sanitized:
        report("skipped", "skipped", what, "not under a sanitizer")
        return
    try:
        said = in_some_try(function, world if isinstance(world, tuple) else (world,))
        report("passed", "ok", what, said or "")
    except Skip as e:
        report("skipped", "skipped", what, str(e))
    except (Failed, LabError) as e:
        report("failed", "not ok", what, str(e))
    except Exception:
        report("failed", "not ok", what, traceback.format_exc(limit=4).replace("\n", "\n    "))


@contextlib.contextmanager
def lab_and_resolver(args, folder, prepare=None, **conf):
    """The usual set-up: a lab, and a running resolver on it; prepare(resolver) fills the store first."""
    with Lab(os.path.join(folder, "lab")).standing() as lab:
        r = Resolver(args.build, os.path.join(folder, "resolver"), lab, **conf)
        r.must("sinkhole-blocklist", "import", "--list", "lab", os.path.join(os.path.dirname(os.path.abspath(__file__)), "zones", "lab.list"))
        if prepare:
            prepare(r)
        with r.running():
            yield r
