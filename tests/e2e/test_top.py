# SPDX-License-Identifier: Apache-2.0
"""`warren top` in a terminal of 80 columns, of less, and without one.

    alice <---- network home ----> a-name-that-is-far-longer-than-its-column
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import termios
import time

import pytest

from harness import traffic, wait
from harness.internet import Internet
from harness.warrend import DONE, NO_DAEMON, USAGE, WARREN, Network, Node

pyte = pytest.importorskip("pyte")

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.one_thread]

LONG = "a-name-that-is-far-longer-than-its-column"


class Screen:
    """A program in a terminal, and what is on its screen."""

    def __init__(self, arguments, columns, rows, **environment):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(arguments[0], arguments, dict(os.environ, TERM="xterm", **environment))
        self.raw = b""
        self.resize(columns, rows)

    def resize(self, columns, rows):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        """Takes what comes; False: the program has ended."""
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                got = os.read(self.fd, 65536)
            except OSError:
                return False
            self.raw += got
            self.stream.feed(got)
        return True

    def until(self, pattern, seconds=20):
        end = time.monotonic() + seconds * wait.SLOW
        while not re.search(pattern, self.text, re.M):
            assert time.monotonic() < end and self.read(0.5), "no %r in:\n%s" % (pattern, self.text)
        return self.text

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def end(self, key=None):
        """Ends it by a key, or a signal. Returns its exit code; its last bytes are in 'raw'."""
        if key:
            os.write(self.fd, key)
        while self.read(20 * wait.SLOW):
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


@pytest.fixture
def alice(lab):
    internet = Internet(lab)
    alice, other = (Node(lab, internet.public(n).ns, n).start() for n in ("alice", "other"))
    Network(alice, "home")
    other.rpc("join", invitation=alice.rpc("invite")["line"], host_name=LONG)
    other.cli("wait", "ready")
    alice.wait(lambda n: any(p["name"] == LONG for p in n.network()["peers"]), 20, "its name")
    alice.other = other
    return alice


def test_top_in_a_terminal(alice):
    """Rates, round trips, loss and drops; follows the terminal's size; gives the screen back."""
    arguments = [WARREN, "top", "--socket", alice.socket_path]
    before = os.environ.get("NO_COLOR")
    seen = Screen(arguments, 80, 24)
    seen.until(r"^home: connected to 1 machine")
    seen.until(r"^network +peer +in/s +out/s +rtt +loss +path$")
    assert max(len(line) for line in seen.text.split("\n")) <= 80
    seen.until(r"^home +a-name-that-is~ .* B +.* B +\d+\.\d ms +- +direct")
    stream = traffic.Stream(alice.lab, alice.ns, alice.other.ns, alice.other.address(), size=1000)
    seen.until(r"^home +a-name-that-is~ .* KiB +\d+\.\d ms")
    stream.close()
    os.write(seen.fd, b"p")
    seen.until(r"^home +a-name-that-is~ .* 0 % +direct")
    os.kill(alice.other.process.pid, signal.SIGSTOP)
    try:
        seen.until(r"^home +a-name-that-is~ .* [1-9]\d* % ")
    finally:
        os.kill(alice.other.process.pid, signal.SIGCONT)
    seen.resize(50, 8)
    seen.until(r"^home +a-name~ ")
    assert seen.end(b"q") == DONE
    assert seen.raw.endswith(b"\x1b[?25h\x1b[?1049l"), seen.raw[-60:]
    assert before is not None or b"\x1b[2m" in seen.raw, "there are colours"


def test_top_without_a_terminal_and_without_a_daemon(alice):
    told = alice.run_cli("top", "--once")
    assert told.code == DONE and "\x1b" not in told.stdout, told
    assert re.search(r"^home +a-name-that-is~ ", told.stdout, re.M), told.stdout
    shown = json.loads(alice.cli("top", "--once", "--json"))
    assert shown["peers"][0]["name"] == LONG and shown["peers"][0]["rx_bytes_per_s"] >= 0
    assert shown["peers"][0]["loss"] is None
    assert alice.run_cli("top", "--interval", "0").code == USAGE
    seen = Screen([WARREN, "top", "--socket", alice.socket_path], 80, 24, NO_COLOR="1")
    seen.until(r"^home +a-name")
    assert not re.search(rb"\x1b\[[0-9;]*m", seen.raw), "no colours"
    alice.stop()
    assert seen.end() == NO_DAEMON
    assert b"\x1b[?1049l" in seen.raw and b"sudo warren up" in seen.raw.split(b"\x1b[?1049l")[1]
