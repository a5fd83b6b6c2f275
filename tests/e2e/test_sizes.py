# SPDX-License-Identifier: Apache-2.0
"""Packets of every size.

    a: 10.7.0.1, fd07::1, MTU as tested               b: 10.7.0.2, fd07::2, the same MTU
       u0 10.99.0.1, fd99::1 -------- veth -------- u0 10.99.0.2, fd99::2
"""

import os

import pytest

from harness import topology, traffic, tunnel, wait
from harness.tunnel import Tunnel, WARREN, WIREGUARD_GO, endpoint


def ends(lab, mtu, far=WARREN, underlay_mtu=1500, family=4):
    a, b = topology.two_hosts(lab, underlay_mtu)
    left = Tunnel(lab, a, WARREN, topology.inner_addresses(0), mtu=mtu).start().configure()
    right = Tunnel(lab, b, far, topology.inner_addresses(1), mtu=mtu).start().configure()
    right.add_peer(left, allowed=topology.inner_hosts(0))
    left.add_peer(right, endpoint(topology.UNDERLAY[family][1], right.port),
                  topology.inner_hosts(1))
    return left, right


def exact(ns, address, size):
    """Whether an unfragmentable inner packet of exactly 'size' bytes comes through and back."""
    header = 48 if ":" in address else 28
    return traffic.ping(ns, address, size=size - header, dont_fragment=True) == 1


@pytest.mark.matrix
@pytest.mark.parametrize("far", [WARREN, WIREGUARD_GO])
@pytest.mark.parametrize("underlay_mtu", [1500, 9200])
def test_mtu_sweep(lab, far, underlay_mtu):
    """MTU 1280 to 9000: packets up to every MTU pass, both families, over an underlay that
    fragments and one that need not."""
    left, right = ends(lab, 1280, far, underlay_mtu)
    for mtu in (1280, 1281, 1295, 1296, 1420, 1440, 1500, 1501, 2304, 4000, 8192, 8999, 9000):
        for end in (left, right):
            end.ns.ip("link set %s mtu %d" % (end.name, mtu))
        for address in ("10.7.0.2", "fd07::2"):
            assert exact(left.ns, address, mtu), (mtu, address)
            assert exact(left.ns, address, mtu - 1), (mtu - 1, address)
    traffic.tcp_transfer(lab, left.ns, right.ns, "10.7.0.2", size=1 << 20)
    traffic.tcp_transfer(lab, right.ns, left.ns, "fd07::1", size=1 << 20)


@pytest.mark.matrix
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("underlay_mtu", [1500, 65535])
def test_largest_packets(lab, family, underlay_mtu):
    """The largest inner packets that a UDP datagram can carry pass; larger ones are refused with a
    counter and hurt nothing.

    A datagram holds 65,507 bytes over IPv4 and 65,527 over IPv6, 32 of them overhead."""
    left, right = ends(lab, 65535, WARREN, underlay_mtu, family)
    for end in (left, right):
        assert "mtu 65535" in end.ns.run(["ip", "link", "show", end.name]).stdout
        end.ns.sysctl("net.ipv4.ipfrag_high_thresh", 16 << 20)
        end.ns.sysctl("net.ipv6.ip6frag_high_thresh", 16 << 20)
    most = {4: 65507, 6: 65527}[family] - 32
    most -= most % 16  # content is padded to 16
    for size in (32768, 49152, 60000, most - 1, most):
        assert exact(left.ns, "10.7.0.2", size), size
        assert exact(right.ns, "10.7.0.1", size), size
    before = None if tunnel.STAND_IN else sum(
        left.drops(r) for r in ("send_refused", "bad_host_packet"))
    assert traffic.ping(left.ns, "10.7.0.2", size=65535 - 28, wait_s=0.3) == 0
    if before is not None:
        wait.until(lambda: sum(left.drops(r) for r in ("send_refused", "bad_host_packet")) > before,
                   5, "counter of packets that are too large")
    for end in (left, right):
        end.ns.ip("link set %s mtu %d" % (end.name, most))
    traffic.tcp_transfer(lab, left.ns, right.ns, "10.7.0.2", size=1 << 20)


@pytest.mark.parametrize("far", [WARREN, WIREGUARD_GO])
@pytest.mark.parametrize("family", [4, 6])
def test_every_small_size(lab, far, family):
    """Every payload from 0 to 200 bytes, and a few around the first powers of two, comes back
    whole."""
    left, right = ends(lab, None, far)
    address = topology.INNER[family][1]
    echo = traffic.UdpEcho(lab, right.ns, address)
    s = left.ns.udp("::" if family == 6 else "0.0.0.0")
    for size in list(range(201)) + [255, 256, 257, 511, 512, 513, 1023, 1024, 1025]:
        traffic.udp_echo(s, echo.address, os.urandom(size))
    assert echo.seen == 210


@pytest.mark.matrix
def test_fragmented_inner_packets(lab):
    """Inner packets that the host itself fragments arrive whole, up to the largest ping."""
    left, right = ends(lab, 1420)
    for address in ("10.7.0.2", "fd07::2"):
        for size in (1393, 8000, 40000, 65000):
            # a burst of fragments may overrun a queue on a crowded machine: then once more
            assert any(traffic.ping(left.ns, address, size=size, wait_s=3) == 1
                       for _ in range(3)), (address, size)
