# SPDX-License-Identifier: Apache-2.0
"""The program as scripts see it: start, daemon, end, descriptors handed in, bad input.

    a: the interface under test   10.99.0.1 ---- veth ---- 10.99.0.2   b: a far end where needed
                                                                       c: where the interface moves
"""

import fcntl
import os
import re
import signal
import socket
import stat
import struct

import pytest

from harness import capture, net, noise, topology, traffic, tunnel, uapi, wait
from harness.tunnel import Tunnel, WARREN, WARREN_WG

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000


def pair(lab, **more):
    a, b = topology.two_hosts(lab)
    left = Tunnel(lab, a, WARREN, topology.inner_addresses(0), **more).start().configure()
    right = Tunnel(lab, b, WARREN, topology.inner_addresses(1), **more).start().configure()
    right.add_peer(left, allowed=topology.inner_hosts(0))
    left.add_peer(right, "10.99.0.2:51820", topology.inner_hosts(1))
    return left, right


# ---- start and end ----


def test_daemon(lab):
    """Without -f the program returns once it can be configured, holds no terminal, and ends on
    SIGTERM."""
    a, name = lab.namespace("a"), net.Names.interface()
    result = a.run([WARREN_WG, name], timeout=10)  # ends only when stdout and stderr are closed
    assert result.stdout == "" or tunnel.STAND_IN
    assert uapi.set_(name, "listen_port=4000") == 0, "ready as soon as the command has returned"
    assert a.has_link(name)
    (pid,) = a.pids()
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    assert fields[4] == "0", "a daemon has no controlling terminal"
    if not tunnel.STAND_IN:
        assert int(fields[3]) != os.getsid(0), "a daemon has a session of its own"
        assert os.readlink("/proc/%d/cwd" % pid) == "/"
        for fd in (0, 1, 2):
            assert not os.readlink("/proc/%d/fd/%d" % (pid, fd)).startswith("pipe:")
    net.until_gone(lambda number: os.kill(pid, number), lambda: not a.pids(), signal.SIGTERM, 5,
                   "the daemon")
    assert not a.has_link(name) and not os.path.exists(uapi.path(name))


def test_foreground_by_environment(lab):
    """WG_PROCESS_FOREGROUND=1 does what -f does."""
    end = Tunnel(lab, lab.namespace("a"), WARREN)
    end.start(args=[end.name], env={"WG_PROCESS_FOREGROUND": "1"})
    wait.steady(end.process.running, 0.2, "running in the foreground")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals(lab, number):
    """SIGTERM and SIGINT end the program with code 0; interface and socket go."""
    left, _ = pair(lab)
    assert traffic.ping(left.ns, "10.7.0.2") == 1
    process = left.process
    assert process.end(number, 5) == 0 or tunnel.STAND_IN
    assert not os.path.exists(uapi.path(left.name))
    wait.until(lambda: not left.ns.has_link(left.name), 5, "interface gone")
    left.may_die = True


def test_an_end_that_is_asked_for_again_and_again_is_in_good_order(lab):
    left, _ = pair(lab)
    assert left.process.end_impatiently(signal.SIGTERM, 5) == 0 or tunnel.STAND_IN
    assert not os.path.exists(uapi.path(left.name))
    left.may_die = True


@pytest.mark.matrix
def test_kill_and_restart(lab):
    """After SIGKILL the stale socket does not hinder the next start, and traffic resumes."""
    left, right = pair(lab)
    assert traffic.ping(left.ns, "10.7.0.2") == 1
    left.kill()
    assert os.path.exists(uapi.path(left.name)), "the kernel leaves the socket's file"
    wait.until(lambda: not left.ns.has_link(left.name), 5, "interface gone")
    left.start().configure()
    left.add_peer(right, "10.99.0.2:51820", topology.inner_hosts(1))
    assert traffic.ping(left.ns, "10.7.0.2") == 1


@pytest.mark.matrix
def test_interface_deleted(lab):
    """`ip link del` ends the program and removes the socket."""
    left, _ = pair(lab)
    left.may_die = True
    left.ns.ip("link del " + left.name)
    code = left.process.wait(5)
    assert code == 0 or tunnel.STAND_IN
    assert not os.path.exists(uapi.path(left.name))


@pytest.mark.matrix
def test_socket_removed(lab):
    """Removing the socket's file ends the program and removes the interface."""
    left, _ = pair(lab)
    left.may_die = True
    os.unlink(uapi.path(left.name))
    code = left.process.wait(5)
    assert code == 0 or tunnel.STAND_IN
    wait.until(lambda: not left.ns.has_link(left.name), 5, "interface gone")


def test_socket_directory_is_made(lab):
    """The directory of the sockets is made if it is not there; as before, strangers cannot
    enter."""
    end = Tunnel(lab, lab.namespace("a"), WARREN)
    hidden = uapi.DIRECTORY + ".moved-by-test"
    if os.path.exists(uapi.DIRECTORY):
        os.rename(uapi.DIRECTORY, hidden)
    try:
        end.start()
        mode = stat.S_IMODE(os.stat(uapi.DIRECTORY).st_mode)
        assert not mode & 0o022, oct(mode)
        end.stop()
    finally:
        if os.path.exists(hidden):
            os.rmdir(uapi.DIRECTORY)
            os.rename(hidden, uapi.DIRECTORY)


# ---- descriptors and environment ----


@pytest.mark.matrix
def test_descriptors_handed_in(lab):
    """WG_TUN_FD and WG_UAPI_FD: a TUN device and a listening socket that somebody else has made."""
    a, b = topology.two_hosts(lab)
    left = Tunnel(lab, a, WARREN, topology.inner_addresses(0))
    with a.entered():
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        # the stand-in is old enough to want the packet information header
        flags = IFF_TUN | (0 if tunnel.STAND_IN else IFF_NO_PI)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", left.name.encode(), flags))
    os.makedirs(uapi.DIRECTORY, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(uapi.path(left.name))
    listener.listen(16)
    left.start(env={"WG_TUN_FD": str(tun), "WG_UAPI_FD": str(listener.fileno()),
                    "WG_PROCESS_FOREGROUND": "1"}, args=[left.name],
               pass_fds=(tun, listener.fileno()))
    os.close(tun)
    listener.close()
    left.configure()
    right = Tunnel(lab, b, WARREN, topology.inner_addresses(1)).start().configure()
    right.add_peer(left, allowed=topology.inner_hosts(0))
    left.add_peer(right, "10.99.0.2:51820", topology.inner_hosts(1))
    assert traffic.ping(a, "10.7.0.2") == 1
    traffic.tcp_transfer(lab, a, b, "10.7.0.2", size=1 << 16)


@pytest.mark.warren_only
@pytest.mark.parametrize("variable", ["WG_TUN_FD", "WG_UAPI_FD"])
@pytest.mark.parametrize("value", ["99", "x", "-1"])
def test_bad_descriptor(lab, variable, value):
    """A descriptor that is none is refused by name."""
    a, name = lab.namespace("a"), net.Names.interface()
    result = a.run([WARREN_WG, "-f", name], env={variable: value}, check=False, timeout=5)
    refused(a, name, result, variable)


@pytest.mark.warren_only
def test_log_level(lab):
    """LOG_LEVEL: silent says nothing, error only errors, verbose names handshakes, never a key."""
    sizes = {}
    a, b = topology.two_hosts(lab)
    far = Tunnel(lab, b, WARREN, topology.inner_addresses(1)).start().configure()
    for level in ("silent", "error", "verbose"):
        end = Tunnel(lab, a, WARREN, topology.inner_addresses(0)).start(env={"LOG_LEVEL": level})
        end.configure()
        far.add_peer(end, allowed=topology.inner_hosts(0))
        end.add_peer(far, "10.99.0.2:51820", topology.inner_hosts(1))
        assert traffic.ping(a, "10.7.0.2") == 1
        process = end.process
        end.stop()
        text = process.log()
        sizes[level] = len(text)
        for secret in (end.private.hex(), noise.b64(end.private)):
            assert secret not in text
        if level == "verbose":
            assert re.search("handshake", text, re.I)
    assert sizes["silent"] == 0 and sizes["error"] == 0 and sizes["verbose"] > 0, sizes


# ---- changes of the interface while it runs ----


@pytest.mark.matrix
def test_moved_to_another_namespace(lab):
    """The TUN device may be moved into a namespace without underlay: UDP stays where it began."""
    left, right = pair(lab)
    c = lab.namespace("c")
    assert traffic.ping(left.ns, "10.7.0.2") == 1
    left.ns.ip("link set %s netns %s" % (left.name, c.name))
    wait.until(lambda: c.has_link(left.name), 5, "interface in its new namespace")
    c.ip(*["addr add %s dev %s%s" % (a, left.name, " nodad" if ":" in a else "")
           for a in left.addresses], "link set %s up" % left.name)
    traffic.reachable(c, "10.7.0.2")
    traffic.reachable(right.ns, "fd07::1")  # whose local route comes some time after the address
    assert traffic.ping(right.ns, "fd07::1", count=3) == 3
    traffic.tcp_transfer(lab, c, right.ns, "10.7.0.2")
    assert left.process.running() and left.set("listen_port=51999") == 0
    assert traffic.ping(c, "10.7.0.2") == 1
    # and it still ends when the interface goes, wherever that is
    left.may_die = True
    c.ip("link del " + left.name)
    left.process.wait(5)
    assert not os.path.exists(uapi.path(left.name))


@pytest.mark.warren_only
def test_changes_after_the_move(lab):
    """Down, up and a new MTU are followed in the namespace that the device was moved to as well."""
    left, right = pair(lab)
    c = lab.namespace("c")
    left.may_die = True  # the device goes with its new namespace
    left.ns.ip("link set %s netns %s" % (left.name, c.name))
    c.ip(*["addr add %s dev %s%s" % (a, left.name, " nodad" if ":" in a else "")
           for a in left.addresses], "link set %s up" % left.name)
    traffic.reachable(c, "10.7.0.2")
    tap = capture.Capture(lab, left.ns, "u0")
    for end, ns in ((left, c), (right, right.ns)):
        ns.ip("link set %s mtu 1301" % end.name)

    def sealed_sizes():
        del tap.packets[:]
        assert traffic.ping(c, "10.7.0.2", size=1301 - 28, dont_fragment=True) == 1
        return {len(p.payload) for p in tap.expect(outgoing=True, message=4)}

    wait.until(lambda: sealed_sizes() == {1301 + 32}, 5, "packet as large as the new MTU")
    c.ip("link set %s down" % left.name)
    wait.until(lambda: "is down" in left.log().rsplit("is up", 1)[-1], 5, "down noticed")
    del tap.packets[:]
    assert traffic.ping(right.ns, "10.7.0.1", wait_s=0.5) == 0
    assert not [p for p in tap.packets if p.outgoing and p.sport == left.port]
    c.ip("link set %s up" % left.name)
    traffic.reachable(c, "10.7.0.2")


@pytest.mark.matrix
def test_link_down_and_up(lab):
    """While the link is down nothing is sent or answered; up again, everything works as before."""
    left, right = pair(lab)
    assert traffic.ping(left.ns, "10.7.0.2") == 1
    left.ns.ip("link set %s down" % left.name)
    tap = capture.Capture(lab, left.ns, "u0")
    assert traffic.ping(right.ns, "10.7.0.1", wait_s=0.5) == 0
    assert not [p for p in tap.packets if p.outgoing and p.sport == left.port]
    left.ns.ip("link set %s up" % left.name)
    traffic.reachable(left.ns, "10.7.0.2")
    assert len(left.get().peers) == 1


def test_persistent_keepalive_begins_with_the_link(lab):
    """A peer with persistent keepalive is contacted as soon as the link is up, without any
    traffic."""
    a, b = topology.two_hosts(lab)
    right = Tunnel(lab, b, WARREN, topology.inner_addresses(1)).start().configure()
    left = Tunnel(lab, a, WARREN, topology.inner_addresses(0)).start()
    right.add_peer(left, allowed=topology.inner_hosts(0))
    assert left.set("private_key=" + left.private.hex()) == 0
    left.add_peer(right, "10.99.0.2:51820", topology.inner_hosts(1), keepalive=25)
    assert left.handshake_time(right) == 0
    left.ns.ip("link set %s up" % left.name)
    wait.until(lambda: left.handshake_time(right) > 0, 5, "handshake without traffic")


@pytest.mark.matrix
def test_mtu_followed(lab):
    """Padding never makes a packet larger than the interface's MTU, also after the MTU has
    changed."""
    left, right = pair(lab)
    assert traffic.ping(left.ns, "10.7.0.2") == 1
    tap = capture.Capture(lab, left.ns, "u0")

    def sealed_size(inner):
        del tap.packets[:]
        assert traffic.ping(left.ns, "10.7.0.2", size=inner - 28, dont_fragment=True) == 1
        sizes = wait.until(lambda: [len(p.payload) for p in tap.packets
                                    if p.outgoing and p.message() == 4], 5, "captured packet")
        return max(sizes)

    left.ns.ip("link set %s mtu 1301" % left.name)
    right.ns.ip("link set %s mtu 1301" % right.name)
    wait.until(lambda: sealed_size(1301) == 1301 + 32, 5, "unpadded packet as large as the MTU")
    assert sealed_size(1297) == 1301 + 32 and sealed_size(1290) == 1296 + 32
    left.ns.ip("link set %s mtu 1400" % left.name)
    right.ns.ip("link set %s mtu 1400" % right.name)
    wait.until(lambda: sealed_size(1301) == 1312 + 32, 5, "padding to 16 within the new MTU")
    assert sealed_size(1400) == 1400 + 32


def test_default_mtu(lab):
    """The interface begins with room for the tunnel's overhead, as wg-quick and scripts expect."""
    end = Tunnel(lab, lab.namespace("a"), WARREN).start()
    assert " mtu 1420 " in end.ns.run(["ip", "-o", "link", "show", end.name]).stdout


# ---- bad input: one line with cause and fix, exit code, nothing left ----


def refused(ns, name, result, *words):
    """Checks the answer to bad input."""
    assert result.code not in (0, None) and result.code > 0, "exit code %s" % result.code
    lines = (result.stdout + result.stderr).strip().split("\n")
    assert len(lines) == 1 and len(lines[0]) > 20, "one line wanted:\n%s%s" % (
        result.stdout, result.stderr)
    for word in words:
        assert re.search(word, lines[0], re.I), "%r not in %r" % (word, lines[0])
    assert not ns.pids(), "a process was left"
    if name and "/" not in name:
        assert not ns.has_link(name) or name == "u0", "an interface was left"
        assert not os.path.exists(uapi.path(name)), "a socket was left"


both_ways = pytest.mark.parametrize("flags", [["-f"], []], ids=["foreground", "daemon"])


@pytest.mark.warren_only
@both_ways
@pytest.mark.parametrize("name", ["", "x" * 16, "a/b", "../x", ".", "..", "has space", "tab\tbed",
                                  "100%s", "a:b", "new\nline"])
def test_bad_name(lab, flags, name):
    """A name that the kernel does not allow for an interface."""
    a = lab.namespace("a")
    before = set(os.listdir("/run"))
    if name == "100%s":  # legal only if the kernel would not number it: must not become "1000"
        result = a.run([WARREN_WG, *flags, name], check=False, timeout=5)
        refused(a, None, result, "name")
    else:
        refused(a, name, a.run([WARREN_WG, *flags, name], check=False, timeout=5), "name")
    assert a.links() == ["lo"]
    assert set(os.listdir("/run")) - before <= {"wireguard"}


@pytest.mark.warren_only
@pytest.mark.parametrize("args", [[], ["-f"], ["--unknown", "wg9"], ["-x"], ["-f", "wg9", "wg10"]])
def test_bad_arguments(lab, args):
    """Wrong arguments are answered with how it is done right."""
    a = lab.namespace("a")
    result = a.run([WARREN_WG, *args], check=False, timeout=5)
    assert result.code > 0 and re.search("usage", result.stderr + result.stdout, re.I)
    assert not a.pids() and a.links() == ["lo"]


@pytest.mark.warren_only
@pytest.mark.parametrize("args", [["--help"], ["-h"], ["--version"]])
def test_help_and_version(lab, args):
    """Help and version come with code 0 and need no privilege."""
    nobody = ["setpriv", "--reuid", "65534", "--clear-groups"]
    result = lab.namespace("a").run([*nobody, WARREN_WG, *args], check=False, timeout=5)
    if result.code == 127 or "Permission denied" in result.stderr:
        pytest.fail("nobody cannot run %s: %s" % (WARREN_WG, result.stderr))
    assert result.code == 0 and "warren" in result.stdout


@pytest.mark.warren_only
@both_ways
def test_second_daemon(lab, flags):
    """A second program for a name in use is refused; the first goes on undisturbed."""
    left, right = pair(lab)
    assert traffic.ping(left.ns, "10.7.0.2") == 1
    for ns in (left.ns, lab.namespace("c")):  # also from another namespace: the socket is the same
        result = ns.run([WARREN_WG, *flags, left.name], check=False, timeout=5)
        assert result.code > 0
        lines = result.stderr.strip().split("\n")
        assert len(lines) == 1 and left.name in lines[0], result.stderr
        assert traffic.ping(left.ns, "10.7.0.2") == 1
        assert len(left.get().peers) == 1


@pytest.mark.warren_only
@both_ways
def test_name_of_another_interface(lab, flags):
    """The name of an interface that is no TUN device is refused and that interface left alone."""
    a, b = topology.two_hosts(lab)
    result = a.run([WARREN_WG, *flags, "u0"], check=False, timeout=5)
    refused(a, "u0", result, "u0")
    assert traffic.ping(a, "10.99.0.2") == 1


def hidden_tun(script):
    """A shell command under which /dev/net is empty."""
    return ["unshare", "-m", "sh", "-c", "mount --make-rprivate / 2>/dev/null; "
            "mount -t tmpfs none /dev/net && exec \"$@\"", "sh", *script]


@pytest.mark.warren_only
@both_ways
def test_no_tun_device(lab, flags):
    """Without /dev/net/tun the message names it and how to get it."""
    a, name = lab.namespace("a"), net.Names.interface()
    result = a.run(hidden_tun([WARREN_WG, *flags, name]), check=False, timeout=5)
    refused(a, name, result, "/dev/net/tun")


@pytest.mark.warren_only
@both_ways
@pytest.mark.parametrize("who", ["nobody", "root without capabilities"])
def test_no_privilege(lab, flags, who):
    """Without CAP_NET_ADMIN the message names what is missing."""
    a, name = lab.namespace("a"), net.Names.interface()
    drop = (["--reuid", "65534", "--regid", "65534", "--clear-groups"] if who == "nobody"
            else ["--bounding-set", "-all", "--inh-caps", "-all"])
    result = a.run(["setpriv", *drop, WARREN_WG, *flags, name], check=False, timeout=5)
    refused(a, name, result, "root|CAP_NET_ADMIN|privilege")


@pytest.mark.warren_only
@both_ways
def test_no_place_for_the_socket(lab, flags):
    """If the socket cannot be made nothing is left behind."""
    a, name = lab.namespace("a"), net.Names.interface()
    script = ["unshare", "-m", "sh", "-c", "mount --make-rprivate / 2>/dev/null; "
              "mkdir -p /run/wireguard; mount -t tmpfs -o ro none /run/wireguard && exec \"$@\"",
              "sh", WARREN_WG, *flags, name]
    refused(a, name, a.run(script, check=False, timeout=5), "wireguard")


@pytest.mark.warren_only
def test_port_in_use(lab):
    """A port in use is refused through the UAPI with EADDRINUSE; the old one goes on."""
    left, right = pair(lab)
    taken = left.ns.udp("0.0.0.0", 6000)
    taken6 = left.ns.udp("::", 6001)
    for port in (6000, 6001):
        assert abs(left.set("listen_port=%d" % port)) == 98
        assert left.get().interface["listen_port"] == "51820"
        assert traffic.ping(left.ns, "10.7.0.2") == 1
    taken.close()
    taken6.close()
    assert left.set("listen_port=6000") == 0
    assert traffic.ping(left.ns, "10.7.0.2") == 1
    assert traffic.ping(right.ns, "10.7.0.1", count=2) == 2


@pytest.mark.warren_only
def test_no_core_and_no_secrets_around(lab):
    """Keys appear neither in the arguments nor in the environment, and the program dumps no
    core."""
    left, _ = pair(lab)
    pid = left.process.pid
    for what in ("cmdline", "environ"):
        with open("/proc/%d/%s" % (pid, what), "rb") as f:
            assert left.private.hex().encode() not in f.read()


@pytest.mark.matrix
def test_descriptors_do_not_leak(lab):
    """Hundreds of requests and port changes leave the number of open descriptors as it was."""
    left, _ = pair(lab)
    directory = "/proc/%d/fd" % left.process.pid

    def burst():
        for i in range(60):
            assert left.set("listen_port=%d" % (7000 + i % 2)) == 0
            left.get()

    burst()
    before = len(os.listdir(directory))
    burst()
    wait.until(lambda: len(os.listdir(directory)) <= before + 2, 5, "descriptors closed again")
