# SPDX-License-Identifier: Apache-2.0
"""Frames between clouds as packet sockets send and hear them: larger than any packet of the tunnel,
with tags, on direct paths and by a relay; and what TCP makes of hosts with large MTUs."""

import os
import socket
import threading

import pytest

from harness import traffic, wait
from harness.ethernet import OURS, Clouds, frame, reaches

pytestmark = [pytest.mark.warren_only, pytest.mark.networks]

JUMBO = 9000
SIZES = (46, 47, 576, 1334, 1335, 1352, 1386, 1406, 1407, 1426, 1427, 1450, 1500, 4000, JUMBO)


class Symmetric(Clouds):
    """Behind boxes that let nobody through to one another."""
    KINDS = ("symmetric",) * 4


def joined(lab, kind):
    """Two clouds whose lines and machines have an MTU of 9,000; gateways and machines."""
    clouds = kind(lab, 2)
    clouds.network()
    machines = clouds.attach(["192.168.50.1", "192.168.50.2"])
    for cloud, machine in zip(clouds.clouds, machines):
        cloud.ns.ip("link set eth1 mtu %d" % JUMBO)
        machine.ns.ip("link set m0 mtu %d" % JUMBO)
    clouds.settle()
    reaches(*machines)
    return [cloud.node for cloud in clouds.clouds], machines


def all_pass(one, other):
    """Both ways, byte for byte, with a tag and without."""
    for source, target in ((one, other), (other, one)):
        target.listen()
        for size in SIZES:
            for vlan in (None, 12):
                payload = os.urandom(size)
                source.send(target.mac, OURS, payload, vlan)
                assert target.wait_for(payload[:8]) == frame(target.mac, source.mac, OURS, payload,
                                                             vlan)


def segment_sizes(one, other):
    """What both ends of a TCP connection use, time stamps included."""
    server = other.ns.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((other.address, 7001))
    server.listen(1)
    server.settimeout(20)
    client = one.ns.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
    client.settimeout(20)
    connecting = threading.Thread(target=client.connect, args=((other.address, 7001),))
    connecting.start()
    accepted, _ = server.accept()
    connecting.join()
    with server, client, accepted:
        return [s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) + 12
                for s in (client, accepted)]


def test_large_frames_and_segments_on_a_direct_path(lab):
    """9,014 and 9,018 bytes cross a wire of 1,500 in pieces; TCP of such hosts does without."""
    (near, far), (a, b) = joined(lab, Clouds)
    wait.until(lambda: a.ping(b.address) and near.path(far) == "direct"
               and far.path(near) == "direct", 30, "direct paths")
    all_pass(a, b)
    assert a.ping(b.address, count=3, size=JUMBO - 28, dont_fragment=True) == 3
    # what fits the path is found out by and by
    wait.until(lambda: all(1362 <= size <= 1382 for size in segment_sizes(a, b)), 30, "large MSS")
    traffic.tcp_transfer(lab, a.ns, b.ns, b.address, size=4 << 20)


def test_large_frames_and_segments_by_a_relay(lab):
    (near, far), (a, b) = joined(lab, Symmetric)
    wait.until(lambda: a.ping(b.address) and near.path(far) == "relayed"
               and far.path(near) == "relayed", 30, "relayed paths")
    all_pass(a, b)
    assert a.ping(b.address, count=3, size=JUMBO - 28, dont_fragment=True) == 3
    assert segment_sizes(a, b) == [1298, 1298]
    traffic.tcp_transfer(lab, a.ns, b.ns, b.address, size=1 << 20)
