# SPDX-License-Identifier: Apache-2.0
"""One measurement of one program: fresh namespaces, and everything that the table shows."""

import json
import os
import time

from lab import OUTER, BenchError, Lab, wait_until

ECHO_PORT, COUNT_PORT, TCP_PORT = 4001, 4002, 4003
UDP_BYTES = 64
RTT_SECONDS, RTT_INTERVAL_US = 1, 1000
FIRST_PING_SECONDS = 20
HANDSHAKES, HANDSHAKES_PER_S = 300, 400  # below the rates at which programs begin to demand cookies


class Metric:
    def __init__(self, key, title, unit, higher_is_better, digits=0):
        self.key, self.title, self.unit = key, title, unit
        self.higher_is_better, self.digits = higher_is_better, digits


METRICS = (
    Metric("tcp_right_mbit_s", "TCP, one stream, left to right", "Mbit/s", True),
    Metric("tcp_left_mbit_s", "TCP, one stream, right to left", "Mbit/s", True),
    Metric("udp_per_s", "UDP, %d-byte payload, flood" % UDP_BYTES, "packets/s arrived", True),
    Metric("rtt_p50_us", "round trip, idle, median", "µs", False, 1),
    Metric("rtt_p99_us", "round trip, idle, 99th percentile", "µs", False, 1),
    Metric("cpu_s_per_gb", "processor time of both daemons", "s/GB of TCP", False, 2),
    Metric("rss_idle_mib", "resident memory of a daemon, idle", "MiB", False, 1),
    Metric("rss_loaded_mib", "resident memory of a daemon, loaded", "MiB", False, 1),
    Metric("handshakes_per_core_s", "handshakes answered", "a second of processor time", True),
    Metric("first_ping_ms", "from start to the first echo", "ms", False),
)


def measure(peer, tools, seconds):
    """Returns metric key -> value, for those that apply to the program, and under 'notes' what went
    with them."""
    with Lab(tools) as lab:
        values, notes = {}, {}
        echo = lab.spawn("right", [lab.tool("udp_ping"), "serve", "0.0.0.0", ECHO_PORT])
        wait_until(lambda: echo.has_said("ready"), 5, "the echo server")

        tunnel = peer.start(lab)
        there = tunnel.addresses["right"]
        lab.run("left", [lab.tool("udp_ping"), "first", there, ECHO_PORT, FIRST_PING_SECONDS],
                FIRST_PING_SECONDS + 5)
        if tunnel.daemons:
            values["first_ping_ms"] = (time.monotonic() - tunnel.started) * 1e3
            values["rss_idle_mib"] = resident_mib(tunnel)

        measure_rtt(lab, there, values, notes)
        loaded = [measure_tcp(lab, tunnel, seconds, values, notes)]
        loaded.append(measure_udp(lab, tunnel, max(1, seconds / 2), values, notes))
        if tunnel.daemons:
            values["rss_loaded_mib"] = max(loaded)
        if tunnel.responder:
            measure_handshakes(lab, tunnel, values, notes)
        for daemon in tunnel.daemons:
            daemon.check()
        return dict(values, notes=notes)


def resident_mib(tunnel):
    """Of the larger daemon."""
    return max((d.resident_bytes() for d in tunnel.daemons), default=0) / (1 << 20)


def measure_rtt(lab, there, values, notes):
    text = lab.run("left", [lab.tool("udp_ping"), "run", there, ECHO_PORT, RTT_SECONDS,
                            RTT_INTERVAL_US], RTT_SECONDS + 10)
    result = json.loads(text)
    values["rtt_p50_us"], values["rtt_p99_us"] = result["p50_us"], result["p99_us"]
    notes["rtt"] = result


def measure_tcp(lab, tunnel, seconds, values, notes):
    """Both directions after one another. Returns the resident memory right after them."""
    there = tunnel.addresses["right"]
    server = lab.spawn("right", ["iperf3", "--server", "--bind", there, "--port", TCP_PORT])
    wait_until(lambda: server.listens(TCP_PORT), 5, "iperf3's server")
    carried, cpu_before = 0, sum(d.cpu_s() for d in tunnel.daemons)
    for key, extra in (("tcp_right", []), ("tcp_left", ["--reverse"])):
        text = lab.run("left", ["iperf3", "--client", there, "--port", TCP_PORT, "--time", seconds,
                                "--json"] + extra, seconds + 15)
        end = json.loads(text)["end"]
        values[key + "_mbit_s"] = end["sum_received"]["bits_per_second"] / 1e6
        notes[key + "_retransmits"] = end["sum_sent"].get("retransmits")
        carried += end["sum_received"]["bytes"]
    if carried == 0:
        raise BenchError("iperf3 carried nothing")
    if tunnel.daemons:
        cpu_s = sum(d.cpu_s() for d in tunnel.daemons) - cpu_before
        values["cpu_s_per_gb"] = cpu_s / (carried / 1e9)
    server.stop()
    return resident_mib(tunnel)


def measure_udp(lab, tunnel, seconds, values, notes):
    """A flood from left to right. Returns the resident memory right after it."""
    there = tunnel.addresses["right"]
    counter = lab.spawn("right", [lab.tool("udp_rate"), "receive", there, COUNT_PORT, seconds])
    wait_until(lambda: counter.has_said("ready"), 5, "the packet counter")
    flood = lab.spawn("left", [lab.tool("udp_rate"), "send", there, COUNT_PORT, UDP_BYTES,
                               seconds + 0.5])
    result = counter.result(seconds + 15)
    memory = resident_mib(tunnel)
    values["udp_per_s"] = result["packets_per_s"]
    notes["udp"] = dict(result, sent=flood.result(seconds + 15))
    return memory


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
        cpu_s = daemon.cpu_s_fine() - before
    result = json.loads(text)
    notes["handshakes"] = dict(result, cpu_s=cpu_s)
    if result["responses"] < HANDSHAKES * 0.9:
        notes["handshakes_refused"] = "only %d of %d initiations were answered" % (
            result["responses"], HANDSHAKES)
        return
    values["handshakes_per_core_s"] = result["responses"] / cpu_s


def tools_missing(tools):
    """Returns the helper programs that are not built."""
    names = ("udp_ping", "udp_rate", "wg_handshakes")
    return [n for n in names if not os.access(os.path.join(tools, n), os.X_OK)]
