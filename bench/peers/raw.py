# SPDX-License-Identifier: Apache-2.0
"""The veth pair itself, without a tunnel: the ceiling."""

import lab
from peers import Tunnel


class Raw:
    name, title = "raw", "raw veth"

    def missing(self):
        return None

    def version(self):
        return "the kernel's veth, MTU 1500, with its offloads"

    def start(self, _):
        return Tunnel(lab.OUTER)


PEER = Raw()
