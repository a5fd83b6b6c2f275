# SPDX-License-Identifier: Apache-2.0
"""What README.md and docs/uapi.md tell a reader to type is typed here, and answers as they say.

    alice  10.77.0.1 ---- veth ---- 10.77.0.2  bob
           192.168.77.1 == tunnel == 192.168.77.2
"""

import os
import re

import pytest

from harness import noise, tunnel
from harness.tunnel import Tunnel, WARREN

CONFIGURATION = """[Interface]
PrivateKey = %s
Address = 192.168.77.1/24
[Peer]
PublicKey = %s
AllowedIPs = 192.168.77.2/32
Endpoint = 10.77.0.2:51820
"""


def read(name):
    with open(os.path.join(tunnel.REPO, name)) as stream:
        return stream.read()


def section(text, title):
    """What stands below a heading, up to the next one of its rank."""
    return text.split("\n## %s\n" % title, 1)[1].split("\n## ", 1)[0]


def typed(text, prompt):
    """The commands behind a prompt in the indented parts of a document, here-documents included."""
    lines, found = text.split("\n"), []
    for i, line in enumerate(lines):
        if not line.startswith("    " + prompt):
            continue
        command = line[4 + len(prompt):]
        if "<<'EOF'" in command:
            rest = lines[i + 1:]
            end = rest.index("    EOF")
            command += "\n" + "\n".join(piece[4:] for piece in rest[:end + 1])
        found.append(command)
    return found


@pytest.fixture
def alice(lab, tmp_path):
    """Two hosts; bob's end runs, alice has the file and nothing else. Returns her namespace."""
    a, b = lab.namespace("a"), lab.namespace("b")
    lab.veth(a, "u0", b, "u0")
    a.ip("addr add 10.77.0.1/24 dev u0")
    b.ip("addr add 10.77.0.2/24 dev u0")
    private = noise.private_key()
    bob = Tunnel(lab, b, WARREN, ["192.168.77.2/24"]).start().configure()
    assert bob.set("public_key=" + noise.public_key(private).hex(),
                   "allowed_ip=192.168.77.1/32") == 0
    path = tmp_path / "wg0.conf"
    path.write_text(CONFIGURATION % (noise.b64(private), noise.b64(bob.public)))
    path.chmod(0o600)
    (tmp_path / "build").symlink_to(os.path.dirname(tunnel.WARREN_WG))
    return a


@pytest.mark.warren_only
def test_tour_of_the_readme(alice, tmp_path):
    """One minute with warren-wg: each command succeeds but the ping to nobody, which is refused at
    once and counted."""
    commands = typed(section(read("README.md"), "One minute with warren-wg"), "alice# ")
    assert len(commands) >= 6 and commands[-1].startswith("wg-quick down")
    script = "cd %s\n" % tmp_path + "".join(
        c + (" || echo ping failed" if "192.168.77.9" in c else "") + "\n" for c in commands)
    try:
        shown = alice.run(["bash", "-euc", script], timeout=30).stdout
    finally:
        alice.run(["ip", "link", "del", "wg0"], check=False)
    assert "3 received" in shown
    assert "latest handshake" in shown
    assert "Destination Host Unreachable" in shown and "ping failed" in shown
    assert re.search(r"^no_route +[1-9]", shown, re.M)


@pytest.mark.warren_only
def test_commands_of_the_socket_reference(lab):
    """nc, socat and Python speak to the socket as docs/uapi.md shows."""
    end = Tunnel(lab, lab.namespace("a"), WARREN).start()
    commands = typed(read("docs/uapi.md"), "# ")
    assert len(commands) == 3
    answers = ("listen_port=51820", "drop_bad_length=0", "errno=0")
    for command, answer in zip(commands, answers):
        command = command.replace("wg0", end.name).replace("python3", "/usr/bin/python3")
        shown = end.ns.run(["sh", "-euc", command], timeout=10).stdout
        assert answer in shown, command
