# SPDX-License-Identifier: Apache-2.0
"""Curves over time as one SVG: panels below one another, with a common axis of minutes."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, GAP = 900, 130, 70, 150, 30, 34
COLOURS = ["#04588a", "#c0392b", "#27803b", "#8e44ad", "#b9770e", "#117a65", "#5d6d7e", "#d35400"]


class Panel:
    """A title and curves: {name: [(seconds, value)]}. Marks are moments, drawn as lines: {name:
    [seconds]}."""

    def __init__(self, title, curves, marks=None, least=0):
        self.title, self.curves, self.marks = title, curves, marks or {}
        values = [v for points in curves.values() for _, v in points]
        self.low = min([least] + values)
        self.high = max(values + [self.low + 1])


def _steps(high):
    """A round step, so that two to five lines fit below 'high'."""
    power = 10 ** math.floor(math.log10(high))
    return next(power * part for part in (0.2, 0.5, 1, 2) if high <= 5 * power * part)


def _panel(panel, top, seconds):
    def x(t):
        return LEFT + (WIDTH - LEFT - RIGHT) * t / seconds

    def y(value):
        return top + HEIGHT - HEIGHT * (value - panel.low) / (panel.high - panel.low)

    out = ['<text x="%d" y="%d" font-weight="bold">%s</text>' % (LEFT, top - 8,
                                                                 escape(panel.title)),
           '<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#999"/>'
           % (LEFT, top, WIDTH - LEFT - RIGHT, HEIGHT)]
    step, value = _steps(panel.high), 0
    while value <= panel.high:
        if value >= panel.low:
            out.append('<text x="%d" y="%.1f" text-anchor="end">%g</text><path d="M%d %.1fH%d" '
                       'stroke="#ddd"/>' % (LEFT - 6, y(value) + 4, value, LEFT, y(value),
                                            WIDTH - RIGHT))
        value += step
    legend = 0
    for number, (name, moments) in enumerate(panel.marks.items()):
        colour = COLOURS[-1 - number % len(COLOURS)]
        out += ['<path d="M%.1f %dV%d" stroke="%s" stroke-opacity=".35"/>'
                % (x(t), top, top + HEIGHT, colour) for t in moments]
        legend += 1
        out.append(_legend(name, top, legend, colour))
    for number, (name, points) in enumerate(panel.curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        line = "L".join("%.1f %.1f" % (x(t), y(v)) for t, v in points)
        if line:
            out.append('<path d="M%s" fill="none" stroke="%s"/>' % (line, colour))
        legend += 1
        out.append(_legend(name, top, legend, colour))
    return out


def _legend(name, top, number, colour):
    return '<text x="%d" y="%d" fill="%s">%s</text>' % (WIDTH - RIGHT + 8, top + 13 * number - 2,
                                                        colour, escape(name))


def write(path, title, panels, seconds):
    height = TOP + len(panels) * (HEIGHT + GAP) + 30
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" '
           'font-size="11"><rect width="100%%" height="100%%" fill="#fff"/>' % (WIDTH, height),
           '<text x="%d" y="18" font-size="14">%s</text>' % (LEFT, escape(title))]
    for number, panel in enumerate(panels):
        out += _panel(panel, TOP + 20 + number * (HEIGHT + GAP), max(1, seconds))
    bottom = TOP + 20 + len(panels) * (HEIGHT + GAP) - GAP + 14
    for tenth in range(0, 11):
        out.append('<text x="%.1f" y="%d" text-anchor="middle">%.3g</text>' % (
            LEFT + (WIDTH - LEFT - RIGHT) * tenth / 10, bottom, seconds * tenth / 600))
    out.append('<text x="%d" y="%d">minutes</text></svg>' % (WIDTH - RIGHT + 8, bottom))
    with open(path, "w") as stream:
        stream.write("\n".join(out) + "\n")
