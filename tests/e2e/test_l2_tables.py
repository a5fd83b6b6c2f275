# SPDX-License-Identifier: Apache-2.0
"""What gateways of layer 2 keep and refuse: a thousand addresses a site; IP addresses that are
bound to members; ways that would lead through the network itself."""

import socket
import struct

import pytest

from harness import capture, wait
from harness.ethernet import EVERYBODY, OURS, Clouds, bridge, frame, mac_bytes, reaches
from harness.warrend import Network

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.crowd]

SITE = 1000  # addresses
RING = b"\x20" + bytes(100)  # begins as a frame of the ring does


def joined(lab, count=2):
    clouds = Clouds(lab, count)
    clouds.network()
    machines = clouds.attach(["192.168.50.%d" % (i + 1) for i in range(count)])
    clouds.settle()
    return clouds, machines


def mac_of(site, number):
    return "02:00:%02x:00:%02x:%02x" % (16 + site, number >> 8, number & 255)


def announce(machine, site):
    """A frame from each of a thousand hosts to all, in turns that no queue and no limit on floods
    refuses."""
    for number in range(SITE):
        machine.send(EVERYBODY, source=mac_of(site, number))
        if number % 50 == 49:
            machine.heard(0.05)


def owners(node):
    return {m["mac"]: m["owner"] for m in bridge(node)["macs"]}


def test_a_thousand_addresses_a_site(lab):
    """Both gateways know all of both sites' two thousand, whose each is, and send what is for one
    of them to that side alone."""
    clouds, (a, b) = joined(lab)
    reaches(a, b)
    nodes = [cloud.node for cloud in clouds.clouds]
    for site, machine in enumerate((a, b)):
        machine.listen()
        announce(machine, site)
    for here, node in enumerate(nodes):
        def missing(node=node, here=here):
            known = owners(node)
            return [n for site in (0, 1) for n in range(SITE)
                    if (known.get(mac_of(site, n), "nobody") is None) != (site == here)
                    or mac_of(site, n) not in known]
        wait.until(lambda: not missing(), 20, "all addresses at %r" % node)
    assert sum(m["mac_count"] for m in bridge(nodes[0])["members"]) >= SITE
    before = bridge(nodes[0])["side"]["floods_in"]
    for number in range(0, SITE, 100):
        mark = b"to number %4d" % number
        a.send(mac_of(1, number), payload=mark, source=mac_of(0, number))
        assert b.wait_for(mark) == frame(mac_of(1, number), mac_of(0, number), OURS, mark)
    assert bridge(nodes[0])["side"]["floods_in"] <= before + 5  # hosts' own chatter
    assert not any(m["refused"].get("quota") for m in bridge(nodes[0])["members"])


def strays(node):
    return node.rpc("status")["carrier"]["strays"]


def test_a_tunnel_does_not_run_through_itself(lab):
    """A gateway that has another card on the wire which it attached, and a far one with an address
    on the network: they could reach one another by the network itself. What the ring says that way
    is refused, by name, the path stays as it was, and nobody is called there."""
    clouds, (a, b) = joined(lab)
    near, far = [cloud.node for cloud in clouds.clouds]
    reaches(a, b)
    wire = lab.namespace("wire")
    wire.ip("link add wire type bridge forward_delay 0 mcast_snooping 0", "link set wire up")
    for name in ("eth7", "lan0"):
        lab.veth(near.ns, name, wire, name)
        wire.ip("link set %s master wire" % name)
    near.rpc("bridge.attach", network="site", interface="eth7")
    far.ns.ip("addr add 192.168.50.10/24 dev site")
    near.ns.ip("addr add 192.168.50.9/24 dev lan0")
    wait.until(lambda: far.ns.run(["ping", "-n", "-c", "1", "-W", "1", "192.168.50.9"],
                                  check=False).code == 0, 20, "the way through the network")
    caller = near.ns.udp("192.168.50.9", 0)
    caller.sendto(RING, ("192.168.50.10", far.port))
    wait.until(lambda: strays(far).get("inside"), 5, "what comes by the network is refused")
    for node in (near, far):
        peers = node.network("site")["peers"]
        assert peers and all("192.168.50." not in str(p["endpoint"]) for p in peers), peers
    joined_there = far.ns.run(["ip", "maddr", "show", "dev", "site"]).stdout
    assert "ff12::5772" not in joined_there and "239.255.87.114" not in joined_there
    assert near.path(far, "site") == far.path(near, "site") == "direct"
    assert a.ping(b.address, count=3) == 3


def test_a_route_into_the_network_is_no_way_for_tunnels(lab):
    """Somebody's route leads what this host sends to the far gateway into the network itself: it
    would be a frame, which the tunnel carries in what is a frame again, for ever. It is refused at
    the first turn, by name; without the route all is as before."""
    clouds, (a, b) = joined(lab)
    near, far = [cloud.node for cloud in clouds.clouds]
    reaches(a, b)
    address = near.peer(far, "site")["endpoint"].rsplit(":", 1)[0]
    near.ns.ip("addr add 192.168.50.9/24 dev site",
               "neigh add 192.168.50.77 lladdr %s dev site nud permanent" % b.mac,
               "route add %s/32 via 192.168.50.77 dev site" % address)

    def turned_back():
        a.ping(b.address, wait_s=1)
        return bridge(near)["side"]["refused"].get("tunnel", 0)

    wait.until(turned_back, 20, "a tunnel's own datagram is refused")
    assert bridge(near)["side"]["frames_in"] < 2000
    near.ns.ip("route del %s/32" % address)
    reaches(a, b, 60)


def arp(machine, operation, claimed, source=None, asked="192.168.50.1"):
    """An ARP packet by which a machine says that an address is its own."""
    packet = (struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation)
              + mac_bytes(source or machine.mac) + socket.inet_aton(claimed)
              + bytes(6) + socket.inet_aton(asked))
    machine.send(EVERYBODY, 0x0806, packet)


def test_an_address_is_bound_to_its_member(lab):
    """A member whose invitation gives its side one address reaches others from that; ARP and
    packets for another one go nowhere, and the log names machine, side and address."""
    clouds = Clouds(lab, 2)
    network = Network(clouds.owner, "site", kind="l2")
    first, second = [cloud.node for cloud in clouds.clouds]
    network.join(first)
    second.rpc("join", invitation=network.invite(addresses=["192.168.50.2"]))
    second.wait(lambda n: n.is_in("site", has_address=False), 30, "site")
    a, b = clouds.attach(["192.168.50.1", "192.168.50.2"])
    clouds.settle()
    reaches(a, b)
    a.listen()
    b.listen()
    arp(b, 2, "192.168.50.1")  # the victim's
    arp(b, 1, "192.168.50.9", asked="192.168.50.9")  # gratuitous
    b.send(EVERYBODY, 0x0800, capture.ipv4_udp("192.168.50.9", "192.168.50.1", b"forged"))
    arp(b, 2, "192.168.50.2")  # its own, behind them
    b.send(payload=b"the last")
    heard = []
    while not any(b"the last" in got for got in heard):
        got = a.receive(10)
        assert got is not None, heard
        heard.append(got)
    assert not any(b"forged" in got or socket.inet_aton("192.168.50.9") in got for got in heard)
    claims = [got[28:32] for got in heard if got[6:14] == mac_bytes(b.mac) + b"\x08\x06"]
    assert set(claims) == {socket.inet_aton("192.168.50.2")}, claims
    assert bridge(second)["side"]["refused"]["address"] >= 3
    wait.until(lambda: "ip.refused: %s at this side uses 192.168.50.1" % b.mac in second.log(), 5,
               "the log names the address")
    assert b.ping(a.address, count=3) == 3
