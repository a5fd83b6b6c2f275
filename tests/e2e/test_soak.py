# SPDX-License-Identifier: Apache-2.0
"""Twelve members for as long as SOAK_MINUTES says: eight of them end, crash and come back, all but
one change their addresses now and then, and packets flow all the time. What each daemon takes and
what the ring looks like is written down every ten seconds, drawn into soak.svg of the build folder,
and judged: nothing may grow, nobody may stay unreachable, nothing may be missing from the ring when
all are back, and what daemons count as lost of their own work stays 0.

    sudo make soak SEEDS= SOAK_MINUTES=60 ARGS='-k members_for_a_long_time'
"""

import json
import os
import random
import statistics
import time

import pytest

from harness import metrics, plot, traffic, wait
from harness.internet import Internet
from harness.warrend import BUILD, Network, Refusal, all_pairs

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.crowd, pytest.mark.soak]

MINUTES = float(os.environ.get("SOAK_MINUTES", "10"))
KINDS = ["public", "linux", "cone", "port", "symmetric", "linux", "public", "port", "linux", "cone",
         "symmetric", "public"]
STEADY = 4  # the first ones are never ended, so that what grows in them is seen
# The first of all has an address that stays: who comes back behind a NAT finds nobody if all whom
# it could ask have moved meanwhile.
TICK_S = 10
LOST_SHARE = 0.01
GROWTH_SHARE, GROWTH_KIB = 0.10, 512
MORE_FILES = 8
WALK_S = 5
# Counters: what they are called in the drawing, and the metrics whose samples are summed.
COUNTERS = {
    "messages": ("warren_ring_messages_total",),
    "bytes": ("warren_ring_message_bytes_total",),
    "packets refused": ("warren_dropped_packets_total", "warren_blocked_packets_total"),
    "frames refused": ("warren_ring_refused_frames_total",),
    "strays": ("warren_stray_datagrams_total",),
    "waited in vain": ("warren_held_packets_lost_total",),
    "actions": ("warren_lost_actions_total",),
    "saves": ("warren_failed_saves_total",),
}
NEVER = ("actions", "saves")


class Samples:
    """What is looked at at each tick."""

    def __init__(self):
        self.begun = time.monotonic()
        self.rows, self.events = [], {"ended": [], "crashed": [], "moved": []}
        self.summary = []

    def now(self):
        return time.monotonic() - self.begun

    def event(self, kind):
        self.events[kind].append(self.now())

    def take(self, present, pings):
        row = {"t": self.now(), "rss_kib": {}, "files": {}, "counters": {}, "connected": 0,
               "direct": 0, "relayed": 0, "other": 0, "present": len(present), **pings,
               **ring_of(present)}
        for node in present:
            pid = node.process.pid
            with open("/proc/%d/status" % pid) as stream:
                row["rss_kib"][node.name] = next(int(line.split()[1]) for line in stream
                                                 if line.startswith("VmRSS"))
            row["files"][node.name] = len(os.listdir("/proc/%d/fd" % pid))
            row["counters"][node.name] = counters_of(node)
            told = node.network()
            row["connected"] += told["state"] == "connected"
            for peer in told["peers"]:
                kind = peer["path"] if peer["path"] in ("direct", "relayed") else "other"
                row[kind] += 1
        self.rows.append(row)

    def of(self, what, node):
        return [(row["t"], row[what][node]) for row in self.rows if node in row[what]]

    def window(self, what, node, begin, end):
        """Its values between two shares of the whole time."""
        last = self.rows[-1]["t"]
        return [v for t, v in self.of(what, node) if begin * last <= t <= end * last]

    def sums(self, what, nodes):
        """What a counter came to at these, who are never ended, all together."""
        return [(row["t"], sum(row["counters"][node.name][what] for node in nodes))
                for row in self.rows]

    def rates(self, what, nodes):
        """The same, by the second and node; ticks that a late one pushed together are left out."""
        sums = self.sums(what, nodes)
        return [(t, (v - before) / (t - then) / len(nodes))
                for (then, before), (t, v) in zip(sums, sums[1:]) if t - then >= TICK_S / 2]

    def write(self, nodes):
        steady = [node.name for node in nodes[:STEADY]]
        curve = {key: [(row["t"], row[key]) for row in self.rows]
                 for key in ("connected", "present", "direct", "relayed", "other")}
        panels = [
            plot.Panel("resident memory of those that are never ended, MiB",
                       {n: [(t, v / 1024) for t, v in self.of("rss_kib", n)] for n in steady}),
            plot.Panel("their open files", {n: self.of("files", n) for n in steady}),
            plot.Panel("daemons that run, and of these connected",
                       {key: curve[key] for key in ("present", "connected")}, self.events),
            plot.Panel("peers, over all daemons",
                       {key: curve[key] for key in ("direct", "relayed", "other")}),
            plot.Panel("members that a walk of the ring finds within 5 s, and how many run",
                       {"found": [(row["t"], row["walked"]) for row in self.rows],
                        "run": curve["present"],
                        "their estimates": [(row["t"], row["estimate"]) for row in self.rows]}),
            plot.Panel("messages of the ring that one of the steady sends a second",
                       {"messages": self.rates("messages", nodes[:STEADY])}),
            plot.Panel("bytes of them", {"bytes": self.rates("bytes", nodes[:STEADY])}),
            plot.Panel("what the steady have refused or lost so far",
                       {name: self.sums(name, nodes[:STEADY]) for name in COUNTERS
                        if name not in ("messages", "bytes")}),
            plot.Panel("pings: answered and lost so far",
                       {key: [(row["t"], row[key]) for row in self.rows]
                        for key in ("answered", "lost")}),
        ]
        plot.write(os.path.join(BUILD, "soak.svg"),
                   "%d members, %.0f minutes" % (len(nodes), self.rows[-1]["t"] / 60), panels,
                   self.rows[-1]["t"])
        with open(os.path.join(BUILD, "soak.json"), "w") as stream:
            json.dump({"rows": self.rows, "events": self.events}, stream)

    def growth(self, nodes):
        """What grew, in a sentence each: the middle of the last fifth beside that of the second."""
        found = []
        for node in nodes[:STEADY]:
            early, late = (self.window("rss_kib", node.name, *share)
                           for share in ((0.2, 0.4), (0.8, 1.0)))
            before, after = statistics.median(early), statistics.median(late)
            self.summary.append("%s: %d KiB, then %d KiB" % (node.name, before, after))
            if after > before * (1 + GROWTH_SHARE) + GROWTH_KIB:
                found.append("%s: %d KiB became %d KiB" % (node.name, before, after))
            early, late = (min(self.window("files", node.name, *share))
                           for share in ((0.2, 0.4), (0.8, 1.0)))
            if late > early + MORE_FILES:
                found.append("%s: %d open files became %d" % (node.name, early, late))
        counts = {name: self.sums(name, nodes[:STEADY])[-1][1] for name in COUNTERS}
        whole = sum(row["walked"] == row["present"] for row in self.rows)
        self.summary += ["%d of %d walks found all that ran" % (whole, len(self.rows)),
                         "the steady: " + ", ".join("%d %s" % (v, k) for k, v in counts.items())]
        found += ["%d lost %s" % (counts[name], name) for name in NEVER if counts[name]]
        return found


class Churn:
    """Ends, crashes, starts and moves."""

    def __init__(self, nodes, hosts, samples, rng):
        self.nodes, self.hosts, self.samples, self.rng = nodes, hosts, samples, rng
        self.away, self.last_byte = [], {}

    def present(self):
        return [node for node in self.nodes if node not in self.away]

    def step(self):
        """One event; returns nodes from which nothing can be asked of the moment."""
        if len(self.away) >= 3:
            back = self.away.pop(0)
            back.start()
            return [back]
        if self.rng.random() < 0.3:
            return self.move(self.rng.choice(self.present()[1:]))
        leaving = self.rng.choice([n for n in self.present() if n in self.nodes[STEADY:]])
        is_crash = self.rng.random() < 0.5
        (leaving.kill if is_crash else leaving.stop)()
        self.samples.event("crashed" if is_crash else "ended")
        self.away.append(leaving)
        return []

    def move(self, node):
        host = self.hosts[node]
        byte = self.last_byte[node] = 3 + self.last_byte.get(node, 0) % 60
        host.renumber(host.address.rsplit(".", 1)[0] + "." + str(100 + byte))
        self.samples.event("moved")
        return [node]


def counters_of(node):
    """The sums of what it counts."""
    samples, _ = metrics.parse(metrics.scrape(node))
    return {name: sum(value for (metric, _), value in samples.items() if metric in of)
            for name, of in COUNTERS.items()}


def walk(node):
    """How many members a walk of the ring from there finds, and whether nobody was left out."""
    try:
        told = node.rpc("member.list", timeout_s=WALK_S)
    except Refusal:  # it has no neighbour of the moment
        return 0, False
    return len(told["members"]), told["complete"]


def ring_of(present):
    """What the ring looks like from the first of them."""
    found, _ = walk(present[0])
    return {"walked": found, "estimate": present[0].network()["nodes"]}


def reaches(node, other, seconds=30):
    """Whether one of the pings that go out each second is answered; the first may be lost where a
    way has just ended."""
    address, end = other.address(), wait.deadline(seconds)
    while address and wait.left(end) > 0:
        if traffic.ping(node.ns, address, wait_s=1):
            return True
    return False


@pytest.mark.watchdog(60 * MINUTES + 900)
def test_members_for_a_long_time(lab, capsys):
    rng = random.Random(seed := int(os.environ.get("SOAK_SEED") or random.randrange(1 << 30)))
    internet = Internet(lab)
    hosts = {}
    for number, kind in enumerate(KINDS):
        host = internet.home(kind, "n%d" % number)
        name = "n%d" % number
        place = "unix:" + os.path.join(lab.directory, name, "metrics")
        hosts[metrics.serving(lab, host.ns, name, place)] = host
    nodes = list(hosts)
    network = Network(nodes[0])
    network.join(*nodes[1:]).settle(60)
    samples = Samples()
    churn, pings, lost = Churn(nodes, hosts, samples, rng), {"answered": 0, "lost": 0}, []
    while samples.now() < 60 * MINUTES:
        end = time.monotonic() + TICK_S
        doubtful = churn.step()
        asked = [n for n in churn.present() if n not in doubtful]
        for a, b in [rng.sample(asked, 2) for _ in range(4)]:
            answered = reaches(a, b)
            pings["answered" if answered else "lost"] += 1
            if not answered:
                lost.append("%.0f s: %r -> %r\n%s" % (samples.now(), a, b, a.explain(b)))
        if answered:
            traffic.tcp_transfer(lab, a.ns, b.ns, b.address(), 1 << 20, 60)
        samples.take(churn.present(), pings)
        time.sleep(wait.left(end))  # the pace is what is asked for
    samples.write(nodes)
    for node in churn.away:
        node.start()
    wait.until(lambda: all(node.is_in() for node in nodes), 60, "all are back")
    wait.until(lambda: all(walk(node) == (len(nodes), True) for node in nodes), 120,
               "a walk from everywhere finds all")
    all_pairs(nodes, lambda a, b: traffic.reachable(a.ns, b.address(), 60))
    grown = samples.growth(nodes)
    with capsys.disabled():
        print("\nSOAK_SEED=%d; pings: %d answered, %d lost; %s\n%s" % (
            seed, pings["answered"], pings["lost"],
            ", ".join("%d %s" % (len(t), kind) for kind, t in samples.events.items()),
            "\n".join(samples.summary)))
    assert not grown, grown
    total = pings["answered"] + pings["lost"]
    assert len(lost) <= max(1, LOST_SHARE * total), "%d of %d:\n%s" % (len(lost), total,
                                                                      "\n".join(lost[:5]))
