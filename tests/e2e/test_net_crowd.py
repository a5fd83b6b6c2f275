# SPDX-License-Identifier: Apache-2.0
"""Many members: some are killed at once, some come and go all the time."""

import random
import time

import pytest

from harness import traffic, wait
from harness.internet import Internet
from harness.warrend import Network, Node, all_pairs

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.crowd]

KINDS = ["public", "public", "linux", "port", "public", "cone", "linux", "symmetric"]


def crowd(lab, count):
    internet = Internet(lab)
    nodes = []
    for number in range(count):
        name = "n%d" % number
        nodes.append(Node(lab, internet.home(KINDS[number % len(KINDS)], name).ns, name))
        nodes[-1].start(is_waiting=False)
    for node in nodes:
        node.ready()
    network = Network(nodes[0])
    network.join(*nodes[1:]).settle(60)
    return network


@pytest.mark.watchdog(150)
def test_four_of_sixteen_are_killed_at_once(lab):
    """Among them the owner, by whom all came in. The others go on as if nothing had been."""
    network = crowd(lab, 16)
    for a, b in zip(network.nodes, network.nodes[1:]):
        a.ping(b)
    killed = [network.nodes[i] for i in (0, 3, 4, 9)]
    left = [n for n in network.nodes if n not in killed]
    for node in killed:
        node.process.popen.kill()
    for node in killed:
        node.process.popen.wait()
    # Ways that led through the dead are found anew: so long packets are lost there.
    all_pairs(left, lambda a, b: traffic.reachable(a.ns, b.address(), 60))
    # Who does not answer has gone; nobody is asked about a setting that networks do not have.
    assert not any("`cipher`" in node.log() for node in left)
    killed[1].start()  # one that was killed comes back by those that it knew
    network.settle(40, nodes=[killed[1]])
    killed[1].ping(left[0])


@pytest.mark.soak
@pytest.mark.watchdog(600)
def test_thirty_with_churn(lab):
    """For five minutes a third of them is always away; who is there reaches who is there."""
    network = crowd(lab, 30)
    rng = random.Random(seed := random.randrange(1 << 30))
    print("seed", seed)
    end = time.monotonic() + 300
    away, pings, lost = [], 0, []
    while time.monotonic() < end:
        if len(away) >= 9:
            back = away.pop(0)
            back.start()
            network.settle(60, nodes=[back])
        leaving = rng.choice([n for n in network.nodes[1:] if n not in away])
        (leaving.kill if rng.random() < 0.5 else leaving.stop)()
        away.append(leaving)
        a, b = rng.sample([n for n in network.nodes if n not in away], 2)
        pings += 1
        if a.first_ping(b, wait_s=20) is None:
            lost.append((a, b))
    assert len(lost) <= pings // 100, "%d of %d: %s" % (len(lost), pings, lost)
    for node in away:
        node.start()
    wait.until(lambda: all(n.is_in() for n in network.nodes), 60, "all are back")
