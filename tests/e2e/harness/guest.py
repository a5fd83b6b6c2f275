# SPDX-License-Identifier: Apache-2.0
"""A small emulated machine with what our own kernel lacks, its WireGuard and its VLANs for example:
Debian's cloud kernel, static busybox and the programs that a test wants in an initramfs, one
network card on a TAP device. Commands travel by TCP to a shell in the guest, on addresses of their
own; a serial line loses characters when the machine is busy.

The kernel package is fetched once with `apt-get download` into the build directory and unpacked
there; nothing is installed."""

import fcntl
import glob
import os
import queue
import re
import shutil
import socket
import subprocess
import time

from harness import net, noise, tunnel, wait

CARD = ("virtio_pci", "virtio_net")
MODULES = CARD + ("wireguard", "8021q", "bridge", "tun", "veth")  # what a guest may have
QEMU = "qemu-system-x86_64"


class Unavailable(Exception):
    """There can be no guest here; the text says why and what would help."""


def cache_directory():
    build = os.environ.get("WARREN_BUILD") or (
        os.path.dirname(tunnel.WARREN_WG) if "/" in tunnel.WARREN_WG else
        os.path.join(tunnel.REPO, "build"))
    return os.path.join(build, "guest-kernel")


def _run(args, **more):
    return subprocess.run(args, capture_output=True, text=True, check=False, timeout=180,
                          stdin=subprocess.DEVNULL, **more)


def _fetch(cache):
    """Downloads and unpacks the kernel package; returns the directory with its files. Of two runs
    side by side one does it."""
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _fetch_locked(cache)


def _fetch_locked(cache):
    depends = _run(["apt-cache", "depends", "linux-image-cloud-amd64"]).stdout
    match = re.search(r"Depends: (linux-image-[0-9]\S+-cloud-amd64)", depends)
    if not match:
        raise Unavailable("apt knows no kernel package linux-image-cloud-amd64: run apt-get update")
    root = os.path.join(cache, match.group(1))
    complete = os.path.join(root, "complete")
    if os.path.exists(complete) and _read(complete).decode().split() == list(MODULES):
        return root
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root)
    got = _run(["apt-get", "download", match.group(1)], cwd=root)
    packages = glob.glob(os.path.join(root, "*.deb"))
    if got.returncode != 0 or not packages:
        raise Unavailable("apt-get download %s failed: %s" % (
            match.group(1), got.stderr.strip().split("\n")[-1]))
    unpacked = os.path.join(root, "all")
    if _run(["dpkg", "-x", packages[0], unpacked]).returncode != 0:
        raise Unavailable("dpkg -x %s failed" % packages[0])
    os.rename(glob.glob(unpacked + "/boot/vmlinuz-*")[0], os.path.join(root, "vmlinuz"))
    for name in _with_dependencies(unpacked, MODULES):
        shutil.copy(_module_file(unpacked, name), os.path.join(root, name + ".ko"))
    shutil.rmtree(unpacked)
    os.unlink(packages[0])
    with open(complete, "w") as f:
        f.write(" ".join(MODULES))
    return root


def _module_file(root, name):
    pattern = re.sub("[-_]", "[-_]", name) + ".ko"
    found = glob.glob(root + "/**/" + pattern, recursive=True)
    return found[0] if found else None


def _with_dependencies(root, names):
    """Module names in the order of loading; built-in ones are left out."""
    order = []

    def add(name):
        path = _module_file(root, name)
        if path is None or name in order:
            return
        with open(path, "rb") as f:
            match = re.search(rb"\0depends=([^\0]*)\0", f.read())
        for below in match.group(1).decode().split(",") if match and match.group(1) else ():
            add(below)
        order.append(name)

    for name in names:
        add(name)
    return order


HOST_CONTROL, GUEST_CONTROL, CONTROL_PORT = "10.97.0.1", "10.97.0.2", 2323

INIT = """#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /tmp
mount -t tmpfs tmp /tmp
exec </dev/null >/dev/ttyS0 2>&1
for m in $(cat /order); do insmod /m/$m.ko || echo "insmod $m failed"; done
ip link set lo up
ip link set eth0 up
echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad
echo 1 > /proc/sys/net/ipv4/conf/all/promote_secondaries
ip addr add CONTROL_ADDRESS/24 dev eth0
nc -ll -p CONTROL_PORT -e /bin/shell &
echo "@@READY"
while :; do sleep 1000; done
"""


def _cpio(entries):
    """An initramfs (newc) of (path, mode, content) entries."""
    out = bytearray()

    def entry(number, name, mode, content):
        head = "070701" + "".join("%08X" % v for v in (
            number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0))
        out.extend(head.encode() + name.encode() + b"\0")
        out.extend(bytes(-len(out) % 4))
        out.extend(content)
        out.extend(bytes(-len(out) % 4))

    for number, (name, mode, content) in enumerate(entries, 1):
        entry(number, name, mode, content)
    entry(0, "TRAILER!!!", 0, b"")
    return bytes(out)


def _read(path):
    with open(path, "rb") as f:
        return f.read()


def _initramfs(root, modules, programs):
    entries = [(d, 0o40755, b"") for d in ("bin", "dev", "proc", "sys", "tmp", "m")]
    seen = {"bin"}

    def add(name, path, mode=0o100755):
        parts = os.path.dirname(name).split("/")
        for i in range(1, len(parts) + 1):
            directory = "/".join(parts[:i])
            if directory and directory not in seen:
                seen.add(directory)
                entries.append((directory, 0o40755, b""))
        entries.append((name, mode, _read(path)))

    busybox = shutil.which("busybox", path=net.PATH)
    add("bin/busybox", busybox)
    for applet in _run([busybox, "--list"]).stdout.split():
        if applet != "busybox":
            entries.append(("bin/" + applet, 0o120777, b"busybox"))
    libraries = set()
    for name, path in programs.items():
        add("bin/" + name, path)
        libraries.update(re.findall(r"(/\S+) \(0x", _run(["ldd", path]).stdout))
    for library in sorted(libraries):
        add(library.lstrip("/"), os.path.realpath(library))
    order = _with_dependencies(root, CARD + modules)
    for name in order:
        entries.append(("m/%s.ko" % name, 0o100644, _read(_module_file(root, name))))
    entries.append(("order", 0o100644, "\n".join(order).encode() + b"\n"))
    init = INIT.replace("CONTROL_ADDRESS", GUEST_CONTROL).replace("CONTROL_PORT", str(CONTROL_PORT))
    entries.append(("init", 0o100755, init.encode()))
    entries.append(("bin/shell", 0o100755, b"#!/bin/sh\nexec sh 2>&1\n"))
    return _cpio(entries)


class Guest:
    """A running guest whose card is the TAP device 'tap' in namespace 'ns', with 'modules' of its
    kernel and 'programs' {name: where it is on this machine}, which come with their libraries."""

    def __init__(self, lab, ns, tap="tap0", modules=(), programs=None, memory_mb=160):
        for program in (QEMU, "busybox", "apt-get", "dpkg", *(programs or {}).values()):
            if shutil.which(program, path=net.PATH) is None:
                raise Unavailable("%s is not installed: run make deps" % program)
        if os.uname().machine != "x86_64":
            raise Unavailable("the guest's kernel is for x86-64")
        root = _fetch(cache_directory())
        image = os.path.join(lab.directory, "guest.cpio")
        with open(image, "wb") as f:
            f.write(_initramfs(root, modules, {name: shutil.which(path, path=net.PATH)
                                               for name, path in (programs or {}).items()}))
        ns.ip("tuntap add mode tap name " + tap, "link set %s up" % tap,
              "addr add %s/24 dev %s" % (HOST_CONTROL, tap))
        self.ns = ns
        self.lines = queue.Queue()
        # TCG by name: an accelerator that is there but hangs would not be noticed. q35, not
        # microvm: without its timers the kernel cannot calibrate itself on a crowded machine, and
        # hangs
        self.process = lab.spawn([
            QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-m", str(memory_mb),
            "-M", "q35,usb=off", "-cpu", "max", "-accel", "tcg,thread=multi",
            "-kernel", os.path.join(root, "vmlinuz"), "-initrd", image, "-no-reboot", "-append",
            "console=ttyS0 quiet loglevel=1 panic=-1 mitigations=off nokaslr",
            "-netdev", "tap,id=n0,ifname=%s,script=no,downscript=no" % tap,
            "-device", "virtio-net-pci,romfile=,netdev=n0,mac=02:00:00:00:05:02",
            "-chardev", "stdio,id=s0,signal=off", "-serial", "chardev:s0"],
            netns=ns, label="guest", stdout=subprocess.PIPE)
        lab.register(self)
        self.thread = lab.thread(self._read)
        begun = time.monotonic()
        self._wait_for_boot(60)
        self.boot_s = time.monotonic() - begun

    def _read(self):
        for line in self.process.popen.stdout:
            self.lines.put(line.decode(errors="replace").rstrip("\r\n"))

    def _wait_for_boot(self, seconds):
        got, end = [], wait.deadline(seconds)
        while "@@READY" not in got:
            try:
                got.append(self.lines.get(timeout=max(0.01, end - time.monotonic())))
            except queue.Empty:
                raise AssertionError("guest did not boot within %g s:\n%s\n%s" % (
                    seconds * wait.SLOW, "\n".join(got[-30:]), self.process.log()[-1000:]))

    def _connect(self):
        s = self.ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            s.connect((GUEST_CONTROL, CONTROL_PORT))
            return s
        except (ConnectionRefusedError, TimeoutError):
            s.close()
            return None

    def run(self, command, seconds=20, check=True):
        """Runs a shell command line in the guest; returns its output. Fails if it does; without
        'check' returns (exit code, output)."""
        s = wait.until(self._connect, 20, "connection to the guest")
        with s:
            s.settimeout(seconds * wait.SLOW)
            s.sendall(("{ %s\n} </dev/null; echo \"@@END $?\"\n" % command).encode())
            got = b""
            while not (match := re.search(rb"@@END (\d+)\n", got)):
                piece = s.recv(1 << 16)
                assert piece, "guest: %s\nended with %r" % (command, got)
                got += piece
        code, text = int(match.group(1)), got[:match.start()].decode().strip("\n")
        assert code == 0 or not check, "guest: %s\nreturned %d: %s" % (command, code, text)
        return text if check else (code, text)

    def close(self):
        self.process.close()
        self.thread.join(5)
        self.process.popen.stdout.close()


class KernelEnd:
    """A wireguard interface in the guest, with the same questions as harness.tunnel.Tunnel."""

    def __init__(self, guest, name, port, addresses):
        self.guest, self.name, self.port = guest, name, port
        self.private = noise.private_key()
        self.public = noise.public_key(self.private)
        guest.run("ip link add %s type wireguard && echo %s > /tmp/%s.key && wg set %s private-key "
                  "/tmp/%s.key listen-port %d" % (
                      name, noise.b64(self.private), name, name, name, port))
        for a in addresses:
            guest.run("ip addr add %s dev %s" % (a, name))
        guest.run("ip link set %s up" % name)

    def add_peer(self, other, endpoint=None, allowed=(), psk=None, keepalive=None):
        command = "wg set %s peer %s" % (self.name, noise.b64(other.public))
        if psk:
            self.guest.run("echo %s > /tmp/psk" % noise.b64(psk))
            command += " preshared-key /tmp/psk"
        if endpoint:
            command += " endpoint '%s'" % endpoint
        if keepalive:
            command += " persistent-keepalive %d" % keepalive
        self.guest.run(command + " allowed-ips " + ",".join(allowed))

    def peer(self):
        fields = self.guest.run("wg show %s dump" % self.name).split("\n")[1].split("\t")
        return {"endpoint": fields[2], "handshake": int(fields[4]), "rx": int(fields[5]),
                "tx": int(fields[6])}

    def close(self):
        if self.guest.process.running():
            self.guest.run("ip link del " + self.name, check=False)
