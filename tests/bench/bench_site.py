"""What all servers of one measurement get: addresses, the clean names' server, the list and the questions."""
import itertools
import os
import random

from harness import SINK4

CLEAN_ZONE, CLEAN4 = "delta.example", "192.0.2.42"
LISTED_UNDER = "bench." + CLEAN_ZONE  # what is not listed there has an address
PROBE = "probe%d." + LISTED_UNDER     # the list gives that of its serial SINK4
FIRST_HOST = 150                      # of the lab's /24
QUESTIONS, CACHED = 20000, 1000
ASKED = 10000    # listed names that are asked for again and again, of a list of any size
ONCE = 1000000   # questions of which none is asked twice in one measurement
COLD_QPS = 400   # below the share of recursion that one client gets


class Site:
    """Of a list of that many names."""
    hosts = itertools.count(FIRST_HOST)  # one for each server

    def __init__(self, build, folder, lab, cpu, names):
        self.build, self.folder, self.lab, self.cpu, self.names = os.path.abspath(build), folder, lab, cpu, names
        self.zone = os.path.join(folder, "list.zone")
        self.hints = lab.path("root.hints")  # nobody asks the world's root servers
        os.makedirs(folder, exist_ok=True)

    def upstream(self, sep):
        return "%s%s%d" % (self.lab.host(42), sep, self.lab.port)

    def questions(self, kind):
        return os.path.join(self.folder, kind)

    def write_zone(self, serial=0):
        """Two records a name, and one of their kind whose answer says which list this is."""
        with open(self.zone, "w") as f:
            f.write("$TTL 30\n@ SOA localhost. root.localhost. %d 3600 600 86400 30\n@ NS localhost.\n" % (serial + 1))
            f.write("%s A %s\n" % (PROBE % serial, SINK4))
            f.writelines("n%d.%s CNAME .\n*.n%d.%s CNAME .\n" % (i, LISTED_UNDER, i, LISTED_UNDER) for i in range(self.names))

    def write_questions(self, seconds, rounds):
        pick = random.Random(1)
        some = pick.sample(range(self.names), min(self.names, ASKED))
        listed = [pick.choice(some) for _ in range(QUESTIONS)]
        lines = {
            "listed": ["n%d.%s NXDOMAIN" % (i, LISTED_UNDER) for i in listed],
            "deep": ["a.b.c.d.e.n%d.%s NXDOMAIN" % (i, LISTED_UNDER) for i in listed],
            "once": ["n%d.%s NXDOMAIN" % (i, LISTED_UNDER) for i in pick.sample(range(self.names), min(self.names, ONCE))],
            "fresh": ["x%d.n%d.%s NXDOMAIN" % (i, pick.randrange(self.names), LISTED_UNDER) for i in range(min(100 * self.names, ONCE))],
            "cached": ["m%d.%s %s" % (i, LISTED_UNDER, CLEAN4) for i in range(CACHED)],
        }
        for turn in range(rounds):
            lines["cold%d" % turn] = ["x%d-%d.%s %s" % (turn, i, LISTED_UNDER, CLEAN4) for i in range(int(COLD_QPS * seconds) + 1)]
        lines["mix"] = [lines["listed"][i % QUESTIONS] if i % 100 == 0 else lines["cached"][i % CACHED] for i in range(QUESTIONS)]
        for kind, text in lines.items():
            self.write_lines(kind + ".q", text)
        for kind in ("listed", "deep"):
            self.write_lines(kind + ".echo", (x.split()[0] + " -" for x in lines[kind]))
        for kind in ("listed", "cached"):
            self.write_lines(kind + ".dnsperf", (x.split()[0] + " A" for x in lines[kind]))

    def write_lines(self, name, lines):
        with open(self.questions(name), "w") as f:
            f.writelines(x + "\n" for x in lines)
