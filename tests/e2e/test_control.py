# SPDX-License-Identifier: Apache-2.0
"""The control socket as docs/control.md says it is, and the command line as a person types it, with
daemons that run."""

import json
import os
import re
import shlex
import socket
import stat
import subprocess

import pytest

from harness import wait
from harness.internet import Internet
from harness.tunnel import REPO
from harness.warrend import BUILD, DONE, NO_DAEMON, REFUSED, USAGE, WARREN, Network, Node, Refusal

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.one_thread]

PARSE, INVALID, NO_METHOD, PARAMS, BUSY = -32700, -32600, -32601, -32602, -32000


class Line:
    """A connection to the control socket, by lines."""

    def __init__(self, node):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(node.socket_path)  # waits for its place in the line
        self.socket.settimeout(20 * wait.SLOW)
        self.stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def say(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def hear(self):
        """The next answer; None: the daemon has closed the connection."""
        try:
            line = self.stream.readline()
        except ConnectionResetError:  # what was sent has not all been read
            return None
        return json.loads(line) if line else None

    def ask(self, text):
        self.say(text + "\n")
        return self.hear()


@pytest.fixture
def node(lab):
    return Node(lab, lab.namespace("alone"), "alone").start()


@pytest.fixture
def pair(lab):
    """alice owns the network home, and bob is in it."""
    internet = Internet(lab)
    nodes = [Node(lab, internet.public(name).ns, name) for name in ("alice", "bob")]
    for one in nodes:
        one.start()
    Network(nodes[0], "home").join(nodes[1]).settle()
    nodes[1].cli("wait", "ready")
    return nodes


def request(method, number=1, **params):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


# ---- the protocol ----


def test_what_is_no_request_is_answered(node):
    with Line(node) as line:
        for text, code in (("hello", PARSE), ("{", PARSE), ("[]", INVALID), ("7", INVALID),
                           ('{"jsonrpc":"2.0","method":"nothing","id":1}', NO_METHOD),
                           (request("network.create"), PARAMS),
                           (request("network.create", name="a", colour="red"), PARAMS),
                           (request("invite", uses=0), PARAMS),
                           (request("log", level="loud"), PARAMS)):
            told = line.ask(text)
            assert told["error"]["code"] == code, (text, told)
            assert len(told["error"]["message"]) > 10
        assert line.ask(request("version"))["result"]["protocol"] == 1
        line.say("\n \n" + '{"jsonrpc":"2.0","method":"version"}\n' + request("version", 9) + "\n")
        assert line.hear()["id"] == 9  # blank lines and notifications have no answer
        told = line.ask("[%s, %s, 1]" % (request("version", 1), request("nothing", 2)))
        assert len(told) == 3 and {t.get("id") for t in told} == {1, 2, None}


def test_every_method_is_in_the_document(node):
    """And the document has no other."""
    with open(os.path.join(REPO, "docs", "control.md")) as stream:
        text = stream.read().split("\n## Methods\n")[1]
    heads = re.findall(r"^### (.*)$", text, re.M)
    documented = {m for head in heads for m in re.findall(r"([a-z.]+) `[rc]`", head)}
    told = node.rpc("version")
    assert documented == set(told["methods"])
    for event in told["events"]:
        assert "`%s`" % event in text, event


def test_long_lines_and_slow_readers_are_cut(node):
    with Line(node) as line:
        line.say(b"x" * 70000)
        assert line.hear()["error"]["code"] == PARSE
        assert line.hear() is None
    with Line(node) as line:  # the longest that is read
        text = request("resolve", name="a")
        assert line.ask(text + " " * (65536 - len(text)))["error"]["code"] == 2
    with Line(node) as line:  # asks and asks and reads nothing: is read no more, then closed
        line.socket.settimeout(0.2)
        with pytest.raises(OSError):
            for _ in range(100000):
                line.say((request("version") + "\n") * 100)
        assert node.rpc("version")["protocol"] == 1
        line.socket.settimeout(30 * wait.SLOW)

        def is_closed():
            try:
                line.socket.send(b"\n", socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            except OSError:
                return True
            return False
        wait.until(is_closed, 30, "who does not read is cut", 0.2)


def test_connections_are_bounded(node):
    """New ones get in whatever the old ones do; one that waits for events is not given up for
    them."""
    with Line(node) as first:
        assert first.ask(request("events.subscribe"))["result"] == {}
        lines = [Line(node) for _ in range(80)]
        assert lines[-1].ask(request("version"))["result"]["protocol"] == 1
        assert lines[0].stream.read(1) == b""
        node.rpc("network.create", name="lab")
        assert first.hear()["method"] == "event"
        for line in lines:
            line.__exit__()


def test_calls_under_way_are_bounded(node):
    node.rpc("network.create", name="lab")
    with Line(node) as line:
        for number in range(17):
            line.say(request("wait", number, **{"for": "members", "count": 50, "timeout_s": 2})
                     + "\n")
        told = line.hear()
        assert told["id"] == 16 and told["error"]["code"] == BUSY
        line.socket.shutdown(socket.SHUT_WR)  # all that is due is answered all the same
        codes = {line.hear()["error"]["code"] for _ in range(16)}
        assert codes == {4}
        assert line.hear() is None


def test_what_only_looks_ends_with_who_asked(node):
    """More calls than the daemon has room for, of people who went away, are in nobody's way."""
    node.rpc("network.create", name="lab")
    for _ in range(20):
        with Line(node) as line:
            for number in range(16):
                line.say(request("wait", number, **{"for": "members", "count": 50,
                                                    "timeout_s": 600}) + "\n")
            line.ask(request("version", 16))  # all have been read
    with pytest.raises(Refusal) as late:
        node.rpc("wait", **{"for": "members", "count": 50, "timeout_s": 1})
    assert late.value.code == 4
    assert node.rpc("member.list")["members"]


def test_socket_belongs_to_root_and_the_group(node):
    mode = os.stat(node.socket_path).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660
    second = node.ns.run([os.path.join(BUILD, "warrend"), "--foreground", "--state",
                          node.state + "2", "--socket", node.socket_path], check=False)
    assert second.code == 1 and "another warrend serves it" in second.stderr, second.stderr
    assert node.rpc("version")
    node.kill()
    assert os.path.exists(node.socket_path)  # what a dead one left behind is replaced
    node.start()
    node.stop()
    assert not os.path.exists(node.socket_path)


def test_events_are_told_to_who_subscribed(pair):
    alice, bob = pair
    with Line(alice) as line:
        told = line.ask(request("events.subscribe", events=["no.such"]))
        assert told["error"]["code"] == PARAMS
        assert line.ask(request("events.subscribe", events=["peer.down", "member.revoked"],
                                network="home"))["result"] == {}
        hit = bob.hit
        alice.rpc("member.revoke", member="bob")
        seen = [line.hear()["params"]]
        while {e["event"] for e in seen} != {"peer.down", "member.revoked"}:
            seen.append(line.hear()["params"])
        assert all(e["network"] == "home" and e["text"] for e in seen)
        assert {e["hit"] for e in seen} == {hit}


# ---- the command line ----


def commands():
    """All that ask the daemon, as the help lists them."""
    shown = subprocess.run([WARREN, "--help"], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", shown, re.M)
    return [c for c in found if c.split()[0] not in ("id", "cert", "site")]


def operands(command):
    """Something for each operand that has to be there."""
    shown = subprocess.run([WARREN, *command.split(), "--help"], capture_output=True, text=True,
                           check=True).stdout
    usage = " ".join(shown.split("\n\n")[0].split())
    while "[" in usage:  # what need not be there, from the inside
        usage = re.sub(r"\[[^][]*\](\.\.\.)?", "", usage)
    words = usage.split()[2 + len(command.split()):]
    more = ["--right", "invite"] if command == "member promote" else []
    good = {"INVITATION": "warren:1:abc", "SETTING=VALUE...": "dhcp=allow"}
    return [good.get(word, "x") for word in words] + more


def test_without_a_daemon(tmp_path):
    """Every command says so, with what to do, and ends with 3."""
    assert len(commands()) >= 30
    for command in commands():
        if command in ("up", "complete"):  # which starts it; which then completes nothing
            continue
        for more in ([], ["--json"]):
            done = subprocess.run([WARREN, *command.split(), *operands(command), *more,
                                   "--socket", str(tmp_path / "nothing")],
                                  capture_output=True, text=True, timeout=20)
            assert done.returncode == NO_DAEMON, (command, done)
            assert "sudo warren up" in done.stderr, (command, done)
            if more:
                assert "sudo warren up" in json.loads(done.stdout)["error"]


def test_up_and_down(lab):
    """`warren up` starts it and returns when it answers; what is kept comes up by itself."""
    ns = lab.namespace("host")
    folder = os.path.join(lab.directory, "host")
    env = {"WARREN_SOCKET": os.path.join(folder, "run", "sock")}
    os.makedirs(folder)

    def warren(*arguments, code=DONE):
        done = ns.run([WARREN, *arguments], check=False, timeout=40, env=env)
        assert code in (None, done.code), (arguments, done.code, done.stdout, done.stderr)
        return done.stdout + done.stderr

    up = ["up", "--state", os.path.join(folder, "state"), "--listen", "41000"]
    try:
        shown = warren(*up)
        assert "warrend is up" in shown and "network create" in shown
        run = os.stat(os.path.join(folder, "run"))  # the group of the socket gets there
        assert stat.S_IMODE(run.st_mode) == 0o755
        hit = re.search(r"identity: (2001:2\S+)", shown)[1]
        assert "was up already" in warren(*up)
        warren("network", "create", "lab")
        assert "warrend has ended" in warren("down")
        assert "sudo warren up" in warren("down", code=NO_DAEMON)
        shown = json.loads(ns.run([WARREN, *up, "--json"], env=env, timeout=40).stdout)
        assert shown["identity"]["hit"] == hit and shown["started"] is True
        assert [n["name"] for n in shown["networks"]] == ["lab"]
        assert shown["port"] == 41000
    finally:
        warren("down", code=None)
    told = warren("up", "--state", "/dev/null/nowhere", code=REFUSED)
    assert "warrend: " in told and "did not start" in told


@pytest.mark.watchdog(120)
def test_examples_of_the_help(lab, pair, tmp_path):
    """What the help tells to type does what it says, in an order in which it makes sense."""
    alice, bob = pair
    carol = Node(lab, lab.namespace("carol"), "carol").start()
    (tmp_path / "sudo").write_text("#!/bin/sh\nexec \"$@\"\n")
    (tmp_path / "sudo").chmod(0o755)
    path = "%s:%s:%s" % (tmp_path, os.path.dirname(WARREN), os.environ["PATH"])
    shown = {c: subprocess.run([WARREN, *c.split(), "--help"], capture_output=True, text=True,
                               check=True).stdout.split("Example:\n")[1] for c in commands()}

    def type_it(command, node=alice, text=None):
        done = node.ns.run(["bash", "-ec", "cd %s\n%s" % (tmp_path, text or shown[command])],
                           check=False, timeout=60,
                           env={"WARREN_SOCKET": node.socket_path, "PATH": path})
        assert done.code in ((0, 1) if command == "doctor" else (0,)), (command, done.stdout,
                                                                      done.stderr)
        typed.add(command)

    typed = set()
    shown["events"] = "timeout 2 %s || test $? = 124\n" % shown["events"].strip()
    later = {"down", "join", "member revoke", "network leave", "network delete", "network create",
             "network meet", "dht create", "dht get", "route remove", "route ignore", "up",
             "attach", "detach", "bridge show", "bridge set"}
    for command in shown:
        if command not in later:
            type_it(command)
    type_it("route remove")
    type_it("route ignore")
    alice.cli("wait", "peer", "bob")  # whose rights have just become less
    alice.cli("wait", "connected")
    type_it("dht get")
    type_it("dht create")
    type_it("join", carol, shown["join"].replace("home.invitation", "home.invitation --no-wait"))
    type_it("network leave", carol)
    alice.cli("wait", "peer", "bob")
    type_it("member revoke")
    type_it("network delete")
    lab.veth(alice.ns, "eth1", lab.namespace("machine"), "m0")
    (tmp_path / "site.conf").write_text("[network site]\ncreate = yes\n")
    for command in ("up", "attach", "bridge show", "bridge set", "detach"):
        type_it(command)
    type_it("network create")
    alice.cli("network", "create", "plaza", "--open")
    type_it("network meet")
    type_it("down")
    assert typed == set(shown)
    alice.start()


def test_every_command_is_in_the_manual_page():
    with open(os.path.join(REPO, "docs", "warren.1")) as stream:
        page = stream.read()
    named = set()
    for first, rest in re.findall(r"^\.(?:It )?Cm (\S+)(.*)$", page, re.M):
        words = re.findall(r"[a-z]+", rest)
        named |= {first} | {first + " " + word for word in words} | set(words)
    assert not set(commands()) - named


def test_identity_of_the_daemon(node):
    identity = node.rpc("status")["identity"]
    shown = node.cli("id", "show", "--daemon")
    assert identity["hit"] in shown and identity["fingerprint"] in shown
    told = json.loads(node.cli("id", "show", "--daemon", "--json"))
    assert told["public_key_hex"] == identity["public_key"]
    assert node.cli("id", "show", "--daemon", "--public").startswith("{")


def test_status_says_who_by_which_path(pair):
    alice, bob = pair
    shown = bob.cli("status")
    assert re.search(r"network: home\n  state: connected, 2 nodes\n", shown), shown
    assert re.search(r"peer: alice\n    address: %s\n    path: direct 11\.0\.\d+\.2:\d+\n"
                     % re.escape(alice.address()), shown), shown
    assert re.search(r"round trip: \d+\.\d ms", shown), shown
    assert "name: bob.home.warren" in shown
    line = bob.cli("peers")
    assert re.fullmatch(r"alice +%s +\d+\.\d ms  direct \S+\n" % re.escape(alice.address()), line)
    told = json.loads(bob.cli("status", "home", "--json"))
    assert told["networks"][0]["peers"][0]["name"] == "alice"


def test_names_addresses_hits_and_keys_are_the_same_person(pair):
    alice, bob = pair
    identity = bob.rpc("status")["identity"]
    for name in ("bob", "bob.home.warren", "BOB.home.warren.", bob.address(), identity["hit"],
                 identity["fingerprint"], identity["public_key"]):
        assert json.loads(alice.cli("resolve", name, "--json"))["hit"] == identity["hit"], name
        assert json.loads(alice.cli("ping", name, "--json"))["path"] == "direct", name
    assert json.loads(bob.cli("resolve", "bob", "--json"))["self"] is True
    assert re.match(r"bob \(%s\): \d+\.\d ms, direct " % re.escape(bob.address()),
                    alice.cli("ping", "bob"))
    for name, code in (("carol", REFUSED), ("Carol!", USAGE), (alice.address(), REFUSED),
                       (identity["fingerprint"][:-1] + "x", USAGE)):
        told = alice.run_cli("ping", name)
        assert told.code == code and told.stderr.startswith("warren: "), (name, told.stderr)


def test_invitations_in_each_form(lab, pair, tmp_path):
    alice, _ = pair
    picture, path = tmp_path / "i.svg", tmp_path / "i"
    alice.cli("invite", "home", "--uses", "9", "--expires", "7d", "--file", str(path),
              "--qr=" + str(picture))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "is there already" in alice.run_cli("invite", "--file", str(path)).stderr
    line = alice.cli("invite", "--may-invite", "--no-relay", "--address", "10.0.0.0/8",
                     "--allow", "tcp/22")
    assert re.fullmatch(r"warren:1:[A-Za-z0-9_-]+\n", line)
    listed = alice.cli("invitation", "list").splitlines()
    assert len(listed) == 3 and all("until 20" in one for one in listed)
    last = [one for one in json.loads(alice.cli("invitation", "list", "--json"))["invitations"]
            if one["uses"] == 9][0]
    again = alice.cli("invitation", "show", last["id"][:8])
    forms = [str(path), "-", again.strip(), alice.rpc("invitation.show", id=last["id"])["qr"]]
    assert picture.read_text().startswith("<svg ")
    for number, form in enumerate(forms):
        node = Node(lab, lab.namespace("n%d" % number), "n%d" % number).start()
        given = path.read_text() if form == "-" else None
        assert "joined" in node.cli("join", form, "--no-wait", stdin=given)
        assert node.network("home")["rights"] == ["member"]
        told = node.run_cli("join", form, stdin=given)
        assert told.code == REFUSED and told.stderr.startswith("warren: "), told.stderr
        node.stop()
    alice.cli("invitation", "revoke", last["id"])
    assert "taken back" in alice.cli("invitation", "list")
    assert "taken back" in alice.run_cli("invitation", "show", last["id"]).stderr


def test_refusals_name_cause_and_next_step(pair):
    alice, bob = pair
    told = bob.run_cli("invite")
    assert told.code == REFUSED and "no invitation was made" in told.stderr
    assert alice.run_cli("join", "warren:1:abc").code == REFUSED
    assert "neither an invitation" in alice.run_cli("join", "no-such-file").stderr
    assert "deletes it" in alice.run_cli("network", "leave", "home").stderr
    assert "network leave" in bob.run_cli("network", "delete", "home").stderr
    assert alice.run_cli("network", "show", "house").code == REFUSED
    assert "already" in alice.run_cli("network", "create", "home").stderr
    for line in ("invite --uses many", "invite --expires yesterday", "invite --allow ssh",
                 "invite --address everywhere", "member promote bob", "wait members",
                 "member promote bob --role king", "wait forever", "network create UPPER",
                 "network create a --ipv4 8.8.8.0/24", "log loud", "trace bob --protocol x"):
        told = alice.run_cli(*shlex.split(line))
        assert told.code == USAGE and told.stderr.startswith("warren: "), (line, told.stderr)
    with pytest.raises(Refusal) as refusal:
        bob.rpc("invite")
    assert refusal.value.reason == "NOT_ADMITTED"
    alice.rpc("network.create", name="second")
    told = alice.run_cli("invite")
    assert told.code == REFUSED and "several networks" in told.stderr and "home" in told.stderr
    assert "several networks" in alice.run_cli("ping", "bob").stderr
    for name in ("bob.home.warren", bob.address()):  # says itself which network
        assert json.loads(alice.cli("ping", name, "--json"))["path"] == "direct"


def test_members_are_promoted_demoted_thrown_out(pair):
    alice, bob = pair
    shown = alice.cli("member", "list")
    assert re.search(r"^alice .* owner,.*\(this machine\)$", shown, re.M), shown
    assert re.search(r"^bob +%s .* member until 20" % re.escape(bob.address()), shown, re.M), shown
    assert bob.run_cli("invite").code == REFUSED
    alice.cli("member", "promote", "bob", "--role", "inviter")
    bob.wait(lambda n: "invite" in n.network("home")["rights"], 10, "may invite")
    assert bob.cli("invite").startswith("warren:1:")
    alice.cli("member", "demote", "bob")
    bob.wait(lambda n: n.network("home")["rights"] == ["member"], 10, "is a plain member")
    assert "no member any more" in alice.cli("member", "revoke", bob.hit)
    bob.wait(lambda n: n.network("home")["rights"] == [], 10, "is thrown out")
    assert "revoked" in bob.cli("status")


def test_what_passes_is_traced(pair):
    alice, bob = pair
    alice.cli("wait", "peer", "bob")
    shown = alice.cli("trace", "bob", "--protocol", "tcp", "--port", "22")
    assert shown.startswith("passes (by_rule): a rule of this host's permits it, "
                            "as the network's owner"), shown
    told = json.loads(bob.cli("trace", "alice", "--json"))
    assert told["passes"] and told["direction"] == "out" and len(told["certificate"]["hash"]) == 64
    assert json.loads(bob.cli("trace", "alice", "--ipv6", "--inbound", "--json"))["passes"]


@pytest.mark.watchdog(120)
def test_an_admin_goes_on_without_the_owner(lab):
    """Invites, with limits that trace tells of, and throws out; by the command line alone."""
    internet = Internet(lab)

    def host(name):
        return Node(lab, internet.public(name).ns, name).start()

    alice, bob, carol = (host(name) for name in ("alice", "bob", "carol"))
    Network(alice, "home").join(bob, carol).settle()
    bob.cli("wait", "ready")
    alice.cli("member", "promote", "bob", "--role", "admin")
    bob.wait(lambda n: "admin" in n.network("home")["rights"], 10, "is an admin")
    alice.stop()
    dave, erin = host("dave"), host("erin")
    shown = dave.cli("join", bob.cli("invite", "home").strip(), "--host-name", "dave")
    assert "name: dave.home.warren" in shown, shown
    line = bob.cli("invite", "home", "--allow", "icmp", "--allow", "tcp/80").strip()
    erin.cli("join", line, "--host-name", "erin")
    assert "no member any more" in bob.cli("member", "revoke", "carol")
    carol.wait(lambda n: n.network("home")["rights"] == [], 10, "is thrown out")
    for node in (dave, erin):
        node.cli("wait", "peer", "erin" if node is dave else "dave")
    dave.ping(erin)
    erin.ping(dave)
    for node, other, more in ((erin, "dave", []), (dave, "erin", ["--inbound"])):
        told = node.run_cli("trace", other, "--protocol", "tcp", "--port", "22", *more)
        assert told.code == REFUSED and told.stdout.startswith("refused (no_port): "), told.stdout
        assert "passes" in node.cli("trace", other, "--protocol", "tcp", "--port", "80", *more)
    told = carol.run_cli("doctor").stdout  # whom nobody answers for a reason of its own
    assert "revoked" in told and "drops UDP" not in told and "ends in" not in told, told


def test_records_are_stored_and_found(pair):
    alice, bob = pair
    assert re.match(r"stored at \d nodes?", alice.cli("dht", "put", "svc/_x", "hello world"))
    assert bob.cli("dht", "get", "svc/_x") == alice.hit + " hello world\n"
    assert bob.run_cli("dht", "get", "svc/_nothing").code == REFUSED
    told = bob.run_cli("dht", "create", "name/alice", "x")
    assert told.code == REFUSED and "not stored" in told.stderr
    alice.cli("dht", "delete", "svc/_x")
    assert bob.run_cli("dht", "get", "svc/_x").code == REFUSED


def test_waiting_ends_in_time(pair):
    alice, bob = pair
    for goal in ("ready", "connected home", "address", "name", "members 2", "peer bob",
                 "direct " + bob.address()):
        assert "home" in alice.cli("wait", *goal.split()) or goal.split()[0] in ("peer", "direct")
    for goal in ("members 3", "peer carol"):
        told = alice.run_cli("wait", *goal.split(), "--timeout", "1")
        assert told.code == REFUSED and "within 1 s" in told.stderr, told.stderr


def test_routes_are_offered_and_accepted(pair):
    alice, bob = pair
    assert alice.cli("route", "add", "192.168.7.0/24") == "offered 192.168.7.0/24\n"
    assert re.match(r"192\.168\.7\.0/24 +this machine\n", alice.cli("route", "list"))
    told = bob.run_cli("route", "add", "192.168.8.0/24")
    assert told.code == REFUSED and "no right" in told.stderr, told.stderr
    assert alice.run_cli("route", "add", alice.address() + "/32").code == REFUSED
    assert alice.run_cli("route", "add", "here").code == USAGE
    bob.wait(lambda n: "alice, not used here" in n.cli("route", "list"), 10, "hears of it")
    bob.cli("route", "accept")
    bob.wait(lambda n: "alice, in use" in n.cli("route", "list"), 10, "uses it")
    assert "192.168.7.0/24" in bob.network()["routes"]
    assert "192.168.7.0/24" in bob.ns.run(["ip", "route"]).stdout
    bob.cli("route", "ignore")
    bob.wait(lambda n: "192.168.7.0/24" not in n.network()["routes"], 10, "uses it no more")
    alice.cli("route", "remove", "192.168.7.0/24")
    bob.wait(lambda n: n.cli("route", "list") == "nobody offers a route\n", 10, "it is gone")
    assert alice.run_cli("route", "remove", "192.168.7.0/24").code == REFUSED


def test_leaving_and_deleting(pair):
    alice, bob = pair
    assert bob.cli("network", "leave", "home") == "left home\n"
    assert bob.network() is None and "in no network" in bob.cli("network", "list")
    alice.wait(lambda n: not n.network()["peers"], 20, "bob is gone")
    assert alice.cli("network", "delete", "home") .startswith("gave up home; ")
    assert alice.network() is None
    assert not os.listdir(os.path.join(alice.state, "networks"))


def test_log_level(node):
    assert node.cli("log") == "info\n"
    assert node.cli("log", "verbose") == "verbose\n"
    assert node.cli("log") == "verbose\n"


def test_reports(pair):
    alice, _ = pair
    findings = json.loads(alice.cli("doctor", "--json", code=None))["findings"]
    assert findings and all(f["state"] in ("ok", "warning", "fault") and f["text"]
                            for f in findings)
    assert all(f["fix"] for f in findings if f["state"] != "ok")
    assert json.loads(alice.cli("netcheck", "--json"))
