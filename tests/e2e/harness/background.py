# SPDX-License-Identifier: Apache-2.0
"""What has to run for two minutes: streams over a renewal of keys, started with the session and
looked at by its last tests, while the other tests run."""

import os
import time

import pytest

from harness import topology, traffic, wait
from harness.guest import Guest, KernelEnd, Unavailable
from harness.tunnel import Tunnel, WARREN, WIREGUARD_GO, endpoint

REKEY_AFTER_S = 120
# A train of datagrams that the kernel drops as one is one in its counters.
TRAIN = 64
PACKETS_A_DROP = 1 if os.environ.get("WARREN_WG_OFFLOADS") == "none" else TRAIN


class NumberedStream:
    """tools/flows.c at both ends of one direction, for minutes."""

    def __init__(self, lab, program, source, target, address, pace_per_s, size, flows=1,
                 port=7200):
        self.receiver = lab.spawn([program, *self.receiving(address, port)], netns=target,
                                  label="receive")
        wait.until(lambda: self.bound(target, port), 5, "receiver of the stream")
        self.sender = lab.spawn([program, *self.sending(address, port, pace_per_s, size, flows)],
                                netns=source, label="send")

    @staticmethod
    def receiving(address, port):
        """The program's arguments at one end, without answers."""
        return ["receive", address, str(port), "0"]

    @staticmethod
    def sending(address, port, pace_per_s, size, flows=1):
        """And at the other; a single flow has datagrams of one size."""
        least = size if flows == 1 else 16
        return ["send", address, *(str(n) for n in (port, flows, pace_per_s, least, size, 1))]

    @staticmethod
    def bound(ns, port):
        with ns.entered():
            for name in ("udp", "udp6"):
                with open("/proc/thread-self/net/" + name) as f:
                    if ":%04X " % port in f.read():
                        return True
        return False

    @staticmethod
    def numbers(told):
        """What both ends say, as one dictionary of numbers; 'late' counts what overtook another of
        its flow."""
        result = {key: int(value) for key, value in
                  (pair.split("=", 1) for pair in told.split() if "=" in pair)}
        result["missing"] = result["sent"] - result["received"]
        return result

    def finish(self):
        """Ends the stream; returns its numbers."""
        for process, seconds in ((self.sender, 1.0 * wait.SLOW), (self.receiver, 0)):
            assert process.running(), process.log()
            process.popen.terminate()
            process.wait(5)
            # the last packets need a moment; there is nothing to poll at a program that only counts
            wait.steady(lambda: True, seconds, "packets on their way")
        return self.numbers(self.sender.log() + self.receiver.log())


def kernel_drops(cat):
    """Packets that a host's kernel threw away because nobody fetched them in time: full receive
    buffers, TUN queues, backlog. 'cat' returns the text of a file under /proc there. On a machine
    with time to spare this is 0, and then a test that allows for it allows for nothing."""
    lines = cat("/proc/net/snmp").split("\n")
    udp = [line.split() for line in lines if line.startswith("Udp:")]
    count = sum(int(udp[1][udp[0].index(name)]) for name in ("RcvbufErrors", "MemErrors"))
    for line in cat("/proc/net/snmp6").split("\n"):
        if line.startswith(("Udp6RcvbufErrors", "Udp6MemErrors")):
            count += int(line.split()[1])
    for line in cat("/proc/net/dev").split("\n"):
        if ":" in line:
            fields = line.split(":", 1)[1].split()
            count += int(fields[3]) + int(fields[11])
    for line in cat("/proc/net/softnet_stat").split("\n"):
        if line:
            count += int(line.split()[1], 16)
    return count


def assert_nothing_lost(results, drops):
    """No packet of the streams was refused, repeated or damaged, and none is missing that the
    kernel did not drop."""
    missing = 0
    for result in results:
        for what in ("refused", "repeated", "damaged", "late"):
            assert result[what] == 0, result
        missing += result["missing"]
    assert missing <= drops * PACKETS_A_DROP, "%d packets lost, the kernel dropped %d times: %s" % (
        missing, drops, results)
    if missing:
        print("\n%d packets missing; the kernel dropped %d times for want of time" % (
            missing, drops))


# What the program itself would count if it lost a packet of an established pair.
LOSSES = ("no_session", "session_expired", "bad_tag", "replay", "queue_full", "handshake_failed")


class LongRun:
    """Two tunnel ends with streams both ways."""

    def __init__(self, lab, program, left, right, family, pace_per_s, size, flows=1):
        a, b = topology.two_hosts(lab)
        for ns in (a, b):  # order counts: a veth pair keeps it with one queue only
            ns.run(["ethtool", "-K", "u0", "gro", "on"])
        self.left = Tunnel(lab, a, left, topology.inner_addresses(0)).start().configure()
        self.right = Tunnel(lab, b, right, topology.inner_addresses(1)).start().configure()
        for end in (self.left, self.right):
            # the machine may be busy for a while: packets are to wait, not to be dropped, before
            # they reach the tunnel
            end.ns.ip("link set %s txqueuelen 10000" % end.name)
        self.right.add_peer(self.left, allowed=topology.inner_hosts(0))
        self.left.add_peer(self.right, endpoint(topology.UNDERLAY[family][1], self.right.port),
                           topology.inner_hosts(1))
        assert traffic.ping(a, topology.INNER[4][1]) == 1
        self.first_handshake = self.left.handshake_time(self.right)
        self.started = time.monotonic()
        self.dropped_before = self._dropped()
        pace_per_s = int(pace_per_s / wait.SLOW)
        inner = topology.INNER[family]
        self.streams = [NumberedStream(lab, program, a, b, inner[1], pace_per_s, size, flows),
                        NumberedStream(lab, program, b, a, inner[0], pace_per_s, size, flows)]

    def rekeyed(self):
        return self.left.handshake_time(self.right) > self.first_handshake + 1

    def _dropped(self):
        return sum(kernel_drops(lambda path, ns=end.ns: ns.run(["cat", path]).stdout)
                   for end in (self.left, self.right))

    def dropped(self):
        """What the kernels of both hosts dropped since the streams began."""
        return self._dropped() - self.dropped_before


LONG_RUNS = {"warren-warren": (WARREN, WARREN, 4, 1000, 1200),
             "warren-warren, four streams": (WARREN, WARREN, 6, 800, 1300, 4),
             # wireguard-go's socket holds 200 kB, and each packet counts with its overhead
             "warren-wireguard-go": (WARREN, WIREGUARD_GO, 6, 200, 100),
             "wireguard-go-warren": (WIREGUARD_GO, WARREN, 4, 200, 100)}


@pytest.fixture(scope="session")
def long_runs(session_lab, tool):
    """The pairs whose keys are renewed under load."""
    return {name: LongRun(session_lab, tool("flows"), *what)
            for name, what in LONG_RUNS.items()}


@pytest.fixture(scope="session")
def guest(session_lab, tool):
    """The emulated guest, with its addresses; skips loudly where there can be none."""
    ns = session_lab.namespace("k")
    try:
        machine = Guest(session_lab, ns, modules=("wireguard",),
                        programs={"wg": "wg", "flows": tool("flows")})
    except Unavailable as reason:
        pytest.skip("NOT TESTED against the kernel's WireGuard: %s" % reason)
    ns.ip("addr add 10.99.0.1/24 dev tap0", "addr add 10.98.0.1/24 dev tap0",
          "addr add fd99::1/64 dev tap0 nodad")
    machine.run("ip addr add 10.99.0.2/24 dev eth0; ip addr add 10.98.0.2/24 dev eth0; "
                "ip addr add fd99::2/64 dev eth0")
    return machine


class KernelRun:
    """A warren end and a kernel end with streams both ways, on addresses and ports of their own."""

    def __init__(self, lab, guest, program, initiator, number):
        ours, theirs = "10.8.%d.1" % number, "10.8.%d.2" % number
        port, stream_port = 52000 + number, 7300 + number
        self.guest = guest
        pace = int(50 / wait.SLOW)
        self.end = Tunnel(lab, guest.ns, WARREN, [ours + "/24"], port=port).start().configure()
        self.far = KernelEnd(guest, "wgl%d" % number, port, [theirs + "/24"])
        know = initiator == "warren"
        self.far.add_peer(self.end, None if know else "10.98.0.1:%d" % port, [ours + "/32"])
        self.end.add_peer(self.far, "10.98.0.2:%d" % port if know else None, [theirs + "/32"])
        if know:
            assert traffic.ping(guest.ns, theirs) == 1
        else:
            guest.run("ping -q -c 1 -W 5 " + ours)
        self.first_handshake = self.end.handshake_time(self.far)
        self.started = time.monotonic()
        self.dropped_before = self._dropped()
        self.inward = lab.spawn([program, *NumberedStream.receiving(ours, stream_port)],
                                netns=guest.ns, label="receive")
        wait.until(lambda: NumberedStream.bound(guest.ns, stream_port), 5, "receiver of the stream")
        self.pids = []
        self.names = ("/tmp/in%d" % number, "/tmp/out%d" % number)
        for name, arguments in zip(self.names, (
                NumberedStream.receiving(theirs, stream_port),
                NumberedStream.sending(ours, stream_port, pace, 900))):
            command = " ".join(["flows", *arguments])
            self.pids.append(guest.run("%s > %s 2>&1 & echo $!" % (command, name)).split()[-1])
        wait.until(lambda: ":%04X " % stream_port in guest.run("cat /proc/net/udp"), 5,
                   "receiver in the guest")
        self.outward = lab.spawn([program, *NumberedStream.sending(theirs, stream_port, pace, 900)],
                                 netns=guest.ns, label="send")

    def rekeyed(self):
        return self.end.handshake_time(self.far) > self.first_handshake + 1

    def _dropped(self):
        return (kernel_drops(lambda path: self.guest.run("cat " + path)) +
                kernel_drops(lambda path: self.end.ns.run(["cat", path]).stdout))

    def dropped(self):
        """What the kernels at both ends dropped since the streams began."""
        return self._dropped() - self.dropped_before

    def finish(self):
        """Ends both streams; returns what sender and receiver say, a dictionary a direction."""
        self.outward.popen.terminate()
        self.outward.wait(5)
        self.guest.run("kill -TERM " + self.pids[1])
        wait.steady(lambda: True, 1.0 * wait.SLOW, "packets on their way")
        self.inward.popen.terminate()
        self.inward.wait(5)
        self.guest.run("kill -TERM " + self.pids[0])

        def told(name):
            return wait.until(lambda: "=" in self.guest.run("cat " + name) and
                              self.guest.run("cat " + name), 5, "report of the guest's stream")

        return [NumberedStream.numbers(self.outward.log() + " " + told(self.names[0])),
                NumberedStream.numbers(told(self.names[1]) + " " + self.inward.log())]


@pytest.fixture(scope="session")
def kernel_streams(session_lab, guest, tool):
    """Both roles against the kernel, each with streams over a renewal of keys."""
    program = tool("flows")
    return {role: KernelRun(session_lab, guest, program, role, number)
            for number, role in enumerate(("warren", "kernel"), 1)}


@pytest.fixture(scope="session", autouse=True)
def start_early(request, nothing_left_behind):
    """Starts, with the first test, the fixtures that tests marked early("fixture") need at the
    end."""
    wanted = []
    for item in request.session.items:
        wanted += [m.args[0] for m in item.iter_markers("early") if m.args[0] not in wanted]
    for name in wanted:
        try:
            request.getfixturevalue(name)
        except pytest.skip.Exception:
            pass  # the tests that asked for it will be skipped with its reason
