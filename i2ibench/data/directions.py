"""Which image of a pair is translated into which, and how a file of panels is then read."""

from __future__ import annotations

from collections.abc import Sequence

from i2ibench.data.cards import Layout, StripLayout
from i2ibench.errors import DataError, UsageError

_SIDES = ("AtoB", "BtoA")
_HALVES = ("A", "B")


def reading(layouts: Sequence[Layout], direction: str | None) -> Layout | None:
    """Return the one of several readings of the same files that a direction names, or None.

    A row of square panels whose number of columns is even may also be two halves: ``AtoB`` means
    the halves, and ``1to2`` the panels.

    Raises:
        UsageError: a direction that is none of any reading.
    """
    strips = [each for each in layouts if isinstance(each, StripLayout)]
    if direction is None or len(strips) < len(layouts):
        return None
    fits = [each for each in strips if direction in _between_panels(each)]
    if not fits and len(strips) > 1:
        raise _unknown(direction, [panel for each in strips for panel in each.panels])
    return fits[0] if len(fits) == 1 else None


def several_readings(layouts: Sequence[Layout], size: tuple[int, int] | None) -> str:
    """Return how the readings of the same files are chosen, or nothing where a direction cannot.

    Args:
        layouts: the readings.
        size: width and height of one of the files.
    """
    if not all(isinstance(each, StripLayout) for each in layouts):
        return ""
    strips = [each for each in layouts if isinstance(each, StripLayout)]
    if len({each.folder for each in strips}) > 1:
        return ""
    words = []
    for each in strips:
        first, second = each.panels[:2]
        number = len(each.panels)
        kind = "2 halves" if number == 2 else f"{number} panels"
        of = "" if size is None else f" of {size[0] // number} x {size[1]} px"
        advice = "AtoB or BtoA" if (first, second) == _HALVES else f"{first}to{second}, say,"
        words.append(f"{kind}{of} (--direction {advice} reads these)")
    return f"files can be read as {' or as '.join(words)}; give the direction"


def directed(layout: Layout, direction: str) -> tuple[Layout, bool, str]:
    """Return the layout, whether its pairs are to be reversed, and the direction's name.

    Raises:
        UsageError: unknown direction.
        DataError: more than two panels, of which none is named.
    """
    if isinstance(layout, StripLayout):
        chosen = _between_panels(layout).get(direction)
        if chosen is not None:
            return chosen, False, direction
        if len(layout.panels) > 2 and not layout.source and direction in _SIDES:
            first, second = layout.panels[:2]
            raise DataError(
                f"files of {len(layout.panels)} panels ({', '.join(layout.panels)}): say which is "
                f"translated to which, e.g. --direction {first}to{second}"
            )
    if direction not in _SIDES:
        raise _unknown(direction, layout.panels if isinstance(layout, StripLayout) else ())
    return layout, direction == "BtoA", direction


def _unknown(direction: str, panels: Sequence[str]) -> UsageError:
    more = f", or two of {', '.join(panels)}" if panels else ""
    return UsageError(f"unknown direction '{direction}'; known: {', '.join(_SIDES)}{more}")


def _between_panels(layout: StripLayout) -> dict[str, StripLayout]:
    """Return the layout of each direction between two panels, by its name."""
    return {
        f"{source}to{target}": layout.model_copy(update={"source": source, "target": target})
        for source in layout.panels
        for target in layout.panels
        if source != target
    }
