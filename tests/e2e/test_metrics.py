# SPDX-License-Identifier: Apache-2.0
"""Metrics as docs/metrics.md says that they are: their form, their bounds, who may read them, and
that the dashboard asks for nothing else.

    alice 127.0.0.1:9586          bob unix:.../metrics
          <---- network home ---->
"""

import json
import os
import re
import shutil
import stat
import subprocess

import pytest

from harness import wait
from harness.internet import Internet
from harness.metrics import AT, ask, connect, parse, scrape, serving, values
from harness.tunnel import REPO
from harness.warrend import Network, Node

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.one_thread]


def document(name):
    with open(os.path.join(REPO, name)) as stream:
        return stream.read()


def test_metrics_are_those_of_the_document(lab):
    """In name, label and meaning; promtool, where it is installed, finds nothing to say."""
    internet = Internet(lab)
    alice = serving(lab, internet.public("alice").ns, "alice", "%s:%d" % AT)
    place = "unix:%s/served/metrics.sock" % lab.directory
    bob = serving(lab, internet.public("bob").ns, "bob", place)
    Network(alice, "home").join(bob).settle()
    alice.ping(bob)
    text = scrape(alice)
    samples, types = parse(text)
    listed = {match[1]: (match[3], set(re.findall(r"`(\w+)`", match[2])))
              for match in re.finditer(r"^\| `(\w+)` \| (.*?) \| (\w+): ",
                                       document("docs/metrics.md"), re.M)}
    assert set(listed) == set(types)
    for (name, labels) in samples:
        kind, names = listed[name]
        assert kind == types[name] and names == {label for label, _ in labels}, name
    if shutil.which("promtool"):
        told = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, timeout=20,
                              capture_output=True, check=False)
        assert told.returncode == 0 and told.stdout + told.stderr == "", told
    for node, other in ((alice, bob), (bob, alice)):
        who = {"network": "home", "peer": other.hit, "name": other.name}
        wait.until(lambda n=node: values(n, "warren_sessions") == [1], 20, "a session")
        wait.until(lambda n=node, o=other, w=who: values(  # its name is told after it is up
            n, "warren_peer_path", path=n.path(o), **w) == [1], 20, "the peer with its name")
        assert values(node, "warren_peers", network="home", path=node.path(other)) == [1]
        assert values(node, "warren_network_state", network="home", state="connected") == [1]
        assert values(node, "warren_claim_state", claim="address", state="held") == [1]
        assert values(node, "warren_events_total", event="peer.up")[0] >= 1
        assert values(node, "warren_peer_receive_bytes_total", **who)[0] > 0
        now_s = node.rpc("status")["now_s"]
        assert values(node, "warren_lease_expiry_timestamp_seconds")[0] > now_s
    assert not values(alice, "warren_membership_expiry_timestamp_seconds"), "an owner has no end"
    assert values(bob, "warren_membership_expiry_timestamp_seconds") == [
        bob.network("home")["until_s"]]
    before = values(alice, "warren_dropped_packets_total", reason="no_route")[0]
    nobody = alice.address().rsplit(".", 1)[0] + ".77"
    alice.ns.run(["ping", "-c", "1", "-W", "1", nobody], check=False)
    wait.until(lambda: values(alice, "warren_held_packets_lost_total")[0] > 0 or
               values(alice, "warren_held_packets")[0] > 0 or
               values(alice, "warren_dropped_packets_total", reason="no_route")[0] > before,
               20, "a packet to nobody is counted")


def test_a_dashboard_asks_for_what_there_is():
    dashboard = json.loads(document("packaging/grafana/warren.json"))
    listed = set(re.findall(r"^\| `(\w+)` \|", document("docs/metrics.md"), re.M))
    asked = []
    for panel in dashboard["panels"]:
        asked += [target["expr"] for target in panel["targets"]]
    asked += [variable["definition"] for variable in dashboard["templating"]["list"]
              if "definition" in variable]
    assert len(asked) >= 20
    for query in asked:
        names = re.findall(r"\b(?:warren|process)_\w+", query)
        assert names and set(names) <= listed, query
        for name in names:
            assert not name.endswith("_total") or "rate(" in query, query


def test_a_scraper_cannot_hold_up_anybody(lab):
    """Requests, connections and seconds are bounded; others are answered meanwhile."""
    node = serving(lab, lab.namespace("alone"), "alone", "%s:%d" % AT)
    silent = connect(node)
    for request, status in (("GET / HTTP/1.1\r\n\r\n", 404),
                            ("DELETE /metrics HTTP/1.1\r\n\r\n", 405),
                            ("GET /metrics HTTP/2.0\r\n\r\n", 505), ("hello\r\n\r\n", 400),
                            ("GET /metrics HTTP/1.1\r\n" + "a: %s\r\n" % ("b" * 9000), 431),
                            ("HEAD /metrics HTTP/1.1\r\n\r\n", 200)):
        got, head, content = ask(node, request)
        assert got == status, request
        assert bool(content) == ("HEAD" not in request)
        assert (status == 405) == ("Allow: GET, HEAD" in head)
    crowd = [connect(node) for _ in range(40)]
    for s in crowd:
        s.sendall(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
    assert parse(scrape(node))
    wait.until(lambda: values(node, "warren_metrics_cut_total")[0] >= 20, 10, "others gave way")
    assert values(node, "warren_metrics_requests_total", code="405") == [1]
    assert node.rpc("version")["protocol"] == 1
    silent.settimeout(15 * wait.SLOW)
    assert silent.recv(1) == b"", "the oldest has given way"
    for _ in range(100):
        assert parse(scrape(node))
    crowd[-1].settimeout(15 * wait.SLOW)
    assert crowd[-1].recv(1) == b"", "who takes his time is cut"
    for s in [silent, *crowd]:
        s.close()
    other = Node(lab, node.ns, "other", port=41001, options=["--metrics", "%s:%d" % AT])
    other.start()
    told = other.run_cli("doctor").stdout
    assert "cannot serve metrics at 127.0.0.1:9586" in told and "--metrics" in told, told


def test_a_socket_for_metrics_is_the_groups(lab):
    path = os.path.join(lab.directory, "served", "metrics.sock")
    node = serving(lab, lab.namespace("alone"), "alone", "unix:" + path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    node.kill()  # what it leaves behind is no obstacle
    node.start()
    assert parse(scrape(node))
    node.stop()
    assert not os.path.exists(path)
