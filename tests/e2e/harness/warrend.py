# SPDX-License-Identifier: Apache-2.0
"""A running daemon with its own namespace, state folder and control socket, and networks of such.

    net = Network(Node(lab, ns1, "alice").start(), "lab")      # creates it
    net.join(Node(lab, ns2, "bob").start())
    net.settle()
    bob.ping(alice)
"""

import itertools
import json
import os
import pwd
import signal
import socket
import time

from harness import traffic, wait
from harness.tunnel import REPO, SANITIZER

BUILD = os.path.abspath(os.environ.get("WARREN_BUILD", os.path.join(REPO, "build")))
WARREND, WARREN = os.path.join(BUILD, "warrend"), os.path.join(BUILD, "warren")
PORT = 41000
USER = "nobody"  # who daemons become: somebody whom every Debian has
DONE, REFUSED, USAGE, NO_DAEMON = 0, 1, 2, 3


class Refusal(Exception):
    """The daemon refused: 'code', 'reason' and the sentence."""

    def __init__(self, method, error):
        super().__init__("%s: %s" % (method, error))
        self.code, self.text = error["code"], error["message"]
        self.reason = (error.get("data") or {}).get("reason")


class Node:
    """One warrend. Lab ends it, and checks that it ended as it should."""

    def __init__(self, lab, ns, name, port=PORT, options=()):
        self.lab, self.ns, self.name, self.port = lab, ns, name, port
        self.options, self.env = list(options), {}
        self.folder = os.path.join(lab.directory, name)
        self.state = os.path.join(self.folder, "state")
        self.socket_path = os.path.join(self.folder, "sock")
        os.makedirs(self.folder, exist_ok=True)
        os.chown(self.folder, pwd.getpwnam(USER).pw_uid, -1)  # for the control socket
        self.process = None
        self.numbers = itertools.count(1)
        lab.register(self)

    def __repr__(self):
        return self.name

    # ---- life ----

    def start(self, is_waiting=True):
        assert self.process is None or not self.process.running()
        self.process = self.lab.spawn(
            [WARREND, "--foreground", "--state", self.state, "--socket", self.socket_path,
             "--user", USER, "--listen", str(self.port), "--no-map-ports",
             "--no-tell-resolver", *self.options],
            netns=self.ns, owned=True, label=self.name, env=self.env)
        return self.ready() if is_waiting else self

    def ready(self):
        """Waits until it answers."""
        def answers():
            assert self.process.running(), "%s ended with %d:\n%s" % (
                self.name, self.process.popen.returncode, self.process.log()[-3000:])
            try:
                return self.rpc("version")
            except (OSError, EOFError):
                return None
        wait.until(answers, 10, "control socket of " + self.name)
        return self

    def stop(self):
        """Ends it in good order."""
        code = self.process.end(signal.SIGTERM, 25)
        assert code == 0, "%s ended with %d:\n%s" % (self.name, code, self.process.log()[-3000:])

    def kill(self):
        """Ends it at once, as a crash does."""
        self.process.end(signal.SIGKILL, 10)

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        if self.process is None:
            return
        if self.process.running():
            self.stop()
        complaint = SANITIZER.search(self.process.log())
        assert complaint is None, "%s: %s" % (self.name, complaint and complaint.group(0))

    # ---- questions and commands ----

    def rpc(self, method, timeout=60, **params):
        """Calls a method of the control socket and returns its result; raises Refusal."""
        number = next(self.numbers)  # several threads ask
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(timeout * wait.SLOW)
            s.connect(self.socket_path)
            line = json.dumps({"jsonrpc": "2.0", "id": number, "method": method,
                               "params": params})
            s.sendall(line.encode() + b"\n")
            with s.makefile("rb") as stream:
                answer = stream.readline()
        if not answer:
            raise EOFError("%s closed the connection on %s" % (self.name, method))
        told = json.loads(answer)
        assert told["id"] == number and told["jsonrpc"] == "2.0", told
        if "error" in told:
            raise Refusal(method, told["error"])
        return told["result"]

    def cli(self, *args, code=DONE, timeout=60, stdin=None):
        """Runs `warren` on this host and returns what it printed; 'code' None: any."""
        result = self.run_cli(*args, timeout=timeout, stdin=stdin)
        assert code is None or result.code == code, "warren %s on %s: %d\n%s%s" % (
            " ".join(args), self.name, result.code, result.stdout, result.stderr)
        return result.stdout

    def run_cli(self, *args, timeout=60, stdin=None):
        return self.ns.run([WARREN, *args], check=False, timeout=timeout, stdin=stdin,
                           env={"WARREN_SOCKET": self.socket_path})

    def network(self, name=None):
        """What it says of a network, peers included; None: it is in none of that name."""
        networks = self.rpc("status")["networks"]
        if name is None:
            return networks[0] if networks else None
        return next((n for n in networks if name in (n["name"], n["id"])), None)

    def address(self, network=None, family=4):
        told = self.network(network)
        return told and told["ipv%d" % family]

    def peer(self, other, network=None):
        """What it says of another node as its peer; None: it has no such peer."""
        hit = other.hit if isinstance(other, Node) else other
        return next((p for p in self.network(network)["peers"] if p["hit"] == hit), None)

    def path(self, other, network=None):
        peer = self.peer(other, network)
        return peer and peer["path"]

    @property
    def hit(self):
        return self.rpc("status")["identity"]["hit"]

    def wait(self, condition, seconds, what):
        return wait.until(lambda: condition(self), seconds, "%s: %s" % (self.name, what), 0.05)

    def is_in(self, network=None, has_address=True):
        told = self.network(network)
        return bool(told and told["state"] == "connected"
                    and (told["ipv4"] or not has_address))

    # ---- packets ----

    def ping(self, other, network=None, family=4, wait_s=20, count=1):
        """Pings by address; every packet has to be answered."""
        address = other.address(network, family) if isinstance(other, Node) else other
        assert address, "%r has no address" % other
        answered = traffic.ping(self.ns, address, wait_s=wait_s, count=count)
        assert answered == count, "%r -> %r (%s): %d of %d pings answered\n%s" % (
            self, other, address, answered, count, self.explain(other, network))

    def go_direct(self, other, network=None, seconds=20):
        """Pings until the path is direct: traffic is what such a path is looked for for."""
        def is_direct():
            self.ping(other, network)
            return self.path(other, network) == "direct"
        try:
            wait.until(is_direct, seconds, "a direct path from %r to %r" % (self, other), 0.2)
        except AssertionError as failed:
            raise AssertionError("%s\n%s" % (failed, self.explain(other, network))) from None

    def first_ping(self, other, network=None, family=4, wait_s=20):
        """Seconds until one echo request is answered; None: it is not."""
        address = other.address(network, family)
        begun = time.monotonic()
        return time.monotonic() - begun if traffic.ping(self.ns, address, wait_s=wait_s) else None

    def explain(self, other, network=None):
        """For the text of a failed test."""
        shown = []
        for one, far in ((self, other), (other, self)):
            if not isinstance(one, Node) or not one.process.running():
                continue
            told = one.network(network)
            peers = told.pop("peers", [])
            told.pop("service", None)
            shown += ["%r: %s" % (one, json.dumps(told))]
            shown += ["  " + json.dumps(p) for p in peers
                      if not isinstance(far, Node) or p["hit"] == far.hit]
        return "\n".join(shown)

    def log(self):
        return self.process.log() if self.process else ""


class Network:
    """A network with its owner and whoever has joined."""

    def __init__(self, owner, name="lab", **params):
        self.owner, self.name = owner, name
        self.id = owner.rpc("network.create", name=name, host_name=owner.name, **params)["id"]
        self.nodes = [owner]

    def invite(self, by=None, **params):
        """The line of an invitation."""
        return (by or self.owner).rpc("invite", network=self.id, **params)["line"]

    def join(self, *nodes, by=None, **params):
        """Joins with one invitation for all of them; waits for nothing but the answer."""
        line = self.invite(by, uses=len(nodes))
        for node in nodes:
            node.rpc("join", invitation=line, host_name=node.name, **params)
            self.nodes.append(node)
        return self

    def settle(self, seconds=30, nodes=None):
        """Waits until all are on the ring and have an address."""
        for node in nodes or self.nodes:
            node.wait(lambda n: n.is_in(self.id), seconds, "is on the ring and has an address")
        return self

    def revoke(self, node, by=None):
        hit = node.hit if isinstance(node, Node) else node
        return (by or self.owner).rpc("member.revoke", network=self.id, member=hit)


def all_pairs(nodes, ping, at_once=12):
    """Calls ping(a, b) for all ordered pairs, some at a time; returns {(a, b): result}."""
    pairs = [(a, b) for a in nodes for b in nodes if a is not b]
    results, problems = {}, []

    def work():
        while pairs:
            try:
                a, b = pairs.pop()
            except IndexError:
                return
            try:
                results[a, b] = ping(a, b)
            except BaseException as problem:  # noqa: B902 - told by the caller's thread
                problems.append(problem)

    threads = [nodes[0].lab.thread(work) for _ in range(at_once)]
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    return results
