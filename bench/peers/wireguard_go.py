# SPDX-License-Identifier: Apache-2.0
"""Debian 12's wireguard-go, of 2022."""

import lab
from peers import Packaged
from peers.userspace import Program


class Debian(Program):
    package = Packaged("wireguard-go", "wireguard-go 2022", "wireguard-go", "wireguard-go")

    def __init__(self):
        super().__init__(self.package.name, self.package.title, lambda: lab.find("wireguard-go"),
                         "apt-get install wireguard-go")

    def version(self):
        return self.package.version()


ROWS = [Debian()]
