#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/vectors/identity.h from an implementation that shares no code with src/crypto.

usage: cd tests/vectors && ./make_identity.py > identity.h && clang-format -i identity.h
Ed25519, Keccak, cSHAKE and X25519 are written below on plain integers after RFC 8032, FIPS 202,
SP 800-185 and RFC 7748; the other hashes are Python's hashlib. Before it prints anything the
script checks itself against the vectors of those documents."""
import hashlib
import hmac
import ipaddress
import textwrap

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)  # of -1


def pattern(size, salt):
    """The input bytes of most cases; check.h of the unit tests has the same formula."""
    return bytes((salt + 7 * i + (i >> 8)) & 0xFF for i in range(size))


# ---- Edwards points, as (x, y) reduced modulo p; slow and obvious

NEUTRAL = (0, 1)


def inverse(x):
    return pow(x, P - 2, P)


def add(a, b):
    product = D * a[0] * b[0] * a[1] * b[1]
    return ((a[0] * b[1] + a[1] * b[0]) * inverse(1 + product) % P,
            (a[1] * b[1] + a[0] * b[0]) * inverse(1 - product) % P)


def negate(a):
    return (-a[0] % P, a[1])


def multiply(k, a):
    total = NEUTRAL
    while k:
        if k & 1:
            total = add(total, a)
        a, k = add(a, a), k >> 1
    return total


def encode(a):
    return (a[1] | (a[0] & 1) << 255).to_bytes(32, "little")


def decode(data):
    """Leniently: y is reduced, and a sign at x = 0 means nothing. None: no such point."""
    number = int.from_bytes(data, "little")
    y, sign = number % 2**255 % P, number >> 255
    square = (y * y - 1) * inverse(D * y * y + 1) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    if x * x % P != square:
        return None
    return (-x % P if x & 1 != sign else x, y)


BASE = decode((4 * inverse(5) % P).to_bytes(32, "little"))


# ---- Ed25519

def expand(seed):
    digest = hashlib.sha512(seed).digest()
    return int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254, digest[32:]


def number_hash(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


def public_of(seed):
    return encode(multiply(expand(seed)[0], BASE))


def sign(seed, message):
    scalar, prefix = expand(seed)
    public = public_of(seed)
    r = number_hash(prefix, message)
    point = encode(multiply(r, BASE))
    s = (r + number_hash(point, public, message) * scalar) % L
    return point + s.to_bytes(32, "little")


def holds(public, message, signature, cofactor):
    """The equation alone, with points decoded leniently and any S."""
    a, r = decode(public), decode(signature[:32])
    if a is None or r is None:
        return False
    h = number_hash(signature[:32], public, message)
    left = multiply(int.from_bytes(signature[32:], "little"), BASE)
    right = add(r, multiply(h, a))
    return multiply(cofactor, left) == multiply(cofactor, right)


def is_sound(data):
    point = decode(data)
    return point is not None and encode(point) == data and multiply(8, point) != NEUTRAL


def verify_strictly(public, message, signature):
    return (is_sound(public) and is_sound(signature[:32]) and
            int.from_bytes(signature[32:], "little") < L and
            holds(public, message, signature, 1))


def small_order_encodings():
    """All 14: the eight points, and the other encodings that a lenient reader takes for them."""
    found = []
    for y in (0, 1, P - 1, P, P + 1, *{multiply(k, order_8())[1] for k in (1, 3)}):
        for sign_bit in (0, 1):
            found.append((y | sign_bit << 255).to_bytes(32, "little"))
    assert all(multiply(8, decode(data)) == NEUTRAL for data in found) and len(set(found)) == 14
    return sorted(found)


def order_8():
    y = 2
    while True:
        point = decode(y.to_bytes(32, "little"))
        if point and multiply(4 * L, point) != NEUTRAL:
            return multiply(L, point)
        y += 1


# ---- Keccak

def permute(lanes):
    def rotate(value, count):
        count %= 64
        return (value << count | value >> (64 - count)) & (2**64 - 1)

    lfsr = 1
    for _ in range(24):
        parity = [lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4]
                  for x in range(5)]
        lanes = [[lanes[x][y] ^ parity[(x + 4) % 5] ^ rotate(parity[(x + 1) % 5], 1)
                  for y in range(5)] for x in range(5)]
        x, y, current = 1, 0, lanes[1][0]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, lanes[x][y] = lanes[x][y], rotate(current, (t + 1) * (t + 2) // 2)
        lanes = [[lanes[x][y] ^ (~lanes[(x + 1) % 5][y] & lanes[(x + 2) % 5][y])
                  for y in range(5)] for x in range(5)]
        for j in range(7):
            lfsr = (lfsr << 1 ^ (lfsr >> 7) * 0x71) % 256
            if lfsr & 2:
                lanes[0][0] ^= 1 << (2**j - 1)
    return lanes


def sponge(data, end, size, rate=168):
    """'end': the bits behind the message and the first of the padding, as a byte."""
    data = bytearray(data + bytes([end]))
    data += bytes(-len(data) % rate)
    data[-1] |= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for at in range(0, len(data), rate):
        for i in range(rate // 8):
            lanes[i % 5][i // 5] ^= int.from_bytes(data[at + 8 * i:at + 8 * i + 8], "little")
        lanes = permute(lanes)
    out = b""
    while len(out) < size:
        out += b"".join(lanes[i % 5][i // 5].to_bytes(8, "little") for i in range(rate // 8))
        lanes = permute(lanes)
    return out[:size]


def left_encode(value):
    count = max(1, (value.bit_length() + 7) // 8)
    return bytes([count]) + value.to_bytes(count, "big")


def cshake128(data, name, customisation, size):
    if not name and not customisation:
        return sponge(data, 0x1F, size)
    head = left_encode(168)
    for string in (name, customisation):
        head += left_encode(8 * len(string)) + string
    return sponge(head + bytes(-len(head) % 168) + data, 0x04, size)


# ---- Names

CONTEXT = bytes.fromhex("f0eff02fbff43d0fe7930c3c6e6174ea")
DET_CONTEXT = bytes.fromhex("00b5a69c795df5d5f0087f56843f2c40")


def host_id(public):
    return bytes.fromhex("00010000") + public


def hit(public):
    return bytes.fromhex("20010025") + cshake128(CONTEXT + host_id(public), b"", b"", 12)


def fingerprint(hit_bytes):
    number = int.from_bytes(hit_bytes[4:], "big")
    digits = f"{number:029d}{number % 997:03d}"
    return " ".join(digits[i:i + 4] for i in range(0, 32, 4))


def det_input(public, raa, hda):
    head = (0x2001003 << 36 | raa << 22 | hda << 8 | 5).to_bytes(8, "big")
    return head, head + host_id(public)


# ---- X25519, for what becomes of the tunnel key

def tunnel_key(seed, context=b""):
    info = b"warren tunnel key 1" + context
    key = bytearray(hmac.new(seed, info + b"\x01", hashlib.blake2s).digest())
    key[0] &= 248
    key[31] = key[31] & 127 | 64
    return bytes(key)


def x25519_public(private):
    """By the Edwards curve: u = (1 + y) / (1 - y). Source: RFC 7748, section 4.1."""
    y = multiply(int.from_bytes(private, "little"), BASE)[1]
    return ((1 + y) * inverse(1 - y) % P).to_bytes(32, "little")


# ---- What others published

MESSAGE_1023 = bytes.fromhex(
    "08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f54e9f"
    "77b1e355f6c50544e23fb1433ddf73be84d879de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b27"
    "0b20329d658675fc6ea534e0810a4432826bf58c941efb65d57a338bbd2e26640f89ffbc1a858efcb8550ee3a5e1"
    "998bd177e93a7363c344fe6b199ee5d02e82d522c4feba15452f80288a821a579116ec6dad2b3b310da903401aa6"
    "2100ab5d1a36553e06203b33890cc9b832f79ef80560ccb9a39ce767967ed628c6ad573cb116dbefefd75499da96"
    "bd68a8a97b928a8bbc103b6621fcde2beca1231d206be6cd9ec7aff6f6c94fcd7204ed3455c68c83f4a41da4af2b"
    "74ef5c53f1d8ac70bdcb7ed185ce81bd84359d44254d95629e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2d17b"
    "a70eb6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40cc24554119a831a9aad6079cad88425de6bd"
    "e1a9187ebb6092cf67bf2b13fd65f27088d78b7e883c8759d2c4f5c65adb7553878ad575f9fad878e80a0c9ba63b"
    "cbcc2732e69485bbc9c90bfbd62481d9089beccf80cfe2df16a2cf65bd92dd597b0707e0917af48bbb75fed413d2"
    "38f5555a7a569d80c3414a8d0859dc65a46128bab27af87a71314f318c782b23ebfe808b82b0ce26401d2e22f04d"
    "83d1255dc51addd3b75a2b1ae0784504df543af8969be3ea7082ff7fc9888c144da2af58429ec96031dbcad3dad9"
    "af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b47acdb751fb73e666c6c655ade8297297d07ad1ba5e43f1bca3"
    "2301651339e22904cc8c42f58c30c04aafdb038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8ca61783a"
    "acec57fb3d1f92b0fe2fd1a85f6724517b65e614ad6808d6f6ee34dff7310fdc82aebfd904b01e1dc54b2927094b"
    "2db68d6f903b68401adebf5a7e08d78ff4ef5d63653a65040cf9bfd4aca7984a74d37145986780fc0b16ac451649"
    "de6188a7dbdf191f64b5fc5e2ab47b57f7f7276cd419c17a3ca8e1b939ae49e488acba6b965610b5480109c8b17b"
    "80e1b7b750dfc7598d5d5011fd2dcc5600a32ef5b52a1ecc820e308aa342721aac0943bf6686b64b2579376504cc"
    "c493d97e6aed3fb0f9cd71a43dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5fb93246f6b1116398a346"
    "f1a641f3b041e989f7914f90cc2c7fff357876e506b50d334ba77c225bc307ba537152f3f1610e4eafe595f6d9d9"
    "0d11faa933a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380db2eaaa707b4c"
    "4185c32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef68d3a101e8a3b8cac60c905c"
    "15fc910840b94c00a0b9d0")

# seed, public key, message, signature. Source: RFC 8032, section 7.1
RFC_8032 = [
    ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", b"",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
     "cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", b"\x72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d"
     "0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", b"\xaf\x82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7609"
     "84dc6594a7c15e9716ed28dc027beceea1ec40a"),
    ("f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
     "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e", MESSAGE_1023,
     "0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350aa5371b1508f9f4528ecea23c"
     "436d94b5e8fcd4f681e30a6ac00a9704a188a03"),
    ("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     hashlib.sha512(b"abc").digest(),
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66"
     "431e0303dca179c138ac17ad9bef1177331a704"),
]

# public key, message, signature; the order of the page's table. Source: Chalkias, Garillot,
# Nikolaenko, "Taming the many EdDSAs" (2020), section 5.1, Table 6c;
# https://github.com/novifinancial/ed25519-speccheck, cases.txt
EDGE_CASES = [
    ("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
     "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
     "0000000000000000000000000000000000000000000000000000000000000000"),
    ("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
     "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
     "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43"
     "a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04"),
    ("f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
     "aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab",
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"
     "8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e"),
    ("cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
     "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
     "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f"
     "87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009"),
    ("cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
     "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
     "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed512"
     "5ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09"),
    ("cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
     "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
     "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7"
     "e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405"),
    ("442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
     "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
     "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e"
     "547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514"),
    ("442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
     "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
     "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa1942"
     "7e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22"),
    ("f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
     "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
     "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "03be9678ac102edcd92b0210bb34d7428d12ffc5df5f37e359941266a4e35f0f"),
    ("f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
     "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
     "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ca8c5b64cd208982aa38d4936621a4775aa233aa0505711d8fdcfdaa943d4908"),
    ("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
     "e96b7021eb39c1a163b6da4e3093dcd3f21387da4cc4572be588fafae23c155b",
     "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dc"
     "a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04"),
    ("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
     "39a591f5321bbe07fd5a23dc2f39d025d74526615746727ceefd6e82ae65c06f",
     "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dc"
     "a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04"),
]

# What each is about. "Reduced for the hash": made for readers that hash the shortest encoding and not
# the bytes that they got.
EDGE_MEANING = [
    "S = 0, small A and R",
    "small A, mixed R",
    "mixed A, small R",
    "mixed A and R, holds without the cofactor",
    "mixed A and R, holds with the cofactor only",
    "mixed A, R of order L, holds with the cofactor only",
    "S > L",
    "S much greater than L",
    "small and not canonical R, reduced for the hash",
    "small and not canonical R",
    "small and not canonical A, reduced for the hash",
    "small and not canonical A",
]

HIT_KEY = bytes.fromhex("8b65b265a496e32046cfa378b5a5fb2e877a97723e557cb5f0d21848bfe94477")


def check_self():
    for seed, public, message, signature in RFC_8032:
        seed, public, signature = map(bytes.fromhex, (seed, public, signature))
        assert public_of(seed) == public and sign(seed, message) == signature
        assert verify_strictly(public, message, signature)
    for data, shake in ((b"", "7f9c2ba4e88f827d616045507605853e"),
                        (bytes(range(200)), hashlib.shake_128(bytes(range(200))).hexdigest(16))):
        assert cshake128(data, b"", b"", 16).hex() == shake  # FIPS 202
    # NIST, "cSHAKE samples", #1 and #2
    assert cshake128(bytes(range(4)), b"", b"Email Signature", 32) == bytes.fromhex(
        "c1c36925b6409a04f1b504fcbca9d82b4017277cb5ed2b2065fc1d3814d5aaf5")
    assert cshake128(bytes(range(200)), b"", b"Email Signature", 32) == bytes.fromhex(
        "c5221d50e4f822d96a2e8881a961420f294b7b24fe3d2094baed2c6524cc166b")
    # RFC 7748, section 6.1
    private = bytearray.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    private[0], private[31] = private[0] & 248, private[31] & 127 | 64
    assert x25519_public(private) == bytes.fromhex(
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")


# ---- Output

def cell(value):
    if isinstance(value, tuple):
        return "{" + ", ".join(map(cell, value)) + "}"
    if isinstance(value, bytes):
        digits = value.hex()
        return "\n".join(f'"{digits[i:i + 80]}"' for i in range(0, max(1, len(digits)), 80))
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else f"{value:d}u"


def table(name, fields, comment, rows):
    print("\n/* " + textwrap.fill(comment, 94).replace("\n", "\n * ") + " */")
    print(f"static const struct {{\n    {fields}\n}} {name}[] = {{")
    for row in rows:
        print("    " + cell(row) + ",")
    print("};")


def forge_for_small_key(data):
    """A signature of some message that holds for a key of small order, made without any seed."""
    key, s = decode(data), 12345
    for attempt in range(10**6):
        message = b"pay me %d" % attempt
        for guess in range(8):
            r = encode(add(multiply(s, BASE), negate(multiply(guess, key))))
            if number_hash(r, data, message) % 8 == guess:
                return data, message, r + s.to_bytes(32, "little")


def forge_small_r(seed, r):
    """The owner of a key with a part of order 8 signs with an R of small order."""
    torsion = order_8()
    scalar = expand(seed)[0]
    public = encode(add(multiply(scalar, BASE), torsion))
    for attempt in range(10**6):
        message = b"twice %d" % attempt
        h = number_hash(r, public, message)
        if add(decode(r), multiply(h, torsion)) == NEUTRAL:
            return public, message, r + (h * scalar % L).to_bytes(32, "little")


def make_signatures():
    rows = [(bytes.fromhex(seed), bytes.fromhex(public), message, bytes.fromhex(signature))
            for seed, public, message, signature in RFC_8032]
    table("vector_ed25519_rfc", "const char *seed, *public_key, *message, *signature;",
          "RFC 8032, section 7.1: tests 1, 2, 3, 1024, SHA(abc).", rows)
    rows = []
    for i, size in enumerate((0, 1, 31, 32, 33, 63, 64, 111, 112, 127, 128, 300, 1000, 5000)):
        seed = hashlib.sha256(b"seed %d" % i).digest()
        label = ("a", "warren test 1", "x" * 70)[i % 3]
        rows.append((seed, size, label, public_of(seed), sign(seed, pattern(size, 16)),
                     sign(seed, label.encode() + b"\0" + pattern(size, 16))))
    table("vector_ed25519", "const char *seed; unsigned size; const char *label, *public_key,"
          " *signature, *labelled;",
          "Signatures of pattern(size, 16), without and with the label.", rows)
    rows = []
    for (public, message, signature), meaning in zip(EDGE_CASES, EDGE_MEANING):
        public, message, signature = map(bytes.fromhex, (public, message, signature))
        flags = tuple(holds(public, message, signature, n) for n in (8, 1))
        rows.append((public, message, signature, meaning, *flags,
                     verify_strictly(public, message, signature)))
    assert sum(row[-1] for row in rows) == 1
    table("vector_ed25519_edge", "const char *public_key, *message, *signature, *meaning;"
          " bool holds_with_cofactor, holds_without, strict;",
          "Chalkias, Garillot, Nikolaenko, \"Taming the many EdDSAs\" (2020), Table 6c, with the"
          " verdicts of three rules: the equation alone with lenient points, with the cofactor and"
          " without, and ours.", rows)
    small = small_order_encodings()
    table("vector_small_order", "const char *point;",
          "Every encoding that a lenient reader takes for one of the eight points of small order.",
          [(data,) for data in small])
    rows = [forge_for_small_key(data) for data in small]
    rows += [forge_small_r(pattern(32, 17), data) for data in small]
    assert all(holds(*row, 1) and not verify_strictly(*row) for row in rows)
    table("vector_ed25519_forged", "const char *public_key, *message, *signature;",
          "The equation holds for lenient readers: for keys of small order, by anybody; with R of"
          " small order, by the owner of an unusual key.", rows)


def make_digests():
    rows = []
    for size in (0, 1, 55, 56, 63, 64, 65, 80, 119, 1000):
        data = pattern(size, 18)
        rows.append((size, *(getattr(hashlib, name)(data).digest()
                             for name in ("sha256", "sha1", "md5"))))
    table("vector_digests", "unsigned size; const char *sha256, *sha1, *md5;",
          "Hashes of pattern(size, 18).", rows)
    rows = []
    sizes = ((0, 0, 0, 0), (0, 0, 0, 1), (1, 0, 0, 12), (52, 0, 0, 12), (167, 0, 0, 168),
             (168, 0, 0, 169), (169, 0, 0, 400), (0, 1, 0, 32), (0, 0, 1, 32), (3, 4, 16, 32),
             (167, 3, 31, 168), (168, 4, 32, 169), (500, 30, 130, 500), (36, 0, 158, 32),
             (36, 0, 161, 32), (36, 0, 162, 32), (36, 0, 163, 32), (36, 0, 164, 32),
             (36, 300, 9000, 32))
    for size, name_size, custom_size, out_size in sizes:
        out = cshake128(pattern(size, 19), pattern(name_size, 20), pattern(custom_size, 21),
                        out_size)
        rows.append((size, name_size, custom_size, out_size, out))
    table("vector_cshake", "unsigned size, name_size, customisation_size, out_size;"
          " const char *out;",
          "cSHAKE128 of pattern(size, 19) with the function name pattern(name_size, 20) and the"
          " customisation pattern(customisation_size, 21). The sizes go round the ends of blocks.",
          rows)


def make_names():
    rows = []
    for public in [HIT_KEY] + [public_of(hashlib.sha256(b"host %d" % i).digest())
                               for i in range(8)]:
        name = hit(public)
        uri = f"WARREN:{fingerprint(name).replace(' ', '')}/{public.hex().upper()}"
        rows.append((public, name, str(ipaddress.IPv6Address(name)), fingerprint(name), uri))
    table("vector_hit", "const char *public_key, *hit, *address, *fingerprint, *uri;",
          "Keys, the first that of the published comparison, and their names.", rows)
    rows = []
    for number in (0, 1, 996, 997, 10**28 - 1, 10**28, 2**96 - 1):
        name = bytes.fromhex("20010025") + number.to_bytes(12, "big")
        rows.append((name, fingerprint(name)))
    table("vector_fingerprint", "const char *hit, *fingerprint;", "The ends of the range.", rows)
    table("vector_hit_other_readings", "const char *hit;",
          "HITs of the first key that ours must not be: the context as the customisation alone;"
          " both in front and there.",
          [(bytes.fromhex("20010025") + cshake128(data, b"", CONTEXT, 12),)
           for data in (host_id(HIT_KEY), CONTEXT + host_id(HIT_KEY))])
    head, data = det_input(HIT_KEY, 1000, 2000)
    table("vector_det", "const char *input, *customisation, *hash;",
          "The hash part of a hierarchical tag (RFC 9374, section 3.5.2) of the same key, RAA 1000,"
          " HDA 2000, the whole of which is 20010030fa07d00531e01aed4e7ecf5c.",
          [(data, DET_CONTEXT, cshake128(data, b"", DET_CONTEXT, 8))])
    assert head + cshake128(data, b"", DET_CONTEXT, 8) == bytes.fromhex(
        "20010030fa07d00531e01aed4e7ecf5c")
    assert det_input(HIT_KEY, 10, 20)[0].hex() == "2001003002801405"  # RFC 9374, appendix B.1
    rows = []
    for seed, context in ((bytes(32), b""), (pattern(32, 22), b""),
                          (hashlib.sha256(b"seed").digest(), b""), (bytes(32), b"\1"),
                          (bytes(32), pattern(32, 41)), (pattern(32, 22), pattern(64, 41))):
        key = tunnel_key(seed, context)
        rows.append((seed, context, key, x25519_public(key)))
    table("vector_tunnel_key", "const char *seed, *context, *private_key, *public_key;",
          "HMAC-BLAKE2s(seed, \"warren tunnel key 1\" || context || 01), clamped.", rows)


def main():
    check_self()
    print("/* SPDX-License-Identifier: Apache-2.0 */")
    print("/* Vectors of identities, made by make_identity.py: do not edit, run that. */")
    print("#pragma once\n#include <stdbool.h>\n#include <stdint.h>")
    make_signatures()
    make_digests()
    make_names()


if __name__ == "__main__":
    main()
