# SPDX-License-Identifier: Apache-2.0
"""What joined clouds at layer 2 before: VXLAN, of the kernel's or of Open vSwitch in user space,
over OpenVPN or over the wireguard-go of the distribution. All of them, and Warren, between the same
two gateways at the same time, with a pair of machines each.

    machine ---- gateway ------- a wire of 1,500 bytes ------- gateway ---- machine
    machine ---- switch host ---- gateway ... (Open vSwitch: it does not send by a tunnel's device)
"""

import os
import shutil

import members
from harness import topology, traffic, wait
from harness.warrend import Network, Node

WARREN = "Warren"
VPN_MTU = 1420  # of both tunnels: what is larger would be fragmented underneath
INNER_MTU = VPN_MTU - 50
DEVICES = ("rv%da", "rv%db")  # wireguard-go's sockets are all in one folder
PROGRAMS = {"OpenVPN": "openvpn", "wireguard-go": "wireguard-go"}


def ways():
    """Names of what can be measured here, Warren first."""
    found = [WARREN]
    for vpn, program in PROGRAMS.items():
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin"):
            found.append("kernel VXLAN over " + vpn)
            if shutil.which("ovs-vswitchd", path="/usr/sbin:/usr/bin:/sbin:/bin"):
                found.append("Open vSwitch VXLAN over " + vpn)
    return found


class Rivals(members.Throughput):
    """hosts[0] and hosts[1] of a way are its machines."""

    def __init__(self, lab):
        self.lab, self.gateways = lab, topology.two_hosts(lab)
        self.ways, self.machines = ways(), {}
        self.daemons, self.addresses, self.lines = {}, {}, 0
        for ns in self.gateways:
            ns.sysctl("net.ipv4.ip_forward", 1)
        self._warren()
        for number, vpn in enumerate(PROGRAMS):
            names = [way for way in self.ways if way.endswith(" over " + vpn)]
            if names:
                processes = (self._openvpn if vpn == "OpenVPN" else self._wireguard)(number)
                for way in names:
                    make = self._kernel if way.startswith("kernel") else self._ovs
                    make(way, number, processes)
        for way in self.ways:
            traffic.reachable(self.machines[way][0], self.addresses[way], 60)

    def measure(self, way, seconds):
        self.hosts = self.machines[way]
        return super().measure(way, seconds)

    # ---- machines ----

    def _machines(self, way, spaces, mtu=1500):
        """A machine on a line to each of the two namespaces; returns the lines' names there."""
        self.lines += 1
        machines, line = [], "l%d" % self.lines
        for side, ns in enumerate(spaces):
            machine = self.lab.namespace("m%d" % self.lines)
            self.lab.veth(ns, line, machine, "m0")
            machine.ip("addr add 10.92.%d.%d/24 dev m0" % (self.lines, side + 1),
                       "link set m0 mtu %d" % mtu)
            machines.append(machine)
        self.machines[way], self.addresses[way] = machines, "10.92.%d.2" % self.lines
        return line

    # ---- Warren ----

    def _warren(self):
        nodes = [Node(self.lab, ns, name).start() for ns, name in zip(self.gateways, ("a", "b"))]
        Network(nodes[0], "site", kind="l2").join(nodes[1])
        line = self._machines(WARREN, self.gateways)
        for node in nodes:
            node.wait(lambda n: n.is_in("site", has_address=False), members.STATE_S, "site")
            node.rpc("bridge.attach", network="site", interface=line)
        traffic.reachable(self.machines[WARREN][0], self.addresses[WARREN], 60)
        wait.until(lambda: traffic.ping(self.machines[WARREN][0], self.addresses[WARREN]) and
                   nodes[0].path(nodes[1], "site") == "direct", members.STATE_S, "direct path")
        self.daemons[WARREN] = [n.process for n in nodes]

    # ---- tunnels: 10.93.N.1 and .2 ----

    def _wireguard(self, number):
        processes, keys = [], []
        for side, ns in enumerate(self.gateways):
            processes.append(ns.spawn(["wireguard-go", "-f", DEVICES[side] % number],
                                      label="wireguard-go"))
            private = ns.run(["wg", "genkey"]).stdout
            keys.append((private, ns.run(["wg", "pubkey"], stdin=private).stdout.strip()))
        for side, ns in enumerate(self.gateways):
            path = os.path.join(self.lab.directory, "rv%d" % side)
            with open(path, "w", opener=lambda p, f: os.open(p, f, 0o600)) as stream:
                stream.write(keys[side][0])
            wait.until(lambda ns=ns, side=side: ns.has_link(DEVICES[side] % number), 10,
                       "wireguard-go's interface")
            wait.until(lambda ns=ns, path=path, side=side: ns.run(
                ["wg", "set", DEVICES[side] % number, "private-key", path, "listen-port", "51990",
                 "peer", keys[1 - side][1], "allowed-ips", "10.93.0.0/16,10.94.0.0/16", "endpoint",
                 topology.UNDERLAY[4][1 - side] + ":51990"], check=False).code == 0, 10,
                       "wireguard-go's socket")
            self._address(ns, number, side)
        return processes

    def _openvpn(self, number):
        """As its manual has it for two ends: certificates known by their fingerprints, TLS 1.3,
        AES-256-GCM."""
        prints, processes = [], []
        for side, ns in enumerate(self.gateways):
            base = os.path.join(self.lab.directory, "ov%d" % side)
            ns.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:secp384r1", "-nodes", "-days", "2", "-subj",
                    "/CN=end%d" % side, "-keyout", base + ".key", "-out", base + ".crt"])
            text = ns.run(["openssl", "x509", "-in", base + ".crt", "-noout", "-fingerprint",
                           "-sha256"]).stdout
            prints.append(text.strip().split("=", 1)[1])
        for side, ns in enumerate(self.gateways):
            base = os.path.join(self.lab.directory, "ov%d" % side)
            role = ["--tls-server", "--dh", "none"] if side == 0 else ["--tls-client"]
            processes.append(ns.spawn(
                ["openvpn", "--dev", DEVICES[side] % number, "--dev-type", "tun", "--proto", "udp",
                 "--port", "51991", "--remote", topology.UNDERLAY[4][1 - side], "51991", "--cert",
                 base + ".crt", "--key", base + ".key", "--peer-fingerprint", prints[1 - side],
                 "--data-ciphers", "AES-256-GCM", "--tun-mtu", str(VPN_MTU), "--mssfix", "0",
                 "--sndbuf", "4194304", "--rcvbuf", "4194304", "--txqueuelen", "1000",
                 "--keepalive", "10", "60", *role], label="openvpn"))
        for side, ns in enumerate(self.gateways):
            wait.until(lambda ns=ns, side=side: ns.has_link(DEVICES[side] % number), 10,
                       "OpenVPN's interface")
            self._address(ns, number, side)
        return processes

    @staticmethod
    def _address(ns, number, side):
        device = DEVICES[side] % number
        ns.ip("link set %s mtu %d up" % (device, VPN_MTU),
              "addr replace 10.93.%d.%d/24 dev %s" % (number, side + 1, device),
              # the other side's switch host
              "route replace 10.94.%d.0/30 via 10.93.%d.%d dev %s" % (
                  2 * number + 1 - side, number, 2 - side, device))

    # ---- VXLAN ----

    def _kernel(self, way, number, processes):
        line = self._machines(way, self.gateways, INNER_MTU)
        for side, ns in enumerate(self.gateways):
            ns.ip("link add vx%d type vxlan id %d local 10.93.%d.%d remote 10.93.%d.%d dstport %d"
                  % (number, 80 + number, number, side + 1, number, 2 - side, 4800 + number),
                  "link add br%d type bridge forward_delay 0 mcast_snooping 0" % number,
                  "link set vx%d mtu %d master br%d up" % (number, INNER_MTU, number),
                  "link set %s master br%d" % (line, number), "link set br%d up" % number)
        self.daemons[way] = processes

    def _ovs(self, way, number, processes):
        hosts, sides = [], []
        for side, gateway in enumerate(self.gateways):
            host = self.lab.namespace("s%d" % number)
            self.lab.veth(gateway, "sw%d" % number, host, "wan")
            gateway.ip("addr add 10.94.%d.1/30 dev sw%d" % (2 * number + side, number))
            hosts.append(host)
        line = self._machines(way, hosts, INNER_MTU)
        for side, host in enumerate(hosts):
            self.machines[way][side].run(["ethtool", "-K", "m0", "tx", "off"])
            sides.append(self._vswitch(host, "ovs%d-%d" % (number, side), line,
                                       "10.94.%d.%d", (2 * number + side, 2 * number + 1 - side)))
        self.daemons[way] = processes + sides

    def _vswitch(self, host, folder, line, form, numbers):
        """An Open vSwitch with a port for the machine and one for VXLAN; what switches."""
        folder = os.path.join(self.lab.directory, folder)
        os.mkdir(folder)
        env = {"OVS_RUNDIR": folder, "OVS_LOGDIR": folder, "OVS_DBDIR": folder}
        sock = "unix:%s/db.sock" % folder

        def vsctl(*args):
            return host.run(["ovs-vsctl", "--db=" + sock, "--timeout=10", *args], env=env)

        host.run(["ovsdb-tool", "create", folder + "/conf.db",
                  "/usr/share/openvswitch/vswitch.ovsschema"], env=env)
        host.spawn(["ovsdb-server", folder + "/conf.db", "--remote=p" + sock,
                    "--unixctl=%s/o.ctl" % folder, "--log-file=%s/o.log" % folder], env=env)
        wait.until(lambda: os.path.exists(folder + "/db.sock"), 10, "Open vSwitch's data base")
        vsctl("--no-wait", "init")
        switch = host.spawn(["ovs-vswitchd", sock, "--unixctl=%s/v.ctl" % folder,
                             "--log-file=%s/v.log" % folder], env=env)
        vsctl("add-br", "phy", "--", "set", "bridge", "phy", "datapath_type=netdev",
              "--", "add-port", "phy", "wan")
        host.ip("addr add %s/30 dev phy" % (form % (numbers[0], 2)), "link set phy up",
                "route add default via %s" % (form % (numbers[0], 1)))
        vsctl("add-br", "lan", "--", "set", "bridge", "lan", "datapath_type=netdev",
              "--", "add-port", "lan", line, "--", "add-port", "lan", "vx", "--", "set",
              "interface", "vx", "type=vxlan", "options:key=77",
              "options:remote_ip=" + form % (numbers[1], 2))
        return switch
