# SPDX-License-Identifier: Apache-2.0
"""What a hostile or broken peer can send: every refused datagram has its counter and gets no
answer.

    a: a peer made of Python (harness/hostile.py)     b: the tunnel end under test
       inner 10.7.0.1, no interface                      inner 10.7.0.2
       u0 10.99.0.1  ---------- veth ----------------   u0 10.99.0.2:51820
"""

import os
import struct
import time

import pytest

from harness import capture, noise, topology, traffic, tunnel, wait
from harness.hostile import Peer
from harness.relay import Noisy, Relay
from harness.stage import RETRY_S, TARGET, Stage
from harness.tunnel import Tunnel, WARREN

LOW_ORDER = [bytes(32), b"\1" + bytes(31),
             bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")]


@pytest.fixture
def stage(lab):
    return Stage(lab)


def good_initiation(stage):
    return noise.Handshake(stage.peer.private, stage.end.public).initiation()


def with_mac1(stage, body):
    return noise.add_macs(body, stage.end.public)


def data(index, size=48):
    return struct.pack("<IIQ", 4, index, 0) + os.urandom(size)


UNASKED = {
    "empty": (lambda s: b"", "bad_length"),
    "one byte": (lambda s: b"\x01", "bad_length"),
    "three bytes": (lambda s: b"\x01\0\0", "bad_length"),
    "initiation cut by one": (lambda s: good_initiation(s)[:-1], "bad_length"),
    "initiation and one more": (lambda s: good_initiation(s) + b"\0", "bad_length"),
    "half an initiation": (lambda s: good_initiation(s)[:74], "bad_length"),
    "response cut": (lambda s: b"\2\0\0\0" + bytes(87), "bad_length"),
    "cookie reply cut": (lambda s: b"\3\0\0\0" + bytes(59), "bad_length"),
    "data without room for a tag": (lambda s: data(1, 15), "bad_length"),
    "type 0": (lambda s: bytes(64), "bad_type"),
    "type 5": (lambda s: b"\5\0\0\0" + bytes(144), "bad_type"),
    "reserved byte set": (lambda s: b"\1\0\1" + good_initiation(s)[3:], "bad_type"),
    "data with a suite": (lambda s: b"\4\1" + data(1)[2:], "bad_type"),
    "initiation in an unknown suite": (
        lambda s: with_mac1(s, b"\1\7" + good_initiation(s)[2:116]), "unknown_suite"),
    "last reserved byte set": (lambda s: b"\1\0\0\1" + good_initiation(s)[4:], "bad_type"),
    "suite byte changed on the way": (
        lambda s: b"\1\1" + good_initiation(s)[2:], "bad_mac1"),
    "largest datagram of zeros": (lambda s: bytes(65507), "bad_type"),
    "initiation with wrong mac1": (
        lambda s: good_initiation(s)[:131] + b"\xAA" + bytes(16), "bad_mac1"),
    "initiation for another key": (
        lambda s: noise.Handshake(s.peer.private, noise.public_key(noise.private_key()))
        .initiation(), "bad_mac1"),
    "garbage with right mac1": (
        lambda s: with_mac1(s, b"\1\0\0\0" + os.urandom(112)), "bad_handshake"),
    "initiation from an unknown key": (
        lambda s: noise.Handshake(noise.private_key(), s.end.public).initiation(), "unknown_peer"),
    "response nobody waits for": (
        lambda s: with_mac1(s, b"\2\0\0\0" + os.urandom(56)), "unexpected_response"),
    "cookie reply nobody waits for": (
        lambda s: b"\3\0\0\0" + os.urandom(60), "unexpected_cookie"),
    "data for no session": (lambda s: data(0x12345678), "no_session"),
}


@pytest.mark.parametrize("case", UNASKED)
def test_refused_before_any_session(stage, case):
    """One bad datagram: counted under its reason, unanswered, and the next good peer gets
    through."""
    build, reason = UNASKED[case]
    stage.refused(build(stage), reason)
    stage.still_works()


@pytest.mark.parametrize("point", range(len(LOW_ORDER)))
def test_low_order_point(stage, point):
    """A point of low order as ephemeral key (RFC 7748, section 7) is refused."""
    body = b"\1\0\0\0" + os.urandom(4) + LOW_ORDER[point] + os.urandom(76)
    stage.refused(with_mac1(stage, body), "bad_handshake")
    stage.still_works()


def test_no_private_key(stage):
    """Without a private key handshakes are refused; with it again they work."""
    before = stage.end.private
    assert stage.end.set("private_key=" + bytes(32).hex()) == 0
    stage.refused(good_initiation(stage), "no_private_key")
    assert stage.end.set("private_key=" + before.hex()) == 0
    stage.still_works()


def test_replayed_initiation(stage):
    """An initiation is worth one response: neither a copy nor an older timestamp gets another."""
    old = noise.Handshake(stage.peer.private, stage.end.public).initiation()
    handshake = stage.peer.start_handshake()
    sent = stage.peer.last_sent
    stage.peer.session = handshake.read_response(stage.peer.receive(kind=noise.RESPONSE))
    stage.peer.send(stage.peer.session.seal(b""))
    stage.refused(sent, "replayed_handshake", count=3)
    stage.refused(old, "replayed_handshake")
    stage.delivered()
    # also from elsewhere, and without moving the endpoint there
    thief = Peer(stage.a, stage.end.public, TARGET)
    stage.refused(sent, "replayed_handshake", sender=thief)
    assert stage.end.peer(stage.peer)["endpoint"] == "10.99.0.1:%d" % stage.peer.port


def test_initiations_in_a_burst(stage):
    """A known peer that initiates too fast is held to 50 a second, and counted."""
    for _ in range(5):
        burst = [noise.Handshake(stage.peer.private, stage.end.public).initiation()
                 for _ in range(40)]
        stage.peer.drain()
        begun = time.monotonic()
        for datagram in burst:
            stage.peer.send(datagram)
        if time.monotonic() - begun < 0.1:
            break  # a burst; interrupted, it would be none
    stage.peer.receive(kind=noise.RESPONSE)
    if not tunnel.STAND_IN:
        wait.until(lambda: stage.end.drops("initiation_flood") > 0, 5, "drop_initiation_flood")
    answers = 1
    while stage.peer.receive_or_none(0.2 * wait.SLOW, noise.RESPONSE):
        answers += 1
    assert answers < 20, "%d answers to a burst of 40" % answers


@pytest.mark.matrix
def test_replayed_and_changed_data(stage):
    """Data: a copy, a flipped bit anywhere, a cut, a wrong index: nothing is delivered twice or
    changed, each has its counter, and the session goes on."""
    stage.peer.connect()
    stage.delivered()
    good = stage.peer.session.seal(capture.ipv4_udp("10.7.0.1", "10.7.0.2", b"once"))
    stage.peer.send(good)
    assert stage.sink.recv(2000) == b"once"
    stage.refused(good, "replay", count=5)
    fresh = stage.peer.session.seal(capture.ipv4_udp("10.7.0.1", "10.7.0.2", b"never"))
    for position in (8, 9, 15, 16, 30, len(fresh) - 16, len(fresh) - 1):
        for bit in (0, 7):
            changed = bytearray(fresh)
            changed[position] ^= 1 << bit
            stage.refused(bytes(changed), "bad_tag")
    stage.refused(fresh[:-1], "bad_tag")
    stage.refused(fresh[:40], "bad_tag")
    stage.refused(fresh + b"\0", "bad_tag")
    changed = bytearray(fresh)
    changed[6] ^= 0xFF
    stage.refused(bytes(changed), "no_session")
    stage.delivered(b"still here")


@pytest.mark.matrix
def test_replay_window(stage):
    """Counters may come in any order within the window, each once; those before it are refused."""
    stage.peer.connect()
    for counter in (40000, 39999, 7300, 20000, 39936, 19999):
        stage.delivered(counter=counter)
    for counter in (40000, 39999, 7300, 20000, 39936, 19999, 7200, 500, 1, 0):
        packet = capture.ipv4_udp("10.7.0.1", "10.7.0.2", b"again")
        stage.refused(stage.peer.session.seal(packet, counter=counter), "replay")
    stage.delivered(counter=1 << 40)
    packet = capture.ipv4_udp("10.7.0.1", "10.7.0.2", b"too old")
    stage.refused(stage.peer.session.seal(packet, counter=40001), "replay")


@pytest.mark.warren_only
def test_used_up_counter(stage):
    """Counters from 2^64 - 2^13 - 1 on are refused: nonces must never wrap."""
    stage.peer.connect()
    stage.delivered()
    packet = capture.ipv4_udp("10.7.0.1", "10.7.0.2", b"the end")
    for counter in ((1 << 64) - (1 << 13) - 1, (1 << 64) - 1):
        before = [stage.end.drops(r) for r in ("replay", "session_expired")]
        stage.peer.send(stage.peer.session.seal(packet, counter=counter))
        wait.until(lambda: sum(stage.end.drops(r) for r in ("replay", "session_expired"))
                   == sum(before) + 1, 5, "refusal of counter %#x" % counter)
    stage.delivered()


def ipv4(total, first=0x45):
    packet = bytearray(capture.ipv4_udp("10.7.0.1", "10.7.0.2", b"x" * 20))
    packet[0] = first
    packet[2:4] = struct.pack(">H", total)
    return bytes(packet)


INNER = {
    "version 0": (lambda: bytes(48), "bad_inner_packet"),
    "version 5": (lambda: b"\x50" + bytes(47), "bad_inner_packet"),
    "IPv4 longer than what came": (lambda: ipv4(4000), "bad_inner_packet"),
    "IPv4 shorter than its header": (lambda: ipv4(12), "bad_inner_packet"),
    "IPv4 of 16 bytes": (lambda: ipv4(48)[:16], "bad_inner_packet"),
    "IPv6 of 32 bytes": (
        lambda: capture.ipv6_udp("fd07::1", "fd07::2", b"")[:32], "bad_inner_packet"),
    "IPv6 longer than what came": (
        lambda: b"\x60\0\0\0\x40\0" + capture.ipv6_udp("fd07::1", "fd07::2", b"x")[6:],
        "bad_inner_packet"),
    "IPv4 from a foreign source": (
        lambda: capture.ipv4_udp("10.7.0.9", "10.7.0.2", b"spoof"), "wrong_source"),
    "IPv4 from the receiver itself": (
        lambda: capture.ipv4_udp("10.7.0.2", "10.7.0.2", b"spoof"), "wrong_source"),
    "IPv6 from a foreign source": (
        lambda: capture.ipv6_udp("fd07::9", "fd07::2", b"spoof"), "wrong_source"),
}


@pytest.mark.parametrize("case", INNER)
def test_refused_content(stage, case):
    """Correctly sealed, but with a content that is no packet of that peer."""
    build, reason = INNER[case]
    stage.peer.connect()
    stage.delivered()
    stage.refused(stage.peer.session.seal(build()), reason)
    stage.delivered()


def start_as_responder(stage):
    """Lets the end initiate; returns its initiation. Called again, it starts from scratch."""
    if stage.peer.public.hex() in stage.end.get().peers:
        assert stage.end.set("public_key=" + stage.peer.public.hex(), "remove=true") == 0
    stage.peer.drain()
    stage.begun = time.monotonic()
    stage.end.add_peer(stage.peer, "10.99.0.1:%d" % stage.peer.port, topology.inner_hosts(0))
    stage.b.udp("10.7.0.2").sendto(b"hello", ("10.7.0.1", 9))
    return stage.peer.receive(kind=noise.INITIATION)


def test_response_once(stage):
    """The end initiates: a response counts once, a changed one not at all."""

    def attempt():
        initiation = start_as_responder(stage)
        handshake = noise.Handshake(stage.peer.private)
        handshake.read_initiation(initiation)
        response, stage.peer.session = handshake.response()
        broken = bytearray(response)
        broken[50] ^= 1
        broken = noise.add_macs(bytes(broken[:60]), stage.end.public)
        before = 0 if tunnel.STAND_IN else stage.end.drops("bad_handshake")
        stage.peer.send(broken)
        if not tunnel.STAND_IN:
            wait.until(lambda: stage.end.drops("bad_handshake") == before + 1, 5,
                       "drop_bad_handshake")
        foreign = noise.Handshake(stage.peer.private)
        foreign.read_initiation(initiation)
        foreign.remote_index ^= 1
        stage.refused(foreign.response()[0], "unexpected_response")
        stage.peer.send(response)
        assert stage.peer.next_packet()[28:] == b"hello"
        stage.refused(response, "unexpected_response")
        stage.delivered()

    wait.unless_stalled(RETRY_S - 1, attempt)


def test_wrong_peer_answers(stage):
    """A response made with another static key than the one configured does not start a session."""

    def attempt():
        initiation = start_as_responder(stage)
        other = noise.Handshake(stage.peer.private)
        other.read_initiation(initiation)
        other.static = noise.private_key()
        other.remote = other.remote_ephemeral  # a wrong static-static secret: the tag cannot fit
        stage.refused(other.response()[0][:60] + bytes(32), "bad_mac1")
        stage.refused(noise.add_macs(other.response()[0][:60], stage.end.public), "bad_handshake")
        stage.peer.answer(initiation)
        assert stage.peer.next_packet()[28:] == b"hello"

    wait.unless_stalled(RETRY_S - 1, attempt)


def test_forged_cookie_reply(stage):
    """A cookie reply that does not decrypt is refused; a right one is used in the next initiation,
    which comes at its due time, not sooner."""
    cookie = os.urandom(16)

    def attempt():
        initiation = start_as_responder(stage)
        stage.refused(b"\3\0\0\0" + initiation[4:8] + os.urandom(56), "bad_cookie")
        stage.peer.send(noise.cookie_reply(initiation, stage.peer.public, os.urandom(24), cookie))
        assert time.monotonic() - stage.begun < RETRY_S, "too late for the next initiation"

    wait.unless_stalled(RETRY_S - 1, attempt)
    again = stage.peer.receive(8, noise.INITIATION)
    assert again[132:] == noise.mac(cookie, again[:132]), "mac2 does not use the cookie"
    assert again[116:132] == noise.mac(noise.mac1_key(stage.peer.public), again[:116])
    stage.peer.answer(again)
    assert stage.peer.next_packet()[28:] == b"hello"


@pytest.mark.matrix
def test_endpoint_moves_for_authentic_packets_only(stage):
    """Copies and forgeries from another address never move the endpoint; a good packet does."""
    stage.peer.connect()
    stage.delivered()
    home = "10.99.0.1:%d" % stage.peer.port
    thief = Peer(stage.a, stage.end.public, TARGET)
    stage.refused(stage.peer.last_sent, "replay", sender=thief)
    forged = bytearray(stage.peer.session.seal(capture.ipv4_udp("10.7.0.1", "10.7.0.2", b"no")))
    forged[-1] ^= 1
    stage.refused(bytes(forged), "bad_tag", sender=thief)
    assert stage.end.peer(stage.peer)["endpoint"] == home
    thief.send(stage.peer.session.seal(capture.ipv4_udp("10.7.0.1", "10.7.0.2", b"moved")))
    assert stage.sink.recv(100) == b"moved"
    assert stage.end.peer(stage.peer)["endpoint"] == "10.99.0.1:%d" % thief.port


@pytest.mark.matrix
def test_noisy_path(lab):
    """A path that loses, delays, repeats, replays and damages: what arrives is whole and arrives
    once, no plaintext is on the wire, counters name what happened, and afterwards the tunnel is as
    good as new.

        a 10.99.1.2 ---- 10.99.1.1 proxy 10.99.2.1 ---- 10.99.2.2 b
    """
    marker = b"PLAINTEXT MARKER"
    a, middle, b = topology.routed(lab)
    noisy = Noisy(seed=7, loss=0.02, duplicate=0.05, flip=0.05, replay=0.05, delay=0.05)
    noisy.quiet = True
    relay = Relay(lab, middle, ("10.99.1.1", 5001), ("10.99.2.1", 5002), ("10.99.2.2", 51820),
                  policy=noisy)
    left = Tunnel(lab, a, WARREN, topology.inner_addresses(0)).start().configure()
    right = Tunnel(lab, b, WARREN, topology.inner_addresses(1)).start().configure()
    right.add_peer(left, allowed=topology.inner_hosts(0))
    left.add_peer(right, "10.99.1.1:5001", topology.inner_hosts(1))
    assert traffic.ping(a, "10.7.0.2") == 1
    noisy.quiet = False
    streams = [traffic.Stream(lab, a, b, "10.7.0.2", 300, fill=marker),
               traffic.Stream(lab, b, a, "fd07::1", 300, fill=marker)]
    wait.until(lambda: all(s.sent > 900 for s in streams), 30, "900 packets sent each way")
    noisy.quiet = True
    for s in streams:
        lost, repeated = s.finish(1)
        assert not repeated and not s.damaged
        assert len(lost) < 0.2 * s.sent, "%d of %d lost" % (len(lost), s.sent)
    assert min(noisy.counts.values()) > 10, noisy.counts
    assert len(relay.log) > 1800 and not [d for _, d in relay.log if marker in d]
    if not tunnel.STAND_IN:
        for end in (left, right):
            assert end.drops("replay") > 10 and end.drops("bad_tag") > 10
    traffic.tcp_transfer(lab, a, b, "10.7.0.2", size=1 << 18)
