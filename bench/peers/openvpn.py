# SPDX-License-Identifier: Apache-2.0
"""OpenVPN in user space (its kernel module is told not to be used), two peers, UDP, AES-256-GCM."""

import re
import time

import lab
from peers import Packaged, Tunnel

PORT = 1194


class OpenVpn(Packaged):
    def __init__(self):
        super().__init__("openvpn", "OpenVPN AES-256-GCM", "openvpn", "openvpn")

    def missing(self):
        return super().missing() or (
            None if lab.find("openssl") else "openvpn: openssl is missing: apt-get install openssl")

    def start(self, bench):
        prints = {side: make_certificate(bench, side) for side in lab.SIDES}
        interfaces = {side: bench.interface(side) for side in lab.SIDES}
        started = time.monotonic()
        daemons = []
        for side, other in (lab.SIDES, lab.SIDES[::-1]):
            role = ["--tls-client"] if side == "left" else ["--tls-server", "--dh", "none"]
            daemons.append(bench.spawn(side, [
                lab.find("openvpn"), "--dev", interfaces[side], "--dev-type", "tun", "--proto",
                "udp", "--local", lab.OUTER[side], "--remote", lab.OUTER[other], "--port", PORT,
                "--ifconfig", lab.INNER[side], lab.INNER[other], "--tun-mtu", lab.INNER_MTU,
                "--data-ciphers", "AES-256-GCM", "--disable-dco", "--verb", 1,
                "--cert", bench.directory + "/%s.crt" % side,
                "--key", bench.directory + "/%s.key" % side,
                "--peer-fingerprint", prints[other]] + role))
        for side, daemon in zip(lab.SIDES, daemons):
            lab.wait_until(lambda s=side, d=daemon: d.check() and bench.has_link(s, interfaces[s]),
                           10, "openvpn on " + side)
        return Tunnel(lab.INNER, daemons, started=started)


def make_certificate(bench, side):
    """Returns its fingerprint."""
    path = bench.directory + "/" + side
    lab.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", "2", "-subj", "/CN=" + side, "-keyout", path + ".key",
             "-out", path + ".crt"])
    text = lab.run(["openssl", "x509", "-in", path + ".crt", "-noout", "-fingerprint", "-sha256"])
    return re.search(r"=([0-9A-F:]+)", text).group(1)


ROWS = [OpenVpn()]
