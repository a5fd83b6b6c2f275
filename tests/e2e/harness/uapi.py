# SPDX-License-Identifier: Apache-2.0
"""The UAPI socket, byte by byte, so that tests do not depend on wg(8) where they need not."""

import os
import socket

from harness import wait

DIRECTORY = "/var/run/wireguard"


def path(interface):
    return os.path.join(DIRECTORY, interface + ".sock")


def connect(interface):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(10 * wait.SLOW)
    try:
        s.connect(path(interface))
    except BaseException:
        s.close()
        raise
    return s


def read_answer(s):
    """Reads up to the empty line that ends an answer, or to the end of the stream."""
    answer = b""
    while not answer.endswith(b"\n\n"):
        piece = s.recv(1 << 16)
        if not piece:
            break
        answer += piece
    return answer.decode()


def request(interface, text):
    with connect(interface) as s:
        s.sendall(text.encode())
        return read_answer(s)


def parse(answer):
    """'key=value' lines as a list of pairs."""
    return [tuple(line.split("=", 1)) for line in answer.split("\n") if line]


def set_(interface, *lines):
    """Applies lines of a `set` and returns the errno as a number."""
    answer = request(interface, "set=1\n" + "".join(line + "\n" for line in lines) + "\n")
    pairs = parse(answer)
    assert len(pairs) == 1 and pairs[0][0] == "errno", "answer to set: %r" % answer
    return int(pairs[0][1])


class Device:
    """A parsed `get`."""

    def __init__(self, pairs):
        self.interface, self.peers = {}, {}
        peer = None
        for key, value in pairs:
            if key == "public_key":
                peer = self.peers.setdefault(value, {"allowed_ip": []})
            elif peer is None:
                self.interface[key] = value
            elif key == "allowed_ip":
                peer["allowed_ip"].append(value)
            elif key == "errno":
                self.interface["errno"] = value
            else:
                peer[key] = value


def get(interface, with_stats=False):
    return Device(parse(request(interface, "get=1\n%s\n" % ("stats=1\n" if with_stats else ""))))


def stats(interface):
    """Drop counters by reason, without their prefix. A stock program has none, and hangs up."""
    pairs = dict(parse(request(interface, "stats=1\n\n")))
    assert pairs.pop("errno", None) == "0", "the program tells no counters"
    return {key[len("drop_"):]: int(value) for key, value in pairs.items()
            if key.startswith("drop_")}
