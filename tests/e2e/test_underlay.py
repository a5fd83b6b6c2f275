# SPDX-License-Identifier: Apache-2.0
"""The network below: addresses, marks, ports, congestion, fragments, roaming and NAT.

    two hosts:  a u0 10.99.0.1, fd99::1 ---- veth ---- u0 10.99.0.2, fd99::2 b
    routed:     a u0 10.99.1.2 ---- r1 router r2 ---- u0 10.99.2.2 b   (also with NAT in the router)
"""

import os
import signal
import socket
import struct

import pytest

from harness import capture, noise, topology, traffic, tunnel, wait
from harness.hostile import Peer
from harness.tunnel import Tunnel, WARREN, WIREGUARD_GO, endpoint

families = pytest.mark.parametrize("family", [4, 6])


def connect(lab, a, b, address, implementations=(WARREN, WARREN), keepalive=None, mtu=None,
            psk=None):
    """Tunnels in a and b; a knows b's endpoint 'address', b learns a's."""
    left = Tunnel(lab, a, implementations[0], topology.inner_addresses(0), mtu=mtu)
    right = Tunnel(lab, b, implementations[1], topology.inner_addresses(1), mtu=mtu)
    left.start().configure()
    right.start().configure()
    right.add_peer(left, allowed=topology.inner_hosts(0), psk=psk)
    left.add_peer(right, endpoint(address, right.port), topology.inner_hosts(1), psk=psk,
                  keepalive=keepalive)
    return left, right


# ---- addresses ----


@pytest.mark.matrix
@families
def test_replies_leave_from_the_address_that_was_asked(lab, family):
    """b has several addresses; whichever the peer talks to answers, and no other ever appears."""
    a, b = topology.two_hosts(lab)
    second = {4: "10.99.0.20", 6: "fd99::20"}[family]
    third = {4: "10.99.0.30", 6: "fd99::30"}[family]
    b.ip(*["addr add %s/%d dev u0%s" % (x, {4: 24, 6: 64}[family], " nodad" if family == 6 else "")
           for x in (second, third)])
    tap = capture.Capture(lab, a, "u0")
    left, right = connect(lab, a, b, second)
    assert traffic.ping(a, "10.7.0.2", count=3) == 3
    assert traffic.ping(b, "10.7.0.1", count=3) == 3
    replies = tap.expect(outgoing=False, sport=right.port, count=6)
    assert {p.source for p in replies} == {second}
    # the peer turns to another address: the answers follow
    left.add_peer(right, endpoint(third, right.port), topology.inner_hosts(1))
    assert traffic.ping(a, "10.7.0.2") == 1
    tap.expect(outgoing=False, source=third)  # the capture may lag behind
    del tap.packets[:]
    assert traffic.ping(b, "10.7.0.1", count=3) == 3
    assert {p.source for p in tap.expect(outgoing=False, sport=right.port, count=3)} == {third}


@families
def test_source_address_taken_away(lab, family):
    """The address that answers leave from is removed: the end goes on with another one."""
    a, b = topology.two_hosts(lab)
    second, length = {4: ("10.99.0.20", 24), 6: ("fd99::20", 64)}[family]
    b.ip("addr add %s/%d dev u0%s" % (second, length, " nodad" if family == 6 else ""))
    left, right = connect(lab, a, b, second)
    assert traffic.ping(a, "10.7.0.2") == 1
    b.ip("addr del %s/%d dev u0" % (second, length))
    traffic.reachable(b, "10.7.0.1", seconds=20)
    wait.until(lambda: left.peer(right)["endpoint"] == endpoint(
        topology.UNDERLAY[family][1], right.port), 5, "new endpoint learnt")
    assert traffic.ping(a, "10.7.0.2", count=3) == 3


@pytest.mark.warren_only
def test_source_address_taken_away_from_peers_side_by_side(lab):
    """Packets to two peers leave in one batch when their source address is gone: it is forgotten
    for both, and no longer used when it comes back."""
    _, (h1, h2, hub_host) = topology.switch(lab, 3)
    hub_host.ip("addr add 10.99.0.20/24 dev u0")
    hub = Tunnel(lab, hub_host, WARREN, ["10.7.0.3/24"]).start().configure()
    sinks = []
    for ns, address in ((h1, "10.7.0.1"), (h2, "10.7.0.2")):
        spoke = Tunnel(lab, ns, WARREN, [address + "/24"]).start().configure()
        spoke.add_peer(hub, "10.99.0.20:51820", ["10.7.0.0/24"])
        hub.add_peer(spoke, allowed=[address + "/32"])
        assert traffic.ping(ns, "10.7.0.3") == 1
        sinks.append((ns.udp(address, 4000), address))
    tap = capture.Capture(lab, hub_host, "u0")
    s = hub_host.udp("10.7.0.3")
    for sent, source in ((b"with it", "10.99.0.20"), (b"without", "10.99.0.3"),
                         (b"again", "10.99.0.3")):
        if sent == b"without":
            hub_host.ip("addr del 10.99.0.20/24 dev u0")
        elif sent == b"again":
            hub_host.ip("addr add 10.99.0.20/24 dev u0")
        del tap.packets[:]
        os.kill(hub.process.pid, signal.SIGSTOP)
        for _, address in sinks:
            s.sendto(sent, (address, 4000))
        os.kill(hub.process.pid, signal.SIGCONT)
        for sink, _ in sinks:
            assert sink.recv(100) == sent
        left = tap.expect(outgoing=True, sport=hub.port, count=2)
        assert {p.source for p in left} == {source}, sent


def test_underlay_family_changes(lab):
    """A peer may move from IPv4 to IPv6 and back."""
    a, b = topology.two_hosts(lab)
    left, right = connect(lab, a, b, "10.99.0.2")
    for address, mine in (("10.99.0.2", "10.99.0.1"), ("fd99::2", "fd99::1"),
                          ("10.99.0.2", "10.99.0.1")):
        left.add_peer(right, endpoint(address, right.port), topology.inner_hosts(1))
        assert traffic.ping(a, "10.7.0.2", count=2) == 2
        assert right.peer(left)["endpoint"] == endpoint(mine, left.port)
        assert traffic.ping(b, "fd07::1", count=2) == 2


def test_link_local_endpoint(lab):
    """An IPv6 link-local endpoint keeps its interface (scope)."""
    a, b = topology.two_hosts(lab)

    def link_local(ns):
        text = ns.run(["ip", "-6", "-o", "addr", "show", "dev", "u0", "scope", "link"]).stdout
        return text.split("inet6 ")[1].split("/")[0] if "inet6 " in text else None

    far = wait.until(lambda: link_local(b), 5, "link-local address")
    left, right = connect(lab, a, b, "10.99.0.2")
    # wg(8) resolves the scope; the interface must remember it
    a.run(["wg", "set", left.name, "peer", noise.b64(right.public),
           "endpoint", "[%s%%u0]:%d" % (far, right.port)])
    assert traffic.ping(a, "10.7.0.2") == 1
    assert traffic.ping(b, "10.7.0.1") == 1
    assert right.peer(left)["endpoint"].startswith("[fe80:")


# ---- marks and ports ----


@families
def test_firewall_mark(lab, family):
    """fwmark is on every outgoing datagram, can be changed and removed live, and steers routing."""
    a, b = topology.two_hosts(lab)
    a.nft("""table inet t {
 counter marked { }
 counter other { }
 counter bare { }
 chain o { type filter hook output priority 0; policy accept
  udp dport 51820 meta mark 0x51 counter name marked
  udp dport 51820 meta mark 0x52 counter name other
  udp dport 51820 meta mark 0 counter name bare
 }
}
""")

    def counts():
        text = a.run(["nft", "-j", "list", "counters"]).stdout
        import json
        return {c["counter"]["name"]: c["counter"]["packets"]
                for c in json.loads(text)["nftables"] if "counter" in c}

    left, right = connect(lab, a, b, topology.UNDERLAY[family][1])
    assert traffic.ping(a, "10.7.0.2") == 1
    first = counts()
    assert first["bare"] > 0 and first["marked"] == 0
    assert left.set("fwmark=81") == 0
    for _ in range(3):  # one after the other: what leaves in one message is counted as one
        assert traffic.ping(a, "10.7.0.2") == 1
    second = counts()
    assert second["marked"] >= 3 and second["bare"] == first["bare"]
    assert left.set("fwmark=82") == 0
    assert traffic.ping(a, "10.7.0.2", count=3) == 3
    third = counts()
    assert third["other"] >= 3 and third["marked"] == second["marked"]
    # the mark survives a new socket
    assert left.set("listen_port=51999") == 0
    assert traffic.ping(a, "10.7.0.2", count=3) == 3
    assert counts()["other"] >= 6 and counts()["bare"] == first["bare"]


@families
def test_firewall_mark_steers_routing(lab, family):
    """Only marked packets find a route out of a: with the mark the tunnel works."""
    a, _, b = topology.routed(lab)
    far = {4: "10.99.2.2", 6: "fd99:2::2"}[family]
    flag, gateway = "-%d" % family, {4: "10.99.1.1", 6: "fd99:1::1"}[family]
    a.run(["ip", flag, "route", "del", "default"])
    a.run(["ip", flag, "route", "add", "default", "via", gateway, "table", "123"])
    a.run(["ip", flag, "rule", "add", "fwmark", "82", "lookup", "123", "priority", "10"])
    left, right = connect(lab, a, b, far)
    assert traffic.ping(a, "10.7.0.2", wait_s=0.5) == 0
    assert left.set("fwmark=82", "public_key=" + right.public.hex(), "remove=true") == 0
    left.add_peer(right, endpoint(far, right.port), topology.inner_hosts(1))
    assert traffic.ping(a, "10.7.0.2", count=3) == 3


@pytest.mark.matrix
def test_listen_port_changes_live(lab):
    """The port changes in the middle of a stream; the peer follows; the old port is free again."""
    a, b = topology.two_hosts(lab)
    left, right = connect(lab, a, b, "10.99.0.2")
    assert traffic.ping(a, "10.7.0.2") == 1
    stream = traffic.Stream(lab, a, b, "10.7.0.2", 200)
    for port in (6001, 6002, 0):
        sent = stream.received()
        assert left.set("listen_port=%d" % port) == 0
        shown = int(left.get().interface["listen_port"])
        assert shown == port or (port == 0 and shown >= 1024)
        wait.until(lambda: stream.received() > sent + 20, 5, "stream going on")
        wait.until(lambda: right.peer(left)["endpoint"] == "10.99.0.1:%d" % shown, 5,
                   "peer following to the new port")
        assert traffic.ping(b, "10.7.0.1") == 1
    a.udp("0.0.0.0", 6001).close()
    a.udp("::", 6001).close()
    lost, repeated = stream.finish()
    assert not repeated and len(lost) <= 3, "a port change lost %d packets" % len(lost)


# ---- congestion and fragments ----


class Door:
    """b runs the tunnel end; a is a Python peer with a session."""

    def __init__(self, lab, family):
        self.a, self.b = topology.two_hosts(lab)
        target = (topology.UNDERLAY[family][1], 51820)
        self.end = Tunnel(lab, self.b, WARREN, topology.inner_addresses(1)).start().configure()
        self.peer = Peer(self.a, self.end.public, target, topology.UNDERLAY[family][0])
        self.end.add_peer(self.peer, allowed=topology.inner_hosts(0))
        self.peer.connect()
        self.family = family

    def outer_ds(self, value):
        if self.family == 4:
            self.peer.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, value)
        else:
            self.peer.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, value)


def sink_with_ds(ns, address, port=4001):
    s = ns.udp(address, port)
    if ":" in address:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
    else:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    return s


def receive_ds(s):
    text, extra, _, _ = s.recvmsg(2000, 100)
    for _, kind, value in extra:
        if kind in (socket.IP_TOS, socket.IPV6_TCLASS):
            return text, value[0]
    raise AssertionError("no DS field received")


NOT, ECT1, ECT0, CE = range(4)
# RFC 6040, figure 4: inner mark, outer mark -> mark delivered, None = dropped
DECAPSULATED = [
    (NOT, NOT, NOT), (NOT, ECT0, NOT), (NOT, ECT1, NOT), (NOT, CE, None),
    (ECT0, NOT, ECT0), (ECT0, ECT0, ECT0), (ECT0, ECT1, ECT1), (ECT0, CE, CE),
    (ECT1, NOT, ECT1), (ECT1, ECT0, ECT1), (ECT1, ECT1, ECT1), (ECT1, CE, CE),
    (CE, NOT, CE), (CE, ECT0, CE), (CE, ECT1, CE), (CE, CE, CE)]


@pytest.mark.matrix
@pytest.mark.warren_only
@families
def test_congestion_marks_on_the_way_in(lab, family):
    """Every pair of inner and outer mark comes out as RFC 6040 says, with a right IPv4 checksum
    (the receiving kernel would drop a wrong one); inner DSCP is untouched."""
    door = Door(lab, family)
    sinks = {4: sink_with_ds(door.b, "10.7.0.2"), 6: sink_with_ds(door.b, "fd07::2")}
    for inner_family, build in ((4, capture.ipv4_udp), (6, capture.ipv6_udp)):
        for inner, outer, wanted in DECAPSULATED:
            door.outer_ds(outer)
            before = door.end.drops("congestion")
            payload = os.urandom(8)
            ends = topology.INNER[inner_family]
            door.peer.send_packet(build(ends[0], ends[1], payload, ds=0xB8 | inner))
            if wanted is None:
                wait.until(lambda: door.end.drops("congestion") == before + 1, 5,
                           "drop_congestion for CE on a packet that is not ECN-capable")
            else:
                assert receive_ds(sinks[inner_family]) == (payload, 0xB8 | wanted), (inner, outer)


@pytest.mark.matrix
@pytest.mark.warren_only
@families
def test_congestion_marks_on_the_way_out(lab, family):
    """The outer header carries the inner mark and not the inner DSCP; handshakes carry AF41."""
    door = Door(lab, family)
    tap = capture.Capture(lab, door.a, "u0")
    port = door.peer.port
    for inner_family in (4, 6):
        s = door.b.udp(topology.INNER[inner_family][1])
        for mark in (NOT, ECT1, ECT0, CE):
            del tap.packets[:]
            if inner_family == 4:
                s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0xB8 | mark)
            else:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0xB8 | mark)
            s.sendto(b"mark", (topology.INNER[inner_family][0], 9))
            outer = wait.until(lambda: [p for p in tap.select(dport=port, message=4)
                                        if len(p.payload) > 32], 5, "packet with a mark")
            assert outer[0].ds == mark, "inner mark %d, outer DS field %#x" % (mark, outer[0].ds)
    wait.steady(lambda: True, 0.03, "no faster than an end accepts initiations")
    door.peer.start_handshake()
    assert {p.ds for p in tap.expect(dport=port, message=2)} == {0x88}


@pytest.mark.matrix
@families
def test_inner_1500_over_underlay_1500(lab, family):
    """A tunnel with MTU 1500 over a path of 1500: the outer datagrams travel in fragments and whole
    packets arrive, although the inner ones may not be fragmented."""
    a, b = topology.two_hosts(lab)
    left, right = connect(lab, a, b, topology.UNDERLAY[family][1], mtu=1500)
    tap = capture.Capture(lab, a, "u0")
    for inner in ("10.7.0.2", "fd07::2"):
        header = 48 if ":" in inner else 28
        assert traffic.ping(a, inner, size=1500 - header, dont_fragment=True) == 1
    tap.expect(fragment=True, outgoing=True)
    traffic.tcp_transfer(lab, a, b, "10.7.0.2", size=1 << 18)


@pytest.mark.matrix
@families
def test_path_mtu_shrinks(lab, family):
    """A router on the path has a small MTU: large inner packets that may not be fragmented still
    arrive, because the outer datagrams are, and TCP streams pass both ways.

        a ---- 1500 ---- router ---- 1300 ---- b
    """
    a, router, b = topology.routed(lab)
    left, right = connect(lab, a, b, {4: "10.99.2.2", 6: "fd99:2::2"}[family])
    router.ip("link set r2 mtu 1300")
    b.ip("link set u0 mtu 1300")
    wait.until(lambda: traffic.ping(a, "10.7.0.2", size=1392, wait_s=0.5, dont_fragment=True), 10,
               "large packet through the narrow path")
    traffic.tcp_transfer(lab, a, b, "10.7.0.2", size=1 << 18)
    traffic.tcp_transfer(lab, b, a, "fd07::1", size=1 << 18)


# ---- roaming ----


ROAMERS = [(WARREN, WARREN), (WARREN, WIREGUARD_GO), (WIREGUARD_GO, WARREN)]
pairs = pytest.mark.parametrize("implementations", ROAMERS, ids=["%s-%s" % p for p in ROAMERS])


def move(end, other, old, new, length):
    """Gives the host of 'end' another address. Old wireguard-go clings to a source address that is
    gone; setting the endpoint again makes it forget."""
    ns = end.ns
    ns.ip("addr add %s/%d dev u0%s" % (new, length, " nodad" if ":" in new else ""),
          "addr del %s/%d dev u0" % (old, length))
    if end.implementation == WIREGUARD_GO or tunnel.STAND_IN:
        assert end.set("public_key=" + other.public.hex(),
                       "endpoint=" + end.peer(other)["endpoint"]) == 0


ROAMING = [(p, 4, who) for p in ROAMERS for who in ("sender", "receiver", "both")] + [
    ((WARREN, WARREN), 6, who) for who in ("sender", "receiver")]


@pytest.mark.parametrize("implementations,family,who", ROAMING, ids=[
    "%s-%s-IPv%d-%s" % (p + (f, who)) for p, f, who in ROAMING])
def test_roaming_in_a_stream(lab, implementations, family, who):
    """An end changes its address in the middle of a TCP stream, which goes on without a new
    handshake."""
    a, b = topology.two_hosts(lab)
    ends = topology.UNDERLAY[family]
    new = {4: ("10.99.0.101", "10.99.0.102"), 6: ("fd99::101", "fd99::102")}[family]
    length = {4: 24, 6: 64}[family]
    left, right = connect(lab, a, b, ends[1], implementations)
    stream = traffic.Transfer(lab, a, b, "10.7.0.2")
    stream.goes_on()
    shaken = left.handshake_time(right)
    if who in ("sender", "both"):
        move(left, right, ends[0], new[0], length)
        stream.goes_on()
        wait.until(lambda: right.peer(left)["endpoint"] == endpoint(new[0], left.port), 5,
                   "b following a")
    if who in ("receiver", "both"):
        # b has to speak up from its new address: here with a ping
        move(right, left, ends[1], new[1], length)
        traffic.ping(b, "10.7.0.1", wait_s=0.5)
        stream.goes_on()
        wait.until(lambda: left.peer(right)["endpoint"] == endpoint(new[1], right.port), 5,
                   "a following b")
    stream.finish()
    assert left.handshake_time(right) == shaken


# ---- NAT ----


def behind_nat(lab, timeout_s=3, rules=""):
    """a is behind a NAT in the router, which forgets idle UDP flows after 'timeout_s'."""
    a, router, b = topology.routed(lab)
    router.nft("""table inet f {
 chain i { type filter hook input priority 0; policy accept
  iifname "r2" ct state new drop
 }
 chain fw { type filter hook forward priority 0; policy accept
  iifname "r2" ct state new drop
 }
}
table ip n {
 chain p { type nat hook postrouting priority 100; policy accept
  oifname "r2" masquerade %s
 }
}
""" % rules)
    b.ip("route del default")  # b knows the router's outside only
    router.sysctl("net.netfilter.nf_conntrack_udp_timeout", timeout_s)
    router.sysctl("net.netfilter.nf_conntrack_udp_timeout_stream", timeout_s)
    return a, router, b


def flows(router):
    return router.run(["conntrack", "-L", "-p", "udp"], check=False).stdout.count("dport=51820")


@pairs
def test_nat_with_keepalive(lab, implementations):
    """Persistent keepalive keeps the NAT's memory alive, so the outside can always reach the
    inside."""
    a, router, b = behind_nat(lab)
    left, right = connect(lab, a, b, "10.99.2.2", implementations, keepalive=1)
    wait.until(lambda: right.peer(left).get("endpoint", "").startswith("10.99.2.1:"), 10,
               "first keepalive through the NAT")
    # more than twice the NAT's patience without any traffic of the hosts
    wait.steady(lambda: flows(router) > 0, 7, "NAT remembers the flow", step_s=0.1)
    assert traffic.ping(b, "10.7.0.1", count=3) == 3


@pairs
def test_nat_without_keepalive(lab, implementations):
    """Without keepalive the NAT forgets, and only traffic from the inside opens it again."""
    a, router, b = behind_nat(lab)
    left, right = connect(lab, a, b, "10.99.2.2", implementations)
    assert traffic.ping(a, "10.7.0.2") == 1
    assert traffic.ping(b, "10.7.0.1") == 1
    wait.until(lambda: flows(router) == 0, 20, "NAT forgets the idle flow", step_s=0.1)
    assert traffic.ping(b, "10.7.0.1", wait_s=0.5) == 0
    assert traffic.ping(a, "10.7.0.2", wait_s=5) == 1
    assert traffic.ping(b, "10.7.0.1", count=2) == 2


@pairs
def test_nat_forgets_in_a_stream(lab, implementations):
    """The NAT is flushed and gives out another port in the middle of a stream, which goes on."""
    a, router, b = behind_nat(lab, 30, "random")
    left, right = connect(lab, a, b, "10.99.2.2", implementations)
    stream = traffic.Transfer(lab, a, b, "10.7.0.2")
    stream.goes_on()
    ports = set()
    for _ in range(3):
        ports.add(right.peer(left)["endpoint"])
        router.run(["conntrack", "-F"])
        stream.goes_on()
    wait.until(lambda: right.peer(left)["endpoint"] not in ports or len(ports) > 1, 5, "a new port")
    stream.finish()
