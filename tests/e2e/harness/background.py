# SPDX-License-Identifier: Apache-2.0
"""What has to run for two minutes: streams over a renewal of keys, started with the session and looked at
by its last tests, while the other tests run."""

import time

import pytest

from harness import topology, traffic, wait
from harness.tunnel import Tunnel, WARREN, WIREGUARD_GO, endpoint

REKEY_AFTER_S = 120


class NumberedStream:
    """tools/stream.c at both ends of one direction."""

    def __init__(self, lab, program, source, target, address, pace_per_s, size, port=7200):
        self.receiver = lab.spawn([program, "receive", address, str(port)], netns=target,
                                  label="receive")
        wait.until(lambda: self._bound(target, port), 5, "receiver of the stream")
        self.sender = lab.spawn([program, "send", address, str(port), str(pace_per_s), str(size)],
                                netns=source, label="send")

    @staticmethod
    def _bound(ns, port):
        with ns.entered():
            for name in ("udp", "udp6"):
                with open("/proc/thread-self/net/" + name) as f:
                    if ":%04X " % port in f.read():
                        return True
        return False

    @staticmethod
    def _fields(process):
        return dict(pair.split("=", 1) for pair in process.log().split())

    def finish(self, seconds_on_the_way=1.0):
        """Ends the stream; returns what the two ends say, as one dictionary of numbers."""
        self.sender.popen.terminate()
        self.sender.wait(5)
        sent = self._fields(self.sender)
        # the last packets need a moment; there is nothing to poll at a program that only counts
        wait.steady(lambda: True, seconds_on_the_way * wait.SLOW, "packets on their way")
        self.receiver.popen.terminate()
        self.receiver.wait(5)
        result = dict(sent, **self._fields(self.receiver))
        result["missing_at_end"] = str(int(result["sent"]) - int(result["highest"]) - 1)
        return result


class LongRun:
    """Two tunnel ends with streams both ways."""

    def __init__(self, lab, program, left, right, family, pace_per_s, size):
        a, b = topology.two_hosts(lab)
        self.left = Tunnel(lab, a, left, topology.inner_addresses(0)).start().configure()
        self.right = Tunnel(lab, b, right, topology.inner_addresses(1)).start().configure()
        self.right.add_peer(self.left, allowed=topology.inner_hosts(0))
        self.left.add_peer(self.right, endpoint(topology.UNDERLAY[family][1], self.right.port),
                           topology.inner_hosts(1))
        assert traffic.ping(a, topology.INNER[4][1]) == 1
        self.first_handshake = self.left.handshake_time(self.right)
        self.started = time.monotonic()
        inner = topology.INNER[family]
        self.streams = [NumberedStream(lab, program, a, b, inner[1], pace_per_s, size),
                        NumberedStream(lab, program, b, a, inner[0], pace_per_s, size)]

    def rekeyed(self):
        return self.left.handshake_time(self.right) > self.first_handshake + 1


LONG_RUNS = {"warren-warren": (WARREN, WARREN, 4, 1000, 1200),
             "warren-wireguard-go": (WARREN, WIREGUARD_GO, 6, 200, 1200),
             "wireguard-go-warren": (WIREGUARD_GO, WARREN, 4, 200, 1200)}


@pytest.fixture(scope="session")
def long_runs(session_lab, tool):
    """The pairs whose keys are renewed under load."""
    program = tool("stream")
    return {name: LongRun(session_lab, program, *what) for name, what in LONG_RUNS.items()}


@pytest.fixture(scope="session", autouse=True)
def start_early(request, nothing_left_behind):
    """Starts, with the first test, the fixtures that tests marked early("fixture") need at the end."""
    wanted = []
    for item in request.session.items:
        wanted += [m.args[0] for m in item.iter_markers("early") if m.args[0] not in wanted]
    for name in wanted:
        request.getfixturevalue(name)
