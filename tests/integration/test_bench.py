#!/usr/bin/env python3
"""`make bench` with few names and one round: it works, and its bars have figures. What the figures are, it does not judge."""
import json
import os
import subprocess
import sys

import harness
from harness import ROOT, Skip, check, equal, test

ABOUT_PEERS = ("peer", "PowerDNS", "Unbound")  # words of the bars that want one


def run(args, folder, *servers):
    """What it found; bars that have no figure."""
    out = os.path.join(folder, "results")
    r = subprocess.run([sys.executable, "-B", os.path.join(ROOT, "tests", "bench", "run.py"), args.build, "--names", "1000", "--rounds", "1",
                        "--seconds", "0.2", "--parts", "beside", "logs", "workers", "sizes", "--sizes", "100", "1000", "--out", out,
                        *servers], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=200)
    equal(r.returncode, 0, "status; it said " + r.stderr[-500:])
    if "skipped:" in r.stdout:
        raise Skip(r.stdout.strip())
    found = json.load(open(os.path.join(out, "figures.json")))
    ours = {case: rows["sinkholed"] for case, rows in found["cases"].items() if "sinkholed" in rows}
    equal({c: r["wrong"] for c, r in ours.items() if r.get("wrong")}, {}, "wrong answers")
    check(len(found["bars"]) > 20 and len(ours) > 9, "rows", sorted(ours), len(found["bars"]))
    return found, [b["what"] for b in found["bars"] if b["figure"] is None]


@test("a short run by itself: every bar that is not about others has a figure", sanitized=False)
def alone(args, folder):
    found, missing = run(args, folder, "--only", "echo", "sinkholed")
    equal([m for m in missing if not any(w in m for w in ABOUT_PEERS)], [], "bars without a figure")
    return "%d of %d bars" % (len(found["bars"]) - len(missing), len(found["bars"]))


@test("a short run beside what is installed", full=True, sanitized=False)
def beside(args, folder):
    found, missing = run(args, folder)
    equal([m for m in missing if "PowerDNS" not in m], [], "bars without a figure")  # make deps does not install it
    return ", ".join(found["cases"]["load"])


if __name__ == "__main__":
    harness.main()
