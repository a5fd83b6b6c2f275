# SPDX-License-Identifier: Apache-2.0
"""Reads QR codes as `warren id show --qr` draws them, so far as that needs: undamaged, versions 1
to 9. Source: ISO/IEC 18004 (layout, masks, table of blocks for correction level M)."""

import re

BORDER = 4
# version: (check bytes a block, data bytes of each block), correction level M
BLOCKS = {1: (10, [16]), 2: (16, [28]), 3: (26, [44]), 4: (18, [32] * 2), 5: (24, [43] * 2),
          6: (16, [27] * 4), 7: (18, [31] * 4), 8: (22, [38] * 2 + [39] * 2),
          9: (22, [36] * 3 + [37] * 2)}
ALIGNMENT = {1: [], 2: [6, 18], 3: [6, 22], 4: [6, 26], 5: [6, 30], 6: [6, 34],
             7: [6, 22, 38], 8: [6, 24, 42], 9: [6, 26, 46]}
MASKS = [lambda y, x: (y + x) % 2, lambda y, x: y % 2, lambda y, x: x % 3,
         lambda y, x: (y + x) % 3, lambda y, x: (y // 2 + x // 3) % 2,
         lambda y, x: y * x % 2 + y * x % 3, lambda y, x: (y * x % 2 + y * x % 3) % 2,
         lambda y, x: ((y + x) % 2 + y * x % 3) % 2]
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def from_terminal(text):
    """The code in the block characters of a terminal; light modules are drawn."""
    lines = [line for line in text.split("\n") if re.fullmatch("[ ▀▄█]{20,}", line)]
    rows = []
    for line in lines:
        rows.append([c in " ▄" for c in line])
        rows.append([c in " ▀" for c in line])
    width = len(rows[0])
    return decode([row[BORDER:-BORDER] for row in rows[BORDER:width - BORDER]])


def from_svg(text):
    side = int(re.search(r'viewBox="0 0 (\d+) \1"', text)[1])
    dark = {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", text)}
    return decode([[(x, y) in dark for x in range(BORDER, side - BORDER)]
                   for y in range(BORDER, side - BORDER)])


def decode(dark):
    """The text of a matrix of modules."""
    size = len(dark)
    version = (size - 17) // 4
    assert all(len(row) == size for row in dark) and size == 17 + 4 * version
    form = 0
    for x in (0, 1, 2, 3, 4, 5, 7):
        form = form << 1 | dark[8][x]
    form = (form ^ 0b1010100) >> 2  # five bits of data: level and mask
    assert form >> 3 == 0, "correction level M"
    mask = MASKS[form & 7]
    stream = []
    for y, x in path(size, version):
        stream.append(dark[y][x] ^ (mask(y, x) == 0))
    codewords = [int("".join("%d" % bit for bit in stream[i:i + 8]), 2)
                 for i in range(0, len(stream) - 7, 8)]
    return read_text(data_of(codewords, version), version)


def path(size, version):
    """The modules with data in their order: upwards and downwards in pairs of columns."""
    reserved = set()
    for y in range(size):
        for x in range(size):
            corner = (y < 9 and x < 9) or (y < 9 and x >= size - 8) or (y >= size - 8 and x < 9)
            sign = version >= 7 and ((y < 6 and x >= size - 11) or (x < 6 and y >= size - 11))
            if corner or sign or x == 6 or y == 6:
                reserved.add((y, x))
    places = ALIGNMENT[version]
    for cy in places:
        for cx in places:
            if (cy, cx) not in ((6, 6), (6, places[-1]), (places[-1], 6)):
                reserved |= {(cy + dy, cx + dx) for dy in range(-2, 3) for dx in range(-2, 3)}
    columns = [x for x in range(size - 1, 6, -2)] + [5, 3, 1]
    for number, right in enumerate(columns):
        rows = range(size - 1, -1, -1) if number % 2 == 0 else range(size)
        for y in rows:
            for x in (right, right - 1):
                if (y, x) not in reserved:
                    yield y, x


def data_of(codewords, version):
    """Takes the interleaved blocks apart; their check bytes are left out."""
    _, sizes = BLOCKS[version]
    blocks = [[] for _ in sizes]
    place = 0
    for i in range(max(sizes)):
        for block, wanted in zip(blocks, sizes):
            if i < wanted:
                block.append(codewords[place])
                place += 1
    return [byte for block in blocks for byte in block]


def read_text(data, version):
    bits = "".join("{:08b}".format(byte) for byte in data)
    text, place = "", 0

    def take(count):
        nonlocal place
        place += count
        return int(bits[place - count:place], 2)

    while place + 4 <= len(bits):
        kind = take(4)
        if kind == 0:
            break
        if kind == 4:
            text += bytes(take(8) for _ in range(take(8))).decode()
        elif kind == 1:
            count = take(10)
            while count > 0:
                digits = min(count, 3)
                text += str(take((0, 4, 7, 10)[digits])).zfill(digits)
                count -= digits
        else:
            assert kind == 2, kind
            count = take(9)
            while count >= 2:
                pair = take(11)
                text += LETTERS[pair // 45] + LETTERS[pair % 45]
                count -= 2
            if count:
                text += LETTERS[take(6)]
    return text
