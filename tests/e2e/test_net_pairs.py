# SPDX-License-Identifier: Apache-2.0
"""Hosts behind every kind of NAT reach one another through one network; and whoever listens on the
way learns nothing."""

import glob
import os

import pytest

from harness import sexp, traffic, wait
from harness.capture import Capture
from harness.internet import BOXES, Internet
from harness.warrend import Network, Node, all_pairs

pytestmark = [pytest.mark.warren_only, pytest.mark.networks]

DIRECT, RELAYED, EITHER = "direct", "relayed", "either"
# "same" are two hosts behind one Linux box that leads nothing back inside.
GRID = ["public", "cone", "port", "linux", "symmetric", "symmetric", "carrier", "same", "same"]


def expected(one, other):
    """By what the two boxes let through. Where one side must guess the other's port, both ways of
    it are right: how soon a guess succeeds is chance."""
    kinds = {one, other}
    if kinds == {"symmetric"}:
        return RELAYED
    if "symmetric" in kinds and not kinds & {"public", "cone"}:
        return EITHER
    return DIRECT


def build(lab, kinds):
    internet = Internet(lab)
    sites, nodes = {}, []
    for number, kind in enumerate(kinds):
        name = "%s%d" % (kind, number)
        if kind == "same":
            sites.setdefault(kind, internet.site("linux"))
            host = sites[kind].host(name)
        else:
            host = internet.home(kind, name)
        node = Node(lab, host.ns, name)
        node.kind, node.host = kind, host
        nodes.append(node.start(is_waiting=False))
    for node in nodes:
        node.ready()
    return internet, nodes


def table(nodes, seconds):
    """Rows are who pinged, columns whom: d(irect) or r(elayed), and seconds to the first answer."""
    lines = ["%-12s" % "" + "".join("%12s" % n.name for n in nodes)]
    for a in nodes:
        cells = ["-" if a is b else "%s %.2f" % ((a.path(b) or "?")[0], seconds[a, b])
                 for b in nodes]
        lines.append("%-12s" % a.name + "".join("%12s" % cell for cell in cells))
    return "\n".join(lines)


def settled(nodes):
    """The pairs whose path is not as it has to be, both ways looked at."""
    wrong = []
    for a in nodes:
        paths = {p["hit"]: p["path"] for p in a.network()["peers"]}
        for b in nodes:
            wanted = expected(a.kind, b.kind)
            found = paths.get(b.known_hit)
            if a is not b and (found not in (DIRECT, RELAYED) if wanted == EITHER
                               else found != wanted):
                wrong.append("%r -> %r: %s, not %s" % (a, b, found, wanted))
    return wrong


@pytest.mark.watchdog(150)
def test_all_pairs_of_nats(lab, capsys):
    _, nodes = build(lab, GRID)
    network = Network(nodes[0])
    network.join(*nodes[1:]).settle()
    for node in nodes:
        node.known_hit = node.hit
    seconds = all_pairs(nodes, lambda a, b: a.first_ping(b))
    lost = ["%r -> %r\n%s" % (a, b, a.explain(b)) for (a, b), took in seconds.items()
            if took is None]
    assert not lost, "\n".join(lost)
    problems = []

    def as_expected():
        for (a, b) in seconds:  # traffic is what a direct path is looked for for
            if expected(a.kind, b.kind) == DIRECT and a.path(b) != DIRECT:
                a.ping(b)
        problems[:] = settled(nodes)
        return not problems

    try:
        wait.until(as_expected, 60, "all paths are as they should be", 0.5)
    except AssertionError as failed:
        raise AssertionError("%s\n%s\n%s" % (failed, "\n".join(problems), table(nodes, seconds)))
    with capsys.disabled():
        print("\nd: direct, r: relayed; seconds to the first ping's answer, all pairs at once\n"
              + table(nodes, seconds))


@pytest.mark.watchdog(90)
def test_when_a_relay_dies_another_one_takes_over(lab):
    """Two behind symmetric NATs talk by one of three that have no addresses of their own."""
    _, nodes = build(lab, ["public", "public", "public", "symmetric", "symmetric"])
    relays, (a, b) = nodes[:3], nodes[3:]
    network = Network(relays[0])
    network.join(*relays[1:], no_address=True).join(a, b).settle(nodes=[relays[0], a, b])
    assert relays[1].address() is None
    relays[0].stop()  # who has made the network
    a.first_ping(b, wait_s=20)
    a.ping(b)
    by = {node.hit: node for node in relays[1:]}
    relay = by[wait.until(lambda: a.path(b) == RELAYED and a.peer(b)["relay"], 20, "a relay")]
    assert a.peer(b)["why_relayed"]
    relay.process.popen.kill()
    relay.process.popen.wait()
    traffic.reachable(a.ns, b.address(), 30)
    a.ping(b)
    left = next(node for node in by.values() if node is not relay)
    a.wait(lambda n: n.peer(b)["relay"] == left.hit, 20, "the other one relays")


def test_udp_is_blocked_and_that_is_said(lab):
    """TCP is dropped there as well, else it would take over: test_net_streams.py."""
    _, (owner, blocked) = build(lab, ["public", "blocked"])
    blocked.host.plugged.ns.nft("table inet t {\n chain c { type filter hook forward priority -2; "
                                "policy accept\n  meta l4proto tcp drop\n }\n}\n")
    network = Network(owner).join(blocked)
    assert BOXES["blocked"].sentence == "UDP blocked"

    def says_so(node):
        told = node.network()["trouble"]
        return told and "UDP" in told
    blocked.wait(says_so, 30, "names what is wrong")
    assert not blocked.is_in()
    blocked.wait(lambda n: n.rpc("netcheck")["udp"]["in"] is False, 30, "is sure of it")
    found = blocked.rpc("netcheck")
    assert found["udp"]["out"] is False and "UDP seems to be blocked" in found["summary"], found
    reach, = [f for f in blocked.rpc("doctor")["findings"] if f["what"] == "reach"]
    assert reach["state"] == "fault" and "allow outgoing UDP" in reach["fix"], reach
    assert network.owner.address()  # who is alone in his network, and well


PIECE = 24  # bytes


def secrets(node):
    """Long byte strings of a node's state on the disk: keys, certificates, signatures; of packed
    chains and the like each piece, so that one of their certificates would be noticed, too. Not
    locators of others, which are public to all who know the ring."""
    found = set()

    def walk(expression):
        for element in expression:
            if isinstance(element, tuple):
                walk(element if element[:1] != (b"locator",) else ())
            elif len(element) >= PIECE:
                found.update(element[at:at + PIECE]
                             for at in range(0, len(element) - PIECE + 1, PIECE // 2))
    for path in glob.glob(os.path.join(node.state, "networks", "*", "state")):
        with open(path, "rb") as stream:
            walk((sexp.read(stream.read()),))
    assert len(found) >= 3
    return found


@pytest.mark.watchdog(90)
def test_who_listens_learns_nothing(lab):
    """On the lines of all, and so on the relay's: no content, no certificate, no name."""
    internet, nodes = build(lab, ["public", "symmetric", "symmetric", "port"])
    captures = [Capture(lab, internet.core, line) for line in internet.core.links()
                if line.startswith("n")]
    network = Network(nodes[0], "secretname")
    network.join(*nodes[1:]).settle()
    marker = b"this must not be read on the way"
    for a, b in ((nodes[1], nodes[2]), (nodes[1], nodes[0]), (nodes[3], nodes[1])):
        a.ping(b)
        receiver = b.ns.udp(b.address(), 7000)
        sender = a.ns.udp("0.0.0.0", 0)
        for _ in range(20):
            sender.sendto(marker * 4, (b.address(), 7000))
        assert receiver.recvfrom(2048)[0] == marker * 4
    assert nodes[1].path(nodes[2]) == RELAYED
    hidden = [marker, b"secretname", b"(member)", b"6:member", b"4:cert", b"symmetric1", b"public0"]
    keys = {bytes.fromhex(n.rpc("status")["identity"]["public_key"]) for n in nodes}
    for node in nodes:
        # a greeting names the key of who greets
        hidden += [s for s in secrets(node) if not any(s in key for key in keys)]
    seen = [p.ip for c in captures for p in list(c.packets)]
    assert len(seen) > 200
    found = {h for h in hidden for ip in seen if h in ip}
    assert not found, found
