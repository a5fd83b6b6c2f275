# SPDX-License-Identifier: Apache-2.0
"""What happens to members in the course of time: restarts, crashes, moves, the end of a membership,
several networks."""

import os
import random
import re
import select
import socket
import threading
import time

import pytest

from harness import noise, traffic, wait
from harness.capture import Capture
from harness.internet import Internet
from harness.middleman import Middleman
from harness.relay import Noisy
from harness.warrend import DONE, NO_DAEMON, REFUSED, Network, Node, Refusal

pytestmark = [pytest.mark.warren_only, pytest.mark.networks]


def public_nodes(lab, *names, options=()):
    internet = Internet(lab)
    nodes = []
    for name in names:
        host = internet.public(name)
        nodes.append(Node(lab, host.ns, name, options=options))
        nodes[-1].host = host
        nodes[-1].start(is_waiting=False)
    for node in nodes:
        node.ready()
    return internet, nodes


def cut(a, b, address, seconds):
    """Waits until a's pings to what was b's address are not answered any more."""
    wait.until(lambda: not traffic.ping(a.ns, address, wait_s=0.3), seconds,
               "%r does not reach %r any more" % (a, b))


def test_two_commands_a_side(lab):
    """As a person does it, by the command line."""
    internet = Internet(lab)
    hosts = [internet.home("linux", "alice"), internet.home("port", "bob"), internet.public("hub")]
    alice, bob, hub = (Node(lab, host.ns, host.label) for host in hosts)
    for node in (alice, bob, hub):
        node.start()
    hub.cli("network", "create", "lab")
    for node in (alice, bob):
        line = re.search(r"warren:1:[A-Za-z0-9_-]+", hub.cli("invite", "lab")).group(0)
        node.cli("join", line)
    for node in (alice, bob, hub):
        node.cli("wait", "address", "lab")
    alice.ping(bob)
    alice.go_direct(bob)
    outer = [h.address if h.plugged is internet else h.plugged.outer for h in hosts]
    past = [Capture(lab, internet.core, internet.line_of(address)) for address in outer]
    stream = traffic.Stream(lab, alice.ns, bob.ns, bob.address(), size=1000)

    def large():
        return [len([p for p in c.select(message=noise.DATA) if p.size > 1000]) for c in past]

    wait.until(lambda: min(large()[:2]) > 50, 20, "a stream on the lines of both")
    assert stream.received() and large()[2] == 0, large()  # nothing by the hub
    stream.close()
    shown = alice.cli("status")
    assert "lab" in shown and alice.address() in shown, shown
    told = alice.run_cli("join", "warren:1:abc")
    assert told.code == REFUSED and told.stderr, told.stderr
    bob.stop()
    assert bob.run_cli("status").code == NO_DAEMON


def test_restart_without_the_inviter(lab):
    """A member comes back from its disk alone while one that it knew is there."""
    _, (owner, other, node) = public_nodes(lab, "owner", "other", "node")
    network = Network(owner).join(other, node).settle()
    node.ping(other)
    before = node.address()
    owner.stop()
    node.restart()
    network.settle(nodes=[node])
    assert node.address() == before
    node.ping(other)
    other.kill()
    other.start()
    network.settle(nodes=[other])
    node.ping(other)


def crash_again_and_again(lab, times, seed):
    """A daemon is killed at random moments while it acknowledges things: what it has said is done
    is there afterwards."""
    rng = random.Random(seed)
    print("seed", seed)
    node = Node(lab, lab.namespace("crash"), "crash").start()
    wanted = {}
    for turn in range(times):
        killer = threading.Timer(rng.uniform(0, 0.08), node.process.popen.kill)
        killer.start()
        number = 0
        try:
            while True:
                number += 1
                name = "n%d-%d" % (turn, number)
                if wanted and rng.random() < 0.5:
                    name = rng.choice(sorted(wanted))
                    if len(wanted) > 20:
                        node.rpc("network.delete", network=name)
                        del wanted[name]
                    else:
                        wanted[name].append(node.rpc("invite", network=name, uses=1)["id"])
                else:
                    node.rpc("network.create", name=name)
                    wanted[name] = []
        except (OSError, EOFError, ValueError):
            doubtful = name  # was being made or deleted
        finally:
            killer.cancel()
        node.process.popen.wait()
        node.start()
        found = {n["name"] for n in node.rpc("network.list")["networks"]}
        missing = set(wanted) - found - {doubtful}
        assert not missing, "turn %d: %s are lost" % (turn, missing)
        assert found - set(wanted) <= {doubtful}, "turn %d" % turn
        if doubtful in found:
            wanted.setdefault(doubtful, [])
        else:
            wanted.pop(doubtful, None)
        for name, invitations in wanted.items():
            kept = {i["id"] for i in node.rpc("invitation.list", network=name)["invitations"]}
            assert kept >= set(invitations), "turn %d: %s" % (turn, name)


def test_killed_at_random_moments(lab):
    crash_again_and_again(lab, 8, random.randrange(1 << 30))


@pytest.mark.soak
@pytest.mark.watchdog(300)
def test_killed_at_a_hundred_random_moments(lab):
    crash_again_and_again(lab, 100, random.randrange(1 << 30))


def test_who_is_revoked_is_cut(lab):
    _, (owner, one, other, out) = public_nodes(lab, "owner", "one", "other", "out")
    network = Network(owner).join(one, other, out).settle()
    for node in (owner, one, other):
        node.ping(out)
        out.ping(node)
    address, hit = out.address(), out.hit
    network.revoke(out)
    for node in (owner, one, other):
        cut(node, out, address, 5)
        wait.until(lambda n=node: n.peer(hit) is None, 5, "%r has cut the revoked one" % node)
    one.ping(other)
    out.restart()  # what it has on its disk does not help it
    one.wait(lambda n: one.network()["state"] == "connected", 5, "still there")
    assert not traffic.ping(out.ns, one.address(), wait_s=2)


def test_an_expired_membership_ends(lab):
    """At its second, if nobody is there who renews it."""
    _, (owner, other, node) = public_nodes(lab, "owner", "other", "node")
    network = Network(owner).join(other).settle()
    owner.ping(other)
    until = int(owner.rpc("status")["now_s"]) + 20
    line = network.invite(until_s=until)
    owner.stop()
    node.rpc("join", invitation=line, host_name="node")
    network.settle(nodes=[node])
    node.ping(other)
    assert node.network()["until_s"] == until
    cut(node, other, other.address(), 30)
    assert time.time() >= until
    other.wait(lambda n: (n.peer(node) or {}).get("path") != "direct", 10, "the peer is gone")


@pytest.mark.one_thread  # the library comes before the one that TSan must be
@pytest.mark.parametrize("ahead_s", [600, -600], ids=["fast", "slow"])
def test_a_clock_is_ten_minutes_wrong(lab, tool, ahead_s):
    """Who joins with it has an address and a name, talks to all, and is revoked like all."""
    internet = Internet(lab)
    owner, other, wrong = (Node(lab, internet.public(name).ns, name)
                           for name in ("owner", "other", "wrong"))
    wrong.env = {"LD_PRELOAD": tool("clock", "-shared", "-fPIC"), "CLOCK_AHEAD_S": str(ahead_s),
                 "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
    for node in (owner, other, wrong):
        node.start(is_waiting=False)
    network = Network(owner.ready()).join(other.ready(), wrong.ready())
    assert abs(wrong.rpc("status")["now_s"] - time.time() - ahead_s) < 60
    network.settle()
    for node in (owner, other):
        wrong.ping(node)
        node.ping(wrong)
    wrong.wait(lambda n: n.network()["name_state"] == "held", 20, "has its name")
    assert other.rpc("resolve", name="wrong.lab.warren")["ipv4"] == wrong.address()
    other.kill()  # and comes in again, by who is there
    other.start()
    network.settle(nodes=[other])
    traffic.reachable(other.ns, wrong.address(), 20)
    address = wrong.address()
    network.revoke(wrong)
    for node in (owner, other):
        cut(node, wrong, address, 5)


@pytest.mark.watchdog(200)
def test_a_range_has_room_for_five(lab):
    """Five ask for an address at the same time, then a sixth: in the end one of them is told that
    there is none. Who claimed the same one at the same moment, on a ring that has just formed, may
    both have it until the ring is whole: then one of them has to look for another."""
    _, nodes = public_nodes(lab, *("n%d" % number for number in range(6)))
    # Who finds none looks again after 30 s, then after 60.
    network = Network(nodes[0], ipv4="10.77.0.0/29").join(*nodes[1:5]).settle(90)
    network.join(nodes[5])

    def are_five():
        told = [node.network() for node in nodes]
        none = [n for n, t in zip(nodes, told) if t["address_state"] == "full"]
        held = sorted(t["ipv4"] for t in told if t["address_state"] == "held")
        return held == ["10.77.0.%d" % last for last in range(2, 7)] and len(none) == 1 and none
    late, = wait.until(are_five, 150, "five addresses, and one host without")
    assert late.address() is None and "no free address" in late.cli("status")
    late.ping(nodes[0].hit if late is not nodes[0] else nodes[1].hit)  # a member all the same


def test_who_was_away_hears_of_revocations_first(lab):
    """A member is thrown out while another one is off, who does not take a packet of him when he
    comes back; nobody is there but these two and one who knows."""
    _, (owner, knows, away, out) = public_nodes(lab, "owner", "knows", "away", "out")
    network = Network(owner).join(knows, away, out).settle()
    away.ping(out)
    away.ping(knows)
    address = away.address()
    away.stop()
    network.revoke(out)
    knows.wait(lambda n: n.peer(out) is None, 5, "knows")
    owner.stop()
    pings = out.ns.spawn(["ping", "-i", "0.05", address])
    away.start()
    network.settle(nodes=[away])
    away.wait(lambda n: (peer := n.peer(knows)) and not peer["waiting"], 20,
              "has compared with who knows")
    assert away.peer(out) is None
    with pytest.raises(AssertionError):
        wait.until(lambda: "bytes from" in pings.log(), 0.5 / wait.SLOW, "an answer")


class Bound:
    """Answers on one address and one interface, as a program does that means one of two networks
    with the same addresses."""

    def __init__(self, lab, node, network, port):
        self.node, self.network = node, network
        self.interface = node.network(network)["interface"]
        self.socket = node.ns.udp("0.0.0.0", port)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.interface.encode())
        self.address = (node.address(network), port)

    def says(self, text, other):
        """Once: the first one arrives, too."""
        self.socket.sendto(text, other.address)
        assert select.select([other.socket], [], [], 10)[0], "%r did not arrive\n%s" % (
            text, self.node.explain(other.node, self.network))
        assert other.socket.recvfrom(100) == (text, self.address)


def test_two_networks_with_the_same_addresses(lab):
    """Each by its own interface; what one says in one nobody hears in the other."""
    _, (one, other) = public_nodes(lab, "one", "other")
    red = Network(one, "red", ipv4="10.9.0.0/24").join(other)
    blue = Network(other, "blue", ipv4="10.9.0.0/24").join(one)
    ends = {}
    for port, network in ((7001, red), (7002, blue)):
        network.settle()
        ends[network] = [Bound(lab, node, network.id, port) for node in (one, other)]
        assert ends[network][0].interface == network.name
    for network, (a, b) in ends.items():
        for turn in range(3):
            a.says(b"%s there %d" % (network.name.encode(), turn), b)
            b.says(b"%s back %d" % (network.name.encode(), turn), a)
    # red's address in blue is nobody's, or somebody else's: nothing comes over
    assert one.network(red.id)["interface"] != one.network(blue.id)["interface"]
    one.rpc("network.leave", network=blue.id)
    one.wait(lambda n: n.network(blue.id) is None, 25, "has left")
    ends[red][0].says(b"still there", ends[red][1])


def has_fast_aes():
    with open("/proc/cpuinfo", encoding="ascii") as info:
        flags = next((line for line in info if line.startswith("flags")), "").split()
    return {"aes", "pclmulqdq"} <= set(flags)


def test_the_cipher_is_what_both_offer(lab):
    """AES-256-GCM where both have instructions for it, also after one of them was told otherwise
    and back; no handshake is refused for its suite."""
    fast, slow = ("aes-256-gcm" if has_fast_aes() else "chacha20-poly1305"), "chacha20-poly1305"
    internet, (alice, bob) = public_nodes(lab, "alice", "bob")
    carol = Node(lab, internet.public("carol").ns, "carol", options=["--no-aes"]).start()
    Network(alice).join(bob, carol).settle()

    def speak(one, other, cipher):
        one.ping(other)
        for node, peer in ((one, other), (other, one)):
            node.wait(lambda n, p=peer: (n.peer(p) or {}).get("cipher") == cipher, 20, cipher)
            assert node.peer(peer)["handshake_s"] is not None

    speak(alice, bob, fast)
    speak(alice, carol, slow)
    assert "cipher: %s" % fast in alice.cli("status")
    for options, cipher in ((("--no-aes",), slow), ((), fast)):
        bob.options = options
        bob.restart()
        bob.wait(lambda n: n.is_in(), 30, "is back")
        alice.wait(lambda n: (n.peer(bob) or {}).get("waiting") is False, 30, "knows bob again")
        speak(bob, alice, cipher)
    for node in (alice, bob, carol):
        assert "refused its handshake" not in node.log()
        assert "peer.cipher" not in node.log()


@pytest.mark.watchdog(150)
def test_who_is_there_is_told_after_others_died(lab):
    """A list whose time is over before the ring has led around the dead is in nobody's way, and two
    at once are both whole."""
    _, nodes = public_nodes(lab, *["n%d" % i for i in range(5)])
    network = Network(nodes[0])
    network.join(*nodes[1:]).settle()
    asking, *living = nodes[:3]
    for node in nodes[3:]:
        node.kill()
    asking.rpc("member.list", timeout_s=1)
    told = []
    at_once = [threading.Thread(target=lambda: told.append(
        asking.rpc("member.list", timeout=90, timeout_s=80))) for _ in range(2)]
    for thread in at_once:
        thread.start()
    for thread in at_once:
        thread.join()
    assert len(told) == 2
    for answer in told:
        assert answer["complete"], answer
        assert {m["name"] for m in answer["members"]} == {n.name for n in (asking, *living)}


def test_names_are_found(lab):
    _, (alice, bob, carol) = public_nodes(lab, "alice", "bob", "carol")
    network = Network(alice).join(bob, carol).settle()
    for node in network.nodes:
        node.wait(lambda n: n.network()["name_state"] == "held", 20, "has its name")
    for asker in network.nodes:
        for meant in network.nodes:
            told = asker.rpc("resolve", name="%s.lab.warren" % meant.name)
            assert told["ipv4"] == meant.address() and told["hit"] == meant.hit, told
            told = asker.rpc("resolve", name=meant.address())
            assert told["name"] in (meant.name, meant.name + ".lab.warren"), told
    with pytest.raises(Refusal):
        alice.rpc("resolve", name="nobody.lab.warren")
    assert alice.run_cli("resolve", "bob.lab.warren").code == DONE


@pytest.mark.watchdog(120)
def test_a_stream_outlives_moves(lab):
    """TCP streams to an address and to a HIT go on while one end gets another address, another line
    behind a NAT, and while the NAT forgets it."""
    internet, (server,) = public_nodes(lab, "server")
    host = internet.home("linux", "mover")
    node = Node(lab, host.ns, "mover").start()
    Network(server).join(node).settle()
    node.ping(server)
    streams = [traffic.Transfer(lab, node.ns, server.ns, address)
               for address in (server.address(), server.hit)]
    for change in (lambda: None, host.plugged.forget, lambda: host.plug(internet),
                   lambda: host.renumber(host.address.rsplit(".", 1)[0] + ".77"),
                   lambda: host.plug(internet.site("symmetric"))):
        change()
        for stream in streams:
            stream.goes_on(40)
    for stream in streams:
        stream.finish()


@pytest.mark.watchdog(120)
def test_a_stream_outlives_one_of_two_lines(lab):
    """[H20] A host with two uplinks: whichever of them dies, its streams go on by the other."""
    internet, (server,) = public_nodes(lab, "server")
    host = internet.public("two-lines")
    second = internet.give_line(host.ns, "u1")
    gateways = [address.rsplit(".", 1)[0] + ".1" for address in (host.address, second)]
    host.ns.ip("route append default via %s metric 100" % gateways[0])
    node = Node(lab, host.ns, "mover").start()
    Network(server).join(node).settle()
    node.ping(server)
    stream = traffic.Transfer(lab, node.ns, server.ns, server.address())

    def comes_from(address):
        return [p for p in server.network()["peers"] if p["endpoint"].startswith(address + ":")]

    stream.goes_on()
    wait.until(lambda: comes_from(second), 20, "it goes by the line that the host prefers")
    host.ns.ip("link set u1 down")
    stream.goes_on(40)
    wait.until(lambda: comes_from(host.address), 20, "it goes by the other one")
    host.ns.ip("link set u1 up", "route replace default via " + gateways[1], "link set u0 down")
    stream.goes_on(40)
    wait.until(lambda: comes_from(second), 20, "it goes by the first one again")
    stream.finish()


class Harsh(Noisy):
    """Noisy, and each frame of the ring comes changed, then as it was, then once more."""

    SEALED = 0x20
    ring = 0

    def __call__(self, direction, datagram):
        if self.quiet or datagram[0] != self.SEALED:
            return super().__call__(direction, datagram)
        self.ring += 1
        changed = bytearray(datagram)
        changed[self.random.randrange(28, len(datagram))] ^= 1 << self.random.randrange(8)
        return [bytes(changed), datagram, datagram]


@pytest.mark.watchdog(90)
def test_in_the_middle_nothing_is_gained(lab):
    """Somebody on the line flips bits, drops, doubles, delays and repeats what he saw: nothing is
    accepted twice or changed, what is refused is counted, and the network lives on."""
    _, (one, other) = public_nodes(lab, "one", "other", options=["--offloads", "none"])
    Network(one).join(other).settle()
    one.ping(other)
    seed = random.randrange(1 << 30)
    print("seed", seed)
    policy = Harsh(seed, loss=0.02, duplicate=0.05, flip=0.05, replay=0.1, delay=0.03)
    Middleman(other.host, policy)
    streams = [traffic.Stream(lab, a.ns, b.ns, b.address(), port=7100 + i)
               for i, (a, b) in enumerate(((one, other), (other, one)))]
    wait.until(lambda: all(s.received() > 400 for s in streams), 40, "streams in both directions")
    wait.until(lambda: policy.ring >= 10 and min(policy.counts.values()) > 10, 40,
               "all of it has happened, to frames of the ring, too")
    policy.quiet = True
    for stream in streams:
        _, twice = stream.finish(0.3)
        assert not twice and not stream.damaged, (twice, stream.damaged)
    for node in (one, other):
        drops = node.network()["drops"]
        assert drops.get("bad_tag", 0) > 0 and drops.get("replay", 0) > 0, drops
        refused = node.network()["refused"]
        assert refused.get("BAD_SEAL", 0) > 0 and refused.get("REPLAYED", 0) > 0, refused
    one.ping(other)


def connects(source, address, port):
    """Whether a TCP connection comes about; a refusal by rule is told by ICMP, and so at once."""
    with source.ns.entered():
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with s:
        s.settimeout(5 * wait.SLOW)
        return s.connect_ex((address, port)) == 0


def test_a_guest_may_send_what_his_invitation_permits(lab):
    """And answers to what others send him; nothing else, whoever looks."""
    _, (owner, guest) = public_nodes(lab, "owner", "guest")
    network = Network(owner)
    guest.rpc("join", invitation=network.invite(allow=["tcp/7000"]), host_name="guest")
    network.nodes.append(guest)
    network.settle()
    for port in (7000, 7001):
        listener = owner.ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind((owner.address(), port))
        listener.listen()
    wait.until(lambda: connects(guest, owner.address(), 7000), 20, "what is permitted passes")
    assert not connects(guest, owner.address(), 7001)
    assert not traffic.ping(guest.ns, owner.address(), wait_s=1)
    owner.ping(guest)
    told = {port: guest.rpc("trace", to="owner", protocol="tcp", port=port)
            for port in (7000, 7001)}
    assert told[7000]["passes"] and not told[7001]["passes"], told
    assert owner.rpc("trace", to="guest", protocol="tcp", port=7001)["passes"]
