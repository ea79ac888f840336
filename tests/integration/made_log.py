"""A hit log made by bench/hits_make, a key, and sinkhole-hits on both: what the tests of exports share."""
import contextlib
import json
import os
import subprocess

from harness import check, equal

END = 1767322800  # 2026-01-02T03:00:00Z
HITS = 2000


class Log:
    def __init__(self, args, folder, hits=HITS, days=2):
        self.build, self.folder = args.build, folder
        self.key = os.path.join(folder, "export.key")
        self.make(folder, hits, days=days)
        self.run("key", "new", "--key", self.key)
        self.shown = [json.loads(x) for x in self.run("export", "--json", "--purpose", "test", "--case", "1", *self.hits).splitlines()]

    def make(self, folder, hits, end=END, days=2):
        subprocess.run([self.program("bench/hits_make"), folder, str(hits), str(days), "50", "20", str(end)], check=True, stdout=subprocess.DEVNULL)

    def program(self, name):
        return os.path.join(self.build, name)

    @property
    def hits(self):
        return "--hits", os.path.join(self.folder, "hits")

    def ask(self, *argv):
        p = subprocess.run([self.program("sinkhole-hits"), *argv], capture_output=True, text=True, timeout=60)
        return p.returncode, p.stdout, p.stderr

    def run(self, *argv):
        status, out, said = self.ask(*argv)
        check(status == 0, "sinkhole-hits %s" % " ".join(argv), status, said)
        return out

    def export(self, name, *more):
        return self.run("export", "--format", name, "--key", self.key, *self.hits, *more)

    def lines(self, name, *more):
        return [json.loads(x) for x in self.export(name, *more).splitlines()]


@contextlib.contextmanager
def setup(args, folder):
    yield Log(args, folder)


def uid(h):
    return "%s-%d-%d" % (h["boot"], h["worker"], h["sequence"])


def has(record, **wanted):
    """Every path (a__b) is there and of that type, or has that value."""
    for path, want in wanted.items():
        value = record
        for part in path.split("__"):
            check(isinstance(value, dict) and part in value, "no %s" % path, record)
            value = value[part]
        if isinstance(want, type):
            check(isinstance(value, want) and not (want is int and isinstance(value, bool)), "%s is no %s" % (path, want), record)
        else:
            equal(value, want, path)
