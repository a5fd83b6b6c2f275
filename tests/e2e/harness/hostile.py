# SPDX-License-Identifier: Apache-2.0
"""A peer made of noise.py and one UDP socket: speaks the protocol correctly or as wrongly as
asked."""

import socket
import time

from harness import noise, wait


class Peer:
    """A WireGuard peer without interface. 'target' is the tunnel end that it talks to; 'suite' one
    of noise.WIREGUARD and noise.AES."""

    def __init__(self, ns, target_public, target, address="0.0.0.0", port=0, private=None,
                 psk=None, suite=noise.WIREGUARD):
        self.private = private or noise.private_key()
        self.public = noise.public_key(self.private)
        self.target_public, self.target, self.psk = target_public, target, psk
        self.suite = suite
        self.socket = ns.udp(address, port)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        self.port = self.socket.getsockname()[1]
        self.session = None
        self.cookie = None
        self.last_sent = None

    def send(self, datagram):
        self.last_sent = datagram
        self.socket.sendto(datagram, self.target)

    def receive(self, seconds=5, kind=None):
        """Returns the next datagram (of a type); fails if there is none in time."""
        datagram = self.receive_or_none(seconds * wait.SLOW, kind)
        assert datagram is not None, "no datagram of type %s within %g s" % (kind, seconds)
        return datagram

    def receive_or_none(self, seconds, kind=None):
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.socket.settimeout(left)
            try:
                datagram = self.socket.recv(1 << 16)
            except (TimeoutError, socket.timeout):
                return None
            if kind is None or datagram[0] == kind:
                return datagram

    def drain(self):
        """Throws away what has already arrived."""
        self.socket.settimeout(0)
        try:
            while True:
                self.socket.recv(1 << 16)
        except BlockingIOError:
            pass

    def start_handshake(self, **more):
        """Sends an initiation and returns the handshake."""
        handshake = noise.Handshake(self.private, self.target_public, self.psk, suite=self.suite)
        self.send(handshake.initiation(cookie=self.cookie, **more))
        return handshake

    def connect(self):
        """Whole handshake as initiator, confirmed by a keepalive."""
        handshake = self.start_handshake()
        self.session = handshake.read_response(self.receive(kind=noise.RESPONSE))
        self.send(self.session.seal(b""))
        return self.session

    def answer(self, initiation):
        """Answers an initiation that was received."""
        handshake = noise.Handshake(self.private, None, self.psk, suite=self.suite)
        handshake.read_initiation(initiation)
        assert handshake.remote == self.target_public
        response, self.session = handshake.response(cookie=self.cookie)
        self.send(response)
        return self.session

    def next_packet(self, seconds=5):
        """Returns the next inner packet, without padding; keepalives are passed over."""
        packet = self.packet_or_none(seconds * wait.SLOW)
        assert packet is not None, "no packet within %g s" % (seconds * wait.SLOW)
        return packet

    def packet_or_none(self, seconds):
        """The same; None if none comes in time."""
        end = time.monotonic() + seconds
        while datagram := self.receive_or_none(wait.left(end), noise.DATA):
            _, text = self.session.open(datagram)
            if text:
                size = (int.from_bytes(text[2:4], "big") if text[0] >> 4 == 4
                        else 40 + int.from_bytes(text[4:6], "big"))
                return text[:size]
        return None

    def send_packet(self, packet, **more):
        self.send(self.session.seal(packet, **more))
