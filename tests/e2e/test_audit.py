# SPDX-License-Identifier: Apache-2.0
"""What is written down of memberships, and what goes to the journal.

    alice (owner) <---- network home ----> bob, then revoked
"""

import json
import os
import re
import stat

import pytest

from harness import wait
from harness.internet import Internet
from harness.warrend import USER, WARREND, Network, Node, Refusal

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.one_thread]


def entries(node, **wanted):
    return [e for e in node.rpc("audit.list", count=1000)["entries"]
            if all(e.get(key) == value for key, value in wanted.items())]


def test_every_decision_about_a_membership_is_written_down(lab):
    """Who, what, by which certificate, by whom; refusals, too; no secret; kept over kill -9."""
    internet = Internet(lab)
    alice, bob = (Node(lab, internet.public(name).ns, name).start() for name in ("alice", "bob"))
    alice.rpc("network.create", name="home")
    invitation = alice.rpc("invite", uses=3)
    bob.rpc("join", invitation=invitation["line"], host_name="bob")
    bob.cli("wait", "ready")
    wait.until(lambda: entries(alice, what="peer.up"), 20, "bob is written down")
    issued = alice.rpc("member.promote", member="bob", rights=["member", "invite"],
                       may_delegate=True)["certificate"]
    with pytest.raises(Refusal):
        bob.rpc("member.revoke", member="alice")
    alice.rpc("member.revoke", member="bob")
    wait.until(lambda: entries(bob, what="self.revoked"), 20, "bob knows")
    alice.kill()
    path = os.path.join(alice.state, "audit")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with open(path, "ab") as stream:
        stream.write(b'{"what":"cut sho')  # what a crash may leave
    alice.start()
    after = alice.rpc("invite")["id"]
    assert after in [e["certificate"]["hash"] for e in entries(alice, what="invite")]
    told = {e["what"]: e for e in entries(alice, network="home")}
    assert {"network.create", "invite", "peer.up", "member.promote", "member.revoke",
            "member.revoked"} <= set(told), told
    local = {"uid": 0, "pid": told["invite"]["by"]["pid"]}
    assert told["invite"]["by"] == local and local["pid"] > 1
    first = entries(alice, what="invite")[0]
    assert first["certificate"]["hash"] == invitation["id"] and first["details"]["uses"] == 3
    up = told["peer.up"]
    assert up["who"]["hit"] == bob.hit and re.fullmatch("[0-9a-f]{64}", up["certificate"]["hash"])
    assert up["certificate"]["issuer"].startswith("2001:")
    assert told["member.promote"]["who"] == {"hit": bob.hit, "name": "bob"}
    assert told["member.promote"]["details"]["rights"] == ["member", "invite"]
    assert told["member.promote"]["certificate"] == {"hash": issued} and len(issued) == 64
    assert told["member.revoke"]["revoked"] >= 2  # the membership and what was given
    assert told["member.revoked"]["who"]["hit"] == bob.hit
    assert told["member.revoked"]["by"]["hit"] == alice.hit
    refused = entries(bob, what="member.revoke")
    assert len(refused) == 1 and refused[0]["done"] is False and refused[0]["why"], refused
    with open(os.path.join(bob.state, "audit")) as stream:
        text = stream.read()
    assert "warren:1:" not in text and '"invitation"' not in text
    shown = alice.cli("audit", "home")
    assert re.search(r"^\S+Z +home +member\.promote +bob +by user 0 +done, certificate %s$"
                     % issued[:16], shown, re.M), shown
    assert re.search(r"^\S+Z +home +peer\.up .*done, certificate [0-9a-f]{16} of 2001:", shown,
                     re.M), shown
    assert len(alice.cli("audit", "--count", "2").splitlines()) == 2


def test_a_full_audit_file_is_replaced(lab):
    """Two of 4 MiB are the most; reading begins in the older one."""
    node = Node(lab, lab.namespace("alone"), "alone")
    os.makedirs(node.state, mode=0o700)
    line = json.dumps({"what": "old", "network": "x", "network_id": "0" * 64, "done": True}) + "\n"
    path = os.path.join(node.state, "audit")
    with open(path, "w") as stream:
        stream.write(line * ((4 << 20) // len(line)))
    os.chmod(path, 0o600)
    node.start()
    node.rpc("network.create", name="home")
    assert os.path.getsize(path) < 4096 and os.path.getsize(path + ".1") > 4000000
    told = node.rpc("audit.list", count=1000)["entries"]
    assert len(told) == 1000 and told[0]["what"] == "old" and told[-1]["what"] == "network.create"


PEER = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
PRIVATE = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n"

JOURNAL = """
import os, socket, subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
os.makedirs("/run/systemd/journal")
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind("/run/systemd/journal/socket")
error = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
status = os.fstat(error)
environment = dict(os.environ, JOURNAL_STREAM="%d:%d" % (status.st_dev, status.st_ino))
daemon = subprocess.Popen(sys.argv[2:], stderr=error, env=environment)
journal.settimeout(0.2)
while daemon.poll() is None:
    try:
        sys.stdout.buffer.write(journal.recv(65536) + b"\\n")
        sys.stdout.buffer.flush()
    except TimeoutError:
        pass
sys.exit(daemon.returncode)
"""


def test_events_go_to_the_journal_with_fields(lab):
    """Where standard error leads there; by its native protocol, to a socket as systemd's."""
    node = Node(lab, lab.namespace("alone"), "alone")
    error = os.path.join(lab.directory, "stderr")
    heard = lab.spawn(
        ["unshare", "--mount", "--propagation", "private", "/usr/bin/python3", "-c", JOURNAL, error,
         WARREND, "--foreground", "--state", node.state, "--socket", node.socket_path,
         "--user", USER, "--no-map-ports", "--no-tell-resolver"], netns=node.ns, label="journal")

    def is_up():
        try:
            return node.rpc("version")
        except OSError:  # it is not there, or nobody listens yet
            return None

    wait.until(is_up, 20, "warrend is up")
    node.rpc("network.create", name="home")
    wait.until(lambda: "name.held" in heard.log(), 20, "its events")
    node.rpc("shutdown")
    wait.until(lambda: not heard.running(), 20, "its end")
    told = [dict(line.split("=", 1) for line in entry.split("\n") if "=" in line)
            for entry in heard.log().split("\n\n")]
    event = next(e for e in told if e.get("WARREN_EVENT") == "name.held")
    assert event["WARREN_NETWORK"] == "home" and event["SYSLOG_IDENTIFIER"] == "warrend"
    assert event["PRIORITY"] == "6" and "name.held: " in event["MESSAGE"]
    assert re.fullmatch("[0-9a-f]{64}", event["WARREN_NETWORK_ID"])
    assert any("serves UDP port" in e.get("MESSAGE", "") for e in told)
    with open(error) as stream:
        assert "msg=" not in stream.read(), "nothing is said twice"


def test_a_bare_tunnel_writes_to_the_journal_with_fields(lab):
    """Its interface, and the peer that it is about."""
    node = lab.namespace("bare")
    error = os.path.join(lab.directory, "stderr")
    heard = lab.spawn(
        ["env", "LOG_LEVEL=verbose", "unshare", "--mount", "--propagation", "private",
         "/usr/bin/python3", "-c", JOURNAL, error, os.environ["WARREN_WG"], "-f", "--user", USER,
         "wgj"], netns=node, label="journal")
    wait.until(lambda: "serves the interface" in heard.log(), 20, "warren-wg is up")
    node.run(["nsenter", "-t", str(heard.pid), "-m", "wg", "set", "wgj", "private-key",
              "/dev/stdin", "peer", PEER, "allowed-ips", "10.9.0.2/32", "endpoint", "127.0.0.1:9",
              "persistent-keepalive", "1"], stdin=PRIVATE)
    node.ip("link set lo up", "link set wgj up")
    wait.until(lambda: "WARREN_PEER=" in heard.log(), 20, "an event of the peer")
    node.ip("link del wgj")
    wait.until(lambda: not heard.running(), 20, "its end")
    told = [dict(line.split("=", 1) for line in entry.split("\n") if "=" in line)
            for entry in heard.log().split("\n\n")]
    event = next(e for e in told if "WARREN_PEER" in e)
    assert event["WARREN_INTERFACE"] == "wgj" and event["SYSLOG_IDENTIFIER"] == "warren-wg"
    assert event["WARREN_PEER"] in event["MESSAGE"] and PEER[:4] in event["WARREN_PEER"]
    with open(error) as stream:
        assert "msg=" not in stream.read(), "nothing is said twice"
