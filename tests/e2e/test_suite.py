# SPDX-License-Identifier: Apache-2.0
"""The suite with AES-256-GCM (docs/protocol.md): spoken with a second implementation, between two
ends, through a man in the middle, and never with an end that is not set to it.

    a: a peer made of Python, or a tunnel end         b: the tunnel end under test
       inner 10.7.0.1                                    inner 10.7.0.2
       u0 10.99.0.1  ---------- veth ----------------   u0 10.99.0.2:51820
"""

import io
import os

import pytest

from harness import capture, noise, topology, traffic, tunnel, wait
from harness.relay import Relay
from harness.stage import Stage
from harness.tunnel import Tunnel, WARREN, WIREGUARD_GO

pytestmark = pytest.mark.warren_only

AES, STOCK = noise.AES.cipher, noise.WIREGUARD.cipher
FIRST_HINT = "no answer to handshakes with aes-256-gcm"
REFUSAL = "`cipher` is set to something else at the other end"


class AesStage(Stage):
    """The tunnel end is set to AES-256-GCM for the peer."""

    def __init__(self, lab, psk=None):
        super().__init__(lab, psk, noise.AES, cipher=AES)

    def set_cipher(self, cipher, **more):
        self.know_peer(cipher=cipher, **more)


@pytest.fixture
def stage(lab):
    return AesStage(lab)


@pytest.mark.parametrize("psk", [None, bytes(range(32))])
def test_python_peer_initiates(lab, psk):
    """The end as responder, with and without preshared key, with packets of several sizes."""
    stage = AesStage(lab, psk)
    stage.peer.connect()
    for size in (0, 1, 15, 16, 17, 500, 1300):
        stage.both_ways(size)
    assert stage.end.peer(stage.peer)["last_handshake_time_sec"] != "0"


@pytest.mark.parametrize("psk", [None, bytes(range(32))])
def test_python_peer_answers(lab, psk):
    """The end as initiator: its messages name the suite, its data messages do not."""
    stage = AesStage(lab, psk)
    stage.set_cipher(AES, endpoint="10.99.0.1:%d" % stage.peer.port)
    stage.sink.sendto(b"hello", ("10.7.0.1", 9))
    initiation = stage.peer.receive(kind=noise.INITIATION)
    assert initiation[:4] == b"\1\1\0\0"
    stage.peer.answer(initiation)
    data = stage.peer.receive(kind=noise.DATA)
    assert data[:4] == b"\4\0\0\0"
    counter, text = stage.peer.session.open(data)
    assert counter == 0 and text[28:33] == b"hello"
    stage.both_ways()


def test_cookie(stage):
    """Cookie replies are the same in both suites; mac2 covers the suite byte."""
    stage.set_cipher(AES, endpoint="10.99.0.1:%d" % stage.peer.port)
    stage.sink.sendto(b"hello", ("10.7.0.1", 9))
    initiation = stage.peer.receive(kind=noise.INITIATION)
    cookie = os.urandom(16)
    stage.peer.send(noise.cookie_reply(initiation, stage.peer.public, os.urandom(24), cookie))
    again = stage.peer.receive(8, noise.INITIATION)
    assert again[:4] == b"\1\1\0\0"
    assert again[132:] == noise.mac(cookie, again[:132]), "mac2 does not use the cookie"
    stage.peer.answer(again)
    assert stage.peer.next_packet()[28:] == b"hello"


def test_other_suites_are_refused(stage):
    """An end that is set to one suite answers no other, whoever asks, and its session goes on."""
    stage.peer.connect()
    stage.both_ways()

    def ask():
        """One initiation right behind another would be a flood, which is found out first."""
        stage.peer.send(noise.Handshake(stage.peer.private, stage.end.public).initiation())
        return stage.end.drops("wrong_suite")

    wait.until(ask, 5, "counter drop_wrong_suite", step_s=0.03)
    assert stage.peer.receive_or_none(0.02) is None, "refused, yet answered"
    wait.until(lambda: REFUSAL in stage.end.log(), 5, "the cause in the log")
    peer = stage.end.get(with_stats=True).peers[stage.peer.public.hex()]
    assert (peer["cipher"], peer["remote_cipher"]) == (AES, STOCK)
    for number in (2, 255):
        body = noise.Handshake(stage.peer.private, stage.end.public).initiation()[:116]
        body = bytes([1, number]) + body[2:]
        stage.refused(noise.add_macs(body, stage.end.public), "unknown_suite")
    # a suite byte that was changed on the way
    good = noise.Handshake(stage.peer.private, stage.end.public, suite=noise.AES).initiation()
    stage.refused(good[:1] + b"\0" + good[2:], "bad_mac1")
    stripped = noise.add_macs(good[:1] + b"\0" + good[2:116], stage.end.public)
    stage.refused(stripped, "bad_handshake")
    # data sealed with the right key and the wrong cipher
    stage.peer.session.suite = noise.WIREGUARD
    packet = capture.ipv4_udp("10.7.0.1", "10.7.0.2", b"never")
    stage.refused(stage.peer.session.seal(packet), "bad_tag")
    stage.peer.session.suite = noise.AES
    stage.both_ways()


def test_responses_of_another_suite(stage):
    """A response that names another suite than the initiation counts under its reason, and the
    right one still starts the session."""
    stage.set_cipher(AES, endpoint="10.99.0.1:%d" % stage.peer.port)
    stage.sink.sendto(b"hello", ("10.7.0.1", 9))
    handshake = noise.Handshake(stage.peer.private, suite=noise.AES)
    handshake.read_initiation(stage.peer.receive(kind=noise.INITIATION))
    response, stage.peer.session = handshake.response()
    for number, reason in ((0, "wrong_suite"), (2, "unknown_suite")):
        body = response[:1] + bytes([number]) + response[2:60]
        stage.refused(noise.add_macs(body, stage.end.public), reason)
    stage.peer.send(response)
    assert stage.peer.next_packet()[28:] == b"hello"


def test_counters_end_earlier(stage):
    """AES-256-GCM keys seal 2^28 packets at most; a counter beyond that is refused."""
    stage.peer.connect()
    stage.both_ways()
    packet = capture.ipv4_udp("10.7.0.1", "10.7.0.2", b"the last one")
    stage.peer.send(stage.peer.session.seal(packet, counter=(1 << 28) - 1))
    assert stage.sink.recv(100) == b"the last one"
    stage.refused(stage.peer.session.seal(packet, counter=1 << 28), "session_expired")


def test_changed_live(stage):
    """A change of the option ends what was spoken before; packets that wait are not lost."""
    stage.peer.connect()
    stage.both_ways()
    old = stage.peer.session
    stage.set_cipher(AES)  # no change
    stage.both_ways()
    stage.set_cipher(STOCK)
    packet = capture.ipv4_udp("10.7.0.1", "10.7.0.2", b"too late")
    stage.refused(old.seal(packet), "no_session")
    stage.sink.sendto(b"waits", ("10.7.0.1", 9))
    initiation = stage.peer.receive(kind=noise.INITIATION)
    assert initiation[:4] == b"\1\0\0\0"
    stage.set_cipher(AES)
    initiation = stage.peer.receive(kind=noise.INITIATION)
    assert initiation[:4] == b"\1\1\0\0", "the packet that waits asks for a session at once"
    stage.peer.answer(initiation)
    assert stage.peer.next_packet()[28:] == b"waits"


def test_wg_tools_do_not_notice(stage, tmp_path):
    """wg(8) never sees the option. syncconf keeps it; setconf, which replaces the peers, does
    not."""
    name, key = stage.end.name, noise.b64(stage.peer.public)
    assert "cipher" not in str(stage.end.get().peers)
    assert stage.end.get(with_stats=True).peers[stage.peer.public.hex()]["cipher"] == AES
    shown = stage.b.run(["wg", "show", name]).stdout
    assert key in shown and "aes" not in shown.lower()
    config = tmp_path / "wg.conf"
    config.write_text(stage.b.run(["wg", "showconf", name]).stdout)
    for command, cipher in (("syncconf", AES), ("addconf", AES), ("setconf", STOCK)):
        stage.b.run(["wg", command, name, str(config)])
        peers = stage.end.get(with_stats=True).peers
        assert peers[stage.peer.public.hex()]["cipher"] == cipher, command


def sections(text):
    """The vectors: section -> {field: hex}."""
    found, here = {}, None
    for line in text.split("\n"):
        if line.startswith("["):
            here = found.setdefault(line.strip("[]"), {})
        elif " = " in line and not line.startswith("#"):
            here.update([line.split(" = ")])
    return found


def test_worked_example():
    """The example of docs/protocol.md is the case aes-psk of the vectors, whole, and the vectors
    are what the second implementation makes."""
    made = io.StringIO()
    noise.selftest()
    noise.write_vectors(made)
    with open(os.path.join(tunnel.REPO, "tests", "vectors", "handshake.txt")) as stream:
        assert stream.read() == made.getvalue()
    expected = sections(made.getvalue())["aes-psk"]
    with open(os.path.join(tunnel.REPO, "docs", "protocol.md")) as stream:
        text = stream.read().split("\n## Worked example\n")[1]
    shown, name = {}, None
    for line in text.split("\n"):
        if line.startswith(8 * " "):
            shown[name] += line.strip()
        elif line.startswith(4 * " "):
            name = line.split()[0]
            shown[name] = ""
    left_out = {"timestamp_s", "timestamp_ns", "chain_initiation", "hash_initiation",
                "chain_response", "hash_response"}
    assert shown == {k: v for k, v in expected.items() if k not in left_out}


def test_documented_command(stage):
    """What docs/uapi.md says to type sets the cipher."""
    with open(os.path.join(tunnel.REPO, "docs", "uapi.md")) as stream:
        section = stream.read().split("\n## cipher\n")[1].split("\n## ")[0]
    command = "\n".join(line for line in section.split("\n") if line.startswith("    "))
    stage.set_cipher(STOCK)
    command = command.replace("/wg0.sock", "/%s.sock" % stage.end.name)
    answer = stage.b.run(["sh", "-c", command], env={"PEER": noise.b64(stage.peer.public)}).stdout
    assert answer == "errno=0\n\n"
    peer = stage.end.get(with_stats=True).peers[stage.peer.public.hex()]
    assert peer["cipher"] == AES


class Middle:
    """Two tunnel ends with a proxy between them whose policy the test sets.

    a 10.99.1.2 ---- 10.99.1.1 proxy 10.99.2.1 ---- 10.99.2.2 b
    """

    def __init__(self, lab, far=WARREN):
        self.a, middle, self.b = topology.routed(lab)
        self.policy = lambda direction, datagram: [datagram]
        self.relay = Relay(lab, middle, ("10.99.1.1", 5001), ("10.99.2.1", 5002),
                           ("10.99.2.2", 51820), policy=lambda *what: self.policy(*what))
        self.left = Tunnel(lab, self.a, WARREN, topology.inner_addresses(0)).start().configure()
        self.right = Tunnel(lab, self.b, far, topology.inner_addresses(1)).start().configure()
        self.right.add_peer(self.left, allowed=topology.inner_hosts(0))
        self.left.add_peer(self.right, "10.99.1.1:5001", topology.inner_hosts(1))

    def set_cipher(self, end, cipher):
        other = self.right if end is self.left else self.left
        assert end.set("public_key=" + other.public.hex(), "update_only=true",
                       "cipher=" + cipher) == 0

    def seen(self, kind):
        """The type fields of all messages of a type, and their number."""
        types = [d[:4] for _, d in list(self.relay.log) if d[0] == kind]
        return set(types), len(types)


def test_two_ends(lab):
    """Ping, TCP and a stream between two ends; every handshake names the suite, nothing is in the
    clear."""
    middle = Middle(lab)
    for end in (middle.left, middle.right):
        middle.set_cipher(end, AES)
    assert traffic.ping(middle.a, "10.7.0.2", count=3) == 3
    assert traffic.ping(middle.b, "fd07::1", count=3) == 3
    traffic.tcp_transfer(lab, middle.a, middle.b, "10.7.0.2", size=1 << 19)
    stream = traffic.Stream(lab, middle.b, middle.a, "10.7.0.1", fill=b"PLAINTEXT MARKER")
    wait.until(lambda: stream.sent > 50, 10, "50 packets sent")
    lost, repeated = stream.finish()
    assert not lost and not repeated and not stream.damaged
    assert middle.seen(noise.INITIATION)[0] == {b"\1\1\0\0"}
    assert middle.seen(noise.RESPONSE)[0] == {b"\2\1\0\0"}
    assert middle.seen(noise.DATA)[0] == {b"\4\0\0\0"}
    assert not [d for _, d in list(middle.relay.log) if b"PLAINTEXT MARKER" in d]


@pytest.mark.watchdog(120)
@pytest.mark.parametrize("far", [WARREN, WIREGUARD_GO])
@pytest.mark.parametrize("asks", ["aes asks", "stock asks"])
def test_ends_set_differently(lab, far, asks):
    """No handshake, no data message either way; a log names the cause: that of the asked end, or,
    if it is a stock one and says nothing, that of the asking end. Set alike, they talk."""
    middle = Middle(lab, far)
    middle.set_cipher(middle.left, AES)
    if asks == "aes asks":
        source, address, asked = middle.a, "10.7.0.2", {b"\1\1\0\0"}
    else:
        middle.right.set("public_key=" + middle.left.public.hex(), "endpoint=10.99.2.1:5002")
        middle.relay.left_end = ("10.99.1.2", 51820)
        source, address, asked = middle.b, "10.7.0.1", {b"\1\0\0\0"}
    assert traffic.ping(source, address, wait_s=1) == 0
    if asks == "aes asks" and far == WIREGUARD_GO:
        wait.until(lambda: FIRST_HINT in middle.left.log(), 40, "the likely cause in the log")
    else:
        end = middle.right if asks == "aes asks" else middle.left
        wait.until(lambda: REFUSAL in end.log(), 10, "the cause in the log")
        assert end.drops("wrong_suite") >= 1
    assert middle.seen(noise.INITIATION)[0] == asked
    assert middle.seen(noise.RESPONSE)[1] == middle.seen(noise.DATA)[1] == 0
    middle.set_cipher(middle.left, STOCK)
    traffic.reachable(source, address)


@pytest.mark.parametrize("cipher, suite", [(AES, b"\0"), (STOCK, b"\1")])
def test_man_in_the_middle(lab, cipher, suite):
    """Who strips the suite byte, or adds one, and even makes mac1 fit, gets nothing but a failed
    handshake; when he goes the ends talk as they are set."""
    middle = Middle(lab)
    for end in (middle.left, middle.right):
        middle.set_cipher(end, cipher)

    def change(direction, datagram):
        if datagram[0] not in (noise.INITIATION, noise.RESPONSE):
            return [datagram]
        to = middle.right if direction == "right" else middle.left
        return [noise.add_macs(datagram[:1] + suite + datagram[2:-32], to.public)]

    middle.policy = change
    assert traffic.ping(middle.a, "10.7.0.2", wait_s=1) == 0
    assert middle.right.drops("bad_handshake") >= 1
    assert middle.seen(noise.RESPONSE)[1] == middle.seen(noise.DATA)[1] == 0
    middle.policy = lambda direction, datagram: [datagram]
    traffic.reachable(middle.a, "10.7.0.2")
    assert len(middle.seen(noise.RESPONSE)[0]) == 1
    assert middle.seen(noise.RESPONSE)[0] == {b"\2\1\0\0" if cipher == AES else b"\2\0\0\0"}


def test_changed_live_under_traffic(lab):
    """Both ends change while a stream flows: it goes on, in the other suite."""
    middle = Middle(lab)
    stream = traffic.Stream(lab, middle.a, middle.b, "10.7.0.2")
    for cipher, count in ((AES, 50), (STOCK, 100)):
        wait.until(lambda: stream.received() > count, 15, "%d packets" % count)
        handshakes = middle.seen(noise.RESPONSE)[1]
        for end in (middle.right, middle.left):
            middle.set_cipher(end, cipher)
        before = stream.received()
        wait.until(lambda: stream.received() > before + 20, 15, "packets after the change")
        assert middle.seen(noise.RESPONSE)[1] > handshakes
    stream.finish(0.3)
    assert not stream.damaged
    assert middle.seen(noise.INITIATION)[0] == {b"\1\0\0\0", b"\1\1\0\0"}
