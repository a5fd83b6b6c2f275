# SPDX-License-Identifier: Apache-2.0
"""Two network namespaces with a veth pair between them, and the processes in them. What is made
here is unmade by Lab.close(), whatever happened; if this process is killed outright, its children
die with it and the private /run, where that was possible, takes the namespaces and sockets along.

    left 10.99.0.1 (wire) ------------ (wire) 10.99.0.2 right
"""

import ctypes
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_REC, MS_PRIVATE, PR_SET_PDEATHSIG = 0x00020000, 0x4000, 1 << 18, 1

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SIDES = ("left", "right")
OUTER = {"left": "10.99.0.1", "right": "10.99.0.2"}
INNER = {"left": "10.99.1.1", "right": "10.99.1.2"}
MAC = {"left": "02:00:00:63:00:01", "right": "02:00:00:63:00:02"}
INNER_MTU = 1420  # of every tunnel, so that all carry packets of the same size

# What runs below the tunnels: the pair as it is hands trains of packets over in one piece; a plain
# wire has none larger than its MTU, and nobody joins them on arrival.
UNDERLAYS = {
    "veth": [],
    "plain": ["tso", "off", "tx-udp-segmentation", "off", "tx-gso-list", "off", "gro", "off",
              "rx-udp-gro-forwarding", "off", "rx-gro-list", "off"],
}


class BenchError(Exception):
    """What went wrong, in a sentence for the user."""


class Unsupported(BenchError):
    """The program cannot do what is asked of it, now or later."""


def make_run_private():
    """Gives this process a /run of its own, where that is possible: not in a plain chroot, whose
    root is no mount point. Then unique names and Lab.close() must do."""
    if _libc.unshare(CLONE_NEWNS) != 0:
        raise BenchError("cannot make a mount namespace: run as root, with CAP_SYS_ADMIN")
    if _libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0:
        _libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, b"mode=0755")


def wait_until(condition, seconds, what):
    """Waits for a condition and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise BenchError("waited %g s in vain for %s" % (seconds, what))
        time.sleep(0.001)


def find(program):
    """Returns the full path of an installed program, or None."""
    return shutil.which(program, path=PATH)


def run(args, seconds=10, stdin=None):
    """Runs a command to its end and returns its output; anything but success is an error."""
    try:
        done = subprocess.run(args, input=stdin or "", stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE, timeout=seconds, env=environment(),
                              preexec_fn=_die_with_parent, start_new_session=True)
    except subprocess.TimeoutExpired:
        raise BenchError("did not end within %g s: %s" % (seconds, " ".join(args))) from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise BenchError("%s: exit code %d: %s" % (" ".join(args), done.returncode,
                                                   " / ".join(said[-5:])))
    return done.stdout


def processors_s():
    """Returns the busy seconds of all processors together since boot, and all of their seconds."""
    with open("/proc/stat") as stat:
        ticks = [int(f) for f in stat.readline().split()[1:9]]
    hertz = os.sysconf("SC_CLK_TCK")
    return (sum(ticks) - ticks[3] - ticks[4]) / hertz, sum(ticks) / hertz


class Bystanders:
    """Measures what programs that are none of ours use of the processors."""

    def __init__(self):
        self.start = self._reading()

    def share(self):
        """Returns their part of all processors since the start, 0..1. Ours must have ended."""
        others_s, all_s = (b - a for a, b in zip(self.start, self._reading()))
        return min(1.0, max(0.0, others_s / all_s)) if all_s > 0 else 0.0

    @staticmethod
    def _reading():
        busy_s, all_s = processors_s()
        own_s = sum(sum(resource.getrusage(who)[:2])
                    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return busy_s - own_s, all_s


def environment(extra=None):
    return dict({"PATH": PATH, "LC_ALL": "C", "HOME": "/root"}, **(extra or {}))


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A program in the background, its output in a file."""

    def __init__(self, name, args, log_path, env=None):
        self.name, self.log_path = name, log_path
        with open(log_path, "wb") as log:
            self.popen = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env=environment(env), preexec_fn=_die_with_parent,
                                          start_new_session=True)
        self.pid = self.popen.pid

    def output(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def check(self):
        """Complains if the program has ended. Returns True."""
        if self.popen.poll() is not None:
            raise BenchError("%s ended with %d: %s" % (
                self.name, self.popen.returncode, " / ".join(self.output().splitlines()[-5:])))
        return True

    def has_said(self, word):
        return self.check() and word in self.output()

    def result(self, seconds):
        """Waits for the end and returns the last line of output, which is JSON."""
        wait_until(lambda: self.popen.poll() is not None, seconds, "the end of " + self.name)
        if self.popen.returncode != 0:
            self.check()
        return json.loads(self.output().strip().splitlines()[-1])

    def cpu_s(self):
        """User and system seconds so far, also of threads that have ended; in steps of 10 ms."""
        with open("/proc/%d/stat" % self.pid) as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def cpu_s_fine(self):
        """The same to the nanosecond, of the threads that are alive."""
        total = 0
        for thread in os.listdir("/proc/%d/task" % self.pid):
            with open("/proc/%d/task/%s/schedstat" % (self.pid, thread)) as schedstat:
                total += int(schedstat.read().split()[0])
        return total / 1e9

    def resident_bytes(self):
        with open("/proc/%d/status" % self.pid) as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) * 1024

    def listens(self, port):
        """Tells whether something in the program's namespace listens on the TCP port."""
        self.check()
        lines = []
        for table in ("tcp", "tcp6"):
            try:
                with open("/proc/%d/net/%s" % (self.pid, table)) as sockets:
                    lines += sockets.read().splitlines()[1:]
            except FileNotFoundError:
                pass  # no IPv6
        fields = [line.split() for line in lines]
        return any(f[1].endswith(":%04X" % port) and f[3] == "0A" for f in fields)

    def stop(self):
        """Ends the program by SIGTERM, after three seconds by SIGKILL."""
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(3)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        self.popen.wait()


class Lab:
    """The two namespaces of one run. Use it as a context."""

    _count = 0

    def __init__(self, tools, underlay="veth"):
        Lab._count += 1
        self.tools = tools
        self.underlay = underlay
        self.number = Lab._count
        self.processes = []
        self.files = []  # to be removed at the end, if programs leave them behind
        self.directory = None
        self.names = {side: "wrnb%d-%d%s" % (os.getpid(), self.number, side[0]) for side in SIDES}
        self.made = []

    def __enter__(self):
        try:
            self._set_up()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _set_up(self):
        self.directory = tempfile.mkdtemp(prefix="warren-bench-", dir="/run")
        for side in SIDES:
            self.made.append(side)
            run(["ip", "netns", "add", self.names[side]])
        left, right = self.names["left"], self.names["right"]
        run(["ip", "link", "add", "wire", "address", MAC["left"], "netns", left, "type", "veth",
             "peer", "name", "wire", "address", MAC["right"], "netns", right])
        for side, other in (SIDES, SIDES[::-1]):
            self.ip(side, "link set lo up",
                    "link set wire addrgenmode none",
                    "address add %s/24 dev wire" % OUTER[side],
                    "link set wire up",
                    "neighbour replace %s lladdr %s dev wire nud permanent"
                    % (OUTER[other], MAC[other]))
            if UNDERLAYS[self.underlay]:
                self.run(side, ["ethtool", "-K", "wire"] + UNDERLAYS[self.underlay])
        wait_until(self._wire_is_up, 5, "the veth pair")

    def _wire_is_up(self):
        return all("LOWER_UP" in run(["ip", "-n", self.names[side], "link", "show", "wire"])
                   for side in SIDES)

    def close(self):
        """Takes everything down, without being interrupted in it. May be called twice."""
        handlers = [(n, signal.signal(n, signal.SIG_IGN)) for n in (signal.SIGINT, signal.SIGTERM)]
        try:
            self._close()
        finally:
            for number, handler in handlers:
                signal.signal(number, handler)

    def _close(self):
        for process in reversed(self.processes):
            process.stop()
        self.processes = []
        for side in self.made:
            subprocess.run(["ip", "netns", "del", self.names[side]], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, env=environment(), timeout=10)
        self.made = []
        for path in self.files:
            if os.path.exists(path):
                os.unlink(path)
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory = None

    def inside(self, side, args):
        return ["nsenter", "--net=/run/netns/" + self.names[side]] + [str(a) for a in args]

    def ip(self, side, *lines):
        """Runs `ip` commands, one a string."""
        return run(["ip", "-n", self.names[side], "-batch", "-"], stdin="\n".join(lines) + "\n")

    def run(self, side, args, seconds=10):
        return run(self.inside(side, args), seconds)

    def spawn(self, side, args, env=None):
        name = os.path.basename(args[0])
        log = os.path.join(self.directory, "%d-%s.log" % (len(self.processes), name))
        process = Process(name, self.inside(side, args), log, env)
        self.processes.append(process)
        return process

    def interface(self, side):
        """A name for a tunnel's interface: no other lab, of this run or another, has it."""
        return "wb%d%s%d" % (os.getpid(), side[0], self.number)

    def bring_up(self, side, interface):
        """Gives a tunnel's interface its address and MTU."""
        self.ip(side, "link set %s addrgenmode none" % interface,
                "address add %s/24 dev %s" % (INNER[side], interface),
                "link set %s mtu %d up" % (interface, INNER_MTU))

    def file(self, name, text):
        """Writes a file into the lab's private folder and returns its path."""
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            stream.write(text)
        return path

    def tool(self, name):
        return os.path.join(self.tools, name)

    def has_link(self, side, name):
        shown = subprocess.run(["ip", "-n", self.names[side], "link", "show", name], timeout=10,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=environment())
        return shown.returncode == 0
