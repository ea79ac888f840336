"""SignedWideLab: the lab of wide.py with a signed root, signed registries (NSEC3 with opt-out, as large ones have it), and
half of the operators' zones signed."""
from signer import Key, Zone, dns

from wide import WideLab, zone_name, ZONES

SIGNED = tuple(zone_name(n) for n in range(0, ZONES, 2)) + ("hoster.example",)
REGISTRIES = ("com.example", "net.example")


class SignedWideLab(WideLab):
    def up(self, tied=True):
        self.made = {}
        for zone in (*SIGNED, *REGISTRIES, "example", "."):  # a parent needs its children's DS
            self.made[zone] = self.sign(zone)
        super().up(tied)
        with open(self.path("root.key"), "w") as f:
            ds = self.made["."].ds()[0]
            f.write(". IN DS %s\n" % dns.rdata.from_wire(dns.rdataclass.IN, ds.rdtype, ds.data, 0, len(ds.data)).to_text())

    def sign(self, zone):
        lines = super().zone_text(zone).splitlines()
        z = Zone(zone, "", Key(8 if zone == "." else 13), ttl=3600)
        z.sets.clear()
        z.add("\n".join(x for x in lines if not x.startswith("$")))
        for child in self.made.values():
            if child.apex in z.cuts():
                z.put(child.apex, "DS", child.ds())
        return z.sign("nsec" if zone == "." else "nsec3", opt_out=zone in REGISTRIES or zone == "example")

    def zone_text(self, zone):
        return self.made[zone].text() if zone in self.made else super().zone_text(zone)

    def recursion(self):
        return dict(super().recursion(), trust_anchor=self.path("root.key"))
