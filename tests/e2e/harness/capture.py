# SPDX-License-Identifier: Apache-2.0
"""Captures frames on an interface with an AF_PACKET socket, parsed as far as the tests need."""

import os
import socket
import struct
import threading
import time

from harness import wait

ETH_P_ALL = 3
SO_RCVBUFFORCE = 33
PACKET_OUTGOING = 4


class Packet:
    """One IP packet. 'payload' is what follows the UDP header; fragments have no ports."""

    def __init__(self, ip, outgoing, frame_time):
        self.ip, self.outgoing, self.time = ip, outgoing, frame_time
        self.version = ip[0] >> 4
        self.sport = self.dport = None
        self.payload = b""
        if self.version == 4:
            self.header_size = (ip[0] & 15) * 4
            self.ds = ip[1]
            size, _, flags = struct.unpack_from(">HHH", ip, 2)
            self.size = size
            self.dont_fragment = bool(flags & 0x4000)
            self.fragment = bool(flags & 0x3FFF)
            self.ttl, self.protocol = ip[8], ip[9]
            self.source, self.target = (socket.inet_ntop(socket.AF_INET, ip[i:i + 4])
                                        for i in (12, 16))
            first = not flags & 0x1FFF
        else:
            self.header_size = 40
            self.ds = (struct.unpack_from(">H", ip)[0] >> 4) & 0xFF
            self.size = 40 + struct.unpack_from(">H", ip, 4)[0]
            self.dont_fragment = True
            self.protocol, self.ttl = ip[6], ip[7]
            self.source, self.target = (socket.inet_ntop(socket.AF_INET6, ip[i:i + 16])
                                        for i in (8, 24))
            self.fragment = self.protocol == 44
            first = not self.fragment
        if self.protocol == 17 and first and len(ip) >= self.header_size + 8:
            at = self.header_size
            self.sport, self.dport, length = struct.unpack_from(">HHH", ip, at)
            self.payload = ip[at + 8:at + length] if length else ip[at + 8:]

    @property
    def ecn(self):
        return self.ds & 3

    def message(self):
        """WireGuard's message type, 0 if it is none."""
        return self.payload[0] if len(self.payload) >= 32 and not self.fragment else 0

    def __repr__(self):
        return "<%s:%s > %s:%s proto %d ds %#x %d bytes type %d>" % (
            self.source, self.sport, self.target, self.dport, self.protocol, self.ds, self.size,
            self.message())


class Capture:
    """Listens from its creation on; read 'packets' at any time."""

    def __init__(self, lab, ns, interface, layer3=False):
        with ns.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                                        socket.htons(ETH_P_ALL))
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
            self.socket.bind((interface, ETH_P_ALL))
        self.socket.settimeout(0.05)
        self.packets = []
        self._done = threading.Event()
        lab.register(self)
        self.thread = lab.thread(self._run)

    def _run(self):
        while not self._done.is_set():
            try:
                frame, address = self.socket.recvfrom(1 << 17)
            except TimeoutError:
                continue
            except OSError:
                return
            if address[1] in (0x0800, 0x86DD) and len(frame) >= 20:
                self.packets.append(Packet(frame, address[2] == PACKET_OUTGOING, time.monotonic()))

    def select(self, **wanted):
        """Packets whose attributes equal 'wanted'; message= asks for the WireGuard type."""
        kind = wanted.pop("message", None)
        return [p for p in list(self.packets)
                if all(getattr(p, k) == v for k, v in wanted.items())
                and (kind is None or p.message() == kind)]

    def expect(self, seconds=5, count=1, **wanted):
        """Waits until 'count' such packets have been seen and returns them."""
        return wait.until(lambda: (lambda hits: hits if len(hits) >= count else None)(
            self.select(**wanted)), seconds, "%d captured packets %r" % (count, wanted))

    def close(self):
        self._done.set()
        self.thread.join(5)
        self.socket.close()


def send_ip(ns, interface, packet):
    """Puts a whole IP packet on an interface without link-layer header (a TUN device) as if the
    host's kernel had routed it there."""
    version = packet[0] >> 4
    with ns.entered():
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as s:
            s.sendto(packet, (interface, 0x0800 if version == 4 else 0x86DD, 0, 0, b""))


def _sum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF & ~total


def ipv4_udp(source, target, payload, sport=4000, dport=4001, ds=0, ttl=64):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, ds, 28 + len(payload),
                       int.from_bytes(os.urandom(2), "big"), 0, ttl, 17, 0,
                       socket.inet_aton(source), socket.inet_aton(target))
    head = head[:10] + struct.pack(">H", _sum(head)) + head[12:]
    return head + struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload


def ipv6_udp(source, target, payload, sport=4000, dport=4001, ds=0, hops=64):
    src, dst = (socket.inet_pton(socket.AF_INET6, a) for a in (source, target))
    udp = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload
    check = _sum(src + dst + struct.pack(">IHBB", len(udp), 0, 0, 17) + udp) or 0xFFFF
    udp = udp[:6] + struct.pack(">H", check) + udp[8:]
    return struct.pack(">IHBB", 6 << 28 | ds << 20, len(udp), 17, hops) + src + dst + udp
