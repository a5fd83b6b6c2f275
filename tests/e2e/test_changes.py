# SPDX-License-Identifier: Apache-2.0
"""A change that packets of the host must not notice: the link comes up.

    a: 10.7.0.1  ==== tunnel ====  b: 10.7.0.2
"""

import subprocess

import pytest

from harness import wait
from harness.dataplane import pair

pytestmark = [pytest.mark.warren_only, pytest.mark.matrix]


def test_first_packet_after_up(lab):
    """What the host sends right after `ip link set up` waits for the program to notice, and
    arrives; thirty times over."""
    left, right = pair(lab)
    sink = right.ns.udp("10.7.0.2", 4001)
    s = left.ns.udp("10.7.0.1")
    for turn in range(30):
        left.ns.ip("link set %s down" % left.name)
        wait.steady(lambda: True, 0.05, "handshakes are not to follow one another too fast")
        with left.ns.entered():
            subprocess.run(["ip", "link", "set", left.name, "up"], check=True)
        s.sendto(b"%d" % turn, ("10.7.0.2", 4001))
        assert sink.recv(100) == b"%d" % turn
