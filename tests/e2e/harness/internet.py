# SPDX-License-Identifier: Apache-2.0
"""An internet of namespaces: one router in the middle, public hosts, and sites behind NAT boxes.

    core 11.0.N.1 ---- 11.0.N.2 public host                      every line a /24 of its own, so
    core 11.0.N.1 ---- 11.0.N.2 box 192.168.N.1 ---- host        that nobody shares a link with
    core 11.0.N.1 ---- 11.0.N.2 carrier 100.64.N.1 ---- box      anybody by accident

What each kind of box does is in BOXES, in the words of RFC 4787; test_net_boxes.py measures it.
"""

from harness import wait

# What the mapping, and the way back through it, depend on. Source: RFC 4787, 4.1 and 5.
INDEPENDENT, ADDRESS_AND_PORT, NONE = "independent", "address and port", "none"


class Box:
    def __init__(self, sentence, mapping, filtering, rules, carrier=None):
        self.sentence, self.mapping, self.filtering = sentence, mapping, filtering
        self.rules, self.carrier = rules, carrier


def _masquerade(how=""):
    """As the kernel does it. What comes unasked is dropped in time: an entry for it would make the
    next packet there leave by another port."""
    return """
table inet f {
 chain input { type filter hook input priority 0; policy accept
  iifname "wan" ct state new drop
 }
 chain forward { type filter hook forward priority 0; policy accept
  iifname "wan" ct state new drop
 }
}
table ip n {
 chain postrouting { type nat hook postrouting priority 100; policy accept
  oifname "wan" masquerade %s
 }
}
""" % how


def _cone(filtering):
    """Each port that something went out by belongs to that host, whoever sends there; 'filtering'
    drops some of it."""
    return """
table ip n {
 map hosts { type inet_service : ipv4_addr; flags dynamic,timeout; timeout 120s; }
 set asked { type ipv4_addr . inet_service . ipv4_addr . inet_service; flags dynamic,timeout
  timeout 120s
 }
 chain forward { type filter hook forward priority 0; policy accept
  iifname "lan" meta l4proto udp update @hosts { udp sport : ip saddr }
  iifname "lan" meta l4proto udp update @asked { ip saddr . udp sport . ip daddr . udp dport }
  %s
 }
 chain input { type filter hook input priority 0; policy accept
  iifname "wan" ct state new drop
 }
 chain prerouting { type nat hook prerouting priority -100; policy accept
  iifname "wan" meta l4proto udp dnat to udp dport map @hosts
 }
 chain postrouting { type nat hook postrouting priority 100; policy accept
  oifname "wan" masquerade
 }
}
""" % filtering


_BLOCKED = _masquerade() + """
table inet g {
 chain forward { type filter hook forward priority -1; policy accept
  meta l4proto udp drop
 }
}
"""

BOXES = {
    "cone": Box("full cone", INDEPENDENT, INDEPENDENT, _cone("")),
    "port": Box("port-restricted cone", INDEPENDENT, ADDRESS_AND_PORT, _cone(
        'iifname "wan" ct state new ip daddr . udp dport . ip saddr . udp sport != @asked drop')),
    "linux": Box("Linux masquerade", INDEPENDENT, ADDRESS_AND_PORT, _masquerade()),
    "symmetric": Box("symmetric, random ports", ADDRESS_AND_PORT, ADDRESS_AND_PORT,
                     _masquerade("fully-random")),
    "carrier": Box("Linux masquerade behind a carrier's cone", INDEPENDENT, ADDRESS_AND_PORT,
                   _masquerade(), carrier="cone"),
    "blocked": Box("UDP blocked", NONE, NONE, _BLOCKED),
}


class Host:
    """A machine with one line, u0, which can be pulled and plugged in elsewhere."""

    def __init__(self, internet, label):
        self.internet, self.label = internet, label
        self.ns = internet.lab.namespace(label)
        self.address = self.plugged = None

    def plug(self, into):
        """Puts the line into a site, or into the core (the internet itself); pulls it out first."""
        self.pull()
        self.address = into.give_line(self.ns)
        self.plugged = into
        return self

    def pull(self):
        if self.plugged is not None:
            self.ns.ip("link del u0")
            self.plugged = self.address = None

    def renumber(self, address):
        """Gets another address on the same line; the old one is gone at once."""
        gateway = self.address.rsplit(".", 1)[0] + ".1"
        self.ns.ip("addr add %s/24 dev u0" % address, "addr del %s/24 dev u0" % self.address,
                   "route replace default via " + gateway)
        self.address = address


class Site:
    """A home: a LAN behind a box, or behind two."""

    def __init__(self, internet, kind, number):
        self.internet, self.kind, self.number = internet, kind, number
        self.box = BOXES[kind]
        self.ns = internet.lab.namespace("nat")
        self.hosts = 0
        outside = internet
        self.carrier = None
        if self.box.carrier:
            self.carrier = internet.lab.namespace("cgn")
            internet.router(self.carrier, internet.give_line(self.carrier, "wan"))
            self.carrier.ip("link add lan type bridge forward_delay 0", "link set lan up",
                            "addr add 100.64.%d.1/24 dev lan" % number)
            self.carrier.nft(BOXES[self.box.carrier].rules)
            outside = self
        self.address = outside.give_line(self.ns, "wan")
        internet.router(self.ns, self.address)
        self.ns.ip("link add lan type bridge forward_delay 0", "link set lan up",
                   "addr add 192.168.%d.1/24 dev lan" % number)
        self.ns.nft(self.box.rules)
        self.outer = self.address if self.carrier is None else internet.last_address

    def give_line(self, ns, name="u0"):
        """A line into the LAN; the first one of a site with a carrier leads to the carrier's."""
        to_carrier = name == "wan"
        inside, base = (self.carrier, "100.64") if to_carrier else (self.ns, "192.168")
        self.hosts += 1
        line = "h%d" % self.hosts
        prefix = "%s.%d." % (base, self.number)
        address = prefix + str(self.hosts + 1)
        self.internet.connect(ns, name, address, inside, line, prefix + "1")
        inside.ip("link set %s master lan" % line)
        return address

    def forget(self):
        """The box forgets all mappings, as after a restart."""
        for ns in filter(None, (self.ns, self.carrier)):
            ns.run(["conntrack", "-F"])
            for name in ("map ip n hosts", "set ip n asked"):
                ns.run(["nft", "flush", *name.split()], check=False)

    def host(self, label):
        return Host(self.internet, label).plug(self)


class Internet:
    def __init__(self, lab):
        self.lab = lab
        self.core = lab.namespace("core")
        self.core.sysctl("net.ipv4.ip_forward", 1)
        self.lines = self.sites = 0
        self.last_address = None

    @staticmethod
    def router(ns, _address):
        ns.sysctl("net.ipv4.ip_forward", 1)

    def connect(self, ns, name, address, router, line, gateway):
        self.lab.veth(ns, name, router, line)
        ns.ip("addr add %s/24 dev %s" % (address, name), "route replace default via " + gateway)

    def give_line(self, ns, name="u0"):
        """A line into the middle of the internet, with a public address."""
        self.lines += 1
        prefix = "11.0.%d." % self.lines
        line = "n%d" % self.lines
        self.last_address = prefix + "2"
        self.connect(ns, name, self.last_address, self.core, line, prefix + "1")
        self.core.ip("addr add %s1/24 dev %s" % (prefix, line))
        return self.last_address

    def line_of(self, address):
        """The core's end of the line that a public address is on."""
        return "n" + address.split(".")[2]

    def public(self, label):
        return Host(self, label).plug(self)

    def site(self, kind):
        self.sites += 1
        return Site(self, kind, self.sites)

    def home(self, kind, label):
        """A host alone behind a box of its own; "public": without a box."""
        return self.public(label) if kind == "public" else self.site(kind).host(label)

    def cut(self, one, other, is_cut=True):
        """Cuts, or mends, the way between two groups of public addresses."""
        table = "cut"
        self.core.run(["nft", "delete", "table", "ip", table], check=False)
        if is_cut:
            ways = ["ip saddr { %s } ip daddr { %s } drop" % (", ".join(a), ", ".join(b))
                    for a, b in ((one, other), (other, one))]
            self.core.nft("table ip %s {\n chain c { type filter hook forward priority 0; policy "
                          "accept\n  %s\n }\n}\n" % (table, "\n  ".join(ways)))


def reached(receiver, payloads, last):
    """Receives until 'last' has come; returns what came, with where from. 'last' is sent after all
    others on the same way, so what has not come by then was dropped."""
    found = {}
    end = wait.deadline(10)
    while last not in found:
        assert wait.left(end) > 0, "the last datagram has not come: %r" % found
        data, source = receiver.recvfrom(2048)
        found[data] = source
    return {p: found[p] for p in payloads if p in found}
