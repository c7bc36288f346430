"""A picture of recall against speed, as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from rag.index.tune import Point

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 50
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which the colour-blind tell apart."""


def picture(curves: Mapping[str, Sequence[Point]], title: str) -> str:
    """An SVG of each curve by its name: recall to the right, queries a second upwards, by powers of ten.

    Raises:
        ValueError: no curve has a point.
    """
    points = [point for curve in curves.values() for point in curve]
    if not points:
        raise ValueError("there is nothing to draw: no curve has a point")
    least = math.floor(20 * min(point.recall for point in points)) / 20
    least = min(least, 0.95)
    speeds = [math.log10(max(point.queries_per_second, 1e-3)) for point in points]
    bottom, top = math.floor(min(speeds)), math.floor(max(speeds)) + 1

    def across(recall: float) -> float:
        return LEFT + (recall - least) / (1 - least) * (WIDTH - LEFT - RIGHT)

    def up(speed: float) -> float:
        return HEIGHT - BOTTOM - (speed - bottom) / (top - bottom) * (HEIGHT - TOP - BOTTOM)

    lines = list(_axes(bottom, top, across(1), up(top)))
    shares = [tick / 20 for tick in range(round(least * 20), 21)]
    lines += [_text(across(share), HEIGHT - BOTTOM + 18, f"{share:.2f}", "middle") for share in shares]
    powers = range(bottom, top + 1)
    lines += [_text(LEFT - 8, up(power) + 4, f"{10.0**power:,g}", "end") for power in powers]
    for at, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[at % len(COLOURS)]
        places = [
            (across(point.recall), up(math.log10(max(point.queries_per_second, 1e-3))))
            for point in sorted(curve, key=lambda point: point.effort)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        lines += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        lines.append(_text(LEFT + 12, HEIGHT - BOTTOM - 12 - 18 * at, name, "start", colour))
    lines.append(_text(WIDTH / 2, 24, title, "middle"))
    lines.append(_text(WIDTH / 2, HEIGHT - 10, "recall (queries a second upwards)", "middle"))
    body = "\n".join(lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="13">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
    )


def _axes(bottom: int, top: int, right: float, high: float) -> Iterator[str]:
    low = HEIGHT - BOTTOM
    yield f'<path d="M{LEFT},{high:.1f} V{low} H{right:.1f}" fill="none" stroke="#444"/>'
    for power in range(bottom + 1, top + 1):
        y = low - (power - bottom) / (top - bottom) * (low - TOP)
        yield f'<path d="M{LEFT},{y:.1f} H{right:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, words: str, anchor: str, colour: str = "#222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'
