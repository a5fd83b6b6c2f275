# SPDX-License-Identifier: Apache-2.0
"""The bench's own tunnel without a cipher: what the kernel and its system calls leave for any
tunnel in user space. It neither seals nor checks anything, and cuts packets up without looking."""

import time

import lab
from peers import Tunnel

PORT = 5000


class Null:
    name, title = "null", "no cipher at all"

    def missing(self):
        return None

    def version(self):
        return "bench/tools/null_tunnel: TUN and UDP offloads, a thread a direction, no cipher"

    def start(self, bench):
        started = time.monotonic()
        daemons = [bench.spawn(side, [bench.tool("null_tunnel"), bench.interface(side),
                                      lab.OUTER[side], lab.OUTER[other], PORT])
                   for side, other in (lab.SIDES, lab.SIDES[::-1])]
        for side, daemon in zip(lab.SIDES, daemons):
            lab.wait_until(lambda d=daemon: d.has_said("ready"), 5, "null_tunnel on " + side)
            bench.bring_up(side, bench.interface(side))
        return Tunnel(lab.INNER, daemons, started=started)


ROWS = [Null()]
