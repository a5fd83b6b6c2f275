# SPDX-License-Identifier: Apache-2.0
"""This project's warren-wg, of the build directory or of $WARREN_WG."""

import os

from peers.userspace import Program

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def find():
    build = os.environ.get("BUILD") or os.path.join(ROOT, "build")
    path = os.path.abspath(os.environ.get("WARREN_WG") or os.path.join(build, "warren-wg"))
    return path if os.access(path, os.X_OK) else None


PEER = Program("warren-wg", find, "run 'make' first, or set WARREN_WG", ["--version"])
