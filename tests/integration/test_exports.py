#!/usr/bin/env python3
"""What leaves through sinkhole-hits export: in whose shape, and under which name."""
import contextlib
import csv
import io
import ipaddress
import json
import os
import pty
import re
import shutil
import subprocess
import time
import uuid

import harness
from harness import check, equal, test
from made_log import END, has, setup, uid


@test("no format shows a client's address or port without purpose and case; each says dns-only")
def pseudonyms(log):
    clients = {h["client"] for h in log.shown}
    check(len(clients) > 10, "clients", clients)
    for name in "tsv json ocsf ecs shadowserver cef misp".split():
        text = log.export(name)
        records = text.splitlines()[name == "shadowserver":]
        equal(len(records), len(log.shown), name)
        words = set(re.split(r"[^0-9a-f.:]+", text))
        check(not clients & words, "%s shows clients" % name, clients & words)
        check(all("dns-only" in r for r in records), "evidence in %s" % name)
        shown = log.run("export", "--format", name, "--purpose", "abuse", "--case", "4711", *log.hits)
        check(name == "misp" or clients <= set(re.split(r"[^0-9a-f.:]+", shown)), "%s with a purpose" % name)
        check(all("abuse" in r and "4711" in r and "dns-only" in r for r in shown.splitlines()[name == "shadowserver":]), "purpose in %s" % name)
    for h, hidden in zip(log.shown, log.lines("json")):
        equal(hidden["client_port"], None, "port")
    pairs = {(h["client"], x["client"]) for h, x in zip(log.shown, log.lines("json"))}
    equal(len(pairs), len(clients), "one pseudonym for each client")
    client, pseudonym = sorted(pairs)[0]
    equal(log.run("key", "reveal", pseudonym, "--key", log.key).strip(), client, "revealed")


@test("a key is one user's, replaced only by rotate, and missing it nothing leaves")
def key(log):
    equal(os.stat(log.key).st_mode & 0o777, 0o600, "mode")
    equal(log.ask("key", "new", "--key", log.key)[0], 2, "a second new")
    before = log.lines("json", "--limit", "1")[0]
    other = os.path.join(log.folder, "other.key")
    equal(log.ask("key", "rotate", "--key", other)[0], 2, "rotate without a key")
    log.run("key", "new", "--key", other)
    new = log.run("key", "rotate", "--key", other).strip()
    os.rename(other, log.key + ".rotated")
    after = json.loads(log.run("export", "--json", "--key", log.key + ".rotated", "--limit", "1", *log.hits))
    check(before["client"] != after["client"] and before["key"] != after["key"], "rotated")
    equal(after["key"], new, "the new key's name")
    os.chmod(log.key + ".rotated", 0o640)
    for wrong in (["--key", log.key + ".rotated"], ["--key", os.path.join(log.folder, "none")], ["--purpose", "x"],
                  ["--case", "1"], ["--purpose", "a b", "--case", "1"], ["--format", "xml", "--key", log.key]):
        status, out, said = log.ask("export", *log.hits, *wrong)
        equal((status, out, len(said.splitlines())), (2, "", 1), " ".join(wrong))


# Fields and types as https://schema.ocsf.io/1.3.0/classes/dns_activity has them: required and recommended ones.
@test("OCSF 1.3 DNS Activity")
def ocsf(log):
    for h, r in zip(log.shown, log.lines("ocsf")):
        has(r, class_uid=4003, category_uid=4, activity_id=1, type_uid=400301, severity_id=1, time=int, count=h["count"],
            metadata__version="1.3.0", metadata__product__name="sinkholed", metadata__product__vendor_name=str, metadata__uid=uid(h),
            metadata__profiles=["host", "security_control"], device__type_id=1, src_endpoint__ip=str, dst_endpoint__ip=h["listener"],
            connection_info__direction_id=1, connection_info__protocol_num=17 if h["transport"] == "udp" else 6,
            query__hostname=h["qname"], query__type=h["qtype"], query__class="IN", action_id=int, disposition_id=int,
            firewall_rule__uid=str(h["entry"]), policy__name=h["list"], policy__version=str, unmapped__evidence="dns-only")
        check(1700000000000 < r["time"] < 1800000000000, "milliseconds", r["time"])
        check(r["action_id"] in (2, 3, 4) and isinstance(r["malware"][0]["classification_ids"], list), "enums", r)
        ipaddress.ip_address(r["src_endpoint"]["ip"])


# https://www.elastic.co/guide/en/ecs/8.11: field names, types and allowed values.
@test("Elastic Common Schema 8.11")
def ecs(log):
    for h, r in zip(log.shown, log.lines("ecs")):
        has(r, **{"@timestamp": h["time"]}, ecs__version="8.11.0", event__kind="alert", event__category=["network"], event__type=list,
            event__id=uid(h), event__dataset=str, source__ip=str, destination__ip=h["listener"], dns__type="query",
            dns__question__name=h["qname"], dns__question__type=h["qtype"], dns__question__class="IN", network__protocol="dns",
            network__transport="udp" if h["transport"] == "udp" else "tcp", observer__hostname=h["node"], rule__id=str(h["entry"]),
            rule__ruleset=h["list"], threat__indicator__type=str, threat__indicator__name=str, labels__evidence="dns-only")
        check(set(r["event"]["type"]) <= {"protocol", "denied", "info"}, "event.type", r)


# https://www.shadowserver.org/what-we-do/network-reporting/sinkhole-dns-events-report/
@test("Shadowserver's Sinkhole DNS columns")
def shadowserver(log):
    rows = list(csv.DictReader(io.StringIO(log.export("shadowserver"))))
    equal(list(rows[0]), "timestamp protocol src_ip src_port src_asn src_geo src_region src_city src_hostname src_naics src_sector "
          "device_vendor device_type device_model infection family tag query_type query count".split(), "columns")
    equal(len(rows), len(log.shown), "rows")
    for h, r in zip(log.shown, rows):
        equal((r["timestamp"], r["query"], r["query_type"], r["count"], r["family"], r["src_port"]),
              (h["time"][:19].replace("T", " "), h["qname"], h["qtype"], str(h["count"]), h["family"] or "", ""), "row")
        check("dns-only" in r["tag"] and r["protocol"] in ("udp", "tcp"), "tag", r)
        ipaddress.ip_address(r["src_ip"])


@test("CEF: seven fields, and an extension whose values are escaped")
def cef(log):
    for h, line in zip(log.shown, log.export("cef").splitlines()):
        head, extension = line.split("|")[:7], line.split("|", 7)[7]
        equal(head[0], "CEF:0", "version")
        check(head[5] and 0 <= int(head[6]) <= 10, "name and severity", head)
        pairs = re.findall(r"(?:^| )(\w+)=((?:[^=\\]|\\.)*?)(?= \w+=|$)", extension)
        values = dict(pairs)
        equal(len(values), len(pairs), "keys once")
        equal(values["dhost"], h["qname"], "dhost")
        equal((values["cs1"], values["cs1Label"], values["cn1"]), (h["list"], "list", str(h["entry"])), "labels")
        check(re.fullmatch(r"\d{13}", values["rt"]) and "src" not in values and "spt" not in values, "rt and src", values)
        check("evidence\\=dns-only" in values["cs5"], "evidence", values)
        equal(ipaddress.ip_address(values["c6a2"]).version, 6, "a pseudonym")


# https://www.misp-project.org/openapi: SightingAdd
@test("MISP sightings")
def misp(log):
    for h, r in zip(log.shown, log.lines("misp")):
        has(r, values=[h["matched"]], type="0", source=str, timestamp=int)
        check(len(r["source"]) < 256 and abs(r["timestamp"] - END) < 3 * 86400, "source and time", r)


# https://docs.oasis-open.org/cti/stix/v2.1: required properties of each object, 2.9 for ids
@test("STIX 2.1: observed data and sightings whose references are all there")
def stix(log):
    bundle = json.loads(log.export("stix", "--limit", "300"))
    has(bundle, type="bundle", id=str, objects=list)
    objects = {o["id"]: o for o in bundle["objects"]}
    equal(len(objects), len(bundle["objects"]), "each id once")
    for key, o in objects.items():
        kind, number = key.split("--")
        equal((kind, o["spec_version"], uuid.UUID(number).version), (o["type"], "2.1", 5), "id")
        for name, value in o.items():
            for ref in value if name.endswith("_refs") else [value] if name.endswith("_ref") else []:
                check(ref in objects, "%s of %s is not there" % (name, key), ref)
    by_kind = lambda kind: [o for o in bundle["objects"] if o["type"] == kind]
    hits = log.shown[-300:]
    equal((len(by_kind("sighting")), len(by_kind("observed-data")), len(by_kind("network-traffic"))), (300, 300, 300), "objects")
    for h, o, s in zip(hits, by_kind("observed-data"), by_kind("sighting")):
        has(o, created=str, modified=str, first_observed=h["time"], last_observed=h["time"], number_observed=h["count"], object_refs=list)
        has(s, created=str, modified=str, first_seen=h["time"], last_seen=h["time"], count=h["count"], sighting_of_ref=str, where_sighted_refs=list)
        check("evidence=dns-only" in o["labels"] and "evidence=dns-only" in s["labels"], "evidence", s)
        check(any(objects[r].get("value") == h["qname"] for r in o["object_refs"]), "the question", o)
        equal(objects[s["sighting_of_ref"]]["pattern"], "[domain-name:value = '%s']" % h["matched"], "pattern")
    for o in by_kind("indicator"):
        has(o, created=str, modified=str, pattern_type="stix", valid_from=str)
    # The specification's own example of an id made of a value.
    space = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
    for o in by_kind("domain-name"):
        equal(o["id"], "domain-name--%s" % uuid.uuid5(space, json.dumps({"value": o["value"]}, separators=(",", ":"))), "id of a value")
    check(not {h["client"] for h in log.shown} & {o.get("value") for o in bundle["objects"]}, "no client")
    equal(log.ask("export", "--format", "stix", "--follow", "--key", log.key, *log.hits)[0], 2, "stix that never ends")


@test("an export goes on from its place: nothing twice, nothing left out")
def place(log):
    at = os.path.join(log.folder, "place")
    seen = []
    for limit in ("1", "700", "3", "1000"):
        seen += log.lines("json", "--place", at, "--limit", limit)
    seen += log.lines("json", "--place", at)
    equal([uid(h) for h in seen], [uid(h) for h in log.shown], "records")
    equal(log.lines("json", "--place", at), [], "no more")
    one = os.path.join(log.folder, "place-filtered")
    equal(len(log.lines("json", "--place", one, "--list", "list-1")), sum(h["list"] == "list-1" for h in log.shown), "filtered")
    equal(open(one).read(), open(at).read(), "what was passed over is behind it, too")
    other = os.path.join(log.folder, "other")
    log.make(other, 300, END - 3000)
    both = "export", "--json", "--key", log.key, "--hits", log.hits[1] + "," + os.path.join(other, "hits")
    whole = [uid(json.loads(x)) for x in log.run(*both).splitlines()]
    parts = [uid(json.loads(x)) for n in (1, 2, 500, 3, 10000) for x in log.run(*both, "--place", at + ".both", "--limit", str(n)).splitlines()]
    check(parts == whole and len(set(whole)) > len(log.shown), "two folders", len(parts), len(whole))
    heading = [log.export("shadowserver", "--place", at + ".csv", "--limit", "1") for _ in range(2)]
    equal([len(x.splitlines()) for x in heading], [2, 1], "one heading")
    open(at, "w").write("1 2 /another/folder\n")
    equal(log.ask("export", "--key", log.key, "--place", at, *log.hits)[:2], (2, ""), "a place of other folders")


@test("an export that follows and is killed goes on behind what it wrote")
def follow(log):
    at = os.path.join(log.folder, "place-follow")
    argv = [os.path.join(log.build, "sinkhole-hits"), "export", "--json", "--follow", "--key", log.key, "--place", at, *log.hits]
    p = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    first = [json.loads(p.stdout.readline()) for _ in log.shown]
    end = time.monotonic() + 10
    while not os.path.exists(at) and time.monotonic() < end:
        time.sleep(0.05)
    p.kill()
    p.wait()
    equal([uid(h) for h in first], [uid(h) for h in log.shown], "followed")
    equal(log.lines("json", "--place", at), [], "behind it")


@test("what retention removed before it was exported is told")
def lost(log):
    at = os.path.join(log.folder, "place-lost")
    folder = os.path.join(log.folder, "hits")
    segments = sorted(x for x in os.listdir(folder) if x.endswith(".hits"))
    check(len(segments) > 2, "segments", segments)
    copy = os.path.join(log.folder, "copy")
    shutil.copytree(folder, copy)
    more = "export", "--json", "--key", log.key, "--place", at, "--hits", copy
    equal(len(log.run(*more, "--limit", "1").splitlines()), 1, "the first")
    for name in segments[:2]:
        os.unlink(os.path.join(copy, name))
    status, out, said = log.ask(*more)
    left = [json.loads(x) for x in out.splitlines()]
    number = re.search(r"(\d+) records were removed by retention", said)
    check(status == 1 and number and int(number.group(1)) + len(left) + 1 == len(log.shown), "told", status, said, len(left))


@test("sums that leave withhold what fewer than five clients asked for")
def sums(log):
    clients = {}
    for h in log.shown:
        clients.setdefault(h["family"], set()).add(log_client(h))
    least = min(len(c) for c in clients.values())
    for k, more in [(5, ())] + [(k, ("--min-clients", str(k))) for k in (0, least, least + 1, 20)]:
        rows = [json.loads(x) for x in log.run("export", "--json", "--sums", "families", *more, *log.hits).splitlines()]
        equal({r["family"] for r in rows}, {f for f, c in clients.items() if len(c) >= k}, "families of %d clients" % k)
        check(all(r["evidence"] == "dns-only" for r in rows), "evidence", rows)
    equal(len(log.run("top", "families", "--limit", "1000", "--min-clients", "20", *log.hits).splitlines()), sum(len(c) >= 20 for c in clients.values()), "top")
    for wrong in (["clients"], ["names"], ["entries", "--follow"], ["entries", "--format", "ecs"]):
        equal(log.ask("export", *log.hits, "--sums", *wrong)[0], 2, "sums of " + " ".join(wrong))


@test("timeline, new, cleaned and compare withhold numbers of few clients, and say what the evidence is")
def few(log):
    hits = log.hits
    rows = lambda *argv: [json.loads(x) for x in log.run(*argv, "--json", *hits).splitlines()]
    middle = "2026-01-01T12:00:00Z"
    count = lambda key, when: {k: (len({log_client(h) for h in log.shown if h[key] == k and when(h)}), sum(h["count"] for h in log.shown if h[key] == k and when(h)))
                               for k in {h[key] for h in log.shown}}
    for k in (2, 5, 12):
        more = "--min-clients", str(k)
        plain = rows("timeline", "--by", "hour")
        for p, r in zip(plain, rows("timeline", "--by", "hour", *more)):
            want = (None, None) if 0 < p["clients"] < k else (p["hits"], p["clients"])
            equal((r["time"], (r["hits"], r["clients"]), r["evidence"]), (p["time"], want, "dns-only"), "timeline")
        for key, what in (("family", "families"), ("matched", "entries"), ("list", "lists")):
            before, now = count(key, lambda h: h["time"] < middle), count(key, lambda h: h["time"] >= middle)
            few = lambda n: 0 < n[0] < k
            shown = {(r["what"], r["before"], r["now"], r["evidence"]) for r in rows("compare", what, "--since", middle, "--until", "2026-01-03", "--before", "2025-12-01", *more)}
            equal(shown, {(x, before[x][1], now[x][1], "dns-only") for x in now if not few(before[x]) and not few(now[x])}, "compare " + what)
            name = {"families": "family", "entries": "entry", "lists": "list"}[what]
            for command, these, others in (("new", now, before), ("cleaned", before, now)):
                shown = {(r[name], r["hits"], r["evidence"]) for r in rows(command, what, "--since", middle, *more)}
                equal(shown, {(x, n[1], "dns-only") for x, n in these.items() if n[0] >= k and not others[x][0]}, command + " " + what)
    for argv in (["new"], ["cleaned", "clients"], ["compare", "clients"], ["top", "clients"], ["top", "names"]):
        equal(log.ask(*argv, "--min-clients", "5", *hits)[0], 2, " ".join(argv))


def terminal(log, *argv):
    """Status and what is shown on a terminal."""
    master, slave = pty.openpty()
    p = subprocess.Popen([log.program("sinkhole-hits"), *argv, *log.hits], stdout=slave, stderr=slave, stdin=slave)
    os.close(slave)
    out = b""
    with contextlib.suppress(OSError):  # EIO when the other end has gone
        while True:
            out += os.read(master, 65536)
    os.close(master)
    return p.wait(60), out.decode()


@test("on a terminal every command shows a table whose heading says the time zone")
def tables(log):
    h = log.shown[0]
    last = "2026-01-02"
    for argv in (["summary"], ["top"], ["top", "clients"], ["client", h["client"]], ["client", h["client"], "--sum"], ["name", h["qname"]],
                 ["entry", h["matched"]], ["family", h["family"]], ["timeline"], ["timeline", "--min-clients", "2"], ["follow", "--since", "2025-01-01", "--limit", "3"], ["export", "--key", log.key],
                 ["export", "--key", log.key, "--limit", "5"], ["export", "--purpose", "a", "--case", "1"], ["export", "--sums", "families"]):
        status, out = terminal(log, *argv)
        check(status == 0 and "(UTC)" in out, " ".join(argv), status, out[-300:])
    for command in ("compare", "new", "cleaned"):
        status, out = terminal(log, command, "--since", last)
        check(status == 0 and "before: from" in out and "Z; now: from 2026-01-02T00:00:00Z" in out, command, out[-300:])
    status, out = terminal(log, "verify")
    check(status == 0 and "each whole, none missing" in out, "verify", out)


def log_client(h):
    """As sums know it: IPv6 by /56."""
    a = ipaddress.ip_address(h["client"])
    return a if a.version == 4 else ipaddress.ip_network((a, 56), strict=False)


def made(log, name):
    """A log of its own in a state folder of its own."""
    state = os.path.join(log.folder, name)
    shutil.copytree(os.path.join(log.folder, "hits"), os.path.join(state, "hits"))
    return state


def all_of(log, *where):
    return [json.loads(x) for x in log.run("export", "--json", "--purpose", "test", "--case", "1", *where).splitlines()]


def summary(log, state):
    return json.loads(log.run("summary", "--json", "--state", state))


@test("forget erases a client from rows and sums, and nothing else")
def forget(log):
    state = made(log, "forget")
    before = all_of(log, "--state", state)
    old = [h["client"] for h in before]
    for client in [c for c in dict.fromkeys(old) if ":" not in c][:1] + [c for c in dict.fromkeys(old) if ":" in c][:1]:
        prefix = client if ":" not in client else str(ipaddress.ip_network((client, 56), strict=False))
        inside = lambda h: ipaddress.ip_address(h["client"]) in ipaddress.ip_network(prefix)
        was = summary(log, state)
        gone = [h for h in before if inside(h)]
        equal(int(log.run("forget", "--client", prefix, "--reason", "ticket 17", "--state", state)), len(gone), "forgotten")
        after = all_of(log, "--state", state)
        check(gone and not [h for h in after if inside(h)], "left", len(gone))
        equal(log.run("client", prefix, "--sum", "--state", state), "", "in the sums")
        for h, x in zip(before, after):
            if inside(h):
                equal((x["client"], x["client_port"], x["proxy"], x["qname"]), ("::" if ":" in client else "0.0.0.0", None, None, h["matched"]), "erased")
                h = dict(h, client=x["client"], client_port=None, qname=x["qname"])
            equal(x, h, "a record")
        equal(len(after), len(before), "records")
        now = summary(log, state)
        for key in ("hits", "records", "missing", "repeated", "unanswered", "entries", "segments"):
            equal(now[key], was[key], key)
        files = os.listdir(os.path.join(state, "hits"))
        check(not [f for f in files if ".new" in f], "left over", files)
        raw = b"".join(open(os.path.join(state, "hits", f), "rb").read() for f in sorted(files) if f.endswith(".hits"))
        packed = ipaddress.ip_address(client).packed
        check(len(packed) == 4 or packed not in raw, "bytes of the address are left in a file")
        before = after
    noted = open(os.path.join(state, "hits", "forgotten")).read()
    check("ticket 17" in noted and client not in noted, "noted", noted)
    for wrong in (["--client", "192.0.2.1"], ["--reason", "x"], ["--client", "192.0.2.1", "--reason", "x", "--since", "1d"]):
        equal(log.ask("forget", "--state", state, *wrong)[0], 2, " ".join(wrong))


@test("hold keeps a case's records where neither retention nor forget comes")
def hold(log):
    state = made(log, "hold")
    before = all_of(log, "--state", state)
    of_case = [h for h in before if h["list"] == "list-1"]
    rows, folder = log.run("hold", "--case", "2026-17", "--list", "list-1", "--state", state).split()
    equal(int(rows), len(of_case), "held")
    log.ask("forget", "--client", of_case[0]["client"], "--reason", "x", "--state", state)
    shutil.rmtree(os.path.join(state, "hits"))
    equal(all_of(log, "--hits", folder), of_case, "the same records")
    equal(json.loads(log.run("summary", "--json", "--hits", folder))["hits"], sum(h["count"] for h in of_case), "sums")
    shutil.copytree(os.path.join(log.folder, "hits"), os.path.join(state, "hits"))
    equal(log.ask("hold", "--case", "2026-17", "--state", state)[0], 2, "a case twice")
    equal(log.ask("hold", "--case", "none", "--list", "no-such", "--state", state)[0], 1, "no hits")
    equal(log.ask("hold", "--case", "../x", "--state", state)[0], 2, "a case that is a path")
    equal(os.listdir(os.path.join(state, "held")), ["2026-17"], "folders")


if __name__ == "__main__":
    harness.main(setup)
