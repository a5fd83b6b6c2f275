# SPDX-License-Identifier: Apache-2.0
"""Packets of every kind come out as they went in, one by one and in bursts that may be joined on
the way.

    a: puts packets on its TUN device    ==== tunnel ====   b: forwards     ---- v0 ---- c: looks on
       10.7.0.1, fd07::1                                       10.7.0.2, fd07::2            10.8.0.2

b's link to c does nothing for the packets, so c sees single, finished ones (harness/packets.py)."""

import collections
import os
import random
import socket
import struct

import pytest

from harness import capture, dataplane, packets, topology, traffic, wait
from harness.packets import ACK, BEYOND, CWR, ECE, FIN, PSH, RST, SYN, URG
from harness.packets import hop_taken, icmp, ip, tcp, udp

pytestmark = [pytest.mark.warren_only, pytest.mark.matrix]
families = pytest.mark.parametrize("family", [4, 6])

TIMESTAMP = b"\1\1\x08\x0a" + bytes(range(8))
ODD_OPTIONS = [b"", TIMESTAMP, b"\1\1\5\x0a" + bytes(8), b"\x13\x12" + bytes(16) + b"\1\1",
               b"\xfd\4\1\2", b"\x1e\x0c" + bytes(10), b"\0\0\0\0", b"\2\4\5\xb4\3\3\7\1"]


class Path:
    def __init__(self, lab):
        self.left, self.right = dataplane.pair(lab)
        self.beyond = packets.Beyond(lab, self.left, self.right)

    def ends(self, family):
        return topology.INNER[family][0], BEYOND[family][1]

    def passes(self, sent):
        """Puts packets on a's device in one go; c must see each, a hop older, in the order of its
        flow."""
        self.beyond.forget()
        with self.left.ns.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as s:
            targets = [(self.left.name, 0x0800 if p[0] >> 4 == 4 else 0x86DD, 0, 0, b"")
                       for p in sent]
            for packet, target in zip(sent, targets):
                s.sendto(packet, target)
        seen = self.beyond.sees(sent)
        by_flow = [collections.defaultdict(list) for _ in range(2)]
        for flows, some in zip(by_flow, ([hop_taken(p) for p in sent], seen)):
            for packet in some:
                flows[flow_of(packet)].append(packet)
        for flow, wanted in by_flow[0].items():
            got = by_flow[1][flow]
            assert len(got) == len(wanted), "%d of %d packets" % (len(got), len(wanted))
            for number, (one, other) in enumerate(zip(got, wanted)):
                assert one == other, "packet %d:\n%s\nbecame\n%s" % (
                    number, other[:80].hex(), one[:80].hex())
        assert len(seen) == len(sent)


def flow_of(packet):
    """What must stay in order: addresses, protocol, and ports where the packet has them."""
    if packet[0] >> 4 == 4:
        at = (packet[0] & 15) * 4
        fragment = struct.unpack_from(">H", packet, 6)[0] & 0x3FFF
        return packet[12:20], packet[9], b"" if fragment else packet[at:at + 4]
    return packet[8:40], packet[6], packet[40:44] if packet[6] in (6, 17) else b""


@pytest.fixture
def path(lab):
    return Path(lab)


def stream(source, target, count, size, seq=7000, start=0, **more):
    """Segments of a TCP stream that may be joined: consecutive, equal, with consecutive ids."""
    return [tcp(source, target, os.urandom(size), seq=seq + i * size, ident=(start + i) & 0xFFFF,
                **more) for i in range(count)]


@families
def test_streams(path, family):
    """Segments of streams, long and short, with every size of the last and with PSH, FIN and RST at
    the end; sequence numbers and ids run over their ends."""
    a, c = path.ends(family)
    for size in (1, 7, 536, 1380 - 20 * (family == 6)):
        for count in (1, 2, 3, 40):
            burst = stream(a, c, count, size, seq=2**32 - 2 * size, start=65535)
            last = tcp(a, c, os.urandom(max(1, size // 2)), ident=65535 + count & 0xFFFF,
                       seq=2**32 - 2 * size + count * size,
                       flags=random.choice((ACK, ACK | PSH, ACK | FIN, ACK | RST)))
            path.passes(burst + [last])


@families
def test_streams_that_break_off(path, family):
    """Whatever differs from the segment before: flags, window, acknowledgement, options, DS field,
    hop limit, id, a gap, an overlap, a repetition, another size, no content."""
    a, c = path.ends(family)
    size = 500
    changes = [dict(flags=ACK | f) for f in (PSH, URG, ECE, CWR, FIN, SYN, RST)] + [
        dict(flags=0), dict(flags=255), dict(window=1), dict(ack=99), dict(options=TIMESTAMP),
        dict(ds=1), dict(ds=2), dict(ds=3), dict(ds=0xB8), dict(ttl=9), dict(reserved=1),
        dict(urgent=3, flags=ACK | URG), dict(seq=5), dict(seq=-1), dict(seq=500), dict(wrong=1),
        dict(payload=b""), dict(payload=os.urandom(700)), dict(payload=os.urandom(3))]
    if family == 4:
        changes += [dict(ident=0), dict(flags_ip=0), dict(options_ip=b"\1\1\1\0"),
                    dict(flags_ip=0x8000)]
    for change in changes:
        burst = []
        for i in range(9):
            more = dict(seq=7000 + i * size, ident=100 + i, payload=os.urandom(size))
            if i == 4:
                more.update(change, seq=more["seq"] + change.get("seq", 0))
            burst.append(segment(a, c, **more))
        path.passes(burst)


def segment(source, target, payload, flags_ip=None, options_ip=None, **more):
    """A TCP segment whose IP header has flags or options of its own."""
    packet = tcp(source, target, payload, **more)
    if flags_ip is None and options_ip is None:
        return packet
    head = packet[:20]
    if options_ip is not None:
        head = struct.pack(">BBH", 0x45 + len(options_ip) // 4, head[1],
                           len(packet) + len(options_ip)) + head[4:] + options_ip
    if flags_ip is not None:
        head = head[:6] + struct.pack(">H", flags_ip) + head[8:]
    head = head[:10] + b"\0\0" + head[12:]
    return head[:10] + struct.pack(">H", packets.checksum(head)) + head[12:] + packet[20:]


@families
def test_options_of_streams(path, family):
    """Streams all of whose segments carry the same options, usual and odd ones."""
    a, c = path.ends(family)
    for options in ODD_OPTIONS:
        path.passes(stream(a, c, 12, 900, options=options))
    # each with an option that differs
    path.passes([tcp(a, c, os.urandom(900), seq=1 + 900 * i, ident=i,
                     options=b"\1\1\x08\x0a" + struct.pack(">II", i, 7)) for i in range(12)])


@families
def test_congestion_marks_one_by_one(path, family):
    """Each packet of a burst keeps its own mark, in streams and in datagrams."""
    a, c = path.ends(family)
    marks = [2, 2, 3, 2, 1, 1, 0, 0, 3, 3, 2, 0]
    path.passes([tcp(a, c, os.urandom(800), seq=1 + 800 * i, ident=i, ds=mark)
                 for i, mark in enumerate(marks)])
    path.passes([udp(a, c, os.urandom(800), ident=i, ds=mark) for i, mark in enumerate(marks)])


@families
def test_datagrams(path, family):
    """Datagrams of one flow and of many: equal sizes, the last smaller or larger, empty ones, the
    largest, with a length that is wrong, with no checksum and a wrong one."""
    a, c = path.ends(family)
    most = 1420 - (48 if family == 6 else 28)
    for size in (0, 1, 17, 512, most):
        path.passes([udp(a, c, os.urandom(size), ident=i) for i in range(20)])
    for last in (0, 1, 499, 501, 900):
        path.passes([udp(a, c, os.urandom(500), ident=i) for i in range(7)] +
                    [udp(a, c, os.urandom(last), ident=7)] +
                    [udp(a, c, os.urandom(500), ident=8 + i) for i in range(3)])
    path.passes([udp(a, c, os.urandom(300), ident=i, sport=4000 + i % 5) for i in range(40)])
    path.passes([udp(a, c, os.urandom(300), ident=i, wrong=7 * (i % 3 == 1)) for i in range(12)])
    path.passes([udp(a, c, os.urandom(300), ident=i, none=i % 3 != 1) for i in range(12)])
    path.passes([udp(a, c, os.urandom(300), ident=i, length=(308, 100, 9, 8)[i % 4])
                 for i in range(12)])


@families
def test_wrong_checksums(path, family):
    """A wrong checksum arrives as wrong as it was sent: alone, all over a stream, once in it."""
    a, c = path.ends(family)
    for wrong in (1, 0x8000, 0xFFFE):
        path.passes([tcp(a, c, b"alone", wrong=wrong)])
        path.passes(stream(a, c, 10, 700, wrong=wrong))
        good = stream(a, c, 10, 700)
        for at in (0, 5, 9):
            burst = list(good)
            burst[at] = tcp(a, c, os.urandom(700), seq=7000 + at * 700, ident=at, wrong=wrong)
            path.passes(burst)
        path.passes([udp(a, c, os.urandom(700), ident=i, wrong=wrong) for i in range(10)])


def test_ipv4_besides(path):
    """ICMP messages and errors, fragments in and out of order, with and without DF, IP options, and
    protocols that nobody knows, between segments of a stream."""
    a, c = path.ends(4)
    inner = udp(c, a, bytes(64))
    errors = [icmp(a, c, kind, code, struct.pack(">HH", 0, mtu) + inner[:28])
              for kind, code, mtu in ((3, 3, 0), (3, 4, 1300), (11, 0, 0), (12, 0, 0))]
    whole = udp(a, c, os.urandom(4000))[20:]
    fragments = [ip(a, c, 17, whole[at:at + 1000], ident=77,
                    flags=at // 8 | (0x2000 if at + 1000 < len(whole) else 0))
                 for at in range(0, len(whole), 1000)]
    odd = [icmp(a, c, 8, 0, struct.pack(">HH", 1, i) + os.urandom(40)) for i in range(3)] + [
        ip(a, c, protocol, os.urandom(60)) for protocol in (4, 47, 50, 132, 136, 253, 255)] + [
        ip(a, c, 6, b""), ip(a, c, 17, b"\1\2\3"), ip(a, c, 6, os.urandom(19)),
        ip(a, c, 253, os.urandom(64), options=b"\x94\4\0\0"), udp(a, c, b"x", flags=0),
        udp(a, c, b"x", flags=0x8000), udp(a, c, b"x", options=b"\1\1\1\0")]
    between = stream(a, c, len(errors + fragments + odd) + 1, 600)
    burst = [p for two in zip(between, errors + fragments + odd) for p in two]
    path.passes(burst)
    path.passes(fragments[::-1] + errors)


def test_ipv6_besides(path):
    """ICMPv6 messages and errors, fragments, extension headers of all kinds with TCP and UDP behind
    them, flow labels, between segments of a stream."""
    a, c = path.ends(6)
    inner = udp(c, a, bytes(64))
    errors = [icmp(a, c, kind, code, struct.pack(">I", value) + inner[:80])
              for kind, code, value in ((1, 4, 0), (2, 0, 1300), (3, 0, 0), (4, 1, 6))]
    whole = udp(a, c, os.urandom(4000))[40:]
    fragments = [ip(a, c, 17, whole[at:at + 1000], first=44, extensions=struct.pack(
        ">BBHI", 17, 0, at | (at + 1000 < len(whole)), 77)) for at in range(0, len(whole), 1000)]
    pad = b"\1\4\0\0\0\0"
    tcp_, udp_ = tcp(a, c, os.urandom(500))[40:], udp(a, c, os.urandom(500))[40:]
    odd = []
    for first, size in ((60, 6), (0, 6), (43, 22)):
        # a routing header with no segments left is looked over by everybody
        content = {60: pad, 0: pad, 43: b"\4\0" + bytes(20)}[first]
        assert len(content) == size
        for protocol, body in ((6, tcp_), (17, udp_)):
            header = packets.extension(protocol, content)
            odd += [ip(a, c, protocol, body, first=first, extensions=header)] * 3
    odd += [icmp(a, c, 128, 0, struct.pack(">HH", 1, i) + os.urandom(40)) for i in range(3)]
    odd += [ip(a, c, protocol, os.urandom(60)) for protocol in (4, 41, 47, 50, 59, 132, 253)]
    odd += [ip(a, c, 6, b""), ip(a, c, 17, b"\1\2\3"), ip(a, c, 6, os.urandom(19))]
    labelled = [p[:1] + bytes([p[1] & 0xF0 | i % 2]) + p[2:] for i, p in enumerate(
        stream(a, c, 6, 400, sport=4400))]
    between = stream(a, c, len(errors + fragments + odd) + 1, 600)
    path.passes([p for two in zip(between, errors + fragments + odd) for p in two])
    path.passes(fragments[::-1] + errors + labelled)


def test_mixed_flows(path):
    """Many streams and flows of datagrams at once, interleaved at random, with wrong and odd
    packets among them; the seed is shown."""
    seed = int.from_bytes(os.urandom(4), "big")
    print("seed", seed)
    dice = random.Random(seed)
    for _ in range(6):
        queues = []
        for number in range(dice.randrange(2, 12)):
            a, c = path.ends(dice.choice((4, 6)))
            count, size = dice.randrange(1, 30), dice.randrange(1, 1300)
            if dice.random() < 0.5:
                queue = stream(a, c, count, size, sport=5000 + number,
                               options=dice.choice(ODD_OPTIONS[:4]))
            else:
                queue = [udp(a, c, os.urandom(size), sport=5000 + number, ident=i)
                         for i in range(count)]
            for i in range(len(queue)):
                if dice.random() < 0.05:
                    queue[i] = udp(a, c, os.urandom(dice.randrange(1300)), sport=5000 + number,
                                   wrong=dice.randrange(3), ds=dice.randrange(4))
            queues.append(queue)
        burst = []
        while any(queues):
            queue = dice.choice([q for q in queues if q])
            for _ in range(min(len(queue), dice.randrange(1, 6))):
                burst.append(queue.pop(0))
        path.passes(burst)


# ---- what the host's kernel makes: large packets that are cut up on the way ----


@families
def test_segments_of_a_real_stream(lab, path, family):
    """The kernel hands over a TCP stream in large packets. What c sees of it are segments as the
    kernel would have made them: whole, with right checksums, DF as it was, ids that count up, PSH
    and FIN on the last alone."""
    c = path.beyond.ns
    c.nft("delete table inet quiet")
    size, head = 1 << 20, 40 if family == 6 else 20
    traffic.tcp_transfer(lab, path.left.ns, c, BEYOND[family][1], size=size)

    def whole():
        """The segments, once they carry all that has arrived: the tap may be behind."""
        seen = [p.ip for p in list(path.beyond.tap.packets)
                if not p.outgoing and p.protocol == 6 and p.source == topology.INNER[family][0]]
        carried = collections.defaultdict(int)  # bytes from a sequence number on
        for p in seen:
            at = p[head + 4:head + 8]
            carried[at] = max(carried[at], len(p) - head - (p[head + 12] >> 4) * 4)
        return seen if sum(carried.values()) >= size else None

    seen = wait.until(whole, 10, "all segments of the stream")
    assert len(seen) > 700
    ids, flagged = [], 0
    for packet in seen:
        assert len(packet) <= 1420, "a segment larger than the tunnel's MTU"
        content = packet[head:]
        cover = packets._pseudo(*path.ends(family), 6, len(content))
        assert packets.checksum(cover, content) == 0, "wrong checksum"
        if family == 4:
            assert packets.checksum(packet[:20]) == 0 and packet[6] & 0x40, "header or DF"
            ids.append(struct.unpack_from(">H", packet, 4)[0])
        flagged += bool(content[13] & (PSH | FIN))
    assert flagged < len(seen) / 3, "%d of %d with PSH or FIN" % (flagged, len(seen))
    if family == 4:
        steps = collections.Counter((two - one) & 0xFFFF for one, two in zip(ids, ids[1:]))
        assert steps[1] > len(seen) / 2, "ids do not count up: %s" % steps.most_common(3)


@families
def test_congestion_mark_of_a_train(lab, tool, path, family):
    """A train of datagrams with a DS field: each that comes out of it has it."""
    a, c = path.ends(family)
    s = path.left.ns.udp("::" if family == 6 else "0.0.0.0")
    s.setsockopt(17, 103, 500)  # UDP_SEGMENT
    for ds in (0, 1, 2, 3, 0xB8 | 2):
        path.beyond.forget()
        if family == 4:
            s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, ds)
        else:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, ds)
        text = os.urandom(20 * 500 + 33)
        s.sendto(text, (c, 4001))
        wanted = [text[at:at + 500] for at in range(0, len(text), 500)]
        got = wait.until(lambda: (lambda hits: hits if len(hits) >= len(wanted) else None)(
            path.beyond.tap.select(dport=4001)), 5, "the train's datagrams")
        assert [p.payload for p in got] == wanted
        assert {p.ds for p in got} == {ds}
        for p in got:
            content = p.ip[p.header_size:]
            assert packets.checksum(packets._pseudo(a, c, 17, len(content)), content) == 0


@families
def test_too_large_for_the_tunnel(lab, path, family):
    """A host that forwards into the tunnel gets a packet with DF that is too large: the sender is
    told the tunnel's MTU, and a sender that asks its own kernel is told so too."""
    behind = lab.namespace("d")
    a = path.left.ns
    lab.veth(a, "w0", behind, "u0", mtu=9000)
    mine, gateway = {4: ("10.6.0.2", "10.6.0.1"), 6: ("fd06::2", "fd06::1")}[family]
    length = {4: 24, 6: 64}[family]
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        a.sysctl(name, 1)
    a.ip("addr add %s/%d dev w0%s" % (gateway, length, " nodad" if family == 6 else ""))
    behind.ip("addr add %s/%d dev u0%s" % (mine, length, " nodad" if family == 6 else ""),
              "route add %s via %s" % ({4: "default", 6: "::/0"}[family], gateway))
    s = behind.udp(mine)
    if family == 4:
        s.setsockopt(socket.IPPROTO_IP, traffic.IP_MTU_DISCOVER, traffic.PMTUDISC_DO)
    else:
        s.setsockopt(socket.IPPROTO_IPV6, traffic.IPV6_MTU_DISCOVER, traffic.PMTUDISC_DO)
    s.connect((BEYOND[family][1], 4001))

    def refused():
        try:
            s.send(bytes(3000))
        except OSError as error:
            return error.errno == 90
        return False

    wait.until(refused, 5, "EMSGSIZE at the sender, by its path's MTU")
    level, option = (socket.IPPROTO_IP, 14) if family == 4 else (socket.IPPROTO_IPV6, 24)
    assert s.getsockopt(level, option) == 1420  # IP_MTU, IPV6_MTU
