#!/usr/bin/env python3
"""run.py BUILD [SECONDS]: questions per second of sinkholed beside Debian's unbound, in turns in the same run: for
listed names (a blocklist of 100,000; unbound: the same as an RPZ zone) and for cached names. Each server has one
worker on processor 0, dnsperf runs on processor 1. Three rounds, the median counts; read it as +-10 %."""
import os
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from dnsmsg import Message, query, udp  # noqa: E402
from harness import SINK4, Resolver, check, workspace  # noqa: E402
from lab import Lab, die_with_parent, find, port_free, wait_for  # noqa: E402

LISTED, CACHED, ROUNDS = 100000, 1000, 3

UNBOUND = """server:
	interface: {address}@{port}
	do-daemonize: no
	username: ""
	chroot: ""
	directory: "{dir}"
	pidfile: ""
	use-syslog: no
	logfile: "{dir}/unbound.log"
	num-threads: 1
	access-control: 127.0.0.0/8 allow
	do-not-query-localhost: no
	module-config: "respip iterator"
	minimal-responses: yes
	so-reuseport: no
	msg-cache-size: 64m
	rrset-cache-size: 128m
	local-zone: "delta.example." nodefault
stub-zone:
	name: "delta.example"
	stub-addr: {server}
rpz:
	name: "list.invalid"
	zonefile: "{dir}/list.zone"
remote-control:
	control-enable: no
"""


def write_files(folder):
    with open(os.path.join(folder, "names.list"), "w") as f:
        f.writelines("n%d.bench.example\n" % i for i in range(LISTED))
    with open(os.path.join(folder, "list.zone"), "w") as f:
        f.write("$TTL 30\n@ SOA localhost. root.localhost. 1 3600 600 86400 30\n@ NS localhost.\n")
        for i in range(LISTED):
            f.write("n%d.bench.example A %s\n*.n%d.bench.example A %s\n" % (i, SINK4, i, SINK4))
    with open(os.path.join(folder, "listed.q"), "w") as f:
        f.writelines("www.n%d.bench.example A\n" % (i * 37 % LISTED) for i in range(20000))
    with open(os.path.join(folder, "cached.q"), "w") as f:
        f.writelines("m%d.bench.delta.example A\n" % i for i in range(CACHED))


def dnsperf(server, questions, seconds):
    out = subprocess.run(["taskset", "-c", "1", "dnsperf", "-s", server[0], "-p", str(server[1]), "-d", questions, "-l", str(seconds),
                          "-c", "16", "-T", "1", "-q", "256", "-O", "suppress=timeout"], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True).stdout
    rate = [x for x in out.splitlines() if "Queries per second" in x]
    lost = [x for x in out.splitlines() if "Queries lost" in x]
    check(rate, "dnsperf said: " + out)
    return float(rate[0].split(":")[1]), lost[0].split("(")[1].rstrip(")%") if lost else "0"


def warm(server):
    for i in range(CACHED):
        m = udp(server, query("m%d.bench.delta.example" % i), 3)
        check(m is not None and Message(m).data("A") == ["192.0.2.42"], "warming up", m and Message(m))
    m = udp(server, query("www.n7.bench.example"), 3)
    check(m is not None and Message(m).data("A") == [SINK4], "a listed name", m and Message(m))


def memory(pid):
    fields = dict(x.split(":", 1) for x in open("/proc/%d/status" % pid).read().splitlines())
    return int(fields["RssAnon"].split()[0]) // 1024


def main():
    build, seconds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    for program in ("dnsperf", "unbound", "taskset"):
        if not find(program):
            print("skipped: %s is not installed (make deps)" % program)
            return
    if os.cpu_count() < 2:
        print("skipped: one processor cannot hold server and client")
        return
    with workspace() as folder:
        write_files(folder)
        lab = Lab(os.path.join(folder, "lab"))
        lab.up()
        ours = Resolver(build, os.path.join(folder, "sinkholed"), lab, workers=1)
        ours.must("sinkhole-blocklist", "import", "--list", "bench", os.path.join(folder, "names.list"))
        ours.start(("taskset", "-c", "0"))
        server = (lab.host(101), ours.port)
        check(port_free(*server), "port in use", server)
        conf = os.path.join(folder, "unbound.conf")
        open(conf, "w").write(UNBOUND.format(address=server[0], port=server[1], dir=folder, server="%s@%d" % (lab.host(42), lab.port)))
        unbound = subprocess.Popen(["taskset", "-c", "0", find("unbound"), "-d", "-c", conf], preexec_fn=die_with_parent,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        servers = {"sinkholed": ours.server(), "unbound": server}
        pids = {"sinkholed": ours.process.pid, "unbound": unbound.pid}
        check(wait_for(lambda: udp(server, query("www.n7.bench.example"), 0.3), 60), "unbound does not answer")
        rates = {(k, who): [] for k in ("listed", "cached") for who in servers}
        for who in servers:
            warm(servers[who])
        for _ in range(ROUNDS):
            for kind in ("listed", "cached"):
                for who in servers:
                    rates[kind, who].append(dnsperf(servers[who], os.path.join(folder, kind + ".q"), seconds))
                    time.sleep(0.3)
        version = subprocess.run([find("unbound"), "-V"], stdout=subprocess.PIPE, text=True).stdout.split("\n")[0]
        print("%d names listed, %d cached, %d x %d s, one worker each (%s)" % (LISTED, CACHED, ROUNDS, seconds, version))
        print("%-8s %14s %14s %8s   %s" % ("", "sinkholed q/s", "unbound q/s", "ratio", "lost: sinkholed, unbound"))
        for kind in ("listed", "cached"):
            mine, theirs = (statistics.median(x[0] for x in rates[kind, who]) for who in servers)
            lost = ["%s %%" % max(x[1] for x in rates[kind, who]) for who in servers]
            print("%-8s %14.0f %14.0f %8.2f   %s" % (kind, mine, theirs, mine / theirs, ", ".join(lost)))
        print("%-8s %14d %14d" % ("RSS MiB", *(memory(pids[who]) for who in servers)), "  (anonymous memory)")
        unbound.terminate()
        unbound.wait()
        ours.stop()
        lab.down()


if __name__ == "__main__":
    main()
