# SPDX-License-Identifier: Apache-2.0
"""fastd in TUN mode, with AES-128 and UMAC. Only the left end dials: when both do at once, fastd 22
may stand still for many seconds."""

import re
import time

import lab
from peers import Packaged, Tunnel

PORT = 10000
CONFIG = """\
log level warn;
mode tun;
interface "{interface}";
method "aes128-ctr+umac";
mtu {mtu};
bind {outer}:{port};
secret "{secret}";
peer "other" {{
    key "{key}";
    {remote}
}}
"""


class Fastd(Packaged):
    def __init__(self):
        super().__init__("fastd", "fastd AES-128-CTR+UMAC", "fastd", "fastd")

    def start(self, bench):
        keys = {side: make_key() for side in lab.SIDES}
        paths = {}
        for side, other in (lab.SIDES, lab.SIDES[::-1]):
            remote = "remote %s:%d;" % (lab.OUTER[other], PORT) if side == "left" else "float yes;"
            paths[side] = bench.file(side + ".conf", CONFIG.format(
                interface=bench.interface(side), mtu=lab.INNER_MTU, outer=lab.OUTER[side],
                port=PORT, secret=keys[side][0], key=keys[other][1], remote=remote))
        started = time.monotonic()
        daemons = {side: bench.spawn(side, [lab.find("fastd"), "--config", paths[side]])
                   for side in lab.SIDES}
        for side, daemon in daemons.items():
            lab.wait_until(lambda s=side, d=daemon: d.check() and
                           bench.has_link(s, bench.interface(s)), 10, "fastd on " + side)
            bench.bring_up(side, bench.interface(side))
        return Tunnel(lab.INNER, [daemons[side] for side in lab.SIDES], started=started)


def make_key():
    """Returns the secret and the public key."""
    text = lab.run(["fastd", "--generate-key"])
    return re.findall(r"\b[0-9a-f]{64}\b", text)


ROWS = [Fastd()]
