# SPDX-License-Identifier: Apache-2.0
"""What a crowded or unfriendly host does to the program, and must not.

    a: the interface under test   10.99.0.1 ---- veth ---- 10.99.0.2   b: the far end
"""

import os
import signal
import subprocess

import pytest

from harness import net, topology, traffic, uapi, wait
from harness.tunnel import Tunnel, WARREN, WARREN_WG


@pytest.mark.warren_only
@pytest.mark.parametrize("closed", ["<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_standard_descriptors_closed(lab, closed):
    """Started with standard descriptors closed, it returns when ready and serves."""
    a, name = lab.namespace("a"), net.Names.interface()
    script = 'exec "$0" "$1" ' + closed
    a.run(["sh", "-c", script, WARREN_WG, name], timeout=10)
    assert uapi.set_(name, "listen_port=4000") == 0
    a.ip("link del " + name)
    wait.until(lambda: not a.pids(), 5, "end of the daemon")


def answers(name):
    try:
        uapi.connect(name).close()
        return True
    except (FileNotFoundError, ConnectionRefusedError):
        return False


@pytest.mark.warren_only
def test_log_that_nobody_reads(lab):
    """Standard error is a full pipe: packets go on, and SIGTERM ends the program."""
    a, b = topology.two_hosts(lab)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, bytes(4096))
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)
    right = Tunnel(lab, b, WARREN, topology.inner_addresses(1)).start().configure()
    left = Tunnel(lab, a, WARREN, topology.inner_addresses(0))
    with a.entered():
        process = subprocess.Popen([WARREN_WG, "-f", left.name], stderr=writer,
                                   env=net.environment({"LOG_LEVEL": "verbose"}))
    try:
        wait.until(lambda: answers(left.name), 5, "socket")
        left.configure()
        right.add_peer(left, allowed=topology.inner_hosts(0))
        left.add_peer(right, "10.99.0.2:51820", topology.inner_hosts(1))
        for mtu in range(1300, 1340):  # a line each
            a.ip("link set %s mtu %d" % (left.name, mtu))
        assert traffic.ping(a, "10.7.0.2", count=5) == 5
        assert net.end(process, signal.SIGTERM, 5, "warren-wg") == 0
    finally:
        process.kill()
        process.wait()
        os.close(reader)
        os.close(writer)


@pytest.mark.warren_only
def test_lock_held_by_another_user(lab):
    """Whoever may read the folder of the sockets can lock it; that keeps nobody from starting."""
    folder = os.path.dirname(uapi.path("x"))
    os.makedirs(folder, exist_ok=True)
    mode = os.stat(folder).st_mode & 0o7777
    os.chmod(folder, 0o755)
    holder = lab.spawn(["setpriv", "--reuid", "65534", "--clear-groups",
                        "flock", "-F", "-n", folder, "sh", "-c", "echo held; exec sleep 60"])
    try:
        wait.until(lambda: "held" in holder.log(), 5, "lock held")
        a, name = lab.namespace("a"), net.Names.interface()
        a.run([WARREN_WG, name], timeout=10)
        assert uapi.set_(name, "listen_port=4000") == 0
        a.ip("link del " + name)
        wait.until(lambda: not a.pids(), 5, "end of the daemon")
    finally:
        os.chmod(folder, mode)


@pytest.mark.warren_only
def test_source_address_on_lo_outlives_the_uplink(lab):
    """The far end talks to an address that lies on lo. Its answers keep that source when the way
    moves to another interface."""
    a, b = lab.namespace("a"), lab.namespace("b")
    for i in (1, 2):
        lab.veth(a, "v%d" % i, b, "v%d" % i)
        a.ip("addr add 10.99.%d.1/24 dev v%d" % (i, i))
        b.ip("addr add 10.99.%d.2/24 dev v%d" % (i, i))
    a.ip("addr add 10.99.9.9/32 dev lo")
    b.ip("addr add 10.99.8.8/32 dev lo", "route add 10.99.9.9 via 10.99.1.1 src 10.99.8.8")
    a.ip("route add 10.99.8.8 via 10.99.1.2")
    left = Tunnel(lab, a, WARREN, topology.inner_addresses(0)).start().configure()
    right = Tunnel(lab, b, WARREN, topology.inner_addresses(1)).start().configure()
    left.add_peer(right, allowed=topology.inner_hosts(1))
    right.add_peer(left, "10.99.9.9:51820", topology.inner_hosts(0))
    assert traffic.ping(b, "10.7.0.1", count=2) == 2
    assert right.peer(left)["endpoint"] == "10.99.9.9:51820"
    for turn in (2, 1, 2):
        a.ip("route replace 10.99.8.8 via 10.99.%d.2" % turn)
        b.ip("route replace 10.99.9.9 via 10.99.%d.1 src 10.99.8.8" % turn)
        wait.until(lambda: traffic.ping(b, "10.7.0.1") == 1, 5, "ping after the move")
        assert traffic.ping(b, "10.7.0.1", count=3) == 3
        assert right.peer(left)["endpoint"] == "10.99.9.9:51820"


@pytest.mark.warren_only
def test_idle_clients_give_way_first(lab):
    """A request in the middle of being sent survives any number of clients that say nothing."""
    end = Tunnel(lab, lab.namespace("a"), WARREN).start()
    busy = uapi.connect(end.name)
    busy.sendall(b"set=1\nlisten_port=4")
    idle = [uapi.connect(end.name) for _ in range(200)]
    busy.sendall(b"001\n\n")
    assert uapi.read_answer(busy) == "errno=0\n\n"
    for client in [busy, *idle]:
        client.close()
    assert ("listen_port", "4001") in uapi.parse(uapi.request(end.name, "get=1\n\n"))
