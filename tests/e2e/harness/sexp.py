# SPDX-License-Identifier: Apache-2.0
"""S-expressions (RFC 9804) for tests: reads advanced and canonical text, writes canonical bytes. A
list is a tuple, an atom is bytes; display hints are not needed here."""

import base64
import re

TOKEN = re.compile(rb"\s*(?:(?P<open>\()|(?P<close>\))|(?P<size>\d+):|#(?P<hex>[\s0-9a-fA-F]*)#"
                   rb"|\|(?P<base64>[^|]*)\||\"(?P<string>(?:[^\"\\]|\\[\"\\])*)\""
                   rb"|(?P<token>[A-Za-z\-./_:*+=][A-Za-z0-9\-./_:*+=]*))")


def read_all(text):
    """Every expression of a text."""
    text = text.encode() if isinstance(text, str) else text
    stack, place = [[]], 0
    while text[place:].strip():
        match = TOKEN.match(text, place)
        assert match, text[place:place + 40]
        place, kind = match.end(), match.lastgroup
        if kind == "open":
            stack.append([])
        elif kind == "close":
            done = tuple(stack.pop())
            stack[-1].append(done)
        elif kind == "size":
            size = int(match["size"])
            stack[-1].append(text[place:place + size])
            place += size
        elif kind == "hex":
            stack[-1].append(bytes.fromhex(match["hex"].decode()))
        elif kind == "base64":
            stack[-1].append(base64.b64decode(match["base64"]))
        elif kind == "string":
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", match["string"]))
        else:
            stack[-1].append(match["token"])
    assert len(stack) == 1
    return stack[0]


def read(text):
    found = read_all(text)
    assert len(found) == 1, found
    return found[0]


def canonical(sexp):
    if isinstance(sexp, tuple):
        return b"(" + b"".join(map(canonical, sexp)) + b")"
    return b"%d:%s" % (len(sexp), sexp)


def part(sexp, name):
    """What stands behind the name in the part of a list that has this name, or None."""
    for element in sexp:
        if isinstance(element, tuple) and element and element[0] == name.encode():
            return element[1:]
    return None
