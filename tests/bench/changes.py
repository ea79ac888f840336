"""What changes while it runs, and what a start costs: load, second load, start, one entry, the whole list under questions."""
import json
import os
import signal
import subprocess
import threading
import time

from bench_site import LISTED_UNDER, PROBE
from cases import CLIENT_CPU, ask
from harness import check
from lab import wait_for
from peers import START_S

REPLACE_QPS = 20000
ENTRIES = 50    # put in and taken out again, one by one
BEFORE_S = 1.0  # questions without a change, before it


def starts(bench, peer):
    """Ours: the first load and the same again, then starts after an end in order and after a SIGKILL."""
    first, again = peer.import_s, peer.load()
    for _ in range(bench.o.rounds):
        row = {"names": peer.site.names, "import_s": first, "again_s": again, "unblocked": 0}
        for key, sig in (("start_s", signal.SIGTERM), ("killed_s", signal.SIGKILL)):
            peer.stop(sig)
            peer.start()
            row[key] = peer.load_s
            row["unblocked"] += peer.unblocked
        peer.settle()
        row["rss_mib"] = peer.anon_mib()
        bench.put("start", peer.name, row)


def reload_next(peer):
    """The list with one name changed, read anew: seconds until that name counts, None when it cannot."""
    begin = time.monotonic()
    able = peer.reload() and wait_for(lambda: peer.blocks_name(PROBE % peer.serial), START_S)
    return time.monotonic() - begin if able else None


def write_next(peer):
    peer.serial = 1 - peer.serial
    peer.site.write_zone(peer.serial)


def one_entry(bench, peer):
    """From the start of the commit to the first answer by the new rule; the name is asked without a pause. Who has no such
    thing reads the list anew."""
    if not peer.ours:
        write_next(peer)
        took = reload_next(peer)
        return took and bench.put("one entry", peer.name, {"in_ms": 1000 * took})
    out = subprocess.run(["taskset", "-c", CLIENT_CPU, os.path.join(peer.site.build, "bench", "update"), peer.store(), peer.at(),
                          "one." + LISTED_UNDER, str(ENTRIES)], stdout=subprocess.PIPE, text=True)
    check(out.returncode == 0, "update", out)
    return bench.put("one entry", peer.name, json.loads(out.stdout))


def replace(bench, peer):
    """The whole list anew while questions come: longest gap, lost ones, until it counts. Beside it a run without, ours of the
    same length."""
    for _ in range(min(bench.o.rounds, 3) if peer.ours else 1):
        got = {}
        write_next(peer)
        seconds = 2 * (peer.import_s if peer.ours else peer.load_s) + BEFORE_S + bench.o.seconds
        quiet = ask(peer, "mix", seconds if peer.ours else bench.o.seconds, REPLACE_QPS)
        thread = threading.Thread(target=lambda: got.update(ask(peer, "mix", seconds, REPLACE_QPS)))
        thread.start()
        time.sleep(BEFORE_S)
        took = reload_next(peer)
        thread.join()
        if took:  # one that took longer than it was asked shows what was seen until then
            bench.put("replace", peer.name, {"took_s": took, "gap_ms": got["gap_ms"], "quiet_gap_ms": quiet["gap_ms"], "lost": got["lost"],
                                             "quiet_lost": quiet["lost"], "wrong": got["wrong"]})
