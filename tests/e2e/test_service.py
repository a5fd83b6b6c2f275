# SPDX-License-Identifier: Apache-2.0
"""What the daemons may do once they run, and how a service manager sees them. The packages' files
are looked at in test_packages.py.

    a: alice, or an interface of warren-wg
"""

import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess

import pytest

from harness import topology, wait
from harness.tunnel import REPO, Tunnel
from harness.warrend import BUILD, USER, WARREND, Network, Node

NOBODY = pwd.getpwnam(USER).pw_uid
SANITIZED = bool(os.environ.get("WARREN_SANITIZE"))
BITS = {"NET_BIND_SERVICE": 10, "NET_BROADCAST": 11, "NET_ADMIN": 12, "IPC_LOCK": 14, "BPF": 39,
        "KILL": 5, "SETGID": 6, "SETUID": 7, "SYS_ADMIN": 21}

pytestmark = [pytest.mark.warren_only, pytest.mark.one_thread]


def mask(*names):
    return sum(1 << BITS[name] for name in names)


def status(pid, thread=None):
    """The fields of /proc/PID/status."""
    path = "/proc/%d/status" % pid if thread is None else "/proc/%d/task/%d/status" % (pid, thread)
    with open(path) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def stewards(pid):
    """The processes that keep rights for it."""
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(child) for child in f.read().split()]


def unlocked(pid):
    """Mappings that a process may write and that may go to swap space."""
    found, name = [], None
    with open("/proc/%d/smaps" % pid) as f:
        for line in f:
            words = line.split()
            if re.match("[0-9a-f]+-[0-9a-f]+ ", line):
                name = line.strip() if words[1].startswith("rw") else None
            elif words[0] == "VmFlags:" and name is not None and "lo" not in words:
                found.append(name)
    return found


def check_confined(pid, wanted, steward_wanted, user=NOBODY):
    told = status(pid)
    assert told["Uid"].split() == told["Uid"].split()[:1] * 4 == [str(user)] * 4
    assert int(told["CapEff"], 16) == int(told["CapPrm"], 16) == wanted
    assert int(told["CapBnd"], 16) & ~wanted == int(told["CapInh"], 16) == 0
    assert int(told["CapAmb"], 16) == 0 and told["NoNewPrivs"] == "1"
    assert told["Seccomp"] == ("0" if SANITIZED else "2")
    assert user == 0 or told["Groups"].split() == []
    threads = [int(t) for t in os.listdir("/proc/%d/task" % pid)]
    for thread in threads:
        told = status(pid, thread)
        assert told["Uid"].split() == [str(user)] * 4
        assert told["Seccomp"] == ("0" if SANITIZED else "2"), told["Name"]
        if re.match("worker|wrn", told["Name"]) and thread != pid:
            few = mask("IPC_LOCK")
            assert int(told["CapEff"], 16) == int(told["CapPrm"], 16) == few, told["Name"]
    assert len(threads) >= 2
    assert SANITIZED or unlocked(pid) == []
    with open("/proc/%d/limits" % pid) as f:
        assert re.search(r"Max core file size +0 +0", f.read())
    assert os.stat("/proc/%d/environ" % pid).st_uid == 0  # not dumpable: none of ours looks in
    (steward,) = stewards(pid)
    told = status(steward)
    assert told["Name"] == "warren-steward" and told["NoNewPrivs"] == "1"
    assert int(told["CapEff"], 16) == int(told["CapBnd"], 16) == steward_wanted


@pytest.mark.networks
def test_warrend_gives_up_what_it_does_not_need(lab):
    a, _ = topology.two_hosts(lab)
    alice = Node(lab, a, "alice").start()
    Network(alice)
    few = mask("NET_ADMIN", "NET_BIND_SERVICE", "IPC_LOCK")
    check_confined(alice.process.pid, few, mask("SETUID", "SETGID", "KILL", "NET_ADMIN"))
    owner = os.stat(alice.socket_path)
    assert owner.st_uid == NOBODY and stat.S_IMODE(owner.st_mode) == 0o660
    for folder, _, files in os.walk(alice.state):
        for name in [".", *files]:
            info = os.lstat(os.path.join(folder, name))
            assert info.st_uid == NOBODY and info.st_mode & 0o077 == 0, (folder, name)
    told = {f["what"]: f for f in alice.rpc("doctor")["findings"]}
    assert told["rights"]["state"] == "ok" and USER in told["rights"]["text"]
    assert told["keys in memory"]["state"] == "ok" and told["tun device"]["state"] == "ok"
    wait.until(lambda: len(a.pids(with_stewards=True)) == 2, 5, "the programs that it ran are over")
    alice.kill()
    wait.until(lambda: not a.pids(with_stewards=True), 20, "the steward ends soon after it")


@pytest.mark.networks
def test_state_goes_to_whom_the_daemon_becomes(lab):
    """Begun as root by an older one; then for a user; and back. What is a link or has another name
    elsewhere is left alone."""
    a, _ = topology.two_hosts(lab)
    alice = Node(lab, a, "alice")
    os.makedirs(alice.state, mode=0o700)
    secret = os.path.join(lab.directory, "secret")
    with open(secret, "w") as f:
        f.write("root's\n")
    os.symlink(secret, os.path.join(alice.state, "link"))
    os.link(secret, os.path.join(alice.state, "twice"))
    alice.start()
    Network(alice)
    hit = alice.hit
    assert os.stat(secret).st_uid == 0
    alice.stop()
    alice.options = ["--user", "root"]
    os.chown(alice.folder, 0, 0)
    alice.start()
    assert alice.hit == hit and alice.network("lab")
    identity = os.path.join(alice.state, "identity")
    assert os.stat(identity).st_uid == 0
    few = mask("NET_ADMIN", "NET_BIND_SERVICE", "IPC_LOCK")
    check_confined(alice.process.pid, few, mask("SETUID", "SETGID", "KILL", "NET_ADMIN"), user=0)
    told = {f["what"]: f for f in alice.rpc("doctor")["findings"]}
    assert told["rights"]["state"] == "warning" and "useradd" in told["rights"]["fix"]
    alice.stop()
    alice.options = []
    os.chown(alice.folder, NOBODY, 0)
    alice.start()
    assert alice.hit == hit and os.stat(identity).st_uid == NOBODY


@pytest.mark.networks
def test_a_user_that_is_not_there_is_named(lab):
    node = Node(lab, lab.namespace("alone"), "alone")
    done = node.ns.run([WARREND, "--foreground", "--state", node.state, "--socket",
                        node.socket_path, "--user", "no-such-user"], check=False)
    assert done.code == 1 and "useradd" in done.stderr and "--user root" in done.stderr


@pytest.mark.networks
def test_a_hook_has_no_rights_and_is_not_filtered(lab):
    """It runs as the daemon's user, without capabilities, outside of the daemon's filter."""
    a, _ = topology.two_hosts(lab)
    folder = os.path.join(lab.directory, "hooks")
    out = os.path.join(lab.directory, "out")
    os.makedirs(os.path.join(folder, "address.held.d"))
    script = os.path.join(folder, "address.held.d", "10-who")
    with open(script, "w") as f:
        f.write("#!/bin/sh\n{ cat /proc/self/status; env; echo end; } >%s\n" % out)
    os.chmod(script, 0o755)
    open(out, "w").close()
    os.chmod(out, 0o666)
    alice = Node(lab, a, "alice", options=["--hooks", folder])
    alice.env = {"NOTIFY_SOCKET": os.path.join(lab.directory, "none")}
    alice.start()
    Network(alice)

    def told():
        with open(out) as f:
            text = f.read()
        return text if text.endswith("end\n") else None

    text = wait.until(told, 20, "the hook has run")
    fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    assert fields["Uid"].split() == [str(NOBODY)] * 4 and int(fields["CapEff"], 16) == 0
    assert fields["Seccomp"] == "0" and fields["NoNewPrivs"] == "1"
    assert "NOTIFY_SOCKET" not in text and "HOME" not in text


@pytest.mark.networks
def test_a_service_manager_is_told(lab):
    """READY when it answers, signs of life while the loop turns, STOPPING at the end."""
    a, _ = topology.two_hosts(lab)
    path = os.path.join(lab.directory, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        os.chmod(path, 0o666)
        manager.settimeout(10 * wait.SLOW)
        alice = Node(lab, a, "alice")
        alice.env = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"}
        alice.start(is_waiting=False)
        assert manager.recv(512).startswith(b"READY=1\n")
        alice.rpc("version")  # at once
        for _ in range(3):
            assert manager.recv(512) == b"WATCHDOG=1"
        os.kill(alice.process.pid, signal.SIGSTOP)  # it hangs: nothing comes any more
        manager.settimeout(1)
        with pytest.raises(TimeoutError):
            while manager.recv(512) == b"WATCHDOG=1":
                pass
        os.kill(alice.process.pid, signal.SIGCONT)
        alice.stop()
        said = b""
        while not said.startswith(b"STOPPING=1"):
            said = manager.recv(512)


def test_warren_wg_gives_up_what_it_does_not_need(lab):
    """Its socket is still looked after in a folder that is closed to it, and workers come later."""
    end = Tunnel(lab, lab.namespace("a"), addresses=["10.7.0.1/24"]).start().configure()
    few = mask("NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "IPC_LOCK", "BPF")
    many = mask("SETUID", "SETGID", "KILL", "NET_ADMIN", "SYS_ADMIN")
    check_confined(end.process.pid, few, many)
    assert end.set("workers=3") == 0
    check_confined(end.process.pid, few, many)


UNITS = os.path.join(REPO, "packaging", "systemd")
# What `systemd-analyze security` may say at most; docs/service.md names it.
EXPOSURE = {"warrend.service": 3.7, "warren-wg@.service": 3.7}


# Stands in for systemd: knows one unit, and starts what it says.
SYSTEMCTL = """#!/bin/sh
echo "$*" >>%(asked)s
case $1 in
    show) echo "LoadState=%(load)s"
          echo "ExecStart={ path=%(program)s ; argv[]=%(program)s --foreground ; pid=0 }" ;;
    start) [ %(load)s = loaded ] && [ ! -e %(asked)s.broken ] || exit 1
           %(program)s --socket /run/warren/warrend.sock --state %(state)s --user %(user)s \\
               --no-map-ports --no-tell-resolver --listen 41000 ;;
esac
"""


@pytest.mark.networks
def test_where_systemd_has_the_unit_it_starts_the_daemon(lab):
    """Not beside it: there would be two of them after the next boot. Which daemon is meant can be
    said, and one of another program, a checkout's, is none of systemd's."""
    node = lab.namespace("alone")
    folder = lab.directory
    os.chmod(folder, 0o755)
    cli = os.path.join(BUILD, "warren")
    asked, fake = os.path.join(folder, "asked"), os.path.join(folder, "systemctl")

    def up(*words, load="loaded", program=WARREND, systemd="/run/systemd/system"):
        """What it says, and what systemd was asked; the daemon is ended then."""
        open(asked, "w").close()
        with open(fake, "w") as stream:
            stream.write(SYSTEMCTL % {"asked": asked, "load": load, "program": program,
                                      "state": os.path.join(folder, "state"), "user": USER})
        os.chmod(fake, 0o755)
        script = ("mount --make-rprivate / && mount -t tmpfs none /run && mkdir -p %s /run/warren"
                  " && mount -t tmpfs none /var/lib && mount -t tmpfs none /usr/local/sbin &&"
                  " cp %s /usr/local/sbin/ || exit 99\n"
                  "%s; code=$?; %s down; exit $code" % (
                      systemd, fake, shlex.join([cli, "up", *words]), cli))
        done = node.run(["unshare", "-m", "sh", "-c", script], check=False)
        with open(asked) as stream:
            return done, stream.read().split("\n")[:-1]

    show = "show --property=LoadState,ExecStart warrend.service"
    done, told = up()
    assert done.code == 0 and "warrend is up" in done.stdout and "has ended" in done.stdout, done
    assert told == [show, "start warrend.service"]
    open(asked + ".broken", "w").close()
    done, told = up()
    assert done.code == 1 and "journalctl -u warrend.service -e" in done.stderr, done
    os.unlink(asked + ".broken")
    own = ["--state", os.path.join(folder, "own"), "--listen", "41001"]
    done, told = up(*own)
    assert done.code == 0 and "warrend is up" in done.stdout and told == []
    for other in ({"load": "not-found"}, {"program": "/bin/true"}):
        done, told = up(**other)
        assert done.code == 0 and "warrend is up" in done.stdout and told == [show], done
    done, told = up(systemd="/run/runit")
    assert done.code == 0 and "warrend is up" in done.stdout and told == []


def analyze(*args):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run(["systemd-analyze", *args], capture_output=True, text=True, timeout=60,
                          check=False)


@pytest.mark.networks
@pytest.mark.parametrize("name", sorted(EXPOSURE))
def test_units_are_understood_and_close_what_they_can(tmp_path, name):
    """Nothing in them is unknown to systemd, their programs are there, and the score is what the
    documents say."""
    with open(os.path.join(UNITS, name)) as f:
        text = f.read().replace("/usr/sbin/warren", os.path.join(BUILD, "warren"))
    path = str(tmp_path / name.replace("@.", "@wg0."))
    with open(path, "w") as f:
        f.write(text)
    said = analyze("verify", "--man=no", path)
    assert said.returncode == 0 and said.stdout == said.stderr == "", said
    said = analyze("security", "--offline=true", os.path.join(UNITS, name)).stdout
    score = float(re.search(r"exposure level for \S+: ([0-9.]+)", said).group(1))
    assert score <= EXPOSURE[name], said
    with open(os.path.join(REPO, "docs", "service.md")) as f:
        assert "| `%s` | %s |" % (name, EXPOSURE[name]) in f.read()
