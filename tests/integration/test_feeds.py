#!/usr/bin/env python3
"""Lists of the configuration: their settings, and update, which fetches them."""
import json
import os
import subprocess
import tempfile

import harness
from harness import check, equal, test


class Lists:
    """A state folder, and a configuration that changes between two commands."""

    def __init__(self, build, folder):
        self.folder = tempfile.mkdtemp(dir=folder)
        self.tool = os.path.join(os.path.abspath(build), "sinkhole-blocklist")
        self.state = os.path.join(self.folder, "state")
        self.conf = os.path.join(self.folder, "sinkholed.yaml")
        os.mkdir(self.state)
        self.configure()

    def configure(self, *lists):
        with open(self.conf, "w") as f:
            json.dump({"state": self.state, "lists": list(lists)}, f)

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "wb" if isinstance(text, bytes) else "w") as f:
            f.write(text)
        return path

    def run(self, *args, status=0, says=""):
        p = subprocess.run([self.tool, args[0], "-c", self.conf] + list(args[1:]), capture_output=True, timeout=60)
        said = p.stdout.decode() + p.stderr.decode()
        check(p.returncode == status and says in said, "%s: status %d says %r" % (" ".join(args), status, says),
              p.returncode, said[-1500:])
        return p.stdout.decode()

    def rules(self, name):
        return sorted(line.split("\t")[0] for line in self.run("list", "--list", name).splitlines())

    def lists(self):
        return {row["list"]: row for row in map(json.loads, self.run("lists", "--json").splitlines())}


@test("what the configuration says of a list stands above the store, and cannot be changed by hand")
def settings(args, folder):
    s = Lists(args.build, folder)
    feed = s.file("feed.csv", "when,what\n1,a.example.net\n2,b.example.net\n")
    here = {"name": "isac", "url": "file://" + feed, "columns": "name=what", "precedence": 7, "mode": "monitor", "exact": True}
    s.configure(here)
    s.run("import", "--list", "isac", feed)
    row = s.lists()["isac"]
    equal((row["precedence"], row["mode"], row["names"]), (7, "monitor", 2), "the list after an import by hand")
    check("exact" in s.run("list", "--list", "isac"), "read as the configuration says")
    for how in (["precedence=8"], ["mode=live"], ["lease=3d", "mode=disabled"]):
        s.run("list", "set", "isac", *how, status=1, says="the configuration says what")
    s.run("promote", "isac", "--reason", "test", status=1, says="the mode of list isac")
    s.run("import", "--list", "isac", "--precedence", "9", feed, status=1, says="the precedence of list isac")
    s.run("list", "set", "isac", "precedence=7", "lease=3d")
    s.configure({**here, "mode": "live"})
    s.run("import", "--list", "isac", feed)
    equal(s.lists()["isac"]["mode"], "live", "the mode after the configuration changed")


if __name__ == "__main__":
    harness.main()
