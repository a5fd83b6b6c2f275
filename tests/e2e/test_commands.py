# SPDX-License-Identifier: Apache-2.0
"""What all commands of `warren` have in common: help, exit codes, errors in words and in JSON,
secrets that do not stay among the arguments; and events, probes, addresses as people see them."""

import fcntl
import json
import os
import re
import socket
import subprocess
import time

import pytest

from harness import wait
from harness.internet import Internet
from harness.warrend import DONE, NO_DAEMON, REFUSED, USAGE, WARREN, Network, Node

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.one_thread]


def run(*arguments, **more):
    return subprocess.run([WARREN, *arguments], capture_output=True, text=True, timeout=30,
                          stdin=subprocess.DEVNULL, **more)


# What commands need besides what stands in their usage.
LINES = {"bridge set": ["lab", "dhcp=allow"], "attach": ["lab", "eth0"], "detach": ["lab", "eth0"],
         "member promote": ["bob", "--role", "inviter"], "join": ["warren:1:AAAA"],
         "id show": ["--daemon"]}


def commands():
    """All of them, as the help lists them."""
    return re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", run("--help").stdout, re.M)


def operands(command):
    """Something for each operand and option that has to be there."""
    usage = " ".join(run(*command.split(), "--help").stdout.split("\n\n")[0].split())
    while "[" in usage:  # what need not be there, from the inside
        usage = re.sub(r"\[[^][]*\](\.\.\.)?", "", usage)
    return usage.split()[2 + len(command.split()):]


@pytest.fixture
def pair(lab):
    internet = Internet(lab)
    nodes = [Node(lab, internet.public(name).ns, name).start() for name in ("alice", "bob")]
    Network(nodes[0], "home").join(nodes[1]).settle()
    nodes[1].cli("wait", "ready")
    return nodes


def test_every_command_has_help():
    """With usage, a summary that is in the list of all, every option in a line, and an example."""
    listed = " ".join(run("--help").stdout.split())
    assert len(commands()) >= 42
    for command in commands():
        for ask in ([*command.split(), "--help"], ["help", *command.split()]):
            told = run(*ask)
            assert told.returncode == DONE and told.stderr == "", (ask, told)
            assert told.stdout.startswith("usage: warren %s" % command), told.stdout
            assert "\nExample:\n  " in told.stdout
        assert max(len(line) for line in told.stdout.splitlines()) <= 80, command
        usage, summary = told.stdout.split("\n\n")[:2]
        assert " ".join(summary.split()) in listed, command
        for option in re.findall(r"--[a-z0-9-]+", usage):
            assert re.search(r"^  %s\b" % option, told.stdout, re.M), (command, option)
        assert re.search(r"^  --json  ", told.stdout, re.M), command


def test_wrong_usage_is_the_same_everywhere():
    """Exit code 2, one line that says where to look, and with --json the same as JSON."""
    for command in commands():
        cases = [[*command.split(), "--no-such-option"]]
        if operands(command):
            cases += [command.split()]
        if re.search(r"--socket PATH", run(*command.split(), "--help").stdout):
            cases += [[*command.split(), *operands(command), "--socket"]]
        for case in cases:
            told = run(*case)
            assert told.returncode == USAGE and told.stdout == "", (case, told)
            assert re.fullmatch(r"warren: [^\n]+\n", told.stderr), (case, told)
            assert command in told.stderr, (case, told)
            told = run("--json", *case) if case[-1] == "--socket" else run(*case, "--json")
            assert told.returncode == USAGE, (case, told)
            assert json.loads(told.stdout)["error"] in told.stderr, (case, told)


def test_a_word_of_a_command_leads_to_it():
    for typed, meant in (("leave", "warren network leave"), ("revoke", "warren member revoke"),
                         ("stauts", "warren status"), ("list", "warren network list"),
                         ("promote", "warren member promote")):
        told = run(typed)
        assert told.returncode == USAGE and meant in told.stderr, told
    told = run("member", "revoke")
    assert "member revoke: MEMBER is missing" in told.stderr
    assert "dht put: VALUE is missing" in run("dht", "put", "svc/x").stderr


def test_refusals_are_alike_in_words_and_json(pair):
    """Exit code 1 (2 where what was typed is wrong), a sentence on stderr, and as JSON with a code;
    parameters have the names that they have on the command line."""
    alice, _ = pair
    for typed, code, said in (
            ("ping nobody", REFUSED, "member list"), ("network show nowhere", REFUSED, "home ("),
            ("invite --uses 0", USAGE, "--uses has to be"),
            ("invitation revoke 12", USAGE, "ID has to be"),
            ("invitation revoke 1234", REFUSED, "invitation list"),
            ("invite --address 1.2.3.4", USAGE, "--address: \"1.2.3.4\" is not of the network's"),
            ("route add 10.0.0.0/33", USAGE, "RANGE has to be"),
            ("ping bob --timeout 0", USAGE, "--timeout has to be"),
            ("dht put nonsense x", USAGE, "svc/NAME"),
            ("events no.such", USAGE, "peer.up"), ("log loud", USAGE, "LEVEL is silent"),
            ("network leave home", REFUSED, "network delete home"),
            ("member promote bob --right fly", USAGE, "--right"),
            ("wait members 50 --timeout 1", REFUSED, "warren status"),
            ("ping bob --count 0", USAGE, "from 1 on")):
        told = alice.run_cli(*typed.split())
        assert (told.code, told.stdout) == (code, ""), (typed, told.code, told.stdout, told.stderr)
        assert re.fullmatch(r"warren: [^\n]+\n", told.stderr) and said in told.stderr, told.stderr
        again = alice.run_cli(*typed.split(), "--json")
        shown = json.loads(again.stdout)
        assert again.code == code and shown["error"] == told.stderr[len("warren: "):-1], typed


def test_what_was_probably_meant_is_named(pair):
    """Names of members and networks, as commands and options."""
    alice, _ = pair
    for typed, meant in (("ping bbo", "bob"), ("trace bobb", "bob"), ("resolve alcie", "alice"),
                         ("network show hoem", "home"), ("ping bob --network hmoe", "home")):
        told = alice.run_cli(*typed.split())
        assert told.code == REFUSED, (typed, told.stderr)
        assert told.stderr.endswith("; did you mean: %s\n" % meant), told.stderr
    assert "did you mean" not in alice.run_cli("ping", "somebody-else").stderr


def test_what_was_meant_is_named_by_a_slow_daemon_too(tmp_path):
    """One that needs half a second for the second question."""
    path = tmp_path / "slow.sock"
    answers = ({"error": {"code": 2, "message": "there is no member bbo"}},
               {"result": {"networks": [{"name": "home", "peers": [{"name": "bob"}]}]}})
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        s.listen(1)
        asked = subprocess.Popen([WARREN, "ping", "bbo", "--socket", str(path)], text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for n, answer in enumerate(answers):
            s.settimeout(20)
            with s.accept()[0] as c, c.makefile("rwb") as stream:
                stream.readline()
                time.sleep(n * 0.5)
                stream.write(json.dumps({"jsonrpc": "2.0", "id": 1, **answer}).encode() + b"\n")
                stream.flush()
        shown = asked.communicate(timeout=20)[1]
    assert asked.returncode == REFUSED and shown.endswith("; did you mean: bob\n"), shown


def test_without_a_daemon_every_command_that_asks_it_says_so(tmp_path):
    """Exit code 3 with the next step, in JSON too; the others do without it."""
    path = tmp_path / "no.sock"
    asking = 0
    for command in commands():
        shown = run(*command.split(), "--help").stdout
        if command in ("up", "site apply") or "--socket PATH" not in shown:
            continue
        line = [*command.split(), *LINES.get(command, operands(command))]
        told = run(*line, "--socket", str(path))
        assert told.returncode == NO_DAEMON and told.stdout == "", (line, told)
        assert str(path) in told.stderr and "sudo warren up" in told.stderr, told.stderr
        told = run(*line, "--socket", str(path), "--json")
        assert told.returncode == NO_DAEMON, (line, told)
        assert json.loads(told.stdout)["error"] in told.stderr, told
        asking += 1
    assert asking >= 36


def test_how_a_daemon_is_not_there_is_told_apart(tmp_path):
    """Killed, starting or ending, of others, or something else: each with its next step."""
    left, path = tmp_path / "left.sock", tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(left))
    told = run("status", "--socket", str(left))
    assert told.returncode == NO_DAEMON and "it was killed" in told.stderr, told.stderr
    with open(str(left) + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = run("status", "--socket", str(left))
        assert told.returncode == NO_DAEMON and "just starting, or ending" in told.stderr
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        s.listen(1)
        asked = subprocess.Popen([WARREN, "status", "--socket", str(path)], text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        other, _ = s.accept()
        with other:
            other.recv(4096)
            other.sendall(b"220 mail is served here\n")
            out, err = asked.communicate(timeout=20)
    assert asked.returncode == NO_DAEMON and out == "" and "is not warrend" in err, err


def test_json_is_what_reading_commands_print(pair):
    """One JSON text, and numbers as people write them."""
    alice, _ = pair
    for typed in ("status", "peers", "network list", "network show", "invitation list",
                  "member list", "ping bob", "ping bob --count 2", "resolve bob", "trace bob",
                  "wait ready", "netcheck", "route list", "log", "audit", "top --once",
                  "id show --daemon"):
        shown = alice.cli(*typed.split(), "--json", code=DONE)
        assert isinstance(json.loads(shown), dict), typed
        assert not re.search(r"\d\.\d{10}", shown), shown


def test_an_invitation_does_not_stay_among_the_arguments(lab):
    """It is on stdin or in a file; if it was an argument, it is taken out of what ps(1) shows."""
    internet = Internet(lab)
    alice, bob = (Node(lab, internet.public(name).ns, name).start() for name in ("alice", "bob"))
    alice.rpc("network.create", name="home")
    told = alice.run_cli("invite")
    line, hint = told.stdout.strip(), told.stderr
    assert "warren join -" in hint and line not in hint
    alice.stop()  # so that bob waits for somebody
    process = lab.spawn([WARREN, "join", line, "--socket", bob.socket_path], netns=bob.ns,
                        owned=True, label="join")
    wait.until(lambda: bob.network("home"), 20, "bob has joined")
    with open("/proc/%d/cmdline" % process.pid, "rb") as stream:
        shown = stream.read()
    assert b"join" in shown and b"warren:1:" not in shown, shown
    process.end(15, 10)
    bob.cli("network", "leave", "home")
    told = bob.run_cli("join", "-", stdin="")
    assert told.code == REFUSED and "standard input holds no invitation: it is empty" in told.stderr
    told = bob.run_cli("join", "-", "--no-wait", stdin=line + "\n")
    assert told.code == DONE, told.stderr


def test_ping_shows_each_probe(pair):
    alice, bob = pair
    shown = alice.cli("ping", "bob", "--count", "3")
    times = re.findall(r"^bob \(%s\): (\d+\.\d) ms, direct \S+$" % re.escape(bob.address()), shown,
                       re.M)
    assert len(times) == 3, shown
    told = json.loads(alice.cli("ping", "bob", "--count", "2", "--json"))
    assert len(told["probes_ms"]) == 2 and told["probes_ms"][-1] == told["probe_ms"] > 0
    assert len(set(told["probes_ms"])) == 2, "each is measured"
    os.kill(bob.process.pid, 19)  # SIGSTOP: the host answers, warrend does not
    try:
        told = alice.run_cli("ping", "bob", "--timeout", "2")
        assert told.code == REFUSED and "bob" in told.stderr, told
    finally:
        os.kill(bob.process.pid, 18)
    alice.cli("ping", "bob")


def test_events_are_shown_as_they_come(lab):
    internet = Internet(lab)
    alice, bob = (Node(lab, internet.public(name).ns, name).start() for name in ("alice", "bob"))
    home = Network(alice, "home")
    watchers = [lab.spawn([WARREN, "events", "--socket", alice.socket_path, "--count", "1", *more],
                          netns=alice.ns, owned=True, label="events")
                for more in (["peer.up"], ["peer.up", "--json"], ["--network", "home", "peer.up"])]
    left = lab.spawn([WARREN, "events", "--socket", bob.socket_path], netns=bob.ns, owned=True,
                     label="left")

    def is_heard():
        """Watchers may have come after the first event: another one then."""
        if len(home.nodes) == 1:
            home.join(bob).settle()
        else:
            bob.restart()
        wait.until(lambda: alice.peer(bob), 20, "bob is there")
        return not any(w.running() for w in watchers)

    wait.until(is_heard, 60, "the events are told")
    for watcher in watchers:
        assert watcher.popen.returncode == DONE, watcher.log()
    assert re.fullmatch(r"\d{4}-\S+Z  home  peer\.up: .*\n", watchers[0].log()), watchers[0].log()
    event = json.loads(watchers[1].log())
    assert event["event"] == "peer.up" and event["network"] == "home" and event["hit"] == bob.hit
    bob.stop()
    wait.until(lambda: not left.running(), 20, "it notices that the daemon has gone")
    assert left.popen.returncode == NO_DAEMON and "warren up" in left.log()
    bob.start()


def test_who_is_thrown_out_may_hold_an_invitation(pair):
    """Whoever throws him out is told."""
    alice, bob = pair
    alice.rpc("invite", uses=3)
    told = alice.cli("member", "revoke", "bob")
    assert "1 invitation for several machines can still be used" in told, told
    assert "warren invitation revoke ID" in told


def test_addresses_in_words_are_ones_own(pair):
    """Not the one at which names are asked for, which is the same everywhere."""
    for node in pair:
        told = node.network("home")
        shown = re.search(r"addresses: (.*)", node.cli("status"))[1].split(", ")
        assert shown[0].split("/")[0] == told["ipv4"] and told["resolver"] + "/32" not in shown
        assert len(shown) == 3, shown
