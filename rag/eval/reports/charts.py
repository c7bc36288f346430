"""Pictures as SVG text. They are coloured by the classes of the page that they stand in.

Every picture has a title that says in words what it shows. Numbers are written with fixed digits, so
that equal values make equal bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from rag.eval.metrics.calibration import Bin


def interval_chart(mean: float, low: float, high: float, *, label: str, baseline: float | None = None) -> str:
    """A mean in 0..1 as a mark on a line, its interval as a band, an earlier mean as a hollow mark."""
    width, height, pad = 168, 18, 5
    x = _scale(pad, width - pad, 0.0, 1.0)
    parts = [_line("axis", x(0), height / 2, x(1), height / 2)]
    parts += [_line("tick", x(at), height / 2 - 3, x(at), height / 2 + 3) for at in (0.0, 0.5, 1.0)]
    if _finite(low, high):
        parts.append(_rect("band", x(low), height / 2 - 4, max(1.0, x(high) - x(low)), 8, 3))
    if baseline is not None and _finite(baseline):
        parts.append(f'<circle class="hollow" cx="{_n(x(baseline))}" cy="{_n(height / 2)}" r="3.5"/>')
    if _finite(mean):
        parts.append(_rect("mark", x(mean) - 1.25, height / 2 - 6, 2.5, 12, 1))
    return _svg(width, height, label, parts)


def difference_chart(
    difference: float, low: float, high: float, *, reach: float, tone: str, label: str
) -> str:
    """A difference with its interval, from -`reach` to `reach`. `tone` is `better`, `worse` or `same`."""
    width, height, pad = 168, 18, 5
    x = _scale(pad, width - pad, -reach, reach)
    low, high = max(low, -reach), min(high, reach)
    parts = [
        _line("axis", x(-reach), height / 2, x(reach), height / 2),
        _line("zero", x(0), 1, x(0), height - 1),
        _rect(f"band {tone}", x(low), height / 2 - 4, max(1.0, x(high) - x(low)), 8, 3),
        _rect(f"mark {tone}", x(max(-reach, min(reach, difference))) - 1.25, height / 2 - 6, 2.5, 12, 1),
    ]
    return _svg(width, height, label, parts)


def histogram(values: Sequence[float], *, label: str, bins: int = 10) -> str:
    """How many of the values, 0..1, fall into each of equal bins; the last holds 1 too."""
    width, height = 220, 104
    pad, foot = 8.0, 18.0
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, max(0, int(value * bins + 1e-9)))] += 1
    top = max(counts, default=0) or 1
    step = (width - 2 * pad) / bins
    base, room = height - foot, height - foot - 16
    parts = []
    for at, count in enumerate(counts):
        tall = room * (count / top)
        left = pad + at * step
        if count:
            parts.append(_rect("bar", left + 1, base - max(tall, 1.5), step - 2, max(tall, 1.5), 1.5))
            parts.append(_text("count", left + step / 2, base - max(tall, 1.5) - 3, str(count), "middle"))
    parts.append(_line("axis", pad, base, width - pad, base))
    for share, name, anchor in ((0.0, "0", "start"), (0.5, "0.5", "middle"), (1.0, "1", "end")):
        parts.append(_text("scale", pad + share * (width - 2 * pad), height - 4, name, anchor))
    spread = ", ".join(f"{count} from {at / bins:.1f}" for at, count in enumerate(counts) if count)
    return _svg(width, height, label, parts, f"{len(values)} values: {spread or 'none'}")


def reliability_chart(
    bins: Sequence[Bin], intervals: Sequence[tuple[float, float] | None], *, label: str
) -> str:
    """How right answers were against how sure: a mark a bin, as large as the bin has answers, with intervals.

    On the dashed line confidence says how often an answer is right; `intervals` are of the share that was
    right, None for an empty bin. Below stand the counts.
    """
    width, height = 340, 378
    left, top, side = 46.0, 12.0, 284.0
    x, y = _scale(left, left + side, 0.0, 1.0), _scale(top + side, top, 0.0, 1.0)
    parts = [_rect("frame", left, top, side, side, 0)]
    for at in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        parts += [
            _line("grid", x(at), top, x(at), top + side),
            _line("grid", left, y(at), left + side, y(at)),
            _text("scale", x(at), top + side + 14, f"{at:.1f}", "middle"),
            _text("scale", left - 6, y(at) + 3.5, f"{at:.1f}", "end"),
        ]
    parts.append(_line("ideal", x(0), y(0), x(1), y(1)))
    most = max((each.n for each in bins), default=0) or 1
    told = []
    for each, interval in zip(bins, intervals, strict=True):
        if each.confidence is None or each.accuracy is None:
            continue
        at = x(each.confidence)
        if interval is not None:
            parts.append(_line("whisker", at, y(interval[0]), at, y(interval[1])))
        parts.append(_line("gap", at, y(each.confidence), at, y(each.accuracy)))
        radius = 3 + 6 * math.sqrt(each.n / most)
        parts.append(f'<circle class="dot" cx="{_n(at)}" cy="{_n(y(each.accuracy))}" r="{_n(radius)}"/>')
        parts.append(_text("count", x((each.low + each.high) / 2), top + side + 34, str(each.n), "middle"))
        told.append(f"confidence {each.confidence:.2f}: {each.accuracy:.2f} right of {each.n}")
    parts += [
        _text("scale", left - 6, top + side + 34, "n", "end"),
        _text("name", left + side / 2, top + side + 58, "confidence", "middle"),
        f'<text class="name" transform="translate(12 {_n(top + side / 2)}) rotate(-90)" '
        'text-anchor="middle">share that was right</text>',
    ]
    return _svg(width, height, label, parts, "; ".join(told))


def share_chart(share: float, *, label: str, tone: str = "") -> str:
    """A share, 0..1, as a bar."""
    width, height = 140, 12
    return _svg(
        width,
        height,
        label,
        [
            _rect("trough", 0, 2, width, 8, 3),
            _rect(f"bar {tone}".strip(), 0, 2, max(2.0, width * min(1.0, share)), 8, 3),
        ],
    )


def _scale(start: float, end: float, low: float, high: float) -> Callable[[float], float]:
    return lambda value: start + (end - start) * (value - low) / (high - low)


def _svg(width: int, height: int, label: str, parts: Sequence[str], told: str = "") -> str:
    description = f"<desc>{escape(told)}</desc>" if told else ""
    return (
        f'<svg class="chart" role="img" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'aria-label="{escape(label)}"><title>{escape(label)}</title>{description}{"".join(parts)}</svg>'
    )


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"/>'


def _rect(kind: str, x: float, y: float, width: float, height: float, radius: float) -> str:
    return (
        f'<rect class="{kind}" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" '
        f'rx="{_n(radius)}"/>'
    )


def _text(kind: str, x: float, y: float, text: str, anchor: str) -> str:
    return f'<text class="{kind}" x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}">{escape(text)}</text>'


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _finite(*values: float) -> bool:
    return all(map(math.isfinite, values))
