# SPDX-License-Identifier: Apache-2.0
"""One file for NetworkManager and for warren-wg: what wg-quick(8) brings up with our program is
imported unchanged by a real NetworkManager, and what NetworkManager writes is taken by warren-wg
value for value. NetworkManager itself drives only the kernel's WireGuard links, so it is the files
that are compared, parameter by parameter, with the state of the running program.

    n: NetworkManager, with a D-Bus of its own          a: warren-wg by wg-quick or wg set

and, where NetworkManager looks on while warren-wg works,

    a: NetworkManager, warren-wg by wg-quick, 10.7.0.1, fd07::1            b: warren-wg, 10.7.0.2
       u0 10.99.0.1  ------------------------- veth -------------------------  u0 10.99.0.2

NetworkManager is not installed, it would take over the machine's network: its packages are fetched
once with `apt-get download` into the build directory and unpacked there. The daemon sees a private
/run and /var/lib and a root that it cannot write to."""

import base64
import configparser
import glob
import ipaddress
import json
import os
import re
import shutil
import socket
import stat
import subprocess

import pytest

from harness import guest, net, noise, topology, traffic, tunnel, uapi, wait
from harness.guest import Unavailable
from harness.tunnel import Tunnel, WARREN

DAEMON, CLIENT, BUS_DAEMON = "usr/sbin/NetworkManager", "usr/bin/nmcli", "usr/bin/dbus-daemon"
NO_KEY = bytes(32)


# ---- packages ----


def _run(args, cwd=None, env=None):
    # the caller's environment, because apt's proxy may stand there
    return subprocess.run(args, capture_output=True, text=True, check=False, timeout=180, cwd=cwd,
                          stdin=subprocess.DEVNULL,
                          env=dict(os.environ, PATH=net.PATH, LC_ALL="C", **(env or {})))


def wanted_packages(roots):
    """'roots', and the libraries below them that are not installed. What these packages want
    besides (polkit, udev, ...) is not followed: reading and writing files does not need it."""
    text = _run(["apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests",
                 "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances", *roots]).stdout
    below, package = {}, None
    for line in text.splitlines():
        match = re.match(r"[ |]*(?:Pre)?Depends: (lib[^\s:]+)$", line)
        if match and package:
            below[package].append(match.group(1))
        elif not line.startswith((" ", "<")):
            package = line.strip()
            below.setdefault(package, [])
    lines = _run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n"]).stdout
    installed = {line.split()[1] for line in lines.splitlines() if line.startswith("installed ")}
    wanted, queue = set(), list(roots)
    while queue:
        name = queue.pop()
        if name not in below:
            raise Unavailable("apt knows no package %s: run apt-get update" % name)
        if name not in wanted and (name in roots or name not in installed):
            wanted.add(name)
            queue += below[name]
    return sorted(wanted)


class Packages:
    """The unpacked packages: where the programs are and which libraries they need."""

    def __init__(self):
        for program in ("apt-get", "apt-cache", "dpkg", "unshare", "mount", "wg", "wg-quick"):
            if shutil.which(program, path=net.PATH) is None:
                raise Unavailable("%s is not installed: run make deps" % program)
        build = os.path.dirname(os.path.abspath(guest.cache_directory()))
        cache = os.path.join(build, "networkmanager")
        self.root = os.path.join(cache, "root")
        if self.problem() is not None:
            self._fetch(cache)
            problem = self.problem()
            assert problem is None, "packages fetched into %s: %s" % (cache, problem)

    def path(self, program):
        """A program's path; dbus-daemon may be the system's."""
        unpacked = os.path.join(self.root, program)
        if program == BUS_DAEMON and not os.path.exists(unpacked):
            return shutil.which(os.path.basename(program), path=net.PATH)
        return unpacked

    def environment(self, root=None):
        found = glob.glob(self.root + "/usr/lib/*/*.so*") + glob.glob(self.root + "/lib/*/*.so*")
        folders = sorted({os.path.dirname(f)[len(self.root):] for f in found})
        return {"LD_LIBRARY_PATH": ":".join((root or self.root) + f for f in folders)}

    def problem(self):
        """What the programs lack; None if they can be started."""
        for program in (DAEMON, CLIENT, BUS_DAEMON):
            if self.path(program) is None or not os.path.exists(self.path(program)):
                return "no " + program
            listed = _run(["ldd", self.path(program)], env=self.environment())
            missing = re.findall(r"(\S+) => not found", listed.stdout)
            if listed.returncode != 0 or missing:
                return "%s cannot be loaded: %s" % (program, missing or listed.stderr)
        return None

    def _fetch(self, cache):
        work = "%s.%d" % (cache, os.getpid())
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(os.path.join(work, "root"))
        try:
            bus = [] if shutil.which("dbus-daemon", path=net.PATH) else ["dbus-daemon"]
            names = wanted_packages(["network-manager", *bus])
            got = _run(["apt-get", "download", *names], cwd=work)
            files = glob.glob(os.path.join(work, "*.deb"))
            if got.returncode != 0 or len(files) != len(names):
                raise Unavailable("apt-get download %s failed: %s" % (
                    " ".join(names), got.stderr.strip().split("\n")[-1]))
            for file in files:
                if _run(["dpkg", "-x", file, os.path.join(work, "root")]).returncode != 0:
                    raise Unavailable("dpkg -x %s failed" % file)
                os.unlink(file)
            shutil.rmtree(cache, ignore_errors=True)
            os.rename(work, cache)
        finally:
            shutil.rmtree(work, ignore_errors=True)


@pytest.fixture(scope="module")
def packages():
    try:
        return Packages()
    except Unavailable as reason:
        return pytest.skip("no NetworkManager to compare with: %s" % reason)


# ---- the running NetworkManager ----

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <includedir>%s/usr/share/dbus-1/system.d</includedir>
</busconfig>
"""

CONFIG = """[main]
plugins=keyfile
auth-polkit=false
no-auto-default=*
dns=none
rc-manager=unmanaged
systemd-resolved=false
hostname-mode=none
dhcp=internal
[keyfile]
path=/run/here/connections
"""

# $1: the unpacked packages, $2: the instance's directory. The mounts end with the process.
START = """set -e
mount -t tmpfs -o mode=0755 none /run
mkdir /run/packages /run/here
mount --bind "$1" /run/packages
mount --bind "$2" /run/here
mount -t tmpfs -o mode=0755 none /var/lib
mount -t sysfs -o ro none /sys
for f in /dev/rfkill /dev/log; do [ ! -e $f ] || mount --bind /dev/null $f; done
mount -o remount,bind,ro /
exec /run/packages/usr/sbin/NetworkManager --no-daemon --debug --log-level=INFO \
    --config /run/here/NetworkManager.conf --config-dir /run/here/conf.d
"""


class NetworkManager:
    """A NetworkManager in a namespace, with private mounts and a message bus of its own."""

    def __init__(self, lab, ns, packages):
        self.lab, self.packages = lab, packages
        self.directory = os.path.join(lab.directory, "nm-" + ns.name)
        self.connections = os.path.join(self.directory, "connections")
        for path in (self.connections, os.path.join(self.directory, "conf.d")):
            os.makedirs(path)
        bus = os.path.join(self.directory, "bus")
        write(os.path.join(self.directory, "bus.conf"), BUS % (bus, packages.root))
        write(os.path.join(self.directory, "NetworkManager.conf"), CONFIG)
        self.env = dict(packages.environment(), DBUS_SYSTEM_BUS_ADDRESS="unix:path=" + bus)
        daemon = lab.spawn([packages.path(BUS_DAEMON), "--nofork", "--nopidfile",
                            "--config-file=" + os.path.join(self.directory, "bus.conf")],
                           env=packages.environment(), netns=ns)
        wait.until(lambda: self._alive(daemon) and is_listening(bus), 10, "socket of dbus-daemon")
        self.process = lab.spawn(
            ["unshare", "--mount", "--uts", "sh", "-c", START, "sh", packages.root, self.directory],
            netns=ns, label="NetworkManager", env=dict(
                packages.environment("/run/packages"),
                DBUS_SYSTEM_BUS_ADDRESS="unix:path=/run/here/bus"))
        wait.until(lambda: self._alive(self.process) and self._started(), 10, "NetworkManager")

    @staticmethod
    def _alive(process):
        assert process.running(), "%s ended:\n%s" % (process.label, process.log())
        return True

    def _started(self):
        return self.nmcli("-t", "-f", "RUNNING", "general", check=False).stdout == "running\n"

    def nmcli(self, *args, check=True):
        return net.command([self.packages.path(CLIENT), *args], check=check, env=self.env)

    def import_file(self, path):
        """Imports a wg-quick file; returns the connection's UUID and the keyfile written for it."""
        said = self.nmcli("connection", "import", "type", "wireguard", "file", path).stdout
        uuid = re.search(r"\(([0-9a-f-]{36})\) successfully added", said).group(1)
        return uuid, self.keyfile(os.path.basename(path)[:-len(".conf")])

    def keyfile(self, name):
        path = os.path.join(self.connections, name + ".nmconnection")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, "keys are for root alone"
        return Keyfile(path)

    def rewritten(self, name, text, *change):
        """A keyfile as a person wrote it, loaded and written anew by NetworkManager."""
        path = os.path.join(self.connections, name + ".nmconnection")
        write(path, text)
        self.nmcli("connection", "load", "/run/here/connections/" + os.path.basename(path))
        self.nmcli("connection", "modify", name, *change)
        assert read(path) != text
        return self.keyfile(name)

    def device(self, name):
        """(type, state) of an interface as NetworkManager sees it; None if it does not."""
        lines = self.nmcli("-t", "-f", "DEVICE,TYPE,STATE", "device").stdout.splitlines()
        return {line.split(":")[0]: tuple(line.split(":")[1:]) for line in lines}.get(name)


@pytest.fixture
def manager(lab, packages):
    """manager(ns) starts a NetworkManager there."""
    private = _run(["unshare", "--mount", "true"])
    if private.returncode != 0:
        pytest.skip("no NetworkManager to compare with: it needs private mounts (%s); in a chroot, "
                    "bind its directory to itself first" % private.stderr.strip())
    return lambda ns: NetworkManager(lab, ns, packages)


def is_listening(path):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(path) == 0


# ---- descriptions of a tunnel: {parameter: value}, and peers {public key: {parameter: value}} ----


class Keyfile:
    """What a file of NetworkManager says. Texts as they stand there, allowed-ips as a list."""

    def __init__(self, path):
        parser = configparser.RawConfigParser(delimiters="=", comment_prefixes="#")
        parser.optionxform = str
        parser.read(path)
        self.connection = dict(parser["connection"])
        self.wireguard = dict(parser["wireguard"])
        self.peers = {}
        for section in parser.sections():
            if section.startswith("wireguard-peer."):
                peer = self.peers[section[len("wireguard-peer."):]] = dict(parser[section])
                peer["allowed-ips"] = peer["allowed-ips"].rstrip(";").split(";")
        self.addresses = [value for family in ("ipv4", "ipv6")
                          for key, value in parser[family].items() if re.match(r"address\d+$", key)]

    def described(self):
        """The same in the form of running(), and nothing left over."""
        peers = {}
        for key, values in self.peers.items():
            peers[key] = dict(values, **{"allowed-ips": sorted(values["allowed-ips"])})
            flags = peers[key].pop("preshared-key-flags", "0")
            assert flags == "0", "the key itself is in the file"
        return dict(self.wireguard), peers


def running(ns, name):
    """State of the running program, by its socket, and of its interface, in a keyfile's words."""
    device, link = uapi.get(name), link_state(ns, name)
    assert device.interface.pop("errno") == "0"
    interface = {"private-key": noise.b64(bytes.fromhex(device.interface["private_key"])),
                 "listen-port": device.interface["listen_port"],
                 "fwmark": device.interface.get("fwmark", "0"), "mtu": str(link["mtu"])}
    peers = {}
    for key, told in device.peers.items():
        peer = peers[noise.b64(bytes.fromhex(key))] = {"allowed-ips": sorted(told["allowed_ip"])}
        if "endpoint" in told:
            peer["endpoint"] = told["endpoint"]
        if bytes.fromhex(told["preshared_key"]) != NO_KEY:
            peer["preshared-key"] = noise.b64(bytes.fromhex(told["preshared_key"]))
        if told["persistent_keepalive_interval"] != "0":
            peer["persistent-keepalive"] = told["persistent_keepalive_interval"]
    return interface, peers


def shown(ns, name):
    """State of the running program, by `wg showconf`, in a keyfile's words; no MTU there."""
    text = ns.run(["wg", "showconf", name]).stdout
    words = {"PrivateKey": "private-key", "ListenPort": "listen-port", "FwMark": "fwmark",
             "PublicKey": "public-key", "PresharedKey": "preshared-key", "Endpoint": "endpoint",
             "PersistentKeepalive": "persistent-keepalive", "AllowedIPs": "allowed-ips"}
    parts = [dict(line.split(" = ", 1) for line in part.splitlines() if " = " in line)
             for part in re.split(r"^\[(?:Interface|Peer)\]$", text, flags=re.M)[1:]]
    interface, *peers = [{words[key]: value for key, value in part.items()} for part in parts]
    interface["fwmark"] = str(int(interface.get("fwmark", "0"), 0))
    for peer in peers:
        peer["allowed-ips"] = sorted(peer["allowed-ips"].split(", "))
    return interface, {peer.pop("public-key"): peer for peer in peers}


def link_state(ns, name):
    """MTU, flag 'up' and the addresses that somebody has set."""
    (link,) = json.loads(ns.run(["ip", "-j", "addr", "show", "dev", name]).stdout)
    return {"mtu": link["mtu"], "up": "UP" in link["flags"], "addresses": [
        "%s/%d" % (a["local"], a["prefixlen"]) for a in link["addr_info"] if a["scope"] != "link"]}


def assert_same(keyfile, ns, name):
    """Each value of the keyfile is that of the running program, by both its interfaces."""
    interface, peers = keyfile.described()
    live, live_peers = running(ns, name)
    assert interface == live
    assert peers == live_peers
    del live["mtu"]
    assert shown(ns, name) == (live, live_peers)
    assert keyfile.addresses == link_state(ns, name)["addresses"]


# ---- files ----


def write(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
        f.write(text)
    return path


def read(path):
    with open(path) as f:
        return f.read()


def new_key():
    return noise.b64(noise.private_key())


def new_public():
    return noise.b64(noise.public_key(noise.private_key()))


def new_psk():
    return base64.b64encode(os.urandom(32)).decode()


def quick(ns, verb, path):
    program = os.path.basename(tunnel.WARREN_WG)
    folder = os.path.dirname(tunnel.WARREN_WG)
    ns.run(["wg-quick", verb, path], timeout=30, env={
        "WG_QUICK_USERSPACE_IMPLEMENTATION": program,
        "PATH": folder + ":" + net.PATH if folder else net.PATH})


INTERFACE = """[Interface]
# as people write them, with comments
PrivateKey = %s
Address = 10.7.0.1/24, fd07::1/64
ListenPort = 51820
MTU = 1380
FwMark = 0x2a
"""

SEVERAL_PEERS = INTERFACE + """
[Peer]
PublicKey = %s
PresharedKey = %s
Endpoint = 10.99.0.2:51821
AllowedIPs = 10.7.0.2/32, fd07::2/128
PersistentKeepalive = 25

[Peer] # IPv6 outside, several lines of prefixes
PublicKey=%s
PresharedKey=%s
Endpoint=[fd99::2]:51822
AllowedIPs=10.8.0.0/16
AllowedIPs=fd08::/48,10.9.0.0/24

[Peer] # speaks first
PublicKey = %s
AllowedIPs = 10.7.0.3/32
"""

ALL_TRAFFIC = INTERFACE + """
[Peer]
PublicKey = %s
PresharedKey = %s
Endpoint = [fd99::2]:51820
AllowedIPs = 0.0.0.0/0, ::/0
PersistentKeepalive = 15
"""

FILES = {
    "several peers": lambda: SEVERAL_PEERS % (new_key(), new_public(), new_psk(), new_public(),
                                              new_psk(), new_public()),
    "all traffic": lambda: ALL_TRAFFIC % (new_key(), new_public(), new_psk()),
}


@pytest.mark.parametrize("kind", FILES)
def test_one_file_serves_both(lab, manager, kind):
    """wg-quick brings a file up with our program, NetworkManager imports the same file, unchanged:
    each value that NetworkManager writes down is what the running program reports."""
    a, n = lab.namespace("a"), lab.namespace("n")
    name = net.Names.interface()
    text = FILES[kind]()
    path = write(os.path.join(lab.directory, name + ".conf"), text)
    quick(a, "up", path)
    assert len(a.pids()) == 1, "warren-wg serves the interface"
    _, keyfile = manager(n).import_file(path)
    assert keyfile.connection["type"] == "wireguard"
    assert keyfile.connection["interface-name"] == name
    assert set(keyfile.wireguard) == {"private-key", "listen-port", "fwmark", "mtu"}
    assert len(keyfile.peers) == text.count("[Peer]") and len(keyfile.addresses) == 2
    assert_same(keyfile, a, name)
    quick(a, "down", path)
    wait.until(lambda: not a.pids(), 5, "end of the daemon")
    assert read(path) == text


# ---- the other direction ----


def give(lab, end, keyfile):
    """Gives the keyfile's values to a running program as they stand there. Two things have no
    literal form: wg(8) reads keys from files, and takes a list as one argument with commas, the
    entries of which are the keyfile's."""
    secrets = [write(os.path.join(lab.directory, "private-key"), keyfile.wireguard["private-key"])]
    args = ["private-key", secrets[0]]
    for word in ("listen-port", "fwmark"):
        args += [word, keyfile.wireguard[word]]
    for i, (key, values) in enumerate(keyfile.peers.items()):
        args += ["peer", key]
        if "preshared-key" in values:
            secret = os.path.join(lab.directory, "psk%d" % i)
            secrets.append(write(secret, values["preshared-key"]))
            args += ["preshared-key", secret]
        for word in ("endpoint", "persistent-keepalive"):
            if word in values:
                args += [word, values[word]]
        args += ["allowed-ips", ",".join(values["allowed-ips"])]
    end.ns.run(["wg", "set", end.name, *args])
    end.ns.ip("link set %s mtu %s" % (end.name, keyfile.wireguard["mtu"]),
              "link set %s up" % end.name,
              *("addr add %s dev %s" % (address, end.name) for address in keyfile.addresses))


KEYFILE = """[connection]
id=%(name)s
uuid=6c0b2c2e-0e5f-4c3b-9a2d-1f0f2f7a9d01
type=wireguard
interface-name=%(name)s
autoconnect=false

[wireguard]
private-key=%(private)s
listen-port=1
fwmark=%(fwmark)s
mtu=%(mtu)s

[wireguard-peer.%(first)s]
endpoint=10.99.0.2:51821
preshared-key=%(psk)s
preshared-key-flags=0
persistent-keepalive=%(keepalive)s
allowed-ips=%(prefixes)s

[wireguard-peer.%(second)s]
endpoint=[fd99::2]:65535
allowed-ips=10.8.0.0/16;fd08::/48

[wireguard-peer.%(third)s]
allowed-ips=192.168.0.0/16;

[ipv4]
method=manual
address1=10.7.0.1/24
address2=10.71.0.1/32

[ipv6]
method=manual
address1=fd07::1/64
"""


def keyfile_of(lab, nm, port, **values):
    """A keyfile written by NetworkManager, with these values."""
    name = net.Names.interface()
    values.update(name=name, private=new_key(), psk=new_psk(), first=new_public(),
                  second=new_public(), third=new_public())
    return nm.rewritten(name, KEYFILE % values, "wireguard.listen-port", str(port))


@pytest.mark.parametrize("port,fwmark,mtu,keepalive,prefixes", [
    (51820, "42", 1420, 25, "10.7.0.2/32;fd07::2/128;"),
    (1024, "1", 1280, 1, "0.0.0.0/0;"),
    (65535, "0x7fffffff", 9000, 65535, "0.0.0.0/1;128.0.0.0/1;::/0;fd07::/127;"),
], ids=["usual", "least", "most"])
def test_values_of_a_keyfile(lab, manager, port, fwmark, mtu, keepalive, prefixes):
    """The values of a file that NetworkManager wrote, given to our program as they are, are taken
    and read back equal; what `wg showconf` then says, NetworkManager turns into the same file."""
    nm = manager(lab.namespace("n"))
    keyfile = keyfile_of(lab, nm, port, fwmark=fwmark, mtu=mtu, keepalive=keepalive,
                         prefixes=prefixes)
    assert keyfile.wireguard["listen-port"] == str(port)
    assert keyfile.wireguard["fwmark"] == str(int(fwmark, 0)), "NetworkManager writes decimal"
    assert len(keyfile.peers) == 3 and len(keyfile.addresses) == 3
    end = Tunnel(lab, lab.namespace("a"), WARREN).start()
    give(lab, end, keyfile)
    assert_same(keyfile, end.ns, end.name)

    back = write(os.path.join(lab.directory, net.Names.interface() + ".conf"),
                 end.ns.run(["wg", "showconf", end.name]).stdout)
    interface, peers = nm.import_file(back)[1].described()
    assert dict(interface, mtu=str(mtu)) == keyfile.wireguard, "all but the MTU, which wg lacks"
    assert peers == running(end.ns, end.name)[1]


def test_notations_of_a_keyfile(lab, manager):
    """NetworkManager leaves prefixes with host bits and without a length as they were typed; our
    program takes them too and means the same. The greatest mark is beside them because it stands
    in keyfiles, while NetworkManager's import stops at 0x7fffffff."""
    typed = ["10.7.0.9/24", "10.9.1.1", "fd07::9/64", "fd0a::a"]
    keyfile = keyfile_of(lab, manager(lab.namespace("n")), 51820, fwmark="0xffffffff", mtu="1400",
                         keepalive="25", prefixes=";".join(typed))
    (first, *_) = keyfile.peers
    assert keyfile.peers[first]["allowed-ips"] == typed
    end = Tunnel(lab, lab.namespace("a"), WARREN).start()
    give(lab, end, keyfile)
    meant = sorted(str(ipaddress.ip_network(prefix, strict=False)) for prefix in typed)
    assert meant != sorted(typed)
    keyfile.peers[first]["allowed-ips"] = meant
    assert_same(keyfile, end.ns, end.name)


# ---- side by side ----


def test_left_alone_by_networkmanager(lab, manager):
    """In one namespace: NetworkManager sees our interface come, counts it as somebody else's and
    leaves it alone, also when it has imported the very file and is told to bring that up."""
    a, b = topology.two_hosts(lab)
    far = Tunnel(lab, b, WARREN, topology.inner_addresses(1)).start().configure()
    nm = manager(a)
    private = noise.private_key()
    assert far.set("public_key=" + noise.public_key(private).hex(), "replace_allowed_ips=true",
                   *("allowed_ip=" + host for host in topology.inner_hosts(0))) == 0
    name = net.Names.interface()
    text = INTERFACE % noise.b64(private) + """[Peer]
PublicKey = %s
Endpoint = 10.99.0.2:51820
AllowedIPs = 10.7.0.2/32, fd07::2/128
""" % noise.b64(far.public)
    path = write(os.path.join(lab.directory, name + ".conf"), text)
    quick(a, "up", path)
    wait.until(lambda: nm.device(name) == ("tun", "connected (externally)"), 10,
               "NetworkManager knows the interface")

    def state():
        return (running(a, name), link_state(a, name), a.run(["ip", "rule"]).stdout,
                a.run(["ip", "route"]).stdout,
                a.run(["ip", "-6", "route", "show", "dev", name]).stdout)

    before = state()
    assert before[1]["up"] and traffic.ping(a, "10.7.0.2") == 1
    uuid, keyfile = nm.import_file(path)
    assert_same(keyfile, a, name)
    refused = nm.nmcli("connection", "up", "uuid", uuid, check=False)
    # a WireGuard connection of NetworkManager is the kernel's, and the name is taken
    assert refused.code != 0 and "Failed to create WireGuard interface" in refused.stderr
    assert nm.device(name) == ("tun", "connected (externally)")
    assert state() == before
    assert traffic.ping(a, "10.7.0.2") == 1 and traffic.ping(a, "fd07::2") == 1
    quick(a, "down", path)
    wait.until(lambda: not a.has_link(name) and not os.path.exists(uapi.path(name)), 5,
               "end of the interface")
    assert nm.process.running() and read(path) == text
