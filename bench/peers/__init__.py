# SPDX-License-Identifier: Apache-2.0
"""The programs under test, a file each. A file defines PEER, an object with

    name, title             as in --peers, as in the tables
    missing()               None, or why it cannot run here and what to do about it
    version()               one line
    start(lab)              brings the tunnel up and returns a Tunnel

A new program needs its file only: --peers finds it by name, with '-' for '_'."""

import importlib
import os


class Tunnel:
    """Two ends that can talk. 'daemons' are the processes that carry the packets, left and right;
    none where the kernel does."""

    def __init__(self, addresses, daemons=(), responder=None, started=None):
        self.addresses = addresses  # side -> IPv4 address inside
        self.daemons = list(daemons)
        self.responder = responder  # something with add_peers(keys), port and public_key, or None
        self.started = started      # time.monotonic() at which the programs were started, or None


def names():
    here = os.path.dirname(os.path.abspath(__file__))
    return sorted(f[:-3].replace("_", "-") for f in os.listdir(here)
                  if f.endswith(".py") and f not in ("__init__.py", "userspace.py"))


def load(name):
    return importlib.import_module("peers." + name.replace("-", "_")).PEER
