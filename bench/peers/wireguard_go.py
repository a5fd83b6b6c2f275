# SPDX-License-Identifier: Apache-2.0
"""Debian's wireguard-go."""

import lab
from peers.userspace import Program

PEER = Program("wireguard-go", lambda: lab.find("wireguard-go"), "apt-get install wireguard-go",
               ["--version"])
