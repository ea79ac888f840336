#!/usr/bin/env python3
"""DNSSEC: answers that must not become secure. One zone for each lie, with real keys, served by the test; every question is
asked first while its servers are honest: then the answer must be secure, so that it is the lie that is refused.

The attacker sits on the way: it can change everything that the zone's servers say, but for what the lie says it has
keys only for evil.example. False secure is an answer with AD that differs from the honest one."""
import contextlib
import os

from signed_lab import PUPPET, SignedLab  # first: it may hand over to another python3
from signer import DAY, Key, Zone, base32, dns, name, nsec, nsec3, nsec3_hash, raw, rdata, rtype, sign_set

import authority
import harness
import puppet
from authority import CNAME, DNAME, DS, NS, NSEC, NSEC3, RRSIG, SOA, Authority, R, at, covers, deny, nsec_at, nsec_over, one, over, records, wildcard
from dnsmsg import AD
from harness import Resolver, check, test

A, TXT, DNSKEY = rtype("A"), rtype("TXT"), rtype("DNSKEY")
KID = PUPPET + 1  # the servers of zones below
TEXT = """@ NS ns
ns A {net}.{host}
@ A 192.0.2.10
www A 192.0.2.11
www TXT "text"
two A 192.0.2.21
two A 192.0.2.22
alias CNAME www
out CNAME www.nsec.example.
a.b.ent A 192.0.2.12
*.wild A 192.0.2.13
here.wild A 192.0.2.14
dn DNAME tree
www.tree A 192.0.2.15
zz A 192.0.2.16
kid NS ns.kid
ns.kid A {net}.{kid}
bare NS ns.bare
ns.bare A {net}.{kid}
"""
CHILD = "@ NS ns\nns A {net}.{kid}\n@ A 192.0.2.30\nwww A 192.0.2.31\nalias CNAME www\n"
FORGED = rdata("A", "203.0.113.99")

lies = []


class Lie:
    """questions: relative to the zone. on: types (or "all") of questions whose answers the lie is told about; by default
    the client's question alone. want: what must come out: bogus, insecure, or truth (secure, as the honest answer)."""

    def __init__(self, what, questions, tell, on=None, denial="nsec", want="bogus", honest="secure", make=None, **how):
        self.what, self.tell, self.on, self.want, self.denial, self.honest, self.make, self.how = what, tell, on, want, denial, honest, make, how
        self.questions = [q.split(" ") for q in ([questions] if isinstance(questions, str) else questions)]
        self.label = "s%d" % len(lies)

    def zones(self, net):
        fill = dict(net=net, host=PUPPET, kid=KID)
        self.zone = z = Zone(self.label + ".example", TEXT.format(**fill), Key(13))
        self.kid = Zone("kid." + self.label + ".example", CHILD.format(**fill), Key(13))
        self.bare = Zone("bare." + self.label + ".example", CHILD.format(**fill), Key(13))
        z.put("kid", "DS", self.kid.ds())
        self.kid.sign(self.denial)
        if self.make:
            self.make(z)
        if not z.sigs:
            z.sign(self.denial, **self.how)
        z.parent_ds = z.ds()
        return [z, self.kid, self.bare]

    def asks(self):
        return [(self.zone.name(n), rtype(t)) for n, t in self.questions]

    def told(self, q):
        return (q.name, q.type) in self.asks() if self.on is None else self.on == "all" or dns.rdatatype.to_text(q.type) in self.on


def lie(what, questions, **how):
    def mark(f):
        lies.append(Lie(what, questions, f, **how))
        return f
    return mark


class World:
    def __init__(self):
        self.honest, self.evil_key = True, Key(13)
        self.evil = Zone("evil.example", "@ NS ns\nns A 127.0.0.1\nwww A 203.0.113.99\n*.w A 203.0.113.98\n", self.evil_key).sign()
        self.evil3 = Zone("evil3.example", "@ NS ns\nns A 127.0.0.1\nwww A 203.0.113.99\n", self.evil_key).sign("nsec3")

    def lie(self, m, zone, q, asked):
        for x in lies:
            if not self.honest and zone.apex.is_subdomain(x.zone.apex) and x.told(q):
                return x.tell(m, zone, q, self)
        return None


# ---- tools of liars ----

def strip(m, *types):
    """Signatures, of these types or all."""
    m.remove(lambda r: r.type == RRSIG and (not types or covers(r.rdata) in types))


def drop(m, *types):
    """Records of these types with their signatures."""
    m.remove(lambda r: r.type in types or r.type == RRSIG and covers(r.rdata) in types)


def swap(m, t, *rdatas):
    """Other data under the signatures that are there."""
    for section in m.sections():
        owners = [r.owner for r in section if r.type == t]
        section[:] = [r for r in section if r.type != t]
        section[:0] = [R(owners[0], t, 300, d) for d in rdatas] if owners else []


def say(m, owner, t, rdatas, key=None, signer=None, section="answer", **how):
    """Puts a set, signed when there is a key."""
    s, rs = one(owner, t, rdatas)
    if key:
        rs.append(R(owner, RRSIG, 300, sign_set(owner, s, key, signer, **how)))
    getattr(m, section).extend(rs)


def forge(m, q, key=None, signer=None, **how):
    m.answer.clear()
    m.authority.clear()
    m.rcode = 0
    say(m, q.name, "A", [FORGED], key, signer, **how)


def nothing(m, rcode=0):
    m.rcode, m.aa = rcode, True
    m.answer.clear()
    m.authority.clear()
    m.additional.clear()


def patch_sig(m, t, change):
    """change(bytearray of the RRSIG's RDATA)."""
    for section in m.sections():
        for i, r in enumerate(section):
            if r.type == RRSIG and covers(r.rdata) == t:
                data = bytearray(r.rdata.data)
                change(data)
                section[i] = r._replace(rdata=raw("RRSIG", bytes(data)))


def set_bytes(at_, value):
    def change(data):
        data[at_:at_ + len(value)] = value
    return change


# ---- data ----

@lie("other data under the old signature", "www A")
def _(m, z, q, w):
    swap(m, A, FORGED)


@lie("data without signature", "www A")
def _(m, z, q, w):
    forge(m, q)


@lie("true data, the signature taken away", "www A")
def _(m, z, q, w):
    strip(m)


@lie("all signatures and proofs taken away, AD set", "www A", on="all")
def _(m, z, q, w):
    strip(m)
    drop(m, NSEC, DS)


@lie("signed by the key of another zone, in its name", "www A")
def _(m, z, q, w):
    forge(m, q, w.evil_key, w.evil.apex)


@lie("signed by the key of another zone, in this one's name", "www A")
def _(m, z, q, w):
    forge(m, q, w.evil_key, z.apex)


@lie("the same with the tag of this zone's key", "www A")
def _(m, z, q, w):
    forge(m, q, w.evil_key, z.apex, tag=z.key.tag)


@lie("the other key added to the DNSKEY set", ["www A"], on=("DNSKEY", "A"))
def _(m, z, q, w):
    if q.type == DNSKEY:
        m.answer.insert(0, R(z.apex, DNSKEY, 300, w.evil_key.rdata))
    else:
        forge(m, q, w.evil_key, z.apex)


@lie("a DNSKEY set of the other key, signed by itself", ["www A"], on=("DNSKEY", "A"))
def _(m, z, q, w):
    if q.type == DNSKEY:
        nothing(m)
        say(m, z.apex, "DNSKEY", [w.evil_key.rdata], w.evil_key, z.apex)
    else:
        forge(m, q, w.evil_key, z.apex)


@lie("a DNSKEY set of both, signed by the other", ["www A"], on=("DNSKEY", "A"))
def _(m, z, q, w):
    if q.type == DNSKEY:
        nothing(m)
        say(m, z.apex, "DNSKEY", [z.key.rdata, w.evil_key.rdata], w.evil_key, z.apex)
    else:
        forge(m, q, w.evil_key, z.apex)


@lie("the same, with the tag of the true key", ["www A"], on=("DNSKEY", "A"))
def _(m, z, q, w):
    if q.type == DNSKEY:
        nothing(m)
        say(m, z.apex, "DNSKEY", [z.key.rdata, w.evil_key.rdata], w.evil_key, z.apex, tag=z.key.tag)
    else:
        forge(m, q, w.evil_key, z.apex)


@lie("a record more than was signed", "www A")
def _(m, z, q, w):
    m.answer.insert(0, R(q.name, A, 300, FORGED))


@lie("a record less than was signed", "two A")
def _(m, z, q, w):
    m.answer.pop(0)


@lie("the signature of another type", "www A")
def _(m, z, q, w):
    m.answer = [r for r in m.answer if r.type != RRSIG] + [r for r in records(z, q.name, TXT) if r.type == RRSIG]


@lie("the same, its type covered changed", "www A")
def _(m, z, q, w):
    m.answer = [r for r in m.answer if r.type != RRSIG] + [r for r in records(z, q.name, TXT) if r.type == RRSIG]
    patch_sig(m, TXT, set_bytes(0, b"\0\1"))


@lie("data and signature of another name", "www A")
def _(m, z, q, w):
    m.answer = [r._replace(owner=q.name) for r in records(z, z.name("zz"), A)]


@lie("data and signature of another name in another zone", "www A")
def _(m, z, q, w):
    m.answer = [r._replace(owner=q.name) for r in records(w.evil, w.evil.name("www"), A)]


@lie("more labels than the owner has", "www A")
def _(m, z, q, w):
    patch_sig(m, A, set_bytes(3, b"\x09"))


@lie("fewer labels than the signer has", "www A")
def _(m, z, q, w):
    forge(m, q, z.key, z.apex, labels=1)


@lie("no labels at all", "www A")
def _(m, z, q, w):
    forge(m, q, z.key, z.apex, labels=0)


@lie("a signature that has expired", "www A")
def _(m, z, q, w):
    forge(m, q, z.key, z.apex, start=-30 * DAY, end=-5 * DAY)


@lie("a signature of the future", "www A")
def _(m, z, q, w):
    forge(m, q, z.key, z.apex, start=5 * DAY, end=30 * DAY)


@lie("a signature that expires before it begins", "www A")
def _(m, z, q, w):
    forge(m, q, z.key, z.apex, start=3600, end=-3600)


@lie("its dates moved", "www A")
def _(m, z, q, w):
    patch_sig(m, A, lambda d: d.__setitem__(11, d[11] ^ 1))


@lie("its original TTL raised", "www A")
def _(m, z, q, w):
    patch_sig(m, A, set_bytes(4, b"\0\1\0\0"))


@lie("its algorithm changed", "www A")
def _(m, z, q, w):
    patch_sig(m, A, set_bytes(2, b"\x0f"))


@lie("an algorithm that nobody knows", "www A")
def _(m, z, q, w):
    patch_sig(m, A, set_bytes(2, b"\xc8"))


@lie("its key tag changed", "www A")
def _(m, z, q, w):
    patch_sig(m, A, lambda d: d.__setitem__(17, d[17] ^ 1))


@lie("a signature of no bytes", "www A")
def _(m, z, q, w):
    m.answer = [r._replace(rdata=raw("RRSIG", r.rdata.data[:-64])) if r.type == RRSIG else r for r in m.answer]


@lie("a signature of zeros", "www A")
def _(m, z, q, w):
    m.answer = [r._replace(rdata=raw("RRSIG", r.rdata.data[:-64] + bytes(64))) if r.type == RRSIG else r for r in m.answer]


def with_key(flags, protocol=3):
    """The attacker has a key that the zone publishes, but not as one that signs."""
    def make(z):
        z.weak = Key(13, flags, protocol=protocol)
        z.sign(extra=[z.weak])
    return make


@lie("a key without the ZONE flag", "www A", make=with_key(0))
def _(m, z, q, w):
    forge(m, q, z.weak, z.apex)


@lie("a key that was revoked", "www A", make=with_key(0x180))
def _(m, z, q, w):
    forge(m, q, z.weak, z.apex)


@lie("a key of another protocol", "www A", make=with_key(256, 4))
def _(m, z, q, w):
    forge(m, q, z.weak, z.apex)


@lie("the name of the zone above as signer", "www A")
def _(m, z, q, w):
    forge(m, q, w.evil_key, name("example"))


@lie("the root as signer", "www A")
def _(m, z, q, w):
    forge(m, q, w.evil_key, name("."))


@lie("the key of a zone below", "www A")
def _(m, z, q, w):
    forge(m, q, find(z).kid.key, find(z).kid.apex)


@lie("the key of a zone below, in this one's name", "www A")
def _(m, z, q, w):
    forge(m, q, find(z).kid.key, z.apex)


def find(z):
    return next(x for x in lies if z.apex.is_subdomain(x.zone.apex))


# ---- aliases ----

@lie("an unsigned alias to a secure name", "www A")
def _(m, z, q, w):
    nothing(m)
    say(m, q.name, "CNAME", [rdata("CNAME", "www.nsec.example.")])


@lie("an alias of another name, its signature with it", "www A")
def _(m, z, q, w):
    m.answer = [r._replace(owner=q.name) for r in records(z, z.name("out"), CNAME)]


@lie("an alias's target changed", "alias A")
def _(m, z, q, w):
    swap(m, CNAME, rdata("CNAME", "www.evil.example."))


@lie("an unsigned DNAME at the apex", "www A")
def _(m, z, q, w):
    nothing(m)
    say(m, z.apex, "DNAME", [rdata("DNAME", "nsec.example.")])
    say(m, q.name, "CNAME", [rdata("CNAME", "www.nsec.example.")])


@lie("the CNAME beside a DNAME leads elsewhere", "www.dn A", want="truth")
def _(m, z, q, w):
    swap(m, CNAME, rdata("CNAME", "www.evil.example."))


@lie("a DNAME's target changed", "www.dn A")
def _(m, z, q, w):
    swap(m, DNAME, rdata("DNAME", "nsec.example."))


@lie("a DNAME's owner moved up", "www A")
def _(m, z, q, w):
    nothing(m)
    m.answer += [r._replace(owner=z.apex) for r in records(z, z.name("dn"), DNAME)]


# Its target is asked for on its own then.
@lie("an alias in a secure zone, its target's answer forged along", "alias A", want="truth")
def _(m, z, q, w):
    m.answer.append(R(z.name("www"), A, 300, FORGED))


# ---- wildcards ----

@lie("what a wildcard made, without the proof", "x.wild A")
def _(m, z, q, w):
    m.authority.clear()


@lie("what a wildcard made, with another name's proof", "x.wild A")
def _(m, z, q, w):
    m.authority[:] = nsec_at(z, z.name("www"))


@lie("a wildcard's data for a name that exists", "here.wild A")
def _(m, z, q, w):
    m.answer = records(z, z.name("*.wild"), A, q.name)


@lie("the same, with another name's proof", "here.wild A")
def _(m, z, q, w):
    m.answer = records(z, z.name("*.wild"), A, q.name)
    m.authority[:] = nsec_at(z, z.name("*.wild"))


@lie("a wildcard's data below a name that exists", "x.here.wild A", honest="secure")
def _(m, z, q, w):
    nothing(m)
    m.answer = records(z, z.name("*.wild"), A, q.name)
    m.authority += nsec_over(z, q.name)


@lie("a wildcard's data for a name outside of it", "www A")
def _(m, z, q, w):
    m.answer = records(z, z.name("*.wild"), A, q.name)
    m.authority += nsec_over(z, z.name("x.wild"))


@lie("the wildcard of another zone", "x.wild A")
def _(m, z, q, w):
    m.answer = records(w.evil, w.evil.name("*.w"), A, q.name)


@lie("NSEC3: a wildcard's data for a name that exists", "here.wild A", denial="nsec3")
def _(m, z, q, w):
    m.answer = records(z, z.name("*.wild"), A, q.name)
    m.authority += at(z, z.name("wild")) + over(z, z.name("x.wild"))


@lie("NSEC3: what a wildcard made, without the proof", "x.wild A", denial="nsec3")
def _(m, z, q, w):
    m.authority.clear()


# ---- denials, NSEC ----

@lie("no such name, without proof", "www A")
def _(m, z, q, w):
    nothing(m, 3)
    m.authority += records(z, z.apex, SOA)


@lie("no such name, without a word", "www A")
def _(m, z, q, w):
    nothing(m, 3)


@lie("no data, without proof", "www A")
def _(m, z, q, w):
    nothing(m)
    m.authority += records(z, z.apex, SOA)


@lie("no data, without a word", "www A")
def _(m, z, q, w):
    nothing(m)


@lie("no such name, with the proof of another", "www A")
def _(m, z, q, w):
    nothing(m, 3)
    deny(z, m, nsec_over(z, z.name("nope")) + nsec_over(z, wildcard(z.apex)))


@lie("no such name, by the NSEC of another zone", "www A")
def _(m, z, q, w):
    nothing(m, 3)
    m.authority += records(z, z.apex, SOA) + [r for n, t in w.evil.sets if t == NSEC for r in records(w.evil, n, NSEC)]


@lie("no such name, all of it by another zone", "www A")
def _(m, z, q, w):
    nothing(m, 3)
    m.authority += [r for n, t in w.evil.sets if t in (NSEC, SOA) for r in records(w.evil, n, t)]


@lie("no such name, by a forged NSEC around it", "www A")
def _(m, z, q, w):
    nothing(m, 3)
    m.authority += records(z, z.apex, SOA)
    say(m, z.apex, "NSEC", [nsec(z.apex, ["NS", "SOA"])], w.evil_key, z.apex, section="authority")


@lie("an NSEC of the zone's own whose next name is outside of it", "www A")
def _(m, z, q, w):
    nothing(m, 3)
    m.authority += records(z, z.apex, SOA)
    say(m, z.apex, "NSEC", [nsec(name("zzz.example"), ["NS", "SOA"])], z.key, z.apex, section="authority")


@lie("an NSEC signed by this zone for a name above", "www A")
def _(m, z, q, w):
    nothing(m, 3)
    m.authority += records(z, z.apex, SOA)
    say(m, name("a.example"), "NSEC", [nsec(name("zzz.example"), ["NS"])], z.key, z.apex, section="authority")


@lie("no such name, by the NSEC of that very name", "www A")
def _(m, z, q, w):
    nothing(m, 3)
    deny(z, m, nsec_at(z, q.name) + nsec_over(z, wildcard(z.apex)))


@lie("no data, by another name's NSEC", "www A")
def _(m, z, q, w):
    nothing(m)
    deny(z, m, nsec_at(z, z.name("zz")))


@lie("no data, although the NSEC has the type", "www A")
def _(m, z, q, w):
    nothing(m)
    deny(z, m, nsec_at(z, q.name))


@lie("no data at an alias", "alias A")
def _(m, z, q, w):
    nothing(m)
    deny(z, m, nsec_at(z, q.name))


@lie("no such name below a delegation, by its NSEC", "www.kid A", on=("A",))
def _(m, z, q, w):
    p = find(z).zone
    nothing(m, 3)
    m.authority += records(p, p.apex, SOA) + nsec_at(p, p.name("kid")) + nsec_over(p, wildcard(p.apex))


@lie("no data at a delegation, by the parent's NSEC", "kid A", on=("A",))
def _(m, z, q, w):
    p = find(z).zone
    nothing(m)
    m.authority += records(p, p.apex, SOA) + nsec_at(p, p.name("kid"))


@lie("no such name below a DNAME, by its NSEC", "www.dn A")
def _(m, z, q, w):
    nothing(m, 3)
    deny(z, m, nsec_at(z, z.name("dn")) + nsec_over(z, wildcard(z.name("dn"))))


@lie("a wildcard's NSEC under the name asked for (CVE-2017-15105)", "here.wild A")
def _(m, z, q, w):
    nothing(m)
    deny(z, m, [r._replace(owner=q.name) for r in nsec_at(z, z.name("*.wild"))])


@lie("a wildcard hidden by its own NSEC under another name", "x.wild A")
def _(m, z, q, w):
    nothing(m, 3)
    deny(z, m, [r._replace(owner=z.name("!.wild")) for r in nsec_at(z, z.name("*.wild"))])


@lie("no such name, although the wildcard is there", "x.wild A")
def _(m, z, q, w):
    nothing(m, 3)
    deny(z, m, nsec_over(z, q.name) + nsec_over(z, wildcard(z.apex)))


@lie("no data by a wildcard, for a name that exists", "here.wild A")
def _(m, z, q, w):
    nothing(m)
    deny(z, m, nsec_at(z, z.name("*.wild")))


@lie("no such name, but it is an empty non-terminal", "b.ent A")
def _(m, z, q, w):
    m.rcode = 3


@lie("no such name, by proofs of no data", "www MX")
def _(m, z, q, w):
    m.rcode = 3


@lie("no data, by proofs of no such name", "nope A")
def _(m, z, q, w):
    m.rcode = 0


@lie("half a proof: the wildcard is not denied", "x.y.nope A")
def _(m, z, q, w):
    m.authority[:] = records(z, z.apex, SOA) + nsec_at(z, z.name("zz"))


@lie("a proof whose SOA is not signed", "nope A")
def _(m, z, q, w):
    strip(m, SOA)


@lie("a proof whose SOA was changed", "nope A")
def _(m, z, q, w):
    swap(m, SOA, rdata("SOA", "evil.example. evil.example. 1 1 1 1 86400"))


@lie("a proof whose NSEC is not signed", "nope A")
def _(m, z, q, w):
    strip(m, NSEC)


# ---- denials, NSEC3 ----

@lie("NSEC3: no such name, without proof", "www A", denial="nsec3")
def _(m, z, q, w):
    nothing(m, 3)
    m.authority += records(z, z.apex, SOA)


@lie("NSEC3: no data, although the record has the type", "www A", denial="nsec3")
def _(m, z, q, w):
    nothing(m)
    deny(z, m, at(z, q.name))


@lie("NSEC3: no data at an alias", "alias A", denial="nsec3")
def _(m, z, q, w):
    nothing(m)
    deny(z, m, at(z, q.name))


@lie("NSEC3: the whole chain of the zone, for a name that exists", "www A", denial="nsec3")
def _(m, z, q, w):
    nothing(m, 3)
    deny(z, m, [r for n, t in z.sets if t == NSEC3 for r in records(z, n, NSEC3)][:16])


@lie("NSEC3: records of another zone, moved here", "www A", denial="nsec3")
def _(m, z, q, w):
    nothing(m, 3)
    m.authority += records(z, z.apex, SOA) + [
        r._replace(owner=dns.name.Name(n.labels[:1] + z.apex.labels)) for n, t in w.evil3.sets if t == NSEC3 for r in records(w.evil3, n, NSEC3)]


def made_nsec3(m, z, owner, key, signer, **how):
    """A record around the hash of owner; its own owner is one less, its next one more."""
    h = int.from_bytes(nsec3_hash(owner), "big")
    low, high = (h - 1).to_bytes(20, "big"), (h + 1).to_bytes(20, "big")
    say(m, name(base32(low), z.apex), "NSEC3", [nsec3(high, ["A"], **how)], key, signer, section="authority")


@lie("NSEC3: forged records around the name", "www A", denial="nsec3")
def _(m, z, q, w):
    nothing(m, 3)
    deny(z, m, at(z, z.apex))
    made_nsec3(m, z, q.name, w.evil_key, z.apex)
    made_nsec3(m, z, wildcard(z.apex), w.evil_key, z.apex)


@lie("NSEC3: no closest encloser", "nope A", denial="nsec3")
def _(m, z, q, w):
    m.authority[:] = records(z, z.apex, SOA)
    made_nsec3(m, z, q.name, z.key, z.apex)
    made_nsec3(m, z, wildcard(z.apex), z.key, z.apex)


@lie("NSEC3: the name itself not covered", "nope A", denial="nsec3")
def _(m, z, q, w):
    m.authority[:] = records(z, z.apex, SOA) + at(z, z.apex)
    made_nsec3(m, z, wildcard(z.apex), z.key, z.apex)


@lie("NSEC3: the wildcard not covered", "nope A", denial="nsec3")
def _(m, z, q, w):
    m.authority[:] = records(z, z.apex, SOA) + at(z, z.apex)
    made_nsec3(m, z, q.name, z.key, z.apex)


@lie("NSEC3: parameters that differ", "nope A", denial="nsec3")
def _(m, z, q, w):
    m.authority[:] = records(z, z.apex, SOA) + at(z, z.apex)
    made_nsec3(m, z, q.name, z.key, z.apex)
    made_nsec3(m, z, wildcard(z.apex), z.key, z.apex, salt=b"x")


@lie("NSEC3: an unknown flag", "nope A", denial="nsec3")
def _(m, z, q, w):
    m.authority[:] = records(z, z.apex, SOA) + at(z, z.apex)
    made_nsec3(m, z, q.name, z.key, z.apex, flags=2)
    made_nsec3(m, z, wildcard(z.apex), z.key, z.apex, flags=2)


@lie("NSEC3: a hash that nobody knows", "nope A", denial="nsec3")
def _(m, z, q, w):
    swapped = [r._replace(rdata=raw("NSEC3", b"\2" + r.rdata.data[1:])) if r.type == NSEC3 else r for r in m.authority]
    m.authority[:] = [r for r in swapped if r.type != RRSIG or covers(r.rdata) != NSEC3]
    for r in swapped:
        if r.type == NSEC3:
            s, _ = one(r.owner, "NSEC3", [r.rdata], 60)
            m.authority.append(R(r.owner, RRSIG, 60, sign_set(r.owner, s, z.key, z.apex)))


@lie("NSEC3: no such name below a delegation, by its record", "www.kid A", denial="nsec3", on=("A",))
def _(m, z, q, w):
    p = find(z).zone
    nothing(m, 3)
    m.authority += records(p, p.apex, SOA) + at(p, p.name("kid")) + over(p, q.name) + over(p, wildcard(p.name("kid")))


@lie("NSEC3: opt-out hides a name of the zone", "nope A", denial="nsec3", want="insecure")
def _(m, z, q, w):
    m.authority[:] = records(z, z.apex, SOA) + at(z, z.apex)
    made_nsec3(m, z, q.name, z.key, z.apex, flags=1)
    made_nsec3(m, z, wildcard(z.apex), z.key, z.apex, flags=1)


@lie("NSEC3: more iterations than anybody hashes", "nope A", denial="nsec3", want="insecure")
def _(m, z, q, w):
    m.authority[:] = records(z, z.apex, SOA)
    made_nsec3(m, z, q.name, z.key, z.apex, iterations=2500)


@lie("half of the proof NSEC, half NSEC3", "nope A", denial="nsec3")
def _(m, z, q, w):
    m.authority[:] = records(z, z.apex, SOA) + at(z, z.apex)
    made_nsec3(m, z, q.name, z.key, z.apex)
    say(m, z.name("!"), "NSEC", [nsec(z.name("0"), ["A"])], z.key, z.apex, section="authority")


# ---- delegations ----

def forged_kid(m, q, w):
    """The attacker's zone in the place of the signed one below; the parent's word decides."""
    if q.type == A:
        forge(m, q)
    elif q.type == DNSKEY:
        nothing(m)


def below(z):
    return z.apex.labels[0] == b"kid"


def about_kid(m):
    return any(r.type in (NS, DS, NSEC, NSEC3) and r.owner.labels[0] == b"kid" for r in m.authority + m.answer)


def kid_lie(what, change, denial="nsec", want="bogus", kid=forged_kid):
    def tell(m, z, q, w):
        p = find(z).zone
        if below(z):
            kid(m, q, w)
        elif q.type == DS and q.name == p.name("kid"):
            nothing(m)
            change(m, p, w, m.authority)
            if m.authority and any(r.type == DS for r in m.authority):
                m.answer, m.authority = m.authority, []
            elif not any(r.type == SOA for r in m.authority):
                m.authority += records(p, p.apex, SOA)
        elif any(r.type == NS and r.owner == p.name("kid") for r in m.authority):
            drop(m, DS, NSEC, NSEC3)
            change(m, p, w, m.authority)
    lies.append(Lie(what, "www.kid A", tell, on="all", denial=denial, want=want))


def to_parent(m, owner, t, rdatas, key=None, signer=None, **how):
    say(m, owner, t, rdatas, key, signer, section="authority", **how)


kid_lie("a DS taken away", lambda m, p, w, out: None)
kid_lie("a DS forged, unsigned", lambda m, p, w, out: to_parent(m, p.name("kid"), "DS", [w.evil_key.ds(p.name("kid"))]))
kid_lie("a DS forged, signed by the attacker", lambda m, p, w, out: to_parent(m, p.name("kid"), "DS", [w.evil_key.ds(p.name("kid"))], w.evil_key, p.apex))
kid_lie("an old DS, its signature expired", lambda m, p, w, out: to_parent(
    m, p.name("kid"), "DS", [w.evil_key.ds(p.name("kid"))], p.key, p.apex, start=-30 * DAY, end=-5 * DAY))
kid_lie("a DS signed by its own zone", lambda m, p, w, out: to_parent(m, p.name("kid"), "DS", [w.evil_key.ds(p.name("kid"))], find(p).kid.key, p.name("kid")))
kid_lie("a DS of an unknown algorithm, unsigned", lambda m, p, w, out: to_parent(m, p.name("kid"), "DS", [raw("DS", b"\0\1\xc8\2" + bytes(32))]))
kid_lie("the DS of another zone", lambda m, p, w, out: to_parent(
    m, p.name("kid"), "DS", p.parent_ds, p.key, name("example")))
kid_lie("no DS, by its own NSEC that has one", lambda m, p, w, out: out.extend(nsec_at(p, p.name("kid"))))
kid_lie("no DS, by an unsigned NSEC", lambda m, p, w, out: to_parent(m, p.name("kid"), "NSEC", [nsec(p.name("ns"), ["NS", "RRSIG", "NSEC"])]))
kid_lie("no DS, by an NSEC that the attacker signed", lambda m, p, w, out: to_parent(
    m, p.name("kid"), "NSEC", [nsec(p.name("ns"), ["NS", "RRSIG", "NSEC"])], w.evil_key, p.apex))
kid_lie("no DS, by the NSEC at the child's apex", lambda m, p, w, out: out.extend(nsec_at(find(p).kid, p.name("kid"))))
kid_lie("no DS, by an NSEC of the child without SOA", lambda m, p, w, out: to_parent(
    m, p.name("kid"), "NSEC", [nsec(p.name("www.kid"), ["NS", "RRSIG", "NSEC"])], find(p).kid.key, p.name("kid")))
kid_lie("no DS, by another delegation's NSEC", lambda m, p, w, out: out.extend(nsec_at(p, p.name("bare"))))
kid_lie("no DS, by another delegation's NSEC under this name", lambda m, p, w, out: out.extend(r._replace(owner=p.name("kid")) for r in nsec_at(p, p.name("bare"))))
kid_lie("no DS, by the NSEC at the apex of the parent", lambda m, p, w, out: out.extend(nsec_at(p, p.apex)))
kid_lie("NSEC3: no DS, by the record at the child's apex", lambda m, p, w, out: out.extend(at(find(p).kid, p.name("kid"))), "nsec3")
kid_lie("NSEC3: no DS, by its own record that has one", lambda m, p, w, out: out.extend(at(p, p.name("kid"))), "nsec3")
kid_lie("NSEC3: no DS, by all records but its own", lambda m, p, w, out: out.extend(
    r for label, n in authority.hashes(p) if label != authority.hashed(p, p.name("kid")) for r in records(p, n, NSEC3)), "nsec3")
kid_lie("NSEC3: opt-out forged around a signed delegation", lambda m, p, w, out: out.extend(at(p, p.apex)) or made_nsec3(
    m, p, p.name("kid"), w.evil_key, p.apex, flags=1), "nsec3")


@lie("an invented delegation without DS", "www A", on="all")
def _(m, z, q, w):
    if q.name != z.name("www"):
        return
    if q.type == DS:
        nothing(m)
        m.authority += records(z, z.apex, SOA) + nsec_at(z, z.name("www"))
    else:
        forge(m, q)


@lie("an invented delegation, by a proof that the name is not there", "www A", on="all")
def _(m, z, q, w):
    if q.name != z.name("www"):
        return
    if q.type == DS:
        nothing(m)
        deny(z, m, nsec_over(z, z.name("nope")) + nsec_over(z, wildcard(z.apex)))
    else:
        forge(m, q)


@lie("an unsigned answer as if it came from the unsigned zone beside", "www A", on="all")
def _(m, z, q, w):
    if q.name == z.name("www") and q.type == DS:
        nothing(m)
        m.authority += records(z, z.apex, SOA) + [r._replace(owner=q.name) for r in nsec_at(z, z.name("bare"))]
    elif q.name == z.name("www"):
        forge(m, q)


@lie("glue that leads to the attacker", "www.kid A", on="all")
def _(m, z, q, w):
    if below(z):
        return forge(m, q, w.evil_key, z.apex) if q.type == A else None
    m.additional[:] = [r for r in m.additional if r.type != A]


# ---- running ----

@contextlib.contextmanager
def setup(args, folder):
    world = World()
    net_lab = SignedLab(os.path.join(folder, "lab"), labels=("nsec", "unsigned"))
    zones = [z for x in lies for z in x.zones(net_lab.net)]
    world.evil.parent_ds, world.evil3.parent_ds = world.evil.ds(), world.evil3.ds()
    zones += [world.evil, world.evil3]
    net_lab.puppets = [z for z in zones if z.apex.labels[0] not in (b"kid", b"bare")]
    net_lab.up()
    server = Authority(zones, world.lie)
    r = Resolver(args.build, os.path.join(folder, "resolver"), net_lab)
    try:
        with puppet.Puppets(net_lab, (PUPPET, KID), server.say):
            yield r, world
        check(not r.faults, "; ".join(r.faults))
    finally:
        if r.process:
            r.process.kill()
            r.process.wait()
        net_lab.down()


def status(m):
    return "silence" if m is None else "bogus" if m.rcode == "SERVFAIL" else "secure" if m.flags & AD else "insecure"


def content(m):
    return m and (m.rcode, m.records())


def ask_all(r, **how):
    r.start()
    try:
        return {(x, i): r.ask(n.to_text(), dns.rdatatype.to_text(t), do=True, **how) for x in lies for i, (n, t) in enumerate(x.asks())}
    finally:
        r.stop()


@test("no lie becomes secure")
def false_secure(r, world):
    honest = ask_all(r)
    for (x, i), m in honest.items():
        check(status(m) == x.honest, "%s: %s: the honest answer is" % (x.label, x.what), status(m), m)
    world.honest = False
    told = ask_all(r)
    world.honest = True
    bad, other = [], []
    for (x, i), m in told.items():
        same = content(m) == content(honest[x, i])
        have = status(m)
        if have == "secure" and not same:
            bad.append("%s %s: FALSE SECURE: %r" % (x.label, x.what, m))
        elif have != {"truth": "secure"}.get(x.want, x.want):
            other.append("%s %s: %s, wanted %s: %r" % (x.label, x.what, have, x.want, m))
    for line in bad + other:
        print(line)
    check(not bad and not other, "%d false secure, %d otherwise than wanted" % (len(bad), len(other)))
    return "%d lies" % len(told)


if __name__ == "__main__":
    harness.main(setup)
