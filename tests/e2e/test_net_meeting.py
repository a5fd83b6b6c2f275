# SPDX-License-Identifier: Apache-2.0
"""How members of a network find one another when no address is known, and how it ends. Those who
know no good address of one another meet through an open network; members of another private network
find nobody of theirs there."""

import pytest

from harness import traffic, wait
from harness.internet import Internet
from harness.warrend import REFUSED, Network, Node

pytestmark = [pytest.mark.warren_only, pytest.mark.networks]


def known(node, network):
    return node.network(network)["meeting"]["known"]


@pytest.mark.watchdog(90)
def test_members_find_one_another_through_an_open_network(lab):
    """The owner of x moves before anybody has joined: the address in the invitation is wrong."""
    internet = Internet(lab)
    hosts = [internet.public(name) for name in ("hub", "one", "other", "stranger")]
    hub, one, other, stranger = nodes = [Node(lab, host.ns, host.label) for host in hosts]
    one.start()
    x = Network(one, "x")
    line = x.invite()
    one.stop()
    hosts[1].renumber(hosts[1].address.rsplit(".", 1)[0] + ".77")
    for node in nodes:
        node.start(is_waiting=False)
    for node in nodes:
        node.ready()
    plaza = Network(hub, "plaza", open=True).join(one, other, stranger)
    Network(stranger, "y")
    plaza.settle()
    other.rpc("join", invitation=line, host_name=other.name)
    x.nodes.append(other)
    assert "itself" in one.run_cli("network", "meet", "x", "x").stderr
    told = one.run_cli("network", "meet", "plaza", "x")
    assert told.code == REFUSED and "--open" in told.stderr, told.stderr
    assert "join the open network first" in one.run_cli("network", "meet", "x", "nowhere").stderr
    stranger.cli("network", "meet", "y", "plaza")
    assert not other.network("x")["peers"]
    for node in (one, other):
        assert "plaza" in node.cli("network", "meet", "x", "plaza")
    x.settle()
    one.ping(other, "x")
    wait.until(lambda: known(other, "x") == 1 or known(one, "x") == 1, 20, "they have met there")
    assert known(stranger, "y") == 0
    shown = other.cli("network", "show", "x")
    assert "met through: plaza" in shown, shown
    assert "any more" in one.cli("network", "meet", "x", "--off")
    assert one.network("x")["meeting"] is None


@pytest.mark.watchdog(90)
def test_the_owner_ends_his_network_for_all(lab):
    internet = Internet(lab)
    owner, one, late = nodes = [Node(lab, internet.public(name).ns, name)
                                for name in ("owner", "one", "late")]
    for node in nodes:
        node.start(is_waiting=False)
    for node in nodes:
        node.ready()
    Network(owner, "lab").join(one, late).settle()
    one.ping(late)
    address = late.address()
    assert one.run_cli("network", "delete", "lab").code == REFUSED
    owner.wait(lambda n: "used 2 of 2" in n.cli("invitation", "list"), 30, "has counted the two")
    owner.restart()
    assert "used 2 of 2" in owner.cli("invitation", "list")
    owner.wait(lambda n: len(n.network("lab")["peers"]) == 2, 20, "is back")
    late.kill()
    said = owner.cli("network", "delete", "lab")
    assert said.startswith("gave up lab; it has ended for its members"), said
    wait.until(lambda: one.network("lab")["ended_s"], 5, "a member knows")
    shown = one.cli("status")
    assert one.network("lab")["state"] == "ended" and "  ended " in one.cli("network", "list")
    assert "over" in shown and "owner ended it" in shown and "network leave lab" in shown, shown
    assert "network.ended" in one.log(), one.log()[-2000:]
    late.start()
    late.wait(lambda n: n.network("lab")["ended_s"], 20, "who was off learns it")
    assert not traffic.ping(one.ns, address, wait_s=0.3)
    assert one.run_cli("invite", "lab").code == REFUSED
    told = one.run_cli("wait", "address", "lab")
    assert told.code == REFUSED and "is over" in told.stderr, told.stderr
    one.restart()
    assert one.network("lab")["ended_s"]
    one.cli("network", "leave", "lab")
    assert not one.rpc("network.list")["networks"]
