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
    def __init__(self, name, find, install, version_args):
        self.name = self.title = name
        self.find, self.install, self.version_args = find, install, version_args

    def missing(self):
        return None if self.find() else "%s is missing: %s" % (self.name, self.install)

    def version(self):
        done = subprocess.run([self.find()] + self.version_args, stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.STDOUT, env=lab.environment(), timeout=10)
        return (done.stdout.strip() or "unknown").splitlines()[0]

    def start(self, bench):
        """Starts both ends at once, and configures the right one first, so that it can answer."""
        ends = {side: End(bench, side) for side in lab.SIDES}
        started = time.monotonic()
        for end in ends.values():
            end.spawn(self.find())
        for end in ends.values():
            lab.wait_until(end.is_up, 10, "%s on %s" % (self.name, end.side))
        ends["right"].configure(ends["left"])
        ends["left"].configure(ends["right"])
        return Tunnel(lab.INNER, [ends[side].process for side in lab.SIDES], ends["right"],
                      started)


class End:
    port = PORT

    def __init__(self, bench, side):
        self.bench, self.side, self.process = bench, side, None
        self.interface = "wb%d%s%d" % (os.getpid(), side[0], bench.number)
        self.socket = "/var/run/wireguard/%s.sock" % self.interface
        bench.files.append(self.socket)
        self.private_key = lab.run(["wg", "genkey"]).strip()
        self.public_key = lab.run(["wg", "pubkey"], stdin=self.private_key + "\n").strip()

    def spawn(self, program):
        self.process = self.bench.spawn(self.side, [program, "-f", self.interface],
                                        {"LOG_LEVEL": "error"})

    def is_up(self):
        self.process.check()
        return os.path.exists(self.socket) and self.bench.has_link(self.side, self.interface)

    def configure(self, other):
        text = ("[Interface]\nPrivateKey = %s\nListenPort = %d\n[Peer]\nPublicKey = %s\n"
                "Endpoint = %s:%d\nAllowedIPs = %s/32\n" % (
                    self.private_key, PORT, other.public_key, lab.OUTER[other.side], PORT,
                    lab.INNER[other.side]))
        lab.run(["wg", "setconf", self.interface, "/dev/stdin"], stdin=text)
        self.bench.ip(self.side, "link set %s addrgenmode none" % self.interface,
                      "address add %s/24 dev %s" % (lab.INNER[self.side], self.interface),
                      "link set %s up" % self.interface)

    def add_peers(self, keys):
        """Makes peers known, by their public keys in hexadecimal."""
        text = "set=1\n" + "".join("public_key=%s\n" % key for key in keys) + "\n"
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(self.socket)
            client.sendall(text.encode())
            answer = client.recv(64)
        if answer != b"errno=0\n\n":
            raise lab.BenchError("adding %d peers to %s: %r" % (len(keys), self.interface, answer))

    def public_key_hex(self):
        return base64.b64decode(self.public_key).hex()
