# SPDX-License-Identifier: Apache-2.0
"""What people do that nobody means to: daemons started twice, killed and started, files lost,
invitations that others have used. Each is told with its cause and what to do."""

import os
import re
import socket

import pytest

from harness import wait
from harness.internet import Internet
from harness.warrend import DONE, REFUSED, WARREN, WARREND, Network, Node

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.one_thread]


@pytest.fixture
def node(lab):
    return Node(lab, lab.namespace("alone"), "alone").start()


# ---- daemons ----


def test_two_daemons_never_serve_one_socket(lab):
    """Several start at once where a dead one has left its socket behind: one runs, and the others
    say so and end."""
    ns = lab.namespace("host")
    folder = os.path.join(lab.directory, "host")
    path = os.path.join(folder, "sock")
    os.makedirs(folder)
    for turn in range(3):
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(path)
        daemons = [lab.spawn([WARREND, "--foreground", "--no-map-ports", "--no-tell-resolver",
                              "--state", os.path.join(folder, "state%d" % i), "--socket", path],
                             netns=ns, owned=True, label="daemon%d" % i) for i in range(4)]
        wait.until(lambda: sum(d.running() for d in daemons) == 1, 20, "all but one have ended")
        for daemon in daemons:
            if not daemon.running():
                assert "another warrend serves it" in daemon.log(), daemon.log()
                assert daemon.popen.returncode == 1
        done = ns.run([WARREN, "down"], env={"WARREN_SOCKET": path}, timeout=40, check=False)
        assert done.code == DONE, done.stderr
        wait.until(lambda: not any(d.running() for d in daemons), 10, "it has ended")
        assert not os.path.exists(path)


def test_up_at_once_is_up_once(lab):
    """Whoever types it, the daemon is up afterwards, and nobody hears of the race."""
    ns = lab.namespace("host")
    folder = os.path.join(lab.directory, "host")
    env = {"WARREN_SOCKET": os.path.join(folder, "sock")}
    os.makedirs(folder)
    told = []

    def up():
        told.append(ns.run([WARREN, "up", "--state", os.path.join(folder, "state")], env=env,
                           timeout=40, check=False))

    threads = [lab.thread(up) for _ in range(4)]
    for thread in threads:
        thread.join()
    ns.run([WARREN, "down"], env=env, timeout=40)
    for one in told:
        assert one.code == DONE and one.stderr == "" and "identity: " in one.stdout, one
    assert sum("warrend is up\n" in one.stdout for one in told) == 1
    assert sum("was up already" in one.stdout for one in told) == 3


def test_a_start_waits_for_who_was_killed(node):
    """The system takes some moments to end a process; nobody who starts it anew hears of that."""
    node.rpc("network.create", name="lab")
    for _ in range(5):
        node.process.popen.kill()  # and nobody waits for its end
        killed, node.process = node.process, None
        node.start()
        killed.end(0, 10)
    assert node.network("lab")["rights"]


# ---- what lies on the disk ----


def test_a_damaged_network_is_not_nothing(node):
    """Whoever looks is told that the network is there and what is wrong with it, not that there is
    none; and what joining it anew makes good is not told any more."""
    ident = node.rpc("network.create", name="lab")["id"]
    node.rpc("network.create", name="other")
    node.stop()
    path = os.path.join(node.state, "networks", ident, "state")
    with open(path, "rb") as stream:
        whole = stream.read()
    with open(path, "wb") as stream:
        stream.write(whole[:len(whole) // 2])
    node.start()
    told, = node.rpc("status")["unserved"]
    assert told["id"] == ident and path in told["trouble"] and "copy of it back" in told["trouble"]
    for command in (["status"], ["network", "list"]):
        shown = node.cli(*command)
        assert "network: %s\n  state: not served\n" % ident[:16] in shown, shown
        assert "is damaged" in shown and "other" in shown
    assert "is damaged" in node.cli("doctor", code=REFUSED)
    node.rpc("network.delete", network="other")
    shown = node.run_cli("invite")  # no "make one or join one"
    assert shown.code == REFUSED and "is not served" in shown.stderr, shown
    node.stop()
    with open(path, "wb") as stream:
        stream.write(whole)
    node.start()
    assert node.rpc("status")["unserved"] == [] and node.network("lab")


def test_a_lost_identity_is_missed(node):
    """Another one, which is in none of the networks, is not made in its place."""
    node.rpc("network.create", name="lab")
    node.stop()
    place = os.path.join(node.state, "identity")
    os.rename(place, place + ".away")
    process = node.lab.spawn([WARREND, "--foreground", "--state", node.state, "--socket",
                              node.socket_path], netns=node.ns, owned=True, label="without")
    wait.until(lambda: not process.running(), 20, "it does not start")
    assert process.popen.returncode == 1 and not os.path.exists(place)
    assert "identity is missing" in process.log() and "a copy of it back" in process.log()
    os.rename(place + ".away", place)
    assert node.start().network("lab")


# ---- networks and invitations ----


def test_a_spent_invitation_is_told_at_once(lab):
    internet = Internet(lab)
    alice, bob, carol = (Node(lab, internet.public(name).ns, name).start()
                         for name in ("alice", "bob", "carol"))
    Network(alice, "home")
    line = alice.rpc("invite", network="home")["line"]
    bob.cli("join", "--host-name", "bob", "-", stdin=line)

    def is_refused():
        """In a ring so young that its table moves, two may hold one use for a moment."""
        told = carol.run_cli("join", "-", stdin=line)
        if told.code == DONE:
            carol.cli("network", "leave", "home")
        return told if told.code == REFUSED else None

    told = wait.until(is_refused, 60, "the second one is refused")
    assert "joined" not in told.stdout and "used up" in told.stderr
    assert "warren network leave home" in told.stderr, told
    assert carol.network("home")["spent"] is True and "used up" in carol.cli("status")
    assert "used up" in carol.cli("doctor", code=REFUSED)
    told = carol.run_cli("wait", "address", "--timeout", "600")
    assert told.code == REFUSED and "used up" in told.stderr, told
    carol.cli("network", "leave", "home")  # what it says to do helps
    carol.cli("join", "-", stdin=alice.rpc("invite", network="home")["line"])
    assert carol.network("home")["spent"] is False and carol.address()

    alice.rpc("member.revoke", member="bob")  # and who is thrown out reads just that
    bob.wait(lambda n: "thrown out" in (n.network("home")["trouble"] or ""), 20, "bob is told")
    told = bob.run_cli("join", "-", stdin=alice.rpc("invite", network="home")["line"])
    assert told.code == REFUSED and "warren network leave home" in told.stderr
    found, = (f for f in bob.rpc("doctor")["findings"] if f["what"] == "network home")
    assert found["state"] == "fault" and "warren network leave home" in found["fix"], found


def test_revoked_invitations_make_room(node):
    """64 there can be; the 65th says what to do, and that helps."""
    node.rpc("network.create", name="lab")
    for _ in range(64):
        node.rpc("invite")
    told = node.run_cli("invite")
    assert told.code == REFUSED and "warren invitation revoke" in told.stderr, told
    made = node.rpc("invitation.list")["invitations"]
    node.cli("invitation", "revoke", made[5]["id"][:16])
    node.cli("invite")
    assert node.run_cli("invite").code == REFUSED
    left = {i["id"] for i in node.rpc("invitation.list")["invitations"]}
    assert len(left) == 64 and made[5]["id"] not in left and made[6]["id"] in left
    node.restart()
    assert {i["id"] for i in node.rpc("invitation.list")["invitations"]} == left


def test_networks_of_one_name_are_told_apart(lab):
    internet = Internet(lab)
    alice, bob = (Node(lab, internet.public(name).ns, name).start() for name in ("alice", "bob"))
    Network(alice, "home")
    Network(bob, "home").join(alice)
    told = alice.run_cli("network", "show", "home")
    ids = re.findall(r"home \(([0-9a-f]{8})\)", told.stderr)
    assert told.code == REFUSED and len(set(ids)) == 2, told
    for ident in ids:
        assert "\n  id: " + ident in alice.cli("network", "show", ident)


@pytest.mark.parametrize("name", ["all", "default"])
def test_names_that_the_kernel_keeps_for_itself(node, name):
    node.cli("network", "create", name)
    assert node.network(name)["interface"] == "wrn0"
