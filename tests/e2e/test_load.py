# SPDX-License-Identifier: Apache-2.0
"""Under attack: floods of forged handshake messages, beside a stream and beside good handshakes.

                           bridge
      +-------------+---------+---+-------------------+
    10.99.0.1     10.99.0.2     10.99.0.3           10.99.0.4
    h1: victim    h2: client    h3: attacker,       h4: newcomers
    10.7.0.1      10.7.0.2      .64 to .127 too     10.7.0.4, 10.7.0.5

Every forged initiation has a right mac1 (the attacker knows the public key) and random content, so
only public-key arithmetic or a cookie can tell it from a good one; but for one test, in which the
attacker does not know whom it floods.
"""

import json
import os
import signal
import statistics
import time

import pytest

from harness import capture, noise, topology, traffic, wait
from harness.background import kernel_drops
from harness.hostile import Peer
from harness.tunnel import Tunnel, WARREN, WIREGUARD_GO

# Twenty times the handshakes that an end works on without cookies; to answer them all with
# public-key arithmetic would take two cores. A slower build gets a flood as much lighter.
PACE_PER_S = int(10000 / wait.SLOW)
FORGED = 8192
PAIRS = 10  # of one second to a closed port and one second to the tunnel's
NOISE = 0.15  # between the quartiles of the shares
# Of the stream. What others take that tools/test runs beside this one is not taken evenly.
KEPT = 0.65 if os.environ.get("WARREN_TEST_SIDE_BY_SIDE") else 0.8
INSTRUMENTED = bool(os.environ.get("WARREN_SANITIZE"))  # each part is slower by another factor


def forge(path, target_public):
    """Writes distinct initiations with a right mac1 into a file."""
    key = noise.mac1_key(target_public)
    with open(path, "wb") as f:
        for _ in range(FORGED):
            body = b"\1\0\0\0" + os.urandom(112)
            f.write(body + noise.mac(key, body) + bytes(16))


class Siege:
    def __init__(self, lab, tool):
        self.lab = lab
        _, (self.h1, self.h2, self.h3, self.h4) = topology.switch(lab, 4)
        self.victim = Tunnel(lab, self.h1, WARREN, ["10.7.0.1/24"]).start({"LOG_LEVEL": "error"})
        self.victim.configure()
        self.client = Tunnel(lab, self.h2, WARREN, ["10.7.0.2/24"]).start({"LOG_LEVEL": "error"})
        self.client.configure()
        self.victim.add_peer(self.client, allowed=["10.7.0.2/32"])
        self.client.add_peer(self.victim, "10.99.0.1:51820", ["10.7.0.1/32"])
        assert traffic.ping(self.h2, "10.7.0.1") == 1
        self.sources = ["10.99.0.%d" % i for i in range(64, 128)]
        self.h3.ip(*["addr add %s/24 dev u0" % s for s in self.sources])
        self.file = os.path.join(lab.directory, "forged")
        forge(self.file, self.victim.public)
        self.program = tool("flood")

    def flood(self, port, seconds, pace=PACE_PER_S):
        """Starts the attack; it ends by itself after 'seconds'."""
        return self.lab.spawn([self.program, "10.99.0.1", port, self.file, 148, pace,
                               int(pace * seconds), *self.sources], netns=self.h3)

    def unhindered(self, attempt, limit_s):
        """Runs 'attempt', which lasts some seconds and returns how many, and fails if these are
        more than 'limit_s'. Where the kernel dropped packets meanwhile, for want of time to fetch
        them, one of ours may have been among them: then once more."""
        for turn in range(4):
            before = self.kernel_dropped()
            try:
                seconds = attempt()
                assert seconds < limit_s * wait.SLOW, "took %.2f s" % seconds
                return seconds
            except AssertionError:
                if turn == 3 or self.kernel_dropped() == before:
                    raise
        return None

    def asked(self, peer):
        """Sends an initiation until it is answered; returns the handshake and the answer. Unlike
        the program's own, ours need not wait 5 s for the next try when the flood pushed one out of
        the socket."""
        for _ in range(20):
            before = self.kernel_dropped()
            peer.drain()
            handshake = peer.start_handshake()
            while answer := peer.receive_or_none(2 * wait.SLOW):
                if answer[0] in (noise.RESPONSE, noise.COOKIE):
                    return handshake, answer
            assert self.kernel_dropped() > before, "an initiation was not answered"
        raise AssertionError("20 initiations pushed out by the flood")

    def kernel_dropped(self):
        return sum(kernel_drops(lambda path, ns=ns: ns.run(["cat", path]).stdout)
                   for ns in (self.h1, self.h4))

    @staticmethod
    def result(flood, seconds):
        assert flood.wait(seconds) == 0, flood.log()
        return {k: float(v) for k, v in (pair.split("=") for pair in flood.log().split())}


@pytest.fixture
def siege(lab, tool):
    return Siege(lab, tool)


class Iperf:
    """An iperf3 stream from the client to the victim, and its rate in any stretch of time."""

    STEP_S = 0.1

    def __init__(self, siege, seconds):
        siege.lab.spawn(["iperf3", "-s", "-1", "-B", "10.7.0.1"], netns=siege.h1)
        wait.until(lambda: ":1451 " in siege.h1.run(["cat", "/proc/net/tcp"]).stdout, 5,
                   "iperf3 server")
        self.process = siege.lab.spawn(["iperf3", "-c", "10.7.0.1", "-t", str(seconds), "-J",
                                        "-i", str(self.STEP_S)], netns=siege.h2)
        self.started = time.monotonic()
        self.seconds = seconds

    def left_s(self):
        """Seconds until the stream ends by itself."""
        return self.started + self.seconds - time.monotonic()

    def finish(self):
        assert self.process.wait(self.seconds + 20) == 0, self.process.log()[-2000:]
        self.intervals = [i["sum"] for i in json.loads(self.process.log())["intervals"]]

    def rate(self, begin, end):
        """Bits a second between two points of time.monotonic(), their edges left out."""
        begin, end = begin - self.started + 0.15, end - self.started - 0.15
        inside = [i["bits_per_second"] for i in self.intervals
                  if i["start"] >= begin and i["end"] <= end]
        return statistics.mean(inside)


class Contest:
    """A stream while datagrams go to a closed port of the same host and to the tunnel's in turn,
    second by second, since the machine may have other work."""

    def __init__(self, siege):
        self.siege = siege
        self.shares, self.rates = [], []
        self.pairs = self.sent = self.cookies = self.responses = 0

    def go_on(self):
        """Another round of up to PAIRS pairs."""
        stream = Iperf(self.siege, int(PAIRS * 2.5) + 6)
        wait.until(lambda: time.monotonic() > stream.started + 1, 10, "stream in its stride")
        phases = []
        for turn in range(2 * PAIRS + 1):
            if turn % 2 and stream.left_s() < 4:  # a crowded machine: fewer pairs than wanted
                break
            begun = time.monotonic()
            result = self.siege.result(self.siege.flood(51820 if turn % 2 else 9999, 1), 10)
            phases.append((begun, time.monotonic()))
            if turn % 2:
                self.pairs += 1
                self.sent += result["sent"]
                self.cookies += result["answers3"]
                self.responses += result["answers2"]
        stream.finish()
        rates = [stream.rate(*phase) for phase in phases]
        self.rates += rates[0::2]
        self.shares += [rates[i] / statistics.mean((rates[i - 1], rates[i + 1]))
                        for i in range(1, len(rates), 2)]

    def is_noisy(self):
        """Whether the middle half of the shares is wider than the margin of the expectation."""
        low, _, high = statistics.quantiles(self.shares, n=4)
        return high - low > NOISE

    def share(self):
        return statistics.median(self.shares)


@pytest.mark.warren_only
@pytest.mark.watchdog(240)
def test_stream_beside_a_flood(siege):
    """Cookies are demanded, and an iperf3 stream keeps most of the rate that it has while the same
    datagrams go to a closed port of the same host."""
    victim = siege.victim
    before = {r: victim.drops(r) for r in ("cookie_demanded", "rate_limited", "rate_table_full",
                                           "bad_handshake")}
    memory = victim.process.resident_bytes()
    contest = Contest(siege)
    contest.go_on()
    # a crowded machine's noise is larger than what is looked for: then look longer, whatever the
    # shares say so far, or a late good median would be taken and an early bad one not
    while contest.is_noisy() and contest.pairs < 3 * PAIRS and not INSTRUMENTED:
        contest.go_on()
    told = {r: victim.drops(r) - before[r] for r in before}
    print("\nflood of %d packets/s: %d sent, %d cookie replies, drops %s; stream of %.0f Mbit/s "
          "keeps %.0f %% (%s)" % (PACE_PER_S, contest.sent, contest.cookies, told,
                                  statistics.median(contest.rates) / 1e6, 100 * contest.share(),
                                  " ".join("%.0f" % (100 * s) for s in contest.shares)))
    assert contest.pairs >= PAIRS // 2, "no time for more than %d pairs" % contest.pairs
    assert contest.sent > 0.9 * contest.pairs * PACE_PER_S
    # of those that the kernel had room for
    arrived = sum(told.values())
    assert contest.cookies > 0 and arrived > 0.1 * contest.sent
    # most find that their address has had its share, where they come fast enough; of the others
    # most are asked for a cookie
    assert INSTRUMENTED or told["rate_limited"] > 0.3 * arrived
    assert told["cookie_demanded"] > told["bad_handshake"], "public-key work for forgeries"
    assert contest.responses == 0, "a forged initiation was answered by a response"
    if not INSTRUMENTED:
        assert contest.share() >= KEPT, "stream fell to %.0f %%" % (100 * contest.share())
        assert victim.process.resident_bytes() < memory + (32 << 20)


@pytest.mark.warren_only
def test_newcomers_during_a_flood(siege):
    """While the flood goes on and a stream too, somebody new gets in within a second: a peer that
    uses the cookie at once, and a fresh warren-wg. A stock end keeps the cookie for its next try,
    which the protocol allows after five seconds."""
    victim = siege.victim
    fresh = Tunnel(siege.lab, siege.h4, WARREN, ["10.7.0.5/24"], port=0).start().configure()
    victim.add_peer(fresh, allowed=["10.7.0.5/32"])
    stock = Tunnel(siege.lab, siege.h4, WIREGUARD_GO, ["10.7.0.6/24"], port=0).start().configure()
    victim.add_peer(stock, allowed=["10.7.0.6/32"])
    siege.h4.ip(*["route del 10.7.0.0/24 dev " + end.name for end in (fresh, stock)])
    stream = Iperf(siege, 8)
    flood = siege.flood(51820, 60 * wait.SLOW)
    wait.until(lambda: victim.drops("cookie_demanded") > 0, 5, "cookies demanded")
    waits = {"newcomer": siege.unhindered(lambda: python_newcomer(siege), 1),
             "fresh warren-wg": siege.unhindered(lambda: first_ping(fresh, siege), 1),
             "stock wireguard-go": siege.unhindered(lambda: first_ping(stock, siege), 6.5)}
    assert flood.running(), "the flood must outlast the newcomers"
    flood.signal(signal.SIGTERM)
    siege.result(flood, 5)
    stream.finish()
    print("\nlet in after %s s" % {k: round(v, 3) for k, v in waits.items()})


def python_newcomer(siege):
    """A peer that the victim has just learnt of. Returns the seconds until it is in."""
    newcomer = Peer(siege.h4, siege.victim.public, ("10.99.0.1", 51820))
    siege.victim.add_peer(newcomer, allowed=["10.7.0.4/32"])
    seconds = let_in(newcomer)
    assert newcomer.cookie, "the newcomer was let in without a cookie"
    return seconds


def let_in(peer):
    """A handshake as a peer does it who uses the cookie at once. Returns its seconds."""
    begun = time.monotonic()
    handshake = peer.start_handshake()
    answer = peer.receive(5)
    if answer[0] == noise.COOKIE:
        peer.cookie = noise.read_cookie_reply(answer, peer.last_sent, peer.target_public)
        handshake = peer.start_handshake()
        answer = peer.receive(5, noise.RESPONSE)
    peer.session = handshake.read_response(answer)
    peer.send(peer.session.seal(b""))
    return time.monotonic() - begun


def first_ping(end, siege):
    """Gives the end its peer anew and waits for the first ping. Returns the seconds."""
    address = end.addresses[0].split("/")[0]
    end.ns.ip("route replace 10.7.0.1/32 dev %s src %s" % (end.name, address))
    assert end.set("replace_peers=true") == 0
    begun = time.monotonic()
    end.add_peer(siege.victim, "10.99.0.1:51820", ["10.7.0.1/32"])
    assert traffic.ping(end.ns, "10.7.0.1", wait_s=10) == 1
    took = time.monotonic() - begun
    end.ns.ip("route del 10.7.0.1/32 dev " + end.name)
    return took


@pytest.mark.warren_only
def test_cookies_by_the_book(siege):
    """Under load: an initiation without mac2 gets a cookie reply that only its sender can read;
    with a wrong or foreign mac2 it gets another; with the right one a response. Afterwards none is
    needed."""
    victim = siege.victim
    peer = Peer(siege.h4, victim.public, ("10.99.0.1", 51820))
    victim.add_peer(peer, allowed=["10.7.0.4/32"])
    flood = siege.flood(51820, 40 * wait.SLOW, pace=int(4000 / wait.SLOW))
    wait.until(lambda: victim.drops("cookie_demanded") > 0, 5, "cookies demanded")
    _, reply = siege.asked(peer)
    assert reply[0] == noise.COOKIE
    cookie = noise.read_cookie_reply(reply, peer.last_sent, victim.public)
    with pytest.raises(noise.Refused):  # bound to the initiation that it answers
        other = peer.last_sent[:116] + os.urandom(16) + bytes(16)
        noise.read_cookie_reply(reply, other, victim.public)
    # no amplification: the reply is smaller than what asked for it
    assert len(reply) == 64
    # a wrong cookie is as good as none
    peer.cookie = os.urandom(16)
    _, reply = siege.asked(peer)
    assert noise.read_cookie_reply(reply, peer.last_sent,
                                   victim.public) == cookie, "one cookie an address for two minutes"
    # the right cookie from another port is worth nothing: it names address and port
    thief = Peer(siege.h4, victim.public, ("10.99.0.1", 51820), private=peer.private)
    thief.cookie = cookie
    assert siege.asked(thief)[1][0] == noise.COOKIE
    peer.cookie = cookie
    handshake, response = siege.asked(peer)
    peer.session = handshake.read_response(response)
    assert flood.running(), "the flood must outlast the questions"
    flood.signal(signal.SIGTERM)
    flood.wait(5)
    s = siege.h1.udp("10.7.0.1", 4001)
    peer.send_packet(capture.ipv4_udp("10.7.0.4", "10.7.0.1", b"inside"))
    assert s.recv(100) == b"inside"
    # the load over, initiations are answered without a cookie again
    peer.cookie = None

    def answered():
        return siege.asked(peer)[1][0] == noise.RESPONSE

    wait.until(answered, 10, "load over", step_s=0.1)


@pytest.mark.warren_only
def test_flood_of_responses_and_cookies(siege, lab):
    """Forged responses and cookie replies, as many as come, do not disturb a handshake of ours."""
    victim = siege.victim
    key = noise.mac1_key(victim.public)
    with open(siege.file, "wb") as f:
        for _ in range(FORGED):
            body = b"\2\0\0\0" + os.urandom(56)
            f.write(body + noise.mac(key, body) + bytes(16))
    flood = lab.spawn([siege.program, "10.99.0.1", 51820, siege.file, 92, 10000, 40000,
                       *siege.sources], netns=siege.h3)
    wait.until(lambda: victim.drops("unexpected_response") > 0, 5, "flood has begun")
    peer = Peer(siege.h4, victim.public, ("10.99.0.1", 51820), port=6000)
    victim.add_peer(peer, "10.99.0.4:6000", ["10.7.0.4/32"])
    s = siege.h1.udp("10.7.0.1", 4001)
    s.sendto(b"out", ("10.7.0.4", 9))
    response = None
    text = b""
    end = wait.deadline(15)
    while not text:  # whatever the flood pushes out of the socket is asked for again
        assert wait.left(end) > 0, "no packet out of the tunnel"
        datagram = peer.receive(6)
        if datagram[0] == noise.INITIATION:
            handshake = noise.Handshake(peer.private)
            handshake.read_initiation(datagram)
            response, peer.session = handshake.response()
            peer.send(response)
        elif datagram[0] == noise.COOKIE:  # it may ask for proof of our address before it works
            cookie = noise.read_cookie_reply(datagram, response, victim.public)
            peer.send(response[:76] + noise.mac(cookie, response[:76]))
        else:
            _, text = peer.session.open(datagram)
    assert text[28:31] == b"out"
    assert siege.result(flood, 20)["answers2"] == 0


NOT_FOR_US = {"initiation": (b"\1\0\0\0", 148, "bad_mac1"),
              "response": (b"\2\0\0\0", 92, "bad_mac1"),
              "cookie": (b"\3\0\0\0", 64, "unexpected_cookie")}


@pytest.mark.warren_only
@pytest.mark.parametrize("kind", NOT_FOR_US)
def test_flood_that_is_not_for_us(siege, lab, kind):
    """Messages with a wrong mac1, or cookie replies that answer nothing, twenty times as many as
    above, end where they arrive: they do not fill the way to the control thread, so that each good
    initiation that the kernel lets in is answered, and without a cookie."""
    head, size, reason = NOT_FOR_US[kind]
    victim = siege.victim
    peers = [Peer(siege.h4, victim.public, ("10.99.0.1", 51820)) for _ in range(20)]
    for i, peer in enumerate(peers):
        victim.add_peer(peer, allowed=["10.7.1.%d/32" % i])
    with open(siege.file, "wb") as f:
        for _ in range(FORGED):
            f.write(head + os.urandom(size - len(head)))
    pace = 20 * PACE_PER_S
    flood = lab.spawn([siege.program, "10.99.0.1", 51820, siege.file, size, pace, 60 * pace,
                       *siege.sources], netns=siege.h3)
    wait.until(lambda: victim.drops(reason) > FORGED, 10, "flood has begun")
    for peer in peers:
        handshake, answer = siege.asked(peer)
        assert answer[0] == noise.RESPONSE, "under load by what is not for us"
        handshake.read_response(answer)
    assert flood.running(), "the flood must outlast the handshakes"
    flood.signal(signal.SIGTERM)
    told = siege.result(flood, 5)
    print("\nflood of %d/s: %d %s; %d lost for want of room" % (
        told["sent"] / told["seconds"], victim.drops(reason), reason, victim.drops("control_busy")))
    assert victim.drops("control_busy") == 0
