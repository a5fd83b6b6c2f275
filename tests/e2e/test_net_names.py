# SPDX-License-Identifier: Apache-2.0
"""Names of a network's hosts, asked as programs ask: DNS at the network's resolver address, by UDP
and TCP; and not by strangers.

    a: alice  10.99.0.1 -------- 10.99.0.2  b: bob
"""

import ipaddress
import socket
import struct

import pytest

from harness import topology, wait
from harness.warrend import Network, Node

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.one_thread]

A, SOA, PTR, AAAA = 1, 6, 12, 28
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


def question(name, kind):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", 77, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def skip_name(message, at):
    while message[at]:
        if message[at] >= 0xc0:
            return at + 2
        at += 1 + message[at]
    return at + 1


def read_name(message, at):
    labels = []
    while message[at]:
        if message[at] >= 0xc0:
            at = struct.unpack("!H", message[at:at + 2])[0] & 0x3fff
            continue
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(labels)


def answers(message):
    """(response code, [address or name])."""
    ident, flags, _, count, _, _ = struct.unpack("!6H", message[:12])
    assert ident == 77 and flags & 0x8000
    at, found = skip_name(message, 12) + 4, []
    for _ in range(count):
        at = skip_name(message, at)
        kind, _, _, size = struct.unpack("!HHIH", message[at:at + 10])
        at += 10
        found.append(read_name(message, at) if kind == PTR
                     else str(ipaddress.ip_address(message[at:at + size])))
        at += size
    return flags & 15, found


def ask(node, server, name, kind=A, is_tcp=False):
    if is_tcp:
        s = node.ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.connect((server, 53))
        query = question(name, kind)
        s.sendall(struct.pack("!H", len(query)) + query)
        with s.makefile("rb") as stream:
            return answers(stream.read(struct.unpack("!H", stream.read(2))[0]))
    s = node.ns.udp()
    s.sendto(question(name, kind), (server, 53))
    return answers(s.recv(2048))


def until(node, server, name, kind, expected):
    wait.until(lambda: ask(node, server, name, kind) == expected, 20,
               "%s/%d is %r" % (name, kind, expected))


@pytest.fixture
def two(lab):
    a, b = topology.two_hosts(lab)
    alice, bob = Node(lab, a, "alice").start(), Node(lab, b, "bob").start()
    Network(alice).join(bob).settle()
    told = alice.network()
    assert told["service"]["dns"]["address"] == told["resolver"]
    return alice, bob, told["resolver"]


def test_members_find_one_another_by_name(two):
    alice, bob, server = two
    for family, kind in ((4, A), (6, AAAA)):
        until(alice, server, "bob.lab.warren", kind, (NOERROR, [bob.address(family=family)]))
        until(bob, server, "ALICE.lab.warren", kind, (NOERROR, [alice.address(family=family)]))
        assert ask(alice, server, "bob.lab.warren", kind, is_tcp=True) == (
            NOERROR, [bob.address(family=family)])
    reverse = ipaddress.ip_address(bob.address()).reverse_pointer
    # An address that is asked for before its holder has said its name there stays nameless for a
    # minute in the asker's memory.
    key = "addr/" + bob.address()
    wait.until(lambda: "name" in alice.rpc("dht.get", key=key)["records"][0]["value"], 20,
               "bob's name at his address")
    until(alice, server, reverse, PTR, (NOERROR, ["bob.lab.warren"]))
    assert ask(alice, server, "lab.warren") == (NOERROR, [server])


def test_what_is_not_there_is_said_so(two):
    alice, _, server = two
    until(alice, server, "nobody.lab.warren", A, (NXDOMAIN, []))
    assert ask(alice, server, "bob.lab.warren", SOA) == (NOERROR, [])
    assert ask(alice, server, "example.org") == (REFUSED, [])
    assert ask(alice, server, "example.org", is_tcp=True) == (REFUSED, [])


def test_strangers_are_not_answered(two):
    """The address is on a host with other interfaces, and the kernel takes it from any of them."""
    alice, bob, server = two
    bob.stop()
    bob.ns.ip("route add %s/32 via 10.99.0.1" % server)
    stranger = bob.ns.udp()
    stranger.settimeout(0.3)
    refused = alice.network()["service"]["dns"]["refused"]
    for count in range(1, 4):
        stranger.sendto(question("alice.lab.warren", A), (server, 53))
        wait.until(lambda: alice.network()["service"]["dns"]["refused"] == refused + count, 5,
                   "the question is refused")
    with pytest.raises(TimeoutError):
        stranger.recv(2048)
    s = bob.ns.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.connect((server, 53))
    assert s.recv(1) == b""  # closed
    assert ask(alice, server, "alice.lab.warren")[0] == NOERROR


def test_another_server_on_all_addresses_is_named(lab):
    a, _ = topology.two_hosts(lab)
    other = a.udp("0.0.0.0", 53)
    alice = Node(lab, a, "alice").start()
    Network(alice)

    def trouble():
        text = alice.network()["service"]["dns"]["text"]
        return text if "cannot" in text else None

    told = wait.until(trouble, 10, "the trouble is told")
    assert "another DNS server" in told and alice.network()["resolver"] in told
    findings = {f["what"]: f for f in alice.rpc("doctor")["findings"]}
    assert findings["names of lab"]["state"] == "warning"
    other.close()
    wait.until(lambda: alice.network()["service"]["dns"]["answers"], 15, "it is tried again")
    assert ask(alice, alice.network()["resolver"], "lab.warren")[0] == NOERROR
