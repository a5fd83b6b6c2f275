# SPDX-License-Identifier: Apache-2.0
"""Network namespaces, veth pairs and processes of one test run.

The whole run lives in a private mount namespace with its own /run where that is possible, so
neither its namespaces nor its UAPI sockets can be seen from outside, and nothing is left even after
SIGKILL. Names are unique to the run in any case. Everything a test makes is registered in its Lab
and taken down by Lab.close(), in reverse order.
"""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from harness import wait

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE, MS_SHARED = 0x1000, 0x4000, 1 << 18, 1 << 20
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

PID = os.getpid()
PREFIX = "wrnt%d-" % PID
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (what, os.strerror(number)))


def make_run_private():
    """Gives this process a /run of its own. Returns whether that was possible: a plain chroot,
    whose root is no mount point, cannot be made private; the run then relies on its unique names
    alone."""
    _check(_libc.unshare(CLONE_NEWNS), "unshare")
    if _libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        return False
    resolv = os.path.realpath("/etc/resolv.conf")
    text = None
    if resolv.startswith("/run/") and os.path.exists(resolv):
        with open(resolv, "rb") as f:
            text = f.read()
    _check(_libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, b"mode=0755"), "mount tmpfs on /run")
    if text is not None:
        os.makedirs(os.path.dirname(resolv), exist_ok=True)
        with open(resolv, "wb") as f:
            f.write(text)
    return True


def share_netns_names():
    """Makes /run/netns what `ip netns add` makes of it: a mount of its own, which others that copy
    our mounts see change. To be called before there are names."""
    os.makedirs("/run/netns", exist_ok=True)
    if _libc.mount(b"", b"/run/netns", b"none", MS_SHARED | MS_REC, None) != 0:
        _check(_libc.mount(b"/run/netns", b"/run/netns", b"none", MS_BIND | MS_REC, None), "bind")
        _check(_libc.mount(b"", b"/run/netns", b"none", MS_SHARED | MS_REC, None), "share")


def make_netns(path):
    """Makes a network namespace that 'path' names, as `ip netns add` does."""
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0))
    problems = []

    def make():
        try:
            _check(_libc.unshare(CLONE_NEWNET), "unshare")
            _check(_libc.mount(b"/proc/thread-self/ns/net", path.encode(), b"none", MS_BIND, None),
                   "mount")
        except OSError as problem:
            problems.append(problem)

    thread = threading.Thread(target=make)  # which ends in there, while we stay where we are
    thread.start()
    thread.join()
    if problems:
        os.unlink(path)
        raise problems[0]


def adopt_orphans():
    """Makes this process the parent of daemons that detach themselves, so that none gets lost."""
    _check(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def reap(pid):
    """Collects an adopted process that has ended; harmless for any other."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def _base36(number):
    digits = ""
    while number:
        number, d = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[d] + digits
    return digits or "0"


class Names:
    """Interface names of at most 15 characters, unique on the machine."""

    _count = 0

    @classmethod
    def interface(cls):
        cls._count += 1
        return "wt%s_%s" % (_base36(PID), _base36(cls._count))


class Namespace:
    def __init__(self, lab, label):
        self.lab = lab
        lab.namespace_count += 1
        self.name = "%s%d-%d%s" % (PREFIX, lab.number, lab.namespace_count, label)
        self.path = "/run/netns/" + self.name
        make_netns(self.path)
        self.fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self.ip("link set lo up")
        self.sysctl("net.ipv4.ping_group_range", "0 2147483647")
        self.sysctl("net.ipv4.conf.all.promote_secondaries", "1")
        for scope in ("all", "default"):
            self.sysctl("net.ipv4.conf.%s.send_redirects" % scope, "0")
        self.sysctl("net.ipv6.conf.all.accept_dad", "0")
        self.sysctl("net.ipv6.conf.default.accept_dad", "0")

    def close(self):
        try:
            left = self.pids()
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            wait.until(lambda: not self.pids(with_stewards=True), 5,
                       "end of the processes in " + self.name)
            assert not left, "still running in %s: %s" % (self.name, left)
        finally:
            os.close(self.fd)
            _check(_libc.umount2(self.path.encode(), MNT_DETACH), "umount " + self.path)
            os.unlink(self.path)

    def pids(self, with_stewards=False):
        """Our processes in this namespace, zombies left out (and collected, if adopted). A steward
        goes with its daemon, soon after it if that was killed."""
        here, found = os.fstat(self.fd).st_ino, []
        owned = {p.pid for p in self.lab.processes}
        for pid in children():
            try:
                if os.stat("/proc/%d/ns/net" % pid).st_ino == here and (
                        with_stewards or name_of(pid) != "warren-steward"):
                    found.append(pid)
            except OSError:
                if pid not in owned:
                    reap(pid)
        return found

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is in the namespace until the end of the block."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_libc.setns(self.fd, CLONE_NEWNET), "setns")
            try:
                yield
            finally:
                _check(_libc.setns(home, CLONE_NEWNET), "setns back")
        finally:
            os.close(home)

    def socket(self, family, kind, protocol=0):
        """A socket that belongs to the namespace, closed with the lab, 10 s time-out."""
        with self.entered():
            s = socket.socket(family, kind, protocol)
        s.settimeout(10 * wait.SLOW)
        return self.lab.register(s)

    def udp(self, address="0.0.0.0", port=0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        s = self.socket(family, socket.SOCK_DGRAM)
        s.bind((address, port))
        return s

    def ip(self, *lines):
        """Runs `ip` commands, one a string. Entering here is much quicker than `ip -n`, which
        mounts a /sys of its own, and so is a start without code of ours in the child."""
        with self.entered():
            return command(["ip", "-batch", "-"], stdin="\n".join(lines) + "\n", is_brief=True)

    def run(self, args, check=True, timeout=20, stdin=None, env=None):
        return command(args, check=check, timeout=timeout, stdin=stdin, env=env, netns=self)

    def spawn(self, args, **more):
        return self.lab.spawn(args, netns=self, **more)

    def sysctl(self, key, value):
        """Sets a per-namespace value under net."""
        assert key.startswith("net.")
        with self.entered(), open("/proc/sys/" + key.replace(".", "/"), "w") as f:
            f.write(str(value))

    def nft(self, rules):
        command(["nft", "-f", "-"], stdin=rules, netns=self)

    def links(self):
        with self.entered():
            return [name for _, name in socket.if_nameindex()]

    def has_link(self, name):
        with self.entered():
            try:
                socket.if_nametoindex(name)
                return True
            except OSError:
                return False


def _child_setup(netns_fd):
    def setup():
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if netns_fd is not None:
            if _libc.setns(netns_fd, CLONE_NEWNET) != 0:
                os._exit(126)
    return setup


def environment(extra=None):
    env = {"PATH": PATH, "LC_ALL": "C", "HOME": "/root"}
    for key, value in os.environ.items():
        if key.startswith(("ASAN_", "UBSAN_", "TSAN_", "LSAN_", "MSAN_", "WARREN_WG_")):
            env[key] = value
    env.update(extra or {})
    return env


class Result:
    def __init__(self, args, code, stdout, stderr):
        self.args, self.code, self.stdout, self.stderr = args, code, stdout, stderr


def command(args, check=True, timeout=20, stdin=None, env=None, netns=None, is_brief=False):
    """Runs a command to its end. Fails with its output if it returns non-zero and 'check' is set.
    One that is brief ends by itself: nothing has to see to it that it does not outlive us."""
    source = subprocess.PIPE if stdin is not None else subprocess.DEVNULL
    process = subprocess.Popen(args, stdin=source,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=environment(env),
                               preexec_fn=None if is_brief else _child_setup(netns and netns.fd))
    try:
        out, err = process.communicate(stdin, timeout=timeout * wait.SLOW)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError("did not end within %g s: %s\n%s%s"
                             % (timeout * wait.SLOW, args, out, err))
    except BaseException:
        process.kill()
        process.communicate()
        raise
    if check and process.returncode != 0:
        raise AssertionError("%s returned %d\n%s%s" % (args, process.returncode, out, err))
    return Result(args, process.returncode, out, err)


def end(process, number, seconds, label):
    """Ends a subprocess.Popen by a signal, waits for that and returns the exit code."""
    until_gone(process.send_signal, lambda: process.poll() is not None, number, seconds, label)
    return process.returncode


def until_gone(send, gone, number, seconds, label):
    """Calls send(number) and waits until gone().

    TSan's runtime keeps a signal back until the program calls into it, and now and then forgets one
    that came just before epoll_wait: to such a build it is sent again."""
    again_s = 2 if "thread" in os.environ.get("WARREN_SANITIZE", "") else float("inf")
    send(number)
    sent = time.monotonic()

    def ended():
        nonlocal sent
        if gone():
            return True
        if time.monotonic() > sent + again_s:
            send(number)
            sent = time.monotonic()
        return False

    wait.until(ended, seconds, "end of %s by signal %d" % (label, number))


class Process:
    """A program in the background with its output in a file."""

    def __init__(self, lab, args, netns=None, env=None, stdin=None, pass_fds=(), label=None,
                 stdout=None):
        self.args = [str(a) for a in args]
        self.label = label or os.path.basename(self.args[0])
        lab.process_count += 1
        self.log_path = os.path.join(lab.directory, "%02d-%s.log" % (lab.process_count, self.label))
        with open(self.log_path, "wb") as log:
            self.popen = subprocess.Popen(self.args, stdin=stdin or subprocess.DEVNULL,
                                          stdout=stdout or log, stderr=log, pass_fds=pass_fds,
                                          env=environment(env),
                                          preexec_fn=_child_setup(netns and netns.fd))
        self.pid = self.popen.pid

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def running(self):
        return self.popen.poll() is None

    def wait(self, seconds):
        """Waits for the end and returns the exit code."""
        wait.until(lambda: not self.running(), seconds, "end of %s" % self.label)
        return self.popen.returncode

    def signal(self, number):
        self.popen.send_signal(number)

    def end(self, number, seconds):
        """Sends a signal that ends the program, waits for that and returns the exit code."""
        return end(self.popen, number, seconds, self.label)

    def end_impatiently(self, number, seconds):
        """Sends the signal without a pause until the program has ended; its exit code."""
        def ended():
            for _ in range(64):
                if not self.running():
                    return True
                self.popen.send_signal(number)
            return False
        wait.until(ended, seconds, "end of %s by many signals %d" % (self.label, number), 0)
        return self.popen.returncode

    def cpu_s(self):
        """User plus system seconds so far."""
        with open("/proc/%d/stat" % self.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        with open("/proc/%d/status" % self.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) * 1024

    def close(self):
        if self.running():
            self.popen.terminate()
            end = time.monotonic() + 3 * wait.SLOW
            while self.running() and time.monotonic() < end:
                time.sleep(wait.STEP_S)
            if self.running():
                self.popen.kill()
        self.popen.wait()


class Lab:
    """Everything one test has made. close() takes it down whatever happened."""

    _labs = 0

    def __init__(self, root):
        Lab._labs += 1
        self.number = Lab._labs
        self.directory = tempfile.mkdtemp(prefix="lab%d-" % self.number, dir=root)
        os.chmod(self.directory, 0o755)  # daemons become another user
        self.process_count = self.namespace_count = 0
        self.processes = []
        self._closers = []
        self.checks = []  # called before anything is taken down; AssertionError fails the test

    def register(self, thing):
        self._closers.append(thing)
        return thing

    def registered(self, kind):
        """What was registered of a kind of thing."""
        return [thing for thing in self._closers if isinstance(thing, kind)]

    def namespace(self, label):
        return self.register(Namespace(self, label))

    def spawn(self, args, owned=False, **more):
        """Starts a program; 'owned': the caller ends it himself."""
        process = Process(self, args, **more)
        self.processes.append(process)
        return process if owned else self.register(process)

    def veth(self, ns1, name1, ns2, name2, mtu=1500):
        ns1.ip("link add %s mtu %d type veth peer name %s mtu %d netns %s"
               % (name1, mtu, name2, mtu, ns2.name), "link set %s up" % name1)
        ns2.ip("link set %s up" % name2)

    def thread(self, target, *args):
        t = threading.Thread(target=target, args=args, daemon=True)
        t.start()
        return t

    def close(self):
        """Takes everything down; returns the problems met."""
        problems = []
        for check in self.checks:
            try:
                check()
            except BaseException as problem:  # noqa: B902 - also a watchdog's: go on taking down
                problems.append(str(problem))
        for thing in reversed(self._closers):
            try:
                thing.close()
            except BaseException as problem:  # noqa: B902
                problems.append("%s: %s" % (type(thing).__name__, problem))
        self._closers = []
        shutil.rmtree(self.directory, ignore_errors=True)
        return problems

    def logs(self):
        return [(p.label, " ".join(p.args), p.log()) for p in self.processes
                if os.path.exists(p.log_path)]


def leftovers(root):
    """What this run left behind: a list of sentences."""
    found = []
    if os.path.isdir("/run/netns"):
        found += ["namespace " + n for n in os.listdir("/run/netns") if n.startswith(PREFIX)]
    if os.path.isdir("/run/wireguard"):
        tag = "wt%s_" % _base36(PID)
        found += ["socket " + n for n in os.listdir("/run/wireguard") if n.startswith(tag)]
    for pid in children():
        try:
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                line = f.read().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if line:
            found.append("process %d: %s" % (pid, line))
    if os.path.isdir(root):
        found += ["file " + os.path.join(root, n) for n in os.listdir(root)]
    return found


def name_of(pid):
    """What a process calls itself; "": it has gone."""
    try:
        with open("/proc/%d/comm" % pid) as f:
            return f.read().strip()
    except OSError:
        return ""


def children():
    """Process ids below this one, zombies left out."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as f:
                    fields = f.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry)] = int(fields[1])
    below, grew = {PID}, True
    while grew:
        more = {p for p, parent in parents.items() if parent in below} - below
        grew = bool(more)
        below |= more
    return sorted(below - {PID})
