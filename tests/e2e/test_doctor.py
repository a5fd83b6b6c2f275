# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a host is found, with the step that mends it; hooks run.

    a: alice  10.99.0.1 -------- 10.99.0.2  b: bob
"""

import json
import os

import pytest

from harness import topology, wait
from harness.warrend import DONE, PORT, REFUSED, Network, Node

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.one_thread]


def findings(node):
    return {f["what"]: f for f in node.rpc("doctor")["findings"]}


def test_peers_tell_how_a_host_is_reached(lab):
    a, b = topology.two_hosts(lab)
    alice, bob = Node(lab, a, "alice").start(), Node(lab, b, "bob").start()
    told = alice.rpc("netcheck")
    assert told["udp"]["in"] is None and "in no network" in told["summary"]
    Network(alice).join(bob).settle()
    alice.wait(lambda n: n.path(bob) == "direct", 20, "bob is reached directly")
    told = alice.rpc("netcheck")
    assert told["udp"]["in"] is True and told["udp"]["out"] is True and told["port"] == PORT
    family = "ipv4" if told["ipv4"]["works"] else "ipv6"
    assert told[family]["works"] and told[family]["addresses"]
    network, = told["networks"]
    assert network["ring"] == "connected" and network["direct"] == 1
    assert network["least_path_mtu"] == 1500 and network["interface_mtu"] < 1500
    assert "1 peers" in alice.cli("netcheck") or "directly" in alice.cli("netcheck")


def test_each_trouble_is_found_and_its_step_mends_it(lab):
    a, _ = topology.two_hosts(lab)
    alice = Node(lab, a, "alice").start()
    Network(alice)
    before = findings(alice)
    for what in ("rights", "tun device", "state", "port", "firewall", "network lab", "packets"):
        assert before[what]["state"] == "ok", before[what]
    alice.cli("doctor", code=DONE)

    a.run(["nft", "-f", "-"], stdin="""
table inet guard {
 chain in { type filter hook input priority 0; policy drop
  ct state established,related accept
  iifname "lo" accept
  tcp dport 22 accept
 }
}
""")
    told = findings(alice)["firewall"]
    assert told["state"] == "warning" and "guard" in told["text"]
    a.run(["sh", "-c", told["fix"].split(";")[0]])
    assert findings(alice)["firewall"]["state"] == "ok"

    os.chmod(alice.state, 0o755)
    told = findings(alice)["state"]
    assert told["state"] == "fault"
    assert "chmod 700" in alice.cli("doctor", code=REFUSED)
    a.run(told["fix"].split())
    assert findings(alice)["state"]["state"] == "ok"

    a.sysctl("net.ipv4.ip_forward", "0")
    alice.rpc("route.add", prefix="192.168.5.0/24")
    told = findings(alice)["routes of lab"]
    assert told["state"] == "fault"
    a.sysctl("net.ipv4.ip_forward", "1")
    assert findings(alice)["routes of lab"]["state"] == "ok"


def test_a_range_that_the_lan_has_is_found(lab):
    """Also when it is wider or narrower; a network of its own range is none of it."""
    a, _ = topology.two_hosts(lab)
    alice = Node(lab, a, "alice").start()
    Network(alice, "apart", ipv4="10.88.0.0/16")
    Network(alice, "wide", ipv4="10.64.0.0/10", overlap=True)
    Network(alice, "narrow", ipv4="10.99.0.0/25", overlap=True)
    told = findings(alice)
    assert "range of apart" not in told or "wide" in told["range of apart"]["text"]
    assert told["range of narrow"]["state"] == "warning"
    assert "10.99.0.0/25" in told["range of narrow"]["text"]
    assert "--ipv4" in told["range of wide"]["fix"]
    alice.rpc("network.delete", network="wide")
    alice.rpc("network.delete", network="narrow")
    assert "range of apart" not in findings(alice)


def test_hooks_get_what_subscribers_get(lab):
    a, b = topology.two_hosts(lab)
    folder = os.path.join(lab.directory, "hooks")
    out = os.path.join(lab.directory, "out")
    os.makedirs(os.path.join(folder, "peer.up.d"), 0o755)
    script = os.path.join(folder, "peer.up.d", "50-note")
    with open(script, "w") as f:
        f.write("#!/bin/sh\ncat >>%s\nexit 3\n" % out)
    os.chmod(script, 0o755)
    os.chmod(folder, 0o755)
    open(out, "w").close()
    os.chmod(out, 0o666)  # hooks run as the daemon's user
    alice = Node(lab, a, "alice", options=["--hooks", folder]).start()
    bob = Node(lab, b, "bob").start()
    Network(alice).join(bob).settle()

    def noted():
        try:
            with open(out) as f:
                return f.read().endswith("\n")
        except FileNotFoundError:
            return False

    wait.until(noted, 20, "the hook has run")
    with open(out) as f:
        event = json.loads(f.readline())
    assert event["event"] == "peer.up" and event["hit"] == bob.hit and event["network"] == "lab"
    wait.until(lambda: findings(alice)["hooks"]["state"] == "warning", 10, "its code is noted")
    assert "50-note failed: it ended with 3" in alice.log()
