#!/usr/bin/env python3
"""lab.py up|down|status BUILD: a small Internet on loopback, with the resolver in it.

Root, one top-level domain and the ordinary zones of zones/ are served by real NSD processes, the attackers'
zones by attacker.py. Every server has an address of its own in one 127.x.y.0/24 and all listen on one port
above 1023, so no right beyond an ordinary user's is needed. The class Lab is what the tests use; the command
is `make lab`: fixed addresses, the resolver on 127.0.0.1 port 5300, all of it below BUILD/lab."""
import contextlib
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# NSD process: hosts it listens on, zones it serves.
SERVERS = {
    "root": ((1, 2), (".",)),
    "tld": ((11, 12), ("example",)),
    "alpha": ((21, 22), ("alpha.example", "half.example")),
    "beta": ((31,), ("beta.example", "partner.example")),
    "gamma": ((41, 42), ("gamma.example", "delta.example")),
}
RESOLVER, CLIENT, OPTED_OUT, OUTSIDER = 100, 110, 120, 130  # other hosts of the lab's /24
ATTACKERS = (201, 202, 203, 205, 206, 207, 208, 210)
START_S = 20  # a loaded machine takes a few seconds for all processes

NSD_CONF = """server:
	server-count: 1
	username: ""
	chroot: ""
	zonesdir: "{dir}"
	database: ""
	pidfile: "{dir}/{name}.pid"
	logfile: "{dir}/{name}.log"
	xfrdfile: "{dir}/{name}.xfrd"
	zonelistfile: "{dir}/{name}.zones"
	xfrdir: "{dir}"
	rrl-ratelimit: 0
	do-ip6: no
{listen}remote-control:
	control-enable: no
{zones}"""


class LabError(Exception):
    """One line for a person."""


def die_with_parent():
    """In a child: a test program that is killed leaves no server behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def port_free(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(family, kind) as s:
            if kind == socket.SOCK_STREAM:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((address, port))
            except OSError:
                return False
    return True


def free_port(address="127.0.0.1"):
    """Free for UDP and TCP, and below those that the kernel gives to whoever connects in between."""
    return next(p for p in random.sample(range(20000, 32000), 1000) if port_free(address, p))


def wait_for(what, seconds=START_S):
    """Calls what() until it is true; False when the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.02)
    return False


class Lab:
    """folder is the lab's own and goes away with it."""
    servers = SERVERS
    attackers = ATTACKERS  # () = attacker.py is not started

    def __init__(self, folder, net=None, port=None):
        self.folder = os.path.abspath(folder)
        self.processes = []
        if net:
            self.net, self.port = net, port
            return
        pick = random.Random(os.getpid() ^ time.time_ns())
        for _ in range(100):  # another lab, of another build, may be running
            self.net = "127.%d.%d" % (pick.randrange(60, 250), pick.randrange(1, 250))
            self.port = pick.randrange(6000, 30000)
            if all(port_free(a, self.port) for a in (self.host(1), self.host(100), "::1", self.host(201))):
                return
        raise LabError("no free loopback network found")

    def host(self, number):
        return "%s.%d" % (self.net, number)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    # ---- the servers ----

    @contextlib.contextmanager
    def standing(self):
        self.up()
        try:
            yield self
        finally:
            self.down()

    def up(self, tied=True):
        """Starts all servers. tied: they end with this process."""
        for program in ("nsd",):
            if not find(program):
                raise LabError("%s is not installed: run make deps" % program)
        for hosts, _ in list(self.servers.values()) + [(self.attackers, None)]:
            for h in hosts:
                if not port_free(self.host(h), self.port):
                    raise LabError("%s port %d is in use: is another lab running? Try make lab-down" %
                                   (self.host(h), self.port))
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.path("ns"))
        self.write_hints()
        before = die_with_parent if tied else None
        for name, (hosts, zones) in self.servers.items():
            conf = self.write_nsd(name, hosts, zones)
            self.processes.append(subprocess.Popen(
                [find("nsd"), "-d", "-c", conf], preexec_fn=before, start_new_session=not tied,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.path("ns", name + ".err"), "w")))
        if self.attackers:
            self.processes.append(subprocess.Popen(
                [sys.executable, os.path.join(HERE, "attacker.py"), self.net, str(self.port), self.folder],
                preexec_fn=before, start_new_session=not tied, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=open(self.path("attacker.err"), "w")))
        if not wait_for(self.answering):
            raise LabError("the lab's name servers did not start: see %s" % self.path("ns"))

    def answering(self):
        for p in self.processes:
            if p.poll() is not None:
                raise LabError("a name server ended at once: see %s and %s" % (self.path("ns"), self.path("attacker.err")))
        from dnsmsg import query, udp
        return (not self.attackers or os.path.exists(self.path("ready"))) and all(
            udp((self.host(h), self.port), query(zones[0], "SOA"), 0.3) for hosts, zones in self.servers.values() for h in hosts)

    def down(self):
        for p in self.processes:
            p.terminate()
        for p in self.processes:
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        self.processes = []

    def write_hints(self):
        with open(self.path("root.hints"), "w") as f:
            for name, host in (("a", 1), ("b", 2)):
                f.write(". 3600 IN NS %s.root.example.\n%s.root.example. 3600 IN A %s\n" % (name, name, self.host(host)))

    def write_nsd(self, name, hosts, zones):
        folder = self.path("ns")
        for z in zones:
            open(os.path.join(folder, zone_file(z)), "w").write(self.zone_text(z))
        conf = os.path.join(folder, name + ".conf")
        with open(conf, "w") as f:
            f.write(NSD_CONF.format(
                dir=folder, name=name,
                listen="".join("\tip-address: %s@%d\n" % (self.host(h), self.port) for h in hosts),
                zones="".join('zone:\n\tname: "%s"\n\tzonefile: "%s"\n' % (z, zone_file(z)) for z in zones)))
        return conf

    def zone_text(self, zone):
        text = open(os.path.join(HERE, "zones", zone_file(zone))).read()
        return text.replace("@NET@", self.net).replace("@BIG@", big_records())

    # ---- what the resolver is told, what the counters say ----

    def recursion(self):
        """The part of sinkholed's configuration that points it to this lab."""
        return {"root_hints": self.path("root.hints"), "trust_anchor": "", "port": self.port,
                "permit_private": ["127.0.0.0/8", "::1/128"]}

    def packets(self, server=None):
        """What the attackers' servers got: [(address, transport, qname, qtype)]."""
        return self.read_log("packets.log", server)

    def wire(self, server=None):
        """Every packet to a server of the lab: [(address, protocol, port, qname)]; None without a raw socket."""
        return self.read_log("wire.log", server) if os.path.exists(self.path("wire.log")) else None

    def read_log(self, name, server):
        try:
            lines = open(self.path(name)).read().splitlines()
        except FileNotFoundError:
            return []
        rows = [tuple(x.split(" ")[1:]) for x in lines]
        return [r for r in rows if server is None or r[0] in (server, self.host(server) if isinstance(server, int) else "")]

    def attacker_packets(self):
        """Packets that reached an attacker which some test lists: all but canary's and the silent server's."""
        mine = [self.host(h) for h in ATTACKERS if h != 210] + ["::1"]
        return [p for p in self.packets() if p[0] in mine]


def zone_file(zone):
    return ("root" if zone == "." else zone.split(".")[0]) + ".zone"


def big_records():
    """TXT RRsets for truncation: 3,000 bytes, 1,400 bytes, and 700 bytes."""
    def txt(owner, n):
        return "%s\tTXT\t%s" % (owner, " ".join('"%s"' % (c * 199) for c in "abcdefghijklmnopqrst"[:n]))
    return "\n".join((txt("big", 15), txt("medium", 7), txt("small", 3)))


def find(program):
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin:/sbin")


# ---- make lab ----

LAB_NET, LAB_PORT, LISTEN_PORT = "127.53.0", 5391, 5300
CONF = """# The lab's resolver; written by `make lab`, removed by `make lab-down`.
listen: [127.0.0.1@{listen}, "::1@{listen}"]
allow: [127.0.0.0/8, "::1/128"]
state: {folder}/state
user: ""
node: lab
recursion:
  root_hints: {folder}/root.hints
  trust_anchor: ""
  port: {port}
  permit_private: [127.0.0.0/8, "::1/128"]
"""
HINTS = """
The lab is up: {net}.1 to {net}.210, port {port}; sinkholed answers on 127.0.0.1 and ::1, port {listen}. Worth trying:
  dig @127.0.0.1 -p {listen} www.gamma.example            recursion, through a delegation without glue
  dig @127.0.0.1 -p {listen} bot.c2.example               listed: the sinkhole's address, and why
  dig @127.0.0.1 -p {listen} to-c2.alpha.example          an alias of a listed name
  dig @127.0.0.1 -p {listen} www.hosted.example           a clean name on a listed name server
  dig @127.0.0.1 -p {listen} www.canary.example           an attacker that nobody listed: this one is contacted
Then look:
  python3 tests/integration/lab.py status {build}         packets that reached each attacker's server
  {build}/sinkhole-hits top --state {folder}/state
  {build}/sinkhole-blocklist explain bot.c2.example --state {folder}/state
  {build}/sinkhole-blocklist remove c2.example --list lab --reason try --state {folder}/state
Remove the lab with: make lab-down
"""


def lab_up(build):
    lab = Lab(os.path.join(build, "lab"), LAB_NET, LAB_PORT)
    if os.path.exists(lab.path("pids")):
        lab_down(build, quiet=True)
    for address in ("127.0.0.1", "::1"):
        if not port_free(address, LISTEN_PORT):
            raise LabError("%s port %d is in use: is sinkholed running (make run)? Stop it first" % (address, LISTEN_PORT))
    lab.up(tied=False)
    pids = [p.pid for p in lab.processes]
    remember(lab, pids)
    os.makedirs(lab.path("state"))
    conf = lab.path("sinkholed.yaml")
    names = dict(folder=lab.folder, port=LAB_PORT, listen=LISTEN_PORT, net=LAB_NET, build=build)
    open(conf, "w").write(CONF.format(**names))
    tool = os.path.join(build, "sinkhole-blocklist")
    for command in (["import", "--list", "lab", os.path.join(HERE, "zones", "lab.list")],
                    ["add", lab.host(205) + "/32", "--list", "lab", "--reason", "address of a C2 name server"]):
        r = subprocess.run([tool, "-c", conf] + command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
        if r.returncode:
            raise LabError("%s: %s" % (" ".join(command), r.stdout.strip()))
    resolver = subprocess.Popen([os.path.join(build, "sinkholed"), "-c", conf], start_new_session=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(lab.path("sinkholed.log"), "w"))
    remember(lab, pids + [resolver.pid])

    def accepts():
        if resolver.poll() is not None:
            raise LabError("sinkholed ended: " + open(lab.path("sinkholed.log")).read().strip())
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", LISTEN_PORT)) == 0
    if not wait_for(accepts):
        raise LabError("sinkholed does not accept: see " + lab.path("sinkholed.log"))
    print(HINTS.format(**names))


def remember(lab, pids):
    """One line a process: its number and when it started, so that another one of that number is left alone."""
    with open(lab.path("pids"), "w") as f:
        for pid in pids:
            f.write("%d %s\n" % (pid, started(pid)))


def started(pid):
    try:
        return open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[19]
    except OSError:
        return ""


def lab_down(build, quiet=False):
    folder = os.path.join(os.path.abspath(build), "lab")
    try:
        lines = [x.split() for x in open(os.path.join(folder, "pids")).read().splitlines()]
    except FileNotFoundError:
        lines = []
    pids = [int(x[0]) for x in lines if len(x) == 2 and started(int(x[0])) == x[1]]
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    if not wait_for(lambda: not any(alive(p) for p in pids), 10):
        for pid in filter(alive, pids):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)
    if not quiet:
        print("the lab is gone" if lines else "no lab was running from %s" % build)


def alive(pid):
    try:
        return open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def lab_status(build):
    folder = os.path.join(build, "lab")
    if not os.path.exists(os.path.join(folder, "pids")):
        print("no lab is running from %s" % build)
        return 1
    lab = Lab(folder, LAB_NET, LAB_PORT)
    names = {201: "ns1.c2.example", 202: "ns2.c2.example", 203: "ns.crimehost.example", 205: "a listed address",
             206: "ns2.retry.example", 207: "ns1.tcp.example", 208: "ns1.slow.example", 210: "ns1.canary.example, not listed"}
    print("packets that reached the attackers' servers:")
    for host, name in names.items():
        print("  %-14s %-32s %d" % (lab.host(host), name, len(lab.packets(host))))
    print("  %-14s %-32s %d" % ("::1", "ns1.evil6.example", len(lab.packets("::1"))))
    return 0


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("up", "down", "status"):
        sys.exit("usage: lab.py up|down|status BUILD")
    build = sys.argv[2]
    try:
        if sys.argv[1] == "up":
            lab_up(build)
        elif sys.argv[1] == "down":
            lab_down(build)
        else:
            sys.exit(lab_status(build))
    except LabError as e:
        if sys.argv[1] == "up":
            lab_down(build, quiet=True)
        sys.exit("lab: %s" % e)


if __name__ == "__main__":
    main()
