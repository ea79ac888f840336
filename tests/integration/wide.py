"""WideLab: a larger made-up Internet of real NSD servers, for tests that need many names never asked before.

Root, the domain example, two registries below it (com.example and net.example), a hoster, and ZONES zones of three
operators. By their number the zones have two or four servers of their own with glue, servers at the hoster (no glue),
at the hoster's customer (no glue, and the server's own zone has none), or one of each. PUPPETS are zones whose server
is the test itself, see puppet.py; their addresses are closed unless it listens."""
import random

from lab import Lab

ZONES = 48
# NSD process: hosts it listens on; zones it serves, the operators' are added below.
LEAVES = {"leaf0": (41, 42), "leaf1": (43, 44), "leaf2": (45, 46)}
PUPPETS = {"attack": 221, "victim": 222, "slow": 223, "ports": 224, "silent": 225, "dead": 226, "popular": 227, "second": 228}
SOA = "@ SOA {server} lab.example. 1 3600 600 86400 300\n"
KINDS = ("own", "own", "hosted", "own", "customer", "own", "mixed", "four")


def zone_name(number):
    return "z%d.%s.example" % (number % ZONES, ("com", "net")[number % ZONES % 2])


def kind(number):
    return KINDS[number % len(KINDS)]


def leaf(number):
    """The hoster's machines are those of leaf0."""
    return "leaf0" if kind(number) in ("hosted", "customer", "mixed") else "leaf%d" % (number % 3)


def servers(number):
    """[(server's name relative to the zone or absolute, host)]; a host is glue."""
    a, b = LEAVES[leaf(number)]
    return {"own": [("ns1", a), ("ns2", b)],
            "four": [("ns1", a), ("ns2", b), ("ns3", a), ("ns4", b)],
            "hosted": [("a.hoster.example.", None), ("b.hoster.example.", None)],
            "customer": [("ns1.customer.example.", None), ("ns2.customer.example.", None)],
            "mixed": [("ns1", a), ("b.hoster.example.", None)]}[kind(number)]


class WideLab(Lab):
    attackers = ()
    servers = {"root": ((1, 2), (".",)), "tld": ((11, 12), ("example",)),
               "registry": ((13, 14), ("com.example", "net.example")),
               "hoster": ((31, 32), ("hoster.example", "customer.example"))}
    servers.update({name: (hosts, tuple(zone_name(n) for n in range(ZONES) if leaf(n) == name))
                    for name, hosts in LEAVES.items()})

    def zone_text(self, zone):
        if zone[0] == "z":
            return self.leaf_text(int(zone[1:].split(".")[0]))
        make = {".": self.root_text, "example": self.tld_text, "hoster.example": self.hoster_text,
                "customer.example": self.customer_text}
        return make[zone]() if zone in make else self.registry_text(zone)

    def lines(self, server, rows, ttl=3600):
        """rows: (owner, type, data); a number as data of an A record is a host of the lab."""
        text = "$TTL %d\n" % ttl + SOA.format(server=server)
        for owner, rtype, data in rows:
            text += "%s %s %s\n" % (owner, rtype, self.host(data) if isinstance(data, int) else data)
        return text

    def root_text(self):
        return self.lines("a.root.example.", [
            ("@", "NS", "a.root.example."), ("@", "NS", "b.root.example."), ("a.root.example.", "A", 1), ("b.root.example.", "A", 2),
            ("example.", "NS", "a.nic.example."), ("example.", "NS", "b.nic.example."), ("a.nic.example.", "A", 11),
            ("b.nic.example.", "A", 12)])

    def tld_text(self):
        rows = [("@", "NS", "a.nic"), ("@", "NS", "b.nic"), ("a.nic", "A", 11), ("b.nic", "A", 12), ("a.root", "A", 1), ("b.root", "A", 2)]
        for zone in ("com", "net"):
            rows += [(zone, "NS", "a.gtld"), (zone, "NS", "b.gtld")]
        rows += [("a.gtld", "A", 13), ("b.gtld", "A", 14), ("hoster", "NS", "ns1.hoster"), ("hoster", "NS", "ns2.hoster"),
                 ("ns1.hoster", "A", 31), ("ns2.hoster", "A", 32), ("customer", "NS", "ns1.hoster"), ("customer", "NS", "ns2.hoster")]
        for zone, host in PUPPETS.items():
            rows += [(zone, "NS", "ns." + zone), ("ns." + zone, "A", host)]
        return self.lines("a.nic", rows)

    def registry_text(self, zone):
        rows = [("@", "NS", "a.gtld.example."), ("@", "NS", "b.gtld.example.")]
        for n in range(ZONES):
            name = zone_name(n)
            if not name.endswith("." + zone):
                continue
            label = name.split(".")[0]
            for server, host in servers(n):
                inside = host is not None
                rows.append((label, "NS", "%s.%s" % (server, label) if inside else server))
                if inside:
                    rows.append(("%s.%s" % (server, label), "A", host))
        return self.lines("a.gtld.example.", rows)

    def hoster_text(self):
        return self.lines("ns1", [("@", "NS", "ns1"), ("@", "NS", "ns2"), ("ns1", "A", 31), ("ns2", "A", 32), ("a", "A", 41), ("b", "A", 42)])

    def customer_text(self):
        return self.lines("ns1.hoster.example.", [("@", "NS", "ns1.hoster.example."), ("@", "NS", "ns2.hoster.example."), ("ns1", "A", 41), ("ns2", "A", 42)])

    def leaf_text(self, n):
        rows = []
        for server, host in servers(n):
            rows.append(("@", "NS", server))
            if host is not None:
                rows.append((server, "A", host))
        rows += [("@", "A", address(n)), ("@", "MX", "10 www"), ("www", "A", address(n)), ("www", "AAAA", "2001:db8::%x" % (n + 1)),
                 ("api", "A", address(n)), ("a.b.c", "A", address(n)), ("*.wild", "A", address(n)), ("alias", "CNAME", "www"),
                 ("cdn", "CNAME", "edge.%s." % zone_name(n + 1)), ("edge", "A", address(n)), ("*.fill", "TXT", " ".join(['"%s"' % ("x" * 240)] * 4)),
                 ("chain", "CNAME", "chain2"), ("chain2", "CNAME", "hop.%s." % zone_name(n + 2)), ("hop", "CNAME", "www.%s." % zone_name(n + 3))]
        return self.lines(servers(n)[0][0], rows)


def address(number):
    return "198.51.100.%d" % (number % ZONES + 1)


def cold_names(seed=1):
    """[(class, qname, qtype, rcode, sorted data of that type)], every question once, in an order made by seed."""
    rows = []
    for n in range(ZONES):
        z = zone_name(n)
        rows += [("exists", "www." + z, "A", "NOERROR", [address(n)]), ("exists", "api." + z, "A", "NOERROR", [address(n)]),
                 ("exists", "www." + z, "AAAA", "NOERROR", ["2001:db8::%x" % (n + 1)]), ("exists", z, "MX", "NOERROR", ["10 www." + z]),
                 ("deep", "a.b.c." + z, "A", "NOERROR", [address(n)]), ("wildcard", "w%d.wild." % n + z, "A", "NOERROR", [address(n)]),
                 ("no data", "api." + z, "AAAA", "NOERROR", []), ("no name", "nope%d." % n + z, "A", "NXDOMAIN", []),
                 ("no name", "x.y.never%d." % n + z, "A", "NXDOMAIN", []), ("alias", "alias." + z, "A", "NOERROR", [address(n)]),
                 ("alias", "cdn." + z, "A", "NOERROR", [address(n + 1)]), ("alias", "chain." + z, "A", "NOERROR", [address(n + 5)])]
        if n % 2:
            rows.append(("no zone", "www.unregistered%d.%s" % (n, z.split(".", 1)[1]), "A", "NXDOMAIN", []))
    random.Random(seed).shuffle(rows)
    return rows
