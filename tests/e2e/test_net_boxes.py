# SPDX-License-Identifier: Apache-2.0
"""The boxes of harness/internet.py are what they are called: measured with plain UDP sockets, in
the words of RFC 4787. Without that the tests of paths would prove nothing."""

import socket

import pytest

from harness.internet import ADDRESS_AND_PORT, BOXES, INDEPENDENT, NONE, Internet, reached
from harness.middleman import Middleman

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.crowd]


class Servers:
    """Two public hosts with two ports each."""

    def __init__(self, internet):
        self.at = [(host.address, port, host.ns.udp(host.address, port))
                   for host in (internet.public("p1"), internet.public("p2"))
                   for port in (3478, 3479)]

    def seen(self, client, number):
        """The endpoint by which the client's datagram came to server 'number', None if it did
        not."""
        address, port, server = self.at[number]
        client.sendto(b"hello %d" % number, (address, port))
        data, source = server.recvfrom(100)
        assert data == b"hello %d" % number
        return source


def mapping_of(outside):
    """By what the endpoints, seen by (P1, a), (P1, b), (P2, a), (P2, b), differ."""
    if len(set(outside)) == 1:
        return INDEPENDENT
    return ADDRESS_AND_PORT if len(set(outside)) == len(outside) else "something else"


def filtering_of(servers, client):
    """Who reaches the client after it spoke to the first server alone."""
    source = servers.seen(client, 0)
    others = []
    for number, (_, _, server) in list(enumerate(servers.at))[1:]:
        server.sendto(b"from %d" % number, source)
        others.append(b"from %d" % number)
    servers.at[0][2].sendto(b"last", source)
    came = reached(client, others, b"last")
    if len(came) == len(others):
        return INDEPENDENT
    return ADDRESS_AND_PORT if not came else "something else"


@pytest.mark.parametrize("kind", [kind for kind, box in BOXES.items() if box.mapping != NONE])
def test_mapping_and_filtering(lab, kind):
    internet = Internet(lab)
    servers, host = Servers(internet), internet.home(kind, "h")
    box = BOXES[kind]
    assert filtering_of(servers, host.ns.udp("0.0.0.0", 5000)) == box.filtering, box.sentence
    client = host.ns.udp("0.0.0.0", 5001)
    outside = [servers.seen(client, number) for number in range(4)]
    assert {address for address, _ in outside} == {host.plugged.outer}
    assert mapping_of(outside) == box.mapping, (box.sentence, outside)


def test_a_mapping_survives_strays(lab):
    """A probe that comes before ours leaves the mapping as it is, as with a router that drops what
    it was not asked for; else no two such boxes could be crossed."""
    internet = Internet(lab)
    servers, host = Servers(internet), internet.home("linux", "h")
    client = host.ns.udp("0.0.0.0", 5000)
    source = servers.seen(client, 0)
    servers.at[2][2].sendto(b"too early", source)
    servers.at[0][2].sendto(b"last", source)
    assert reached(client, [b"too early"], b"last") == {}
    assert servers.seen(client, 2) == source


@pytest.mark.parametrize("kinds", [("linux", "linux"), ("cone", "symmetric"), ("port", "carrier")])
def test_two_that_speak_at_the_same_time_meet(lab, kinds):
    """Hole punching by hand works where it should."""
    internet = Internet(lab)
    servers = Servers(internet)
    ends = [internet.home(kind, "h%d" % i).ns.udp("0.0.0.0", 5000 + i)
            for i, kind in enumerate(kinds)]
    outside = [servers.seen(end, 0) for end in ends]
    ends[1].sendto(b"probe", outside[0])  # opens the way at its own box
    ends[0].sendto(b"answer", outside[1])
    if BOXES[kinds[0]].filtering == INDEPENDENT:
        data, outside[1] = ends[0].recvfrom(100)
        assert data == b"probe"
        ends[0].sendto(b"answer", outside[1])
    while ends[1].recvfrom(100)[0] != b"answer":
        pass


def test_two_symmetric_ones_do_not_meet(lab):
    internet = Internet(lab)
    servers = Servers(internet)
    ends = [internet.home("symmetric", "h%d" % i).ns.udp("0.0.0.0", 5000) for i in range(2)]
    outside = [servers.seen(end, 0) for end in ends]
    for i in range(2):
        for _ in range(3):
            ends[i].sendto(b"probe", outside[1 - i])
    for i in range(2):
        servers.at[0][2].sendto(b"last", outside[i])
        assert reached(ends[i], [b"probe"], b"last") == {}


def test_one_box_leads_nothing_back_inside(lab):
    """Two hosts behind one box cannot use each other's outer endpoint, but the LAN between them."""
    internet = Internet(lab)
    servers, site = Servers(internet), internet.site("linux")
    one, other = site.host("h1"), site.host("h2")
    ends = [one.ns.udp("0.0.0.0", 5000), other.ns.udp("0.0.0.0", 5001)]
    outside = [servers.seen(end, 0) for end in ends]
    ends[0].sendto(b"hairpin", outside[1])
    ends[0].sendto(b"last", (other.address, 5001))
    assert reached(ends[1], [b"hairpin"], b"last") == {}


def test_udp_is_blocked_and_tcp_is_not(lab):
    internet = Internet(lab)
    servers, host = Servers(internet), internet.home("blocked", "h")
    client = host.ns.udp("0.0.0.0", 5000)
    address, port, server = servers.at[0]
    client.sendto(b"never comes", (address, port))
    server.sendto(b"nor does this", (host.plugged.outer, 5000))
    listener = internet.public("p3")
    tcp = listener.ns.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.bind((listener.address, 7))
    tcp.listen()
    out = host.ns.socket(socket.AF_INET, socket.SOCK_STREAM)
    out.connect((listener.address, 7))
    for end in (client, server):
        end.setblocking(False)
        with pytest.raises(BlockingIOError):
            end.recvfrom(100)


def test_a_box_that_forgets_gives_other_ports(lab):
    internet = Internet(lab)
    servers, host = Servers(internet), internet.home("symmetric", "h")
    client = host.ns.udp("0.0.0.0", 5000)
    source = servers.seen(client, 0)
    host.plugged.forget()
    servers.at[0][2].sendto(b"old", source)
    assert servers.seen(client, 0) != source
    assert servers.seen(client, 0)[0] == source[0]


def test_a_host_moves(lab):
    """Pulled out of one line and plugged into another, and given another address on that."""
    internet = Internet(lab)
    servers, host = Servers(internet), internet.home("linux", "h")
    client = host.ns.udp("0.0.0.0", 5000)
    before = servers.seen(client, 0)
    host.plug(internet)
    after = servers.seen(client, 0)
    assert before[0] != after[0] == host.address
    host.renumber(host.address.rsplit(".", 1)[0] + ".9")
    assert servers.seen(client, 0) == (host.address, 5000)
    assert host.address.endswith(".9")


def test_a_cut_parts_two_and_no_others(lab):
    internet = Internet(lab)
    servers, host = Servers(internet), internet.public("h")
    client = host.ns.udp(host.address, 5000)
    assert servers.seen(client, 0) == servers.seen(client, 2)
    internet.cut([host.address], [servers.at[0][0]])
    client.sendto(b"never comes", servers.at[0][:2])
    assert servers.seen(client, 2) == (host.address, 5000)
    internet.cut([], [], is_cut=False)
    assert servers.seen(client, 0) == (host.address, 5000)  # and not what was sent before


def test_a_middleman_changes_datagrams_and_nothing_else(lab):
    internet = Internet(lab)
    servers, host = Servers(internet), internet.public("h")
    client = host.ns.udp("0.0.0.0", 5000)
    seen = []

    def policy(way, datagram):
        seen.append((way, datagram))
        return [datagram.upper(), datagram] if way == "in" else [datagram]
    Middleman(host, policy)
    source = servers.seen(client, 0)
    assert source == (host.address, 5000)
    servers.at[0][2].sendto(b"answer", source)
    assert [client.recvfrom(100)[0] for _ in range(2)] == [b"ANSWER", b"answer"]
    assert seen == [("out", b"hello 0"), ("in", b"answer")]
