# SPDX-License-Identifier: Apache-2.0
"""What the rounds say together: medians with their range, ratios, aims, and the machine."""

import os
import platform
import re
import statistics
import subprocess

import lab
from measure import COLUMNS, METRICS

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RAW, BOUND, ANCHOR = "raw", "null", "wireguard-go-2023"
OWN, NO_PEERS = "warren-wg", (RAW, BOUND)
BASES = (RAW, BOUND, ANCHOR)  # what ratios are taken to
METRIC = {metric.key: metric for metric in METRICS}
LINE = (("tcp1_right", "TCP %.0f"), ("tcp1_left", "/%.0f Mbit/s"), ("udp64_per_s", "UDP %.0f/s"),
        ("ping_p50_us", "ping %.0f µs"), ("cpu_s_per_gb", "%.2f s/GB"))

# The tables of an underlay: what is beside one another.
TABLES = (("TCP", ("tcp1", "tcp4")), ("UDP", ("udp64", "udp1400")),
          ("Round trips", ("ping", "rtt", "rttload")),
          ("What it costs", ("memory", "start", "idlepeers", "handshakes")))
RATIOS = (("tcp1_right", RAW), ("tcp1_right", BOUND), ("tcp1_right", ANCHOR), ("tcp4_right", RAW),
          ("tcp4_right", BOUND), ("tcp4_right", ANCHOR), ("udp64_per_s", BOUND),
          ("udp64_per_s", ANCHOR), ("ping_p50_us", ANCHOR), ("cpu_s_per_gb", BOUND),
          ("cpu_s_per_gb", ANCHOR))
README_METRICS = ("tcp1_right", "tcp4_right", "udp64_per_s", "ping_p50_us", "cpu_s_per_gb",
                  "rss_loaded_mib")
README_TITLES = ("TCP, 1 stream, Mbit/s", "TCP, 4 streams, Mbit/s", "small UDP packets/s",
                 "ping, µs", "CPU s/GB", "MiB")
README_MARKS = ("<!-- bench/run --readme: begin -->", "<!-- bench/run --readme: end -->")


class Aim:
    """A figure to reach; 'base' is a row that it is a multiple of, None, or BEST of the others."""

    BEST = "best"

    def __init__(self, what, suite, key, base, least=None, most=None, underlay="veth"):
        self.what, self.key, self.base, self.least, self.most = what, key, base, least, most
        self.rows = [OWN + suite + workers for workers in ("", "-w2")]
        self.underlay = underlay


AIMS = (
    Aim("TCP, 1 stream, AES-256-GCM", "-aes", "tcp1_right", RAW, least=0.50),
    Aim("TCP, 1 stream, AES-256-GCM", "-aes", "tcp1_right", ANCHOR, least=3),
    Aim("TCP, 1 stream, AES-256-GCM", "-aes", "tcp1_right", ANCHOR, least=2.5, underlay="plain"),
    Aim("TCP, 1 stream, stock suite", "", "tcp1_right", RAW, least=0.33),
    Aim("TCP, 1 stream, stock suite", "", "tcp1_right", ANCHOR, least=2),
    Aim("TCP, 1 stream, stock suite", "", "tcp1_right", ANCHOR, least=1.7, underlay="plain"),
    Aim("TCP, 4 streams, AES-256-GCM", "-aes", "tcp4_right", RAW, least=0.45),
    Aim("UDP, 64-byte payload, AES-256-GCM", "-aes", "udp64_per_s", ANCHOR, least=3),
    Aim("UDP, 64-byte payload, stock suite", "", "udp64_per_s", ANCHOR, least=3),
    Aim("UDP, 64-byte payload, stock suite", "", "udp64_per_s", Aim.BEST, least=1.5),
    Aim("CPU seconds a GB, AES-256-GCM", "-aes", "cpu_s_per_gb", None, most=1.2),
    Aim("CPU seconds a GB, stock suite", "", "cpu_s_per_gb", None, most=2.0),
    Aim("ping, idle, p50, µs", "", "ping_p50_us", None, most=60),
    Aim("resident memory, loaded, MiB", "", "rss_loaded_mib", None, most=6),
    Aim("1,000 idle peers", "", "idle_peers_ratio", None, least=0.97),
)


def machine():
    """Describes the machine and the checkout."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": _cpu_model(), "cores": len(os.sched_getaffinity(0)),
            "memory_gib": round(memory_bytes / (1 << 30)), "system": _system(),
            "kernel": platform.release(), "commit": commit(), "load": os.getloadavg()[0]}


def commit():
    """The checkout's commit, '-dirty' if a file of it was changed, 'unknown' without git."""
    git = ["git", "-c", "safe.directory=*", "-C", ROOT]
    try:
        head = lab.run(git + ["rev-parse", "--short=12", "HEAD"]).strip()
        changed = lab.run(git + ["status", "--porcelain", "--untracked-files=no"]).strip()
    except (lab.BenchError, OSError, subprocess.SubprocessError):
        return "unknown"
    return head + ("-dirty" if changed else "")


def _cpu_model():
    with open("/proc/cpuinfo") as cpuinfo:
        for line in cpuinfo:
            if line.startswith(("model name", "Processor")):
                return " ".join(line.split(":", 1)[1].split())
    return platform.machine()


def _system():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "Linux"


def line(underlay, name, values):
    """A measurement in a line, for who waits."""
    shown = [text % values[key] for key, text in LINE if key in values]
    shown = shown or ["%s %.6g" % item for item in list(values.items())[:4] if item[0] != "notes"]
    return "%-5s %-24s %s" % (underlay, name, "  ".join(shown))


def summarise(result):
    """Returns underlay -> row -> metric key -> median, range and ratios."""
    underlays = result["rounds"][0].keys() if result["rounds"] else ()
    return {underlay: {name: _summary(name, [r[underlay] for r in result["rounds"]])
                       for name in result["rows"]} for underlay in underlays}


def _summary(name, rounds):
    """A ratio is the median of the rounds' own ratios: what disturbed a round disturbed both sides
    of it. 'best' is the best other program of each round."""
    metrics = {}
    for metric in METRICS:
        values = [r[name][metric.key] for r in rounds if metric.key in r.get(name, {})]
        if not values:
            continue
        ratios = {base: _ratio(name, metric, base, rounds) for base in BASES + (Aim.BEST,)
                  if base != name}
        metrics[metric.key] = {"median": statistics.median(values), "min": min(values),
                               "max": max(values), "count": len(values),
                               "ratio": {b: r for b, r in ratios.items() if r is not None}}
    return metrics


def _ratio(name, metric, base, rounds):
    ratios = []
    for values in rounds:
        names = [n for n in values if n not in NO_PEERS and not n.startswith(OWN)] \
            if base == Aim.BEST else [base]
        others = [values[n][metric.key] for n in names if values.get(n, {}).get(metric.key)]
        if others and metric.key in values.get(name, {}):
            best = max(others) if metric.higher_is_better else min(others)
            ratios.append(values[name][metric.key] / best)
    return statistics.median(ratios) if ratios else None


def markdown(result):
    """All tables as text."""
    lines = [machine_line(result["machine"]), "", run_line(result)]
    for underlay, summary in result["summary"].items():
        lines += ["", "### Underlay: %s" % underlay]
        for title, names in TABLES:
            metrics = [(c, m) for c in COLUMNS if c.name in names for m in c.metrics]
            lines += _table(result, summary, title, metrics)
        lines += _ratio_table(result, summary)
    lines += _aims(result) + [""]
    lines += ["- %s: %s" % (row["title"], row["version"]) for row in result["rows"].values()]
    lines += ["- not measured: " + why for why in result["skipped"].values()]
    lines += ["- " + note for note in result["notes"]]
    return "\n".join(lines).rstrip() + "\n"


def _table(result, summary, title, metrics):
    metrics = [(c, m) for c, m in metrics if any(m.key in row for row in summary.values())]
    if not metrics:
        return []
    heads = ["%s: %s, %s %s" % (c.title, m.title, m.unit, _arrow(m)) for c, m in metrics]
    lines = ["", "| %s | %s |" % (title, " | ".join(heads)), "|---|" + "---:|" * len(heads)]
    for name, row in result["rows"].items():
        cells = [_cell(summary[name].get(m.key), m) for _, m in metrics]
        if any(c != "–" for c in cells):
            lines.append("| %s | %s |" % (row["title"], " | ".join(cells)))
    return lines


def _ratio_table(result, summary):
    columns = [(k, b) for k, b in RATIOS
               if any(b in row.get(k, {}).get("ratio", {}) for row in summary.values())]
    if not columns:
        return []
    column_of = {m.key: c for c in COLUMNS for m in c.metrics}
    heads = ["%s %s / %s" % (column_of[k].title, METRIC[k].title, _title(result, b))
             for k, b in columns]
    lines = ["", "| ratio, median of the rounds' | %s |" % " | ".join(heads),
             "|---|" + "---:|" * len(heads)]
    for name, row in result["rows"].items():
        cells = [_ratio_text(summary[name].get(k, {}).get("ratio", {}).get(b)) for k, b in columns]
        if any(c != "–" for c in cells):
            lines.append("| %s | %s |" % (row["title"], " | ".join(cells)))
    return lines


def _title(result, name):
    return result["rows"].get(name, {}).get("title", name)


def _ratio_text(ratio):
    return "–" if ratio is None else "%.3g" % ratio


def _aims(result):
    """How the figures stand to what is wanted of them, with one worker and with two."""
    lines = []
    for aim in AIMS:
        shown = [_aim_value(aim, result["summary"].get(aim.underlay, {}).get(name, {}))
                 for name in aim.rows]
        if all(value is None for value in shown):
            continue
        wanted = "≥ %g" % aim.least if aim.least is not None else "≤ %g" % aim.most
        if aim.base:
            wanted += " × " + ("the best other" if aim.base == Aim.BEST
                               else _title(result, aim.base))
        reached = [v is not None and (v >= aim.least if aim.least is not None else v <= aim.most)
                   for v in shown]
        lines.append("| %s%s | %s | %s | %s |" % (
            aim.what, "" if aim.underlay == "veth" else ", underlay " + aim.underlay, wanted,
            " · ".join(_ratio_text(v) for v in shown), "yes" if any(reached) else "**no**"))
    if not lines:
        return []
    return ["", "| aim | wanted | 1 worker · 2 workers | reached |", "|---|---|---:|---|"] + lines


def _aim_value(aim, row):
    value = row.get(aim.key)
    if value is None:
        return None
    return value["ratio"].get(aim.base) if aim.base else value["median"]


def readme_table(result):
    """The short table: this project's rows with offloads and all others, on the first underlay."""
    summary = result["summary"]["veth"]
    lines = ["| median (least–greatest) | %s |" % " | ".join(README_TITLES),
             "|---|" + "---:|" * len(README_TITLES)]
    for name, row in result["rows"].items():
        if name.startswith(OWN) and name.endswith("-no-offloads"):
            continue
        cells = [_cell(summary[name].get(key), METRIC[key]) for key in README_METRICS]
        title = "**%s**" % row["title"] if name.startswith(OWN) else row["title"]
        lines.append("| %s | %s |" % (title, " | ".join(cells)))
    return "\n".join(lines + ["", machine_line(result["machine"]) + " " + run_line(result)])


def update_readme(result):
    """Replaces what stands between the marks in README.md."""
    path = os.path.join(ROOT, "README.md")
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    begin, end = (re.escape(mark) for mark in README_MARKS)
    new = "%s\n%s\n%s" % (README_MARKS[0], readme_table(result), README_MARKS[1])
    text, count = re.subn(begin + ".*" + end, lambda _: new, text, flags=re.DOTALL)
    if count != 1:
        raise lab.BenchError("README.md has no place for the table: '%s' and '%s'" % README_MARKS)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def _number(value, digits):
    return "{:,.{}f}".format(value, digits)


def _cell(value, metric):
    if not value:
        return "–"
    text = "**%s**" % _number(value["median"], metric.digits)
    if value["count"] > 1:
        text += " (%s–%s)" % tuple(_number(value[k], metric.digits) for k in ("min", "max"))
    return text


def _arrow(metric):
    return "↑" if metric.higher_is_better else "↓"


def machine_line(m):
    return ("Machine: {cpu}, {cores} cores, {memory_gib} GiB, {system}, kernel {kernel}. "
            "Commit {commit}.").format(**m)


def run_line(result):
    return ("Rounds: %d, interleaved, %g s a stream. **Median** (least–greatest); ↑ more is better,"
            " ↓ less is better. Other programs used %.0f %% of the processors meanwhile."
            % (len(result["rounds"]), result["seconds_a_stream"], 100 * result["others_share"]))
