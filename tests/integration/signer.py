"""Signed zones for the tests: keys of every algorithm, NSEC and NSEC3, and whatever is to be wrong with them. Needs
python3-dnspython and python3-cryptography; a python3 that lacks them hands over to Debian's, see ready().

A Zone is {(owner, type): Rdataset}; sign() adds DNSKEY, NSEC or NSEC3 and signatures. What is to be wrong is done to
the records before or to .sigs after that. text() is a zone file, Authority (authority.py) answers from it."""
import base64
import hashlib
import os
import sys
import time

DEBIAN = "/usr/bin/python3"
HOUR, DAY = 3600, 86400
RSA, ECDSA, EDWARDS = (5, 7, 8, 10), (13, 14), (15, 16)
ALGORITHMS = RSA + ECDSA + EDWARDS


def ready():
    """Whether this python3 has what is needed; a /usr/local one of another make gives way to Debian's."""
    try:
        import cryptography  # noqa: F401
        import dns.rdataset  # noqa: F401
        return True
    except ImportError:
        if os.path.realpath(sys.executable) != os.path.realpath(DEBIAN) and os.path.exists(DEBIAN):
            os.execv(DEBIAN, [DEBIAN, "-B", *sys.argv])
        return False


if not ready():
    print("skipped - all of %s: python3-dnspython and python3-cryptography are not installed: run make deps\n"
          "0 passed, 0 failed, 1 skipped" % os.path.basename(sys.argv[0]))
    sys.exit(77)

import dns.name  # noqa: E402
import dns.rdata  # noqa: E402
import dns.rdataclass  # noqa: E402
import dns.rdataset  # noqa: E402
import dns.rdatatype  # noqa: E402
from cryptography.hazmat.primitives import hashes  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa  # noqa: E402
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature  # noqa: E402
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: E402

IN = dns.rdataclass.IN
BASE32HEX = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789abcdefghijklmnopqrstuv")
_rsa_key = []


def name(text, origin=None):
    return dns.name.from_text(text, origin or dns.name.root) if isinstance(text, str) else text


def rtype(t):
    return dns.rdatatype.from_text(t) if isinstance(t, str) else dns.rdatatype.RdataType.make(t)


def rdata(t, text, origin=None):
    return dns.rdata.from_text(IN, rtype(t), text, origin=origin or dns.name.root, relativize=False)


def raw(t, data):
    """RDATA that need not make sense."""
    return dns.rdata.GenericRdata(IN, rtype(t), data)


def wire(rd):
    return rd.to_digestable()


def integer(n, length=None):
    return n.to_bytes(length or (n.bit_length() + 7) // 8, "big")


class Key:
    def __init__(self, algorithm=13, flags=257, like=None, public=None, protocol=3):
        """like: a key whose secret this one shares; public: key material that need not make sense."""
        self.algorithm, self.flags = algorithm, flags
        self.private = like.private if like else make_private(algorithm)
        data = flags.to_bytes(2, "big") + bytes([protocol, algorithm]) + (public or public_bytes(self.private, algorithm))
        self.rdata = raw("DNSKEY", data)
        self.tag = key_tag(data)

    def raw_sign(self, data):
        if self.algorithm in RSA:
            digest = {5: hashes.SHA1, 7: hashes.SHA1, 8: hashes.SHA256, 10: hashes.SHA512}[self.algorithm]()
            return self.private.sign(data, padding.PKCS1v15(), digest)
        if self.algorithm in ECDSA:
            digest, n = {13: (hashes.SHA256(), 32), 14: (hashes.SHA384(), 48)}[self.algorithm]
            r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(digest)))
            return integer(r, n) + integer(s, n)
        return self.private.sign(data)

    def ds(self, zone, digest=2):
        how = {1: hashlib.sha1, 2: hashlib.sha256, 4: hashlib.sha384}.get(digest, hashlib.sha256)
        h = how(zone.canonicalize().to_wire() + wire(self.rdata)).digest()
        return raw("DS", self.tag.to_bytes(2, "big") + bytes([self.algorithm, digest]) + h)


def make_private(algorithm):
    if algorithm in RSA:
        if not _rsa_key:  # making one takes long; what they are used for differs
            _rsa_key.append(rsa.generate_private_key(65537, 2048))
        return _rsa_key[0]
    return {13: lambda: ec.generate_private_key(ec.SECP256R1()), 14: lambda: ec.generate_private_key(ec.SECP384R1()),
            15: ed25519.Ed25519PrivateKey.generate, 16: ed448.Ed448PrivateKey.generate}[algorithm]()


def public_bytes(private, algorithm):
    public = private.public_key()
    if algorithm in RSA:
        numbers = public.public_numbers()
        e = integer(numbers.e)
        return bytes([len(e)]) + e + integer(numbers.n)
    if algorithm in ECDSA:
        return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_tag(data):
    """RFC 4034 Appendix B."""
    total = sum(b << 8 if i % 2 == 0 else b for i, b in enumerate(data))
    return (total + (total >> 16)) & 0xffff


def nsec3_hash(owner, iterations=0, salt=b""):
    h = hashlib.sha1(name(owner).canonicalize().to_wire() + salt).digest()
    for _ in range(iterations):
        h = hashlib.sha1(h + salt).digest()
    return h


def base32(h):
    return base64.b32encode(h).translate(BASE32HEX).decode()


def bitmap(types):
    out, windows = b"", {}
    for t in types:
        windows.setdefault(t >> 8, set()).add(t & 255)
    for w in sorted(windows):
        bits = bytearray(max(windows[w]) // 8 + 1)
        for t in windows[w]:
            bits[t // 8] |= 0x80 >> t % 8
        out += bytes([w, len(bits)]) + bits
    return out


def nsec(next_name, types):
    return raw("NSEC", name(next_name).to_wire() + bitmap(rtype(t) for t in types))


def nsec3(next_hash, types, flags=0, iterations=0, salt=b""):
    return raw("NSEC3", bytes([1, flags]) + iterations.to_bytes(2, "big") + bytes([len(salt)]) + salt +
               bytes([len(next_hash)]) + next_hash + bitmap(rtype(t) for t in types))


def make_set(t, rdatas, ttl=300):
    s = dns.rdataset.Rdataset(IN, rtype(t))
    s.update_ttl(ttl)
    s.items = dict.fromkeys(rdatas)  # add() compares with all that are there
    return s


def sign_set(owner, rdataset, key, signer, *, labels=None, ttl=None, start=-HOUR, end=30 * DAY, tag=None, algorithm=None,
             breaks=False, covered=None):
    """An RRSIG; owner is the wildcard itself for what a wildcard is to make. start, end: from now."""
    owner, signer = name(owner).canonicalize(), name(signer).canonicalize()
    count = len(owner) - 1 - owner.is_wild()
    labels = count if labels is None else labels
    now = int(time.time())
    ttl = rdataset.ttl if ttl is None else ttl
    head = (int(covered or rdataset.rdtype).to_bytes(2, "big") + bytes([algorithm or key.algorithm, labels]) +
            ttl.to_bytes(4, "big") + ((now + end) & 0xffffffff).to_bytes(4, "big") + ((now + start) & 0xffffffff).to_bytes(4, "big") +
            (key.tag if tag is None else tag).to_bytes(2, "big") + signer.to_wire())
    if labels < count:
        owner = dns.name.Name((b"*",) + owner.labels[len(owner) - 1 - labels:])
    fixed = owner.to_wire() + int(rdataset.rdtype).to_bytes(2, "big") + b"\0\1" + ttl.to_bytes(4, "big")
    data = head + b"".join(fixed + len(w).to_bytes(2, "big") + w for w in sorted(set(wire(r) for r in rdataset)))
    signature = bytearray(key.raw_sign(data))
    if breaks:
        signature[len(signature) // 2] ^= 1
    return raw("RRSIG", head + bytes(signature))


class Zone:
    def __init__(self, apex, text="", key=None, zsk=None, ttl=300):
        """text: lines "owner TYPE data", names relative to the apex. key signs keys, zsk the rest; one may do both."""
        self.apex, self.ttl = name(apex), ttl
        self.key = key
        self.zsk = zsk or key
        self.sets, self.sigs = {}, {}
        self.denial, self.params = None, (0, b"")
        self.add("@ SOA ns lab.example. 1 3600 600 86400 60\n" + text)

    def add(self, text):
        for line in text.splitlines():
            if line.strip():
                owner, t, data = line.split(None, 2)
                self.put(owner, t, [rdata(t, data, self.apex)])

    def put(self, owner, t, rdatas, ttl=None):
        at = (self.name(owner), rtype(t))
        if rdatas and at not in self.sets:
            self.sets[at] = make_set(t, [], self.ttl if ttl is None else ttl)
        for r in rdatas:
            self.sets[at].items[r] = None

    def name(self, owner):
        return self.apex if owner == "@" else name(owner, self.apex) if isinstance(owner, str) else owner

    def get(self, owner, t):
        return self.sets.get((self.name(owner), rtype(t)))

    # ---- structure ----

    def cuts(self):
        return {n for n, t in self.sets if t == dns.rdatatype.NS and n != self.apex}

    def cut_of(self, owner):
        """The delegation that owner is at or below."""
        cuts = self.cuts()
        while owner != self.apex and owner.is_subdomain(self.apex):
            if owner in cuts:
                return owner
            owner = owner.parent()
        return None

    def owners(self):
        """Names with records of this zone, delegations too, in canonical order."""
        return sorted({n for n, _ in self.sets if n.is_subdomain(self.apex) and self.cut_of(n) in (None, n)},
                      key=lambda n: n.canonicalize())

    def exists(self, owner):
        """Also an empty non-terminal."""
        return any(n.is_subdomain(owner) for n in self.owners())

    def types(self, owner):
        return {t for n, t in self.sets if n == owner and (self.cut_of(owner) is None or t in (dns.rdatatype.NS, dns.rdatatype.DS))}

    # ---- signing ----

    def keys(self):
        return [self.key] if self.key is self.zsk else [self.key, self.zsk]

    def sign(self, denial="nsec", iterations=0, salt=b"", opt_out=False, extra=(), signers=None, **when):
        """extra: more keys to publish; signers: what signs the data, instead of zsk; when: as of sign_set()."""
        self.put("@", "DNSKEY", [k.rdata for k in [*self.keys(), *extra]])
        self.denial, self.params = denial, (iterations, salt)
        if denial == "nsec":
            self.add_nsec()
        elif denial == "nsec3":
            self.add_nsec3(iterations, salt, opt_out)
        for (owner, t), s in list(self.sets.items()):
            if t == dns.rdatatype.RRSIG or self.cut_of(owner) not in (None, owner):
                continue
            if self.cut_of(owner) == owner and t not in (dns.rdatatype.DS, dns.rdatatype.NSEC):
                continue
            by = self.keys() if t == dns.rdatatype.DNSKEY else signers or [self.zsk]
            self.sigs[owner, t] = [sign_set(owner, s, k, self.apex, **when) for k in by]
        return self

    def again(self, owner, t, key=None, **how):
        """Signs one set anew."""
        at = (self.name(owner), rtype(t))
        self.sigs[at] = [sign_set(at[0], self.sets[at], key or self.zsk, how.pop("signer", self.apex), **how)]

    def add_nsec(self):
        owners = self.owners()
        for i, n in enumerate(owners):
            types = self.types(n) | {dns.rdatatype.NSEC, dns.rdatatype.RRSIG}
            self.sets[n, dns.rdatatype.NSEC] = make_set("NSEC", [nsec(owners[(i + 1) % len(owners)], types)], 60)

    def add_nsec3(self, iterations, salt, opt_out):
        self.put("@", "NSEC3PARAM", [raw("NSEC3PARAM", b"\1\0" + iterations.to_bytes(2, "big") + bytes([len(salt)]) + salt)], 0)
        owners = set(self.owners())
        if opt_out:  # delegations that are not signed have no record
            owners = {n for n in owners if self.cut_of(n) is None or (n, dns.rdatatype.DS) in self.sets}
        for n in list(owners):  # empty non-terminals have one
            while n != self.apex:
                owners.add(n)
                n = n.parent()
        hashed = sorted((nsec3_hash(n, iterations, salt), n) for n in owners)
        for i, (h, n) in enumerate(hashed):
            types = self.types(n)
            if types - {dns.rdatatype.NS} or (types and self.cut_of(n) is None):
                types = types | {dns.rdatatype.RRSIG}
            record = nsec3(hashed[(i + 1) % len(hashed)][0], types, int(opt_out), iterations, salt)
            self.sets[name(base32(h), self.apex), dns.rdatatype.NSEC3] = make_set("NSEC3", [record], 60)

    def ds(self, digests=(2,)):
        return [self.key.ds(self.apex, d) for d in digests]

    # ---- out ----

    def text(self):
        lines = []
        for (owner, t), s in self.sets.items():
            lines += [line(owner, s.ttl, t, r) for r in s]
        for (owner, t), rs in self.sigs.items():
            ttl = self.sets[owner, t].ttl if (owner, t) in self.sets else self.ttl
            lines += [line(owner, ttl, dns.rdatatype.RRSIG, r) for r in rs]
        lines.sort(key=lambda x: " SOA " not in x)  # where a zone begins
        return "\n".join(lines) + "\n"


def line(owner, ttl, t, r):
    return "%s %d IN %s %s" % (owner, ttl, dns.rdatatype.to_text(t), r.to_text())
