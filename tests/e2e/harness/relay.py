# SPDX-License-Identifier: Apache-2.0
"""A middle box in user space: a UDP proxy in a namespace between two tunnel ends.

Each end has the proxy's address as endpoint of the other. A policy sees each datagram with its
direction and returns the datagrams to pass on: none (loss), several (duplication), changed ones.
"""

import random
import selectors
import socket
import threading


class Relay:
    """left end <-> (left_listen) proxy (right_listen) <-> right end. Directions: "right" is towards
    the right end. 'log' keeps all datagrams that came in, as (direction, bytes)."""

    def __init__(self, lab, ns, left_listen, right_listen, right_end, left_end=None, policy=None,
                 keep=20000):
        self.left, self.right = ns.udp(*left_listen), ns.udp(*right_listen)
        for s in (self.left, self.right):
            s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
            s.setblocking(False)
        self.left_end, self.right_end = left_end, right_end
        self.policy = policy or (lambda direction, datagram: [datagram])
        self.log = []
        self.keep = keep
        self._done = threading.Event()
        lab.register(self)
        self.thread = lab.thread(self._run)

    def _run(self):
        selector = selectors.DefaultSelector()
        selector.register(self.left, selectors.EVENT_READ)
        selector.register(self.right, selectors.EVENT_READ)
        while not self._done.is_set():
            for key, _ in selector.select(0.05):
                for _ in range(256):
                    try:
                        datagram, sender = key.fileobj.recvfrom(1 << 16)
                    except (BlockingIOError, ConnectionRefusedError):
                        break
                    self._pass(key.fileobj, datagram, sender)
        selector.close()

    def _pass(self, arrived_at, datagram, sender):
        if arrived_at is self.left:
            self.left_end, direction = sender, "right"
        else:
            self.right_end, direction = sender, "left"
        if len(self.log) < self.keep:
            self.log.append((direction, datagram))
        for out in self.policy(direction, datagram):
            self.inject(direction, out)

    def inject(self, direction, datagram):
        """Sends a datagram to one end as if it came from the other."""
        s, target = (self.right, self.right_end) if direction == "right" else (
            self.left, self.left_end)
        if target:
            try:
                s.sendto(datagram, target)
            except OSError:
                pass

    def logged(self, kind=None, direction=None):
        """Datagrams that came in, by message type and direction."""
        return [d for way, d in list(self.log) if (direction is None or way == direction)
                and (kind is None or d[:4] == bytes([kind, 0, 0, 0]))]

    def close(self):
        self._done.set()
        self.thread.join(5)


class Noisy:
    """A policy with seeded faults, each a probability: loss, duplicate, flip (one random bit),
    replay (sends an old datagram again), and delay (until some others have passed)."""

    def __init__(self, seed, loss=0.0, duplicate=0.0, flip=0.0, replay=0.0, delay=0.0):
        self.random = random.Random(seed)
        self.loss, self.duplicate, self.flip, self.replay = loss, duplicate, flip, replay
        self.delay = delay
        self.counts = {"loss": 0, "duplicate": 0, "flip": 0, "replay": 0, "delay": 0}
        self.old, self.held = {}, {}
        self.quiet = False

    def _hit(self, what):
        hit = self.random.random() < getattr(self, what)
        self.counts[what] += hit
        return hit

    def __call__(self, direction, datagram):
        held = self.held.setdefault(direction, [])
        if self.quiet:
            late, held[:] = [d for _, d in held], []
            return [datagram, *late]
        held[:] = [(turns - 1, d) for turns, d in held]
        out = [d for turns, d in held if turns <= 0]
        held[:] = [(turns, d) for turns, d in held if turns > 0]
        old = self.old.setdefault(direction, [])
        if self.delay and self._hit("delay"):
            held.append((self.random.randrange(2, 60), datagram))
        elif not self._hit("loss"):
            if self._hit("flip"):
                changed = bytearray(datagram)
                bit = self.random.randrange(len(datagram) * 8)
                changed[bit // 8] ^= 1 << bit % 8
                out.append(bytes(changed))
            else:
                out.append(datagram)
                if self._hit("duplicate"):
                    out.append(datagram)
        if old and self._hit("replay"):
            out.append(self.random.choice(old))
        if len(old) < 500:
            old.append(datagram)
        return out
