# SPDX-License-Identifier: Apache-2.0
"""What bench/networks measures of running daemons in networks. Each figure gets namespaces of its
own; all waiting is bounded. Built on what the end-to-end tests build on, tests/e2e/harness."""

import json
import os
import re
import resource
import socket
import statistics
import struct
import threading
import time

import lab as bench
from harness import net, topology, traffic, wait
from harness.internet import Internet
from harness.tunnel import Tunnel, endpoint
from harness.warrend import WARREN, Network, Node, all_pairs

# Half of the nodes have a public address, half of them a NAT of the four usual kinds.
KINDS = ["public", "public", "linux", "port", "public", "public", "cone", "symmetric"]
STATE_S, STEP_S = 60, 0.05
TCP_PORT = 4003


def crowd(lab, count, kinds=KINDS):
    """A network of so many nodes, each on a line of its own; all have an address."""
    internet = Internet(lab)
    nodes = []
    for number in range(count):
        name = "n%d" % number
        nodes.append(Node(lab, internet.home(kinds[number % len(kinds)], name).ns, name))
        nodes[-1].start(is_waiting=False)
    for node in nodes:
        node.ready()
    return Network(nodes[0]).join(*nodes[1:]).settle(STATE_S)


def spread(values, digits=2):
    return {"median": round(statistics.median(values), digits), "min": round(min(values), digits),
            "max": round(max(values), digits), "count": len(values)}


# ---- to the first ping ----

class Person:
    """Somebody at a machine, who types `warren` and nothing else."""

    def __init__(self, lab, ns, name):
        self.node = Node(lab, ns, name)
        self.commands = []

    def types(self, *args):
        self.commands.append("warren " + " ".join(a[:9] + "..." if len(a) > 60 else a
                                                  for a in args))
        return self.node.ns.run([WARREN, *args], env={"WARREN_SOCKET": self.node.socket_path},
                                timeout=STATE_S).stdout

    def up(self):
        os.makedirs(self.node.state, exist_ok=True)
        # These tell one machine of this host from another, and keep what runs away from routers.
        config = os.path.join(self.node.folder, "conf")
        with open(config, "w") as stream:
            stream.write("user = nobody\nmap-ports = no\ntell-resolver = no\n")
        self.types("up", "--state", self.node.state, "--config", config)
        self.commands[-1] = "warren up"

    def down(self):
        try:
            pid = self.node.rpc("status")["pid"]
        except OSError:
            return
        self.node.rpc("shutdown")
        wait.until(lambda: net.reap(pid) or not os.path.exists("/proc/%d" % pid), 25,
                   "end of the daemon of " + self.node.name)


def first_ping(lab, is_behind_nats):
    """What people type on two machines, and the seconds from the first letter (theirs take none) to
    the first answered ping: of all, and from the joining machine's first command. Behind NATs a
    third machine, public, owns the network."""
    if is_behind_nats:
        internet = Internet(lab)
        spaces = [internet.home(kind, name).ns
                  for kind, name in (("public", "hub"), ("linux", "alice"), ("port", "bob"))]
    else:
        spaces = topology.two_hosts(lab)
    people = [Person(lab, ns, name) for ns, name in zip(spaces, ("owner", "alice", "bob"))]
    try:
        return _first_ping(people)
    finally:
        for person in people:
            person.down()


def _first_ping(people):
    owner, last = people[0], people[-1]
    begun = time.monotonic()
    owner.up()
    owner.types("network", "create", "lab")
    for person in people[1:]:
        line = re.search(r"warren:1:\S+", owner.types("invite", "lab")).group(0)
        joining = time.monotonic()
        person.up()
        person.types("join", line)
    target = people[-2].node  # the owner on a LAN, alice behind the other NAT
    address = wait.until(target.address, 30, "an address of " + target.name, STEP_S)
    wait.until(last.node.address, 30, "an address of " + last.node.name, STEP_S)
    pinged = _answered(last.node.ns, address)
    wait.until(lambda: traffic.ping(last.node.ns, address, wait_s=1)
               and last.node.path(target) == "direct", 30, "a direct path", STEP_S)
    return {"all_s": pinged - begun, "joiner_s": pinged - joining,
            "direct_s": time.monotonic() - joining, "commands_owner": len(owner.commands),
            "commands_joiner": len(last.commands), "commands": {
                p.node.name: p.commands for p in people}}


def _answered(ns, address):
    """When the first of the echo requests was answered that are sent 50 a second from now on."""
    source = ns.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    source.settimeout(0.02)
    for number in range(30 * 50):
        try:
            source.sendto(struct.pack(">BBHHH", 8, 0, 0, 0, number) + b"first ping", (address, 0))
            if source.recv(2048)[:1] == b"\0":
                source.close()
                return time.monotonic()
        except OSError:
            time.sleep(0.001)  # no route yet, or no answer yet
    raise bench.BenchError("%s was not reached in 30 s" % address)


# ---- revocation ----

def revoke(lab, count):
    """Seconds from `member.revoke` until the last of the others has no entry of the member, and
    until the last of its packets was accepted. It sends to each of them 50 a second meanwhile."""
    network = crowd(lab, count)
    victim, others = network.nodes[count // 2], [n for i, n in enumerate(network.nodes)
                                                if i != count // 2]
    all_pairs(others + [victim], lambda a, b: victim not in (a, b)
              or traffic.reachable(a.ns, b.address(), 30))
    hit, end = victim.hit, threading.Event()
    sinks = {n: n.ns.udp(n.address(), 4004) for n in others}
    latest = {}

    def hear(node):
        sinks[node].settimeout(0.2)
        while not end.is_set():
            try:
                sinks[node].recv(64)
                latest[node] = time.monotonic()
            except OSError:
                pass

    def send():
        source = victim.ns.udp()
        targets = [(n.address(), 4004) for n in others]
        while not end.is_set():
            for target in targets:
                try:
                    source.sendto(b"still here", target)
                except OSError:
                    pass
            end.wait(0.02)

    threads = [lab.thread(hear, n) for n in others] + [lab.thread(send)]
    wait.until(lambda: len(latest) == len(others), 30, "packets of the member at all others")
    revoked = time.monotonic()
    network.revoke(victim)
    answered = time.monotonic() - revoked
    gone = {}
    wait.until(lambda: _note_gone(others, hit, gone), 60, "all have forgotten the member", 0.01)
    wait.until(lambda: time.monotonic() > max(latest.values()) + 3, 60, "no more packets come", 0.1)
    end.set()
    for thread in threads:
        thread.join()
    return {"answered_s": answered, "entries_s": spread([t - revoked for t in gone.values()], 3),
            "packets_s": spread([max(0, t - revoked) for t in latest.values()], 3)}


def _note_gone(nodes, hit, gone):
    for node in nodes:
        if node not in gone and all(p["hit"] != hit for p in node.network()["peers"]):
            gone[node] = time.monotonic()
    return len(gone) == len(nodes)


# ---- memory ----

def memory(lab, peers, settle_s):
    """Resident memory of each daemon of a network in which each has exactly so many peers, all of
    them connected and pinged (0: alone in its network): at once, and some time later."""
    network = crowd(lab, peers + 1, ["public"]) if peers else _alone(lab)
    if peers:
        all_pairs(network.nodes, lambda a, b: traffic.reachable(a.ns, b.address(), 30))
        wait.until(lambda: all(_connected(n) == peers for n in network.nodes), STATE_S,
                   "exactly %d connected peers of each node" % peers, 0.2)
    at_once = _all_maps(network)
    time.sleep(settle_s)
    if peers:
        wait.until(lambda: all(_connected(n) == peers for n in network.nodes), STATE_S,
                   "exactly %d connected peers of each node" % peers, 0.2)
    return {"at_once": at_once, "settled": _all_maps(network), "settled_s": settle_s}


def _all_maps(network):
    found = [_maps(node.process.pid) for node in network.nodes]
    return {key: spread([f[key] / 1024 for f in found]) for key in found[0]}


def _alone(lab):
    node = Node(lab, lab.namespace("alone"), "alone").start()
    network = Network(node)
    wait.until(node.address, 30, "an address of its own", STEP_S)
    return network


def _connected(node):
    peers = node.network()["peers"]
    return len(peers) if all(p["path"] in ("direct", "relayed") for p in peers) else -1


def _maps(pid):
    """KiB: all that is resident, and what of it belongs to this process alone."""
    with open("/proc/%d/smaps_rollup" % pid) as maps:
        kib = dict(re.findall(r"^(\w+):\s+(\d+) kB", maps.read(), re.M))
    return {"resident_mib": int(kib["Rss"]), "private_mib": int(kib["Private_Dirty"])}


# ---- idle traffic ----

def idle(lab, count, settle_s, seconds):
    """Bytes a second that each node's line carries, headers of Ethernet and all, while nobody sends
    anything, some time after the last has its address."""
    network = crowd(lab, count)
    time.sleep(settle_s)
    before, begun = [_line(n.ns) for n in network.nodes], time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - begun
    rates = [[(b - a) / passed for a, b in zip(one, other)]
             for one, other in zip(before, (_line(n.ns) for n in network.nodes))]
    told = [n.network() for n in network.nodes]
    return {"seconds": round(passed), "settled_s": settle_s,
            "in_bytes_s": spread([r[0] for r in rates], 0),
            "out_bytes_s": spread([r[1] for r in rates], 0),
            "both_bytes_s": spread([sum(r) for r in rates], 0),
            "nodes": [{"name": n.name, "kind": KINDS[i % len(KINDS)], "in": round(r[0]),
                       "out": round(r[1]), "links": t["links"], "peers": t["peer_count"]}
                      for i, (n, r, t) in enumerate(zip(network.nodes, rates, told))]}


def _line(ns):
    """Bytes received and sent by a host's line so far."""
    with ns.entered(), open("/proc/thread-self/net/dev") as table:
        line = next(line for line in table if line.strip().startswith("u0:"))
    fields = line.split(":")[1].split()
    return int(fields[0]), int(fields[8])


# ---- throughput ----

WAYS = ("members", "members-chacha", "bare", "bare-1356")


class Throughput:
    """Two hosts with a wire between them, and on it: a network of both as it comes (AES-256-GCM if
    the processor is fast at it), one with the stock cipher, a bare tunnel as it comes (MTU 1420,
    stock cipher), and one with the MTU of the network's interface. All are up all the time."""

    def __init__(self, lab):
        self.lab, self.hosts = lab, topology.two_hosts(lab)
        self.daemons, self.addresses = {}, {}
        for ns in self.hosts:  # the same underlay for all
            ns.sysctl("net.ipv6.conf.u0.disable_ipv6", 1)
        self._members("members", "lab", 41000, [])
        self._members("members-chacha", "stock", 41001, ["--no-aes"])
        for number, (way, mtu) in enumerate((("bare", 1420), ("bare-1356", 1356))):
            self._bare(way, mtu, number)

    def _members(self, way, name, port, options):
        nodes = [Node(self.lab, ns, name + host, port=port, options=options).start()
                 for ns, host in zip(self.hosts, ("-alice", "-bob"))]
        network = Network(nodes[0], name).join(nodes[1]).settle(STATE_S)
        nodes[0].go_direct(nodes[1], network.id)
        self._take(way, [n.process for n in nodes], nodes[1].address(network.id))

    def _bare(self, way, mtu, number):
        addresses = ["10.88.%d.%d" % (number, side) for side in (1, 2)]
        ends = [Tunnel(self.lab, ns, addresses=[a + "/24"], mtu=mtu, port=51900 + number)
                .start({"LOG_LEVEL": "error"}).configure() for ns, a in zip(self.hosts, addresses)]
        for side in (0, 1):
            ends[side].add_peer(ends[1 - side], endpoint(topology.UNDERLAY[4][1 - side],
                                                         ends[1 - side].port),
                                [addresses[1 - side] + "/32"])
        traffic.reachable(self.hosts[0], addresses[1])
        self._take(way, [e.process for e in ends], addresses[1])

    def _take(self, way, processes, address):
        self.daemons[way], self.addresses[way] = processes, address

    def measure(self, way, seconds):
        """One TCP stream each way: Mbit/s, and the daemons' processor seconds for a gigabyte."""
        daemons = self.daemons[way]
        carried, rates, before = 0, [], sum(d.cpu_s() for d in daemons)
        for extra in ([], ["--reverse"]):
            end = self._stream(self.addresses[way], seconds, extra)
            rates.append(end["bits_per_second"] / 1e6)
            carried += end["bytes"]
        spent = sum(d.cpu_s() for d in daemons) - before
        return {"mbit_s": sum(rates) / 2, "cpu_s_gb": spent / (carried / 1e9)}

    def _stream(self, address, seconds, extra):
        server = self.hosts[1].spawn(["iperf3", "--server", "--one-off", "--bind", address,
                                      "--port", str(TCP_PORT)], label="iperf3")
        wait.until(lambda: self._listens(server), 10, "iperf3's server")
        text = self.hosts[0].run(["iperf3", "--client", address, "--port", str(TCP_PORT), "--time",
                                  str(seconds), "--json", *extra], timeout=seconds + 15).stdout
        server.close()
        return json.loads(text)["end"]["sum_received"]

    def processors_s(self):
        """Seconds that all processors, and those that are none of ours, were busy so far."""
        busy_s, all_s = bench.processors_s()
        own_s = sum(sum(resource.getrusage(who)[:2])
                    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        own_s += sum(d.cpu_s() for daemons in self.daemons.values() for d in daemons)
        return all_s, busy_s - own_s

    @staticmethod
    def _listens(server):
        with open("/proc/%d/net/tcp" % server.pid) as table:
            return any(f[1].endswith(":%04X" % TCP_PORT) and f[3] == "0A"
                       for f in map(str.split, table.readlines()[1:]))


def throughput(lab, rounds, seconds, say):
    """Rounds in turn; a ratio is the median of the rounds' ratios, of all and of the third in which
    others used least of the processors."""
    pair, found = Throughput(lab), []
    for way in WAYS:
        pair.measure(way, 1)  # the first stream grows windows and touches buffers
    for number in range(rounds):
        turn, before = {}, pair.processors_s()
        for i in range(len(WAYS)):
            way = WAYS[(i + number) % len(WAYS)]
            turn[way] = pair.measure(way, seconds)
        all_s, others_s = (b - a for a, b in zip(before, pair.processors_s()))
        turn["others"] = round(max(0.0, others_s / all_s), 2)
        found.append(turn)
        say("  round %d: %s, others %.0f %%" % (number + 1, ", ".join(
            "%s %.0f Mbit/s %.2f s/GB" % (w, turn[w]["mbit_s"], turn[w]["cpu_s_gb"])
            for w in WAYS), 100 * turn["others"]))
    result = {way: {key: spread([t[way][key] for t in found]) for key in ("mbit_s", "cpu_s_gb")}
              for way in WAYS}
    for way in WAYS[1:]:
        result["to_" + way] = {key: spread([t["members"][key] / t[way][key] for t in found], 3)
                               for key in ("mbit_s", "cpu_s_gb")}
        quiet = sorted(found, key=lambda t: t["others"])[:max(1, rounds // 3)]
        result["quiet_to_" + way] = spread([t["members"]["mbit_s"] / t[way]["mbit_s"]
                                            for t in quiet], 3)
        result["quiet_others"] = [t["others"] for t in quiet]
    result["rounds"] = found
    return result
