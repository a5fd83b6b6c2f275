# SPDX-License-Identifier: Apache-2.0
"""The life of a session: first packets, crossing handshakes, lost handshakes, restarts, renewal of
keys.

    a 10.99.0.1 ---------- veth ---------- b 10.99.0.2                   (restart, renewal)
    a 10.99.1.2 ---- 10.99.1.1 proxy 10.99.2.1 ---- 10.99.2.2 b     (crossing and lost handshakes)
"""

import socket
import threading

import pytest

from harness import capture, noise, topology, traffic, wait
from harness.background import LONG_RUNS, LOSSES, REKEY_AFTER_S, assert_nothing_lost
from harness.relay import Relay
from harness.tunnel import Tunnel, WARREN, WIREGUARD_GO

SO_RCVBUFFORCE = 33
PAIRS = [(WARREN, WARREN), (WARREN, WIREGUARD_GO), (WIREGUARD_GO, WARREN)]
pairs = pytest.mark.parametrize("implementations", PAIRS, ids=["%s-%s" % p for p in PAIRS])


def through_proxy(lab, policy, implementations=(WARREN, WARREN)):
    """Two ends that know each other as the proxy's two addresses; traffic has not begun."""
    a, middle, b = topology.routed(lab)
    relay = Relay(lab, middle, ("10.99.1.1", 5001), ("10.99.2.1", 5002), ("10.99.2.2", 51820),
                  ("10.99.1.2", 51820), policy)
    # wireguard-go's two handshake workers race when an initiation and a response arrive together,
    # and the session is then dead for 15 s; one at a time they do not
    env = {"GOMAXPROCS": "1"}
    left = Tunnel(lab, a, implementations[0], topology.inner_addresses(0)).start(env).configure()
    right = Tunnel(lab, b, implementations[1], topology.inner_addresses(1)).start(env).configure()
    left.add_peer(right, "10.99.1.1:5001", topology.inner_hosts(1))
    right.add_peer(left, "10.99.2.1:5002", topology.inner_hosts(0))
    return relay, left, right


class Crossing:
    """Holds the first initiation of each side until the other's has come too, then passes both
    on."""

    def __init__(self):
        self.held = {}
        self.lock = threading.Lock()
        self.open = False
        self.relay = None

    def __call__(self, direction, datagram):
        with self.lock:
            if self.open or datagram[0] != noise.INITIATION:
                return [datagram]
            self.held[direction] = datagram
            if len(self.held) == 2:
                self.open = True
                for way, kept in self.held.items():
                    self.relay.inject(way, kept)
            return []

    def again(self):
        with self.lock:
            self.held, self.open = {}, False


@pairs
def test_crossing_handshakes(lab, implementations):
    """Both ends start at the same moment, and their initiations cross on the way. The first packet
    of each arrives, and few handshake messages are needed; ten times over."""
    crossing = Crossing()
    relay, left, right = through_proxy(lab, crossing, implementations)
    crossing.relay = relay
    sinks = [left.ns.udp("10.7.0.1", 4001), right.ns.udp("10.7.0.2", 4001)]
    targets = [("10.7.0.2", 4001), ("10.7.0.1", 4001)]
    messages = []
    for turn in range(10):
        begun = len(relay.log)
        sinks[0].sendto(b"from a %d" % turn, targets[0])
        sinks[1].sendto(b"from b %d" % turn, targets[1])
        # with a stock end the answer to ours is lost if it was second: a retry after 5 s is its
        # right
        for s, text in ((sinks[1], b"from a %d" % turn), (sinks[0], b"from b %d" % turn)):
            s.settimeout((4 if implementations == (WARREN, WARREN) else 8) * wait.SLOW)
            assert s.recv(100) == text
        assert crossing.open
        for family in (4, 6):
            assert traffic.ping(left.ns, topology.INNER[family][1]) == 1
            assert traffic.ping(right.ns, topology.INNER[family][0]) == 1
        messages.append(sum(d[0] in (1, 2) for _, d in relay.log[begun:]))
        # forget everything for the next turn
        crossing.again()
        for end, other in ((left, right), (right, left)):
            assert end.set("public_key=" + other.public.hex(), "remove=true") == 0
        left.add_peer(right, "10.99.1.1:5001", topology.inner_hosts(1))
        right.add_peer(left, "10.99.2.1:5002", topology.inner_hosts(0))
    assert max(messages) <= 6, "handshake messages a turn: %s" % messages


@pytest.mark.matrix
@pytest.mark.warren_only
def test_packets_wait_for_the_handshake(lab):
    """The first initiation is lost. All that the host has sent meanwhile arrives, in order, once
    the next one is answered; of more than 128 packets the newest stay, and the others are
    counted."""
    lost = []

    def lose_first(direction, datagram):
        if datagram[0] == noise.INITIATION and not lost:
            lost.append(datagram)
            return []
        return [datagram]

    relay, left, right = through_proxy(lab, lose_first)
    sink = right.ns.udp("10.7.0.2", 4001)
    sink.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
    s = left.ns.udp("10.7.0.1")
    for i in range(200):
        s.sendto(b"%03d" % i, ("10.7.0.2", 4001))
    wait.until(lambda: left.drops("queue_full") == 72, 5, "the oldest 72 pushed out")
    arrived = [int(sink.recv(10)) for _ in range(128)]
    assert arrived == list(range(72, 200))
    initiations = relay.logged(noise.INITIATION, "right")
    assert len(initiations) == 2 and len(relay.logged(noise.RESPONSE)) == 1
    assert initiations[0][8:40] != initiations[1][8:40], "a retry needs a new ephemeral key"


@pairs
def test_response_lost(lab, implementations):
    """The response is lost: the initiator's retry sets things right."""
    lost = []

    def lose(direction, datagram):
        if datagram[0] == noise.RESPONSE and not lost:
            lost.append(datagram)
            return []
        return [datagram]

    relay, left, right = through_proxy(lab, lose, implementations)
    assert traffic.ping(left.ns, "10.7.0.2", wait_s=12) == 1
    assert lost
    assert traffic.ping(right.ns, "10.7.0.1", count=3) == 3


@pytest.mark.parametrize("implementations", PAIRS[:2], ids=["%s-%s" % p for p in PAIRS[:2]])
def test_restart_of_an_end_that_knows_the_way(lab, implementations):
    """b is killed and started anew with the same keys; it speaks first, and one handshake later
    traffic flows both ways."""
    a, b = topology.two_hosts(lab)
    left = Tunnel(lab, a, implementations[0], topology.inner_addresses(0)).start().configure()
    right = Tunnel(lab, b, implementations[1], topology.inner_addresses(1)).start().configure()
    left.add_peer(right, "10.99.0.2:51820", topology.inner_hosts(1))
    right.add_peer(left, "10.99.0.1:51820", topology.inner_hosts(0))
    assert traffic.ping(a, "10.7.0.2") == 1
    tap = capture.Capture(lab, a, "u0")
    for _ in range(3):
        right.kill()
        del tap.packets[:]
        right.start().configure()
        right.add_peer(left, "10.99.0.1:51820", topology.inner_hosts(0))
        assert traffic.ping(b, "10.7.0.1") == 1
        assert traffic.ping(a, "10.7.0.2", count=3) == 3
        tap.expect(message=noise.RESPONSE)
        assert len(tap.select(message=noise.INITIATION)) == 1
        assert len(tap.select(message=noise.RESPONSE)) == 1


@pytest.mark.watchdog(90)
def test_restart_of_an_end_that_is_only_asked(lab):
    """b is restarted and does not know where a is. a notices that nothing comes back (15 s by the
    protocol) and renews the handshake by itself; a warren end and a stock end at b's place."""
    runs = []
    for far in (WARREN, WIREGUARD_GO):
        a, b = topology.two_hosts(lab)
        left = Tunnel(lab, a, WARREN, topology.inner_addresses(0)).start().configure()
        right = Tunnel(lab, b, far, topology.inner_addresses(1)).start().configure()
        left.add_peer(right, "10.99.0.2:51820", topology.inner_hosts(1))
        right.add_peer(left, allowed=topology.inner_hosts(0))
        assert traffic.ping(a, "10.7.0.2") == 1
        right.kill()
        right.start().configure()
        right.add_peer(left, allowed=topology.inner_hosts(0))
        tap = capture.Capture(lab, a, "u0")
        runs.append((left, right, tap, traffic.Stream(lab, a, b, "10.7.0.2", 20)))
    for left, right, tap, stream in runs:
        wait.until(lambda: stream.received() > 20, 30, "stream resumes after the restart")
        assert len(tap.select(message=noise.INITIATION)) <= 2
        assert traffic.ping(right.ns, "10.7.0.1", count=3) == 3


@pytest.mark.last
@pytest.mark.early("long_runs")
@pytest.mark.watchdog(200)
@pytest.mark.parametrize("pair", LONG_RUNS)
def test_renewal_of_keys_under_load(long_runs, pair):
    """Streams both ways since the beginning of the session, beside all other tests: the keys are
    renewed after 120 s, and not one packet is lost, repeated or damaged."""
    run = long_runs[pair]
    wait.until(lambda: run.rekeyed() or wait.time.monotonic() - run.started > REKEY_AFTER_S + 20,
               REKEY_AFTER_S + 30, "time of the renewal", step_s=0.2)
    assert run.rekeyed(), "no new handshake %d s after the first" % (REKEY_AFTER_S + 20)
    renewed = run.left.handshake_time(run.right) - run.first_handshake
    # a slow session may see the second renewal and more
    assert any(times * (REKEY_AFTER_S - 2) <= renewed <= times * (REKEY_AFTER_S + 10)
               for times in range(1, 30)), "renewed %.1f s after the first handshake" % renewed
    # and with the new keys for a while
    end = wait.time.monotonic() + 2
    wait.until(lambda: wait.time.monotonic() > end, 10, "two seconds with the new keys", step_s=0.1)
    results = [stream.finish() for stream in run.streams]
    for result in results:
        assert int(result["sent"]) > 100 * REKEY_AFTER_S / wait.SLOW, result
    assert_nothing_lost(results, run.dropped())
    for end in (run.left, run.right):
        if end.implementation == WARREN:
            assert not {r: end.drops(r) for r in LOSSES if end.drops(r)}
