"""Pieces of one job, done in the places of an executor until all are done or one fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from i2ibench.executors import Ended, Executor, Work
from i2ibench.files import printable

# A piece whose machine was lost is started again so often.
_LOST_TRIES = 3
# Between two looks at how far the pieces are.
_LOOK_SECONDS = 1.0


def do_all(works: Sequence[Work], executor: Executor, look: Callable[[], None]) -> Ended | None:
    """Do all pieces; return the end of the first that fails, None where none does.

    One that fails ends the others, and so does an interruption.

    Args:
        works: with a name each.
        executor: where they are done.
        look: called now and then, to tell how far they are.
    """
    by_name = {work.name: work for work in works}
    waiting, running = [*works], 0
    lost: Counter[str] = Counter()
    try:
        while waiting or running:
            while waiting and executor.free:
                executor.start(waiting.pop(0))
                running += 1
            for end in executor.ended(_LOOK_SECONDS):
                running -= 1
                if end.lost and lost[end.name] < _LOST_TRIES:
                    lost[end.name] += 1
                    waiting.append(by_name[end.name])
                elif end.code != 0:
                    executor.stop()
                    return end
            look()
    except BaseException:
        executor.stop()
        raise
    return None


def said_last(work: Work) -> str:
    """Return the last line of what a piece printed; empty where it printed nothing."""
    if not work.log.exists():
        return ""
    lines = work.log.read_bytes().decode("utf-8", "replace").split("\n")
    return next((printable(line.strip()) for line in reversed(lines) if line.strip()), "")
