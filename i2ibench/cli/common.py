"""What the verbs share: consoles, option types that mean the same everywhere, JSON output."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from i2ibench.errors import UsageError
from i2ibench.files import json_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Panels of --help.
WHAT, HOW, WHERE = "What to run", "How to run it", "Where things are"

Model = Annotated[
    str,
    typer.Option("--model", "-m", help="Model; see [b]i2ibench models[/].", rich_help_panel=WHAT),
]
Dataset = Annotated[
    str,
    typer.Option(
        "--dataset",
        "-d",
        help="Data set name (see [b]i2ibench datasets[/]), or the path of a folder, CSV or card.",
        rich_help_panel=WHAT,
    ),
]
Direction = Annotated[
    str | None,
    typer.Option(
        "--direction", help="AtoB or BtoA; by default as the data set says.", rich_help_panel=WHAT
    ),
]
Recipe = Annotated[
    Path | None,
    typer.Option(
        "--recipe", help="TOML file with the model's settings and budget.", rich_help_panel=WHAT
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a recipe key, e.g. training.epochs=5; may be repeated.",
        rich_help_panel=WHAT,
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="Fixes everything random.", rich_help_panel=WHAT)
]
ProtocolId = Annotated[
    str,
    typer.Option("--protocol", help="How predictions are made and scored.", rich_help_panel=WHAT),
]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        help="Use only the first N pairs of each split; such runs enter no board.",
        rich_help_panel=WHAT,
    ),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        help="Translate with this checkpoint instead of training (ours or an official one).",
        rich_help_panel=WHAT,
    ),
]
Device = Annotated[
    str,
    typer.Option("--device", help="auto, cpu, cuda or cuda:N.", rich_help_panel=HOW),
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        help="auto (fp32 on a CPU, bf16 on a GPU that has it), fp32, tf32 (GPU) or bf16.",
        rich_help_panel=HOW,
    ),
]
ValidationFraction = Annotated[
    float | None,
    typer.Option(
        "--validation-fraction",
        min=0.0,
        max=0.5,
        help="Hold out this share of the training pairs for validation; by default the data set's "
        "own val split, where it has one.",
        rich_help_panel=WHAT,
    ),
]
KeepBest = Annotated[
    str | None,
    typer.Option(
        "--keep-best",
        metavar="METRIC",
        help="Translate with the state that validated best, e.g. ssim; by default with the last.",
        rich_help_panel=WHAT,
    ),
]
Tensorboard = Annotated[
    bool,
    typer.Option(
        "--tensorboard/--no-tensorboard",
        help="Log the training for TensorBoard, where it is installed.",
        rich_help_panel=HOW,
    ),
]
Wandb = Annotated[
    str | None,
    typer.Option(
        "--wandb",
        metavar="PROJECT",
        help="Also log to this project of Weights & Biases; offline without a login.",
        rich_help_panel=HOW,
    ),
]
Devices = Annotated[
    int,
    typer.Option(
        "--devices", min=1, help="Training processes on this machine.", rich_help_panel=HOW
    ),
]
Nodes = Annotated[
    int,
    typer.Option("--nodes", min=1, help="Machines that train together.", rich_help_panel=HOW),
]
PixelCache = Annotated[
    bool,
    typer.Option(
        "--pixel-cache",
        help="Keep decoded training pixels in the cache folder: written once, then crops are read "
        "without decoding.",
        rich_help_panel=HOW,
    ),
]
Repeats = Annotated[
    int,
    typer.Option(
        "--repeats",
        min=1,
        help="Run this many seeds; the board shows their spread.",
        rich_help_panel=WHAT,
    ),
]
Tile = Annotated[
    int | None,
    typer.Option(
        "--tile",
        min=0,
        help="Translate in tiles of this side; 0: images whole; default: as their size asks.",
        rich_help_panel=HOW,
    ),
]
UnverifiedWeights = Annotated[
    bool,
    typer.Option(
        "--allow-unverified-weights",
        help="Accept weights of unknown hash; the signature then says so.",
        rich_help_panel=HOW,
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data-root",
        help="Folder that holds the data set; default $I2IBENCH_DATA/NAME.",
        rich_help_panel=WHERE,
    ),
]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="Folder of the runs.", rich_help_panel=WHERE)
]
Board = Annotated[
    Path, typer.Option("--board", help="Folder of the leaderboards.", rich_help_panel=WHERE)
]
Json = Annotated[bool, typer.Option("--json", help="Print machine-readable JSON on stdout.")]


@cache
def err() -> Console:
    """The console of tables, progress, warnings and errors (stderr)."""
    from rich.console import Console

    return Console(stderr=True, emoji=False)


def say(message: str, *, lead: str = "") -> None:
    """Print one line for the reader on stderr, as it is; ``lead`` is markup that stands before."""
    err().print(f"{lead}{escape(message)}", highlight=False, soft_wrap=True)


def escape(text: str) -> str:
    """Keep rich from reading brackets of file names as markup."""
    from rich.markup import escape as rich_escape

    return rich_escape(text)


def print_json(value: Any) -> None:
    """Print JSON on stdout, the same form as in files."""
    sys.stdout.write(json_text(value))


def table(title: str, columns: list[str], rows: list[list[str]]) -> Table:
    """Return a table in the one style of the command line; cells may hold markup."""
    from rich import box
    from rich.table import Table

    made = Table(
        title=escape(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
    )
    for column in columns:
        made.add_column(escape(column), overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def parse_names(option: str, text: str | None) -> list[str] | None:
    """Turn ``"psnr, ssim"`` into its names; None where the option was not given."""
    if text is None:
        return None
    if not text.strip():
        raise UsageError(f"{option} is empty; name at least one, or leave it out")
    return [name.strip() for name in text.split(",")]


def parse_settings(settings: list[str] | None) -> dict[str, Any]:
    """Turn ``["training.epochs=5"]`` into ``{"training.epochs": 5}``; values are read as TOML."""
    from i2ibench.registry import tomllib

    parsed: dict[str, Any] = {}
    for setting in settings or []:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {setting}: write KEY=VALUE, e.g. --set training.epochs=5")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text  # a bare word is a string
        parsed[key.strip()] = value
    return parsed
