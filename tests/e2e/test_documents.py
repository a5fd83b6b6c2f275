# SPDX-License-Identifier: Apache-2.0
"""What HACKING.md says to type for two ends by hand is typed here.

    left  10.9.0.1 ---- veth ---- 10.9.0.2  right
          10.10.0.1 ==== tunnel ==== 10.10.0.2
"""

import os
import shlex

import pytest

from harness import net, tunnel

SECTION = "## Two ends by hand\n"


def blocks(text):
    """The indented parts of a section, each as one text."""
    found, inside = [], False
    for line in text.split("\n"):
        if line.startswith("    "):
            if not inside:
                found.append("")
            found[-1] += line[4:] + "\n"
        inside = line.startswith("    ") or (inside and not line)
    return found


@pytest.fixture
def commands(tmp_path):
    with open(os.path.join(tunnel.REPO, "HACKING.md")) as stream:
        section = stream.read().split(SECTION)[1].split("\n## ")[0]
    up, down = blocks(section)
    place = "cd %s\n" % shlex.quote(str(tmp_path))
    program = shlex.quote(tunnel.WARREN_WG)
    up, down = ((place + b).replace("build/warren-wg", program) for b in (up, down))
    yield up, down
    # also after a failure half-way; what is gone already does not matter
    net.command(["sh", "-c", down], check=False)


def test_two_ends_by_hand(commands):
    up, down = commands
    shown = net.command(["sh", "-euc", up], timeout=30).stdout
    assert "3 received" in shown
    assert "latest handshake" in shown
    net.command(["sh", "-euc", down])
    left = net.command(["ip", "netns", "list"]).stdout.split()
    assert "left" not in left and "right" not in left
