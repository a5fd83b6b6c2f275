# SPDX-License-Identifier: Apache-2.0
"""This project's warren-wg, of the build directory or of $WARREN_WG: both suites, one and two
workers, with offloads and without. The first row is what an ordinary start gives on one core."""

import os

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
        self.workers, self.offloads = workers, offloads

    def start(self, bench):
        """Asks the daemons whether they run as they were told to."""
        tunnel = super().start(bench)
        for end in tunnel.ends:
            says = stats(end)
            if (int(says["workers"]) != self.workers
                    or not self.offloads and says["tun_offloads"] != "none"):
                raise lab.Unsupported("%s: it runs with workers=%s, tun_offloads=%s" % (
                    self.name, says.get("workers", "1"), says["tun_offloads"]))
        return tunnel

    def look_at(self, ends):
        return {end.side: {k: v for k, v in stats(end).items() if v != "0"} for end in ends}


def stats(end):
    """Returns what the interface says of itself: its counters and settings, and no keys."""
    says = dict(line.split("=", 1) for question in ("stats=1\n", "get=1\nstats=1\n")
                for line in end.ask(question) if "=" in line)
    return {k: v for k, v in says.items()
            if k.startswith("drop_") or k in ("workers", "aead", "tun_offloads", "udp_offloads")}


ROWS = [WarrenWg(aes, workers, offloads) for aes in (True, False) for workers in (1, 2)
        for offloads in (True, False)]
