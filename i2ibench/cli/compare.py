"""`i2ibench compare RUN RUN...`: whether methods really differ, pair by pair."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from i2ibench.cli.completion import completer
from i2ibench.cli.options import DataRoot, Direction, Json, WithoutPictures
from i2ibench.cli.terminal import answer, print_json, say, table
from i2ibench.errors import MissingError, UsageError
from i2ibench.runs.option_fields import HOW, WHAT, WHERE, names_in
from i2ibench.wording import some

if TYPE_CHECKING:
    from i2ibench.data.dataset import Dataset
    from i2ibench.results.scored_method import ScoredMethod


def compare(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Run folders, result.json files, board entries, or CSV tables of scores per pair."
        ),
    ] = None,
    reported: Annotated[
        str | None,
        typer.Option(
            "--reported",
            help="Also compare published scores per pair of this group, e.g. bcistainer.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics",
            help="Comma-separated names; default: all that every method has.",
            metavar="NAMES",
            rich_help_panel=WHAT,
            autocompletion=completer("metrics"),
        ),
    ] = None,
    margin: Annotated[
        list[str] | None,
        typer.Option(
            "--margin",
            help="METRIC=D: methods whose difference is surely within D are called equal.",
            metavar="METRIC=D",
            rich_help_panel=HOW,
        ),
    ] = None,
    extremes: Annotated[
        int,
        typer.Option(
            "--extremes",
            min=0,
            help="How many of the pairs that differ most to name, in each direction.",
            rich_help_panel=HOW,
        ),
    ] = 3,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures",
            help="Draw those pairs into this PNG; needs --dataset and run folders.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            "--page",
            help="Write a page into this folder: differences, and every pair with all methods.",
            metavar="FOLDER",
            rich_help_panel=WHERE,
        ),
    ] = None,
    without_pictures: WithoutPictures = False,
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset",
            "-d",
            help="Data set of the pictures: name or path; of a page by default the recorded one.",
            rich_help_panel=WHAT,
            autocompletion=completer("datasets"),
        ),
    ] = None,
    direction: Direction = None,
    data_root: DataRoot = None,
    json: Json = False,
) -> None:
    """Compare two or more methods on the same pairs.

    Runs that differ in their seed alone are one method. Differences with intervals and a test over
    seeds and pairs (Holm's correction), effect sizes, and the probability that one is better:
    overall and per level. With --margin also whether two are equal.

    i2ibench compare runs/synthetic/pyramid/* runs/synthetic/varpyramid/* --margin psnr=0.5

    i2ibench compare runs/synthetic/*/* --page comparison

    i2ibench compare --reported bcistainer
    """
    from i2ibench.comparison.compare import compare as compare_methods
    from i2ibench.comparison.methods import read_methods
    from i2ibench.comparison.tables import COLUMNS_NOTE, comparison_tables
    from i2ibench.leaderboard.reported import reported_methods

    methods = read_methods(runs or []) + (reported_methods(reported) if reported else [])
    chosen = names_in("--metrics", metrics)
    margins = _margins(margin or [])
    comparison = compare_methods(methods, chosen, extremes=extremes, margins=margins)
    if json:
        print_json(comparison.to_json())
    else:
        (_, header, rows), *differences = comparison_tables(comparison)
        answer(table("methods", *_turned(header, rows)))
        for title, header, rows in differences:
            answer(table(*_without_numbers(title, header, rows, len(comparison.labels))))
        for note in (COLUMNS_NOTE, *comparison.notes):
            answer(note)
    handle = None
    if dataset is not None and not (pictures is None and page is None):
        from i2ibench.data.dataset import Dataset

        handle = Dataset.open(dataset, direction=direction, data_root=data_root)
    if pictures is not None:
        from i2ibench.web.extremes import draw_extremes

        say(f"pictures: {draw_extremes(methods, comparison, pictures, handle)}")
    if page is not None:
        from i2ibench.cli.results import say_page
        from i2ibench.web.comparison_page import methods_without_images, write_comparison_page

        handle = handle or _recorded_dataset(methods, direction, data_root)
        if handle is not None and (bare := methods_without_images(methods)):
            say(f"no pictures on the page: no predictions beside {some(bare)}; give run folders")
        written = write_comparison_page(
            page, methods, comparison, handle, with_pictures=not without_pictures
        )
        name = methods[0].identity.get("the data set", "")
        say_page(written, name, with_pictures=handle is not None and not without_pictures)


def _recorded_dataset(
    methods: list[ScoredMethod], direction: str | None, data_root: Path | None
) -> Dataset | None:
    """Open the data set that the methods name; None, and a line that says so, where it is not here.

    A name in a record is no place, so a folder of one's own is given with --dataset.
    """
    from i2ibench.data.dataset import Dataset

    name = methods[0].identity.get("the data set")
    recorded = direction or methods[0].identity.get("the direction")
    try:
        if name is None:
            raise UsageError("tables of scores name no data set")
        return Dataset.open(name, direction=recorded, data_root=data_root)
    except (UsageError, MissingError) as error:
        say(f"no pictures on the page ({error}); say where the data set is with --dataset")
        return None


def _turned(header: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Return the table of methods with a row a metric: a terminal is too narrow for twenty."""
    names = [f"{number} {label}" for number, label, *_ in rows]
    return ["", *names], [[what, *(row[i] for row in rows)] for i, what in enumerate(header)][2:]


def _without_numbers(
    title: str, header: list[str], rows: list[list[str]], methods: int
) -> tuple[str, list[str], list[list[str]]]:
    """Return a table without the column that says which two are compared, where there are two."""
    if methods > 2 or "a - b" not in header:
        return title, header, rows
    column = header.index("a - b")
    kept = [[*row[:column], *row[column + 1 :]] for row in [header, *rows]]
    return f"{title} (a: 1, b: 2)", kept[0], kept[1:]


def _margins(given: list[str]) -> dict[str, float]:
    """Read ``METRIC=D``, several after commas or each with an option of its own."""
    margins: dict[str, float] = {}
    for item in ",".join(given).split(",") if given else []:
        name, _, number = item.partition("=")
        try:
            margins[name.strip()] = float(number)
        except ValueError:
            raise UsageError(
                f"--margin {item!r} is no METRIC=D; give e.g. --margin psnr=0.5"
            ) from None
    return margins
