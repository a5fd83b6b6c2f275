# SPDX-License-Identifier: Apache-2.0
"""The real systemd-resolved, on one host of a test: with a D-Bus, a /run and users of its own in a
mount namespace, so that the machine that runs the test has nothing to do with it.

The package is fetched once with `apt-get download` into the build directory and unpacked there;
installed, it would take over the machine's /etc/resolv.conf."""

import glob
import os
import shutil
import subprocess

from harness import net, wait
from harness.guest import Unavailable, cache_directory
from harness.warrend import USER, WARREND, Node

PACKAGE = "systemd-resolved"
PROGRAMS = ("apt-get", "dpkg", "dbus-daemon", "nsenter", "unshare")

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/>
<allow receive_sender="*"/></policy></busconfig>
"""

SETUP = """set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/dbus /run/systemd/resolve
cp /etc/passwd /etc/group /run
grep -q ^systemd-resolve: /run/passwd || {
    echo systemd-resolve:x:65001:65001::/:/usr/sbin/nologin >>/run/passwd
    echo systemd-resolve:x:65001: >>/run/group
}
mount --bind /run/passwd /etc/passwd
mount --bind /run/group /etc/group
chown systemd-resolve: /run/systemd/resolve
touch /run/resolv.conf  # it asks nobody else
mount --bind /run/resolv.conf /etc/resolv.conf
mkdir /run/systemd/resolved.conf.d
printf '[Resolve]\\nFallbackDNS=\\nMulticastDNS=no\\nLLMNR=no\\n' \\
    >/run/systemd/resolved.conf.d/alone.conf
mount -t tmpfs tmpfs /usr/local/sbin
cp "$1/usr/bin/resolvectl" /usr/local/sbin
cp "$2" /run/bus.conf
echo ready
exec sleep infinity
"""


def fetch():
    """The folder with the unpacked package; raises Unavailable."""
    for program in PROGRAMS:
        if shutil.which(program, path=net.PATH) is None:
            raise Unavailable("%s is not installed" % program)
    root = os.path.join(cache_directory(), PACKAGE)
    if os.path.exists(os.path.join(root, "complete")):
        return root
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root)
    got = subprocess.run(["apt-get", "download", PACKAGE], cwd=root, capture_output=True, text=True,
                         check=False, timeout=120, stdin=subprocess.DEVNULL)
    packages = glob.glob(os.path.join(root, "*.deb"))
    if got.returncode != 0 or not packages:
        raise Unavailable("apt-get download %s failed: %s" % (
            PACKAGE, got.stderr.strip().split("\n")[-1]))
    subprocess.run(["dpkg", "-x", packages[0], root], check=True, timeout=60)
    os.unlink(packages[0])
    with open(os.path.join(root, "complete"), "w"):
        pass
    return root


class Resolved:
    """systemd-resolved on the host 'ns'; Unavailable says why it cannot be."""

    def __init__(self, lab, ns):
        self.lab, self.ns = lab, ns
        root = fetch()
        bus = os.path.join(lab.directory, "bus.conf")
        with open(bus, "w") as f:
            f.write(BUS)
        holder = lab.spawn(["unshare", "--mount", "--propagation", "private", "bash", "-c", SETUP,
                            "setup", root, bus], netns=ns, label="mounts")
        self.enter = ["nsenter", "--target", str(holder.pid), "--mount", "--"]
        wait.until(lambda: "ready" in holder.log() or not holder.running(), 10, "mounts")
        if not holder.running():
            raise Unavailable("no mount namespace: " + holder.log().strip())
        lab.spawn([*self.enter, "dbus-daemon", "--config-file=/run/bus.conf", "--nofork",
                   "--nopidfile"], netns=ns, label="dbus")
        wait.until(lambda: self.run("test", "-S", "/run/dbus/system_bus_socket").code == 0, 10,
                   "D-Bus")
        daemon = lab.spawn([*self.enter, root + "/lib/systemd/systemd-resolved"], netns=ns,
                           label="resolved")
        wait.until(lambda: self.run("resolvectl", "status").code == 0 or not daemon.running(), 20,
                   "systemd-resolved")
        if not daemon.running():
            raise Unavailable("systemd-resolved does not start: " + daemon.log().strip()[-300:])

    def run(self, *args):
        """Runs a program on the host, where it sees this resolved."""
        return self.ns.run([*self.enter, *args], check=False, timeout=30)

    def query(self, name):
        """What it says of a name; None: it finds nothing."""
        told = self.run("resolvectl", "--cache=no", "query", name)
        return told.stdout if told.code == 0 else None


class Registered(Node):
    """A warrend that tells this resolved of its names."""

    def __init__(self, resolved, name):
        super().__init__(resolved.lab, resolved.ns, name)
        self.resolved = resolved

    def start(self, is_waiting=True):
        self.process = self.lab.spawn(
            [*self.resolved.enter, WARREND, "--foreground", "--state", self.state, "--socket",
             self.socket_path, "--user", USER, "--listen", str(self.port), "--no-map-ports",
             *self.options],
            netns=self.ns, owned=True, label=self.name, env=self.env)
        return self.ready() if is_waiting else self
