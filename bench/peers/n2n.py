# SPDX-License-Identifier: Apache-2.0
"""n2n 1: two edges and a supernode, which introduces them to one another. All three are counted."""

import time

import lab
from peers import Packaged, Tunnel

PORT, EDGE_PORT = 7654, 7655
MAC = {"left": "02:00:00:64:00:01", "right": "02:00:00:64:00:02"}


class N2n(Packaged):
    def __init__(self):
        super().__init__("n2n", "n2n 1", "edge", "n2n")

    def start(self, bench):
        started = time.monotonic()
        supernode = bench.spawn("right", [lab.find("supernode"), "-l", PORT])
        daemons = []
        for side in lab.SIDES:
            daemons.append(bench.spawn(side, [
                lab.find("edge"), "-d", bench.interface(side), "-a", lab.INNER[side], "-s",
                "255.255.255.0", "-c", "bench", "-k", "key-of-a-private-lab", "-l",
                "%s:%d" % (lab.OUTER["right"], PORT), "-p", EDGE_PORT, "-m", MAC[side],
                "-M", lab.INNER_MTU]))
        for side, other in (lab.SIDES, lab.SIDES[::-1]):
            name = bench.interface(side)
            lab.wait_until(lambda: bench.has_link(side, name), 10, "n2n on " + side)
            bench.ip(side, "link set %s addrgenmode none" % name)
        return Tunnel(lab.INNER, daemons + [supernode], started=started)


ROWS = [N2n()]
