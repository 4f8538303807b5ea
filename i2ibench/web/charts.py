"""Charts as SVG text: losses over steps, scores of pairs by group, a value with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from i2ibench.escaping import visible

Floats = NDArray[np.float64]
Interval = tuple[float, float]

_WIDTH, _HEIGHT = 360, 168
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 28, 24
# More points than this are averaged in blocks: a chart of 360 px cannot show them.
_MOST_POINTS = 240
_BAR = (200, 20)
# What a letter of a chart's labels takes, about.
_CHARACTER = 5.6


@dataclass(frozen=True, slots=True)
class Strip:
    """One column of a strip chart.

    Attributes:
        label: below it.
        values: ``(N,)``, a score a pair; infinite ones are drawn at the border.
        pairs: the number of each pair in the page's explorer.
        interval: of the mean; None where none is known.
    """

    label: str
    values: Floats
    pairs: Sequence[int]
    interval: Interval | None


def line_chart(title: str, steps: Floats, values: Floats) -> Markup:
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


def strip_chart(title: str, metric: str, strips: Sequence[Strip], unit: str = "") -> Markup:
    """Return the score of every pair as a dot, one column a group, with mean and interval.

    ``metric`` is the one that ``dots.js`` names beside a dot; the dot opens its pair. ``unit`` is
    what groups are called.
    """
    everything = np.concatenate([each.values for each in strips])
    low, high = _range(everything[np.isfinite(everything)])
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(strips))
    body = _y_ticks(low, high)
    for index, strip in enumerate(strips):
        centre = _LEFT + (index + 0.5) * step
        body += _dots(strip, unit, centre, 0.32 * step, low, high)
        finite = strip.values[np.isfinite(strip.values)]
        if len(finite):
            body += _mean(float(finite.mean()), strip.interval, centre, step, low, high)
        body += _column_label(centre, step, strip)
    return _frame(title, body, kind="strips", metric=metric)


def interval_bar(
    value: float | None,
    interval: Interval | None,
    scale: Interval,
    *,
    zero: float | None = None,
    margin: float | None = None,
) -> Markup:
    """Return one row of a dot plot: the value as a dot, its interval as a bar, on a shared scale.

    It says nothing that the table around it does not, so readers of screens pass it over.

    Args:
        value: None for an empty row.
        interval: of the value.
        scale: what the left and the right border stand for.
        zero: where a dashed line stands.
        margin: the difference that does not matter, shaded around ``zero``.
    """
    width, height = _BAR

    def x(number: float) -> float:
        share = (number - scale[0]) / (scale[1] - scale[0]) if scale[1] > scale[0] else 0.5
        return 4 + min(1.0, max(0.0, share)) * (width - 8)

    body = ""
    if zero is not None and margin is not None:
        left, right = x(zero - margin), x(zero + margin)
        body += (
            f'<rect class="margin" x="{left:.1f}" y="0" width="{right - left:.1f}" height="20"/>'
        )
    if zero is not None:
        body += f'<path class="zero" d="M{x(zero):.1f} 0V{height}"/>'
    if interval is not None:
        body += f'<path class="bar" d="M{x(interval[0]):.1f} 10H{x(interval[1]):.1f}"/>'
    if value is not None and not math.isnan(value):
        body += f'<path class="spot" d="M{x(value):.1f} 10h0"/>'
    return Markup(  # noqa: S704 - numbers alone
        f'<svg class="bar-chart" viewBox="0 0 {width} {height}" preserveAspectRatio="none" '
        f'aria-hidden="true">{body}</svg>'
    )


def shared_scale(numbers: Sequence[float | None], around: float | None = None) -> Interval:
    """Return borders that hold all finite ``numbers``, equally far from ``around``."""
    finite = [each for each in numbers if each is not None and math.isfinite(each)]
    if around is not None:
        reach = max((abs(each - around) for each in finite), default=0.0) * 1.05 or 1.0
        return around - reach, around + reach
    return _range(np.asarray(finite, dtype=np.float64))


def _dots(strip: Strip, unit: str, centre: float, spread: float, low: float, high: float) -> str:
    # Sideways offsets only keep dots apart; the golden ratio spreads them without a generator.
    offsets = (np.arange(len(strip.values)) * 0.6180339887) % 1 * 2 - 1
    path = "".join(
        f"M{centre + spread * offset:.1f} {_y(score, low, high):.1f}h0"
        for score, offset in zip(np.clip(strip.values, low, high), offsets, strict=True)
    )
    numbers = ",".join(map(str, strip.pairs))
    label = _text(f"{unit} {strip.label}".strip())
    if not path:
        return ""
    return f'<path class="dots" data-label="{label}" data-pairs="{numbers}" d="{path}"/>'


def _mean(
    mean: float,
    interval: Interval | None,
    centre: float,
    step: float,
    low: float,
    high: float,
) -> str:
    left, y = centre - 0.38 * step, _y(mean, low, high)
    drawn = f'<path class="mean" d="M{left:.1f} {y:.1f}h{0.76 * step:.1f}"/>'
    if interval is not None:
        top, bottom = (_y(min(high, max(low, each)), low, high) for each in interval[::-1])
        drawn += (
            f'<rect class="interval" x="{left:.1f}" y="{top:.1f}" '
            f'width="{0.76 * step:.1f}" height="{max(1.0, bottom - top):.1f}"/>'
        )
    return drawn


def _frame(title: str, body: str, *, kind: str = "", metric: str = "") -> Markup:
    name = _text(title)
    of = f' data-metric="{_text(metric)}"' if metric else ""
    return Markup(  # noqa: S704 - every text of others went through _text
        f'<svg class="{f"chart {kind}".strip()}"{of} viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{name}"><text class="title" x="4" y="14">{name}</text>{body}</svg>'
    )


def _y_ticks(low: float, high: float) -> str:
    ticks = ""
    step = (high - low) / 3
    # All with as many decimals as tell two neighbours apart, unless that is a long number.
    decimals = max(0, 1 - math.floor(math.log10(step))) if 0 < step < math.inf else 0
    style = f".{decimals}f" if decimals < 6 and max(abs(low), abs(high)) < 1e6 else ".3g"
    for value in np.linspace(low, high, 4):
        y = _y(float(value), low, high)
        ticks += (
            f'<path class="grid-line" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>'
            f'<text x="{_LEFT - 5}" y="{y + 3:.1f}" text-anchor="end">{value:{style}}</text>'
        )
    return ticks


def _x_label(x: float, anchor: str, words: str) -> str:
    return f'<text x="{x:.1f}" y="{_HEIGHT - 7}" text-anchor="{anchor}">{_text(words)}</text>'


def _column_label(centre: float, step: float, strip: Strip) -> str:
    """Return the label of a column ``step`` wide, shortened where it would run into the next."""
    whole = f"{strip.label} ({len(strip.values)})"
    most = max(1, int(step / _CHARACTER))
    fitting = next((each for each in (whole, strip.label) if len(each) <= most), None)
    words = fitting if fitting is not None else f"{strip.label[: most - 1]}…"
    label = _x_label(centre, "middle", words)
    return label.replace("</text>", f"<title>{_text(whole)}</title></text>")


def _text(words: str) -> str:
    return escape(visible(words))


def _x(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float, low: float, high: float) -> float:
    return _TOP + (high - value) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)


def _range(values: Floats) -> Interval:
    if not len(values):
        return (0.0, 1.0)
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low) or 0.5 * abs(high) or 0.5
    return low - margin, high + margin


def _averaged(values: Sequence[float] | Floats) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    blocks = np.array_split(array, min(len(array), _MOST_POINTS))
    return np.array([block.mean() for block in blocks])
