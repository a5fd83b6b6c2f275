# SPDX-License-Identifier: Apache-2.0
"""A tunnel end: a WireGuard program, its interface and its keys. The program is a parameter."""

import ipaddress
import os
import re
import signal
import stat

from harness import net, noise, uapi, wait

REPO = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
WARREN_WG = os.environ.get("WARREN_WG", os.path.join(REPO, "build", "warren-wg"))
if "/" in WARREN_WG:
    WARREN_WG = os.path.abspath(WARREN_WG)

RTF_LOCAL = 1 << 31  # of <linux/ipv6_route.h>

WARREN, WIREGUARD_GO = "warren", "wireguard-go"

# For work on the tests themselves: WARREN_WG=wireguard-go runs all that any implementation must
# satisfy.
STAND_IN = os.path.basename(WARREN_WG) == WIREGUARD_GO

SANITIZER = re.compile(r"^.*(AddressSanitizer|ThreadSanitizer|LeakSanitizer|MemorySanitizer"
                       r"|runtime error:|[Aa]ssertion).*$", re.M)


def settings():
    """How the program under test was told to work, as one would type it."""
    told = ["%s=%s" % (key, os.environ[key]) for key in sorted(os.environ)
            if key.startswith("WARREN_WG_")]
    return " ".join(["WARREN_WG=" + WARREN_WG, *told])


def program(implementation):
    return WARREN_WG if implementation == WARREN else WIREGUARD_GO


class Tunnel:
    """One interface in one namespace. Start it, then configure it; Lab takes it down and then
    checks that a program of ours ended as it should: exit code 0, no complaint of a sanitizer."""

    def __init__(self, lab, ns, implementation=WARREN, addresses=(), mtu=None, port=51820, psk=None,
                 private=None, name=None):
        self.lab, self.ns, self.implementation = lab, ns, implementation
        self.addresses, self.mtu, self.port = list(addresses), mtu, port
        self.name = name or net.Names.interface()
        self.private = private or noise.private_key()
        self.public = noise.public_key(self.private)
        self.process = None
        self.may_die = False
        lab.register(self)

    # ---- life ----

    def start(self, env=None, args=None, pass_fds=()):
        """Starts the program in the foreground and waits for interface and socket."""
        self.process = self.lab.spawn(
            [program(self.implementation)] + (args or ["-f", self.name]), owned=True, netns=self.ns,
            label="%s-%s" % (self.implementation, self.name), pass_fds=pass_fds,
            env=dict({"LOG_LEVEL": "debug", "WARREN_WG_USER": "nobody"}, **(env or {})))
        wait.until(self._is_up, 10, "interface and socket of " + self.name)
        return self

    def _has_local_routes(self):
        """Whether the kernel answers for all addresses: for IPv6 it makes the route in a work
        queue, some time after the link came up."""
        wanted = {ipaddress.ip_interface(a).ip.packed.hex() for a in self.addresses if ":" in a}
        if wanted:
            with self.ns.entered(), open("/proc/thread-self/net/ipv6_route") as f:
                for fields in map(str.split, f):
                    if int(fields[8], 16) & RTF_LOCAL and fields[9] == self.name:
                        wanted.discard(fields[0])
        return not wanted

    def _is_up(self):
        if not self.process.running():
            raise AssertionError("%s ended with %s at its start:\n%s" % (
                self.process.label, self.process.popen.returncode, self.process.log()))
        try:
            uapi.connect(self.name).close()
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return self.ns.has_link(self.name)

    def configure(self):
        """Key, port, addresses, link up."""
        assert self.set("private_key=" + self.private.hex(), "listen_port=%d" % self.port) == 0
        lines = ["addr add %s dev %s%s" % (a, self.name, " nodad" if ":" in a else "")
                 for a in self.addresses]
        if self.mtu:
            lines.append("link set %s mtu %d" % (self.name, self.mtu))
        self.ns.ip(*lines, "link set %s up" % self.name)
        wait.until(self._has_local_routes, 10, "local routes of " + self.name)
        return self

    def stop(self):
        """Ends the program by SIGTERM and checks how it ended."""
        if self.process is None:
            return
        process, self.process = self.process, None
        try:
            self._stop(process)
        finally:
            process.close()

    def _stop(self, process):
        dead_before = not process.running()
        code = process.popen.returncode
        if not dead_before:
            code = process.end(signal.SIGTERM, 10)
        if self.implementation == WARREN:
            complaint = SANITIZER.search(process.log())
            assert not complaint, "%s: %s" % (process.label, complaint.group(0))
        if self.implementation == WARREN and not STAND_IN and not self.may_die:
            assert not dead_before, "%s had died with %s:\n%s" % (
                process.label, code, process.log()[-3000:])
            assert code == 0, "%s ended with %s on SIGTERM" % (process.label, code)
        assert not os.path.exists(uapi.path(self.name)), "socket of %s left behind" % self.name
        wait.until(lambda: not self.ns.has_link(self.name), 5, "interface %s gone" % self.name)

    def kill(self):
        """Ends the program by SIGKILL: the interface goes, the socket file stays."""
        process, self.process = self.process, None
        process.signal(signal.SIGKILL)
        process.wait(5)

    def close(self):
        try:
            self.stop()
        finally:
            if os.path.exists(uapi.path(self.name)):
                os.unlink(uapi.path(self.name))

    # ---- configuration ----

    def set(self, *lines):
        return uapi.set_(self.name, *lines)

    def add_peer(self, other, endpoint=None, allowed=(), psk=None, keepalive=None, public=None,
                 cipher=None):
        lines = ["public_key=" + (public or other.public).hex(), "replace_allowed_ips=true"]
        if psk:
            lines.append("preshared_key=" + psk.hex())
        if cipher:
            lines.append("cipher=" + cipher)
        if endpoint:
            lines.append("endpoint=" + endpoint)
        if keepalive is not None:
            lines.append("persistent_keepalive_interval=%d" % keepalive)
        lines += ["allowed_ip=" + a for a in allowed]
        assert self.set(*lines) == 0
        return self

    # ---- questions ----

    def get(self, with_stats=False):
        return uapi.get(self.name, with_stats)

    def peer(self, other):
        key = other if isinstance(other, bytes) else other.public
        return self.get().peers[key.hex()]

    def handshake_time(self, other):
        p = self.peer(other)
        return int(p["last_handshake_time_sec"]) + int(p["last_handshake_time_nsec"]) / 1e9

    def drops(self, reason):
        return uapi.stats(self.name)[reason]

    def told_drops(self):
        """The counters that are not 0, or why there are none to be had; for reports."""
        try:
            return {key: value for key, value in uapi.stats(self.name).items() if value}
        except (OSError, AssertionError, ValueError) as reason:
            return repr(reason)

    def log(self):
        return self.process.log() if self.process else ""


def endpoint(address, port):
    return "[%s]:%d" % (address, port) if ":" in address else "%s:%d" % (address, port)


def is_private_socket(interface):
    mode = os.stat(uapi.path(interface))
    return stat.S_ISSOCK(mode.st_mode) and stat.S_IMODE(mode.st_mode) == 0o600
