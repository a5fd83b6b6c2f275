# SPDX-License-Identifier: Apache-2.0
"""Hosts that show chains which are none, or send what others recorded: nothing of theirs gets
through, the other side says who it was and why, and they are told why themselves."""

import re

import pytest

from harness import chains, noise, wait
from harness.capture import Capture, ipv4_udp
from harness.hostile import Peer
from harness.internet import Internet
from harness.middleman import Middleman
from harness.warrend import PORT, Network, Node

pytestmark = [pytest.mark.warren_only, pytest.mark.networks]


class Scene:
    """owner, who has the network "lab", and bob, a member; and others with keys and lines of their
    own, who are no members and come with whatever chain."""

    def __init__(self, lab, *others):
        self.lab, self.internet = lab, Internet(lab)
        names = ("owner", "bob", *others)
        nodes = [self._node(name) for name in names]
        for node in nodes:
            node.ready()  # has an identity now
        self.owner, self.bob, *self.others = nodes
        self.network = Network(self.owner, ipv4="10.77.0.0/24").join(self.bob).settle()
        self.id = self.network.id
        for other in self.others:
            other.known_hit = other.hit
            other.stop()
            other.options.append("--no-aes")  # what takes its place speaks one suite only

    def _node(self, name):
        host = self.internet.public(name)
        node = Node(self.lab, host.ns, name)
        node.host = host
        return node.start(is_waiting=False)

    def come(self, other, chain):
        """Starts as a member would who has this chain."""
        chains.intrude(other, self.owner, self.id, chain, (self.owner.host.address, PORT),
                       (self.bob.host.address, PORT))
        return other.start(is_waiting=False)

    def member(self, subject, *more, issuer=None, element="(member)", network=None):
        """A certificate, for ever."""
        more = more or ("--until", "2090-01-01")
        return chains.issue(issuer or self.owner, subject, network or self.id, element, *more)

    def pack(self, *certs):
        return chains.pack(chains.identity(self.owner)[1], *certs)

    def tunnel(self, node, target):
        """The node's end of a WireGuard tunnel to 'target', done by hand, from where the node was:
        its daemon must be off."""
        private, _ = chains.tunnel_keys(node, self.id)
        return Peer(node.ns, chains.tunnel_keys(target, self.id)[1], (target.host.address, PORT),
                    port=PORT, private=private)


def expired(s, who):
    return s.pack(s.member(who, "--until", "2026-01-01"))


def not_yet(s, who):
    return s.pack(s.member(who, "--not-before", "2090-01-01", "--until", "2091-01-01"))


def forged(s, who):
    """One bit of the signature, which is the last 64 bytes."""
    chain = bytearray(s.pack(s.member(who)))
    chain[-40] ^= 4
    return bytes(chain)


def prolonged(s, who):
    """Was good until 2020, and now says 2090."""
    _, signature = s.member(who, "--until", "2020-01-01")
    cert, _ = s.member(who)
    return s.pack((cert, signature))


def widened(s, who):
    """Was good for relaying, and now says member."""
    _, signature = s.member(who, element="(relay)")
    cert, _ = s.member(who)
    return s.pack((cert, signature))


def self_made(s, who):
    """Signed by its holder where the owner should have."""
    cert, _ = s.member(who)
    _, signature = s.member(who, issuer=who)
    return s.pack((cert, signature))


def foreign(s, who):
    """Of another network of the same owner."""
    other = Network(s.owner, "other", ipv4="10.78.0.0/24")
    chain = s.pack(s.member(who, network=other.id))
    s.owner.rpc("network.delete", network=other.id)
    return chain


def anothers(s, who):
    """Bob's, as he shows it to everybody."""
    return chains.chain_of(s.bob)


def not_passed_on(s, who):
    """Bob is a member and may make none; he does."""
    return s.pack(s.member(s.bob), s.member(who, issuer=s.bob))


def beyond(s, who):
    """Bob may pass on that somebody may relay; he passes on membership."""
    return s.pack(s.member(s.bob, "--propagate", element="(relay)"), s.member(who, issuer=s.bob))


def no_membership(s, who):
    """Good, for something else."""
    return s.pack(s.member(who, element="(relay)"))


# What others count, and the words by which they, and the host itself, say why.
CHAINS = {
    expired: ("EXPIRED", r"expired on 2026-01-01"),
    not_yet: ("NOT_ADMITTED", r"not valid before 2090-01-01"),
    forged: ("NOT_ADMITTED", r"signature that does not verify"),
    prolonged: ("NOT_ADMITTED", r"signature that does not verify"),
    widened: ("NOT_ADMITTED", r"signature that does not verify"),
    self_made: ("NOT_ADMITTED", r"signature that does not verify"),
    foreign: ("NOT_ADMITTED", r"signature that does not verify"),
    anothers: ("NOT_ADMITTED", r"no chain of certificates leads"),
    not_passed_on: ("NOT_ADMITTED", r"may not be passed on"),
    beyond: ("NOT_ADMITTED", r"certificate . of 2"),
    no_membership: ("NOT_ADMITTED", r"does not admit this node|makes it no member"),
}


def refusals(hit, *nodes):
    """What their logs say of somebody who was refused."""
    return [line for node in nodes for line in node.log().splitlines()
            if "peer.refused" in line and hit in line]


def is_deaf(scene, node, target):
    """WireGuard by hand, with the keys of a node whose daemon is off, is refused and counted."""
    peer, before = scene.tunnel(node, target), target.network()["drops"].get("unknown_peer", 0)
    peer.start_handshake()
    wait.until(lambda: target.network()["drops"].get("unknown_peer", 0) > before, 5,
               "the initiation is refused")
    assert peer.receive_or_none(0.1, noise.RESPONSE) is None
    peer.socket.close()


@pytest.mark.watchdog(120)
def test_chains_that_are_none_let_nobody_in(lab):
    """All at the same time, and a good one, so that it is the chains that decide."""
    scene = Scene(lab, "good", *(make.__name__ for make in CHAINS))
    owner, bob, good, *bad = scene.owner, scene.bob, *scene.others
    made = {node: make(scene, node) for node, make in zip(bad, CHAINS)}
    for node, chain in made.items():
        scene.come(node, chain)
    scene.come(good, scene.pack(scene.member(good)))
    for node, make in zip(bad, CHAINS):
        node.ready()
        reason, words = CHAINS[make]
        told = wait.until(lambda n=node: refusals(n.known_hit, owner, bob), 20,
                          "%r is named by those whom it asked" % node)
        assert re.search(words, told[0]), told
        assert owner.network()["refused"].get(reason) or bob.network()["refused"].get(reason)

        def says_why(n, words=words):
            trouble = n.network()["trouble"]
            return trouble and re.search(words, trouble) and trouble
        why = node.wait(says_why, 10, "its own status says why")
        assert why in " ".join(node.cli("status").split())
        assert not node.is_in() and node.network()["peers"] == []
        assert owner.peer(node.known_hit) is None and bob.peer(node.known_hit) is None
        node.kill()
        is_deaf(scene, node, owner)
        is_deaf(scene, node, bob)
    scene.network.settle(nodes=[good.ready()])
    good.ping(bob)
    owner.ping(bob)
    assert not refusals(good.known_hit, owner, bob)


@pytest.mark.watchdog(90)
def test_who_was_revoked_is_named_and_deaf(lab):
    """Also if it has forgotten the list that names it, and believes to be a member."""
    scene = Scene(lab, "eve")
    owner, bob, eve = scene.owner, scene.bob, scene.others[0]
    chain = scene.pack(scene.member(eve))
    scene.network.settle(nodes=[scene.come(eve, chain).ready()])
    for node in (owner, bob):
        eve.ping(node)
    eve.kill()  # and is somebody's program now; as a member it is answered
    peer = scene.tunnel(eve, bob)
    peer.connect()
    peer.socket.close()
    scene.network.revoke(eve.known_hit)
    for node in (owner, bob):
        wait.until(lambda n=node: n.peer(eve.known_hit) is None, 5, "%r has cut it" % node)
        is_deaf(scene, eve, node)
    scene.come(eve, chain).ready()
    told = wait.until(lambda: refusals(eve.known_hit, owner, bob), 20, "it is named")
    assert "revoked" in told[0], told
    assert owner.network()["refused"].get("EXCLUDED") or bob.network()["refused"].get("EXCLUDED")
    eve.wait(lambda n: "revoked" in (n.network()["trouble"] or ""), 20, "is told why")
    assert not eve.is_in()


class Inbox:
    """A UDP port of a member, and what has come to it."""

    def __init__(self, node, port):
        self.address, self.port = node.address(), port
        self.socket = node.ns.udp(self.address, port)
        self.socket.settimeout(5 * wait.SLOW)

    def next(self):
        return self.socket.recvfrom(2048)[0]


def counted(node, counters, name, least, what):
    """Waits until one of a network's counters has grown to 'least'."""
    wait.until(lambda: node.network()[counters].get(name, 0) >= least, 5, what)


@pytest.mark.watchdog(90)
def test_a_member_cannot_exceed_its_rights(lab):
    """Its own daemon would not send such packets; somebody who has its keys does. Only what its
    chain permits, and from its own address, gets through; all else is counted."""
    def attempt():
        scene = Scene(lab, "eve")
        owner, bob, eve = scene.owner, scene.bob, scene.others[0]
        chain = scene.pack(scene.member(eve, element='(* set (member) (allow udp "7000"))'))
        scene.network.settle(nodes=[scene.come(eve, chain).ready()])
        inboxes = {port: Inbox(owner, port) for port in (7000, 7001)}
        own, bobs, target = eve.address(), bob.address(), owner.address()
        eve.wait(lambda n: (n.peer(owner) or {}).get("waiting") is False
                 and (owner.peer(n) or {}).get("ipv4") == own, 20, "the two know one another")
        eve.kill()
        peer = scene.tunnel(eve, owner)
        peer.connect()
        assert owner.network()["drops"] == {} and owner.network()["blocked"] == {}

        def send(source, to, port, text, **more):
            peer.send_packet(ipv4_udp(source, to, text, dport=port), **more)
            return peer.last_sent

        allowed = send(own, target, 7000, b"what is allowed")
        assert inboxes[7000].next() == b"what is allowed"
        peer.send(allowed)
        counted(owner, "drops", "replay", 1, "what came twice is dropped")
        send(own, target, 7001, b"another port")
        counted(owner, "blocked", "no_port", 1, "what is not allowed is blocked")
        send(bobs, target, 7000, b"as bob")
        counted(owner, "drops", "wrong_source", 1, "bob's address is not its own")
        send("10.99.1.2", target, 7000, b"as a stranger")
        counted(owner, "drops", "wrong_source", 2, "nor is a stranger's")
        send(own, "10.77.0.250", 7000, b"through the owner")
        counted(owner, "blocked", "not_ours", 1, "the owner is no way to others")
        send(own, target, 7000, b"the last")
        assert inboxes[7000].next() == b"the last"  # and nothing between the two
        inboxes[7001].socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            inboxes[7001].next()
    wait.unless_stalled(5, attempt)


class Tape:
    """Records all datagrams, and passes them on."""

    def __init__(self):
        self.out, self.runs = [], True

    def __call__(self, way, datagram):
        if way == "out" and self.runs:
            self.out.append(datagram)
        return [datagram]

    def of(self, *kinds):
        return [d for d in self.out if d[0] in kinds]


SEALED, STRANGER, WHO = 0x20, 0x21, 0x22


@pytest.mark.watchdog(120)
def test_what_was_recorded_is_not_believed_again(lab):
    """All that a member has sent, its hello among it, comes again: from its own line, from another
    host, after it has gone, and to a daemon that was started anew."""
    internet, tape = Internet(lab), Tape()
    here, there, elsewhere = (internet.public(name) for name in ("owner", "bob", "thief"))
    owner, bob = (Node(lab, host.ns, host.label, options=["--offloads", "none"]).start()
                  for host in (here, there))
    line = Middleman(there, tape)
    network = Network(owner).join(bob).settle()
    inbox = Inbox(owner, 7000)
    sender = bob.ns.udp("0.0.0.0", 0)
    for number in range(20):
        sender.sendto(b"%d" % number, (inbox.address, 7000))
        assert inbox.next() == b"%d" % number
    tape.runs = False
    hello, frames = tape.of(STRANGER), tape.of(SEALED)
    data, initiations = tape.of(noise.DATA), tape.of(noise.INITIATION)
    assert hello and frames and len(data) >= 20, [d[0] for d in tape.out]
    before = owner.network()
    endpoint, tunnel = owner.peer(bob)["endpoint"], owner.peer(bob)["handshake_s"]

    # From its own line.
    for datagram in hello + frames + data + initiations:
        line.say("out", datagram)
    wait.until(lambda: owner.network()["drops"].get("replay", 0) >= len(data), 10,
               "packets are replays")
    drops, refused = owner.network()["drops"], owner.network()["refused"]
    assert drops.get("replayed_handshake", 0) + drops.get("initiation_flood", 0) >= len(initiations)
    assert refused.get("REPLAYED", 0) + refused.get("STALE", 0) >= len(hello + frames), refused

    # From somebody else's: the cookie in a hello is for bob's address.
    thief = elsewhere.ns.udp("0.0.0.0", PORT)
    strays = owner.rpc("status")["carrier"]["strays"].get("unknown_frame", 0)
    for datagram in hello + frames + data:
        thief.sendto(datagram, (here.address, PORT))
    wait.until(lambda: owner.network()["drops"].get("replay", 0) >= 2 * len(data)
               and owner.rpc("status")["carrier"]["strays"].get("unknown_frame", 0)
               >= strays + len(hello), 10, "they are replays from there, too")
    after = owner.peer(bob)
    assert after["endpoint"] == endpoint and after["handshake_s"] == tunnel
    assert after["path"] == "direct" and len(owner.network()["peers"]) == len(before["peers"]) == 1
    bob.ping(owner)
    inbox.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        inbox.next()  # nothing came twice

    # When bob has gone, to a daemon that knows nothing of him but what lies on its disk.
    bob.kill()
    owner.restart()
    inbox = Inbox(owner, 7001)
    seen = Capture(lab, elsewhere.ns, "u0")
    for datagram in hello + frames + data + initiations:
        line.say("out", datagram)
        thief.sendto(datagram, (here.address, PORT))
    wait.until(lambda: owner.rpc("status")["carrier"]["strays"].get("unknown_frame", 0)
               >= 2 * len(hello + frames), 10, "nobody knows the frames")
    assert owner.network()["peers"] == []
    inbox.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        inbox.next()
    assert not [p for p in list(seen.packets) if p.source == here.address], "it is answered"
    bob.start()
    network.settle(nodes=[bob])
    bob.ping(owner)
