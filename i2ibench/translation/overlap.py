"""Images are decoded and encoded in threads, beside the network that translates them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from i2ibench.runtime import usable_cores

if TYPE_CHECKING:
    from typing_extensions import Self

Item = TypeVar("Item")
Made = TypeVar("Made")

# Images that wait, on each side of the network: uint8 RGB.
_BYTES_WAITING = 256 << 20
_MOST_WAITING = 64


def read_ahead(
    items: Iterable[Item], read: Callable[[Item], Made], size_of: Callable[[Made], int]
) -> Iterator[tuple[Item, Made]]:
    """Yield each item with what ``read`` makes of it, in order; the next ones are read meanwhile.

    Args:
        items: what is to be read.
        read: called in a thread; its error is raised when the turn of its item comes.
        size_of: the bytes that a result holds; the first one's decide how many may wait.
    """
    pool = ThreadPoolExecutor(_threads(), "i2ibench-read")
    waiting: deque[tuple[Item, Future[Made]]] = deque()
    most, left = 1, iter(items)
    try:
        while True:
            while len(waiting) < most and (item := next(left, None)) is not None:
                waiting.append((item, pool.submit(read, item)))
            if not waiting:
                return
            item, future = waiting.popleft()
            made = future.result()
            most = _waiting(size_of(made))
            yield item, made
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class WriteBehind:
    """Writes in threads; leaving the context waits until all that was begun is written.

    An error of a write is raised by the next ``submit``, or when the context ends.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_threads(), "i2ibench-write")
        self._waiting: deque[Future[object]] = deque()

    def submit(self, write: Callable[[], object], size: int) -> None:
        """Begin a write that holds ``size`` bytes; waits while too many are begun."""
        while len(self._waiting) >= _waiting(size) or (self._waiting and self._waiting[0].done()):
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(write))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True)
        if error is None:
            for each in self._waiting:
                each.result()


def _threads() -> int:
    return min(8, usable_cores())


def _waiting(size: int) -> int:
    return max(1, min(_MOST_WAITING, _BYTES_WAITING // max(1, size)))
