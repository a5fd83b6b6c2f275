# SPDX-License-Identifier: Apache-2.0
"""What is meant for a network does not leave the host beside it: not when the membership has ended,
and its addresses are gone, either."""

import ipaddress

import pytest

from harness import topology, wait
from harness.capture import Capture
from harness.warrend import Network, Node

pytestmark = [pytest.mark.warren_only, pytest.mark.networks]

ELSEWHERE = {4: "10.200.3.4", 6: "2001:db8:200::4"}


def routes(ns):
    return ns.run(["ip", "route"]).stdout + ns.run(["ip", "-6", "route"]).stdout


def try_all(ns, targets):
    """Pings each of them five times, whatever comes of it."""
    for target in targets:
        ns.run(["ping", "-n", "-c", "5", "-i", "0.1", "-W", "1", target], check=False)


def seen(capture, ranges):
    return [p for p in list(capture.packets)
            if any(ipaddress.ip_address(p.target) in r for r in ranges
                   if r.version == p.version)]


def test_who_is_revoked_sends_nothing_in_the_clear(lab):
    a, b = topology.two_hosts(lab)
    alice, bob = Node(lab, a, "alice").start(), Node(lab, b, "bob").start()
    network = Network(alice, ipv4="10.77.0.0/16").join(bob).settle()
    b.ip("route add default via %s" % topology.UNDERLAY[4][0],
         "route add default via %s" % topology.UNDERLAY[6][0])
    ours = [alice.address(), alice.address(family=6), alice.hit, "10.77.200.1"]
    ranges = [ipaddress.ip_network(r, strict=False)
              for r in ("10.77.0.0/16", alice.address(family=6) + "/64", "2001:20::/28")]
    bob.ping(alice)
    network.revoke(bob)
    wait.until(lambda: " dev lab" not in routes(b), 20, "bob's addresses are gone")
    capture = Capture(lab, a, "u0")
    try_all(b, ours + list(ELSEWHERE.values()))
    others = [ipaddress.ip_network(e) for e in ELSEWHERE.values()]
    wait.until(lambda: len({p.version for p in seen(capture, others)}) == 2, 10,
               "what is for elsewhere goes by the default route")
    assert seen(capture, ranges) == []
    told = b.run(["ping", "-n", "-c", "1", "-W", "1", alice.address()], check=False)
    assert "no route to host" in (told.stdout + told.stderr).lower()  # at once, EHOSTUNREACH
    bob.rpc("network.leave", network=network.id)
    wait.until(lambda: "10.77.0.0" not in routes(b) and "2001:20::" not in routes(b), 20,
               "the ranges are free again")
