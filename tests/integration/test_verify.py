#!/usr/bin/env python3
"""sinkhole-hits verify: what is whole is called whole, and nothing that is changed or missing is."""
import contextlib
import json
import os
import random
import shutil

import harness
from harness import check, equal, test
from made_log import Log, uid


@contextlib.contextmanager
def setup(args, folder):
    yield Log(args, folder, days=5)


def copy(log, name):
    folder = os.path.join(log.folder, name)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(os.path.join(log.folder, "hits"), folder)
    return folder, sorted(x for x in os.listdir(folder) if x.endswith(".hits"))


def verify(log, folder, *more):
    status, out, said = log.ask("verify", "--json", "--hits", folder, *more)
    return status, [json.loads(x) for x in out.splitlines()], said


def records(log, folder):
    return [json.loads(x) for x in log.ask("export", "--json", "--purpose", "test", "--case", "1", "--hits", folder)[1].splitlines()]


@test("a whole log: no line, status 0; what retention has taken is not missed")
def whole(log):
    folder, names = copy(log, "whole")
    check(len(names) > 3, "segments", names)
    equal(verify(log, folder), (0, [], ""), "whole")
    for name in names[:2]:
        os.unlink(os.path.join(folder, name))
    equal(verify(log, folder), (0, [], ""), "the oldest have gone")


@test("a segment that is gone from the middle: which numbers of which worker are missing")
def gap(log):
    folder, names = copy(log, "gap")
    left = lambda: {uid(h) for h in records(log, folder)}
    os.unlink(os.path.join(folder, names[1]))
    status, rows, said = verify(log, folder)
    missing = {"%s-%s-%d" % (r["boot"], r["worker"], n) for r in rows if r["fault"] == "missing" for n in range(r["first"], r["last"] + 1)}
    equal(missing, {uid(h) for h in log.shown} - left(), "numbers")
    check(status == 1 and "faults" in said and all(r["segment"].endswith(names[2]) for r in rows), "told", status, said, rows)
    os.unlink(os.path.join(folder, names[-1]))  # what came last cannot be missed
    equal(verify(log, folder)[0], 1, "status")
    equal(verify(log, os.path.join(log.folder, "nowhere"))[0], 2, "no log")
    equal(log.ask("verify", "--hits", folder, "--since", "1d")[0], 2, "a filter")


@test("any byte that is changed in a file changes nothing that is shown, or is told")
def flips(log):
    chance, told = random.Random(6), 0
    for _ in range(60):
        folder, names = copy(log, "flips")
        path = os.path.join(folder, names[1])
        at = chance.randrange(os.path.getsize(path))
        with open(path, "r+b") as f:
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ 1 << chance.randrange(8)]))
        status, rows, said = verify(log, folder)
        check(status in (0, 1), "status", status, said, at)
        told += status
        if status == 0:
            equal(records(log, folder), log.shown, "records, with byte %d changed" % at)
    check(told > 10, "told", told)
    return "%d of 60 told, the others changed nothing" % told


PAGE, HEAD = 4096, 16


def damaged(path, how, chance):
    """Pages that LMDB trusts: it has no checksums."""
    pages = range(2, os.path.getsize(path) // PAGE)
    with open(path, "r+b") as f:
        if how == "parts":
            for page in chance.sample(pages, len(pages) // 3):
                f.seek(page * PAGE + chance.randrange(HEAD, 200))
                f.write(chance.randbytes(64))
            return
        for page in pages:
            f.seek(page * PAGE + HEAD)
            f.write(b"\xff" * (PAGE - HEAD) if how == "ones" else chance.randbytes(PAGE - HEAD))


@test("a segment of nonsense: each command names it and shows the others; none crashes, hangs or is silently wrong", sanitized=False)
def nonsense(log):
    chance, told, name = random.Random(4), 0, "c2-00001.example"
    commands = [["summary"], ["top"], ["top", "clients"], ["top", "names"], ["timeline", "--by", "hour"], ["client", "100.64.0.0/10"], ["name", name],
                ["entry", name], ["family", "Family1"], ["export", "--purpose", "test", "--case", "1"], ["verify"]]
    at = lambda folder, argv: log.ask(*argv, "--hits", folder)
    whole = [at(copy(log, "nonsense")[0], argv)[1] for argv in commands]
    for how, which in [("ones", -1), ("random", -1), ("random", 1)] + [("parts", i) for i in (-1, 1, -1, 1, -1, 1)]:
        folder, names = copy(log, "nonsense")
        damaged(os.path.join(folder, names[which]), how, chance)
        for argv, right in zip(commands, whole):
            status, out, said = at(folder, argv)
            what = "%s of %s: %s" % (how, names[which], " ".join(argv))
            check(status in (0, 1), what, status, said)
            if status == 0:
                equal(out, right, what)
            else:
                check(names[which] in said + out, what, said)
            told += status
    return "%d of %d said so, the others were right" % (told, 9 * len(commands))


@test("a case that is held: its gaps are none when that is said")
def held(log):
    state = os.path.join(log.folder, "state")
    shutil.copytree(os.path.join(log.folder, "hits"), os.path.join(state, "hits"))
    folder = log.run("hold", "--case", "5", "--list", "list-1", "--state", state).split()[1]
    equal(verify(log, folder)[0], 1, "as a log")
    equal(verify(log, folder, "--held"), (0, [], ""), "as a case")


if __name__ == "__main__":
    harness.main(setup)
