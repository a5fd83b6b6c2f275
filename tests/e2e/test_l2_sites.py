# SPDX-License-Identifier: Apache-2.0
"""Gateways as files describe them: `warren up -f`, and `warren site apply` for many of them."""

import json
import os
import shutil
import stat

import pytest

from harness import wait
from harness.ethernet import Clouds, bridge, port_of, reaches
from harness.warrend import WARREN, Network, Node

pytestmark = [pytest.mark.warren_only, pytest.mark.networks]


@pytest.fixture
def gateway(lab):
    ns = lab.namespace("g")
    other = lab.namespace("m")
    for name in ("eth1", "eth2"):
        lab.veth(ns, name, other, name)
    return Node(lab, ns, "g").start()


def write(lab, name, text, mode=0o600):
    path = os.path.join(lab.directory, name)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


SITE = """\
# a gateway
[network site]
create = yes
kind = l2
attach = eth1
attach = eth9
vtep = 127.0.0.1:4789,vni=7
dhcp = allow
storm = 500

[network office]
create = yes
kind = l3
ipv4 = 10.77.0.0/24
"""


def test_a_site_is_brought_up_and_stays_as_it_is(lab, gateway):
    """[L5, L6] The first time all is done, the second time nothing; after a restart nothing either;
    and of a changed file only the change."""
    path = write(lab, "site.conf", SITE)
    said = gateway.cli("up", "-f", path)
    assert said.splitlines() == [
        "created site", "changed settings of site", "attached eth1 to site",
        "attached eth9 to site (it is not there yet)",
        "attached the VTEP 127.0.0.1:4789,vni=7 to site", "created office"]
    before = bridge(gateway)
    assert before["settings"]["dhcp"] and before["settings"]["storm_per_s"] == 500
    assert gateway.network("office")["ranges"]["ipv4"] == "10.77.0.0/24"
    assert gateway.cli("up", "-f", path) == "all is as the site says\n"
    gateway.restart()
    assert gateway.cli("up", "--file", path) == "all is as the site says\n"
    assert [p["state"] for p in bridge(gateway)["ports"]] == [p["state"] for p in before["ports"]]
    changed = SITE.replace("attach = eth1", "attach = eth2").replace("storm = 500", "storm = 600")
    said = gateway.cli("up", "-f", "-", stdin=changed)
    assert said.splitlines() == ["changed settings of site", "detached eth1 from site",
                                 "attached eth2 to site"]
    assert json.loads(gateway.cli("up", "-f", "-", "--json", stdin=changed))["changes"] == []


@pytest.mark.parametrize("text,line,reason", [
    ("attach = eth1\n", 1, "section"),
    ("[network site]\nattach eth1\n", 2, "neither"),
    ("[network site]\ncreate = yes\nattach = eth1 vlan=4095\n", 3, "1 to 4094"),
    ("[network site]\ncreate = perhaps\n", 2, "yes or no"),
    ("[network site]\n\n# a comment\njoin = http://example.org/secret\n", 4, "everybody"),
    ("[network site]\ncolour = red\n", 2, "no setting"),
    ("[network site]\ndhcp = maybe\n", 2, "allow or deny"),
    ("[network site]\ncreate = yes\nkind = l3\nattach = eth1\n", 1, "no bridge"),
    ("[network a]\ncreate = yes\n[network a]\n", 3, "already"),
    ("[network site\n", 1, "ends with ]"),
    ("[host x]\n", 1, "[network NAME]"),
    ("[network good]\ncreate = yes\n[network site]\njoin =\n", 4, "join is"),
])
def test_a_bad_file_changes_nothing(lab, gateway, text, line, reason):
    """The line and the reason are named, and what stands before is not done either."""
    path = write(lab, "bad.conf", text)
    result = gateway.run_cli("up", "-f", path)
    assert result.code == 1
    assert "bad.conf, line %d: " % line in result.stderr and reason in result.stderr, result.stderr
    assert gateway.rpc("network.list")["networks"] == []


def test_two_clouds_come_up_by_files_alone(lab):
    """[L5, L6, L9] Gateways join by a file with an invitation and attach what they find; their
    machines reach one another, and do so again after both were started anew."""
    clouds = Clouds(lab)
    network = Network(clouds.owner, "site", kind="l2")
    invitation = write(lab, "invitation", network.invite(uses=2) + "\n")
    machines = []
    for i, cloud in enumerate(clouds.clouds):
        port, machine = cloud.machine("192.168.50.%d" % (i + 1))
        machines.append(machine)
        text = "[network site]\njoin = %s\nhost-name = g%d\nattach = %s\n" % (
            invitation, i + 1, port)
        said = cloud.node.cli("up", "-f", "-", stdin=text)
        assert said.splitlines() == ["joined site", "attached %s to site" % port]
    reaches(*machines, seconds=30)
    for cloud in clouds.clouds:
        cloud.node.restart()
        text = "[network site]\njoin = /does/not/matter/any/more\nattach = eth1\n"
        assert cloud.node.cli("up", "-f", "-", stdin=text) == "all is as the site says\n"
    reaches(*machines, seconds=30)


FAKE_SSH = """#!/bin/sh
# ssh [-o OPTION]... [-p PORT] -- TARGET COMMAND: runs it here, with the socket of that host
while [ "$1" != -- ]; do
    [ "$1" = -p ] && echo "port $2"
    shift
done
case "$2" in
root@away) echo "ssh: connect to host away port 22: Connection refused" >&2; exit 255;;
esac
exec env WARREN_SOCKET=%(folder)s/${2#root@}/sock %(warren)s ${3#warren }
"""


SSHD = """\
Port 2200
ListenAddress 10.67.0.2
HostKey %(folder)s/host_key
AuthorizedKeysFile %(folder)s/client_key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""
SSH_CONFIG = """\
IdentityFile %(folder)s/client_key
IdentitiesOnly yes
UserKnownHostsFile %(folder)s/known_hosts
StrictHostKeyChecking yes
"""


def test_by_a_real_ssh(lab, gateway):
    """[L8] OpenSSH at both ends: the site file goes through it, the answer comes back, and a host
    whose key is not the known one is not spoken to."""
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    if sshd is None:
        pytest.skip("OpenSSH's server is not installed")
    office = lab.namespace("office")
    lab.veth(office, "mg0", gateway.ns, "mg0")
    office.ip("addr add 10.67.0.1/24 dev mg0")
    gateway.ns.ip("addr add 10.67.0.2/24 dev mg0")
    places = {"folder": lab.directory}
    for name in ("host_key", "client_key", "other_key"):
        office.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                    os.path.join(lab.directory, name)])
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # where it would give its rights up
    server = gateway.ns.spawn([sshd, "-D", "-e", "-f",
                               write(lab, "sshd_config", SSHD % places)], label="sshd")
    wait.until(lambda: gateway.ns.run(["ss", "-Htln", "sport = :2200"]).stdout, 10, "sshd")

    def known(key):
        with open(os.path.join(lab.directory, key + ".pub")) as f:
            write(lab, "known_hosts", "[10.67.0.2]:2200 " + f.read())

    config = write(lab, "ssh_config", SSH_CONFIG % places)
    os.makedirs(os.path.join(lab.directory, "bin"))
    write(lab, "bin/ssh", "#!/bin/sh\nexec /usr/bin/ssh -F %s \"$@\"\n" % config, 0o700)
    site = write(lab, "site.conf", "[network site]\ncreate = yes\nattach = ${inside}\n")
    hosts = write(lab, "hosts.conf", "[all]\nsite = %s\n"
                  "[host gw]\nssh = root@10.67.0.2\nport = 2200\n"
                  "inside = eth1\ncommand = env WARREN_SOCKET=%s %s up --file -\n"
                  % (site, gateway.socket_path, WARREN))

    def apply():
        return office.run([WARREN, "site", "apply", hosts], check=False, timeout=60, env={
            "PATH": os.path.join(lab.directory, "bin") + ":" + os.environ["PATH"]})

    known("other_key")
    result = apply()
    assert result.code == 1 and "cannot be reached" in result.stdout, result.stderr
    assert "Host key verification failed" in result.stdout
    known("host_key")
    result = apply()
    assert result.code == 0 and "gw: done\n    created site\n    attached eth1" in result.stdout
    assert port_of(gateway, "eth1")["state"] == "attached"
    assert "all is as the site says" in apply().stdout
    server.close()


def test_many_hosts_at_once(lab):
    """[L8, L9] One command, three hosts, each with its own variables; progress and a result for
    each; one that cannot be reached does not hinder the others, and a fault of the file stops all
    before anything is done."""
    nodes = {}
    for name in ("one", "two"):
        ns = lab.namespace(name)
        for interface in ("eth1", "lan0"):
            lab.veth(ns, interface, lab.namespace("m"), "m0")
        nodes[name] = Node(lab, ns, name).start()
    tools = os.path.join(lab.directory, "bin")
    os.mkdir(tools)
    path = write(lab, "bin/ssh", FAKE_SSH % {"folder": lab.directory, "warren": WARREN}, 0o700)
    assert os.stat(path).st_mode & stat.S_IXUSR
    site = write(lab, "site.conf", "[network ${name}]\ncreate = yes\nattach = ${inside}\n")
    hosts = write(lab, "hosts.conf", """\
[all]
site = %s
name = lan
inside = eth1
[host one]
ssh = root@one
[host two]
ssh = root@two
port = 2222
inside = lan0
[host away]
ssh = root@away
""" % site)

    def apply(*more):
        return nodes["one"].ns.run([WARREN, "site", "apply", hosts, *more], check=False,
                                   env={"PATH": tools + ":" + os.environ["PATH"]})

    result = apply()
    assert result.code == 1 and result.stdout.endswith("2 of 3 hosts are as the site says\n")
    assert "away: cannot be reached\n    ssh: connect to host away" in result.stdout
    assert "one: done\n    created lan\n    attached eth1 to lan\n" in result.stdout
    assert "two: done\n    port 2222\n    created lan\n    attached lan0 to lan\n" in result.stdout
    assert "[3/3] " in result.stdout
    assert port_of(nodes["one"], "eth1", "lan") and port_of(nodes["two"], "lan0", "lan")
    told = json.loads(apply("--host", "one", "--json").stdout)
    assert told == {"failed": 0, "hosts": [
        {"host": "one", "done": True, "code": 0, "said": "all is as the site says"}]}
    with open(site, "a") as f:
        f.write("colour = ${nowhere}\n")
    result = apply()
    assert result.code == 1 and "line 4" in result.stderr and "nowhere" in result.stderr
    assert "nothing was done anywhere" in result.stderr and result.stdout == ""
