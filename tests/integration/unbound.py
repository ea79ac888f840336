"""Debian's unbound beside the resolver, for what compares the two: in the foreground, alone in its folder."""
import contextlib
import os
import subprocess

from dnsmsg import query, udp
from harness import check
from lab import die_with_parent, find, wait_for

COMMON = """server:
	interface: {address}@{port}
	do-daemonize: no
	username: ""
	chroot: ""
	directory: "{folder}"
	pidfile: ""
	use-syslog: no
	logfile: "{folder}/unbound.log"
	num-threads: 1
	access-control: 127.0.0.0/8 allow
	do-not-query-localhost: no
	minimal-responses: yes
"""
NO_CONTROL = "remote-control:\n\tcontrol-enable: no\n"


def config(address, port, folder, server, sections=NO_CONTROL):
    """The text of unbound.conf: server is more lines of that section, sections are whole ones."""
    lines = ["\t%s\n" % line for line in server]
    return COMMON.format(address=address, port=port, folder=folder) + "".join(lines) + sections


@contextlib.contextmanager
def running(address, port, folder, server, sections=NO_CONTROL):
    """One that answers; yields its (address, port)."""
    path = os.path.join(folder, "unbound.conf")
    with open(path, "w") as f:
        f.write(config(address, port, folder, server, sections))
    p = subprocess.Popen([find("unbound"), "-d", "-c", path], preexec_fn=die_with_parent, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        check(wait_for(lambda: udp((address, port), query("localhost"), 0.3)), "unbound does not answer: see " + folder)
        yield address, port
    finally:
        p.terminate()
        p.wait()
