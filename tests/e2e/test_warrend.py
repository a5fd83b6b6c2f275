# SPDX-License-Identifier: Apache-2.0
"""warrend as a program of its host: how it starts and ends, what it leaves behind, what it says."""

import os
import re
import signal
import stat

import pytest

from harness import topology, wait
from harness.warrend import REFUSED, USAGE, USER, WARREND, Network, Node

pytestmark = [pytest.mark.warren_only, pytest.mark.networks]

LINE = re.compile(r'^time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(error|info|verbose)'
                  r'( interface=\S+)?( suppressed=\d+)? msg="([^"\\]|\\.)*"$')


def two(lab):
    a, b = topology.two_hosts(lab)
    alice, bob = Node(lab, a, "alice").start(), Node(lab, b, "bob").start()
    network = Network(alice).join(bob).settle()
    return network, alice, bob


def again(node, *options, code):
    """Starts a second daemon in the node's place, which has to end by itself; what it said."""
    result = node.ns.run([WARREND, "--state", node.state, "--socket", node.socket_path + "2",
                          "--no-map-ports", "--no-tell-resolver", *options], check=False)
    assert result.code == code, "%d: %s" % (result.code, result.stderr)
    return result.stderr


def runs(pid):
    """Whether there is such a process. One that nobody has waited for is none."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def links(ns):
    return set(re.findall(r"^\d+: ([^:@]+)", ns.run(["ip", "-o", "link"]).stdout, re.M))


def test_first_start_makes_an_identity_for_its_owner_alone(lab):
    a, _ = topology.two_hosts(lab)
    node = Node(lab, a, "alice").start()
    hit = node.hit
    for path, mode in (("", 0o700), ("identity", 0o600), ("port", 0o600)):
        found = stat.S_IMODE(os.stat(os.path.join(node.state, path)).st_mode)
        assert found == mode, "%s: %o" % (path, found)
    with open(os.path.join(node.state, "identity")) as f:
        assert f.read().startswith("(warren-identity")
    node.restart()
    assert node.hit == hit


def test_a_second_one_is_refused_and_the_first_lives(lab):
    _, alice, bob = two(lab)
    said = again(alice, "--foreground", code=1)
    assert alice.state in said and "warren down" in said
    assert alice.state in again(alice, code=1)  # from the background the shell learns it, too
    alice.ping(bob)


def test_the_background_is_ready_when_the_shell_has_its_prompt_back(lab):
    a, _ = topology.two_hosts(lab)
    node = Node(lab, a, "alice")
    node.ns.run([WARREND, "--user", USER, "--state", node.state, "--socket",
                 node.socket_path, "--no-map-ports",
                 "--no-tell-resolver", "--listen", "41000"])
    pid = node.rpc("status")["pid"]  # at once
    os.kill(pid, signal.SIGTERM)
    wait.until(lambda: not runs(pid), 10, "end of the daemon")
    with open(os.path.join(node.state, "log")) as f:
        lines = f.read().splitlines()
    assert all(LINE.match(line) for line in lines), lines
    assert any("SIGTERM" in line for line in lines)


def test_an_end_that_is_asked_for_again_and_again_is_in_good_order(lab):
    alice = two(lab)[1]
    before = links(alice.ns)
    assert alice.process.end_impatiently(signal.SIGTERM, 10) == 0
    assert len(links(alice.ns)) < len(before)


def test_a_log_that_has_grown_makes_room_at_the_next_start(lab):
    a, _ = topology.two_hosts(lab)
    node = Node(lab, a, "alice")
    os.makedirs(node.state, mode=0o700)
    with open(os.path.join(node.state, "log"), "w") as f:
        f.truncate((8 << 20) + 1)
    with a.udp("0.0.0.0", 41000):  # it need not run for that
        again(node, "--listen", "41000", code=1)
    assert os.path.getsize(os.path.join(node.state, "log.old")) > 8 << 20
    with open(os.path.join(node.state, "log")) as f:
        lines = f.read().splitlines()
    assert all(LINE.match(line) for line in lines) and "41000" in lines[-1], lines


def test_a_crash_leaves_nothing_behind_and_loses_nothing(lab):
    network, alice, bob = two(lab)
    alice.ping(bob)
    address, name = bob.address(), bob.network()["interface"]
    before = links(bob.ns)
    assert name in before
    bob.kill()
    assert links(bob.ns) == before - {name}
    assert name not in bob.ns.run(["ip", "route", "show", "table", "all"]).stdout
    bob.start()
    network.settle()
    assert bob.address() == address
    bob.ping(alice)


def test_an_end_in_good_order_leaves_nothing_behind_and_keeps_all(lab):
    network, alice, bob = two(lab)
    address, before = bob.address(), links(bob.ns)
    name = bob.network()["interface"]
    bob.stop()
    assert links(bob.ns) == before - {name}
    assert not os.path.exists(bob.socket_path)
    bob.start()
    network.settle()
    assert bob.address() == address
    alice.ping(bob)


def test_leaving_takes_the_state_away(lab):
    _, alice, bob = two(lab)
    folder = os.path.join(bob.state, "networks")
    assert len(os.listdir(folder)) == 1
    bob.rpc("network.leave", network="lab")
    assert bob.network() is None and os.listdir(folder) == []
    assert "lab" not in links(bob.ns)
    alice.wait(lambda n: n.network()["peer_count"] == 0, 10, "sees nobody any more")


def test_an_interface_that_somebody_deletes_is_made_anew(lab):
    _, alice, bob = two(lab)
    alice.ping(bob)
    before = bob.ns.run(["ip", "-o", "addr", "show", "lab"]).stdout.count("inet")
    bob.ns.ip("link del lab")
    wait.until(lambda: "lab" in links(bob.ns), 10, "the interface again")
    wait.until(lambda: bob.ns.run(["ip", "-o", "addr", "show", "lab"]).stdout.count("inet")
               == before, 10, "its addresses again")
    alice.ping(bob)
    bob.ping(alice)
    assert "deleted by somebody" in bob.log()


def test_one_damaged_network_does_not_hinder_the_others(lab):
    a, _ = topology.two_hosts(lab)
    node = Node(lab, a, "alice").start()
    whole, damaged = Network(node, "whole"), Network(node, "damaged")
    node.stop()
    state = os.path.join(node.state, "networks", damaged.id, "state")
    with open(state, "r+") as f:
        f.truncate(100)
    node.start()
    assert node.network(whole.id) is not None and node.network(damaged.id) is None
    assert re.search(r'level=error msg=".*%s.*invitation' % re.escape(state), node.log())
    assert os.path.getsize(state) == 100  # nobody has written over it


def test_every_line_of_the_log_has_its_form(lab):
    _, alice, bob = two(lab)
    alice.ping(bob)
    bob.rpc("network.leave", network="lab")
    for node in (alice, bob):
        lines = node.log().splitlines()
        assert len(lines) > 3
        for line in lines:
            assert LINE.match(line), line


def test_hup_reads_the_level_anew(lab):
    a, _ = topology.two_hosts(lab)
    config = os.path.join(lab.directory, "warrend.conf")
    with open(config, "w") as f:
        f.write("log-level = error\n")
    node = Node(lab, a, "alice", options=["--config", config]).start()
    Network(node, "quiet")
    assert "quiet" not in node.log()
    with open(config, "w") as f:
        f.write("log-level = info  # louder\n")
    node.process.popen.send_signal(signal.SIGHUP)
    wait.until(lambda: "anew" in node.log(), 10, "the new level")
    Network(node, "loud")
    assert "loud" in node.log()


@pytest.mark.parametrize("options, said", [
    (["--colour"], "--colour"),
    (["--listen", "70000"], "0 to 65535"),
    (["--config", "/nowhere/at/all"], "/nowhere/at/all"),
])
def test_what_makes_no_sense_is_refused_by_name(lab, options, said):
    a, _ = topology.two_hosts(lab)
    assert said in again(Node(lab, a, "alice"), *options, code=USAGE)


def test_a_wrong_line_of_the_configuration_is_named(lab):
    a, _ = topology.two_hosts(lab)
    config = os.path.join(lab.directory, "warrend.conf")
    with open(config, "w") as f:
        f.write("# ours\nworkers = many\n")
    said = again(Node(lab, a, "alice"), "--config", config, code=USAGE)
    assert config in said and "line 2" in said and "1 to 64" in said


def test_a_port_that_is_taken_is_said(lab):
    a, _ = topology.two_hosts(lab)
    node = Node(lab, a, "alice")
    with a.udp("0.0.0.0", 41000):
        said = again(node, "--listen", "41000", code=1)
    assert "41000" in said and "--listen" in said


def test_a_key_that_others_can_read_is_not_used(lab):
    a, _ = topology.two_hosts(lab)
    node = Node(lab, a, "alice").start()
    node.stop()
    os.chmod(os.path.join(node.state, "identity"), 0o644)
    assert "chmod 600" in again(node, code=1)


def test_nobody_else_may_command_it(lab):
    a, _ = topology.two_hosts(lab)
    node = Node(lab, a, "alice").start()
    mode = stat.S_IMODE(os.stat(node.socket_path).st_mode)
    assert mode & 0o007 == 0
    assert node.run_cli("network", "show", "nothing").code == REFUSED


def test_hosts_of_networks_with_the_same_range_are_reached_by_address_alone(lab):
    a, b = topology.two_hosts(lab)
    alice, bob = Node(lab, a, "alice").start(), Node(lab, b, "bob").start()
    red = Network(alice, "red", ipv4="10.9.0.0/16").join(bob)
    blue = Network(bob, "blue", ipv4="10.9.0.0/16").join(alice)
    for network in (red, blue):
        network.settle()
    for one, other in ((alice, bob), (bob, alice)):
        for network in (red, blue):
            wait.until(lambda n=network, o=one, p=other: "%s dev %s" % (p.address(n.id), n.name)
                       in o.ns.run(["ip", "route"]).stdout, 10, "a route to the peer")
    for one, other in ((alice, bob), (bob, alice)):
        for network in (red, blue):
            one.ping(other, network.id, count=3)
    alice.rpc("network.leave", network=blue.id)
    wait.until(lambda: not [line for line in bob.ns.run(["ip", "route"]).stdout.splitlines()
                            if " dev blue" in line and "/" not in line], 10, "its route has gone")
    bob.ping(alice, red.id)
