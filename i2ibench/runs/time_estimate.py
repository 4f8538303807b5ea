"""How long a training will take, said once after its first steps."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from i2ibench.runtime import torch_if_loaded
from i2ibench.training.loss_readout import Progress

# The first step is slower: kernels are chosen, images decoded. Shorter trainings need no word.
_MEASURED_STEPS = 3
_MEASURED_SECONDS = 5.0
_LONG = 60.0


class TimeEstimate:
    """Passes steps on, and says once how long the rest takes.

    Args:
        progress: told of every step.
        say: told the estimate.
        clock: seconds that only grow.
        now: the local time.
    """

    def __init__(
        self,
        progress: Progress,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._progress, self._say, self._clock, self._now = progress, say, clock, now
        self._first: tuple[int, float] | None = None
        self._said = False

    def __call__(self, step: int, total: int, losses: Mapping[str, float]) -> None:
        """Take a finished step."""
        if not self._said:
            self._measure(step, total)
        self._progress(step, total, losses)

    def _measure(self, step: int, total: int) -> None:
        if self._first is None:
            self._first = step, self._clock()
            return
        steps, seconds = step - self._first[0], self._clock() - self._first[1]
        if steps < _MEASURED_STEPS or seconds < _MEASURED_SECONDS:
            return
        self._said = True
        left = (total - step) * seconds / steps
        if left >= _LONG:
            self._say(estimate(total - step, seconds / steps, self._now(), memory_in_use()))


def estimate(steps: int, seconds: float, now: datetime, memory: int | None = None) -> str:
    """Return the line, e.g. ``8,800 steps left, 0.54 s each: about 1 h 19 min, until 18:32``."""
    left = timedelta(seconds=round(steps * seconds))
    end = now + left
    when = f"{end:%H:%M}" if end.date() == now.date() else f"{end:%Y-%m-%d %H:%M}"
    held = f"; {memory / (1 << 30):.1f} GiB of memory" if memory else ""
    return f"{steps:,} steps left, {_each(seconds)} each: about {_span(left)}, until {when}{held}"


def memory_in_use() -> int | None:
    """Return the most bytes that were used at once: of the GPU where one computes."""
    torch = torch_if_loaded()
    if torch is not None and torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_reserved())
    try:
        import resource
    except ImportError:  # of Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


def _each(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 0.1 else f"{seconds:.2g} s"


def _span(left: timedelta) -> str:
    minutes = round(left.total_seconds() / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
