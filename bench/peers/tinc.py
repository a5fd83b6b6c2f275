# SPDX-License-Identifier: Apache-2.0
"""tinc 1.0 in router mode with its default cipher; the left end connects, the right one waits."""

import os
import time

import lab
from peers import Packaged, Tunnel

PORT = 655
KEY_BITS = 2048


class Tinc(Packaged):
    def __init__(self):
        super().__init__("tinc", "tinc 1.0", "tincd", "tinc")

    def start(self, bench):
        for side in lab.SIDES:
            configure(bench, side)
        share_keys(bench)
        started = time.monotonic()
        daemons = {}
        for side in lab.SIDES:
            at = folder(bench, side)
            daemons[side] = bench.spawn(side, [lab.find("tincd"), "-c", at, "-D",
                                               "--pidfile=" + at + "/pid"])
        for side, daemon in daemons.items():
            lab.wait_until(lambda s=side, d=daemon: d.check() and
                           bench.has_link(s, bench.interface(s)), 10, "tinc on " + side)
            bench.bring_up(side, bench.interface(side))
        return Tunnel(lab.INNER, [daemons[side] for side in lab.SIDES], started=started)


def folder(bench, side):
    return os.path.join(bench.directory, "tinc-" + side)


def configure(bench, side):
    text = "Name = %s\nInterface = %s\nMode = router\nAddressFamily = ipv4\n" % (
        side, bench.interface(side))
    text += "ConnectTo = right\n" if side == "left" else ""
    bench.file("tinc-%s/tinc.conf" % side, text)
    bench.file("tinc-%s/hosts/%s" % (side, side), "Address = %s\nPort = %d\nSubnet = %s/32\n" % (
        lab.OUTER[side], PORT, lab.INNER[side]))
    lab.run(["tincd", "-c", folder(bench, side), "-K", str(KEY_BITS)], 60)


def share_keys(bench):
    for side, other in (lab.SIDES, lab.SIDES[::-1]):
        with open(os.path.join(folder(bench, side), "hosts", side)) as stream:
            bench.file("tinc-%s/hosts/%s" % (other, side), stream.read())


ROWS = [Tinc()]
