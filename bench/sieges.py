# SPDX-License-Identifier: Apache-2.0
"""What bench/floods does: floods of one host, and beside them a stream that is there already and
somebody who comes anew.

                           bridge
      +-------------+---------+---+-------------------+
    10.99.0.1     10.99.0.2     10.99.0.3           10.99.0.4
    victim        friend        attacker            newcomer
                  (the stream)  .64 to .127 too

Packets of a flood go to the port of the victim in one phase, to a closed port of the same host in
the next: the kernel's own part, and the attacker's, is in both. All waiting is bounded. Built on
what the end-to-end tests build on, tests/e2e/harness."""

import contextlib
import json
import os
import statistics
import threading
import time

import lab as bench
from harness import capture, net, noise, topology, traffic, wait
from harness.background import kernel_drops
from harness.hostile import Peer
from harness.tunnel import Tunnel, WARREN
from harness.warrend import Network, Node, Refusal

FORGED = 8192  # distinct datagrams of a flood, in turn
CLOSED = 9999
PHASE_S = 4
TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e", "tools")
NETWORK_PORT, TUNNEL_PORT = 41000, 51820


class Ground:
    """Four hosts on a bridge, and the program that floods."""

    def __init__(self, lab):
        self.lab = lab
        _, self.hosts = topology.switch(lab, 4)
        self.victim_ns, self.friend_ns, self.attacker_ns, self.newcomer_ns = self.hosts
        self.sources = ["10.99.0.%d" % i for i in range(64, 128)]
        self.attacker_ns.ip(*["addr add %s/24 dev u0" % s for s in self.sources])
        self.program = os.path.join(lab.directory, "flood")
        net.command(["cc", "-O2", "-o", self.program, os.path.join(TOOLS, "flood.c")], timeout=60)
        self.file = os.path.join(lab.directory, "forged")

    def arm(self, datagrams):
        """What is sent: all of one size."""
        self.size = len(datagrams[0])
        with open(self.file, "wb") as stream:
            stream.write(b"".join(datagrams))

    def flood(self, port, rate, seconds):
        return self.lab.spawn([self.program, "10.99.0.1", port, self.file, self.size, rate,
                               int(rate * seconds), *self.sources], netns=self.attacker_ns)

    @staticmethod
    def told(flood, seconds=10):
        if flood.wait(seconds) != 0:
            raise bench.BenchError("the flood failed: " + flood.log())
        return {k: float(v) for k, v in (pair.split("=") for pair in flood.log().split())}

    def kernel_dropped(self):
        return kernel_drops(lambda path: self.victim_ns.run(["cat", path]).stdout)


class Stream:
    """An iperf3 stream to the victim, and its rate in any stretch of time."""

    def __init__(self, ground, address, seconds):
        server = ground.victim_ns.spawn(["iperf3", "-s", "-1", "-B", address])
        wait.until(lambda: ":1451 " in ground.victim_ns.run(
            ["cat", "/proc/net/tcp", "/proc/net/tcp6"]).stdout, 10, "iperf3's server")
        self.server, self.seconds = server, seconds
        self.process = ground.friend_ns.spawn(["iperf3", "-c", address, "-t", str(seconds), "-J",
                                               "-i", "0.1"])
        self.started = time.monotonic()

    def finish(self):
        if self.process.wait(self.seconds + 30) != 0:
            raise bench.BenchError("the stream broke: " + self.process.log()[-500:])
        self.intervals = [i["sum"] for i in json.loads(self.process.log())["intervals"]]

    def rate(self, begin, end):
        begin, end = begin - self.started + 0.2, end - self.started - 0.2
        inside = [i["bits_per_second"] for i in self.intervals
                  if i["start"] >= begin and i["end"] <= end]
        return statistics.mean(inside) / 1e6


class Watch:
    """The most memory that a process has had, looked at 20 times a second."""

    def __init__(self, lab, process):
        self.process, self.over = process, threading.Event()
        self.before = self.most = process.resident_bytes()
        self.thread = lab.thread(self._look)

    def _look(self):
        with contextlib.suppress(FileNotFoundError):  # it ended: whoever measures says why
            while not self.over.wait(0.05):
                self.most = max(self.most, self.process.resident_bytes())

    def finish(self):
        self.over.set()
        self.thread.join()
        return {"before_mib": round(self.before / 2**20, 1),
                "most_mib": round(self.most / 2**20, 1)}


def percentiles(values):
    """In milliseconds."""
    ordered = sorted(1000 * v for v in values)
    return {"p50_ms": round(ordered[len(ordered) // 2], 1),
            "p99_ms": round(ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], 1),
            "most_ms": round(ordered[-1], 1), "count": len(ordered)}


def shares(ground, address, port, rate, phases):
    """Phases of the flood to a closed port and to 'port' in turn: what the stream keeps."""
    stream = Stream(ground, address, 2 + int((2 * phases + 1) * (PHASE_S + 1.5)))
    time.sleep(1)
    times, sent = [], []
    for turn in range(2 * phases + 1):
        begun = time.monotonic()
        flood = ground.flood(port if turn % 2 else CLOSED, rate, 10 * PHASE_S)
        time.sleep(PHASE_S)  # and not so many packets: a crowded machine takes longer for them
        flood.signal(15)
        told = ground.told(flood)
        times.append((begun, time.monotonic()))
        sent.append(told["sent"] / told["seconds"])
    stream.finish()
    rates = [stream.rate(*phase) for phase in times]
    kept = [rates[i] / statistics.mean((rates[i - 1], rates[i + 1]))
            for i in range(1, len(rates), 2)]
    return {"flood_s": round(statistics.median(sent)),
            "closed_mbit_s": round(statistics.median(rates[0::2])),
            "stream_mbit_s": round(statistics.median(rates[1::2])),
            "kept": round(statistics.median(kept), 2), "kept_least": round(min(kept), 2)}


# ---- forged initiations ----

def initiations(lab, rate, phases, handshakes):
    """Initiations with a right mac1, from an attacker who knows the victim's public key, to a bare
    tunnel; and peers that shake hands as the protocol says, but for waiting: one that is sent a
    cookie comes back with it at once, one that hears nothing asks again after a second."""
    ground = Ground(lab)
    victim = Tunnel(lab, ground.victim_ns, WARREN, ["10.7.0.1/24"]).start({"LOG_LEVEL": "error"})
    friend = Tunnel(lab, ground.friend_ns, WARREN, ["10.7.0.2/24"]).start({"LOG_LEVEL": "error"})
    for tunnel in (victim, friend):
        tunnel.configure()
    victim.add_peer(friend, allowed=["10.7.0.2/32"])
    friend.add_peer(victim, "10.99.0.1:51820", ["10.7.0.1/32"])
    traffic.reachable(ground.friend_ns, "10.7.0.1")
    key = noise.mac1_key(victim.public)
    bodies = [b"\1\0\0\0" + os.urandom(112) for _ in range(FORGED)]
    ground.arm([body + noise.mac(key, body) + bytes(16) for body in bodies])
    watch = Watch(lab, victim.process)
    result = shares(ground, "10.7.0.1", TUNNEL_PORT, rate, phases)
    flood = ground.flood(TUNNEL_PORT, rate, 300)
    wait.until(lambda: victim.drops("cookie_demanded") > FORGED, 20, "the flood")
    dropped, times, asked = ground.kernel_dropped(), [], 0
    for number in range(handshakes):
        peer = Peer(ground.newcomer_ns, victim.public, ("10.99.0.1", TUNNEL_PORT))
        victim.add_peer(peer, allowed=["10.8.%d.%d/32" % divmod(number, 256)])
        begun = time.monotonic()
        asked += _shake(peer)
        times.append(time.monotonic() - begun)
        peer.socket.close()
        # all come from one address, of which 20 a second are worked on, flood or no flood
        time.sleep(max(0, 0.1 - times[-1]))
    still = flood.running()
    flood.signal(15)
    ground.told(flood)
    if not still:
        raise bench.BenchError("the flood ended before the handshakes")
    return dict(result, **percentiles(times), **watch.finish(), asked=asked,
                kernel_dropped=ground.kernel_dropped() - dropped)


def _shake(peer):
    """Shakes hands; returns how many initiations that took."""
    for tries in range(1, 60):
        handshake = peer.start_handshake()
        answer = peer.receive_or_none(1)
        if answer is None:
            continue
        if answer[0] == noise.RESPONSE:
            peer.session = handshake.read_response(answer)
            return tries
        if answer[0] == noise.COOKIE:
            peer.cookie = noise.read_cookie_reply(answer, peer.last_sent, peer.target_public)
    raise bench.BenchError("60 initiations without a response")


# ---- frames of the ring ----

class Members:
    """A network of the victim, the friend and the newcomer."""

    def __init__(self, lab):
        self.ground = ground = Ground(lab)
        self.victim, self.friend, self.newcomer = self.nodes = [
            Node(lab, ns, name).start() for ns, name in (
                (ground.victim_ns, "victim"), (ground.friend_ns, "friend"),
                (ground.newcomer_ns, "newcomer"))]
        self.network = Network(self.victim).join(self.friend, self.newcomer).settle(60)
        self.friend.go_direct(self.victim)
        self.address = self.victim.address()

    def come_back(self):
        """Seconds from the start of a daemon that was killed to the first ping it gets answered."""
        self.newcomer.kill()
        begun = time.monotonic()
        self.newcomer.start()
        wait.until(lambda: traffic.ping(self.newcomer.ns, self.address, wait_s=0.2), 60,
                   "a ping of who came back", 0.01)
        return time.monotonic() - begun


def frames(lab, kind, rate, phases, rounds):
    """Frames of the ring that somebody heard on the line and sends again from 64 addresses: 0x22,
    WHO, the questions of newcomers, and 0x21, STRANGER, their first message, whose cookie is not
    theirs. And a member whose daemon was killed, until it reaches the victim again."""
    members = Members(lab)
    ground = members.ground
    members.newcomer.kill()
    heard = capture.Capture(lab, ground.newcomer_ns, "u0")
    members.newcomer.start()
    frame = wait.until(lambda: next((p.payload for p in list(heard.packets)
                                     if p.payload[:1] == bytes([kind]) and p.outgoing), None), 30,
                       "a frame of kind 0x%x" % kind, 0.1)
    heard.close()
    ground.arm([frame] * 64)
    wait.until(lambda: traffic.ping(members.newcomer.ns, members.address, wait_s=1), 30, "a ping")
    without = [members.come_back() for _ in range(rounds)]
    watch = Watch(lab, members.victim.process)
    result = shares(ground, members.address, NETWORK_PORT, rate, phases)
    flood = ground.flood(NETWORK_PORT, rate, 300)
    times = [members.come_back() for _ in range(rounds)]
    flood.signal(15)
    ground.told(flood)
    return dict(result, **percentiles(times), **watch.finish(),
                without_p50_ms=percentiles(without)["p50_ms"], size=len(frame))


# ---- who may talk to the daemon ----

def table_writes(lab, seconds, writers):
    """A member that puts records into the table as fast as its daemon lets it, at the victim and
    the others: first into that of another network, which the victim is not in, so that what
    writing itself costs the machine is in both."""
    members = Members(lab)
    attacker = Node(lab, members.ground.attacker_ns, "attacker").start()
    members.network.join(attacker).settle(60, [attacker])
    elsewhere = Network(attacker, "elsewhere").join(members.newcomer, members.friend).settle(60)
    watch = Watch(lab, members.victim.process)
    count = {"taken": 0}

    def beside(network):
        def write(number, over):
            serial = 0
            while not over.is_set():
                serial += 1
                told = "taken"
                try:
                    attacker.rpc("dht.put", network=network.id, value="x" * 400, ttl_s=600,
                                 key="svc/f%d-%d" % (number, serial))
                except Refusal as refusal:
                    told = refusal.reason
                if network is members.network:
                    count[told] = count.get(told, 0) + 1

        with _busy(lab, writers, write):
            return _asked(members.victim, seconds)

    result = _beside(members, seconds, lambda: beside(elsewhere), lambda: beside(members.network))
    return dict(result, **watch.finish(), answers=count)


def control(lab, seconds, callers):
    """Somebody on the host itself who may look, and asks without end on many connections: first a
    daemon without a stream, so that what asking itself costs the machine is in both."""
    members = Members(lab)
    watch = Watch(lab, members.victim.process)
    count = {"answered": 0, "refused": 0}

    def beside(node):
        def ask(_, over):
            while not over.is_set():
                try:
                    node.rpc("status")
                    count["answered"] += node is members.victim
                except (OSError, EOFError, Refusal):
                    count["refused"] += node is members.victim

        with _busy(lab, callers, ask):
            return _asked(node, seconds)

    result = _beside(members, seconds, lambda: beside(members.newcomer),
                     lambda: beside(members.victim))
    return dict(result, **watch.finish(), answers=count)


@contextlib.contextmanager
def _busy(lab, count, work):
    """So many threads that call work(number, over) until 'over' is set."""
    over = threading.Event()
    threads = [lab.thread(work, number, over) for number in range(count)]
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _asked(node, seconds):
    """How long a daemon takes to say its version, 20 times a second."""
    latency, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        node.rpc("version")
        latency.append(time.monotonic() - begun)
        time.sleep(0.05)
    return latency


def _beside(members, seconds, before, work):
    """The stream beside before(), and beside work(), which returns how long some call took."""
    stream = Stream(members.ground, members.address, 3 * seconds + 30)
    time.sleep(1)
    begun = time.monotonic()
    before()
    alone = (begun, time.monotonic())
    begun = time.monotonic()
    latency = work()
    times = (begun, time.monotonic())
    stream.finish()
    kept = stream.rate(*times) / stream.rate(*alone)
    return dict(percentiles(latency), stream_mbit_s=round(stream.rate(*times)),
                closed_mbit_s=round(stream.rate(*alone)),
                kept=round(kept, 2))
