# SPDX-License-Identifier: Apache-2.0
"""One measurement of one program: fresh namespaces, and everything that the tables show. Every step
is bounded in time."""

import json
import os
import time

from lab import OUTER, BenchError, Lab, processors_s, wait_until

ECHO_PORT, COUNT_PORT, TCP_PORT = 4001, 4002, 4003
RTT_SECONDS, RTT_INTERVAL_US = 1, 1000
FIRST_PING_SECONDS = 30
HANDSHAKES, HANDSHAKES_PER_S = 300, 400  # below the rates at which programs begin to demand cookies
IDLE_PEERS = 1000
STREAMS = 4
# Bytes of UDP payload; the larger one makes packets of 1,400 bytes, which every tunnel takes whole.
UDP_SMALL, UDP_LARGE = 64, 1400 - 28
TOOLS = ("round_trip", "udp_rate", "wg_handshakes", "null_tunnel", "syscall_costs")


class Metric:
    def __init__(self, key, title, unit, higher_is_better, digits=0):
        self.key, self.title, self.unit = key, title, unit
        self.higher_is_better, self.digits = higher_is_better, digits


class Column:
    """What --columns chooses: metrics that come out of one step."""

    def __init__(self, name, title, seconds, metrics):
        self.name, self.title, self.metrics = name, title, metrics
        self.seconds = seconds  # the step's length, given the length of a stream


COLUMNS = (
    Column("tcp1", "TCP, one stream", lambda s: 2 * s + 1, (
        Metric("tcp1_right", "→", "Mbit/s", True),
        Metric("tcp1_left", "←", "Mbit/s", True),
        Metric("cpu_s_per_gb", "daemons", "CPU s/GB", False, 2),
        Metric("machine_s_per_gb", "all of the machine", "CPU s/GB", False, 2))),
    Column("tcp4", "TCP, %d streams" % STREAMS, lambda s: 2 * s + 1, (
        Metric("tcp4_right", "→", "Mbit/s", True),
        Metric("tcp4_left", "←", "Mbit/s", True),
        Metric("tcp4_cpu_s_per_gb", "daemons", "CPU s/GB", False, 2))),
    Column("udp64", "UDP, %d-byte payload, flood" % UDP_SMALL, lambda s: s + 1.5, (
        Metric("udp64_per_s", "delivered", "packets/s", True),
        Metric("udp64_lost", "lost", "%", False, 1))),
    Column("udp1400", "UDP, 1,400-byte packets, flood", lambda s: s + 1.5, (
        Metric("udp1400_per_s", "delivered", "packets/s", True),
        Metric("udp1400_lost", "lost", "%", False, 1))),
    Column("ping", "ping, idle", lambda s: RTT_SECONDS + 0.2, (
        Metric("ping_p50_us", "p50", "µs", False, 1),
        Metric("ping_p99_us", "p99", "µs", False, 1))),
    Column("rtt", "round trip of UDP, idle", lambda s: RTT_SECONDS + 0.2, (
        Metric("rtt_p50_us", "p50", "µs", False, 1),
        Metric("rtt_p99_us", "p99", "µs", False, 1))),
    Column("rttload", "round trip beside a TCP stream", lambda s: RTT_SECONDS + 1, (
        Metric("rttload_p50_us", "p50", "µs", False),
        Metric("rttload_p99_us", "p99", "µs", False))),
    Column("memory", "resident memory of a daemon", lambda s: 0, (
        Metric("rss_idle_mib", "idle", "MiB", False, 1),
        Metric("rss_loaded_mib", "loaded", "MiB", False, 1))),
    Column("start", "start", lambda s: 0, (
        Metric("first_ping_ms", "to the first echo", "ms", False),)),
    Column("idlepeers", "%d idle peers" % IDLE_PEERS, lambda s: 4 * s + 2, (
        Metric("idle_peers_ratio", "one TCP stream with them / without", "ratio", True, 3),)),
    Column("handshakes", "handshakes", lambda s: 2.5, (
        Metric("handshakes_per_core_s", "answered", "per CPU s", True),)),
)
METRICS = [metric for column in COLUMNS for metric in column.metrics]
SET_UP_SECONDS = 1.5  # of a measurement, beside its steps


def estimate_s(columns, seconds):
    return SET_UP_SECONDS + sum(c.seconds(seconds) for c in COLUMNS if c.name in columns)


def measure(peer, tools, underlay, columns, seconds):
    """Returns metric key -> value, for the wanted columns that apply to the program, and under
    'notes' what went with them."""
    with Lab(tools, underlay) as lab:
        values, notes = {}, {}
        echo = lab.spawn("right", [lab.tool("round_trip"), "serve", "0.0.0.0", ECHO_PORT])
        wait_until(lambda: echo.has_said("ready"), 5, "the echo server")
        tunnel = peer.start(lab)
        there = tunnel.addresses["right"]
        lab.run("left", [lab.tool("round_trip"), "first", there, ECHO_PORT, FIRST_PING_SECONDS],
                FIRST_PING_SECONDS + 5)
        if tunnel.daemons:
            values["first_ping_ms"] = (time.monotonic() - tunnel.started) * 1e3
            values["rss_idle_mib"] = resident_mib(tunnel)
        steps(lab, tunnel, columns, seconds, values, notes)
        for daemon in tunnel.daemons:
            daemon.check()
        notes["says"] = tunnel.look()
        wanted = [m.key for c in COLUMNS if c.name in columns for m in c.metrics]
        return dict({k: v for k, v in values.items() if k in wanted}, notes=notes)


def steps(lab, tunnel, columns, seconds, values, notes):
    if "ping" in columns:
        measure_rtt(lab, tunnel, "ping", "icmp", values, notes)
    if "rtt" in columns:
        measure_rtt(lab, tunnel, "rtt", ECHO_PORT, values, notes)
    if "tcp1" in columns:
        measure_tcp(lab, tunnel, "tcp1", 1, seconds, values, notes)
    if "tcp4" in columns:
        measure_tcp(lab, tunnel, "tcp4", STREAMS, seconds, values, notes)
    if "rttload" in columns:
        measure_loaded_rtt(lab, tunnel, values, notes)
    if "udp64" in columns:
        measure_udp(lab, tunnel, "udp64", UDP_SMALL, seconds, values, notes)
    if "udp1400" in columns:
        measure_udp(lab, tunnel, "udp1400", UDP_LARGE, seconds, values, notes)
    if "idlepeers" in columns and tunnel.ends:
        measure_idle_peers(lab, tunnel, seconds, values, notes)
    if "handshakes" in columns and tunnel.responder:
        measure_handshakes(lab, tunnel, values, notes)


def resident_mib(tunnel):
    """Of the largest daemon."""
    return max((d.resident_bytes() for d in tunnel.daemons), default=0) / (1 << 20)


def note_memory(tunnel, values):
    if tunnel.daemons:
        values["rss_loaded_mib"] = max(values.get("rss_loaded_mib", 0), resident_mib(tunnel))


def cpu_s(tunnel):
    return sum(d.cpu_s() for d in tunnel.daemons)


def measure_rtt(lab, tunnel, key, port, values, notes):
    text = lab.run("left", [lab.tool("round_trip"), "run", tunnel.addresses["right"], port,
                            RTT_SECONDS, RTT_INTERVAL_US], RTT_SECONDS + 10)
    result = json.loads(text)
    values[key + "_p50_us"], values[key + "_p99_us"] = result["p50_us"], result["p99_us"]
    notes[key] = result


def start_server(lab, tunnel):
    """A server for one stream: one that is asked again too early calls itself busy."""
    server = lab.spawn("right", ["iperf3", "--server", "--one-off", "--bind",
                                 tunnel.addresses["right"], "--port", TCP_PORT])
    wait_until(lambda: server.listens(TCP_PORT), 5, "iperf3's server")
    return server


def client(tunnel, seconds, *extra):
    return ["iperf3", "--client", tunnel.addresses["right"], "--port", TCP_PORT, "--time", seconds,
            "--json"] + list(extra)


def stream(lab, tunnel, seconds, *extra):
    """One run of iperf3's client. Returns the part of its report that sums up."""
    server = start_server(lab, tunnel)
    report = json.loads(lab.run("left", client(tunnel, seconds, *extra), seconds + 15))
    server.stop()
    end = report["end"]
    if end.get("sum_received", {}).get("bytes", 0) == 0:
        raise BenchError("iperf3 carried nothing: %s" % report.get("error", "no reason given"))
    return end


def measure_tcp(lab, tunnel, key, streams, seconds, values, notes):
    """Both directions after one another."""
    carried, cpu_before, busy_before = 0, cpu_s(tunnel), processors_s()[0]
    for direction, extra in (("right", []), ("left", ["--reverse"])):
        end = stream(lab, tunnel, seconds, "--parallel", streams, *extra)
        values["%s_%s" % (key, direction)] = end["sum_received"]["bits_per_second"] / 1e6
        notes["%s_%s_retransmits" % (key, direction)] = end["sum_sent"].get("retransmits")
        carried += end["sum_received"]["bytes"]
    prefix = "" if streams == 1 else key + "_"
    if streams == 1:
        values["machine_s_per_gb"] = (processors_s()[0] - busy_before) / (carried / 1e9)
    if tunnel.daemons:
        values[prefix + "cpu_s_per_gb"] = (cpu_s(tunnel) - cpu_before) / (carried / 1e9)
    note_memory(tunnel, values)


def measure_loaded_rtt(lab, tunnel, values, notes):
    """Round trips while one stream runs in the same direction."""
    server = start_server(lab, tunnel)
    load = lab.spawn("left", client(tunnel, RTT_SECONDS + 2))
    wait_until(lambda: load.check() and connected(load), 10, "the stream beside the round trips")
    measure_rtt(lab, tunnel, "rttload", ECHO_PORT, values, notes)
    if load.popen.poll() is not None:
        raise BenchError("the stream ended before the round trips beside it did")
    load.stop()
    server.stop()


def connected(process):
    """Tells whether iperf3's control connection and its stream are both there."""
    with open("/proc/%d/net/tcp" % process.pid) as sockets:
        lines = [line.split() for line in sockets.read().splitlines()[1:]]
    return sum(f[2].endswith(":%04X" % TCP_PORT) and f[3] == "01" for f in lines) >= 2


def measure_udp(lab, tunnel, key, size, seconds, values, notes):
    """A flood from left to right; both ends count, so that what is lost is known."""
    there = tunnel.addresses["right"]
    counter = lab.spawn("right", [lab.tool("udp_rate"), "receive", there, COUNT_PORT, seconds])
    wait_until(lambda: counter.has_said("ready"), 5, "the packet counter")
    flood = lab.spawn("left", [lab.tool("udp_rate"), "send", there, COUNT_PORT, size,
                               seconds + 0.5])
    result = counter.result(seconds + 15)
    note_memory(tunnel, values)
    values[key + "_per_s"] = result["packets_per_s"]
    if result["offered"]:
        values[key + "_lost"] = 100 * (1 - result["packets"] / result["offered"])
    notes[key] = dict(result, sent=flood.result(seconds + 15))


def measure_idle_peers(lab, tunnel, seconds, values, notes):
    """One stream without, with, with, without a thousand more peers at both ends: what drifts
    meanwhile cancels out."""
    keys = lab.run("left", [lab.tool("wg_handshakes"), "keys", IDLE_PEERS]).split()
    rates = {False: [], True: []}
    for change in (None, "add_peers", None, "remove_peers"):
        for end in tunnel.ends if change else ():
            getattr(end, change)(keys)
        present = change == "add_peers" if change else bool(rates[True])
        rates[present].append(stream(lab, tunnel, seconds)["sum_received"]["bits_per_second"])
    values["idle_peers_ratio"] = sum(rates[True]) / sum(rates[False])
    notes["idle_peers"] = {"without": rates[False], "with": rates[True]}


def measure_handshakes(lab, tunnel, values, notes):
    """Many initiators shake hands with the right end, at a steady rate; its processor time is
    divided by their number. The first pass, in which programs may prepare a peer, does not
    count."""
    tool, responder = lab.tool("wg_handshakes"), tunnel.responder
    daemon = tunnel.daemons[-1]
    responder.add_peers(lab.run("left", [tool, "keys", HANDSHAKES]).split())
    for _ in range(2):
        before = daemon.cpu_s_fine()
        text = lab.run("left", [tool, "run", OUTER["right"], responder.port,
                                responder.public_key_hex(), HANDSHAKES, HANDSHAKES_PER_S], 20)
        spent_s = daemon.cpu_s_fine() - before
    result = json.loads(text)
    notes["handshakes"] = dict(result, cpu_s=spent_s)
    if result["responses"] < HANDSHAKES * 0.9:
        notes["refused"] = "only %d of %d handshake initiations were answered" % (
            result["responses"], HANDSHAKES)
        return
    values["handshakes_per_core_s"] = result["responses"] / spent_s


def tools_missing(tools):
    """Returns the helper programs that are not built."""
    return [n for n in TOOLS if not os.access(os.path.join(tools, n), os.X_OK)]
