"""Ctrl-C and SIGTERM as a request to stop after the current step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupt_requested() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether the user asked to stop.

    A step that is cut in half (discriminator stepped, generator not) could not be resumed to the
    same bits, so the first signal only asks; a second one stops at once.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    # Only the main thread may install handlers; elsewhere (a notebook's worker) nothing changes.
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    former = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
