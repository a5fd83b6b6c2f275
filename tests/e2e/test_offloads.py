# SPDX-License-Identifier: Apache-2.0
"""Large packets: that they are used, that contents survive them, that they can be switched off,
refused and missing without a packet being lost.

    a: 10.7.0.1, fd07::1  ==== tunnel ====  b: 10.7.0.2, fd07::2
       u0 10.99.0.1, fd99::1 -- veth -- u0 10.99.0.2, fd99::2
"""

import fcntl
import itertools
import os
import re
import struct

import pytest

from harness import capture, dataplane, topology, traffic, tunnel, wait
from harness.dataplane import Flows, finish_whole, pair, plain_wire, status
from harness.tunnel import Tunnel, WARREN

pytestmark = pytest.mark.warren_only
families = pytest.mark.parametrize("family", [pytest.param(4, marks=pytest.mark.matrix), 6])

TUNSETIFF, TUNSETVNETHDRSZ, IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = (
    0x400454CA, 0x400454D8, 1, 0x1000, 0x4000)


def largest(tap, **wanted):
    """The largest IP packet that a capture has seen: where the kernel hands a train of segments
    over in one piece, that piece."""
    return max((len(p.ip) for p in tap.select(**wanted)), default=0)


@pytest.mark.matrix
def test_what_is_said_to_be_in_use_is(lab):
    """The program names its workers, offloads and AEAD, as it was told to choose them; and a TCP
    stream then passes the TUN devices and the underlay in pieces larger than their MTU, or does
    not."""
    left, right = pair(lab)
    wanted = set(dataplane.OFFLOADS) if dataplane.wants_offloads() else set()
    for end in (left, right):
        told = status(end)
        assert told["workers"] == int(dataplane.chosen("WARREN_WG_WORKERS", "1"))
        assert told["tun_offloads"] | told["udp_offloads"] == wanted, told
        aead = dataplane.chosen("WARREN_WG_AEAD", "auto")
        assert told["aead"].startswith(("openssl", "ipsec-mb") if aead == "auto" else aead)
        shown = end.ns.run([tunnel.WARREN_WG, "--show", end.name]).stdout
        for value in (str(told["workers"]), told["aead"], *told["tun_offloads"]):
            assert value in shown, shown
    host, wire = (capture.Capture(lab, left.ns, name) for name in (left.name, "u0"))
    far = capture.Capture(lab, right.ns, right.name)
    for family in (4, 6):
        for tap in (host, wire, far):
            del tap.packets[:]
        traffic.tcp_transfer(lab, left.ns, right.ns, topology.INNER[family][1], size=8 << 20)
        seen = {"host": largest(host, outgoing=True), "wire": largest(wire, outgoing=True),
                "far host": largest(far, outgoing=False)}
        if wanted:
            assert seen["host"] > 1420 and seen["wire"] > 1500 and seen["far host"] > 1420, seen
        else:
            assert seen["host"] <= 1420 and seen["wire"] <= 1500 and seen["far host"] <= 1420, seen


@pytest.mark.watchdog(120)
@pytest.mark.parametrize("mtu,underlay_mtu,family", [
    (1280, 1500, 4), pytest.param(1420, 1500, 6, marks=pytest.mark.matrix), (1500, 1500, 4),
    (8900, 9200, 6), pytest.param(9000, 1500, 4, marks=pytest.mark.matrix), (65000, 65535, 4)])
def test_contents_in_bulk(lab, tool, mtu, underlay_mtu, family):
    """Random contents, both ways, by TCP and in UDP datagrams of every size (those larger than the
    MTU travel in fragments), over both inner families, come out as they went in."""
    left, right = pair(lab, mtu, underlay_mtu, family)
    for end in (left, right):
        end.ns.sysctl("net.ipv4.ipfrag_high_thresh", 64 << 20)
        end.ns.sysctl("net.ipv6.ip6frag_high_thresh", 64 << 20)
    for inner in (4, 6):
        traffic.tcp_transfer(lab, left.ns, right.ns, topology.INNER[inner][1], size=6 << 20)
        traffic.tcp_transfer(lab, right.ns, left.ns, topology.INNER[inner][0], size=3 << 20)
    # fragments have no ports, so with several queues they take another one than their flow's
    # whole datagrams: apart
    flows = [Flows(lab, tool("flows"), source.ns, target.ns, topology.INNER[inner][i],
                   pace_per_s=300, sizes=sizes)
             for sizes in ((16, 1200), (2000, 8192)) for inner in (4, 6)
             for i, (source, target) in ((1, (left, right)), (0, (right, left)))]
    flows[-1].last(1)
    finish_whole(*flows, least=200)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("size,train", [
    pytest.param(1000, 60, marks=pytest.mark.matrix), (16, 64), (513, 3), (1392, 40)])
def test_trains_of_datagrams(lab, tool, family, size, train):
    """A program sends its datagrams in trains (UDP_SEGMENT): each arrives by itself, whole, in
    order."""
    left, right = pair(lab)
    if family == 6:
        size = min(size, 1372)
    stream = Flows(lab, tool("flows"), left.ns, right.ns, topology.INNER[family][1], flows=4,
                   pace_per_s=8000, sizes=(size, size), train=train)
    stream.last(1)
    stream.finish_whole(1000)


@pytest.mark.matrix
def test_mtu_changes_in_a_stream(lab, tool):
    """The MTU of both ends goes up and down while datagrams and a TCP stream flow: none of the
    datagrams is lost, and the stream goes on."""
    left, right = pair(lab, underlay_mtu=9200)
    flows = [Flows(lab, tool("flows"), left.ns, right.ns, "10.7.0.2", sizes=(16, 1200)),
             Flows(lab, tool("flows"), right.ns, left.ns, "fd07::1", sizes=(16, 1200))]
    stream = traffic.Transfer(lab, left.ns, right.ns, "fd07::2")
    for mtu in (1280, 9000, 1300, 1420, 8999, 1281, 1420):
        for end in (left, right):
            end.ns.ip("link set %s mtu %d" % (end.name, mtu))
        stream.goes_on()
    stream.finish()
    finish_whole(*flows)


@pytest.mark.matrix
def test_switched_off_and_on_in_a_stream(lab, tool):
    """Offloads go off and on, all and each, at one end and the other, while datagrams in trains and
    a TCP stream flow: nothing is lost, and the program says what is in use."""
    left, right = pair(lab)
    flows = [Flows(lab, tool("flows"), left.ns, right.ns, "10.7.0.2", pace_per_s=6000,
                   sizes=(600, 600), train=8),
             Flows(lab, tool("flows"), right.ns, left.ns, "fd07::1", sizes=(16, 1300))]
    stream = traffic.Transfer(lab, left.ns, right.ns, "10.7.0.2")
    able = status(left) if dataplane.wants_offloads() else None
    for choice in ("none", "all", "csum,tso4", "gso", "all", "gro", "none", "csum,uso,gso", "all"):
        for end in (left, right):
            assert end.set("offloads=" + choice) == 0
            told = status(end)
            told = told["tun_offloads"] | told["udp_offloads"]
            if choice == "none":
                assert not told
            elif choice == "all":
                assert able is None or told == able["tun_offloads"] | able["udp_offloads"]
            else:
                assert told <= set(choice.split(","))
            stream.goes_on()
    stream.finish()
    finish_whole(*flows, joined=True)


def test_gro_goes_off_again_and_again_in_a_flood(lab, tool):
    """The kernel's joining of datagrams goes off and on forty times while trains come as fast as
    they are read: what it has joined already when it is told to stop is not lost."""
    left, right = pair(lab, env={"WARREN_WG_OFFLOADS": "all"})
    flows = Flows(lab, tool("flows"), left.ns, right.ns, "10.7.0.2", flows=8, pace_per_s=100000,
                  sizes=(1000, 1000), train=60)
    for _ in range(40):
        for choice in ("csum,tso4,tso6,uso,gso", "all"):
            flows.goes_on(0.01)
            assert right.set("offloads=" + choice) == 0
    flows.finish_whole(joined=True)
    for reason in ("bad_tag", "bad_type", "bad_length"):
        assert right.drops(reason) == 0


@pytest.mark.parametrize("workers", [1, 4])
def test_changes_in_a_flood(lab, tool, workers):
    """Floods from both sides, which a crowded machine does not keep up with, do not hold up a
    change of whatever they pass through, nor the end of the program."""
    left, right = pair(lab, env={"WARREN_WG_WORKERS": str(workers), "WARREN_WG_OFFLOADS": "all"})
    floods = [Flows(lab, tool("flows"), source.ns, target.ns, address, flows=128,
                    pace_per_s=150000, sizes=(size, size), train=train)
              for source, target, address, size, train in (
                  (left, right, "10.7.0.2", 16, 64), (right, left, "10.7.0.1", 1300, 45))]
    for flow in floods:
        wait.until(lambda flow=flow: flow.received() > 100000, 20, "a flood")
    for change in ("fwmark=1", "offloads=gso", "offloads=all", "listen_port=0", "workers=3",
                   "workers=1", "offloads=none", "fwmark=0"):
        begun = wait.time.monotonic()
        assert left.set(change) == 0
        took = wait.time.monotonic() - begun
        assert took < 3 * wait.SLOW, "%s took %.1f s" % (change, took)
    left.stop()
    for flow in floods:
        flow.sender.popen.terminate()


def test_unknown_offload_is_refused(lab):
    """A name that is none changes nothing."""
    end = Tunnel(lab, lab.namespace("a"), WARREN).start()
    before = status(end)
    for value in ("tso5", "", "all,none", "csum,", "-csum", "ALL"):
        assert end.set("offloads=" + value) == -22, value
    assert status(end) == before


# ---- refusals of the kernel ----


def strace(lab, end, *rules):
    """Has the kernel refuse calls of a running program from now on, as strace's rules say."""
    tracer = lab.spawn(["strace", "-f", "-qq", "-e", "trace=sendmsg,sendmmsg,write,writev",
                        *itertools.chain(*(("-e", "inject=" + rule) for rule in rules)),
                        "-o", "/dev/null", "-p", end.process.pid], label="strace")

    def attached():
        assert tracer.running(), tracer.log()
        with open("/proc/%d/status" % end.process.pid) as f:
            return not re.search(r"TracerPid:\s+0\n", f.read())

    wait.until(attached, 5, "strace at work")
    return tracer


@pytest.mark.parametrize("error,when", [
    ("EIO", "5"), ("EINVAL", "5..6")])  # the latter may mean the source address: tried without
def test_segmentation_refused_in_a_stream(lab, tool, error, when):
    """The kernel begins to refuse trains of datagrams in the middle of a stream: what it refused
    leaves one by one, nothing is lost, and the program no longer says that it uses gso."""
    if os.environ.get("WARREN_SANITIZE"):
        pytest.skip("strace and a sanitizer's runtime do not go together; the plain build has it")
    left, right = pair(lab, env={"WARREN_WG_OFFLOADS": "all"})
    assert "gso" in status(left)["udp_offloads"]
    # one flow, so one worker: strace counts each thread's calls, and a second thread would have one
    # refused when nothing is left to be given up
    flows = Flows(lab, tool("flows"), left.ns, right.ns, "10.7.0.2", flows=1, pace_per_s=4000,
                  sizes=(900, 900), train=16)
    flows.last(0.3)
    # the batches before went well, this one does not
    tracer = strace(lab, left, "sendmmsg:error=%s:when=%s" % (error, when),
                    "sendmsg:error=%s:when=%s" % (error, when))
    wait.until(lambda: "gso" not in status(left)["udp_offloads"], 10, "gso given up")
    flows.last(1.5)
    result = flows.finish_whole(1000, joined=True)
    tracer.popen.terminate()
    tracer.wait(5)
    assert result["missing"] == 0 or result["dropped"]
    assert left.drops("send_refused") == 0
    assert "gso" in left.log(), "the log says what was given up"
    # it stays off whatever else changes, and is tried again on demand
    for change in ("workers=2", "listen_port=0", "fwmark=1", "workers=1"):
        assert left.set(change) == 0 and "gso" not in status(left)["udp_offloads"], change
    assert left.set("offloads=all") == 0 and "gso" in status(left)["udp_offloads"]
    traffic.tcp_transfer(lab, left.ns, right.ns, "10.7.0.2", size=1 << 20)


@pytest.mark.parametrize("error", ["EINVAL", "EIO"])
def test_joined_packet_refused_in_a_stream(lab, tool, error):
    """The TUN device refuses a joined packet: its packets are handed over one by one."""
    if os.environ.get("WARREN_SANITIZE"):
        pytest.skip("strace and a sanitizer's runtime do not go together; the plain build has it")
    left, right = pair(lab, env={"WARREN_WG_OFFLOADS": "all"})
    stream = Flows(lab, tool("flows"), left.ns, right.ns, "10.7.0.2", flows=2, pace_per_s=4000,
                   sizes=(900, 900), train=16)
    stream.last(0.3)
    tracer = strace(lab, right, "writev:error=%s:when=5+50" % error,
                    "write:error=%s:when=5+50" % error)
    stream.last(1.5)
    result = stream.finish()
    tracer.popen.terminate()
    tracer.wait(5)
    assert not result["late"] and not result["repeated"] and not result["damaged"], result
    # a single packet that the device refuses is one that the program counts
    refused = sum(right.drops(r) for r in ("tun_refused", "deliver_refused")
                  if r in tunnel.uapi.stats(right.name))
    assert result["missing"] <= refused + 64 * result["dropped"], (result, refused)
    traffic.tcp_transfer(lab, left.ns, right.ns, "10.7.0.2", size=1 << 20)


@families
def test_underlay_narrower_than_a_segment(lab, tool, family):
    """The underlay's MTU shrinks below what leaves in trains, and grows again, in the middle of a
    stream: datagrams go on, in fragments."""
    left, right = pair(lab, family=family)
    flows = Flows(lab, tool("flows"), left.ns, right.ns, "10.7.0.2", flows=4, sizes=(1300, 1300),
                  train=8)
    stream = traffic.Transfer(lab, left.ns, right.ns, "fd07::2")
    for mtu in (1300, 1500, 1400):
        for end in (left, right):
            end.ns.ip("link set u0 mtu %d" % mtu)
        stream.goes_on()
        assert traffic.ping(left.ns, "10.7.0.2", size=1392, dont_fragment=True) == 1
    stream.finish()
    flows.finish_whole()


# ---- underlays and hosts without them ----


@families
def test_plain_wire(lab, tool, family):
    """An underlay that passes one finished packet at a time, as a wire does."""
    left, right = pair(lab, family=family)
    for end in (left, right):
        plain_wire(end.ns, "u0")
    wire = capture.Capture(lab, left.ns, "u0")
    flows = Flows(lab, tool("flows"), left.ns, right.ns, "10.7.0.2", pace_per_s=4000,
                  sizes=(700, 700), train=16)
    for inner in (4, 6):
        traffic.tcp_transfer(lab, left.ns, right.ns, topology.INNER[inner][1], size=4 << 20)
        traffic.tcp_transfer(lab, right.ns, left.ns, topology.INNER[inner][0], size=4 << 20)
    flows.finish_whole()
    assert largest(wire, outgoing=False) <= 1500


@pytest.mark.parametrize("flags,size", [(0, 0), (IFF_VNET_HDR, 10), (IFF_VNET_HDR, 12)],
                         ids=["plain", "header of 10", "header of 12"])
def test_adopted_device(lab, tool, flags, size):
    """A TUN device that somebody else made (WG_TUN_FD), with and without the header that offloads
    need: contents pass, and only with the header are offloads said to be in use."""
    a, b = topology.two_hosts(lab)
    left = Tunnel(lab, a, WARREN, topology.inner_addresses(0))
    with a.entered():
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", left.name.encode(),
                                                IFF_TUN | IFF_NO_PI | flags))
        if size:
            fcntl.ioctl(tun, TUNSETVNETHDRSZ, struct.pack("i", size))
    left.start(env={"WG_TUN_FD": str(tun)}, pass_fds=(tun,)).configure()
    os.close(tun)
    right = Tunnel(lab, b, WARREN, topology.inner_addresses(1)).start().configure()
    right.add_peer(left, allowed=topology.inner_hosts(0))
    left.add_peer(right, "10.99.0.2:51820", topology.inner_hosts(1))
    told = status(left)
    assert bool(told["tun_offloads"]) == bool(flags and dataplane.wants_offloads()), told
    assert traffic.ping(a, "10.7.0.2") == 1
    for inner in (4, 6):
        traffic.tcp_transfer(lab, a, b, topology.INNER[inner][1], size=4 << 20)
    flows = [Flows(lab, tool("flows"), a, b, "10.7.0.2", sizes=(16, 1300)),
             Flows(lab, tool("flows"), b, a, "fd07::1", sizes=(800, 800), train=8)]
    flows[-1].last(1)
    finish_whole(*flows, least=300)
