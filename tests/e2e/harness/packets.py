# SPDX-License-Identifier: Apache-2.0
"""IP packets made byte by byte, right ones and wrong ones, and the host behind a tunnel where it is
seen what became of them.

    a ==== tunnel ==== b (forwards) ---- v0 ---- u0 c

b's link to c has no offloads: whatever b's kernel got from the tunnel, joined or with checksums
left to do, leaves as single finished packets, as the world would see them."""

import os
import socket
import struct

from harness import capture, topology, wait
from harness.dataplane import plain_wire

# A host that looks on and answers nothing but requests for its link-layer address.
QUIET = """table inet quiet {
 chain o { type filter hook output priority 0; policy drop
  icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
 }
}
"""
BEYOND = {4: ("10.8.0.1", "10.8.0.2"), 6: ("fd08::1", "fd08::2")}
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58


def checksum(*pieces):
    return capture._sum(b"".join(pieces))


def _packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def _pseudo(source, target, protocol, size):
    s, t = _packed(source), _packed(target)
    return s + t + (struct.pack(">BBH", 0, protocol, size) if len(s) == 4
                    else struct.pack(">IHBB", size, 0, 0, protocol))


def ip(source, target, protocol, content, ds=0, ident=None, flags=0x4000, ttl=64, options=b"",
       extensions=b"", first=None):
    """An IP packet. IPv4: 'flags' is the word of DF, MF and offset, 'options' a multiple of 4
    bytes. IPv6: 'extensions' are whole headers, the first of which has the number 'first'."""
    if ":" in source:
        return struct.pack(">IHBB", 6 << 28 | ds << 20, len(extensions) + len(content),
                           protocol if first is None else first, ttl) + \
            _packed(source) + _packed(target) + extensions + content
    if ident is None:
        ident = int.from_bytes(os.urandom(2), "big")
    head = struct.pack(">BBHHHBBH4s4s", 0x45 + len(options) // 4, ds,
                       20 + len(options) + len(content), ident, flags, ttl, protocol, 0,
                       _packed(source), _packed(target)) + options
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + content


def tcp(source, target, payload=b"", sport=4000, dport=80, seq=1000, ack=2000, flags=ACK,
        window=512, options=b"", urgent=0, reserved=0, wrong=0, **more):
    """A TCP segment in its packet. 'wrong' is added to the right checksum."""
    size = 20 + len(options)
    head = struct.pack(">HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack, size << 2 | reserved,
                       flags, window, 0, urgent) + options
    total = checksum(_pseudo(source, target, TCP, size + len(payload)), head, payload)
    head = head[:16] + struct.pack(">H", (total + wrong) & 0xFFFF) + head[18:]
    return ip(source, target, TCP, head + payload, **more)


def udp(source, target, payload=b"", sport=4000, dport=4001, wrong=0, none=False, length=None,
        **more):
    """A UDP datagram in its packet. 'none': without a checksum, as IPv4 allows."""
    head = struct.pack(">HHHH", sport, dport, 8 + len(payload) if length is None else length, 0)
    total = checksum(_pseudo(source, target, UDP, 8 + len(payload)), head, payload) or 0xFFFF
    total = 0 if none else (total + wrong) & 0xFFFF
    return ip(source, target, UDP, head[:6] + struct.pack(">H", total) + payload, **more)


def icmp(source, target, kind, code, rest, **more):
    """An ICMP or ICMPv6 message; 'rest' follows the checksum."""
    protocol = ICMP6 if ":" in source else ICMP
    head = struct.pack(">BBH", kind, code, 0)
    cover = _pseudo(source, target, protocol, 4 + len(rest)) if protocol == ICMP6 else b""
    total = checksum(cover, head, rest)
    return ip(source, target, protocol, struct.pack(">BBH", kind, code, total) + rest, **more)


def extension(following, content):
    """A hop-by-hop, destination or routing header with the number of the one after it."""
    assert (len(content) + 2) % 8 == 0
    return struct.pack(">BB", following, (len(content) + 2) // 8 - 1) + content


def hop_taken(packet):
    """The packet as a router passes it on: one hop less."""
    if packet[0] >> 4 == 6:
        return packet[:7] + bytes([packet[7] - 1]) + packet[8:]
    size = (packet[0] & 15) * 4
    head = packet[:8] + bytes([packet[8] - 1]) + packet[9:10] + b"\0\0" + packet[12:size]
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + packet[size:]


class Beyond:
    """Host c behind b, reached from a through the tunnel, and a capture there."""

    def __init__(self, lab, left, right):
        self.left, self.ns = left, lab.namespace("c")
        b = right.ns
        lab.veth(b, "v0", self.ns, "u0", mtu=9000)
        for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            b.sysctl(name, 1)
        b.ip("addr add 10.8.0.1/24 dev v0", "addr add fd08::1/64 dev v0 nodad")
        self.ns.ip("addr add 10.8.0.2/24 dev u0", "addr add fd08::2/64 dev u0 nodad",
                   "route add default via 10.8.0.1", "route add ::/0 via fd08::1")
        left.ns.ip("route add 10.8.0.0/24 dev " + left.name, "route add fd08::/64 dev " + left.name)
        assert left.set("public_key=" + right.public.hex(), "allowed_ip=10.8.0.0/24",
                        "allowed_ip=fd08::/64") == 0
        plain_wire(b, "v0")
        self.ns.nft(QUIET)
        self.tap = capture.Capture(lab, self.ns, "u0")
        self._meet(b)

    def _meet(self, b):
        """Address resolution, before there is anything to lose."""
        for family in (4, 6):
            s = b.udp("::" if family == 6 else "0.0.0.0")
            s.sendto(b"hello", (BEYOND[family][1], 9))
            self.tap.expect(outgoing=False, target=BEYOND[family][1], protocol=UDP)

    def sees(self, sent, seconds=10):
        """Waits until c has got as many packets as were sent; returns them, in their order."""
        def arrived():
            got = [p.ip for p in list(self.tap.packets)
                   if not p.outgoing and p.source in topology.INNER[4] + topology.INNER[6]]
            return got if len(got) >= len(sent) else None
        return wait.until(arrived, seconds, "%d packets at the far host, of which it has %d" % (
            len(sent), len(self.tap.packets)))

    def forget(self):
        del self.tap.packets[:]
