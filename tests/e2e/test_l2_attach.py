# SPDX-License-Identifier: Apache-2.0
"""What `warren attach` takes and what it refuses, and that everything is given back as it was. One
gateway is enough for that."""

import os

import pytest

from harness import wait
from harness.ethernet import bridge, port_of
from harness.warrend import USAGE, Network, Node, Refusal

pytestmark = [pytest.mark.warren_only, pytest.mark.networks]


@pytest.fixture
def gateway(lab):
    ns = lab.namespace("g")
    other = lab.namespace("m")
    for name in ("eth1", "eth2"):
        lab.veth(ns, name, other, name)
    node = Node(lab, ns, "g").start()
    Network(node, "site", kind="l2")
    return node


def facts(ns, name):
    """All that `ip` says of an interface and that must be as before."""
    text = ns.run(["ip", "-d", "link", "show", name]).stdout
    words = text.replace("\n", " ").split()
    flags = words[2] if len(words) > 2 else ""
    keys = ("mtu", "master", "promiscuity", "allmulti", "link/ether", "alias", "group")
    return ([flags] + [(k, words[words.index(k) + 1]) for k in keys if k in words])


def refusal(node, **params):
    with pytest.raises(Refusal) as caught:
        node.rpc("bridge.attach", network="site", **params)
    return caught.value


def test_bridge_and_device_come_and_go(lab, gateway):
    """The bridge has no spanning tree, the host no address there, and all of it goes with the
    daemon, and with the network."""
    shown = gateway.ns.run(["ip", "-d", "link", "show", "site"]).stdout
    assert "stp_state 0" in shown and "mcast_snooping 0" in shown and "mtu 1500" in shown
    assert "master site" in gateway.ns.ip("link show sitet").stdout
    assert "inet" not in gateway.ns.ip("addr show site").stdout
    gateway.stop()
    assert not gateway.ns.has_link("site") and not gateway.ns.has_link("sitet")
    gateway.start()
    assert gateway.ns.has_link("site") and gateway.ns.has_link("sitet")
    gateway.rpc("network.delete", network="site")
    assert not gateway.ns.has_link("site") and not gateway.ns.has_link("sitet")
    assert gateway.rpc("bridge.show") == {"bridges": []}


def test_what_was_attached_is_given_back_exactly(lab, gateway):
    """MTU, flags, promiscuity, alias and master; also after a crash, and whether it was up or down;
    and the state is on the disk."""
    gateway.ns.ip("link set eth1 down mtu 1400 alias mine", "link set eth2 up mtu 9000")
    before = {name: facts(gateway.ns, name) for name in ("eth1", "eth2")}
    assert gateway.cli("attach", "site", "eth1").startswith("eth1: attached\n")
    assert "its MTU is 9000" in gateway.cli("attach", "site", "eth2")
    assert gateway.cli("attach", "site", "eth2").startswith("eth2: attached (was already)")
    assert [port_of(gateway, n)["state"] for n in ("eth1", "eth2")] == ["attached"] * 2
    assert "mtu 1400" in gateway.ns.ip("link show site").stdout  # of the host's own packets
    assert facts(gateway.ns, "eth1") != before["eth1"]
    gateway.kill()
    assert "master site" in gateway.ns.ip("link show eth1").stdout
    gateway.start()
    assert [port_of(gateway, n)["state"] for n in ("eth1", "eth2")] == ["attached"] * 2
    gateway.cli("detach", "site", "eth1")
    assert facts(gateway.ns, "eth1") == before["eth1"]
    gateway.stop()
    assert facts(gateway.ns, "eth2") == before["eth2"]
    gateway.start()
    assert port_of(gateway, "eth2")["state"] == "attached" and port_of(gateway, "eth1") is None
    gateway.rpc("network.delete", network="site")
    assert facts(gateway.ns, "eth2") == before["eth2"]


def test_interfaces_come_and_go_by_themselves(lab, gateway):
    """One that is not there yet, one that is deleted and made again, one that somebody takes away,
    and a bridge that somebody deletes."""
    assert "no interface eth9" in gateway.run_cli("attach", "site", "eth9").stderr
    assert gateway.cli("attach", "site", "eth9", "--later").startswith("eth9: waiting")

    def is_in(name, state="attached"):
        wait.until(lambda: port_of(gateway, name)["state"] == state, 5,
                   "%s is %s" % (name, state))

    for _ in range(2):
        gateway.ns.ip("link add eth9 type veth peer name far9")
        is_in("eth9")
        gateway.ns.ip("link del eth9")
        is_in("eth9", "waiting")
    gateway.rpc("bridge.attach", network="site", interface="eth1")
    # In one step: what nobody has is taken back at once.
    gateway.ns.ip("link add other type bridge", "link set eth1 master other")
    is_in("eth1", "taken")
    gateway.ns.ip("link del other")
    is_in("eth1")
    gateway.ns.ip("link del site")
    wait.until(lambda: "master site" in gateway.ns.run(["ip", "link", "show", "eth1"]).stdout, 5,
               "a new bridge has the port")
    is_in("eth1")
    gateway.ns.ip("link set sitet nomaster")
    wait.until(lambda: "master site" in gateway.ns.run(["ip", "link", "show", "sitet"]).stdout, 5,
               "our own port is put back")


def test_a_renamed_port_is_given_back(lab, gateway):
    """The name is what was asked for: by another one the interface is no port any more, as it was
    before; and it is attached again when it has its name again."""
    gateway.ns.ip("link set eth1 down")
    before = facts(gateway.ns, "eth1")
    gateway.cli("attach", "site", "eth1")
    gateway.ns.ip("link set eth1 name lan1")
    wait.until(lambda: port_of(gateway, "eth1")["state"] == "waiting", 5, "it is missed")
    assert facts(gateway.ns, "lan1") == before
    gateway.ns.ip("link set lan1 name eth1")
    wait.until(lambda: port_of(gateway, "eth1")["state"] == "attached", 5, "it is back")
    gateway.cli("detach", "site", "eth1")
    assert facts(gateway.ns, "eth1") == before


def test_what_somebody_put_into_the_bridge_can_be_attached(lab, gateway):
    """By hand, or by a name of before while the daemon did not run. What Warren itself put there
    cannot."""
    gateway.cli("attach", "site", "eth2")
    gateway.kill()
    gateway.ns.ip("link set eth1 master site", "link set eth2 name lan2")
    gateway.start()
    gateway.cli("attach", "site", "--vtep", "127.0.0.1:4789")
    for name in ("sitet", "sitev0"):
        assert refusal(gateway, interface=name).reason == "OURS"
    for name in ("eth1", "lan2"):
        gateway.cli("attach", "site", name)
        assert port_of(gateway, name)["state"] == "attached"
        gateway.cli("detach", "site", name)
        assert ("master", "site") not in facts(gateway.ns, name)


def test_a_loop_between_own_ports_is_told(lab, gateway):
    """Both ends of a cable: nobody stands by for himself, so that it must be said what to do."""
    gateway.ns.ip("link add a1 type veth peer name a2")
    for name in ("a1", "a2"):
        gateway.cli("attach", "site", name)
    wait.until(lambda: "two ports of this host are one wire" in gateway.log(), 10, "it is said")
    assert not bridge(gateway)["stands_by"]


def test_refusals_name_the_next_step(lab, gateway):
    ns = gateway.ns
    Network(gateway, "other", kind="l2")
    Network(gateway, "lab")
    ns.ip("addr add 10.3.3.3/24 dev eth2", "link add tied type bridge",
          "link add eth3 type veth peer name far3", "link set eth3 master tied")
    assert refusal(gateway, interface="lo").reason == "NO_ETHERNET"
    assert refusal(gateway, interface="lab").reason == "NO_ETHERNET"
    assert refusal(gateway, interface="tied").reason == "BRIDGE"
    assert refusal(gateway, interface="othert").reason == "OURS"
    told = refusal(gateway, interface="eth3")
    assert told.reason == "ENSLAVED" and "ip link set eth3 nomaster" in told.text
    told = refusal(gateway, interface="eth2")
    assert told.reason == "ADDRESSES" and "10.3.3.3/24" in told.text and "--force" in told.text
    ns.ip("route add default via 10.3.3.1")
    assert refusal(gateway, interface="eth2").reason == "DEFAULT_ROUTE"
    assert gateway.rpc("bridge.attach", network="site", interface="eth2", force=True)["forced"]
    gateway.rpc("bridge.attach", network="other", interface="eth1")
    told = refusal(gateway, interface="eth1")
    assert told.reason == "ATTACHED" and "other" in told.text
    assert "carries IP packets" in gateway.run_cli("attach", "lab", "eth1").stderr
    result = gateway.run_cli("attach", "site", "--vtep", "0.0.0.0:4789")
    assert result.code == USAGE and "remote=" in result.stderr
    assert "not attached" in gateway.run_cli("detach", "site", "eth1").stderr
    assert "mtu 1500" in ns.ip("link show eth1").stdout


def test_leftovers_of_others_stay(lab, gateway):
    """Only what this identity made is taken over or removed, and that by its alias, not by its
    name."""
    gateway.kill()
    gateway.ns.ip("link add wrn0 type bridge",
                  "link set wrn0 alias 'warren bridge 0123 of 2001:20::1'")
    identity = gateway.ns.ip("link show site").stdout.split("alias warren bridge ")[1].split()[0]
    for folder in os.listdir(os.path.join(gateway.state, "networks")):
        assert folder == identity
        for name in os.listdir(os.path.join(gateway.state, "networks", folder)):
            os.unlink(os.path.join(gateway.state, "networks", folder, name))
    gateway.start()
    wait.until(lambda: not gateway.ns.has_link("site"), 5, "the bridge of no network is removed")
    assert gateway.ns.has_link("wrn0")


def test_vlans_without_a_driver_are_said(lab, gateway):
    """A kernel with VLANs has a port of one; one without says so, and nothing is left."""
    result = gateway.run_cli("attach", "site", "eth1", "--vlan", "12")
    if result.code == 0:
        assert "eth1.12" in gateway.ns.links()
        gateway.cli("detach", "site", "eth1", "--vlan", "12")
        assert "eth1.12" not in gateway.ns.links()
    else:
        assert "8021q" in result.stderr and bridge(gateway)["ports"] == []
    assert gateway.run_cli("attach", "site", "eth1", "--vlan", "4095").code != 0


def test_settings_are_kept(lab, gateway):
    shown = gateway.cli("bridge", "set", "site", "dhcp=allow", "arp=off", "loop-guard=off",
                        "storm=500", "age=60")
    assert shown == "dhcp=allow dhcp-server=off arp=off loop-guard=off storm=500 age=60\n"
    gateway.restart()
    assert bridge(gateway)["settings"] == {"dhcp": True, "dhcp_server": False, "arp": False,
                                           "loop_guard": False, "storm_per_s": 500, "age_s": 60}
    assert "no setting" in gateway.run_cli("bridge", "set", "site", "foo=1").stderr
    assert "allow or deny" in gateway.run_cli("bridge", "set", "site", "dhcp=yes").stderr
