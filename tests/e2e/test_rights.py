# SPDX-License-Identifier: Apache-2.0
"""Who may do what over the control socket: root and the daemon's own user all, members of the group
of --admin-group too, and whoever else can open the socket may look."""

import grp
import json
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import tempfile

import pytest

from harness import wait
from harness.tunnel import REPO
from harness.warrend import USER, WARREND, Node

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.one_thread]

ADMINS, OTHERS, NOBODY = 54321, 54322, 54323  # the daemon itself becomes "nobody"
DENIED, REFUSED = 7, 1

# Says lines to a socket and prints the answers; runs as somebody whom this folder is closed to.
CLIENT = """
import socket, sys
path, count = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_UNIX)
s.settimeout(60)
s.connect(path)
s.sendall(sys.stdin.buffer.read())
with s.makefile("rb") as answers:
    for _ in range(count):
        sys.stdout.buffer.write(answers.readline())
"""


@pytest.fixture
def node(lab):
    """A daemon whose socket anybody can open, in a folder that anybody can get to."""
    folder = tempfile.mkdtemp(prefix="warren-rights-")
    os.chmod(folder, 0o755)
    os.chown(folder, pwd.getpwnam(USER).pw_uid, -1)
    node = Node(lab, lab.namespace("alone"), "alone", options=["--admin-group", str(ADMINS)])
    node.socket_path = os.path.join(folder, "sock")
    node.start()
    mode = os.stat(node.socket_path)
    assert stat.S_IMODE(mode.st_mode) == 0o660
    try:
        assert mode.st_gid == grp.getgrnam("warren").gr_gid
    except KeyError:
        assert mode.st_gid == ADMINS  # there is no group `warren`: at least these get in
    os.chmod(node.socket_path, 0o666)
    yield node
    node.close()
    shutil.rmtree(folder)


def line(method, number=1, **params):
    return (json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
            + "\n").encode()


def ask(node, *requests, group=OTHERS, groups=()):
    """Asks as a user who is nobody, in these groups; returns the answers by their numbers."""
    lines = b"".join(line(method, i, **params) for i, (method, params) in enumerate(requests))
    done = subprocess.run([sys.executable, "-c", CLIENT, node.socket_path, str(len(requests))],
                          input=lines, capture_output=True, timeout=90, check=True, cwd="/",
                          user=NOBODY, group=group, extra_groups=groups)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return [t for _, t in sorted((t["id"], t) for t in told)]


def test_who_is_in_no_group_may_look(node):
    """Every method that changes something is refused to him, whatever stands in the request."""
    with open(os.path.join(REPO, "docs", "control.md")) as stream:
        text = stream.read()
    changing = {word.split("`")[0].strip() for line in text.splitlines() if line.startswith("### ")
                for word in line[4:].split(",") if "`c`" in word and "`r`" not in word}
    assert {"network.create", "join", "invite", "invitation.show", "shutdown"} <= changing
    node.rpc("network.create", name="lab")
    for name, told in zip(sorted(changing),
                          ask(node, *[(name, {}) for name in sorted(changing)])):
        assert told["error"]["code"] == DENIED, (name, told)
        assert "--admin-group" in told["error"]["message"]
    looked = ("version", "status", "peers", "network.list", "invitation.list", "route.list", "log")
    for name, told in zip(looked, ask(node, *[(name, {}) for name in looked])):
        assert "result" in told, (name, told)
    level, = ask(node, ("log", {"level": "verbose"}))
    assert level["error"]["code"] == DENIED and node.rpc("log")["level"] == "info"


def test_admins_may_change_things(node):
    """By their first group or another one."""
    told, = ask(node, ("network.create", {"name": "one"}), group=ADMINS)
    assert told["result"]["name"] == "one"
    told, = ask(node, ("network.create", {"name": "two"}), groups=[100, ADMINS, 101])
    assert told["result"]["name"] == "two"
    told, = ask(node, ("network.create", {"name": "three"}), groups=[100, 101])
    assert told["error"]["code"] == DENIED
    assert {n["name"] for n in node.rpc("network.list")["networks"]} == {"one", "two"}


def test_readers_do_not_take_the_places_of_admins(node):
    """They may come in any number; who came before them to change things is still heard."""
    many = CLIENT.replace("s.connect(path)", """
more = [socket.socket(socket.AF_UNIX) for _ in range(90)]
for s in more:
    s.connect(path)
""")
    with socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(30 * wait.SLOW)
        admin.connect(node.socket_path)
        done = subprocess.run([sys.executable, "-c", many, node.socket_path, "1"],
                              input=line("version"), capture_output=True, timeout=90, check=True,
                              cwd="/", user=NOBODY, group=OTHERS, extra_groups=[])
        assert json.loads(done.stdout)["result"]["protocol"] == 1
        admin.sendall(line("network.create", name="lab"))
        with admin.makefile("rb") as answers:
            assert json.loads(answers.readline())["result"]["name"] == "lab"


def test_a_group_that_is_not_there_is_named(lab):
    node = Node(lab, lab.namespace("alone"), "alone")
    done = node.ns.run([WARREND, "--foreground", "--state", node.state, "--socket",
                        node.socket_path, "--admin-group", "no-such-group"], check=False)
    assert done.code == REFUSED and "groupadd no-such-group" in done.stderr
