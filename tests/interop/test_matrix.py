# SPDX-License-Identifier: Apache-2.0
"""Every pair of implementations, underlay and inner family, with traffic both ways.

    a: tunnel 10.7.0.1, fd07::1                      b: tunnel 10.7.0.2, fd07::2
       u0 10.99.0.1, fd99::1  ------- veth -------  u0 10.99.0.2, fd99::2

The first implementation of a pair initiates: it alone knows the other's endpoint and sends first.
"""

import os

import pytest

from harness import topology, traffic
from harness.tunnel import Tunnel, WARREN, WIREGUARD_GO, endpoint

PAIRS = [(WARREN, WARREN), (WARREN, WIREGUARD_GO), (WIREGUARD_GO, WARREN)]
pairs = pytest.mark.parametrize("initiator,responder", PAIRS, ids=["%s-%s" % p for p in PAIRS])


def make_ends(lab, initiator, responder, underlay, psk=(None, None)):
    a, b = topology.two_hosts(lab)
    left = Tunnel(lab, a, initiator, topology.inner_addresses(0)).start().configure()
    right = Tunnel(lab, b, responder, topology.inner_addresses(1)).start().configure()
    right.add_peer(left, allowed=topology.inner_hosts(0), psk=psk[1])
    left.add_peer(right, endpoint(topology.UNDERLAY[underlay][1], right.port),
                  topology.inner_hosts(1), psk=psk[0])
    return left, right


@pytest.mark.matrix
@pairs
@pytest.mark.parametrize("underlay", [4, 6])
def test_traffic(lab, initiator, responder, underlay):
    """The very first packet arrives; pings and TCP content arrive for both inner families."""
    left, right = make_ends(lab, initiator, responder, underlay)
    for family in (4, 6):
        assert traffic.ping(left.ns, topology.INNER[family][1]) == 1, "first packet lost"
        assert traffic.ping(right.ns, topology.INNER[family][0], count=5) == 5
        traffic.tcp_transfer(lab, left.ns, right.ns, topology.INNER[family][1])
    assert left.handshake_time(right) > 0 and right.handshake_time(left) > 0
    for end, other in ((left, right), (right, left)):
        peer = end.peer(other)
        assert int(peer["rx_bytes"]) > 2 << 20 and int(peer["tx_bytes"]) > 2 << 20
        # once learnt or configured, the endpoint is where the other end really is
        index = 0 if other is left else 1
        assert peer["endpoint"] == endpoint(topology.UNDERLAY[underlay][index], other.port)


@pairs
def test_preshared_key(lab, initiator, responder):
    """With the same preshared key traffic flows."""
    psk = os.urandom(32)
    left, right = make_ends(lab, initiator, responder, 4, (psk, psk))
    assert traffic.ping(left.ns, topology.INNER[4][1]) == 1
    assert left.peer(right)["preshared_key"] == psk.hex()
    traffic.tcp_transfer(lab, right.ns, left.ns, topology.INNER[6][0], size=1 << 16)


@pairs
@pytest.mark.parametrize("keys", ["different", "only one"])
def test_wrong_preshared_key(lab, initiator, responder, keys):
    """With preshared keys that differ nothing comes through; a peer set right does at once."""
    right_psk = os.urandom(32)
    left_psk = os.urandom(32) if keys == "different" else None
    left, right = make_ends(lab, initiator, responder, 4, (left_psk, right_psk))
    assert traffic.ping(left.ns, topology.INNER[4][1], wait_s=0.5) == 0
    assert left.handshake_time(right) == 0
    assert left.set("public_key=" + right.public.hex(), "remove=true") == 0
    left.add_peer(right, endpoint(topology.UNDERLAY[4][1], right.port), topology.inner_hosts(1),
                  psk=right_psk)
    assert traffic.ping(left.ns, topology.INNER[4][1]) == 1


@pairs
def test_unknown_key(lab, initiator, responder):
    """An initiator that the responder does not know gets no answer at all."""
    left, right = make_ends(lab, initiator, responder, 4)
    assert right.set("public_key=" + left.public.hex(), "remove=true") == 0
    assert traffic.ping(left.ns, topology.INNER[4][1], wait_s=0.5) == 0
    assert left.peer(right)["rx_bytes"] == "0"
    assert right.get().peers == {}
