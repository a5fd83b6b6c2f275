# SPDX-License-Identifier: Apache-2.0
"""VLANs as ports of a network of layer 2, in an emulated guest whose kernel has them. Gateways and
machines are namespaces of the guest:

    m1: m0, m0.12 192.168.50.1 ---- eth1, tagged: g1 u0 ---- u0 g2: eth1 ---- m0 192.168.50.2: m2
"""

import json
import re

import pytest

from harness import wait
from harness.guest import Guest, Unavailable
from harness.warrend import WARREN, WARREND

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.crowd]

PLACES = """
mkdir -p /run/netns /var /etc && ln -s /run /var/run
echo nobody:x:65534:65534::/:/bin/false > /etc/passwd
for n in g1 g2 m1 m2; do IP netns add $n && IP -n $n link set lo up; done
IP -n g1 link add u0 type veth peer name u0 netns g2
for i in 1 2; do
    IP -n g$i addr add 10.99.1.$i/24 dev u0 && IP -n g$i link set u0 up
    IP -n g$i link add eth1 type veth peer name m0 netns m$i && IP -n m$i link set m0 up
    mkdir -p /tmp/g$i && chmod 777 /tmp/g$i
done
IP -n m1 link add link m0 name m0.12 type vlan id 12 && IP -n m1 link set m0.12 up
IP -n m1 addr add 192.168.50.1/24 dev m0.12 && IP -n m1 addr add 192.168.51.1/24 dev m0
IP -n m2 addr add 192.168.50.2/24 dev m0 && IP -n m2 addr add 192.168.51.2/24 dev m0"""


class Site:
    """The guest, with a daemon in g1 and one in g2 that are in the network "site"."""

    def __init__(self, guest):
        self.guest = guest
        self.shell(PLACES, seconds=40)
        for name in ("g1", "g2"):
            self.start(name)
        self.warren("g1", "network create site --l2")
        line = json.loads(self.warren("g1", "invite site --json")[1])["line"]
        self.warren("g2", "join '%s'" % line)

    def shell(self, command, **more):
        """IP is the ip(8) of iproute2; the shell has busybox's inside."""
        return self.guest.run(re.sub(r"\bIP\b", "iproute2", command), **more)

    def warren(self, where, command, code=0):
        """Exit code, and what was printed and complained about."""
        done = self.shell("WARREN_SOCKET=/tmp/%s/sock IP netns exec %s warren %s"
                          % (where, where, command), seconds=60, check=False)
        assert code is None or done[0] == code, done
        return done

    def start(self, name):
        self.shell("IP netns exec NAME warrend --foreground --state /tmp/NAME/state --socket "
                   "/tmp/NAME/sock --user nobody --no-map-ports --no-tell-resolver >/tmp/NAME/log "
                   "2>&1 & echo $! >/tmp/NAME/pid".replace("NAME", name))
        wait.until(lambda: self.warren(name, "status", code=None)[0] == 0, 20,
                   name + " answers")

    def links(self, name=""):
        """What `ip` says of g1's interfaces, or of one. One that was never up has no queues."""
        told = self.shell("IP -n g1 -d -o link show " + name)
        return told.replace("qdisc noop ", "qdisc noqueue ")

    def state(self):
        told = json.loads(self.warren("g1", "bridge show site --json")[1])
        return {p["port"]: p["state"] for p in told["bridges"][0]["ports"]}

    def pings(self, address, size=56):
        return self.shell("IP netns exec m1 ping -q -c 1 -W 1 -s %d %s" % (size, address),
                          check=False)[0] == 0


@pytest.fixture
def site(lab):
    try:
        guest = Guest(lab, lab.namespace("k"), modules=("8021q", "bridge", "tun", "veth"),
                      programs={"iproute2": "ip", "warren": WARREN, "warrend": WARREND},
                      memory_mb=512)
    except Unavailable as reason:
        pytest.skip("NOT TESTED with VLANs: %s" % reason)
    return Site(guest)


@pytest.mark.watchdog(120)
def test_a_vlan_is_a_port(site):
    """Frames with that tag reach the network without it, and get it again on their way back; others
    do not. The VLAN's interface outlives a crash and goes with `warren detach`, which leaves the
    interface below as it was. An interface that somebody else made for the VLAN is not taken, but
    can be attached itself, once what it is made upon is up."""
    before = site.links("eth1")
    assert "DOWN" in before
    assert "eth1, VLAN 12: attached" in site.warren("g1", "attach site eth1 --vlan 12")[1]
    site.warren("g2", "attach site eth1")
    assert re.search(r"eth1\.12@eth1:.* master site .* vlan protocol 802.1Q id 12", site.links())
    wait.until(lambda: site.pings("192.168.50.2"), 20, "the machine without a tag")
    assert site.pings("192.168.50.2", 1472)
    assert not site.pings("192.168.51.2")  # by m0, without a tag
    site.shell("kill -9 $(cat /tmp/g1/pid)")
    assert "eth1.12@eth1" in site.links()
    site.start("g1")
    assert site.state() == {"eth1.12": "attached"}
    site.warren("g1", "detach site eth1 --vlan 12")
    assert site.links("eth1") == before and "eth1.12" not in site.links()

    site.shell("IP -n g1 link add link eth1 name mine type vlan id 12")
    said = site.warren("g1", "attach site eth1 --vlan 12", code=1)[1]
    assert "not made here" in said and "warren attach NETWORK mine" in said
    assert "has to be up first" in site.warren("g1", "attach site mine", code=1)[1]
    site.shell("IP -n g1 link set eth1 up")
    site.warren("g1", "attach site mine")
    assert site.state() == {"mine": "attached"}
    site.warren("g1", "detach site mine")
    assert "mine@eth1" in site.links() and "master site" not in site.links("mine")
