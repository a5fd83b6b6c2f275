# SPDX-License-Identifier: Apache-2.0
"""VXLAN beside Warren: a VTEP port towards a kernel and towards Open vSwitch, and the classic
arrangement, a kernel's VXLAN whose remote end is an address of a Warren network."""

import os
import shutil

import pytest

from harness import traffic, wait
from harness.ethernet import Clouds, Machine, port_of, reaches, bridge
from harness.topology import two_hosts
from harness.warrend import Network, Node

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.crowd]


def with_vtep(lab):
    """A cloud whose machine is attached by its line, and one whose gateway speaks VXLAN to a host
    of its own, at 10.66.0.2."""
    clouds = Clouds(lab)
    clouds.network()
    a, b = clouds.clouds
    port, machine = a.machine("192.168.50.1")
    a.node.rpc("bridge.attach", network="site", interface=port)
    other = lab.namespace("vx")
    lab.veth(b.ns, "in0", other, "in0")
    b.ns.ip("addr add 10.66.0.1/24 dev in0")
    other.ip("addr add 10.66.0.2/24 dev in0")
    shown = b.node.cli("attach", "site", "--vtep", "10.66.0.1:4789,remote=10.66.0.2:4789,vni=77")
    assert shown.startswith("vtep 10.66.0.1:4789,remote=10.66.0.2:4789,vni=77: attached")
    clouds.settle()
    return clouds, machine, other


def counters(node):
    return next(p["vtep"] for p in bridge(node)["ports"] if p["vtep"])


def test_vtep_to_a_kernel(lab):
    """[L3, L16] The kernel's VXLAN device is on the same Ethernet as a machine of another cloud;
    another VNI and another sender are not."""
    clouds, machine, other = with_vtep(lab)
    other.ip("link add m0 type vxlan id 77 local 10.66.0.2 remote 10.66.0.1 dstport 4789",
             "link set m0 address 02:00:00:00:77:01 up", "addr add 192.168.50.2/24 dev m0")
    far = Machine(lab, other, "02:00:00:00:77:01", "192.168.50.2")
    reaches(machine, far)
    assert far.ping(machine.address, count=5, size=1400) == 5
    traffic.tcp_transfer(lab, machine.ns, other, far.address, size=1 << 20)
    gateway = clouds.clouds[1].node
    before = counters(gateway)
    assert before["frames_in"] > 0 and before["frames_out"] > 0
    sender = other.udp("10.66.0.2", 0)
    sender.sendto(b"\x08\0\0\0\0\0\x4e\0" + bytes(60), ("10.66.0.1", 4789))  # VNI 78
    sender.sendto(b"\0\0\0\0\0\0\x4d\0" + bytes(60), ("10.66.0.1", 4789))    # without the flag
    sender.sendto(b"\x08\0\0\0\0\0\x4d\0" + bytes(5), ("10.66.0.1", 4789))   # no frame
    other.ip("addr add 10.66.0.3/24 dev in0")
    other.udp("10.66.0.3", 0).sendto(b"\x08\0\0\0\0\0\x4d\0" + bytes(60), ("10.66.0.1", 4789))
    wait.until(lambda: counters(gateway)["refused"].get("vni") == 1
               and counters(gateway)["refused"].get("head") == 2
               and counters(gateway)["refused"].get("sender") == 1, 5, "all are refused")
    gateway.restart()  # what is attached is attached again
    reaches(machine, far, 30)
    gateway.cli("detach", "site", "--vtep", "10.66.0.1:4789")
    assert bridge(gateway)["ports"] == []


def test_vtep_to_open_vswitch(lab):
    """[L3, L16] The same with an Open vSwitch in user space."""
    if shutil.which("ovs-vswitchd") is None:
        pytest.skip("Open vSwitch is not installed")
    clouds, machine, other = with_vtep(lab)
    folder = os.path.join(lab.directory, "ovs")
    os.mkdir(folder)
    env = {"OVS_RUNDIR": folder, "OVS_LOGDIR": folder, "OVS_DBDIR": folder}
    sock = "unix:%s/db.sock" % folder

    def vsctl(*args):
        return other.run(["ovs-vsctl", "--db=" + sock, "--timeout=10", *args], env=env)

    other.run(["ovsdb-tool", "create", folder + "/conf.db",
               "/usr/share/openvswitch/vswitch.ovsschema"], env=env)
    other.spawn(["ovsdb-server", folder + "/conf.db", "--remote=p" + sock,
                 "--unixctl=%s/o.ctl" % folder, "--log-file=%s/o.log" % folder], env=env)
    wait.until(lambda: os.path.exists(folder + "/db.sock"), 10, "the data base of Open vSwitch")
    vsctl("--no-wait", "init")
    other.spawn(["ovs-vswitchd", sock, "--unixctl=%s/v.ctl" % folder,
                 "--log-file=%s/v.log" % folder], env=env)
    vsctl("add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev",
          "--", "add-port", "br-phy", "in0")
    other.ip("addr flush dev in0", "addr add 10.66.0.2/24 dev br-phy", "link set br-phy up")
    inner = lab.namespace("mv")
    lab.veth(other, "p1", inner, "m0")
    inner.ip("addr add 192.168.50.2/24 dev m0")
    inner.run(["ethtool", "-K", "m0", "tx", "off"])
    vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev",
          "--", "add-port", "br0", "p1", "--", "add-port", "br0", "vx0", "--", "set", "interface",
          "vx0", "type=vxlan", "options:remote_ip=10.66.0.1", "options:key=77")
    far = Machine(lab, inner, "", "192.168.50.2")
    reaches(machine, far, 30)
    assert far.ping(machine.address, count=5, size=1000) == 5
    assert machine.ping(far.address, count=5) == 5


def test_a_kernels_vxlan_over_a_network_of_layer_3(lab):
    """[L3, L4, L19] VXLAN between two Warren addresses: the largest ping that is not fragmented
    is what docs/layer2.md says, and a byte more is not."""
    ends = two_hosts(lab)
    nodes = [Node(lab, ns, name).start() for ns, name in zip(ends, "ab")]
    Network(nodes[0], "lab").join(nodes[1]).settle()
    addresses = [node.address("lab") for node in nodes]
    mtu = min(node.network("lab")["mtu"] for node in nodes)
    for i, node in enumerate(nodes):
        node.ns.ip("link add vx type vxlan id 9 local %s remote %s dstport 4789"
                   % (addresses[i], addresses[1 - i]),
                   "link set vx mtu %d up" % (mtu - 50), "addr add 10.9.0.%d/24 dev vx" % (i + 1))
    traffic.reachable(ends[0], "10.9.0.2", 20)
    largest = mtu - 50 - 28
    assert traffic.ping(ends[0], "10.9.0.2", size=largest, dont_fragment=True) == 1
    assert traffic.ping(ends[0], "10.9.0.2", size=largest + 1, dont_fragment=True, wait_s=0.5) == 0
    traffic.tcp_transfer(lab, ends[0], ends[1], "10.9.0.2", size=1 << 20)


def test_plain_vxlan_is_smaller(lab):
    """[L19] What the set-ups of before had: over a wire of 1,500 bytes a ping of 1,422 bytes passes
    VXLAN and one of 1,423 does not; a network of layer 2 passes 1,472."""
    a, b = two_hosts(lab)
    for i, ns in enumerate((a, b)):
        ns.ip("link add vx type vxlan id 9 remote 10.99.0.%d dstport 4789 dev u0" % (2 - i),
              "link set vx up", "addr add 10.9.0.%d/24 dev vx" % (i + 1))
    traffic.reachable(a, "10.9.0.2")
    assert traffic.ping(a, "10.9.0.2", size=1422, dont_fragment=True) == 1
    assert traffic.ping(a, "10.9.0.2", size=1423, dont_fragment=True, wait_s=0.5) == 0
