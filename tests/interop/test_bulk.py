# SPDX-License-Identifier: Apache-2.0
"""Large transfers with offloads against ends of other makers.

    a: warren-wg, 10.7.0.1, fd07::1                  b: wireguard-go, 10.7.0.2, fd07::2
       u0 10.99.0.1, fd99::1 -------- veth -------- u0 10.99.0.2, fd99::2
    and the kernel's WireGuard in the emulated guest of test_kernel.py
"""

import pytest

from harness import topology, traffic
from harness.dataplane import Flows, finish_whole, pair
from harness.tunnel import WIREGUARD_GO
from test_kernel import place, send_from_guest, send_to_guest  # noqa: F401 - a fixture

pytestmark = [pytest.mark.warren_only]


@pytest.mark.watchdog(120)
@pytest.mark.parametrize("family", [pytest.param(4, marks=pytest.mark.matrix), 6])
def test_wireguard_go(lab, tool, family):
    """Streams and datagrams both ways, over both inner families."""
    left, right = pair(lab, family=family, far=WIREGUARD_GO)
    for inner in (4, 6):
        traffic.tcp_transfer(lab, left.ns, right.ns, topology.INNER[inner][1], size=8 << 20)
        traffic.tcp_transfer(lab, right.ns, left.ns, topology.INNER[inner][0], size=8 << 20)
    # its socket and queues are small
    flows = [Flows(lab, tool("flows"), left.ns, right.ns, "10.7.0.2", flows=4, pace_per_s=500,
                   sizes=(16, 1300)),
             Flows(lab, tool("flows"), right.ns, left.ns, "fd07::1", flows=4, pace_per_s=500,
                   sizes=(700, 700), train=4)]
    flows[-1].last(1.5)
    finish_whole(*flows, least=300)


@pytest.mark.watchdog(180)
@pytest.mark.parametrize("underlay", [4, 6])
def test_kernel(place, guest, underlay):  # noqa: F811
    """Streams both ways, while our host hands packets over in trains."""
    ours, _ = place("warren", underlay)
    assert traffic.ping(ours.ns, "10.7.0.2") == 1
    send_to_guest(guest, ours.ns, "10.7.0.2", 8 << 20)
    send_from_guest(guest, ours.ns, "fd07::1", 8 << 10)
    send_to_guest(guest, ours.ns, "fd07::2", 4 << 20)
    send_from_guest(guest, ours.ns, "10.7.0.1", 4 << 10)
