# SPDX-License-Identifier: Apache-2.0
"""Gets a program out of a package of Debian's bookworm-backports, through apt and the mirror that
this machine's apt uses, into a cache of the bench: nothing is installed, and apt's own sources,
lists and packages stay as they are."""

import glob
import os
import re
import shutil

import lab

SUITE = "bookworm-backports"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SECONDS = 120


def cache():
    return os.path.abspath(os.environ.get("WARREN_BENCH_CACHE") or "/var/cache/warren-bench")


def program(package, path):
    """Returns the full path of a program of the package, downloaded unless it is there already."""
    target = os.path.join(cache(), SUITE, package)
    found = os.path.join(target, path)
    if not os.access(found, os.X_OK):
        _fetch(package, target)
    if not os.access(found, os.X_OK):
        raise lab.BenchError("Debian's package %s has no %s" % (package, path))
    return found


def version(package):
    """The version of what program() returned."""
    with open(os.path.join(cache(), SUITE, package, "VERSION")) as stream:
        return stream.read().strip()


def _fetch(package, target):
    scratch = target + ".new"
    shutil.rmtree(scratch, ignore_errors=True)
    for folder in ("lists/partial", "cache/archives/partial", "root"):
        os.makedirs(os.path.join(scratch, folder))
    with open(os.path.join(scratch, "sources.list"), "w") as stream:
        stream.write("deb [signed-by=%s] %s %s main\n" % (KEYRING, mirror(), SUITE))
    with open(os.path.join(scratch, "status"), "w"):
        pass
    options = ["-o", "Dir::Etc::sourcelist=%s/sources.list" % scratch,
               "-o", "Dir::Etc::sourceparts=-", "-o", "Dir::State::lists=%s/lists" % scratch,
               "-o", "Dir::State::status=%s/status" % scratch,
               "-o", "Dir::Cache=%s/cache" % scratch, "-o", "APT::Sandbox::User=root",
               "-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=20"]
    lab.run(["apt-get", "-qq"] + options + ["update"], SECONDS)
    lab.run(["sh", "-ceu", 'cd "$1/root"; shift; exec "$@"', "sh", scratch, "apt-get", "-qq"]
            + options + ["download", package], SECONDS)
    packages = glob.glob(os.path.join(scratch, "root", "*.deb"))
    if len(packages) != 1:
        raise lab.BenchError("apt found no package %s in %s" % (package, SUITE))
    lab.run(["dpkg-deb", "--extract", packages[0], os.path.join(scratch, "root")], SECONDS)
    with open(os.path.join(scratch, "root", "VERSION"), "w") as stream:
        stream.write(lab.run(["dpkg-deb", "--field", packages[0], "Version"]))
    shutil.rmtree(target, ignore_errors=True)
    os.rename(os.path.join(scratch, "root"), target)
    shutil.rmtree(scratch, ignore_errors=True)


def mirror():
    """The first Debian mirror that the machine's apt uses."""
    for path in ["/etc/apt/sources.list"] + sorted(glob.glob("/etc/apt/sources.list.d/*")):
        if not path.endswith((".list", ".sources")) or not os.path.exists(path):
            continue
        with open(path, errors="replace") as stream:
            for line in stream:
                match = (re.match(r"URIs:\s*(\S+)", line)
                         or re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s", line))
                if match and match.group(1).rstrip("/").endswith("/debian"):
                    return match.group(1)
    raise lab.BenchError("apt's sources name no Debian mirror to get %s from" % SUITE)
