# SPDX-License-Identifier: Apache-2.0
"""A hundred thousand peers in one configuration.

    a: the interface, no far end but b      10.99.0.1 ---- veth ---- 10.99.0.2   b: a Python peer
"""

import os
import time

import pytest

from harness import capture, topology, uapi, wait
from harness.hostile import Peer
from harness.tunnel import Tunnel, WARREN

PEERS = 100000


@pytest.mark.warren_only
@pytest.mark.watchdog(120)
def test_a_hundred_thousand_peers(lab):
    """Set in one request, listed by wg(8), held in bounded memory, and a real peer among them works
    at once; then all removed again."""
    a, b = topology.two_hosts(lab)
    end = Tunnel(lab, a, WARREN, ["10.200.0.1/32"]).start({"LOG_LEVEL": "error"}).configure()
    empty = end.process.resident_bytes()
    keys = os.urandom(32 * PEERS)
    text = ["set=1\nreplace_peers=true\n"]
    for i in range(PEERS):
        text.append("public_key=%s\nendpoint=10.%d.%d.%d:51820\nallowed_ip=100.%d.%d.%d/32\n"
                    "allowed_ip=fd64::%x:%x/128\n" % (
                        keys[32 * i:32 * i + 32].hex(), 100 + (i >> 16), i >> 8 & 255, i & 255,
                        64 + (i >> 16), i >> 8 & 255, i & 255, i >> 16, i & 65535))
    text.append("\n")
    begun = time.monotonic()
    with uapi.connect(end.name) as s:
        s.settimeout(60 * wait.SLOW)
        s.sendall("".join(text).encode())
        assert uapi.read_answer(s) == "errno=0\n\n"
    set_s = time.monotonic() - begun
    grown = end.process.resident_bytes() - empty

    begun = time.monotonic()
    shown = a.run(["wg", "show", end.name, "allowed-ips"], timeout=60).stdout
    show_s = time.monotonic() - begun
    lines = shown.strip().split("\n")
    assert len(lines) == PEERS and len(set(line.split("\t")[0] for line in lines)) == PEERS
    assert all(len(line.split()) == 3 for line in lines)
    print("\n%d peers: set in %.2f s, shown in %.2f s, %d bytes a peer" % (
        PEERS, set_s, show_s, grown // PEERS))
    if not os.environ.get("WARREN_SANITIZE"):  # they keep several bytes about each one
        assert grown < PEERS * 2560, "%d bytes a peer" % (grown // PEERS)

    peer = Peer(b, end.public, ("10.99.0.1", 51820))
    end.add_peer(peer, allowed=["10.201.0.1/32"])
    peer.connect()
    sink = a.udp("10.200.0.1", 4001)
    peer.send_packet(capture.ipv4_udp("10.201.0.1", "10.200.0.1", b"one of many"))
    assert sink.recv(100) == b"one of many"

    begun = time.monotonic()
    assert end.set("replace_peers=true") == 0
    assert time.monotonic() - begun < 10 * wait.SLOW
    assert uapi.get(end.name).peers == {}
