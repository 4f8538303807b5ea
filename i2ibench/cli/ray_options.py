"""Options of verbs whose work may be done on a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from i2ibench.errors import UsageError
from i2ibench.runs.option_fields import HOW

if TYPE_CHECKING:
    from i2ibench.executors import Executor


class Where(str, Enum):
    """Where work is done."""

    here = "here"
    ray = "ray"


On = Annotated[
    Where,
    typer.Option("--on", help="Work on this machine, or on a Ray cluster.", rich_help_panel=HOW),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Head of the Ray cluster; default: $RAY_ADDRESS, one that runs here, else a new one "
        "of this machine.",
        rich_help_panel=HOW,
    ),
]
Cores = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        metavar="N",
        help="CPUs of each shard on Ray; default: those of the smallest machine, shared among its "
        "GPUs.",
        rich_help_panel=HOW,
    ),
]


@contextmanager
def place_of(
    on: Where,
    shards: int | None,
    storage: Path,
    *,
    address: str | None,
    threads: int | None,
    device: str,
    remedy: str,
) -> Iterator[Executor | None]:
    """Yield the Ray cluster that does the shards, None for this machine.

    Args:
        on, shards, address, threads, device: what was asked for.
        storage: the folder that all machines must share.
        remedy: how to give another.
    """
    if on is Where.here:
        if address is not None or threads is not None:
            raise UsageError("--address and --threads are for --on ray")
        yield None
        return
    if shards is None or shards < 2:
        raise UsageError("--on ray does shards: say how many, e.g. --shards 8")
    from i2ibench.ray_cluster import RayCluster

    with RayCluster(
        address, storage, threads=threads, gpu=device != "cpu", remedy=remedy
    ) as cluster:
        yield cluster
