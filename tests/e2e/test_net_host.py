# SPDX-License-Identifier: Apache-2.0
"""What a host does for itself and its network in the course of time: records that it keeps, its
address by DHCP, names that the real systemd-resolved knows, and sleep."""

import os
import select
import shutil
import signal
import time

import pytest

from harness import traffic, wait
from harness.guest import Unavailable
from harness.internet import Internet
from harness.resolved import Registered, Resolved
from harness.warrend import REFUSED, Network, Node, Refusal

pytestmark = [pytest.mark.warren_only, pytest.mark.networks]


def public_nodes(lab, *names):
    internet = Internet(lab)
    nodes = [Node(lab, internet.public(name).ns, name) for name in names]
    for node in nodes:
        node.start(is_waiting=False)
    for node in nodes:
        node.ready()
    return nodes


def test_a_record_lives_as_long_as_it_is_kept(lab):
    """Much longer than its own time, and after its writer was killed and started again; until it
    is deleted, which holds after a start, too."""
    alice, bob = public_nodes(lab, "alice", "bob")
    Network(alice).join(bob).settle()

    def found(node):
        try:
            return node.rpc("dht.get", key="svc/_web")["records"]
        except Refusal as refused:  # the other one is away
            assert refused.reason in ("TIMEOUT", "NOT_CONNECTED"), refused
            return []

    alice.cli("dht", "put", "--ttl", "3", "--keep", "svc/_web", "80")
    first_s = found(bob)[0]["made_s"]
    bob.wait(lambda n: any(r["made_s"] >= first_s + 6 for r in found(n)), 20, "finds it renewed")
    assert alice.cli("dht", "list") == "svc/_web 80, for 3 s\n"
    assert "keeps nothing" in bob.cli("dht", "list")
    alice.kill()
    killed_s = int(time.time())
    wait.until(lambda: time.time() > killed_s + 4, 10, "the end of what is stored")
    alice.start()
    bob.wait(lambda n: any(r["made_s"] >= killed_s + 3 for r in found(n)), 30, "finds it again")
    assert alice.rpc("dht.list")["kept"][0]["value"] == "80"
    alice.cli("dht", "delete", "svc/_web")
    assert bob.rpc("dht.get", key="svc/_web") == {"records": []}
    alice.kill()
    alice.start()
    assert alice.rpc("dht.list") == {"kept": []}
    alice.wait(lambda n: n.is_in(), 30, "is back")
    told = alice.run_cli("dht", "put", "--keep", "name/bob", "x")
    assert told.code == REFUSED and alice.rpc("dht.list") == {"kept": []}, told.stderr


def leases(lab, node, interface, *options):
    """What Busybox's DHCP client is given on an interface; None: nobody answers it."""
    script = os.path.join(lab.directory, "lease-" + node.name)
    told = script + ".told"
    with open(script, "w") as f:
        f.write('#!/bin/sh\n[ "$1" = bound ] && env > %s\nexit 0\n' % told)
    os.chmod(script, 0o755)
    if os.path.exists(told):
        os.unlink(told)
    done = node.ns.run(["busybox", "udhcpc", "-i", interface, "-s", script, "-n", "-q", "-t", "4",
                        "-T", "1", "-O", "26", "-O", "search", *options], check=False, timeout=30)
    if done.code != 0:
        return None
    with open(told) as f:
        return dict(line.rstrip("\n").split("=", 1) for line in f if "=" in line)


def test_a_host_has_its_address_by_dhcp(lab):
    """Busybox's client, on the host itself, gets what the host has leased as a member; but only
    where it was asked for, and nobody on the wire gets anything."""
    if shutil.which("busybox") is None:
        pytest.skip("busybox is not installed")
    alice, bob = public_nodes(lab, "alice", "bob")
    alice.cli("network", "create", "site", "--l2", "--ipv4", "10.99.4.0/24", "--dhcp",
              "--host-name", "alice")
    bob.cli("join", alice.cli("invite", "site").strip(), "--host-name", "bob")
    for node in (alice, bob):
        node.wait(lambda n: n.is_in("site"), 30, "has leased an address")
    given = leases(lab, alice, alice.network("site")["interface"])
    address = alice.address("site")
    assert given and given["ip"] == address and given["mask"] == "24", given
    assert given["serverid"] == "10.99.4.1" and given["lease"] == "1800", given
    assert given["mtu"] == "1500" and given["dns"] == address, given
    assert given["domain"] == given["search"] == "site.warren" and "router" not in given, given
    wire = lab.namespace("wire")  # a machine on a LAN that is attached
    lab.veth(alice.ns, "eth1", wire, "m0")
    alice.cli("attach", "site", "eth1")
    machine = Node(lab, wire, "machine")  # never started
    assert leases(lab, machine, "m0", "-t", "2") is None
    interface = bob.network("site")["interface"]
    assert leases(lab, bob, interface, "-t", "2") is None
    bob.cli("bridge", "set", "site", "dhcp-server=on")
    assert leases(lab, bob, interface)["ip"] == bob.address("site")
    told = bob.run_cli("bridge", "set", "site", "dhcp=allow")
    assert told.code == REFUSED and "either dhcp=allow or dhcp-server=on" in told.stderr
    told = alice.run_cli("network", "create", "other", "--dhcp")
    assert told.code != 0 and "DHCP is of Ethernets" in told.stderr
    bob.restart()
    bob.wait(lambda n: n.is_in("site"), 30, "is back")
    assert leases(lab, bob, bob.network("site")["interface"])["ip"] == bob.address("site")


def test_the_real_systemd_resolved_knows_the_names(lab):
    """As long as warrend runs: its names and its members' are gone after its end in good order and
    after a crash, and back after each start."""
    internet = Internet(lab)
    try:
        resolved = Resolved(lab, internet.public("alice").ns)
    except Unavailable as why:
        pytest.skip(str(why))
    alice = Registered(resolved, "alice").start()
    bob = Node(lab, internet.public("bob").ns, "bob").start()
    Network(alice, "home").join(bob).settle()
    bob.wait(lambda n: n.network("home")["name_state"] == "held", 20, "has its name")

    def knows(node):
        def is_found():
            told = resolved.query("%s.home.warren" % node.name)
            return told and node.address("home") in told
        wait.until(is_found, 20, "resolvectl query %s.home.warren" % node.name, 0.2)

    knows(alice)
    knows(bob)
    assert bob.address("home", 6) in resolved.query("bob.home.warren")
    shown = resolved.run("resolvectl", "domain", "home").stdout
    assert "~home.warren" in shown, shown
    alice.stop()
    assert resolved.query("alice.home.warren") is None
    alice.start()
    knows(alice)
    alice.kill()
    assert resolved.query("alice.home.warren") is None
    alice.start()
    knows(bob)


@pytest.mark.watchdog(90)
def test_who_was_asleep_hears_of_revocations_first(lab):
    """A host is stopped for longer than floods take; meanwhile a member is revoked, who does not
    hear of it and goes on sending. What has piled up in the kernel is not taken when the host wakes
    up, nor what comes later; with others it is as before soon (about a second; on a machine that is
    as busy as one with all tests running it may be longer). A test of its own says why that took
    minutes once: tests/unit/overlay/test_overlay_hostile.c, a_sleeper_is_not_shunned."""
    internet = Internet(lab)
    hosts = {name: internet.public(name) for name in ("owner", "knows", "asleep", "out")}
    nodes = [Node(lab, host.ns, name).start() for name, host in hosts.items()]
    owner, knows, asleep, out = nodes
    network = Network(owner).join(knows, asleep, out).settle()
    address = asleep.address()
    for node in (knows, out):
        node.go_direct(asleep)
    inbox = asleep.ns.udp(address, 7100)
    out.ns.spawn(["bash", "-c", "while :; do echo x >/dev/udp/%s/7100; sleep 0.02; done" % address])

    def came():
        """How many datagrams since it was asked last."""
        count = 0
        while select.select([inbox], [], [], 0)[0]:
            inbox.recv(100)
            count += 1
        return count
    wait.until(came, 10, "a datagram")
    internet.cut([hosts["out"].address], [hosts["owner"].address, hosts["knows"].address])
    asleep.process.signal(signal.SIGSTOP)
    stopped = time.monotonic()
    try:
        network.revoke(out)
        knows.wait(lambda n: n.peer(out) is None, 10, "knows")
        wait.until(lambda: time.monotonic() > stopped + 14, 20, "a deep sleep")
        came()
    finally:
        asleep.process.signal(signal.SIGCONT)
    wait.until(lambda: traffic.ping(knows.ns, address, wait_s=0.3), 20, "a ping after it woke up")
    asleep.wait(lambda n: n.peer(out) is None, 10, "knows, too")
    assert came() == 0
