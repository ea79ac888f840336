"""What run.py found: tables, the bars, JSON, and a plot when gnuplot is installed."""
import json
import os
import subprocess

from bars import KERNEL, OURS, bars, by_size, met
from lab import find

CASES = ("listed", "deep", "once", "cached", "mix", "listed, log on", "cold")
AGREE = 0.10  # rounds that lie further apart are named
BUSY = 1.0    # load average before the run


def number(digits, key):
    return lambda r: "%.*f" % (digits, r[key]) if key in r else ""


def cells(f, server, columns):
    return [show(f[case][server]) if server in f.get(case, {}) else "" for _, case, show in columns]


def table(f, first, rows, columns):
    """columns: (heading, case, how its figures are shown); those without any are left out."""
    columns = [c for c in columns if any(cells(f, r, [c])[0] for r in rows)]
    if not columns:
        return
    yield "| %s | %s |" % (first, " | ".join(c[0] for c in columns))
    yield "|---" * (1 + len(columns)) + "|"
    for r in rows:
        yield "| %s | %s |" % (r, " | ".join(cells(f, r, columns)))
    yield ""


def servers_of(f):
    return sorted({s for c in (*CASES, "load") for s in f.get(c, {})}, key=lambda s: (s not in KERNEL, s != OURS, s))


def beside(f):
    return table(f, "CPU us a question", servers_of(f), [(c, c, number(2, "cpu_us")) for c in CASES])


def besides(f):
    three = lambda r: "%d/%d/%d" % (r["p50_us"], r["p99_us"], r["p999_us"])  # noqa: E731
    qps = number(0, "qps")
    return table(f, "", [s for s in servers_of(f) if s not in KERNEL], [
        ("p50/p99/p99.9 us at 20,000 q/s", "latency", three),
        ("start s", "load", number(2, "start_s")), ("import s", "load", lambda r: number(2, "import_s")(r) or "in start"),
        ("RSS MiB", "load", number(0, "rss_mib")),
        ("one entry ms: in (most), out, commit", "one entry",
         lambda r: ("%(in_ms).2f (%(in_max_ms).2f), %(out_ms).2f, %(commit_ms).2f" if "out_ms" in r else "%(in_ms).0f") % r),
        ("replaced: s, gap ms (without), lost", "replace",
         lambda r: "%.1f, %.0f (%.0f), %.0f" % (r["took_s"], r["gap_ms"], r["quiet_gap_ms"], r["lost"])),
        ("listed q/s", "listed", qps), ("cached q/s", "cached", qps), ("dnsperf listed q/s", "dnsperf listed", qps),
        ("dnsperf cached q/s", "dnsperf cached", qps)])


def sizes(f):
    cpu = number(2, "cpu_us")
    return table(f, "", by_size(f), [
        ("load s", "start", number(2, "import_s")), ("the same again s", "start", number(2, "again_s")),
        ("start s", "start", number(3, "start_s")), ("after SIGKILL s", "start", number(3, "killed_s")),
        ("not blocked", "start", number(0, "unblocked")), ("RSS MiB at start", "start", number(0, "rss_mib")),
        ("after questions", "memory", number(0, "rss_mib")), ("listed us", "listed, by size", cpu), ("fresh us", "fresh, by size", cpu)])


def workers(f):
    return table(f, "CPU us a question", sorted(f.get("fresh, full", {})), [
        ("%s%s" % (kind, how), kind + how, number(2, "cpu_us")) for how in (", at a rate", ", full") for kind in ("fresh", "cached")])


def stages(f):
    return table(f, "stage", list(f.get("stage", {})), [
        ("ns", "stage", number(0, "ns")), ("instructions", "instructions", number(0, "instructions")), ("in the file", "instructions", number(0, "before"))])


def doubts(f):
    """What the figures above are not good for."""
    for case, rows in f.items():
        for s, r in rows.items():
            if r.get("wrong") or (case in CASES and r["lost"] * 100 > r["sent"]):
                yield "not to be relied on: %s of %s: %d lost, %d wrong" % (case, s, r["lost"], r["wrong"])
        apart = ["%s %.0f %%" % (s, 100 * r["spread"]) for s, r in rows.items() if r.get("spread", 0) > AGREE]
        if apart:
            yield "rounds more than %.0f %% apart: %s: %s" % (100 * AGREE, case, ", ".join(apart))
    yield ""


def shown(x):
    return "%.3g" % x


def verdicts(found):
    for b in found:
        word = {None: "not measured", True: "met", False: "NOT MET"}[met(b)]
        figure = "" if b.figure is None else " %s%s," % (shown(b.figure), " " + b.unit if b.unit else "")
        yield "%-12s %s:%s limit %s" % (word, b.what, figure, shown(b.limit))


def text(f, o, found):
    lines = ["%d names listed, %d rounds of %g s, one thread each, medians" % (o.names, o.rounds, o.seconds), ""]
    if o.load > BUSY:
        lines += ["This machine was busy before the run (load average %.1f): times mean little, ratios less than they should." % o.load, ""]
    for part in (beside, besides, sizes, workers, stages):
        lines += part(f)
    lines += [*doubts(f), *verdicts(found)]
    missed = sum(met(b) is False for b in found)
    lines.append("%d bars met, %d not met, %d not measured" % (sum(met(b) is True for b in found), missed, sum(met(b) is None for b in found)))
    return "\n".join(lines) + "\n"


def plot(f, folder):
    cases = [c for c in CASES if c in f]
    data = os.path.join(folder, "cpu.dat")
    with open(data, "w") as out:
        out.write("server\t" + "\t".join(cases) + "\n")
        for s in servers_of(f):
            out.write(s + "\t" + "\t".join("%.3f" % f[c][s]["cpu_us"] if s in f[c] else "NaN" for c in cases) + "\n")
    script = """set terminal svg size 1000,420 font 'sans,12'
set output '%s'
set datafile separator '\\t'
set style data histograms
set style fill solid 0.8
set ylabel 'CPU us per question'
set xtics rotate by -20
set key outside
plot for [i=2:%d] '%s' using i:xtic(1) title columnheader(i)
""" % (os.path.join(folder, "cpu.svg"), len(cases) + 1, data)
    subprocess.run([find("gnuplot")], input=script, text=True, check=True)


def show(figures, o, folder):
    os.makedirs(folder, exist_ok=True)
    found = bars(figures)
    said = text(figures, o, found)
    print(said, end="")
    open(os.path.join(folder, "table.md"), "w").write(said)
    with open(os.path.join(folder, "figures.json"), "w") as out:
        json.dump({"names": o.names, "rounds": o.rounds, "seconds": o.seconds, "load": o.load, "cases": figures,
                   "bars": [b._asdict() | {"met": met(b)} for b in found]}, out, indent=1)
    drawn = servers_of(figures) and find("gnuplot")
    if drawn:
        plot(figures, folder)
    elif not find("gnuplot"):
        print("no plot: gnuplot is not installed: apt-get install gnuplot-nox")
    print("in %s: table.md, figures.json%s" % (folder, ", cpu.svg" if drawn else ""))
