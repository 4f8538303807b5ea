"""One verb over several files: each is done, what fails is told, and the worst exit code stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import typer

from i2ibench.cli.terminal import say
from i2ibench.errors import I2IBenchError

T = TypeVar("T")


def each_of(paths: Iterable[T], do: Callable[[T], I2IBenchError | None]) -> None:
    """Call ``do`` for every path or name; an error it raises or returns does not stop the others.

    Raises the error itself where there is one path, so that ``--debug`` shows its traceback;
    otherwise ends the command with the largest exit code.
    """
    given = list(paths)
    codes = []
    for path in given:
        try:
            error = do(path)
        except I2IBenchError as raised:
            error = raised
        if error is None:
            continue
        if len(given) == 1:
            raise error
        say(str(error), lead="[bold red]error:[/] ")
        codes.append(error.exit_code)
    if codes:
        raise typer.Exit(max(codes))
