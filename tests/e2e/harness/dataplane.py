# SPDX-License-Identifier: Apache-2.0
"""What the data plane's tests share: its settings in a running program, pairs of ends, underlays,
flows of numbered datagrams, and what the kernel dropped itself."""

import os
import re

from harness import topology, traffic, uapi, wait
from harness.background import PACKETS_A_DROP, TRAIN, NumberedStream, kernel_drops
from harness.tunnel import Tunnel, WARREN, endpoint

OFFLOADS = ("csum", "tso4", "tso6", "uso", "gso", "gro")


def status(end):
    """What the program says about its data plane: workers (a number), tun_offloads and
    udp_offloads (sets of names), aead (a name)."""
    pairs = dict(uapi.parse(uapi.request(end.name, "get=1\nstats=1\n\n")))
    told = {key: set(pairs[key].split(",")) - {"none"} for key in ("tun_offloads", "udp_offloads")}
    return dict(told, workers=int(pairs["workers"]), aead=pairs["aead"])


def chosen(variable, otherwise):
    """A setting of this run."""
    return os.environ.get(variable, otherwise)


def wants_offloads():
    return chosen("WARREN_WG_OFFLOADS", "all") == "all"


def pair(lab, mtu=None, underlay_mtu=1500, family=4, env=None, far=WARREN, queue=10000):
    """Two ends on two hosts. Queues before the tunnel are long: on a crowded machine packets are to
    wait there."""
    a, b = topology.two_hosts(lab, underlay_mtu)
    one_queue(a, b)
    left = Tunnel(lab, a, WARREN, topology.inner_addresses(0), mtu=mtu).start(env).configure()
    right = Tunnel(lab, b, far, topology.inner_addresses(1), mtu=mtu).start(env).configure()
    right.add_peer(left, allowed=topology.inner_hosts(0))
    left.add_peer(right, endpoint(topology.UNDERLAY[family][1], right.port),
                  topology.inner_hosts(1))
    for end in (left, right):
        end.ns.ip("link set %s txqueuelen %d" % (end.name, queue))
    assert traffic.ping(a, topology.INNER[4][1]) == 1
    return left, right


def one_queue(*hosts, interface="u0"):
    """Has the veth pair keep packets in one queue. Otherwise each processor has its own, and a
    sender that moves between them may overtake itself, without any tunnel."""
    for ns in hosts:
        ns.run(["ethtool", "-K", interface, "gro", "on"])


def plain_wire(ns, interface):
    """Makes a link pass one finished packet at a time."""
    ns.run(["ethtool", "-K", interface, "tx", "off", "tso", "off", "gso", "off", "gro", "off",
            "tx-udp-segmentation", "off"])


def dropped(*hosts):
    """What the kernels of these hosts dropped so far for want of room."""
    def cat(path):
        with open(path.replace("/proc/net", "/proc/thread-self/net")) as f:
            return f.read()

    count = 0
    for ns in hosts:
        with ns.entered():
            count += kernel_drops(cat)
    return count


class Flows:
    """tools/flows.c at both ends of one direction."""

    _port = 7500

    def __init__(self, lab, program, source, target, address, flows=16, pace_per_s=4000,
                 sizes=(16, 1200), train=1, answer_each=0, hosts=()):
        Flows._port += 1
        port = str(Flows._port)
        self.hosts = hosts or (source, target)
        self.dropped_before = dropped(*self.hosts)
        pace = max(1, int(pace_per_s / wait.SLOW))
        self.count_file = os.path.join(lab.directory, "count-%s" % port)
        self.receiver = lab.spawn([program, "receive", address, port, answer_each,
                                   self.count_file], netns=target, label="flows-receive")
        wait.until(lambda: NumberedStream.bound(target, int(port)), 5, "receiver of the flows")
        self.sender = lab.spawn([program, "send", address, port, flows, pace, *sizes, train],
                                netns=source, label="flows-send")
        self.pace_per_s = pace
        self.begun = wait.time.monotonic()

    def last(self, seconds):
        """Lets the flows go on for some seconds of a machine that has time for them."""
        wait.until(lambda: wait.time.monotonic() >= self.begun + seconds, seconds + 5, "time")

    def received(self):
        """How many datagrams have come so far, each counted once."""
        with open(self.count_file, "rb") as f:
            return int.from_bytes(f.read(8), "little")

    def goes_on(self, seconds=0.2):
        """Waits until as many more have come as the pace has in some seconds."""
        before, more = self.received(), int(seconds * self.pace_per_s)
        wait.until(lambda: self.received() >= before + more, 30 + 2 * seconds, "flows going on")

    def finish(self):
        """Ends the flows and returns the numbers of both ends."""
        return finish(self)[0]

    def finish_whole(self, least=500, joined=False):
        """The same; every datagram must have come, once, unchanged and in its flow's order. What
        the kernel says that it dropped itself is not held against the program; 'joined': the test
        has switched on what joins datagrams, whatever the settings say."""
        return finish_whole(self, least=least, joined=joined)[0]

    def _result(self):
        self.log = self.sender.log() + self.receiver.log()
        result = NumberedStream.numbers(self.log)
        result["dropped"] = dropped(*self.hosts) - self.dropped_before
        return result


def finish(*flows):
    """Ends flows that run side by side; returns the numbers of each."""
    for stage in ("sender", "receiver"):
        processes = [getattr(flow, stage) for flow in flows]
        for process in processes:
            assert process.running(), process.log()
            process.popen.terminate()
        for process in processes:
            process.wait(5)
        if stage == "sender":
            arrive(flows)
    return [flow._result() for flow in flows]


def arrive(flows):
    """Waits until all is there that was sent, or until nothing has come any more for a while."""
    sent = sum(int(re.search(r"sent=(\d+)", flow.sender.log()).group(1)) for flow in flows)
    latest, since = -1, 0
    while latest < sent:
        before, latest = latest, sum(flow.received() for flow in flows)
        now = wait.time.monotonic()
        since = now if latest != before else since
        if now - since > 0.5 * wait.SLOW:
            break
        wait.time.sleep(wait.STEP_S)


def finish_whole(*flows, least=500, joined=False):
    """Flows.finish_whole of several; returns the numbers of each. They go on until each has carried
    'least' datagrams: how long that takes is the machine's matter."""
    for flow in flows:
        wait.until(lambda f=flow: f.received() >= least / wait.SLOW, 60, "enough datagrams")
    results = finish(*flows)
    for flow, result in zip(flows, results):
        assert result["sent"] >= least / wait.SLOW, result
        for what in ("late", "repeated", "damaged"):
            assert result[what] == 0, (what, result, flow.log)
        allowed = result["dropped"] * (TRAIN if joined else PACKETS_A_DROP)
        assert result["missing"] <= allowed, (result, flow.log)
    return results
