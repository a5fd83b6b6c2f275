# SPDX-License-Identifier: Apache-2.0
"""Certificates of a network as `warren cert` writes them, packed as members show them, and put into
the state of a daemon that is off: how somebody comes to a network with a chain that is none.

    member = issue(owner, bob, net, "(member)", "--until", "2030-01-01")
    intrude(bob, owner, pack(member))         # bob is not running

The layouts are those of docs/networks.md."""

import calendar
import glob
import os
import struct
import time

from harness import noise, sexp
from harness.warrend import WARREN

PROPAGATE, BEGINS, ENDS = 1, 2, 4


def identity(node):
    """(seed, public key) of a daemon, from its disk."""
    with open(os.path.join(node.state, "identity"), "rb") as stream:
        found = sexp.read(stream.read())
    seed, public = (sexp.part(sexp.part(found, name), "ed25519")[0]
                    for name in ("private-key", "public-key"))
    return seed, public


def tunnel_keys(node, network_id):
    """(private, public) keys of its WireGuard machine in a network."""
    info = b"warren tunnel key 1" + bytes.fromhex(network_id) + b"\x01"
    private = noise.clamp(noise._hmac(identity(node)[0], info))
    return private, noise.public_key(private)


def issue(issuer, subject, network_id, element, *more):
    """A certificate as (cert, signature), by which 'issuer' gives 'subject' an element of the
    network's tag."""
    done = issuer.ns.run(
        [WARREN, "cert", "issue", "--key", os.path.join(issuer.state, "identity"),
         "--to", os.path.join(subject.state, "identity"),
         "--tag", "(warren #%s# %s)" % (network_id, element), "--format", "advanced", *more])
    cert, signature = sexp.part((sexp.read(done.stdout),), "sequence")
    return cert, signature


def _key(principal):
    return sexp.part((principal,), "public-key")[0][1] if isinstance(principal, tuple) else None


def _seconds(date):
    return calendar.timegm(time.strptime(date.decode(), "%Y-%m-%d_%H:%M:%S"))


def pack(owner_key, *certs):
    """The packed form of a chain; issuers come before whom they issue to."""
    out, known = [bytes((1, len(certs)))], [owner_key]
    for cert, signature in certs:
        issuer = _key(sexp.part(cert, "issuer")[0])
        subject = _key(sexp.part(cert, "subject")[0])
        valid = sexp.part(cert, "valid") or ()
        begins, ends = (sexp.part(valid, name) for name in ("not-before", "not-after"))
        flags = (PROPAGATE * ((b"propagate",) in cert) | BEGINS * bool(begins)
                 | ENDS * bool(ends))
        element = sexp.canonical(sexp.part((sexp.part(cert, "tag")[0],), "warren")[1])
        out += [bytes((known.index(issuer), flags)), subject]
        out += [struct.pack(">q", _seconds(date[0])) for date in (begins, ends) if date]
        out += [struct.pack(">H", len(element)), element, _signature(signature)]
        known.append(subject)
    return b"".join(out)


def _signature(expression):
    """The 64 bytes, wherever in it they stand."""
    if isinstance(expression, bytes):
        return expression if len(expression) == 64 else None
    return next(filter(None, map(_signature, expression)), None)


def _state_file(node, network_id):
    return os.path.join(node.state, "networks", network_id, "state")


def state_of(node, network_id):
    with open(_state_file(node, network_id), "rb") as stream:
        return sexp.read(stream.read())


def chain_of(node):
    """The packed chain that a member shows, as it lies on its disk."""
    path, = glob.glob(os.path.join(node.state, "networks", "*", "state"))
    with open(path, "rb") as stream:
        return sexp.part(sexp.read(stream.read()), "chain")[0]


def intrude(node, owner, network_id, chain, *at):
    """Writes the state of a member of owner's network who shows 'chain', onto the disk of a daemon
    that is off; 'at' are (address, port) where others may be found. In the advanced form, as a
    person would write it."""
    descriptor = next(part for part in state_of(owner, network_id) if part[0] == b"sequence")
    state = (b"warren-state", (b"version", b"1"), descriptor, (b"chain", chain),
             (b"wants", b"address", b"name"), (b"label", node.name.replace("_", "-").encode()),
             *((b"at", bytes(map(int, address.split("."))), struct.pack(">H", port))
               for address, port in at))
    path = _state_file(node, network_id)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(path, "w", encoding="ascii") as stream:
        stream.write(advanced(state))
    os.chmod(path, 0o600)


def advanced(expression):
    if isinstance(expression, tuple):
        return "(" + " ".join(map(advanced, expression)) + ")"
    return "#%s#" % expression.hex()
