"""`i2ibench new KIND NAME`: a small package to begin a plugin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from i2ibench.cli.terminal import answer, say


def new(
    kind: Annotated[
        str, typer.Argument(help="model, metric, dataset or protocol.", metavar="KIND")
    ],
    name: Annotated[
        str,
        typer.Argument(help="As it will be called, e.g. my-net; the package is then my_net."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to write; default: NAME. It must not exist."),
    ] = None,
) -> None:
    """Write a small package for a new model, metric, data set or protocol.

    It passes its own test as written, and is commented as documentation.

    i2ibench new model my-net
    """
    from i2ibench.scaffolds.write import write_scaffold

    folder = write_scaffold(kind, name, output)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        answer(str(path))
    say(f"install it with: pip install -e {folder}")
    say(f"then read {folder / 'README.md'}")
