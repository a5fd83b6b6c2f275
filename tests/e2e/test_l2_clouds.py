# SPDX-License-Identifier: Apache-2.0
"""Clouds behind NAT boxes whose machines are on one Ethernet, as `warren attach` promises. The
identifiers in brackets are those of the demonstrations that the systems before had."""

import os
import socket
import struct

import pytest

from harness import capture, traffic, wait
from harness.ethernet import EVERYBODY, OURS, Clouds, Machine, bridge, frame, mac_bytes, reaches
from harness.warrend import Network

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.crowd]


def joined(lab, count=2, **params):
    clouds = Clouds(lab, count)
    clouds.network(**params)
    machines = clouds.attach(["192.168.50.%d" % (i + 1) for i in range(count)])
    clouds.settle()
    return clouds, machines


def test_two_clouds_are_one_segment(lab):
    """[L1, L4, L11, L12, L20] ARP, ping and large frames as on one wire, with the original
    addresses at the far side; IPv6's neighbour discovery; multicast; a page over TCP."""
    _, (a, b) = joined(lab)
    b.listen()
    reaches(a, b)
    seen = b.wait_for(b"\x08\x00\x45")
    assert seen[:6] == mac_bytes(b.mac) and seen[6:12] == mac_bytes(a.mac)
    assert a.ping(b.address, count=5, size=1472, dont_fragment=True) == 5  # 1500 bytes
    assert a.ping(b.address, count=3, size=9000) == 3  # in fragments of the machine's own
    for machine in (a, b):
        machine.ns.ip("addr add fd50::%d/64 dev m0 nodad" % (1 if machine is a else 2))
    assert a.ping("fd50::2", wait_s=10) == 1
    assert b.ping("fd50::1", count=3) == 3
    multicast(a, b)
    traffic.tcp_transfer(lab, a.ns, b.ns, b.address, size=1 << 20)
    page(lab, a, b)


def multicast(a, b):
    """mDNS: a question to 224.0.0.251 that nobody has joined a group for beforehand."""
    listener = b.ns.udp("0.0.0.0", 5353)
    with b.ns.entered():
        index = socket.if_nametoindex("m0")
    listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                        struct.pack("4s4si", socket.inet_aton("224.0.0.251"), bytes(4), index))
    asker = a.ns.udp(a.address, 5353)
    asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    asker.sendto(b"who is there", ("224.0.0.251", 5353))
    assert listener.recvfrom(100) == (b"who is there", (a.address, 5353))


def page(lab, a, b):
    server = b.ns.spawn(["/usr/bin/python3", "-m", "http.server", "8000", "--bind", b.address,
                         "--directory", lab.directory])
    fetched = wait.until(lambda: a.ns.run(
        ["/usr/bin/python3", "-c", "import urllib.request as u; "
         "print(u.urlopen('http://%s:8000/').status)" % b.address], check=False).stdout.strip(),
        10, "the page of the other cloud")
    assert fetched == "200"
    server.end(9, 5)


def test_five_networks_stay_apart(lab):
    """[L2, L3] Five networks between the same two gateways, with the same addresses in each: what
    is sent in one is heard in that one alone, whatever its kind. They are also addresses that the
    gateways have elsewhere, and do not answer for. A network of layer 3 beside them works, too."""
    clouds = Clouds(lab)
    names = ["net%d" % i for i in range(5)]
    pairs = []
    for name in names:
        clouds.network(name)
        pairs.append(clouds.attach(["192.168.1.1", "192.168.1.2"], name))
    routed = Network(clouds.owner, "routed").join(*[cloud.node for cloud in clouds.clouds])
    for name in names:
        clouds.settle(name)
    for i, (a, b) in enumerate(pairs):
        b.listen()
        reaches(a, b)
    for i, (a, _) in enumerate(pairs):
        a.send(payload=b"of network %d" % i)
        a.send(payload=b"the last of %d" % i)
    for i, (_, b) in enumerate(pairs):
        heard = []
        end = wait.deadline(10)
        while not any(b"the last of" in got for got in heard):
            assert wait.left(end) > 0
            got = b.receive(wait.left(end))
            heard += [got] if got and got[12:14] == struct.pack(">H", OURS) else []
        heard += [got for got in b.heard(0.2) if got[12:14] == struct.pack(">H", OURS)]
        texts = [got[14:].rstrip(b"\0") for got in heard]
        assert texts == [b"of network %d" % i, b"the last of %d" % i]
    routed.settle()
    clouds.clouds[0].node.ping(clouds.clouds[1].node, "routed")


def test_four_clouds_hear_a_broadcast_once(lab):
    """[L12, L13] Every machine of the three other clouds has each broadcast, unknown destination
    and multicast exactly once, and the sender none of them back."""
    _, machines = joined(lab, 4)
    for machine in machines:
        machine.listen()
        for other in machines:
            if other is not machine:
                reaches(machine, other)
    for sender in machines:
        for target in (EVERYBODY, "02:77:77:77:77:77", "01:00:5e:7f:00:01"):
            mark = os.urandom(8)
            sender.send(target, payload=mark)
            sender.send(EVERYBODY, payload=b"last" + mark)
            for other in machines:
                if other is not sender:
                    assert other.count(mark + bytes(1), b"last" + mark) == 1
            assert not any(mark in got for got in sender.heard(0.05))


DISCOVER = (b"\x01\x01\x06\x00" + bytes(232) + b"\x63\x82\x53\x63" + b"\x35\x01\x01\xff").ljust(
    300, b"\0")


def dhcp_discover(machine):
    packet = capture.ipv4_udp("0.0.0.0", "255.255.255.255", DISCOVER, sport=68,
                              dport=67)
    machine.send(EVERYBODY, 0x0800, packet)


def test_dhcp_stays_at_home_unless_allowed(lab):
    """[L14] One side's DHCP server does not serve the other's machines, until both sides say so."""
    clouds, (a, b) = joined(lab)
    reaches(a, b)
    b.listen()
    dhcp_discover(a)
    a.send(payload=b"behind it")
    assert b.count(DISCOVER[:240], b"behind it") == 0
    node = clouds.clouds[0].node
    wait.until(lambda: bridge(node)["side"]["refused"].get("dhcp"), 5, "the refusal is counted")
    for cloud in clouds.clouds:
        shown = cloud.node.cli("bridge", "set", "site", "dhcp=allow")
        assert "dhcp=allow" in shown
    dhcp_discover(a)
    a.send(payload=b"and behind this")
    assert b.count(DISCOVER[:240], b"and behind this") == 1


def test_an_address_in_use_is_not_taken_over(lab):
    """[V8] A machine of another cloud that takes a MAC address in use is refused, by name; who has
    it keeps it."""
    clouds, (a, b, thief) = joined(lab, 3)
    reaches(a, b)
    reaches(thief, b)
    b.listen()
    mark = os.urandom(8)
    thief.send(b.mac, payload=mark, source=a.mac)
    thief.send(b.mac, payload=b"last" + mark)
    assert b.count(mark + bytes(1), b"last" + mark) == 0
    def said():
        return [line for cloud in clouds.clouds for line in cloud.node.log().splitlines()
                if "mac.refused" in line]
    lines = wait.until(said, 5, "a gateway has written the refusal to its log")
    first = clouds.clouds[0].node
    assert any(a.mac in line and (first.name in line or first.hit in line) for line in lines), lines
    gateway = clouds.clouds[1].node
    owners = {m["mac"]: m["owner"] for m in bridge(gateway)["macs"]}
    assert owners[a.mac] in ("g1", first.hit) and owners[b.mac] is None
    assert owners[thief.mac] in ("g3", clouds.clouds[2].node.hit)
    assert a.ping(b.address, count=3) == 3


def test_tags_and_sizes_pass_as_they_are(lab):
    """Frames of 60 to 1,518 bytes, and 1,522 with a VLAN's tag, arrive byte for byte; any
    ethertype; VLANs have addresses of their own."""
    _, (a, b) = joined(lab)
    reaches(a, b)
    b.listen()
    for size in (0, 46, 47, 500, 1385, 1450, 1500):
        for vlan in (None, 12):
            payload = os.urandom(8) + os.urandom(size)
            payload = payload[:max(8, size)]
            a.send(b.mac, 0x9000 if vlan else OURS, payload, vlan)
            assert b.wait_for(payload[:8]) == frame(b.mac, a.mac, 0x9000 if vlan else OURS,
                                                    payload, vlan)


def test_a_gateway_that_was_killed_comes_back(lab):
    """[L6] kill -9: the bridge stays, with its ports; the next start takes it over, and the two
    starts after that find everything as it was, without a hand."""
    clouds, (a, b) = joined(lab)
    reaches(a, b)
    cloud = clouds.clouds[1]
    cloud.node.kill()
    assert "master site" in cloud.ns.ip("link show eth1").stdout
    cloud.node.start()
    assert "takes over the bridge site" in cloud.node.log()
    reaches(a, b, 30)
    for _ in range(2):
        cloud.node.restart()
        reaches(a, b, 30)


def two_on_one_wire(lab):
    """Three clouds, of which the first two have one wire; the machine on it, that of the third
    cloud, and the nodes: who forwards, who stands by, the third."""
    clouds = Clouds(lab, 3)
    clouds.network()
    wire = lab.namespace("wire")
    wire.ip("link add wire type bridge forward_delay 0 mcast_snooping 0", "link set wire up")
    for i, cloud in enumerate(clouds.clouds[:2]):
        lab.veth(cloud.ns, "eth1", wire, "w%d" % i)
        wire.ip("link set w%d master wire" % i)
        cloud.node.rpc("bridge.attach", network="site", interface="eth1")
    machine_ns = lab.namespace("m")
    lab.veth(machine_ns, "m0", wire, "w9")
    wire.ip("link set w9 master wire")
    machine_ns.ip("link set m0 address 02:00:00:00:00:99", "addr add 192.168.50.1/24 dev m0")
    a = Machine(lab, machine_ns, "02:00:00:00:00:99", "192.168.50.1")
    port, b = clouds.clouds[2].machine("192.168.50.2")
    clouds.clouds[2].node.rpc("bridge.attach", network="site", interface=port)
    clouds.settle()
    pair = [cloud.node for cloud in clouds.clouds[:2]]
    wait.until(lambda: sum(bridge(n)["stands_by"] for n in pair) == 1, 20, "one stands by")
    active = next(n for n in pair if not bridge(n)["stands_by"])
    third = clouds.clouds[2].node

    def said():  # also sizes; whom it hears on its wire it says each second, four times
        return sum(m["refused"].get("guard", 0) for m in bridge(third)["members"]
                   if m["name"] in (active.name, active.hit))
    before = said()
    wait.until(lambda: said() >= before + 3, 30, "it says who is on its wire")
    return a, b, active, next(n for n in pair if n is not active), third


@pytest.mark.watchdog(150)
def test_two_gateways_on_one_wire(lab):
    """[L13] Somebody attaches two gateways of a network to one wire: one of them stands by, and a
    broadcast still comes once; when the other one dies it takes over within seconds, also towards a
    host that does not say a word: the switches of the wire are told."""
    a, b, active, other, _ = two_on_one_wire(lab)
    reaches(a, b)
    b.listen()
    a.listen()
    mark = os.urandom(8)
    a.send(payload=mark)
    a.send(payload=b"last" + mark)
    assert b.count(mark + bytes(1), b"last" + mark) == 1
    b.send(payload=mark[::-1])
    b.send(payload=b"last" + mark[::-1])
    assert a.count(mark[::-1] + bytes(1), b"last" + mark[::-1]) == 1
    active.kill()
    wait.until(lambda: not bridge(other)["stands_by"], 15, "the other one takes over")
    wait.until(lambda: a.send(b.mac, payload=mark * 2) is None and
               any(mark * 2 in got for got in b.heard(0.2)), 15, "a frame to a silent host comes")
    reaches(b, a, 15)
