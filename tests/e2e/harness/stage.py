# SPDX-License-Identifier: Apache-2.0
"""One tunnel end and a peer made of Python, which says what the test wants.

    a: the peer (harness/hostile.py)                  b: the tunnel end under test
       inner 10.7.0.1, no interface                      inner 10.7.0.2
       u0 10.99.0.1  ---------- veth ----------------   u0 10.99.0.2:51820
"""

import os
import time

from harness import capture, noise, topology, tunnel, wait
from harness.hostile import Peer
from harness.tunnel import Tunnel, WARREN

TARGET = ("10.99.0.2", 51820)
RETRY_S, KEEPALIVE_S = 5, 10  # when the end repeats its initiation, and when it says it is there


class Stage:
    """The tunnel end, the peer it knows, and a socket that shows what was delivered. 'settings' are
    more of the end's for its peer."""

    def __init__(self, lab, psk=None, suite=noise.WIREGUARD, **settings):
        self.a, self.b = topology.two_hosts(lab)
        self.end = Tunnel(lab, self.b, WARREN, topology.inner_addresses(1)).start().configure()
        self.peer = Peer(self.a, self.end.public, TARGET, psk=psk, suite=suite)
        self.psk = psk
        self.know_peer(**settings)
        self.sink = self.b.udp("10.7.0.2", 4001)
        self.begun = time.monotonic()

    def know_peer(self, **settings):
        self.end.add_peer(self.peer, allowed=topology.inner_hosts(0), psk=self.psk, **settings)

    def answer(self, peer, seconds=0.02):
        """The next datagram that may be an answer. On a machine that stalled, the end may meanwhile
        have something to say of its own accord, by its own timers: none of them runs out sooner
        than these."""
        end = time.monotonic() + seconds
        while datagram := peer.receive_or_none(wait.left(end)):
            age = time.monotonic() - self.begun
            own = (datagram[0] == noise.INITIATION and age > RETRY_S
                   or datagram[0] == noise.DATA and len(datagram) == 32 and age > KEEPALIVE_S)
            if not own:
                return datagram
        return None

    def refused(self, datagram, reason, count=1, sender=None):
        """Sends what must be refused for exactly this reason."""
        peer = sender or self.peer
        peer.drain()
        before = None if tunnel.STAND_IN else self.end.drops(reason)
        for _ in range(count):
            peer.send(datagram)
        if before is not None:
            wait.until(lambda: self.end.drops(reason) >= before + count, 5,
                       "counter drop_%s" % reason)
            assert self.end.drops(reason) == before + count
        else:
            wait.steady(lambda: True, 0.1, "time for a stand-in to react")
        assert self.answer(peer) is None, "refused, yet answered"

    def delivered(self, payload=None, **more):
        """Sends a good packet and waits until it comes out."""
        payload = payload or os.urandom(20)
        self.peer.send_packet(capture.ipv4_udp("10.7.0.1", "10.7.0.2", payload), **more)
        assert self.sink.recv(2000) == payload

    def both_ways(self, size=20):
        """The same, and an answer of the host."""
        payload = os.urandom(size)
        self.delivered(payload)
        self.sink.sendto(payload[::-1], ("10.7.0.1", 9))
        assert self.peer.next_packet()[28:] == payload[::-1]

    def still_works(self):
        self.peer.connect()
        self.delivered()
