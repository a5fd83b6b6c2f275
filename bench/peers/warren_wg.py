# SPDX-License-Identifier: Apache-2.0
"""This project's warren-wg, of the build directory or of $WARREN_WG: both suites, one and two
workers, with offloads and without. The first row is what an ordinary start gives on one core."""

import os
import subprocess

import lab
from peers.userspace import Program

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AES = "cipher=aes-256-gcm\n"


def find():
    build = os.environ.get("BUILD") or os.path.join(ROOT, "build")
    path = os.path.abspath(os.environ.get("WARREN_WG") or os.path.join(build, "warren-wg"))
    return path if os.access(path, os.X_OK) else None


class WarrenWg(Program):
    def __init__(self, aes, workers, offloads):
        name = "warren-wg" + ("-aes" if aes else "")
        title = "warren-wg" + (" AES-256-GCM" if aes else "")
        if workers != 1:
            name, title = "%s-w%d" % (name, workers), "%s, %d workers" % (title, workers)
        if not offloads:
            name, title = name + "-no-offloads", title + ", no offloads"
        super().__init__(name, title, find, "run 'make' first, or set WARREN_WG",
                         {"WARREN_WG_WORKERS": str(workers),
                          "WARREN_WG_OFFLOADS": "all" if offloads else "none"}, AES if aes else "")
        self.needs = (["--workers"] if workers != 1 else []) + ([] if offloads else ["--offloads"])

    def missing(self):
        why = super().missing()
        if why or not self.needs:
            return why
        usage = subprocess.run([find(), "--help"], stdout=subprocess.PIPE, text=True, timeout=10,
                               stderr=subprocess.STDOUT, env=lab.environment()).stdout
        lacking = [option for option in self.needs if option not in usage]
        return "%s: this warren-wg has no %s" % (self.name, lacking[0]) if lacking else None


ROWS = [WarrenWg(aes, workers, offloads) for aes in (True, False) for workers in (1, 2)
        for offloads in (True, False)]
