#!/usr/bin/env python3
"""Lists in the formats of others: what goes out comes in again, and memory does not grow with a file."""
import csv
import io
import ipaddress
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import time

import harness
from harness import Skip, check, equal, test

HEADING = "domain rule_kind rule_action family category confidence first_listed expires reference reason authority rule_data"
COUNTS = {"rules": 250, "probes": 3000, "rounds": 6}
SECRET = "https://secret.example/report"


class Store:
    def __init__(self, build, folder, name):
        self.tool, self.state = os.path.join(os.path.abspath(build), "sinkhole-blocklist"), os.path.join(folder, name)
        self.folder = folder
        os.makedirs(self.state, exist_ok=True)

    def run(self, *args, status=0):
        p = subprocess.run([self.tool, args[0], "--state", self.state] + list(args[1:]), capture_output=True)
        check(p.returncode in (status if isinstance(status, tuple) else (status,)), "status of " + " ".join(args),
              p.returncode, p.stderr[-500:])
        return p.stdout.decode()

    def load(self, name, text, *more):
        path = os.path.join(self.folder, "input")
        with open(path, "w") as f:
            f.write(text)
        return json.loads(self.run("import", "--list", name, "--json", "--force", "--reason", "test", *more, path))

    def export(self, name, form, status=0):
        return self.run("export", "--list", name, "--format", form, status=status)

    def rules(self, name, *without):
        rows = [json.loads(x) for x in self.run("export", "--list", name, "--json").splitlines()]
        return sorted(json.dumps({k: v for k, v in row.items() if k not in ("list", "until", "starts", "first_listed") + without})
                      for row in rows)


def random_name(r, depth=4):
    return ".".join(r.choice("abc") for _ in range(r.randint(0, depth))).strip(".")


def owner(name):
    return (name + "." if name else "") + "zone.example"


def random_rules(r, n):
    """(kind, name) -> row of a CSV; at most one rule a key."""
    rows = {}
    for _ in range(n):
        kind = r.choice(["exact", "subtree", "wildcard"])
        action = r.choice(["given", "nxdomain", "nodata", "drop", "passthru", "tcp-only", "local-data"])
        name = owner(random_name(r))
        rows[kind, name] = [
            "*." * (kind == "wildcard") + name, kind, action, r.choice(["", "bot, \"x\""]), r.choice(["", "c2"]),
            r.choice(["", "0", "85"]), "2026-01-02T03:04:05Z", r.choice(["", "2090-01-01T00:00:00Z"]),
            r.choice(["", "TLP:RED " + SECRET, "TLP:AMBER+STRICT", "case 12/3"]), r.choice(["", "because, \u00fcber"]),
            r.choice(["", "court"]), "TYPE1 30 \\# 4 c000020%d" % r.randint(1, 9) if action == "local-data" else ""]
    return rows


def random_prefixes(r, n):
    rows = {}
    for _ in range(n):
        bits = r.randint(1, 128)
        if r.random() < .5:
            bits = r.randint(8, 32)
            value = (203 << 24 | r.getrandbits(24)) >> (32 - bits) << (32 - bits)
            net = "%d.%d.%d.%d/%d" % (*value.to_bytes(4, "big"), bits)
        else:
            bits = r.randint(32, 128)
            words = [0x2001, 0xdb8] + [r.choice([0, 0, 0, 1, 0xabcd]) for _ in range(6)]
            value = int("".join("%04x" % w for w in words), 16) >> (128 - bits) << (128 - bits)
            net = ":".join("%x" % (value >> 16 * i & 0xffff) for i in range(7, -1, -1)) + "/%d" % bits
        kind = r.choice(["address", "server", "answer"])
        rows[net] = [net, kind, r.choice(["given", "nxdomain", "drop"])] + [""] * 9
    return rows


OTHERS = [row + [""] * 8 for row in [  # triggers and actions that a name of a list does not have
    ["ns1.zone.example", "ns-exact", "nxdomain", ""], ["*.ns2.zone.example", "ns-wildcard", "drop", ""]]]
GARDEN = ["garden.zone.test", "exact", "cname"] + [""] * 8 + ["TYPE5 30 \\# 8 0167047465737400"]


def as_csv(rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([HEADING.split()] + list(rows))
    return out.getvalue()


def both(args, folder):
    """Two empty stores."""
    place = tempfile.mkdtemp(dir=folder)
    return Store(args.build, place, "one"), Store(args.build, place, "two")


# ---- models: what a list of ours and a zone say about a name ----

def above(name):
    """name and its ancestors, nearest first"""
    labels = name.split(".")
    return [".".join(labels[i:]) for i in range(len(labels))]


def ours(rows, name):
    if ("exact", name) in rows:
        return rows["exact", name]
    hidden = ("wildcard", name) in rows
    if ("subtree", name) in rows:
        return rows["subtree", name]
    for up in above(name)[1:]:
        if ("subtree", up) in rows:
            return rows["subtree", up]
        if ("wildcard", up) in rows and not hidden:
            return rows["wildcard", up]
        hidden = hidden or ("wildcard", up) in rows or ("exact", up) in rows
    return None


class Zone:
    """RFC 4592: the closest encloser's wildcard, and no other."""
    def __init__(self, text):
        self.records, self.nodes = {}, set()
        for line in text.splitlines():
            if line[0] in "$@" or ".rpz-" in line.split(" ")[0]:
                continue
            name, data = line.split(" ", 1)
            self.records.setdefault(name, []).append(data)
            self.nodes.update(above(name))

    def says(self, name):
        if name in self.nodes:
            return self.records.get(name)
        encloser = next((up for up in above(name) if up in self.nodes), None)
        return self.records.get("*." + encloser) if encloser else None


def record_of(row):
    if row is None:
        return None
    action, data = row[2], row[11]
    if action == "local-data":
        return ["30 " + data.replace(" 30 ", " ", 1)]
    return ["CNAME " + {"nodata": "*.", "passthru": "rpz-passthru.", "drop": "rpz-drop.", "tcp-only": "rpz-tcp-only."}.get(action, ".")]


# ---- out and in ----

@test("CSV, STIX: an export imported gives the same rules, with all that is known of them")
def same_rules(args, folder):
    one, two = both(args, folder)
    for seed in range(COUNTS["rounds"]):
        r = random.Random(seed)
        rows = list(random_rules(r, 60).values()) + list(random_prefixes(r, 40).values()) + OTHERS + [GARDEN]
        one.load("a", as_csv(rows))
        two.load("csv", one.export("a", "csv"))
        equal(two.rules("csv"), one.rules("a"), "csv, seed %d" % seed)
        blocking = [row for row in rows if row[2] != "passthru"]
        one.load("b", as_csv(blocking))
        two.load("stix", one.export("b", "stix"))
        equal(two.rules("stix"), one.rules("b"), "stix, seed %d" % seed)
        plain = [row[:2] + ["given"] + [""] * 9 for row in blocking if row[1] in ("subtree", "wildcard", "address")]
        one.load("c", as_csv(plain))
        two.load("plain", one.export("c", "plain"))
        equal(two.rules("plain"), one.rules("c"), "plain, seed %d" % seed)


@test("RPZ: the zone says of every name what the list says, by the rules of wildcards")
def same_decisions(args, folder):
    one, two = both(args, folder)
    asked = hits = 0
    for seed in range(COUNTS["rounds"]):
        r = random.Random(seed)
        rows = random_rules(r, r.choice([5, 40, COUNTS["rules"]]))
        one.load("a", as_csv(rows.values()))
        text = one.export("a", "rpz")
        zone = Zone(text)
        for i in range(COUNTS["probes"]):
            name = owner(random_name(r, 6))
            want = record_of(ours(rows, name))
            equal(zone.says(name), want, "seed %d, %s" % (seed, name))
            asked, hits = asked + 1, hits + (want is not None)
        two.load("b", text)
        for i in range(10):
            name = owner(random_name(r, 5))
            row, told = ours(rows, name), json.loads(two.run("explain", "--json", name, status=(0, 1)))
            want = {"given": "nxdomain"}.get(row[2], row[2]) if row else None
            equal(told.get("action"), want, "seed %d, %s, imported" % (seed, name))
    return "%d names, %d on the list" % (asked, hits)


def prefix_of(owner):
    """RPZ draft 4.1.1: 24.0.2.0.192, 48.zz.1.db8.2001; checks that it is the one form there is."""
    bits, *words = owner.split(".")
    if "zz" not in words and len(words) == 4:
        return ipaddress.ip_network(".".join(reversed(words)) + "/" + bits)
    full = []
    for w in words:
        full += ["0"] * (9 - len(words)) if w == "zz" else [w]
    runs = [len(m) for m in re.findall("z+", "".join("z" if w == "0" else "x" for w in full))]
    longest = max(runs, default=0)
    check(("zz" in words) == (longest > 1) and len(full) == 8, "zeros of " + owner)
    if "zz" in words:
        equal(9 - len(words), longest, "zz of " + owner)
        first = next(i for i in range(8, -1, -1) if full[i:i + longest] == ["0"] * longest)  # written, the first
        equal(words.index("zz"), first, "place of zz in " + owner)
    return ipaddress.ip_network(":".join(reversed(full)) + "/" + bits)


@test("RPZ: each prefix has its triggers, in the form of the draft")
def same_prefixes(args, folder):
    one, _ = both(args, folder)
    triggers = {"address": ["rpz-ip", "rpz-nsip"], "answer": ["rpz-ip"], "server": ["rpz-nsip"]}
    rows = random_prefixes(random.Random(5), 400)
    one.load("a", as_csv(rows.values()))
    want = {(str(ipaddress.ip_network(net)), t) for net, row in rows.items() for t in triggers[row[1]]}
    found = {(str(prefix_of(m[1])), m[2]) for m in re.finditer(r"^(\S+)\.(rpz-\S+) ", one.export("a", "rpz"), re.M)}
    equal(sorted(found ^ want), [], "prefixes")


@test("RPZ: named-checkzone takes it")
def named_takes_it(args, folder):
    if not shutil.which("named-checkzone"):
        raise Skip("named-checkzone is not here (bind9-utils)")
    one, _ = both(args, folder)
    r = random.Random(7)
    long_name = ".".join(["x" * 60] * 3)
    rows = list(random_rules(r, 200).values()) + list(random_prefixes(r, 200).values())
    one.load("a", as_csv(rows + [[long_name + ".example", "exact", "given"] + [""] * 9]))
    text, path = one.export("a", "rpz"), os.path.join(folder, "zone")
    with open(path, "w") as f:
        f.write(text)
    p = subprocess.run(["named-checkzone", "rpz.example", path], capture_output=True, text=True)
    check(p.returncode == 0, "named-checkzone", p.stdout[-500:])
    too_long = ".".join(["x" * 60] * 4)
    one.load("b", as_csv([[too_long, "exact", "given"] + [""] * 9]))
    check(too_long not in one.export("b", "rpz", status=1), "a name without room for the zone's")


@test("nft: the kernel's checker takes it; it holds the servers' addresses and nothing that is let through")
def nft_takes_it(args, folder):
    one, _ = both(args, folder)
    rows = [["203.0.113.0/24", "address", "given"], ["203.0.113.7", "server", "drop"], ["2001:db8::/40", "server", "nodata"],
            ["198.51.100.1", "answer", "given"], ["198.51.100.2", "server", "passthru"], ["198.51.100.3", "server", "monitor"],
            ["192.0.2.66", "address", "given"], ["a.example", "subtree", "given"]]
    one.load("a", as_csv(row + [""] * 9 for row in rows))
    one.load("good", "192.0.2.66\n", "--action", "passthru", "--precedence", "1")
    text = one.run("export", "--format", "nft")
    found = re.findall(r"[0-9a-f.:]+/\d+", text)
    equal(sorted(found), sorted(["203.0.113.0/24", "203.0.113.7/32", "2001:db8::/40"]), "addresses")
    if not shutil.which("nft") or os.geteuid() != 0:
        raise Skip("the sets are right; nft, or root to run it, is not here")
    path = os.path.join(folder, "sets.nft")
    with open(path, "w") as f:
        f.write(text)
    p = subprocess.run(["unshare", "-n", "nft", "-c", "-f", path], capture_output=True, text=True)
    check(p.returncode == 0, "nft -c", p.stderr[-500:])


@test("formats for others hold nothing of what is marked, and nothing that is over")
def nothing_leaves(args, folder):
    one, _ = both(args, folder)
    one.load("client", as_csv([["192.0.2.66", "client", "drop"] + [""] * 9]))
    check("192.0.2.66" not in one.export("client", "stix"), "a subscriber is no indicator")
    one.load("a", as_csv([
        ["a.example", "subtree", "given", "bot", "c2", "", "", "", "TLP:RED " + SECRET, "because", "court", ""],
        ["192.0.2.66", "address", "given", "", "", "", "", "2090-01-01T00:00:00Z", "TLP:GREEN " + SECRET, "", "", ""]]))
    for form in ("plain", "rpz", "nft"):
        text = one.export("a", form)
        for word in ("TLP", "secret", "because", "court"):
            check(word not in text, "%s holds %s" % (form, word), text)
    check(SECRET in one.export("a", "stix"), "stix says who may know")
    stix = json.loads(one.export("a", "stix"))
    marked = [o for o in stix["objects"] if o["type"] == "indicator"]
    equal(len([o for o in marked if o.get("object_marking_refs")]), 2, "marked indicators")
    # the list's lease has ended: whoever has no times must have no rules
    one.load("over", "a.example\nb.example\n192.0.2.66\n", "--expires", "1s")
    time.sleep(2.1)
    for form in ("plain", "rpz", "nft"):
        text = one.export("over", form)
        check("a.example" not in text and "192.0.2" not in text and "2.0.192" not in text, form + " of a list that is over", text)


UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
NEEDED = {  # STIX 2.1: required properties of the types that are written
    "indicator": "spec_version id created modified pattern pattern_type valid_from",
    "identity": "spec_version id created modified name",
    "marking-definition": "spec_version id created",
    "extension-definition": "spec_version id created modified created_by_ref name schema version extension_types"}


@test("STIX: the bundle has the shape of the standard")
def stix_shape(args, folder):
    one, _ = both(args, folder)
    r = random.Random(3)
    one.load("a", as_csv(list(random_rules(r, 60).values()) + list(random_prefixes(r, 20).values())))
    text = one.export("a", "stix")
    equal(one.export("a", "stix"), text, "a second export")
    bundle = json.loads(text)
    equal(sorted(bundle), ["id", "objects", "type"], "bundle")
    check(re.match("bundle--" + UUID, bundle["id"]), "bundle id", bundle["id"])
    ids = [o["id"] for o in bundle["objects"]]
    equal(len(set(ids)), len(ids), "ids are of one object each")
    for o in bundle["objects"]:
        for key in NEEDED[o["type"]].split():
            check(key in o, "%s of %s" % (key, o["type"]), o)
        equal(o["spec_version"], "2.1", "spec_version")
        check(re.match(o["type"] + "--" + UUID, o["id"]), "id", o["id"])
        for key in ("created", "modified", "valid_from", "valid_until"):
            check(key not in o or re.match(TIME, o[key]), key, o)
        check(o.get("modified", o["created"]) >= o["created"], "modified before created", o)
        check("valid_until" not in o or o["valid_until"] > o["valid_from"], "valid_until", o)
        check(0 <= o.get("confidence", 0) <= 100, "confidence", o)
        for ref in o.get("object_marking_refs", []) + ([o["created_by_ref"]] if "created_by_ref" in o else []):
            check(ref in ids, "reference to nothing", ref)
        for ref in o.get("external_references", []):
            check(ref["source_name"] and (ref.get("url") or ref.get("external_id")), "external reference", ref)


# ---- size ----

def lines_of(form, i):
    name = "n%d.size.example" % (i % 50000)
    return {"domains": name, "hosts": "0.0.0.0 " + name, "csv": name + ",bot,2026-01-02", "rpz": name + " CNAME .",
            "adblock": "||%s^" % name, "warninglist": '"%s"' % name,
            "stix": '{"type":"indicator","id":"indicator--%d","pattern":"[domain-name:value = \'%s\']"}' % (i, name),
            "misp": '{"type":"domain","to_ids":true,"value":"%s","comment":"c"}' % name,
            "json": '{"list":"x","rule":"%s","kind":"exact"}' % name}[form]


AROUND = {"csv": ("domain,malware,date\n", "\n", ""), "rpz": ("$TTL 30\n@ SOA a. b. 1 1 1 1 1\n", "\n", ""),
          "stix": ('{"type":"bundle","objects":[\n', ",\n", "]}"), "warninglist": ('{"list":[', ",\n", '],"type":"hostname"}'),
          "misp": ('{"Event":{"info":"x","Attribute":[', ",\n", "]}}")}


def write_file(path, form, size):
    first, between, last = AROUND.get(form, ("", "\n", ""))
    block = between.join(lines_of(form, i) for i in range(50000))
    with open(path, "w") as f:
        f.write(first + block)
        for _ in range(size // len(block)):
            f.write(between + block)
        f.write(last)


def peak_kib(tool, path, form):
    p = subprocess.Popen([tool, "check", "--json", "--format", form, path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = p.stderr.read()
    _, status, used = os.wait4(p.pid, 0)
    p.returncode = status
    check(status == 0, "check of " + form, status, said[-300:])
    return used.ru_maxrss


@test("memory is the same for 8 MiB and for 64 MiB of each format", full=True, sanitized=False)
def memory_is_flat(args, folder):
    tool, path, seen = os.path.join(os.path.abspath(args.build), "sinkhole-blocklist"), os.path.join(folder, "big"), []
    for form in ("domains", "hosts", "csv", "rpz", "adblock", "stix", "misp", "warninglist", "json"):
        peaks = []
        for mib in (8, 64):
            write_file(path, form, mib << 20)
            peaks.append(peak_kib(tool, path, form))
        check(peaks[1] < peaks[0] + 2048 and peaks[1] < 64 << 10, form, peaks)
        seen.append("%s %.1f MiB" % (form, peaks[1] / 1024))
    return ", ".join(seen)


if __name__ == "__main__":
    harness.main()
