# SPDX-License-Identifier: Apache-2.0
"""How large packets to each member may be: what the path carries, found by probes; less by a relay,
and what is larger is fragmented, answered, or never begun with."""

import socket

import pytest

from harness import traffic, wait
from harness.internet import Internet
from harness.warrend import Network, Node

pytestmark = [pytest.mark.warren_only, pytest.mark.networks]

RELAYED, FULL = 1356, 1420
HEADS = 28  # of IPv4 and ICMP, or UDP


def connected(lab, count):
    internet = Internet(lab)
    hosts = [internet.public("h%d" % number) for number in range(count)]
    nodes = [Node(lab, host.ns, host.label).start(is_waiting=False) for host in hosts]
    for node in nodes:
        node.ready()
    Network(nodes[0]).join(*nodes[1:]).settle()
    return internet, hosts, nodes


def sizes(one, other):
    """What each says of the other."""
    return one.peer(other)["mtu"], other.peer(one)["mtu"]


def await_sizes(one, other, size, seconds=20):
    wait.until(lambda: traffic.ping(one.ns, other.address(), wait_s=1)
               and sizes(one, other) == (size, size), seconds, "packets of %d bytes" % size, 0.2)


def passes(one, other, size, seconds=10):
    """Does a packet of so many bytes arrive, and its answer, that nobody may fragment? By IPv4 and
    by IPv6 alike."""
    def answered(family, heads):
        return traffic.ping(one.ns, other.address(family=family), size=size - heads, wait_s=seconds,
                            dont_fragment=True)
    found = {answered(family, heads) for family, heads in ((4, HEADS), (6, HEADS + 20))}
    assert len(found) == 1, found
    return found == {1}


def segment_size(one, other):
    """What both ends of a TCP connection use, time stamps included."""
    with other.ns.socket(socket.AF_INET, socket.SOCK_STREAM) as server, \
            one.ns.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        server.bind((other.address(), 0))
        server.listen(1)
        for s in (server, client):
            s.settimeout(20)
        client.connect(server.getsockname())
        accepted, _ = server.accept()
        with accepted:
            return [s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) + 12
                    for s in (client, accepted)]


def fragments_pass(one, other):
    """Datagrams that may be fragmented, of one packet of the interface and of several."""
    with other.ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, \
            one.ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        server.bind((other.address(), 0))
        server.settimeout(10)
        client.setsockopt(socket.IPPROTO_IP, traffic.IP_MTU_DISCOVER, 0)
        for size in (RELAYED - HEADS, RELAYED - HEADS + 1, FULL - HEADS, 9000):
            content = bytes(n * size % 251 for n in range(size))
            client.sendto(content, server.getsockname())
            assert server.recv(1 << 16) == content, size


@pytest.mark.watchdog(120)
def test_sizes_follow_the_path_in_mid_stream(lab):
    internet, hosts, (a, b, _) = connected(lab, 3)
    a.go_direct(b)
    await_sizes(a, b, FULL)
    assert "mtu %d\n" % FULL in a.cli("status")
    assert passes(a, b, FULL) and not passes(a, b, FULL + 1, seconds=0.5)
    assert segment_size(a, b) == [FULL - 40, FULL - 40]
    fragments_pass(a, b)
    talk = traffic.Transfer(lab, a.ns, b.ns, b.address())
    talk.goes_on()

    internet.cut([hosts[0].address], [hosts[1].address])
    a.wait(lambda n: n.path(b) == "relayed", 30, "reaches it by the relay")
    wait.until(lambda: sizes(a, b) == (RELAYED, RELAYED), 20, "the size that relays carry")
    talk.goes_on()
    assert passes(a, b, RELAYED) and not passes(a, b, RELAYED + 1, seconds=0.5)
    fragments_pass(a, b)
    assert segment_size(a, b) == [RELAYED - 40, RELAYED - 40]
    traffic.tcp_transfer(lab, b.ns, a.ns, a.address(), size=1 << 20)

    internet.cut([], [], is_cut=False)
    a.go_direct(b, seconds=60)
    await_sizes(a, b, FULL)
    talk.goes_on()
    talk.finish()


@pytest.mark.watchdog(90)
def test_a_narrow_link_on_the_way_is_found_out(lab):
    """1,460 bytes of IPv4 are 1,400 in the tunnel."""
    internet, hosts, (a, b) = connected(lab, 2)
    for host in hosts:
        line = internet.line_of(host.address)
        prefix = host.address.rsplit(".", 1)[0]
        internet.core.ip("route change %s.0/24 dev %s src %s.1 mtu lock 1460"
                         % (prefix, line, prefix))
    for node in (a, b):
        node.restart()
    for node in (a, b):
        node.wait(lambda n: n.is_in(), 30, "is on the ring")
    a.go_direct(b)
    await_sizes(a, b, 1400)
    assert passes(a, b, 1400) and not passes(a, b, 1401, seconds=0.5)
    fragments_pass(a, b)
    traffic.tcp_transfer(lab, a.ns, b.ns, b.address(), size=1 << 20)


def test_a_narrow_host_has_a_narrow_interface(lab):
    internet = Internet(lab)
    host = internet.public("h")
    host.ns.ip("link set u0 mtu 1480")
    node = Node(lab, host.ns, "h").start()
    Network(node)
    assert node.network()["mtu"] == 1400
    node.options = ["--mtu", "1300"]
    node.restart()
    node.wait(lambda n: n.network(), 10, "has its network")
    assert " mtu 1300 " in host.ns.run(["ip", "link", "show", "lab"]).stdout
