"""Charts as SVG text: losses over steps, and scores of pairs by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_WIDTH, _HEIGHT = 360, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 22, 24
# More points than this are averaged in blocks: a chart of 360 px cannot show them.
_MOST_POINTS = 240


def line_chart(title: str, steps: Floats, values: Floats) -> str:
    """Return a curve of ``values`` over ``steps``, both ``(N,)``, averaged where there are many."""
    x, y = _averaged(steps), _averaged(values)
    low, high = _range(y)
    points = " ".join(
        f"{_x(step, x[0], x[-1]):.1f},{_y(value, low, high):.1f}"
        for step, value in zip(x, y, strict=True)
    )
    return _frame(
        title,
        _y_ticks(low, high)
        + _x_label(_LEFT, "start", f"{steps[0]:g}")
        + _x_label(_WIDTH - _RIGHT, "end", f"{steps[-1]:g}")
        + f'<polyline class="curve" points="{points}"/>',
    )


def strip_chart(
    title: str,
    groups: Mapping[str, Floats],
    intervals: Mapping[str, tuple[float, float] | None],
) -> str:
    """Return the scores of every pair as dots, one column a group, with mean and interval.

    Infinite scores are drawn at the upper border.
    """
    everything = np.concatenate(list(groups.values()))
    low, high = _range(everything[np.isfinite(everything)])
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(groups))
    body = _y_ticks(low, high)
    for index, (name, scores) in enumerate(groups.items()):
        centre = _LEFT + (index + 0.5) * step
        body += _dots(scores, centre, 0.32 * step, low, high)
        finite = scores[np.isfinite(scores)]
        if len(finite):
            body += _mean(float(finite.mean()), intervals.get(name), centre, step, low, high)
        body += _x_label(centre, "middle", f"{name} ({len(scores)})")
    return _frame(title, body)


def _dots(scores: Floats, centre: float, spread: float, low: float, high: float) -> str:
    # Sideways offsets only keep dots apart; the golden ratio spreads them without a generator.
    offsets = (np.arange(len(scores)) * 0.6180339887) % 1 * 2 - 1
    return "".join(
        f'<circle cx="{centre + spread * offset:.1f}" cy="{_y(score, low, high):.1f}" r="1.6"/>'
        for score, offset in zip(np.clip(scores, low, high), offsets, strict=True)
    )


def _mean(
    mean: float,
    interval: tuple[float, float] | None,
    centre: float,
    step: float,
    low: float,
    high: float,
) -> str:
    y = _y(mean, low, high)
    drawn = (
        f'<line class="mean" x1="{centre - 0.38 * step:.1f}" x2="{centre + 0.38 * step:.1f}" '
        f'y1="{y:.1f}" y2="{y:.1f}"/>'
    )
    if interval is not None:
        top, bottom = _y(interval[1], low, high), _y(interval[0], low, high)
        drawn += (
            f'<rect class="interval" x="{centre - 0.38 * step:.1f}" y="{top:.1f}" '
            f'width="{0.76 * step:.1f}" height="{max(1.0, bottom - top):.1f}"/>'
        )
    return drawn


def _frame(title: str, body: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        f'<text class="title" x="{_LEFT}" y="13">{escape(title)}</text>{body}</svg>'
    )


def _y_ticks(low: float, high: float) -> str:
    ticks = ""
    for value in np.linspace(low, high, 4):
        y = _y(float(value), low, high)
        ticks += (
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{_LEFT - 5}" y="{y + 3:.1f}" text-anchor="end">{value:.3g}</text>'
        )
    return ticks


def _x_label(x: float, anchor: str, words: str) -> str:
    return f'<text x="{x:.1f}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{escape(words)}</text>'


def _x(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float, low: float, high: float) -> float:
    return _TOP + (high - value) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)


def _range(values: Floats) -> tuple[float, float]:
    if not len(values):
        return (0.0, 1.0)
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low) or 0.5 * abs(high) or 0.5
    return low - margin, high + margin


def _averaged(values: Sequence[float] | Floats) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    blocks = np.array_split(array, min(len(array), _MOST_POINTS))
    return np.array([block.mean() for block in blocks])
