"""What run.py found: a table, the bars with their ratios, JSON, and a plot when gnuplot is installed."""
import json
import os
import subprocess

from lab import find

OURS = "sinkholed"
KERNEL = ("echo", "echo, single")
PACKETS = "pdns-recursor"  # answers listed names from its cache of messages
CASES = ("listed", "deep", "cached", "mix", "listed, log on", "cold")


def best(figures, case, without=()):
    """The peer with the least CPU a question."""
    rows = {k: v["cpu_us"] for k, v in figures.get(case, {}).items() if k != OURS and k not in KERNEL and k not in without}
    return min(rows, key=rows.get) if rows else None


def ratio_of(figures, case, other, case_of_other=None):
    mine, theirs = figures.get(case, {}).get(OURS), figures.get(case_of_other or case, {}).get(other)
    return mine["cpu_us"] / theirs["cpu_us"] if mine and theirs else None


def bars(f):
    """(what, ratio or None, bar): CPU a question, ours divided by the other's."""
    logged, listed, cached = "listed, log on", "listed", "cached"
    yield "listed, log on, to unbound's", ratio_of(f, logged, "unbound"), 0.45
    yield "listed, log on, to the best peer's (%s)" % best(f, logged), ratio_of(f, logged, best(f, logged)), 0.75
    yield "listed, log on, to the batched echo's", ratio_of(f, logged, "echo"), 1.7
    by_list = best(f, listed, (PACKETS,))
    yield "listed, to the best that looks into its list (%s)" % by_list, ratio_of(f, listed, by_list), 0.70
    yield "listed, to pdns-recursor with its packet cache", ratio_of(f, listed, PACKETS), 1.0
    yield "five labels under a listed name, to the listed name's", ratio_of(f, "deep", OURS, listed), 1.15
    yield "cached, to the best peer's (%s)" % best(f, cached), ratio_of(f, cached, best(f, cached)), 0.75
    mine, theirs = f.get("load", {}).get(OURS), f.get("load", {}).get(PACKETS)
    yield "import, to pdns-recursor's start", mine["import_s"] / theirs["start_s"] if mine and theirs else None, 1 / 3


def table(f, o):
    lines = ["%d names listed, %d rounds of %g s, one thread each, CPU microseconds a question (kernel included), median" %
             (o.names, o.rounds, o.seconds), ""]
    servers = sorted({s for rows in f.values() for s in rows}, key=lambda s: (s not in KERNEL, s != OURS, s))
    cases = [c for c in CASES if c in f]
    extra = [("p50/p99/p99.9 us at 20,000 q/s", "latency", lambda r: "%d/%d/%d" % (r["p50_us"], r["p99_us"], r["p999_us"])),
             ("start s", "load", lambda r: "%.2f" % r["start_s"]), ("import s", "load", lambda r: "%.2f" % r["import_s"] if "import_s" in r else "in start"),
             ("RSS MiB", "load", lambda r: "%d" % r["rss_mib"]),
             ("replaced: s, gap ms, lost", "replace", lambda r: "%.1f, %.0f, %d" % (r["took_s"], r["gap_ms"], r["lost"])),
             ("dnsperf listed q/s", "dnsperf listed", lambda r: "%.0f" % r["qps"]),
             ("dnsperf cached q/s", "dnsperf cached", lambda r: "%.0f" % r["qps"])]
    lines.append("| | " + " | ".join(cases + [e[0] for e in extra]) + " |")
    lines.append("|---" * (1 + len(cases) + len(extra)) + "|")
    for s in servers:
        cells = ["%.2f" % f[c][s]["cpu_us"] if s in f[c] else "" for c in cases]
        cells += [show_row(f[case][s]) if s in f.get(case, {}) else "" for _, case, show_row in extra]
        lines.append("| %s | %s |" % (s, " | ".join(cells)))
    lost = ["%s of %s: %d lost, %d wrong" % (c, s, r["lost"], r["wrong"]) for c in CASES for s, r in f.get(c, {}).items()
            if r["wrong"] or r["lost"] * 100 > r["sent"]]
    lines += [""] + ["not to be relied on: " + x for x in lost]
    for what, ratio, bar in bars(f):
        if ratio is not None:
            lines.append("%s %.2f (bar %.2f) - %s" % ("ok    " if ratio <= bar else "NOT MET", ratio, bar, what))
    return "\n".join(lines) + "\n"


def plot(f, folder):
    cases = [c for c in CASES if c in f]
    servers = sorted({s for c in cases for s in f[c]}, key=lambda s: (s not in KERNEL, s != OURS, s))
    data = os.path.join(folder, "cpu.dat")
    with open(data, "w") as out:
        out.write("server\t" + "\t".join(cases) + "\n")
        for s in servers:
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
    text = table(figures, o)
    print(text, end="")
    open(os.path.join(folder, "table.md"), "w").write(text)
    with open(os.path.join(folder, "figures.json"), "w") as out:
        json.dump({"names": o.names, "rounds": o.rounds, "seconds": o.seconds, "cases": figures}, out, indent=1)
    if find("gnuplot"):
        plot(figures, folder)
    else:
        print("no plot: gnuplot is not installed: apt-get install gnuplot-nox")
    print("in %s: table.md, figures.json%s" % (folder, ", cpu.svg" if find("gnuplot") else ""))
