# SPDX-License-Identifier: Apache-2.0
"""A WireGuard program in user space that wg(8) drives through /var/run/wireguard/IFNAME.sock."""

import base64
import os
import socket
import subprocess
import time

import lab
from peers import Tunnel

PORT = 51820


class Program:
    """'extra' is configured for each end's peer, in the words of the configuration protocol."""

    def __init__(self, name, title, find, install, environment=None, extra=""):
        self.name, self.title = name, title
        self.find, self.install = find, install
        self.environment = dict({"LOG_LEVEL": "error"}, **(environment or {}))
        self.extra = extra

    def missing(self):
        return None if self.find() else "%s is missing: %s" % (self.name, self.install)

    def version(self):
        done = subprocess.run([self.find(), "--version"], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.STDOUT, env=lab.environment(), timeout=10)
        return (done.stdout.strip() or "unknown").splitlines()[0]

    def start(self, bench):
        """Starts both ends at once, and configures the right one first, so that it can answer."""
        ends = {side: End(bench, side, self) for side in lab.SIDES}
        started = time.monotonic()
        for end in ends.values():
            end.spawn()
        for end in ends.values():
            lab.wait_until(end.is_up, 10, "%s on %s" % (self.name, end.side))
        ends["right"].configure(ends["left"])
        ends["left"].configure(ends["right"])
        return Tunnel(lab.INNER, [ends[side].process for side in lab.SIDES], ends["right"],
                      started, ends.values(), lambda: self.look_at(ends.values()))

    def look_at(self, _):
        """What the program says of itself, for the notes. A program that says it overrides this."""
        return None


class End:
    port = PORT

    def __init__(self, bench, side, program):
        self.bench, self.side, self.program, self.process = bench, side, program, None
        self.interface = bench.interface(side)
        self.socket = "/var/run/wireguard/%s.sock" % self.interface
        bench.files.append(self.socket)
        self.private_key = lab.run(["wg", "genkey"]).strip()
        self.public_key = lab.run(["wg", "pubkey"], stdin=self.private_key + "\n").strip()

    def spawn(self):
        self.process = self.bench.spawn(self.side, [self.program.find(), "-f", self.interface],
                                        self.program.environment)

    def is_up(self):
        self.process.check()
        return os.path.exists(self.socket) and self.bench.has_link(self.side, self.interface)

    def configure(self, other):
        text = ("[Interface]\nPrivateKey = %s\nListenPort = %d\n[Peer]\nPublicKey = %s\n"
                "Endpoint = %s:%d\nAllowedIPs = %s/32\n" % (
                    self.private_key, PORT, other.public_key, lab.OUTER[other.side], PORT,
                    lab.INNER[other.side]))
        lab.run(["wg", "setconf", self.interface, "/dev/stdin"], stdin=text)
        if self.program.extra:
            key = other.public_key_hex()
            answer = self._set("public_key=%s\nupdate_only=true\n%s" % (key, self.program.extra))
            if answer != "errno=0":
                raise lab.Unsupported("%s does not know '%s' (%s)" % (
                    self.program.name, self.program.extra.strip(), answer))
        self.bench.bring_up(self.side, self.interface)

    def add_peers(self, keys):
        """Makes peers known, by their public keys in hexadecimal, each with a prefix of its own."""
        self._must("".join("public_key=%s\nallowed_ip=10.98.%d.%d/32\n" % (key, i >> 8, i & 255)
                           for i, key in enumerate(keys)))

    def remove_peers(self, keys):
        self._must("".join("public_key=%s\nremove=true\n" % key for key in keys))

    def public_key_hex(self):
        return base64.b64decode(self.public_key).hex()

    def _must(self, lines):
        answer = self._set(lines)
        if answer != "errno=0":
            raise lab.BenchError("configuring %s: %s" % (self.interface, answer))

    def _set(self, lines):
        """Returns the answer's first line."""
        return (self.ask("set=1\n" + lines) or ["no answer"])[0]

    def ask(self, lines):
        """Returns the lines of an answer, without the empty one at its end."""
        answer = b""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(self.socket)
            client.sendall((lines + "\n").encode())
            while not answer.endswith(b"\n\n"):
                got = client.recv(65536)
                if not got:
                    break
                answer += got
        return [line for line in answer.decode(errors="replace").splitlines() if line]
