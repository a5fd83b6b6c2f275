#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/vectors/crypto.h from implementations that share no code with src/crypto.

usage: cd tests/vectors && ./make_crypto.py > crypto.h && clang-format -i crypto.h
BLAKE2s, HMAC: Python's hashlib and hmac. X25519, ChaCha20, Poly1305, HChaCha20: written below on
plain integers after RFC 7748, RFC 8439 and draft-irtf-cfrg-xchacha-03. Before it prints anything
the script checks itself against the vectors of those documents."""
import hashlib
import hmac
import textwrap

P = 2**255 - 19


def pattern(size, salt):
    """The input bytes of most cases; check.h of the unit tests has the same formula."""
    return bytes((salt + 7 * i + (i >> 8)) & 0xFF for i in range(size))


def blake2s(data):
    return hashlib.blake2s(data).digest()


def hmac_blake2s(key, data):
    return hmac.new(key, data, hashlib.blake2s).digest()


def kdf(chaining_key, data):
    secret = hmac_blake2s(chaining_key, data)
    first = hmac_blake2s(secret, b"\x01")
    second = hmac_blake2s(secret, first + b"\x02")
    return first, second, hmac_blake2s(secret, second + b"\x03")


def x25519(scalar, u):
    k = int.from_bytes(scalar, "little") & (2**254 - 8) | 2**254
    x1 = int.from_bytes(u, "little") % 2**255 % P
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap != bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a, c * b, a * a, b * b
        x3, z3 = (da + cb)**2 % P, x1 * (da - cb)**2 % P
        e = aa - bb
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def words(data):
    return [int.from_bytes(data[i:i + 4], "little") for i in range(0, len(data), 4)]


def unwords(numbers):
    return b"".join((n & 0xFFFFFFFF).to_bytes(4, "little") for n in numbers)


def permute(state):
    x = list(state)

    def quarter(a, b, c, d):
        for left, right, changed, bits in ((a, b, d, 16), (c, d, b, 12),
                                           (a, b, d, 8), (c, d, b, 7)):
            x[left] = (x[left] + x[right]) & 0xFFFFFFFF
            v = x[changed] ^ x[left]
            x[changed] = (v << bits | v >> (32 - bits)) & 0xFFFFFFFF

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return x


def initial(key, last_16):
    return words(b"expand 32-byte k" + key + last_16)


def chacha20(key, counter, nonce, data):
    out = bytearray()
    for at in range(0, len(data), 64):
        state = initial(key, (counter + at // 64).to_bytes(4, "little") + nonce)
        block = unwords(a + b for a, b in zip(state, permute(state)))
        out += bytes(a ^ b for a, b in zip(data[at:at + 64], block))
    return bytes(out)


def hchacha20(key, nonce):
    x = permute(initial(key, nonce))
    return unwords(x[:4] + x[12:])


def poly1305(key, data):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    sum_ = 0
    for at in range(0, len(data), 16):
        sum_ = (sum_ + int.from_bytes(data[at:at + 16] + b"\x01", "little")) * r % (2**130 - 5)
    return ((sum_ + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def seal(key, nonce, aad, data):
    def padded(part):
        return part + bytes(-len(part) % 16)

    text = chacha20(key, 1, nonce, data)
    sizes = len(aad).to_bytes(8, "little") + len(text).to_bytes(8, "little")
    tag = poly1305(chacha20(key, 0, nonce, bytes(32)), padded(aad) + padded(text) + sizes)
    return text + tag


def xseal(key, nonce, aad, data):
    return seal(hchacha20(key, nonce[:16]), bytes(4) + nonce[16:], aad, data)


def check_self():
    sunscreen = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip "
                 b"for the future, sunscreen would be it.")
    key = bytes(range(0x80, 0xA0))
    aad = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    # RFC 8439, section 2.8.2; xchacha-03, sections 2.2.1 and A.3.1; RFC 7748, section 5.2
    nonce = bytes.fromhex("070000004041424344454647")
    assert seal(key, nonce, aad, sunscreen)[-16:] == bytes.fromhex(
        "1ae10b594f09e26a7e902ecbd0600691")
    assert hchacha20(bytes(range(32)), bytes.fromhex("000000090000004a0000000031415927")) == (
        bytes.fromhex("82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"))
    assert xseal(key, bytes(range(0x40, 0x58)), aad, sunscreen)[-16:] == bytes.fromhex(
        "c0875924c1c7987947deafd8780acf49")
    nine = (9).to_bytes(32, "little")
    assert x25519(nine, nine) == bytes.fromhex(
        "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")


def cell(value):
    if isinstance(value, tuple):
        return "{" + ", ".join(map(cell, value)) + "}"
    return f'"{value.hex()}"' if isinstance(value, bytes) else f"{value:d}u"


def table(name, fields, comment, rows):
    print("\n/* " + textwrap.fill(comment, 94).replace("\n", "\n * ") + " */")
    print(f"static const struct {{\n    {fields}\n}} {name}[] = {{")
    for row in rows:
        print("    " + cell(row) + ",")
    print("};")


def make_hashes():
    sizes = (0, 1, 31, 32, 63, 64, 65, 96, 127, 128, 129, 255, 1000)
    table("vector_blake2s", "unsigned size; const char *hash;", "BLAKE2s-256 of pattern(size, 1).",
          [(n, blake2s(pattern(n, 1))) for n in sizes])

    def mac(key, data):
        return hashlib.blake2s(data, key=key, digest_size=16).digest()

    table("vector_mac", "unsigned key_size, size; const char *mac;",
          "BLAKE2s-128 of pattern(size, 3) under pattern(key_size, 2).",
          [(k, n, mac(pattern(k, 2), pattern(n, 3)))
           for k in (1, 16, 31, 32) for n in (0, 1, 6, 64, 65, 116, 132, 255)])
    all_macs = b"".join(mac(bytes(range(32)), bytes(range(n))) for n in range(256))
    print("\n/* BLAKE2s-256 of the macs, one after the other, of 00, 01, … n - 1 for n = 0..255,"
          "\n * under the key 00..1f. */")
    print(f'static const char vector_mac_all[] = "{blake2s(all_macs).hex()}";')
    table("vector_hmac", "unsigned size; const char *mac;",
          "HMAC-BLAKE2s of pattern(size, 5) under pattern(32, 4).",
          [(n, hmac_blake2s(pattern(32, 4), pattern(n, 5)))
           for n in (0, 1, 32, 33, 64, 65, 128, 300)])
    table("vector_kdf", "unsigned size; const char *keys[3];",
          "The three keys from pattern(32, 6) as chaining key and pattern(size, 7) as input.",
          [(n, kdf(pattern(32, 6), pattern(n, 7))) for n in (0, 1, 12, 32, 64, 65, 100)])


def make_x25519():
    rows = []
    for i in range(8):
        private = blake2s(b"private %d" % i)
        peer = blake2s(b"peer %d" % i)  # every string is a point of the curve or of its twist
        rows.append((private, peer, x25519(private, peer)))
    # Not canonical but for the first: bit 255 is ignored, the rest reduced modulo p.
    for u in (2, P + 2, 2**255 - 1, 2**255 + 9, 2**256 - 1):
        peer = u.to_bytes(32, "little")
        rows.append((pattern(32, 8), peer, x25519(pattern(32, 8), peer)))
    table("vector_x25519", "const char *private_key, *public_key, *shared;",
          "X25519 of arbitrary points, the last five with u = 2, p + 2, 2^255 - 1, 2^255 + 9,"
          " 2^256 - 1.",
          rows)


def make_aeads():
    rows = []
    sizes = (0, 1, 15, 16, 17, 63, 64, 65, 96, 128, 255, 256, 257, 300, 576, 1420, 1488, 8999,
             65535)
    for i, size in enumerate(sizes):
        counter = (0, 1, 2**32 - 1, 2**32, 2**63, 2**64 - 1)[i % 6]
        aad_size = (0, 0, 32, 0, 13)[i % 5]
        nonce = bytes(4) + counter.to_bytes(8, "little")
        sealed = seal(pattern(32, 9), nonce, pattern(aad_size, 10), pattern(size, 11))
        rows.append((size, aad_size, counter, sealed[-16:], blake2s(sealed)))
    table("vector_aead", "unsigned size, aad_size; uint64_t counter; const char *tag, *hash;",
          "ChaCha20-Poly1305 of pattern(size, 11) and pattern(aad_size, 10) under pattern(32, 9):"
          " the tag, and BLAKE2s-256 of text and tag.", rows)
    rows = []
    for size, aad_size in ((0, 0), (16, 16), (16, 0), (64, 3), (300, 16)):
        sealed = xseal(pattern(32, 12), pattern(24, 13), pattern(aad_size, 14), pattern(size, 15))
        rows.append((size, aad_size, sealed[-16:], blake2s(sealed)))
    table("vector_xaead", "unsigned size, aad_size; const char *tag, *hash;",
          "XChaCha20-Poly1305 of pattern(size, 15) and pattern(aad_size, 14) under pattern(32, 12)"
          " and nonce pattern(24, 13).", rows)


def main():
    check_self()
    print("/* SPDX-License-Identifier: Apache-2.0 */")
    print("/* Vectors of src/crypto, made by make_crypto.py: do not edit, run that. */")
    print("#pragma once\n#include <stdint.h>")
    make_hashes()
    make_x25519()
    make_aeads()


if __name__ == "__main__":
    main()
