"""The servers that run.py compares: how each is set up with one worker, a list as an RPZ zone and a stub zone for the
clean names. start() returns once a listed name is answered from the list; what that took is load_s."""
import os
import signal
import socket
import subprocess
import time

import unbound
from dnsmsg import Message, query, udp
from harness import SINK4, Failed, Resolver
from lab import die_with_parent, find, port_free, wait_for
from bench_site import CLEAN_ZONE, PROBE, Site

START_S = 600  # unbound takes half a minute for a million names, bind four for ten million
POLL_S, POLL_LATER_S = 0.002, 0.02  # between questions to who is starting; after some seconds


def succeeds(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


class Peer:
    package = name = program = None
    logs = True    # can write what its list blocked
    ours = False
    packet_cache = False  # listed answers come from a cache of messages
    port = 5353

    def __init__(self, site, log=False):
        self.site, self.log, self.process, self.load_s, self.unblocked = site, log, None, 0.0, 0
        self.serial = 0  # of the list it has
        self.address = site.lab.host(next(Site.hosts))
        self.folder = os.path.join(site.folder, self.name)
        os.makedirs(self.folder, exist_ok=True)

    @classmethod
    def missing(cls):
        return None if find(cls.program) else "%s is not installed: apt-get install %s" % (cls.program, cls.package)

    def server(self):
        return self.address, self.port

    def at(self):
        return "%s@%d" % self.server()

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        open(path, "w").write(text)
        return path

    def spawn(self, command):
        self.process = subprocess.Popen(["taskset", "-c", self.site.cpu] + command, preexec_fn=die_with_parent, cwd=self.folder,
                                        stdin=subprocess.DEVNULL, stdout=open(os.path.join(self.folder, "out"), "w"),
                                        stderr=subprocess.STDOUT)

    def start(self):
        """unblocked counts answers for a listed name that did not come from the list, before the first that did."""
        command = self.command()
        begin, self.unblocked = time.monotonic(), 0
        self.spawn(command)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(self.server())
            while not self.answers(s):
                past = time.monotonic() - begin
                if self.process.poll() is not None or past > START_S:
                    self.stop()
                    raise Failed("%s does not answer: %s" % (self.name, open(os.path.join(self.folder, "out")).read()[-500:]))
                time.sleep(POLL_S if past < 5 else POLL_LATER_S)
        self.load_s = time.monotonic() - begin

    def settle(self):
        """Waits for what it does beside its first answers."""

    def answers(self, s):
        """Whether it answers from the list by now. s is a connected socket, so that a closed port is no wait."""
        try:
            s.settimeout(POLL_S)
            s.send(query(PROBE % 0))
            m = Message(s.recv(4096))
        except OSError:
            return False
        right = self.right(m)
        self.unblocked += not right and m.rcode not in ("SERVFAIL", "REFUSED")
        return right

    def right(self, m):
        return m.data("A") == [SINK4]

    def stop(self, sig=signal.SIGTERM):
        if self.process:
            self.process.send_signal(sig)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def blocks_name(self, name):
        m = udp(self.server(), query(name), 0.2)
        return m is not None and self.right(Message(m))

    def reload(self):
        """Makes it read the list again; False when it cannot without a new start."""
        return False

    def cpu_ns(self):
        """Of all threads, kernel included."""
        total, tasks = 0, "/proc/%d/task" % self.process.pid
        for t in os.listdir(tasks):
            total += int(open("%s/%s/schedstat" % (tasks, t)).read().split()[0])
        return total

    def anon_mib(self):
        fields = dict(x.split(":", 1) for x in open("/proc/%d/status" % self.process.pid).read().splitlines())
        return int(fields["RssAnon"].split()[0]) // 1024


class Echo(Peer):
    """The kernel alone, with the same two calls a batch that sinkholed makes."""
    name = program = "echo"

    @classmethod
    def missing(cls):
        return None

    def command(self):
        return [os.path.join(self.site.build, "bench", "echo"), self.at()]

    def right(self, m):
        return True


class EchoSingle(Echo):
    name = "echo, single"

    def command(self):
        return Echo.command(self) + ["single"]


class Sinkholed(Peer):
    name = program = "sinkholed"
    ours = True

    @classmethod
    def missing(cls):
        return None

    def __init__(self, site, log=False, label="", workers=1):
        if label:
            self.name += ", " + label
        super().__init__(site, log)
        self.workers = workers
        self.resolver = Resolver(site.build, self.folder, site.lab, workers=workers,
                                 listen=[self.at()])
        self.import_s = None

    def load(self):
        """Imports the list; what that took."""
        begin = time.monotonic()
        self.resolver.must("sinkhole-blocklist", "import", "--list", "bench", "--format", "rpz", "--origin", "list.invalid",
                           "--force", "--reason", "measurement", self.site.zone, timeout=START_S)
        return time.monotonic() - begin

    def reload(self):
        self.load()
        return True

    def settle(self):
        wait_for(lambda: "checked: whole" in open(os.path.join(self.folder, "out")).read(), START_S)

    def store(self):
        return os.path.join(self.resolver.state, "blocklist")

    def command(self):
        if self.import_s is None:
            self.import_s = self.load()
        return [os.path.join(self.site.build, "sinkholed"), "-c", self.resolver.conf_file]


class Unbound(Peer):
    name = program = package = "unbound"

    def command(self):
        log = "rpz-log: yes\n\trpz-log-name: bench\n" if self.log else ""
        server = ['module-config: "respip iterator"', "so-reuseport: no", "msg-cache-size: 64m", "rrset-cache-size: 128m",
                  'local-zone: "%s." nodefault' % CLEAN_ZONE, 'root-hints: "%s"' % self.site.hints]
        sections = """stub-zone:
	name: "{zone}"
	stub-addr: {up}
rpz:
	name: "list.invalid"
	zonefile: "{list}"
	{log}
remote-control:
	control-enable: yes
	control-interface: "{dir}/control"
	control-use-cert: no
""".format(dir=self.folder, zone=CLEAN_ZONE, up=self.site.upstream("@"), list=self.site.zone, log=log)
        return [find("unbound"), "-d", "-c", self.write("unbound.conf",
                                                        unbound.config(self.address, self.port, self.folder, server, sections))]

    def reload(self):
        return succeeds([find("unbound-control"), "-c", os.path.join(self.folder, "unbound.conf"), "auth_zone_reload", "list.invalid"])


class Kresd(Peer):
    name, program, package = "knot-resolver", "kresd", "knot-resolver"
    logs = False  # policy.rpz writes no log

    def command(self):
        return [find("kresd"), "-n", "-c", self.write("kresd.conf", """net.listen('{address}', {port}, {{kind = 'dns'}})
trust_anchors.remove('.')
modules = {{'hints'}}
hints.root_file('{hints}')
cache.size = 100 * MB
policy.add(policy.rpz(policy.DENY, '{list}', false))
policy.add(policy.suffix(policy.STUB('{up}'), {{todname('{zone}.')}}))
""".format(address=self.address, port=self.port, list=self.site.zone, up=self.site.upstream("@"), zone=CLEAN_ZONE,
           hints=self.site.hints)), self.folder]


class Pdns(Peer):
    """Its log is protobuf to a reader that throws it away, of blocked answers only."""
    name, program, package = "pdns-recursor", "pdns_recursor", "pdns-recursor"
    packet_cache = True
    cache_off = ""

    def command(self):
        log = ""
        if self.log:
            port = self.port + 1
            self.reader = subprocess.Popen(["python3", "-c", READER, self.address, str(port)], preexec_fn=die_with_parent)
            time.sleep(0.3)
            log = 'protobufServer("%s:%d", {logQueries=false, logResponses=true, taggedOnly=true})\n' % (self.address, port)
        lua = self.write("recursor.lua", 'rpzFile("%s", {policyName="list"})\n%s' % (self.site.zone, log))
        self.write("recursor.conf", """local-address={address}:{port}
daemon=no
disable-syslog=yes
socket-dir={dir}
threads=1
pdns-distributes-queries=no
allow-from=127.0.0.0/8
dont-query=
dnssec=off
quiet=yes
lua-config-file={lua}
forward-zones={zone}={up}
hint-file={hints}
setuid=
setgid=
{cache}
""".format(address=self.address, port=self.port, dir=self.folder, lua=lua, zone=CLEAN_ZONE, up=self.site.upstream(":"),
           cache=self.cache_off, hints=self.site.hints))
        return [find("pdns_recursor"), "--config-dir=" + self.folder]

    def stop(self, sig=signal.SIGTERM):
        super().stop(sig)
        if getattr(self, "reader", None):
            self.reader.kill()
            self.reader.wait()
            self.reader = None

    def reload(self):
        return succeeds([find("rec_control"), "--socket-dir=" + self.folder, "--config-dir=" + self.folder, "--timeout=%d" % START_S,
                         "reload-lua-config"])


class PdnsNoPackets(Pdns):
    name = "pdns-recursor, no packet cache"
    packet_cache = False
    cache_off = "disable-packetcache=yes"


READER = """import socket, sys
s = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True:
    c = s.accept()[0]
    while c.recv(1 << 20):
        pass
"""


class Bind(Peer):
    """Listens on addresses of interfaces only, and of lo's that is this one."""
    name, program, package = "bind9", "named", "bind9"

    def __init__(self, site, log=False):
        super().__init__(site, log)
        self.address = "127.0.0.1"
        self.port = next(p for p in range(self.port, 32000) if port_free(self.address, p))

    def command(self):
        log = 'channel hits { file "hits.log"; severity info; };\n\tcategory rpz { hits; };' if self.log else "category rpz { null; };"
        return [find("named"), "-f", "-n", "1", "-c", self.write("named.conf", """options {{
	directory "{dir}";
	listen-on port {port} {{ {address}; }};
	listen-on-v6 {{ none; }};
	pid-file none;
	session-keyfile "{dir}/session.key";
	recursion yes;
	dnssec-validation no;
	minimal-responses yes;
	allow-query {{ 127.0.0.0/8; }};
	response-policy {{ zone "list.invalid"; }} qname-wait-recurse no;
}};
logging {{
	{log}
}};
controls {{ }};
zone "." {{ type hint; file "{hints}"; }};
zone "list.invalid" {{ type primary; file "{list}"; allow-query {{ none; }}; }};
zone "{zone}" {{ type forward; forward only; forwarders {{ {up}; }}; }};
""".format(dir=self.folder, address=self.address, port=self.port, log=log, list=self.site.zone, zone=CLEAN_ZONE,
           up=self.site.upstream(" port "), hints=self.site.hints))]

    def reload(self):
        self.process.send_signal(signal.SIGHUP)
        return True


PEERS = (Echo, EchoSingle, Sinkholed, Unbound, Kresd, Pdns, PdnsNoPackets, Bind)
