#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""WireGuard's handshake and packets a second time, slowly and independently of the C code.

Three uses: an oracle (it prints handshake transcripts as test vectors), a hostile peer (it can
build any message, also wrong ones), and a key generator. It speaks both suites: WireGuard's own
and Warren's with AES-256-GCM. Nothing here is constant-time: test keys only.

    tests/e2e/harness/noise.py vectors > tests/vectors/handshake.txt
    tests/e2e/harness/noise.py selftest

Sources: RFC 7748 (X25519), RFC 8439 (ChaCha20-Poly1305), draft-irtf-cfrg-xchacha-03 (XChaCha20),
FIPS 197 (AES), NIST SP 800-38D (GCM), WireGuard paper sections 5.4.2 to 5.4.7, docs/protocol.md;
BLAKE2s is Python's own hashlib.
"""

import base64
import collections
import functools
import hashlib
import hmac
import os
import struct
import sys
import time

CONSTRUCTION = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
CONSTRUCTION_AES = b"Noise_IKpsk2_25519_AESGCM_BLAKE2s"
IDENTIFIER = b"WireGuard v1 zx2c4 Jason@zx2c4.com"
LABEL_MAC1 = b"mac1----"
LABEL_COOKIE = b"cookie--"
ZERO16 = bytes(16)
ZERO32 = bytes(32)

INITIATION, RESPONSE, COOKIE, DATA = 1, 2, 3, 4
INITIATION_SIZE, RESPONSE_SIZE, COOKIE_SIZE = 148, 92, 64


class Refused(Exception):
    """The message is not what it should be; the text says why."""


# ---- X25519 (RFC 7748, section 5) ----

P = 2**255 - 19


def clamp(scalar):
    b = bytearray(scalar)
    b[0] &= 248
    b[31] = (b[31] & 127) | 64
    return bytes(b)


def x25519(scalar, point):
    k = int.from_bytes(clamp(scalar), "little")
    x1 = int.from_bytes(point, "little") & ((1 << 255) - 1)
    x2, z2, x3, z3, swapped = 1, 0, x1, 1, 0
    for t in range(254, -1, -1):
        bit = (k >> t) & 1
        if bit != swapped:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swapped = bit
        a, b = x2 + z2, x2 - z2
        aa, bb = a * a % P, b * b % P
        e = aa - bb
        da, cb = (x3 - z3) * a % P, (x3 + z3) * b % P
        x3, z3 = pow(da + cb, 2, P), x1 * pow(da - cb, 2, P) % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def public_key(private):
    return x25519(private, b"\x09" + bytes(31))


def private_key():
    return clamp(os.urandom(32))


# ---- ChaCha20, HChaCha20, Poly1305 (RFC 8439, XChaCha draft) ----


def _chacha_rounds(x):
    m = 0xFFFFFFFF
    for _ in range(10):
        for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                           (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            xa, xb, xc, xd = x[a], x[b], x[c], x[d]
            xa = (xa + xb) & m
            xd ^= xa
            xd = ((xd << 16) | (xd >> 16)) & m
            xc = (xc + xd) & m
            xb ^= xc
            xb = ((xb << 12) | (xb >> 20)) & m
            xa = (xa + xb) & m
            xd ^= xa
            xd = ((xd << 8) | (xd >> 24)) & m
            xc = (xc + xd) & m
            xb ^= xc
            xb = ((xb << 7) | (xb >> 25)) & m
            x[a], x[b], x[c], x[d] = xa, xb, xc, xd


SIGMA = struct.unpack("<4I", b"expand 32-byte k")


def chacha20_block(key, counter, nonce12):
    start = list(SIGMA + struct.unpack("<8I", key) + (counter,) + struct.unpack("<3I", nonce12))
    x = start[:]
    _chacha_rounds(x)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(x, start)))


def hchacha20(key, nonce16):
    x = list(SIGMA + struct.unpack("<8I", key) + struct.unpack("<4I", nonce16))
    _chacha_rounds(x)
    return struct.pack("<8I", *(x[0:4] + x[12:16]))


def chacha20(key, counter, nonce12, text):
    blocks = (len(text) + 63) // 64
    stream = b"".join(chacha20_block(key, counter + i, nonce12) for i in range(blocks))
    n = len(text)
    return (int.from_bytes(text, "big") ^ int.from_bytes(stream[:n], "big")).to_bytes(n, "big")


def poly1305(key, text):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    s = int.from_bytes(key[16:], "little")
    a = 0
    for i in range(0, len(text), 16):
        a = (a + int.from_bytes(text[i:i + 16] + b"\x01", "little")) * r % (2**130 - 5)
    return ((a + s) & (2**128 - 1)).to_bytes(16, "little")


def _aead_tag(key, nonce12, aad, sealed):
    def pad(b):
        return b + bytes(-len(b) % 16)

    return poly1305(chacha20_block(key, 0, nonce12)[:32],
                    pad(aad) + pad(sealed) + struct.pack("<QQ", len(aad), len(sealed)))


def aead_seal(key, counter, text, aad):
    nonce = bytes(4) + struct.pack("<Q", counter)
    return _seal12(key, nonce, text, aad)


def aead_open(key, counter, sealed, aad):
    nonce = bytes(4) + struct.pack("<Q", counter)
    return _open12(key, nonce, sealed, aad)


def _seal12(key, nonce, text, aad):
    sealed = chacha20(key, 1, nonce, text)
    return sealed + _aead_tag(key, nonce, aad, sealed)


def _open12(key, nonce, sealed, aad):
    if len(sealed) < 16 or not hmac.compare_digest(
            _aead_tag(key, nonce, aad, sealed[:-16]), sealed[-16:]):
        raise Refused("authentication tag does not match")
    return chacha20(key, 1, nonce, sealed[:-16])


def xaead_seal(key, nonce24, text, aad):
    return _seal12(hchacha20(key, nonce24[:16]), bytes(4) + nonce24[16:], text, aad)


def xaead_open(key, nonce24, sealed, aad):
    return _open12(hchacha20(key, nonce24[:16]), bytes(4) + nonce24[16:], sealed, aad)


# ---- AES-256 (FIPS 197) and GCM (NIST SP 800-38D) ----


def _gf8_times(a, b):
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a = (a << 1) ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def _make_sbox():
    box = []
    for value in range(256):
        inverse = next((i for i in range(256) if _gf8_times(value, i) == 1), 0)
        turned = inverse
        for _ in range(4):
            inverse = (inverse << 1 | inverse >> 7) & 0xFF
            turned ^= inverse
        box.append(turned ^ 0x63)
    return box


@functools.lru_cache(None)
def _sbox():
    return _make_sbox()


@functools.lru_cache(None)
def _times(factor):
    return [_gf8_times(value, factor) for value in range(256)]


@functools.lru_cache(64)
def _aes256_round_keys(key):
    box, words, constant = _sbox(), [list(key[i:i + 4]) for i in range(0, 32, 4)], 1
    while len(words) < 60:
        word = words[-1]
        if len(words) % 8 == 0:
            word = [box[b] for b in word[1:] + word[:1]]
            word[0] ^= constant
            constant <<= 1
        elif len(words) % 8 == 4:
            word = [box[b] for b in word]
        words.append([a ^ b for a, b in zip(words[-8], word)])
    return [sum(words[i:i + 4], []) for i in range(0, 60, 4)]


def aes256_block(key, block):
    box, two, three = _sbox(), _times(2), _times(3)
    first, *middle, last = _aes256_round_keys(key)
    s = [a ^ b for a, b in zip(block, first)]
    for round_key in middle:
        s = [box[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]  # and rows shifted
        mixed = []
        for c in range(0, 16, 4):
            for r in range(4):
                mixed.append(two[s[c + r]] ^ three[s[c + (r + 1) % 4]]
                             ^ s[c + (r + 2) % 4] ^ s[c + (r + 3) % 4])
        s = [a ^ b for a, b in zip(mixed, round_key)]
    s = [box[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
    return bytes(a ^ b for a, b in zip(s, last))


@functools.lru_cache(64)
def _ghash_shifts(key):
    """The hash key times x^0 to x^127. The first bit of a block is the one of x^0."""
    value, shifts = int.from_bytes(aes256_block(key, ZERO16), "big"), []
    for _ in range(128):
        shifts.append(value)
        value = value >> 1 ^ (0xE1 << 120 if value & 1 else 0)
    return shifts


def _ghash(key, text):
    shifts, y = _ghash_shifts(key), 0
    for i in range(0, len(text), 16):
        x, y = y ^ int.from_bytes(text[i:i + 16], "big"), 0
        for bit, shifted in enumerate(shifts):
            if x >> (127 - bit) & 1:
                y ^= shifted
    return y.to_bytes(16, "big")


def _gcm_stream(key, nonce12, text):
    stream = b"".join(aes256_block(key, nonce12 + struct.pack(">I", 2 + i))
                      for i in range((len(text) + 15) // 16))
    return bytes(a ^ b for a, b in zip(text, stream))


def _gcm_tag(key, nonce12, aad, sealed):
    def pad(b):
        return b + bytes(-len(b) % 16)

    lengths = struct.pack(">QQ", 8 * len(aad), 8 * len(sealed))
    mask = aes256_block(key, nonce12 + b"\0\0\0\1")
    return bytes(a ^ b for a, b in zip(_ghash(key, pad(aad) + pad(sealed) + lengths), mask))


def _gcm_seal12(key, nonce12, text, aad):
    sealed = _gcm_stream(key, nonce12, text)
    return sealed + _gcm_tag(key, nonce12, aad, sealed)


def _gcm_open12(key, nonce12, sealed, aad):
    if len(sealed) < 16 or not hmac.compare_digest(
            _gcm_tag(key, nonce12, aad, sealed[:-16]), sealed[-16:]):
        raise Refused("authentication tag does not match")
    return _gcm_stream(key, nonce12, sealed[:-16])


def gcm_seal(key, counter, text, aad):
    """Noise revision 34, section 12.4: the counter is big-endian here."""
    return _gcm_seal12(key, bytes(4) + struct.pack(">Q", counter), text, aad)


def gcm_open(key, counter, sealed, aad):
    return _gcm_open12(key, bytes(4) + struct.pack(">Q", counter), sealed, aad)


# ---- suites (docs/protocol.md) ----

Suite = collections.namedtuple("Suite", "number cipher construction seal open")
WIREGUARD = Suite(0, "chacha20-poly1305", CONSTRUCTION, aead_seal, aead_open)
AES = Suite(1, "aes-256-gcm", CONSTRUCTION_AES, gcm_seal, gcm_open)


def handshake_type(kind, suite):
    """The type field of an initiation or response."""
    return bytes([kind, suite.number, 0, 0])


# ---- hashes (paper, section 5.4) ----


def blake_hash(*parts):
    return hashlib.blake2s(b"".join(parts)).digest()


def mac(key, *parts):
    return hashlib.blake2s(b"".join(parts), key=key, digest_size=16).digest()


def _hmac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.blake2s).digest()


def kdf(count, key, text):
    secret = _hmac(key, text)
    out = [_hmac(secret, b"\x01")]
    for i in range(2, count + 1):
        out.append(_hmac(secret, out[-1], bytes([i])))
    return out


def tai64n(seconds, nanoseconds):
    """Bytes of a timestamp; 'seconds' since 1970 UTC."""
    return struct.pack(">QI", 0x400000000000000A + seconds, nanoseconds)


def tai64n_now():
    ns = time.time_ns()
    return tai64n(ns // 10**9, ns % 10**9)


# ---- messages ----


def mac1_key(responder_public):
    return blake_hash(LABEL_MAC1, responder_public)


def add_macs(body, receiver_public, cookie=None):
    """Returns 'body' (message without its macs) with mac1, and mac2 if a cookie is known."""
    with1 = body + mac(mac1_key(receiver_public), body)
    return with1 + (mac(cookie, with1) if cookie else ZERO16)


class Session:
    """Transport keys of one handshake, seen from one side."""

    def __init__(self, send_key, receive_key, local_index, remote_index, suite=WIREGUARD):
        self.send_key, self.receive_key, self.suite = send_key, receive_key, suite
        self.local_index, self.remote_index = local_index, remote_index
        self.counter = 0

    def seal(self, packet, counter=None, pad=True):
        """Returns a data message; b"" is a keepalive."""
        if counter is None:
            counter = self.counter
            self.counter += 1
        text = packet + bytes(-len(packet) % 16) if pad else packet
        return struct.pack("<IIQ", DATA, self.remote_index, counter) + self.suite.seal(
            self.send_key, counter, text, b"")

    def open(self, message):
        """Returns (counter, padded packet) of a data message."""
        kind, index, counter = struct.unpack_from("<IIQ", message)
        if kind != DATA or index != self.local_index:
            raise Refused("not a data message of this session")
        return counter, self.suite.open(self.receive_key, counter, message[16:], b"")


class Handshake:
    """One handshake, seen from one side. Every input may be given, for vectors and for
    forgeries."""

    def __init__(self, static_private, remote_public=None, psk=ZERO32, ephemeral=None, index=None,
                 suite=WIREGUARD):
        self.static, self.suite = static_private, suite
        self.public = public_key(static_private)
        self.remote = remote_public
        self.psk = psk or ZERO32
        self.ephemeral = ephemeral or private_key()
        self.index = int.from_bytes(os.urandom(4), "little") if index is None else index
        self.remote_index = None
        self.remote_ephemeral = None
        self.timestamp = None
        self.chain = blake_hash(suite.construction)
        self.steps = []  # (name, value) of every change, for vectors

    def _begin(self, responder_public):
        self.steps.append(("chain", self.chain))
        self.hash = blake_hash(self.chain, IDENTIFIER)
        self.steps.append(("hash", self.hash))
        self._mix_hash(responder_public)

    def _mix_hash(self, text):
        self.hash = blake_hash(self.hash, text)
        self.steps.append(("hash", self.hash))

    def _mix_key(self, text, count=2):
        self.chain, *keys = kdf(count, self.chain, text)
        self.steps.append(("chain", self.chain))
        self.steps += [("key", key) for key in keys]
        return keys

    def initiation(self, timestamp=None, cookie=None):
        """Builds message 1 for self.remote."""
        self._begin(self.remote)
        epub = public_key(self.ephemeral)
        self._mix_key(epub, 1)
        self._mix_hash(epub)
        (key,) = self._mix_key(x25519(self.ephemeral, self.remote))
        static = self.suite.seal(key, 0, self.public, self.hash)
        self._mix_hash(static)
        (key,) = self._mix_key(x25519(self.static, self.remote))
        self.timestamp = timestamp or tai64n_now()
        stamp = self.suite.seal(key, 0, self.timestamp, self.hash)
        self._mix_hash(stamp)
        body = (handshake_type(INITIATION, self.suite) + struct.pack("<I", self.index)
                + epub + static + stamp)
        return add_macs(body, self.remote, cookie)

    def read_initiation(self, message):
        """Takes message 1 as responder; sets self.remote (who it is) and self.timestamp."""
        if len(message) != INITIATION_SIZE or message[:4] != handshake_type(INITIATION, self.suite):
            raise Refused("not an initiation")
        if mac(mac1_key(self.public), message[:116]) != message[116:132]:
            raise Refused("mac1 does not match")
        self._begin(self.public)
        (self.remote_index,) = struct.unpack_from("<I", message, 4)
        self.remote_ephemeral = message[8:40]
        self._mix_key(self.remote_ephemeral, 1)
        self._mix_hash(self.remote_ephemeral)
        (key,) = self._mix_key(x25519(self.static, self.remote_ephemeral))
        self.remote = self.suite.open(key, 0, message[40:88], self.hash)
        self._mix_hash(message[40:88])
        (key,) = self._mix_key(x25519(self.static, self.remote))
        self.timestamp = self.suite.open(key, 0, message[88:116], self.hash)
        self._mix_hash(message[88:116])

    def response(self, cookie=None):
        """Builds message 2 after read_initiation. Returns (message, Session)."""
        epub = public_key(self.ephemeral)
        self._mix_key(epub, 1)
        self._mix_hash(epub)
        self._mix_key(x25519(self.ephemeral, self.remote_ephemeral), 1)
        self._mix_key(x25519(self.ephemeral, self.remote), 1)
        tau, key = self._mix_key(self.psk, 3)
        self._mix_hash(tau)
        empty = self.suite.seal(key, 0, b"", self.hash)
        self._mix_hash(empty)
        body = (handshake_type(RESPONSE, self.suite)
                + struct.pack("<II", self.index, self.remote_index) + epub + empty)
        receive, send = kdf(2, self.chain, b"")
        return (add_macs(body, self.remote, cookie),
                Session(send, receive, self.index, self.remote_index, self.suite))

    def read_response(self, message):
        """Takes message 2 as initiator. Returns the Session."""
        if len(message) != RESPONSE_SIZE or message[:4] != handshake_type(RESPONSE, self.suite):
            raise Refused("not a response")
        if mac(mac1_key(self.public), message[:60]) != message[60:76]:
            raise Refused("mac1 does not match")
        self.remote_index, receiver = struct.unpack_from("<II", message, 4)
        if receiver != self.index:
            raise Refused("response to another handshake")
        epub = message[12:44]
        self._mix_key(epub, 1)
        self._mix_hash(epub)
        self._mix_key(x25519(self.ephemeral, epub), 1)
        self._mix_key(x25519(self.static, epub), 1)
        tau, key = self._mix_key(self.psk, 3)
        self._mix_hash(tau)
        self.suite.open(key, 0, message[44:60], self.hash)
        self._mix_hash(message[44:60])
        send, receive = kdf(2, self.chain, b"")
        return Session(send, receive, self.index, self.remote_index, self.suite)


def cookie_value(secret, address, port):
    """The 16-byte cookie of a source: address as 4 or 16 bytes, port as on the wire."""
    return mac(secret, address, struct.pack(">H", port))


def cookie_reply(refused, responder_public, nonce24, cookie):
    """Builds message 3 as answer to the handshake message 'refused'."""
    size = len(refused)
    key = blake_hash(LABEL_COOKIE, responder_public)
    return (struct.pack("<I", COOKIE) + refused[4:8] + nonce24
            + xaead_seal(key, nonce24, cookie, refused[size - 32:size - 16]))


def read_cookie_reply(message, refused, responder_public):
    """Returns the 16-byte cookie of message 3, which answers our message 'refused'."""
    if len(message) != COOKIE_SIZE or message[:4] != struct.pack("<I", COOKIE):
        raise Refused("not a cookie reply")
    if message[4:8] != refused[4:8]:
        raise Refused("cookie reply to another message")
    size = len(refused)
    return xaead_open(blake_hash(LABEL_COOKIE, responder_public), message[8:32], message[32:],
                      refused[size - 32:size - 16])


def b64(key):
    return base64.b64encode(key).decode()


# ---- test vectors ----

HEADER = """\
# SPDX-License-Identifier: Apache-2.0
# WireGuard handshake transcripts with every random input fixed.
#
# Made by   tests/e2e/harness/noise.py vectors > tests/vectors/handshake.txt
# which shares no code with src/. A section per case begins with "[name]"; the other lines are
# "field = lower-case hex bytes"; numbers are in the byte order of the wire. Fields:
#   i_*, r_*           initiator and responder: static_private, static_public, ephemeral_private
#                      (clamped already), ephemeral_public, index (sender index, 4 bytes as sent)
#   psk                32 bytes, all zero = none
#   timestamp_s        seconds since 1970 UTC, 8 bytes big-endian
#   timestamp_ns       4 bytes big-endian, a multiple of 2^24: rounding it down changes nothing
#   timestamp          the 12 bytes of TAI64N made of them
#   initiation         message 1, 148 bytes; response: message 2, 92 bytes; mac2 zero unless said
#   chain_*, hash_*    chaining key and hash after message 1, and at the end
#   key_i2r, key_r2i   transport keys of the two directions
#   packet_*           inner packet (its true size); data_*: message 4 that carries it, padded to 16
#   keepalive_i2r      message 4 with empty content; late_i2r: another one
#   counter of data_i2r 0, keepalive_i2r 1, late_i2r 01020304 (hexadecimal), data_r2i 0
# The cookie case begins with the messages of a responder under load:
#   cookie_secret      32 bytes; source: initiator's address and port as bytes on the wire
#   cookie             MAC(secret, source); nonce: 24 bytes
#   cookie_reply       message 3, which answers 'refused_initiation'
#   initiation         a new initiation (other ephemeral, index and time) whose mac2 uses the cookie
#   r_cookie_*         the same once more for the response: the initiator is under load too, refuses
#                      'refused_response' (mac2 zero), and 'response' carries mac2
# The aes cases are in the suite with AES-256-GCM (docs/protocol.md, whose worked example is
# aes-psk). Besides:
#   step_NN_*          every value of the chaining key and the hash, and every key, in the order in
#                      which the initiator makes them
"""


def _fixed(label, size=32):
    return hashlib.blake2s(b"warren handshake vector " + label.encode()).digest()[:size]


def _inner4(text):
    size = 28 + len(text)
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, size, 1, 0x4000, 64, 17, 0, bytes([10, 7, 0, 1]),
                       bytes([10, 7, 0, 2]))
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack(">H", 0xFFFF & ~total) + head[12:]
    return head + struct.pack(">HHHH", 4000, 4001, 8 + len(text), 0) + text


def _inner6(text):
    src = bytes.fromhex("fd070000000000000000000000000002")
    dst = bytes.fromhex("fd070000000000000000000000000001")
    return struct.pack(">IHBB", 6 << 28, len(text), 59, 64) + src + dst + text


def _case(name, psk, with_cookie, suite):
    out = [("psk", psk)]

    def put(field, value):
        out.append((field, value))

    i_static, r_static = clamp(_fixed("i static")), clamp(_fixed("r static"))
    i_eph, r_eph = clamp(_fixed(name + " i ephemeral")), clamp(_fixed(name + " r ephemeral"))
    seconds, ns = 1700000000, 0x14000000
    put("i_static_private", i_static)
    put("i_static_public", public_key(i_static))
    put("r_static_private", r_static)
    put("r_static_public", public_key(r_static))
    cookie = r_cookie = None
    if with_cookie:
        first = Handshake(i_static, public_key(r_static), psk, clamp(_fixed("refused ephemeral")),
                          int.from_bytes(_fixed("refused index", 4), "little"), suite)
        refused = first.initiation(tai64n(seconds - 5, ns))
        secret = _fixed("cookie secret")
        cookie = cookie_value(secret, bytes([10, 99, 0, 1]), 51820)
        nonce = _fixed("cookie nonce")[:24]
        put("refused_ephemeral_private", first.ephemeral)
        put("refused_index", refused[4:8])
        put("refused_timestamp_s", struct.pack(">Q", seconds - 5))
        put("refused_timestamp_ns", struct.pack(">I", ns))
        put("refused_initiation", refused)
        put("cookie_secret", secret)
        put("source", bytes([10, 99, 0, 1]) + struct.pack(">H", 51820))
        put("cookie", cookie)
        put("nonce", nonce)
        put("cookie_reply", cookie_reply(refused, public_key(r_static), nonce, cookie))
    initiator = Handshake(i_static, public_key(r_static), psk, i_eph,
                          int.from_bytes(_fixed(name + " i index", 4), "little"), suite)
    responder = Handshake(r_static, None, psk, r_eph,
                          int.from_bytes(_fixed(name + " r index", 4), "little"), suite)
    initiation = initiator.initiation(tai64n(seconds, ns), cookie)
    put("i_ephemeral_private", i_eph)
    put("i_ephemeral_public", public_key(i_eph))
    put("i_index", initiation[4:8])
    put("timestamp_s", struct.pack(">Q", seconds))
    put("timestamp_ns", struct.pack(">I", ns))
    put("timestamp", initiator.timestamp)
    put("initiation", initiation)
    put("chain_initiation", initiator.chain)
    put("hash_initiation", initiator.hash)
    responder.read_initiation(initiation)
    assert responder.remote == public_key(i_static) and responder.timestamp == initiator.timestamp
    response, r_session = responder.response()
    put("r_ephemeral_private", r_eph)
    put("r_ephemeral_public", public_key(r_eph))
    put("r_index", response[4:8])
    if with_cookie:
        r_cookie = cookie_value(_fixed("r cookie secret"), bytes([10, 99, 0, 2]), 51821)
        r_nonce = _fixed("r cookie nonce")[:24]
        put("refused_response", response)
        put("r_cookie_secret", _fixed("r cookie secret"))
        put("r_cookie_source", bytes([10, 99, 0, 2]) + struct.pack(">H", 51821))
        put("r_cookie", r_cookie)
        put("r_cookie_nonce", r_nonce)
        put("r_cookie_reply", cookie_reply(response, public_key(i_static), r_nonce, r_cookie))
        response = response[:76] + mac(r_cookie, response[:76])
    put("response", response)
    i_session = initiator.read_response(response)
    put("chain_response", initiator.chain)
    put("hash_response", initiator.hash)
    assert initiator.chain == responder.chain and initiator.hash == responder.hash
    put("key_i2r", i_session.send_key)
    put("key_r2i", i_session.receive_key)
    packet = _inner4(b"the first packet from the initiator")
    put("packet_i2r", packet)
    put("data_i2r", i_session.seal(packet))
    put("keepalive_i2r", i_session.seal(b""))
    put("late_i2r", i_session.seal(b"", counter=0x01020304))
    packet = _inner6(b"and one back")
    put("packet_r2i", packet)
    put("data_r2i", r_session.seal(packet))
    if suite is not WIREGUARD:
        for number, (step, value) in enumerate(initiator.steps, 1):
            put("step_%02d_%s" % (number, step), value)
    return out


def write_vectors(out):
    out.write(HEADER)
    for prefix, suite in (("", WIREGUARD), ("aes-", AES)):
        for name, psk, with_cookie in (("no-psk", ZERO32, False), ("psk", _fixed("psk"), False),
                                       ("cookie", _fixed("psk"), True)):
            out.write("\n[%s]\n" % (prefix + name))
            for field, value in _case(prefix + name, psk, with_cookie, suite):
                out.write("%s = %s\n" % (field, value.hex()))


# ---- self-test against published vectors ----


def selftest():
    """Raises AssertionError unless the primitives agree with their RFCs."""
    h = bytes.fromhex
    # RFC 7748, section 5.2 and 6.1
    assert x25519(h("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
                  h("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")) == \
        h("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")
    k = u = b"\x09" + bytes(31)
    for i in range(100):
        k, u = x25519(k, u), k
        if i == 0:
            assert k == h("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")
    assert x25519(private_key(), bytes(32)) == bytes(32)
    # RFC 8439, section 2.8.2
    key = bytes(range(0x80, 0xA0))
    nonce = h("070000004041424344454647")
    aad = h("50515253c0c1c2c3c4c5c6c7")
    text = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
            b"future, sunscreen would be it.")
    sealed = _seal12(key, nonce, text, aad)
    assert sealed[-16:] == h("1ae10b594f09e26a7e902ecbd0600691")
    assert sealed[:16] == h("d31a8d34648e60db7b86afbc53ef7ec2")
    assert _open12(key, nonce, sealed, aad) == text
    # draft-irtf-cfrg-xchacha-03, sections 2.2.1 and A.3.1
    assert hchacha20(bytes(range(32)), h("000000090000004a0000000031415927")) == \
        h("82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc")
    sealed = xaead_seal(key, bytes(range(0x40, 0x58)), text, aad)
    assert sealed[-16:] == h("c0875924c1c7987947deafd8780acf49")
    assert xaead_open(key, bytes(range(0x40, 0x58)), sealed, aad) == text
    # FIPS 197, appendix C.3
    assert aes256_block(bytes(range(32)), h("00112233445566778899aabbccddeeff")) == \
        h("8ea2b7ca516745bfeafc49904b496089")
    # McGrew and Viega, The Galois/Counter Mode of Operation, test cases 13, 14 and 16
    assert gcm_seal(ZERO32, 0, b"", b"") == h("530f8afbc74536b9a963b4f1c4cb738b")
    assert gcm_seal(ZERO32, 0, ZERO16, b"") == \
        h("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919")
    key = 2 * h("feffe9928665731c6d6a8f9467308308")
    nonce = h("cafebabefacedbaddecaf888")
    aad = h("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    text = h("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
             "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")
    sealed = _gcm_seal12(key, nonce, text, aad)
    assert sealed == \
        h("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
          "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
          "76fc6ece0f4e1768cddf8853bb2d551b")
    assert _gcm_open12(key, nonce, sealed, aad) == text
    # the counter is big-endian in one suite and little-endian in the other
    assert gcm_seal(key, 1, text, aad) == _gcm_seal12(key, bytes(11) + b"\1", text, aad)
    assert aead_seal(key, 1, text, aad) == _seal12(key, bytes(4) + b"\1" + bytes(7), text, aad)


def main():
    if sys.argv[1:] == ["vectors"]:
        write_vectors(sys.stdout)
    elif sys.argv[1:] == ["selftest"]:
        selftest()
        print("noise.py: primitives agree with RFC 7748, RFC 8439, the XChaCha draft, FIPS 197 "
              "and the test cases of GCM")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
