# SPDX-License-Identifier: Apache-2.0
"""One peer cannot take another's share: floods towards peers without a session, from peers and from
strangers, beside a flow that must not notice.

                          bridge
      +---------------+-----+-----------+
    10.99.0.1       10.99.0.2         10.99.0.3
    h1: the end     h2: a good peer   h3: silent, or loud
    10.7.0.1        10.7.0.2          10.7.0.3
"""

import os
import time

import pytest

from harness import capture, dataplane, noise, topology, traffic, uapi, wait
from harness.dataplane import Flows, finish, finish_whole
from harness.hostile import Peer
from harness.tunnel import Tunnel, WARREN

pytestmark = pytest.mark.warren_only


class Town:
    def __init__(self, lab):
        self.lab = lab
        _, (self.h1, self.h2, self.h3) = topology.switch(lab, 3)
        for ns in (self.h1, self.h2, self.h3):
            dataplane.one_queue(ns)
        self.end = Tunnel(lab, self.h1, WARREN, ["10.7.0.1/24"]).start().configure()
        self.good = Tunnel(lab, self.h2, WARREN, ["10.7.0.2/24"]).start().configure()
        self.end.add_peer(self.good, "10.99.0.2:51820", ["10.7.0.2/32"])
        self.good.add_peer(self.end, "10.99.0.1:51820", ["10.7.0.1/32"])
        for tunnel_end in (self.end, self.good):
            tunnel_end.ns.ip("link set %s txqueuelen 10000" % tunnel_end.name)
        assert traffic.ping(self.h1, "10.7.0.2") == 1

    def silent_peer(self, number):
        """A peer with an endpoint where nobody answers."""
        key = noise.public_key(noise.private_key()).hex()
        assert self.end.set("public_key=" + key, "endpoint=10.99.0.3:%d" % (1000 + number),
                            "allowed_ip=10.7.%d.0/24" % (number + 1)) == 0
        return "10.7.%d.1" % (number + 1)


@pytest.fixture
def town(lab):
    return Town(lab)


@pytest.mark.matrix
def test_flood_to_a_silent_peer(town, tool):
    """The host floods peers that never answer their handshakes: their queues drop by name, and
    neither another peer's flows nor its handshake notices."""
    silent = [town.silent_peer(i) for i in range(3)]
    town.h1.ip(*["route add %s/32 dev %s" % (address, town.end.name) for address in silent])
    good = [Flows(town.lab, tool("flows"), town.h1, town.h2, "10.7.0.2", pace_per_s=2000),
            Flows(town.lab, tool("flows"), town.h2, town.h1, "10.7.0.1", pace_per_s=2000)]
    # as fast as the others can, but no faster than the host's own queue to the tunnel takes
    floods = [town.lab.spawn([tool("flows"), "send", address, 9, 4, int(8000 / wait.SLOW), 16, 1200,
                              1], netns=town.h1) for address in silent]
    drops = town.end.drops("queue_full")
    wait.until(lambda: town.end.drops("queue_full") > drops + 3000 / wait.SLOW, 15,
               "queues of the silent peers overflow")
    # a peer comes anew in the middle of it
    for _ in range(3):
        for one, other, at in ((town.end, town.good, "10.99.0.2"),
                               (town.good, town.end, "10.99.0.1")):
            assert one.set("public_key=" + other.public.hex(), "remove=true") == 0
            one.add_peer(other, at + ":51820", ["%s/32" % other.addresses[0].split("/")[0]])
        begun = time.monotonic()
        assert traffic.ping(town.h2, "10.7.0.1") == 1
        assert time.monotonic() - begun < 3 * wait.SLOW, "the handshake had to wait"
    assert all(f.running() for f in floods)
    for result in finish(*good):
        assert not result["late"] and not result["repeated"] and not result["damaged"], result
        # the three moments without a peer cost packets; the flood does not
        assert result["missing"] < 0.3 * result["sent"], result
    again = [Flows(town.lab, tool("flows"), town.h1, town.h2, "10.7.0.2", pace_per_s=2000),
             Flows(town.lab, tool("flows"), town.h2, town.h1, "10.7.0.1", pace_per_s=2000)]
    again[-1].last(1.5)
    finish_whole(*again, least=1000)


def test_staged_packets_of_the_others_survive(town):
    """While one silent peer's packets overflow, the few of another that is only slow to answer are
    all delivered once it does."""
    target = town.silent_peer(0)
    slow = Peer(town.h3, town.end.public, ("10.99.0.1", 51820), port=6000)
    town.end.add_peer(slow, "10.99.0.3:6000", ["10.7.0.3/32"])
    town.h1.ip("route add %s/32 dev %s" % (target, town.end.name))
    s = town.h1.udp("10.7.0.1")
    sent = [os.urandom(16) for _ in range(20)]
    for text in sent:
        s.sendto(text, ("10.7.0.3", 9))
    initiation = slow.receive(kind=noise.INITIATION)
    drops = town.end.drops("queue_full")
    for _ in range(2000):
        s.sendto(bytes(500), (target, 9))
    wait.until(lambda: town.end.drops("queue_full") > drops + 1000, 10, "the silent one overflows")
    slow.answer(initiation)
    assert [slow.next_packet()[28:] for _ in sent] == sent


@pytest.mark.matrix
def test_flood_from_a_peer(town, tool):
    """A peer sends what must be refused, as fast as it can: replays, forgeries, foreign sources.
    Another peer's flow goes on whole."""
    loud = Peer(town.h3, town.end.public, ("10.99.0.1", 51820))
    town.end.add_peer(loud, allowed=["10.7.0.3/32"])
    loud.connect()
    packet = capture.ipv4_udp("10.7.0.3", "10.7.0.1", bytes(100))
    replayed = loud.session.seal(packet)
    sealed = loud.session.seal(packet)
    forged = sealed[:-1] + bytes([sealed[-1] ^ 1])  # a tag may end in any byte
    foreign = [loud.session.seal(capture.ipv4_udp("10.7.0.9", "10.7.0.1", b"x")) for _ in range(50)]
    flow = Flows(town.lab, tool("flows"), town.h2, town.h1, "10.7.0.1", pace_per_s=2000)
    for i in range(int(6000 / wait.SLOW)):
        loud.send((replayed, forged, foreign[i % 50])[i % 3])
    told = {r: town.end.drops(r) for r in ("replay", "bad_tag", "wrong_source")}
    wait.until(lambda: town.end.drops("replay") > 0 and town.end.drops("bad_tag") > 0 and
               town.end.drops("wrong_source") >= 50, 10, "refusals %s" % told)
    flow.last(2)
    flow.finish_whole(1000)


@pytest.mark.watchdog(120)
def test_a_thousand_idle_peers(town, tool):
    """A thousand other peers that say nothing: flows and transfers go on as without them."""
    lines = []
    for i in range(1000):
        lines += ["public_key=" + os.urandom(32).hex(), "allowed_ip=10.%d.%d.0/24" % (
            100 + i // 250, i % 250), "endpoint=10.99.0.3:%d" % (2000 + i)]
    assert town.end.set(*lines) == 0
    assert len(uapi.get(town.end.name).peers) == 1001
    flows = [Flows(town.lab, tool("flows"), town.h1, town.h2, "10.7.0.2"),
             Flows(town.lab, tool("flows"), town.h2, town.h1, "10.7.0.1")]
    traffic.tcp_transfer(town.lab, town.h1, town.h2, "10.7.0.2", size=8 << 20)
    flows[-1].last(1)
    finish_whole(*flows, least=1000)
