# SPDX-License-Identifier: Apache-2.0
"""The programs under test, a file each, driven as they are shipped: defaults but for the MTU inside
the tunnel, keys and configurations made anew in the lab's private folder. A file defines ROWS, a
list of objects, one for each way to run the program, with

    name, title             as in --rows, as in the tables
    missing()               None, or why it cannot run here and what to do about it; may prepare
    version()               one line
    start(lab)              brings the tunnel up, returns a Tunnel; lab.Unsupported if it never can

A new program needs its file only: it is found by name, with '-' for '_'."""

import importlib
import os

import lab

HELPERS = ("__init__.py", "userspace.py")
# The order of the tables; a file that is not named here comes last.
ORDER = ("raw", "null", "warren-wg", "wireguard-go-2023", "wireguard-go", "fastd", "openvpn",
         "nebula", "tinc", "n2n")


class Tunnel:
    """Two ends that can talk. 'daemons' are the processes that carry the packets, left and right;
    none where the kernel does."""

    def __init__(self, addresses, daemons=(), responder=None, started=None, ends=(),
                 look=lambda: None):
        self.addresses = addresses  # side -> IPv4 address inside
        self.daemons = list(daemons)
        self.responder = responder  # something with add_peers(keys), port and public_key, or None
        self.started = started      # time.monotonic() at which the programs were started, or None
        self.ends = list(ends)      # with add_peers and remove_peers, where peers are configured
        self.look = look            # returns what the programs say of themselves, or None


class Packaged:
    """What the drivers of programs from Debian's packages share."""

    def __init__(self, name, title, program, package):
        self.name, self.title, self.program, self.package = name, title, program, package

    def missing(self):
        if lab.find(self.program):
            return None
        return "%s is missing: apt-get install %s" % (self.name, self.package)

    def version(self):
        return lab.run(["dpkg-query", "--show", self.package]).strip().replace("\t", " ")


def names():
    """The programs, in the order of the tables."""
    here = os.path.dirname(os.path.abspath(__file__))
    found = sorted(f[:-3].replace("_", "-") for f in os.listdir(here)
                   if f.endswith(".py") and f not in HELPERS)
    return sorted(found, key=lambda n: ORDER.index(n) if n in ORDER else len(ORDER))


def load(name):
    """The rows of a program."""
    return importlib.import_module("peers." + name.replace("-", "_")).ROWS
