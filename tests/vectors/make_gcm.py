#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/vectors/gcm.h: AES-256-GCM by an implementation that shares no code with src/crypto.

usage: cd tests/vectors && ./make_gcm.py > gcm.h && clang-format -i gcm.h
AES is written below after FIPS 197, GCM after NIST SP 800-38D, on plain integers. Before it prints
anything the script checks itself against vectors of the first and of McGrew and Viega's paper."""
import hashlib

R = 0xE1 << 120


def pattern(size, salt):
    """The input bytes of most cases; check.h of the unit tests has the same formula."""
    return bytes((salt + 7 * i + (i >> 8)) & 0xFF for i in range(size))


def times(a, b):
    """The product in AES's field of 256 elements."""
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a = a << 1 ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def make_sbox():
    box = []
    for x in range(256):
        y = next((c for c in range(256) if times(x, c) == 1), 0)
        box.append(0x63 ^ y ^ (y << 1 | y >> 7) & 255 ^ (y << 2 | y >> 6) & 255
                   ^ (y << 3 | y >> 5) & 255 ^ (y << 4 | y >> 4) & 255)
    return box


SBOX = make_sbox()
TWICE = [times(x, 2) for x in range(256)]


def expand(key):
    words, factor = [list(key[i:i + 4]) for i in range(0, 32, 4)], 1
    while len(words) < 60:
        word = words[-1]
        if len(words) % 8 == 0:
            word = [SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= factor
            factor = times(factor, 2)
        elif len(words) % 8 == 4:
            word = [SBOX[b] for b in word]
        words.append([a ^ b for a, b in zip(words[-8], word)])
    return [sum(words[i:i + 4], []) for i in range(0, 60, 4)]


def mix(column):
    whole = column[0] ^ column[1] ^ column[2] ^ column[3]
    return [column[i] ^ whole ^ TWICE[column[i] ^ column[(i + 1) % 4]] for i in range(4)]


def encrypt_block(rounds, block):
    state = [a ^ b for a, b in zip(block, rounds[0])]
    for number, round_key in enumerate(rounds[1:], 1):
        state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if number < 14:
            state = sum((mix(state[i:i + 4]) for i in range(0, 16, 4)), [])
        state = [a ^ b for a, b in zip(state, round_key)]
    return bytes(state)


def gf_tables(h):
    """For each byte of a block and each value of it, its product with h."""
    powers = [h]
    for _ in range(127):
        h = powers[-1]
        powers.append(h >> 1 ^ (R if h & 1 else 0))
    tables = []
    for at in range(16):
        table = [0] * 256
        for value in range(1, 256):
            low = value & -value
            table[value] = table[value ^ low] ^ powers[8 * at + 8 - low.bit_length()]
        tables.append(table)
    return tables


def ghash(tables, data):
    state = 0
    for at in range(0, len(data), 16):
        block = (state ^ int.from_bytes(data[at:at + 16], "big")).to_bytes(16, "big")
        state = 0
        for table, byte in zip(tables, block):
            state ^= table[byte]
    return state.to_bytes(16, "big")


def seal(key, nonce, aad, data):
    def padded(part):
        return part + bytes(-len(part) % 16)

    rounds = expand(key)
    tables = gf_tables(int.from_bytes(encrypt_block(rounds, bytes(16)), "big"))
    stream = b"".join(encrypt_block(rounds, nonce + (2 + i).to_bytes(4, "big"))
                      for i in range((len(data) + 15) // 16))
    text = bytes(a ^ b for a, b in zip(data, stream))
    sizes = (8 * len(aad)).to_bytes(8, "big") + (8 * len(text)).to_bytes(8, "big")
    mask = encrypt_block(rounds, nonce + b"\0\0\0\1")
    tag = ghash(tables, padded(aad) + padded(text) + sizes)
    return text + bytes(a ^ b for a, b in zip(tag, mask))


def check_self():
    # FIPS 197, appendix C.3; McGrew and Viega, appendix B, test cases 13, 14 and 16
    assert encrypt_block(expand(bytes(range(32))),
                         bytes.fromhex("00112233445566778899aabbccddeeff")) == (
        bytes.fromhex("8ea2b7ca516745bfeafc49904b496089"))
    assert seal(bytes(32), bytes(12), b"", b"").hex() == "530f8afbc74536b9a963b4f1c4cb738b"
    assert seal(bytes(32), bytes(12), b"", bytes(16)).hex() == (
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919")
    text = bytes.fromhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                         "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")
    assert seal(bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2),
                bytes.fromhex("cafebabefacedbaddecaf888"),
                bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"), text)[-16:].hex() == (
        "76fc6ece0f4e1768cddf8853bb2d551b")


def main():
    check_self()
    print("/* SPDX-License-Identifier: Apache-2.0 */")
    print("/* AES-256-GCM vectors of src/crypto, made by make_gcm.py: do not edit, run that. */")
    print("#pragma once\n#include <stdint.h>\n")
    print("/* AES-256-GCM of pattern(size, 11) and pattern(aad_size, 10) under pattern(32, 9): the"
          "\n * tag, and BLAKE2s-256 of text and tag. */")
    print("static const struct {\n    unsigned size, aad_size; uint64_t counter;"
          " const char *tag, *hash;\n} vector_gcm[] = {")
    sizes = (0, 1, 12, 15, 16, 17, 32, 63, 64, 65, 96, 128, 255, 256, 257, 300, 576, 768, 1024,
             1420, 1488, 8999, 65535)
    for i, size in enumerate(sizes):
        counter = (0, 1, 2**32 - 1, 2**32, 2**63, 2**64 - 1)[i % 6]
        aad_size = (0, 0, 32, 0, 13)[i % 5]
        nonce = bytes(4) + counter.to_bytes(8, "big")
        sealed = seal(pattern(32, 9), nonce, pattern(aad_size, 10), pattern(size, 11))
        print(f"    {{{size}u, {aad_size}u, {counter}u, \"{sealed[-16:].hex()}\","
              f" \"{hashlib.blake2s(sealed).hexdigest()}\"}},")
    print("};")


main()
