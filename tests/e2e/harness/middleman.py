# SPDX-License-Identifier: Apache-2.0
"""A machine in the middle of a host's line that sees every frame and passes on what a policy makes
of the UDP datagrams in it (harness/relay.py has policies). The ends notice nothing of it."""

import socket
import threading

from harness.capture import ETH_P_ALL, PACKET_OUTGOING, SO_RCVBUFFORCE
from harness.packets import checksum

ETHERNET, IPV4, UDP = 14, b"\x08\x00", 17


class Middleman:
    """Takes the place of the line of a public host. Senders must not use offloads: frames have to
    fit the MTU."""

    def __init__(self, host, policy):
        lab = host.internet.lab
        self.policy = policy
        self.ns = lab.namespace("mid")
        core, line = host.internet.core, host.internet.line_of(host.address)
        prefix = host.address.rsplit(".", 1)[0]
        host.ns.ip("link del u0")
        lab.veth(host.ns, "u0", self.ns, "inside")
        lab.veth(core, line, self.ns, "outside")
        host.ns.ip("addr add %s/24 dev u0" % host.address, "route add default via %s.1" % prefix)
        core.ip("addr add %s.1/24 dev %s" % (prefix, line))
        self.ends, self.heads = {}, {}
        with self.ns.entered():
            for way, name in (("out", "inside"), ("in", "outside")):
                end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
                end.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
                end.bind((name, ETH_P_ALL))
                end.settimeout(0.05)
                self.ends[way] = end
        self._done = threading.Event()
        lab.register(self)
        self.threads = [lab.thread(self._run, way) for way in self.ends]

    def _run(self, way):
        source, target = self.ends[way], self.ends["in" if way == "out" else "out"]
        while not self._done.is_set():
            try:
                frame, address = source.recvfrom(1 << 16)
            except TimeoutError:
                continue
            if address[2] != PACKET_OUTGOING:
                for out in self._changed(way, frame):
                    try:
                        target.send(out)
                    except OSError:
                        pass  # larger than the line, or the line is gone

    def _changed(self, way, frame):
        """The frames to pass on. They have no UDP checksum: what was changed is not dropped by the
        kernel before the program sees it."""
        at = ETHERNET + (frame[ETHERNET] & 15) * 4 + 8
        if frame[12:14] != IPV4 or frame[ETHERNET + 9] != UDP or len(frame) < at:
            return [frame]
        size = int.from_bytes(frame[at - 4:at - 2], "big") - 8
        payload = frame[at:at + size]
        self.heads[way] = frame[:at]
        return [_frame(frame[:at], new) for new in self.policy(way, payload)]

    def say(self, way, datagram):
        """Sends something as if it came from the end that the last datagram of this way was from,
        and went to where that went."""
        self.ends["in" if way == "out" else "out"].send(_frame(self.heads[way], datagram))

    def close(self):
        self._done.set()
        for thread in self.threads:
            thread.join(5)
        for end in self.ends.values():
            end.close()


def _frame(head, datagram):
    """The frame that carries a datagram, with the headers of another one."""
    head = bytearray(head)
    ip = head[ETHERNET:-8]
    ip[2:4] = (len(ip) + 8 + len(datagram)).to_bytes(2, "big")
    ip[10:12] = b"\0\0"
    ip[10:12] = checksum(ip).to_bytes(2, "big")
    head[ETHERNET:-8] = ip
    head[-4:] = (len(datagram) + 8).to_bytes(2, "big") + b"\0\0"
    return bytes(head) + datagram
