# SPDX-License-Identifier: Apache-2.0
"""What the rounds say together: medians with their range, ratios, and the machine."""

import os
import platform
import statistics
import subprocess

import lab
from measure import METRICS

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BASES = ("raw", "wireguard-go")  # what ratios are taken to


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


def summarise(rounds, names):
    """Medians, ranges and ratios. 'rounds' is a list of name -> metric key -> value. A ratio is the
    median of the rounds' own ratios: what disturbed a round disturbed both sides of it."""
    summary = {}
    for name in names:
        metrics = {}
        for metric in METRICS:
            values = [r[name][metric.key] for r in rounds if metric.key in r.get(name, {})]
            if not values:
                continue
            metrics[metric.key] = {"median": statistics.median(values), "min": min(values),
                                   "max": max(values), "count": len(values), "ratio": {}}
            for base in BASES:
                ratios = [r[name][metric.key] / r[base][metric.key] for r in rounds
                          if metric.key in r.get(name, {}) and r.get(base, {}).get(metric.key)]
                if ratios and base != name:
                    metrics[metric.key]["ratio"][base] = statistics.median(ratios)
        summary[name] = metrics
    return summary


def _number(value, digits):
    return "{:,.{}f}".format(value, digits)


def markdown(result, titles):
    """The tables as text. 'titles' is name -> column title, in order."""
    lines = [machine_line(result["machine"]), "", run_line(result), ""]
    summary = result["summary"]
    lines.append("| | " + " | ".join(titles.values()) + " |")
    lines.append("|---|" + "---:|" * len(titles))
    for metric in METRICS:
        cells = [_cell(summary.get(name, {}).get(metric.key), metric) for name in titles]
        if any(c != "–" for c in cells):
            what = "%s, %s %s" % (metric.title, metric.unit, _arrow(metric))
            lines.append("| %s | %s |" % (what, " | ".join(cells)))
    lines += _ratios(summary, titles) + [""]
    lines += ["- " + note for note in result["notes"]]
    return "\n".join(lines).rstrip() + "\n"


def _cell(value, metric):
    if not value:
        return "–"
    text = "**%s**" % _number(value["median"], metric.digits)
    if value["count"] > 1:
        text += " (%s–%s)" % tuple(_number(value[k], metric.digits) for k in ("min", "max"))
    return text


def _arrow(metric):
    return "↑" if metric.higher_is_better else "↓"


def _ratios(summary, titles):
    """A column for each program and base that were measured together."""
    columns = [(name, base) for base in BASES for name in titles if name != "raw"
               and any(base in m["ratio"] for m in summary.get(name, {}).values())]
    if not columns:
        return []
    lines = ["", "| ratio, median of the rounds | "
             + " | ".join("%s / %s" % (titles[n], titles[b]) for n, b in columns) + " |",
             "|---|" + "---:|" * len(columns)]
    for metric in METRICS:
        cells = []
        for name, base in columns:
            ratio = summary.get(name, {}).get(metric.key, {}).get("ratio", {}).get(base)
            cells.append("–" if ratio is None else "%.3g" % ratio)
        if any(c != "–" for c in cells):
            lines.append("| %s %s | %s |" % (metric.title, _arrow(metric), " | ".join(cells)))
    return lines


def machine_line(m):
    return ("Machine: {cpu}, {cores} cores, {memory_gib} GiB, {system}, kernel {kernel}. "
            "Commit {commit}.").format(**m)


def run_line(result):
    return ("Rounds: %d, interleaved, %g s a stream. **Median** (least–greatest); ↑ more is better,"
            " ↓ less is better. Other programs used %.0f %% of the processors meanwhile."
            % (len(result["rounds"]), result["seconds_a_stream"], 100 * result["others_share"]))
