# SPDX-License-Identifier: Apache-2.0
"""The wireguard-go of December 2023 that Debian's bookworm-backports carries: the first with
segmentation offloads, and the one to compare with. It is downloaded with apt and unpacked into the
bench's cache; the machine's packages and sources stay as they are."""

import backports
from lab import BenchError
from peers.userspace import Program


class Anchor(Program):
    def __init__(self):
        super().__init__("wireguard-go-2023", "wireguard-go 2023", self._find, "")
        self.path = None

    def _find(self):
        return self.path

    def missing(self):
        try:
            self.path = backports.program("wireguard-go", "usr/bin/wireguard-go")
        except BenchError as error:
            return "%s is missing: %s" % (self.name, error)
        return None

    def version(self):
        return "wireguard-go " + backports.version("wireguard-go")


ROWS = [Anchor()]
