"""The bars: each with what this run measured, and whether it is met."""
import collections

OURS = "sinkholed"
KERNEL = ("echo", "echo, single")
PACKETS = "pdns-recursor"  # answers listed names from its cache of messages
GROWN, LIST_ADDS = 1.05, 1.02  # instructions; as in guard.sh

CACHE_MIB = 256  # cache.size as it is unless told

Bar = collections.namedtuple("Bar", "what figure limit unit")  # figure None: not measured


def value(f, case, server, key="cpu_us"):
    return f.get(case, {}).get(server, {}).get(key)


def over(mine, theirs):
    return mine / theirs if mine is not None and theirs else None


def best(f, case, key="cpu_us", without=()):
    """The peer with the least of it."""
    rows = {k: v[key] for k, v in f.get(case, {}).items() if k != OURS and k not in KERNEL and k not in without}
    return min(rows, key=rows.get) if rows else None


def to_peer(f, what, case, peer, limit, key="cpu_us"):
    return Bar("%s%s" % (what, " (%s)" % peer if peer else ""), over(value(f, case, OURS, key), value(f, case, peer, key)), limit, "times")


def cost(f):
    logged, listed, cached = "listed, log on", "listed", "cached"
    yield to_peer(f, "listed, log on, to Unbound's", logged, "unbound", 0.45)
    yield to_peer(f, "listed, log on, to the best peer's", logged, best(f, logged), 0.75)
    yield to_peer(f, "listed, log on, to the batched echo's", logged, "echo", 1.7)
    yield to_peer(f, "listed, to the best peer's that looks into its list", listed, best(f, listed, without=(PACKETS,)), 0.70)
    yield to_peer(f, "listed, to PowerDNS's with its packet cache", listed, PACKETS, 1.0)
    yield Bar("five labels under a listed name, to the listed name", over(value(f, "deep", OURS), value(f, listed, OURS)), 1.15, "times")
    yield to_peer(f, "cached, to the best peer's", cached, best(f, cached), 0.75)
    counted = f.get("instructions", {})
    if "cached" in counted:
        yield Bar("instructions of a cached answer, with a list to without", over(counted["cached"]["instructions"],
                                                                                 counted["cached_no_list"]["instructions"]), LIST_ADDS, "times")
    grown = {k: over(r["instructions"], r.get("before")) for k, r in counted.items() if r.get("before")}
    if grown:
        worst = max(grown, key=grown.get)
        yield Bar("instructions of each stage, to the file's (%s)" % worst, grown[worst], GROWN, "times")


def load(f):
    yield Bar("import, to PowerDNS's start", over(value(f, "load", OURS, "import_s"), value(f, "load", PACKETS, "start_s")), 1 / 3, "times")
    sizes = by_size(f)
    for name in sizes[-1:]:
        yield Bar("import, %s" % name, value(f, "start", name, "import_s"), 30, "s")
        yield Bar("anonymous memory at start, %s" % name, value(f, "start", name, "rss_mib"), 100, "MiB")
        yield Bar("after questions, with a cache of %d, %s" % (CACHE_MIB, name), value(f, "memory", name, "rss_mib"), 100 + CACHE_MIB, "MiB")
    for name in sizes:
        yield Bar("start to the first right answer, %s" % name, value(f, "start", name, "start_s"), 0.5, "s")
        yield Bar("the same after a SIGKILL, %s" % name, value(f, "start", name, "killed_s"), 0.5, "s")
        yield Bar("answers before it that were not blocked, %s" % name, value(f, "start", name, "unblocked"), 0, "")
    yield Bar("one entry, from the start of its commit", value(f, "one entry", OURS, "in_ms"), 5, "ms")
    yield Bar("one entry out again", value(f, "one entry", OURS, "out_ms"), 5, "ms")
    yield Bar("list replaced under 20,000 q/s: questions lost", value(f, "replace", OURS, "lost"), 0, "")
    yield Bar("list replaced: longest gap, to that without", over(value(f, "replace", OURS, "gap_ms"), value(f, "replace", OURS, "quiet_gap_ms")), 1.0, "times")


def scale(f):
    sizes = by_size(f)
    for kind in ("fresh", "listed"):
        if len(sizes) > 1:
            yield Bar("%s, %s to %s" % ("listed again and again" if kind == "listed" else "each below another listed one, once", sizes[-1], sizes[0]),
                      over(value(f, kind + ", by size", sizes[-1]), value(f, kind + ", by size", sizes[0])), 1.2, "times")
    for kind in ("fresh", "cached"):
        for how in (", at a rate", ", full"):
            yield Bar("two workers to one, %s%s" % ("listed" if kind == "fresh" else kind, how),
                      over(value(f, kind + how, OURS + ", 2 workers"), value(f, kind + how, OURS + ", 1 worker")), 1.1, "times")
    peer = best(f, "latency", "p50_us")
    yield to_peer(f, "median latency at 20,000 q/s, to the best peer's", "latency", peer, 1.0, "p50_us")


def by_size(f):
    return sorted(f.get("start", {}), key=lambda s: f["start"][s]["names"])


def bars(f):
    return [*cost(f), *load(f), *scale(f)]


def met(bar):
    return None if bar.figure is None else bar.figure <= bar.limit
