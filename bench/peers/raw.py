# SPDX-License-Identifier: Apache-2.0
"""The underlay itself, without a tunnel: the ceiling."""

import lab
from peers import Tunnel


class Raw:
    name, title = "raw", "raw veth"

    def missing(self):
        return None

    def version(self):
        return "the underlay itself, MTU 1500"

    def start(self, _):
        return Tunnel(lab.OUTER)


ROWS = [Raw()]
