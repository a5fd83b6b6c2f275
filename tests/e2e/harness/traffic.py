# SPDX-License-Identifier: Apache-2.0
"""Traffic to send through a tunnel, each kind with a check of its content."""

import hashlib
import os
import socket
import struct
import threading
import time

from harness import wait


def ping(ns, address, count=1, size=56, wait_s=5, interval=0.05, dont_fragment=False):
    """Sends 'count' echo requests with 'size' bytes of content and returns how many were answered,
    content unchanged. Waits for each that is missing up to 'wait_s' after the last was sent, unlike
    ping(8), which leaves soon after the first answers."""
    v6 = ":" in address
    s = ns.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM,
                  socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP)
    if dont_fragment:
        level, option = (socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER) if v6 else (
            socket.IPPROTO_IP, IP_MTU_DISCOVER)
        s.setsockopt(level, option, PMTUDISC_DO)
    content, missing = os.urandom(size), set(range(1, count + 1))
    begun = time.monotonic()
    end = begun + (count - 1) * interval + wait_s * wait.SLOW
    sent = 0
    try:
        while missing and time.monotonic() < end:
            due = begun + sent * interval
            if sent < count and time.monotonic() >= due:
                sent += 1
                _try(s.sendto, _ECHO.pack(128 if v6 else 8, 0, 0, 0, sent) + content, (address, 0))
                continue
            s.settimeout(max(0.0001, (due if sent < count else end) - time.monotonic()))
            answer = _try(s.recv, 1 << 17)
            if answer and answer[0] == (129 if v6 else 0) and answer[8:] == content:
                missing.discard(_ECHO.unpack_from(answer)[4])
    finally:
        s.close()
    return count - len(missing)


_ECHO = struct.Struct(">BBHHH")
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DO = 10, 23, 2


def _try(call, *args):
    """What the call returns; None for an error of the network, which is no answer either."""
    try:
        return call(*args)
    except OSError:
        return None


def reachable(ns, address, seconds=15):
    """Waits until a ping comes through."""
    wait.until(lambda: ping(ns, address, wait_s=1), seconds, "ping to %s answered" % address)


def tcp_transfer(lab, source, target, address, size=1 << 20, seconds=30):
    """Sends 'size' random bytes by TCP from namespace 'source' to 'address' in 'target', and as
    many back; both ends compare SHA-256 sums."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = target.socket(family, socket.SOCK_STREAM)
    listener.bind((address, 0))
    listener.listen(1)
    problems = []

    def serve():
        try:
            s, _ = listener.accept()
            with s:
                s.settimeout(seconds * wait.SLOW)
                body = _receive(s, size)
                s.sendall(hashlib.sha256(body).digest())
                s.sendall(body[::-1])
        except OSError as problem:
            problems.append(problem)

    thread = lab.thread(serve)
    client = source.socket(family, socket.SOCK_STREAM)
    client.settimeout(seconds * wait.SLOW)
    client.connect(listener.getsockname()[:2])
    body = os.urandom(size)
    client.sendall(body)
    digest = _receive(client, 32)
    back = _receive(client, size)
    thread.join(seconds * wait.SLOW)
    client.close()
    listener.close()
    assert not problems, problems
    assert digest == hashlib.sha256(body).digest(), "content changed on its way"
    assert back == body[::-1], "content changed on its way back"


def _receive(s, size):
    body = bytearray()
    while len(body) < size:
        piece = s.recv(min(1 << 16, size - len(body)))
        if not piece:
            raise AssertionError("connection ended after %d of %d bytes" % (len(body), size))
        body += piece
    return bytes(body)


class Transfer:
    """A TCP stream in the background that goes on until told to stop; content is checked by sum."""

    def __init__(self, lab, source, target, address, pause_s=0.005):
        self.bytes = 0
        self.problem = None
        self.pause_s = pause_s  # between 16 KiB; by default the stream is to last, not to race
        self._end = threading.Event()
        self.sums = [hashlib.sha256(), hashlib.sha256()]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = target.socket(family, socket.SOCK_STREAM)
        listener.bind((address, 0))
        listener.listen(1)
        self.client = source.socket(family, socket.SOCK_STREAM)
        self.client.connect(listener.getsockname()[:2])
        self.server, _ = listener.accept()
        for s in (self.client, self.server):
            s.settimeout(40 * wait.SLOW)
        lab.register(self)
        self.threads = [lab.thread(self._send), lab.thread(self._receive)]

    def _send(self):
        try:
            while not self._end.is_set():
                block = os.urandom(1 << 14)
                self.sums[0].update(block)
                self.client.sendall(block)
                self._end.wait(self.pause_s)
            self.client.shutdown(socket.SHUT_WR)
        except OSError as problem:
            self.problem = problem

    def _receive(self):
        try:
            while block := self.server.recv(1 << 16):
                self.sums[1].update(block)
                self.bytes += len(block)
        except OSError as problem:
            self.problem = problem

    def goes_on(self, seconds=30):
        before = self.bytes
        wait.until(lambda: self.bytes > before + (1 << 17) or self.problem, seconds,
                   "stream going on")
        assert not self.problem, self.problem

    def finish(self):
        self._end.set()
        for t in self.threads:
            t.join(30 * wait.SLOW)
        assert not self.problem, self.problem
        assert self.sums[0].digest() == self.sums[1].digest() and self.bytes > 0

    def close(self):
        self._end.set()
        for s in (self.client, self.server):
            s.close()


class UdpEcho:
    """Answers every datagram on one address with itself."""

    def __init__(self, lab, ns, address, port=7007):
        self.socket = ns.udp(address, port)
        self.socket.settimeout(None)
        self.address = (address, port)
        self.seen = 0
        self._stop = False
        lab.register(self)
        self.thread = lab.thread(self._run)

    def _run(self):
        while not self._stop:
            try:
                text, sender = self.socket.recvfrom(1 << 16)
                if self._stop:
                    return
                self.seen += 1
                self.socket.sendto(text, sender)
            except OSError:
                if self._stop:
                    return

    def close(self):
        self._stop = True
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.thread.join(2)


def udp_echo(s, address, payload, seconds=5):
    """Sends a datagram from socket 's' once and waits for the same one back."""
    s.sendto(payload, address)
    s.settimeout(seconds * wait.SLOW)
    while True:
        text, _ = s.recvfrom(1 << 16)
        if text == payload:
            return


class Stream:
    """Numbered datagrams at a steady pace from one namespace to another, counted at the far end."""

    HEAD = struct.Struct(">Q")

    def __init__(self, lab, source, target, address, pace_per_s=100, size=200, port=7100,
                 fill=b"\0"):
        self.receiver = target.udp(address, port)
        self.receiver.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        self.receiver.settimeout(0.05)
        self.sender = source.udp("::" if ":" in address else "0.0.0.0")
        self.address, self.pace, self.size = (address, port), pace_per_s, size
        self.fill = (fill * size)[:size - 8]
        self.sent = 0
        self.errors = 0
        self.damaged = 0
        self.counts = {}
        self._end = threading.Event()
        self._done = threading.Event()
        lab.register(self)
        self.threads = [lab.thread(self._send), lab.thread(self._receive)]

    def _send(self):
        while not self._end.wait(1 / self.pace):
            try:
                self.sender.sendto(self.HEAD.pack(self.sent) + self.fill, self.address)
            except OSError:
                self.errors += 1
            self.sent += 1

    def _receive(self):
        while not self._done.is_set():
            try:
                text = self.receiver.recv(1 << 16)
            except OSError:
                continue
            number = self.HEAD.unpack_from(text)[0]
            self.damaged += text[8:] != self.fill or number >= self.sent + 1
            self.counts[number] = self.counts.get(number, 0) + 1

    def received(self):
        return len(self.counts)

    def finish(self, seconds=5):
        """Stops sending, waits for what is on its way; returns (lost numbers, repeated numbers)."""
        self._end.set()
        self.threads[0].join(5)
        end = wait.deadline(seconds)
        while self.received() < self.sent and wait.time.monotonic() < end:
            wait.time.sleep(wait.STEP_S)
        lost = [n for n in range(self.sent) if n not in self.counts]
        return lost, [n for n, count in self.counts.items() if count > 1]

    def close(self):
        self._end.set()
        self._done.set()
        for t in self.threads:
            t.join(5)
