# SPDX-License-Identifier: Apache-2.0
"""Configuration: the UAPI socket byte by byte, and the tools that speak to it.

    a: one tunnel interface, no underlay needed      (tests of the socket and of wg(8))
    a 10.99.0.1 ---------- veth ---------- b 10.99.0.2        (syncconf, wg-quick)
"""

import os
import re
import socket
import threading

import pytest

from harness import net, noise, topology, traffic, tunnel, uapi, wait
from harness.tunnel import Tunnel, WARREN, WIREGUARD_GO

KEY = noise.public_key(bytes(range(32))).hex()
KEY2 = noise.public_key(bytes(range(1, 33))).hex()


@pytest.fixture
def end(lab):
    return Tunnel(lab, lab.namespace("a"), WARREN).start()


def wg(end, *args, check=True, stdin=None):
    return end.ns.run(["wg", *args], check=check, stdin=stdin)


# ---- the protocol ----


def test_fresh_interface(end):
    """A new interface has no key and no peer."""
    answer = uapi.request(end.name, "get=1\n\n")
    assert answer.endswith("errno=0\n\n")
    device = uapi.get(end.name)
    assert not device.peers and "private_key" not in device.interface
    assert device.interface.get("fwmark", "0") == "0"


def test_who_has_no_counters_ends_no_report(lab):
    """A stock end does not know our counters: the report of a failed test with one says so. (It
    raised an error, which ended the whole run.)"""
    end = Tunnel(lab, lab.namespace("a"), WIREGUARD_GO).start()
    assert "no counters" in end.told_drops()


@pytest.mark.warren_only
def test_socket_is_private(end):
    """Nobody but root may read or write keys: mode 0600."""
    assert tunnel.is_private_socket(end.name)


def test_every_key(end):
    """What `set` was given, `get` tells, in the order that the protocol lays down."""
    psk = os.urandom(32).hex()
    assert end.set("private_key=" + end.private.hex(), "listen_port=0", "fwmark=77",
                   "replace_peers=true", "public_key=" + KEY, "preshared_key=" + psk,
                   "endpoint=10.1.2.3:4", "persistent_keepalive_interval=65535",
                   "replace_allowed_ips=true", "allowed_ip=10.0.0.0/8", "allowed_ip=fd00::/8",
                   "protocol_version=1",
                   "public_key=" + KEY2, "endpoint=[fe80::1]:65535", "allowed_ip=0.0.0.0/0",
                   "allowed_ip=::/0", "allowed_ip=10.9.8.7/32") == 0
    pairs = uapi.parse(uapi.request(end.name, "get=1\n\n"))
    interface = dict(pairs[:3])
    assert interface["private_key"] == end.private.hex() and interface["fwmark"] == "77"
    device = uapi.get(end.name)
    first, second = device.peers[KEY], device.peers[KEY2]
    assert sorted(first.pop("allowed_ip")) == ["10.0.0.0/8", "fd00::/8"]
    assert sorted(second.pop("allowed_ip")) == ["0.0.0.0/0", "10.9.8.7/32", "::/0"]
    common = {"protocol_version": "1", "last_handshake_time_sec": "0",
              "last_handshake_time_nsec": "0", "tx_bytes": "0", "rx_bytes": "0"}
    for key, value in common.items():
        assert first.pop(key) == value and second.pop(key) == value
    assert first == {"preshared_key": psk, "endpoint": "10.1.2.3:4",
                     "persistent_keepalive_interval": "65535"}
    assert second["endpoint"] == "[fe80::1]:65535"
    assert second.get("persistent_keepalive_interval", "0") == "0"


def test_changes_to_a_peer(end):
    """update_only makes no peer, remove removes, replace_allowed_ips and replace_peers replace."""
    assert end.set("public_key=" + KEY, "update_only=true", "allowed_ip=10.0.0.0/8") == 0
    assert uapi.get(end.name).peers == {}
    assert end.set("public_key=" + KEY, "allowed_ip=10.0.0.0/8", "allowed_ip=10.1.0.0/16") == 0
    assert end.set("public_key=" + KEY, "update_only=true", "allowed_ip=10.2.0.0/16") == 0
    assert len(uapi.get(end.name).peers[KEY]["allowed_ip"]) == 3
    assert end.set("public_key=" + KEY, "replace_allowed_ips=true", "allowed_ip=10.3.0.0/16") == 0
    assert uapi.get(end.name).peers[KEY]["allowed_ip"] == ["10.3.0.0/16"]
    assert end.set("public_key=" + KEY2, "allowed_ip=10.3.0.0/16") == 0  # moves it
    assert uapi.get(end.name).peers[KEY]["allowed_ip"] == []
    assert end.set("public_key=" + KEY, "remove=true") == 0
    assert list(uapi.get(end.name).peers) == [KEY2]
    assert end.set("replace_peers=true", "public_key=" + KEY) == 0
    assert list(uapi.get(end.name).peers) == [KEY]
    assert end.set("public_key=" + KEY, "remove=true") == 0
    assert end.set("public_key=" + KEY, "remove=true") == 0, "what is not there is no error"


@pytest.mark.warren_only
def test_single_prefix_taken_away(end):
    """A minus sign takes one prefix away."""
    assert end.set("public_key=" + KEY, "allowed_ip=10.0.0.0/8", "allowed_ip=10.1.0.0/16") == 0
    assert end.set("public_key=" + KEY, "allowed_ip=-10.0.0.0/8") == 0
    assert uapi.get(end.name).peers[KEY]["allowed_ip"] == ["10.1.0.0/16"]


def test_own_public_key_as_peer(end):
    """A peer that is ourselves is refused or ignored, and never listed."""
    assert end.set("private_key=" + end.private.hex()) == 0
    uapi.request(end.name, "set=1\npublic_key=%s\nallowed_ip=10.0.0.0/8\n\n" % end.public.hex())
    assert uapi.get(end.name).peers == {}
    assert end.set("public_key=" + KEY, "allowed_ip=10.0.0.0/8") == 0
    assert list(uapi.get(end.name).peers) == [KEY]


def test_several_operations_on_one_connection(end):
    """Requests follow one another on one connection, also byte by byte."""
    with uapi.connect(end.name) as s:
        for port in (4001, 4002):
            s.sendall(b"set=1\nlisten_port=%d\n\n" % port)
            assert uapi.read_answer(s) == "errno=0\n\n"
            s.sendall(b"get=1\n\n")
            assert "listen_port=%d\n" % port in uapi.read_answer(s)
        for byte in b"set=1\nlisten_port=4004\n\n":
            s.sendall(bytes([byte]))
        assert uapi.read_answer(s) == "errno=0\n\n"
    assert uapi.get(end.name).interface["listen_port"] == "4004"


@pytest.mark.warren_only
def test_operations_sent_at_once(end):
    """Requests need not wait for the answers before them."""
    with uapi.connect(end.name) as s:
        s.sendall(b"set=1\nlisten_port=4003\n\nget=1\n\nset=1\nfwmark=5\n\n")
        answer = ""
        while answer.count("errno=0\n\n") < 3:
            answer += uapi.read_answer(s)
        assert answer.startswith("errno=0\n\n") and "listen_port=4003\n" in answer
    assert uapi.get(end.name).interface["fwmark"] == "5"


def test_half_closed_connection(end):
    """A client that has finished sending still gets its answer, then the end of the stream."""
    for text, answers in ((b"set=1\nlisten_port=4005\n\n", 1), (b"get=1\n\n", 1),
                          (b"get=1\n\nset=1\nfwmark=6\n\n", 2)):
        with uapi.connect(end.name) as s:
            s.sendall(text)
            s.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := s.recv(1 << 16):
                answer += piece
        assert answer.count(b"errno=0\n\n") in ((1, 2) if tunnel.STAND_IN else (answers,))
    assert uapi.get(end.name).interface["listen_port"] == "4005"
    # a request cut off in its middle changes nothing and hurts nobody
    with uapi.connect(end.name) as s:
        s.sendall(b"set=1\nlisten_port=4006\n")
        s.shutdown(socket.SHUT_WR)
        while s.recv(1 << 16):
            pass
    assert uapi.get(end.name).interface["listen_port"] in ("4005", "4006")


@pytest.mark.warren_only
def test_slow_and_vanishing_clients(end):
    """Clients that connect and say nothing, leave, or do not read, keep nobody else waiting."""
    idle = [uapi.connect(end.name) for _ in range(20)]
    try:
        idle[0].sendall(b"get=1\n\n" * 50)  # never reads
        idle[1].sendall(b"set=1\n")
        assert end.set("listen_port=4010") == 0
    finally:
        for s in idle:
            s.close()
    assert uapi.get(end.name).interface["listen_port"] == "4010"


EPROTO, EINVAL = 71, 22
MALFORMED = {
    "no equals sign": ("listen_port", EPROTO),
    "unknown key": ("colour=blue", (EPROTO, EINVAL)),
    "empty key": ("=1", (EPROTO, EINVAL)),
    "port too large": ("listen_port=65536", EINVAL),
    "port negative": ("listen_port=-1", EINVAL),
    "port with text": ("listen_port=80x", EINVAL),
    "port empty": ("listen_port=", EINVAL),
    "key too short": ("private_key=" + "ab" * 31, EINVAL),
    "key too long": ("private_key=" + "ab" * 33, EINVAL),
    "key not hexadecimal": ("private_key=" + "zz" * 32, EINVAL),
    "mark too large": ("fwmark=4294967296", EINVAL),
    "replace_peers=false": ("replace_peers=false", EINVAL),
    "peer key before a peer": ("allowed_ip=10.0.0.0/8", (EPROTO, EINVAL)),
    "public key too short": ("public_key=" + "ab" * 31, EINVAL),
    "prefix too long": ("public_key=%s\nallowed_ip=10.0.0.0/33" % KEY2, EINVAL),
    "IPv6 prefix too long": ("public_key=%s\nallowed_ip=fd00::/129" % KEY2, EINVAL),
    "no address": ("public_key=%s\nallowed_ip=ten/8" % KEY2, EINVAL),
    "endpoint without port": ("public_key=%s\nendpoint=10.0.0.1" % KEY2, EINVAL),
    "endpoint a name": ("public_key=%s\nendpoint=example.org:1" % KEY2, EINVAL),
    "endpoint IPv6 without brackets": ("public_key=%s\nendpoint=fd00::1:7" % KEY2, EINVAL),
    "endpoint port too large": ("public_key=%s\nendpoint=10.0.0.1:70000" % KEY2, EINVAL),
    "keepalive too large": ("public_key=%s\npersistent_keepalive_interval=65536" % KEY2, EINVAL),
    "remove=false": ("public_key=%s\nremove=false" % KEY2, EINVAL),
    "preshared key short": ("public_key=%s\npreshared_key=00" % KEY2, EINVAL),
    "protocol version": ("public_key=%s\nprotocol_version=2" % KEY2, EINVAL),
}


@pytest.fixture(scope="module")
def shared_end(session_lab):
    """One interface for all cases that must change nothing."""
    end = Tunnel(session_lab, session_lab.namespace("u"), WARREN).start()
    assert end.set("private_key=" + end.private.hex(), "listen_port=4321", "fwmark=3",
                   "public_key=" + KEY, "endpoint=10.1.1.1:1", "allowed_ip=10.1.0.0/16") == 0
    return end


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_set(shared_end, case):
    """A line that is wrong is answered with its errno and changes nothing; the next client is
    fine."""
    lines, errno = MALFORMED[case]
    before = uapi.request(shared_end.name, "get=1\n\n")
    got = abs(shared_end.set(lines))
    if tunnel.STAND_IN:
        assert got != 0 or case in ("port negative",)
        shared_end.set("public_key=" + KEY2, "remove=true")
    else:
        assert got in (errno if isinstance(errno, tuple) else (errno,))
        assert uapi.request(shared_end.name, "get=1\n\n") == before


@pytest.mark.warren_only
def test_malformed_line_after_good_ones(shared_end):
    """All lines are checked before the first is obeyed."""
    before = uapi.request(shared_end.name, "get=1\n\n")
    for bad in ("colour=blue", "allowed_ip=10.0.0.0/99", "listen_port=70000"):
        assert shared_end.set("fwmark=99", "replace_peers=true", "public_key=" + KEY2,
                              "allowed_ip=10.2.0.0/16", bad) != 0
        assert uapi.request(shared_end.name, "get=1\n\n") == before


@pytest.mark.parametrize("garbage", [b"\0" * 100, b"hello\n\n", b"get=2\n\n", b"set=0\n\n", b"\n\n",
                                     b"get=1\nfoo=bar\n\n", b"A" * 300000,
                                     b"set=1\n" + b"x" * 100000 + b"=1\n\n"])
def test_garbage_on_the_socket(shared_end, garbage):
    """Garbage is answered with an error or the end of the connection, and the next client is
    fine."""
    before = uapi.request(shared_end.name, "get=1\n\n")
    with uapi.connect(shared_end.name) as s:
        try:
            s.sendall(garbage)
            s.shutdown(socket.SHUT_WR)
            while s.recv(1 << 16):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert uapi.request(shared_end.name, "get=1\n\n") == before


@pytest.mark.warren_only
def test_stats(shared_end):
    """stats=1 lists every drop counter by name."""
    stats = uapi.stats(shared_end.name)
    assert {"bad_mac1", "replay", "cookie_demanded", "no_route", "congestion"} <= set(stats)
    assert all(value >= 0 for value in stats.values())


def test_configuration_under_fire(end):
    """Four clients that set and get at once see only whole answers, and the last word stands."""
    problems = []

    def client(number):
        try:
            for i in range(40):
                key = noise.public_key(bytes([0, number, i]) + bytes(29)).hex()
                assert end.set("public_key=" + key, "allowed_ip=10.%d.%d.0/24" % (number, i)) == 0
                assert uapi.get(end.name).interface["errno"] == "0"
        except Exception as problem:  # noqa: B902 - reported by the main thread
            problems.append(repr(problem))

    threads = [threading.Thread(target=client, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not problems, problems
    assert len(uapi.get(end.name).peers) == 160


# ---- wg(8) ----


def hexkey(text):
    import base64
    return base64.b64decode(text).hex()


def configuration(private, port, peers):
    text = "[Interface]\nPrivateKey = %s\nListenPort = %d\n" % (noise.b64(private), port)
    for key, allowed, more in peers:
        text += "\n[Peer]\nPublicKey = %s\nAllowedIPs = %s\n%s" % (noise.b64(key), allowed, more)
    return text


def write(lab, name, text):
    path = os.path.join(lab.directory, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
        f.write(text)
    return path


def test_wg_set_and_show(lab, end):
    """wg set and every form of wg show."""
    key = noise.private_key()
    path = write(lab, "key", noise.b64(key) + "\n")
    psk = write(lab, "psk", noise.b64(bytes(range(32))) + "\n")
    peer = noise.b64(noise.public_key(noise.private_key()))
    wg(end, "set", end.name, "private-key", path, "listen-port", "5566", "fwmark", "0x42",
       "peer", peer, "preshared-key", psk, "endpoint", "10.1.2.3:4567",
       "persistent-keepalive", "25", "allowed-ips", "10.8.0.0/16,fd08::/64")
    text = wg(end, "show", end.name).stdout
    for part in ("public key: " + noise.b64(noise.public_key(key)), "listening port: 5566",
                 "fwmark: 0x42", "peer: " + peer, "preshared key: (hidden)",
                 "endpoint: 10.1.2.3:4567", "allowed ips: 10.8.0.0/16, fd08::/64",
                 "persistent keepalive: every 25 seconds"):
        assert part in text, part
    assert end.name in wg(end, "show", "interfaces").stdout.split()
    assert wg(end, "show", end.name, "listen-port").stdout.strip() == "5566"
    assert wg(end, "show", end.name, "fwmark").stdout.strip() == "0x42"
    assert wg(end, "show", end.name, "private-key").stdout.strip() == noise.b64(key)
    assert wg(end, "show", end.name, "peers").stdout.strip() == peer
    assert wg(end, "show", end.name, "endpoints").stdout.split() == [peer, "10.1.2.3:4567"]
    assert wg(end, "show", end.name, "latest-handshakes").stdout.split() == [peer, "0"]
    assert wg(end, "show", end.name, "transfer").stdout.split() == [peer, "0", "0"]
    dump = wg(end, "show", end.name, "dump").stdout.split("\n")
    assert dump[0].split("\t") == [noise.b64(key), noise.b64(noise.public_key(key)), "5566", "0x42"]
    assert dump[1].split("\t") == [peer, noise.b64(bytes(range(32))), "10.1.2.3:4567",
                                   "10.8.0.0/16,fd08::/64", "0", "0", "0", "25"]
    wg(end, "set", end.name, "peer", peer, "persistent-keepalive", "off", "allowed-ips", "",
       "preshared-key", "/dev/null")
    dump = wg(end, "show", end.name, "dump").stdout.split("\n")[1].split("\t")
    assert dump[1] == "(none)" and dump[3] == "(none)" and dump[7] == "off"
    wg(end, "set", end.name, "fwmark", "off", "peer", peer, "remove")
    assert wg(end, "show", end.name, "fwmark").stdout.strip() == "off"
    assert wg(end, "show", end.name, "peers").stdout == ""


def test_wg_files(lab, end):
    """showconf, setconf, addconf and syncconf give and take the same file."""
    keys = [noise.public_key(noise.private_key()) for _ in range(3)]
    private = noise.private_key()
    first = configuration(private, 5001, [
        (keys[0], "10.1.0.0/16, fd01::/64", "Endpoint = 10.9.9.9:99\nPersistentKeepalive = 7\n"),
        (keys[1], "10.2.0.0/16", "PresharedKey = %s\n" % noise.b64(bytes(range(32))))])
    wg(end, "setconf", end.name, write(lab, "first.conf", first))
    shown = wg(end, "showconf", end.name).stdout
    for part in ("PrivateKey = " + noise.b64(private), "ListenPort = 5001",
                 "Endpoint = 10.9.9.9:99", "PersistentKeepalive = 7", "AllowedIPs = 10.2.0.0/16",
                 "PresharedKey = " + noise.b64(bytes(range(32)))):
        assert part in shown, part
    # what showconf prints, setconf accepts, and the result is the same
    wg(end, "setconf", end.name, write(lab, "shown.conf", shown))

    def sections():
        return sorted(wg(end, "showconf", end.name).stdout.strip().split("\n\n"))

    assert sections() == sorted(shown.strip().split("\n\n"))
    # addconf only adds
    third = "[Peer]\nPublicKey = %s\nAllowedIPs = 10.3.0.0/16\n" % noise.b64(keys[2])
    wg(end, "addconf", end.name, write(lab, "add.conf", third))
    assert len(uapi.get(end.name).peers) == 3
    # syncconf removes what is no longer named and changes what differs
    second = configuration(private, 5002,
                           [(keys[0], "10.1.0.0/24", ""), (keys[2], "10.3.0.0/16", "")])
    wg(end, "syncconf", end.name, write(lab, "second.conf", second))
    device = uapi.get(end.name)
    assert set(device.peers) == {keys[0].hex(), keys[2].hex()}
    assert device.peers[keys[0].hex()]["allowed_ip"] == ["10.1.0.0/24"]
    assert device.interface["listen_port"] == "5002"
    # setconf replaces all
    wg(end, "setconf", end.name, write(lab, "third.conf", configuration(private, 5003, [])))
    assert uapi.get(end.name).peers == {}


def test_wg_errors(lab, end):
    """What wg(8) cannot do it says, with an exit code, and the interface stays as it was."""
    before = uapi.request(end.name, "get=1\n\n")
    bad = write(lab, "bad.conf", "[Interface]\nPrivateKey = nonsense\n")
    refused = wg(end, "setconf", end.name, bad, check=False)
    assert refused.code != 0 and refused.stderr.strip()
    taken = end.ns.udp("0.0.0.0", 5999)
    end.ns.ip("link set %s up" % end.name)
    refused = wg(end, "set", end.name, "listen-port", "5999", check=False)
    assert refused.code != 0 and "in use" in refused.stderr, refused.stderr
    taken.close()
    if not tunnel.STAND_IN:
        after = uapi.request(end.name, "get=1\n\n")
        port = re.compile(r"listen_port=\d+\n")
        assert port.sub("", after) == port.sub("", before)
    wg(end, "set", end.name, "listen-port", "5999")
    assert uapi.get(end.name).interface["listen_port"] == "5999"


@pytest.mark.matrix
def test_syncconf_keeps_sessions(lab):
    """syncconf with an unchanged peer does not disturb its session."""
    a, b = topology.two_hosts(lab)
    left = Tunnel(lab, a, WARREN, topology.inner_addresses(0)).start().configure()
    right = Tunnel(lab, b, WARREN, topology.inner_addresses(1)).start().configure()
    right.add_peer(left, allowed=topology.inner_hosts(0))
    left.add_peer(right, "10.99.0.2:51820", topology.inner_hosts(1))
    assert traffic.ping(a, "10.7.0.2") == 1
    shaken = left.handshake_time(right)
    stream = traffic.Stream(lab, a, b, "10.7.0.2", 200)
    conf = wg(left, "showconf", left.name).stdout
    extra = "\n[Peer]\nPublicKey = %s\nAllowedIPs = 10.77.0.0/16\n" % noise.b64(
        noise.public_key(noise.private_key()))
    for text in (conf, conf + extra, conf):
        sent = stream.sent
        wg(left, "syncconf", left.name, write(lab, "sync.conf", text))
        wait.until(lambda: stream.sent > sent + 10, 5, "stream going on")
    assert len(left.get().peers) == 1
    assert stream.finish() == ([], [])
    assert left.handshake_time(right) == shaken


# ---- wg-quick(8) ----


def quick(ns, verb, path, check=True):
    directory = os.path.dirname(tunnel.WARREN_WG)
    env = {"WG_QUICK_USERSPACE_IMPLEMENTATION": os.path.basename(tunnel.WARREN_WG)}
    if directory:
        env["PATH"] = directory + ":" + net.PATH
    return ns.run(["wg-quick", verb, path], env=env, check=check, timeout=30)


@pytest.mark.parametrize("routes", ["own", "all"])
def test_wg_quick(lab, routes):
    """wg-quick up and down at both ends, with routes for one prefix and as default gateway (which
    uses the firewall mark); afterwards nothing is left of it."""
    a, b = topology.two_hosts(lab)
    a.sysctl("net.ipv4.conf.all.src_valid_mark", 0)
    before = {ns: (ns.links(), ns.run(["ip", "rule"]).stdout, ns.run(["ip", "route"]).stdout)
              for ns in (a, b)}
    keys = [noise.private_key() for _ in range(2)]
    names = [net.Names.interface() for _ in range(2)]
    allowed = "0.0.0.0/0, ::/0" if routes == "all" else "10.7.0.0/24, fd07::/64, 10.88.0.0/16"
    paths = [write(lab, names[0] + ".conf", """[Interface]
PrivateKey = %s
Address = 10.7.0.1/24, fd07::1/64
MTU = 1380
[Peer]
PublicKey = %s
Endpoint = 10.99.0.2:51830
AllowedIPs = %s
PersistentKeepalive = 25
""" % (noise.b64(keys[0]), noise.b64(noise.public_key(keys[1])), allowed)),
             write(lab, names[1] + ".conf", """[Interface]
PrivateKey = %s
Address = 10.7.0.2/24, fd07::2/64, 10.88.0.1/32
ListenPort = 51830
PostUp = ip link set %%i alias warren-hook
[Peer]
PublicKey = %s
AllowedIPs = 10.7.0.1/32, fd07::1/128
""" % (noise.b64(keys[1]), noise.b64(noise.public_key(keys[0]))))]
    for ns, path in ((b, paths[1]), (a, paths[0])):
        quick(ns, "up", path)
    assert traffic.ping(a, "10.7.0.2") == 1 and traffic.ping(a, "fd07::2") == 1
    assert traffic.ping(a, "10.88.0.1") == 1, "route through the tunnel"
    assert "mtu 1380" in a.run(["ip", "link", "show", names[0]]).stdout
    assert "warren-hook" in b.run(["ip", "link", "show", names[1]]).stdout
    if routes == "all":
        assert "fwmark" in a.run(["wg", "show", names[0]]).stdout
        assert "dev " + names[0] in a.run(["ip", "route", "get", "172.20.1.1"]).stdout
    again = quick(a, "up", paths[0], check=False)
    assert again.code != 0 and "already exists" in again.stderr
    for ns, path, name in ((a, paths[0], names[0]), (b, paths[1], names[1])):
        quick(ns, "down", path)
        assert not ns.has_link(name)
        wait.until(lambda: not os.path.exists(uapi.path(name)) and not ns.pids(), 5,
                   "end of the daemon of " + name)
        assert (ns.links(), ns.run(["ip", "rule"]).stdout,
                ns.run(["ip", "route"]).stdout) == before[ns]


def test_wg_quick_save_and_strip(lab):
    """wg-quick save writes the live state back, wg-quick strip feeds wg syncconf."""
    a = lab.namespace("a")
    name = net.Names.interface()
    peer = noise.b64(noise.public_key(noise.private_key()))
    path = write(lab, name + ".conf", "[Interface]\nPrivateKey = %s\nAddress = 10.7.0.1/24\n" %
                 noise.b64(noise.private_key()))
    quick(a, "up", path)
    a.run(["wg", "set", name, "peer", peer, "allowed-ips", "10.7.0.9/32"])
    quick(a, "save", path)
    with open(path) as f:
        assert peer in f.read()
    stripped = quick(a, "strip", path).stdout
    assert "Address" not in stripped and peer in stripped
    a.run(["wg", "syncconf", name, write(lab, "stripped.conf", stripped)])
    assert a.run(["wg", "show", name, "peers"]).stdout.strip() == peer
    quick(a, "down", path)
    wait.until(lambda: not a.pids(), 5, "end of the daemon")
