# SPDX-License-Identifier: Apache-2.0
"""Clouds that a network of layer 2 joins: machines that know nothing of Warren, a gateway with a
line to each of them, and a box between the gateway and the internet.

    machine m0 ------- eth1 gateway u0 ------- box ------- internet ------- box ... another cloud
    machine m0 ------- eth2         (one machine on each of the gateway's lines)
"""

import socket
import struct
import time

from harness import traffic, wait
from harness.internet import Internet
from harness.warrend import Network, Node

EVERYBODY = "ff:ff:ff:ff:ff:ff"
OURS = 0x88B6  # "local experimental ethertype 2", IEEE 802; the loop guard has 1
ETH_P_ALL = 3
PACKET_OUTGOING = 4
SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 263, 8, 0x10


def mac_bytes(text):
    return bytes(int(part, 16) for part in text.split(":"))


def frame(target, source, ethertype, payload=b"", vlan=None):
    """An Ethernet frame without its check sequence."""
    tag = b"" if vlan is None else struct.pack(">HH", 0x8100, vlan)
    body = mac_bytes(target) + mac_bytes(source) + tag + struct.pack(">H", ethertype) + payload
    return body.ljust(60, b"\0")


class Machine:
    """A machine with one Ethernet interface, m0."""

    def __init__(self, lab, ns, mac, address=None):
        self.lab, self.ns, self.mac, self.address = lab, ns, mac, address
        self.raw = None

    def __repr__(self):
        return self.address or self.mac

    def listen(self):
        """A raw socket that hears all frames from now on, tags included."""
        self.raw = self.ns.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.raw.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.raw.bind(("m0", ETH_P_ALL))
        return self

    def send(self, target=EVERYBODY, ethertype=OURS, payload=b"", vlan=None, source=None):
        with_socket = self.raw or self.listen().raw
        with_socket.send(frame(target, source or self.mac, ethertype, payload, vlan))

    def heard(self, seconds):
        """All frames that came within so long, as bytes with their tags put back."""
        end, frames = time.monotonic() + seconds, []
        while (left := end - time.monotonic()) > 0:
            got = self.receive(left)
            if got is not None:
                frames.append(got)
        return frames

    def receive(self, seconds):
        """The next frame that came from outside, None if none did."""
        self.raw.settimeout(seconds)
        try:
            data, notes, _, source = self.raw.recvmsg(20000, 256)
        except (socket.timeout, BlockingIOError):
            return None
        if source[2] == PACKET_OUTGOING:
            return b""
        for level, kind, value in notes:  # the kernel keeps a tag apart: struct tpacket_auxdata
            is_aux = level == SOL_PACKET and kind == PACKET_AUXDATA
            if is_aux and struct.unpack_from("=I", value)[0] & TP_STATUS_VLAN_VALID:
                tag = struct.unpack_from("=H", value, 16)[0]
                data = data[:12] + struct.pack(">HH", 0x8100, tag) + data[12:]
        return data

    def wait_for(self, payload, seconds=10):
        """The first frame with these bytes in it."""
        end = wait.deadline(seconds)
        while wait.left(end) > 0:
            got = self.receive(wait.left(end))
            if got and payload in got:
                return got
        raise AssertionError("%r has not heard %r" % (self, payload))

    def count(self, payload, last):
        """How often a payload came before 'last', which was sent behind all of it, did."""
        found, end = 0, wait.deadline(10)
        while wait.left(end) > 0:
            got = self.receive(wait.left(end))
            if got and last in got:
                return found
            found += bool(got and payload in got)
        raise AssertionError("%r has not heard %r" % (self, last))

    def ping(self, address, **more):
        return traffic.ping(self.ns, address, **more)


class Cloud:
    """A gateway behind a box, and what it has lines to."""

    def __init__(self, internet, kind, number):
        self.lab, self.number = internet.lab, number
        self.host = internet.home(kind, "g%d" % number)
        self.ns = self.host.ns
        self.node = Node(self.lab, self.ns, "g%d" % number)
        self.lines = 0

    def machine(self, address=None, ns=None):
        """A machine on a line of its own: eth1 of the gateway, eth2 …; its port's name with it."""
        self.lines += 1
        port = "eth%d" % self.lines
        ns = ns or self.lab.namespace("m%d" % self.number)
        mac = "02:00:00:%02x:%02x:01" % (self.number, self.lines)
        self.lab.veth(self.ns, port, ns, "m0")
        ns.ip("link set m0 address " + mac)
        if address:
            ns.ip("addr add %s/24 dev m0" % address)
        return port, Machine(self.lab, ns, mac, address)


class Clouds:
    """Several clouds and one network between their gateways; the first gateway owns it."""

    KINDS = ("linux", "cone", "port", "linux")

    def __init__(self, lab, count=2, name="site"):
        self.lab, self.name = lab, name
        self.internet = Internet(lab)
        self.clouds = [Cloud(self.internet, self.KINDS[i % 4], i + 1) for i in range(count)]
        # somebody has to be reachable by those who join: he is no gateway
        self.owner = Node(lab, self.internet.public("o").ns, "o").start()
        for cloud in self.clouds:
            cloud.node.start()
        self.networks = {}

    def network(self, name=None, **params):
        """Makes a network that all gateways are in."""
        name = name or self.name
        network = Network(self.owner, name, kind="l2", **params)
        network.join(*[cloud.node for cloud in self.clouds])
        self.networks[name] = network
        return network

    def attach(self, addresses, name=None):
        """A machine in each cloud, attached to the network."""
        machines = []
        for cloud, address in zip(self.clouds, addresses):
            port, machine = cloud.machine(address)
            cloud.node.rpc("bridge.attach", network=name or self.name, interface=port)
            machines.append(machine)
        return machines

    def settle(self, name=None, nodes=None):
        """Waits until all gateways have a port to each other in the switch."""
        nodes = nodes or [cloud.node for cloud in self.clouds]
        for node in nodes:
            node.wait(lambda n: len(bridge(n, name or self.name)["members"]) >= len(nodes), 30,
                      "has a port to every member")
        return self


def bridge(node, name="site"):
    """What `warren bridge show` says."""
    return node.rpc("bridge.show", network=name)["bridges"][0]


def port_of(node, interface, name="site"):
    return next((p for p in bridge(node, name)["ports"] if p["interface"] == interface), None)


def reaches(one, other, seconds=20):
    """Waits until a ping comes through."""
    wait.until(lambda: one.ping(other.address, wait_s=1), seconds,
               "ping from %r to %r answered" % (one, other))
