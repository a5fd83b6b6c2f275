# SPDX-License-Identifier: Apache-2.0
"""Nebula: two hosts of one authority that know each other's address; AES-256-GCM, its default."""

import time

import lab
from peers import Packaged, Tunnel

PORT = 4242
CONFIG = """\
pki: {{ca: {directory}/ca.crt, cert: {directory}/{side}.crt, key: {directory}/{side}.key}}
static_host_map:
  "{inner}": ["{outer}:{port}"]
lighthouse: {{am_lighthouse: false, hosts: []}}
listen: {{host: 0.0.0.0, port: {port}}}
tun: {{dev: {interface}, mtu: {mtu}}}
logging: {{level: error}}
firewall:
  outbound: [{{port: any, proto: any, host: any}}]
  inbound: [{{port: any, proto: any, host: any}}]
"""


class Nebula(Packaged):
    def __init__(self):
        super().__init__("nebula", "Nebula AES-256-GCM", "nebula", "nebula")

    def start(self, bench):
        at = bench.directory
        lab.run(["nebula-cert", "ca", "-name", "bench", "-out-crt", at + "/ca.crt", "-out-key",
                 at + "/ca.key"])
        paths = []
        for side, other in (lab.SIDES, lab.SIDES[::-1]):
            lab.run(["nebula-cert", "sign", "-name", side, "-ip", lab.INNER[side] + "/24",
                     "-ca-crt", at + "/ca.crt", "-ca-key", at + "/ca.key",
                     "-out-crt", "%s/%s.crt" % (at, side), "-out-key", "%s/%s.key" % (at, side)])
            paths.append(bench.file(side + ".yml", CONFIG.format(
                directory=at, side=side, inner=lab.INNER[other], outer=lab.OUTER[other], port=PORT,
                interface=bench.interface(side), mtu=lab.INNER_MTU)))
        started = time.monotonic()
        daemons = [bench.spawn(side, [lab.find("nebula"), "-config", path])
                   for side, path in zip(lab.SIDES, paths)]
        for side, daemon in zip(lab.SIDES, daemons):
            lab.wait_until(lambda s=side, d=daemon: d.check() and
                           bench.has_link(s, bench.interface(s)), 10, "nebula on " + side)
        return Tunnel(lab.INNER, daemons, started=started)


ROWS = [Nebula()]
