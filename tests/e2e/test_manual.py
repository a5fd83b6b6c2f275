# SPDX-License-Identifier: Apache-2.0
"""What docs/first-network.md and docs/at-work.md tell a reader to type is typed here, on hosts of
those names with daemons that run. Each command has to succeed, and what the text says next has to
be so."""

import os
import re
import shlex
import subprocess

import pytest

from harness import wait
from harness.internet import Internet
from harness.tunnel import REPO
from harness.warrend import BUILD, DONE, Network, Node

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.one_thread]

TYPED = re.compile(r"    (alice|bob|carol)# (warren .*)")


def typed(page):
    """(host, command) of each line behind a prompt, in their order."""
    with open(os.path.join(REPO, "docs", page)) as stream:
        return [TYPED.fullmatch(line).groups() for line in stream.read().split("\n")
                if TYPED.fullmatch(line)]


class Hosts:
    """Machines on the internet, each with a running daemon and the network's name for it."""

    def __init__(self, lab, tmp_path, *names):
        internet = Internet(lab)
        self.folder = tmp_path
        self.nodes = {name: Node(lab, internet.public(name).ns, name).start() for name in names}

    def type(self, name, command):
        """Types a line there as root; returns what it answers. The hosts' names, which the machines
        would have, are said."""
        node = self.nodes[name]
        if re.match(r"warren (network create|join) ", command):
            command += " --host-name " + name
        environment = dict(os.environ, WARREN_SOCKET=node.socket_path,
                           PATH=BUILD + ":" + os.environ["PATH"])
        done = subprocess.run(
            ["ip", "netns", "exec", node.ns.name, "sh", "-c",
             "cd %s; %s" % (shlex.quote(str(self.folder)), command)],
            env=environment, timeout=60 * wait.SLOW, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == DONE, "%s# %s: %d\n%s" % (name, command, done.returncode,
                                                            done.stdout)
        return done.stdout


def test_the_first_network(lab, tmp_path):
    hosts = Hosts(lab, tmp_path, "alice", "bob")
    told = {}
    for name, command in typed("first-network.md"):
        if command == "warren status" and "revoke" in " ".join(told):
            hosts.nodes["bob"].wait(lambda n: "thrown out" in n.cli("status", code=None), 20,
                                    "says that it was thrown out")
        told[name + ": " + command] = hosts.type(name, command)
    assert "direct" in told["bob: warren ping alice"]
    assert "alice.lab.warren" in told["alice: warren status"]
    assert re.search("^bob .* direct ", told["alice: warren peers lab"], re.M)
    assert "thrown out" in told["bob: warren status"]
    for node in hosts.nodes.values():
        wait.until(lambda: not node.process.running(), 10, "end of " + node.name)


def test_a_network_at_work(lab, tmp_path):
    hosts = Hosts(lab, tmp_path, "alice", "bob", "carol", "dave")
    alice, bob, carol, dave = hosts.nodes.values()
    Network(alice, ipv4="10.7.0.0/24").join(bob, carol, dave).settle()
    for node in (bob, carol, dave):
        node.wait(lambda n: n.network()["host_name"], 20, "has its name")
    told = {command: hosts.type(name, command) for name, command in typed("at-work.md")}
    assert "team.invitation" in os.listdir(tmp_path)
    assert "passes" in told["warren trace carol --protocol tcp --port 5432"]
    rights = {m["name"]: m["rights"] for m in bob.rpc("member.list")["members"]}
    assert "admin" in rights["bob"] and "admin" not in rights["carol"], rights
    dave.wait(lambda n: n.network()["state"] != "connected", 20, "is out")
