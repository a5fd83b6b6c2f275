# SPDX-License-Identifier: Apache-2.0
"""What people do that nobody means to: daemons started twice, killed and started, files lost,
invitations that others have used. Each is told with its cause and what to do."""

import os
import socket

import pytest

from harness import wait
from harness.warrend import DONE, WARREN, WARREND, Node

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
