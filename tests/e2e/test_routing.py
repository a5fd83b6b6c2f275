# SPDX-License-Identifier: Apache-2.0
"""Cryptokey routing: three peers with overlapping allowed IPs on one tunnel end.

    a: three Python peers, each a UDP port           b: the tunnel end under test
         wide    10.0.0.0/8    fd00::/16                10.200.0.1, fd00:ffff::1
         middle  10.1.0.0/16   fd00:1::/32
         narrow  10.1.2.0/24   fd00:1:2::/48
       u0 10.99.0.1 ------------- veth ------------- u0 10.99.0.2:51820
"""

import errno
import os
import socket

import pytest

from harness import capture, topology, traffic, tunnel, wait
from harness.hostile import Peer
from harness.tunnel import Tunnel, WARREN, WIREGUARD_GO

ALLOWED = {"wide": ["10.0.0.0/8", "fd00::/16"], "middle": ["10.1.0.0/16", "fd00:1::/32"],
           "narrow": ["10.1.2.0/24", "fd00:1:2::/48"]}


class Star:
    def __init__(self, lab):
        self.lab = lab
        self.a, self.b = topology.two_hosts(lab)
        self.end = Tunnel(lab, self.b, WARREN, ["10.200.0.1/32", "fd00:ffff::1/128"])
        self.end.start().configure()
        self.b.ip("route add default dev " + self.end.name, "route add ::/0 dev " + self.end.name)
        self.peers = {}
        for name, allowed in ALLOWED.items():
            peer = Peer(self.a, self.end.public, ("10.99.0.2", 51820))
            self.end.add_peer(peer, allowed=allowed)
            peer.connect()
            self.peers[name] = peer
        self.senders = {4: self.b.udp("10.200.0.1"), 6: self.b.udp("fd00:ffff::1")}

    def goes_to(self, address, name):
        """A packet of the host to 'address' arrives at this peer and at no other."""
        payload = os.urandom(16)
        family = 6 if ":" in address else 4
        self.senders[family].sendto(payload, (address, 9))
        packet = self.peers[name].next_packet()
        assert packet.endswith(payload)
        size = 16 if family == 6 else 4
        at = 24 if family == 6 else 16
        wanted = socket.inet_pton(socket.AF_INET6 if family == 6 else socket.AF_INET, address)
        assert packet[at:at + size] == wanted
        for other, peer in self.peers.items():
            assert other == name or peer.packet_or_none(0.005) is None, other

    def comes_from(self, name, source):
        """A packet of this peer with this inner source is delivered."""
        target, build = (("fd00:ffff::1", capture.ipv6_udp) if ":" in source
                         else ("10.200.0.1", capture.ipv4_udp))
        s = self.b.udp(target)
        payload = os.urandom(16)
        self.peers[name].send_packet(build(source, target, payload, dport=s.getsockname()[1]))
        assert s.recv(100) == payload
        s.close()

    def refused_from(self, name, source):
        """A packet of this peer with this inner source is dropped and counted."""
        target, build = (("fd00:ffff::1", capture.ipv6_udp) if ":" in source
                         else ("10.200.0.1", capture.ipv4_udp))
        s = self.b.udp(target)
        before = 0 if tunnel.STAND_IN else self.end.drops("wrong_source")
        self.peers[name].send_packet(build(source, target, b"spoof", dport=s.getsockname()[1]))
        if not tunnel.STAND_IN:
            wait.until(lambda: self.end.drops("wrong_source") == before + 1, 5, "drop_wrong_source")
        s.settimeout(0.02)
        with pytest.raises(TimeoutError):
            s.recv(100)
        s.close()


@pytest.fixture
def star(lab):
    return Star(lab)


@pytest.mark.matrix
def test_longest_prefix_wins(star):
    """The most specific of the overlapping prefixes decides, at its edges too."""
    for address, name in (
            ("10.1.2.1", "narrow"), ("10.1.2.0", "narrow"), ("10.1.2.255", "narrow"),
            ("10.1.1.255", "middle"), ("10.1.3.0", "middle"), ("10.1.255.255", "middle"),
            ("10.0.255.255", "wide"), ("10.2.0.0", "wide"), ("10.255.255.254", "wide"),
            ("fd00:1:2::1", "narrow"), ("fd00:1:2:ffff:ffff:ffff:ffff:ffff", "narrow"),
            ("fd00:1:1:ffff::", "middle"), ("fd00:1:3::", "middle"), ("fd00:2::1", "wide"),
            ("fd00:0:ffff::1", "wide")):
        star.goes_to(address, name)


def test_sources_are_checked(star):
    """A peer may send from what is its own by longest prefix, and from nothing else."""
    for source in ("10.1.2.3", "fd00:1:2::3"):
        star.comes_from("narrow", source)
        star.refused_from("middle", source)
        star.refused_from("wide", source)
    for source in ("10.1.3.3", "fd00:1:3::3"):
        star.comes_from("middle", source)
        star.refused_from("narrow", source)
        star.refused_from("wide", source)
    for source in ("10.9.9.9", "fd00:9::9"):
        star.comes_from("wide", source)
        star.refused_from("narrow", source)
        star.refused_from("middle", source)
    star.refused_from("wide", "11.0.0.1")
    star.refused_from("wide", "fd01::1")


@pytest.mark.matrix
def test_prefix_moves_while_in_use(star):
    """A prefix given to another peer belongs to that one alone, at once, in both directions;
    removed, the next wider one takes over; the sessions stay."""
    middle, narrow = star.peers["middle"], star.peers["narrow"]
    star.goes_to("10.1.2.3", "narrow")
    assert star.end.set("public_key=" + middle.public.hex(), "allowed_ip=10.1.2.0/24",
                        "allowed_ip=fd00:1:2::/48") == 0
    star.goes_to("10.1.2.3", "middle")
    star.goes_to("fd00:1:2::3", "middle")
    star.comes_from("middle", "10.1.2.3")
    star.refused_from("narrow", "10.1.2.3")
    assert star.end.set("public_key=" + narrow.public.hex(), "allowed_ip=10.1.2.0/24") == 0
    star.goes_to("10.1.2.3", "narrow")
    star.goes_to("fd00:1:2::3", "middle")
    assert star.end.set("public_key=" + narrow.public.hex(), "replace_allowed_ips=true") == 0
    star.goes_to("10.1.2.3", "middle")
    star.refused_from("narrow", "10.1.2.3")
    assert star.end.set("public_key=" + middle.public.hex(), "remove=true") == 0
    star.goes_to("10.1.2.3", "wide")
    star.goes_to("fd00:1:2::3", "wide")
    shown = star.end.get().peers
    assert sorted(shown[star.peers["wide"].public.hex()]["allowed_ip"]) == sorted(ALLOWED["wide"])


@pytest.mark.matrix
def test_prefix_moves_between_streams(star):
    """While packets flow without a pause, a prefix moves to and fro: each packet reaches exactly
    one of the two peers."""
    stop, sent = [], []

    def talk():
        s = star.senders[4]
        while not stop:
            number = len(sent)
            s.sendto(number.to_bytes(8, "big"), ("10.1.2.9", 9))
            sent.append(number)
            wait.time.sleep(0.001)

    thread = star.lab.thread(talk)
    keys = [star.peers[n].public.hex() for n in ("middle", "narrow")]
    for i in range(40):
        before = len(sent)
        assert star.end.set("public_key=" + keys[i % 2], "allowed_ip=10.1.2.0/24") == 0
        wait.until(lambda: len(sent) > before + 3, 5, "a few packets")
    stop.append(True)
    thread.join(5)
    seen = {"middle": [], "narrow": []}
    end = wait.deadline(10)
    while wait.left(end) > 0 and sum(map(len, seen.values())) < len(sent):
        for name, numbers in seen.items():
            while packet := star.peers[name].packet_or_none(0.02):
                numbers.append(int.from_bytes(packet[28:36], "big"))
    assert not set(seen["middle"]) & set(seen["narrow"])
    assert sorted(seen["middle"] + seen["narrow"]) == sent
    assert min(len(seen["middle"]), len(seen["narrow"])) > 20


def told_by_icmp(s):
    """Which error the kernel reports on a connected socket whose packet was answered by ICMP."""
    s.settimeout(5 * wait.SLOW)
    with pytest.raises(OSError) as told:
        s.recv(10)
    return told.value.errno


def want_soft_errors(s):
    """Without this option UDP tells only of closed ports."""
    if s.family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, 25, 1)  # IPV6_RECVERR
    else:
        s.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR


@pytest.mark.warren_only
@pytest.mark.parametrize("family", [4, 6])
def test_nobody_s_address(star, family):
    """A destination in nobody's allowed IPs: counted, and the program is told at once by ICMP."""
    target = {4: "11.1.1.1", 6: "fd99:9::1"}[family]
    s = star.senders[family]
    before = star.end.drops("no_route")
    want_soft_errors(s)
    s.connect((target, 9))
    s.send(b"anybody there?")
    # the kernel may ask for listeners on the new link too, and nobody has that address either
    wait.until(lambda: star.end.drops("no_route") > before, 5, "drop_no_route")
    assert told_by_icmp(s) in (errno.EHOSTUNREACH, errno.ENETUNREACH)


@pytest.mark.warren_only
def test_peer_without_endpoint(lab):
    """A packet for a peer whose address nobody knows: counted, and the program is told at once."""
    a = lab.namespace("a")
    end = Tunnel(lab, a, WARREN, ["10.7.0.1/24"]).start().configure()
    assert end.set("public_key=" + end.public[::-1].hex(), "allowed_ip=10.7.0.2/32") == 0
    s = a.udp("10.7.0.1")
    want_soft_errors(s)
    s.connect(("10.7.0.2", 9))
    s.send(b"anybody there?")
    wait.until(lambda: end.drops("no_endpoint") == 1, 5, "drop_no_endpoint")
    assert told_by_icmp(s) in (errno.EHOSTUNREACH, errno.ENETUNREACH)


@pytest.mark.parametrize("hub", [WARREN, WIREGUARD_GO])
def test_three_tunnels_and_a_hub(lab, hub):
    """Real ends all round: two spokes with overlapping prefixes reach each other through the hub.

        spoke1 10.99.0.1 --+
                           +-- bridge -- 10.99.0.3 hub, forwards between its peers
        spoke2 10.99.0.2 --+
    """
    _, (h1, h2, h3) = topology.switch(lab, 3)
    h3.sysctl("net.ipv4.ip_forward", 1)
    center = Tunnel(lab, h3, hub, ["10.7.0.3/24"]).start().configure()
    spokes = []
    for i, (ns, own) in enumerate(((h1, "10.7.0.1/32"), (h2, "10.7.0.0/25")), 1):
        spoke = Tunnel(lab, ns, WARREN, ["10.7.0.%d/24" % i]).start().configure()
        spoke.add_peer(center, "10.99.0.3:51820", ["10.7.0.0/24"])
        center.add_peer(spoke, allowed=[own])
        spokes.append(spoke)
    for ns in (h1, h2):
        assert traffic.ping(ns, "10.7.0.3") == 1
    assert traffic.ping(h1, "10.7.0.2", count=3) == 3
    assert traffic.ping(h2, "10.7.0.1", count=3) == 3
    traffic.tcp_transfer(lab, h1, h2, "10.7.0.2", size=1 << 19)
