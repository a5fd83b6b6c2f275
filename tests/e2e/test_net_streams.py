# SPDX-License-Identifier: Apache-2.0
"""Where a firewall drops all UDP, hosts reach one another by TCP, or by what looks like TLS; and by
UDP again as soon as it is let through. Several networks share one port."""

import pytest

from harness import traffic, wait
from harness.internet import Internet
from harness.warrend import Network, Node

pytestmark = [pytest.mark.warren_only, pytest.mark.networks]

WALL = """
table inet wall {
 chain forward { type filter hook forward priority -2; policy accept
  %s
 }
}
"""
NO_UDP = "meta l4proto udp drop"
ONLY_WEB = "meta l4proto udp drop\n  tcp dport != 443 ct state new drop"


class Walled:
    """A site with a firewall of ours before its Linux box."""

    def __init__(self, internet, label):
        self.site = internet.site("linux")
        self.host = self.site.host(label)
        self.stands = False

    def wall(self, rules):
        if self.stands:
            self.site.ns.run(["nft", "delete", "table", "inet", "wall"])
        self.stands = rules is not None
        if self.stands:
            self.site.ns.nft(WALL % rules)
        self.site.ns.run(["conntrack", "-F"], check=False)
        return self


def by_tcp(node, other, kind="tcp"):
    """Is it reached by a stream of this kind?"""
    peer = node.peer(other) or {}
    return peer.get("path") == "stream" and peer["stream"] == kind


def ping_by_name(node, name):
    node.ping(node.rpc("resolve", name=name)["ipv4"])


@pytest.fixture
def three(lab):
    """A public node that listens for TLS, too, one behind a NAT, and one behind a firewall; and
    one that only tells the others how they look from outside."""
    internet = Internet(lab)
    walled = Walled(internet, "walled").wall(NO_UDP)
    mirror = Node(lab, internet.public("mirror").ns, "mirror").start()
    nodes = [Node(lab, internet.public("public").ns, "public", options=["--listen-tls", "443"]),
             Node(lab, internet.home("linux", "home").ns, "home"),
             Node(lab, walled.host.ns, "walled")]
    for node in nodes:
        node.start(is_waiting=False)
    for node in nodes:
        node.ready()
    network = Network(nodes[0]).join(mirror, no_address=True).settle(nodes=nodes[:1])
    return walled, network, nodes


@pytest.mark.watchdog(90)
def test_a_host_whose_udp_is_blocked_reaches_everybody(lab, three):
    walled, network, (public, home, blocked) = three
    network.join(home, blocked).settle(nodes=[home, blocked])
    blocked.ping(public)
    blocked.wait(lambda n: by_tcp(n, public) and by_tcp(public, n), 10, "reaches it by TCP")
    assert public.path(home) == "direct"
    ping_by_name(blocked, "home.lab.warren")
    home.ping(blocked)  # no box lets the one in to the other: public ones relay
    assert blocked.path(home) == "relayed", blocked.explain(home)
    traffic.tcp_transfer(lab, home.ns, blocked.ns, blocked.address(), size=1 << 20)
    assert "UDP is blocked here" in blocked.rpc("netcheck")["summary"]
    why = "UDP does not get through here"
    blocked.wait(lambda n: n.peer(public)["why_stream"] == why, 20, "is sure why")
    assert "path: by TCP 11.0.3.2:41000: " + why in blocked.cli("status")
    reach, = [f for f in blocked.rpc("doctor")["findings"] if f["what"] == "reach"]
    assert reach["state"] == "warning" and "allow outgoing UDP" in reach["fix"], reach

    talk = traffic.Transfer(lab, blocked.ns, home.ns, home.address())
    walled.wall(None)
    talk.goes_on()
    blocked.go_direct(public, seconds=15)
    blocked.go_direct(home, seconds=15)
    talk.finish()


@pytest.mark.watchdog(90)
def test_where_only_web_servers_are_reached_it_goes_by_tls(three):
    walled, network, (public, _, blocked) = three
    walled.wall(ONLY_WEB)
    network.join(blocked).settle(nodes=[blocked])
    blocked.ping(public)
    assert by_tcp(blocked, public, "tls") and by_tcp(public, blocked)
    assert "path: by TLS 11.0.3.2:443" in blocked.cli("status")


def test_several_networks_share_one_port(lab):
    internet = Internet(lab)
    one, other = [Node(lab, internet.public(name).ns, name).start() for name in ("one", "other")]
    for name in ("lab", "home"):
        Network(one, name).join(other).settle()
        other.ping(one, network=name)
    for kind in ("-u", "-t"):  # by IPv4 and by IPv6
        lines = one.ns.run(["ss", "-Hln", kind]).stdout.splitlines()
        places = sorted(line.split()[3] for line in lines)
        mine = [p for p in places if not p.endswith((":53", ":22386"))]  # names; the LAN's group
        assert mine == ["0.0.0.0:41000", "[::]:41000"], places
