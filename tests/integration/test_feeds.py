#!/usr/bin/env python3
"""Lists of the configuration: their settings, and update, which fetches them from files and from servers on loopback."""
import contextlib
import datetime
import fcntl
import gzip
import hashlib
import http.server
import ipaddress
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import threading
import time

import harness
from harness import check, equal, test


class Lists:
    """A state folder, and a configuration that changes between two commands."""

    def __init__(self, build, folder):
        self.folder = tempfile.mkdtemp(dir=folder)
        self.tool = os.path.join(os.path.abspath(build), "sinkhole-blocklist")
        self.state = os.path.join(self.folder, "state")
        self.conf = os.path.join(self.folder, "sinkholed.yaml")
        os.mkdir(self.state)
        self.configure()

    def configure(self, *lists):
        with open(self.conf, "w") as f:
            json.dump({"state": self.state, "lists": list(lists)}, f)

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "wb" if isinstance(text, bytes) else "w") as f:
            f.write(text)
        return path

    def run(self, *args, status=0, says=""):
        p = subprocess.run([self.tool, args[0], "-c", self.conf] + list(args[1:]), capture_output=True, timeout=60)
        said = p.stdout.decode() + p.stderr.decode()
        check(p.returncode == status and says in said, "%s: status %d says %r" % (" ".join(args), status, says),
              p.returncode, said[-1500:])
        return p.stdout.decode()

    def update(self, *args, status=0, says=""):
        """What came of each list"""
        rows = [json.loads(x) for x in self.run("update", "--json", *args, status=status, says=says).splitlines()]
        return {row["list"]: row["result"] for row in rows if "result" in row}

    def remembered(self, name):
        with open(os.path.join(self.state, "feeds", name + ".state")) as f:
            return dict(line.rstrip("\n").split(" ", 1) for line in f)

    def feeds(self):
        return sorted(os.listdir(os.path.join(self.state, "feeds")))

    def rules(self, name):
        return sorted(line.split("\t")[0] for line in self.run("list", "--list", name).splitlines())

    def lists(self):
        return {row["list"]: row for row in map(json.loads, self.run("lists", "--json").splitlines())}


@test("what the configuration says of a list stands above the store, and cannot be changed by hand")
def settings(args, folder):
    s = Lists(args.build, folder)
    feed = s.file("feed.csv", "when,what\n1,a.example.net\n2,b.example.net\n")
    here = {"name": "isac", "url": "file://" + feed, "columns": "name=what", "precedence": 7, "mode": "monitor", "exact": True}
    s.configure(here)
    s.run("import", "--list", "isac", feed)
    row = s.lists()["isac"]
    equal((row["precedence"], row["mode"], row["names"]), (7, "monitor", 2), "the list after an import by hand")
    check("exact" in s.run("list", "--list", "isac"), "read as the configuration says")
    for how in (["precedence=8"], ["mode=live"], ["lease=3d", "mode=disabled"]):
        s.run("list", "set", "isac", *how, status=1, says="the configuration says what")
    s.run("promote", "isac", "--reason", "test", status=1, says="the mode of list isac")
    s.run("import", "--list", "isac", "--precedence", "9", feed, status=1, says="the precedence of list isac")
    s.run("list", "set", "isac", "precedence=7", "lease=3d")
    s.configure({**here, "mode": "live"})
    s.run("import", "--list", "isac", feed)
    equal(s.lists()["isac"]["mode"], "live", "the mode after the configuration changed")


# ---- files ----

NAMES = "a.example.net\nb.example.net\n"


def url(path):
    return "file://" + path


@test("a file: imported, unchanged, changed, refused by a gate, taken by force; nothing is due before its time")
def by_file(args, folder):
    s = Lists(args.build, folder)
    feed = s.file("feed.txt", NAMES)
    s.configure({"name": "one", "url": url(feed), "lease": "1h"})
    equal(s.update(), {"one": "imported"}, "the first time")
    equal(s.update(), {}, "not due")
    before = s.lists()["one"]
    time.sleep(1.1)
    equal(s.update("one"), {"one": "unchanged"}, "named, though not due")
    check(s.lists()["one"]["until"] > before["until"], "the lease was renewed")
    s.file("feed.txt", NAMES + "c.example.net\n")
    check("c.example.net" in s.run("update", "--dry-run"), "what would change")
    equal(len(s.rules("one")), 2, "rules after a dry run")
    equal(s.update("--all"), {"one": "imported"}, "changed")
    until = s.lists()["one"]["until"]
    s.file("feed.txt", "localhost\n")
    equal(s.update("one", status=1, says="one.refused"), {"one": "refused"}, "nothing to list")
    equal((len(s.rules("one")), s.lists()["one"]["until"]), (3, until), "rules and lease of a list that was refused")
    kept = os.path.join(s.state, "feeds", "one.refused")
    s.run("import", "--list", "one", "--force", "--reason", "test", kept)
    equal(s.rules("one"), ["localhost"], "rules after force")
    s.file("feed.txt", NAMES)
    equal(s.update("one"), {"one": "imported"}, "good again")
    equal([x for x in s.feeds() if not x.endswith((".lock", ".state"))], ["one.copy"], "files that stay")


@test("what the store holds is seen: rules removed by hand, a list removed, read otherwise, a store restored")
def stands(args, folder):
    s = Lists(args.build, folder)
    here = {"name": "one", "url": url(s.file("feed.txt", NAMES))}
    s.configure(here)
    s.update()
    s.run("remove", "a.example.net", "--list", "one", "--reason", "test")
    equal(s.update("one"), {"one": "imported"}, "after a removal")
    equal(s.update("one"), {"one": "unchanged"}, "then")
    s.configure({**here, "exact": True})
    equal(s.update("one"), {"one": "imported"}, "read otherwise")
    backup = os.path.join(s.folder, "backup")
    s.run("backup", backup)
    s.run("restore", backup)
    equal(s.update("one"), {"one": "imported"}, "a store that was restored")


@test("--from-copy fills a lost store; a copy that was changed is refused, and so is none")
def from_copy(args, folder):
    s = Lists(args.build, folder)
    feed, other = s.file("feed.txt", NAMES), s.file("other.txt", "o.example.net\n")
    s.configure({"name": "one", "url": url(feed)}, {"name": "bare", "url": url(other), "keep_copy": False})
    s.update()
    shutil.rmtree(os.path.join(s.state, "blocklist"))
    os.unlink(feed)
    equal(s.update("--from-copy", "one"), {"one": "imported"}, "from the copy")
    equal(len(s.rules("one")), 2, "rules")
    s.run("update", "--from-copy", "bare", status=1, says="has no copy")
    with open(os.path.join(s.state, "feeds", "one.copy"), "a") as f:
        f.write("evil.example.net\n")
    s.run("update", "--from-copy", "one", status=1, says="is damaged, or was changed")
    equal(len(s.rules("one")), 2, "rules after")


@test("links, pipes and folders in the place of files lead nowhere")
def odd_files(args, folder):
    s = Lists(args.build, folder)
    victim, feed = s.file("victim", "precious\n"), s.file("feed.txt", NAMES)
    s.configure({"name": "one", "url": url(feed)})
    feeds = os.path.join(s.state, "feeds")
    os.mkdir(feeds)
    for name in ("one.part", "one.copy", "one.state.new", "one.refused"):
        os.symlink(victim, os.path.join(feeds, name))
    equal(s.update(), {"one": "imported"}, "with links in the way")
    s.file("feed.txt", "localhost\n")
    s.update("one", status=1)
    with open(victim) as f:
        equal(f.read(), "precious\n", "what the links led to")
    os.unlink(os.path.join(feeds, "one.copy"))
    os.symlink(victim, os.path.join(feeds, "one.copy"))
    s.run("update", "--from-copy", "one", status=1, says="has no copy")
    for name in ("one.state", "one.lock"):
        os.unlink(os.path.join(feeds, name))
        os.symlink(victim, os.path.join(feeds, name))
        s.run("update", "one", status=2)
        os.unlink(os.path.join(feeds, name))
    fifo = os.path.join(s.folder, "fifo")
    os.mkfifo(fifo)
    for path in (fifo, s.folder, "/dev/zero"):
        s.configure({"name": "two", "url": url(path)})
        s.run("update", "two", status=1, says="is no plain file")
    s.configure({"name": "two", "url": url(s.folder + "/none")})
    s.run("update", "two", status=1, says="No such file")


@test("a disk that is full: the list stays, no half a file does, and it is said")
def full_disk(args, folder):
    s = Lists(args.build, folder)
    s.configure({"name": "one", "url": url(s.file("feed.txt", NAMES))})
    s.update()
    s.file("feed.txt", "".join("n%d.example.net\n" % i for i in range(20000)))
    p = subprocess.run(["sh", "-c", "ulimit -f 64; trap '' XFSZ; exec \"$@\"", "sh", s.tool, "update", "-c", s.conf, "one"],
                       capture_output=True, timeout=60)
    check(p.returncode == 1 and b"could not be fetched" in p.stderr, "no room", p.returncode, p.stderr)
    equal((len(s.rules("one")), s.remembered("one")["result"]), (2, "4"), "what is left")
    check("one.part" not in s.feeds(), "half a file stays")


@test("two at a time: the second says so")
def locked(args, folder):
    s = Lists(args.build, folder)
    s.configure({"name": "one", "url": url(s.file("feed.txt", NAMES))})
    s.update()
    with open(os.path.join(s.state, "feeds", "one.lock")) as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        s.run("update", "one", status=1, says="by another process")


@test("what is no list is told: unknown, transferred, damaged state")
def odd_lists(args, folder):
    s = Lists(args.build, folder)
    s.configure({"name": "one", "url": url(s.file("feed.txt", NAMES))},
                {"name": "zone", "primary": ["192.0.2.1"], "zone": "rpz.example"})
    s.run("update", "nobody", status=2, says="has no list")
    s.run("update", "zone", status=2, says="follow")
    equal(s.update(), {"one": "imported"}, "the one that has a URL")
    path = os.path.join(s.state, "feeds", "one.state")
    for damage in (b"", b"x\n", b"sinkholed feed 1\nnext -1\n", os.urandom(300)):
        with open(path, "wb") as f:
            f.write(damage)
        equal(s.update(), {"one": "imported"}, "with a state of %r" % damage[:20])


@test("lists tells the last result of each source, and those that never came; with 1 when one is stale")
def shown(args, folder):
    s = Lists(args.build, folder)
    feed = s.file("feed.txt", NAMES)
    here = {"name": "one", "url": url(feed)}
    s.configure(here, {"name": "two", "url": url(feed + ".none")})
    s.run("update", status=1)
    rows = s.lists()
    equal([rows[n]["source"] for n in ("one", "two")], ["imported", "failed"], "results")
    check("No such file" in rows["two"]["why"] and rows["two"]["mode"] == "absent", "why", rows["two"])
    os.unlink(feed)
    time.sleep(2.1)
    s.configure({**here, "stale_after": "1s"})
    s.run("update", "one", status=1)
    out = s.run("lists", "--json", status=1, says="1 lists are stale")
    equal(json.loads(out.splitlines()[0])["source"], "stale", "a list without good news")
    s.run("add", "c.example.net", "--reason", "test")
    s.configure()
    s.run("lists")


# ---- a server on loopback ----

class Feed(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def send(self, status=200, body=b"", **headers):
        self.send_response(status)
        for k, v in {"Content-Length": str(len(body)), **headers}.items():
            if v is not None:
                self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.server.answer(self)


@contextlib.contextmanager
def server(answer, context=None):
    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args):
            pass

    http_server = Server(("127.0.0.1", 0), Feed)
    http_server.answer, http_server.asked = answer, []
    if context:
        http_server.socket = context.wrap_socket(http_server.socket, server_side=True)
    thread = threading.Thread(target=http_server.serve_forever, args=(.05,))
    thread.start()
    try:
        yield http_server
    finally:
        http_server.shutdown()
        thread.join()
        http_server.server_close()


def at(http_server, path, scheme="http"):
    return "%s://127.0.0.1:%d%s" % (scheme, http_server.server_port, path)


@test("a server is asked only for what is new: ETag and Last-Modified, and a lease that 304 renews")
def conditional(args, folder):
    s = Lists(args.build, folder)
    now = {"body": NAMES.encode(), "ETag": '"v1"'}

    def answer(h):
        if h.headers.get("If-None-Match") == now["ETag"] or h.headers.get("If-Modified-Since"):
            h.send(304)
        else:
            h.send(body=now["body"], ETag=now["ETag"])

    with server(answer) as w:
        s.configure({"name": "one", "url": at(w, "/list"), "lease": "1h"})
        equal(s.update(), {"one": "imported"}, "first")
        check("If-None-Match" not in w.asked[0][1], "a condition at first", w.asked)
        before = s.lists()["one"]["until"]
        time.sleep(1.1)
        equal(s.update("one"), {"one": "unchanged"}, "304")
        equal(w.asked[1][1].get("If-None-Match"), '"v1"', "the condition")
        check(s.lists()["one"]["until"] > before, "304 renews the lease")
        now.update(body=b"new.example.net\n" + now["body"], ETag='W/"v2"')
        equal(s.update("one"), {"one": "imported"}, "new")
        equal(s.remembered("one")["etag"], 'W/"v2"', "the new ETag")
        s.run("remove", "a.example.net", "--list", "one", "--reason", "test")
        equal(s.update("one"), {"one": "imported"}, "a list that was changed by hand is fetched whole")


@test("what a server does wrong leaves the list as it was, is told, and is tried again less often")
def failures(args, folder):
    s = Lists(args.build, folder)
    bomb = gzip.compress(bytes(64 << 20))
    page = b"\n <!DOCTYPE html><html>down for repair</html>" + b" " * 100

    def drip(h):
        h.send_response(200)
        h.end_headers()
        for _ in range(100):
            h.wfile.write(b"x.example.net\n")
            time.sleep(.1)

    def answer(h):
        how = {
            "/404": lambda: h.send(404, b"nothing"),
            "/403": lambda: h.send(403),
            "/503": lambda: h.send(503, Retry_After="7200"),
            "/304": lambda: h.send(304),
            "/206": lambda: h.send(206, NAMES.encode()),
            "/page": lambda: h.send(body=page),
            "/zip": lambda: h.send(body=b"PK\3\4" + bytes(200)),
            "/short": lambda: h.send(body=NAMES.encode(), Content_Length="1000"),
            "/large": lambda: h.send(body=b"#" * (3 << 20)),
            "/larger": lambda: h.send(body=b"#" * (3 << 20), Content_Length=None),
            "/bomb": lambda: h.send(body=bomb),
            "/bombed": lambda: h.send(body=bomb, Content_Encoding="gzip"),
            "/broken": lambda: h.send(body=gzip.compress(NAMES.encode())[:-12]),
            "/drip": lambda: drip(h),
            "/silent": lambda: time.sleep(5),
            "/loop": lambda: h.send(302, Location="/loop"),
            "/tofile": lambda: h.send(302, Location="file:///etc/passwd"),
            "/toftp": lambda: h.send(302, Location="ftp://127.0.0.1/x"),
        }
        how.get(h.path, lambda: h.send(body=NAMES.encode()))()

    said = {"/404": "status 404", "/403": "does it want a key", "/503": "status 503", "/304": "status 304", "/206": "status 206",
            "/page": "a web page", "/zip": "an archive", "/short": "", "/large": "larger than 2.0 MiB",
            "/larger": "larger than 2.0 MiB", "/bomb": "larger than 2.0 MiB", "/bombed": "larger than 2.0 MiB",
            "/broken": "gzip ends too early", "/drip": "too slow", "/silent": "too slow", "/loop": "5 redirects",
            "/tofile": "not followed", "/toftp": "not"}
    with server(answer) as w:
        s.configure(*[{"name": "one", "url": at(w, "/good")}])
        s.update()
        for path, words in said.items():
            s.configure({"name": "one", "url": at(w, path), "max_size": "2M", "timeout": "1s"})
            s.run("update", "one", status=1, says=words)
            equal(len(s.rules("one")), 2, "rules after " + path)
        seen = s.remembered("one")
        equal((seen["result"], seen["failures"]), ("4", str(len(said))), "result and failures")
        wait = int(seen["next"]) - int(seen["checked"])
        check(3600 <= wait <= 3960, "after many failures the interval, and a tenth", wait)
        s.configure({"name": "one", "url": at(w, "/good")})
        s.update("one")
        s.configure({"name": "one", "url": at(w, "/404")})
        s.run("update", "one", status=1)
        seen = s.remembered("one")
        check(300 <= int(seen["next"]) - int(seen["checked"]) <= 330, "after one failure five minutes", seen)
        s.configure({"name": "one", "url": at(w, "/503")})
        s.run("update", "one", status=1)
        seen = s.remembered("one")
        check(int(seen["next"]) - int(seen["checked"]) >= 7200, "as long as the server asks for", seen)


@test("gzip, by the server or as the file, is undone; sums and headers are what they should be")
def packed(args, folder):
    s = Lists(args.build, folder)
    two = gzip.compress(b"a.example.net\n") + gzip.compress(b"b.example.net\n")
    sums = "%s  list.gz\n%064d  other.gz\n" % (hashlib.sha256(two).hexdigest(), 7)

    def answer(h):
        if h.path.startswith("/away"):
            h.send(302, Location="http://localhost:%d/list.gz" % w.server_port)
        elif h.path == "/sums":
            h.send(body=sums.encode())
        elif h.path == "/bad":
            h.send(body=(b"%064d  list.gz\n" % 7))
        elif h.path == "/encoded":
            h.send(body=gzip.compress(NAMES.encode()), Content_Encoding="gzip")
        else:
            h.send(body=two)

    key = s.file("key", "Auth-Key: s3cret\n")
    os.chmod(key, 0o600)
    with server(answer) as w:
        s.configure({"name": "enc", "url": at(w, "/encoded")}, {"name": "gz", "url": at(w, "/list.gz?x=1"), "sha256_url": at(w, "/sums")},
                    {"name": "away", "url": at(w, "/away"), "headers": key, "sha256": hashlib.sha256(two).hexdigest().upper()})
        equal(s.update(), dict.fromkeys(("enc", "gz", "away"), "imported"), "all of them")
        for name in ("enc", "gz", "away"):
            equal(s.rules(name), ["a.example.net", "b.example.net"], name)
        sent = [(path, "Auth-Key" in headers) for path, headers in w.asked if path in ("/away", "/list.gz")]
        equal(sent, [("/away", True), ("/list.gz", False)], "the key is for the host of the URL alone")
        check(not any("s3cret" in line for line in open(os.path.join(s.state, "blocklist", "changes.jsonl"))), "the key is recorded")
        os.chmod(key, 0o644)
        s.run("update", "away", status=1, says="read by everybody")
        s.configure({"name": "gz", "url": at(w, "/list.gz"), "sha256_url": at(w, "/bad")})
        s.run("update", "gz", status=1, says="its SHA-256 is")
        s.configure({"name": "gz", "url": at(w, "/other"), "sha256_url": at(w, "/sums")})
        s.run("update", "gz", status=1, says="no SHA-256 for this file")


@test("no packet to who is listed: the URL's host, a redirect's, an address behind a name")
def listed(args, folder):
    s = Lists(args.build, folder)

    def answer(h):
        if h.path == "/to":
            h.send(302, Location="http://c2.example.net:%d/" % w.server_port)
        else:
            h.send(body=NAMES.encode())

    with server(answer) as w:
        s.run("add", "c2.example.net", "--reason", "test")
        s.configure({"name": "one", "url": "http://sub.c2.example.net/list"})
        s.run("update", "one", status=1, says="sub.c2.example.net is not contacted: it is listed, by list manual")
        s.configure({"name": "one", "url": at(w, "/to")})
        s.run("update", "one", status=1, says="c2.example.net is not contacted")
        equal(len(w.asked), 1, "requests")
        s.run("add", "127.0.0.1", "--force", "--reason", "test")
        for there in (at(w, "/list"), "http://localhost:%d/list" % w.server_port):
            s.configure({"name": "one", "url": there})
            s.run("update", "one", status=1, says="127.0.0.1 is not contacted")
        s.configure({"name": "one", "url": "http://proxied.example.org/list", "proxy": at(w, "")})
        s.run("update", "one", status=1, says="is not contacted")
        equal(len(w.asked), 1, "requests")
        s.run("remove", "127.0.0.1", "--reason", "test")
        equal(s.update("one"), {"one": "imported"}, "through the proxy")
        equal(w.asked[-1][0], "http://proxied.example.org/list", "what the proxy is asked")


# ---- certificates ----

def certificates(folder):
    """A certificate authority and servers' certificates of it: good, expired, of another name; and one of nobody."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    now = datetime.datetime.utcnow()

    def write(name, *parts):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(b"".join(parts))
        return os.path.join(folder, name)

    def make(name, issuer=None, issuer_key=None, host=None, days=1):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        b = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.subject if issuer else subject)
        b = b.public_key(key.public_key()).serial_number(x509.random_serial_number())
        b = b.not_valid_before(now - datetime.timedelta(days=9)).not_valid_after(now + datetime.timedelta(days=days))
        b = b.add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        if host:
            b = b.add_extension(x509.SubjectAlternativeName([host]), critical=False)
        cert = b.sign(issuer_key or key, hashes.SHA256())
        return cert, key

    def pem(cert, key=None):
        out = cert.public_bytes(serialization.Encoding.PEM)
        if key:
            out = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()) + out
        return out

    here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    ca, ca_key = make("test CA")
    files = {"ca": write("ca.pem", pem(ca))}
    for name, more in {"good": {"host": here}, "expired": {"host": here, "days": -1},
                       "other": {"host": x509.DNSName("other.example.net")}}.items():
        files[name] = write(name + ".pem", pem(*make(name, ca, ca_key, **more)))
    files["nobody"] = write("nobody.pem", pem(*make("nobody", host=here)))
    return files


@test("TLS is checked: a good certificate passes; expired, of another name, of nobody, and of an authority not asked for are refused")
def tls(args, folder):
    s = Lists(args.build, folder)
    files = certificates(s.folder)

    def answer(h):
        h.send(302, Location=h.path[3:]) if h.path.startswith("/to") else h.send(body=NAMES.encode())

    for name, words in {"good": "", "expired": "expired", "other": "no alternative certificate subject name", "nobody": "certificate"}.items():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files[name])
        with server(answer, context) as w:
            here = {"name": "one", "url": at(w, "/list", "https"), "ca": files["ca"]}
            s.configure(here)
            s.run("update", "one", status=1 if words else 0, says=words)
            equal(bool(w.asked), not words, "a request under the certificate " + name)
            if words:
                continue
            s.configure({"name": "two", "url": here["url"]})
            s.run("update", "two", status=1, says="certificate")
            s.configure({**here, "url": at(w, "/to" + at(w, "/plain"), "https")})
            s.run("update", "one", status=1, says="it leads from https:// to http://")
    equal(len(s.rules("one")), 2, "rules of the good one")


if __name__ == "__main__":
    harness.main()
