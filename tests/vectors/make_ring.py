#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/vectors/ring.h from an implementation that shares no code with src/overlay: the keys
of a pair, frames, cookies, the places of keys, a locator and records, after docs/protocol.md.

usage: cd tests/vectors && ./make_ring.py > ring.h && clang-format -i ring.h
The cryptography is that of make_crypto.py and make_identity.py, which check themselves."""
import hashlib

import make_crypto as crypto
import make_identity as identity
from make_crypto import cell, pattern, table

NINE = (9).to_bytes(32, "little")
SEALED, STRANGER = 0x20, 0x21


def number(value, size):
    return value.to_bytes(size, "big")


def mac(key, data):
    return hashlib.blake2s(data, key=key, digest_size=16).digest()


# ---- frames

def pair_key(private, peer):
    lower, higher = sorted((crypto.x25519(private, NINE), peer))
    key, _, _ = crypto.kdf(crypto.x25519(private, peer), b"warren pair 1" + lower + higher)
    return key


def sealed_frame(key, receiver, incarnation, counter, message):
    numbers = number(incarnation, 8) + number(counter, 8)
    head = bytes((SEALED, 1, 0, 0)) + number(receiver, 8) + numbers
    return head + crypto.xseal(key, numbers + number(0, 8), head, message)


def stranger_frame(key, public, cookie, incarnation, counter, message):
    numbers = number(incarnation, 8) + number(counter, 8)
    head = bytes((STRANGER, 1, 0, 0)) + public + cookie + numbers
    return head + crypto.xseal(key, numbers + number(1, 8), head, message)


def make_frames():
    left, right = crypto.blake2s(b"left"), crypto.blake2s(b"right")
    publics = [crypto.x25519(private, NINE) for private in (left, right)]
    assert publics[0] < publics[1]
    key = pair_key(left, publics[1])
    assert key == pair_key(right, publics[0])
    table("vector_pair", "const char *private_key, *public_key, *peer_key, *key;",
          "Both sides of one pair, the lower one first.",
          [(left, publics[0], publics[1], key), (right, publics[1], publics[0], key)])
    rows = []
    for receiver, incarnation, counter, size in ((1, 2, 3, 1), (2**64 - 1, 2**63, 2**40, 17),
                                                 (0x0123456789abcdef, 0xfedcba9876543210, 1, 200)):
        cookie = pattern(16, 31)
        message = pattern(size, 32)
        rows.append((receiver, incarnation, counter, size,
                     sealed_frame(key, receiver, incarnation, counter, message),
                     stranger_frame(key, publics[0], cookie, incarnation, counter, message)))
    table("vector_frame",
          "uint64_t receiver, incarnation, counter; unsigned size; const char *sealed, *stranger;",
          "What the first side of that pair makes of pattern(size, 32), to a peer that knows it, and"
          " as a stranger with the cookie pattern(16, 31).", rows)


def make_cookies():
    rows = []
    for family, ip, port, scope in ((4, bytes((192, 0, 2, 1)), 51820, 0),
                                    (6, bytes.fromhex("20010db8" + "00" * 11 + "07"), 1, 0),
                                    (6, bytes.fromhex("fe80" + "00" * 13 + "01"), 65535, 3)):
        source = bytes((family,)) + ip.ljust(16, b"\0") + number(port, 2) + number(scope, 4)
        rows.append((family, ip, port, scope, mac(pattern(32, 33), source)))
    table("vector_cookie", "unsigned family; const char *ip; unsigned port, scope;"
          " const char *cookie;", "Cookies of addresses under the secret pattern(32, 33).", rows)


def make_questions():
    rows = []
    for nonce in (1, 0x1122334455667788, 2**64 - 1):
        mark = mac(pattern(8, 40), number(nonce, 8))[:8]
        rows.append((nonce, bytes((0x22, 1, 0, 0)) + number(nonce, 8) + mark))
    table("vector_who", "uint64_t nonce; const char *head;",
          "What questions to the ring pattern(8, 40) begin with.", rows)


# ---- signed objects

def atom(value):
    value = value if isinstance(value, bytes) else str(value).encode()
    return b"%d:" % len(value) + value


def expression(*parts):
    """A list; what is no list itself is an atom."""
    return b"(" + b"".join(p if isinstance(p, List) else atom(p) for p in parts) + b")"


class List(bytes):
    """A canonical list, in contrast to the bytes of an atom."""


def lists(*parts):
    return List(expression(*parts))


def signed(seed, name, label, *fields, bound=b""):
    body = lists(name, lists("version", 1), *fields)
    signature = identity.sign(seed, label.encode() + b"\0" + body + bound)
    return lists("signed", body, lists("signature", signature))


def make_objects():
    seed = pattern(32, 34)
    public = identity.public_of(seed)
    full = signed(
        seed, "locator", "warren locator 1", lists("key", public),
        lists("tunnel", pattern(32, 35)), lists("seq", 1795000000123),
        lists("nat", "port-predictable"), lists("relays"), lists("ports", -7, 40000),
        lists("local", bytes((10, 0, 0, 7)), 51820),
        lists("seen", bytes.fromhex("20010db8" + "00" * 11 + "09"), 65535),
        lists("mapped", bytes((192, 0, 2, 9)), 1),
        lists("via", pattern(12, 36), pattern(12, 37)))
    least = signed(
        seed, "locator", "warren locator 1", lists("key", public),
        lists("tunnel", pattern(32, 35)), lists("seq", 0), lists("nat", "unknown"))
    of_ring = signed(
        seed, "locator", "warren locator 1", lists("key", public),
        lists("tunnel", pattern(32, 35)), lists("seq", 0), lists("nat", "unknown"),
        bound=pattern(8, 40))
    table("vector_locator", "const char *bytes;", "Locators of the seed pattern(32, 34): one with"
          " everything, one with nothing, that one for the ring pattern(8, 40).",
          [(bytes(full),), (bytes(least),), (bytes(of_ring),)])
    print(f"\nstatic const char vector_locator_id[] = {cell(identity.hit(public)[4:])};")

    def record(kind, *fields):
        return bytes(signed(seed, "record", "warren record 1", lists("kind", kind),
                            lists("key", "addr/10.9.8.7"), lists("owner", public), *fields))

    value, proof = pattern(40, 38), pattern(50, 39)
    times = (lists("made", 1795000100), lists("ttl", 3600))
    rows = [
        (record("put", lists("seq", 1), *times, lists("value", value)),
         crypto.blake2s(public + value)),
        (record("create", lists("seq", 2**64 - 1), lists("claimed", 1795000000), *times,
                lists("value", value), lists("proof", proof)), crypto.blake2s(public + value)),
        (record("delete", lists("seq", 0), *times), crypto.blake2s(public)),
    ]
    table("vector_record", "const char *bytes, *hash;", "Records of that seed under"
          " addr/10.9.8.7: put, create and delete. The value is pattern(40, 38), the proof"
          " pattern(50, 39).", rows)
    place = crypto.blake2s(b"warren key 1\0" + b"addr/10.9.8.7")[:12]
    print(f"\nstatic const char vector_place[] = {cell(place)};")


def main():
    crypto.check_self()
    identity.check_self()
    print("/* SPDX-License-Identifier: Apache-2.0 */")
    print("/* Vectors of the ring's frames and records, made by make_ring.py: do not edit, run that."
          " */")
    print("#pragma once\n#include <stdint.h>")
    make_frames()
    make_cookies()
    make_questions()
    make_objects()


if __name__ == "__main__":
    main()
