# SPDX-License-Identifier: Apache-2.0
"""A client of GET /metrics, which accepts what the text form 0.0.4 of Prometheus permits only."""

import re
import socket

from harness import wait
from harness.warrend import Node

AT = ("127.0.0.1", 9586)
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(r"(%s)(?:\{(%s(?:,%s)*)\})? (\d+(?:\.\d+)?)" % (NAME, LABEL, LABEL))


def parse(text):
    """Samples {(name, labels): value} and types; what the format does not permit fails."""
    samples, types, helps, family = {}, {}, set(), None
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert family not in helps and re.fullmatch(r"# HELP %s [^\\]*\S" % NAME, line), line
            helps.add(family)
        elif line.startswith("# TYPE "):
            assert line in ("# TYPE %s counter" % family, "# TYPE %s gauge" % family), line
            types[family] = line.split(" ")[3]
        else:
            match = SAMPLE.fullmatch(line)
            assert match and match[1] == family and family in types, line
            labels = tuple(sorted(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or "")))
            assert len({name for name, _ in labels}) == len(labels), line
            assert (family, labels) not in samples, "twice: " + line
            samples[family, labels] = float(match[3])
    assert helps == set(types)
    for name, kind in types.items():
        assert (kind == "counter") == name.endswith("_total"), name
        assert not re.search(r"_(ms|us|kib|minutes)(_|$)", name), "no base unit: " + name
    return samples, types


def connect(node):
    """A connection to the place where the node serves."""
    is_unix = node.place.startswith("unix:")
    s = node.ns.socket(socket.AF_UNIX if is_unix else socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(20 * wait.SLOW)
    s.connect(node.place[5:] if is_unix else AT)
    return s


def ask(node, request):
    """(status, head, content) of the answer to the bytes of a request."""
    with connect(node) as s:
        s.sendall(request.encode())
        with s.makefile("rb") as stream:
            answer = stream.read()
    head, content = answer.split(b"\r\n\r\n", 1)
    length = int(re.search(rb"(?i)\ncontent-length: (\d+)\r", head)[1])
    assert len(content) in (length, 0), head
    return int(head.split()[1]), head.decode(), content.decode()


def scrape(node):
    """The text of all metrics now."""
    status, head, content = ask(node, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status == 200 and "text/plain; version=0.0.4" in head
    return content


def values(node, metric, **labels):
    """The samples of a metric that have these labels, among others."""
    samples, _ = parse(scrape(node))
    return [value for (family, got), value in samples.items()
            if family == metric and set(labels.items()) <= set(got)]


def serving(lab, ns, name, place):
    """A node that serves its metrics at the place: AT, or "unix:PATH"."""
    node = Node(lab, ns, name, options=["--metrics", place])
    node.place = place
    return node.start()
