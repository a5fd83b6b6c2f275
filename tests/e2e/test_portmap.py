# SPDX-License-Identifier: Apache-2.0
"""Routers are asked for a port in each of the ways that they know, and told when it is needed no
more. What they do, or leave undone, delays nothing else.

    a: warrend  10.99.0.1 -------- 10.99.0.2  b: the router (harness/router.py)
"""

import time

import pytest

from harness import topology, wait
from harness.router import Router
from harness.warrend import PORT, Node

pytestmark = [pytest.mark.warren_only, pytest.mark.networks]


def behind_router(lab, speaks, **more):
    a, b = topology.two_hosts(lab)
    a.ip("route add default via 10.99.0.2")
    router = Router(lab, b, "10.99.0.2", speaks, **more)
    return Node(lab, a, "alice", options=["--map-ports"]).start(), router


def mapping(node):
    return node.rpc("netcheck")["port_mapping"]


def mapped(node):
    return wait.until(lambda: (m := mapping(node))["state"] == "mapped" and m, 30, "a mapping")


@pytest.mark.parametrize("speaks, by", [
    (["pcp", "natpmp", "upnp"], "PCP"), (["natpmp", "upnp"], "NAT-PMP"), (["upnp"], "UPnP")])
def test_each_way_gives_a_port_and_takes_it_back(lab, speaks, by):
    node, router = behind_router(lab, speaks)
    told = mapped(node)
    assert told["by"] == by and told["external"] == "11.0.9.9:%d" % PORT
    assert told["lifetime_s"] == 7200
    assert router.mappings == {PORT: PORT}
    assert by in node.cli("netcheck")
    node.stop()
    wait.until(lambda: not router.mappings, 5, "the mapping is given back")


@pytest.mark.parametrize("speaks", [["pcp"], ["natpmp"], ["upnp"]])
def test_another_port_is_fine_if_ours_is_taken(lab, speaks):
    node, router = behind_router(lab, speaks, taken=[PORT, PORT + 1])
    assert mapped(node)["external"] == "11.0.9.9:%d" % (PORT + 2)
    assert router.mappings == {PORT + 2: PORT}
    node.stop()
    wait.until(lambda: not router.mappings, 5, "the mapping is given back")


def test_routers_that_forget_nothing_are_told_so(lab):
    node, router = behind_router(lab, ["upnp"], lifetime_s=0)
    assert mapped(node)["lifetime_s"] == 0
    assert [asked for _, _, asked in router.asked] == [7200, 0]
    node.stop()
    wait.until(lambda: not router.mappings, 5, "the mapping is given back")


@pytest.mark.parametrize("speaks", [["pcp"], ["natpmp"]])
def test_it_is_asked_again_at_half_life(lab, speaks):
    def requests():
        return sum(what == "map" for _, what, _ in router.asked)

    node, router = behind_router(lab, speaks, lifetime_s=10)
    told = mapped(node)
    assert told["lifetime_s"] == 10
    begun, asked = time.monotonic(), requests()
    wait.until(lambda: requests() >= asked + 2, 20, "two renewals")
    assert time.monotonic() - begun > 5  # one each 5 s
    assert mapping(node)["external"] == told["external"] and router.mappings == {PORT: PORT}


def test_it_is_asked_anew_where_the_host_goes(lab):
    node, router = behind_router(lab, ["natpmp"])
    mapped(node)
    before = len(router.asked)
    router.external = "11.0.9.10"
    node.ns.ip("addr add 10.99.0.77/24 dev u0")
    wait.until(lambda: mapping(node).get("external") == "11.0.9.10:%d" % PORT, 20, "the new one")
    assert len(router.asked) > before


def test_a_silent_router_delays_nothing(lab):
    a, b = topology.two_hosts(lab)
    a.ip("route add default via 10.99.0.2")
    b.udp("0.0.0.0", 5351)  # takes it, and says nothing
    node = Node(lab, a, "alice", options=["--map-ports"]).start()
    assert mapping(node)["state"] == "asking"
    slowest = 0
    while mapping(node)["state"] == "asking":
        begun = time.monotonic()
        node.rpc("status")
        slowest = max(slowest, time.monotonic() - begun)
    assert slowest < 1 * wait.SLOW
    told = mapping(node)
    assert told["state"] == "none"
    for word in ("PCP: no answer", "NAT-PMP: no answer", "UPnP", "forward UDP port %d" % PORT):
        assert word in told["text"], told
    begun = time.monotonic()
    node.stop()
    assert time.monotonic() - begun < 5 * wait.SLOW


def test_who_ends_while_a_router_is_silent_does_not_wait_for_it(lab):
    a, b = topology.two_hosts(lab)
    a.ip("route add default via 10.99.0.2")
    b.udp("0.0.0.0", 5351)
    node = Node(lab, a, "alice", options=["--map-ports"]).start()
    assert mapping(node)["state"] == "asking"
    begun = time.monotonic()
    node.stop()
    assert time.monotonic() - begun < 4 * wait.SLOW


def test_public_hosts_and_those_told_not_to_ask_nobody(lab):
    a, b = topology.two_hosts(lab)
    router = Router(lab, b, "10.99.0.2", ["pcp", "natpmp"])
    a.ip("route add default via 10.99.0.2", "addr add 11.0.9.77/32 dev u0")
    node = Node(lab, a, "alice", options=["--map-ports"]).start()
    assert mapping(node)["state"] == "not needed"
    node.stop()
    a.ip("addr del 11.0.9.77/32 dev u0")
    node = Node(lab, a, "bob").start()  # --no-map-ports
    assert mapping(node)["state"] == "off"
    assert router.asked == []
