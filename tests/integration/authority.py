"""An authoritative server for Zone objects, see signer.py, whose answers a test may change before they leave: what real
servers do not say. Answers are Reply objects; records in them are R tuples."""
import collections

import puppet
from signer import dns, make_set, name, nsec3_hash, raw, rtype

R = collections.namedtuple("R", "owner type ttl rdata")
Question = collections.namedtuple("Question", "name type")
NS, CNAME, SOA, DNAME, DS, RRSIG, NSEC, NSEC3 = (rtype(t) for t in ("NS", "CNAME", "SOA", "DNAME", "DS", "RRSIG", "NSEC", "NSEC3"))
UDP_MAX = 1232


class Reply:
    def __init__(self):
        self.rcode, self.aa, self.answer, self.authority, self.additional = 0, True, [], [], []

    def sections(self):
        return (self.answer, self.authority, self.additional)

    def remove(self, wanted):
        """Drops the records for which wanted(record) is true."""
        for section in self.sections():
            section[:] = [r for r in section if not wanted(r)]

    def wire(self, asked, **flags):
        parts = [[puppet.record(r.owner.to_wire(), int(r.type), r.rdata.to_wire(), r.ttl) for r in s] for s in self.sections()]
        out = puppet.reply(asked, *parts, rcode=self.rcode, aa=self.aa, **flags)
        if asked.over == "udp" and len(out) > UDP_MAX:
            return puppet.reply(asked, rcode=self.rcode, aa=self.aa, tc=True)
        return out


def covers(rrsig):
    return int.from_bytes(rrsig.data[:2], "big")


def records(zone, owner, t, as_owner=None):
    """A set with its signatures; as_owner: what a wildcard makes of it."""
    at = (owner, t)
    if at not in zone.sets:
        return []
    s = zone.sets[at]
    out = [R(as_owner or owner, t, s.ttl, r) for r in s]
    return out + [R(as_owner or owner, RRSIG, s.ttl, r) for r in zone.sigs.get(at, [])]


def ancestors(zone, owner):
    """Proper ones in the zone, the closest first."""
    while owner != zone.apex:
        owner = owner.parent()
        yield owner


# ---- denials ----

def nsec_at(zone, owner):
    return records(zone, owner, NSEC)


def nsec_over(zone, owner):
    """The NSEC whose span owner is in."""
    before = [n for n, t in zone.sets if t == NSEC and n.canonicalize() < owner.canonicalize()]
    return records(zone, max(before, key=lambda n: n.canonicalize()), NSEC) if before else []


def hashes(zone):
    """[(hash's label, owner)] of the NSEC3 chain, in order."""
    return sorted((n.labels[0].decode().lower(), n) for n, t in zone.sets if t == NSEC3)


def hashed(zone, owner):
    from signer import base32
    return base32(nsec3_hash(owner, *zone.params))


def nsec3_at(zone, owner):
    return [r for label, n in hashes(zone) if label == hashed(zone, owner) for r in records(zone, n, NSEC3)]


def nsec3_over(zone, owner):
    chain, h = hashes(zone), hashed(zone, owner)
    before = [n for label, n in chain if label < h] or [chain[-1][1]] if chain else []
    return records(zone, before[-1], NSEC3) if before else []


def at(zone, owner):
    return nsec_at(zone, owner) if zone.denial == "nsec" else nsec3_at(zone, owner) if zone.denial == "nsec3" else []


def over(zone, owner):
    return nsec_over(zone, owner) if zone.denial == "nsec" else nsec3_over(zone, owner) if zone.denial == "nsec3" else []


def encloser(zone, owner):
    """The closest ancestor that exists, and the name one label longer."""
    closer = owner
    for n in ancestors(zone, owner):
        if zone.exists(n):
            return n, closer
        closer = n
    return zone.apex, closer


def no_name(zone, owner):
    """That owner does not exist, wildcards aside."""
    close, closer = encloser(zone, owner)
    return over(zone, owner) if zone.denial == "nsec" else at(zone, close) + over(zone, closer)


def wildcard(owner):
    return dns.name.Name((b"*",) + owner.labels)


def unique(rs):
    return list(dict.fromkeys(rs))


# ---- answers ----

def answer(zone, q):
    m = Reply()
    cut = zone.cut_of(q.name)
    if cut is not None and (q.name, q.type) != (cut, DS):
        refer(zone, m, cut)
        return m
    for n in ancestors(zone, q.name):
        if (n, DNAME) in zone.sets:
            rename(zone, m, q, n)
            return m
    if any(n == q.name for n, _ in zone.sets):
        found(zone, m, q, q.name)
    elif zone.exists(q.name):
        deny(zone, m, at(zone, q.name) or over(zone, q.name))
    else:
        star = wildcard(encloser(zone, q.name)[0])
        if any(n == star for n, _ in zone.sets):
            found(zone, m, q, star)
        else:
            m.rcode = 3
            deny(zone, m, no_name(zone, q.name) + over(zone, star))
    return m


def found(zone, m, q, owner):
    """owner is the name asked for, or the wildcard that stands for it."""
    made = no_name(zone, q.name) if owner != q.name else []
    got = records(zone, owner, q.type, q.name) or records(zone, owner, CNAME, q.name)
    m.answer += got
    if got:
        m.authority += unique(made[-2:] if zone.denial == "nsec3" else made)
    else:
        deny(zone, m, at(zone, owner) + made)


def deny(zone, m, proof):
    m.authority += records(zone, zone.apex, SOA) + unique(proof)


def rename(zone, m, q, owner):
    got = records(zone, owner, DNAME)
    target = dns.name.from_wire(got[0].rdata.to_wire(), 0)[0]
    prefix = dns.name.Name(q.name.labels[:len(q.name) - len(owner)])
    made = dns.name.Name(prefix.labels + target.labels)
    m.answer += got + [R(q.name, CNAME, got[0].ttl, raw("CNAME", made.to_wire()))]


def refer(zone, m, cut):
    m.aa = False
    m.authority += records(zone, cut, NS)
    m.authority += records(zone, cut, DS) or at(zone, cut) or no_name(zone, cut)
    for r in zone.sets[cut, NS]:
        server = dns.name.from_wire(r.to_wire(), 0)[0]
        m.additional += records(zone, server, rtype("A"))


class Authority:
    """lie(reply, zone, question, asked) may change a reply, or return bytes to send instead."""

    def __init__(self, zones, lie=None):
        self.zones = sorted(zones, key=lambda z: -len(z.apex))
        self.lie = lie

    def zone_of(self, q):
        for z in self.zones:
            if q.name.is_subdomain(z.apex) and not (q.type == DS and q.name == z.apex and self.has_parent(z)):
                return z
        return None

    def has_parent(self, zone):
        return any(zone.apex.is_subdomain(z.apex) and z is not zone for z in self.zones)

    def say(self, asked):
        q = Question(name(asked.qname), rtype(asked.qtype))
        zone = self.zone_of(q)
        if zone is None:
            return puppet.reply(asked, rcode=5, aa=False)
        m = answer(zone, q)
        out = self.lie(m, zone, q, asked) if self.lie else None
        return m.wire(asked) if out is None else out


def one(owner, t, rdatas, ttl=300):
    """A set as sign_set() takes it, and its records."""
    s = make_set(t, rdatas, ttl)
    return s, [R(owner, rtype(t), ttl, r) for r in s]
