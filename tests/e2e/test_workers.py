# SPDX-License-Identifier: Apache-2.0
"""Worker threads: their number changes while traffic flows, no flow is reordered, keys are renewed
under streams, and nothing is left of them.

    a: 10.7.0.1, fd07::1  ==== tunnel ====  b: 10.7.0.2, fd07::2
       u0 10.99.0.1, fd99::1 -- veth -- u0 10.99.0.2, fd99::2
"""

import fcntl
import itertools
import os
import struct

import pytest

from harness import capture, dataplane, net, noise, topology, traffic, tunnel, uapi, wait
from harness.dataplane import Flows, finish_whole, pair, status
from harness.hostile import Peer
from harness.tunnel import Tunnel, WARREN

pytestmark = pytest.mark.warren_only


def set_workers(end, count):
    assert end.set("workers=%d" % count) == 0
    assert status(end)["workers"] == count


def held(end):
    """How many threads and descriptors a program has."""
    return [len(os.listdir("/proc/%d/%s" % (end.process.pid, what))) for what in ("task", "fd")]


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("offloads", ["all", "none"])
def test_flows_keep_their_order(lab, tool, workers, offloads):
    """Many flows of datagrams both ways, over both families, answered now and then, so that the
    kernel learns and changes its mind about which queue serves them: none is reordered."""
    left, right = pair(lab, env={"WARREN_WG_WORKERS": str(workers),
                                 "WARREN_WG_OFFLOADS": offloads})
    assert status(left)["workers"] == status(right)["workers"] == workers
    flows = []
    for family in (4, 6):
        flows.append(Flows(lab, tool("flows"), left.ns, right.ns, topology.INNER[family][1],
                           flows=48, pace_per_s=6000, sizes=(16, 1300), answer_each=5))
        flows.append(Flows(lab, tool("flows"), right.ns, left.ns, topology.INNER[family][0],
                           flows=3, pace_per_s=6000, sizes=(900, 900), train=8, answer_each=64))
    flows[-1].last(2)
    for result in finish_whole(*flows, least=3000, joined=offloads == "all"):
        assert result["answers"] > 0


@pytest.mark.matrix
@pytest.mark.watchdog(120)
def test_number_of_workers_changes_in_streams(lab, tool):
    """1 to 7 workers and back, again and again, by one and by more at once, during four TCP streams
    and flows of datagrams both ways: no datagram is lost or reordered, the streams go on, and a
    refused number changes nothing."""
    left, right = pair(lab)
    streams = [traffic.Transfer(lab, one.ns, other.ns, topology.INNER[family][i])
               for family in (4, 6) for i, (one, other) in ((1, (left, right)), (0, (right, left)))]
    flows = [Flows(lab, tool("flows"), left.ns, right.ns, "10.7.0.2", answer_each=7),
             Flows(lab, tool("flows"), right.ns, left.ns, "fd07::1", sizes=(800, 800), train=8)]
    for count in (2, 3, 7, 1, 5, 2, 4, 1):
        for end in (left, right):
            set_workers(end, count)
            for wrong in ("0", "-1", "65", "x", ""):
                assert end.set("workers=" + wrong) == -22
            assert status(end)["workers"] == count
        for stream in streams:
            stream.goes_on()
    for stream in streams:
        stream.finish()
    finish_whole(*flows)
    before = held(left)
    for count in (7, 1) * 5:
        set_workers(left, count)
    # one descriptor may be that of our last question
    wait.until(lambda: held(left) <= [before[0], before[1] + 1], 5, "as many as before")


def test_workers_that_are_not_needed_end(lab, tool):
    """Workers that have carried packets leave neither a thread nor their memory behind when their
    number goes down, but for what the kernel's queues and sockets hold open."""
    left, right = pair(lab, env={"WARREN_WG_WORKERS": "1"})
    flows = [Flows(lab, tool("flows"), left.ns, right.ns, "10.7.0.2", flows=64, pace_per_s=16000),
             Flows(lab, tool("flows"), right.ns, left.ns, "10.7.0.1", flows=64, pace_per_s=4000)]
    flows[0].goes_on()
    threads, memory = held(left)[0], left.process.resident_bytes()
    set_workers(left, 16)
    flows[0].goes_on(0.5)
    assert held(left)[0] == threads + 15
    peak = left.process.resident_bytes()
    set_workers(left, 1)
    flows[0].goes_on()
    wait.until(lambda: held(left)[0] == threads, 5, "threads gone")
    if not os.environ.get("WARREN_SANITIZE"):  # whose allocators keep what is freed
        wait.until(lambda: left.process.resident_bytes() < memory + (peak - memory) / 4, 5,
                   "memory given back; %d bytes before, %d at most" % (memory, peak))
    finish_whole(*flows)


@pytest.mark.parametrize("count", [3, pytest.param(16, marks=pytest.mark.matrix), 64])
def test_many_workers_at_once(lab, tool, count):
    """From one worker to many in one step, down to two and to one, in dense flows: each flow moves
    once at a step or not at all, and none is reordered."""
    left, right = pair(lab, env={"WARREN_WG_WORKERS": "1"})
    flows = [Flows(lab, tool("flows"), left.ns, right.ns, "10.7.0.2", pace_per_s=16000, flows=64),
             Flows(lab, tool("flows"), right.ns, left.ns, "10.7.0.1", pace_per_s=4000, flows=64)]
    for workers in (count, 2, count, 1):
        flows[0].goes_on()
        for end in (left, right):
            set_workers(end, workers)
    flows[0].goes_on()
    finish_whole(*flows)


@pytest.mark.matrix
@pytest.mark.watchdog(120)
def test_all_at_once(lab, tool):
    """Workers, offloads, MTU, port, peers and the link's state change during streams; what is not
    switched off goes on, and at the end everything works."""
    left, right = pair(lab, underlay_mtu=9200)
    stream = traffic.Transfer(lab, left.ns, right.ns, "10.7.0.2")
    other = noise.public_key(noise.private_key()).hex()
    def down_and_up(end):
        """An end that was down has no keys; the first that it says gets it new ones."""
        me, they = (0, 1) if end is left else (1, 0)
        end.ns.ip("link set %s down" % end.name, "link set %s up" % end.name,
                  "addr replace %s/64 dev %s nodad" % (topology.INNER[6][me], end.name))
        traffic.reachable(end.ns, topology.INNER[4][they])
        return 0

    turns = itertools.cycle([
        lambda end: end.set("workers=3"),
        lambda end: end.set("offloads=none"),
        lambda end: end.set("listen_port=%d" % (51820 if end is right else 0)),
        lambda end: end.set("public_key=" + other, "allowed_ip=10.9.0.0/16"),
        lambda end: end.ns.ip("link set %s mtu 9000" % end.name).code,
        lambda end: end.set("offloads=all"),
        down_and_up,
        lambda end: end.set("workers=1"),
        lambda end: end.set("public_key=" + other, "remove=true"),
        lambda end: end.ns.ip("link set %s mtu 1420" % end.name).code])
    for turn, change in zip(range(40), turns):
        assert change((left, right)[turn // 10 % 2]) == 0, turn
        if turn % 5 == 4:
            stream.goes_on()
    stream.finish()
    for family in (4, 6):
        assert traffic.ping(left.ns, topology.INNER[family][1], count=3) == 3
    flow = Flows(lab, tool("flows"), left.ns, right.ns, "fd07::2")
    flow.last(1)
    flow.finish_whole(joined=True)


@pytest.mark.matrix
def test_keys_renewed_again_and_again(lab):
    """A peer renews its keys thirty times while it sends in four flows, partly still with the keys
    before: every packet is delivered once and in order, and answers come with the newest keys."""
    a, b = topology.two_hosts(lab)
    end = Tunnel(lab, b, WARREN, topology.inner_addresses(1)).start().configure()
    peer = Peer(a, end.public, ("10.99.0.2", 51820))
    end.add_peer(peer, allowed=topology.inner_hosts(0))
    sinks = [b.udp("10.7.0.2", 4001 + i) for i in range(4)]
    peer.connect()
    numbers, expected = [0] * 4, []
    for _ in range(30):
        wait.steady(lambda: True, 0.03, "no faster than an end accepts initiations")
        old = peer.session
        handshake = peer.start_handshake()
        for flow in range(4):  # beside the handshake, with the keys before
            peer.send(old.seal(capture.ipv4_udp("10.7.0.1", "10.7.0.2", b"%d" % numbers[flow],
                                                sport=4000 + flow, dport=4001 + flow)))
            numbers[flow] += 1
        peer.session = handshake.read_response(peer.receive(kind=noise.RESPONSE))
        for flow in range(4):
            peer.send_packet(capture.ipv4_udp("10.7.0.1", "10.7.0.2", b"%d" % numbers[flow],
                                              sport=4000 + flow, dport=4001 + flow))
            numbers[flow] += 1
        assert [sinks[0].recv(100) for _ in range(2)] == [b"%d" % n for n in (
            numbers[0] - 2, numbers[0] - 1)]
        expected.append(os.urandom(8))
        sinks[0].sendto(expected[-1], ("10.7.0.1", 9))
        assert peer.next_packet().endswith(expected[-1])
    for flow in range(1, 4):
        assert [int(sinks[flow].recv(100)) for _ in range(numbers[flow])] == list(
            range(numbers[flow]))


@pytest.mark.matrix
def test_two_peers_and_their_flows(lab, tool):
    """A hub with two peers, each with flows to the hub and to each other: none is reordered, none
    is lost."""
    _, (h1, h2, h3) = topology.switch(lab, 3)
    h3.sysctl("net.ipv4.ip_forward", 1)
    hub = Tunnel(lab, h3, WARREN, ["10.7.0.3/24"]).start().configure()
    for ns in (h1, h2, h3):
        dataplane.one_queue(ns)
    for i, ns in enumerate((h1, h2), 1):
        spoke = Tunnel(lab, ns, WARREN, ["10.7.0.%d/24" % i]).start().configure()
        spoke.add_peer(hub, "10.99.0.3:51820", ["10.7.0.0/24"])
        hub.add_peer(spoke, allowed=["10.7.0.%d/32" % i])
        ns.ip("link set %s txqueuelen 10000" % spoke.name)
        assert traffic.ping(ns, "10.7.0.3") == 1
    h3.ip("link set %s txqueuelen 10000" % hub.name)
    flows = [Flows(lab, tool("flows"), source, target, address, flows=8, pace_per_s=2500,
                   sizes=(16, 1300), answer_each=9, hosts=(h1, h2, h3))
             for source, target, address in ((h1, h3, "10.7.0.3"), (h2, h3, "10.7.0.3"),
                                             (h1, h2, "10.7.0.2"), (h2, h1, "10.7.0.1"))]
    flows[-1].last(1.5)
    finish_whole(*flows, least=1000)


@pytest.mark.matrix
@pytest.mark.parametrize("workers", [1, 4])
def test_killed_under_load(lab, workers):
    """kill -9 in the middle of streams leaves no interface, no thread and no descriptor behind, and
    the next start finds everything free."""
    left, right = pair(lab, env={"WARREN_WG_WORKERS": str(workers)})
    stream = traffic.Transfer(lab, left.ns, right.ns, "10.7.0.2")
    stream.goes_on()
    pid = left.process.pid
    left.kill()
    stream.close()
    assert not os.path.exists("/proc/%d/task" % pid) and not left.ns.pids()
    wait.until(lambda: not left.ns.has_link(left.name), 5, "interface gone")
    left.ns.udp("0.0.0.0", 51820).close()  # the port is free
    left.start().configure()
    left.add_peer(right, "10.99.0.2:51820", topology.inner_hosts(1))
    assert traffic.ping(left.ns, "10.7.0.2") == 1


@pytest.mark.matrix
def test_ended_under_load(lab, tool):
    """SIGTERM in the middle of flows ends the program at once and in order."""
    left, right = pair(lab, env={"WARREN_WG_WORKERS": "3"})
    flows = Flows(lab, tool("flows"), right.ns, left.ns, "10.7.0.1", pace_per_s=8000)
    stream = traffic.Transfer(lab, left.ns, right.ns, "10.7.0.2")
    stream.goes_on()
    left.stop()  # looks at the exit code, the socket and the interface
    stream.close()
    flows.sender.popen.terminate()
    left.start().configure()
    left.add_peer(right, "10.99.0.2:51820", topology.inner_hosts(1))
    assert traffic.ping(left.ns, "10.7.0.2") == 1


def test_adopted_device_with_one_queue(lab):
    """A handed-in descriptor of a device with one queue serves one worker: more are refused by name
    when the program runs, and a start that asks for more says so and goes on with one."""
    a = lab.namespace("a")
    end = Tunnel(lab, a, WARREN, topology.inner_addresses(0))
    with a.entered():
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", end.name.encode(), 1 | 0x1000))
    end.start(env={"WG_TUN_FD": str(tun), "WARREN_WG_WORKERS": "2"}, pass_fds=(tun,)).configure()
    os.close(tun)
    assert status(end)["workers"] == 1
    assert end.set("workers=2") != 0 and status(end)["workers"] == 1


@pytest.mark.parametrize("variable,value", [
    ("WARREN_WG_WORKERS", "0"), ("WARREN_WG_WORKERS", "many"), ("WARREN_WG_WORKERS", "65"),
    ("WARREN_WG_OFFLOADS", "some"), ("WARREN_WG_AEAD", "rot13")])
def test_bad_settings(lab, variable, value):
    """A setting that is none is refused at the start, in one line with what it may be."""
    a, name = lab.namespace("a"), net.Names.interface()
    result = a.run([tunnel.WARREN_WG, "-f", name], env={variable: value}, check=False, timeout=5)
    lines = (result.stdout + result.stderr).strip().split("\n")
    assert result.code > 0 and len(lines) == 1 and len(lines[0]) > 20, result.stderr
    assert not a.pids() and not a.has_link(name) and not os.path.exists(uapi.path(name))
