"""SignedLab: a small Internet of real NSD servers whose root and top-level domain are signed, with the lab's own trust
anchor. Below it one zone for each thing that can be right or wrong with a zone; what is to be wrong is made here."""
from signer import ALGORITHMS, DAY, HOUR, Key, Zone, dns, name, raw, rdata, rtype, sign_set

from lab import Lab

PUPPET = 151  # host that a test plays itself, see puppet.py
LEAF = (21, 22)
# In nearly every zone. {other} is a secure zone.
COMMON = """@ NS ns
ns A {net}.21
@ A 192.0.2.10
@ TXT "apex"
www A 192.0.2.11
www AAAA 2001:db8::11
txt TXT "text"
alias CNAME www
out CNAME www.{other}
a.b.ent A 192.0.2.12
*.wild A 192.0.2.13
*.wild TXT "wild"
here.wild A 192.0.2.14
*.calias CNAME www
dn DNAME tree.{other}
www.tree A 192.0.2.15
"""
NAMES = ("@", "www", "txt", "alias", "out", "ent", "b.ent", "a.b.ent", "x.wild", "x.y.wild", "*.wild", "here.wild", "x.here.wild",
         "x.calias", "nope", "x.y.nope", "below.www", "dn", "www.dn", "nope.dn")
SECURE, INSECURE, BOGUS = "secure", "insecure", "bogus"


def plain(zone):
    """Not signed at all."""


def signed(**how):
    return lambda zone: zone.sign(**how)


def split(zone):
    zone.zsk = Key(13, 256)
    zone.sign()


def without(t, *owners):
    """Signed, then what covers these names is gone."""
    def make(zone):
        zone.sign()
        for at in list(zone.sigs):
            if at[1] == rtype(t) and (not owners or at[0] in [zone.name(o) for o in owners]):
                del zone.sigs[at]
    return make


def without_records(t):
    def make(zone):
        zone.sign("nsec3" if t == "NSEC3" else "nsec")
        for at in list(zone.sets):
            if at[1] == rtype(t):
                del zone.sets[at]
                zone.sigs.pop(at, None)
    return make


def broken(t):
    def make(zone):
        zone.sign("nsec3" if t == "NSEC3" else "nsec")
        for owner, covered in list(zone.sigs):
            if covered == rtype(t):
                zone.again(owner, covered, breaks=True)
    return make


def again(owner, t, **how):
    def make(zone):
        zone.sign()
        zone.again(owner, t, **how)
    return make


def foreign_signer(zone):
    """Signed by a key of its own, in the name of another zone."""
    zone.sign()
    zone.again("www", "A", signer=name("nsec.example"))


def double(zone):
    other = Key(13, 256)
    zone.zsk = Key(13, 256)
    zone.sign(extra=[other], signers=[zone.zsk, other])


def pre_publish(zone):
    zone.sign(extra=[Key(13, 257), Key(13, 256)])


def two_algorithms(zone):
    other = Key(8, 257)
    zone.sign(extra=[other], signers=[zone.key, other])
    zone.sigs[zone.apex, rtype("DNSKEY")].append(sign_set(zone.apex, zone.get("@", "DNSKEY"), other, zone.apex))


def one_good_of_two(zone):
    """A broken signature beside a good one."""
    zone.sign()
    at = (zone.name("www"), rtype("A"))
    zone.sigs[at].insert(0, sign_set(at[0], zone.sets[at], zone.key, zone.apex, breaks=True))


def other_ds(*rdatas):
    return lambda zone: [r(zone) if callable(r) else r for r in rdatas]


def bad_digest(zone, digest=2):
    ds = bytearray(zone.key.ds(zone.apex, digest).data)
    ds[-1] ^= 1
    return raw("DS", bytes(ds))


def good(digest):
    return lambda zone: zone.key.ds(zone.apex, digest)


def unknown_algorithm(zone):
    ds = bytearray(zone.key.ds(zone.apex, 2).data)
    ds[2] = 200
    return raw("DS", bytes(ds))


# Name below the top-level domain or another one here: (key's algorithm or key, how it is made, its DS in the parent,
# what it is). None for the DS: those of its key. () = there is none.
ZONES = {
    "nsec": (13, signed(), None, SECURE),
    "nsec3": (13, signed(denial="nsec3"), None, SECURE),
    "optout": (13, signed(denial="nsec3", opt_out=True, salt=b"\xab\xcd"), None, SECURE),
    "split": (13, split, None, SECURE),
    "expired": (13, signed(start=-30 * DAY, end=-5 * DAY), None, BOGUS),
    "notyet": (13, signed(start=5 * DAY, end=30 * DAY), None, BOGUS),
    # Unbound's and our skew: a tenth of the signature's life, from an hour to a day.
    "justexpired": (13, signed(start=-30 * DAY, end=-12 * HOUR), None, SECURE),
    "justearly": (13, signed(start=12 * HOUR, end=30 * DAY), None, SECURE),
    "keyexpired": (13, again("@", "DNSKEY", start=-30 * DAY, end=-5 * DAY), None, BOGUS),
    "wwwexpired": (13, again("www", "A", start=-30 * DAY, end=-5 * DAY), None, SECURE),
    "signer": (13, foreign_signer, None, SECURE),
    "broken": (13, again("www", "A", breaks=True), None, SECURE),
    "nosig": (13, without("A", "www"), None, SECURE),
    "nosigs": (13, lambda z: (z.sign(), z.sigs.clear()), None, BOGUS),
    "nokeysig": (13, without("DNSKEY"), None, BOGUS),
    "nokeys": (13, without_records("DNSKEY"), None, BOGUS),
    "nonsec": (13, without_records("NSEC"), None, SECURE),
    "nonsec3": (13, without_records("NSEC3"), None, SECURE),
    "nsecbad": (13, broken("NSEC"), None, SECURE),
    "nsec3bad": (13, broken("NSEC3"), None, SECURE),
    "nsecnosig": (13, without("NSEC"), None, SECURE),
    "soabad": (13, broken("SOA"), None, SECURE),
    "nods": (13, signed(), (), INSECURE),
    "unsigned": (13, plain, (), INSECURE),
    "notsigned": (13, plain, None, BOGUS),
    "badds": (13, signed(), other_ds(bad_digest), BOGUS),
    "otherkey": (13, signed(), other_ds(lambda z: Key(13).ds(z.apex)), BOGUS),
    "dssha1": (13, signed(), other_ds(good(1)), SECURE),
    "ds384": (13, signed(), other_ds(good(4)), SECURE),
    "dsboth": (13, signed(), other_ds(good(1), good(2)), SECURE),
    "dsbadsha1": (13, signed(), other_ds(lambda z: bad_digest(z, 1), good(2)), SECURE),
    "dsbadsha2": (13, signed(), other_ds(good(1), lambda z: bad_digest(z, 2)), BOGUS),
    "dsunknown": (13, signed(), other_ds(lambda z: raw("DS", z.key.ds(z.apex, 200).data)), INSECURE),
    "algunknown": (13, signed(), other_ds(unknown_algorithm), INSECURE),
    "dsoneknown": (13, signed(), other_ds(unknown_algorithm, good(2)), SECURE),
    "nozonebit": (("flags", 13, 1), signed(), None, BOGUS),
    "revoked": (("flags", 13, 0x181), signed(), None, BOGUS),
    "nosep": (("flags", 13, 256), signed(), None, SECURE),
    "double": (13, double, None, SECURE),
    "prepublish": (13, pre_publish, None, SECURE),
    "twoalgs": (13, two_algorithms, None, SECURE),
    "oneof2": (13, one_good_of_two, None, SECURE),
    "it1": (13, signed(denial="nsec3", iterations=1, salt=b"salt"), None, SECURE),
    "it50": (13, signed(denial="nsec3", iterations=50), None, SECURE),
    "it51": (13, signed(denial="nsec3", iterations=51), None, SECURE),
    "it151": (13, signed(denial="nsec3", iterations=151), None, SECURE),
    # Zones below zones, on the same servers: the parent answers for both.
    "kid.nsec": (13, signed(), None, SECURE),
    "bare.nsec": (13, plain, (), INSECURE),
    "sick.nsec": (13, signed(), other_ds(bad_digest), BOGUS),
    "kid3.nsec3": (13, signed(denial="nsec3"), None, SECURE),
    "bare3.nsec3": (13, plain, (), INSECURE),
    "kido.optout": (13, signed(), None, SECURE),
    "bareo.optout": (13, plain, (), INSECURE),
    "deep.d1.optout": (13, plain, (), INSECURE),  # behind an empty non-terminal that opt-out leaves out
    "isle.bare.nsec": (13, signed(), None, INSECURE),
    "kidofbogus.badds": (13, signed(), None, BOGUS),
    "bareofbogus.expired": (13, plain, (), BOGUS),
}
ZONES.update({"alg%d" % a: (a, signed(denial="nsec3" if a % 2 else "nsec"), None, SECURE if a > 7 else INSECURE) for a in ALGORITHMS})
# Aliases and renamed trees across zones, in a secure and in an insecure one.
TARGETS = ("nsec", "nsec3", "optout", "unsigned", "nods", "badds", "broken", "expired")
CHAINS = "".join("to-%s CNAME www.%s.example.\nno-%s CNAME nope.%s.example.\nd-%s DNAME %s.example.\n" % ((t,) * 6) for t in TARGETS)
CHAINS += "hop CNAME to-nsec.bridge2.example.\nhop2 CNAME to-badds.bridge2.example.\nhop3 CNAME hop.bridge2.example.\n"
ZONES["bridge"] = (13, signed(), None, SECURE)
ZONES["bridge2"] = (13, plain, (), INSECURE)


class SignedLab(Lab):
    attackers = ()

    def __init__(self, folder, net=None, port=None, labels=ZONES, puppets=()):
        """labels: those of ZONES that are served. puppets: zones that the test serves itself at PUPPET, Zone objects;
        their .parent_ds go into the top-level domain."""
        super().__init__(folder, net, port)
        self.labels, self.puppets = labels, puppets
        self.servers = {"root": ((1, 2), (".",)), "tld": ((11, 12), ("example",)),
                        "leaf": (LEAF, tuple(z + ".example" for z in labels))}

    def up(self, tied=True):
        self.zones = {}
        # From the bottom: a parent needs its children's DS.
        for label in sorted(self.labels, key=lambda z: -z.count(".")):
            self.zones[label + ".example"] = self.make(label)
        self.zones["example"] = self.make_tld()
        self.zones["."] = self.make_root()
        super().up(tied)
        with open(self.path("root.key"), "w") as f:
            f.write(". IN DS %s\n" % rdata_text(self.zones["."].ds()[0]))

    def make(self, label):
        key, how, ds, _ = ZONES[label]
        key = Key(key[1], key[2]) if isinstance(key, tuple) else Key(key)
        other = "nsec3.example." if label == "nsec" else "nsec.example."
        zone = Zone(label + ".example", COMMON.format(net=self.net, other=other) +
                    (CHAINS if label.startswith("bridge") else ""), key)
        for child in self.labels:
            if child.endswith("." + label):
                self.delegate(zone, self.zones[child + ".example"], LEAF[0])
        zone.parent_ds = ds(zone) if callable(ds) else zone.ds() if ds is None else []
        how(zone)
        return zone

    def delegate(self, parent, child, *hosts):
        for i, host in enumerate(hosts):
            server = name("ns" if i == 0 else "ns%d" % (i + 1), child.apex)
            parent.put(child.apex, "NS", [rdata("NS", server.to_text())])
            parent.put(server, "A", [rdata("A", self.host(host))])
        parent.put(child.apex, "DS", child.parent_ds)

    def make_tld(self):
        zone = Zone("example", "@ NS a.nic\n@ NS b.nic\na.nic A {0}.11\nb.nic A {0}.12\na.root A {0}.1\nb.root A {0}.2\n".format(self.net), Key(13))
        for label, child in self.zones.items():
            if label.count(".") == 1:
                self.delegate(zone, child, *LEAF)
        for child in self.puppets:
            self.delegate(zone, child, PUPPET)
        return zone.sign("nsec3")

    def make_root(self):
        zone = Zone(".", "@ NS a.root.example.\n@ NS b.root.example.\na.root.example. A {0}.1\nb.root.example. A {0}.2\n".format(self.net), Key(8))
        for n in ("a", "b"):
            zone.put(name("example."), "NS", [rdata("NS", n + ".nic.example.")])
            zone.put(name(n + ".nic.example."), "A", [rdata("A", self.host(11 if n == "a" else 12))])
        zone.put(name("example."), "DS", self.zones["example"].ds())
        return zone.sign()

    def zone_text(self, zone):
        return self.zones[zone].text()

    def recursion(self):
        return dict(super().recursion(), trust_anchor=self.path("root.key"))


def rdata_text(r):
    """Of a generic record, as anchors are written."""
    return dns.rdata.from_wire(dns.rdataclass.IN, r.rdtype, r.data, 0, len(r.data)).to_text()
