# SPDX-License-Identifier: Apache-2.0
"""Against the kernel's WireGuard, in an emulated guest.

    h: warren-wg, 10.7.0.1, fd07::1                        guest: wg0, 10.7.0.2, fd07::2
       tap0 10.99.0.1, fd99::1  ------- virtio -------  eth0 10.99.0.2, fd99::2
            10.98.0.1                                        10.98.0.2

The guest boots with the session's first test, and streams over both roles run in it until the last,
by way of 10.98.0.x, which no test takes away."""

import hashlib
import os
import re
import socket

import pytest

from harness import noise, topology, traffic, wait
from harness.background import LOSSES, REKEY_AFTER_S, assert_nothing_lost
from harness.guest import KernelEnd
from harness.tunnel import Tunnel, WARREN, endpoint


def guest_ping(guest, address, count=1, wait_s=5):
    _, text = guest.run("ping -q -c %d -W %d %s" % (count, wait_s, address), check=False,
                        seconds=count * 2 + wait_s + 5)
    match = re.search(r"(\d+) packets received", text)
    return int(match.group(1)) if match else 0


@pytest.fixture
def place(lab, guest):
    """Makes a warren end and a kernel end; the kernel end is taken down after the test."""
    made = []

    def make(initiator, underlay=4, psk=(None, None), keepalive=None):
        ours = Tunnel(lab, guest.ns, WARREN, topology.inner_addresses(0), port=51820)
        ours.start().configure()
        theirs = KernelEnd(guest, "wg0", 51820, topology.inner_addresses(1))
        made.append(theirs)
        they, we = (endpoint(topology.UNDERLAY[underlay][i], 51820) for i in (1, 0))
        if initiator == "warren":
            theirs.add_peer(ours, allowed=topology.inner_hosts(0), psk=psk[1])
            ours.add_peer(theirs, they, topology.inner_hosts(1), psk=psk[0], keepalive=keepalive)
        else:
            ours.add_peer(theirs, allowed=topology.inner_hosts(1), psk=psk[0])
            theirs.add_peer(ours, we, topology.inner_hosts(0), psk=psk[1], keepalive=keepalive)
        return ours, theirs

    yield make
    for theirs in made:
        theirs.close()


def first_packet(guest, ours, initiator):
    if initiator == "warren":
        return traffic.ping(ours.ns, "10.7.0.2")
    return guest_ping(guest, "10.7.0.1")


def send_to_guest(guest, ns, address, size):
    guest.run("(nc -l -p 7000 > /tmp/in; sha256sum /tmp/in > /tmp/sum) & sleep 0")
    body = os.urandom(size)

    def connect():
        s = ns.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            s.connect((address, 7000))
            return s
        except ConnectionRefusedError:
            s.close()
            return None

    s = wait.until(connect, 10, "listener in the guest")
    s.settimeout(40 * wait.SLOW)
    s.sendall(body)
    s.close()

    def summed():
        code, text = guest.run("cat /tmp/sum", check=False)
        return text if code == 0 and text else None

    digest = wait.until(summed, 20, "sum in the guest", step_s=0.1)
    guest.run("rm /tmp/sum")
    assert digest.split()[0] == hashlib.sha256(body).hexdigest()


def send_from_guest(guest, ns, address, size_kb, half_way=None):
    """Has the guest send random bytes, which must arrive whole. 'half_way' is called after some of
    them; meanwhile nothing is read, so that the stream cannot end before."""
    listener = ns.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    if half_way:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    listener.bind((address, 7001))
    listener.listen(1)
    digest = guest.run("dd if=/dev/urandom of=/tmp/out bs=1024 count=%d 2>/dev/null; sha256sum "
                       "/tmp/out" % size_kb).split()[0]
    guest.run("nc %s 7001 < /tmp/out > /dev/null & sleep 0" % address)
    s, _ = listener.accept()
    s.settimeout(40 * wait.SLOW)
    got, received = hashlib.sha256(), 0
    while block := s.recv(1 << 16):
        got.update(block)
        received += len(block)
        if half_way and received > size_kb << 8:
            half_way()
            half_way = None
    s.close()
    listener.close()
    assert got.hexdigest() == digest


roles = pytest.mark.parametrize("initiator", ["warren", "kernel"])


@roles
@pytest.mark.parametrize("underlay", [4, 6])
def test_traffic(place, guest, initiator, underlay):
    """First packet, pings and TCP content both ways, for both inner families."""
    ours, theirs = place(initiator, underlay)
    assert first_packet(guest, ours, initiator) == 1
    for family in (4, 6):
        assert traffic.ping(ours.ns, topology.INNER[family][1], count=5) == 5
        assert guest_ping(guest, topology.INNER[family][0], count=2) == 2
    send_to_guest(guest, ours.ns, topology.INNER[4][1], 1 << 20)
    send_from_guest(guest, ours.ns, topology.INNER[6][0], 1 << 10)
    assert theirs.peer()["endpoint"] == endpoint(topology.UNDERLAY[underlay][0], 51820)
    assert ours.peer(theirs)["endpoint"] == endpoint(topology.UNDERLAY[underlay][1], 51820)
    assert theirs.peer()["handshake"] > 0 and ours.handshake_time(theirs) > 0
    # both count the same bytes: all of UDP's payload
    assert wait.until(lambda: theirs.peer()["rx"] == int(ours.peer(theirs)["tx_bytes"]), 5, "bytes")


@roles
def test_preshared_key(place, guest, initiator):
    """With the same preshared key traffic flows."""
    psk = os.urandom(32)
    ours, _ = place(initiator, psk=(psk, psk))
    assert first_packet(guest, ours, initiator) == 1
    assert traffic.ping(ours.ns, "fd07::2", count=3) == 3


@roles
def test_wrong_preshared_key(place, guest, initiator):
    """With different ones nothing comes through; set right, it does with the next handshake."""
    psk = os.urandom(32)
    ours, theirs = place(initiator, psk=(os.urandom(32), psk))
    if initiator == "warren":
        assert traffic.ping(ours.ns, "10.7.0.2", wait_s=0.5) == 0
        assert ours.set("public_key=" + theirs.public.hex(), "remove=true") == 0
        ours.add_peer(theirs, "10.99.0.2:51820", topology.inner_hosts(1), psk=psk)
    else:
        assert guest_ping(guest, "10.7.0.1", wait_s=1) == 0
        guest.run("wg set wg0 peer %s remove" % noise.b64(ours.public))
        ours.add_peer(theirs, allowed=topology.inner_hosts(1), psk=psk)
        theirs.add_peer(ours, "10.99.0.1:51820", topology.inner_hosts(0), psk=psk)
    assert first_packet(guest, ours, initiator) == 1


@roles
def test_guest_roams(place, guest, initiator):
    """The guest's address changes in a transfer; we follow its authentic packets."""
    ours, theirs = place(initiator)
    assert first_packet(guest, ours, initiator) == 1

    def roam():
        guest.run("ip addr add 10.99.0.77/24 dev eth0; ip addr del 10.99.0.2/24 dev eth0")

    try:
        send_from_guest(guest, ours.ns, "10.7.0.1", 3000, half_way=roam)
        assert ours.peer(theirs)["endpoint"] == "10.99.0.77:51820"
        assert traffic.ping(ours.ns, "10.7.0.2", count=2) == 2
    finally:
        guest.run("ip addr add 10.99.0.2/24 dev eth0; ip addr del 10.99.0.77/24 dev eth0",
                  check=False)


@roles
def test_we_roam(place, guest, initiator):
    """Our address and then our port change; the kernel follows."""
    ours, theirs = place(initiator)
    assert first_packet(guest, ours, initiator) == 1
    ours.ns.ip("addr add 10.99.0.88/24 dev tap0", "addr del 10.99.0.1/24 dev tap0")
    try:
        traffic.reachable(ours.ns, "10.7.0.2")
        assert theirs.peer()["endpoint"] == "10.99.0.88:51820"
        assert ours.set("listen_port=51888") == 0
        assert traffic.ping(ours.ns, "10.7.0.2", count=3) == 3
        assert theirs.peer()["endpoint"] == "10.99.0.88:51888"
        assert guest_ping(guest, "10.7.0.1", count=2) == 2
    finally:
        ours.ns.ip("addr add 10.99.0.1/24 dev tap0", "addr del 10.99.0.88/24 dev tap0")


def test_restart_of_each_end(place, guest):
    """Each end is taken down and comes back with its keys; traffic resumes with one handshake."""
    ours, theirs = place("warren")
    theirs.add_peer(ours, "10.99.0.1:51820", topology.inner_hosts(0))
    assert traffic.ping(ours.ns, "10.7.0.2") == 1
    guest.run("ip link set wg0 down && ip link set wg0 up && ip addr add fd07::2/64 dev wg0")
    assert guest_ping(guest, "10.7.0.1") == 1
    assert traffic.ping(ours.ns, "10.7.0.2", count=3) == 3
    ours.kill()
    ours.start().configure()
    ours.add_peer(theirs, "10.99.0.2:51820", topology.inner_hosts(1))
    assert traffic.ping(ours.ns, "10.7.0.2", count=3) == 3
    assert guest_ping(guest, "fd07::1", count=2) == 2


def test_kernel_demands_a_cookie(place, guest, lab, tool):
    """The kernel is flooded and answers our initiation with a cookie reply: we use it and get
    in."""
    ours, theirs = place("warren")
    file = os.path.join(lab.directory, "forged")
    key = noise.mac1_key(theirs.public)
    with open(file, "wb") as f:
        for _ in range(4096):
            body = b"\1\0\0\0" + os.urandom(112)
            f.write(body + noise.mac(key, body) + bytes(16))
    flood = lab.spawn([tool("flood"), "10.99.0.2", 51820, file, 148, 6000, 360000, "10.99.0.1"],
                      netns=guest.ns)
    probe = ours.ns.udp("10.99.0.1")

    def under_load():
        forged = b"\1\0\0\0" + bytes(112)
        probe.sendto(forged + noise.mac(key, forged) + bytes(16), ("10.99.0.2", 51820))
        probe.settimeout(0.3)
        try:
            return probe.recv(200)[0] == noise.COOKIE
        except TimeoutError:
            return False

    wait.until(under_load, 15, "the kernel under load", step_s=0.05)
    ours.ns.udp("10.7.0.1").sendto(b"knock", ("10.7.0.2", 9))
    wait.until(lambda: ours.handshake_time(theirs) > 0, 25, "handshake during the flood")
    assert flood.running()
    flood.popen.terminate()
    flood.wait(5)
    assert "received cookie" in ours.log()
    assert traffic.ping(ours.ns, "10.7.0.2", count=3) == 3


@pytest.mark.last
@pytest.mark.early("kernel_streams")
@pytest.mark.watchdog(200)
@roles
def test_renewal_of_keys_under_load(kernel_streams, initiator):
    """Streams both ways since the beginning: keys are renewed after 120 s and not one packet is
    lost."""
    run = kernel_streams[initiator]
    wait.until(lambda: run.rekeyed() or wait.time.monotonic() - run.started > REKEY_AFTER_S + 20,
               REKEY_AFTER_S + 30, "time of the renewal", step_s=0.3)
    assert run.rekeyed(), "no new handshake %d s after the first" % (REKEY_AFTER_S + 20)
    end = wait.time.monotonic() + 2
    wait.until(lambda: wait.time.monotonic() > end, 10, "two seconds with the new keys", step_s=0.1)
    results = run.finish()
    for result in results:
        assert int(result["sent"]) > 20 * REKEY_AFTER_S / wait.SLOW, result
    assert_nothing_lost(results, run.dropped())
    assert not {r: run.end.drops(r) for r in LOSSES if run.end.drops(r)}
