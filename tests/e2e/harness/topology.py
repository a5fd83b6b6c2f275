# SPDX-License-Identifier: Apache-2.0
"""The few shapes of network that the tests use."""

UNDERLAY = {4: ("10.99.0.1", "10.99.0.2"), 6: ("fd99::1", "fd99::2")}
INNER = {4: ("10.7.0.1", "10.7.0.2"), 6: ("fd07::1", "fd07::2")}
INNER_LENGTH = {4: 24, 6: 64}


def two_hosts(lab, mtu=1500):
    """a (u0: .1) ---- veth ---- (u0: .2) b, IPv4 and IPv6."""
    a, b = lab.namespace("a"), lab.namespace("b")
    lab.veth(a, "u0", b, "u0", mtu)
    for ns, i in ((a, 0), (b, 1)):
        ns.ip("addr add %s/24 dev u0" % UNDERLAY[4][i],
              "addr add %s/64 dev u0 nodad" % UNDERLAY[6][i])
    return a, b


def inner_addresses(i):
    """The addresses of end 'i' with their prefix lengths."""
    return ["%s/%d" % (INNER[f][i], INNER_LENGTH[f]) for f in (4, 6)]


def inner_hosts(i):
    """The allowed IPs of end 'i': its two addresses."""
    return ["%s/32" % INNER[4][i], "%s/128" % INNER[6][i]]


def switch(lab, count, prefix="10.99.0.", prefix6="fd99::", mtu=1500):
    """Hosts h1..hn on one bridge in a namespace of its own, addresses .1 to .n; returns
    (bridge namespace, hosts)."""
    middle = lab.namespace("s")
    middle.ip("link add br0 type bridge", "link set br0 mtu %d up" % mtu)
    hosts = []
    for i in range(1, count + 1):
        host = lab.namespace("h%d" % i)
        lab.veth(host, "u0", middle, "p%d" % i, mtu)
        middle.ip("link set p%d master br0" % i)
        host.ip("addr add %s%d/24 dev u0" % (prefix, i),
                "addr add %s%d/64 dev u0 nodad" % (prefix6, i))
        hosts.append(host)
    return middle, hosts


def routed(lab, labels=("a", "b"), mtu=1500):
    """a (10.99.1.2) ---- (.1) router (10.99.2.1) ---- (.2) b; IPv6 alike, fd99:1:: and fd99:2::.
    Returns (a, router, b). The router's links are called r1 and r2."""
    router = lab.namespace("r")
    router.sysctl("net.ipv4.ip_forward", 1)
    router.sysctl("net.ipv6.conf.all.forwarding", 1)
    ends = []
    for i, label in enumerate(labels, 1):
        ns = lab.namespace(label)
        lab.veth(ns, "u0", router, "r%d" % i, mtu)
        router.ip("addr add 10.99.%d.1/24 dev r%d" % (i, i),
                  "addr add fd99:%d::1/64 dev r%d nodad" % (i, i))
        ns.ip("addr add 10.99.%d.2/24 dev u0" % i, "addr add fd99:%d::2/64 dev u0 nodad" % i,
              "route add default via 10.99.%d.1" % i, "route add ::/0 via fd99:%d::1" % i)
        ends.append(ns)
    return ends[0], router, ends[1]
